"""A release that nobody has seen, from its headers to calls in two languages.

new.h is added to the headers at hand, new.c to the library behind them; the
two are an installed prefix, which is adopted and built against. All is in a
folder of the build's own, where what has not changed is not built anew.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from test_adopt import adopt, fill
from test_gen import ERRORS, HERE, LEDGER, ROOT, ledger

BUILD = Path(os.environ["SSH2_BUILD"], "unseen")
PREFIX = BUILD / "prefix"
CC, CMAKE, RUBY = (os.environ[name] for name in ("CC", "CMAKE", "RUBY"))
CELLS = {
    "libssh2_session_motto": ("lent", "none"),
    "libssh2_session_decode": ("given", "session"),
    "libssh2_channel_open_odd": ("handle", "session"),
    "libssh2_sftp_guess": ("struct", "sftp"),
}
PLAIN = {"libssh2_mood", "libssh2_session_get_turns", "libssh2_session_greet",
         "libssh2_channel_tally_ex", "libssh2_channel_tally"}
CLASSES = {"ParityError": "SSH2Error", "SFTPTooLoudError": "SFTPProtocolError"}


def run(*words: object, **env: object) -> str:
    done = subprocess.run(
        list(map(str, words)), capture_output=True, text=True, check=False,
        env={**os.environ, **{key: str(text) for key, text in env.items()}})
    if done.returncode:
        raise AssertionError(f"{words[0]}: {done.stdout}{done.stderr}")
    return done.stdout


def put(path: Path, text: str) -> None:
    """Write a file, unless it is so already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)


def install() -> None:
    """The prefix: headers, and a library that is two."""
    for path in Path(os.environ["SSH2_INCLUDES"]).glob("libssh2*.h"):
        text = path.read_text()
        if path.name == "libssh2_sftp.h":
            before, end, after = text.rpartition("#endif")
            new = (HERE / "unseen" / "new.h").read_text()
            text = f"{before}{new}\n{end}{after}"
        put(PREFIX / "include" / path.name, text)
    made = PREFIX / "lib" / "new.o"
    made.parent.mkdir(exist_ok=True)
    run(CC, "-fPIC", "-Wall", "-Wextra", "-Werror", "-I", PREFIX / "include",
        "-c", HERE / "unseen" / "new.c", "-o", made)
    put(PREFIX / "lib" / "libssh2.so",
        f"INPUT({made} {os.environ['SSH2_LIBRARY']} -lcrypto -lz)\n")


class Unseen(unittest.TestCase):
    maxDiff = None

    def test_all(self) -> None:
        install()
        self.adopt()
        self.build()
        for language in ("python", "ruby"):
            with self.subTest(language):
                self.call(language)
        self.classes()

    def adopt(self) -> None:
        """Take it in; only the cells of four are asked for."""
        with tempfile.TemporaryDirectory() as folder:
            rows = Path(folder, "ledger.tsv")
            shutil.copy(LEDGER, rows)
            done = adopt(PREFIX, rows, ERRORS)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            was, now = ledger.read_ledger(LEDGER), ledger.read_ledger(rows)
            new = {name: row for name, row in now.items() if name not in was}
            self.assertEqual(
                {name: row.how for name, row in new.items()},
                {**dict.fromkeys([*PLAIN, *CELLS], "derived"),
                 "libssh2_session_watch": "later"})
            self.assertEqual({name for name, row in new.items()
                              if "?" in row.owns}, set(CELLS))
            self.assertIn("code: tell is called back", done.stdout)
            for name, parent in CLASSES.items():
                self.assertIn(f": {name} under {parent}\n", done.stdout)
            for symbol, (owns, scope) in CELLS.items():
                fill(rows, symbol, owns, scope)
            put(BUILD / "ledger.tsv", rows.read_text())

    def build(self) -> None:
        if not (BUILD / "build.ninja").is_file():
            run(CMAKE, "-G", "Ninja", "-S", ROOT, "-B", BUILD,
                "-DSSH2_LIBSSH2=system", f"-DSSH2_LIBSSH2_ROOT={PREFIX}",
                f"-DSSH2_LEDGER={BUILD / 'ledger.tsv'}",
                f"-DCMAKE_C_COMPILER={CC}", "-DCMAKE_BUILD_TYPE=Debug",
                f"-DPython3_EXECUTABLE={sys.executable}",
                f"-DRuby_EXECUTABLE={RUBY}")
        said = run(CMAKE, "--build", BUILD, "--target", "publish_python",
                   "publish_ruby")
        self.assertNotIn("has no row in", said)
        self.assertNotIn("waits for its cells", said)

    def call(self, language: str) -> None:
        run(sys.executable, ROOT / "tests" / "conformance.py", language,
            HERE / "unseen" / "new.case", SSH2_BUILD=BUILD,
            PYTHONPATH=BUILD / "python", RUBYLIB=BUILD / "ruby",
            SSH2_INTERPRETER={"python": sys.executable}.get(language, RUBY))

    def classes(self) -> None:
        """What codes that nobody has met are raised as."""
        for name, parent in CLASSES.items():
            run(sys.executable, "-c", "from ssh2.exceptions import *; "
                f"assert issubclass({name}, {parent})",
                PYTHONPATH=BUILD / "python")
            run(RUBY, "-rssh2", "-e",
                f"SSH2::{name} < SSH2::{parent} or exit 1",
                RUBYLIB=BUILD / "ruby")


if __name__ == "__main__":
    unittest.main()
