"""Take a libssh2 that the ledger does not know yet into it.

What is bound by the rules gets its row; what they cannot know is asked by a
cell that is left `?`; what needs code is said to.  gen/known.tsv holds what the
last adopted headers declared: signatures and values, to see what changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import derive
import ledger
import rules
from headers import Failure, Function, Headers, Type, Where, read
from ledger import Row

FOLDERS = {"SFTPHandle": "file", "": "module"}  # of cases; else as the class
TODO = """needs  {symbol}

case   {method}
from   {symbol}(3)
todo   success, an error, after close, would block
"""


def find(folder: Path) -> Path:
    """The headers in a folder, or in an installed prefix."""
    for place in (folder, folder / "include"):
        if (place / "libssh2.h").is_file():
            return place
    raise Failure(f"{folder}: no libssh2.h there, nor in its include")


def shape(t: Type) -> str:
    """A type as far as the code that calls it depends on it."""
    if t.kind == "scalar" and not t.depth:
        return "number"
    return " ".join(t.base.split()) + " *"[:bool(t.depth)] + "*" * t.depth


def signature(f: Function) -> str:
    given = ", ".join(shape(p.type) for p in f.params)
    return f"{shape(f.result)} ({given})"


def read_known(path: Path) -> dict[str, str]:
    """Names and what they were; the first line's name is no symbol."""
    known = {}
    lines = path.read_text().splitlines() if path.is_file() else []
    for number, line in enumerate(lines, 1):
        name, tab, text = line.partition("\t")
        if not tab or name in known:
            raise Failure(f"{path}:{number}: not a name and what it is, once")
        known[name] = text
    return known


def known_text(headers: Headers) -> str:
    rows = [("version", headers.version)]
    rows += [(f.name, signature(f)) for f in headers.functions.values()]
    rows += [(c.name, "text" if c.value is None else str(c.value))
             for c in headers.constants.values()]
    return "".join(f"{name}\t{text}\n" for name, text in rows)


def release(headers: Headers) -> str:
    """The release that brings what is new; 1.11.1_DEV is before 1.11.2."""
    numbers = list(ledger.version(headers.version))
    if not re.fullmatch(r"[\d.]+", headers.version):
        numbers[-1] += 1
    return ".".join(map(str, numbers))


@dataclass
class Core:
    """What is written by hand: core/s2.h and who calls what."""

    declared: derive.Prototypes
    calls: dict[str, str] = field(default_factory=dict)  # symbol: file:line

    @classmethod
    def of(cls, folder: Path) -> Core:
        api = folder / "s2.h"
        core = cls(derive.prototypes(api.read_text() if api.is_file() else ""))
        for path in sorted({*folder.glob("*.[ch]")}
                           - {*folder.glob("libssh2*.h")}):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                for symbol in re.findall(r"\b(libssh2_\w+)\((?!3\))", line):
                    core.calls.setdefault(symbol,
                                          f"core/{path.name}:{number}")
        return core


def changed(headers: Headers, rows: dict[str, Row], known: dict[str, str],
            core: Core) -> list[str]:
    """Functions that are not what they were; code that calls one is lost."""
    said, lost = [], []
    for f in headers.functions.values():
        was, now, row = known.get(f.name), signature(f), rows.get(f.name)
        if not row or was in (None, now):
            continue
        text = f"{row.where}: {f.name} was {was}, is {now} at {f.where}"
        if row.how == "hand":
            lost.append(f"{text}: adapt {core.calls.get(f.name, 'the core')}, "
                        "then take its line from gen/known.tsv")
        else:
            said.append(text)
    if lost:
        raise Failure("\n".join(lost))
    return said


def given(b: rules.Binding) -> str:
    return ", ".join(derive.free(a.name) for a in b.args
                     if a.kind in ("number", "text", "bytes", "fields"))


def answer(b: rules.Binding) -> str:
    kinds = {"out": "a number", "count": "a number", "value": "a number",
             "string": "text", "record": "a record", "handle": "an object"}
    return ", ".join(kinds[kind]
                     for kind in [b.result, *(a.kind for a in b.args)]
                     if kind in kinds) or "nothing"


