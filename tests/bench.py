"""What bench reports of what it measured, without a peer to measure.

Tables and verdicts of samples that are written here; and a run that is
interrupted, of programs that only pretend.
"""
import contextlib
import csv
import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent / "bench"
sys.dont_write_bytecode = True
sys.path.insert(0, str(BENCH))

import report  # noqa: E402

GET = ("get", "gcm", 0, 512)
PROGRAM = """\
#!{python}
import pathlib, sys, time
if sys.argv[1] == "about":
    print('{{"version": "1", "works": ["exec", "connect"]}}')
elif sys.argv[1] == "exec":
    print('{{"wall": 0.125, "cpu": 0.0625, "base_kib": 1, "now_kib": 2,'
          ' "got": %s}}' % sys.argv[2])
else:
    time.sleep(300)
"""
SPAWN = """\
#!{python}
import os, subprocess, sys
status = subprocess.call(sys.argv[2:])
os.write(int(sys.argv[1]), b"0.5 0.25 1024\\n")
sys.exit(status)
"""


def line(number, cell, program, key, value, build="source"):
    return "\t".join(map(str, (number, *cell, program, build, key, value)))


def note(kind, name, value, build="source"):
    return "\t".join((f"0\t{kind}\t-\t0\t0", name, build, "note", value))


