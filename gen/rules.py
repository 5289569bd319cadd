"""The rules: what a prototype alone says about how to bind a function.

Each is small and claims only what a header can know.  What it cannot know,
a rule asks of one cell of the ledger.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from headers import Failure, Function, Headers, Macro, Param, Type
from ledger import Row, alias_of

# A handle's type: the core's struct, the class, its first scope.
CLASSES = {
    "LIBSSH2_SESSION": ("s2_session", "Session", "session"),
    "LIBSSH2_CHANNEL": ("s2_channel", "Channel", "channel-write"),
    "LIBSSH2_LISTENER": ("s2_listener", "Listener", "session"),
    "LIBSSH2_SFTP": ("s2_sftp", "SFTP", "sftp"),
    "LIBSSH2_SFTP_HANDLE": ("s2_file", "SFTPHandle", "sftp"),
    "LIBSSH2_KNOWNHOSTS": ("s2_knownhost", "KnownHost", "none"),
    "LIBSSH2_AGENT": ("s2_agent", "Agent", "session"),
    "LIBSSH2_PUBLICKEY": ("s2_publickey", "PublicKeySystem", "session"),
}
# Structs that the core has a record of, and what calls theirs.
RECORDS = {
    "LIBSSH2_SFTP_ATTRIBUTES": ("s2_attrs", "attrs"),
    "LIBSSH2_SFTP_STATVFS": ("s2_statvfs", "vfs"),
}
FREES = re.compile(r"_(free|close|closed|shutdown|cancel|del|delete|exit"
                   r"|destroy|release|disconnect)(_|$)")
VALUE = re.compile(r"_(get|last|is|has)_")
COUNT = re.compile(r"_(poll|flush|count|num|avail|size)(_|$)")
SETS = re.compile(r"_(set|request|send)_")
WAITS = re.compile(r"_(blocking|timeout)(_|$)")
READS = re.compile(r"_(read|receive|recv|flush|wait|extended)(_|$)")
# The numbers, and how an argument of each is declared to SWIG, for which a
# char is a letter and a system's typedef unknown.
NUMBERS = {name: name for name in (
    "int", "unsigned int", "long", "unsigned long", "long long",
    "unsigned long long", "short", "unsigned short", "unsigned char",
    "signed char", "size_t")}
NUMBERS.update({
    "unsigned": "unsigned int", "char": "signed char", "_Bool": "bool",
    "int8_t": "signed char", "uint8_t": "unsigned char", "int16_t": "short",
    "uint16_t": "unsigned short", "int32_t": "int", "uint32_t": "unsigned int",
    "int64_t": "long long", "uint64_t": "unsigned long long",
    "ssize_t": "long long", "off_t": "long long", "time_t": "long long"})


Missing = tuple[str, str]  # the cell that is not filled, or code; and why


@dataclass(frozen=True)
class Arg:
    # In: number, text, bytes, fields (a record).
    # Out: out (a number), string, record, handle.
    kind: str
    name: str
    type: Type
    size: Type | None = None  # of text, bytes or a string: its length's type


@dataclass(frozen=True)
class Alias:
    """A method that calls another one with some arguments fixed."""

    symbol: str  # the macro's
    name: str
    fixed: dict[str, str]  # parameter: what C it is


@dataclass(frozen=True)
class Binding:
    struct: str  # "" of a function of the module
    cls: str
    names: tuple[str, ...]  # the method, then others that macros give it
    macros: tuple[Alias, ...]  # those that become methods
    args: tuple[Arg, ...]
    result: str  # none, status, count, value, string or handle
    scope: str
    owns: tuple[str, ...]
    missing: tuple[Missing, ...]

    @property
    def safe(self) -> bool:
        return not self.missing

    @property
    def method(self) -> str:
        return f"{self.cls}.{self.names[0]}" if self.cls else self.names[0]


def only_lengths(macro: Macro, target: str) -> bool:
    """A macro that adds nothing but lengths: the function's proper name."""
    return set(re.findall(r"\w+", macro.body)) <= {
        *(macro.params or ()), target, "strlen", "unsigned", "int", "size_t"}


def short_name(symbol: str, cls: str) -> str:
    """Without libssh2_ and the class."""
    family = {"SFTPHandle": "sftp", "PublicKeySystem": "publickey"}
    text = symbol[len("libssh2_"):]
    for word in (family.get(cls, cls.lower()), "channel"):
        if text.startswith(word + "_"):
            return text[len(word) + 1:]
    return text


