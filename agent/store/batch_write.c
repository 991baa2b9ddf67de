/* Writing a batch's rows into the application's file, and taking them back. */
#include "batch.h"
#include "unite.h"
#include "counter.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

/* A statement that wrote: 1 done, 0 the file refused (the work has failed), -1 an error of another
 * kind. */
static int step_write(struct batch *b, struct work *w, sqlite3_stmt *q, struct err *e)
{
    int code = sqlite3_step(q);

    if (code == SQLITE_DONE) {
        sqlite3_reset(q);
        return 1;
    }
    /* Where the whole transaction is gone, nothing more may be written. */
    if (sqlite3_get_autocommit(b->s->app.db) == 0 &&
        ((code & 0xff) == SQLITE_CONSTRAINT || (code & 0xff) == SQLITE_MISMATCH ||
         (code & 0xff) == SQLITE_TOOBIG || (code & 0xff) == SQLITE_ERROR)) {
        w->collided = code == SQLITE_CONSTRAINT_UNIQUE ||
                      sqlite3_extended_errcode(b->s->app.db) == SQLITE_CONSTRAINT_UNIQUE;
        work_fail(b, w, "the file refuses it: %s", sqlite3_errmsg(b->s->app.db));
        sqlite3_reset(q);
        return 0;
    }
    sqlite_err(b->s->app.db, w->b->app->name, e);
    sqlite3_reset(q);
    return -1;
}

/* Might SQLite store this value as another one (datatype3.html, section 3)? Says yes rather too
 * often. */
static bool may_change(const struct appdb *a, enum affinity affinity, const struct value *v)
{
    if (v->type == VALUE_TEXT && a->utf16 && !slice_is_utf8(v->bytes))
        return true;
    if (affinity == AFFINITY_TEXT)
        return v->type == VALUE_INT || v->type == VALUE_REAL;
    if (affinity == AFFINITY_BLOB || v->type == VALUE_NULL || v->type == VALUE_BLOB)
        return false;
    if (v->type == VALUE_INT)
        return affinity == AFFINITY_REAL;
    if (v->type == VALUE_REAL)
        return v->r == 0 || (affinity != AFFINITY_REAL && v->r >= -0x1p63 && v->r < 0x1p63 &&
                             v->r == (double)(int64_t)v->r);
    for (size_t i = 0; i < v->bytes.n; i++) {
        uint8_t ch = v->bytes.p[i];

        if (!isdigit(ch) && strchr("+-.eE \t\n\v\f\r", ch) == NULL)
            return false;
    }
    return v->bytes.n > 0;
}

/* ---- the shadow, where the file holds something else than what was written ---- */

/* May the file hold what was written here and, by rule, is not said? The ledger does not know it.
 */
static bool holds_back(const struct binding *t)
{
    return t->mute || t->filter != NULL;
}

/* What of the row was not written, or only added to, is believed to be there as it was. */
static bool is_believed(const struct binding *t, const uint8_t *mask, uint32_t column)
{
    return mask != NULL && holds_back(t) && (!mask[column] || t->counter[column]);
}

/* `mask`: the columns that were written in a row that was there; NULL: all. `rest`: what the others
 * refer to; NULL: as b->rec says. */
static bool read_back(struct batch *b, struct work *w, const uint8_t *mask,
                      const struct record *rest, struct err *e)
{
    sqlite3_stmt *q = w->b->app->select;
    struct record after = {0};
    bool differs = rest != NULL;
    int code;

    sqlite3_reset(q);
    if (!key_bind(q, 1, w->b->app, &w->key, e))
        return false;
    code = sqlite3_step(q);
    if (code != SQLITE_ROW) {
        sqlite3_reset(q);
        return code == SQLITE_DONE
                   ? err_set(e, ERR_STORE, "table %s: a row just written is not there",
                             w->b->app->name)
                   : sqlite_err(b->s->app.db, w->b->app->name, e);
    }
    for (uint32_t i = 0; i < w->b->app->column_count; i++) {
        const struct cell *c =
            record_get(rest == NULL || mask[i] ? &b->rec : rest, w->b->position[i]);
        struct value v = value_of_column(q, (int)i);
        bool believed = is_believed(w->b, mask, i);
        struct cell *to;

        differs |= c == NULL && !(w->b->app->surrogate && w->b->is_key[i]);
        if (c == NULL && believed)
            c = record_get(&b->shadow, w->b->position[i]);
        if (c != NULL && (believed || c->v.type == VALUE_REF))
            v = c->v;
        to = record_cell(&after, w->b->position[i]);
        *to = (struct cell){.clock = {.number = 1, .actor = b->s->ledger.self}};
        if (c != NULL)
            *to = *c;
        if (c == NULL || !value_equal(&v, &c->v))
            counter_settle(&after, w->b->position[i], &v);
        if (!(w->b->app->surrogate && w->b->is_key[i]) && (c == NULL || !value_equal(&v, &c->v)))
            differs = true;
    }
    if (differs) {
        buf_clear(&b->room_b);
        record_encode(&after, &b->room_b);
        w->shadow_after = arena_copy(&b->arena, buf_slice(&b->room_b));
    }
    sqlite3_reset(q);
    record_close(&after);
    return true;
}

