"""How programs written for ssh2-python see it behave, subject by subject."""
import errno
import importlib
import os
import pathlib
import pkgutil
import socket
import subprocess
import sys
import threading
import time
import unittest
import warnings
from unittest import mock

import ssh2
from common import (
    ENV,
    HOST,
    PORT,
    connect,
    fifo,
    read_all,
    run,
    server,
    shake,
)
from ssh2 import (
    binding,
    constants,
    error_codes,
    exceptions,
    knownhost,
    session,
    utils,
)
from ssh2.session import (
    LIBSSH2_FLAG_COMPRESS,
    LIBSSH2_FLAG_SIGPIPE,
    LIBSSH2_HOSTKEY_HASH_SHA256,
    LIBSSH2_METHOD_CRYPT_CS,
    LIBSSH2_METHOD_KEX,
    FlagType,
    MethodType,
    Session,
)
from ssh2.sftp import (
    LIBSSH2_FXF_CREAT,
    LIBSSH2_FXF_READ,
    LIBSSH2_FXF_TRUNC,
    LIBSSH2_FXF_WRITE,
)
from ssh2.sftp_handle import SFTPAttributes, SFTPStatVFS
from ssh2.statinfo import StatInfo

EAGAIN = -37
WRITE = LIBSSH2_FXF_CREAT | LIBSSH2_FXF_TRUNC | LIBSSH2_FXF_WRITE
USER, KEY, KEYS = ENV["SSH2_USER"], ENV["SSH2_KEY"], ENV["SSH2_KEYS"]
BUILD = pathlib.Path(ENV["SSH2_BUILD"])
HOST_TYPE = (knownhost.LIBSSH2_KNOWNHOST_TYPE_PLAIN
             | knownhost.LIBSSH2_KNOWNHOST_KEYENC_RAW)
accounts = unittest.skipUnless("SSH2_ASYNCSSH_PORT" in ENV, "no second server")


def path_of(name):
    return f"{ENV['SSH2_TMP']}/behaviour-{name}"


def until(session, function, *args, **keywords):
    """What programs do with a session that does not block."""
    while (result := function(*args, **keywords)) == EAGAIN or (
            isinstance(result, tuple) and result[0] == EAGAIN):
        utils.wait_socket(session.sock, session)
    return result


class Modules(unittest.TestCase):
    def test_any_of_them_brings_the_exceptions(self):
        names = {module.name for module in pkgutil.iter_modules(ssh2.__path__)
                 if not module.name.startswith("_")}
        self.assertLessEqual(
            {"session", "channel", "sftp", "sftp_handle", "agent", "pkey",
             "knownhost", "listener", "fileinfo", "statinfo", "utils",
             "error_codes", "exceptions"}, names)
        for name in sorted(names):
            subprocess.run(
                [sys.executable, "-c", f"import ssh2.{name}\n"
                 "assert issubclass(ssh2.exceptions.Timeout, Exception)"],
                check=True, env=ENV | {"PYTHONPATH": str(BUILD / "python")})

    def test_errors_are_found_in_a_second_place(self):
        for module, names in {
            "session": "ChannelError KnownHostError PublicKeyInitError "
                       "SessionHostKeyError",
            "knownhost": " ".join(name for name in exceptions.__all__
                                  if name.startswith("KnownHost")),
            "agent": "AgentConnectionError AgentListIdentitiesError "
                     "AgentGetIdentityError AgentAuthenticationError",
        }.items():
            found = importlib.import_module(f"ssh2.{module}")
            for name in names.split():
                self.assertIs(getattr(found, name), getattr(exceptions, name))

    def test_the_version_is_text(self):
        self.assertRegex(ssh2.__version__, r"^\d+\.\d+\.\d+")


