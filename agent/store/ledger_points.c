/* The ledger's points: where the two files stood, and what the ledger must know of the way there to
 * find out what a file that went back holds (behind.c). */
#include "ledger_points.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "ledger_meta.h"
#include "ledger_statements.h"

/* run = first id: varint, last id: varint, time: f64 BE */
static void end_run(struct ledger *l)
{
    uint8_t bits[8];
    uint64_t u;

    if (l->run.last == 0)
        return;
    if (l->runs.max == 0)
        buf_open(&l->runs, SIZE_MAX / 2);
    varint_write(&l->runs, (uint64_t)l->run.first);
    varint_write(&l->runs, (uint64_t)l->run.last);
    memcpy(&u, &l->run.time, sizeof u);
    be64_write(bits, u);
    buf_add(&l->runs, bits, sizeof bits);
    l->run.last = 0;
}

void ledger_mark_drained(struct ledger *l, int64_t id, double julian_day)
{
    if (l->run.last != 0 && id == l->run.last + 1 && julian_day == l->run.time) {
        l->run.last = id;
        return;
    }
    end_run(l);
    l->run.first = l->run.last = id;
    l->run.time = julian_day;
}

bool ledger_fate(struct ledger *l, int64_t gid, int64_t born, int64_t last, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_FATE_PUT);

    sqlite3_bind_int64(s, 1, l->point + 1);
    sqlite3_bind_int64(s, 2, gid);
    sqlite3_bind_int64(s, 3, born);
    sqlite3_bind_int64(s, 4, last);
    return ledger_finish(l, s, "note what a row came to", e);
}

/* ---- a file that lacks some of what was applied ---- */

void held_free(struct held *h)
{
    if (h != NULL)
        vector_close(&h->holds);
    free(h);
}

/* vector, and then: [actor's number in the ledger, above, upto, above, upto...] */
static void held_write(struct writer *w, const struct held *h)
{
    vector_write(w, &h->holds);
    write_array(w, 1 + 2 * h->lost_n);
    write_uint(w, h->self);
    for (uint32_t i = 0; i < h->lost_n; i++) {
        write_uint(w, h->lost[i].above);
        write_uint(w, h->lost[i].upto);
    }
}

bool held_read(struct reader *r, struct held *h)
{
    uint32_t n;

    vector_close(&h->holds);
    *h = (struct held){0};
    vector_read(r, &h->holds);
    if (r->failed || r->left.n == 0)
        return !r->failed;
    n = read_array(r, 1 + 2 * HELD_LOST_MAX, "numbers of what a file lost");
    h->self = (uint32_t)read_uint(r, UINT32_MAX, "an actor");
    for (uint32_t i = 0; i + 2 < n; i += 2) {
        h->lost[i / 2].above = read_uint(r, VECTOR_NUMBER_MAX, "a change-set");
        h->lost[i / 2].upto = read_uint(r, VECTOR_NUMBER_MAX, "a change-set");
    }
    h->lost_n = n / 2;
    return !r->failed;
}

bool held_has(const struct ledger *l, const struct held *h, uint64_t said, uint32_t id,
              uint64_t number)
{
    if (number <= vector_get(&h->holds, &l->actors[id - 1].actor))
        return true;
    if (id != h->self || number > said)
        return false;
    for (uint32_t i = 0; i < h->lost_n; i++)
        if (number > h->lost[i].above && number <= h->lost[i].upto)
            return false;
    return true;
}

void held_lose(const struct ledger *l, struct held *h, uint64_t said)
{
    const struct ledger_actor *self = &l->actors[l->self - 1];

    if (h->self != l->self) { /* nothing was missing at that point, or we were another one */
        h->self = l->self;
        h->lost_n = 0;
        said = vector_get(&h->holds, &self->actor);
    }
    if (said >= self->staged)
        return;
    if (h->lost_n == HELD_LOST_MAX)
        h->lost_n--;
    else
        h->lost[h->lost_n].above = said;
    h->lost[h->lost_n++].upto = self->staged;
}

/* ---- points ---- */

bool ledger_said_again(struct ledger *l, uint32_t actor, uint64_t above, uint64_t upto,
                       struct vector *again, uint64_t *first, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(l,
                                     "SELECT by_actor, max(by_number), min(number) FROM repeated"
                                     " WHERE actor = ?1 AND number > ?2 AND number <= ?3"
                                     " GROUP BY by_actor",
                                     e);
    int code;

    *first = 0;
    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, actor);
    sqlite3_bind_int64(q, 2, (int64_t)above);
    sqlite3_bind_int64(q, 3, (int64_t)upto);
    while ((code = sqlite3_step(q)) == SQLITE_ROW) {
        uint32_t by = (uint32_t)sqlite3_column_int64(q, 0);
        uint64_t number = (uint64_t)sqlite3_column_int64(q, 2);

        vector_set(again, &l->actors[by - 1].actor, (uint64_t)sqlite3_column_int64(q, 1), NULL);
        *first = *first == 0 || number < *first ? number : *first;
    }
    sqlite3_finalize(q);
    return code == SQLITE_DONE || ledger_err(l, "look for what was said again", e);
}

