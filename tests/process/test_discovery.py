"""PCs find each other by themselves, and keep one connection per pair."""

import subprocess

from pc import wait_for


def connections(shop, pc):
    """Established TCP connections of a PC, the far ends."""
    out = subprocess.run(shop.network.inside(pc.space) + ["ss", "-Htn", "state", "established"],
                         capture_output=True, text=True, check=True).stdout
    return [line.split()[-1] for line in out.splitlines()]


def test_a_pc_with_several_nics_finds_those_on_each(shop):
    first, second, third = (shop.network.lan() for _ in range(3))
    hub = shop.founder("HUB", first, second, third)
    leaves = [shop.member(name, hub, lan) for name, lan in (("L1", first), ("L2", second), ("L3", third))]
    hub.restart()  # the tokens told addresses; now only broadcasts can
    for leaf in leaves:
        leaf.restart()
    for leaf in leaves:
        shop.wait_peer(hub, leaf)
        shop.wait_peer(leaf, hub)


def test_two_pcs_that_share_two_lans_settle_on_one_connection(shop):
    first, second = shop.network.lan(), shop.network.lan()
    a = shop.founder("A", first, second)
    b = shop.member("B", a, first, second)
    for pc in (a, b):
        pc.stop()
    a.start(wait=False)  # both dial at once
    b.start(wait=False)
    for pc in (a, b):
        pc.wait_until_up()
    shop.wait_peer(a, b)
    shop.wait_peer(b, a)
    wait_for(lambda: len(connections(shop, a)) == 1, lambda: "one connection: %r" % connections(shop, a))
    # It stays the one when the peers have met on both LANs: sync dials everybody that is known.
    a.cli("sync")
    b.cli("sync")
    shop.wait_equal(a, b)
    wait_for(lambda: len(connections(shop, a)) == 1, lambda: "one connection: %r" % connections(shop, a))


def test_when_the_lan_in_use_goes_the_other_one_is_taken(shop):
    first, second = shop.network.lan(), shop.network.lan()
    a = shop.founder("A", first, second)
    b = shop.member("B", a, first, second)
    address = shop.wait_peer(a, b)["address"]
    used = first if address.startswith(first.prefix + ".") else second
    shop.network.deafen(b.space, used)
    other = second if used is first else first

    def moved():
        return [p for p in a.status()["peers"]
                if p["state"] == "connected" and p["address"].startswith(other.prefix + ".")]
    wait_for(moved, lambda: "A reaches B over the other LAN: %r" % a.status()["peers"], 40)


def test_a_nic_that_comes_later_is_used(shop):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b = shop.member("B", a, lan)
    for pc in (a, b):
        pc.stop()
    shop.network.pull(b.space, lan)
    subprocess.run(["ip", "-n", b.space, "addr", "flush", "dev", "eth0"], check=True)
    a.start()
    b.start()
    # DHCP was slow: the address comes when the agent is up long since.
    shop.network.plug(b.space, lan)
    subprocess.run(["ip", "-n", b.space, "addr", "add", lan.prefix + ".99/24", "brd", "+", "dev", "eth0"], check=True)
    shop.wait_peer(a, b, seconds=60)
    shop.wait_equal(a, b)


def test_static_peers_do_without_broadcasts(shop):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b = shop.member("B", a, lan)
    for pc, other in ((a, b), (b, a)):
        pc.stop()
        with open(pc.home / "agent.conf", "a") as conf:
            conf.write("\ndiscovery = off\npeers = %s:7400\n" % shop.network.address(other.space, lan))
    for pc in (a, b):
        pc.start()
    shop.wait_peer(a, b)
    a.sql("UPDATE shop_article SET price = 3")
    shop.wait_equal(a, b)
