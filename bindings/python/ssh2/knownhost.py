"""Known hosts: which key a host has shown before."""

from __future__ import annotations

from base64 import b64decode
from typing import Any, Union

from . import binding
from ._handle import Handle, adopt, deprecated
from .binding import (
    LIBSSH2_KNOWNHOST_FILE_OPENSSH as LIBSSH2_KNOWNHOST_FILE_OPENSSH,
    LIBSSH2_KNOWNHOST_KEY_ECDSA_256 as LIBSSH2_KNOWNHOST_KEY_ECDSA_256,
    LIBSSH2_KNOWNHOST_KEY_ECDSA_384 as LIBSSH2_KNOWNHOST_KEY_ECDSA_384,
    LIBSSH2_KNOWNHOST_KEY_ECDSA_521 as LIBSSH2_KNOWNHOST_KEY_ECDSA_521,
    LIBSSH2_KNOWNHOST_KEY_ED25519 as LIBSSH2_KNOWNHOST_KEY_ED25519,
    LIBSSH2_KNOWNHOST_KEY_MASK as LIBSSH2_KNOWNHOST_KEY_MASK,
    LIBSSH2_KNOWNHOST_KEY_RSA1 as LIBSSH2_KNOWNHOST_KEY_RSA1,
    LIBSSH2_KNOWNHOST_KEY_SHIFT as LIBSSH2_KNOWNHOST_KEY_SHIFT,
    LIBSSH2_KNOWNHOST_KEY_SSHDSS as LIBSSH2_KNOWNHOST_KEY_SSHDSS,
    LIBSSH2_KNOWNHOST_KEY_SSHRSA as LIBSSH2_KNOWNHOST_KEY_SSHRSA,
    LIBSSH2_KNOWNHOST_KEY_UNKNOWN as LIBSSH2_KNOWNHOST_KEY_UNKNOWN,
    LIBSSH2_KNOWNHOST_KEYENC_BASE64 as LIBSSH2_KNOWNHOST_KEYENC_BASE64,
    LIBSSH2_KNOWNHOST_KEYENC_MASK as LIBSSH2_KNOWNHOST_KEYENC_MASK,
    LIBSSH2_KNOWNHOST_KEYENC_RAW as LIBSSH2_KNOWNHOST_KEYENC_RAW,
    LIBSSH2_KNOWNHOST_TYPE_CUSTOM as LIBSSH2_KNOWNHOST_TYPE_CUSTOM,
    LIBSSH2_KNOWNHOST_TYPE_MASK as LIBSSH2_KNOWNHOST_TYPE_MASK,
    LIBSSH2_KNOWNHOST_TYPE_PLAIN as LIBSSH2_KNOWNHOST_TYPE_PLAIN,
    LIBSSH2_KNOWNHOST_TYPE_SHA1 as LIBSSH2_KNOWNHOST_TYPE_SHA1,
)
from .exceptions import (
    KnownHostAddError as KnownHostAddError,
    KnownHostCheckError as KnownHostCheckError,
    KnownHostCheckFailure as KnownHostCheckFailure,
    KnownHostCheckMisMatchError as KnownHostCheckMisMatchError,
    KnownHostCheckNotFoundError as KnownHostCheckNotFoundError,
    KnownHostDeleteError as KnownHostDeleteError,
    KnownHostError as KnownHostError,
    KnownHostGetError as KnownHostGetError,
    KnownHostReadFileError as KnownHostReadFileError,
    KnownHostReadLineError as KnownHostReadLineError,
    KnownHostRevokedError as KnownHostRevokedError,
    KnownHostWriteFileError as KnownHostWriteFileError,
    KnownHostWriteLineError as KnownHostWriteLineError,
)

_Text = Union[str, bytes]


@adopt
class KnownHostEntry(Handle, binding.KnownHostEntry):
    """A host and its key."""

    @property
    def name(self) -> bytes | None:  # type: ignore[override]
        """The host's name; None where it is hashed."""
        return super().name()

    @property
    def key(self) -> bytes:  # type: ignore[override]
        return b64decode(super().key() or b"")

    @property
    def typemask(self) -> int:  # type: ignore[override]
        return super().typemask()

    @property
    def magic(self) -> int:  # type: ignore[override]
        return super().magic()

    def __repr__(self) -> str:
        return f"<KnownHostEntry {self}>" if self.this else super().__repr__()

    def __str__(self) -> str:
        return (self.name or b"(hashed)").decode(errors="replace")


@adopt
class KnownHost(Handle, binding.KnownHost):
    """A collection of entries, made by Session.knownhost_init()."""

    @deprecated("addc")
    def add(
        self, host: _Text, salt: _Text | None, key: _Text, typemask: int
    ) -> KnownHostEntry | Any:
        return self.addc(host, key, typemask, salt)

    @deprecated("checkp")
    def check(
        self, host: _Text, key: _Text, typemask: int
    ) -> KnownHostEntry | Any:
        """checkp() for the bare name, whatever the port."""
        return self.checkp(host, -1, key, typemask)

    def get(  # type: ignore[override]
        self, prev: KnownHostEntry | None = None
    ) -> list[KnownHostEntry] | Any:
        """All entries, or those after prev."""
        entries: list[Any] = []
        entry: Any = prev
        while (entry := super().get(entry)) is not None:
            if isinstance(entry, int):  # it would block
                return entry
            entries.append(entry)
        return entries
