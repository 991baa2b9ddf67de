/* The cells of one row that the application wrote: which they are, and whether they go out as
 * values or, of a counter, as what was added. */
#include "publish.h"
#include "behind.h"
#include "ledger_large.h"
#include "reading.h"
#include "refer.h"
#include "unite.h"

#include "columns.h"
#include "withhold.h"

#include <string.h>

enum { ABOVE_DERIVED = 1, ABOVE_SEEN = 2 };

uint64_t stamp_after(uint64_t stamp, const struct cell *c, bool derived)
{
    uint64_t least = counter_stamp(c) + (derived ? ABOVE_DERIVED : ABOVE_SEEN);

    return (c->clock.number != 0 || c->counter != NULL) && least > stamp ? least : stamp;
}

/* ---- counters ---- */

/* What the application added: the running total that says so. False where this is no change of a
 * counter; it goes out as a value then. */
static bool find_delta(struct publisher *p, const struct touched *t, uint32_t column,
                       const struct cell *was, struct body_counter *c)
{
    const struct cell *have = record_get(&p->rec, t->b->position[column]);
    const struct total *mine;
    struct decimal before, after;
    uint8_t form;

    if (!t->b->counter[column] || was == NULL || have == NULL)
        return false;
    if (!decimal_of_value(&was->v, &before, &form) ||
        !decimal_of_value(&p->values[column], &after, &c->form) ||
        !decimal_subtract(&c->total, &after, &before) ||
        !decimal_within(&c->total, DECIMAL_TOTAL_MAX))
        return false;
    mine = counter_find(have, t->gid, p->s->ledger.self);
    if (mine == NULL && have->counter != NULL && have->counter->n >= CELL_TOTALS_MAX)
        return false;
    if (mine != NULL && !decimal_add(&c->total, &c->total, &mine->total))
        return false;
    c->delta = true;
    return decimal_within(&c->total, DECIMAL_TOTAL_MAX);
}

void cells_seen(struct record *room, int64_t gid, const struct cell *saw, struct body_counter *c)
{
    const struct counter *k = saw->counter;
    struct body_seen *seen = record_alloc(room, k->n * sizeof *seen);

    for (uint32_t i = 0; i < k->n; i++) {
        const struct total *from = &k->totals[i];
        bool said = from->number >= from->seen_number;

        seen[i] = (struct body_seen){.actor = from->actor,
                                     .number = said ? from->number : from->seen_number,
                                     .total = said ? from->total : from->seen};
        if (from->gid != gid)
            seen[i].row = gid_unpack(from->gid);
    }
    c->seen = seen;
    c->seen_n = k->n;
}

/* Had the file been brought to what this write says of the row? What is merged only may be later;
 * so is what a file that went back had lost when the application wrote. */
static bool is_applied(const struct publisher *p, const struct touched *t, uint32_t actor,
                       uint64_t number)
{
    const struct local_clock clock = {.actor = actor, .number = number};

    if (p->list->recovery != NULL)
        return behind_saw(p->list->recovery, t->gid, &clock);
    return actor == 0 || number <= p->s->ledger.actors[actor - 1].applied;
}

/* Was the row, which is not in the file, deleted as far as the file tells? */
static bool is_dead_here(const struct publisher *p, const struct touched *t)
{
    const struct ledger *l = &p->s->ledger;

    for (uint32_t i = 0; i < p->rec.n; i++) {
        const struct cell *c = &p->rec.cells[i];

        if (c->set && is_applied(p, t, c->clock.actor, c->clock.number) &&
            ledger_clock_compare(l, &c->clock, &p->rec.dead) > 0)
            return false;
        for (uint32_t k = 0; c->counter != NULL && k < c->counter->n; k++) {
            const struct total *said = &c->counter->totals[k];
            struct local_clock clock = {
                .stamp = said->stamp, .actor = said->actor, .number = said->number};

            if (said->number > 0 && is_applied(p, t, said->actor, said->number) &&
                ledger_clock_compare(l, &clock, &p->rec.dead) > 0)
                return false;
        }
    }
    return p->rec.dead.number != 0;
}

/* What its actor had said by the last of his change-sets that the file held; number 0: nothing, or
 * it is too far back to be looked for. */
static bool total_applied(struct publisher *p, const struct touched *t, uint32_t position,
                          struct total *total, struct err *e)
{
    struct ledger *l = &p->s->ledger;
    uint64_t number = total->number;
    bool says = number == 0 || is_applied(p, t, total->actor, number), found;
    struct slice bytes;

