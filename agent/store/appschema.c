/* What the application's schema is, as we need it: tables, columns, keys, what refers to what, and
 * which tables cannot be tracked and why. Read whole, in one snapshot, whenever PRAGMA
 * schema_version moves. */
#include "appdb.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <sqlite3.h>

#include "appname.h"
#include "appref.h"
#include "apprule.h"
#include "capture.h"

/* PRAGMA table_list tells virtual tables and their shadow tables from ordinary ones. The key's
 * index, if there is one, tells which collations compare the key; only a rowid alias has none
 * (INTEGER PRIMARY KEY DESC is not one, and has it). A computed column is read where a foreign key
 * is made of it, or names it. A full-text index that takes its text from the table, or any virtual
 * table that a trigger on it writes, is found by the words of their SQL. */
#define STATEMENTS(X)                                                                              \
    X(TABLES, "SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main'"         \
              " ORDER BY name COLLATE NOCASE")                                                     \
    X(COLUMNS,                                                                                     \
      "SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo(:name, 'main')"          \
      " WHERE hidden = 0 OR (hidden > 1 AND (name IN (SELECT \"from\" FROM"                        \
      " pragma_foreign_key_list(:name, 'main')) OR name COLLATE NOCASE IN (SELECT f.\"to\""        \
      " FROM pragma_table_list l, pragma_foreign_key_list(l.name, 'main') f"                       \
      " WHERE l.schema = 'main' AND f.\"table\" = :name COLLATE NOCASE))) ORDER BY cid")           \
    X(KEYS, "SELECT x.seqno, x.coll, i.origin = 'pk', x.name FROM"                                 \
            " pragma_index_list(:name, 'main') i, pragma_index_xinfo(i.name, 'main') x"            \
            " WHERE i.\"unique\" AND x.key = 1 ORDER BY x.seqno")                                  \
    X(OWN, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN"                       \
           " ('_navette_dirty', '_navette_table', '_navette_state')")                              \
    X(VIRTUAL, "SELECT 1 FROM sqlite_schema WHERE sql LIKE 'create virtual table%'")               \
    X(SEARCH, "SELECT v.name, v.sql, t.sql FROM sqlite_schema v LEFT JOIN sqlite_schema t"         \
              " ON t.type = 'trigger' AND t.tbl_name = :name COLLATE NOCASE"                       \
              " WHERE v.sql LIKE 'create virtual table%'")                                         \
    X(REGISTRY, "SELECT name, id, repairs FROM _navette_table")

#define AS_NAME(name, sql) name,
#define AS_TEXT(name, sql) sql,
enum { STATEMENTS(AS_NAME) STATEMENT_COUNT };
_Static_assert(APPDB_SCHEMA + (int)STATEMENT_COUNT <= (int)APPDB_MARKS, "places of appdb.h");
static const char *const statement_sql[] = {STATEMENTS(AS_TEXT)};

struct loader {
    struct appdb *a;
    struct app_schema *schema;
    bool installed;
    uint32_t mark_width;
    uint32_t virtual_tables;
};

static void table_close(struct app_table *t)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        free(t->columns[i].name);
        free(t->columns[i].collation);
        app_reference_close(&t->columns[i]);
    }
    for (uint32_t i = 0; i < t->fk_count; i++)
        sqlite3_finalize(t->fks[i].find);
    free(t->fks);
    free(t->parents);
    sqlite3_finalize(t->select);
    sqlite3_finalize(t->insert);
    sqlite3_finalize(t->remove);
    free(t->columns);
    free(t->children);
    free(t->local_names);
    free(t->fill_names);
    free(t->fill_values);
    free(t->refused);
    free(t->name);
}

void app_schema_close(struct app_schema *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        table_close(&s->tables[i]);
    free(s->tables);
    for (uint32_t i = 0; i < s->gone_count; i++)
        free(s->gone[i]);
    free(s->gone);
    *s = (struct app_schema){0};
}

/* The first reason stands. */
static void refuse(struct app_table *t, const char *format, ...) PRINTF_LIKE(2, 3);
static void refuse(struct app_table *t, const char *format, ...)
{
    char text[480];
    va_list arguments;

    if (t->refused != NULL)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    t->refused = mem_text(text);
}

static const char *text_of(struct sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);

    return text == NULL ? "" : text;
}

static bool contains(const char *type, const char *word)
{
    size_t n = strlen(word);

    for (; *type != '\0'; type++)
        if (sqlite3_strnicmp(type, word, (int)n) == 0)
            return true;
    return false;
}

