"""What bytes go to or come from: a path, a descriptor, or an object."""

from __future__ import annotations

import errno
import functools
import io
import os
import selectors
from collections.abc import Callable
from typing import Any

from .binding import LIBSSH2_ERROR_EAGAIN, Channel, SFTPHandle
from .exceptions import SSH2Error


def again(stream: Any) -> None:
    """Wait where a stream's session does not: others may take its bytes."""
    with selectors.DefaultSelector() as ready:
        session = getattr(stream, "_session", None)
        if session is not None:
            ready.register(session, selectors.EVENT_READ)
        ready.select(0.05)


def _wait(raw: io.RawIOBase, event: int) -> None:
    try:
        descriptor = raw.fileno()
    except io.UnsupportedOperation:
        raise BlockingIOError(
            errno.EAGAIN, "it would block, and has no fileno() to wait for"
        ) from None
    with selectors.DefaultSelector() as ready:
        ready.register(descriptor, event)
        ready.select()


def _taken(stream: Any, size: int, said: Any) -> int:
    """How many of size bytes were taken, where write() said so."""
    if isinstance(said, tuple):  # of a channel or a file on the other side
        code, said = said
        if code == LIBSSH2_ERROR_EAGAIN:
            again(stream)
            return int(said)
    if said is None:
        if not isinstance(stream, io.RawIOBase):
            return size  # many a class that only keeps what it is given
        _wait(stream, selectors.EVENT_WRITE)
        return 0
    if not isinstance(said, int) or isinstance(said, bool):
        raise TypeError(f"write() returned {type(said).__name__}, not int")
    if not 0 < said <= size:
        raise ValueError(f"write() returned {said}, of {size} bytes")
    return said


def write_some(stream: Any, write: Callable[[bytes], Any], data: bytes) -> int:
    """Write to a stream, whose write() may take less: how many bytes."""
    try:
        said = write(data)
    except SSH2Error as error:
        # What a channel or a file took it tells; why no more, the next time.
        if not isinstance(stream, (Channel, SFTPHandle)) or not error.done:
            raise
        return int(error.done)
    return _taken(stream, len(data), said)


def write_all(stream: Any, write: Callable[[bytes], Any], data: bytes) -> None:
    """Write all to a stream, as write_some() does."""
    while data:
        data = data[write_some(stream, write, data) :]


def read_some(stream: Any, read: Callable[[int], Any], size: int) -> Any:
    """What read() gives, once there is something."""
    while True:
        said = read(size)
        if isinstance(said, tuple):  # of a channel or a file on the other side
            if said[0] != LIBSSH2_ERROR_EAGAIN:
                return said[1]
            again(stream)
        elif said is None and isinstance(stream, io.RawIOBase):
            _wait(stream, selectors.EVENT_READ)
        else:
            return said


def end(
    this: Any, verb: str, prefix: str = "", writes: Any = write_all
) -> dict[str, Any]:
    """How C is told of it, which is to read or to write."""
    if isinstance(this, int):
        return {f"{prefix}fd": this}
    path = isinstance(this, (str, bytes, os.PathLike))
    call = None if path else getattr(this, verb, None)
    if call is None and not path and hasattr(this, "fileno"):
        name = type(this).__name__
        raise TypeError(f"{name} has no {verb}(): give its fileno()")
    if call is None:
        return {f"{prefix}local": this}
    ready = writes if verb == "write" else read_some
    return {f"{prefix}object": functools.partial(ready, this, call)}
