#include "unsent.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "inside.h"
#include "ledger_meta.h"
#include "withhold.h"

#define LOOK_MAX 256 /* cells a look; who has more is told of these first */
#define LONG_KEY "long-key"

struct suspect {
    int64_t gid;
    uint32_t position;
    bool is_still; /* as far as it could be asked */
};

struct look {
    struct suspect list[LOOK_MAX];
    uint32_t n, still;
    bool unjudged; /* such a row was found */
};

static size_t bytes_of(const struct value *v)
{
    return v->type == VALUE_TEXT || v->type == VALUE_BLOB ? v->bytes.n : 0;
}

bool unsent_is(const struct value *v)
{
    return bytes_of(v) > VALUE_BYTES_MAX;
}

bool unsent_whole(const struct store *s, const struct app_table *t, const struct value *values)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < t->column_count; i++)
        if (!unsent_is(&values[i]))
            bytes += bytes_of(&values[i]);
    return bytes > s->row_bytes;
}

bool unsent_key(const struct value *key, uint32_t n)
{
    size_t bytes = 0;
    bool whole = true;

    for (uint32_t i = 0; i < n; i++) {
        bytes += bytes_of(&key[i]);
        whole &= key[i].type != VALUE_NULL;
    }
    return !whole || bytes > KEY_BYTES_MAX;
}

bool unsent_key_of(const struct app_table *t, const struct value *values)
{
    struct value key[KEY_COLUMNS_MAX];

    for (uint32_t i = 0; i < t->key_count; i++)
        key[i] = values[t->keys[i]];
    return unsent_key(key, t->key_count);
}

/* Once each. */
static struct unsent_table *find_table(struct unsent *u, uint32_t table)
{
    for (uint32_t i = 0; i < u->n; i++)
        if (u->tables[i].table == table)
            return &u->tables[i];
    if (u->n == u->room) {
        u->room = u->room == 0 ? 4 : u->room * 2;
        u->tables = mem_grow(u->tables, u->room * sizeof *u->tables);
    }
    u->tables[u->n] = (struct unsent_table){.table = table};
    u->any = true;
    u->looked = false;
    return &u->tables[u->n++];
}

void unsent_row(struct store *s, uint32_t table)
{
    find_table(&s->unsent, table);
}

static bool flag(struct store *s, uint32_t table, bool on, struct err *e)
{
    char number[16];

    snprintf(number, sizeof number, "%" PRIu32, table);
    return ledger_flag_set(&s->ledger, LONG_KEY, number, on, e);
}

bool unsent_save(struct store *s, struct err *e)
{
    struct unsent *u = &s->unsent;

    for (uint32_t i = 0; i < u->n; i++)
        if (!u->tables[i].saved && !flag(s, u->tables[i].table, true, e))
            return false;
    return true;
}

static bool read_tables(struct store *s, struct err *e)
{
    struct ledger *l = &s->ledger;

    for (uint32_t i = 0; i < l->table_count; i++) {
        char number[16];
        bool on;

        snprintf(number, sizeof number, "%" PRIu32, l->tables[i].id);
        if (!ledger_flag_get(l, LONG_KEY, number, &on, e))
            return false;
        if (on)
            find_table(&s->unsent, l->tables[i].id)->saved = true;
    }
    return true;
}

bool unsent_open(struct store *s, struct err *e)
{
    int64_t any;

    if (!ledger_number(&s->ledger, "SELECT EXISTS(SELECT 1 FROM unsent)", &any, e))
        return false;
    s->unsent.any |= any != 0;
    return read_tables(s, e);
}

void unsent_close(struct store *s)
{
    free(s->unsent.tables);
    s->unsent = (struct unsent){0};
}

/* Run a statement about one cell. */
static bool run(struct store *s, const char *sql, int64_t gid, uint32_t position, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&s->ledger, sql, e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, gid);
    sqlite3_bind_int64(q, 2, position);
    code = sqlite3_step(q);
    sqlite3_finalize(q);
    return code == SQLITE_DONE || ledger_err(&s->ledger, "note a value that is too long", e);
}

