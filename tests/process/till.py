"""A till that sells while a test breaks things, remembers what was committed, and the books that must show it."""

import random
import sqlite3
import threading

import shop
from pc import database


class Till(threading.Thread):
    """Sells on a PC's database until told to stop (or `count` sales are done). Seeded: the same sales every time."""

    def __init__(self, pc, seed, count=None, pause=0.01):
        super().__init__(name="till " + pc.name, daemon=True)
        self.pc, self.count, self.pause = pc, count, pause
        self.random = random.Random("%s %s" % (pc.name, seed))
        self.enough = threading.Event()
        self.sold = {}    # number -> (client, [(article reference, quantity)...]), committed
        self.errors = []

    def run(self):
        with database(self.pc.db) as connection:
            while not self.enough.is_set() and self.count != len(self.sold) + len(self.errors):
                self.sell(connection)
                self.enough.wait(self.pause * self.random.random() * 2)

    def sell(self, connection):
        number = "%s-%d" % (self.pc.name, len(self.sold) + len(self.errors))
        client = self.random.choice(shop.CLIENTS)
        articles = self.random.sample([article[0] for article in shop.ARTICLES], self.random.randint(1, 4))
        basket = [(article, self.random.randint(1, 5)) for article in articles]
        try:
            shop.sell(connection, number, basket, client)
            self.sold[number] = (client, sorted(basket))
        except sqlite3.Error as e:
            self.errors.append(str(e))
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def finish(self):
        self.enough.set()
        self.join(30)
        assert not self.is_alive(), "the till of %s hangs" % self.pc.name
        assert not self.errors, "the till of %s was refused: %s" % (self.pc.name, self.errors[:3])


def check_books(pc, sold):
    """Every sale is there exactly once, with its client and its lines, and the file is sound."""
    wrong = []
    with database(pc.db) as connection:
        for number, (client, basket) in sold.items():
            found = [(row[1], row[2]) for row in shop.sale(connection, number)]
            if found != [(client, basket)]:
                wrong.append("%s: %r, not %r" % (number, found, (client, basket)))
        total = connection.execute("SELECT count(*) FROM shop_invoice").fetchone()[0]
    assert not wrong, "%s has %d wrong sales of %d: %s" % (pc.name, len(wrong), len(sold), wrong[:5])
    assert total == len(sold), "%s has %d invoices, %d were sold" % (pc.name, total, len(sold))


def check_sound(pc):
    with database(pc.db) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
