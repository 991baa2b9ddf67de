/* Rows of which a person said that they are one. What was ever written to either is from then on
 * told of one row, by whatever name; whether an application that wrote had one or two rows before
 * it is told by what its file shows. */
#include "oracle_unite.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

/* The text with `to` wherever it names `from`; `text` itself when it does not. */
static uint32_t replace(struct words *w, uint32_t text, uint32_t from, uint32_t to)
{
    const char *rest = words_text(w, text), *old = words_text(w, from), *at = strstr(rest, old);
    sqlite3_str *out;
    char *made;

    if (at == NULL)
        return text;
    out = sqlite3_str_new(NULL);
    for (; at != NULL; at = strstr(rest, old)) {
        sqlite3_str_appendf(out, "%.*s%s", (int)(at - rest), rest, words_text(w, to));
        rest = at + strlen(old);
    }
    sqlite3_str_appendall(out, rest);
    made = sqlite3_str_finish(out);
    text = words_add(w, made);
    sqlite3_free(made);
    return text;
}

uint32_t oracle_same(const struct oracle *o, uint32_t name)
{
    for (uint32_t i = 0; i < o->union_n && name != UINT32_MAX; i++)
        if (o->unions[i].a != o->unions[i].b)
            name = replace(o->words, name, o->unions[i].b, o->unions[i].a);
    return name;
}

uint32_t oracle_bare(const struct oracle *o, uint32_t name)
{
    const char *text = words_text(o->words, name), *end;

    while ((text = strstr(text, "/'#PC")) != NULL && (end = strchr(text, '-')) != NULL) {
        const char *all = words_text(o->words, name);

        name = words_format(o->words, "%.*s%s", (int)(text - all) + 2, all, end + 1);
        text = words_text(o->words, name);
    }
    return name;
}

uint32_t oracle_unions_of(const struct oracle *o, uint32_t name)
{
    uint32_t in = 0;

    for (uint32_t i = 0; i < o->union_n && name != UINT32_MAX; i++)
        if (strstr(words_text(o->words, name),
                   words_text(o->words, oracle_same(o, o->unions[i].a))) != NULL)
            in |= UINT32_C(1) << i;
    return in;
}

bool oracle_is_one(const struct oracle *o, uint32_t site, const struct oracle_row *row)
{
    return (row->unions & ~o->knows[site]) == 0;
}

const struct view_row *oracle_shown(const struct oracle *o, const struct oracle_row *row,
                                    const struct view *v, const struct view_row *after)
{
    if (row->unions == 0)
        return after == NULL ? view_find(v, row->table, row->name) : NULL;
    for (const struct view_row *r = after == NULL ? v->rows : after + 1; r < v->rows + v->n; r++)
        if (r->table == row->table && oracle_same(o, r->name) == row->name)
            return r;
    return NULL;
}

bool oracle_is_apart(const struct oracle *o, const struct oracle_row *row, const struct view *v)
{
    const struct view_row *first = oracle_shown(o, row, v, NULL);

    return row->unions == 0 || ((row->unions & (row->unions - 1)) == 0 && first != NULL &&
                                oracle_shown(o, row, v, first) != NULL);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* All that is told of the row `from` is told of `to`. */
static void absorb(struct oracle *o, uint32_t to, uint32_t from)
{
    struct oracle_row *a = &o->rows[to], *b = &o->rows[from];

    a->events = mem_grow(a->events, (a->n + b->n + 1) * sizeof *a->events);
    a->room = a->n + b->n + 1;
    for (uint32_t i = 0; i < b->n; i++) {
        o->events[b->events[i]].row = to;
        a->events[a->n++] = b->events[i];
    }
    if (a->n > 0)
        qsort(a->events, a->n, sizeof *a->events, by_number);
    a->sites |= b->sites;
    a->births += b->births;
    a->moved |= b->moved;
    a->blurred |= b->blurred;
    b->n = b->births = b->sites = 0;
    b->moved = false;
    b->name = UINT32_MAX;
}

void oracle_unite(struct oracle *o, uint32_t site, uint32_t a, uint32_t b)
{
    struct oracle_union *made = &o->unions[o->union_n];

    assert(o->union_n < ORACLE_UNIONS_MAX);
    *made = (struct oracle_union){
        .a = oracle_same(o, a), .b = oracle_same(o, b), .site = site, .left = a, .right = b};
    o->union_n++;
    for (uint32_t i = 0; i < o->row_n; i++) {
        uint32_t name = oracle_same(o, o->rows[i].name);

        for (uint32_t k = 0; k < o->row_n && name != o->rows[i].name; k++)
            if (o->rows[k].name == name && o->rows[k].table == o->rows[i].table) {
                absorb(o, k, i);
                name = UINT32_MAX;
            }
        o->rows[i].name = name;
    }
    for (uint32_t i = 0; i < o->row_n; i++)
        o->rows[i].unions = oracle_unions_of(o, o->rows[i].name);
}

/* Did any of what is one row ever end? */
static bool has_died(const struct oracle *o, const struct oracle_row *row)
{
    for (uint32_t i = 0; i < row->n; i++)
        if (o->events[row->events[i]].column == COLUMN_DEATH)
            return true;
    return false;
}

/* Its own PC shows one of the two, and nobody deleted the other one; and whoever shows a
 * transaction of somebody who had one row has one row as well. */
void oracle_learn_unions(struct oracle *o, uint32_t site, const struct view *now)
{
    for (uint32_t i = 0; i < o->union_n; i++) {
        const struct oracle_union *u = &o->unions[i];

        for (uint32_t r = 0; r < o->row_n && u->site == site; r++) {
            const struct oracle_row *row = &o->rows[r];

            if (row->name != oracle_same(o, u->a) || has_died(o, row))
                continue;
            if ((view_find(now, row->table, u->left) == NULL) !=
                (view_find(now, row->table, u->right) == NULL))
                o->knows[site] |= UINT32_C(1) << i;
        }
    }
    for (int64_t tick = 0; tick < VIEW_TICKS_MAX && o->union_n > 0 && o->shape->journal; tick++)
        if (view_has(now, tick))
            o->knows[site] |= o->knew[tick];
}