class TextAndBytes(unittest.TestCase):
    def both(self, text):
        return (text, text.encode())

    def test_authentication(self):
        for user, key in zip(self.both(USER), self.both(KEYS + "/locked"),
                             strict=True):
            for secret in self.both(ENV["SSH2_PASSPHRASE"]):
                self.assertEqual(shake().userauth_publickey_fromfile(
                    user, key, secret), 0)
                self.assertEqual(shake().userauth_publickey_frommemory(
                    user, pathlib.Path(KEYS, "locked").read_bytes(), secret),
                    0)
            with self.assertRaises(exceptions.AuthenticationError):
                shake().userauth_password(user, key)
            self.assertIsInstance(shake().userauth_list(user), list)
            self.assertIsNone(shake().agent_auth(user))

    @accounts
    def test_passwords(self):
        for user, word in zip(self.both("alice"), self.both("correct horse"),
                              strict=True):
            there = shake(int(ENV["SSH2_ASYNCSSH_PORT"]))
            self.assertEqual(there.userauth_password(user, word), 0)

    def test_commands_environment_terminals_and_preferences(self):
        for kex, name, term in zip(self.both("curve25519-sha256"),
                                   self.both("SSH2_TEST_B"),
                                   self.both("vt220"), strict=True):
            there = Session()
            self.assertEqual(there.method_pref(LIBSSH2_METHOD_KEX, kex), 0)
            there.handshake(socket.create_connection((HOST, PORT)))
            there.userauth_publickey_fromfile(USER, KEY)
            channel = there.open_session()
            if "SSH2_PTY" in ENV:
                self.assertEqual(channel.pty(term), 0)
            self.assertEqual(channel.setenv(name, name), 0)
            channel.execute(b"echo $SSH2_TEST_B" if term == b"vt220"
                            else "echo $SSH2_TEST_B")
            self.assertEqual(read_all(channel).strip(), b"SSH2_TEST_B")

    def test_paths(self):
        sftp = connect().sftp_init()
        for path in self.both(path_of("grün")):
            self.assertEqual(sftp.mkdir(path, 0o700), 0)
            self.assertEqual(sftp.realpath(path), path_of("grün"))
            self.assertEqual(sftp.rmdir(path), 0)

    def test_known_hosts_take_bytes(self):
        here = shake()
        hosts = here.knownhost_init()
        key = here.hostkey()[0]
        kind = HOST_TYPE | knownhost.LIBSSH2_KNOWNHOST_KEY_ED25519
        entry = hosts.addc(b"one.example", key, kind, comment=b"by hand")
        self.assertEqual(entry.name, b"one.example")
        self.assertEqual(entry.key, key)
        self.assertIs(type(hosts.checkp(b"one.example", -1, key, kind)),
                      type(entry))
        line = hosts.writeline(entry)
        self.assertIs(type(line), bytes)
        self.assertIn(hosts.readline(line), (0, None))
        self.assertEqual(len(hosts.get()), 2)

    def test_bytes_only(self):
        there = connect()
        handle = there.sftp_init().open(path_of("bytes"), WRITE, 0o600)
        key = pathlib.Path(KEY).read_text()
        for call in (lambda: handle.write("text"),
                     lambda: utils.find_eol("text\n", 0),
                     lambda: shake().userauth_publickey(USER, "text"),
                     lambda: shake().userauth_publickey_frommemory(USER, key)):
            with self.assertRaises(TypeError):
                call()

    def test_none_makes_no_sense(self):
        there, waits = connect(), shake()
        channel, sftp = there.open_session(), there.sftp_init()
        hosts = there.knownhost_init()
        for call, *args in [
                (waits.userauth_password, None, "x"),
                (waits.userauth_password, "x", None),
                (waits.userauth_list, None), (waits.agent_auth, None),
                (waits.userauth_publickey_fromfile, None, KEY),
                (waits.userauth_publickey_fromfile, USER, None),
                (waits.userauth_publickey_frommemory, USER, None),
                (waits.userauth_keyboardinteractive, USER, None),
                (waits.userauth_keyboardinteractive_callback, USER, None),
                (channel.execute, None), (channel.subsystem, None),
                (channel.setenv, None, "x"), (channel.setenv, "x", None),
                (channel.pty, None), (channel.write, None),
                (channel.read, None),
                (channel.process_startup, None), (sftp.open, None, 1, 0),
                (sftp.stat, None), (sftp.setstat, "/", None),
                (sftp.rename, "x", None), (sftp.symlink, None, "x"),
                (hosts.addc, None, b"", 1), (hosts.addc, b"", None, 1),
                (hosts.readline, None), (hosts.delete, None),
                (there.method_pref, None, "x"), (there.methods, None),
                (there.method_pref, LIBSSH2_METHOD_KEX, None),
                (there.set_timeout, None), (there.hostkey_hash, None),
                (Session().handshake, None), (utils.find_eol, None, 0),
                (utils.wait_socket, there.sock, None),
                (utils.handle_error_codes, None)]:
            with self.subTest(call=call, args=args), \
                    self.assertRaises(TypeError):
                call(*args)


