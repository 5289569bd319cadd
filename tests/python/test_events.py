"""What the server does of its own reaches callbacks, and does no harm."""
import contextlib
import gc
import io
import os
import signal
import socket
import sys
import threading
import time
import unittest
import weakref

from common import ENV, connect, read_all, run
from ssh2 import binding
from ssh2.channel import Channel
from ssh2.exceptions import BadUseError, ClosedError, SocketDisconnectError
from ssh2.session import Session

PORT = int(ENV.get("SSH2_ASYNCSSH_PORT", 0))
DEBUG, DISCONNECT, X11 = (
    binding.LIBSSH2_CALLBACK_DEBUG, binding.LIBSSH2_CALLBACK_DISCONNECT,
    binding.LIBSSH2_CALLBACK_X11)
AGENT = getattr(binding, "LIBSSH2_CALLBACK_AUTHAGENT", None)


@contextlib.contextmanager
def unraisable():
    """What is reported, and raised by nobody."""
    seen, before = [], sys.unraisablehook
    sys.unraisablehook = lambda args: seen.append(args.exc_value)
    try:
        yield seen
    finally:
        sys.unraisablehook = before


def sockets():
    """How many are open. Pipes are not counted: a call that has waited leaves
    its own for the next."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of this listing
            count += "socket:" in os.readlink(f"/proc/self/fd/{name}")
    return count


@unittest.skipUnless(PORT, "asyncssh is not installed")
class TestCallbacks(unittest.TestCase):
    def setUp(self):
        self.session = connect(PORT)

    def test_one_that_is_false_is_called(self):
        class Words(list):
            def __call__(self, *words):
                self.append(words)

        words = Words()
        self.session.callback_set(DEBUG, words)
        read_all(run(self.session, "@debug"))
        self.assertEqual(len(words), 1)

    def test_a_callback_may_use_the_session(self):
        told = []

        def work(message, *_):
            self.assertEqual(self.session.set_last_error(0, ""), 0)
            told.append((message, read_all(run(self.session, "echo inner"))))

        self.session.callback_set(DEBUG, work)
        channel = run(self.session, "@debug")
        self.assertEqual(read_all(channel), b"\n")
        self.assertEqual(told, [("see here", b"inner\n")])

    def test_it_comes_while_a_read_waits(self):
        """The server's side waits for an answer to what it opened."""
        told = []
        self.session.callback_set(X11, lambda *args: told.append(args))
        channel = run(self.session, "@x11 1")
        self.assertEqual(read_all(channel), b"0\n")
        (x11, host, port), = told
        self.assertIsInstance(x11, Channel)
        self.assertIs(x11.session, self.session)
        self.assertEqual((host, port), ("display", 7))

    def test_it_may_not_take_up_the_call_it_comes_in(self):
        errors = []
        outer = run(self.session, "sleep 1; cat >/dev/null")
        inner = run(self.session, "sleep 0.2")

        def write(*_):
            try:
                outer.write(b"more")
            except BadUseError as error:
                errors.append(str(error))

        self.session.callback_set(DEBUG, write)
        told = run(self.session, "@debug")
        outer.write(bytes(4 << 20))
        outer.send_eof()
        self.assertEqual(read_all(outer), b"")
        self.assertEqual([read_all(inner), read_all(told)], [b"", b"\n"])
        self.assertLessEqual(len(errors), 1)
        for text in errors:
            self.assertIn("is not over", text)

    def test_one_that_ends_the_session_ends_the_call(self):
        self.session.callback_set(DEBUG, lambda *_: self.session.close())
        channel = run(self.session, "@debug")
        with self.assertRaises(ClosedError):
            while True:
                channel.read()
                self.session.keepalive_send()

    def test_what_it_raises_is_reported(self):
        def fail(*_):
            raise KeyError("mine")

        self.session.callback_set(DISCONNECT, fail)
        with unraisable() as seen:
            channel = run(self.session, "@disconnect")
            with self.assertRaises(SocketDisconnectError):
                read_all(channel)
                self.session.open_session()
        self.assertEqual([str(error) for error in seen], ["'mine'"])

    def test_what_ends_the_program_is_not_swallowed(self):
        for kind in KeyboardInterrupt, SystemExit:
            def leave(*_, kind=kind):
                raise kind

            self.session.callback_set(DEBUG, leave)
            channel, data = run(self.session, "@debug"), b""
            with self.assertRaises(kind):
                while True:
                    data += channel.read()[1]
                    time.sleep(0.01)

    def test_a_signal_is_not_met_by_a_callback(self):
        def late(*_):
            raise TimeoutError("mine")

        self.addCleanup(signal.signal, signal.SIGALRM,
                        signal.signal(signal.SIGALRM, late))
        self.session.callback_set(DEBUG, lambda *_: None)
        with unraisable() as seen:
            for _ in range(50):
                channel = run(self.session, "@debug")
                with self.assertRaises(TimeoutError):
                    signal.setitimer(signal.ITIMER_REAL, 0.002)
                    while channel.read()[1]:
                        pass
                    time.sleep(5)
        self.assertEqual(seen, [])

    def test_an_interrupt_of_a_pump_loses_nothing(self):
        def interrupt(*_):
            raise KeyboardInterrupt

        self.session.callback_set(DEBUG, interrupt)
        for _ in range(20):
            channel, got = self.session.open_session(), io.BytesIO()
            for call in (lambda: channel.execute("@debug"),
                         lambda: time.sleep(0.02),
                         lambda: channel.pump(got), lambda: channel.pump(got)):
                with contextlib.suppress(KeyboardInterrupt):
                    call()
            self.assertEqual(got.getvalue(), b"\n")

    def test_one_that_waits_holds_up_nobody_but_the_next(self):
        go, told = threading.Event(), []

        def wait(*args):
            told.append(args)
            go.wait(20)

        self.session.callback_set(X11, wait)
        flood = run(self.session, "@x11 100")
        reader = threading.Thread(target=read_all, args=(flood,), daemon=True)
        reader.start()
        while not told:
            time.sleep(0.01)
        for _ in range(10):
            self.assertEqual(read_all(run(self.session, "echo on")), b"on\n")
        self.assertEqual(len(told), 1)
        go.set()
        reader.join(20)
        # As many as are kept, at least; what came too early is closed.
        self.assertTrue(60 < len(told) <= 100, len(told))

    def test_a_session_goes_with_its_callbacks(self):
        self.session.callback_set(DEBUG, print)
        self.session.callback_set(X11, print)
        gone = weakref.ref(self.session)
        gc.disable()
        self.addCleanup(gc.enable)
        del self.session
        self.assertIsNone(gone())

    def test_channels_that_nobody_took_are_closed(self):
        self.session.callback_set(X11, lambda *_: None)
        self.assertEqual(read_all(run(self.session, "@x11 3")), b"3\n")

    @unittest.skipUnless(AGENT, "libssh2 cannot tell of the agent")
    def test_an_agent_that_was_asked_leaves_nothing(self):
        session = connect()
        threads = threading.active_count()
        before = sockets()
        session.forward_agent()
        session.open_session().request_auth_agent()
        for _ in range(5):
            channel = session.open_session()
            channel.execute("ssh-add -l | wc -l")
            self.assertEqual(read_all(channel), b"4\n")
            channel.close()
        end = time.monotonic() + 10
        while time.monotonic() < end and \
                (threading.active_count() > threads or sockets() > before):
            session.open_session().close()
            time.sleep(0.05)
        self.assertEqual(threading.active_count(), threads)
        self.assertEqual(sockets(), before)


