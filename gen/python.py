"""Python's part: type stubs, and the docstrings that SWIG is to put in."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable
from pathlib import Path

from docs import Doc, spread, wrap
from headers import Failure
from interface import Class, Interface, Method, Out, Param
from ledger import Errors

NUMBER = "int"
IN = {
    "bool": "bool",
    "double": "float",
    "const char *": "str | bytes",
    "const char *OR_NONE": "str | bytes | None",
    "const char *PATH": "_Path",
    "const char *PATH_OR_NONE": "_Path | None",
    "const void *BYTES, size_t LEN": "_Bytes",
    "const void *BYTES_OR_NONE, size_t LEN": "_Bytes | None",
    "const void *TEXT, size_t LEN": "str | _Bytes",
    "const void *TEXT_OR_NONE, size_t LEN": "str | _Bytes | None",
    "const s2_list *PARTS_OR_NONE": "Sequence[str | _Bytes] | None",
    "const s2_list *PATHS": "Sequence[_Path]",
    "int SOCKET": "_Socket",
    "s2_call_fn CALL, void *CTX": "_Callback",
    "s2_call_fn CALL_OR_NONE, void *CTX": "_Callback | None",
    "void *DST, size_t CAP, size_t *GOT": NUMBER,
}
OUT = {
    "void *DST, size_t CAP, size_t *GOT": "bytes",
    "bool *RESULT": "bool",
    "bool": "bool",
    "double": "float",
    "s2_buf *BYTES": "bytes",
    "s2_buf *TEXT": "str",
    "s2_list *TEXTS": "list[str]",
    "s2_value *VALUE": "list[Any]",
    "const char *": "str",
    "const char *BYTES": "bytes",
}
# How people read the stubs' own words.
PLAIN = {
    "_Path": "str | bytes | os.PathLike",
    "_Bytes": "bytes | bytearray | memoryview",
    "_Socket": "int | object with fileno()",
    "_Callback": "callable",
}
HEAD = '''"""The types of ssh2.binding."""
import os
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn, Protocol, Union

class _HasDescriptor(Protocol):
    def fileno(self) -> int: ...

_Path = Union[str, bytes, os.PathLike[str], os.PathLike[bytes]]
_Bytes = Union[bytes, bytearray, memoryview]
_Socket = Union[int, _HasDescriptor]
_Callback = Callable[..., Any]
'''
# What swig/python/ has for Python alone.
OWN = {
    "check_interpreter": "",
    "set_wait": "wait: Callable[[int, int, int, float | None], object] | None",
}
ERROR = '''class SSH2Error(Exception):
    code: int  # LIBSSH2_ERROR_*, 0 for none
    name: str | None  # of the code, or of the SFTP status
    func: str | None  # the function of libssh2, or the method
    text: str | None  # what happened
    path: str | None  # the file, host or name it is about
    sftp_status: int  # LIBSSH2_FX_*, or 0
    errno: Any  # int or None; OSError has it too
    done: int  # bytes written before it
'''
KIN = {
    "ConnectError": "OSError",
    "FileError": "OSError",
    "FunctionMissingError": "NotImplementedError",
}
WORDS = {"NULL": "None", "true": "True", "false": "False"}


def say(text: str, params: Iterable[Param]) -> str:
    """A comment's text in Python's words."""
    for param in params:
        for name in param.names:
            text = text.replace(f"`{name}`", f"`{param.name}`")
    return re.sub(r"\bnull\b", "None", text)


def module(title: str, names: Iterable[str], lines: list[str]) -> str:
    public = [f'    "{name}",' for name in names]
    return "\n".join([f'"""{title}"""', *lines, "", "__all__ = [", *public,
                      "]"]) + "\n"


def homes(folder: Path) -> dict[str, str]:
    """The modules of the classes that stand over SWIG's own."""
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.py")):
        for name in re.findall(r"^class (\w+)\(.*\bbinding\.\1\)",
                               path.read_text(encoding="utf-8"), re.M):
            found[name] = path.stem
    return found


