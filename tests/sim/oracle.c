#include "oracle_replaced.h"
#include "oracle_see.h"
#include "oracle_unite.h"
#include "oracle_upgrade.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STAMP_MS_SHIFT 16 /* a clock counts within its millisecond */
#define STAMP_RAISE    2  /* a write is said so much above what it was written over, at least */

void oracle_open(struct oracle *o, const struct shape *shape, struct words *words, uint32_t sites)
{
    assert(sites <= ORACLE_SITES_MAX);
    *o = (struct oracle){.shape = shape, .words = words, .sites = sites};
    o->saw = mem_alloc(VIEW_TICKS_MAX * sizeof *o->saw);
}

void oracle_close(struct oracle *o)
{
    for (uint32_t i = 0; i < o->event_n; i++)
        free(o->events[i].over);
    for (uint32_t i = 0; i < o->row_n; i++)
        free(o->rows[i].events);
    for (uint32_t i = 0; i < ORACLE_SITES_MAX; i++)
        view_close(&o->last[i]);
    free(o->events);
    free(o->rows);
    free(o->replaced);
    free(o->touches);
    free(o->keys);
    free(o->saw);
    *o = (struct oracle){0};
}

static uint32_t bit(uint32_t site)
{
    return UINT32_C(1) << site;
}

int oracle_find(const struct oracle *o, uint32_t name)
{
    name = oracle_same(o, name);
    for (uint32_t i = 0; i < o->row_n; i++)
        if (o->rows[i].name == name)
            return (int)i;
    return -1;
}

static uint32_t row_of(struct oracle *o, uint32_t table, uint32_t name)
{
    int found = oracle_find(o, name);

    if (found >= 0)
        return (uint32_t)found;
    if (o->row_n == o->row_room) {
        o->row_room = o->row_room * 2 + 64;
        o->rows = mem_grow(o->rows, o->row_room * sizeof *o->rows);
    }
    name = oracle_same(o, name);
    o->rows[o->row_n] =
        (struct oracle_row){.table = table, .name = name, .unions = oracle_unions_of(o, name)};
    return o->row_n++;
}

const struct oracle_row *oracle_row(const struct oracle *o, uint32_t name)
{
    int at = oracle_find(o, name);

    return at < 0 ? NULL : &o->rows[at];
}

bool oracle_knows(const struct oracle *o, uint32_t name)
{
    return oracle_find(o, name) >= 0;
}

bool oracle_has_died(const struct oracle *o, uint32_t name)
{
    int at = oracle_find(o, name);
    bool died = at >= 0 && o->rows[at].births > 1;

    for (uint32_t i = 0; at >= 0 && i < o->rows[at].n; i++)
        died |= o->events[o->rows[at].events[i]].column == COLUMN_DEATH;
    return died;
}

static bool is_several(const struct oracle *o, const struct oracle_row *row)
{
    return shape_is_several(o->shape, &o->shape->tables[row->table]);
}

bool oracle_is_several(const struct oracle *o, uint32_t name)
{
    int at = oracle_find(o, name);

    return at >= 0 && is_several(o, &o->rows[at]);
}

/* ---- what applications do ---- */

/* Has the site, unsure whether its last write of the cell was drained, written again what stood
 * there before that? Then there may be nothing that differs: no write. */
static bool may_be_none(const struct oracle *o, const struct oracle_event *event)
{
    uint32_t before = UINT32_MAX;
    bool unsure = false;

    for (uint32_t i = 0; i < event->over_n; i++) {
        const struct oracle_event *older = &o->events[event->over[i]];

        if (older->column != event->column)
            continue;
        if (older->site == event->site && !older->drained)
            unsure |= older->doubtful;
        else
            before = older->value;
    }
    return unsure && before == event->value;
}

/* By rule, does what one site writes to this table come into another one's file? Copies of the
 * first one's began with it. */
static bool comes_in(const struct oracle *o, uint32_t table, const struct oracle_event *event,
                     uint32_t to)
{
    return event->site == to || shape_takes(&o->shape->tables[table], to, o->sites) ||
           event->tick <= o->copied;
}

/* Is what its site writes there said to anybody? If not it is nothing that happened. */
static bool is_said(const struct oracle *o, const struct view_row *row, uint32_t site)
{
    return shape_says(&o->shape->tables[row->table], site, o->sites) &&
           !view_stays(o->shape, o->words, row);
}

