/* What waits for a PC that is away, and until when. */
#include "absent.h"

#include "floor.h"

static void who_is_not_connected_is_absent(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    assert_null(absent_member(&a.agent));
    pc_stop(&b);
    AWAIT(&f, !is_talking(&a, &b));
    assert_string_equal(absent_member(&a.agent)->name, "B");
    floor_close(&f);
}

static void where_nothing_waits_nobody_is_waited_for(void **state)
{
    struct absent w = {0};
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    absent_are_gone(&w);
    assert_false(w.gone); /* it is said of what waits, not once and for all */
    assert_false(absent_tick(&w, &a.agent));
    assert_false(is_warned(&a, WARNING_LACKING));
    floor_close(&f);
}

/* What `from` made after what `to` has of it, and nothing else. */
static void carry_own(struct pc *from, struct pc *to)
{
    const struct actor *author = store_actor(from->agent.store);
    struct slice left, one;
    struct buf bytes;
    struct err e = {0};

    buf_open(&bytes, 1u << 20);
    must(store_fetch(from->agent.store, author, vector_get(store_have(to->agent.store), author),
                     1u << 20, &bytes, &e),
         &e);
    left = buf_slice(&bytes);
    while (store_fetch_next(&left, &one, &e)) {
        enum stage_result result;

        must(store_stage(to->agent.store, one, &result, &e), &e);
        assert_int_equal(result, STAGE_NEW);
    }
    must(e.code == ERR_NONE, &e);
    buf_close(&bytes);
    pump_staged(to->agent.pump);
}

/* A has of B what builds on a sale of C's that it has not; both are away. */
static void open_lacking(struct floor *f, struct pc *a, struct pc *b, struct pc *c)
{
    open_three_pcs(f, a, b, c, no_goods);
    c->config.peers[1] = b->config.listen;
    c->config.peer_count = 2;
    pc_start(a);
    pc_start(b);
    pc_start(c);
    AWAIT(f, is_settled(a) && is_settled(b) && is_settled(c) && is_talking(c, b));
    links_pause(a->agent.links, "its cable is pulled");
    sql(c, "INSERT INTO article VALUES (8, 'sold by C', 1, 1)");
    AWAIT(f, holds(b, "SELECT count(*) FROM article", "3") && is_at_rest(b));
    sql(b, "INSERT INTO article VALUES (9, 'sold by B', 1, 1)");
    AWAIT(f, is_at_rest(b) && holds(c, "SELECT count(*) FROM article", "4"));
    carry_own(b, a);
    pc_stop(b);
    pc_stop(c);
    links_resume(a->agent.links);
}

static void what_only_an_absent_one_can_have_is_told_until_it_is_here(void **state)
{
    struct floor f;
    struct pc a, b, c;

    (void)state;
    open_lacking(&f, &a, &b, &c);
    AWAIT(&f, is_warned(&a, WARNING_LACKING));
    assert_non_null(strstr(warned(&a, WARNING_LACKING), "1 change-set of B waits for one of C's"));
    assert_true(holds(&a, "SELECT count(*) FROM article", "2"));
    pc_start(&c);
    AWAIT(&f, holds(&a, "SELECT count(*) FROM article", "4"));
    AWAIT(&f, !is_warned(&a, WARNING_LACKING));
    floor_close(&f);
}

static void a_person_may_say_that_nobody_has_it_any_more(void **state)
{
    struct floor f;
    struct pc a, b, c;

    (void)state;
    open_lacking(&f, &a, &b, &c);
    AWAIT(&f, is_warned(&a, WARNING_LACKING));
    agent_sync_now(&a.agent, true, false);
    AWAIT(&f, holds(&a, "SELECT count(*) FROM article WHERE name = 'sold by B'", "1"));
    AWAIT(&f, !is_warned(&a, WARNING_LACKING));
    assert_true(holds(&a, "SELECT count(*) FROM article WHERE name = 'sold by C'", "0"));
    pc_start(&b); /* it turns up all the same */
    AWAIT(&f, holds(&a, "SELECT count(*) FROM article WHERE name = 'sold by C'", "1"));
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_not_connected_is_absent),
        cmocka_unit_test(where_nothing_waits_nobody_is_waited_for),
        cmocka_unit_test(what_only_an_absent_one_can_have_is_told_until_it_is_here),
        cmocka_unit_test(a_person_may_say_that_nobody_has_it_any_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
