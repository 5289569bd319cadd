#!/usr/bin/python3
"""Memory and descriptors stay what they are, however often a thing is done.

    leaks.py python|ruby [NAME...]

Each thing is done over and over by a runner whose heap is one and gives back
what is free.  The memory it has is looked at in even steps, garbage collected;
the straight line through what was seen, without the warm-up, must not climb by
more than a bound from end to end.
"""
import os
import sys
import tempfile
import time
from pathlib import Path

from held import Held, in_use, leaked, rss, steady
from suite import LONG, Died, Error, Ref, Runner, Tally

SAMPLES = 30
# What may be climbed, in bytes, by the memory that a process has, and by what
# of it is in use: that shows at once what else fills gaps first.
BOUND = 1 << 20
BOUND_IN_USE = BOUND if LONG else 160 << 10


class Wrong(Exception):
    """A call gave what it must not give."""


class Loop:
    """What is done over and over; `once` does it, after `begin`."""

    def __init__(self, runner, folder):
        self.runner, self.tmp = runner, folder
        self.round = 0

    def ask(self, call, on=None, *args, name=None):
        args = [Ref(var=a[1:]) if isinstance(a, str) and a[:1] == "%" else a
                for a in args]
        return self.runner.ask(call=call, on=Ref(var=on) if on else None,
                               args=args, keys={}, name=name)

    def do(self, call, on=None, *args, name=None):
        got = self.ask(call, on, *args, name=name)
        if isinstance(got, Error):
            raise Wrong(f"{call}: {got.text}")
        return got

    def fails(self, wanted, call, on=None, *args):
        got = self.ask(call, on, *args)
        if not isinstance(got, Error) or wanted not in got.classes:
            raise Wrong(f"{call}: no {wanted}: {got}")

    def begin(self):
        self.do("connect", name="s")
        self.do("sftp_init", "s", name="f")
        self.path = f"{self.tmp}/file"
        Path(self.path).write_bytes(bytes(10000))


class Connect(Loop):
    """connect, exec, close"""
    count, short = 10000, 70

    def begin(self):
        pass

    def once(self):
        self.do("connect", name="s")
        self.do("open_session", "s", name="c")
        self.do("execute", "c", "echo hello; echo oops >&2; exit 3")
        if self.do("read", "c", 99) != b"hello\n":
            raise Wrong("another answer")
        self.do("read_stderr", "c", 99)
        self.do("close", "c")
        self.do("wait_closed", "c")
        if self.do("get_exit_status", "c") != 3:
            raise Wrong("another exit status")
        self.do("disconnect", "s")
        self.do("close", "s")
        self.runner.ask(end=True)


class Dropped(Loop):
    """connect, and drop a session with all that is open on it"""
    count, short = 2000, 30

    def begin(self):
        self.path = f"{self.tmp}/file"
        Path(self.path).write_bytes(bytes(10000))

    def once(self):
        self.do("connect", name="s")
        self.do("sftp_init", "s", name="f")
        self.do("open", "f", self.path, 1, 0, name="h")
        self.do("read", "h", 5000)
        self.do("opendir", "f", str(self.tmp), name="d")
        self.do("open_session", "s", name="c")
        self.do("execute", "c", "cat /dev/zero")
        self.do("read", "c", 9999)
        self.do("knownhost_init", "s", name="k")
        self.do("readfile", "k", os.environ["SSH2_KNOWN_HOSTS"], 1)
        self.do("agent_init", "s", name="a")
        self.do("connect", "a")
        self.do("get_identities", "a", name="i")
        self.do("forward_listen_ex", "s", 4, "127.0.0.1", 0, name="l")
        self.runner.ask(end=True)


