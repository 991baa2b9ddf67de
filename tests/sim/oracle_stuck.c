/* Rows that an agent could not bring up to date in its file: what they wait for is not there yet.
 * Then the journal tells of more than the row shows. */
#include "oracle_unite.h"

static bool has_seen(const struct oracle *o, const struct oracle_event *event, uint32_t site)
{
    return (event->seen_by >> site & 1) != 0 &&
           (event->site == site ||
            shape_takes(&o->shape->tables[o->rows[event->row].table], site, o->sites));
}

/* Must what `later` wrote stand in the place of event number `other`? */
static bool takes_place(const struct oracle *o, const struct oracle_event *later, uint32_t other)
{
    const struct oracle_event *event = &o->events[other];

    for (uint32_t i = 0; i < later->over_n; i++)
        if (later->over[i] == other)
            return true;
    return later->drained && event->drained && later->earliest > event->latest;
}

static bool is_replaced(const struct oracle *o, const struct oracle_row *row, uint32_t site,
                        uint32_t number)
{
    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *later = &o->events[row->events[i]];

        if (later->column == o->events[number].column && !later->doubtful &&
            has_seen(o, later, site) && takes_place(o, later, number))
            return true;
    }
    return false;
}

/* Does the cell show what none of the writes that the site has seen can be the reason for? */
static bool shows_older(const struct oracle *o, const struct oracle_row *row, uint32_t site,
                        int column, uint32_t value)
{
    bool any = false;

    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        if (event->column != column || !has_seen(o, event, site))
            continue;
        if (event->value == value && !is_replaced(o, row, site, row->events[i]))
            return false;
        any = true;
    }
    return any;
}

/* Has the site seen a write that may count, of a row's name that its file does not show? What the
 * cell shows instead is older then, or later: nobody can tell. */
static bool may_wait(const struct oracle *o, const struct oracle_row *row, uint32_t site,
                     int column)
{
    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];
        const struct oracle_row *named =
            event->column == column ? oracle_row(o, event->value) : NULL;

        if (named != NULL && oracle_shown(o, named, &o->last[site], NULL) == NULL &&
            has_seen(o, event, site) && !event->doubtful &&
            !is_replaced(o, row, site, row->events[i]))
            return true;
    }
    return false;
}

bool oracle_is_stuck(const struct oracle *o, uint32_t site, const struct oracle_row *row,
                     const struct view_row *was)
{
    const struct shape_table *t = &o->shape->tables[was->table];

    for (uint32_t c = t->keys; c < t->columns_n && o->shape->journal; c++)
        if (t->columns[c].role == SHAPE_REF && !shape_loose(&t->columns[c]) &&
            may_wait(o, row, site, (int)c))
            return true;
    for (uint32_t c = t->keys; c < t->columns_n && o->shape->journal; c++)
        if (t->columns[c].role == SHAPE_DATA && t->columns[c].values != SHAPE_TICKET &&
            !t->columns[c].local && !t->columns[c].vague && was->cells[c] != WORD_ABSENT &&
            !t->vague && !shape_counts(t, c) && shows_older(o, row, site, (int)c, was->cells[c]))
            return true;
    return false;
}

bool oracle_is_outside(const struct oracle *o, uint32_t site, const struct oracle_row *row)
{
    for (uint32_t i = 0; i < row->n && o->shape->journal; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];
        bool ended = false;

        if (event->column == COLUMN_DEATH || event->doubtful || !has_seen(o, event, site))
            continue;
        for (uint32_t k = 0; k < row->n && !ended; k++) {
            const struct oracle_event *death = &o->events[row->events[k]];

            ended = death->column == COLUMN_DEATH && has_seen(o, death, site) &&
                    takes_place(o, death, row->events[i]);
        }
        if (!ended)
            return true;
    }
    return false;
}

bool oracle_came_outside(const struct oracle *o, uint32_t site, const struct oracle_row *row)
{
    bool came = false, outside = false;

    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        if (event->site != site)
            continue;
        if (event->column == COLUMN_BIRTH) {
            came = !event->drained;
            outside = false;
        }
        outside |= event->outside;
    }
    return came && outside;
}