class Results(unittest.TestCase):
    def setUp(self):
        self.session = connect()

    def test_reads(self):
        channel = run(self.session, "yes | head -c 3000; echo err >&2")
        channel.wait_eof()
        size, data = channel.read()
        self.assertEqual((size, data), (1024, b"y\n" * 512))
        self.assertEqual(channel.read(size=6), (6, b"y\n" * 3))
        self.assertEqual(channel.read_ex(size=2, stream_id=1), (2, b"er"))
        self.assertEqual(channel.read_stderr(), (2, b"r\n"))
        self.assertEqual(len(read_all(channel)), 1970)
        for read in (channel.read, channel.read_ex, channel.read_stderr):
            self.assertEqual(read(), (0, b""))

    def test_reads_that_would_block(self):
        channel = run(self.session, "sleep 60")
        self.session.set_blocking(False)
        for read in (channel.read, channel.read_ex, channel.read_stderr):
            self.assertEqual(read(), (EAGAIN, b""))

    def test_writes_count_encoded_bytes(self):
        channel = run(self.session, "cat")
        for write, *first in ((channel.write,), (channel.write_ex, 0)):
            self.assertEqual(write(*first, "grün"), (5, 5))
            self.assertEqual(write(*first, b"x"), (1, 1))
            self.assertEqual(write(*first, b""), (0, 0))
        self.assertEqual(channel.write_stderr("grün"), (5, 5))
        channel.send_eof()
        self.assertEqual(read_all(channel), "grünx".encode() * 2)

    def test_a_large_write_is_whole(self):
        data = os.urandom(3000000)
        channel = run(self.session, "cksum")
        self.assertEqual(channel.write(data), (len(data), len(data)))
        with self.session.sftp_init() as sftp, \
                sftp.open(path_of("large"), WRITE, 0o600) as handle:
            self.assertEqual(handle.write(data), (len(data), len(data)))

    def test_a_partial_write_goes_on_where_it_stopped(self):
        channel = run(self.session, "sleep 0.3; cat")
        data, got, sent = os.urandom(5000000), b"", 0
        self.session.set_blocking(False)
        while sent < len(data):
            rc, count = channel.write(data[sent:])
            self.assertIn(rc, (count, EAGAIN))
            sent += count
            got += channel.read(1 << 20)[1]
            if rc == EAGAIN and not count:
                utils.wait_socket(self.session.sock, self.session)
        until(self.session, channel.send_eof)
        while not channel.eof():
            got += until(self.session, channel.read, 1 << 20)[1]
        self.assertTrue(got == data)

    def test_records_of_sftp(self):
        sftp = self.session.sftp_init()
        path = path_of("records")
        os.symlink("/", path)
        self.assertIsInstance(sftp.stat(path), SFTPAttributes)
        self.assertTrue(sftp.stat(path).permissions
                        & constants.LIBSSH2_SFTP_S_IFDIR)
        self.assertEqual(sftp.lstat(path).filesize, 1)
        self.assertIsInstance(sftp.statvfs("/"), SFTPStatVFS)
        with sftp.open(KEY, LIBSSH2_FXF_READ, 0) as handle:
            self.assertEqual(handle.fstat().filesize, os.path.getsize(KEY))
            self.assertIsInstance(handle.fstatvfs(), SFTPStatVFS)
            self.assertEqual(handle.read(buffer_maxlen=5)[0], 5)
        self.assertEqual(sftp.realpath("/tmp/.."), "/")

    def test_a_file_read_by_default(self):
        with open(path_of("three"), "wb") as file:
            file.write(bytes(3 << 20))
        sftp, total = self.session.sftp_init(), 0
        with sftp.open(path_of("three"), LIBSSH2_FXF_READ, 0) as handle:
            for size, data in handle:
                self.assertEqual(size, len(data))
                self.assertLessEqual(size, 2097152)
                total += size
            self.assertEqual(handle.read(), (0, b""))
        self.assertEqual(total, 3 << 20)

    def test_directories_are_generators(self):
        sftp, path = self.session.sftp_init(), path_of("folder")
        os.makedirs(path + "/inner")
        entries = list(sftp.opendir(path).readdir())
        self.assertEqual(sorted(e[1] for e in entries),
                         [b".", b"..", b"inner"])
        for size, name, attrs in entries:
            self.assertEqual(size, len(name))
            self.assertIsInstance(attrs, SFTPAttributes)
        for size, name, long, attrs in sftp.opendir(path).readdir_ex():
            self.assertEqual(size, len(name))
            self.assertTrue(long.endswith(name), long)
            self.assertTrue(attrs.permissions)

    def test_directories_and_files_that_would_block_go_on(self):
        sftp = self.session.sftp_init()
        folder, file = sftp.opendir(KEYS), sftp.open(KEY, LIBSSH2_FXF_READ, 0)
        self.session.set_blocking(False)
        server("stop")
        self.addCleanup(server, "cont")
        names, entries = set(), folder.readdir()
        size, name, attrs = next(entries)
        self.assertEqual((size, name), (EAGAIN, b""))
        self.assertIsInstance(attrs, SFTPAttributes)
        server("cont")
        for size, name, _attrs in entries:
            if size == EAGAIN:
                utils.wait_socket(self.session.sock, self.session)
            else:
                names.add(name)
        self.assertLessEqual({b"ed25519", b"rsa"}, names)
        server("stop")
        self.assertEqual(next(file), (EAGAIN, b""))
        server("cont")
        data = b""
        for size, part in file:
            data += part
            if size == EAGAIN:
                utils.wait_socket(self.session.sock, self.session)
        self.assertEqual(data, pathlib.Path(KEY).read_bytes())

    def test_what_the_server_is(self):
        key, kind = self.session.hostkey()
        self.assertEqual((type(key), type(kind)), (bytes, int))
        found = self.session.hostkey_hash(LIBSSH2_HOSTKEY_HASH_SHA256)
        self.assertEqual((type(found), len(found)), (bytes, 32))
        new = shake()
        self.assertIn("publickey", new.userauth_list(USER))
        self.assertTrue(all(type(name) is str
                            for name in new.userauth_list(USER)))
        algorithms = new.supported_algs(LIBSSH2_METHOD_CRYPT_CS)
        self.assertIn("aes256-ctr", algorithms)
        self.assertIs(type(new.methods(LIBSSH2_METHOD_KEX)), str)
        self.assertIsNone(Session().methods(LIBSSH2_METHOD_KEX))

    def test_the_last_error(self):
        new = Session()
        self.assertEqual((new.last_error(), new.last_errno()), ("", 0))
        self.assertEqual(new.last_error(msg_size=64), "")
        new.set_last_error(-5, "mine")
        self.assertEqual((new.last_error(), new.last_errno()), ("mine", -5))

    def test_functions_of_utils(self):
        self.assertIs(type(utils.version()), bytes)
        self.assertIsNone(utils.version(0xFF0000))
        self.assertEqual(utils.version(required_version=0), utils.version())
        for data, pos, found in [
                (b"a\nb", 0, (1, 1)), (b"\nb", 0, (0, 1)),
                (b"a\r\nb", 0, (1, 2)), (b"ab", 0, (-1, 0)),
                (b"\0a\n", 0, (2, 1)), (b"x\ny\n", 2, (1, 1)),
                (b"", 0, (-1, 0))]:
            self.assertEqual(utils.find_eol(data, pos), found, data)
        with self.assertRaises(ValueError):
            utils.find_eol(b"ab\n", -1)
        self.assertIsNone(utils.ssh2_exit())
        self.assertEqual(run(self.session, "echo x").read(), (2, b"x\n"))

    def test_an_exit_signal_is_four_values(self):
        channel = run(self.session, "kill -TERM $$")
        channel.wait_eof()
        channel.close()
        signal = channel.get_exit_signal()
        self.assertEqual(signal, (0, b"TERM", None, None))
        channel = run(self.session, "true")
        channel.wait_eof()
        channel.close()
        self.assertEqual(channel.get_exit_signal(), (0, None, None, None))

    def test_an_agents_keys(self):
        agent = self.session.agent_init()
        agent.connect()
        keys = agent.get_identities()
        self.assertEqual({type(key).__name__ for key in keys}, {"PublicKey"})
        for key in keys:
            self.assertEqual((type(key.blob), type(key.comment)),
                             (bytes, bytes))
            self.assertEqual(key.blob_len, len(key.blob))
            self.assertIs(type(key.magic), int)

    def test_success_is_zero(self):
        there, path = shake(), path_of("zero")
        agent = there.agent_init()
        results = [
            agent.connect(),
            agent.userauth(USER, next(
                key for key in agent.get_identities()
                if key.comment == b"ed25519 key")),
            agent.disconnect(),
        ]
        sftp = there.sftp_init()
        one, two = there.open_session(), there.open_session()
        if "SSH2_PTY" in ENV:
            results.append(two.pty())
        results += [
            Session().method_pref(LIBSSH2_METHOD_KEX, "curve25519-sha256"),
            one.setenv("SSH2_TEST_A", "b"), one.request_auth_agent(),
            one.execute("cat"), two.shell(), there.open_session()
            .subsystem("sftp"), one.send_eof(),
            one.wait_eof(), one.close(), one.wait_closed(),
            sftp.mkdir(path, 0o755), sftp.rename(path, path + "2"),
            sftp.symlink(path + "2", path), sftp.unlink(path),
            sftp.setstat(path + "2", SFTPAttributes()),
            sftp.rmdir(path + "2"),
        ]
        handle = sftp.open(path, WRITE, 0o600)
        results += [handle.fsetstat(handle.fstat()), handle.fsync(),
                    handle.close(), there.disconnect()]
        for i, result in enumerate(results):
            self.assertEqual((i, type(result), result), (i, int, 0))
        self.assertIsNone(handle.close())

    def test_signals(self):
        channel = run(self.session, "sleep 60")
        try:
            self.assertEqual(channel.signal("TERM"), 0)
        except exceptions.FunctionMissingError as error:
            self.skipTest(str(error))
        with self.assertRaises(TypeError):
            channel.signal(None)

    def test_nothing_to_tell_is_none(self):
        handle = self.session.sftp_init().open(KEY, LIBSSH2_FXF_READ, 0)
        hosts = self.session.knownhost_init()
        for value in [self.session.set_blocking(True),
                      self.session.set_timeout(0.0),
                      self.session.keepalive_config(False, 0),
                      Session().flag(LIBSSH2_FLAG_SIGPIPE),
                      handle.seek64(1), handle.rewind(),
                      hosts.writefile(path_of("hosts")),
                      shake().agent_auth(USER)]:
            self.assertIsNone(value)

    def test_truths_are_bools(self):
        handle = self.session.sftp_init().open(KEY, LIBSSH2_FXF_READ, 0)
        channel = run(self.session, "true")
        channel.wait_eof()
        for value, wanted in [
                (self.session.get_blocking(), True),
                (self.session.userauth_authenticated(), True),
                (shake().userauth_authenticated(), False),
                (channel.eof(), True), (handle.closed, False)]:
            self.assertIs(value, wanted)

    def test_a_flush_tells_what_was_dropped(self):
        channel = run(self.session, "echo out; echo err >&2; sleep 60")
        self.assertEqual(channel.read(1)[0], 1)
        self.assertEqual(channel.read_stderr(1)[0], 1)
        self.assertEqual(channel.flush_stderr(), 3)
        self.assertEqual(channel.flush(), 3)
        self.assertEqual(channel.flush_ex(0), 0)

    def test_deprecated_names_call_their_successors(self):
        channel = run(self.session, "cat")
        before = channel.window_read()
        handle = self.session.sftp_init().open(KEY, LIBSSH2_FXF_READ, 0)
        hosts = self.session.knownhost_init()
        key, kind = self.session.hostkey()[0], HOST_TYPE | 7 << 18
        sock = socket.create_connection((HOST, PORT))
        for call, wanted in [
                (lambda: channel.handle_extended_data(0), 0),
                (lambda: channel.ignore_extended_data(0), 0),
                (lambda: channel.receive_window_adjust(4096, 1),
                 before + 4096),
                (lambda: channel.poll_channel_read(0), 0),
                (lambda: handle.seek(5), None), (lambda: handle.tell(), 5),
                (lambda: hosts.add(b"h", None, key, kind).name, b"h"),
                (lambda: hosts.check(b"h", key, kind).key, key),
                (lambda: Session().startup(sock), 0),
                (lambda: type(self.session.scp_recv(KEY)[1]), StatInfo),
                (lambda: self.session.scp_send(path_of("old"), 0o600, 1)
                 .write("x"), (1, 1))]:
            with self.assertWarns(DeprecationWarning) as caught:
                self.assertEqual(call(), wanted)
            self.assertEqual(caught.filename, __file__)
            self.assertIn("deprecated: use ", str(caught.warning))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertEqual(channel.receive_window_adjust2(4096, 1), 0)


