/* Rows that name others by what these hold in UNIQUE columns: a foreign key to a ticket's number,
 * say. What they show follows their parents', whose values change by edits from elsewhere and by
 * marks: so after all else is written, in the same transaction, whatever shows an old value is
 * written anew. The ledger has nothing to learn from that: it knows which row they mean.
 *
 * A change of a parent that its rows cannot follow (columns that say something else as well, tables
 * that stay on this PC) would leave them dangling. It waits: the parent is held. */
#include "batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "refer.h"

/* ---- before ---- */

static void add_shown(struct batch *b, int64_t gid, struct binding *t, const struct row_key *key)
{
    if (b->shown_count == b->shown_room) {
        b->shown_room = b->shown_room == 0 ? 64 : b->shown_room * 2;
        b->shown = mem_grow(b->shown, b->shown_room * sizeof *b->shown);
    }
    b->shown[b->shown_count++] =
        (struct shown){.gid = gid, .b = t, .key = arena_key(&b->arena, key)};
}

static void add_left(struct batch *b, const struct work *w, uint32_t fk, const struct value *values,
                     uint32_t n)
{
    struct left *l;

    if (b->left_count == b->left_room) {
        b->left_room = b->left_room == 0 ? 64 : b->left_room * 2;
        b->left = mem_grow(b->left, b->left_room * sizeof *b->left);
    }
    l = &b->left[b->left_count++];
    *l = (struct left){.gid = w->gid, .table = w->b->app_index, .fk = fk};
    l->values = arena_alloc(&b->arena, n * sizeof *l->values);
    memcpy(l->values, values, n * sizeof *l->values);
}

sqlite3_stmt *batch_referring(struct batch *b, uint32_t table, uint32_t k,
                              const struct value *values, struct err *e)
{
    const struct app_table *t = &b->s->app.schema.tables[table];
    struct batch_table *bt = &b->tables[table];

    if (bt->referring == NULL)
        bt->referring = mem_alloc((t->fk_count + 1) * sizeof *bt->referring);
    if (bt->referring[k] == NULL)
        return bt->referring[k] = refer_referring(b->s, &t->fks[k], values, e);
    sqlite3_reset(bt->referring[k]);
    for (uint32_t i = 0; i < t->fks[k].n; i++)
        if (!value_bind(bt->referring[k], (int)i + 1, &values[i])) {
            sqlite_err(b->s->app.db, t->name, e);
            return NULL;
        }
    return bt->referring[k];
}

static bool note_children(struct batch *b, uint32_t table, uint32_t k, const struct value *values,
                          struct err *e)
{
    const struct app_child child = {.table = b->s->app.schema.tables[table].fks[k].table};
    sqlite3_stmt *q = batch_referring(b, table, k, values, e);
    int code = SQLITE_DONE;

    if (q == NULL)
        return false;
    while (e->code == ERR_NONE && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct ledger_row row;
        bool found;

        if (batch_child_row(b, &child, q, &row, &found, e) && found && !row.minted)
            add_shown(b, row.gid, bind_by_table(b->s, row.table), &row.key);
    }
    sqlite3_reset(q);
    if (e->code != ERR_NONE)
        return false;
    return code == SQLITE_DONE || sqlite_err(b->s->app.db, "read who refers to a row", e);
}

/* All columns of a row of the file, in `values`. `found` false: it is not there. */
static bool read_file(struct batch *b, const struct binding *t, const struct row_key *key,
                      struct arena *arena, struct value *values, bool *found, struct err *e)
{
    sqlite3_stmt *q = t->app->select;
    int code;

    sqlite3_reset(q);
    if (!key_bind(q, 1, t->app, key, e))
        return false;
    code = sqlite3_step(q);
    *found = code == SQLITE_ROW;
    for (uint32_t i = 0; *found && i < t->app->column_count; i++) {
        struct value v = value_of_column(q, (int)i);

        values[i] = arena_value(arena, &v);
    }
    sqlite3_reset(q);
    return *found || code == SQLITE_DONE || sqlite_err(b->s->app.db, t->app->name, e);
}

