"""The loops of loop.c in Python, and what a trivial call costs.

    loop.py get|put|exec|call COUNT PATH [CIPHER]
"""

import json
import os
import sys
import time

from ssh2.session import (
    LIBSSH2_METHOD_CRYPT_CS,
    LIBSSH2_METHOD_CRYPT_SC,
    Session,
)
from ssh2.sftp import (
    LIBSSH2_FXF_CREAT,
    LIBSSH2_FXF_READ,
    LIBSSH2_FXF_TRUNC,
    LIBSSH2_FXF_WRITE,
)

MIB = 1 << 20
ENV = os.environ


def log_in(cipher):
    session = Session()
    if cipher:
        session.method_pref(LIBSSH2_METHOD_CRYPT_CS, cipher)
        session.method_pref(LIBSSH2_METHOD_CRYPT_SC, cipher)
    session.connect(
        ENV["SSH2_HOST"],
        int(ENV["SSH2_PORT"]),
        known_hosts=ENV["SSH2_KNOWN_HOSTS"],
    )
    session.userauth_publickey_fromfile(ENV["SSH2_USER"], ENV["SSH2_KEY"])
    return session


def measured(work, *arguments):
    wall, cpu = time.monotonic(), time.process_time()
    work(*arguments)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    return {"wall": wall, "cpu": cpu}


def get(file, count):
    total = 0
    while True:
        size, _ = file.read(MIB)
        if not size:
            break
        total += size
    file.close()
    if total != count * MIB:
        sys.exit(f"{total} bytes came, not {count} MiB")


def put(file, count):
    data = bytes(MIB)
    for _ in range(count):
        file.write(data)
    file.close()


def execute(session, count):
    for _ in range(count):
        channel = session.open_session()
        channel.execute("true")
        while channel.read(MIB)[0]:
            pass
        channel.close()
        channel.wait_closed()
        if channel.get_exit_status():
            sys.exit("true failed")


def nanoseconds(method, count):
    """What a call costs, the loop around it included."""
    begun = time.process_time()
    for _ in range(count):
        method()
    return (time.process_time() - begun) / count * 1e9


def calls(count):
    session, text = Session(), "text"
    pairs = [
        (
            nanoseconds(session.get_timeout, count),
            nanoseconds(text.isascii, count),
        )
        for _ in range(10)
    ]
    ours, builtin = map(min, zip(*pairs, strict=True))
    return {"ours": ours, "builtin": builtin}


def main(work, count, path, cipher=None):
    count = int(count)
    if work == "call":
        return calls(count)
    session = log_in(cipher)
    if work == "exec":
        return measured(execute, session, count)
    sftp = session.sftp_init()
    if work == "get":
        return measured(get, sftp.open(path, LIBSSH2_FXF_READ, 0), count)
    flags = LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC
    return measured(put, sftp.open(path, flags, 0o600), count)


print(json.dumps(main(*sys.argv[1:])))
