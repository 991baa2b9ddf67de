/* Reading the marks that the triggers wrote, and the record of what was applied to the
 * application's file. */
#include "capture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "unsent.h"

/* READ is written for the width of the table, below. */
#define STATEMENTS(X)                                                                              \
    X(LAST, "SELECT id, t FROM _navette_dirty ORDER BY id DESC LIMIT 1")                           \
    X(TIME, "SELECT id, t FROM _navette_dirty WHERE id = :id")                                     \
    X(FIRST, "SELECT id, t FROM _navette_dirty ORDER BY id LIMIT 1")                               \
    X(PURGE, "DELETE FROM _navette_dirty WHERE id < :keep AND id < :most"                          \
             " AND id < (SELECT max(id) FROM _navette_dirty)")                                     \
    X(TOKEN_READ, "SELECT token FROM _navette_state WHERE id = 1")                                 \
    X(STATE_READ,                                                                                  \
      "SELECT token, batch, previous, payload, fleet, point FROM _navette_state WHERE id = 1")     \
    X(STATE_WRITE, "INSERT OR REPLACE INTO"                                                        \
                   " _navette_state(id, token, batch, previous, payload, fleet, point, ledger)"    \
                   " VALUES (1, :token, :batch, :previous, :payload, :fleet, :point, :ledger)")    \
    X(POINT_WRITE, "UPDATE _navette_state SET point = :point, fleet = :fleet, ledger = :ledger"    \
                   " WHERE id = 1")                                                                \
    X(TOKEN_WRITE, "UPDATE _navette_state SET token = :token WHERE id = 1")                        \
    X(LEDGER_READ, "SELECT ledger FROM _navette_state WHERE id = 1")                               \
    X(PLACED_READ, "SELECT id, rows FROM _navette_placed WHERE id > :after ORDER BY id LIMIT 1")   \
    X(PLACED_LAST, "SELECT coalesce(max(id), 0) FROM _navette_placed")                             \
    X(PLACED_ADD, "INSERT INTO _navette_placed(rows) VALUES (:rows)")                              \
    X(PLACED_CLEAR, "DELETE FROM _navette_placed")

#define AS_NAME(name, sql) name,
#define AS_TEXT(name, sql) sql,
enum { READ = APPDB_MARKS, BEFORE_FIRST = READ, STATEMENTS(AS_NAME) STATEMENTS_END };
static const char *const statement_sql[] = {STATEMENTS(AS_TEXT)};
_Static_assert((int)STATEMENTS_END <= (int)APPDB_STATEMENTS, "marks.c has outgrown its places");

enum { COLUMN_ID, COLUMN_TABLE, COLUMN_OP, COLUMN_TIME, COLUMN_KEY };

static const struct value nothing[KEY_COLUMNS_MAX];

static bool statement(struct appdb *a, int which, struct sqlite3_stmt **s, struct err *e)
{
    return appdb_statement(a, (uint32_t)which, statement_sql[which - BEFORE_FIRST - 1], s, e);
}

static bool read_statement(struct appdb *a, struct sqlite3_stmt **s, struct err *e)
{
    sqlite3_str *sql;
    char *text;
    bool ok;

    if (a->statements[READ] != NULL) {
        *s = a->statements[READ];
        return true;
    }
    sql = sqlite3_str_new(a->db);
    sqlite3_str_appendall(sql, "SELECT id, tbl, op, t");
    for (uint32_t i = 1; i <= a->mark_width; i++)
        sqlite3_str_appendf(sql, ", k%u, o%u", i, i);
    sqlite3_str_appendall(sql, " FROM _navette_dirty WHERE id > :after ORDER BY id");
    text = sqlite3_str_finish(sql);
    ok = appdb_statement(a, READ, text, s, e);
    sqlite3_free(text);
    return ok;
}

/* An application may have its own julianday; what it says must at least be a day of this calendar.
 */
static double read_time(struct sqlite3_stmt *s, int column)
{
    double t = sqlite3_column_double(s, column);

    return isfinite(t) && t >= 0 && t < 5373485 ? t : 0;
}

