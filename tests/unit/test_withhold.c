/* What rules let out of a database and into it, on whole stores. Also of apprule.c, bindrule.c. */
#include "doomed.h"
#include "ruled.h"
#include "wentback.h"

#include <navette/conflicts.h>

static const char users[] =
    "CREATE TABLE client(id INTEGER PRIMARY KEY, name TEXT);"
    "CREATE TABLE user(id INTEGER PRIMARY KEY, name TEXT UNIQUE, password TEXT NOT NULL, seen TEXT,"
    " client_id INTEGER REFERENCES client(id));"
    "CREATE TABLE session(id INTEGER PRIMARY KEY, what TEXT);"
    "CREATE TABLE sale(id INTEGER PRIMARY KEY, place INTEGER, total INTEGER, seller INTEGER);"
    "CREATE TABLE setting(name TEXT PRIMARY KEY, value);"
    "CREATE TABLE line(id INTEGER PRIMARY KEY, sale_id INTEGER REFERENCES sale(id), n INTEGER);";

#define RULE(target_, kind_, ...)                                                                  \
    (struct wish)                                                                                  \
    {                                                                                              \
        .target = target_, .kind = kind_, __VA_ARGS__                                              \
    }
#define NOTHING .argument = NULL

static void a_local_column_stays_and_arrivals_get_the_fill_in(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, users, users);
    set_rule(&a, RULE("user.password", RULE_LOCAL, .argument = "!"));
    set_rule(&a, RULE("user.seen", RULE_LOCAL, NOTHING));
    share_rosters(&a, &b);
    sql(&a, "INSERT INTO user VALUES (1, 'ana', 'secret', 'today', NULL)");
    exchange(&a, &b);
    expect(&b, "SELECT * FROM user", "1|ana|!|NULL|NULL");
    sql(&b, "UPDATE user SET password = 'other', seen = 'never'");
    exchange(&a, &b);
    expect(&a, "SELECT * FROM user", "1|ana|secret|today|NULL");
    sql(&b, "UPDATE user SET name = 'Ana', password = 'third'");
    exchange(&a, &b);
    expect(&a, "SELECT * FROM user", "1|Ana|secret|today|NULL");
    expect(&b, "SELECT * FROM user", "1|Ana|third|never|NULL");
    assert_int_equal(status_of(&a).parked, 0);
    sql(&b, "DELETE FROM user");
    exchange(&a, &b);
    expect(&a, "SELECT * FROM user", "(none)");
    close_pair(&a, &b);
}

/* Its delete and an edit that brings back a row which names it come together: it stays, with what
 * only this file knew. */
static void a_row_that_stays_for_its_children_keeps_its_local_columns(void **state)
{
    static const char badges[] =
        "CREATE TABLE client(id INTEGER PRIMARY KEY, name TEXT);"
        "CREATE TABLE badge(client_id INTEGER PRIMARY KEY REFERENCES client(id), no TEXT);";
    struct site a, b, c = {0};

    (void)state;
    open_pair(&a, &b, badges, badges);
    set_rule(&a, RULE("client.name", RULE_LOCAL, .argument = "!"));
    join_site(&a, &c, "C", badges);
    share_rosters(&a, &b);
    sql(&a, "INSERT INTO client VALUES (1, 'ana')");
    exchange(&a, &b);
    exchange(&a, &c);
    sql(&b, "UPDATE client SET name = 'other'");
    sql(&a, "DELETE FROM client");
    sql(&c, "INSERT INTO badge VALUES (1, 'x')");
    exchange(&b, &c);
    exchange(&a, &b);
    expect(&b, "SELECT no, name FROM badge JOIN client ON id = client_id", "x|other");
    sql(&a, "DELETE FROM badge");
    later();
    sql(&c, "UPDATE badge SET no = 'z'");
    work(&a);
    work(&c);
    carry(&a, &b);
    carry(&c, &b);
    work(&b);
    expect(&b, "SELECT no, name FROM badge JOIN client ON id = client_id", "z|other");
    close_site(&c);
    close_pair(&a, &b);
}

