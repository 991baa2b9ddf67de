/* What a person does about conflicts and parked rows. Also of describe.c, parked.c, restore.c. */
#include "inside.h"
#include "ledger_conflict.h"
#include "listed.h"
#include "ruled.h"

static void restore(struct site *s, int64_t number)
{
    struct err e = {0};

    tick(s);
    check(store_conflict_restore(s->store, number, s->now_ms, &e), &e);
    work(s);
}

/* A says 11, B 12, which came later, and both know. */
static void open_two_at_odds(struct site *a, struct site *b)
{
    open_two(a, b);
    edit(a, "UPDATE article SET price = 11 WHERE id = 1");
    edit(b, "UPDATE article SET price = 12 WHERE id = 1");
    exchange(a, b);
}

static void a_restored_value_is_an_edit_that_everybody_gets(void **state)
{
    struct site a, b;

    (void)state;
    open_two_at_odds(&a, &b);
    restore(&b, number_of(&b, 0));
    expect(&b, "SELECT price FROM article WHERE id = 1", "11");
    expect_listed(&b, "");
    exchange(&a, &b);
    expect(&a, "SELECT price FROM article WHERE id = 1", "11");
    expect_listed(&a, "");
    expect_listed(&b, "");
    edit(&a, "UPDATE article SET price = 10 WHERE id = 1");
    exchange(&a, &b);
    expect(&b, "SELECT price FROM article WHERE id = 1", "10");
    expect_listed(&b, "");
    close_pair(&a, &b);
}

static void a_restored_value_survives_whatever_dies_after_it(void **state)
{
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_two_at_odds(&a, &b);
    tick(&b);
    check(store_conflict_restore(b.store, number_of(&b, 0), b.now_ms, &e), &e);
    close_store(&b);
    expect(&b, "SELECT price FROM article WHERE id = 1", "12");
    open_store(&b);
    exchange(&a, &b);
    expect(&a, "SELECT price FROM article WHERE id = 1", "11");
    expect(&b, "SELECT price FROM article WHERE id = 1", "11");
    close_pair(&a, &b);
}

/* It takes the place of one that lasts (drain.h): what that one did to the list never happened. */
static void what_is_dismissed_while_a_transaction_lasts_is_counted_rightly(void **state)
{
    struct site a, b;
    struct err e = {0};
    int64_t number;
    uint32_t n = 0;

    (void)state;
    open_two_at_odds(&a, &b);
    number = number_of(&b, 0);
    check(ledger_begin(&b.store->ledger, false, &e) &&
              conflict_remove(&b.store->ledger, number, &e),
          &e);
    b.store->ledger.lasting = &number;
    check(store_conflict_dismiss(b.store, number, &n, &e), &e);
    assert_int_equal(n, 1);
    expect_listed(&b, "");
    close_pair(&a, &b);
}

static void a_deleted_row_comes_back_whole_under_its_key(void **state)
{
    struct site a, b;

    (void)state;
    open_two(&a, &b);
    edit(&a, "UPDATE article SET price = 11 WHERE id = 1");
    edit(&b, "DELETE FROM article WHERE id = 1");
    exchange(&a, &b);
    restore(&b, number_of(&b, 0));
    exchange(&a, &b);
    expect(&a, "SELECT name || price || place FROM article WHERE id = 1", "Riz11A");
    expect_same(&a, &b, "SELECT * FROM article ORDER BY id");
    expect_listed(&a, "");
    expect_listed(&b, "");
    close_pair(&a, &b);
}

static void a_row_that_returned_is_deleted_again(void **state)
{
    struct site a, b;

    (void)state;
    open_two(&a, &b);
    edit(&b, "DELETE FROM article WHERE id = 1");
    edit(&a, "UPDATE article SET price = 11 WHERE id = 1");
    exchange(&a, &b);
    restore(&a, number_of(&a, 0));
    exchange(&a, &b);
    expect(&a, "SELECT group_concat(id) FROM article", "2");
    expect(&b, "SELECT group_concat(id) FROM article", "2");
    expect_listed(&a, "");
    expect_listed(&b, "");
    close_pair(&a, &b);
}

