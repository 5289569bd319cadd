#!/usr/bin/python3
"""A conversation over a line that fails, at one point after the other.

    faults.py python|ruby [MODE WAY AT]...

A proxy of ours (proxy.py) cuts, holds up or cuts small what client and sshd
say, from byte AT of one WAY on.  Wherever that is, each call must end in time
in what is right or in an error that names it, and leave nothing behind.
"""
import hashlib
import os
import queue
import random
import re
import shutil
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from held import Held, leaked, rss, steady
from proxy import Fault, Proxy
from suite import LONG, Died, Error, Ref, Runner, Tally

# Of a call, in ms: it is an error only on a line that stalls, and else must not
# be reached, however busy the machine is.
STALLED, TIMEOUT = 4000, 20000
LATE = 3.0  # how much later an answer may be, on a busy machine
WORKERS = 8
GROWTH = 1 << 20

# What must make no difference; all else is an end, sooner or later.
SLOW = ("none", "delay", "split", "single", "coalesce", "throttle")
# points a short form has of each mode and way, and how many times as many a
# long one has
POINTS = {"fin": 36, "end": 16, "rst": 36, "stall": 14, "delay": 10,
          "split": 12, "throttle": 3, "coalesce": 3}
MORE = 10

OUT = bytes(i * i >> 3 & 255 for i in range(5000))
IN = bytes(i * 7 & 255 for i in range(1500))
FILE = bytes(i * i >> 5 & 255 for i in range(9000))

# What an error's message calls a method; else libssh2_..._METHOD.
# The end of a file that SCP brings is the end of what asked for it.
NAMED = {"handshake": "libssh2_session_handshake",
         "read": r"libssh2_\w*read|scp_recv2",
         "verify": "libssh2_(session_hostkey|knownhost_)",
         "read_stderr": "libssh2_channel_read_ex",
         "execute": "libssh2_channel_process_startup",
         "readdir": "libssh2_sftp_readdir", "opendir": "libssh2_sftp_open",
         "stat": "libssh2_sftp_stat", "open": "libssh2_sftp_open",
         "send_eof": "libssh2_channel_send_eof",
         "open_session": "libssh2_channel_open_ex",
         "direct_tcpip": "libssh2_channel_direct_tcpip",
         "forward_accept": "libssh2_channel_forward_accept",
         "forward_listen_ex": "libssh2_channel_forward_listen",
         "forward_cancel": "libssh2_channel_forward_cancel",
         "disconnect": "libssh2_session_disconnect",
         "scp_send64": "scp_send64: ", "scp_recv2": "scp_recv2: ",
         "wait_eof": "libssh2_channel_wait_eof|scp_send64: ",
         **{name: f"{name}: " for name in
            ("get", "put", "get_tree", "put_tree", "stat_many", "read_all")}}


class Over(Exception):
    """A call failed as it may."""


class Wrong(Exception):
    """A call gave what it must not give."""


