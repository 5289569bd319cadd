"""Random calls on random objects: none may end the process or hang it.

    crash.py python|ruby [SEED [COUNT]]

A round makes a few sessions and what comes from them, alive, closed, orphaned
and cut off, calls what the classes offer with good and with absurd arguments,
and forgets all.  Each call gives a value or an error that is documented.  A
round depends on its seed alone, which is told where it fails.
"""
import os
import random
import re
import shutil
import socket
import sys
import time
from collections import Counter
from pathlib import Path

from suite import LONG, Died, Error, Ref, Runner, Tally

ROOT = Path(__file__).resolve().parent.parent.parent
SANITIZED = bool(os.environ.get("SSH2_SANITIZE"))
COUNT = (100_000 if LONG else 10_000) // (3 if SANITIZED else 1)
ROUND = 250  # calls in a round
PATIENCE = 5  # milliseconds that a call may wait
CLASSES = ["Session", "Channel", "SFTP", "SFTPHandle", "SFTPAttributes",
           "SFTPStatVFS", "FileInfo", "Listener", "KnownHost",
           "KnownHostEntry", "Agent", "PublicKey", "PublicKeySystem",
           "PublicKeyList", "PublicKeyAttribute"]
RECORDS = ["Session", "SFTPAttributes", "SFTPStatVFS", "FileInfo",
           "PublicKeyList", "PublicKeyAttribute"]
# What a call may say beside ssh2's own errors: that it was not to be made.
REFUSALS = {"TypeError", "ValueError", "OverflowError", "AttributeError",
            "MemoryError", "NoMemoryError", "BufferError"}
# From the callbacks of the runner: `raises`, and `answers` out of answers.
OWN = ("from the callback", "pop from empty list")
NEVER = {"this", "set_wait"}  # SWIG's, and what all later calls wait by
# Of these a runner that holds no object has none, but what it keeps.
LEFT = ("socket:", "pipe:", "anon_inode:")
WAITERS = 4
SOCKETS = {"socket", "TCPSocket"}
NUMBERS = [0, 1, 2, 3, 5, 7, 22, 255, 1024, 4096, 32769, 65536, 100_000, -1,
           -37, -2**31, -2**63, 2**16, 2**31 - 1, 2**31, 2**32, 2**62,
           2**63, 2**64, 2**200, 0o644, 0o755]
TEXTS = ["", "a", "x\0y", "ä" * 9, "y" * 5000, ".", "none/at/all", "127.0.0.1",
         "cat", "echo hello", "seq 2000", "echo no >&2; exit 3", "sleep 9",
         "kate", "TERM", "sftp", "publickey", "ssh-rsa,ssh-ed25519", "%s%n",
         "SSH2_TEST_X"]
BYTES = [b"", b"\0", b"\xff\xfe", b"z" * 70_000, b"ssh-ed25519", bytes(40)]


def var(name):
    return Ref(var=name)


class Signatures:
    """The parameters that the core's headers have for a method."""

    def __init__(self):
        build = Path(os.environ["SSH2_BUILD"])
        text = "".join(path.read_text() for path in (
            ROOT / "core" / "s2.h", build / "gen" / "s2_derived.h"))
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        self.known = {}
        for kind, name, given in re.findall(
                r"\bs2_([a-z]+)_(\w+)\(([^;{}]*?)\);", text):
            self.known.setdefault(name, []).append(self.parameters(given))
            self.known.setdefault(f"{kind}_{name}", self.known[name])

    def parameters(self, text):
        """(type, name), without the object, lengths, and what comes out."""
        found = []
        for part in text.split(",")[1:]:
            kind, name = re.match(r"(.*?)(\w*)$", part.strip()).groups()
            out = "**" in kind.replace(" ", "") or (
                "*" in kind and "const" not in kind and "ctx" not in name and
                re.search(r"int|size|buf|list|value|bool|long", kind))
            after = found and "char *" in found[-1][0] and "len" in name
            if not out and not after and name != "ctx":
                found.append((kind.strip(), name))
        return found

    def of(self, rng, name):
        return rng.choice(self.known.get(name) or [[]])


