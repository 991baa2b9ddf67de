/* Stories of PCs that work apart and meet again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clocks.h"
#include "scenario.h"

#define QUIET_MS 60000

static void open_three(struct sim *s)
{
    sim_open(s, (struct sim_options){.nodes = 3, .seed = 1});
}

static void expect_at(struct sim *s, uint32_t node, const char *sql, const char *text)
{
    char *found = sim_text(s, node, sql);

    if (strcmp(found, text) != 0)
        sim_fail(s, "PC %u: %s gives \"%s\" and not \"%s\"", node, sql, found, text);
    free(found);
}

static void expect(struct sim *s, const char *sql, const char *text)
{
    for (uint32_t i = 0; i < s->options.nodes; i++)
        expect_at(s, i, sql, text);
}

static void finish(struct sim *s)
{
    sim_heal_all(s);
    sim_run_until_quiet(s, QUIET_MS);
    sim_check_same(s);
}

static void a_sale_on_one_pc_arrives_whole_on_all(void **state)
{
    struct sim s;

    (void)state;
    open_three(&s);
    sim_sql(&s, 0,
            "INSERT INTO customer(id, mark, name) VALUES (1, 'c1', 'Ada');"
            "INSERT INTO article(code, price) VALUES ('A7', '12.50');"
            "INSERT INTO invoice(id, mark, customer_id, total) VALUES (1, 'i1', 1, '25.00');"
            "INSERT INTO line(mark, invoice_id, article, quantity) VALUES ('l1', 1, 'A7', 2)");
    finish(&s);
    expect(&s,
           "SELECT c.name || a.price || i.total || l.quantity FROM line l "
           "JOIN invoice i ON i.id = l.invoice_id JOIN customer c ON c.id = i.customer_id "
           "JOIN article a ON a.code = l.article",
           "Ada12.5252");
    assert_true(sim_close(&s));
}

static void both_sides_of_a_split_edit_one_row_and_agree_after_it(void **state)
{
    struct sim s;

    (void)state;
    open_three(&s);
    sim_sql(&s, 0, "INSERT INTO customer(id, mark, name) VALUES (1, 'c1', 'Ada')");
    sim_run_until_quiet(&s, QUIET_MS);
    sim_cut_all(&s, 0);
    sim_sql(&s, 0, "UPDATE customer SET name = 'left'");
    sim_sql(&s, 1, "UPDATE customer SET name = 'right'");
    sim_advance(&s, 20000);
    finish(&s);
    assert_true(sim_close(&s));
}

static void an_edit_made_after_seeing_a_value_beats_it_even_on_a_slow_clock(void **state)
{
    struct sim s;

    (void)state;
    open_three(&s);
    s.nodes[0].skew_ms = SIM_SKEW_MS;
    s.nodes[1].skew_ms = -SIM_SKEW_MS;
    sim_advance(&s, 1);
    sim_sql(&s, 0, "INSERT INTO customer(id, mark, name) VALUES (1, 'c1', 'Ada')");
    sim_run_until_quiet(&s, QUIET_MS);
    sim_sql(&s, 1, "UPDATE customer SET name = 'second'");
    finish(&s);
    expect(&s, "SELECT name FROM customer", "second");
    assert_true(sim_close(&s));
}

static void a_delete_and_a_later_edit_meet_and_the_row_lives_whole(void **state)
{
    struct sim s;

    (void)state;
    open_three(&s);
    sim_sql(&s, 0, "INSERT INTO customer(id, mark, name) VALUES (1, 'c1', 'Ada')");
    sim_run_until_quiet(&s, QUIET_MS);
    s.nodes[0].skew_ms = s.nodes[1].skew_ms = 0;
    sim_cut(&s, 0, 1);
    sim_cut(&s, 1, 2);
    sim_advance(&s, 1000);
    sim_sql(&s, 0, "DELETE FROM customer");
    sim_advance(&s, 1000);
    sim_sql(&s, 1, "UPDATE customer SET name = 'later'");
    sim_advance(&s, 1000);
    finish(&s);
    expect(&s, "SELECT mark || name FROM customer", "c1later");
    assert_true(sim_close(&s));
}

static void an_edit_and_a_later_delete_meet_and_the_row_is_gone(void **state)
{
    struct sim s;

    (void)state;
    open_three(&s);
    sim_sql(&s, 0, "INSERT INTO customer(id, mark, name) VALUES (1, 'c1', 'Ada')");
    sim_run_until_quiet(&s, QUIET_MS);
    s.nodes[0].skew_ms = s.nodes[1].skew_ms = 0;
    sim_cut(&s, 0, 1);
    sim_cut(&s, 1, 2);
    sim_advance(&s, 1000);
    sim_sql(&s, 1, "UPDATE customer SET name = 'earlier'");
    sim_advance(&s, 1000);
    sim_sql(&s, 0, "DELETE FROM customer");
    sim_advance(&s, 1000);
    finish(&s);
    expect(&s, "SELECT count(*) FROM customer", "0");
    assert_true(sim_close(&s));
}

static void two_tills_give_invoice_101_to_two_sales_and_keep_both(void **state)
{
    struct sim s;

    (void)state;
    open_three(&s);
    sim_cut_all(&s, 0);
    for (uint32_t i = 0; i < 2; i++) {
        sim_sql(&s, i,
                "INSERT INTO invoice(id, mark, total) VALUES (101, 'i%u', '%u0.00');"
                "INSERT INTO line(mark, invoice_id, quantity) VALUES ('la%u', 101, 1);"
                "INSERT INTO line(mark, invoice_id, quantity) VALUES ('lb%u', 101, 2)",
                i, i + 1, i, i);
    }
    finish(&s);
    expect(&s, "SELECT count(*) FROM invoice", "2");
    expect(&s,
           "SELECT group_concat(x, ' ') FROM (SELECT i.mark || l.mark AS x FROM line l "
           "JOIN invoice i ON i.id = l.invoice_id ORDER BY l.mark)",
           "i0la0 i1la1 i0lb0 i1lb1");
    assert_true(sim_close(&s));
}

static void the_same_article_entered_on_two_pcs_is_one_article(void **state)
{
    struct sim s;

    (void)state;
    open_three(&s);
    sim_cut_all(&s, 0);
    sim_sql(&s, 0,
            "INSERT INTO article(code, price) VALUES ('A7', '1.00');"
            "INSERT INTO invoice(id, mark) VALUES (1, 'i0');"
            "INSERT INTO line(mark, invoice_id, article) VALUES ('l0', 1, 'A7')");
    sim_sql(&s, 1,
            "INSERT INTO article(code, price) VALUES ('A7', '2.00');"
            "INSERT INTO invoice(id, mark) VALUES (1, 'i1');"
            "INSERT INTO line(mark, invoice_id, article) VALUES ('l1', 1, 'A7')");
    finish(&s);
    expect(&s, "SELECT count(*) FROM article", "1");
    expect(&s, "SELECT count(*) FROM line JOIN article ON code = article", "2");
    assert_true(sim_close(&s));
}

static void a_line_sold_for_an_invoice_deleted_elsewhere_never_dangles(void **state)
{
    struct sim s;

    (void)state;
    open_three(&s);
    sim_sql(&s, 0, "INSERT INTO invoice(id, mark) VALUES (1, 'i1')");
    sim_run_until_quiet(&s, QUIET_MS);
    sim_cut_all(&s, 0);
    sim_sql(&s, 0, "DELETE FROM invoice");
    sim_sql(&s, 1, "INSERT INTO line(mark, invoice_id, quantity) VALUES ('l1', 1, 3)");
    finish(&s);
    expect(&s, "SELECT count(*) FROM line JOIN invoice ON invoice.id = invoice_id", "1");
    assert_true(sim_close(&s));
}

static void two_swap_through_a_third_that_knows_both(void **state)
{
    struct sim s;

    (void)state;
    open_three(&s);
    sim_cut(&s, 0, 1);
    sim_sql(&s, 0, "INSERT INTO customer(id, mark, name) VALUES (1, 'c0', 'Ada')");
    sim_sql(&s, 1, "INSERT INTO customer(id, mark, name) VALUES (1, 'c1', 'Bea')");
    sim_run_until_quiet(&s, QUIET_MS);
    expect(&s, "SELECT count(*) FROM customer", "2");
    sim_check_same(&s);
    assert_true(sim_close(&s));
}

static void three_pcs_agree_with_any_one_of_them_away(void **state)
{
    (void)state;
    for (uint32_t away = 0; away < 3; away++) {
        uint32_t here = (away + 1) % 3, there = (away + 2) % 3;
        struct sim s;

        open_three(&s);
        sim_advance(&s, 5000);
        node_agent_stop(&s.nodes[away]);
        sim_sql(&s, away, "INSERT INTO customer(id, mark, name) VALUES (1, 'away', 'A')");
        sim_sql(&s, here, "INSERT INTO customer(id, mark, name) VALUES (1, 'here', 'H')");
        sim_sql(&s, there, "INSERT INTO customer(id, mark, name) VALUES (1, 'there', 'T')");
        sim_advance(&s, 20000);
        /* What one of them learned while `away` was off reaches it from the other one. */
        node_agent_stop(&s.nodes[here]);
        s.nodes[away].agent_ms = s.now_ms + 100;
        sim_advance(&s, 20000);
        s.nodes[here].agent_ms = s.now_ms;
        finish(&s);
        expect(&s, "SELECT count(*) FROM customer", "3");
        assert_true(sim_close(&s));
    }
}

