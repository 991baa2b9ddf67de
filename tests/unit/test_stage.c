/* Change-sets of others on their way into the log, alone and together, and what that costs. */
#include "doomed.h"

#define MADE 5

struct parcel {
    struct buf bytes;
    struct stage_item items[MADE];
    uint32_t n;
};

/* MADE change-sets of `a` that nobody has yet. */
static void make(struct site *a, struct parcel *p)
{
    uint64_t before = made_by(a);
    struct slice left, one;
    struct err e = {0};

    for (int i = 0; i < MADE; i++) {
        sql(a, "INSERT INTO client(name) VALUES ('Ana')");
        tick(a);
        drain_all(a);
    }
    *p = (struct parcel){0};
    buf_open(&p->bytes, 1u << 20);
    check(store_fetch(a->store, store_actor(a->store), before, 1u << 20, &p->bytes, &e), &e);
    for (left = buf_slice(&p->bytes); store_fetch_next(&left, &one, &e); p->n++)
        p->items[p->n].changeset = one;
    assert_int_equal(p->n, MADE);
}

static uint64_t has_of(struct site *b, struct site *a)
{
    return vector_get(store_have(b->store), store_actor(a->store));
}

static void together_they_cost_little_more_than_one(void **state)
{
    struct parcel p;
    struct site a, b;
    struct doomed d;
    uint32_t together, apart;

    (void)state;
    open_doomed_pair(&a, &b, &d, NULL, shop);
    make(&a, &p);
    apart = disk_steps(d.disk, PROCESS_AGENT);
    for (uint32_t i = 0; i < p.n; i++)
        store_stage_all(b.store, &p.items[i], 1);
    apart = disk_steps(d.disk, PROCESS_AGENT) - apart;
    apply_all(&b);
    buf_close(&p.bytes);
    make(&a, &p);
    together = disk_steps(d.disk, PROCESS_AGENT);
    store_stage_all(b.store, p.items, p.n);
    together = disk_steps(d.disk, PROCESS_AGENT) - together;
    for (uint32_t i = 0; i < p.n; i++)
        assert_true(p.items[i].ok && p.items[i].result == STAGE_NEW);
    assert_int_equal(has_of(&b, &a), made_by(&a));
    assert_in_range(together, 1, apart / 2);
    exchange(&a, &b);
    expect_same(&a, &b, "SELECT * FROM client ORDER BY id");
    buf_close(&p.bytes);
    close_doomed_pair(&a, &b, &d);
}

static void a_forged_one_fails_alone_and_its_followers_wait(void **state)
{
    struct parcel p;
    struct site a, b;
    uint64_t before;
    uint8_t *forged;

    (void)state;
    open_pair(&a, &b, shop, shop);
    before = has_of(&b, &a);
    make(&a, &p);
    forged = p.bytes.p + (p.items[2].changeset.p - p.bytes.p) + p.items[2].changeset.n - 1;
    *forged ^= 1;
    store_stage_all(b.store, p.items, p.n);
    assert_true(p.items[0].ok && p.items[1].ok);
    assert_int_equal(p.items[2].e.code, ERR_CRYPTO);
    assert_int_equal(p.items[3].e.code, ERR_GAP);
    assert_int_equal(p.items[4].e.code, ERR_GAP);
    assert_int_equal(has_of(&b, &a), before + 2);
    *forged ^= 1;
    store_stage_all(b.store, p.items, p.n);
    assert_true(p.items[0].ok && p.items[0].result == STAGE_KNOWN);
    assert_true(p.items[4].ok && p.items[4].result == STAGE_NEW);
    assert_int_equal(has_of(&b, &a), before + MADE);
    exchange(&a, &b);
    expect_same(&a, &b, "SELECT * FROM client ORDER BY id");
    buf_close(&p.bytes);
    close_pair(&a, &b);
}

