"""What the public headers of one libssh2 say: functions, macros, enums.

The compiler reads them (`cc -E`, so its own conditionals hold), pycparser
parses what is left of libssh2's own text, and every value and type of a
constant is the compiler's answer.  Nothing is run.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pycparser import c_ast, c_generator, c_parser  # type: ignore

REQUIRED = ("libssh2.h", "libssh2_sftp.h", "libssh2_publickey.h")

C_TYPES = {
    "i": "int", "u": "unsigned int", "l": "long", "m": "unsigned long",
    "x": "long long", "y": "unsigned long long",
}


class Failure(Exception):
    """Bad input; the text names its file and line."""


@dataclass(frozen=True)
class Where:
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Type:
    """A C type; `base` has the headers' own typedefs resolved."""

    text: str  # as C spells it: "const char *"
    base: str  # "char", "LIBSSH2_SESSION", "struct stat"
    kind: str  # void, scalar, handle, struct or callback
    depth: int = 0  # how many pointers
    const: bool = False  # what it points to is const


@dataclass(frozen=True)
class Param:
    name: str
    type: Type


@dataclass(frozen=True)
class Function:
    name: str
    where: Where
    result: Type
    params: tuple[Param, ...]
    text: str
    deprecated: bool
    exported: bool  # declared with LIBSSH2_API


@dataclass(frozen=True)
class Macro:
    name: str
    where: Where
    params: tuple[str, ...] | None  # None: used without parentheses
    body: str


@dataclass(frozen=True)
class Constant:
    name: str  # as the languages see it
    symbol: str  # as C spells it
    where: Where
    type: str = "const char *"  # or one of C_TYPES
    value: int | None = None  # of a number


@dataclass
class Headers:
    version: str = ""
    functions: dict[str, Function] = field(default_factory=dict)
    macros: dict[str, Macro] = field(default_factory=dict)  # with arguments
    constants: dict[str, Constant] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)  # name: why


# What pycparser does not know is taken away; what the headers say of a
# function by macros becomes a word that it does.
PLAIN = ("-D__attribute__(x)=", "-D__extension__=", "-D__restrict=",
         "-D__inline=inline", "-DLIBSSH2_API=extern",
         "-DLIBSSH2_DISABLE_DEPRECATION",
         "-DLIBSSH2_DEPRECATED(version, message)=_Noreturn")


