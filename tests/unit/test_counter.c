/* Counters by themselves: whatever order sets and totals come in, the cell is the same. */
#include "counter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <navette/bounds.h>

#include "ledger.h"
#include "ledger_order.h"
#include "random.h"

#define OPS_MAX 6
#define ACTORS  3

static struct local_clock clock_of(uint64_t stamp, uint64_t number, uint32_t actor)
{
    return (struct local_clock){.stamp = stamp, .number = number, .actor = actor};
}

struct op {
    bool delta;
    struct local_clock clock;
    int64_t gid;     /* delta */
    int64_t total;   /* of a delta; of a set the value */
    uint32_t seen_n; /* set */
    struct {
        int64_t gid;
        uint32_t actor;
        uint64_t number;
        int64_t total;
    } seen[ACTORS];
};

static struct ledger_actor actors[ACTORS] = {{.actor = {{3}}}, {.actor = {{1}}}, {.actor = {{2}}}};

static struct ledger ledger(void)
{
    return (struct ledger){.actors = actors, .actor_count = ACTORS};
}

static struct decimal whole(int64_t n)
{
    return (struct decimal){.whole = n};
}

static void add_total(struct record *r, const struct op *o)
{
    struct err e = {0};

    assert_true(counter_add(r, 0,
                            &(struct total){.gid = o->gid,
                                            .actor = o->clock.actor,
                                            .number = o->clock.number,
                                            .stamp = o->clock.stamp,
                                            .total = whole(o->total)},
                            &e));
}

/* As merge.c does it. */
static void apply(struct record *r, const struct op *o)
{
    struct ledger l = ledger();
    struct cell set = {.v = {.type = VALUE_INT, .i = o->total}, .clock = o->clock, .set = true};
    struct total *totals = counter_totals(r, ACTORS);
    struct err e = {0};

    if (o->delta) {
        add_total(r, o);
        return;
    }
    for (uint32_t i = 0; i < o->seen_n; i++)
        totals[i] = (struct total){.gid = o->seen[i].gid,
                                   .actor = o->seen[i].actor,
                                   .seen_number = o->seen[i].number,
                                   .seen = whole(o->seen[i].total)};
    if (o->seen_n > 0)
        set.counter = counter_of(r, &set.v, totals, o->seen_n);
    if (!record_cell(r, 0)->set || ledger_cell_compare(&l, 0, &set, record_cell(r, 0)) > 0)
        assert_true(counter_set(r, 0, &set, &e));
}

/* ---- what must come out, worked out in another way ---- */

static const struct op *winner(const struct op *ops, uint32_t n)
{
    const struct op *best = NULL;
    struct ledger l = ledger();

    for (uint32_t i = 0; i < n; i++)
        if (!ops[i].delta &&
            (best == NULL || ledger_clock_compare(&l, &ops[i].clock, &best->clock) > 0))
            best = &ops[i];
    return best;
}

static int64_t expected(const struct op *ops, uint32_t n)
{
    const struct op *set = winner(ops, n);
    int64_t sum = set->total;

    for (uint32_t i = 0; i < n; i++) {
        bool newest = ops[i].delta;

        for (uint32_t k = 0; k < n; k++)
            newest = newest && !(ops[k].delta && ops[k].gid == ops[i].gid &&
                                 ops[k].clock.actor == ops[i].clock.actor &&
                                 ops[k].clock.number > ops[i].clock.number);
        if (!newest)
            continue;
        for (uint32_t k = 0; k < set->seen_n; k++)
            if (set->seen[k].gid == ops[i].gid && set->seen[k].actor == ops[i].clock.actor) {
                sum -=
                    set->seen[k].number >= ops[i].clock.number ? ops[i].total : set->seen[k].total;
            }
        sum += ops[i].total;
    }
    return sum;
}

/* A history as honest sites make it, and some that are not: each actor's numbers rise, totals go up
 * and down, sets have seen some of what was said before. */
