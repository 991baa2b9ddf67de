"""Rules on real agents: set on one PC, in force on the others, on the real ERP's database and on the shop's."""

import pytest

from pc import wait_for
from test_erp import found_fleet

ARTICLE = "supermarket_article"


def rules(pc):
    return pc.ask("rules")["rules"]


def wait_rules(*pcs):
    for pc in pcs[1:]:
        wait_for(lambda: rules(pc) == rules(pcs[0]), lambda: "%s has the rules: %r" % (pc.name, rules(pc)))


def settle(*pcs):
    for pc in pcs:
        pc.cli("wait")


def triggers(pc, table):
    return pc.value("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?", table)


@pytest.fixture
def fleet(shop, real_data):
    return found_fleet(shop, real_data, "CAISSE01", "COMPTA01")


def add_user(pc, key, name, password):
    pc.sql("INSERT INTO auth_user(id, password, is_superuser, username, last_name, email, is_staff, is_active,"
           " date_joined, first_name) VALUES (?, ?, 0, ?, '', '', 0, 1, '2026-11-21 10:00:00', '')", key, password, name)


def test_the_django_preset_keeps_sessions_and_passwords_on_each_pc_of_the_erp(shop, fleet):
    _, a, b = fleet
    known = a.value("SELECT password FROM auth_user WHERE id = (SELECT min(id) FROM auth_user)")
    a.cli("rules", "preset", "django")
    wait_rules(a, b)
    wait_for(lambda: triggers(a, "django_session") + triggers(b, "django_session") == 0, "sessions are captured no more")
    local = {table["name"] for table in b.ask("tables")["tables"] if table["local"]}
    assert local == {"django_session", "django_admin_log", "django_migrations"}
    assert "no: local by rule" in b.cli("tables").stdout

    a.sql("INSERT INTO django_session VALUES ('k', 'data of a', '2026-12-01')")
    b.sql("INSERT INTO django_session VALUES ('k', 'data of b', '2026-12-01')")
    add_user(a, 900, "nouveau", "pbkdf2_sha256$secret")
    wait_for(lambda: b.value("SELECT 1 FROM auth_user WHERE username = 'nouveau'"), "the new user arrives")
    assert b.value("SELECT password FROM auth_user WHERE username = 'nouveau'") == "!"
    b.sql("UPDATE auth_user SET password = 'of b', email = 'b@example.org' WHERE username = 'nouveau'")
    wait_for(lambda: a.value("SELECT email FROM auth_user WHERE username = 'nouveau'") == "b@example.org", "the edit arrives")
    settle(a, b)
    assert a.value("SELECT password FROM auth_user WHERE username = 'nouveau'") == "pbkdf2_sha256$secret"
    assert b.value("SELECT password FROM auth_user WHERE id = (SELECT min(id) FROM auth_user)") == known
    assert a.value("SELECT session_data FROM django_session") == "data of a"
    assert b.value("SELECT session_data FROM django_session") == "data of b"
    for pc in (a, b):
        assert pc.status()["parked"] == 0


def test_two_tills_apart_take_both_their_sales_off_a_counter(shop, fleet):
    lan, a, b = fleet
    a.cli("rules", "set", ARTICLE + ".stock_actuel", "counter")
    wait_rules(a, b)
    key, stock = a.sql("SELECT id, stock_actuel FROM supermarket_article WHERE stock_actuel > 20 ORDER BY id LIMIT 1")[0]
    settle(a, b)
    shop.network.pull(b.space, lan)
    for pc, sold in ((a, 3), (b, 2), (a, 1)):
        left = pc.value("SELECT stock_actuel FROM supermarket_article WHERE id = ?", key) - sold
        pc.sql("UPDATE supermarket_article SET stock_actuel = ?, designation = designation WHERE id = ?", left, key)
    shop.network.plug(b.space, lan)
    for pc in (a, b):
        wait_for(lambda: pc.value("SELECT stock_actuel FROM supermarket_article WHERE id = ?", key) == stock - 6,
                 "6 are taken off on " + pc.name)
    shop.wait_equal(a, b)


def test_rules_set_while_an_agent_is_off_reach_it_when_it_is_back(shop):
    lan, a, b = shop.pair()
    b.stop()
    b.cli("rules", "set", "shop_client.name", "local", "somebody")  # without an agent, straight into its home
    a.cli("rules", "set", "shop_article", "publish", "--site", "COMPTA01")
    b.start()
    wait_for(lambda: len(rules(a)) == 2, "both rules are on %s" % a.name)
    wait_rules(a, b)
    a.sql("INSERT INTO shop_client(name) VALUES ('Ana')")
    wait_for(lambda: b.value("SELECT count(*) FROM shop_client WHERE name = 'somebody'") == 1, "the client arrives")
    done = b.cli("rules", "set", "shop_client.name", "counter", ok=(2,))
    assert "contradicts" in done.stderr
    assert len(rules(b)) == 2


def test_a_site_says_what_its_filter_lets_through(shop):
    _, a, b = shop.pair()
    a.cli("rules", "set", "shop_client", "both", "--where", "name LIKE 'B%'", "--site", "CAISSE01")
    wait_rules(a, b)
    before = b.value("SELECT count(*) FROM shop_client")
    a.sql("INSERT INTO shop_client(name) VALUES ('Ana'), ('Bea')")
    wait_for(lambda: b.value("SELECT count(*) FROM shop_client") == before + 1, "one of them arrives")
    settle(a)
    assert b.value("SELECT count(*) FROM shop_client WHERE name = 'Ana'") == 0
    a.sql("UPDATE shop_client SET name = 'Bana' WHERE name = 'Ana'")
    wait_for(lambda: b.value("SELECT count(*) FROM shop_client WHERE name = 'Bana'") == 1, "it matches and arrives")
    a.cli("rules", "unset", "shop_client", "both", "--site", "CAISSE01")
    wait_rules(a, b)
    shop.wait_equal(a, b)
