"""What programs written for ssh2-python rely on: names, shapes, keywords."""
import importlib
import os
import unittest

import ssh2
from common import ENV, HOST, connect, read_all, run, server, shake
from ssh2 import binding, error_codes, exceptions, utils
from ssh2.session import LIBSSH2_METHOD_KEX, MethodType, Session
from ssh2.sftp import (
    LIBSSH2_FXF_CREAT,
    LIBSSH2_FXF_READ,
    LIBSSH2_FXF_WRITE,
    LIBSSH2_SFTP_ATTR_PERMISSIONS,
)
from ssh2.sftp_handle import SFTPAttributes

EAGAIN = -37
SECOND_PLACES = {
    "session": ["ChannelError", "KnownHostError", "PublicKeyInitError",
                "SessionHostKeyError"],
    "knownhost": ["KnownHostAddError", "KnownHostCheckError",
                  "KnownHostCheckFailure", "KnownHostCheckNotFoundError",
                  "KnownHostCheckMisMatchError", "KnownHostDeleteError",
                  "KnownHostReadLineError", "KnownHostReadFileError",
                  "KnownHostWriteLineError", "KnownHostWriteFileError",
                  "KnownHostGetError"],
    "agent": ["AgentConnectionError", "AgentListIdentitiesError",
              "AgentGetIdentityError", "AgentAuthenticationError"],
}


class TestNames(unittest.TestCase):
    def test_errors_are_found_in_a_second_place(self):
        for module, names in SECOND_PLACES.items():
            found = importlib.import_module(f"ssh2.{module}")
            for name in names:
                self.assertIs(getattr(found, name), getattr(exceptions, name))

    def test_an_error_is_found_by_every_class_above_it(self):
        self.assertTrue(issubclass(exceptions.Timeout,
                                   exceptions.SessionError))
        self.assertTrue(issubclass(exceptions.SFTPNoSuchFileError,
                                   exceptions.SFTPProtocolError))
        self.assertTrue(issubclass(exceptions.SFTPNoSuchFileError,
                                   FileNotFoundError))
        self.assertTrue(issubclass(exceptions.SFTPPermissionDeniedError,
                                   PermissionError))

    def test_what_libssh2_lacks_is_not_implemented(self):
        version = utils.version().decode()
        with self.assertRaisesRegex(NotImplementedError,
                                    f"^libssh2 {version} has no libssh2_x$") \
                as caught:
            binding.raise_missing("libssh2_x")
        self.assertIs(type(caught.exception), exceptions.FunctionMissingError)
        self.assertIsInstance(caught.exception, exceptions.SSH2Error)

    def test_the_version_is_bytes(self):
        self.assertIsInstance(ssh2.__version__, str)
        self.assertIsInstance(utils.version(), bytes)
        self.assertIsNone(utils.version(0xFF0000))

    def test_codes_are_handled_by_raising(self):
        for code in (0, EAGAIN, 5):
            self.assertEqual(utils.handle_error_codes(code), code)
        with self.assertRaises(exceptions.Timeout):
            utils.handle_error_codes(error_codes.LIBSSH2_ERROR_TIMEOUT)
        self.assertEqual(error_codes.LIBSSH2CHANNEL_EAGAIN, EAGAIN)

    def test_lines_are_found_whatever_ends_them(self):
        for data, pos, found in [
                (b"a\nb", 0, (1, 1)), (b"\nb", 0, (0, 1)),
                (b"a\r\nb", 0, (1, 2)), (b"ab", 0, (-1, 0)),
                (b"\0a\n", 0, (2, 1)), (b"x\ny\n", 2, (1, 1)),
                (b"", 0, (-1, 0))]:
            self.assertEqual(utils.find_eol(data, pos), found, data)

    def test_methods_have_a_type_of_their_own(self):
        self.assertIsInstance(LIBSSH2_METHOD_KEX, MethodType)