class NonBlocking(unittest.TestCase):
    def test_every_call_returns_minus_37(self):
        there = connect()
        channel = run(there, "cat")
        sftp = there.sftp_init()
        handle = sftp.open(KEY, LIBSSH2_FXF_READ, 0)
        attrs = sftp.stat("/")
        there.set_blocking(False)
        server("stop")
        try:
            for call, *args in [
                    (there.open_session,), (channel.wait_eof,),
                    (sftp.stat, "/"), (sftp.mkdir, "x", 0),
                    (sftp.open, KEY, LIBSSH2_FXF_READ, 0),
                    (sftp.opendir, "/"), (sftp.realpath, "/"),
                    (sftp.setstat, "x", attrs), (sftp.statvfs, "/"),
                    (handle.fstat,), (there.sftp_init,),
                    (sftp.rename, "x", "y")]:
                with self.subTest(call=call.__name__):
                    self.assertEqual(call(*args), EAGAIN)
            self.assertEqual(handle.read(9), (EAGAIN, b""))
            self.assertNotEqual(there.block_directions() & 1, 0)
            sent = 0
            while (pair := channel.write(bytes(4000000)))[1]:
                sent += pair[1]
            self.assertEqual(pair, (EAGAIN, 0))
            self.assertNotEqual(there.block_directions(), 0)
            self.assertGreater(sent, 2000000)
        finally:
            server("cont")

    def test_before_the_handshake_is_over(self):
        there = Session()
        there.set_blocking(False)
        sock = socket.create_connection((HOST, PORT))
        self.assertEqual(there.handshake(sock), EAGAIN)
        while there.handshake(sock) == EAGAIN:
            utils.wait_socket(sock, there)
        for call, *args in [
                (there.userauth_list, USER),
                (there.userauth_publickey_fromfile, USER, KEY)]:
            self.assertEqual(call(*args), EAGAIN)
            until(there, call, *args)
        self.assertIs(there.userauth_authenticated(), True)

    def test_objects_are_no_ints(self):
        there = connect()
        sftp = there.sftp_init()
        for thing in (there, there.open_session(), sftp, sftp.opendir("/"),
                      sftp.stat("/"), there.agent_init(),
                      there.knownhost_init()):
            for number in (EAGAIN, 0):
                self.assertIs(thing == number, False)
                self.assertIs(thing != number, True)

    def test_a_socket_that_is_waited_for(self):
        there, gate = connect(), fifo()
        channel = run(there, f"cat {gate}")
        self.assertEqual(utils.wait_socket(there.sock, there), 0)
        there.set_blocking(False)
        self.assertEqual(channel.read()[0], EAGAIN)
        begun = time.monotonic()
        self.assertEqual(utils.wait_socket(there.sock, there, 0.01),
                         ([], [], []))
        self.assertLess(time.monotonic() - begun, 5)
        pathlib.Path(gate).write_bytes(b"x\n")
        ready = utils.wait_socket(_socket=there.sock, session=there, timeout=5)
        self.assertEqual(ready, ([there.sock], [], []))
        self.assertEqual(until(there, channel.read), (2, b"x\n"))


