/* Behind: the application's file went back, by a power cut or because a copy was put in its place.
 * Where it left the path that the ledger remembers is the fork: the last point (schema.sql) whose
 * token and mark the file has. From there:
 *
 *     keys    which row stood at each key at the fork is known; marks that were drained after it
 * and are in the file are lived through again, and name the same rows as the first time
 *             (behind_laps.c)
 *     rows    what the file holds of them becomes the shadow; what the file lost is due again
 *             (behind_rows.c)
 *     news    marks that nobody has drained are the application's work on the old file. They are
 *             drained as always: a row that it made is another row, whatever its key; a cell that
 *             it wrote goes on if it had seen the ledger's, else the ledger's stands and the
 *             file's is kept as a conflict; what it deleted is deleted */
#include "behind.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "columns.h"
#include "placed.h"
#include "scan.h"

/* ---- the fork ---- */

/* What we had said as another actor may have been said again since: then the file held that. */
static bool find_again(struct recovery *r, uint32_t actor, struct err *e)
{
    struct ledger *l = &r->s->ledger;
    const struct actor *name = &l->actors[actor - 1].actor;
    struct held *held = &r->fork.held;
    struct vector again = {0};
    uint64_t first;
    bool ok =
        ledger_said_again(l, actor, 0, vector_get(&held->holds, name), &held->holds, &first, e);

    if (ok && first != 0)
        vector_set(&held->holds, name, first - 1, NULL);
    ok = ok && ledger_said_again(l, actor, 0, r->fork.said, &again, &first, e);
    if (ok && first != 0 && held->self == actor)
        held->self = 0;
    vector_close(&again);
    return ok;
}

static bool read_fork(struct recovery *r, sqlite3_stmt *q, struct err *e)
{
    struct reader in = reader_of(value_of_column(q, 2).bytes, e);
    uint32_t actor = (uint32_t)sqlite3_column_int64(q, 5);

    r->fork.mark = sqlite3_column_int64(q, 0);
    r->fork.point = sqlite3_column_int64(q, 3);
    r->fork.said = (uint64_t)sqlite3_column_int64(q, 4);
    if (!held_read(&in, &r->fork.held) || !read_end(&in))
        return false;
    return actor == 0 || find_again(r, actor, e);
}

/* The latest point with the file's token whose mark the file still has. */
static bool find_fork(struct recovery *r, const struct app_state *state, bool *known, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&r->s->ledger,
                                     "SELECT mark, mark_time, applied, id, number, actor FROM point"
                                     " WHERE token = ?1 AND actor <> 0 ORDER BY id DESC",
                                     e);
    bool there = false, ok = q != NULL;
    int code = SQLITE_DONE;

    *known = false;
    if (!ok)
        return false;
    sqlite3_bind_blob(q, 1, state->token, sizeof state->token, SQLITE_STATIC);
    while (ok && !there && (code = sqlite3_step(q)) == SQLITE_ROW) {
        double time = 0;

        ok = read_fork(r, q, e) && marks_time(&r->s->app, r->fork.mark, &time, &there, e);
        there = r->fork.mark == 0 || (there && time == sqlite3_column_double(q, 1));
    }
    *known = there;
    sqlite3_finalize(q);
    if (!ok)
        return false;
    return code == SQLITE_ROW || code == SQLITE_DONE ||
           ledger_err(&r->s->ledger, "find the fork", e);
}

/* Marks that nobody drained are news, unless the ledger that drained them was lost later, and the
 * file knows what was said of it (regain.c). */
static bool is_forgotten(struct recovery *r, const struct app_state *state, bool *forgotten,
                         struct err *e)
{
    struct keymap times = {0};
    int64_t regained;
    bool ok = behind_find_laps(r, &times, e) &&
              ledger_number(&r->s->ledger, "SELECT value FROM meta WHERE name = 'regained'",
                            &regained, e);
    bool told = times.n > 0 && state->point.n > 0;

    r->anew = ok && r->fork.point < regained;
    *forgotten = told && !r->s->ledger.matched; /* the log may not be here yet */
    if (ok && told && !*forgotten && r->anew)
        ok = regain_has_said(r->s, &times, &r->fork.held.holds, forgotten, e);
    keymap_close(&times);
    return ok;
}

static bool look_for_fork(struct recovery *r, const struct app_state *state, bool *known,
                          struct err *e)
{
    bool forgotten = false;

    if (!find_fork(r, state, known, e) || (*known && !is_forgotten(r, state, &forgotten, e)))
        return false;
    *known &= !forgotten;
    return true;
}

/* ---- going on from there ---- */

static bool run_statement(struct recovery *r, const char *sql, int64_t a, int64_t b, struct err *e)
{
    struct ledger *l = &r->s->ledger;
    sqlite3_stmt *q = ledger_prepare(l, sql, e);
    bool ok = q != NULL;

    if (ok) {
        sqlite3_bind_int64(q, 1, a);
        sqlite3_bind_int64(q, 2, b);
        ok = sqlite3_step(q) == SQLITE_DONE || ledger_err(l, "go back with the file", e);
    }
    sqlite3_finalize(q);
    return ok;
}

