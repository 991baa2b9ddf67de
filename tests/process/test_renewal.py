"""Links are made anew beside the old ones: nothing is lost, nothing is doubled, and nobody waits."""

import time

from pc import wait_for
from test_interop import Guest, has_all, inserted, set_option
from test_shop import sell, wait_sale

TAKEN_OVER = "a new handshake took its place"


def with_option(shop, lan, line, *names):
    """Members that have this line in their settings."""
    pcs = [shop.founder(names[0], lan)]
    pcs += [shop.member(name, pcs[0], lan) for name in names[1:]]
    for pc in pcs:
        pc.stop()
        set_option(pc, line)
    for pc in pcs:
        pc.start()
    for pc in pcs[1:]:
        shop.wait_peer(pcs[0], pc)
    return pcs


def renewals(*pcs):
    return sum(pc.tail(100000).count(TAKEN_OVER) for pc in pcs)


def test_a_link_that_is_made_anew_all_the_time_loses_and_doubles_nothing(shop):
    a, b = with_option(shop, shop.network.lan(), "renew_s = 1", "CAISSE01", "COMPTA01")
    before, slowest, number = renewals(a, b), 0, 0
    while renewals(a, b) < before + 8:
        number += 1
        seller, other = (a, b) if number % 2 else (b, a)
        start = time.monotonic()
        sell(seller, "R-%d" % number, [("LAIT", 1)])
        wait_sale(other, "R-%d" % number, [("LAIT", 1)])
        slowest = max(slowest, time.monotonic() - start)
        assert number < 3000
    assert slowest < 3, "a sale waited for %.1f s" % slowest
    shop.wait_equal(a, b)
    for pc in (a, b):
        assert pc.value("SELECT count(*) FROM shop_invoice WHERE number LIKE 'R-%'") == number
        assert not pc.status()["warnings"]
        assert "two PCs" not in pc.tail(100000)


def test_a_new_member_and_a_new_key_make_new_handshakes(shop):
    lan = shop.network.lan()
    a = shop.founder("CAISSE01", lan)
    b = shop.member("COMPTA01", a, lan)
    assert renewals(a, b) == 0
    shop.member("DEPOT", a, lan)
    wait_for(lambda: renewals(a, b) >= 1, "the first two have a new handshake")
    before = renewals(a, b)
    a.cli("rotate")
    wait_for(lambda: renewals(a, b) >= before + 1, "and one with the new key")
    sell(b, "N-1", [("LAIT", 1)])
    wait_sale(a, "N-1", [("LAIT", 1)])
    before = renewals(a, b)
    a.cli("rename", "DEPOT", "RESERVE")
    sell(b, "N-2", [("LAIT", 1)])
    wait_sale(a, "N-2", [("LAIT", 1)])
    assert renewals(a, b) == before  # what people call it is nothing to the links


def test_a_peer_that_makes_no_new_handshake_is_let_go_and_comes_back(shop):
    lan = shop.network.lan()
    a = shop.founder("CAISSE01", lan)
    guest = Guest(shop, lan, a)
    a.stop()
    set_option(a, "renew_s = 2")
    a.start()
    peer = guest.connect()
    assert peer.run(lambda: has_all(peer))
    wait_for(lambda: "its handshake is too old" in a.tail(1000), "it is let go")
    number = sell(a, "T-1", [("LAIT", 1)])
    assert number
    peer = guest.connect()
    assert peer.run(lambda: inserted(peer, "shop_invoice", "number", "T-1") and has_all(peer))
    peer.leave()
