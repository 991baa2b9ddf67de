/* Data migrations, which each PC makes for itself: never twice, and never mixed with what was not
 * migrated. */
#include "unit/sites.h"

#include <navette/waits.h>

static const char goods[] =
    "CREATE TABLE django_migrations(id INTEGER PRIMARY KEY, app TEXT, name TEXT, applied TEXT);"
    "INSERT INTO django_migrations(app, name) VALUES ('shop', '0001');"
    "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price INTEGER);";
static const char some[] =
    "INSERT INTO article VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3), (4, 'd', 4), (5, 'e', 5),"
    " (6, 'f', 6);";
static const char migrate[] = "BEGIN; UPDATE article SET price = price * 100;"
                              "INSERT INTO django_migrations(app, name) VALUES ('shop', '0002');"
                              "COMMIT";
/* Two members that share all that can be: the articles, not the list of migrations. */
static void open_shops(struct site *a, struct site *b)
{
    struct err e = {0};

    *a = *b = (struct site){0};
    open_site(a, goods);
    sql(a, some);
    check(roster_create(&a->roster, "shop", "A", &a->keys, &e), &e);
    open_store(a);
    check(store_track(a->store, NULL, 0, &e), &e);
    work(a);
    open_site(b, goods);
    enrol_site(a, b, "B");
    open_store(b);
    check(store_track(b->store, NULL, 0, &e), &e);
    match_site(a, b, false);
    exchange(a, b);
    expect(b, "SELECT name FROM _navette_table", "article");
    expect(b, "SELECT count(*) FROM article", "6");
}

static void a_price_times_a_hundred_on_each_pc_is_not_times_ten_thousand(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a, migrate);
    work(&a);
    later();
    exchange(&a, &b);
    expect(&b, "SELECT sum(price) FROM article", "21"); /* the other one's program knows no cents */
    sql(&b, "UPDATE article SET price = 9 WHERE id = 1; INSERT INTO article VALUES (7, 'g', 7)");
    exchange(&a, &b);
    expect(&a, "SELECT sum(price) FROM article", "2100");
    sql(&a,
        "UPDATE article SET price = 250 WHERE id = 2; INSERT INTO article VALUES (8, 'h', 800)");
    later();
    exchange(&a, &b);
    assert_non_null(strstr(store_waits(b.store), "on A and not yet here"));
    assert_non_null(strstr(store_waits(a.store), "here and not yet on B"));
    sql(&b, migrate);
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT name, price FROM article ORDER BY name",
                "a|900 b|250 c|300 d|400 e|500 f|600 g|700 h|800");
    assert_null(store_waits(a.store));
    assert_null(store_waits(b.store));
    close_pair(&a, &b);
}

/* Rates, units, price lists: a few rows, and every one of them was changed. */
static void a_small_table_that_was_changed_whole_is_guarded_too(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a, "DELETE FROM article WHERE id > 3");
    exchange(&a, &b);
    sql(&a, migrate);
    work(&a);
    later();
    exchange(&a, &b);
    expect(&b, "SELECT sum(price) FROM article", "6");
    assert_non_null(strstr(store_waits(b.store), "on A and not yet here"));
    sql(&b, migrate);
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT group_concat(price) FROM article", "100,200,300");
    assert_null(store_waits(a.store));
    assert_null(store_waits(b.store));
    close_pair(&a, &b);
}

/* A table of one row may hold a number that every sale counts up: that must not wait. */
static void a_change_of_a_tables_only_row_is_none(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a, "DELETE FROM article WHERE id > 1");
    exchange(&a, &b);
    sql(&a, "BEGIN; UPDATE article SET price = price + 1; INSERT INTO django_migrations(app, name)"
            " VALUES ('shop', '0002'); COMMIT");
    work(&a);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT price FROM article", "2");
    assert_null(store_waits(b.store));
    close_pair(&a, &b);
}

/* Both rows were saved before the migration, and one was changed: that is the work of a person. */
static void rows_that_were_saved_as_they_were_make_no_migration(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a, "DELETE FROM article WHERE id > 2");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET price = 9 WHERE id = 1; UPDATE article SET name = name;"
            "INSERT INTO django_migrations(app, name) VALUES ('shop', '0002')");
    work(&a);
    later();
    sql(&b, "UPDATE article SET price = 8 WHERE id = 2");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT group_concat(price) FROM article", "9,8");
    assert_null(store_waits(a.store));
    close_pair(&a, &b);
}

/* Both were migrated while they were apart: only what a person had changed is listed. */
static void what_both_derived_alike_is_no_conflict(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&b, "UPDATE article SET price = 30 WHERE id = 3");
    later();
    sql(&a, migrate);
    sql(&b, migrate);
    work(&a);
    work(&b);
    later();
    sql(&a, "UPDATE article SET price = 110 WHERE id = 1");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT name, price FROM article ORDER BY name",
                "a|110 b|200 c|3000 d|400 e|500 f|600");
    assert_int_equal(status_of(&a).conflicts, 2);
    close_pair(&a, &b);
}

/* A migration that changes the schema only, or many rows changed by a person, stop nobody. */
static void nothing_else_waits(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a, "UPDATE article SET price = price + 1");
    exchange(&a, &b);
    expect(&b, "SELECT sum(price) FROM article", "27");
    sql(&a, "ALTER TABLE article ADD COLUMN size INTEGER NOT NULL DEFAULT 3;"
            "INSERT INTO django_migrations(app, name) VALUES ('shop', '0002')");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET price = 50 WHERE id = 1");
    sql(&b, "UPDATE article SET price = 60 WHERE id = 2");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT price FROM article WHERE id < 3", "50 60");
    close_pair(&a, &b);
}