/* datatype3.html, section 3.1: the first rule that fits. */
static enum affinity affinity_of(const char *type, bool strict)
{
    if (strict && sqlite3_stricmp(type, "ANY") == 0)
        return AFFINITY_BLOB;
    if (contains(type, "INT"))
        return AFFINITY_INTEGER;
    if (contains(type, "CHAR") || contains(type, "CLOB") || contains(type, "TEXT"))
        return AFFINITY_TEXT;
    if (type[0] == '\0' || contains(type, "BLOB"))
        return AFFINITY_BLOB;
    if (contains(type, "REAL") || contains(type, "FLOA") || contains(type, "DOUB"))
        return AFFINITY_REAL;
    return AFFINITY_NUMERIC;
}

/* Bind `name` to :name and run `each` for every row. */
static bool each_row(struct loader *l, int which, const char *name, void *context,
                     void (*each)(void *context, struct sqlite3_stmt *s), struct err *e)
{
    struct sqlite3_stmt *s;
    bool ok;
    int rc;

    if (!appdb_statement(l->a, APPDB_SCHEMA + (uint32_t)which, statement_sql[which], &s, e))
        return false;
    if (name != NULL && sqlite3_bind_text(s, 1, name, -1, SQLITE_STATIC) != SQLITE_OK)
        return sqlite_err(l->a->db, "read the schema", e);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        each(context, s);
    ok = rc == SQLITE_DONE || sqlite_err(l->a->db, "read the schema", e);
    sqlite3_reset(s);
    return ok;
}

/* ---- tables ---- */

struct table_list {
    struct app_schema *schema;
    uint32_t room;
};

static void add_table(void *context, struct sqlite3_stmt *s)
{
    struct table_list *list = context;
    const char *name = text_of(s, 0);
    const char *type = text_of(s, 1);
    struct app_table *t;

    if (sqlite3_strnicmp(name, "sqlite_", 7) == 0 || capture_owns(name) ||
        strcmp(type, "shadow") == 0)
        return;
    if (list->schema->n == list->room) {
        list->room = list->room == 0 ? 64 : list->room * 2;
        list->schema->tables =
            mem_grow(list->schema->tables, list->room * sizeof *list->schema->tables);
    }
    t = &list->schema->tables[list->schema->n++];
    *t = (struct app_table){.name = mem_text(name)};
    t->without_rowid = sqlite3_column_int(s, 2) != 0;
    t->strict = sqlite3_column_int(s, 3) != 0;
    t->ordinary = strcmp(type, "table") == 0;
    if (!t->ordinary)
        refuse(t, "it is a %s, which holds no rows of its own",
               strcmp(type, "view") == 0 ? "view" : "virtual table");
    if (sqlite3_strnicmp(name, "_navette_", 9) == 0)
        refuse(t, "names that begin with _navette_ are kept for Navette's own tables");
    if (strlen(name) > IDENTIFIER_BYTES_MAX)
        refuse(t, "its name is longer than %d bytes", IDENTIFIER_BYTES_MAX);
}

/* ---- columns and keys ---- */

static void add_column(void *context, struct sqlite3_stmt *s)
{
    struct app_table *t = context;
    const char *name = text_of(s, 0);
    int pk = sqlite3_column_int(s, 3);
    struct app_column *c;

    if (t->column_count == COLUMNS_MAX) {
        refuse(t, "it has more than %d columns", COLUMNS_MAX);
        return;
    }
    if (strlen(name) > IDENTIFIER_BYTES_MAX)
        refuse(t, "a column's name is longer than %d bytes", IDENTIFIER_BYTES_MAX);
    if (sqlite3_column_int(s, 4) != 0)
        refuse(t, "its column %s is computed (GENERATED), and a foreign key refers by it", name);
    t->columns = mem_grow(t->columns, (t->column_count + 1) * sizeof *t->columns);
    c = &t->columns[t->column_count];
    *c = (struct app_column){.name = mem_text(name), .ref_table = -1};
    c->affinity = affinity_of(text_of(s, 1), t->strict);
    c->not_null = sqlite3_column_int(s, 2) != 0;
    if (pk > KEY_COLUMNS_MAX)
        refuse(t, "its primary key has more than %d columns", KEY_COLUMNS_MAX);
    else if (pk > 0) {
        t->keys[pk - 1] = t->column_count;
        t->key_count = (uint32_t)pk > t->key_count ? (uint32_t)pk : t->key_count;
    }
    t->column_count++;
}

