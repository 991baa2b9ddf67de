/* Behind: the application's file went back, by a power cut or because a copy was put in its place.
 * Where it left the path that the ledger remembers is the fork. What the file lost since is due
 * again; what the application did to the old file since is new:
 *
 *     a row that it made            another row, whatever its key
 *     a cell that it wrote          goes on, if the ledger's was there before the fork too; else
 * the ledger's stands and the file's is kept as a conflict a row that it deleted         is deleted
 *
 * The marks in the file above the fork's tell what it did, except those that the ledger has drained
 * already. */
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "conflict.h"
#include "counter.h"
#include "scan.h"

struct fork {
    struct vector applied; /* change-sets that the file held */
    int64_t mark;          /* marks above it were made after the fork, or drained after it */
    int64_t point;         /* its id */
};

/* Marks that were drained one after the other, with their time. */
struct run {
    uint64_t first, last;
    uint64_t last_max; /* of this run and all before it */
    double time;
};

/* What the application did to a key after the fork. */
struct edit {
    uint64_t wall_ms; /* last */
    int first;        /* op of the first mark */
    bool gone;        /* the last mark deleted it */
    bool born;        /* it was made again after that */
};

struct recovery {
    struct store *s;
    uint64_t now_ms;
    struct fork fork;
    struct run *runs;
    uint32_t run_count, run_room;
    struct marks marks;
    struct keymap edited; /* 1 + index into `edits`, by key */
    struct edit *edits;
    uint32_t edit_count, edit_room;
    struct keymap drained; /* keys with marks that were drained: 1 */
    struct keymap seen;    /* gids of rows in the file: 1 */
    struct touch_list list;
    struct arena arena;
    struct record rec, shadow;
    struct buf key_room, shadow_bytes;
    int64_t cursor;
    double cursor_time;
};

/* ---- the fork point ---- */

static bool read_fork(struct recovery *r, sqlite3_stmt *q, struct err *e)
{
    struct slice applied = value_of_column(q, 2).bytes;
    struct reader in = reader_of(applied, e);

    r->fork.mark = sqlite3_column_int64(q, 0);
    r->fork.point = sqlite3_column_int64(q, 3);
    vector_close(&r->fork.applied);
    vector_read(&in, &r->fork.applied);
    return read_end(&in);
}

/* The latest point with the file's token whose mark the file still has; else the earliest with that
 * token. */
static bool find_fork(struct recovery *r, const struct app_state *state, bool *known, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&r->s->ledger,
                                     "SELECT mark, mark_time, applied, id FROM point"
                                     " WHERE token = ?1 ORDER BY id DESC",
                                     e);
    bool there = false, ok = q != NULL;
    int code = SQLITE_DONE;

    *known = false;
    if (!ok)
        return false;
    sqlite3_bind_blob(q, 1, state->token, sizeof state->token, SQLITE_STATIC);
    while (ok && !there && (code = sqlite3_step(q)) == SQLITE_ROW) {
        double time = 0;

        *known = true;
        ok = read_fork(r, q, e) && marks_time(&r->s->app, r->fork.mark, &time, &there, e);
        there = there && time == sqlite3_column_double(q, 1);
    }
    sqlite3_finalize(q);
    if (!ok)
        return false;
    return code == SQLITE_ROW || code == SQLITE_DONE ||
           ledger_err(&r->s->ledger, "find the fork", e);
}

/* Did the application's file already hold what this clock wrote, when it was copied? */
static bool before_fork(const struct recovery *r, const struct local_clock *c)
{
    const struct ledger *l = &r->s->ledger;

    return c->number == 0 || c->actor == 0 ||
           c->number <= vector_get(&r->fork.applied, &l->actors[c->actor - 1].actor);
}

/* Likewise all that a cell shows. */
static bool cell_before_fork(const struct recovery *r, const struct cell *c)
{
    if (!before_fork(r, &c->clock))
        return false;
    for (uint32_t i = 0; c->counter != NULL && i < c->counter->n; i++) {
        const struct total *t = &c->counter->totals[i];
        struct local_clock clock = {.number = t->number, .actor = t->actor};

        if (!before_fork(r, &clock))
            return false;
    }
    return true;
}

