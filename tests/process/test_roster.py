"""Who is in the fleet and who rules it: real agents, and a thief who knows the protocol."""

import peer as peers
import wire
from pc import wait_for
from test_interop import Guest, inside
from test_shop import sell, wait_sale


def trio(shop):
    """Three PCs on one LAN, joined."""
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b, c = shop.member("B", a, lan), shop.member("C", a, lan)
    for pc, others in ((a, (b, c)), (b, (c,))):
        for other in others:
            shop.wait_peer(pc, other)
    shop.wait_equal(a, b, c)
    return lan, a, b, c


def roster(pc):
    return pc.ask("roster")


def members(pc):
    return [m["name"] for m in roster(pc)["members"]]


def wait_members(pc, *names):
    wait_for(lambda: members(pc) == list(names), lambda: "%s knows %r" % (pc.name, members(pc)))


def connected(pc):
    return {p["name"] for p in pc.status()["peers"] if p["state"] == "connected"}


def warnings(pc):
    return {w["code"]: w["text"] for w in pc.status()["warnings"]}


def wait_warning(pc, code):
    wait_for(lambda: code in warnings(pc), lambda: "%s warns %s: %r" % (pc.name, code, warnings(pc)))
    return warnings(pc)[code]


def wait_key(*pcs):
    """All have the fleet's present key."""
    wait_for(lambda: len({(r["key"], all(m["has_key"] for m in r["members"])) for r in map(roster, pcs)}) == 1 and
             roster(pcs[0])["key"], lambda: "one key: %r" % [roster(pc)["key"] for pc in pcs])


def has_sale(pc, number):
    return pc.value("SELECT count(*) FROM shop_invoice WHERE number = ?", number) == 1


def test_admins_are_made_and_unmade(shop):
    lan, a, b, c = trio(shop)
    a.cli("admin", "remove", "B")
    wait_for(lambda: not roster(b)["admin"], "B is no admin")
    for words in (["invite"], ["revoke", "C", "--yes"], ["rotate"], ["admin", "add", "B"],
                  ["rules", "set", "shop_article.stock", "counter"]):
        assert "no admin" in b.cli(*words, ok=(2,)).stderr, words
    b.cli("rename", "B", "OFFICE")
    wait_members(c, "A", "OFFICE", "C")
    c.cli("admin", "add", "office")
    wait_for(lambda: roster(b)["admin"], "B is an admin again")
    a.cli("admin", "remove", "C")
    a.cli("admin", "remove", "OFFICE")
    assert "only admin" in a.cli("admin", "remove", "A", ok=(2,)).stderr
    wait_for(lambda: [m["name"] for m in roster(c)["members"] if m["admin"]] == ["A"], "A alone rules")


def test_nobody_is_asked_about_what_cannot_be_done(shop):
    """Of a PC that is not there, that this one is, or that it may not shut out."""
    lan, a, b = shop.pair()
    said = a.cli("revoke", "NOBODY", ok=(64,)).stderr
    assert "no PC of the fleet is called NOBODY" in said and "Go on?" not in said
    asked = a.cli("revoke", "compta01", ok=(2,), stdin="no\n").stderr
    assert "This shuts COMPTA01 (%s) out" % next(m["site"][:8] for m in roster(a)["members"] if m["name"] == "COMPTA01") in " ".join(asked.split())
    said = a.cli("revoke", "CAISSE01", ok=None).stderr
    assert "Go on?" not in said
    a.cli("admin", "remove", "COMPTA01")
    wait_for(lambda: not roster(b)["admin"], "B is no admin")
    said = b.cli("revoke", "CAISSE01", ok=(2,)).stderr
    assert "no admin" in said and "Go on?" not in said
    wait_members(a, "CAISSE01", "COMPTA01")


def test_no_pc_is_called_as_another_is(shop):
    lan, a, b = shop.pair()
    assert "another PC is called CAISSE01 already" in a.cli("rename", "COMPTA01", "caisse01", ok=(64,)).stderr
    a.cli("rename", "CAISSE01", "caisse01")
    wait_members(b, "caisse01", "COMPTA01")


