"""What a build gets: have, constants, new errors and the coverage report.

A writer gives one file's whole text; write() puts all of them in place or
none.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path

from headers import Headers
from ledger import Errors, Row, alias_of, class_name, new_codes
from rules import Binding


def write(files: dict[Path, str]) -> None:
    """All files or none: each beside its place first, then renamed."""
    made: list[tuple[str, Path]] = []
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=".gen-")
            made.append((name, path))
            with open(handle, "w", encoding="utf-8") as out:
                out.write(text)
            os.chmod(name, 0o644)
        while made:
            os.replace(*made[0])
            made.pop(0)
    finally:
        for name, _ in made:
            os.unlink(name)


def have(headers: Headers, errors: Errors) -> str:
    """What these headers declare, for #ifdef."""
    lines = [f"/* What the headers of libssh2 {headers.version} declare. */",
             "#ifndef S2_HAVE_H", "#define S2_HAVE_H", ""]
    lines += [f"#define S2_HAVE_{f.name} 1"
              for f in headers.functions.values() if f.exported]
    absent = sorted(errors.codes - set(headers.constants))
    if absent:
        lines += ["", "/* Codes of errors.def that this libssh2 lacks. */"]
        for number, code in enumerate(absent, 1):
            lines += [f"#ifndef {code}",
                      f"#define {code} (-1000000 - {number})", "#endif"]
    return "\n".join([*lines, "", "#endif"]) + "\n"


def constants(headers: Headers) -> str:
    """SWIG's input: each constant by its C name, so the compiler values it."""
    lines = [f"/* The constants of libssh2 {headers.version}'s headers. */"]
    lines += [f"%constant {c.type} {c.name} = {c.symbol};".replace("* ", "*")
              for c in headers.constants.values()]
    return "\n".join(lines) + "\n"


def errors_new(headers: Headers, errors: Errors) -> str:
    """Rows for the codes that errors.def does not know."""
    lines = [f"/* Codes of libssh2 {headers.version} that errors.def lacks. */"]
    for constant in new_codes(errors, headers):
        name = class_name(constant, errors)
        if constant.name.startswith("LIBSSH2_FX_"):
            lines.append(f"S2_SFTP({constant.name}, {name}, 0)")
        else:
            lines.append(f"S2_CODE({constant.name}, {name}, SSH2Error)")
    return "\n".join(lines) + "\n"


def missing(rows: dict[str, Row], absent: list[str]) -> str:
    """A line of C text for each method whose function is not there."""
    lines: dict[str, str] = {}
    for row in map(rows.__getitem__, absent):
        if row.how == "derived":
            lines.setdefault(row.bound[0],
                             f'"{row.bound[0]} {row.symbol}\\n"')
    return "\n".join(["/* Methods that these headers have no function for. */",
                      '""', *lines.values()]) + "\n"


def coverage(headers: Headers, rows: dict[str, Row],
             derived: dict[str, Binding], young: list[str], gone: list[str],
             blind: dict[str, Binding]) -> str:
    """What is bound, and for the rest why not."""
    public = [f.name for f in headers.functions.values() if f.exported]
    macros = [m for m in headers.macros if alias_of(m, headers)]
    how = Counter("derived" if name in derived else
                  rows[name].how if name in rows else "unknown"
                  for name in public)
    shown = len(headers.constants)
    lines = [
        f"libssh2 {headers.version}",
        f"functions  {how['hand'] + how['derived'] + how['own']} of "
        f"{len(public)} bound",
        *(f"           {how[word]} {title}" for word, title in
          (("hand", "by hand"), ("derived", "derived"),
           ("own", "by the core's own means"), ("later", "to come"),
           ("never", "never"), ("unknown", "without a row"))),
        f"macros     {len(macros)} stand for a function",
        f"constants  {shown} of {shown + len(headers.skipped)}",
    ]
    for title, word in (("to come", "later"), ("never", "never"),
                        ("by the core's own means", "own")):
        lines += ["", f"{title}:"]
        lines += [f"  {name}: {rows[name].reason}" for name in public
                  if name in rows and rows[name].how == word]
    parts = {
        "derived": [f"{name}: {b.method}" for name, b in derived.items()],
        "without a row in the ledger": [
            f"{name} ({headers.functions[name].where}): " + (
                "; ".join(f"{cell}: {why}" for cell, why in b.missing)
                or f"derived as {b.method}") for name, b in blind.items()],
        "too new for these headers": young,
        "gone from these headers": gone,
        "constants left out": [f"{n}: {why}"
                               for n, why in headers.skipped.items()],
    }
    for title, items in parts.items():
        if items:
            lines += ["", f"{title}:", *(f"  {item}" for item in items)]
    return "\n".join(lines) + "\n"