class Refused(Loop):
    """connections and logins that fail, callbacks that raise"""
    count, short = 2000, 30

    def begin(self):
        key = Path(os.environ["SSH2_KEYS"], "ecdsa.pub").read_text().split()[1]
        import base64
        self.blob = base64.b64decode(key)

    def once(self):
        user, keys = os.environ["SSH2_USER"], os.environ["SSH2_KEYS"]
        self.do("raises", name="r")
        self.do("new", None, Ref({"class": "Session"}), name="n")
        self.do("socket", None, int(os.environ["SSH2_CLOSER_PORT"]), name="k")
        self.fails("SSH2Error", "handshake", "n", "%k")
        self.do("shake", name="s")
        self.fails("SSH2Error", "userauth_publickey_fromfile", "s", user,
                   f"{keys}/unknown")
        self.fails("SSH2Error", "userauth_publickey_fromfile", "s", user,
                   f"{keys}/locked", "wrong")
        self.fails("SSH2Error", "userauth_password", "s", user, "wrong")
        self.fails("KeyError", "userauth_publickey", "s", user, self.blob,
                   "%r")
        self.fails("SSH2Error", "open_session", "s")
        self.fails("SSH2Error", "verify", "s", "127.0.0.1",
                   int(os.environ["SSH2_PORT"]),
                   os.environ["SSH2_KNOWN_HOSTS_WRONG"])
        self.runner.ask(end=True)


class Stat(Loop):
    """stat"""
    count, short = 100000, 5000

    def once(self):
        self.do("stat", "f", self.path)


class Fail(Loop):
    """stat of what is not there, and wrong types"""
    count, short = 20000, 400

    def once(self):
        self.fails("SFTPNoSuchFileError", "stat", "f", f"{self.path}-")
        self.fails("TypeError", "stat", "f", [1])
        self.fails("ValueError", "stat", "f", "a\0b")


class Files(Loop):
    """write, read and list, by handles that are closed or dropped"""
    count, short = 10000, 120

    def once(self):
        path, self.round = f"{self.tmp}/other", self.round + 1
        self.do("open", "f", path, 2 | 8 | 16, 0o644, name="h")
        self.do("write", "h", bytes(40000))
        self.do("close", "h")
        self.do("open", "f", path, 1, 0, name="h")
        self.do("read", "h", 30000)
        self.do("fstat", "h")
        if self.round % 2:
            self.do("close", "h")
        self.do("opendir", "f", str(self.tmp), name="d")
        self.do("names", None, "%d")
        self.do("realpath", "f", ".")
        self.do("rename", "f", path, f"{path}2")
        self.do("unlink", "f", f"{path}2")


class Streams(Loop):
    """channels that are read, written, closed or dropped"""
    count, short = 5000, 60

    def once(self):
        self.round += 1
        self.do("open_session", "s", name="c")
        self.do("setenv", "c", "SSH2_TEST_A", "b")
        self.do("execute", "c", "cat")
        self.do("write", "c", bytes(20000))
        got = 0
        while got < 20000:
            got += len(self.do("read", "c", 30000))
        if self.round % 2:
            self.do("close", "c")
        else:
            self.runner.ask(drop="c")
        self.do("direct_tcpip", "s", "127.0.0.1",
                int(os.environ["SSH2_ECHO_PORT"]), name="t")
        self.do("write", "t", b"hello")
        self.do("read", "t", 9)
        self.do("close", "t")


class Transfers(Loop):
    """files and trees, got and put, and transfers that fail"""
    count, short = 5000, 60

    def begin(self):
        super().begin()
        self.tree = Path(self.tmp, "tree")
        (self.tree / "sub").mkdir(parents=True)
        for name in ("one", "two", "sub/three"):
            (self.tree / name).write_bytes(bytes(20000))

    def once(self):
        there, here = f"{self.tmp}/there", f"{self.tmp}/here"
        self.do("put", "f", self.path, there)
        self.do("get", "f", there, here)
        self.do("put_tree", "f", str(self.tree), f"{self.tmp}/a")
        self.do("get_tree", "f", f"{self.tmp}/a", f"{self.tmp}/b")
        self.do("list_tree", "f", f"{self.tmp}/a")
        self.do("stat_many", "f", [there, f"{there}-"])
        self.fails("SFTPNoSuchFileError", "get", "f", f"{there}-", here)
        self.fails("SSH2Error", "put", "f", self.path, f"{self.tmp}/-/x")
        self.fails("SSH2Error", "get", "f", there, "/dev/full")
        self.do("open_session", "s", name="c")
        self.do("execute", "c", "echo hello")
        self.do("read_all", "c")
        self.do("close", "c")