def compile_c(cc: list[str], options: list[str], source: str) -> str:
    done = subprocess.run(
        [*cc, "-x", "c", *options, "-"],
        input=source, capture_output=True, text=True, check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        said = [text for text in lines if "error" in text] or lines
        raise Failure(said[0])
    return done.stdout


@dataclass
class Source:
    """libssh2's own part of the preprocessed text."""

    code: list[tuple[Where, str]] = field(default_factory=list)
    macros: dict[str, Macro] = field(default_factory=dict)
    system: str = ""  # the rest


def preprocess(cc: list[str], paths: list[Path]) -> Source:
    text = compile_c(cc, ["-E", "-dD", *PLAIN],
                     "".join(f'#include "{path}"\n' for path in paths))
    out, own = Source(), {str(path) for path in paths}
    file, line = "", 0
    for row in text.splitlines():
        line += 1
        marker = re.match(r'# (\d+) "(.*?)"', row)
        define = re.match(r"#define (\w+)(\([^)]*\))?\s*(.*)", row)
        if marker:
            line, file = int(marker[1]) - 1, marker[2]
        elif row.startswith("#undef "):
            out.macros.pop(row[7:].strip(), None)
        elif define and file in own:
            params = re.findall(r"\w+|\.\.\.", define[2] or "")
            out.macros[define[1]] = Macro(
                define[1], Where(file, line),
                None if define[2] is None else tuple(params), define[3])
        elif file in own and not row.startswith("#"):
            out.code.append((Where(file, line), row))
        else:
            out.system += row + "\n"
    return out


def parse(source: Source) -> Any:
    """pycparser's tree of libssh2's own text."""
    words = {word for _, row in source.code for word in re.findall(r"\w+", row)}
    known = set(re.findall(
        r"\btypedef\b[^;{]*?\b(\w+)\s*(?:\[[^;]*\])?;", source.system))
    text = ['# 1 "<system>"']
    text += [f"typedef int {name};" for name in sorted(words & known)]
    expect: Where | None = None
    for where, row in source.code:
        if where != expect:
            text.append(f'# {where.line} "{where.file}"')
        text.append(row)
        expect = Where(where.file, where.line + 1)
    try:
        return c_parser.CParser().parse("\n".join(text) + "\n", "<libssh2>")
    except c_parser.ParseError as error:
        raise Failure(f"{error}") from None


class Types:
    """Resolves the declarations of one parsed header set."""

    def __init__(self, tree: Any) -> None:
        self.typedefs: dict[str, Any] = {}
        self.complete: set[str] = set()
        for node in tree.ext:
            if isinstance(node, c_ast.Typedef):
                system = node.coord.file == "<system>"
                self.typedefs[node.name] = None if system else node.type
            of = getattr(node, "type", node)
            for struct in (of, getattr(of, "type", of)):
                if getattr(struct, "decls", None):
                    self.complete.add(struct.name)

    def of(self, node: Any) -> Type:
        inner = node
        while not isinstance(inner, c_ast.TypeDecl):
            inner = inner.type
        inner.declname = None  # to print the type alone
        text = c_generator.CGenerator().visit(
            c_ast.Typename(None, [], None, node))
        return self.resolve(node, re.sub(r"\s+", " ", text))

    def resolve(self, node: Any, text: str) -> Type:
        if isinstance(node, (c_ast.PtrDecl, c_ast.ArrayDecl)):
            to = self.resolve(node.type, text)
            return Type(text, to.base, to.kind, to.depth + 1, to.const)
        if isinstance(node, c_ast.FuncDecl):
            return Type(text, text, "callback")
        const, inner = "const" in node.quals, node.type
        if isinstance(inner, c_ast.Enum):
            return Type(text, "int", "scalar", 0, const)
        if isinstance(inner, (c_ast.Struct, c_ast.Union)):
            kind = "struct" if inner.name in self.complete else "handle"
            return Type(text, str(inner.name), kind, 0, const)
        name = " ".join(inner.names)
        if self.typedefs.get(name) is None:
            kind = "void" if name == "void" else "scalar"
            return Type(text, name, kind, 0, const)
        to = self.resolve(self.typedefs[name], text)
        base = name if to.kind in ("handle", "struct") else to.base
        return Type(text, base, to.kind, to.depth, const or to.const)


def functions(tree: Any, out: Headers) -> None:
    types = Types(tree)
    for node in tree.ext:
        where = Where(node.coord.file, node.coord.line)
        if isinstance(node, c_ast.FuncDef):
            out.skipped[node.decl.name] = f"{where}: a body, no library call"
        if (not isinstance(node, c_ast.Decl) or node.name in out.functions
                or not isinstance(node.type, c_ast.FuncDecl)):
            continue
        text = re.sub(r"\s+", " ", c_generator.CGenerator().visit(node))
        params = []
        for arg in node.type.args.params if node.type.args else []:
            if isinstance(arg, c_ast.EllipsisParam):
                params.append(Param("...", Type("...", "...", "struct")))
                continue
            kind = types.of(arg.type)
            if kind.kind != "void" or kind.depth:
                params.append(Param(arg.name or f"arg{len(params)}", kind))
        out.functions[node.name] = Function(
            node.name, where, types.of(node.type.type), tuple(params),
            re.sub(r"^(_Noreturn |extern )*", "", text),
            "_Noreturn" in node.funcspec, "extern" in node.storage)


class Enumerators(c_ast.NodeVisitor):  # type: ignore
    def __init__(self) -> None:
        self.found: dict[str, Where] = {}

    def visit_Enumerator(self, node: Any) -> None:
        self.found[node.name] = Where(node.coord.file, node.coord.line)


TOKEN = re.compile(
    r"""\s+ | (?P<string>"(?:[^"\\]|\\.)*") | (?P<word>[A-Za-z_]\w*)
    | (?P<number>0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*)(?![\w.])
    | '(?:[^'\\]|\\.)+' | [-+*/%<>&|^~!=?:()] | (?P<other>.)""", re.VERBOSE)
GUARD = r"^#\s*ifndef\s+(\w+)\s+#\s*define\s+\1\b"
ARITHMETIC = {"unsigned", "signed", "char", "short", "int", "long"}


def not_constant(text: str, enums: set[str]) -> str | None:
    """Why an expansion is no constant; None if it is one."""
    if not text:
        return "has no value"
    strings = numbers = 0
    for token in TOKEN.finditer(text):
        if token["other"]:
            return f"expands to {text}"
        if token["word"] and token["word"] not in enums | ARITHMETIC:
            return f"expands to {text}"
        strings += token["string"] is not None
        numbers += not token["string"] and not token[0].isspace()
    return f"expands to {text}" if strings and numbers else None


def constants(cc: list[str], paths: list[Path], tree: Any, source: Source,
              out: Headers) -> None:
    include = "".join(f'#include "{path}"\n' for path in paths)
    plain = [m for m in source.macros.values() if m.params is None]
    probe = "".join(f"\ns2_probe {i} {m.name}\n" for i, m in enumerate(plain))
    text = compile_c(cc, ["-E", "-P"], include + probe)
    expanded = {int(number): " ".join(body.split()) for number, body in
                re.findall(r"^s2_probe (\d+)\b(.*?)(?=^s2_probe|\Z)", text,
                           re.DOTALL | re.MULTILINE)}
    visitor = Enumerators()
    visitor.visit(tree)
    enums = visitor.found
    ask: list[Constant] = []
    for i, macro in enumerate(plain):
        why = not_constant(expanded.get(i, ""), set(enums))
        text = Path(macro.where.file).read_text(errors="replace")
        guard = re.search(GUARD, text, re.MULTILINE)
        if guard and guard[1] == macro.name:
            why = "guards its header"
        constant = Constant(macro.name, macro.name, macro.where)
        if why:
            out.skipped[macro.name] = f"{macro.where}: {why}"
        elif '"' in expanded[i]:
            out.constants[macro.name] = constant
        else:
            ask.append(constant)
    for symbol, where in enums.items():
        name = symbol if symbol[0].isupper() else symbol.upper()
        if name in source.macros:
            out.skipped[symbol] = f"{where}: {name} is another constant"
        else:
            ask.append(Constant(name, symbol, where))
    out.constants.update((c.name, c) for c in valued(cc, include, ask))


def valued(cc: list[str], include: str, ask: list[Constant]) -> list[Constant]:
    """Each with the compiler's type and value, read from an object file.

    The letters of each answer are constant expressions, so it stands as text
    in the data the compiler writes.
    """
    kinds = ",".join(f"{text}:'{key}'" for key, text in C_TYPES.items())
    bits = "((int)((unsigned long long)(v) >> 4 * (n)) & 15)"
    lines = [f"{include}#define S2_BITS(v, n) {bits}\n"]
    for number, c in enumerate(ask):
        letters = [f"'{letter}'" for letter in f"@s2={number:05d}="]
        letters.append(f"_Generic(+({c.symbol}), {kinds})")
        letters += [f"'a' + S2_BITS({c.symbol}, {n})" for n in range(16)]
        lines.append(f'#line {c.where.line} "{c.where.file}"\n'
                     f"const char s2_probe_{number}[] = "
                     f"{{ {', '.join(letters)}, '@' }};\n")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "probe.o")
        compile_c(cc, ["-std=c11", "-w", "-c", "-o", str(made)],
                  "".join(lines))
        data = made.read_bytes().decode("latin-1")
    out = []
    for number, c in enumerate(ask):
        found = re.search(rf"@s2={number:05d}=([a-z])([a-p]{{16}})@", data)
        if not found:
            raise Failure(f"{c.where}: the compiler gives {c.symbol} no value")
        value = sum(ord(letter) - ord("a") << 4 * n
                    for n, letter in enumerate(found[2]))
        if found[1] in "ilx" and value >> 63:
            value -= 1 << 64
        out.append(replace(c, type=C_TYPES[found[1]], value=value))
    return out


def read(include: Path, cc: list[str]) -> Headers:
    """All that the headers in the folder `include` declare."""
    for name in REQUIRED:
        if not (include / name).is_file():
            raise Failure(f"{include}: no {name} there")
    folder = include.resolve()
    more = sorted(p.name for p in folder.glob("libssh2*.h"))
    paths = [folder / name for name in dict.fromkeys((*REQUIRED, *more))]
    source = preprocess(cc, paths)
    tree = parse(source)
    out = Headers()
    functions(tree, out)
    out.macros = {m.name: m for m in source.macros.values()
                  if m.params is not None}
    constants(cc, paths, tree, source, out)
    version = source.macros.get("LIBSSH2_VERSION")
    if not version:
        raise Failure(f"{paths[0]}:1: no LIBSSH2_VERSION")
    out.version = version.body.strip('"')
    if not out.functions:
        raise Failure(f"{paths[0]}:1: declares no function")
    return out
