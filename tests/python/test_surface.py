"""The names of ssh2-python 0.18 and 1.2, from surface.tsv, row by row.

`takes` is what a function takes, an exception's base or a deprecated name's
parameters; `or` is what it takes by keyword as well.
"""
import contextlib
import csv
import importlib
import inspect
import os
import re
import unittest
from pathlib import Path

from ssh2 import exceptions, session

REFUSED = re.compile(  # by Python, before the function has seen anything
    r"takes (at most|no|from|exactly|\d+)|(unexpected|invalid) keyword"
    r"|multiple values|missing .*argument|given by name")


def rows():
    with open(Path(__file__).with_name("surface.tsv"), newline="") as file:
        yield from csv.DictReader(file, delimiter="\t")


def accepted(function, *args, **keywords):
    """Whether function takes these arguments, whatever becomes of them."""
    try:
        with contextlib.suppress(OSError, ValueError, AttributeError,
                                 exceptions.BadUseError):
            function(*args, **keywords)
    except TypeError as error:
        return not REFUSED.search(str(error))
    return True


class TestSurface(unittest.TestCase):
    def find(self, path):
        """What a dotted name stands for, and the class it stands in."""
        module, *names = path.split(".")[1:]
        owner, found = None, importlib.import_module(f"ssh2.{module}")
        for name in names:
            owner = found
            found = getattr(owner, name)
        return owner, found

    def check(self, row):
        kind, name = row["kind"], row["name"].split(".")[-1]
        owner, found = self.find(row["name"])
        getattr(self, f"check_{kind}")(owner, name, found, row)

    def check_class(self, module, name, found, row):
        self.assertIsInstance(found, type)
        self.assertEqual((found.__name__, found.__module__),
                         (name, module.__name__))

    def check_exception(self, module, name, found, row):
        self.check_class(module, name, found, row)
        self.assertTrue(issubclass(found, Exception))
        base = getattr(exceptions, row["takes"], Exception)
        self.assertEqual(base.__name__, row["takes"])
        self.assertIs(found.__bases__[0], base)

    def check_constant(self, module, name, found, row):
        kind = int
        if module is session:
            for prefix, made in [("LIBSSH2_METHOD_", session.MethodType),
                                 ("LIBSSH2_FLAG_", session.FlagType)]:
                kind = made if name.startswith(prefix) else kind
        self.assertIs(type(found), kind)

    def check_property(self, cls, name, found, row):
        self.assertFalse(callable(found))

    def check_writable(self, cls, name, found, row):
        record = cls()
        setattr(record, name, 7)
        self.assertEqual(getattr(record, name), 7)

    def check_function(self, module, name, found, row):
        self.check_parameters(found, row)

    def check_method(self, cls, name, found, row):
        self.check_parameters(getattr(cls.__new__(cls), name), row)

    def check_deprecated(self, cls, name, found, row):
        self.check_method(cls, name, found, row)
        self.assertIn("use ", found.__deprecated__)

    def check_parameters(self, function, row):
        self.assertTrue(callable(function))
        if row["takes"] == "*args":
            self.assertTrue(accepted(function, None, None, None))
            return
        takes = [part.split("=") for part in (row["takes"] or "").split(", ")
                 if part]
        required = [name for name, *default in takes if not default]
        names = [name for name, *_ in takes]
        self.assertTrue(accepted(function, *map(mark, required)))
        self.assertFalse(accepted(function, no_such_argument=None))
        # The first ones by place and the others by name, and then a name for
        # what was given by place: it must be taken for that very place.
        for i in range(len(names) + 1):
            first = map(mark, names[:i])
            self.assertTrue(accepted(function, *first, **marks(names[i:])), i)
        for i in range(1, len(names) + 1):
            first, last = map(mark, names[:i]), marks(names[i - 1:])
            self.assertFalse(accepted(function, *first, **last), i)
        if row["or"]:
            self.assertTrue(accepted(function, **marks(row["or"].split(", "))))
        self.check_defaults(function, takes)

    def check_defaults(self, function, takes):
        known = inspect.signature(function).parameters
        for name, *default in takes:
            if default and name in known:
                self.assertEqual(known[name].default, eval(
                    default[0], vars(importlib.import_module(
                        "ssh2.constants"))), name)

    def test_every_row(self):
        good, excepted, count = 0, [], 0
        for row in rows():
            count += 1
            with self.subTest(row["name"]):
                try:
                    self.check(row)
                    good += 1
                except exceptions.FunctionMissingError as error:
                    excepted.append(f"{row['name']}: {error}")
        lines = [f"surface rows {good} of {count}",
                 *(f"  {reason}" for reason in excepted)]
        if "SSH2_BUILD" in os.environ:  # for the table of coverage.py
            report = Path(os.environ["SSH2_BUILD"], "tests", "surface.txt")
            report.write_text("\n".join(lines) + "\n")
        for line in lines:
            print("#", line)
        self.assertGreater(count, 400)


def mark(name):
    """Something that no function has a use for."""
    return object()


def marks(names):
    return {name: mark(name) for name in names}
