/* For tests of the store's modules that face the application's file: a directory, a database in it,
 * an application that writes to it through a connection of its own, and ours. */
#ifndef NAVETTE_TESTS_APP_H
#define NAVETTE_TESTS_APP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>
#include <sqlite3.h>

#include "capture.h"

struct app {
    char directory[64];
    char path[128];
    sqlite3 *db;    /* the application's connection: SQLite as it comes, 5 s of patience */
    struct appdb a; /* ours, once app_attach was called */
    struct err e;
};

static inline void app_sql(sqlite3 *db, const char *sql)
{
    char *text = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
        fail_msg("%s: %s", sql, text);
}

/* All rows, columns separated by '|', rows by '\n'; BLOBs as x'..', NULL as NULL. Good until the
 * next call. */
static inline const char *app_rows(sqlite3 *db, const char *sql)
{
    static char text[1 << 16];
    sqlite3_stmt *s;
    size_t n = 0;

    text[0] = '\0';
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    while (sqlite3_step(s) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(s); i++) {
            const char *value = (const char *)sqlite3_column_text(s, i);

            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s",
                                  i > 0   ? "|"
                                  : n > 0 ? "\n"
                                          : "",
                                  value == NULL ? "NULL" : value);
            assert_true(n < sizeof text);
        }
    }
    if (sqlite3_finalize(s) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    return text;
}

static inline sqlite3 *app_connect(const char *path)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    return db;
}

/* An empty database in a new directory, in WAL mode. */
static inline int app_setup(void **state)
{
    struct app *app = calloc(1, sizeof *app);

    *state = app;
    if (sodium_init() < 0)
        return -1;
    snprintf(app->directory, sizeof app->directory, "/tmp/navette-test-XXXXXX");
    assert_non_null(mkdtemp(app->directory));
    snprintf(app->path, sizeof app->path, "%s/caisse n\xc2\xb0 1.sqlite3", app->directory);
    app->db = app_connect(app->path);
    app_sql(
        app->db,
        "PRAGMA journal_mode = wal; CREATE TABLE first(id INTEGER PRIMARY KEY); DROP TABLE first");
    return 0;
}

static inline int app_teardown(void **state)
{
    struct app *app = *state;
    char command[128];

    appdb_close(&app->a);
    sqlite3_close(app->db);
    snprintf(command, sizeof command, "rm -rf '%s'", app->directory);
    if (system(command) != 0)
        return -1;
    free(app);
    return 0;
}

#define must(app, call)                                                                            \
    do {                                                                                           \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, (app)->e.text);                                              \
    } while (0)

static inline void app_says(struct app *app, enum err_code code, const char *words)
{
    if (app->e.code != code || strstr(app->e.text, words) == NULL)
        fail_msg("%s: \"%s\", not %s: \"%s\"", err_code_name(app->e.code), app->e.text,
                 err_code_name(code), words);
    err_clear(&app->e);
}

static inline void app_attach(struct app *app)
{
    must(app, appdb_open(&app->a, app->path, NULL, &app->e));
}

static inline void app_track(struct app *app, const char *name)
{
    must(app, capture_install(&app->a, &name, 1, &app->e));
}

/* What the schema says of a table, read anew. */
static inline struct app_table *app_table(struct app *app, const char *name)
{
    struct app_table *t;

    must(app, appdb_load_schema(&app->a, true, NULL, &app->e));
    t = appdb_table(&app->a, name);
    if (t == NULL)
        fail_msg("no table %s", name);
    return t;
}

static inline void app_use(struct app *app, const char *sql, const char *table)
{
    app_sql(app->db, sql);
    app_attach(app);
    app_track(app, table);
}

/* Marks above `after`, one a line: table number, op, key, and the old key behind '<'. */
static inline const char *app_marks(struct app *app, int64_t after)
{
    static char text[1 << 14];
    struct marks m = {0};
    size_t n = 0;

    must(app, appdb_load_schema(&app->a, false, NULL, &app->e));
    must(app, appdb_read(&app->a, &app->e));
    must(app, marks_read(&app->a, after, 1000, &m, &app->e));
    appdb_end(&app->a);
    text[0] = '\0';
    for (uint32_t i = 0; i < m.n; i++) {
        const struct mark *k = &m.marks[i];

        n += (size_t)snprintf(text + n, sizeof text - n, "%s%d:%d", i > 0 ? "\n" : "",
                              (int)k->table, k->op);
        for (uint32_t j = 0; j < k->key_count * (k->moved ? 2 : 1); j++) {
            const struct value *v = j < k->key_count ? &k->key[j] : &k->old[j - k->key_count];
            const char *before = j == k->key_count ? " < " : " ";

            if (v->type == VALUE_INT)
                n += (size_t)snprintf(text + n, sizeof text - n, "%s%d", before, (int)v->i);
            else if (v->type == VALUE_REAL)
                n += (size_t)snprintf(text + n, sizeof text - n, "%s%.1f", before, v->r);
            else if (v->type == VALUE_NULL)
                n += (size_t)snprintf(text + n, sizeof text - n, "%sNULL", before);
            else
                n += (size_t)snprintf(text + n, sizeof text - n, "%s%s%.*s", before,
                                      v->type == VALUE_BLOB ? "x" : "", (int)v->bytes.n,
                                      (const char *)v->bytes.p);
        }
    }
    marks_close(&m);
    return text;
}

#endif
