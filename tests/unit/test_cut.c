/* Change-sets of one that was shut out: up to the cut they count, beyond it they do not. Also of
 * belief.c. */
#include "library.h"
#include "sites.h"

struct three {
    struct site a, b, c; /* c is shut out */
};

static void roster_goes(struct site *from, struct site *to)
{
    struct err e = {0};
    bool changed;

    check(roster_merge(&to->roster, buf_slice(&from->roster.log), &changed, &e), &e);
    if (to->store != NULL)
        store_roster_changed(to->store);
}

static void open_three(struct three *t)
{
    *t = (struct three){0};
    open_pair(&t->a, &t->b, shop, shop);
    join_site(&t->a, &t->c, "C", shop);
    exchange(&t->a, &t->c);
    roster_goes(&t->a, &t->b);
    exchange(&t->a, &t->b);
}

static void close_three(struct three *t)
{
    close_pair(&t->a, &t->b);
    close_site(&t->c);
}

/* `a` shuts `c` out, with all that it has of it. */
static void shut_out(struct three *t)
{
    struct vector logged = {0};
    struct err e = {0};

    store_logged(t->a.store, &logged);
    check(roster_revoke(&t->a.roster, &t->c.keys.site, &logged, &t->a.keys, &e), &e);
    store_roster_changed(t->a.store);
    vector_close(&logged);
}

static uint64_t has_of(const struct site *s, const struct site *author)
{
    return vector_get(store_have(s->store), store_actor(author->store));
}

static void sell(struct site *s, const char *name)
{
    char text[128];

    snprintf(text, sizeof text, "INSERT INTO client(name) VALUES ('%s')", name);
    sql(s, text);
    tick(s);
    drain_all(s);
}

/* The latest change-set of `from` by `author` comes to `to`. */
static struct stage_item offer(struct site *from, struct site *author, struct site *to)
{
    struct stage_item item = {0};
    struct buf bytes = {0};
    struct err e = {0};

    buf_open(&bytes, 1u << 20);
    check(store_fetch(from->store, store_actor(author->store),
                      vector_get(store_have(to->store), store_actor(author->store)), 1, &bytes, &e),
          &e);
    item.changeset = buf_slice(&bytes);
    assert_true(bytes.n > 0);
    store_stage_all(to->store, &item, 1);
    buf_close(&bytes);
    return item;
}

static void what_came_before_stays_and_what_comes_later_is_refused(void **state)
{
    struct three t;
    struct stage_item item;

    (void)state;
    open_three(&t);
    sell(&t.c, "before");
    exchange(&t.a, &t.c);
    shut_out(&t);
    sell(&t.c, "after");
    item = offer(&t.c, &t.c, &t.a);
    assert_false(item.ok);
    assert_int_equal(item.e.code, ERR_STRANGER);
    assert_memory_equal(&item.shut_out, &t.c.keys.site, sizeof item.shut_out);
    expect(&t.a, "SELECT name FROM client WHERE name IN ('before', 'after')", "before");
    /* Whoever has not got it all yet may still have it, from anybody. */
    roster_goes(&t.a, &t.b);
    assert_true(has_of(&t.b, &t.c) < has_of(&t.a, &t.c));
    exchange(&t.a, &t.b);
    assert_int_equal(has_of(&t.b, &t.c), has_of(&t.a, &t.c));
    expect(&t.b, "SELECT name FROM client WHERE name IN ('before', 'after')", "before");
    item = offer(&t.c, &t.c, &t.b);
    assert_false(item.ok);
    close_three(&t);
}

/* b hears of it too late: it keeps what it has, and tells and gives nobody of it. */
static void what_was_taken_in_too_late_is_neither_told_nor_given(void **state)
{
    struct three t;
    struct buf bytes = {0};
    struct err e = {0};
    uint32_t history;
    uint64_t cut;

    (void)state;
    open_three(&t);
    shut_out(&t);
    cut = has_of(&t.a, &t.c);
    sell(&t.c, "late");
    exchange(&t.b, &t.c);
    expect(&t.b, "SELECT name FROM client WHERE name = 'late'", "late");
    assert_int_equal(has_of(&t.b, &t.c), cut + 1);
    history = store_history(t.b.store);
    roster_goes(&t.a, &t.b);
    assert_int_not_equal(store_history(t.b.store), history);
    assert_int_equal(has_of(&t.b, &t.c), cut);
    assert_int_equal(store_distrusted(t.b.store, &t.c.keys.site), 1);
    assert_int_equal(store_distrusted(t.a.store, &t.c.keys.site), 0);
    buf_open(&bytes, 1u << 20);
    check(store_fetch(t.b.store, store_actor(t.c.store), cut, 1u << 20, &bytes, &e), &e);
    assert_int_equal(bytes.n, 0);
    buf_close(&bytes);
    /* Nor after a restart. */
    close_store(&t.b);
    open_store(&t.b);
    assert_int_equal(has_of(&t.b, &t.c), cut);
    close_three(&t);
}

