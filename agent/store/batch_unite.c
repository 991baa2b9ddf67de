/* Rows that were united with others: they leave the file, and what refers to them there refers to
 * the row that stands for them. The ledger need not change what refers to them, since it resolves
 * references when it uses them; so those rows are found in the file. A row that had left it before
 * may still be named there by rule. */
#include "batch.h"
#include "unite.h"

#include <sqlite3.h>

#include "ledger_large.h"
#include "refer.h"

/* The row of the file refers in this column to what leaves: let it be written anew, as it would be
 * if the file had NULL there. Where NULL is wanted it is, as the file has something else. */
static bool point_anew(struct batch *b, struct work *w, uint32_t column, struct err *e)
{
    const struct cell *wanted;
    struct cell *cell;

    if (!record_borrow(&b->rec, w->rec, e) ||
        !record_borrow(&b->shadow, w->shadow.p != NULL ? w->shadow : w->rec, e))
        return false;
    w->moved = true;
    wanted = record_get(&b->rec, w->b->position[column]);
    if (wanted == NULL || wanted->v.type == VALUE_NULL)
        return true;
    cell = record_cell(&b->shadow, w->b->position[column]);
    cell->v = (struct value){.type = VALUE_NULL};
    cell->set = true;
    buf_clear(&b->room_b);
    record_encode(&b->shadow, &b->room_b);
    w->shadow = arena_copy(&b->arena, buf_slice(&b->room_b));
    w->renames |= w->b->is_key[column];
    return true;
}

/* The key of a row that is not in the file may name another one by now, and an id beside a type is
 * a key of any table: is it this row that is meant? */
static bool means(struct batch *b, const struct app_child *c, const struct ledger_row *row,
                  int64_t stands, bool *is, struct err *e)
{
    const struct binding *binding = bind_by_table(b->s, row->table);
    const struct cell *cell;
    int64_t gid;

    *is = false;
    if (!record_decode(&b->rec, row->rec, e))
        return false;
    cell = record_get(&b->rec, binding->position[c->column]);
    if (cell == NULL || cell->v.type != VALUE_REF)
        return true;
    if (!ledger_stands(&b->s->ledger, gid_pack(cell->v.ref), &gid, e))
        return false;
    *is = gid == stands;
    return true;
}

/* One row of the file, which the statement shows, that refers to what leaves, or left, and to
 * `stands` from here on. */
static bool take_child(struct batch *b, const struct app_child *c, sqlite3_stmt *q, int64_t stands,
                       bool present, struct err *e)
{
    const struct app_column *column = &b->s->app.schema.tables[c->table].columns[c->column];
    struct ledger_row row;
    struct work *w;
    bool found, is = true;

    if (!batch_child_row(b, c, q, &row, &found, e))
        return false;
    if (!found || row.minted)
        return true;
    if ((!present || (column->ref_form == REF_TYPED && !row.differs)) &&
        !means(b, c, &row, stands, &is, e))
        return false;
    if (!is)
        return true;
    w = batch_add(b, row.gid, false, false, e);
    return w == NULL ? e->code == ERR_NONE : point_anew(b, w, c->column, e);
}

static bool bring_children(struct batch *b, uint32_t index, int64_t stands, struct err *e)
{
    const struct app_table *t = b->works[index].b->app;
    bool present = b->works[index].present;

    for (uint32_t i = 0; i < t->child_count; i++) {
        const struct app_child *c = &t->children[i];
        sqlite3_stmt *q;
        int code = SQLITE_DONE;

        if (!present && !b->s->app.schema.tables[c->table].columns[c->column].ref_by_rule)
            continue;
        q = batch_children(b, &b->works[index], i, e);
        if (q == NULL)
            return false;
        while (e->code == ERR_NONE && (code = sqlite3_step(q)) == SQLITE_ROW)
            if (!take_child(b, c, q, stands, present, e))
                break;
        sqlite3_reset(q);
        if (e->code != ERR_NONE)
            return false;
        if (code != SQLITE_DONE)
            return sqlite_err(b->s->app.db, t->name, e);
    }
    return true;
}

