"""Where an agent's secrets are, and where they are not: looked for in the memory of running agents, as shops run them.

(The sanitizers keep freed memory and lock none, so these tests take the release build.)"""

import base64
import pathlib
import re

import pytest
from nacl import bindings

import peer as peers
import wire
from conftest import REPO, Shop
from pc import wait_for
from test_interop import Guest
from test_shop import sell, wait_sale

RELEASE = REPO / "build" / "release" / "bin"
WINDOW = 32


@pytest.fixture
def shop(network, directory):
    assert (RELEASE / "navette-agent").exists(), "build it first: cmake --preset release && cmake --build --preset release"
    made = Shop(network, directory, RELEASE)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def lan(shop):
    return shop.network.lan()


def pid_of(pc):
    """The agent itself: in front of it may stand what runs it inside a namespace."""
    pid = pc.agent.pid
    while pathlib.Path("/proc/%d/exe" % pid).resolve().name != "navette-agent":
        pid = int(pathlib.Path("/proc/%d/task/%d/children" % (pid, pid)).read_text().split()[0])
    return pid


def memory(pc):
    """(bytes, flags) of every piece of memory that the agent can write to."""
    pid = pid_of(pc)
    pieces = []
    with open("/proc/%d/smaps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", buffering=0) as mem:
        for block in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", maps.read()):
            first, last, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", block).groups()
            if not rights.startswith("rw"):
                continue
            mem.seek(int(first, 16))
            try:
                data = mem.read(int(last, 16) - int(first, 16))
            except OSError:  # it has been given back meanwhile
                continue
            pieces.append((data, block.split("VmFlags:")[1].split()))
    return pieces


def found(pc, secret):
    """The flags of the memory in which it is, once for each time."""
    return [flags for data, flags in memory(pc) for _ in range(data.count(secret))]


def only_locked(where):
    """It is there at all. (A step that is just under way may have it on its stack: ask again.)"""
    return where and all("lo" in flags and "dd" in flags for flags in where)


def hex_of(path):
    """The long secrets in a file of the home."""
    return [bytes.fromhex(word) for word in re.findall(r"\b[0-9a-f]{64}\b", path.read_text())]


def long_lived(pc):
    """(device seed, exchange key, fleet key)"""
    seed, = hex_of(pc.home / "identity")
    return seed, wire.derive(seed, "navette exchange 1"), hex_of(pc.home / "fleet.key")[-1]


def test_long_lived_keys_are_in_memory_that_is_neither_swapped_nor_dumped(shop, lan):
    a = shop.founder("CAISSE01", lan)
    shop.member("COMPTA01", a, lan)
    for secret in long_lived(a):
        wait_for(lambda: only_locked(found(a, secret)), lambda: "where it is: %r" % found(a, secret))
    proc = pathlib.Path("/proc/%d" % pid_of(a))
    assert int(re.search(r"VmLck:\s+(\d+)", (proc / "status").read_text()).group(1)) > 0
    assert re.search(r"Max core file size +0 +0 ", (proc / "limits").read_text())


def test_nothing_of_a_token_is_in_memory_once_one_has_joined_with_it(shop, lan):
    a = shop.founder("CAISSE01", lan)
    b = shop.pc("COMPTA01", lan)
    b.init()
    b.cli("track", "--all")
    b.start()
    token = a.invite()
    b.cli("join", token)
    shop.wait_peer(b, a)
    shop.wait_equal(a, b)
    data = base32(token)
    for secret in (token.encode(), token.replace("-", "").encode(), data[1:17]):
        for pc in (a, b):
            wait_for(lambda: not found(pc, secret), "%s has forgotten the token" % pc.name)
    assert found(b, long_lived(b)[2])  # which came with it