/* Somebody decides that a PC is not going to be migrated so. */
static void what_waits_can_be_let_in(void **state)
{
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_shops(&a, &b);
    sql(&a, migrate);
    exchange(&a, &b);
    expect(&b, "SELECT sum(price) FROM article", "21");
    check(store_accept(b.store, &e), &e);
    exchange(&a, &b);
    expect(&b, "SELECT sum(price) FROM article", "2100");
    assert_null(store_waits(b.store));
    close_pair(&a, &b);
}

/* The table was made anew in the same migration, so that no mark tells of the new values. */
static void a_migration_without_marks_is_one_too(void **state)
{
    static const char remake[] =
        "BEGIN; CREATE TABLE n(id INTEGER PRIMARY KEY, name TEXT, price INTEGER, unit TEXT);"
        "INSERT INTO n SELECT id, name, price * 100, 'ct' FROM article; DROP TABLE article;"
        "ALTER TABLE n RENAME TO article;"
        "INSERT INTO django_migrations(app, name) VALUES ('shop', '0002'); COMMIT";
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a, remake);
    exchange(&a, &b);
    expect(&b, "SELECT sum(price) FROM article", "21");
    sql(&b, remake);
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT sum(price), count(unit) FROM article", "2100|6");
    close_pair(&a, &b);
}

/* Two articles are all there are, and both were sold after the migration: its marks, and what has
 * none, are still to be looked at. */
static void what_is_written_after_a_migration_is_not_its_work(void **state)
{
    static const char migration[] =
        "ALTER TABLE note ADD COLUMN unit TEXT; ALTER TABLE article ADD COLUMN unit TEXT;"
        "INSERT INTO django_migrations(app, name) VALUES ('shop', '0002')";
    struct store_progress p = {0};
    struct err e = {0};
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a, "CREATE TABLE note(id INTEGER PRIMARY KEY, body TEXT);"
            "INSERT INTO note VALUES (1, 'one'), (2, 'two')");
    sql(&b, "CREATE TABLE note(id INTEGER PRIMARY KEY, body TEXT)");
    check(store_track(a.store, NULL, 0, &e) && store_track(b.store, NULL, 0, &e), &e);
    exchange(&a, &b);
    sql(&a, "UPDATE article SET price = 7 WHERE id = 1; UPDATE note SET body = 'uno' WHERE id = 1");
    exchange(&a, &b);
    sql(&a, migration);
    sql(&a, "INSERT INTO article(id, name) VALUES (9, 'i')");
    check(store_drain(a.store, a.now_ms, &p, &e), &e);
    sql(&b, "UPDATE note SET body = 'other'");
    work(&b);
    later();
    sql(&a, "UPDATE note SET body = 'new'");
    work(&a);
    sql(&b, migration);
    exchange(&a, &b);
    exchange(&a, &b);
    assert_null(store_waits(b.store));
    expect_both(&a, &b, "SELECT body FROM note", "new new");
    close_pair(&a, &b);
}

/* The new version was seen, and left nothing to say; then people wrote before the agent ran. */
static void what_is_written_before_the_next_start_is_not_the_work_of_a_migration(void **state)
{
    static const char migration[] =
        "INSERT INTO django_migrations(app, name) VALUES ('shop', '0002')";
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a, "DELETE FROM article WHERE id > 2");
    exchange(&a, &b);
    sql(&a, migration);
    sql(&b, migration);
    exchange(&a, &b);
    close_store(&a);
    sql(&b, "UPDATE article SET price = 50");
    work(&b);
    later();
    sql(&a, "UPDATE article SET price = 70");
    open_store(&a);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT price FROM article", "70 70");
    close_pair(&a, &b);
}

/* A PC whose clock is slow, and which has the next version already, puts up many prices: each is
 * later than what it replaces by no more than it must be, and still nobody takes it for derived. */
static void many_edits_on_a_slow_clock_are_no_migration(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a, "UPDATE article SET price = price + 1; UPDATE _navette_dirty SET t = t + 0.0005");
    exchange(&a, &b);
    sql(&b, "INSERT INTO django_migrations(app, name) VALUES ('shop', '0002')");
    exchange(&a, &b);
    sql(&b, "UPDATE article SET price = price * 2");
    exchange(&a, &b);
    assert_null(store_waits(a.store));
    expect_both(&a, &b, "SELECT sum(price) FROM article", "54");
    sql(&b, "UPDATE article SET price = price * 2"); /* over its own */
    exchange(&a, &b);
    assert_null(store_waits(a.store));
    expect_both(&a, &b, "SELECT sum(price) FROM article", "108");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_price_times_a_hundred_on_each_pc_is_not_times_ten_thousand),
        cmocka_unit_test(a_small_table_that_was_changed_whole_is_guarded_too),
        cmocka_unit_test(a_change_of_a_tables_only_row_is_none),
        cmocka_unit_test(rows_that_were_saved_as_they_were_make_no_migration),
        cmocka_unit_test(what_both_derived_alike_is_no_conflict),
        cmocka_unit_test(nothing_else_waits),
        cmocka_unit_test(what_waits_can_be_let_in),
        cmocka_unit_test(a_migration_without_marks_is_one_too),
        cmocka_unit_test(what_is_written_after_a_migration_is_not_its_work),
        cmocka_unit_test(what_is_written_before_the_next_start_is_not_the_work_of_a_migration),
        cmocka_unit_test(many_edits_on_a_slow_clock_are_no_migration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
