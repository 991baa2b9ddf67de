#include "filter.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#define SEEN_BYTES_MAX (64u << 10) /* texts and blobs of a row in columns that are named */
#define MADE_BYTES_MAX (128 << 10) /* what an expression makes, and the row */
#define STEPS_MAX      (1u << 20)  /* for one row: a few ms at most */
#define ROW_STEPS      1024        /* whatever it has */

/* What looks for one text in another one takes their lengths, multiplied. It is asked of a database
 * that does so by itself. */
static const struct search {
    const char *name;
    int arguments;
    const char *sql;
} searches[] = {
    {"like", 2, "SELECT like(?1, ?2)"},   {"like", 3, "SELECT like(?1, ?2, ?3)"},
    {"glob", 2, "SELECT glob(?1, ?2)"},   {"instr", 2, "SELECT instr(?1, ?2)"},
    {"trim", 2, "SELECT trim(?1, ?2)"},   {"ltrim", 2, "SELECT ltrim(?1, ?2)"},
    {"rtrim", 2, "SELECT rtrim(?1, ?2)"},
};

struct filter {
    sqlite3 *db, *plain;
    sqlite3_stmt *put, *test, *clear;
    struct searcher {
        struct filter *f;
        sqlite3_stmt *does;
    } searchers[COUNT_OF(searches)];
    bool *names; /* by column: the expression reads it */
    uint32_t column_count;
    size_t where_n;
    uint64_t steps;
    bool gave_up;
};

static bool fail(struct filter *f, struct err *e)
{
    return err_set(e, ERR_INPUT, "the filter cannot be used: %s", sqlite3_errmsg(f->db));
}

/* What an expression may do. The first SELECT is the one around it. */
struct permit {
    const struct app_table *t;
    bool *names;
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
    if (action == SQLITE_READ) { /* its rowid would be that of the table in memory */
        int column = app_column_index(p->t, slice_text(second));

        if (column >= 0)
            p->names[column] = true;
        return sqlite3_stricmp(first, p->t->name) == 0 && (second[0] == '\0' || column >= 0)
                   ? SQLITE_OK
                   : SQLITE_DENY;
    }
    return action == SQLITE_FUNCTION && is_harmless(second) ? SQLITE_OK : SQLITE_DENY;
}

/* ---- what takes long ---- */

/* False once this row has taken all that one may: the expression fails on it then. */
static bool spend(struct filter *f, uint64_t steps)
{
    f->steps += steps;
    f->gave_up = f->gave_up || f->steps > STEPS_MAX;
    return !f->gave_up;
}

static void search(sqlite3_context *context, int n, sqlite3_value **arguments)
{
    struct searcher *s = sqlite3_user_data(context);
    uint64_t product = ((uint64_t)sqlite3_value_bytes(arguments[0]) + 1) *
                       ((uint64_t)sqlite3_value_bytes(arguments[1]) + 1);

    if (!spend(s->f, product)) {
        sqlite3_result_error(context, "it takes too long", -1);
        return;
    }
    for (int i = 0; i < n; i++)
        sqlite3_bind_value(s->does, i + 1, arguments[i]);
    if (sqlite3_step(s->does) == SQLITE_ROW)
        sqlite3_result_value(context, sqlite3_column_value(s->does, 0));
    else
        sqlite3_result_error(context, sqlite3_errmsg(s->f->plain), -1);
    sqlite3_reset(s->does);
    sqlite3_clear_bindings(s->does);
}

static bool make_searches(struct filter *f, struct err *e)
{
    for (size_t i = 0; i < COUNT_OF(searches); i++) {
        f->searchers[i].f = f;
        if (sqlite3_prepare_v2(f->plain, searches[i].sql, -1, &f->searchers[i].does, NULL) !=
                SQLITE_OK ||
            sqlite3_create_function(f->db, searches[i].name, searches[i].arguments,
                                    SQLITE_UTF8 | SQLITE_DETERMINISTIC, &f->searchers[i], search,
                                    NULL, NULL) != SQLITE_OK)
            return fail(f, e);
    }
    return true;
}

/* ---- opening ---- */

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
    struct permit permit = {.t = t, .names = f->names};
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

static bool open_memory(sqlite3 **db)
{
    return sqlite3_open_v2(":memory:", db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) ==
           SQLITE_OK;
}

bool filter_open(struct filter **out, struct appdb *a, const struct app_table *t, const char *where,
                 struct err *e)
{
    struct filter *f = mem_alloc(sizeof *f);

    *out = f;
    f->column_count = t->column_count;
    f->names = mem_alloc((t->column_count + 1) * sizeof *f->names);
    f->where_n = strlen(where);
    if (open_memory(&f->db) && open_memory(&f->plain) &&
        sqlite3_db_config(f->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL) == SQLITE_OK) {
        if (make_searches(f, e) && make_table(f, a, t, e) && prepare_test(f, t, where, e)) {
            sqlite3_limit(f->db, SQLITE_LIMIT_LENGTH, MADE_BYTES_MAX);
            return true;
        }
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
    for (size_t i = 0; i < COUNT_OF(searches); i++)
        sqlite3_finalize(f->searchers[i].does);
    sqlite3_close(f->db);
    sqlite3_close(f->plain);
    free(f->names);
    free(f);
}

/* ---- one row ---- */

/* What the expression does not name is left out. Every operator may go through all that is there:
 * one for each eight characters is more than there are. */
static bool begin(struct filter *f, const struct value *values)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < f->column_count; i++)
        if (f->names[i] && (values[i].type == VALUE_TEXT || values[i].type == VALUE_BLOB))
            bytes += values[i].bytes.n;
    f->steps = 0;
    f->gave_up = bytes > SEEN_BYTES_MAX;
    return spend(f, ROW_STEPS + bytes * f->where_n / 8);
}

static bool put(struct filter *f, const struct value *values, struct err *e)
{
    int code;

    for (uint32_t i = 0; i < f->column_count; i++)
        if (f->names[i] && !value_bind(f->put, (int)i + 1, &values[i]))
            return err_set(e, ERR_STORE, "a filter takes no value of column %u", i + 1);
    code = sqlite3_step(f->put);
    sqlite3_reset(f->put);
    sqlite3_clear_bindings(f->put);
    return code == SQLITE_DONE || sqlite_err(f->db, "filter a row", e);
}

bool filter_match(struct filter *f, const struct value *values, bool *match, struct err *e)
{
    int code;

    *match = false;
    if (!begin(f, values))
        return true;
    if (!put(f, values, e))
        return false;
    code = sqlite3_step(f->test);
    *match = code == SQLITE_ROW; /* an expression that fails on this row does not match */
    f->gave_up = f->gave_up || code == SQLITE_TOOBIG;
    sqlite3_reset(f->test);
    code = sqlite3_step(f->clear);
    sqlite3_reset(f->clear);
    return code == SQLITE_DONE || sqlite_err(f->db, "filter a row", e);
}

bool filter_gave_up(const struct filter *f)
{
    return f->gave_up;
}

uint64_t filter_steps(const struct filter *f)
{
    return f->steps;
}
