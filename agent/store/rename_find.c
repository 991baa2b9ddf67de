/* A table that was renamed and made anew in one go has lost the triggers that would tell. It is the
 * one that has rows of a table that has gone: under their keys, and with the same values in
 * most cells of the columns that have kept their names. Of what was written since the file was read
 * last only the keys are known, from the marks: there they must be. If marks say that all rows went
 * that it had, nothing is left to compare, and one with all of its columns is it: else these
 * deletes would be forgotten. */
#include "rename.h"

#include <stdlib.h>

#include <sqlite3.h>

#include "capture.h"
#include "columns.h"

#define LOOK_ROWS_MAX 500

/* One tracked table that the file has no more, beside one that it has now. */
struct look {
    struct store *s;
    const struct ledger_table *gone;
    const struct app_table *came;
    int64_t number;        /* of its triggers, and so of its marks */
    int *position;         /* by column of `came`: in the ledger; -1: it has no such column */
    uint32_t common;       /* columns */
    uint32_t cells, equal; /* of rows that both have; a marked key counts as one cell */
    int64_t left;          /* rows that marks say have gone */
    struct record rec;
    struct buf key;
};

/* Does the row have this value in one of its columns, as the file held it? */
static bool has_value(const struct ledger_row *row, const struct value *file, bool *has,
                      struct err *e)
{
    struct record r = {0};
    bool ok = row->minted || record_decode(&r, row->differs ? row->shadow : row->rec, e);

    *has = false;
    for (uint32_t i = 0; ok && i < r.n; i++)
        *has |= r.cells[i].set && value_equal(&r.cells[i].v, file);
    record_close(&r);
    return ok;
}

/* What a reference is in this file, whose parents have kept their keys and what else names them. */
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
    return *same || has_value(&row, file, same, e);
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

/* The marks' columns for its key, with commas between them. */
static void append_keys(struct look *k, sqlite3_str *sql, char letter)
{
    for (uint32_t i = 0; i < k->came->key_count; i++)
        sqlite3_str_appendf(sql, "%s%c%u", i == 0 ? "" : ", ", letter, i + 1);
}

/* SELECT of each key that marks name which were made since the file was read last, and whether the
 * last of them left a row `there`. */
static void append_marked(struct look *k, sqlite3_str *sql)
{
    static const char from[] = " FROM main._navette_dirty WHERE id > %lld AND tbl = %lld";
    long long after = k->s->ledger.cursor, number = k->number;

    sqlite3_str_appendall(sql, "SELECT max(at), there, ");
    append_keys(k, sql, 'k');
    sqlite3_str_appendf(sql, " FROM (SELECT 2 * id + 1 AS at, op <> %d AS there, ", MARK_DELETE);
    append_keys(k, sql, 'k');
    sqlite3_str_appendf(sql, from, after, number);
    sqlite3_str_appendall(sql, " UNION ALL SELECT 2 * id, 0, ");
    append_keys(k, sql, 'o');
    sqlite3_str_appendf(sql, from, after, number);
    sqlite3_str_appendall(sql, " AND coalesce(");
    append_keys(k, sql, 'o');
    sqlite3_str_appendall(sql, ", NULL) IS NOT NULL) GROUP BY ");
    append_keys(k, sql, 'k');
}

static sqlite3_stmt *prepare(struct look *k, sqlite3_str *sql, struct err *e)
{
    char *text = sqlite3_str_finish(sql);
    sqlite3_stmt *q = NULL;

    if (sqlite3_prepare_v2(k->s->app.db, text, -1, &q, NULL) != SQLITE_OK)
        sqlite_err(k->s->app.db, k->came->name, e);
    sqlite3_free(text);
    return q;
}

/* Those that no mark speaks of. */
static sqlite3_stmt *select_rows(struct look *k, struct err *e)
{
    const struct app_table *t = k->came;
    sqlite3_str *sql = sqlite3_str_new(k->s->app.db);

    sqlite3_str_appendall(sql, "SELECT ");
    for (uint32_t i = 0; i < t->column_count; i++)
        sqlite3_str_appendf(sql, "%s\"%w\"", i == 0 ? "" : ", ", t->columns[i].name);
    sqlite3_str_appendf(sql, " FROM main.\"%w\" WHERE (", t->name);
    for (uint32_t i = 0; i < t->key_count; i++)
        sqlite3_str_appendf(sql, "%s\"%w\"", i == 0 ? "" : ", ", t->columns[t->keys[i]].name);
    sqlite3_str_appendall(sql, ") NOT IN (SELECT ");
    append_keys(k, sql, 'k');
    sqlite3_str_appendall(sql, " FROM (");
    append_marked(k, sql);
    sqlite3_str_appendf(sql, ")) LIMIT %d", LOOK_ROWS_MAX);
    return prepare(k, sql, e);
}

