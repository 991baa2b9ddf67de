"""What is large: a member that means harm brings as much as the protocol allows, or asks for it. It is held in files that go
with the process, and of memory a PC takes little more than it has."""

import contextlib
import os
import pathlib
import subprocess

import msgpack
import pytest

import peer as peers
import wire
from hostile import MEMORY_KB, Patience, sanitized
from pc import wait_for
from test_hostile import (MIB, Liar, a, b, check_patience, come_and_go, freed_memory_is_given_back,  # noqa: F401
                          half_a_change_set, lan)
from test_interop import has_all
from test_roster import roster
from test_shop import sell, wait_sale

pytestmark = pytest.mark.alone

VALUE = 15 * MIB  # nearly the largest there can be


def aside(pc):
    """Bytes in files of its home that have no name."""
    sizes = []
    for fd in pathlib.Path("/proc/%d/fd" % pc.agent.pid).iterdir():
        with contextlib.suppress(FileNotFoundError):
            place = os.readlink(fd)
            if place.startswith(str(pc.home)) and place.endswith("(deleted)"):
                sizes.append(os.stat(fd).st_size)
    return sum(sizes)


def test_a_member_who_brings_half_of_a_large_change_set(shop, lan, a, b):
    liar, taken = Liar(shop, lan, a), [0]
    with Patience(a) as patience:
        channel = half_a_change_set(liar, taken, 0)
        assert taken[0] >= 40 * MIB
        wait_for(lambda: aside(a) > 30 * MIB, "it is put aside")
        come_and_go(shop, a, b)
    channel.close()
    check_patience(patience)
    wait_for(lambda: aside(a) == 0, "nothing is left of it")