    if (says)
        return true;
    total->number = 0;
    while (!says && --number > 0 && p->s->look_ups_left > 0) {
        if (!is_applied(p, t, total->actor, number))
            continue;
        p->s->look_ups_left--;
        if (!ledger_changeset_get(l, total->actor, number, &bytes, &found, e) ||
            (found && !reading_total(l, bytes, t->b->table, position, total, &says, e)))
            return false;
    }
    return true;
}

/* The cell, without what has been added since. What was in a write that the file did not hold tells
 * nothing of what was in the file. */
static bool as_applied(struct publisher *p, const struct touched *t, uint32_t position,
                       const struct cell **c, struct err *e)
{
    const struct counter *k = *c == NULL ? NULL : (*c)->counter;
    struct cell *out;
    struct total *totals;
    uint32_t n = 0;
    bool held;

    if (k == NULL)
        return true;
    held = is_applied(p, t, (*c)->clock.actor, (*c)->clock.number);
    out = record_alloc(&p->next, sizeof *out);
    totals = counter_totals(&p->next, k->n);
    for (uint32_t i = 0; i < k->n; i++) {
        totals[n] = k->totals[i];
        if (!held)
            totals[n].seen_number = 0;
        if (!total_applied(p, t, position, &totals[n], e))
            return false;
        n += totals[n].number != 0 || totals[n].seen_number != 0;
    }
    *out = cell_plain(*c);
    if (n > 0)
        out->counter = counter_of(&p->next, &k->base, totals, n);
    *c = out;
    return true;
}

/* What the application had seen of a cell: what the file showed. Where it made the row, it may have
 * deleted it before. */
static bool saw(struct publisher *p, const struct touched *t, uint32_t column,
                const struct cell **c, struct err *e)
{
    uint32_t position = t->b->position[column];

    if (*c != NULL || !is_dead_here(p, t))
        return true;
    *c = record_get(&p->rec, position);
    return as_applied(p, t, position, c, e);
}

struct conflict_row cells_listed(const struct publisher *p, const struct touched *t)
{
    const struct app_table *app = t->b->app;

    return (struct conflict_row){.s = p->s,
                                 .gid = t->gid,
                                 .table = t->b->table,
                                 .inserted = p->n == app->column_count,
                                 .own_key =
                                     app->surrogate ? (int64_t)t->b->position[app->keys[0]] : -1};
}

/* Matching knows no times, and a sum cannot be compared with a value: the fleet's stands. */
static bool keep_sum(struct publisher *p, const struct touched *t, uint32_t column, struct err *e)
{
    const struct conflict_row about = cells_listed(p, t);
    uint32_t position = t->b->position[column];
    struct cell file = {
        .v = p->values[column], .clock = {.number = 1, .actor = p->s->ledger.self}, .set = true};

    *record_cell(&p->next, position) = file;
    return conflict_note(&about, position, CONFLICT_MATCHED, &file, NULL, e);
}

/* ---- which cells ---- */

static bool add_cell(struct publisher *p, const struct touched *t, uint32_t order,
                     const struct cell *was, bool timed, struct err *e)
{
    uint32_t column = t->b->order[order];
    struct body_counter counter = {.cell = p->n};
    const struct cell *seen = was;

    if (!saw(p, t, column, &seen, e))
        return false;
    p->columns[p->n] = order;
    p->wire[p->n] = p->values[column];
    if (timed && find_delta(p, t, column, was, &counter)) {
        p->wire[p->n] = (struct value){.type = VALUE_NULL};
    } else {
        counter = (struct body_counter){.cell = p->n};
        if (seen != NULL && seen->counter != NULL)
            cells_seen(&p->next, t->gid, seen, &counter);
    }
    if (counter.delta || counter.seen_n > 0)
        p->counters[p->counter_n++] = counter;
    p->n++;
    return true;
}

static bool is_in_file(struct store *s, int64_t gid, bool *is, struct err *e)
{
    struct ledger_row row;

    if (!ledger_head_get(&s->ledger, gid, &row, is, e))
        return false;
    *is = *is && row.present;
    return true;
}

/* Equal; but of two rows that are one and that the file still shows apart, who writes the other in
 * the place of the one has written. */
static bool shows_same(struct store *s, const struct value *was, const struct value *is, bool *same,
                       struct err *e)
{
    bool apart;

    if (!value_same(s, was, is, same, e))
        return false;
    if (!*same || is->type != VALUE_REF || value_equal(was, is))
        return true;
    if (!is_in_file(s, gid_pack(was->ref), &apart, e) ||
        (apart && !is_in_file(s, gid_pack(is->ref), &apart, e)))
        return false;
    *same = !apart;
    return true;
}

