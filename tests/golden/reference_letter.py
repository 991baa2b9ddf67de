#!/usr/bin/env python3
"""A second implementation of protocol/README.md's letters (Joining by stick); `reference.py` runs it.

The sealed box is that of libsodium: XSalsa20-Poly1305 under a key agreed with an ephemeral one."""
import base64
import hashlib
import json
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.poly1305 import Poly1305

SIGMA = struct.unpack("<4I", b"expand 32-byte k")


def rounds(x):
    """The 20 rounds of Salsa20, without the addition at their end."""
    x = list(x)

    def quarter(a, b, c, d):
        for to, one, two, bits in ((b, a, d, 7), (c, b, a, 9), (d, c, b, 13), (a, d, c, 18)):
            v = (x[one] + x[two]) & 0xFFFFFFFF
            x[to] ^= (v << bits | v >> (32 - bits)) & 0xFFFFFFFF
    for _ in range(10):
        for q in ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11),
                  (0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14)):
            quarter(*q)
    return x


def block(key, sixteen):
    k, n = struct.unpack("<8I", key), struct.unpack("<4I", sixteen)
    return [SIGMA[0], *k[:4], SIGMA[1], *n, SIGMA[2], *k[4:], SIGMA[3]]


def hsalsa(key, sixteen):
    x = rounds(block(key, sixteen))
    return struct.pack("<8I", x[0], x[5], x[10], x[15], *x[6:10])


def stream(key, nonce, n):
    key, out = hsalsa(key, nonce[:16]), b""
    for i in range((n + 63) // 64):
        start = block(key, nonce[16:] + struct.pack("<Q", i))
        out += struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(start, rounds(start))))
    return out[:n]


def sealed_box(plain, to, ephemeral, raw):
    """crypto_box_seal to the X25519 key `to`."""
    public = raw(ephemeral.public_key())
    nonce = hashlib.blake2b(public + to, digest_size=24).digest()
    key = hsalsa(ephemeral.exchange(X25519PublicKey.from_public_bytes(to)), bytes(16))
    keys = stream(key, nonce, 32 + len(plain))
    cipher = bytes(a ^ b for a, b in zip(plain, keys[32:]))
    return public + Poly1305.generate_tag(keys[:32], cipher) + cipher


def letter(kind, invitation, sealed):
    return ('{\n"navette": %s,\n"format": 1,\n"invitation": "%s",\n"sealed": "%s"\n}\n' % (
        json.dumps(kind), invitation.hex(), base64.b64encode(sealed).decode())).encode()


def letter_file(r):
    """The second site of the examples, COMPTA01, asks with the token of the first one, which answers."""
    secret, machine, salt = r.run(0xC0, 16) + bytes(16), r.run(0x20, 32), r.run(0x70, 32)
    invitation = r.derive(secret, "navette invite id 1")[:8]
    keys = r.B.sign_public + r.B.exchange_public
    proof = r.token_key(r.run(0xC0, 16)).sign(b"navette join 1\0" + bytes(32) + keys + b"COMPTA01")
    join = r.pack([16, "COMPTA01", r.B.sign_public, r.B.exchange_public, proof])
    inner = r.pack([invitation, machine, join])
    ask = r.pack([inner, r.B.signature("navette ask 1", inner)])
    key = r.derive(r.derive(secret, "navette invite psk 1"), "navette ask key 1", salt)
    sealed_ask = salt + ChaCha20Poly1305(key).encrypt(bytes(12), ask, b"")
    have = [[r.A.site + bytes([4]) * 8, 7, bytes([0x11]) * 32]]
    welcome = r.pack([17, r.run(0x80, 32), bytes.fromhex("deadbeef")])
    inner = r.pack([invitation, r.B.sign_public, welcome, have, b"local keys"])
    answer = r.pack([inner, r.A.sign_public, r.A.signature("navette answer 1", inner)])
    sealed_answer = sealed_box(answer, r.B.exchange_public, X25519PrivateKey.from_private_bytes(r.run(0x90, 32)), r.raw)
    return {"machine": machine, "ask": ask, "ask_file": letter("join-ask", invitation, sealed_ask),
            "answer": answer, "answer_file": letter("join-answer", invitation, sealed_answer)}
