"""The edge between Python and C: nothing a program does may crash it."""
import array
import base64
import contextlib
import copy
import gc
import inspect
import os
import pathlib
import pickle
import select
import signal
import socket
import ssl
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
import threading
import time
import timeit
import unittest
import weakref

import ssh2
from common import (
    ENV,
    HOST,
    PORT,
    SANITIZED,
    connect,
    fifo,
    read_all,
    run,
    shake,
    with_gevent,
)
from ssh2 import binding, exceptions
from ssh2.agent import Agent
from ssh2.channel import Channel
from ssh2.fileinfo import FileInfo
from ssh2.knownhost import KnownHost, KnownHostEntry
from ssh2.listener import Listener
from ssh2.pkey import PublicKey
from ssh2.publickey import (
    PublicKeyAttribute,
    PublicKeyList,
    PublicKeySystem,
)
from ssh2.session import Session
from ssh2.sftp import SFTP
from ssh2.sftp_handle import SFTPAttributes, SFTPHandle, SFTPStatVFS
from ssh2.utils import handle_error_codes

CLASSES = (Session, Channel, SFTP, SFTPHandle, SFTPAttributes, SFTPStatVFS,
           KnownHost, KnownHostEntry, Agent, PublicKey, Listener, FileInfo,
           PublicKeySystem)
LEFT_OUT = {"this", "thisown",  # SWIG's
            "list_free"}  # does nothing, whatever it is given
# What a method may do with None, beside TypeError.
TAKES_NONE = {"readdir", "readdir_ex", "get", "window_read_ex",
              "window_write_ex", "userauth_list", "agent_auth",
              "forward_agent", "trace_sethandler", "pump"}
# What this libssh2 has no function for is refused whatever it is given.
MISSING = {line.split()[0] for line in binding.missing_methods().splitlines()}


def names_of(cls):
    return [name for name in dir(cls)
            if not name.startswith("_") and name not in LEFT_OUT
            and f"{cls.__name__}.{name}" not in MISSING]


def objects():
    """One of each class, alive."""
    session = connect()
    session.set_timeout(20_000)
    sftp = session.sftp_init()
    known = session.knownhost_init()
    known.readfile(ENV["SSH2_KNOWN_HOSTS"])
    agent = session.agent_init()
    agent.connect()
    return {
        Session: session, Channel: session.open_session(), SFTP: sftp,
        SFTPHandle: sftp.opendir("/"), SFTPAttributes: sftp.stat("/"),
        SFTPStatVFS: sftp.statvfs("/"), KnownHost: known,
        KnownHostEntry: known.get()[0], Agent: agent,
        PublicKey: agent.get_identities()[0],
        Listener: session.forward_listen(0),
        PublicKeySystem: session.publickey_init(),
        FileInfo: session.scp_recv2(ENV["SSH2_KEY"])[1],
    }


def python(code, *arguments, timeout=30):
    """Run a program that has all that the tests have."""
    paths = os.pathsep.join(p for p in sys.path if p)
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONDEVMODE": ""},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=timeout, check=False)


