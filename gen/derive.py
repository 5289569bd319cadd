"""The functions that are safe to derive, as C and as SWIG's interface.

Each becomes a step and a call of the core's engine, the way core/*.c is
written by hand; s2_derived.i names the method, SWIG finds the C function.
What core/s2.h declares has its interface in swig/ and gets a body only.
"""

from __future__ import annotations

import builtins
import keyword
import re
import textwrap
from dataclasses import dataclass, field, replace

from headers import Function, Headers, Type
from rules import CLASSES, NUMBERS, RECORDS, Alias, Arg, Binding

# Words no argument or method may be called, in C, Python or Ruby.
TAKEN = {*keyword.kwlist, "self", "op", "err", "rc", "result", "auto", "case",
         "char", "const", "default", "do", "double", "enum", "extern", "float",
         "goto", "inline", "int", "long", "register", "restrict", "short",
         "signed", "sizeof", "static", "struct", "switch", "typedef", "union",
         "unsigned", "void", "volatile", "begin", "end", "ensure", "module",
         "next", "nil", "redo", "rescue", "retry", "super", "then", "undef",
         "unless", "until", "when"}
RAW = {"s2_session": "S2_RAW(op)", "s2_channel": "S2_CHANNEL(op)",
       "s2_sftp": "S2_SFTP_RAW(op)", "s2_file": "S2_FILE(op)"}
SCOPES = {
    ("s2_session", "session"): "&self->scope",
    ("s2_channel", "session"): "&self->obj.session->scope",
    ("s2_channel", "channel-read"): "&self->reading",
    ("s2_channel", "channel-write"): "&self->writing",
    ("s2_sftp", "sftp"): "&self->scope",
    ("s2_file", "sftp"): "&((s2_sftp *)self->obj.parent)->scope",
}
# Which object can open which: core/internal.h has s2_..._make().
MAKES = {("s2_session", "s2_channel"), ("s2_session", "s2_sftp"),
         ("s2_sftp", "s2_file")}
QUICK = ("pure", "none")
PATH = re.compile(r"(path|filename)$")

Prototypes = dict[str, list[str]]  # of s2.h: a function's parameters


def prototypes(api: str) -> Prototypes:
    """What a header of ours declares, but the object each is called on."""
    out = {}
    for name, given in re.findall(r"\b(s2_\w+)\(([^()]*)\);", api):
        words = [" ".join(word.split()) for word in given.split(",")]
        out[name] = words[1:]
    return out


def free(name: str) -> str:
    return name + "_" if name in TAKEN else name


def made_by(f: Function, b: Binding) -> str:
    """The struct of the object that comes out, "" if none does."""
    types = [arg.type for arg in b.args if arg.kind == "handle"]
    if b.result == "handle":
        types.append(f.result)
    return CLASSES[types[0].base][0] if types else ""


def lacks(f: Function, b: Binding, taken: set[str]) -> str:
    """What keeps the core from having this call, "" if nothing."""
    kinds = [arg.kind for arg in b.args] + [b.result]
    for name in (b.names[0], *(a.name for a in b.macros)):
        if called(b, name) in taken:
            return f"{b.cls or 'module'}.{name} is there already"
    if not b.cls:
        plain = all(arg.kind in ("number", "text") and not arg.size
                    for arg in b.args)
        return "" if plain and (b.result == "value" or (
            b.result == "string" and b.owns == ("lent",))) else (
            "a function of the module takes and answers plain values only")
    if b.struct not in RAW:
        return f"the core derives nothing for {b.cls}"
    if b.scope not in QUICK and (b.struct, b.scope) not in SCOPES:
        return f"{b.cls} has no scope {b.scope}"
    if "handle" in kinds and (b.struct, made_by(f, b)) not in MAKES:
        return f"the core opens no {made_by(f, b)[3:]} from a {b.struct[3:]}"
    if (sum(kind in ("text", "bytes", "fields") for kind in kinds) > 4
            or kinds.count("number") > 6 or kinds.count("handle") > 1
            or kinds.count("out") + (b.result in ("count", "value")) > 4
            or kinds.count("string") > 4 or kinds.count("record") > 1):
        return "more arguments than an operation holds"
    return ""


def spelled(t: Type) -> str:
    """The type that a scalar, or a pointer to one, is of."""
    return t.text.replace("const ", "").rstrip("* ")


