"""A change-set that builds on one which is on no disk any more: it is waited for as long as somebody may have it."""

import pytest
from test_interop import Guest, inserted
from test_shop import sell, wait_sale
from test_warnings import over, told, warning


class Story:
    """PYTHON says what it could only say with a change-set of COMPTA01's that nobody has; COMPTA01 is away."""

    def __init__(self, shop):
        lan = shop.network.lan()
        self.a = shop.founder("CAISSE01", lan)
        self.b = shop.member("COMPTA01", self.a, lan)
        guest = Guest(shop, lan, self.a)
        sell(self.b, "B-1", [("LAIT", 4)])
        wait_sale(self.a, "B-1", [("LAIT", 4)])
        self.peer = guest.connect()
        assert self.peer.run(lambda: inserted(self.peer, "shop_invoice", "number", "B-1"))
        invoice = inserted(self.peer, "shop_invoice", "number", "B-1")
        self.b.stop()
        away = invoice.gid[0]
        self.peer.publish("shop_client", 1, True, {"id": 77, "name": "who waits", "phone": None},
                          had=[(away, self.peer.peer_have[away] + 5)])
        assert self.peer.run(lambda: warning(self.a, "changes-wait"), seconds=60)
        told(self.a, "changes-wait", "PYTHON", "COMPTA01")
        assert not self.arrived()

    def arrived(self):
        return self.a.value("SELECT count(*) FROM shop_client WHERE name = 'who waits'")


@pytest.fixture
def story(shop):
    return Story(shop)


def test_it_comes_in_when_nobody_has_what_it_builds_on(shop, story):
    story.b.start()
    assert story.peer.run(story.arrived, seconds=60)
    over(story.a, "changes-wait")
    story.peer.leave()
    shop.wait_equal(story.a, story.b)


def test_a_person_may_say_that_who_is_away_is_gone(story):
    story.a.cli("sync", "--without-absent")
    assert story.peer.run(story.arrived, seconds=60)
    over(story.a, "changes-wait")
    story.peer.leave()
