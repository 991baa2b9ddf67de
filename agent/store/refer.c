#include "refer.h"

#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "appname.h"
#include "appref.h"

enum { REFER_STEPS_MAX = 32 };

/* ---- from a row to a value ---- */

static struct value text_value(struct arena *arena, const char *text, size_t n)
{
    struct slice copy = arena_copy(arena, (struct slice){(const uint8_t *)text, n});

    return (struct value){.type = VALUE_TEXT, .bytes = copy};
}

static struct value digits_of(struct arena *arena, int64_t i)
{
    char text[24];

    return text_value(arena, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)i));
}

/* The name by which this column calls the table. */
static void add_name(struct buf *out, const struct store *s, const struct app_column *c,
                     const struct app_table *t)
{
    for (uint32_t i = 0; i < c->ref_name_count; i++)
        if (c->ref_names[i].table >= 0 && &s->app.schema.tables[c->ref_names[i].table] == t) {
            buf_add(out, c->ref_names[i].name, strlen(c->ref_names[i].name));
            return;
        }
    for (const char *p = t->name; *p != '\0'; p++)
        buf_add_byte(out, c->ref_dots && *p == '_' ? '.' : (uint8_t)*p);
}

struct value refer_render(const struct store *s, const struct app_column *c,
                          const struct app_table *parent, const struct value *key,
                          struct arena *arena)
{
    struct value text = *key;
    struct buf out;

    if ((c->ref_form == REF_TEXT || c->affinity == AFFINITY_TEXT) && key->type == VALUE_INT)
        text = digits_of(arena, key->i);
    if (c->ref_form == REF_TYPED)
        return text;
    if (c->ref_form != REF_TEXT)
        return *key;
    if (text.type != VALUE_TEXT)
        return (struct value){.type = VALUE_NULL};
    buf_open(&out, VALUE_BYTES_MAX);
    add_name(&out, s, c, parent);
    buf_add(&out, c->ref_between, strlen(c->ref_between));
    buf_add(&out, text.bytes.p, text.bytes.n);
    text = (struct value){.type = VALUE_NULL};
    if (!out.overflow)
        text = text_value(arena, (const char *)out.p, out.n);
    buf_close(&out);
    return text;
}

/* The row of the ledger as the file holds it. */
static bool read_held(struct store *s, int64_t gid, struct ledger_row *row, struct record *r,
                      bool *known, struct err *e)
{
    int64_t stands;

    if (!ledger_stands(&s->ledger, gid, &stands, e) ||
        !ledger_row_get(&s->ledger, stands, row, known, e))
        return false;
    *known = *known && row->present && row->key.kind != KEY_NONE;
    if (!*known || row->minted)
        return true;
    return record_decode(r, row->differs ? row->shadow : row->rec, e);
}

/* One step from a column to what it shows of the row that it names. `next`: that is a reference in
 * turn. */
static bool value_step(struct store *s, const struct binding **b, uint32_t *column, int64_t *gid,
                       struct record *r, struct arena *arena, struct value *out, bool *known,
                       bool *next, struct err *e)
{
    const struct app_column *c = &(*b)->app->columns[*column];
    struct ledger_row row;
    const struct binding *parent;
    const struct cell *cell;

    *next = false;
    if (!read_held(s, *gid, &row, r, known, e))
        return false;
    parent = *known ? bind_by_table(s, row.table) : NULL;
    *known = parent != NULL && parent->app->key_count == 1;
    if (!*known)
        return true;
    if (c->ref_form != REF_UNIQUE || (int)parent->app_index != c->ref_table) {
        struct row_key key = arena_key(arena, &row.key);

        if (!key_values(parent->app, &key, out, e))
            return false;
        *out = refer_render(s, c, parent->app, out, arena);
        return true;
    }
    cell = row.minted ? NULL : record_get(r, parent->position[c->ref_column]);
    *known = cell != NULL && cell->v.type != VALUE_NULL;
    if (!*known)
        return true;
    *out = arena_value(arena, &cell->v);
    *next = out->type == VALUE_REF;
    *column = c->ref_column;
    *b = parent;
    if (*next)
        *gid = gid_pack(out->ref);
    return true;
}

bool refer_value(struct store *s, const struct binding *b, uint32_t column, int64_t gid,
                 struct arena *arena, struct value *out, bool *known, struct err *e)
{
    struct record r = {0};
    bool next = true, ok = true;

    *known = true;
    for (int step = 0; ok && next && *known; step++) {
        *known = step < REFER_STEPS_MAX;
        ok = !*known || value_step(s, &b, &column, &gid, &r, arena, out, known, &next, e);
    }
    record_close(&r);
    return ok;
}

