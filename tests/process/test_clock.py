"""A PC whose clock runs ahead, for its agent and its application alike, and is right again."""

import os
import subprocess
import sys

from pc import wait_for
from test_shop import sell, wait_sale
from test_warnings import over, told, warning

YEARS_S = 4 * 365 * 86400
CORRECTED = "was ahead: what was written there counts as written now"
PRICE = "SELECT price FROM shop_article WHERE reference = 'LAIT'"
SELL = "import sys, shop, pc\nwith pc.database(sys.argv[1]) as c: shop.sell(c, sys.argv[2], [('LAIT', 1)], 'Hotel Central')"
WRITE = "import sys, pc\nwith pc.database(sys.argv[1]) as c: c.execute(sys.argv[2])"


class Clock:
    """What `pc` believes the time to be, as long as it runs."""

    def __init__(self, shop, pc):
        self.pc, self.file = pc, shop.directory / (pc.name + ".clock")
        self.set(0)
        pc.environment.update(
            LD_PRELOAD=str(shop.programs / "shifted_clock.so"), NAVETTE_TEST_CLOCK=str(self.file),
            ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0", PYTHONPATH=os.pathsep.join(sys.path))

    def set(self, ahead_s):
        """At once, also for those who run."""
        written = self.file.with_suffix(".new")
        written.write_text(str(ahead_s))
        written.rename(self.file)

    def python(self, code, *words):
        """An application on that PC."""
        subprocess.run([sys.executable, "-c", code, *words], env=self.pc.environment, check=True, timeout=60)

    def sell(self, number):
        self.python(SELL, str(self.pc.db), number)

    def sql(self, statement):
        self.python(WRITE, str(self.pc.db), statement)


def pair(shop):
    """Of the second PC the clock can be set."""
    lan = shop.network.lan()
    a, b = shop.founder("CAISSE01", lan), shop.pc("CAISSE02", lan)
    clock = Clock(shop, b)
    b.init()
    b.cli("track", "--all")
    b.start()
    shop.enrol(b, a)
    return a, b, clock


def has(pc, number):
    return pc.value("SELECT count(*) FROM shop_invoice WHERE number = ?", number) == 1


def test_what_was_sold_while_the_clock_was_years_ahead_arrives_once_when_it_is_right(shop):
    a, b, clock = pair(shop)
    clock.set(YEARS_S)
    clock.sell("B-1")
    clock.sql("UPDATE shop_article SET price = 1 WHERE reference = 'LAIT'")
    told(a, "changes-too-early", "CAISSE02", "4 years")
    told(b, "clock-skew", "CAISSE01", "behind")
    assert not has(a, "B-1")
    clock.set(0)
    wait_sale(a, "B-1", [("LAIT", 1)])
    wait_for(lambda: a.value(PRICE) == 1, "the price that was set while the clock was ahead")
    a.sql("UPDATE shop_article SET price = 2 WHERE reference = 'LAIT'")
    clock.sell("B-2")
    sell(a, "A-1", [("LAIT", 1)])
    wait_sale(a, "B-2", [("LAIT", 1)])
    wait_sale(b, "A-1", [("LAIT", 1)])
    wait_for(lambda: b.value(PRICE) == 2, "the price that was set after it")
    shop.wait_equal(a, b)
    for pc, code in ((a, "changes-too-early"), (b, "clock-was-ahead"), (b, "clock-skew"), (a, "clock-skew")):
        over(pc, code)


def test_a_pc_alone_puts_it_right_by_what_the_others_said_last(shop):
    a, b, clock = pair(shop)
    a.stop()
    clock.set(YEARS_S)
    clock.sell("B-1")
    wait_for(lambda: b.status()["pending"]["marks"] == 0, "it is in a change-set")
    b.stop()
    clock.set(0)
    b.start()
    wait_for(lambda: CORRECTED in b.log.read_text(), lambda: b.tail())
    over(b, "clock-was-ahead")
    clock.sell("B-2")
    a.start()
    for number in ("B-1", "B-2"):
        wait_sale(a, number, [("LAIT", 1)])
    shop.wait_equal(a, b)
    assert not warning(a, "changes-too-early")
