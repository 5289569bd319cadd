"""The keys that may log in, kept by the server (RFC 4819)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Union

from . import binding
from ._handle import Managed, adopt

if TYPE_CHECKING:
    from .session import Session

_Bytes = Union[bytes, bytearray, memoryview]


def _bytes(value: str | _Bytes) -> bytes:
    if isinstance(value, str):
        return value.encode(errors="surrogateescape")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"expected str or bytes, not {type(value).__name__}")


class PublicKeyAttribute:
    """What is to be known of a key; mandatory: what must be understood."""

    __slots__ = {  # and what each is for
        "__weakref__": None,
        "mandatory": "Must the server understand it, or refuse the key?",
        "name": "What the attribute says of the key, in bytes.",
        "value": "What it says, in bytes.",
    }

    def __init__(
        self,
        name: str | _Bytes,
        value: str | _Bytes,
        mandatory: bool = False,
    ) -> None:
        self.name = _bytes(name)
        self.value = _bytes(value)
        self.mandatory = bool(mandatory)

    @property
    def name_len(self) -> int:
        """How many bytes the name has."""
        return len(self.name)

    @property
    def value_len(self) -> int:
        """How many bytes the value has."""
        return len(self.value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PublicKeyAttribute):
            return NotImplemented
        return (self.name, self.value, self.mandatory) == (
            other.name,
            other.value,
            other.mandatory,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"PublicKeyAttribute({self.name!r}, {self.value!r}, "
            f"{self.mandatory})"
        )


class PublicKeyList:
    """A key of the server's list: a copy, which nothing changes."""

    __slots__ = ("__weakref__", "_attrs", "_blob", "_name")

    def __init__(
        self, name: bytes, blob: bytes, attrs: Sequence[PublicKeyAttribute]
    ) -> None:
        self._name, self._blob, self._attrs = name, blob, list(attrs)

    @property
    def name(self) -> bytes:
        """The kind of key."""
        return self._name

    @property
    def name_len(self) -> int:
        """How many bytes the name has."""
        return len(self._name)

    @property
    def blob(self) -> bytes:
        """The public key."""
        return self._blob

    @property
    def blob_len(self) -> int:
        """How many bytes the key has."""
        return len(self._blob)

    @property
    def attrs(self) -> list[PublicKeyAttribute]:
        """What is to be known of the key."""
        return list(self._attrs)

    @property
    def num_attrs(self) -> int:
        """How many attributes there are."""
        return len(self._attrs)

    def __repr__(self) -> str:
        return (
            f"<PublicKeyList {self._name.decode(errors='replace')} "
            f"num_attrs={self.num_attrs}>"
        )


def _part(attr: Any) -> list[bytes]:
    if not isinstance(attr, PublicKeyAttribute):
        raise TypeError(
            f"add: expected PublicKeyAttribute, not {type(attr).__name__}"
        )
    return [attr.name, attr.value, b"1" if attr.mandatory else b""]


@adopt
class PublicKeySystem(Managed, binding.PublicKeySystem):
    """The server's keys, made by Session.publickey_init()."""

    _end = "shutdown"
    _session: Session | None = None

    @property
    def closed(self) -> bool:  # type: ignore[override]
        return super().closed()

    def add(  # type: ignore[override]
        self,
        name: str | _Bytes,
        blob: _Bytes,
        overwrite: bool,
        attrs: Sequence[PublicKeyAttribute],
    ) -> int:
        """Add a key to those that may log in."""
        parts = [part for attr in attrs for part in _part(attr)]
        return super().add(name, blob, overwrite, parts)

    def list_fetch(self) -> list[PublicKeyList] | Any:
        """The keys that may log in."""
        keys = super().list_fetch()
        if not isinstance(keys, list):
            return keys
        return [
            PublicKeyList(
                name, blob, [PublicKeyAttribute(*attr) for attr in attrs]
            )
            for name, blob, attrs in keys
        ]

    def list_free(self, pkey_list: object = None) -> None:
        """Nothing: a list is Python's own."""
