"""References that no foreign key to a primary key declares, on real agents: by rules from a file on the real ERP's database
without its foreign keys, Django's generic ones, and tickets named by their number."""

import json
import re

from pc import database, wait_for
from test_erp import Tills, copy
from test_rules import wait_rules

REFERENCES = re.compile(r' REFERENCES "\w+" \("\w+"\)( DEFERRABLE INITIALLY DEFERRED)?')


def without_foreign_keys(path):
    """Takes them out of the schema; returns them as rules."""
    with database(path) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        found = [{"table": table, "columns": [column], "kind": "references", "argument": parent}
                 for table in tables for parent, column in connection.execute(
                     'SELECT "table", "from" FROM pragma_foreign_key_list(?)', (table,))]
        connection.execute("PRAGMA writable_schema = ON")
        for table, sql in connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall():
            connection.execute("UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = ?",
                               (REFERENCES.sub("", sql), table))
    with database(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        left = [table for table in tables if connection.execute("PRAGMA foreign_key_list(%s)" % table).fetchall()]
        assert not left
    return found


def join_all(shop, pcs):
    for pc in pcs[1:]:
        pc.cli("join", pcs[0].invite())
        shop.wait_peer(pcs[0], pc)


def quiet(*pcs):
    for pc in pcs:
        pc.cli("wait", "--timeout", "60s")


def test_the_erp_without_its_foreign_keys_sells_apart_by_references_from_a_file(shop, real_data):
    lan = shop.network.lan()
    pcs = [shop.pc(name, lan, tables=False) for name in ("CAISSE01", "COMPTA01")]
    for pc in pcs:
        found = without_foreign_keys(copy(real_data, pc.db))
        pc.init()
        pc.cli("track", "--all")
        pc.start()
    assert len(found) == 100
    path = shop.directory / "references.json"
    path.write_text(json.dumps({"rules": found}))
    a, b = pcs
    assert a.cli("rules", "import", path).stdout.startswith("100 rules changed")
    join_all(shop, pcs)
    wait_rules(a, b)
    assert not [rule for rule in b.ask("rules")["rules"] if rule.get("missing")]
    quiet(a, b)
    shop.network.pull(b.space, lan)
    journals = [shop.directory / ("%s.jsonl" % pc.name) for pc in pcs]
    tills = Tills(real_data, [pc.db for pc in pcs], journals, 40)
    tills.finish()
    shop.network.plug(b.space, lan)
    for pc in pcs:
        wait_for(lambda: pc.value("SELECT count(*) FROM supermarket_facturevente")
                 == pcs[0].value("SELECT count(*) FROM supermarket_facturevente"), "all sales are on " + pc.name)
    quiet(a, b)
    for pc in pcs:
        tills.check(pc.db)
        assert pc.status()["parked"] == 0


NOTES = """CREATE TABLE shop_note(id integer NOT NULL PRIMARY KEY AUTOINCREMENT, text varchar(100) NOT NULL,
    object_id integer NULL, content_type_id integer NULL REFERENCES django_content_type(id)
    DEFERRABLE INITIALLY DEFERRED)"""
ABOUT = """SELECT n.text, t.model, coalesce(c.intitule, a.designation) FROM shop_note n JOIN django_content_type t ON t.id =
    content_type_id LEFT JOIN supermarket_client c ON t.model = 'client' AND c.id = object_id LEFT JOIN
    supermarket_article a ON t.model = 'article' AND a.id = object_id ORDER BY n.text"""


def test_generic_foreign_keys_of_the_erp_are_found_and_followed(shop, real_data):
    lan = shop.network.lan()
    pcs = [shop.pc(name, lan, tables=False) for name in ("CAISSE01", "COMPTA01")]
    for pc in pcs:
        copy(real_data, pc.db)
        with database(pc.db) as connection:
            connection.execute(NOTES)
        pc.init()
        pc.cli("track", "--all")
        pc.start()
    a, b = pcs
    a.cli("rules", "preset", "django")
    assert "shop_note.object_id references-by content_type_id" in a.cli("rules").stdout.splitlines()
    join_all(shop, pcs)
    wait_rules(a, b)
    quiet(a, b)
    shop.network.pull(b.space, lan)
    clients = "(SELECT id FROM django_content_type WHERE model = 'client')"
    keys = []
    for pc in pcs:
        with database(pc.db) as connection:
            one = connection.execute("SELECT * FROM supermarket_client ORDER BY id LIMIT 1")
            columns = [column[0] for column in one.description]
            row = dict(zip(columns, one.fetchone()))
            row["id"] = connection.execute("SELECT max(id) + 1 FROM supermarket_client").fetchone()[0]
            row["intitule"] = "client of " + pc.name
            connection.execute("INSERT INTO supermarket_client(%s) VALUES (%s)" % (
                ", ".join(columns), ", ".join("?" * len(columns))), [row[column] for column in columns])
            connection.execute("INSERT INTO shop_note(text, object_id, content_type_id) VALUES (?, ?, %s)" % clients,
                               ("about " + pc.name, row["id"]))
            keys.append(row["id"])
    assert keys[0] == keys[1]
    shop.network.plug(b.space, lan)
    want = [("about CAISSE01", "client", "client of CAISSE01"), ("about COMPTA01", "client", "client of COMPTA01")]
    for pc in pcs:
        wait_for(lambda: pc.sql(ABOUT) == want, lambda: "%s has %r" % (pc.name, pc.sql(ABOUT)))


TILLS = """CREATE TABLE ticket(id INTEGER PRIMARY KEY AUTOINCREMENT, number TEXT NOT NULL UNIQUE, total INTEGER);
    CREATE TABLE entry(id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT,
        ticket TEXT NOT NULL REFERENCES ticket(number) ON UPDATE CASCADE)"""
ENTRIES = "SELECT what, total, number FROM entry JOIN ticket ON number = ticket ORDER BY what"


def test_entries_stay_with_their_ticket_when_two_pcs_gave_one_number(shop):
    lan = shop.network.lan()
    pcs = [shop.pc(name, lan, tables=False) for name in ("A", "B")]
    for pc in pcs:
        with database(pc.db) as connection:
            connection.executescript("PRAGMA journal_mode = WAL; " + TILLS)
        pc.init()
        pc.cli("track", "--all")
        pc.start()
    join_all(shop, pcs)
    a, b = pcs
    quiet(a, b)
    for number in range(1, 6):
        shop.network.pull(b.space, lan)
        for pc in pcs:
            pc.sql("INSERT INTO ticket(number, total) VALUES (?, ?)", "T%d" % number, number)
            pc.sql("INSERT INTO entry(what, ticket) VALUES (?, ?)", "%s%d" % (pc.name, number), "T%d" % number)
        if number == 3:  # one that was numbered twice gets a number of its own, while the other sells on it
            pc.sql("UPDATE ticket SET number = 'T2b' WHERE number = '#B-T2'")
            a.sql("INSERT INTO entry(what, ticket) VALUES ('A-late', '#B-T2')")
        if number == 4:
            b.kill()
            b.start()
        shop.network.plug(b.space, lan)
        for pc in pcs:
            wait_for(lambda: pc.value("SELECT count(*) FROM entry") == 2 * number + (number > 2), "all entries on " + pc.name)
            wait_for(lambda: pc.value("SELECT count(*) FROM ticket WHERE number GLOB '#*'") == number - (number > 2),
                     "one of each two is marked on " + pc.name)
    quiet(a, b)
    for pc in pcs:
        assert pc.sql("PRAGMA foreign_key_check") == []
        assert pc.status()["parked"] == 0
        got = {what: (total, number) for what, total, number in pc.sql(ENTRIES)}
        assert len(got) == 11 and got["A-late"] == (2, "T2b") == got["B2"]
        assert all(total == int(what[1:]) for what, (total, _) in got.items() if what != "A-late")
        assert pc.sql(ENTRIES) == a.sql(ENTRIES)
