#include "remerge.h"

#include "fork.h"
#include "ledger_conflict.h"
#include "ledger_large.h"
#include "ledger_limits.h"
#include "merge.h"
#include "unite.h"

#include <assert.h>
#include <stdlib.h>

#include <sqlite3.h>

#define PAUSE_MS    60000
#define ROWS_PER_MS 4  /* so much longer: to read them takes a hundredth of that */
#define WORK_MERGE  16 /* to merge one takes as long as to read so many */

/* A phase goes on until it is done or the slice is used up; it is called again then. */
struct remerge {
    struct store *s;
    uint32_t phase, at;   /* `at`: in the phase's list */
    int64_t after;        /* or: the last row, or id in the log, that was read... */
    uint64_t after_stamp; /* ...at this stamp */
    uint64_t slice, left; /* work that may be done in a call, and what is left of it */
    struct keymap rows;   /* by gid: those that are merged anew */
    struct anew {
        int64_t gid;
        bool in_step; /* the file showed what the record held */
    } * list;
    uint32_t n, room;
    struct merged_changeset *repairs; /* change-sets that have some of these rows */
    uint32_t repair_n, repair_room;
    struct record rec, shown;
    uint64_t lowest; /* of the stamps that rows were given; UINT64_MAX: none was */
    uint64_t work;   /* in all */
    struct buf key, rec_bytes, shadow, lowered;
};

static struct remerge *remerge_new(struct store *s, uint64_t slice)
{
    struct remerge *m = mem_alloc(sizeof *m);

    *m = (struct remerge){.s = s, .lowest = UINT64_MAX, .slice = slice, .after = INT64_MIN};
    buf_open(&m->key, SIZE_MAX / 2);
    buf_open(&m->rec_bytes, SIZE_MAX / 2);
    buf_open(&m->shadow, SIZE_MAX / 2);
    buf_open(&m->lowered, SIZE_MAX / 2);
    return m;
}

static void remerge_free(struct remerge *m)
{
    if (m == NULL)
        return;
    keymap_close(&m->rows);
    free(m->list);
    free(m->repairs);
    record_close(&m->rec);
    record_close(&m->shown);
    buf_close(&m->key);
    buf_close(&m->rec_bytes);
    buf_close(&m->shadow);
    buf_close(&m->lowered);
    free(m);
}

void remerge_drop(struct store *s)
{
    remerge_free(s->remerge);
    s->remerge = NULL;
}

/* Another transaction has taken its place. */
static bool was_interrupted(const struct store *s)
{
    return s->remerge != NULL && s->ledger.lasting != s->remerge;
}

bool remerge_is_under_way(const struct store *s)
{
    return s->remerge != NULL && s->ledger.lasting == s->remerge;
}

bool remerge_busy(struct err *e)
{
    return err_set(e, ERR_BUSY,
                   "changes are being merged anew, as a clock was put right: try again in a "
                   "moment");
}

static void spend(struct remerge *m, uint64_t work)
{
    m->work += work;
    m->left -= work < m->left ? work : m->left;
}

bool remerge_may(const struct store *s)
{
    return s->merged_count == 0 && !s->astray && !fork_is_open(s);
}

/* ---- which rows ---- */

static void add(struct remerge *m, int64_t gid)
{
    struct row_key key = int_key(gid);

    if (keymap_get(&m->rows, 0, &key) != 0)
        return;
    if (m->n == m->room) {
        m->room = m->room * 2 + 64;
        m->list = mem_grow(m->list, m->room * sizeof *m->list);
    }
    m->list[m->n++] = (struct anew){.gid = gid};
    keymap_put(&m->rows, 0, &key, m->n);
}

static bool is_late(struct remerge *m, struct slice bytes, bool *late, struct err *e)
{
    if (!record_decode(&m->rec, bytes, e))
        return false;
    *late = ledger_stamps(&m->s->ledger, &m->rec, NULL);
    return true;
}

static bool find_rows(struct remerge *m, bool *done, struct err *e)
{
    struct ledger *l = &m->s->ledger;
    sqlite3_stmt *q = ledger_prepare(l,
                                     "SELECT gid, tbl, key, present, rec, shadow FROM row"
                                     " WHERE gid > ?1 AND (rec IS NOT NULL OR shadow IS NOT NULL)"
                                     " ORDER BY gid",
                                     e);
    int code = SQLITE_ROW;
    bool ok = q != NULL;

    if (ok)
        sqlite3_bind_int64(q, 1, m->after);
    while (ok && m->left > 0 && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct ledger_row row;
        bool late = false;

        spend(m, 1);
        ledger_row_of(q, &row);
        m->after = row.gid;
        ok = (row.minted || is_late(m, row.rec, &late, e)) &&
             (late || !row.differs || is_late(m, row.shadow, &late, e));
        if (ok && late)
            add(m, row.gid);
    }
    sqlite3_finalize(q);
    *done = code == SQLITE_DONE;
    return ok && (*done || code == SQLITE_ROW || ledger_err(l, "read the rows", e));
}

