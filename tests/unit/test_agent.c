/* A whole agent: opened, stopped at any moment, and what follows from another fleet or a doubt. */
#include "floor.h"

static void a_commit_on_one_pc_is_in_the_database_of_the_other(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    sql(&a, "UPDATE article SET price = 11 WHERE id = 1");
    AWAIT(&f, holds(&b, "SELECT price FROM article WHERE id = 1", "11"));
    sql(&b, "INSERT INTO article VALUES (3, 'soap', 5, 1)");
    AWAIT(&f, holds(&a, "SELECT name FROM article WHERE price = 5", "soap"));
    floor_close(&f);
}

/* Whatever is under way when it is told to. */
static void it_stops_whole_after_any_number_of_turns(void **state)
{
    (void)state;
    for (int turns = 0; turns < 40; turns += 3) {
        struct floor f = {0};
        struct pc a, b;

        open_pc_and_newcomer(&f, &a, &b);
        pc_start(&a);
        pc_start(&b);
        sql(&a, "UPDATE article SET stock = 7");
        floor_turns(&f, turns);
        pc_stop(&b);
        floor_close(&f);
    }
}

static void what_was_written_while_it_was_stopped_is_sent_when_it_runs_again(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    pc_stop(&b);
    sql(&b, "UPDATE article SET price = 12 WHERE id = 1");
    sql(&a, "UPDATE article SET price = 21 WHERE id = 2");
    pc_start(&b);
    AWAIT(&f, holds(&a, "SELECT price FROM article WHERE id = 1", "12"));
    AWAIT(&f, holds(&b, "SELECT price FROM article WHERE id = 2", "21"));
    floor_close(&f);
}

static void a_home_that_is_not_whole_is_refused_and_undone(void **state)
{
    struct floor f = {0};
    struct err e = {0};
    struct pc a;

    (void)state;
    open_founding_pc(&f, &a, goods);
    must(config_save(&a.config, a.home.conf, &e), &e);
    must(file_write_atomic(a.home.identity, slice_text("short"), 0600, &e), &e);
    assert_int_equal(uv_loop_init(&a.loop), 0);
    assert_false(agent_open(&a.agent, &a.loop, a.home_path, &e));
    assert_non_null(strstr(e.text, "identity"));
    pc_stop(&a);
    floor_close(&f);
}

static void a_second_agent_on_one_home_is_refused(void **state)
{
    struct floor f = {0};
    struct agent second;
    struct err e = {0};
    struct pc a;
    uv_loop_t loop;

    (void)state;
    open_founding_pc(&f, &a, goods);
    pc_start(&a);
    AWAIT(&f, a.agent.store != NULL);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_false(agent_open(&second, &loop, a.home_path, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    agent_stop(&second);
    agent_run(&second);
    agent_close(&second);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_true(home_is_served(&a.home)); /* the first one goes on */
    floor_close(&f);
}

/* Whoever may be a copy captures, and says nothing. */
static void a_doubt_silences_it_and_outlives_a_restart(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    agent_doubt(&b.agent, "seen %s", "twice");
    AWAIT(&f, b.agent.store == NULL && !is_talking(&a, &b));
    assert_string_equal(warned(&b, WARNING_IDENTITY), "seen twice");
    agent_doubt(&b.agent, "again");
    assert_string_equal(b.agent.doubt, "seen twice"); /* the first one stands */
    sql(&b, "UPDATE article SET price = 13 WHERE id = 1");
    pc_stop(&b);
    pc_start(&b);
    assert_true(is_warned(&b, WARNING_IDENTITY));
    sql(&a, "UPDATE article SET price = 22 WHERE id = 2");
    AWAIT(&f, is_settled(&a) == false && is_warned(&a, WARNING_NO_PEER));
    assert_true(holds(&b, "SELECT price FROM article WHERE id = 2", "20"));
    pc_stop(&b);
    must(origin_confirm(&b.home, &(struct err){0}), &(struct err){0});
    pc_start(&b);
    AWAIT(&f, holds(&a, "SELECT price FROM article WHERE id = 1", "13"));
    AWAIT(&f, holds(&b, "SELECT price FROM article WHERE id = 2", "22"));
    floor_close(&f);
}

static void the_clock_is_read_once_a_turn(void **state)
{
    struct floor f = {0};
    struct pc a;
    uint64_t first;

    (void)state;
    open_founding_pc(&f, &a, goods);
    pc_start(&a);
    first = agent_wall_ms(&a.agent);
    assert_true(first > UINT64_C(1700000000000) || first > 0);
    assert_int_equal(agent_wall_ms(&a.agent), first);
    AWAIT(&f, agent_wall_ms(&a.agent) > first);
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_commit_on_one_pc_is_in_the_database_of_the_other),
        cmocka_unit_test(it_stops_whole_after_any_number_of_turns),
        cmocka_unit_test(what_was_written_while_it_was_stopped_is_sent_when_it_runs_again),
        cmocka_unit_test(a_home_that_is_not_whole_is_refused_and_undone),
        cmocka_unit_test(a_second_agent_on_one_home_is_refused),
        cmocka_unit_test(a_doubt_silences_it_and_outlives_a_restart),
        cmocka_unit_test(the_clock_is_read_once_a_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
