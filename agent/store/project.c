/* Project: bring the rows that are due in the application's file to their logical state, exactly
 * once.
 *
 *     gather    which rows, from the ledger                      (no lock)
 *     lock      without waiting; no undrained mark, same schema  (else ERR_BUSY)
 *     write     parents, keys, deletes, inserts and updates; what the file refuses is parked
 *     commit    rows, new token and the outcome of every row, together
 *     follow    the ledger notes the outcomes; if that is cut off it is done again from
 * _navette_state */
#include "batch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#define PARKED_RETRY_MAX 20000 /* parked rows tried again in one batch */

/* ---- works ---- */

static struct row_key gid_key(int64_t gid)
{
    return (struct row_key){.kind = KEY_INT, .i = gid};
}

struct work *batch_find(struct batch *b, int64_t gid)
{
    struct row_key id = gid_key(gid);
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

struct work *batch_add(struct batch *b, int64_t gid, bool waiting, bool needed, struct err *e)
{
    struct work *w = batch_find(b, gid);
    struct row_key id = gid_key(gid);
    struct ledger_row row;
    bool found;

    if (w != NULL) {
        w->waiting |= waiting;
        w->needed |= needed;
        return w;
    }
    if (!ledger_row_get(&b->s->ledger, gid, &row, &found, e) || !found || row.minted)
        return NULL;
    if (!record_decode(&b->rec, row.rec, e))
        return NULL;
    w = next_work(b);
    *w = (struct work){
        .gid = gid, .b = bind_by_table(b->s, row.table), .waiting = waiting, .needed = needed};
    w->alive = ledger_alive(&b->s->ledger, &b->rec);
    w->present = row.present;
    w->key = arena_key(&b->arena, &row.key);
    w->rec = arena_copy(&b->arena, row.rec);
    if (row.differs)
        w->shadow = arena_copy(&b->arena, row.shadow);
    keymap_put(&b->by_gid, 0, &id, b->n);
    return w;
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
        for (uint32_t c = 0; t->children != NULL && c < b->s->app.schema.tables[i].child_count; c++)
            sqlite3_finalize(t->children[c]);
        free(t->children);
        free(t->mask);
    }
    free(b->tables);
    free(b->works);
    keymap_close(&b->by_gid);
    keymap_close(&b->given);
    keymap_close(&b->parents);
    record_close(&b->rec);
    record_close(&b->shadow);
    buf_close(&b->room_a);
    buf_close(&b->room_b);
    buf_close(&b->key_room);
    arena_close(&b->arena);
}

/* ---- gather ---- */

static bool gather_waiting(struct batch *b, bool *left, struct err *e)
{
    struct store *s = b->s;
    sqlite3_stmt *q = ledger_prepare(
        &s->ledger,
        s->retry_parked ? "SELECT gid FROM due ORDER BY why IS NOT NULL, gid LIMIT ?1"
                        : "SELECT gid FROM due WHERE why IS NULL ORDER BY gid LIMIT ?1",
        e);
    int64_t max = b->n >= CUT_ROWS_MAX ? 0 : CUT_ROWS_MAX - b->n;
    int64_t n = 0;
    int code = SQLITE_ERROR;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, max);
    while (e->code == ERR_NONE && (code = sqlite3_step(q)) == SQLITE_ROW) {
        batch_add(b, sqlite3_column_int64(q, 0), true, false, e);
        n++;
    }
    sqlite3_finalize(q);
    *left = n == max;
    if (e->code != ERR_NONE)
        return false;
    return code == SQLITE_DONE || ledger_err(&s->ledger, "read what is due", e);
}

/* A row that the batch itself brought: nothing else is known of it. */
static void add_news(struct batch *b, const struct due_row *due)
{
    struct row_key id = gid_key(due->gid);
    struct work *w = next_work(b);

    *w = (struct work){.gid = due->gid, .b = bind_by_table(b->s, due->table), .alive = true};
    w->rec = due->rec;
    keymap_put(&b->by_gid, 0, &id, b->n);
}

