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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_that_was_edited_in_the_copy_is_the_same_row),
        cmocka_unit_test(another_value_of_a_unique_key_makes_it_another_row),
        cmocka_unit_test(a_row_that_agrees_in_less_than_half_is_another_row),
        cmocka_unit_test(rows_that_both_made_since_are_two),
        cmocka_unit_test(a_few_equal_rows_are_no_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