static void draw(struct random_source *s, struct op *ops, uint32_t n)
{
    uint64_t number[ACTORS] = {0};

    for (uint32_t i = 0; i < n; i++) {
        uint32_t actor = 1 + random_below(s, ACTORS);
        struct op *o = &ops[i];

        *o = (struct op){.delta = i > 0 && random_below(s, 3) > 0,
                         .clock = {.stamp = 1 + random_below(s, 4),
                                   .actor = actor,
                                   .number = ++number[actor - 1]},
                         .gid = 1 + random_below(s, 2),
                         .total = (int64_t)random_below(s, 100) - 50};
        for (uint32_t k = 0; k < i && !o->delta && o->seen_n < ACTORS; k++) {
            bool twice = false;

            for (uint32_t j = 0; j < o->seen_n; j++)
                twice |= o->seen[j].gid == ops[k].gid && o->seen[j].actor == ops[k].clock.actor;
            if (!ops[k].delta || twice || random_below(s, 2))
                continue;
            o->seen[o->seen_n].gid = ops[k].gid;
            o->seen[o->seen_n].actor = ops[k].clock.actor;
            o->seen[o->seen_n].number = ops[k].clock.number;
            o->seen[o->seen_n++].total = ops[k].total;
        }
    }
}

static void encode(const struct record *r, struct buf *out)
{
    buf_open(out, 1 << 20);
    record_encode(r, out);
}

/* Every order gives the same bytes and shows the right sum. */
struct permuted {
    const struct op *ops;
    uint32_t n, order[OPS_MAX];
    struct buf first;
    uint32_t count;
};

static void check_order(struct permuted *p)
{
    struct record r = {0}, back = {0};
    struct buf bytes;
    struct err e = {0};

    for (uint32_t i = 0; i < p->n; i++)
        apply(&r, &p->ops[p->order[i]]);
    assert_int_equal(record_cell(&r, 0)->v.type, VALUE_INT);
    if (record_cell(&r, 0)->v.i != expected(p->ops, p->n))
        fail_msg("shows %lld, expected %lld", (long long)record_cell(&r, 0)->v.i,
                 (long long)expected(p->ops, p->n));
    apply(&r, &p->ops[p->order[0]]); /* again: nothing changes */
    encode(&r, &bytes);
    if (p->count++ == 0)
        encode(&r, &p->first);
    assert_true(slice_equal(buf_slice(&bytes), buf_slice(&p->first)));
    assert_true(record_decode(&back, buf_slice(&bytes), &e));
    assert_true(value_equal(&record_cell(&back, 0)->v, &record_cell(&r, 0)->v));
    buf_close(&bytes);
    record_close(&r);
    record_close(&back);
}

static void permute(struct permuted *p, uint32_t from)
{
    if (from == p->n) {
        check_order(p);
        return;
    }
    for (uint32_t i = from; i < p->n; i++) {
        uint32_t swap = p->order[from];

        p->order[from] = p->order[i];
        p->order[i] = swap;
        permute(p, from + 1);
        p->order[i] = p->order[from];
        p->order[from] = swap;
    }
}

static void every_order_of_sets_and_totals_gives_the_same_cell(void **state)
{
    struct random_source s = {test_seed(11)};

    (void)state;
    for (int i = 0; i < 60; i++) {
        struct op ops[OPS_MAX];
        struct permuted p = {.ops = ops, .n = 2 + random_below(&s, OPS_MAX - 1)};

        draw(&s, ops, p.n);
        for (uint32_t k = 0; k < p.n; k++)
            p.order[k] = k;
        permute(&p, 0);
        buf_close(&p.first);
    }
}

/* ---- single rules ---- */

static struct op delta_of(uint32_t actor, uint64_t number, int64_t total)
{
    return (struct op){.delta = true,
                       .clock = {.stamp = number, .actor = actor, .number = number},
                       .gid = 1,
                       .total = total};
}