static void a_column_that_is_local_no_longer_is_shared_and_a_fill_in_beats_nothing(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, users, users);
    sql(&a, "INSERT INTO user VALUES (9, 'old', 'before', NULL, NULL)");
    exchange(&a, &b);
    set_rule(&a, RULE("user.password", RULE_LOCAL, .argument = "!"));
    share_rosters(&a, &b);
    exchange(&a, &b);
    expect(&b, "SELECT password FROM user", "before"); /* what others have, stays */
    sql(&a, "INSERT INTO user VALUES (1, 'ana', 'secret', 'today', NULL)");
    sql(&b, "UPDATE user SET password = 'after' WHERE id = 9");
    exchange(&a, &b);
    expect(&b, "SELECT password FROM user ORDER BY id", "! after");
    expect(&a, "SELECT password FROM user ORDER BY id", "secret before");
    unset_rule(&a, RULE("user.password", RULE_LOCAL, NOTHING));
    share_rosters(&a, &b);
    exchange(&a, &b);
    expect(&a, "SELECT password FROM user ORDER BY id", "secret after");
    expect(&b, "SELECT password FROM user ORDER BY id", "secret after");
    sql(&a, "UPDATE user SET password = 'new' WHERE id = 1");
    exchange(&a, &b);
    expect_same(&a, &b, "SELECT * FROM user ORDER BY id");
    close_pair(&a, &b);
}

/* A row that is saved before the table has been compared again does not say its fill-in as if
 * somebody had just chosen it. */
static void a_fill_in_is_no_edit_when_the_rule_goes(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, users, users);
    set_rule(&a, RULE("user.password", RULE_LOCAL, .argument = "!"));
    share_rosters(&a, &b);
    exchange(&a, &b);
    sql(&a, "INSERT INTO user VALUES (1, 'ana', 'secret', 'today', NULL)");
    exchange(&a, &b);
    unset_rule(&a, RULE("user.password", RULE_LOCAL, NOTHING));
    share_rosters(&a, &b);
    work(&a);
    later();
    sql(&b, "UPDATE user SET name = 'anna' WHERE id = 1");
    exchange(&a, &b);
    expect(&a, "SELECT name, password FROM user", "anna|secret");
    expect(&b, "SELECT name, password FROM user", "anna|secret");
    close_pair(&a, &b);
}

static void a_local_table_is_captured_no_more_until_the_rule_goes(void **state)
{
    struct site a, b;
    uint64_t made;

    (void)state;
    open_pair(&a, &b, users, users);
    sql(&a, "INSERT INTO session VALUES (1, 'both')");
    exchange(&a, &b);
    set_rule(&a, RULE("session", RULE_LOCAL, NOTHING));
    share_rosters(&a, &b);
    exchange(&a, &b);
    expect(&b, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'session'",
           "0");
    expect(&b, "SELECT * FROM session", "1|both");
    made = made_by(&a);
    sql(&a, "INSERT INTO session VALUES (2, 'mine'); UPDATE session SET what = 'x' WHERE id = 1");
    sql(&b, "INSERT INTO session VALUES (2, 'theirs')");
    exchange(&a, &b);
    assert_int_equal(made_by(&a), made);
    expect(&a, "SELECT what FROM session ORDER BY id", "x mine");
    expect(&b, "SELECT what FROM session ORDER BY id", "both theirs");
    close_store(&a); /* the rule outlives a restart */
    open_store(&a);
    exchange(&a, &b);
    assert_int_equal(made_by(&a), made);
    unset_rule(&b, RULE("session", RULE_LOCAL, NOTHING));
    share_rosters(&a, &b);
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'session'",
           "3");
    expect_same(&a, &b, "SELECT what FROM session ORDER BY what");
    expect(&a, "SELECT what FROM session ORDER BY what", "mine theirs x");
    close_pair(&a, &b);
}