class Writer:
    def __init__(self, api: Interface, errors: Errors, own: Path) -> None:
        self.api, self.errors = api, errors
        self.homes = homes(own)
        for name in api.own - OWN.keys():
            raise Failure(f"{name}: gen/python.py does not know its type")

    # --- types --------------------------------------------------------------

    def public(self, c_type: str) -> str:
        """The class that C makes objects of, in place of SWIG's."""
        name = self.api.class_of(c_type)
        return "_" * (name in self.homes) + name

    def given(self, param: Param) -> str:
        if param.word in IN:
            return IN[param.word]
        cls = self.public(param.type)
        if cls:
            return cls + " | None" * param.word.endswith("OR_NONE")
        if "*" in param.type:
            raise Failure(f"{param.word} {param.name}: no type for Python")
        return NUMBER

    def out(self, out: Out) -> str:
        cls = self.public(out.type)
        kind = OUT.get(out.word) or cls or NUMBER
        if kind == NUMBER and "*" in out.word and not re.search(
                r"(RESULT|WRITTEN)$", out.word):
            raise Failure(f"{out.word}: no type for Python")
        record = out.word.startswith("RECORD")
        can = "*" in out.type and not out.word.endswith("RESULT") \
            and not out.word.endswith("GOT") and not record
        return kind + " | None" * (out.nullable and can
                                   and out.word != "s2_list *TEXTS")

    def result(self, method: Method) -> str:
        """What a call returns that does not block."""
        kinds = [self.out(out) for out in method.outs]
        if method.has("GOT") or method.has("WRITTEN"):
            kinds.insert(0, NUMBER)  # a code, and not a tuple of it alone
        if not kinds:
            return NUMBER if method.fails and not method.void else "None"
        return f"tuple[{', '.join(kinds)}]" if kinds[1:] else kinds[0]

    def returned(self, method: Method) -> str:
        """What it returns at all: its caller knows whether it may block."""
        kind = self.result(method)
        if not method.waits or kind.startswith("tuple[int, ") and (
                method.has("GOT") or method.has("WRITTEN")):
            return kind
        return {NUMBER: NUMBER, "None": "int | None"}.get(kind, f"{kind} | Any")

    def default(self, text: str) -> str:
        return re.sub(r"\bNULL\b|\btrue\b|\bfalse\b", lambda m: WORDS[m[0]],
                      text)

    # --- stubs --------------------------------------------------------------

    def method(self, method: Method) -> list[str]:
        words = ["self"] * bool(method.cls)
        for param in method.params:
            word = f"{param.name}: {self.given(param)}"
            if param.default:
                value = self.default(param.default)
                plain = re.fullmatch(r'-?\d+|True|False|None|"[^"]*"', value)
                word += f" = {value if plain else '...'}"
            words.append(word)
        text = self.body(method).replace("\\", "\\\\")
        return [f"def {method.name}({', '.join(words)}) -> "
                f"{self.returned(method)}:",
                *(("    " + line).rstrip()
                  for line in f'"""{text}\n"""'.split("\n"))]

    def members(self, cls: Class) -> list[str]:
        given = "self" if cls.made else "self, *args: object, **kw: object"
        lines = [f"def __init__({given}) -> None: ..."]
        for field in cls.fields:
            if field.fixed:
                lines += ["@property", f"def {field.name}(self) -> int: ..."]
            else:
                lines.append(f"{field.name}: int")
        for method in cls.methods:
            lines += self.method(method)
        return lines + [f"def {name}(self, *args: Any, **kw: Any) -> Any: ..."
                        for name in cls.missing]

    def declare(self, names: Iterable[str]) -> list[str]:
        texts = {name for name, text in self.api.constants.items() if text}
        return [f"{name}: Final[{'str' if name in texts else NUMBER}]"
                for name in names]

    def stub(self) -> str:
        """binding.pyi"""
        lines = [f"from .{home} import {name} as _{name}"
                 for name, home in self.homes.items()]
        lines += ["", *self.declare(self.api.constants)]
        for function in self.api.functions:
            lines += ["", *self.method(function)]
        lines += [f"def {name}(*args: Any, **kw: Any) -> NoReturn: ..."
                  for name in self.api.missing]
        lines += [f"def {name}({OWN[name]}) -> None: ..."
                  for name in sorted(self.api.own)]
        for cls in self.api.classes:
            lines += ["", f"class {cls.name}:"]
            lines += [("    " + line).rstrip() for line in self.members(cls)]
        return "\n".join([HEAD, *lines]) + "\n"

    def exceptions(self) -> str:
        """exceptions.pyi"""
        lines = ["from typing import Any", "", ERROR]
        for name, parent in list(self.errors.classes.items())[1:]:
            number = getattr(errno, self.errors.kin.get(name, ""), 0)
            kin = type(OSError(number, "")).__name__ if number else \
                KIN.get(name, "")
            bases = parent + f", {kin}" * bool(kin)
            lines.append(f"class {name}({bases}): ...")
        return module("Every class of error, and what an error tells.",
                      self.errors.classes, lines)

    def constants(self) -> str:
        """constants.pyi"""
        names = [name for name in self.api.constants
                 if name.startswith(("LIBSSH2", "SSH_", "HAVE_LIBSSH2_"))]
        return module("All constants of libssh2's headers.", names,
                      ["from typing import Final", "", *self.declare(names)])

    def error_codes(self) -> str:
        """error_codes.pyi"""
        names = sorted({name for name in (*self.api.constants,
                                          *self.errors.codes)
                        if name.startswith(("LIBSSH2_ERROR_",
                                            "LIBSSH2CHANNEL_EAGAIN"))})
        return module("libssh2's error codes.", names,
                      ["from typing import Final", "", *self.declare(names)])

    # --- docstrings ---------------------------------------------------------

    def would_block(self, method: Method) -> str:
        shape = "-37"
        if method.has("GOT"):
            shape = "(-37, b'')"
        elif method.has("WRITTEN"):
            shape = "(-37, bytes written)"
        return f"{shape} where it would block"

    def body(self, method: Method) -> str:
        """What the comment says, and what the types do."""
        doc = method.doc
        mine = {name for p in method.params for name in p.names}
        text = [wrap(say(p, method.params), 72) for p in doc.text]
        parts = {"Parameters": "\n".join(
            f"{p.name}: {self.plain(self.given(p))}" for p in method.params)}
        parts["Units"] = doc.units(mine)
        for label in ("Ownership", "Blocking"):
            parts[label] = doc.parts.get(label, "")
        result = self.plain(self.result(method))
        if method.fails and result == NUMBER and not method.outs:
            result = "0"
        told = [f"{result}: {doc.parts['Returns']}"
                if "Returns" in doc.parts else result]
        told += [self.would_block(method)] * method.waits
        parts["Returns"] = "; ".join(told)
        errors = spread(doc.parts.get("Errors", ""), self.errors.classes)
        parts["Errors"] = errors.replace("; ", "\n")
        parts["Source"] = doc.parts.get("Source", "")
        for label, said in parts.items():
            if said and said != "None":
                block = [wrap(say(line, method.params), 72, "    ")
                         for line in said.split("\n")]
                text.append("\n".join([f"{label}:", *block]))
        return "\n\n".join(text)

    def docstring(self, method: Method) -> str:
        """The same below its signature, as inspect reads it."""
        names = ["self"] * bool(method.cls) + [
            param.name + (f"={self.default(param.default)}" if param.default
                          else "") for param in method.params]
        return (f"{method.name}({', '.join(names)})\n--\n\n"
                f"{self.body(method)}")

    def plain(self, kind: str) -> str:
        return re.sub(r"\b_(\w+)", lambda m: PLAIN.get(m[0], m[1]), kind)

    def text(self, doc: Doc) -> str:
        said = say(" ".join(doc.text), ())
        return said[0].upper() + said[1:] + "." * (said[-1].isalnum()
                                                   or said[-1] == "*")

    def docstrings(self) -> str:
        """Input for SWIG: each method's, field's and class's docstring."""
        said: list[tuple[str, str]] = [
            (f.symbol, self.docstring(f)) for f in self.api.functions]
        for cls in self.api.classes:
            said.append((cls.struct, self.text(cls.doc)))
            said += [(f.symbol, self.text(f.doc)) for f in cls.fields]
            said += [(m.symbol, self.docstring(m)) for m in cls.methods]
        lines = ["/* Docstrings, from the comments of the core's headers. */"]
        for symbol, text in said:
            quoted = text.replace("\\", "\\\\").replace('"', '\\"') \
                .replace("\n", "\\n")
            lines.append(f'%feature("docstring") {symbol} "{quoted}";')
        return "\n".join(lines) + "\n"
