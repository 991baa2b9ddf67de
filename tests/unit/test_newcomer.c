/* When a newcomer's rows may be compared with a member's. */
#include "newcomer.h"

#include "floor.h"

static void so_many_answers_are_kept_and_no_more(void **state)
{
    uv_loop_t loop;
    struct agent a = {.loop = &loop};
    struct newcomer n = {0};
    char text[16];

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    for (int i = 0; i < NEWCOMER_KEYS_MAX; i++) {
        snprintf(text, sizeof text, "keys%d", i);
        assert_true(newcomer_take_keys(&n, &a, slice_text(text)));
    }
    assert_false(newcomer_take_keys(&n, &a, slice_text("one more")));
    assert_int_equal(n.n, NEWCOMER_KEYS_MAX);
    assert_memory_equal(n.keys[3].p, "keys3", 5);
    newcomer_close(&n);
    assert_int_equal(n.n, 0);
    newcomer_close(&n);
    uv_loop_close(&loop);
}

/* B has rows that A may have, too, and nobody is there whom it could ask. */
static void open_one_that_waits(struct floor *f, struct pc *a, struct pc *b, struct pc *c)
{
    open_three_pcs(f, a, b, c, goods);
    pc_start(b);
    AWAIT(f, is_warned(b, WARNING_MATCHING));
}

static bool is_matched(const struct pc *pc)
{
    return pc->agent.store != NULL && store_state(pc->agent.store) == STORE_READY;
}

static void nobody_is_there_and_it_says_for_whom_it_waits(void **state)
{
    struct floor f;
    struct pc a, b, c;

    (void)state;
    open_one_that_waits(&f, &a, &b, &c);
    assert_non_null(strstr(warned(&b, WARNING_MATCHING), "it waits for A"));
    assert_false(is_matched(&b));
    pc_start(&a);
    AWAIT(&f, is_matched(&b));
    assert_false(is_warned(&b, WARNING_MATCHING));
    AWAIT(&f, is_settled(&b));
    assert_true(holds(&b, "SELECT count(*) FROM article", "2")); /* equal rows are one */
    floor_close(&f);
}

static void a_person_may_say_that_nobody_else_will_come(void **state)
{
    struct floor f;
    struct pc a, b, c;

    (void)state;
    open_one_that_waits(&f, &a, &b, &c);
    agent_sync_now(&b.agent, true, false);
    AWAIT(&f, is_matched(&b));
    assert_false(is_warned(&b, WARNING_MATCHING));
    floor_close(&f);
}

/* Who answers has all of its rows published: the one who is away cannot hold what is missing. */
static void the_answer_of_one_member_is_enough(void **state)
{
    struct floor f;
    struct pc a, b, c;

    (void)state;
    open_three_pcs(&f, &a, &b, &c, goods);
    pc_start(&a);
    pc_start(&c);
    AWAIT(&f, is_matched(&c));
    AWAIT(&f, holds(&c, "SELECT count(*) FROM article", "2"));
    floor_close(&f);
}

static void it_stops_while_it_waits_and_goes_on_waiting(void **state)
{
    struct floor f;
    struct pc a, b, c;

    (void)state;
    open_one_that_waits(&f, &a, &b, &c);
    pc_stop(&b);
    pc_start(&b);
    AWAIT(&f, is_warned(&b, WARNING_MATCHING));
    assert_false(is_matched(&b));
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_answers_are_kept_and_no_more),
        cmocka_unit_test(nobody_is_there_and_it_says_for_whom_it_waits),
        cmocka_unit_test(a_person_may_say_that_nobody_else_will_come),
        cmocka_unit_test(the_answer_of_one_member_is_enough),
        cmocka_unit_test(it_stops_while_it_waits_and_goes_on_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
