"""What is wrong is said, with what mends it, and goes when it is mended: one test for each that no other file shows."""

import shutil
import subprocess
import sys
import time

import peer as peers
import wire
from pc import database, wait_for
from test_interop import Guest
from test_shop import sell, wait_sale


def warning(pc, code):
    found = [w for w in pc.status()["warnings"] if w["code"] == code]
    return found and found[0]


def told(pc, code, *words, state="degraded"):
    """It is said, in these words."""
    found = wait_for(lambda: warning(pc, code), lambda: "%s says %s\n%s" % (pc.name, code, pc.cli("status", ok=None).stdout))
    assert found["remedy"] and found["since"]
    assert all(word in found["text"] for word in words), found["text"]
    assert pc.status()["state"] == state
    text = " ".join(pc.cli("status", ok=None).stdout.split())
    assert code in text and " ".join(found["remedy"].split()) in text


def over(pc, code):
    wait_for(lambda: not warning(pc, code), lambda: "%s is over on %s\n%s" % (code, pc.name, pc.cli("status", ok=None).stdout))


def test_no_table_is_tracked(shop):
    pc = shop.pc("A", shop.network.lan(), goods=True)
    pc.init()
    pc.start()
    told(pc, "nothing-tracked")
    pc.cli("track", "--all")
    over(pc, "nothing-tracked")
    assert pc.status()["state"] == "ok"


def test_what_another_hand_took_out_is_told(shop):
    pc = shop.founder("A", shop.network.lan())
    with database(pc.db) as connection:
        ours = connection.execute("SELECT type, name FROM sqlite_schema WHERE name GLOB '_navette*'"
                                  " AND type <> 'index' ORDER BY type DESC").fetchall()
        connection.execute("BEGIN IMMEDIATE")
        for kind, name in ours:
            connection.execute("DROP %s %s" % (kind, name))
        connection.execute("COMMIT")
    told(pc, "nothing-tracked")
    pc.cli("track", "--all")
    over(pc, "nothing-tracked")
    pc.sql("INSERT INTO shop_client(name) VALUES ('captured again')")
    pc.cli("wait")


def test_the_only_shared_table_is_dropped(shop):
    pc = shop.pc("A", shop.network.lan(), tables=False)
    make = "CREATE TABLE till_note(id INTEGER PRIMARY KEY, text TEXT)"
    pc.sql(make)
    pc.init()
    pc.cli("track", "--all")
    pc.start()
    pc.sql("DROP TABLE till_note")
    told(pc, "tables-gone", "till_note")
    assert not warning(pc, "nothing-tracked")
    assert pc.status()["database"]["gone_tables"] == 1
    table, = pc.ask("tables")["tables"]
    assert table["gone"] and not table["tracked"] and "not in the database any more" in table["refused"]
    pc.sql(make)
    over(pc, "tables-gone")
    pc.sql("DROP TABLE till_note")
    told(pc, "tables-gone", "till_note")
    pc.cli("untrack", "till_note")
    over(pc, "tables-gone")
    told(pc, "nothing-tracked")


def test_the_roster_is_lost(shop):
    _, a, b = shop.pair()
    b.stop()
    roster = b.home / "roster"
    roster.rename(b.directory / "roster")
    b.start()
    told(b, "ledger-failed", "`roster`", "--copy --join TOKEN", state="failing")
    (b.directory / "roster").rename(roster)
    assert [w["code"] for w in b.status()["warnings"]] == ["ledger-failed"]
    b.restart()
    over(b, "ledger-failed")


def test_nobody_is_there(shop):
    _, a, b = shop.pair()
    shop.wait_peer(a, b)
    b.stop()
    told(a, "no-peer")
    b.start()
    over(a, "no-peer")


def test_the_pc_that_made_the_token_is_not_there(shop):
    lan = shop.network.lan()
    a, b = shop.founder("A", lan), shop.pc("B", lan)
    token = a.invite()
    a.stop()
    b.init("--join", token)
    b.start()
    told(b, "no-fleet", "looks for")
    a.start()
    over(b, "no-fleet")


def test_the_token_was_used_by_another_pc(shop):
    lan = shop.network.lan()
    a, b = shop.founder("A", lan), shop.pc("B", lan)
    token = a.invite()
    other = shop.pc("D", lan)
    other.init()
    other.start()
    other.cli("join", token)
    b.init("--join", token)
    b.start()
    told(b, "join-failed", "used")
    b.cli("join", a.invite())
    over(b, "join-failed")
    over(b, "no-fleet")