def out_type(base: str) -> str:
    """The few types that come out, which types.i maps."""
    if base in ("int", "short", "char", "signed char", "int32_t"):
        return "int"
    if base in ("unsigned", "unsigned int", "unsigned long", "uint32_t"):
        return "unsigned long"
    unsigned = base == "size_t" or base.startswith("u")
    return "uint64_t" if unsigned else "int64_t"


def role(arg: Arg, b: Binding) -> str:
    """The word of types.i for what is neither a number nor plain text."""
    if arg.kind == "bytes":
        return "(const void *BYTES, size_t LEN)"
    path = b.struct == "s2_sftp" or PATH.search(arg.name)
    return "const char *PATH" if arg.kind == "text" and path else ""


def texts_of(b: Binding) -> list[Arg | None]:
    """Strings that come out, the result, as None, first."""
    first: list[Arg | None] = [None] if b.result == "string" else []
    return first + [arg for arg in b.args if arg.kind == "string"]


def outs(f: Function, b: Binding) -> list[tuple[str, str, str]]:
    """Type and name of each output, and where its value is."""
    out, number = [], 0
    made = made_by(f, b)
    if made:
        out.append((f"{made} **", "out", ""))
    if b.result in ("count", "value"):
        out.append((out_type(f.result.base) + " *", "result", "op.r[0]"))
        number = 1
    many = len(texts_of(b)) > 1
    for slot, text in enumerate(texts_of(b)):
        name = "bytes" if text and text.size else "text"
        out.append(("s2_buf *", name + str(slot) * many, f"op.out[{slot}]"))
    for arg in b.args:
        if arg.kind == "out":
            out.append((out_type(arg.type.base) + " *", free(arg.name),
                        f"op.r[{number}]"))
            number += 1
        elif arg.kind == "record":
            struct, name = RECORDS[arg.type.base]
            out.append((f"{struct} *", name, f"op.record.{name}"))
    return out


# What libssh2 declares as long goes out as a uint32: more would be cut.
UINT32 = {"long": "int", "unsigned long": "unsigned int"}


def parameter(arg: Arg) -> str:
    name = free(arg.name)
    if arg.kind == "text":
        return f"const char *{name}"
    if arg.kind == "bytes":
        return f"const void *{name}, size_t {name}_len"
    if arg.kind == "fields":
        return f"const {RECORDS[arg.type.base][0]} *{name}"
    number = NUMBERS[arg.type.base]
    return f"{UINT32.get(number, number)} {name}"


def parameters(f: Function, b: Binding) -> list[str]:
    return [parameter(a) for a in b.args
            if a.kind in ("text", "bytes", "number", "fields")] + [
        kind + name for kind, name, _ in outs(f, b)]


def as_declared(b: Binding, declared: list[str]) -> Binding:
    """The binding with text or bytes as s2.h has them."""
    rest, args = list(declared), []
    for arg in b.args:
        if arg.kind in ("text", "bytes", "number") and rest:
            word = rest.pop(0)
            if word.startswith("const void *") and rest and arg.size:
                rest.pop(0)
                arg = replace(arg, kind="bytes")
            elif word.startswith("const char *") and arg.kind == "bytes":
                arg = replace(arg, kind="text")
        args.append(arg)
    return replace(b, args=tuple(args))


def called(b: Binding, name: str) -> str:
    return f"{b.struct or 's2'}_{free(name)}"


def c_name(b: Binding) -> str:
    return called(b, b.names[0])


def wrap(head: str, items: list[str], tail: str) -> str:
    """A call or a declaration, in lines of at most 80 columns."""
    words = [item + "," for item in items[:-1]] + [(items or [""])[-1] + tail]
    indent = " " * len(head)
    if len(head) + max(map(len, words)) > 80:
        indent = " " * (len(head) - len(head.lstrip()) + 4)
    lines = [head]
    for word in words:
        space = "" if lines[-1] in (head, indent) else " "
        if len(lines[-1] + space + word) > 80:
            lines.append(indent)
            space = ""
        lines[-1] += space + word
    return "\n".join(lines)


