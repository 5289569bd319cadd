"""The generator: golden outputs, bad inputs, the real headers.

SSH2_GOLDEN=write writes the expected files anew.  SSH2_INCLUDES names folders
of libssh2's headers, SSH2_BUILD the build tree whose SWIG trees are read.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
GEN = ROOT / "gen"
sys.path.insert(0, str(GEN))
sys.dont_write_bytecode = True

import headers as headers_py
import ledger
import rules

LEDGER, ERRORS = GEN / "ledger.tsv", ROOT / "core" / "errors.def"
CC = os.environ.get("CC", "cc")
# Every set of headers that is at hand, by version.
INCLUDES: dict[str, Path] = {}
for word in [*os.environ.get("SSH2_INCLUDES", "").split(":"), "/usr/include"]:
    header = Path(word, "libssh2.h")
    found = word and header.is_file() and re.search(
        r'LIBSSH2_VERSION\s+"([\d.]+)', header.read_text())
    if found:
        INCLUDES.setdefault(found[1], Path(word))


def gen(*args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", str(GEN / "gen.py"), *map(str, args)],
        capture_output=True, text=True, check=False)


def build(include: Path, rows: Path, errors: Path, out: Path,
          ) -> subprocess.CompletedProcess[str]:
    return gen("build", "--include", include, "--ledger", rows, "--errors",
               errors, "--cc", CC, "--out", out)


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.folder = self.folder.resolve()
        self.addCleanup(shutil.rmtree, self.folder)

    def copy(self) -> Path:
        """The small headers, to be spoilt."""
        to = Path(tempfile.mkdtemp(dir=self.folder)) / "small"
        shutil.copytree(HERE / "small", to)
        return to

    def compare(self, made: str, name: str) -> None:
        golden = HERE / "golden" / name
        if os.environ.get("SSH2_GOLDEN") == "write":
            golden.parent.mkdir(exist_ok=True)
            golden.write_text(made)
        self.assertEqual(made, golden.read_text(), name)


class Golden(Case):
    def test_build(self) -> None:
        here = self.copy()
        out = self.folder / "out"
        done = build(here, here / "ledger.tsv", here / "errors.def", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        texts = {path.name: path.read_text() for path in out.iterdir()}
        texts["warnings.txt"] = done.stderr
        for name, text in sorted(texts.items()):
            self.compare(text.replace(str(here), "small"), name)
        self.assertEqual(
            {path.name for path in (HERE / "golden").iterdir()},
            {*texts, "adopt.txt"})

    def test_twice_is_the_same(self) -> None:
        here = self.copy()
        made = []
        for name in ("one", "two"):
            out = self.folder / name
            build(here, here / "ledger.tsv", here / "errors.def", out)
            made.append({p.name: p.read_bytes() for p in out.iterdir()})
        self.assertEqual(made[0], made[1])


# Which file, what is replaced by what, and what the message must hold.
BAD = {
    "a header that does not parse": (
        "libssh2_sftp.h", "int libssh2_sftp_link_ex(LIBSSH2_SFTP *sftp,",
        "int int libssh2_sftp_link_ex(LIBSSH2_SFTP sftp sftp,",
        "libssh2_sftp.h:17:"),
    "a type nobody declared": (
        "libssh2.h", "LIBSSH2_API int libssh2_init(int flags)",
        "LIBSSH2_API int libssh2_init(flags_t flags)", "libssh2.h:77:"),
    "a directive that does not parse": (
        "libssh2.h", "#ifdef LIBSSH2_NEVER_DEFINED", "#if (", "libssh2.h:46:"),
    "a constant the compiler refuses": (
        "libssh2.h", "#define LIBSSH2_SHIFTED (3<<16)",
        "#define LIBSSH2_SHIFTED (3<<)", "libssh2.h:36:"),
    "no version": (
        "libssh2.h", '#define LIBSSH2_VERSION "9.8.7_DEV"',
        '#define LIBSSH2_BANNER2 ""\n#define LIBSSH2_BANNER3 "" ""',
        "libssh2.h:1: no LIBSSH2_VERSION"),
    "a row for a symbol that is gone": (
        "ledger.tsv", "libssh2_session_handshake\t", "libssh2_session_hello\t",
        "ledger.tsv:3: libssh2_session_hello is bound by hand, but"),
    "two rows for one symbol": (
        "ledger.tsv", "libssh2_init\t", "libssh2_session_motto\t",
        "ledger.tsv:5: libssh2_session_motto has a row already"),
    "a row of too few cells": (
        "ledger.tsv", "\tlater\t-", "\tlater", "ledger.tsv:4: 6 cells"),
    "an empty line": (
        "ledger.tsv", "libssh2_init", "\nlibssh2_init", "ledger.tsv:5:"),
    "a word the column does not know": (
        "ledger.tsv", "\tnever\t", "\tmaybe\t", "ledger.tsv:5: how is 'maybe'"),
    "a scope nobody has": (
        "ledger.tsv", "-\tsession\t-\nlibssh2_session_hand",
        "-\tsession\t-\nlibssh2_session_hand".replace("session", "channel", 1),
        "ledger.tsv:2: scope is 'channel'"),
    "a version that is none": (
        "ledger.tsv", "\t1.2\t", "\tone\t", "ledger.tsv:2: since is 'one'"),
    "to come without a reason": (
        "ledger.tsv", "waits for a reader", "-",
        "ledger.tsv:4: later needs a reason"),
    "derived, but not as a method": (
        "ledger.tsv", "Session.ping", "-", "ledger.tsv:2: derived needs one"),
    "derived, but not safe": (
        "ledger.tsv", "later\t-\tlent\tnone\twaits for a reader",
        "derived\tSession.motto\t-\tnone\t-",
        "session_motto is not safe to derive: is the result, "),
    "derived, of another class": (
        "ledger.tsv", "SFTPHandle.fill_in", "SFTP.fill_in",
        "sftp_fill_in is not safe to derive: it is of SFTPHandle"),
    "derived, where nothing is lent": (
        "ledger.tsv", "Session.ping\t-", "Session.ping\tlent",
        "ledger.tsv:2: libssh2_session_ping is not safe to derive: nothing is "
        "there that is lent"),
    "derived, though it keeps what it is given": (
        "ledger.tsv", "Session.joke\tgiven", "Session.joke\tgiven kept",
        "is not safe to derive: is about, const char *, kept after the call?"),
    "a macro that does more than to fix arguments": (
        "libssh2_sftp.h", "(sftp), (path), strlen(path), (7 + 1)",
        "(sftp), (path), strlen(path), 1 + sizeof(attrs)",
        "libssh2_sftp_dig does more than to fix arguments"),
    "a cell to be filled in where a person writes the code": (
        "ledger.tsv", "Session.handshake\tkept", "Session.handshake\t?",
        "ledger.tsv:3: only what is derived can wait for a cell"),
    "one method derived twice": (
        "ledger.tsv", "Session.mood\t", "Session.ping\t",
        "session_mood is not safe to derive: Session.ping is there already"),
    "derived, in a scope the class has not": (
        "ledger.tsv", "Session.ping\t-\tsession", "Session.ping\t-\tsftp",
        "session_ping is not safe to derive: Session has no scope sftp"),
    "other columns": (
        "ledger.tsv", "symbol\tsince", "since\tsymbol", "ledger.tsv:1:"),
    "a row of errors that is none": (
        "errors.def", "S2_CODE(LIBSSH2_ERROR_KNOWN, ",
        'S2_CODE(LIBSSH2_ERROR_KNOWN, "Known", ', "errors.def:7: no row"),
    "a class twice": (
        "errors.def", "KnownError, SSH", "TakenError, SSH",
        "errors.def:7: LIBSSH2_ERROR_KNOWN has a row already"),
    "a parent below its child": (
        "errors.def", "SSH2Error)\n\n", "ProtocolError)\n\n",
        "errors.def:5: ProtocolError does not stand above TakenError"),
}


class Bad(Case):
    def refuse(self, here: Path, message: str) -> None:
        out = here / "out"
        out.mkdir()
        kept = out / "constants.i"
        kept.write_text("as it was\n")
        done = build(here, here / "ledger.tsv", here / "errors.def", out)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(message, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertEqual([p.name for p in out.iterdir()], ["constants.i"])
        self.assertEqual(kept.read_text(), "as it was\n")

    def test_every(self) -> None:
        for name, (file, old, new, message) in BAD.items():
            with self.subTest(name):
                here = self.copy()
                path = here / file
                self.assertIn(old, path.read_text())
                path.write_text(path.read_text().replace(old, new, 1))
                self.refuse(here, message)

    def test_folder_without_headers(self) -> None:
        here = self.copy()
        (here / "libssh2_sftp.h").unlink()
        self.refuse(here, "no libssh2_sftp.h there")

    def test_no_ledger(self) -> None:
        here = self.copy()
        (here / "ledger.tsv").unlink()
        self.refuse(here, "ledger.tsv")

    def test_no_compiler(self) -> None:
        here = self.copy()
        done = gen("build", "--include", here, "--ledger", here / "ledger.tsv",
                   "--errors", here / "errors.def", "--cc", "/no/such/cc",
                   "--out", self.folder / "out")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/no/such/cc", done.stderr)


def disagreements(blind: rules.Binding, row: ledger.Row) -> list[str]:
    """Where the rules, run blind, claim what the ledger denies."""
    out: list[str] = []
    if not blind.safe:
        return out
    claimed = {f"{blind.cls}.{name}".lstrip(".") for name in blind.names}
    if row.bound and not claimed & set(row.bound):
        out.append(f"named {blind.method}, is {' '.join(row.bound)}")
    if row.how in ("never", "own") or (row.how == "hand" and not row.bound):
        out.append(f"safe to derive, is not: {row.reason}")
    if row.owns:
        out.append(f"owns nothing, is {' '.join(row.owns)}")
    # Any other scope is a guess that is on the safe side.
    if blind.scope == "pure" and row.scope != "pure":
        out.append(f"never waits and is no error, is {row.scope}")
    return out


class Real(Case):
    """The headers that are at hand, against the ledger."""

    def test_functions(self) -> None:
        rows = ledger.read_ledger(LEDGER)
        for version, count in (("1.10.0", 126), ("1.11.1", 137)):
            with self.subTest(version):
                if version not in INCLUDES:
                    self.skipTest(f"no headers of libssh2 {version}")
                out = self.folder / version
                done = build(INCLUDES[version], LEDGER, ERRORS, out)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                got = headers_py.read(INCLUDES[version], [CC])
                public = [f for f in got.functions.values() if f.exported]
                self.assertEqual(len(public), count)
                self.assertEqual(
                    [name for name in got.functions if name not in rows], [])
                self.assertEqual(
                    [name for name in got.macros
                     if ledger.alias_of(name, got) and name not in rows], [])
                have = (out / "s2_have.h").read_text()
                self.assertEqual(have.count("#define S2_HAVE_libssh2_"), count)

    def test_no_row_for_nothing(self) -> None:
        if "1.11.1" not in INCLUDES:
            self.skipTest("no headers of libssh2 1.11.1")
        got = headers_py.read(INCLUDES["1.11.1"], [CC])
        newest = ledger.version(got.version)
        self.assertEqual([row.symbol
                          for row in ledger.read_ledger(LEDGER).values()
                          if row.symbol not in got.functions
                          and row.symbol not in got.macros
                          and row.since <= newest], [])

    def test_what_is_bound_by_hand_is_called(self) -> None:
        code = "".join(path.read_text()
                       for path in sorted((ROOT / "core").glob("*.c")))
        idle = [row.symbol for row in ledger.read_ledger(LEDGER).values()
                if row.how == "hand" and row.reason == "-"
                and not re.search(rf"\b{row.symbol}\b", code)]
        self.assertEqual(idle, [])

    def test_blind_run(self) -> None:
        """docs/gen.md lists where the rules are wrong; nothing is derived."""
        if "1.11.1" not in INCLUDES:
            self.skipTest("no headers of libssh2 1.11.1")
        rows = ledger.read_ledger(LEDGER)
        got = headers_py.read(INCLUDES["1.11.1"], [CC])
        lines = []
        for f in got.functions.values():
            wrong = disagreements(rules.bind(f, got), rows[f.name])
            if wrong:
                lines.append(f"| {f.name} | {'; '.join(wrong)} |")
        page = (ROOT / "docs" / "gen.md").read_text()
        listed = [line for line in page.splitlines()
                  if line.startswith("| libssh2_")]
        self.assertEqual(lines, listed)

    def test_new_codes_get_a_class(self) -> None:
        if "1.11.1" not in INCLUDES:
            self.skipTest("no headers of libssh2 1.11.1")
        few = self.folder / "errors.def"
        text = ERRORS.read_text()
        for code in ("LIBSSH2_ERROR_HASH_CALC", "LIBSSH2_FX_LINK_LOOP"):
            text = re.sub(rf"^.*\b{code}\b.*\n", "", text, flags=re.MULTILINE)
        few.write_text(text)
        build(INCLUDES["1.11.1"], LEDGER, few, self.folder / "out")
        self.assertEqual(
            (self.folder / "out" / "errors_new.def").read_text().split("\n")[1:3],
            ["S2_CODE(LIBSSH2_ERROR_HASH_CALC, HashCalcError, SSH2Error)",
             "S2_SFTP(LIBSSH2_FX_LINK_LOOP, SFTPLinkLoopError, 0)"])


# What a release that nobody has seen might declare.
UNSEEN = """
#define LIBSSH2_ERROR_UNHEARD_OF -777
#define LIBSSH2_FLAG_UNHEARD_OF 0x80000000
LIBSSH2_API int libssh2_session_hurry(LIBSSH2_SESSION *session, int how_much);
LIBSSH2_API const char *libssh2_session_mood(LIBSSH2_SESSION *session);
LIBSSH2_API int libssh2_session_verify(LIBSSH2_SESSION *session);
LIBSSH2_API int libssh2_hurry(LIBSSH2_SESSION *session);
LIBSSH2_API int libssh2_channel_paint_ex(LIBSSH2_CHANNEL *channel,
                                         const char *from,
                                         unsigned int from_len,
                                         const unsigned char *pixels,
                                         size_t pixels_len, char fill,
                                         unsigned char depth, time_t when);