static void expect_shown(struct record *r, int64_t value)
{
    const struct cell *c = record_get(r, 0);

    assert_non_null(c);
    assert_int_equal(c->v.type, VALUE_INT);
    assert_int_equal(c->v.i, value);
}

static void a_total_that_fell_counts_if_it_is_the_newer_one(void **state)
{
    struct op set = {.clock = clock_of(1, 1, 1), .total = 10}, up = delta_of(2, 2, 5),
              down = delta_of(2, 3, -5);
    struct record r = {0};

    (void)state;
    apply(&r, &set);
    apply(&r, &up);
    expect_shown(&r, 15);
    apply(&r, &down);
    expect_shown(&r, 5);
    apply(&r, &up);
    expect_shown(&r, 5);
    record_close(&r);
}

static void totals_without_a_value_show_nothing_until_it_comes(void **state)
{
    struct op set = {.clock = clock_of(1, 1, 1), .total = 10}, sold = delta_of(2, 2, -3);
    struct record r = {0}, back = {0};
    struct buf bytes;
    struct err e = {0};

    (void)state;
    apply(&r, &sold);
    assert_null(record_get(&r, 0));
    encode(&r, &bytes);
    assert_true(record_decode(&back, buf_slice(&bytes), &e));
    assert_null(record_get(&back, 0));
    apply(&back, &set);
    expect_shown(&back, 7);
    buf_close(&bytes);
    record_close(&r);
    record_close(&back);
}

static void what_is_no_number_is_shown_as_it_was_written(void **state)
{
    struct op sold = delta_of(2, 2, -3), set = {.clock = clock_of(9, 1, 9), .total = 4};
    struct cell unknown = {.v = {.type = VALUE_TEXT, .bytes = slice_text("many")},
                           .clock = clock_of(5, 1, 5),
                           .set = true};
    struct record r = {0};
    struct err e = {0};

    (void)state;
    apply(&r, &sold);
    assert_true(counter_set(&r, 0, &unknown, &e));
    assert_int_equal(record_get(&r, 0)->v.type, VALUE_TEXT);
    apply(&r, &set);
    expect_shown(&r, 1);
    record_close(&r);
}

/* The form of the sum is that of the last write, as far as the sum can have it. */
static void the_sum_has_the_form_of_what_was_written_last(void **state)
{
    struct record r = {0};
    struct cell set = {.v = {.type = VALUE_TEXT, .bytes = slice_text("10.00")},
                       .clock = clock_of(1, 1, 1),
                       .set = true};
    struct total t = {.gid = 1, .actor = 2, .number = 2, .stamp = 2, .form = DECIMAL_TEXT + 1};
    struct err e = {0};

    (void)state;
    assert_true(counter_set(&r, 0, &set, &e));
    t.total = (struct decimal){-1, 500000000000000000, 0};
    assert_true(counter_add(&r, 0, &t, &e));
    assert_true(slice_equal(record_get(&r, 0)->v.bytes, slice_text("9.5")));
    t.number = t.stamp = 3;
    t.form = DECIMAL_TEXT + 3;
    assert_true(counter_add(&r, 0, &t, &e));
    assert_true(slice_equal(record_get(&r, 0)->v.bytes, slice_text("9.500")));
    t.number = 4;
    t.stamp = 0; /* an earlier clock than the set's */
    t.form = DECIMAL_REAL;
    assert_true(counter_add(&r, 0, &t, &e));
    assert_true(slice_equal(record_get(&r, 0)->v.bytes, slice_text("9.50")));
    t.number = t.stamp = 5;
    assert_true(counter_add(&r, 0, &t, &e));
    assert_int_equal(record_get(&r, 0)->v.type, VALUE_REAL);
    assert_true(record_get(&r, 0)->v.r == 9.5);
    record_close(&r);
}

