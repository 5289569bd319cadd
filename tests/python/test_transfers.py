"""Transfers beside other work: threads, callbacks, ends amid a file."""
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from types import SimpleNamespace

from common import ENV, SANITIZED, connect, server
from ssh2.exceptions import (
    BadUseError,
    ClosedError,
    FileError,
    InvalidRequestError,
    SFTPFailureError,
    SSH2Error,
    Timeout,
)
from ssh2.sftp import LIBSSH2_FXF_READ, Moved

MIB = 1 << 20
DATA = bytes(range(251)) * 20_000  # five million


class Slots:
    __slots__ = ("data",)

    def __init__(self):
        self.data = b""

    def write(self, data):
        self.data += data


# Many folders, with few descriptors.
FEW = """
import resource, sys
from common import connect
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
sftp = connect().sftp_init()
sftp.put_tree(sys.argv[1], sys.argv[1] + "2")
print(sftp.get_tree(sys.argv[1] + "2", sys.argv[1] + "3").files)
"""
# A folder that its owner may not write is there already, the second time.
KEPT = """
import sys
from common import connect
sftp = connect().sftp_init()
for _ in range(2):
    print(sftp.get_tree(*sys.argv[1:], preserve=True).files)
"""
# Before a program: root is to ask, too.
NO_ROOT = ["setpriv", "--bounding-set=-all"] if os.geteuid() == 0 else []
# What its memory grows by at most, in KiB, over a file of so many bytes.
MEMORY = """
import resource, sys
from common import connect
sftp = connect().sftp_init()
sftp.get(sys.argv[2], "/dev/null")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sftp.get(sys.argv[1], "/dev/null")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


# A child that unwinds amid its parent's transfer.
FORK = """
import os, sys
from common import connect
def progress(done, total):
    global child
    if not child:
        child = os.fork()
        if not child:
            sys.exit(7)
        os.waitpid(child, 0)
