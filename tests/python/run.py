#!/usr/bin/python3
"""Make the calls of cases on the Python module.

    run.py [FILE-OR-FOLDER...]

runs the cases; conformance.py reads them, compares and prints.  It starts
this program again to make the calls: requests come on standard input, replies
go to standard output.
"""
import base64
import ctypes
import errno
import gc
import importlib
import inspect
import io
import itertools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import types
import warnings
from pathlib import Path

MODULES = ("session", "channel", "sftp", "sftp_handle", "agent", "pkey",
           "knownhost", "listener", "fileinfo", "publickey", "error_codes",
           "exceptions", "binding")
SIGNER = Path(__file__).resolve().parent.parent / "sshd" / "signer.py"
AGAIN = {"again": True}


# --- the one table: Python's results as values of a case --------------------


def pair(result):
    rc, count = result
    return AGAIN if rc == -37 and not count else count


def counted(result):
    rc, data = result
    return AGAIN if rc == -37 else data if rc == len(data) else [rc, data]


SHAPES = {
    "read": counted, "read_ex": counted, "read_stderr": counted,
    "write": pair, "write_ex": pair, "write_stderr": pair,
    "get_exit_signal": lambda result: result[1] or None,
    "last_errno": lambda result: result,
    "forward_listen_ex":
        lambda result: AGAIN if result == (-37, 0) else list(result),
}


def shape(method, result):
    if method in SHAPES and result is not None:
        return SHAPES[method](result)
    if type(result) is int and result == -37:
        return AGAIN
    return list(result) if isinstance(result, tuple) else result


# --- what a case may call without an object ---------------------------------


class Verbs:
    def __init__(self):
        self.sockets, self.descriptors = [], []

    def it(self, value):
        return value

    def item(self, value, index):
        return value[index]

    def new(self, cls, *args):
        return cls(*args)

    def at_least(self, number):
        return importlib.import_module("ssh2.utils").version(number) is not None

    def option(self, name):
        return importlib.import_module("ssh2").build_options()[name]

    def offers(self, cls):
        return [name for name in dir(cls)
                if name[0] != "_" and not hasattr(object, name)]

    def functions(self, cls=None):
        if cls:
            return self.offers(cls)
        module = named("SSH2")
        return [name for name, found in vars(module).items()
                if name[0] != "_" and inspect.isroutine(found)]

    def waits(self, cls):
        return [*self.offers(cls), *(name for name in dir(cls)
                                     if name in ("__exit__", "__next__"))]

    def ports(self):
        """The ports of those sockets that sshd is at the other end of."""
        return [sock.getsockname()[1] for sock in self.sockets
                if sock.getpeername()[1] == int(os.environ["SSH2_PORT"])]

    def socket(self, port=None):
        port = port or int(os.environ["SSH2_PORT"])
        sock = socket.create_connection((os.environ["SSH2_HOST"], port))
        self.sockets.append(sock)
        return sock

    def narrow(self, port=None, both=None):
        if not both:
            sock = self.socket(port)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            return sock
        sock = socket.socket()
        self.sockets.append(sock)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, both)
        sock.connect((os.environ["SSH2_HOST"], port))
        return sock

    def shake(self, port=None):
        session = named("Session")()
        session.handshake(self.socket(port))
        return session

    def connect(self, port=None):
        session = self.shake(port)
        session.userauth_publickey_fromfile(
            os.environ["SSH2_USER"], os.environ["SSH2_KEY"])
        return session

    def answers(self, *rounds):
        rounds = list(rounds)
        return self.recorded(lambda *_: rounds.pop(0))

    def recorded(self, answer):
        asked = []

        def callback(*args):
            asked.append(list(args))
            return answer(*args)
        callback.asked = asked
        return callback

    def signs(self, key):
        return self.recorded(lambda data, name: signed(data, "key", key, name))

    def token(self):
        return self.recorded(lambda data, kind, flags, application, handle:
                             signed(data, "token", handle, application))

    def resigns(self, session, key, callback):
        return lambda data, _: session.sign_sk(data, key, "", callback)

    def notes(self):
        return self.recorded(lambda *_: None)

    def intrudes(self, session):
        return lambda *_: session.userauth_list("root")

    def raises(self):
        def callback(*_):
            raise KeyError("from the callback")
        return callback

    def stream(self, data=None, then=None):
        """What reads and writes, and fails at its end by `then`."""
        stream = io.BytesIO(data)
        if data is None:
            stream.write = self.raises()
        elif then:
            read = stream.read
            stream = types.SimpleNamespace(read=lambda n: read(n) or then())
        return stream

    def sips(self, most):
        """What takes so many bytes at a time."""
        stream = io.BytesIO()
        write = stream.write
        stream.write = lambda data: write(data[:most])
        return stream

    def trips(self, most):
        """The same, whose second write raises."""
        stream = self.sips(most)
        writes = iter([stream.write, self.raises()])
        sip = stream.write
        stream.write = lambda data: next(writes, sip)(data)
        return stream

    def says(self, answer):
        """What writes nothing, and answers so."""
        return types.SimpleNamespace(write=lambda data: answer)

    def held(self, stream):
        return stream.getvalue()

    def descriptor(self, path):
        fd = os.open(path, os.O_RDWR | os.O_APPEND)
        self.descriptors.append(fd)
        return fd

    def skip(self, fd, count):
        os.read(fd, count)

    def pipe(self, data=None):
        """An end of a pipe; the other is read, or written to."""
        ends = os.pipe()
        ours, theirs = ends if data is None else reversed(ends)
        self.descriptors.append(theirs)
        self.piped = []

        def copy():
            with open(ours, "rb" if data is None else "wb") as file:
                if data is None:
                    self.piped.append(file.read())
                else:
                    file.write(data)
        self.copying = threading.Thread(target=copy, daemon=True)
        self.copying.start()
        return theirs

    def drained(self):
        os.close(self.descriptors.pop())
        self.copying.join()
        return self.piped[0]

    def asked(self, callback):
        return callback.asked

    def names(self, handle, most=None):
        found = []
        for rc, name, _ in itertools.islice(handle.readdir(), most):
            if rc == -37:
                return AGAIN
            found.append(name)
        return sorted(found)

    def listed(self, handle):
        """The same, by readdir_ex."""
        found = []
        for rc, name, *_ in handle.readdir_ex():
            if rc == -37:
                return AGAIN
            found.append(name)
        return sorted(found)

    def heap(self, path):
        """What malloc() says of itself, into a file."""
        libc = ctypes.CDLL(None)
        libc.fopen.restype = ctypes.c_void_p
        file = ctypes.c_void_p(libc.fopen(path.encode(), b"w"))
        libc.malloc_info(0, file)
        libc.fclose(file)

    def entries(self, hosts, prev=None):
        return hosts.get(prev)


