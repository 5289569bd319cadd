"""libssh2's error codes."""
from typing import Final

LIBSSH2_ERROR_BYGONE: Final[int]
LIBSSH2_ERROR_KNOWN: Final[int]
LIBSSH2_ERROR_SFTP_PROTOCOL: Final[int]

__all__ = [
    "LIBSSH2_ERROR_BYGONE",
    "LIBSSH2_ERROR_KNOWN",
    "LIBSSH2_ERROR_SFTP_PROTOCOL",
]
