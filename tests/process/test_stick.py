"""A PC that shares no network with the fleet joins by what a stick carries, and then sells with it."""

import json
import shutil

import letters
import pytest
import wire
from pc import wait_for
from test_drop import export
from test_joining import copy_database
from test_shop import sell, wait_sale


class Story:
    """A founder with goods, a newcomer with the same tables, no cable anywhere; and a stick."""

    def __init__(self, shop, *lans):
        self.shop = shop
        self.a = shop.founder("A", *lans)
        self.stick = shop.directory / "stick"
        self.stick.mkdir()

    def newcomer(self, name="B", *lans):
        pc = self.shop.pc(name, *lans)
        pc.init()
        pc.cli("track", "--all")
        pc.start()
        return pc

    def token(self, *words):
        return self.a.ask("invite", "--stick", *words)["token"]

    def ask(self, pc, token, *words):
        return pc.ask("join", token, "--to", self.stick, *words)["path"]

    def take(self, pc, *paths, ok=(0,)):
        return pc.ask("drop", "import", *paths, ok=ok)["files"]

    def refused(self, pc, path):
        done = pc.cli("drop", "import", path, ok=None)
        assert done.returncode == 2, done
        return " ".join(done.stderr.split())

    def admit(self, path):
        return self.take(self.a, path)[0]["answer"]

    def join(self, pc, *words):
        self.take(pc, self.admit(self.ask(pc, self.token(), *words)))

    def bring(self, pc, other):
        """What `pc` has, to `other`."""
        wait_for(lambda: pc.status()["pending"]["marks"] == 0, "%s has captured all" % pc.name)
        other.cli("drop", "import", export(pc, self.stick))

    def members(self):
        return [m["name"] for m in self.a.ask("roster")["members"]]


@pytest.fixture
def story(shop):
    return Story(shop)


def test_a_pc_without_a_network_joins_by_stick_and_both_sell(shop, story):
    b, token = story.newcomer(), story.token()
    asked = story.ask(b, token)
    entry, = story.take(story.a, asked)
    assert (entry["joined"], entry["fleet"], entry["added"]) == ("B", "Market", 0)
    assert story.members() == ["A", "B"]
    assert story.take(b, entry["answer"])[0]["fleet"] == "Market"
    warning, = wait_for(lambda: [w for w in b.status()["warnings"] if w["code"] == "matching-waits"], "it says what it needs")
    assert "A has" in warning["text"] and "drop export" in warning["text"]
    sell(story.a, "A-1", [("RIZ25", 2)])
    story.bring(story.a, b)
    wait_for(lambda: b.status()["database"]["state"] == "ready", "B is matched")
    wait_sale(b, "A-1", [("RIZ25", 2)])
    sell(b, "B-1", [("CAFE", 3)])
    story.bring(b, story.a)
    wait_sale(story.a, "B-1", [("CAFE", 3)])
    shop.wait_equal(story.a, b)
    assert not list(b.home.glob("asked")) and not list(b.home.glob("welcome"))


def test_every_step_of_joining_by_stick_may_be_done_again(shop, story):
    b, token = story.newcomer(), story.token()
    first = story.ask(b, token)
    shutil.copy(first, story.stick / "kept.json")
    assert story.ask(b, token) == first
    answer = story.admit(first)
    assert story.admit(story.stick / "kept.json") == answer
    story.a.restart()
    wait_for(lambda: story.a.status()["database"]["state"] == "ready", "A has its ledger")
    assert story.admit(first) == answer
    for _ in range(2):
        story.take(b, answer)
    b.restart()
    wait_for(lambda: b.status()["database"]["state"] == "matching", "B has its ledger")
    story.take(b, answer)
    assert story.members() == ["A", "B"]
    story.bring(story.a, b)
    shop.wait_equal(story.a, b)
    story.take(b, answer)
    shop.wait_equal(story.a, b)


