/* A table that was renamed and made anew in one go has lost the triggers that would tell. It is the
 * one that has rows of a table that has gone: under their keys, and with the same values in
 * most cells of the columns that have kept their names. */
#include "rename.h"

#include <stdlib.h>

#include <sqlite3.h>

#include "columns.h"

#define LOOK_ROWS_MAX 500

/* One tracked table that the file has no more, beside one that it has now. */
struct look {
    struct store *s;
    const struct ledger_table *gone;
    const struct app_table *came;
    int *position;         /* by column of `came`: in the ledger; -1: it has no such column */
    uint32_t common;       /* columns */
    uint32_t known;        /* rows */
    uint32_t cells, equal; /* in these and those */
    struct record rec;
    struct buf key;
};

/* What a reference is in this file, whose parents have kept their keys. */
static bool same_value(struct look *k, const struct cell *c, const struct value *file, bool *same,
                       struct err *e)
{
    struct ledger_row row;
    int64_t gid;
    bool found;

    *same = c != NULL && value_equal(&c->v, file);
    if (c == NULL || c->v.type != VALUE_REF)
        return true;
    if (!ledger_stands(&k->s->ledger, gid_pack(c->v.ref), &gid, e) ||
        !ledger_row_get(&k->s->ledger, gid, &row, &found, e))
        return false;
    *same = !found || row.key.kind != KEY_INT || (file->type == VALUE_INT && file->i == row.key.i);
    return true;
}

static bool look_at_row(struct look *k, const struct value *values, struct err *e)
{
    struct row_key key = key_of_row(k->came, values, &k->key);
    struct ledger_row row;
    bool found, same;

    if (!ledger_row_by_key(&k->s->ledger, k->gone->id, &key, false, &row, &found, e))
        return false;
    same = found && row.present && !row.minted;
    if (!same)
        return true; /* written meanwhile */
    k->known++;
    if (!record_decode(&k->rec, row.differs ? row.shadow : row.rec, e))
        return false;
    for (uint32_t i = 0; i < k->came->column_count; i++) {
        if (k->position[i] < 0 || k->came->columns[i].in_key)
            continue;
        if (!same_value(k, record_get(&k->rec, (uint32_t)k->position[i]), &values[i], &same, e))
            return false;
        k->cells++;
        k->equal += same;
    }
    return true;
}

static sqlite3_stmt *select_rows(struct look *k, struct err *e)
{
    sqlite3_str *sql = sqlite3_str_new(k->s->app.db);
    sqlite3_stmt *q = NULL;
    char *text;

    sqlite3_str_appendall(sql, "SELECT ");
    for (uint32_t i = 0; i < k->came->column_count; i++)
        sqlite3_str_appendf(sql, "%s\"%w\"", i == 0 ? "" : ", ", k->came->columns[i].name);
    sqlite3_str_appendf(sql, " FROM main.\"%w\" LIMIT %d", k->came->name, LOOK_ROWS_MAX);
    text = sqlite3_str_finish(sql);
    if (sqlite3_prepare_v2(k->s->app.db, text, -1, &q, NULL) != SQLITE_OK)
        sqlite_err(k->s->app.db, k->came->name, e);
    sqlite3_free(text);
    return q;
}

static bool look_at_rows(struct look *k, struct err *e)
{
    struct value *values = mem_alloc((k->came->column_count + 1) * sizeof *values);
    sqlite3_stmt *q = select_rows(k, e);
    int code = SQLITE_DONE;
    bool ok = q != NULL;

    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        for (uint32_t i = 0; i < k->came->column_count; i++)
            values[i] = value_of_column(q, (int)i);
        ok = unsent_key_of(k->came, values) || look_at_row(k, values, e);
    }
    if (ok && code != SQLITE_DONE)
        ok = sqlite_err(k->s->app.db, k->came->name, e);
    sqlite3_finalize(q);
    free(values);
    return ok;
}

static bool find_columns(struct look *k, struct err *e)
{
    bool *had = mem_alloc((k->came->column_count + 1) * sizeof *had);
    bool ok = columns_had(k->s, k->gone->id, k->came, had, e);

    k->position = mem_alloc((k->came->column_count + 1) * sizeof *k->position);
    for (uint32_t i = 0; ok && i < k->came->column_count; i++) {
        k->position[i] = -1;
        for (uint32_t c = 0; had[i] && c < k->gone->column_count; c++)
            if (sqlite3_stricmp(k->gone->columns[c], k->came->columns[i].name) == 0)
                k->position[i] = (int)c;
        k->common += k->position[i] >= 0;
    }
    free(had);
    return ok;
}

static bool is_renamed(struct store *s, const struct ledger_table *gone,
                       const struct app_table *came, bool *renamed, struct err *e)
{
    struct look k = {.s = s, .gone = gone, .came = came};
    bool ok;

    *renamed = false;
    buf_open(&k.key, VALUE_BYTES_MAX * 2);
    ok = find_columns(&k, e);
    if (ok && k.common > 1 && k.common * 2 >= came->column_count) {
        ok = look_at_rows(&k, e);
        *renamed = ok && k.equal > 0 && k.equal / 2 >= k.cells - k.equal;
    }
    free(k.position);
    record_close(&k.rec);
    buf_close(&k.key);
    return ok;
}

/* The table that the tracked one called `name` is now; NULL: none. */
static bool find_table(struct store *s, const char *name, const struct app_table **t, struct err *e)
{
    const struct ledger_table *gone = ledger_table_find(&s->ledger, name);

    *t = NULL;
    for (uint32_t i = 0; gone != NULL && *t == NULL && i < s->app.schema.n; i++) {
        const struct app_table *came = &s->app.schema.tables[i];
        bool renamed;

        if (came->registered != 0 || came->refused != NULL || came->local)
            continue;
        if (!is_renamed(s, gone, came, &renamed, e))
            return false;
        if (renamed)
            *t = came;
    }
    return true;
}

/* One that has gone and its new name, if there is such; texts to be freed. */
static bool find_one(struct store *s, char **name, char **now, struct err *e)
{
    sqlite3_stmt *q = NULL;
    bool ok = sqlite_prepare(s->app.db, &q, "SELECT name FROM _navette_table ORDER BY id", e);
    int code = SQLITE_DONE;

    *name = *now = NULL;
    while (ok && *now == NULL && (code = sqlite3_step(q)) == SQLITE_ROW) {
        const char *old = (const char *)sqlite3_column_text(q, 0);
        const struct app_table *t;

        if (old == NULL || appdb_table(&s->app, old) != NULL)
            continue;
        ok = find_table(s, old, &t, e);
        if (ok && t != NULL) {
            *name = mem_text(old);
            *now = mem_text(t->name);
        }
    }
    if (ok && code != SQLITE_ROW && code != SQLITE_DONE)
        ok = sqlite_err(s->app.db, "read _navette_table", e);
    sqlite3_finalize(q);
    return ok;
}

bool rename_find(struct store *s, bool *found, struct err *e)
{
    char *name = NULL, *now = NULL;
    bool ok;

    *found = false;
    if (!appdb_read(&s->app, e))
        return false;
    ok = appdb_same_schema(&s->app, e) && find_one(s, &name, &now, e);
    appdb_end(&s->app);
    ledger_rest(&s->ledger);
    if (ok && now != NULL) {
        ok = capture_rename(&s->app, name, now, e);
        *found = ok;
    }
    free(name);
    free(now);
    return ok;
}