static void a_value_that_the_file_refuses_is_not_restored(void **state)
{
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_pair(&a, &b, "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price)",
              "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price CHECK (price < 100))");
    edit(&a, "INSERT INTO article VALUES (1, 'Riz', 10)");
    exchange(&a, &b);
    edit(&a, "UPDATE article SET price = 500");
    edit(&b, "UPDATE article SET price = 12");
    exchange(&a, &b);
    expect_listed(&b, "Riz price overwritten: 500 of A lost to 12 of B");
    tick(&b);
    assert_false(store_conflict_restore(b.store, number_of(&b, 0), b.now_ms, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    assert_non_null(strstr(e.text, "CHECK constraint failed"));
    exchange(&a, &b);
    expect(&a, "SELECT price FROM article", "12");
    expect(&b, "SELECT price FROM article", "12");
    expect_listed(&b, "Riz price overwritten: 500 of A lost to 12 of B");
    close_pair(&a, &b);
}

static void a_dismissed_conflict_is_gone_here_and_changes_nothing(void **state)
{
    struct site a, b;
    struct err e = {0};
    uint32_t n;

    (void)state;
    open_two(&a, &b);
    edit(&a, "UPDATE article SET price = id + 100");
    edit(&b, "UPDATE article SET price = id + 200");
    exchange(&a, &b);
    assert_int_equal(status_of(&a).conflicts, 2);
    check(store_conflict_dismiss(a.store, number_of(&a, 0), &n, &e), &e);
    assert_int_equal(n, 1);
    assert_int_equal(status_of(&a).conflicts, 1);
    assert_int_equal(status_of(&b).conflicts, 2);
    check(store_conflict_dismiss(a.store, 0, &n, &e), &e);
    assert_int_equal(n, 1);
    assert_false(store_conflict_dismiss(a.store, 1234, &n, &e));
    assert_int_equal(e.code, ERR_USAGE);
    exchange(&a, &b);
    close_store(&a);
    open_store(&a);
    expect_listed(&a, "");
    expect(&a, "SELECT group_concat(price) FROM article", "201,202");
    close_pair(&a, &b);
}

static void the_oldest_make_room_and_are_counted(void **state)
{
    struct store_conflicts c;
    struct site a, b;
    struct err e = {0};
    uint32_t n;

    (void)state;
    open_two(&a, &b);
    sql(&a, "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 1059)"
            " INSERT INTO article SELECT i, 'N' || i, 0, 'P' FROM n");
    exchange(&a, &b);
    edit(&a, "UPDATE article SET price = 1 WHERE id >= 10");
    edit(&b, "UPDATE article SET price = 2 WHERE id >= 10");
    exchange(&a, &b);
    c = conflicts_of(&a);
    assert_int_equal(c.n, CONFLICTS_MAX);
    assert_int_equal(c.dropped, 50);
    assert_int_equal(status_of(&a).conflicts_dropped, 50);
    store_conflicts_close(&c);
    check(store_conflict_dismiss(a.store, 0, &n, &e), &e);
    assert_int_equal(status_of(&a).conflicts_dropped, 0);
    close_pair(&a, &b);
}

/* By rule it does not say such rows: neither as they are now, nor as they would be. */
static void what_a_filter_holds_back_is_not_restored_from_here(void **state)
{
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_two_at_odds(&a, &b);
    set_rule(
        &b, (struct wish){.target = "article", .kind = RULE_BOTH, .where = "price = 12", .of = &b});
    share_rosters(&a, &b);
    exchange(&a, &b);
    tick(&b);
    assert_false(store_conflict_restore(b.store, number_of(&b, 0), b.now_ms, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    assert_non_null(strstr(e.text, "restore it on another PC"));
    exchange(&a, &b);
    expect(&a, "SELECT price FROM article WHERE id = 1", "12");
    restore(&a, number_of(&a, 0));
    exchange(&a, &b);
    expect(&b, "SELECT price FROM article WHERE id = 1", "11");
    close_pair(&a, &b);
}

/* ---- parked ---- */

static void what_the_file_refuses_is_listed_and_what_it_keeps_stands_apart(void **state)
{
    struct store_parked p;
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_pair(&a, &b,
              "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price);"
              "CREATE TABLE line(id INTEGER PRIMARY KEY, article_id REFERENCES article(id))",
              "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price CHECK (price < 100));"
              "CREATE TABLE line(id INTEGER PRIMARY KEY, article_id REFERENCES article(id))");
    edit(&a, "INSERT INTO article VALUES (1, 'Riz', 10), (2, 'The', 500)");
    exchange(&a, &b);
    edit(&a, "DELETE FROM article WHERE id = 1");
    edit(&b, "INSERT INTO line VALUES (1, 1)");
    exchange(&a, &b);
    check(store_parked(b.store, &p, &e), &e);
    assert_int_equal(p.parked, 1);
    assert_string_equal(p.list[0].row.label, "The");
    assert_string_equal(p.list[0].row.table, "article");
    assert_non_null(strstr(p.list[0].why, "CHECK constraint failed"));
    assert_non_null(strstr(p.list[0].help, "change the value"));
    assert_false(p.list[0].row.in_file);
    assert_true(p.list[0].since_ms + 60000 > b.now_ms && p.list[0].since_ms <= b.now_ms);
    assert_int_equal(p.kept, p.n - 1);
    assert_int_equal(status_of(&b).parked, 1);
    assert_int_equal(status_of(&b).kept, p.kept);
    store_parked_close(&p);
    edit(&a, "UPDATE article SET price = 50 WHERE id = 2");
    exchange(&a, &b);
    expect(&b, "SELECT price FROM article WHERE id = 2", "50");
    check(store_parked(b.store, &p, &e), &e);
    assert_int_equal(p.parked, 0);
    store_parked_close(&p);
    close_pair(&a, &b);
}

/* A power cut takes the file back to before the restored value was in it, and the application
 * writes another column there: what it left alone is no edit of its own. */
static void a_restored_value_that_a_power_cut_took_comes_back_into_an_edited_row(void **state)
{
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_two_at_odds(&a, &b);
    tick(&a);
    check(store_conflict_restore(a.store, number_of(&a, 0), a.now_ms, &e), &e);
    keep_database(&a);
    work(&a);
    expect(&a, "SELECT price FROM article WHERE id = 1", "11");
    put_database_back(&a, &a);
    expect(&a, "SELECT price FROM article WHERE id = 1", "12");
    sql(&a, "UPDATE article SET place = 'front' WHERE id = 1");
    open_store(&a);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT price, place FROM article WHERE id = 1", "11|front");
    close_pair(&a, &b);
}

/* Both had a row under one name, and what is taken back is of the one that had gone. */
static void a_restored_value_keeps_a_row_whose_other_half_is_deleted(void **state)
{
    struct site a, b;

    (void)state;
    open_two(&a, &b);
    edit(&a, "INSERT INTO setting VALUES ('tax', 19)");
    edit(&a, "DELETE FROM setting");
    edit(&b, "INSERT INTO setting VALUES ('tax', 20)");
    carry(&b, &a);
    work(&a);
    expect(&a, "SELECT value FROM setting", "20");
    restore(&a, number_of(&a, 0));
    expect(&a, "SELECT value FROM setting", "19");
    edit(&b, "DELETE FROM setting");

    exchange(&a, &b);

    expect_both(&a, &b, "SELECT name, value FROM setting", "tax|19");
    close_pair(&a, &b);
}

/* A row came back, and is one with another since: a person lets that go. */
static void a_delete_that_is_restored_takes_both_halves_of_a_row(void **state)
{
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_two(&a, &b);
    edit(&b, "DELETE FROM article WHERE id = 1");
    edit(&a, "UPDATE article SET price = 11 WHERE id = 1");
    exchange(&a, &b);
    tick(&a);
    check(store_unite(a.store, "article", (int64_t[]){1, 2}, a.now_ms, &e), &e);
    exchange(&a, &b);
    restore(&a, number_of(&a, 0));

    exchange(&a, &b);

    expect_both(&a, &b, "SELECT count(*) FROM article", "0");
    close_pair(&a, &b);
}

/* Rows that are named by their keys cannot be made one: no command is advised that refuses that. */
static void what_helps_two_rows_with_one_value_is_what_can_be_done(void **state)
{
    static const char codes[] = "CREATE TABLE badge(id TEXT PRIMARY KEY, number TEXT UNIQUE);"
                                "CREATE TABLE card(id INTEGER PRIMARY KEY, number TEXT UNIQUE)";
    struct store_conflicts c;
    struct site a, b;

    (void)state;
    open_pair(&a, &b, codes, codes);
    edit(&a, "INSERT INTO badge VALUES ('a1', 'N7')");
    edit(&b, "INSERT INTO badge VALUES ('b1', 'N7')");
    exchange(&a, &b);
    edit(&a, "INSERT INTO card VALUES (1, 'N7')");
    edit(&b, "INSERT INTO card VALUES (1, 'N7')");
    exchange(&a, &b);

    c = conflicts_of(&a);

    assert_int_equal(c.n, 2);
    assert_null(strstr(c.list[0].text, "conflicts merge"));
    assert_non_null(strstr(c.list[0].text, "delete one"));
    assert_non_null(strstr(c.list[1].text, "agent-cli conflicts merge"));
    store_conflicts_close(&c);
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restored_value_is_an_edit_that_everybody_gets),
        cmocka_unit_test(a_restored_value_survives_whatever_dies_after_it),
        cmocka_unit_test(what_a_filter_holds_back_is_not_restored_from_here),
        cmocka_unit_test(what_is_dismissed_while_a_transaction_lasts_is_counted_rightly),
        cmocka_unit_test(a_deleted_row_comes_back_whole_under_its_key),
        cmocka_unit_test(a_row_that_returned_is_deleted_again),
        cmocka_unit_test(a_restored_value_keeps_a_row_whose_other_half_is_deleted),
        cmocka_unit_test(a_delete_that_is_restored_takes_both_halves_of_a_row),
        cmocka_unit_test(what_helps_two_rows_with_one_value_is_what_can_be_done),
        cmocka_unit_test(a_value_that_the_file_refuses_is_not_restored),
        cmocka_unit_test(a_dismissed_conflict_is_gone_here_and_changes_nothing),
        cmocka_unit_test(the_oldest_make_room_and_are_counted),
        cmocka_unit_test(what_the_file_refuses_is_listed_and_what_it_keeps_stands_apart),
        cmocka_unit_test(a_restored_value_that_a_power_cut_took_comes_back_into_an_edited_row),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
