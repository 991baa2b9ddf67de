/* Getting the rows of a batch past the constraints of the file. A value may be free only after
 * another row of the batch has let go of it, so rows that were refused are tried again, in turns
 * forwards and backwards, as long as that helps; then all of them are taken out and put in
 * together. Rows that want one UNIQUE value are settled (batch_unique.c). What is refused even so
 * is parked, and with it what refers to it.
 *
 * All of this happens under the application's lock: each pass costs no more than the rows it tries,
 * and there are a few. */
#include "batch.h"

#include <stdlib.h>

#include <sqlite3.h>

#define ROUNDS_MAX 8 /* of rows that yield a UNIQUE value */
#define PASSES_MAX 4 /* over the rows that were refused; the same for taking them out and in */

static bool wants_writing(const struct work *w)
{
    return w->state == WORK_OPEN && (w->alive || w->needed);
}

static bool may_try_again(const struct work *w)
{
    return w->state == WORK_FAILED && w->b != NULL && !w->wrote && !w->deleted && !w->left &&
           (w->present || w->key.kind != KEY_NONE) && (w->alive || w->needed);
}

static void count_failures(struct batch *b)
{
    b->failures = 0;
    for (uint32_t i = 0; i < b->n; i++)
        b->failures += b->works[i].state == WORK_FAILED;
}

/* ---- swaps ---- */

static bool run_sql(struct batch *b, const char *sql, struct err *e)
{
    return sqlite3_exec(b->s->app.db, sql, NULL, NULL, NULL) == SQLITE_OK ||
           sqlite_err(b->s->app.db, sql, e);
}

static uint32_t find_swaps(const struct batch *b, uint32_t *swap)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < b->n; i++) {
        const struct work *w = &b->works[i];

        if (may_try_again(w) && w->present && w->shadow.p != NULL)
            swap[n++] = i;
    }
    return n;
}

/* Take all of `swap` out of the file and put them in again with their new values. If some do not
 * fit, nothing has happened, and `n` is what is left without them. */
static bool try_swap(struct batch *b, uint32_t *swap, uint32_t *n, bool *done, struct err *e)
{
    uint32_t fit = 0, all = *n;

    if (!run_sql(b, "SAVEPOINT navette_swap", e))
        return false;
    for (uint32_t i = 0; i < all; i++) {
        b->works[swap[i]].state = WORK_OPEN;
        if (!batch_delete(b, &b->works[swap[i]], e))
            return false;
    }
    for (uint32_t i = 0; i < all; i++) {
        struct work *w = &b->works[swap[i]];

        w->deleted = w->present = false; /* so that it is inserted */
        if (!batch_write(b, w, e))
            return false;
        w->present = true;
    }
    for (uint32_t i = 0; i < all; i++)
        if (b->works[swap[i]].state == WORK_DONE)
            swap[fit++] = swap[i];
        else
            b->works[swap[i]].wrote = false;
    *done = fit == all;
    for (uint32_t i = 0; i < fit && !*done; i++) {
        b->works[swap[i]].wrote = false;
        b->works[swap[i]].state = WORK_FAILED;
    }
    *n = fit;
    return run_sql(
        b, *done ? "RELEASE navette_swap" : "ROLLBACK TO navette_swap; RELEASE navette_swap", e);
}

static bool write_swaps(struct batch *b, struct err *e)
{
    uint32_t *swap = mem_alloc((b->failures + 1) * sizeof *swap);
    uint32_t n = find_swaps(b, swap);
    bool done = false, ok = true;

    for (int pass = 0; ok && !done && n > 1 && pass < PASSES_MAX; pass++)
        ok = try_swap(b, swap, &n, &done, e);
    free(swap);
    count_failures(b);
    return ok;
}

/* ---- all ---- */

static bool try_again(struct batch *b, struct work *w, struct err *e)
{
    if (!may_try_again(w))
        return true;
    w->state = WORK_OPEN;
    w->collided = false;
    b->failures--;
    return batch_write(b, w, e);
}

/* Again and again, as long as that helps. */
static bool try_all_again(struct batch *b, struct err *e)
{
    uint32_t before;
    int pass = 0;

    do {
        before = b->failures;
        for (uint32_t i = 0; before > 0 && i < b->n; i++)
            if (!try_again(b, &b->works[pass % 2 == 0 ? b->n - 1 - i : i], e))
                return false;
    } while (b->failures < before && ++pass < PASSES_MAX);
    return b->failures < 2 || write_swaps(b, e);
}

/* Does a row refer to one that does not get into the file: that has been refused, or (not NULL) is
 * one of `doomed`? */