def prototype(f: Function, b: Binding, head: str, tail: str) -> str:
    if not b.cls:
        kind = {"string": "const char *"}.get(
            b.result, out_type(f.result.base) + " ")
        return wrap(head.replace("s2_error *", kind) + c_name(b) + "(",
                    [parameter(a) for a in b.args] or ["void"], ")" + tail)
    return wrap(f"{head}{c_name(b)}(",
                [f"{b.struct} *self", *parameters(f, b)], ")" + tail)


@dataclass
class Body:
    """The parts of a step, in their order."""

    given: list[str]  # what libssh2's function is called with
    declares: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


def body(f: Function, b: Binding) -> Body:
    """What a step does for each of its arguments."""
    out = Body([RAW[b.struct]])
    bytes_in = numbers_in = 0
    slot = 1 if b.result in ("count", "value") else 0
    for arg in b.args:
        name = free(arg.name)
        if arg.kind == "number":
            out.given.append(f"({spelled(arg.type)})op->n[{numbers_in}]")
            numbers_in += 1
        elif arg.kind in ("text", "bytes"):
            out.given.append(f"op->b[{bytes_in}].p")
            if arg.size:
                out.given.append(f"({spelled(arg.size)})op->b[{bytes_in}].len")
            bytes_in += 1
        else:
            out.given.append(f"&{name}")
        if arg.kind == "fields":
            out.declares.append(f"{spelled(arg.type)} {name};")
            out.before.append(f"{RECORDS[arg.type.base][0]}_to(&{name}, "
                              f"op->b[{bytes_in}].p);")
            bytes_in += 1
        elif arg.kind == "out":
            out.declares.append(f"{spelled(arg.type)} {name} = 0;")
            out.after.append(f"op->r[{slot}] = (int64_t){name};")
            slot += 1
        elif arg.kind == "record":
            struct, to = RECORDS[arg.type.base]
            out.declares.append(f"{spelled(arg.type)} {name} = {{0}};")
            out.after.append(f"{struct}_from(&op->record.{to}, &{name});")
        elif arg.kind == "handle":
            out.declares.append(f"{arg.type.base} *{name} = NULL;")
        elif arg.kind == "string":
            of = arg.type.text[:-1].strip()
            out.declares.append(f"{of}{name} = NULL;")
            if arg.size:
                out.declares.append(f"{spelled(arg.size)} {name}_len = 0;")
                out.given.append(f"&{name}_len")
    return out


def step(f: Function, b: Binding) -> str:
    """One try of the libssh2 function, its arguments from the op."""
    parts = body(f, b)
    waits, strings = b.scope not in QUICK, texts_of(b)
    head, close = f"{f.name}(", ");"
    if b.struct == "s2_channel" and waits and f.result.text == "int":
        head, close = f"s2_channel_answered(op, {head}", "));"
    fails = b.result in ("status", "count") or bool(strings)
    made = next((free(a.name) for a in b.args if a.kind == "handle"),
                "raw" if b.result == "handle" else "")
    result = {"count": "rc = ", "status": "rc = ", "handle": "raw = ",
              "value": "op->r[0] = (int64_t)", "string": "text = ",
              "none": ""}[b.result]
    if b.result == "count":
        parts.after.insert(0, "op->r[0] = rc;")
    elif b.result == "handle":
        parts.declares.append(f"{f.result.base} *raw;")
    elif b.result == "string":
        parts.declares.append(f"{f.result.text.rstrip('* ')} *text;")
        if waits:
            # Only an error that is newer than the call is the call's.
            parts.before.append(
                "libssh2_session_set_last_error(S2_RAW(op), 0, NULL);")
            parts.after.append(
                "if (!text)\n        rc = libssh2_session_last_errno("
                "S2_RAW(op));")
    for number, text in enumerate(strings):
        name = free(text.name) if text else "text"
        kept = (f"s2_op_keep(op, {number}, {name}, (size_t){name}_len);"
                if text and text.size else
                f"s2_op_keep_text(op, {number}, {name});")
        parts.after.append(f"if (rc >= 0)\n        rc = {kept}")
        if "given" in b.owns:
            parts.after.append(f"if ({name})\n        libssh2_free("
                               f"S2_RAW(op), (void *){name});")
    if b.result == "status" and not parts.after and not made:
        result, fails = "return ", False
    elif fails and made:
        parts.after.append("if (rc < 0)\n        return (int)rc;")
    if made:
        parts.after.append(f"return s2_op_made(op, {made});")
    elif b.result == "count":
        parts.after.append("return rc < 0 ? (int)rc : 0;")
    elif result != "return ":
        parts.after.append("return rc;" if fails else "return 0;")
    if fails:
        kind = spelled(f.result) if b.result == "count" else "int"
        unset = "" if b.result in ("status", "count") else " = 0"
        parts.declares.append(f"{kind} rc{unset};")
    lines = ["static int", f"{c_name(b)[3:]}(s2_op *op)", "{",
             *("    " + line for line in parts.declares)]
    lines += [""] * bool(parts.declares)
    lines += ["    " + line for line in parts.before]
    lines += [wrap("    " + result + head, parts.given, close)]
    return "\n".join([*lines, *("    " + line for line in parts.after), "}"])


