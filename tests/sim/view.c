#include "view.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

void view_close(struct view *v)
{
    free(v->rows);
    *v = (struct view){0};
}

void view_copy(struct view *to, const struct view *from)
{
    struct view_row *rows = to->rows;
    uint32_t room = to->room;

    if (room < from->n) {
        room = from->n;
        rows = mem_grow(rows, room * sizeof *rows);
    }
    if (from->n > 0)
        memcpy(rows, from->rows, from->n * sizeof *rows);
    *to = *from;
    to->rows = rows;
    to->room = room;
}

static struct view_row *row_add(struct view *v)
{
    if (v->n == v->room) {
        v->room = v->room * 2 + 32;
        v->rows = mem_grow(v->rows, v->room * sizeof *v->rows);
    }
    v->rows[v->n] = (struct view_row){0};
    return &v->rows[v->n++];
}

static uint32_t hex_literal(struct words *w, const char *form, struct slice bytes)
{
    char *hex = mem_alloc(2 * bytes.n + 1);
    uint32_t word;

    hex_write(hex, bytes);
    word = words_format(w, form, hex);
    free(hex);
    return word;
}

/* Text that a person can read as it is. */
static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < ' ' || text.p[i] > '~' || text.p[i] == '\'')
            return false;
    return true;
}

/* A literal that means exactly this value, storage class included. */
static uint32_t literal_of(struct words *w, sqlite3_stmt *q, int column)
{
    struct slice bytes;
    char real[64];

    switch (sqlite3_column_type(q, column)) {
    case SQLITE_NULL:
        return WORD_NULL;
    case SQLITE_INTEGER:
        return words_format(w, "%lld", sqlite3_column_int64(q, column));
    case SQLITE_FLOAT:
        snprintf(real, sizeof real, "%.17g", sqlite3_column_double(q, column));
        return words_format(w, strpbrk(real, ".en") == NULL ? "%s.0" : "%s", real);
    case SQLITE_TEXT:
        bytes.p = sqlite3_column_text(q, column);
        bytes.n = (size_t)sqlite3_column_bytes(q, column);
        if (is_plain(bytes))
            return words_format(w, "'%.*s'", (int)bytes.n, (const char *)bytes.p);
        return hex_literal(w, "CAST(x'%s' AS TEXT)", bytes);
    default:
        bytes.p = sqlite3_column_blob(q, column);
        bytes.n = (size_t)sqlite3_column_bytes(q, column);
        return hex_literal(w, "x'%s'", bytes);
    }
}

static bool failed(sqlite3 *db, const char *doing, struct err *e)
{
    return err_set(e, ERR_STORE, "%s: %s", doing, sqlite3_errmsg(db));
}

/* The name of the row that a column names with `value`; rows of its table have been named already.
 */
static uint32_t name_of_parent(const struct view *v, const struct shape *s,
                               const struct shape_column *c, uint32_t value)
{
    uint32_t parent = (uint32_t)c->parent;

    for (uint32_t i = 0; i < v->n; i++)
        if (v->rows[i].table == parent && v->rows[i].raw[c->names] == value &&
            s->tables[parent].keys == 1)
            return v->rows[i].name;
    return WORD_NULL;
}

static uint32_t reference_cell(struct view *v, const struct shape *s, struct words *w,
                               const struct shape_column *c, uint32_t raw)
{
    uint32_t name;

    if (raw == WORD_NULL)
        return WORD_NULL;
    name = name_of_parent(v, s, c, raw);
    if (name != WORD_NULL)
        return name;
    v->dangling++;
    return words_format(w, "%s/nowhere %s", s->tables[c->parent].told, words_text(w, raw));
}

