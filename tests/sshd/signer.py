#!/usr/bin/python3
"""Sign as a program or as a security key does, and check signatures.

    signer.py key KEY ALGORITHM              a file of a private key
    signer.py token HANDLE APPLICATION       a security key made here

sign standard input and print JSON: the signature in base64, or what a security
key gives: its flags, its counter and the two parts of the signature.
"""
import base64
import hashlib
import json
import os
import struct
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

HASHES = {"rsa-sha2-512": hashes.SHA512, "rsa-sha2-256": hashes.SHA256,
          "ssh-rsa": hashes.SHA1, "ecdsa-sha2-nistp256": hashes.SHA256}
APPLICATION, PRESENT, COUNTER = "ssh:", 1, 7


def string(data):
    return struct.pack(">I", len(data)) + data


def mpint(number):
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


def take(data):
    size = struct.unpack(">I", data[:4])[0]
    return data[4:4 + size], data[4 + size:]


def sign(key, algorithm, data):
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    kind = HASHES[algorithm.removesuffix("-cert-v01@openssh.com")]()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(kind)))
        return mpint(r) + mpint(s)
    return key.sign(data, padding.PKCS1v15(), kind)


def verify(blob, algorithm, data, signature):
    """Whether the signature, without its algorithm's name, is right."""
    name, rest = take(blob)
    if name.startswith(b"sk-"):
        if b"ecdsa" in name:
            rest = take(rest)[1]
        point, rest = take(rest)
        signature, tail = take(signature)
        data = hashed(take(rest)[0], tail[0], tail[1:], data)
        key = ed25519.Ed25519PublicKey.from_public_bytes(point) \
            if b"ed25519" in name else \
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        algorithm = "ecdsa-sha2-nistp256"
    else:
        line = name + b" " + base64.b64encode(blob)
        key = serialization.load_ssh_public_key(line)
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            r, rest = take(signature)
            s = take(rest)[0]
            numbers = (int.from_bytes(part, "big") for part in (r, s))
            key.verify(encode_dss_signature(*numbers), data,
                       ec.ECDSA(HASHES[algorithm]()))
        else:
            key.verify(signature, data, padding.PKCS1v15(),
                       HASHES[algorithm]())
    except InvalidSignature:
        return False
    return True


# --- a security key without hardware -----------------------------------------


def hashed(application, flags, counter, data):
    """What such a key signs: OpenSSH's PROTOCOL.u2f."""
    return hashlib.sha256(application).digest() + bytes([flags]) + counter + \
        hashlib.sha256(data).digest()


def token(handle, application, data):
    """Flags, counter and the parts of a signature; the handle is a path."""
    key = serialization.load_pem_private_key(Path(handle).read_bytes(), None)
    text = hashed(application.encode(), PRESENT, struct.pack(">I", COUNTER),
                  data)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return [PRESENT, COUNTER, key.sign(text), b""]
    numbers = decode_dss_signature(key.sign(text, ec.ECDSA(hashes.SHA256())))
    return [PRESENT, COUNTER, *(n.to_bytes(32, "big") for n in numbers)]


def make_token(path, kind):
    """Write a security key's private file, and its public one."""
    form = serialization.PublicFormat
    if kind == "ed25519":
        key, name = ed25519.Ed25519PrivateKey.generate(), b"sk-ssh-ed25519"
        parts = string(key.public_key().public_bytes(
            serialization.Encoding.Raw, form.Raw))
    else:
        key, name = ec.generate_private_key(ec.SECP256R1()), \
            b"sk-ecdsa-sha2-nistp256"
        parts = string(b"nistp256") + string(key.public_key().public_bytes(
            serialization.Encoding.X962, form.UncompressedPoint))
    name += b"@openssh.com"
    handle = f"{path}.token"
    Path(handle).write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))
    public = string(name) + parts + string(APPLICATION.encode())
    check = os.urandom(4)
    private = check + check + public + bytes([PRESENT]) + \
        string(os.fsencode(handle)) + string(b"") + string(b"token key")
    private += bytes(range(1, 1 + -len(private) % 8))
    whole = b"openssh-key-v1\0" + string(b"none") * 2 + string(b"") + \
        struct.pack(">I", 1) + string(public) + string(private)
    text = base64.b64encode(whole).decode()
    lines = [text[i:i + 70] for i in range(0, len(text), 70)]
    kind = "OPENSSH PRIVATE KEY"
    path.touch(0o600)
    path.write_text("\n".join([
        f"-----BEGIN {kind}-----", *lines,
        f"-----END {kind}-----", ""]))
    encoded = base64.b64encode(public).decode()
    Path(f"{path}.pub").write_text(f"{name.decode()} {encoded} token key\n")


def main(kind, key, word):
    data = sys.stdin.buffer.read()
    if kind == "token":
        result = token(key, word, data)
    else:
        result = sign(serialization.load_ssh_private_key(
            Path(key).read_bytes(), None), word, data)
    json.dump(result, sys.stdout,
              default=lambda data: base64.b64encode(data).decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
