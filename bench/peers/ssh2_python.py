"""ssh2-python, and whatever has its surface: ours.

Plain loops, as its users write them. A buffer whose size is not given is what
`read` takes by default; a file is sent in pieces of that size as well.
"""

import os
import socket
from pathlib import Path

import ssh2
from ssh2.session import Session
from ssh2.sftp import (
    LIBSSH2_FXF_CREAT,
    LIBSSH2_FXF_READ,
    LIBSSH2_FXF_TRUNC,
    LIBSSH2_FXF_WRITE,
    LIBSSH2_SFTP_S_IFDIR,
)
from ssh2.utils import version

from bench import MIB, SERVER, put_each, stat as stat

NEW = LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC
DEFAULT = 2 * MIB  # SFTPHandle.read's
SOCKETS = []


def about():
    return f"{ssh2.__version__}, libssh2 {os.fsdecode(version())}"


def log_in():
    session = Session()
    sock = socket.create_connection((SERVER.host, SERVER.port))
    session.handshake(sock)
    session.userauth_publickey_fromfile(SERVER.user, SERVER.key)
    SOCKETS.append(sock)
    return session


def log_out(session):
    session.disconnect()
    SOCKETS.pop().close()


def sftp(session):
    return session.sftp_init()


def download(sftp, remote, local, size=None):
    total, sizes = 0, [size] if size else []
    with open(local, "wb", buffering=0) as out:
        file = sftp.open(remote, LIBSSH2_FXF_READ, 0)
        while True:
            n, data = file.read(*sizes)
            if not n:
                break
            out.write(data)
            total += n
        file.close()
    return total


def upload(sftp, local, remote, size=None):
    total = 0
    with open(local, "rb", buffering=0) as source:
        file = sftp.open(remote, NEW, 0o644)
        while data := source.read(size or DEFAULT):
            file.write(data)
            total += len(data)
        file.close()
    return total


def get(sftp, job):
    return download(sftp, job.remote, job.local, job.size)


def put(sftp, job):
    return upload(sftp, job.local, job.remote, job.size)


def names(sftp, path):
    """(name, is it a folder) of what a folder holds."""
    folder = sftp.opendir(path)
    while True:
        answer = folder.readdir()
        if not isinstance(answer, tuple):  # a generator of theirs
            for _, name, attributes in answer:
                yield name, attributes.permissions & LIBSSH2_SFTP_S_IFDIR
            break
        _, name, attributes = answer
        if not name:
            break
        yield name, attributes.permissions & LIBSSH2_SFTP_S_IFDIR
    folder.close()


def list(sftp, job):
    return sum(1 for _ in names(sftp, job.remote))


def tree_get(sftp, job, remote=None, local=None):
    remote, local = remote or job.remote, Path(local or job.local)
    local.mkdir()
    done = 0
    for name, folder in [*names(sftp, remote)]:
        name = os.fsdecode(name)
        if name in (".", ".."):
            continue
        if folder:
            done += tree_get(sftp, job, f"{remote}/{name}", local / name)
        else:
            download(sftp, f"{remote}/{name}", local / name)
            done += 1
    return done


def tree_put(sftp, job):
    return put_each(sftp, job, upload)


def execute(session, job):
    done = 0
    for _ in range(job.count):
        channel = session.open_session()
        channel.execute("true")
        while channel.read()[0]:
            pass
        channel.close()
        channel.wait_closed()
        done += channel.get_exit_status() == 0
    return done


def stream(session, job):
    total, sizes = 0, [job.size] if job.size else []
    channel = session.open_session()
    channel.execute(f"head -c {job.count}M /dev/zero")
    while n := channel.read(*sizes)[0]:
        total += n
    channel.close()
    return total


def scp(session, job):
    channel, info = session.scp_recv2(job.remote)
    total = 0
    with open(job.local, "wb", buffering=0) as out:
        while total < info.st_size:
            n, data = channel.read(min(MIB, info.st_size - total))
            if not n:
                break
            out.write(data)
            total += n
    channel.close()
    return total
