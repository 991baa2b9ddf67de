"""What is committed together becomes visible together, however much it is; what is more than a step holds comes in whole steps."""

import sqlite3
import threading

from pc import wait_for

STEP = 100000
MANY = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
        " INSERT INTO shop_client(name) SELECT 'Client ' || i FROM n")


class Reader:
    """Somebody who looks all the time how many rows there are."""

    def __init__(self, pc):
        self.seen, self.over, self.db = [], threading.Event(), pc.db
        self.thread = threading.Thread(target=self.run)

    def run(self):
        connection = sqlite3.connect(self.db, timeout=60)
        while not self.over.is_set():
            count = connection.execute("SELECT count(*) FROM shop_client").fetchone()[0]
            if not self.seen or self.seen[-1] != count:
                self.seen.append(count)
            self.over.wait(0.002)
        connection.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def clients(pc):
    return pc.sql("SELECT count(*) FROM shop_client")[0][0]


def told(pc):
    return [line.split("much at once ", 1)[1] for line in pc.log.read_text().splitlines() if "much at once" in line]


def test_what_is_committed_together_becomes_visible_together(shop):
    _, a, b = shop.pair()
    before = clients(b)
    with Reader(b) as reader:
        a.sql(MANY % STEP)
        wait_for(lambda: clients(b) - before == STEP, "all of it is there", 120)
    assert reader.seen == [before, before + STEP], reader.seen


def test_what_is_more_comes_in_whole_steps_which_the_logs_tell(shop):
    _, a, b = shop.pair()
    before = clients(b)
    with Reader(b) as reader:
        a.sql(MANY % (2 * STEP + STEP // 2))
        wait_for(lambda: clients(b) - before == 2 * STEP + STEP // 2, "all of it is there", 240)
    assert {n - before for n in reader.seen} <= {0, STEP, 2 * STEP, 2 * STEP + STEP // 2}, reader.seen
    for pc in (a, b):
        wait_for(lambda: any("the last of 3 steps is there, 250000 rows in all" in line for line in told(pc)),
                 lambda: "the log of %s tells of the last one: %s" % (pc.name, told(pc)))
        assert told(pc)[0].startswith("by=CAISSE01: step 1 is there, 100000 rows so far"), told(pc)
