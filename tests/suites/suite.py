"""What the suites share: the two languages' runners, and the tally of a suite.

A suite is written once, for both languages: it asks python/run.py or
ruby/run.rb to make the calls, by conformance.py's Runner.  Its process may
die or hang; the suite notes it, and goes on with a new one.
"""
import os
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parent.parent))

from conformance import Again, Died, Error, Failed, Ref, Runner  # noqa: E402, F401, I001

LONG = bool(os.environ.get("SSH2_LONG"))


class Tally:
    """Counts what was tried and how it went; `end` gives the exit status.

    Each word of what went wrong is printed at once, with what repeats it.
    """

    def __init__(self, name):
        self.name, self.tried = name, 0
        self.bad = {"crashes": 0, "hangs": 0, "wrong": 0}

    def ok(self, count=1):
        self.tried += count

    def _note(self, kind, what):
        self.tried += 1
        self.bad[kind] += 1
        print(f"# {self.name}: {kind}: {what}", flush=True)

    def crash(self, what):
        self._note("crashes", what)

    def hang(self, what):
        self._note("hangs", what)

    def wrong(self, what):
        self._note("wrong", what)

    def died(self, error, what):
        """A runner that is gone: of itself, or since it did not answer."""
        note = self.hang if "hangs" in str(error) else self.crash
        note(f"{what}: {error}")

    def end(self):
        counts = ", ".join(f"{n} {kind}" for kind, n in self.bad.items())
        print(f"# suite: {self.name}: {self.tried} tried, {counts}",
              flush=True)
        return 1 if not self.tried or any(self.bad.values()) else 0
