"""Read libssh2's headers, keep the ledger, write what is safe to derive."""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import replace
from pathlib import Path

sys.dont_write_bytecode = True  # the source tree stays as it is

import adopt
import derive
import docs
import emit
import interface
import ledger
import python
import ruby
import rules
from headers import Failure, read


def build(args: argparse.Namespace) -> None:
    headers = read(args.include, shlex.split(args.cc))
    rows = ledger.read_ledger(args.ledger)
    errors = ledger.read_errors(args.errors)
    young, gone = ledger.check(rows, headers)
    api = args.errors.with_name("s2.h")
    declared = derive.prototypes(api.read_text() if api.is_file() else "")
    taken: set[str] = set()
    derived: dict[str, rules.Binding] = {}
    blind: dict[str, rules.Binding] = {}
    for f in headers.functions.values():
        row = rows.get(f.name)
        if row and row.how != "derived":
            continue
        binding = rules.bind(f, headers, rows)
        # Of what s2.h declares a row may derive the body.
        lacks = binding.safe and derive.lacks(
            f, binding, taken if row else {*taken, *declared})
        if lacks:
            binding = replace(binding, missing=(("code", lacks),))
        if binding.safe:
            derived[f.name] = binding
            taken |= {derive.called(binding, name) for name in (
                binding.names[0], *(m.name for m in binding.macros))}
        elif row and "?" in (*row.owns, row.scope):
            print(f"{row.where}: {f.name} waits for its cells: "
                  + "; ".join(f"{cell}: {why}"
                              for cell, why in binding.missing),
                  file=sys.stderr)
        elif row:
            raise Failure(f"{row.where}: {f.name} is not safe to derive: "
                          + "; ".join(why for _, why in binding.missing))
        if not row:
            blind[f.name] = binding
            print(f"{f.where}: {f.name} has no row in {args.ledger}",
                  file=sys.stderr)
    for name in gone:
        print(f"{rows[name].where}: {name} is not declared by libssh2 "
              f"{headers.version}", file=sys.stderr)
    texts = {
        "s2_have.h": emit.have(headers, errors),
        "constants.i": emit.constants(headers),
        "errors_new.def": emit.errors_new(headers, errors),
        "missing.def": emit.missing(rows, young + gone),
        "coverage.txt": emit.coverage(headers, rows, derived, young, gone,
                                      blind),
    }
    said = {row.symbol: row.reason for row in rows.values()
            if row.how == "derived" and row.reason != "-"}
    texts.update(derive.files(headers, derived, declared, said))
    emit.write({args.out / name: text for name, text in texts.items()})


def interface_of(args: argparse.Namespace,
                 ) -> tuple[interface.Interface, ledger.Errors]:
    errors = ledger.read_errors(*args.errors)
    comments = docs.read(args.api, errors.classes)
    return interface.read(args.xml, comments, args.missing), errors


def for_python(args: argparse.Namespace) -> None:
    writer = python.Writer(*interface_of(args), args.own)
    emit.write({
        args.docs: writer.docstrings(),
        args.out / "binding.pyi": writer.stub(),
        args.out / "constants.pyi": writer.constants(),
        args.out / "exceptions.pyi": writer.exceptions(),
        args.out / "error_codes.pyi": writer.error_codes(),
    })


def for_ruby(args: argparse.Namespace) -> None:
    writer = ruby.Writer(*interface_of(args), args.own)
    emit.write({args.docs: writer.manual(),
                args.out / "binding.rbs": writer.signatures()})


def take(args: argparse.Namespace) -> None:
    done = adopt.adopt(args.folder, shlex.split(args.cc), args.ledger,
                       args.errors, args.cases)
    emit.write(done.files)
    print("\n".join(done.said))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="gen.py", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("build", help="write what a build includes")
    verb.add_argument("--include", type=Path, required=True, metavar="DIR")
    verb.add_argument("--ledger", type=Path, required=True, metavar="FILE")
    verb.add_argument("--errors", type=Path, required=True, metavar="FILE")
    verb.add_argument("--cc", default="cc", metavar="COMMAND")
    verb.add_argument("--out", type=Path, required=True, metavar="DIR")
    verb.set_defaults(run=build)
    for language, run in (("python", for_python), ("ruby", for_ruby)):
        verb = verbs.add_parser(language, help="write documentation and types")
        verb.add_argument("--xml", type=Path, required=True, metavar="FILE",
                          help="the interface, as swig -xml tells it")
        verb.add_argument("--api", type=Path, required=True, metavar="FILE",
                          nargs="+", help="headers with the comments")
        verb.add_argument("--errors", type=Path, required=True, metavar="FILE",
                          nargs="+")
        verb.add_argument("--missing", type=Path, metavar="FILE",
                          help="the methods that this libssh2 lacks")
        verb.add_argument("--own", type=Path, required=True, metavar="DIR",
                          help="what the language itself adds, or its types")
        verb.add_argument("--docs", type=Path, required=True, metavar="FILE")
        verb.add_argument("--out", type=Path, required=True, metavar="DIR")
        verb.set_defaults(run=run)
    here = Path(__file__).resolve().parent
    verb = verbs.add_parser("adopt", help="take a libssh2 into the ledger")
    verb.add_argument("folder", type=Path, metavar="DIR",
                      help="its headers, or an installed prefix")
    verb.add_argument("--ledger", type=Path, default=here / "ledger.tsv")
    verb.add_argument("--errors", type=Path,
                      default=here.parent / "core" / "errors.def")
    verb.add_argument("--cases", type=Path,
                      default=here.parent / "tests" / "cases")
    verb.add_argument("--cc", default="cc", metavar="COMMAND")
    verb.set_defaults(run=take)
    args = parser.parse_args(argv)
    try:
        args.run(args)
    except (Failure, OSError) as error:
        print(f"gen.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
