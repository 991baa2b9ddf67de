#include "author.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "again.h"
#include "ledger_conflict.h"
#include "ledger_limits.h"
#include "migration.h"

#define CELL_BYTES 64  /* more than any cell takes beside its bytes and what was seen */
#define SEEN_BYTES 128 /* more than any total that was seen */

void author_begin(struct author *a, struct store *s, uint64_t now_ms,
                  struct store_progress *progress)
{
    *a = (struct author){.s = s, .progress = progress, .now_ms = now_ms};
    a->actor_index = mem_alloc(ACTORS_MAX * sizeof *a->actor_index);
    a->number = s->ledger.actors[s->ledger.self - 1].staged + 1;
}

void author_close(struct author *a)
{
    if (a->is_open)
        body_close(&a->body);
    free(a->actor_index);
    free(a->counters);
    free(a->seen);
}

void author_open(struct author *a)
{
    if (a->is_open)
        return;
    body_open(&a->body);
    a->is_open = true;
    a->table = NULL;
    memset(a->actor_index, 0, ACTORS_MAX * sizeof *a->actor_index);
}

static uint32_t wire_actor(struct author *a, uint32_t actor)
{
    if (a->actor_index[actor - 1] == 0)
        a->actor_index[actor - 1] = body_actor(&a->body, &a->s->ledger.actors[actor - 1].actor) + 1;
    return a->actor_index[actor - 1] - 1;
}

static void open_table(struct author *a, struct binding *b)
{
    struct slice *names;

    if (a->table == b)
        return;
    names = mem_alloc(b->app->column_count * sizeof *names);
    for (uint32_t i = 0; i < b->app->column_count; i++)
        names[i] = slice_text(b->app->columns[b->order[i]].name);
    body_table(&a->body, slice_text(b->app->name), names, b->app->column_count, b->app->key_count,
               b->app->surrogate);
    free(names);
    a->table = b;
}

static int compare_seen(const void *a, const void *b)
{
    const struct body_seen *left = a, *right = b;

    if ((left->row.counter == 0) != (right->row.counter == 0))
        return left->row.counter == 0 ? -1 : 1;
    if (left->row.counter != 0 && left->row.actor != right->row.actor)
        return left->row.actor < right->row.actor ? -1 : 1;
    if (left->row.counter != right->row.counter)
        return left->row.counter < right->row.counter ? -1 : 1;
    return left->actor == right->actor ? 0 : left->actor < right->actor ? -1 : 1;
}

/* What was seen, with the body's indices and in their order. */
static void translate_seen(struct author *a, const struct body_counter *c, struct body_seen *out)
{
    for (uint32_t i = 0; i < c->seen_n; i++) {
        out[i] = c->seen[i];
        out[i].actor = wire_actor(a, out[i].actor);
        if (out[i].row.counter != 0)
            out[i].row.actor = wire_actor(a, out[i].row.actor);
    }
    if (c->seen_n > 1)
        qsort(out, c->seen_n, sizeof *out, compare_seen);
}

static void translate_counters(struct author *a, struct body_row *row)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < row->counter_n; i++)
        n += row->counters[i].seen_n;
    if (row->counter_n > a->counter_room) {
        a->counter_room = row->counter_n * 2;
        a->counters = mem_grow(a->counters, a->counter_room * sizeof *a->counters);
    }
    if (n > a->seen_room) {
        a->seen_room = n * 2;
        a->seen = mem_grow(a->seen, a->seen_room * sizeof *a->seen);
    }
    n = 0;
    for (uint32_t i = 0; i < row->counter_n; i++) {
        a->counters[i] = row->counters[i];
        a->counters[i].seen = a->seen + n;
        translate_seen(a, &row->counters[i], a->seen + n);
        n += row->counters[i].seen_n;
    }
    row->counters = a->counters;
}

bool author_takes(const struct body_row *row)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < row->counter_n; i++)
        n += row->counters[i].seen_n;
    return n <= ROW_TOTALS_MAX;
}

/* So many of the row's counters have totals that fit into one row of a body. */
static uint32_t counters_that_fit(const struct body_row *row)
{
    struct body_row some = *row;

    while (!author_takes(&some))
        some.counter_n--;
    return some.counter_n;
}

/* The cells up to the first counter that does not fit go into one row; the others are left. */
static void write_some(struct author *a, struct body_row *left)
{
    struct body_row some = *left;

    some.counter_n = counters_that_fit(left);
    if (some.counter_n < left->counter_n)
        some.n = left->counters[some.counter_n].cell;
    body_row_write(&a->body, &some);
    left->n -= some.n;
    left->values += some.n;
    left->columns += some.n;
    left->counters += some.counter_n;
    left->counter_n -= some.counter_n;
    for (uint32_t i = 0; i < left->counter_n; i++)
        a->counters[(size_t)(left->counters - a->counters) + i].cell -= some.n;
}

void author_write(struct author *a, struct binding *b, const struct body_row *row,
                  struct value *values)
{
    struct body_row out = *row;

    author_open(a);
    open_table(a, b);
    out.gid.actor = wire_actor(a, out.gid.actor);
    for (uint32_t i = 0; i < out.n; i++)
        if (values[i].type == VALUE_REF)
            values[i].ref.actor = wire_actor(a, values[i].ref.actor);
    out.values = values;
    if (out.counter_n > 0)
        translate_counters(a, &out);
    assert(author_takes(&out) || out.op == CHANGE_UPDATE);
    while (!author_takes(&out))
        write_some(a, &out);
    body_row_write(&a->body, &out);
    if (out.stamp > a->stamp_max)
        a->stamp_max = out.stamp;
}

