"""Compare Python and Ruby with a C program on the same libssh2.

    tests/sshd/fixture.py -- bench/run.py --build build [OPTION...]

Runs every program in turn, round after round, so that what else the machine
does meets all alike. A ratio is that of two programs in the same round; shown
are medians, and after them the least and the most. Whatever was measured when
it is interrupted is shown; samples.tsv in the build's folder `bench` has all.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
MIB = 1 << 20
CALLS = 300_000

# What the project promises: a ratio of CPU to the C program's, and how many
# nanoseconds a trivial call may cost beyond a built-in method's.
CPU_BOUND = 1.05
CALL_BOUND = {"Python": 60}


def options():
    parser = argparse.ArgumentParser(prog="run bench")
    add = parser.add_argument
    add("--build", type=Path, default=HERE.parent / "build",
        help=argparse.SUPPRESS)
    add("--ruby", default="ruby", help=argparse.SUPPRESS)
    add("--rounds", type=int, default=5, help="how often (5)")
    add("--mib", type=int, default=256, help="size of a transfer (256)")
    add("--execs", type=int, default=300, help="commands of a session (300)")
    add("--cipher", help="instead of what libssh2 prefers")
    add("--work", action="append", choices=["get", "put", "exec", "call"],
        help="only this; may be repeated")
    return parser.parse_args()


def programs(build, ruby):
    """How each program is started; C, the measure, is the first."""
    found = {
        "C": [build / "bench/bench-loop"],
        "C core": [build / "bench/bench-core"],
    }
    if (build / "python").is_dir():
        found["Python"] = [sys.executable, HERE / "loop.py"]
    if (build / "ruby").is_dir():
        found["Ruby"] = [ruby, HERE / "loop.rb"]
    return found


def scratch(size):
    """A folder for the files: in memory where there is room, or beside the
    server."""
    shm = Path("/dev/shm")
    if shm.is_dir() and shutil.disk_usage(shm).free > 3 * size:
        return shm
    return Path(os.environ["SSH2_TMP"])


class Bench:
    def __init__(self, opts, folder):
        self.opts, self.folder = opts, folder
        self.programs = programs(opts.build, opts.ruby)
        self.env = os.environ | {
            "PYTHONPATH": str(opts.build / "python"),
            "RUBYLIB": str(opts.build / "ruby"),
        }
        self.rounds, self.failed = [], set()  # a round: {cell: answer}
        self.source, self.target = folder / "source", folder / "target"
        with open(self.source, "wb") as file:
            file.truncate(opts.mib * MIB)

    def cells(self):
        """Every (work, program) there is to measure."""
        for work in self.opts.work or ["get", "put", "exec", "call"]:
            for name in self.programs:
                if work != "call" or not name.startswith("C"):
                    yield work, name

    def measure(self, work, name):
        count, path = {
            "get": (self.opts.mib, self.source),
            "put": (self.opts.mib, self.target),
            "exec": (self.opts.execs, "-"),
            "call": (CALLS, "-"),
        }[work]
        command = [*self.programs[name], work, str(count), path]
        if self.opts.cipher:
            command.append(self.opts.cipher)
        job = subprocess.run(command, env=self.env, check=False, timeout=600,
                             start_new_session=True, stdout=subprocess.PIPE)
        if job.returncode:
            raise RuntimeError(f"it ended with {job.returncode}")
        if work == "put":
            size = self.target.stat().st_size
            self.target.unlink()
            if size != count * MIB:
                raise RuntimeError(f"{size} bytes came, not {count} MiB")
        return json.loads(job.stdout)

    def run(self, samples):
        """All rounds, each beginning with another program."""
        cells = list(self.cells())
        for number in range(self.opts.rounds):
            self.rounds.append({})
            shift = number % len(cells)
            for cell in cells[shift:] + cells[:shift]:
                if cell in self.failed:
                    continue
                try:
                    answer = self.measure(*cell)
                except (RuntimeError, ValueError, OSError,
                        subprocess.TimeoutExpired) as err:
                    print(f"bench: {' '.join(cell)}: {err}", file=sys.stderr)
                    self.failed.add(cell)
                    continue
                self.rounds[-1][cell] = answer
                for key, value in answer.items():
                    print(number + 1, *cell, key, value, sep="\t",
                          file=samples, flush=True)
            print(f"  round {number + 1} of {self.opts.rounds}",
                  file=sys.stderr)

    # --- what is shown ------------------------------------------------------

    def figures(self, cell, key):
        return [r[cell][key] for r in self.rounds if cell in r]

    def ratios(self, work, name, key):
        """To the C program's, in the rounds that have both."""
        return [r[work, name][key] / r[work, "C"][key] for r in self.rounds
                if (work, name) in r and (work, "C") in r]

    def show(self):
        print(f"{self.opts.mib} MiB by SFTP in steps of 1 MiB, and"
              f" {self.opts.execs} times `true`; cipher:"
              f" {self.opts.cipher or 'what libssh2 prefers'}")
        print(row("", "", "wall, s", "client CPU, s", "CPU / C's",
                  "wall / C's"))
        for work, name in self.cells():
            cell = work, name
            if work == "call" or not self.figures(cell, "cpu"):
                continue
            ratios = self.ratios(*cell, "cpu")
            judged = work != "exec" and name in ("Python", "Ruby")
            print(row(work, name, spread(self.figures(cell, "wall")),
                      spread(self.figures(cell, "cpu")), spread(ratios),
                      spread(self.ratios(*cell, "wall")))
                  + verdict(judged and CPU_BOUND, ratios))
        for name in self.programs:
            cell = "call", name
            ours = self.figures(cell, "ours")
            if not ours:
                continue
            builtin = self.figures(cell, "builtin")
            more = [a - b for a, b in zip(ours, builtin, strict=True)]
            print(f"a trivial call in {name}:"
                  f" {spread(more, 0)} ns more than a built-in method's"
                  f" {spread(builtin, 0)}"
                  + verdict(CALL_BOUND.get(name), more))


def spread(values, digits=3):
    if not values:
        return "-"
    low, middle, high = (f"{f(values):.{digits}f}"
                         for f in (min, statistics.median, max))
    return middle if len(values) == 1 else f"{middle} [{low} {high}]"


def verdict(bound, values):
    if not bound or not values:
        return ""
    return "" if statistics.median(values) <= bound else f"  over {bound}!"


def row(work, name, *rest):
    return f"{work:5}{name:8}" + "".join(f"{cell:>21}" for cell in rest)


def main():
    opts = options()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    place = opts.build / "bench"
    place.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(
            prefix="ssh2-", dir=scratch(opts.mib * MIB)) as folder:
        bench = Bench(opts, Path(folder))
        status = 0
        try:
            with open(place / "samples.tsv", "w") as samples:
                bench.run(samples)
        except KeyboardInterrupt:
            print("bench: interrupted; what there is:", file=sys.stderr)
            status = 130
    bench.show()
    return status or bool(bench.failed)


sys.exit(main())
