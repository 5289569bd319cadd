"""All constants of libssh2's headers."""
from typing import Final

LIBSSH2_ERROR_KNOWN: Final[int]

__all__ = [
    "LIBSSH2_ERROR_KNOWN",
]
