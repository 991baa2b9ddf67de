"""How a PC is shut out of the fleet, and what it can do then: real agents, and a thief who knows the protocol."""

import datetime
import os
import shutil
import signal
import time

import pytest

import peer as peers
import wire
from hostile import sanitized
from pc import database, wait_for
from test_interop import Guest, inside
from test_roster import connected, has_sale, members, roster, trio, wait_key, wait_members, wait_warning, warnings
from test_shop import sell, wait_sale


def thief_of(shop):
    """The founder, and a member of its that somebody took."""
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    guest = Guest(shop, lan, a)
    thief = guest.connect()
    assert thief.run(lambda: thief.chains)
    return a, guest, thief


def link_down_at(pc, other):
    """When `pc` last said that its link to `other` went down (the log's wall clock), or None."""
    lines = [line for line in pc.log.read_text(errors="replace").splitlines()
             if "link down" in line and "peer=%s " % other.name in line]
    return lines[-1] if lines else None


def test_a_revoked_pc_is_cut_off_within_a_second_and_goes_on_alone(shop):
    lan, a, b, c = trio(shop)
    sell(c, "C-1", [("LAIT", 1)])
    wait_sale(a, "C-1", [("LAIT", 1)])
    wait_sale(b, "C-1", [("LAIT", 1)])
    done = a.cli("revoke", "C", ok=(2,))
    assert "--yes" in done.stderr and "nothing was changed" in done.stderr
    assert members(a) == ["A", "B", "C"]
    a.cli("revoke", "C", "--yes")
    begin = time.monotonic()
    while "C" in connected(a) | connected(b) or connected(c):
        assert time.monotonic() < begin + 1, "a link to C lives on"
    wait_members(b, "A", "B")
    gone, = roster(b)["gone"]
    assert (gone["name"], gone["why"], gone["by"]) == ("C", "revoked", "A")
    assert [p["name"] for p in b.status()["peers"]] == ["A"]
    wait_key(a, b)

    # C hears of it, says so, and captures on.
    text = wait_warning(c, "shut-out")
    assert "A shut this PC out of the fleet Market" in text and c.status()["state"] == "failing"
    sell(c, "C-2", [("LAIT", 2)])
    wait_for(lambda: c.status()["pending"]["marks"] == 0, "C captures")
    sell(a, "A-1", [("RIZ25", 1)])
    wait_sale(b, "A-1", [("RIZ25", 1)])
    assert has_sale(b, "C-1") and not has_sale(a, "C-2") and not has_sale(c, "A-1")
    # Nor after a restart of everybody.
    for pc in (a, b, c):
        pc.restart()
    shop.wait_peer(a, b)
    assert "shut-out" in warnings(c)
    sell(c, "C-3", [("LAIT", 1)])
    shop.wait_equal(a, b)
    assert not connected(c) and not has_sale(a, "C-3")
    assert "cannot revoke itself" in a.cli("revoke", "A", "--yes", ok=(2,)).stderr


def clients(pc):
    return pc.value("SELECT count(*) FROM shop_client WHERE name LIKE 'many %'")


def seconds_of(line):
    """The wall clock of a line of the log."""
    return datetime.datetime.fromisoformat(line.split()[0].replace("Z", "+00:00")).timestamp()


@pytest.mark.alone
def test_a_revoked_pc_is_cut_off_within_a_second_while_much_of_it_is_taken_in(shop):
    """The clock starts before the command. What one change-set needs is not interrupted, and need not be; with sanitizers
    in the programs everything takes five times as long."""
    rows = 2000 if sanitized(shop.programs) else 10000
    lan, a, b, c = trio(shop)
    shop.network.pull(c.space, lan)
    c.sql("INSERT INTO shop_client(name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
          " SELECT 'many ' || i FROM n" % rows)
    wait_for(lambda: c.status()["pending"]["marks"] == 0, "it is captured", 60)
    wait_for(lambda: not connected(c) and "C" not in connected(a) | connected(b), "C is away", 60)
    down = [link_down_at(pc, c) for pc in (a, b)]
    ledger = a.home / "ledger.db-wal"
    before, size = clients(a), ledger.stat().st_size
    shop.network.plug(c.space, lan)
    wait_for(lambda: ledger.stat().st_size > size + (1 << 16), "what C brings is being kept", 60, every=0.002)
    begin = time.time()
    shown = clients(a)
    a.cli("revoke", "C", "--yes")
    wait_members(b, "A", "B")
    wait_for(lambda: "C" not in connected(a) | connected(b), "both cut it off")
    ends = [link_down_at(pc, c) for pc in (a, b)]
    assert ends != down, "one of them had met it again, at least"
    for pc, last, at in zip((a, b), down, ends):
        assert at == last or seconds_of(at) < begin + 1, "%s: %s" % (pc.name, at)
    shop.wait_equal(a, b, seconds=120)
    assert before == shown < clients(a), "it was taken in meanwhile"