static bool find_parts(struct remerge *m, bool *done, struct err *e)
{
    struct ledger *l = &m->s->ledger;
    sqlite3_stmt *q =
        ledger_prepare(l,
                       "SELECT stands, life_stamp, life_actor, life_number FROM part UNION ALL"
                       " SELECT stands, dead_stamp, dead_actor, dead_number FROM part",
                       e);
    int code = SQLITE_DONE;

    while (q != NULL && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct local_clock c = {.stamp = (uint64_t)sqlite3_column_int64(q, 1),
                                .actor = (uint32_t)sqlite3_column_int64(q, 2),
                                .number = (uint64_t)sqlite3_column_int64(q, 3)};

        if (c.number != 0 && ledger_stamp_clock(l, &c))
            add(m, sqlite3_column_int64(q, 0));
    }
    sqlite3_finalize(q);
    *done = true;
    return q != NULL && (code == SQLITE_DONE || ledger_err(l, "read united rows", e));
}

/* ---- their stamps ---- */

static bool correct_listed(struct remerge *m, int64_t gid, struct err *e)
{
    struct ledger *l = &m->s->ledger;
    struct conflict_list list = {0};
    bool ok = conflict_of_row(l, gid, &list, e);

    for (uint32_t i = 0; ok && i < list.n; i++)
        if (ledger_stamps(l, &list.list[i].cells, NULL))
            ok = conflict_put(l, &list.list[i], e);
    conflict_list_close(&list);
    return ok;
}

/* What the file holds, with the stamps that count. */
static bool correct_shadow(struct remerge *m, struct ledger_row *row, struct err *e)
{
    bool late;

    if (!row->differs && (!row->present || row->minted))
        return true;
    if (!is_late(m, row->differs ? row->shadow : row->rec, &late, e))
        return false;
    buf_clear(&m->shadow);
    record_encode(&m->rec, &m->shadow);
    row->shadow = buf_slice(&m->shadow);
    row->differs = true;
    return true;
}

/* What it holds was written, so it stays, with the stamps that count: what may beat it now is no
 * earlier than those. A row that another one stands for has nothing but what the file shows. */
static bool lower(struct remerge *m, uint32_t at, struct err *e)
{
    struct ledger *l = &m->s->ledger;
    struct ledger_row row;
    int64_t gid = m->list[at].gid, stands;
    bool found;

    if (!ledger_stands(l, gid, &stands, e) || !ledger_row_get(l, gid, &row, &found, e))
        return false;
    if (stands != gid)
        add(m, stands);
    if (!found)
        return true;
    m->list[at].in_step = row.present && !row.differs && !row.minted && stands == gid;
    buf_clear(&m->key);
    buf_add(&m->key, row.key.bytes.p, row.key.bytes.n);
    row.key.bytes = buf_slice(&m->key);
    buf_clear(&m->rec_bytes);
    buf_add(&m->rec_bytes, row.rec.p, row.rec.n);
    row.rec = buf_slice(&m->rec_bytes);
    if (!correct_shadow(m, &row, e))
        return false;
    if (!row.minted && stands == gid) {
        if (!record_decode(&m->rec, row.rec, e))
            return false;
        ledger_stamps(l, &m->rec, &m->lowest);
        if (!parts_limit(m->s, gid, &m->rec, &m->lowest, e))
            return false;
        buf_clear(&m->lowered);
        record_encode(&m->rec, &m->lowered);
        row.rec = buf_slice(&m->lowered);
    }
    return ledger_row_put(l, &row, true, row.present, e) && correct_listed(m, gid, e);
}

static bool lower_all(struct remerge *m, bool *done, struct err *e)
{
    bool ok = true;

    for (; ok && m->at < m->n && m->left > 0; m->at++) { /* the list grows */
        spend(m, WORK_MERGE);
        ok = lower(m, m->at, e);
    }
    *done = m->at == m->n;
    return ok;
}

/* ---- what may beat them ---- */