/* ---- from a value to a row ---- */

/* An integer as SQLite writes it. */
static bool read_digits(struct slice text, int64_t *i)
{
    bool negative = text.n > 0 && text.p[0] == '-';
    size_t at = negative;
    uint64_t n = 0;

    if (text.n == at || text.n > at + 18 || (text.p[at] == '0' && text.n > 1))
        return false;
    for (; at < text.n; at++) {
        if (text.p[at] < '0' || text.p[at] > '9')
            return false;
        n = n * 10 + (uint64_t)(text.p[at] - '0');
    }
    *i = negative ? -(int64_t)n : (int64_t)n;
    return true;
}

static bool is_numeric(const struct app_table *t)
{
    enum affinity a = t->columns[t->keys[0]].affinity;

    return a == AFFINITY_INTEGER || a == AFFINITY_NUMERIC;
}

/* A value in the words of the table's key. */
static struct value key_for(const struct app_table *t, const struct value *v, struct arena *arena)
{
    struct value key = *v;

    if (v->type == VALUE_TEXT && is_numeric(t) && read_digits(v->bytes, &key.i))
        key.type = VALUE_INT;
    else if (v->type == VALUE_INT && t->columns[t->keys[0]].affinity == AFFINITY_TEXT)
        key = digits_of(arena, v->i);
    return key;
}

/* Such a name of a table, and the value gives exactly what stands there? */
static void take_named(struct store *s, const struct app_column *c, int table,
                       const struct value *key, const struct value *shown, struct arena *arena,
                       struct named *out)
{
    const struct app_table *t;
    struct value again;

    if (table < 0 || !app_is_nameable(&s->app.schema.tables[table]))
        return;
    t = &s->app.schema.tables[table];
    out->key = key_for(t, key, arena);
    again = refer_render(s, c, t, &out->key, arena);
    if (value_equal(&again, shown))
        out->b = bind_by_app(s, t);
}

static bool named_text(struct store *s, const struct app_column *c, const struct value *v,
                       struct arena *arena, struct named *out)
{
    size_t between = strlen(c->ref_between), n;
    char name[IDENTIFIER_BYTES_MAX + 1];
    struct value key = {.type = VALUE_TEXT};

    if (v->type != VALUE_TEXT)
        return true;
    for (n = 0; n + between <= v->bytes.n && n < sizeof name; n++)
        if (memcmp(v->bytes.p + n, c->ref_between, between) == 0)
            break;
    if (n == 0 || n + between > v->bytes.n || n == sizeof name ||
        memchr(v->bytes.p, '\0', n) != NULL)
        return true;
    memcpy(name, v->bytes.p, n);
    name[n] = '\0';
    key.bytes = (struct slice){v->bytes.p + n + between, v->bytes.n - n - between};
    take_named(s, c, app_reference_table(&s->app.schema, c, name), &key, v, arena, out);
    return true;
}

/* app_label.model of a row of a table of types. "" if there is none. */
static bool read_type(struct store *s, const struct app_table *t, const struct value *key,
                      char *name, size_t room, struct err *e)
{
    int label, model, code;

    name[0] = '\0';
    if (!app_reference_types(t, &label, &model) || t->select == NULL)
        return true;
    sqlite3_reset(t->select);
    if (!value_bind(t->select, 1, key))
        return sqlite_err(s->app.db, t->name, e);
    code = sqlite3_step(t->select);
    if (code == SQLITE_ROW) {
        const char *l = label < 0 ? NULL : (const char *)sqlite3_column_text(t->select, label);
        const char *m = (const char *)sqlite3_column_text(t->select, model);

        sqlite3_snprintf((int)room, name, "%s%s%s", l == NULL ? "" : l, l == NULL ? "" : ".",
                         m == NULL ? "" : m);
    }
    sqlite3_reset(t->select);
    return code == SQLITE_ROW || code == SQLITE_DONE || sqlite_err(s->app.db, t->name, e);
}

static bool named_typed(struct store *s, const struct binding *b, const struct app_column *c,
                        const struct value *values, const struct value *v, struct arena *arena,
                        struct named *out, struct err *e)
{
    const struct app_column *column = &b->app->columns[c->ref_column];
    const struct value *type = &values[c->ref_column];
    char name[2 * IDENTIFIER_BYTES_MAX];

    if (type->type == VALUE_NULL)
        return true;
    if (column->ref_form == REF_KEY) {
        if (!read_type(s, &s->app.schema.tables[column->ref_table], type, name, sizeof name, e))
            return false;
    } else if (type->type == VALUE_TEXT && type->bytes.n < sizeof name) {
        memcpy(name, type->bytes.p, type->bytes.n);
        name[type->bytes.n] = '\0';
    } else {
        return true;
    }
    take_named(s, c, app_reference_table(&s->app.schema, c, name), v, v, arena, out);
    return true;
}

