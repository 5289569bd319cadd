"""The servers, and the ways to them: loopback, or one that takes its time.

A round trip is made longer by the kernel (netem between two network
namespaces) or, where it lacks netem, by a process that passes packets on
between two tun devices in such namespaces, as late; TCP is the kernel's, from
end to end. Without the right to make namespaces, a process relays connections
on loopback: TCP's own handshake and its slow start then cost no time.

Namespaces have no names: they are gone when the last process in them is.
"""

import contextlib
import ctypes
import fcntl
import os
import pwd
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from queue import SimpleQueue

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests/sshd"))
import fixture

LOOPBACK = "127.0.0.1"
NEAR, FAR = "198.18.0.1", "198.18.0.2"  # RFC 2544: what benchmarks may use
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
TUNSETIFF, TUNSETOFFLOAD = 0x400454CA, 0x400454D0
IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 1, 0x1000, 0x4000
OFFLOADS = 1 | 2  # checksums, and TCP segments that are cut later
PACKET = 1 << 17

CIPHERS = {
    "any": "",
    "ctr": "Ciphers aes256-ctr\nMACs hmac-sha2-256\n",
    "gcm": "Ciphers aes256-gcm@openssh.com\n",
}
SSHD_CONFIG = """\
HostKey {dir}/host/key
AuthorizedKeysFile {dir}/authorized_keys
Subsystem sftp internal-sftp
SetEnv HOME={dir}/home
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitUserRC no
MaxStartups 2000
PrintMotd no
PrintLastLog no
PidFile none
LogLevel ERROR
"""


def child(run, *arguments):
    """A process that calls run(*arguments) until it is killed."""
    pid = os.fork()
    if pid == 0:
        fixture.prctl(fixture.PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with contextlib.suppress(BaseException):
            run(*arguments)
        os._exit(1)
    return pid


# --- namespaces -------------------------------------------------------------


def must(result):
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def enter(namespace):
    must(LIBC.setns(namespace, CLONE_NEWNET))


def inside(namespace, run, *arguments):
    """run(*arguments) by a thread in a namespace, None: a new one."""
    answer = []

    def thread():
        try:
            if namespace is None:
                must(LIBC.unshare(CLONE_NEWNET))
            else:
                enter(namespace)
            answer.append((run(*arguments), None))
        except (OSError, subprocess.CalledProcessError) as err:
            answer.append((None, err))

    worker = threading.Thread(target=thread)
    worker.start()
    worker.join()
    value, err = answer[0]
    if err:
        raise OSError(f"{err}") from err
    return value


def namespace():
    return inside(None, os.open, "/proc/thread-self/ns/net", os.O_RDONLY)


def ip(*arguments, program="ip"):
    subprocess.run([fixture.found(program) or program, *arguments],
                   check=True, capture_output=True)


def netem(near, far, delay):
    inside(near, ip, "link", "add", "ssh2", "type", "veth", "peer", "name",
           "ssh2", "netns", f"/proc/{os.getpid()}/fd/{far}")
    for space in (near, far):
        inside(space, lambda: ip(
            "qdisc", "add", "dev", "ssh2", "root", "netem", "delay",
            f"{delay / 2}ms", "limit", "100000", program="tc"))


def tun():
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"ssh2", flags))
    fcntl.ioctl(fd, TUNSETOFFLOAD, OFFLOADS)
    return fd


def late(here, there, delay):
    """Pass packets on between two devices, each after its time."""
    ways = [(here, there, deque()), (there, here, deque())]
    while True:
        due = min((w[2][0][0] for w in ways if w[2]), default=None)
        wait = None if due is None else max(due - time.monotonic(), 0)
        came, _, _ = select.select([here, there], [], [], wait)
        for fd, _, queue in ways:
            with contextlib.suppress(BlockingIOError):
                for _ in range(64 if fd in came else 0):
                    packet = os.read(fd, PACKET)
                    queue.append((time.monotonic() + delay, packet))
        now = time.monotonic()
        for _, to, queue in ways:
            while queue and queue[0][0] <= now:
                with contextlib.suppress(OSError):
                    os.write(to, queue.popleft()[1])


