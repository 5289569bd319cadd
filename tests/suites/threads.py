"""Sixteen threads on one session, and two hundred sessions in fifty threads.

    threads.py [SEED]

threads.rb does the same; keep them alike.
"""
import faulthandler
import gc
import hashlib
import os
import queue
import random
import signal
import socket
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from suite import LONG, Tally

from ssh2.exceptions import (
    ChannelClosedError,
    ChannelFailure,
    ClosedError,
    Timeout,
)
from ssh2.session import Session
from ssh2.sftp import (
    LIBSSH2_FXF_CREAT,
    LIBSSH2_FXF_READ,
    LIBSSH2_FXF_TRUNC,
    LIBSSH2_FXF_WRITE,
)

ENV = os.environ
HOST, PORT = ENV["SSH2_HOST"], int(ENV["SSH2_PORT"])
TMP = Path(ENV["SSH2_TMP"])
WRITE = LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC | LIBSSH2_FXF_WRITE
THREADS, SECONDS = 16, 60 if LONG else 10
SESSIONS, AT_ONCE = 1000 if LONG else 200, 50
ENTRIES = 300
HANGS = 60  # seconds after which what should be over hangs
SEED = int(sys.argv[1]) if sys.argv[1:] else 1

tally = Tally("threads python")


class Wrong(Exception):
    """A call came to something else than it must."""


class Interrupted(Exception):
    """Raised by the handler of a signal."""


def must(true, what):
    if not true:
        raise Wrong(what)


def connect():
    session = Session()
    session.handshake(socket.create_connection((HOST, PORT)))
    session.userauth_publickey_fromfile(ENV["SSH2_USER"], ENV["SSH2_KEY"])
    return session


def listen_on(session):
    """Of IPv4 alone: else sshd may get a port that is another's there."""
    return session.forward_listen_ex(16, HOST)[0]


def read_all(read):
    parts = []
    while data := read(65536)[1]:
        parts.append(data)
    return b"".join(parts)


def read_exactly(channel, size):
    data = b""
    while len(data) < size:
        part = channel.read(size - len(data))[1]
        must(part, f"an end after {len(data)} of {size} bytes")
        data += part
    return data


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Threads:
    """Threads that are waited for, and what they raised is told."""

    def __init__(self):
        self.threads = []

    def start(self, function, *arguments):
        def run():
            try:
                function(*arguments)
            except BaseException as error:
                tally.wrong(f"{function.__name__}{arguments}: {error!r}")
        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()
        return self.threads[-1]

    def join(self, seconds=HANGS):
        end = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0, end - time.monotonic()))
            if thread.is_alive():
                tally.hang(f"a thread, with seed {SEED}")
                faulthandler.dump_traceback(sys.stdout)
                os._exit(tally.end())


# --- one session ------------------------------------------------------------


class Shared:
    """What all threads use, and for how long."""

    def __init__(self):
        self.session = connect()
        self.sftp = self.session.sftp_init()
        self.end = time.monotonic() + SECONDS
        # sshd lets ten sessions be open in a connection, SFTP's among them.
        self.room = threading.Semaphore(8)
        self.lost = queue.Queue()  # for whoever drops it
        self.hurry = threading.Lock()
        self.hurried = 0  # odd while calls have a short time
        self.armed = False  # whether a signal is to end a call
        self.count, self.tried = {}, set()
        self.counting = threading.Lock()
        self.folder = TMP / "many"
        self.folder.mkdir()
        self.names = {f"entry {i}" for i in range(ENTRIES)}
        for name in self.names:
            (self.folder / name).touch()
        self.sequence = "".join(f"{i}\n" for i in range(1, 400001)).encode()

    def done(self, name):
        with self.counting:
            self.count[name] = self.count.get(name, 0) + 1
        tally.ok()


