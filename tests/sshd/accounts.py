"""The second server: asyncssh, with accounts of its own.

    accounts.py DIRECTORY        prints its port, then serves for ever

    alice     password "correct horse"
    olga      password "stale", which has expired: she must choose "fresh", and
              is asked again if she chooses "weak"
    kate      keyboard-interactive: two questions, one more, then a round
              without a question
    quiet     keyboard-interactive without any question
    guest     needs nothing at all
    harry     the word of the host trusted.example, whose key is ecdsa
    anyone    the keys of the fixture's user

A command runs by /bin/sh; "@debug", "@ignore" and "@disconnect" have the server
send such a message, "@x11 N" and "@agent N" have it open N channels and tell
how many end, until two seconds bring none, or ten; "@flood N" opens all at
once.  SFTP serves this machine's files.
"""
import asyncio
import contextlib
import signal
import sys
import time
from pathlib import Path

import asyncssh

ROOT = sys.argv[1]
ROUNDS = {
    "kate": [
        ("Login", "Two questions", [("Password: ", False),
                                    ("Colour? ", True)],
         ["blue sky", "grün"]),
        ("", "", [("Code: ", True)], ["42"]),
        ("Done", "Welcome", [], []),
    ],
    "quiet": [("", "", [], [])],
}


class Server(asyncssh.SSHServer):
    def connection_made(self, conn):
        self.conn = conn

    def begin_auth(self, username):
        self.user = username
        self.conn.send_auth_banner("a server with accounts\n")
        return username != "guest"

    def password_auth_supported(self):
        return self.user in ("alice", "olga")

    def validate_password(self, username, password):
        if (username, password) == ("olga", "stale"):
            raise asyncssh.PasswordChangeRequired("Choose another: ")
        return (username, password) == ("alice", "correct horse")

    def change_password(self, username, old_password, new_password):
        if new_password == "weak":
            raise asyncssh.PasswordChangeRequired("A better one: ")
        return (username, old_password, new_password) == \
            ("olga", "stale", "fresh")

    def kbdint_auth_supported(self):
        return self.user in ROUNDS

    def get_kbdint_challenge(self, username, lang, submethods):
        self.rounds = list(ROUNDS[username])
        return self.ask()

    def validate_kbdint_response(self, username, responses):
        wanted = self.rounds.pop(0)[3]
        if list(responses) != wanted:
            return False
        return self.ask() if self.rounds else True

    def ask(self):
        name, instruction, prompts, _ = self.rounds[0]
        return name, instruction, "", prompts


    def host_based_auth_supported(self):
        return self.user == "harry"

    def validate_host_public_key(self, client_host, client_addr, client_port,
                                 key):
        return client_host == "trusted.example" and \
            key == asyncssh.read_public_key(Path(ROOT, "keys", "ecdsa.pub"))

    def validate_host_based_user(self, username, client_host,
                                 client_username):
        return username == client_username


async def pump(source, sink):
    with contextlib.suppress(ConnectionError, asyncssh.Error):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()


async def feed(process, job):
    await pump(process.stdin, job.stdin)
    job.stdin.close()


async def open_many(conn, kind, count):
    """Open channels to the client: how many it closes by itself."""
    ended = 0

    class Session(asyncssh.SSHTCPSession):
        def connection_lost(self, exc):
            nonlocal ended
            ended += 1
    if kind == "flood":
        await asyncio.gather(*(conn.create_agent_connection(Session)
                               for _ in range(count)))
        return 0
    for _ in range(count):
        if kind == "x11":
            await conn.create_x11_connection(Session, "display", 7)
        else:
            await conn.create_agent_connection(Session)
    # Those of an agent are to end, however slow the machine is.
    patience = 10 if kind == "agent" else 2
    seen, since = 0, time.monotonic()
    while ended < count and time.monotonic() - since < patience:
        await asyncio.sleep(0.01)
        if ended > seen:
            seen, since = ended, time.monotonic()
    return ended


async def act(process, verb, *words):
    """What a server does of its own."""
    conn, said = process.channel.get_connection(), ""
    if verb == "@debug":
        conn.send_debug("see here", "en", True)
    elif verb == "@ignore":
        conn.send_packet(asyncssh.constants.MSG_IGNORE,
                         asyncssh.packet.String(b"no\0matter"))
    elif verb == "@disconnect":
        conn.disconnect(asyncssh.DISC_BY_APPLICATION, "that was all", "de")
    else:
        said = await open_many(conn, verb[1:], int(words[0]))
    process.stdout.write(f"{said}\n".encode())
    process.exit(0)


async def serve(process):
    """Run the command, or a shell, with the channel as its three streams."""
    command = process.command
    if command and command[0] == "@":
        await act(process, *command.split())
        return
    pipe = asyncio.subprocess.PIPE
    job = await asyncio.create_subprocess_exec(
        "/bin/sh", *(["-c", command] if command else []),
        stdin=pipe, stdout=pipe, stderr=pipe)
    process.signal_received = lambda name: job.send_signal(
        signal.Signals[f"SIG{name}"])
    feeding = asyncio.create_task(feed(process, job))
    await asyncio.gather(pump(job.stdout, process.stdout),
                         pump(job.stderr, process.stderr))
    status = await job.wait()
    feeding.cancel()
    if status < 0:
        process.exit_with_signal(signal.Signals(-status).name[3:])
    else:
        process.exit(status)


# Else asyncssh would start a shell for any subsystem.
asyncssh.SSHServerProcess.subsystem_requested = lambda _, name: name == "sftp"


async def main():
    keys = [str(path) for path in sorted(Path(ROOT, "host").iterdir())
            if not path.suffix]
    server = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=Server, server_host_keys=keys,
        encoding=None, process_factory=serve, sftp_factory=True,
        trust_client_host=True,
        authorized_client_keys=str(Path(ROOT, "authorized_keys")))
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
