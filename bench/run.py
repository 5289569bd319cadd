"""Compare Python and Ruby with C, with OpenSSH's tools and with every peer.

    bench/run.py [OPTION...]     as `./run bench` does, that builds first

Runs every program in turn, round after round, each as a process of its own,
so that what else the machine does meets all alike. What is measured goes into
samples.tsv at once; report.py makes tables, verdicts and plots of it, also of
what there is when this is interrupted.
"""

import argparse
import contextlib
import csv
import json
import os
import platform
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import net
import report

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE / "peers"))
import openssh  # noqa: E402

MIB = 1 << 20
KIB = 1 << 10
ENTRIES = 10_000
FILES = 4096
LEAST = 0.001  # of a second
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SLOW = 20  # seconds from which on a program's work is done once only
TRANSFERS = ("get", "put", "stream", "scp")
MEASURE = ("C", "C 256k", "C 4M")
SIZES = {"": None, " 32k": 32 * KIB, " 1M": MIB}
PYPI = ["ssh_python", "paramiko", "asyncssh", "parallel_ssh"]


@dataclass(frozen=True)
class Cell:
    work: str
    cipher: str
    delay: int
    count: int


@dataclass
class Program:
    name: str
    argv: list
    env: dict = field(default_factory=dict)
    build: str = "source"
    only: tuple = ()  # of the works it knows
    tool: bool = False  # OpenSSH's: measured from outside
    works: list = field(default_factory=list)
    version: str = ""


def options(arguments=None):
    works = sorted({row["work"] for row in rows()})
    parser = argparse.ArgumentParser(prog="run bench")
    add = parser.add_argument
    add("--short", action="store_true",
        help="a look at most of it, in under two minutes: smoke, no result")
    add("--work", action="append", choices=works, metavar="WORK",
        help=f"only this, of {', '.join(works)}; repeatable")
    add("--peer", action="append",
        help="only programs whose name begins so, and C; repeatable")
    add("--delay", action="append", type=int, choices=[0, 20, 100],
        help="only at this round trip, in ms; repeatable")
    add("--cipher", action="append", choices=[*net.CIPHERS],
        help="only with this; repeatable")
    add("--rounds", type=int, help="how often (5; short: 1)")
    add("--mib", type=int, help="size of a transfer, if not 512 and 64")
    add("--seconds", type=int,
        help="when to stop, whatever is left (short: 95)")
    add("--limit", type=int, help="seconds for one run (600; short: 20)")
    add("--system", action="store_true",
        help="also what is built on the system's libssh2 (all but short do)")
    add("--report", action="store_true",
        help="measure nothing: show what was measured last")
    add("--build", type=Path, default=HERE.parent / "build",
        help=argparse.SUPPRESS)
    add("--other", type=Path, help=argparse.SUPPRESS)
    add("--out", type=Path, help=argparse.SUPPRESS)
    add("--ruby", default="ruby", help=argparse.SUPPRESS)
    opts = parser.parse_args(arguments)
    opts.rounds = opts.rounds or (1 if opts.short else 5)
    opts.limit = opts.limit or (20 if opts.short else 600)
    opts.seconds = opts.seconds or (95 if opts.short else None)
    opts.out = opts.out or opts.build / "bench"
    return opts


# --- what there is to measure -----------------------------------------------


def rows():
    with open(HERE / "cells.tsv") as file:
        return [*csv.DictReader(file, delimiter="\t")]


def cells(opts):
    for row in rows():
        count = row["short" if opts.short else "full"]
        delay = int(row["delay"])
        if (count == "-"
                or (opts.work and row["work"] not in opts.work)
                or (opts.cipher and row["cipher"] not in opts.cipher)
                or (opts.delay and delay not in opts.delay)):
            continue
        count = int(count)
        if opts.mib and row["work"] in TRANSFERS:
            count = min(count, opts.mib) if delay else opts.mib
        yield Cell(row["work"], row["cipher"], delay, count)


