#include "app.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

static bool failed(struct app *a, const char *sql, struct err *e)
{
    bool refused = (sqlite3_errcode(a->db) & 0xff) == SQLITE_CONSTRAINT;

    return err_set(e, refused ? ERR_REFUSED : ERR_STORE, "the application: %s (%d) in %.200s",
                   sqlite3_errmsg(a->db), sqlite3_extended_errcode(a->db), sql);
}

static bool run(struct app *a, const char *sql, struct err *e)
{
    if (a->on_sql != NULL)
        a->on_sql(a->context, sql);
    return sqlite3_exec(a->db, sql, NULL, NULL, NULL) == SQLITE_OK || failed(a, sql, e);
}

bool app_run(struct app *a, struct err *e, const char *format, ...)
{
    va_list arguments;
    char *sql;
    bool ok;

    va_start(arguments, format);
    sql = sqlite3_vmprintf(format, arguments);
    va_end(arguments);
    ok = run(a, sql, e);
    sqlite3_free(sql);
    return ok;
}

bool app_create(const struct shape *s, const char *path, const char *vfs, const char *mode,
                struct rng *r, struct err *e)
{
    static const char *const modes[] = {"WAL", "WAL", "DELETE", "TRUNCATE", "PERSIST"};
    struct app a = {0};
    bool ok;

    if (sqlite3_open_v2(path, &a.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs) !=
        SQLITE_OK) {
        failed(&a, path, e);
        sqlite3_close(a.db);
        return false;
    }
    ok = app_run(&a, e, "PRAGMA page_size = %u; PRAGMA journal_mode = %s", 512u << rng_below(r, 4),
                 mode != NULL ? mode : modes[rng_below(r, COUNT_OF(modes))]) &&
         app_run(&a, e, "BEGIN; CREATE TABLE tick(n INTEGER); INSERT INTO tick VALUES (0)");
    for (uint32_t i = 0; ok && i < s->n; i++) {
        uint32_t order[SHAPE_COLUMNS_MAX], turn = rng_below(r, s->tables[i].columns_n);
        char *sql;

        for (uint32_t k = 0; k < s->tables[i].columns_n; k++)
            order[k] = (turn + k) % s->tables[i].columns_n;
        sql = shape_sql(s, &s->tables[i], order);
        ok = run(&a, sql, e);
        sqlite3_free(sql);
    }
    if (ok && s->lists_versions)
        ok = app_run(&a, e,
                     "CREATE TABLE django_migrations(id INTEGER PRIMARY KEY, app, name);"
                     " INSERT INTO django_migrations(app, name) VALUES ('shop', '0')");
    ok = ok && (!s->journal || app_run(&a, e, SHAPE_JOURNAL)) && app_run(&a, e, "COMMIT");
    sqlite3_close(a.db);
    return ok;
}

static int read_journal_mode(void *context, int n, char **values, char **names)
{
    bool *wal = context;

    (void)names;
    *wal = n > 0 && strcmp(values[0], "wal") == 0;
    return 0;
}

bool app_open(struct app *a, const char *path, const char *vfs, struct err *e)
{
    bool wal = false;

    if (sqlite3_open_v2(path, &a->db, SQLITE_OPEN_READWRITE, vfs) != SQLITE_OK)
        return failed(a, path, e);
    sqlite3_extended_result_codes(a->db, 1);
    if (sqlite3_exec(a->db, "PRAGMA journal_mode", read_journal_mode, &wal, NULL) != SQLITE_OK)
        return failed(a, "PRAGMA journal_mode", e);
    /* NORMAL in rollback mode would be allowed to corrupt the file in a power cut. */
    return app_run(a, e, "PRAGMA foreign_keys = ON; PRAGMA synchronous = %s",
                   wal && rng_chance(&a->rng, 70) ? "NORMAL" : "FULL") &&
           app_run(a, e, "PRAGMA wal_autocheckpoint = %u", 8u << rng_below(&a->rng, 8)) &&
           view_read(&a->now, a->shape, a->words, a->db, e);
}

void app_close(struct app *a)
{
    view_close_database(a->db);
    a->db = NULL;
    a->open = false;
}

void app_free(struct app *a)
{
    app_close(a);
    view_close(&a->before);
    view_close(&a->now);
}

bool app_begin(struct app *a, struct err *e)
{
    assert(!a->open);
    if (!run(a, "BEGIN IMMEDIATE", e))
        return false;
    a->open = true;
    a->moves_n = a->touches_n = 0;
    if (!view_read(&a->now, a->shape, a->words, a->db, e))
        return false;
    view_copy(&a->before, &a->now);
    return true;
}

void app_touch(struct app *a, const struct view_row *row)
{
    assert(a->touches_n < APP_TOUCHES_MAX);
    a->touches[a->touches_n++] = row->name;
}

bool app_commit(struct app *a, int64_t tick, struct err *e)
{
    if (!app_run(a, e, "UPDATE tick SET n = %lld", (long long)tick) ||
        (a->shape->journal &&
         !app_run(a, e, "INSERT INTO journal VALUES (%u, %lld)", a->site, (long long)tick)) ||
        !view_read(&a->now, a->shape, a->words, a->db, e) || !run(a, "COMMIT", e))
        return false;
    a->open = false;
    return true;
}

void app_rollback(struct app *a)
{
    if (a->on_sql != NULL)
        a->on_sql(a->context, "ROLLBACK");
    sqlite3_exec(a->db, "ROLLBACK", NULL, NULL, NULL);
    view_copy(&a->now, &a->before);
    a->open = false;
}
