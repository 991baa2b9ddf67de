"""The main job: what one PC sells, the others know."""

import shop as shops
from pc import database, wait_for
from till import Till, check_books, check_sound


def sell(pc, number, basket, client="Hotel Central"):
    with database(pc.db) as connection:
        return shops.sell(connection, number, basket, client)


def books(pc, number):
    with database(pc.db) as connection:
        return shops.sale(connection, number)


def wait_sale(pc, number, basket, client="Hotel Central", seconds=30):
    """Until the sale is in that PC's file, with its client and its articles. Returns its id there."""
    found = wait_for(lambda: books(pc, number), "%s has sale %s" % (pc.name, number), seconds)
    assert [(row[1], row[2]) for row in found] == [(client, sorted(basket))]
    return found[0][0]


def test_a_sale_travels_both_ways_with_its_client_and_its_articles(shop):
    _, a, b = shop.pair()
    sell(a, "A-1", [("RIZ25", 2), ("LAIT", 1)])
    wait_sale(b, "A-1", [("RIZ25", 2), ("LAIT", 1)])
    sell(b, "B-1", [("CAFE", 3)], client="School canteen")
    wait_sale(a, "B-1", [("CAFE", 3)], client="School canteen")
    shop.wait_equal(a, b)


def test_updates_and_deletes_travel(shop):
    _, a, b = shop.pair()
    sell(a, "A-1", [("RIZ25", 2)])
    wait_sale(b, "A-1", [("RIZ25", 2)])
    b.sql("UPDATE shop_article SET price = 19999 WHERE reference = 'RIZ25'")
    wait_for(lambda: a.value("SELECT price FROM shop_article WHERE reference = 'RIZ25'") == 19999, "the new price")
    with database(a.db) as connection:
        connection.execute("BEGIN")
        connection.execute("DELETE FROM shop_line")
        connection.execute("DELETE FROM shop_invoice")
        connection.execute("COMMIT")
    wait_for(lambda: b.value("SELECT count(*) FROM shop_invoice") == 0, "the deletion")
    shop.wait_equal(a, b)
    assert a.value("SELECT count(*) FROM shop_article") == len(shops.ARTICLES)


def test_two_pcs_that_both_write_invoice_101_offline_keep_both_with_their_own_lines(shop):
    lan, a, b = shop.pair()
    shop.network.pull(b.space, lan)
    a.sql("INSERT OR REPLACE INTO sqlite_sequence(name, seq) VALUES ('shop_invoice', 100)")
    b.sql("INSERT OR REPLACE INTO sqlite_sequence(name, seq) VALUES ('shop_invoice', 100)")
    assert sell(a, "A-101", [("RIZ25", 2), ("SAVON", 4)]) == 101
    assert sell(b, "B-101", [("CAFE", 1)], client="School canteen") == 101
    shop.network.plug(b.space, lan)
    there = wait_sale(b, "A-101", [("RIZ25", 2), ("SAVON", 4)])
    here = wait_sale(a, "B-101", [("CAFE", 1)], client="School canteen")
    # What an application has seen never changes under it.
    assert books(a, "A-101")[0][0] == 101 and books(b, "B-101")[0][0] == 101
    assert there != 101 and here != 101
    shop.wait_equal(a, b)


def test_the_later_of_two_prices_stands_and_no_cell_of_the_other_columns_is_lost(shop):
    lan, a, b = shop.pair()
    shop.network.pull(b.space, lan)
    a.sql("UPDATE shop_article SET price = 1 WHERE reference = 'RIZ25'")
    a.sql("UPDATE shop_article SET name = 'Rice, long grain' WHERE reference = 'RIZ25'")
    b.sql("UPDATE shop_article SET price = 2 WHERE reference = 'RIZ25'")
    shop.network.plug(b.space, lan)
    for pc in (a, b):
        wait_for(lambda: pc.sql("SELECT price, name FROM shop_article WHERE reference = 'RIZ25'")
                 == [(2, "Rice, long grain")], "both edits on " + pc.name)
    shop.wait_equal(a, b)


def test_three_pcs_converge_with_any_one_of_them_off(shop):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b = shop.member("B", a, lan)
    c = shop.member("C", a, lan)
    shop.wait_equal(a, b, c)
    expected = []
    for off in (a, b, c):
        off.stop()
        on = [pc for pc in (a, b, c) if pc is not off]
        for pc in on:
            number = "%s-while-%s-is-off" % (pc.name, off.name)
            sell(pc, number, [("SUCRE1", 5)])
            expected.append(number)
        # The one that is off sells too: its application does not know that the agent is not there.
        sell(off, "%s-alone" % off.name, [("LAIT", 1)])
        expected.append("%s-alone" % off.name)
        shop.wait_equal(*on)
        off.start()
        shop.wait_equal(a, b, c)
    for pc in (a, b, c):
        assert sorted(row[0] for row in pc.sql("SELECT number FROM shop_invoice")) == sorted(expected)