child = 0
print(connect().sftp_init().get(*sys.argv[1:], progress=progress))
"""


class TestTransfers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir=ENV["SSH2_TMP"])
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.here, self.there = self.folder / "here", self.folder / "there"
        self.there.write_bytes(DATA)
        self.session = connect()
        self.sftp = self.session.sftp_init()

    def program(self, text, *args, behind=()):
        """What it prints, run beside this."""
        job = subprocess.run(
            [*behind, sys.executable, "-c", text, *map(str, args)], check=True,
            stdout=subprocess.PIPE, cwd=Path(__file__).parent)
        return job.stdout.decode().strip()

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def test_more_threads_than_lanes(self):
        wrong = []

        def move(number):
            try:
                there = self.folder / f"there{number}"
                here = self.folder / f"here{number}"
                self.sftp.put(self.there, there)
                self.sftp.get(there, here)
                if here.read_bytes() != DATA:
                    wrong.append(number)
            except Exception as error:
                wrong.append(error)

        threads = [threading.Thread(target=move, args=[number])
                   for number in range(9)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.sftp.stat(self.there)  # has its own way to the server
        self.assertEqual(wrong, [])

    def test_progress_may_use_the_session(self):
        sizes = []

        def progress(done, total):
            sizes.append(self.sftp.stat(self.there).filesize)
            sizes.append(self.sftp.stat_many([self.there])[0].filesize)
            self.sftp.get(self.there, io.BytesIO())

        self.sftp.get(self.there, self.here, progress=progress)
        self.assertEqual(set(sizes), {len(DATA)})

    def test_a_callback_never_waits_for_its_own_transfer(self):
        deep = []

        class Sink:
            def write(inner, data):
                deep.append(len(data))
                self.sftp.get(self.there, Sink())

        with self.assertRaisesRegex(BadUseError, "callbacks"):
            self.sftp.get(self.there, Sink())
        self.assertEqual(len(deep), 4)  # an SFTP's own channels
        self.assertEqual(self.sftp.get(self.there, self.here), len(DATA))

    def test_callbacks_never_wait_for_each_other(self):
        errors, met = [], threading.Barrier(4)

        class Sink(io.BytesIO):
            def write(inner, data):
                if not inner.tell():
                    met.wait()  # all channels are taken
                    self.sftp.get(self.there, io.BytesIO())
                return super().write(data)

        def get():
            try:
                self.sftp.get(self.there, Sink())
            except BadUseError as error:
                errors.append(error)

        threads = [threading.Thread(target=get) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertTrue(1 <= len(errors) <= 3, errors)
        self.assertEqual(self.sftp.get(self.there, self.here), len(DATA))

    def test_who_waits_no_longer_is_waited_for(self):
        errors, met = [], threading.Barrier(4, timeout=20)

        class Sink(io.BytesIO):
            def write(inner, data):
                if not inner.tell():
                    late = not met.wait()  # all channels are taken
                    self.session.set_timeout(200)
                    if late:
                        met.wait()
                    try:
                        self.sftp.get(self.there, io.BytesIO())
                    except SSH2Error as error:
                        errors.append(type(error))
                    if not late:
                        met.wait()
                    met.wait()
                    self.session.set_timeout(0)
                return super().write(data)

        threads = [threading.Thread(target=self.sftp.get,
                                    args=[self.there, Sink()])
                   for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [Timeout] * 4)

    def test_progress_is_told_ten_times_a_second_at_most(self):
        calls = []
        start = time.monotonic()
        for _ in range(20):
            self.sftp.get(self.there, self.here,
                          progress=lambda done, total: calls.append(done))
        took = time.monotonic() - start
        self.assertLess(len(calls), 20 + 20 + 10 * took)
        self.assertEqual(calls[-1], len(DATA))

    def test_a_close_under_a_transfer_ends_it(self):
        begun, ended = threading.Event(), []

        def get():
            try:
                while True:
                    self.sftp.get(self.there, self.here,
                                  progress=lambda *_: begun.set())
            except SSH2Error as error:
                ended.append(error)

        thread = threading.Thread(target=get)
        thread.start()
        begun.wait(20)
        self.sftp.close()
        thread.join(20)
        self.assertIsInstance(ended[0], ClosedError)
        self.assertIn(self.names(), (["there"], ["here", "there"]))

    def test_a_transfer_is_resumed_where_its_connection_was_lost(self):
        for way in "get", "put":
            with self.subTest(way):
                size = 32 * MIB
                os.truncate(self.there, size)
                session = connect()
                sftp = session.sftp_init()
                seen = []

                def progress(done, total):
                    if not seen:
                        server("kill")
                    seen.append(done)

                with self.assertRaises(SSH2Error):
                    getattr(sftp, way)(self.there, self.here, resume=True,
                                       progress=progress)
                self.assertFalse(self.here.exists())
                part, = self.folder.glob("here.*.part")
                kept = part.stat().st_size
                self.assertTrue(0 < kept <= size, kept)
                mark = part.stat().st_ino
                sftp = connect().sftp_init()
                count = getattr(sftp, way)(self.there, self.here, resume=True)
                self.assertEqual(count, size)
                self.assertEqual(self.here.stat().st_ino, mark)
                self.assertEqual(self.here.read_bytes(),
                                 self.there.read_bytes())
                self.assertEqual(self.names(), ["here", "there"])
                self.here.unlink()

    def test_what_another_may_have_left_is_not_gone_on_with(self):
        def stop(done, total):
            raise KeyError

        def part():
            with self.assertRaises(KeyError):
                self.sftp.get(self.there, self.here, resume=True,
                              progress=stop)
            part, = self.folder.glob("here.*.part")
            return part

        ways = [lambda path: os.link(path, self.folder / "kept")]
        if os.geteuid() == 0:
            ways.append(lambda path: os.chown(path, 1, 1))
        for way, left in [(way, left) for way in ways for left in (b"x", b"")]:
            with self.subTest(left):
                path = part()
                path.write_bytes(left)
                way(path)
                self.sftp.get(self.there, self.here, resume=True)
                self.assertEqual(self.here.read_bytes(), DATA)
                self.assertEqual(path.exists() and path.read_bytes(),
                                 left or False)
                for name in self.names():
                    if name != "there":
                        (self.folder / name).unlink()

    def test_a_relative_name_is_where_the_process_was(self):
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        (self.folder / "other").mkdir()
        (self.folder / "link").symlink_to("kept")
        (self.folder / "kept").write_bytes(b"old")

        for name in "here", "link":
            os.chdir(self.folder)
            self.sftp.get(self.there, name,
                          progress=lambda *_: os.chdir(self.folder / "other"))
        self.assertEqual(os.listdir(), [])
        self.assertEqual(self.names(),
                         ["here", "kept", "link", "other", "there"])
        self.assertEqual((self.folder / "kept").read_bytes(), DATA)

    def test_a_file_that_shrinks_is_an_error(self):
        for way in "get", "put":
            with self.subTest(way), self.assertRaises(FileError) as caught:
                os.truncate(self.there, 64 * MIB)
                getattr(self.sftp, way)(
                    self.there, self.here,
                    progress=lambda *_: os.truncate(self.there, 10))
            self.assertIn("changed", str(caught.exception))
            self.assertIn(str(self.there), str(caught.exception))
            self.assertFalse(self.here.exists())

    def test_a_file_that_grows_is_read_to_its_end(self):
        grown = []

        def progress(done, total):
            if not grown:
                with open(self.there, "ab") as file:
                    file.write(b"more")
                grown.append(True)

        os.truncate(self.there, 16 * MIB)
        count = self.sftp.get(self.there, self.here, progress=progress)
        self.assertEqual(count, self.here.stat().st_size)
        self.assertIn(count, (16 * MIB, 16 * MIB + 4))

    def test_an_interrupt_leaves_nothing(self):
        os.truncate(self.there, 256 * MIB)

        def progress(done, total):
            signal.raise_signal(signal.SIGINT)

        with self.assertRaises(KeyboardInterrupt):
            self.sftp.get(self.there, self.here, progress=progress)
        self.assertEqual(self.names(), ["there"])
        self.assertEqual(self.sftp.stat(self.there).filesize, 256 * MIB)

    def test_objects_that_write_less_than_they_are_given(self):
        class Slow(io.RawIOBase):
            data = b""

            def write(self, data):
                self.data += bytes(data[:100_000])
                return min(len(data), 100_000)

        slow = Slow()
        self.assertEqual(self.sftp.get(self.there, slow), len(DATA))
        self.assertEqual(slow.data, DATA)

    def ways(self, what):
        """A transfer, and what a command says."""
        channel = self.session.open_session()
        channel.execute(f"cat {self.there}")
        for way in (lambda to: self.sftp.get(self.there, to), channel.pump):
            with self.subTest(what, way=way):
                yield way

    def test_raw_objects_that_do_not_wait(self):
        for way in self.ways("a pipe that is read late"):
            (out, end), got = os.pipe(), []
            os.set_blocking(end, False)

            def read():
                time.sleep(0.2)
                with open(out, "rb") as file:
                    got.append(file.read())

            thread = threading.Thread(target=read)
            thread.start()
            with open(end, "wb", buffering=0) as raw:
                self.assertEqual(way(raw), len(DATA))
            thread.join()
            self.assertEqual(got, [DATA])

    def test_raw_objects_that_nothing_can_wait_for(self):
        class Full(io.RawIOBase):
            def write(self, data):
                return None

        for way in self.ways("no descriptor"):
            with self.assertRaises(BlockingIOError):
                way(Full())

    def test_objects_that_only_keep_what_they_are_given(self):
        class Parts(list):
            write = list.append

        for way in self.ways("no answer"):
            parts = Parts()
            self.assertEqual(way(parts), len(DATA))
            self.assertEqual(b"".join(parts), DATA)

    def test_objects_that_say_yes(self):
        """True is no count of bytes."""
        for way in self.ways("True"):
            with self.assertRaisesRegex(TypeError, "returned bool"):
                way(SimpleNamespace(write=lambda data: True))

    def test_sockets_are_given_by_their_descriptors(self):
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        with theirs:
            for way in self.ways("a socket"):
                with self.assertRaisesRegex(TypeError, r"give its fileno\(\)"):
                    way(theirs)
            with self.assertRaisesRegex(TypeError, r"no read\(\)"):
                self.sftp.put(theirs, self.here)
            self.here.write_bytes(b"hello")
            self.assertEqual(self.sftp.get(self.here, theirs.fileno()), 5)
        self.assertEqual(ours.recv(6), b"hello")

    def test_what_came_before_an_error_is_given_to_the_object(self):
        sftp = connect(int(ENV["SSH2_LIAR_PORT"])).sftp_init()
        got = io.BytesIO()
        with self.assertRaises(SFTPFailureError) as caught:
            sftp.get("/bad_block/x", got)
        self.assertEqual(caught.exception.done, 120_000)
        self.assertEqual(len(got.getvalue()), 120_000)

        def write(data):
            raise KeyError(len(data))

        with self.assertRaisesRegex(KeyError, "120000"):
            sftp.get("/bad_block/x", SimpleNamespace(write=write))
        self.assertEqual(sftp.stat("/ok/x").filesize, 300_000)

    def test_nothing_counts_behind_a_write_that_was_refused(self):
        sftp = connect(int(ENV["SSH2_LIAR_PORT"])).sftp_init()
        for temporary in True, False:
            with self.assertRaises(SFTPFailureError) as caught:
                sftp.put(io.BytesIO(DATA[:300_000]), "/torn/x",
                         temporary=temporary)
            self.assertEqual(caught.exception.done, 3 * 32768)

    def test_objects_of_other_sorts(self):
        with open(self.here, "wb") as file:
            self.sftp.get(self.there, file)
        self.assertEqual(self.here.read_bytes(), DATA)
        with open(self.there, "rb") as file:
            file.seek(1000)
            self.assertEqual(self.sftp.put(file, self.here), len(DATA) - 1000)
        for wrong in (lambda _: "text", lambda _: None, lambda _: 5):
            thing = type("Thing", (), {"read": staticmethod(wrong)})()
            with self.assertRaises(TypeError):
                self.sftp.put(thing, self.here)
        with self.assertRaises(TypeError):
            self.sftp.get(self.there, object())
        self.assertEqual(self.sftp.stat(self.there).filesize, len(DATA))

    def test_trees_of_more_folders_than_descriptors(self):
        for number in range(400):
            folder = self.folder / "tree" / str(number)
            folder.mkdir(parents=True)
            (folder / "file").write_bytes(b"x")
        self.assertEqual(self.program(FEW, self.folder / "tree"), "400")

    @unittest.skipUnless(not NO_ROOT or shutil.which(NO_ROOT[0]), "no setpriv")
    def test_a_folder_that_its_owner_may_not_write_is_added_to(self):
        tree, copy = self.folder / "tree", self.folder / "copy"
        (tree / "in").mkdir(parents=True)
        for folder in tree / "in", tree:
            (folder / "file").write_bytes(b"x")
            folder.chmod(0o555)
        self.assertEqual(self.program(KEPT, tree, copy, behind=NO_ROOT),
                         "2\n2")
        self.assertEqual([path.stat().st_mode & 0o777
                          for path in (copy, copy / "in")], [0o555] * 2)
        for top in tree, copy:
            for folder in top, top / "in":
                folder.chmod(0o755)

    def test_a_tree_tells_what_it_did(self):
        moved = self.sftp.put_tree(self.folder, f"{self.folder}2")
        self.assertEqual(moved, Moved(1, len(DATA), []))

    @unittest.skipIf(SANITIZED, "a sanitizer keeps freed memory")
    def test_memory_does_not_grow_with_the_file(self):
        big = self.folder / "big"
        big.touch()
        os.truncate(big, 400 * MIB)
        grown = int(self.program(MEMORY, big, self.there))
        self.assertLess(grown, 32 << 10)

    def test_a_session_that_does_not_block(self):
        self.session.set_blocking(False)
        while True:
            count = self.sftp.get(self.there, self.here)
            if count != -37:
                break
        self.assertEqual(count, len(DATA))
        self.assertEqual(self.here.read_bytes(), DATA)

    def test_one_that_is_begun_and_left(self):
        self.session.set_blocking(False)
        while self.sftp.get(self.there, self.here) == -37:
            if self.session.block_directions() and self.names() != ["there"]:
                break
        self.session.set_blocking(True)
        self.assertEqual(self.sftp.get(self.there, io.BytesIO()), len(DATA))
        self.session.close()
        del self.sftp, self.session
        self.assertEqual([n for n in self.names() if ".part" in n], [])

    def begin(self, end, place):
        """Some of it, and not all."""
        while not place():
            if self.sftp.get(self.there, end) != -37:
                self.skipTest("all came at once")

    def whole(self, end):
        while (count := self.sftp.get(self.there, end)) == -37:
            pass
        self.assertEqual(count, len(DATA))

    def test_one_that_is_left_goes_to_no_other_object(self):
        self.session.set_blocking(False)
        first, second = io.BytesIO(), io.BytesIO()
        self.begin(first, first.tell)
        self.begin(second, second.tell)
        self.whole(first)
        self.whole(second)
        self.assertEqual(first.getvalue(), DATA)
        self.assertEqual(second.getvalue(), DATA)
        self.begin(second, lambda: second.tell() > len(DATA))
        del second  # another may have its address
        for _ in range(5):
            other = io.BytesIO()
            self.whole(other)
            self.assertEqual(other.getvalue(), DATA)

    def test_nor_one_that_takes_no_weak_reference(self):
        self.session.set_blocking(False)
        first, second = Slots(), Slots()
        self.begin(first, lambda: len(first.data))
        self.whole(second)
        self.assertEqual(second.data, DATA)
        self.whole(first)
        self.assertEqual(first.data, DATA)

    def test_what_is_put_over_a_private_file_is_private_meanwhile(self):
        self.here.write_bytes(b"secret")
        self.here.chmod(0o600)
        modes, folder = set(), self.folder

        class Source(io.BytesIO):
            def read(self, size):
                modes.update(path.stat().st_mode & 0o777
                             for path in folder.glob("here.*.part"))
                return super().read(size)

        old = os.umask(0)
        self.addCleanup(os.umask, old)
        self.sftp.put(Source(DATA), self.here)
        self.assertEqual(modes, {0o600})
        self.assertEqual(self.here.stat().st_mode & 0o777, 0o600)

    def test_the_program_may_have_a_handle_forget_what_it_is(self):
        sftp, session = self.sftp, self.session

        class Sink:
            def write(self, data):
                sftp.__dict__.pop("this", None)
                session.open_session().close()

        self.assertEqual(sftp.get(self.there, Sink()), len(DATA))

    def test_one_that_is_left_goes_to_no_other_file(self):
        self.session.set_blocking(False)
        with open(self.here, "wb", 0) as first:
            number = first.fileno()
            self.begin(number, first.tell)
            with open(f"{self.here}2", "wb", 0) as second:
                os.dup2(second.fileno(), number)
            self.begin(number, first.tell)
            first.truncate(0)
            first.seek(0)
            self.whole(number)
        self.assertEqual(Path(f"{self.here}2").read_bytes(), DATA)
        self.assertTrue(DATA.startswith(self.here.read_bytes()))

    def test_what_is_left_of_others_does_not_stop_the_next(self):
        self.session.set_blocking(False)
        for number in range(4):
            for _ in range(50):
                if self.sftp.get(self.there, f"{self.here}{number}") != -37:
                    break
        self.session.set_blocking(True)
        self.session.set_timeout(20_000)
        self.assertEqual(self.sftp.get(self.there, self.here), len(DATA))
        self.sftp.close()
        self.assertEqual([n for n in self.names() if ".part" in n], [])

    def test_a_child_that_ends_amid_a_transfer_does_no_harm(self):
        os.truncate(self.there, 64 * MIB)
        self.assertEqual(self.program(FORK, self.there, self.here),
                         str(64 * MIB))
        self.assertEqual(self.names(), ["here", "there"])

    def test_answers_start_the_timeout_anew(self):
        def pause():
            for _ in range(8):
                server("stop")
                time.sleep(0.5)
                server("cont")
                time.sleep(0.1)

        self.session.set_timeout(2000)
        pausing = threading.Thread(target=pause)
        pausing.start()
        self.addCleanup(pausing.join)
        found = self.sftp.stat_many([self.there] * 100_000)
        self.assertEqual(len(found), 100_000)

    def test_a_write_goes_where_the_reader_is(self):
        sftp = connect(int(ENV["SSH2_LIAR_PORT"])).sftp_init()
        for before in (0, 1, 20, 37, 41, 45, 60):
            handle = sftp.open("/told-offset/x", LIBSSH2_FXF_READ, 0)
            place = sum(handle.read(1000)[0] for _ in range(before))
            self.assertEqual(handle.tell64(), place)
            with self.assertRaises(SSH2Error) as caught:
                handle.write(b"x")
            self.assertIn(f"(status {1000 + place})", str(caught.exception))

    def test_long_names_wait_for_room(self):
        tree = self.folder / "tree"
        for folder in range(40):
            (tree / str(folder)).mkdir(parents=True)
            for name in range(10):
                (tree / str(folder) / str(name)).write_bytes(b"z")
        sftp = connect(int(ENV["SSH2_LIAR_PORT"])).sftp_init()
        moved = sftp.put_tree(tree, "/made/" + "a" * 30_000)
        self.assertEqual(moved.files, 400)

    def test_names_that_are_too_long(self):
        for call in (lambda: self.sftp.stat_many(["a" * 600_000]),
                     lambda: self.sftp.get("a" * 600_000, self.here),
                     lambda: self.sftp.list_tree("a" * 600_000)):
            with self.assertRaises(InvalidRequestError):
                call()

    def test_two_pipes_of_which_one_is_read_late(self):
        channel = self.session.open_session()
        channel.execute("head -c 300000 /dev/zero; "
                        "head -c 300000 /dev/zero >&2")
        pipes, got = [os.pipe(), os.pipe()], []
        ends = [os.fdopen(end, "wb", 0) for _, end in pipes]

        def read():
            with open(pipes[0][0], "rb") as file:
                got.append(len(file.read(300_000)))
                time.sleep(1)  # and the other one is full meanwhile
                # Closed by what reads no more of it.
                ends[0].close()
                got[0] += len(file.read())
            with open(pipes[1][0], "rb") as file:
                got.append(len(file.read()))

        thread = threading.Thread(target=read)
        thread.start()
        self.session.set_timeout(20_000)
        count = channel.pump(ends[0].fileno(), ends[1].fileno())
        ends[1].close()
        thread.join()
        self.assertEqual((count, got), (600_000, [300_000, 300_000]))

    def test_a_pipe_whose_writer_waits_for_the_answers(self):
        out, end = os.pipe()
        acknowledged = threading.Event()

        def write():
            with open(end, "wb") as file:
                file.write(bytes(100_000))
                file.flush()
                acknowledged.wait(20)
                file.write(bytes(100_000))

        thread = threading.Thread(target=write)
        thread.start()
        count = self.sftp.put(out, self.here, progress=lambda done, _:
                              done >= 100_000 and acknowledged.set())
        thread.join()
        os.close(out)
        self.assertEqual(count, 200_000)
        self.assertTrue(acknowledged.is_set())


if __name__ == "__main__":
    unittest.main()