static bool note_key(struct batch *b, const struct work *w, uint32_t k, const uint8_t *mask,
                     const struct value *values, struct err *e)
{
    const struct app_fk *fk = &w->b->app->fks[k];
    struct value old[KEY_COLUMNS_MAX];
    bool changes = mask == NULL;

    for (uint32_t i = 0; i < fk->n; i++) {
        changes |= mask != NULL && mask[fk->to[i]] != 0;
        old[i] = values[fk->to[i]];
        if (old[i].type == VALUE_NULL)
            return true;
    }
    if (!changes)
        return true;
    add_left(b, w, k, old, fk->n);
    return !fk->followed || note_children(b, w->b->app_index, k, old, e);
}

bool batch_note_named(struct batch *b, const struct work *w, const uint8_t *mask, struct err *e)
{
    struct value *values;
    bool found, ok;

    if (w->b->app->fk_count == 0)
        return true;
    values = mem_alloc(w->b->app->column_count * sizeof *values);
    ok = read_file(b, w->b, &w->key, &b->arena, values, &found, e);
    for (uint32_t k = 0; ok && found && k < w->b->app->fk_count; k++)
        ok = note_key(b, w, k, mask, values, e);
    free(values);
    return ok;
}

/* ---- afterwards ---- */

/* One row of the file that names others by their values. */
struct follower {
    struct batch *b;
    struct binding *t;
    int64_t gid;
    struct row_key key;
    struct arena arena;
    struct value *values; /* what the file holds */
    struct value *want;   /* what it is to hold in the columns of the mask: others than it does */
    uint8_t *mask;
    int64_t parent; /* one that it cannot follow */
    const char *column;
};

static bool has_unique(const struct binding *t)
{
    for (uint32_t i = 0; t->indirect && i < t->app->column_count; i++)
        if (t->app->columns[i].ref_form == REF_UNIQUE)
            return true;
    return false;
}

static bool read_parent(struct follower *f, struct binding *parent, const struct value *key,
                        uint32_t column, struct value *shown, struct err *e)
{
    struct value *values = arena_alloc(&f->arena, parent->app->column_count * sizeof *values);
    struct row_key k;
    bool found;

    values[parent->app->keys[0]] = *key;
    k = key_of_row(parent->app, values, &f->b->key_room);
    if (!read_file(f->b, parent, &k, &f->arena, values, &found, e))
        return false;
    *shown = found ? values[column] : (struct value){.type = VALUE_NULL};
    return true;
}

/* Does the column show the row that the cell means? If not, f->want is what that row has; NULL:
 * nothing. */
static bool look_at(struct follower *f, uint32_t column, const struct cell *cell, bool *right,
                    struct err *e)
{
    const struct app_column *c = &f->t->app->columns[column];
    struct store *s = f->b->s;
    struct binding *parent = bind_by_app(s, &s->app.schema.tables[c->ref_table]);
    struct named named;
    struct value key;
    const char *table = NULL;
    int64_t gid;

    *right = true;
    f->want[column] = (struct value){.type = VALUE_NULL};
    if (!refer_named(s, f->t, column, f->values, &f->arena, &named, e))
        return false;
    if (cell->v.type != VALUE_REF) {
        *right = cell->v.type == VALUE_NULL || named.b != NULL;
        return true;
    }
    if (!ledger_stands(&s->ledger, gid_pack(cell->v.ref), &gid, e))
        return false;
    if (parent == NULL || !batch_refer(f->b, gid, &key, &table, e))
        return e->code == ERR_NONE;
    *right = named.b != NULL && value_equal(&named.key, &key);
    if (*right)
        return true;
    f->parent = gid;
    return read_parent(f, parent, &key, c->ref_column, &f->want[column], e);
}

