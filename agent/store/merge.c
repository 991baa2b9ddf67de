/* Merge: change-sets -> logical state. A pure function of what the ledger holds: no file, no clock,
 * no configuration. Cells are won by the later clock; a delete is a register of the row beside
 * them; rows under equal natural keys are one row. */
#include "merge.h"

#include "again.h"
#include "belief.h"
#include "conflict.h"
#include "fork.h"
#include "unite.h"
#include "counter.h"
#include "ledger_conflict.h"
#include "ledger_large.h"
#include "ledger_limits.h"
#include "ledger_names.h"
#include "migration.h"
#include "owe.h"
#include "rename.h"

#include <stdlib.h>

#include <sqlite3.h>

struct merger {
    struct store *s;
    struct body_reader body;
    uint32_t actor; /* the author */
    uint64_t number;
    uint32_t *actors;              /* the ledger's number of each of the body's actors */
    const struct merge_anew *anew; /* only these rows, which were merged before; NULL: all */
    bool again, owes;              /* our own marks said it a second time; and this row: again.h */
    struct ledger_table *table;
    uint32_t table_id;   /* where the row under way is */
    uint32_t said_id;    /* by the body's name of the table */
    uint32_t *positions; /* of each of the body table's columns */
    struct record rec, shadow;
    struct buf rec_bytes, shadow_bytes;
    struct record_gaps gaps; /* of rec_bytes */
    struct large had;        /* what rec borrows from, where that is large */
};

static bool local_actors(struct merger *m, struct err *e)
{
    m->actors = mem_alloc((m->body.actor_count + 1) * sizeof *m->actors);
    for (uint32_t i = 0; i < m->body.actor_count; i++)
        if (!ledger_actor_named(&m->s->ledger, &m->body.actors[i], &m->actors[i], e))
            return false;
    return true;
}

/* Rows are merged into this table of the ledger: its positions of the body's columns. */
static bool set_table(struct merger *m, uint32_t table, struct err *e)
{
    m->table = ledger_table_standing(&m->s->ledger, table);
    m->table_id = m->table->id;
    free(m->positions);
    m->positions = mem_alloc((m->body.table.columns + 1) * sizeof *m->positions);
    for (uint32_t i = 0; i < m->body.table.columns; i++)
        if (!ledger_column(&m->s->ledger, m->table, m->body.table.names[i], &m->positions[i], e))
            return false;
    return true;
}

static bool begin_table(struct merger *m, struct err *e)
{
    struct ledger_table *t;

    if (!ledger_table(&m->s->ledger, m->body.table.name, &t, e))
        return false;
    m->said_id = t->id;
    return set_table(m, t->id, e);
}

/* A value with the ledger's numbers of actors. */
static struct value local_value(const struct merger *m, const struct value *v)
{
    struct value local = *v;

    if (v->type == VALUE_REF)
        local.ref.actor = m->actors[v->ref.actor];
    return local;
}

/* An insert under a natural key that another row has already: from here on that one stands for
 * both. */
static bool unite(struct merger *m, int64_t *gid, struct err *e)
{
    const struct body_row *row = &m->body.row;
    struct value key[KEY_COLUMNS_MAX];

    if (m->body.table.surrogate || row->op != CHANGE_INSERT)
        return true;
    for (uint32_t i = 0; i < m->body.table.keys; i++)
        key[i] = local_value(m, &row->values[i]);
    return unite_inserted(m->s, m->table_id, m->positions, key, m->body.table.keys, gid, e);
}

/* Is one the write, and the other its repair? */
static bool is_one_write(int64_t own, const struct cell *have, const struct cell *theirs)
{
    return have->set && ledger_clock_same(own, &have->clock, &theirs->clock);
}

/* Where its author's PC went back (fork.h), the write that a repair names may still be to come. */
static bool may_come(const struct ledger *l, const struct local_clock *c)
{
    return c->number <= ledger_believed(l, &l->actors[c->actor - 1].actor);
}

