/* Repairs: what rows show that had to yield a UNIQUE value becomes their value. Every site shows
 * the same at once, from the same logical state; a repair makes it last, so that a number does not
 * change back when the row that has it goes away. */
#include "author.h"

#include <string.h>

#include <sqlite3.h>

#define REPAIR_PAUSE_MS 30000 /* before others say what its author does not */

bool repair_is_mark(const struct value *shown, const struct value *value)
{
    size_t more;

    if (shown->type != VALUE_TEXT || value->type != VALUE_TEXT ||
        shown->bytes.n < value->bytes.n + 3)
        return false;
    more = shown->bytes.n - value->bytes.n;
    return shown->bytes.p[0] == '#' && shown->bytes.p[more - 1] == '-' &&
           (value->bytes.n == 0 ||
            memcmp(shown->bytes.p + more, value->bytes.p, value->bytes.n) == 0);
}

static bool run(struct store *s, const char *sql, int64_t gid, uint64_t now_ms, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&s->ledger, sql, e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, gid);
    if (sqlite3_bind_parameter_count(q) > 1)
        sqlite3_bind_int64(q, 2, (int64_t)now_ms);
    code = sqlite3_step(q);
    sqlite3_finalize(q);
    return code == SQLITE_DONE || ledger_err(&s->ledger, "note a repair", e);
}

bool repair_note(struct store *s, int64_t gid, uint64_t now_ms, struct err *e)
{
    s->repairs = true;
    return run(s, "INSERT OR IGNORE INTO repair(gid, since_ms) VALUES (?1, ?2)", gid, now_ms, e);
}

struct repairer {
    struct author author;
    struct record rec, shadow;
    struct buf bytes, key, shadow_bytes;
};

static bool is_ours(const struct store *s, const struct local_clock *c)
{
    struct site_id ours = actor_site(store_actor(s));
    struct site_id theirs = actor_site(&s->ledger.actors[c->actor - 1].actor);

    return memcmp(&ours, &theirs, sizeof ours) == 0;
}

/* Anything besides what was repaired in which the file differs from rec? */
static bool still_differs(const struct repairer *r, const struct binding *b)
{
    for (uint32_t i = 0; i < b->app->column_count; i++) {
        const struct cell *file = record_get(&r->shadow, b->position[i]);
        const struct cell *have = record_get(&r->rec, b->position[i]);

        if (!(b->app->surrogate && b->is_key[i]) && file != NULL &&
            (have == NULL || !value_equal(&have->v, &file->v)))
            return true;
    }
    return false;
}

static bool write_row(struct repairer *r, struct store *s, struct ledger_row *row,
                      const struct binding *b, struct err *e)
{
    row->differs = still_differs(r, b);
    buf_clear(&r->bytes);
    record_encode(&r->rec, &r->bytes);
    row->rec = buf_slice(&r->bytes);
    buf_clear(&r->shadow_bytes);
    record_encode(&r->shadow, &r->shadow_bytes);
    row->shadow = buf_slice(&r->shadow_bytes);
    if (row->key.kind == KEY_PACKED) { /* it borrows from the statement */
        buf_clear(&r->key);
        buf_add(&r->key, row->key.bytes.p, row->key.bytes.n);
        row->key.bytes = buf_slice(&r->key);
    }
    return ledger_row_put(&s->ledger, row, true, true, e);
}

/* `done` false: it is not ours to say yet. */
static bool repair_row(struct repairer *r, struct store *s, int64_t gid, bool patient, bool *done,
                       struct err *e)
{
    struct ledger_row row;
    struct binding *b;
    bool found, said = false;

    *done = true;
    if (!ledger_row_get(&s->ledger, gid, &row, &found, e))
        return false;
    if (!found || row.minted || !row.present || !row.differs ||
        (b = bind_by_table(s, row.table)) == NULL)
        return true;
    if (!record_decode(&r->rec, row.rec, e) || !record_decode(&r->shadow, row.shadow, e))
        return false;
    if (!ledger_alive(&s->ledger, &r->rec))
        return true;
    for (uint32_t i = 0; i < b->app->column_count; i++) {
        const struct cell *shown = record_get(&r->shadow, b->position[i]);
        struct cell *cell = record_cell(&r->rec, b->position[i]);

        if (shown == NULL || !cell->set || cell->counter != NULL ||
            !repair_is_mark(&shown->v, &cell->v))
            continue;
        if (patient && !is_ours(s, &cell->clock)) {
            *done = false;
            return true;
        }
        author_repair(&r->author, b, gid, &cell->clock, i, &shown->v);
        cell->v = shown->v;
        said = true;
    }
    return !said || write_row(r, s, &row, b, e);
}

static bool repair_rows(struct repairer *r, struct store *s, uint64_t now_ms, bool *left,
                        struct err *e)
{
    sqlite3_stmt *q =
        ledger_prepare(&s->ledger, "SELECT gid, since_ms FROM repair ORDER BY gid", e);
    int code = SQLITE_DONE;
    bool ok = q != NULL, done;

    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        int64_t gid = sqlite3_column_int64(q, 0);
        uint64_t since = (uint64_t)sqlite3_column_int64(q, 1);
        bool patient = since <= now_ms && now_ms - since < REPAIR_PAUSE_MS;

        ok = repair_row(r, s, gid, patient, &done, e) &&
             (!done || run(s, "DELETE FROM repair WHERE gid = ?1", gid, 0, e)) &&
             (!author_is_full(&r->author) || author_seal(&r->author, e));
        *left |= !done;
    }
    if (ok && code != SQLITE_DONE)
        ok = ledger_err(&s->ledger, "read the repairs", e);
    sqlite3_finalize(q);
    return ok;
}

bool repair_publish(struct store *s, uint64_t now_ms, struct store_progress *p, struct err *e)
{
    struct repairer r = {0};
    bool left = false, ok;

    if (!s->repairs)
        return true;
    buf_open(&r.bytes, SIZE_MAX / 2);
    buf_open(&r.key, SIZE_MAX / 2);
    buf_open(&r.shadow_bytes, SIZE_MAX / 2);
    ok = ledger_begin(&s->ledger, false, e);
    author_begin(&r.author, s, now_ms, p);
    ok = ok && repair_rows(&r, s, now_ms, &left, e) && author_seal(&r.author, e) &&
         ledger_commit(&s->ledger, e);
    if (ok)
        s->repairs = left;
    else
        ledger_rollback(&s->ledger);
    author_close(&r.author);
    record_close(&r.rec);
    record_close(&r.shadow);
    buf_close(&r.bytes);
    buf_close(&r.key);
    buf_close(&r.shadow_bytes);
    return ok;
}
