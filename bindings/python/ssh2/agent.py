"""The user's key agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import binding
from ._handle import Managed, adopt
from .exceptions import (
    AgentAuthenticationError,
    AgentConnectionError,
    AgentError,
    AgentGetIdentityError,
    AgentListIdentitiesError,
    AgentProtocolError,
)
from .pkey import PublicKey

if TYPE_CHECKING:
    from .session import Session

__all__ = [
    "Agent",
    "AgentAuthenticationError",
    "AgentConnectionError",
    "AgentError",
    "AgentGetIdentityError",
    "AgentListIdentitiesError",
    "AgentProtocolError",
    "PublicKey",
]


@adopt
class Agent(Managed, binding.Agent):
    """What talks to the agent, made by Session.agent_init()."""

    _end = "disconnect"
    _session: Session | None = None

    def get_identities(self) -> list[PublicKey] | Any:
        """Ask the agent for its keys."""
        if rc := self.list_identities():
            return rc
        keys: list[Any] = []
        while (key := self.identity(len(keys))) is not None:
            if isinstance(key, int):  # it would block
                return key
            keys.append(key)
        return keys