def base32(token):
    """The bytes of a token."""
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    bits = "".join(format(alphabet.index(c), "05b") for c in token.replace("-", ""))
    return int(bits[:len(bits) // 8 * 8], 2).to_bytes(len(bits) // 8, "big")


def secret_keys(pc, publics):
    """Which of the public keys somebody could use who has all of the agent's memory: every 32 bytes of it are tried."""
    tried, known = set(), set()
    for data, _ in memory(pc):
        for at in range(0, len(data) - WINDOW, 8):
            key = data[at:at + WINDOW]
            if key in tried or len(set(key)) < 20:  # no 32 random bytes have fewer different ones
                continue
            tried.add(key)
            public = bindings.crypto_scalarmult_base(key)
            if public in publics:
                known.add(public)
    return known


class Ears(wire.Channel):
    """Remembers the ephemeral key of the other side."""

    def _read_frame(self, seconds):
        frame = super()._read_frame(seconds)
        if not hasattr(self, "ephemeral") and frame:
            self.ephemeral = frame[:32]
        return frame


def test_the_keys_of_a_handshake_and_of_a_closed_link_are_gone(shop, lan, monkeypatch):
    a = shop.founder("CAISSE01", lan)
    guest = Guest(shop, lan, a)
    monkeypatch.setattr(peers, "Channel", Ears)
    peer = guest.connect()
    assert peer.run(lambda: peer.peer_have)
    static = bindings.crypto_scalarmult_base(long_lived(a)[1])
    wait_for(lambda: secret_keys(a, {static, peer.channel.ephemeral}) == {static}, "only the lasting key is there")
    keys = [peer.channel.sending.key, peer.channel.receiving.key]
    for key in keys:
        wait_for(lambda: only_locked(found(a, key)), "the keys of the link are in locked memory only")
    peer.leave()
    wait_for(lambda: not any(found(a, key) for key in keys), "the keys of the closed link are gone")


def test_too_little_locked_memory_is_told_and_stops_nothing(shop, lan):
    a = shop.founder("CAISSE01", lan)
    b = shop.member("COMPTA01", a, lan)
    b.stop()
    prefix, b.prefix = b.prefix, [*b.prefix, "setpriv", "--bounding-set", "-ipc_lock", "prlimit", "--memlock=8192"]
    b.start()
    b.prefix = prefix
    sell(a, "S-1", [("LAIT", 1)])
    wait_sale(b, "S-1", [("LAIT", 1)])
    assert "keys are not kept out of the swap file" in b.tail(200)
    assert "LimitMEMLOCK" in b.tail(200)
    assert "keys are not kept out of the swap file" not in a.tail(200)


def spellings(secret):
    """As text, in any of the usual forms."""
    return {secret.hex(), secret.hex().upper(), base64.b64encode(secret).decode().rstrip("="), repr(secret)[2:-1]}


def test_neither_log_nor_status_shows_a_key_or_a_token(shop, lan):
    a = shop.pc("CAISSE01", lan, goods=True)
    b = shop.pc("COMPTA01", lan)
    a.init("--fleet", "Market")
    b.init()
    for pc in (a, b):
        pc.cli("track", "--all")
        conf = pc.home / "agent.conf"
        conf.write_text(conf.read_text() + "\nlog_level = debug\n")
        pc.start()
    token = a.invite()
    wrong = token[:-1] + ("0" if token[-1] != "0" else "2")
    b.cli("join", wrong, ok=None)
    b.cli("join", token)
    shop.wait_equal(a, b)
    shown = ""
    for pc in (a, b):
        shown += pc.log.read_text(errors="replace")
        for words in (("status",), ("peers",), ("roster",), ("tables",)):
            shown += pc.cli(*words, ok=None).stdout + pc.cli(*words, "--json", ok=None).stdout
        for path in pc.home.glob("*.log*"):
            shown += path.read_text(errors="replace")
    assert "control request command=join" in shown  # it is a log of all that
    secrets = {text for pc in (a, b) for secret in long_lived(pc) for text in spellings(secret)}
    secrets |= spellings(base32(token)[1:17]) | {token, token.replace("-", ""), wrong, token[:14]}
    assert not [secret for secret in secrets if secret in shown]
