/* Keys for newcomers, and the parents they need: decided under the application file's lock, so that
 * nobody takes a key meanwhile. */
#include "batch.h"
#include "ledger_large.h"
#include "unite.h"

#include <sqlite3.h>

#define KEY_GAP_MAX                                                                                \
    (INT64_C(1) << 31) /* an author's key further above our highest is absurd here */

/* ---- parents ---- */

void batch_missed(struct batch *b, const struct binding *t)
{
    b->s->ledger.tables[t->table - 1].scan = SCAN_RECONCILE;
    b->s->vanished |= !t->mute && t->filter == NULL; /* what is not said may not be known */
}

bool batch_is_in_file(struct batch *b, const struct ledger_row *row, bool *in, struct err *e)
{
    struct binding *table = bind_by_table(b->s, row->table);
    struct row_key id = int_key(row->gid);
    sqlite3_stmt *select;
    int code;

    *in = table != NULL && keymap_get(&b->parents, 0, &id) != 0;
    if (table == NULL || *in)
        return true;
    select = table->app->select;
    sqlite3_reset(select);
    if (!key_bind(select, 1, table->app, &row->key, e))
        return false;
    code = sqlite3_step(select);
    sqlite3_reset(select);
    *in = code == SQLITE_ROW;
    if (*in) {
        keymap_put(&b->parents, 0, &id, 1);
        return true;
    }
    batch_missed(b, table);
    return code == SQLITE_DONE || sqlite_err(b->s->app.db, table->app->name, e);
}

bool batch_key_is_others(struct batch *b, const struct binding *t, int64_t gid,
                         const struct row_key *key, bool *is, struct err *e)
{
    struct ledger_row holder;

    *is = false;
    if (t == NULL || !t->app->surrogate || key->kind == KEY_NONE)
        return true;
    if (!ledger_head_by_key(&b->s->ledger, t->table, key, false, &holder, is, e))
        return false;
    *is = *is && holder.gid != gid;
    return true;
}

/* A parent that is not in the file, and that the fleet deleted: must it be there for this cell? Not
 * if it had a key here that the cell may go on showing. One whose key is another row's by now comes
 * in for a moment, and so gets one. */
static bool is_kept(struct batch *b, const struct app_column *column, const struct cell *cell,
                    const struct ledger_row *row, bool *kept, struct err *e)
{
    struct row_key key;

    *kept = true;
    if (!app_may_dangle(column) || row->minted || row->key.kind == KEY_NONE)
        return true;
    if (!record_decode(&b->named, row->rec, e))
        return false;
    if (ledger_alive(&b->s->ledger, &b->named))
        return true;
    key = arena_key(&b->arena, &row->key);
    return batch_key_is_others(b, bind_by_table(b->s, row->table), row->gid, &key, kept, e) &&
           (*kept || batch_ref_keeps(b, column, cell, &b->named.dead, kept, e));
}

static bool bring_parent(struct batch *b, const struct app_column *column, const struct cell *cell,
                         int64_t gid, struct err *e)
{
    struct work *w = batch_find(b, gid);
    struct ledger_row row;
    bool found, in, kept = true;

    if (w != NULL) {
        if (!w->alive && !w->needed && w->key.kind != KEY_NONE &&
            (!batch_key_is_others(b, w->b, gid, &w->key, &kept, e) ||
             (!kept && !batch_ref_keeps(b, column, cell, &w->dead, &kept, e))))
            return false;
        w->needed |= kept;
        return true;
    }
    if (!ledger_head_get(&b->s->ledger, gid, &row, &found, e))
        return false;
    if (!found)
        return true;
    if (row.present)
        return batch_is_in_file(b, &row, &in, e);
    if (!ledger_row_get(&b->s->ledger, gid, &row, &found, e) ||
        !is_kept(b, column, cell, &row, &kept, e))
        return false;
    if (kept)
        batch_add(b, gid, false, true, e);
    return e->code == ERR_NONE;
}

