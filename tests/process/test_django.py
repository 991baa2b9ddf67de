"""A real Django application on both ends, that knows nothing of us."""

import json
import os
import pathlib
import subprocess

import pytest

from pc import database, wait_for

APP = pathlib.Path(__file__).parent / "djangoapp" / "app.py"
PYTHON = "/usr/bin/python3"  # Debian's: it has Django
TABLES = ("shop_article", "shop_article_tags", "shop_employee", "shop_invoice", "shop_line", "shop_person",
          "shop_store", "shop_tag")


def failure(pc, words, wrong):
    return "%s: %s: %s\n%s" % (pc.name, " ".join(words), wrong.strip().split("\n")[-1], wrong)


def app(pc, *words):
    done = subprocess.run([PYTHON, str(APP), *words], env=dict(os.environ, SHOP_DB=str(pc.db)),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=120)
    assert done.returncode == 0, failure(pc, words, done.stderr)
    return json.loads(done.stdout)


@pytest.fixture(scope="session")
def django():
    probe = subprocess.run([PYTHON, "-c", "import django; print(django.VERSION[:2])"], capture_output=True, text=True)
    assert probe.returncode == 0, "needs Debian's python3-django"


@pytest.fixture
def two(shop, django):
    """Two PCs that each ran `migrate` for themselves; the first one has goods."""
    lan = shop.network.lan()
    pcs = []
    for name in ("A", "B"):
        pc = shop.pc(name, lan, tables=False)
        app(pc, "migrate")
        if name == "A":
            app(pc, "stock")
        pc.init()
        pc.cli("track", *TABLES)
        pc.start()
        pcs.append(pc)
    pcs[1].cli("join", pcs[0].invite())
    shop.wait_equal(*pcs, only=TABLES)
    return pcs


def test_what_the_orm_writes_here_the_orm_reads_there(shop, two):
    a, b = two
    assert app(b, "dump") == app(a, "dump")
    app(a, "sell", "A-1", "E1", "RICE", "SOAP")
    app(b, "sell", "B-1", "E2", "OIL")
    app(b, "sell", "B-gone", "E2", "OIL", "RICE")
    shop.wait_equal(a, b, only=TABLES)
    app(a, "edit")
    shop.wait_equal(a, b, only=TABLES)
    books = app(a, "dump")
    assert app(b, "dump") == books
    assert [row[0] for row in books["invoices"]] == ["A-1", "B-1"]
    assert books["invoices"][1][4] == [["OIL", 2, "7900.50"]]
    assert books["articles"][1][:6] == ["RICE", "Rice", "18500.25", {"shelf": 4, "bio": True}, "00ff00", ["food", "new"]]


def test_sales_of_two_pcs_that_were_apart_meet(shop, two):
    a, b = two
    lan, = shop.network.lans
    shop.network.pull(b.space, lan)
    for number in range(5):
        app(a, "sell", "A-%d" % number, "E1", "RICE")
        app(b, "sell", "B-%d" % number, "E2", "SOAP", "OIL")
    shop.network.plug(b.space, lan)
    shop.wait_equal(a, b, only=TABLES)
    assert len(app(b, "dump")["invoices"]) == 10


def test_a_migration_passes_while_the_agents_run_and_what_is_sold_after_it_travels(shop, django):
    lan = shop.network.lan()
    pcs = []
    for name in ("A", "B"):
        pc = shop.pc(name, lan, tables=False)
        app(pc, "migrate", "shop", "0001")
        pc.init()
        pc.cli("track", *TABLES)
        pc.start()
        pcs.append(pc)
    a, b = pcs
    b.cli("join", a.invite())
    a.sql("INSERT INTO shop_article(reference, name, price, attributes, changed)"
          " VALUES ('OLD', 'Old', 1, '{}', '2026-01-01 00:00:00')")
    shop.wait_equal(a, b, only=TABLES)
    app(a, "migrate", "shop", "0002")
    app(a, "stock")  # B cannot hold the new column yet
    app(b, "migrate", "shop", "0002")
    app(b, "migrate")
    app(a, "migrate")
    wait_for(lambda: b.value("SELECT count(*) FROM shop_article") == 4, "the articles at B")
    app(b, "sell", "B-1", "E1", "RICE", "OIL")
    shop.wait_equal(a, b, only=TABLES)
    assert app(a, "dump") == app(b, "dump")


def depot_tables(pc):
    return tuple(name for name, in pc.sql("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'depot%'"))


