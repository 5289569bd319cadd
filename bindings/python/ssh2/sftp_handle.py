"""Open files and directories of SFTP, and the records about them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import binding
from ._handle import Handle, Managed, adopt, deprecated
from .exceptions import SFTPHandleError

if TYPE_CHECKING:
    from .session import Session

__all__ = ["SFTPAttributes", "SFTPHandle", "SFTPHandleError", "SFTPStatVFS"]


@adopt
class SFTPAttributes(Handle, binding.SFTPAttributes):
    """A file's attributes; flags (LIBSSH2_SFTP_ATTR_*) tell which are set."""

    def __repr__(self) -> str:
        if not self.this:
            return super().__repr__()
        return (
            f"<SFTPAttributes flags={self.flags:#x} size={self.filesize} "
            f"uid={self.uid} gid={self.gid} mode={self.permissions:#o}>"
        )


@adopt
class SFTPStatVFS(Handle, binding.SFTPStatVFS):
    """A file system's figures."""


@adopt
class SFTPHandle(Managed, binding.SFTPHandle):
    """An open file or directory, made by SFTP.open() and SFTP.opendir().

    Iterating a file yields what read() returns, until its end.
    """

    _session: Session | None = None

    @property
    def closed(self) -> bool:  # type: ignore[override]
        return super().closed()

    def close(self) -> int | None:  # type: ignore[override]
        """Close it; None if it was closed already."""
        return None if self.closed else super().close()

    @deprecated("seek64")
    def seek(self, offset: int) -> int | None:
        """Read and write at offset, in bytes, from now on."""
        return self.seek64(offset)

    def rewind(self) -> int | None:
        """Read and write at the start from now on."""
        return self.seek64(0)

    @deprecated("tell64")
    def tell(self) -> int:
        return self.tell64()

    def fstat_ex(self, attrs: SFTPAttributes, setstat: int) -> int:
        """Set the file's attributes from attrs, or attrs from the file's."""
        if setstat or not isinstance(attrs, SFTPAttributes):
            return self.fsetstat(attrs)
        found = self.fstat()
        if isinstance(found, int):
            return found
        for name in (
            "flags",
            "filesize",
            "uid",
            "gid",
            "permissions",
            "atime",
            "mtime",
        ):
            setattr(attrs, name, getattr(found, name))
        return 0

    def readdir_ex(
        self, longentry_maxlen: int = 1024, buffer_maxlen: int = 1024
    ) -> Iterator[tuple[int, bytes, bytes, SFTPAttributes]]:
        """The directory's entries: (length, name, long name, attributes)."""
        while True:
            entry: Any = super().readdir()
            if isinstance(entry, int):
                yield entry, b"", b"", SFTPAttributes()
                continue
            name, longname, attrs = entry
            if name is None:
                return
            yield len(name), name, longname or b"", attrs

    def readdir(
        self, buffer_maxlen: int = 1024
    ) -> Iterator[tuple[int, bytes, SFTPAttributes]]:
        """The directory's entries: (length, name, attributes)."""
        for size, name, _, attrs in self.readdir_ex():
            yield size, name, attrs

    def __iter__(self) -> SFTPHandle:
        return self

    def __next__(self) -> tuple[int, bytes]:
        size, data = self.read()
        if not size:
            raise StopIteration
        return size, data
