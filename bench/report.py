"""Tables, verdicts and plots of what bench/run.py measured.

    bench/report.py SAMPLES.TSV

Needs the samples only, so that an interrupted run is shown as any other.
table.md and the plots are written beside them. A ratio is that of two
programs in the same round; shown are medians, and after them the least and
the most.
"""

import csv
import statistics
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
COLUMNS = ["round", "work", "cipher", "delay", "count", "program", "build",
           "key", "value"]
OURS = ("C", "C 256k", "C 4M", "C core", "Python", "Ruby")
OPENSSH = ("sftp", "scp", "ssh")
UNITS = {"get": "MiB", "put": "MiB", "stream": "MiB", "scp": "MiB",
         "big": "MiB", "exec": "times `true`", "connect": "connections",
         "stat": "files, one after the other",
         "stats": "files, many in flight", "list": "entries",
         "tree_get": "files of 1 KiB", "tree_put": "files of 1 KiB",
         "sessions": "open at once", "call": "calls"}


def is_ours(program):
    return program in OURS or program.startswith(("Python ", "Ruby "))


class Samples:
    """What was measured: cells in order, {cell: {(program, build): {key:
    {round: value}}}}, and what else was noted."""

    def __init__(self, path):
        self.cells, self.failed = {}, {}
        self.notes = defaultdict(dict)
        with open(path) as file:
            for row in csv.DictReader(file, delimiter="\t",
                                      quoting=csv.QUOTE_NONE):
                if row["value"] is not None:  # the last line may be half
                    self.add(row)

    def add(self, row):
        who = row["program"], row["build"]
        if row["key"] == "note":
            many = self.notes[row["work"]].setdefault(who, [])
            many.append(row["value"])
            return
        cell = (row["work"], row["cipher"], int(row["delay"]),
                int(row["count"]))
        if row["key"] == "failed":
            self.failed[cell, who] = row["value"]
            return
        keys = self.cells.setdefault(cell, {}).setdefault(who, {})
        keys.setdefault(row["key"], {})[int(row["round"])] = float(
            row["value"])

    def figures(self, cell, who, key):
        return self.cells.get(cell, {}).get(who, {}).get(key, {})

    def ratios(self, cell, who, other, key, other_cell=None, join=None):
        """Of the rounds that have both."""
        mine = self.figures(cell, who, key)
        theirs = self.figures(other_cell or cell, other, key)
        join = join or (lambda a, b: a / b if b else float("inf"))
        return [join(mine[n], theirs[n]) for n in mine if n in theirs]

    def version(self, program, build="source"):
        return self.notes["version"].get((program, build), [""])[0]


def spread(values, digits=None):
    """Median, and what lies around it."""
    values = [*values]
    if not values:
        return ""
    if digits is None:
        top = max(map(abs, values))
        digits = 3 if top < 10 else 1 if top < 1000 else 0
    low, middle, high = (f"{f(values):.{digits}f}"
                         for f in (min, statistics.median, max))
    return middle if len(values) == 1 else f"{middle} [{low} {high}]"


def title(cell):
    work, cipher, delay, count = cell
    return (f"{work}: {count} {UNITS.get(work, '')}"
            + (f", {cipher}" if cipher != "any" else "")
            + (f", {delay} ms round trip" if delay else ""))


# --- tables -----------------------------------------------------------------


def seconds(samples, cell, who, key):
    """Measured by the program, or from outside where it cannot tell."""
    return samples.figures(cell, who, key) or \
        samples.figures(cell, who, f"whole_{key}")


def order(samples, cell):
    """Ours first, then the others, the fastest first."""
    def rank(who):
        wall = seconds(samples, cell, who, "wall").values()
        return (not is_ours(who[0]), OURS.index(who[0])
                if who[0] in OURS else len(OURS),
                statistics.median(wall) if wall else 0)
    return sorted((who for who in samples.cells[cell]
                   if who[1] == "source"), key=rank)