/* While reading, values and bytes may move; settle() lets the marks point at them. */
static void copy_values(struct marks *out, const struct value *values, uint32_t n)
{
    if (out->values_n + n > out->values_room) {
        out->values_room = out->values_room == 0 ? 256 : out->values_room * 2;
        out->values = mem_grow(out->values, out->values_room * sizeof *out->values);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (values[i].type == VALUE_TEXT || values[i].type == VALUE_BLOB)
            buf_add(&out->bytes, values[i].bytes.p, values[i].bytes.n);
        out->values[out->values_n++] = values[i];
    }
}

/* Values lie in the order of their marks, bytes in the order of their values. */
static void settle(struct marks *out)
{
    const uint8_t *bytes = out->bytes.p;
    const struct value *next = out->values;

    for (size_t i = 0; i < out->values_n; i++) {
        struct value *v = &out->values[i];

        if ((v->type == VALUE_TEXT || v->type == VALUE_BLOB) && v->bytes.n > 0) {
            v->bytes.p = bytes;
            bytes += v->bytes.n;
        } else if (v->type == VALUE_TEXT || v->type == VALUE_BLOB) {
            v->bytes.p = (const uint8_t *)"";
        }
    }
    for (uint32_t i = 0; i < out->n; i++) {
        struct mark *m = &out->marks[i];

        m->key = next;
        next += m->key_count;
        m->old = m->moved ? next : nothing;
        next += m->moved ? m->key_count : 0;
    }
}

/* The old key, if the mark has one that differs from the new one. */
static bool read_old(struct appdb *a, struct sqlite3_stmt *s, struct mark *m,
                     const struct value *key, struct value *old)
{
    bool any = false;
    bool same = true;

    for (uint32_t i = 0; i < m->key_count && i < a->mark_width; i++) {
        old[i] = value_of_column(s, COLUMN_KEY + 2 * (int)i + 1);
        any = any || old[i].type != VALUE_NULL;
        same = same && value_equal(&old[i], &key[i]);
    }
    return any && !same;
}

/* Nobody is sent it: it names no row, or it may be longer than all that is kept of the marks. */
static bool drop_unsent(struct value *key, uint32_t n)
{
    if (!unsent_key(key, n))
        return false;
    memset(key, 0, n * sizeof *key);
    return true;
}

/* Add the mark the statement stands on; false if its bytes do not fit any more. */
static bool add_mark(struct appdb *a, const struct app_table *t, struct sqlite3_stmt *s,
                     struct marks *out)
{
    struct value key[KEY_COLUMNS_MAX] = {0};
    struct value old[KEY_COLUMNS_MAX] = {0};
    size_t bytes_before = out->bytes.n;
    size_t values_before = out->values_n;
    struct mark *m;

    if (out->n == out->room) {
        out->room = out->room == 0 ? 64 : out->room * 2;
        out->marks = mem_grow(out->marks, out->room * sizeof *out->marks);
    }
    m = &out->marks[out->n];
    *m = (struct mark){.id = sqlite3_column_int64(s, COLUMN_ID), .table = t->number};
    m->op = sqlite3_column_int(s, COLUMN_OP);
    if (m->op < MARK_INSERT || m->op > MARK_DELETE)
        m->op = MARK_UPDATE; /* whatever it was, its row is to be looked at */
    m->julian_day = read_time(s, COLUMN_TIME);
    m->key_count = t->key_count;
    for (uint32_t i = 0; i < t->key_count && i < a->mark_width; i++)
        key[i] = value_of_column(s, COLUMN_KEY + 2 * (int)i);
    m->moved = m->op == MARK_UPDATE && read_old(a, s, m, key, old);
    m->long_key = drop_unsent(key, m->key_count);
    m->long_old = m->moved && drop_unsent(old, m->key_count);
    copy_values(out, key, m->key_count);
    if (m->moved)
        copy_values(out, old, m->key_count);
    if (out->bytes.overflow) {
        out->bytes.overflow = false;
        out->bytes.n = bytes_before;
        out->values_n = values_before;
        return false;
    }
    out->n++;
    return true;
}

