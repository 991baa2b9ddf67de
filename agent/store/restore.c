/* Undo what a merge decided. It is a change-set of ours like any other, published under a fresh
 * clock and projected like a change from elsewhere: in the application's quiet moments, whole after
 * a crash, and a row that was deleted keeps its identity. So that nothing is published that the
 * application would never have been allowed to write, the file is asked first: the value is written
 * and taken back under its lock. */
#include <navette/conflicts.h>

#include <string.h>

#include <sqlite3.h>

#include "author.h"
#include "conflict.h"
#include "counter.h"
#include "ledger_conflict.h"
#include "unite.h"
#include "withhold.h"

struct restore {
    struct store *s;
    struct conflict c;
    struct binding *b;
    struct ledger_row row; /* its bytes are ours */
    struct record rec;
    struct buf key, was, shadow, bytes;
    int column;        /* of the file */
    struct value lost; /* leading to the row that stands for what it referred to */
    bool deletes;      /* it was a delete that lost */
    uint64_t now_ms;
};

static void restore_close(struct restore *r)
{
    conflict_close(&r->c);
    record_close(&r->rec);
    buf_close(&r->key);
    buf_close(&r->was);
    buf_close(&r->shadow);
    buf_close(&r->bytes);
}

static struct slice keep(struct buf *room, struct slice bytes)
{
    buf_open(room, bytes.n + 1);
    buf_add(room, bytes.p, bytes.n);
    return buf_slice(room);
}

static bool load_conflict(struct restore *r, int64_t number, struct err *e)
{
    struct ledger *l = &r->s->ledger;
    sqlite3_stmt *q = ledger_prepare(l,
                                     "SELECT id, at_ms, gid, tbl, position, why, cells, newer,"
                                     " hidden, past FROM conflict WHERE id = ?1 AND hidden = 0",
                                     e);
    int code = SQLITE_DONE;
    bool ok = q != NULL;

    if (ok)
        sqlite3_bind_int64(q, 1, number);
    if (ok && (code = sqlite3_step(q)) == SQLITE_ROW)
        ok = conflict_read(q, &r->c, e);
    sqlite3_finalize(q);
    if (!ok || (code != SQLITE_ROW && code != SQLITE_DONE))
        return ok ? ledger_err(l, "read a conflict", e) : false;
    return code == SQLITE_ROW ||
           err_set(e, ERR_USAGE, "no conflict has the number %lld: see agent-cli conflicts",
                   (long long)number);
}

static bool load_row(struct restore *r, struct err *e)
{
    struct ledger *l = &r->s->ledger;
    int64_t gid;
    bool found;

    if (!ledger_stands(l, r->c.gid, &gid, e) || !ledger_row_get(l, gid, &r->row, &found, e))
        return false;
    if (!found || r->row.minted)
        return err_set(e, ERR_REFUSED, "the row is no longer known here: dismiss the conflict");
    r->row.key.bytes = keep(&r->key, r->row.key.bytes);
    r->row.rec = keep(&r->was, r->row.rec);
    r->row.shadow = keep(&r->shadow, r->row.shadow);
    return record_decode(&r->rec, r->row.rec, e);
}

/* Where the value goes in the file, and what it is now. */
static bool find_place(struct restore *r, struct err *e)
{
    const struct cell *lost = record_get(&r->c.cells, CONFLICT_LOST);
    const char *table = r->s->ledger.tables[r->row.table - 1].name;
    const struct cell *have;
    bool counter;

    r->b = bind_by_table(r->s, r->row.table);
    if (r->b == NULL)
        return err_set(e, ERR_REFUSED, "table %s is not shared on this PC: agent-cli track %s",
                       table, table);
    r->deletes = strcmp(r->c.why, CONFLICT_RETURNED) == 0;
    if (r->deletes)
        return true;
    r->column = r->c.position < r->b->positions ? r->b->column[r->c.position] : -1;
    if (r->column < 0 || lost == NULL)
        return err_set(e, ERR_REFUSED, "table %s has no such column on this PC any more", table);
    have = record_get(&r->rec, r->c.position);
    counter = r->b->counter[r->column] || (have != NULL && have->counter != NULL);
    if (r->b->is_key[r->column] || counter)
        return err_set(
            e, ERR_REFUSED, "column %s is %s: set it in the application, then dismiss the conflict",
            r->b->app->columns[r->column].name, counter ? "a counter" : "part of the key");
    r->lost = lost->v;
    return value_stands(r->s, &r->lost, e);
}

