#include "filter.h"

#include <stdlib.h>

#include <sqlite3.h>

#define LENGTH_MAX (512 << 20) /* of what an expression makes, and of the row */

struct filter {
    sqlite3 *db;
    sqlite3_stmt *put, *test, *clear;
    uint32_t column_count;
};

static bool fail(struct filter *f, struct err *e)
{
    return err_set(e, ERR_INPUT, "the filter cannot be used: %s", sqlite3_errmsg(f->db));
}

/* What an expression may do. The first SELECT is the one around it. */
struct permit {
    const struct app_table *t;
    int selects;
};

static bool is_harmless(const char *function)
{
    static const char *const harmless[] = {
        "coalesce", "glob",   "ifnull", "iif",    "instr",  "length",  "like",
        "lower",    "ltrim",  "max",    "min",    "nullif", "round",   "rtrim",
        "sign",     "substr", "trim",   "typeof", "upper",  "unicode", "substring",
    };

    for (size_t i = 0; i < COUNT_OF(harmless); i++)
        if (sqlite3_stricmp(function, harmless[i]) == 0)
            return true;
    return false;
}

static int authorize(void *context, int action, const char *first, const char *second,
                     const char *database, const char *inner)
{
    struct permit *p = context;

    (void)database;
    (void)inner;
    if (action == SQLITE_SELECT)
        return ++p->selects == 1 ? SQLITE_OK : SQLITE_DENY;
    if (action == SQLITE_READ) /* its rowid would be that of the table in memory */
        return sqlite3_stricmp(first, p->t->name) == 0 &&
                       (second[0] == '\0' || app_column_index(p->t, slice_text(second)) >= 0)
                   ? SQLITE_OK
                   : SQLITE_DENY;
    return action == SQLITE_FUNCTION && is_harmless(second) ? SQLITE_OK : SQLITE_DENY;
}

/* Prepare what `sql` holds (and frees), which must be one statement without parameters of its own.
 */
static bool prepare(struct filter *f, sqlite3_str *sql, sqlite3_stmt **s)
{
    char *text = sqlite3_str_finish(sql);
    const char *tail = NULL;
    bool ok = text != NULL && sqlite3_prepare_v2(f->db, text, -1, s, &tail) == SQLITE_OK &&
              *s != NULL && *tail == '\0';

    sqlite3_free(text);
    return ok;
}

static const char *collation_of(struct appdb *a, const struct app_table *t, const char *column)
{
    const char *collation = NULL;

    if (sqlite3_table_column_metadata(a->db, "main", t->name, column, NULL, &collation, NULL, NULL,
                                      NULL) != SQLITE_OK ||
        collation == NULL)
        return "BINARY";
    if (sqlite3_stricmp(collation, "NOCASE") == 0)
        return "NOCASE";
    return sqlite3_stricmp(collation, "RTRIM") == 0 ? "RTRIM" : "BINARY";
}

/* A table of the same name and columns, so that values compare as they do there. */
static bool make_table(struct filter *f, struct appdb *a, const struct app_table *t, struct err *e)
{
    static const char *const types[] = {[AFFINITY_BLOB] = "",
                                        [AFFINITY_TEXT] = "TEXT",
                                        [AFFINITY_NUMERIC] = "NUMERIC",
                                        [AFFINITY_INTEGER] = "INTEGER",
                                        [AFFINITY_REAL] = "REAL"};
    sqlite3_str *create = sqlite3_str_new(f->db), *put = sqlite3_str_new(f->db),
                *clear = sqlite3_str_new(f->db);
    char *text;
    bool ok;

    sqlite3_str_appendf(create, "CREATE TABLE \"%w\"(", t->name);
    sqlite3_str_appendf(put, "INSERT INTO \"%w\" VALUES (", t->name);
    sqlite3_str_appendf(clear, "DELETE FROM \"%w\"", t->name);
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct app_column *c = &t->columns[i];

        sqlite3_str_appendf(create, "%s\"%w\" %s COLLATE %s", i == 0 ? "" : ", ", c->name,
                            types[c->affinity], collation_of(a, t, c->name));
        sqlite3_str_appendf(put, "%s?%u", i == 0 ? "" : ", ", i + 1);
    }
    sqlite3_str_appendall(create, ")");
    sqlite3_str_appendall(put, ")");
    text = sqlite3_str_finish(create);
    ok = text != NULL && sqlite3_exec(f->db, text, NULL, NULL, NULL) == SQLITE_OK;
    sqlite3_free(text);
    if (!ok) {
        sqlite3_free(sqlite3_str_finish(put));
        sqlite3_free(sqlite3_str_finish(clear));
        return fail(f, e);
    }
    ok = prepare(f, put, &f->put);
    return (prepare(f, clear, &f->clear) && ok) || fail(f, e);
}

/* It must be an expression by itself: between brackets and between two words. */
static bool prepare_test(struct filter *f, const struct app_table *t, const char *where,
                         struct err *e)
{
    struct permit permit = {.t = t};
    sqlite3_stmt *other = NULL;
    sqlite3_str *sql = sqlite3_str_new(f->db);
    bool ok;

    sqlite3_set_authorizer(f->db, authorize, &permit);
    sqlite3_str_appendf(sql, "SELECT CASE WHEN %s\n THEN 1 END FROM \"%w\"", where, t->name);
    ok = prepare(f, sql, &other);
    sqlite3_finalize(other);
    if (ok) {
        permit.selects = 0;
        sql = sqlite3_str_new(f->db);
        sqlite3_str_appendf(sql, "SELECT 1 FROM \"%w\" WHERE (%s\n)", t->name, where);
        ok = prepare(f, sql, &f->test);
    }
    sqlite3_set_authorizer(f->db, NULL, NULL);
    if (!ok)
        return fail(f, e);
    return sqlite3_bind_parameter_count(f->test) == 0 ||
           err_set(e, ERR_INPUT, "the filter cannot be used: it has parameters");
}

bool filter_open(struct filter **out, struct appdb *a, const struct app_table *t, const char *where,
                 struct err *e)
{
    struct filter *f = mem_alloc(sizeof *f);

    *out = f;
    f->column_count = t->column_count;
    if (sqlite3_open_v2(":memory:", &f->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) ==
            SQLITE_OK &&
        sqlite3_db_config(f->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL) == SQLITE_OK) {
        sqlite3_limit(f->db, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
        if (make_table(f, a, t, e) && prepare_test(f, t, where, e))
            return true;
    } else {
        fail(f, e);
    }
    filter_close(f);
    *out = NULL;
    return false;
}

void filter_close(struct filter *f)
{
    if (f == NULL)
        return;
    sqlite3_finalize(f->put);
    sqlite3_finalize(f->test);
    sqlite3_finalize(f->clear);
    sqlite3_close(f->db);
    free(f);
}

bool filter_match(struct filter *f, const struct value *values, bool *match, struct err *e)
{
    int code;

    for (uint32_t i = 0; i < f->column_count; i++)
        if (!value_bind(f->put, (int)i + 1, &values[i]))
            return err_set(e, ERR_STORE, "a filter takes no value of column %u", i + 1);
    code = sqlite3_step(f->put);
    sqlite3_reset(f->put);
    sqlite3_clear_bindings(f->put);
    if (code != SQLITE_DONE)
        return sqlite_err(f->db, "filter a row", e);
    code = sqlite3_step(f->test);
    *match = code == SQLITE_ROW; /* an expression that fails on this row does not match */
    sqlite3_reset(f->test);
    code = sqlite3_step(f->clear);
    sqlite3_reset(f->clear);
    return code == SQLITE_DONE || sqlite_err(f->db, "filter a row", e);
}