/* SELECT of the key of the row that a foreign key names. */
static bool find_statement(struct store *s, const struct app_table *parent, struct app_fk *fk,
                           struct err *e)
{
    sqlite3_str *sql;
    char *text;
    bool ok;

    if (fk->find != NULL)
        return true;
    sql = sqlite3_str_new(s->app.db);
    sqlite3_str_appendf(sql, "SELECT \"%w\" FROM main.\"%w\"",
                        parent->columns[parent->keys[0]].name, parent->name);
    for (uint32_t i = 0; i < fk->n; i++)
        sqlite3_str_appendf(sql, "%s\"%w\" = ?%d", i == 0 ? " WHERE " : " AND ",
                            parent->columns[fk->to[i]].name, (int)i + 1);
    sqlite3_str_appendall(sql, " LIMIT 2");
    text = sqlite3_str_finish(sql);
    ok = sqlite3_prepare_v3(s->app.db, text, -1, SQLITE_PREPARE_PERSISTENT, &fk->find, NULL) ==
         SQLITE_OK;
    sqlite3_free(text);
    return ok || sqlite_err(s->app.db, parent->name, e);
}

sqlite3_stmt *refer_holder(struct store *s, const struct app_table *parent, struct app_fk *fk,
                           const struct value *values, struct err *e)
{
    if (!find_statement(s, parent, fk, e))
        return NULL;
    sqlite3_reset(fk->find);
    for (uint32_t i = 0; i < fk->n; i++)
        if (!value_bind(fk->find, (int)i + 1, &values[i])) {
            sqlite_err(s->app.db, parent->name, e);
            return NULL;
        }
    return fk->find;
}

static bool named_unique(struct store *s, const struct app_column *c, const struct value *values,
                         struct arena *arena, struct named *out, struct err *e)
{
    struct app_table *parent = &s->app.schema.tables[c->ref_table];
    struct app_fk *fk = &parent->fks[c->ref_fk];
    struct value key, shown[KEY_COLUMNS_MAX];
    int code;

    for (uint32_t i = 0; i < fk->n; i++) {
        shown[i] = values[fk->columns[i]];
        if (shown[i].type == VALUE_NULL)
            return true;
    }
    if (refer_holder(s, parent, fk, shown, e) == NULL)
        return false;
    code = sqlite3_step(fk->find);
    if (code == SQLITE_ROW) {
        key = value_of_column(fk->find, 0);
        out->key = arena_value(arena, &key);
        out->b = bind_by_app(s, parent);
        code = sqlite3_step(fk->find);
        if (code == SQLITE_ROW) /* not unique after all */
            out->b = NULL;
    }
    sqlite3_reset(fk->find);
    return code == SQLITE_ROW || code == SQLITE_DONE || sqlite_err(s->app.db, parent->name, e);
}

bool refer_named(struct store *s, const struct binding *b, uint32_t column,
                 const struct value *values, struct arena *arena, struct named *out, struct err *e)
{
    const struct app_column *c = &b->app->columns[column];
    const struct value *v = &values[column];

    *out = (struct named){0};
    if (v->type == VALUE_NULL)
        return true;
    switch (c->ref_form) {
    case REF_NONE:
        break;
    case REF_KEY:
        *out = (struct named){bind_by_app(s, &s->app.schema.tables[c->ref_table]), *v};
        break;
    case REF_UNIQUE:
        return named_unique(s, c, values, arena, out, e);
    case REF_TYPED:
        return named_typed(s, b, c, values, v, arena, out, e);
    case REF_TEXT:
        return named_text(s, c, v, arena, out);
    }
    return true;
}

bool refer_touched(struct store *s, struct touch_list *l, struct touched *t, struct err *e)
{
    uint32_t n = t->b->app->column_count;

    if (!t->b->indirect || t->values == NULL)
        return true;
    t->names = arena_alloc(&l->arena, n * sizeof *t->names);
    for (uint32_t i = 0; i < n; i++)
        if (!refer_named(s, t->b, i, t->values, &l->arena, &t->names[i], e))
            return false;
    return true;
}

struct named touched_named(struct store *s, const struct touched *t, uint32_t column)
{
    const struct app_column *c = &t->b->app->columns[column];
    const struct value *v = &t->values[column];

    if (t->names != NULL)
        return t->names[column];
    if (c->ref_form != REF_KEY || v->type == VALUE_NULL)
        return (struct named){0};
    return (struct named){bind_by_app(s, &s->app.schema.tables[c->ref_table]), *v};
}