class Worker:
    """One thread's jobs, each of which checks all that it gets."""

    def __init__(self, shared, number):
        self.all, self.number = shared, number
        self.session, self.sftp = shared.session, shared.sftp
        self.random = random.Random(SEED * 1000 + number)
        self.jobs = [self.command] * 6 + [self.cat] * 4 + [self.file] * 8 + \
            [self.stat] * 8 + [self.list] + [self.tunnel] * 4 + \
            [self.listen] * 3 + [self.fill] + [self.close_under_reader] * 2 + \
            [self.drop] * 3 + [self.hurry]
        if threading.current_thread() is threading.main_thread():
            self.jobs += [self.interrupt] * 20

    def run(self):
        kinds = list(dict.fromkeys(self.jobs))
        job = kinds[-1 - self.number % len(kinds)]  # each is somebody's first
        while time.monotonic() < self.all.end:
            before = self.all.hurried
            self.all.tried.add(job.__name__)
            try:
                job()
                self.all.done(job.__name__)
            except Timeout as error:
                if self.another_s(before):
                    self.all.done("timed out")
                else:
                    tally.wrong(f"{job.__name__}: {error!r}, seed {SEED}")
            except Interrupted:  # after the call that it was meant for
                self.all.done("interrupted late")
            except Exception as error:
                tally.wrong(f"{job.__name__}: {error!r}, seed {SEED}")
            job = self.random.choice(self.jobs)

    @contextmanager
    def channel(self, command):
        """One that runs a command; sshd may have no room for a moment."""
        with self.all.room:
            end = time.monotonic() + HANGS
            while True:
                try:
                    channel = self.session.open_session()
                    break
                except ChannelFailure:
                    must(time.monotonic() < end, "never room for a channel")
                    time.sleep(0.01)
            try:
                channel.execute(command)
                yield channel
            finally:
                channel.close()

    def another_s(self, before):
        """A timeout since `before`, was it meant for another thread?"""
        return before % 2 or before != self.all.hurried

    def some(self, most):
        return self.random.randbytes(self.random.randint(1, most))

    def command(self):
        out, err = f"{self.random.random()}", f"{self.random.random()}"
        status = self.random.randint(0, 255)
        with self.channel(f"printf %s '{out}'; printf %s '{err}' >&2; "
                          f"exit {status}") as channel:
            must(read_all(channel.read) == out.encode(), "another's output")
            must(read_all(channel.read_stderr) == err.encode(),
                 "another's error output")
            channel.close()
            channel.wait_closed()
            must(channel.get_exit_status() == status, "another's status")

    def cat(self):
        data = self.some(200000)
        with self.channel("sha256sum; cat >&2") as channel:
            must(channel.write(data)[1] == len(data), "a short write")
            channel.send_eof()
            must(read_all(channel.read).decode().split()[0] == digest(data),
                 "other bytes went there")
            must(read_all(channel.read_stderr) == b"", "bytes of nobody")

    def file(self):
        data = self.some(200000)
        path = str(TMP / f"file {self.number}")
        with self.sftp.open(path, WRITE, 0o600) as file:
            must(file.write(data)[1] == len(data), "a short write")
            must(file.fstat().filesize == len(data), "another's size")
        must(digest(Path(path).read_bytes()) == digest(data),
             "other bytes went there")
        must(self.sftp.stat(path).filesize == len(data), "another's size")
        with self.sftp.open(path, LIBSSH2_FXF_READ, 0) as file:
            must(digest(read_all(file.read)) == digest(data),
                 "other bytes came back")
        self.sftp.unlink(path)
        must(not os.path.exists(path), "a file that was deleted is there")

    def stat(self):
        path = ENV["SSH2_KEY"]
        must(self.sftp.stat(path).filesize == os.path.getsize(path),
             "another's size")
        try:
            self.sftp.stat("/none")
        except FileNotFoundError:
            return
        raise Wrong("a file that is not there")

    def list(self):
        names = []
        with self.sftp.opendir(str(self.all.folder)) as folder:
            while True:
                before = self.all.hurried
                try:
                    for _, name, _ in folder.readdir():
                        names.append(name.decode())
                    break
                except Timeout:  # which loses no entry
                    if not self.another_s(before):
                        raise
        must(len(names) == ENTRIES + 2, f"{len(names)} entries")
        must(set(names) == self.all.names | {".", ".."}, "other names")

    def tunnel(self):
        data = self.some(100000)
        channel = self.session.direct_tcpip(HOST, int(ENV["SSH2_ECHO_PORT"]))
        must(channel.write(data)[1] == len(data), "a short write")
        must(read_exactly(channel, len(data)) == data, "another's echo")
        channel.send_eof()
        must(channel.read()[1] == b"", "bytes of nobody")
        channel.close()

    def listen(self):
        data, more = self.some(50000), self.some(50000)
        with listen_on(self.session) as listener, \
                socket.create_connection((HOST, listener.port)) as sock:
            channel = listener.forward_accept()
            sock.settimeout(HANGS)
            sock.sendall(data)
            must(read_exactly(channel, len(data)) == data, "other bytes came")
            must(channel.write(more)[1] == len(more), "a short write")
            channel.send_eof()
            with sock.makefile("rb") as stream:
                must(stream.read() == more, "other bytes went there")
            channel.close()

    def fill(self):
        """More than a window holds, which nobody reads for a while."""
        with self.channel("seq 400000; echo end >&2") as channel:
            time.sleep(self.random.random() / 10)
            must(digest(read_all(channel.read)) == digest(self.all.sequence),
                 "other bytes came")
            must(read_all(channel.read_stderr) == b"end\n", "no end came")

    def close_under_reader(self):
        outcome, before = [], self.all.hurried

        def read():
            try:
                outcome.append(channel.read())
            except (ChannelClosedError, ClosedError):
                outcome.append("closed")
            except Timeout:
                if not self.another_s(before):
                    raise
                outcome.append("closed")

        with self.channel("cat") as channel:
            readers = Threads()
            readers.start(read)
            time.sleep(self.random.random() / 50)
            channel.close()
            readers.join()
        # Or the end that the server sent when it was told.
        must(outcome in (["closed"], [(0, b"")]), f"a reader got {outcome}")

    def drop(self):
        """Another thread drops what this one has opened."""
        with self.all.room:
            kind = self.random.randint(0, 3)
            try:
                thing = self.sftp.open(ENV["SSH2_KEY"], LIBSSH2_FXF_READ, 0) \
                    if kind == 0 else self.sftp.opendir("/") if kind == 1 \
                    else listen_on(self.session) if kind == 2 \
                    else self.session.open_session()
            except ChannelFailure:
                return  # sshd has no room
            self.all.lost.put(thing)
            del thing
            if self.all.lost.qsize() > 1:
                self.all.lost.get()
            if self.random.random() < 0.1:
                gc.collect()

    def hurry(self):
        """A call that may not take long, beside all others; and once more."""
        with self.channel("cat") as channel, self.all.hurry:
            try:
                self.all.hurried += 1
                self.session.set_timeout(30)
                channel.read()
                raise Wrong("nothing was to be read")
            except Timeout:
                pass
            finally:
                self.session.set_timeout(0)
                self.all.hurried += 1
            channel.write(b"late")
            must(read_exactly(channel, 4) == b"late", "other bytes came")

    def interrupt(self):
        """A signal's handler ends a read, which loses no byte."""
        with self.channel("cat") as channel:
            try:
                self.all.armed = True
                signal.setitimer(signal.ITIMER_REAL,
                                 0.001 + self.random.random() / 30)
                channel.read()
                raise Wrong("nothing was to be read")
            except Interrupted:
                pass
            finally:
                self.all.armed = False
            channel.write(b"late")
            must(read_exactly(channel, 4) == b"late", "other bytes came")


