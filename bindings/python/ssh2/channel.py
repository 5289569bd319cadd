"""Channels: a command, a shell or a subsystem, and its streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import binding
from ._ends import end, write_some
from ._handle import Managed, adopt, deprecated
from .exceptions import BadUseError

if TYPE_CHECKING:
    from .session import Session


def _first(out: Any) -> int:
    """Of several results; a code alone says that it would block."""
    return int(out if isinstance(out, int) else out[0])


@adopt
class Channel(Managed, binding.Channel):
    """A channel, made by Session.open_session()."""

    _session: Session | None = None

    @property
    def session(self) -> Session | None:
        """The session that opened it."""
        return self._session

    def get_exit_signal(  # type: ignore[override]
        self,
    ) -> tuple[int, bytes | None, bytes | None, bytes | None] | Any:
        """0, then the signal's name, its message and its language, or None."""
        out: Any = super().get_exit_signal()
        if isinstance(out, int):
            return out
        return (0, *(item or None for item in out))

    def read_all(self, limit: int = 67_108_864) -> tuple[bytes, bytes] | Any:
        """All of the output and of the error output, to their ends.

        limit is the most bytes of both, 0: any number.  Where it does not come
        to its end, the next read has what was read.
        """
        return super().read_all(limit)

    def pump(  # type: ignore[override]
        self, stdout: Any = None, stderr: Any = None
    ) -> int:
        """Hand on all of both streams as they come; how many bytes.

        Each goes to a descriptor or to what has write(), of which SFTP.get()
        tells more; None: nowhere.
        """
        ends: dict[str, Any] = {}
        for this, prefix in (stdout, ""), (stderr, "stderr_"):
            if this is not None:
                ends |= end(this, "write", prefix, write_some)
        for name, this in ends.items():
            if "local" in name:
                raise TypeError(
                    "pump: expected a descriptor or what has write(), not "
                    + type(this).__name__
                )
            if "fd" in name and this < 0:  # which C takes for nowhere
                raise BadUseError(f"pump: {this} is no descriptor")
        return super().pump(**ends)

    def window_read_ex(  # type: ignore[override]
        self, read_avail: int = 0, window_size_initial: int = 0
    ) -> int:
        """How many bytes the peer may still send."""
        return _first(super().window_read_ex())

    def window_read(self) -> int:
        """How many bytes the peer may still send."""
        return self.window_read_ex()

    def window_write_ex(  # type: ignore[override]
        self, window_size_initial: int = 0
    ) -> int:
        """How many bytes may still be sent."""
        return _first(super().window_write_ex())

    def window_write(self) -> int:
        """How many bytes may still be sent."""
        return self.window_write_ex()

    @deprecated("receive_window_adjust2")
    def receive_window_adjust(self, adjustment: int, force: int) -> int:
        """Let the peer send more; how much it may send then."""
        return self.receive_window_adjust2(adjustment, force) or (
            self.window_read()
        )

    def receive_window_adjust2(self, adjustment: int, force: int) -> int:
        """Let the peer send more."""
        rc = super().receive_window_adjust2(adjustment, force)
        return min(rc, 0)

    @deprecated("handle_extended_data2")
    def handle_extended_data(self, ignore_mode: int) -> int:
        return self.handle_extended_data2(ignore_mode)

    @deprecated("handle_extended_data2")
    def ignore_extended_data(self, ignore_mode: int) -> int:
        return self.handle_extended_data2(ignore_mode)

    @deprecated("Session.block_directions")
    def poll_channel_read(self, extended: int) -> int:
        return super().poll_channel_read(extended)