/* A row that must be in the file, whatever became of it. */
static bool bring_row(struct batch *b, int64_t gid, struct err *e)
{
    struct work *w = batch_find(b, gid);
    struct ledger_row row;
    bool found, in;

    if (w != NULL) {
        w->needed = true;
        return true;
    }
    if (!ledger_head_get(&b->s->ledger, gid, &row, &found, e))
        return false;
    if (found && row.present)
        return batch_is_in_file(b, &row, &in, e);
    if (found)
        batch_add(b, gid, false, true, e);
    return e->code == ERR_NONE;
}

/* The row whose name, a primary key of several columns, the decoded row says by this foreign key;
 * 0: none. */
static bool find_named(struct batch *b, const struct binding *t, const struct app_fk *fk,
                       int64_t *gid, struct err *e)
{
    const struct app_table *parent = &b->s->app.schema.tables[fk->parent];
    const struct binding *p = bind_by_app(b->s, parent);
    struct value key[KEY_COLUMNS_MAX];

    *gid = 0;
    if (p == NULL || !fk->primary)
        return true;
    for (uint32_t i = 0; i < fk->n; i++) {
        const struct cell *c = record_get(&b->rec, t->position[fk->columns[i]]);
        uint32_t at = 0;

        if (c == NULL || c->v.type == VALUE_NULL)
            return true;
        while (parent->keys[at] != fk->to[i])
            at++;
        key[at] = c->v;
        if (!value_stands(b->s, &key[at], e))
            return false;
    }
    buf_clear(&b->key_room);
    identity_write(&b->s->ledger, key, fk->n, &b->key_room);
    return ledger_natural_get(&b->s->ledger, p->table, buf_slice(&b->key_room), gid, e);
}

static bool bring_named(struct batch *b, uint32_t index, struct err *e)
{
    const struct binding *t = b->works[index].b;

    for (uint32_t i = 0; i < t->app->parent_count; i++) {
        const struct app_parent *named = &t->app->parents[i];
        int64_t gid;

        if (!record_borrow(&b->rec, b->works[index].rec, e) ||
            !find_named(b, t, &b->s->app.schema.tables[named->table].fks[named->fk], &gid, e) ||
            (gid != 0 && !bring_row(b, gid, e)))
            return false;
    }
    return true;
}

static bool bring_parents_of(struct batch *b, uint32_t index, struct err *e)
{
    struct binding *t = b->works[index].b;

    if (t == NULL || !bring_named(b, index, e))
        return t == NULL;
    if (!record_borrow(&b->rec, b->works[index].rec, e))
        return false;
    for (uint32_t i = 0; i < t->app->column_count; i++) {
        const struct cell *c = record_get(&b->rec, t->position[i]);
        uint32_t before = b->n;
        int64_t gid;

        if (c == NULL || c->v.type != VALUE_REF)
            continue;
        if (!ledger_stands(&b->s->ledger, gid_pack(c->v.ref), &gid, e) ||
            !bring_parent(b, &t->app->columns[i], c, gid, e))
            return false;
        /* A row that was brought in has been decoded in the place of this one. */
        if (b->n != before && !record_borrow(&b->rec, b->works[index].rec, e))
            return false;
    }
    return true;
}

bool batch_parents(struct batch *b, struct err *e)
{
    bool again = true;

    while (again) {
        again = false;
        for (uint32_t i = 0; i < b->n; i++) { /* b->n grows as parents are brought in */
            struct work *w = &b->works[i];

            if (w->followed || !(w->alive || w->needed))
                continue;
            w->followed = again = true;
            if (!bring_parents_of(b, i, e))
                return false;
        }
    }
    return true;
}

/* ---- keys ---- */

/* Raise *max to the number that a query gives. Frees the query's text. */
static bool raise_max(struct batch *b, char *sql, int64_t *max, struct err *e)
{
    sqlite3_stmt *q = NULL;
    int code = SQLITE_ERROR;

    if (sqlite3_prepare_v2(b->s->app.db, sql, -1, &q, NULL) == SQLITE_OK) {
        code = sqlite3_step(q);
        if (code == SQLITE_ROW && sqlite3_column_int64(q, 0) > *max)
            *max = sqlite3_column_int64(q, 0);
    }
    sqlite3_finalize(q);
    sqlite3_free(sql);
    return code == SQLITE_ROW || code == SQLITE_DONE ||
           sqlite_err(b->s->app.db, "look for a free key", e);
}