/* ---- marks that the ledger has seen ---- */

static bool add_runs(struct recovery *r, struct slice in)
{
    while (in.n > 0) {
        struct run run;
        uint64_t u;

        if (!varint_read(&in, &run.first) || !varint_read(&in, &run.last) || in.n < 8)
            return false;
        u = be64_read(in.p);
        memcpy(&run.time, &u, sizeof run.time);
        in.p += 8;
        in.n -= 8;
        if (r->run_count == r->run_room) {
            r->run_room = r->run_room == 0 ? 64 : r->run_room * 2;
            r->runs = mem_grow(r->runs, r->run_room * sizeof *r->runs);
        }
        r->runs[r->run_count++] = run;
    }
    return true;
}

static int compare_runs(const void *a, const void *b)
{
    const struct run *left = a, *right = b;

    return left->first == right->first ? 0 : left->first < right->first ? -1 : 1;
}

static bool read_runs(struct recovery *r, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(
        &r->s->ledger, "SELECT runs FROM point WHERE id > ?1 AND runs IS NOT NULL", e);
    bool sound = true;
    int code = SQLITE_DONE;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, r->fork.point);
    while (sound && (code = sqlite3_step(q)) == SQLITE_ROW)
        sound = add_runs(r, value_of_column(q, 0).bytes);
    sqlite3_finalize(q);
    if (!sound)
        return err_set(e, ERR_STORE, "%s is damaged: a point", r->s->ledger.path);
    if (code != SQLITE_DONE)
        return ledger_err(&r->s->ledger, "read the points", e);
    if (r->run_count > 0)
        qsort(r->runs, r->run_count, sizeof *r->runs, compare_runs);
    for (uint32_t i = 0; i < r->run_count; i++) {
        uint64_t before = i == 0 ? 0 : r->runs[i - 1].last_max;

        r->runs[i].last_max = before > r->runs[i].last ? before : r->runs[i].last;
    }
    return true;
}

/* Runs may overlap, where a file went back more than once. */
static bool was_drained(const struct recovery *r, const struct mark *m)
{
    uint64_t id = (uint64_t)m->id;
    uint32_t low = 0, high = r->run_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (r->runs[middle].first <= id)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low > 0 && r->runs[low - 1].last_max >= id; low--)
        if (r->runs[low - 1].last >= id && r->runs[low - 1].time == m->julian_day)
            return true;
    return false;
}

/* ---- keys that moved ---- */

/* Rows whose key the application moved after the fork have the old one in this file. */
static bool move_keys_back(struct recovery *r, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(
        &r->s->ledger,
        "UPDATE row SET key = (SELECT m.key FROM key_moved AS m WHERE m.gid = row.gid AND m.point "
        "> ?1"
        " ORDER BY m.id LIMIT 1) WHERE gid IN (SELECT gid FROM key_moved WHERE point > ?1)",
        e);
    bool ok = q != NULL;

    if (ok) {
        sqlite3_bind_int64(q, 1, r->fork.point);
        ok = sqlite3_step(q) == SQLITE_DONE || ledger_err(&r->s->ledger, "move keys back", e);
    }
    sqlite3_finalize(q);
    return ok;
}

static struct row_key mark_key(struct recovery *r, const struct app_table *t,
                               const struct value *key)
{
    struct value *values = mem_alloc(t->column_count * sizeof *values);
    struct row_key k;

    for (uint32_t i = 0; i < t->key_count; i++)
        values[t->keys[i]] = key[i];
    k = key_of_row(t, values, &r->key_room);
    k = arena_key(&r->arena, &k);
    free(values);
    return k;
}

/* ---- what the application did after the fork ---- */

