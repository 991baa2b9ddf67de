/* Recover: at start, compare where the two files stand (DESIGN.md section 8) and bring them
 * together.
 *
 *     in step   the file's token is the ledger's, and the last mark drained is in it
 *     ahead     the file holds one batch more, whose `previous` is our token: the ledger follows
 * from its payload behind    the file's token is an older one of ours, or marks that were drained
 * are gone: power loss, or a copy put back foreign   none of these: another file, or the ledger
 * itself went back */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "scan.h"

struct fork {
    int64_t number;        /* our own change-sets up to this one were in the file */
    struct vector applied; /* and of others, these */
    int64_t mark;          /* marks above it were made after the fork, or drained after it */
    int64_t point;         /* its id */
};

/* What the marks after the fork come to, for one key. */
enum edit {
    EDIT_NONE,
    EDIT_INSERTED, /* a new row, or REPLACE or an upsert of the one that was there */
    EDIT_WRITTEN,
    EDIT_DELETED,
    EDIT_REBORN /* deleted, then another row was given its key */
};

struct recovery {
    struct store *s;
    uint64_t now_ms;
    struct fork fork;
    struct marks marks;
    struct keymap edited;  /* what the application did with a key after the fork: enum edit */
    struct keymap drained; /* keys with marks that were drained: 1 */
    struct keymap seen;    /* keys in the file: 1 */
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
    struct slice applied = value_of_column(q, 3).bytes;
    struct reader in = reader_of(applied, e);

    r->fork.mark = sqlite3_column_int64(q, 0);
    r->fork.number = sqlite3_column_int64(q, 2);
    r->fork.point = sqlite3_column_int64(q, 4);
    vector_close(&r->fork.applied);
    vector_read(&in, &r->fork.applied);
    return read_end(&in);
}

/* The latest point with the file's token whose mark the file still has; else the earliest with that
 * token. */
static bool find_fork(struct recovery *r, const struct app_state *state, bool *known, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&r->s->ledger,
                                     "SELECT mark, mark_time, number, applied, id FROM point"
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

    if (c->number == 0 || c->actor == 0)
        return true;
    if (c->actor == l->self)
        return c->number <= (uint64_t)r->fork.number;
    return c->number <= vector_get(&r->fork.applied, &l->actors[c->actor - 1].actor);
}

/* Marks that were drained after the fork, with their times: those in the file that are among them
 * are not the application's work on the old file, but what it had written before, and the ledger
 * has. */
struct run {
    uint64_t first, last;
    double time;
};

static bool read_runs(struct recovery *r, struct run **runs, uint32_t *n, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(
        &r->s->ledger, "SELECT runs FROM point WHERE id > ?1 AND runs IS NOT NULL ORDER BY id", e);
    int code = q == NULL ? SQLITE_ERROR : SQLITE_ROW;

    if (q != NULL)
        sqlite3_bind_int64(q, 1, r->fork.point);
    while (code == SQLITE_ROW && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct slice in = value_of_column(q, 0).bytes;

        while (in.n > 0) {
            struct run run;
            uint64_t u;

            if (!varint_read(&in, &run.first) || !varint_read(&in, &run.last) || in.n < 8) {
                sqlite3_finalize(q);
                return err_set(e, ERR_STORE, "%s is damaged: a point", r->s->ledger.path);
            }
            u = be64_read(in.p);
            memcpy(&run.time, &u, sizeof run.time);
            in.p += 8;
            in.n -= 8;
            *runs = mem_grow(*runs, (*n + 1) * sizeof **runs);
            (*runs)[(*n)++] = run;
        }
    }
    sqlite3_finalize(q);
    return code == SQLITE_DONE || e->code != ERR_NONE
               ? e->code == ERR_NONE
               : ledger_err(&r->s->ledger, "read the points", e);
}

static bool was_drained(const struct run *runs, uint32_t n, const struct mark *m)
{
    for (uint32_t i = 0; i < n; i++)
        if (runs[i].first <= (uint64_t)m->id && (uint64_t)m->id <= runs[i].last &&
            runs[i].time == m->julian_day)
            return true;
    return false;
}

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

