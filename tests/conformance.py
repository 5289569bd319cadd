#!/usr/bin/python3
"""Run cases against one language's module and print TAP.

    conformance.py python|ruby [FILE-OR-FOLDER...]

tests/README.md describes the language of a case.  What is called is called by
python/run.py or ruby/run.rb: a JSON request, after a line of how many bytes it
has, and one JSON reply a line.  All that needs no module is done here, once.
"""
import base64
import hashlib
import json
import os
import re
import select
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
RUNNERS = {"python": "python/run.py", "ruby": "ruby/run.rb"}
STEP_SECONDS, AWAIT_SECONDS = 30, 10
TOKEN = re.compile(r'b?"(?:[^"\\]|\\.)*"|[\[\]]|[^\s\[\]]+')
ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))|\$([A-Z_]+)", re.DOTALL)
PLAIN = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
KINDS = {"Int": int, "Text": str, "Bytes": bytes, "List": list}
CLOSERS = {"close", "shutdown", "forward_cancel"}
STANDS_FOR = {"names": "readdir", "entries": "get"}


class Failed(Exception):
    """A step went otherwise than the case says."""


class Died(Failed):
    """The runner is gone; the next case needs a new one."""


class Again:
    """What a call gives that would block."""


class Ref(dict):
    """What only the runner can hold: a variable, a class, a constant."""


class Error:
    def __init__(self, classes, code, status, text):
        self.classes, self.text = classes, text
        self.codes = status or None, code

    def has(self, part):
        return part in (self.text if isinstance(part, str) else self.codes)


# --- the runner -------------------------------------------------------------


def encode(value):
    if value is Again:
        return {"again": True}
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    raise TypeError(type(value))


def decode(fields):
    if "bytes" in fields:
        return base64.b64decode(fields["bytes"])
    if "error" in fields:
        return Error(*fields["error"])
    if "again" in fields:
        return Again
    return Ref(fields) if "is" in fields else fields