static void note_edit(struct recovery *r, const struct binding *b, const struct row_key *key,
                      const struct mark *m)
{
    uint32_t at = keymap_get(&r->edited, b->app_index, key);
    struct edit *edit;

    if (at == 0) {
        if (r->edit_count == r->edit_room) {
            r->edit_room = r->edit_room == 0 ? 64 : r->edit_room * 2;
            r->edits = mem_grow(r->edits, r->edit_room * sizeof *r->edits);
        }
        r->edits[r->edit_count++] = (struct edit){.first = m->op};
        at = r->edit_count;
        keymap_put(&r->edited, b->app_index, key, at);
    }
    edit = &r->edits[at - 1];
    edit->born |= edit->gone && m->op != MARK_DELETE;
    edit->gone = m->op == MARK_DELETE;
    edit->wall_ms = mark_wall_ms(m->julian_day, r->now_ms);
}

static const struct edit *edit_of(const struct recovery *r, const struct binding *b,
                                  const struct row_key *key)
{
    uint32_t at = keymap_get(&r->edited, b->app_index, key);

    return at == 0 ? NULL : &r->edits[at - 1];
}

/* Was the row in r->rec made after the fork? Then the file never held it. */
static bool is_younger(const struct recovery *r, const struct binding *b)
{
    const struct cell *key = record_get(&r->rec, b->position[b->app->keys[0]]);

    return key != NULL && !before_fork(r, &key->clock);
}

/* Was what the application moved away from a key born there after the fork? Then it is not the row
 * that the ledger knows under that key. */
static bool is_newborn(struct recovery *r, const struct binding *b, const struct ledger_row *row,
                       bool found, const struct edit *edit, bool *newborn, struct err *e)
{
    *newborn = edit != NULL && (edit->born || (edit->first == MARK_INSERT && !found));
    if (*newborn || edit == NULL || edit->first != MARK_INSERT || row->minted)
        return true;
    if (!record_decode(&r->rec, row->rec, e))
        return false;
    *newborn = is_younger(r, b);
    return true;
}

/* What the file's own marks say of a key that moved holds, whoever has seen them. */
static bool replay_move(struct recovery *r, const struct binding *b, const struct mark *m,
                        const struct row_key *to, bool drained, struct err *e)
{
    struct row_key from = mark_key(r, b->app, m->old);
    uint32_t at = drained ? 0 : keymap_get(&r->edited, b->app_index, &from);
    struct ledger_row row;
    bool found, newborn;

    if (!ledger_row_by_key(&r->s->ledger, b->table, &from, true, &row, &found, e) ||
        !is_newborn(r, b, &row, found, at == 0 ? NULL : &r->edits[at - 1], &newborn, e))
        return false;
    if (!newborn)
        return !found || ledger_row_rekey(&r->s->ledger, row.gid, to, e);
    r->edits[at - 1].gone = true;
    note_edit(r, b, to, m);
    r->edits[keymap_get(&r->edited, b->app_index, to) - 1].born = true;
    return true;
}

static bool read_edit(struct recovery *r, const struct mark *m, struct err *e)
{
    struct app_table *t = appdb_table_numbered(&r->s->app, m->table);
    struct binding *b = t == NULL ? NULL : bind_by_app(r->s, t);
    struct row_key key;
    bool drained;

    if (b == NULL)
        return true;
    key = mark_key(r, t, m->key);
    drained = was_drained(r, m);
    if (m->moved && t->surrogate && !replay_move(r, b, m, &key, drained, e))
        return false;
    if (drained)
        keymap_put(&r->drained, b->app_index, &key, 1);
    else
        note_edit(r, b, &key, m);
    return true;
}

/* All marks above the fork's, so many at a time. */
static bool read_edits(struct recovery *r, struct err *e)
{
    int64_t after;

    if (!read_runs(r, e) || !marks_last(&r->s->app, &r->cursor, &r->cursor_time, e))
        return false;
    r->marks.last = r->fork.mark;
    do {
        after = r->marks.last;
        if (!marks_read(&r->s->app, after, CUT_ROWS_MAX, &r->marks, e))
            return false;
        for (uint32_t i = 0; i < r->marks.n; i++)
            if (!read_edit(r, &r->marks.marks[i], e))
                return false;
    } while (r->marks.last > after);
    return true;
}

/* ---- one row of the file ---- */

