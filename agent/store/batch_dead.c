/* The dead rows of a batch, and rows that would name none. A dead row stays in the file, and up to
 * date, as long as a row there refers to it: nothing of ours leaves a dangling reference, and what
 * a file holds follows from the logical state alone.
 *
 * Most deletes come with those of their children, so rows are deleted first and looked at
 * afterwards; one that was kept before is looked at before. */
#include "batch.h"

#include <sqlite3.h>

#include "refer.h"

/* Which rows that refer to one count. */
enum whose {
    ANY,
    OUTSIDE, /* that the batch does not touch: those that it touches name what they need themselves
              */
    LOOSE,   /* by rule, of whatever row: one that is not there may dangle */
};

/* Does the row of the file that this statement shows refer to w? */
static bool is_child(struct batch *b, const struct app_child *c, sqlite3_stmt *q,
                     const struct work *w, enum whose whose, bool *is, struct err *e)
{
    struct ledger_row row;
    bool found;

    *is = false;
    if (!batch_child_row(b, c, q, &row, &found, e))
        return false;
    if (whose == OUTSIDE && found && batch_find(b, row.gid) != NULL)
        return true;
    *is = true;
    return !found || batch_child_means(b, c, &row, w, is, e);
}

/* Likewise by the values of its primary key, which are several. */
static bool is_named(struct batch *b, const struct work *w, uint32_t k, enum whose whose, bool *is,
                     struct err *e)
{
    const struct app_table *t = w->b->app;
    const struct app_fk *fk = &t->fks[k];
    const struct app_child child = {.table = fk->table};
    struct value key[KEY_COLUMNS_MAX], values[KEY_COLUMNS_MAX];
    sqlite3_stmt *q;
    int code = SQLITE_DONE;

    if (!key_values(t, &w->key, key, e))
        return false;
    for (uint32_t i = 0; i < fk->n; i++)
        for (uint32_t at = 0; at < t->key_count; at++)
            if (t->keys[at] == fk->to[i])
                values[i] = key[at];
    q = batch_referring(b, w->b->app_index, k, values, e);
    while (q != NULL && !*is && e->code == ERR_NONE && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct ledger_row row;
        bool found;

        if (batch_child_row(b, &child, q, &row, &found, e))
            *is = whose == ANY || !found || batch_find(b, row.gid) == NULL;
    }
    sqlite3_reset(q);
    return e->code == ERR_NONE &&
           (code == SQLITE_ROW || code == SQLITE_DONE || sqlite_err(b->s->app.db, t->name, e));
}

/* Does a row of the file refer to this one? */
static bool has_children(struct batch *b, const struct work *w, enum whose whose, bool *has,
                         struct err *e)
{
    *has = false;
    for (uint32_t k = 0; k < w->b->app->fk_count && whose != LOOSE && !*has; k++)
        if (w->b->app->fks[k].primary && !is_named(b, w, k, whose, has, e))
            return false;
    for (uint32_t i = 0; i < w->b->app->child_count && !*has; i++) {
        const struct app_child *c = &w->b->app->children[i];
        sqlite3_stmt *q;
        int code = SQLITE_DONE;

        if (whose == LOOSE && !b->s->app.schema.tables[c->table].columns[c->column].ref_by_rule)
            continue;
        q = batch_children(b, w, i, e);
        if (q == NULL)
            return false;
        while (!*has && e->code == ERR_NONE && (code = sqlite3_step(q)) == SQLITE_ROW) {
            if (!is_child(b, c, q, w, whose, has, e))
                break;
        }
        sqlite3_reset(q);
        if (e->code != ERR_NONE)
            return false;
        if (code != SQLITE_ROW && code != SQLITE_DONE)
            return sqlite_err(b->s->app.db, w->b->app->name, e);
    }
    return true;
}

bool batch_keep(struct batch *b, struct err *e)
{
    for (uint32_t i = 0; i < b->n; i++) {
        struct work *w = &b->works[i];

        if (w->alive || w->needed || w->b == NULL)
            continue;
        /* It is deleted once more, by somebody who has not seen what was left dangling: it is back.
         */
        if (!w->present && w->key.kind != KEY_NONE && !has_children(b, w, LOOSE, &w->needed, e))
            return false;
        if (!w->present)
            continue;
        w->needed = w->stays;
        if (!w->needed && w->waiting && !has_children(b, w, OUTSIDE, &w->needed, e))
            return false;
    }
    return true;
}

bool batch_delete_dead(struct batch *b, struct err *e)
{
    for (uint32_t i = 0; i < b->n; i++) {
        struct work *w = &b->works[i];

        if (w->alive || w->needed || !w->present || w->state != WORK_OPEN)
            continue;
        if (w->b == NULL)
            work_fail(b, w, "its table is not tracked on this PC");
        else if (!batch_delete(b, w, e))
            return false;
    }
    return true;
}

/* Put a deleted row back. When that fails, because it refers to what is not in the file, the batch
 * must be done again without deleting it. */
static bool restore(struct batch *b, struct work *w, struct err *e)
{
    w->deleted = false;
    w->needed = true;   /* it may refer to itself */
    w->present = false; /* so that it is inserted */
    if (!batch_write(b, w, e))
        return false;
    w->present = true;
    if (w->state != WORK_FAILED)
        return true;
    return batch_hold(b, w, e);
}

