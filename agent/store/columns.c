#include "columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "column_notes.h"
#include "counter.h"
#include "scan.h"

#define FILL_BYTES_MAX  65536 /* of a value that is remembered as filled in */
#define GUESS_ROWS_MAX  20000 /* compared to see whether a column is an old one */
#define GUESS_PAIRS_MAX 64

/* A column that a rule keeps here is still there. */
static bool is_local(const struct store *s, const struct binding *b, const char *name)
{
    return app_column_index(b->app, slice_text(name)) < 0 &&
           rules_find(&s->roster->rules, RULE_LOCAL, b->app->name, name) != NULL;
}

static bool notes_write(struct store *s, const struct binding *b, const struct notes *n,
                        struct err *e)
{
    const struct ledger_table *t = &s->ledger.tables[b->table - 1];
    struct notes now = {0};
    bool ok;

    for (uint32_t i = 0; i < b->app->column_count; i++) {
        const struct fresh *f = columns_fresh(b, i);
        const struct noted *was = notes_find(n, b->app->columns[i].name);

        *notes_add(&now) =
            (struct noted){.state = f == NULL ? NOTED_SETTLED : NOTED_FRESH,
                           .refers = b->app->columns[i].ref_table >= 0,
                           .came = was != NULL ? was->came
                                   : n->n > 0  ? s->ledger.point
                                               : NOTED_ALWAYS,
                           .name = b->app->columns[i].name,
                           .before = f == NULL || f->from < 0 ? "" : t->columns[f->from]};
    }
    for (uint32_t i = 0; i < n->n; i++)
        if (is_local(s, b, n->list[i].name))
            *notes_add(&now) = (struct noted){.state = NOTED_LOCAL,
                                              .came = n->list[i].came,
                                              .name = n->list[i].name,
                                              .before = ""};
    ok = notes_save(s, b->table, &now, e);
    notes_close(&now);
    return ok;
}

bool columns_later(struct store *s, const struct binding *b, int64_t point, bool *later,
                   struct err *e)
{
    struct notes n;
    bool ok = notes_read(s, b->table, &n, e);

    for (uint32_t i = 0; ok && i < b->app->column_count; i++) {
        const struct noted *c = notes_find(&n, b->app->columns[i].name);

        later[i] = c != NULL && c->state == NOTED_SETTLED && c->came >= point;
    }
    notes_close(&n);
    return ok;
}

bool columns_had(struct store *s, uint32_t table, const struct app_table *t, bool *had,
                 struct err *e)
{
    struct notes n;
    bool ok = notes_read(s, table, &n, e);

    for (uint32_t i = 0; ok && i < t->column_count; i++)
        had[i] = notes_find(&n, t->columns[i].name) != NULL;
    notes_close(&n);
    return ok;
}

/* ---- fresh columns ---- */

const struct fresh *columns_fresh(const struct binding *b, uint32_t column)
{
    return b->fresh != NULL && b->fresh[column].is ? &b->fresh[column] : NULL;
}

bool columns_left_behind(const struct binding *b, uint32_t column, const struct record *rec)
{
    const struct fresh *f = columns_fresh(b, column);
    const struct cell *was, *have;

    if (f == NULL || f->from < 0)
        return false;
    was = record_get(rec, (uint32_t)f->from);
    have = record_get(rec, b->position[column]);
    return was != NULL && (have == NULL || counter_stamp(have) < counter_stamp(was));
}

void columns_close(struct binding *b)
{
    for (uint32_t i = 0; i < b->fresh_count; i++) /* the schema that b->app is of may be gone */
        free(b->fresh[i].fill);
    free(b->fresh);
    b->fresh = NULL;
    b->fresh_count = 0;
}

static int find_position(const struct ledger_table *t, const char *name)
{
    for (uint32_t i = 0; i < t->column_count; i++)
        if (sqlite3_stricmp(t->columns[i], name) == 0)
            return (int)i;
    return -1;
}

