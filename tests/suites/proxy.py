"""A line between a client and sshd that can be cut, held up or cut small.

One connection at a time.  `up` is what the client says, `down` what sshd does.
"""
import contextlib
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


@dataclass(frozen=True)
class Fault:
    """What befalls the bytes of one way, or of both, from `at` on."""
    mode: str = "none"
    way: str = "down"
    at: int = 0

    def __str__(self):
        return f"{self.mode} {self.way} {self.at}"

    def hits(self, way):
        return self.mode != "none" and self.way in (way, "both")


class Line(threading.Thread):
    """What one connection says, one way."""

    def __init__(self, link, way, source, sink):
        super().__init__(daemon=True)
        self.link, self.way, self.source, self.sink = link, way, source, sink
        self.passed, self.reads = 0, []

    def run(self):
        with contextlib.suppress(OSError):
            while data := self.source.recv(65536):
                if not self.carry(data):
                    return
            self.sink.shutdown(socket.SHUT_WR)

    def carry(self, data):
        """Pass it on; False if that was the last."""
        fault = self.link.fault
        start, self.passed = self.passed, self.passed + len(data)
        self.reads.append(self.passed)
        if not fault.hits(self.way) or fault.at >= self.passed:
            self.sink.sendall(data)
            return True
        at = max(fault.at - start, 0)
        if start <= fault.at:
            self.link.struck = True
            self.sink.sendall(data[:at])
        return getattr(self, fault.mode)(data[at:], start <= fault.at)

    def fin(self, rest, first):
        """This way ends here, in an orderly way; the other goes on."""
        self.sink.shutdown(socket.SHUT_WR)
        while self.source.recv(65536):
            pass

    def end(self, rest, first):
        """Both ways end."""
        for sock in self.link.ends:
            sock.shutdown(socket.SHUT_WR)
        while self.source.recv(65536):
            pass

    def rst(self, rest, first):
        """Both ends are told that there is no such connection."""
        for sock in self.link.ends:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        for sock in self.link.ends:  # the other thread sleeps on one of them
            sock.shutdown(socket.SHUT_RD)
        self.link.closing.set()

    def stall(self, rest, first):
        """Not a byte more, nor an end."""
        self.link.closing.wait()

    def delay(self, rest, first):
        if first:
            time.sleep(0.25)
        self.sink.sendall(rest)
        return True

    def split(self, rest, first):
        """A thousand bytes one by one."""
        few = max(self.link.fault.at + 1000 - self.passed + len(rest), 0)
        for i in range(len(rest[:few])):
            self.sink.sendall(rest[i:i + 1])
        self.sink.sendall(rest[few:])
        return True

    def single(self, rest, first):
        """Every byte by itself, to the end."""
        for i in range(len(rest)):
            self.sink.sendall(rest[i:i + 1])
        return True

    def coalesce(self, rest, first):
        """All that comes within a moment goes at once."""
        more = [rest]
        self.source.settimeout(0.02)
        with contextlib.suppress(TimeoutError):
            while data := self.source.recv(65536):
                more.append(data)
        self.source.settimeout(None)
        self.passed += sum(map(len, more[1:]))
        self.sink.sendall(b"".join(more))
        return True

    def throttle(self, rest, first):
        """Two hundred bytes in two milliseconds."""
        for i in range(0, len(rest), 200):
            self.sink.sendall(rest[i:i + 200])
            time.sleep(0.002)
        return True


class Link:
    """One connection through `proxy`, which `fault` befalls."""

    def __init__(self, proxy, fault):
        self.fault, self.struck = fault, False
        self.closing = threading.Event()
        self.ends, self.lines = [], []
        self.thread = threading.Thread(target=self.serve, args=(proxy,),
                                       daemon=True)
        self.thread.start()

    def serve(self, proxy):
        while not select.select([proxy.sock], [], [], 0.2)[0]:
            if self.closing.is_set():
                return
        client, _ = proxy.sock.accept()
        server = socket.create_connection(("127.0.0.1", proxy.port))
        self.ends = [client, server]
        for sock in self.ends:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lines = [Line(self, "up", client, server),
                      Line(self, "down", server, client)]
        for line in self.lines:
            line.start()
        ended = threading.Thread(target=self.wait, daemon=True)
        ended.start()
        self.closing.wait()
        for sock in self.ends:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RD)
        if self.fault.mode != "rst":
            for sock in self.ends:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        ended.join()
        for sock in self.ends:
            sock.close()

    def wait(self):
        for line in self.lines:
            line.join()
        self.closing.set()

    def passed(self):
        """How many bytes have come, each way."""
        return {line.way: line.passed for line in self.lines}

    def close(self):
        self.closing.set()
        self.thread.join()


class Proxy:
    def __init__(self, port):
        self.port = port
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=8)
        self.at = self.sock.getsockname()[1]

    def link(self, fault):
        return Link(self, fault)
