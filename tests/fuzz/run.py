#!/usr/bin/python3
"""Fuzz with one harness: run.py fuzz-NAME [seconds].

First what is in corpus/NAME is run, then 20 s of what libFuzzer makes of it, by
one seed.  If SSH2_LONG is set it is ten minutes, an hour for the handshake,
which a stranger reaches before any key is looked at; with what others leave of
the processors, for their times are measured.  What fails is kept in the build,
as failed-NAME-*.  Without libFuzzer (SSH2_FUZZER) it ends after the first.
"""
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parent.parent / "suites"))

from suite import LONG, Tally  # noqa: E402

HERE = Path(__file__).resolve().parent
MINUTES = {"handshake": 60}  # of the long form, else 10
PHRASE = "passphrase"
# Options of ssh-keygen for keys that exist while they are fuzzed only.
KEYS = {"ed25519": "-t ed25519", "rsa": "-t rsa -b 1024", "ecdsa": "-t ecdsa",
        "pem": "-t rsa -b 1024 -m PEM", "pkcs8": "-t ecdsa -m PKCS8"}


def u16(data):
    return len(data).to_bytes(2, "big") + data


def make_keys(folder):
    """Seeds for keyfile.c; no private key is kept anywhere."""
    import base64
    for name, options in KEYS.items():
        for phrase in ("", PHRASE):
            file = folder / f"{name}{phrase}"
            made = subprocess.run(
                ["ssh-keygen", "-q", *options.split(), "-a", "1", "-C", "",
                 "-N", phrase, "-f", str(file)], check=False)
            if made.returncode:
                continue
            text, public = file.read_bytes(), Path(f"{file}.pub")
            data = b"".join(text.split(b"\n")[1:-2])
            how = 8 if phrase else 0
            line = public.read_bytes()
            for end, its in (("", line), (".cut", line[:6] + line[11:])):
                Path(f"{file}{end}").write_bytes(
                    bytes([0, how | 32]) + u16(its) + u16(text))
            kind = {b"OPENSSH": 1, b"RSA": 2, b"PRIVATE": 4, b"ENCRYPTED": 5
                    }.get(text.split()[1])
            if kind and b":" not in text:
                Path(f"{file}.b").write_bytes(
                    bytes([0, how | kind]) + u16(base64.b64decode(data)))
            public.unlink()


def verdict(tally, output, code, what):
    """Whether the harness ended well; its failure goes to the tally."""
    if not code:
        return True
    found = re.search(r"fuzz: wrong: (.*)|SUMMARY: (.*)|ERROR: (.*)", output)
    text = next((t for t in found.groups() if t), "") if found else ""
    kept = re.search(r"Test unit written to (\S+)", output)
    what += f": {text or f'ended by {code}'}"
    what += f"; repeat: {kept[1]}" if kept else ""
    if "timeout" in text or text.startswith("hang"):
        tally.hang(what)
    elif text and "fuzz: wrong" in output or "leak" in text:
        tally.wrong(what)
    else:
        tally.crash(what)
    print(output[-12000:])
    return False


def run(command):
    env = dict(os.environ, ASAN_OPTIONS="detect_odr_violation=0",
               LSAN_OPTIONS="print_suppressions=0")
    done = subprocess.run(command, stdout=subprocess.PIPE, env=env,
                          stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def main():
    program = Path(sys.argv[1])
    name = program.name[len("fuzz-"):]
    seconds = int(sys.argv[2]) if sys.argv[2:] else \
        60 * MINUTES.get(name, 10) if LONG else 20
    if LONG:
        os.nice(19)
    corpus = HERE / "corpus" / name
    tally = Tally(f"fuzz {name}")
    fuzzer = os.environ.get("SSH2_FUZZER", "ON") == "ON"
    print("1..2")
    with tempfile.TemporaryDirectory(prefix="ssh2-fuzz-") as tmp:
        seeds, fresh = Path(tmp) / "seeds", Path(tmp) / "fresh"
        seeds.mkdir()
        fresh.mkdir()
        if name == "keyfile":
            make_keys(seeds)
        files = sorted(p for d in (corpus, seeds) for p in d.iterdir())
        limits = [f"-timeout={120 if LONG else 20}", "-rss_limit_mb=2048",
                  f"-artifact_prefix={program.parent}/failed-{name}-"]
        code, output = run([program, *(limits if fuzzer else []), *files])
        good = verdict(tally, output, code, "corpus")
        tally.ok(output.count("Running: "))
        print(f"{'' if good else 'not '}ok 1 - {name}: its corpus")
        if not fuzzer:
            print(f"ok 2 - {name}: fuzzed # SKIP clang has no libFuzzer here")
            return tally.end()
        options = [f"-max_total_time={seconds}", "-print_final_stats=1",
                   "-max_len=8192", "-len_control=20", *limits]
        if not LONG:
            options.append("-seed=1")  # the same each time, as far as it gets
        words = HERE / f"{name}.dict"
        if words.exists():
            options.append(f"-dict={words}")
        code, output = run([program, *options, fresh, corpus, seeds])
        good = verdict(tally, output, code, "fuzzed")
        found = re.search(r"number_of_executed_units: (\d+)", output)
        tally.ok(int(found[1]) if found else 0)
        for line in re.findall(r"^stat::.*|^Done.*", output, re.M):
            print("#", line)
        print(f"{'' if good else 'not '}ok 2 - {name}: fuzzed for "
              f"{seconds} s")
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
