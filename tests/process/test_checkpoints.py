"""The list of members is summed up: real agents, of which some are off, shut out, put back, or lose power meanwhile."""

import shutil

from pc import wait_for
from test_roster import connected, has_sale, members, roster, trio, wait_members, wait_warning, warnings
from test_shop import sell, wait_sale


def talk(*pcs, times=6):
    """Entries that nobody needs: a PC is called something else, and as before."""
    names = [pcs[0].name, *("NAME-%d" % n for n in range(times)), pcs[0].name]
    for old, new in zip(names, names[1:]):
        pcs[0].cli("rename", old, new)
    wait_for(lambda: len({roster(pc)["entries"] for pc in pcs}) == 1, "all have all of it")
    return roster(pcs[0])["entries"]


def missing(pc):
    pending = roster(pc)["checkpoint_pending"]
    return pending and pending["missing"]


def wait_begun(entries, *pcs):
    """All lists begin with a checkpoint of so many entries, and are the same."""
    def begun():
        lists = [roster(pc) for pc in pcs]
        return all(r["checkpoint"] and r["checkpoint"]["entries"] == entries and not r["checkpoint_pending"] for r in lists) and \
            len({(r["entries"], r["bytes"]) for r in lists}) == 1
    wait_for(begun, lambda: "all begin with it: %r" % [(r["entries"], r["checkpoint"], r["checkpoint_pending"]) for r in map(roster, pcs)])


def text(done):
    return " ".join(done.stdout.split())


def test_a_checkpoint_waits_for_a_pc_that_is_off_and_a_newcomer_joins_behind_it(shop):
    lan, a, b, c = trio(shop)
    entries = talk(a, b, c, times=30)
    c.stop()
    wait_for(lambda: "C" not in connected(a) | connected(b), "C is off")
    assert "takes effect once B and C have seen it" in text(a.cli("checkpoint"))
    for pc in (a, b):
        wait_for(lambda: missing(pc) == ["C"], lambda: "%s waits for C: %r" % (pc.name, missing(pc)))
    shown = text(b.cli("roster"))
    assert "being summed up" in shown and "once C has seen it" in shown and "by A" in shown
    refused = b.cli("checkpoint", ok=(2,)).stderr
    assert "waits for C" in refused and "agent-cli revoke" in refused
    sell(a, "A-1", [("LAIT", 1)])

    c.start()
    wait_begun(entries, a, b, c)
    r = roster(c)
    assert r["entries"] < 10 and r["checkpoint"]["by"] == "A" and r["checkpoint"]["made"].endswith("Z")
    assert "%d entries, was summed up by A" % entries in text(c.cli("roster"))
    wait_sale(c, "A-1", [("LAIT", 1)])

    # All goes on as before: over restarts, with a newcomer, with what admins say.
    for pc in (a, b, c):
        pc.restart()
    d = shop.member("D", b, lan)
    wait_members(c, "A", "B", "C", "D")
    sell(d, "D-1", [("CAFE", 1)])
    for pc in (a, b, c):
        wait_sale(pc, "D-1", [("CAFE", 1)])
    d.cli("rename", "D", "CAISSE4")
    a.cli("revoke", "B", "--yes")
    for pc in (a, c, d):
        wait_members(pc, "A", "C", "CAISSE4")
    assert "shut-out" in (wait_for(lambda: warnings(b), "B is told"))
    for again in ("checkpoint", "checkpoint"):
        before = roster(a)["checkpoint"]["entries"]
        wait_for(lambda: roster(a)["checkpoint_pending"] is None and len({roster(pc)["entries"] for pc in (a, c, d)}) == 1, "rest")
        a.cli(again)
        wait_for(lambda: all(roster(pc)["checkpoint"]["entries"] > before for pc in (a, c, d)), lambda: "the next one: %r" % [(r["entries"], r["checkpoint"], r["checkpoint_pending"]) for r in map(roster, (a, c, d))])
    assert members(d) == ["A", "C", "CAISSE4"] and [g["name"] for g in roster(d)["gone"]] == ["B"]


