/* When the store drains, applies and is opened again. */
#include "floor.h"

static void it_is_idle_when_all_is_done_and_says_what_it_did(void **state)
{
    struct floor f;
    struct pc a, b;
    uint64_t drained, applied;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    AWAIT(&f, pump_is_idle(a.agent.pump) && pump_is_idle(b.agent.pump));
    drained = pump_times(a.agent.pump)->drain_rows;
    applied = pump_times(b.agent.pump)->apply_rows;
    sql(&a, "UPDATE article SET stock = 7");
    AWAIT(&f,
          is_settled(&a) && is_settled(&b) && holds(&b, "SELECT sum(stock) FROM article", "14"));
    assert_int_equal(pump_times(a.agent.pump)->drain_rows, drained + 2);
    assert_int_equal(pump_times(b.agent.pump)->apply_rows, applied + 2);
    assert_true(pump_times(a.agent.pump)->drain_us_max > 0);
    assert_true(pump_times(a.agent.pump)->turn_us_max > 0);
    floor_close(&f);
}

/* It is taken in in slices, each of them a call in which nobody is heard. */
static void a_slice_of_a_drain_is_timed_before_the_drain_is_done(void **state)
{
    struct floor f;
    struct pc a, b;
    uint64_t drains, longest;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    AWAIT(&f, pump_is_idle(a.agent.pump));
    drains = pump_times(a.agent.pump)->drains;
    longest = pump_times(a.agent.pump)->drain_us_max;
    sql(&a, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
            " INSERT INTO article(name, price) SELECT hex(randomblob(500)), 1 FROM n");
    AWAIT(&f, pump_times(a.agent.pump)->drain_us_max > longest);
    assert_int_equal(pump_times(a.agent.pump)->drains, drains);
    floor_close(&f);
}

/* B's application holds its file, and A's changes a price: B has tried `times` to write it. */
static void open_held(struct floor *f, struct pc *a, struct pc *b, uint64_t times)
{
    open_pair_of_pcs(f, a, b);
    sql(b, "BEGIN IMMEDIATE");
    sql(a, "UPDATE article SET price = 11 WHERE id = 1");
    AWAIT(f, pump_times(b->agent.pump)->busy >= times);
}

/* The till holds its file: nothing waits for it but the change, and that is not lost. */
static void a_file_that_is_held_is_tried_again_until_it_is_let_go(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_held(&f, &a, &b, 4);
    assert_false(pump_is_idle(b.agent.pump));
    assert_false(is_settled(&b));
    assert_true(is_talking(&a, &b)); /* the loop goes on meanwhile */
    assert_true(holds(&b, "SELECT price FROM article WHERE id = 1", "10"));
    sql(&b, "COMMIT");
    AWAIT(&f, holds(&b, "SELECT price FROM article WHERE id = 1", "11"));
    assert_false(is_warned(&b, WARNING_BUSY)); /* a moment is nobody's business */
    floor_close(&f);
}

/* Its till holds the file of a newcomer in the moment that its rows would be matched. */
static void a_newcomer_whose_file_is_held_is_matched_when_it_is_let_go(void **state)
{
    struct floor f = {0};
    struct pc a, b;

    (void)state;
    open_pc_and_newcomer(&f, &a, &b);
    sql(&b, "BEGIN IMMEDIATE");
    pc_start(&a);
    pc_start(&b);
    AWAIT(&f, pump_times(b.agent.pump)->busy > 0);
    assert_int_equal(store_state(b.agent.store), STORE_MATCHING);
    sql(&b, "COMMIT"); /* and writes nothing more */
    AWAIT(&f, holds(&b, "SELECT count(*) FROM article", "2"));
    floor_close(&f);
}

#define TABLE(name) "CREATE TABLE " name "(id INTEGER PRIMARY KEY, text TEXT);"

/* Two commits that one turn of the loop sees: the other one has the next, and peers have theirs. */
static void a_till_that_commits_all_the_time_leaves_the_loop_its_turns(void **state)
{
    uint64_t drained;
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    AWAIT(&f, pump_is_idle(a.agent.pump) && pump_is_idle(b.agent.pump));
    drained = pump_times(a.agent.pump)->drains;
    sql(&a, "UPDATE article SET stock = 5");
    pump_changed(a.agent.pump);
    sql(&a, "UPDATE article SET stock = 6");
    pump_changed(a.agent.pump);
    assert_int_equal(pump_times(a.agent.pump)->drains, drained + 1);
    assert_false(pump_is_idle(a.agent.pump));
    AWAIT(&f, holds(&b, "SELECT sum(stock) FROM article", "12"));
    assert_int_equal(pump_times(a.agent.pump)->drains, drained + 2);
    floor_close(&f);
}

static void a_table_that_comes_later_is_tracked_even_while_rows_wait_for_others(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    AWAIT(&f, pump_is_idle(a.agent.pump) && pump_is_idle(b.agent.pump));
    sql(&a, TABLE("note") "INSERT INTO note VALUES (1, 'a')");
    sql(&a, TABLE("never") "INSERT INTO never VALUES (1, 'a')");
    AWAIT(&f, is_warned(&b, WARNING_PARKED));
    sql(&b, TABLE("note") "INSERT INTO note VALUES (1, 'b')");
    AWAIT(&f, holds(&a, "SELECT count(*) FROM note", "2") &&
                  holds(&b, "SELECT count(*) FROM note", "2"));
    assert_true(is_warned(&b, WARNING_PARKED));
    sql(&b, TABLE("never"));
    AWAIT(&f, is_settled(&a) && is_settled(&b) && !is_warned(&b, WARNING_PARKED));
    assert_true(holds(&b, "SELECT text FROM never", "a"));
    floor_close(&f);
}