static bool read_rows(struct appdb *a, struct sqlite3_stmt *s, uint32_t max, struct marks *out,
                      struct err *e)
{
    const struct app_table *t = NULL;
    int rc = SQLITE_DONE;

    while (out->n < max && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        int64_t number = sqlite3_column_int64(s, COLUMN_TABLE);

        if (t == NULL || t->number != number)
            t = appdb_table_numbered(a, number);
        if (t != NULL && !add_mark(a, t, s, out)) {
            if (out->n > 0)
                return true;
            return err_set(e, ERR_LIMIT, "table %s: a key of more than %zu bytes", t->name,
                           out->bytes.max);
        }
        out->last = sqlite3_column_int64(s, COLUMN_ID);
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return sqlite_err(a->db, "read the marks", e);
    return true;
}

bool marks_read(struct appdb *a, int64_t after, uint32_t max, struct marks *out, struct err *e)
{
    struct sqlite3_stmt *s;
    bool ok;

    out->n = 0;
    out->values_n = 0;
    out->last = after;
    if (out->bytes.max == 0)
        buf_open(&out->bytes, MARKS_BYTES_MAX);
    buf_clear(&out->bytes);
    if (!a->installed)
        return true;
    if (!read_statement(a, &s, e))
        return false;
    ok = sqlite3_bind_int64(s, 1, after) == SQLITE_OK || sqlite_err(a->db, "read the marks", e);
    ok = ok && read_rows(a, s, max, out, e);
    sqlite3_reset(s);
    settle(out);
    return ok;
}

void marks_close(struct marks *m)
{
    free(m->marks);
    free(m->values);
    buf_close(&m->bytes);
    *m = (struct marks){0};
}

/* One row of (id, t), or none. */
static bool read_mark(struct appdb *a, struct sqlite3_stmt *s, int64_t *id, double *julian_day,
                      bool *found, struct err *e)
{
    int rc = sqlite3_step(s);

    *found = rc == SQLITE_ROW;
    *id = *found ? sqlite3_column_int64(s, 0) : 0;
    *julian_day = *found ? read_time(s, 1) : 0;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        sqlite_err(a->db, "read a mark", e);
    sqlite3_reset(s);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

bool marks_last(struct appdb *a, int64_t *id, double *julian_day, struct err *e)
{
    struct sqlite3_stmt *s;
    bool found;

    *id = 0;
    *julian_day = 0;
    return !a->installed ||
           (statement(a, LAST, &s, e) && read_mark(a, s, id, julian_day, &found, e));
}

bool marks_first(struct appdb *a, int64_t *id, struct err *e)
{
    struct sqlite3_stmt *s;
    double julian_day;
    bool found;

    *id = 0;
    return !a->installed ||
           (statement(a, FIRST, &s, e) && read_mark(a, s, id, &julian_day, &found, e));
}

bool marks_time(struct appdb *a, int64_t id, double *julian_day, bool *found, struct err *e)
{
    struct sqlite3_stmt *s;
    int64_t same;

    *found = false;
    *julian_day = 0;
    if (!a->installed)
        return true;
    if (!statement(a, TIME, &s, e))
        return false;
    if (sqlite3_bind_int64(s, 1, id) != SQLITE_OK)
        return sqlite_err(a->db, "read a mark", e);
    return read_mark(a, s, &same, julian_day, found, e);
}

bool marks_purge(struct appdb *a, int64_t keep, struct err *e)
{
    struct sqlite3_stmt *s;
    int64_t first;

    if (!a->installed)
        return true;
    if (!marks_first(a, &first, e) || !statement(a, PURGE, &s, e))
        return false;
    if (sqlite3_bind_int64(s, 1, keep) != SQLITE_OK ||
        sqlite3_bind_int64(s, 2, first + MARKS_PURGED_MAX) != SQLITE_OK)
        return sqlite_err(a->db, "purge the marks", e);
    return appdb_run(a, s, "purge the marks", e);
}

/* ---- what was applied ---- */

static bool read_token(struct sqlite3_stmt *s, int column, uint8_t *token, struct err *e)
{
    if (sqlite3_column_type(s, column) == SQLITE_NULL)
        return true; /* zeros: before the first apply there is no previous one */
    if (sqlite3_column_bytes(s, column) != APP_TOKEN_BYTES)
        return err_set(e, ERR_INPUT, "_navette_state holds a token of %d bytes, not %d",
                       sqlite3_column_bytes(s, column), APP_TOKEN_BYTES);
    memcpy(token, sqlite3_column_blob(s, column), APP_TOKEN_BYTES);
    return true;
}

static bool read_state(struct sqlite3_stmt *s, struct app_state *out, struct err *e)
{
    const void *payload = sqlite3_column_blob(s, 3);
    int n = sqlite3_column_bytes(s, 3);

    if (!read_token(s, 0, out->token, e) || !read_token(s, 2, out->previous, e))
        return false;
    out->batch = sqlite3_column_int64(s, 1);
    buf_open(&out->payload, APP_PAYLOAD_BYTES_MAX);
    if (n > 0)
        buf_add(&out->payload, payload, (size_t)n);
    if (out->payload.overflow)
        return err_set(e, ERR_LIMIT, "_navette_state holds %d bytes, allowed are %d", n,
                       APP_PAYLOAD_BYTES_MAX);
    buf_open(&out->point, APP_POINT_BYTES_MAX);
    if (sqlite3_column_bytes(s, 5) > 0)
        buf_add(&out->point, sqlite3_column_blob(s, 5), (size_t)sqlite3_column_bytes(s, 5));
    out->fleet_known = sqlite3_column_bytes(s, 4) == FLEET_ID_BYTES;
    if (out->fleet_known)
        memcpy(out->fleet, sqlite3_column_blob(s, 4), FLEET_ID_BYTES);
    out->found = true;
    return true;
}

bool app_token_read(struct appdb *a, uint8_t token[APP_TOKEN_BYTES], struct err *e)
{
    struct sqlite3_stmt *s;
    bool ok = true;
    int rc;

    memset(token, 0, APP_TOKEN_BYTES);
    if (!statement(a, TOKEN_READ, &s, e))
        return false;
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        ok = read_token(s, 0, token, e);
    else if (rc != SQLITE_DONE)
        ok = sqlite_err(a->db, "read _navette_state", e);
    sqlite3_reset(s);
    return ok;
}

bool app_state_read(struct appdb *a, struct app_state *out, struct err *e)
{
    struct sqlite3_stmt *s;
    bool ok = true;
    int rc;

    app_state_close(out);
    if (!a->installed)
        return true;
    if (!statement(a, STATE_READ, &s, e))
        return false;
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        ok = read_state(s, out, e);
    else if (rc != SQLITE_DONE)
        ok = sqlite_err(a->db, "read _navette_state", e);
    sqlite3_reset(s);
    return ok;
}

static struct value ledger_value(const struct appdb *a)
{
    if (a->ledger == NULL)
        return (struct value){.type = VALUE_NULL};
    return (struct value){.type = VALUE_TEXT, .bytes = slice_text(a->ledger)};
}

bool app_state_write(struct appdb *a, const struct app_state *state, struct err *e)
{
    struct value values[] = {
        {.type = VALUE_BLOB, .bytes = SLICE(state->token)},
        {.type = VALUE_INT, .i = state->batch},
        {.type = VALUE_BLOB, .bytes = SLICE(state->previous)},
        {.type = VALUE_BLOB, .bytes = buf_slice(&state->payload)},
        {.type = VALUE_BLOB, .bytes = {a->fleet, a->fleet == NULL ? 0 : FLEET_ID_BYTES}},
        {.type = VALUE_BLOB, .bytes = buf_slice(&state->point)},
        ledger_value(a),
    };
    struct sqlite3_stmt *s;
    bool ok = true;

    if (state->payload.n > APP_PAYLOAD_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "a record of %zu bytes for _navette_state, allowed are %d",
                       state->payload.n, APP_PAYLOAD_BYTES_MAX);
    if (!statement(a, STATE_WRITE, &s, e))
        return false;
    for (size_t i = 0; i < COUNT_OF(values); i++)
        ok = ok && value_bind(s, (int)i + 1, &values[i]);
    if (!ok)
        return sqlite_err(a->db, "write _navette_state", e);
    ok = appdb_run(a, s, "write _navette_state", e);
    sqlite3_clear_bindings(s);
    return ok;
}

/* Run a statement whose only parameter, if any, is these bytes. */
static bool run_bytes(struct appdb *a, int which, const struct slice *bytes, const char *doing,
                      struct err *e)
{
    struct sqlite3_stmt *s;
    bool ok;

    if (!statement(a, which, &s, e))
        return false;
    if (bytes != NULL && !value_bind(s, 1, &(struct value){.type = VALUE_BLOB, .bytes = *bytes}))
        return sqlite_err(a->db, doing, e);
    ok = appdb_run(a, s, doing, e);
    sqlite3_clear_bindings(s);
    return ok;
}

bool app_ledger_read(struct appdb *a, char **path, struct err *e)
{
    struct sqlite3_stmt *s;
    bool ok = true;
    int rc;

    *path = NULL;
    if (!statement(a, LEDGER_READ, &s, e))
        return false;
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW && sqlite3_column_type(s, 0) == SQLITE_TEXT)
        *path = mem_text((const char *)sqlite3_column_text(s, 0));
    else if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        ok = sqlite_err(a->db, "read _navette_state", e);
    sqlite3_reset(s);
    return ok;
}

bool app_point_write(struct appdb *a, struct slice point, struct err *e)
{
    struct value fleet = {.type = VALUE_BLOB,
                          .bytes = {a->fleet, a->fleet == NULL ? 0 : FLEET_ID_BYTES}};
    struct value ledger = ledger_value(a);
    struct sqlite3_stmt *s;

    if (!statement(a, POINT_WRITE, &s, e))
        return false;
    if (!value_bind(s, 2, &fleet) || !value_bind(s, 3, &ledger))
        return sqlite_err(a->db, "write _navette_state", e);
    return run_bytes(a, POINT_WRITE, &point, "write _navette_state", e);
}

bool app_token_write(struct appdb *a, const uint8_t token[APP_TOKEN_BYTES], struct err *e)
{
    struct slice bytes = {token, APP_TOKEN_BYTES};

    return run_bytes(a, TOKEN_WRITE, &bytes, "write _navette_state", e);
}

bool app_placed_last(struct appdb *a, int64_t *id, struct err *e)
{
    struct sqlite3_stmt *s;
    bool ok;

    if (!statement(a, PLACED_LAST, &s, e))
        return false;
    ok = sqlite3_step(s) == SQLITE_ROW;
    *id = ok ? sqlite3_column_int64(s, 0) : 0;
    if (!ok)
        sqlite_err(a->db, "read _navette_placed", e);
    sqlite3_reset(s);
    return ok;
}

bool app_placed_add(struct appdb *a, struct slice rows, struct err *e)
{
    return run_bytes(a, PLACED_ADD, &rows, "write _navette_placed", e);
}

bool app_placed_clear(struct appdb *a, struct err *e)
{
    return run_bytes(a, PLACED_CLEAR, NULL, "clear _navette_placed", e);
}

bool app_placed_next(struct appdb *a, int64_t *id, struct buf *rows, bool *found, struct err *e)
{
    struct sqlite3_stmt *s;
    int rc;

    *found = false;
    buf_clear(rows);
    if (!statement(a, PLACED_READ, &s, e))
        return false;
    if (sqlite3_bind_int64(s, 1, *id) != SQLITE_OK)
        return sqlite_err(a->db, "read _navette_placed", e);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        *found = true;
        *id = sqlite3_column_int64(s, 0);
        buf_add(rows, sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1));
    } else if (rc != SQLITE_DONE) {
        sqlite_err(a->db, "read _navette_placed", e);
    }
    sqlite3_reset(s);
    return e->code == ERR_NONE &&
           (!rows->overflow ||
            err_set(e, ERR_LIMIT, "a row of _navette_placed is longer than %zu", rows->max));
}

void app_state_close(struct app_state *s)
{
    buf_close(&s->payload);
    buf_close(&s->point);
    *s = (struct app_state){0};
}
