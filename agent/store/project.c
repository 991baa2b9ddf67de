/* Project: bring the rows that are due in the application's file to their logical state, exactly
 * once.
 *
 *     gather    which rows, from the ledger                      (no lock)
 *     lock      without waiting; no undrained mark, same schema  (else ERR_BUSY)
 *     write     parents, keys, deletes, inserts and updates; what the file refuses is parked
 *     commit    rows, new token and the outcome of every row, together
 *     follow    the ledger notes the outcomes; if that is cut off it is done again from
 *               _navette_state
 *
 * The merge may still be open when a batch begins. It is then committed with what follows: one
 * write of the ledger's pages instead of two. Cut off in between, it is done again with the rest.
 * A full batch (merge.h) leaves off before the ledger follows: what comes next is what comes after
 * a crash there, in a call of its own. */
#include "batch.h"
#include "ledger_kept.h"
#include "ledger_large.h"
#include "merge.h"
#include "placed.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#define VAIN_ROUNDS_MAX  8           /* of attempts that only dead rows gave reason for */
#define BATCH_BYTES_MAX  (64u << 20) /* records in memory; a batch may exceed it by one row */
#define HELD_A_CALL      16          /* attempts in one call */
#define PARKED_ROWS_MAX  1000        /* refused rows tried again in one batch */
#define PARKED_ROWS_A_MS 4 /* and then so many for each millisecond until the next round */

/* ---- works ---- */

struct work *batch_find(struct batch *b, int64_t gid)
{
    struct row_key id = int_key(gid);
    uint32_t at = keymap_get(&b->by_gid, 0, &id);

    return at == 0 ? NULL : &b->works[at - 1];
}

static struct work *next_work(struct batch *b)
{
    if (b->n == b->room) {
        b->room = b->room == 0 ? 64 : b->room * 2;
        b->works = mem_grow(b->works, b->room * sizeof *b->works);
    }
    return &b->works[b->n++];
}

void work_fail(struct batch *b, struct work *w, const char *format, ...)
{
    char text[200];
    va_list arguments;
    struct slice copy;

    if (w->state == WORK_FAILED)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    copy = arena_copy(&b->arena, (struct slice){(const uint8_t *)text, strlen(text) + 1});
    w->reason = (const char *)copy.p;
    w->state = WORK_FAILED;
    b->failures++;
}

static uint32_t times_held(const struct store *s, int64_t gid)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->held_count; i++)
        n += s->held[i] == gid;
    return n;
}

/* Of a row that the ledger lends, until the batch ends. */
static struct slice keep(struct batch *b, struct slice bytes)
{
    if (bytes.n < LARGE_BYTES)
        return arena_copy(&b->arena, bytes);
    b->large = mem_grow(b->large, (b->large_count + 1) * sizeof *b->large);
    b->large[b->large_count] = (struct large){0};
    return ledger_keep(&b->s->ledger, bytes, &b->large[b->large_count++]);
}

struct work *batch_add(struct batch *b, int64_t gid, bool waiting, bool needed, struct err *e)
{
    struct work *w = batch_find(b, gid);
    struct row_key id = int_key(gid);
    struct ledger_row row;
    uint32_t held;
    bool found;

    if (w != NULL) {
        w->waiting |= waiting;
        w->needed |= needed;
        return w;
    }
    if (!ledger_row_get(&b->s->ledger, gid, &row, &found, e) || !found || row.minted ||
        bind_is_deaf(b->s, row.table))
        return NULL;
    w = next_work(b);
    *w = (struct work){
        .gid = gid, .b = bind_by_table(b->s, row.table), .waiting = waiting, .needed = needed};
    w->rec = keep(b, row.rec);
    if (!record_borrow(&b->rec, w->rec, e)) {
        b->n--;
        return NULL;
    }
    w->alive = ledger_alive(&b->s->ledger, &b->rec);
    w->dead = b->rec.dead;
    w->present = row.present;
    held = times_held(b->s, gid);
    w->stays = held > 0;
    w->left = held > (w->alive ? 0 : 1);
    w->key = arena_key(&b->arena, &row.key);
    if (row.differs)
        w->shadow = keep(b, row.shadow);
    b->bytes += w->rec.n + w->shadow.n;
    keymap_put(&b->by_gid, 0, &id, b->n);
    if (w->left)
        work_fail(b, w, "what it was written with cannot be written, nor taken back");
    return w;
}

