"""Functions that need no session, or only wait for one."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any

from . import binding
from ._pump import needs_pump
from .binding import (
    LIBSSH2_SESSION_BLOCK_INBOUND,
    LIBSSH2_SESSION_BLOCK_OUTBOUND,
)

if TYPE_CHECKING:
    from .session import Session


def version(required_version: int = 0) -> bytes | None:
    """libssh2's version; None if it is older than required (0xMMmmpp)."""
    return binding.version(required_version)


def crypto_engine() -> int:
    """Which library does libssh2's cryptography: LIBSSH2_OPENSSL ..."""
    return binding.crypto_engine()


def ssh2_exit() -> None:
    """Nothing: libssh2 stays loaded, since sessions may still need it."""


def find_eol(buf: bytes, pos: int) -> tuple[int, int]:
    """Where, counted from pos, a line of buf ends, and how long its end is.

    (-1, 0) where no line ends.
    """
    if not isinstance(buf, (bytes, bytearray)):
        raise TypeError(f"find_eol: expected bytes, not {type(buf).__name__}")
    if pos < 0:
        raise ValueError("find_eol: pos is negative")
    end = buf.find(b"\n", pos)
    if end < 0:
        return -1, 0
    if end > pos and buf[end - 1 : end] == b"\r":
        return end - 1 - pos, 2
    return end - pos, 1


def wait_socket(
    _socket: Any, session: Session, timeout: float | None = 1
) -> Any:
    """Wait until the socket is ready for what the session waits for.

    0 if that is nothing, else what select() returns.
    """
    directions = binding.Session.block_directions(session)
    if not directions:
        return 0
    reads = [_socket] if directions & LIBSSH2_SESSION_BLOCK_INBOUND else []
    writes = [_socket] if directions & LIBSSH2_SESSION_BLOCK_OUTBOUND else []
    if not hasattr(select, "poll"):
        return select.select(reads, writes, [], timeout)
    # select() cannot take descriptors above 1023.
    poll = select.poll()
    poll.register(
        session if needs_pump(_socket) else _socket,
        (select.POLLIN if reads else 0) | (select.POLLOUT if writes else 0),
    )
    found = poll.poll(None if timeout is None else timeout * 1000)
    events = found[0][1] if found else 0
    bad = select.POLLERR | select.POLLHUP | select.POLLNVAL
    return (
        reads if events & (select.POLLIN | bad) else [],
        writes if events & (select.POLLOUT | bad) else [],
        [],
    )


def handle_error_codes(errcode: int) -> int:
    """Raise the error of a negative code other than EAGAIN; else return it."""
    binding.raise_code(errcode)
    return errcode
