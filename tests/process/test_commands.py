"""What a person at the keyboard gets from agent-cli, with real agents behind it."""

import datetime
import json
import os
import sqlite3
import time

from pc import NOT_REACHABLE, database, wait_for
from test_shop import sell
from till import Till

USAGE = 64


def schema(path):
    with database(path) as connection:
        return connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name").fetchall()


def test_status_has_every_field_it_promises(shop):
    _, a, b = shop.pair()
    shop.wait_peer(a, b)
    status = a.status()
    assert {"schema", "name", "site", "fleet", "version", "state", "database", "pending", "peers", "conflicts",
            "parked", "warnings"} <= set(status)
    assert {"path", "journal_mode", "tracked_tables", "rows"} <= set(status["database"])
    assert {"marks", "changesets"} <= set(status["pending"])
    assert status["name"] == "CAISSE01"
    assert status["database"]["tracked_tables"] == 4
    assert status["database"]["rows"] == 9
    assert os.path.samefile(status["database"]["path"], a.db)
    peer, = status["peers"]
    assert {"name", "site", "state", "address", "rtt_ms", "behind", "ahead", "last_seen", "last_applied"} <= set(peer)
    assert (peer["name"], peer["state"], peer["behind"], peer["ahead"]) == ("COMPTA01", "connected", 0, 0)
    assert status["warnings"] == [] and status["conflicts"] == 0 and status["parked"] == 0
    assert a.cli("status").returncode == 0


def moment(text):
    """Seconds since 1970; 0 for what never was."""
    if text is None:
        return 0
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()


def test_what_the_status_says_of_a_peer_is_true(shop):
    _, a, b = shop.pair()
    shop.wait_peer(a, b)

    def peer():
        return a.status()["peers"][0]
    wait_for(lambda: peer()["rtt_ms"] is not None and 0 <= peer()["rtt_ms"] < 1000, "the way there and back is known")
    before = time.time()
    sell(b, "B-1", [("RIZ25", 1)])
    wait_for(lambda: moment(peer()["last_applied"]) >= before - 1, "something of B came into the file now")
    assert abs(moment(peer()["last_seen"]) - time.time()) < 10
    b.stop()
    last = peer()["last_seen"]
    a.restart()
    assert moment(peer()["last_seen"]) >= moment(last) - 1  # also after a restart
    assert moment(peer()["last_applied"]) >= before - 1
    assert (peer()["behind"], peer()["ahead"]) == (0, 0)


def test_a_value_too_long_to_be_sent_is_told_with_what_helps_and_arrives_when_it_is_shorter(shop):
    _, a, b = shop.pair()
    a.sql("INSERT INTO shop_client(name, phone) VALUES ('Long', zeroblob(17000000))")
    wait_for(lambda: b.sql("SELECT phone FROM shop_client WHERE name = 'Long'") == [(None,)], "the row without the value")
    warning, = [w for w in a.status()["warnings"] if w["code"] == "value-not-sent"]
    assert all(word in warning["text"] for word in ("shop_client", "phone", "17000000"))
    assert "make it smaller" in warning["remedy"] and "rules set" in warning["remedy"]
    a.sql("UPDATE shop_client SET phone = '699' WHERE name = 'Long'")
    wait_for(lambda: b.sql("SELECT phone FROM shop_client WHERE name = 'Long'") == [("699",)], "the value")
    shop.wait_equal(a, b)
    assert a.status()["warnings"] == []


def test_every_command_answers_in_json_and_fits_a_terminal(shop):
    _, a, b = shop.pair()
    shop.wait_peer(a, b)
    for words in (["status"], ["peers"], ["tables"], ["sync"], ["wait"], ["conflicts"], ["parked"]):
        json.loads(a.cli(*words, "--json").stdout)
        text = a.cli(*words).stdout
        assert all(len(line) <= 100 for line in text.splitlines()), text


def test_status_says_that_a_peer_is_away_and_what_it_lacks(shop):
    _, a, b = shop.pair()
    shop.wait_peer(a, b)
    b.stop()
    sell(a, "A-1", [("RIZ25", 1)])
    wait_for(lambda: a.status()["peers"][0]["behind"] > 0, "B is behind")
    done = a.cli("status", ok=(1,))
    assert "COMPTA01" in done.stdout
    for warning in a.status()["warnings"]:
        assert {"code", "since"} <= set(warning)