static void two_pcs_without_a_network_agree_by_files_carried_both_ways(void **state)
{
    struct sim s;

    (void)state;
    sim_open(&s, (struct sim_options){.nodes = 2, .seed = 1});
    sim_cut_all(&s, 0);
    for (uint32_t i = 0; i < 2; i++) {
        sim_sql(&s, i, "INSERT INTO customer(id, mark, name) VALUES (1, 'c%u', 'N')", i);
        sim_advance(&s, 5000);
        sim_sql(&s, i, "UPDATE customer SET name = 'M' WHERE mark = 'c%u'", i);
        sim_advance(&s, 5000);
    }
    for (int twice = 0; twice < 2; twice++) {
        sim_carry(&s, 0, 1);
        sim_carry(&s, 1, 0);
    }
    sim_run_until_quiet(&s, QUIET_MS);
    expect(&s, "SELECT count(*) FROM customer WHERE name = 'M'", "2");
    sim_check_same(&s);
    assert_true(sim_close(&s));
}

/* ---- a file that is a copy, and its PC a newcomer ---- */

static void fill_shop(struct sim *s)
{
    sim_sql(
        s, 0,
        "INSERT INTO customer(id, mark, name) WITH RECURSIVE n(i) AS"
        " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT i, 'c' || i, 'Ada' FROM n;"
        "INSERT INTO article(code, price) WITH RECURSIVE n(i) AS"
        " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)"
        " SELECT 'A' || i, i || '.25' FROM n;"
        "INSERT INTO invoice(id, mark, customer_id, total) WITH RECURSIVE n(i) AS"
        " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
        " SELECT i, 'i' || i, 1 + i * 7 %% 300, i || '.00' FROM n;"
        "INSERT INTO line(mark, invoice_id, article, quantity) WITH RECURSIVE n(i) AS"
        " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
        " SELECT 'l' || i, 1 + i * 11 %% 300, 'A' || (1 + i * 13 %% 150), 2 FROM n");
    sim_run_until_quiet(s, QUIET_MS);
}

