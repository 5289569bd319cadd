"""Documentation and types: golden outputs, and comments that must fail.

SSH2_GOLDEN=write writes the expected files anew.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
GEN = HERE.parent.parent / "gen" / "gen.py"
SMALL = HERE / "docs"


@unittest.skipUnless(shutil.which("swig"), "no swig")
class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp()).resolve()
        self.addCleanup(shutil.rmtree, self.folder)
        self.tree = self.folder / "swig.xml"
        subprocess.run(
            ["swig", "-python", "-Wall", "-Werror", "-xmlout", self.tree, "-o",
             self.folder / "wrap.c", SMALL / "small.i"], check=True)

    def gen(self, language: str, api: Path = SMALL / "small.h",
            ) -> subprocess.CompletedProcess[str]:
        docs = {"python": "docs.i", "ruby": "binding.rb"}[language]
        out = self.folder / "out"
        return subprocess.run(
            [sys.executable, "-B", str(GEN), language, "--xml", self.tree,
             "--api", api, "--errors", HERE / "small" / "errors.def",
             "--own", SMALL / "sig", "--missing", SMALL / "missing.def", "--docs", out / docs, "--out", out],
            capture_output=True, text=True, check=False)


class Golden(Case):
    def test_all(self) -> None:
        for language in ("python", "ruby"):
            done = self.gen(language)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        made = {path.name: path.read_text()
                for path in (self.folder / "out").iterdir()}
        if os.environ.get("SSH2_GOLDEN") == "write":
            for name, text in made.items():
                (SMALL / "golden" / name).write_text(text)
        self.assertEqual({path.name: path.read_text()
                          for path in (SMALL / "golden").iterdir()}, made)

    def test_what_is_written_parses(self) -> None:
        for path in (SMALL / "golden").glob("*.pyi"):
            ast.parse(path.read_text())
        swig = self.folder / "with.i"
        swig.write_text(f'%include "{SMALL}/golden/docs.i"\n'
                        f'%include "{SMALL}/small.i"\n')
        subprocess.run(["swig", "-python", "-Wall", "-Werror", "-outdir",
                        self.folder, "-o", self.folder / "wrap.c", swig],
                       check=True)
        if shutil.which("ruby"):
            subprocess.run(["ruby", "-wc", SMALL / "golden" / "binding.rb"],
                           check=True, capture_output=True)


BAD = {
    "no comment": ("/* Its name. */", "", "Box.name: s2_box_name has no"),
    "no comment of a record's": (" /* in mm */", "", "Size: s2_size.width has"),
    "no comment of a class's": (" /* a box, with `null` in it */", "",
                                "Box: s2_box has no comment"),
    "a comment that says nothing": ("Its name.", "", "small.h:53: the comment"),
    "an error nobody has": ("KnownError", "UnknownError",
                            "small.h:10: there is no error UnknownError"),
    "errors nobody has": ("SFTP*", "Socket*", "there is no error Socket*"),
    "a part nobody knows": ("Ownership", "Ownershop",
                            "small.h:10: a comment has no part Ownershop"),
    "a part twice": ("Returns ", "Units   ", "small.h:10: a comment has no"),
    "a part too late": ("Source     enter(3)", "Source     enter(3)\n"
                        " * Returns    it", "small.h:10: a comment has no"),
    "parts in disorder": ("Returns    the box that is inside; null: it is the "
                          "last.\n *", "Source     enter(2)\n *",
                          "small.h:10: Errors comes too late"),
    "a parameter nobody has": ("`path` leads", "`way` leads",
                               "small.h:10: no method has a parameter way"),
}


class Bad(Case):
    def test_every(self) -> None:
        text = (SMALL / "small.h").read_text()
        for name, (old, new, message) in BAD.items():
            with self.subTest(name):
                self.assertIn(old, text)
                api = self.folder / "small.h"
                api.write_text(text.replace(old, new, 1))
                for language in ("python", "ruby"):
                    done = self.gen(language, api)
                    self.assertEqual(done.returncode, 1)
                    self.assertIn(message, done.stderr)
                    self.assertNotIn("Traceback", done.stderr)
                    self.assertFalse((self.folder / "out").exists())

    def test_tree_that_does_not_parse(self) -> None:
        self.tree.write_text("<top>\n<oops>\n</top>\n")
        done = self.gen("python")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{self.tree}:3:", done.stderr)


if __name__ == "__main__":
    unittest.main()