void author_row(struct author *a, struct binding *b, enum change_op op, int64_t gid, uint64_t stamp,
                const uint32_t *columns, struct value *values, uint32_t n)
{
    struct body_row row = {
        .op = op, .gid = gid_unpack(gid), .stamp = stamp, .n = n, .columns = columns};

    author_write(a, b, &row, values);
}

void author_repair(struct author *a, struct binding *b, int64_t gid, const struct local_clock *of,
                   uint32_t column, const struct value *value)
{
    struct gid g = gid_unpack(of->row == 0 ? gid : of->row);
    struct gid with = {0, of->number};
    uint32_t o = 0;

    author_open(a);
    open_table(a, b);
    g.actor = wire_actor(a, g.actor);
    with.actor = wire_actor(a, of->actor);
    while (b->order[o] != column)
        o++;
    body_row_with(&a->body, CHANGE_REPAIR, g, of->stamp, with, &o, value, 1);
    if (of->stamp > a->stamp_max)
        a->stamp_max = of->stamp;
}

void author_unite(struct author *a, struct binding *b, int64_t gid, int64_t other)
{
    struct gid g = gid_unpack(gid), with = gid_unpack(other);

    author_open(a);
    open_table(a, b);
    g.actor = wire_actor(a, g.actor);
    with.actor = wire_actor(a, with.actor);
    body_row_with(&a->body, CHANGE_UNITE, g, 0, with, NULL, NULL, 0);
}

bool author_is_full(const struct author *a, uint32_t rows)
{
    return a->is_open &&
           (a->body.rows + rows > CUT_ROWS_MAX || body_size(&a->body) >= a->s->body_soft);
}

/* What we applied of others since we last said so. */
static void add_needs(const struct ledger *l, struct vector *needs)
{
    for (uint32_t i = 0; i < l->actor_count; i++)
        if (i + 1 != l->self && l->actors[i].applied > l->actors[i].said)
            vector_set(needs, &l->actors[i].actor, l->actors[i].applied, NULL);
}

static bool save_said(struct ledger *l, struct err *e)
{
    for (uint32_t i = 0; i < l->actor_count; i++) {
        if (i + 1 == l->self || l->actors[i].applied <= l->actors[i].said)
            continue;
        l->actors[i].said = l->actors[i].applied;
        if (!ledger_seen(l, l->self, i + 1, l->actors[i].said, e) ||
            !ledger_actor_save(l, i + 1, e))
            return false;
    }
    return true;
}

bool author_seal(struct author *a, struct err *e)
{
    struct ledger *l = &a->s->ledger;
    struct ledger_actor *self = &l->actors[l->self - 1];
    struct changeset_header h = {.actor = self->actor,
                                 .number = a->number,
                                 .schema = migration_state(a->s),
                                 .roster = a->s->roster->before + a->s->roster->entries};
    struct buf body = {0}, bytes;
    uint32_t rows = a->body.rows;
    bool ok;

    if (!a->is_open || (rows == 0 && a->corrected == 0))
        return true;
    buf_open(&bytes, CHANGESET_BYTES_MAX);
    memcpy(h.fleet, a->s->roster->fleet, sizeof h.fleet);
    memcpy(h.previous, self->hash, sizeof h.previous);
    if (a->stamp_max > hlc_save(&l->clock))
        hlc_load(&l->clock, a->stamp_max);
    h.stamp = hlc_tick(&l->clock, a->now_ms);
    add_needs(l, &h.needs);
    if (a->corrected != 0)
        vector_set(&h.corrects, &l->actors[a->corrected - 1].actor, a->corrected_to, NULL);
    ok = body_finish(&a->body, &body, e) &&
         changeset_seal(&h, rows, buf_slice(&body), a->s->keys, &bytes, self->hash, e) &&
         ledger_changeset_put(l, l->self, a->number, h.stamp, buf_slice(&bytes), e) &&
         again_note_ours(a->s, a->number, e) && save_said(l, e);
    self->staged = self->merged = self->applied = a->number;
    self->latest = h.stamp > self->latest ? h.stamp : self->latest;
    ok = ok && ledger_actor_save(l, l->self, e) &&
         (a->corrected == 0 || ledger_limit(l, a->corrected, a->corrected_to, h.stamp, e));
    steps_note(a->s, l->self, a->number, rows, bytes.n);
    a->progress->changesets++;
    a->progress->rows += rows;
    changeset_header_close(&h);
    buf_close(&body);
    buf_close(&bytes);
    body_close(&a->body);
    a->is_open = false;
    a->number++;
    a->stamp_max = 0;
    a->corrected = 0;
    return ok;
}

bool author_correct(struct author *a, uint32_t actor, uint64_t number, struct err *e)
{
    if (!author_seal(a, e))
        return false;
    author_open(a);
    a->corrected = actor;
    a->corrected_to = number;
    return author_seal(a, e);
}

size_t author_bytes(const struct value *v, const struct body_counter *c)
{
    size_t seen = c == NULL ? 0 : c->seen_n;

    return CELL_BYTES + seen * SEEN_BYTES +
           (v->type == VALUE_TEXT || v->type == VALUE_BLOB ? v->bytes.n : 0);
}

bool author_room(struct author *a, size_t bytes, struct err *e)
{
    if (a->is_open && body_size(&a->body) + bytes > a->s->body_full && !author_seal(a, e))
        return false;
    author_open(a);
    return true;
}
