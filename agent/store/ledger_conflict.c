#include "ledger_conflict.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "appdb.h"
#include "ledger_meta.h"
#include "ledger_statements.h"

#define ROW_BUCKETS 16384u

void conflict_close(struct conflict *c)
{
    free(c->why);
    record_close(&c->cells);
    buf_close(&c->newer);
    buf_close(&c->past);
    *c = (struct conflict){0};
}

void conflict_list_close(struct conflict_list *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        conflict_close(&l->list[i]);
    free(l->list);
    *l = (struct conflict_list){0};
}

/* ---- counts ---- */

static uint16_t *bucket(const struct ledger *l, int64_t gid)
{
    uint64_t hash = (uint64_t)gid * UINT64_C(0x9E3779B97F4A7C15);

    return &l->conflicts.of_rows[hash >> 50];
}

_Static_assert(ROW_BUCKETS == UINT32_C(1) << (64 - 50), "bucket() takes the highest bits");

bool conflict_may_be(const struct ledger *l, int64_t gid)
{
    return l->conflicts.n + l->conflicts.hidden > 0 && *bucket(l, gid) > 0;
}

static void count(struct ledger *l, bool hidden, int change)
{
    uint32_t *n = hidden ? &l->conflicts.hidden : &l->conflicts.n;

    *n = (uint32_t)((int64_t)*n + change);
}

static bool count_all(struct ledger *l, sqlite3_stmt *s, struct err *e)
{
    int code;

    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        count(l, sqlite3_column_int(s, 2) != 0, 1);
        l->conflicts.bytes += (uint64_t)sqlite3_column_int64(s, 1);
        ++*bucket(l, sqlite3_column_int64(s, 0));
    }
    return code == SQLITE_DONE || ledger_err(l, "count the conflicts", e);
}

bool conflict_load(struct ledger *l, struct err *e)
{
    sqlite3_stmt *s =
        ledger_prepare(l, "SELECT gid, length(cells) + length(newer), hidden FROM conflict", e);
    bool ok;

    if (l->conflicts.of_rows == NULL)
        l->conflicts.of_rows = mem_alloc(ROW_BUCKETS * sizeof *l->conflicts.of_rows);
    memset(l->conflicts.of_rows, 0, ROW_BUCKETS * sizeof *l->conflicts.of_rows);
    l->conflicts.n = l->conflicts.hidden = 0;
    l->conflicts.bytes = 0;
    ok = s != NULL && count_all(l, s, e);
    sqlite3_finalize(s);
    return ok && ledger_number(l, "SELECT value FROM meta WHERE name = 'conflicts_dropped'",
                               &l->conflicts.dropped, e);
}

static bool save_dropped(struct ledger *l, int64_t dropped, struct err *e)
{
    l->conflicts.dropped = dropped;
    return ledger_meta_set(l, "conflicts_dropped", &(struct value){.type = VALUE_INT, .i = dropped},
                           e);
}

/* ---- entries ---- */

bool conflict_remove(struct ledger *l, int64_t id, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_CONFLICT_REMOVE);
    int code;

    sqlite3_bind_int64(s, 1, id);
    code = sqlite3_step(s);
    if (code == SQLITE_ROW) {
        count(l, sqlite3_column_int(s, 2) != 0, -1);
        l->conflicts.bytes -= (uint64_t)sqlite3_column_int64(s, 1);
        --*bucket(l, sqlite3_column_int64(s, 0));
        code = sqlite3_step(s);
    }
    sqlite3_reset(s);
    return code == SQLITE_DONE || ledger_err(l, "dismiss a conflict", e);
}

bool conflict_remove_all(struct ledger *l, struct err *e)
{
    sqlite3_stmt *s = ledger_prepare(l, "DELETE FROM conflict", e);
    bool ok = s != NULL && ledger_finish(l, s, "dismiss all conflicts", e);

    sqlite3_finalize(s);
    return ok && save_dropped(l, 0, e) && conflict_load(l, e);
}