def lines_of(pc, *words):
    """(number of the line, line) of each line of the log that has all the words."""
    lines = pc.log.read_text(errors="replace").splitlines()
    return [(i, line) for i, line in enumerate(lines) if all(word in line for word in words)]


def taken_in_until_cut_off(shop, a, b, c, rows, size):
    """Three change-sets of C's have come to B, whose till had its file; then it lets go, and A shuts out C. How long B's link
    to C lived on, and the longest turn of B's loop."""
    with database(b.db) as till:
        till.execute("BEGIN IMMEDIATE")
        for name in ("one", "two", "three"):
            c.sql("INSERT INTO shop_client(name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
                  " SELECT 'many %s %s ' || hex(randomblob(%d)) FROM n" % (rows, c.name, name, size // 2 // rows))
            wait_for(lambda: c.status()["pending"]["marks"] == 0, "it is captured")
        shop.wait_equal(a, c, seconds=120)
        wait_for(lambda: b.status()["pending"]["incoming"] == 3, lambda: "B has all: %r" % b.status()["pending"], 120)
        till.execute("COMMIT")
    begin = time.time()
    a.cli("revoke", c.name, "--yes")
    wait_for(lambda: c.name not in connected(b), "B cuts it off")
    cut, line = lines_of(b, "link down", "peer=%s " % c.name)[-1]
    turn = b.status()["work"]["turn_us_max"] / 1e6
    shop.wait_equal(a, b, seconds=120)
    batches = [i for i, line in lines_of(b, "applied changesets=1 ", "rows=%d " % rows)]
    assert len(batches) % 3 == 0, "each was a batch"
    assert cut < batches[-1], "B took in all that was there before it heard"
    return seconds_of(line) - begin, turn


@pytest.mark.alone
@pytest.mark.parametrize("rows", [300, 30000])
def test_a_revoked_pc_is_cut_off_within_a_second_while_140_megabytes_are_taken_in(shop, rows, record_property):
    """Three change-sets, nearly the largest there may be. Of three tries one must do: all agents share one disk here, and one
    machine. With sanitizers in the programs they are a fifth of that."""
    size = 9000000 if sanitized(shop.programs) else 45000000
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b = shop.member("B", a, lan)
    b.stop()
    settings = b.home / "agent.conf"
    settings.write_text(settings.read_text() + "\nlog_level = debug\n")
    b.start()
    took = []
    while len(took) < 3 and not any(t < 1 for t, _ in took):
        c = shop.member("C%d" % len(took), a, lan)
        for pc in (a, b):
            shop.wait_peer(pc, c)
        took.append(taken_in_until_cut_off(shop, a, b, c, rows, size))
    record_property("seconds", took)
    print("cut off after so many seconds, the longest turn of the loop:", took)
    assert min(took)[0] < 1


def seconds_to_cut_off(a, b, c, rows, size):
    """B's till writes so many bytes in one transaction, and A shuts out C, which is there and silent."""
    down = [link_down_at(pc, c) for pc in (a, b)]
    b.sql("INSERT INTO shop_client(name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
          " SELECT 'many ' || i || hex(randomblob(%d)) FROM n" % (rows, size // 2 // rows))
    os.kill(c.agent.pid, signal.SIGSTOP)
    begin = time.time()
    try:
        a.cli("revoke", c.name, "--yes")
        wait_for(lambda: c.name not in connected(a) | connected(b), "both cut it off", 30)
    finally:
        os.kill(c.agent.pid, signal.SIGCONT)
    ends = [link_down_at(pc, c) for pc in (a, b)]
    assert all(at != last for at, last in zip(ends, down)), "both were connected"
    return max(seconds_of(at) - begin for at in ends)


@pytest.mark.alone
@pytest.mark.parametrize("rows", [300, 90000])
def test_a_revoked_pc_is_cut_off_within_a_second_while_140_megabytes_are_written(shop, rows, record_property):
    """Of three tries one must do: all agents share one disk here, and one machine. With sanitizers in the programs it is a
    tenth of that."""
    size = 14000000 if sanitized(shop.programs) else 140000000
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b = shop.member("B", a, lan)
    took = []
    while len(took) < 3 and not any(t < 1 for t in took):
        c = shop.member("C%d" % len(took), a, lan)
        for pc in (a, b):
            shop.wait_peer(pc, c)
        took.append(seconds_to_cut_off(a, b, c, rows, size))
        shop.wait_equal(a, b, seconds=180)
    record_property("seconds", took)
    print("cut off after", took)
    assert min(took) < 1


def test_who_was_away_comes_back_and_learns(shop):
    lan, a, b, c = trio(shop)
    b.stop()
    a.cli("revoke", "C", "--yes")
    a.cli("rotate")
    key = roster(a)["key"]
    sell(a, "A-1", [("LAIT", 1)])
    b.start()
    wait_members(b, "A", "B")
    wait_for(lambda: roster(b)["key"] == key, "B has the key of now")
    wait_sale(b, "A-1", [("LAIT", 1)])
    assert connected(b) == {"A"}
    # With the new key also those come in who look for the fleet only now.
    a.restart()
    shop.wait_peer(b, a)
    d = shop.member("D", b, lan)
    shop.wait_peer(a, d)
    wait_key(a, b, d)


def test_changes_after_the_end_are_refused_by_relay_and_by_file(shop):
    lan, a, b, c = trio(shop)
    shop.network.pull(b.space, lan)
    shop.network.pull(c.space, lan)
    wait_for(lambda: not connected(a), "A is alone")
    a.cli("revoke", "C", "--yes")
    sell(c, "C-9", [("LAIT", 1)])
    path = c.ask("drop", "export", "--to", shop.directory)["path"]
    done = a.cli("drop", "import", path, ok=(2,))
    assert "C, which was shut out" in done.stderr
    assert "C was shut out" in wait_warning(a, "refused-changes")
    assert not has_sale(a, "C-9")

    b.cli("drop", "import", path)
    wait_for(lambda: has_sale(b, "C-9"), "B takes it, unknowing")
    sell(b, "B-9", [("RIZ25", 2)])
    stick = b.ask("drop", "export", "--to", shop.directory)["path"]
    done = a.cli("drop", "import", stick, ok=(1,))
    assert "of C" in done.stdout and "not taken" in done.stdout
    wait_sale(a, "B-9", [("RIZ25", 2)])
    assert not has_sale(a, "C-9")

    shop.network.plug(b.space, lan)
    wait_members(b, "A", "B")
    text = wait_warning(b, "distrusted-changes")
    assert "C" in text
    sell(b, "B-10", [("RIZ25", 1)])
    wait_sale(a, "B-10", [("RIZ25", 1)])
    assert has_sale(b, "C-9") and not has_sale(a, "C-9")
    # Whoever knows that it is right says so.
    b.cli("revoke", "C", "--yes")
    wait_sale(a, "C-9", [("LAIT", 1)])
    shop.wait_equal(a, b)
    wait_for(lambda: "distrusted-changes" not in warnings(b), "B is content")


def comes_again(guest, peer):
    """A second connection of its, that has greeted; the PC waits whether the first one has fallen silent."""
    with inside(guest.space):
        channel = wire.Channel(guest.address, peer.site, wire.FLEET, peer.fleet_key, peer.roster.fleet)
    channel.send(wire.pack([peers.HELLO, 1, peer._now(), peer.actor, peer.roster.digest(), peer._vector(), peer._vector()]))
    while True:
        kind, *fields = wire.unpack(peer.channel.receive(3))
        if kind == peers.PING and fields[0] >> 62:  # is the first one still there?
            return channel


def test_a_revoked_pc_is_cut_off_within_a_second_where_its_second_connection_waits_too(shop):
    a, guest, thief = thief_of(shop)
    second = comes_again(guest, thief)
    a.cli("revoke", "PYTHON", "--yes")
    begin = time.monotonic()
    kind, *fields = wire.unpack(second.receive(1))
    assert (kind, fields[0]) == (peers.BYE, "revoked")
    with pytest.raises((wire.Refused, ConnectionError)):
        while second.receive(1) is None:
            assert time.monotonic() < begin + 1, "its second connection lives on"
    assert not thief.run(lambda: False, seconds=1)
    assert thief.bye and thief.bye[0] == "revoked"
    assert members(a) == ["A"]


def test_a_thief_with_the_old_key_and_a_backdated_roster_gets_nothing(shop):
    a, guest, thief = thief_of(shop)
    old_key, old_roster = thief.fleet_key, thief.roster.log()
    a.cli("revoke", "PYTHON", "--yes")
    assert not thief.run(lambda: False, seconds=1)
    assert thief.bye and thief.bye[0] == "revoked"
    assert thief.roster.members.keys() == {m for m in thief.roster.members if m != thief.site.id}

    # As if it had not heard of it: its word does not count, and it hears nothing but that.
    def again(site, log):
        with inside(guest.space):
            once = peers.Peer(site, old_key, peers.Roster(log))
            try:
                once.connect(guest.address)
            except wire.Refused as refused:
                return str(refused)
        return "let in"
    assert "not a HELLO: [8, 'revoked'" in again(thief.site, old_roster)
    accomplice, forged = wire.Site(), peers.Roster(old_roster)
    forged.say(thief.site, peers.ENROL, accomplice.signing, accomplice.exchange, "ACCOMPLICE", bytes(8))
    forged.say(accomplice, peers.REVOKE, next(s.id for s in forged.sites if s.name == "A"), [])
    assert "closed the connection" in again(accomplice, forged.log())
    assert members(a) == ["A"]


def test_sales_that_a_revoked_pc_had_not_sent_are_adopted_once(shop):
    lan, a, b, c = trio(shop)
    a.cli("rules", "set", "shop_article.stock", "counter")
    wait_for(lambda: c.ask("rules")["rules"], "C knows the rule")
    shop.network.pull(c.space, lan)
    wait_for(lambda: "C" not in connected(a) | connected(b), "C is away")
    before = a.value("SELECT stock FROM shop_article WHERE reference = 'RIZ25'")
    sell(c, "C-1", [("LAIT", 1)])
    c.sql("UPDATE shop_article SET stock = stock - 3 WHERE reference = 'RIZ25'")
    a.cli("revoke", "C", "--yes")
    a.sql("UPDATE shop_article SET stock = stock - 2 WHERE reference = 'RIZ25'")
    wait_members(b, "A", "B")
    wait_for(lambda: c.status()["pending"]["marks"] == 0, "C captures")
    path = c.ask("drop", "export", "--to", shop.directory)["path"]
    sell(c, "C-2", [("LAIT", 1)])
    wait_for(lambda: c.status()["pending"]["marks"] == 0, "C captures")
    later = c.ask("drop", "export", "--to", shop.directory)["path"]

    b.cli("admin", "remove", "B")
    wait_for(lambda: not roster(b)["admin"], "B is no admin")
    assert "no admin" in b.cli("drop", "import", "--adopt", "--yes", path, ok=(2,)).stderr
    assert "--yes" in a.cli("drop", "import", "--adopt", path, ok=(2,)).stderr
    a.cli("drop", "import", "--adopt", "--yes", path)
    a.cli("drop", "import", "--adopt", "--yes", path)
    for pc in (a, b):
        wait_sale(pc, "C-1", [("LAIT", 1)])
    shop.wait_equal(a, b)
    assert a.value("SELECT stock FROM shop_article WHERE reference = 'RIZ25'") == before - 5
    assert "C, which was shut out" in a.cli("drop", "import", later, ok=(2,)).stderr
    assert not has_sale(a, "C-2")


def revoked_with_a_sale_unsent(shop, lan, a, c):
    """C is out, and has a sale that it made afterwards."""
    shop.network.pull(c.space, lan)
    wait_for(lambda: "C" not in connected(a), "C is away")
    a.cli("revoke", "C", "--yes")
    sell(c, "C-9", [("LAIT", 1)])
    return c.ask("drop", "export", "--to", shop.directory)["path"]


def test_changes_after_the_end_are_refused_through_the_watched_folder(shop):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    c = shop.member("C", a, lan)
    folder = shop.directory / "exchange"
    a.stop()
    conf = a.home / "agent.conf"
    conf.write_text(conf.read_text() + "\ndrop_folder = %s\n" % folder)
    a.start()
    shop.wait_peer(a, c)
    path = revoked_with_a_sale_unsent(shop, lan, a, c)
    shutil.copy(path, folder / "entrant" / "export_C_20261121_120000.json")
    rejected = folder / "archive" / "rejected"
    wait_for(lambda: list(rejected.glob("*.json")) and list(rejected.glob("*.reason.txt")), "the file and the reason beside it")
    assert "C, which was shut out" in next(rejected.glob("*.reason.txt")).read_text()
    assert "C was shut out" in wait_warning(a, "refused-changes")
    assert not has_sale(a, "C-9") and not list((folder / "entrant").iterdir())


def test_changes_after_the_end_are_refused_from_a_third_pc_that_passes_them_on(shop):
    """A member that has not heard of it, or means harm: it hands over, on its own good link, what C signed too late."""
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    c = shop.member("C", a, lan)
    guest = Guest(shop, lan, a)
    path = revoked_with_a_sale_unsent(shop, lan, a, c)
    with open(path, encoding="utf-8") as file:
        _, change_sets = peers.read_drop(file.read())
    relay = guest.connect()
    assert relay.run(lambda: relay.roster.members.keys() != relay.roster.authors.keys())
    for data in change_sets:
        if wire.unpack(wire.unpack(data)[0])[2][:16] == bytes.fromhex(c.status()["site"]):
            relay._send(peers.CHANGESET, data)
    assert "came from PYTHON" in wait_warning(a, "refused-changes")
    assert "C was shut out" in warnings(a)["refused-changes"]
    sell(a, "A-1", [("LAIT", 1)])
    assert relay.run(lambda: any(row.cells.get("number") == "A-1" for row in relay.rows("shop_invoice")))
    assert not has_sale(a, "C-9")
    relay.leave()