def test_a_token_of_one_that_is_no_admin_any_more_says_where_to_get_another(shop):
    lan, a, b = shop.pair()
    token = b.invite()
    a.cli("admin", "remove", "COMPTA01")
    wait_for(lambda: not roster(b)["admin"], "B is no admin")
    c = shop.pc("C", lan)
    c.init()
    c.start()
    said = " ".join(c.cli("join", token, ok=(2,)).stderr.split())
    assert "the PC that made the token is no admin of the fleet any more" in said, said
    a.cli("admin", "add", "COMPTA01")
    wait_for(lambda: roster(b)["admin"], "B is an admin again")
    c.cli("join", token)  # it was not used up
    wait_members(a, "CAISSE01", "COMPTA01", "C")


def test_a_pc_that_was_replaced_leaves_the_list_and_its_name(shop):
    lan, a, b, c = trio(shop)
    c.stop()
    c.home = shop.directory / "C" / "new-home"
    c.environment["NAVETTE_HOME"] = str(c.home)
    c.init("--copy", "--join", a.invite())
    c.start()
    wait_members(b, "A", "B", "C", "C-2")
    old = next(m["site"] for m in roster(a)["members"] if m["name"] == "C")
    a.cli("revoke", old[:8], "--yes")
    b.cli("rename", "C-2", "C")
    wait_members(a, "A", "B", "C")
    wait_for(lambda: connected(c) == {"A", "B"}, "the new one is in")
    sell(c, "C-1", [("LAIT", 1)])
    shop.wait_equal(a, b, c)


def test_an_invitation_is_withdrawn(shop):
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b = shop.member("B", a, lan)
    token, kept = a.invite(), b.invite()
    wait_for(lambda: len([v for v in roster(b)["invitations"] if v["state"] == "open"]) == 2, "B knows of both")
    mine, = [v["id"] for v in roster(b)["invitations"] if v["by"] == "A" and v["state"] == "open"]
    b.cli("invite", "--cancel", mine)
    wait_for(lambda: [v["state"] for v in roster(a)["invitations"] if v["id"] == mine] == ["withdrawn"], "A heard of it")
    c = shop.pc("C", lan)
    c.init()
    c.cli("track", "--all")
    c.start()
    assert "withdrawn" in c.cli("join", token, ok=(2,)).stderr
    c.cli("join", kept)
    wait_members(a, "A", "B", "C")
    a.invite()
    a.cli("invite", "--cancel")
    assert "open" not in [v["state"] for v in roster(a)["invitations"]]


def test_a_roster_file_that_went_back_alone_is_noticed_without_anybody(shop):
    """The ledger keeps the roster, too: nobody who is out is a member again because a file was put back."""
    lan, a, b, c = trio(shop)
    old = (b.home / "roster").read_bytes()
    a.cli("revoke", "C", "--yes")
    wait_members(b, "A", "B")
    entries = roster(b)["entries"]
    a.stop()
    b.stop()
    (b.home / "roster").write_bytes(old)
    b.start()
    wait_members(b, "A", "B")
    assert roster(b)["entries"] == entries and (b.home / "roster").read_bytes() != old
    assert "the roster's file went back" in b.log.read_text()
    sell(c, "C-1", [("LAIT", 1)])
    c.cli("sync", ok=None)
    sell(b, "B-1", [("LAIT", 1)])
    wait_for(lambda: b.status()["pending"]["marks"] == 0, "B captures")
    assert connected(b) == set() and not has_sale(b, "C-1")
    a.start()
    wait_sale(a, "B-1", [("LAIT", 1)])


