"""Objects go in any order, at any time, without a packet and without a wait."""
import gc
import random
import socket
import statistics
import subprocess
import sys
import textwrap
import threading
import time
import unittest
from pathlib import Path

from common import (
    ENV,
    HOST,
    PORT,
    SANITIZED,
    Relay,
    connect,
    read_all,
    run,
    server,
    shake,
)
from ssh2.exceptions import FunctionMissingError
from ssh2.session import Session
from ssh2.sftp import LIBSSH2_FXF_READ, LIBSSH2_SFTP_OPENDIR
from ssh2.sftp_handle import SFTPAttributes


def family():
    """One of each class, all alive and in use."""
    session = connect()
    channel = run(session, "sleep 60")
    sftp = session.sftp_init()
    handle = sftp.open(ENV["SSH2_KEY"], LIBSSH2_FXF_READ, 0)
    listing = sftp.opendir(".")
    hosts = session.knownhost_init()
    hosts.readfile(ENV["SSH2_KNOWN_HOSTS"])
    agent = session.agent_init()
    agent.connect()
    return [session, channel, sftp, handle, listing, listing.readdir(),
            sftp.get_channel(), sftp.stat("."), hosts, hosts.get(), agent,
            agent.get_identities()]


class TestCollection(unittest.TestCase):
    def test_objects_may_be_dropped_in_any_order(self):
        order = random.Random(7)
        for _ in range(25):
            objects = family()
            order.shuffle(objects)
            while objects:
                del objects[-1]
                gc.collect()

    def test_objects_may_be_dropped_after_disconnect(self):
        for objects in (family(), family()[::-1]):
            next(o for o in objects if isinstance(o, Session)).disconnect()
            while objects:
                del objects[-1]

    def test_objects_may_be_dropped_after_their_server_is_gone(self):
        objects = family()
        server("kill")
        random.Random(8).shuffle(objects)
        while objects:
            del objects[-1]

    def test_all_of_it_may_be_in_one_cycle(self):
        class Mine(Session):
            pass

        for _ in range(10):
            session = Mine()
            session.handshake(socket.create_connection((HOST, PORT)))
            objects = family()
            objects.append(objects)
            session.objects = objects
            objects.append(session)
            del objects, session
        self.assertGreater(gc.collect(), 0)

    def test_objects_may_be_dropped_in_another_thread(self):
        for _ in range(5):
            objects = family()

            def drop(objects=objects):
                while objects:
                    del objects[0]
            threads = [threading.Thread(target=drop) for _ in range(3)]
            del objects
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def test_objects_may_be_used_while_all_is_collected(self):
        before = gc.get_threshold()
        gc.set_threshold(1)
        try:
            self.converse()
        finally:
            gc.set_threshold(*before)

    def converse(self):
        key = Path(ENV["SSH2_KEY"]).read_bytes()
        session, *_, keys = family()
        self.assertEqual(len(keys), 4)
        channel = run(session, "printf stress; exit 3")
        self.assertEqual(read_all(channel), b"stress")
        channel.close()
        self.assertEqual(channel.get_exit_status(), 3)
        sftp = session.sftp_init()
        with self.assertRaises(FileNotFoundError):
            sftp.stat("/none/at/all")
        handle = sftp.open(ENV["SSH2_KEY"], LIBSSH2_FXF_READ, 0)
        self.assertEqual(b"".join(data for _, data in handle), key)
        self.assertIn(b"rsa", {name for _, name, _ in sftp.opendir(
            ENV["SSH2_KEYS"]).readdir()})
        channel, info = session.scp_recv2(ENV["SSH2_KEY"])
        self.assertEqual((info.st_size, read_all(channel)), (len(key), key))
        self.assertEqual(session.publickey_init().list_fetch(), [])
        if port := ENV.get("SSH2_ASYNCSSH_PORT"):
            self.be_asked(shake(int(port)))

    def be_asked(self, session):
        def ask(answers):
            asked = []

            def callback(*args):
                asked.append(args)
                if answers is KeyError:
                    raise KeyError
                return answers[len(asked) - 1]

            session.userauth_keyboardinteractive_callback("kate", callback)

        for answers in KeyError, [None], [5], [[None, None]], [[]], [["x"]]:
            with self.assertRaises((KeyError, TypeError, ValueError)):
                ask(answers)
        ask([["blue sky", "grün"], ["42"], []])
        self.assertTrue(session.userauth_authenticated())

    def test_the_interpreter_may_exit_with_all_alive(self):
        program = """
            import threading
            import test_gc
            objects = test_gc.family()
            test_gc.kept = objects
            session = objects[0]
            session.me = objects
            thread = threading.Thread(target=objects[1].read, daemon=True)
            thread.start()
            print("alive", flush=True)
        """
        for _ in range(3):
            done = subprocess.run(
                [sys.executable, "-c", textwrap.dedent(program)], timeout=60,
                env=dict(ENV, PYTHONPATH=":".join(p for p in sys.path if p)),
                capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout), (0, "alive\n"),
                             done.stderr)

    def test_what_was_opened_keeps_the_connection(self):
        """A session that is dropped closes the program's socket."""
        def opened(open_one):
            return open_one(connect())

        def read(handle):
            return handle.read(1)[0]

        def list_one(handle):
            return next(handle.readdir())[0]

        flag, folder = LIBSSH2_FXF_READ, LIBSSH2_SFTP_OPENDIR
        for use, name, *args in (
                (read, "open", ENV["SSH2_KEY"], flag, 0),
                (read, "open_r", ENV["SSH2_KEY"], flag, 0, SFTPAttributes()),
                (list_one, "opendir", "."),
                (list_one, "open_ex_r", ".", 0, 0, folder, SFTPAttributes())):
            try:
                handle = opened(lambda session, name=name, args=args:
                                getattr(session.sftp_init(), name)(*args))
            except FunctionMissingError:
                continue
            gc.collect()
            self.assertTrue(use(handle), name)
        keys = opened(lambda s: s.publickey_init())
        agent = opened(lambda s: s.agent_init())
        agent.connect()
        gc.collect()
        self.assertEqual(keys.list_fetch(), [])
        self.assertEqual(len(agent.get_identities()), 4)
        for child in keys, agent:
            self.assertIsInstance(child._session, Session)

    def test_dropping_a_channel_takes_no_time_and_sends_nothing(self):
        relay = Relay()
        session = connect(relay.port)
        channels = [run(session, "sleep 60") for _ in range(9)]
        time.sleep(0.2)
        before, took = relay.received, []
        while channels:
            start = time.perf_counter()
            del channels[-1]
            took.append(time.perf_counter() - start)
        time.sleep(0.2)
        self.assertEqual(relay.received, before)
        self.assertLess(statistics.median(took), 0.001)

    def test_a_dropped_channel_is_closed_by_later_calls(self):
        session = connect()
        for _ in range(25):  # the server allows ten at a time
            read_all(run(session, "true"))
            session.keepalive_send()

    @unittest.skipIf(SANITIZED, "sanitizers keep freed memory")
    def test_sessions_leave_no_memory_behind(self):
        def resident():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * 4096

        def some():
            for _ in range(2000):
                Session().knownhost_init()
            gc.collect()

        some()
        before = resident()
        some()
        self.assertLess(resident() - before, 4 << 20)