class Objects(unittest.TestCase):
    def test_methods_of_an_object_that_was_never_initialized(self):
        for cls in CLASSES:
            bare = cls.__new__(cls)
            repr(bare)
            for name in names_of(cls):
                with self.subTest(name=f"{cls.__name__}.{name}"):
                    self.refuses(bare, name, range(9))

    def refuses(self, bare, name, counts):
        try:
            method = getattr(bare, name)
        except TypeError:
            return  # a property
        if not callable(method):
            # What Python alone knows.
            self.assertIn(name, ("sock", "session", "magic"))
            return
        for count in counts:
            with self.assertRaises(TypeError):
                found = method(*[None] * count)
                if inspect.isgenerator(found):
                    next(found)

    def test_none_for_every_argument(self):
        made = objects()
        made[Session].set_timeout(2000)
        for cls, obj in made.items():
            for name in names_of(cls):
                with self.subTest(name=f"{cls.__name__}.{name}"):
                    method = getattr(obj, name)
                    if callable(method):
                        self.survives(method, name)

    def survives(self, method, name):
        for count in range(1, 9):
            try:
                method(*[None] * count)
            except (TypeError, exceptions.FunctionMissingError):
                continue
            except exceptions.Timeout:  # and waits for what is not to come
                pass
            self.assertIn(name, TAKES_NONE)

    def test_an_argument_that_is_refused_is_told_by_the_methods_name(self):
        made = objects()
        session, channel, sftp = (made[c] for c in (Session, Channel, SFTP))
        for call, text in (
                (lambda: sftp.stat_many("a"), "stat_many: expected a sequence"),
                (lambda: channel.execute(5), "execute: expected str"),
                (lambda: sftp.setstat("a", 5), "setstat: expected SFTP"),
                (lambda: channel.read_all("x"), "read_all: expected int"),
                (lambda: channel.pty(width="x"), "pty: expected int"),
                (lambda: session.set_read_timeout(2**80),
                 "set_read_timeout: expected a number in range"),
                (lambda: session.flag(2**80),
                 "flag: expected a number in range"),
                (lambda: session.set_timeout("x"),
                 "set_timeout: expected float"),
                (lambda: session.set_blocking("x"), "set_blocking: expected"),
                (lambda: session.callback_set(1, 5),
                 "callback_set: int is not callable"),
                (lambda: binding.version("x"), "version: expected int")):
            with self.subTest(text):
                with self.assertRaises((TypeError, OverflowError)) as caught:
                    call()
                self.assertEqual(str(caught.exception)[:len(text)], text)

    def test_objects_of_other_classes_as_self(self):
        made = objects()
        for cls in CLASSES:
            for other, obj in made.items():
                if other is cls:
                    continue
                base = cls.__bases__[-1]
                for name, found in vars(base).items():
                    if name.startswith("_") or not callable(found) or \
                            f"{base.__name__}.{name}" in MISSING:
                        continue
                    with self.assertRaises(TypeError):
                        getattr(base, name)(obj)

    def test_classes_that_only_ssh2_makes(self):
        for cls in CLASSES:
            if cls in (Session, SFTPAttributes, SFTPStatVFS, FileInfo):
                cls()
                with self.assertRaises(TypeError):
                    cls(None)
            else:
                with self.assertRaises(TypeError):
                    cls()

    def test_neither_copied_nor_pickled(self):
        for obj in objects().values():
            for action in (copy.copy, copy.deepcopy, pickle.dumps):
                with self.assertRaises(TypeError):
                    action(obj)

    def test_what_python_made_is_a_value(self):
        class Mine(PublicKeyAttribute):
            pass

        attribute = Mine("comment", "grün", True)
        self.assertEqual((attribute.name_len, attribute.value_len), (7, 5))
        key = PublicKeyList(b"ssh-ed25519", b"blob", [attribute])
        for made in (attribute, key):
            self.assertIs(weakref.ref(made)(), made)
            for other in (copy.copy(made), copy.deepcopy(made)):
                self.assertEqual(repr(other), repr(made))
        plain = PublicKeyAttribute(b"comment", b"x")
        self.assertEqual(pickle.loads(pickle.dumps(plain)), plain)
        self.assertNotEqual(plain, attribute)
        again = pickle.loads(pickle.dumps(PublicKeyList(b"a", b"b", [plain])))
        self.assertEqual((again.name, again.blob, again.attrs),
                         (b"a", b"b", [plain]))
        for call in (lambda: PublicKeyAttribute(None, b""),
                     lambda: PublicKeyAttribute(b"", 5)):
            with self.assertRaises(TypeError):
                call()

    def test_what_swig_put_there_cannot_be_changed(self):
        session, other = Session(), Session()
        for value in (session, None, 5, other.this):
            with self.assertRaises(AttributeError):
                session.this = value
        with self.assertRaises(AttributeError):
            del session.this
        session.__init__()
        session.set_timeout(5)
        self.assertEqual(session.get_timeout(), 5)
        bare = Session.__new__(Session)
        with self.assertRaises(AttributeError):
            bare.this = bare
        bare.__dict__["this"] = 5
        with self.assertRaises(TypeError):
            bare.get_timeout()
        bare.__dict__["this"] = objects()[KnownHost].this
        with self.assertRaises(TypeError):
            bare.get_timeout()
        for cls in CLASSES:
            self.assertFalse(hasattr(cls, "__swig_destroy__"))

    def test_what_swig_put_there_can_do_nothing(self):
        this = Session().this
        self.assertEqual([name for name in dir(this) if name[:1] != "_"], [])
        for name in "acquire", "append", "disown", "next", "own":
            with self.assertRaises(AttributeError):
                getattr(this, name)
        self.assertIn("s2_session", repr(this))
        self.assertTrue(int(this))

    def test_what_is_made_again_stays_as_it_is(self):
        attributes = SFTPAttributes()
        attributes.uid = 7
        for _ in range(200_000):
            attributes.__init__()
        self.assertEqual(attributes.uid, 7)

    def test_what_only_looks_like_a_c_side(self):
        class SwigPyObject:
            pass

        bare = Session.__new__(Session)
        bare.__dict__["this"] = SwigPyObject()
        for session in (bare, SwigPyObject()):
            with self.assertRaises(TypeError):
                ssh2.binding.Session.get_timeout(session)

    def test_modules_loaded_again(self):
        done = python("""
            import importlib, sys, test_edge
            for name in sorted(n for n in sys.modules if n.startswith("ssh2.")):
                if name not in ("ssh2.binding", "ssh2._binding"):
                    importlib.reload(sys.modules[name])
            session = sys.modules["ssh2.session"].Session()
            channel = sys.modules["ssh2.channel"].Channel
            session.handshake(test_edge.socket.create_connection(
                (test_edge.HOST, test_edge.PORT)))
            env = test_edge.ENV
            session.userauth_publickey_fromfile(env["SSH2_USER"],
                                                env["SSH2_KEY"])
            assert type(session.open_session()) is channel
            for name in [n for n in sys.modules if n.startswith("ssh2")]:
                del sys.modules[name]
            import ssh2.session
            ssh2.session.Session().set_timeout(5)
            """)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_another_interpreter_is_refused(self):
        done = python("""
            import os, sys, test_edge
            try:
                import _xxsubinterpreters as interpreters
            except ImportError:
                import _interpreters as interpreters
            other = interpreters.create()
            failed = interpreters.run_string(other, f'''if True:
                import sys
                sys.path[:] = {sys.path!r}
                try:
                    import ssh2
                except ImportError:
                    print("refused", flush=True)''')
            assert failed is None
            interpreters.destroy(other)
            session = test_edge.connect()
            print(type(session.open_session()).__name__)
            """)
        if "No module named '_" in done.stdout:
            self.skipTest("this Python makes no interpreters")
        self.assertEqual((done.returncode, done.stdout),
                         (0, "refused\nChannel\n"))

    def test_without_the_gil_it_is_refused(self):
        done = python("""
            import sys
            sys._is_gil_enabled = lambda: False  # PYTHON_GIL=0
            try:
                import ssh2
            except ImportError as error:
                print(error)
            """)
        self.assertEqual((done.returncode, done.stdout),
                         (0, "ssh2 needs the GIL\n"))

    @unittest.skipUnless(sysconfig.get_config_var("Py_GIL_DISABLED"),
                         "this Python always has its GIL")
    def test_a_free_threaded_python_turns_its_gil_on(self):
        done = python("""
            import sys, ssh2
            print(sys._is_gil_enabled())
            """)
        self.assertEqual(done.stdout.splitlines()[-1], "True")

    def test_an_object_that_is_destroyed_by_hand(self):
        made, gate = objects(), fifo()
        channel = run(made[Session], f"cat {gate}")
        found = []
        thread = threading.Thread(
            target=lambda: found.append(channel.read()), daemon=True)
        thread.start()
        time.sleep(0.5)
        for cls, obj in [*made.items(), (Channel, channel)]:
            delete = getattr(ssh2.binding._binding, f"delete_{cls.__name__}")
            with self.assertRaises(TypeError):
                delete(None)
            delete(obj)
            with self.assertRaises(TypeError):
                delete(obj)
            self.refuses(obj, names_of(cls)[-1], range(9))
        pathlib.Path(gate).write_bytes(b"done\n")
        thread.join()
        self.assertEqual(found, [(5, b"done\n")])

    def test_an_object_whose_c_side_is_taken_from_it_while_it_reads(self):
        session, gate = connect(), fifo()
        channel = run(session, f"cat {gate}")
        found = []
        thread = threading.Thread(
            target=lambda: found.append(channel.read()), daemon=True)
        thread.start()
        time.sleep(0.5)
        channel.__dict__.pop("this")
        pathlib.Path(gate).write_bytes(b"done\n")
        thread.join()
        self.assertEqual(found, [(5, b"done\n")])
        with self.assertRaises(TypeError):
            channel.read()

    def test_no_secret_is_shown(self):
        session = shake()
        with self.assertRaises(exceptions.AuthenticationError) as caught:
            session.userauth_password(ENV["SSH2_USER"], "xyzzy")
        for text in (repr(session), str(caught.exception),
                     repr(caught.exception), str(vars(caught.exception))):
            self.assertNotIn("xyzzy", text)


