"""core-driver over many seeds: threads on one session, abandoned calls,
objects closed or dropped under a call, a server that stops and goes on.

    driver.py PROGRAM [FIRST]
"""
import os
import re
import subprocess
import sys

from suite import LONG, Tally

# Runs of (threads, rounds).
SHORT = [(6, 60), (16, 30), (16, 30)]
SANITIZED = [(16, 25), (6, 50), (16, 25)]
IS_SANITIZED = bool(os.environ.get("SSH2_SANITIZE"))
MANY = 40 if IS_SANITIZED else 200
LIMIT = 300 if LONG else 120  # seconds for one


def main(program, first="1"):
    tally = Tally("threads C")
    runs = SANITIZED if IS_SANITIZED else SHORT
    calls = abandoned = 0
    for seed in range(int(first), int(first) + (MANY if LONG else len(runs))):
        threads, rounds = runs[seed % len(runs)]
        command = [program, str(seed), str(rounds), str(threads)]
        again = " ".join(["core-driver", *command[1:]])
        try:
            job = subprocess.run(command, capture_output=True, text=True,
                                 timeout=LIMIT, check=False)
        except subprocess.TimeoutExpired:
            tally.hang(f"{again}: not over in {LIMIT} s")
            continue
        for line in job.stderr.splitlines():
            print("# " + line)
        told = re.search(r"(\d+) calls, (\d+) abandoned", job.stdout)
        if job.returncode < 0:
            tally.crash(f"{again}: signal {-job.returncode}")
        elif job.returncode or not told:
            tally.wrong(f"{again}: exit status {job.returncode}")
        else:
            calls += int(told[1])
            abandoned += int(told[2])
            tally.ok(int(told[1]))
    print(f"# {calls} calls, {abandoned} of them abandoned")
    return tally.end()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
