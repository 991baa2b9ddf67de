#include "people.h"

#include <stdlib.h>

#define TRIES 8

void people_draw(struct people *p, uint64_t seed, bool restores)
{
    p->rng = (struct rng){seed ^ UINT64_C(0x70656f706c65)};
    p->unite = rng_chance(&p->rng, 40) && !restores;
}

/* Rows may belong to it one to one: then one of those of two that are one waits outside, and keeps
 * its own in the file, until a person sees to it. */
static bool has_rivals(const struct shape *s, const struct shape_table *t)
{
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t by = shape_rival(&s->tables[i]);

        if (by != 0 && s->tables[i].columns[by].parent == (int)(t - s->tables))
            return true;
    }
    return false;
}

/* A row whose key is each PC's own, of a table that goes everywhere, and whose mark no other row
 * has; NULL if none comes up. */
static const struct view_row *draw_row(struct people *p, const struct sim *s, const struct view *v)
{
    for (int i = 0; i < TRIES && v->n > 0; i++) {
        const struct view_row *r = &v->rows[rng_below(&p->rng, v->n)];
        const struct shape_table *t = &s->shape.tables[r->table];

        if (shape_surrogate(t) && t->way == SHAPE_BOTH && !shape_unites(t) &&
            !has_rivals(&s->shape, t))
            return r;
    }
    return NULL;
}

/* Sometimes one that somebody else has just said to be one with a third. */
static const struct view_row *draw_again(struct people *p, const struct sim *s,
                                         const struct view *v)
{
    const struct oracle_union *u;
    const struct oracle_row *row;

    if (s->oracle.union_n == 0 || !rng_chance(&p->rng, 50))
        return draw_row(p, s, v);
    u = &s->oracle.unions[s->oracle.union_n - 1];
    row = oracle_row(&s->oracle, u->left);
    return row == NULL ? NULL
                       : view_find(v, row->table, rng_chance(&p->rng, 50) ? u->left : u->right);
}

/* A person says that two rows of this PC are one thing: agent-cli conflicts merge. */
static void unite(struct people *p, struct sim *s, struct node *n)
{
    const struct view_row *a, *b;
    struct err e = {0};
    int64_t keys[2];

    if (s->oracle.union_n == ORACLE_UNIONS_MAX || n->store == NULL || n->app.db == NULL)
        return;
    disk_arm(n->disk, PROCESS_AGENT, 0, DEATH_KILL);
    node_drain(n);
    sim_check_node(s, n->index);
    if (!sim_ok(s) || store_state(n->store) != STORE_READY)
        return;
    a = draw_again(p, s, &n->app.now);
    b = draw_row(p, s, &n->app.now);
    if (a == NULL || b == NULL || a == b || a->table != b->table)
        return;
    keys[0] = strtoll(words_text(&s->words, a->raw[0]), NULL, 10);
    keys[1] = strtoll(words_text(&s->words, b->raw[0]), NULL, 10);
    sim_trace(s, n, "somebody says that %s and %s are one", words_text(&s->words, a->name),
              words_text(&s->words, b->name));
    if (!store_unite(n->store, s->shape.tables[a->table].name, keys, n->wall_ms, &e)) {
        sim_fail_err(s, n, "make one row of two", &e);
        return;
    }
    oracle_unite(&s->oracle, n->index, a->name, b->name);
    n->news = n->stirred = true;
    talk_news(n);
    node_poke(n);
}

void people_happen(struct people *p, struct sim *s)
{
    if (p->unite && rng_chance(&p->rng, 8))
        unite(p, s, &s->nodes[rng_below(&p->rng, s->options.nodes)]);
}
