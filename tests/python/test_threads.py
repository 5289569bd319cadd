"""Other threads go on; several may use one session, and none loses a byte."""
import os
import select
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import ssh2
from common import ENV, connect, fifo, read_all, run, server, shake
from ssh2.exceptions import (
    AuthenticationError,
    ChannelClosedError,
    ClosedError,
    SSH2Error,
    Timeout,
)
from ssh2.session import Session
from ssh2.sftp import (
    LIBSSH2_FXF_CREAT,
    LIBSSH2_FXF_READ,
    LIBSSH2_FXF_TRUNC,
    LIBSSH2_FXF_WRITE,
)

WRITE = LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC | LIBSSH2_FXF_WRITE


class Tick(threading.Thread):
    """Counts hundredths of a second for as long as it is let.

    After a hundred of them it calls what it was given.
    """

    def __init__(self, call=lambda: None):
        super().__init__(daemon=True)
        self.call = call
        self.count, self.over = 0, threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()

    def run(self):
        while not self.over.wait(0.01):
            self.count += 1
            if self.count == 100:
                self.call()


class Stalls(threading.Thread):
    """Between a session and the server, until it takes no more of it."""

    def __init__(self):
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.near, far = socket.socketpair()
        for end in (self.near, far):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.far = far
        self.server = socket.create_connection(
            (ENV["SSH2_HOST"], int(ENV["SSH2_PORT"])))
        self.start()
        threading.Thread(target=self.back, daemon=True).start()

    def run(self):
        self.far.settimeout(0.05)
        while not self.over.is_set():
            try:
                data = self.far.recv(65536)
            except TimeoutError:
                continue
            if not data:
                break
            self.server.sendall(data)

    def back(self):
        while data := self.server.recv(65536):
            self.far.sendall(data)

    def stall(self):
        self.over.set()
        self.join()