bool batch_hold(struct batch *b, const struct work *w, struct err *e)
{
    struct store *s = b->s;

    s->held = mem_grow(s->held, (s->held_count + 1) * sizeof *s->held);
    s->held[s->held_count++] = w->gid;
    return err_set(e, ERR_BUSY, "a row of table %s could not be put back: %s", w->b->app->name,
                   w->reason);
}

static void batch_open(struct batch *b, struct store *s, uint64_t now_ms)
{
    *b = (struct batch){.s = s, .now_ms = now_ms};
    b->tables = mem_alloc((s->app.schema.n + 1) * sizeof *b->tables);
    buf_open(&b->room_a, SIZE_MAX / 2);
    buf_open(&b->room_b, SIZE_MAX / 2);
    buf_open(&b->key_room, SIZE_MAX / 2);
}

static void batch_close(struct batch *b)
{
    for (uint32_t i = 0; i < b->s->app.schema.n; i++) {
        struct batch_table *t = &b->tables[i];

        sqlite3_finalize(t->update);
        sqlite3_finalize(t->unsaid);
        for (uint32_t c = 0; t->children != NULL && c < b->s->app.schema.tables[i].child_count; c++)
            sqlite3_finalize(t->children[c]);
        for (uint32_t k = 0; t->referring != NULL && k < b->s->app.schema.tables[i].fk_count; k++)
            sqlite3_finalize(t->referring[k]);
        free(t->children);
        free(t->referring);
        free(t->mask);
        app_uniques_close(&t->uniques);
    }
    for (uint32_t i = 0; i < b->large_count; i++)
        large_close(&b->large[i]);
    free(b->large);
    free(b->tables);
    free(b->works);
    free(b->left);
    free(b->shown);
    keymap_close(&b->by_gid);
    keymap_close(&b->came);
    keymap_close(&b->given);
    keymap_close(&b->parents);
    record_close(&b->rec);
    record_close(&b->shadow);
    record_close(&b->named);
    buf_close(&b->room_a);
    buf_close(&b->room_b);
    buf_close(&b->key_room);
    arena_close(&b->arena);
}

/* ---- gather ---- */

void due_add(struct due_list *l, int64_t gid, bool waiting, bool needed)
{
    if (l->n == l->room) {
        l->room = l->room == 0 ? 64 : l->room * 2;
        l->rows = mem_grow(l->rows, l->room * sizeof *l->rows);
    }
    l->rows[l->n++] = (struct due_row){.gid = gid, .waiting = waiting, .needed = needed};
}

void due_clear(struct store *s)
{
    s->merged_count = 0;
    s->merged_bytes = 0;
    s->due.n = 0;
    s->due_stale = false;
    arena_close(&s->due_arena);
}

/* How much a batch takes: what others committed together comes together, however much it is. What
 * is only due can come in parts. */
static size_t bytes_max(const struct batch *b)
{
    return b->s->merged_count > 0 ? BATCH_BYTES_MAX : b->s->batch_bytes;
}

static int64_t rows_left(const struct batch *b)
{
    return (int64_t)(b->s->merged_count > 0 ? CUT_ROWS_MAX : b->s->batch_rows) - b->n;
}

