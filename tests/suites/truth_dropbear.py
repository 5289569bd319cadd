#!/usr/bin/python3
"""The same truth from another server: dropbear.

    truth_dropbear.py python|ruby

Its methods, as truth.py has them for sshd; transfers far beyond its window of
24 KiB; and the shared cases, but those that it differs in by right, which are
named; a half of them for each language, but in the long form.  What it needs is
asked of the fixture; without dropbear all is skipped.
"""
import os
import re
import sys

if "SSH2_DROPBEAR_PORT" not in os.environ:
    print("dropbear is not installed, or cannot be given keys")
    sys.exit(77)
PORT = int(os.environ["SSH2_DROPBEAR_PORT"])
# What the cases take for sshd, here and in the runners.
os.environ["SSH2_PORT"] = str(PORT)
os.environ["SSH2_CONTROL"] = f"{os.environ['SSH2_DIR']}/dropbear_control"

from suite import LONG, Client, Tally, run  # noqa: E402, I001
from conformance import HERE, Calls, Verbs, load, unmet  # noqa: E402
import truth  # noqa: E402

# It takes a free port of the first loopback address there is; of the others
# the same number, or what somebody else has there.
Verbs.listens_at = None

FOLDERS = ["channel", "file", "sftp", "listener"]
if LONG:
    FOLDERS.append("session")
WINDOW = "its window is small, so a full one is not met there"
ENVIRONMENT = "dropbear takes no environment"
X11 = "Debian's dropbear has no X11"
CERTIFICATES = "dropbear takes no certificates"
STREAMLOCAL = "dropbear leads to no UNIX socket"
# Its issue 321, from 2022.82 to 2024.85.  A request on such a channel is granted
# nevertheless, and what its command says fails an assertion
# (`!channel->sent_close'), which ends the connection.
CLOSES = "dropbear closes a channel that has no command yet when another " \
    "channel's ends"
LATE = "dropbear lets go of a port later"
DIFFERENT = {
    "channel/full: the end would block": WINDOW,
    "channel/full: changing a terminal's size would block": WINDOW,
    "channel/full: a signal would block": WINDOW,
    "channel/windows: a window shrinks by what was written": WINDOW,
    "channel/requests: a channel runs one command":
        "dropbear gives a terminal to a command that runs",
    "channel/requests: the environment is set where the server allows it":
        ENVIRONMENT,
    "channel/requests: setting the environment would block": ENVIRONMENT,
    "channel/requests: a request that would block is finished by the next "
    "one": ENVIRONMENT,
    "listener/forwarding: a port can be asked for": LATE,
    "listener/forwarding: a listener that is dropped is cancelled by later "
    "calls": LATE,
    "session/events: an X11 client's connection comes as a channel, both "
    "ways": X11,
    "session/events: an X11 client is refused where nobody is to be told":
        X11,
    "session/events: asking for X11 would block": X11,
    "session/events: a program that the session starts itself is traced":
        "dropbear has no publickey subsystem",
    "session/opening: more sessions than the server allows are refused":
        "dropbear's limit is another",
    "session/publickey_callback: an RSA key signs by what the server prefers "
    "of RSA": "dropbear prefers rsa-sha2-256",
    "session/publickey_callback: a certificate of an RSA key": CERTIFICATES,
    "session/publickey_callback: a certificate lets a key in that alone would "
    "not be": CERTIFICATES,
    "session/publickey_sk: a certificate of the security key": CERTIFICATES,
    "session/publickey_sk: a certificate of an ECDSA one": CERTIFICATES,
    "session/settings: the client's banner can be chosen, the server's be "
    "read": "dropbear's banner is another",
    "session/settings: of ciphers as strong, the fast one is asked for first":
        "dropbear has no AES-GCM",
    "session/streamlocal: a channel leads to a UNIX socket that the server "
    "can reach": STREAMLOCAL,
    "session/streamlocal: where no socket is, the channel fails, and the "
    "session goes on": STREAMLOCAL,
    "session/streamlocal: opening such a channel would block": STREAMLOCAL,
    "sftp/files: a path is made absolute":
        "dropbear's sessions start in the user's home",
    "sftp/trees: one that fails ends all, and leaves nothing behind": CLOSES,
}


# A transfer that is left amid its work has its channel closed; the next one
# opens another.
LEFT = re.compile(r"\.(get|put)(_tree)? [^>]*-> !(KeyError|ValueError|Timeout)"
                  r".*\.(get|put)(_tree)? ")


