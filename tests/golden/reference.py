#!/usr/bin/env python3
"""A second implementation of protocol/README.md's keys, handshake, frames, beacon, invitation, letters and roster.

It wrote the golden files beside it and shares no code with the C one: run it to see that they still agree with the
specification ("reference.py --check"), or to write them ("reference.py --write"). Needs python3-cryptography; without
it, it ends with 77, which the test runner counts as skipped.
"""
import hashlib
import hmac
import pathlib
import struct
import sys

try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError:
    print("python3-cryptography is not installed", file=sys.stderr)
    sys.exit(77)

import reference_letter

HERE = pathlib.Path(__file__).parent


def run(first, n):
    """n bytes that count up from `first`: what the examples use for random bytes."""
    return bytes((first + i) & 255 for i in range(n))


def raw(public):
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def blake2b(data, n=32, key=b""):
    return hashlib.blake2b(data, digest_size=n, key=key).digest()


def derive(key, context, data=b""):
    return blake2b(context.encode() + b"\0" + data, key=key)


class Keys:
    def __init__(self, seed):
        self.seed = seed
        self.sign = Ed25519PrivateKey.from_private_bytes(derive(seed, "navette sign 1"))
        self.exchange = X25519PrivateKey.from_private_bytes(derive(seed, "navette exchange 1"))
        self.sign_public = raw(self.sign.public_key())
        self.exchange_public = raw(self.exchange.public_key())
        self.site = blake2b(self.sign_public, 16)

    def signature(self, context, data):
        return self.sign.sign(context.encode() + b"\0" + data)


A, B = Keys(run(0, 32)), Keys(run(32, 32))


# ---- msgpack: only what the roster uses, always the shortest form ----