bool ledger_lived(struct ledger *l, int64_t gid, uint32_t actor, uint64_t above, uint64_t upto,
                  struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_LIVED_PUT);

    sqlite3_bind_int64(s, 1, l->point + 1);
    sqlite3_bind_int64(s, 2, gid);
    sqlite3_bind_int64(s, 3, actor);
    sqlite3_bind_int64(s, 4, (int64_t)above);
    sqlite3_bind_int64(s, 5, (int64_t)upto);
    return ledger_finish(l, s, "note what a file held of a row", e);
}

static bool trim(struct ledger *l, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_POINT_TRIM);

    sqlite3_bind_int64(s, 1, l->point - POINTS_KEPT);
    return ledger_finish(l, s, "forget old points", e) &&
           ledger_finish(l, ledger_statement(l, STATEMENT_PLACED_TRIM), "forget old keys", e) &&
           ledger_finish(l, ledger_statement(l, STATEMENT_FATE_TRIM), "forget old marks", e) &&
           ledger_finish(l, ledger_statement(l, STATEMENT_LIVED_TRIM), "forget old marks", e);
}

bool ledger_point(struct ledger *l, struct err *e)
{
    return ledger_point_of(l, l->self, l->actors[l->self - 1].staged, e);
}

bool ledger_point_of(struct ledger *l, uint32_t actor, uint64_t said, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_POINT_ADD);
    struct buf applied;
    struct writer w = {&applied};
    bool ok;

    buf_open(&applied, HEADER_BYTES_MAX * 2);
    if (l->held != NULL)
        held_write(&w, l->held);
    else
        vector_write(&w, &l->applied);
    sqlite3_bind_int64(s, 1, l->batch);
    ledger_bind_bytes(s, 2, (struct slice){l->token, sizeof l->token});
    sqlite3_bind_int64(s, 3, l->cursor);
    sqlite3_bind_double(s, 4, l->cursor_time);
    sqlite3_bind_int64(s, 5, actor);
    sqlite3_bind_int64(s, 6, (int64_t)said);
    ledger_bind_bytes(s, 7, buf_slice(&applied));
    end_run(l);
    ledger_bind_bytes(s, 8, buf_slice(&l->runs));
    ok = ledger_finish(l, s, "note where the files stand", e);
    buf_close(&applied);
    buf_clear(&l->runs);
    l->point = ok ? sqlite3_last_insert_rowid(l->db) : l->point;
    return ok && (l->point % POINTS_TRIMMED != 0 || trim(l, e));
}

bool ledger_holds(struct ledger *l, struct held *h, struct err *e)
{
    struct value v = {.type = VALUE_NULL};
    struct buf bytes;
    struct writer w = {&bytes};
    bool ok;

    buf_open(&bytes, HEADER_BYTES_MAX * 2);
    if (h != NULL && l->held == NULL)
        l->held = mem_alloc(sizeof *l->held);
    if (h != NULL) {
        vector_close(&l->held->holds);
        *l->held = *h;
        *h = (struct held){0};
        held_write(&w, l->held);
        v = (struct value){.type = VALUE_BLOB, .bytes = buf_slice(&bytes)};
    } else {
        held_free(l->held);
        l->held = NULL;
    }
    ok = ledger_meta_set(l, "holds", &v, e);
    buf_close(&bytes);
    return ok;
}

bool ledger_holds_not(struct ledger *l, uint64_t above, struct err *e)
{
    struct held h = {0};

    if (l->held != NULL) {
        h = *l->held;
        *l->held = (struct held){0};
    } else {
        vector_copy(&h.holds, &l->applied);
        vector_set(&h.holds, &l->actors[l->self - 1].actor, above, NULL);
    }
    held_lose(l, &h, above);
    return ledger_holds(l, &h, e);
}

bool ledger_holds_as(struct ledger *l, struct err *e)
{
    struct held h;

    if (l->held == NULL)
        return true;
    h = *l->held;
    *l->held = (struct held){0};
    h.self = l->self;
    h.lost_n = 0;
    return ledger_holds(l, &h, e);
}

bool ledger_holds_all(struct ledger *l, bool (*is_out)(void *context, uint32_t table),
                      void *context, struct err *e)
{
    sqlite3_stmt *q;
    bool lost = false;
    int code = SQLITE_DONE;

    if (l->held == NULL)
        return true;
    q = ledger_prepare(l,
                       "SELECT DISTINCT row.tbl FROM due LEFT JOIN row ON row.gid = due.gid"
                       " WHERE why IS NULL",
                       e);
    if (q == NULL)
        return false;
    while (!lost && (code = sqlite3_step(q)) == SQLITE_ROW)
        lost = !is_out(context, (uint32_t)sqlite3_column_int64(q, 0));
    sqlite3_finalize(q);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return ledger_err(l, "look for what the file lost", e);
    if (lost)
        return true;
    l->told = false; /* the file still says of itself that it holds less */
    return ledger_holds(l, NULL, e);
}

bool ledger_holds_load(struct ledger *l, struct err *e)
{
    struct buf room;
    struct value v;
    bool ok;

    buf_open(&room, HEADER_BYTES_MAX * 2);
    ok = ledger_meta_get(l, "holds", &v, &room, e);
    held_free(l->held);
    l->held = NULL;
    if (ok && v.type == VALUE_BLOB) {
        struct reader r = reader_of(v.bytes, e);

        l->held = mem_alloc(sizeof *l->held);
        ok = held_read(&r, l->held) && read_end(&r);
    }
    buf_close(&room);
    return ok;
}
