#!/usr/bin/python3
"""A server that lies, at every step of a conversation: sshd/rogue.py's lies.

    hostile.py python|ruby [STEP:LIE...]

Each call gives a value or one of our errors, in its time; what the server did
not prove is not believed; memory stays bounded; the session can be closed, and
the process serves the next one.  The short form has each lie of a kind of its
own, and an eighth of those that are told at every step: SSH2_SEED=n chooses
which.
"""
import collections
import os
import queue
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

import suite
from suite import Again, Died, Error, Ref, Runner, Tally

sys.path.insert(1, str(Path(__file__).resolve().parent.parent / "sshd"))

import liar  # noqa: E402, I001
import rogue  # noqa: E402

SANITIZED = bool(os.environ.get("SSH2_SANITIZE"))
TIMEOUT = 1000 if SANITIZED else 300
PATIENCE = 20000  # for what is true
LATE = 25  # seconds after its deadline that a busy machine may take
AT_ONCE = 8
ROUNDS = 25  # conversations of a process before an honest one
# KiB that a process may have grown by in all, before keys are agreed on and
# later: what the core lets be kept (docs/libssh2.md), and some more.
EARLY_GROWTH, GROWTH = 48 << 10, 320 << 10
PORT = int(os.environ.get("SSH2_ROGUE_PORT", 0))

# What may be said at any time once keys are agreed on, and changes nothing.
HARMLESS = {"slowly"} | {f"{when}_{what}" for when in ("before", "after")
                         for what in ("ignore", "debug", "tell", "global")}


MENDED = "SSH2_TRUE_STATUS" in os.environ  # the source build
# Packets that are not whole blocks: a distribution's libssh2 may assert them;
# and what is no method of key exchange, which it may call (docs/libssh2.md).
ASSERTED = {"unaligned", "length_odd", *rogue.MARKS}
# What it may go through once for each part of it, in one call.
SQUARED = {("extdata", "endless"), ("extdata", "endless_empty_ones"),
           ("openfail", "after_many")}

FILES = [("stat", "x"), ("lstat", "x"), ("unlink", "x"), ("rmdir", "dir"),
         ("symlink", "x", "y"), ("readlink", "x"), ("realpath", "x"),
         ("statvfs", "x")]
CONTENT = liar.content(0, liar.SIZE)
NAMES = {b".", b"..", b"a", b"b", b"again", b"n" * 40000, b"../outside",
         b"/tmp/outside"}
SHORT = {"end"}  # a server may say that here is the end
LISTED = {*liar.LIES} - {"shut"}  # which lists a mode


class Wrong(Exception):
    """What was answered is not right."""


class Late(Wrong):
    """It is, but came late: on a busy machine it is asked for again."""


class Stop(Exception):
    """No further call is of use."""