/* One row, if another one stands for it now, or its key will be another one. */
static bool spread(struct batch *b, uint32_t i, struct err *e)
{
    struct work *w = &b->works[i], *stander;
    int64_t gid = w->gid, stands;
    bool present = w->present;

    if (w->b == NULL || (!present && w->key.kind == KEY_NONE))
        return true;
    if (!ledger_stands(&b->s->ledger, w->gid, &stands, e))
        return false;
    if (w->renames && stands == w->gid) {
        w->spread = true;
        return bring_children(b, i, stands, e);
    }
    if (w->alive || stands == w->gid)
        return true;
    w->spread = true;
    w->want = w->shadow; /* should it have to stay all the same */
    stander = batch_add(b, stands, false, present, e);
    if (stander == NULL && e->code != ERR_NONE)
        return false;
    if (stander != NULL && present && !stander->present && stander->heir == 0) {
        stander->heir = gid;
        /* Where it stood itself before, it is still named by rule. */
        if (stander->key.kind != KEY_NONE &&
            !bring_children(b, (uint32_t)(stander - b->works), stands, e))
            return false;
    }
    return bring_children(b, i, stands, e);
}

/* Is the row to show another key in this column than it does? Not where it names one that has gone:
 * that may dangle. */
static bool is_behind(struct batch *b, const struct work *w, uint32_t column, int64_t gid,
                      bool *behind, struct err *e)
{
    struct value meant, shown;
    struct ledger_row row;
    bool known, found;

    if (!refer_value(b->s, w->b, column, gid, &b->arena, &meant, &known, e) ||
        (known && !batch_held(b, w, column, &shown, e)))
        return false;
    *behind = known && !value_equal(&shown, &meant);
    if (known)
        return true;
    if (!ledger_row_get(&b->s->ledger, gid, &row, &found, e) ||
        (found && !row.minted && !record_borrow(&b->named, row.rec, e)))
        return false;
    *behind = found && !row.minted && ledger_alive(&b->s->ledger, &b->named);
    return true;
}

/* A row that waits may have waited for the row that another one stands for now: what it names by
 * rule is shown under a key that no row has any more, and nobody else would find it there. */
static bool point_waiting(struct batch *b, struct work *w, struct err *e)
{
    for (uint32_t i = 0; i < w->b->app->column_count; i++) {
        const struct cell *cell;
        int64_t gid, stands;
        bool behind;

        if (!w->b->app->columns[i].ref_by_rule)
            continue;
        if (!record_borrow(&b->rec, w->rec, e))
            return false;
        cell = record_get(&b->rec, w->b->position[i]);
        if (cell == NULL || cell->v.type != VALUE_REF)
            continue;
        gid = gid_pack(cell->v.ref);
        if (!ledger_stands(&b->s->ledger, gid, &stands, e))
            return false;
        if (stands == gid)
            continue;
        if (!is_behind(b, w, i, stands, &behind, e) || (behind && !point_anew(b, w, i, e)))
            return false;
    }
    return true;
}

/* What is brought in may in turn be named by others: round and round until nothing comes. */
bool batch_unite(struct batch *b, struct err *e)
{
    bool again = b->s->ledger.aliases;

    for (uint32_t i = 0; again && i < b->n; i++)
        if (b->works[i].waiting && b->works[i].present && b->works[i].b != NULL &&
            !point_waiting(b, &b->works[i], e))
            return false;
    while (again) {
        again = false;
        for (uint32_t i = 0; i < b->n; i++) { /* b->n grows */
            if (b->works[i].spread)
                continue;
            if (!spread(b, i, e))
                return false;
            again |= b->works[i].spread;
        }
    }
    return true;
}