/* b went on from what c had said too late; its own sales must reach a all the same. */
static void who_built_on_what_nobody_believes_is_not_held_up(void **state)
{
    struct three t;

    (void)state;
    open_three(&t);
    shut_out(&t);
    sell(&t.c, "late");
    exchange(&t.b, &t.c);
    sell(&t.b, "mine");
    roster_goes(&t.a, &t.b);
    exchange(&t.a, &t.b);
    expect(&t.a, "SELECT name FROM client WHERE name IN ('late', 'mine')", "mine");
    assert_true(vector_covers(store_applied(t.a.store), store_have(t.a.store)));
    close_three(&t);
}

static void a_cut_that_is_moved_lets_in_what_was_left_out(void **state)
{
    struct three t;
    struct vector logged = {0};
    struct err e = {0};

    (void)state;
    open_three(&t);
    shut_out(&t);
    sell(&t.c, "late");
    exchange(&t.b, &t.c);
    sell(&t.b, "mine");
    roster_goes(&t.a, &t.b);
    exchange(&t.a, &t.b);
    store_logged(t.b.store, &logged);
    check(roster_revoke(&t.b.roster, &t.c.keys.site, &logged, &t.b.keys, &e), &e);
    vector_close(&logged);
    store_roster_changed(t.b.store);
    assert_int_equal(store_distrusted(t.b.store, &t.c.keys.site), 0);
    roster_goes(&t.b, &t.a);
    exchange(&t.a, &t.b);
    expect_same(&t.a, &t.b, "SELECT id, name FROM client ORDER BY id");
    expect(&t.a, "SELECT count(*) FROM client WHERE name = 'late'", "1");
    close_three(&t);
}

/* Who is shut out keeps what it writes, and can still show it. */
static void one_that_is_shut_out_believes_itself(void **state)
{
    struct three t;
    uint64_t made;

    (void)state;
    open_three(&t);
    shut_out(&t);
    roster_goes(&t.a, &t.c);
    sell(&t.c, "alone");
    made = made_by(&t.c);
    assert_int_equal(made, has_of(&t.a, &t.c) + 1);
    close_store(&t.c);
    open_store(&t.c);
    assert_int_equal(made_by(&t.c), made);
    assert_int_equal(status_of(&t.c).marks, 0);
    close_three(&t);
}

static void a_name_that_was_changed_does_not_change_marks(void **state)
{
    struct three t;
    char name[NAME_BYTES_MAX + 1];
    struct err e = {0};

    (void)state;
    open_three(&t);
    check(roster_rename(&t.a.roster, &t.b.keys.site, "OFFICE", &t.a.keys, name, &e), &e);
    roster_goes(&t.a, &t.b);
    sql(&t.a, "INSERT INTO article(ref, price) VALUES ('R1', 1)");
    later();
    sql(&t.b, "INSERT INTO article(ref, price) VALUES ('R1', 2)");
    exchange(&t.a, &t.b);
    exchange(&t.a, &t.b);
    expect(&t.a, "SELECT ref FROM article ORDER BY ref", "#B-R1 R1");
    expect(&t.b, "SELECT ref FROM article ORDER BY ref", "#B-R1 R1");
    close_three(&t);
}

static void the_ledger_keeps_the_roster_over_a_restart(void **state)
{
    struct three t;
    struct buf kept;
    struct err e = {0};

    (void)state;
    open_three(&t);
    buf_open(&kept, ROSTER_BYTES_MAX);
    check(store_roster_kept(t.a.store, &kept, &e), &e);
    assert_int_equal(kept.n, 0);
    shut_out(&t);
    check(store_roster_keep(t.a.store, &e), &e);
    close_store(&t.a);
    open_store(&t.a);
    check(store_roster_kept(t.a.store, &kept, &e), &e);
    assert_true(slice_equal(buf_slice(&kept), buf_slice(&t.a.roster.log)));
    buf_close(&kept);
    close_three(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_before_stays_and_what_comes_later_is_refused),
        cmocka_unit_test(what_was_taken_in_too_late_is_neither_told_nor_given),
        cmocka_unit_test(who_built_on_what_nobody_believes_is_not_held_up),
        cmocka_unit_test(a_cut_that_is_moved_lets_in_what_was_left_out),
        cmocka_unit_test(one_that_is_shut_out_believes_itself),
        cmocka_unit_test(the_ledger_keeps_the_roster_over_a_restart),
        cmocka_unit_test(a_name_that_was_changed_does_not_change_marks),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