static bool gather(struct batch *b, bool *left, struct err *e)
{
    struct store *s = b->s;

    *left = false;
    for (uint32_t i = 0; i < s->due.n; i++) {
        const struct due_row *due = &s->due.rows[i];

        if (due->rec.p != NULL && !s->due_stale)
            add_news(b, due);
        else if (batch_add(b, due->gid, false, false, e) == NULL && e->code != ERR_NONE)
            return false;
    }
    return (!s->due_open && !s->retry_parked) || gather_waiting(b, left, e);
}

/* ---- write ---- */

static bool wants_writing(const struct work *w)
{
    return w->state == WORK_TODO && (w->alive || w->needed);
}

static bool run_sql(struct batch *b, const char *sql, struct err *e)
{
    return sqlite3_exec(b->s->app.db, sql, NULL, NULL, NULL) == SQLITE_OK ||
           sqlite_err(b->s->app.db, sql, e);
}

/* Try to take all of `swap` out of the file and to put them in again with their new values. `bad`:
 * the first that does not fit. */
static bool try_swap(struct batch *b, const uint32_t *swap, uint32_t n, uint32_t *bad,
                     struct err *e)
{
    *bad = n;
    if (!run_sql(b, "SAVEPOINT navette_swap", e))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        b->works[swap[i]].state = WORK_TODO;
        if (!batch_delete(b, &b->works[swap[i]], e))
            return false;
    }
    for (uint32_t i = 0; i < n && *bad == n; i++) {
        struct work *w = &b->works[swap[i]];

        w->present = false;
        if (!batch_write(b, w, e))
            return false;
        w->present = true;
        if (w->state == WORK_FAILED)
            *bad = i;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct work *w = &b->works[swap[i]];

        w->deleted = false;
        if (*bad == n)
            continue;
        w->wrote = false;
        w->state = WORK_FAILED;
        if (w->reason == NULL)
            w->reason = "another row holds its value";
    }
    return run_sql(
        b, *bad == n ? "RELEASE navette_swap" : "ROLLBACK TO navette_swap; RELEASE navette_swap",
        e);
}

/* Rows whose new values are still held by other rows of the batch (a swap): out with all of them,
 * then in. One that does not fit even so is left out, and the rest tried again. */
static bool write_swaps(struct batch *b, struct err *e)
{
    uint32_t *swap = mem_alloc((b->failures + 1) * sizeof *swap);
    uint32_t n = 0, bad = 0;
    bool ok = true;

    for (uint32_t i = 0; i < b->n && n < b->failures; i++) {
        struct work *w = &b->works[i];

        if (w->state == WORK_FAILED && w->present && w->alive && !w->wrote && w->b != NULL &&
            w->shadow.p != NULL)
            swap[n++] = i;
    }
    while (ok && n > 1 && n <= 1000) {
        ok = try_swap(b, swap, n, &bad, e);
        if (bad == n)
            break;
        swap[bad] = swap[--n];
    }
    free(swap);
    b->failures = 0;
    for (uint32_t i = 0; i < b->n; i++)
        b->failures += b->works[i].state == WORK_FAILED;
    return ok;
}

/* A UNIQUE value may be free only after another row of the batch has let go of it: again while that
 * helps. */
static bool write_all(struct batch *b, struct err *e)
{
    uint32_t failures;
    bool again = true;

    for (uint32_t i = 0; i < b->n; i++)
        if (wants_writing(&b->works[i]) && !batch_write(b, &b->works[i], e))
            return false;
    while (again && b->failures > 0) {
        failures = b->failures;
        again = false;
        for (uint32_t i = 0; i < b->n; i++) {
            struct work *w = &b->works[i];
            uint32_t before = b->failures;

            if (w->state != WORK_FAILED || w->b == NULL || w->wrote || w->deleted ||
                (!w->present && w->key.kind == KEY_NONE) || !(w->alive || w->needed))
                continue;
            w->state = WORK_TODO;
            b->failures = before - 1;
            if (!batch_write(b, w, e))
                return false;
        }
        again = b->failures < failures;
    }
    return b->failures < 2 || write_swaps(b, e);
}