def several(case):
    """Whether it may open a channel while another's command ends."""
    text = " ".join(line for _, line in case.steps)
    return case.label.startswith("session/scp_") or LEFT.search(text) or \
        text.count(".sftp_init") > 1 or \
        min(text.count(".open_session"), text.count(".execute")) > 1


def reason(case, asks):
    need = next((need for need in case.needs if unmet(need, asks)), None)
    if case.todo:
        return "to be written"
    if need:
        return f"needs {need}"
    if several(case):
        return CLOSES
    return DIFFERENT.get(case.label, "")


def shared_cases(asks):
    cases = load(HERE / "cases" / folder for folder in FOLDERS)
    unknown = DIFFERENT.keys() - {case.label for case in cases}
    if LONG and unknown:
        raise SystemExit(f"no such cases: {unknown}")

    def runs(case):
        return lambda client: case.run(client, Calls())
    return [(case.label, runs(case), reason(case, asks)) for case in cases]


# --- what the shared cases do not bring together ----------------------------


def far_beyond_its_window(client):
    truth.connect(client, PORT)
    truth.transfer(client, 3 * truth.MIB)
    want = b"".join(b"%d\n" % n for n in range(1, 300001))
    truth.command(client, "seq 300000", want)


def two_at_once(client):
    """Two commands echo in turn, each its own bytes, over small windows."""
    truth.connect(client, PORT)
    names, data = "ab", {"a": truth.made(100000), "b": truth.made(99999)}
    for name in names:
        client.call("s.open_session", to=name)
    for name in names:
        client.call(f"{name}.execute", "cat")
    got = dict.fromkeys(names, b"")
    for start in range(0, 100000, 9000):
        for name in names:
            part = data[name][start:start + 9000]
            truth.written(client, f"{name}.write", part)
        for name in reversed(names):
            while len(got[name]) < min(start + 9000, len(data[name])):
                got[name] += client.call(f"{name}.read_ex", 4000) or \
                    b"no end was due"
    for name in names:
        truth.equal(f"what {name} gave back", got[name], data[name])
        client.call(f"{name}.send_eof")
        truth.equal("its end", client.call(f"{name}.read_ex", 9), b"")


def how_it_ended(client):
    truth.connect(client, PORT)
    for command, status, name, out, err in (
            ("exit 0", 0, None, b"", b""), ("exit 7", 7, None, b"", b""),
            ("echo out; echo err >&2; exit 3", 3, None, b"out\n", b"err\n"),
            ("kill -TERM $$", -1, "TERM", b"", b"")):
        client.call("s.open_session", to="c")
        client.call("c.execute", command)
        truth.equal("its output", truth.whole(client, "c.read_ex", 99), out)
        truth.equal("its errors",
                    truth.whole(client, "c.read_stderr", 99), err)
        client.call("c.close")
        client.call("c.wait_closed")
        signal = client.call("c.get_exit_signal")
        if isinstance(signal, bytes):
            signal = signal.decode()
        truth.equal(f"the signal of {command}", signal, name)
        truth.equal(f"the status of {command}",
                    client.call("c.get_exit_status"), status)


def kept_alive(client):
    truth.connect(client, PORT)
    client.call("s.keepalive_config", True, 1)
    client.call("s.open_session", to="c")
    client.call("c.execute", "sleep 2.5; echo still here")
    truth.equal("the output", truth.whole(client, "c.read_ex", 99),
                b"still here\n")
    client.call("c.close")
    client.call("c.wait_closed")  # else dropbear may close SFTP's in its stead
    truth.transfer(client, 100000)


OWN = [("3 MiB each way, and 2 MiB of output", far_beyond_its_window, ""),
       ("two channels at once", two_at_once, ""),
       ("status, signal, output and errors", how_it_ended, ""),
       ("keepalives with replies", kept_alive, "")]


def main(language):
    asks = Client(language)
    ours = truth.supported(asks)
    cases = truth.method_cases(ours, truth.offered(PORT), PORT, "dropbear")
    # What neither has was said beside sshd.
    shared = shared_cases(asks)
    if not LONG:  # a half for each language
        shared = shared[language == "ruby"::2]
    cases = [case for case in cases if case[1]] + OWN + shared
    asks.finish()
    only = sys.argv[2:]
    cases = [case for case in cases
             if not only or any(word in case[0] for word in only)]
    return run(Tally(f"truth_dropbear {language}"), language, cases)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