def close_under_all(session):
    """Each waits for what never comes, until the session is closed."""
    def wait(number):
        try:
            if number % 2:
                listen_on(session).forward_accept()
            else:
                channel = session.open_session()
                channel.execute("cat")
                (channel.read if number % 4 else channel.wait_eof)()
        except ClosedError:
            return
        except ChannelFailure:  # sshd has no room
            return
        raise Wrong("a call on a closed session came back")

    waiting = Threads()
    for number in range(THREADS):
        waiting.start(wait, number)
    time.sleep(0.3)
    session.close()
    waiting.join()


def one_session():
    shared, workers = Shared(), Threads()

    def interrupt(*_):
        if shared.armed:
            raise Interrupted

    signal.signal(signal.SIGALRM, interrupt)
    for number in range(1, THREADS):
        workers.start(lambda n: Worker(shared, n).run(), number)
    Worker(shared, 0).run()  # the main thread has the signals
    workers.join()
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    shared.lost.queue.clear()
    counts = sorted(shared.count.items())
    print(f"# {THREADS} threads, {SECONDS} s: " + ", ".join(
        f"{name} {count}" for name, count in counts), flush=True)
    for name in {job.__name__ for job in Worker(shared, 0).jobs}:
        if name not in shared.tried:
            tally.wrong(f"{name} was never tried")
    close_under_all(shared.session)


# --- one that waits, and others ---------------------------------------------


