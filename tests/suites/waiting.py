#!/usr/bin/python3
"""Nothing hangs: every call that can wait, made on a server that is stopped.

    waiting.py python|ruby [GROUP...]

waiting.calls has the calls.  Each is made in every mode that its language has:
its deadline holds, SIGINT and all else that ends a thread's or a fibre's wait
is honoured, others go on meanwhile, and once the server goes on the session is
of use.  What the ledger says can wait, or a class offers, and is not there,
fails.
"""
import os
import queue
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from fnmatch import fnmatchcase as fnmatch
from pathlib import Path

import suite
from conformance import HERE, STANDS_FOR, TOKEN, Case, Verbs
from suite import Again, Died, Error, Failed, Ref, Runner

CLASSES = {"s": "Session", "ch": "Channel", "err": "Stderr", "sftp": "SFTP",
           "f": "SFTPHandle", "d": "SFTPHandle", "l": "Listener",
           "a": "Agent", "pk": "PublicKeySystem", "Session": "Session"}
MODES = {"python": ["again", "deadline", "interrupt", "hook", "greenlet"],
         "ruby": ["again", "deadline", "interrupt", "timeout", "kill", "raise",
                  "fiber"]}
SHORT, LONG, GUARD = 0.15, 0.6, 20  # seconds: to wait, and to wait at most
BOUND = {"deadline": 1.0}  # seconds late: ten times the aim
OTHERS = 2.0
LATE, STILL = "too late", "others stand still"
WORDS = {"python", "ruby", "lasts", "once", "blocks", "beside"}
WORKS = ["w = {0}.open_session", 'w.execute "echo fine"',
         'w.read 9 -> b"fine\\n"']


class Group:
    def __init__(self, name):
        self.name, self.before, self.then, self.calls = name, [], None, []


def groups():
    """The groups of waiting.calls; a call is a line number and its words."""
    found, part, never = [], None, set()
    lines = Path(__file__).with_suffix(".calls").read_text().split("\n")
    for number, line in enumerate(lines, 1):
        word, _, rest = line.strip().partition(" ")
        if word == "group":
            found.append(Group(rest.strip()))
            part = found[-1].before
        elif word == "then":
            part = found[-1].then = []
        elif word == "calls":
            part = found[-1].calls
        elif word == "never":
            never.update(rest.split())
        elif word and word[0] != "#":
            part.append((number, line.strip()))
    return found, never


def ledger():
    """The methods that a row of the ledger is bound to, and if one waits."""
    rows = {}
    table = (HERE.parent / "gen" / "ledger.tsv").read_text().splitlines()[1:]
    for *_, bound, _, scope, _ in (row.split("\t") for row in table):
        for name in bound.split():
            rows[name] = rows.get(name) or scope not in ("none", "pure")
    return rows


class Call:
    """One line of the calls of a group."""

    def __init__(self, group, number, line):
        self.group, self.number, words = group, number, set()
        while line.split()[0] in WORDS:
            word, line = line.split(" ", 1)
            words.add(word)
        self.words = words
        self.line, _, self.name = line.partition(" as ")
        if not self.name:  # by the variable's name
            target, _, method = re.sub(r"^\w+ += +", "", line) \
                .split()[0].rpartition(".")
            if not target and method in STANDS_FOR:
                target, method = line.split()[1], STANDS_FOR[method]
            self.name = f"{CLASSES[target]}.{method}"

    def label(self):
        return f"{self.group.name}: {self.line[:60]}"


class Stopping(Verbs):
    """Only this runner's connections are stopped."""

    def server(self, verb, ports=()):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(os.environ["SSH2_CONTROL"])
            sock.sendall(f"{verb} {' '.join(map(str, ports))}\n".encode())
            return int(sock.recv(64).split()[1])


