"""Each function that libssh2 exports has its row in the ledger.

    symbols.py LIBRARY INCLUDE

A static library shows every function that its files share: what libssh2's own
build exports of these begins with libssh2_ (src/Makefile.am), and is public if
a header names it. The other way round, the headers and the library have each
function of the ledger that is as old as they are.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ["SSH2_BUILD"])
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent / "gen"))

import ledger  # noqa: E402


def exported(library):
    dynamic = [] if library.endswith(".a") else ["--dynamic"]
    listed = subprocess.run(
        ["nm", *dynamic, "--extern-only", "--defined-only", "--format=posix",
         library], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"^(libssh2_\w+)\S* [TW] ", listed, re.MULTILINE))


def main(library, include):
    shown = exported(library)
    rows = ledger.read_ledger(HERE.parent / "gen" / "ledger.tsv")
    text = "".join(path.read_text()
                   for path in sorted(Path(include).glob("libssh2*.h")))
    words = set(re.findall(r"\blibssh2_\w+", text))
    public = shown & words
    version = ledger.version(re.search(
        r'^#define LIBSSH2_VERSION +"(.*)"', text, re.MULTILINE)[1])
    have = (BUILD / "gen" / "s2_have.h").read_text()
    wrong = {
        "without a row": public - set(rows),
        "not exported": set(re.findall(r"S2_HAVE_(libssh2_\w+)", have)) - shown,
        "in no header": {name for name, row in rows.items()
                         if row.since <= version} - words,
    }
    print(f"{len(public)} functions of {library} are public, "
          f"{len(public & set(rows))} have a row; in no header: "
          f"{' '.join(sorted(shown - words))}")
    for why, names in wrong.items():
        for name in sorted(names):
            print(f"{name}: {why}")
    return 1 if any(wrong.values()) or not public else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
