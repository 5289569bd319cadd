"""The subsystem "publickey" (RFC 4819), over standard input and output.

    publickey.py DIRECTORY

Its keys are gone when it ends.  It answers as a case wants it to: a file
DIRECTORY/greeting is said instead of the version, once; adding a key named

    status    gets the status and the words that its blob has: b"3 words"
    answer    gets the blob itself, byte for byte
    next      has the blob be the answer to the next request
    slow      succeeds, and has each byte of the next answer come by itself
    quit      ends it
"""
import contextlib
import os
import struct
import sys
import time
from pathlib import Path


def string(data):
    return struct.pack(">I", len(data)) + data


def packet(word, rest=b""):
    return string(string(word) + rest)


def status(code, words=b""):
    return packet(b"status", struct.pack(">I", code) + string(words) +
                  string(b"en"))


def read(count):
    data = b""
    while len(data) < count:
        if not (part := os.read(0, count - len(data))):
            sys.exit(0)
        data += part
    return data


class Reader:
    def __init__(self, data):
        self.data = data

    def take(self, count):
        part, self.data = self.data[:count], self.data[count:]
        return part

    def number(self):
        return struct.unpack(">I", self.take(4))[0]

    def string(self):
        return self.take(self.number())

    def flag(self):
        return self.take(1) != b"\0"


class Server:
    def __init__(self):
        self.keys, self.slow, self.next = {}, False, None

    def say(self, data):
        data, self.next = self.next or data, None
        if not self.slow:
            os.write(1, data)
        for byte in data if self.slow else b"":
            os.write(1, bytes([byte]))
            time.sleep(0.002)
        self.slow = False

    def serve(self, word, rest):
        if word == b"add":
            return self.add(rest.string(), rest.string(), rest.flag(), rest)
        if word == b"remove":
            key = rest.string(), rest.string()
            return status(0) if self.keys.pop(key, None) is not None \
                else status(4, b"never heard of it")
        if word == b"list":
            return b"".join(map(self.listed, self.keys)) + status(0)
        return status(8)

    def listed(self, key):
        attrs = self.keys[key]
        return packet(b"publickey", string(key[0]) + string(key[1]) +
                      struct.pack(">I", len(attrs)) +
                      b"".join(string(n) + string(v) for n, v, _ in attrs))

    def add(self, name, blob, overwrite, rest):
        attrs = [(rest.string(), rest.string(), rest.flag())
                 for _ in range(rest.number())]
        if name == b"status":
            code, _, words = blob.partition(b" ")
            return status(int(code), words)
        if name == b"answer":
            return blob
        if name == b"quit":
            sys.exit(1)
        answer = status(0)
        if name == b"next":
            os.write(1, answer)
            self.next = blob
            return None
        if name == b"slow":
            os.write(1, answer)
            self.slow = True
            return None
        if any(mandatory and n != b"comment" for n, _, mandatory in attrs):
            return status(9, b"cannot heed that")
        if (name, blob) in self.keys and not overwrite:
            return status(6)
        self.keys[name, blob] = attrs
        return answer


def main(folder):
    greeting = packet(b"version", struct.pack(">I", 2))
    with contextlib.suppress(FileNotFoundError):
        path = Path(folder, "greeting")
        greeting = path.read_bytes()
        path.unlink()
    os.write(1, greeting)
    server = Server()
    while True:
        data = Reader(read(struct.unpack(">I", read(4))[0]))
        word = data.string()
        if word != b"version" and (answer := server.serve(word, data)):
            server.say(answer)


if __name__ == "__main__":
    main(sys.argv[1])
