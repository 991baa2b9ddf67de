"""A till whose agent lost its memory, in a shop where both tills sell: nothing is doubled."""

import shutil

import pytest
from pc import wait_for
from till import Till, check_books


def sell_apart(shop, lan, a, b, sold, seed):
    """Both sell while they cannot hear each other: the keys of the same sale differ between their files."""
    shop.network.pull(b.space, lan)
    tills = [Till(pc, seed, count=4) for pc in (a, b)]
    for till in tills:
        till.start()
    for till in tills:
        till.join(60)
        till.finish()
        for number, sale in till.sold.items():
            renamed = "%s-%s" % (number, seed)
            till.pc.sql("UPDATE shop_invoice SET number = ? WHERE number = ?", renamed, number)
            sold[renamed] = sale
    shop.network.plug(b.space, lan)
    shop.wait_equal(a, b)


def expect_books(shop, sold, *pcs):
    wait_for(lambda: all(pc.status()["database"]["state"] == "ready" for pc in pcs), "all are matched")
    shop.wait_equal(*pcs)
    for pc in pcs:
        check_books(pc, sold)
        assert pc.value("SELECT count(*) FROM shop_invoice WHERE number LIKE '#%'") == 0


def sellers(shop):
    lan, a, b = shop.pair()
    sold = {}
    sell_apart(shop, lan, a, b, sold, "before")
    return lan, a, b, sold


def test_a_home_that_went_back_doubles_no_sale(shop):
    lan, a, b, sold = sellers(shop)
    a.stop()
    shutil.copytree(a.home, a.directory / "kept")
    a.start()
    sell_apart(shop, lan, a, b, sold, "after")
    a.stop()
    shutil.rmtree(a.home)
    shutil.copytree(a.directory / "kept", a.home)
    a.start()
    expect_books(shop, sold, a, b)
    sell_apart(shop, lan, a, b, sold, "then")
    expect_books(shop, sold, a, b)


@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_a_ledger_that_is_moved_away_as_advised_doubles_no_sale(shop, how):
    lan, a, b, sold = sellers(shop)
    a.stop()
    if how == "damaged":
        (a.home / "ledger.db").write_bytes(b"x" * 8192)
        a.start(wait=False)
        wait_for(lambda: "move the file" in a.tail(), lambda: "the advice\n" + a.tail())
        a.reap() if a.agent.poll() is not None else a.stop()
    for file in a.home.glob("ledger.db*"):
        file.rename(a.directory / file.name)
    a.start()
    expect_books(shop, sold, a, b)
    sell_apart(shop, lan, a, b, sold, "then")
    expect_books(shop, sold, a, b)


def test_settings_that_were_lost_are_written_anew_as_advised_and_all_goes_on(shop):
    lan, a, b = shop.pair()
    shop.wait_peer(a, b)
    a.stop()
    (a.home / "agent.conf").unlink()
    a.start(wait=False)
    assert a.reap(10) != 0
    advice = "agent-cli --home %s init --db FILE" % a.home
    assert advice in a.tail()
    for words in (["status"], ["tables"], ["track", "--all"]):
        refused = a.cli(*words, ok=(3,))
        assert advice in " ".join(refused.stderr.split())
    refused = a.init("--copy", "--join", b.invite(), ok=(2,))
    assert "without --join" in " ".join(refused.stderr.split())
    assert not (a.home / "join-token").exists()
    a.cli("init", "--db", a.db)
    assert "name = CAISSE01" in (a.home / "agent.conf").read_text()  # as the fleet calls it
    a.start()
    a.sql("INSERT INTO shop_client(name) VALUES ('after')")
    shop.wait_equal(a, b)
    wait_for(lambda: not a.status()["warnings"], lambda: a.cli("status", ok=None).stdout)


@pytest.mark.parametrize("words", [("--copy",), ()], ids=["copy", "plain"])
def test_a_lost_home_that_joins_again_as_advised_doubles_no_sale(shop, words):
    lan, a, b, sold = sellers(shop)
    a.stop()
    shutil.rmtree(a.home)
    refused = a.init(ok=None)
    assert refused.returncode != 0 and "--copy --join TOKEN" in refused.stderr
    a.init(*words, "--join", b.invite())
    a.start()
    wait_for(lambda: [w for w in a.status()["warnings"] if "waits for" in w["text"]]
             or a.status()["database"]["state"] == "ready", "it waits for the PC that it was")
    if a.status()["database"]["state"] != "ready":
        a.cli("sync", "--without-absent")
    expect_books(shop, sold, a, b)
    sell_apart(shop, lan, a, b, sold, "then")
    expect_books(shop, sold, a, b)
