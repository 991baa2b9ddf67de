/* Stories of PCs that write into one place apart: each of them lists the same, once, whatever died
 * while they learned of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <navette/conflicts.h>

#include "scenario.h"
#include "sim.h"

#define QUIET_MS   120000
#define LINE_BYTES 300
#define LISTED_MAX 64
#define ALL_BYTES  (LINE_BYTES * LISTED_MAX)

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static const char *shown(const struct store_write *w)
{
    return w->value != NULL ? w->value : w->type;
}

/* What a PC lists, without its own numbers and keys, sorted. */
static uint32_t list(struct sim *s, struct node *n, char all[ALL_BYTES])
{
    static char lines[LISTED_MAX][LINE_BYTES];
    struct store_conflicts c = {0};
    struct err e = {0};
    uint32_t count;

    all[0] = '\0';
    if (!sim_ok(s))
        return 0;
    if (!store_conflicts(n->store, 0, 100, &c, &e))
        sim_fail_err(s, n, "list the conflicts", &e);
    count = c.n;
    assert_in_range(count, 0, LISTED_MAX);
    for (uint32_t i = 0; i < count; i++) {
        const struct store_conflict *one = &c.list[i];

        snprintf(lines[i], sizeof lines[i], "%s %s %s: %s of %s, %s of %s\n", one->row.label,
                 one->column, one->why, shown(&one->lost), one->lost.by, shown(&one->won),
                 one->won.by);
    }
    qsort(lines, count, sizeof lines[0], by_text);
    for (uint32_t i = 0; i < count; i++)
        strncat(all, lines[i], ALL_BYTES - strlen(all) - 1);
    store_conflicts_close(&c);
    return count;
}

/* All PCs list the same: so many entries. */
static uint32_t check_lists(struct sim *s)
{
    static char first[ALL_BYTES], other[ALL_BYTES];
    uint32_t count = list(s, &s->nodes[0], first);

    for (uint32_t i = 1; i < s->options.nodes && sim_ok(s); i++) {
        list(s, &s->nodes[i], other);
        if (strcmp(first, other) != 0)
            sim_fail(s, "PC 0 lists\n%sand PC %u\n%s", first, i, other);
    }
    return count;
}

static void finish(struct sim *s)
{
    sim_heal_all(s);
    sim_run_until_quiet(s, QUIET_MS);
    sim_check_same(s);
}

/* ---- dying ---- */

/* Both wrote into the same places; PC 1 has what PC 0 wrote and dies at this step of its merge. */
static bool dies_at(uint32_t at, enum death how, const char *journal_mode)
{
    static const enum survival survival = SURVIVES_NOTHING;
    struct sim s;
    uint32_t count;
    bool died;

    sim_open(&s, (struct sim_options){
                     .nodes = 2, .seed = at, .journal_mode = journal_mode, .survival = &survival});
    sim_sql(&s, 0,
            "INSERT INTO customer(id, mark, name) VALUES (1, 'c1', 'Ada'), (2, 'c2', 'Bea');"
            "INSERT INTO article(code, price) VALUES ('A7', '1.50')");
    sim_run_until_quiet(&s, QUIET_MS);
    sim_cut(&s, 0, 1);
    sim_sql(&s, 0,
            "UPDATE customer SET name = 'left'; UPDATE article SET price = '1.75';"
            "INSERT INTO article(code, price) VALUES ('A8', '3.00')");
    node_drain(&s.nodes[0]);
    sim_advance(&s, 1000);
    sim_sql(&s, 1,
            "UPDATE customer SET name = 'right'; DELETE FROM article;"
            "INSERT INTO article(code, price) VALUES ('A8', '4.00')");
    node_drain(&s.nodes[1]);
    sim_carry(&s, 0, 1);
    disk_arm(s.nodes[1].disk, PROCESS_AGENT, at, how);
    node_apply(&s.nodes[1]);
    died = s.deaths > 0;
    disk_arm(s.nodes[1].disk, PROCESS_AGENT, 0, how);
    finish(&s);
    count = check_lists(&s);
    if (sim_ok(&s) && count != 4)
        sim_fail(&s, "%u conflicts are listed, and not 4", count);
    if (!sim_close(&s))
        fail_msg("dying (%s, %s) at step %u", how == DEATH_KILL ? "kill" : "power", journal_mode,
                 at);
    return died;
}

static void a_pc_that_dies_at_any_step_of_a_merge_lists_every_conflict_once(void **state)
{
    static const char *const modes[] = {"WAL", "DELETE"};

    (void)state;
    for (size_t mode = 0; mode < COUNT_OF(modes); mode++)
        for (int how = DEATH_KILL; how <= DEATH_POWER; how++) {
            uint32_t at = 1;

            while (dies_at(at, (enum death)how, modes[mode]))
                at++;
            assert_in_range(at, 10, 2000);
        }
}

/* ---- meeting in any order ---- */

static void write_somewhere(struct sim *s, struct rng *r, uint32_t node, uint32_t value)
{
    switch (rng_below(r, 6)) {
    case 0:
        sim_sql(s, node, "DELETE FROM article WHERE code = 'A7'");
        break;
    case 1:
        sim_sql(s, node, "INSERT OR REPLACE INTO article(code, price) VALUES ('A7', '%u.00')",
                value);
        break;
    case 2:
        sim_sql(s, node, "UPDATE article SET price = '%u.50' WHERE code = 'A8'", value);
        break;
    default:
        sim_sql(s, node, "UPDATE customer SET name = 'n%u' WHERE mark = 'c1'", value);
        break;
    }
    node_drain(&s->nodes[node]);
}

static void pcs_that_meet_in_any_order_list_the_same(void **state)
{
    uint32_t listed = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct rng r = {seed};
        struct sim s;

        sim_open(&s, (struct sim_options){.nodes = 3, .seed = seed});
        sim_sql(&s, 0,
                "INSERT INTO customer(id, mark, name) VALUES (1, 'c1', 'Ada');"
                "INSERT INTO article(code, price) VALUES ('A7', '1.50'), ('A8', '2.50')");
        sim_run_until_quiet(&s, QUIET_MS);
        for (uint32_t i = 0; i < 3; i++)
            sim_cut_all(&s, i);
        for (uint32_t step = 0; step < 24; step++) {
            uint32_t node = rng_below(&r, 3), other = (node + 1 + rng_below(&r, 2)) % 3;

            write_somewhere(&s, &r, node, step);
            sim_advance(&s, 100);
            if (rng_chance(&r, 40)) {
                sim_carry(&s, node, other);
                node_apply(&s.nodes[other]);
            }
        }
        finish(&s);
        listed += check_lists(&s);
        assert_true(sim_close(&s));
    }
    assert_in_range(listed, 20, 20 * LISTED_MAX);
}

int scenario_conflict_run(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pc_that_dies_at_any_step_of_a_merge_lists_every_conflict_once),
        cmocka_unit_test(pcs_that_meet_in_any_order_list_the_same),
    };

    return cmocka_run_group_tests_name("conflict", tests, NULL, NULL);
}
