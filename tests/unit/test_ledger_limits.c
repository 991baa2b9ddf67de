/* Corrected stamps when there are very many corrections, or a long log: what that costs. What they
 * mean is tested in test_correct.c. */
#include "doomed.h"
#include "library.h"
#include "rules_of.h"

#include <navette/ahead.h>

#include "inside.h"
#include "ledger_limits.h"

#define CORRECTIONS 3000
#define ROWS        400
#define YEARS_MS    (UINT64_C(4) * 365 * 24 * 3600 * 1000)

static const char goods[] = "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT UNIQUE, price"
                            " TEXT);";
static const char price[] = "SELECT price FROM article WHERE name = 'milk'";

static int64_t count(struct site *s, const char *text)
{
    struct err e = {0};
    int64_t n = 0;

    check(ledger_number(&s->store->ledger, text, &n, &e), &e);
    return n;
}

static void note(struct ledger *l, struct ledger_limit one)
{
    struct err e = {0};

    check(ledger_limit(l, l->self, one.number, one.stamp, &e), &e);
}

/* The least stamp of all corrections that name this number or a higher one. */
static uint64_t limit_by_hand(const struct ledger_limit *all, uint32_t n, uint64_t number)
{
    uint64_t least = UINT64_MAX;

    for (uint32_t i = 0; i < n; i++)
        if (all[i].number >= number && all[i].stamp < least)
            least = all[i].stamp;
    return least;
}

static void limits_are_the_same_in_whatever_order_corrections_come(void **state)
{
    struct rng dice = {11};
    struct site s = {0};
    struct err e = {0};
    struct ledger *l;

    (void)state;
    open_founder(&s, goods);
    l = &s.store->ledger;
    for (uint32_t round = 0; round < 50; round++) {
        struct ledger_limit all[40];

        check(ledger_begin(l, false, &e), &e);
        for (uint32_t i = 0; i < COUNT_OF(all); i++) {
            all[i] = (struct ledger_limit){1 + rng_below(&dice, 30), 1 + rng_below(&dice, 30)};
            note(l, all[i]);
            assert_int_equal(count(&s, "SELECT count(*) FROM correction"),
                             l->actors[l->self - 1].limit_n);
            for (uint64_t number = 1; number < 32; number++)
                assert_int_equal(ledger_stamp(l, l->self, number, UINT64_MAX),
                                 limit_by_hand(all, i + 1, number));
        }
        check(ledger_commit(l, &e), &e);
        close_store(&s); /* and they are read again */
        open_store(&s);
        l = &s.store->ledger;
        for (uint64_t number = 1; number < 32; number++)
            assert_int_equal(ledger_stamp(l, l->self, number, UINT64_MAX),
                             limit_by_hand(all, COUNT_OF(all), number));
        check(ledger_begin(l, false, &e), &e);
        assert_int_equal(sqlite3_exec(l->db, "DELETE FROM correction", NULL, NULL, NULL),
                         SQLITE_OK);
        check(ledger_commit(l, &e), &e);
        close_store(&s);
        open_store(&s);
        l = &s.store->ledger;
    }
    close_site(&s);
}

/* What was said again, or is laid aside, is in the log no more under that name, but rows hold it.
 */
static void rows_that_know_what_was_said_again_by_its_old_name_are_looked_at(void **state)
{
    static const char again[] = "INSERT INTO repeated(hash, actor, number, by_actor, by_number,"
                                " until) SELECT x'01', value, 9, 1000, 1, 9 FROM meta"
                                " WHERE name = 'self'";
    struct site s = {0};
    struct err e = {0};
    struct ledger *l;

    (void)state;
    open_founder(&s, goods);
    l = &s.store->ledger;
    check(ledger_begin(l, false, &e), &e);
    l->actors[l->self - 1].latest = 0;
    l->outdated = false;
    note(l, (struct ledger_limit){7, 70});
    assert_false(l->outdated);
    l->aside = l->self;
    note(l, (struct ledger_limit){8, 80});
    assert_true(l->outdated);
    l->aside = 0;
    l->outdated = false;
    assert_int_equal(sqlite3_exec(l->db, again, NULL, NULL, NULL), SQLITE_OK);
    note(l, (struct ledger_limit){9, 90});
    assert_true(l->outdated);
    ledger_rollback(l);
    close_site(&s);
}

static int add_steps(void *steps)
{
    *(uint64_t *)steps += 10;
    return 0;
}

/* The steps of SQLite's machine that so many corrections take. */
static uint64_t steps_of(struct site *s, uint32_t corrections, bool falling)
{
    struct ledger *l = &s->store->ledger;
    struct err e = {0};
    uint64_t steps = 0;

    check(ledger_begin(l, false, &e), &e);
    sqlite3_progress_handler(l->db, 10, add_steps, &steps);
    for (uint32_t i = 0; i < corrections; i++) {
        uint32_t at = falling ? corrections - i : i + 1;

        note(l, (struct ledger_limit){at, at});
    }
    sqlite3_progress_handler(l->db, 0, NULL, NULL);
    assert_int_equal(l->actors[l->self - 1].limit_n, corrections);
    ledger_rollback(l);
    assert_int_equal(l->actors[l->self - 1].limit_n, 0);
    return steps;
}

static void many_corrections_cost_no_more_each_than_few(void **state)
{
    struct site s = {0};

    (void)state;
    open_founder(&s, goods);
    for (int falling = 0; falling < 2; falling++) {
        uint64_t few = steps_of(&s, CORRECTIONS / 30, falling);

        assert_true(few > 0);
        assert_true(steps_of(&s, CORRECTIONS, falling) < 60 * few);
    }
    close_site(&s);
}

/* A long history, one late write, its correction: the history is not read. */
static void only_what_is_no_earlier_than_a_correction_is_merged_anew(void **state)
{
    struct site a, b;
    struct doomed d;
    struct err e = {0};
    bool did;

    (void)state;
    open_doomed_pair(&a, &b, &d, NULL, goods);
    sql(&a, "INSERT INTO article VALUES (1, 'milk', '1')");
    exchange(&a, &b);
    for (int i = 0; i < 30; i++) {
        sql(&a, "UPDATE article SET price = price + 1 WHERE name = 'milk'");
        work(&a);
    }
    for (int i = 0; i < ROWS; i++)
        sql(&a, "INSERT INTO article(name) VALUES ('article ' || abs(random()))");
    exchange(&a, &b);
    d.ms += YEARS_MS;
    sql(&b, "UPDATE article SET price = 'late' WHERE name = 'milk'");
    work(&b);
    d.ms = wall_ms() - 60000; /* a writes after the correction */
    tick(&b);
    assert_true(count(&b, "SELECT count(*) FROM changeset") > 30);
    check(store_correct(b.store, b.now_ms, &did, &e), &e);
    assert_true(did);
    assert_true(b.store->remerge_read <= 2); /* the late one and the correction */
    assert_true(b.store->remerge_pause_ms > 60000 + ROWS / 4);
    expect(&b, price, "late");
    sql(&a, "UPDATE article SET price = 'later' WHERE name = 'milk'");
    exchange(&a, &b);
    expect(&a, price, "later");
    expect(&b, price, "later");
    close_doomed_pair(&a, &b, &d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_that_know_what_was_said_again_by_its_old_name_are_looked_at),
        cmocka_unit_test(limits_are_the_same_in_whatever_order_corrections_come),
        cmocka_unit_test(many_corrections_cost_no_more_each_than_few),
        cmocka_unit_test(only_what_is_no_earlier_than_a_correction_is_merged_anew),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
