"""ssh-python, on libssh. Plain loops; its buffer is what `read` takes."""

import os
import socket
from pathlib import Path

import ssh
from ssh import options
from ssh.key import import_privkey_file
from ssh.session import Session

from bench import SERVER, put_each, stat as stat

# What libssh sends at most of one write, whose end it does not tell here.
SIZE = 255 << 10


def about():
    return ssh.__version__


def log_in():
    session = Session()
    sock = socket.create_connection((SERVER.host, SERVER.port))
    session.options_set(options.HOST, SERVER.host)
    session.options_set(options.USER, SERVER.user)
    session.options_set(options.KNOWNHOSTS, SERVER.known_hosts)
    session.options_set_port(SERVER.port)
    session.set_socket(sock)
    session.connect()
    session.userauth_publickey(import_privkey_file(SERVER.key))
    return session, sock


def log_out(session):
    session[0].disconnect()


def sftp(session):
    return session[0].sftp_init()


def download(sftp, remote, local):
    total = 0
    with open(local, "wb", buffering=0) as out:
        file = sftp.open(remote, os.O_RDONLY, 0)
        while True:
            n, data = file.read()
            if n <= 0:
                break
            out.write(data)
            total += n
        file.close()
    return total


def upload(sftp, local, remote):
    total = 0
    with open(local, "rb", buffering=0) as source:
        file = sftp.open(remote, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        while data := source.read(SIZE):
            file.write(data)
            total += len(data)
        file.close()
    return total


def get(sftp, job):
    return download(sftp, job.remote, job.local)


def put(sftp, job):
    return upload(sftp, job.local, job.remote)


def entries(sftp, path):
    folder = sftp.opendir(path)
    while not folder.eof():
        entry = folder.readdir()
        if not entry:
            break
        yield entry
    folder.closedir()


def list(sftp, job):
    return sum(1 for _ in entries(sftp, job.remote))


def tree_get(sftp, job, remote=None, local=None):
    remote, local = remote or job.remote, Path(local or job.local)
    local.mkdir()
    done = 0
    for entry in [*entries(sftp, remote)]:
        name = os.fsdecode(entry.name)
        if name in (".", ".."):
            continue
        if entry.permissions & 0o170000 == 0o040000:
            done += tree_get(sftp, job, f"{remote}/{name}", local / name)
        else:
            download(sftp, f"{remote}/{name}", local / name)
            done += 1
    return done


def tree_put(sftp, job):
    return put_each(sftp, job, upload)


def channel(session, command):
    opened = session[0].channel_new()
    opened.open_session()
    opened.request_exec(command)
    return opened


def execute(session, job):
    done = 0
    for _ in range(job.count):
        run = channel(session, "true")
        while run.read()[0] > 0:
            pass
        run.close()
        done += run.get_exit_status() == 0
    return done


def stream(session, job):
    run, total = channel(session, f"head -c {job.count}M /dev/zero"), 0
    while (n := run.read()[0]) > 0:
        total += n
    run.close()
    return total