@unittest.skipUnless(ENV.get("SSH2_TRACE"), "libssh2 cannot trace")
class TestTrace(unittest.TestCase):
    def test_no_secret_is_in_a_line(self):
        lines, session = [], Session()
        session.trace_sethandler(lines.append)
        session.trace(-1)
        session.handshake(socket.create_connection(
            (ENV["SSH2_HOST"], int(ENV["SSH2_PORT"]))))
        with contextlib.suppress(Exception):
            session.userauth_password(ENV["SSH2_USER"], "sEcReT")
        session.userauth_publickey_fromfile(ENV["SSH2_USER"], ENV["SSH2_KEY"])
        channel = session.open_session()
        channel.setenv("SSH2_TEST_A", "sEcReT")
        with contextlib.suppress(Exception):
            channel.x11_req_ex(0, None, "sEcReT", 0)
        channel.execute("echo sEcReT; cat")
        channel.write(b"sEcReT")
        channel.send_eof()
        self.assertIn(b"sEcReT", read_all(channel))
        session.trace(0)
        self.assertGreater(len(lines), 50)
        self.assertTrue(any("SSH2_TEST_A" not in line and "Conn" in line
                            for line in lines))
        for line in lines:
            self.assertNotIn("sEcReT", line)
            self.assertNotIn("73 45 63", line)  # hexadecimal
        count = len(lines)
        session.open_session()
        self.assertEqual(len(lines), count)

    def test_more_lines_than_are_kept_are_counted(self):
        lines, session = [], connect()
        sftp = session.sftp_init()

        def take(line):
            lines.append(line)
            if len(lines) == 1:
                for _ in range(1000):
                    sftp.stat("/")

        session.trace_sethandler(take)
        session.trace(-1)
        sftp.stat("/")
        session.trace(0)
        self.assertGreater(len(lines), 4000)
        self.assertLess(len(lines), 6000)
        self.assertEqual([line.split(" ", 1)[1] for line in lines
                          if "too many" in line], ["lines were too many"])

    def test_what_a_raise_took_is_read_again(self):
        def leave(_):
            raise SystemExit

        session = connect()
        channel = run(session, "echo out; echo err >&2")
        channel.wait_eof()
        session.trace_sethandler(leave)
        session.trace(-1)
        for read in channel.read, channel.read_stderr, channel.read:
            with contextlib.suppress(SystemExit):
                self.assertIsNone(read())
        session.trace_sethandler(None)
        self.assertFalse(channel.eof())
        self.assertEqual(channel.read(2), (2, b"ou"))
        self.assertEqual(channel.read_all(), (b"t\n", b"err\n"))