class Numbers(unittest.TestCase):
    def test_a_timeout_may_be_a_float(self):
        there = connect()
        channel = run(there, "sleep 60")
        there.set_timeout(99.9)
        begun = time.monotonic()
        with self.assertRaises(exceptions.Timeout):
            channel.read()
        self.assertLess(time.monotonic() - begun, 10)
        for wrong in ("5", None):
            with self.assertRaises(TypeError):
                there.set_timeout(wrong)
            for times in ((wrong, 0), (0, wrong)):
                with self.assertRaises(TypeError):
                    there.scp_send64(path_of("times"), 0o600, 1, *times)

    def test_times_may_be_floats(self):
        path = path_of("times")
        channel = connect().scp_send64(path, 0o600, 1, 1e9 + 0.5, 1e9 + 1.5)
        channel.write("x")
        channel.send_eof()
        channel.wait_eof()
        channel.wait_closed()
        self.assertEqual(os.stat(path).st_mtime, 1e9)


class PositionsAndKeywords(unittest.TestCase):
    def test_the_passphrase_comes_before_the_public_key(self):
        locked, word = KEYS + "/locked_pem", ENV["SSH2_PASSPHRASE"]
        public = locked + ".pub"
        self.assertEqual(shake().userauth_publickey_fromfile(
            USER, locked, word, public), 0)
        self.assertEqual(shake().userauth_publickey_fromfile(
            publickey=public, passphrase=word, privatekey=locked,
            username=USER), 0)
        private = pathlib.Path(locked).read_bytes()
        public = pathlib.Path(public).read_bytes()
        self.assertEqual(shake().userauth_publickey_frommemory(
            USER, private, word, public), 0)
        self.assertEqual(shake().userauth_publickey_frommemory(
            username=USER, privatekeyfiledata=private, passphrase=word,
            publickeyfiledata=public), 0)

    def test_host_based(self):
        with self.assertRaises(exceptions.FileError):  # comes fourth
            shake().userauth_hostbased_fromfile(
                USER, KEY, "here.example", "/none/at/all", "")
        with self.assertRaises(exceptions.AuthenticationError):
            shake().userauth_hostbased_fromfile(
                username=USER, privatekey=KEYS + "/rsa_pem",
                hostname="here.example",
                publickey=KEYS + "/rsa_pem.pub", passphrase="")

    def test_flags(self):
        there = Session()
        self.assertIsNone(there.flag(LIBSSH2_FLAG_SIGPIPE))
        self.assertIsNone(there.flag(flag=LIBSSH2_FLAG_COMPRESS,
                                     enabled=False))
        self.assertIsNone(there.flag(LIBSSH2_FLAG_COMPRESS, 1))
        self.assertIsNone(there.flag(set_flag=LIBSSH2_FLAG_COMPRESS, value=0))

    def test_both_names_of_preferences(self):
        there = Session()
        there.method_pref(method_type=LIBSSH2_METHOD_KEX,
                          prefs="curve25519-sha256")
        there.method_pref(method_type=LIBSSH2_METHOD_KEX,
                          pref_methods=b"curve25519-sha256")
        there.supported_algs(LIBSSH2_METHOD_KEX, b"curve25519-sha256")

    @unittest.skipUnless("SSH2_PTY" in ENV, "no terminals here")
    def test_a_terminal_is_a_vt100(self):
        channel = connect().open_session()
        channel.pty()
        channel.execute("echo $TERM")
        self.assertEqual(read_all(channel).strip(), b"vt100")

    def test_requests_with_and_without_a_message(self):
        there = connect()
        channel = there.open_session()
        self.assertEqual(channel.process_startup("exec", "echo x"), 0)
        self.assertEqual(channel.read(), (2, b"x\n"))
        channel = there.open_session()
        self.assertEqual(channel.process_startup("shell"), 0)
        channel.write("echo x\n")
        self.assertEqual(channel.read(), (2, b"x\n"))

    def test_known_hosts_by_place(self):
        here = shake()
        hosts, key = here.knownhost_init(), here.hostkey()[0]
        self.assertEqual(hosts.readfile(ENV["SSH2_KNOWN_HOSTS"], 1), 3)
        entry = hosts.checkp(HOST.encode(), PORT, key, HOST_TYPE)
        self.assertEqual(entry.key, key)
        line = hosts.writeline(entry, 1, 1024)
        self.assertEqual(line, hosts.writeline(entry=entry, f_type=1,
                                               buf_len=1024))
        self.assertEqual(len(hosts.get(hosts.get()[4])), len(hosts.get()) - 5)

    def test_listening_in_the_older_order_gives_the_same(self):
        there = connect()
        for old in [("127.0.0.1", 0, 0, 4), (None, 0, 1234, 4)]:
            listener, port = there.forward_listen_ex(*old)
            self.assertIs(listener.session, there)
            self.assertGreater(port, 0)
            with listener:
                self.assertEqual(listener.forward_cancel(), 0)
        there.set_blocking(False)
        server("stop")
        self.addCleanup(server, "cont")
        self.assertEqual(there.forward_listen_ex("", 0, 0, 1), (-37, 0))
        self.assertEqual(there.forward_listen_ex(1), (-37, 0))


