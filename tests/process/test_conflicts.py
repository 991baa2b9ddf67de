"""What a person sees of two PCs that wrote into one place apart, and of rows that the database cannot hold."""

import json
import shutil

from pc import wait_for

USAGE = 64
FAILING = 2

PRICE = "SELECT price FROM shop_article WHERE reference = 'RIZ25'"


def short(pc, *words, ok=(0,)):
    """What a command prints, which must fit a terminal."""
    text = pc.cli(*words, ok=ok).stdout
    assert all(len(line) <= 100 for line in text.splitlines()), text
    return text


def split(shop):
    """A pair whose two sides wrote one price apart."""
    lan, a, b = shop.pair()
    shop.wait_peer(a, b)
    shop.network.pull(b.space, lan)
    a.sql("UPDATE shop_article SET price = 11 WHERE reference = 'RIZ25'")
    wait_for(lambda: a.status()["pending"]["marks"] == 0, "A has drained")
    b.sql("UPDATE shop_article SET price = 12 WHERE reference = 'RIZ25'")
    wait_for(lambda: b.status()["pending"]["marks"] == 0, "B has drained")
    shop.network.plug(b.space, lan)
    for pc in (a, b):
        wait_for(lambda: pc.status()["conflicts"] == 1, "%s lists it" % pc.name)
    shop.wait_equal(a, b)
    return lan, a, b


def test_both_list_what_was_lost_and_one_command_brings_it_back(shop):
    _, a, b = split(shop)
    for pc in (a, b):
        one, = pc.ask("conflicts")["conflicts"]
        assert (one["table"], one["column"], one["why"]) == ("shop_article", "price", "overwritten")
        assert (one["lost"]["by"], one["lost"]["value"]) == ("CAISSE01", "11")
        assert (one["won"]["by"], one["won"]["value"]) == ("COMPTA01", "12")
        assert one["lost"]["at"] < one["won"]["at"] <= one["noticed"] and one["now"]["value"] == "12"
        text = short(pc, "conflicts")
        assert "CAISSE01" in text and "COMPTA01" in text and "price" in text
        shown = json.loads(pc.cli("conflicts", "show", one["number"], "--json").stdout)
        assert shown["text"] == one["text"] and shown["label"] == one["label"]
        assert "restore" in short(pc, "conflicts", "show", one["number"])
        assert "(agent-cli conflicts)" in short(pc, "status")
    number = b.ask("conflicts")["conflicts"][0]["number"]
    assert "11" in short(b, "conflicts", "restore", number)
    for pc in (a, b):
        wait_for(lambda: pc.sql(PRICE) == [(11,)], "the price is back on " + pc.name)
        wait_for(lambda: pc.status()["conflicts"] == 0, "nothing is listed on " + pc.name)
    assert "No two PCs" in short(a, "conflicts")
    shop.wait_equal(a, b)


def test_dismissing_is_for_this_pc_and_works_without_an_agent(shop):
    _, a, b = split(shop)
    number = a.ask("conflicts")["conflicts"][0]["number"]
    a.stop()
    assert a.ask("conflicts")["conflicts"][0]["number"] == number
    assert "1 conflict" in short(a, "conflicts", "dismiss", number)
    assert a.ask("conflicts")["conflicts"] == []
    assert json.loads(a.cli("conflicts", "dismiss", "--all", "--json").stdout)["dismissed"] == 0
    assert b.status()["conflicts"] == 1 and b.sql(PRICE) == [(12,)]


def test_a_value_is_restored_without_an_agent_and_sent_by_the_next(shop):
    _, a, b = split(shop)
    number = a.ask("conflicts")["conflicts"][0]["number"]
    a.stop()
    assert "The other PCs get it" in short(a, "conflicts", "restore", number)
    assert a.sql(PRICE) == [(11,)]
    a.start()
    wait_for(lambda: b.sql(PRICE) == [(11,)], "the price is back on B")
    shop.wait_equal(a, b)


def test_numbers_that_no_conflict_has_are_refused(shop):
    a = shop.founder("A", shop.network.lan())
    for words in (["show", 7], ["restore", 7], ["dismiss", 7], ["show", "x"], ["restore", "0"], ["dismiss"],
                  ["dismiss", 7, "--all"], ["show"], ["frobnicate"]):
        done = a.cli("conflicts", *words, ok=(USAGE,))
        assert "conflict" in done.stderr
    assert "every row that it should" in short(a, "parked")
    assert a.ask("parked") == dict(schema=1, parked=[], kept=[], parked_total=0, kept_total=0)


def test_a_row_that_the_database_refuses_is_listed_until_it_fits(shop):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b = shop.pc("B", lan)
    for pc, check in ((a, ""), (b, " CHECK (depth < 100)")):
        pc.sql("CREATE TABLE shelf(id INTEGER PRIMARY KEY, name TEXT, depth INTEGER%s)" % check)
    a.cli("track", "shelf")
    b.init()
    b.cli("track", "--all")
    b.start()
    shop.enrol(b, a)
    a.sql("INSERT INTO shelf VALUES (1, 'Top', 500)")
    wait_for(lambda: b.status()["parked"] == 1, "B has parked it")
    warning, = [w for w in b.status()["warnings"] if w["code"] == "rows-parked"]
    assert "agent-cli parked" in warning["remedy"]
    one, = b.ask("parked")["parked"]
    assert (one["table"], one["label"], one["in_file"]) == ("shelf", "Top", False)
    assert "CHECK" in one["why"] and "change the value" in one["help"] and one["since"]
    text = short(b, "parked")
    assert "Top" in text and "What helps" in text
    a.sql("UPDATE shelf SET depth = 50")
    wait_for(lambda: b.sql("SELECT depth FROM shelf") == [(50,)], "it fits")
    wait_for(lambda: b.status()["parked"] == 0, "nothing is parked")


