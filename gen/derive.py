"""The functions that are safe to derive, as C and as SWIG's interface.

Each becomes a step and a call of the core's engine, the way core/*.c is
written by hand; s2_derived.i names the method, SWIG finds the C function.
"""

from __future__ import annotations

import builtins
import keyword
import textwrap

from headers import Function, Headers, Type
from rules import NUMBERS, Arg, Binding

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
QUICK = ("pure", "none")


def free(name: str) -> str:
    return name + "_" if name in TAKEN else name


def lacks(f: Function, b: Binding, taken: set[str]) -> str:
    """What keeps the core from having this call, "" if nothing."""
    if c_name(b) in taken:
        return f"{b.method} is there already"
    if b.struct not in RAW:
        return f"the core derives nothing for {b.cls or 'no class'}"
    if b.scope not in QUICK and (b.struct, b.scope) not in SCOPES:
        return f"{b.cls} has no scope {b.scope}"
    kinds = [arg.kind for arg in b.args]
    if (kinds.count("text") + kinds.count("bytes") > 4
            or kinds.count("number") > 6 or len(outs(f, b)) > 4):
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


def outs(f: Function, b: Binding) -> list[tuple[str, str]]:
    """The type and name of each result, the function's own first."""
    out = [(out_type(a.type.base), free(a.name))
           for a in b.args if a.kind == "out"]
    if b.result in ("count", "value"):
        out.insert(0, (out_type(f.result.base), "result"))
    return out


def parameter(arg: Arg) -> str:
    name = free(arg.name)
    if arg.kind == "text":
        return f"const char *{name}"
    if arg.kind == "bytes":
        return f"const void *{name}, size_t {name}_len"
    return f"{NUMBERS[arg.type.base]} {name}"


def parameters(f: Function, b: Binding) -> list[str]:
    return [parameter(a) for a in b.args if a.kind != "out"] + [
        f"{kind} *{name}" for kind, name in outs(f, b)]


def c_name(b: Binding) -> str:
    return f"{b.struct}_{free(b.names[0])}"


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
    return wrap(f"{head}{c_name(b)}(",
                [f"{b.struct} *self", *parameters(f, b)], ")" + tail)


def step(f: Function, b: Binding) -> str:
    """One try of the libssh2 function, its arguments from the op."""
    given, before, after = [RAW[b.struct]], [], []
    texts = numbers = 0
    slot = len(outs(f, b)) - sum(arg.kind == "out" for arg in b.args)
    for arg in b.args:
        if arg.kind == "out":
            name = free(arg.name)
            before.append(f"    {spelled(arg.type)} {name} = 0;")
            given.append(f"&{name}")
            after.append(f"    op->r[{slot}] = (int64_t){name};")
            slot += 1
        elif arg.kind == "number":
            given.append(f"({spelled(arg.type)})op->n[{numbers}]")
            numbers += 1
        else:
            given += [f"op->b[{texts}].p", f"op->b[{texts}].len"]
            texts += 1
    head, tail = f"    {f.name}(", ["    return 0;"]
    if b.result == "value":
        head = f"    op->r[0] = (int64_t){f.name}("
    elif b.result == "count":
        head = f"    {spelled(f.result)} rc = {f.name}("
        after.insert(0, "    op->r[0] = rc;")
        tail = ["    return rc < 0 ? (int)rc : 0;"]
    elif b.result == "status" and not after:
        head, tail = f"    return {f.name}(", []
    elif b.result == "status":
        head, tail = f"    int rc = {f.name}(", ["    return rc;"]
    declares = b.result in ("count", "status")
    lines = ["static int", f"{c_name(b)[3:]}(s2_op *op)", "{", *before]
    lines += [""] * (bool(before) and not declares)
    lines += [wrap(head, given, ");")]
    lines += [""] * (declares and bool(tail))
    return "\n".join([*lines, *after, *tail, "}"])


