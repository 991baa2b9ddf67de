"""A real Django application on both ends, that knows nothing of us."""

import json
import os
import pathlib
import subprocess

import pytest

from pc import wait_for

APP = pathlib.Path(__file__).parent / "djangoapp" / "app.py"
PYTHON = "/usr/bin/python3"  # Debian's: it has Django
TABLES = ("shop_article", "shop_article_tags", "shop_employee", "shop_invoice", "shop_line", "shop_person",
          "shop_store", "shop_tag")


def app(pc, *words):
    done = subprocess.run([PYTHON, str(APP), *words], env=dict(os.environ, SHOP_DB=str(pc.db)),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=120)
    assert done.returncode == 0, "%s: %s\n%s" % (pc.name, " ".join(words), done.stderr)
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
