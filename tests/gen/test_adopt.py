"""adopt: from 1.10 to 1.11.1, a release nobody has seen, and bad input."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

from test_gen import (
    BAD,
    CC,
    ERRORS,
    HERE,
    INCLUDES,
    LEDGER,
    Case,
    build,
    gen,
    headers_py,
    ledger,
)


def adopt(include: Path, rows: Path, errors: Path,
          ) -> subprocess.CompletedProcess[str]:
    return gen("adopt", include, "--ledger", rows, "--errors", errors,
               "--cases", rows.parent / "cases", "--cc", CC)


def of_release(rows: Path, newest: tuple[int, ...]) -> str:
    """A ledger without what came after a release."""
    lines = rows.read_text().splitlines(keepends=True)
    return lines[0] + "".join(
        line for line in lines[1:]
        if ledger.version(line.split("\t")[1]) <= newest)


def without(header: str, symbols: list[str]) -> str:
    """A header that does not declare them yet."""
    for symbol in symbols:
        header = re.sub(
            rf"^LIBSSH2_API[^;#]*?\b{symbol}\([^;]*;\n"
            rf"|^#define {symbol}\((?:.*\\\n)*.*\n", "", header, count=1,
            flags=re.MULTILINE)
    return header


def fill(path: Path, symbol: str, owns: str, scope: str) -> None:
    """What a person does where adopt asks."""
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        cells = line.split("\t")
        if cells[0] == symbol:
            assert cells[4] == "?", line
            lines[number] = "\t".join([*cells[:4], owns, scope, cells[6]])
    path.write_text("\n".join(lines) + "\n")


class Small(Case):
    """The library that never was, of which the ledger knows a part."""

    def setUp(self) -> None:
        super().setUp()
        self.here = self.copy()
        self.rows = self.here / "ledger.tsv"

    def adopt(self) -> subprocess.CompletedProcess[str]:
        return adopt(self.here, self.rows, self.here / "errors.def")

    def files(self) -> dict[str, str]:
        return {str(path.relative_to(self.here)): path.read_text()
                for path in sorted(self.here.rglob("*")) if path.is_file()}

    def refuse(self, message: str) -> None:
        before = self.files()
        done = self.adopt()
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertIn(message, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertEqual(self.files(), before)

    def test_golden(self) -> None:
        before = set(self.files())
        done = self.adopt()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        made = {name: text for name, text in self.files().items()
                if name not in before or name == "ledger.tsv"}
        text = done.stdout + "".join(f"\n--- {name}\n{text}"
                                     for name, text in made.items())
        self.compare(text.replace(str(self.here), "small"), "adopt.txt")

    def test_twice_is_nothing_new(self) -> None:
        self.adopt()
        before = self.files()
        done = self.adopt()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("\n0 new: 0 bound", done.stdout)
        self.assertNotIn(": new", done.stdout)
        self.assertEqual(self.files(), before)

    def test_order_and_comments_are_kept(self) -> None:
        text = self.rows.read_text().replace(
            "libssh2_init\t", "# the first to be called\nlibssh2_init\t")
        self.rows.write_text(text)
        self.adopt()
        known = text.splitlines()
        self.assertEqual([line for line in self.rows.read_text().splitlines()
                          if line in known], known)

    def test_a_prefix(self) -> None:
        prefix = self.folder / "prefix"
        shutil.copytree(self.here, prefix / "include")
        done = adopt(prefix, self.rows, self.here / "errors.def")
        self.assertIn(f"9.8.7_DEV, {prefix}/include\n", done.stdout)

    def test_bad_input(self) -> None:
        for name, (file, old, new, message) in BAD.items():
            if "derive" in name or name.startswith("a macro"):
                continue  # known by building only
            with self.subTest(name):
                Small.setUp(self)
                path = self.here / file
                path.write_text(path.read_text().replace(old, new, 1))
                self.refuse(message)

    def test_folder_without_headers(self) -> None:
        (self.here / "libssh2.h").unlink()
        self.refuse(f"{self.here}: no libssh2.h there, nor in its include")

    def change(self, old: str, new: str) -> None:
        self.adopt()
        header = self.here / "libssh2.h"
        self.assertIn(old, header.read_text())
        header.write_text(header.read_text().replace(old, new, 1))

    def test_a_signature_that_changed_under_code(self) -> None:
        self.change("libssh2_session_handshake(LIBSSH2_SESSION *session,\n",
                    "libssh2_session_handshake(LIBSSH2_SESSION *session, "
                    "int how,\n")
        self.refuse("ledger.tsv:3: libssh2_session_handshake was number "
                    "(LIBSSH2_SESSION *, number), is number (LIBSSH2_SESSION "
                    f"*, number, number) at {self.here}/libssh2.h:74")

    def test_a_signature_that_changed_is_derived_anew(self) -> None:
        self.change("libssh2_session_ping(LIBSSH2_SESSION *session, int count",
                    "libssh2_session_ping(LIBSSH2_SESSION *session, "
                    "long *count")
        done = self.adopt()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("ledger.tsv:2: libssh2_session_ping was number "
                      "(LIBSSH2_SESSION *, number), is number "
                      "(LIBSSH2_SESSION *, long *) at", done.stdout)
        self.assertIn("\n0 new: 0 bound, 0 once their cells are filled in, 0 "
                      "by hand, 0 need code; 1 changed", done.stdout)

    def test_a_constant_that_changed(self) -> None:
        self.change("#define LIBSSH2_LONG 5L", "#define LIBSSH2_LONG 6L")
        self.assertIn("LIBSSH2_LONG was 5, is 6", self.adopt().stdout)

    def test_older_headers_write_nothing(self) -> None:
        self.change('"9.8.7_DEV"', '"9.8.6"')
        before = self.files()
        done = self.adopt()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("older than libssh2 9.8.7_DEV", done.stdout)
        self.assertEqual(self.files(), before)

    def test_cells_that_are_filled_in_bind(self) -> None:
        self.adopt()
        out = self.folder / "out"
        build(self.here, self.rows, self.here / "errors.def", out)
        self.assertNotIn("open_odd", (out / "s2_derived.i").read_text())
        fill(self.rows, "libssh2_channel_open_odd", "handle", "session")
        done = build(self.here, self.rows, self.here / "errors.def", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("s2_error *open_odd(s2_channel **out)",
                      (out / "s2_derived.i").read_text())


class Release(Case):
    """From 1.10.0 to 1.11.1, whose eleven new functions are known by now."""

    CELLS = {
        "libssh2_userauth_banner": ("lent", "none"),
        "libssh2_channel_direct_streamlocal_ex": ("handle", "session"),
        "libssh2_sftp_open_ex_r": ("handle reads", "sftp"),
    }
    PLAIN = {"libssh2_channel_signal_ex", "libssh2_crypto_engine",
             "libssh2_sftp_posix_rename_ex"}
    # What calls back; the agent, which the core asks; how long it waits.
    CODE = {"libssh2_session_callback_set2", "libssh2_userauth_publickey_sk",
            "libssh2_agent_sign", "libssh2_session_set_read_timeout",
            "libssh2_session_get_read_timeout"}

    def test_nothing_is_new_in_what_was_adopted(self) -> None:
        if "1.11.1" not in INCLUDES:
            self.skipTest("no headers of libssh2 1.11.1")
        before = {}
        for path in (LEDGER, LEDGER.with_name("known.tsv")):
            shutil.copy(path, self.folder)
            before[path.name] = path.read_text()
        done = adopt(INCLUDES["1.11.1"], self.folder / LEDGER.name, ERRORS)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertNotIn(": new", done.stdout)
        self.assertEqual({p.name: p.read_text() for p in self.folder.iterdir()},
                         before)

    def test_eleven(self) -> None:
        if "1.11.1" not in INCLUDES:
            self.skipTest("no headers of libssh2 1.11.1")
        rows = self.folder / "ledger.tsv"
        rows.write_text(of_release(LEDGER, (1, 10, 0)))
        old = INCLUDES.get("1.10.0")
        if not old:
            old = self.folder / "1.10.0"
            old.mkdir()
            young = [row.symbol for row in ledger.read_ledger(LEDGER).values()
                     if row.since > (1, 10, 0)]
            for path in INCLUDES["1.11.1"].glob("libssh2*.h"):
                text = without(path.read_text(), young)
                (old / path.name).write_text(
                    text.replace('LIBSSH2_VERSION "1.11.1"',
                                 'LIBSSH2_VERSION "1.10.0"'))
        done = adopt(old, rows, ERRORS)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("\n0 new:", done.stdout)
        done = adopt(INCLUDES["1.11.1"], rows, ERRORS)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        real, now = ledger.read_ledger(LEDGER), ledger.read_ledger(rows)
        got = headers_py.read(INCLUDES["1.11.1"], [CC])
        new = {name: row for name, row in now.items()
               if name in got.functions and got.functions[name].exported
               and row.since > (1, 10, 0)}
        self.assertEqual(set(new), {*self.CELLS, *self.PLAIN, *self.CODE})
        self.assertEqual({n for n, r in new.items() if "?" in r.owns},
                         set(self.CELLS))
        self.assertEqual({n for n, r in new.items() if r.how == "hand"},
                         self.CODE)
        for symbol, (owns, scope) in self.CELLS.items():
            fill(rows, symbol, owns, scope)
        out = self.folder / "out"
        done = build(INCLUDES["1.11.1"], rows, ERRORS, out)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        # What is built, and called by the shared cases, is this very code.
        now = ledger.read_ledger(rows)
        for symbol in (*self.CELLS, *self.PLAIN):
            self.assertEqual((now[symbol].how, now[symbol].bound),
                             (real[symbol].how, real[symbol].bound), symbol)
            self.assertEqual(now[symbol].scope, real[symbol].scope, symbol)
            self.assertEqual({*now[symbol].owns} - {"counts"},
                             {*real[symbol].owns}, symbol)
        cases = {str(p.relative_to(self.folder / "cases"))
                 for p in (self.folder / "cases").rglob("*.case")}
        self.assertEqual(cases, {
            "channel/signal.case", "module/crypto_engine.case",
            "session/direct_streamlocal_ex.case", "sftp/open_ex_r.case",
            "session/userauth_banner.case", "sftp/posix_rename.case"})


if __name__ == "__main__":
    os.chdir(HERE)
    unittest.main()