/* Has a row that was renamed the key of this one now? What refers to the key means that row. */
static bool is_replaced(struct batch *b, const struct work *w, bool *is, struct err *e)
{
    sqlite3_stmt *q = w->b->app->select;
    int code;

    sqlite3_reset(q);
    if (!key_bind(q, 1, w->b->app, &w->key, e))
        return false;
    code = sqlite3_step(q);
    sqlite3_reset(q);
    *is = code == SQLITE_ROW;
    return *is || code == SQLITE_DONE || sqlite_err(b->s->app.db, w->b->app->name, e);
}

bool batch_restore(struct batch *b, struct err *e)
{
    bool again = true;

    while (again) {
        again = false;
        for (uint32_t i = 0; i < b->n; i++) {
            struct work *w = &b->works[i];
            bool has, is;

            if (!w->deleted)
                continue;
            if (!is_replaced(b, w, &is, e))
                return false;
            if (is)
                continue;
            if (!has_children(b, w, ANY, &has, e) || (has && !restore(b, w, e)))
                return false;
            again |= has;
        }
    }
    return true;
}

/* Did the row name the same by this foreign key before the batch? Then it is not for us to judge.
 */
static bool named_before(struct batch *b, const struct work *w, const struct app_fk *fk,
                         const struct value *values, bool *is, struct err *e)
{
    *is = false;
    if (!w->present)
        return true;
    if (!record_decode(&b->named, w->shadow.p != NULL ? w->shadow : w->rec, e))
        return false;
    *is = true;
    for (uint32_t i = 0; i < fk->n; i++) {
        const struct cell *c = record_get(&b->named, w->b->position[fk->columns[i]]);

        *is &= c != NULL && value_equal(&c->v, &values[i]);
    }
    return true;
}

/* Does the row, as the file has it now, name one that is not there, by our doing? */
static bool dangles(struct batch *b, const struct work *w, const struct app_parent *named, bool *is,
                    struct err *e)
{
    struct app_table *parent = &b->s->app.schema.tables[named->table];
    struct app_fk *fk = &parent->fks[named->fk];
    struct value values[KEY_COLUMNS_MAX];
    sqlite3_stmt *row = w->b->app->select, *q;
    bool names;
    int code;

    *is = false;
    sqlite3_reset(row);
    if (!key_bind(row, 1, w->b->app, &w->key, e))
        return false;
    code = sqlite3_step(row);
    names = code == SQLITE_ROW;
    for (uint32_t i = 0; names && i < fk->n; i++) {
        values[i] = value_of_column(row, (int)fk->columns[i]);
        names = values[i].type != VALUE_NULL;
    }
    q = names ? refer_holder(b->s, parent, fk, values, e) : NULL;
    if (q != NULL) {
        bool before = false;

        code = sqlite3_step(q);
        if (code == SQLITE_DONE && named_before(b, w, fk, values, &before, e))
            *is = !before;
        sqlite3_reset(q);
    }
    sqlite3_reset(row);
    return e->code == ERR_NONE &&
           (code == SQLITE_ROW || code == SQLITE_DONE || sqlite_err(b->s->app.db, parent->name, e));
}

static bool undo_dangler(struct batch *b, struct work *w, bool *undone, struct err *e)
{
    for (uint32_t i = 0; i < w->b->app->parent_count; i++) {
        const struct app_parent *named = &w->b->app->parents[i];
        const struct app_table *parent = &b->s->app.schema.tables[named->table];
        bool is;

        if (!dangles(b, w, named, &is, e))
            return false;
        if (!is)
            continue;
        if (!batch_undo(b, w, e))
            return false;
        work_fail(b, w,
                  parent->number != 0 ? "waits for the row of table %s that column %s refers to"
                                      : "refers to a row of table %s (column %s), which is not "
                                        "shared on this PC and has no such row here",
                  parent->name, w->b->app->columns[parent->fks[named->fk].columns[0]].name);
        return *undone = true;
    }
    return true;
}

bool batch_undo_danglers(struct batch *b, struct err *e)
{
    bool undone = true;

    while (undone) {
        undone = false;
        for (uint32_t i = 0; i < b->n; i++) {
            struct work *w = &b->works[i];

            if (w->wrote && w->state == WORK_DONE && !undo_dangler(b, w, &undone, e))
                return false;
        }
        if (undone && (!batch_undo_orphans(b, e) || !batch_restore(b, e) || !batch_follow(b, e)))
            return false;
    }
    return true;
}

/* Does a row of the file show the key that this one has no more, or has not got, and no row have
 * it? */
static bool shows_other_key(struct batch *b, const struct work *w, bool *shows, struct err *e)
{
    struct work other = *w;
    bool taken = false, ok;

    other.key = w->renamed ? w->was : w->next;
    ok = is_replaced(b, &other, &taken, e) && (taken || has_children(b, &other, ANY, shows, e));
    *shows &= !taken;
    return ok;
}

bool batch_keys_agree(struct batch *b, struct err *e)
{
    for (uint32_t i = 0; i < b->n; i++) {
        struct work *w = &b->works[i];
        bool shows = false;

        if (!w->present || w->left || (!w->renamed && w->next.kind == KEY_NONE))
            continue;
        if (!shows_other_key(b, w, &shows, e))
            return false;
        if (!shows)
            continue;
        work_fail(b, w, "rows here that cannot follow it refer to it by another key");
        return batch_hold(b, w, e);
    }
    return true;
}