/* Where rows are one by somebody's word, not all that is told of the row was written to what its
 * author had before him. */
static bool is_of(const struct oracle_row *row, const struct oracle_event *older,
                  const struct oracle_event *event)
{
    return row->unions == 0 || event->wide || older->name == event->name;
}

/* Has the site seen a delete of what was born so? Another row of the name is none of that. */
static bool is_ended(const struct oracle *o, const struct oracle_row *row, uint32_t site,
                     uint32_t birth)
{
    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *death = &o->events[row->events[i]];

        if (death->column == COLUMN_DEATH && (death->seen_by & bit(site)) != 0 &&
            oracle_is_over(death, birth))
            return true;
    }
    return false;
}

/* What the site wrote there since it drained last may be gone. */
static void doubt_own(struct oracle *o, const struct oracle_row *row, uint32_t site, int column)
{
    for (uint32_t i = 0; i < row->n; i++) {
        struct oracle_event *event = &o->events[row->events[i]];

        if (event->site == site && event->column == column && !event->drained)
            event->doubtful = true;
    }
}

static void event_add(struct oracle *o, uint32_t row, int column, const struct view_row *cell,
                      uint32_t site, int64_t tick)
{
    struct oracle_row *r = &o->rows[row];
    struct oracle_event event = {.row = row,
                                 .column = column,
                                 .value = column < 0 ? 0 : cell->cells[column],
                                 .site = site,
                                 .name = cell->name,
                                 .wide = r->unions != 0 && oracle_is_one(o, site, r),
                                 .apart = oracle_is_apart(o, r, &o->last[site]),
                                 .birth = o->event_n,
                                 .tick = tick,
                                 .wall_ms = o->now_ms,
                                 .rules = o->rules,
                                 .latest = UINT64_MAX,
                                 .seen_by = bit(site)};

    if (o->event_n == o->event_room) {
        o->event_room = o->event_room * 2 + 256;
        o->events = mem_grow(o->events, o->event_room * sizeof *o->events);
    }
    if (r->n == r->room) {
        r->room = r->room * 2 + 8;
        r->events = mem_grow(r->events, r->room * sizeof *r->events);
    }
    event.over = mem_alloc(r->n * sizeof *event.over);
    for (uint32_t i = 0; i < r->n; i++) {
        const struct oracle_event *older = &o->events[r->events[i]];

        if ((older->seen_by & bit(site)) == 0 || !is_of(r, older, &event) ||
            !comes_in(o, r->table, older, site))
            continue;
        event.over[event.over_n++] = r->events[i];
        if (older->column == COLUMN_BIRTH && column != COLUMN_BIRTH &&
            (event.birth == o->event_n || !is_ended(o, r, site, r->events[i]) ||
             is_ended(o, r, site, event.birth)))
            event.birth = r->events[i];
        event.doubtful |= older->torn && older->site == site && older->column == column;
    }
    if (may_be_none(o, &event)) {
        event.doubtful = true;
        doubt_own(o, r, site, column); /* if it is none, neither is what it was written over */
    }
    o->doubts[site] |= event.doubtful;
    r->sites |= bit(site);
    r->births += column == COLUMN_BIRTH;
    r->events[r->n++] = o->event_n;
    o->events[o->event_n++] = event;
}

/* Writes drained together with their row's delete are gone if it returns. */
static void doubt_undrained(struct oracle *o, const struct oracle_row *row, uint32_t site,
                            uint32_t name)
{
    for (uint32_t i = 0; i < row->n; i++) {
        struct oracle_event *event = &o->events[row->events[i]];

        if (event->site == site && !event->drained && event->column >= 0 &&
            (row->unions == 0 || event->name == name))
            event->doubtful = true;
    }
}

/* What one drain takes of a cell is one change. Did the site write it whole, or at all (or its
 * row's end), since it drained last? */
static void find_undrained(const struct oracle *o, const struct oracle_event *event, bool *whole,
                           bool *any, bool *unsure)
{
    const struct oracle_row *row = &o->rows[event->row];

    *whole = *any = *unsure = false;
    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *older = &o->events[row->events[i]];

        if (older == event || older->site != event->site || older->looked ||
            !is_of(row, older, event) ||
            (older->column != event->column && older->column != COLUMN_DEATH))
            continue;
        *any = true;
        *whole |= older->column == event->column && !older->delta;
        *unsure |= older->perhaps;
    }
}