/* A column of the primary key, or of another UNIQUE one; an expression there is no column. */
static void add_key_column(void *context, struct sqlite3_stmt *s)
{
    struct app_table *t = context;
    int i = sqlite3_column_int(s, 0);
    const char *collation = text_of(s, 1);

    if (sqlite3_column_int(s, 2) == 0) {
        i = app_column_index(t, value_of_column(s, 3).bytes);
        if (i >= 0)
            t->columns[i].unique = true;
        return;
    }
    if (i < 0 || (uint32_t)i >= t->key_count)
        return;
    free(t->columns[t->keys[i]].collation);
    t->columns[t->keys[i]].collation = mem_text(collation);
    if (sqlite3_stricmp(collation, "BINARY") != 0 && sqlite3_stricmp(collation, "NOCASE") != 0 &&
        sqlite3_stricmp(collation, "RTRIM") != 0)
        refuse(t,
               "its key column %s is compared by the collation %s, which only the application has",
               t->columns[t->keys[i]].name, collation);
}

/* SQLite allows NULL in a primary key that is not a rowid alias; such rows cannot be told apart. */
static bool refuse_null_keys(struct loader *l, struct app_table *t, struct err *e)
{
    sqlite3_str *sql = sqlite3_str_new(l->a->db);
    struct sqlite3_stmt *s = NULL;
    const char * or = "";
    char *text;
    int rc;

    sqlite3_str_appendf(sql, "SELECT 1 FROM main.\"%w\" WHERE ", t->name);
    for (uint32_t i = 0; i < t->key_count; i++) {
        if (t->columns[t->keys[i]].not_null)
            continue;
        sqlite3_str_appendf(sql, "%s\"%w\" IS NULL", or, t->columns[t->keys[i]].name);
        or = " OR ";
    }
    sqlite3_str_appendall(sql, " LIMIT 1");
    text = sqlite3_str_finish(sql);
    if (* or == '\0') {
        sqlite3_free(text);
        return true;
    }
    rc = sqlite3_prepare_v2(l->a->db, text, -1, &s, NULL);
    sqlite3_free(text);
    if (rc != SQLITE_OK) { /* prepare_statements says why */
        refuse(t, "SQLite cannot read it outside the application: %s", sqlite3_errmsg(l->a->db));
        return true;
    }
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        refuse(t, "its primary key is NULL in some rows, so they cannot be told apart");
    else if (rc != SQLITE_DONE)
        sqlite_err(l->a->db, "look for NULL keys", e);
    sqlite3_finalize(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

static bool read_keys(struct loader *l, struct app_table *t, struct err *e)
{
    int autoincrement = 0;
    const char *key;

    if (t->key_count == 0)
        refuse(t, "it has no primary key");
    if (t->refused != NULL)
        return true;
    if (!each_row(l, KEYS, t->name, t, add_key_column, e))
        return false;
    key = t->columns[t->keys[0]].name;
    t->rowid_alias =
        t->key_count == 1 && !t->without_rowid && t->columns[t->keys[0]].collation == NULL;
    if (!t->rowid_alias)
        return t->without_rowid || t->number != 0 || refuse_null_keys(l, t, e);
    if (sqlite3_table_column_metadata(l->a->db, "main", t->name, key, NULL, NULL, NULL, NULL,
                                      &autoincrement) != SQLITE_OK)
        return sqlite_err(l->a->db, "read the schema", e);
    t->autoincrement = autoincrement != 0;
    return true;
}

/* Names and words of some SQL in lower case, and `=`, each between blanks. */
static char *words_of(const char *sql)
{
    char *words = mem_alloc(2 * strlen(sql) + 3), *out = words;

    *out++ = ' ';
    for (; *sql != '\0'; sql++) {
        unsigned char c = (unsigned char)*sql;

        if (c >= 0x80 || isalnum(c) || c == '_' || c == '$')
            *out++ = (char)(c < 0x80 ? tolower(c) : c);
        else if (out[-1] != ' ')
            *out++ = ' ';
        if (c == '=') {
            *out++ = '=';
            *out++ = ' ';
        }
    }
    if (out[-1] != ' ')
        *out++ = ' ';
    *out = '\0';
    return words;
}

/* Do these words say `before`, `name` and `after`? `name` has its blanks. */
static bool says(const char *words, const char *before, const char *name, const char *after)
{
    char *all = sqlite3_mprintf("%s%s%s", before, name, after);
    bool found = all != NULL && strstr(words, all) != NULL;

    sqlite3_free(all);
    return found;
}

/* A virtual table, and one of the table's triggers or none. */
static void refuse_searched(void *context, struct sqlite3_stmt *s)
{
    struct app_table *t = context;
    bool text = contains(text_of(s, 1), "fts");
    char *name = words_of(text_of(s, 0)), *table = words_of(t->name);
    char *made = words_of(text_of(s, 1)), *trigger = words_of(text_of(s, 2));

    if ((text && says(made, " content =", table, "")) || says(trigger, " into", name, "") ||
        says(trigger, " update", name, "") || says(trigger, "", name, "set ") ||
        says(trigger, " delete from", name, ""))
        refuse(t, "the %s %s is kept up to date from it, which copied rows would miss",
               text ? "full-text index" : "virtual table", text_of(s, 0));
    free(name);
    free(table);
    free(made);
    free(trigger);
}

/* ---- our registry ---- */

static void count_row(void *context, struct sqlite3_stmt *s)
{
    (void)s;
    ++*(uint32_t *)context;
}

static void find_width(void *context, struct sqlite3_stmt *s)
{
    struct loader *l = context;
    const char *name = text_of(s, 0);
    unsigned width;

    if (sscanf(name, "o%u", &width) == 1 && width > l->mark_width && width <= KEY_COLUMNS_MAX)
        l->mark_width = width;
}

static void add_gone(struct app_schema *s, const char *name)
{
    s->gone = mem_grow(s->gone, (s->gone_count + 1) * sizeof *s->gone);
    s->gone[s->gone_count++] = mem_text(name);
}

static void add_registered(void *context, struct sqlite3_stmt *s)
{
    struct loader *l = context;
    struct app_table *t = app_schema_table(l->schema, text_of(s, 0));

    if (t != NULL && t->ordinary && sqlite3_column_int64(s, 1) > 0) {
        t->number = t->registered = sqlite3_column_int64(s, 1);
        t->repairs = sqlite3_column_int64(s, 2);
    } else if (t == NULL) {
        add_gone(l->schema, text_of(s, 0));
    }
}

static bool read_registry(struct loader *l, struct err *e)
{
    uint32_t tables = 0;

    if (!each_row(l, OWN, NULL, &tables, count_row, e))
        return false;
    l->installed = tables == 3;
    return !l->installed || (each_row(l, COLUMNS, "_navette_dirty", l, find_width, e) &&
                             each_row(l, REGISTRY, NULL, l, add_registered, e));
}

/* ---- statements ---- */

/* "k" COLLATE NOCASE = ?1 finds the row by the key's index, and COLLATE BINARY makes sure that it
 * is this one. */
void app_key_match(sqlite3_str *sql, const struct app_table *t)
{
    for (uint32_t i = 0; i < t->key_count; i++) {
        const struct app_column *c = &t->columns[t->keys[i]];
        const char *and = i == 0 ? "" : " AND ";

        if (c->collation == NULL)
            sqlite3_str_appendf(sql, "%s\"%w\" = ?%u", and, c->name, i + 1);
        else
            sqlite3_str_appendf(sql, "%s\"%w\" COLLATE %s = ?%u", and, c->name, c->collation,
                                i + 1);
        if (c->collation != NULL && sqlite3_stricmp(c->collation, "BINARY") != 0)
            sqlite3_str_appendf(sql, " AND \"%w\" COLLATE BINARY = ?%u", c->name, i + 1);
    }
}

static void append_columns(sqlite3_str *sql, const struct app_table *t)
{
    for (uint32_t i = 0; i < t->column_count; i++)
        sqlite3_str_appendf(sql, "%s\"%w\"", i == 0 ? "" : ", ", t->columns[i].name);
}

/* Prepares what `sql` holds and frees it; what cannot be prepared refuses the table. */
static void prepare_or_refuse(struct loader *l, struct app_table *t, sqlite3_str *sql,
                              struct sqlite3_stmt **s)
{
    char *text = sqlite3_str_finish(sql);

    if (sqlite3_prepare_v3(l->a->db, text, -1, SQLITE_PREPARE_PERSISTENT, s, NULL) != SQLITE_OK)
        refuse(t, "SQLite cannot write it outside the application: %s", sqlite3_errmsg(l->a->db));
    sqlite3_free(text);
}

static void prepare_statements(struct loader *l, struct app_table *t)
{
    sqlite3_str *sql = sqlite3_str_new(l->a->db);

    sqlite3_str_appendall(sql, "SELECT ");
    append_columns(sql, t);
    sqlite3_str_appendf(sql, " FROM main.\"%w\" WHERE ", t->name);
    app_key_match(sql, t);
    prepare_or_refuse(l, t, sql, &t->select);

    sql = sqlite3_str_new(l->a->db);
    sqlite3_str_appendf(sql, "INSERT OR ABORT INTO main.\"%w\"(", t->name);
    append_columns(sql, t);
    sqlite3_str_appendf(sql, "%s) VALUES (", t->fill_names);
    for (uint32_t i = 0; i < t->column_count; i++)
        sqlite3_str_appendf(sql, "%s?%u", i == 0 ? "" : ", ", i + 1);
    sqlite3_str_appendf(sql, "%s)", t->fill_values);
    prepare_or_refuse(l, t, sql, &t->insert);

    sql = sqlite3_str_new(l->a->db);
    sqlite3_str_appendf(sql, "DELETE FROM main.\"%w\" WHERE ", t->name);
    app_key_match(sql, t);
    prepare_or_refuse(l, t, sql, &t->remove);
}

/* Once it is known what refers to what: how its rows are read where they may name a parent in
 * another case. */
static bool prepare_reading(struct loader *l, struct app_table *t, struct err *e)
{
    sqlite3_str *sql;
    char *text;
    bool ok;

    if (t->number == 0 || !app_reference_is_read(l->schema, t))
        return true;
    sqlite3_finalize(t->select);
    sql = sqlite3_str_new(l->a->db);
    sqlite3_str_appendall(sql, "SELECT ");
    app_reference_read(sql, l->schema, t);
    sqlite3_str_appendf(sql, " FROM main.\"%w\" WHERE ", t->name);
    app_key_match(sql, t);
    text = sqlite3_str_finish(sql);
    ok = sqlite3_prepare_v3(l->a->db, text, -1, SQLITE_PREPARE_PERSISTENT, &t->select, NULL) ==
         SQLITE_OK;
    sqlite3_free(text);
    return ok || sqlite_err(l->a->db, t->name, e);
}

/* ---- fingerprints ---- */

static void hash_name(crypto_generichash_state *h, const char *name)
{
    uint8_t folded[IDENTIFIER_BYTES_MAX + 1] = {0};
    size_t n = strlen(name);

    assert(n <= IDENTIFIER_BYTES_MAX);
    for (size_t i = 0; i < n; i++)
        folded[i] = (uint8_t)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    crypto_generichash_update(h, folded, n + 1);
}

static void hash_number(crypto_generichash_state *h, uint64_t v)
{
    uint8_t bytes[8];

    be64_write(bytes, v);
    crypto_generichash_update(h, bytes, sizeof bytes);
}

static uint64_t hash_final(crypto_generichash_state *h)
{
    uint8_t digest[crypto_generichash_BYTES];

    crypto_generichash_final(h, digest, sizeof digest);
    return be64_read(digest);
}

/* Columns stand in another order on another PC: the sum does not mind. */
static uint64_t table_fingerprint(const struct app_schema *s, const struct app_table *t)
{
    crypto_generichash_state h;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct app_column *c = &t->columns[i];

        crypto_generichash_init(&h, NULL, 0, crypto_generichash_BYTES);
        hash_name(&h, c->name);
        hash_number(&h, (uint64_t)c->affinity);
        hash_name(&h, c->ref_table < 0 ? "" : s->tables[c->ref_table].name);
        sum += hash_final(&h);
    }
    crypto_generichash_init(&h, NULL, 0, crypto_generichash_BYTES);
    hash_name(&h, t->name);
    hash_number(&h, sum);
    for (uint32_t i = 0; i < t->key_count; i++)
        hash_name(&h, t->columns[t->keys[i]].name);
    return hash_final(&h);
}

static void set_fingerprints(struct app_schema *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->tables[i].number == 0)
            continue;
        s->tables[i].fingerprint = table_fingerprint(s, &s->tables[i]);
        s->fingerprint += s->tables[i].fingerprint;
    }
}

