"""One home on two PCs: an alarm, not a fight. Both go on capturing, neither sends, a person says which is which, and no
sale is lost or doubled."""

import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
import time

import peer as peers
import wire
from pc import Pc, wait_for
from test_interop import Guest
from test_shop import sell, wait_sale


def copy_home(source, target):
    """As somebody copies a folder to another PC: the home, and the database beside it."""
    running = source.agent is not None
    if running:
        source.stop()
    shutil.copytree(source.home, target.home)
    with contextlib.closing(sqlite3.connect(str(source.db))) as old, contextlib.closing(sqlite3.connect(str(target.db))) as new:
        old.backup(new)
    if running:
        source.start()
    conf = target.home / "agent.conf"
    conf.write_text(conf.read_text().replace(str(source.db), str(target.db)))


def clone(shop, source, name, lan, mistaken=False):
    """A PC that has a copy of the source's home, and starts it; `mistaken`: after somebody said that it was moved."""
    pc = shop.pc(name, lan, tables=False)
    copy_home(source, pc)
    if mistaken:
        pc.cli("identity", "confirm-move")
    return pc


def warning(pc, code):
    return [w["text"] for w in pc.status()["warnings"] if w["code"] == code]


def wait_doubt(*pcs, seconds=5):
    end = time.monotonic() + seconds
    for pc in pcs:
        wait_for(lambda: warning(pc, "same-identity"), lambda: "%s is in doubt\n%s" % (pc.name, pc.cli("status", ok=None).stdout),
                 max(end - time.monotonic(), 0.1))
        assert pc.cli("status", ok=None).returncode == 2


def settle(shop, original, copy, *others):
    """A person says which is which; then all hold the same."""
    original.stop()
    original.cli("identity", "confirm-move")
    original.start()
    copy.stop()
    copy.cli("identity", "reset", "--name", copy.name, stdin="yes\n")
    copy.start()
    copy.cli("join", "--copy", original.invite())
    shop.wait_equal(original, copy, *others)
    for pc in (original, copy, *others):
        wait_for(lambda: pc.cli("status", ok=None).returncode == 0, lambda: "%s is well\n%s" % (
            pc.name, pc.cli("status", ok=None).stdout))
    assert {p["name"] for p in original.status()["peers"]} == {copy.name, *(pc.name for pc in others)}


def expect_sales(numbers, *pcs):
    for pc in pcs:
        assert sorted(number for number, in pc.sql("SELECT number FROM shop_invoice")) == sorted(numbers), pc.name
        assert pc.value("SELECT count(*) FROM shop_line") == len(numbers), pc.name


def test_a_copied_home_is_noticed_when_it_is_first_started(shop):
    lan, a, b = shop.pair()
    sell(a, "A-1", [("RIZ25", 1)])
    wait_sale(b, "A-1", [("RIZ25", 1)])
    c = clone(shop, a, "C", lan)
    sell(c, "C-0", [("SAVON", 1)])
    c.start()
    wait_doubt(c)
    assert "moved or copied" in warning(c, "same-identity")[0]
    sell(c, "C-1", [("SAVON", 2)])
    for words in (["invite"], ["join", a.invite()], ["sync"], ["wait"], ["track", "--all"], ["untrack", "shop_line"],
                  ["rules", "set", "shop_line", "local"], ["conflicts"], ["drop", "export", "--to", c.directory]):
        refused = c.cli(*words, ok=(2,), timeout=5)
        assert "moved or copied" in " ".join(refused.stderr.split()), words
    assert not list(c.directory.glob("*.json"))
    c.restart()
    wait_doubt(c)
    c.stop()
    refused = c.cli("track", "--all", ok=None)
    assert refused.returncode == 2 and "moved or copied" in refused.stderr
    c.start()
    sell(a, "A-2", [("LAIT", 1)])
    wait_sale(b, "A-2", [("LAIT", 1)])
    expect_sales(["A-1", "A-2"], a, b)
    assert a.status()["warnings"] == b.status()["warnings"] == []
    settle(shop, a, c, b)
    expect_sales(["A-1", "A-2", "C-0", "C-1"], a, b, c)