bool unsent_note(struct store *s, int64_t gid, uint32_t position, struct err *e)
{
    s->unsent.any = true;
    s->unsent.looked = false;
    return run(s, "INSERT OR IGNORE INTO unsent(gid, position) VALUES (?1, ?2)", gid, position, e);
}

static bool read_suspects(struct store *s, struct look *look, struct err *e)
{
    sqlite3_stmt *q =
        ledger_prepare(&s->ledger, "SELECT gid, position FROM unsent ORDER BY gid LIMIT ?1", e);
    int code = SQLITE_DONE;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, LOOK_MAX);
    while (look->n < LOOK_MAX && (code = sqlite3_step(q)) == SQLITE_ROW)
        look->list[look->n++] = (struct suspect){.gid = sqlite3_column_int64(q, 0),
                                                 .position = (uint32_t)sqlite3_column_int64(q, 1)};
    sqlite3_finalize(q);
    return code == SQLITE_DONE || code == SQLITE_ROW ||
           ledger_err(&s->ledger, "look for values that are too long", e);
}

/* How much texts and blobs of the row have in these columns, those of more than `max` left out; 0
 * when it is not there. */
static bool measure(struct store *s, const struct app_table *t, const struct row_key *key,
                    uint32_t first, uint32_t n, int64_t max, int64_t *bytes, struct err *e)
{
    sqlite3_str *sql = sqlite3_str_new(s->app.db);
    sqlite3_stmt *q = NULL;
    char *text;
    int code = SQLITE_ERROR;

    sqlite3_str_appendall(sql, "SELECT 0");
    for (uint32_t i = first; i < first + n; i++) {
        const char *name = t->columns[i].name;

        /* The length of a blob is known without reading it. */
        sqlite3_str_appendf(sql,
                            " + (SELECT n * (n <= %lld) FROM (SELECT CASE typeof(\"%w\")"
                            " WHEN 'blob' THEN length(\"%w\")"
                            " WHEN 'text' THEN length(CAST(\"%w\" AS BLOB)) ELSE 0 END AS n))",
                            (long long)max, name, name, name);
    }
    sqlite3_str_appendf(sql, " FROM main.\"%w\" WHERE ", t->name);
    app_key_match(sql, t);
    text = sqlite3_str_finish(sql);
    if (text != NULL && sqlite3_prepare_v2(s->app.db, text, -1, &q, NULL) == SQLITE_OK &&
        key_bind(q, 1, t, key, e))
        code = sqlite3_step(q);
    *bytes = code == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
    if (code != SQLITE_ROW && code != SQLITE_DONE && e->code == ERR_NONE)
        sqlite_err(s->app.db, t->name, e);
    sqlite3_finalize(q);
    sqlite3_free(text);
    return e->code == ERR_NONE;
}

/* Is the row still too large, and still to be sent? */
static bool ask_whole(struct store *s, struct suspect *cell, const struct binding *b,
                      const struct row_key *key, struct look *look, struct err *e)
{
    int64_t bytes = 0;

    if (b != NULL && !b->mute &&
        !measure(s, b->app, key, 0, b->app->column_count, VALUE_BYTES_MAX, &bytes, e))
        return false;
    cell->is_still = bytes > (int64_t)s->row_bytes;
    if (cell->is_still && look->still++ == 0)
        snprintf(s->unsent.text, sizeof s->unsent.text,
                 "table %.100s: a row of %" PRId64 " bytes is not sent, the limit is %zu: the other"
                 " PCs have it as it was before, or not at all, and other rows go on",
                 b->app->name, bytes, s->row_bytes);
    return true;
}