@pytest.fixture
def depot(shop, django):
    """Fleets whose PCs have the tables of the first step, and rows in them."""
    def make(*names):
        lan = shop.network.lan()
        pcs = []
        for name in names:
            pc = shop.pc(name, lan, tables=False)
            app(pc, "migrate", "contenttypes")
            app(pc, "step", "1")
            pc.init()
            pc.cli("track", "--all")
            pc.start()
            if pcs:
                pc.cli("join", pcs[0].invite())
                wait_for(lambda: pc.status()["database"]["state"] == "ready", "%s is matched" % name)
            else:
                pc.cli("rules", "preset", "django")
            pcs.append(pc)
        for pc in pcs:
            app(pc, "write", pc.name, "0")
        shop.wait_equal(*pcs, only=depot_tables(pcs[0]))
        return pcs
    return make


def at_once(*commands):
    """(pc, words...) each in a process of its own, all at the same time."""
    running = [(pc, words, subprocess.Popen([PYTHON, str(APP), *words], env=dict(os.environ, SHOP_DB=str(pc.db)),
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                            text=True)) for pc, *words in commands]
    for pc, words, process in running:
        _, wrong = process.communicate(timeout=120)
        assert process.returncode == 0, failure(pc, words, wrong)


def migrate_one_after_the_other(shop, pcs, first, last):
    for number in range(first, last + 1):
        before, *rest = pcs if number % 2 else pcs[::-1]
        words = str(number)
        at_once((before, "live", words, before.name, words), *((pc, "write", pc.name, words) for pc in rest))
        if number % 3:
            for pc in pcs:
                pc.cli("wait", ok=None)
        for turn, pc in enumerate(rest):
            at_once((pc, "live", words, pc.name, str(number + 100)),
                    (before, "write", before.name, str(number + 200 + 100 * turn)))
        shop.wait_equal(*pcs, only=depot_tables(pcs[0]))
        for pc in pcs:
            assert pc.status()["parked"] == 0, (number, pc.cli("parked", ok=None).stdout)


def test_every_operation_of_migrations_on_one_pc_before_the_other(shop, depot):
    pcs = depot("A", "B")
    migrate_one_after_the_other(shop, pcs, 2, app(pcs[0], "steps"))


def test_three_pcs_are_migrated_one_after_the_other(shop, depot):
    pcs = depot("A", "B", "C")
    migrate_one_after_the_other(shop, pcs, 2, 12)


def test_a_pc_that_slept_through_all_migrations_catches_up(shop, depot):
    a, b = pcs = depot("A", "B")
    for number in ("400", "406", "412"):
        at_once(*((pc, "write", pc.name, number) for pc in pcs))
    shop.wait_equal(*pcs, only=depot_tables(a))
    b.stop()
    last = str(app(a, "steps"))
    for number in ("3", "9", "13", "20", last):
        at_once((a, "live", number, "A", number), (b, "write", "B", number))
    at_once((b, "live", last, "B", "99"))
    b.start()
    shop.wait_equal(a, b, only=depot_tables(a))
    assert b.status()["parked"] == 0, b.cli("parked", ok=None).stdout


def test_a_price_times_a_hundred_on_each_pc_is_made_once(shop, depot):
    a, b = pcs = depot("A", "B")
    for number in ("400", "406"):
        at_once(*((pc, "write", pc.name, number) for pc in pcs))
    shop.wait_equal(*pcs, only=depot_tables(a))
    total = a.value("SELECT sum(price) FROM depot_item")
    assert a.value("SELECT count(*) FROM depot_item") > 5

    def migrate(pc):
        with database(pc.db) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE depot_item SET price = price * 100")
            connection.execute("INSERT INTO django_migrations(app, name, applied) VALUES ('depot', 'cents', '2026-11-21')")
            connection.execute("COMMIT")

    def warned(pc):
        return [w["text"] for w in pc.status()["warnings"] if w["code"] == "migration-waits"]

    migrate(a)
    app(b, "write", "B", "7")
    wait_for(lambda: warned(b) and warned(a), "both PCs say that one of them lacks the migration")
    assert "not yet here" in warned(b)[0] and "not yet on B" in warned(a)[0]
    assert b.value("SELECT sum(price) FROM depot_item WHERE name NOT LIKE 'B-7'") == total
    migrate(b)
    shop.wait_equal(*pcs, only=depot_tables(a))
    wait_for(lambda: not warned(a) and not warned(b), "the warning is over")
    assert abs(a.value("SELECT sum(price) FROM depot_item WHERE name <> 'B-7'") - 100 * total) < 0.01
    assert abs(a.value("SELECT price FROM depot_item WHERE name = 'B-7'") - 710) < 0.01