/* ---- the whole ---- */

/* Django's list of the migrations that have run on this file: on another PC it would say that they
 * have run there. */
static void refuse_migrations(struct app_table *t)
{
    if (sqlite3_stricmp(t->name, "django_migrations") == 0 &&
        app_column_index(t, slice_text("app")) >= 0 && app_column_index(t, slice_text("name")) >= 0)
        refuse(t, "it says which version of the application this database is of; shared, it would "
                  "keep other PCs from being migrated");
}

static bool load_table(struct loader *l, struct app_table *t, struct err *e)
{
    if (!each_row(l, COLUMNS, t->name, t, add_column, e))
        return err_wrap(e, "table %s", t->name);
    refuse_migrations(t);
    if (!read_keys(l, t, e) ||
        (l->virtual_tables > 0 && !each_row(l, SEARCH, t->name, t, refuse_searched, e)))
        return err_wrap(e, "table %s", t->name);
    for (uint32_t i = 0; i < t->key_count; i++)
        t->columns[t->keys[i]].in_key = true;
    app_rules_apply(l->a->rules, t);
    if (t->refused == NULL)
        prepare_statements(l, t);
    if (t->refused != NULL)
        t->number = 0;
    if (t->number == 0) {
        sqlite3_finalize(t->select);
        sqlite3_finalize(t->insert);
        sqlite3_finalize(t->remove);
        t->select = t->insert = t->remove = NULL;
    }
    return true;
}