/* What the ledger knows that the file holds of this row, or what the batch has made of it. */
static bool read_meant(struct follower *f, struct record *r, struct err *e)
{
    const struct work *w = batch_find(f->b, f->gid);
    struct ledger_row row;
    bool found;

    if (w != NULL && w->state != WORK_FAILED)
        return record_borrow(r, w->want.p != NULL ? w->want : w->rec, e);
    if (w != NULL)
        return record_borrow(r, w->shadow.p != NULL ? w->shadow : w->rec, e);
    record_clear(r);
    return ledger_row_get(&f->b->s->ledger, f->gid, &row, &found, e) &&
           (!found || row.minted || record_decode(r, row.differs ? row.shadow : row.rec, e));
}

/* Look at all columns of the row; `right` when all show what they are to. */
static bool look(struct follower *f, bool *right, struct err *e)
{
    struct record r = {0};
    bool found, ok;

    *right = true;
    f->parent = 0;
    ok = read_meant(f, &r, e) && read_file(f->b, f->t, &f->key, &f->arena, f->values, &found, e);
    for (uint32_t i = 0; ok && found && i < f->t->app->column_count; i++) {
        const struct cell *cell = record_get(&r, f->t->position[i]);
        bool fine;

        f->mask[i] = 0;
        if (f->t->app->columns[i].ref_form != REF_UNIQUE || cell == NULL)
            continue;
        ok = look_at(f, i, cell, &fine, e);
        f->mask[i] = ok && !fine && f->want[i].type != VALUE_NULL &&
                     !value_equal(&f->want[i], &f->values[i]);
        if (ok && !fine)
            f->column = f->t->app->columns[i].name;
        *right &= fine;
    }
    record_close(&r);
    return ok;
}

/* Write the columns in the mask. What the file refuses is looked at afterwards. */
static bool show(struct follower *f, struct err *e)
{
    const struct app_table *t = f->t->app;
    sqlite3_str *sql = sqlite3_str_new(f->b->s->app.db);
    sqlite3_stmt *q = NULL;
    int n = 0, code = SQLITE_ERROR;
    char *text;

    sqlite3_str_appendf(sql, "UPDATE OR ABORT main.\"%w\" SET ", t->name);
    for (uint32_t i = 0; i < t->column_count; i++)
        if (f->mask[i])
            sqlite3_str_appendf(sql, "%s\"%w\" = ?%d", n++ == 0 ? "" : ", ", t->columns[i].name,
                                (int)(i + 1 + t->key_count));
    sqlite3_str_appendall(sql, " WHERE ");
    app_key_match(sql, t);
    text = sqlite3_str_finish(sql);
    if (n == 0) {
        sqlite3_free(text);
        return true;
    }
    if (sqlite3_prepare_v2(f->b->s->app.db, text, -1, &q, NULL) == SQLITE_OK &&
        key_bind(q, 1, t, &f->key, e)) {
        code = SQLITE_OK;
        for (uint32_t i = 0; code == SQLITE_OK && i < t->column_count; i++)
            if (f->mask[i] && !value_bind(q, (int)(i + 1 + t->key_count), &f->want[i]))
                code = SQLITE_ERROR;
        if (code == SQLITE_OK)
            code = sqlite3_step(q);
    }
    sqlite3_free(text);
    if (e->code == ERR_NONE && code != SQLITE_DONE && (code & 0xff) != SQLITE_CONSTRAINT)
        sqlite_err(f->b->s->app.db, t->name, e);
    sqlite3_finalize(q);
    return e->code == ERR_NONE;
}

static void follower_open(struct follower *f, struct batch *b, const struct shown *row)
{
    uint32_t n = row->b->app->column_count;

    *f = (struct follower){.b = b, .t = row->b, .gid = row->gid, .key = row->key};
    f->arena.block_bytes = 4096;
    f->values = arena_alloc(&f->arena, n * sizeof *f->values);
    f->want = arena_alloc(&f->arena, n * sizeof *f->want);
    f->mask = arena_alloc(&f->arena, n);
}