/* What is said to be there is there, and nothing else is counted as had. */
static void a_disk_that_fails_at_any_step_takes_all_or_none(void **state)
{
    bool died = true;
    uint32_t at;
    struct site a, b;
    struct doomed d;

    (void)state;
    open_doomed_pair(&a, &b, &d, NULL, shop);
    for (at = 1; died; at++) {
        uint64_t before = has_of(&b, &a);
        uint32_t i, n = 0;
        struct parcel p;

        make(&a, &p);
        disk_arm(d.disk, PROCESS_AGENT, at, DEATH_KILL);
        store_stage_all(b.store, p.items, p.n);
        died = disk_dead(d.disk, PROCESS_AGENT);
        disk_arm(d.disk, PROCESS_AGENT, 0, DEATH_KILL);
        for (i = 0; i < p.n; i++)
            n += p.items[i].ok;
        assert_int_equal(n, died ? 0 : MADE);
        assert_int_equal(has_of(&b, &a), before + n);
        disk_revive(d.disk, PROCESS_AGENT);
        exchange(&a, &b);
        expect_same(&a, &b, "SELECT * FROM client ORDER BY id");
        buf_close(&p.bytes);
    }
    assert_in_range(at, 5, 500);
    close_doomed_pair(&a, &b, &d);
}

/* What became of it is noted elsewhere: its bytes, which may be many, are written once. */
static void a_change_set_is_not_written_again_when_it_is_applied(void **state)
{
    struct stage_item item = {.ok = false};
    uint32_t start, staging, applying;
    struct site a, b;
    struct doomed d;
    struct buf bytes;
    struct err e = {0};

    (void)state;
    open_doomed_pair(&a, &b, &d, NULL, shop);
    sql(&a, "INSERT INTO client(name) VALUES (hex(zeroblob(2000000)))");
    tick(&a);
    drain_all(&a);
    buf_open(&bytes, 16u << 20);
    check(store_fetch(a.store, store_actor(a.store), made_by(&a) - 1, 16u << 20, &bytes, &e), &e);
    item.changeset = buf_slice(&bytes);
    start = disk_steps(d.disk, PROCESS_AGENT);
    store_stage_all(b.store, &item, 1);
    check(item.ok, &item.e);
    staging = disk_steps(d.disk, PROCESS_AGENT) - start;
    apply_all(&b);
    applying = disk_steps(d.disk, PROCESS_AGENT) - start - staging;
    assert_in_range(staging, 500, 2000);
    /* The row is written to the ledger (as many steps) and to the file, whose pages are half as
     * large (twice as many), and which makes a checkpoint of one step for each. */
    assert_in_range(applying, staging, staging * 9 / 2);
    expect_same(&a, &b, "SELECT count(*), sum(length(name)) FROM client");
    buf_close(&bytes);
    close_doomed_pair(&a, &b, &d);
}

/* What a file brings shows that this PC said other things before it went back: no link knows of it
 * yet, and all of them are to ask for the rest. */
static void a_history_that_comes_by_hand_is_asked_for_on_every_link(void **state)
{
    struct stage_item item = {.by_hand = true};
    struct site a, b;
    struct slice left;
    struct buf bytes;
    struct err e = {0};
    uint32_t history;

    (void)state;
    open_pair(&a, &b, shop, shop);
    work(&b);
    keep_ledger(&b);
    keep_database(&b);
    sql(&b, "INSERT INTO client(name) VALUES ('before')");
    exchange(&a, &b);
    put_ledger_back(&b);
    put_database_back(&b, &b);
    later();
    open_store(&b);
    sql(&b, "INSERT INTO client(name) VALUES ('since')");
    work(&b);
    history = store_history(b.store);
    buf_open(&bytes, 1u << 20);
    check(store_fetch(a.store, store_actor(b.store), 0, 1u << 19, &bytes, &e), &e);
    for (left = buf_slice(&bytes); store_fetch_next(&left, &item.changeset, &e);)
        store_stage_all(b.store, &item, 1);
    assert_true(item.ok);
    assert_int_not_equal(store_history(b.store), history);
    buf_close(&bytes);
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(together_they_cost_little_more_than_one),
        cmocka_unit_test(a_forged_one_fails_alone_and_its_followers_wait),
        cmocka_unit_test(a_disk_that_fails_at_any_step_takes_all_or_none),
        cmocka_unit_test(a_change_set_is_not_written_again_when_it_is_applied),
        cmocka_unit_test(a_history_that_comes_by_hand_is_asked_for_on_every_link),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