static int64_t named_gid(const struct merger *m, struct gid g)
{
    return gid_pack((struct gid){m->actors[g.actor], g.counter});
}

/* All that their author ever added to a cell of the row that he names so. */
static bool merge_delta(struct merger *m, uint32_t position, const struct body_counter *c,
                        const struct local_clock *clock, struct err *e)
{
    const struct total t = {.gid = named_gid(m, m->body.row.gid),
                            .actor = clock->actor,
                            .number = clock->number,
                            .stamp = clock->stamp,
                            .total = c->total,
                            .form = c->form};

    return (!m->owes || owe_added(m->s, &m->rec, position, &t, e)) &&
           counter_add(&m->rec, position, &t, e);
}

/* What the author of a set had seen, and what is therefore in it. */
static const struct counter *seen_totals(struct merger *m, const struct value *base,
                                         const struct body_counter *c)
{
    struct total *totals = counter_totals(&m->rec, c->seen_n);

    for (uint32_t i = 0; i < c->seen_n; i++) {
        const struct body_seen *s = &c->seen[i];

        totals[i] =
            (struct total){.gid = named_gid(m, s->row.counter == 0 ? m->body.row.gid : s->row),
                           .actor = m->actors[s->actor],
                           .seen_number = s->number,
                           .seen = s->total};
    }
    return counter_of(&m->rec, base, totals, c->seen_n);
}

/* The next cell of the row that is more than a value, if it is cell `i`. */
static const struct body_counter *next_counter(const struct body_row *row, uint32_t *next,
                                               uint32_t i)
{
    return *next < row->counter_n && row->counters[*next].cell == i ? &row->counters[(*next)++]
                                                                    : NULL;
}

/* What is listed about the row under way. */
static struct conflict_row listed(const struct merger *m, int64_t gid)
{
    return (struct conflict_row){.s = m->s,
                                 .gid = gid,
                                 .table = m->table_id,
                                 .inserted = m->body.row.op == CHANGE_INSERT,
                                 .own_key =
                                     m->body.table.surrogate ? (int64_t)m->positions[0] : -1};
}

/* A write of the cell meets what is there; it is the later one or a repair of it, or nothing. */
static bool merge_set(struct merger *m, const struct conflict_row *about, uint32_t position,
                      struct cell *theirs, const struct body_counter *counter, struct err *e)
{
    struct cell *have = record_cell(&m->rec, position);
    struct cell had = cell_plain(have);
    bool repair = m->body.row.op == CHANGE_REPAIR, one = is_one_write(about->gid, have, theirs);

    if (repair && !one && !may_come(&m->s->ledger, &theirs->clock))
        return true;
    if (!repair && !one && have->set && m->anew == NULL &&
        !conflict_cell(about, position, theirs, &had, e))
        return false;
    if (counter != NULL)
        theirs->counter = seen_totals(m, &theirs->v, counter);
    if (m->owes && !repair && !owe_value(m->s, about->gid, &m->rec, position, theirs, e))
        return false;
    if (have->set && ledger_cell_compare(&m->s->ledger, about->gid, theirs, have) <= 0)
        return repair || !one || m->anew != NULL || value_equal(&had.v, &theirs->v) ||
               conflict_note(about, position, CONFLICT_YIELDED, theirs, NULL, e);
    if (repair && m->anew == NULL &&
        !(one ? conflict_note(about, position, CONFLICT_YIELDED, &had, NULL, e)
              : conflict_settle(about, position, &theirs->v, e)))
        return false;
    if (counter == NULL && repair && one) /* it has seen what the repaired write had */
        theirs->counter = counter_rebase(&m->rec, have->counter, &theirs->v);
    return counter_set(&m->rec, position, theirs, e);
}

/* Is it a cell of the natural key of a row that has one? That is the row's name and does not
 * change, neither by an update nor by another insert. */