class Round:
    """One process' worth of objects, called in an order of one seed."""

    ends = Counter()  # of all rounds' calls

    def __init__(self, runner, tally, seed, language):
        self.rng = random.Random(seed)
        self.runner, self.tally, self.seed = runner, tally, seed
        self.language, self.log = language, []
        self.held, self.number = {}, 0  # variable -> class
        self.sessions, self.slow = set(), set()
        self.folder = os.environ["SSH2_TMP"]
        # Copies: what is called may write and remove.
        self.key, self.hosts = (
            shutil.copy(os.environ[name], f"{self.folder}/{name}")
            for name in ("SSH2_KEY", "SSH2_KNOWN_HOSTS"))

    # --- asking

    def ask(self, call, on=None, args=(), keys=None, keep=True):
        """Make a call; what it gave is held by a variable of its own."""
        name = None
        if keep:
            self.number += 1
            name = f"v{self.number}"
        on_name = list(on.values())[0] if on else ""
        line = f"{name} = {self.held.get(on_name, on_name)} " \
               f"{on_name}.{call} {str(list(args))[:300]} {keys or ''}"
        self.log.append(line)
        got = self.runner.ask(call=call, on=on, args=list(args),
                              keys=keys or {}, name=name)
        self.judge(call, got)
        if keep:
            self.hold(name, got)
        return got

    def hold(self, name, got):
        if isinstance(got, Ref):
            self.held[name] = got["is"]
        elif isinstance(got, list) and \
                any(isinstance(item, Ref) for item in got):
            for index, item in enumerate(got[:4]):
                if isinstance(item, Ref):
                    self.ask("item", args=[var(name), index])
            self.runner.ask(drop=name)
        else:
            return
        if self.held.get(name) == "Session":
            self.sessions.add(name)

    def made(self, *wanted):
        """The variable that the last call's result went to, if it is one."""
        found = [name for name, kind in self.held.items() if kind in wanted]
        return found[-1] if found else None

    # --- the world

    def grow(self):
        """Sessions in several states, and one of each of their kin."""
        rng, env = self.rng, os.environ
        self.ask("new", args=[Ref({"class": "Session"})])
        ports = [env["SSH2_PORT"], env["SSH2_LIAR_PORT"]]
        ports += [p for p in [env.get("SSH2_ASYNCSSH_PORT")] if p]
        self.ask("shake", args=[int(rng.choice(ports))])
        self.ask("connect", args=[int(rng.choice(ports[:2] * 2 + [ports[0]]))])
        whole = self.made("Session")
        self.patient(2000)
        if whole:
            for _ in range(rng.randrange(8, 16)):
                self.more()
        self.patient(PATIENCE)
        self.callbacks()

    def patient(self, ms):
        for name in self.sessions:
            self.ask("set_timeout", var(name), [ms], keep=False)

    def callbacks(self):
        rounds = [[], [["a"]], [["a", "b", "c"]], [None], [5], [[None]],
                  [[["x"]]], ["text"], [b"bytes"], [[b"\0"]], [[], 1, None]]
        sessions = sorted(self.sessions)
        for verb, args in (
                ("notes", []), ("raises", []),
                ("answers", self.rng.choice(rounds)),
                ("answers", self.rng.choice(rounds) * 3),
                ("intrudes", [var(self.rng.choice(sessions))])):
            got = self.ask(verb, args=args)
            if isinstance(got, Ref):
                self.held[f"v{self.number}"] = "callback"

    def more(self):
        """A call that is known to be good, on the newest that can take it."""
        env, rng = os.environ, self.rng
        file = f"{self.folder}/{rng.choice('abc')}"
        kin, call, args = rng.choice([
            ("Session", "open_session", []), ("Session", "sftp_init", []),
            ("Session", "knownhost_init", []), ("Session", "agent_init", []),
            ("Session", "publickey_init", []),
            ("Session", "forward_listen_ex", [1, "127.0.0.1", 0]),
            ("Session", "scp_recv2", [self.key]),
            ("Session", "scp_send64", [file, 0o600, 5, 0, 0]),
            ("Session", "direct_tcpip",
             ["127.0.0.1", int(env["SSH2_ECHO_PORT"])]),
            ("Channel", "execute", [rng.choice(TEXTS[8:13])]),
            ("Channel", "pty", []), ("Channel", "shell", []),
            ("SFTP", "opendir", ["."]), ("SFTP", "stat", ["."]),
            ("SFTP", "put", [self.key, file]), ("SFTP", "get", [file, file]),
            ("SFTP", "statvfs", ["."]), ("SFTP", "get_channel", []),
            ("SFTP", "open", [file, rng.choice([26, 27, 1, 2]), 0o600]),
            ("KnownHost", "readfile", [self.hosts]),
            ("KnownHost", "get", []), ("Agent", "connect", []),
            ("Agent", "list_identities", []),
            ("Agent", "get_identities", []),
            ("PublicKeySystem", "list_fetch", [])])
        if on := self.made(kin):
            self.ask(call, var(on), args)

    # --- arguments

    def argument(self, kind, name):
        rng = self.rng
        roll = rng.random()
        if roll < 0.25:
            return self.odd()
        if "char" in kind or "path" in name:
            return self.text(name)
        if "bool" in kind:
            return rng.random() < 0.5
        if re.search(r"int|long|size|double", kind):
            return rng.choice(NUMBERS[:13] if roll < 0.8 else NUMBERS)
        wanted = {"s2_attrs": "SFTPAttributes", "s2_entry": "KnownHostEntry",
                  "s2_identity": "PublicKey"}
        for part, cls in wanted.items():
            if part in kind and self.made(cls):
                return var(self.made(cls))
        if "value" in kind:
            return [var(n) for n, c in self.held.items() if "Key" in c][:3]
        if "(" in kind or "fn" in kind or "callback" in name:
            return self.object("callback")
        return self.odd()

    def text(self, name):
        rng, env = self.rng, os.environ
        file = f"{self.folder}/{rng.choice('abcd')}"
        if "path" in name or "file" in name:
            return rng.choice([file, file, self.key, ".", self.hosts,
                               *TEXTS[:7]])
        if "user" in name:
            return rng.choice([env["SSH2_USER"], "kate", "olga", *TEXTS[:5]])
        return rng.choice([*TEXTS, *BYTES, file])

    def odd(self):
        rng = self.rng
        kind = rng.randrange(9)
        if kind == 0:
            return None
        if kind == 1:
            return rng.choice(NUMBERS)
        if kind == 2:
            return rng.choice([1.5, -0.0, 1e300, True, False])
        if kind == 3:
            return rng.choice(TEXTS)
        if kind == 4:
            return rng.choice(BYTES)
        if kind == 5:
            return [self.odd() for _ in range(rng.randrange(4))]
        if kind == 6:
            return Ref({"class": rng.choice(CLASSES)})
        return self.object("callback" if kind == 7 else None)

    def object(self, kind):
        names = [n for n, c in self.held.items() if kind in (None, c)]
        return var(self.rng.choice(names)) if names else None

    # --- one call

    def steer(self, cls, call, args):
        """Away from what waits for ever, and from others' files and ports."""
        if call in ("handshake", "startup", "sock=") and args and \
                isinstance(args[0], int):
            args[0] = self.rng.choice([-1, 99_999, 2**40])
        elif call == "connect" and cls == "Session":
            if args and isinstance(args[0], str | bytes):
                args[0] = self.rng.choice(["127.0.0.1", "", "x\0y"])
            args[2:3] = [PATIENCE]
        elif call.startswith("forward_listen"):
            args[:] = [self.rng.choice([0, -1, 70_000, 2**32])
                       if isinstance(arg, int) else arg for arg in args]
        elif call == "pump" or cls == "SFTP" and re.match(
                "(get|put|list_tree|stat_many)", call):
            args[:] = [self.steered(arg) for arg in args]
        elif call == "wait":
            args[:1] = [0.01]
        elif call == "closing":
            args[:1] = [None]
        return args

    def steered(self, arg):
        """Away from all descriptors, and from folders that are not ours."""
        file = f"{self.folder}/{self.rng.choice('abcd')}"
        if isinstance(arg, list):
            return [self.steered(item) for item in arg]
        if isinstance(arg, int) and not isinstance(arg, bool):
            return self.rng.choice([-1, 99_999, 2**40])
        if isinstance(arg, str | bytes):
            return self.rng.choice([file, file, file.encode(), f"{file}\0",
                                    f"{file}/none", self.key])
        return arg

    def any_call(self, offers):
        rng = self.rng
        if rng.random() < 0.02:
            cls, on, names = "SSH2", Ref({"class": "SSH2"}), offers["SSH2"]
        else:
            # As often an object of a rare class as one of a common one.
            kinds = sorted({c for c in self.held.values() if offers.get(c)})
            cls = rng.choice(kinds)
            on = self.object(cls)
            names = offers[cls]
        call = rng.choice(names)
        wanted = SIGNATURES.of(rng, call)
        args = [self.argument(*one) for one in wanted]
        keys, roll = {}, rng.random()
        if roll < 0.1:
            args.append(self.odd())
        elif roll < 0.2:
            args = [self.odd() for _ in range(rng.randrange(6))]
        elif roll < 0.3:
            del args[rng.randrange(len(args) + 1):]
        elif roll < 0.4 and wanted:
            at = rng.randrange(len(wanted))
            keys = {name: value for (_, name), value in
                    list(zip(wanted, args))[at:]}
            args = args[:at]
        elif roll < 0.42:
            keys = {"nonsense": self.odd()}
        args = self.steer(cls, call, args)
        if keys and self.steer(cls, call, list(keys.values())) != \
                list(keys.values()):
            keys = {}
        self.ask(call, on, args, keys)
        if "timeout" in call:
            self.patient(PATIENCE)

    def judge(self, call, got):
        if not isinstance(got, Error):
            self.ends["values"] += 1
        elif "SSH2Error" in got.classes:
            self.ends["errors"] += 1
        elif REFUSALS & set(got.classes) or \
                any(own in got.text for own in OWN):
            self.ends["refusals"] += 1
        else:
            self.ends["wrong"] += 1
            self.tally.wrong(f"{call} gave {got.classes[0]}: "
                             f"{got.text.strip()[-400:]}; {self.again()}")
            return
        self.tally.ok()

    def again(self):
        return f"again: crash.py {self.language} {self.seed} {ROUND}, " \
               f"last: {self.log[-1]}"

    def step(self, offers):
        rng = self.rng
        roll = rng.random()
        if roll < 0.03 and len(self.held) > 12:
            name = rng.choice(list(self.held))
            del self.held[name]
            self.sessions.discard(name)
            self.log.append(f"drop {name}")
            self.runner.ask(drop=name)
        elif roll < 0.04 and (name := self.made(*SOCKETS)):
            self.ask("close", var(name), keep=False)
        elif roll < 0.08:
            self.more()
        elif roll < 0.1:
            cls = rng.choice(RECORDS)
            self.ask("new", args=[Ref({"class": cls}), *(
                self.odd() for _ in range(rng.choice([0, 0, 2, 3])))])
            self.patient(PATIENCE)
        elif roll < 0.105:
            self.ask("socket")
        elif roll < 0.108:
            self.log.append("the server is stopped or killed")
            self.control(rng.choice(["stop", "kill", "cont"]))
        else:
            self.any_call(offers)

    def whole(self, offers):
        self.grow()
        whole = self.tally.tried + ROUND
        while self.tally.tried < whole:
            self.step(offers)
        self.control("cont")
        self.runner.ask(end=True)

    def control(self, verb):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(os.environ["SSH2_CONTROL"])
            sock.sendall(verb.encode() + b"\n")
            sock.recv(64)


