#!/usr/bin/python3
"""Run a command under the address sanitizer, and see whether memory of ours
is lost in it.

    leaked.py RUNTIME COMMAND [ARGUMENT...]

RUNTIME is the sanitizer's library, for interpreters that were built without.
They lose memory of their own at their end, of which no account is taken: a
leak counts where a function of ours, or of libssh2, is in its stack.  What
else the sanitizer has to say is printed, and fails.  Now and then it fails
itself, and cannot look at a process: that may be one, and is counted.
"""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

OURS = re.compile(r" in (s2_|libssh2_|_libssh2_|_wrap_)|/(core|swig)/\w*\.c:|"
                  r"binding[.\w-]*\.so")
# Made once, when a module is loaded, and kept to the end.
KEPT = re.compile(r" in (SWIG_|SwigPy|PyInit_|Init_|\w+_swigregister)")

BLIND = "LeakSanitizer has encountered a fatal error"


def split(text):
    """What is said, report by report; a leak begins by its kind."""
    for part in re.split(r"\n\n+|\n(?======|Tracer caught|==\d+==Leak)", text):
        if part.strip("=\n "):
            yield part


def counts(part):
    """Whether a part of a report is to be told."""
    if BLIND in part or re.match(r"SUMMARY|=+\n==\d+==ERROR: LeakSanitizer|"
                                 "Objects leaked|Tracer caught", part.strip()):
        return False
    if not re.match(r"\s*(Direct|Indirect) leak of", part):
        return True
    if KEPT.search(part):
        return False
    return bool(OURS.search(part))


def main(runtime, *command):
    with tempfile.TemporaryDirectory(prefix="ssh2-") as folder:
        env = os.environ | {
            "LD_PRELOAD": runtime, "PYTHONMALLOC": "malloc",
            "ASAN_OPTIONS": "use_sigaltstack=0:allocator_may_return_null=1:"
                            f"log_path={folder}/log",
            "LSAN_OPTIONS": "exitcode=0", "UBSAN_OPTIONS":
                "print_stacktrace=1:log_path=" + folder + "/log"}
        status = subprocess.run(command, env=env, check=False).returncode
        logs = [log.read_text(errors="replace")
                for log in sorted(Path(folder).iterdir())]
    told = [part for log in logs for part in split(log) if counts(part)]
    blind = sum(BLIND in log for log in logs)
    for part in told:
        print(part, file=sys.stderr)
    print(f"# {len(logs) - blind} processes lost memory; {len(told)} reports "
          f"are of ours; {blind} could not be looked at", flush=True)
    return status if status else 1 if told or blind > 1 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