/* Rows of the table `due` behind *after, no more than `max` and no more than fit. */
static bool gather_waiting(struct batch *b, const char *sql, int64_t max, int64_t *after,
                           bool *left, struct err *e)
{
    sqlite3_stmt *q = ledger_kept(&b->s->ledger, sql, e);
    int code = SQLITE_DONE;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, *after);
    *left = true;
    while (max > 0 && b->bytes < bytes_max(b) && (code = sqlite3_step(q)) == SQLITE_ROW) {
        *after = sqlite3_column_int64(q, 0);
        if (batch_add(b, *after, true, false, e) != NULL)
            max--;
        if (e->code != ERR_NONE)
            break;
    }
    *left = code == SQLITE_ROW || max <= 0 || b->bytes >= bytes_max(b);
    ledger_done(&b->s->ledger, q);
    if (e->code != ERR_NONE)
        return false;
    return code == SQLITE_ROW || code == SQLITE_DONE ||
           ledger_err(&b->s->ledger, "read what is due", e);
}

/* Rows that the file refused are tried again in rounds, a portion in each batch. */
static bool gather_parked(struct batch *b, struct err *e)
{
    struct store *s = b->s;
    uint32_t before = b->n;
    uint64_t ms;
    bool left;

    if (!project_retry_due(s, b->now_ms, &ms) || ms > 0)
        return true;
    b->parked_after = s->parked_after;
    if (!gather_waiting(b, "SELECT gid FROM due WHERE gid > ?1 AND why IS NOT NULL ORDER BY gid",
                        PARKED_ROWS_MAX, &b->parked_after, &left, e))
        return false;
    b->round = left ? ROUND_GOES_ON : ROUND_ENDS;
    b->parked_tried = b->n - before;
    return true;
}

/* Rows that yielded a value, while nobody has said so: the row that has it may go with this batch.
 * Half a minute's worth. */
static bool gather_yielding(struct batch *b, struct err *e)
{
    int64_t after = 0;
    bool left;

    return !b->s->repairs || b->n == 0 ||
           gather_waiting(b, "SELECT gid FROM repair WHERE gid > ?1 AND other IS NULL ORDER BY gid",
                          PARKED_ROWS_MAX, &after, &left, e);
}

/* A row that the batch itself brought: nothing else is known of it. */
static void add_news(struct batch *b, const struct due_row *due)
{
    struct row_key id = int_key(due->gid);
    struct work *w;

    if (bind_is_deaf(b->s, due->table))
        return;
    w = next_work(b);
    *w = (struct work){.gid = due->gid, .b = bind_by_table(b->s, due->table), .alive = true};
    w->rec = due->rec;
    b->bytes += due->rec.n;
    keymap_put(&b->by_gid, 0, &id, b->n);
}

static bool gather(struct batch *b, bool *left, struct err *e)
{
    struct store *s = b->s;
    int64_t after = 0;

    *left = false;
    for (uint32_t i = 0; i < s->due.n; i++) {
        const struct due_row *due = &s->due.rows[i];

        if (due->rec.p != NULL && !s->due_stale)
            add_news(b, due);
        else if (batch_add(b, due->gid, false, false, e) == NULL && e->code != ERR_NONE)
            return false;
    }
    if (s->due_open &&
        !gather_waiting(b, "SELECT gid FROM due WHERE gid > ?1 AND why IS NULL ORDER BY gid",
                        rows_left(b), &after, left, e))
        return false;
    return gather_parked(b, e) && gather_yielding(b, e);
}

/* ---- write ---- */

static bool write_rows(struct batch *b, struct err *e)
{
    return batch_unite(b, e) && batch_keep(b, e) && batch_parents(b, e) && batch_keys(b, e) &&
           batch_delete_dead(b, e) && batch_fit(b, e) && batch_follow(b, e) &&
           batch_undo_orphans(b, e) && batch_restore(b, e) && batch_follow(b, e) &&
           batch_undo_danglers(b, e) && batch_nothing_dangles(b, e) && batch_keys_agree(b, e);
}

/* ---- the batch ---- */

static bool nothing_undrained(struct store *s, struct err *e)
{
    int64_t last;
    double time;

    if (!marks_last(&s->app, &last, &time, e))
        return false;
    if (last <= s->ledger.cursor)
        return true;
    return err_set(e, ERR_BUSY, "the application has written %lld rows that come first",
                   (long long)(last - s->ledger.cursor));
}

