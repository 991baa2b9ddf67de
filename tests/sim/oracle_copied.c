/* Copies of the first PC's file, with which others begin: what that one drains afterwards, they may
 * hold, or hold some of. */
#include "oracle_see.h"

void oracle_copied(struct oracle *o, uint32_t site, const struct view *now)
{
    o->copied = now->tick;
    oracle_see_rows(o, site, now);
    oracle_remember_keys(o, site, now);
    view_copy(&o->last[site], now);
}

/* Of what one drain of the first PC took of a cell its copies hold some. How much of that is in
 * what people write into a copy of a counter, nobody can say; nor that what stands in the row
 * beside what they write is older than it. */
static void blur_copied(struct oracle *o)
{
    for (uint32_t i = 0; i < o->event_n; i++) {
        struct oracle_event *event = &o->events[i];
        struct oracle_row *row = &o->rows[event->row];
        bool before = false, after = false;

        if (event->site != 0 || !event->drained || event->drain != o->drains || event->column < 0)
            continue;
        for (uint32_t k = 0; k < row->n; k++) {
            const struct oracle_event *other = &o->events[row->events[k]];

            if (other->site != 0 || other->drain != o->drains || other->column != event->column)
                continue;
            before |= other->tick <= o->copied;
            after |= other->tick > o->copied;
        }
        if (before && after)
            row->blurred |= UINT32_C(1) << event->column;
        event->unclocked |= before && after && event->tick <= o->copied;
    }
}

/* A row that the first PC made before the copies and deleted after them, and of which it drained
 * both at once, it has never said: nobody tells the copies that it has gone. */
static void keep_copied(struct oracle *o)
{
    for (uint32_t i = 0; i < o->event_n; i++) {
        struct oracle_event *death = &o->events[i];
        const struct oracle_row *row = &o->rows[death->row];
        bool copied = false, said = false;

        if (death->site != 0 || death->column != COLUMN_DEATH || death->drain != o->drains ||
            death->tick <= o->copied)
            continue;
        for (uint32_t k = 0; k < row->n; k++) {
            const struct oracle_event *other = &o->events[row->events[k]];

            copied |= other->column == COLUMN_BIRTH && other->site == 0 && other->tick <= o->copied;
            said |= other->drained && other->drain != o->drains && other->site == 0;
        }
        death->doubtful |= copied && !said;
    }
}

void oracle_copied_drained(struct oracle *o)
{
    blur_copied(o);
    keep_copied(o);
}
