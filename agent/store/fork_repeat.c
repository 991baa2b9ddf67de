/* What was laid aside is said again, and what it had added to counters is taken back: fork.h.
 *
 * A total is all that an author ever added to a cell; what the chain that is taken back had added
 * is the difference to the last total before it. So for each cell that it added to, that one is
 * looked up in the log. */
#include "fork.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "counter.h"
#include "ledger_conflict.h"
#include "ledger_limits.h"
#include "reading.h"

#define POSITIONS_MAX 4096 /* of the columns of a table */

/* Of a cell of a row as `actor` names it: what it had added before the chains part (number 0:
 * nothing). */
struct before {
    struct total total;
    uint32_t position;
};

struct taker {
    struct store *s;
    uint32_t actor;
    uint64_t common;
    struct keymap cells; /* 1 + index, by gid and place */
    struct before *list;
    uint32_t n, room;
    struct vector needs; /* what the author had said to have applied, up to the common one */
    uint64_t number;     /* of the change-set under way */
    struct slice bytes;
    /* of the one that is written: */
    uint32_t by, by_index; /* its actor; that one's index in the body + 1, or 0 */
    struct body_writer body;
    struct body_counter *counters;
    struct body_seen *seen;
    uint32_t counter_room, seen_room;
    uint64_t stamp_max;
    bool overflow; /* a sum exceeds what can be said */
};

static void taker_close(struct taker *t)
{
    keymap_close(&t->cells);
    free(t->list);
    vector_close(&t->needs);
    free(t->counters);
    free(t->seen);
}

/* ---- what a cell had before ---- */

static uint32_t place_of(const struct reading *r, uint32_t position)
{
    return r->table->id * POSITIONS_MAX + position;
}

static struct before *before_find(struct taker *t, const struct reading *r, int64_t gid,
                                  uint32_t position)
{
    struct row_key key = int_key(gid);
    uint32_t at = keymap_get(&t->cells, place_of(r, position), &key);

    return at == 0 ? NULL : &t->list[at - 1];
}

static void before_add(struct taker *t, const struct reading *r, int64_t gid, uint32_t position)
{
    struct row_key key = int_key(gid);

    if (before_find(t, r, gid, position) != NULL)
        return;
    if (t->n == t->room) {
        t->room = t->room * 2 + 16;
        t->list = mem_grow(t->list, t->room * sizeof *t->list);
    }
    t->list[t->n++] =
        (struct before){.total = {.gid = gid, .actor = t->actor}, .position = position};
    keymap_put(&t->cells, place_of(r, position), &key, t->n);
}

/* Every delta of a change-set: note its cell (`add`), or what it says of a cell that is noted. */
static bool look_at(struct taker *t, bool add, struct err *e)
{
    struct ledger *l = &t->s->ledger;
    struct reading r;
    bool ok = reading_open(&r, l, t->bytes, e);

    while (ok && body_next_table(&r.body)) {
        ok = reading_table(&r, l, e);
        while (ok && body_next_row(&r.body))
            for (uint32_t i = 0; i < r.body.row.counter_n; i++) {
                const struct body_counter *c = &r.body.row.counters[i];
                int64_t gid = reading_gid(&r, r.body.row.gid);
                uint32_t position = r.positions[r.body.row.columns[c->cell]];
                struct before *b;

                if (!c->delta)
                    continue;
                if (add)
                    before_add(t, &r, gid, position);
                b = before_find(t, &r, gid, position);
                if (add || b == NULL)
                    continue;
                b->total.number = r.h.number;
                b->total.stamp = ledger_stamp(l, t->actor, r.h.number, r.body.row.stamp);
                b->total.total = c->total;
                b->total.form = c->form;
            }
    }
    ok = ok && body_read_end(&r.body);
    reading_close(&r);
    return ok;
}

static bool note_cells(struct taker *t, struct err *e)
{
    return look_at(t, true, e);
}

/* One of the common part of the chain. */
static bool note_before(struct taker *t, struct err *e)
{
    struct changeset_header h = {0};
    struct changeset c;
    bool ok = changeset_open(&c, &h, t->bytes, e);

    for (uint32_t i = 0; ok && i < h.needs.n; i++)
        vector_set(&t->needs, &h.needs.entries[i].actor, h.needs.entries[i].number, NULL);
    changeset_header_close(&h);
    return ok && (t->n == 0 || look_at(t, false, e));
}