def bits(b: Binding, made: str) -> str:
    """What the engine shall know of such a call."""
    if b.scope in QUICK:
        early = " | S2_EARLY" * (b.struct == "s2_session")
        return "S2_QUICK | S2_AFTER_END" + early
    if made:
        return "S2_AUTHED" if b.struct == "s2_session" else "0"
    # There may be no answer to wait for, but to a channel's request.
    sends = (b.struct, b.scope) in (("s2_session", "session"),
                                    ("s2_channel", "channel-write"))
    return "S2_BULK" if sends else "0"


def function(f: Function, b: Binding) -> str:
    """The core's function: an op is filled in and called."""
    scope = "NULL" if b.scope in QUICK else SCOPES[b.struct, b.scope]
    made = made_by(f, b)
    results = [out for out in outs(f, b) if out[2]]
    lines = ["s2_error *", prototype(f, b, "", ""), "{",
             wrap("    s2_op op = S2_OP(",
                  ["self", c_name(b)[3:], f'"{f.name}"', scope, bits(b, made)],
                  ");")]
    lines += ["    s2_error *err;", ""] if results else [""]
    texts = numbers = 0
    path = ""
    for arg in b.args:
        name = free(arg.name)
        if arg.kind == "number":
            lines.append(f"    op.n[{numbers}] = (int64_t){name};")
            numbers += 1
        elif arg.kind == "text":
            lines.append(f"    s2_op_text(&op, {texts}, {name});")
            texts += 1
            # What is no path may be a secret, of a session's.
            if b.struct != "s2_session" or PATH.search(arg.name):
                path = path or name
        elif arg.kind == "bytes":
            lines.append(f"    s2_op_bytes(&op, {texts}, {name}, {name}_len);")
            texts += 1
        elif arg.kind == "fields":
            lines.append(f"    s2_op_bytes(&op, {texts}, {name}, "
                         f"sizeof *{name});")
            texts += 1
        if made == "s2_file" and arg.name == "open_type":
            lines.append("    op.r[3] = open_type == LIBSSH2_SFTP_OPENDIR;")
    if b.struct == "s2_file":
        path = "self->path.data"
    if path:
        lines.append(f"    op.path = {path};")
    call = f"s2_op_make(&op, {made}_make, out)" if made else "s2_op_call(&op)"
    if not results:
        return "\n".join([*lines, f"    return {call};", "}"])
    brace = len(results) > 1
    lines += [f"    err = {call};", "    if (!err)" + " {" * brace]
    for kind, name, value in results:
        cast = f"({kind[:-2]})" if value.startswith("op.r[") else ""
        lines.append(f"        *{name} = {cast}{value};")
    lines += ["    }"] * brace
    return "\n".join([*lines, "    return err;", "}"])


def fixed(f: Function, b: Binding, macro: Alias) -> Binding:
    """The binding of a macro: what it fixes is no parameter."""
    args = tuple(arg for arg in b.args if arg.name not in macro.fixed)
    return replace(b, names=(macro.name,), macros=(), args=args)