/* Has somebody else written the cell whole, unseen by who wrote this? In a file that went back that
 * stands, and what was added there is listed. */
static bool is_overwritten(const struct oracle *o, const struct oracle_event *event)
{
    const struct oracle_row *row = &o->rows[event->row];

    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *other = &o->events[row->events[i]];

        if (other->column == event->column && other->site != event->site && !other->delta &&
            !oracle_is_over(event, row->events[i]))
            return true;
    }
    return false;
}

/* Where nobody knows whether the file showed one row or two, nobody knows which sales are in what
 * was written whole. */
static void blur_unsure(struct oracle_row *row, const struct oracle_event *event)
{
    if (row->unions != 0 && !event->wide && !event->apart && !event->delta)
        row->blurred |= UINT32_C(1) << event->column;
}

/* What the application wrote into a counter: a whole value, or some more or less. */
static void count(struct oracle *o, uint32_t was, uint32_t is)
{
    struct oracle_event *event = &o->events[o->event_n - 1];
    int64_t before = was == UINT32_MAX ? INT64_MIN : oracle_amount(o, was);
    bool whole, any, unsure;

    find_undrained(o, event, &whole, &any, &unsure);
    event->amount = event->whole = oracle_amount(o, is);
    event->delta = before != INT64_MIN && event->amount != INT64_MIN && !whole;
    if (event->delta)
        event->amount -= before;
    if (unsure || (!event->delta && any && (before == INT64_MIN || event->amount == INT64_MIN)))
        o->rows[event->row].blurred |= UINT32_C(1) << event->column;
    event->doubtful |= o->rewound[event->site] && is_overwritten(o, event);
    blur_unsure(&o->rows[event->row], event);
    o->doubts[event->site] |= event->doubtful;
}

/* The application put back what the agent had replaced, knowing or not: this, and what it wrote
 * there just before, may be gone. */
static void doubt_put_back(struct oracle *o, uint32_t site, const struct oracle_row *row,
                           int column)
{
    o->doubts[site] = true;
    doubt_own(o, row, site, column);
}

static void doubt_last(struct oracle *o, bool doubt)
{
    struct oracle_event *event = &o->events[o->event_n - 1];

    event->doubtful |= doubt;
    o->doubts[event->site] |= doubt;
}

/* A row that a filter keeps here, but did not when the file went back, may be deleted for all. */
static void commit_deletes(struct oracle *o, uint32_t site, const struct app *app)
{
    for (uint32_t i = 0; i < app->before.n; i++) {
        const struct view_row *was = &app->before.rows[i];
        bool says = is_said(o, was, site);
        int known = oracle_find(o, was->name);
        uint32_t row;

        if ((!says && (known < 0 || !oracle_was_said(o, site, &o->rows[known]))) ||
            view_find(&app->now, was->table, was->name) != NULL)
            continue;
        row = row_of(o, was->table, was->name);
        doubt_undrained(o, &o->rows[row], site, was->name);
        says &= !oracle_is_stuck(o, site, &o->rows[row], was) &&
                !oracle_came_outside(o, site, &o->rows[row]);
        event_add(o, row, COLUMN_DEATH, was, site, app->now.tick);
        doubt_last(o, !says);
    }
}

static void commit_cell(struct oracle *o, uint32_t row, int column, const struct view_row *was,
                        const struct view_row *is, uint32_t site, int64_t tick)
{
    event_add(o, row, column, is, site, tick);
    o->events[o->event_n - 1].was = was == NULL ? UINT32_MAX : was->raw[column];
    o->events[o->event_n - 1].is = is->raw[column];
    if (shape_counts(&o->shape->tables[is->table], (uint32_t)column))
        count(o, was == NULL ? UINT32_MAX : was->cells[column], is->cells[column]);
    if (was != NULL && oracle_is_put_back(o, site, is->name, column, is->cells[column]))
        doubt_put_back(o, site, &o->rows[row], column);
}

void oracle_corrected(struct oracle *o, uint32_t site, uint64_t wall_ms)
{
    uint64_t stamp = wall_ms << STAMP_MS_SHIFT;

    for (uint32_t i = 0; i < o->event_n; i++)
        if (o->events[i].site == site && o->events[i].drained && o->events[i].earliest > stamp)
            o->events[i].earliest = stamp;
}

