#!/usr/bin/python3
"""An SFTP server that lies as the path it is asked for says.

A path "/<lie>/..." is answered by that lie, "/status-N/..." by that status,
"/later-N/..." by it once it was opened, "/listed-N/..." by a list of no names
where the request is N, and "/ok/..." honestly, of what it is: a directory if it
ends in "dir", else a file of 300 000 bytes.  A handle lies as the path did that
it was opened for.
"""
import os
import struct
import sys

INIT, VERSION, OPEN, CLOSE, READ, WRITE = 1, 2, 3, 4, 5, 6
LSTAT, FSTAT, SETSTAT, FSETSTAT, OPENDIR, READDIR = 7, 8, 9, 10, 11, 12
STAT, READLINK, STATUS, HANDLE, DATA, NAME, ATTRS = 17, 19, 101, 102, 103, \
    104, 105
EXTENDED, EXTENDED_REPLY, REALPATH = 200, 201, 16
REMOVE, MKDIR, RENAME, SYMLINK = 13, 14, 18, 20
SIZE = 300000


def u32(n):
    return struct.pack(">I", n)


def text(data):
    return u32(len(data)) + data


def packet(kind, ident, body):
    return u32(len(body) + 5) + bytes([kind]) + u32(ident) + body


def status(ident, code=0, message=b"as you say"):
    return packet(STATUS, ident, u32(code) + text(message) + text(b""))


def attrs(directory=False):
    mode = 0o40755 if directory else 0o100644
    return u32(1 | 4) + struct.pack(">Q", SIZE) + u32(mode)


def name(ident, names, count=None):
    body = b"".join(text(n) + text(b"-rw " + n) + attrs() for n in names)
    return packet(NAME, ident,
                  u32(len(names) if count is None else count) + body)


def with_attrs(kind, ident, honest, bad):
    """The answer, with other attributes where it has any."""
    if honest[4] == ATTRS:
        return packet(ATTRS, ident, bad)
    if kind == READDIR:
        return packet(NAME, ident,
                      u32(1) + text(b"a") + text(b"a") + bad)
    return honest