/* Does the column hold what the file held before? */
static bool is_unchanged(struct publisher *p, const struct touched *t, uint32_t column,
                         const struct cell *was, bool *same, struct err *e)
{
    const struct binding *b = t->b;
    const struct value *v = &p->values[column];

    *same = was != NULL && b->app->surrogate && b->is_key[column];
    if (*same || was == NULL)
        return true;
    if (!shows_same(p->s, &was->v, v, same, e))
        return false;
    if (*same)
        return true;
    return withhold_cell(p->s, &b->app->columns[column], was, &t->values[column], v, same, e);
}

/* Does the file hold in this column just what names the row that was meant? */
static bool shows(struct publisher *p, const struct touched *t, uint32_t column,
                  const struct cell *was, bool *same, struct err *e)
{
    struct value shown;
    bool ok;

    *same = false;
    if (was == NULL || was->v.type != VALUE_REF)
        return true;
    ok = refer_value(p->s, t->b, column, gid_pack(was->v.ref), &p->list->arena, &shown, same, e);
    *same = ok && *same && value_equal(&shown, &t->values[column]);
    return ok;
}

/* A type and an id beside it are one value in two columns: whoever writes one writes both, so that
 * no merge makes a pair of halves. And where a pair names a row of another type, which only a site
 * without the rule can have said, its id is not changed as long as the file holds the same. */
static bool settle_pairs(struct publisher *p, const struct touched *t, const struct record *base,
                         struct err *e)
{
    for (uint32_t i = 0; t->b->indirect && base != NULL && i < t->b->app->column_count; i++) {
        const struct app_column *c = &t->b->app->columns[i];
        bool same;

        if (c->ref_form != REF_TYPED || p->changed[i] == p->changed[c->ref_column])
            continue;
        if (!shows(p, t, i, record_get(base, t->b->position[i]), &same, e))
            return false;
        if (same && p->changed[i])
            p->changed[i] = false;
        else
            p->changed[i] = p->changed[c->ref_column] = true;
    }
    return true;
}

/* A row under a natural key is named by its INSERT, so that of a new one every cell is said:
 * nothing in place of what is too long. */
static bool leave_out(struct publisher *p, const struct touched *t, uint32_t column, struct err *e)
{
    if (t->b->app->surrogate || !unsent_is(&p->values[column]))
        return true;
    p->values[column] = (struct value){.type = VALUE_NULL};
    return unsent_note(p->s, t->gid, t->b->position[column], e);
}

/* Which of the application's values differ from what the file held? */
static bool find_changed(struct publisher *p, const struct touched *t, const struct record *base,
                         struct err *e)
{
    for (uint32_t i = 0; i < t->b->app->column_count; i++) {
        const struct cell *was = base == NULL ? NULL : record_get(base, t->b->position[i]);
        bool same;

        if ((base == NULL && !leave_out(p, t, i, e)) || !is_unchanged(p, t, i, was, &same, e))
            return false;
        p->changed[i] = !same;
    }
    return settle_pairs(p, t, base, e);
}

/* A type and an id beside it are one value: both are as they were read, or neither is meant so. */
static bool couple(struct publisher *p, const struct touched *t, const struct record *base,
                   uint32_t id, uint32_t type, struct err *e)
{
    bool both = p->back[id] || p->back[type];

    for (int half = 0; half < 2 && both; half++) {
        uint32_t column = half == 0 ? id : type;
        const struct cell *was = record_get(base, t->b->position[column]);

        if (p->back[column])
            continue;
        both = was != NULL;
        if (both && !value_same(p->s, &was->v, &p->values[column], &both, e))
            return false;
    }
    p->back[id] = p->back[type] = both;
    return true;
}

/* Does the column hold what an apply replaced a moment before? */
static bool is_back(struct publisher *p, const struct touched *t, uint32_t column, bool *back,
                    struct err *e)
{
    struct store *s = p->s;
    uint32_t position = t->b->position[column];
    const struct value *v = &p->values[column];
    struct value was = {.type = VALUE_REF};
    int64_t named;

    *back = replaced_is_back(s->replaced, t->gid, position, v, t->wall_ms);
    if (*back || v->type != VALUE_REF)
        return true;
    named = replaced_named(s->replaced, t->gid, position, t->wall_ms);
    was.ref = gid_unpack(named);
    return named == 0 || value_same(s, &was, v, back, e);
}

/* A row that an ORM saves whole, which leaves one mark, has the values that it had when it was
 * read. Those that are there again, as an apply replaced them a moment before, together with
 * another change, are not meant. (A row that was deleted and made anew under its name is no save.)
 */
