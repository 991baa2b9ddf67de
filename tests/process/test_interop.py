"""A second implementation (peer.py), written from protocol/README.md, is a member like any other."""

import contextlib
import socket

import pytest

import peer as peers
import wire
from pc import LIBC, wait_for
from test_shop import sell, wait_sale

DISCOVERY_PORT = 7401
CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def inside(space):
    """Sockets made here belong to that namespace, for as long as they live."""
    with open("/proc/thread-self/ns/net") as home, open("/run/netns/" + space) as there:
        assert LIBC.setns(there.fileno(), CLONE_NEWNET) == 0
        try:
            yield
        finally:
            assert LIBC.setns(home.fileno(), CLONE_NEWNET) == 0


def find(space, token, site, address):
    """Where the site is that made the token: ask it by beacons, as a joiner does; any datagram may be lost."""
    with inside(space), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(2)

        def answer():
            udp.sendto(wire.seal_beacon(token.psk, wire.JOINING, site.id, 0), (address, DISCOVERY_PORT))
            with contextlib.suppress(TimeoutError):
                return udp.recvfrom(100)
        datagram, (host, _) = wait_for(answer, "an answer to a beacon", seconds=20)
    kind, _, port, _ = wire.open_beacon(token.psk, datagram)
    assert kind == wire.INVITING
    return host, port


class Guest:
    """A peer.Peer on a LAN of its own network namespace, enrolled by `pc`."""

    def __init__(self, shop, lan, pc, name="PYTHON"):
        self.space = shop.network.host(name, lan)
        site, token = wire.Site(), wire.Token(pc.invite())
        self.address = find(self.space, token, site, shop.network.address(pc.space, lan))
        assert self.address in token.addresses
        with inside(self.space):
            self.peer = peers.Peer(site, *peers.enrol(site, name, token, self.address))

    def connect(self):
        with inside(self.space):
            self.peer.connect(self.address)
        return self.peer


@pytest.fixture
def lan(shop):
    return shop.network.lan()


@pytest.fixture
def a(shop, lan):
    return shop.founder("CAISSE01", lan)


def has_all(peer):
    return peer.peer_have and all(len(peer.chains.get(actor, ())) >= n for actor, n in peer.peer_have.items())


def inserted(peer, table, column, value):
    """The insert of the row with that cell."""
    return next((row for row in peer.rows(table) if row.op == peers.INSERT and row.cells[column] == value), None)


def test_it_joins_receives_and_sends(shop, lan, a):
    guest = Guest(shop, lan, a)
    b = shop.member("COMPTA01", a, lan)
    sell(b, "B-1", [("LAIT", 4)])
    wait_sale(a, "B-1", [("LAIT", 4)])

    peer = guest.connect()
    assert peer.run(lambda: inserted(peer, "shop_invoice", "number", "B-1") and has_all(peer))
    assert len(peer.roster.members) == 3  # ROSTER named the one who joined after it
    invoice = inserted(peer, "shop_invoice", "number", "B-1")
    line = inserted(peer, "shop_line", "invoice_id", invoice.gid)
    assert line.cells["article_id"] == inserted(peer, "shop_article", "reference", "LAIT").gid

    coffee = inserted(peer, "shop_article", "reference", "CAFE")
    line = peer.publish("shop_line", 1, True, {
        "id": 1, "quantity": 7, "price": 3600, "article_id": wire.Ref(coffee.gid),
        "invoice_id": wire.Ref(invoice.gid)})
    assert peer.run(lambda: peer.peer_have.get(peer.actor) == peer.peer_applied.get(peer.actor) == 1)
    assert peer.run(lambda: b.value("SELECT 1 FROM shop_line WHERE quantity = 7"))
    wait_sale(a, "B-1", [("LAIT", 4), ("CAFE", 7)])
    wait_sale(b, "B-1", [("LAIT", 4), ("CAFE", 7)])
    shop.wait_equal(a, b)

    b.sql("UPDATE shop_line SET quantity = 8 WHERE quantity = 7")
    assert peer.run(lambda: any(row.op == peers.UPDATE and row.gid == line and row.cells["quantity"] == 8
                                for row in peer.rows("shop_line")))
    peer.leave()


def test_it_keeps_a_silent_link(shop, lan, a):
    peer = Guest(shop, lan, a).connect()
    assert peer.run(lambda: peer.pongs == 3)
    assert [(p["name"], p["state"]) for p in a.status()["peers"]] == [("PYTHON", "connected")]
    peer.leave()


def set_option(pc, line):
    """For the agent's next start."""
    with open(pc.home / "agent.conf", "a", encoding="utf-8") as conf:
        conf.write("\n" + line + "\n")


def test_both_replace_their_keys_and_go_on(shop, lan, a):
    guest = Guest(shop, lan, a)
    a.stop()
    set_option(a, "rekey_s = 1")
    a.start()
    peer = guest.connect()
    peer.channel.rekey_bytes = 1  # behind every frame of ours
    assert peer.run(lambda: peer.channel.rekeys >= 3 and peer.pongs >= 1, seconds=30)
    sell(a, "K-1", [("LAIT", 2)])
    assert peer.run(lambda: inserted(peer, "shop_invoice", "number", "K-1") and has_all(peer))
    assert [p["state"] for p in a.status()["peers"]] == ["connected"]
    peer.leave()


def test_a_drop_file_holds_the_bytes_that_were_signed(shop, lan, a):
    peer = Guest(shop, lan, a).connect()
    number = sell(a, 'Thé "vert"\n🍵', [("RIZ25", 1)])
    a.sql("UPDATE shop_article SET price = 0.1, name = CAST(x'636166e900' AS TEXT) WHERE reference = 'CAFE'")
    a.sql("UPDATE shop_client SET phone = x'00ff' WHERE name = 'Walk-in customer'")
    a.sql("DELETE FROM shop_line WHERE invoice_id = ?", number)
    path = a.ask("drop", "export", "--to", shop.directory)["path"]
    with open(path, encoding="utf-8") as file:
        roster, change_sets = peers.read_drop(file.read())
    assert peers.Roster(roster).fleet == peer.roster.fleet

    def received():
        return sorted(change_set.data for chain in peer.chains.values() for change_set in chain)
    assert peer.run(lambda: len(received()) >= len(change_sets))
    assert received() == sorted(change_sets)
    assert {row.op for row in peer.rows()} == {peers.INSERT, peers.UPDATE, peers.DELETE}
    peer.leave()