/* ---- insert ---- */

static sqlite3_stmt *prepare(struct batch *b, sqlite3_str *sql, const char *name, struct err *e)
{
    char *text = sqlite3_str_finish(sql);
    sqlite3_stmt *q = NULL;

    if (text == NULL || sqlite3_prepare_v2(b->s->app.db, text, -1, &q, NULL) != SQLITE_OK)
        sqlite_err(b->s->app.db, name, e);
    sqlite3_free(text);
    return q;
}

/* Has somebody said something of all that the row holds in the file? */
static bool is_whole(struct batch *b, const struct work *w, bool *whole, struct err *e)
{
    *whole = w->b->app->local_count == 0;
    if (!record_borrow(&b->rec, w->rec, e))
        return false;
    for (uint32_t i = 0; *whole && i < w->b->app->column_count; i++)
        *whole = record_get(&b->rec, w->b->position[i]) != NULL;
    return true;
}

static sqlite3_stmt *unsaid_statement(struct batch *b, const struct binding *t, struct err *e)
{
    struct batch_table *bt = &b->tables[t->app_index];
    sqlite3_str *sql;

    if (bt->unsaid != NULL)
        return bt->unsaid;
    sql = sqlite3_str_new(b->s->app.db);
    sqlite3_str_appendall(sql, "SELECT ");
    for (uint32_t i = 0; i < t->app->column_count; i++)
        sqlite3_str_appendf(sql, "%s\"%w\"", i == 0 ? "" : ", ", t->app->columns[i].name);
    sqlite3_str_appendf(sql, "%s FROM main.\"%w\" WHERE ", t->app->local_names, t->app->name);
    app_key_match(sql, t->app);
    bt->unsaid = prepare(b, sql, t->app->name, e);
    return bt->unsaid;
}

/* The row is about to be taken out of the file, and may have to be put back: what only the file
 * knows of it, because it stays on this PC or nobody has said anything of it, is kept. */
static bool keep_unsaid(struct batch *b, struct work *w, struct err *e)
{
    uint32_t n = w->b->app->column_count + w->b->app->local_count;
    sqlite3_stmt *q;
    bool whole;
    int code;

    w->unsaid = NULL;
    if (!is_whole(b, w, &whole, e))
        return false;
    if (whole)
        return true;
    q = unsaid_statement(b, w->b, e);
    if (q == NULL)
        return false;
    sqlite3_reset(q);
    if (!key_bind(q, 1, w->b->app, &w->key, e))
        return false;
    code = sqlite3_step(q);
    if (code == SQLITE_ROW) {
        w->unsaid = arena_alloc(&b->arena, n * sizeof *w->unsaid);
        for (uint32_t i = 0; i < n; i++) {
            struct value v = value_of_column(q, (int)i);

            w->unsaid[i] = arena_value(&b->arena, &v);
        }
    }
    sqlite3_reset(q);
    return code == SQLITE_ROW || code == SQLITE_DONE ||
           sqlite_err(b->s->app.db, w->b->app->name, e);
}