/* Does a written row refer to a row that did not get into the file? */
static bool refers_to_failed(struct batch *b, const struct work *w, bool *bad, struct err *e)
{
    *bad = false;
    if (!record_decode(&b->rec, w->rec, e))
        return false;
    for (uint32_t i = 0; i < w->b->app->column_count && !*bad; i++) {
        const struct cell *c = record_get(&b->rec, w->b->position[i]);
        const struct work *parent;
        int64_t gid;

        if (c == NULL || c->v.type != VALUE_REF || w->b->app->columns[i].ref_table < 0)
            continue;
        if (!ledger_stands(&b->s->ledger, gid_pack(c->v.ref), &gid, e))
            return false;
        parent = batch_find(b, gid);
        *bad = parent != NULL && parent->state == WORK_FAILED && !parent->present;
    }
    return true;
}

static bool undo_orphans(struct batch *b, struct err *e)
{
    bool again = b->failures > 0;

    while (again) {
        again = false;
        for (uint32_t i = 0; i < b->n; i++) {
            struct work *w = &b->works[i];
            bool bad;

            if (!w->wrote || w->state != WORK_DONE)
                continue;
            if (!refers_to_failed(b, w, &bad, e))
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

static bool write_rows(struct batch *b, struct err *e)
{
    return batch_keep(b, e) && batch_parents(b, e) && batch_keys(b, e) && batch_delete_dead(b, e) &&
           write_all(b, e) && undo_orphans(b, e) && batch_restore(b, e);
}

/* ---- outcomes ---- */

/* Dead, and in the file because something refers to it. */
static bool is_kept(const struct work *w)
{
    return w->state == WORK_DONE && !w->alive && w->needed;
}

static void put_outcome(struct buf *out, const struct work *w)
{
    struct outcome o = {.gid = w->gid, .kind = OUTCOME_SAME};

    if (w->state == WORK_FAILED) {
        o.kind = OUTCOME_PARKED;
        o.reason = slice_text(w->reason);
    } else if (w->deleted) {
        o.kind = OUTCOME_GONE;
    } else if (w->wrote) {
        o.kind = w->present ? OUTCOME_IN : OUTCOME_NEW;
        if (!w->present)
            o.key = w->key;
        o.shadow = w->shadow_after;
    } else if (w->present && (w->alive || w->needed)) {
        o.kind = OUTCOME_IN;
    }
    outcome_write(out, &o);
    if (is_kept(w)) {
        o = (struct outcome){.gid = w->gid, .kind = OUTCOME_KEPT};
        o.reason = slice_text("deleted elsewhere, kept because rows here refer to it");
        outcome_write(out, &o);
    }
}

static void write_payload(struct batch *b, struct buf *out)
{
    uint32_t rows = b->n;

    for (uint32_t i = 0; i < b->n; i++)
        rows += is_kept(&b->works[i]);
    buf_add_byte(out, 1);
    varint_write(out, b->s->merged_count);
    for (uint32_t i = 0; i < b->s->merged_count; i++) {
        varint_write(out, b->s->merged[i].actor);
        varint_write(out, b->s->merged[i].number);
    }
    varint_write(out, b->s->binding_count);
    for (uint32_t i = 0; i < b->s->binding_count; i++) {
        const struct binding *t = &b->s->bindings[i];
        const struct batch_table *bt = &b->tables[t->app_index];

        varint_write(out, t->table);
        varint_write(out, bt->ready && bt->used_max > 0 ? (uint64_t)bt->used_max : 0);
    }
    varint_write(out, rows);
    for (uint32_t i = 0; i < b->n; i++)
        put_outcome(out, &b->works[i]);
}

/* ---- follow ---- */

static bool follow_row(struct store *s, const struct outcome *o, bool due_any, uint64_t now_ms,
                       struct err *e)
{
    char reason[256];
    bool in = o->kind == OUTCOME_IN || o->kind == OUTCOME_NEW;

    if (in || o->kind == OUTCOME_GONE) {
        if (!ledger_row_settle(&s->ledger, o->gid, &o->key, in, o->kind != OUTCOME_NEW, o->shadow,
                               e))
            return false;
    }
    if (o->kind == OUTCOME_PARKED || o->kind == OUTCOME_KEPT) {
        snprintf(reason, sizeof reason, "%.*s", (int)(o->reason.n < 255 ? o->reason.n : 255),
                 (const char *)o->reason.p);
        return ledger_due_put(&s->ledger, o->gid, now_ms, reason, e);
    }
    return !due_any || ledger_due_remove(&s->ledger, o->gid, e);
}

/* The merge was committed lazily: a power cut may have taken it back while the file's batch stayed.
 * It is done again from the log. */
static bool merge_again(struct store *s, uint32_t actor, uint64_t number, struct err *e)
{
    struct slice bytes;
    struct buf copy;
    bool found, ok;

    if (s->ledger.actors[actor - 1].merged >= number)
        return true;
    if (!ledger_changeset_get(&s->ledger, actor, number, &bytes, &found, e))
        return false;
    if (!found)
        return err_set(e, ERR_STORE,
                       "the file holds change-set %llu, which the ledger's log has not",
                       (unsigned long long)number);
    buf_open(&copy, CHANGESET_BYTES_MAX);
    buf_add(&copy, bytes.p, bytes.n);
    ok = merge_changeset(s, actor, number, buf_slice(&copy), e);
    buf_close(&copy);
    return ok;
}

static const char damaged[] = "the file's record of what was applied last is damaged";

static bool follow_tables(struct store *s, struct slice *in, struct err *e)
{
    uint64_t tables, table, key_max;

    if (!varint_read(in, &tables))
        return false;
    for (; tables > 0; tables--) {
        struct ledger_table *t;

        if (!varint_read(in, &table) || !varint_read(in, &key_max) || table == 0 ||
            table > s->ledger.table_count)
            return false;
        t = &s->ledger.tables[table - 1];
        if ((int64_t)key_max <= t->key_max)
            continue;
        t->key_max = (int64_t)key_max;
        if (!ledger_table_save(&s->ledger, t, e))
            return false;
    }
    return true;
}

bool follow_possible(const struct store *s, const struct app_state *state)
{
    struct slice in = buf_slice(&state->payload);
    uint64_t n, actor, number;

    if (in.n == 0)
        return false;
    in.p++;
    in.n--;
    if (!varint_read(&in, &n))
        return false;
    for (; n > 0; n--)
        if (!varint_read(&in, &actor) || !varint_read(&in, &number) || actor == 0 ||
            actor > s->ledger.actor_count || s->ledger.actors[actor - 1].staged < number)
            return false;
    return true;
}

static bool follow_payload(struct store *s, struct slice in, uint64_t now_ms, struct err *e)
{
    uint64_t changesets, rows, actor, number;
    int64_t due_any;
    struct outcome o;

    if (!ledger_number(&s->ledger, "SELECT EXISTS(SELECT 1 FROM due)", &due_any, e))
        return false;
    if (in.n == 0 || *in.p != 1)
        return err_set(e, ERR_STORE,
                       "the file's record of what was applied last has an unknown version");
    in.p++;
    in.n--;
    if (!varint_read(&in, &changesets))
        return err_set(e, ERR_STORE, "%s", damaged);
    for (; changesets > 0; changesets--) {
        if (!varint_read(&in, &actor) || !varint_read(&in, &number) || actor == 0 ||
            actor > s->ledger.actor_count)
            return err_set(e, ERR_STORE, "%s", damaged);
        if (!merge_again(s, (uint32_t)actor, number, e))
            return false;
        s->ledger.actors[actor - 1].applied = number;
        if (!ledger_changeset_state(&s->ledger, (uint32_t)actor, number, CHANGESET_PROJECTED, e) ||
            !ledger_actor_save(&s->ledger, (uint32_t)actor, e))
            return false;
    }
    if (!follow_tables(s, &in, e))
        return e->code == ERR_NONE ? err_set(e, ERR_STORE, "%s", damaged) : false;
    if (!varint_read(&in, &rows))
        return err_set(e, ERR_STORE, "%s", damaged);
    for (; rows > 0; rows--) {
        if (!outcome_read(&in, &o))
            return err_set(e, ERR_STORE, "%s", damaged);
        if (!follow_row(s, &o, due_any != 0, now_ms, e))
            return false;
        due_any |= o.kind == OUTCOME_PARKED || o.kind == OUTCOME_KEPT;
    }
    return true;
}

bool follow(struct store *s, const struct app_state *state, uint64_t now_ms, struct err *e)
{
    bool ok = ledger_begin(&s->ledger, true, e) &&
              follow_payload(s, buf_slice(&state->payload), now_ms, e);

    if (ok) {
        s->ledger.batch = state->batch;
        memcpy(s->ledger.token, state->token, sizeof s->ledger.token);
        ok = ledger_point(&s->ledger, e) && ledger_commit(&s->ledger, e);
    }
    if (!ok) {
        ledger_rollback(&s->ledger);
        s->astray = true;
        return false;
    }
    s->ledger.unsynced = true;
    due_clear(s);
    return true;
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

static bool wrote_any(const struct batch *b)
{
    for (uint32_t i = 0; i < b->n; i++)
        if (b->works[i].wrote || b->works[i].deleted)
            return true;
    return false;
}

/* The file's half: all of it in one transaction, or nothing. `state` is what it left there; a batch
 * that changed no row leaves the file alone. */
static bool write_file(struct batch *b, struct app_state *state, struct err *e)
{
    struct store *s = b->s;
    bool ok;

    if (!ledger_sync(&s->ledger, e) || !appdb_lock_quietly(&s->app, e))
        return false;
    ok = recover_in_step(s, e) && nothing_undrained(s, e) && write_rows(b, e);
    state->batch = s->ledger.batch;
    memcpy(state->token, s->ledger.token, sizeof state->token);
    if (ok)
        write_payload(b, &state->payload);
    if (ok && wrote_any(b)) {
        state->batch++;
        memcpy(state->previous, s->ledger.token, sizeof state->previous);
        random_fill(state->token, sizeof state->token);
        ok = app_state_write(&s->app, state, e) && marks_purge(&s->app, s->ledger.cursor, e) &&
             appdb_commit(&s->app, e);
    }
    appdb_end(&s->app);
    return ok;
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
        s->retry_parked = false;
    } else if (ok) {
        uint32_t changesets = s->merged_count;

        ok = write_file(&b, &state, e) && follow(s, &state, now_ms, e);
        if (ok) {
            p->changesets += changesets;
            p->rows += b.n;
            s->retry_parked =
                wrote_any(&b); /* a row that got in may be what a parked one waits for */
        }
    }
    if (ok)
        s->due_open = left;
    ledger_rest(&s->ledger);
    batch_close(&b);
    app_state_close(&state);
    return ok;
}

bool project(struct store *s, uint64_t now_ms, struct store_progress *p, struct err *e)
{
    uint32_t before;
    bool ok;

    do { /* again for each row that could not be put back after its delete */
        before = s->undeletable_count;
        err_clear(e);
        ok = project_once(s, now_ms, p, e);
    } while (!ok && s->undeletable_count > before);
    s->undeletable_count = 0;
    return ok;
}