static void a_newcomer_does_not_track_what_is_local(void **state)
{
    struct site a = {0}, b = {0};
    struct err e = {0};
    const char *name = "session";

    (void)state;
    open_founder(&a, users);
    set_rule(&a, RULE("session", RULE_LOCAL, NOTHING));
    sql(&a, "INSERT INTO session VALUES (1, 'mine'); INSERT INTO client VALUES (1, 'Ana')");
    join_site(&a, &b, "B", users);
    exchange(&a, &b);
    expect(&b, "SELECT * FROM session", "(none)");
    expect(&b, "SELECT * FROM client", "1|Ana");
    assert_false(store_track(b.store, &name, 1, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

static void a_site_that_subscribes_takes_and_says_nothing(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, users, users);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana'), (2, 'Bea')");
    exchange(&a, &b);
    set_rule(&a, RULE("client", RULE_SUBSCRIBE, .of = &b));
    share_rosters(&a, &b);
    exchange(&a, &b);
    sql(&b, "UPDATE client SET name = 'mine' WHERE id = 1; DELETE FROM client WHERE id = 2;"
            "INSERT INTO client VALUES (3, 'own')");
    exchange(&a, &b);
    expect(&a, "SELECT name FROM client ORDER BY id", "Ana Bea");
    expect(&b, "SELECT name FROM client ORDER BY id", "mine own");
    sql(&a, "INSERT INTO client VALUES (3, 'Cid'); UPDATE client SET name = 'Bee' WHERE id = 2");
    exchange(&a, &b);
    expect(&b, "SELECT name FROM client ORDER BY name", "Bee Cid mine own");
    unset_rule(&a, RULE("client", RULE_SUBSCRIBE, .of = &b));
    share_rosters(&a, &b);
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, "SELECT name FROM client ORDER BY name", "Bee Cid mine own");
    expect_same(&a, &b, "SELECT name FROM client ORDER BY name");
    assert_int_equal(status_of(&a).unscanned + status_of(&b).unscanned, 0);
    close_pair(&a, &b);
}

/* A row that is held back here wants the same name as one that arrives: nothing is lost, and when
 * the rule goes both are everywhere. */
static void what_is_held_back_may_collide_with_what_arrives(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, users, users);
    set_rule(&a, RULE("user", RULE_SUBSCRIBE, .of = &b));
    share_rosters(&a, &b);
    sql(&b, "INSERT INTO user VALUES (5, 'ana', 'b', NULL, NULL)");
    sql(&a, "INSERT INTO user VALUES (1, 'ana', 'a', NULL, NULL)");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, "SELECT password FROM user", "a");
    expect(&b, "SELECT count(*) FROM user WHERE password = 'b'", "1");
    unset_rule(&a, RULE("user", RULE_SUBSCRIBE, .of = &b));
    share_rosters(&a, &b);
    exchange(&a, &b);
    exchange(&a, &b);
    expect_same(&a, &b, "SELECT name, password FROM user ORDER BY password");
    expect(&a, "SELECT count(*) FROM user", "2");
    close_pair(&a, &b);
}

/* Held back under a gid of its own, a natural key then comes from elsewhere under another one: what
 * is said of the row later must reach it there. */
static void what_was_held_back_says_which_row_it_is(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, users, users);
    set_rule(&a, RULE("setting", RULE_SUBSCRIBE, .of = &b));
    share_rosters(&a, &b);
    sql(&b, "INSERT INTO setting VALUES ('vat', 1), ('gone', 1)");
    work(&b);
    sql(&a, "INSERT INTO setting VALUES ('vat', 2), ('gone', 2)");
    exchange(&a, &b);
    expect(&b, "SELECT * FROM setting ORDER BY name", "gone|2 vat|2");
    unset_rule(&a, RULE("setting", RULE_SUBSCRIBE, .of = &b));
    share_rosters(&a, &b);
    exchange(&a, &b);
    sql(&b, "UPDATE setting SET value = 3 WHERE name = 'vat'; DELETE FROM setting WHERE name = "
            "'gone'");
    exchange(&a, &b);
    expect(&a, "SELECT * FROM setting", "vat|3");
    assert_int_equal(status_of(&a).parked, 0);
    close_pair(&a, &b);
}

/* What a row has in local columns is not in the ledger; it keeps it when it makes way for another.
 */
static void rows_with_local_columns_trade_their_names(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, users, users);
    set_rule(&a, RULE("user.password", RULE_LOCAL, .argument = "!"));
    share_rosters(&a, &b);
    sql(&a, "INSERT INTO user VALUES (1, 'ana', 'x', NULL, NULL), (2, 'bea', 'y', NULL, NULL)");
    exchange(&a, &b);
    sql(&b, "UPDATE user SET password = name");
    sql(&a, "UPDATE user SET name = '-' WHERE id = 1; UPDATE user SET name = 'ana' WHERE id = 2;"
            "UPDATE user SET name = 'bea' WHERE id = 1");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, "SELECT name, password FROM user ORDER BY id", "bea|x ana|y");
    expect(&b, "SELECT name, password FROM user ORDER BY id", "bea|ana ana|bea");
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

