"""Listeners: ports of the server whose connections come here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import binding
from ._handle import Managed, adopt
from .channel import Channel

if TYPE_CHECKING:
    from .session import Session


@adopt
class Listener(Managed, binding.Listener):
    """A port of the server, made by Session.forward_listen()."""

    _end = "forward_cancel"
    _session: Session | None = None

    @property
    def session(self) -> Session | None:
        """The session that made it."""
        return self._session

    @property
    def port(self) -> int:  # type: ignore[override]
        """The port that the server listens on."""
        return super().port()

    def forward_accept(self) -> Channel | Any:
        """A channel for the next connection to the port."""
        channel: Any = super().forward_accept()
        if isinstance(channel, Channel):
            channel._session = self._session
        return channel