def alias(f: Function, b: Binding, macro: Alias) -> str:
    """A method that calls the other with some arguments fixed."""
    of, unwanted = fixed(f, b, macro), []
    given = ["self"] * bool(b.cls)
    for arg in b.args:
        if arg.name in macro.fixed and arg.kind in ("out", "record", "string"):
            continue
        if arg.kind == "bytes":
            given += [free(arg.name), free(arg.name) + "_len"]
        elif arg.kind in ("text", "number", "fields"):
            given.append(macro.fixed.get(arg.name, free(arg.name)))
    kept = {name for _, name, _ in outs(f, of)}
    for kind, name, _ in outs(f, b):
        given.append(name if name in kept else "&" + name)
        if name not in kept:
            unwanted.append(f"    {kind[:-2]} {name};".replace("* ", "*"))
    return "\n".join(["s2_error *", prototype(f, of, "", ""), "{", *unwanted,
                      *[""] * bool(unwanted),
                      wrap(f"    return {c_name(b)}(", given, ");"), "}"])


def plain(f: Function, b: Binding) -> str:
    """A function of the module: it neither waits nor fails."""
    cast = "" if b.result == "string" else f"({out_type(f.result.base)})"
    given = [f"({spelled(a.type)}){free(a.name)}" if a.kind == "number"
             else free(a.name) for a in b.args]
    return "\n".join([prototype(f, b, "s2_error *", ""), "{",
                      wrap(f"    return {cast}{f.name}(", given, ");"), "}"])


def comment(symbol: str, b: Binding, said: str) -> str:
    """What its documentation is made from: see docs.py."""
    lines = textwrap.wrap(said or f"What {symbol}(3) tells", 76)
    lines[-1] += "."
    lines.append("")
    if b.cls and b.scope not in QUICK:
        lines.append("Blocking   until libssh2 has done it.")
    lines.append(f"Source     {symbol}(3)")
    return "\n".join(["/*", *(f" * {line}".rstrip() for line in lines),
                      " */"])


def interface(f: Function, b: Binding, mapped: set[str]) -> list[str]:
    """The method for SWIG, with a typemap for each parameter that needs one."""
    name = free(b.names[0])
    lines = [f'%namewarn("") {name};'] * hasattr(builtins, name)
    apply = [(role(arg, b), f"({parameter(arg)})" if arg.kind == "bytes"
              else parameter(arg)) for arg in b.args
             if arg.kind in ("text", "bytes")]
    for kind, out, value in outs(f, b) if b.cls else ():
        if value.startswith("op.r[") and out != "result":
            apply.append((kind + "RESULT", kind + out))
        elif value.startswith("op.out") and out[-1].isdigit():
            apply.append(("s2_buf *" + out[:-1].upper(), kind + out))
    lines += [f"%apply {word} {{ {target} }};" for word, target in apply
              if word and target not in mapped]
    mapped.update(target for word, target in apply if word)
    if not b.cls:
        return [*lines, f"%rename({name}) {c_name(b)};",
                prototype(f, b, "s2_error *", ";")]
    return [*lines, f"%extend {b.struct} {{",
            wrap(f"    s2_error *{name}(", parameters(f, b), ");"), "}"]


def files(headers: Headers, derived: dict[str, Binding],
          declared: Prototypes, said: dict[str, str]) -> dict[str, str]:
    """s2_derived.h, .c and .i; what each function does is said, or not."""
    title = f"/* Derived from the headers of libssh2 {headers.version}. */"
    h = [title, "#ifndef S2_DERIVED_H", "#define S2_DERIVED_H", "",
         '#include "s2.h"', ""]
    c = [title, '#include "s2_derived.h"', "", '#include "internal.h"']
    i = [title, "%{", '#include "s2_derived.h"', "%}"]
    mapped: set[str] = set()
    for symbol, b in derived.items():
        f = headers.functions[symbol]
        if c_name(b) in declared:
            b = as_declared(b, declared[c_name(b)])
        else:
            h += [comment(symbol, b, said.get(symbol, "")),
                  prototype(f, b, "s2_error *", ";")]
            i += interface(f, b, mapped)
        c += ["", step(f, b), "", function(f, b)] if b.cls else [
            "", plain(f, b)]
        for macro in b.macros:
            of = fixed(f, b, macro)
            if c_name(of) not in declared:
                h += [comment(macro.symbol, of, said.get(macro.symbol, "")),
                      prototype(f, of, "s2_error *", ";")]
                i += interface(f, of, mapped)
            c += ["", alias(f, b, macro)]
    h += ["", "#endif"]
    return {f"s2_derived.{end}": "\n".join(lines) + "\n"
            for end, lines in (("h", h), ("c", c), ("i", i))}