class Subclasses(unittest.TestCase):
    def test_a_subclass_with_attributes_of_its_own(self):
        class Mine(Session):
            def __init__(self, name):
                super().__init__()
                self.name = name

        mine = Mine("me")
        self.assertEqual(mine.name, "me")
        self.assertEqual(mine.get_timeout(), 0)
        with self.assertRaises(exceptions.InvalidRequestError):
            mine.open_session()

    def test_a_subclass_that_forgets_to_initialize(self):
        class Forgetful(Session):
            def __init__(self):
                pass

        with self.assertRaisesRegex(TypeError, "__init__"):
            Forgetful().get_timeout()

    def test_children_know_their_session(self):
        session = connect()
        channel, sftp = session.open_session(), session.sftp_init()
        self.assertIs(channel.session, session)
        self.assertIs(sftp.session, session)
        self.assertIs(sftp.get_channel().session, session)
        for made, cls in ((channel, Channel), (sftp, SFTP),
                          (sftp.opendir("/"), SFTPHandle)):
            self.assertIs(type(made), cls)
        self.assertNotEqual(channel, -37)
        self.assertIs(channel == -37, False)

    def test_the_socket_is_kept(self):
        class Mine(socket.socket):
            pass

        sock = Mine()
        sock.connect((HOST, PORT))
        there = weakref.ref(sock)
        session = Session()
        self.assertIsNone(session.sock)
        session.handshake(sock)
        self.assertIs(session.sock, sock)
        del sock
        gc.collect()
        self.assertIsNotNone(there())
        del session
        gc.collect()
        self.assertIsNone(there())