def test_the_port_of_broadcasts_is_taken(shop):
    lan = shop.network.lan()
    pc = shop.pc("A", lan, goods=True)
    pc.init()
    holder = subprocess.Popen(shop.network.inside(pc.space) + [sys.executable, "-c", """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 7401)); print("held", flush=True); sys.stdin.read()"""],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        pc.start()
        told(pc, "discovery-off", "7401")
    finally:
        holder.stdin.close()
        holder.wait(10)
    over(pc, "discovery-off")


def test_a_file_in_the_folder_is_none_of_ours(shop):
    pc = shop.pc("A", shop.network.lan(), goods=True)
    pc.init("--drop", pc.directory / "drop")
    pc.cli("track", "--all")
    pc.start()
    entrant = pc.directory / "drop" / "entrant"
    wait_for(entrant.exists, "the folder is there")
    (entrant / "export_X_20261121_100000.json").write_text("{")
    told(pc, "drop-rejected", "export_X_20261121_100000.json")
    rejected = pc.directory / "drop" / "archive" / "rejected"
    assert list(rejected.glob("*.reason.txt"))
    for path in rejected.iterdir():
        path.unlink()
    over(pc, "drop-rejected")


def test_who_has_the_key_and_is_no_member_is_named(shop):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    guest = Guest(shop, lan, a)
    guest.peer.site = wire.Site()  # not the one that was enrolled
    guest.peer.actor = guest.peer.site.id + guest.peer.actor[16:]
    peer = guest.connect()
    assert not peer.run(lambda: False, seconds=15) and peer.bye
    told(a, "not-a-member", shop.network.address(guest.space, lan))


def test_a_clock_is_wrong(shop):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    guest = Guest(shop, lan, a)
    guest.peer._now = lambda: int(time.time() * 1000) + 7200000
    peer = guest.connect()
    assert peer.run(lambda: peer.pongs > 0)
    told(a, "clock-skew", "PYTHON", "ahead")
    guest.peer._now = peers.Peer._now
    assert peer.run(lambda: not warning(a, "clock-skew"))
    peer.leave()


def test_the_application_holds_its_database_for_long(shop):
    _, a, b = shop.pair()
    with database(b.db) as connection:
        connection.execute("BEGIN IMMEDIATE")
        sell(a, "A-1", [("RIZ25", 1)])
        told(b, "database-busy")
        assert b.value("SELECT count(*) FROM shop_invoice") == 0
        connection.rollback()
    wait_sale(b, "A-1", [("RIZ25", 1)])
    over(b, "database-busy")


def test_what_the_store_cannot_do_is_told_and_done_when_it_can(shop):
    lan = shop.network.lan()
    a, b = shop.founder("A", lan), shop.pc("B", lan)
    b.init()
    b.cli("track", "--all")
    (b.home / "backup").rmdir()
    (b.home / "backup").write_text("in the way of the copy that is made before the first change")
    b.start()
    b.cli("join", a.invite())
    told(b, "store-failed", "copy the database before the first change", "backup", state="failing")
    assert b.value("SELECT count(*) FROM shop_article") == 0
    (b.home / "backup").unlink()
    (b.home / "backup").mkdir(0o700)
    shop.wait_equal(a, b)
    over(b, "store-failed")


def test_more_was_overwritten_than_the_list_holds(shop):
    lan, a, b = shop.pair()
    with database(a.db) as connection, connection:
        connection.executemany("INSERT INTO shop_client(name) VALUES (?)", [("client %d" % n,) for n in range(1100)])
    shop.wait_equal(a, b)
    shop.network.pull(b.space, lan)
    for pc in (a, b):
        pc.sql("UPDATE shop_client SET name = name || ' of ' || ? WHERE name LIKE 'client %'", pc.name)
        wait_for(lambda: pc.status()["pending"]["marks"] == 0, pc.name + " has drained")
    shop.network.plug(b.space, lan)
    shop.wait_equal(a, b)
    for pc in (a, b):
        told(pc, "conflicts-dropped", "100 conflicts")
        pc.cli("conflicts", "dismiss", "--all")
        over(pc, "conflicts-dropped")


def put_back(pc, kept):
    shutil.rmtree(pc.directory)
    shutil.copytree(kept, pc.directory)


def test_a_third_pc_went_on_twice_from_one_state(shop):
    """Its disk is put back, and it sells beside one PC, then, put back once more, beside the other: these two cannot
    give each other what it made, until it meets both."""
    lan, a, b = shop.pair()
    c = shop.member("C", a, lan)
    shop.wait_equal(a, b, c)
    c.stop()
    kept = shop.directory / "kept"
    shutil.copytree(c.directory, kept)
    for here, away, number in ((a, b, "C-1"), (b, a, "C-2")):
        away.stop()
        here.restart()
        put_back(c, kept)
        c.start()
        sell(c, number, [("SAVON", 1)])
        wait_sale(here, number, [("SAVON", 1)])
        c.stop()
    a.start()
    code = "forked-history"
    wait_for(lambda: warning(a, code) or warning(b, code), "one of them says so")
    told(a if warning(a, code) else b, code, "C was put back to an older state")
    c.start()
    for pc in (a, b, c):
        for number in ("C-1", "C-2"):
            wait_sale(pc, number, [("SAVON", 1)])
    shop.wait_equal(a, b, c)
    over(a, code)
    over(b, code)