def cards(shop, pc, address):
    """How programs are run on this PC's disk in a machine that has one network card, of this address."""
    card = shop.directory / ("cards-" + address) / "eth0"
    (card / "device").mkdir(parents=True)
    (card / "address").write_text("02:00:00:00:00:%s\n" % address)
    (card / "addr_assign_type").write_text("0\n")
    return [*pc.prefix, "unshare", "--mount", "sh", "-c", 'mount --bind "$0" /sys/class/net && exec "$@"', str(card.parent)]


def test_an_imaged_disk_is_noticed_when_it_first_starts_in_another_machine(shop):
    """Everything on the two disks is the same, and they are on by turns: neither ever sees the other."""
    lan, a, b = shop.pair()
    first, second = cards(shop, a, "01"), cards(shop, a, "02")
    a.stop()
    a.prefix = first
    a.cli("identity", "confirm-move")
    a.start()
    sell(a, "A-1", [("RIZ25", 1)])
    wait_sale(b, "A-1", [("RIZ25", 1)])
    a.stop()
    original = shutil.copytree(a.directory, shop.directory / "original")

    a.prefix = second
    a.start()
    wait_doubt(a)
    assert "network cards" in warning(a, "same-identity")[0]
    sell(a, "A-2", [("LAIT", 1)])
    a.restart()
    wait_doubt(a)
    expect_sales(["A-1"], b)
    a.stop()
    a.cli("identity", "reset", "--name", "IMAGE", stdin="yes\n")
    a.start()
    a.cli("join", "--copy", b.invite())
    wait_sale(b, "A-2", [("LAIT", 1)])
    a.stop()

    shutil.rmtree(a.directory)
    shutil.move(original, a.directory)
    a.prefix = first
    a.start()
    sell(a, "A-3", [("SAVON", 1)])
    shop.wait_equal(a, b)
    assert not warning(a, "same-identity") and not warning(b, "same-identity")
    expect_sales(["A-1", "A-2", "A-3"], a, b)


def test_a_copy_that_runs_beside_its_original_is_noticed_by_both(shop):
    lan, a, b = shop.pair()
    sell(a, "A-1", [("RIZ25", 1)])
    wait_sale(b, "A-1", [("RIZ25", 1)])
    c = clone(shop, a, "C", lan, mistaken=True)
    c.start()
    wait_doubt(a, c)
    sell(a, "A-2", [("LAIT", 1)])
    sell(c, "C-1", [("SAVON", 2)])
    sell(b, "B-1", [("CAFE", 2)])
    a.restart()
    wait_doubt(a)
    assert b.value("SELECT count(*) FROM shop_invoice") == 2
    settle(shop, a, c, b)
    expect_sales(["A-1", "A-2", "B-1", "C-1"], a, b, c)


def test_copies_on_one_host_are_noticed(shop):
    lan, a, b = shop.pair()
    c = Pc("C", shop.directory / "C", a.programs, shop.network.inside(a.space))
    c.space = a.space
    copy_home(a, c)
    conf = c.home / "agent.conf"
    conf.write_text(conf.read_text() + "\nlisten = %s:7500\n" % shop.network.address(a.space, lan))
    c.cli("identity", "confirm-move")
    c.start()
    shop.pcs.append(c)
    wait_doubt(a, c)
    sell(c, "C-1", [("SAVON", 2)])
    settle(shop, a, c, b)
    expect_sales(["C-1"], a, b, c)


def test_copies_that_only_a_third_pc_sees_are_told_by_it(shop):
    """No flapping of links: it asks once, tells both, and says it to its own people."""
    left, right = shop.network.lan(), shop.network.lan()
    a = shop.founder("A", left)
    b = shop.member("B", a, left, right)
    sell(a, "A-1", [("RIZ25", 1)])
    wait_sale(b, "A-1", [("RIZ25", 1)])
    c = clone(shop, a, "C", right, mistaken=True)
    shop.wait_peer(b, a)
    before = b.log.read_text().count("link up peer=A")
    c.start()
    wait_doubt(a, c)
    assert "B has two links" in warning(c, "same-identity")[0]
    text, = warning(b, "seen-twice")
    assert all(shop.network.address(pc.space, lan) in text for pc, lan in ((a, left), (c, right)))
    assert b.log.read_text().count("link up peer=A") == before
    sell(a, "A-2", [("LAIT", 1)])
    sell(c, "C-1", [("SAVON", 2)])
    a.stop()
    a.cli("identity", "confirm-move")
    a.start()
    wait_sale(b, "A-2", [("LAIT", 1)])
    assert not warning(b, "seen-twice")
    c.stop()
    c.cli("identity", "reset", "--name", "C", "--yes")
    c.start()
    c.cli("join", "--copy", b.invite())
    shop.wait_equal(a, b, c)
    expect_sales(["A-1", "A-2", "C-1"], a, b, c)