#define MATCHED " AND tbl IN (SELECT id FROM tbl WHERE scan <> 1)"

/* Which rows were in the file that another one stands for, and under which keys; ?1: the fork. The
 * ledger may have nothing else of one that had gone when it was made anew. */
#define STOOD                                                                                      \
    "(SELECT stands, gid, p.key FROM alias JOIN row AS p USING (gid) WHERE p.present = 1"          \
    " UNION ALL SELECT stands, gid, p.key FROM alias JOIN placed AS p USING (gid)"                 \
    " WHERE p.since <= ?1 AND p.until > ?1)"

/* Of rows that are one another one stands for both since the ledger was made anew. */
static bool stand_in(struct recovery *r, struct err *e)
{
    return run_statement(r,
                         "UPDATE row SET present = 1, since = ?2, key ="
                         " (SELECT key FROM " STOOD " WHERE stands = row.gid ORDER BY gid LIMIT 1)"
                         " WHERE present = 0 AND gid IN (SELECT stands FROM " STOOD ")",
                         r->fork.point, r->s->ledger.point + 1, e) &&
           run_statement(r,
                         "UPDATE row SET present = ?1, shadow = NULL WHERE present = ?2"
                         " AND EXISTS (SELECT 1 FROM alias JOIN row AS s ON s.gid = stands"
                         "  WHERE alias.gid = row.gid AND s.present = 1 AND s.key IS row.key)",
                         0, 1, e);
}

/* Which rows were in the file at the fork, and under which keys. */
static bool go_back(struct recovery *r, struct err *e)
{
    struct ledger *l = &r->s->ledger;

    return run_statement(r,
                         "UPDATE row SET present = 0, shadow = NULL"
                         " WHERE present = 1 AND since > ?1 AND ?2 > 0" MATCHED,
                         r->fork.point, l->point + 1, e) &&
           run_statement(
               r,
               "UPDATE row SET present = 1, since = ?2, key ="
               " (SELECT p.key FROM placed AS p WHERE p.gid = row.gid AND p.since <= ?1"
               "  AND p.until > ?1)"
               " WHERE gid IN (SELECT gid FROM placed WHERE since <= ?1 AND until > ?1)" MATCHED,
               r->fork.point, l->point + 1, e) &&
           (!r->anew || stand_in(r, e)) &&
           ledger_number(l, "SELECT count(*) FROM row WHERE present = 1", &l->live, e);
}

sqlite3_stmt *behind_unheard(struct ledger *l, const char *sql, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(l, sql, e);
    struct record nothing = {0};
    struct buf bytes;

    buf_open(&bytes, 64);
    record_encode(&nothing, &bytes);
    if (q != NULL)
        sqlite3_bind_blob64(q, 1, bytes.p, bytes.n, SQLITE_TRANSIENT);
    buf_close(&bytes);
    return q;
}

#define DEAD_BYTES_MAX 64 /* more than any record without cells has */

bool behind_find_let_go(struct recovery *r, struct err *e)
{
    struct ledger *l = &r->s->ledger;
    sqlite3_stmt *q =
        ledger_prepare(l,
                       "SELECT gid, rec FROM row WHERE present = 1 AND length(rec) <= ?1"
                       " AND gid NOT IN (SELECT gid FROM alias)",
                       e);
    bool ok = q != NULL;
    int code = SQLITE_DONE;

    if (ok)
        sqlite3_bind_int64(q, 1, DEAD_BYTES_MAX);
    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct row_key id = int_key(sqlite3_column_int64(q, 0));

        ok = record_decode(&r->rec, value_of_column(q, 1).bytes, e);
        if (ok && !record_has_cells(&r->rec))
            keymap_put(&r->let_go, 0, &id, 1);
    }
    sqlite3_finalize(q);
    return ok && (code == SQLITE_DONE || ledger_err(l, "find what was to go", e));
}

/* Rows that have come into the file since are due again. Nobody has heard of those that were still
 * to be published. */
static bool put_lost_due(struct recovery *r, struct err *e)
{
    struct ledger *l = &r->s->ledger;
    sqlite3_stmt *q =
        ledger_prepare(l,
                       "SELECT gid, tbl, key, present, rec, shadow FROM row WHERE present = 0"
                       " AND rec IS NOT NULL AND gid IN (SELECT gid FROM placed WHERE until = ?1)",
                       e);
    struct ledger_row row;
    bool ok = q != NULL;
    int code = SQLITE_DONE;

    if (ok)
        sqlite3_bind_int64(q, 1, l->point + 1);
    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        ledger_row_of(q, &row);
        ok = record_decode(&r->rec, row.rec, e) &&
             (!ledger_alive(l, &r->rec) || ledger_due_put(l, row.gid, r->now_ms, NULL, e));
    }
    sqlite3_finalize(q);
    r->s->due_open = true;
    return ok && (code == SQLITE_DONE || ledger_err(l, "find what the file lost", e)) &&
           scan_forget_unheard(r->s, e);
}