static bool is_name(struct merger *m, uint32_t i, const struct value *said, bool *is, struct err *e)
{
    const struct cell *have = record_get(&m->rec, m->positions[m->body.row.columns[i]]);
    bool same = true;

    *is = !m->body.table.surrogate && m->body.row.columns[i] < m->body.table.keys;
    if (!*is || change_has_some(m->body.row.op))
        return true;
    if (have != NULL && have->set && !value_same(m->s, &have->v, said, &same, e))
        return false;
    *is = !same;
    return true;
}

/* `named`: of the rows that are one the one that is said to be written. */
static bool merge_cells(struct merger *m, int64_t gid, int64_t named,
                        const struct local_clock *clock, struct err *e)
{
    const struct body_row *row = &m->body.row;
    const struct conflict_row about = listed(m, gid);
    struct conflict_choice written = {0};
    uint32_t next = 0;

    for (uint32_t i = 0; i < row->n; i++) {
        struct cell theirs = {.v = local_value(m, &row->values[i]), .clock = *clock, .set = true};
        const struct body_counter *counter = next_counter(row, &next, i);
        uint32_t position = m->positions[row->columns[i]];
        bool name;

        theirs.clock.row = named == gid ? 0 : named;
        if (!is_name(m, i, &theirs.v, &name, e))
            return false;
        if (name)
            continue;
        if (counter != NULL && counter->delta) {
            if (!merge_delta(m, position, counter, clock, e))
                return false;
        } else if (!merge_set(m, &about, position, &theirs, counter, e)) {
            return false;
        }
        if (counter != NULL && counter->delta)
            theirs.v = record_cell(&m->rec, position)->v;
        if (m->rec.dead.number != 0)
            conflict_consider(&about, &written, &theirs, position);
    }
    return m->rec.dead.number == 0 || row->op == CHANGE_REPAIR || m->anew != NULL ||
           conflict_write(&about, &m->rec, clock, &written, e);
}

/* `had`: when the row died before this delete. */
static bool merge_delete(struct merger *m, int64_t gid, const struct local_clock *clock,
                         bool united, const struct local_clock *had, struct err *e)
{
    const struct conflict_row about = listed(m, gid);
    const struct ledger *l = &m->s->ledger;

    if (!united && (had->number == 0 || ledger_clock_compare(l, clock, had) > 0))
        m->rec.dead = *clock;
    return m->rec.dead.number == 0 || ledger_clock_compare(l, &m->rec.dead, had) == 0 ||
           m->anew != NULL || conflict_delete(&about, &m->rec, e);
}

static bool read_record(struct merger *m, struct ledger_row *row, struct err *e)
{
    if (row->rec.n < LARGE_BYTES)
        return record_decode(&m->rec, row->rec, e);
    large_close(&m->had);
    row->rec = ledger_keep(&m->s->ledger, row->rec, &m->had);
    return record_borrow(&m->rec, row->rec, e);
}

/* What the file holds stays on record while the logical state moves on. */
static void keep_shadow(struct merger *m, struct ledger_row *row)
{
    if (!row->present || row->minted)
        return;
    if (!row->differs && row->rec.n >= LARGE_BYTES) {
        row->shadow = row->rec; /* it is kept */
        row->differs = true;
        return;
    }
    buf_clear(&m->shadow_bytes);
    buf_add(&m->shadow_bytes, row->differs ? row->shadow.p : row->rec.p,
            row->differs ? row->shadow.n : row->rec.n);
    row->shadow = buf_slice(&m->shadow_bytes);
    row->differs = true;
}

/* The body says that two rows are one. */
static bool merge_unite(struct merger *m, struct err *e)
{
    const struct body_row *in = &m->body.row;
    int64_t gid = gid_pack((struct gid){m->actors[in->gid.actor], in->gid.counter});
    int64_t other = gid_pack((struct gid){m->actors[in->with.actor], in->with.counter});

    if (!m->body.table.surrogate)
        return err_set(e, ERR_INPUT,
                       "rows of table %s are named by their keys and cannot be united",
                       m->table->name);
    return unite_rows(m->s, m->table_id, gid, other, e);
}