static void a_site_that_publishes_is_not_changed_by_others(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, users, users);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana'), (2, 'Bea')");
    exchange(&a, &b);
    set_rule(&a, RULE("client", RULE_PUBLISH, .of = &a));
    share_rosters(&a, &b);
    exchange(&a, &b);
    sql(&b, "UPDATE client SET name = 'B' WHERE id = 1; INSERT INTO client VALUES (3, 'Cid')");
    sql(&a, "UPDATE client SET name = 'Bee' WHERE id = 2");
    exchange(&a, &b);
    expect(&a, "SELECT name FROM client ORDER BY id", "Ana Bee");
    expect(&b, "SELECT name FROM client ORDER BY id", "B Bee Cid");
    close_store(&a);
    open_store(&a);
    exchange(&a, &b);
    expect(&a, "SELECT name FROM client ORDER BY id", "Ana Bee");
    unset_rule(&a, RULE("client", RULE_PUBLISH, .of = &a));
    exchange(&a, &b);
    expect(&a, "SELECT name FROM client ORDER BY id", "B Bee Cid");
    close_pair(&a, &b);
}

/* What the file lost of such a table does not come back: that must not keep the PC from knowing
 * what else is in the file again. */
static void a_lost_row_of_a_table_that_takes_nothing_in_is_waited_for_by_nobody(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, users, users);
    set_rule(&a, RULE("session", RULE_PUBLISH, .of = &a));
    share_rosters(&a, &b);
    exchange(&a, &b);
    keep_database(&a);
    sql(&a, "INSERT INTO session VALUES (1, 'x'); INSERT INTO sale VALUES (1, 1, 1, 1)");
    exchange(&a, &b);
    put_database_back(&a, &a);
    open_store(&a);
    exchange(&a, &b);
    expect(&a, "SELECT count(*) FROM session", "0");
    sql(&b, "UPDATE sale SET total = 5");
    exchange(&a, &b);
    keep_database(&a);
    sql(&b, "INSERT INTO client VALUES (1, 'ana')");
    exchange(&a, &b);
    put_database_back(&a, &a);
    sql(&a, "UPDATE sale SET total = 6");
    open_store(&a);
    exchange(&a, &b);
    expect(&a, "SELECT total, name FROM sale, client", "6|ana");
    expect(&b, "SELECT total, name FROM sale, client", "6|ana");
    close_pair(&a, &b);
}

/* Gone before anybody had heard of it, but the file went back, and nothing takes the row out of
 * such a table: who writes it says it, and who names it says it with that. */
static void a_row_that_nobody_heard_of_is_said_where_it_stays_and_is_written(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    set_rule(&a, RULE("client", RULE_PUBLISH, .of = &a));
    share_rosters(&a, &b);
    exchange(&a, &b);
    sql(&a, "INSERT INTO client VALUES (3, 'Ana'), (4, 'Eva')");
    keep_database(&a);
    sql(&a, "DELETE FROM client");
    exchange(&a, &b);
    put_database_back(&a, &a);
    open_store(&a);
    exchange(&a, &b);
    expect(&b, "SELECT count(*) FROM client", "0");

    sql(&a, "UPDATE client SET id = 5 WHERE id = 3; INSERT INTO invoice VALUES (1, 'F1', 4)");
    exchange(&a, &b);

    expect_both(&a, &b, "SELECT name FROM client ORDER BY name", "Ana Eva");
    expect_both(&a, &b, "SELECT number, name FROM invoice JOIN client ON client.id = client_id",
                "F1|Eva");
    close_pair(&a, &b);
}

