"""A second implementation of protocol/README.md's "Joining by stick", for tests."""

import base64
import json
import os

import peer as peers
import wire
from nacl import bindings, exceptions


def write(path, kind, invitation, sealed):
    path.write_text(json.dumps({"navette": kind, "format": 1, "invitation": invitation.hex(),
                                "sealed": base64.b64encode(sealed).decode()}))
    return path


def ask(path, site, name, token, machine=bytes(32), join=None):
    """A request to join; `join` is the one in it, if it is not that of who has the token."""
    inner = wire.pack([token.id, machine, join or token.join(site, name)])
    record = wire.pack([inner, site.sign("navette ask 1", inner)])
    salt = os.urandom(32)
    key = wire.derive(token.psk, "navette ask key 1", salt)
    sealed = bindings.crypto_aead_chacha20poly1305_ietf_encrypt(record, None, bytes(12), key)
    return write(path, "join-ask", token.id, salt + sealed)


def asked(path, token):
    """What whoever has what the maker keeps can read of a request: name and keys."""
    with open(path, encoding="ascii") as file:
        sealed = base64.b64decode(json.load(file)["sealed"])
    key = wire.derive(token.psk, "navette ask key 1", sealed[:32])
    inner, _ = wire.unpack(bindings.crypto_aead_chacha20poly1305_ietf_decrypt(sealed[32:], None, bytes(12), key))
    return wire.unpack(wire.unpack(inner)[2])[1:4]


def forge(path, token, signing, exchange, maker):
    """An answer to that newcomer by one who did not make the token."""
    welcome = wire.pack([wire.WELCOME, bytes(32), b"roster"])
    inner = wire.pack([token.id, signing, welcome, [], b""])
    record = wire.pack([inner, maker.signing, maker.sign("navette answer 1", inner)])
    return write(path, "join-answer", token.id, bindings.crypto_box_seal(record, exchange))


def without_token(site, name):
    """A JOIN by one who has what the maker keeps, and not the token."""
    signed = bytes(32) + site.signing + site.exchange + name.encode()
    return wire.pack([wire.JOIN, name, site.signing, site.exchange, site.sign("navette join 1", signed)])


def answer(path, site, token):
    """What an answer says to `site`: (fleet key, roster, have, keys)."""
    with open(path, encoding="ascii") as file:
        letter = json.load(file)
    wire.check(letter["navette"] == "join-answer" and letter["invitation"] == token.id.hex(), "another letter")
    try:
        record = bindings.crypto_box_seal_open(base64.b64decode(letter["sealed"]), site.exchange, site.private)
    except exceptions.CryptoError:
        raise wire.Refused("not for us") from None
    inner, maker, signature = wire.unpack(record)
    wire.verify(maker, signature, "navette answer 1", inner)
    wire.check(wire.blake(maker, size=16)[:8] == token.maker, "not the PC that made the token")
    invitation, joiner, welcome, have, keys = wire.unpack(inner)
    wire.check(invitation == token.id and joiner == site.signing, "an answer to another")
    kind, key, log = wire.unpack(welcome)
    wire.check(kind == wire.WELCOME, "no WELCOME")
    return key, peers.Roster(log), have, keys