def offered(runner):
    """What each class offers, and the module."""
    offers = {}
    for cls in [*CLASSES, None]:
        names = runner.ask(call="functions", on=None, keys={}, name=None,
                           args=[Ref({"class": cls})] if cls else [])
        offers[cls or "SSH2"] = [name for name in names if name not in NEVER]
    return offers


def left(runner):
    """The descriptors and the threads that the runner has, when all is gone."""
    proc = Path(f"/proc/{runner.job.pid}")
    for _ in range(100):
        # What the last call left on a stack is found dead by another one.
        runner.ask(call="functions", on=None, keys={}, name=None, args=[])
        runner.ask(end=True)
        files, tasks = (sorted(os.readlink(f"{proc}/fd/{n.name}")
                               if kind == "fd" else "a thread"
                               for n in (proc / kind).iterdir())
                        for kind in ("fd", "task"))
        # The core keeps a pipe, both its ends, for each call that ever waited
        # beside others: one from a callback, or from a thread of a pump.
        kept = [name for name in files if files.count(name) == 2 and
                name.startswith("pipe:")][:2 * WAITERS]
        found = [name for name in files if name.startswith(LEFT) and
                 name not in kept] + tasks[1:]
        if not found:
            break
        time.sleep(0.1)
    return found


def begin(language):
    """A runner that has had a session, what it offers, and what it keeps."""
    runner = Runner(language)
    runner.ask(call="connect", on=None, keys={}, name=None, args=[])
    return runner, offered(runner), left(runner)