/* The same of a reference by rule, which may name nothing. */
static uint32_t loose_cell(const struct view *v, const struct shape *s, struct words *w,
                           const struct view_row *row, uint32_t column)
{
    const struct shape_column *c = &s->tables[row->table].columns[column];
    const char *text = words_text(w, row->raw[column]), *comma = strchr(text, ',');
    uint32_t key = row->raw[column];
    char table[64];

    if (key == WORD_NULL)
        return WORD_NULL;
    snprintf(table, sizeof table, "%s", c->parent < 0 ? "" : s->tables[c->parent].name);
    if (c->form == SHAPE_TYPED) {
        const char *name = words_text(w, row->raw[column - 1]);

        snprintf(table, sizeof table, "%.*s", (int)strlen(name) - 2, name + 1);
    } else if (c->form == SHAPE_WRITTEN && comma != NULL) {
        snprintf(table, sizeof table, "%.*s", (int)(comma - text) - 1, text + 1);
        key = words_format(w, "%.*s", (int)strlen(comma) - 2, comma + 1);
    }
    for (uint32_t i = 0; i < v->n; i++)
        if (v->rows[i].raw[0] == key && strcmp(s->tables[v->rows[i].table].name, table) == 0)
            return v->rows[i].name;
    return words_add(w, VIEW_GONE);
}

/* A ticket number without the marks of PCs that had given it as well. */
static uint32_t bare_ticket(struct words *w, uint32_t raw)
{
    const char *text = words_text(w, raw), *end;

    for (;;) {
        if (strncmp(text, "'#PC", 4) != 0 || (end = strchr(text, '-')) == NULL)
            return raw;
        raw = words_format(w, "'%s", end + 1);
        text = words_text(w, raw);
    }
}

/* Of the columns that name a row, or of all the others, which may name rows of its own table. */
static void resolve(struct view *v, const struct shape *s, struct words *w, struct view_row *row,
                    bool key)
{
    const struct shape_table *t = &s->tables[row->table];

    for (uint32_t i = 0; i < t->columns_n; i++) {
        const struct shape_column *c = &t->columns[i];

        if (key != (i < t->keys || (shape_surrogate(t) && i == shape_naming(t))))
            continue;
        if (c->absent)
            row->cells[i] = WORD_ABSENT;
        else if (c->local)
            row->cells[i] = WORD_NULL;
        else if (shape_loose(c))
            row->cells[i] = loose_cell(v, s, w, row, i);
        else if (c->role == SHAPE_REF)
            row->cells[i] = reference_cell(v, s, w, c, row->raw[i]);
        else if (c->role == SHAPE_DATA && c->values == SHAPE_TICKET)
            row->cells[i] = bare_ticket(w, row->raw[i]);
        else
            row->cells[i] = row->raw[i];
    }
}

static void name_row(const struct shape_table *t, struct words *w, struct view_row *row)
{
    const char *first = words_text(w, row->cells[0]);

    if (shape_surrogate(t))
        row->name = words_format(w, "%s/%s", t->told, words_text(w, row->cells[shape_naming(t)]));
    else if (t->keys == 1)
        row->name = words_format(w, "%s/%s", t->told, first);
    else
        row->name = words_format(w, "%s/%s+%s", t->told, first, words_text(w, row->cells[1]));
}

static void find_row(const struct shape_table *t, struct words *w, struct view_row *row)
{
    const char *first = words_text(w, row->raw[0]);

    if (t->keys == 1)
        row->where = words_format(w, "\"%s\" = %s", t->columns[0].name, first);
    else
        row->where = words_format(w, "\"%s\" = %s AND \"%s\" = %s", t->columns[0].name, first,
                                  t->columns[1].name, words_text(w, row->raw[1]));
}

/* ---- statements: looking at files is most of what the simulator does with SQL ---- */

/* One that stays with its connection: prepared when it is needed first. NULL: it cannot be. */
static sqlite3_stmt *statement(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *q = NULL;

    while ((q = sqlite3_next_stmt(db, q)) != NULL)
        if (strcmp(sqlite3_sql(q), sql) == 0)
            return q;
    sqlite3_prepare_v2(db, sql, -1, &q, NULL);
    return q;
}

void view_close_database(sqlite3 *db)
{
    sqlite3_stmt *q;

    while (db != NULL && (q = sqlite3_next_stmt(db, NULL)) != NULL)
        sqlite3_finalize(q);
    sqlite3_close(db);
}