class Talk:
    """The conversation, by one runner, over a line with a fault."""

    def __init__(self, runner, port, link, folder):
        self.runner, self.port, self.link = runner, port, link
        self.fault = link.fault
        self.timeout = STALLED if self.fault.mode == "stall" else TIMEOUT
        self.tmp = Path(tempfile.mkdtemp(dir=folder))
        self.dir = self.tmp / "far"
        self.dir.mkdir()
        self.near = self.tmp / "near"
        (self.near / "tree" / "sub").mkdir(parents=True)
        for name in ("one", "tree/f0", "tree/f1", "tree/sub/f2"):
            (self.near / name).write_bytes(FILE)
        self.last, self.calls, self.running = None, 0, False

    def ask(self, call, on=None, *args, name=None):
        args = [Ref(var=a[1:]) if isinstance(a, str) and a[:1] == "%" else a
                for a in args]
        self.last = call
        self.calls += 1
        start = time.monotonic()
        got = self.runner.ask(call=call, on=Ref(var=on) if on else None,
                              args=args, keys={}, name=name)
        took = time.monotonic() - start
        if on and took > self.timeout / 1000 + LATE:
            raise Wrong(f"took {took:.1f} s: a hang")
        return got

    def do(self, call, on=None, *args, name=None):
        """The result of a call, which may fail as a call may."""
        got = self.ask(call, on, *args, name=name)
        if isinstance(got, Error):
            named = NAMED.get(call, rf"libssh2_\w*{call}")
            if "SSH2Error" not in got.classes:
                raise Wrong("is no error of ours: " + brief(got))
            if not re.search(named, got.text):
                raise Wrong("an error that does not name it: " + brief(got))
            if self.fault.mode in SLOW:
                raise Wrong("failed: " + brief(got))
            late = "Timeout" in got.classes
            if late != (self.fault.mode == "stall"):
                raise Wrong("not the error of such a line: " + brief(got))
            raise Over
        return got

    def same(self, got, want, what):
        if got != want:
            if isinstance(got, bytes):
                got = f"{len(got)} bytes, {digest(got)}"
                want = f"{len(want)} bytes, {digest(want)}"
            raise Wrong(f"{what}: {got} instead of {want}")

    def write(self, on, data, *stream):
        self.same(self.do("write", on, *stream, data), len(data), "written")

    def read(self, on, call="read"):
        """All there is, to the end that is told."""
        whole = b""
        while got := self.do(call, on, 4096):
            whole += got
        return whole

    # --- its parts ---

    def parts(self):
        yield self.greet
        yield self.command
        yield self.files
        yield self.transfers
        yield self.copies
        yield self.tunnels
        yield self.bye

    def greet(self):
        self.ask("new", None, Ref({"class": "Session"}), name="s")
        self.ask("set_timeout", "s", self.timeout)
        self.ask("socket", None, self.port, name="k")
        self.do("handshake", "s", "%k")
        self.link.shaken = self.link.passed()
        self.do("verify", "s", "127.0.0.1", int(os.environ["SSH2_PORT"]),
                os.environ["SSH2_KNOWN_HOSTS"])
        self.do("userauth_publickey_fromfile", "s", os.environ["SSH2_USER"],
                os.environ["SSH2_KEY"])

    def command(self):
        (self.dir / "out").write_bytes(OUT)
        self.do("open_session", "s", name="c")
        self.running = True
        self.do("execute", "c", f"cat >&2 && cat {self.dir}/out")
        self.write("c", IN)
        self.do("send_eof", "c")
        self.same(self.read("c", "read_stderr"), IN, "error output")
        self.same(self.read("c"), OUT, "output")
        self.running = False
        self.do("close", "c")
        self.do("wait_closed", "c")
        self.same(self.do("get_exit_status", "c"), 0, "exit status")
        (self.dir / "out").unlink()

    def files(self):
        a, b, c = (f"{self.dir}/{name}" for name in "abc")
        self.do("sftp_init", "s", name="f")
        self.do("open", "f", a, 2 | 8 | 16, 0o644, name="h")
        self.write("h", FILE)
        self.do("fsync", "h")
        self.same(Path(a).read_bytes(), FILE, "the file after fsync")
        self.do("close", "h")
        self.do("stat", "f", a, name="t")
        self.same(self.ask("filesize", "t"), len(FILE), "size")
        self.do("open", "f", a, 2 | 8 | 16, 0o644, name="h")
        self.write("h", FILE[::-1])
        self.do("close", "h")
        self.same(Path(a).read_bytes(), FILE[::-1], "the file after close")
        self.do("open", "f", a, 1, 0, name="h")
        self.same(self.read("h"), FILE[::-1], "the file that is read")
        self.do("close", "h")
        self.do("rename", "f", a, b)
        self.same((os.path.exists(a), Path(b).read_bytes()),
                  (False, FILE[::-1]), "what was renamed")
        Path(c).touch()
        self.do("opendir", "f", str(self.dir), name="d")
        names = self.ask("names", None, "%d")
        if isinstance(names, Error):
            self.last = "readdir"
            if "libssh2_sftp_readdir" not in names.text or \
                    self.fault.mode in SLOW:
                raise Wrong(brief(names))
            raise Over
        self.same([Ref.get(n, "bytes") if isinstance(n, Ref) else n
                   for n in names], [b".", b"..", b"b", b"c"], "names")
        self.do("close", "d")
        self.do("unlink", "f", b)

    def transfers(self):
        near, far = self.near, self.dir
        self.do("put", "f", f"{near}/one", f"{far}/one")
        self.same((far / "one").read_bytes(), FILE, "what was put")
        self.do("get", "f", f"{far}/one", f"{near}/two")
        self.same((near / "two").read_bytes(), FILE, "what was got")
        self.do("put_tree", "f", f"{near}/tree", f"{far}/tree")
        self.do("get_tree", "f", f"{far}/tree", f"{near}/back")
        for folder in (far / "tree", near / "back"):
            self.same({p.name: p.read_bytes() for p in folder.rglob("f*")},
                      {name: FILE for name in ("f0", "f1", "f2")}, "a tree")
        self.do("stat_many", "f", [f"{far}/one", f"{far}/nowhere"])

    def whole(self):
        """What has a file's own name is the file."""
        for folder in (self.near, self.dir):
            for path in folder.rglob("*"):
                if path.is_file() and path.suffix != ".part" and \
                        path.name in ("one", "two", "f0", "f1", "f2"):
                    self.same(path.read_bytes(), FILE, f"{path} is there")
        self.same([p.name for p in self.near.rglob("*.part")], [],
                  "left behind")

    def copies(self):
        path = f"{self.dir}/scp"
        self.do("scp_send64", "s", path, 0o644, len(FILE), 0, 0, name="c")
        self.write("c", FILE)
        self.do("wait_eof", "c")
        self.same(Path(path).read_bytes(), FILE, "what was sent by SCP")
        self.do("close", "c")
        pair = self.do("scp_recv2", "s", path, name="p")
        self.ask("item", None, "%p", 0, name="c")
        self.same(len(pair), 2, "a channel and what it carries")
        self.same(self.read("c"), FILE, "what came by SCP")
        self.do("close", "c")

    def tunnels(self):
        self.do("direct_tcpip", "s", "127.0.0.1",
                int(os.environ["SSH2_ECHO_PORT"]), name="c")
        self.write("c", IN)
        self.do("send_eof", "c")
        self.same(self.read("c"), IN, "echo")
        self.do("close", "c")
        made = self.do("forward_listen_ex", "s", 4, "127.0.0.1", 0, name="l")
        self.ask("item", None, "%l", 0, name="l")
        try:
            with socket.create_connection(("127.0.0.1", made[1]), 2) as sock:
                sock.settimeout(5)
                sock.sendall(IN)
                sock.shutdown(socket.SHUT_WR)
                self.do("forward_accept", "l", name="c")
                self.same(self.read("c"), IN, "what came to the port")
                self.do("close", "c")
        except OSError:
            if self.fault.mode in SLOW:
                raise
            self.do("forward_accept", "l", name="c")
        self.do("forward_cancel", "l")

    def bye(self):
        self.do("disconnect", "s")

    def after(self):
        """A line that is gone is gone for all; local work goes on."""
        if self.fault.mode != "stall":
            if self.running and self.ask("get_exit_status", "c") == 0:
                raise Wrong("success of a command that was cut off")
            got = self.ask("open_session", "s")
            if not isinstance(got, Error):
                raise Wrong("succeeds after all is over")

    def local(self):
        """A file of ours is whole whatever the line does."""
        path = self.tmp / "known_hosts"
        path.write_text("old ssh-ed25519 QUFBQQ==\n")
        got = self.ask("knownhost_init", "s", name="kh")
        if isinstance(got, Error):
            return
        steps = [self.ask("readfile", "kh", os.environ["SSH2_KNOWN_HOSTS"], 1),
                 self.ask("writefile", "kh", str(path), 1)]
        self.same([type(s) for s in steps if isinstance(s, Error)], [],
                  "known hosts")
        # A line for each name of each of the fixture's.
        names = Path(os.environ["SSH2_KNOWN_HOSTS"]).read_text()
        self.same(path.read_text().count("\n"),
                  names.count(",") + names.count("\n"),
                  "lines of known hosts")
        self.same({p.name for p in self.tmp.iterdir()},
                  {"far", "near", "known_hosts"}, "files")

    def run(self):
        """How many parts it got through."""
        done = 0
        try:
            for part in self.parts():
                part()
                done += 1
        except Over:
            self.after()
        self.local()
        self.ask("close", "s")
        self.whole()
        return done


