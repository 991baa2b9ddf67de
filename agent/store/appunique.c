#include "appunique.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

static const char columns_sql[] =
    "SELECT i.name, x.cid >= 0 AND c.hidden = 0, x.name, x.coll,"
    " (SELECT s.sql FROM main.sqlite_schema s WHERE s.type = 'index' AND s.name = i.name)"
    " FROM pragma_index_list(?1, 'main') i, pragma_index_xinfo(i.name, 'main') x"
    " LEFT JOIN pragma_table_xinfo(?1, 'main') c ON c.cid = x.cid"
    " WHERE i.\"unique\" AND i.origin <> 'pk' AND x.key = 1 ORDER BY i.name, x.seqno";

/* ---- the condition of a partial index ---- */

/* Behind a quoted name, a string or a comment that begins at `p`; `p` itself if none does. */
static const char *skip_quoted(const char *p)
{
    char end = *p == '[' ? ']' : *p;

    if (p[0] == '-' && p[1] == '-')
        return p + strcspn(p, "\n");
    if (p[0] == '/' && p[1] == '*') {
        const char *close = strstr(p + 2, "*/");

        return close == NULL ? p + strlen(p) : close + 2;
    }
    if (*p == '\0' || strchr("'\"`[", *p) == NULL)
        return p;
    p = strchr(p + 1, end); /* a doubled quote is a quote: the next call takes it */
    return p == NULL ? "" : p + 1;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* CREATE UNIQUE INDEX name ON t(...) WHERE condition: NULL if there is none. */
static const char *find_condition(const char *sql)
{
    int depth = 0;
    bool listed = false; /* the columns have been passed */

    for (const char *p = sql; *p != '\0';) {
        const char *behind = skip_quoted(p);

        if (behind != p) {
            p = behind;
            continue;
        }
        if (*p == '(')
            depth++;
        else if (*p == ')')
            listed |= --depth == 0;
        else if (listed && depth == 0 && sqlite3_strnicmp(p, "where", 5) == 0 && !is_word(p[5]))
            return p + 5;
        p++;
    }
    return NULL;
}

/* ---- reading ---- */

static void unique_close(struct app_unique *u)
{
    for (uint32_t i = 0; i < u->n; i++)
        free(u->collations[i]);
    free(u->columns);
    free(u->collations);
    free(u->where);
}

void app_uniques_close(struct app_uniques *u)
{
    for (uint32_t i = 0; i < u->n; i++)
        unique_close(&u->keys[i]);
    free(u->keys);
    *u = (struct app_uniques){0};
}

static void add_column(struct app_unique *u, uint32_t column, const char *collation)
{
    u->columns = mem_grow(u->columns, (u->n + 1) * sizeof *u->columns);
    u->collations = mem_grow(u->collations, (u->n + 1) * sizeof *u->collations);
    u->columns[u->n] = column;
    u->collations[u->n++] = mem_text(collation == NULL ? "BINARY" : collation);
}

static int compare(const void *a, const void *b)
{
    const struct app_unique *x = a, *y = b;

    for (uint32_t i = 0; i < x->n && i < y->n; i++)
        if (x->columns[i] != y->columns[i])
            return x->columns[i] < y->columns[i] ? -1 : 1;
    return (x->n > y->n) - (x->n < y->n);
}

/* One row of columns_sql. `last` is the index it belongs to, `usable` whether it is in `out`. */
static void take_column(struct app_uniques *out, const struct app_table *t, sqlite3_stmt *q,
                        char **last, bool *usable)
{
    const char *name = (const char *)sqlite3_column_text(q, 0);
    const char *sql = (const char *)sqlite3_column_text(q, 4), *where;
    int column = -1;

    if (sqlite3_column_int(q, 1) != 0)
        column = app_column_index(t, value_of_column(q, 2).bytes);
    if (*last == NULL || strcmp(*last, name) != 0) {
        free(*last);
        *last = mem_text(name);
        *usable = true;
        out->keys = mem_grow(out->keys, (out->n + 1) * sizeof *out->keys);
        out->keys[out->n] = (struct app_unique){0};
        where = sql == NULL ? NULL : find_condition(sql);
        out->keys[out->n++].where = where == NULL ? NULL : mem_text(where);
    }
    if (*usable && column < 0) {
        unique_close(&out->keys[--out->n]);
        out->expressions = true;
        *usable = false;
    }
    if (*usable)
        add_column(&out->keys[out->n - 1], (uint32_t)column,
                   (const char *)sqlite3_column_text(q, 3));
}

bool app_uniques_read(struct appdb *a, const struct app_table *t, struct app_uniques *out,
                      struct err *e)
{
    sqlite3_stmt *q = NULL;
    char *last = NULL;
    bool usable = true;
    int code;

    *out = (struct app_uniques){0};
    if (!sqlite_prepare(a->db, &q, columns_sql, e))
        return false;
    sqlite3_bind_text(q, 1, t->name, -1, SQLITE_STATIC);
    while ((code = sqlite3_step(q)) == SQLITE_ROW)
        take_column(out, t, q, &last, &usable);
    free(last);
    sqlite3_finalize(q);
    if (code != SQLITE_DONE) {
        app_uniques_close(out);
        return sqlite_err(a->db, "read the UNIQUE keys", e);
    }
    if (out->n > 1)
        qsort(out->keys, out->n, sizeof *out->keys, compare);
    return true;
}

struct sqlite3_stmt *app_unique_holders(struct appdb *a, const struct app_table *t,
                                        const struct app_unique *u, struct err *e)
{
    sqlite3_str *sql = sqlite3_str_new(a->db);
    sqlite3_stmt *q = NULL;
    char *text;

    for (uint32_t i = 0; i < t->key_count; i++)
        sqlite3_str_appendf(sql, "%s\"%w\"", i == 0 ? "SELECT " : ", ",
                            t->columns[t->keys[i]].name);
    sqlite3_str_appendf(sql, " FROM main.\"%w\" WHERE ", t->name);
    for (uint32_t i = 0; i < u->n; i++)
        sqlite3_str_appendf(sql, "%s\"%w\" = ?%d COLLATE \"%w\"", i == 0 ? "" : " AND ",
                            t->columns[u->columns[i]].name, (int)i + 1, u->collations[i]);
    if (u->where != NULL)
        sqlite3_str_appendf(sql, " AND (%s\n)", u->where);
    text = sqlite3_str_finish(sql);
    if (text == NULL || sqlite3_prepare_v2(a->db, text, -1, &q, NULL) != SQLITE_OK)
        sqlite_err(a->db, t->name, e);
    sqlite3_free(text);
    return q;
}