def function(f: Function, b: Binding) -> str:
    """The core's function: an op is filled in and called."""
    scope = "NULL" if b.scope in QUICK else SCOPES[b.struct, b.scope]
    bits = "0"
    if b.scope in QUICK:
        bits = "S2_QUICK | S2_AFTER_END"
        bits += " | S2_EARLY" * (b.struct == "s2_session")
    elif b.scope in ("session", "channel-write"):
        bits = "S2_BULK"  # there may be no answer to wait for
    lines = ["s2_error *", prototype(f, b, "", ""), "{",
             wrap("    s2_op op = S2_OP(",
                  ["self", c_name(b)[3:], f'"{f.name}"', scope, bits], ");")]
    results = outs(f, b)
    lines += ["    s2_error *err;", ""] if results else [""]
    texts = numbers = 0
    for arg in b.args:
        name = free(arg.name)
        if arg.kind == "number":
            lines.append(f"    op.n[{numbers}] = (int64_t){name};")
            numbers += 1
        elif arg.kind == "text":
            lines.append(f"    s2_op_text(&op, {texts}, {name});")
            texts += 1
        elif arg.kind == "bytes":
            lines.append(f"    s2_op_bytes(&op, {texts}, {name}, {name}_len);")
            texts += 1
    path = next((free(a.name) for a in b.args if a.kind == "text"), None)
    if b.struct == "s2_file":
        path = "self->path.data"
    if path and b.struct != "s2_session":  # there it may be a secret
        lines.append(f"    op.path = {path};")
    if not results:
        return "\n".join([*lines, "    return s2_op_call(&op);", "}"])
    brace = len(results) > 1
    lines += ["    err = s2_op_call(&op);", "    if (!err)" + " {" * brace]
    lines += [f"        *{name} = ({kind})op.r[{number}];"
              for number, (kind, name) in enumerate(results)]
    lines += ["    }"] * brace
    return "\n".join([*lines, "    return err;", "}"])


def comment(f: Function, b: Binding, said: str) -> str:
    """What its documentation is made from: see docs.py."""
    lines = textwrap.wrap(said or f"What {f.name}(3) tells", 76)
    lines[-1] += "."
    lines.append("")
    if b.scope not in QUICK:
        lines.append("Blocking   until libssh2 has done it.")
    lines.append(f"Source     {f.name}(3)")
    return "\n".join(["/*", *(f" * {line}".rstrip() for line in lines),
                      " */"])


def files(headers: Headers, derived: dict[str, Binding],
          said: dict[str, str]) -> dict[str, str]:
    """s2_derived.h, .c and .i; what each function does is said, or not."""
    title = f"/* Derived from the headers of libssh2 {headers.version}. */"
    every = [(headers.functions[name], b) for name, b in derived.items()]
    h = [title, "#ifndef S2_DERIVED_H", "#define S2_DERIVED_H", "",
         '#include "s2.h"', ""]
    c = [title, '#include "s2_derived.h"', "", '#include "internal.h"']
    i = [title, "%{", '#include "s2_derived.h"', "%}"]
    mapped: set[str] = set()
    for f, b in every:
        h += [comment(f, b, said.get(f.name, "")), prototype(f, b, "s2_error *", ";")]
        c += ["", step(f, b), "", function(f, b)]
        apply = [(f"{kind} *RESULT", f"{kind} *{name}")
                 for kind, name in outs(f, b) if name != "result"]
        for arg in b.args:
            if arg.kind == "bytes":
                apply.append(("(const void *BYTES, size_t LEN)",
                              f"({parameter(arg)})"))
            if arg.kind == "text" and b.struct == "s2_sftp":
                apply.append(("const char *PATH", parameter(arg)))
        if hasattr(builtins, b.names[0]):
            i.append(f'%namewarn("") {b.names[0]};')
        i += [f"%apply {role} {{ {name} }};" for role, name in apply
              if name not in mapped]
        mapped.update(name for _, name in apply)
        i += [f"%extend {b.struct} {{",
              wrap(f"    s2_error *{free(b.names[0])}(", parameters(f, b),
                   ");"), "}"]
    h += ["", "#endif"]
    return {f"s2_derived.{end}": "\n".join(lines) + "\n"
            for end, lines in (("h", h), ("c", c), ("i", i))}
