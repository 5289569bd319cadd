#!/usr/bin/python3
"""What is sent is what arrives, by every method and over every limit.

    truth.py python|ruby

Against OpenSSH's sshd: each method that libssh2 and it both have, keys
exchanged anew all the while, socket buffers of 8 KiB, and files beyond what 32
bits count.  Which methods there are is asked of both sides, and which were
used of libssh2.
"""
import base64
import contextlib
import os
import random
import socket
import struct
import sys
import time
from pathlib import Path

from proxy import Fault, Proxy
from suite import LONG, Client, Failed, Ref, Tally, constant, run

EVERY, REKEY = (int(os.environ[f"SSH2_{name}_PORT"])
                for name in ("EVERY", "REKEY"))
NARROW = int(os.environ["SSH2_NARROW_PORT"])
FOLDER = Path(os.environ["SSH2_TMP"])
HOST = Path(os.environ["SSH2_DIR"], "host")
BUFFER = 8192
MIB = 1 << 20
READ = constant("LIBSSH2_FXF_READ")
WRITE = constant("LIBSSH2_FXF_WRITE|LIBSSH2_FXF_CREAT|LIBSSH2_FXF_TRUNC")
BOTH = constant("LIBSSH2_FXF_READ|LIBSSH2_FXF_WRITE")

# The lists that two sides agree on, by their places in a KEXINIT packet.
LISTS = ("KEX", "HOSTKEY", "CRYPT_CS", "CRYPT_SC", "MAC_CS", "MAC_SC",
         "COMP_CS", "COMP_SC")
# What stands among a side's key exchanges to say what else it can do.
MARKS = ("ext-info-c", "ext-info-s", "kex-strict-c-v00@openssh.com",
         "kex-strict-s-v00@openssh.com")
# These need no MAC: libssh2 names none of those it was told to prefer.
WHOLE = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com",
         "chacha20-poly1305@openssh.com")
HOST_FILES = {
    "ssh-ed25519": "ed25519", "ssh-rsa": "rsa", "rsa-sha2-256": "rsa",
    "rsa-sha2-512": "rsa", "ssh-dss": "dsa", "ecdsa-sha2-nistp256": "ecdsa",
    "ecdsa-sha2-nistp384": "ecdsa384", "ecdsa-sha2-nistp521": "ecdsa521"}