/* A row met for the first time brings what a look-up in the ledger would give. */
static void note_due(struct merger *m, const struct ledger_row *row, bool known)
{
    due_add(&m->s->due, row->gid, false, false);
    if (!known && m->body.row.op == CHANGE_INSERT && !large_is_row(row)) {
        struct due_row *due = &m->s->due.rows[m->s->due.n - 1];

        due->table = m->table_id;
        due->rec = arena_copy(&m->s->due_arena, row->rec);
    } else if (known && !row->present) {
        m->s->due_stale = true;
    }
}

/* What is large goes from the change-set into the ledger without another copy. */
static void encode_row(struct merger *m, struct ledger_row *row)
{
    buf_clear(&m->rec_bytes);
    m->gaps.n = 0;
    m->gaps.bytes = 0;
    record_encode_apart(&m->rec, &m->rec_bytes, &m->gaps);
    row->rec = buf_slice(&m->rec_bytes);
    row->gaps = &m->gaps;
}

static bool merge_row(struct merger *m, struct err *e)
{
    const struct body_row *in = &m->body.row;
    struct local_clock clock = {.stamp = in->stamp, .actor = m->actor, .number = m->number};
    struct local_clock had;
    struct ledger_row row = {0};
    struct buf key = {0};
    int64_t gid = gid_pack((struct gid){m->actors[in->gid.actor], in->gid.counter});
    int64_t named = gid;
    bool known, united = false, ok = true;

    if (ledger_table_standing(&m->s->ledger, m->said_id)->id != m->table_id &&
        !set_table(m, m->said_id, e))
        return false;
    if (in->op == CHANGE_UNITE)
        return merge_unite(m, e);
    if (in->op == CHANGE_REPAIR) {
        clock.actor = m->actors[in->with.actor];
        clock.number = in->with.counter;
    }
    ledger_stamp_clock(&m->s->ledger, &clock);
    if ((m->anew == NULL && !unite(m, &gid, e)) || !ledger_stands(&m->s->ledger, gid, &gid, e) ||
        !ledger_row_get(&m->s->ledger, gid, &row, &known, e))
        return false;
    record_clear(&m->rec);
    if (!known)
        row = (struct ledger_row){.gid = gid, .table = m->table_id};
    else if (row.table != m->table_id &&
             (!rename_heard(m->s, m->table_id, &m->body.table, row.table, e) ||
              !set_table(m, row.table, e) || !ledger_row_get(&m->s->ledger, gid, &row, &known, e)))
        return false;
    if (known && !row.minted && !read_record(m, &row, e))
        return false;
    keep_shadow(m, &row);
    if (row.key.kind ==
        KEY_PACKED) { /* it borrows from the statement that is about to be used again */
        buf_open(&key, row.key.bytes.n);
        buf_add(&key, row.key.bytes.p, row.key.bytes.n);
        row.key.bytes = buf_slice(&key);
    }
    had = m->rec.dead;
    /* A repair is no write: what it repairs is noted, or will be. */
    if (in->op != CHANGE_REPAIR)
        ok = unite_note(m->s, named, gid, &clock, in->op == CHANGE_DELETE, &m->rec, &united, e);
    if (ok && in->op != CHANGE_DELETE)
        ok = merge_cells(m, gid, named, &clock, e);
    else if (ok)
        ok = merge_delete(m, gid, &clock, united, &had, e);
    encode_row(m, &row);
    if (ok && row.rec.n + m->gaps.bytes > m->s->record_bytes)
        ok = err_set(e, ERR_LIMIT, "table %s: a row of %zu bytes", m->table->name,
                     row.rec.n + m->gaps.bytes);
    row.minted = false;
    ok = ok && ledger_row_put(&m->s->ledger, &row, known, row.present, e);
    buf_close(&key);
    if (m->anew == NULL)
        note_due(m, &row, known);
    return ok;
}

