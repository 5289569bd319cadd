"""The two tables a person keeps: gen/ledger.tsv and core/errors.def.

Read whole or refused: every message names the file and the line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from headers import Constant, Failure, Headers, Where

# The columns, and what a cell may be; ? in owns or scope: a person is to say.
# owns: who frees what comes out, or what happens to what goes in.  scope: what
# a begun call excludes (core/internal.h); none: it never waits; pure: nor is
# its number ever an error.
OWNS = "(counts|lent|given|handle|reads|struct|buffer|frees|kept|callback)"
METHOD = r"([A-Z]\w*(\.\w+)?|[a-z]\w*)"
COLUMNS = {
    "symbol": r"libssh2_\w+",
    "since": r"-|\d+(\.\d+){1,2}",
    "how": "hand|derived|own|later|never",
    "bound": f"-|{METHOD}( {METHOD})*",
    "owns": rf"-|\?|{OWNS}( {OWNS})*",
    "scope": r"\?|none|pure|session|sftp|channel-read|channel-write",
    "reason": ".+",
}
# Codes that are never raised.
NO_ERRORS = ("LIBSSH2_ERROR_NONE", "LIBSSH2_ERROR_EAGAIN", "LIBSSH2_FX_OK")


@dataclass(frozen=True)
class Row:
    symbol: str
    since: tuple[int, ...]  # () where nobody knows: 1.10.0 or older
    how: str
    bound: tuple[str, ...]  # "Class.method", "function", "Class" for its life
    owns: tuple[str, ...]
    scope: str
    reason: str
    where: Where


def version(text: str) -> tuple[int, ...]:
    """1.11.1_DEV is (1, 11, 1)."""
    found = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(n) for n in found[0].split(".")) if found else ()


def row(cells: list[str], where: Where) -> Row:
    symbol, since, how, bound, owns, scope, reason = cells
    names, words = (() if cell == "-" else tuple(cell.split(" "))
                    for cell in (bound, owns))
    return Row(symbol, version(since), how, names, words, scope, reason, where)


def read_ledger(path: Path) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    lines = path.read_text().splitlines() or [""]
    if lines[0].split("\t") != list(COLUMNS):
        raise Failure(f"{path}:1: the columns are not {' '.join(COLUMNS)}")
    for number, line in enumerate(lines[1:], 2):
        where, cells = Where(str(path), number), line.split("\t")
        if line.startswith("#"):
            continue
        if len(cells) != len(COLUMNS):
            raise Failure(f"{where}: {len(cells)} cells, not {len(COLUMNS)}")
        for (column, allowed), cell in zip(COLUMNS.items(), cells):
            if not re.fullmatch(allowed, cell):
                raise Failure(f"{where}: {column} is {cell!r}, not {allowed}")
        symbol, _, how, bound, owns, scope, reason = cells
        if how in ("later", "never") and (bound != "-" or reason == "-"):
            raise Failure(f"{where}: {how} needs a reason and binds nothing")
        if how == "own" and "-" in (bound, reason):
            raise Failure(f"{where}: own needs a method and a reason")
        if how == "derived" and not re.fullmatch(r"\w+\.\w+|[a-z]\w*", bound):
            raise Failure(f"{where}: derived needs one Class.method")
        if symbol in rows:
            raise Failure(f"{where}: {symbol} has a row already, "
                          f"{rows[symbol].where}")
        if "?" in (owns, scope) and how != "derived":
            raise Failure(f"{where}: only what is derived can wait for a cell")
        rows[symbol] = row(cells, where)
    return rows


def alias_of(name: str, headers: Headers) -> str | None:
    """The function that a macro with arguments stands for."""
    for match in re.finditer(r"\blibssh2_\w+(?=\()",
                             headers.macros[name].body):
        word = match[0]
        if word in headers.functions:
            return word
        if word in headers.macros and word != name:
            return alias_of(word, headers)
    return None


def check(rows: dict[str, Row], headers: Headers,
          ) -> tuple[list[str], list[str]]:
    """Rows of functions that these headers lack: too old for them, or gone.

    Hand-written code calls what a row binds by hand, so there such a row is
    an error; what is only derived, or not bound, is just not there.
    """
    young, gone = [], []
    here = version(headers.version)
    for row in rows.values():
        if row.symbol in headers.functions or row.symbol in headers.macros:
            continue
        if row.since > here:
            young.append(row.symbol)
        elif row.how == "hand":
            raise Failure(f"{row.where}: {row.symbol} is bound by hand, but "
                          f"libssh2 {headers.version} does not declare it")
        else:
            gone.append(row.symbol)
    return young, gone


@dataclass
class Errors:
    classes: dict[str, str]  # class: parent
    codes: set[str]
    kin: dict[str, str]  # the class of an SFTP status: its errno, or 0



def read_errors(*paths: Path) -> Errors:
    """The table, and what was added to it."""
    out = Errors({}, set(), {})
    for path in paths:
        read_rows(path, out)
    return out


def read_rows(path: Path, out: Errors) -> None:
    text = re.sub(r"/\*.*?\*/", lambda c: "\n" * c[0].count("\n"),
                  path.read_text(), flags=re.DOTALL)
    for number, line in enumerate(text.splitlines(), 1):
        where = Where(str(path), number)
        if not line.strip():
            continue
        row = re.fullmatch(
            r"S2_(?:CLASS\((?P<cls>\w+), (?P<parent>\w+)\)"
            r"|CODE\((?P<code>LIBSSH2_ERROR_\w+), (?P<ccls>\w+), "
            r"(?P<cparent>\w+)\)"
            r"|SFTP\((?P<status>LIBSSH2_FX_\w+), (?P<scls>\w+), (?P<kin>\w+)\))",
            line.strip())
        if not row:
            raise Failure(f"{where}: no row of errors: {line.strip()}")
        cls = row["cls"] or row["ccls"] or row["scls"]
        parent = row["parent"] or row["cparent"] or "SFTPProtocolError"
        code = row["code"] or row["status"]
        if cls in out.classes or code in out.codes:
            raise Failure(f"{where}: {code or cls} has a row already")
        if parent not in out.classes and (parent != cls or out.classes):
            raise Failure(f"{where}: {parent} does not stand above {cls}")
        out.classes[cls] = parent
        if code:
            out.codes.add(code)
        if row["scls"]:
            out.kin[cls] = row["kin"]


def new_codes(errors: Errors, headers: Headers) -> list[Constant]:
    """Error codes and SFTP statuses of the headers that no row knows.

    A second name of a known number is not new.
    """
    out: list[Constant] = []
    for prefix in ("LIBSSH2_ERROR_", "LIBSSH2_FX_"):
        every = [c for c in headers.constants.values()
                 if c.name.startswith(prefix)]
        known = {c.value for c in every
                 if c.name in errors.codes or c.name in NO_ERRORS}
        for constant in every:
            if constant.value not in known:
                known.add(constant.value)
                out.append(constant)
    return out


def class_name(constant: Constant, errors: Errors) -> str:
    """LIBSSH2_ERROR_FOO_BAR is FooBarError, a status SFTPFooBarError."""
    sftp = constant.name.startswith("LIBSSH2_FX_")
    words = re.sub(r"^LIBSSH2_(ERROR|FX)_", "", constant.name).split("_")
    stem = "SFTP" * sftp + "".join(w[:1] + w[1:].lower() for w in words)
    name = stem + "Error"
    return stem + "CodeError" if name in errors.classes else name
