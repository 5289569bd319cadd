"""SSH over what is no socket: a channel of another session, a pipe."""
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import types
import unittest
import weakref
from unittest import mock

import ssh2
from common import ENV, HOST, PORT, connect, read_all, run, server
from ssh2 import exceptions, utils
from ssh2.session import Session

RELAY = f"""
import os, socket, sys, threading
sock = socket.create_connection(({HOST!r}, {PORT}))
def up():
    while data := os.read(0, 65536):
        sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := sock.recv(65536):
    os.write(1, data)
"""


class Pipes:
    """A relay's two pipes, as a program would write it."""

    def __init__(self):
        self.relay = subprocess.Popen([sys.executable, "-c", RELAY],
                                      stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE)
        self.closed = threading.Event()

    def read(self, size):
        return self.relay.stdout.read1(size)

    def write(self, data):
        self.relay.stdin.write(data)
        self.relay.stdin.flush()

    def close(self):
        self.relay.stdin.close()
        self.relay.wait(10)
        self.relay.stdout.close()
        self.closed.set()


class Broken:
    def read(self, size):
        raise KeyError("nothing to read")

    def write(self, data):
        return len(data)


def over(stream):
    session = Session()
    session.handshake(stream)
    session.userauth_publickey_fromfile(ENV["SSH2_USER"], ENV["SSH2_KEY"])
    return session