def test_a_link_that_died_unseen_is_replaced(shop):
    """A second link of one PC, whose first one has fallen silent at the other end only, is no twin."""
    lan, a, b = shop.pair()
    shop.wait_peer(a, b)
    shop.network.deafen(b.space, lan)
    b.kill()  # its end of the link never reaches A
    b.start()
    shop.network.hear(b.space, lan)
    sell(b, "B-1", [("RIZ25", 1)])
    wait_sale(a, "B-1", [("RIZ25", 1)])
    for pc in (a, b):
        wait_for(lambda: pc.status()["warnings"] == [], "%s is not warned" % pc.name)


def test_a_home_that_was_moved_goes_on_when_a_person_says_so(shop):
    _, a, b = shop.pair()
    a.stop()
    moved = a.directory / "moved"
    a.home.rename(moved)
    a.home = moved
    a.environment["NAVETTE_HOME"] = str(moved)
    a.start()
    wait_doubt(a)
    running = a.cli("identity", "confirm-move", ok=None)
    assert running.returncode == 2 and "stop" in running.stderr
    a.stop()
    a.cli("identity", "confirm-move")
    a.start()
    sell(a, "A-1", [("RIZ25", 1)])
    wait_sale(b, "A-1", [("RIZ25", 1)])


def test_a_reset_without_a_yes_changes_nothing(shop):
    a = shop.founder("A", shop.network.lan())
    site = a.status()["site"]
    a.stop()
    assert a.cli("identity", "reset", stdin="no\n", ok=None).returncode == 2
    a.start()
    assert a.status()["site"] == site and a.status()["warnings"] == []


def test_a_new_fleet_is_made_of_the_pcs_of_one_that_nobody_can_rule(shop):
    lan, a, b = shop.pair()
    c = shop.member("C", a, lan)
    sell(a, "A-1", [("RIZ25", 1)])
    sell(b, "B-1", [("SAVON", 1)])
    shop.wait_equal(a, b, c)
    a.stop()  # the only admin, gone for good, with the database
    sell(b, "B-2", [("LAIT", 2)])
    sell(c, "C-1", [("RIZ25", 1)])
    for pc in (b, c):
        pc.stop()
    said = b.cli("identity", "reset", "--fleet", "Second Market", "--yes").stdout
    assert "%s is the first PC of the new fleet Second Market" % b.name in said and "agent-cli invite" in said
    b.start()
    c.cli("identity", "reset", "--yes")
    c.start()
    c.cli("join", "--copy", b.invite())
    shop.wait_equal(b, c)
    expect_sales(["A-1", "B-1", "B-2", "C-1"], b, c)
    sell(b, "B-3", [("LAIT", 1)])
    sell(c, "C-2", [("SAVON", 1)])
    shop.wait_equal(b, c)
    expect_sales(["A-1", "B-1", "B-2", "B-3", "C-1", "C-2"], b, c)
    assert json.loads(b.cli("roster", "--json").stdout)["fleet"] == "Second Market"
    for pc in (b, c):
        wait_for(lambda: pc.cli("status", ok=None).returncode == 0, lambda: pc.cli("status", ok=None).stdout)


