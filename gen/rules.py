"""The rules: what a prototype alone says about how to bind a function.

Each is small and claims only what a header can know.  What it cannot know,
a rule asks of one cell of the ledger.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from headers import Function, Headers, Macro, Param, Type
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
FREES = re.compile(r"_(free|close|closed|shutdown|cancel|del|delete|exit"
                   r"|destroy|release|disconnect)(_|$)")
VALUE = re.compile(r"_(get|last|is|has)_")
COUNT = re.compile(r"_(poll|flush|count|num|avail|size)(_|$)")
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


@dataclass(frozen=True)
class Arg:
    kind: str  # text, bytes: with their length; number; out
    name: str
    type: Type


@dataclass(frozen=True)
class Binding:
    struct: str
    cls: str
    names: tuple[str, ...]  # the method, then others that macros give it
    args: tuple[Arg, ...]
    result: str  # none, status, count or value
    scope: str
    missing: tuple[tuple[str, str], ...]  # the ledger's cell, and why

    @property
    def safe(self) -> bool:
        return not self.missing

    @property
    def method(self) -> str:
        return f"{self.cls}.{self.names[0]}"


def only_lengths(macro: Macro, target: str) -> bool:
    """A macro that adds nothing but lengths: the function's proper name."""
    return set(re.findall(r"\w+", macro.body)) <= {
        *(macro.params or ()), target, "strlen", "unsigned", "int", "size_t"}


def method_names(f: Function, cls: str, headers: Headers) -> tuple[str, ...]:
    """Without libssh2_ and the class; _ex stays where a macro fills values."""
    family = {"SFTPHandle": "sftp", "PublicKeySystem": "publickey"}

    def short(symbol: str) -> str:
        text = symbol[len("libssh2_"):]
        for word in (family.get(cls, cls.lower()), "channel"):
            if text.startswith(word + "_"):
                return text[len(word) + 1:]
        return text

    macros = [m for m in headers.macros if alias_of(m, headers) == f.name]
    name = short(f.name)
    plain = f.name[:-3] if f.name.endswith("_ex") else ""
    if plain in macros and only_lengths(headers.macros[plain], f.name):
        name = short(plain)
    others = [short(m) for m in macros if short(m) != name]
    return (name, *others)


def arg_of(p: Param, after: Param | None) -> tuple[Arg | None, str]:
    """A parameter's part in the method, or why it has none."""
    t = p.type
    if t.text == "libssh2_socket_t":
        return None, f"is {p.name} kept after the call?"
    if t.kind == "callback":
        return None, f"{p.name} is called back: that needs code"
    if t.kind == "scalar" and t.base not in NUMBERS:
        return None, f"what does {p.name}, {t.text}, hold?"
    if t.kind == "scalar" and t.depth == 0:
        return Arg("number", p.name, t), ""
    if t.kind == "scalar" and t.depth == 1 and t.const:
        if ("char" in t.base and after and after.name.endswith("len")
                and after.type.base in NUMBERS and not after.type.depth):
            kind = "text" if t.base == "char" else "bytes"
            return Arg(kind, p.name, t), ""
        return None, f"is {p.name}, {t.text}, kept after the call?"
    if t.kind == "scalar" and t.depth == 1 and "char" in t.base:
        return None, f"what does {p.name}, {t.text}, hold?"
    if t.kind == "scalar" and t.depth == 1:
        return Arg("out", p.name, t), ""
    if t.kind == "scalar" and "char" in t.base:
        return None, f"who frees {p.name}?"
    return None, f"what becomes of {p.name}, {t.text}?"


def result_of(f: Function) -> tuple[str, str]:
    t = f.result
    if t.kind == "void" and not t.depth:
        return "none", ""
    if t.kind != "scalar" or t.depth or t.base not in NUMBERS:
        return "value", f"who frees the result, {t.text}?"
    if t.text == "ssize_t" or t.text == "int" and COUNT.search(f.name):
        return "count", ""
    if t.text != "int" or VALUE.search(f.name):
        return "value", ""
    return "status", ""


def bind(f: Function, headers: Headers, row: Row | None = None) -> Binding:
    """How to bind f, by its prototype and, where given, its ledger row."""
    missing: list[tuple[str, str]] = []
    handle = f.params[0].type if f.params else None
    struct = cls = ""
    scope, rest = "none", list(f.params[1:])
    if not handle or handle.kind != "handle" or handle.depth != 1:
        rest = list(f.params)
        missing.append(("class", "its first parameter is no handle"))
    elif handle.base not in CLASSES:
        missing.append(("class", f"{handle.base} has no class"))
    else:
        struct, cls, scope = CLASSES[handle.base]
        if cls == "Channel" and READS.search(f.name):
            scope = "channel-read"
    args: list[Arg] = []
    while rest:
        p = rest.pop(0)
        arg, why = arg_of(p, rest[0] if rest else None)
        if arg and arg.kind in ("text", "bytes"):
            rest.pop(0)
        if arg:
            args.append(arg)
        else:
            missing.append(("owns", why))
    result, why = result_of(f)
    if why:
        missing.append(("owns", why))
    if FREES.search(f.name):
        missing.append(("owns", "may free its handle"))
    if f.deprecated:
        missing.append(("how", "marked deprecated"))
    if not f.exported:
        missing.append(("how", "not declared with LIBSSH2_API"))
    if result in ("none", "value"):
        scope = "pure"
    names = method_names(f, cls, headers)
    if not row and result == "status":
        result = "count"  # nobody knows yet that there is nothing to count
    if row:
        scope = row.scope
        if scope == "pure" and result == "status":
            result = "value"
        if row.owns == "-":
            known = ("may free its handle", "marked deprecated")
            missing = [m for m in missing if m[1] not in known]
        if row.how == "derived":
            names = (row.bound[0].split(".")[1], *names)
    return Binding(struct, cls, names, tuple(args), result, scope,
                   tuple(missing))