def settled(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
        gc.collect()
    return condition()


class TestPump(unittest.TestCase):
    def setUp(self):
        self.threads = threading.active_count()

    def relay(self, outer):
        return outer.direct_tcpip(HOST, PORT)

    def ends(self, *refs):
        """Nothing holds what was dropped, and no thread is left."""
        self.assertTrue(settled(lambda: threading.active_count()
                                <= self.threads))
        self.assertTrue(settled(lambda: not any(ref() for ref in refs)))

    def works(self, session):
        data = os.urandom(3000000)
        channel = run(session, "cat")
        done = []
        writer = threading.Thread(target=lambda: done.extend(
            [channel.write(data), channel.send_eof()]))
        writer.start()
        got = read_all(channel)
        writer.join()
        self.assertEqual(done, [(len(data), len(data)), 0])
        self.assertEqual(got, data)

    def test_a_channel_of_another_session(self):
        outer = connect()
        channel = self.relay(outer)
        session = over(channel)
        self.assertIs(session.sock, channel)
        session.verify(HOST, PORT, ENV["SSH2_KNOWN_HOSTS"])
        self.works(session)
        # The outer one goes on meanwhile.
        self.assertEqual(read_all(run(outer, "echo out")), b"out\n")
        ref = weakref.ref(session)
        self.assertEqual(session.close(), 0)
        self.ends()
        self.assertEqual(channel.close(), 0)
        del session
        self.ends(ref)

    def test_a_channel_whose_session_does_not_block(self):
        outer = connect()
        channel = self.relay(outer)
        outer.set_blocking(False)
        self.works(over(channel))

    def test_an_outer_timeout_is_no_end(self):
        outer = connect()
        channel = self.relay(outer)
        outer.set_timeout(100)
        session = over(channel)
        time.sleep(0.3)
        self.works(session)

    def test_nor_is_one_of_all_sockets(self):
        self.addCleanup(socket.setdefaulttimeout, socket.getdefaulttimeout())
        channel = self.relay(connect())
        socket.setdefaulttimeout(0.1)
        session = over(channel)
        time.sleep(0.5)
        self.works(session)

    def test_dropping_in_a_child_ends_nothing(self):
        session = over(self.relay(connect()))
        child = os.fork()
        if not child:
            del session
            os._exit(0)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.works(session)

    def test_a_session_in_a_session_in_a_session(self):
        outer = connect()
        middle = over(self.relay(outer))
        self.works(over(self.relay(middle)))

    def test_pipes(self):
        pipes = Pipes()
        session = over(pipes)
        self.works(session)
        self.assertEqual(session.disconnect(), 0)
        session.close()
        self.assertTrue(pipes.closed.wait(10))
        self.ends()

    def test_dropped_objects_leave_nothing(self):
        outer = connect()
        channel = self.relay(outer)
        session = over(channel)
        refs = [weakref.ref(o) for o in (session, channel, outer)]
        del session, channel, outer
        self.ends(*refs)

    def test_dropped_pipes_are_closed(self):
        pipes = Pipes()
        closed = pipes.closed
        session = over(pipes)
        refs = [weakref.ref(o) for o in (session, pipes)]
        del session, pipes
        self.assertTrue(closed.wait(10))
        self.ends(*refs)

    def test_a_session_that_does_not_block(self):
        pipes = Pipes()
        session = Session()
        session.set_blocking(False)
        while session.handshake(pipes) == -37:
            utils.wait_socket(pipes, session)
        while (channel := session.userauth_publickey_fromfile(
                ENV["SSH2_USER"], ENV["SSH2_KEY"])) == -37:
            utils.wait_socket(pipes, session)
        while (channel := session.open_session()) == -37:
            utils.wait_socket(session.sock, session)
        while channel.execute("echo x") == -37:
            utils.wait_socket(session.sock, session)
        data = b""
        while not channel.eof():
            rc, part = channel.read()
            if rc == -37:
                utils.wait_socket(session.sock, session)
            data += part
        self.assertEqual(data, b"x\n")
        session.close()
        self.ends()

    def test_a_handshake_that_timed_out_is_repeated(self):
        pipes = Pipes()
        pipes.relay.send_signal(signal.SIGSTOP)
        session = Session()
        session.set_timeout(200)
        with self.assertRaises(exceptions.Timeout):
            session.handshake(pipes)
        pipes.relay.send_signal(signal.SIGCONT)
        session.set_timeout(10000)
        self.assertEqual(session.handshake(pipes), 0)
        session.close()
        self.ends()

    def test_a_handshake_that_was_interrupted_is_repeated(self):
        def wait(*_):
            raise ZeroDivisionError

        pipes = Pipes()
        session = Session()
        ssh2.set_wait(wait)
        try:
            with self.assertRaises(ZeroDivisionError):
                session.handshake(pipes)
        finally:
            ssh2.set_wait(None)
        self.assertIs(session.sock, pipes)
        gc.collect()
        self.assertEqual(session.handshake(pipes), 0)
        session.close()
        self.ends()
        unbegun = Session()
        with self.assertRaises(TypeError):
            unbegun.handshake("x")
        self.assertIsNone(unbegun.sock)

    def test_what_was_begun_goes_on_with_no_other(self):
        pipes, others = Pipes(), [Pipes(), Pipes()]
        pipes.relay.send_signal(signal.SIGSTOP)
        session = Session()
        session.set_timeout(100)
        for stream in pipes, *others:
            with self.assertRaises(exceptions.Timeout):
                session.handshake(stream)
        self.assertIs(session.sock, pipes)
        for other in others:
            self.assertFalse(other.closed.is_set())
            other.close()
        pipes.relay.send_signal(signal.SIGCONT)
        session.set_timeout(0)
        self.assertEqual(session.handshake(pipes), 0)
        session.userauth_publickey_fromfile(ENV["SSH2_USER"], ENV["SSH2_KEY"])
        self.works(session)
        session.close()
        self.ends()

    def test_where_it_is_refused_another_stream_is_left_alone(self):
        def touched(*_):
            touches.append(1)

        touches = []
        other = types.SimpleNamespace(read=touched, write=touched,
                                      close=touched)
        session, stream = connect(), over(Pipes())
        for one in session, stream:
            sock = one.sock
            with self.assertRaisesRegex(exceptions.BadUseError, "was made"):
                one.handshake(other)
            self.assertIs(one.sock, sock)
            self.assertEqual(read_all(run(one, "echo x")), b"x\n")
            one.close()
            for again in other, sock:
                with self.assertRaises(exceptions.ClosedError):
                    one.handshake(again)
        del sock, session, stream, one, again
        self.ends()
        self.assertEqual(touches, [])

    def test_a_channel_of_the_session_itself(self):
        """It would keep its session alive, and itself by that."""
        session = connect()
        channel = session.open_session()
        session.set_timeout(100)
        server("stop")
        try:
            with self.assertRaises(exceptions.Timeout):
                session.open_session()
            with self.assertRaises(exceptions.BadUseError):
                session.handshake(channel)
        finally:
            server("cont")
        refs = [weakref.ref(session), weakref.ref(channel)]
        del session, channel
        self.ends(*refs)

    def test_the_other_end_goes(self):
        pipes = Pipes()
        session = over(pipes)
        channel = run(session, "sleep 60")
        pipes.relay.kill()
        with self.assertRaises(exceptions.SSH2Error):
            channel.read()
        session.close()
        self.ends()

    def test_what_raises_is_the_cause(self):
        session = Session()
        with self.assertRaises(exceptions.SSH2Error) as caught:
            session.handshake(Broken())
        self.assertIsInstance(caught.exception.__cause__, KeyError)
        self.assertIsNone(session.sock)
        self.ends()

    def test_what_cannot_tell_how_much_it_wrote_is_the_cause(self):
        for answer, cause in ((0, ValueError), (1 << 20, ValueError),
                              ("all", TypeError)):
            closed = threading.Event()
            stream = types.SimpleNamespace(
                read=lambda size, closed=closed: closed.wait(10) and b"",
                write=lambda data, answer=answer: answer, close=closed.set)
            with self.assertRaises(exceptions.SSH2Error) as caught:
                Session().handshake(stream)
            self.assertIsInstance(caught.exception.__cause__, cause)
        self.ends()

    def test_what_reads_no_bytes_is_the_cause(self):
        for answer in 5, "SSH-2.0-x", None, [1]:
            stream = types.SimpleNamespace(
                read=lambda size, answer=answer: answer, write=len)
            with self.assertRaises(exceptions.SSH2Error) as caught:
                Session().handshake(stream)
            self.assertIsInstance(caught.exception.__cause__, TypeError)
            self.assertIn(type(answer).__name__,
                          str(caught.exception.__cause__))
        self.ends()

    def test_where_there_are_no_descriptors_left(self):
        raised = []
        self.addCleanup(setattr, sys, "unraisablehook", sys.unraisablehook)
        sys.unraisablehook = raised.append
        with mock.patch("socket.socketpair", side_effect=OSError), \
                self.assertRaises(OSError):
            Session().handshake(Broken())
        gc.collect()
        self.assertEqual(raised, [])

    def test_neither_descriptor_nor_read_and_write(self):
        for wrong in (object(), None, "x", 1.5):
            with self.assertRaises(TypeError):
                Session().handshake(wrong)
        near, far = socket.socketpair()
        with near, far, near.makefile("rwb", buffering=0) as file:
            # It has a descriptor, which is what counts.
            far.close()
            with self.assertRaises(exceptions.SSH2Error):
                Session().handshake(file)