void oracle_restore(struct oracle *o, uint32_t site, const struct view_row *row, uint32_t column,
                    uint32_t value, uint64_t wall_ms)
{
    struct view_row written = *row;
    struct oracle_event *event;
    uint32_t at = row_of(o, row->table, row->name);

    written.cells[column] = value;
    event_add(o, at, (int)column, &written, site, VIEW_TICKS_MAX - 1); /* in no journal */
    event = &o->events[o->event_n - 1];
    event->seen_by = 0;
    event->drained = event->looked = true;
    event->drain = o->drains;
    event->earliest = wall_ms << STAMP_MS_SHIFT;
    o->rows[at].unbound = true;
}

/* A number that is given anew, without the mark it had, is written, although it is the same; a row
 * that goes is no write of those that name it by rule; a table and a key are said together. */
static bool is_written(const struct shape_column *column, const struct view_row *was,
                       const struct view_row *is, uint32_t c)
{
    if (is->cells[c] == WORD_ABSENT || (was != NULL && was->cells[c] == WORD_ABSENT))
        return false;
    if (was == NULL)
        return true;
    if (column->role == SHAPE_TYPE)
        return was->raw[c] != is->raw[c] || was->raw[c + 1] != is->raw[c + 1];
    if (shape_loose(column))
        return was->raw[c] != is->raw[c] ||
               (column->form == SHAPE_TYPED && was->raw[c - 1] != is->raw[c - 1]);
    return was->cells[c] != is->cells[c] ||
           (column->role == SHAPE_DATA && column->values == SHAPE_TICKET &&
            was->raw[c] != is->raw[c]);
}

/* A row is born in a file that has no such columns: those that have get what a migration fills in.
 */
static void commit_fills(struct oracle *o, uint32_t row, const struct view_row *is, uint32_t site,
                         int64_t tick)
{
    const struct shape_table *t = &o->shape->tables[is->table];

    for (uint32_t c = t->keys; c < t->columns_n; c++) {
        const char *fill = t->columns[c].fill;
        struct view_row filled = *is;

        if (is->cells[c] != WORD_ABSENT)
            continue;
        filled.cells[c] = fill == NULL ? WORD_NULL : words_add(o->words, fill);
        commit_cell(o, row, (int)c, NULL, &filled, site, tick);
        o->events[o->event_n - 1].filled = true;
    }
}

static void commit_writes(struct oracle *o, uint32_t site, const struct app *app)
{
    for (uint32_t i = 0; i < app->now.n; i++) {
        const struct view_row *is = &app->now.rows[i];
        const struct view_row *was = view_find(&app->before, is->table, is->name);
        const struct shape_table *t = &o->shape->tables[is->table];
        uint32_t row;
        bool stuck;

        if (!is_said(o, is, site))
            continue;
        if (was != NULL && !is_said(o, was, site))
            was = NULL; /* now that somebody hears of it, it is born */
        row = row_of(o, is->table, is->name);
        stuck = was == NULL ? oracle_is_outside(o, site, &o->rows[row])
                            : oracle_is_stuck(o, site, &o->rows[row], was) ||
                                  oracle_came_outside(o, site, &o->rows[row]);
        if (was == NULL) {
            event_add(o, row, COLUMN_BIRTH, is, site, app->now.tick);
            commit_fills(o, row, is, site, app->now.tick);
        }
        for (uint32_t c = t->keys; c < t->columns_n; c++) {
            if (!is_written(&t->columns[c], was, is, c))
                continue;
            commit_cell(o, row, (int)c, was, is, site, app->now.tick);
            o->events[o->event_n - 1].outside = stuck && was == NULL;
            doubt_last(o, stuck || oracle_is_like_filled(app, &t->columns[c], was));
        }
    }
}

