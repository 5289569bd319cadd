#!/usr/bin/python3
"""An SSH server that lies, once, where and how the client's banner says.

    rogue.py lies     prints every lie: STEP:LIE

"SSH-2.0-STEP:LIE" asks for a lie; none:none for none, sftp:any for liar.py's,
by the path; sftp:full for a disk that is full, behind a window that grows, and
sftp:small for one behind small packets; sftp:narrow for a window of less than a
client may ask for ahead, sftp:least for hardly any; sftp:ends for SFTP that ends
when another channel is opened, sftp:last for one that ends with its first answer
of attributes, sftp:empty for one that ends at once;
auth:algorithms for one that tells a client of the same algorithm over and over,
auth:rounds for one that asks twice; forward:late for a connection that comes as
its port is given up; etm:more for a packet with an encrypt-then-MAC that is all
padding, and more, etm:less for one that is less than a block.  STEP is one of
STEPS, what the server says in a conversation; LIE is a method of Lies below, or
one of

    fieldN_KIND       the N-th part of the message has another value, or a
                      length that lies
    before_MESSAGE    a message that does not belong there, and the truth
    after_MESSAGE     the other way round

A process for each connection.  What a client says that it must not (SECRET,
to somebody who was not proved to be the server) is noted in the file LEAKS.
"""
import contextlib
import hashlib
import hmac
import itertools
import math
import os
import re
import signal
import socket
import struct
import sys
import time

import liar
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECRET = b"the password of an honest user"
TRUTH = b"the truth, and nothing but the truth\n" * 50
ERROR = b"some words of a command\n"
COOKIE = bytes(range(16))
NARROW = {"sftp:narrow": 2400, "sftp:least": 800}  # bytes of a window
KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ANOTHER = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
P256 = ec.derive_private_key(0x1234567890abcdef, ec.SECP256R1())
# RFC 3526: group 14.
PRIME = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74"
    "020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437"
    "4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05"
    "98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB"
    "9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718"
    "3995497CEA956AE515D2261898FA051015728E5A8AACAA68FFFFFFFFFFFFFFFF", 16)

# What each message is made of: b a byte, t a truth value, u a number, s a
# string, c a cookie.
STEPS = {
    "banner": "", "kexinit": "bc" + 10 * "s" + "tu", "kexreply": "bsss",
    "newkeys": "b", "service": "bs", "authbanner": "bss", "authfail": "bst",
    "pkok": "bss", "inforequest": "bsssust", "authsuccess": "b",
    "openok": "buuuu", "openfail": "buuss", "reqok": "bu", "adjust": "buu",
    "data": "bus", "extdata": "buus", "exitstatus": "bustu",
    "exitsignal": "buststss", "eof": "bu", "close": "bu",
    "rekexinit": "bc" + 10 * "s" + "tu", "rekexreply": "bsss",
    "renewkeys": "b", "globalok": "bu", "forwarded": "bsuuususu",
    "x11open": "bsuuusu", "sftpversion": "ubuss", "sftpstatus": "ubuuss",
}
EARLY = ("banner", "kexinit", "kexreply", "newkeys", "service")
NUMBERS = {"zero": 0, "one": 1, "half": 1 << 31, "most": (1 << 32) - 1}


def u32(n):
    return struct.pack(">I", n)


def text(data):
    return u32(len(data)) + data