def trio_with_a_copy_of_the_third(shop):
    lan, a, b, c = trio(shop)
    c.stop()
    shutil.copytree(c.home, shop.directory / "kept")
    c.start()
    shop.wait_peer(a, c)
    return lan, a, b, c, talk(a, b, c)


def put_home_back(shop, pc):
    pc.stop()
    shutil.rmtree(pc.home)
    shutil.copytree(shop.directory / "kept", pc.home)


def test_who_was_shut_out_stays_out_with_its_old_list_and_its_file(shop):
    """Before the checkpoint, while it was off: it knows of neither, and the list that it has goes on from before."""
    lan, a, b, c = trio(shop)
    talk(a, b, c)
    c.stop()
    wait_for(lambda: "C" not in connected(a) | connected(b), "C is off")
    a.cli("revoke", "C", "--yes")
    wait_members(b, "A", "B")
    wait_for(lambda: roster(a)["entries"] == roster(b)["entries"], "B has the key, too")
    entries = roster(a)["entries"]
    a.cli("checkpoint")
    wait_begun(entries, a, b)
    assert [g["name"] for g in roster(b)["gone"]] == ["C"]

    # It comes back, where it meets nobody, and says what it likes: that goes into its list and its file.
    shop.network.pull(c.space, lan)
    c.start()
    sell(c, "C-9", [("LAIT", 1)])
    c.cli("revoke", "A", "--yes")
    wait_for(lambda: c.status()["pending"]["marks"] == 0, "C captures")
    path = c.ask("drop", "export", "--to", shop.directory)["path"]
    assert "C, which was shut out" in a.cli("drop", "import", path, ok=(2,)).stderr
    theirs = a.ask("drop", "export", "--to", shop.directory)["path"]
    assert "probably shut out" in " ".join(c.cli("drop", "import", theirs, ok=(2,)).stderr.split())
    shop.network.plug(c.space, lan)
    assert "shut" in wait_warning(c, "shut-out")
    sell(a, "A-1", [("LAIT", 1)])
    wait_sale(b, "A-1", [("LAIT", 1)])
    assert members(a) == members(b) == ["A", "B"] and not has_sale(a, "C-9") and not has_sale(c, "A-1")
    assert not connected(c)
    # What is wanted of it all the same is adopted as before.
    a.cli("drop", "import", "--adopt", "--yes", path)
    wait_sale(b, "C-9", [("LAIT", 1)])
    assert members(b) == ["A", "B"]


def test_a_home_that_was_put_back_to_before_the_checkpoint_finds_its_way(shop):
    lan, a, b, c, entries = trio_with_a_copy_of_the_third(shop)
    sell(c, "C-1", [("LAIT", 1)])
    a.cli("checkpoint")
    wait_begun(entries, a, b, c)
    shop.wait_equal(a, b, c)
    put_home_back(shop, c)
    c.start()
    wait_begun(entries, a, b, c)
    sell(c, "C-2", [("CAFE", 1)])
    for pc in (a, b):
        wait_sale(pc, "C-2", [("CAFE", 1)])
    shop.wait_equal(a, b, c)
    assert "shut-out" not in warnings(c)
    # And the file of the roster alone.
    c.stop()
    shutil.copy(shop.directory / "kept" / "roster", c.home / "roster")
    c.start()
    wait_begun(entries, a, b, c)