/* For a row that is put back. */
static sqlite3_stmt *prepare_back(struct batch *b, const struct binding *t, struct err *e)
{
    sqlite3_str *sql = sqlite3_str_new(b->s->app.db);
    uint32_t n = t->app->column_count + t->app->local_count;

    sqlite3_str_appendf(sql, "INSERT OR ABORT INTO main.\"%w\"(", t->app->name);
    for (uint32_t i = 0; i < t->app->column_count; i++)
        sqlite3_str_appendf(sql, "%s\"%w\"", i == 0 ? "" : ", ", t->app->columns[i].name);
    sqlite3_str_appendf(sql, "%s) VALUES (", t->app->local_names);
    for (uint32_t i = 0; i < n; i++)
        sqlite3_str_appendf(sql, "%s?%u", i == 0 ? "" : ", ", i + 1);
    sqlite3_str_appendall(sql, ")");
    return prepare(b, sql, t->app->name, e);
}

static bool bind_unsaid(struct batch *b, const struct work *w, sqlite3_stmt *q, const bool *has,
                        struct err *e)
{
    uint32_t n = w->b->app->column_count;

    for (uint32_t i = 0; i < n + w->b->app->local_count; i++)
        if ((i >= n || !has[i]) && !value_bind(q, (int)i + 1, &w->unsaid[i]))
            return sqlite_err(b->s->app.db, w->b->app->name, e);
    return true;
}

/* For a row that has no cell for some columns: they get their defaults. */
static sqlite3_stmt *prepare_partial(struct batch *b, const struct binding *t, const bool *has,
                                     struct err *e)
{
    sqlite3_str *sql = sqlite3_str_new(b->s->app.db);
    uint32_t n = 0;

    sqlite3_str_appendf(sql, "INSERT OR ABORT INTO main.\"%w\"(", t->app->name);
    for (uint32_t i = 0; i < t->app->column_count; i++)
        if (has[i])
            sqlite3_str_appendf(sql, "%s\"%w\"", n++ == 0 ? "" : ", ", t->app->columns[i].name);
    sqlite3_str_appendf(sql, "%s) VALUES (", t->app->fill_names);
    for (uint32_t i = 0, first = 1; i < t->app->column_count; i++)
        if (has[i]) {
            sqlite3_str_appendf(sql, "%s?%d", first ? "" : ", ", (int)i + 1);
            first = 0;
        }
    sqlite3_str_appendf(sql, "%s)", t->app->fill_values);
    return prepare(b, sql, t->app->name, e);
}

/* Bind the cells of b->rec. Returns as batch_value. */
static int bind_row(struct batch *b, struct work *w, sqlite3_stmt *q, bool *has, bool *whole,
                    bool *odd, struct err *e)
{
    const struct app_table *t = w->b->app;

    *whole = true;
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct cell *c = record_get(&b->rec, w->b->position[i]);
        struct value v;
        int done;

        if (t->surrogate && w->b->is_key[i]) {
            has[i] = true;
            if (sqlite3_bind_int64(q, (int)i + 1, w->key.i) != SQLITE_OK)
                return sqlite_err(b->s->app.db, t->name, e), -1;
            continue;
        }
        has[i] = c != NULL;
        if (c == NULL) {
            *whole = false;
            continue;
        }
        done = batch_value(b, w, i, &c->v, &v, e);
        if (done != 1)
            return done;
        *odd |= may_change(&b->s->app, t->columns[i].affinity, &v);
        if (!value_bind(q, (int)i + 1, &v))
            return sqlite_err(b->s->app.db, t->name, e), -1;
    }
    return 1;
}

/* What is to be written. */
static struct slice wanted(const struct work *w)
{
    return w->want.p != NULL ? w->want : w->rec;
}

/* Does b->rec say something of every column? What the file holds in the others is a default that a
 * migration filled in there: unless that is noted, it is taken for an edit when the row is saved.
 */
static bool says_all(const struct batch *b, const struct binding *t)
{
    for (uint32_t i = 0; i < t->app->column_count; i++)
        if (record_get(&b->rec, t->position[i]) == NULL && !(t->app->surrogate && t->is_key[i]))
            return false;
    return true;
}

/* The row is written: note what the file holds where that is not what rec says. */
static bool written(struct batch *b, struct work *w, const uint8_t *mask, bool odd, struct err *e)
{
    w->shadow_after = (struct slice){NULL, 0};
    if (!odd && w->want.p == NULL && says_all(b, w->b))
        return true;
    return record_borrow(&b->rec, w->rec, e) && read_back(b, w, mask, NULL, e);
}