class Sockets(unittest.TestCase):
    def test_whatever_has_a_descriptor(self):
        class Wrapped:
            def __init__(self):
                self.inner = socket.create_connection((HOST, PORT))

            def fileno(self):
                return self.inner.fileno()

        plain = socket.create_connection((HOST, PORT))
        for sock in (Wrapped(), plain):
            there = Session()
            self.assertEqual(there.handshake(sock), 0)
            self.assertIs(there.sock, sock)
        number = socket.create_connection((HOST, PORT))
        self.assertEqual(Session().handshake(number.fileno()), 0)
        for wrong in (None, "5", object()):
            with self.assertRaises(TypeError):
                Session().handshake(wrong)


class Constants(unittest.TestCase):
    def test_all_of_the_headers(self):
        """What the generator found in them, and what it left out."""
        text = (BUILD / "gen/constants.i").read_text()
        names = [line.split(" = ")[0].split()[-1].lstrip("*")
                 for line in text.splitlines()
                 if line.startswith("%constant ")]
        missing = [name for name in names if not hasattr(constants, name)]
        self.assertEqual(missing, [])
        self.assertGreater(len(names), 250)
        self.assertEqual(set(names) - set(constants.__all__), set())
        for name in names:
            self.assertIn(type(getattr(constants, name)), (int, str, bytes))

    def test_every_status_of_sftp_has_an_error(self):
        named = {getattr(exceptions, name).sftp_status:
                 getattr(exceptions, name).name for name in exceptions.__all__}
        for name in constants.__all__:
            if name.startswith("LIBSSH2_FX_") and name != "LIBSSH2_FX_OK":
                # Two statuses have a second name, with a slip of the pen.
                right = named[getattr(constants, name)]
                self.assertTrue(hasattr(constants, right))
                self.assertEqual(name.upper()[:24], right[:24])

    def test_methods_and_flags_have_types_of_their_own(self):
        self.assertIsInstance(LIBSSH2_METHOD_KEX, MethodType)
        self.assertIsInstance(LIBSSH2_FLAG_COMPRESS, FlagType)
        self.assertIsNone(Session().methods(int(LIBSSH2_METHOD_KEX)))
        with self.assertRaises(TypeError):
            Session().methods("kex")

    def test_codes(self):
        self.assertEqual(error_codes.LIBSSH2CHANNEL_EAGAIN, EAGAIN)
        self.assertEqual(error_codes.LIBSSH2_ERROR_EAGAIN, EAGAIN)
        for code in (0, EAGAIN, 5):
            self.assertEqual(utils.handle_error_codes(code), code)
        for name in error_codes.__all__:
            code = getattr(error_codes, name)
            if code < 0 and code != EAGAIN:
                with self.assertRaises(exceptions.SSH2Error) as caught:
                    utils.handle_error_codes(errcode=code)
                self.assertEqual(caught.exception.code, code)
        with self.assertRaises(exceptions.UnknownError):
            utils.handle_error_codes(-9999)


