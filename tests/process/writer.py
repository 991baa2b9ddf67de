"""An application: plain SQLite, five seconds of patience. Writes until its standard input is closed, then reports as JSON.

Usage: writer.py FILE SEED. `captured` and `plain` count transactions with and without triggers on the table written. Within each, under its
own write lock, it looks: the three triggers are all there or none, and if they are, the write has left its mark."""

import json
import random
import select
import sqlite3
import sys
import time


def tracked(db, table):
    """The number under which the table is tracked, or None."""
    rows = db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?", (table,)).fetchall()
    if not rows:
        return None
    assert len(rows) == 3, rows
    return int(rows[0][0].split("_")[2])


def marks(db, number, op, *key):
    where = " AND ".join("k%d IS ?" % (i + 1) for i in range(len(key)))
    return db.execute("SELECT count(*) FROM _navette_dirty WHERE tbl = ? AND op = ? AND " + where,
                      (number, op) + key).fetchone()[0]


def sell(db, chance, n):
    sale = db.execute("INSERT INTO sale(ticket, total, note) VALUES (?, ?, ?)",
                      ("T%d-%d" % (n, chance.getrandbits(60)), chance.random(), b"\0\xff")).lastrowid
    db.executemany("INSERT INTO line VALUES (?, ?, ?)", [(sale, i, 1) for i in range(3)])
    assert db.execute("SELECT max(id) FROM sale").fetchone()[0] == sale
    return [("sale", 1, sale), ("line", 1, sale, 0), ("line", 1, sale, 2)]


def correct(db, chance, n):
    changed = db.execute("UPDATE sale SET total = total + 1 WHERE id = (SELECT max(id) FROM sale) RETURNING id").fetchall()
    return [("sale", 2, changed[0][0])] if changed else []


def cancel(db, chance, n):
    row = db.execute("DELETE FROM line WHERE (sale_id, nr) = (SELECT sale_id, nr FROM line LIMIT 1) RETURNING sale_id, nr").fetchall()
    return [("line", 3) + row[0]] if row else []


def configure(db, chance, n):
    name = "colour%d" % chance.randrange(5)
    db.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, n))
    return [("setting", 1, name)]


def transact(db, chance, n, report):
    db.execute("BEGIN" if chance.random() < 0.5 else "BEGIN IMMEDIATE")
    seen = set()
    for table, op, *key in chance.choice([sell, correct, cancel, configure])(db, chance, n):
        number = tracked(db, table)
        seen.add(number is not None)
        assert number is None or marks(db, number, op, *key) >= 1, (table, op, key)
    db.execute("COMMIT")
    if seen:
        report["captured" if True in seen else "plain"] += 1


def main():
    db = sqlite3.connect(sys.argv[1], timeout=5, isolation_level=None)
    chance = random.Random(int(sys.argv[2]))
    report = {"captured": 0, "plain": 0, "errors": []}
    print("writing", flush=True)
    n = 0
    while not select.select([sys.stdin], [], [], 0)[0] and len(report["errors"]) < 5:
        n += 1
        time.sleep(chance.random() * 0.004)  # two that never pause starve each other, with or without us
        try:
            transact(db, chance, n, report)
        except (sqlite3.Error, AssertionError) as e:
            report["errors"].append(repr(e))
            if db.in_transaction:
                db.execute("ROLLBACK")
    json.dump(report, sys.stdout)


main()
