/* Rows of a copy that were edited since are the same rows; what was made since is not. Here of a
 * table that is tracked later than the others. */
#include "sites.h"

#define ROWS "40"

static const char other[] = "CREATE TABLE other(id INTEGER PRIMARY KEY);";
static const char copied[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, ref TEXT UNIQUE, name TEXT, price INTEGER, stock "
    "INTEGER);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " ROWS ") "
    "INSERT INTO article SELECT i, 'R' || i, 'article ' || i, 10, 5 FROM n";

/* a shares the table; b has a copy of it, and has not yet. */
static void open_with_copy(struct site *a, struct site *b, const char *schema)
{
    const char *const names[] = {"article"};
    struct err e = {0};

    open_pair(a, b, other, other);
    sql(a, schema);
    sql(b, schema);
    work(a);
    check(store_track(a->store, names, 1, &e), &e);
    exchange(a, b);
}

static void track_copy(struct site *a, struct site *b)
{
    const char *const names[] = {"article"};
    struct err e = {0};

    work(b);
    check(store_track(b->store, names, 1, &e), &e);
    exchange(a, b);
    exchange(a, b);
    expect_same(a, b, "SELECT ref, name, price, stock FROM article ORDER BY ref, name, price");
}

static void a_row_that_was_edited_in_the_copy_is_the_same_row(void **state)
{
    struct site a, b;

    (void)state;
    open_with_copy(&a, &b, copied);
    sql(&b, "UPDATE article SET price = 99 WHERE id IN (3, 7)");
    track_copy(&a, &b);
    expect(&a, "SELECT count(*) FROM article", ROWS);
    close_pair(&a, &b);
}

/* One number, two articles: both stay. */
static void another_value_of_a_unique_key_makes_it_another_row(void **state)
{
    struct site a, b;

    (void)state;
    open_with_copy(&a, &b, copied);
    sql(&b, "UPDATE article SET ref = 'NEW', price = 99 WHERE id = 3");
    track_copy(&a, &b);
    expect(&a, "SELECT count(*) FROM article", "41");
    expect(&a, "SELECT count(*) FROM article WHERE ref IN ('R3', 'NEW')", "2");
    close_pair(&a, &b);
}

static void a_row_that_agrees_in_less_than_half_is_another_row(void **state)
{
    struct site a, b;

    (void)state;
    open_with_copy(&a, &b,
                   "CREATE TABLE article(id INTEGER PRIMARY KEY, ref TEXT, name TEXT, price "
                   "INTEGER, stock INTEGER);"
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " ROWS
                   ") INSERT INTO article SELECT i, 'R' || i, 'article ' || i, 10, 5 FROM n");
    sql(&b, "UPDATE article SET name = 'changed', price = 99, stock = 77 WHERE id = 3");
    track_copy(&a, &b);
    expect(&a, "SELECT count(*) FROM article", "41");
    close_pair(&a, &b);
}

/* Made after the copy by both, under one key. */
static void rows_that_both_made_since_are_two(void **state)
{
    struct site a, b;

    (void)state;
    open_with_copy(&a, &b, copied);
    sql(&a, "INSERT INTO article VALUES (41, 'A41', 'made by A', 1, 1)");
    sql(&b, "INSERT INTO article VALUES (41, 'B41', 'made by B', 1, 1)");
    exchange(&a, &b);
    track_copy(&a, &b);
    expect(&a, "SELECT count(*) FROM article", "42");
    close_pair(&a, &b);
}

/* By chance nobody has twenty rows alike; so few may be. */
static void a_few_equal_rows_are_no_copy(void **state)
{
    struct site a, b;

    (void)state;
    open_with_copy(&a, &b,
                   "CREATE TABLE article(id INTEGER PRIMARY KEY, ref TEXT, name TEXT, price "
                   "INTEGER, stock INTEGER);"
                   "INSERT INTO article VALUES (1, 'R1', 'rice', 10, 5), (2, 'R2', 'oil', 10, 5)");
    sql(&b, "UPDATE article SET price = 99 WHERE id = 2");
    track_copy(&a, &b);
    expect(&a, "SELECT count(*) FROM article", "3");
    close_pair(&a, &b);
}

/* a and b work on copies of one file, then a founds a fleet with it, which b joins. */
static void join_with_copy(struct site *a, struct site *b, const char *schema, const char *at_a,
                           const char *at_b)
{
    struct err e = {0};
    char text[2000];

    snprintf(text, sizeof text, "%s;%s", schema, at_a);
    open_founder(a, text);
    open_site(b, schema);
    sql(b, at_b);
    enrol_site(a, b, "B");
    open_store(b);
    check(store_track(b->store, NULL, 0, &e), &e);
    match_site(a, b, true);
    exchange(a, b);
    exchange(a, b);
}

static const char sales[] =
    "CREATE TABLE sale(id INTEGER PRIMARY KEY AUTOINCREMENT, ticket TEXT UNIQUE, day TEXT,"
    " at TEXT, paid INTEGER, given INTEGER, back INTEGER, waits INTEGER, till INTEGER);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " ROWS ") "
    "INSERT INTO sale SELECT i, 'T' || i, 'Mon', '10:' || i, 15, 20, 5, 0, i % 3 FROM n";

/* Both tills went on numbering after the copy: nearly all is alike in what they sold. */
static void sales_that_both_made_since_under_one_ticket_are_two(void **state)
{
    struct site a = {0}, b = {0};

    (void)state;
    join_with_copy(&a, &b, sales,
                   "INSERT INTO sale VALUES (41, 'T41', 'Tue', '11:07', 15, 20, 5, 0, 1)",
                   "INSERT INTO sale VALUES (41, 'T41', 'Tue', '11:09', 15, 20, 5, 0, 1)");
    expect_same(&a, &b, "SELECT ticket, day, at FROM sale ORDER BY at, ticket");
    expect(&a, "SELECT count(*) FROM sale", "42");
    expect(&a, "SELECT count(*) FROM sale WHERE day = 'Tue'", "2");
    close_pair(&a, &b);
}

static void the_last_row_of_a_copy_is_the_same_row_when_it_is_edited(void **state)
{
    struct site a = {0}, b = {0};

    (void)state;
    join_with_copy(&a, &b, sales, "SELECT 1", "UPDATE sale SET waits = 1 WHERE id = 40");
    expect_same(&a, &b, "SELECT ticket, waits FROM sale ORDER BY ticket");
    expect(&a, "SELECT count(*) FROM sale", ROWS);
    close_pair(&a, &b);
}

static void a_setting_that_was_changed_in_a_copy_stays_one(void **state)
{
    struct site a = {0}, b = {0};

    (void)state;
    join_with_copy(&a, &b,
                   "CREATE TABLE setting(id INTEGER PRIMARY KEY, name TEXT UNIQUE, value TEXT);"
                   "INSERT INTO setting VALUES (1, 'till', 'one'), (2, 'paper', 'A4'),"
                   " (3, 'colour', 'red')",
                   "SELECT 1", "UPDATE setting SET value = 'A5' WHERE name = 'paper'");
    expect_same(&a, &b, "SELECT * FROM setting ORDER BY id");
    expect(&a, "SELECT count(*) FROM setting", "3");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_that_was_edited_in_the_copy_is_the_same_row),
        cmocka_unit_test(another_value_of_a_unique_key_makes_it_another_row),
        cmocka_unit_test(a_row_that_agrees_in_less_than_half_is_another_row),
        cmocka_unit_test(rows_that_both_made_since_are_two),
        cmocka_unit_test(a_few_equal_rows_are_no_copy),
        cmocka_unit_test(sales_that_both_made_since_under_one_ticket_are_two),
        cmocka_unit_test(the_last_row_of_a_copy_is_the_same_row_when_it_is_edited),
        cmocka_unit_test(a_setting_that_was_changed_in_a_copy_stays_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
