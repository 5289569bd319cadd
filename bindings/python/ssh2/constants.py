"""All constants of libssh2's headers."""

from . import binding
from .binding import *  # noqa: F403

__all__ = [
    name
    for name in vars(binding)
    if name.startswith(("LIBSSH2", "SSH_", "HAVE_LIBSSH2_"))
]
