#!/usr/bin/python3
"""Each private key that ssh-keygen writes opens the door, or is refused in
words.

    truth_keys.py python|ruby

Every kind of key, in every format, with a passphrase and without, from a file
and from memory; and every cipher that may lock one.  A locked key is tried
without its passphrase and with a wrong one before.  So are keys refused that
nobody writes: spoilt ones, and one of another kind than its public key.
"""
import base64
import os
import shutil
import subprocess
import sys
from pathlib import Path

from suite import LONG, Client, Error, Failed, Ref, Tally, constant, run

MENDED = "SSH2_TRUE_STATUS" in os.environ  # the source build
UNMENDED = "a system's libssh2 does not survive it (docs/libssh2.md)"
PORT, USER = int(os.environ["SSH2_EVERY_PORT"]), os.environ["SSH2_USER"]
FOLDER = Path(os.environ["SSH2_TMP"])
ALLOWED = Path(os.environ["SSH2_DIR"], "authorized_keys")
PASSPHRASE = "grün, 0pen ß"
KINDS = {
    "ed25519": ["-t", "ed25519"],
    "ecdsa-256": ["-t", "ecdsa", "-b", "256"],
    "ecdsa-384": ["-t", "ecdsa", "-b", "384"],
    "ecdsa-521": ["-t", "ecdsa", "-b", "521"],
    "rsa-2048": ["-t", "rsa", "-b", "2048"],
    "rsa-3072": ["-t", "rsa", "-b", "3072"],
    "dsa": ["-t", "dsa"],
}
FORMATS = {"OpenSSH": "RFC4716", "PEM": "PEM", "PKCS8": "PKCS8"}
# Which of them libssh2 gives depends on format and place.
REFUSALS = {"FileError": -16, "KeyfileAuthFailedError": -48}


def unreadable(kind, name, memory, dsa, new):
    """Why this libssh2 cannot read such a key, if it cannot."""
    if kind == "dsa" and not dsa:
        return "libssh2 was built without DSA"
    if name.endswith("by chacha20-poly1305@openssh.com"):
        return "libssh2 unlocks no key by chacha20-poly1305"
    if not new and name.endswith("-gcm@openssh.com"):
        return "libssh2 unlocks no key by AES-GCM before 1.11"
    if not new and kind == "dsa" and name.startswith("OpenSSH") and memory:
        return "libssh2 reads no such key from memory before 1.11"
    return ""


def keygen(*words):
    job = subprocess.run(["ssh-keygen", "-q", *words], check=False,
                         stdin=subprocess.DEVNULL, capture_output=True)
    return not job.returncode


def written():
    """(name, path, its kind, its format, its passphrase) of each."""
    keys, folder = [], FOLDER / "keys"
    folder.mkdir()
    for kind, options in KINDS.items():
        first = folder / kind
        if not keygen(*options, "-N", "", "-f", first):
            continue  # an OpenSSH without DSA
        with open(ALLOWED, "a") as file:
            file.write(Path(f"{first}.pub").read_text())
        for name, word in FORMATS.items():
            for phrase in ("", PASSPHRASE):
                keys.append(rewritten(first, kind, name, phrase, "-m", word))
        if LONG or kind == "ed25519":
            ciphers = subprocess.run(["ssh", "-Q", "cipher"], check=True,
                                     capture_output=True, text=True)
            for cipher in ciphers.stdout.split():
                keys.append(rewritten(first, kind, f"OpenSSH by {cipher}",
                                      PASSPHRASE, "-Z", cipher))
    return [key for key in keys if key]


def rewritten(first, kind, name, phrase, *options):
    title = f"{kind} {name}{', locked' if phrase else ''}"
    path = first.with_name(title.replace(" ", "_"))
    shutil.copy(first, path)
    shutil.copy(f"{first}.pub", f"{path}.pub")
    if not keygen("-p", "-a", "1", "-P", "", "-N", phrase, *options, "-f",
                  path):
        raise SystemExit(f"ssh-keygen does not write {title}")
    return title, path, kind, name, phrase