static bool table_ready(struct batch *b, struct binding *t, struct batch_table **out, struct err *e)
{
    struct batch_table *bt = &b->tables[t->app_index];
    const char *key = t->app->columns[t->app->keys[0]].name;

    *out = bt;
    if (bt->ready)
        return true;
    bt->used_max = b->s->ledger.tables[t->table - 1].key_max;
    if (!raise_max(b, sqlite3_mprintf("SELECT max(\"%w\") FROM main.\"%w\"", key, t->app->name),
                   &bt->used_max, e))
        return false;
    if (t->app->autoincrement &&
        !raise_max(
            b,
            sqlite3_mprintf("SELECT seq FROM main.sqlite_sequence WHERE name = %Q", t->app->name),
            &bt->used_max, e))
        return false;
    bt->used = bt->used_max;
    bt->ready = true;
    return true;
}

/* Who has had a key in this file that nobody has now: this row or others, and who was the last? A
 * row that left it for another key is known here alone. */
static bool ask_placed(struct batch *b, const struct work *w, const struct row_key *key,
                       int64_t *mine, int64_t *others, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&b->s->ledger,
                                     "SELECT max(until * (gid = ?3)), max(until * (gid <> ?3))"
                                     " FROM placed WHERE tbl = ?1 AND key = ?2",
                                     e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, w->b->table);
    sqlite3_bind_int64(q, 2, key->i);
    sqlite3_bind_int64(q, 3, w->gid);
    code = sqlite3_step(q);
    *mine = code == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
    *others = code == SQLITE_ROW ? sqlite3_column_int64(q, 1) : 0;
    sqlite3_finalize(q);
    return code == SQLITE_ROW || ledger_err(&b->s->ledger, "look who had a key", e);
}

/* Was this key used here by anybody else? A row that had it after everybody else may have it again:
 * the application knows it by that key. */
static bool is_taken(struct batch *b, const struct work *w, const struct row_key *key, bool *taken,
                     struct err *e)
{
    struct ledger_row row;
    int64_t mine, others;
    bool found;
    int code;

    *taken = keymap_get(&b->given, w->b->app_index, key) != 0;
    if (*taken)
        return true;
    if (!ledger_head_by_key(&b->s->ledger, w->b->table, key, true, &row, &found, e))
        return false;
    *taken = found && row.gid != w->gid;
    if (found && row.present)
        return true;
    if (!ask_placed(b, w, key, &mine, &others, e))
        return false;
    *taken = *taken ? mine <= others : mine < others;
    if (*taken)
        return true;
    sqlite3_reset(w->b->app->select);
    if (!key_bind(w->b->app->select, 1, w->b->app, key, e))
        return false;
    code = sqlite3_step(w->b->app->select);
    sqlite3_reset(w->b->app->select);
    *taken = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ||
           sqlite_err(b->s->app.db, w->b->app->name, e);
}

/* The application deleted the one of two rows that are one, and the other one, which is in its
 * file, is part of that: it goes on seeing that one, under its key. */
static bool inherit_key(struct batch *b, struct work *w)
{
    const struct work *gone = w->heir == 0 ? NULL : batch_find(b, w->heir);

    if (gone == NULL || !gone->present || gone->alive || gone->needed || gone->state != WORK_OPEN)
        return false;
    w->key = gone->key;
    keymap_put(&b->given, w->b->app_index, &w->key, 1);
    return true;
}