class Classes(unittest.TestCase):
    def test_a_session_takes_nothing_and_is_subclassed(self):
        class Client(Session):
            def __init__(self, name):
                super().__init__()
                self.name = name

        with self.assertRaises(TypeError):
            Session("x")
        client = Client("mine")
        client.handshake(socket.create_connection((HOST, PORT)))
        client.userauth_publickey_fromfile(USER, KEY)
        self.assertIs(client.open_session().session, client)
        self.assertEqual(client.name, "mine")

    def test_a_session_is_looked_up_in_its_module(self):
        with mock.patch("ssh2.session.Session", return_value="mine"):
            self.assertEqual(session.Session(), "mine")
        self.assertIsInstance(session.Session(), Session)

    def test_attributes_are_made_and_set(self):
        attrs, path = SFTPAttributes(), path_of("attrs")
        attrs.flags = constants.LIBSSH2_SFTP_ATTR_PERMISSIONS
        attrs.permissions = 0o640
        sftp = connect().sftp_init()
        with sftp.open(path, WRITE, 0o600) as handle:
            handle.fsetstat(attrs)
        self.assertEqual(sftp.stat(path).permissions & 0o777, 0o640)

    def test_handles_are_contexts_and_iterators(self):
        sftp, path = connect().sftp_init(), path_of("context")
        with sftp.open(path, WRITE, 0o600) as handle:
            self.assertEqual(handle.write(b"hello"), (5, 5))
            self.assertIs(handle.closed, False)
        self.assertIs(handle.closed, True)
        self.assertIsNone(handle.close())
        with sftp.open(path, LIBSSH2_FXF_READ, 0) as handle:
            self.assertIs(iter(handle), handle)
            self.assertEqual(next(handle), (5, b"hello"))
            self.assertEqual(list(handle), [])

    def test_lengths_of_names(self):
        sftp, path = connect().sftp_init(), path_of("lengths")
        to, size = path + "2", len(path)
        with sftp.open_ex(path, size, WRITE, 0o600, 0) as handle:
            attrs = SFTPAttributes()
            self.assertEqual(handle.fstat_ex(attrs, 0), 0)
            self.assertEqual(attrs.permissions & 0o777, 0o600)
            attrs.flags = constants.LIBSSH2_SFTP_ATTR_PERMISSIONS
            attrs.permissions = 0o640
            self.assertEqual(handle.fstat_ex(attrs=attrs, setstat=1), 0)
        self.assertEqual(sftp.stat(path).permissions & 0o777, 0o640)
        folder = sftp.open_ex(b"/", 1, 0, 0, constants.LIBSSH2_SFTP_OPENDIR)
        self.assertTrue(list(folder.readdir()))
        # A length is computed, and one that lies is refused.
        for call, *args in [(sftp.open_ex, path, 4000, WRITE, 0o600, 0),
                            (sftp.open_ex, path + "ü", size + 1, WRITE, 0, 0),
                            (sftp.rename_ex, path, 4000, to, size + 1, 7),
                            (sftp.rename_ex, path, size, to, size, 7)]:
            with self.assertRaises(ValueError):
                call(*args)
        self.assertEqual(sftp.rename_ex(path, size, to, size + 1, 7), 0)

    def test_children_know_their_session(self):
        there = connect()
        self.assertIs(there.open_session().session, there)
        self.assertIs(there.sftp_init().session, there)
        self.assertIs(there.sftp_init().get_channel().session, there)