class Collection(unittest.TestCase):
    def test_weak_references(self):
        for cls, obj in objects().items():
            dead = []
            ref = weakref.ref(obj, dead.append)
            self.assertIs(ref(), obj)
            table = weakref.WeakKeyDictionary({obj: cls})
            self.assertIs(table[obj], cls)

    def test_a_weak_reference_dies_with_its_object(self):
        made = objects()
        refs = [weakref.ref(obj) for obj in made.values()]
        made.clear()
        gc.collect()
        self.assertEqual([ref() for ref in refs], [None] * len(refs))

    def test_everything_in_one_cycle(self):
        made = objects()
        for obj in made.values():
            obj.__dict__["everything"] = made
        refs = [weakref.ref(obj) for obj in made.values()]
        del obj, made
        gc.collect()
        self.assertEqual([ref() for ref in refs], [None] * len(refs))

    def test_every_order_of_dropping(self):
        made = objects()
        order = list(made)
        for turn in range(len(order)):
            for cls in order[turn:] + order[:turn]:
                del made[cls]
            made = objects()

    def test_a_session_resurrected_by_its_finalizer(self):
        saved = []

        class Back(Session):
            def __del__(self):
                saved.append(self)

        session = Back()
        session.set_timeout(7)
        del session
        gc.collect()
        self.assertEqual(saved.pop().get_timeout(), 7)


class Exit(unittest.TestCase):
    def ends(self, code, *arguments):
        for _ in range(3):
            done = python(code, *arguments)
            self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_with_everything_alive(self):
        self.ends("""
            import sys, test_edge
            made = test_edge.objects()
            sys.modules["ssh2"].kept = made
            sys.kept = made, test_edge.Session()
            """)

    def test_with_everything_in_a_cycle(self):
        self.ends("""
            import test_edge
            made = test_edge.objects()
            for obj in made.values():
                obj.__dict__["everything"] = made
            """)

    def test_with_threads_that_wait(self):
        self.ends("""
            import threading, time, test_edge
            def read(session):
                test_edge.run(session, "sleep 60").read()
            def shake():
                test_edge.shake(int(test_edge.ENV["SSH2_SILENT_PORT"]))
            def again():
                s = test_edge.Session()
                while True:
                    s.get_timeout(), s.userauth_authenticated()
            session = test_edge.connect()
            for target, *args in ([read, session], [read, session], [shake],
                                  [again], [again]):
                threading.Thread(target=target, args=args, daemon=True).start()
            time.sleep(0.5)
            """)

    def test_while_threads_work(self):
        self.ends("""
            import threading, time, test_edge
            session = test_edge.connect()
            def work():
                while True:
                    ch = test_edge.run(session, "seq 100")
                    while ch.read()[0]:
                        pass
            for _ in range(4):
                threading.Thread(target=work, daemon=True).start()
            time.sleep(0.4)
            """)

    def test_what_is_called_at_the_end_waits_for_no_thread(self):
        done = python("""
            import threading, time, test_edge
            class Last:
                def __init__(self):
                    self.session = test_edge.connect()
                    self.channel = test_edge.run(self.session, "sleep 60")
                    self.sftp = self.session.sftp_init()
                    threading.Thread(target=self.channel.write, daemon=True,
                                     args=(bytes(8_000_000),)).start()
                def __del__(self):
                    assert self.sftp.stat("/").permissions
                    try:
                        self.channel.send_eof()
                    except BadUseError as error:
                        print(type(error).__name__, error)
            BadUseError = test_edge.exceptions.BadUseError
            last = Last()
            last.itself = last
            while last.channel.window_write() > 100_000:  # it is written to
                time.sleep(0.01)
            time.sleep(0.3)
            """)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, "^ClosedError .* is ending\n$")

    def test_from_an_exit_handler(self):
        self.ends("""
            import atexit, test_edge
            made = test_edge.objects()
            channel = test_edge.run(made[test_edge.Session], "echo bye")
            def bye():
                assert channel.read() == (4, b"bye\\n")
            atexit.register(bye)
            """)

    def test_by_an_exception_while_another_is_handled(self):
        done = python("""
            import test_edge
            made = test_edge.objects()
            try:
                made[test_edge.SFTP].stat("/none")
            except FileNotFoundError:
                raise SystemExit(7)
            """)
        self.assertEqual((done.returncode, done.stdout), (7, ""))