bool conflict_move(struct ledger *l, int64_t from, int64_t to, struct err *e)
{
    sqlite3_stmt *s;
    bool ok;

    if (!conflict_may_be(l, from))
        return true;
    s = ledger_prepare(l, "UPDATE conflict SET gid = ?2 WHERE gid = ?1", e);
    if (s == NULL)
        return false;
    sqlite3_bind_int64(s, 1, from);
    sqlite3_bind_int64(s, 2, to);
    ok = ledger_finish(l, s, "move conflicts to a united row", e);
    sqlite3_finalize(s);
    if (ok) {
        uint16_t n = (uint16_t)sqlite3_changes(l->db);

        *bucket(l, from) = (uint16_t)(*bucket(l, from) - n);
        *bucket(l, to) = (uint16_t)(*bucket(l, to) + n);
    }
    return ok;
}

static bool remove_oldest(struct ledger *l, bool hidden, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_CONFLICT_OLDEST);
    int64_t id;

    sqlite3_bind_int(s, 1, hidden);
    if (sqlite3_step(s) != SQLITE_ROW)
        return ledger_err(l, "look for the oldest conflict", e);
    id = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return conflict_remove(l, id, e) && (hidden || save_dropped(l, l->conflicts.dropped + 1, e));
}

/* There are too many: the oldest go, and first those that nobody is shown. */
static bool make_room(struct ledger *l, bool hidden, uint64_t bytes, struct err *e)
{
    bool ok = true;

    while (ok && l->conflicts.hidden > 0 &&
           ((hidden && l->conflicts.hidden >= CONFLICTS_MAX) ||
            l->conflicts.bytes + bytes > CONFLICT_BYTES_MAX))
        ok = remove_oldest(l, true, e);
    while (ok && l->conflicts.n > 0 &&
           ((!hidden && l->conflicts.n >= CONFLICTS_MAX) ||
            l->conflicts.bytes + bytes > CONFLICT_BYTES_MAX))
        ok = remove_oldest(l, false, e);
    return ok;
}

static uint64_t encode_cells(const struct conflict *c, struct buf *cells)
{
    buf_open(cells, 2 * (VALUE_BYTES_MAX + 64));
    record_encode(&c->cells, cells);
    return cells->n + c->newer.n;
}

bool conflict_add(struct ledger *l, struct conflict *c, struct err *e)
{
    sqlite3_stmt *s;
    struct buf cells;
    bool ok;

    c->bytes = encode_cells(c, &cells);
    ok = make_room(l, c->hidden, c->bytes, e);
    if (ok) {
        s = ledger_statement(l, STATEMENT_CONFLICT_ADD);
        sqlite3_bind_int64(s, 1, (int64_t)c->at_ms);
        sqlite3_bind_int64(s, 2, c->gid);
        sqlite3_bind_int64(s, 3, c->table);
        sqlite3_bind_int64(s, 4, c->position);
        sqlite3_bind_text(s, 5, c->why, -1, SQLITE_STATIC);
        ledger_bind_bytes(s, 6, buf_slice(&cells));
        ledger_bind_bytes(s, 7, buf_slice(&c->newer));
        sqlite3_bind_int(s, 8, c->hidden);
        ledger_bind_bytes(s, 9, buf_slice(&c->past));
        ok = ledger_finish(l, s, "note a conflict", e);
    }
    if (ok) {
        c->id = sqlite3_last_insert_rowid(l->db);
        count(l, c->hidden, 1);
        c->was_hidden = c->hidden;
        l->conflicts.bytes += c->bytes;
        ++*bucket(l, c->gid);
    }
    buf_close(&cells);
    return ok;
}

bool conflict_put(struct ledger *l, struct conflict *c, struct err *e)
{
    sqlite3_stmt *s = ledger_statement(l, STATEMENT_CONFLICT_PUT);
    struct buf cells;
    uint64_t bytes = encode_cells(c, &cells);
    bool ok;

    count(l, c->was_hidden, -1);
    count(l, c->hidden, 1);
    c->was_hidden = c->hidden;
    l->conflicts.bytes += bytes - c->bytes;
    c->bytes = bytes;
    sqlite3_bind_int64(s, 1, c->position);
    ledger_bind_bytes(s, 2, buf_slice(&cells));
    ledger_bind_bytes(s, 3, buf_slice(&c->newer));
    sqlite3_bind_int(s, 4, c->hidden);
    sqlite3_bind_int64(s, 5, c->id);
    ok = ledger_finish(l, s, "note a conflict", e);
    buf_close(&cells);
    return ok;
}