def signed(data, *words):
    """What sshd/signer.py answers, which needs no sanitizer of ours."""
    env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    job = subprocess.run([SIGNER, *words], input=data, env=env, check=True,
                         stdout=subprocess.PIPE)
    answer = json.loads(job.stdout)
    if isinstance(answer, list):
        return [*answer[:2], *map(base64.b64decode, answer[2:])]
    return base64.b64decode(answer)


def named(name):
    """A class or a constant of the module, or the module itself."""
    if name == "SSH2":
        return importlib.import_module("ssh2.binding")
    for module in MODULES:
        found = getattr(importlib.import_module(f"ssh2.{module}"), name, None)
        if found is not None:
            return found
    raise NameError(name)


# --- requests and replies ---------------------------------------------------


class Calls:
    def __init__(self, say):
        self.verbs, self.vars, self.say = Verbs(), {}, say

    def reply(self, request):
        if "mode" in request:
            self.seconds = request.pop("seconds")
            return self.waiting(request.pop("mode"), request)
        if request.pop("beside", None):
            threading.Thread(target=self.reply, args=[request],
                             daemon=True).start()
            return None
        if "call" in request:
            try:
                return self.call(**request)
            except Exception as error:
                kin = errno.errorcode.get(getattr(error, "errno", None))
                return {"error": [
                    [cls.__name__ for cls in type(error).__mro__] +
                    [kin] * bool(kin),
                    getattr(error, "code", None),
                    getattr(error, "sftp_status", None),
                    "".join(traceback.format_exception(
                        type(error), error, error.__traceback__))]}
        self.vars.pop(request.get("drop"), None)
        if "end" in request:
            self.vars.clear()
            for sock in self.verbs.sockets:
                sock.close()
            for fd in self.verbs.descriptors:
                os.close(fd)
            self.verbs = Verbs()
        gc.collect()
        return None

    def call(self, call, on, args, keys, name):
        owner = self.verbs if on is None else self.decode(on)
        args = [self.decode(arg) for arg in args]
        keys = {key: self.decode(arg) for key, arg in keys.items()}
        if call.endswith("="):
            return setattr(owner, call[:-1], *args)
        found = getattr(owner, call)
        value = shape(call, found(*args, **keys) if callable(found) else found)
        if name:
            self.vars[name] = value
        return value

    def waiting(self, mode, request):
        """A call that waits: when it was to end and did, what it let go on.

        What ends it does so after self.seconds.
        """
        done, ticks = threading.Event(), []

        def tick():
            while not done.wait(0.005):
                ticks.append(1)

        beside = threading.Thread(target=tick)
        beside.start()
        try:
            asked, result = MODES[mode](self, request)
        finally:
            end = time.monotonic()
            done.set()
            beside.join()
        if isinstance(asked, tuple):
            asked, ticks = asked
        return [asked, end, len(ticks), result]

    def plain(self, request):
        return time.monotonic(), self.reply(request)

    def interrupt(self, request):
        """The driver sends SIGINT, and knows when it did."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.say("waits")
            return 0, self.reply(request)
        except KeyboardInterrupt:
            return 0, "interrupted"
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # it may come late

    def hook(self, request):
        """The program waits itself, and has enough of it."""
        def wait(fd, wake_fd, directions, timeout):
            if end < time.monotonic():
                raise TimeoutError
            poll = select.poll()
            for number, mask in ((fd, directions), (wake_fd, 1)):
                if number >= 0:
                    poll.register(number,
                                  (select.POLLIN if mask & 1 else 0) |
                                  (select.POLLOUT if mask & 2 else 0))
            return bool(poll.poll(10))

        end = time.monotonic() + self.seconds
        ssh2 = importlib.import_module("ssh2")
        ssh2.set_wait(wait)
        try:
            return end, self.call(**request)
        except TimeoutError:
            return end, "ended"
        finally:
            ssh2.set_wait(None)

    def greenlet(self, request):
        """gevent waits: another greenlet goes on, and its Timeout ends it."""
        import gevent
        import gevent.select
        ticks = []

        def wait(fd, wake_fd, directions, timeout):
            read = [n for n, mask in ((fd, directions), (wake_fd, 1))
                    if n >= 0 and mask & 1]
            write = [fd] if fd >= 0 and directions & 2 else []
            return any(gevent.select.select(read, write, [], timeout))

        def tick():
            while True:
                gevent.sleep(0.005)
                ticks.append(1)

        ticking = gevent.spawn(tick)
        end = time.monotonic() + self.seconds
        ssh2 = importlib.import_module("ssh2")
        ssh2.set_wait(wait)
        try:
            with gevent.Timeout(self.seconds):
                return (end, ticks), self.call(**request)
        except gevent.Timeout:
            return (end, ticks), "ended"
        finally:
            ssh2.set_wait(None)
            ticking.kill()

    def decode(self, value):
        if isinstance(value, list):
            return [self.decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "bytes" in value:
            return base64.b64decode(value["bytes"])
        if "var" in value:
            return self.vars[value["var"]]
        if "class" in value:
            return named(value["class"])
        first, *more = map(named, value["const"])
        for constant in more:
            first |= constant
        return first

    def encode(self, value):
        if isinstance(value, bytes):
            return {"bytes": base64.b64encode(value).decode()}
        return {"is": type(value).__name__, "id": id(value)}


MODES = {"plain": Calls.plain, "interrupt": Calls.interrupt,
         "hook": Calls.hook, "greenlet": Calls.greenlet}


def main():
    def say(value):
        print(json.dumps({"value": value}, default=calls.encode), file=out,
              flush=True)

    calls, out = Calls(say), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a module prints is no reply
    for size in sys.stdin.buffer:
        say(calls.reply(json.loads(sys.stdin.buffer.read(int(size)))))


if __name__ == "__main__":
    if sys.argv[1:] == ["--calls"]:
        # Cases call by names that only Python calls deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        main()
    else:
        driver = Path(__file__).resolve().parent.parent / "conformance.py"
        os.execv(sys.executable,
                 [sys.executable, str(driver), "python", *sys.argv[1:]])