class Far:
    """A server's place at the end of a link in namespaces."""

    host = FAR

    def __init__(self, delay):
        self.near, self.far = namespace(), namespace()
        try:
            netem(self.near, self.far, delay)
            self.how = "netem between network namespaces"
        except OSError:
            # What may have been made goes before anything takes its name.
            os.close(self.near)
            os.close(self.far)
            self.near, self.far = namespace(), namespace()
            ends = inside(self.near, tun), inside(self.far, tun)
            child(late, *ends, delay / 2000)
            for fd in ends:
                os.close(fd)
            self.how = "packets passed on late between network namespaces"
        for space, address in ((self.near, NEAR), (self.far, FAR)):
            inside(space, ip, "addr", "add", f"{address}/30", "dev", "ssh2")
            inside(space, ip, "link", "set", "ssh2", "up")

    def listen(self):
        return inside(self.far, socket.create_server, (FAR, 0))

    def enter(self):
        enter(self.near)


# --- loopback ---------------------------------------------------------------


def pump(source, sink, delay):
    """Pass on what one side says, each piece after its time."""
    queue = SimpleQueue()

    def out():
        with contextlib.suppress(OSError):
            while True:
                due, data = queue.get()
                time.sleep(max(due - time.monotonic(), 0))
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)

    threading.Thread(target=out, daemon=True).start()
    data = b"-"
    while data:
        try:
            data = source.recv(1 << 18)
        except OSError:
            data = b""
        queue.put((time.monotonic() + delay, data))


def relay(sock, port, delay):
    while True:
        conn, _ = sock.accept()
        to = socket.create_connection((LOOPBACK, port))
        for end in (conn, to):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for pair in ((conn, to), (to, conn)):
            threading.Thread(target=pump, args=(*pair, delay),
                             daemon=True).start()


class Near:
    """A server's place on loopback, behind a relay if it is to be late."""

    host = LOOPBACK
    enter = None

    def __init__(self, delay):
        self.delay = delay / 2000
        self.how = "connections relayed on loopback" if delay else "loopback"

    def listen(self):
        return socket.create_server((LOOPBACK, 0))


def way(delay):
    if delay and os.geteuid() == 0 and not os.environ.get("BENCH_RELAY"):
        with contextlib.suppress(OSError):
            return Far(delay)
    return Near(delay)


# --- servers ----------------------------------------------------------------


def serve(sock, argv, log):
    """Answer each connection by an `sshd -i`."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        conn, _ = sock.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.setsid()
            for fd, to in ((conn, 0), (conn, 1), (log, 2)):
                os.dup2(fd.fileno(), to)
            os.execv(argv[0], argv)
        conn.close()


class Servers:
    def __init__(self, root):
        self.root, self.ways, self.ports = root, {}, {}
        self.log = open(root / "log", "ab", 0)  # noqa: SIM115
        fixture.prctl(fixture.PR_SET_CHILD_SUBREAPER, 1)
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        # What every peer can read, and none needs another library for.
        kind = {"key": ["-t", "ecdsa", "-m", "PEM"]}
        fixture.make_keys(root / "host", kind)
        fixture.make_keys(root / "user", kind)
        (root / "authorized_keys").write_text(
            fixture.public(root / "user/key") + "\n")
        self.env = {
            "SSH2_USER": pwd.getpwuid(os.getuid()).pw_name,
            "SSH2_KEY": str(root / "user/key"),
            "SSH2_KNOWN_HOSTS": str(root / "known_hosts"),
        }

    def place(self, cipher, delay):
        """Environment and `enter` of those that call this server."""
        if delay not in self.ways:
            self.ways[delay] = way(delay)
        by = self.ways[delay]
        if (cipher, delay) not in self.ports:
            self.ports[cipher, delay] = self.start(by, cipher)
            key = fixture.public(self.root / "host/key")
            (self.root / "known_hosts").write_text("".join(
                f"[{self.ways[d].host}]:{port} {key}\n"
                for (_, d), port in self.ports.items()))
        return self.env | {"SSH2_HOST": by.host, "SSH2_PORT":
                           str(self.ports[cipher, delay])}, by.enter

    def start(self, by, cipher):
        config = self.root / f"sshd_{cipher}"
        config.write_text(
            CIPHERS[cipher] + SSHD_CONFIG.format(dir=self.root))
        argv = [fixture.tool("sshd"), "-i", "-e", "-f", str(config)]
        sock = by.listen()
        sock.listen(128)
        child(serve, sock, argv, self.log)
        port = sock.getsockname()[1]
        sock.close()
        if isinstance(by, Near) and by.delay:
            front = by.listen()
            child(relay, front, port, by.delay)
            port = front.getsockname()[1]
            front.close()
        return port

    def stop(self):
        """End every process below this one, wherever it was reparented."""
        def below():
            return {p for p, state, parent, _ in fixture.processes()
                    if parent == os.getpid() and state != "Z"}

        for _ in range(40):
            for pid in below():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if fixture.wait_until(lambda: not below(), 0.25):
                break
        self.log.close()