@unittest.skipUnless(hasattr(os, "fork"), "no fork")
class Fork(unittest.TestCase):
    def in_child(self, action):
        """What action returns, or the name of what it raises."""
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                text = str(action())
            except BaseException as error:
                text = type(error).__name__
            with contextlib.suppress(BaseException):
                os.write(write, text.encode())
            os._exit(0)
        os.close(write)
        with open(read) as pipe:
            text = pipe.read()
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        return text

    def test_a_session_is_not_the_childs(self):
        made = objects()
        session, sftp = made[Session], made[SFTP]
        for action in (session.open_session, lambda: sftp.stat("/"),
                       made[Channel].read, session.disconnect,
                       made[SFTPHandle].close, session.sftp_init):
            self.assertEqual(self.in_child(action), "ForkedError")
        self.assertGreater(sftp.stat("/").permissions, 0)

    def test_dropping_in_the_child_ends_nothing(self):
        made = objects()

        def drop():
            made.clear()
            gc.collect()
            return "dropped"

        sftp = made[SFTP]
        self.assertEqual(self.in_child(drop), "dropped")
        self.assertGreater(sftp.stat("/").permissions, 0)
        self.assertEqual(run(made[Session], "echo ok").read(), (3, b"ok\n"))

    def test_a_child_makes_sessions_of_its_own(self):
        keep = objects()
        self.assertEqual(
            self.in_child(lambda: run(connect(), "echo ok").read()),
            "(3, b'ok\\n')")
        self.assertEqual(run(keep[Session], "echo ok").read(), (3, b"ok\n"))

    def test_a_child_leaves_the_call_that_it_was_made_in(self):
        session = connect()
        channel = run(session, "sleep 1; echo told")
        child = 0

        def handler(*_):
            nonlocal child
            child = os.fork()

        old = signal.signal(signal.SIGALRM, handler)
        self.addCleanup(signal.signal, signal.SIGALRM, old)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        try:
            data = read_all(channel)
        except exceptions.ForkedError:
            os._exit(7)
        except BaseException:
            os._exit(8)
        if not child:
            os._exit(9)
        self.assertEqual(data, b"told\n")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 7)


class Host(unittest.TestCase):
    def test_the_program_s_types_of_key_are_asked_for_alone(self):
        session = Session()
        session.method_pref(binding.LIBSSH2_METHOD_HOSTKEY,
                            "ecdsa-sha2-nistp256,rsa-sha2-256")
        session.connect(HOST, PORT, known_hosts=ENV["SSH2_KNOWN_HOSTS"])
        self.assertEqual(session.methods(binding.LIBSSH2_METHOD_HOSTKEY),
                         "ecdsa-sha2-nistp256")

    def test_answers_to_keepalives_that_nobody_reads_are_answers(self):
        session = connect()
        session.keepalive_config(True, 1)
        for _ in range(6):
            self.assertIn(session.keepalive_send(), (0, 1))
            time.sleep(1.1)
        self.assertTrue(session.sftp_init().stat("/").permissions)

    def test_nor_is_a_session_over_that_was_idle(self):
        session = connect()
        session.keepalive_config(True, 1)
        time.sleep(5)
        self.assertTrue(session.sftp_init().stat("/").permissions)