def waiting_holds_up_nobody():
    """What waits for a channel, a connection, a file; commands meanwhile."""
    session, order = connect(), []
    sftp = session.sftp_init()
    channel = session.open_session()
    channel.execute("cat")
    listener = listen_on(session)
    fifo = str(TMP / "fifo")
    os.mkfifo(fifo)

    def command():
        start = time.monotonic()
        with session.open_session() as other:
            other.execute("echo fine")
            must(read_all(other.read) == b"fine\n", "another's output")
        return time.monotonic() - start

    def wait(name, call):
        order.append(f"{name} begins")
        call()
        order.append(f"{name} ends")

    def usual():
        return sorted(command() for _ in range(9))[4]

    alone = usual()
    waiting = Threads()
    waiting.start(wait, "read", channel.read)
    waiting.start(wait, "accept", listener.forward_accept)
    waiting.start(wait, "open", lambda: sftp.open(fifo, LIBSSH2_FXF_READ, 0))
    while len(order) < 3:
        time.sleep(0.01)
    time.sleep(0.3)
    times = []
    for _ in range(30):
        times.append(command())
        order.append("command")
    beside = sorted(times)[15]
    channel.write(b"end")
    waiting.threads[0].join(HANGS)
    socket.create_connection((HOST, listener.port)).close()
    waiting.threads[1].join(HANGS)
    with open(fifo, "wb"):
        waiting.join()
    alone = max(alone, usual())  # the machine may be slower by now
    print(f"# a command takes {alone * 1000:.1f} ms, {beside * 1000:.1f} ms "
          f"beside three that wait, at most {max(times) * 1000:.1f} ms")
    must(sorted(order[:3]) == ["accept begins", "open begins", "read begins"]
         and order[3:33] == ["command"] * 30
         and order[33:] == ["read ends", "accept ends", "open ends"],
         f"in another order: {order}")
    must(beside < 5 * alone + 0.1, "commands wait for those that wait")
    must(max(times) < HANGS, "a command waits for those that wait")
    session.close()
    tally.ok(30)


# --- many sessions ----------------------------------------------------------


def many_sessions():
    numbers = queue.Queue()
    for number in range(SESSIONS):
        numbers.put(number)

    def one(number):
        text, path = f"session {number}".encode(), str(TMP / f"s{number}")
        session = connect()
        channel = session.open_session()
        channel.execute(f"echo session {number}; exit {number % 200}")
        must(read_all(channel.read) == text + b"\n", "another's output")
        channel.close()
        channel.wait_closed()
        must(channel.get_exit_status() == number % 200, "another's status")
        with session.sftp_init() as sftp:
            with sftp.open(path, WRITE, 0o600) as file:
                file.write(text)
            with sftp.open(path, LIBSSH2_FXF_READ, 0) as file:
                must(read_all(file.read) == text, "another's file")
            must(sftp.stat(path).filesize == len(text), "another's size")
            sftp.unlink(path)
        session.close()
        tally.ok()

    def work():
        while True:
            try:
                number = numbers.get_nowait()
            except queue.Empty:
                return
            one(number)

    start, workers = time.monotonic(), Threads()
    for _ in range(AT_ONCE):
        workers.start(work)
    workers.join(4 * HANGS)
    print(f"# {SESSIONS} sessions, {AT_ONCE} at once: "
          f"{time.monotonic() - start:.1f} s", flush=True)


# --- all of it --------------------------------------------------------------


def descriptors():
    """How many there are: (pipes, others)."""
    kinds = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            kinds.append(os.readlink(f"/proc/self/fd/{fd}")[:5])
        except OSError:
            pass  # the list's own
    return kinds.count("pipe:"), len(kinds) - kinds.count("pipe:")


def nothing_left(function, threads):
    """All threads end, and no descriptor is left but in the pool of pipes,
    two for each call that ever waited at once."""
    pipes, others = descriptors()
    function()
    gc.collect()
    pipes_now, others_now = descriptors()
    must(threading.active_count() == 1, "threads are left")
    must(others_now <= others, f"{others_now - others} descriptors are left")
    must(pipes_now <= pipes + 2 * threads, f"{pipes_now - pipes} pipes more")


def main():
    parts = [
        (one_session, 2 * THREADS),
        (waiting_holds_up_nobody, 4),
        (many_sessions, AT_ONCE),
    ]
    print(f"1..{len(parts)}\n# seed {SEED}", flush=True)
    for number, (part, threads) in enumerate(parts, 1):
        before = sum(tally.bad.values())
        try:
            nothing_left(part, threads)
        except Exception as error:
            tally.wrong(f"{part.__name__}: {error!r}")
        result = "ok" if before == sum(tally.bad.values()) else "not ok"
        print(f"{result} {number} - {part.__name__.replace('_', ' ')}",
              flush=True)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
