"""Greenlets whose calls block, while gevent waits for them all."""
from gevent import monkey

monkey.patch_all()

import socket
import sys
import time

import gevent
import gevent.select

import ssh2
from ssh2.session import Session

host, port, user, key = sys.argv[1:]


def wait(fd, wake_fd, directions, timeout):
    read = [wake_fd, fd] if fd >= 0 and directions & 1 else [wake_fd]
    write = [fd] if fd >= 0 and directions & 2 else []
    return any(gevent.select.select(read, write, [], timeout))


ssh2.set_wait(wait)
ticks = []


def tick():
    while True:
        gevent.sleep(0.05)
        ticks.append(1)


def connect(sock):
    session = Session()
    session.handshake(sock)
    session.userauth_publickey_fromfile(user, key)
    return session


def run(session, command):
    channel = session.open_session()
    channel.execute(command)
    data = b""
    for part in iter(lambda: channel.read()[1], b""):
        data += part
    channel.close()
    return data


spawned = gevent.spawn(tick)
outer = connect(socket.create_connection((host, int(port))))
begun = time.monotonic()
jobs = [gevent.spawn(run, outer, f"sleep 5; echo {i}") for i in range(5)]
gevent.joinall(jobs, raise_error=True)
print(*[job.value for job in jobs])
print("at once:", time.monotonic() - begun < 24)
print("the hub ran:", len(ticks) > 10)
inner = connect(outer.direct_tcpip(host, int(port)))
print("through the first:", len(run(inner, "head -c 300000 /dev/zero")))
inner.close()
outer.disconnect()