def explain(f: Function, b: rules.Binding, headers: Headers) -> list[str]:
    """How it is bound, rule by rule."""
    words = {"number": "a number", "text": "text", "bytes": "bytes",
             "fields": "read", "out": "a number that comes out",
             "string": "text that comes out", "record": "is filled",
             "handle": "a new object"}
    first = f.params[0].type.text if f.params else ""
    lines = [f"class   {b.cls}: its first parameter is {first}" if b.cls
             else "class   none: it has no handle"]
    macros = [m for m in headers.macros
              if ledger.alias_of(m, headers) == f.name]
    name = f"name    {b.names[0]}: {f.name} without libssh2_ and the class"
    if f.name.endswith("_ex"):
        name += (", _ex stays" if b.names[0].endswith("_ex") else
                 ", and without _ex, since the macro only fills in lengths")
    lines.append(name)
    lines += [f"name    {m.name}: the macro {m.symbol} fixes " + ", ".join(
        f"{key} to {value}" for key, value in m.fixed.items())
        for m in b.macros]
    lines += [f"macro   {m}" for m in macros
              if m not in [a.symbol for a in b.macros]]
    lines += [f"given   {a.name}, {a.type.text}: {words[a.kind]}"
              + (", its length is ours to tell" if a.size else "")
              for a in b.args]
    why = {"none": "nothing comes out",
           "status": "an int: a negative one is an error",
           "count": "a negative one is an error, others come out",
           "value": "no int, or its name says get, last, is or has: no error",
           "string": "text, copied", "handle": "a new object, given back if "
           "nobody takes it"}
    lines.append(f"result  {f.result.text}: {why[b.result]}")
    guess = "" if b.scope in derive.QUICK else ", for no header tells"
    lines.append(f"scope   {b.scope}{guess}")
    lines.append(f"owns    {' '.join(b.owns) or '-'}")
    return lines


@dataclass
class New:
    """A symbol that gets a row."""

    cells: list[str]
    why: list[str]
    binding: rules.Binding | None = None  # of what is derived

    @property
    def waits(self) -> bool:
        return "?" in self.cells


def derived(f: Function, cells: list[str], headers: Headers,
            macros: tuple[rules.Alias, ...]) -> New:
    """What the row will make of it."""
    row = ledger.row(cells, Where("", 0))
    b = replace(rules.bind(f, headers, {f.name: row}), macros=macros)
    return New(cells, explain(f, b, headers), b)


def new_function(f: Function, headers: Headers, core: Core, taken: set[str],
                 ) -> New:
    b = rules.bind(f, headers)
    cells = [f.name, release(headers)]
    name, here = derive.c_name(b), core.calls.get(f.name)
    # What the core calls for itself may still be bound.
    needs_code = any(cell == "code" for cell, _ in b.missing)
    if name in core.declared or here and needs_code:
        bound = b.method if name in core.declared else "-"
        owns = "callback" if any(text.endswith("called back")
                                 for _, text in b.missing) else "-"
        where = here or f"core/s2.h, as {name}"
        return New([*cells, "hand", bound, owns, b.scope,
                    "-" if here else "the core does it itself"],
                   [f"by hand in {where}"])
    lacks = "" if b.missing else derive.lacks(f, b, taken)
    if not b.missing and not lacks:
        owns = "counts" if b.result == "count" and f.result.text == "int" \
            and not rules.counts(f.name) else "-"
        return derived(f, [*cells, "derived", b.method, owns, b.scope, "-"],
                       headers, b.macros)
    why = [f"{cell}: {text}" for cell, text in b.missing]
    code = [lacks] * bool(lacks) + [t for c, t in b.missing if c == "code"]
    if code:
        reason = "needs code: " + "; ".join(code)
        return New([*cells, "later", "-", "-", b.scope, reason],
                   [f"code: {lacks}"] * bool(lacks) + why)
    # What only may free its handle has the class's scope.
    scope = b.scope if "its handle" in b.missing[0][1] else "?"
    if scope == "?":
        own = rules.CLASSES[f.params[0].type.base][2] if f.params else "pure"
        why.append(f"scope: {own}, or none if it never waits?")
    return New([*cells, "derived", b.method, "?", scope, "-"], why,
               replace(b, args=(), result="none", macros=b.macros))


def new_macro(symbol: str, of: str, made: dict[str, New], rows: dict[str, Row],
              headers: Headers) -> New:
    """A macro's row says what its function's does, or that it is a method."""
    why = f"macro of {of}"
    if of not in made:
        return New([symbol, release(headers), "later", "-", "-",
                    rows[of].scope, why], [why])
    since, how, bound, owns, scope = made[of].cells[1:6]
    b = made[of].binding
    alias = [a for a in b.macros if a.symbol == symbol] if b else []
    if alias:
        bound = (bound.rpartition(".")[0] + "." + alias[0].name).lstrip(".")
    if "?" in (owns, scope):
        owns, scope = "-", "none"
    return New([symbol, since, how, bound, owns, scope,
                "-" if alias else why], [why])