/* Which columns are fresh; `arrived`: how many were not there last time. */
static uint32_t mark_fresh(struct store *s, struct binding *b, const struct notes *n,
                           uint32_t *arrived)
{
    const struct ledger_table *t = &s->ledger.tables[b->table - 1];
    uint32_t fresh = 0;

    *arrived = 0;
    b->fresh = mem_alloc((b->app->column_count + 1) * sizeof *b->fresh);
    b->fresh_count = b->app->column_count;
    for (uint32_t i = 0; i < b->app->column_count; i++) {
        const struct noted *was = notes_find(n, b->app->columns[i].name);
        struct fresh *f = &b->fresh[i];

        f->is = (was == NULL || was->state != NOTED_SETTLED) && !b->is_key[i];
        f->from = was != NULL && was->before[0] != '\0' ? find_position(t, was->before) : -1;
        fresh += f->is;
        *arrived += f->is && was == NULL;
    }
    return fresh;
}

/* What others said of a column that this file did not have is not what the file holds there. */
static bool strip_row(struct store *s, const struct binding *b, const struct notes *n,
                      struct record *r, const struct ledger_row *row, sqlite3_stmt *put,
                      struct buf *room, struct err *e)
{
    bool any = false;

    if (row->minted)
        return true;
    if (!record_decode(r, row->differs ? row->shadow : row->rec, e))
        return false;
    for (uint32_t i = 0; i < b->app->column_count; i++) {
        if (columns_fresh(b, i) == NULL || notes_find(n, b->app->columns[i].name) != NULL ||
            record_get(r, b->position[i]) == NULL)
            continue;
        *record_cell(r, b->position[i]) = (struct cell){0};
        any = true;
    }
    if (!any)
        return true;
    buf_clear(room);
    record_encode(r, room);
    sqlite3_reset(put);
    sqlite3_bind_int64(put, 1, row->gid);
    sqlite3_bind_blob64(put, 2, room->p, room->n, SQLITE_STATIC);
    return sqlite3_step(put) == SQLITE_DONE ||
           ledger_err(&s->ledger, "note that a table has a new column", e);
}

static bool strip(struct store *s, struct binding *b, const struct notes *n, struct err *e)
{
    sqlite3_stmt *put = ledger_prepare(&s->ledger, "UPDATE row SET shadow = ?2 WHERE gid = ?1", e);
    sqlite3_stmt *q = put == NULL ? NULL : scan_ledger(s, b->table, true, e);
    struct record r = {0};
    struct ledger_row row;
    struct buf room;
    int code = q == NULL ? -1 : 1;

    buf_open(&room, SIZE_MAX / 2);
    while (code == 1 && (code = scan_ledger_step(s, q, &row, e)) == 1)
        if (!strip_row(s, b, n, &r, &row, put, &room, e))
            code = -1;
    sqlite3_finalize(q);
    sqlite3_finalize(put);
    record_close(&r);
    buf_close(&room);
    return code == 0;
}

/* ---- is it an old column under a new name? ---- */

struct pair {
    uint32_t column;   /* fresh */
    uint32_t position; /* of one that went */
    bool in_place;     /* it stands where the other one stood */
    bool alone;        /* ... and no other one went there */
    bool sure;         /* ... and nothing else can stand there */
    uint32_t equal;
    bool varied; /* not all that is equal is one value */
};

struct guess {
    struct pair pairs[GUESS_PAIRS_MAX];
    uint32_t n, rows;
    int64_t marked; /* so many of the rows at most were written since the file was read last */
    struct value first[GUESS_PAIRS_MAX];
    struct arena arena;
};

static bool stays(const struct binding *b, const struct noted *c)
{
    return c->state == NOTED_LOCAL || app_column_index(b->app, slice_text(c->name)) >= 0;
}

static bool is_there_since(const struct binding *b, const struct notes *n, uint32_t column)
{
    return notes_find(n, b->app->columns[column].name) != NULL;
}

/* Columns that stay are like posts. `gone` went and `came` is new between the same two of them (the
 * last one has none behind it), after as many others; sure, if as many came there as went. */