class Bytes(unittest.TestCase):
    def setUp(self):
        self.session = connect()
        self.session.set_timeout(5000)

    def test_sizes(self):
        channel = run(self.session, "printf 'some bytes'")
        for size, error in ((-1, ValueError), (2**31 * -1, ValueError),
                            (2**63, OverflowError), (-2**63 - 1, OverflowError),
                            (1.5, TypeError), ("1", TypeError),
                            (b"1", TypeError)):
            for method in (channel.read, channel.read_ex, channel.read_stderr):
                with self.assertRaises(error):
                    method(size)
        self.assertEqual(channel.read(0), (0, b""))
        self.assertEqual(channel.read(True), (1, b"s"))
        self.assertEqual(channel.read(size=3), (3, b"ome"))
        self.assertEqual(channel.read(2**62), (6, b" bytes"))
        self.assertEqual(channel.read(), (0, b""))

    def test_what_was_read_is_as_large_as_it_says(self):
        channel = run(self.session, "head -c 300000 /dev/zero")
        data = b""
        while part := channel.read(2**20)[1]:
            self.assertEqual(sys.getsizeof(part),
                             sys.getsizeof(b"") + len(part))
            hash(part)
            data += part
        self.assertEqual(data, bytes(300000))

    def test_buffers_are_written(self):
        channel = run(self.session, "cat")
        for buf, size in ((b"a", 1), (bytearray(b"bc"), 2), ("dé", 3),
                          (memoryview(b"xefx")[1:3], 2),
                          (array.array("h", [26727]), 2), (b"", 0), ("", 0)):
            self.assertEqual(channel.write(buf), (size, size))
        for buf in (None, 5, [1], memoryview(b"abcd")[::2]):
            with self.assertRaises((TypeError, BufferError)):
                channel.write(buf)
        channel.send_eof()
        data = b""
        while part := channel.read()[1]:
            data += part
        self.assertEqual(data, b"abcd\xc3\xa9efgh")

    def test_a_buffer_stays_where_it_is_while_it_is_written(self):
        channel = run(self.session, "sleep 60")
        buf = bytearray(16 << 20)
        self.session.set_timeout(5000)
        caught = []

        def write():
            try:
                channel.write(buf)
            except exceptions.Timeout as error:
                caught.append(error)

        thread = threading.Thread(target=write)
        thread.start()
        with self.assertRaises(BufferError):
            while thread.is_alive():  # it may not have begun to write
                buf.append(0)
                time.sleep(0.01)
        time.sleep(0.3)
        with self.assertRaises(BufferError):
            buf.clear()
        thread.join()
        buf.clear()
        self.assertGreater(caught[0].done, 0)

    def test_text_is_utf8_or_bytes_or_a_path(self):
        sftp = self.session.sftp_init()
        with tempfile.TemporaryDirectory(dir=ENV["SSH2_TMP"]) as folder:
            for name in ("grün", b"bl\xff", pathlib.Path("r\udcfft")):
                path = os.path.join(os.fsencode(folder), os.fsencode(name))
                given = path if isinstance(name, bytes) else \
                    type(name)(os.fsdecode(path))
                sftp.mkdir(given, 0o755)
                self.assertTrue(os.path.isdir(path))
                self.assertEqual(os.fsencode(sftp.realpath(given)), path)
            names = {entry[1] for entry in sftp.opendir(folder).readdir()}
            self.assertEqual(names - {b".", b".."},
                             {"grün".encode(), b"bl\xff", b"r\xfft"})
        for path in (bytearray(b"/"), 5, None, object()):
            with self.assertRaises(TypeError):
                sftp.stat(path)
        for path in ("/\0", b"/\0", "\0"):
            with self.assertRaises(ValueError):
                sftp.stat(path)

    def test_numbers(self):
        attrs = SFTPAttributes()
        for field in ("flags", "filesize", "uid", "gid", "permissions",
                      "atime", "mtime"):
            self.assertEqual(getattr(attrs, field), 0)
            setattr(attrs, field, 2**31)
            self.assertEqual(getattr(attrs, field), 2**31)
            for value in (-1, 2**64):
                with self.assertRaises(OverflowError):
                    setattr(attrs, field, value)
            for value in (None, "1", 1.5):
                with self.assertRaises(TypeError):
                    setattr(attrs, field, value)
        with self.assertRaises(AttributeError):
            SFTPStatVFS().f_bsize = 1
        for value in (None, "x", [], 1.5):
            with self.assertRaises(TypeError):
                self.session.set_blocking(value)
        self.session.set_blocking(1)
        self.assertIs(self.session.get_blocking(), True)


class Errors(unittest.TestCase):
    def test_the_classes_are_one(self):
        for name in exceptions.__all__:
            cls = getattr(exceptions, name)
            self.assertTrue(issubclass(cls, exceptions.SSH2Error))
            self.assertEqual((cls.__module__, cls.__name__),
                             ("ssh2.exceptions", name))
        self.assertIs(ssh2.session.ChannelError, exceptions.ChannelError)

    def test_what_an_error_tells(self):
        sftp = connect().sftp_init()
        with self.assertRaises(FileNotFoundError) as caught:
            sftp.stat("/none/at/all")
        error = caught.exception
        self.assertIsInstance(error, exceptions.SFTPProtocolError)
        self.assertEqual((error.code, error.sftp_status, error.errno),
                         (-31, 2, 2))
        self.assertEqual((error.path, error.name, error.done),
                         ("/none/at/all", "LIBSSH2_FX_NO_SUCH_FILE", 0))
        self.assertIn("/none/at/all", str(error))
        again = pickle.loads(pickle.dumps(error))
        self.assertEqual((type(again), str(again), again.path),
                         (type(error), str(error), error.path))

    def test_no_secret_is_in_what_is_no_text(self):
        with self.assertRaises(UnicodeError) as caught:
            shake().userauth_password("a", "sec\ud800ret")
        self.assertNotIn("sec", repr(caught.exception))

    def test_many_known_hosts_are_no_server_s(self):
        session = Session()
        hosts = session.knownhost_init()
        with tempfile.NamedTemporaryFile("w", dir=ENV["SSH2_TMP"]) as file:
            for number in range(9000):
                key = b"\0\0\0\7ssh-rsa" + bytes(2900)
                file.write(f"host{number},10.0.0.1 ssh-rsa "
                           f"{base64.b64encode(key).decode()}\n")
            file.flush()
            self.assertEqual(hosts.readfile(file.name), 9000)
        session.handshake(socket.create_connection((HOST, PORT)))
        session.userauth_publickey_fromfile(ENV["SSH2_USER"], ENV["SSH2_KEY"])
        self.assertTrue(session.sftp_init().stat("/").permissions)
        del hosts
        gc.collect()
        self.assertTrue(session.sftp_init().stat("/").permissions)

    def test_errors_that_programs_make(self):
        for name in exceptions.__all__:
            error = getattr(exceptions, name)("text")
            self.assertEqual(str(error), "text")
            self.assertIsNone(error.path)

    def test_a_code_raises_its_class(self):
        for code in (0, -37, 5):
            self.assertEqual(handle_error_codes(code), code)
        for name in ssh2.error_codes.__all__:
            code = getattr(ssh2.error_codes, name)
            if code < 0 and code != -37:
                with self.assertRaises(exceptions.SSH2Error) as caught:
                    handle_error_codes(code)
                self.assertEqual(caught.exception.code, code)
        with self.assertRaises(exceptions.UnknownError):
            handle_error_codes(-9999)

    def test_what_failed_inside_is_no_error_of_the_program_s_own_tls(self):
        bios, ends = [ssl.MemoryBIO(), ssl.MemoryBIO()], []
        for kind in (ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER):
            context = ssl.SSLContext(kind)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers("aNULL:@SECLEVEL=0")
            ends.append(context.wrap_bio(*bios, server_side=bool(ends)))
            bios.reverse()
        for end in ends * 3:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
        self.assertTrue(ends[0].cipher())
        connect()  # by a file that libcrypto tries several decoders on
        with self.assertRaises(ssl.SSLWantReadError):
            ends[0].read(1)