/* Does its filter still give up on the row? To ask takes long: one that is so is enough. */
static bool ask_filter(struct store *s, struct suspect *cell, struct binding *b,
                       const struct row_key *key, struct look *look, struct err *e)
{
    struct touch_list list = {0};
    struct touched *t;
    bool says = true, ok = true;

    cell->is_still = look->unjudged;
    if (b != NULL && !b->mute && b->filter != NULL && !look->unjudged) {
        t = touch_add(&list);
        *t = (struct touched){.b = b, .key = arena_key(&list.arena, key), .gid = cell->gid};
        ok = touch_read(s, &list, e) &&
             (list.rows[0].key.kind == KEY_NONE || withhold_says(s, &list.rows[0], NULL, &says, e));
        cell->is_still = ok && !says && withhold_gave_up(b);
        touch_close(&list);
    }
    if (!cell->is_still || look->still++ > 0)
        return ok;
    look->unjudged = true;
    snprintf(s->unsent.text, sizeof s->unsent.text,
             "table %.100s: a row is not sent from this PC, as the filter of the rule would take "
             "too long to judge it: the other PCs have it as it was before, or not at all, and "
             "other rows go on; make the texts shorter that the filter names, or the filter "
             "simpler",
             b->app->name);
    return true;
}

/* Is the cell still too long, and still to be sent? The first such is what a person is told. */
static bool ask_file(struct store *s, struct suspect *cell, struct look *look, struct err *e)
{
    struct ledger_row row;
    struct binding *b;
    bool found;
    int64_t bytes = 0;
    int column;

    if (!ledger_row_get(&s->ledger, cell->gid, &row, &found, e))
        return false;
    b = found && row.present ? bind_by_table(s, row.table) : NULL;
    if (cell->position == UNSENT_WHOLE)
        return ask_whole(s, cell, b, &row.key, look, e);
    if (cell->position == UNSENT_UNJUDGED)
        return ask_filter(s, cell, b, &row.key, look, e);
    column = b != NULL && !b->mute ? bind_column(b, cell->position) : -1;
    if (column >= 0 && !measure(s, b->app, &row.key, (uint32_t)column, 1, INT64_MAX, &bytes, e))
        return false;
    cell->is_still = bytes > (int64_t)VALUE_BYTES_MAX;
    if (!cell->is_still)
        return true;
    if (look->still++ == 0)
        snprintf(s->unsent.text, sizeof s->unsent.text,
                 "table %.100s, column %.100s: a value of %" PRId64
                 " bytes is not sent, the limit is %u: the other PCs have the row without it",
                 b->app->name, b->app->columns[column].name, bytes, VALUE_BYTES_MAX);
    return true;
}

/* How long the key of some row is that is too long; -1: some of it is NULL; 0: there is none. */
static bool measure_keys(struct store *s, const struct app_table *t, int64_t *bytes, struct err *e)
{
    sqlite3_str *sql = sqlite3_str_new(s->app.db);
    sqlite3_stmt *q = NULL;
    char *text;
    int code = SQLITE_ERROR;

    sqlite3_str_appendall(sql, "SELECT ifnull(bytes, -1) FROM (SELECT 0");
    for (uint32_t i = 0; i < t->key_count; i++) {
        const char *name = t->columns[t->keys[i]].name;

        sqlite3_str_appendf(sql,
                            " + CASE typeof(\"%w\") WHEN 'text' THEN length(CAST(\"%w\" AS BLOB))"
                            " WHEN 'blob' THEN length(\"%w\") WHEN 'null' THEN NULL ELSE 0 END",
                            name, name, name);
    }
    sqlite3_str_appendf(sql,
                        " AS bytes FROM main.\"%w\") WHERE bytes IS NULL OR bytes > %u LIMIT 1",
                        t->name, KEY_BYTES_MAX);
    text = sqlite3_str_finish(sql);
    if (text != NULL && sqlite3_prepare_v2(s->app.db, text, -1, &q, NULL) == SQLITE_OK)
        code = sqlite3_step(q);
    *bytes = code == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        sqlite_err(s->app.db, t->name, e);
    sqlite3_finalize(q);
    sqlite3_free(text);
    return e->code == ERR_NONE;
}