static void find_place(const struct binding *b, const struct notes *n, uint32_t gone,
                       struct pair *p)
{
    uint32_t old = gone, now = p->column, old_end = gone, now_end = p->column;
    bool posts;

    while (old > 0 && !stays(b, &n->list[old - 1]))
        old--;
    while (now > 0 && !is_there_since(b, n, now - 1))
        now--;
    while (old_end < n->n && !stays(b, &n->list[old_end]))
        old_end++;
    while (now_end < b->app->column_count && !is_there_since(b, n, now_end))
        now_end++;
    posts =
        (old == 0) == (now == 0) &&
        (old == 0 || sqlite3_stricmp(n->list[old - 1].name, b->app->columns[now - 1].name) == 0);
    p->in_place = posts && gone - old == p->column - now;
    p->alone = p->in_place && old_end - old == 1;
    p->sure = p->in_place && old_end < n->n && now_end < b->app->column_count &&
              old_end - old == now_end - now &&
              sqlite3_stricmp(n->list[old_end].name, b->app->columns[now_end].name) == 0;
}

/* Under which name the ledger has what the column held: until it was settled, under the one that it
 * had before. */
static int find_cells(const struct ledger_table *t, const struct noted *c)
{
    bool before = c->state == NOTED_FRESH && c->before[0] != '\0';

    return find_position(t, before ? c->before : c->name);
}

static void guess_pairs(struct store *s, const struct binding *b, const struct notes *n,
                        struct guess *g)
{
    const struct ledger_table *t = &s->ledger.tables[b->table - 1];

    for (uint32_t k = 0; k < n->n; k++) {
        int position = find_cells(t, &n->list[k]);

        if (stays(b, &n->list[k]) || position < 0 || is_local(s, b, n->list[k].name))
            continue;
        for (uint32_t i = 0; i < b->app->column_count && g->n < GUESS_PAIRS_MAX; i++) {
            struct pair *p = &g->pairs[g->n];

            if (columns_fresh(b, i) == NULL || is_there_since(b, n, i))
                continue;
            *p = (struct pair){.column = i, .position = (uint32_t)position};
            find_place(b, n, k, p);
            g->n++;
        }
    }
}

static bool guess_row(struct store *s, struct guess *g, const struct record *base,
                      const struct value *values, struct buf *room, struct err *e)
{
    g->rows++;
    for (uint32_t i = 0; i < g->n; i++) {
        struct pair *p = &g->pairs[i];
        const struct cell *c = record_get(base, p->position);
        struct value local;
        bool known;

        if (c == NULL)
            continue;
        if (!scan_local(s, &c->v, &local, &known, room, e))
            return false;
        if (!known || !value_equal(&local, &values[p->column]))
            continue;
        if (p->equal++ == 0)
            g->first[i] = arena_value(&g->arena, &local);
        else
            p->varied |= !value_equal(&local, &g->first[i]);
    }
    return true;
}

static bool guess_rows(struct store *s, struct binding *b, struct guess *g, struct err *e)
{
    struct value *values = mem_alloc(b->app->column_count * sizeof *values);
    sqlite3_stmt *q = scan_open(s, b, e);
    struct record r = {0};
    struct buf key, room;
    int code = q == NULL ? -1 : 1;

    buf_open(&key, VALUE_BYTES_MAX * 2);
    buf_open(&room, VALUE_BYTES_MAX + 64);
    while (code == 1 && g->rows < GUESS_ROWS_MAX && (code = scan_step(s, q, b, values, e)) == 1) {
        struct row_key k = key_of_row(b->app, values, &key);
        struct ledger_row row;
        bool found;

        if (!ledger_row_by_key(&s->ledger, b->table, &k, false, &row, &found, e))
            code = -1;
        else if (found && !row.minted &&
                 (!record_decode(&r, row.differs ? row.shadow : row.rec, e) ||
                  !guess_row(s, g, &r, values, &room, e)))
            code = -1;
    }
    sqlite3_finalize(q);
    record_close(&r);
    buf_close(&key);
    buf_close(&room);
    free(values);
    return code >= 0;
}

