/* What a site sees: as its journal tells it, or what its file shows. */
#include "oracle_see.h"

#include <string.h>

#include "oracle_replaced.h"
#include "oracle_unite.h"

static uint32_t bit(uint32_t site)
{
    return UINT32_C(1) << site;
}

static bool is_several(const struct oracle *o, const struct oracle_row *row)
{
    return shape_is_several(o->shape, &o->shape->tables[row->table]);
}

static bool is_vague(const struct shape_table *t, int column)
{
    return t->vague || (column >= 0 && t->columns[column].vague);
}

bool oracle_is_vague(const struct oracle *o, const struct oracle_event *event)
{
    return is_vague(&o->shape->tables[o->rows[event->row].table], event->column);
}

bool oracle_is_over(const struct oracle_event *event, uint32_t other)
{
    for (uint32_t i = 0; i < event->over_n; i++)
        if (event->over[i] == other)
            return true;
    return false;
}

/* Does `later` take the place of `event` in the file of whoever has seen both? */
static bool replaces(const struct oracle_event *later, const struct oracle_event *event)
{
    return later->column == event->column ||
           (later->column == COLUMN_BIRTH && event->column == COLUMN_DEATH);
}

/* Did the site see a write that stands over event number `other` and took its place for sure? One
 * that may be gone may have left it there, or given it back. */
static bool superseded_for(const struct oracle *o, const struct oracle_row *row, uint32_t site,
                           uint32_t other)
{
    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        if ((event->seen_by & bit(site)) != 0 && !event->doubtful &&
            replaces(event, &o->events[other]) && oracle_is_over(event, other))
            return true;
    }
    return false;
}

void oracle_see(struct oracle *o, uint32_t number, uint32_t site)
{
    struct oracle_event *event = &o->events[number];

    event->seen_by |= bit(site);
    for (uint32_t i = 0; i < event->over_n; i++) {
        struct oracle_event *under = &o->events[event->over[i]];
        int column = under->column;

        /* A row may be there without what was written under a name that its file does not have. */
        if (column == event->column || column < 0 ||
            !o->shape->tables[o->rows[under->row].table].columns[column].vague)
            under->seen_by |= bit(site);
    }
}

/* The file shows `value` in a cell (or a row's absence): if only one event can be the reason, the
 * site has seen it. A row that is one with another is shown by either's name. */
static void infer(struct oracle *o, const struct oracle_row *row, uint32_t site, int column,
                  uint32_t value)
{
    uint32_t candidates = 0, found = 0;

    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        if (event->column != column ||
            (column >= 0 && oracle_same(o, event->value) != oracle_same(o, value)) ||
            superseded_for(o, row, site, row->events[i]))
            continue;
        if ((event->seen_by & bit(site)) != 0)
            return;
        found = row->events[i];
        candidates++;
    }
    if (candidates == 1)
        oracle_see(o, found, site);
}

/* A row that came without the column shows what a migration fills in there, as if somebody had
 * written that. */
static bool may_be_fill(const struct oracle *o, const struct shape_column *c, uint32_t value)
{
    return c->vague && (value == WORD_NULL ||
                        (c->fill != NULL && strcmp(words_text(o->words, value), c->fill) == 0));
}

/* Of a row, or (vague) only of what no journal tells of it. */
static void observe_row(struct oracle *o, uint32_t site, const struct view_row *r, bool vague)
{
    const struct shape_table *t = &o->shape->tables[r->table];
    int found = oracle_find(o, r->name);

    if (found < 0)
        return;
    if (!vague || is_vague(t, COLUMN_BIRTH))
        infer(o, &o->rows[found], site, COLUMN_BIRTH, 0);
    for (uint32_t c = t->keys; c < t->columns_n; c++)
        if (!shape_counts(t, c) && !shape_loose(&t->columns[c]) && r->cells[c] != WORD_ABSENT &&
            !may_be_fill(o, &t->columns[c], r->cells[c]) && (!vague || is_vague(t, (int)c)))
            infer(o, &o->rows[found], site, (int)c, r->cells[c]);
}

/* The journal says what the file shows. */
static void observe_journal(struct oracle *o, uint32_t site, const struct view *now)
{
    for (uint32_t i = 0; i < o->event_n; i++)
        if (view_has(now, o->events[i].tick) && !is_several(o, &o->rows[o->events[i].row]) &&
            !oracle_is_vague(o, &o->events[i]))
            o->events[i].seen_by |= bit(site);
}

void oracle_see_rows(struct oracle *o, uint32_t site, const struct view *now)
{
    if (o->shape->journal)
        observe_journal(o, site, now);
    oracle_learn_unions(o, site, now);
    for (uint32_t i = 0; i < now->n; i++)
        observe_row(o, site, &now->rows[i],
                    o->shape->journal && !oracle_is_several(o, now->rows[i].name));
}

/* Rows that the agent took away: their deletes have been seen. */
static void observe_absent(struct oracle *o, uint32_t site, const struct view *now)
{
    const struct view *last = &o->last[site];

    for (uint32_t i = 0; i < last->n; i++) {
        int found = oracle_find(o, last->rows[i].name);

        if (found >= 0 &&
            (!o->shape->journal || is_vague(&o->shape->tables[last->rows[i].table], COLUMN_DEATH) ||
             oracle_is_several(o, last->rows[i].name)) &&
            view_find(now, last->rows[i].table, last->rows[i].name) == NULL &&
            o->rows[found].unions == 0)
            infer(o, &o->rows[found], site, COLUMN_DEATH, 0);
    }
}

bool oracle_observe(struct oracle *o, uint32_t site, const struct view *now, struct err *e)
{
    if (now->doubled != WORD_NULL)
        return err_set(e, ERR_INPUT, "%s is there twice", words_text(o->words, now->doubled));
    if (now->dangling > 0)
        return err_set(e, ERR_INPUT, "%u references name rows that are not there", now->dangling);
    if (!oracle_ways(o, site, now, e) || !oracle_keys(o, site, now, e))
        return false;
    oracle_observe_replaced(o, site, now);
    observe_absent(o, site, now);
    oracle_see_rows(o, site, now);
    oracle_remember_keys(o, site, now);
    view_copy(&o->last[site], now);
    return true;
}
