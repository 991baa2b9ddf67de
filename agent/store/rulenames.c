#include "rulenames.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include <navette/rulecheck.h>

#include "appname.h"
#include "inside.h"

#define SAMPLE_ROWS 10000 /* values looked at before a rule is believed */

/* ---- names of tables ---- */

static bool check_table(struct store *s, const struct rules *rules, const char *name,
                        const struct app_table **t, struct err *e)
{
    *t = appdb_table(&s->app, name);
    if (*t == NULL || !(*t)->ordinary)
        return err_set(e, ERR_USAGE, "%s has no table %s", s->app.path, name);
    if ((*t)->refused != NULL || (*t)->key_count != 1)
        return err_set(e, ERR_REFUSED, "the rows of %s cannot be named by one column: %s",
                       (*t)->name,
                       (*t)->refused != NULL ? (*t)->refused : "its primary key has more than one");
    if (rules_find(rules, RULE_LOCAL, (*t)->name, NULL) != NULL)
        return err_set(e, ERR_REFUSED, "the rows of %s stay on each PC by a rule", (*t)->name);
    return true;
}

static bool is_said(const struct buf *names, const char *name)
{
    const char *p = (const char *)names->p, *end = p + names->n;
    size_t n = strlen(name);

    while (p != NULL && p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));

        if ((size_t)(end - p) > n && memcmp(p, name, n) == 0 && p[n] == '=')
            return true;
        p = comma == NULL ? end : comma + 1;
    }
    return false;
}

/* NAME=TABLE,NAME=TABLE, with the schema's spelling. */
static bool respell_names(struct store *s, const struct rules *rules, struct rule *r, struct err *e)
{
    const char *text = r->where;
    char *name, *table;
    struct buf out;
    bool ok = true;

    if (text == NULL)
        return true;
    buf_open(&out, RULE_WHERE_BYTES_MAX * 4);
    while (ok && app_reference_names(&text, &name, &table, e)) {
        const struct app_table *t;

        ok = check_table(s, rules, table, &t, e);
        if (ok && is_said(&out, name))
            ok = err_set(e, ERR_USAGE, "the name %s stands for two tables", name);
        if (ok && out.n > 0)
            buf_add_byte(&out, ',');
        if (ok) {
            buf_add(&out, name, strlen(name));
            buf_add_byte(&out, '=');
            buf_add(&out, t->name, strlen(t->name));
        }
        free(name);
        free(table);
    }
    ok = ok && e->code == ERR_NONE;
    buf_add_byte(&out, 0);
    if (ok) {
        free(r->where);
        r->where = mem_text((const char *)out.p);
    }
    buf_close(&out);
    return ok;
}

/* ---- the column that says the type ---- */

