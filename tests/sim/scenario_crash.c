/* Stories of processes and PCs that die: at every single step of a piece of work, one after the
 * other, and everything is there exactly once afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scenario.h"
#include "sim.h"

#define QUIET_MS 120000

/* What PC 1 does when it dies. */
struct piece {
    enum process who;
    void (*before)(struct sim *s);
    void (*work)(struct sim *s);
    uint32_t steps_min; /* with fewer steps on the disk the test would test nothing */
};

/* PC 0 has news for PC 1, and PC 1's application has written too. */
static void open_shop(struct sim *s, const struct sim_options *o)
{
    sim_open(s, *o);
    sim_sql(s, 0,
            "INSERT INTO customer(id, mark, name) VALUES (1, 'c1', 'Ada'), (2, 'c2', 'Bea');"
            "INSERT INTO article(code, price) VALUES ('A7', '1.50'), ('A8', '2.50')");
    sim_run_until_quiet(s, QUIET_MS);
    sim_cut(s, 0, 1);
    sim_sql(s, 0,
            "INSERT INTO invoice(id, mark, customer_id, total) VALUES (101, 'i0', 1, '4.00');"
            "INSERT INTO line(mark, invoice_id, article, quantity) VALUES ('l0', 101, 'A7', 2);"
            "INSERT INTO article(code, price) VALUES ('A9', '9.00');"
            "UPDATE customer SET name = 'Ada L.' WHERE id = 1;"
            "DELETE FROM customer WHERE id = 2");
    node_drain(&s->nodes[0]);
    sim_sql(s, 0,
            "INSERT INTO line(mark, invoice_id, article, quantity) VALUES ('l1', 101, 'A9', 1);"
            "UPDATE article SET price = '1.75' WHERE code = 'A7'");
    node_drain(&s->nodes[0]);
    sim_sql(s, 1,
            "INSERT INTO invoice(id, mark, customer_id, total) VALUES (101, 'i1', 2, '2.50');"
            "INSERT INTO line(mark, invoice_id, article, quantity) VALUES ('l2', 101, 'A8', 1)");
}

static void drain(struct sim *s)
{
    node_drain(&s->nodes[1]);
}

static void receive(struct sim *s)
{
    sim_carry(s, 0, 1);
}

static void drain_and_receive(struct sim *s)
{
    drain(s);
    receive(s);
}

static void apply(struct sim *s)
{
    node_apply(&s->nodes[1]);
}

/* What the agent finds when it starts is a file that may have gone back. */
static void apply_in_vain(struct sim *s)
{
    drain_and_receive(s);
    apply(s);
    node_lose_power(&s->nodes[1], SURVIVES_NOTHING, 1000);
    s->deaths = 0;
}

static void recover(struct sim *s)
{
    node_agent_start(&s->nodes[1]);
    drain(s);
    apply(s);
}

static void sell(struct sim *s)
{
    sim_sql(s, 1,
            "INSERT INTO customer(mark, name) VALUES ('c3', 'Cleo');"
            "INSERT INTO invoice(mark, customer_id) VALUES ('i3', last_insert_rowid());"
            "UPDATE customer SET name = 'Bea B.' WHERE mark = 'c2'");
}

/* PC 1 dies at step `at` of the work; false when there is no such step any more. */
static bool survive(const struct piece *p, const struct sim_options *o, enum death how, uint32_t at)
{
    struct sim s;
    struct disk *disk;
    bool died;

    open_shop(&s, o);
    if (p->before != NULL)
        p->before(&s);
    disk = s.nodes[1].disk;
    disk_arm(disk, p->who, at, how);
    p->work(&s);
    died = s.deaths > 0;
    disk_arm(disk, p->who, 0, how);
    sim_heal_all(&s);
    sim_run_until_quiet(&s, QUIET_MS);
    sim_check_same(&s);
    if (!sim_close(&s))
        fail_msg("dying (%s, %s) at step %u", how == DEATH_KILL ? "kill" : "power", o->journal_mode,
                 at);
    return died;
}

static void survive_every_step(const struct piece *p)
{
    static const char *const modes[] = {"WAL", "DELETE"};

    for (size_t mode = 0; mode < COUNT_OF(modes); mode++)
        for (int fate = -1; fate < SURVIVES_COUNT; fate++) {
            enum survival survival = (enum survival)(fate < 0 ? 0 : fate);
            struct sim_options o = {.nodes = 2, .journal_mode = modes[mode], .survival = &survival};
            uint32_t at = 0;

            do
                o.seed = ++at;
            while (survive(p, &o, fate < 0 ? DEATH_KILL : DEATH_POWER, at));
            assert_in_range(at, p->steps_min + 1, 2000);
        }
}

