"""Run a command and move a tree of files, there and back.

    PYTHONPATH=build/python tests/sshd/fixture.py -- python3 examples/demo.py

starts a server and tells where it is by SSH2_* in the environment.
"""

import hashlib
import os
import sys
import time
from functools import partial
from pathlib import Path

import ssh2
from ssh2.exceptions import KnownHostCheckMisMatchError
from ssh2.session import Session

ENV = os.environ
HOST, PORT = ENV["SSH2_HOST"], int(ENV["SSH2_PORT"])
TREE = Path(__file__).resolve().parent.parent / "tests"
REMOTE = Path(ENV["SSH2_TMP"], "there-python")
BACK = Path(ENV["SSH2_TMP"], "back-python")

rows = []


def step(what, begun, size=None):
    seconds = time.monotonic() - begun
    rows.append((what, "" if size is None else f"{size:,}", f"{seconds:.3f}"))


def progress(word, done, total):
    if sys.stdout.isatty():
        bar = "#" * (30 * done // total)
        print(f"\r  {word:8} [{bar:30}] {done:,} bytes", end="", flush=True)


def checksums(top):
    return {
        path.relative_to(top).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in top.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def refuse_a_wrong_key():
    try:
        Session().connect(HOST, PORT, known_hosts=ENV["SSH2_KNOWN_HOSTS_WRONG"])
    except KnownHostCheckMisMatchError as err:
        print(f"  a wrong host key is refused: {err}")
    else:
        sys.exit("a wrong host key was accepted")


def run(session, command):
    """What a command writes to both streams, and its exit status."""
    channel = session.open_session()
    channel.execute(command)
    out, err = channel.read_all()
    channel.close()
    return out, err, channel.get_exit_status()


def main():
    print(f"Python {sys.version.split()[0]}, ssh2 {ssh2.__version__}")
    refuse_a_wrong_key()

    begun = time.monotonic()
    session = Session()
    session.connect(HOST, PORT, known_hosts=ENV["SSH2_KNOWN_HOSTS"])
    step("connect, host key verified", begun)

    begun = time.monotonic()
    session.userauth_publickey_fromfile(ENV["SSH2_USER"], ENV["SSH2_KEY"])
    step("authenticate, ed25519", begun)

    begun = time.monotonic()
    out, err, status = run(session, "echo out; echo err >&2; exit 3")
    assert (out, err, status) == (b"out\n", b"err\n", 3), (out, err, status)
    step("a command: two streams, exit 3", begun)

    sums = checksums(TREE)
    with session.sftp_init() as sftp:
        begun = time.monotonic()
        moved = sftp.put_tree(
            TREE, REMOTE, progress=partial(progress, "upload")
        )
        step(f"upload {moved.files} files", begun, moved.bytes)

        begun = time.monotonic()
        moved = sftp.get_tree(
            REMOTE, BACK, progress=partial(progress, "download")
        )
        step(f"download {moved.files} files", begun, moved.bytes)

    begun = time.monotonic()
    assert checksums(BACK) == sums, "what came back differs"
    step("compare SHA-256 checksums", begun, moved.bytes)
    session.disconnect()

    print()
    print(f"  {'':32} {'bytes':>12} {'seconds':>9}")
    for what, amount, seconds in rows:
        print(f"  {what:32} {amount:>12} {seconds:>9}")


main()
