/* The cells of columns that a migration brought (columns.h): carried over from the name that the
 * column had before, or filled in. */
#include "publish.h"

#include "columns.h"
#include "unsent.h"

#define STAMP_UNTIMED 1 /* later than what migrations fill in, and earlier than any write */

/* ---- an old column under a new name ---- */

/* What we ourselves have added to the cell counts under the new name as well: nobody else can say
 * so. */
static bool say_totals(struct publisher *p, const struct touched *t, uint32_t order,
                       const struct counter *k, struct err *e)
{
    uint32_t position = t->b->position[t->b->order[order]];

    for (uint32_t i = 0; k != NULL && i < k->n; i++) {
        struct total mine = k->totals[i];
        struct body_counter c = {.delta = true, .total = mine.total, .form = mine.form};
        struct value nothing = {.type = VALUE_NULL};
        struct body_row row = {.op = CHANGE_UPDATE,
                               .gid = gid_unpack(mine.gid),
                               .stamp = mine.stamp,
                               .n = 1,
                               .columns = &order,
                               .counter_n = 1,
                               .counters = &c};

        if (mine.actor != p->s->ledger.self || mine.number == 0)
            continue;
        if (!author_room(&p->author, author_bytes(&nothing, &c), e))
            return false;
        author_write(&p->author, t->b, &row, &nothing);
        mine.number = p->author.number;
        mine.seen_number = 0;
        mine.seen = (struct decimal){0};
        if (!counter_add(&p->rec, position, &mine, e))
            return false;
    }
    return true;
}

/* With the clock of the write that is in it, and the names of all totals that are: so nothing is
 * counted twice, whoever else carries the same cell over having seen more of it, or less. */
static bool say_inherited(struct publisher *p, const struct touched *t, uint32_t order,
                          struct cell *was, struct err *e)
{
    uint32_t position = t->b->position[t->b->order[order]];
    const struct cell *have = record_get(&p->rec, position);
    bool says = have == NULL || have->clock.stamp < was->clock.stamp;
    struct body_counter seen = {0};
    struct value wire = was->v;
    struct body_row row = {.op = CHANGE_UPDATE,
                           .gid = gid_unpack(t->gid),
                           .stamp = was->clock.stamp,
                           .n = 1,
                           .columns = &order};
    struct cell mine = {.v = was->v, .set = true};

    if (was->counter != NULL)
        cells_seen(&p->next, t->gid, was, &seen);
    if (seen.seen_n > 0) {
        row.counters = &seen;
        row.counter_n = 1;
        mine.counter = cells_totals(p, &mine.v, t, &seen);
    }
    if (!publish_introduce(p, t, e) || !author_room(&p->author, author_bytes(&wire, &seen), e))
        return false;
    mine.clock = cells_clock(p, t, row.stamp);
    was->clock = mine.clock;
    if (!says)
        return true;
    author_write(&p->author, t->b, &row, &wire);
    return counter_set(&p->rec, position, &mine, e);
}

/* `was` is what the file held. Where a power cut took the file back, or something waits outside of
 * it, the ledger has later writes, and the file may never have them under the old name: they count
 * under the new one. */
static bool inherit(struct publisher *p, const struct touched *t, uint32_t order, struct cell was,
                    const struct cell *latest, bool apart, struct err *e)
{
    uint32_t position = t->b->position[t->b->order[order]];
    bool behind = latest != NULL && counter_stamp(latest) > counter_stamp(&was);
    struct cell said = behind ? *latest : was;

    if (unsent_is(&said.v))
        return true;
    if (!say_inherited(p, t, order, &said, e) || !say_totals(p, t, order, said.counter, e))
        return false;
    if (!behind)
        was = said;
    *record_cell(&p->next, position) = was;
    if (apart)
        *record_cell(&p->shadow, position) = was;
    return true;
}

bool fresh_inherit(struct publisher *p, const struct touched *t, const struct record *base,
                   struct err *e)
{
    for (uint32_t o = 0; t->b->fresh != NULL && o < t->b->app->column_count; o++) {
        uint32_t i = t->b->order[o];
        const struct fresh *f = columns_fresh(t->b, i);
        const struct cell *was, *latest;

        if (f == NULL || f->from < 0 || record_get(base, t->b->position[i]) != NULL)
            continue;
        was = record_get(base, (uint32_t)f->from);
        latest = record_get(&p->rec, (uint32_t)f->from);
        if (was != NULL && !inherit(p, t, o, *was, latest, base == &p->shadow, e))
            return false;
    }
    return true;
}

bool fresh_carry(struct publisher *p, const struct touched *t, struct err *e)
{
    for (uint32_t o = 0; t->b->fresh != NULL && o < t->b->app->column_count; o++) {
        uint32_t i = t->b->order[o];
        struct cell was;

        if (!columns_left_behind(t->b, i, &p->rec))
            continue;
        was = *record_get(&p->rec, (uint32_t)t->b->fresh[i].from);
        if (!inherit(p, t, o, was, &was, false, e))
            return false;
    }
    return true;
}

/* ---- what was filled in ---- */

/* Say it, unless something is said of the cell that is as late. */
static bool say_filled(struct publisher *p, const struct touched *t, uint32_t order, uint64_t stamp,
                       struct err *e)
{
    uint32_t column = t->b->order[order], position = t->b->position[column];
    const struct cell *have = record_get(&p->rec, position);
    bool says = have == NULL || have->clock.stamp < stamp;
    struct value wire = p->values[column];
    struct cell mine = {.v = wire, .set = true};

    if (says &&
        (!publish_introduce(p, t, e) || !author_room(&p->author, author_bytes(&wire, NULL), e)))
        return false;
    mine.clock = cells_clock(p, t, stamp);
    *record_cell(&p->next, position) = mine;
    if (!says)
        return true;
    author_row(&p->author, t->b, CHANGE_UPDATE, t->gid, stamp, &order, &wire, 1);
    return counter_set(&p->rec, position, &mine, e);
}

/* A value that no mark tells of, and that is not what the migration filled into the other rows, is
 * somebody's: we do not know when it was written, but it must not lose against a default. */
static bool is_filled(const struct touched *t, uint32_t column, const struct fresh *f,
                      uint64_t *stamp)
{
    bool alike = f->fill != NULL && value_equal(f->fill, &t->values[column]);

    *stamp = alike || !f->told ? 0 : STAMP_UNTIMED;
    return alike || t->marks == 0;
}

bool fresh_fill(struct publisher *p, const struct touched *t, const struct record *base,
                struct err *e)
{
    for (uint32_t o = 0; t->b->fresh != NULL && o < t->b->app->column_count; o++) {
        uint32_t i = t->b->order[o];
        const struct fresh *f = columns_fresh(t->b, i);
        uint64_t stamp;

        if (!p->changed[i] || unsent_is(&p->values[i]) || f == NULL ||
            record_get(base, t->b->position[i]) != NULL || !is_filled(t, i, f, &stamp))
            continue;
        p->changed[i] = false;
        if (!say_filled(p, t, o, stamp, e))
            return false;
    }
    return true;
}