static void merger_close(struct merger *m)
{
    body_read_close(&m->body);
    free(m->actors);
    free(m->positions);
    record_gaps_close(&m->gaps);
    large_close(&m->had);
    record_close(&m->rec);
    record_close(&m->shadow);
    buf_close(&m->rec_bytes);
    buf_close(&m->shadow_bytes);
}

static void note_merged(struct store *s, uint32_t actor, uint64_t number, size_t bytes)
{
    s->merged_bytes += bytes;
    if (s->merged_count == s->merged_room) {
        s->merged_room = s->merged_room == 0 ? 16 : s->merged_room * 2;
        s->merged = mem_grow(s->merged, s->merged_room * sizeof *s->merged);
    }
    s->merged[s->merged_count++] = (struct merged_changeset){actor, number};
}

/* Of a site that begins anew all the time, and here there is no place for more of it. Others may
 * have taken it, and are not held up for that; as when a need is waived. */
static bool is_crowded_out(const struct store *s, const struct actor *a)
{
    struct site_id site = actor_site(a);

    return ledger_actor_find(&s->ledger, a) == 0 && !ledger_actor_fits(&s->ledger, &site);
}

/* Whom the author had applied when it made this change-set. */
static bool note_needs(struct store *s, uint32_t author, const struct vector *needs, struct err *e)
{
    for (uint32_t i = 0; i < needs->n; i++) {
        uint32_t actor;

        if (is_crowded_out(s, &needs->entries[i].actor))
            continue;
        if (!ledger_actor(&s->ledger, &needs->entries[i].actor, &actor, e) ||
            !ledger_seen(&s->ledger, author, actor, needs->entries[i].number, e))
            return false;
    }
    return true;
}

static bool merger_open(struct merger *m, struct changeset_header *h, struct slice bytes,
                        struct err *e)
{
    struct changeset c;

    buf_open(&m->rec_bytes, SIZE_MAX / 2);
    buf_open(&m->shadow_bytes, SIZE_MAX / 2);
    if (!changeset_open(&c, h, bytes, e))
        return false;
    body_read(&m->body, c.body, h->stamp, e);
    return local_actors(m, e);
}

bool merge_changeset(struct store *s, uint32_t actor, uint64_t number, struct slice bytes,
                     struct err *e)
{
    struct merger m = {.s = s, .actor = actor, .number = number};
    struct changeset_header h = {0};
    bool ok = merger_open(&m, &h, bytes, e) && note_needs(s, actor, &h.needs, e) &&
              again_is_noted(s, actor, number, &m.again, e);

    while (ok && body_next_table(&m.body)) {
        ok = begin_table(&m, e);
        while (ok && body_next_row(&m.body))
            ok = (!m.again || again_has_row(s, actor, m.body.row.stamp, &m.owes, e)) &&
                 merge_row(&m, e);
    }
    ok = ok && body_read_end(&m.body) && unite_names(s, e);
    if (ok) {
        uint64_t stamp = ledger_stamp(&s->ledger, actor, number, h.stamp);
        struct ledger_actor *a = &s->ledger.actors[actor - 1];

        a->merged = number;
        a->latest = stamp > a->latest ? stamp : a->latest;
        if (stamp > hlc_save(&s->ledger.clock)) /* that it may be was found out by is_ready */
            hlc_load(&s->ledger.clock, stamp);
        note_merged(s, actor, number, bytes.n);
        steps_note(s, actor, number, h.rows, bytes.n);
        ok = ledger_actor_save(&s->ledger, actor, e);
    }
    changeset_header_close(&h);
    merger_close(&m);
    return ok || err_wrap(e, "change-set %llu", (unsigned long long)number);
}

/* A repair stands in place of a write that has won, so these come after all others. */
static bool concerns(struct merger *m, struct merge_anew *anew, bool *does, struct err *e)
{
    const struct body_row *row = &m->body.row;
    int64_t gid;

    *does = false;
    anew->seen++;
    if (row->op == CHANGE_UNITE)
        return true;
    if (!ledger_stands(&m->s->ledger, named_gid(m, row->gid), &gid, e))
        return false;
    *does = keymap_get(anew->rows, 0, &(struct row_key){.kind = KEY_INT, .i = gid}) != 0;
    if (*does && row->op == CHANGE_REPAIR && !anew->repairs)
        anew->has_repairs = true;
    *does = *does && (row->op == CHANGE_REPAIR) == anew->repairs;
    anew->merged += *does;
    return true;
}

