#include "people.h"

#include "clocks.h"

#include <stdlib.h>
#include <string.h>

#include <navette/conflicts.h>

#include "oracle_unite.h"

#define TRIES 8

void people_draw(struct people *p, uint64_t seed, bool restores)
{
    p->rng = (struct rng){seed ^ UINT64_C(0x70656f706c65)};
    p->unite = rng_chance(&p->rng, 40) && !restores;
    p->aside = (struct rng){~p->rng.state};
    p->restore = rng_chance(&p->aside, 40) && !restores;
}

/* Rows may belong to it one to one: then one of those of two that are one waits outside, and keeps
 * its own in the file, until a person sees to it, or till both have been said to be one. And two
 * that belong to rows so are one that belongs to either: where that has another one by now, they
 * stay in the file as they were, likewise. */
static bool has_rivals(const struct shape *s, const struct shape_table *t)
{
    if (shape_rival(t) != 0)
        return true;
    for (uint32_t i = 0; i < s->n; i++) {
        for (uint32_t c = 0; c < s->tables[i].columns_n; c++)
            if (s->tables[i].columns[c].owner &&
                s->tables[i].columns[c].parent == (int)(t - s->tables))
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
    if (!sim_ok(s) || n->store == NULL || store_state(n->store) != STORE_READY)
        return;
    a = draw_again(p, s, &n->app.now);
    b = draw_row(p, s, &n->app.now);
    if (a == NULL || b == NULL || a == b || a->table != b->table)
        return;
    keys[0] = strtoll(words_text(&s->words, a->raw[0]), NULL, 10);
    keys[1] = strtoll(words_text(&s->words, b->raw[0]), NULL, 10);
    sim_trace(s, n, "somebody says that %s and %s are one", words_text(&s->words, a->name),
              words_text(&s->words, b->name));
    if (!store_unite(n->store, shape_at(&s->shape, n->app.now.version)->tables[a->table].name, keys,
                     n->wall_ms, &e)) {
        sim_fail_err(s, n, "make one row of two", &e);
        return;
    }
    oracle_unite(&s->oracle, n->index, a->name, b->name);
    n->news = n->stirred = true;
    talk_news(n);
    node_poke(n);
}

/* As literals stand in a view; WORD_NULL also for what cannot be told from its text. */
static uint32_t literal(struct sim *s, const struct store_write *w)
{
    bool plain = w->value != NULL && !w->cut && strchr(w->value, '\'') == NULL;

    for (const char *p = w->value; plain && *p != '\0'; p++)
        plain = *p >= ' ' && *p <= '~';
    if (plain && strcmp(w->type, "text") == 0)
        return words_format(&s->words, "'%s'", w->value);
    if (plain && strcmp(w->type, "real") == 0 && strchr(w->value, 'e') == NULL)
        return words_format(&s->words, strchr(w->value, '.') != NULL ? "%s" : "%s.0", w->value);
    return plain && strcmp(w->type, "integer") == 0 ? words_format(&s->words, "%s", w->value)
                                                    : WORD_NULL;
}

/* Did anybody write it there? */
static bool is_written(const struct sim *s, const struct view_row *r, uint32_t column,
                       uint32_t value)
{
    const struct oracle_row *row = oracle_row(&s->oracle, r->name);

    for (uint32_t i = 0; row != NULL && i < row->n; i++) {
        const struct oracle_event *event = &s->oracle.events[row->events[i]];

        if (event->column == (int)column && event->value == value)
            return true;
    }
    return false;
}

static bool is_key(const char *literal, const char *key)
{
    size_t n = strlen(key);

    return strcmp(literal, key) == 0 ||
           (strlen(literal) == n + 2 && literal[0] == '\'' && strncmp(literal + 1, key, n) == 0);
}

/* The cell of a conflict, in the file of this PC: an ordinary one, of a table that goes everywhere
 * and whose rows are named by one column. */
static const struct view_row *find_cell(const struct sim *s, const struct view *v,
                                        const struct store_conflict *c, uint32_t *column)
{
    for (uint32_t i = 0; i < v->n; i++) {
        const struct view_row *r = &v->rows[i];
        const struct shape_table *t = &shape_at(&s->shape, v->version)->tables[r->table];

        if (t->keys != 1 || t->way != SHAPE_BOTH || c->row.key == NULL ||
            strcmp(t->name, c->row.table) != 0 ||
            !is_key(words_text(&s->words, r->raw[0]), c->row.key))
            continue;
        for (*column = t->keys; *column < t->columns_n; ++*column) {
            const struct shape_column *at = &t->columns[*column];

            if (at->role == SHAPE_DATA && !at->absent && !at->local && at->values != SHAPE_TICKET &&
                at->values != SHAPE_COUNTER && strcmp(at->name, c->column) == 0)
                return r;
        }
    }
    return NULL;
}

/* agent-cli conflicts restore. False: this one is not for us, or not now. */
static bool restore_one(struct sim *s, struct node *n, const struct store_conflict *c)
{
    uint32_t column, value = literal(s, &c->lost);
    const struct view_row *r;
    struct err e = {0};

    if (c->column == NULL || !c->row.in_file || strcmp(c->why, "overwritten") != 0 ||
        value == WORD_NULL || (r = find_cell(s, &n->app.now, c, &column)) == NULL ||
        !is_written(s, r, column, value))
        return false;
    sim_trace(s, n, "somebody restores %s.%s: %s", words_text(&s->words, r->name), c->column,
              words_text(&s->words, value));
    if (!store_conflict_restore(n->store, c->number, n->wall_ms, &e)) {
        if (e.code != ERR_REFUSED && e.code != ERR_BUSY)
            sim_fail_err(s, n, "restore a value", &e);
        return false;
    }
    oracle_restore(&s->oracle, n->index, r, column, value, clocks_fair_ms(n));
    return true;
}

/* A person wants a value that lost. */
static void restore(struct people *p, struct sim *s, struct node *n)
{
    struct store_conflicts all = {0};
    struct err e = {0};
    uint32_t first;
    bool did = false;

    if (n->store == NULL || n->app.db == NULL)
        return;
    disk_arm(n->disk, PROCESS_AGENT, 0, DEATH_KILL);
    node_drain(n);
    node_apply(n);
    sim_check_node(s, n->index);
    if (!sim_ok(s) || n->store == NULL || store_state(n->store) != STORE_READY)
        return;
    if (!store_conflicts(n->store, 0, 100, &all, &e))
        sim_fail_err(s, n, "list the conflicts", &e);
    first = rng_below(&p->aside, all.n);
    for (uint32_t i = 0; i < all.n && !did && sim_ok(s); i++)
        did = restore_one(s, n, &all.list[(first + i) % all.n]);
    store_conflicts_close(&all);
    n->news |= did;
    n->stirred |= did;
    talk_news(n);
    node_poke(n);
}

void people_happen(struct people *p, struct sim *s)
{
    if (p->restore && rng_chance(&p->aside, 12))
        restore(p, s, &s->nodes[rng_below(&p->aside, s->options.nodes)]);
    if (p->unite && rng_chance(&p->rng, 8))
        unite(p, s, &s->nodes[rng_below(&p->rng, s->options.nodes)]);
}