static void rows_that_do_not_match_stay_until_they_do(void **state)
{
    struct store_parked p;
    struct err e = {0};
    struct site a, b;

    (void)state;
    open_pair(&a, &b, users, users);
    set_rule(&a, RULE("sale", RULE_BOTH, .where = "place = 8", .of = &a));
    share_rosters(&a, &b);
    sql(&a, "INSERT INTO sale VALUES (1, 8, 100, NULL), (2, 9, 200, NULL);"
            "INSERT INTO line VALUES (1, 2, 5)");
    exchange(&a, &b);
    expect(&b, "SELECT total FROM sale", "100");
    expect(&b, "SELECT n FROM line", "(none)"); /* it waits for its sale */
    check(store_parked(b.store, &p, &e), &e);
    assert_int_equal(p.n, 1);
    assert_string_equal(p.list[0].why,
                        "waits for the row of table sale that column sale_id refers to");
    store_parked_close(&p);
    assert_int_equal(status_of(&a).unscanned, 0);
    sql(&a, "UPDATE sale SET total = 201 WHERE id = 2");
    exchange(&a, &b);
    expect(&b, "SELECT total FROM sale", "100");
    sql(&a, "UPDATE sale SET place = 8 WHERE id = 2");
    exchange(&a, &b);
    expect(&b, "SELECT id, place, total FROM sale", "1|8|100 2|8|201");
    expect(&b, "SELECT sale_id, n FROM line", "2|5");
    assert_int_equal(status_of(&b).parked, 0);
    sql(&a, "UPDATE sale SET place = 9, total = 999 WHERE id = 1"); /* not a delete elsewhere */
    exchange(&a, &b);
    expect(&b, "SELECT total FROM sale ORDER BY id", "100 201");
    sql(&b, "UPDATE sale SET seller = 7 WHERE id = 1");
    exchange(&a, &b);
    expect(&a, "SELECT place, total, seller FROM sale WHERE id = 1", "9|999|7");
    sql(&a, "UPDATE sale SET place = 8 WHERE id = 1"); /* what was held back comes along */
    exchange(&a, &b);
    expect(&b, "SELECT place, total, seller FROM sale WHERE id = 1", "8|999|7");
    sql(&a, "DELETE FROM sale WHERE id = 1");
    exchange(&a, &b);
    expect(&b, "SELECT id FROM sale", "2");
    close_pair(&a, &b);
}

static void a_filter_that_goes_lets_everything_out(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, users, users);
    set_rule(&a, RULE("sale", RULE_BOTH, .where = "place = 8"));
    share_rosters(&a, &b);
    sql(&a, "INSERT INTO sale VALUES (1, 8, 1, NULL), (2, 9, 2, NULL), (3, NULL, 3, NULL)");
    exchange(&a, &b);
    sql(&a, "UPDATE sale SET place = 9, total = 11 WHERE id = 1");
    sql(&b, "DELETE FROM sale");
    exchange(&a, &b);
    unset_rule(&b, RULE("sale", RULE_BOTH, NOTHING));
    share_rosters(&a, &b);
    exchange(&a, &b);
    exchange(&a, &b);
    expect_same(&a, &b, "SELECT total FROM sale ORDER BY total");
    expect(&b, "SELECT count(*) FROM sale WHERE total IN (2, 3)", "2");
    close_pair(&a, &b);
}

static void a_filter_that_cannot_be_used_here_lets_nothing_out_and_is_told(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, users, users);
    sql(&b, "ALTER TABLE sale RENAME COLUMN place TO elsewhere");
    set_rule(&a, RULE("sale", RULE_BOTH, .where = "place = 8"));
    share_rosters(&a, &b);
    sql(&b, "INSERT INTO sale VALUES (1, 8, 1, NULL)");
    exchange(&a, &b);
    expect(&a, "SELECT count(*) FROM sale", "0");
    assert_non_null(strstr(status_of(&b).trouble, "no such column: place"));
    sql(&b, "ALTER TABLE sale RENAME COLUMN elsewhere TO place");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, "SELECT total FROM sale", "1");
    assert_string_equal(status_of(&b).trouble, "");
    close_pair(&a, &b);
}

static void a_reference_by_rule_follows_its_row(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, users, users);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana')");
    sql(&b, "INSERT INTO client VALUES (1, 'Bea')");
    set_rule(&a, RULE("sale.seller", RULE_REFERENCES, .argument = "client"));
    share_rosters(&a, &b);
    sql(&a, "INSERT INTO sale VALUES (1, 0, 10, 1), (2, 0, 20, NULL), (3, 0, 30, 77)");
    sql(&b, "INSERT INTO sale VALUES (1, 0, 40, 1)");
    exchange(&a, &b);
    expect_same(&a, &b,
                "SELECT total, name FROM sale LEFT JOIN client ON client.id = seller"
                " ORDER BY total");
    expect(&b, "SELECT total, name FROM sale LEFT JOIN client ON client.id = seller ORDER BY total",
           "10|Ana 20|NULL 30|NULL 40|Bea");
    expect(&b, "SELECT seller FROM sale WHERE total = 30", "77"); /* it names nothing: as it is */
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

