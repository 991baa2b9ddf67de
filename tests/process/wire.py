"""What one end of a connection does with keys, by protocol/README.md alone: values and their encoding, signatures, the
handshake and its frames, beacons, tokens.

Headings in the comments are those of that page. It replaces its key by bytes only."""

import hashlib
import hmac
import itertools
import os
import select
import socket
import struct
import time

import msgpack
from nacl import bindings, exceptions

JOIN, WELCOME, SORRY = 16, 17, 18
FLEET, INVITATION = 1, 2
MORE, REKEY = 1, 2
INITIATOR, RESPONDER = 1, 2
HERE, INVITING, JOINING, LEAVING = range(1, 5)


class Refused(Exception):
    """What the page says a reader must not take."""


def check(right, why):
    if not right:
        raise Refused(why)


# ---- Keys and contexts ----

def blake(data, key=b"", size=32):
    return hashlib.blake2b(data, digest_size=size, key=key).digest()


def derive(key, context, data=b""):
    return blake(context.encode() + b"\0" + data, key)


def verify(public, signature, context, data):
    try:
        bindings.crypto_sign_open(signature + context.encode() + b"\0" + data, public)
    except (exceptions.BadSignatureError, ValueError):
        raise Refused("signature with %r does not verify" % context) from None


class Site:
    """A device seed and what follows from it."""

    def __init__(self, seed=None):
        self.seed = seed = seed or os.urandom(32)
        self.signing, self._secret = bindings.crypto_sign_seed_keypair(derive(seed, "navette sign 1"))
        self.private = derive(seed, "navette exchange 1")
        self.exchange = bindings.crypto_scalarmult_base(self.private)
        self.id = blake(self.signing, size=16)

    def sign(self, context, data):
        return bindings.crypto_sign(context.encode() + b"\0" + data, self._secret)[:64]


# ---- Values and encoding ----

class Ref(tuple):
    """(actor index, counter) in a body, (actor, counter) outside."""


def _extension(value):
    check(isinstance(value, Ref), "cannot encode %r" % (value,))
    return msgpack.ExtType(1, struct.pack(">IQ", *value))


def _reference(kind, data):
    check(kind == 1 and len(data) == 12, "unknown extension")
    return Ref(struct.unpack(">IQ", data))


def pack(value):
    return msgpack.packb(value, default=_extension, strict_types=True, unicode_errors="surrogateescape")


def unpack(data):
    """One value; the only encoding it may have is the one `pack` gives it."""
    try:
        value = msgpack.unpackb(data, ext_hook=_reference, unicode_errors="surrogateescape", strict_map_key=False)
    except ValueError as error:
        raise Refused("not msgpack: %s" % error) from None
    check(pack(value) == data, "not the shortest form")
    return value


# ---- Handshake and frames ----

def seal(key, nonce, data, aad):
    return bindings.crypto_aead_chacha20poly1305_ietf_encrypt(data, aad, nonce, key)


def unseal(key, nonce, data, aad):
    try:
        return bindings.crypto_aead_chacha20poly1305_ietf_decrypt(data, aad, nonce, key)
    except exceptions.CryptoError:
        raise Refused("wrong tag") from None


class Cipher:
    def __init__(self, key):
        self.key, self.nonces = key, itertools.count()

    def _nonce(self):
        return bytes(4) + struct.pack("<Q", next(self.nonces))

    def encrypt(self, data, aad=b""):
        return seal(self.key, self._nonce(), data, aad)

    def decrypt(self, data, aad=b""):
        return unseal(self.key, self._nonce(), data, aad)

    def rekey(self):
        self.key = seal(self.key, bytes(4) + b"\xff" * 8, bytes(32), b"")[:32]


class Noise:
    """Noise_XXpsk0_25519_ChaChaPoly_SHA256 as far as Split."""

    def __init__(self, prologue, psk):
        self.hash = self.chain = hashlib.sha256(b"Noise_XXpsk0_25519_ChaChaPoly_SHA256").digest()
        self.mix_hash(prologue)
        self.chain, extra, key = self._hkdf(psk, 3)
        self.mix_hash(extra)
        self.cipher = Cipher(key)

    def _hkdf(self, data, count):
        key, last, out = hmac.digest(self.chain, data, "sha256"), b"", []
        for i in range(count):
            last = hmac.digest(key, last + bytes([i + 1]), "sha256")
            out.append(last)
        return out

    def mix_hash(self, data):
        self.hash = hashlib.sha256(self.hash + data).digest()

    def mix_key(self, data):
        self.chain, key = self._hkdf(data, 2)
        self.cipher = Cipher(key)

    def ephemeral(self, public):
        self.mix_hash(public)
        self.mix_key(public)
        return public

    def agree(self, private, public):
        self.mix_key(bindings.crypto_scalarmult(private, public))  # raises on a result of zeros

    def encrypt(self, data):
        sealed = self.cipher.encrypt(data, self.hash)
        self.mix_hash(sealed)
        return sealed

    def decrypt(self, sealed):
        data = self.cipher.decrypt(sealed, self.hash)
        self.mix_hash(sealed)
        return data

    def split(self):
        return [Cipher(key) for key in self._hkdf(b"", 2)]