def refused(client, got, what, unlocked=False):
    if not isinstance(got, Error):
        raise Failed(f"{what} opens the door")
    if got.classes[0] not in list(REFUSALS)[:1 if unlocked else None] or \
            REFUSALS[got.classes[0]] not in got.codes:
        raise Failed(f"{what}: {got.classes[0]} {got.codes}")
    if client.call("s.userauth_authenticated"):
        raise Failed(f"{what}: authenticated")


def case_of(path, phrase, memory, why, named):
    def case(client):
        client.call("shake", PORT, to="s")
        call, key, more = "s.userauth_publickey_fromfile", str(path), {}
        if memory:
            call = "s.userauth_publickey_frommemory"
            key = path.read_bytes()
        elif phrase:
            more["publickey"] = f"{path}.pub"
        if phrase:
            refused(client, client.attempt(call, USER, key, "wrong", **more),
                    "a wrong passphrase")
            refused(client, client.attempt(call, USER, key, **more),
                    "no passphrase")
        got = client.attempt(call, USER, key, phrase, **more)
        if why:
            refused(client, got, "a key that libssh2 cannot read",
                    not phrase and named)
            return
        if isinstance(got, Error):
            raise Failed(got.text.strip().splitlines()[-1])
        if not client.call("s.userauth_authenticated"):
            raise Failed("not authenticated")
    return case


def text_of(data):
    return len(data).to_bytes(4, "big") + data


def spoilt():
    """(name, path) of locked keys whose passphrase nothing can be made of."""
    options = {"no rounds": text_of(bytes(16)) + bytes(4),
               "no salt": text_of(b"") + bytes([0, 0, 0, 5]),
               "no options": bytes(4)}
    for name, kdf in options.items():
        data = b"openssh-key-v1\0" + b"".join(map(text_of, (
            b"aes256-ctr", b"bcrypt", kdf))) + bytes([0, 0, 0, 1]) + \
            text_of(b"public") + text_of(bytes(64))
        path = FOLDER / "keys" / name.replace(" ", "_")
        path.write_text("-----BEGIN OPENSSH PRIVATE" + " KEY-----\n" +
                        base64.encodebytes(data).decode() +
                        "-----END OPENSSH PRIVATE" + " KEY-----\n")
        yield name, path


def spoilt_case(path):
    def case(client):
        for _ in range(5):  # what was freed wrongly is met later
            client.call("shake", PORT, to="s")
            for call, key in (("fromfile", str(path)),
                              ("frommemory", path.read_bytes())):
                refused(client, client.attempt(
                    f"s.userauth_publickey_{call}", USER, key, PASSPHRASE),
                    "a spoilt key")
    return case


def other_kind(client):
    folder = FOLDER / "keys"
    keygen("-t", "rsa", "-b", "4608", "-m", "PEM", "-N", "",
           "-f", folder / "large")
    for public, private in (("ecdsa-256", "rsa-2048_PEM"),
                            ("ecdsa-256", "large"),
                            ("rsa-2048", "ecdsa-256_PEM")):
        client.call("shake", PORT, to="s")
        refused(client, client.attempt(
            "s.userauth_publickey_fromfile", USER, str(folder / private), "",
            publickey=str(folder / f"{public}.pub")), "a key of another kind")


def main(language):
    asks = Client(language)
    asks.call("new", Ref({"class": "Session"}), to="s")
    dsa = "ssh-dss" in asks.call("s.supported_algs",
                                 constant("LIBSSH2_METHOD_HOSTKEY"))
    new = asks.call("at_least", 0x010b00)
    asks.finish()
    if not new:
        REFUSALS["ProtocolError"] = -14  # from memory, before 1.11
    cases = []
    for title, path, kind, name, phrase in written():
        for memory in (False, True):
            why = unreadable(kind, name, memory, dsa, new)
            label = f"{title}, from {'memory' if memory else 'a file'}" + \
                (f", is refused: {why}" if why else "")
            cases.append((label, case_of(path, phrase, memory, why, new),
                          ""))
    cases += [(f"a locked key with {name}, is refused", spoilt_case(path),
               "" if MENDED else UNMENDED) for name, path in spoilt()]
    cases.append(("a key of another kind than the public one, is refused",
                  other_kind, "" if MENDED else UNMENDED))
    only = sys.argv[2:]
    cases = [case for case in cases
             if not only or any(word in case[0] for word in only)]
    return run(Tally(f"truth_keys {language}"), language, cases)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