bool conflict_read(sqlite3_stmt *s, struct conflict *c, struct err *e)
{
    struct slice newer = value_of_column(s, 7).bytes, past = value_of_column(s, 9).bytes;

    c->id = sqlite3_column_int64(s, 0);
    c->at_ms = (uint64_t)sqlite3_column_int64(s, 1);
    c->gid = sqlite3_column_int64(s, 2);
    c->table = (uint32_t)sqlite3_column_int64(s, 3);
    c->position = (uint32_t)sqlite3_column_int64(s, 4);
    c->why = mem_text((const char *)sqlite3_column_text(s, 5));
    buf_open(&c->newer, newer.n + ACTORS_MAX * 20);
    buf_add(&c->newer, newer.p, newer.n);
    buf_open(&c->past, past.n + 1);
    buf_add(&c->past, past.p, past.n);
    c->hidden = c->was_hidden = sqlite3_column_int(s, 8) != 0;
    c->bytes = (uint64_t)sqlite3_column_bytes(s, 6) + newer.n;
    return record_decode(&c->cells, value_of_column(s, 6).bytes, e);
}

bool conflict_of_row(struct ledger *l, int64_t gid, struct conflict_list *list, struct err *e)
{
    sqlite3_stmt *s;
    int code = SQLITE_ROW;
    bool ok = true;

    if (!conflict_may_be(l, gid))
        return true;
    s = ledger_statement(l, STATEMENT_CONFLICTS_OF);
    sqlite3_bind_int64(s, 1, gid);
    while (ok && (code = sqlite3_step(s)) == SQLITE_ROW) {
        list->list = mem_grow(list->list, (list->n + 1) * sizeof *list->list);
        list->list[list->n] = (struct conflict){0};
        ok = conflict_read(s, &list->list[list->n++], e);
    }
    sqlite3_reset(s);
    return ok && (code == SQLITE_DONE || ledger_err(l, "read the conflicts of a row", e));
}

/* ---- who had seen what ---- */

static void note_seen(struct ledger_actor *author, uint32_t actor, uint64_t number)
{
    if (actor > author->seen_room) {
        uint32_t room = actor + 8;

        author->seen = mem_grow(author->seen, room * sizeof *author->seen);
        memset(author->seen + author->seen_room, 0,
               (room - author->seen_room) * sizeof *author->seen);
        author->seen_room = room;
    }
    author->seen[actor - 1] = number;
}

bool ledger_seen(struct ledger *l, uint32_t author, uint32_t actor, uint64_t number, struct err *e)
{
    struct ledger_actor *a = &l->actors[author - 1];
    sqlite3_stmt *s;

    if (actor <= a->seen_room && a->seen[actor - 1] >= number)
        return true;
    note_seen(a, actor, number);
    s = ledger_statement(l, STATEMENT_SEEN_PUT);
    sqlite3_bind_int64(s, 1, author);
    sqlite3_bind_int64(s, 2, actor);
    sqlite3_bind_int64(s, 3, (int64_t)number);
    return ledger_finish(l, s, "note what an author had seen", e);
}

uint64_t ledger_seen_number(const struct ledger *l, uint32_t author, uint32_t actor)
{
    const struct ledger_actor *a = &l->actors[author - 1];

    if (author == l->self)
        return l->actors[actor - 1].applied;
    return actor <= a->seen_room ? a->seen[actor - 1] : 0;
}

bool ledger_saw(const struct ledger *l, uint32_t author, const struct local_clock *c)
{
    return c->actor == author || c->actor == 0 ||
           ledger_seen_number(l, author, c->actor) >= c->number;
}

bool ledger_seen_load(struct ledger *l, struct err *e)
{
    sqlite3_stmt *s = ledger_prepare(l, "SELECT author, actor, number FROM seen", e);
    int code = SQLITE_DONE;

    for (uint32_t i = 0; i < l->actor_count; i++)
        for (uint32_t k = 0; k < l->actors[i].seen_room; k++)
            l->actors[i].seen[k] = 0;
    while (s != NULL && (code = sqlite3_step(s)) == SQLITE_ROW) {
        int64_t author = sqlite3_column_int64(s, 0), actor = sqlite3_column_int64(s, 1);

        if (author >= 1 && author <= l->actor_count && actor >= 1 && actor <= l->actor_count)
            note_seen(&l->actors[author - 1], (uint32_t)actor,
                      (uint64_t)sqlite3_column_int64(s, 2));
    }
    sqlite3_finalize(s);
    return s != NULL && (code == SQLITE_DONE || ledger_err(l, "read who had seen what", e));
}
