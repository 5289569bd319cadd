"""paramiko: its getfo/putfo behind get and put, with its own prefetching."""

import os
import stat as modes
from pathlib import Path

import paramiko

from bench import SERVER, stat as stat


def about():
    return paramiko.__version__


def log_in():
    client = paramiko.SSHClient()
    client.load_host_keys(SERVER.known_hosts)
    client.connect(SERVER.host, SERVER.port, SERVER.user,
                   key_filename=SERVER.key, allow_agent=False,
                   look_for_keys=False)
    return client


def log_out(client):
    client.close()


def sftp(client):
    return client.open_sftp()


def get(sftp, job):
    sftp.get(job.remote, job.local)


def put(sftp, job):
    sftp.put(job.local, job.remote)


def list(sftp, job):
    return len(sftp.listdir_attr(job.remote))


def tree_get(sftp, job, remote=None, local=None):
    remote, local = remote or job.remote, Path(local or job.local)
    local.mkdir()
    for entry in sftp.listdir_attr(remote):
        path = f"{remote}/{entry.filename}"
        if modes.S_ISDIR(entry.st_mode):
            tree_get(sftp, job, path, local / entry.filename)
        else:
            sftp.get(path, str(local / entry.filename))


def tree_put(sftp, job):
    for folder, _, files in os.walk(job.local):
        path = os.path.normpath(
            os.path.join(job.remote, os.path.relpath(folder, job.local)))
        sftp.mkdir(path)
        for name in files:
            sftp.put(os.path.join(folder, name), f"{path}/{name}")


def execute(client, job):
    done = 0
    for _ in range(job.count):
        _, out, _ = client.exec_command("true")
        out.read()
        done += out.channel.recv_exit_status() == 0
    return done


def stream(client, job):
    _, out, _ = client.exec_command(f"head -c {job.count}M /dev/zero")
    total = 0
    while data := out.channel.recv(1 << 20):
        total += len(data)
    return total
