"""Ruby's part: signatures (RBS), and documentation that rdoc and yard read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from docs import Doc, spread, wrap
from headers import Failure
from interface import Class, Interface, Method, Out, Param
from ledger import Errors

NUMBER = "Integer"
IN = {
    "bool": "boolish",
    "double": "Numeric",
    "const char *": "String",
    "const char *OR_NONE": "String?",
    "const char *PATH": "path",
    "const char *PATH_OR_NONE": "path?",
    "const char *FILE_PATH": "path",
    "const char *FILE_PATH_OR_NONE": "path?",
    "const void *BYTES, size_t LEN": "String",
    "const void *BYTES_OR_NONE, size_t LEN": "String?",
    "const void *TEXT, size_t LEN": "String",
    "const void *TEXT_OR_NONE, size_t LEN": "String?",
    "const s2_list *PARTS_OR_NONE": "Array[String]?",
    "const s2_list *PATHS": "Array[path]",
    "int SOCKET": "sock",
    "s2_call_fn CALL, void *CTX": "callback",
    "s2_call_fn CALL_OR_NONE, void *CTX": "callback?",
    "void *DST, size_t CAP, size_t *GOT": NUMBER,
}
OUT = {
    "void *DST, size_t CAP, size_t *GOT": "String?",
    "bool *RESULT": "bool",
    "bool": "bool",
    "double": "Float",
    "s2_buf *BYTES": "String",
    "s2_buf *TEXT": "String",
    "s2_list *TEXTS": "Array[String]",
    "s2_value *VALUE": "Array[untyped]",
    "const char *": "String",
    "const char *BYTES": "String",
}
# How people read the signatures' own words.
PLAIN = {
    "path": "String or an object with to_path",
    "sock": "IO, or an object with to_io or fileno, or Integer",
    "callback": "a block, Proc, or an object with call",
    "boolish": "true or false",
}
HEAD = '''# What SSH2 has from C.
module SSH2
  type path = String | _ToPath
  type sock = IO | Integer | _HasDescriptor
  type callback = Proc | Method | _Call
  type wait = :wait_readable | :wait_writable

  interface _HasDescriptor
    def fileno: () -> Integer
  end

  interface _Call
    def call: (*untyped) -> untyped
  end
'''
# For lib/ssh2.rb and lib/ssh2/missing.rb only.
HIDDEN = ("build_pairs", "missing_methods", "raise_missing")
OWN: dict[str, str] = {}  # what swig/ruby/ has for Ruby alone: its signature
DOCS = '''# What SSH2 has from C, for rdoc, ri and yard.  Nothing loads it.
module SSH2
'''


def say(text: str, params: Iterable[Param]) -> str:
    """A comment's text in Ruby's words, as rdoc marks them up."""
    for param in params:
        for name in param.names:
            text = text.replace(f"`{name}`", f"`{param.name}`")
    text = re.sub(r"`(\w+)`", r"+\1+", text)
    text = re.sub(r"\b(\w+)\.(\w+)\(\)", r"\1#\2", text)
    text = re.sub(r"(?<![\w#])(\w+)\(\)", r"#\1", text)
    return re.sub(r"\bnull\b", "nil", text)


def written(folder: Path) -> dict[str, set[str]]:
    """The methods that Ruby's own files define, as their signatures tell.

    What a module has is there in place of C's, where a class includes it.
    """
    names: dict[str, set[str]] = {}
    included: list[tuple[str, str]] = []
    for path in sorted(folder.glob("*.rbs")):
        if path.name == "binding.rbs":  # ours, installed beside them
            continue
        scopes: list[str] = []
        for line in path.read_text(encoding="utf-8").splitlines():
            head = re.match(r" *(?:class|module) (\w+)", line)
            name = re.match(
                r" *(?:def|attr_reader|alias) ([\w.?!=<]+?)(?: |:|$)", line)
            mixed = re.match(r" *include (\w+)", line)
            if head:
                scopes.append(head[1])
            elif re.fullmatch(r" *end", line):
                scopes.pop()
            elif name:
                names.setdefault(scopes[-1], set()).add(name[1])
            elif mixed:
                included.append((scopes[-1], mixed[1]))
    for cls, module in included:
        names.setdefault(cls, set()).update(names.get(module, ()))
    return names


def said(folder: Path) -> dict[str, tuple[list[str], str]]:
    """What Ruby's own files say of "Class.method", and its parameters."""
    told: dict[str, tuple[list[str], str]] = {}
    for path in sorted(folder.glob("**/*.rb")):
        cls = ""
        comment: list[str] = []
        for line in path.read_text(encoding="utf-8").splitlines():
            head = re.match(r"  class (\w+)", line)
            method = re.match(r"    def ([\w?!=]+)(.*)", line)
            cls = head[1] if head else cls
            if line.startswith("    #"):
                comment.append(line[6:])
                continue
            if method and comment:
                told[f"{cls}.{method[1]}"] = comment, method[2]
            comment = []
    return told


