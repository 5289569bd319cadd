"""What the suites share: the two languages' runners, and the tally of a suite.

A suite is written once, for both languages: it asks python/run.py or
ruby/run.rb to make the calls, by conformance.py's Runner.  Its process may
die or hang; the suite notes it, and goes on with a new one.
"""
import os
import sys
import time
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parent.parent))

from conformance import Again, Died, Error, Failed, Ref, Runner  # noqa: E402, F401, I001

LONG = bool(os.environ.get("SSH2_LONG"))


def constant(names):
    """A constant of the module, or some joined by |."""
    return Ref(const=names.split("|"))


class Client:
    """A language's runner: `call("s.read", 9, to="x")` reads from variable s
    into variable x, and an error that was not asked for is a failure.
    """

    def __init__(self, language):
        self.language, self.runner = language, None

    def ask(self, **request):
        self.runner = self.runner or Runner(self.language)
        try:
            return self.runner.ask(**request)
        except Died:
            self.runner = None
            raise

    def attempt(self, what, *args, to=None, **keys):
        """What came of it, errors too; a Ref to a variable is made of a
        one-word tuple."""
        on, _, method = what.rpartition(".")
        args = [Ref(var=arg[0]) if isinstance(arg, tuple) else arg
                for arg in args]
        return self.ask(call=method, on=Ref(var=on) if on else None,
                        args=args, keys=keys, name=to)

    def call(self, what, *args, **more):
        got = self.attempt(what, *args, **more)
        if isinstance(got, Error):
            text = got.text.strip().splitlines()
            raise Failed(f"{what}: {got.classes[0]} {got.codes}: "
                         f"{text[-1] if text else ''}")
        if got is Again:
            raise Failed(f"{what}: would block")
        return got

    def end(self):
        """Let go of all that the runner holds."""
        if self.runner:
            self.ask(end=True)

    def finish(self):
        return self.runner.end() if self.runner else None


def run(tally, language, cases):
    """Print TAP for (name, function, reason) of each case, which is skipped
    where there is a reason; a function is given a Client."""
    client = Client(language)
    print(f"1..{len(cases)}", flush=True)
    for number, (name, function, reason) in enumerate(cases, 1):
        label = f"ok {number} - {name}"
        if reason:
            print(f"{label} # SKIP {reason}", flush=True)
            continue
        start = time.monotonic()
        try:
            try:
                function(client)
            finally:
                client.end()
        except Died as error:
            tally.died(error, name)
        except Failed as error:
            tally.wrong(f"{name}: {error}")
        else:
            tally.ok()
            print(f"{label} # {time.monotonic() - start:.1f} s", flush=True)
            continue
        print(f"not {label}", flush=True)
    if failure := client.finish():
        tally.crash(failure)
    return tally.end()


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
