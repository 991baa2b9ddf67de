#include "week.h"

#include "clocks.h"
#include "oracle_see.h"
#include "people.h"
#include "restore.h"
#include "ruling.h"

#define EVENTS   60
#define QUIET_MS 180000

struct week {
    struct sim sim;
    struct rng rng;
    bool calm;
    struct restore restore;
    struct people people;
    struct clocks clocks;
    struct rng joins, rules;
    bool copied; /* the first PC has not drained all that it had written before it was copied */
};

static uint32_t draw_node(struct week *w)
{
    return rng_below(&w->rng, w->sim.options.nodes);
}

/* Another one than `node`. */
static uint32_t draw_other(struct week *w, uint32_t node)
{
    return (node + 1 + rng_below(&w->rng, w->sim.options.nodes - 1)) % w->sim.options.nodes;
}

static void sell(struct week *w)
{
    node_transaction(&w->sim.nodes[draw_node(w)]);
}

/* A PC that is busy for a while. */
static void sell_much(struct week *w)
{
    struct node *n = &w->sim.nodes[draw_node(w)];

    for (uint32_t i = rng_below(&w->rng, 6); i > 0; i--)
        node_transaction(n);
}

static void cut(struct week *w)
{
    uint32_t a = draw_node(w);

    if (rng_chance(&w->rng, 30))
        sim_cut_all(&w->sim, a);
    else
        sim_cut(&w->sim, a, draw_other(w, a));
}

static void heal(struct week *w)
{
    uint32_t a = draw_node(w);

    if (rng_chance(&w->rng, 40))
        sim_heal_all(&w->sim);
    else
        sim_heal(&w->sim, a, draw_other(w, a));
}

/* A process will die at some step of its next work. */
static void doom(struct week *w)
{
    struct node *n = &w->sim.nodes[draw_node(w)];
    enum process p = rng_chance(&w->rng, 65) ? PROCESS_AGENT : PROCESS_APP;
    enum death how = w->calm || rng_chance(&w->rng, 50) ? DEATH_KILL : DEATH_POWER;

    sim_trace(&w->sim, n, "is doomed");
    disk_arm(n->disk, p, 1 + rng_below(&w->rng, rng_chance(&w->rng, 50) ? 12 : 80), how);
}

static void pull_plug(struct week *w)
{
    enum survival survival = (enum survival)rng_below(&w->rng, SURVIVES_COUNT);

    if (!w->calm)
        node_lose_power(&w->sim.nodes[draw_node(w)], survival, rng_below(&w->rng, 8000));
}

static void restart_agent(struct week *w)
{
    struct node *n = &w->sim.nodes[draw_node(w)];

    node_agent_stop(n);
    n->agent_ms = w->sim.now_ms + rng_below(&w->rng, 4000);
}

static void set_clock(struct week *w)
{
    struct node *n = &w->sim.nodes[draw_node(w)];

    int64_t skew_ms = (int64_t)rng_below(&w->rng, 2 * SIM_SKEW_MS) - SIM_SKEW_MS;

    /* Of what the copies hold of that, only its times tell who wrote it. */
    if (w->copied && n->index == 0)
        return;
    n->skew_ms = skew_ms;
    sim_trace(&w->sim, n, "clock is now off by %lld ms", (long long)n->skew_ms);
}

static void carry(struct week *w)
{
    uint32_t to = draw_node(w);

    sim_carry_any(&w->sim, draw_other(w, to), to, &w->rng);
}

/* A column becomes a counter, or ceases to be one, while all go on with their work. */
static void change_rule(struct week *w)
{
    const struct shape *s = &w->sim.shape;
    uint32_t table, column;

    if (w->restore.kinds != 0) {
        sell(w);
        return;
    }
    table = rng_below(&w->rng, s->n);
    column = rng_below(&w->rng, s->tables[table].columns_n);
    if (shape_counts(&s->tables[table], column))
        ruling_change_count(&w->sim, table, column,
                            (w->sim.oracle.uncounted[table] >> column & 1) != 0);
}

static void wait_long(struct week *w)
{
    sim_advance(&w->sim, rng_below(&w->rng, 15000));
}

/* The shop has worked on its first PC, and its database is copied to all others, on which people
 * work as well before they join. */