/* Was it written, and is it another one than before? A row that made way for one that then did not
 * get in shows again what it did. */
static bool is_other(const struct work *w)
{
    return w->wrote && !(w->present && w->shadow.p != NULL && w->shadow_after.p != NULL &&
                         slice_equal(w->shadow, w->shadow_after));
}

static bool wrote_any(const struct batch *b, bool only_living)
{
    if (b->followed && !only_living)
        return true;
    for (uint32_t i = 0; i < b->n; i++)
        if (b->works[i].deleted || (is_other(&b->works[i]) && (b->works[i].alive || !only_living)))
            return true;
    return false;
}

/* Was something said of a row that is dead? One that is outside may be needed in the file by a row
 * that names it and waited for just that: one deleted before all of it was told does not fit. One
 * that stays has the value of a UNIQUE key no longer for sure: a dead row may have yielded it. */
static bool any_dead(const struct batch *b)
{
    for (uint32_t i = 0; i < b->n; i++)
        if (!b->works[i].alive && !b->works[i].waiting)
            return true;
    return false;
}

/* A row that got in, or one that is dead and stays and says something else now, or one that shows
 * another value of the row it names (if only for a while: that one may be refused after all), may
 * be what a parked one waits for. The latter two alone only a few times: it must come to an end. */
static void retry_after(struct batch *b, uint32_t changesets)
{
    if (changesets > 0 || wrote_any(b, true))
        b->s->vain_rounds = 0;
    if ((wrote_any(b, false) || (changesets > 0 && any_dead(b))) &&
        b->s->vain_rounds < VAIN_ROUNDS_MAX) {
        b->s->vain_rounds++;
        project_retry(b->s);
    }
}

/* Which rows came into the file, and which left it. */
static bool tell_batch(const struct batch *b, struct telling *t, struct err *e)
{
    for (uint32_t i = 0; i < b->n; i++) {
        const struct work *w = &b->works[i];

        if (w->state == WORK_FAILED)
            continue;
        if (w->deleted)
            telling_row(t, w->b, w->gid, &w->key, PLACED_GONE);
        else if (w->wrote && !w->present)
            telling_row(t, w->b, w->gid, &w->key, PLACED_HERE);
        if (w->deleted && !telling_part(t, w->b, w->gid, e))
            return false;
    }
    return true;
}

/* The record of the batch, beside its rows. */
static bool write_state(struct batch *b, struct telling *t, struct app_state *state, struct err *e)
{
    struct store *s = b->s;

    state->batch++;
    memcpy(state->previous, s->ledger.token, sizeof state->previous);
    random_fill(state->token, sizeof state->token);
    t->batch = true;
    if (!tell_batch(b, t, e) || !telling_write(t, e))
        return false;
    buf_open(&state->point, APP_POINT_BYTES_MAX);
    buf_add(&state->point, t->point.p, t->point.n);
    return app_state_write(&s->app, state, e) && marks_purge(&s->app, s->ledger.cursor, e);
}

/* The file's half: all of it in one transaction, or nothing. `state` is what it left there; a batch
 * that changed no row leaves the file alone. */
static bool write_locked(struct batch *b, struct telling *t, struct app_state *state, struct err *e)
{
    struct store *s = b->s;
    bool ok;

    if (!appdb_lock_quietly(&s->app, e))
        return false;
    if (b->large_count > 0)
        large_begin(s->app.db);
    ok = recover_in_step(s, e) && nothing_undrained(s, e) && write_rows(b, e);
    state->batch = s->ledger.batch;
    memcpy(state->token, s->ledger.token, sizeof state->token);
    if (ok)
        batch_payload(b, &state->payload);
    if (ok && wrote_any(b, false))
        ok = write_state(b, t, state, e) &&
             (merge_is_full(s) ? appdb_commit_large(&s->app, e) : appdb_commit(&s->app, e));
    appdb_end(&s->app);
    if (b->large_count > 0)
        large_end(s->app.db);
    return ok;
}