/* The value of the file as the ledger holds it. */
static bool file_cell(struct recovery *r, const struct binding *b, uint32_t column,
                      const struct value *value, struct cell *file, struct err *e)
{
    int ref = b->app->columns[column].ref_table;
    struct binding *parent;
    int64_t to = 0;

    *file = (struct cell){.v = *value, .set = true};
    if (ref < 0 || value->type == VALUE_NULL)
        return true;
    parent = bind_by_app(r->s, &r->s->app.schema.tables[ref]);
    if (parent != NULL && !refer(r->s, parent, value, &to, e))
        return false;
    if (to != 0)
        file->v = (struct value){.type = VALUE_REF, .ref = gid_unpack(to)};
    return true;
}

/* A value that is too long to be sent is nobody's business but this file's. */
static bool is_private(const struct value *v)
{
    return (v->type == VALUE_TEXT || v->type == VALUE_BLOB) && v->bytes.n > VALUE_BYTES_MAX;
}

/* What the file holds becomes the shadow. Where the application wrote after the fork and nobody
 * else did, the shadow says instead what rec says: publishing then finds the difference, and the
 * application's value goes on. */
static bool make_shadow(struct recovery *r, struct binding *b, int64_t gid,
                        const struct value *values, bool edited, bool *publish_it, struct err *e)
{
    record_clear(&r->shadow);
    *publish_it = false;
    for (uint32_t i = 0; i < b->app->column_count; i++) {
        const struct cell *have = record_get(&r->rec, b->position[i]);
        struct cell file;

        if (!file_cell(r, b, i, &values[i], &file, e))
            return false;
        if (have != NULL && ((b->app->surrogate && b->is_key[i]) || is_private(&values[i]) ||
                             value_equal(&have->v, &file.v))) {
            file = *have;
        } else if (edited && have != NULL && cell_before_fork(r, have)) {
            file = *have;
            *publish_it = true;
        } else if (edited && have != NULL) {
            const struct conflict_row about = {
                .s = r->s, .gid = gid, .table = b->table, .own_key = -1};

            file.clock = (struct local_clock){.number = 1, .actor = r->s->ledger.self};
            r->s->noticed_ms = r->now_ms;
            if (!conflict_note(&about, b->position[i], CONFLICT_PUT_BACK, &file, NULL, e))
                return false;
        }
        *record_cell(&r->shadow, b->position[i]) = file;
    }
    return true;
}

static bool shadow_differs(const struct recovery *r)
{
    for (uint32_t i = 0; i < r->shadow.n; i++) {
        const struct cell *file = record_get(&r->shadow, i), *have = record_get(&r->rec, i);

        if (file != NULL && (have == NULL || !value_equal(&file->v, &have->v)))
            return true;
    }
    return false;
}

/* A row of the file, to be published; `gid` 0: nobody has heard of it. */
static void publish_file_row(struct recovery *r, struct binding *b, const struct value *values,
                             int64_t gid, const struct edit *edit)
{
    struct touched *t = scan_touch(&r->list, b, values, &r->key_room);

    t->gid = gid;
    t->wall_ms = edit == NULL ? 0 : edit->wall_ms;
}

static void publish_deleted(struct recovery *r, struct binding *b, int64_t gid,
                            const struct edit *edit)
{
    struct touched *t = touch_add(&r->list);

    *t = (struct touched){.b = b, .gid = gid, .wall_ms = edit->wall_ms};
}

static bool place_known(struct recovery *r, struct binding *b, int64_t gid,
                        const struct row_key *key, const struct value *values,
                        const struct edit *edit, struct err *e)
{
    struct store *s = r->s;
    struct slice shadow = {NULL, 0};
    bool publish_it;

    if (!make_shadow(r, b, gid, values, edit != NULL, &publish_it, e))
        return false;
    if (shadow_differs(r)) {
        buf_clear(&r->shadow_bytes);
        record_encode(&r->shadow, &r->shadow_bytes);
        shadow = buf_slice(&r->shadow_bytes);
    }
    if (!scan_place(s, gid, key, shadow, e))
        return false;
    if (publish_it)
        publish_file_row(r, b, values, gid, edit);
    if (shadow.p == NULL && ledger_alive(&s->ledger, &r->rec))
        return true;
    s->due_open = true;
    return ledger_due_put(&s->ledger, gid, r->now_ms, NULL, e);
}