static void what_became_a_reference_later_is_told_by_who_wrote_it(void **state)
{
    static const char names[] =
        "SELECT total, name FROM sale LEFT JOIN client ON client.id = seller ORDER BY total";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, users, users);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana'); INSERT INTO sale VALUES (1, 0, 10, 1)");
    sql(&b, "INSERT INTO client VALUES (1, 'Bea'); INSERT INTO sale VALUES (1, 0, 40, 1)");
    exchange(&a, &b);
    set_rule(&b, RULE("sale.seller", RULE_REFERENCES, .argument = "client"));
    share_rosters(&a, &b);
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, names, "10|Ana 40|Bea");
    expect(&b, names, "10|Ana 40|Bea");
    unset_rule(&b, RULE("sale.seller", RULE_REFERENCES, .argument = "client"));
    share_rosters(&a, &b);
    exchange(&a, &b);
    sql(&a, "UPDATE sale SET total = total + 1");
    exchange(&a, &b);
    expect(&a, names, "11|Ana 41|Bea");
    expect(&b, names, "11|Ana 41|Bea");
    close_pair(&a, &b);
}

/* The file went back to before the row matched, and the application wrote it there: it is held back
 * again, but what the file lost comes back, and with that it matches. */
static void a_row_that_matched_before_its_file_went_back_matches_again(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, users, users);
    set_rule(&a, RULE("sale", RULE_BOTH, .where = "place = 8", .of = &a));
    share_rosters(&a, &b);
    sql(&a, "INSERT INTO sale VALUES (1, 9, 100, NULL)");
    exchange(&a, &b);
    keep_database(&a);
    sql(&a, "UPDATE sale SET place = 8");
    exchange(&a, &b);
    expect(&b, "SELECT place, total FROM sale", "8|100");
    put_database_back(&a, &a);
    sql(&a, "UPDATE sale SET seller = 7");
    open_store(&a);
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, "SELECT place FROM sale", "8");
    expect_same(&a, &b, "SELECT place, total, seller FROM sale");
    close_pair(&a, &b);
}

/* Nobody had heard of the row, and the file, which the agent had let go of it, is a batch ahead of
 * a home that was put back: there is nothing left to be said. */
static void a_row_held_back_that_left_the_file_is_not_waited_for(void **state)
{
    struct site a, b;
    struct store_progress p = {.more = true};
    struct err e = {0};

    (void)state;
    open_pair(&a, &b, users, users);
    set_rule(&a, RULE("sale", RULE_BOTH, .where = "place = 8", .of = &a));
    share_rosters(&a, &b);
    exchange(&a, &b);
    sql(&a, "INSERT INTO sale VALUES (1, 9, 100, NULL)");
    work(&a);
    keep_ledger(&a);
    keep_database(&a);
    sql(&a, "DELETE FROM sale");
    work(&a);
    put_database_back(&a, &a);
    open_store(&a);
    work(&a);
    expect(&a, "SELECT * FROM sale", "(none)");
    put_ledger_back(&a);
    open_store(&a);
    for (int turns = 0; p.more && turns < 9; turns++)
        check(store_drain(a.store, a.now_ms, &p, &e), &e);
    assert_false(p.more);
    assert_int_equal(status_of(&a).unscanned, 0);
    close_pair(&a, &b);
}

/* Nobody had heard of the row when it was deleted. Then the file goes back to before, and people
 * work on with it there, so that it matches. */
static void a_row_held_back_until_it_went_is_said_when_an_older_file_has_it_again(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, users, users);
    set_rule(&a, RULE("sale", RULE_BOTH, .where = "place = 8", .of = &a));
    share_rosters(&a, &b);
    exchange(&a, &b);
    sql(&a, "INSERT INTO sale VALUES (1, 9, 100, NULL), (2, 9, 200, NULL)");
    work(&a);
    keep_database(&a);
    sql(&a, "DELETE FROM sale");
    work(&a);
    put_database_back(&a, &a);
    sql(&a, "UPDATE sale SET place = 8 WHERE id = 1");
    open_store(&a);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT place, total FROM sale", "8|100");
    close_pair(&a, &b);
}