def test_without_an_agent_the_exit_code_is_3_and_a_wrong_word_is_64(shop):
    pc = shop.pc("A", shop.network.lan())
    pc.init()
    for words in (["status"], ["peers"], ["sync"], ["wait"], ["invite"], ["stop"]):
        done = pc.cli(*words, ok=None)
        assert done.returncode == NOT_REACHABLE, words
        assert "navette-agent" in done.stderr, "%s does not say what to do: %r" % (words, done.stderr)
    for words in (["frobnicate"], ["track"], ["status", "--nonsense"], ["join"], []):
        assert pc.cli(*words, ok=None).returncode == USAGE, words


def test_wait_ends_when_every_connected_peer_has_everything(shop):
    lan, a, b = shop.pair()
    shop.wait_peer(a, b)
    for number in range(20):
        sell(a, "A-%d" % number, [("RIZ25", 1)])
    a.cli("wait", "--timeout", "30s")
    b.cli("wait", "--timeout", "30s")
    assert b.value("SELECT count(*) FROM shop_invoice") == 20
    status = a.status()
    assert status["pending"] == {**status["pending"], "marks": 0, "changesets": 0}


def test_wait_with_nobody_there_tells_what_waits(shop):
    _, a, b = shop.pair()
    a.cli("wait")
    b.stop()
    assert a.cli("wait").stdout.startswith("No other PC is connected")
    assert a.status()["pending"] == {"marks": 0, "unscanned": 0, "changesets": 0, "incoming": 0}
    assert "nothing waits for one" in a.cli("status", ok=None).stdout
    sell(a, "A-1", [("RIZ25", 1)])
    wait_for(lambda: a.status()["pending"]["changesets"] == 1, "the sale is said to wait")
    assert "its changes wait for one" in a.cli("status", ok=None).stdout
    done = a.cli("wait", "--timeout", "500ms", ok=(1,))
    assert "no other PC is connected" in " ".join(done.stderr.split())


def test_wait_on_a_joiner_that_shares_nothing_says_so(shop):
    lan = shop.network.lan()
    a, b = shop.founder("A", lan), shop.pc("B", lan)
    b.init()
    b.start()
    b.cli("join", a.invite())
    assert b.cli("status", ok=None).stdout.startswith("B is in the fleet, but shares no table yet.")
    done = b.cli("wait", "--timeout", "500ms", ok=(1,))
    assert "agent-cli track --all" in done.stderr
    b.cli("track", "--all")
    b.cli("wait")
    shop.wait_equal(a, b)


def test_stop_ends_the_agent_and_its_socket(shop):
    pc = shop.founder("A", shop.network.lan())
    pc.cli("stop")
    assert pc.reap() == 0
    assert not (pc.home / "agent.sock").exists()
    assert pc.cli("status", ok=None).returncode == NOT_REACHABLE


def test_init_track_tables_and_uninstall_work_without_an_agent_and_leave_the_schema_as_it_was(shop):
    pc = shop.pc("A", shop.network.lan(), goods=True)
    before = schema(pc.db)
    pc.init()
    assert schema(pc.db) == before
    pc.cli("track", "shop_article", "shop_client")
    tracked = {t["name"]: t["tracked"] for t in pc.ask("tables")["tables"]}
    assert tracked == {"shop_article": True, "shop_client": True, "shop_invoice": False, "shop_line": False}
    assert schema(pc.db) != before
    assert pc.cli("uninstall", stdin="no\n", ok=None).returncode != 0
    assert schema(pc.db) != before
    pc.cli("uninstall", stdin="yes\n")
    assert schema(pc.db) == before
    sell(pc, "A-1", [("RIZ25", 1)])


def test_uninstall_under_an_agent_and_a_selling_till_leaves_the_schema_as_it_was(shop, seed):
    pc = shop.pc("A", shop.network.lan(), goods=True)
    before = schema(pc.db)
    pc.init()
    till = Till(pc, seed, pause=0.002)
    till.start()
    for _ in range(5):
        pc.cli("track", "--all")
        pc.start()
        wait_for(lambda: pc.status()["database"]["rows"] > 9, "rows are tracked")
        pc.cli("untrack", "shop_line", "shop_invoice")
        pc.cli("track", "shop_invoice", "shop_line")
        pc.cli("uninstall", stdin="yes\n")
        assert schema(pc.db) == before
        if pc.agent.poll() is None:
            pc.stop()
        pc.agent = None
    till.finish()
    assert len(till.sold) > 10