def test_an_older_drop_file_of_a_pc_that_was_renamed_is_still_taken(shop):
    lan, a, b = shop.pair()
    shop.network.pull(b.space, lan)
    wait_for(lambda: not connected(a), "A is alone")
    sell(b, "B-1", [("LAIT", 1)])
    path = b.ask("drop", "export", "--to", shop.directory)["path"]
    a.cli("rename", b.name, "OFFICE")
    assert members(a) == [a.name, "OFFICE"]
    a.cli("drop", "import", path)
    wait_sale(a, "B-1", [("LAIT", 1)])
    assert warnings(a).keys() <= {"no-peer"}


def two_histories(shop, lan, a, b):
    """A member that tells A and B different things under one number, while they cannot hear each other."""
    guest = Guest(shop, lan, a)
    wait_for(lambda: "PYTHON" in members(b), "B knows the liar")
    shop.network.pull(b.space, lan)
    wait_for(lambda: b.name not in connected(a), "A is alone")
    one = say(guest, shop, lan, a)
    shop.network.pull(a.space, lan)
    shop.network.plug(b.space, lan)
    two = say(guest, shop, lan, b)
    shop.network.plug(a.space, lan)
    shop.wait_peer(a, b)
    return one, two


def say(guest, shop, lan, pc):
    with inside(guest.space):
        liar = peers.Peer(guest.peer.site, guest.peer.fleet_key, peers.Roster(guest.peer.roster.log()))
        liar.actor = guest.peer.actor
        liar.connect((shop.network.address(pc.space, lan), 7400))
    liar.publish("shop_client", 1, True, {"id": 1000, "name": "said to " + pc.name, "phone": "", "email": ""})
    assert liar.run(lambda: liar.peer_have.get(liar.actor) == 1)
    wait_for(lambda: pc.value("SELECT count(*) FROM shop_client WHERE name = ?", "said to " + pc.name), "its row")
    liar.leave()
    return liar


def test_who_says_two_things_under_one_number_is_found_out_and_the_rest_goes_on(shop):
    lan, a, b = shop.pair()
    one, two = two_histories(shop, lan, a, b)
    for pc in (a, b):
        assert "PYTHON" in wait_warning(pc, "forked-history")
    # Neither takes the other's, and all else goes both ways.
    sell(a, "A-1", [("LAIT", 1)])
    sell(b, "B-1", [("RIZ25", 1)])
    wait_sale(b, "A-1", [("LAIT", 1)])
    wait_sale(a, "B-1", [("RIZ25", 1)])
    for pc in (a, b):
        assert [name for name, in pc.sql("SELECT name FROM shop_client WHERE name LIKE 'said%'")] == ["said to " + pc.name]
    # The proof, for anybody who knows the roster: two change-sets, one number, one key, in the files of the two.
    proofs = set()
    for pc in (a, b):
        with open(pc.ask("drop", "export", "--to", shop.directory)["path"], encoding="utf-8") as file:
            log, change_sets = peers.read_drop(file.read())
        for change_set in (peers.ChangeSet(data, peers.Roster(log)) for data in change_sets):  # verifies the signature
            if change_set.actor == one.actor:
                proofs.add((change_set.number, change_set.hash))
    assert len(proofs) == 2 and {number for number, _ in proofs} == {1}
    # A person ends it; A and B stay friends.
    a.cli("revoke", "PYTHON", "--yes")
    wait_members(b, a.name, b.name)
    sell(b, "B-2", [("RIZ25", 1)])
    wait_sale(a, "B-2", [("RIZ25", 1)])


def endless_renames(site, roster, count):
    """Roster items that are all right, and too many."""
    parent, items = sorted(e.hash for e in roster.entries.values() if e.depth == max(
        e.depth for e in roster.entries.values())), []
    for n in range(count):
        entry = wire.pack([1, peers.RENAME, site.signing, parent, site.id, "N%d" % n])
        items.append(wire.pack([entry, site.sign("navette roster 1", entry)]))
        parent = [wire.blake(entry)]
    return b"".join(items)


