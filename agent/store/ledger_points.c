/* The ledger's points: where the two files stood, and what the ledger must know of the way there to
 * find out what a file that went back holds (behind.c). */
#include "ledger_points.h"

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

static bool trim(struct ledger *l, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_POINT_TRIM);

    sqlite3_bind_int64(s, 1, l->point - POINTS_KEPT);
    return ledger_finish(l, s, "forget old points", e) &&
           ledger_finish(l, ledger_statement(l, STATEMENT_PLACED_TRIM), "forget old keys", e) &&
           ledger_finish(l, ledger_statement(l, STATEMENT_FATE_TRIM), "forget old marks", e);
}

bool ledger_point(struct ledger *l, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_POINT_ADD);
    struct buf applied;
    struct writer w = {&applied};
    bool ok;

    buf_open(&applied, HEADER_BYTES_MAX * 2);
    vector_write(&w, l->holding ? &l->holds : &l->applied);
    sqlite3_bind_int64(s, 1, l->batch);
    ledger_bind_bytes(s, 2, (struct slice){l->token, sizeof l->token});
    sqlite3_bind_int64(s, 3, l->cursor);
    sqlite3_bind_double(s, 4, l->cursor_time);
    sqlite3_bind_int64(s, 5, (int64_t)l->actors[l->self - 1].staged);
    ledger_bind_bytes(s, 6, buf_slice(&applied));
    end_run(l);
    ledger_bind_bytes(s, 7, buf_slice(&l->runs));
    ok = ledger_finish(l, s, "note where the files stand", e);
    buf_close(&applied);
    buf_clear(&l->runs);
    l->point = ok ? sqlite3_last_insert_rowid(l->db) : l->point;
    return ok && (l->point % POINTS_TRIMMED != 0 || trim(l, e));
}

/* ---- a file that lacks some of what was applied ---- */

bool ledger_holds(struct ledger *l, const struct vector *holds, struct err *e)
{
    struct value v = {.type = VALUE_NULL};
    struct buf bytes;
    struct writer w = {&bytes};
    bool ok;

    buf_open(&bytes, HEADER_BYTES_MAX * 2);
    l->holding = holds != NULL;
    if (l->holding) {
        vector_copy(&l->holds, holds);
        vector_write(&w, holds);
        v = (struct value){.type = VALUE_BLOB, .bytes = buf_slice(&bytes)};
    }
    ok = ledger_meta_set(l, "holds", &v, e);
    buf_close(&bytes);
    return ok;
}

bool ledger_holds_all(struct ledger *l, struct err *e)
{
    int64_t lost;

    if (!l->holding)
        return true;
    return ledger_number(l, "SELECT EXISTS(SELECT 1 FROM due WHERE why IS NULL)", &lost, e) &&
           (lost != 0 || ledger_holds(l, NULL, e));
}

bool ledger_holds_load(struct ledger *l, struct err *e)
{
    struct buf room;
    struct value v;
    bool ok;

    buf_open(&room, HEADER_BYTES_MAX * 2);
    ok = ledger_meta_get(l, "holds", &v, &room, e);
    l->holding = ok && v.type == VALUE_BLOB;
    if (l->holding) {
        struct reader r = reader_of(v.bytes, e);

        vector_read(&r, &l->holds);
        ok = read_end(&r);
    }
    buf_close(&room);
    return ok;
}
