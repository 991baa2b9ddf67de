/* What applies replaced lately: remembered for a while, and no more of it than fits. */
#include "replaced.h"

#include "library.h"
#include "sites.h"

#define NOW UINT64_C(1795000000000)

static const struct value ten = {.type = VALUE_INT, .i = 10}, nine = {.type = VALUE_INT, .i = 9},
                          ten_real = {.type = VALUE_REAL, .r = 10};

static void a_value_is_back_only_where_and_as_it_was(void **state)
{
    struct replaced *r = NULL;

    (void)state;
    assert_false(replaced_is_back(r, 1, 2, &ten, NOW));
    replaced_note(&r, 1, 2, &ten, NOW);
    assert_true(replaced_is_back(r, 1, 2, &ten, NOW + 5));
    assert_false(replaced_is_back(r, 1, 2, &nine, NOW + 5));
    assert_false(replaced_is_back(r, 1, 2, &ten_real, NOW + 5));
    assert_false(replaced_is_back(r, 1, 3, &ten, NOW + 5));
    assert_false(replaced_is_back(r, 2, 2, &ten, NOW + 5));
    assert_false(replaced_is_back(r, 1, 2, &ten, 0)); /* no time is known */
    replaced_note(&r, 1, 2, &nine, NOW + 6);
    assert_false(replaced_is_back(r, 1, 2, &ten, NOW + 7));
    assert_true(replaced_is_back(r, 1, 2, &nine, NOW + 7));
    replaced_close(&r);
    assert_null(r);
    replaced_close(&r);
}

static void it_is_not_back_once_something_else_was_written_there(void **state)
{
    struct replaced *r = NULL;

    (void)state;
    replaced_written(r, 1, 2);
    replaced_note(&r, 1, 2, &ten, NOW);
    replaced_written(r, 1, 3);
    assert_true(replaced_is_back(r, 1, 2, &ten, NOW + 5));
    replaced_written(r, 1, 2);
    assert_false(replaced_is_back(r, 1, 2, &ten, NOW + 5));
    assert_true(replaced_lately(r, 1, 2, NOW + 5));
    replaced_note(&r, 1, 2, &ten, NOW + 6);
    assert_true(replaced_is_back(r, 1, 2, &ten, NOW + 7));
    replaced_close(&r);
}

static void it_is_forgotten_after_a_while(void **state)
{
    struct replaced *r = NULL;

    (void)state;
    replaced_note(&r, 1, 2, &ten, NOW);
    assert_true(replaced_lately(r, 1, 2, NOW + REPLACED_DOUBT_MS));
    assert_false(replaced_lately(r, 1, 2, NOW + REPLACED_DOUBT_MS + 1));
    assert_true(replaced_is_back(r, 1, 2, &ten, NOW + REPLACED_STALE_MS));
    assert_false(replaced_is_back(r, 1, 2, &ten, NOW + REPLACED_STALE_MS + 1));
    assert_true(replaced_any(r, NOW + REPLACED_STALE_MS));
    assert_false(replaced_any(r, NOW + REPLACED_STALE_MS + 1));
    assert_true(replaced_is_back(r, 1, 2, &ten, NOW - 100));    /* its mark may look older */
    assert_false(replaced_is_back(r, 1, 2, &ten, NOW - 10000)); /* it was read before, no doubt */
    replaced_close(&r);
}

/* A million rows later the last ones are known, and the memory is the same. */
static void many_rows_push_out_the_ones_before(void **state)
{
    struct replaced *r = NULL;
    int kept = 0;

    (void)state;
    for (int64_t gid = 1; gid <= 1000000; gid++)
        replaced_note(&r, gid, 1, &ten, NOW);
    assert_true(replaced_is_back(r, 1000000, 1, &ten, NOW));
    for (int64_t gid = 1; gid <= 1000000; gid++)
        kept += replaced_is_back(r, gid, 1, &ten, NOW);
    assert_in_range(kept, 1000, 10000);
    replaced_close(&r);
}

/* A line names the article that is one with another by now; that was replaced a moment ago, and a
 * till that had read it before saves it whole. */
static void a_stale_save_is_one_also_where_it_names_what_became_one_with_another(void **state)
{
    static const char lines[] =
        "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT);"
        "CREATE TABLE line(id INTEGER PRIMARY KEY, article_id INT REFERENCES article(id), what)";
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_pair(&a, &b, lines, lines);
    sql(&a, "INSERT INTO article VALUES (1, 'tea'), (2, 'tea '), (3, 'oil');"
            "INSERT INTO line VALUES (1, 2, 'one')");
    exchange(&a, &b);
    tick(&a);
    check(store_unite(a.store, "article", (int64_t[]){1, 2}, a.now_ms, &e), &e);
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT article_id FROM line", "1");
    later();
    sql(&a, "UPDATE line SET article_id = 3");
    exchange(&a, &b);
    sql(&b, "UPDATE line SET article_id = 1, what = 'new'");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT article_id, what FROM line", "3|new");
    expect_ledger(&b, "SELECT count(*), max(why) FROM conflict", "1|stale");
    close_pair(&a, &b);
}

/* The till has changed the price itself since it was shown the other one, and changes it back. */
static void a_save_that_puts_back_what_the_till_replaced_is_not_stale(void **state)
{
    static const char goods[] = "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price);";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, goods);
    sql(&a, "INSERT INTO article VALUES (1, 'tea', 10)");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET price = 12");
    exchange(&a, &b);
    sql(&b, "UPDATE article SET price = 15");
    work(&b);
    sql(&b, "UPDATE article SET name = 'green tea', price = 10");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT name, price FROM article", "green tea|10");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stale_save_is_one_also_where_it_names_what_became_one_with_another),
        cmocka_unit_test(a_save_that_puts_back_what_the_till_replaced_is_not_stale),
        cmocka_unit_test(a_value_is_back_only_where_and_as_it_was),
        cmocka_unit_test(it_is_not_back_once_something_else_was_written_there),
        cmocka_unit_test(it_is_forgotten_after_a_while),
        cmocka_unit_test(many_rows_push_out_the_ones_before),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
