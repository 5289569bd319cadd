"""SSH for Python, over libssh2: commands, files, agents, known hosts.

Every submodule is imported here, so that C knows the classes of all.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Optional

import_module("._binding", __name__).check_interpreter()

from . import (  # noqa: E402
    agent,
    binding,
    channel,
    constants,
    error_codes,
    exceptions,
    fileinfo,
    knownhost,
    listener,
    pkey,
    publickey,
    session,
    sftp,
    sftp_handle,
    statinfo,
    utils,
)

__all__ = [
    "agent",
    "build_options",
    "channel",
    "constants",
    "error_codes",
    "exceptions",
    "fileinfo",
    "knownhost",
    "libssh2_revision",
    "listener",
    "pkey",
    "publickey",
    "session",
    "set_wait",
    "sftp",
    "sftp_handle",
    "statinfo",
    "utils",
]
__version__ = binding.VERSION

Wait = Callable[[int, int, int, Optional[float]], object]


def set_wait(wait: Wait | None) -> None:
    """Wait by wait(fd, wake_fd, directions, timeout), or as usual with None.

    It returns a true value once fd (-1: none) is ready in the directions
    (LIBSSH2_SESSION_BLOCK_*) or wake_fd is readable, and a false one when
    timeout seconds (None: no limit) are over.  What it raises goes through the
    call that waits.
    """
    binding.set_wait(wait)


def build_options() -> dict[str, Any]:
    """How libssh2 was built: version, revision, source, fixes and others."""
    return dict(binding.build_pairs() or ())


def libssh2_revision() -> str:
    """Which libssh2 is inside, such as "1.11.1 (Debian 1.11.1-1)"."""
    return binding.libssh2_revision() or ""