void oracle_commit(struct oracle *o, uint32_t site, const struct app *app, uint64_t wall_ms)
{
    o->now_ms = wall_ms;
    if (wall_ms > o->peak_ms[site])
        o->peak_ms[site] = wall_ms;
    memcpy(o->saw[app->now.tick], app->before.journal, sizeof *o->saw);
    o->knew[app->now.tick] = o->knows[site];
    o->doubts[site] |= o->shape->journal; /* there is at least a line in it to be drained */
    commit_deletes(o, site, app);
    commit_writes(o, site, app);
    oracle_touched(o, site, app);
    for (uint32_t i = 0; i < app->moves_n; i++) {
        const struct app_move *m = &app->moves[i];
        uint32_t from, to;

        if (!shape_says(&o->shape->tables[m->table], site, o->sites))
            continue;
        from = row_of(o, m->table, m->from);
        to = row_of(o, m->table, m->to);
        o->rows[from].moved = o->rows[to].moved = true;
    }
    oracle_remember_keys(o, site, &app->now);
    view_copy(&o->last[site], &app->now);
}

/* The agent may know of a delete that its file does not show yet: who writes the row wants it. */
static void rise_above_deletes(const struct oracle *o, struct oracle_event *event)
{
    const struct oracle_row *row = &o->rows[event->row];

    for (uint32_t i = 0; i < row->n && event->column >= 0; i++) {
        const struct oracle_event *death = &o->events[row->events[i]];

        if (death->column != COLUMN_DEATH || (!death->drained && !death->doubtful))
            continue;
        if (!death->drained || death->latest == UINT64_MAX)
            event->latest = UINT64_MAX;
        else if (death->latest >= event->latest)
            event->latest = death->latest + STAMP_RAISE;
    }
}

/* Between which times the site wrote what its drain takes of the row, and drained it: its clock may
 * have been set back meanwhile. A row that came and went in one transaction, which nobody sees from
 * outside, leaves a mark under its key, too. */
static void find_times(const struct oracle *o, const struct oracle_event *event, uint64_t *first,
                       uint64_t *last)
{
    const struct oracle_row *row = &o->rows[event->row];

    *last = o->peak_ms[event->site] > *last ? o->peak_ms[event->site] : *last;
    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *other = &o->events[row->events[i]];

        if (other->site != event->site || (other->drained && other->drain != o->drains))
            continue;
        *first = other->wall_ms < *first ? other->wall_ms : *first;
        *last = other->wall_ms > *last ? other->wall_ms : *last;
    }
}

/* The clock of a write is its time, or just above whatever it was written over. Of the row that a
 * drain takes all is written at once. */
static void bound_clock(struct oracle *o, struct oracle_event *event, uint64_t wall_ms)
{
    uint64_t first = wall_ms, last = wall_ms;
    const struct oracle_row *row = &o->rows[event->row];
    bool same = false, several = is_several(o, row);

    find_times(o, event, &first, &last);
    event->earliest = first << STAMP_MS_SHIFT;
    event->latest = row->unions != 0 || row->unbound || oracle_is_vague(o, event) ||
                            oracle_may_be_another(o, event)
                        ? UINT64_MAX
                        : (last + 1) << STAMP_MS_SHIFT;
    for (uint32_t i = 0; i < event->over_n; i++) {
        struct oracle_event *under = &o->events[event->over[i]];

        if (under->latest == UINT64_MAX || several)
            event->latest = UINT64_MAX;
        else if (under->latest >= event->latest)
            event->latest = under->latest + STAMP_RAISE;
        if ((under->column == event->column || under->column == COLUMN_DEATH) &&
            under->drain == o->drains && under->site == event->site) {
            same = true;
            under->earliest = 0;
        }
        if (under->column == event->column && under->drained && !under->doubtful &&
            under->drain != o->drains && under->earliest >= event->earliest)
            event->earliest = under->earliest + 1;
    }
    rise_above_deletes(o, event);
    if (o->ahead[event->site])
        event->latest = UINT64_MAX;
    /* Of two writes, or an end and a birth, that one drain takes the first is never said, and the
     * second not either if it is what was there before; and what a table holds when it is matched
     * first has no time. */
    if (same || event->freed || !o->spoke[event->site] || o->lost[event->site])
        event->earliest = 0;
}

/* What a drain takes of a row is as young as the last of it, whatever the clock did meanwhile. */
static void bound_together(struct oracle *o, uint32_t site)
{
    for (uint32_t i = 0; i < o->event_n; i++) {
        struct oracle_event *event = &o->events[i];
        const struct oracle_row *row = &o->rows[event->row];

        for (uint32_t k = 0; event->site == site && event->drain == o->drains && k < row->n; k++) {
            const struct oracle_event *other = &o->events[row->events[k]];

            if (other->site == site && other->drain == o->drains && other->latest > event->latest)
                event->latest = other->latest;
        }
    }
}