class Settings(Loop):
    """callbacks, known hosts and lists, without a packet"""
    count, short = 20000, 400

    def once(self):
        self.do("notes", name="n")
        # LIBSSH2_CALLBACK_DEBUG and _IGNORE
        self.do("callback_set", "s", 1, "%n")
        self.do("callback_set", "s", 0, "%n")
        self.do("supported_algs", "s", 0)
        self.do("methods", "s", 0)
        self.do("hostkey", "s")
        self.do("knownhost_init", "s", name="k")
        self.do("addc", "k", "host", b"QUFBQQ==",
                1 | 2 << 16 | 2 << 18, name="e")
        self.fails("SSH2Error", "check", "k", "other", b"QUFBQQ==",
                   1 | 2 << 16 | 2 << 18)
        self.fails("SSH2Error", "readline", "k", "host ssh-rsa")
        self.do("writeline", "k", "%e")


LOOPS = [Connect, Dropped, Refused, Stat, Fail, Files, Streams, Transfers,
         Settings]


def climb(seen):
    """How far the line of least squares through them climbs."""
    middle, mean = (len(seen) - 1) / 2, sum(seen) / len(seen)
    slope = sum((i - middle) * (y - mean) for i, y in enumerate(seen)) / \
        sum((i - middle) ** 2 for i in range(len(seen)))
    return slope * (len(seen) - 1)


def watch(language, loop):
    """Do it so often: (times, bytes climbed, in use), or Wrong."""
    runner = Runner(language)
    pid = runner.job.pid
    with tempfile.TemporaryDirectory(dir=os.environ["SSH2_TMP"]) as folder:
        loop = loop(runner, folder)
        loop.begin()
        count = loop.count if LONG else loop.short
        step, seen, used = max(count // SAMPLES, 1), [], []
        warm = min(max(count // 4, 20), 1000)
        for i in range(1, warm + count + 1):
            loop.once()
            if i == warm:
                runner.ask(drop="nothing")
                before = Held(pid)
            elif i > warm and not (i - warm) % step:
                runner.ask(drop="nothing")  # garbage is collected
                seen.append(rss(pid))
                loop.do("heap", None, f"{folder}/heap")
                used.append(in_use(f"{folder}/heap"))
        if Held(pid).more_than(before):
            raise Wrong(f"{before} before, {Held(pid)} after")
        runner.ask(end=True)
        if left := leaked(pid):
            raise Wrong(f"{left} blocks left behind by sessions")
    if why := runner.end():
        raise Wrong(why)
    for grown, most in (climb(seen), BOUND), (climb(used), BOUND_IN_USE):
        if grown > most:
            raise Wrong(f"grew by {grown:.0f} bytes over {count} times: "
                        f"{seen}, {used}")
    return count, climb(seen), climb(used)


def main(language, *names):
    steady()
    os.environ["PYTHONMALLOC"] = "malloc"
    tally = Tally(f"leaks {language}")
    known = {one.__name__: one for one in LOOPS}
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"leaks.py: no {', '.join(unknown)}; there are "
                 f"{', '.join(known)}")
    loops = [known[name] for name in names or known]
    print(f"1..{len(loops)}", flush=True)
    for number, loop in enumerate(loops, 1):
        label, start = f"ok {number} - {loop.__doc__}", time.monotonic()
        try:
            count, grown, used = watch(language, loop)
        except Died as why:
            tally.died(why, loop.__name__)
            print(f"not {label}", flush=True)
        except Wrong as why:
            tally.wrong(f"{loop.__name__}: {why}")
            print(f"not {label}", flush=True)
        else:
            tally.ok(count)
            print(f"{label}\n# {count} times: {grown / 1024:+.1f} KiB, "
                  f"{used / 1024:+.1f} in use, {BOUND_IN_USE // count} bytes "
                  f"each would be seen; "
                  f"{time.monotonic() - start:.1f} s", flush=True)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