/* Does what is written here go out, by rule? What this PC does not say must not come out this way
 * either. */
static bool is_said(struct restore *r, struct err *e)
{
    const char *table = r->s->ledger.tables[r->row.table - 1].name;
    struct record would = {0};
    bool says = false, ok = record_decode(&would, r->row.rec, e);
    struct cell *cell = ok && !r->deletes ? record_cell(&would, r->c.position) : NULL;

    if (cell != NULL) {
        cell->v = r->lost;
        cell->set = true;
    }
    ok = ok && withhold_says_record(r->s, r->b, &would, &says, e);
    record_close(&would);
    if (!ok || says)
        return ok;
    return err_set(e, ERR_REFUSED,
                   r->b->mute ? "by rule nothing that is written here to table %s goes out: "
                                "restore it on another PC"
                              : "by rule this row of table %s does not go out from here: restore "
                                "it on another PC",
                   table);
}

/* ---- would the file take it? ---- */

static bool try_value(struct restore *r, struct err *e)
{
    struct appdb *a = &r->s->app;
    const struct app_table *t = r->b->app;
    sqlite3_str *sql = sqlite3_str_new(a->db);
    sqlite3_stmt *q = NULL;
    int code = SQLITE_OK;
    bool ok;
    char *text;

    sqlite3_str_appendf(sql, "UPDATE OR ABORT main.\"%w\" SET \"%w\" = ?%u WHERE ", t->name,
                        t->columns[r->column].name, t->key_count + 1);
    app_key_match(sql, t);
    text = sqlite3_str_finish(sql);
    ok = sqlite3_prepare_v2(a->db, text, -1, &q, NULL) == SQLITE_OK &&
         value_bind(q, (int)t->key_count + 1, &r->lost);
    if (!ok)
        sqlite_err(a->db, t->name, e);
    ok = ok && key_bind(q, 1, t, &r->row.key, e);
    if (ok)
        code = sqlite3_step(q);
    if (ok && code != SQLITE_DONE) {
        code &= 0xff;
        ok = code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH || code == SQLITE_ERROR
                 ? err_set(e, ERR_REFUSED, "the database refuses the value: %s",
                           sqlite3_errmsg(a->db))
                 : sqlite_err(a->db, t->name, e);
    }
    sqlite3_finalize(q);
    sqlite3_free(text);
    return ok;
}

/* A reference is not tried: the row it leads to comes into the file with it. */
static bool ask_file(struct restore *r, struct err *e)
{
    bool ok;

    if (r->deletes || !r->row.present || r->lost.type == VALUE_REF ||
        !ledger_alive(&r->s->ledger, &r->rec))
        return true;
    if (!appdb_lock_quietly(&r->s->app, e))
        return false;
    ok = recover_in_step(r->s, e) && try_value(r, e);
    appdb_end(&r->s->app);
    return ok;
}

/* ---- the edit ---- */

static uint64_t stamp_of(const struct restore *r)
{
    uint64_t stamp = hlc_stamp(r->now_ms, 0);
    const struct local_clock *dead = &r->rec.dead;

    if (dead->number != 0 && dead->stamp >= stamp)
        stamp = dead->stamp + 1;
    for (uint32_t i = 0; i < r->rec.n; i++) {
        const struct cell *c = record_get(&r->rec, i);

        if (c != NULL && (r->deletes || i == r->c.position) && counter_stamp(c) >= stamp)
            stamp = counter_stamp(c) + 1;
    }
    return stamp;
}

static uint32_t index_in_body(const struct binding *b, uint32_t column)
{
    uint32_t o = 0;

    while (b->order[o] != column)
        o++;
    return o;
}