/* Nearly all rows hold there what they held in the old one; where it stands in the same place, half
 * of them will do, and it may be one value in all of them. Where nothing else can stand in that
 * place, rows that were written since say nothing against it. */
static bool is_renamed(const struct guess *g, const struct pair *p)
{
    if (p->sure && g->rows - p->equal <= g->marked)
        return true;
    if (p->equal == 0)
        return false;
    return p->in_place ? p->equal >= g->rows - p->equal
                       : p->varied && p->equal / 9 >= g->rows - p->equal;
}

/* Of several that went, the one is meant that tells most: nothing else can stand there, or more
 * rows hold what they held in it. */
static bool is_best(const struct guess *g, const struct pair *p)
{
    for (uint32_t i = 0; i < g->n; i++) {
        const struct pair *other = &g->pairs[i];

        if (other->column != p->column || !is_renamed(g, other))
            continue;
        if (other->sure != p->sure     ? other->sure
            : other->equal != p->equal ? other->equal > p->equal
                                       : other->in_place && !p->in_place)
            return false;
    }
    return true;
}

/* SELECT of the keys of its rows that were written since the file was read last; NULL: it has no
 * triggers yet, so nobody knows. Free with sqlite3_free. */
static char *marked_keys(struct store *s, const struct binding *b)
{
    sqlite3_str *sql;

    if (b->app->number == 0 || b->app->key_count > s->app.mark_width)
        return NULL;
    sql = sqlite3_str_new(s->app.db);
    sqlite3_str_appendall(sql, "SELECT DISTINCT k1");
    for (uint32_t i = 1; i < b->app->key_count; i++)
        sqlite3_str_appendf(sql, ", k%u", i + 1);
    sqlite3_str_appendf(sql, " FROM main._navette_dirty WHERE id > %lld AND tbl = %lld",
                        (long long)s->ledger.cursor, (long long)b->app->number);
    return sqlite3_str_finish(sql);
}

