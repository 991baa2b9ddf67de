"""A PC that joins with a copy of the fleet's database gets digests, not rows: what goes over the wire is counted."""

import json
import random
import shutil
import subprocess

from pc import database, wait_for

ROWS = 40000
SCHEMA = """
CREATE TABLE family(code TEXT PRIMARY KEY, title TEXT NOT NULL, above TEXT REFERENCES family(code));
CREATE TABLE article(id INTEGER PRIMARY KEY, ref TEXT NOT NULL UNIQUE, label TEXT NOT NULL, price REAL NOT NULL,
    stock INTEGER NOT NULL, family TEXT REFERENCES family(code), like_id INTEGER REFERENCES article(id));
CREATE TABLE sale(id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, total NUMERIC NOT NULL, number TEXT NOT NULL,
    till TEXT NOT NULL, note TEXT);
CREATE TABLE line(id INTEGER PRIMARY KEY AUTOINCREMENT, sale_id INTEGER NOT NULL REFERENCES sale(id),
    article_id INTEGER NOT NULL REFERENCES article(id), quantity INTEGER NOT NULL, price REAL NOT NULL, label TEXT NOT NULL,
    changed TEXT NOT NULL);
CREATE TABLE place(article_id INTEGER REFERENCES article(id), shelf TEXT, n INTEGER, PRIMARY KEY(article_id, shelf))
    WITHOUT ROWID;
"""