def test_what_a_pc_that_is_off_now_had_sold_reaches_the_third_through_the_second(shop):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b = shop.member("B", a, lan)
    c = shop.member("C", a, lan)
    c.stop()
    sell(a, "A-1", [("RIZ25", 1)])
    wait_sale(b, "A-1", [("RIZ25", 1)])
    a.stop()
    c.start()
    wait_sale(c, "A-1", [("RIZ25", 1)])
    shop.wait_equal(b, c)


def test_a_pc_in_the_middle_relays_between_two_that_cannot_reach_each_other(shop):
    left, right = shop.network.lan(), shop.network.lan()
    a = shop.founder("A", left)
    b = shop.member("B", a, left, right)
    c = shop.member("C", b, right)
    sell(a, "A-1", [("HUILE5", 2)])
    wait_sale(c, "A-1", [("HUILE5", 2)])
    sell(c, "C-1", [("SAVON", 9)])
    wait_sale(a, "C-1", [("SAVON", 9)])
    shop.wait_equal(a, b, c)
    connected = {pc.name: sorted(p["name"] for p in pc.status()["peers"] if p["state"] == "connected")
                 for pc in (a, b, c)}
    assert connected == {"A": ["B"], "B": ["A", "C"], "C": ["B"]}


def test_two_tills_sell_at_once_and_both_books_show_every_sale_once(shop, seed):
    _, a, b = shop.pair()
    tills = [Till(pc, seed, count=100, pause=0.005) for pc in (a, b)]
    for till in tills:
        till.start()
    for till in tills:
        till.join(120)
        till.finish()
    shop.wait_equal(a, b)
    sold = {**tills[0].sold, **tills[1].sold}
    assert len(sold) == 200
    for pc in (a, b):
        check_books(pc, sold)


def test_a_database_in_rollback_journal_mode_is_taken_as_it_is(shop):
    lan = shop.network.lan()
    a = shop.founder("A", lan, journal_mode="delete")
    b = shop.member("B", a, lan, journal_mode="delete")
    sell(a, "A-1", [("RIZ25", 1)])
    wait_sale(b, "A-1", [("RIZ25", 1)])
    sell(b, "B-1", [("RIZ25", 1)])
    wait_sale(a, "B-1", [("RIZ25", 1)])
    for pc in (a, b):
        assert pc.value("PRAGMA journal_mode") == "delete"
        assert pc.status()["database"]["journal_mode"] == "delete"


def test_natural_composite_and_rowid_less_keys_travel(shop):
    tables = """
        CREATE TABLE unit(code TEXT PRIMARY KEY, label TEXT NOT NULL);
        CREATE TABLE rate(unit TEXT NOT NULL REFERENCES unit(code), day DATE NOT NULL, value REAL,
                          PRIMARY KEY (unit, day));
        CREATE TABLE setting(name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
        CREATE TABLE counterless(id INTEGER PRIMARY KEY, note TEXT);
    """
    lan = shop.network.lan()
    pcs = []
    for name in ("A", "B"):
        pc = shop.pc(name, lan, goods=name == "A")
        with database(pc.db) as connection:
            connection.executescript(tables)
        pc.init()
        pc.cli("track", "--all")
        pc.start()
        pcs.append(pc)
    a, b = pcs
    shop.enrol(b, a)
    with database(a.db) as connection:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO unit VALUES ('kg', 'kilogram'), ('l', 'litre')")
        connection.execute("INSERT INTO rate VALUES ('kg', '2026-01-01', 1.5), ('kg', '2026-01-02', -0.0)")
        connection.execute("INSERT INTO setting VALUES ('logo', x'00ff00'), ('empty', NULL), ('text', 'a' || char(0) || 'b')")
        connection.execute("INSERT INTO counterless(note) VALUES ('one'), (CAST(x'fffe' AS TEXT))")
        connection.execute("COMMIT")
    wait_for(lambda: b.value("SELECT count(*) FROM counterless") == 2, "the rows on B")
    shop.wait_equal(a, b)
    b.sql("UPDATE unit SET code = 'L' WHERE code = 'l'")
    b.sql("UPDATE rate SET value = 2 WHERE day = '2026-01-02'")
    b.sql("DELETE FROM setting WHERE name = 'empty'")
    wait_for(lambda: a.value("SELECT count(*) FROM setting") == 2, "the deletion on A")
    shop.wait_equal(a, b)
    assert a.sql("SELECT code FROM unit ORDER BY code") == [("L",), ("kg",)]


def test_a_transaction_becomes_visible_together(shop):
    _, a, b = shop.pair()
    with database(b.db) as reader:
        with database(a.db) as writer:
            for n in range(20):
                writer.execute("BEGIN")
                writer.execute("UPDATE shop_article SET stock = ? WHERE reference IN ('RIZ25', 'CAFE', 'LAIT')", (n,))
                writer.execute("COMMIT")

        def last():
            stocks = {row[0] for row in reader.execute(
                "SELECT stock FROM shop_article WHERE reference IN ('RIZ25', 'CAFE', 'LAIT')")}
            assert len(stocks) == 1, "half a transaction is visible: %r" % stocks
            return stocks == {19}
        wait_for(last, "the last stock", every=0)
    check_sound(b)