class Exceptions(unittest.TestCase):
    def raises(self, error, call, *args):
        with self.assertRaises(getattr(exceptions, error)) as caught:
            call(*args)
        return caught.exception

    def test_an_error_is_found_by_every_class_above_it(self):
        self.assertTrue(issubclass(exceptions.Timeout,
                                   exceptions.SessionError))
        self.assertTrue(issubclass(exceptions.SFTPNoSuchFileError,
                                   exceptions.SFTPProtocolError))
        for name, kin in (("NoSuchFile", FileNotFoundError),
                          ("NoSuchPath", FileNotFoundError),
                          ("PermissionDenied", PermissionError),
                          ("FileAlreadyExists", FileExistsError),
                          ("NotADirectory", NotADirectoryError),
                          ("ConnectionLost", ConnectionResetError),
                          ("Failure", OSError), ("LinkLoop", OSError)):
            self.assertTrue(issubclass(
                getattr(exceptions, f"SFTP{name}Error"), kin), name)

    def test_a_file_here_is_the_systems(self):
        with self.assertRaises(OSError) as caught:
            connect().sftp_init().get(ENV["SSH2_KEY"], "/nowhere/at/all")
        self.assertIsInstance(caught.exception, exceptions.FileError)
        self.assertEqual(caught.exception.errno, errno.ENOENT)
        self.assertIn("/nowhere/at/all: No such", str(caught.exception))

    def test_what_libssh2_lacks_is_not_implemented(self):
        version = utils.version().decode()
        with self.assertRaisesRegex(NotImplementedError,
                                    f"^libssh2 {version} has no libssh2_x$") \
                as caught:
            binding.raise_missing("libssh2_x")
        self.assertIs(type(caught.exception), exceptions.FunctionMissingError)
        self.assertIsInstance(caught.exception, exceptions.SSH2Error)

    def test_before_authentication(self):
        self.raises("InvalidRequestError", shake().sftp_init)

    def test_files_that_are_not_there(self):
        self.raises("FileError", shake().userauth_publickey_fromfile, USER,
                    "/none/at/all")

    def test_requests_that_are_refused(self):
        there = connect()
        channel = there.open_session()
        self.raises("ChannelRequestDenied", channel.setenv, "NOT_ALLOWED", "x")
        self.raises("ChannelRequestDenied", channel.subsystem, "none")

    def test_scp_of_a_missing_file(self):
        self.raises("SCPProtocolError", connect().scp_recv2, "/none/at/all")

    def test_a_refused_forward(self):
        self.raises("ChannelFailure", connect().direct_tcpip, HOST,
                    int(ENV["SSH2_CLOSED_PORT"]))

    def test_too_many_sessions(self):
        there, channels = connect(), []
        with self.assertRaises(exceptions.ChannelFailure):
            for _ in range(99):
                channels.append(there.open_session())
        self.assertGreaterEqual(len(channels), 10)

    def test_sftp(self):
        sftp = connect().sftp_init()
        for call, *args in [
                (sftp.stat, "/none"), (sftp.lstat, "/none"),
                (sftp.open, "/none/x", WRITE, 0), (sftp.opendir, "/none"),
                (sftp.unlink, "/none"), (sftp.rmdir, "/none"),
                (sftp.mkdir, "/none/x", 0), (sftp.rename, "/none", "/x"),
                (sftp.symlink, "/none", "/none/x"), (sftp.statvfs, "/none"),
                (sftp.setstat, "/none", sftp.stat("/"))]:
            self.raises("SFTPProtocolError", call, *args)
        self.assertNotEqual(sftp.last_error(), 0)
        self.raises("BufferTooSmallError", sftp.realpath, KEY, 5)

    def test_algorithms(self):
        self.raises("MethodNotSupported", Session().method_pref,
                    LIBSSH2_METHOD_KEX, "no-such-thing")

    def test_a_second_delete(self):
        hosts = Session().knownhost_init()
        hosts.readfile(ENV["SSH2_KNOWN_HOSTS"])
        entry = hosts.get()[0]
        self.assertIn(hosts.delete(entry), (0, None))
        self.raises("KnownHostDeleteError", hosts.delete, entry)

    def test_a_timeout_leaves_the_session_usable(self):
        there = connect()
        channel = run(there, "sleep 60")
        there.set_timeout(100)
        self.raises("Timeout", channel.read)
        there.set_timeout(10000)
        self.assertEqual(run(there, "echo x").read(), (2, b"x\n"))

    def test_code_18_is_authentication_error_itself(self):
        error = self.raises("AuthenticationError", utils.handle_error_codes,
                            -18)
        self.assertIs(type(error), exceptions.AuthenticationError)

    def test_a_socket_that_was_closed(self):
        for name in ("open_session", "pty", "direct_tcpip"):
            there = connect()
            channel = there.open_session()
            there.sock.close()
            call = {"pty": channel.pty}.get(name) or getattr(
                there, name, None)
            with self.subTest(name):
                self.raises("SocketSendError", call,
                            *([HOST, PORT] if name == "direct_tcpip" else []))


@accounts
class KeyboardInteractive(unittest.TestCase):
    def test_a_callback_that_is_called_several_times(self):
        asked = []
        answers = iter([["blue sky", "grün".encode()], ["42"], []])

        def callback(name, instruction, prompts):
            asked.append((name, instruction, prompts))
            return next(answers)

        there = shake(int(ENV["SSH2_ASYNCSSH_PORT"]))
        self.assertEqual(there.userauth_keyboardinteractive_callback(
            username="kate", callback=callback), 0)
        self.assertEqual(asked, [
            (b"Login", b"Two questions", ["Password: ", "Colour? "]),
            (b"", b"", ["Code: "]), (b"Done", b"Welcome", [])])
        self.assertIs(there.userauth_authenticated(), True)


class Lifetime(unittest.TestCase):
    def test_the_interpreter_lock_is_free(self):
        channel = run(connect(), "read x")

        def count():
            for _ in range(100):
                time.sleep(0.01)
            channel.write("\n")

        thread = threading.Thread(target=count)
        thread.start()
        channel.wait_eof()
        self.assertTrue(channel.eof())
        thread.join()

    def test_two_threads_on_one_session(self):
        there, results = connect(), [b"", b""]

        def work(i):
            channel = run(there, f"yes {i} | head -c 1000000")
            results[i] = read_all(channel)

        threads = [threading.Thread(target=work, args=(i,)) for i in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(results, [b"0\n" * 500000, b"1\n" * 500000])

    def test_output_outlives_its_session(self):
        def output():
            there = connect()
            channel = run(there, "echo unread")
            channel.wait_eof()
            return channel

        self.assertEqual(output().read(), (7, b"unread\n"))

    def test_any_order_after_any_end(self):
        for end in ("disconnect", "close", "drop"):
            there = connect()
            sftp = there.sftp_init()
            channel, handle = run(there, "cat"), sftp.opendir("/")
            if end == "disconnect":
                there.disconnect()
            elif end == "close":
                there.sock.close()
            del there, sftp
            del handle, channel