def finish(runner, before, tally, what, another):
    """Nothing is left of what a runner had but what it keeps.

    Ruby takes an old word on a stack for a reference, until other calls
    overwrite it: what is there is looked for again after another round.
    """
    found = left(runner)
    for _ in range(3):
        if len(found) <= len(before):
            break
        another()
        found = [name for name in left(runner) if name in found]
    if len(found) > len(before):
        tally.wrong(f"left behind: {', '.join(found)}; {what}")
    if failure := runner.end():
        tally.crash(f"{failure}; {what}")


def main(language, seed=1, count=COUNT):
    tally = Tally(f"crash {language}")
    for name in ("PYTHONPATH", "RUBYLIB", "SSH2_BUILD"):
        if name in os.environ:
            os.environ[name] = os.path.abspath(os.environ[name])
    os.chdir(os.environ["SSH2_TMP"])  # local files go there
    shown = os.dup(2)
    said = open("said", "w+")  # noqa: SIM115
    os.dup2(said.fileno(), 2)  # the runner's: told where it dies
    try:
        rounds(tally, language, int(seed), -(-int(count) // ROUND), said)
    finally:
        os.dup2(shown, 2)
    print("# " + ", ".join(f"{n} {end}" for end, n in Round.ends.items()))
    return tally.end()


def rounds(tally, language, seed, count, said):
    runner, offers, before = begin(language)
    for at in range(seed, seed + count):
        now = Round(runner, tally, at, language)
        said.truncate(0)
        try:
            now.whole(offers)
        except Died as error:
            tally.died(error, now.again())
            tail = Path("said").read_text(errors="replace").split("\n")[-90:]
            print("\n".join(f"#   {line}" for line in now.log[-12:] + tail))
            now.control("cont")
            runner, offers, before = begin(language)
        if "ResourceWarning" in Path("said").read_text(errors="replace"):
            tally.wrong(f"a ResourceWarning; {now.again()}")
    finish(runner, before, tally,
           f"again: crash.py {language} {seed} {count * ROUND}",
           lambda: Round(runner, tally, seed, language).whole(offers))


SIGNATURES = Signatures()
if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