/* Its file stays: that of a copy, on which people have worked since its first rows were said. */
static void lose_home(struct sim *s, uint32_t node)
{
    struct node *n = &s->nodes[node];
    char path[SIM_PATH_BYTES + 16];

    sim_sql(s, node,
            "UPDATE customer SET name = 'Bea' WHERE id IN (7, 70, 71);"
            "DELETE FROM article WHERE code = 'A199';"
            "UPDATE invoice SET total = '0.25' WHERE id = 300;"
            "DELETE FROM line WHERE mark = 'l150'");
    sim_run_until_quiet(s, QUIET_MS);
    node_agent_stop(n);
    disk_settle(n->disk);
    snprintf(path, sizeof path, "%s/ledger.db", n->folder);
    disk_remove_database(n->disk, path);
    node_agent_start(n);
}

static void an_edited_copy_is_told_in_outline_what_it_has(void **state)
{
    uint32_t outlines, asks;
    struct sim s;

    (void)state;
    sim_open(&s, (struct sim_options){.nodes = 2, .seed = 1});
    fill_shop(&s);
    lose_home(&s, 1);
    sim_run_until_quiet(&s, QUIET_MS);
    sim_check_same(&s);
    expect(&s, "SELECT count(*) FROM line", "299");
    outlines = s.outlines;
    asks = s.outline_asks;
    assert_true(sim_close(&s));
    assert_true(outlines > 0);
    assert_true(asks > 0);
}