/* The table that the column refers to, declared or by rule; NULL: none. */
static bool type_table(struct store *s, const struct app_table *t, const struct rules *rules,
                       const char *column, const struct app_table **types, struct err *e)
{
    static const char sql[] = "SELECT \"table\" FROM pragma_foreign_key_list(?1, 'main')"
                              " WHERE \"from\" = ?2 COLLATE NOCASE";
    const struct rule *by = rules_find(rules, RULE_REFERENCES, t->name, column);
    sqlite3_stmt *q = NULL;

    *types = by == NULL ? NULL : appdb_table(&s->app, by->argument);
    if (!sqlite_prepare(s->app.db, &q, sql, e))
        return false;
    sqlite3_bind_text(q, 1, t->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(q, 2, column, -1, SQLITE_STATIC);
    if (sqlite3_step(q) == SQLITE_ROW)
        *types = appdb_table(&s->app, (const char *)sqlite3_column_text(q, 0));
    sqlite3_finalize(q);
    return true;
}

/* An expression for the name of the type of a row of main.t. */
static bool type_expression(struct store *s, const struct app_table *t, const struct rules *rules,
                            const struct rule *r, sqlite3_str *sql, struct err *e)
{
    const struct app_table *types;
    int label, model;

    if (!type_table(s, t, rules, r->argument, &types, e))
        return false;
    if (types == NULL) {
        sqlite3_str_appendf(sql, "t.\"%w\"", r->argument);
        return true;
    }
    if (!check_table(s, rules, types->name, &types, e))
        return false;
    if (!app_reference_types(types, &label, &model))
        return err_set(e, ERR_REFUSED,
                       "%s.%s refers to %s, which has no column \"model\" that names tables",
                       t->name, r->argument, types->name);
    sqlite3_str_appendall(sql, "(SELECT ");
    if (label >= 0)
        sqlite3_str_appendf(sql, "y.\"%w\" || '.' || ", types->columns[label].name);
    sqlite3_str_appendf(sql, "y.\"%w\" FROM main.\"%w\" y WHERE y.\"%w\" = t.\"%w\")",
                        types->columns[model].name, types->name,
                        types->columns[types->keys[0]].name, r->argument);
    return true;
}

/* ---- the data ---- */

/* SELECT name, id of what stands in the column. */
static sqlite3_stmt *sample(struct store *s, const struct app_table *t, const struct rules *rules,
                            const struct rule *r, const char *between, struct err *e)
{
    sqlite3_str *sql = sqlite3_str_new(s->app.db);
    const char *c = r->columns[0];
    sqlite3_stmt *q = NULL;
    char *text;
    bool ok = true;

    sqlite3_str_appendall(sql, "SELECT ");
    if (between == NULL)
        ok = type_expression(s, t, rules, r, sql, e);
    else
        sqlite3_str_appendf(sql, "substr(t.\"%w\", 1, instr(t.\"%w\", %Q) - 1)", c, c, between);
    if (between == NULL)
        sqlite3_str_appendf(sql, ", t.\"%w\"", c);
    else
        sqlite3_str_appendf(sql, ", substr(t.\"%w\", instr(t.\"%w\", %Q) + %d)", c, c, between,
                            (int)strlen(between));
    sqlite3_str_appendf(
        sql, " FROM main.\"%w\" t WHERE t.\"%w\" IS NOT NULL AND t.\"%w\" NOT IN (0, '')", t->name,
        c, c);
    if (between == NULL)
        sqlite3_str_appendf(sql, " AND t.\"%w\" IS NOT NULL", r->argument);
    sqlite3_str_appendf(sql, " LIMIT %d", SAMPLE_ROWS);
    text = sqlite3_str_finish(sql);
    if (ok && (text == NULL || sqlite3_prepare_v2(s->app.db, text, -1, &q, NULL) != SQLITE_OK))
        sqlite_err(s->app.db, t->name, e);
    sqlite3_free(text);
    return q;
}

/* Is there a row of the table with this key? */
static bool is_there(struct store *s, const struct app_table *t, struct sqlite3_value *key,
                     bool *there, struct err *e)
{
    char *sql = sqlite3_mprintf("SELECT 1 FROM main.\"%w\" WHERE \"%w\" = ?1", t->name,
                                t->columns[t->keys[0]].name);
    sqlite3_stmt *q = NULL;
    bool ok = sqlite3_prepare_v2(s->app.db, sql, -1, &q, NULL) == SQLITE_OK &&
              sqlite3_bind_value(q, 1, key) == SQLITE_OK;

    *there = ok && sqlite3_step(q) == SQLITE_ROW;
    sqlite3_finalize(q);
    sqlite3_free(sql);
    return ok || sqlite_err(s->app.db, t->name, e);
}

/* Most values must name a row. */
static bool check_data(struct store *s, const struct app_table *t, const struct rules *rules,
                       const struct rule *r, const char *between, struct err *e)
{
    struct app_column column = {0};
    sqlite3_stmt *q;
    int all = 0, bad = 0, code = SQLITE_DONE;

    app_reference_take(&s->app.schema, &column, r->where);
    q = sample(s, t, rules, r, between, e);
    while (q != NULL && e->code == ERR_NONE && (code = sqlite3_step(q)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(q, 0);
        int table = name == NULL ? -1 : app_reference_table(&s->app.schema, &column, name);
        bool there = false;

        all++;
        if (table >= 0 &&
            !is_there(s, &s->app.schema.tables[table], sqlite3_column_value(q, 1), &there, e))
            break;
        bad += !there;
    }
    if (q != NULL && e->code == ERR_NONE && code != SQLITE_DONE)
        sqlite_err(s->app.db, t->name, e);
    sqlite3_finalize(q);
    app_reference_close(&column);
    if (e->code != ERR_NONE)
        return false;
    return bad * 2 <= all ||
           err_set(e, ERR_REFUSED,
                   "%d of %d values of %s.%s name no row: say which names stand for which tables "
                   "with --names NAME=TABLE,...",
                   bad, all, t->name, r->columns[0]);
}

bool rule_names_check(struct store *s, const struct app_table *t, const struct rules *rules,
                      struct rule *r, struct err *e)
{
    const char *from;
    char *between = NULL;
    bool dots, ok;
    size_t n;

    if (!respell_names(s, rules, r, e))
        return false;
    if (r->kind == RULE_REFERENCES_TEXT) {
        if (!app_reference_pattern(r->argument, &dots, &from, &n, e))
            return false;
        between = mem_text(from);
        between[n] = '\0';
    }
    ok = check_data(s, t, rules, r, between, e);
    free(between);
    return ok;
}

/* ---- Django ---- */

static void add_pair(struct rule **rules, uint32_t *n, const struct app_table *t, const char *id,
                     const char *type)
{
    struct rule *r;

    *rules = mem_grow(*rules, (*n + 1) * sizeof **rules);
    r = &(*rules)[(*n)++];
    *r = (struct rule){.kind = RULE_REFERENCES_BY,
                       .table = mem_text(t->name),
                       .columns = mem_alloc(2 * sizeof *r->columns),
                       .column_count = 1,
                       .argument = mem_text(type)};
    r->columns[0] = mem_text(id);
}

/* GenericForeignKey("x_content_type", "x_object_id"): the column of the type is x_content_type_id.
 */
static void find_pair(struct rule **rules, uint32_t *n, const struct app_table *t, const char *type)
{
    static const char end[] = "content_type_id";
    static const char *const ids[] = {"object_id", "object_pk", "object_uuid", "id"};
    size_t length = strlen(type), before = length - (sizeof end - 1);

    if (length < sizeof end - 1 || sqlite3_stricmp(type + before, end) != 0)
        return;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        char *name = sqlite3_mprintf("%.*s%s", (int)before, type, ids[i]);
        int column = app_column_index(t, slice_text(name));

        sqlite3_free(name);
        if (column < 0 || t->columns[column].in_key)
            continue;
        add_pair(rules, n, t, t->columns[column].name, type);
        return;
    }
}

bool store_generic_pairs(struct store *s, struct rule **rules, uint32_t *n, struct err *e)
{
    static const char sql[] = "SELECT m.name, f.\"from\" FROM sqlite_schema m,"
                              " pragma_foreign_key_list(m.name, 'main') f WHERE m.type = 'table'"
                              " AND f.\"table\" = 'django_content_type' COLLATE NOCASE"
                              " ORDER BY m.name, f.\"from\"";
    sqlite3_stmt *q = NULL;
    int code = SQLITE_DONE;

    *rules = NULL;
    *n = 0;
    if (!bind_schema(s, false, e) || !sqlite_prepare(s->app.db, &q, sql, e))
        return false;
    while ((code = sqlite3_step(q)) == SQLITE_ROW) {
        const struct app_table *t = appdb_table(&s->app, (const char *)sqlite3_column_text(q, 0));

        if (t != NULL && t->refused == NULL)
            find_pair(rules, n, t, (const char *)sqlite3_column_text(q, 1));
    }
    sqlite3_finalize(q);
    return code == SQLITE_DONE || sqlite_err(s->app.db, "look for generic foreign keys", e);
}