static void a_change_waits_until_the_application_has_been_quiet(void **state)
{
    struct floor f;
    struct pc a, b;
    uint64_t wrote_ms;

    (void)state;
    open_pc_and_newcomer(&f, &a, &b);
    b.config.quiet_ms = 300;
    b.config.quiet_wait_ms = 5000;
    pc_start(&a);
    pc_start(&b);
    AWAIT(&f, holds(&b, "SELECT count(*) FROM article", "2") && is_settled(&a) && is_settled(&b));
    sql(&b, "UPDATE article SET stock = 50 WHERE id = 2");
    wrote_ms = floor_now();
    sql(&a, "UPDATE article SET price = 11 WHERE id = 1");
    AWAIT(&f, holds(&b, "SELECT price FROM article WHERE id = 1", "11"));
    assert_true(floor_now() - wrote_ms >= 300);
    floor_close(&f);
}

static void a_change_does_not_wait_for_ever_for_a_busy_till(void **state)
{
    struct floor f = {0};
    struct pc a, b;

    (void)state;
    open_pc_and_newcomer(&f, &a, &b);
    b.config.quiet_ms = 300;
    b.config.quiet_wait_ms = 600;
    pc_start(&a);
    pc_start(&b);
    AWAIT(&f, holds(&b, "SELECT count(*) FROM article", "2") && is_settled(&a) && is_settled(&b));
    sql(&a, "UPDATE article SET price = 11 WHERE id = 1");
    /* It sells and sells: never a quiet moment. */
    AWAIT(&f, (sql(&b, "UPDATE article SET stock = stock - 1 WHERE id = 2"),
               holds(&b, "SELECT price FROM article WHERE id = 1", "11")));
    floor_close(&f);
}

/* store-failed: it says what cannot be done, goes on by itself, and is over when it can. */
static void what_cannot_be_done_is_told_until_it_can(void **state)
{
    struct floor f = {0};
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_pc_and_newcomer(&f, &a, &b);
    remove_tree(b.home.backup);
    must(file_write_atomic(b.home.backup, slice_text("in the way"), 0600, &e), &e);
    pc_start(&a);
    pc_start(&b);
    AWAIT(&f, is_warned(&b, WARNING_STORE));
    assert_non_null(strstr(warned(&b, WARNING_STORE), "copy the database before the first change"));
    assert_non_null(strstr(warned(&b, WARNING_STORE), b.home.backup));
    assert_true(holds(&b, "SELECT count(*) FROM article", "0"));
    must(file_remove(b.home.backup, &e) && file_make_directory(b.home.backup, 0700, &e), &e);
    AWAIT(&f, holds(&b, "SELECT count(*) FROM article", "2"));
    AWAIT(&f, !is_warned(&b, WARNING_STORE));
    floor_close(&f);
}

static void what_failed_elsewhere_is_over_when_it_goes_well(void **state)
{
    struct floor f;
    struct pc a, b;
    struct err full = {ERR_FULL, "no space"}, broken = {ERR_STORE, "cannot read"},
               busy = {ERR_BUSY, "later"};

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    pump_failed(a.agent.pump, "look", &busy);
    assert_false(is_warned(&a, WARNING_STORE));
    pump_failed(a.agent.pump, "stage", &full);
    pump_failed(a.agent.pump, "look", &broken);
    assert_string_equal(warned(&a, WARNING_DISK_FULL), "stage: no space");
    assert_string_equal(warned(&a, WARNING_STORE), "look: cannot read");
    pump_went_well(a.agent.pump);
    assert_false(is_warned(&a, WARNING_DISK_FULL) || is_warned(&a, WARNING_STORE));
    floor_close(&f);
}

static void the_store_is_opened_again_and_nothing_is_lost(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    sql(&a, "UPDATE article SET price = 11 WHERE id = 1");
    pump_reopen(a.agent.pump, "a test asks for it");
    pump_close_store(b.agent.pump, "a test asks for it");
    assert_null(b.agent.store);
    assert_int_equal(b.agent.store_trouble.code, ERR_BUSY);
    pump_reopen(b.agent.pump, "a test asks for it");
    AWAIT(&f, holds(&b, "SELECT price FROM article WHERE id = 1", "11"));
    floor_close(&f);
}

static void it_stops_while_the_application_holds_its_file(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_held(&f, &a, &b, 1);
    pc_stop(&b);
    sql(&b, "COMMIT");
    pc_start(&b);
    AWAIT(&f, holds(&b, "SELECT price FROM article WHERE id = 1", "11"));
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_idle_when_all_is_done_and_says_what_it_did),
        cmocka_unit_test(a_slice_of_a_drain_is_timed_before_the_drain_is_done),
        cmocka_unit_test(a_file_that_is_held_is_tried_again_until_it_is_let_go),
        cmocka_unit_test(a_newcomer_whose_file_is_held_is_matched_when_it_is_let_go),
        cmocka_unit_test(a_till_that_commits_all_the_time_leaves_the_loop_its_turns),
        cmocka_unit_test(a_table_that_comes_later_is_tracked_even_while_rows_wait_for_others),
        cmocka_unit_test(a_change_waits_until_the_application_has_been_quiet),
        cmocka_unit_test(a_change_does_not_wait_for_ever_for_a_busy_till),
        cmocka_unit_test(what_cannot_be_done_is_told_until_it_can),
        cmocka_unit_test(what_failed_elsewhere_is_over_when_it_goes_well),
        cmocka_unit_test(the_store_is_opened_again_and_nothing_is_lost),
        cmocka_unit_test(it_stops_while_the_application_holds_its_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
