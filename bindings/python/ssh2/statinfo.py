"""What the deprecated Session.scp_recv() tells of a file."""

from .fileinfo import FileInfo


class StatInfo(FileInfo):
    """The same as FileInfo."""