static bool count_marked(struct store *s, const struct binding *b, int64_t *n, struct err *e)
{
    char *keys = marked_keys(s, b), *sql;
    sqlite3_stmt *q = NULL;
    int code;

    *n = 0;
    if (keys == NULL)
        return true;
    sql = sqlite3_mprintf("SELECT count(*) FROM (%s)", keys);
    code = sqlite3_prepare_v2(s->app.db, sql, -1, &q, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(q);
    if (code == SQLITE_ROW)
        *n = sqlite3_column_int64(q, 0);
    else
        sqlite_err(s->app.db, b->app->name, e);
    sqlite3_finalize(q);
    sqlite3_free(sql);
    sqlite3_free(keys);
    return code == SQLITE_ROW;
}

/* What the column's DEFAULT says; "NULL" if it has none. Free with sqlite3_free; NULL: it cannot be
 * NULL and has none. */
static bool find_default(struct store *s, const struct binding *b, uint32_t column, char **text,
                         struct err *e)
{
    static const char sql[] = "SELECT dflt_value, \"notnull\" FROM pragma_table_xinfo(?1, 'main')"
                              " WHERE name = ?2";
    sqlite3_stmt *q = NULL;
    int code = sqlite3_prepare_v2(s->app.db, sql, -1, &q, NULL);

    *text = NULL;
    if (code == SQLITE_OK) {
        sqlite3_bind_text(q, 1, b->app->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(q, 2, b->app->columns[column].name, -1, SQLITE_STATIC);
        code = sqlite3_step(q);
    }
    if (code == SQLITE_ROW && sqlite3_column_type(q, 0) != SQLITE_NULL)
        *text = sqlite3_mprintf("%s", (const char *)sqlite3_column_text(q, 0));
    else if (code == SQLITE_ROW && sqlite3_column_int(q, 1) == 0)
        *text = sqlite3_mprintf("NULL");
    else if (code != SQLITE_ROW)
        sqlite_err(s->app.db, b->app->name, e);
    sqlite3_finalize(q);
    return code == SQLITE_ROW;
}

/* A column that cannot be NULL and has no default comes to a table with rows only where that is
 * made anew, and loses its triggers. Else it is the one that went from its place. */
static bool find_sure(struct store *s, const struct binding *b, struct guess *g, struct err *e)
{
    bool kept = s->ledger.tables[b->table - 1].scan == SCAN_NONE, ok = true;

    for (uint32_t i = 0; ok && i < g->n && g->rows > 0; i++) {
        struct pair *p = &g->pairs[i];
        char *text = NULL;

        if (!kept || !p->alone || p->sure)
            continue;
        ok = find_default(s, b, p->column, &text, e);
        p->sure = ok && text == NULL;
        sqlite3_free(text);
    }
    return ok;
}

static bool find_renamed(struct store *s, struct binding *b, const struct notes *n, struct err *e)
{
    struct guess g = {0};
    bool ok;

    guess_pairs(s, b, n, &g);
    ok = g.n == 0 ||
         (guess_rows(s, b, &g, e) && find_sure(s, b, &g, e) && count_marked(s, b, &g.marked, e));
    for (uint32_t i = 0; ok && i < g.n; i++) {
        struct fresh *f = &b->fresh[g.pairs[i].column];

        if (is_renamed(&g, &g.pairs[i]) && is_best(&g, &g.pairs[i]))
            f->from = (int)g.pairs[i].position;
    }
    arena_close(&g.arena);
    return ok;
}

/* ---- what was filled in ---- */

static struct value *value_copy(const struct value *v)
{
    bool bytes = v->type == VALUE_TEXT || v->type == VALUE_BLOB;
    size_t n = bytes ? v->bytes.n : 0;
    struct value *copy = mem_alloc(sizeof *copy + n + 1);
    uint8_t *room = (uint8_t *)(copy + 1);

    *copy = *v;
    if (bytes) {
        if (n > 0)
            memcpy(room, v->bytes.p, n);
        copy->bytes = (struct slice){room, n};
    }
    return copy;
}

/* The first row of a query is the value; none: it says nothing. `theirs`: there is an expression of
 * the application's in it, and if only that can work it out it says nothing, either. */
static bool query_fill(struct store *s, struct binding *b, uint32_t column, const char *sql,
                       bool theirs, struct err *e)
{
    sqlite3_stmt *q = NULL;
    int code = sqlite3_prepare_v2(s->app.db, sql, -1, &q, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(q);
    if (code == SQLITE_ERROR && theirs)
        code = SQLITE_DONE;
    if (code == SQLITE_ROW && sqlite3_column_bytes(q, 0) <= FILL_BYTES_MAX) {
        struct value v = value_of_column(q, 0);

        b->fresh[column].fill = value_copy(&v);
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        sqlite_err(s->app.db, b->app->name, e);
    sqlite3_finalize(q);
    return code == SQLITE_ROW || code == SQLITE_DONE;
}

/* Does some row hold the default? */
static bool query_default(struct store *s, struct binding *b, uint32_t column, const char *text,
                          struct err *e)
{
    const char *name = b->app->columns[column].name;
    char *sql = sqlite3_mprintf("SELECT \"%w\" FROM main.\"%w\" WHERE \"%w\" IS (%s) LIMIT 1", name,
                                b->app->name, name, text);
    bool ok = query_fill(s, b, column, sql, true, e);

    sqlite3_free(sql);
    return ok;
}

/* What most rows hold; `untouched`: several, of those that nobody has written to since. */
static bool query_most(struct store *s, struct binding *b, uint32_t column, bool untouched,
                       struct err *e)
{
    const char *name = b->app->columns[column].name;
    char *marked = untouched ? marked_keys(s, b) : NULL, *text;
    sqlite3_str *sql = sqlite3_str_new(s->app.db);
    bool ok;

    sqlite3_str_appendf(sql, "SELECT \"%w\" FROM main.\"%w\"", name, b->app->name);
    for (uint32_t i = 0; marked != NULL && i < b->app->key_count; i++)
        sqlite3_str_appendf(sql, "%s\"%w\"", i == 0 ? " WHERE (" : ", ",
                            b->app->columns[b->app->keys[i]].name);
    if (marked != NULL)
        sqlite3_str_appendf(sql, ") NOT IN (%s)", marked);
    sqlite3_str_appendf(sql, " GROUP BY \"%w\" COLLATE BINARY%s ORDER BY count(*) DESC LIMIT 1",
                        name, untouched ? " HAVING count(*) > 1" : "");
    text = sqlite3_str_finish(sql);
    ok = query_fill(s, b, column, text, false, e);
    sqlite3_free(text);
    sqlite3_free(marked);
    return ok;
}

/* Its default, where some row holds it. A column that can be without one was filled by making the
 * table anew, or by a rule that is gone. */
static bool find_fill(struct store *s, struct binding *b, uint32_t column, struct err *e)
{
    struct fresh *f = &b->fresh[column];
    char *text;
    bool ok = find_default(s, b, column, &text, e);
    bool none = text == NULL, null = !none && strcmp(text, "NULL") == 0;

    if (ok && !none)
        ok = query_default(s, b, column, text, e);
    if (ok && f->fill == NULL && (none || null))
        ok = query_most(s, b, column, true, e);
    f->told = f->fill != NULL || !none;
    if (ok && !f->told)
        ok = query_most(s, b, column, false, e);
    sqlite3_free(text);
    return ok;
}

/* ---- all ---- */

static bool read_file(struct store *s, struct binding *b, const struct notes *n, struct err *e)
{
    bool ok;

    if (!appdb_read(&s->app, e))
        return false;
    ok = appdb_same_schema(&s->app, e) && find_renamed(s, b, n, e);
    for (uint32_t i = 0; ok && i < b->app->column_count; i++)
        if (b->fresh[i].is && b->fresh[i].from < 0)
            ok = find_fill(s, b, i, e);
    appdb_end(&s->app);
    return ok;
}

/* What a column names has come to be tracked: numbers that went out as such are to be said again as
 * references. */
static bool refers_now(const struct binding *b, const struct notes *n)
{
    for (uint32_t i = 0; i < b->app->column_count; i++) {
        const struct noted *was = notes_find(n, b->app->columns[i].name);

        if (was != NULL && !was->refers && b->app->columns[i].ref_table >= 0)
            return true;
    }
    return false;
}

static bool compare(struct store *s, struct binding *b, const struct notes *n, struct err *e)
{
    struct ledger_table *t = &s->ledger.tables[b->table - 1];
    uint32_t arrived, fresh = mark_fresh(s, b, n, &arrived);

    if (fresh > 0 && !read_file(s, b, n, e))
        return false;
    if (arrived > 0 && !strip(s, b, n, e))
        return false;
    if (arrived > 0 || refers_now(b, n)) {
        t->scan = t->scan == SCAN_NONE ? SCAN_RECONCILE : t->scan;
        if (!ledger_table_save(&s->ledger, t, e))
            return false;
    }
    if (fresh == 0)
        columns_close(b);
    return notes_write(s, b, n, e);
}

bool columns_follow(struct store *s, struct binding *b, struct err *e)
{
    struct notes n;
    bool ok = notes_read(s, b->table, &n, e);

    if (ok && (n.n == 0 || s->ledger.tables[b->table - 1].scan == SCAN_MATCH))
        ok = notes_write(s, b, &n, e);
    else if (ok)
        ok = compare(s, b, &n, e);
    notes_close(&n);
    return ok;
}

bool columns_settle(struct store *s, struct binding *b, struct err *e)
{
    struct notes n;
    bool ok;

    if (b->fresh == NULL)
        return true;
    ok = notes_read(s, b->table, &n, e);
    columns_close(b);
    ok = ok && notes_write(s, b, &n, e);
    notes_close(&n);
    return ok;
}
