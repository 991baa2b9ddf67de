"""Who comes in, and what a stranger gets: nothing."""

import os
import random
import sqlite3
import subprocess
import sys

import network as networks
from pc import database, wait_for
from till import Till, check_books


def alone(shop, name, lan):
    """A PC with its agent running, in no fleet but its own."""
    pc = shop.pc(name, lan)
    pc.init()
    pc.cli("track", "--all")
    pc.start()
    return pc


def refused(pc, token, *words):
    """`join TOKEN` fails, and says something about `words`; the PC goes on as it was."""
    done = pc.cli("join", token, ok=None)
    assert done.returncode != 0, "the token was accepted: %s" % done.stdout
    text = done.stderr.lower()
    assert any(word in text for word in words), "%r says nothing of %s" % (done.stderr, "/".join(words))
    assert "Sanitizer" not in done.stderr
    assert pc.status()["name"] == pc.name


def slip(token):
    """The token with one character typed wrong."""
    place = token.index("-") + 1
    return token[:place] + ("Z" if token[place] != "Z" else "Y") + token[place + 1:]


def test_a_mistyped_token_is_refused_as_such(shop):
    lan = shop.network.lan()
    a, b = shop.founder("A", lan), alone(shop, "B", lan)
    token = a.invite()
    refused(b, slip(token), "typ", "mistake", "slip", "check")
    refused(b, "nonsense", "token")
    b.cli("join", token.lower().replace("-", " "))  # case and dashes do not matter
    shop.wait_equal(a, b)


def test_a_token_works_once(shop):
    lan = shop.network.lan()
    a, b, c = shop.founder("A", lan), alone(shop, "B", lan), alone(shop, "C", lan)
    token = a.invite()
    b.cli("join", token)
    shop.wait_equal(a, b)
    refused(c, token, "used", "expired", "invitation", "no answer", "nobody")
    assert c.value("SELECT count(*) FROM shop_article") == 0


def test_a_token_outlives_a_restart_of_its_maker(shop):
    lan = shop.network.lan()
    a, b, c = shop.founder("A", lan), alone(shop, "B", lan), alone(shop, "C", lan)
    token = a.invite()
    a.kill()
    a.start()
    b.cli("join", token)
    shop.wait_equal(a, b)
    a.restart()
    refused(c, token, "used")


def test_a_token_of_a_fleet_that_was_left_opens_nothing(shop):
    lan = shop.network.lan()
    a, b, c = shop.founder("A", lan), alone(shop, "B", lan), alone(shop, "C", lan)
    token = b.invite()
    b.cli("join", a.invite())
    refused(c, token, "no answer")
    assert [p["name"] for p in a.status()["peers"]] == ["B"]


def test_an_expired_token_is_refused(shop):
    lan = shop.network.lan()
    a, b = shop.founder("A", lan), alone(shop, "B", lan)
    token = a.ask("invite", "--ttl", "1s")["token"]

    def expired():
        done = b.cli("join", token, ok=None, timeout=90)
        return done.returncode != 0
    # It may still be good at first glance of a fast machine; then B would be in, and this fails.
    subprocess.run(["sleep", "1.2"], check=True)
    assert expired()
    refused(b, token, "expired", "used", "invitation", "no answer", "nobody")
    assert b.value("SELECT count(*) FROM shop_article") == 0


def test_a_token_of_a_fleet_that_is_not_here_is_refused(shop):
    here, elsewhere = shop.network.lan(), shop.network.lan()
    a, b = shop.founder("A", elsewhere), alone(shop, "B", here)
    refused(b, a.invite(), "no answer", "nobody", "reach", "found", "invit")


def test_another_fleets_pc_on_the_same_lan_gets_nothing(shop):
    lan = shop.network.lan()
    a, x = shop.founder("A", lan), shop.founder("X", lan, goods=False)
    b = shop.member("B", a, lan)
    a.sql("UPDATE shop_article SET price = 4")
    shop.wait_equal(a, b)
    assert x.value("SELECT count(*) FROM shop_article") == 0
    assert x.status()["peers"] == []
    assert [p["name"] for p in a.status()["peers"]] == ["B"]
    assert x.status()["fleet"] != a.status()["fleet"] or x.status()["site"] != a.status()["site"]