bool merge_rows_again(struct store *s, uint32_t actor, uint64_t number, struct slice bytes,
                      struct merge_anew *anew, struct err *e)
{
    struct merger m = {.s = s, .actor = actor, .number = number, .anew = anew};
    struct changeset_header h = {0};
    bool ok = merger_open(&m, &h, bytes, e), does;

    anew->has_repairs = false;
    while (ok && body_next_table(&m.body)) {
        ok = begin_table(&m, e);
        while (ok && body_next_row(&m.body))
            ok = concerns(&m, anew, &does, e) && (!does || merge_row(&m, e));
    }
    ok = ok && body_read_end(&m.body);
    changeset_header_close(&h);
    merger_close(&m);
    return ok || err_wrap(e, "change-set %llu", (unsigned long long)number);
}

/* ---- after a start: which change-sets are merged but not projected, and their rows ---- */

static bool collect_due(struct store *s, struct slice bytes, struct err *e)
{
    struct changeset_header h = {0};
    struct merger m = {.s = s};
    struct changeset c;
    bool ok = changeset_open(&c, &h, bytes, e);

    if (ok) {
        body_read(&m.body, c.body, h.stamp, e);
        ok = local_actors(&m, e);
        while (ok && body_next_table(&m.body))
            while (ok && body_next_row(&m.body)) {
                int64_t gid = named_gid(&m, m.body.row.gid);

                ok = ledger_stands(&s->ledger, gid, &gid, e);
                due_add(&s->due, gid, false, false);
            }
        ok = ok && body_read_end(&m.body);
    }
    changeset_header_close(&h);
    merger_close(&m);
    return ok;
}

bool merge_reload(struct store *s, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(
        &s->ledger,
        "SELECT c.actor, c.number, c.bytes FROM actor a JOIN changeset c ON c.actor = a.id"
        " WHERE c.number > a.applied AND c.number <= a.merged ORDER BY c.id",
        e);
    int code = SQLITE_ROW;
    bool ok = q != NULL;

    due_clear(s);
    s->due_open = true;
    project_retry(s);
    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        note_merged(s, (uint32_t)sqlite3_column_int64(q, 0), (uint64_t)sqlite3_column_int64(q, 1),
                    (size_t)sqlite3_column_bytes(q, 2));
        ok = collect_due(s, value_of_column(q, 2).bytes, e);
    }
    if (ok && code != SQLITE_DONE)
        ok = ledger_err(&s->ledger, "read the log", e);
    sqlite3_finalize(q);
    ledger_rest(&s->ledger);
    return ok;
}

/* ---- what is ready ---- */

bool merge_has_needs(struct store *s, const struct vector *needs, bool *has, struct err *e)
{
    bool ok = true;

    *has = true;
    for (uint32_t i = 0; ok && *has && i < needs->n; i++) {
        const struct vector_entry *need = &needs->entries[i];
        uint64_t believed = ledger_believed(&s->ledger, &need->actor);
        uint64_t number = need->number < believed ? need->number : believed;
        uint32_t id = ledger_actor_find(&s->ledger, &need->actor);
        const struct ledger_actor *of = id == 0 ? NULL : &s->ledger.actors[id - 1];

        if (of != NULL && number <= of->waived && number > of->staged)
            number = of->staged;
        *has =
            number == 0 || (of != NULL && of->merged >= number) || is_crowded_out(s, &need->actor);
        if (!*has) /* what the author had may be said again by now */
            ok = fork_has_merged(s, &need->actor, number, has, e);
    }
    return ok;
}

/* A change-set waits for what its author had applied, and for a stamp that is not absurdly far
 * ahead. */