def block(param: Param) -> bool:
    """May it be given as a block, too?  lib/ssh2/ sees to that."""
    return param.word.startswith("s2_call_fn")


class Writer:
    def __init__(self, api: Interface, errors: Errors, own: Path) -> None:
        self.api, self.errors = api, errors
        self.written = written(own)
        self.said = said(own.parent / "lib")
        self.functions = [f for f in api.functions if f.name not in HIDDEN]
        for name in api.own - OWN.keys():
            raise Failure(f"{name}: gen/ruby.py does not know its type")

    # --- types --------------------------------------------------------------

    def given(self, param: Param) -> str:
        if param.word in IN:
            return IN[param.word]
        cls = self.api.class_of(param.type)
        if cls:
            return cls + "?" * param.word.endswith("OR_NONE")
        if "*" in param.type:
            raise Failure(f"{param.word} {param.name}: no type for Ruby")
        return NUMBER

    def out(self, out: Out) -> str:
        kind = OUT.get(out.word) or self.api.class_of(out.type) or NUMBER
        if kind == NUMBER and "*" in out.word and not re.search(
                r"(RESULT|WRITTEN)$", out.word):
            raise Failure(f"{out.word}: no type for Ruby")
        never = re.search(r"(RESULT|GOT|TEXTS|WRITTEN)$|^RECORD", out.word)
        return kind + "?" * (out.nullable and "*" in out.type and not never)

    def result(self, method: Method) -> str:
        """What a call returns that does not block."""
        kinds = [self.out(out) for out in method.outs]
        if kinds[1:]:
            return f"[{', '.join(kinds)}]"
        return kinds[0] if kinds else "nil"

    def default(self, text: str) -> str:
        return re.sub(r"\bNULL\b", "nil", text)

    # --- signatures ---------------------------------------------------------

    def method(self, method: Method) -> list[str]:
        words = [f"{'?' * bool(p.default or block(p))}{self.given(p)} {p.name}"
                 for p in method.params]
        asked = " ?{ (*untyped) -> untyped }" * any(map(block, method.params))
        result = self.result(method)
        wait = " | wait" * method.waits
        kind = f"({result}{wait})" if wait else result
        own = "" if method.cls else "self."
        head = f"def {own}{method.name}"
        form = f"({', '.join(words)})"
        lines = [f"{head}: {form}{asked} -> {kind}"]
        _, params = self.said.get(f"{method.cls}.{method.name}", ([], ""))
        if "&block" in params and not asked:  # it is given what was opened
            lines.append(f"{' ' * len(head)}| [T] {form} {{ ({result}) -> T }}"
                         f" -> (T{wait})")
        return [*self.comment(method), *lines]

    def mine(self, cls: Class) -> list[Method]:
        """Those that Ruby's own files leave as they are."""
        written = self.written.get(cls.name, ())
        return [m for m in cls.methods if m.name not in written]

    def members(self, cls: Class) -> list[str]:
        lines = []
        if cls.made and "initialize" not in self.written.get(cls.name, ()):
            lines.append("def initialize: () -> void")
        for field in cls.fields:
            kind = "reader" if field.fixed else "accessor"
            lines += [f"# {self.text(field.doc)}",
                      f"attr_{kind} {field.name}: {NUMBER}"]
        for method in self.mine(cls):
            lines += self.method(method)
        return lines + [f"def {name}: (*untyped, **untyped) -> bot"
                        for name in cls.missing]

    def signatures(self) -> str:
        """binding.rbs"""
        lines = [f"{name}: {'String' if text else NUMBER}"
                 for name, text in self.api.constants.items()]
        for function in self.functions:
            lines += ["", *self.method(function)]
        lines += [f"def self.{name}: (*untyped, **untyped) -> bot"
                  for name in self.api.missing]
        lines += [f"def self.{name}: {OWN[name]}" for name in self.api.own]
        for cls in self.api.classes:
            lines += ["", f"# {self.text(cls.doc)}", f"class {cls.name}"]
            lines += ["  " + line for line in self.members(cls)] + ["end"]
        inside = [("  " + line).rstrip() for line in lines]
        return "\n".join([HEAD, *inside, *self.exceptions(), "end"]) + "\n"

    def exceptions(self) -> list[str]:
        """Modules above the SFTP statuses, classes for all others."""
        parents = self.errors.classes
        above = set()
        for status in self.errors.kin:
            while status != parents[status]:
                status = parents[status]
                above.add(status)
        lines = []
        for name, parent in parents.items():
            shown = "Error" if name == parent else name
            kin = "Error" if parent == parents[parent] else parent
            lines.append("")
            if name in above:
                lines.append(f"  module {shown}")
                if name != parent:
                    lines.append(f"    include {kin}")
                lines += ["    class Other < StandardError",
                          f"      include {shown}", "    end", "  end"]
                continue
            base = kin
            if parent in above:
                number = self.errors.kin.get(name, "0")
                base = f"Errno::{number}" if number != "0" else "StandardError"
            lines.append(f"  class {name} < {base}")
            if parent in above:
                lines.append(f"    include {kin}")
            lines.append("  end")
        return [*lines, "", "  SSH2Error: Module"]

    # --- documentation ------------------------------------------------------

    def comment(self, method: Method) -> list[str]:
        text = [wrap(say(p, method.params), 72) for p in method.doc.text]
        result = self.plain(self.result(method))
        if "Returns" in method.doc.parts:
            result += f": {method.doc.parts['Returns']}"
        return self.parts(method, text, result, True)

    def parts(self, method: Method, text: list[str], result: str,
              same: bool) -> list[str]:
        """A text and what else is to be said; are the parameters the same?"""
        doc = method.doc
        mine = {name for p in method.params for name in p.names}
        parts = {}
        if same:
            parts["Parameters"] = ", ".join(
                f"+{p.name}+: {self.plain(self.given(p))}"
                for p in method.params)
            parts["Units"] = doc.units(mine)
        for label in ("Ownership", "Blocking"):
            parts[label] = doc.parts.get(label, "")
        wait = "+:wait_readable+ or +:wait_writable+" * method.waits
        if result and wait:
            wait = f"{result}; {wait} where it would block"
        parts["Returns" if result else "Would block"] = wait or result
        parts["Errors"] = spread(doc.parts.get("Errors", ""),
                                 self.errors.classes)
        parts["Source"] = doc.parts.get("Source", "")
        block = [f"{label}::\n" + wrap(say(said, method.params), 72, "  ")
                 for label, said in parts.items() if said]
        text = [*text, "\n".join(block)] if block else text
        return [f"# {line}".rstrip() for line in "\n\n".join(text).split("\n")]

    def plain(self, kind: str) -> str:
        kind = re.sub(r"\w+", lambda m: PLAIN.get(m[0], m[0]), kind)
        return kind.replace("?", " or nil")

    def text(self, doc: Doc) -> str:
        said = say(" ".join(doc.text), ())
        return said[0].upper() + said[1:] + "." * (said[-1].isalnum()
                                                   or said[-1] == "*")

    def definition(self, method: Method) -> list[str]:
        words = [p.name + (f" = {self.default(p.default)}" if p.default else
                           " = nil" if block(p) else "")
                 for p in method.params]
        own = "" if method.cls else "self."
        given = f"({', '.join(words)})" if words else ""
        told, params = self.said.get(f"{method.cls}.{method.name}", ([], ""))
        comment = self.comment(method)
        if told:
            same = "*args" in params  # they are passed on
            given = given if same else params
            comment = self.parts(method, ["\n".join(told)], "", same)
        return [*comment, f"def {own}{method.name}{given}", "end"]

    def manual(self) -> str:
        """Documentation of what C does, also below a method of Ruby's own.

        rdoc takes the first that it sees of a method, and sorts its files.
        """
        lines: list[str] = []
        for function in self.functions:
            lines += ["", *self.definition(function)]
        for cls in self.api.classes:
            lines += ["", f"class {cls.name}"]
            inside = []
            for field in cls.fields:
                kind = "reader" if field.fixed else "accessor"
                inside += [f"# {self.text(field.doc)}",
                           f"attr_{kind} :{field.name}", ""]
            written = self.written.get(cls.name, ())
            for method in cls.methods:
                if (method.name not in written
                        or f"{cls.name}.{method.name}" in self.said):
                    inside += [*self.definition(method), ""]
            lines += ["  " + line for line in inside[:-1]] + ["end"]
        inside = [("  " + line).rstrip() for line in lines[1:]]
        return "\n".join([DOCS.rstrip(), *inside, "end"]) + "\n"