static bool write_file(struct batch *b, struct app_state *state, struct err *e)
{
    struct store *s = b->s;
    struct telling t = {0};
    bool ok = (!s->ledger.unsynced || merge_keep(s, e)) && ledger_sync(&s->ledger, e) &&
              telling_open(&t, s, e) && write_locked(b, &t, state, e);

    telling_close(&t);
    return ok;
}

void project_retry(struct store *s)
{
    s->retry_again |= s->parked_after != 0; /* a round is under way: one more after it */
    s->retry_parked = true;
}

bool project_retry_due(const struct store *s, uint64_t now_ms, uint64_t *ms)
{
    uint64_t passed = now_ms - s->parked_ms;

    *ms = now_ms < s->parked_ms || passed >= s->parked_pause_ms ? 0 : s->parked_pause_ms - passed;
    return s->retry_parked;
}

/* The batch is done: where the round of attempts stands. */
static void note_round(const struct batch *b)
{
    struct store *s = b->s;

    if (b->round == ROUND_NONE)
        return;
    s->parked_after = b->parked_after;
    s->parked_tried += b->parked_tried;
    if (b->round == ROUND_GOES_ON)
        return;
    s->parked_ms = b->now_ms;
    s->parked_pause_ms = s->parked_tried / PARKED_ROWS_A_MS;
    s->parked_after = 0;
    s->parked_tried = 0;
    s->retry_parked = s->retry_again;
    s->retry_again = false;
}

/* The file holds it; the ledger follows now, or, if that takes long, in the next call. */
static bool end_batch(struct store *s, const struct app_state *state, uint64_t now_ms,
                      struct err *e)
{
    s->half = merge_is_full(s) && state->batch != s->ledger.batch;
    s->astray |= s->half;
    return s->half || follow(s, state, now_ms, e);
}

static bool project_once(struct store *s, uint64_t now_ms, struct store_progress *p, struct err *e)
{
    struct app_state state = {0};
    struct batch b;
    bool ok, left = false;

    batch_open(&b, s, now_ms);
    buf_open(&state.payload, SIZE_MAX / 2);
    ok = gather(&b, &left, e);
    if (ok && b.n == 0 && s->merged_count == 0) {
        note_round(&b);
    } else if (ok) {
        uint32_t changesets = s->merged_count;

        ok = write_file(&b, &state, e) && end_batch(s, &state, now_ms, e);
        if (ok) {
            p->changesets += changesets;
            p->rows += b.n;
            note_round(&b);
            retry_after(&b, changesets);
        }
    }
    if (ok)
        s->due_open = left;
    ledger_rest(&s->ledger);
    batch_close(&b);
    app_state_close(&state);
    return ok;
}

bool merge_pending(const struct store *s)
{
    for (uint32_t a = 1; a <= s->ledger.actor_count; a++)
        if (s->ledger.actors[a - 1].merged < s->ledger.actors[a - 1].staged &&
            !trouble_is_stuck(&s->trouble, a))
            return true;
    return false;
}

/* Nothing came of the batch, or nothing was to be done: the merge stays for the next one. If it
 * cannot, the store is astray, and says why when it is used next. */
static bool end_merge(struct store *s, bool ok, struct err *e)
{
    struct err other = {0};
    bool kept = merge_keep(s, ok ? e : &other);

    return ok && kept;
}

bool project(struct store *s, uint64_t now_ms, struct store_progress *p, struct err *e)
{
    uint32_t before;
    bool ok;

    do { /* again for each row that is held */
        before = s->held_count;
        err_clear(e);
        ok = project_once(s, now_ms, p, e);
    } while (!ok && s->held_count > before && s->held_count % HELD_A_CALL != 0);
    if (ok)
        s->held_count = 0;
    return end_merge(s, ok, e);
}
