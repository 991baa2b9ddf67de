/* References of a batch: what names the row in this file, and who refers to a row here. */
#include "batch.h"

#include <sqlite3.h>

#include "ledger_large.h"
#include "refer.h"
#include "seen.h"

enum { VALUE_STEPS_MAX = 32 };

/* The row is or gets into the file: its table and its key there. `table` becomes its name where
 * anything is known of the row. */
static bool find_row(struct batch *b, int64_t gid, struct binding **t, struct value *v,
                     const char **table, struct err *e)
{
    struct work *w = batch_find(b, gid);
    struct ledger_row row;
    struct row_key key;
    bool found, in;

    if (w != NULL) {
        *t = w->b;
        key = w->renames && w->state != WORK_FAILED ? w->next : w->key;
        if (*t != NULL)
            *table = (*t)->app->name;
        if (*t == NULL || key.kind == KEY_NONE ||
            (!w->present && (w->state == WORK_FAILED || (!w->alive && !w->needed))))
            return false;
    } else {
        if (!ledger_head_get(&b->s->ledger, gid, &row, &found, e) || !found)
            return false;
        *t = bind_by_table(b->s, row.table);
        *table = b->s->ledger.tables[row.table - 1].name;
        if (*t == NULL || !row.present || !batch_is_in_file(b, &row, &in, e) || !in)
            return false;
        key = arena_key(&b->arena, &row.key); /* the ledger's own goes with the next look-up */
    }
    return (*t)->app->key_count == 1 && key_values((*t)->app, &key, v, e);
}

bool batch_refer(struct batch *b, int64_t gid, struct value *v, const char **table, struct err *e)
{
    struct binding *t;

    return find_row(b, gid, &t, v, table, e);
}

/* Of which table is the row that the column names, as far as the column tells? */
static const char *named_table(const struct batch *b, const struct app_column *c)
{
    return c->ref_table < 0 ? "other" : b->s->app.schema.tables[c->ref_table].name;
}

/* Is the row, which is in table `t`, one that the foreign key of the column allows? In another PC's
 * database, or before a migration, it may refer to another table: the key of a row there names
 * nothing here, or something else. */
static bool is_allowed(struct batch *b, struct work *w, const struct app_column *c,
                       const struct binding *t)
{
    if (c->ref_table < 0 || c->ref_by_rule || (int)t->app_index == c->ref_table)
        return true;
    work_fail(b, w, "its column %s refers to a row of table %s, and to rows of table %s here",
              c->name, t->app->name, named_table(b, c));
    return false;
}

/* What the file holds of the row, or will once the batch is written. */
static bool read_coming(struct batch *b, int64_t gid, struct record *r, struct err *e)
{
    const struct work *w = batch_find(b, gid);
    struct ledger_row row;
    bool found;

    if (w == NULL) {
        if (!ledger_row_get(&b->s->ledger, gid, &row, &found, e))
            return false;
        record_clear(r);
        return !found || row.minted || record_decode(r, row.differs ? row.shadow : row.rec, e);
    }
    if (w->state == WORK_FAILED && w->shadow.p != NULL)
        return record_borrow(r, w->shadow, e);
    return record_borrow(r, w->want.p != NULL ? w->want : w->rec, e);
}

/* What names the row in a column by what it holds in another one, which may be such a reference in
 * turn. As batch_value. */
static int value_of_unique(struct batch *b, struct work *w, const struct app_column *c, int64_t gid,
                           struct value *out, struct err *e)
{
    const char *child = c->name, *table = named_table(b, c);

    for (int step = 0; step < VALUE_STEPS_MAX; step++) {
        const struct cell *cell;
        struct binding *t;

        if (!ledger_stands(&b->s->ledger, gid, &gid, e))
            return -1;
        if (!find_row(b, gid, &t, out, &table, e))
            break;
        if (!is_allowed(b, w, c, t))
            return 0;
        if (c->ref_form != REF_UNIQUE || (int)t->app_index != c->ref_table) {
            *out = refer_render(b->s, c, t->app, out, &b->arena);
            return 1;
        }
        if (!read_coming(b, gid, &b->named, e))
            return -1;
        cell = record_get(&b->named, t->position[c->ref_column]);
        if (cell == NULL || cell->v.type == VALUE_NULL) {
            work_fail(b, w, "waits for the row of table %s that column %s refers to: it has no %s",
                      table, child, t->app->columns[c->ref_column].name);
            w->waits = true;
            return 0;
        }
        c = &t->app->columns[c->ref_column];
        *out = arena_value(&b->arena, &cell->v);
        if (out->type != VALUE_REF)
            return 1;
        gid = gid_pack(out->ref);
    }
    if (e->code != ERR_NONE)
        return -1;
    work_fail(b, w, "waits for the row of table %s that column %s refers to", table, child);
    w->waits = true;
    return 0;
}

