#include "oracle_freed.h"

#include <string.h>

#define KEPT "kept back" /* in no file */

/* Has anybody ever said that of the cell? */
static bool was_told(const struct oracle *o, const struct oracle_row *row, uint32_t column,
                     uint32_t value)
{
    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        if (event->column == (int)column && event->value == value)
            return true;
    }
    return false;
}

/* What others know of a row of the table. */
static void hide_untold(struct oracle *o, struct view_row *r, uint32_t kept)
{
    const struct shape_table *t = &o->shape->tables[r->table];
    const struct oracle_row *row = oracle_row(o, r->name);

    for (uint32_t c = t->keys; c < t->columns_n; c++)
        if (!was_told(o, row, c, r->cells[c]))
            r->cells[c] = r->raw[c] = kept;
}

/* The file as far as others knew of it. */
static void hide(struct oracle *o, struct view *v, uint32_t table, int column)
{
    uint32_t kept = words_add(o->words, KEPT), n = 0;

    for (uint32_t i = 0; i < v->n; i++) {
        struct view_row *r = &v->rows[i];
        bool told = r->table != table || column >= 0 || oracle_knows(o, r->name);

        if (told && r->table == table && column < 0)
            hide_untold(o, r, kept);
        if (told && r->table == table && column >= 0)
            r->cells[column] = r->raw[column] = kept;
        if (told)
            v->rows[n++] = *r;
    }
    v->n = n;
}

void oracle_free(struct oracle *o, uint32_t site, const struct view *now, uint32_t table,
                 int column, uint64_t wall_ms)
{
    struct app app = {.shape = o->shape, .words = o->words, .site = site};
    uint64_t saw[VIEW_TICKS_MAX / 64];
    uint32_t first = o->event_n;

    view_copy(&app.now, now);
    view_copy(&app.before, now);
    hide(o, &app.before, table, column);
    memcpy(saw, o->saw[now->tick], sizeof saw);
    oracle_commit(o, site, &app, wall_ms);
    memcpy(o->saw[now->tick], saw, sizeof saw); /* it was no transaction */
    for (uint32_t i = first; i < o->event_n; i++) {
        struct oracle_event *event = &o->events[i];

        event->freed = true;
        if (column < 0 && o->rows[event->row].births > 0 && event->birth < first)
            event->doubtful = true; /* what others say of the row may come first */
    }
    app_free(&app);
}

void oracle_unname(struct oracle *o, uint32_t table, uint32_t column)
{
    o->unnamed[table] |= UINT32_C(1) << column;
}
