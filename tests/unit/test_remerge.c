/* What is merged anew is merged in slices, while all else waits, and all of it counts at once, or
 * none. What it comes to is tested in test_correct.c. */
#include "doomed.h"
#include "library.h"
#include "rules_of.h"

#include <navette/ahead.h>

#include "remerge.h"

#define ROWS       60
#define SLICE_ROWS 20
#define MINUTE_MS  UINT64_C(60000)
#define YEARS_MS   (4 * 365 * 24 * 60 * MINUTE_MS)

static const char goods[] = "CREATE TABLE article(id INTEGER PRIMARY KEY, price TEXT);";
static const char by_a[] = "SELECT count(*) FROM article WHERE price = 'a'";
static const char by_c[] = "SELECT count(*) FROM article WHERE price = 'c'";
static const char all[] = "SELECT id, price FROM article ORDER BY id";

/* C has believed what B wrote with its clock years ahead, as its own was; it beat what A wrote. */
struct scene {
    struct site a, b, c;
    struct doomed db, dc;
};

static void open_scene(struct scene *s)
{
    struct err e = {0};
    bool did;

    *s = (struct scene){0};
    open_doomed_pair(&s->a, &s->b, &s->db, NULL, goods);
    doom_site(&s->c, &s->dc, "c");
    join_site(&s->a, &s->c, "C", goods);
    share_rules(&s->a, &s->b);
    for (int i = 0; i < ROWS; i++)
        sql(&s->a, "INSERT INTO article(price) VALUES ('1')");
    exchange(&s->a, &s->b);
    exchange(&s->a, &s->c);
    s->db.ms += YEARS_MS;
    s->dc.ms += YEARS_MS + MINUTE_MS;
    sql(&s->b, "UPDATE article SET price = 'b'");
    work(&s->b);
    carry(&s->b, &s->c);
    work(&s->c);
    s->db.ms = s->dc.ms = wall_ms() - MINUTE_MS;
    tick(&s->b);
    check(store_correct(s->b.store, s->b.now_ms, &did, &e), &e);
    assert_true(did);
    for (int i = 1; i <= ROWS; i++) { /* each in a change-set of its own */
        char text[80];

        snprintf(text, sizeof text, "UPDATE article SET price = 'a' WHERE id = %d", i);
        sql(&s->a, text);
        work(&s->a);
    }
    carry(&s->a, &s->c);
    work(&s->c);
    expect(&s->c, by_a, "0");
    carry(&s->b, &s->c);
    s->c.store->remerge_slice = SLICE_ROWS;
}

static void close_scene(struct scene *s)
{
    close_site(&s->c);
    disk_free(s->dc.disk);
    close_doomed_pair(&s->a, &s->b, &s->db);
}

static void drain_once(struct site *s)
{
    struct store_progress p;
    struct err e = {0};

    tick(s);
    check(store_drain(s->store, s->now_ms, &p, &e), &e);
    assert_int_equal(p.more, remerge_is_under_way(s->store));
}

static void go_halfway(struct scene *s)
{
    for (int i = 0; i < 8; i++) {
        drain_once(&s->c);
        assert_true(remerge_is_under_way(s->c.store));
        expect(&s->c, by_a, "0");
    }
}

static void expect_settled(struct scene *s)
{
    work(&s->c);
    expect(&s->c, by_a, "60");
    exchange(&s->a, &s->b);
    exchange(&s->a, &s->c);
    expect_same(&s->a, &s->b, all);
    expect_same(&s->a, &s->c, all);
}

static void it_is_done_in_slices_while_all_else_waits(void **state)
{
    struct store_progress p;
    enum stage_result result;
    struct slice left, one;
    struct err e = {0};
    struct scene s;
    struct buf bytes;
    uint64_t have;
    int slices = 8;

    (void)state;
    open_scene(&s);
    go_halfway(&s);
    sql(&s.a, "INSERT INTO article(price) VALUES ('new')");
    work(&s.a);
    have = vector_get(store_have(s.c.store), store_actor(s.a.store));
    buf_open(&bytes, 1u << 20);
    check(store_fetch(s.a.store, store_actor(s.a.store), have, 1u << 20, &bytes, &e), &e);
    left = buf_slice(&bytes);
    assert_true(store_fetch_next(&left, &one, &e));
    assert_false(store_stage(s.c.store, one, &result, &e));
    assert_int_equal(e.code, ERR_BUSY);
    err_clear(&e);
    assert_false(store_track(s.c.store, NULL, 0, &e));
    assert_int_equal(e.code, ERR_BUSY);
    err_clear(&e);
    check(store_apply(s.c.store, s.c.now_ms, &p, &e), &e);
    assert_true(p.more && remerge_is_under_way(s.c.store));
    for (; remerge_is_under_way(s.c.store); slices++)
        drain_once(&s.c);
    assert_true(slices > ROWS * 3 / SLICE_ROWS);
    assert_false(s.c.store->ledger.outdated);
    check(store_stage(s.c.store, one, &result, &e), &e);
    buf_close(&bytes);
    expect_settled(&s);
    close_scene(&s);
}

static void a_crash_in_the_middle_begins_it_again(void **state)
{
    struct scene s;

    (void)state;
    for (int power = 0; power < 2; power++) {
        open_scene(&s);
        go_halfway(&s);
        if (power)
            lose_power(&s.c, &s.dc, SURVIVES_ANY);
        else
            restart_agent(&s.c, &s.dc);
        assert_true(s.c.store->ledger.outdated);
        expect_settled(&s);
        close_scene(&s);
    }
}

/* What does not wait, takes its place; so often that it is never done nobody can do that. */
static void another_transaction_takes_its_place_and_then_it_is_done_in_one_go(void **state)
{
    struct err e = {0};
    struct scene s;

    (void)state;
    open_scene(&s);
    go_halfway(&s);
    check(store_meta_set(s.c.store, "test", slice_text("kept"), &e), &e); /* it waits */
    assert_true(remerge_is_under_way(s.c.store));
    check(ledger_begin(&s.c.store->ledger, false, &e), &e);
    check(ledger_commit(&s.c.store->ledger, &e), &e);
    assert_false(remerge_is_under_way(s.c.store));
    work(&s.c);
    expect(&s.c, by_a, "0");
    assert_true(s.c.store->ledger.outdated);
    s.dc.ms += MINUTE_MS;
    drain_once(&s.c);
    assert_false(remerge_is_under_way(s.c.store) || s.c.store->ledger.outdated);
    expect_settled(&s);
    close_scene(&s);
}

/* What had lost to what the file shows was in that file, too. */
static void what_is_written_meanwhile_stands_over_all_that_was_merged(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s);
    sql(&s.c, "UPDATE article SET price = 'c' WHERE id = 1"); /* over b; its clock is behind a's */
    work(&s.c);
    expect(&s.c, by_c, "1");
    exchange(&s.a, &s.c);
    exchange(&s.a, &s.b);
    expect(&s.a, by_c, "1");
    expect(&s.a, by_a, "59");
    expect_same(&s.a, &s.b, all);
    expect_same(&s.a, &s.c, all);
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_done_in_slices_while_all_else_waits),
        cmocka_unit_test(a_crash_in_the_middle_begins_it_again),
        cmocka_unit_test(another_transaction_takes_its_place_and_then_it_is_done_in_one_go),
        cmocka_unit_test(what_is_written_meanwhile_stands_over_all_that_was_merged),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
