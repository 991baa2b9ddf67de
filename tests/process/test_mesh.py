"""Many PCs on one LAN: every pair has one connection, everybody ends with everything, and nobody is kept awake."""

import time

import pytest

from pc import wait_for
from test_discovery import connections
from test_idle import wake_ups
from test_shop import sell

pytestmark = pytest.mark.alone

PCS = 12


def test_twelve_pcs_form_one_mesh(shop):
    lan = shop.network.lan()
    pcs = [shop.founder("PC00", lan)]
    pcs += [shop.member("PC%02d" % n, pcs[0], lan) for n in range(1, PCS)]
    for pc in pcs:
        pc.stop()
    for pc in pcs:  # all at once, as in the morning
        pc.start(wait=False)
    start = time.monotonic()
    for pc in pcs:
        pc.wait_until_up()
        wait_for(lambda: len([p for p in pc.status()["peers"] if p["state"] == "connected"]) == PCS - 1,
                 lambda: "%s sees all: %r" % (pc.name, pc.status()["peers"]))
    print("all connected after %.1f s" % (time.monotonic() - start))
    for n, pc in enumerate(pcs):
        sell(pc, "T-%d" % n, [("LAIT", 1)])
    shop.wait_equal(*pcs)
    assert pcs[0].value("SELECT count(*) FROM shop_invoice") == PCS
    wait_for(lambda: all(len(connections(shop, pc)) == PCS - 1 for pc in pcs), "one connection for each pair")
    for pc in pcs:
        pc.cli("wait")
    before = [wake_ups(pc) for pc in pcs]
    time.sleep(6)  # the window in which wake-ups are counted
    rates = [(wake_ups(pc) - count) / 6 for pc, count in zip(pcs, before)]
    print("wake-ups a second: %s" % " ".join("%.1f" % rate for rate in rates))
    assert max(rates) < 6 + 3 * PCS