class Runner:
    """The process that makes the calls."""

    def __init__(self, language):
        # A program of the language, if not the system's own is wanted.
        interpreter = os.environ.get("SSH2_INTERPRETER") or \
            {"python": sys.executable}.get(language, language)
        self.job = subprocess.Popen(
            [interpreter, HERE / RUNNERS[language], "--calls"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.heard = b""

    def ask(self, **request):
        data = json.dumps(request, default=encode).encode()
        try:
            self.job.stdin.write(b"%d\n%b" % (len(data), data))
            self.job.stdin.flush()
        except BrokenPipeError:
            self.gone()
        return self.hear()

    def hear(self):
        """The next reply; a call in a mode that has two gives the first."""
        end = time.monotonic() + STEP_SECONDS
        while b"\n" not in self.heard:
            left = max(0, end - time.monotonic())
            if not select.select([self.job.stdout], [], [], left)[0]:
                self.job.kill()
                self.job.wait()
                raise Died("hangs")
            self.heard += os.read(self.job.stdout.fileno(), 1 << 20) or \
                self.gone()
        reply, _, self.heard = self.heard.partition(b"\n")
        return json.loads(reply, object_hook=decode)["value"]

    def gone(self):
        print(f"status {self.job.wait()}", file=sys.stderr)
        raise Died("the process died")

    def end(self):
        """How it ended, if badly, after its last case."""
        self.job.stdin.close()
        try:
            status = self.job.wait(STEP_SECONDS)
        except subprocess.TimeoutExpired:
            self.job.kill()
            return "the process does not end"
        return f"the process ended with {status}" if status else None


# --- what a case may call without an object ---------------------------------


class Verbs:
    """Local files and sshd's side: what no module has a part in."""

    listens_at = "127.0.0.1"  # where a forwarded port is

    def __init__(self):
        self.tmp = tempfile.mkdtemp(dir=os.environ["SSH2_TMP"])
        self.changed, self.lines = False, []

    def finish(self):
        for sock in self.lines:
            sock.close()
        if self.changed:
            self.server("cont")
        shutil.rmtree(self.tmp, ignore_errors=True)

    def server(self, verb):
        self.changed = True
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(os.environ["SSH2_CONTROL"])
            sock.sendall(f"{verb}\n".encode())
            return int(sock.recv(64).split()[1])

    def dial(self, port):
        sock = socket.create_connection((self.listens_at, port), 10)
        self.lines.append(sock)
        return len(self.lines) - 1

    def say(self, line, data):
        self.lines[line].sendall(data)

    def hear(self, line, count):
        data = b""
        while len(data) < count and \
                (part := self.lines[line].recv(count - len(data))):
            data += part
        return data

    def hang(self, line):
        self.lines[line].shutdown(socket.SHUT_WR)

    def put(self, path, data):
        Path(os.fsdecode(path)).write_bytes(data)

    def get(self, path):
        return Path(os.fsdecode(path)).read_bytes()

    def sparse(self, path, size):
        Path(path).touch()
        os.truncate(path, size)

    def mkdir(self, path):
        os.mkdir(path)

    def link_to(self, target, path):
        os.symlink(target, path)

    def names_in(self, path):
        return sorted(os.listdir(path))

    def parts_in(self, path):
        """What is left of transfers in a folder and below."""
        return sorted(p.name for p in Path(path).rglob("*.part"))

    def many(self, path, count):
        """A folder of so many files, a byte each."""
        for number in range(count):
            folder = Path(path, str(number % 7))
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"f{number}").write_bytes(b"x")

    def grow(self, path):
        """A folder with one of everything: 66 files of 26228 bytes."""
        root = Path(path)
        for number in range(60):
            folder = root / f"d{number % 4}" / f"e{number % 3}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"f{number}").write_bytes(self.fill(number * 7))
        deep = root / "deep" / "/".join("abcdefgh")
        deep.mkdir(parents=True)
        (deep / "last").write_bytes(b"x")
        (root / "one").write_bytes(b"1")
        (root / "none").write_bytes(b"")
        (root / "new\nline").write_bytes(b"y")
        (root / ("n" * 255)).write_bytes(b"z")
        Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe")).write_bytes(
            self.fill(13834))
        (root / "empty").mkdir()
        (root / "in").symlink_to("d1/e1")
        (root / "out").symlink_to("../elsewhere")
        (root / "root").symlink_to("/etc/passwd")
        (root / "up").mkdir()
        (root / "up" / "in").symlink_to("../one")
        (root / "up" / "out").symlink_to("../../elsewhere")
        os.mkfifo(root / "fifo")
        (root / "d1").chmod(0o750)
        (root / "one").chmod(0o440)
        for where, _, names in os.walk(root, topdown=False):
            for name in [*names, "."]:
                os.utime(os.path.join(where, name), (10**9, 10**9),
                         follow_symlinks=False)

    def differ(self, one, other):
        """What two folders have not alike, but what cannot be copied."""
        job = subprocess.run(["diff", "-r", "--no-dereference", one, other],
                             stdout=subprocess.PIPE, check=False)
        lines = job.stdout.decode(errors="replace").splitlines()
        return sorted(line.rpartition(": ")[2] if line[:8] == "Only in "
                      else line for line in lines
                      if not (line.startswith(f"Only in {one}") and
                              line.endswith((": fifo", ": out", ": root"))))

    def looks(self, path):
        """The modes and times of all that is in a folder, and its own."""
        found = []
        for where, _, names in os.walk(path):
            for name in [*names, ""]:
                item = os.path.join(where, name)
                if not os.path.islink(item) and os.path.basename(
                        item) != "fifo":
                    st = os.stat(item)
                    found.append([os.path.relpath(os.fsencode(item),
                                                  os.fsencode(path)),
                                  st.st_mode, int(st.st_mtime)])
        return sorted(found)

    def fifo(self, path):
        os.mkfifo(path)

    def chmod(self, path, mode):
        os.chmod(path, mode)

    def touch(self, path, mtime, atime):
        os.utime(path, (atime, mtime))

    def exists(self, path):
        return os.path.lexists(path)

    def length(self, path):
        return os.lstat(path).st_size

    def mode(self, path):
        return stat.S_IMODE(os.lstat(path).st_mode)

    def mtime(self, path):
        return int(os.lstat(path).st_mtime)

    def link(self, path):
        return os.readlink(path)

    def fill(self, count):
        return (bytes(range(1, 252)) * (count // 251 + 1))[:count]

    def size(self, value):
        return len(value)

    def has(self, values, value):
        return value in values

    def part(self, value, start, end):
        return value[start:end]

    def text(self, data):
        return data.decode()

    def digest(self, name, data):
        return hashlib.new(name, data).digest()

    def blob(self, path):
        return base64.b64decode(Path(path).read_text().split()[1])

    def verifies(self, blob, algorithm, data, signature):
        sys.path.insert(1, str(HERE / "sshd"))
        import signer
        return signer.verify(blob, algorithm, data, signature)

    def sleep(self, ms):
        time.sleep(ms / 1000)


# --- what coverage.py reads -------------------------------------------------


class Calls:
    """Which methods the cases call, and how those calls end."""

    def __init__(self):
        self.seen, self.skipped = set(), set()
        self.start()

    def start(self):
        """A new case: its objects, whose child each is, which are closed."""
        self.parents, self.closed = {}, set()

    def ended(self, ident):
        """Whether it, or what it came from, was closed."""
        above = set()
        while ident is not None and ident not in above:
            above.add(ident)
            ident = self.parents.get(ident)
        return bool(above & self.closed)

    def made(self, value, parent, alive):
        """What a call gave; an old object's number may be a new one's."""
        if isinstance(value, list):
            for item in value:
                self.made(item, parent, alive)
        elif isinstance(value, Ref) and value["id"] not in alive:
            self.parents[value["id"]] = parent
            self.closed.discard(value["id"])

    def note(self, on, method, got):
        if isinstance(got, Error):
            end = "error" if "SSH2Error" in got.classes else "refused"
        else:
            end = "again" if got is Again else "success"
        if self.ended(on["id"]):
            end = "closed"
        elif method in CLOSERS and end == "success":
            self.closed.add(on["id"])
        self.seen.add((on["is"], method, end))

    def skip(self, case, need):
        for _, line in case.steps:
            for method in re.findall(r"\b[a-z]\w*\.(\w+)", line):
                self.skipped.add((method, need))

    def write(self, path, runner):
        offers = {}
        for name in {name for name, *_ in self.seen}:
            names = runner.ask(call="offers", on=None, keys={}, name=None,
                               args=[Ref({"class": name})])
            offers[name] = [] if isinstance(names, Error) else names
        path.write_text(json.dumps({
            "offers": offers, "seen": sorted(self.seen),
            "skipped": sorted(self.skipped)}))


# --- one case ---------------------------------------------------------------


class Case:
    def __init__(self, label, needs, steps):
        self.label, self.needs, self.steps = label, list(needs), list(steps)
        self.todo = False

    def run(self, runner, calls):
        self.runner, self.verbs, self.vars = runner, Verbs(), {}
        self.calls = calls
        calls.start()
        number, line = 0, ""
        try:
            for number, line in self.steps:
                self.step(line)
            number, line = 0, "the end of the case"
            runner.ask(end=True)
        except Failed as why:
            where = f"line {number}: " if number else ""
            raise type(why)(f"{where}{line}: {why}") from None
        finally:
            self.verbs.finish()

    def step(self, line):
        if line.startswith("drop "):
            name = line.split()[1]
            self.vars.pop(name)
            self.runner.ask(drop=name)
            return
        do, _, want = (part.strip() for part in line.partition(" -> "))
        name = re.match(r"([a-z]\w*) += ", do)
        got = self.call(TOKEN.findall(do[name.end():] if name else do),
                        name and name[1])
        if want.startswith("!"):
            cls, *more = TOKEN.findall(want[1:])
            good = isinstance(got, Error) and cls in got.classes and \
                all(got.has(self.number(token)) for token in more)
        elif want:
            good = fits(got, *map(self.known, self.values(want)))
        else:
            good = got is not Again and not isinstance(got, Error)
        if not good:
            if isinstance(got, Error):
                print(got.text, file=sys.stderr)
            raise Failed(f"gave {show(got)}")
        if name:
            self.vars[name[1]] = got

    def call(self, words, name):
        mode = words.pop(0) if words[0] in ("await", "all") else None
        got = self.repeat(mode, words, name)
        target, _, method = words[0].rpartition(".")
        if not target and method in STANDS_FOR:
            target, method = words[1], STANDS_FOR[method]
        on = self.vars.get(target)
        if target == "SSH2":
            on = Ref({"is": target, "id": None})
        if isinstance(on, Ref):
            self.calls.note(on, method.rstrip("="), got)
        alive = {held["id"] for held in flat(list(self.vars.values()))}
        self.calls.made(got, on["id"] if isinstance(on, Ref) else None, alive)
        return got

    def repeat(self, mode, words, name):
        end, whole = time.monotonic() + AWAIT_SECONDS, b""
        while True:
            got = self.once(words, name)
            if mode and got is Again and time.monotonic() < end:
                time.sleep(0.002)
            elif mode == "all" and isinstance(got, bytes):
                whole += got
                if not got:
                    return whole
            else:
                return got

    def once(self, words, name):
        target, _, method = words[0].rpartition(".")
        args, keys = self.values(words[1:]), {}
        while len(args) > 1 and isinstance(args[-2], Ref) and \
                "key" in args[-2]:
            value, key = args.pop(), args.pop()
            keys[key["key"]] = value
        verb = None if target else getattr(self.verbs, method, None)
        if verb:
            return verb(*map(self.known, args))
        return self.runner.ask(
            call=method, on=self.value(target) if target else None,
            args=args, keys=keys, name=name)

    def known(self, value):
        """The value behind a variable or a constant."""
        if isinstance(value, list):
            return [self.known(item) for item in value]
        if isinstance(value, Ref) and "var" in value:
            return self.vars[value["var"]]
        if isinstance(value, Ref) and "const" in value:
            return self.runner.ask(call="it", on=None, args=[value], keys={},
                                   name=None)
        return value

    def number(self, token):
        return self.known(self.value(token))

    def values(self, words):
        made, stack = [], []
        words = TOKEN.findall(words) if isinstance(words, str) else words
        for token in words:
            if token == "[":
                stack.append(made)
                made = []
            elif token == "]":
                stack[-1].append(made)
                made = stack.pop()
            else:
                made.append(self.value(token))
        return made

    def value(self, token):
        fixed = {"nil": None, "true": True, "false": False, "again": Again,
                 **KINDS}
        if token in fixed:
            return fixed[token]
        if token[0] == '"':
            return self.unquote(token[1:-1]).decode()
        if token[:2] == 'b"':
            return self.unquote(token[2:-1])
        if token[0] == "$":
            text = self.unquote(token).decode()
            return int(text) if text.isdigit() else text
        if re.fullmatch(r"-?\d+\.\d+", token):
            return float(token)
        if re.fullmatch(r"-?\d\w*", token):
            return int(token, 0)
        if token[-1] == ":":
            return Ref(key=token[:-1])
        if re.fullmatch(r"[A-Z]\w*_[A-Z0-9_|]+", token):
            return Ref(const=token.split("|"))
        if token[0].isupper():
            return Ref({"class": token})
        held = self.vars[token]
        return Ref(var=token) if flat(held) else held

    def unquote(self, text):
        def one(match):
            code, char, name = match.groups()
            if code:
                return bytes.fromhex(code.decode())
            if name == b"TMP":
                return self.verbs.tmp.encode()
            return PLAIN.get(char, char) if char else \
                os.environb[b"SSH2_" + name]
        return ESCAPE.sub(one, text.encode())


def flat(value):
    """The objects in a value, which only the runner has."""
    if isinstance(value, list):
        return [held for item in value for held in flat(item)]
    return [value] if isinstance(value, Ref) else []


def fits(got, want, *length):
    if isinstance(want, type) and want is not Again:
        return type(got) is want and \
            (not length or len(got) == length[0])
    if isinstance(want, Ref) and isinstance(got, Ref):
        return got["is"] == want.get("class") if "class" in want \
            else got["id"] == want["id"]
    if isinstance(want, list) and isinstance(got, list):
        return len(want) == len(got) and all(map(fits, got, want))
    return type(got) is type(want) and got == want


def show(value):
    if isinstance(value, Error):
        codes = [c for c in value.codes if c is not None]
        return "!" + " ".join([value.classes[0], *map(str, codes[:1])])
    if isinstance(value, Ref):
        return value["is"]
    if isinstance(value, list):
        return "[" + " ".join(map(show, value)) + "]"
    if value is Again:
        return "again"
    if isinstance(value, bytes | str):
        return repr(value[:200]).replace("'", '"')
    fixed = {None: "nil", True: "true", False: "false"}
    whole = value is not None and not isinstance(value, bool)
    return str(value) if whole else fixed[value]


# --- all cases --------------------------------------------------------------


def unmet(need, runner):
    if need[0] == "!":
        return not unmet(need[1:], runner)
    if need == "root":
        return os.geteuid() != 0
    if need.startswith("libssh2_"):
        have = Path(os.environ.get("SSH2_BUILD", "build"), "gen/s2_have.h")
        return not re.search(rf"S2_HAVE_{need}\b", have.read_text())
    if need.startswith("libssh2>="):
        high, low = need[9:].split(".")
        return not runner.ask(call="at_least", on=None, keys={}, name=None,
                              args=[int(high) << 16 | int(low) << 8])
    name = f"SSH2_{need.upper()}"
    return not (os.environ.get(name) or f"{name}_PORT" in os.environ)


def load(paths):
    """Every case of the files, in the order of the files' names."""
    cases, root = [], HERE / "cases"
    files = [f for path in map(Path, paths)
             for f in (path.rglob("*.case") if path.is_dir() else [path])]
    for file in sorted(f.resolve() for f in files):
        base = root if root in file.parents else file.parent
        name, case = file.relative_to(base).with_suffix(""), Case("", [], [])
        head = case
        for number, line in enumerate(file.read_text().split("\n"), 1):
            word, _, rest = line.strip().partition(" ")
            if word == "case":
                case = Case(f"{name}: {rest.strip()}", head.needs, head.steps)
                cases.append(case)
            elif word == "needs":
                case.needs += rest.split()
            elif word == "todo":
                case.todo = True
            elif word and word != "from" and word[0] != "#":
                case.steps.append((number, line.strip()))
    return cases


def after(error, runner):
    """The runner to go on with after a case that failed."""
    try:
        if not isinstance(error, Died):
            runner.ask(end=True)
            return runner
    except Died:
        pass
    return None


def main(language, *paths):
    cases, calls = load(paths or [HERE / "cases"]), Calls()
    tap = os.environ.get("SSH2_TAP", os.devnull)
    copy = open(tap, "w")  # noqa: SIM115

    def say(text):
        print(text, flush=True)
        print(text, file=copy, flush=True)

    say(f"1..{len(cases)}")
    counts, runner = {"run": 0, "skipped": 0, "failed": 0}, None
    for number, case in enumerate(cases, 1):
        label, failure = f"{number} - {case.label}", None
        if case.todo:
            counts["to be written"] = counts.get("to be written", 0) + 1
            say(f"not ok {label} # TODO to be written")
            continue
        runner = runner or Runner(language)
        try:
            need = next((n for n in case.needs if unmet(n, runner)), None)
            if need:
                counts["skipped"] += 1
                calls.skip(case, need)
                say(f"ok {label} # SKIP needs {need}")
                continue
            case.run(runner, calls)
        except Failed as why:
            failure, runner = str(why), after(why, runner)
        except Exception as error:
            failure = f"not understood: {error!r}"
            runner = after(error, runner)
        counts["run"] += 1
        counts["failed"] += bool(failure)
        say(f"not ok {label}\n# {failure}" if failure else f"ok {label}")
    runner = runner or Runner(language)
    if tap != os.devnull:
        calls.write(Path(tap).with_suffix(".calls"), runner)
    if failure := runner.end():
        counts["failed"] += 1
        say(f"# {failure}")
    say("# " + ", ".join(f"{n} {what}" for what, n in counts.items()))
    return 1 if counts["failed"] or not counts["run"] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