static void note_repairs(struct remerge *m, uint32_t actor, uint64_t number)
{
    if (m->repair_n == m->repair_room) {
        m->repair_room = m->repair_room * 2 + 16;
        m->repairs = mem_grow(m->repairs, m->repair_room * sizeof *m->repairs);
    }
    m->repairs[m->repair_n++] = (struct merged_changeset){actor, number};
}

static bool merge_one(struct remerge *m, sqlite3_stmt *q, struct err *e)
{
    struct merge_anew anew = {.rows = &m->rows};
    uint32_t actor = (uint32_t)sqlite3_column_int64(q, 2);
    uint64_t number = (uint64_t)sqlite3_column_int64(q, 3);

    if (number > m->s->ledger.actors[actor - 1].merged)
        return true;
    if (!merge_rows_again(m->s, actor, number, value_of_column(q, 4).bytes, &anew, e))
        return false;
    m->s->remerge_read++;
    spend(m, anew.seen + WORK_MERGE * (uint64_t)anew.merged);
    if (anew.has_repairs)
        note_repairs(m, actor, number);
    return true;
}

/* No row in a change-set is later than its header. */
static bool merge_later(struct remerge *m, bool *done, struct err *e)
{
    struct ledger *l = &m->s->ledger;
    sqlite3_stmt *q;
    int code = SQLITE_ROW;
    bool ok = true;

    *done = m->lowest == UINT64_MAX;
    if (*done)
        return true;
    if (m->after_stamp < m->lowest)
        m->after_stamp = m->lowest;
    q = ledger_prepare(l,
                       "SELECT stamp, id, actor, number, bytes FROM changeset"
                       " INDEXED BY changeset_stamp WHERE (stamp, id) > (?1, ?2)"
                       " ORDER BY stamp, id",
                       e);
    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, (int64_t)m->after_stamp);
    sqlite3_bind_int64(q, 2, m->after);
    while (ok && m->left > 0 && (code = sqlite3_step(q)) == SQLITE_ROW) {
        m->after_stamp = (uint64_t)sqlite3_column_int64(q, 0);
        m->after = sqlite3_column_int64(q, 1);
        spend(m, 1);
        ok = merge_one(m, q, e);
    }
    sqlite3_finalize(q);
    *done = code == SQLITE_DONE;
    return ok && (*done || code == SQLITE_ROW || ledger_err(l, "read the log", e));
}

static bool merge_repair(struct remerge *m, const struct merged_changeset *one, struct err *e)
{
    struct merge_anew anew = {.rows = &m->rows, .repairs = true};
    struct large kept = {0};
    struct slice bytes;
    bool found, ok;

    if (!ledger_changeset_get(&m->s->ledger, one->actor, one->number, &bytes, &found, e))
        return false;
    if (!found)
        return err_set(e, ERR_STORE, "the ledger has lost change-set %llu",
                       (unsigned long long)one->number);
    bytes = ledger_keep(&m->s->ledger, bytes, &kept);
    ok = merge_rows_again(m->s, one->actor, one->number, bytes, &anew, e);
    spend(m, 1 + anew.seen + WORK_MERGE * (uint64_t)anew.merged);
    large_close(&kept);
    return ok;
}

static bool merge_repairs(struct remerge *m, bool *done, struct err *e)
{
    bool ok = true;

    for (; ok && m->at < m->repair_n && m->left > 0; m->at++)
        ok = merge_repair(m, &m->repairs[m->at], e);
    *done = m->at == m->repair_n;
    return ok;
}

/* A row that was in step had all in the file that is merged now, also what its record did not hold:
 * whoever writes over what the file shows has seen that, too. */
static bool see_all(struct remerge *m, struct ledger_row *row, struct err *e)
{
    struct record *shown = &m->shown;

    if (!record_decode(shown, row->shadow, e))
        return false;
    for (uint32_t i = 0; i < shown->n && i < m->rec.n; i++)
        if (shown->cells[i].set && m->rec.cells[i].set &&
            ledger_clock_compare(&m->s->ledger, &m->rec.cells[i].clock, &shown->cells[i].clock) > 0)
            shown->cells[i].clock = m->rec.cells[i].clock;
    buf_clear(&m->shadow);
    record_encode(shown, &m->shadow);
    row->shadow = buf_slice(&m->shadow);
    return true;
}

/* What the file shows already needs no shadow; of the rest it is to be told. A row may live or be
 * dead now although it holds the same. */
