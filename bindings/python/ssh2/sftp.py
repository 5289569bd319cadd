"""SFTP: files on the other side."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Union

from . import binding
from ._ends import end
from ._handle import Managed, adopt
from .binding import (
    LIBSSH2_FXF_APPEND as LIBSSH2_FXF_APPEND,
    LIBSSH2_FXF_CREAT as LIBSSH2_FXF_CREAT,
    LIBSSH2_FXF_EXCL as LIBSSH2_FXF_EXCL,
    LIBSSH2_FXF_READ as LIBSSH2_FXF_READ,
    LIBSSH2_FXF_TRUNC as LIBSSH2_FXF_TRUNC,
    LIBSSH2_FXF_WRITE as LIBSSH2_FXF_WRITE,
    LIBSSH2_SFTP_ATTR_ACMODTIME as LIBSSH2_SFTP_ATTR_ACMODTIME,
    LIBSSH2_SFTP_ATTR_EXTENDED as LIBSSH2_SFTP_ATTR_EXTENDED,
    LIBSSH2_SFTP_ATTR_PERMISSIONS as LIBSSH2_SFTP_ATTR_PERMISSIONS,
    LIBSSH2_SFTP_ATTR_SIZE as LIBSSH2_SFTP_ATTR_SIZE,
    LIBSSH2_SFTP_ATTR_UIDGID as LIBSSH2_SFTP_ATTR_UIDGID,
    LIBSSH2_SFTP_OPENDIR as LIBSSH2_SFTP_OPENDIR,
    LIBSSH2_SFTP_OPENFILE as LIBSSH2_SFTP_OPENFILE,
    LIBSSH2_SFTP_S_IFBLK as LIBSSH2_SFTP_S_IFBLK,
    LIBSSH2_SFTP_S_IFCHR as LIBSSH2_SFTP_S_IFCHR,
    LIBSSH2_SFTP_S_IFDIR as LIBSSH2_SFTP_S_IFDIR,
    LIBSSH2_SFTP_S_IFIFO as LIBSSH2_SFTP_S_IFIFO,
    LIBSSH2_SFTP_S_IFLNK as LIBSSH2_SFTP_S_IFLNK,
    LIBSSH2_SFTP_S_IFMT as LIBSSH2_SFTP_S_IFMT,
    LIBSSH2_SFTP_S_IFREG as LIBSSH2_SFTP_S_IFREG,
    LIBSSH2_SFTP_S_IFSOCK as LIBSSH2_SFTP_S_IFSOCK,
    LIBSSH2_SFTP_S_IRGRP as LIBSSH2_SFTP_S_IRGRP,
    LIBSSH2_SFTP_S_IROTH as LIBSSH2_SFTP_S_IROTH,
    LIBSSH2_SFTP_S_IRUSR as LIBSSH2_SFTP_S_IRUSR,
    LIBSSH2_SFTP_S_IRWXG as LIBSSH2_SFTP_S_IRWXG,
    LIBSSH2_SFTP_S_IRWXO as LIBSSH2_SFTP_S_IRWXO,
    LIBSSH2_SFTP_S_IRWXU as LIBSSH2_SFTP_S_IRWXU,
    LIBSSH2_SFTP_S_IWGRP as LIBSSH2_SFTP_S_IWGRP,
    LIBSSH2_SFTP_S_IWOTH as LIBSSH2_SFTP_S_IWOTH,
    LIBSSH2_SFTP_S_IWUSR as LIBSSH2_SFTP_S_IWUSR,
    LIBSSH2_SFTP_S_IXGRP as LIBSSH2_SFTP_S_IXGRP,
    LIBSSH2_SFTP_S_IXOTH as LIBSSH2_SFTP_S_IXOTH,
    LIBSSH2_SFTP_S_IXUSR as LIBSSH2_SFTP_S_IXUSR,
    LIBSSH2_SFTP_ST_NOSUID as LIBSSH2_SFTP_ST_NOSUID,
    LIBSSH2_SFTP_ST_RDONLY as LIBSSH2_SFTP_ST_RDONLY,
)
from .channel import Channel
from .exceptions import (
    SFTPError as SFTPError,
    SFTPHandleError as SFTPHandleError,
    SFTPProtocolError as SFTPProtocolError,
)
from .sftp_handle import (
    SFTPAttributes as SFTPAttributes,
    SFTPHandle as SFTPHandle,
    SFTPStatVFS as SFTPStatVFS,
)

if TYPE_CHECKING:
    from .session import Session

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
Progress = Callable[[int, int], object]
_BEGUN = 64  # as many calls that would block are kept by the core
_numbers = itertools.count(1)


def _check_length(path: Path, length: int) -> None:
    """Refuse a length that is not the path's own, in bytes."""
    name = os.fspath(path)
    if isinstance(name, str):
        name = name.encode("utf-8", "surrogateescape")
    if length != len(name):
        raise ValueError(f"the path has {len(name)} bytes, not {length}")


class Moved(NamedTuple):
    """What get_tree() and put_tree() have done."""

    files: int
    bytes: int
    skipped: list[str]  # links out of the tree, and what is no file