def test_a_drop_file_brings_a_pc_that_was_put_back_the_list_that_the_others_began(shop):
    lan, a, b, c, entries = trio_with_a_copy_of_the_third(shop)
    a.cli("checkpoint")
    wait_begun(entries, a, b, c)
    shop.wait_equal(a, b, c)
    put_home_back(shop, c)
    shop.network.pull(c.space, lan)
    sell(a, "A-1", [("LAIT", 1)])
    path = a.ask("drop", "export", "--to", shop.directory)["path"]
    c.start()
    assert roster(c)["checkpoint"] is None
    assert "present list of members" in text(c.cli("drop", "import", path))
    assert roster(c)["checkpoint"]["entries"] == entries
    shop.network.plug(c.space, lan)
    wait_sale(c, "A-1", [("LAIT", 1)])
    shop.wait_equal(a, b, c)


def test_a_power_cut_between_acknowledging_and_beginning_costs_nothing(shop):
    lan, a, b, c = trio(shop)
    entries = talk(a, b, c)
    c.stop()
    a.cli("checkpoint")
    wait_for(lambda: missing(a) == ["C"], "B has acknowledged")
    b.kill()
    a.kill()
    c.start()
    a.start()
    wait_begun(entries, a, c)  # what B said is not lost, although it is off
    c.kill()
    a.cli("rename", "A", "CAISSE1")
    b.start()
    wait_members(b, "CAISSE1", "B", "C")
    c.start()
    wait_begun(entries, a, b, c)
    sell(b, "B-1", [("LAIT", 1)])
    wait_sale(a, "B-1", [("LAIT", 1)])
    shop.wait_equal(a, b, c)


def test_a_pc_that_is_gone_for_good_holds_up_a_checkpoint_until_it_is_shut_out(shop):
    lan, a, b, c = trio(shop)
    c.stop()
    a.cli("checkpoint")
    wait_for(lambda: missing(b) == ["C"], "B has acknowledged")
    a.cli("revoke", "C", "--yes")
    wait_for(lambda: roster(b)["checkpoint_pending"] and roster(b)["checkpoint_pending"]["hopeless"], "it never will be")
    assert "`agent-cli checkpoint`" in text(b.cli("roster"))
    wait_for(lambda: roster(a)["entries"] == roster(b)["entries"], "B has the key, too")
    entries = roster(a)["entries"] - 2  # what A and B said to the first one is not in the past of the second
    b.cli("checkpoint")
    wait_begun(entries, a, b)
    assert members(a) == ["A", "B"]


def test_a_token_that_was_withdrawn_or_used_before_the_checkpoint_lets_nobody_in(shop):
    """The list says nothing of it any more; and the PC that made it was put back to when it was open."""
    lan = shop.network.lan()
    a = shop.founder("A", lan)
    b = shop.member("B", a, lan)
    withdrawn, used, kept = a.invite(), a.invite(), a.invite()
    b_open = lambda: [v["id"] for v in roster(b)["invitations"] if v["state"] == "open" and v["by"] == "A"]
    wait_for(lambda: len(b_open()) == 3, "B knows of them")
    a.stop()
    shutil.copytree(a.home, shop.directory / "kept")
    a.start()
    shop.wait_peer(a, b)
    b.cli("invite", "--cancel", b_open()[0])
    c = shop.pc("C", lan)
    c.init()
    c.cli("track", "--all")
    c.start()
    c.cli("join", used)
    wait_for(lambda: len(b_open()) == 1, "two of them are over")
    entries = wait_for(lambda: len({roster(pc)["entries"] for pc in (a, b, c)}) == 1 and roster(a)["entries"], "one list")
    b.cli("checkpoint")
    wait_begun(entries, a, b, c)
    assert [v["state"] for v in roster(a)["invitations"]] == ["open"]
    a.stop()
    shutil.rmtree(a.home)
    shutil.copytree(shop.directory / "kept", a.home)
    a.start()
    wait_begun(entries, a, b, c)
    d = shop.pc("D", lan)
    d.init()
    d.cli("track", "--all")
    d.start()
    for token in withdrawn, used:
        assert "withdrawn, or used before" in " ".join(d.cli("join", token, ok=(2,)).stderr.split())
    d.cli("join", kept)
    wait_members(b, "A", "B", "C", "D")