#define libssh2_channel_paint(channel, from, pixels, pixels_len, fill, depth, \
                              when) \
    libssh2_channel_paint_ex((channel), (from), (unsigned int)strlen(from), \
                             (pixels), (pixels_len), (fill), (depth), (when))
LIBSSH2_API unsigned long libssh2_channel_print(LIBSSH2_CHANNEL *channel,
                                                size_t *used, int *least,
                                                int64_t *most);
LIBSSH2_API ssize_t libssh2_channel_flush_some(LIBSSH2_CHANNEL *channel,
                                               libssh2_uint64_t most);
LIBSSH2_API void libssh2_session_set_engine(LIBSSH2_SESSION *session,
                                            libssh2_crypto_engine_t engine);
"""


class Unseen(Case):
    """A release that nobody has seen: bound without an edit, where plain."""

    def setUp(self) -> None:
        super().setUp()
        if "1.11.1" not in INCLUDES:
            self.skipTest("no headers of libssh2 1.11.1")
        self.here, self.out = self.folder / "include", self.folder / "out"
        self.here.mkdir()
        for path in INCLUDES["1.11.1"].glob("libssh2*.h"):
            shutil.copy(path, self.here)
        header = self.here / "libssh2.h"
        mark = "#define HAVE_LIBSSH2_AGENT_API"
        header.write_text(
            header.read_text().replace(mark, UNSEEN + "\n" + mark))
        done = build(self.here, LEDGER, ERRORS, self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count("has no row in"), 8)

    def test_what_is_bound(self) -> None:
        text = (self.out / "coverage.txt").read_text()
        self.assertEqual(
            re.findall(r"^  (libssh2_\w+) \(.*\): (.*)$", text, re.MULTILINE),
            [("libssh2_session_hurry", "derived as Session.hurry"),
             ("libssh2_session_mood",
              "owns: is the result, const char *, lent, or given to be freed?"),
             ("libssh2_session_verify", "code: Session.verify is there already"),
             ("libssh2_hurry", "code: Session.hurry is there already"),
             ("libssh2_channel_paint_ex", "derived as Channel.paint"),
             ("libssh2_channel_print", "derived as Channel.print"),
             ("libssh2_channel_flush_some", "derived as Channel.flush_some"),
             ("libssh2_session_set_engine", "derived as Session.set_engine")])
        self.assertIn("UNHEARD_OF, UnheardOfError, SSH2Error",
                      (self.out / "errors_new.def").read_text())
        self.assertIn("unsigned int LIBSSH2_FLAG_UNHEARD_OF",
                      (self.out / "constants.i").read_text())

    def test_it_compiles(self) -> None:
        done = subprocess.run(
            [CC, "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
             "-I", ROOT / "core", "-I", self.out, "-I", self.here,
             self.out / "s2_derived.c"],
            capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_it_wraps(self) -> None:
        if not shutil.which("swig"):
            self.skipTest("no swig")
        for language in ("python", "ruby"):
            with self.subTest(language):
                tree = self.folder / f"{language}.xml"
                done = subprocess.run(
                    ["swig", f"-{language}", "-Wall", "-Werror", "-I" + str(
                        ROOT / "swig"), "-I" + str(ROOT / "swig" / language),
                     "-I" + str(self.out), "-I" + str(ROOT / "core"),
                     "-DSSH2_FIRST", "-xmlout", tree, "-o", self.folder / "wrap.c",
                     ROOT / "swig" / "ssh2.i"],
                    capture_output=True, text=True, check=False)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertLessEqual(
                    {"Session.hurry", "Channel.paint", "Channel.flush_some",
                     "Channel.print", "Session.set_engine"}, methods(tree))


def methods(tree: Path) -> set[str]:
    """Class, Class.method and function of a parse tree of SWIG's."""
    def name(node: ET.Element) -> str:
        found = node.find("attributelist/attribute[@name='sym_name']")
        return "" if found is None else found.get("value", "")

    top = ET.parse(tree).getroot()
    out = {name(node) for node in top.iter("cdecl")}
    for cls in top.iter("class"):
        out.add(name(cls))
        out |= {f"{name(cls)}.{name(m)}" for m in cls.iter("cdecl")}
    return out


class Bound(Case):
    """Every cell that says bound is true in both languages."""

    def test_bound(self) -> None:
        folder = Path(os.environ.get("SSH2_BUILD", ROOT / "build"), "swig")
        coverage = folder.parent / "gen" / "coverage.txt"
        for language in ("python", "ruby"):
            with self.subTest(language):
                tree = folder / f"{language}.xml"
                if not tree.is_file():
                    self.skipTest(f"{tree} is not built")
                there = methods(tree)
                absent = re.findall(r"^  (libssh2_\w+)$", coverage.read_text(),
                                    re.MULTILINE)
                missing = [f"{row.symbol}: {name}"
                           for row in ledger.read_ledger(LEDGER).values()
                           for name in row.bound
                           if name not in there and row.symbol not in absent]
                self.assertEqual(missing, [])


if __name__ == "__main__":
    unittest.main()
