"""Every class of error, and what an error tells."""
from typing import Any

class SSH2Error(Exception):
    code: int  # LIBSSH2_ERROR_*, 0 for none
    name: str | None  # of the code, or of the SFTP status
    func: str | None  # the function of libssh2, or the method
    text: str | None  # what happened
    path: str | None  # the file, host or name it is about
    sftp_status: int  # LIBSSH2_FX_*, or 0
    errno: Any  # int or None; OSError has it too
    done: int  # bytes written before it

class TakenError(SSH2Error): ...
class KnownError(SSH2Error): ...
class BygoneError(TakenError): ...
class SFTPProtocolError(SSH2Error): ...
class SFTPKnownError(SFTPProtocolError, FileNotFoundError): ...

__all__ = [
    "SSH2Error",
    "TakenError",
    "KnownError",
    "BygoneError",
    "SFTPProtocolError",
    "SFTPKnownError",
]