def method_names(f: Function, cls: str, headers: Headers) -> tuple[str, ...]:
    """The method's, then those of macros; _ex stays where one fills values."""
    macros = [m for m in headers.macros if alias_of(m, headers) == f.name]
    name = short_name(f.name, cls)
    plain = f.name[:-3] if f.name.endswith("_ex") else ""
    if plain in macros and only_lengths(headers.macros[plain], f.name):
        name = short_name(plain, cls)
    others = [short_name(m, cls) for m in macros]
    return (name, *(other for other in others if other != name))


def split(text: str) -> list[str]:
    """The arguments of a macro's call."""
    out, depth = [""], 0
    for char in text:
        depth += (char in "([") - (char in ")]")
        if char == "," and not depth:
            out.append("")
        else:
            out[-1] += char
    return [word.strip() for word in out]


def alias(macro: Macro, f: Function, name: str) -> Alias | None:
    """What a macro that calls f itself fixes; None if it does more."""
    call = re.fullmatch(rf"{f.name}\((.*)\)", macro.body)
    given = split(call[1]) if call else []
    params, fixed = macro.params or (), {}
    if len(given) != len(f.params):
        return None
    for p, word in zip(f.params, given):
        plain = re.sub(r"^\((\w+)\)$", r"\1", word)
        if plain in params:
            continue
        if any(re.search(rf"\b{other}\b", word) for other in params):
            if not is_length(p, 0) or "strlen" not in word:
                return None
        elif p.type.depth > 1:
            return None
        elif not (is_length(p, 0) and "sizeof" in word):
            fixed[p.name] = word
    return Alias(macro.name, name, fixed)


def counts(name: str) -> bool:
    return bool(COUNT.search(name) and not SETS.search(name))


def is_length(p: Param | None, depth: int) -> bool:
    return (p is not None and p.name.endswith("len") and p.type.depth == depth
            and p.type.kind == "scalar" and p.type.base in NUMBERS)


def arg_of(p: Param, after: Param | None, owns: tuple[str, ...] | None,
           ) -> tuple[Arg | None, Missing]:
    """A parameter's part in the method, or why it has none.

    Without `owns` nothing is known of what is pointed to.
    """
    t, known, name = p.type, owns or (), f"{p.name}, {p.type.text}"
    chars = t.kind == "scalar" and "char" in t.base
    asked = "code" if owns else "owns"  # what is filled in does not help
    if t.text == "libssh2_socket_t":
        return None, ("code", f"{p.name} is a socket, which is the core's")
    if t.kind == "callback":
        return None, ("code", f"{p.name} is called back")
    if t.kind == "scalar" and t.base not in NUMBERS:
        return None, ("code", f"what does {name}, hold?")
    if t.kind == "scalar" and t.depth == 0:
        return Arg("number", p.name, t), ("", "")
    if chars and t.depth == 1 and t.const:
        if after and is_length(after, 0):
            kind = "text" if t.base == "char" else "bytes"
            return Arg(kind, p.name, t, after.type), ("", "")
        if t.base != "char":
            return None, ("code", f"how long is {name}?")
        if owns is None or "kept" in owns:
            return None, (asked, f"is {name}, kept after the call?")
        return Arg("text", p.name, t), ("", "")
    if chars and t.depth == 2:
        if "lent" in known or "given" in known:
            size = after.type if after and is_length(after, 1) else None
            return Arg("string", p.name, t, size), ("", "")
        return None, (asked, f"is {name}, lent, or given to be freed?")
    if t.kind == "scalar" and t.depth == 1 and not t.const and not chars:
        return Arg("out", p.name, t), ("", "")
    if t.base in RECORDS and t.depth == 1:
        if "struct" in known and not t.const:
            return Arg("record", p.name, t), ("", "")
        if "reads" in known and t.base == "LIBSSH2_SFTP_ATTRIBUTES":
            return Arg("fields", p.name, t), ("", "")
        return None, (asked, f"is {name}, filled (struct) or only read?")
    if t.base in CLASSES and t.depth == 2:
        if "handle" in known:
            return Arg("handle", p.name, t), ("", "")
        return None, (asked, f"is {name}, a new handle?")
    return None, ("code", f"what does {name}, hold?")


def result_of(f: Function, owns: tuple[str, ...] | None,
              ) -> tuple[str, Missing]:
    t, known = f.result, owns or ()
    asked = "code" if owns else "owns"
    if t.kind == "void" and not t.depth:
        return "none", ("", "")
    if t.base == "char" and t.depth == 1:
        if "lent" in known or "given" in known:
            return "string", ("", "")
        return "value", (asked, f"is the result, {t.text}, lent, or given to "
                                "be freed?")
    if t.base in CLASSES and t.depth == 1:
        if "handle" in known:
            return "handle", ("", "")
        return "value", (asked, f"is the result, {t.text}, a new handle?")
    if t.kind != "scalar" or t.depth or t.base not in NUMBERS:
        return "value", ("code", f"what is the result, {t.text}?")
    if t.text == "ssize_t" or t.text == "int" and counts(f.name):
        return "count", ("", "")
    if t.text != "int" or VALUE.search(f.name):
        return "value", ("", "")
    return "status", ("", "")