def brief(error):
    """Its line of a trace, which ends or begins with it."""
    lines = error.text.strip().split("\n")
    return lines[-1 if lines[0].startswith("Traceback") else 0]


def digest(data):
    return hashlib.sha256(data).hexdigest()[:12]


class Worker(threading.Thread):
    """Takes points from a queue, with a runner and a proxy of its own."""

    def __init__(self, suite):
        super().__init__(daemon=True)
        self.suite, self.runner, self.growth = suite, None, []
        self.proxy = Proxy(int(os.environ["SSH2_PORT"]))

    def begin(self):
        self.runner = Runner(self.suite.language)
        self.samples = []
        for _ in range(3):  # what is loaded and made once only
            self.one(Fault())
        self.before = Held(self.runner.job.pid)

    def run(self):
        suite = self.suite
        while True:
            try:
                fault = suite.points.get_nowait()
            except queue.Empty:
                break
            try:
                if not self.runner:
                    self.begin()
                self.one(fault)
                suite.good(fault)
            except Died as why:
                self.runner = None
                suite.bad("died", fault, why)
            except Exception as why:
                suite.bad("wrong", fault, repr(why))
        self.finish()

    def one(self, fault):
        link = self.proxy.link(fault)
        talk = Talk(self.runner, self.proxy.at, link, self.suite.folder)
        try:
            done = talk.run()
            if fault.mode in SLOW and done < 7:
                raise Wrong("not all was done")
            self.suite.calls += talk.calls
            if fault.mode not in SLOW and not link.struck and done < 7:
                raise Wrong("failed before its time")
        except (Wrong, Died, OSError) as why:
            text = f"{talk.last}: {why}"
            if fault == Fault():
                text = f"without a fault: {text}"
            raise type(why)(text) from None
        finally:
            if self.runner.job.poll() is None:
                self.runner.ask(end=True)
            link.close()
            shutil.rmtree(talk.tmp, ignore_errors=True)
        self.last = link
        self.look(fault)

    def look(self, fault):
        pid = self.runner.job.pid
        self.samples.append(rss(pid))
        for _ in range(40):
            now = Held(pid)
            if not hasattr(self, "before") or not now.more_than(self.before):
                return
            time.sleep(0.05)
        before, self.before = self.before, now
        raise Wrong(f"left behind: {now}, before: {before}")

    def finish(self):
        if not self.runner:
            return
        pid = self.runner.job.pid
        self.left = leaked(pid)
        if why := self.runner.end():
            self.suite.bad("wrong", "the end", why)