class Waiting(unittest.TestCase):
    def tearDown(self):
        ssh2.set_wait(None)

    def test_the_program_waits_itself(self):
        session = connect()
        calls = []

        def wait(fd, wake_fd, directions, timeout):
            calls.append((fd, wake_fd, directions, timeout))
            return any(select.select([fd, wake_fd] if fd >= 0 else [wake_fd],
                                     [fd] if directions & 2 else [], [],
                                     timeout))

        ssh2.set_wait(wait)
        self.assertEqual(run(session, "sleep 0.2; echo ok").read(),
                         (3, b"ok\n"))
        self.assertTrue(calls)
        channel = run(session, "sleep 60")
        session.set_timeout(100)
        with self.assertRaises(exceptions.Timeout):
            channel.read()
        self.assertLessEqual(calls[-1][3], 0.1)

    def test_what_the_wait_raises_goes_through(self):
        session = connect()
        channel = run(session, "read x; echo ok")

        def wait(*_):
            raise ZeroDivisionError

        ssh2.set_wait(wait)
        with self.assertRaises(ZeroDivisionError):
            channel.read()
        ssh2.set_wait(None)
        channel.write("\n")
        self.assertEqual(channel.read(), (3, b"ok\n"))

    def test_a_wait_that_answers_nonsense(self):
        class Odd:
            def __bool__(self):
                raise KeyError("odd")

        session = connect()
        channel = run(session, "sleep 60")
        ssh2.set_wait(lambda *_: Odd())
        with self.assertRaises(KeyError):
            channel.read()
        ssh2.set_wait(lambda: True)
        with self.assertRaises(TypeError):
            channel.read()
        for value in (5, "x", object()):
            with self.assertRaises(TypeError):
                ssh2.set_wait(value)

    @with_gevent
    def test_greenlets_share_a_session(self):
        import gevent
        import gevent.select
        session = connect()

        def wait(fd, wake_fd, directions, timeout):
            return any(gevent.select.select(
                [fd, wake_fd] if fd >= 0 and directions & 1 else [wake_fd],
                [fd] if fd >= 0 and directions & 2 else [], [], timeout))

        ssh2.set_wait(wait)
        start = time.monotonic()
        jobs = [gevent.spawn(lambda: run(session, "sleep 3; echo ok").read())
                for _ in range(4)]
        idle = gevent.spawn(run(session, "sleep 60").read)
        gevent.joinall(jobs)
        self.assertEqual([job.value for job in jobs], [(3, b"ok\n")] * 4)
        self.assertLess(time.monotonic() - start, 11.9)
        idle.kill()
        self.assertEqual(run(session, "echo ok").read(), (3, b"ok\n"))

    @with_gevent
    def test_greenlets_that_come_later(self):
        """Each is a caller of its own; a thread's main one is the thread."""
        done = python("""
            import select, sys, test_edge
            test_edge.ssh2.set_wait(lambda fd, wake, *_: any(select.select(
                [fd, wake] if fd >= 0 else [wake], [], [], 5)))
            assert "greenlet" not in sys.modules
            sftp = test_edge.connect().sftp_init()

            def wait(fd, wake_fd, directions, timeout):
                import gevent.select
                if not nested:
                    nested.append(1)
                    try:
                        sftp.stat("/")
                    except test_edge.exceptions.BadUseError as error:
                        nested.append(str(error))
                return any(gevent.select.select(
                    [fd, wake_fd] if fd >= 0 and directions & 1 else [wake_fd],
                    [fd] if fd >= 0 and directions & 2 else [], [], timeout))

            nested = []
            test_edge.ssh2.set_wait(wait)
            while not nested:  # the answer may be there at once
                sftp.stat("/")
            assert nested[1].endswith("made in is not over"), nested
            import gevent
            jobs = [gevent.spawn(sftp.stat, "/") for _ in range(4)]
            gevent.joinall(jobs, raise_error=True)
            """)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_a_wait_that_resets_itself(self):
        session = connect()
        channel = run(session, "sleep 0.3; echo ok")

        def wait(*_):
            ssh2.set_wait(None)
            return True

        ssh2.set_wait(wait)
        del wait
        self.assertEqual(channel.read(), (3, b"ok\n"))