@adopt
class SFTP(Managed, binding.SFTP):
    """An SFTP session, made by Session.sftp_init()."""

    _session: Session | None = None

    @property
    def session(self) -> Session | None:
        """The session that opened it."""
        return self._session

    def get_channel(self) -> Channel | Any:
        """The channel that SFTP runs over."""
        channel = super().get_channel()
        if isinstance(channel, Channel):
            channel._session = self._session
        return channel

    def _move(
        self, call: Callable[..., int], local: Any, verb: str, **named: Any
    ) -> int:
        """Call; by a number C knows an object when it is given again."""
        begun = self.__dict__.setdefault("_begun", {})
        ends = {"local": None} | end(local, verb)
        if "object" not in ends:
            return call(**ends, **named)
        _, number = begun.pop(id(local), None) or (None, next(_numbers))
        count = call(**ends, object_id=number, **named)
        if count == binding.LIBSSH2_ERROR_EAGAIN:
            begun[id(local)] = local, number
            for forgotten in list(begun)[:-_BEGUN]:
                begun.pop(forgotten, None)
        return count

    def get(  # type: ignore[override]
        self,
        remote: Path,
        local: Any,
        *,
        progress: Progress | None = None,
        resume: bool = False,
        temporary: bool = True,
        preserve: bool = False,
    ) -> int:
        """Get a file: to a path, a descriptor, or what has write().

        write() says how many bytes it took, or None: all of them, but none if
        it is an io.RawIOBase's, which is waited for then.
        progress(done, total) is called at most ten times a second; what it
        raises ends the transfer.  Until all is there the file has another
        name, unless temporary is false; resume goes on with what an earlier
        call left that was to be resumed as well; preserve keeps times and
        mode; both need a path.  Returns how many bytes the file has.
        """
        call = functools.partial(super().get, remote)
        return self._move(
            call,
            local,
            "write",
            progress=progress,
            resume=resume,
            temporary=temporary,
            preserve=preserve,
        )

    def put(  # type: ignore[override]
        self,
        local: Any,
        remote: Path,
        *,
        progress: Progress | None = None,
        resume: bool = False,
        temporary: bool = True,
        preserve: bool = False,
    ) -> int:
        """Put a file: from a path, a descriptor, or what has read().

        As get(), the other way, but that a descriptor of a file can be resumed
        and has times, too; where an io.RawIOBase gives None it is waited for.
        """
        call = functools.partial(super().put, remote=remote)
        return self._move(
            call,
            local,
            "read",
            progress=progress,
            resume=resume,
            temporary=temporary,
            preserve=preserve,
        )

    def get_tree(  # type: ignore[override]
        self,
        remote: Path,
        local: Path,
        *,
        progress: Progress | None = None,
        preserve: bool = False,
        limit: int = 1_000_000,
    ) -> Moved | Any:
        """Get a folder and all that is in it, many files at once.

        No link is followed; one that stays in the tree is made anew.
        progress(done, total) counts bytes; limit is the most names, 0: any
        number.
        """
        out: Any = super().get_tree(remote, local, progress, preserve, limit)
        return Moved(*out) if isinstance(out, list) else out

    def put_tree(  # type: ignore[override]
        self,
        local: Path,
        remote: Path,
        *,
        progress: Progress | None = None,
        preserve: bool = False,
        limit: int = 1_000_000,
    ) -> Moved | Any:
        """Put a folder and all that is in it; as get_tree(), the other way."""
        out: Any = super().put_tree(local, remote, progress, preserve, limit)
        return Moved(*out) if isinstance(out, list) else out

    def list_tree(
        self, path: Path, limit: int = 1_000_000
    ) -> list[tuple[str, SFTPAttributes]] | Any:
        """All that is in a folder and below: names from there, attributes.

        limit is the most names, 0: any number.
        """
        out: Any = super().list_tree(path, limit)
        return [(*pair,) for pair in out] if isinstance(out, list) else out

    def _opened(self, handle: Any) -> SFTPHandle | Any:
        if isinstance(handle, SFTPHandle):
            handle._session = self._session
        return handle

    def open(self, filename: Path, flags: int, mode: int) -> SFTPHandle | Any:
        return self._opened(super().open(filename, flags, mode))

    def open_r(
        self, filename: Path, flags: int, mode: int, attrs: SFTPAttributes
    ) -> SFTPHandle | Any:
        return self._opened(super().open_r(filename, flags, mode, attrs))

    def opendir(self, path: Path) -> SFTPHandle | Any:
        return self._opened(super().opendir(path))

    def open_ex_r(
        self,
        filename: Path,
        flags: int,
        mode: int,
        open_type: int,
        attrs: SFTPAttributes,
    ) -> SFTPHandle | Any:
        return self._opened(
            super().open_ex_r(filename, flags, mode, open_type, attrs)
        )

    def open_ex(
        self,
        filename: Path,
        filename_len: int,
        flags: int,
        mode: int,
        open_type: int,
    ) -> SFTPHandle | Any:
        """open() or opendir(), by open_type (LIBSSH2_SFTP_OPEN*)."""
        _check_length(filename, filename_len)
        if open_type == LIBSSH2_SFTP_OPENDIR:
            return self.opendir(filename)
        return self.open(filename, flags, mode)

    def rename_ex(
        self,
        source_filename: Path,
        source_filename_len: int,
        dest_filename: Path,
        dest_filename_len: int,
        flags: int,
    ) -> int:
        """rename(), with the lengths of its paths."""
        _check_length(source_filename, source_filename_len)
        _check_length(dest_filename, dest_filename_len)
        return self.rename(source_filename, dest_filename, flags)