static bool settle(struct remerge *m, const struct anew *one, struct err *e)
{
    struct ledger *l = &m->s->ledger;
    struct ledger_row row;
    bool found, shows;

    if (!ledger_row_get(l, one->gid, &row, &found, e) || !found || row.minted)
        return e->code == ERR_NONE;
    buf_clear(&m->key);
    buf_add(&m->key, row.key.bytes.p, row.key.bytes.n);
    buf_clear(&m->rec_bytes);
    buf_add(&m->rec_bytes, row.rec.p, row.rec.n);
    row.key.bytes = buf_slice(&m->key);
    row.rec = buf_slice(&m->rec_bytes);
    if (!record_decode(&m->rec, row.rec, e) ||
        (one->in_step && row.differs && !see_all(m, &row, e)))
        return false;
    shows =
        row.present && row.differs && slice_equal(row.rec, row.shadow) && ledger_alive(l, &m->rec);
    row.differs &= !shows;
    if ((shows || one->in_step) && !ledger_row_put(l, &row, true, row.present, e))
        return false;
    if (shows || !l->matched)
        return true;
    m->s->due_open = m->s->due_stale = true;
    return ledger_due_put(l, one->gid, m->s->noticed_ms, NULL, e);
}

static bool settle_all(struct remerge *m, bool *done, struct err *e)
{
    bool ok = true;

    for (; ok && m->at < m->n && m->left > 0; m->at++) {
        spend(m, WORK_MERGE);
        ok = settle(m, &m->list[m->at], e);
    }
    *done = m->at == m->n;
    return ok;
}

/* Our clock, and how late those are whose stamps were corrected. */
static bool set_clock(struct remerge *m, bool *done, struct err *e)
{
    struct ledger *l = &m->s->ledger;
    uint64_t latest = 0;

    for (uint32_t i = 0; i < l->actor_count; i++) {
        struct ledger_actor *a = &l->actors[i];

        if (a->limit_n > 0 && (!ledger_latest(l, i + 1, UINT64_MAX, &a->latest, e) ||
                               !ledger_actor_save(l, i + 1, e)))
            return false;
        latest = a->latest > latest ? a->latest : latest;
    }
    hlc_load(&l->clock, latest);
    *done = true;
    return true;
}

/* ---- one phase after the other ---- */

static bool (*const phases[])(struct remerge *m, bool *done, struct err *e) = {
    find_rows, find_parts, lower_all, merge_later, merge_repairs, settle_all, set_clock,
};

/* `more`: the slice is used up first. */
static bool go_on(struct remerge *m, uint64_t now_ms, bool *more, struct err *e)
{
    bool ok = true, done;

    m->s->noticed_ms = now_ms;
    m->left = m->slice;
    while (ok && m->left > 0 && m->phase < COUNT_OF(phases)) {
        done = false;
        ok = phases[m->phase](m, &done, e);
        if (!done)
            continue;
        m->phase++;
        m->at = 0;
        m->after = INT64_MIN;
    }
    *more = m->phase < COUNT_OF(phases);
    if (*more && ok)
        return true;
    m->s->ledger.outdated = !ok;
    m->s->remerge_pause_ms = PAUSE_MS + m->work / ROWS_PER_MS;
    return ok;
}

bool remerge(struct store *s, uint64_t now_ms, struct err *e)
{
    struct remerge *m = remerge_new(s, UINT64_MAX);
    bool more, ok = go_on(m, now_ms, &more, e);

    assert(!ok || !more);
    remerge_free(m);
    return ok;
}

bool remerge_step(struct store *s, uint64_t now_ms, struct err *e)
{
    bool more = false;
    bool ok = go_on(s->remerge, now_ms, &more, e);

    if (ok && more)
        return true;
    ok = ok && ledger_commit(&s->ledger, e);
    if (!ok)
        ledger_rollback(&s->ledger);
    remerge_drop(s);
    return ok;
}

bool remerge_if_due(struct store *s, uint64_t now_ms, struct err *e)
{
    uint64_t slice = was_interrupted(s) ? UINT64_MAX : s->remerge_slice;

    if (!s->ledger.outdated || now_ms == 0 || !remerge_may(s) ||
        (now_ms >= s->remerged_ms && now_ms - s->remerged_ms < s->remerge_pause_ms))
        return true;
    remerge_drop(s);
    s->remerged_ms = now_ms;
    s->remerge_pause_ms = PAUSE_MS;
    if (!ledger_begin(&s->ledger, false, e))
        return false;
    s->remerge = remerge_new(s, slice);
    s->ledger.lasting = s->remerge;
    return remerge_step(s, now_ms, e);
}