def test_a_roster_that_is_too_large_is_told_and_parts_nobody_the_first_time(shop):
    lan, a, b = shop.pair()
    guest = Guest(shop, lan, a)
    liar = guest.connect()
    before = roster(a)["entries"]
    log = endless_renames(liar.site, liar.roster, 4200)
    liar._send(peers.ROSTER, wire.blake(log), log)
    assert "PYTHON" in wait_warning(a, "roster-full")
    assert "PYTHON" in connected(a) and roster(a)["entries"] == before
    liar._send(peers.ROSTER, wire.blake(log), log)
    wait_for(lambda: "PYTHON" not in connected(a), "the second time ends the link")
    wait_for(lambda: "roster-full" not in warnings(a), "the warning's end")
    sell(a, "A-1", [("LAIT", 1)])
    wait_sale(b, "A-1", [("LAIT", 1)])


def test_no_file_puts_a_pc_of_the_thiefs_in_the_place_of_who_shut_him_out(shop):
    lan, home = shop.network.lan(), shop.network.lan()
    a = shop.founder("A", lan)
    b, c = shop.member("B", a, lan, home), shop.member("C", a, lan)
    for one, other in (a, b), (a, c), (b, c):
        shop.wait_peer(one, other)
    shop.network.pull(b.space, lan)
    wait_for(lambda: "B" not in connected(a) | connected(c), "B is stolen", 30)
    shop.network.pull(a.space, lan)
    c.cli("revoke", "B", "--yes")

    # At home, with nothing but the programs as they are: a PC of his own, which is to stay when B goes.
    e = shop.pc("E", home, lan)
    shop.network.pull(e.space, lan)
    e.init()
    e.cli("track", "--all")
    e.start()
    shop.enrol(e, b)
    b.cli("revoke", "C", "--yes")
    wait_members(e, "A", "B", "E")
    e.cli("revoke", "B", "--yes")
    path = e.ask("drop", "export", "--to", shop.directory)["path"]

    done = c.cli("drop", "import", path, ok=None)
    assert done.returncode != 0
    assert members(c) == ["A", "C"]
    assert "would be out by the word of B, which was shut out" in wait_warning(c, "roster-contested")
    shop.network.plug(a.space, lan)
    wait_members(a, "A", "C")
    wait_key(a, c)
    a.cli("drop", "import", path, ok=None)
    assert members(a) == members(c) == ["A", "C"]
    sell(a, "A-1", [("LAIT", 1)])
    wait_sale(c, "A-1", [("LAIT", 1)])
    assert not has_sale(e, "A-1")


def strike_back(shop):
    """A thief whom B shut out says that he was first, to C only: C and the others have different lists. The founder is away."""
    lan, other_lan = shop.network.lan(), shop.network.lan()
    a = shop.founder("A", lan, other_lan)
    guest = Guest(shop, lan, a)
    thief = guest.connect()
    assert thief.run(lambda: thief.chains)
    b, c = shop.member("B", a, lan, other_lan), shop.member("C", a, lan)
    d = shop.member("D", a, lan)
    assert thief.run(lambda: len(thief.roster.members) == 5)
    shop.wait_peer(a, c)
    shop.wait_peer(b, c)
    shop.wait_peer(b, d)
    c.stop()
    past = thief.roster.log()
    for net in lan, other_lan:
        shop.network.pull(a.space, net)
    wait_for(lambda: "A" not in connected(b), "A is away", 30)
    b.cli("revoke", "PYTHON", "--yes")
    wait_members(d, "A", "B", "C", "D")
    wait_key(b, d)

    # He joined before B, and dates back that he shut B out. C cannot tell, and gives the fleet a new key, as A did.
    struck = peers.Roster(past)
    struck.say(thief.site, peers.REVOKE, next(s.id for s in struck.sites if s.name == "B"), [])
    for pc in b, d:
        shop.network.pull(pc.space, lan)
    c.start()
    with inside(guest.space):
        again = peers.Peer(thief.site, thief.fleet_key, peers.Roster(struck.log()))
        again.connect((shop.network.address(c.space, lan), 7400))
    again.run(lambda: members(c) == ["A", "PYTHON", "C", "D"])
    wait_members(c, "A", "PYTHON", "C", "D")
    again.channel.close()
    wait_for(lambda: roster(c)["key"], "C has given the fleet a new key")
    assert roster(c)["key"] != roster(b)["key"]
    c.stop()
    c.start()  # nothing that it dials is under way with the key from before
    for pc in b, d:
        shop.network.plug(pc.space, lan)
    wait_warning(d, "roster-contested")  # a moment later it may tell of the list that C has made of both
    wait_for(lambda: "that C has is not taken here: PYTHON, which was shut out" in d.log.read_text(), d.tail)
    assert members(b) == members(d) == ["A", "B", "C", "D"]
    wait_for(lambda: "joined before it" in warnings(c).get("roster-contested", ""), "C tells of both stories")

    return lan, other_lan, a, b, c, d


