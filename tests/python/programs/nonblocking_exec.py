"""Run a command over a session that does not block, and wait by select()."""
import argparse
import select
import socket

from ssh2.error_codes import LIBSSH2_ERROR_EAGAIN
from ssh2.session import (
    LIBSSH2_SESSION_BLOCK_INBOUND,
    LIBSSH2_SESSION_BLOCK_OUTBOUND,
    Session,
)
from ssh2.utils import wait_socket

parser = argparse.ArgumentParser()
parser.add_argument("host")
parser.add_argument("port", type=int)
parser.add_argument("user")
parser.add_argument("key")
parser.add_argument("cmd")
args = parser.parse_args()


def own_wait(sock, session, timeout=1):
    directions = session.block_directions()
    if directions == 0:
        return 0
    readfds = [sock] if directions & LIBSSH2_SESSION_BLOCK_INBOUND else ()
    writefds = [sock] if directions & LIBSSH2_SESSION_BLOCK_OUTBOUND else ()
    return select.select(readfds, writefds, (), timeout)


sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
sock.connect((args.host, args.port))
session = Session()
session.handshake(sock)
session.userauth_publickey_fromfile(args.user, args.key)
session.set_blocking(False)

chan = session.open_session()
print("would block:", chan == LIBSSH2_ERROR_EAGAIN)
while chan == LIBSSH2_ERROR_EAGAIN:
    own_wait(sock, session)
    chan = session.open_session()
while chan.execute(args.cmd) == LIBSSH2_ERROR_EAGAIN:
    wait_socket(sock, session)

size, data = chan.read()
while size == LIBSSH2_ERROR_EAGAIN:
    own_wait(sock, session)
    size, data = chan.read()
while size > 0:
    print(data.decode("utf-8"), end="")
    size, data = chan.read()
    while size == LIBSSH2_ERROR_EAGAIN:
        wait_socket(sock, session)
        size, data = chan.read()

while chan.wait_eof() == LIBSSH2_ERROR_EAGAIN:
    wait_socket(sock, session)
while chan.close() == LIBSSH2_ERROR_EAGAIN:
    wait_socket(sock, session)
while chan.wait_closed() == LIBSSH2_ERROR_EAGAIN:
    wait_socket(sock, session)
print("exit status:", chan.get_exit_status())
