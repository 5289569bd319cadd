"""Run every test of this folder, and print TAP."""
import faulthandler
import os
import sys
import unittest
from pathlib import Path

LIMIT = 90  # seconds for one test; then all ends, saying where it hangs


class Tap(unittest.TestResult):
    def startTest(self, test):
        super().startTest(test)
        self.said = False
        faulthandler.dump_traceback_later(LIMIT, exit=True)

    def stopTest(self, test):
        faulthandler.cancel_dump_traceback_later()
        if not self.said:  # only its subtests were told of
            self.say(test, "not ok")
        super().stopTest(test)

    def say(self, test, result, comment=""):
        self.said = True
        part, method = test.id().split(".")[0], test.id().split(".")[-1]
        name = method.removeprefix("test_").replace("_", " ")
        print(f"{result} {self.testsRun} - {part}: {name}{comment}",
              flush=True)

    def addSuccess(self, test):
        self.say(test, "ok")

    def addSkip(self, test, reason):
        self.say(test, "ok", f" # SKIP {reason}")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say(test, "not ok")
        text = self.failures[-1][1] if self.failures else ""
        print("# " + text.replace("\n", "\n# "), flush=True)

    def addError(self, test, err):
        super().addError(test, err)
        self.say(test, "not ok")
        print("# " + self.errors[-1][1].replace("\n", "\n# "), flush=True)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            print(f"# {subtest}: {err[1]!r}", flush=True)


def main(*names):
    here = Path(__file__).resolve().parent
    sys.path[:] = [str(here), *map(os.path.abspath, sys.path)]
    os.chdir(os.environ["SSH2_TMP"])
    loader = unittest.TestLoader()
    suite = loader.loadTestsFromNames(names) if names else \
        loader.discover(str(here))
    print(f"1..{suite.countTestCases()}", flush=True)
    result = Tap()
    suite.run(result)
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