static void what_a_file_shows_has_everything_in_it(void **state)
{
    struct op set = {.clock = clock_of(1, 1, 1), .total = 10}, sold = delta_of(2, 2, -3),
              more = delta_of(2, 3, -4);
    struct value shown = {.type = VALUE_INT, .i = 6};
    struct record r = {0};

    (void)state;
    apply(&r, &set);
    apply(&r, &sold);
    counter_settle(&r, 0, &shown);
    expect_shown(&r, 6);
    apply(&r, &more);
    expect_shown(&r, 5);
    record_close(&r);
}

/* Of two rows that are one now all totals count, and one set. */
static void cells_of_united_rows_keep_all_totals(void **state)
{
    struct op set = {.clock = clock_of(1, 1, 1), .total = 10},
              other_set = {.clock = clock_of(2, 2, 1), .total = 20}, sold = delta_of(2, 2, -3),
              other_sold = delta_of(2, 4, -5);
    struct record a = {0}, b = {0};
    struct err e = {0};

    (void)state;
    apply(&a, &set);
    apply(&a, &sold);
    other_sold.gid = 2;
    apply(&b, &other_set);
    apply(&b, &other_sold);
    assert_true(counter_unite(&a, 0, record_cell(&b, 0), true, &e));
    expect_shown(&a, 12);
    apply(&a, &sold);
    expect_shown(&a, 12);
    record_close(&a);
    record_close(&b);
}

static void a_cell_has_no_more_totals_than_it_may(void **state)
{
    struct record r = {0};
    struct total t = {.actor = 1, .number = 1, .total = whole(DECIMAL_TOTAL_MAX)};
    struct cell set = {
        .v = {.type = VALUE_INT, .i = DECIMAL_VALUE_MAX}, .clock = clock_of(1, 1, 1), .set = true};
    struct err e = {0};

    (void)state;
    assert_true(counter_set(&r, 0, &set, &e));
    for (t.gid = 1; t.gid <= CELL_TOTALS_MAX; t.gid++)
        assert_true(counter_add(&r, 0, &t, &e));
    assert_false(counter_add(&r, 0, &t, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    expect_shown(&r, DECIMAL_VALUE_MAX + CELL_TOTALS_MAX * DECIMAL_TOTAL_MAX);
    t.gid = 1;
    t.number = 2;
    t.total = whole(0);
    assert_true(counter_add(&r, 0, &t, &e));
    record_close(&r);
}

/* Whatever bytes the disk gives back: a record or an error. */
static void damaged_counters_are_refused_or_read(void **state)
{
    struct random_source s = {test_seed(12)};
    int refused = 0;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct record r = {0}, back = {0};
        struct op ops[OPS_MAX];
        struct err e = {0};
        struct buf bytes;

        draw(&s, ops, OPS_MAX);
        for (uint32_t k = 0; k < OPS_MAX; k++)
            apply(&r, &ops[k]);
        encode(&r, &bytes);
        bytes.p[random_below(&s, (uint32_t)bytes.n)] = (uint8_t)random_next(&s);
        bytes.n -= random_below(&s, 2) ? random_below(&s, (uint32_t)bytes.n) : 0;
        refused += !record_decode(&back, buf_slice(&bytes), &e);
        buf_close(&bytes);
        record_close(&r);
        record_close(&back);
    }
    assert_true(refused > 500 && refused < 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_of_sets_and_totals_gives_the_same_cell),
        cmocka_unit_test(a_total_that_fell_counts_if_it_is_the_newer_one),
        cmocka_unit_test(totals_without_a_value_show_nothing_until_it_comes),
        cmocka_unit_test(what_is_no_number_is_shown_as_it_was_written),
        cmocka_unit_test(the_sum_has_the_form_of_what_was_written_last),
        cmocka_unit_test(what_a_file_shows_has_everything_in_it),
        cmocka_unit_test(cells_of_united_rows_keep_all_totals),
        cmocka_unit_test(a_cell_has_no_more_totals_than_it_may),
        cmocka_unit_test(damaged_counters_are_refused_or_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
