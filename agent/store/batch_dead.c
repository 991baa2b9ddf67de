/* The dead rows of a batch. A dead row stays in the file, and up to date, as long as a row there
 * refers to it: nothing of ours leaves a dangling reference, and what a file holds follows from
 * the logical state alone.
 *
 * Most deletes come with those of their children, so rows are deleted first and looked at
 * afterwards; one that was kept before is looked at before. */
#include "batch.h"

#include <sqlite3.h>

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

/* Does a row of the file refer to this one? */
static bool has_children(struct batch *b, const struct work *w, enum whose whose, bool *has,
                         struct err *e)
{
    *has = false;
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