/* The key that a dead row had here, which a reference that does not keep it goes on showing. */
static bool key_of_dead(struct batch *b, int64_t gid, struct binding **t, struct value *v,
                        bool *known, struct err *e)
{
    struct ledger_row row;
    struct row_key key;
    bool others;

    *known = false;
    if (!ledger_row_get(&b->s->ledger, gid, &row, known, e))
        return false;
    *t = *known ? bind_by_table(b->s, row.table) : NULL;
    *known = *t != NULL && !row.present && !row.minted && row.key.kind != KEY_NONE &&
             (*t)->app->key_count == 1;
    if (!*known || !record_decode(&b->named, row.rec, e))
        return e->code == ERR_NONE;
    *known = !ledger_alive(&b->s->ledger, &b->named);
    key = arena_key(&b->arena, &row.key);
    if (!batch_key_is_others(b, *t, gid, &key, &others, e))
        return false;
    *known &= !others;
    return !*known || key_values((*t)->app, &key, v, e);
}

int batch_value(struct batch *b, struct work *w, uint32_t column, const struct value *in,
                struct value *out, struct err *e)
{
    const struct app_column *c = &w->b->app->columns[column];
    const char *table = named_table(b, c);
    struct binding *t;
    int64_t gid;
    bool known;

    *out = *in;
    if (in->type != VALUE_REF) {
        if (!app_refers(c) || app_refers_loosely(c) || in->type == VALUE_NULL)
            return 1;
        work_fail(b, w, "column %s refers to a row that its author did not have", c->name);
        return 0;
    }
    if (!ledger_stands(&b->s->ledger, gid_pack(in->ref), &gid, e))
        return -1;
    if (c->ref_form == REF_UNIQUE)
        return value_of_unique(b, w, c, gid, out, e);
    if (find_row(b, gid, &t, out, &table, e)) {
        if (!is_allowed(b, w, c, t))
            return 0;
        *out = refer_render(b->s, c, t->app, out, &b->arena);
        return 1;
    }
    if (e->code == ERR_NONE && app_may_dangle(c)) {
        if (!key_of_dead(b, gid, &t, out, &known, e))
            return -1;
        if (known) {
            *out = refer_render(b->s, c, t->app, out, &b->arena);
            return 1;
        }
    }
    if (e->code != ERR_NONE)
        return -1;
    work_fail(b, w, "waits for the row of table %s that column %s refers to", table, c->name);
    w->waits = true;
    return 0;
}

bool batch_ref_keeps(struct batch *b, const struct app_column *column, const struct cell *cell,
                     const struct local_clock *dead, bool *keeps, struct err *e)
{
    bool seen = false, knew = false;

    *keeps = app_refers(column);
    if (!*keeps)
        return true;
    if (column->ref_by_rule && dead->number != 0 &&
        (!seen_before(b->s, dead, &cell->clock, &seen, e) ||
         !seen_before(b->s, &cell->clock, dead, &knew, e)))
        return false;
    *keeps = !seen && !knew;
    return true;
}

/* ---- children ---- */

/* So do the rows that show this column of the row. */
bool batch_held(struct batch *b, const struct work *w, uint32_t column, struct value *v,
                struct err *e)
{
    sqlite3_stmt *q = w->b->app->select;
    const struct cell *cell;
    struct value here;
    bool known;
    int code;

    *v = (struct value){.type = VALUE_NULL};
    sqlite3_reset(q);
    if (!key_bind(q, 1, w->b->app, &w->key, e))
        return false;
    code = sqlite3_step(q);
    if (code == SQLITE_ROW) {
        here = value_of_column(q, (int)column);
        *v = arena_value(&b->arena, &here);
    }
    sqlite3_reset(q);
    if (code != SQLITE_DONE)
        return code == SQLITE_ROW || sqlite_err(b->s->app.db, w->b->app->name, e);
    if (!record_borrow(&b->named, w->shadow.p != NULL ? w->shadow : w->rec, e))
        return false;
    cell = record_get(&b->named, w->b->position[column]);
    if (cell == NULL)
        return true;
    *v = arena_value(&b->arena, &cell->v);
    if (v->type != VALUE_REF)
        return true;
    if (!refer_value(b->s, w->b, column, gid_pack(v->ref), &b->arena, v, &known, e))
        return false;
    if (!known)
        *v = (struct value){.type = VALUE_NULL};
    return true;
}

