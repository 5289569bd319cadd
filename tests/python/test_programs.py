"""Programs as users of ssh2-python write them, run as they are."""
import os
import subprocess
import sys
import textwrap
import unittest
from pathlib import Path

from common import ENV, with_gevent

PROGRAMS = Path(__file__).resolve().parent / "programs"
SERVER = [ENV["SSH2_HOST"], ENV["SSH2_PORT"]]
LOGIN = [*SERVER, ENV["SSH2_USER"], ENV["SSH2_KEY"]]


class TestPrograms(unittest.TestCase):
    def run_program(self, name, *arguments):
        done = subprocess.run(
            [sys.executable, str(PROGRAMS / name), *arguments], timeout=80,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout.splitlines()

    def test_a_command_and_select(self):
        lines = self.run_program(
            "nonblocking_exec.py", *LOGIN,
            "echo one; sleep 0.3; seq 2000; echo grün; exit 7")
        # The server may be the faster one.
        self.assertIn(lines[0], ("would block: True", "would block: False"))
        self.assertEqual(lines[1:], [
            "one", *map(str, range(1, 2001)), "grün", "exit status: 7"])

    def test_what_the_readme_shows(self):
        readme = PROGRAMS.parents[2] / "bindings/python/README.md"
        block = readme.read_text().split("## Use\n")[1].split("\n`connect")[0]
        program = Path(ENV["SSH2_TMP"], "readme.py")
        program.write_text(
            textwrap.dedent(block)
            .replace('"example.org"', f'"{SERVER[0]}", {SERVER[1]}')
            .replace('"me"', repr(ENV["SSH2_USER"]))
            .replace("/etc/hostname", ENV["SSH2_KEY"]))
        lines = self.run_program(program)
        self.assertTrue(lines[0].startswith(os.uname().sysname), lines)
        self.assertEqual(lines[1:], ["status 0"])
        self.assertEqual(Path("hostname").read_bytes(),
                         Path(ENV["SSH2_KEY"]).read_bytes())

    def test_copies(self):
        folder = Path(ENV["SSH2_TMP"], "program-copies")
        folder.mkdir()
        data = os.urandom(1500001)
        source = folder.with_name("program-source")
        source.write_bytes(data)
        lines = self.run_program("sftp_copy.py", *LOGIN, str(source),
                                 str(folder))
        self.assertEqual(lines[0], "received: 1500001")
        names = ["back", "by scp", "scp back", "there"]
        self.assertEqual(sorted(lines[1:]),
                         sorted(f"{len(n)} {n} 1500001" for n in names))
        for name in names:
            self.assertEqual((folder / name).read_bytes(), data)
        self.assertEqual(int(os.stat(folder / "by scp").st_mtime),
                         int(os.stat(source).st_mtime))

    def test_threads_and_an_agent(self):
        self.assertEqual(
            self.run_program("agent_parallel.py", *SERVER),
            [f"{i} {f'host {i}'.encode() + bytes([10])!r} {i}"
             for i in range(6)])

    def test_a_tunnel(self):
        self.assertEqual(self.run_program("tunnel.py", *LOGIN),
                         ["through the tunnel: 500000", "ended: True"])

    @with_gevent
    def test_greenlets_that_poll(self):
        self.assertEqual(self.run_program("gevent_clients.py", *LOGIN), [
            *[f"[b'out {i}', b'', b'end'] [b'err'] 3 True" for i in range(5)],
            "at once: True"])

    @with_gevent
    def test_greenlets_that_block(self):
        self.assertEqual(self.run_program("gevent_hook.py", *LOGIN), [
            " ".join(f"b'{i}\\n'" for i in range(5)), "at once: True",
            "the hub ran: True", "through the first: 300000"])