def fill(path, chance, rows=ROWS):
    """A shop's database after some years, with gaps where rows were deleted."""
    articles, sales, lines = rows // 10, rows * 3 // 10, rows * 5 // 10
    with database(path) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.executescript(SCHEMA)
        connection.execute("BEGIN")
        for n in range(20):
            connection.execute("INSERT INTO family VALUES (?, ?, ?)", (
                "F%02d" % n, "Family %d" % n, None if n < 4 else "F%02d" % (n // 4)))
        for n in range(1, articles + 1):
            connection.execute("INSERT INTO article VALUES (?, ?, ?, ?, ?, ?, ?)", (
                n, "ART%08d" % n, "Article %d, %s" % (n, chance.choice(["red", "green", "blue"])),
                chance.randrange(100, 9999) / 100, chance.randrange(500), "F%02d" % chance.randrange(20),
                chance.randrange(1, n) if n > 1 and chance.random() < 0.1 else None))
        for n in range(1, sales + 1):
            connection.execute("INSERT INTO sale VALUES (?, ?, ?, ?, ?, ?)", (
                n, "2026-%02d-%02d 10:%02d:07.%06d" % (1 + n % 12, 1 + n % 28, n % 60, chance.randrange(1000000)),
                chance.randrange(100, 99999) / 100, "TKT20261121%06d" % n, "CAISSE%02d" % (n % 3), None if chance.random() < 0.7 else "cash, note %d" % n))
        for n in range(1, lines + 1):
            article = chance.randrange(1, articles + 1)
            connection.execute("INSERT INTO line VALUES (?, ?, ?, ?, ?, ?, ?)", (
                n, chance.randrange(1, sales + 1), article, chance.randrange(1, 9), chance.randrange(100, 9999) / 100,
                "ART%08d, Article %d, as it was called then" % (article, article), "2026-11-21 10:%02d" % (n % 60)))
        for n in range(1, articles + 1):
            connection.execute("INSERT INTO place VALUES (?, ?, ?)", (n, "S%d" % chance.randrange(40), n % 17))
        for n in chance.sample(range(1, lines + 1), lines // 100):
            connection.execute("DELETE FROM line WHERE id = ?", (n,))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def edit(path, chance, percent, rows=ROWS):
    """What people did to the copy since: some rows of all tables are others, a few are new or gone."""
    with database(path) as connection:
        connection.execute("BEGIN")
        for table, change in (("article", "stock = stock + 1"), ("sale", "note = 'checked'"),
                              ("line", "quantity = quantity + 1")):
            ids = [row[0] for row in connection.execute("SELECT id FROM " + table)]
            for n in chance.sample(ids, len(ids) * percent // 100):
                connection.execute("UPDATE %s SET %s WHERE id = ?" % (table, change), (n,))
        connection.execute("DELETE FROM line WHERE id IN (SELECT id FROM line ORDER BY id LIMIT 3 OFFSET 1000)")
        connection.execute("INSERT INTO sale(at, total, number, till) VALUES ('2026-11-21', 12.5, 'TKT9', 'C9')")
        connection.execute("COMMIT")


def wire_bytes(shop, pc):
    """What went through the PC's network card, both ways, headers and all."""
    done = subprocess.run(["ip", "-n", pc.space, "-s", "-j", "link", "show", "eth0"], capture_output=True, text=True)
    stats = json.loads(done.stdout)[0]["stats64"]
    return stats["rx"]["bytes"] + stats["tx"]["bytes"]


def found(a):
    a.init("--fleet", "Market")
    a.cli("track", "--all")
    a.start()
    wait_for(lambda: a.status()["pending"]["unscanned"] == 0, "A has published all", 120)


def joined(shop, pc, member, *words):
    """Bytes on the wire until the newcomer has all, per byte of the database."""
    pc.init()
    pc.cli("track", "--all")
    pc.start()
    before = wire_bytes(shop, pc)
    pc.cli("join", *words, member.invite())
    wait_for(lambda: pc.status()["database"]["state"] == "ready", "%s is matched" % pc.name, 180)
    shop.wait_equal(pc, member, seconds=180)
    share = (wire_bytes(shop, pc) - before) / member.db.stat().st_size
    print("%s: %d bytes on the wire, %.3f %% of the database" % (
        pc.name, wire_bytes(shop, pc) - before, 100 * share))
    return share


def test_a_copy_gets_digests_and_an_edited_copy_little_more(shop, seed):
    chance = random.Random(seed)
    lan = shop.network.lan()
    a, b, c, d = (shop.pc(name, lan, tables=False) for name in "ABCD")
    fill(a.db, chance)
    for pc in (b, c):
        shutil.copyfile(a.db, pc.db)
    edit(c.db, chance, 1)
    fill(d.db, random.Random(seed + 1), rows=40)
    found(a)
    assert joined(shop, b, a) < 0.05
    assert 0.001 < joined(shop, c, a, "--copy") < 0.08
    assert 0.3 < joined(shop, d, a) < 3


def test_two_copies_of_the_real_erp_exchange_digests(shop, real_data):
    lan = shop.network.lan()
    a, b = (shop.pc(name, lan, tables=False) for name in "AB")
    for pc in (a, b):
        shutil.copyfile(real_data / "erp" / "erp.sqlite3", pc.db)
    found(a)
    assert joined(shop, b, a) < 0.05


INVOICES = """
CREATE TABLE client(id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT NOT NULL UNIQUE, name TEXT);
CREATE TABLE article(id INTEGER PRIMARY KEY AUTOINCREMENT, ref TEXT NOT NULL UNIQUE, label TEXT);
CREATE TABLE invoice(id INTEGER PRIMARY KEY AUTOINCREMENT, client_id INTEGER NOT NULL REFERENCES client(id), total NUMERIC);
CREATE TABLE line(id INTEGER PRIMARY KEY AUTOINCREMENT, invoice_id INTEGER NOT NULL REFERENCES invoice(id),
    article_id INTEGER NOT NULL REFERENCES article(id), quantity INTEGER NOT NULL);
"""
SOLD = ("SELECT client.code, total, group_concat(ref || ' x' || quantity, ', ') FROM invoice JOIN client ON client.id = client_id"
        " JOIN (SELECT * FROM line JOIN article ON article.id = article_id ORDER BY ref) ON invoice_id = invoice.id"
        " GROUP BY invoice.id ORDER BY total")


def keep_books(pc, order, total):
    """The same ten clients and articles as everywhere, numbered as they came in here, and an invoice 101."""
    with database(pc.db) as connection:
        connection.executescript(INVOICES)
        for n in order:
            connection.execute("INSERT INTO client(code, name) VALUES (?, ?)", ("C%d" % n, "Client %d" % n))
            connection.execute("INSERT INTO article(ref, label) VALUES (?, ?)", ("A%d" % n, "Article %d" % n))
        connection.execute("INSERT INTO article(ref, label) VALUES (?, 'only here')", ("OF-" + pc.name,))
        connection.execute("INSERT INTO invoice SELECT 101, id, ? FROM client WHERE code = 'C3'", (total,))
        connection.execute("INSERT INTO line SELECT 1, 101, id, ? FROM article WHERE ref = 'A7'", (total,))
        connection.execute("INSERT INTO line SELECT 2, 101, id, 2 FROM article WHERE ref = ?", ("OF-" + pc.name,))


def test_shops_that_never_met_share_clients_and_articles_and_keep_both_invoices_101(shop):
    lan = shop.network.lan()
    a, b = (shop.pc(name, lan, tables=False) for name in "AB")
    keep_books(a, range(10), 100)
    keep_books(b, reversed(range(10)), 200)
    found(a)
    a.cli("rules", "set", "client.code", "merge")
    a.cli("rules", "set", "article.ref", "merge")
    b.init()
    b.cli("track", "--all")
    b.start()
    b.cli("join", a.invite())
    wait_for(lambda: a.sql(SOLD) == b.sql(SOLD) == [("C3", 100, "A7 x100, OF-A x2"), ("C3", 200, "A7 x200, OF-B x2")],
             lambda: "both have both invoices: %r, %r" % (a.sql(SOLD), b.sql(SOLD)))
    for pc in (a, b):
        wait_for(lambda: pc.value("SELECT count(*) FROM client") == 10 and pc.value("SELECT count(*) FROM article") == 12,
                 "clients and articles stand once on %s" % pc.name)
        assert pc.value("SELECT id FROM invoice WHERE total = ?", 100 if pc is a else 200) == 101
        assert pc.value("SELECT count(*) FROM article WHERE ref LIKE '#%'") == 0
        assert pc.sql("PRAGMA foreign_key_check") == []
