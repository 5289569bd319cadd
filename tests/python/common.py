"""What the tests of this folder share: sessions, and the servers' other end."""
import importlib.util
import os
import socket
import tempfile
import threading
import unittest

from ssh2.session import Session

ENV = os.environ
HOST, PORT = ENV["SSH2_HOST"], int(ENV["SSH2_PORT"])
SANITIZED = bool(ENV.get("SSH2_SANITIZE"))
# Greenlets move stacks, which a sanitizer takes for an error.
with_gevent = unittest.skipIf(
    SANITIZED or not importlib.util.find_spec("gevent"),
    "gevent is not installed, or the build is sanitized")


def shake(port=PORT):
    session = Session()
    session.handshake(socket.create_connection((HOST, port)))
    return session


def connect(port=PORT):
    session = shake(port)
    session.userauth_publickey_fromfile(ENV["SSH2_USER"], ENV["SSH2_KEY"])
    return session


def run(session, command):
    channel = session.open_session()
    channel.execute(command)
    return channel


def read_all(stream):
    return b"".join(iter(lambda: stream.read(1024)[1], b""))


def fifo():
    """The path of a new one: who reads it waits until the test writes it."""
    path = tempfile.mkdtemp(dir=ENV["SSH2_TMP"]) + "/fifo"
    os.mkfifo(path)
    return path


def server(verb):
    """Stop, continue or kill sshd's side of all connections."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(ENV["SSH2_CONTROL"])
        sock.sendall(verb.encode() + b"\n")
        sock.recv(64)


class Relay:
    """A way to sshd that counts the bytes that come to it."""

    def __init__(self):
        self.received = 0
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        near = self.listener.accept()[0]
        far = socket.create_connection((HOST, PORT))
        threading.Thread(target=self.copy, args=(far, near), daemon=True) \
            .start()
        self.copy(near, far, count=True)

    def copy(self, source, sink, count=False):
        try:
            while data := source.recv(65536):
                self.received += len(data) if count else 0
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