/* The row that the ledger has under this key is not the one in the file: the application deleted
 * it there, or it was never there. */
static bool make_way(struct recovery *r, struct binding *b, const struct row_key *key,
                     const struct edit *edit, struct err *e)
{
    struct ledger_row row;
    bool found;

    if (!ledger_row_by_key(&r->s->ledger, b->table, key, true, &row, &found, e) || !found)
        return e->code == ERR_NONE;
    if (row.present && edit->born && !is_younger(r, b)) {
        publish_deleted(r, b, row.gid, edit);
        return true;
    }
    return scan_displace(r->s, &row, true, r->now_ms, e);
}

/* The drain saw the mark of this row and the ledger does not know it: the application had deleted
 * it before anybody heard of it, and the file has lost the delete. It goes again. */
static bool let_go(struct recovery *r, struct binding *b, const struct row_key *key, struct err *e)
{
    struct ledger_row row = {
        .gid = ledger_mint(&r->s->ledger), .table = b->table, .key = *key, .present = true};
    struct row_key id = {.kind = KEY_INT, .i = row.gid};

    record_clear(&r->rec);
    buf_clear(&r->shadow_bytes);
    record_encode(&r->rec, &r->shadow_bytes);
    row.rec = buf_slice(&r->shadow_bytes);
    keymap_put(&r->seen, 0, &id, 1);
    r->s->due_open = true;
    return ledger_row_put(&r->s->ledger, &row, false, false, e) &&
           ledger_due_put(&r->s->ledger, row.gid, r->now_ms, NULL, e);
}

static bool recover_row(struct recovery *r, struct binding *b, const struct value *values,
                        struct err *e)
{
    struct row_key key = key_of_row(b->app, values, &r->key_room), id = {.kind = KEY_INT};
    const struct edit *edit = edit_of(r, b, &key);
    struct ledger_row row;
    bool found, same;

    key = arena_key(&r->arena, &key);
    if (!ledger_row_by_key(&r->s->ledger, b->table, &key, true, &row, &found, e))
        return false;
    if (!found && edit == NULL && keymap_get(&r->drained, b->app_index, &key) != 0)
        return let_go(r, b, &key, e);
    if (!found) {
        publish_file_row(r, b, values, 0, edit);
        return true;
    }
    id.i = row.gid;
    keymap_put(&r->seen, 0, &id, 1);
    if (row.minted)
        return scan_place(r->s, row.gid, &key, (struct slice){NULL, 0}, e);
    if (!record_decode(&r->rec, row.rec, e) || !scan_same(r->s, b, &r->rec, values, &same, e))
        return false;
    if (edit == NULL || !b->app->surrogate ||
        !(edit->born || (edit->first == MARK_INSERT && !same && is_younger(r, b))))
        return place_known(r, b, id.i, &key, values, edit, e);
    publish_file_row(r, b, values, 0, edit);
    return make_way(r, b, &key, edit, e);
}

/* ---- one table ---- */

static bool recover_file_rows(struct recovery *r, struct binding *b, struct err *e)
{
    struct value *values = mem_alloc(b->app->column_count * sizeof *values);
    sqlite3_stmt *q = scan_open(r->s, b, e);
    int code = q == NULL ? -1 : 1;

    while (code == 1 && (code = scan_step(r->s, q, b, values, e)) == 1)
        if (!recover_row(r, b, values, e))
            code = -1;
    sqlite3_finalize(q);
    free(values);
    return code >= 0;
}

/* Deleted by the application after the fork, or lost with the file. */
static bool recover_missing_row(struct recovery *r, struct binding *b, const struct ledger_row *row,
                                struct err *e)
{
    const struct edit *edit = edit_of(r, b, &row->key);