def test_a_file_is_not_cleared_under_the_agent_that_keeps_it(shop):
    pc = shop.founder("A", shop.network.lan())
    before = schema(pc.db)
    done = pc.cli("--home", pc.directory / "other", "uninstall", "--db", pc.db, "--yes", ok=(2,))
    assert "agent-cli --home %s stop" % pc.home in " ".join(done.stderr.split())
    assert schema(pc.db) == before
    other = pc.cli("--home", pc.directory / "other", "init", "--db", pc.db, ok=(2,))
    assert str(pc.home) in other.stderr
    pc.stop()
    pc.cli("--home", pc.directory / "other", "uninstall", "--db", pc.db, "--yes")
    assert not [name for _, name, _, _ in schema(pc.db) if "_navette" in name]


def test_killed_between_any_two_steps_of_track_and_untrack_the_till_goes_on(shop, seed):
    import random
    import subprocess
    import time
    chance = random.Random(seed)
    pc = shop.pc("A", shop.network.lan(), goods=True)
    before = schema(pc.db)
    pc.init()
    till = Till(pc, seed, pause=0.002)
    till.start()
    for words in [["track", "--all"], ["untrack", "shop_line", "shop_article"]] * 15:
        process = subprocess.Popen([str(pc.programs / "agent-cli"), *words], env=pc.environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.random() * 0.08)  # a moment of its own, not an event's
        process.kill()
        process.wait()
    sold = len(till.sold)
    wait_for(lambda: len(till.sold) > sold + 5, "the till goes on")
    till.finish()
    pc.cli("track", "--all")
    pc.cli("uninstall", stdin="yes\n")
    assert schema(pc.db) == before


def test_tables_that_cannot_be_tracked_are_named_with_the_reason(shop):
    pc = shop.pc("A", shop.network.lan())
    with database(pc.db) as connection:
        connection.executescript("""
            CREATE TABLE keyless(a, b);
            CREATE VIEW cheap AS SELECT * FROM shop_article WHERE price < 1000;
            CREATE VIRTUAL TABLE found USING fts5(name);
        """)
    pc.init()
    for name in ("keyless", "cheap", "found", "not_there"):
        done = pc.cli("track", name, ok=None)
        assert done.returncode not in (0, 3, USAGE), name
        assert name in done.stderr
    pc.cli("track", "--all")
    tables = {t["name"]: t for t in pc.ask("tables")["tables"]}
    assert [name for name in tables if tables[name]["tracked"]] == [
        "shop_article", "shop_client", "shop_invoice", "shop_line"]
    assert "primary key" in tables["keyless"]["refused"].lower()


def test_an_application_with_triggers_and_cascades_of_its_own_is_not_run_twice(shop):
    own = """
        CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
        CREATE TABLE booking(id INTEGER PRIMARY KEY, account INTEGER NOT NULL REFERENCES account(id) ON DELETE CASCADE,
                             amount INTEGER NOT NULL);
        CREATE TRIGGER book AFTER INSERT ON booking BEGIN
            UPDATE account SET balance = balance + NEW.amount WHERE id = NEW.account; END;
    """
    lan = shop.network.lan()
    a, b = (shop.pc(name, lan, tables=False) for name in ("A", "B"))
    for pc in (a, b):
        with database(pc.db) as connection:
            connection.execute("PRAGMA journal_mode = wal")
            connection.executescript(own)
        pc.init()
        pc.cli("track", "--all")
        pc.start()
    shop.enrol(b, a)
    a.sql("INSERT INTO account VALUES (1, 0)")
    for amount in (5, 7):
        a.sql("INSERT INTO booking(account, amount) VALUES (1, ?)", amount)
    wait_for(lambda: b.value("SELECT count(*) FROM booking") == 2, "the bookings on B")
    shop.wait_equal(a, b)
    assert b.value("SELECT balance FROM account") == 12
    with database(b.db) as connection:
        connection.execute("DELETE FROM account")
    wait_for(lambda: a.value("SELECT count(*) FROM account") == 0, "the account is gone on A")
    shop.wait_equal(a, b)
    assert a.value("SELECT count(*) FROM booking") == 0


def test_an_application_that_holds_its_file_makes_nothing_fail_and_nothing_late(shop):
    _, a, b = shop.pair()
    holder = sqlite3.connect(str(b.db), timeout=5, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    holder.execute("UPDATE shop_article SET stock = 1 WHERE reference = 'CAFE'")
    sell(a, "A-1", [("RIZ25", 1)])
    wait_for(lambda: b.status()["pending"]["incoming"] > 0, "the sale waits at B")
    assert b.cli("status", ok=None, timeout=5).returncode in (0, 1)
    holder.execute("COMMIT")
    holder.close()
    wait_for(lambda: b.value("SELECT count(*) FROM shop_invoice") == 1, "the sale at B")
    shop.wait_equal(a, b)
