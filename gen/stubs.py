"""Type stubs from SWIG's parse tree of the interface (-xmlout).

The words of swig/types.i say what each parameter is; the tables here say what
that is in each language.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from headers import Failure

Pair = tuple[str, str]  # Python's, Ruby's
NUMBER, ANY = ("int", "Integer"), ("object", "untyped")
IN = {
    "bool": ("bool", "boolish"),
    "double": ("float", "Numeric"),
    "const char *": ("str | bytes", "String"),
    "const char *OR_NONE": ("str | bytes | None", "String?"),
    "const char *PATH": ("_Path", "path"),
    "const char *PATH_OR_NONE": ("_Path | None", "path?"),
    "const void *BYTES, size_t LEN": ("_Bytes", "String"),
    "const void *BYTES_OR_NONE, size_t LEN": ("_Bytes | None", "String?"),
    "const void *TEXT, size_t LEN": ("str | _Bytes", "String"),
    "const void *TEXT_OR_NONE, size_t LEN": ("str | _Bytes | None", "String?"),
    "int SOCKET": ("_Socket", "IO | Integer"),
    "s2_call_fn CALL, void *CTX": ("_Call", "call"),
    "s2_call_fn CALL_OR_NONE, void *CTX": ("_Call | None", "call?"),
    "void *DST, size_t CAP, size_t *GOT": NUMBER,
}
OUT = {
    "void *DST, size_t CAP, size_t *GOT": ("bytes", "String"),
    "size_t *WRITTEN": NUMBER,
    "bool *RESULT": ("bool", "bool"),
    "s2_buf *BYTES": ("bytes | None", "String?"),
    "s2_buf *TEXT": ("str | None", "String?"),
    "s2_list *TEXTS": ("list[str]", "Array[String]"),
}
RETURNED = {
    "void": ("None", "nil"),
    "bool": ("bool", "bool"),
    "double": ("float", "Float"),
    "const char *": ("str | None", "String?"),
    "const char *BYTES": ("bytes | None", "String?"),
}
HEADS = ('''"""The types of ssh2.binding."""
import os
from collections.abc import Callable
from typing import Protocol, TypeAlias

class _HasDescriptor(Protocol):
    def fileno(self) -> int: ...

_Path: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
_Bytes: TypeAlias = bytes | bytearray | memoryview
_Socket: TypeAlias = int | _HasDescriptor
_Call: TypeAlias = Callable[..., object]
''', '''# The types of SSH2's own methods.
module SSH2
  type path = String | _ToPath
  type call = ^(*untyped) -> untyped
  type wait = :wait_readable | :wait_writable
''')


def attributes(node: ET.Element) -> dict[str, str]:
    return {a.get("name", ""): a.get("value", "")
            for a in node.findall("attributelist/attribute")}


def spell(encoded: str) -> str:
    """SWIG's p.q(const).char is const char *."""
    if encoded.startswith("p."):
        inner = spell(encoded[2:])
        return inner + ("*" if inner.endswith("*") else " *")
    if encoded.startswith("q(const)."):
        return "const " + spell(encoded[9:])
    return encoded


def parms(node: ET.Element) -> list[tuple[str, str, bool]]:
    """Type, name and whether it has a default, of each parameter."""
    every = map(attributes, node.findall("attributelist/parmlist/parm"))
    return [(spell(a["type"]), a.get("name", ""), "value" in a)
            for a in every if a["type"] != "void"]


def join(words: list[tuple[str, str, bool]]) -> str:
    return ", ".join(kind + name if kind.endswith("*") else f"{kind} {name}"
                     for kind, name, _ in words).strip()