@unittest.skipUnless("SSH2_ASYNCSSH_PORT" in ENV, "no second server")
class Callbacks(unittest.TestCase):
    def ask(self, callback, user="kate"):
        session = shake(int(ENV["SSH2_ASYNCSSH_PORT"]))
        session.set_timeout(5000)
        self.session = session
        return session.userauth_keyboardinteractive_callback(user, callback)

    def test_calls_into_the_own_session_are_refused(self):
        seen = []

        def callback(name, instruction, prompts):
            for call in (self.session.open_session, self.session.disconnect,
                         lambda: self.session.userauth_list("kate")):
                try:
                    call()
                except exceptions.SSH2Error as error:
                    seen.append(type(error).__name__)
            gc.collect()
            raise LookupError

        with self.assertRaises(LookupError):
            self.ask(callback)
        self.assertEqual(set(seen), {"BadUseError"})

    def test_another_session_can_be_used(self):
        def callback(name, instruction, prompts):
            self.assertEqual(run(connect(), "echo ok").read(), (3, b"ok\n"))
            raise LookupError

        with self.assertRaises(LookupError):
            self.ask(callback)

    def test_other_threads_run_while_it_asks(self):
        ticks = []

        def callback(name, instruction, prompts):
            thread = threading.Thread(target=lambda: ticks.append(1))
            thread.start()
            thread.join(5)
            raise LookupError

        with self.assertRaises(LookupError):
            self.ask(callback)
        self.assertEqual(ticks, [1])

    def test_the_session_is_dropped_while_it_asks(self):
        def callback(name, instruction, prompts):
            del self.session
            gc.collect()
            raise LookupError

        with self.assertRaises(LookupError):
            self.ask(callback)

    def test_answers_that_are_too_long(self):
        for rounds in ([[40_000]], [[5], [40_000]], [[16_000], [31_000]]):
            session = Session()
            session.set_timeout(20_000)
            session.banner_set("SSH-2.0-auth:rounds")
            session.handshake(socket.create_connection(
                (HOST, int(ENV["SSH2_ROGUE_PORT"]))))
            sizes = iter(rounds)

            def callback(*_, sizes=sizes):
                return ["x" * size for size in next(sizes)]

            if rounds[-1][0] < 32_000:
                session.userauth_keyboardinteractive_callback("a", callback)
            else:
                with self.assertRaisesRegex(
                        exceptions.InvalidRequestError, "too long"):
                    session.userauth_keyboardinteractive_callback(
                        "a", callback)
            self.assertEqual(list(sizes), [])

    def test_answers_that_are_none(self):
        class Liar(list):
            def __len__(self):
                return 2**40

        for answers, error in ((None, TypeError), (5, TypeError),
                               ("ab", TypeError), (b"ab", TypeError),
                               ([None, None], TypeError), ([], ValueError),
                               (Liar(), ValueError),
                               (["\ud800", "x"], UnicodeError)):
            with self.assertRaises(error):
                self.ask(lambda *_, answers=answers: answers)


class Cost(unittest.TestCase):
    @unittest.skipIf(SANITIZED, "a sanitized build")
    def test_a_trivial_call(self):
        session, number = Session(), 5
        best = {}
        for _ in range(100):  # others may need the processor as well
            for call in ("number.bit_length()", "session.get_timeout()",
                         "session.get_blocking()"):
                took = timeit.timeit(call, globals=locals(), number=20000)
                best[call] = min(best.get(call, 1), took / 20000)
        plain = best.pop("number.bit_length()") * 1e9
        for call, took in best.items():
            more = took * 1e9 - plain
            print(f"# {call}: {more:.0f} ns more than int.bit_length(), "
                  f"{plain:.0f} ns", flush=True)
            self.assertLess(more, max(60, 4 * plain))


if __name__ == "__main__":
    unittest.main()