static bool table_read(struct view *v, const struct shape *s, uint32_t table, struct words *w,
                       sqlite3 *db, struct err *e)
{
    const struct shape_table *t = &s->tables[table];
    sqlite3_str *sql = sqlite3_str_new(NULL);
    uint32_t first = v->n;
    sqlite3_stmt *q;
    char *text;
    int result;

    for (uint32_t i = 0; i < t->columns_n; i++) /* a key is never absent */
        if (!t->columns[i].absent)
            sqlite3_str_appendf(sql, "%s\"%w\"", i == 0 ? "SELECT " : ", ", t->columns[i].name);
    sqlite3_str_appendf(sql, " FROM \"%w\"", t->name);
    text = sqlite3_str_finish(sql);
    q = statement(db, text);
    result = q == NULL ? SQLITE_ERROR : SQLITE_OK;
    while (result == SQLITE_OK && (result = sqlite3_step(q)) == SQLITE_ROW) {
        struct view_row *row = row_add(v);

        row->table = table;
        for (uint32_t i = 0, at = 0; i < t->columns_n; i++)
            row->raw[i] = t->columns[i].absent ? WORD_ABSENT : literal_of(w, q, (int)at++);
        resolve(v, s, w, row, true);
        name_row(t, w, row);
        find_row(t, w, row);
        result = SQLITE_OK;
    }
    sqlite3_free(text);
    if (result != SQLITE_DONE)
        failed(db, t->name, e);
    sqlite3_reset(q);
    for (uint32_t i = first; i < v->n; i++)
        resolve(v, s, w, &v->rows[i], false);
    return result == SQLITE_DONE;
}

static int row_order(const void *a, const void *b)
{
    const struct view_row *x = a, *y = b;

    if (x->table != y->table)
        return x->table < y->table ? -1 : 1;
    return x->name == y->name ? 0 : x->name < y->name ? -1 : 1;
}

static bool tick_read(struct view *v, sqlite3 *db, struct err *e)
{
    sqlite3_stmt *q = statement(db, "SELECT n FROM tick");
    bool ok = q != NULL && sqlite3_step(q) == SQLITE_ROW;

    v->tick = ok ? sqlite3_column_int64(q, 0) : 0;
    if (!ok)
        failed(db, "tick", e);
    sqlite3_reset(q);
    return ok;
}

static bool journal_read(struct view *v, const struct shape *s, sqlite3 *db, struct err *e)
{
    sqlite3_stmt *q;
    int code = SQLITE_DONE;

    memset(v->journal, 0, sizeof v->journal);
    if (!s->journal)
        return true;
    q = statement(db, "SELECT n FROM journal");
    if (q == NULL)
        return failed(db, "journal", e);
    while ((code = sqlite3_step(q)) == SQLITE_ROW) {
        int64_t tick = sqlite3_column_int64(q, 0);

        assert(tick >= 0 && tick < VIEW_TICKS_MAX);
        v->journal[tick / 64] |= UINT64_C(1) << tick % 64;
    }
    sqlite3_reset(q);
    return code == SQLITE_DONE || failed(db, "journal", e);
}

/* The application notes in its file how many of its migrations have been made there. */
static bool version_read(struct view *v, const struct shape *s, sqlite3 *db, struct err *e)
{
    sqlite3_stmt *q;
    bool ok;

    v->version = 0;
    if (s->next == NULL)
        return true;
    q = statement(db, "PRAGMA user_version");
    ok = q != NULL && sqlite3_step(q) == SQLITE_ROW;
    if (ok)
        v->version = (uint32_t)sqlite3_column_int64(q, 0);
    else
        failed(db, "user_version", e);
    sqlite3_reset(q);
    return ok;
}

bool view_has(const struct view *v, int64_t tick)
{
    return (v->journal[tick / 64] >> tick % 64 & 1) != 0;
}

bool view_read(struct view *v, const struct shape *s, struct words *w, sqlite3 *db, struct err *e)
{
    v->n = 0;
    v->dangling = 0;
    v->doubled = WORD_NULL;
    if (!version_read(v, s, db, e))
        return false;
    s = shape_at(s, v->version);
    for (uint32_t i = 0; i < s->n; i++)
        if (!table_read(v, s, i, w, db, e))
            return false;
    if (v->n > 0)
        qsort(v->rows, v->n, sizeof *v->rows, row_order);
    for (uint32_t i = 1; i < v->n; i++)
        if (row_order(&v->rows[i - 1], &v->rows[i]) == 0)
            v->doubled = v->rows[i].name;
    return journal_read(v, s, db, e) && tick_read(v, db, e);
}