def test_who_finds_the_stick_reads_no_name_no_key_and_no_token(story):
    b, token = story.newcomer(), story.token()
    asked = story.ask(b, token)
    answer = story.admit(asked)
    kept = [path for path in b.home.rglob("*") if path.is_file()]
    assert token.encode() not in b"".join(path.read_bytes() for path in kept)
    for path in (asked, answer):
        with open(path, encoding="ascii") as file:
            letter = json.load(file)
        assert sorted(letter) == ["format", "invitation", "navette", "sealed"]
        assert not any(word in json.dumps(letter) for word in ("Market", token))
    # What he can do is bring it: to whom it is not meant, it is nothing.
    x = story.newcomer("X")
    assert "another PC" in story.refused(x, answer)
    assert "not made on this PC" in story.refused(x, asked)
    assert story.members() == ["A", "B"]


def test_a_letter_that_was_touched_or_cut_off_is_refused(story):
    b, token = story.newcomer(), story.token()
    asked = story.ask(b, token)

    def spoil(path, pc):
        with open(path, "rb") as file:
            whole = file.read()
        middle, bad = whole.index(b'"sealed": "') + 60, story.stick / "bad.json"
        other = b"A" if whole[middle:middle + 1] != b"A" else b"B"
        for spoiled in (whole[:middle] + other + whole[middle + 1:], whole[:-5], whole + b"{}",
                        whole.replace(b'"format": 1', b'"format": 2'), whole.replace(b'"join-', b'"join-x')):
            bad.write_bytes(spoiled)
            assert story.refused(pc, bad)
    spoil(asked, story.a)
    assert story.members() == ["A"]
    answer = story.admit(asked)
    spoil(answer, b)
    assert b.status()["fleet"] == "B"
    story.take(b, answer)


def test_a_stick_token_serves_one_pc_within_its_time(story):
    b, c, token = story.newcomer(), story.newcomer("C"), story.token()
    shutil.move(story.ask(b, token), story.stick / "b.json")
    asked = story.ask(c, token)
    story.admit(story.stick / "b.json")
    assert "used already" in story.refused(story.a, asked)
    asked = story.ask(c, story.token("--ttl", "1s"))
    wait_for(lambda: not [v for v in story.a.ask("roster")["invitations"] if v["state"] == "open"], "its time is over")
    assert "expired" in story.refused(story.a, asked)
    token = story.token()
    story.a.cli("invite", "--cancel")
    assert "withdrawn" in story.refused(story.a, story.ask(c, token))
    assert story.members() == ["A", "B"]
    for ttl, stick in (("8d", ("--stick",)), ("2d", ())):
        assert story.a.cli("invite", "--ttl", ttl, *stick, ok=None).returncode == 64


def test_a_copied_home_does_not_join_by_stick_as_well(shop, story):
    b, token = story.newcomer(), story.token()
    b.stop()
    c = shop.pc("C")
    shutil.copytree(b.home, c.home)
    conf = c.home / "agent.conf"
    conf.write_text(conf.read_text().replace(str(b.db), str(c.db)))
    c.cli("identity", "confirm-move")
    b.start()
    c.start()
    story.take(b, story.admit(story.ask(b, token)))
    assert "identity reset" in story.refused(story.a, story.ask(c, token))
    assert "identity reset" in story.refused(story.a, story.ask(c, story.token()))
    assert story.members() == ["A", "B"]


def test_a_pc_that_was_shut_out_does_not_come_back_by_stick(story):
    b = story.newcomer()
    asked = story.ask(b, story.token())
    answer = story.admit(asked)
    story.a.cli("revoke", "B", "--yes")
    assert "revoked" in story.refused(story.a, asked) or "no member" in story.refused(story.a, asked)
    assert "revoked" in story.refused(story.a, story.ask(b, story.token()))
    assert story.members() == ["A"]
    assert "another request" in story.refused(b, answer)