static bool load(struct loader *l, struct err *e)
{
    struct table_list list = {.schema = l->schema};

    if (!each_row(l, TABLES, NULL, &list, add_table, e))
        return false;
    if (l->schema->n > TABLES_MAX)
        return err_set(e, ERR_LIMIT, "the database has %u tables, at most %d are possible",
                       l->schema->n, TABLES_MAX);
    if (!read_registry(l, e) || !each_row(l, VIRTUAL, NULL, &l->virtual_tables, count_row, e))
        return false;
    for (uint32_t i = 0; i < l->schema->n; i++)
        if (l->schema->tables[i].ordinary && !load_table(l, &l->schema->tables[i], e))
            return false;
    if (!app_references_resolve(l->a->db, l->a->rules, l->schema, e))
        return false;
    for (uint32_t i = 0; i < l->schema->n; i++)
        if (!prepare_reading(l, &l->schema->tables[i], e))
            return false;
    set_fingerprints(l->schema);
    return true;
}

static bool read_schema(struct appdb *a, struct app_schema *schema, struct err *e)
{
    struct loader l = {.a = a, .schema = schema};
    bool ok = load(&l, e);

    if (!ok) {
        app_schema_close(schema);
        return false;
    }
    app_schema_close(&a->schema);
    appdb_forget_marks(a);
    a->schema = *schema;
    a->reads++;
    a->installed = l.installed;
    a->mark_width = l.mark_width;
    return true;
}