/* Let the row show what it is to. `right` false: it cannot now. */
static bool settle(struct batch *b, const struct shown *row, bool *right, struct err *e)
{
    const struct work *w = batch_find(b, row->gid);
    struct follower f;
    bool ok;

    follower_open(&f, b, row);
    ok = look(&f, right, e);
    if (ok && !*right) {
        ok = show(&f, e) && look(&f, right, e);
        b->followed |= ok && *right && (w == NULL || !w->wrote);
    }
    arena_close(&f.arena);
    return ok;
}

/* Out of the way of others, for a moment. */
static bool step_aside(struct batch *b, const struct shown *row, struct err *e)
{
    struct follower f;
    bool right, ok;

    follower_open(&f, b, row);
    ok = look(&f, &right, e);
    for (uint32_t i = 0; i < f.t->app->column_count; i++) {
        char text[40];
        int n = snprintf(text, sizeof text, "#navette-%lld", (long long)row->gid);

        f.want[i] = (struct value){.type = VALUE_NULL};
        if (f.t->app->columns[i].not_null)
            f.want[i] =
                (struct value){.type = VALUE_TEXT, .bytes = {(const uint8_t *)text, (size_t)n}};
        if (f.t->app->columns[i].not_null && f.mask[i])
            f.want[i] = arena_value(&f.arena, &f.want[i]);
    }
    ok = ok && show(&f, e);
    arena_close(&f.arena);
    return ok;
}

/* Does this row name the parent by what it has? */
static bool names(struct batch *b, const struct work *w, int64_t parent, bool *does, struct err *e)
{
    *does = false;
    if (!record_borrow(&b->named, w->rec, e))
        return false;
    for (uint32_t i = 0; !*does && i < w->b->app->column_count; i++) {
        const struct cell *c = record_get(&b->named, w->b->position[i]);
        int64_t gid;

        if (w->b->app->columns[i].ref_form != REF_UNIQUE || c == NULL || c->v.type != VALUE_REF)
            continue;
        if (!ledger_stands(&b->s->ledger, gid_pack(c->v.ref), &gid, e))
            return false;
        *does = gid == parent;
    }
    return true;
}

/* Newcomers that took the place which a row that was there before is to have, since its parent
 * changed: they wait outside, as they would if it had not. */
static bool make_room(struct batch *b, const struct shown *row, int64_t parent, bool *made,
                      struct err *e)
{
    *made = false;
    for (uint32_t i = 0; i < b->n; i++) {
        struct work *w = &b->works[i];
        bool does;

        if (w->b != row->b || !w->wrote || w->present || w->gid == row->gid)
            continue;
        if (!names(b, w, parent, &does, e))
            return false;
        if (!does)
            continue;
        if (!batch_undo(b, w, e))
            return false;
        work_fail(b, w, "the file refuses it: another row refers to the same row of its parent");
        *made = true;
    }
    return true;
}

/* It cannot follow: what the batch wrote of it goes back, newcomers go out of its way, and if that
 * does not help, its parent's change waits. */
static bool give_up(struct batch *b, const struct shown *row, struct err *e)
{
    struct work *w = batch_find(b, row->gid);
    const struct work *parent;
    struct follower f;
    bool right, ok;

    follower_open(&f, b, row);
    ok = look(&f, &right, e);
    if (ok && !right && w != NULL && w->wrote) {
        ok = batch_undo(b, w, e);
        work_fail(b, w, "column %s refers to a row by values that do not agree", f.column);
        ok = ok && (!w->present || settle(b, row, &right, e));
        right |= !w->present;
    }
    if (ok && !right && f.parent != 0) {
        bool made;

        ok = make_room(b, row, f.parent, &made, e) && (!made || settle(b, row, &right, e));
    }
    parent = !ok || right || f.parent == 0 ? NULL : batch_find(b, f.parent);
    arena_close(&f.arena);
    if (parent != NULL && parent->present && !parent->left && (parent->wrote || parent->deleted))
        return batch_hold(b, parent, e);
    return ok;
}

/* ---- all rows that may have to ---- */

static struct shown *list_rows(struct batch *b, uint32_t *n)
{
    struct shown *rows = mem_alloc((b->n + b->shown_count + 1) * sizeof *rows);