/* May others have a row of this name before they hear of each other? Then nobody knows which of
 * their sales are in what a newcomer had there when it was matched. */
static bool is_common(const struct oracle *o, const struct oracle_row *row)
{
    const struct shape_table *t = &o->shape->tables[row->table];

    return !shape_surrogate(t) || is_several(o, row);
}

/* Whether it counts is decided when it is drained. */
static void apply_rule(struct oracle *o, struct oracle_event *event)
{
    struct oracle_row *row = &o->rows[event->row];

    if (event->column < 0 || !shape_counts(&o->shape->tables[row->table], (uint32_t)event->column))
        return;
    if (event->rules != o->rules || (!o->spoke[event->site] && is_common(o, row)))
        row->blurred |= UINT32_C(1) << event->column;
    if ((o->uncounted[row->table] >> event->column & 1) == 0)
        return;
    event->delta = false;
    event->amount = event->whole;
    blur_unsure(row, event);
}

/* Was it written over what came from another PC, in a copy of its database? */
static bool is_of_others(const struct oracle *o, const struct oracle_event *event)
{
    for (uint32_t i = 0; i < event->over_n; i++)
        if (o->events[event->over[i]].site != event->site)
            return true;
    return false;
}

/* Did the row come and go before anybody heard of it? */
static bool is_unheard(const struct oracle *o, const struct oracle_event *death)
{
    const struct oracle_row *row = &o->rows[death->row];
    bool heard = false;

    for (uint32_t i = 0; i < row->n; i++) {
        const struct oracle_event *event = &o->events[row->events[i]];

        heard |= event->site != death->site || (event->drained && event->drain != death->drain);
    }
    return !heard || death->unheard;
}

/* Such a row: what names it by a rule names nothing. */
static void forget_named(struct oracle *o, uint32_t site, uint32_t name)
{
    for (uint32_t i = 0; i < o->event_n; i++) {
        struct oracle_event *event = &o->events[i];
        const struct shape_table *t = &o->shape->tables[o->rows[event->row].table];

        if (event->site == site && event->column >= 0 && event->value == name &&
            shape_loose(&t->columns[event->column]))
            event->value = words_add(o->words, VIEW_GONE);
    }
}

/* Has a migration dropped the column meanwhile? What stood there is not in the file any more. */
static bool has_gone(const struct oracle *o, const struct oracle_event *event)
{
    const struct shape *s = shape_at(o->shape, o->last[event->site].version);

    return event->column >= 0 && !event->filled &&
           s->tables[o->rows[event->row].table].columns[event->column].absent;
}

void oracle_drained(struct oracle *o, uint32_t site, uint64_t wall_ms)
{
    o->rewound[site] = o->doubts[site] = false;
    o->drains++;
    for (uint32_t i = 0; i < o->event_n; i++) {
        struct oracle_event *event = &o->events[i];

        if (event->site == site) {
            event->torn = false;
            event->looked = true;
        }
        if (event->site != site || event->doubtful || event->drained)
            continue;
        if (has_gone(o, event) || (!o->spoke[site] && is_of_others(o, event))) {
            event->doubtful = true; /* matching knows no times: what the fleet has stands */
            continue;
        }
        event->drained = true;
        event->drain = o->drains;
        event->unheard = event->column == COLUMN_DEATH && !o->spoke[site];
        bound_clock(o, event, wall_ms);
        apply_rule(o, event);
    }
    for (uint32_t i = 0; i < o->event_n; i++)
        if (o->events[i].site == site && o->events[i].column == COLUMN_DEATH &&
            o->events[i].drain == o->drains && is_unheard(o, &o->events[i]))
            forget_named(o, site, o->events[i].name);
    bound_together(o, site);
    if (site == 0 && o->copied > 0)
        oracle_copied_drained(o);
    oracle_derived(o, site);
    for (uint32_t i = 0; i < o->touch_n; i++)
        if (o->touches[i].site == site && o->touches[i].drain == 0)
            o->touches[i].drain = o->drains;
    oracle_drained_again(o, site);
    oracle_know_keys(o, site);
    o->spoke[site] = true;
    o->peak_ms[site] = 0;
}