PROBE = """
import socket, sys
host, port, send = sys.argv[1], int(sys.argv[2]), sys.stdin.buffer.read()
with socket.create_connection((host, port), timeout=5) as s:
    s.settimeout(20)
    got = b""
    try:
        s.sendall(send)
        if sys.argv[3] == "half":
            s.shutdown(socket.SHUT_WR)
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            got += piece
    except TimeoutError:
        raise
    except OSError:
        pass  # it closed on us
print(len(got))
"""


def bytes_answered(shop, pc, lan, send, half=False):
    """Connect to the agent from a stranger's PC, send, and count what comes back until the agent closes."""
    stranger = shop.stranger
    done = subprocess.run(shop.network.inside(stranger) + [
        sys.executable, "-c", PROBE, shop.network.address(pc.space, lan), "7400", "half" if half else "whole"],
        input=send, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_stranger_gets_no_byte_over_tcp(shop, seed):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b = shop.member("B", a, lan)
    shop.stranger = shop.network.host("stranger", lan)
    chance = random.Random(seed)
    assert bytes_answered(shop, a, lan, b"") == 0
    assert bytes_answered(shop, a, lan, b"", half=True) == 0
    assert bytes_answered(shop, a, lan, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") == 0
    for size in (1, 2, 32, 48, 50, 96, 98, 1000, 70000):
        assert bytes_answered(shop, a, lan, chance.randbytes(size), half=chance.random() < 0.5) == 0
    # The first bytes of a real handshake have the length in front: one of every plausible kind.
    for head in (b"\x00\x20", b"\x00\x30", b"\x00\x40", b"\x00\x60", b"\xff\xff", b"\x00\x00"):
        assert bytes_answered(shop, a, lan, head + chance.randbytes(int.from_bytes(head, "big"))) == 0
    a.sql("UPDATE shop_article SET price = 5")
    shop.wait_equal(a, b)


def test_silent_connections_do_not_keep_members_out(shop):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b = shop.member("B", a, lan)
    b.stop()
    stranger = shop.network.host("stranger", lan)
    hold = subprocess.Popen(shop.network.inside(stranger) + [sys.executable, "-c", """
import socket, sys
held = []
for _ in range(200):
    s = socket.create_connection((sys.argv[1], 7400), timeout=5)
    held.append(s)
print("held", flush=True)
sys.stdin.read()
""", shop.network.address(a.space, lan)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert hold.stdout.readline() == "held\n"
        b.start()
        a.sql("UPDATE shop_article SET price = 6")
        shop.wait_equal(a, b)
    finally:
        hold.stdin.close()
        hold.wait(10)


FLOOD = """
import random, socket, sys
chance = random.Random(sys.argv[3])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.bind(("", 7401))
s.setblocking(False)
for size in [0, 1, 63, 64, 65, 1400, 9000, 65000] * 50:
    for target in sys.argv[1:3]:
        try:
            s.sendto(chance.randbytes(size), (target, 7401))
        except OSError:
            pass
s.setblocking(True)
s.settimeout(2)
answers = 0
try:
    while True:
        data, sender = s.recvfrom(65536)
        # Our own broadcasts come back, beacons go to everybody anyway; an answer would be something else.
        if sender[0] != sys.argv[4] and len(data) != 64:
            answers += 1
except TimeoutError:
    pass
print(answers)
"""


def test_malformed_and_oversized_datagrams_change_nothing(shop, seed):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b = shop.member("B", a, lan)
    stranger = shop.network.host("stranger", lan)
    done = subprocess.run(shop.network.inside(stranger) + [
        sys.executable, "-c", FLOOD, shop.network.address(a.space, lan), lan.prefix + ".255", str(seed),
        shop.network.address(stranger, lan)],
        capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
    a.sql("UPDATE shop_article SET price = 7")
    shop.wait_equal(a, b)


def test_init_with_a_token_joins_as_soon_as_the_agent_runs(shop):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b = shop.pc("B", lan)
    b.init("--join", a.invite())
    b.cli("track", "--all")
    b.start()
    shop.wait_equal(a, b)
    assert b.status()["fleet"] == a.status()["fleet"]


def copy_database(source, target):
    with sqlite3.connect("file:%s?mode=ro" % source.db, uri=True) as old, sqlite3.connect(str(target.db)) as new:
        old.backup(new)
    old.close()
    new.close()


def changes_meet(shop, a, b):
    """No row was doubled by joining, and what is changed at either end reaches the other."""
    assert a.value("SELECT count(*) FROM shop_article") == 6
    b.sql("UPDATE shop_article SET price = 8 WHERE reference = 'CAFE'")
    a.sql("UPDATE shop_article SET price = 9 WHERE reference = 'RIZ25'")
    wait_for(lambda: a.value("SELECT price FROM shop_article WHERE reference = 'CAFE'") == 8, "the price on A")
    shop.wait_equal(a, b)
    assert b.value("SELECT count(*) FROM shop_article") == 6


def test_a_joiner_with_a_copy_of_the_database_doubles_nothing(shop):
    lan = shop.network.lan()
    a, b = shop.pc("A", lan, goods=True), shop.pc("B", lan, tables=False)
    copy_database(a, b)
    for pc in (a, b):
        pc.init()
        pc.cli("track", "--all")
        pc.start()
    shop.enrol(b, a)
    changes_meet(shop, a, b)


def test_a_copy_that_was_made_while_it_was_tracked_joins_as_a_copy_and_not_otherwise(shop):
    lan = shop.network.lan()
    a, b = shop.founder("A", lan), shop.pc("B", lan, tables=False)
    copy_database(a, b)
    refused = b.init(ok=None)
    assert refused.returncode == 2 and "--copy" in refused.stderr
    b.init("--copy", "--join", a.invite())
    b.start()
    wait_for(lambda: b.status()["database"]["state"] == "ready", "B is matched")
    shop.wait_equal(a, b)
    changes_meet(shop, a, b)


def test_a_joiner_with_rows_of_its_own_keeps_them_all(shop):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b = shop.pc("B", lan)
    b.sql("INSERT INTO shop_article(reference, name, price, stock) VALUES ('OWN1', 'Own', 1, 1), ('OWN2', 'Own', 2, 2)")
    b.sql("INSERT INTO shop_client(name) VALUES ('Only at B')")
    b.init()
    b.cli("track", "--all")
    b.start()
    shop.enrol(b, a)
    for pc in (a, b):
        assert pc.value("SELECT count(*) FROM shop_article") == 8
        assert pc.value("SELECT count(*) FROM shop_client") == 4
        assert pc.value("SELECT count(*) FROM shop_article WHERE reference LIKE 'OWN%'") == 2
    # The rows that B's application knew keep their numbers there.
    assert b.sql("SELECT id FROM shop_article WHERE reference LIKE 'OWN%' ORDER BY id") == [(1,), (2,)]


def test_an_address_that_swallows_everything_does_not_hold_a_joiner_up(shop):
    elsewhere, lan = shop.network.lan(), shop.network.lan()
    a, b = shop.founder("A", elsewhere, lan), alone(shop, "B", lan)
    nobody = lan.prefix + ".77"
    networks.run("ip", "-n", b.space, "neigh", "add", nobody, "lladdr", "02:00:00:00:00:77", "dev", "eth0")
    networks.run("ip", "-n", b.space, "route", "add", elsewhere.prefix + ".0/24", "via", nobody)
    b.cli("join", a.invite(), timeout=8)
    shop.wait_equal(a, b)


def test_a_token_holds_when_the_address_of_its_maker_has_changed(shop):
    lan = shop.network.lan()
    a, b = shop.founder("A", lan), alone(shop, "B", lan)
    token = a.invite()
    networks.run("ip", "-n", a.space, "addr", "flush", "dev", "eth0")
    networks.run("ip", "-n", a.space, "addr", "add", lan.prefix + ".50/24", "brd", "+", "dev", "eth0")
    b.cli("join", token)
    shop.wait_equal(a, b)


def test_two_newcomers_that_meet_first_do_not_wait_for_each_other(shop):
    lan = shop.network.lan()
    a, b, c = shop.founder("A", lan), shop.pc("B", lan), shop.pc("C", lan)
    for pc in (b, c):
        pc.init()
        pc.start()
        pc.cli("join", a.invite())
    for pc in (b, c):
        shop.wait_peer(pc, a)
    a.stop()
    for pc in (b, c):
        pc.cli("track", "--all")
    shop.wait_peer(b, c)
    a.start()
    for pc in (b, c):
        wait_for(lambda: pc.status()["database"]["state"] == "ready", "%s is matched" % pc.name, seconds=6)
    shop.wait_equal(a, b, c)


def copies_that_lose_their_only_member(shop):
    """A with rows, B and C with copies of its file, not compared with A before A went away."""
    lan = shop.network.lan()
    a, b, c = shop.pc("A", lan, goods=True), shop.pc("B", lan, tables=False), shop.pc("C", lan, tables=False)
    for pc in (b, c):
        copy_database(a, pc)
    for pc in (a, b, c):
        pc.init()
        pc.start()
    a.cli("track", "--all")
    for pc in (b, c):
        pc.cli("join", a.invite())
        shop.wait_peer(pc, a)
    a.stop()
    for pc in (b, c):
        pc.cli("track", "--all")
    shop.wait_peer(b, c)
    return a, b, c


def awaited(pc):
    return [w["text"] for w in pc.status()["warnings"] if w["code"] == "matching-waits"]


def test_copies_whose_only_member_is_away_wait_for_it_and_double_nothing(shop):
    a, b, c = copies_that_lose_their_only_member(shop)
    for pc in (b, c):
        wait_for(lambda: awaited(pc), "%s says for whom it waits" % pc.name)
        assert "waits for A" in awaited(pc)[0]
        assert pc.status()["database"]["state"] == "matching"
    b.sql("INSERT INTO shop_client(name) VALUES ('Only at B')")  # the till goes on meanwhile
    a.start()
    shop.wait_equal(a, b, c)
    assert c.value("SELECT count(*) FROM shop_client WHERE name = 'Only at B'") == 1
    changes_meet(shop, a, b)
    assert not awaited(b) and not awaited(c)


def test_newcomers_whose_only_member_is_gone_for_good_go_on_when_told(shop):
    _, b, c = copies_that_lose_their_only_member(shop)
    wait_for(lambda: awaited(b), "B says for whom it waits")
    b.cli("sync", "--without-absent")
    wait_for(lambda: b.status()["database"]["state"] == "ready", "B is matched")
    wait_for(lambda: c.status()["database"]["state"] == "ready", "C is matched with B")
    assert c.value("SELECT count(*) FROM shop_article") == 6
    b.sql("UPDATE shop_article SET price = 8 WHERE reference = 'CAFE'")
    shop.wait_equal(b, c)
    assert c.value("SELECT count(*) FROM shop_article") == 6


def test_secrets_in_the_home_are_closed_to_others(shop):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    for name in ("identity", "fleet_key", "fleet.key"):
        path = a.home / name
        if path.exists():
            assert os.stat(path).st_mode & 0o077 == 0, "%s is open to others" % path
    assert os.stat(a.home).st_mode & 0o077 == 0
    assert os.stat(a.home / "identity").st_mode & 0o077 == 0
    control = a.home / "agent.sock"
    if control.exists():
        assert os.stat(control).st_mode & 0o077 == 0


def test_a_pc_joins_while_the_others_sell(shop, seed):
    lan = shop.network.lan()
    a, b = shop.founder("A", lan), alone(shop, "B", lan)
    till = Till(a, seed, pause=0.05)
    till.start()
    b.cli("join", a.invite())
    wait_for(lambda: b.status()["database"]["state"] == "ready", "B is matched")
    till.finish()
    shop.wait_equal(a, b)
    for pc in (a, b):
        check_books(pc, till.sold)


def backups(pc):
    return sorted(path for path in (pc.home / "backup").iterdir() if "under-way" not in path.name)


def test_the_database_is_copied_before_the_first_change_of_another_pc_comes_in(shop):
    """The copy is what the shop can go back to: whole, closed to others, made once, and of the time before."""
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b = alone(shop, "B", lan)
    with database(b.db) as connection:
        connection.execute("INSERT INTO shop_client(name) VALUES ('only here')")
    assert backups(a) == backups(b) == []
    b.cli("join", a.invite())
    shop.wait_equal(a, b)
    kept, = backups(b)
    assert kept.stat().st_mode & 0o777 == 0o600
    with database(kept) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert copy.execute("SELECT count(*) FROM shop_client WHERE name = 'only here'").fetchone()[0] == 1
        assert copy.execute("SELECT count(*) FROM shop_article").fetchone()[0] == 0
    assert b.value("SELECT count(*) FROM shop_article") > 0
    b.restart()
    with database(a.db) as connection:
        connection.execute("INSERT INTO shop_client(name) VALUES ('late')")
    shop.wait_equal(a, b)
    assert backups(b) == [kept]
