"""A local port whose connections are forwarded, and its use by this program."""
import select
import socket
import sys
import threading

from ssh2.error_codes import LIBSSH2_ERROR_EAGAIN
from ssh2.session import Session
from ssh2.utils import wait_socket

host, port, user, key = sys.argv[1:]


def connect(sock):
    session = Session()
    session.handshake(sock)
    session.userauth_publickey_fromfile(user, key)
    return session


class Tunnel(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.sock = socket.create_connection((host, int(port)))
        self.session = connect(self.sock)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def send(self, channel, data):
        total = 0
        while total < len(data):
            rc, written = channel.write(data[total:])
            total += written
            if rc == LIBSSH2_ERROR_EAGAIN:
                wait_socket(self.sock, self.session)

    def run(self):
        forward_sock, addr = self.listener.accept()
        channel = self.session.direct_tcpip_ex(host, int(port), *addr)
        self.session.set_blocking(False)
        with forward_sock:
            while not channel.eof():
                select.select([forward_sock, self.sock], [], [], 1)
                size, data = channel.read(65536)
                while size > 0:
                    forward_sock.sendall(data)
                    size, data = channel.read(65536)
                if select.select([forward_sock], [], [], 0)[0]:
                    data = forward_sock.recv(65536)
                    if not data:
                        break
                    self.send(channel, data)
        while channel.close() == LIBSSH2_ERROR_EAGAIN:
            wait_socket(self.sock, self.session)


tunnel = Tunnel()
tunnel.start()
inner = connect(socket.create_connection(("127.0.0.1", tunnel.port)))
channel = inner.open_session()
channel.execute("head -c 500000 /dev/zero | tr '\\0' x")
total = 0
size, data = channel.read()
while size > 0:
    assert data == b"x" * size
    total += size
    size, data = channel.read()
print("through the tunnel:", total)
channel.close()
inner.disconnect()
inner.sock.close()
tunnel.join(20)
print("ended:", not tunnel.is_alive())