static void copy_first(struct week *w)
{
    struct sim *s = &w->sim;
    struct node *first = &s->nodes[0];

    for (uint32_t i = 3 + rng_below(&w->joins, 8); i > 0; i--) {
        node_transaction(first);
        sim_advance(s, rng_below(&w->joins, 100));
    }
    for (uint32_t i = 1; i < s->options.nodes && sim_ok(s); i++) {
        struct node *n = &s->nodes[i];

        node_app_stop(n);
        disk_settle(n->disk);
        disk_take_database(n->disk, n->database, first->disk, first->database);
        node_peek(n, &s->scratch);
        oracle_copied(&s->oracle, i, &s->scratch);
        node_app_start(n);
        n->copy = rng_chance(&w->joins, 70);
        sim_trace(s, n, "has a copy");
    }
    w->copied = true;
    for (uint32_t i = rng_below(&w->joins, 6); i > 0; i--) {
        node_transaction(&s->nodes[rng_below(&w->joins, s->options.nodes)]);
        sim_advance(s, rng_below(&w->joins, 100));
    }
    for (uint32_t i = 1; i < s->options.nodes; i++)
        s->nodes[i].agent_ms = s->now_ms + rng_below(&w->joins, 3000);
}

/* The PC that has worked by itself joins; or a new one, on which people begin to work then. */
static void adopt(struct week *w)
{
    struct node *n = &w->sim.nodes[w->sim.options.nodes - 1];

    if (w->sim.options.late == 0 || n->store != NULL || n->tracked || !rng_chance(&w->joins, 5))
        return;
    node_agent_start(n);
    if (n->app.db == NULL)
        n->app_ms = w->sim.now_ms + rng_below(&w->joins, 3000);
}

static void live(struct week *w)
{
    static const struct {
        uint32_t weight;
        void (*happen)(struct week *w);
    } events[] = {
        {3, change_rule}, {45, sell},         {8, sell_much}, {6, cut},   {8, heal},      {8, doom},
        {3, pull_plug},   {3, restart_agent}, {4, set_clock}, {6, carry}, {6, wait_long},
    };
    uint32_t dice = rng_below(&w->rng, 100);

    for (uint32_t i = 0; i < COUNT_OF(events); i++) {
        if (dice < events[i].weight) {
            events[i].happen(w);
            break;
        }
        dice -= events[i].weight;
    }
    if (w->restore.kinds != 0) {
        restore_look(&w->restore, &w->sim);
        restore_happen(&w->restore, &w->sim);
    }
    people_happen(&w->people, &w->sim);
    adopt(w);
    w->copied = w->copied && oracle_owes(&w->sim.oracle, 0);
    if ((w->sim.options.draws & DRAW_RULES) != 0)
        ruling_happen(&w->rules, &w->sim);
    upgrade_happen(&w->sim.upgrades, &w->sim);
    clocks_happen(&w->clocks, &w->sim);
    sim_advance(&w->sim, rng_below(&w->rng, rng_chance(&w->rng, 50) ? 20 : 400));
}

/* Everything runs again, and nothing is going to die any more. */
static void mend(struct week *w)
{
    struct sim *s = &w->sim;

    for (uint32_t i = 0; i < s->options.nodes; i++) {
        disk_arm(s->nodes[i].disk, PROCESS_AGENT, 0, DEATH_KILL);
        disk_arm(s->nodes[i].disk, PROCESS_APP, 0, DEATH_KILL);
        node_agent_start(&s->nodes[i]);
        node_app_start(&s->nodes[i]);
    }
    upgrade_all(&s->upgrades, s);
    sim_heal_all(s);
    clocks_mend(s);
    s->net.loss_percent = 0;
}

/* So many of the PCs join later. */
static uint32_t late_ones(const struct week_options *o)
{
    if ((o->draws & DRAW_COPY) != 0)
        return o->nodes - 1;
    return (o->draws & (DRAW_ADOPT | DRAW_EMPTY)) != 0;
}

bool week_run(const struct week_options *o)
{
    struct week w = {
        .rng = {o->seed},
        .calm = o->calm,
        .joins = {o->seed ^ UINT64_C(0x6a6f696e)},
        .rules = {o->seed ^ UINT64_C(0x72756c6573)},
        .restore = {.kinds = o->restores, .rng = {o->seed + 1}, .twice = {o->seed + 5}}};
    static const uint32_t losses[] = {0, 0, 1, 5};

    people_draw(&w.people, o->seed, o->restores != 0);
    clocks_draw(&w.clocks, o->seed, o->draws != 0);
    sim_open(&w.sim, (struct sim_options){.nodes = o->nodes,
                                          .seed = o->seed,
                                          .loss_percent = losses[o->seed % COUNT_OF(losses)],
                                          .drawn = true,
                                          .draws = o->draws,
                                          .late = late_ones(o),
                                          .calm = o->calm,
                                          .forks = (o->restores & ~(uint32_t)RESTORE_FILE) != 0});
    if ((o->draws & DRAW_COPY) != 0)
        copy_first(&w);
    for (uint32_t i = 0; i < EVENTS && sim_ok(&w.sim); i++)
        live(&w);
    mend(&w);
    sim_run_until_quiet(&w.sim, QUIET_MS);
    sim_check_same(&w.sim);
    return sim_close(&w.sim);
}
