/* export.c: what a PC lacks, in a file. */
#include "carried.h"

static void a_file_has_what_the_other_lacks_and_nothing_twice(void **state)
{
    struct floor f;
    struct carried c;
    struct pc a, b;

    (void)state;
    open_apart(&f, &a, &b);
    c = export_to(&a, a.directory, "");
    must(c.e.code == ERR_NONE, &c.e);
    assert_int_equal(c.files, 1);
    assert_true(c.changesets > 0);
    assert_non_null(strstr(c.path, "/export_A_"));
    assert_true(file_exists(c.path));
    must(import_from(&b, c.path).e.code == ERR_NONE, &c.e);
    AWAIT(&f, holds(&b, "SELECT count(*) FROM article", "2") && is_at_rest(&b));
    /* b tells what it has with a file of its own, and a sends nothing of that again. */
    sql(&b, "UPDATE article SET price = 11");
    c = export_to(&b, b.directory, "A");
    assert_int_equal(import_from(&a, c.path).changesets, c.changesets);
    AWAIT(&f, holds(&a, "SELECT min(price) FROM article", "11"));
    sql(&a, "UPDATE article SET stock = 5 WHERE id = 1");
    AWAIT(&f, is_at_rest(&a));
    floor_turns(&f, 20);
    c = export_to(&a, a.directory, "B");
    assert_int_equal(c.changesets, 1);
    floor_close(&f);
}

static void nothing_is_written_where_nothing_is_lacking(void **state)
{
    struct floor f;
    struct carried c;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    c = export_to(&a, a.directory, "B");
    must(c.e.code == ERR_NONE, &c.e);
    assert_int_equal(c.files, 0);
    assert_int_equal(c.changesets, 0);
    floor_close(&f);
}

static void expect_refused(struct pc *pc, const char *directory, const char *peer, const char *says)
{
    struct carried c = {0};
    struct err e = {0};

    if (agent_drop_export(&pc->agent, directory, peer, on_carried, &c, &e)) {
        AWAIT(pc->floor, c.is_done);
        e = c.e;
    }
    if (strstr(e.text, says) == NULL)
        fail_msg("%s", e.text);
}

static void a_place_or_a_pc_that_is_none_is_refused_by_name(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    expect_refused(&a, a.directory, "NOBODY", "NOBODY");
    expect_refused(&a, "", "", "--to DIR");
    expect_refused(&a, "/nowhere/at/all", "", "/nowhere/at/all");
    pump_close_store(a.agent.pump, "a test asks for it");
    expect_refused(&a, a.directory, "", "not open");
    floor_close(&f);
}

/* Who carries the stick has seen the sale: it must be on it. */
static void what_was_written_a_moment_ago_goes_along_or_is_waited_for(void **state)
{
    struct carried c = {0};
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_apart(&f, &a, &b);
    sql(&a, "UPDATE article SET price = 12");
    assert_false(agent_drop_export(&a.agent, a.directory, "", on_carried, &c, &e));
    assert_int_equal(e.code, ERR_BUSY);
    c = export_to(&a, a.directory, "");
    import_from(&b, c.path);
    AWAIT(&f, holds(&b, "SELECT min(price) FROM article", "12"));
    floor_close(&f);
}

/* The thread is still writing when the one who asked goes, or the agent stops. */
static void whoever_asked_may_go_at_any_moment(void **state)
{
    (void)state;
    for (int turns = 0; turns < 8; turns++) {
        struct carried c = {0};
        struct floor f;
        struct err e = {0};
        struct pc a, b;

        open_apart(&f, &a, &b);
        must(agent_drop_export(&a.agent, a.directory, "", on_carried, &c, &e), &e);
        floor_turns(&f, turns);
        if (turns % 2 == 0) {
            bool was_done = c.is_done;

            agent_drop_forget(&a.agent, &c);
            floor_turns(&f, 20);
            assert_int_equal(c.is_done, was_done);
        } else if (!c.is_done) {
            agent_drop_forget(&a.agent, &c); /* as control does when it stops */
            pc_stop(&a);
            assert_false(c.is_done);
        }
        floor_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_has_what_the_other_lacks_and_nothing_twice),
        cmocka_unit_test(nothing_is_written_where_nothing_is_lacking),
        cmocka_unit_test(a_place_or_a_pc_that_is_none_is_refused_by_name),
        cmocka_unit_test(what_was_written_a_moment_ago_goes_along_or_is_waited_for),
        cmocka_unit_test(whoever_asked_may_go_at_any_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