def table(samples, cell):
    work = cell[0]
    yield f"### {title(cell)}"
    yield ""
    if work == "call":
        yield "| | ns | a built-in method's | more |"
        yield "| --- | --- | --- | --- |"
        for who in order(samples, cell):
            yield row(who[0], *(spread(samples.figures(
                cell, who, key).values(), 0)
                for key in ("call_ns", "builtin_ns", "more_ns")))
        return
    last = "KiB each" if work == "sessions" else "peak MiB"
    system = any(who[1] == "system" for who in samples.cells[cell])
    heads = ["wall, s", "client CPU, s", "wall / C's", "CPU / C's",
             "process, s", "its CPU, s", last]
    if system:
        heads += ["on the system's libssh2: wall, s", "client CPU, s"]
    yield row("", *heads)
    yield row(*["---"] * (len(heads) + 1))
    for who in order(samples, cell):
        found = [spread(samples.figures(cell, who, key).values())
                 for key in ("wall", "cpu")]
        found += [spread(samples.ratios(cell, who, ("C", "source"), key), 2)
                  for key in ("wall", "cpu")]
        found += [spread(samples.figures(cell, who, key).values())
                  for key in ("whole_wall", "whole_cpu")]
        if work == "sessions":
            found.append(spread(
                samples.figures(cell, who, "each_kib").values(), 0))
        else:
            found.append(spread(
                (v / 1024 for v in samples.figures(
                    cell, who, "peak_kib").values()), 0))
        if system:
            found += [spread(samples.figures(
                cell, (who[0], "system"), key).values())
                for key in ("wall", "cpu")]
        yield row(label(samples, who), *found)


def label(samples, who):
    version = samples.version(*who).partition(",")[0]
    if is_ours(who[0]) or version in ("", who[0]):
        return who[0]
    return f"{who[0]} ({version})"


def row(*cells):
    return "| " + " | ".join(cells) + " |"


# --- verdicts ---------------------------------------------------------------


def bounds():
    with open(HERE / "bounds.tsv") as file:
        return [*csv.DictReader(file, delimiter="\t",
                                quoting=csv.QUOTE_NONE)]


def peers(samples, cell, than):
    """Those that a bound is about, of what was measured in a cell."""
    if not than.startswith("every"):
        return [(name, "source") for name in than.split(",")]
    return [who for who in samples.cells.get(cell, {})
            if who[1] == "source" and not is_ours(who[0])
            and not (than == "every-openssh" and who[0] in OPENSSH)]


def asked(samples, bound):
    """The cells of a bound; of each kind the largest that was measured."""
    for work in bound["works"].split(","):
        for cipher in bound["ciphers"].split(","):
            for delay in map(int, bound["delays"].split(",")):
                found = [c for c in samples.cells
                         if c[:3] == (work, cipher, delay)]
                if found:
                    yield max(found)
                elif cipher != "any" or len(bound["ciphers"]) == 3:
                    yield work, cipher, delay, 0


def counterpart(samples, cell, other, against):
    """The cell in which a peer did the same, in its own way."""
    if against == "=":
        return cell
    for work in against.split(","):
        for found in samples.cells:
            if found[:3] == (work, *cell[1:3]) and \
                    other in samples.cells[found]:
                return found
    return None


def judge(samples, bound):
    """(label, how far over as a share, shown) of all that a bound is about;
    None where something was not measured."""
    limit = float(bound["bound"])
    for cell in asked(samples, bound):
        for name in bound["ours"].split(","):
            for key in bound["figures"].split(","):
                yield from one(samples, bound, limit, cell,
                               (name, bound["build"]), key)


def one(samples, bound, limit, cell, who, key):
    work, cipher, delay, _ = cell
    test = bound["test"]
    where = " ".join([who[0], work] + [cipher] * (cipher != "any")
                     + [f"{delay} ms"] * bool(delay)
                     + [key] * ("," in bound["figures"]))
    if test == "own":
        values = samples.figures(cell, who, key).values()
        yield verdict(where, test, [*values], limit)
        return
    against = bound["against"]
    others = peers(samples, cell, bound["than"])
    if against != "=" and bound["than"].startswith("every"):
        others = sorted({p for c in samples.cells
                         if c[0] in against.split(",")
                         and c[1:3] == (cipher, delay)
                         for p in peers(samples, c, bound["than"])})
    if not others:
        yield where, None, ""
    for other in others:
        if who[1] == "system":
            other = other[0], "system"
        there = counterpart(samples, cell, other, against)
        use = key
        if not samples.figures(there, other, key):
            use = f"whole_{key}"  # told from outside only: so are both
        join = {"more": lambda a, b: a - b}.get(test)
        values = samples.ratios(cell, who, other, use, there, join)
        if there and there[3] != cell[3]:  # theirs did another number
            values = [v * there[3] / cell[3] for v in values]
        yield verdict(f"{where}, {other[0]}", test, values, limit)