/* What the file's own marks say of a key that moved holds, whoever has seen them. */
static bool replay_move(struct recovery *r, const struct binding *b, const struct mark *m,
                        const struct row_key *to, struct err *e)
{
    struct row_key from = mark_key(r, b->app, m->old);
    struct ledger_row row;
    bool found;

    if (!ledger_row_by_key(&r->s->ledger, b->table, &from, true, &row, &found, e))
        return false;
    return !found || ledger_row_rekey(&r->s->ledger, row.gid, to, e);
}

static enum edit next_edit(enum edit before, int op)
{
    if (op == MARK_DELETE)
        return EDIT_DELETED;
    if (before == EDIT_DELETED)
        return EDIT_REBORN;
    if (before != EDIT_NONE)
        return before;
    return op == MARK_INSERT ? EDIT_INSERTED : EDIT_WRITTEN;
}

static bool read_edit(struct recovery *r, const struct mark *m, bool drained, struct err *e)
{
    struct app_table *t = appdb_table_numbered(&r->s->app, m->table);
    struct binding *b = t == NULL ? NULL : bind_by_app(r->s, t);
    struct row_key key;

    if (b == NULL)
        return true;
    key = mark_key(r, t, m->key);
    if (m->moved && t->surrogate && !replay_move(r, b, m, &key, e))
        return false;
    if (drained)
        keymap_put(&r->drained, b->app_index, &key, 1);
    else
        keymap_put(&r->edited, b->app_index, &key,
                   next_edit((enum edit)keymap_get(&r->edited, b->app_index, &key), m->op));
    return true;
}

static bool read_edits(struct recovery *r, struct err *e)
{
    struct run *runs = NULL;
    uint32_t n = 0;
    bool ok;

    ok = read_runs(r, &runs, &n, e) && marks_last(&r->s->app, &r->cursor, &r->cursor_time, e) &&
         marks_read(&r->s->app, r->fork.mark, UINT32_MAX, &r->marks, e);
    for (uint32_t i = 0; ok && i < r->marks.n; i++)
        ok = read_edit(r, &r->marks.marks[i], was_drained(runs, n, &r->marks.marks[i]), e);
    free(runs);
    return ok;
}

