"""Keys that an agent holds."""

from . import binding
from ._handle import Handle, adopt


@adopt
class PublicKey(Handle, binding.PublicKey):
    """A key of an agent, for Agent.userauth()."""

    magic = 0x3BDEFED2

    @property
    def blob(self) -> bytes:  # type: ignore[override]
        return super().blob() or b""

    @property
    def blob_len(self) -> int:
        """How many bytes the key has."""
        return len(self.blob)

    @property
    def comment(self) -> bytes:  # type: ignore[override]
        return super().comment() or b""