static bool find_stale(struct publisher *p, const struct touched *t, const struct record *base,
                       struct err *e)
{
    uint32_t n = t->b->app->column_count;
    bool back = false, changed = false;

    for (uint32_t i = 0; i < n; i++) {
        p->back[i] = false;
        if (p->changed[i] && record_get(base, t->b->position[i]) != NULL &&
            !is_back(p, t, i, &p->back[i], e))
            return false;
    }
    for (uint32_t i = 0; t->b->indirect && i < n; i++)
        if (t->b->app->columns[i].ref_form == REF_TYPED &&
            !couple(p, t, base, i, (uint32_t)t->b->app->columns[i].ref_column, e))
            return false;
    for (uint32_t i = 0; i < n; i++) {
        back |= p->back[i];
        changed |= p->changed[i] && !p->back[i];
    }
    if (!back || !changed)
        memset(p->back, 0, n * sizeof *p->back);
    return true;
}

/* The file shows it, and it is to be put back. */
static bool restore_stale(struct publisher *p, const struct touched *t, uint32_t column,
                          const struct cell *was, struct err *e)
{
    const struct conflict_row about = cells_listed(p, t);
    uint32_t position = t->b->position[column];
    struct cell lost = {.v = p->values[column],
                        .clock = {.stamp = hlc_stamp(t->wall_ms, 0),
                                  .actor = p->s->ledger.self,
                                  .number = p->author.number},
                        .set = true},
                won = cell_plain(was);
    bool same;

    if (!value_same(p->s, &was->v, &p->values[column], &same, e))
        return false;
    if (same)
        return true; /* the other half of a pair */
    won.v = was->v;
    counter_settle(&p->next, position, &p->values[column]);
    return conflict_note(&about, position, CONFLICT_STALE, &lost, &won, e);
}

/* The application wrote the row right after an apply changed one of its counters: it may have
 * counted from what was there before. That it left the counter alone is only known where it changed
 * another cell. */
static bool doubt(struct publisher *p, const struct touched *t, struct err *e)
{
    const struct conflict_row about = cells_listed(p, t);

    for (uint32_t i = 0; i < t->b->app->column_count; i++) {
        uint32_t position = t->b->position[i];
        struct cell lost = {.v = p->values[i],
                            .clock = {.stamp = hlc_stamp(t->wall_ms, 0),
                                      .actor = p->s->ledger.self,
                                      .number = p->author.number},
                            .set = true};

        if (!t->b->counter[i] || !replaced_lately(p->s->replaced, t->gid, position, t->wall_ms))
            continue;
        if ((p->n > 0 && !p->changed[i]) || p->back[i])
            continue;
        if (!conflict_renew(&about, position, CONFLICT_DOUBTFUL, &lost, e))
            return false;
    }
    return true;
}

/* Who wrote to a new column had seen what stands under names that the file has no more, and one of
 * those may be its own: others may know which. */
static uint64_t stamp_after_gone(const struct publisher *p, const struct touched *t, uint64_t stamp)
{
    for (uint32_t i = 0; i < p->next.n; i++)
        if (bind_column(t->b, i) < 0)
            stamp = stamp_after(stamp, &p->next.cells[i], t->derived);
    return stamp;
}

static bool find_cell(struct publisher *p, const struct touched *t, const struct cell *was,
                      uint32_t order, uint64_t *stamp, struct err *e)
{
    uint32_t i = t->b->order[order];
    const struct cell *have = record_get(&p->rec, t->b->position[i]);
    bool timed = *stamp != 0;

    if (!p->changed[i])
        return true;
    if (unsent_is(&p->values[i]))
        return unsent_note(p->s, t->gid, t->b->position[i], e);
    if (p->back[i])
        return restore_stale(p, t, i, was, e);
    if (!timed && was != NULL && have != NULL && have->counter != NULL)
        return keep_sum(p, t, i, e);
    if (!add_cell(p, t, order, was, timed && !t->derived, e))
        return false;
    replaced_written(p->s->replaced, t->gid, t->b->position[i]);
    if (was != NULL && timed)
        *stamp = stamp_after(*stamp, was, t->derived);
    if (was == NULL && timed && columns_fresh(t->b, i) != NULL)
        *stamp = stamp_after_gone(p, t, *stamp);
    return true;
}