def verdict(where, test, values, limit):
    if not values:
        return where, None, ""
    value = statistics.median(values)
    if test == "faster":
        value = 1 / value if value else float("inf")
        over = limit / value - 1 if value else float("inf")
        return where, over, f"{value:.2f} x"
    return where, value / limit - 1, f"{value:.{2 if limit < 10 else 0}f}"


def verdicts(samples):
    yield row("aimed at", "verdict", "the nearest to the bound, or over it")
    yield row("---", "---", "---")
    for bound in bounds():
        if bound["test"] == "elsewhere":
            yield row(bound["said"], f"see {bound['bound']}", "")
            continue
        found = [*judge(samples, bound)]
        known = sorted((f for f in found if f[1] is not None),
                       key=lambda f: -f[1])
        lacking = len(found) - len(known)
        over = [f for f in known if f[1] > 0]
        if not known:
            said = "not measured"
        elif over:
            said = f"over by {over[0][1]:.0%}"
            if len(over) < len(known):
                said += f", {len(over)} of {len(known)}"
        else:
            said = "met"
        if known and lacking:
            said += f"; {lacking} not measured"
        yield row(bound["said"], said, "; ".join(
            f"{where} {shown}" for where, _, shown in known[:2]))


# --- all of it --------------------------------------------------------------


def page(samples):
    notes = samples.notes
    yield "# What `./run bench` measured"
    yield ""
    for (name, _), values in notes["machine"].items():
        yield f"- {name}: {values[0]}"
    for (name, _), values in notes["way"].items():
        yield f"- {name} of round trip: {values[0]}"
    versions = [f"{name} {values[0]}" for (name, build), values
                in notes["version"].items() if build == "source"
                and not is_ours(name) and name[-1] not in "kM"]
    yield f"- peers: {'; '.join(versions)}"
    yield f"- rounds: {rounds(samples)}"
    if any(v == ["short"] for v in notes["machine"].values()):
        yield "- the short form: smoke, no result"
    yield ""
    yield ("Medians, with [least most] where there are more rounds. Process:"
           " the whole of it, measured from outside; OpenSSH's tools less what"
           " their connecting took.")
    yield ""
    for cell in samples.cells:
        yield from table(samples, cell)
        yield ""
    gone = [*absences(samples)]
    if gone:
        yield "## Not measured"
        yield ""
        yield from gone
        yield ""
    yield "## Verdicts"
    yield ""
    yield from verdicts(samples)


def rounds(samples):
    numbers = {n for those in samples.cells.values()
               for keys in those.values() for values in keys.values()
               for n in values}
    return max(numbers, default=0)


def absences(samples):
    """What is left out, by name, and why."""
    notes = samples.notes
    for (name, build), values in notes["without"].items():
        yield f"- {on(name, build)}: {values[0]}"
    for (name, build), values in notes["lacks"].items():
        yield (f"- {on(name, build)} has no call yet for {len(values)}:"
               f" {', '.join(values)}")
    for (name, _), values in notes["left out"].items():
        yield f"- {name}: {values[0]}"
    same = defaultdict(lambda: defaultdict(list))
    for (cell, who), why in samples.failed.items():
        same[why][on(*who)].append(title(cell))
    for why, those in same.items():
        for work in sorted({"; ".join(cells) for cells in those.values()}):
            names = [n for n, cells in those.items()
                     if "; ".join(cells) == work]
            yield f"- {', '.join(names)} ({work}): {why}"


def on(name, build):
    return name if build == "source" else f"{name} on the system's libssh2"


def main(arguments):
    path = Path(arguments[0])
    samples = Samples(path)
    text = "\n".join(page(samples)) + "\n"
    (path.parent / "table.md").write_text(text)
    print(text, end="")
    try:
        import plots
    except ImportError as err:
        print(f"report: no plots: {err}", file=sys.stderr)
        return 0
    plots.write(samples, path.parent)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