def insert(path: Path, headers: Headers, made: dict[str, New]) -> str:
    """The ledger with the new rows, each behind its neighbour's."""
    lines = path.read_text().rstrip("\n").split("\n")
    order = list(headers.functions) + [m for m in headers.macros
                                       if ledger.alias_of(m, headers)]
    place = {line.partition("\t")[0]: line for line in lines}
    before = ""
    for name in order:
        if name in made:
            text = "\t".join(made[name].cells)
            of = ledger.alias_of(name, headers) if name in headers.macros \
                else before
            at = lines.index(place[of]) + 1 if of in place else len(lines)
            lines.insert(at, text)
            place[name] = text
        if name in headers.functions:
            before = name
    return "\n".join(lines) + "\n"


@dataclass
class Adopted:
    said: list[str]
    files: dict[Path, str]


def adopt(folder: Path, cc: list[str], tables: Path, errors_path: Path,
          cases: Path) -> Adopted:
    """What is to be said and written; nothing is written here."""
    headers = read(find(folder), cc)
    rows = ledger.read_ledger(tables)
    errors = ledger.read_errors(errors_path)
    known_path = tables.with_name("known.tsv")
    known = read_known(known_path)
    core = Core.of(errors_path.parent)
    young, gone = ledger.check(rows, headers)
    said = [f"libssh2 {headers.version}, {find(folder)}"]
    say = said.append
    changes = changed(headers, rows, known, core)
    made: dict[str, New] = {}
    taken = {*core.declared}
    texts: dict[Path, str] = {}
    for f in headers.functions.values():
        if f.name in rows:
            continue
        new = made[f.name] = new_function(f, headers, core, taken)
        how, bound, b = new.cells[2], new.cells[3], new.binding
        say(f"\n{f.where}: new: {f.text}")
        if how != "derived" or not b:
            say(f"    {how}" + f", as {bound}" * (bound != "-"))
        elif new.waits:
            say(f"    derived as {bound}, once its cells are filled in")
        else:
            say(f"    derived as {bound}({given(b)}) -> {answer(b)}")
        said += [f"    {line}" for line in new.why]
        if how == "derived" and b:
            taken.add(derive.c_name(b))
            case = (cases / FOLDERS.get(b.cls, b.cls.lower())
                    / f"{b.names[0]}.case")
            if not case.exists():
                texts[case] = TODO.format(symbol=f.name, method=bound)
                say(f"    case    {case.relative_to(cases.parent)}, "
                    "to be written")
    for macro in headers.macros:
        of = ledger.alias_of(macro, headers)
        if of and macro not in rows and of in {*rows, *made}:
            new = made[macro] = new_macro(macro, of, made, rows, headers)
            say(f"\n{headers.macros[macro].where}: new: {macro}, a macro of "
                f"{of}: {new.cells[2]}, {new.cells[3]}")
    said += [f"\n{text}" for text in changes]
    said += [f"\n{rows[name].where}: gone: {name}" for name in gone]
    if young:
        say(f"\nnot there yet, in libssh2 {headers.version}: "
            + ", ".join(young))
    fresh = [c for c in headers.constants.values() if c.name not in known]
    for c in fresh if known else []:
        value = f" = {c.value}" if c.value is not None else ""
        say(f"\n{c.where}: new constant {c.name}{value}")
    new_errors = [c for c in ledger.new_codes(errors, headers) if c in fresh]
    for c in new_errors:
        parent = ("SFTPProtocolError" if c.name.startswith("LIBSSH2_FX_")
                  else "SSH2Error")
        say(f"\n{c.where}: new error {c.name} ({c.value}): "
            f"{ledger.class_name(c, errors)} under {parent}")
    for name, was in known.items():
        now = headers.constants.get(name)
        if (now and now.value is not None and str(now.value) != was
                and "_VERSION" not in name):
            say(f"\n{now.where}: {name} was {was}, is {now.value}")
    older = ledger.version(headers.version) < ledger.version(
        known.get("version", ""))
    if older:
        say(f"\nolder than libssh2 {known['version']}, which was adopted: "
            "nothing is written")
        return Adopted(said, {})
    waits = [name for name, new in made.items() if new.waits]
    hows = [new.cells[2] for new in made.values()]
    say(f"\n{len(made)} new: {hows.count('derived') - len(waits)} bound, "
        f"{len(waits)} once their cells are filled in, {hows.count('hand')} by "
        f"hand, {hows.count('later')} need code; {len(changes)} changed, "
        f"{len(gone)} gone, {len(new_errors)} new errors")
    if made:
        texts[tables] = insert(tables, headers, made)
    texts[known_path] = known_text(headers)
    for name in waits:
        number = texts[tables].split("\n").index(
            "\t".join(made[name].cells)) + 1
        say(f"{tables}:{number}: fill in the cells of {name}")
    return Adopted(said, texts)