/* It stands under a key of which the ledger learns only when the batch is done. */
static void note_came(struct batch *b, const struct work *w)
{
    keymap_put(&b->came, w->b->app_index, &w->key, (uint32_t)(w - b->works) + 1);
}

static bool insert(struct batch *b, struct work *w, struct err *e)
{
    sqlite3_stmt *q = w->b->app->insert, *partial = NULL;
    bool *has = mem_alloc(w->b->app->column_count * sizeof *has);
    bool whole = true, odd = false;
    int done;

    if (!record_borrow(&b->rec, wanted(w), e)) {
        free(has);
        return false;
    }
    sqlite3_reset(q);
    done = bind_row(b, w, q, has, &whole, &odd, e);
    if (done == 1 && (w->unsaid != NULL || !whole)) {
        partial = w->unsaid != NULL ? prepare_back(b, w->b, e) : prepare_partial(b, w->b, has, e);
        done = partial == NULL ? -1 : bind_row(b, w, partial, has, &whole, &odd, e);
        if (done == 1 && w->unsaid != NULL && !bind_unsaid(b, w, partial, has, e))
            done = -1;
        q = partial;
        odd = true;
    }
    if (done == 1)
        done = step_write(b, w, q, e);
    if (done == 1) {
        w->wrote = true;
        note_came(b, w);
        if (!written(b, w, NULL, odd, e))
            done = -1;
    }
    sqlite3_finalize(partial);
    free(has);
    return done >= 0;
}

/* ---- update ---- */

static sqlite3_stmt *update_statement(struct batch *b, const struct binding *t, const uint8_t *mask,
                                      struct err *e)
{
    struct batch_table *bt = &b->tables[t->app_index];
    sqlite3_str *sql;
    int n = 0;

    if (bt->update != NULL && memcmp(bt->mask, mask, t->app->column_count) == 0)
        return bt->update;
    sqlite3_finalize(bt->update);
    sql = sqlite3_str_new(b->s->app.db);
    sqlite3_str_appendf(sql, "UPDATE OR ABORT main.\"%w\" SET ", t->app->name);
    for (uint32_t i = 0; i < t->app->column_count; i++)
        if (mask[i])
            sqlite3_str_appendf(sql, "%s\"%w\" = ?%d", n++ == 0 ? "" : ", ",
                                t->app->columns[i].name, (int)(i + 1 + t->app->key_count));
    sqlite3_str_appendall(sql, " WHERE ");
    app_key_match(sql, t->app);
    if (bt->mask == NULL)
        bt->mask = mem_alloc(t->app->column_count);
    memcpy(bt->mask, mask, t->app->column_count);
    bt->update = prepare(b, sql, t->app->name, e);
    return bt->update;
}

/* Does the file make the same of both, so that writing one in the place of the other is in vain? */
static bool held_alike(enum affinity affinity, const struct value *a, const struct value *b)
{
    const struct value *whole = a->type == VALUE_INT ? a : b, *real = a->type == VALUE_INT ? b : a;

    return affinity != AFFINITY_BLOB && affinity != AFFINITY_TEXT && whole->type == VALUE_INT &&
           real->type == VALUE_REAL && real->r >= -0x1p53 && real->r <= 0x1p53 &&
           real->r == (double)whole->i;
}

/* A key never changes; but what it names may have left the file (batch_unite). */
static bool is_left_behind(const struct cell *was, const struct cell *is)
{
    return was != NULL && was->v.type == VALUE_NULL && is != NULL && is->v.type == VALUE_REF;
}

/* Which columns of the file differ from what `to` says, the file holding what `from` says. `alike`:
 * some differ only in what the file makes the same of. */
static bool find_differences(struct batch *b, const struct binding *t, const struct record *from,
                             const struct record *to, uint8_t *mask, bool *any, bool *alike,
                             struct err *e)
{
    *any = *alike = false;
    for (uint32_t i = 0; i < t->app->column_count; i++) {
        const struct cell *was = record_get(from, t->position[i]);
        const struct cell *is = record_get(to, t->position[i]);
        bool same = is == NULL || (t->is_key[i] && !is_left_behind(was, is));

        if (!same && was != NULL && !value_same(b->s, &was->v, &is->v, &same, e))
            return false;
        if (!same && was != NULL && held_alike(t->app->columns[i].affinity, &was->v, &is->v))
            *alike = same = true;
        mask[i] = !same;
        *any |= !same;
    }
    return true;
}