/* Each marked key, whether a row was left there, whether the table has one, and the key again. */
static sqlite3_stmt *select_marked(struct look *k, struct err *e)
{
    const struct app_table *t = k->came;
    sqlite3_str *sql = sqlite3_str_new(k->s->app.db);

    sqlite3_str_appendf(sql, "SELECT there, EXISTS (SELECT 1 FROM main.\"%w\" AS c WHERE ",
                        t->name);
    for (uint32_t i = 0; i < t->key_count; i++)
        sqlite3_str_appendf(sql, "%sc.\"%w\" = m.k%u", i == 0 ? "" : " AND ",
                            t->columns[t->keys[i]].name, i + 1);
    sqlite3_str_appendall(sql, "), ");
    append_keys(k, sql, 'k');
    sqlite3_str_appendall(sql, " FROM (");
    append_marked(k, sql);
    sqlite3_str_appendall(sql, ") AS m");
    return prepare(k, sql, e);
}

/* Is it a row that the table had when it was read last? */
static bool look_at_left(struct look *k, sqlite3_stmt *q, struct value *values, struct err *e)
{
    struct ledger_row row;
    struct row_key key;
    bool found;

    for (uint32_t i = 0; i < k->came->key_count; i++)
        values[k->came->keys[i]] = value_of_column(q, 2 + (int)i);
    if (unsent_key_of(k->came, values))
        return true;
    key = key_of_row(k->came, values, &k->key);
    if (!ledger_row_by_key(&k->s->ledger, k->gone->id, &key, false, &row, &found, e))
        return false;
    k->left += found && row.present;
    return true;
}

/* Are the rows there that were left under marked keys, and which ones went? */
static bool look_at_marks(struct look *k, struct err *e)
{
    struct value *values = mem_alloc((k->came->column_count + 1) * sizeof *values);
    sqlite3_stmt *q = select_marked(k, e);
    int code = SQLITE_DONE;
    bool ok = q != NULL;

    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        bool there = sqlite3_column_int(q, 0) != 0;

        k->cells += there;
        k->equal += there && sqlite3_column_int(q, 1) != 0;
        ok = there || look_at_left(k, q, values, e);
    }
    if (ok && code != SQLITE_DONE)
        ok = sqlite_err(k->s->app.db, k->came->name, e);
    sqlite3_finalize(q);
    free(values);
    return ok;
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

static bool judge(struct look *k, bool *renamed, struct err *e)
{
    int64_t present;
    char *sql;
    bool ok;

    *renamed = k->equal > 0 && k->equal / 2 >= k->cells - k->equal;
    if (k->cells > 0 || k->left == 0 || k->common < k->came->column_count)
        return true;
    sql = sqlite3_mprintf("SELECT count(*) FROM row WHERE tbl = %u AND key IS NOT NULL AND present",
                          k->gone->id);
    ok = ledger_number(&k->s->ledger, sql, &present, e);
    *renamed = ok && present == k->left;
    sqlite3_free(sql);
    return ok;
}

static bool is_renamed(struct store *s, const struct ledger_table *gone, int64_t number,
                       const struct app_table *came, bool *renamed, struct err *e)
{
    struct look k = {.s = s, .gone = gone, .came = came, .number = number};
    bool ok;

    *renamed = false;
    buf_open(&k.key, VALUE_BYTES_MAX * 2);
    ok = find_columns(&k, e);
    if (ok && k.common > 1 && k.common * 2 >= came->column_count)
        ok = look_at_rows(&k, e) && look_at_marks(&k, e) && judge(&k, renamed, e);
    free(k.position);
    record_close(&k.rec);
    buf_close(&k.key);
    return ok;
}

/* The table that the tracked one called `name` is now; NULL: none. */
static bool find_table(struct store *s, const char *name, int64_t number,
                       const struct app_table **t, struct err *e)
{
    const struct ledger_table *gone = ledger_table_find(&s->ledger, name);

    *t = NULL;
    for (uint32_t i = 0; gone != NULL && *t == NULL && i < s->app.schema.n; i++) {
        const struct app_table *came = &s->app.schema.tables[i];
        bool renamed;

        if (came->registered != 0 || came->refused != NULL || came->local ||
            came->key_count > s->app.mark_width)
            continue;
        if (!is_renamed(s, gone, number, came, &renamed, e))
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
    bool ok = sqlite_prepare(s->app.db, &q, "SELECT name, id FROM _navette_table ORDER BY id", e);
    int code = SQLITE_DONE;

    *name = *now = NULL;
    while (ok && *now == NULL && (code = sqlite3_step(q)) == SQLITE_ROW) {
        const char *old = (const char *)sqlite3_column_text(q, 0);
        const struct app_table *t;

        if (old == NULL || appdb_table(&s->app, old) != NULL)
            continue;
        ok = find_table(s, old, sqlite3_column_int64(q, 1), &t, e);
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
