/* Two rows that become one: what of either is no longer there, and the mark that one of them bore.
 * Of unite.c and repair.c. */
#include "unit/codes.h"

#include <navette/conflicts.h>

static const char schema[] = "CREATE TABLE article(id INTEGER PRIMARY KEY AUTOINCREMENT,"
                             " code TEXT UNIQUE, name TEXT, price INT);";
static const char articles[] = "SELECT code, name, price FROM article ORDER BY code, name";

static void unite(struct site *s, int64_t a, int64_t b)
{
    struct err e = {0};

    tick(s);
    check(store_unite(s->store, "article", (int64_t[]){a, b}, s->now_ms, &e), &e);
}

/* Both made an article under one code, and the later one bears a mark because of the other. */
static void open_with_mark(struct site *s, int n)
{
    open_coded(s, n, schema, false);
    sql(&s[0], "INSERT INTO article VALUES (1, 'x', 'tea', 5)");
    later();
    sql(&s[1], "INSERT INTO article VALUES (1, 'x', 'green tea', 5)");
    for (int i = 0; i < 2; i++)
        for (int k = 1; k < n; k++)
            exchange(&s[0], &s[k]);
    expect_all(s, n, articles, "#B-x|green tea|5 x|tea|5");
}

static void a_row_of_two_bears_no_mark_because_of_itself(void **state)
{
    struct site s[2];

    (void)state;
    open_with_mark(s, 2);
    unite(&s[0], 1, 2);
    exchange(&s[0], &s[1]);
    expect_all(s, 2, articles, "x|green tea|5");
    close_coded(s, 2);
}

/* C gives the article another code before it hears that the two are one. */
static void what_is_behind_a_mark_beats_no_code_that_somebody_gives_meanwhile(void **state)
{
    struct site s[3];

    (void)state;
    open_with_mark(s, 3);
    later();
    sql(&s[2], "UPDATE article SET code = 'new' WHERE code = 'x'");
    work(&s[2]);
    later();
    unite(&s[0], 1, 2);
    exchange(&s[0], &s[1]);
    exchange(&s[0], &s[2]);
    exchange(&s[0], &s[1]);
    expect_all(s, 3, articles, "new|green tea|5");
    close_coded(s, 3);
}

static void expect_lost(struct site *s, const char *column, const char *lost, const char *won)
{
    struct store_conflicts c;
    struct err e = {0};

    check(store_conflicts(s->store, 0, 1000, &c, &e), &e);
    assert_int_equal(c.n, 1);
    assert_string_equal(c.list[0].why, "united");
    assert_string_equal(c.list[0].column, column);
    assert_string_equal(c.list[0].lost.value, lost);
    assert_string_equal(c.list[0].won.value, won);
    store_conflicts_close(&c);
}

static void what_a_row_of_two_does_not_hold_any_more_is_listed(void **state)
{
    (void)state;
    for (int by_rule = 0; by_rule < 2; by_rule++) {
        struct site s[2];

        open_coded(s, 2, schema, by_rule == 1);
        sql(&s[0], "INSERT INTO article VALUES (1, 'x', 'tea', 5)");
        later();
        sql(&s[1], "INSERT INTO article VALUES (1, 'x', 'green tea', 5)");
        exchange(&s[0], &s[1]);
        if (by_rule == 0)
            unite(&s[0], 1, 2);
        exchange(&s[0], &s[1]);
        exchange(&s[0], &s[1]);
        expect_all(s, 2, articles, "x|green tea|5");
        expect_lost(&s[0], "name", "tea", "green tea");
        expect_lost(&s[1], "name", "tea", "green tea");
        close_coded(s, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_of_two_bears_no_mark_because_of_itself),
        cmocka_unit_test(what_is_behind_a_mark_beats_no_code_that_somebody_gives_meanwhile),
        cmocka_unit_test(what_a_row_of_two_does_not_hold_any_more_is_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