static bool ask_table(struct store *s, struct unsent_table *u, struct err *e)
{
    const struct binding *b = bind_by_table(s, u->table);
    int64_t bytes = 0;

    if (b != NULL && !b->mute && !b->app->surrogate && !measure_keys(s, b->app, &bytes, e))
        return false;
    u->is_still = bytes != 0;
    if (bytes < 0 && s->unsent.text[0] == '\0')
        snprintf(s->unsent.text, sizeof s->unsent.text,
                 "table %.100s: a row whose key is NULL is not sent: the other PCs do not have it,"
                 " and other rows go on",
                 b->app->name);
    else if (u->is_still && s->unsent.text[0] == '\0')
        snprintf(s->unsent.text, sizeof s->unsent.text,
                 "table %.100s: a row whose key has %" PRId64 " bytes is not sent, the limit is %u:"
                 " the other PCs do not have it, and other rows go on",
                 b->app->name, bytes, KEY_BYTES_MAX);
    return true;
}

static bool forget_cells(struct store *s, const struct look *look, struct err *e)
{
    bool ok = true;

    for (uint32_t i = 0; ok && i < look->n; i++)
        ok = look->list[i].is_still || run(s, "DELETE FROM unsent WHERE gid = ?1 AND position = ?2",
                                           look->list[i].gid, look->list[i].position, e);
    return ok;
}

static bool forget_tables(struct store *s, struct err *e)
{
    struct unsent *u = &s->unsent;
    bool ok = true;

    for (uint32_t i = 0; ok && i < u->n; i++)
        ok = u->tables[i].is_still || flag(s, u->tables[i].table, false, e);
    return ok;
}

/* Note what is still to be noted, and forget what is not so any more. */
static bool settle(struct store *s, const struct look *look, struct err *e)
{
    struct unsent *u = &s->unsent;
    bool change = look->still < look->n, ok;
    uint32_t n = 0;

    for (uint32_t i = 0; i < u->n; i++)
        change |= !u->tables[i].is_still || !u->tables[i].saved;
    if (!change)
        return true;
    ok = ledger_begin(&s->ledger, true, e) && unsent_save(s, e) && forget_cells(s, look, e) &&
         forget_tables(s, e) && ledger_commit(&s->ledger, e);
    if (!ok) {
        ledger_rollback(&s->ledger);
        return false;
    }
    for (uint32_t i = 0; i < u->n; i++) {
        u->tables[i].saved = true;
        if (u->tables[i].is_still)
            u->tables[n++] = u->tables[i];
    }
    u->n = n;
    return true;
}

static bool look_again(struct store *s, struct err *e)
{
    struct look look = {0};
    bool ok = appdb_same_schema(&s->app, e) && read_suspects(s, &look, e);

    s->unsent.text[0] = '\0';
    for (uint32_t i = 0; ok && i < look.n; i++)
        ok = ask_file(s, &look.list[i], &look, e);
    for (uint32_t i = 0; ok && i < s->unsent.n; i++)
        ok = ask_table(s, &s->unsent.tables[i], e);
    ledger_rest(&s->ledger);
    ok = ok && settle(s, &look, e);
    s->unsent.any = !ok || look.n > 0 || s->unsent.n > 0;
    return ok;
}

bool unsent_look(struct store *s, struct err *e)
{
    struct unsent *u = &s->unsent;
    struct unsent before = *u;

    if (!u->any || s->ledger.open || s->bindings == NULL ||
        (u->looked && u->cursor == s->ledger.cursor && u->batch == s->ledger.batch &&
         u->reads == s->app.reads))
        return true;
    u->looked = true;
    u->cursor = s->ledger.cursor;
    u->batch = s->ledger.batch;
    u->reads = s->app.reads;
    if (look_again(s, e))
        return true;
    *u = before;
    if (e->code != ERR_BUSY)
        return false;
    err_clear(e);
    return true;
}