def pack(v):
    if v is None or isinstance(v, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[v]
    if isinstance(v, list):
        assert len(v) < 65536
        head = bytes([0x90 | len(v)]) if len(v) < 16 else b"\xdc" + struct.pack(">H", len(v))
        return head + b"".join(map(pack, v))
    if isinstance(v, str):
        data = v.encode()
        assert len(data) < 256
        return (bytes([0xA0 | len(data)]) if len(data) < 32 else bytes([0xD9, len(data)])) + data
    if isinstance(v, bytes):
        head = b"\xc4" + bytes([len(v)]) if len(v) < 256 else b"\xc5" + struct.pack(">H", len(v))
        return head + v
    for limit, head, form in ((128, None, ">B"), (1 << 8, 0xCC, ">B"), (1 << 16, 0xCD, ">H"),
                              (1 << 32, 0xCE, ">I"), (1 << 64, 0xCF, ">Q")):
        if v < limit:
            return (b"" if head is None else bytes([head])) + struct.pack(form, v)
    raise ValueError(v)


# ---- Noise_XXpsk0_25519_ChaChaPoly_SHA256 ----

def hkdf(chaining, data, n):
    key = hmac.digest(chaining, data, "sha256")
    out = [b""]
    for i in range(n):
        out.append(hmac.digest(key, out[-1] + bytes([i + 1]), "sha256"))
    return out[1:]


class Cipher:
    def __init__(self, key):
        self.key, self.n = key, 0

    def seal(self, plain, ad=b""):
        self.n += 1
        return ChaCha20Poly1305(self.key).encrypt(struct.pack("<IQ", 0, self.n - 1), plain, ad)

    def rekey(self):
        self.key = ChaCha20Poly1305(self.key).encrypt(struct.pack("<IQ", 0, 2**64 - 1), bytes(32), b"")[:32]


class Noise:
    """Both sides at once: the transcript is the same, so one symmetric state is enough."""

    def __init__(self, prologue, psk):
        self.h = self.ck = hashlib.sha256(b"Noise_XXpsk0_25519_ChaChaPoly_SHA256").digest()
        self.mix_hash(prologue)
        self.ck, temp_h, temp_k = hkdf(self.ck, psk, 3)
        self.mix_hash(temp_h)
        self.cipher = Cipher(temp_k)

    def mix_hash(self, data):
        self.h = hashlib.sha256(self.h + data).digest()

    def mix_key(self, data):
        self.ck, key = hkdf(self.ck, data, 2)
        self.cipher = Cipher(key)

    def e(self, public):
        self.mix_hash(public)
        self.mix_key(public)
        return public

    def dh(self, secret, public):
        self.mix_key(secret.exchange(X25519PublicKey.from_public_bytes(public)))

    def seal(self, plain):
        sealed = self.cipher.seal(plain, self.h)
        self.mix_hash(sealed)
        return sealed

    def handshake(self, i_static, r_static, i_ephemeral, r_ephemeral, payloads):
        ie, re, i_s, rs = (raw(k.public_key()) for k in (i_ephemeral, r_ephemeral, i_static, r_static))
        first = self.e(ie) + self.seal(payloads[0])
        second = self.e(re)
        self.dh(i_ephemeral, re)
        second += self.seal(rs)
        self.dh(i_ephemeral, rs)
        second += self.seal(payloads[1])
        third = self.seal(i_s)
        self.dh(i_static, re)
        third += self.seal(payloads[2])
        return [first, second, third], [Cipher(k) for k in hkdf(self.ck, b"", 2)]


def published_vectors():
    """The blocks of noise.txt: our Noise above must reproduce them."""
    for block in (HERE / "noise.txt").read_text().split("\n\n"):
        v = dict(line.split("=") for line in block.splitlines() if "=" in line and line[0] != "#")
        if not v:
            continue
        data = {k: bytes.fromhex(x) for k, x in v.items() if k != "handshake"}
        noise = Noise(data.get("prologue", b""), data["preshared_key"])
        secrets = [X25519PrivateKey.from_private_bytes(data[k]) for k in
                   ("init_static", "resp_static", "gen_init_ephemeral", "gen_resp_ephemeral")]
        messages, ciphers = noise.handshake(*secrets, [data[f"msg_{i}_payload"] for i in range(3)])
        messages += [ciphers[0].seal(data["msg_3_payload"]), ciphers[1].seal(data["msg_4_payload"])]
        for i, message in enumerate(messages):
            assert message == data[f"msg_{i}_ciphertext"], (v["handshake"], i)


def frame(body):
    return struct.pack(">H", len(body)) + body


def transport(cipher, message, rekey=0):
    out, most, sent = b"", 65535 - 16 - 1, 0
    for at in range(0, len(message), most):
        chunk = message[at:at + most]
        sent += len(chunk) + 1
        replace = bool(rekey) and sent >= rekey
        out += frame(cipher.seal(chunk + bytes([(at + most < len(message)) | replace << 1])))
        if replace:
            cipher.rekey()
            sent = 0
    return out


def identity(keys, context, mode, role):
    claim = context + bytes([mode]) + keys.exchange_public + bytes([role])
    return keys.sign_public + keys.signature("navette static 1", claim)


# ---- golden files ----

def keys_file():
    return {"seed": A.seed, "sign_public": A.sign_public, "exchange_public": A.exchange_public, "site": A.site,
            "signature": A.signature("navette example 1", b"bonjour"),
            "derived": derive(A.seed, "navette example 1", b"bonjour"), "hash": blake2b(b"bonjour")}


def handshake_file():
    psk, context, mode = run(0x40, 32), run(0x60, 16), 1
    ephemerals = [X25519PrivateKey.from_private_bytes(run(first, 32)) for first in (0x80, 0xA0)]
    prologue = b"navette 1\0" + bytes([mode]) + context
    payloads = [b"", identity(B, context, mode, 2), identity(A, context, mode, 1)]
    messages, ciphers = Noise(prologue, psk).handshake(A.exchange, B.exchange, *ephemerals, payloads)
    out = {"initiator_seed": A.seed, "responder_seed": B.seed, "psk": psk, "context": context,
           "initiator_ephemeral": run(0x80, 32), "responder_ephemeral": run(0xA0, 32), "prologue": prologue,
           "responder_identity": payloads[1], "initiator_identity": payloads[2]}
    out.update({f"frame_{i + 1}": frame(m) for i, m in enumerate(messages)})
    out["initiator_key"], out["responder_key"] = ciphers[0].key, ciphers[1].key
    # As if keys were replaced after 8 bytes, then after 70,000, instead of after 2^30.
    out["initiator_says"] = transport(ciphers[0], b"bonjour", rekey=8)
    out["responder_says"] = transport(ciphers[1], b"salut", rekey=8)
    out["initiator_key_2"] = ciphers[0].key
    out["initiator_says_again"] = transport(ciphers[0], b"bonjour", rekey=8)
    out["long_hash"] = blake2b(transport(ciphers[0], run(0, 200000), rekey=70000))
    return out


def beacon_file():
    secret, nonce = run(0x40, 32), run(0x80, 12)
    key = derive(secret, "navette beacon 1")
    plain = struct.pack(">B16sHQ5x", 1, A.site, 7400, 1700000000123)
    sealed = ChaCha20Poly1305(key).encrypt(nonce, plain, b"NVB1")
    return {"secret": secret, "key": key, "site": A.site, "nonce": nonce, "plain": plain,
            "datagram": b"NVB1" + nonce + sealed}


def token_text(data):
    bits = "".join(f"{b:08b}" for b in data)
    bits += "0" * (-len(bits) % 5)
    text = "".join("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[int(bits[i:i + 5], 2)] for i in range(0, len(bits), 5))
    return "-".join(text[i:i + 4] for i in range(0, len(text), 4))


def token_key(secret):
    return Ed25519PrivateKey.from_private_bytes(derive(secret + bytes(16), "navette invite key 1"))


def token_file():
    secret = run(0xC0, 16)
    out = {"secret": secret, "maker": A.site[:8], "id": derive(secret + bytes(16), "navette invite id 1")[:8],
           "psk": derive(secret + bytes(16), "navette invite psk 1"), "key": raw(token_key(secret).public_key())}
    for n in range(5):
        data = b"\2" + secret + A.site[:8] + bytes([n])
        data += b"".join(bytes([192, 168, 1, 10 + i]) + struct.pack(">H", 7400 + i) for i in range(n))
        data += blake2b(data)[:4]
        out[f"bytes_{n}"], out[f"text_{n}"] = data, token_text(data).encode()
    return out


def join_file():
    """The messages of joining; the session is 60..7f."""
    name, sign, exchange, session = "CAISSE02", run(0x10, 32), run(0x50, 32), run(0x60, 32)
    statement = session + sign + exchange + name.encode()
    proof = token_key(run(0xC0, 16)).sign(b"navette join 1\0" + statement)
    return {"session": session, "join": pack([16, name, sign, exchange, proof]),
            "welcome": pack([17, run(0x80, 32), bytes.fromhex("deadbeef")]), "sorry": pack([18, "the token has expired"])}


def rules_file():
    enrol = blake2b(roster_file()["enrol"])
    rules = pack([1, 4, A.sign_public, [enrol], [
        [1, "lot", ["quantite"], None, None, None, True],
        [2, "auth_user", ["password"], None, "!", None, True],
        [4, "django_content_type", ["app_label", "model"], None, None, None, True],
        [5, "sale", ["client"], None, "client", None, True],
        [8, "sale", [], B.site, None, "agence_id = 8", True],
    ]])
    unset = pack([1, 4, A.sign_public, [blake2b(rules)], [[1, "lot", ["quantite"], None, None, None, False]]])
    named = pack([1, 4, A.sign_public, [blake2b(unset)], [
        [9, "note", ["object_id"], None, "content_type_id", "shop.client=people", True],
        [10, "mail", ["origin"], None, "model,id", None, True],
    ]])
    return {"rules": rules, "unset": unset, "named": named}


def roster_file():
    invite = derive(run(0xC0, 16) + bytes(16), "navette invite id 1")[:8]
    create = pack([1, 1, A.sign_public, [], "Boutique", "CAISSE01", A.exchange_public, run(0x10, 16)])
    noted = pack([1, 2, A.sign_public, [blake2b(create)], invite, 1700000900000])
    enrol = pack([1, 3, A.sign_public, [blake2b(noted)], B.sign_public, B.exchange_public, "COMPTA01", invite])
    out = {"create": create, "invite": noted, "enrol": enrol}
    entries = [create, noted, enrol]
    out.update({f"{name}_hash": blake2b(entry) for name, entry in zip(("create", "invite", "enrol"), entries)})
    out["fleet"] = blake2b(create)[:16]
    out["log"] = b"".join(pack([e, A.signature("navette roster 1", e)]) for e in entries)
    out["digest"] = blake2b(b"".join(sorted(blake2b(e) for e in entries)))
    return out


def admin_file():
    """The last entries of the worked example: what an admin says of the second site."""
    enrol = blake2b(roster_file()["enrol"])
    rename = pack([1, 6, A.sign_public, [enrol], B.site, "DEPOT"])
    admin = pack([1, 7, A.sign_public, [blake2b(rename)], B.site, False])
    withdraw = pack([1, 9, A.sign_public, [blake2b(admin)], derive(run(0xC0, 16) + bytes(16), "navette invite id 1")[:8]])
    revoke = pack([1, 5, A.sign_public, [blake2b(withdraw)], B.site, [[B.site + bytes([4]) * 8, 7, bytes([0x11]) * 32]]])
    return {"rename": rename, "admin": admin, "withdraw": withdraw, "revoke": revoke,
            "key_id": derive(run(0x80, 32), "navette fleet key 1")[:16]}


def letter_file():
    return reference_letter.letter_file(sys.modules[__name__])


def main():
    published_vectors()
    bad = 0
    for make in (keys_file, handshake_file, beacon_file, token_file, join_file, letter_file, roster_file, rules_file, admin_file):
        path = HERE / (make.__name__.removesuffix("_file") + ".txt")
        text = "".join(f"{k}={v.hex()}\n" for k, v in make().items())
        if sys.argv[1:] == ["--write"]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print(f"{path.name} differs from the specification", file=sys.stderr)
            bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