static void a_newcomer_that_dies_anywhere_in_an_outline_begins_again(void **state)
{
    uint32_t outlines = 0;
    struct sim s;

    (void)state;
    for (uint64_t step = 1; step < 40; step += 4) {
        sim_open(&s, (struct sim_options){.nodes = 2, .seed = step, .loss_percent = 2});
        fill_shop(&s);
        lose_home(&s, 1);
        disk_arm(s.nodes[1].disk, PROCESS_AGENT, step, step % 8 < 4 ? DEATH_KILL : DEATH_POWER);
        sim_advance(&s, 20000);
        disk_arm(s.nodes[1].disk, PROCESS_AGENT, 0, DEATH_KILL);
        node_agent_start(&s.nodes[1]);
        finish(&s);
        outlines += s.outlines;
        assert_true(sim_close(&s));
    }
    assert_true(outlines > 0);
}

/* One sale with the clock years ahead; and what the till sells afterwards, by a clock that is
 * right, comes after it. */
static void a_till_whose_clock_ran_years_ahead_reaches_the_others_again(void **state)
{
    struct sim s;

    (void)state;
    open_three(&s);
    clocks_set(&s.nodes[1], INT64_C(4) * 365 * 86400 * 1000);
    sim_sql(&s, 1, "INSERT INTO customer(id, mark, name) VALUES (1, 'c1', 'Ada')");
    sim_advance(&s, 10000);
    expect_at(&s, 0, "SELECT count(*) FROM customer", "0");
    sim_cut_all(&s, 1);
    clocks_set(&s.nodes[1], 0);
    sim_sql(&s, 1, "INSERT INTO customer(id, mark, name) VALUES (2, 'c2', 'Bea')");
    sim_advance(&s, 30000);
    sim_heal_all(&s);
    sim_advance(&s, 30000);
    expect(&s, "SELECT group_concat(name) FROM (SELECT name FROM customer ORDER BY name)",
           "Ada,Bea");
    sim_sql(&s, 2, "UPDATE customer SET name = 'Anna' WHERE mark = 'c1'");
    finish(&s);
    expect(&s, "SELECT name FROM customer WHERE mark = 'c1'", "Anna");
    assert_true(sim_close(&s));
}

int scenario_fleet_run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sale_on_one_pc_arrives_whole_on_all),
        cmocka_unit_test(both_sides_of_a_split_edit_one_row_and_agree_after_it),
        cmocka_unit_test(an_edit_made_after_seeing_a_value_beats_it_even_on_a_slow_clock),
        cmocka_unit_test(a_till_whose_clock_ran_years_ahead_reaches_the_others_again),
        cmocka_unit_test(a_delete_and_a_later_edit_meet_and_the_row_lives_whole),
        cmocka_unit_test(an_edit_and_a_later_delete_meet_and_the_row_is_gone),
        cmocka_unit_test(two_tills_give_invoice_101_to_two_sales_and_keep_both),
        cmocka_unit_test(the_same_article_entered_on_two_pcs_is_one_article),
        cmocka_unit_test(a_line_sold_for_an_invoice_deleted_elsewhere_never_dangles),
        cmocka_unit_test(two_swap_through_a_third_that_knows_both),
        cmocka_unit_test(three_pcs_agree_with_any_one_of_them_away),
        cmocka_unit_test(two_pcs_without_a_network_agree_by_files_carried_both_ways),
        cmocka_unit_test(an_edited_copy_is_told_in_outline_what_it_has),
        cmocka_unit_test(a_newcomer_that_dies_anywhere_in_an_outline_begins_again),
    };

    return cmocka_run_group_tests_name("fleet", tests, NULL, NULL);
}