bool appdb_load_schema(struct appdb *a, bool force, bool *changed, struct err *e)
{
    bool alone = sqlite3_get_autocommit(a->db) != 0;
    struct app_schema fresh = {0};
    bool stale = false;
    bool ok = false;

    if (alone && !appdb_read(a, e))
        return false;
    if (!appdb_schema_version(a, &fresh.version, e))
        goto out;
    stale = force || fresh.version != a->schema.version;
    ok = !stale || read_schema(a, &fresh, e);
    if (changed != NULL)
        *changed = stale && ok;
out:
    if (alone)
        appdb_end(a);
    return ok;
}

static int compare_name(const void *name, const void *table)
{
    return sqlite3_stricmp(name, ((const struct app_table *)table)->name);
}

struct app_table *app_schema_table(struct app_schema *s, const char *name)
{
    if (s->n == 0)
        return NULL;
    return bsearch(name, s->tables, s->n, sizeof *s->tables, compare_name);
}

struct app_table *appdb_table(struct appdb *a, const char *name)
{
    return app_schema_table(&a->schema, name);
}

struct app_table *appdb_table_numbered(struct appdb *a, int64_t number)
{
    for (uint32_t i = 0; i < a->schema.n && number != 0; i++)
        if (a->schema.tables[i].number == number)
            return &a->schema.tables[i];
    return NULL;
}

int app_column_index(const struct app_table *t, struct slice name)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        const char *own = t->columns[i].name;

        if (strlen(own) == name.n && sqlite3_strnicmp(own, (const char *)name.p, (int)name.n) == 0)
            return (int)i;
    }
    return -1;
}