/* The first point after which the file is told this; 0: none is remembered. */
static bool first_point(struct ledger *l, const struct app_state *state, int64_t *point,
                        struct err *e)
{
    sqlite3_stmt *q =
        ledger_prepare(l, "SELECT coalesce(min(id), 0) FROM point WHERE token = ?1", e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_blob(q, 1, state->token, sizeof state->token, SQLITE_STATIC);
    code = sqlite3_step(q);
    *point = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return code == SQLITE_ROW || ledger_err(l, "look for the point of a file", e);
}

/* Where triggers were missing since the file was told its point, no mark tells what the application
 * wrote: a migration made the table anew before we looked. Of a column that came since that point,
 * what differs may be what the migration filled in. */
static bool find_unwatched(struct recovery *r, const struct app_state *state, struct err *e)
{
    struct store *s = r->s;
    struct placed_point told = {0};
    int64_t point;
    bool ok = first_point(&s->ledger, state, &point, e) &&
              (state->point.n == 0 || placed_point_read(&told, buf_slice(&state->point), e));

    r->unwatched = mem_alloc((s->app.schema.n + 1) * sizeof *r->unwatched);
    r->later = arena_alloc(&r->arena, (s->app.schema.n + 1) * sizeof *r->later);
    memset(r->later, 0, (s->app.schema.n + 1) * sizeof *r->later);
    for (uint32_t i = 0; ok && i < s->binding_count; i++) {
        const struct app_table *t = s->bindings[i].app;
        bool *missed = &r->unwatched[s->bindings[i].app_index];
        bool **later = &r->later[s->bindings[i].app_index];

        for (uint32_t k = 0; k < told.table_n; k++)
            *missed |= told.tables[k].number == t->number && told.tables[k].repairs != t->repairs;
        if (*missed && point != 0) {
            *later = arena_alloc(&r->arena, t->column_count * sizeof **later);
            ok = columns_later(s, &s->bindings[i], point, *later, e);
        }
    }
    placed_point_close(&told);
    return ok;
}

/* The ledger had let go of a file, and gets one that it knows: its rows need not be matched. */
static bool attach(struct recovery *r, struct err *e)
{
    struct ledger *l = &r->s->ledger;

    r->attached = !l->matched;
    l->matched = true;
    for (uint32_t i = 0; r->attached && i < l->table_count; i++) {
        if (l->tables[i].scan != SCAN_MATCH)
            continue;
        l->tables[i].scan = SCAN_NONE;
        if (!ledger_table_save(l, &l->tables[i], e))
            return false;
    }
    return true;
}

static bool go_on(struct recovery *r, const struct app_state *state, struct err *e)
{
    struct ledger *l = &r->s->ledger;
    struct store_progress p = {0};

    held_lose(l, &r->fork.held, r->fork.said);
    if (!publish(r->s, &r->list, r->now_ms, &p, e) || !replay_fates(r->s, &r->list, e) ||
        !put_lost_due(r, e) || (r->attached && !scan_put_due(r->s, false, r->now_ms, e)))
        return false;
    l->batch = state->batch;
    memcpy(l->token, state->token, sizeof l->token);
    l->cursor = r->cursor;
    l->cursor_time = r->cursor_time;
    l->looked = 0;
    /* Until what is due is in it, the file holds no more than it did at the fork. */
    return ledger_holds(l, &r->fork.held, e) && ledger_holds_all(l, bind_is_out, r->s, e) &&
           ledger_point(l, e) && ledger_commit(l, e);
}

void behind_open(struct recovery *r, struct store *s, uint64_t now_ms)
{
    *r = (struct recovery){.s = s, .now_ms = now_ms, .list = {.recovery = r}};
    buf_open(&r->key_room, VALUE_BYTES_MAX * 2);
    buf_open(&r->bytes, SIZE_MAX / 2);
}

void behind_close(struct recovery *r)
{
    vector_close(&r->fork.held.holds);
    keymap_close(&r->lived);
    keymap_close(&r->begun);
    keymap_close(&r->let_go);
    keymap_close(&r->here);
    keymap_close(&r->seen);
    touch_close(&r->list);
    arena_close(&r->arena);
    record_close(&r->rec);
    record_close(&r->shadow);
    buf_close(&r->key_room);
    buf_close(&r->bytes);
    free(r->runs);
    for (uint32_t i = 0; i < r->lap_count; i++)
        vector_close(&r->laps[i].earlier);
    free(r->laps);
    free(r->unwatched);
}

bool behind(struct store *s, const struct app_state *state, uint64_t now_ms, bool *known,
            struct err *e)
{
    struct recovery r;
    bool ok;

    behind_open(&r, s, now_ms);
    ok = appdb_read(&s->app, e) && look_for_fork(&r, state, known, e) &&
         (!*known || (ledger_begin(&s->ledger, false, e) && attach(&r, e) &&
                      find_unwatched(&r, state, e) && go_back(&r, e) && behind_relive(&r, e) &&
                      behind_find_let_go(&r, e) && behind_rows(&r, e)));
    appdb_end(&s->app);
    if (ok && *known)
        ok = go_on(&r, state, e);
    if (!ok)
        ledger_rollback(&s->ledger);
    ledger_rest(&s->ledger);
    behind_close(&r);
    return ok;
}