bool cells_find(struct publisher *p, const struct touched *t, const struct record *base,
                uint64_t *stamp, struct err *e)
{
    bool lately = base != NULL && replaced_any(p->s->replaced, t->wall_ms);

    p->n = p->counter_n = 0;
    if (base != NULL && !fresh_inherit(p, t, base, e))
        return false;
    if (!find_changed(p, t, base, e) || (base != NULL && !fresh_fill(p, t, base, e)))
        return false;
    memset(p->back, 0, t->b->app->column_count * sizeof *p->back);
    if (lately && t->marks == 1 && !find_stale(p, t, base, e))
        return false;
    for (uint32_t o = 0; o < t->b->app->column_count; o++) {
        const struct cell *was =
            base == NULL ? NULL : record_get(base, t->b->position[t->b->order[o]]);

        if (!find_cell(p, t, was, o, stamp, e))
            return false;
    }
    return !lately || doubt(p, t, e);
}

/* ---- what becomes of them ---- */

static bool merge_delta(struct publisher *p, const struct touched *t, uint32_t column,
                        const struct body_counter *c, const struct local_clock *clock,
                        struct err *e)
{
    uint32_t position = t->b->position[column];
    struct total mine = {.gid = t->gid,
                         .actor = clock->actor,
                         .number = clock->number,
                         .stamp = clock->stamp,
                         .total = c->total,
                         .form = c->form};

    if (!counter_add(&p->rec, position, &mine, e) || !counter_add(&p->next, position, &mine, e))
        return false;
    if (!value_equal(&record_get(&p->next, position)->v, &p->values[column]))
        counter_settle(&p->next, position, &p->values[column]);
    return true;
}

/* The file shows what was written, and whatever the application had seen is in it. */
static void settle_next(struct publisher *p, const struct cell *mine, uint32_t position)
{
    struct cell *to = record_cell(&p->next, position);

    to->clock = mine->clock;
    to->counter = mine->counter;
    counter_settle(&p->next, position, &mine->v);
}

const struct counter *cells_totals(struct publisher *p, const struct value *base,
                                   const struct touched *t, const struct body_counter *c)
{
    struct total *totals = counter_totals(&p->next, c->seen_n);

    for (uint32_t i = 0; i < c->seen_n; i++) {
        const struct body_seen *s = &c->seen[i];

        totals[i] = (struct total){.gid = s->row.counter == 0 ? t->gid : gid_pack(s->row),
                                   .actor = s->actor,
                                   .seen_number = s->number,
                                   .seen = s->total};
    }
    return counter_of(&p->next, base, totals, c->seen_n);
}

static bool merge_value(struct publisher *p, const struct touched *t, uint32_t column,
                        const struct body_counter *c, const struct local_clock *clock,
                        struct err *e)
{
    const struct conflict_row about = cells_listed(p, t);
    uint32_t position = t->b->position[column];
    struct cell *have = record_cell(&p->rec, position);
    struct cell mine = {.v = p->values[column], .clock = *clock, .set = true},
                had = cell_plain(have);

    if (have->set && !conflict_cell(&about, position, &mine, &had, e))
        return false;
    if (c != NULL)
        mine.counter = cells_totals(p, &mine.v, t, c);
    if ((!have->set || ledger_cell_compare(&p->s->ledger, p->stands, &mine, have) > 0) &&
        !counter_set(&p->rec, position, &mine, e))
        return false;
    settle_next(p, &mine, position);
    return true;
}

struct local_clock cells_clock(const struct publisher *p, const struct touched *t, uint64_t stamp)
{
    return (struct local_clock){.stamp = stamp,
                                .actor = p->s->ledger.self,
                                .number = p->author.number,
                                .row = t->gid == p->stands ? 0 : t->gid};
}

bool cells_merge(struct publisher *p, const struct touched *t, uint32_t from, uint32_t to,
                 uint64_t stamp, struct err *e)
{
    const struct conflict_row about = cells_listed(p, t);
    const struct local_clock clock = cells_clock(p, t, stamp);
    struct conflict_choice written = {0};
    uint32_t next = 0;

    while (next < p->counter_n && p->counters[next].cell < from)
        next++;
    for (uint32_t i = from; i < to; i++) {
        bool special = next < p->counter_n && p->counters[next].cell == i;
        const struct body_counter *c = special ? &p->counters[next++] : NULL;
        uint32_t column = t->b->order[p->columns[i]];

        if (c != NULL && c->delta ? !merge_delta(p, t, column, c, &clock, e)
                                  : !merge_value(p, t, column, c, &clock, e))
            return false;
        conflict_consider(&about, &written,
                          &(struct cell){.v = p->values[column], .clock = clock, .set = true},
                          t->b->position[column]);
    }
    return from == to || p->rec.dead.number == 0 ||
           conflict_write(&about, &p->rec, &clock, &written, e);
}