def ours(opts, build, folder):
    """The programs of one build of ours."""
    python = [sys.executable, HERE / "peers/python.py"]
    ruby = [opts.ruby, HERE / "peers/ruby.rb"]
    for end, size in {"": MIB, " 256k": 256 * KIB, " 4M": 4 * MIB}.items():
        yield Program(f"C{end}", [folder / "bench/bench-loop"],
                      {"BENCH_BUFFER": str(size)}, build,
                      ("get", "put") if end else ())
    yield Program("C core", [folder / "bench/bench-core"], build=build)
    for name, argv, env, loop in (
            ("Python", python, {"PYTHONPATH": folder / "python"},
             "ssh2_python"),
            ("Ruby", ruby, {"RUBYLIB": folder / "ruby"}, "loop")):
        if not (folder / name.lower()).is_dir():
            continue
        env = {key: str(value) for key, value in env.items()}
        yield Program(name, [*argv, "ours"], env, build)
        for end, size in SIZES.items():
            more = {"BENCH_BUFFER": str(size)} if size else {}
            yield Program(f"{name} loop{end}", [*argv, loop], env | more,
                          build, ("get", "put", "stream"))


def candidates(opts):
    """Every program, and after it others to take if it cannot be had."""
    yield from ([p] for p in ours(opts, "source", opts.build))
    if opts.other and (opts.system or not opts.short):
        yield from ([p] for p in ours(opts, "system", opts.other))
    for tool in openssh.WORKS:
        yield [Program(tool, [tool], tool=True)]
    pythons = [opts.out / "venv/bin/python", sys.executable]
    pythons = [p for p in pythons if Path(p).exists()]
    for end, size in SIZES.items():
        env = {"BENCH_BUFFER": str(size)} if size else {}
        yield [Program(f"ssh2-python{end}",
                       [p, HERE / "peers/python.py", "ssh2_python"], env,
                       only=("get", "put", "stream") if size else ())
               for p in pythons]
    for name in PYPI:
        yield [Program(name.replace("_", "-"),
                       [p, HERE / "peers/python.py", name]) for p in pythons]
    yield [Program("net-ssh", [opts.ruby, HERE / "peers/ruby.rb", "net_ssh"])]


def ask(program):
    """Let a program tell its version and its works; why not, or None."""
    if program.tool:
        answer = openssh.about(program.name)
        if not answer:
            return "not installed"
    else:
        try:
            job = subprocess.run([*program.argv, "about"], check=False,
                                 env=os.environ | program.env, timeout=60,
                                 capture_output=True, text=True)
            answer = json.loads(job.stdout) if job.returncode == 0 else None
        except (OSError, ValueError, subprocess.TimeoutExpired) as err:
            return str(err)
        if not answer:
            return last_line(job.stderr)
    program.version = answer["version"]
    program.works = [w for w in answer["works"]
                     if not program.only or w in program.only]
    if "get" in program.works and program.name in ("C", "Python", "Ruby"):
        program.works.append("big")
    return None


