/* A file that went back. And what was drained, or not, or is drained once more: a process that dies
 * while it drains; a home that went back, whose agent drains again what it has forgotten. */
#include "oracle_see.h"

#include <string.h>

static uint32_t bit(uint32_t site)
{
    return UINT32_C(1) << site;
}

/* ---- a file ---- */

/* ---- what was touched ---- */

/* Which drain has found it? What may be gone is found, too, by its mark. 0: none yet. */
static uint32_t found_by(const struct oracle *o, const struct oracle_event *event)
{
    const struct oracle_row *row = &o->rows[event->row];

    for (uint32_t i = 0; i < o->touch_n && !event->drained; i++) {
        const struct oracle_touch *touch = &o->touches[i];

        if (touch->site == event->site && touch->tick == event->tick &&
            oracle_row(o, touch->name) == row)
            return touch->drain;
    }
    return event->drained ? event->drain : 0;
}

/* Did its transaction write to its row? A reference also changes where its key becomes another
 * row's, and that leaves no mark. */
static bool is_marked(const struct oracle *o, const struct oracle_event *event)
{
    const struct oracle_row *row = &o->rows[event->row];

    for (uint32_t i = 0; i < o->touch_n; i++)
        if (o->touches[i].site == event->site && o->touches[i].tick == event->tick &&
            oracle_row(o, o->touches[i].name) == row)
            return true;
    return false;
}

/* Has the drain that found it found its row's end behind it, or, behind that, what stood there
 * before? The agent has never said it then. Nor has it said what a reference named whose key became
 * another row's, and where that is all of the row that the file has lost, what the file shows is
 * what the application sees and writes again. */
static bool was_unsaid(const struct oracle *o, const struct oracle_row *row,
                       const struct oracle_event *event, uint32_t drain)
{
    const struct oracle_event *first = NULL, *last = NULL;
    bool ended = false, marked = false, renamed = false;

    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *other = &o->events[row->events[i]];

        if (other->site != event->site || found_by(o, other) != drain)
            continue;
        ended |= other->column == COLUMN_DEATH && other->tick > event->tick && other->taken;
        marked |= other->taken && is_marked(o, other);
        if (other->column != event->column)
            continue;
        renamed |= other->taken && !is_marked(o, other);
        first = first == NULL ? other : first;
        last = other;
    }
    return ended || (first != last && first->was == last->is) || (renamed && !marked);
}

/* A power cut left of a drain what that had never said: who writes to such a row brings all of that
 * back, as young as that. */
static void revive(struct oracle *o, const struct oracle_row *row, uint32_t site, uint32_t drain)
{
    for (uint32_t i = 0; i < row->n; i++) {
        struct oracle_event *event = &o->events[row->events[i]];

        event->unclocked |= event->column >= 0 && event->site == site && !event->taken &&
                            found_by(o, event) == drain && was_unsaid(o, row, event, drain);
    }
}

/* Nobody can say of a value in the row whether it is older than this. */
static void touch_torn(struct oracle *o, uint32_t site, uint32_t name)
{
    const struct oracle_row *row = oracle_row(o, name);

    for (uint32_t i = 0; row != NULL && i < row->n; i++) {
        struct oracle_event *event = &o->events[row->events[i]];

        event->twice |= event->torn && event->site == site;
        if (event->torn && event->site == site)
            revive(o, row, site, found_by(o, event));
    }
}

static void touch(struct oracle *o, uint32_t site, uint32_t name, int64_t tick)
{
    touch_torn(o, site, name);
    if (o->touch_n == o->touch_room) {
        o->touch_room = o->touch_room * 2 + 64;
        o->touches = mem_grow(o->touches, o->touch_room * sizeof *o->touches);
    }
    o->touches[o->touch_n++] = (struct oracle_touch){.site = site, .name = name, .tick = tick};
}

void oracle_touched(struct oracle *o, uint32_t site, const struct app *app)
{
    for (uint32_t i = 0; i < app->touches_n; i++)
        touch(o, site, app->touches[i], app->now.tick);
    for (uint32_t i = 0; i < app->now.n; i++) { /* a key that changed changed what names it, too */
        const struct view_row *is = &app->now.rows[i];
        const struct view_row *was = view_find(&app->before, is->table, is->name);

        if (was != NULL &&
            memcmp(was->raw, is->raw, o->shape->tables[is->table].columns_n * sizeof *is->raw) != 0)
            touch(o, site, is->name, app->now.tick);
    }
}

/* What the file lost before anybody looked was in no drain, nor will it be. */
static void forget_touches(struct oracle *o, uint32_t site, int64_t tick)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < o->touch_n; i++)
        if (o->touches[i].site != site || o->touches[i].drain != 0 || o->touches[i].tick <= tick)
            o->touches[kept++] = o->touches[i];
    o->touch_n = kept;
}

/* Of what a drain took of one row the power cut took a later write, and left the rest. */
static void tear_row(struct oracle *o, const struct oracle_row *row, uint32_t site, int64_t tick,
                     uint32_t drain)
{
    for (uint32_t i = 0; i < row->n; i++) {
        struct oracle_event *left = &o->events[row->events[i]];

        if (left->site == site && left->tick <= tick && found_by(o, left) == drain)
            left->torn = true;
    }
}