def samples(*lines, end="\n"):
    """A file of samples, and what report.py reads of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "samples.tsv")
        path.write_text("\n".join(("\t".join(report.COLUMNS), *lines)) + end)
        return report.Samples(path)


def of(found, said):
    """The verdict on the one bound that says so."""
    rows = [row for row in report.verdicts(found) if said in row]
    assert len(rows) == 1, rows
    return rows[0].split(" | ")[1:]


class Verdicts(unittest.TestCase):
    def test_ratio_of_the_same_round(self):
        # Medians alone would say 1.0; the second round has no counterpart.
        found = samples(line(1, GET, "Python", "wall", 2),
                        line(1, GET, "asyncssh", "wall", 6),
                        line(2, GET, "Python", "wall", 6))
        self.assertEqual(
            found.ratios(GET, ("Python", "source"), ("asyncssh", "source"),
                         "wall"), [2 / 6])

    def test_met_and_over(self):
        for theirs, said in ((3, "met"), (2, "over by 10%")):
            found = samples(*(
                line(1, (w, "gcm", 0, 512), p, "wall", s) for w in
                ("get", "put") for p, s in
                (("Python", 1), ("Ruby", 1), ("asyncssh", theirs))))
            verdict, nearest = of(found, "2.2 x faster than asyncssh")
            self.assertEqual(verdict, said)
            self.assertIn(f"asyncssh {theirs}.00 x", nearest)

    def test_what_is_missing_is_counted(self):
        found = samples(line(1, GET, "Python", "wall", 1),
                        line(1, GET, "asyncssh", "wall", 3))
        verdict, _ = of(found, "2.2 x faster than asyncssh")
        self.assertEqual(verdict, "met; 3 not measured")
        verdict, _ = of(found, "1.7 x faster than asyncssh")
        self.assertEqual(verdict, "not measured")

    def test_what_is_told_from_outside_only_is_compared_so(self):
        cell = ("get", "gcm", 20, 64)
        found = samples(line(1, cell, "Python", "wall", 1),
                        line(1, cell, "Python", "whole_wall", 3),
                        line(1, cell, "sftp", "whole_wall", 2))
        verdict, nearest = of(found, "no slower than the fastest peer")
        self.assertRegex(verdict, "^over by 50%; ")
        self.assertIn("Python get gcm 20 ms, sftp 0.67 x", nearest)

    def test_a_peer_without_the_call_does_it_in_its_own_way(self):
        many, each = ("stats", "any", 0, 5000), ("stat", "any", 0, 500)
        found = samples(line(1, many, "Python", "wall", 1),
                        line(1, many, "asyncssh", "wall", 3),
                        line(1, each, "asyncssh", "wall", 9),
                        line(1, each, "paramiko", "wall", 0.5))
        verdict, nearest = of(found, "stat_many 4 x")
        self.assertRegex(verdict, "^over by 33%, 1 of 2; ")
        self.assertIn("asyncssh 3.00 x", nearest)
        self.assertIn("paramiko 5.00 x", nearest)  # ten times as many

    def test_memory(self):
        cell = ("sessions", "any", 0, 1000)
        found = samples(line(1, cell, "Python", "each_kib", 300),
                        line(1, cell, "C", "each_kib", 150),
                        line(1, ("big", "gcm", 0, 5120), "Ruby", "added_kib",
                             9000))
        self.assertEqual(of(found, "idle sessions")[0],
                         "over by 50%; 1 not measured")
        self.assertEqual(of(found, "5 GiB get")[0], "met; 1 not measured")

    def test_the_largest_of_a_kind_is_judged(self):
        small, large = (("sessions", "any", 0, n) for n in (200, 1000))
        found = samples(*(line(1, c, p, "each_kib", k) for c, p, k in (
            (large, "Python", 90), (large, "C", 10),
            (small, "Python", 900), (small, "C", 10))))
        self.assertEqual(of(found, "idle sessions")[0],
                         "met; 1 not measured")

    def test_a_system_s_build_is_its_own_measure(self):
        found = samples(line(1, GET, "C", "wall", 1),
                        line(1, GET, "C", "wall", 4, "system"),
                        line(1, GET, "Python", "wall", 3, "system"))
        verdict, nearest = of(found, "on the system's libssh2")
        self.assertRegex(verdict, "^met; ")
        self.assertIn("Python get gcm, C 0.75", nearest)

    def test_every_line_of_the_table_can_be_judged(self):
        with open(BENCH / "cells.tsv") as file:
            known = {(row["work"], row["cipher"], row["delay"])
                     for row in csv.DictReader(file, delimiter="\t")}
        for bound in report.bounds():
            if bound["test"] == "elsewhere":
                continue
            for work in bound["works"].split(","):
                self.assertTrue(known & {
                    (work, cipher, delay)
                    for cipher in bound["ciphers"].split(",")
                    for delay in bound["delays"].split(",")}, bound)
            self.assertIn(bound["test"], ("ratio", "faster", "more", "own"))
            self.assertGreater(float(bound["bound"]), 0)
        self.assertIn("see ./run test", "\n".join(
            report.verdicts(samples())))


class Tables(unittest.TestCase):
    def page(self, found):
        return "\n".join(report.page(found))

    def test_medians_with_what_lies_around_them(self):
        found = samples(*(line(n, GET, "C", "wall", s)
                          for n, s in ((1, 1), (2, 4), (3, 2))),
                        *(line(n, GET, "paramiko", "wall", s)
                          for n, s in ((1, 3), (2, 4), (3, 10))),
                        note("version", "paramiko", "3.5"))
        page = self.page(found)
        self.assertIn("| C | 2.000 [1.000 4.000] |", page)
        self.assertIn("| paramiko (3.5) | 4.0 [3.0 10.0] |", page)
        self.assertIn("| 3.00 [1.00 5.00] |", page)
        self.assertIn("- rounds: 3", page)

    def test_the_system_s_build_is_another_column(self):
        page = self.page(samples(line(1, GET, "C", "wall", 1),
                                 line(1, GET, "C", "wall", 7, "system")))
        self.assertRegex(page, r"\| C \| 1\.000 .*\| 7\.000 \|  \|")

    def test_what_is_left_out_is_named(self):
        page = self.page(samples(
            line(1, GET, "C", "wall", 1),
            line(1, GET, "net-ssh", "failed", "no such cipher"),
            note("without", "parallel-ssh", "No module named 'pssh'"),
            note("lacks", "Python", "stats"), note("lacks", "Python", "put"),
            note("left out", "sessions", "time was over")))
        for text in ("- net-ssh (get: 512 MiB, gcm): no such cipher",
                     "- parallel-ssh: No module named 'pssh'",
                     "- Python has no call yet for 2: stats, put",
                     "- sessions: time was over"):
            self.assertIn(text, page)

    def test_half_a_line_is_none(self):
        found = samples(line(1, GET, "C", "wall", 1), "2\tget\tgcm\t0\t512\tC",
                        end="")
        self.assertEqual(found.figures(GET, ("C", "source"), "wall"), {1: 1.0})

    def test_nothing_was_measured(self):
        self.assertIn("not measured", self.page(samples()))

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "samples.tsv")
            path.write_text("\n".join((
                "\t".join(report.COLUMNS), line(1, GET, "C", "wall", 1),
                line(2, GET, "C", "wall", 2),
                line(1, GET, "sftp", "whole_wall", 2))) + "\n")
            said = io.StringIO()
            with contextlib.redirect_stdout(said), \
                    contextlib.redirect_stderr(said):
                report.main([str(path)])
            self.assertIn("get: 512 MiB", Path(folder, "table.md").read_text())
            if "no plots" not in said.getvalue():
                for end in ("png", "svg"):
                    self.assertGreater(
                        Path(folder, f"transfers.{end}").stat().st_size, 1000)


class Interrupted(unittest.TestCase):
    def test_what_was_measured_is_kept_and_nothing_else_is(self):
        with tempfile.TemporaryDirectory() as folder:
            build = Path(folder, "build")
            (build / "bench").mkdir(parents=True)
            for name, text in (("loop", PROGRAM), ("spawn", SPAWN)):
                path = build / f"bench/bench-{name}"
                path.write_text(text.format(python=sys.executable))
                path.chmod(0o755)
            job = subprocess.Popen(
                [sys.executable, BENCH / "run.py", "--build", build,
                 "--peer", "nobody", "--work", "exec", "--work", "connect",
                 "--delay", "0"], stdout=subprocess.PIPE, text=True,
                stderr=subprocess.PIPE, start_new_session=True,
                env=os.environ | {"TMPDIR": folder})
            samples = build / "bench/samples.tsv"
            end = time.monotonic() + 60
            while time.monotonic() < end and job.poll() is None and not (
                    samples.exists() and "peak_kib" in samples.read_text()
                    and below(job.pid)):
                time.sleep(0.05)
            children = below(job.pid)
            job.send_signal(signal.SIGINT)
            out, err = job.communicate(timeout=60)
            self.assertEqual(job.returncode, 130, err)
            self.assertIn("interrupted", err)
            self.assertRegex(out, r"\| C \| 0\.125 \| 0\.062 \|")
            self.assertIn("0.125", (build / "bench/table.md").read_text())
            self.assertIn("300 times `true`", out)
            self.assertEqual([p for p in children if alive(p)], [])
            self.assertEqual(scratch(job.pid, folder), [])


def below(pid):
    """The processes that come from one."""
    found, more = [], [pid]
    while more:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{more[0]}/task/{more[0]}/children").read_text()
            more += map(int, text.split())
        found.append(more.pop(0))
    return found[1:]


def alive(pid):
    with contextlib.suppress(OSError):
        state = re.search(r"\) (\w)", Path(f"/proc/{pid}/stat").read_text())
        return state[1] not in "ZX"
    return False


def scratch(pid, folder):
    """What such a run left of its files, in memory or beside ours."""
    return [p for place in ("/dev/shm", folder)
            for p in Path(place).glob(f"ssh2-bench-{pid}-*")]


if __name__ == "__main__":
    unittest.main()
