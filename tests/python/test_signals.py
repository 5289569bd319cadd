"""Signals are honoured while a call waits, and no call loses a byte by them."""
import _thread
import base64
import os
import signal
import threading
import time
import unittest

from common import ENV, connect, read_all, run, server, shake
from ssh2.exceptions import BadUseError
from ssh2.session import Session
from ssh2.sftp import LIBSSH2_FXF_READ

BOUND = 10  # seconds; the aim is 0.2, and machines are slow at times


class TestInterrupt(unittest.TestCase):
    def setUp(self):
        old = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, old)

    def interrupt(self, call, bound=BOUND):
        """How long after SIGINT the call gives up."""
        sent = []

        def send():
            time.sleep(0.3)
            sent.append(time.monotonic())
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=send)
        thread.start()
        with self.assertRaises(KeyboardInterrupt):
            call()
        took = time.monotonic() - sent[0]
        thread.join()
        self.assertLess(took, bound)

    def test_a_channel_s_read_can_be_interrupted(self):
        session = connect()
        channel = run(session, "sleep 60")
        self.interrupt(lambda: channel.read(9))
        self.assertEqual(read_all(run(session, "echo fine")), b"fine\n")

    def test_what_a_with_closes_then_is_not_waited_for(self):
        session = connect()
        sftp, channel = session.sftp_init(), run(session, "sleep 60")

        def read():
            with session, sftp, channel:
                channel.read(9)

        server("stop")
        self.addCleanup(server, "cont")
        self.interrupt(read, 2 * BOUND)

    def test_a_write_can_be_interrupted(self):
        channel = run(connect(), "sleep 60")
        self.interrupt(lambda: channel.write(bytes(8000000)))

    def test_an_sftp_read_can_be_interrupted(self):
        sftp = connect().sftp_init()
        handle = sftp.open(ENV["SSH2_KEY"], LIBSSH2_FXF_READ, 0)
        server("stop")
        try:
            self.interrupt(lambda: handle.read(99))
        finally:
            server("cont")
        with open(ENV["SSH2_KEY"], "rb") as file:
            self.assertEqual(read_all(handle), file.read())

    def test_connecting_can_be_interrupted(self):
        session = Session()
        self.interrupt(lambda: session.connect(
            ENV["SSH2_HOST"], int(ENV["SSH2_SILENT_PORT"])))

    def test_a_handshake_can_be_interrupted(self):
        self.interrupt(lambda: shake(int(ENV["SSH2_SILENT_PORT"])))

    def test_listing_an_agent_s_keys_can_be_interrupted(self):
        agent = Session().agent_init()
        agent.set_identity_path(ENV["SSH2_DIR"] + "/agent_silent")
        agent.connect()
        self.interrupt(agent.get_identities)

    def test_an_agent_s_signing_can_be_interrupted(self):
        agent = Session().agent_init()
        agent.connect()
        key = agent.get_identities()[1]
        agent.set_identity_path(ENV["SSH2_DIR"] + "/agent_silent")
        agent.connect()
        self.interrupt(lambda: agent.sign(key, b"data"))
        agent.set_identity_path(ENV["SSH_AUTH_SOCK"])
        agent.connect()
        self.assertEqual(len(agent.sign(key, b"data")), 64)

    def test_what_calls_back_can_be_interrupted(self):
        def sleep(*_):
            time.sleep(60)

        with open(ENV["SSH2_KEY"] + ".pub", encoding="ascii") as file:
            blob = base64.b64decode(file.read().split()[1])
        session = shake()
        server("stop")
        try:
            self.interrupt(lambda: session.userauth_publickey(
                ENV["SSH2_USER"], blob, sleep))
        finally:
            server("cont")
        self.interrupt(lambda: session.userauth_publickey(
            ENV["SSH2_USER"], blob, sleep))
        session.userauth_publickey_fromfile(ENV["SSH2_USER"], ENV["SSH2_KEY"])

    def test_a_signal_that_was_missed_is_seen(self):
        for call in (shake().userauth_password,
                     shake().userauth_keyboardinteractive_callback):
            args = ("u", "p") if call.__name__ == "userauth_password" else "u"
            server("stop")
            self.addCleanup(server, "cont")
            timer = threading.Timer(0.3, _thread.interrupt_main)
            timer.start()
            sent = time.monotonic()
            with self.assertRaises(KeyboardInterrupt):
                call(*args, lambda *_: "new")
            self.assertLess(time.monotonic() - sent, 10)
            timer.join()
            server("cont")

    def test_a_handler_may_use_the_session(self):
        session = connect()
        sftp = session.sftp_init()
        had, timer = [], threading.Timer(0.4, server, ["cont"])

        def handler(*_):
            timer.start()
            with self.assertRaises(BadUseError) as raised:
                sftp.stat("/")
            had.append(str(raised.exception))
            had.append(read_all(run(session, "echo hi")))

        old = signal.signal(signal.SIGALRM, handler)
        self.addCleanup(signal.signal, signal.SIGALRM, old)
        server("stop")
        self.addCleanup(server, "cont")
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        self.assertTrue(sftp.stat("/").permissions)
        self.assertIn("is made in", had[0])
        self.assertEqual(had[1:], [b"hi\n"])
        timer.join()

    def test_a_handler_that_does_not_raise_disturbs_nothing(self):
        ticks = []
        old = signal.signal(signal.SIGALRM, lambda *_: ticks.append(1))
        self.addCleanup(signal.signal, signal.SIGALRM, old)
        channel = run(connect(), "for i in 1 2 3 4 5 6 7 8; do "
                                 "head -c 100000 /dev/zero; sleep 0.1; done")
        signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
        try:
            data = read_all(channel)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.assertEqual(len(data), 800000)
        self.assertGreater(len(ticks), 20)