/* It wrote what the file had anyway, which is what others have written since: it has not seen that,
 * and what it writes then is no answer to it. */
static void who_takes_nothing_in_has_not_seen_what_others_wrote(void **state)
{
    struct site a, b;
    struct doomed d;

    (void)state;
    open_doomed_pair(&a, &b, &d, NULL, users);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana')");
    exchange(&a, &b);
    set_rule(&a, RULE("client", RULE_PUBLISH, .of = &b));
    share_rosters(&a, &b);
    exchange(&a, &b);
    sql(&a, "UPDATE client SET name = 'Bea'");
    exchange(&a, &b);
    later();
    sql(&a, "UPDATE client SET name = 'Ana'");
    exchange(&a, &b);
    d.ms -= 60000; /* its clock is slow: only what was seen makes a write later */
    sql(&b, "UPDATE client SET name = name");
    exchange(&a, &b);
    sql(&b, "UPDATE client SET name = 'Zoe'");
    exchange(&a, &b);
    expect(&a, "SELECT name FROM client", "Ana");
    expect(&b, "SELECT name FROM client", "Zoe");
    close_doomed_pair(&a, &b, &d);
}

/* The ledger waits to be built again beside the file, and gets the one that it knows; what was held
 * back there has been said since. */
static void what_was_held_back_is_one_row_when_ledger_and_file_go_back_in_turn(void **state)
{
    static const char sales[] = "SELECT place, total FROM sale";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, users, users);
    set_rule(&a, RULE("sale", RULE_BOTH, .where = "place = 8"));
    share_rosters(&a, &b);
    sql(&a, "INSERT INTO sale VALUES (5, 9, 50, NULL)");
    exchange(&a, &b);
    keep_ledger(&a);
    keep_database(&a);
    sql(&a, "UPDATE sale SET place = 8");
    sql(&b, "INSERT INTO client VALUES (7, 'Ana')");
    exchange(&a, &b);
    expect(&b, sales, "8|50");
    put_back_home_then_database(&a);
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, sales, "8|50");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_local_column_stays_and_arrivals_get_the_fill_in),
        cmocka_unit_test(a_row_that_stays_for_its_children_keeps_its_local_columns),
        cmocka_unit_test(a_column_that_is_local_no_longer_is_shared_and_a_fill_in_beats_nothing),
        cmocka_unit_test(a_fill_in_is_no_edit_when_the_rule_goes),
        cmocka_unit_test(a_local_table_is_captured_no_more_until_the_rule_goes),
        cmocka_unit_test(a_newcomer_does_not_track_what_is_local),
        cmocka_unit_test(a_site_that_subscribes_takes_and_says_nothing),
        cmocka_unit_test(what_is_held_back_may_collide_with_what_arrives),
        cmocka_unit_test(what_was_held_back_says_which_row_it_is),
        cmocka_unit_test(rows_with_local_columns_trade_their_names),
        cmocka_unit_test(a_site_that_publishes_is_not_changed_by_others),
        cmocka_unit_test(a_lost_row_of_a_table_that_takes_nothing_in_is_waited_for_by_nobody),
        cmocka_unit_test(a_row_that_nobody_heard_of_is_said_where_it_stays_and_is_written),
        cmocka_unit_test(rows_that_do_not_match_stay_until_they_do),
        cmocka_unit_test(a_filter_that_goes_lets_everything_out),
        cmocka_unit_test(a_filter_that_cannot_be_used_here_lets_nothing_out_and_is_told),
        cmocka_unit_test(a_reference_by_rule_follows_its_row),
        cmocka_unit_test(what_became_a_reference_later_is_told_by_who_wrote_it),
        cmocka_unit_test(a_row_that_matched_before_its_file_went_back_matches_again),
        cmocka_unit_test(a_row_held_back_that_left_the_file_is_not_waited_for),
        cmocka_unit_test(a_row_held_back_until_it_went_is_said_when_an_older_file_has_it_again),
        cmocka_unit_test(who_takes_nothing_in_has_not_seen_what_others_wrote),
        cmocka_unit_test(what_was_held_back_is_one_row_when_ledger_and_file_go_back_in_turn),
    };
    struct err e = {0};

    return keys_library_start(&e) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
