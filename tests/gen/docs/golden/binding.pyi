"""The types of ssh2.binding."""
import os
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn, Protocol, Union

class _HasDescriptor(Protocol):
    def fileno(self) -> int: ...

_Path = Union[str, bytes, os.PathLike[str], os.PathLike[bytes]]
_Bytes = Union[bytes, bytearray, memoryview]
_Socket = Union[int, _HasDescriptor]
_Callback = Callable[..., Any]

from .box import Box as _Box

ANSWER: Final[int]
LIBSSH2_ERROR_KNOWN: Final[int]
GREETING: Final[str]

def motto() -> str:
    """What to live by.

    Returns:
        str
    """
def burn(*args: Any, **kw: Any) -> NoReturn: ...

class Size:
    def __init__(self) -> None: ...
    @property
    def width(self) -> int: ...

class Box:
    def __init__(self) -> None: ...
    def enter(self, path: _Path, mode: int = 0) -> _Box | None | Any:
        """Enter a box; and see "what\\ is" inside.

        It is dark. Mind the step.

        Parameters:
            path: str | bytes | os.PathLike
            mode: int

        Units:
            `path` leads there; None for `mode` is nothing; `mode` is octal

        Ownership:
            the box stays its owner's

        Blocking:
            until the door opens

        Returns:
            Box | None: the box that is inside; None: it is the last; -37 where
            it would block

        Errors:
            KnownError: locked
            TakenError, SFTPProtocolError, SFTPKnownError

        Source:
            enter(3)
        """
    def read(self, most: int = 1024) -> tuple[int, bytes]:
        """Read up to `most` bytes of a box.

        Parameters:
            most: int

        Units:
            `most` in bytes

        Blocking:
            until somebody writes; see write()

        Returns:
            tuple[int, bytes]; (-37, b'') where it would block
        """
    def read_ex(self, stream: int, most: int) -> tuple[int, bytes]:
        """Read up to `most` bytes of a box.

        Parameters:
            stream: int
            most: int

        Units:
            `most` in bytes; `stream` is 0 or 1

        Blocking:
            until somebody writes; see write()

        Returns:
            tuple[int, bytes]; (-37, b'') where it would block
        """
    def write(self, buf: _Bytes) -> tuple[int, int]:
        """Write into a box.

        Parameters:
            buf: bytes | bytearray | memoryview

        Blocking:
            until somebody reads

        Returns:
            tuple[int, int]; (-37, bytes written) where it would block
        """
    def measure(self) -> tuple[Size, int, int]:
        """Measure a box.

        Returns:
            tuple[Size, int, int]
        """
    def empty(self) -> bool:
        """Is it empty?

        Returns:
            bool
        """
    def label(self) -> str | None:
        """What is written on it; None: nothing.

        Returns:
            str | None
        """
    def put(self, inner: _Box, sock: _Socket) -> int:
        """Put a box into this one; Box.put() of the other does the reverse.

        Parameters:
            inner: Box
            sock: int | object with fileno()

        Blocking:
            until it fits

        Returns:
            0; -37 where it would block
        """
    def next(self, prev: _Box | None = None) -> _Box | None:
        """The next box; None after the last.

        Parameters:
            prev: Box | None

        Returns:
            Box | None
        """
    def shake(self, force: float, hard: bool = True) -> None:
        """Shake it.

        Parameters:
            force: float
            hard: bool
        """
    def name(self) -> str:
        """Its name.

        Returns:
            str
        """
    def derived(self, count: int) -> int:
        """How heavy it is.

        Parameters:
            count: int

        Returns:
            0
        """
    def burn(self, *args: Any, **kw: Any) -> Any: ...
