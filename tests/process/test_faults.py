"""Cables, power and dead processes, under load."""

import contextlib
import pathlib
import random
import shutil
import sqlite3
import time

import pytest

from pc import wait_for
from test_shop import books, sell, wait_sale
from till import Till, check_books


def load(pcs, seed, pause=0.01):
    tills = [Till(pc, seed, pause=pause) for pc in pcs]
    for till in tills:
        till.start()
    return tills


def finish(shop, tills, at_least):
    """Stop the tills; every PC must end up with every sale exactly once."""
    sold = {}
    for till in tills:
        till.finish()
        sold.update(till.sold)
    assert len(sold) >= at_least, "only %d sales: no load" % len(sold)
    shop.wait_equal(*shop.pcs, seconds=120)
    for pc in shop.pcs:
        check_books(pc, sold)


def wait_sales(tills, more):
    """Until every till has sold `more` since now: what a test waits for, instead of seconds."""
    goals = [len(till.sold) + more for till in tills]
    wait_for(lambda: all(len(till.sold) + len(till.errors) >= goal for till, goal in zip(tills, goals)),
             "%d more sales" % more, every=0.005)


def test_a_split_under_load_heals(shop, seed):
    lan, a, b = shop.pair()
    tills = load((a, b), seed)
    wait_sales(tills, 20)
    shop.network.pull(b.space, lan)
    wait_sales(tills, 40)
    shop.network.plug(b.space, lan)
    wait_sales(tills, 20)
    finish(shop, tills, 160)


def test_a_pc_that_fell_silent_is_noticed_within_ten_seconds_and_taken_back(shop):
    lan, a, b = shop.pair()
    shop.wait_peer(a, b)
    shop.network.deafen(b.space, lan)
    start = time.monotonic()
    wait_for(lambda: [p["state"] for p in a.status()["peers"]] != ["connected"], "A misses B", 15)
    assert time.monotonic() - start < 11
    assert "away" in a.cli("status", ok=(0, 1)).stdout
    shop.network.hear(b.space, lan)
    shop.wait_peer(a, b)
    shop.wait_peer(b, a)


def put_in_place(source, target):
    """Another PC's file, as people copy it, under the name of this one's."""
    fresh = target.directory / "fresh.db"
    with contextlib.closing(sqlite3.connect(str(source.db))) as old, contextlib.closing(sqlite3.connect(str(fresh))) as new:
        old.backup(new)
    for end in ("-wal", "-shm"):
        pathlib.Path(str(target.db) + end).unlink(missing_ok=True)
    fresh.rename(target.db)


def test_another_pcs_file_in_the_place_of_ones_own_doubles_no_sale(shop):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b, c = shop.member("B", a, lan), shop.member("C", a, lan)
    pcs = (a, b, c)
    # Apart, they give the same numbers to different sales: from then on each has keys of its own for those of the others.
    for pc in (a, b):
        shop.network.pull(pc.space, lan)
    sold = {}
    for pc in pcs:
        for number in range(1, 9):
            sell(pc, "%s-%d" % (pc.name, number), [("RIZ25", number)])
            sold["%s-%d" % (pc.name, number)] = [("RIZ25", number)]
    for pc in (a, b):
        shop.network.plug(pc.space, lan)
    shop.wait_equal(*pcs)
    for source, target, running in ((a, c, False), (b, a, False), (c, b, True)):
        if not running:
            target.stop()
        put_in_place(source, target)
        name = "%s-on-the-copy" % target.name
        sell(target, name, [("CAFE", 1)])
        sold[name] = [("CAFE", 1)]
        if not running:
            target.start()
        shop.wait_equal(*pcs)
        for pc in pcs:
            assert {number: books(pc, number)[0][2] for number in sold if len(books(pc, number)) == 1} == sold


def test_another_fleets_file_in_the_place_of_ones_own_is_refused_and_mixes_nothing(shop):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b = shop.member("B", a, lan)
    other = shop.founder("OTHER", shop.network.lan())
    sell(other, "O-1", [("RIZ25", 1)])
    wait_for(lambda: other.status()["pending"]["marks"] == 0, "the other shop's sale is captured")
    a.stop()
    own = a.directory / "own.db"
    with contextlib.closing(sqlite3.connect(str(a.db))) as old, contextlib.closing(sqlite3.connect(str(own))) as new:
        old.backup(new)
    put_in_place(other, a)
    a.start()
    wait_for(lambda: any("another Navette fleet" in w["text"] for w in a.status()["warnings"]), "A refuses the file")
    assert a.cli("status", ok=None).returncode == 2
    sell(b, "B-1", [("RIZ25", 1)])
    for end in ("-wal", "-shm"):
        pathlib.Path(str(a.db) + end).unlink(missing_ok=True)
    own.rename(a.db)  # while the agent runs
    wait_sale(a, "B-1", [("RIZ25", 1)])
    shop.wait_equal(a, b)
    for pc in (a, b):
        assert pc.value("SELECT count(*) FROM shop_invoice WHERE number = 'O-1'") == 0
    wait_for(lambda: a.cli("status", ok=None).returncode == 0, "A is well again")