class Channel:
    """An authenticated connection that carries messages."""

    def __init__(self, address, site, mode, psk, context, source=None):
        self.socket = socket.create_connection(address, timeout=10, source_address=source)
        self.buffer, self.message, self.heard = b"", b"", time.monotonic()
        noise = Noise(b"navette 1\0" + bytes([mode]) + context, psk)
        private = os.urandom(32)
        self._frame(noise.ephemeral(bindings.crypto_scalarmult_base(private)) + noise.encrypt(b""))
        answer = self._read_frame(10) or b""
        check(len(answer) == 192, "frame 2 has %d bytes" % len(answer))
        theirs = noise.ephemeral(answer[:32])
        noise.agree(private, theirs)                                    # ee
        static = noise.decrypt(answer[32:80])                           # s
        noise.agree(private, static)                                    # es
        identity = noise.decrypt(answer[80:])
        self.peer = identity[:32]
        verify(self.peer, identity[32:], "navette static 1", context + bytes([mode]) + static + bytes([RESPONDER]))
        frame = noise.encrypt(site.exchange)                            # s
        noise.agree(site.private, theirs)                               # se
        signed = context + bytes([mode]) + site.exchange + bytes([INITIATOR])
        self._frame(frame + noise.encrypt(site.signing + site.sign("navette static 1", signed)))
        self.session = noise.hash
        self.sending, self.receiving = noise.split()
        self.rekeys = 0                                                 # how often the other side replaced its key
        self.rekey_bytes, self.sent = 1 << 30, 0

    def _frame(self, body):
        self.socket.sendall(struct.pack(">H", len(body)) + body)

    def _read_frame(self, seconds):
        """A whole frame, or None when none came in time."""
        end = time.monotonic() + seconds
        while True:
            size = 2 + int.from_bytes(self.buffer[:2], "big")
            if len(self.buffer) >= max(size, 3):
                frame, self.buffer = self.buffer[2:size], self.buffer[size:]
                return frame
            if not select.select([self.socket], [], [], max(0, end - time.monotonic()))[0]:
                return None
            data = self.socket.recv(1 << 16)
            check(data, "the peer closed the connection")
            self.buffer, self.heard = self.buffer + data, time.monotonic()

    def send(self, message):
        for at in range(0, len(message), 65518):
            chunk = message[at:at + 65518]
            self.sent += len(chunk) + 1
            rekey = self.sent >= self.rekey_bytes
            flags = (MORE if at + 65518 < len(message) else 0) | (REKEY if rekey else 0)
            self._frame(self.sending.encrypt(chunk + bytes([flags])))
            if rekey:
                self.sending.rekey()
                self.sent = 0

    def receive(self, seconds):
        """The next message, or None when none came in time."""
        while True:
            frame = self._read_frame(seconds)
            if frame is None:
                return None
            clear = self.receiving.decrypt(frame)
            check(len(clear) >= 2 and clear[-1] <= MORE | REKEY, "malformed transport frame")
            self.message += clear[:-1]
            if clear[-1] & REKEY:
                self.receiving.rekey()
                self.rekeys += 1
            if not clear[-1] & MORE:
                message, self.message = self.message, b""
                return message

    def close(self):
        self.socket.close()


# ---- Beacon ----

def seal_beacon(secret, kind, site_id, port):
    clear = struct.pack(">B16sHQ5x", kind, site_id, port, int(time.time() * 1000))
    nonce = os.urandom(12)
    return b"NVB1" + nonce + seal(derive(secret, "navette beacon 1"), nonce, clear, b"NVB1")


def open_beacon(secret, datagram):
    """(kind, site id, port, clock)"""
    check(len(datagram) == 64 and datagram[:4] == b"NVB1", "not a beacon")
    clear = unseal(derive(secret, "navette beacon 1"), datagram[4:16], datagram[16:], b"NVB1")
    kind, site_id, port, clock = struct.unpack(">B16sHQ5x", clear)
    check(HERE <= kind <= LEAVING and clear[27:] == bytes(5) and (port or kind > INVITING), "malformed beacon")
    return kind, site_id, port, clock


# ---- Invitation ----

class Token:
    def __init__(self, text):
        alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
        text = "".join(text.split()).replace("-", "").upper().translate(str.maketrans("OIL", "011"))
        check(text and all(c in alphabet for c in text), "a character that no token has")
        bits = "".join(format(alphabet.index(c), "05b") for c in text)
        whole = len(bits) // 8 * 8
        check(len(text) in (48, 58, 68, 77, 87) and "1" not in bits[whole:], "malformed token")
        data = int(bits[:whole], 2).to_bytes(whole // 8, "big")
        check(blake(data[:-4])[:4] == data[-4:], "a typing mistake")
        check(data[0] == 2 and len(data) == 30 + 6 * data[25], "another version or a wrong count")
        key, self.maker = data[1:17] + bytes(16), data[17:25]
        self.id = derive(key, "navette invite id 1")[:8]
        self.psk = derive(key, "navette invite psk 1")
        self._key = bindings.crypto_sign_seed_keypair(derive(key, "navette invite key 1"))[1]
        self.addresses = [(socket.inet_ntoa(data[i:i + 4]), struct.unpack(">H", data[i + 4:i + 6])[0])
                          for i in range(26, len(data) - 4, 6)]

    def join(self, site, name, session=bytes(32)):
        """JOIN, with the proof that we have the token."""
        statement = session + site.signing + site.exchange + name.encode()
        proof = bindings.crypto_sign(b"navette join 1\0" + statement, self._key)[:64]
        return pack([JOIN, name, site.signing, site.exchange, proof])