class Writer:
    """One language's stubs: 0 is Python, 1 Ruby."""

    def __init__(self, tree: ET.Element, language: int) -> None:
        self.tree, self.language = tree, language
        self.words: dict[str, str] = {}
        for apply in tree.iter("apply"):
            word = join(parms(apply))
            for target in apply.findall("typemapitem"):
                self.words[join(parms(target))] = self.words.get(word, word)
        self.classes = [(n, attributes(n)) for n in tree.iter("class")]
        self.names = {a["name"]: a["sym_name"] for _, a in self.classes}

    def kind(self, c_type: str, optional: bool) -> Pair:
        """What is neither text nor bytes: an object, a number, or unknown."""
        name = self.names.get(c_type.replace("const ", "").rstrip(" *"))
        if name:
            return (f"{name} | None", f"{name}?") if optional else (name, name)
        return ANY if "*" in c_type else NUMBER

    def method(self, node: ET.Element, a: dict[str, str], of: str) -> str:
        """The declaration of a method, or of the module's function."""
        given = ["self"] if of and not self.language else []
        outs: list[Pair] = []
        moves, rest = False, parms(node)
        while rest:
            size = next((n for n in range(len(rest), 0, -1)
                         if join(rest[:n]) in self.words), 1)
            c_type, name, optional = rest[0]
            word = self.words.get(join(rest[:size]), c_type)
            del rest[:size]
            moves |= "GOT" in word or "WRITTEN" in word
            kind, out = IN.get(word), OUT.get(word)
            if not kind and not out:
                if word.endswith("*OUT"):
                    out = self.kind(c_type, word.startswith("HANDLE"))
                elif word.endswith("*RESULT"):
                    out = NUMBER
                else:
                    kind = self.kind(c_type, word.endswith("OR_NONE"))
            if out:
                outs.append(out)
            if kind and self.language:
                given.append(f"{'?' * optional}{kind[1]} {name}")
            elif kind:
                given.append(f"{name}: {kind[0]}" + " = ..." * optional)
        c_type = spell(a["decl"].split(").")[-1] + a["type"])
        c_type = self.words.get(f"{c_type}{of}{a['name']}", c_type)
        fails = c_type == "s2_error *"
        if not fails and not outs:
            outs = [RETURNED.get(c_type) or self.kind(c_type, True)]
        kinds = [out[self.language] for out in outs]
        args = ", ".join(given)
        if self.language:
            own = "" if of else "self."
            kind1 = f"[{', '.join(kinds)}]" if kinds[1:] else "".join(kinds)
            kind1 = f"({kind1 or 'nil'} | wait)" if fails else kind1
            return f"def {own}{a['sym_name']}: ({args}) -> {kind1}"
        # A read or a write answers with a code as well.
        kinds = ["int"] * moves + kinds
        kind0 = f"tuple[{', '.join(kinds)}]" if kinds[1:] else "".join(kinds)
        if fails and not moves and kind0 != "int":
            kind0 += " | int" if kind0 else "int"
        return f"def {a['sym_name']}({args}) -> {kind0}: ..."

    def members(self, node: ET.Element, a: dict[str, str]) -> list[str]:
        """What a class has, made by new where it has a constructor."""
        lines = []
        for member in node.iter("cdecl"):
            m = attributes(member)
            fixed = "feature_immutable" in m
            if m.get("kind") == "variable" and self.language:
                how = "reader" if fixed else "accessor"
                lines.append(f"attr_{how} {m['sym_name']}: Integer")
            elif m.get("kind") == "variable" and fixed:
                lines += ["@property",
                          f"def {m['sym_name']}(self) -> int: ..."]
            elif m.get("kind") == "variable":
                lines.append(f"{m['sym_name']}: int")
            elif m.get("kind") == "function" and "sym_name" in m:
                lines.append(self.method(member, m, a["name"] + "::"))
        if node.find(".//constructor") is not None:
            lines.insert(0, ("def __init__(self) -> None: ...",
                             "def initialize: () -> void")[self.language])
        return lines

    def text(self) -> str:
        lines = []
        for a in map(attributes, self.tree.iter("constant")):
            kind = ("str", "String") if "char" in a["type"] else NUMBER
            lines.append(f"{a['sym_name']}: {kind[self.language]}")
        lines.append("")
        for node in self.tree.iter("cdecl"):
            a = attributes(node)
            if a.get("view") == "globalfunctionHandler":
                lines.append(self.method(node, a, ""))
        for node, a in self.classes:
            lines += ["", f"class {a['sym_name']}{':'[self.language:]}"]
            lines += ["    "[self.language * 2:] + line
                      for line in self.members(node, a)]
            lines += ["end"] * self.language
        inside = [("  " * self.language + line).rstrip() for line in lines]
        return "\n".join([HEADS[self.language], *inside,
                          *["end"] * self.language]) + "\n"


def write(xml: Path, suffix: str) -> str:
    if suffix not in (".pyi", ".rbs"):
        raise Failure(f"no stubs are called *{suffix}")
    try:
        tree = ET.parse(xml).getroot()
    except ET.ParseError as error:
        raise Failure(f"{xml}:{error.position[0]}: {error}") from None
    return Writer(tree, int(suffix == ".rbs")).text()