class Conversation:
    """One session with the rogue."""

    def __init__(self, runner, step, lie, timeout=TIMEOUT):
        self.runner, self.step, self.lie = runner, step, lie
        self.timeout, self.outcomes, self.data = timeout, [], b""
        # What comes after the word of new keys is to be said by them.
        self.patient = False
        self.harmless = lie in ("none", *HARMLESS) and \
            (step, lie[:5]) != ("renewkeys", "after")

    def ask(self, call, *args, on=None, name=None, keys=None):
        start = time.monotonic()
        got = self.runner.ask(call=call, on=on and Ref(var=on),
                              args=list(args), keys=keys or {}, name=name)
        took = time.monotonic() - start
        if call == "handshake" and self.patient:
            took = 0  # it has PATIENCE
        if took > self.timeout / 1000 + LATE and not self.harmless:
            raise Late(f"{call} took {took:.1f} s")
        if isinstance(got, Error):
            if "SSH2Error" not in got.classes:
                raise Wrong(f"{call} raised {got.text}")
            if rogue.SECRET.decode() in got.text:
                raise Wrong(f"{call} tells the secret: {got.text}")
            self.outcomes.append((call, got.classes[0]))
        elif got is Again:
            raise Wrong(f"{call} would block")
        return got

    def do(self, call, *args, on=None, name=None):
        """A call that the rest depends on."""
        got = self.ask(call, *args, on=on, name=name)
        if isinstance(got, Error):
            raise Stop
        return got

    def run(self):
        # What comes too early may not stand for a refusal of a false proof.
        self.patient = self.step not in rogue.EARLY or self.harmless or \
            self.step == "kexreply" and self.lie in rogue.SPECIAL["kexreply"]
        self.do("new", Ref({"class": "Session"}), name="s")
        self.do("set_timeout", PATIENCE if self.patient else self.timeout, on="s")
        self.do("banner_set", f"SSH-2.0-{self.step}:{self.lie}", on="s")
        self.do("socket", PORT, name="sock")
        try:
            self.shake_hands()
            part = {"x11open": self.x11, "openfail": self.direct,
                    "globalok": self.forward, "forwarded": self.forward,
                    "sftpversion": self.sftp, "sftpstatus": self.sftp,
                    "sftp": self.files}
            part.get(self.step, self.command)()
        except Stop:
            pass
        finally:
            first = self.outcomes[0][1] if self.outcomes else "right"
            self.close()
        return first

    def close(self):
        if self.runner.job.poll() is None:
            if len(self.lie) % 2:
                self.ask("disconnect", on="s")
            got = self.ask("close", on="s")
            if isinstance(got, Error):
                raise Wrong(f"close: {got.text}")
            self.runner.ask(end=True)

    def shake_hands(self):
        got = self.ask("handshake", Ref(var="sock"), on="s")
        if not self.harmless:
            self.do("set_timeout", self.timeout, on="s")
        if not isinstance(got, Error):
            if rogue.proves_nothing(self.step, self.lie):
                raise Wrong("shook hands with nobody")
        elif isinstance(self.ask("userauth_password", "user",
                                 rogue.SECRET.decode(), on="s"), Error):
            raise Stop
        else:
            raise Wrong("let in after a handshake that failed")
        if self.step in ("authbanner", "authfail"):
            self.ask("userauth_list", "user", on="s")
        if self.step == "pkok":
            self.do("userauth_publickey_fromfile", "user",
                    os.environ["SSH2_KEY"], on="s")
        elif self.step == "inforequest":
            self.do("userauth_keyboardinteractive", "user",
                    rogue.SECRET.decode(), on="s")
        else:
            self.do("userauth_password", "user", rogue.SECRET.decode(),
                    on="s")

    def listen(self, channel):
        for _ in range(200):
            got = self.ask("read_ex", 30000, on=channel)
            if isinstance(got, Error) and got.classes[0] == "Timeout":
                raise Stop
            if isinstance(got, Error) or not got:
                return
            self.data += got

    def command(self):
        self.do("open_session", on="s", name="c")
        self.do("execute", "go", on="c")
        self.talk("c")
        self.ask("get_exit_status", on="c")
        self.ask("get_exit_signal", on="c")

    def talk(self, channel):
        self.listen(channel)
        for call in ("read_stderr", "wait_eof", "close", "wait_closed"):
            got = self.ask(call, on=channel)
            if isinstance(got, Error) and got.classes[0] == "Timeout":
                raise Stop

    def x11(self):
        self.do("notes", name="note")
        self.ask("callback_set", Ref(const=["LIBSSH2_CALLBACK_X11"]),
                 Ref(var="note"), on="s")
        self.do("open_session", on="s", name="c")
        self.do("x11_req", 0, on="c")
        self.do("execute", "go", on="c")
        self.talk("c")

    def direct(self):
        self.ask("direct_tcpip", "localhost", 9, on="s")
        self.command()

    def forward(self):
        self.do("forward_listen", 0, on="s", name="l")
        self.do("forward_accept", on="l", name="fc")
        self.talk("fc")
        self.ask("forward_cancel", on="l")

    def sftp(self):
        if self.lie == "closed" and MENDED:
            # The close tells it, not the deadline.
            self.do("set_timeout", PATIENCE, on="s")
        self.do("sftp_init", on="s", name="f")
        self.do("stat", "/x", on="f")

    def files(self):
        """Every call of SFTP; what is not answered needs another SFTP."""
        path = f"/{self.lie.replace('_', '-')}/"
        read, flags = Ref(const=["LIBSSH2_FXF_READ"]), 0o644
        write = Ref(const=["LIBSSH2_FXF_WRITE"])
        self.do("sftp_init", on="s", name="f")
        for method, *args in FILES:
            self.of_sftp("f", method, *(path + a for a in args))
        self.of_sftp("f", "mkdir", path + "x", flags)
        self.of_sftp("f", "rename", path + "x", path + "y")
        attributes = self.of_sftp("f", "stat", "/ok/x", name="a")
        if isinstance(attributes, Ref):
            self.of_sftp("f", "setstat", path + "x", Ref(var="a"))
        for mode, methods in ((read, ("read", "fstat", "fstatvfs", "fsync")),
                              (write, ("write", "fsync"))):
            for method in methods:
                if self.made("open", path + "x", mode, flags):
                    self.of_file(method)
                    self.of_sftp("h", "close")
        if self.made("opendir", path + "dir"):
            names = self.of_sftp("h", "names", 500)
            if isinstance(names, list) and self.lie in LISTED and \
                    not set(names) <= NAMES:
                raise Wrong(f"names: {names[:5]}")
            self.of_sftp("h", "close")

        self.transfers(path)

    def transfers(self, path):
        """Many requests at once: what is there in the end is right, or not."""
        with tempfile.TemporaryDirectory(dir=os.environ["SSH2_TMP"]) as tmp:
            here = f"{tmp}/here"
            got = self.of_sftp("f", "get", path + "x", here)
            if os.path.exists(here) == isinstance(got, Error):
                raise Wrong(f"get gave {got}, and left {os.listdir(tmp)}")
            data = b"" if isinstance(got, Error) else Path(here).read_bytes()
            if not CONTENT.startswith(data) or \
                    len(data) not in (0, liar.SIZE):
                raise Wrong(f"got {len(data)} bytes")
            Path(here).write_bytes(b"some words")
            self.of_sftp("f", "put", here, path + "x")
            self.of_sftp("f", "stat_many", [path + "x"] * 3)
            self.of_sftp("f", "list_tree", path + "dir", 500)
            os.mkdir(f"{tmp}/tree")
            self.of_sftp("f", "get_tree", path + "dir", f"{tmp}/tree/in",
                         limit=50)
            self.of_sftp("f", "put_tree", f"{tmp}/tree", path + "dir")
            if left := set(os.listdir(tmp)) - {"here", "tree"}:
                raise Wrong(f"get_tree left {left}")
            if os.path.lexists("/tmp/outside"):
                raise Wrong("get_tree wrote what was named with a slash")

    def of_sftp(self, on, method, *args, name=None, **keys):
        if method == "names":
            got = self.ask(method, Ref(var=on), *args)
        else:
            got = self.ask(method, *args, on=on, name=name, keys=keys)
        if isinstance(got, Error) and got.codes[0] is None:
            self.ask("close", on="f")
            self.do("sftp_init", on="s", name="f")
        return got

    def made(self, method, *args):
        return isinstance(self.of_sftp("f", method, *args, name="h"), Ref)

    def of_file(self, method):
        if method == "write":
            self.of_sftp("h", method, b"some words")
        elif method != "read":
            self.of_sftp("h", method)
        else:
            data, got = b"", True
            while got and not isinstance(got, Error):
                got = self.of_sftp("h", method, 100000)
                data += got if isinstance(got, bytes) else b""
            if not CONTENT.startswith(data):
                raise Wrong(f"read {data[:40]}")
            if got == b"" and data != CONTENT and self.lie not in SHORT:
                raise Wrong(f"an end after {len(data)} bytes")

    def honest(self):
        """Whether all was as if nothing had been said."""
        bad = {"openfail": 1, "sftpstatus": 1, "sftpversion": 1}
        return len(self.outcomes) <= bad.get(self.step, 0) and \
            (self.step in bad or self.data == rogue.TRUTH)