def test_two_rows_that_are_one_thing_become_one(shop):
    """Both PCs make an article under one reference: both stay, one of them marked, until a person says that it is one."""
    lan, a, b = shop.pair()
    shop.wait_peer(a, b)
    shop.network.pull(b.space, lan)
    for pc, price in ((a, 10), (b, 20)):
        pc.sql("INSERT INTO shop_article(reference, name, price, stock) VALUES ('NEU', 'Neu', ?, 0)", price)
        wait_for(lambda: pc.status()["pending"]["marks"] == 0, pc.name + " has drained")
    shop.network.plug(b.space, lan)
    rows = "SELECT id, reference, price FROM shop_article WHERE name = 'Neu' ORDER BY reference"
    for pc in (a, b):
        wait_for(lambda: len(pc.sql(rows)) == 2, "both are on " + pc.name)
        wait_for(lambda: [c["why"] for c in pc.ask("conflicts")["conflicts"]] == ["yielded"], pc.name + " lists it")
        one, = pc.ask("conflicts")["conflicts"]
        assert "agent-cli conflicts merge" in one["text"]
        assert 'another row has "NEU", which COMPTA01 gave' in short(pc, "conflicts")
        assert "won" not in short(pc, "conflicts", "show", one["number"])
    shop.wait_equal(a, b)
    marked, plain = a.sql(rows)
    assert (marked[1], plain[1]) == ("#COMPTA01-NEU", "NEU")
    assert "one" in short(a, "conflicts", "merge", "shop_article", plain[0], marked[0])
    for pc in (a, b):
        wait_for(lambda: [row[1:] for row in pc.sql(rows)] == [("NEU", 20)], "one is left on " + pc.name)
        wait_for(lambda: [(c["why"], c["lost"]["value"], c["won"]["value"]) for c in pc.ask("conflicts")["conflicts"]]
                 == [("united", "10", "20")], "%s lists the price that is no longer there" % pc.name)
    shop.wait_equal(a, b)
    assert a.cli("conflicts", "merge", "shop_article", plain[0], 999999, ok=None).returncode not in (0, USAGE)
    assert a.cli("conflicts", "merge", "shop_article", "one", "two", ok=None).returncode == USAGE
    assert a.cli("conflicts", "merge", "nothing", 1, 2, ok=None).returncode not in (0, USAGE)


def test_one_price_of_the_real_erp_changed_on_two_pcs_apart(shop, real_data):
    lan = shop.network.lan()
    pcs = [shop.pc(name, lan, tables=False) for name in ("CAISSE01", "COMPTA01")]
    for pc in pcs:
        shutil.copyfile(real_data / "erp" / "erp.sqlite3", pc.db)
        pc.init(*(["--fleet", "ERP"] if pc is pcs[0] else ["--copy"]))
        pc.cli("track", "--all", timeout=300)
        pc.start()
    a, b = pcs
    b.cli("join", "--copy", a.invite(), timeout=300)
    wait_for(lambda: b.status()["database"]["state"] == "ready", "B is matched", 300)
    shop.wait_peer(a, b)
    for pc in pcs:
        pc.cli("wait", timeout=300)
    assert a.status()["conflicts"] == b.status()["conflicts"] == 0
    reference = a.value("SELECT reference_article FROM supermarket_article ORDER BY id DESC LIMIT 1")
    price = "SELECT prix_vente FROM supermarket_article WHERE reference_article = ?"
    shop.network.pull(b.space, lan)
    for pc, value in ((a, 1111), (b, 2222)):
        pc.sql("UPDATE supermarket_article SET prix_vente = ? WHERE reference_article = ?", value, reference)
        wait_for(lambda: pc.status()["pending"]["marks"] == 0, pc.name + " has drained")
    shop.network.plug(b.space, lan)
    for pc in pcs:
        wait_for(lambda: pc.status()["conflicts"] == 1, pc.name + " lists it")
        assert reference in short(pc, "conflicts") or "prix_vente" in short(pc, "conflicts")
    number = a.ask("conflicts")["conflicts"][0]["number"]
    shown = json.loads(a.cli("conflicts", "show", number, "--json").stdout)
    assert (shown["table"], shown["column"], shown["lost"]["value"], shown["won"]["value"]) == (
        "supermarket_article", "prix_vente", "1111", "2222")
    short(a, "conflicts", "show", number)
    short(a, "conflicts", "restore", number)
    for pc in pcs:
        wait_for(lambda: pc.sql(price, reference) == [(1111,)], "the price is back on " + pc.name)
        wait_for(lambda: pc.status()["conflicts"] == 0, "nothing is listed on " + pc.name)
