"""No busy polling: an agent that has nothing to do sleeps, and a commit wakes it at once."""

import pathlib
import statistics
import time

import pytest

from pc import wait_for

pytestmark = pytest.mark.alone

WINDOW = 4  # seconds over which wake-ups are counted
TICK = 1  # second: the slow look that would find a commit, too


def wake_ups(pc):
    return sum(int(line.split()[1]) for task in pathlib.Path("/proc/%d/task" % pc.agent.pid).iterdir()
               for line in (task / "status").read_text().splitlines() if line.startswith("voluntary_ctxt_switches"))


def test_an_idle_agent_hardly_wakes(shop):
    _, a, b = shop.pair()
    shop.wait_peer(a, b)
    for pc in (a, b):
        pc.cli("wait")
    time.sleep(3)  # a newcomer's beacons, and looks behind the last write, end
    before = [wake_ups(pc) for pc in (a, b)]
    time.sleep(WINDOW)
    for pc, count in zip((a, b), before):
        assert (wake_ups(pc) - count) / WINDOW <= 6, pc.name


def test_a_commit_is_on_the_other_pc_long_before_the_slow_look(shop):
    _, a, b = shop.pair()
    shop.wait_peer(a, b)
    took = []
    for price in range(15):
        time.sleep(0.15)  # quiet at both ends, at another moment of the tick each time
        start = time.monotonic()
        a.sql("UPDATE shop_article SET price = ? WHERE reference = 'CAFE'", price)
        wait_for(lambda: b.value("SELECT price FROM shop_article WHERE reference = 'CAFE'") == price, "the price", every=0.005)
        took.append(time.monotonic() - start)
    assert statistics.median(took) < TICK / 4, took