class Made(Case):
    """A call's preparation, and the call."""

    def __init__(self, runner, what):
        super().__init__(what.label(), [], [])
        self.runner, self.what = runner, what
        self.verbs, self.vars, self.ms = Stopping(), {}, GUARD * 1000
        self.calls = NoNotes()
        self.ports = []

    def value(self, token):
        return self.ms if token == "$MS" else super().value(token)

    def do(self, lines):
        for number, line in lines:
            todo = [line]
            if line.startswith("works "):
                todo = [one.format(line.split()[1]) for one in WORKS]
            for one in todo:
                try:
                    if one == "stop":
                        self.stop()
                    elif one.startswith("beside "):
                        self.request(one.split(" ", 1)[1], beside=True)
                        time.sleep(0.5)
                    else:
                        self.step(one)
                except Failed as why:
                    raise type(why)(f"line {number}: {one}: {why}") from None

    def ask(self, call, *args):
        return self.runner.ask(call=call, on=None, keys={}, name=None,
                               args=list(args))

    def request(self, line, **more):
        """Make a call by the runner, in a mode."""
        words = TOKEN.findall(line)
        target, _, method = words[0].rpartition(".")
        args, keys = self.values(words[1:]), {}
        while len(args) > 1 and isinstance(args[-2], dict) and \
                "key" in args[-2]:
            value, key = args.pop(), args.pop()
            keys[key["key"]] = value
        return self.runner.ask(
            call=method, on=self.value(target) if target else None,
            args=args, keys=keys, name=None, **more)

    def set(self, method, value):
        got = self.runner.ask(call=method, on=self.value("s"), args=[value],
                              keys={}, name=None)
        if isinstance(got, Error) and "ClosedError" not in got.classes:
            raise Failed(f"{method}: {shown(got)}")

    def stop(self):
        """Stop sshd's side, which may have to accept the connection first."""
        self.ports = self.ask("ports")
        until = time.monotonic() + 5
        while self.ports and \
                self.verbs.server("stop", self.ports) < len(self.ports):
            if time.monotonic() > until:
                raise Failed("no such connection")
            time.sleep(0.01)

    def cont(self):
        if self.ports:
            self.verbs.server("cont", self.ports)

    def wait(self, mode, seconds):
        """Make the call: seconds it was late, ticks of others, its result."""
        self.ms = int((seconds if mode == "deadline" else GUARD) * 1000)
        self.set("set_timeout", self.ms)
        line = re.sub(r"^\w+ += +", "", self.what.line)
        if mode != "interrupt":
            plain = mode in ("again", "deadline", "once")
            began, end, ticks, got = self.request(
                line, mode="plain" if plain else mode, seconds=seconds)
            wanted = self.ms / 1000 if mode == "deadline" else 0
            return end - began - wanted, ticks, got
        first = self.request(line, mode=mode, seconds=seconds)
        if first != "waits":
            raise Failed(f"gave {first}")
        time.sleep(seconds)
        sent = time.monotonic()
        os.kill(self.runner.job.pid, signal.SIGINT)
        _, end, ticks, got = self.runner.hear()
        return end - sent, ticks, got


class NoNotes:
    """Coverage is not of interest here."""

    def note(self, *_):
        pass

    made = note


def shown(got):
    if isinstance(got, Error):
        return got.text.strip().split("\n")[-1][:200] or got.classes[0]
    return "again" if got is Again else repr(got)[:100]


def bound(seconds, ticks):
    """Where others had no time either, the machine stood still."""
    return seconds if ticks > 100 else 10


def timed_out(got):
    return isinstance(got, Error) and "Timeout" in got.classes