static bool merge_value(struct restore *r, const struct conflict_row *about, struct author *a,
                        const struct local_clock *clock, struct err *e)
{
    struct cell write = {.v = r->lost, .clock = *clock, .set = true};
    struct cell *have = record_cell(&r->rec, r->c.position);
    uint32_t index = index_in_body(r->b, (uint32_t)r->column);
    struct conflict_choice written = {0};
    struct value wire = r->lost;
    bool united;

    if (!unite_note(r->s, r->row.gid, r->row.gid, clock, false, &r->rec, &united, e))
        return false;
    if (have->set && !conflict_cell(about, r->c.position, &write, have, e))
        return false;
    *have = write;
    conflict_consider(about, &written, &write, r->c.position);
    author_row(a, r->b, CHANGE_UPDATE, r->row.gid, clock->stamp, &index, &wire, 1);
    return r->rec.dead.number == 0 || conflict_write(about, &r->rec, clock, &written, e);
}

/* All that the row is made of goes with it. */
static bool merge_delete(struct restore *r, const struct conflict_row *about, struct author *a,
                         const struct local_clock *clock, struct err *e)
{
    struct parts all;
    bool ok = parts_read(r->s, r->row.gid, &all, e), united;

    r->rec.dead = *clock;
    if (ok && all.n == 0)
        author_row(a, r->b, CHANGE_DELETE, r->row.gid, clock->stamp, NULL, NULL, 0);
    for (uint32_t i = 0; ok && i < all.n; i++) {
        author_row(a, r->b, CHANGE_DELETE, all.rows[i].gid, clock->stamp, NULL, NULL, 0);
        ok = unite_note(r->s, all.rows[i].gid, r->row.gid, clock, true, &r->rec, &united, e);
    }
    parts_close(&all);
    return ok && conflict_delete(about, &r->rec, e);
}

static bool write_row(struct restore *r, struct err *e)
{
    if (r->row.present && !r->row.differs) {
        r->row.shadow = r->row.rec; /* the file holds what it held */
        r->row.differs = true;
    }
    buf_open(&r->bytes, SIZE_MAX / 2);
    record_encode(&r->rec, &r->bytes);
    r->row.rec = buf_slice(&r->bytes);
    r->s->due_open = true;
    r->s->due_stale = true;
    return ledger_row_put(&r->s->ledger, &r->row, true, r->row.present, e) &&
           ledger_due_put(&r->s->ledger, r->row.gid, r->now_ms, NULL, e);
}

static bool publish_restored(struct restore *r, struct err *e)
{
    struct store *s = r->s;
    const struct app_table *t = r->b->app;
    const struct conflict_row about = {.s = s,
                                       .gid = r->row.gid,
                                       .table = r->row.table,
                                       .own_key =
                                           t->surrogate ? (int64_t)r->b->position[t->keys[0]] : -1};
    struct store_progress progress = {0};
    struct local_clock clock = {.stamp = stamp_of(r), .actor = s->ledger.self};
    struct author a;
    uint64_t before;
    bool ok;

    s->noticed_ms = r->now_ms;
    s->look_ups_left = LOOK_UPS_MAX;
    author_begin(&a, s, r->now_ms, &progress);
    author_open(&a);
    before = a.number - 1;
    clock.number = a.number;
    ok = (r->deletes ? merge_delete(r, &about, &a, &clock, e)
                     : merge_value(r, &about, &a, &clock, e)) &&
         write_row(r, e) && author_seal(&a, e) && ledger_holds_not(&s->ledger, before, e);
    author_close(&a);
    return ok && conflict_remove(&s->ledger, r->c.id, e);
}

/* What the application wrote comes first: its edits are older than this one. */
static bool drain_first(struct store *s, uint64_t now_ms, struct err *e)
{
    struct store_progress p;

    do {
        if (!store_drain(s, now_ms, &p, e))
            return false;
    } while (p.more);
    return s->ledger.matched ||
           err_set(e, ERR_REFUSED,
                   "this PC's rows are not compared with the fleet's yet: agent-cli status");
}

bool store_conflict_restore(struct store *s, int64_t number, uint64_t now_ms, struct err *e)
{
    struct restore r = {.s = s, .now_ms = now_ms};
    bool ok = drain_first(s, now_ms, e) && load_conflict(&r, number, e) && load_row(&r, e) &&
              find_place(&r, e) && is_said(&r, e) && ask_file(&r, e);

    if (ok) {
        ok = ledger_begin(&s->ledger, false, e) && publish_restored(&r, e) &&
             ledger_point(&s->ledger, e) && ledger_commit(&s->ledger, e);
        if (!ok)
            ledger_rollback(&s->ledger);
    }
    ledger_rest(&s->ledger);
    restore_close(&r);
    return ok;
}