static bool is_ready(struct store *s, uint32_t actor, struct slice bytes, uint64_t now_ms,
                     bool *ready, struct err *e)
{
    struct changeset_header h = {0};
    struct changeset c;
    uint32_t of;
    bool ok = changeset_open(&c, &h, bytes, e), holds;

    *ready = ok && hlc_stamp_wall_ms(ledger_stamp(&s->ledger, actor, h.number, h.stamp)) <=
                       now_ms + HLC_SKEW_MS_MAX;
    if (ok && *ready)
        ok = merge_has_needs(s, &h.needs, ready, e);
    if (ok && *ready && h.repeats.n > 0) {
        ok = fork_holds(s, &h.repeats.entries[0], &of, &holds, e);
        *ready = ok && !holds; /* until all that follows is said again, too */
    }
    if (ok && *ready) {
        ok = migration_holds(s, actor, &h, bytes, &holds, e);
        *ready = ok && !holds;
    }
    changeset_header_close(&h);
    return ok;
}

/* Merge the next change-set of one actor if it is there and ready. */
static bool merge_next(struct store *s, uint32_t actor, uint64_t now_ms, bool *did, struct err *e)
{
    uint64_t number = s->ledger.actors[actor - 1].merged + 1;
    struct slice bytes;
    struct large kept = {0};
    bool found, ok;

    *did = false;
    if (number > s->ledger.actors[actor - 1].staged)
        return true;
    if (!ledger_changeset_get(&s->ledger, actor, number, &bytes, &found, e))
        return false;
    if (!found)
        return err_set(e, ERR_STORE, "the ledger has lost change-set %llu",
                       (unsigned long long)number);
    if (!is_ready(s, actor, bytes, now_ms, did, e) || !*did)
        return e->code == ERR_NONE;
    bytes = ledger_keep(&s->ledger, bytes, &kept);
    ok = merge_changeset(s, actor, number, bytes, e);
    large_close(&kept);
    return ok;
}

bool merge_is_full(const struct store *s)
{
    return s->due.n >= s->batch_rows || s->merged_bytes >= s->batch_bytes;
}

/* Every actor's next ones, round and round, until nothing is ready or the batch is full. `actor` is
 * the one that failed. */
static bool merge_rounds(struct store *s, uint64_t now_ms, uint32_t *actor, struct err *e)
{
    bool progress = true, did;

    while (progress && !merge_is_full(s)) {
        progress = false;
        for (uint32_t a = 1; a <= s->ledger.actor_count && !merge_is_full(s); a++) {
            *actor = a;
            if (trouble_is_stuck(&s->trouble, a))
                continue;
            if (!merge_next(s, a, now_ms, &did, e))
                return false;
            progress |= did;
        }
    }
    return true;
}

bool merge_keep(struct store *s, struct err *e)
{
    if (!s->ledger.open || ledger_commit(&s->ledger, e))
        return true;
    ledger_rollback(&s->ledger);
    s->astray = true; /* what is in memory was never merged */
    return false;
}

bool merge_ready(struct store *s, uint64_t now_ms, bool leave_open, struct err *e)
{
    struct err again = {0};
    uint32_t actor = 0;
    bool hostile;

    if (merge_is_full(s) || !merge_pending(s))
        return true;
    s->noticed_ms = now_ms;
    s->look_ups_left = LOOK_UPS_MAX;
    if (ledger_begin(&s->ledger, true, e) && merge_rounds(s, now_ms, &actor, e) &&
        ((leave_open && !merge_is_full(s)) || ledger_commit(&s->ledger, e)))
        return true;
    ledger_rollback(&s->ledger);
    /* Signed and nonsense: nothing of it is applied, and it holds up only its own author. */
    hostile = e->code == ERR_INPUT || e->code == ERR_LIMIT;
    if (hostile) {
        trouble_stuck(s, actor, e);
        err_clear(e);
    }
    return merge_reload(s, &again) ? hostile : err_set(e, again.code, "%s", again.text);
}