/* Call `each` for every change-set of a query of (number, bytes). */
static bool for_each(struct taker *t, const char *sql, bool (*each)(struct taker *, struct err *),
                     struct err *e)
{
    struct ledger *l = &t->s->ledger;
    sqlite3_stmt *q = ledger_prepare(l, sql, e);
    int code = SQLITE_DONE;
    bool ok = q != NULL;

    if (ok && sqlite3_bind_parameter_count(q) == 2) {
        sqlite3_bind_int64(q, 1, t->actor);
        sqlite3_bind_int64(q, 2, (int64_t)t->common);
    }
    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        t->number = (uint64_t)sqlite3_column_int64(q, 0);
        t->bytes = value_of_column(q, 1).bytes;
        ok = each(t, e);
    }
    sqlite3_finalize(q);
    return ok && (code == SQLITE_DONE || ledger_err(l, "read the log", e));
}

#define COMMON                                                                                     \
    "SELECT number, bytes FROM changeset WHERE actor = ?1 AND number <= ?2 ORDER BY number"

/* ---- taking back ---- */

static bool take_back(struct taker *t, const struct before *b, struct err *e)
{
    struct ledger *l = &t->s->ledger;
    struct record rec = {0};
    struct ledger_row row;
    struct buf was, bytes, key;
    const struct total *have = NULL;
    int64_t gid;
    bool found, ok;

    buf_open(&was, SIZE_MAX / 2);
    buf_open(&bytes, SIZE_MAX / 2);
    buf_open(&key, SIZE_MAX / 2);
    ok = ledger_stands(l, b->total.gid, &gid, e) && ledger_row_get(l, gid, &row, &found, e);
    if (ok && found && !row.minted) {
        ok = record_decode(&rec, row.rec, e);
        if (ok && b->position < rec.n)
            have = counter_find(&rec.cells[b->position], b->total.gid, t->actor);
    }
    if (have != NULL && have->number > t->common) {
        if (row.present && !row.differs) { /* the file still shows what was said */
            buf_add(&was, row.rec.p, row.rec.n);
            row.shadow = buf_slice(&was);
            row.differs = true;
        } else if (row.differs) {
            buf_add(&was, row.shadow.p, row.shadow.n);
            row.shadow = buf_slice(&was);
        }
        buf_add(&key, row.key.bytes.p, row.key.bytes.n);
        row.key.bytes = buf_slice(&key);
        counter_put_back(&rec, b->position, &b->total);
        record_encode(&rec, &bytes);
        row.rec = buf_slice(&bytes);
        t->s->due_open = true;
        ok = ledger_row_put(l, &row, true, row.present, e) &&
             ledger_due_put(l, gid, t->s->noticed_ms, NULL, e);
    }
    record_close(&rec);
    buf_close(&was);
    buf_close(&bytes);
    buf_close(&key);
    return ok;
}

bool fork_take_back(struct store *s, uint32_t actor, uint64_t common, const char *sql,
                    struct err *e)
{
    struct taker t = {.s = s, .actor = actor, .common = common};
    bool ok =
        for_each(&t, sql, note_cells, e) && (t.n == 0 || for_each(&t, COMMON, note_before, e));

    for (uint32_t i = 0; ok && i < t.n; i++)
        ok = take_back(&t, &t.list[i], e);
    taker_close(&t);
    return ok;
}

/* ---- saying it again ---- */

static uint32_t body_index(struct taker *t, uint32_t *index, uint32_t actor)
{
    if (*index == 0)
        *index = body_actor(&t->body, &t->s->ledger.actors[actor - 1].actor) + 1;
    return *index - 1;
}

static int compare_seen(const void *a, const void *b)
{
    const struct body_seen *x = a, *y = b;

    if ((x->row.counter == 0) != (y->row.counter == 0))
        return x->row.counter == 0 ? -1 : 1;
    if (x->row.counter != 0 && x->row.actor != y->row.actor)
        return x->row.actor < y->row.actor ? -1 : 1;
    if (x->row.counter != y->row.counter)
        return x->row.counter < y->row.counter ? -1 : 1;
    return x->actor == y->actor ? 0 : x->actor < y->actor ? -1 : 1;
}

/* What was seen of the chain that is said again is seen in two parts: what it had added before, and
 * what it says under its new name. */
