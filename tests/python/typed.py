"""A program as a user writes it, to be checked by mypy --strict alone.

Where a call may answer that it would block, a program that blocks needs no
cast; the lines marked as errors must be such.
"""
import socket
from pathlib import Path
from typing import Final

from ssh2 import libssh2_revision, set_wait
from ssh2.channel import Channel
from ssh2.constants import SSH_DISCONNECT_BY_APPLICATION
from ssh2.error_codes import LIBSSH2_ERROR_EAGAIN
from ssh2.exceptions import SFTPNoSuchFileError, SSH2Error, Timeout
from ssh2.knownhost import KnownHostEntry
from ssh2.session import (
    LIBSSH2_HOSTKEY_HASH_SHA256,
    LIBSSH2_METHOD_KEX,
    Session,
)
from ssh2.sftp import LIBSSH2_FXF_CREAT, LIBSSH2_FXF_READ, LIBSSH2_FXF_WRITE
from ssh2.utils import version, wait_socket

KEY: Final = Path("id_ed25519")


def log_in(host: str, user: str) -> Session:
    session = Session()
    session.set_timeout(10000.0)
    session.connect(host, timeout=5000)
    session.userauth_publickey_fromfile(user, KEY, passphrase="")
    assert session.userauth_authenticated()
    fingerprint: bytes = session.hostkey_hash(LIBSSH2_HOSTKEY_HASH_SHA256)
    key, kind = session.hostkey()
    print(fingerprint.hex(), len(key), kind + 1, session.get_timeout())
    method = session.methods(LIBSSH2_METHOD_KEX)
    print(method.upper())  # type: ignore[union-attr]
    return session


def run(session: Session, command: str) -> tuple[int, bytes]:
    output = b""
    with session.open_session() as channel:
        channel.execute(command)
        while True:
            size, data = channel.read(size=4096)
            if not size:
                break
            output += data
        channel.send_eof()
    channel.wait_closed()
    return channel.get_exit_status(), output


def ask(channel: Channel) -> None:
    channel.setenv("LANG", 1)  # type: ignore[arg-type]
    channel.red()  # type: ignore[attr-defined]
    rc, written = channel.write("text")
    if rc == LIBSSH2_ERROR_EAGAIN:
        print(written + 1)


def copy(session: Session, path: Path) -> int:
    sftp = session.sftp_init()
    mode: int = sftp.stat(path).permissions
    with sftp.open(path, LIBSSH2_FXF_READ, 0) as source:
        data = b"".join(part for _, part in source)
    flags = LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT
    with sftp.open(f"{path}.copy", flags, mode) as to:
        to.write(data)
    for size, name, attributes in sftp.opendir(b"/").readdir():
        print(size, name.decode(), attributes.filesize)
    real: str = sftp.realpath(".")
    return len(real)


def known(session: Session) -> list[KnownHostEntry]:
    hosts = session.knownhost_init()
    hosts.readfile(Path.home() / ".ssh" / "known_hosts")
    return [entry for entry in hosts.get() if entry.name]


def main() -> None:
    print(version(), libssh2_revision())
    set_wait(None)
    sock = socket.create_connection(("localhost", 22))
    session = Session()
    try:
        session.handshake(sock)
        session.set_blocking(False)
        while session.userauth_password("me", "x") == LIBSSH2_ERROR_EAGAIN:
            wait_socket(sock, session)
        copy(session, Path("a"))
    except SFTPNoSuchFileError as error:
        print(error.path, error.sftp_status, error.errno, error.filename)
    except Timeout as error:
        print(error.code + 1, error.done + 1, error.func)
    except SSH2Error as error:
        print(error.text or error.name)
    session.disconnect(reason=SSH_DISCONNECT_BY_APPLICATION)
    print(run(log_in("localhost", "me"), "id")[1].decode())
