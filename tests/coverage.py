"""What is bound, and which outcomes of which methods the cases have seen.

Reads what gen and SWIG left in the build and what conformance.py noted, prints
the table, and fails where a method has an outcome that no case has and that
neither a rule nor cases/exempt.tsv excuses, or where the languages differ.
"""
import fnmatch
import itertools
import json
import os
import re
import sys
import textwrap
import xml.etree.ElementTree as ET
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ["SSH2_BUILD"])
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent / "gen"))

import ledger  # noqa: E402
import interface  # noqa: E402

OUTCOMES = {"success": "success", "error": "error", "closed": "after close",
            "again": "would block"}
NO_FAILURE = "returns no error"
QUICK = "never waits (the ledger's scope)"
VALUE = "its number is never an error (the ledger's scope)"
FIELD = "a field of a record"
ALONE = "a function, of no object"


class Method:
    """A method, and why some of its outcomes cannot be."""

    def __init__(self):
        self.excused = {}

    def excuse(self, reason, *outcomes):
        for outcome in outcomes:
            self.excused.setdefault(outcome, reason)


# --- the methods there are --------------------------------------------------


def from_tree(tree, rows):
    """Class, name and method of all that SWIG wraps."""
    scopes = defaultdict(set)
    for row in rows.values():
        for bound in row.bound:
            scopes[bound].add(row.scope)
    nodes = [("SSH2", node) for node in tree.iter("cdecl") if
             interface.attributes(node).get("view") == "globalfunctionHandler"]
    for parent in tree.iter("class"):
        name = interface.attributes(parent)["sym_name"]
        nodes += [(name, node) for node in parent.iter("cdecl")]
    for cls, node in nodes:
        a = interface.attributes(node)
        if "sym_name" not in a:
            continue
        name, scope = a["sym_name"], scopes[f"{cls}.{a['sym_name']}"]
        method = Method()
        returned = interface.spell(a["decl"].split(").")[-1] + a["type"])
        if a.get("kind") == "variable":
            method.excuse(FIELD, "error", "closed", "again")
        if cls == "SSH2":
            method.excuse(ALONE, "closed", "again")
        if returned not in ("s2_error *", "s2_error"):
            method.excuse(NO_FAILURE, "error", "again")
        if scope and scope <= {"none", "pure"}:
            method.excuse(QUICK, "again")
        if scope == {"pure"}:
            method.excuse(VALUE, "error")
        yield cls, name, method


def every(noted, rows):
    """What all languages have: SWIG's methods, and names they add alike."""
    found = []
    for language, calls in noted.items():
        path = BUILD / "swig" / f"{language}.xml"
        tree = {(cls, name): method for cls, name, method
                in from_tree(ET.parse(path).getroot(), rows)}
        classes = {cls for cls, _ in tree}
        tree |= {(cls, name): Method() for cls in classes
                 for name in calls["offers"].get(cls, ())
                 if (cls, name) not in tree}
        found.append(tree)
    shared = set.intersection(*map(set, found))
    return {key: found[0][key] for key in found[0] if key in shared}


def exempt(methods, seen):
    """Put the reasons of exempt.tsv into methods; what is wrong with it."""
    path, wrong = HERE / "cases" / "exempt.tsv", []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        names, outcomes, reason = line.split("\t")
        for name, outcome in itertools.product(names.split(),
                                               outcomes.split(",")):
            meant = [key for key in methods
                     if fnmatch.fnmatchcase(".".join(key), name)]
            if not meant or outcome not in OUTCOMES:
                wrong.append(f"{path.name}:{number}: no {name} {outcome}")
            for key in meant:
                if outcome in methods[key].excused or outcome in seen[key]:
                    wrong.append(f"{path.name}:{number}: {'.'.join(key)} "
                                 f"{outcome}: not needed")
                methods[key].excuse(reason, outcome)
    return wrong


# --- the table --------------------------------------------------------------


