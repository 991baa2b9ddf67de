/* The application's side: its file, its rows, its transactions. */
#include "bench.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static const char schema[] =
    "CREATE TABLE item(id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, name TEXT NOT NULL, "
    "price REAL NOT NULL, stock INTEGER NOT NULL, changed TEXT NOT NULL, note TEXT, flag INTEGER)";

static void check(sqlite3 *db, int rc)
{
    if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW)
        return;
    fprintf(stderr, "navette-bench: %s\n", sqlite3_errmsg(db));
    exit(1);
}

void sql_run(sqlite3 *db, const char *sql)
{
    check(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

sqlite3 *table_open(const char *path, bool full)
{
    sqlite3 *db = NULL;

    check(db, sqlite3_open(path, &db));
    sql_run(db, full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    sql_run(db, "PRAGMA foreign_keys = ON");
    return db;
}

void table_create(const struct bench *b, const char *name, char *path)
{
    static uint32_t made;
    sqlite3 *db;

    snprintf(path, 1024, "%s/%s-%u.db", b->directory, name, made++);
    db = table_open(path, false);
    sql_run(db, "PRAGMA journal_mode = wal");
    sql_run(db, schema);
    sqlite3_close(db);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s = NULL;

    check(db, sqlite3_prepare_v2(db, sql, -1, &s, NULL));
    return s;
}

static void step(sqlite3 *db, sqlite3_stmt *s)
{
    check(db, sqlite3_step(s));
    sqlite3_reset(s);
}

/* Run `bind` and the statement for each row, `per` to a transaction. */
static void each(sqlite3 *db, const char *sql, void (*bind)(sqlite3_stmt *, uint32_t),
                 const uint32_t range[2], uint32_t per)
{
    sqlite3_stmt *s = prepare(db, sql);
    uint32_t i;

    for (i = 0; i < range[1]; i++) {
        if (i % per == 0)
            sql_run(db, "BEGIN IMMEDIATE");
        bind(s, range[0] + i);
        step(db, s);
        if ((i + 1) % per == 0 || i + 1 == range[1])
            sql_run(db, "COMMIT");
    }
    sqlite3_finalize(s);
}

static void bind_text(sqlite3_stmt *s, int at, const char *format, uint32_t n)
{
    char text[64];
    int length = snprintf(text, sizeof(text), format, n);

    sqlite3_bind_text(s, at, text, length, SQLITE_TRANSIENT);
}

static void bind_insert(sqlite3_stmt *s, uint32_t n)
{
    sqlite3_bind_int64(s, 1, n);
    bind_text(s, 2, "ART%08u",
              n * 7919u); /* odd: no two are the same; the index is not filled in order */
    bind_text(s, 3, "Article number %u of the shop", n);
    sqlite3_bind_double(s, 4, n * 1.25);
    sqlite3_bind_int64(s, 5, n % 500);
    bind_text(s, 6, "2026-11-21 10:%02u:00.123456", n % 60);
    bind_text(s, 7, "shelf %u", n % 40);
    sqlite3_bind_int64(s, 8, n % 2);
}

static void bind_update(sqlite3_stmt *s, uint32_t n)
{
    sqlite3_bind_double(s, 1, n * 1.5);
    sqlite3_bind_int64(s, 2, n % 501);
    bind_text(s, 3, "2026-11-22 11:%02u:00.654321", n % 60);
    sqlite3_bind_int64(s, 4, n);
}

/* The same change as an ORM saves it. */
static void bind_save(sqlite3_stmt *s, uint32_t n)
{
    bind_insert(s, n);
    sqlite3_bind_double(s, 4, n * 1.75);
    sqlite3_bind_int64(s, 5, n % 502);
}

void table_insert(sqlite3 *db, uint32_t first, uint32_t n, uint32_t per)
{
    const uint32_t range[2] = {first, n};

    each(db, "INSERT INTO item VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", bind_insert, range, per);
}

void table_update(sqlite3 *db, uint32_t first, uint32_t n, uint32_t per)
{
    const uint32_t range[2] = {first, n};

    each(db, "UPDATE item SET price = ?1, stock = ?2, changed = ?3 WHERE id = ?4", bind_update,
         range, per);
}

void table_save(sqlite3 *db, uint32_t first, uint32_t n, uint32_t per)
{
    const uint32_t range[2] = {first, n};

    each(db,
         "UPDATE item SET code = ?2, name = ?3, price = ?4, stock = ?5, changed = ?6, note = ?7, "
         "flag = ?8 WHERE id = ?1",
         bind_save, range, per);
}
