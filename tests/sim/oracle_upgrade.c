/* What migrations leave: what is filled in, and what is taken for their work. */
#include "oracle_upgrade.h"

#include <stdlib.h>

#include "oracle_unite.h"

/* Has its application given it another key since the site drained last? */
static bool has_moved(const struct oracle *o, const struct oracle_row *row, uint32_t site)
{
    bool had = false, got = false;

    for (uint32_t i = 0; i < o->key_n; i++) {
        if (o->keys[i].site != site || oracle_same(o, o->keys[i].row) != row->name)
            continue;
        had |= o->keys[i].known;
        got |= !o->keys[i].known;
    }
    return had && got;
}

/* Has somebody at the site written to it since it drained last? Not where it only was born. */
static bool is_touched(const struct oracle *o, const struct oracle_row *row, uint32_t site)
{
    bool touched = has_moved(o, row, site), born = false;

    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        touched |= event->site == site && event->drain == o->drains;
        born |= event->site == site && event->drain == o->drains && event->column == COLUMN_BIRTH;
    }
    return touched && !born;
}

void oracle_derived(struct oracle *o, uint32_t site)
{
    uint32_t touched[SHAPE_TABLES_MAX] = {0};
    bool migrated = o->last[site].version != o->versions[site];

    o->versions[site] = o->last[site].version;
    for (uint32_t i = 0; i < o->row_n && migrated; i++)
        touched[o->rows[i].table] += is_touched(o, &o->rows[i], site);
    for (uint32_t i = 0; i < o->event_n && migrated; i++) {
        struct oracle_event *event = &o->events[i];
        struct oracle_row *row = &o->rows[event->row];

        if (event->site != site || event->drain != o->drains || touched[row->table] < 2)
            continue;
        event->earliest = 0;
        event->latest = UINT64_MAX;
        if (event->column >= 0)
            row->blurred |= UINT32_C(1) << event->column;
    }
}

bool oracle_is_like_filled(const struct app *app, const struct shape_column *c,
                           const struct view_row *was)
{
    return app->unwatched && c->vague && was != NULL;
}