/* ---- who refers ---- */

/* Rows of types that stand for the table. */
static void type_condition(sqlite3_str *sql, const struct app_schema *s, const struct app_column *c,
                           const struct app_column *type, const struct app_table *parent)
{
    const struct app_table *types = &s->tables[type->ref_table];
    int label, model;

    if (!app_reference_types(types, &label, &model))
        return;
    sqlite3_str_appendf(sql, "\"%w\" IN (SELECT \"%w\" FROM main.\"%w\" WHERE replace(", type->name,
                        types->columns[types->keys[0]].name, types->name);
    if (label >= 0)
        sqlite3_str_appendf(sql, "\"%w\" || '.' || ", types->columns[label].name);
    sqlite3_str_appendf(sql, "\"%w\", '.', '_') = %Q COLLATE NOCASE", types->columns[model].name,
                        parent->name);
    for (uint32_t i = 0; i < c->ref_name_count; i++) {
        if (c->ref_names[i].table < 0 || &s->tables[c->ref_names[i].table] != parent)
            continue;
        sqlite3_str_appendall(sql, " OR ");
        if (label >= 0)
            sqlite3_str_appendf(sql, "\"%w\" || '.' || ", types->columns[label].name);
        sqlite3_str_appendf(sql, "\"%w\" = %Q", types->columns[model].name, c->ref_names[i].name);
    }
    sqlite3_str_appendall(sql, ") AND ");
}

void refer_condition(sqlite3_str *sql, const struct app_schema *s, const struct app_child *c,
                     const struct app_table *parent)
{
    const struct app_table *t = &s->tables[c->table];
    const struct app_column *column = &t->columns[c->column];

    if (column->ref_form == REF_TYPED && t->columns[column->ref_column].ref_form == REF_KEY)
        type_condition(sql, s, column, &t->columns[column->ref_column], parent);
    app_reference_compared(sql, column, parent);
    sqlite3_str_appendall(sql, " = ?1");
}

/* SELECT of the keys of a table's rows; a condition follows. */
static sqlite3_str *select_keys(struct store *s, const struct app_table *t)
{
    sqlite3_str *sql = sqlite3_str_new(s->app.db);

    sqlite3_str_appendall(sql, "SELECT ");
    for (uint32_t i = 0; i < t->key_count; i++)
        sqlite3_str_appendf(sql, "%s\"%w\"", i == 0 ? "" : ", ", t->columns[t->keys[i]].name);
    sqlite3_str_appendf(sql, "%s FROM main.\"%w\"", t->key_count == 0 ? "1" : "", t->name);
    return sql;
}

/* Finishes `sql`. */
static sqlite3_stmt *prepare(struct store *s, sqlite3_str *sql, const struct app_table *t,
                             struct err *e)
{
    char *text = sqlite3_str_finish(sql);
    sqlite3_stmt *q = NULL;

    if (text == NULL || sqlite3_prepare_v2(s->app.db, text, -1, &q, NULL) != SQLITE_OK)
        sqlite_err(s->app.db, t->name, e);
    sqlite3_free(text);
    return q;
}

sqlite3_stmt *refer_children(struct store *s, const struct app_table *parent,
                             const struct app_child *c, struct err *e)
{
    const struct app_table *t = &s->app.schema.tables[c->table];
    sqlite3_str *sql = select_keys(s, t);

    sqlite3_str_appendall(sql, " WHERE ");
    refer_condition(sql, &s->app.schema, c, parent);
    return prepare(s, sql, t, e);
}

sqlite3_stmt *refer_referring(struct store *s, const struct app_fk *fk, const struct value *values,
                              struct err *e)
{
    const struct app_table *t = &s->app.schema.tables[fk->table];
    sqlite3_str *sql = select_keys(s, t);
    sqlite3_stmt *q;

    for (uint32_t i = 0; i < fk->n; i++) {
        const char *collation = s->app.schema.tables[fk->parent].columns[fk->to[i]].collation;

        sqlite3_str_appendf(sql, "%s\"%w\"", i == 0 ? " WHERE " : " AND ",
                            t->columns[fk->columns[i]].name);
        if (collation != NULL && sqlite3_stricmp(collation, "BINARY") != 0)
            sqlite3_str_appendf(sql, " COLLATE %s", collation);
        sqlite3_str_appendf(sql, " = ?%d", (int)i + 1);
    }
    q = prepare(s, sql, t, e);
    for (uint32_t i = 0; q != NULL && i < fk->n; i++)
        if (!value_bind(q, (int)i + 1, &values[i])) {
            sqlite_err(s->app.db, t->name, e);
            sqlite3_finalize(q);
            return NULL;
        }
    return q;
}