class Server:
    def __init__(self):
        self.handles, self.held = {}, []
        self.files, self.looks, self.mode = {}, 0, 0o555

    def run(self):
        while head := self.take(4):
            self.answer(self.take(struct.unpack(">I", head)[0]))

    def answer(self, body):
        kind = body[0]
        if kind == INIT:
            self.send(u32(5) + bytes([VERSION]) + u32(3))
            return
        ident, rest = struct.unpack(">I", body[1:5])[0], body[5:]
        length = struct.unpack(">I", rest[:4])[0]
        what, rest = rest[4:4 + length], rest[4 + length:]
        if kind == EXTENDED:
            length = struct.unpack(">I", rest[:4])[0]
            what = rest[4:4 + length]
        if kind in (CLOSE, READ, WRITE, FSTAT, FSETSTAT, READDIR):
            handle = self.handles.setdefault(what, [what, 0])
            path = handle[0]
        else:
            handle, path = None, what
        if kind in (READ, WRITE):
            start, count = struct.unpack(">QI", rest[:12])
            self.asked = start, start + count
        if kind == CLOSE:
            del self.handles[what]
        self.path, self.rest = path, rest
        lie = path.split(b"/")[1].decode() if b"/" in path else "ok"
        honest = self.honest(kind, ident, path, rest, handle)
        lies = getattr(self, lie.replace("-", "_"), None)
        when, _, code = lie.partition("-")
        if when == "status" or \
                when == "later" and kind not in (OPEN, OPENDIR, CLOSE):
            honest = status(ident, int(code))
        if when == "listed" and kind == int(code):
            honest = name(ident, [])
        self.send(lies(kind, ident, honest) if lies else honest)

    def take(self, count):
        data = b""
        while len(data) < count:
            more = os.read(0, count - len(data))
            if not more:
                sys.exit()
            data += more
        return data

    def send(self, data):
        while data:
            data = data[os.write(1, data):]

    def honest(self, kind, ident, path, rest, handle):
        if kind in (OPEN, OPENDIR):
            key = b"h%d" % ident
            self.handles[key] = [path, 0]
            return packet(HANDLE, ident, text(key))
        if kind == READ:
            start, end = self.asked
            data = content(start, min(end, SIZE) - start)
            return packet(DATA, ident, text(data)) if data \
                else status(ident, 1)
        if kind == READDIR:
            handle[1] += 1
            return name(ident, [b".", b"..", b"a"]) if handle[1] == 1 \
                else status(ident, 1)
        if kind in (STAT, LSTAT, FSTAT):
            return packet(ATTRS, ident, attrs(path.endswith(b"dir")))
        if kind in (READLINK, REALPATH):
            return name(ident, [path])
        return status(ident)

    # --- lies: each is given the honest answer ---

    def silent(self, kind, ident, honest):
        """Nothing, and nothing any more."""
        return b""

    def truncated(self, kind, ident, honest):
        return honest[:-3]

    def gone(self, kind, ident, honest):
        self.send(honest[:len(honest) // 2])
        sys.exit()

    def other_id(self, kind, ident, honest):
        return honest[:5] + u32(ident + 1000) + honest[9:]

    def twice(self, kind, ident, honest):
        return honest + honest

    def unasked(self, kind, ident, honest):
        return status(ident + 500, 4) + honest

    def foreign(self, kind, ident, honest):
        """Thousands of answers that nobody has asked for."""
        return b"".join(u32(5) + bytes([STATUS]) + u32(ident + 9999 + n)
                        for n in range(4000)) + honest

    def long_packet(self, kind, ident, honest):
        return u32(0xfffffff0) + honest[4:]

    def empty_packet(self, kind, ident, honest):
        return u32(0) + honest

    def short_packet(self, kind, ident, honest):
        """A type, and a part of a number."""
        return u32(3) + honest[4:7]

    def only_id(self, kind, ident, honest):
        return u32(5) + honest[4:9]

    def other_type(self, kind, ident, honest):
        kinds = {STATUS: ATTRS, HANDLE: NAME, DATA: NAME, NAME: DATA,
                 ATTRS: HANDLE}
        return honest[:4] + bytes([kinds.get(honest[4], 99)]) + honest[5:]

    def unknown_type(self, kind, ident, honest):
        return honest[:4] + bytes([77]) + honest[5:]

    def bare_status(self, kind, ident, honest):
        """A code without a message, as old servers send it."""
        return packet(STATUS, ident, u32(3))

    def odd_status(self, kind, ident, honest):
        return packet(STATUS, ident, u32(4) + u32(0xffffff00) + b"x")

    def strange_status(self, kind, ident, honest):
        return status(ident, 4711)

    def no_error(self, kind, ident, honest):
        """Success, where something else was asked for."""
        return status(ident, 0)

    def end(self, kind, ident, honest):
        return status(ident, 1)

    def long_text(self, kind, ident, honest):
        """The first length inside says more than there is."""
        return honest[:9] + u32(0x7fffffff) + honest[13:]

    def most_text(self, kind, ident, honest):
        return honest[:9] + u32(0xffffffff) + honest[13:]

    def no_text(self, kind, ident, honest):
        return honest[:9] + u32(0) + honest[13:]

    def long_handle(self, kind, ident, honest):
        return packet(HANDLE, ident, text(b"h" * 1000)) \
            if kind in (OPEN, OPENDIR) else honest

    def no_handle(self, kind, ident, honest):
        return packet(HANDLE, ident, text(b"")) \
            if kind in (OPEN, OPENDIR) else honest

    def more_data(self, kind, ident, honest):
        return packet(DATA, ident, text(content(0, 100000))) \
            if kind == READ else honest

    def no_data(self, kind, ident, honest):
        return packet(DATA, ident, text(b"")) if kind == READ else honest

    def little_data(self, kind, ident, honest):
        """Short reads, which are allowed."""
        if kind != READ or honest[4] != DATA:
            return honest
        return packet(DATA, ident, text(honest[13:13 + 700]))

    def reversed(self, kind, ident, honest):
        """Four answers at a time, the last first, which is allowed."""
        if kind != READ or honest[4] != DATA:
            out, self.held = b"".join(reversed(self.held)), []
            return out + honest
        self.held.append(honest)
        if len(self.held) < 4:
            return b""
        out, self.held = b"".join(reversed(self.held)), []
        return out

    def many_names(self, kind, ident, honest):
        return name(ident, [b"a"], 0xffffffff) \
            if honest[4] == NAME else honest

    def no_names(self, kind, ident, honest):
        return name(ident, []) if kind in (READDIR, READLINK, REALPATH) \
            else honest

    def two_names(self, kind, ident, honest):
        return name(ident, [b"a", b"b"]) \
            if kind in (READLINK, REALPATH) else honest

    def long_name(self, kind, ident, honest):
        return name(ident, [b"n" * 40000]) if honest[4] == NAME else honest

    def empty_name(self, kind, ident, honest):
        return name(ident, [b"a", b"", b"b"]) \
            if kind == READDIR and honest[4] == NAME else honest

    def no_kind(self, kind, ident, honest):
        """Names without attributes, and none when they are asked for."""
        if kind == LSTAT:
            return name(ident, [])
        return with_attrs(kind, ident, honest, u32(0)) \
            if honest[4] == NAME else honest

    def endless(self, kind, ident, honest):
        return name(ident, [b"again"]) if kind == READDIR else honest

    def dots(self, kind, ident, honest):
        return name(ident, [b".", b".."]) if kind == READDIR else honest

    def refused(self, kind, ident, honest):
        """No folder may be made, and none is there."""
        code = {MKDIR: 3, STAT: 2, LSTAT: 2}.get(kind)
        return status(ident, code) if code else honest

    def far_link(self, kind, ident, honest):
        """A link to a file whose name is longer than any may be."""
        if kind == LSTAT:
            return packet(ATTRS, ident, u32(4) + u32(0o120777))
        return packet(NAME, ident, u32(1) + text(b"/" + b"n" * 270_000) +
                      text(b"") + attrs()) if kind == REALPATH else honest

    def own_link(self, kind, ident, honest):
        """A link, of which REALPATH gives its own name; it stays."""
        if kind == RENAME:
            return status(ident, 3)
        return packet(ATTRS, ident, u32(4) + u32(0o120777)) \
            if kind == LSTAT else honest

    def planted(self, kind, ident, honest):
        """A link has the temporary name: nothing is done to what it names.
        Where the name tells so, LSTAT is answered before FSTAT."""
        if kind in (WRITE, FSETSTAT):
            sys.exit()
        if kind == FSTAT and b"late" in self.path:
            self.held.append(honest)
            return b""
        if kind != LSTAT or not self.path.endswith(b".part"):
            return honest
        late, self.held = b"".join(self.held), []
        return packet(ATTRS, ident, u32(4) + u32(0o120777)) + late

    def text_names(self, kind, ident, honest):
        """All names are UTF-8."""
        try:
            self.path.decode()
        except UnicodeDecodeError:
            return status(ident, 4)
        return honest

    def taken(self, kind, ident, honest):
        """The first renaming is refused, and done once the name is free."""
        if kind == REMOVE:
            self.free = True
        return status(ident, 4) if kind == RENAME and \
            not getattr(self, "free", False) else honest

    def no_rename(self, kind, ident, honest):
        """What is to be renamed is not there: that frees no name."""
        if kind == REMOVE:
            sys.exit()
        return status(ident, 2) if kind == RENAME else honest

    def full(self, kind, ident, honest):
        """Nothing can be renamed or linked, though the name is free."""
        if kind == REMOVE and not self.path.endswith(b".part"):
            return status(ident, 2)
        return status(ident, 4) if kind in (RENAME, SYMLINK) else honest

    def no_cut(self, kind, ident, honest):
        return status(ident, 3) if kind == FSETSTAT else honest

    def store(self, kind, ident, honest):
        """What is written is there, and can be cut and renamed."""
        data = self.files.get(self.path)
        if kind == WRITE:
            start, end = self.asked
            data = self.files.setdefault(self.path, bytearray())
            data.extend(bytes(max(0, end - len(data))))
            data[start:end] = self.rest[12:]
        elif kind == READDIR and honest[4] == NAME:
            parts = [path for path in self.files if path.endswith(b".part")]
            return name(ident, [path.split(b"/")[-1] for path in parts])
        elif kind == RENAME:
            self.files[self.rest[4:]] = self.files.pop(self.path, b"")
        elif kind == REMOVE:
            self.files.pop(self.path, None)
        elif kind == FSETSTAT and data and self.rest[3] & 1:
            del data[struct.unpack(">Q", self.rest[4:12])[0]:]
        elif kind == FSTAT and data is not None:
            return packet(ATTRS, ident, u32(1) + struct.pack(">Q", len(data)))
        elif kind == READ and data is not None:
            start, end = self.asked
            return packet(DATA, ident, text(bytes(data[start:end]))) \
                if start < len(data) else status(ident, 1)
        return honest

    def torn(self, kind, ident, honest):
        """One write of the first transfer is refused, not those behind it."""
        if kind == FSTAT:
            self.looks += 1
        if kind == WRITE and self.looks < 2 and \
                self.asked[0] <= 100_000 < self.asked[1]:
            return status(ident, 4)
        if kind == FSTAT and self.path not in self.files:
            return packet(ATTRS, ident, u32(1) + bytes(8))
        return self.store(kind, ident, honest)

    def guarded(self, kind, ident, honest):
        """As torn, and nobody goes on with what its owner may not write."""
        if kind == OPEN and self.path in self.files and not self.mode & 0o200:
            return status(ident, 3)
        if kind == STAT:
            return status(ident, 2)
        if kind == OPEN and self.path.endswith(b".part"):
            self.mode = struct.unpack(">I", self.rest[8:12])[0]
        return self.torn(kind, ident, honest)

    def lossy(self, kind, ident, honest):
        """The first that is closed had not been written to its end."""
        if kind == FSTAT and self.path not in self.files:
            return packet(ATTRS, ident, u32(1) + bytes(8))
        if kind == CLOSE and self.path in self.files and not self.looks:
            self.looks = 1
            self.files[self.path][-1000:] = bytes(1000)
            return status(ident, 4)
        return self.store(kind, ident, honest)

    def longer(self, kind, ident, honest):
        """What is left of another time is, and its size is not told."""
        if kind == OPEN and self.path.endswith(b".part"):
            self.files[self.path] = bytearray(600_000)
        if kind == FSTAT and self.path.endswith(b".part"):
            return packet(ATTRS, ident, u32(0))
        return self.store(kind, ident, honest)

    def stuck(self, kind, ident, honest):
        """A name that is taken, and cannot be given up."""
        if kind == RENAME:
            return status(ident, 4)
        if kind == REMOVE and not self.path.endswith(b".part"):
            return status(ident, 3)
        return self.store(kind, ident, honest)

    def made(self, kind, ident, honest):
        """All folders are there already."""
        if kind == MKDIR:
            return status(ident, 4)
        return packet(ATTRS, ident, attrs(True)) \
            if kind in (STAT, LSTAT) else honest

    def shut(self, kind, ident, honest):
        """All folders are there, with a mode that is listed as a name: it has
        to let their owner write before there are files in them."""
        if kind == SETSTAT and self.rest[3] & 4:
            self.mode = struct.unpack(">I", self.rest[4:8])[0]
        if kind == READDIR and honest[4] == NAME:
            return name(ident, [b"%o" % self.mode])
        if kind == OPEN and not self.mode & 0o200:
            return status(ident, 3)
        if kind == MKDIR:
            return status(ident, 4)
        return packet(ATTRS, ident, u32(4) + u32(0o40000 | self.mode)) \
            if kind in (STAT, LSTAT) else honest

    def rewritten(self, kind, ident, honest):
        """A file that is cut, and whole again when it is asked how long."""
        if kind == FSTAT:
            self.looks += 1
        if kind == READ and self.looks == 1 and self.asked[1] > 100_000:
            return status(ident, 1)
        return honest

    def ends(self, kind, ident, honest):
        """A file without a size, slow to come, but for its end."""
        if kind == READ:
            self.looks += 1
            if self.looks > 1000:
                sys.exit()
            return self.little_data(kind, ident, honest)
        return packet(ATTRS, ident, u32(4) + u32(0o100644)) \
            if honest[4] == ATTRS else honest

    def handles_open(self, kind, ident, honest):
        """How many are, as a file's size."""
        return packet(ATTRS, ident, u32(1) +
                      struct.pack(">Q", len(self.handles))) \
            if honest[4] == ATTRS else honest

    def slash_names(self, kind, ident, honest):
        """Names that are none of the folder's."""
        return name(ident, [b"a", b"../outside", b"/tmp/outside"]) \
            if kind == READDIR else honest

    def folders(self, kind, ident, honest):
        """A folder in each folder, without end."""
        return with_attrs(kind, ident, honest, attrs(True))

    def links(self, kind, ident, honest):
        """Each name is a link, then a folder of that name, and to outside."""
        if kind == READLINK:
            return name(ident, [b"../../.."])
        link = text(b"a") + text(b"a") + u32(4) + u32(0o120777)
        folder = text(b"a") + text(b"a") + attrs(True)
        return packet(NAME, ident, u32(2) + link + folder) \
            if kind == READDIR and honest[4] == NAME else honest

    def lying_attrs(self, kind, ident, honest):
        return with_attrs(kind, ident, honest, u32(0x8000000f) + bytes(8) +
                          u32(0) * 5 + u32(0xffffffff))

    def short_attrs(self, kind, ident, honest):
        return with_attrs(kind, ident, honest, u32(0x0f) + bytes(3))

    def wrong_end(self, kind, ident, honest):
        """An error in the middle of a file, or of a list."""
        if kind == READ and honest[4] == DATA and self.odd():
            return status(ident, 4)
        return status(ident, 4) if kind == READDIR and \
            honest[4] == STATUS else honest

    def bad_block(self, kind, ident, honest):
        """Bytes from 120 000 to 130 000 cannot be read."""
        if kind != READ:
            return honest
        start, end = self.asked
        if 120_000 <= start < 130_000:
            return status(ident, 4)
        return packet(DATA, ident, text(content(start, 120_000 - start))) \
            if start < 120_000 < end else honest

    def told_offset(self, kind, ident, honest):
        """Short reads from some place on; a write tells where it was to be."""
        if kind == WRITE:
            return status(ident, 1000 + self.asked[0])
        return honest if kind == READ and self.asked[0] < 40_000 \
            else self.little_data(kind, ident, honest)

    def odd(self):
        self.count = getattr(self, "count", 0) + 1
        return self.count > 3


def content(start, count):
    return bytes((start + i) % 251 for i in range(max(0, count)))


LIES = [name for name in vars(Server) if name[0] != "_" and
        name not in ("run", "answer", "take", "send", "honest", "odd",
                     "store")]

if __name__ == "__main__":
    if sys.argv[1:] == ["lies"]:
        print(*LIES)
    else:
        Server().run()