/* ---- one row of the file ---- */

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
        struct cell file = {.v = values[i], .set = true};
        int ref = b->app->columns[i].ref_table;
        int64_t to = 0;

        if (ref >= 0 && file.v.type != VALUE_NULL) {
            struct binding *parent = bind_by_app(r->s, &r->s->app.schema.tables[ref]);

            if (parent != NULL && !refer(r->s, parent, &file.v, &to, e))
                return false;
            if (to != 0)
                file.v = (struct value){.type = VALUE_REF, .ref = gid_unpack(to)};
        }
        if (b->app->surrogate && b->is_key[i] && have != NULL)
            file = *have;
        if (have != NULL && value_equal(&have->v, &file.v)) {
            file = *have;
        } else if (edited && have != NULL && before_fork(r, &have->clock)) {
            file = *have;
            *publish_it = true;
        } else if (edited && have != NULL) {
            file.clock = (struct local_clock){.number = 1, .actor = r->s->ledger.self};
            if (!ledger_conflict(&r->s->ledger, gid, b->table, b->position[i], &file,
                                 "written into a file that had been put back", r->now_ms, e))
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

static bool place_known(struct recovery *r, struct binding *b, const struct ledger_row *row,
                        const struct row_key *key, const struct value *values, bool edited,
                        struct err *e)
{
    struct store *s = r->s;
    int64_t gid = row->gid;
    struct slice shadow = {NULL, 0};
    bool publish_it;

    if (!make_shadow(r, b, gid, values, edited, &publish_it, e))
        return false;
    if (shadow_differs(r)) {
        buf_clear(&r->shadow_bytes);
        record_encode(&r->shadow, &r->shadow_bytes);
        shadow = buf_slice(&r->shadow_bytes);
    }
    if (!scan_place(s, gid, key, shadow, e))
        return false;
    if (publish_it) {
        struct touched *t = scan_touch(&r->list, b, values, &r->key_room);

        t->gid = gid;
        t->wall_ms = r->now_ms;
    }
    if (shadow.p == NULL && ledger_alive(&s->ledger, &r->rec))
        return true;
    s->due_open = true;
    return ledger_due_put(&s->ledger, gid, r->now_ms, NULL, e);
}

/* Was the row in r->rec made after the fork? Then the file never held it. */
static bool is_younger(const struct recovery *r, const struct binding *b)
{
    const struct cell *key = record_get(&r->rec, b->position[b->app->keys[0]]);

    return key != NULL && !before_fork(r, &key->clock);
}

/* The drain saw the mark of this row and the ledger does not know it: the application had deleted
 * it before anybody heard of it, and the file has lost the delete. It goes again. */
static bool let_go(struct recovery *r, struct binding *b, const struct row_key *key, struct err *e)
{
    struct ledger_row row = {
        .gid = ledger_mint(&r->s->ledger), .table = b->table, .key = *key, .present = true};

    record_clear(&r->rec);
    buf_clear(&r->shadow_bytes);
    record_encode(&r->rec, &r->shadow_bytes);
    row.rec = buf_slice(&r->shadow_bytes);
    r->s->due_open = true;
    return ledger_row_put(&r->s->ledger, &row, false, false, e) &&
           ledger_due_put(&r->s->ledger, row.gid, r->now_ms, NULL, e);
}

/* The file's row was born after the fork under a key that the ledger knows of another one. That one
 * was deleted by the application if the file had it, else it was born in what the file lost, and
 * comes back under another key. */
static bool another_row(struct recovery *r, struct binding *b, const struct ledger_row *row,
                        const struct row_key *key, struct err *e)
{
    struct touched *t;

    if (is_younger(r, b) || !row->present) {
        if (!scan_displace(r->s, row, true, r->now_ms, e))
            return false;
    } else {
        t = touch_add(&r->list);
        *t = (struct touched){.b = b, .gid = row->gid, .wall_ms = r->now_ms};
    }
    return scan_mint(r->s, b, key, e);
}

static bool recover_row(struct recovery *r, struct binding *b, const struct value *values,
                        struct err *e)
{
    struct row_key key = key_of_row(b->app, values, &r->key_room);
    enum edit edit;
    struct ledger_row row;
    bool found, same;

    key = arena_key(&r->arena, &key);
    keymap_put(&r->seen, b->app_index, &key, 1);
    edit = (enum edit)keymap_get(&r->edited, b->app_index, &key);
    if (!ledger_row_by_key(&r->s->ledger, b->table, &key, true, &row, &found, e))
        return false;
    if (!found && edit == EDIT_NONE && keymap_get(&r->drained, b->app_index, &key) != 0)
        return let_go(r, b, &key, e);
    if (!found && !b->app->surrogate) { /* its key may be known elsewhere: publish finds out */
        scan_touch(&r->list, b, values, &r->key_room)->wall_ms = edit != EDIT_NONE ? r->now_ms : 0;
        return true;
    }
    if (!found)
        return scan_mint(r->s, b, &key, e);
    if (row.minted)
        return scan_place(r->s, row.gid, &key, (struct slice){NULL, 0}, e);
    if (!record_decode(&r->rec, row.rec, e) || !scan_same(r->s, b, &r->rec, values, &same, e))
        return false;
    if (!ledger_row_by_key(&r->s->ledger, b->table, &key, true, &row, &found, e))
        return false;
    if (b->app->surrogate && (edit == EDIT_REBORN || (edit == EDIT_INSERTED && !same)) &&
        (edit == EDIT_REBORN || is_younger(r, b)))
        return another_row(r, b, &row, &key, e);
    return place_known(r, b, &row, &key, values, edit != EDIT_NONE, e);
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

/* Rows that the ledger believed to be in the file: deleted by the application after the fork, or
 * lost with it. */
static bool recover_missing(struct recovery *r, struct binding *b, struct err *e)
{
    sqlite3_stmt *q = scan_ledger(r->s, b->table, true, e);
    struct ledger_row *missing = NULL;
    struct ledger_row row;
    uint32_t n = 0;
    int code = q == NULL ? -1 : 1;
    bool ok;

    while (code == 1 && (code = scan_ledger_step(r->s, q, &row, e)) == 1) {
        if (keymap_get(&r->seen, b->app_index, &row.key) != 0)
            continue;
        missing = mem_grow(missing, (n + 1) * sizeof *missing);
        row.key = arena_key(&r->arena, &row.key);
        row.rec = arena_copy(&r->arena, row.rec);
        missing[n++] = row;
    }
    sqlite3_finalize(q);
    ok = code >= 0;
    for (uint32_t i = 0; ok && i < n; i++) {
        enum edit edit = (enum edit)keymap_get(&r->edited, b->app_index, &missing[i].key);

        record_clear(&r->rec);
        ok = missing[i].minted || record_decode(&r->rec, missing[i].rec, e);
        if (ok && (edit == EDIT_DELETED || edit == EDIT_WRITTEN) && !is_younger(r, b)) {
            struct touched *t = touch_add(&r->list);

            *t = (struct touched){.b = b, .gid = missing[i].gid, .wall_ms = r->now_ms};
        } else if (ok) {
            ok = scan_displace(r->s, &missing[i], false, r->now_ms, e);
        }
    }
    free(missing);
    return ok;
}

static bool recover_tables(struct recovery *r, struct err *e)
{
    struct store *s = r->s;
    struct store_progress p = {0};

    if (!move_keys_back(r, e) || !read_edits(r, e))
        return false;
    for (uint32_t i = 0; i < s->binding_count; i++)
        if (s->ledger.tables[s->bindings[i].table - 1].scan == SCAN_NONE &&
            (!recover_file_rows(r, &s->bindings[i], e) || !recover_missing(r, &s->bindings[i], e)))
            return false;
    return publish(s, &r->list, r->now_ms, &p, e);
}

static bool behind(struct store *s, const struct app_state *state, uint64_t now_ms, bool *known,
                   struct err *e)
{
    struct recovery r = {.s = s, .now_ms = now_ms};
    bool ok;

    buf_open(&r.key_room, VALUE_BYTES_MAX * 2);
    buf_open(&r.shadow_bytes, SIZE_MAX / 2);
    ok = appdb_read(&s->app, e) && find_fork(&r, state, known, e);
    if (ok && *known) {
        ok = ledger_begin(&s->ledger, false, e) && recover_tables(&r, e);
        if (ok) {
            s->ledger.batch = state->batch;
            memcpy(s->ledger.token, state->token, sizeof s->ledger.token);
            s->ledger.cursor = r.cursor;
            s->ledger.cursor_time = r.cursor_time;
            ok = ledger_point(&s->ledger, e) && ledger_commit(&s->ledger, e);
        }
        if (!ok)
            ledger_rollback(&s->ledger);
        else
            snprintf(s->trouble, sizeof s->trouble,
                     "the database had gone back to an older state (power cut or a "
                     "restored copy); what was missing is put back");
    }
    appdb_end(&s->app);
    ledger_rest(&s->ledger);
    vector_close(&r.fork.applied);
    marks_close(&r.marks);
    keymap_close(&r.edited);
    keymap_close(&r.drained);
    keymap_close(&r.seen);
    touch_close(&r.list);
    arena_close(&r.arena);
    record_close(&r.rec);
    record_close(&r.shadow);
    buf_close(&r.key_room);
    buf_close(&r.shadow_bytes);
    return ok;
}

/* ---- foreign ---- */

/* The ledger knows nothing of what is in this file: its rows are matched anew, and we go on as
 * another actor. */
static bool detach(struct store *s, const struct app_state *state, bool reincarnate, struct err *e)
{
    sqlite3_stmt *q;
    bool ok = ledger_begin(&s->ledger, false, e);

    if (ok) {
        q = ledger_prepare(&s->ledger,
                           "UPDATE row SET present = 0, shadow = NULL WHERE present = 1", e);
        ok = q != NULL && sqlite3_step(q) == SQLITE_DONE;
        sqlite3_finalize(q);
    }
    if (ok) {
        q = ledger_prepare(&s->ledger, "DELETE FROM row WHERE rec IS NULL", e);
        ok = q != NULL && sqlite3_step(q) == SQLITE_DONE;
        sqlite3_finalize(q);
    }
    s->ledger.live = 0;
    for (uint32_t i = 0; ok && i < s->ledger.table_count; i++) {
        s->ledger.tables[i].scan = SCAN_MATCH;
        ok = ledger_table_save(&s->ledger, &s->ledger.tables[i], e);
    }
    if (ok && reincarnate)
        ok = ledger_reincarnate(&s->ledger, &s->keys->site, e);
    if (ok) {
        s->ledger.matched = s->roster->site_count <= 1;
        s->ledger.batch = state->found ? state->batch : 0;
        memset(s->ledger.token, 0, sizeof s->ledger.token);
        if (state->found)
            memcpy(s->ledger.token, state->token, sizeof s->ledger.token);
        s->ledger.cursor = 0;
        s->ledger.cursor_time = 0;
        ok = !state->found || marks_last(&s->app, &s->ledger.cursor, &s->ledger.cursor_time, e);
    }
    ok = ok && ledger_point(&s->ledger, e) && ledger_commit(&s->ledger, e);
    if (!ok)
        ledger_rollback(&s->ledger);
    return ok || (e->code == ERR_NONE && ledger_err(&s->ledger, "begin anew with this file", e));
}

/* ---- which case ---- */

static bool marks_fit(struct store *s, bool *fit, struct err *e)
{
    int64_t last;
    double last_time, time;
    bool found;

    if (!marks_last(&s->app, &last, &last_time, e) ||
        !marks_time(&s->app, s->ledger.cursor, &time, &found, e))
        return false;
    *fit = s->ledger.cursor == 0 || (found && time == s->ledger.cursor_time);
    return true;
}

static bool is_zero(const uint8_t *token)
{
    static const uint8_t zero[16];

    return memcmp(token, zero, sizeof zero) == 0;
}

static bool decide(struct store *s, const struct app_state *state, uint64_t now_ms, struct err *e)
{
    struct ledger *l = &s->ledger;
    bool fit, known = false;

    if (!state->found) /* nothing of ours in the file */
        return is_zero(l->token) || detach(s, state, false, e);
    if (is_zero(l->token)) /* the first time */
        return detach(s, state, false, e);
    if (memcmp(state->token, l->token, sizeof l->token) != 0 &&
        memcmp(state->previous, l->token, sizeof l->token) == 0 && state->batch == l->batch + 1 &&
        !follow(s, state, now_ms, e))
        return false;
    if (memcmp(state->token, l->token, sizeof l->token) == 0) {
        if (!marks_fit(s, &fit, e) || fit)
            return e->code == ERR_NONE;
    }
    if (!behind(s, state, now_ms, &known, e) || known)
        return e->code == ERR_NONE;
    snprintf(s->trouble, sizeof s->trouble,
             "the database is not the one this agent knows, or the agent's own files "
             "went back: rows are compared with another PC's before anything is sent");
    return detach(s, state, true, e);
}

bool recover(struct store *s, uint64_t now_ms, struct err *e)
{
    struct app_state state = {0};
    bool ok =
        (!s->app.installed || app_state_read(&s->app, &state, e)) && decide(s, &state, now_ms, e);

    s->follow_due = false;
    app_state_close(&state);
    ledger_rest(&s->ledger);
    return ok;
}