@pytest.mark.parametrize("alone", [0, 1, 5])
def test_a_pc_whose_disk_was_put_back_whole_loses_and_doubles_no_sale(shop, alone):
    """Its file and its home are of yesterday; it sold on, before it met anybody or not."""
    _, a, b = shop.pair()
    shop.wait_peer(a, b)
    sell(a, "A-1", [("LAIT", 1)])
    wait_sale(b, "A-1", [("LAIT", 1)])
    a.stop()
    shutil.copytree(a.directory, shop.directory / "kept")
    a.start()
    shop.wait_peer(a, b)
    for n in (2, 3):
        sell(a, "A-%d" % n, [("LAIT", n)])
        wait_sale(b, "A-%d" % n, [("LAIT", n)])
    a.stop()
    shutil.rmtree(a.directory)
    shutil.copytree(shop.directory / "kept", a.directory)
    if alone:
        b.stop()
        a.start()
        for n in range(alone):
            sell(a, "ALONE-%d" % n, [("RIZ25", n + 1)])
            wait_for(lambda: a.status()["pending"]["marks"] == 0, "it is captured")
        b.start()
    else:
        a.start()
    for n in (2, 3):
        wait_sale(a, "A-%d" % n, [("LAIT", n)])
    sell(a, "A-4", [("LAIT", 4)])
    sell(b, "B-1", [("CAFE", 1)])
    for pc in (a, b):
        wait_sale(pc, "A-4", [("LAIT", 4)])
        wait_sale(pc, "B-1", [("CAFE", 1)])
        for n in range(alone):
            wait_sale(pc, "ALONE-%d" % n, [("RIZ25", n + 1)])
    shop.wait_equal(a, b)
    assert b.value("SELECT count(*) FROM shop_invoice") == 5 + alone
    wait_for(lambda: not a.status()["warnings"] and not b.status()["warnings"], "nobody is warned any more")


def test_a_peer_that_was_away_may_be_the_first_whom_a_pc_meets_whose_disk_was_put_back(shop):
    """It takes what was sold since, under numbers that the other one knows as something else."""
    lan, a, b = shop.pair()
    c = shop.member("C", a, lan)
    for pc in (b, c):
        shop.wait_peer(a, pc)
    sell(a, "A-1", [("LAIT", 1)])
    for pc in (b, c):
        wait_sale(pc, "A-1", [("LAIT", 1)])
    c.stop()
    a.stop()
    shutil.copytree(a.directory, shop.directory / "kept")
    a.start()
    shop.wait_peer(a, b)
    for n in (2, 3):
        sell(a, "A-%d" % n, [("LAIT", n)])
        wait_sale(b, "A-%d" % n, [("LAIT", n)])
    a.stop()
    b.stop()
    shutil.rmtree(a.directory)
    shutil.copytree(shop.directory / "kept", a.directory)
    a.start()
    c.start()
    sell(a, "A-NEW", [("RIZ25", 5)])
    wait_sale(c, "A-NEW", [("RIZ25", 5)])
    sell(c, "C-1", [("CAFE", 7)])
    b.start()
    for pc in (a, b, c):
        for number, lines in (("A-2", [("LAIT", 2)]), ("A-3", [("LAIT", 3)]), ("A-NEW", [("RIZ25", 5)]), ("C-1", [("CAFE", 7)])):
            wait_sale(pc, number, lines)
        assert pc.value("SELECT count(*) FROM shop_invoice") == 5
    shop.wait_equal(a, b)
    shop.wait_equal(a, c)
    wait_for(lambda: not any(pc.status()["warnings"] for pc in (a, b, c)), "nobody is warned any more")


def test_two_halves_of_a_fleet_that_both_sold_agree_after_the_switch_comes_back(shop, seed):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    others = [shop.member(name, a, lan) for name in ("B", "C")]
    tills = load(shop.pcs, seed, pause=0.02)
    wait_sales(tills, 5)
    for pc in others:
        shop.network.deafen(pc.space, lan)
    wait_sales(tills, 20)
    for pc in others:
        shop.network.hear(pc.space, lan)
    wait_sales(tills, 5)
    finish(shop, tills, 90)


def test_agents_killed_at_random_moments_under_load_lose_and_double_nothing(shop, seed):
    _, a, b = shop.pair()
    chance = random.Random(seed)
    tills = load((a, b), seed, pause=0.004)
    for _ in range(12):
        wait_sales(tills, chance.randint(1, 12))
        victim = chance.choice((a, b))
        time.sleep(chance.random() * 0.03)  # a moment of its own, not an event's
        victim.kill()
        if chance.random() < 0.5:
            wait_sales(tills, chance.randint(1, 8))
        victim.start(wait=chance.random() < 0.5)
    for pc in (a, b):
        pc.wait_until_up()
    finish(shop, tills, 40)


def test_cables_and_kills_together_with_three_pcs(shop, seed):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b, c = shop.member("B", a, lan), shop.member("C", a, lan)
    chance = random.Random(seed)
    tills = load((a, b, c), seed, pause=0.02)
    pulled = set()
    for _ in range(15):
        wait_sales(tills, chance.randint(1, 5))
        pc = chance.choice((a, b, c))
        if chance.random() < 0.4:
            pc.kill()
            pc.start(wait=False)
        elif pc in pulled:
            shop.network.plug(pc.space, lan)
            pulled.remove(pc)
        else:
            shop.network.pull(pc.space, lan)
            pulled.add(pc)
    for pc in pulled:
        shop.network.plug(pc.space, lan)
    for pc in (a, b, c):
        pc.wait_until_up()
    finish(shop, tills, 45)
