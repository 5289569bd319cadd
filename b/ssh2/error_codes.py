"""libssh2's error codes."""

from . import binding, exceptions

# From the errors too: an older libssh2 does not name every code.
_codes: dict[str, int] = {
    error.name: error.code
    for error in (getattr(exceptions, name) for name in exceptions.__all__)
    if error.name and error.name.startswith("LIBSSH2_ERROR_")
}
_codes.update(
    (name, value)
    for name, value in vars(binding).items()
    if name.startswith(("LIBSSH2_ERROR_", "LIBSSH2CHANNEL_EAGAIN"))
)
globals().update(_codes)
__all__ = list(_codes)


def __getattr__(name: str) -> int:
    raise AttributeError(f"libssh2 has no error code {name}")