static bool give_surrogate(struct batch *b, struct work *w, struct err *e)
{
    const struct ledger_table *table = &b->s->ledger.tables[w->b->table - 1];
    struct row_key wish = w->key; /* a row that comes back had a key */
    const struct cell *hint;
    struct batch_table *bt;
    bool taken = true;

    if (!table_ready(b, w->b, &bt, e) || !record_borrow(&b->rec, w->rec, e))
        return false;
    hint = record_get(&b->rec, w->b->position[w->b->app->keys[0]]);
    if (wish.kind != KEY_INT && hint != NULL && hint->v.type == VALUE_INT &&
        hint->v.i > table->key_floor)
        wish = (struct row_key){.kind = KEY_INT, .i = hint->v.i};
    if (wish.kind == KEY_INT && wish.i > bt->used_max)
        taken = wish.i - bt->used_max > KEY_GAP_MAX;
    else if (wish.kind == KEY_INT && !is_taken(b, w, &wish, &taken, e))
        return false;
    if (taken) {
        if (bt->used_max == INT64_MAX) {
            work_fail(b, w, "table %s has no free key left: its highest is 9223372036854775807",
                      w->b->app->name);
            return true;
        }
        wish = (struct row_key){.kind = KEY_INT, .i = bt->used_max + 1};
    }
    if (wish.i > bt->used_max)
        bt->used_max = wish.i;
    w->key = wish;
    keymap_put(&b->given, w->b->app_index, &wish, 1);
    return true;
}

bool batch_natural_key(struct batch *b, struct work *w, struct row_key *key, const char **why,
                       struct err *e)
{
    struct value values[KEY_COLUMNS_MAX];
    const struct app_table *t = w->b->app;

    if (!record_borrow(&b->rec, w->rec, e))
        return false;
    for (uint32_t i = 0; i < t->key_count; i++) {
        const struct cell *c = record_get(&b->rec, w->b->position[t->keys[i]]);
        int64_t gid;

        *why = t->columns[t->keys[i]].name;
        if (c == NULL || c->v.type == VALUE_NULL)
            return false;
        values[i] = c->v;
        if (c->v.type == VALUE_REF && (!ledger_stands(&b->s->ledger, gid_pack(c->v.ref), &gid, e) ||
                                       !batch_refer(b, gid, &values[i], why, e)))
            return false;
    }
    if (unsent_key(values, t->key_count))
        return false;
    if (t->key_count == 1 && values[0].type == VALUE_INT) {
        *key = (struct row_key){.kind = KEY_INT, .i = values[0].i};
        return true;
    }
    buf_clear(&b->key_room);
    for (uint32_t i = 0; i < t->key_count; i++)
        packed_value_write(&b->key_room, &values[i]);
    *key = (struct row_key){.kind = KEY_PACKED,
                            .bytes = arena_copy(&b->arena, buf_slice(&b->key_room))};
    return true;
}

static bool is_newcomer(const struct work *w)
{
    return w->b != NULL && !w->present && (w->alive || w->needed) && w->state == WORK_OPEN;
}

/* A natural key to be found: a newcomer's, or the next one of a row that renames. */
static struct row_key *open_key(struct work *w)
{
    if (is_newcomer(w))
        return &w->key;
    return w->b != NULL && w->renames && (w->alive || w->needed) && w->state == WORK_OPEN ? &w->next
                                                                                          : NULL;
}

/* Natural keys may be made of other natural keys: round and round until nothing changes. */
static bool give_natural_keys(struct batch *b, struct err *e)
{
    bool progress = true;
    const char *why = NULL;

    for (uint32_t i = 0; i < b->n; i++)
        if (is_newcomer(&b->works[i]) && !b->works[i].b->app->surrogate)
            b->works[i].key = (struct row_key){0};
    while (progress) {
        progress = false;
        for (uint32_t i = 0; i < b->n; i++) {
            struct work *w = &b->works[i];
            struct row_key *key = open_key(w);

            if (key == NULL || key->kind != KEY_NONE)
                continue;
            if (batch_natural_key(b, w, key, &why, e))
                progress = true;
            else if (e->code != ERR_NONE)
                return false;
        }
    }
    for (uint32_t i = 0; i < b->n; i++)
        if (open_key(&b->works[i]) != NULL && open_key(&b->works[i])->kind == KEY_NONE)
            work_fail(b, &b->works[i], "waits for what its key names (%s)",
                      why == NULL ? "?" : why);
    return true;
}

bool batch_keys(struct batch *b, struct err *e)
{
    for (uint32_t i = 0; i < b->n; i++)
        if (is_newcomer(&b->works[i]) && b->works[i].b->app->surrogate &&
            !inherit_key(b, &b->works[i]) && !give_surrogate(b, &b->works[i], e))
            return false;
    return give_natural_keys(b, e);
}
