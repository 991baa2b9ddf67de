/* Sweep: rows that went without an event. REPLACE that hits another row's UNIQUE key deletes that
 * row and fires no trigger (unless recursive_triggers is on), so no mark says so. When the
 * application is quiet its rows are counted, which the smallest index answers, and tables that hold
 * another number than the ledger believes are compared row by row (scan.c). */
#include "inside.h"

#include <stdlib.h>

#include <sqlite3.h>

static bool count_file(struct store *s, const struct binding *b, int64_t *rows, struct err *e)
{
    char *sql = sqlite3_mprintf("SELECT count(*) FROM main.\"%w\"", b->app->name);
    sqlite3_stmt *q = NULL;
    bool ok = sql != NULL && sqlite3_prepare_v2(s->app.db, sql, -1, &q, NULL) == SQLITE_OK &&
              sqlite3_step(q) == SQLITE_ROW;

    *rows = ok ? sqlite3_column_int64(q, 0) : 0;
    if (!ok)
        sqlite_err(s->app.db, b->app->name, e);
    sqlite3_finalize(q);
    sqlite3_free(sql);
    return ok;
}

/* In one read of the file, with nothing left to drain: how many rows each table has. `counted`
 * false: there is something to drain first. */
static bool count_files(struct store *s, int64_t *rows, int64_t *all, bool *counted, struct err *e)
{
    int64_t last;
    double time;
    bool ok = recover_read(s, e);

    *all = 0;
    *counted = false;
    if (!ok)
        return false;
    ok = marks_last(&s->app, &last, &time, e);
    *counted = ok && last <= s->ledger.cursor;
    for (uint32_t i = 0; *counted && ok && i < s->binding_count; i++) {
        ok = count_file(s, &s->bindings[i], &rows[i], e);
        *all += rows[i];
    }
    appdb_end(&s->app);
    return ok;
}

/* Tables whose number differs, and by another difference than when they were last compared. */
static bool schedule(struct store *s, const int64_t *rows, struct err *e)
{
    int64_t *believed = mem_alloc((s->ledger.table_count + 1) * sizeof *believed);
    sqlite3_stmt *q = ledger_prepare(
        &s->ledger, "SELECT tbl, count(*) FROM row WHERE present = 1 GROUP BY tbl", e);
    int code = SQLITE_DONE;
    bool ok = q != NULL;

    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW)
        if (sqlite3_column_int64(q, 0) <= s->ledger.table_count)
            believed[sqlite3_column_int64(q, 0)] = sqlite3_column_int64(q, 1);
    if (ok && code != SQLITE_DONE)
        ok = ledger_err(&s->ledger, "count rows", e);
    sqlite3_finalize(q);
    ok = ok && ledger_begin(&s->ledger, false, e);
    for (uint32_t i = 0; ok && i < s->binding_count; i++) {
        struct binding *b = &s->bindings[i];
        struct ledger_table *t = &s->ledger.tables[b->table - 1];
        int64_t odd = rows[i] - believed[b->table];

        if (odd == b->odd || t->scan != SCAN_NONE || b->mute || b->filter != NULL)
            continue; /* what is not said may not be known */
        b->odd = odd;
        t->scan = SCAN_RECONCILE;
        s->vanished = true;
        ok = ledger_table_save(&s->ledger, t, e);
    }
    if (ok)
        ok = ledger_commit(&s->ledger, e);
    else
        ledger_rollback(&s->ledger);
    free(believed);
    return ok;
}

bool sweep(struct store *s, struct err *e)
{
    int64_t *rows = mem_alloc((s->binding_count + 1) * sizeof *rows);
    int64_t cursor = s->ledger.cursor, all;
    bool counted, ok = count_files(s, rows, &all, &counted, e);

    if (ok && counted) {
        ok = all == s->ledger.live || schedule(s, rows, e);
        if (ok)
            s->swept = cursor;
    }
    free(rows);
    return ok;
}