    *n = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        const struct work *w = &b->works[i];

        if (w->b != NULL && !w->deleted && (w->present || w->wrote) && has_unique(w->b))
            rows[(*n)++] = (struct shown){.gid = w->gid, .b = w->b, .key = w->key};
    }
    for (uint32_t i = 0; i < b->shown_count; i++)
        if (batch_find(b, b->shown[i].gid) == NULL)
            rows[(*n)++] = b->shown[i];
    return rows;
}

/* Those that are not right stay in the list. */
static bool settle_all(struct batch *b, struct shown *rows, uint32_t *n, struct err *e)
{
    uint32_t before, left;

    do {
        before = *n;
        left = 0;
        for (uint32_t i = 0; i < before; i++) {
            bool right;

            if (!settle(b, &rows[i], &right, e))
                return false;
            if (!right)
                rows[left++] = rows[i];
        }
        *n = left;
    } while (left > 0 && left < before);
    return true;
}

static bool run_sql(struct batch *b, const char *sql, struct err *e)
{
    return sqlite3_exec(b->s->app.db, sql, NULL, NULL, NULL) == SQLITE_OK ||
           sqlite_err(b->s->app.db, sql, e);
}

/* Rows that stand in each other's way all step aside first. */
static bool settle_swaps(struct batch *b, struct shown *rows, uint32_t *n, struct err *e)
{
    struct shown *again = mem_alloc(*n * sizeof *again);
    uint32_t left = *n;
    bool ok = run_sql(b, "SAVEPOINT navette_follow", e);

    memcpy(again, rows, *n * sizeof *again);
    for (uint32_t i = 0; ok && i < *n; i++)
        ok = step_aside(b, &rows[i], e);
    ok = ok && settle_all(b, again, &left, e);
    free(again);
    if (!ok)
        return false;
    if (left > 0)
        return run_sql(b, "ROLLBACK TO navette_follow; RELEASE navette_follow", e);
    *n = 0;
    return run_sql(b, "RELEASE navette_follow", e);
}

bool batch_follow(struct batch *b, struct err *e)
{
    uint32_t n;
    struct shown *rows = list_rows(b, &n);
    bool ok = settle_all(b, rows, &n, e);

    if (ok && n > 1)
        ok = settle_swaps(b, rows, &n, e);
    for (uint32_t i = 0; ok && i < n; i++)
        ok = give_up(b, &rows[i], e);
    free(rows);
    return ok;
}

/* ---- last ---- */

/* Does a row show the values that this one left, and no row hold them? */
static bool dangles(struct batch *b, const struct left *l, bool *is, struct err *e)
{
    struct app_table *t = &b->s->app.schema.tables[l->table];
    sqlite3_stmt *q = batch_referring(b, l->table, l->fk, l->values, e);
    int code;

    *is = false;
    if (q == NULL)
        return false;
    code = sqlite3_step(q);
    sqlite3_reset(q);
    if (code == SQLITE_DONE)
        return true;
    if (code != SQLITE_ROW)
        return sqlite_err(b->s->app.db, t->name, e);
    q = refer_holder(b->s, t, &t->fks[l->fk], l->values, e);
    if (q == NULL)
        return false;
    code = sqlite3_step(q);
    sqlite3_reset(q);
    *is = code == SQLITE_DONE;
    return code == SQLITE_DONE || code == SQLITE_ROW || sqlite_err(b->s->app.db, t->name, e);
}

bool batch_nothing_dangles(struct batch *b, struct err *e)
{
    for (uint32_t i = 0; i < b->left_count; i++) {
        struct work *w;
        bool is;

        if (!dangles(b, &b->left[i], &is, e))
            return false;
        w = is ? batch_find(b, b->left[i].gid) : NULL;
        if (w == NULL || w->left || !w->present)
            continue;
        work_fail(b, w, "rows here that cannot follow it refer to it by what it held before");
        return batch_hold(b, w, e);
    }
    return true;
}
