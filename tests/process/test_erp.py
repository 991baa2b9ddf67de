"""The real ERP's database, tracked whole on two PCs, and its till selling on both while cables and agents fail."""

import json
import random
import shutil
import subprocess
import sys
import time

import pytest

from pc import wait_for

SALES = 300


def till_command(data, db, site, journal):
    return [sys.executable, str(data / "erp" / "till.py"), str(db), "--site", site, "--ops", str(SALES), "--tickets",
            "site", "--journal", str(journal)]


def finish(process):
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return json.loads(out)


def errors(result):
    """What the till was refused by the database: {message: times}."""
    return {key[4:]: count for key, count in result.items() if key.startswith("ERR ")}


def copy(data, path):
    shutil.copyfile(data / "erp" / "erp.sqlite3", path)
    return path


@pytest.fixture
def fleet(shop, real_data):
    """Two PCs that each started from a copy of the ERP's file, every table tracked."""
    lan = shop.network.lan()
    pcs = []
    for name in ("CAISSE01", "COMPTA01"):
        pc = shop.pc(name, lan, tables=False)
        copy(real_data, pc.db)
        pc.init()
        pc.cli("track", "--all")
        pc.start()
        pcs.append(pc)
    pcs[1].cli("join", pcs[0].invite())
    shop.wait_equal(*pcs)
    return lan, *pcs


def test_two_copies_of_one_database_join_without_doubling_a_row(shop, real_data, fleet):
    _, a, b = fleet
    tables = [row[0] for row in a.sql("SELECT name FROM sqlite_schema WHERE type = 'table'"
                                      " AND name NOT LIKE 'sqlite%' AND substr(name, 1, 9) <> '_navette_'")]
    assert len(tables) > 50
    original = shop.directory / "original.db"
    copy(real_data, original)
    for pc in (a, b):
        assert pc.status()["database"]["tracked_tables"] == len(tables)
        shop.wait_equal(pc, type("Original", (), {"name": "the original", "db": original}))


def test_three_hundred_sales_on_each_pc_while_links_are_cut_and_agents_killed(shop, real_data, fleet, seed, record_property):
    lan, a, b = fleet
    chance = random.Random(seed)

    # What a till would see beside one more till on the same file, without us.
    alone = copy(real_data, shop.directory / "alone.db")
    pair = [subprocess.Popen(till_command(real_data, alone, site, shop.directory / ("alone-%s.jsonl" % site)),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for site in "AB"]
    without = [finish(process) for process in pair]

    journals = [shop.directory / (site + ".jsonl") for site in "AB"]
    tills = [subprocess.Popen(till_command(real_data, pc.db, site, journal), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
             for pc, site, journal in zip((a, b), "AB", journals)]
    plugged, cuts, kills = True, 0, 0
    while any(till.poll() is None for till in tills):
        time.sleep(chance.random() * 0.3)  # a moment of its own, not an event's
        if chance.random() < 0.6:
            (shop.network.pull if plugged else shop.network.plug)(b.space, lan)
            plugged = not plugged
            cuts += 1
        else:
            victim = chance.choice((a, b))
            victim.kill()
            victim.start(wait=False)
            kills += 1
    with_us = [finish(till) for till in tills]
    if not plugged:
        shop.network.plug(b.space, lan)
    for pc in (a, b):
        pc.wait_until_up()
    assert cuts >= 2 and kills >= 2, "the tills were done before anything was broken"
    shop.wait_equal(a, b, seconds=180)

    for pc in (a, b):
        check = subprocess.run([sys.executable, str(real_data / "erp" / "till.py"), str(pc.db), "--check",
                                *map(str, journals)], capture_output=True, text=True)
        assert check.returncode == 0, "%s: %s" % (pc.name, check.stdout)
        assert json.loads(check.stdout.splitlines()[0])["sales"] > SALES
    print("a till beside another, without us: %s" % without)
    print("a till beside an agent, %d cuts, %d kills: %s" % (cuts, kills, with_us))
    record_property("without", json.dumps(without))
    record_property("with", json.dumps(with_us))
    before = sum(sum(errors(result).values()) for result in without)
    after = sum(sum(errors(result).values()) for result in with_us)
    assert after <= before, "the tills were refused %d times, without us %d times: %r" % (after, before, with_us)
    wait_for(lambda: all(pc.status()["pending"]["marks"] == 0 for pc in (a, b)), "everything is captured")
