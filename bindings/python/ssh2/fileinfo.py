"""What SCP tells of a file."""

from . import binding
from ._handle import Handle, adopt


@adopt
class FileInfo(Handle, binding.FileInfo):
    """A file's size, permissions and times; all else is 0."""