sqlite3_stmt *batch_children(struct batch *b, const struct work *w, uint32_t child, struct err *e)
{
    const struct app_table *t = w->b->app;
    struct batch_table *bt = &b->tables[w->b->app_index];
    const struct app_child *c = &t->children[child];
    const struct app_column *column = &b->s->app.schema.tables[c->table].columns[c->column];
    struct value v;

    if (bt->children == NULL)
        bt->children = mem_alloc((t->child_count + 1) * sizeof *bt->children);
    if (bt->children[child] == NULL)
        bt->children[child] = refer_children(b->s, t, c, e);
    if (bt->children[child] == NULL)
        return NULL;
    if (column->ref_form == REF_UNIQUE) {
        if (!batch_held(b, w, column->ref_column, &v, e))
            return NULL;
    } else {
        if (!key_values(t, &w->key, &v, e))
            return NULL;
        v = refer_render(b->s, column, t, &v, &b->arena);
    }
    if (!value_bind(bt->children[child], 1, &v)) {
        sqlite_err(b->s->app.db, t->name, e);
        return NULL;
    }
    return bt->children[child];
}

/* A row that the batch has put under this key. */
static bool find_came(struct batch *b, const struct binding *t, const struct row_key *key,
                      struct ledger_row *row)
{
    uint32_t at = keymap_get(&b->came, t->app_index, key);
    const struct work *w = at == 0 ? NULL : &b->works[at - 1];

    if (w == NULL || !w->wrote || !row_key_equal(&w->key, key))
        return false;
    *row = (struct ledger_row){.gid = w->gid,
                               .table = t->table,
                               .key = w->key,
                               .present = true,
                               .rec = w->rec,
                               .differs = w->shadow_after.p != NULL,
                               .shadow = w->shadow_after};
    return true;
}

bool batch_child_row(struct batch *b, const struct app_child *c, sqlite3_stmt *q,
                     struct ledger_row *row, bool *found, struct err *e)
{
    struct app_table *t = &b->s->app.schema.tables[c->table];
    struct binding *binding = bind_by_app(b->s, t);
    struct value values[COLUMNS_MAX];
    struct row_key key;

    *found = false;
    if (binding == NULL)
        return true;
    for (uint32_t i = 0; i < t->key_count; i++)
        values[t->keys[i]] = value_of_column(q, (int)i);
    key = key_of_row(t, values, &b->key_room);
    *found = find_came(b, binding, &key, row);
    return *found || ledger_row_by_key(&b->s->ledger, binding->table, &key, false, row, found, e);
}

bool batch_child_means(struct batch *b, const struct app_child *c, const struct ledger_row *row,
                       const struct work *w, bool *means, struct err *e)
{
    const struct app_table *t = &b->s->app.schema.tables[c->table];
    const struct app_column *column = &t->columns[c->column];
    const struct binding *binding = bind_by_table(b->s, row->table);
    const struct cell *cell;
    struct binding *stands;
    struct value shown;
    const char *table;
    int64_t gid = w->gid;

    *means = true;
    if (row->minted || (column->ref_form != REF_UNIQUE && !column->ref_by_rule))
        return true;
    if (!read_coming(b, row->gid, &b->named, e))
        return false;
    cell = record_get(&b->named, binding->position[c->column]);
    if (cell == NULL || cell->v.type != VALUE_REF) {
        *means = !column->ref_by_rule;
        return true;
    }
    if (!ledger_stands(&b->s->ledger, gid_pack(cell->v.ref), &gid, e))
        return false;
    /* One that another row stands for is meant only where that one is not in the file. */
    *means = gid == w->gid ||
             (gid_pack(cell->v.ref) == w->gid && !find_row(b, gid, &stands, &shown, &table, e));
    return e->code == ERR_NONE && (!*means || batch_ref_keeps(b, column, cell, &w->dead, means, e));
}