/* The decimal that the row's column holds in the file; false with e empty: it holds none. */
static bool held_number(struct batch *b, const struct work *w, uint32_t column,
                        struct decimal *number, struct err *e)
{
    sqlite3_stmt *q = w->b->app->select;
    struct value v = {.type = VALUE_NULL};
    uint8_t form;
    bool is = false;
    int code;

    sqlite3_reset(q);
    if (!key_bind(q, 1, w->b->app, &w->key, e))
        return false;
    code = sqlite3_step(q);
    if (code == SQLITE_ROW) {
        v = value_of_column(q, (int)column);
        is = decimal_of_value(&v, number, &form);
    }
    sqlite3_reset(q);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return sqlite_err(b->s->app.db, w->b->app->name, e);
    return is;
}

/* A counter is to become `v`, from what is believed to be there: what was added in this file and
 * is not said stays in it. */
static bool add_to_held(struct batch *b, const struct work *w, uint32_t column,
                        const struct cell *from, struct value *v, struct err *e)
{
    struct decimal held, before, after;
    char room[DECIMAL_TEXT_MAX];
    struct value sum;
    uint8_t form, was;

    if (!holds_back(w->b) || !w->b->counter[column] || from == NULL ||
        !decimal_of_value(&from->v, &before, &was) || !decimal_of_value(v, &after, &form))
        return true;
    if (!held_number(b, w, column, &held, e))
        return e->code == ERR_NONE;
    if (!decimal_subtract(&held, &held, &before) || decimal_is_zero(&held) ||
        !decimal_add(&after, &after, &held) || !decimal_within(&after, DECIMAL_VALUE_MAX))
        return true;
    sum = decimal_value(&after, form, room);
    *v = arena_value(&b->arena, &sum);
    return true;
}

/* `from`: what is believed to be there; NULL: that does not matter. */
static int run_update(struct batch *b, struct work *w, const struct record *from,
                      const struct record *to, const uint8_t *mask, bool *odd, struct err *e)
{
    sqlite3_stmt *q;
    int done = 1;

    if (!batch_note_named(b, w, mask, e))
        return -1;
    q = update_statement(b, w->b, mask, e);
    if (q == NULL)
        return -1;
    sqlite3_reset(q);
    if (!key_bind(q, 1, w->b->app, &w->key, e))
        return -1;
    for (uint32_t i = 0; done == 1 && i < w->b->app->column_count; i++) {
        struct value v;

        if (!mask[i])
            continue;
        done = batch_value(b, w, i, &record_get(to, w->b->position[i])->v, &v, e);
        if (done == 1 && from != NULL &&
            !add_to_held(b, w, i, record_get(from, w->b->position[i]), &v, e))
            return -1;
        if (done == 1 && !value_bind(q, (int)(i + 1 + w->b->app->key_count), &v))
            return sqlite_err(b->s->app.db, w->b->app->name, e), -1;
        *odd |= done == 1 && may_change(&b->s->app, w->b->app->columns[i].affinity, &v);
    }
    if (done == 1)
        done = step_write(b, w, q, e);
    if (done == 1 && sqlite3_changes(b->s->app.db) == 0) {
        batch_missed(b, w->b);
        work_fail(b, w, "it vanished from the file without an event; the table is being compared");
        return 0;
    }
    return done;
}

/* What the file held before is remembered for a while (replaced.h); of what names a row that
 * leaves, it is not known here (batch_unite). */
static void note_replaced(struct batch *b, const struct work *w, const uint8_t *mask)
{
    for (uint32_t i = 0; i < w->b->app->column_count; i++) {
        const struct cell *was = mask[i] ? record_get(&b->shadow, w->b->position[i]) : NULL;

        if (was != NULL &&
            !(w->moved && is_left_behind(was, record_get(&b->rec, w->b->position[i]))))
            replaced_note(&b->s->replaced, w->gid, w->b->position[i], &was->v, b->now_ms);
    }
}