static uint32_t split_seen(struct taker *t, const struct reading *r, const struct body_counter *c,
                           uint32_t position, struct body_seen *out)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < c->seen_n; i++) {
        struct body_seen one = c->seen[i];
        struct gid named = one.row.counter == 0 ? r->body.row.gid : one.row;
        const struct before *b = before_find(t, r, reading_gid(r, named), position);

        if (r->actors[one.actor] != t->actor || one.number <= t->common || b == NULL) {
            out[n++] = one;
            continue;
        }
        if (b->total.number > 0) {
            out[n] = one;
            out[n].number = b->total.number;
            out[n++].total = b->total.total;
        }
        out[n] = one;
        out[n].actor = body_index(t, &t->by_index, t->by);
        out[n].number = one.number - t->common;
        t->overflow |= !decimal_subtract(&out[n].total, &one.total, &b->total.total);
        n++;
    }
    if (n > 1)
        qsort(out, n, sizeof *out, compare_seen);
    return n;
}

/* A delta tells what was added since the chains parted. (What the other history adds by the same
 * marks is taken off when it is merged: again.h.) */
static void split_delta(struct taker *t, const struct reading *r, uint32_t position,
                        struct body_counter *c)
{
    const struct before *b = before_find(t, r, reading_gid(r, r->body.row.gid), position);

    t->overflow |= !decimal_subtract(&c->total, &c->total, &b->total.total);
}

static void split_counters(struct taker *t, const struct reading *r, struct body_row *row)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < row->counter_n; i++)
        n += 2 * row->counters[i].seen_n;
    if (row->counter_n > t->counter_room) {
        t->counter_room = row->counter_n * 2;
        t->counters = mem_grow(t->counters, t->counter_room * sizeof *t->counters);
    }
    if (n > t->seen_room) {
        t->seen_room = n * 2;
        t->seen = mem_grow(t->seen, t->seen_room * sizeof *t->seen);
    }
    n = 0;
    for (uint32_t i = 0; i < row->counter_n; i++) {
        struct body_counter *c = &t->counters[i];
        uint32_t position = r->positions[row->columns[row->counters[i].cell]];

        *c = row->counters[i];
        if (c->delta) {
            split_delta(t, r, position, c);
            continue;
        }
        c->seen_n = split_seen(t, r, &row->counters[i], position, t->seen + n);
        c->seen = t->seen + n;
        n += c->seen_n;
    }
    row->counters = t->counters;
}

/* As it counts now: the new name has no corrections of its own. */
static uint64_t stamp_of(const struct taker *t, const struct reading *r)
{
    const struct body_row *row = &r->body.row;
    bool repair = row->op == CHANGE_REPAIR;

    return ledger_stamp(&t->s->ledger, repair ? r->actors[row->with.actor] : t->actor,
                        repair ? row->with.counter : t->number, row->stamp);
}

static void repeat_row(struct taker *t, const struct reading *r)
{
    struct body_row row = r->body.row;

    if (row.counter_n > 0)
        split_counters(t, r, &row);
    row.stamp = stamp_of(t, r);
    if (row.stamp > t->stamp_max)
        t->stamp_max = row.stamp;
    if (row.op == CHANGE_REPAIR && r->actors[row.with.actor] == t->actor &&
        row.with.counter > t->common)
        row.with = (struct gid){body_index(t, &t->by_index, t->by), row.with.counter - t->common};
    if (row.op == CHANGE_REPAIR || row.op == CHANGE_UNITE)
        body_row_with(&t->body, row.op, row.gid, row.stamp, row.with, row.columns, row.values,
                      row.n);
    else
        body_row_write(&t->body, &row);
}

static bool repeat_body(struct taker *t, struct reading *r, struct buf *out, struct err *e)
{
    bool ok = true;

    t->by_index = 0;
    body_open(&t->body);
    for (uint32_t i = 0; i < r->body.actor_count; i++)
        body_actor(&t->body, &r->body.actors[i]);
    while (ok && body_next_table(&r->body)) {
        const struct body_table *table = &r->body.table;

        ok = reading_table(r, &t->s->ledger, e);
        body_table(&t->body, table->name, table->names, table->columns, table->keys,
                   table->surrogate);
        while (ok && body_next_row(&r->body))
            repeat_row(t, r);
    }
    ok = ok && body_read_end(&r->body) && body_finish(&t->body, out, e);
    if (ok && t->overflow)
        ok = err_set(e, ERR_LIMIT, "what was added to a counter exceeds what can be said");
    body_close(&t->body);
    return ok;
}

/* What the author had applied when it made this one, and had not said under its new name. */
static void repeat_needs(struct taker *t, const struct changeset_header *was,
                         struct changeset_header *h)
{
    struct ledger_actor *of = &t->s->ledger.actors[t->actor - 1];