static bool refers_to_failed(struct batch *b, const struct work *w, const bool *doomed, bool *bad,
                             struct err *e)
{
    *bad = false;
    if (!record_borrow(&b->rec, w->rec, e))
        return false;
    for (uint32_t i = 0; i < w->b->app->column_count && !*bad; i++) {
        const struct cell *c = record_get(&b->rec, w->b->position[i]);
        const struct work *parent;
        int64_t gid;

        if (c == NULL || c->v.type != VALUE_REF || !app_refers(&w->b->app->columns[i]))
            continue;
        if (!ledger_stands(&b->s->ledger, gid_pack(c->v.ref), &gid, e))
            return false;
        parent = batch_find(b, gid);
        *bad = parent != NULL && !parent->present &&
               (doomed == NULL ? parent->state == WORK_FAILED : doomed[parent - b->works]);
    }
    return true;
}

/* Rows that wait, by `waited`, for one that has been refused again on its own account, or for what
 * waits for such a one, will come out again: what they collide with does not yield to them. */
static bool find_doomed(struct batch *b, const bool *waited, bool *doomed, struct err *e)
{
    bool again = false;

    for (uint32_t i = 0; i < b->n; i++) {
        doomed[i] = !waited[i] && b->works[i].state == WORK_FAILED;
        again |= doomed[i];
    }
    while (again) {
        again = false;
        for (uint32_t i = 0; i < b->n; i++) {
            struct work *w = &b->works[i];

            if (!waited[i] || doomed[i])
                continue;
            if (!refers_to_failed(b, w, doomed, &doomed[i], e))
                return false;
            again |= doomed[i];
            if (doomed[i] && w->state == WORK_FAILED && w->collided) {
                w->collided = false;
                w->waits = true;
            }
        }
    }
    return true;
}

static bool is_stuck(const struct work *w)
{
    return (w->waits || w->collided) && may_try_again(w);
}

static bool write_stuck(struct batch *b, const bool *waited, bool waiting, struct err *e)
{
    for (uint32_t i = 0; i < b->n; i++) {
        struct work *w = &b->works[i];

        if (waited[i] != waiting || !(waited[i] || w->collided) || !wants_writing(w))
            continue;
        w->collided = false;
        if (!batch_write(b, w, e))
            return false;
    }
    return true;
}

/* Rows that refer to each other in a ring wait for each other once one of them has been refused,
 * whatever became of that; so do a row that waits for its parent and a parent that wants the value
 * which that row gives up. All of them go in together, those that wait first. One whose parent does
 * not make it comes out again (batch_undo_orphans). `helped`: some got in, or have met a UNIQUE
 * value to be settled. */
static bool try_together(struct batch *b, bool *helped, struct err *e)
{
    bool *waited = mem_alloc((b->n + 1) * sizeof *waited);
    bool *doomed = mem_alloc((b->n + 1) * sizeof *doomed);
    bool ok;

    *helped = false;
    for (uint32_t i = 0; i < b->n; i++) {
        if (!is_stuck(&b->works[i]))
            continue;
        waited[i] = b->works[i].waits;
        b->works[i].state = WORK_OPEN;
        b->failures--;
    }
    ok = write_stuck(b, waited, true, e) && write_stuck(b, waited, false, e) &&
         find_doomed(b, waited, doomed, e);
    for (uint32_t i = 0; ok && i < b->n; i++)
        *helped |=
            waited[i] && !doomed[i] && (b->works[i].state == WORK_DONE || b->works[i].collided);
    free(waited);
    free(doomed);
    return ok;
}

bool batch_fit(struct batch *b, struct err *e)
{
    bool helped = true;
    uint32_t moved;

    for (uint32_t i = 0; i < b->n; i++)
        if (wants_writing(&b->works[i]) && !batch_write(b, &b->works[i], e))
            return false;
    if (!try_all_again(b, e))
        return false;
    for (int round = 0; b->failures > 0 && helped && round < ROUNDS_MAX; round++)
        if (!batch_collide(b, &moved, e) || (moved > 0 && !try_all_again(b, e)) ||
            (moved == 0 && !try_together(b, &helped, e)))
            return false;
    return true;
}

/* ---- what refers to rows that were refused ---- */

bool batch_undo_orphans(struct batch *b, struct err *e)
{
    bool again = b->failures > 0;

    while (again) {
        again = false;
        for (uint32_t i = 0; i < b->n; i++) {
            struct work *w = &b->works[i];
            bool bad;

            if (!w->wrote || w->state != WORK_DONE)
                continue;
            if (!refers_to_failed(b, w, NULL, &bad, e))
                return false;
            if (!bad)
                continue;
            if (!batch_undo(b, w, e))
                return false;
            work_fail(b, w, "waits for a row it refers to, which the file refuses");
            again = true;
        }
    }
    return true;
}