    record_clear(&r->rec);
    if (!row->minted && !record_decode(&r->rec, row->rec, e))
        return false;
    if (edit != NULL && !is_younger(r, b)) {
        publish_deleted(r, b, row->gid, edit);
        return true;
    }
    return scan_displace(r->s, row, false, r->now_ms, e);
}

/* Rows that the ledger believed to be in the file. */
static bool recover_missing(struct recovery *r, struct binding *b, struct err *e)
{
    sqlite3_stmt *q = scan_ledger(r->s, b->table, true, e);
    struct ledger_row *missing = NULL;
    struct ledger_row row;
    uint32_t n = 0, room = 0;
    int code = q == NULL ? -1 : 1;
    bool ok;

    while (code == 1 && (code = scan_ledger_step(r->s, q, &row, e)) == 1) {
        struct row_key id = {.kind = KEY_INT, .i = row.gid};

        if (keymap_get(&r->seen, 0, &id) != 0)
            continue;
        if (n == room) {
            room = room == 0 ? 64 : room * 2;
            missing = mem_grow(missing, room * sizeof *missing);
        }
        row.key = arena_key(&r->arena, &row.key);
        row.rec = arena_copy(&r->arena, row.rec);
        missing[n++] = row;
    }
    sqlite3_finalize(q);
    ok = code >= 0;
    for (uint32_t i = 0; ok && i < n; i++)
        ok = recover_missing_row(r, b, &missing[i], e);
    free(missing);
    return ok;
}

/* Every table that was matched once. One that was to be reconciled is not any more: that would
 * publish the past. */
static bool recover_tables(struct recovery *r, struct err *e)
{
    struct store *s = r->s;

    if (!move_keys_back(r, e) || !read_edits(r, e))
        return false;
    for (uint32_t i = 0; i < s->binding_count; i++) {
        struct ledger_table *t = &s->ledger.tables[s->bindings[i].table - 1];

        if (t->scan == SCAN_MATCH)
            continue;
        t->scan = SCAN_NONE;
        if (!recover_file_rows(r, &s->bindings[i], e) || !recover_missing(r, &s->bindings[i], e) ||
            !ledger_table_save(&s->ledger, t, e))
            return false;
    }
    return true;
}

static bool go_on(struct recovery *r, const struct app_state *state, struct err *e)
{
    struct ledger *l = &r->s->ledger;
    struct store_progress p = {0};

    if (!publish(r->s, &r->list, r->now_ms, &p, e))
        return false;
    l->batch = state->batch;
    memcpy(l->token, state->token, sizeof l->token);
    l->cursor = r->cursor;
    l->cursor_time = r->cursor_time;
    /* Until what is due is in it, the file holds no more than it did at the fork. */
    return ledger_point_holding(l, &r->fork.applied, e) && ledger_commit(l, e);
}

static void recovery_close(struct recovery *r)
{
    vector_close(&r->fork.applied);
    marks_close(&r->marks);
    keymap_close(&r->edited);
    keymap_close(&r->drained);
    keymap_close(&r->seen);
    touch_close(&r->list);
    arena_close(&r->arena);
    record_close(&r->rec);
    record_close(&r->shadow);
    buf_close(&r->key_room);
    buf_close(&r->shadow_bytes);
    free(r->runs);
    free(r->edits);
}

bool behind(struct store *s, const struct app_state *state, uint64_t now_ms, bool *known,
            struct err *e)
{
    struct recovery r = {.s = s, .now_ms = now_ms};
    bool ok;

    buf_open(&r.key_room, VALUE_BYTES_MAX * 2);
    buf_open(&r.shadow_bytes, SIZE_MAX / 2);
    ok = appdb_read(&s->app, e) && find_fork(&r, state, known, e) &&
         (!*known || (ledger_begin(&s->ledger, false, e) && recover_tables(&r, e)));
    appdb_end(&s->app);
    if (ok && *known)
        ok = go_on(&r, state, e);
    if (!ok)
        ledger_rollback(&s->ledger);
    ledger_rest(&s->ledger);
    recovery_close(&r);
    return ok;
}
