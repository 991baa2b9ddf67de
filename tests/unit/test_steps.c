/* What is committed in one go, and is more than a change-set holds: told as it comes. */
#include "steps.h"

#include "inside.h"

#include "unit/sites.h"

#include <navette/notices.h>

static const char many[] =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
    " INSERT INTO client(name) SELECT 'client ' || i FROM n";

/* The next thing to tell begins and ends so. */
static void expect_told(struct site *s, const char *begins, const char *has)
{
    const char *text = store_steps(s->store);

    assert_non_null(text);
    if (strncmp(text, begins, strlen(begins)) != 0 || strstr(text, has) == NULL)
        fail_msg("%s: %s", s->home, text);
}

/* Change-sets of some 1,000 bytes, instead of 48 MiB or 100,000 rows. */
static void make_small(struct site *s)
{
    s->store->body_soft = 1000;
}

static void steps_are_told_where_they_are_made_and_where_they_arrive(void **state)
{
    struct site a, b;
    uint64_t before;

    (void)state;
    open_pair(&a, &b, shop, shop);
    make_small(&a);
    make_small(&b);
    before = made_by(&a);
    sql(&a, many);
    work(&a);
    assert_true(made_by(&a) - before >= 3);
    expect_told(&a, "much at once by=A: the last of ", "100 rows in all");
    assert_null(store_steps(a.store));
    carry(&a, &b);
    assert_null(store_steps(b.store)); /* it is staged, and nobody sees it yet */
    work(&b);
    expect_told(&b, "much at once by=A: the last of ", "100 rows in all");
    assert_null(store_steps(b.store));
    close_pair(&a, &b);
}

static uint64_t applied_of(const struct site *s, const struct site *author)
{
    return vector_get(store_applied(s->store), store_actor(author->store));
}

static void each_step_that_comes_by_itself_is_told(void **state)
{
    struct store_progress p = {0};
    struct err e = {0};
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    make_small(&a);
    make_small(&b);
    b.store->batch_rows = 1;
    sql(&a, many);
    work(&a);
    carry(&a, &b);
    tick(&b);
    while (applied_of(&b, &a) < made_by(&a) - 1)
        check(store_apply(b.store, b.now_ms, &p, &e), &e);
    expect_told(&b, "much at once by=A: step ", "the rest follows in whole steps");
    assert_null(store_steps(b.store));
    work(&b);
    expect_told(&b, "much at once by=A: the last of ", "100 rows in all");
    assert_null(store_steps(b.store));
    close_pair(&a, &b);
}

static void what_fits_into_one_is_not_worth_a_word(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, many);
    exchange(&a, &b);
    assert_null(store_steps(a.store));
    assert_null(store_steps(b.store));
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_told_where_they_are_made_and_where_they_arrive),
        cmocka_unit_test(each_step_that_comes_by_itself_is_told),
        cmocka_unit_test(what_fits_into_one_is_not_worth_a_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
