"""Bytes from an object that reads and writes to a socket, and back.

So libssh2, which knows sockets only, runs over anything, and a channel reaches
the key agent.  Two threads copy; each holds the two ends and nothing else.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
from collections.abc import Callable
from threading import Thread
from typing import Any

from ._ends import read_some, write_all
from .binding import LIBSSH2_ERROR_EAGAIN, LIBSSH2_ERROR_TIMEOUT
from .exceptions import SSH2Error

_SIZE = 65536


def needs_pump(stream: Any) -> bool:
    """Whether stream can be read and written, and has no descriptor."""
    with contextlib.suppress(AttributeError, io.UnsupportedOperation):
        stream.fileno()
        return False
    return hasattr(stream, "read") and hasattr(stream, "write")


def _patient(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """call(), for which the timeout of a channel's session is not meant."""

    def calls(what: Any) -> Any:
        try:
            return call(what)
        except SSH2Error as error:
            if error.code != LIBSSH2_ERROR_TIMEOUT:
                raise
            return LIBSSH2_ERROR_EAGAIN, error.done

    return calls


def _read(stream: Any) -> bytes:
    # Of a buffered file, what is there; of a channel, a pair.
    read = _patient(getattr(stream, "read1", stream.read))
    data = read_some(stream, read, _SIZE)
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"read() returned {type(data).__name__}, not bytes")
    return bytes(data)


def _write(stream: Any, data: bytes) -> None:
    write_all(stream, _patient(stream.write), data)
    if not hasattr(stream, "flush_ex"):  # a channel's drops what has come
        getattr(stream, "flush", int)()


def _to_socket(stream: Any, sock: socket.socket, errors: list[Any]) -> None:
    try:
        while data := _read(stream):
            sock.sendall(data)
    except BaseException as error:
        errors.append(error)
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)


def _to_stream(stream: Any, sock: socket.socket, errors: list[Any]) -> None:
    try:
        while data := sock.recv(_SIZE):
            _write(stream, data)
    except BaseException as error:
        errors.append(error)
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(Exception):
        getattr(stream, "close", int)()


def _both_ways(*ends: Any) -> None:
    back = Thread(target=_to_socket, args=ends, daemon=True)
    back.start()
    _to_stream(*ends)
    back.join()
    ends[1].close()


def start(stream: Any, sock: socket.socket, errors: list[Any]) -> None:
    """Copy until both have ended, then close both; why, goes to errors."""
    sock.settimeout(None)  # whatever the program has for its own sockets
    Thread(target=_both_ways, args=(stream, sock, errors), daemon=True).start()


class Pump:
    """A socket whose other end is stream, which is closed with it."""

    def __init__(self, stream: Any) -> None:
        self.errors: list[Exception] = []
        self._process = os.getpid()
        self.sock, far = socket.socketpair()
        start(stream, far, self.errors)

    def close(self) -> None:
        # The core has a descriptor of its own to this socket; so has, to what
        # is the parent's, a child that was forked.
        if os.getpid() == self._process:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def __del__(self) -> None:
        if hasattr(self, "sock"):  # there were descriptors left for it
            self.close()