def test_a_copy_of_the_database_joins_by_stick_and_doubles_nothing(shop, story):
    c = shop.pc("B", tables=False)
    copy_database(story.a, c)
    c.init("--copy", "--join", story.token())
    c.start()
    answer = story.admit(c.ask("join", "--to", story.stick)["path"])
    story.take(c, answer)
    assert not (c.home / "join-token").exists()
    sell(story.a, "A-1", [("RIZ25", 2)])
    story.bring(story.a, c)
    wait_for(lambda: c.status()["database"]["state"] == "ready", "B is matched")
    sell(c, "B-1", [("CAFE", 3)])
    story.bring(c, story.a)
    shop.wait_equal(story.a, c)
    assert c.value("SELECT count(*) FROM shop_article") == story.a.value("SELECT count(*) FROM shop_article") == 6


def test_who_joined_by_stick_goes_on_over_a_network(shop):
    lan = shop.network.lan()
    story = Story(shop, lan)
    b = story.newcomer("B", lan)
    shop.network.pull(b.space, lan)
    story.join(b)
    shop.network.plug(b.space, lan)
    shop.wait_peer(b, story.a)
    wait_for(lambda: b.status()["database"]["state"] == "ready", "B is matched")
    shop.wait_equal(story.a, b)


def test_the_watched_folder_lets_nobody_in(shop, story):
    folder = shop.directory / "exchange"
    x = shop.pc("X", goods=True)
    x.init("--drop", folder)
    x.cli("track", "--all")
    x.start()
    token = x.ask("invite", "--stick")["token"]
    b = story.newcomer()
    shutil.copy(story.ask(b, token), folder / "entrant" / "join.json")
    reason = folder / "archive" / "rejected" / "join.json.reason.txt"
    wait_for(reason.exists, "it is refused", seconds=30)
    assert "drop import" in reason.read_text()
    assert len(x.ask("roster")["members"]) == 1


def test_a_second_implementation_joins_by_stick(story):
    token, site = wire.Token(story.token()), wire.Site()
    answer = story.admit(letters.ask(story.stick / "python.json", site, "PYTHON", token))
    key, roster, have, _ = letters.answer(answer, site, token)
    assert story.members() == ["A", "PYTHON"]
    assert [member.name for member in roster.sites] == ["A", "PYTHON"] and len(key) == 32
    assert have and all(number > 0 for _, number, _ in have)
    with pytest.raises(wire.Refused):
        letters.answer(answer, wire.Site(), token)


def test_five_letters_without_the_token_burn_it(story):
    """Only who has read the maker's home can write one."""
    token, thief = wire.Token(story.token()), wire.Site()
    for n in range(5):
        assert "invitation-burned" not in [w["code"] for w in story.a.status()["warnings"]]
        bad = letters.ask(story.stick / "bad.json", thief, "X", token, join=letters.without_token(thief, "X"))
        assert "has not the token" in story.refused(story.a, bad)
        if n == 2:
            story.a.restart()
            wait_for(lambda: story.a.status()["database"]["state"] == "ready", "A has its ledger")
    wait_for(lambda: "invitation-burned" in [w["code"] for w in story.a.status()["warnings"]], "the warning")
    good = letters.ask(story.stick / "good.json", wire.Site(), "B", token)
    assert "others have tried" in story.refused(story.a, good)
    assert story.members() == ["A"]


def test_who_has_not_the_secret_burns_no_token_by_stick(story):
    text = story.token()
    token, thief = wire.Token(text), wire.Site()
    token.psk = bytes(32)
    for _ in range(6):
        assert "changed it" in story.refused(story.a, letters.ask(story.stick / "bad.json", thief, "X", token))
    story.admit(letters.ask(story.stick / "good.json", thief, "X", wire.Token(text)))
    assert story.members() == ["A", "X"]


def test_an_answer_of_another_than_the_maker_of_the_token_is_refused(story):
    """Who knows what the maker keeps can read the request, and still not take the newcomer into a fleet of his."""
    b, text = story.newcomer(), story.token()
    asked = story.ask(b, text)
    name, signing, exchange = letters.asked(asked, wire.Token(text))
    assert name == "B"
    forged = letters.forge(story.stick / "forged.json", wire.Token(text), signing, exchange, wire.Site())
    assert "not from the PC that made the token" in story.refused(b, forged)
    assert b.status()["fleet"] == "B"
    story.take(b, story.admit(asked))