def test_who_knows_that_a_pc_is_out_is_not_talked_out_of_it_by_one_whom_its_thief_met_first(shop):
    lan, other_lan, a, b, c, d = strike_back(shop)

    # C means no harm, and what it sells arrives, by link and by file.
    sell(c, "C-1", [("LAIT", 1)])
    wait_sale(d, "C-1", [("LAIT", 1)])
    wait_sale(b, "C-1", [("LAIT", 1)])
    sell(c, "C-2", [("LAIT", 2)])
    c.cli("drop", "export", "--to", shop.directory)
    path, = shop.directory.glob("export_C_*.json")
    b.cli("drop", "import", path)
    assert has_sale(b, "C-2") and members(b) == ["A", "B", "C", "D"]
    assert "in a drop file is not taken" in wait_warning(b, "roster-contested")

    # The founder hears of it, says so, too, by itself, and that settles it everywhere: nobody was there before it.
    shop.network.plug(a.space, other_lan)
    wait_members(c, "A", "B", "C", "D")
    shop.network.plug(a.space, lan)
    wait_key(a, b, c, d)
    wait_for(lambda: connected(c) == {"A", "B", "D"}, "C and B talk")
    wait_for(lambda: "roster-contested" not in {**warnings(b), **warnings(c), **warnings(d)}, "it is settled")
    shop.wait_equal(a, b, c, d)


def test_both_sides_hear_that_their_lists_differ_until_the_deceived_one_has_begun_anew(shop):
    lan, other_lan, a, b, c, d = strike_back(shop)
    told = lambda pc: warnings(pc).get("roster-contested", "")

    # One who does not take its list says so, and it is told whatever a person there allows, and when C is off.
    c.cli("admin", "add", "PYTHON")
    wait_for(lambda: "that is here is not taken by" in told(c), lambda: "C is told by the others: " + told(c))
    wait_for(lambda: "that C has is not taken here" in told(d), "D is told")
    wait_for(lambda: "C has another list of members, by which this PC was shut out" in told(b), "B is told")
    c.stop()
    sell(c, "C-1", [("LAIT", 1)])
    wait_for(lambda: "C" not in connected(b) | connected(d), "C is off", 30)
    wait_for(lambda: "that C has is not taken here" in told(d) and "C has another list" in told(b), "both are told still")

    # The commands that are named there, in this order.
    remedy, = (w["remedy"] for w in b.status()["warnings"] if w["code"] == "roster-contested")
    said = [remedy.index(command) for command in ("`agent-cli identity reset`", "`agent-cli revoke` it", "`agent-cli join --copy`")]
    assert said == sorted(said)
    done = c.cli("identity", "reset", "--yes").stdout
    assert "agent-cli revoke C" in done
    b.cli("revoke", "C", "--yes")
    wait_members(d, "A", "B", "D")
    wait_for(lambda: not told(b) and not told(d), "nobody has another list any more")
    c.start()
    shop.enrol(c, b, "--copy")
    shop.wait_equal(b, c, d)
    assert has_sale(d, "C-1")
    assert not told(b) and not told(c) and not told(d)