def at_once(*functions):
    """Run them in threads; give back what each returned or raised."""
    results = [None] * len(functions)

    def one(i):
        try:
            results[i] = functions[i]()
        except BaseException as error:
            results[i] = error
    threads = [threading.Thread(target=one, args=(i,), daemon=True)
               for i in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        if thread.is_alive():
            raise AssertionError("a thread hangs")
    return results


class TestThreads(unittest.TestCase):
    def test_a_clock_ticks_beside_the_unlocking_of_a_key(self):
        """Hundreds of rounds of bcrypt are one call; nothing interrupts it."""
        session = shake()
        with tempfile.TemporaryDirectory() as folder:
            key = f"{folder}/key"
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-a", "40",
                            "-N", "right", "-f", key], check=True)
            start = time.monotonic()
            with Tick() as tick, self.assertRaises(AuthenticationError):
                session.userauth_publickey_fromfile(ENV["SSH2_USER"], key,
                                                    "right")
            self.assertGreater(tick.count, (time.monotonic() - start) * 5)

    def test_what_a_call_gives_back_wakes_a_reader(self):
        channel = run(self.session, "echo x; exec cat")

        def wait(fd, wake_fd, directions, timeout):
            fds = [end for end in (fd, wake_fd) if end >= 0]
            return any(select.select(fds, [], [], timeout))

        ssh2.set_wait(wait)  # else each looks every second
        self.addCleanup(ssh2.set_wait, None)

        class Sink:
            def write(self, data):
                time.sleep(0.3)  # until the other waits for more
                raise KeyError

        def read():
            time.sleep(0.1)
            return channel.read()

        def pump():
            with self.assertRaises(KeyError):
                channel.pump(Sink())
        time.sleep(0.1)
        self.assertEqual(at_once(pump, read), [None, (2, b"x\n")])

    def test_a_file_that_never_comes_holds_up_nobody(self):
        self.session.flag(3, False)  # so that the server's shell waits
        over, gate = threading.Event(), fifo()

        def receive():
            with self.assertRaisesRegex(SSH2Error, "No such file"):
                self.session.scp_recv2(f"/none/$(cat {gate})")
            over.set()

        def work():
            with open(gate, "wb"):  # once cat reads it, which ends with this
                for _ in range(5):
                    channel = run(self.session, "echo fine")
                    self.assertEqual(read_all(channel), b"fine\n")
                    channel.close()
                self.assertFalse(over.is_set())

        self.assertEqual(at_once(receive, work), [None, None])

    def test_four_threads_send_and_receive_files(self):
        def there_and_back(i):
            path = os.path.join(ENV["SSH2_TMP"], f"scp{i}")
            data = os.urandom(1) * 300000
            for _ in range(3):
                channel = self.session.scp_send64(path, 0o600, 300000, 0, 0)
                channel.write(data)
                channel.wait_eof()
                channel.close()
                channel, info = self.session.scp_recv2(path)
                self.assertEqual(info.st_size, 300000)
                self.assertEqual(read_all(channel), data)
                channel.close()

        self.assertEqual(
            at_once(*(lambda i=i: there_and_back(i) for i in range(4))),
            [None] * 4)

    def test_one_waits_for_a_connection_and_others_go_on(self):
        listener, port = self.session.forward_listen_ex(1, "127.0.0.1")
        waited = threading.Event()

        def accept():
            channel = listener.forward_accept()
            waited.set()
            return channel.read(9)[1]

        def work():
            for _ in range(5):
                channel = run(self.session, "echo fine")
                self.assertEqual(read_all(channel), b"fine\n")
                channel.close()
            self.assertFalse(waited.is_set())
            with socket.create_connection(("127.0.0.1", port)) as sock:
                sock.sendall(b"hello")
                waited.wait(20)

        self.assertEqual(at_once(accept, work), [b"hello", None])

    def test_who_waits_for_a_connection_is_told_of_the_end(self):
        for end in ("forward_cancel", "close"):
            with self.subTest(end):
                session = connect()
                listener = session.forward_listen(0)

                def finish(listener=listener, session=session, end=end):
                    time.sleep(0.2)
                    getattr(listener if end == "forward_cancel" else session,
                            end)()

                error, done = at_once(listener.forward_accept, finish)
                self.assertIsInstance(error, ClosedError)
                self.assertIsNone(done)

    def setUp(self):
        self.session = connect()

    def test_a_clock_ticks_beside_a_blocking_read(self):
        channel = run(self.session, "read x; echo done")
        with Tick(lambda: channel.write("\n")):
            self.assertEqual(channel.read(9), (5, b"done\n"))

    def test_a_clock_ticks_beside_a_blocking_sftp_read(self):
        handle = self.session.sftp_init().open(
            ENV["SSH2_KEY"], LIBSSH2_FXF_READ, 0)
        server("stop")
        with Tick(lambda: server("cont")):
            self.assertGreater(handle.read(99)[0], 0)

    def test_a_clock_ticks_beside_a_connection_attempt(self):
        session = type(self.session)()
        with Tick() as tick, self.assertRaises(Timeout):
            session.connect(ENV["SSH2_HOST"], int(ENV["SSH2_SILENT_PORT"]),
                            timeout=1000)
        self.assertGreater(tick.count, 5)

    def test_eight_threads_share_a_session(self):
        def work(number):
            text = f"thread {number}\n".encode() * 2000
            for _ in range(5):
                channel = run(self.session, "cat")
                channel.write(text)
                channel.send_eof()
                if read_all(channel) != text:
                    return "wrong bytes"
                channel.close()
            return "fine"

        results = at_once(*[lambda n=n: work(n) for n in range(8)])
        self.assertEqual(results, ["fine"] * 8)

    def test_eight_threads_share_an_sftp(self):
        sftp = self.session.sftp_init()

        def work(number):
            path = f"{ENV['SSH2_TMP']}/thread-{number}"
            data = os.urandom(300000)
            for _ in range(3):
                with sftp.open(path, WRITE, 0o600) as file:
                    file.write(data)
                with sftp.open(path, LIBSSH2_FXF_READ, 0) as file:
                    got = b""
                    while part := file.read()[1]:
                        got += part
                if got != data or sftp.stat(path).filesize != len(data):
                    return "wrong bytes"
            sftp.unlink(path)
            return "fine"

        results = at_once(*[lambda n=n: work(n) for n in range(8)])
        self.assertEqual(results, ["fine"] * 8)

    def test_one_thread_reads_what_another_writes(self):
        channel, data = run(self.session, "cat"), os.urandom(3000000)

        def write():
            count = channel.write(data)[1]
            channel.send_eof()
            return count

        wrote, read = at_once(write, lambda: read_all(channel))
        self.assertEqual(wrote, len(data))
        self.assertTrue(read == data)

    def test_no_wake_up_is_lost(self):
        def talk():
            channel = run(self.session, "cat")
            for i in range(200):
                channel.write(b"%d" % i)
                if channel.read(9)[1] != b"%d" % i:
                    return "wrong bytes"
            return "fine"

        self.assertEqual(at_once(talk, talk, talk), ["fine"] * 3)

    def test_two_threads_read_one_channel(self):
        channel = run(self.session, "head -c 2000000 /dev/zero")
        results = at_once(*[lambda: len(read_all(channel))] * 2)
        self.assertEqual(sum(results), 2000000)

    def close_in_flight(self, call, close, then=lambda: None):
        timer = threading.Timer(0.3, close)
        timer.start()
        start = time.monotonic()
        try:
            with self.assertRaises((ClosedError, ChannelClosedError)):
                call()
            self.assertLess(time.monotonic() - start, 10)
        finally:
            then()
            timer.join()

    def test_close_ends_a_channel_s_write_in_flight(self):
        # sshd answers a close once the command has ended.
        gate = fifo()
        channel = run(self.session, f"cat {gate}")
        self.close_in_flight(lambda: channel.write(bytes(8000000)),
                             channel.close,
                             lambda: open(gate, "wb").close())

    def test_close_of_the_session_ends_every_call_in_flight(self):
        channel = run(self.session, "sleep 60")
        self.close_in_flight(lambda: channel.wait_eof(), self.session.close)

    def test_close_ends_a_handle_s_read_in_flight(self):
        handle = self.session.sftp_init().open(
            ENV["SSH2_KEY"], LIBSSH2_FXF_READ, 0)
        server("stop")
        try:
            self.close_in_flight(lambda: handle.read(99), self.session.close)
        finally:
            server("cont")

    def test_what_the_connection_does_not_take_was_not_written(self):
        line = Stalls()
        session = Session()
        session.handshake(line.near)
        session.userauth_publickey_fromfile(ENV["SSH2_USER"], ENV["SSH2_KEY"])
        channel = run(session, "cat >/dev/null")
        line.stall()
        session.set_timeout(200)
        with self.assertRaises(Timeout) as raised:
            channel.write(bytes(30000))
        self.assertEqual(raised.exception.done, 30000)
        session.set_timeout(0)
        written, _ = at_once(
            lambda: channel.write(bytes(30000)),
            lambda: time.sleep(0.2) or session.disconnect())
        self.assertIsInstance(written, SSH2Error)
        line.server.shutdown(socket.SHUT_RDWR)

    def test_a_timeout_of_one_thread_leaves_the_others_alone(self):
        other = run(self.session, "sleep 1; echo done")

        def impatient():
            channel = run(self.session, "sleep 60")
            self.session.set_timeout(300)
            try:
                channel.read(9)
            except Timeout:
                return "timed out"
            finally:
                self.session.set_timeout(0)

        results = at_once(lambda: other.read(9), impatient)
        self.assertEqual(results, [(5, b"done\n"), "timed out"])


class TestFork(unittest.TestCase):
    def test_a_child_cannot_use_its_parent_s_session(self):
        session = connect()
        channel = run(session, "cat")
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                channel.write(b"child")
            except SSH2Error as error:
                status = 0 if type(error).__name__ == "ForkedError" else 2
            finally:
                del channel, session
                os._exit(status)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        channel.write(b"parent")
        channel.send_eof()
        self.assertEqual(read_all(channel), b"parent")

    def test_a_child_may_exit_and_make_sessions_of_its_own(self):
        session = connect()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                mine = connect()
                if read_all(run(mine, "echo child")) == b"child\n":
                    status = 0
                del session
            finally:
                os._exit(status)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        self.assertEqual(read_all(run(session, "echo parent")), b"parent\n")