def made(count):
    """Bytes of which half can be compressed; the same in each run."""
    half = count // 2
    line = b"what is sent is what arrives\n"
    return random.Random(count).randbytes(count - half) + \
        (line * (half // len(line) + 1))[:half]


def offered(port):
    """What a server has, by the packet in which it says so."""
    with socket.create_connection(("127.0.0.1", port), 10) as sock, \
            sock.makefile("rb") as stream:
        sock.sendall(b"SSH-2.0-asks\r\n")
        while not stream.readline().startswith(b"SSH-"):
            pass
        length, padding = struct.unpack(">IB", stream.read(5))
        body = stream.read(length - 1)[17:length - 1 - padding]
    lists = {}
    for name in LISTS:
        end = 4 + struct.unpack(">I", body[:4])[0]
        lists[name], body = body[4:end].decode().split(","), body[end:]
    return lists


def supported(client):
    """What libssh2 was built with."""
    client.call("new", Ref({"class": "Session"}), to="s")
    lists = {}
    for name in LISTS:
        if name.startswith("COMP"):
            client.call("s.flag", constant("LIBSSH2_FLAG_COMPRESS"), True)
        lists[name] = client.call("s.supported_algs",
                                  constant(f"LIBSSH2_METHOD_{name}"))
    client.end()
    return lists


def equal(what, got, want):
    if got != want:
        if isinstance(want, bytes) and isinstance(got, bytes):
            place = next((i for i, (a, b) in enumerate(zip(got, want))
                          if a != b), min(len(got), len(want)))
            raise Failed(f"{what}: {len(got)} bytes of {len(want)}, which "
                         f"differ from byte {place} on")
        raise Failed(f"{what}: {got!r} instead of {want!r}")


# --- one session ------------------------------------------------------------


def connect(client, port, methods=None, compress=False, buffers=0):
    """A session "s" that uses these methods and no other."""
    if buffers:
        client.call("narrow", port, buffers, to="k")
    else:
        client.call("socket", port, to="k")
    client.call("new", Ref({"class": "Session"}), to="s")
    client.call("s.set_timeout", 20000)
    if compress:
        client.call("s.flag", constant("LIBSSH2_FLAG_COMPRESS"), True)
    methods = methods or {}
    for name, method in methods.items():
        client.call("s.method_pref", constant(f"LIBSSH2_METHOD_{name}"),
                    method)
    client.call("s.handshake", ("k",))
    for name, method in methods.items():
        if name.startswith("MAC") and \
                methods.get("CRYPT" + name[3:]) in WHOLE:
            continue
        used = client.call("s.methods", constant(f"LIBSSH2_METHOD_{name}"))
        equal(f"the method in use for {name}", used, method.split(",")[0])
    client.call("s.userauth_publickey_fromfile", os.environ["SSH2_USER"],
                os.environ["SSH2_KEY"])


def whole(client, what, count):
    """What a read gives until it gives nothing."""
    parts = []
    while part := client.call(what, count):
        parts.append(part)
    return b"".join(parts)


def written(client, what, data):
    """Write all, of which a write may take a part."""
    done = 0
    while done < len(data):
        count = client.call(what, data[done:done + MIB])
        if not 0 < count <= MIB:
            raise Failed(f"{what}: wrote {count}")
        done += count


def transfer(client, size):
    """A file there, the same back, and a command that prints it."""
    data, path = made(size), str(FOLDER / "there")
    client.call("s.sftp_init", to="f")
    client.call("f.open", path, WRITE, 0o644, to="h")
    written(client, "h.write", data)
    client.call("h.close")
    equal("what was put", Path(path).read_bytes(), data)
    client.call("f.open", path, READ, 0, to="h")
    equal("what was got", whole(client, "h.read", MIB), data)
    client.call("h.close")
    command(client, f"cat {path}", data)
    client.call("s.open_session", to="c")
    client.call("c.execute", f"cat >{path}2; echo stored")
    written(client, "c.write", data)
    client.call("c.send_eof")
    equal("the answer", whole(client, "c.read_ex", 99), b"stored\n")
    equal("what a command was given", Path(path + "2").read_bytes(), data)


def command(client, text, want):
    client.call("s.open_session", to="c")
    client.call("c.execute", text)
    equal("a command's output", whole(client, "c.read_ex", MIB), want)
    client.call("c.close")
    client.call("c.wait_closed")
    equal("its status", client.call("c.get_exit_status"), 0)


# --- methods ----------------------------------------------------------------


def by_methods(port, methods, size=300000, compress=False):
    def case(client):
        connect(client, port, methods, compress)
        transfer(client, size)
    return case


def by_single_bytes(methods):
    """A packet may come, and go, in whatever pieces."""
    def case(client):
        proxy = Proxy(EVERY)
        link = proxy.link(Fault("single", "both"))
        try:
            connect(client, proxy.at, methods)
            transfer(client, 3000)
        finally:
            link.close()
            proxy.sock.close()
    return case


def by_host_key(port, method):
    def case(client):
        connect(client, port, {"HOSTKEY": method})
        key = client.call("s.hostkey")[0]
        path = HOST / f"{HOST_FILES[method]}.pub"
        equal("the host key", key,
              base64.b64decode(path.read_text().split()[1]))
        transfer(client, 100000)
    return case


def both_ways(kind, method):
    return {f"{kind}_CS": method, f"{kind}_SC": method}


def kind_of_mac(name):
    return "etm" if "etm" in name else "plain"


def method_cases(ours, theirs, port=EVERY, server="sshd"):
    def shared(name):
        return [m for m in ours[name] if m in theirs[name]]

    def missing(name):
        return [(f"{name.removesuffix('_CS').lower()} {m}", None,
                 f"{server} does not have it") for m in ours[name]
                if m not in theirs[name] and m not in MARKS]

    cases = []
    for name in ("KEX", "HOSTKEY", "CRYPT_CS", "MAC_CS", "COMP_CS"):
        cases += missing(name)
    strict = ",".join(["", *(m for m in ours["KEX"] if m in MARKS)])
    for method in shared("KEX"):
        cases.append((f"kex {method}", by_methods(port, {"KEX": method}), ""))
        if len(strict) > 1:
            cases.append((f"kex {method}, strictly", by_methods(
                port, {"KEX": method + strict}), ""))
    for method in shared("HOSTKEY"):
        cases.append((f"hostkey {method}", by_host_key(port, method),
                      "" if method in HOST_FILES else "no such host key"))
    for method in shared("COMP_CS"):
        cases.append((f"comp {method}", by_methods(
            port, both_ways("COMP", method), compress=method != "none"), ""))
    ciphers, macs = shared("CRYPT_CS"), shared("MAC_CS")
    pairs = [(c, m) for c in ciphers for m in ([""] if c in WHOLE else macs)]
    if not LONG:
        # Each cipher by each kind of MAC, and each MAC at least once.
        some, kinds = [], {}
        for mac in macs:
            kinds.setdefault(kind_of_mac(mac), []).append(mac)
        for cipher in ciphers:
            if cipher in WHOLE:
                some.append((cipher, ""))
                continue
            for turn in kinds.values():
                some.append((cipher, turn[0]))
                turn.append(turn.pop(0))
        some += [(c, m) for c, m in pairs
                 if c == "aes256-ctr" and
                 m not in [mac for _, mac in some]]
        pairs = some
    for cipher, mac in pairs:
        methods = both_ways("CRYPT", cipher)
        if mac:
            methods |= both_ways("MAC", mac)
        cases.append((f"cipher {cipher} {mac}".strip(),
                      by_methods(port, methods), ""))
        if port == EVERY:
            cases.append((f"cipher {cipher} {mac}".strip() + ", byte by byte",
                          by_single_bytes(methods), ""))
        if LONG and port == EVERY:
            cases.append((f"cipher {cipher} {mac}, keys renewed".strip(),
                          by_rekeying(methods, 4 * MIB), ""))
    methods = {"CRYPT_CS": "aes128-ctr", "CRYPT_SC": "aes256-ctr",
               "MAC_CS": "hmac-sha1", "MAC_SC": "hmac-sha2-256"}
    cases.append(("another cipher and MAC each way",
                  by_methods(port, methods), ""))
    return cases


# --- new keys, and little room ----------------------------------------------


def rekeyed():
    """How often sshd has changed its keys since it was last asked."""
    log = Path(os.environ["SSH2_DIR"], "log").read_bytes()
    return log.count(b"set_newkeys: rekeying")


def by_rekeying(methods, size, buffers=0, lines=0):
    def case(client):
        before = rekeyed()
        connect(client, REKEY, methods, buffers=buffers)
        transfer(client, size)
        if lines:
            want = b"".join(b"%d\n" % n for n in range(1, lines + 1))
            command(client, f"seq {lines}", want)
            size_of_all = 4 * size + len(want)
        else:
            size_of_all = 4 * size
        end = time.monotonic() + 5
        while (count := rekeyed() - before) < size_of_all // (2 * MIB):
            if time.monotonic() > end:
                raise Failed(f"keys were renewed {count} times only")
            time.sleep(0.1)
    return case


def by_little_room(port, buffers, size):
    def case(client):
        connect(client, port, buffers=buffers)
        transfer(client, size)
    return case


def sent_at_once(client):
    """Small packets do not wait for others."""
    connect(client, EVERY)
    got = client.call("k.getsockopt", socket.IPPROTO_TCP, socket.TCP_NODELAY,
                      to="option")
    if not isinstance(got, int):
        got = client.call("option.int")
    if not got:
        raise Failed("TCP_NODELAY is not set")


def limit_cases():
    weak = {"KEX": "ecdh-sha2-nistp256"}  # without the marks: not strictly
    return [
        ("keys renewed each MiB, 20 MiB of output",
         by_rekeying(None, 3 * MIB, lines=2800000), ""),
        ("keys renewed each MiB, not strictly",
         by_rekeying(weak, 3 * MIB), ""),
        ("keys renewed each MiB, buffers of 8 KiB",
         by_rekeying(None, 2 * MIB, BUFFER), ""),
        ("buffers of 8 KiB here", by_little_room(EVERY, BUFFER, 2 * MIB), ""),
        ("buffers of 8 KiB there", by_little_room(NARROW, 0, 2 * MIB), ""),
        ("buffers of 8 KiB on both sides",
         by_little_room(NARROW, BUFFER, 2 * MIB), ""),
        ("what is small is sent at once", sent_at_once, ""),
    ]


# --- files beyond 32 bits ---------------------------------------------------

SPARSE = 5 << 30
PLACES = (0, (1 << 31) - 1, 1 << 31, (1 << 32) - 37, 1 << 32, (1 << 32) + 5,
          SPARSE - 40)


def sparse():
    path = FOLDER / "sparse"
    path.touch()
    os.truncate(path, SPARSE)
    return path


def large_file(client):
    path = sparse()
    try:
        connect(client, EVERY)
        client.call("s.sftp_init", to="f")
        client.call("f.open", str(path), BOTH, 0, to="h")
        for what in ("h.fstat", "f.stat"):
            client.call(what, *([str(path)] if what == "f.stat" else []),
                        to="a")
            equal(f"the size by {what}", client.call("a.filesize"), SPARSE)
        want = {}
        for place in PLACES:
            client.call("h.seek64", place)
            equal("the place", client.call("h.tell64"), place)
            want[place] = b"at %d; " % place
            written(client, "h.write", want[place])
            equal("the place after a write", client.call("h.tell64"),
                  place + len(want[place]))
        content = bytearray(64)
        with open(path, "rb") as file:
            for place in PLACES:
                start = max(0, place - 20)
                content = bytearray(64)
                for other, text in want.items():  # in the order of writing
                    for i, byte in enumerate(text):
                        if 0 <= other + i - start < 64:
                            content[other + i - start] = byte
                content = bytes(content[:SPARSE - start])
                file.seek(start)
                equal(f"what is there around {place}", file.read(64), content)
                client.call("h.seek64", start)
                got = b""
                while len(got) < len(content):
                    got += client.call("h.read", len(content) - len(got)) \
                        or b"no end was due "
                equal(f"what is read around {place}", got, content)
                equal("the place after a read", client.call("h.tell64"),
                      start + len(got))
        client.call("h.seek64", SPARSE)
        equal("the end", client.call("h.read", 9), b"")
        client.call("h.seek64", SPARSE - 3)
        written(client, "h.write", b"beyond")
        client.call("h.fstat", to="a")
        equal("the new size", client.call("a.filesize"), SPARSE + 3)
        equal("the size there", path.stat().st_size, SPARSE + 3)
        client.call("h.close")
    finally:
        path.unlink()


def large_read_over(client):
    """Reading goes over 2 GiB and 4 GiB as over any other place."""
    path = sparse()
    try:
        marks = {place: made(3000) for place in (1 << 31, 1 << 32)}
        with open(path, "r+b") as file:
            for place, text in marks.items():
                file.seek(place - 1500)
                file.write(text)
        connect(client, EVERY)
        client.call("s.sftp_init", to="f")
        client.call("f.open", str(path), READ, 0, to="h")
        for place, text in marks.items():
            client.call("h.seek64", place - 500000)
            got = b""
            while len(got) < MIB:
                part = client.call("h.read", 70000)
                if not part:
                    raise Failed(f"an end at {place - 500000 + len(got)}")
                got += part
            want = bytes(500000 - 1500) + text
            want += bytes(len(got) - len(want))
            equal(f"what is read over {place}", got, want)
            equal("the place", client.call("h.tell64"),
                  place - 500000 + len(got))
    finally:
        path.unlink()


def large_scp(client):
    """SCP's header carries sizes of 64 bits."""
    path, there = sparse(), FOLDER / "received"
    try:
        connect(client, EVERY)
        client.call("s.scp_recv2", str(path), to="got")
        client.call("item", ("got",), 0, to="c")
        client.call("item", ("got",), 1, to="a")
        equal("the size by scp_recv2", client.call("a.st_size"), SPARSE)
        equal("its first bytes", client.call("c.read_ex", 9)[:9], bytes(9))
        client.call("c.close")
        connect(client, EVERY)
        client.call("s.scp_send64", str(there), 0o644, SPARSE, 0, 0, to="c")
        written(client, "c.write", b"hello")
        client.call("s.close")
    finally:
        path.unlink()
        with contextlib.suppress(FileNotFoundError):
            there.unlink()


def large_scp_whole(client):
    """All of more than 4 GiB arrives, no byte more."""
    path = FOLDER / "whole"
    size = (1 << 32) + 5
    path.touch()
    os.truncate(path, size)
    try:
        connect(client, EVERY)
        client.call("s.scp_recv2", str(path), to="got")
        client.call("item", ("got",), 0, to="c")
        count = 0
        while part := client.call("c.read_ex", 4 * MIB):
            if part.strip(b"\0"):
                raise Failed(f"bytes near {count} are not zero")
            count += len(part)
        equal("the bytes received", count, size)
    finally:
        path.unlink()


LARGE = [
    ("a file of 5 GiB is written and read at every place", large_file, ""),
    ("a file is read over 2 GiB and 4 GiB", large_read_over, ""),
    ("SCP tells and takes a size of 5 GiB", large_scp, ""),
    ("SCP brings 4 GiB and 5 bytes", large_scp_whole,
     "" if LONG else "moves 4 GiB: in the long form"),
]


def main(language):
    asks = Client(language)
    ours, theirs = supported(asks), offered(EVERY)
    asks.finish()
    cases = method_cases(ours, theirs) + limit_cases() + LARGE
    only = sys.argv[2:]
    cases = [case for case in cases
             if not only or any(word in case[0] for word in only)]
    return run(Tally(f"truth {language}"), language, cases)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