/* Where its key was written anew it is found under that one from here on. */
static void follow_key(struct batch *b, struct work *w, const uint8_t *mask)
{
    for (uint32_t i = 0; i < w->b->app->column_count; i++)
        w->renamed |= mask[i] && w->b->is_key[i] && w->renames;
    if (!w->renamed)
        return;
    w->was = w->key;
    w->key = w->next;
    note_came(b, w);
}

static bool update(struct batch *b, struct work *w, struct err *e)
{
    uint8_t *mask;
    bool odd = false, any, alike;
    int done = 1;

    if (w->shadow.p == NULL && w->want.p == NULL)
        return true;
    mask = mem_alloc(w->b->app->column_count);
    if (!record_borrow(&b->rec, wanted(w), e) ||
        !record_borrow(&b->shadow, w->shadow.p != NULL ? w->shadow : w->rec, e)) {
        free(mask);
        return false;
    }
    if (!find_differences(b, w->b, &b->shadow, &b->rec, mask, &any, &alike, e)) {
        done = -1;
    } else if (any) {
        done = run_update(b, w, &b->shadow, &b->rec, mask, &odd, e);
        w->wrote |= done == 1;
        if (done == 1) {
            note_replaced(b, w, mask);
            follow_key(b, w, mask);
        }
    } else if (w->want.p != NULL) {
        w->shadow_after = w->shadow; /* it has yielded before, and the file holds it so */
        free(mask);
        return true;
    }
    if (done == 1 && !written(b, w, mask, odd || alike, e))
        done = -1;
    free(mask);
    return done >= 0;
}

bool batch_write_column(struct batch *b, struct work *w, uint32_t column, struct err *e)
{
    uint8_t *mask = mem_alloc(w->b->app->column_count);
    const struct slice held = w->shadow_after; /* p NULL: what rec says */
    bool odd = false;
    int done;

    mask[column] = 1;
    done = record_borrow(&b->rec, w->want, e) ? run_update(b, w, NULL, &b->rec, mask, &odd, e) : -1;
    w->wrote |= done == 1;
    if (done == 1 && (!record_borrow(&b->rec, w->rec, e) ||
                      (held.p != NULL && !record_borrow(&b->shadow, held, e)) ||
                      !read_back(b, w, mask, held.p != NULL ? &b->shadow : NULL, e)))
        done = -1;
    free(mask);
    return done >= 0;
}

bool batch_write(struct batch *b, struct work *w, struct err *e)
{
    if (w->b == NULL) {
        work_fail(b, w, "its table is not tracked on this PC");
        return true;
    }
    w->state = WORK_DONE;
    w->waits = false;
    return w->present ? update(b, w, e) : insert(b, w, e);
}

/* ---- delete ---- */

static bool delete_key(struct batch *b, struct work *w, struct err *e)
{
    sqlite3_stmt *q = w->b->app->remove;

    sqlite3_reset(q);
    return key_bind(q, 1, w->b->app, &w->key, e) && step_write(b, w, q, e) >= 0;
}

bool batch_delete(struct batch *b, struct work *w, struct err *e)
{
    if (!batch_note_named(b, w, NULL, e) || !keep_unsaid(b, w, e) || !delete_key(b, w, e))
        return false;
    w->deleted = w->state != WORK_FAILED;
    return true;
}

bool batch_undo(struct batch *b, struct work *w, struct err *e)
{
    uint8_t *mask;
    bool odd = false, any, alike;
    int done = 1;

    if (!w->wrote)
        return true;
    if (w->moved)
        return batch_hold(b, w, e);
    w->wrote = false;
    w->shadow_after = (struct slice){NULL, 0};
    if (!w->present)
        return delete_key(b, w, e);
    mask = mem_alloc(w->b->app->column_count);
    if (!record_borrow(&b->rec, wanted(w), e) ||
        !record_borrow(&b->shadow, w->shadow.p != NULL ? w->shadow : w->rec, e))
        done = -1;
    else if (!find_differences(b, w->b, &b->rec, &b->shadow, mask, &any, &alike, e))
        done = -1;
    else if (any)
        done = run_update(b, w, &b->rec, &b->shadow, mask, &odd, e);
    free(mask);
    return done == 0 ? batch_hold(b, w, e) : done > 0;
}
