"""Every error of ssh2, as C built them from the core's one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import binding

if TYPE_CHECKING:

    class SSH2Error(Exception):
        """What went wrong; every error of ssh2 is one."""

        code: int  # LIBSSH2_ERROR_*, 0 for none
        name: str | None  # of the code, or of the SFTP status
        func: str | None  # the function of libssh2, or the method
        text: str | None  # what happened
        path: str | None  # the file, host or name it is about
        sftp_status: int  # LIBSSH2_FX_*, or 0
        errno: int | None
        done: int  # bytes written before it

    def __getattr__(name: str) -> type[SSH2Error]: ...


_errors: dict[str, type[Exception]] = getattr(binding, "_binding").errors
globals().update(_errors)
__all__ = list(_errors)