    for (uint32_t i = 0; i < was->needs.n; i++)
        vector_set(&t->needs, &was->needs.entries[i].actor, was->needs.entries[i].number, NULL);
    if (h->number == 1 && t->common > 0)
        vector_set(&t->needs, &of->actor, t->common, NULL);
    vector_copy(&h->needs, &t->needs);
    vector_close(&t->needs);
}

static bool say_again(struct taker *t, struct err *e)
{
    struct ledger *l = &t->s->ledger;
    struct changeset_header h = {.number = t->number - t->common};
    struct vector_entry again = {.number = t->number};
    struct buf body = {0}, bytes;
    struct reading r;
    uint32_t rows;
    bool ok = reading_open(&r, l, t->bytes, e);

    buf_open(&bytes, CHANGESET_BYTES_MAX);
    if (ok) {
        rows = r.h.rows;
        h.actor = l->actors[t->by - 1].actor;
        t->stamp_max = ledger_stamp(l, t->actor, t->number, r.h.stamp);
        h.schema = r.h.schema;
        h.roster = r.h.roster;
        memcpy(h.fleet, r.h.fleet, sizeof h.fleet);
        memcpy(h.previous, l->actors[t->by - 1].hash, sizeof h.previous);
        again.actor = r.h.actor;
        changeset_hash(&r.parts, again.hash);
        vector_set(&h.repeats, &again.actor, again.number, again.hash);
        repeat_needs(t, &r.h, &h);
        vector_copy(&h.corrects, &r.h.corrects);
        ok = repeat_body(t, &r, &body, e);
        h.stamp = t->stamp_max;
        ok = ok &&
             changeset_seal(&h, rows, buf_slice(&body), t->s->keys, &bytes,
                            l->actors[t->by - 1].hash, e) &&
             ledger_changeset_put(l, t->by, h.number, h.stamp, buf_slice(&bytes), e) &&
             fork_repeated(t->s, t->by, &h, e);
        l->actors[t->by - 1].staged = h.number;
    }
    changeset_header_close(&h);
    reading_close(&r);
    buf_close(&body);
    buf_close(&bytes);
    return ok;
}

/* A name for what is said again: of two writes with one stamp the greater actor's stays, so that
 * those who knew the row by its old name come to know it by the new one. It follows from the first
 * that is said again: who goes back once more, and has forgotten that he has said it again, says
 * the very same again. */
static bool name_anew(struct taker *t, const struct changeset *first, struct err *e)
{
    struct ledger *l = &t->s->ledger;
    struct actor a = l->actors[t->actor - 1].actor;
    uint8_t hash[HASH_BYTES];
    uint64_t more;

    changeset_hash(first, hash);
    more = be64_read(hash) >> 12;
    for (int i = ACTOR_BYTES - 1; i >= SITE_ID_BYTES; i--) {
        more += a.bytes[i];
        a.bytes[i] = (uint8_t)more;
        more >>= 8;
    }
    return ledger_actor(l, &a, &t->by, e);
}

bool fork_say_again(struct store *s, uint32_t actor, uint64_t common, struct err *e)
{
    struct taker t = {.s = s, .actor = actor, .common = common};
    struct changeset first;
    sqlite3_stmt *q;
    bool ok;

    ok = for_each(&t, "SELECT number, bytes FROM aside ORDER BY number", note_cells, e) &&
         for_each(&t, COMMON, note_before, e);
    q = ok ? ledger_prepare(&s->ledger, "SELECT bytes FROM aside ORDER BY number LIMIT 1", e)
           : NULL;
    ok = q != NULL &&
         (sqlite3_step(q) == SQLITE_ROW || ledger_err(&s->ledger, "read what was laid aside", e)) &&
         changeset_split(&first, value_of_column(q, 0).bytes, e) && name_anew(&t, &first, e);
    sqlite3_finalize(q);
    ok = ok && for_each(&t, "SELECT number, bytes FROM aside ORDER BY number", say_again, e) &&
         ledger_actor_save(&s->ledger, t.by, e);
    taker_close(&t);
    return ok;
}

bool fork_say_next(struct store *s, const struct fork_next *next, uint64_t number,
                   struct slice bytes, struct err *e)
{
    struct taker t = {.s = s,
                      .actor = next->actor,
                      .by = next->by,
                      .common = number - 1 - next->by_number,
                      .number = number,
                      .bytes = bytes};
    bool ok = note_cells(&t, e) && for_each(&t, COMMON, note_before, e);

    t.number = number;
    t.bytes = bytes;
    ok = ok && say_again(&t, e) && ledger_actor_save(&s->ledger, t.by, e);
    taker_close(&t);
    return ok;
}