def vain(owns: tuple[str, ...], kinds: list[str]) -> list[str]:
    """Why words of a cell do not help."""
    made = {"counts": "count", "lent": "string", "given": "string",
            "handle": "handle", "struct": "record", "reads": "fields"}
    return [f"nothing is there that is {word}" if word in made
            else f"{word} needs code"
            for word in owns if made.get(word) not in kinds]


def aliases(f: Function, names: tuple[str, ...], headers: Headers,
            rows: dict[str, Row]) -> tuple[Alias, ...]:
    """The macros of f that a row derives, or none mentions."""
    cls, out = "", []
    if f.params and f.params[0].type.base in CLASSES:
        cls = CLASSES[f.params[0].type.base][1]
    for symbol, macro in headers.macros.items():
        if alias_of(symbol, headers) != f.name:
            continue
        row, name = rows.get(symbol), short_name(symbol, cls)
        if row and row.how == "derived":
            name = row.bound[0].split(".")[-1]
        if name == names[0] or (row and row.how != "derived") or (
                f.name in rows and not row):
            continue
        found = alias(macro, f, name)
        if found:
            out.append(found)
        elif row:
            raise Failure(f"{row.where}: {symbol} does more than to fix "
                          f"arguments of {f.name}")
    return tuple(out)


def bind(f: Function, headers: Headers, rows: dict[str, Row] | None = None,
         ) -> Binding:
    """How to bind f, by its prototype and, where given, its ledger row."""
    rows = rows or {}
    row = rows.get(f.name)
    missing: list[Missing] = []
    handle = f.params[0].type if f.params else None
    struct = cls = ""
    scope, rest = "none", list(f.params[1:])
    if not handle or handle.kind != "handle" or handle.depth != 1:
        rest = list(f.params)
        if rest and not (row and row.how == "derived"):
            missing.append(("code", "its first parameter is no handle"))
    elif handle.base in ("LIBSSH2_AGENT", "LIBSSH2_PUBLICKEY"):
        struct, cls, scope = CLASSES[handle.base]
        missing.append(("code", "the core speaks this protocol itself"))
    elif handle.base not in CLASSES:
        missing.append(("code", f"{handle.base} has no class"))
    else:
        struct, cls, scope = CLASSES[handle.base]
        if cls == "Channel" and READS.search(f.name):
            scope = "channel-read"
    owns = row.owns if row and "?" not in row.owns else None
    args: list[Arg] = []
    while rest:
        p = rest.pop(0)
        arg, why = arg_of(p, rest[0] if rest else None, owns)
        if arg and arg.size:
            rest.pop(0)
        if arg:
            args.append(arg)
        else:
            missing.append(why)
    result, why = result_of(f, owns)
    if why[0]:
        missing.append(why)
    if FREES.search(f.name) and owns is None:
        missing.append(("owns", "does it free its handle?"))
    if f.deprecated and owns is None:
        missing.append(("code", "marked deprecated"))
    if WAITS.search(f.name) and not row:
        missing.append(("code", "the core itself waits"))
    if f.name + "64" in headers.functions and not row:
        missing.append(("code", f"{f.name}64 does it for any size"))
    if not f.exported:
        missing.append(("code", "not declared with LIBSSH2_API"))
    if result in ("none", "value"):
        scope = "pure"
    names = method_names(f, cls, headers)
    if not row and result == "status":
        result = "count"  # nobody knows yet that there is nothing to count
    if row:
        scope = row.scope
        if scope == "?":
            missing.append(("scope", "what may not run at the same time?"))
        if scope == "pure" and result == "status":
            result = "value"
        if result == "status" and "counts" in row.owns:
            result = "count"
        if row.how == "derived":
            names = (row.bound[0].split(".")[-1], *names)
            if row.bound[0].rpartition(".")[0] != cls:
                missing.append(("bound", f"it is of {cls or 'the module'}"))
            kinds = [result, *(arg.kind for arg in args)]
            missing += [("owns", why) for why in vain(row.owns, kinds)
                        if not missing]
    return Binding(struct, cls, names, aliases(f, names, headers, rows),
                   tuple(args), result, scope, owns or (), tuple(missing))