const struct view_row *view_find(const struct view *v, uint32_t table, uint32_t name)
{
    struct view_row key = {.table = table, .name = name};

    return v->n == 0 ? NULL : bsearch(&key, v->rows, v->n, sizeof key, row_order);
}

const struct view_row *view_child(const struct view *v, const struct shape *s, uint32_t table,
                                  uint32_t name, const struct view_row *after)
{
    for (const struct view_row *r = after == NULL ? v->rows : after + 1; r < v->rows + v->n; r++) {
        const struct shape_table *t = &s->tables[r->table];

        for (uint32_t i = 0; i < t->columns_n; i++)
            if (t->columns[i].role == SHAPE_REF && r->cells[i] == name &&
                (t->columns[i].parent == (int)table || shape_loose(&t->columns[i])))
                return r;
    }
    return NULL;
}

static char *describe(const char *format, const char *a, const char *b, const char *c,
                      const char *d)
{
    char *text = sqlite3_mprintf(format, a, b, c, d);
    char *out = mem_text(text);

    sqlite3_free(text);
    return out;
}

bool view_stays(const struct shape *s, const struct words *w, const struct view_row *row)
{
    const struct shape_table *t = &s->tables[row->table];

    for (uint32_t i = t->keys; i < t->columns_n && t->way == SHAPE_SOME; i++)
        if (strcmp(t->columns[i].name, SHAPE_FILTER) == 0)
            return strcmp(words_text(w, row->raw[i]), "0") == 0;
    return false;
}

const struct view_row *view_rival(const struct view *v, const struct shape *s,
                                  const struct view_row *row)
{
    uint32_t by = shape_rival(&s->tables[row->table]);

    for (uint32_t i = 0; by != 0 && i < v->n; i++)
        if (v->rows[i].table == row->table && v->rows[i].cells[by] == row->cells[by] &&
            v->rows[i].name != row->name)
            return &v->rows[i];
    return NULL;
}

/* Must the file hold this row of another one? */
static bool is_common(const struct view *v, const struct shape *s, const struct words *w,
                      const struct view_row *row, bool last)
{
    const struct shape_table *t = &s->tables[row->table];

    if (t->way == SHAPE_SOME)
        return !view_stays(s, w, row);
    return (t->way == SHAPE_BOTH || (t->way != SHAPE_LOCAL && !last)) &&
           view_rival(v, s, row) == NULL;
}

char *view_differ(const struct view *a, const struct view *b, const struct shape *s,
                  const struct words *w, bool last)
{
    for (uint32_t i = 0; i < a->n; i++) {
        const struct view_row *x = &a->rows[i];
        const struct view_row *y = view_find(b, x->table, x->name);
        const struct shape_table *t = &s->tables[x->table];

        if (!is_common(b, s, w, x, last))
            continue;
        if (y == NULL)
            return describe("%s is only in the first%s%s%s", words_text(w, x->name), "", "", "");
        for (uint32_t c = 0; c < t->columns_n; c++)
            if (x->cells[c] != WORD_ABSENT && y->cells[c] != WORD_ABSENT &&
                (x->cells[c] != y->cells[c] || (t->columns[c].role == SHAPE_DATA &&
                                                !t->columns[c].local && x->raw[c] != y->raw[c])) &&
                !(shape_surrogate(t) && c == 0))
                return describe(
                    "%s.%s is %s and %s", words_text(w, x->name), t->columns[c].name,
                    words_text(w, x->cells[c] != y->cells[c] ? x->cells[c] : x->raw[c]),
                    words_text(w, x->cells[c] != y->cells[c] ? y->cells[c] : y->raw[c]));
    }
    if (memcmp(a->journal, b->journal, sizeof a->journal) != 0)
        return mem_text("the journals");
    for (uint32_t i = 0; i < b->n; i++)
        if (is_common(a, s, w, &b->rows[i], last) &&
            view_find(a, b->rows[i].table, b->rows[i].name) == NULL)
            return describe("%s is only in the second%s%s%s", words_text(w, b->rows[i].name), "",
                            "", "");
    return NULL;
}