static void a_drain_cut_off_at_any_step_publishes_everything_once(void **state)
{
    const struct piece piece = {PROCESS_AGENT, NULL, drain, 2};

    (void)state;
    survive_every_step(&piece);
}

static void receiving_cut_off_at_any_step_loses_and_doubles_nothing(void **state)
{
    const struct piece piece = {PROCESS_AGENT, drain, receive, 2};

    (void)state;
    survive_every_step(&piece);
}

static void an_apply_cut_off_at_any_step_loses_and_doubles_nothing(void **state)
{
    const struct piece piece = {PROCESS_AGENT, drain_and_receive, apply, 10};

    (void)state;
    survive_every_step(&piece);
}

static void an_agent_that_dies_at_any_step_of_its_recovery_recovers(void **state)
{
    const struct piece piece = {PROCESS_AGENT, apply_in_vain, recover, 4};

    (void)state;
    survive_every_step(&piece);
}

static void an_application_that_dies_at_any_step_of_a_commit_has_it_once_or_not_at_all(void **state)
{
    const struct piece piece = {PROCESS_APP, drain_and_receive, sell, 2};

    (void)state;
    survive_every_step(&piece);
}

/* The file is a copy from before the agent came. */
static void forget_capture(struct sim *s, uint32_t node)
{
    struct node *n = &s->nodes[node];
    char *triggers;

    node_agent_stop(n);
    triggers = sim_text(s, node,
                        "SELECT group_concat('DROP TRIGGER \"' || name || '\"', ';')"
                        " FROM sqlite_schema WHERE type = 'trigger'");
    sim_sql(s, node,
            "%s; DROP TABLE _navette_state; DROP TABLE _navette_dirty; DROP TABLE _navette_table;"
            " DROP TABLE _navette_placed",
            triggers);
    free(triggers);
    node_agent_start(n);
}

/* In none of the files anything of ours is left, and all ask the others who they are. */
static void a_fleet_of_which_no_file_remembers_anything_begins_again(void **state)
{
    struct sim s;

    (void)state;
    sim_open(&s, (struct sim_options){.nodes = 2, .seed = 1});
    for (uint32_t i = 0; i < 2; i++)
        forget_capture(&s, i);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(store_state(s.nodes[i].store), STORE_MATCHING);
    sim_sql(&s, 0, "INSERT INTO customer(id, mark, name) VALUES (1, 'c1', 'Ada')");
    sim_sql(&s, 1, "INSERT INTO customer(id, mark, name) VALUES (1, 'c2', 'Bea')");
    sim_run_until_quiet(&s, QUIET_MS);
    sim_check_same(&s);
    assert_true(sim_close(&s));
}

/* However early it comes: a file without capture in it would be a stranger's. */
static void a_power_cut_takes_back_no_capture(void **state)
{
    static const char *const modes[] = {"WAL", "DELETE", "TRUNCATE", "PERSIST"};
    struct sim s;

    (void)state;
    for (size_t m = 0; m < COUNT_OF(modes); m++) {
        sim_open(&s, (struct sim_options){.nodes = 2, .seed = 1, .journal_mode = modes[m]});
        node_lose_power(&s.nodes[1], SURVIVES_NOTHING, 0);
        sim_advance(&s, 10);
        assert_int_equal(store_state(s.nodes[1].store), STORE_READY);
        assert_true(sim_close(&s));
    }
}

int scenario_crash_run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drain_cut_off_at_any_step_publishes_everything_once),
        cmocka_unit_test(receiving_cut_off_at_any_step_loses_and_doubles_nothing),
        cmocka_unit_test(an_apply_cut_off_at_any_step_loses_and_doubles_nothing),
        cmocka_unit_test(an_agent_that_dies_at_any_step_of_its_recovery_recovers),
        cmocka_unit_test(
            an_application_that_dies_at_any_step_of_a_commit_has_it_once_or_not_at_all),
        cmocka_unit_test(a_fleet_of_which_no_file_remembers_anything_begins_again),
        cmocka_unit_test(a_power_cut_takes_back_no_capture),
    };

    return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
