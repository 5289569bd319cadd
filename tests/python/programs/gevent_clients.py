"""Many hosts at once with gevent, in the manner of a parallel client.

What may block runs in gevent's native threads; the rest does not block, and
waits by gevent's poll().
"""
from gevent import monkey

monkey.patch_all()

import socket
import sys
import time

import gevent
from gevent import get_hub, spawn
from gevent.queue import Queue
from gevent.select import POLLIN, POLLOUT, poll
from ssh2.error_codes import LIBSSH2_ERROR_EAGAIN
from ssh2.exceptions import SFTPProtocolError
from ssh2.session import (
    LIBSSH2_SESSION_BLOCK_INBOUND,
    LIBSSH2_SESSION_BLOCK_OUTBOUND,
    Session,
)
from ssh2.sftp import LIBSSH2_FXF_READ, LIBSSH2_SFTP_S_IRUSR
from ssh2.utils import find_eol

host, port, user, key = sys.argv[1:]
THREAD_POOL = get_hub().threadpool


class SSHClient:
    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.settimeout(10)
        self.sock.connect((host, int(port)))
        self.session = Session()
        THREAD_POOL.apply(self.session.handshake, (self.sock,))
        THREAD_POOL.apply(self.session.userauth_publickey_fromfile,
                          (user, key), {"passphrase": ""})
        THREAD_POOL.apply(self.session.agent_init)
        self.session.set_blocking(0)
        self.session.keepalive_config(False, 60)

    def eagain(self, func, *args, **kwargs):
        ret = func(*args, **kwargs)
        while ret == LIBSSH2_ERROR_EAGAIN:
            self.poll()
            ret = func(*args, **kwargs)
        return ret

    def poll(self, timeout=None):
        directions = self.session.block_directions()
        if directions == 0:
            return
        events = 0
        if directions & LIBSSH2_SESSION_BLOCK_INBOUND:
            events = POLLIN
        if directions & LIBSSH2_SESSION_BLOCK_OUTBOUND:
            events |= POLLOUT
        poller = poll()
        poller.register(self.sock, eventmask=events)
        poller.poll(timeout)

    def reader(self, read_func, queue):
        """Lines of one stream, as they come."""
        remainder = b""
        while True:
            size, data = read_func()
            while size == LIBSSH2_ERROR_EAGAIN:
                self.poll(1)
                size, data = read_func()
            if size <= 0:
                break
            data = remainder + data
            pos = 0
            linesep, new_line_pos = find_eol(data, pos)
            while linesep > -1:
                queue.put(data[pos:pos + linesep])
                pos += linesep + new_line_pos
                linesep, new_line_pos = find_eol(data, pos)
            remainder = data[pos:]
        if remainder:
            queue.put(remainder)
        queue.put(StopIteration)

    def run_command(self, command):
        channel = self.eagain(self.session.open_session)
        self.eagain(channel.execute, command)
        out, err = Queue(), Queue()
        spawn(self.reader, channel.read, out)
        spawn(self.reader, channel.read_stderr, err)
        lines = list(out), list(err)
        self.eagain(channel.close)
        self.eagain(channel.wait_closed)
        return *lines, channel.get_exit_status()

    def size_of(self, path):
        sftp = self.eagain(self.session.sftp_init)
        handle = self.eagain(sftp.open, path, LIBSSH2_FXF_READ,
                             LIBSSH2_SFTP_S_IRUSR)
        total = 0
        with handle as remote_fh:
            for size, data in remote_fh:
                if size == LIBSSH2_ERROR_EAGAIN:
                    self.poll()
                total += len(data)
        try:
            self.eagain(sftp.stat, "/none/at/all")
        except SFTPProtocolError:
            return total

    def disconnect(self):
        self.eagain(self.session.disconnect)
        self.sock.close()


def one(number):
    client = SSHClient()
    result = client.run_command(
        f"sleep 5; echo out {number}; echo; echo err >&2; printf end; exit 3")
    size = client.size_of(key)
    client.disconnect()
    return *result, size == len(open(key).read())


begun = time.monotonic()
jobs = [spawn(one, number) for number in range(5)]
gevent.joinall(jobs, raise_error=True)
for job in jobs:
    print(*job.value)
print("at once:", time.monotonic() - begun < 24)