class Suite:
    def __init__(self, language):
        self.language, self.tally = language, suite.Tally(f"waiting {language}")
        self.late, self.ticks = {}, {}
        self.all_modes = list(MODES[language])
        self.lock, self.jobs = threading.Lock(), queue.Queue()
        self.skipped, self.failed = {}, set()

    def good(self, mode, late, ticks, got):
        """What is wrong with how a call that waits came out."""
        quick = late < bound(1, ticks)
        if mode == "again":
            return None if got is Again and quick else "does not say again"
        if mode == "once":
            return None if quick and not timed_out(got) else "waits"
        if mode == "deadline" and not timed_out(got):
            return "no Timeout"
        if mode == "interrupt" and got != "interrupted":
            return "not interrupted"
        if mode not in ("deadline", "interrupt") and got != "ended":
            return "not ended"
        if late > BOUND.get(mode, OTHERS):
            return LATE
        if mode == "deadline" and late < -0.02:
            return f"{-late:.3f} s early"
        return None if ticks > 2 else STILL

    def modes(self, what):
        if "once" in what.words:
            return ["once"]
        return [m for m in self.all_modes
                if m != "again" or "blocks" not in what.words]

    def one(self, runner, what, modes):
        """One call in some modes, after one preparation."""
        made = Made(runner, what)
        try:
            made.do(what.group.before)
            if not made.ports:
                made.stop()
            for mode in modes:
                if not self.mode(made, mode):
                    return
            made.cont()
            self.afterwards(made)
            runner.ask(end=True)
        finally:
            made.cont()
            made.verbs.finish()

    def mode(self, made, mode):
        """Whether there is such a function."""
        for seconds in (SHORT, LONG, LONG):
            late, ticks, got, wrong = self.tried(made, mode, seconds)
            # The machine may have stood still: once is no proof.
            if not wrong or wrong not in (STILL, LATE):
                break
        with self.lock:
            if isinstance(got, Error) and \
                    "FunctionMissingError" in got.classes:
                self.skipped[made.what] = shown(got)
                return False
            if wrong:
                self.failed.add(made.what)
                self.tally.wrong(f"{made.what.label()}: {mode}: {wrong} "
                                 f"({late:.3f} s late, {ticks} ticks), gave "
                                 f"{shown(got)}")
                return True
            self.tally.ok()
            if mode not in ("again", "once"):
                self.late.setdefault(mode, []).append((late, made.label))
                self.ticks.setdefault(mode, []).append(ticks)
        return True

    def tried(self, made, mode, seconds):
        if mode == "again":
            made.set("set_blocking", False)
        late, ticks, got = made.wait(mode, seconds)
        if mode == "again":
            made.set("set_blocking", True)
        return late, ticks, got, self.good(mode, late, ticks, got)

    def afterwards(self, made):
        """The server goes on: the call is answered, the session of use."""
        what, then = made.what, made.what.group.then
        made.set("set_timeout", GUARD * 1000)
        if not what.words & {"once", "lasts"}:
            line = re.sub(r"^\w+ += +", "", what.line)
            _, _, _, got = made.request(line, mode="plain", seconds=0)
            if timed_out(got) or got is Again:
                raise Failed(f"repeated: gave {shown(got)}")
        made.do([(0, "works s")] if then is None else then)
        began, end, ticks, got = made.request("s.close", mode="plain",
                                              seconds=0)
        if isinstance(got, Error) or end - began > bound(OTHERS, ticks):
            raise Failed(f"close took {end - began:.3f} s, gave {shown(got)}")
        with self.lock:
            self.tally.ok()

    def work(self):
        runner = None
        while True:
            try:
                what, modes = self.jobs.get_nowait()
            except queue.Empty:
                break
            try:
                runner = runner or Runner(self.language)
                self.one(runner, what, modes)
            except Died as why:
                runner = None
                with self.lock:
                    self.failed.add(what)
                    self.tally.died(why, what.label())
            except Exception as why:
                said = why if isinstance(why, Failed) else repr(why)
                with self.lock:
                    self.failed.add(what)
                    self.tally.wrong(f"{what.label()}: {said}")
                runner.job.kill()
                runner = None
        if runner and (wrong := runner.end()):
            with self.lock:
                self.tally.wrong(wrong)


def unprepared(language, calls, never):
    """What could wait, for all we know, and is not among the calls."""
    made, runner = {call.name for call in calls}, Runner(language)
    waits = ledger()
    for cls in sorted(set(CLASSES.values()) - {"Stderr"}):
        for method in runner.ask(call="waits", on=None, keys={}, name=None,
                                 args=[Ref({"class": cls})]):
            name = f"{cls}.{method}"
            may = waits.pop(name, None)
            if may is None:
                may = not any(fnmatch(name, one) for one in never)
            if may and name not in made:
                yield name
    for name in sorted(name for name, may in waits.items() if may):
        if "." in name and name not in made:
            yield name
    runner.end()


def has_gevent():
    interpreter = os.environ.get("SSH2_INTERPRETER") or sys.executable
    return not subprocess.run([interpreter, "-c", "import gevent"],
                              stderr=subprocess.DEVNULL).returncode


def main(language, *names):
    every, never = groups()
    other = "ruby" if language == "python" else "python"
    calls = [call for group in every for line in group.calls
             if other not in (call := Call(group, *line)).words]
    it = Suite(language)
    for name in unprepared(language, calls, never):
        it.tally.wrong(f"{name} may wait, and is not in waiting.calls")
    calls = [what for what in calls if not names or what.group.name in names]
    if language == "python" and not has_gevent():
        it.all_modes.remove("greenlet")
        print("# SKIP greenlets: gevent is not installed")
    for what in calls:
        modes = it.modes(what)
        for part in [[m] for m in modes] if suite.LONG else [modes]:
            it.jobs.put((what, part))
    workers = [threading.Thread(target=it.work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(f"1..{len(calls)}")
    for number, what in enumerate(calls, 1):
        word = "not ok" if what in it.failed else "ok"
        end = f" # SKIP {it.skipped[what]}" if what in it.skipped else ""
        print(f"{word} {number} - {what.label()}{end}")
    for mode, late in it.late.items():
        worst = max(late)
        print(f"# {mode}: {len(late)} calls, median "
              f"{statistics.median(x for x, _ in late) * 1000:.0f} ms, at most "
              f"{worst[0] * 1000:.0f} ms ({worst[1]}), others advance by at "
              f"least {min(it.ticks[mode])} ticks of 5 ms")
    return it.tally.end()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
