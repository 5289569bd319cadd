"""Run a command and move a tree of files, there and back.

    tests/sshd/fixture.py -- examples/demo.py

starts a server and tells where it is by SSH2_* in the environment.
"""

import hashlib
import os
import sys
import time
from pathlib import Path, PurePosixPath

import ssh2
from ssh2.exceptions import KnownHostCheckMisMatchError
from ssh2.session import Session
from ssh2.sftp import (
    LIBSSH2_FXF_CREAT,
    LIBSSH2_FXF_READ,
    LIBSSH2_FXF_TRUNC,
    LIBSSH2_FXF_WRITE,
)

ENV = os.environ
HOST, PORT = ENV["SSH2_HOST"], int(ENV["SSH2_PORT"])
TREE = Path(__file__).resolve().parent.parent
REMOTE = PurePosixPath(ENV["SSH2_TMP"], "there-python")
BACK = Path(ENV["SSH2_TMP"], "back-python")
CHUNK = 1 << 20

rows = []


def step(what, begun, size=None):
    seconds = time.monotonic() - begun
    rows.append((what, "" if size is None else f"{size:,}", f"{seconds:.3f}"))


def progress(word, done, total):
    if sys.stdout.isatty():
        bar = "#" * (30 * done // total)
        end = "\n" if done == total else "\r"
        print(f"  {word:8} [{bar:30}] {100 * done // total:3} %", end=end)


def files(top):
    """The files below a folder, but those that are built or git's."""
    for folder, folders, names in os.walk(top):
        folders[:] = sorted(set(folders) - {".git", "build", "__pycache__"})
        yield from (Path(folder, name) for name in sorted(names))


def checksums(top):
    return {
        path.relative_to(top).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in files(top)
        if not path.is_symlink()
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
    out, err = b"", b""
    for read in (channel.read, channel.read_stderr):
        size, data = read()
        while size:
            if read == channel.read:
                out += data
            else:
                err += data
            size, data = read()
    channel.close()
    return out, err, channel.get_exit_status()


def upload(sftp, names):
    total, done, made = sum((TREE / n).stat().st_size for n in names), 0, set()
    for name in names:
        for folder in reversed(PurePosixPath(name).parents):
            if folder not in made:
                sftp.mkdir(REMOTE / folder, 0o755)
                made.add(folder)
        flags = LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC
        with (
            sftp.open(REMOTE / name, flags, 0o644) as remote,
            open(TREE / name, "rb") as local,
        ):
            while data := local.read(CHUNK):
                done += remote.write(data)[1]
                progress("upload", done, total)
    return done


def download(sftp, names, total):
    done = 0
    for name in names:
        (BACK / name).parent.mkdir(parents=True, exist_ok=True)
        with (
            sftp.open(REMOTE / name, LIBSSH2_FXF_READ, 0) as remote,
            open(BACK / name, "wb") as local,
        ):
            while data := remote.read(CHUNK)[1]:
                done += local.write(data)
                progress("download", done, total)
    return done


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
        size = upload(sftp, list(sums))
        step(f"upload {len(sums)} files", begun, size)

        begun = time.monotonic()
        size = download(sftp, list(sums), size)
        step(f"download {len(sums)} files", begun, size)

    begun = time.monotonic()
    assert checksums(BACK) == sums, "what came back differs"
    step("compare SHA-256 checksums", begun, size)
    session.disconnect()

    print(f"  {'':32} {'bytes':>12} {'seconds':>9}")
    for what, amount, seconds in rows:
        print(f"  {what:32} {amount:>12} {seconds:>9}")


main()
