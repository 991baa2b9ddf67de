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
CALM = 20  # sales a second: slow enough for cables and agents to fail among them


class Tills:
    """The ERP's till on several files at once (or twice on one), each with its journal. `tickets`: numbered by the
    site, or really as the ERP does it, the next after the highest in the file."""

    def __init__(self, data, files, journals, rate, tickets="site"):
        self.program, self.journals = str(data / "erp" / "till.py"), journals
        self.running = [subprocess.Popen(
            [sys.executable, self.program, str(file), "--site", site, "--ops", str(SALES), "--tickets", tickets,
             "--journal", str(journal), "--rate", str(rate)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for file, site, journal in zip(files, "ABC", journals)]

    def sell_on(self):
        return any(till.poll() is None for till in self.running)

    def finish(self):
        results = []
        for till in self.running:
            out, err = till.communicate(timeout=600)
            assert till.returncode == 0, err
            results.append(json.loads(out))
        return results

    def check(self, file):
        """Every sale of both journals is on that file, whole and once; no refused one is."""
        done = subprocess.run([sys.executable, self.program, str(file), "--check", *map(str, self.journals)],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
        result = json.loads(done.stdout.splitlines()[0])
        assert result["sales"] + result["refused"] == len(self.running) * SALES and result["sales"] > SALES / 2


def errors(result):
    """What the till was refused by the database: {message: times}."""
    return {key[4:]: count for key, count in result.items() if key.startswith("ERR ")}


def copy(data, path):
    shutil.copyfile(data / "erp" / "erp.sqlite3", path)
    return path


def found_fleet(shop, real_data, *names):
    """PCs that each started from a copy of the ERP's file, every table tracked."""
    lan = shop.network.lan()
    pcs = []
    for name in names:
        pc = shop.pc(name, lan, tables=False)
        copy(real_data, pc.db)
        pc.init()
        pc.cli("track", "--all")
        pc.start()
        if pcs:
            pc.cli("join", pcs[0].invite())
        pcs.append(pc)
        shop.wait_equal(*pcs)
    return lan, *pcs


@pytest.fixture
def fleet(shop, real_data):
    return found_fleet(shop, real_data, "CAISSE01", "COMPTA01")


def test_two_copies_of_one_database_join_without_doubling_a_row(shop, real_data, fleet):
    _, a, b = fleet
    tables = [row[0] for row in a.sql("SELECT name FROM sqlite_schema WHERE type = 'table'"
                                      " AND name NOT LIKE 'sqlite%' AND substr(name, 1, 9) <> '_navette_'")]
    assert len(tables) > 50
    original = shop.directory / "original.db"
    copy(real_data, original)
    for pc in (a, b):
        assert pc.status()["database"]["tracked_tables"] == len(tables) - 1  # not django_migrations
        shop.wait_equal(pc, type("Original", (), {"name": "the original", "db": original}))


def test_copies_that_sold_before_they_joined_keep_all_their_sales(shop, real_data):
    """Both tills number by the highest ticket in their file: equal ids, equal tickets, other sales."""
    lan = shop.network.lan()
    a, b = (shop.pc(name, lan, tables=False) for name in ("CAISSE01", "COMPTA01"))
    for pc in (a, b):
        copy(real_data, pc.db)
    articles = a.value("SELECT count(*) FROM supermarket_article")
    tills = Tills(real_data, (a.db, b.db), [shop.directory / (site + ".jsonl") for site in "AB"], 0, tickets="real")
    tills.finish()
    for pc in (a, b):
        pc.init()
        pc.cli("track", "--all")
        pc.start()
    shop.enrol(b, a, "--copy")
    for pc in (a, b):
        tills.check(pc.db)
        assert pc.value("SELECT count(*) FROM supermarket_article") == articles


def refusals(results):
    return sum(sum(errors(result).values()) for result in results)


@pytest.fixture
def beside_a_till(shop, real_data):
    """What tills see beside one more till on the same file, without us."""
    def measure(rate):
        alone = copy(real_data, shop.directory / "alone.db")
        tills = Tills(real_data, (alone, alone), [shop.directory / ("alone-%s.jsonl" % site) for site in "AB"], rate)
        return tills.finish()
    return measure


def compare(without, with_us, record_property):
    print("tills beside another till, without us: %s" % without)
    print("tills beside an agent: %s" % with_us)
    record_property("without", json.dumps(without))
    record_property("with", json.dumps(with_us))
    assert refusals(with_us) <= refusals(without), "more was refused than beside one more till"


def test_three_hundred_sales_on_each_pc_while_links_are_cut_and_agents_killed(
        shop, real_data, fleet, beside_a_till, seed, record_property):
    lan, a, b = fleet
    chance = random.Random(seed)
    without = beside_a_till(CALM)
    tills = Tills(real_data, (a.db, b.db), [shop.directory / (site + ".jsonl") for site in "AB"], CALM)
    plugged, cuts, kills = True, 0, 0
    while tills.sell_on():
        time.sleep(chance.random() * 0.5)  # a moment of its own, not an event's
        if chance.random() < 0.6:
            (shop.network.pull if plugged else shop.network.plug)(b.space, lan)
            plugged = not plugged
            cuts += 1
        else:
            victim = chance.choice((a, b))
            victim.kill()
            victim.start(wait=False)
            kills += 1
    with_us = tills.finish()
    if not plugged:
        shop.network.plug(b.space, lan)
    for pc in (a, b):
        pc.wait_until_up()
    print("%d cuts, %d kills" % (cuts, kills))
    assert cuts >= 3 and kills >= 3, "the tills were done before anything was broken"
    shop.wait_equal(a, b, seconds=180)
    for pc in (a, b):
        tills.check(pc.db)
        wait_for(lambda: pc.status()["pending"]["marks"] == 0, "everything is captured")
    compare(without, with_us, record_property)


def test_tills_at_full_speed_are_refused_nothing_that_another_till_would_not_cause(
        shop, real_data, fleet, beside_a_till, record_property):
    _, a, b = fleet
    without = beside_a_till(0)
    tills = Tills(real_data, (a.db, b.db), [shop.directory / (site + ".jsonl") for site in "AB"], 0)
    with_us = tills.finish()
    shop.wait_equal(a, b, seconds=180)
    for pc in (a, b):
        tills.check(pc.db)
    compare(without, with_us, record_property)


def test_three_tills_that_number_their_sales_apart_lose_none_of_them(shop, real_data, seed):
    """Each gives the next number after the highest it knows, half of the time alone: the same numbers, for other sales."""
    lan, *pcs = found_fleet(shop, real_data, "CAISSE01", "CAISSE02", "COMPTA01")
    chance = random.Random(seed)
    tills = Tills(real_data, [pc.db for pc in pcs], [shop.directory / (site + ".jsonl") for site in "ABC"], CALM, "real")
    plugged = {pc: True for pc in pcs}
    while tills.sell_on():
        time.sleep(chance.random())  # a moment of its own, not an event's
        pc = chance.choice(pcs)
        (shop.network.pull if plugged[pc] else shop.network.plug)(pc.space, lan)
        plugged[pc] = not plugged[pc]
    tills.finish()
    for pc in pcs:
        if not plugged[pc]:
            shop.network.plug(pc.space, lan)
    shop.wait_equal(*pcs, seconds=180)
    for pc in pcs:
        tills.check(pc.db)
        assert pc.status()["parked"] == 0
    marked = [row[0] for row in pcs[0].sql("SELECT numero_ticket FROM supermarket_facturevente"
                                           " WHERE numero_ticket LIKE '#%'")]
    assert marked, "no number was given twice: the tills were never apart"
    assert all(number[1:].split("-")[0] in ("CAISSE01", "CAISSE02", "COMPTA01") for number in marked)


SOLD = ("SELECT article_id, sum(quantite) FROM supermarket_mouvementstock WHERE type_mouvement = 'sortie'"
        " GROUP BY article_id")


def test_the_stock_is_what_it_was_less_all_sales_of_both(shop, real_data):
    """Each till writes absolute stocks and whole rows, alone: the stock is a counter by rule."""
    lan, a, b = found_fleet(shop, real_data, "CAISSE01", "COMPTA01")
    a.cli("rules", "set", "supermarket_article.stock_actuel", "counter")
    wait_for(lambda: len(b.ask("rules")["rules"]) == 1, "the rule is known on %s" % b.name)
    before, sold = dict(a.sql("SELECT id, stock_actuel FROM supermarket_article")), dict(a.sql(SOLD))
    shop.network.pull(b.space, lan)
    tills = Tills(real_data, (a.db, b.db), [shop.directory / (site + ".jsonl") for site in "AB"], 0)
    tills.finish()
    shop.network.plug(b.space, lan)
    shop.wait_equal(a, b, seconds=180)
    for pc in (a, b):
        tills.check(pc.db)
        now, all_sold = dict(pc.sql("SELECT id, stock_actuel FROM supermarket_article")), dict(pc.sql(SOLD))
        both = [article for article in all_sold if all_sold[article] != sold.get(article, 0)]
        assert len(both) > 10, "the tills sold next to nothing"
        for article, stock in before.items():
            taken = all_sold.get(article, 0) - sold.get(article, 0)
            assert round(float(now[article]), 2) == round(float(stock) - float(taken), 2), article