def changes_data(step, lie):
    return step in ("data", "adjust", "extdata") or "data" in lie or \
        lie == "again" or step == "banner"


class Suite:
    def __init__(self, language):
        self.language, self.lock = language, threading.Lock()
        self.tally = Tally(f"hostile {language}")
        self.outcomes, self.lies = collections.Counter(), queue.Queue()
        self.grown = 0

    def serve(self):
        """One process after the other, until no lies are left."""
        runner, rounds = None, 0
        while True:
            try:
                step, lie = self.lies.get_nowait()
            except queue.Empty:
                break
            while not runner:
                runner = self.one(Runner(self.language), "none", "none")
            runner, rounds = self.one(runner, step, lie), rounds + 1
            if runner and rounds % ROUNDS == 0:
                runner = self.one(runner, "none", "none")
        if runner:
            runner = self.one(runner, "none", "none")
        if runner and (failure := runner.end()):
            with self.lock:
                self.tally.crash(failure)

    def one(self, runner, step, lie, tries=3):
        """The runner, unless it is gone."""
        talk, what = Conversation(runner, step, lie), f"{step}:{lie}"
        before = resident(runner)
        try:
            first = talk.run()
            grown = resident(runner) - before
            if talk.harmless and step not in rogue.EARLY and \
                    not talk.honest():
                raise Wrong(f"{talk.outcomes} {talk.data[:60]}")
            if not changes_data(step, lie) and \
                    not rogue.TRUTH.startswith(talk.data):
                raise Wrong(f"read {talk.data[:60]}")
            most = EARLY_GROWTH if step in rogue.EARLY else GROWTH
            if grown > most and not SANITIZED:
                raise Wrong(f"grew by {grown} KiB")
        except Died as error:
            with self.lock:
                self.tally.died(error, what)
            return None
        except Wrong as error:
            late = isinstance(error, Late)
            if late and tries > 1:
                return self.one(runner, step, lie, tries - 1)
            with self.lock:
                note = self.tally.hang if late else self.tally.wrong
                note(f"{what}: {error}")
            runner.job.kill()
            runner.job.wait()
            return None
        with self.lock:
            self.tally.ok()
            self.grown = max(self.grown, grown)
            self.outcomes[kind(lie), first] += 1
            if os.environ.get("SSH2_VERBOSE"):
                print(what, talk.outcomes, grown, flush=True)
        return runner

    def run(self, lies):
        for pair in lies:
            self.lies.put(pair)
        threads = [threading.Thread(target=self.serve)
                   for _ in range(AT_ONCE)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        leaks = Path(os.environ["SSH2_DIR"], "leaks")
        if leaks.exists():
            self.tally.wrong("told the secret to nobody: " +
                             leaks.read_text().replace("\n", " "))
        for (lie, first), count in sorted(self.outcomes.items()):
            print(f"# {lie}: {first}: {count}")
        print(f"# grown by {self.grown} KiB at most")


def kind(lie):
    for start in ("field", "before", "after", "endless", "length"):
        if lie.startswith(start):
            return start
    return lie


def resident(runner):
    """The most memory that the process has had."""
    try:
        text = Path(f"/proc/{runner.job.pid}/status").read_text()
        return int(text.partition("VmHWM:")[2].split()[0])
    except (OSError, IndexError):
        return 0


def main(language, *wanted):
    if not PORT:
        print("1..0 # SKIP the fixture has no rogue: python3-cryptography")
        return 77
    seed = int(os.environ.get("SSH2_SEED", 1))
    own = [*rogue.special(), *(("sftp", lie) for lie in liar.LIES)]
    plain = [*rogue.general(), *rogue.inserted()]
    chance = random.Random(f"{seed} {language} {SANITIZED}")
    if not suite.LONG:
        plain = chance.sample(plain, len(plain) // 8)
    if wanted:
        own, plain = [tuple(w.split(":")) for w in wanted], []
    lies = own + plain
    if not MENDED:
        asserted = [lie for lie in lies if lie[1] in ASSERTED]
        print(f"# skipped: {len(asserted)} packets that are not whole blocks, "
              "or name no method: some libssh2 end the process at them")
        squared = [lie for lie in lies if lie in SQUARED]
        print(f"# skipped: {len(squared)} floods of small packets: some "
              "libssh2 need minutes for them")
        lies = [lie for lie in lies if lie not in asserted + squared]
    chance.shuffle(lies)
    print(f"# seed {seed}", flush=True)
    work = Suite(language)
    work.run(lies)
    return work.tally.end()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