def picture(peer, megabytes, broken=False):
    """A change-set of one row with so much in it; `broken`: its body is not the one that was signed."""
    header = {"format": 1, "fleet": peer.roster.fleet, "actor": peer.actor, "number": 1, "previous": bytes(32),
              "stamp": peer._now() << 16, "needs": [], "repeats": [], "corrects": [], "schema": 0,
              "roster": len(peer.roster.entries)}
    columns = {"id": 1, **{"extra%d" % n: os.urandom(VALUE) for n in range(megabytes * MIB // VALUE - 1)},
               "name": os.urandom(VALUE // 2).hex(), "phone": None}
    data = peers.encode_insert(peer.site, header, "shop_client", (peer.actor, 1), 1, True, columns)
    return data[:-1] + b"\xff" if broken else data


def send_large(peer, message):
    """Its frames at once: Python takes long for each."""
    frames = []

    class Gathered:
        def sendall(self, data):
            frames.append(data)
    real, peer.channel.socket = peer.channel.socket, Gathered()
    peer.channel.send(message)
    peer.channel.socket = real
    real.settimeout(30)
    for frame in frames:
        real.sendall(frame)


def own_growth_kb(patience):
    return patience.look()["own_kb"] - patience.before["own_kb"]


def test_a_large_change_set_that_is_not_what_was_signed(shop, lan, a, b):
    """It is looked at where it lies, and refused."""
    liar = Liar(shop, lan, a)
    message = wire.pack([peers.CHANGESET, picture(liar.peer, 60, broken=True)])
    peer = liar.connect()
    assert peer.run(lambda: has_all(peer))
    with Patience(a) as patience:
        send_large(peer, message)
        with contextlib.suppress(wire.Refused, ConnectionError):
            peer.run(lambda: False)
        assert peer.bye[0] == "crypto", peer.bye
        come_and_go(shop, a, b)
    print(patience)
    assert patience.grown("own_kb") < patience.memory_kb_max, patience


def test_a_large_change_set_that_is_right(shop, lan, a, b):
    """To take it in costs no more memory than what the application's file is given of it, while that lasts."""
    liar = Liar(shop, lan, a)
    message = wire.pack([peers.CHANGESET, picture(liar.peer, 60)])
    peer = liar.connect()
    assert peer.run(lambda: has_all(peer))
    peer.chains[peer.actor] = [peers.ChangeSet(wire.unpack(message)[1], peer.roster)]
    with Patience(a) as patience:
        send_large(peer, message)
        assert peer.run(lambda: peer.peer_applied.get(peer.actor) == 1, 60)
    print(patience)
    assert patience.grown("own_kb") < VALUE // 1024 + patience.memory_kb_max, patience
    if not sanitized(shop.programs):
        assert peer.run(lambda: own_growth_kb(patience) < patience.memory_kb_max, 20), own_growth_kb(patience)


def fill(shop, peer):
    """The largest roster that a member can make: its log, its digest, and how many entries that is."""
    before, after = shop.directory / "roster.before", shop.directory / "roster.after"
    before.write_bytes(peer.roster.log())
    subprocess.run([str(shop.programs / "full_roster"), str(before), peer.site.seed.hex(), str(after)], check=True)
    log = after.read_bytes()
    unpacker = msgpack.Unpacker(max_buffer_size=1 << 24)
    unpacker.feed(log)
    hashes = [wire.blake(entry) for entry, _ in unpacker]
    return log, wire.blake(b"".join(sorted(hashes))), len(hashes)


REPLACED = "took its place"  # a new link between the same two: who was taken into the fleet has it made at once


def ends(pc, other):
    """Why its links to another PC ended."""
    return [line.split("reason=")[1] for line in pc.log.read_text().splitlines()
            if " link down peer=%s " % other.name in line]


def test_the_largest_list_that_a_member_can_make(shop):
    """It goes from PC to PC, and they stay connected: no link ends but for another one in its place. Who is told of that
    by the end of the old one alone finds that it cannot be read or written any more."""
    left, right = shop.network.lan(), shop.network.lan()
    a = shop.founder("CAISSE01", left)
    b = shop.member("CAISSE02", a, left, right)
    c = shop.member("CAISSE03", b, right)
    peer = Liar(shop, left, a).connect()
    assert peer.run(lambda: has_all(peer))
    log, digest, entries = fill(shop, peer)
    assert entries > 4000 and len(log) > 1.5 * MIB
    with contextlib.ExitStack() as stack:
        looks = [stack.enter_context(Patience(pc)) for pc in (a, b, c)]
        send_large(peer, wire.pack([peers.ROSTER, digest, log]))
        for pc in (a, b, c):
            wait_for(lambda: roster(pc)["entries"] >= entries, lambda: "%s has all of it" % pc.name, 60)
        for pc, other in ((a, b), (b, c)):
            shop.wait_peer(pc, other)
        sell(c, "C-1", [("LAIT", 4)])
        wait_sale(a, "C-1", [("LAIT", 4)])
    for pc, patience in zip((a, b, c), looks):
        print(pc.name, patience, pc.status()["work"]["turn_us_max"])
        assert patience.grown("own_kb") < patience.memory_kb_max, patience
        assert pc.status()["work"]["turn_us_max"] < 500000 * patience.memory_kb_max / MEMORY_KB
        assert max(patience.waits.values()) < 3, patience
    for pc, other in ((a, b), (b, a), (b, c), (c, b)):
        replaced, lost = ends(pc, other), ends(other, pc)
        replaced, lost = [r for r in replaced if REPLACED in r], [r for r in lost if REPLACED not in r]
        assert len(lost) <= len(replaced) and all(r.startswith(("read: ", "write: ")) for r in lost), (lost, replaced)


def test_a_member_who_asks_for_what_is_large_and_never_reads(shop, lan, a, b):
    drained = a.status()["work"]["drain_rows"]
    a.sql("UPDATE shop_client SET name = ? WHERE id = (SELECT max(id) FROM shop_client)", os.urandom(7 * MIB).hex())
    wait_for(lambda: a.status()["work"]["drain_rows"] > drained, "it is a change-set")
    liar = Liar(shop, lan, a)
    with Patience(a) as patience:
        liar.connect()  # and asks for everything
        wait_for(lambda: aside(a) > 12 * MIB, "it waits for the peer")
        wait_for(lambda: own_growth_kb(patience) < patience.memory_kb_max, "it waits in a file")
        sell(a, "A-1", [("LAIT", 4)])
    print(patience, own_growth_kb(patience))
