"""The interface that SWIG sees (-xml), with the documentation of each part.

What a parameter or a result is, a word of swig/types.i says; what that is in
a language, its writer knows.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

from docs import Doc
from headers import Failure

Parm = tuple[str, str, str]  # type, name, default ("": none)


@dataclass(frozen=True)
class Param:
    name: str
    word: str  # of swig/types.i, or else the C type
    type: str
    default: str = ""  # in C
    names: tuple[str, ...] = ()  # of all that C takes for it


@dataclass(frozen=True)
class Out:
    word: str
    type: str
    nullable: bool = False


@dataclass(frozen=True)
class Method:
    cls: str  # "" for the module's own functions
    symbol: str  # for SWIG: "struct::name", before any renaming
    name: str
    params: tuple[Param, ...]
    outs: tuple[Out, ...]
    fails: bool  # it returns an s2_error *
    void: bool  # a language's plain null tells its success
    doc: Doc

    @property
    def waits(self) -> bool:
        return self.fails and self.doc.waits

    def has(self, word: str) -> bool:
        return any(word in out.word for out in self.outs)


@dataclass(frozen=True)
class Field:
    name: str
    symbol: str
    fixed: bool
    doc: Doc


@dataclass
class Class:
    name: str
    struct: str
    made: bool  # by a constructor of its own
    doc: Doc
    fields: list[Field] = field(default_factory=list)
    methods: list[Method] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # here they only raise


@dataclass
class Interface:
    constants: dict[str, bool] = field(default_factory=dict)  # is it text?
    functions: list[Method] = field(default_factory=list)
    classes: list[Class] = field(default_factory=list)
    own: set[str] = field(default_factory=set)  # a language's own functions
    missing: list[str] = field(default_factory=list)

    def class_of(self, c_type: str) -> str:
        struct = c_type.replace("const ", "").rstrip(" *")
        return next((c.name for c in self.classes if c.struct == struct), "")


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


def parms(node: ET.Element) -> list[Parm]:
    every = map(attributes, node.findall("attributelist/parmlist/parm"))
    return [(spell(a["type"]), a.get("name", ""), a.get("value", ""))
            for a in every if a["type"] != "void"]


def join(words: list[Parm]) -> str:
    return ", ".join(kind + name if kind.endswith("*") else f"{kind} {name}"
                     for kind, name, _ in words).strip()


class Reader:
    def __init__(self, tree: ET.Element, docs: dict[str, Doc]) -> None:
        self.docs = docs
        self.named: dict[str, tuple[Doc, set[str]]] = {}  # by who has them
        self.words: dict[str, str] = {}  # a declaration: its word
        classes = list(tree.iter("class"))
        inner = {id(node) for cls in classes for node in cls.iter("apply")}
        for node in tree.iter("apply"):
            if id(node) not in inner:
                self.apply(node)
        # Whose success is told by the null, other than by a plain number.
        self.void = {name for node in tree.iter("typemap")
                     if attributes(node).get("method") == "ret"
                     for item in node.findall("typemapitem")
                     for _, name, _ in parms(item) if "::" in name}
        self.api = Interface()
        for a in map(attributes, tree.iter("constant")):
            self.api.constants[a["sym_name"]] = "char" in a["type"]
        inside = {id(member) for tag in ("class", "extend")
                  for node in tree.iter(tag) for member in node.iter("cdecl")}
        for node in classes:
            self.read_class(node)
        for node in tree.iter("cdecl"):
            a = attributes(node)
            if a.get("kind") != "function" or id(node) in inside:
                continue
            if a["name"].startswith("s2_"):
                self.api.functions.append(self.method(node, a, ""))
            else:
                self.api.own.add(a["sym_name"])
        for doc, names in self.named.values():
            for name in sorted(doc.parameters - names):
                raise Failure(f"{doc.where}: no method has a parameter {name}")

    def doc(self, name: str, what: str) -> Doc:
        if name not in self.docs:
            raise Failure(f"{what}: {name} has no comment")
        return self.docs[name]

    def apply(self, node: ET.Element) -> None:
        word = join(parms(node))
        for target in node.findall("typemapitem"):
            self.words[join(parms(target))] = self.words.get(word, word)

    def read_class(self, node: ET.Element) -> None:
        a = attributes(node)
        struct = a["name"]
        cls = Class(a["sym_name"], struct,
                    node.find(".//constructor") is not None,
                    self.doc(struct, a["sym_name"]))
        for member in node.iter():
            m = attributes(member)
            if member.tag == "apply":
                self.apply(member)
            if member.tag != "cdecl" or "sym_name" not in m:
                continue
            if m.get("kind") == "variable":
                cls.fields.append(Field(
                    m["sym_name"], f"{struct}::{m['name']}",
                    "feature_immutable" in m,
                    self.doc(f"{struct}.{m['name']}", cls.name)))
            else:
                cls.methods.append(self.method(member, m, struct, cls.name))
        self.api.classes.append(cls)

    def method(self, node: ET.Element, a: dict[str, str], struct: str,
               cls: str = "") -> Method:
        symbol = f"{struct}::{a['name']}" if struct else a["name"]
        what = f"{cls}.{a['sym_name']}" if cls else a["sym_name"]
        # A body calls the function; without one the name tells it.
        called = re.findall(r"\bs2_\w+(?=\()", a.get("code", ""))
        called.append(symbol.replace("::", "_"))
        doc = self.doc(next((c for c in called if c in self.docs), called[0]),
                       what)
        given: list[Param] = []
        outs: list[Out] = []
        rest = parms(node)
        names: set[str] = set()
        while rest:
            size = next((n for n in range(len(rest), 0, -1)
                         if join(rest[:n]) in self.words), 1)
            group = rest[:size]
            word = self.words.get(join(group), group[0][0])
            del rest[:size]
            names |= {name for _, name, _ in group}
            got = word.endswith("GOT")
            comes_out = got or re.search(r"\b(OUT|RESULT|WRITTEN)$", word) or (
                word.startswith(("s2_buf", "s2_list", "s2_value")))
            if comes_out:
                outs.append(Out(word, group[0][0], doc.nullable))
            if got or not comes_out:
                given.append(Param(group[0][1], word, group[0][0],
                                   group[int(got)][2],
                                   tuple(name for _, name, _ in group)))
        c_type = spell(a["decl"].split(").")[-1] + a["type"])
        fails = c_type == "s2_error *"
        if not fails and c_type != "void":
            c_type = self.words.get(f"{c_type}{symbol}", c_type)
            outs.insert(0, Out(c_type, c_type, doc.nullable))
        self.named.setdefault(str(doc.where), (doc, set()))[1].update(names)
        return Method(cls, symbol, a["sym_name"], tuple(given), tuple(outs),
                      fails, symbol in self.void, doc)


def read(xml: Path, docs: dict[str, Doc], missing: Path | None) -> Interface:
    try:
        tree = ET.parse(xml).getroot()
    except ET.ParseError as error:
        raise Failure(f"{xml}:{error.position[0]}: {error}") from None
    api = Reader(tree, docs).api
    text = missing.read_text(encoding="utf-8") if missing else ""
    for cls in api.classes:
        cls.missing = re.findall(rf'"{cls.name}\.(\w+) ', text)
    api.missing = re.findall(r'"(\w+) ', text)
    return api