def find(opts, samples):
    """The programs that can be had; what cannot is said."""
    wanted = [group for group in candidates(opts)
              if not opts.peer or group[0].name in MEASURE
              or any(group[0].name.startswith(p) for p in opts.peer)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = [*pool.map(lambda group: [ask(p) for p in group], wanted)]
    for group, whys in zip(wanted, answers, strict=True):
        for program, why in zip(group, whys, strict=True):
            if why is None:
                samples.note("version", program.name, program.version,
                             program.build)
                yield program
                break
        else:
            print(f"bench: without {group[0].name}: {whys[0]}",
                  file=sys.stderr)
            samples.note("without", group[0].name, whys[0], group[0].build)


def last_line(text):
    """What went wrong, of what was said; Ruby says where before it, and
    whence after it."""
    lines = [line for line in text.strip().splitlines()
             if not line.lstrip().startswith("from ")]
    return re.sub(r"^\S+:\d+:in `.*?': ", "",
                  (lines or ["it said nothing"])[-1])[:200]


# --- where it is kept -------------------------------------------------------


class Samples:
    """samples.tsv, complete at any moment."""

    def __init__(self, path):
        self.file = open(path, "w")  # noqa: SIM115
        print(*report.COLUMNS, sep="\t", file=self.file)

    def line(self, *values):
        text = [" ".join(str(value).split()) for value in values]
        print(*text, sep="\t", file=self.file, flush=True)

    def note(self, kind, name, value, build="-"):
        self.line(0, kind, "-", 0, 0, name, build, "note", value)

    def sample(self, number, cell, program, key, value):
        self.line(number, cell.work, cell.cipher, cell.delay, cell.count,
                  program.name, program.build, key, value)


def machine():
    """What the figures depend on."""
    yield "date", time.strftime("%Y-%m-%d")
    yield "kernel", f"{platform.system()} {platform.release()}"
    model, memory = platform.machine(), ""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(x for x in lines if x.startswith("model name"))
        model = model.partition(":")[2].strip()
    with contextlib.suppress(OSError, ValueError):
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        memory = f", {memory / 2**30:.0f} GiB"
    yield "machine", f"{os.cpu_count()} x {model}{memory}"
    for name, command in (
            ("OpenSSL", ["openssl", "version"]), ("OpenSSH", ["ssh", "-V"]),
            ("Python", [sys.executable, "-V"]), ("Ruby", ["ruby", "-v"])):
        with contextlib.suppress(OSError):
            job = subprocess.run(command, check=False, text=True,
                                 capture_output=True)
            yield name, last_line(job.stdout + job.stderr)


def scratch(size):
    """A folder for the files: in memory, if there is room."""
    shm = Path("/dev/shm")
    with contextlib.suppress(OSError, IndexError):
        free = Path("/proc/meminfo").read_text().partition("MemAvailable:")[2]
        if min(shutil.disk_usage(shm).free,
               int(free.split()[0]) * KIB) > size:
            return shm
    return Path(tempfile.gettempdir())


# --- the measuring ----------------------------------------------------------


class Refused(Exception):
    """A program did not do what it was to."""


class Interrupted:
    """Ctrl-C, remembered: Python drops what it raises in some places, of
    which fork() is one."""

    seen = False

    @classmethod
    def handle(cls, *_):
        cls.seen = True
        raise KeyboardInterrupt

    @classmethod
    def ask(cls):
        if cls.seen:
            raise KeyboardInterrupt


class Bench:
    def __init__(self, opts, root, samples):
        self.opts, self.root, self.samples = opts, root, samples
        self.end = opts.seconds and time.monotonic() + opts.seconds
        self.cells, self.job = [*cells(opts)], None
        self.servers = net.Servers(root)
        (root / "home").mkdir()
        self.env = os.environ | {"HOME": str(root / "home"),
                                 "BENCH_TMP": str(root)}
        self.env.pop("SSH_AUTH_SOCK", None)
        self.make_files()
        self.programs = [*find(opts, samples)]
        self.done, self.failed, self.late = 0, set(), set()
        self.connected = {}

    def make_files(self):
        for cell in self.cells:
            file = self.root / f"file{cell.count}"
            if cell.work == "big":
                with open(file, "wb") as out:
                    out.truncate(cell.count * MIB)
            elif cell.work in ("get", "put", "scp") and not file.exists():
                # No holes: there is a peer that does not send them.
                data = os.urandom(MIB)
                with open(file, "wb") as out:
                    for _ in range(cell.count):
                        out.write(data)
            elif cell.work in ("tree_get", "tree_put"):
                tree = self.root / f"tree{cell.count}"
                for i in range(0 if tree.exists() else cell.count):
                    folder = tree / f"d{i // 100:02}"
                    folder.mkdir(parents=True, exist_ok=True)
                    (folder / f"f{i:04}").write_bytes(os.urandom(KIB))
        (self.root / "entries").mkdir()
        if {"stat", "stats", "list"} & {cell.work for cell in self.cells}:
            for i in range(ENTRIES):
                (self.root / f"entries/e{i:05}").touch()

    def ends(self, cell):
        """What is remote of a work, and what is local."""
        target = self.root / "target"
        if cell.work in ("tree_get", "tree_put"):
            source = self.root / f"tree{cell.count}"
        elif cell.work in ("stat", "stats", "list"):
            return self.root / "entries", "-"
        elif cell.work in ("get", "put", "scp", "big"):
            source = self.root / f"file{cell.count}"
        else:
            return "-", "-"
        return (target, source) if "put" in cell.work else (source, target)

    def spawn(self, argv, env, enter):
        """A process, what it printed, and what the whole of it took."""
        here, there = os.pipe()

        def before():
            net.fixture.prctl(net.fixture.PR_SET_PDEATHSIG, signal.SIGKILL)
            # For many sessions; not for servers, which may close them all.
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            files = hard if 0 < hard < FILES else FILES
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
            if enter:
                enter()

        with open(here) as took, open(self.root / "stderr", "w+b") as said:
            try:
                self.job = subprocess.Popen(
                    [self.opts.build / "bench/bench-spawn", str(there), *argv],
                    env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=said, pass_fds=[there], start_new_session=True,
                    preexec_fn=before)
                out, status = self.wait(), self.job.returncode
            finally:
                os.close(there)
                self.kill()
            outside = took.read().split()
            if status or len(outside) != 3:
                said.seek(0)
                raise Refused(last_line(said.read().decode(errors="replace")))
        return out, outside

    def wait(self):
        """What the process printed, once it has ended."""
        end = time.monotonic() + self.opts.limit
        while time.monotonic() < end:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.job.communicate(timeout=1)[0]
            Interrupted.ask()
        raise Refused(f"longer than {self.opts.limit} s")

    def kill(self):
        if self.job:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.job.pid, signal.SIGKILL)
            self.job.wait()
            self.job.stdout.close()
            self.job = None

    def connecting(self, number, cell, program, env, enter):
        """Wall and CPU of a tool that connects and does nothing else."""
        if cell.work == "connect":
            return 0, 0
        key = number, program.name, cell.cipher, cell.delay
        if key not in self.connected:
            _, took = self.spawn(openssh.command(
                program.name, "nothing", 0, "-", "-", env), env, enter)
            self.connected[key] = [*map(float, took[:2])]
        return self.connected[key]

    def measure(self, number, cell, program):
        new = cell.delay not in self.servers.ways
        where, enter = self.servers.place(cell.cipher, cell.delay)
        if new:
            self.samples.note("way", f"{cell.delay} ms",
                              self.servers.ways[cell.delay].how)
        work = "get" if cell.work == "big" else cell.work
        remote, local = self.ends(cell)
        env = self.env | where | program.env
        if program.tool:
            less = self.connecting(number, cell, program, env, enter)
            argv = openssh.command(program.name, work, cell.count,
                                   str(remote), str(local), env)
            if work == "stream":
                argv = ["sh", "-c", '"$@" >/dev/null', "sh", *argv]
        else:
            argv = [*program.argv, work, str(cell.count), remote, local]
        try:
            out, (wall, cpu, peak) = self.spawn(argv, env, enter)
            if program.tool:
                took = float(wall), float(cpu)
                answer = {key: max(a - b, LEAST) for key, a, b in
                          zip(("wall", "cpu"), took, less, strict=True)}
            else:
                answer = json.loads(out)
            if local != "-":
                self.check(cell, answer)
        finally:
            self.clean()
        got = answer.pop("got", None)
        if work == "list" and got in (ENTRIES, ENTRIES + 2):
            got = cell.count
        unit = MIB if work in TRANSFERS else 1
        if got is not None and got != cell.count * unit:
            raise Refused(f"it did {got} of {cell.count * unit}")
        answer |= {"whole_wall": float(wall), "whole_cpu": float(cpu),
                   "peak_kib": int(peak)}
        if "base_kib" in answer:
            base, now = answer.pop("base_kib"), answer.pop("now_kib")
            answer["added_kib"] = int(peak) - base
            if work == "sessions":
                answer["each_kib"] = (now - base) / cell.count
        return answer

    def check(self, cell, answer):
        """Is what was to come there?"""
        target = self.root / "target"
        if not target.exists():
            raise Refused("nothing came")
        if not target.is_dir():
            size = target.stat().st_size
            if size != cell.count * MIB:
                raise Refused(f"{size} bytes came, not {cell.count} MiB")
            return
        sizes = [f.stat().st_size for f in target.rglob("*") if f.is_file()]
        if sizes != [KIB] * cell.count:
            raise Refused(f"{len(sizes)} files came, not {cell.count}")
        answer.pop("got", None)

    def clean(self):
        target = self.root / "target"
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)

    def over(self):
        return self.end and time.monotonic() > self.end

    def run(self):
        for number in range(self.opts.rounds):
            for cell in self.cells:
                those = [p for p in self.programs if cell.work in p.works]
                shift = number % max(len(those), 1)
                for program in those[shift:] + those[:shift]:
                    if self.over():
                        break
                    self.once(number + 1, cell, program)
                if self.over():
                    self.samples.note("left out", cell.work, "time was over")
            print(f"bench: round {number + 1} of {self.opts.rounds} is done",
                  file=sys.stderr)

    def once(self, number, cell, program):
        Interrupted.ask()
        key = cell, program.name, program.build
        if key in self.failed or key in self.late:
            return
        begun = time.monotonic()
        try:
            answer = self.measure(number, cell, program)
        except (Refused, ValueError, OSError) as err:
            self.failed.add(key)
            self.samples.sample(number, cell, program, "failed", err)
            print(f"bench: {program.name} {cell.work} {cell.cipher}"
                  f" {cell.delay} ms, {program.build}: {err}",
                  file=sys.stderr)
            return
        if time.monotonic() - begun > SLOW:
            self.late.add(key)
        self.done += 1
        for name, value in answer.items():
            self.samples.sample(number, cell, program, name,
                                f"{value:.6g}")

    def missing(self):
        """What ours cannot do yet: said, and counted."""
        works = {cell.work for cell in self.cells}
        for program in self.programs:
            if program.name in ("Python", "Ruby"):
                lacks = sorted(works - {*program.works, "call"})
                for work in lacks:
                    self.samples.note("lacks", program.name, work,
                                      program.build)