MIRROR = """
import socket, sys, threading
# Plays beacons of the PC at sys.argv[1] back to it, and passes on what it then says to us: it talks with itself.
target = sys.argv[1]
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
udp.bind(("", 7401))
door = socket.socket()
door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
door.bind(("", 7400))
door.listen()

def pump(one, other):
    try:
        while True:
            piece = one.recv(65536)
            if not piece:
                break
            other.sendall(piece)
    except OSError:
        pass
    other.close()
    print("ended", flush=True)

def serve():
    while True:
        caller, _ = door.accept()
        back = socket.create_connection((target, 7400))
        for pair in ((caller, back), (back, caller)):
            threading.Thread(target=pump, args=pair, daemon=True).start()

threading.Thread(target=serve, daemon=True).start()
while True:
    beacon, sender = udp.recvfrom(2048)
    if sender[0] == target:
        for _ in range(3):
            udp.sendto(beacon, (target, 7401))
"""


def test_who_plays_our_beacons_back_and_passes_our_words_on_makes_no_twin(shop):
    lan, a, b = shop.pair()
    stranger = shop.network.host("stranger", lan)
    said = shop.directory / "mirror.log"
    with open(said, "w") as log:
        mirror = subprocess.Popen(shop.network.inside(stranger) + [
            sys.executable, "-c", MIRROR, shop.network.address(a.space, lan)], stdout=log)
    try:
        a.cli("sync")  # a beacon goes out
        wait_for(lambda: "ended" in said.read_text(), "A has talked with itself", 30)
        sell(a, "A-1", [("RIZ25", 1)])
        wait_sale(b, "A-1", [("RIZ25", 1)])
        assert a.status()["warnings"] == b.status()["warnings"] == []
    finally:
        mirror.kill()
        mirror.wait()


def member_in_python(shop, lan, pc, name):
    """A member that says what it likes: after the greeting, nothing but what the test sends."""
    guest = Guest(shop, lan, pc, name)
    guest.connect()
    return guest.peer


def presence(peer, session):
    """The agent's signature of a session, and the run that it names."""
    peer.channel.send(wire.pack([peers.ASKPRESENCE, session]))
    while True:
        kind, *fields = wire.unpack(peer.channel.receive(10))
        if kind == peers.PRESENCE:
            return fields


def still_talks(peer, pc):
    peer._send(peers.PING, 99, 1)
    while True:
        message = peer.channel.receive(10)
        assert message is not None
        kind, *fields = wire.unpack(message)
        if kind == peers.PONG and fields[0] == 99:
            assert warning(pc, "same-identity") == []
            return


def test_a_members_word_alone_silences_nobody(shop):
    """Only a signature of our own key, over the session of this very link, in another run than ours, proves a twin."""
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    one, two = member_in_python(shop, lan, a, "ONE"), member_in_python(shop, lan, a, "TWO")
    session, run, signature = presence(two, one.channel.session)
    assert session == one.channel.session
    wire.verify(one.channel.peer, signature, "navette presence 1", session + run)
    forged = one.site.sign("navette presence 1", session + bytes(32))
    for words in ([session, run, signature],                                       # our own, brought by an accomplice
                  [session, bytes(32), signature],                                 # of another run, says the liar
                  [session, bytes(32), forged],                                    # signed, by somebody else
                  presence(one, two.channel.session), [two.channel.session, run, signature]):
        one.channel.send(wire.pack([peers.PRESENCE, *words]))
        still_talks(one, a)
    # What an earlier run signed is of no use after it: no link lives that long.
    old = presence(one, two.channel.session)
    a.restart()
    fresh = member_in_python(shop, lan, a, "THREE")
    fresh.channel.send(wire.pack([peers.PRESENCE, *old]))
    still_talks(fresh, a)
    fresh._send(peers.BYE, "twin", "two PCs speak under this identity at once")
    wait_for(lambda: [p["state"] for p in a.status()["peers"] if p["name"] == "THREE"] == ["away"], "the link's end")
    assert warning(a, "same-identity") == [] and not (a.home / "doubt").exists()


def test_who_has_our_key_is_proven_by_his_signature(shop):
    """The other way round: with a copy of the identity the same words are believed."""
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    one = member_in_python(shop, lan, a, "ONE")
    copied = wire.Site(bytes.fromhex((a.home / "identity").read_text().split()[2]))
    assert copied.signing == one.channel.peer
    session, run = one.channel.session, b"\x07" * 32
    one.channel.send(wire.pack([peers.PRESENCE, session, run, copied.sign("navette presence 1", session + run)]))
    wait_doubt(a)