class Suite:
    def __init__(self, language):
        self.language, self.tally = language, Tally(f"faults {language}")
        self.folder = tempfile.mkdtemp(dir=os.environ["SSH2_TMP"])
        self.lock, self.points, self.calls = threading.Lock(), queue.Queue(), 0
        self.done, self.failed = {}, {}

    def good(self, fault):
        with self.lock:
            self.tally.ok()
            kind = f"{fault.mode} {fault.way}"
            self.done[kind] = self.done.get(kind, 0) + 1

    def bad(self, how, fault, why):
        with self.lock:
            if how == "died":
                self.tally.died(why, fault)
            elif "a hang" in str(why):
                self.tally.hang(f"{fault}: {why}")
            else:
                self.tally.wrong(f"{fault}: {why}")
            if isinstance(fault, Fault):
                kind = f"{fault.mode} {fault.way}"
                self.failed[kind] = self.failed.get(kind, 0) + 1

    def plan(self, lengths, reads):
        """All the points: evenly over the bytes, and about the packets."""
        rng = random.Random(1)
        for mode, count in POINTS.items():
            if LONG and mode not in ("throttle", "coalesce"):
                count *= MORE
            for way, length in lengths.items():
                if mode in ("throttle", "coalesce"):
                    yield from (Fault(mode, way, i * length // count)
                                for i in range(count))
                    continue
                about = {r + d for r in reads[way] for d in (-1, 0, 1)}
                places = rng.sample(sorted(about),
                                    min(len(about), count // 2))
                rest = count - len(places)
                places += [(2 * i + 1) * length // (2 * rest)
                           for i in range(rest)]
                yield from (Fault(mode, way, at) for at in places
                            if 0 <= at < length)
        for mode in ("single", "coalesce", "throttle"):
            yield Fault(mode, "both", 0)

    def record(self):
        """How long the conversation is each way, and where it pauses."""
        worker = Worker(self)
        worker.begin()
        link = worker.last
        worker.finish()
        return link.passed(), {line.way: line.reads for line in link.lines}, \
            link.shaken

    def run(self, faults):
        lengths, reads, shake = self.record()
        print(f"# the conversation is {lengths['up']} bytes up and "
              f"{lengths['down']} down, in {len(reads['up'])} and "
              f"{len(reads['down'])} reads", flush=True)
        faults = faults or list(self.plan(lengths, reads))
        if LONG:  # every byte of the handshake
            faults += [Fault(mode, way, at) for way in lengths
                       for mode in ("fin", "rst") for at in range(shake[way])]
        random.Random(2).shuffle(faults)
        for fault in faults:
            self.points.put(fault)
        workers = [Worker(self) for _ in range(min(WORKERS, len(faults)))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.report(workers)
        return self.tally.end()

    def report(self, workers):
        for worker in workers:
            # What is free within the heap comes to rest after a while.
            tail = worker.samples[len(worker.samples) // 3:] \
                if worker.runner else []
            if len(tail) > 10:
                grown = max(tail[-5:]) - max(tail[:5])
                print(f"# {len(tail)} points: {grown // 1024:+d} KiB")
                if grown > GROWTH:
                    self.tally.wrong(f"memory grew by {grown} bytes over "
                                     f"{len(tail)} points")
        left = [w.left for w in workers if w.runner]
        kinds = sorted({*self.done, *self.failed})
        print(f"1..{len(kinds) + 1}")
        for n, kind in enumerate(kinds, 1):
            good = self.done.get(kind, 0)
            bad = self.failed.get(kind, 0)
            print(f"{'not ' if bad else ''}ok {n} - {kind}: "
                  f"{good + bad} points")
        last = f"ok {len(kinds) + 1} - the core's count of blocks left is 0"
        if None in left:
            print(last + " # SKIP its symbol is stripped")
        elif any(left):
            print("not " + last)
            self.tally.wrong(f"{left} blocks left behind by sessions")
        else:
            print(last)
        print(f"# {self.calls} calls")


def main(language, *words):
    steady()
    faults = [Fault(words[i], words[i + 1], int(words[i + 2]))
              for i in range(0, len(words), 3)]
    return Suite(language).run(faults)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