class Table:
    """The text, and what it found missing."""

    def __init__(self, methods, seen, skipped):
        self.methods, self.seen, self.skipped = methods, seen, skipped
        self.lines, self.gaps = [], []

    def say(self, head, words):
        self.lines += textwrap.wrap(
            f"{head}: {', '.join(words)}", 80, subsequent_indent="    ",
            break_on_hyphens=False, break_long_words=False)

    def report(self, word, title):
        """A line of gen's report, and what it says under `title`."""
        text = (BUILD / "gen" / "coverage.txt").read_text()
        self.lines.append(re.search(rf"^{word} .*", text, re.MULTILINE)[0])
        reasons = defaultdict(list)
        for section in re.findall(rf"^(?:{title}):\n((?:  .*\n)+)", text,
                                  re.MULTILINE):
            for line in section.splitlines():
                name, _, why = line.strip().partition(": ")
                reasons[re.sub(r"^/\S+: ", "", why)].append(name)
        for why, names in reasons.items():
            self.say(f"  {why}", names)

    def bound(self):
        self.report("functions", "to come|never|by the core's own means")
        self.report("constants", "constants left out")
        surface = BUILD / "tests" / "surface.txt"
        if surface.exists():
            self.lines += surface.read_text().splitlines()

    def covered(self, key, outcome):
        """Where nothing is waited for, bad arguments are the error."""
        return outcome in self.seen[key] or (
            outcome == "error" and "again" in self.methods[key].excused and
            "refused" in self.seen[key])

    def row(self, cls, sums):
        cells = [f"{n} of {of}" for n, of in sums]
        self.lines.append(f"{cls:18}" + "".join(f"{c:>12}" for c in cells))

    def outcomes(self):
        """By class: methods called, and each outcome that they can have."""
        total, forgiven = [(0, 0)] * (len(OUTCOMES) + 1), defaultdict(list)
        heads = ["called", *OUTCOMES.values()]
        self.lines += ["", " " * 18 + "".join(f"{h:>12}" for h in heads)]
        for cls in dict.fromkeys(cls for cls, _ in self.methods):
            keys = [key for key in self.methods if key[0] == cls]
            public = [key for key in keys
                      if "success" not in self.methods[key].excused]
            sums = [(sum(bool(self.seen[key]) for key in public), len(public))]
            for outcome, title in OUTCOMES.items():
                able = [key for key in keys
                        if outcome not in self.methods[key].excused]
                lack = [key for key in able if not self.covered(key, outcome)]
                sums.append((len(able) - len(lack), len(able)))
                for key in lack:
                    need = self.skipped.get(key[1])
                    where = forgiven[need] if need else self.gaps
                    where.append(f"{'.'.join(key)} {title}")
            self.row(cls, sums)
            total = [(a + n, b + of) for (a, b), (n, of)
                     in zip(total, sums, strict=True)]
        self.row("all", total)
        self.reasons()
        for need, names in forgiven.items():
            self.lines.append("")
            self.say(f"skipped, since it needs {need}", names)
        if self.gaps:
            self.lines.append("")
            self.say("NOT COVERED", self.gaps)

    def reasons(self):
        """What cannot be, and why."""
        grouped = defaultdict(list)
        for key, method in self.methods.items():
            for why in dict.fromkeys(method.excused.values()):
                titles = [title for outcome, title in OUTCOMES.items()
                          if method.excused.get(outcome) == why]
                grouped[why, " or ".join(titles)].append(key)
        for (why, titles), keys in grouped.items():
            for cls in dict.fromkeys(cls for cls, _ in keys):
                mine = [key for key in keys if key[0] == cls]
                if len(mine) == sum(key[0] == cls for key in self.methods):
                    keys = [key for key in keys if key[0] != cls]
                    keys.append((cls, "*"))
            self.lines.append("")
            self.say(f"no {titles}: {why}", map(".".join, keys))


def main():
    noted = {file.stem: json.loads(file.read_text())
             for file in sorted((BUILD / "tests").glob("*.calls"))}
    if not noted:
        print("no calls were noted: run the conformance tests first")
        return 1
    rows = ledger.read_ledger(HERE.parent / "gen" / "ledger.tsv")
    methods = every(noted, rows)
    seen = defaultdict(set)
    skipped, sides = {}, []
    for calls in noted.values():
        sides.append({tuple(call) for call in calls["seen"]
                      if tuple(call[:2]) in methods})
        skipped |= dict(calls["skipped"])
    alike = set.intersection(*sides)
    for cls, name, outcome in alike:
        seen[cls, name].add(outcome)
    wrong = exempt(methods, seen)
    table = Table(methods, seen, skipped)
    table.bound()
    table.outcomes()
    for side, language in zip(sides, noted, strict=True):
        wrong += [f"only in {language}: {' '.join(call)}"
                  for call in sorted(side - alike)]
    text = "\n".join([*table.lines, *wrong]) + "\n"
    (BUILD / "coverage.txt").write_text(text)
    print(text, end="")
    return 1 if wrong or table.gaps else 0


if __name__ == "__main__":
    sys.exit(main())