static void tear(struct oracle *o, uint32_t site, int64_t tick)
{
    for (uint32_t i = 0; i < o->event_n; i++) {
        const struct oracle_event *lost = &o->events[i];

        if (lost->site == site && lost->tick > tick && lost->drained)
            tear_row(o, &o->rows[lost->row], site, tick, lost->drain);
    }
    for (uint32_t i = 0; i < o->touch_n; i++) {
        const struct oracle_touch *lost = &o->touches[i];
        const struct oracle_row *row = oracle_row(o, lost->name);

        if (row != NULL && lost->site == site && lost->tick > tick && lost->drain != 0)
            tear_row(o, row, site, tick, lost->drain);
    }
}

void oracle_rewound(struct oracle *o, uint32_t site, const struct view *now)
{
    o->rewound[site] = o->lost[site] = true;
    o->knows[site] = 0;
    for (uint32_t i = 0; i < o->event_n; i++) {
        o->events[i].seen_by &= ~bit(site);
        if (o->events[i].site != site || o->events[i].tick <= now->tick)
            continue;
        o->events[i].taken = true;
        o->events[i].doubtful |= !o->events[i].drained || o->events[i].unheard;
    }
    for (uint32_t i = 0; i < o->event_n; i++)
        if (o->events[i].site == site && !o->events[i].taken)
            oracle_see(o, i, site);
    tear(o, site, now->tick);
    forget_touches(o, site, now->tick);
    oracle_see_rows(o, site, now);
    oracle_remember_keys(o, site, now);
    view_copy(&o->last[site], now);
}

int64_t oracle_counted_twice(const struct oracle *o, const struct oracle_row *row,
                             const struct oracle_event *event)
{
    bool first = true;
    int64_t sum = 0;

    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *other = &o->events[row->events[i]];

        if (!other->twice || !other->delta || other->column != event->column ||
            other->site != event->site || other->drain != event->drain)
            continue;
        if (first && other != event)
            return 0;
        first = false;
        sum += other->amount;
    }
    return sum;
}

/* ---- what was drained ---- */

void oracle_drained_perhaps(struct oracle *o, uint32_t site)
{
    for (uint32_t i = 0; i < o->event_n; i++)
        if (o->events[i].site == site && !o->events[i].looked)
            o->events[i].perhaps = true;
}

/* What was said of a row before its end is said no more. */
static void doubt_before_deaths(struct oracle *o, uint32_t site)
{
    for (uint32_t i = 0; i < o->event_n; i++) {
        const struct oracle_event *death = &o->events[i];

        if (death->site != site || death->drained || death->column != COLUMN_DEATH)
            continue;
        for (uint32_t k = 0; k < death->over_n; k++) {
            struct oracle_event *event = &o->events[death->over[k]];

            if (event->site == site && !event->drained && event->column >= 0)
                event->doubtful = true;
        }
    }
}

void oracle_forgot(struct oracle *o, uint32_t site, uint32_t drain, uint32_t safe, int64_t tick)
{
    for (uint32_t i = 0; i < o->event_n; i++) {
        struct oracle_event *event = &o->events[i];

        if (event->site != site || !event->drained || event->drain <= drain)
            continue;
        event->again = true;
        if (event->drain <= safe)
            continue;
        event->drained = false;
        event->doubtful |= event->tick > tick;
        event->earliest = 0;
        event->latest = UINT64_MAX;
    }
    for (uint32_t i = 0; i < o->touch_n; i++)
        if (o->touches[i].site == site && o->touches[i].drain > safe)
            o->touches[i].drain = 0;
    for (uint32_t i = 0; i < o->key_n; i++) /* those that are there are found again */
        o->keys[i].known &= o->keys[i].site != site;
    doubt_before_deaths(o, site);
}

static bool is_counter(const struct oracle *o, const struct oracle_event *event)
{
    return event->column >= 0 &&
           shape_counts(&o->shape->tables[o->rows[event->row].table], (uint32_t)event->column);
}

/* Has the drain under way taken a later write of the row, too, or a mark of one that wrote what
 * stood there? */
static bool is_drained_with_later(const struct oracle *o, const struct oracle_event *event)
{
    const struct oracle_row *row = &o->rows[event->row];

    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *other = &o->events[row->events[i]];

        if (other->site == event->site && other->tick > event->tick &&
            (other->again || (other->drained && other->drain == o->drains)))
            return true;
    }
    for (uint32_t i = 0; i < o->touch_n; i++) {
        const struct oracle_touch *touch = &o->touches[i];

        if (touch->site == event->site && touch->tick > event->tick &&
            oracle_row(o, touch->name) == row)
            return true;
    }
    return false;
}

void oracle_drained_again(struct oracle *o, uint32_t site)
{
    for (uint32_t i = 0; i < o->event_n; i++) {
        struct oracle_event *event = &o->events[i];

        if (event->again && event->site == site && event->column != COLUMN_DEATH &&
            !is_counter(o, event))
            event->unclocked |= is_drained_with_later(o, event);
    }
    for (uint32_t i = 0; i < o->event_n; i++)
        o->events[i].again &= o->events[i].site != site;
}

bool oracle_owes(const struct oracle *o, uint32_t site)
{
    for (uint32_t i = 0; i < o->event_n; i++) {
        const struct oracle_event *event = &o->events[i];

        if (event->site == site && !event->drained && !event->doubtful)
            return true;
    }
    return o->doubts[site];
}