def main():
    opts = options()
    path = opts.out / "samples.tsv"
    if opts.report:
        return report.main([str(path)])
    for number in ENDS:
        signal.signal(number, Interrupted.handle)
    opts.out.mkdir(parents=True, exist_ok=True)
    samples, bench, status = Samples(path), None, 0
    for name, value in machine():
        samples.note("machine", name, value)
    samples.note("machine", "form", "short" if opts.short else "full")
    for build, folder in (("source", opts.build), ("system", opts.other)):
        with contextlib.suppress(OSError, TypeError):
            text = (folder / "libssh2-revision").read_text().strip()
            samples.note("machine", f"libssh2, {build}", text)
    size = max((cell.count * 3 * MIB for cell in cells(opts)
                if cell.work in ("get", "put", "scp", "big")), default=0)
    with tempfile.TemporaryDirectory(
            prefix=f"ssh2-bench-{os.getpid()}-", dir=scratch(size)) as folder:
        try:
            bench = Bench(opts, Path(folder), samples)
            bench.missing()
            bench.run()
        except KeyboardInterrupt:
            print("bench: interrupted; what there is:", file=sys.stderr)
            status = 130
        finally:
            for number in ENDS:
                signal.signal(number, signal.SIG_IGN)
            if bench:
                bench.kill()
                bench.servers.stop()
    report.main([str(path)])
    return status or int(not (bench and bench.done))


if __name__ == "__main__":
    sys.exit(main())
