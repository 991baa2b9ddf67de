"""The till never waits: what a transaction that reads and then writes is refused beside an agent, and beside one more
till. Such a transaction fails at once, whatever its timeout, if another one writes between its read and its write."""

import random
import sqlite3
import threading
import time

import pytest

import shop as shops
from pc import database

pytestmark = pytest.mark.alone

SALES = 250


class Clerk(threading.Thread):
    """Reads, thinks, writes, in one deferred transaction, as an ORM does it."""

    def __init__(self, file, name):
        super().__init__(name=name, daemon=True)
        self.file = file
        self.random = random.Random(name)
        self.refused = {}

    def run(self):
        with database(self.file) as connection:
            for number in range(SALES):
                try:
                    self.sell(connection, number)
                except sqlite3.OperationalError as e:
                    self.refused[str(e)] = self.refused.get(str(e), 0) + 1
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                time.sleep(self.random.random() * 0.02)  # the next customer

    def sell(self, connection, number):
        connection.execute("BEGIN")
        connection.execute("SELECT max(id) FROM shop_invoice").fetchone()
        time.sleep(self.random.random() * 0.004)
        connection.execute("INSERT INTO shop_invoice(number, created, total, client_id) VALUES (?, '2026', 0, 1)",
                           ("%s-%d" % (self.name, number),))
        connection.execute("COMMIT")


def work(*clerks):
    """What they were refused, all together."""
    for clerk in clerks:
        clerk.start()
    for clerk in clerks:
        clerk.join(120)
        assert not clerk.is_alive(), "%s hangs" % clerk.name
    return sum(sum(clerk.refused.values()) for clerk in clerks)


@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
def test_a_transaction_that_reads_and_then_writes_is_refused_far_less_than_beside_a_till(
        shop, journal_mode, record_property):
    lan = shop.network.lan()
    a = shop.founder("A", lan, journal_mode=journal_mode)
    b = shop.member("B", a, lan, journal_mode=journal_mode)
    alone = shop.directory / "alone.db"
    with database(alone) as connection:
        shops.make_tables(connection, journal_mode)
        shops.stock_shelves(connection)
    beside_a_till = work(Clerk(alone, "X"), Clerk(alone, "Y"))
    beside_an_agent = work(Clerk(a.db, "A"), Clerk(b.db, "B"))
    record_property("beside a till", beside_a_till)
    record_property("beside an agent", beside_an_agent)
    print("%s: of %d sales %d refused beside a till, %d beside an agent" % (
        journal_mode, 2 * SALES, beside_a_till, beside_an_agent))
    assert beside_a_till > SALES // 20, "the tills were never in each other's way: nothing was measured"
    assert beside_an_agent * 10 <= beside_a_till
    shop.wait_equal(a, b)
    assert b.value("SELECT count(*) FROM shop_invoice") >= 2 * SALES - beside_an_agent
