#include "clocks.h"

#include <navette/ahead.h>

#define MINUTE_MS INT64_C(60000)
#define PERSON_MS 30000 /* then somebody has read the warning, and says that the clock is right */
#define YEAR_MS   (365 * 24 * 60 * MINUTE_MS)

void clocks_draw(struct clocks *c, uint64_t seed, bool draws)
{
    *c = (struct clocks){.rng = {seed + 9}};
    c->wrong = rng_chance(&c->rng, 25) && !draws;
}

void clocks_set(struct node *n, int64_t far_ms)
{
    n->wall_ms += (uint64_t)far_ms - (uint64_t)n->far_ms;
    n->far_ms = far_ms;
    n->sim->oracle.ahead[n->index] |= far_ms > 0;
    sim_trace(n->sim, n, "clock is now wrong by %lld ms", (long long)far_ms);
}

void clocks_happen(struct clocks *c, struct sim *s)
{
    static const int64_t wrong[] = {0, 0, 20 * MINUTE_MS, 180 * MINUTE_MS, 4 * YEAR_MS, -YEAR_MS};

    if (c->wrong && rng_chance(&c->rng, 10))
        clocks_set(&s->nodes[rng_below(&c->rng, s->options.nodes)],
                   wrong[rng_below(&c->rng, COUNT_OF(wrong))]);
}

void clocks_mend(struct sim *s)
{
    for (uint32_t i = 0; i < s->options.nodes; i++)
        if (s->nodes[i].far_ms != 0)
            clocks_set(&s->nodes[i], 0);
}

uint64_t clocks_fair_ms(const struct node *n)
{
    return n->far_ms > 0 ? n->wall_ms - (uint64_t)n->far_ms : n->wall_ms;
}

void clocks_look(struct node *n)
{
    struct store_ahead ahead;
    uint32_t agree = 0, differ = 0;
    struct err e = {0};
    bool did = false;

    if (!sim_ok(n->sim) || n->store == NULL || store_state(n->store) != STORE_READY)
        return;
    for (uint32_t peer = 0; peer < n->sim->options.nodes; peer++) {
        const struct talk *t = &n->talks[peer];
        bool close = t->sync.skew_ms <= HLC_SKEW_MS_MAX && t->sync.skew_ms >= -HLC_SKEW_MS_MAX;

        agree += t->open && t->sync.state == SYNC_OPEN && close;
        differ += t->open && t->sync.state == SYNC_OPEN && !close;
    }
    if (node_failed(n, "look at the clock", store_ahead(n->store, n->wall_ms, &ahead, &e), &e))
        return;
    if (ahead.ahead_ms == 0 || n->far_ms != 0)
        n->ahead_ms = n->sim->now_ms;
    if ((!store_ahead_was_wrong(&ahead, agree, differ) &&
         n->sim->now_ms - n->ahead_ms < PERSON_MS) ||
        node_failed(n, "correct the clock", store_correct(n->store, n->wall_ms, &did, &e), &e) ||
        !did)
        return;
    sim_trace(n->sim, n, "corrects what it said while its clock was ahead");
    oracle_corrected(&n->sim->oracle, n->index, n->wall_ms);
    n->news = n->again = true;
    node_poke(n);
    talk_news(n);
}