def mpint(n):
    return text(n.to_bytes(n.bit_length() // 8 + 1, "big") if n else b"")


def unpack(data, spec):
    """The parts of a message from a client, which is honest."""
    found = []
    for kind in spec:
        size = {"b": 1, "t": 1, "u": 4}.get(kind) or \
            4 + struct.unpack(">I", data[:4])[0]
        part, data = data[:size], data[size:]
        found.append(part[4:] if kind == "s" else int.from_bytes(part, "big"))
    return found


def pack(kind, value):
    if kind in "bt":
        return bytes([value])
    return {"u": u32, "s": text}.get(kind, bytes)(value)


def raw_key(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def blob(key):
    return text(b"ssh-ed25519") + text(raw_key(key))


def unasked(chan):
    """Messages that belong nowhere but where they were asked for."""
    def request(name, rest, reply=0, to=chan):
        return b"\x62" + u32(to) + text(name) + bytes([reply]) + rest

    def channel(kind, rest=b""):
        return b"\x5a" + text(kind) + u32(7) + u32(1 << 21) + u32(1 << 15) + \
            rest

    return {
        "disconnect": b"\x01" + u32(2) + text(b"go away") + text(b""),
        "ignore": b"\x02" + text(b"what?"),
        "unimplemented": b"\x03" + u32(3),
        "debug": b"\x04\x01" + text(b"a word") + text(b""),
        "service": b"\x06" + text(b"ssh-userauth"),
        "extinfo": b"\x07" + u32(1) + text(b"server-sig-algs") +
        text(b"ssh-ed25519"),
        "kexinit": b"\x14" + COOKIE + 10 * text(b"none") + b"\0" + u32(0),
        "newkeys": b"\x15",
        "kexreply": b"\x1f" + 3 * text(b"k"),
        "authfail": b"\x33" + text(b"password") + b"\1",
        "authsuccess": b"\x34",
        "authbanner": b"\x35" + text(b"hello\n") + text(b""),
        "inforequest": b"\x3c" + 3 * text(b"") + u32(0),
        "global": b"\x50" + text(b"hostkeys-00@openssh.com") + b"\1",
        "tell": b"\x50" + text(b"keepalive@openssh.com") + b"\0",
        "globalok": b"\x51" + u32(22),
        "globalfail": b"\x52",
        "session": channel(b"session"),
        "x11": channel(b"x11", text(b"127.0.0.1") + u32(6000)),
        "agent": channel(b"auth-agent@openssh.com"),
        "forwarded": channel(b"forwarded-tcpip", text(b"localhost") +
                             u32(22) + text(b"localhost") + u32(22)),
        "strange": channel(b"no-such-type"),
        "openok": b"\x5b" + u32(chan) + 3 * u32(1 << 15),
        "otherok": b"\x5b" + u32(77) + 3 * u32(1 << 15),
        "openfail": b"\x5c" + u32(chan) + u32(1) + text(b"no") + text(b""),
        "adjust": b"\x5d" + u32(chan) + u32(0xffffffff),
        "data": b"\x5e" + u32(chan) + text(b"lies"),
        "otherdata": b"\x5e" + u32(77) + text(b"lies"),
        "extdata": b"\x5f" + u32(chan) + u32(9) + text(b"lies"),
        "eof": b"\x60" + u32(chan),
        "close": b"\x61" + u32(chan),
        "otherclose": b"\x61" + u32(77),
        "exitstatus": request(b"exit-status", u32(3)),
        "exitsignal": request(b"exit-signal", text(b"KILL") + b"\0" +
                              u32(0xfffffff0)),
        "shortstatus": request(b"exit-status", b"\0"),
        "request": request(b"no-such@request", b"", 1),
        "otherrequest": request(b"exit-status", u32(3), 1, 77),
        "reqok": b"\x63" + u32(chan),
        "reqfail": b"\x64" + u32(chan),
        "nothing": b"\x00",
        "unknown": b"\xc0what",
        "last": b"\xff" + bytes(40),
    }


UNASKED = tuple(unasked(0))


class Lies:
    """Each is given the message that would be true."""

    def silence(self, _):
        self.listen_only()

    def hangup(self, _):
        raise EOFError

    def reset(self, _):
        self.conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        raise EOFError

    def truncated(self, payload):
        frame = self.frame(payload)
        self.write(frame[:len(frame) * 2 // 3])
        raise EOFError

    def stuck(self, payload):
        self.write(self.frame(payload)[:-5])
        self.listen_only()

    def a_byte(self, payload):
        """Nothing but the first byte."""
        self.write(self.frame(payload)[:1])
        self.listen_only()

    def unaligned(self, payload):
        """The truth, but not in whole blocks."""
        frames = [self.frame(payload, block=block) for block in (7, 9, 11)
                  if (len(payload) + 5) % block]
        self.write(frames[0])
        self.listen_only()

    def slowly(self, payload):
        """The truth, a byte at a time."""
        for byte in self.frame(payload):
            self.write(bytes([byte]))

    def garbage(self, _):
        self.write(hashlib.sha512(b"garbage").digest() * 20)
        self.listen_only()

    def zeros(self, _):
        self.write(bytes(400))
        self.listen_only()

    def ones(self, _):
        self.write(b"\xff" * 400)
        self.listen_only()

    def length(self, payload, size):
        self.write(self.frame(payload, length=size))
        self.listen_only()

    def length_none(self, payload):
        self.length(payload, 0)

    def length_one(self, payload):
        self.length(payload, 1)

    def length_five(self, payload):
        self.length(payload, 5)

    def length_odd(self, payload):
        self.length(payload, 29)

    def length_much(self, payload):
        self.length(payload, 35001)

    def length_more(self, payload):
        self.length(payload, 40004)

    def length_half(self, payload):
        self.length(payload, 1 << 31)

    def length_minus(self, payload):
        self.length(payload, (1 << 31) - 1)

    def length_most(self, payload):
        self.length(payload, (1 << 32) - 1)

    def length_wraps(self, payload):
        self.length(payload, (1 << 32) - 32)

    def padding_most(self, payload):
        self.write(self.frame(payload, padding=255))

    def padding_all(self, payload):
        """A message of no bytes: all is padding."""
        frame = self.frame(payload)
        self.write(self.frame(payload, padding=len(frame) - 5 - 32
                              if self.out else len(frame) - 5))

    def padding_none(self, payload):
        self.write(self.frame(payload, padding=0))

    def empty(self, _):
        self.send(b"")

    def bad_mac(self, payload):
        frame = self.frame(payload)
        self.write(frame[:-1] + bytes([frame[-1] ^ 1]))

    def no_mac(self, payload):
        frame = self.frame(payload)
        self.write(frame[:-32] if self.out else frame)
        self.listen_only()

    def flipped(self, payload):
        frame = bytearray(self.frame(payload))
        frame[-40 if self.out else 6] ^= 4
        self.write(frame)

    def replayed(self, payload):
        frame = self.frame(payload)
        self.write(frame + frame)

    def twice(self, payload):
        self.send(payload)
        self.send(payload)

    def half(self, payload):
        self.send(payload[:len(payload) // 2])

    def only_type(self, payload):
        self.send(payload[:1])

    def one_less(self, payload):
        self.send(payload[:-1])

    def one_more(self, payload):
        self.send(payload + b"\0")

    def much_more(self, payload):
        self.send(payload + bytes(30000))

    def most(self, payload):
        """More than RFC 4253 lets a packet have."""
        self.send(payload + bytes(34900 - len(payload)))

    def other_type(self, payload):
        self.send(bytes([(payload[0] + 1) % 256]) + payload[1:])

    def never(self, payload):
        """Left out; all that follows is true."""

    def again(self, payload):
        for _ in range(200):
            self.send(payload)

    def endless(self, payload):
        self.flood(payload)

    def endless_ignore(self, _):
        self.flood(b"\x02" + text(bytes(30000)))

    def endless_debug(self, _):
        self.flood(b"\x04\1" + text(bytes(30000)) + text(b""))

    def endless_unknown(self, _):
        self.flood(b"\xc0" + bytes(30000))

    def endless_empty(self, _):
        self.flood(b"\x02" + text(b""))

    def endless_global(self, _):
        self.flood(b"\x50" + text(bytes(30000)) + b"\0")

    def endless_asking(self, _):
        self.flood(b"\x50" + text(b"x@y") + b"\1")

    def endless_answers(self, _):
        self.flood(b"\x51" + bytes(30000))

    def endless_banners(self, _):
        self.flood(b"\x35" + text(bytes(30000)) + text(b""))

    def endless_opens(self, _):
        self.flood(unasked(0)["x11"])

    def endless_data(self, _):
        self.flood(b"\x5e" + u32(self.chan) + text(bytes(30000)))

    def endless_requests(self, _):
        self.flood(unasked(self.chan)["request"])

    def endless_windows(self, _):
        self.flood(unasked(self.chan)["adjust"])


def public(cls):
    return [name for name in vars(cls) if name[0] != "_"]


class Peer(Lies):
    def __init__(self, conn, leaks):
        self.conn, self.leaks = conn, leaks
        self.step = self.lie = "none"
        self.out = self.into = self.session = None
        self.sent = self.taken = 0
        self.chan, self.raw, self.rounds = 0, b"", 0
        self.sftp, self.sftp_in, self.then = None, b"", None
        self.writes, self.late, self.used = [], {}, 0
        self.unproved, self.where = False, ""

    # --- bytes and packets ---

    def write(self, data):
        self.conn.sendall(data)

    def read(self, count):
        while len(self.raw) < count:
            more = self.conn.recv(65536)
            if not more:
                raise EOFError
            self.heard(more)
            self.raw += more
        data, self.raw = self.raw[:count], self.raw[count:]
        return data

    def heard(self, data):
        if SECRET in data:
            with open(self.leaks, "a") as file:
                file.write(f"{self.where}\n")

    def listen_only(self):
        while True:
            self.raw = b""
            self.read(1)

    def frame(self, payload, length=None, padding=None, block=0):
        block = block or (16 if self.out else 8)
        ahead = 1 if self.out and self.where.startswith("etm:") else 5
        pad = -(len(payload) + ahead) % block
        pad += block if pad < 4 else 0
        size = len(payload) + pad + 1
        data = u32(size if length is None else length) + \
            bytes([pad if padding is None else padding]) + payload + bytes(pad)
        number = u32(self.sent)
        self.sent = (self.sent + 1) & 0xffffffff
        if not self.out:
            return data
        cipher, key = self.out
        if self.where.startswith("etm:"):
            data = data[:4] + cipher.update(data[4:])
            return data + hmac.digest(key, number + data, "sha256")
        mac = hmac.digest(key, number + data, "sha256")
        return cipher.update(data) + mac

    def send(self, payload):
        self.write(self.frame(payload))

    def flood(self, payload):
        count = max(1, 60000 // (len(payload) + 40))
        while True:
            self.write(b"".join(self.frame(payload) for _ in range(count)))

    def packet(self):
        etm = self.into and self.where.startswith("etm:")
        first = self.read(4 if etm else 16 if self.into else 8)
        if etm:
            first += self.into.update(
                self.read(struct.unpack(">I", first)[0]))
        elif self.into:
            first = self.into.update(first)
        rest = self.read(struct.unpack(">I", first[:4])[0] + 4 - len(first))
        if self.into:
            rest = self.into.update(rest)
            self.read(32)
        data = first[5:] + rest
        payload = data[:len(data) - first[4]]
        if self.unproved:
            self.heard(payload)
        return payload

    # --- the truth, and where it is not told ---

    def say(self, step, *values, inside=False):
        """Say it, or what is asked for instead; what was said."""
        parts = [pack(kind, value)
                 for kind, value in zip(STEPS[step], values, strict=True)]
        lying = step == self.step
        if lying and self.lie.startswith("field"):
            number, _, kind = self.lie[5:].partition("_")
            parts[int(number)] = self.bend(parts[int(number)], kind)
            lying, self.step = False, "none"
        payload = b"".join(parts)
        if inside:
            payload = b"\x5e" + u32(self.chan) + text(payload)
        if not lying:
            self.send(payload)
            return payload
        self.step = "none"
        when, _, what = self.lie.partition("_")
        if when == "before":
            self.send(unasked(self.chan)[what])
            self.send(payload)
        elif when == "after":
            self.send(payload)
            self.send(unasked(self.chan)[what])
        else:
            getattr(self, self.lie)(payload)
        return payload

    def bend(self, part, kind):
        if kind == "other":
            return part[:-1] + bytes([part[-1] ^ 1])
        if kind == "next":
            return u32(struct.unpack(">I", part)[0] + 1)
        if kind == "gone":
            return u32(0)
        if kind == "huge":
            return text(b"x," * 15000)
        if kind == "nul":
            return text(part[4:] + b"\0" + part[4:])
        if kind == "long":
            return u32(len(part) + 5000) + part[4:]
        return u32(NUMBERS[kind]) + part[4:]

    def lies_in(self, step, *lies):
        return self.step == step and self.lie in lies

    # --- the conversation ---

    def talk(self):
        line = b""
        while not line.endswith(b"\n"):
            line += self.read(1)
        self.theirs = line.rstrip()
        asked = re.fullmatch(rb"SSH-2\.0-(\w+):(\w+)", self.theirs)
        if asked:
            self.step, self.lie = (part.decode() for part in asked.groups())
        self.where = f"{self.step}:{self.lie}"
        self.unproved = proves_nothing(self.step, self.lie)
        if self.where == "exec:cut":  # the client's bytes stay with it
            self.conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.ours = b"SSH-2.0-rogue"
        if self.step == "banner":
            self.false_banner()
        else:
            self.write(self.ours + b"\r\n")
        self.kexinit("kexinit")
        while True:
            payload = self.packet()
            answer = getattr(self, f"on_{payload[0]}", None)
            if answer:
                answer(payload[1:])

    def false_banner(self):
        lie, self.step = self.lie, "none"
        many = {"lines": b"a line\r\n" * 5000, "line": b"a" * 50000,
                "nuls": bytes(50000), "empty": b"\r\n" * 20000}
        if lie.startswith("endless_"):
            while True:
                self.write(many[lie[8:]])
        says = {
            "version1": b"SSH-1.5-old\r\n", "version3": b"SSH-3.0-new\r\n",
            "short": b"SSH-\r\n", "no_end": b"SSH-2.0-x",
            "long": b"SSH-2.0-" + b"x" * 300 + b"\r\n",
            "longer": b"SSH-2.0-" + b"x" * 20000 + b"\r\n",
            "nul": b"SSH-2.0-\0x\r\n", "high": b"SSH-2.0-\xff\xfe\r\n",
            "no_return": b"SSH-2.0-rogue\n", "preface": b"hi\r\n" * 5 +
            b"SSH-2.0-rogue\r\n", "format": b"SSH-2.0-%s%n%s\r\n",
        }
        if lie in says:
            self.ours = says[lie].strip(b"\r\n").rpartition(b"\n")[2]
            self.write(says[lie])
        else:
            # A line is framed by nothing: such lies are those of its bytes.
            self.frame, frame = lambda _, **__: b"SSH-2.0-rogue\r\n", self.frame
            getattr(self, lie)(b"")
            self.frame = frame

    def kexinit(self, step):
        kex = b"diffie-hellman-group14-sha256" if self.lie.startswith("dh_") \
            else b"curve25519-sha256"
        names = [kex, b"ssh-ed25519", *2 * [b"aes128-ctr"],
                 *2 * [b"hmac-sha2-256"], *2 * [b"none"], b"", b""]
        if self.where.startswith("etm:"):
            names[4:6] = 2 * [b"hmac-sha2-256-etm@openssh.com"]
        if self.step == step == "kexinit" and self.lie in MARKS:
            names[0], self.step = MARKS[self.lie], "none"
        if self.step == step == "rekexinit" and self.lie in OTHER_METHODS:
            at, name = OTHER_METHODS[self.lie]
            names[at:at + 2], self.step = 2 * [name], "none"
        self.mine = self.say(step, 20, COOKIE, *names, 0, 0)

    def on_20(self, rest):
        self.client = b"\x14" + rest
        if self.session and not self.then:
            self.then = lambda: None
            self.kexinit("rekexinit")

    def on_30(self, rest):
        theirs = unpack(rest, "s")[0]
        re_ = "re" if self.session else ""
        if self.lie.startswith("dh_") and not self.session:
            value = int.from_bytes(theirs, "big")
            number, shared = {
                "dh_zero": (0, 0), "dh_one": (1, 1), "dh_prime": (PRIME, 0),
                "dh_least": (PRIME - 1, 1), "dh_more": (PRIME + 1, 1),
                "dh_huge": (1 << 20000, pow(1 << 20000, 1, PRIME)),
                "dh_true": (pow(2, 3, PRIME), pow(value, 3, PRIME)),
            }[self.lie]
            public_part, secret = mpint(number)[4:], mpint(shared)
        else:
            mine = x25519.X25519PrivateKey.generate()
            secret = mine.exchange(
                x25519.X25519PublicKey.from_public_bytes(theirs))
            public_part = raw_key(mine)
            if self.lies_in("kexreply", "point_zero", "point_one"):
                public_part = bytes([self.lie == "point_one"]) + bytes(31)
                secret = bytes(32)
            elif self.lies_in("kexreply", "point_short"):
                public_part = public_part[:31]
            elif self.lies_in("kexreply", "point_long"):
                public_part += bytes(32000)
            secret = mpint(int.from_bytes(secret, "big"))
        host, sign = blob(KEY), KEY.sign
        kind = b"ssh-ed25519"
        if self.lies_in("kexreply", "other_key"):
            sign = ANOTHER.sign
        elif self.lies_in("kexreply", "key_of_another_kind"):
            kind = b"ecdsa-sha2-nistp256"
            host = text(kind) + text(b"nistp256") + text(
                P256.public_key().public_bytes(
                    Encoding.X962, PublicFormat.UncompressedPoint))
        elif self.lies_in("kexreply", "key_short"):
            host = text(kind) + text(bytes(3))
        elif self.lies_in("kexreply", "key_name_long"):
            host = u32(0xfffffff0) + host[4:]
        elif self.lies_in("kexreply", "key_long"):
            host = text(kind) + u32(0xffffffff) + host[-32:]
        elif self.lies_in("kexreply", "key_odd"):
            host = host + bytes(10000)
        exchange = hashlib.sha256(
            text(self.theirs) + text(self.ours) + text(self.client) +
            text(self.mine) + text(host) + text(theirs) + text(public_part) +
            secret).digest()
        signature = text(kind) + text(sign(exchange))
        special = {"signature_bad": text(kind) + text(bytes(64)),
                   "signature_short": text(kind) + text(bytes(3)),
                   "signature_none": b"",
                   "signature_name_long": u32(0xffffffff) + signature[4:],
                   "signature_long": text(kind) + u32(0xfffffff0) +
                   bytes(64),
                   "signature_of_another_kind":
                   text(b"ssh-rsa") + signature[15:]}
        if self.step == "kexreply" and self.lie in special:
            signature = special[self.lie]
        if self.step == "kexreply" and self.lie in SPECIAL["kexreply"]:
            self.step = "none"
        self.say(f"{re_}kexreply", 31, host, public_part, signature)
        self.session = self.session or exchange
        keys = [hashlib.sha256(secret + exchange + letter + self.session)
                .digest() for letter in (b"A", b"B", b"C", b"D", b"E", b"F")]
        self.say(f"{re_}newkeys", 21)
        self.out = (Cipher(algorithms.AES(keys[3][:16]),
                           modes.CTR(keys[1][:16])).encryptor(), keys[5])
        self.next_in = Cipher(algorithms.AES(keys[2][:16]),
                              modes.CTR(keys[0][:16])).decryptor()

    def on_21(self, _):
        self.into = self.next_in
        if self.then:
            then, self.then = self.then, None
            then()

    def on_5(self, rest):
        if self.where == "auth:algorithms":
            self.send(b"\x07" + u32(1) + text(b"server-sig-algs") +
                      text(b",".join(2000 * [b"rsa-sha2-512"])))
        if self.where == "etm:forged":
            self.write(self.frame(b"\x06" + rest)[:-1] + b"?")
        elif self.where == "kex:amid":
            self.exchange_in_vain(b"\x06" + rest)
        else:
            self.say("service", 6, unpack(rest, "s")[0])

    def exchange_in_vain(self, payload, method=b"curve25519-sha256",
                         reply=None):
        """At once, in a packet's place: an exchange of keys that no signature
        ends, and the packet after all."""
        names = [method, b"ssh-ed25519", *2 * [b"aes128-ctr"],
                 *2 * [b"hmac-sha2-256"], *2 * [b"none"], b"", b""]
        point = raw_key(x25519.X25519PrivateKey.generate())
        self.write(b"".join(map(self.frame, (
            b"\x14" + COOKIE + b"".join(map(text, names)) + b"\0" + u32(0),
            reply or b"\x1f" + text(blob(ANOTHER)) + text(point) +
            text(text(b"ssh-ed25519") + text(bytes(64))), payload))))

    def on_50(self, rest):
        _, _, method = unpack(rest, "sss")
        if method == b"none":
            self.say("authbanner", 53, b"honest words\n", b"")
            if self.lies_in("authfail", "endless_names"):
                self.flood(b"\x33" + text(b"password," * 3000) + b"\1")
            self.say("authfail", 51,
                     b"publickey,password,keyboard-interactive", 0)
        elif method == b"publickey":
            _, _, _, signed, name, key = unpack(rest, "ssstss")
            if signed:
                self.say("authsuccess", 52)
            else:
                self.say("pkok", 60, name, key)
        elif method == b"keyboard-interactive":
            self.ask()
        else:
            self.say("authsuccess", 52)

    def ask(self):
        if self.lies_in("inforequest", "for_ever"):
            self.send(b"\x3c" + 3 * text(b"") + u32(0))
        elif self.lies_in("inforequest", "many"):
            self.send(b"\x3c" + 3 * text(b"") + u32(5000) +
                      5000 * (text(b"?") + b"\0"))
        else:
            self.say("inforequest", 60, b"name", b"please answer", b"", 1,
                     b"Password: ", 0)

    def on_61(self, _):
        if self.lies_in("inforequest", "for_ever"):
            self.ask()
        elif self.where == "auth:rounds":
            self.where = ""
            self.ask()
        else:
            self.say("authsuccess", 52)

    def on_80(self, rest):
        name, reply = unpack(rest, "st")
        if name == b"tcpip-forward":
            host = unpack(rest, "sts")[2]
            self.say("globalok", 81, 4711)
            self.say("forwarded", 90, b"forwarded-tcpip", 5, 1 << 21, 1 << 15,
                     host, 4711, b"127.0.0.1", 999)
        elif self.where == "forward:late":
            host = unpack(rest, "sts")[2]
            self.say("forwarded", 90, b"forwarded-tcpip", 6, 1 << 21, 1 << 15,
                     host, 4711, b"127.0.0.1", 998)
        elif reply:
            self.send(b"\x52")

    def on_90(self, rest):
        kind, chan, _, _ = unpack(rest, "suuu")
        self.chan = chan
        if kind == b"session" and not self.late:
            if self.where == "sftp:ends" and self.sftp:
                self.say("eof", 96, self.first)
                self.say("close", 97, self.first)
                time.sleep(0.1)
            self.first = chan
            window = 130_000 if self.where == "sftp:full" else \
                NARROW.get(self.where, 1 << 21)
            most = 4096 if self.where == "sftp:small" else 1 << 15
            self.say("openok", 91, chan, 3, window, most)
        else:
            if self.lies_in("openfail", "after_many"):
                one = b"\x5f" + u32(chan) + u32(1) + text(b"x")
                self.write(b"".join(self.frame(one) for _ in range(60000)))
            self.say("openfail", 92, chan, 2, b"nobody there", b"")

    def on_91(self, rest):
        """The client has taken a channel that was forwarded."""
        mine, self.chan = unpack(rest, "uu")
        if self.where == "forward:late":
            self.late[mine] = self.chan
            return
        self.say("data", 94, self.chan, TRUTH)
        self.say("eof", 96, self.chan)
        self.say("close", 97, self.chan)

    def on_98(self, rest):
        _, name, reply = unpack(rest, "ust")
        if self.lies_in("sftpversion", "closed"):
            self.send(b"\x61" + u32(self.chan))
            return
        if reply:
            self.say("reqok", 99, self.chan)
        if name == b"exec":
            if self.step.startswith("re") and self.step != "reqok":
                self.then = self.command
                self.kexinit("rekexinit")
            else:
                self.command()
        elif name == b"x11-req":
            self.say("x11open", 90, b"x11", 9, 1 << 21, 1 << 15, b"127.0.0.1",
                     6000)
        elif self.where == "sftp:empty":
            self.say("eof", 96, self.chan)
            self.say("close", 97, self.chan)
        elif name == b"subsystem":
            self.sftp, self.sftp_in = liar.Server(), b""
            self.sftp.send = self.sftp_says

    def command(self):
        chan = self.chan
        if self.where == "kex:later":
            self.exchange_in_vain(b"\x5e" + u32(chan) + text(TRUTH))
        elif self.where == "kex:short":
            self.exchange_in_vain(b"\x5e" + u32(chan) + text(TRUTH),
                                  b"ecdh-sha2-nistp256", b"\x1f" + 4 * b"\xff")
        if self.where == "exec:goodbye":
            self.write(b"".join(map(self.frame, (
                b"\x5e" + u32(chan) + text(TRUTH), b"\x60" + u32(chan),
                b"\x01" + u32(11) + text(b"that was all") + text(b"")))))
            return
        self.say("adjust", 93, chan, 1 << 10)
        if self.lies_in("data", "overruns"):
            for _ in range(100):
                self.send(b"\x5e" + u32(chan) + text(bytes(32000)))
        if self.lies_in("extdata", "endless_empty_ones"):  # no window counts them
            self.flood(b"\x5f" + u32(chan) + u32(1) + text(b""))
        if self.where == "etm:more":
            self.write(self.frame(b"\x5e" + u32(chan) + u32(5), padding=255))
        elif self.where == "etm:less":
            self.write(self.frame(b"\x5e", block=8))
        if self.where == "exec:cut":
            self.say("adjust", 93, chan, 1 << 30)
            time.sleep(1)
        self.say("data", 94, chan, TRUTH)
        if self.where == "exec:cut":  # what has come stays there
            self.conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
            raise EOFError
        self.say("extdata", 95, chan, 1, ERROR)
        if self.step == "exitsignal":
            self.say("exitsignal", 98, chan, b"exit-signal", 0, b"TERM", 0,
                     b"asked to end", b"")
        else:
            self.say("exitstatus", 98, chan, b"exit-status", 0, 42)
        self.say("eof", 96, chan)
        self.say("close", 97, chan)

    def sftp_says(self, data):
        if self.where == "sftp:last" and data[4] == liar.ATTRS:
            chan = u32(self.chan)
            self.write(b"".join(map(self.frame, (
                b"\x5e" + chan + text(data), b"\x60" + chan,
                b"\x61" + chan))))
            return
        for start in range(0, len(data), 30000):
            self.send(b"\x5e" + u32(self.chan) +
                      text(data[start:start + 30000]))

    def on_97(self, rest):
        chan = self.late.pop(unpack(rest, "u")[0], None)
        if chan is not None:
            self.say("close", 97, chan)
        if self.step == "sftp":
            self.send(b"\x61" + u32(self.chan))

    def on_94(self, rest):
        if not self.sftp:
            return
        data = unpack(rest, "us")[1]
        self.sftp_in += data
        self.used += len(data)
        if self.used >= NARROW.get(self.where, math.inf) / 2:
            self.say("adjust", 93, self.chan, self.used)
            self.used = 0
        while len(self.sftp_in) >= 4:
            size = struct.unpack(">I", self.sftp_in[:4])[0]
            if len(self.sftp_in) < 4 + size:
                break
            body, self.sftp_in = self.sftp_in[4:4 + size], \
                self.sftp_in[4 + size:]
            if self.lies_in("sftp", "full", "small") and \
                    body[0] == liar.WRITE:
                self.fill(struct.unpack(">I", body[1:5])[0])
            elif self.step == "sftp":
                try:
                    self.sftp.answer(body)
                except SystemExit:
                    self.send(b"\x61" + u32(self.chan))
            elif body[0] == 1:
                self.say("sftpversion", 5 + 12, 2, 3, b"a@b", b"1",
                         inside=True)
            else:
                ident = struct.unpack(">I", body[1:5])[0]
                self.say("sftpstatus", 5 + 4 + 8 + 7, 101, ident, 2,
                         b"not here"[:7], b"", inside=True)

    def fill(self, ident):
        """Two writes are taken, and no other.  The second is answered once
        three are there, after room for two more, and a little; if packets are
        small, at once."""
        self.writes.append(ident)
        if len(self.writes) == 3 and self.lie == "full":
            for more in (60_000, 100, 100):
                self.say("adjust", 93, self.chan, more)
                time.sleep(0.05)
            self.sftp.send(liar.status(self.writes[1]))
            time.sleep(0.1)
        if len(self.writes) != 2 or self.lie == "small":
            self.sftp.send(liar.status(ident, 4 * (len(self.writes) > 2)))


# What the second exchange of keys lists in place of the first's.
OTHER_METHODS = {
    "other_cipher": (2, b"aes256-ctr"), "other_kind": (2, b"aes128-cbc"),
    "other_sealed": (2, b"chacha20-poly1305@openssh.com"),
    "other_gcm": (2, b"aes256-gcm@openssh.com"),
    "other_mac": (4, b"hmac-sha2-512"), "other_comp": (6, b"zlib")}
# What is no method, but says what a client can do.
MARKS = {"mark_ext": b"ext-info-c", "mark_both": b"ext-info-c,"
         b"kex-strict-c-v00@openssh.com",
         "mark_strict": b"kex-strict-c-v00@openssh.com"}
SPECIAL = {
    "banner": [
        *(f"endless_{what}" for what in ("lines", "line", "nuls", "empty")),
        "version1", "version3", "short", "no_end", "long", "longer", "nul",
        "high", "no_return", "preface", "format"],
    "kexreply": [
        "other_key", "key_of_another_kind", "key_short", "key_name_long",
        "key_long", "key_odd", "point_zero", "point_one", "point_short",
        "point_long", "signature_bad", "signature_short", "signature_none",
        "signature_name_long", "signature_long", "signature_of_another_kind",
        "dh_zero", "dh_one", "dh_prime", "dh_least", "dh_more", "dh_huge",
        "dh_true"],
    # Channels that are opened amid the handshake.
    "kexinit": ["after_agent", "after_x11", *MARKS],
    "rekexinit": [*OTHER_METHODS],
    "authfail": ["endless_names"],
    "inforequest": ["for_ever", "many"],
    "data": ["overruns"],
    "extdata": ["endless_empty_ones"],
    "openfail": ["after_many"],
    # Answers that nobody reads; a close instead of one.
    "sftpversion": ["endless", "closed"],
}
# The host did sign these; dh_more libssh2 should refuse (docs/libssh2.md).
ALLOWED = {"dh_one", "dh_least", "dh_true", "dh_more", "key_odd",
           "signature_name_long"}


def proves_nothing(step, lie):
    """Whether no client may take this peer for the server it asked for."""
    return lie in MARKS or step == "kexreply" and lie not in ALLOWED and \
        (lie.startswith("field") or lie in SPECIAL[step])


def fields(step):
    kinds = {"b": ["other"], "t": ["other"], "c": ["other"],
             "u": [*NUMBERS, "next"],
             "s": ["other", "gone", "huge", "nul", "long", *NUMBERS]}
    for number, kind in enumerate(STEPS[step]):
        for lie in kinds[kind]:
            if number or kind != "b":
                yield f"field{number}_{lie}"


def special():
    """Every (step, lie) of a kind of its own."""
    return [(step, lie) for step in SPECIAL for lie in SPECIAL[step]]


def general():
    """Every (step, lie) that could be told at most steps."""
    unframed = ("silence", "hangup", "reset", "truncated", "stuck", "a_byte",
                "slowly", "garbage", "zeros", "ones", "never", "again")
    for step in STEPS:
        for lie in (*fields(step), *public(Lies)):
            if lie != "length" and (step != "banner" or lie in unframed):
                yield step, lie


def inserted():
    """Every (step, lie) that is a message where it does not belong."""
    for step in STEPS:
        if step != "banner":
            for when in ("before", "after"):
                for what in UNASKED:
                    yield step, f"{when}_{what}"


def run(listener, leaks):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        conn, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            conn.settimeout(60)
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(OSError, EOFError):
                Peer(conn, leaks).talk()
            conn.close()
            os._exit(0)
        conn.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["lies"]:
        for pair in itertools.chain(special(), general(), inserted()):
            print(*pair, sep=":")
    else:
        sys.exit(__doc__)