class TestShapes(unittest.TestCase):
    def setUp(self):
        self.session = connect()

    def test_listening_in_the_older_order_gives_the_same(self):
        for old in [("127.0.0.1", 0, 0, 4), (None, 0, 1234, 4)]:
            listener, port = self.session.forward_listen_ex(*old)
            self.assertIs(listener.session, self.session)
            self.assertGreater(port, 0)
            with listener:
                self.assertEqual(listener.forward_cancel(), 0)
        self.session.set_blocking(False)
        server("stop")
        self.addCleanup(server, "cont")
        self.assertEqual(self.session.forward_listen_ex("", 0, 0, 1), (-37, 0))
        self.assertEqual(self.session.forward_listen_ex(1), (-37, 0))

    def test_success_is_zero(self):
        channel = self.session.open_session()
        path = f"{ENV['SSH2_TMP']}/zero"
        sftp = self.session.sftp_init()
        for rc in [channel.setenv("SSH2_TEST_A", "b"),
                   channel.execute("cat"), channel.send_eof(),
                   channel.wait_eof(), channel.close(),
                   channel.wait_closed(), sftp.mkdir(path, 0o755),
                   sftp.rename(path, path + "2"), sftp.rmdir(path + "2"),
                   self.session.disconnect()]:
            self.assertIs(type(rc), int)
            self.assertEqual(rc, 0)

    def test_nothing_to_tell_is_none(self):
        agent = self.session.agent_init()
        self.assertEqual(agent.connect(), 0)
        self.assertEqual(agent.disconnect(), 0)
        for value in [self.session.set_blocking(True),
                      self.session.set_timeout(0.0),
                      self.session.keepalive_config(False, 0),
                      shake().agent_auth(ENV["SSH2_USER"])]:
            self.assertIsNone(value)

    def test_reads_and_writes_are_pairs(self):
        channel = run(self.session, "cat; echo err >&2")
        self.assertEqual(channel.write("grün"), (0, 5))
        self.assertEqual(channel.write_ex(0, b"x"), (0, 1))
        self.assertEqual(channel.write(b""), (0, 0))
        channel.send_eof()
        self.assertEqual(read_all(channel), "grünx".encode())
        self.assertEqual(channel.read(), (0, b""))
        self.assertEqual(channel.read_stderr(size=3), (3, b"err"))
        self.assertEqual(channel.read_ex(9, 1), (1, b"\n"))

    def test_what_would_block_is_a_number(self):
        channel = run(self.session, "sleep 60")
        self.session.set_blocking(False)
        self.assertEqual(channel.read(), (EAGAIN, b""))
        self.assertEqual(channel.wait_eof(), EAGAIN)
        server("stop")
        try:
            self.assertEqual(self.session.open_session(), EAGAIN)
            sent = 0
            while True:
                rc, count = channel.write(bytes(4000000))
                sent += count
                if not count:
                    break
            self.assertEqual(rc, EAGAIN)
            self.assertGreater(sent, 2000000)
        finally:
            server("cont")
        self.assertIs(channel == EAGAIN, False)

    def test_a_partial_write_goes_on_where_it_stopped(self):
        channel = run(self.session, "sleep 0.3; cat")
        data, got, sent = os.urandom(5000000), b"", 0
        self.session.set_blocking(False)
        while sent < len(data):
            rc, count = channel.write(data[sent:])
            self.assertIn(rc, (0, EAGAIN))
            sent += count
            got += channel.read(1 << 20)[1]
            if rc == EAGAIN and not count:
                utils.wait_socket(self.session.sock, self.session)
        while channel.send_eof() == EAGAIN:
            utils.wait_socket(self.session.sock, self.session)
        while not channel.eof():
            got += channel.read(1 << 20)[1]
            utils.wait_socket(self.session.sock, self.session, timeout=0.1)
        self.assertTrue(got == data)

    def test_an_exit_signal_is_four_values(self):
        channel = run(self.session, "kill -TERM $$")
        channel.wait_eof()
        channel.close()
        signal = channel.get_exit_signal()
        self.assertEqual((len(signal), signal[:2]), (4, (0, b"TERM")))

    def test_names_of_libssh2_s_own(self):
        channel = run(self.session, "cat")
        self.assertEqual(channel.handle_extended_data(0), 0)
        self.assertEqual(channel.ignore_extended_data(0), 0)
        self.assertEqual(channel.handle_extended_data2(0), 0)
        before = channel.window_read()
        self.assertEqual(channel.window_read_ex(0, 0), before)
        self.assertEqual(channel.receive_window_adjust2(4096, 1), 0)
        self.assertGreater(channel.receive_window_adjust(4096, 1), 0)
        self.assertEqual(channel.window_read(), before + 8192)
        self.assertGreater(channel.window_write(), 0)
        self.assertGreater(channel.window_write_ex(0), 0)
        session = Session()
        self.assertEqual(session.startup(shake_socket()), 0)

    def test_directories_are_generators(self):
        sftp = self.session.sftp_init()
        path = f"{ENV['SSH2_TMP']}/names"
        sftp.mkdir(path, 0o755)
        entries = list(sftp.opendir(path).readdir())
        self.assertEqual(sorted(e[1] for e in entries), [b".", b".."])
        self.assertTrue(all(e[0] == len(e[1]) for e in entries))
        self.assertIsInstance(entries[0][2], SFTPAttributes)
        for size, name, long, attrs in sftp.opendir(path).readdir_ex():
            self.assertEqual(size, len(name))
            self.assertTrue(long.endswith(name), long)
            self.assertTrue(attrs.permissions)

    def test_handles_are_contexts_and_iterators(self):
        sftp = self.session.sftp_init()
        path = f"{ENV['SSH2_TMP']}/iterated"
        flags = LIBSSH2_FXF_CREAT | LIBSSH2_FXF_WRITE
        with sftp.open(path, flags, 0o600) as handle:
            self.assertEqual(handle.write(b"hello"), (0, 5))
            self.assertFalse(handle.closed)
        self.assertTrue(handle.closed)
        self.assertIsNone(handle.close())
        with sftp.open(path, LIBSSH2_FXF_READ, 0) as handle:
            self.assertEqual(list(handle), [(5, b"hello")])
            for method in (handle.seek, handle.seek64):
                self.assertIsNone(method(0))
            self.assertIsNone(handle.rewind())

    def test_the_long_names_of_sftp(self):
        sftp = self.session.sftp_init()
        path = f"{ENV['SSH2_TMP']}/long"
        flags = LIBSSH2_FXF_CREAT | LIBSSH2_FXF_WRITE
        with sftp.open_ex(path, len(path), flags, 0o600, 0) as handle:
            attrs = SFTPAttributes()
            handle.fstat_ex(attrs, 0)
            self.assertEqual(attrs.permissions & 0o777, 0o600)
            attrs.flags = LIBSSH2_SFTP_ATTR_PERMISSIONS
            attrs.permissions = 0o640
            handle.fstat_ex(attrs, 1)
        self.assertEqual(sftp.stat(path).permissions & 0o777, 0o640)
        # A length that lies is of no account.
        self.assertEqual(sftp.rename_ex(path, 4000, path + "2", 4000, 7), 0)
        self.assertEqual(sftp.unlink(path + "2"), 0)

    def test_the_host_key_is_a_pair(self):
        key, kind = self.session.hostkey()
        self.assertIs(type(key), bytes)
        self.assertIs(type(kind), int)
        self.assertIsInstance(self.session.methods(LIBSSH2_METHOD_KEX), str)
        self.assertIsNone(Session().methods(LIBSSH2_METHOD_KEX))
        self.assertEqual(Session().last_error(), "")

    def test_everything_can_be_given_by_keyword(self):
        session = shake()
        session.userauth_publickey_fromfile(
            username=ENV["SSH2_USER"], privatekey=ENV["SSH2_KEY"],
            passphrase="", publickey=None)
        hosts = session.knownhost_init()
        hosts.readfile(filename=ENV["SSH2_KNOWN_HOSTS"], f_type=1)
        key, _ = session.hostkey()
        entry = hosts.checkp(host=HOST, port=int(ENV["SSH2_PORT"]), key=key,
                             typemask=1 << 16 | 1)
        self.assertEqual(entry.key, key)
        self.assertTrue(hosts.writeline(entry=entry, f_type=1, buf_len=1024))
        self.assertEqual(session.flag(set_flag=2, value=True), None)

    def test_waiting_for_a_socket_tells_what_is_ready(self):
        channel = run(self.session, "sleep 0.2; echo x")
        self.session.set_blocking(False)
        self.assertEqual(channel.read()[0], EAGAIN)
        ready = utils.wait_socket(self.session.sock, self.session, timeout=5)
        self.assertEqual(ready[0], [self.session.sock])


def shake_socket():
    import socket
    return socket.create_connection((HOST, int(ENV["SSH2_PORT"])))
