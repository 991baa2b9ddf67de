/* What is drained once more: see again.h. */
#include "again.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "evidence.h"
#include "ledger_kept.h"
#include "ledger_meta.h"
#include "reading.h"

/* When the marks were made that this ledger has drained, as far back as points tell. */
struct drained {
    struct keymap times; /* ms */
    int64_t point;       /* the last one that is in it */
};

static bool step(struct ledger *l, sqlite3_stmt *q, struct err *e)
{
    bool ok = sqlite3_step(q) == SQLITE_DONE || ledger_err(l, "note what was drained again", e);

    ledger_done(l, q);
    return ok;
}

static bool run_of(struct ledger *l, const char *sql, uint32_t actor, uint64_t number,
                   struct err *e)
{
    sqlite3_stmt *q = ledger_kept(l, sql, e);

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, actor);
    sqlite3_bind_int64(q, 2, (int64_t)number);
    return step(l, q, e);
}

static bool is_one_of(struct ledger *l, const char *sql, uint32_t actor, uint64_t number, bool *is,
                      struct err *e)
{
    sqlite3_stmt *q = ledger_kept(l, sql, e);
    int code;

    *is = false;
    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, actor);
    sqlite3_bind_int64(q, 2, (int64_t)number);
    code = sqlite3_step(q);
    *is = code == SQLITE_ROW;
    ledger_done(l, q);
    return code == SQLITE_ROW || code == SQLITE_DONE ||
           ledger_err(l, "look for what was drained again", e);
}

/* ---- which marks ---- */

static bool add_runs(struct keymap *times, struct slice in)
{
    while (in.n > 0) {
        struct row_key ms = {.kind = KEY_INT};
        uint64_t first, last, bits;
        double time;

        if (!varint_read(&in, &first) || !varint_read(&in, &last) || in.n < 8)
            return false;
        bits = be64_read(in.p);
        memcpy(&time, &bits, sizeof time);
        in.p += 8;
        in.n -= 8;
        ms.i = (int64_t)mark_wall_ms(time, 0);
        keymap_put(times, 0, &ms, 1);
    }
    return true;
}

static bool read_points(struct store *s, struct drained *d, struct err *e)
{
    sqlite3_stmt *q =
        ledger_prepare(&s->ledger, "SELECT runs FROM point WHERE id > ?1 AND runs IS NOT NULL", e);
    bool sound = true;
    int code = SQLITE_DONE;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, d->point);
    while (sound && (code = sqlite3_step(q)) == SQLITE_ROW)
        sound = add_runs(&d->times, value_of_column(q, 0).bytes);
    sqlite3_finalize(q);
    if (!sound)
        return err_set(e, ERR_STORE, "%s is damaged: a point", s->ledger.path);
    d->point = s->ledger.point;
    return code == SQLITE_DONE || ledger_err(&s->ledger, "read the points", e);
}

static bool load_drained(struct store *s, struct err *e)
{
    if (s->drained == NULL)
        s->drained = mem_alloc(sizeof *s->drained);
    return s->drained->point == s->ledger.point || read_points(s, s->drained, e);
}

/* ---- a copy of another PC's database ---- */

/* When the marks were made that were in it, all of them: which are that PC's nobody knows. */
struct copied {
    bool any;
    struct site_id of;
    struct keymap times; /* ms */
};

static void forget_copied(struct store *s)
{
    if (s->copied != NULL)
        keymap_close(&s->copied->times);
    free(s->copied);
    s->copied = NULL;
}

bool again_note_copied(struct store *s, const struct site_id *of, struct err *e)
{
    const struct value site = {.type = VALUE_BLOB, .bytes = SLICE(of->bytes)};

    forget_copied(s);
    return ledger_meta_set(&s->ledger, "copied", &site, e) &&
           ledger_meta_set(&s->ledger, "copied_point",
                           &(struct value){.type = VALUE_INT, .i = s->ledger.point}, e);
}

static bool read_copied(struct store *s, struct copied *c, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&s->ledger,
                                     "SELECT m.value, runs FROM meta m, point"
                                     " WHERE m.name = 'copied' AND runs IS NOT NULL AND id ="
                                     " (SELECT value FROM meta WHERE name = 'copied_point')",
                                     e);
    int code = q == NULL ? SQLITE_ERROR : sqlite3_step(q);
    struct slice of = {NULL, 0};
    bool sound = true;

    if (code == SQLITE_ROW)
        of = value_of_column(q, 0).bytes;
    c->any = of.n == sizeof c->of.bytes;
    if (c->any) {
        memcpy(c->of.bytes, of.p, of.n);
        sound = add_runs(&c->times, value_of_column(q, 1).bytes);
    }
    sqlite3_finalize(q);
    if (!sound)
        return err_set(e, ERR_STORE, "%s is damaged: a point", s->ledger.path);
    return code == SQLITE_ROW || code == SQLITE_DONE ||
           (q != NULL && ledger_err(&s->ledger, "read what was copied", e));
}

/* When marks were made that may be this actor's and that this ledger has drained; NULL: there are
 * none. */
static bool times_of(struct store *s, uint32_t actor, const struct keymap **times, struct err *e)
{
    *times = NULL;
    if (ledger_is_ours(&s->ledger, actor)) {
        if (!load_drained(s, e))
            return false;
        *times = &s->drained->times;
        return true;
    }
    if (s->copied == NULL) {
        s->copied = mem_alloc(sizeof *s->copied);
        if (!read_copied(s, s->copied, e)) {
            forget_copied(s);
            return false;
        }
    }
    if (s->copied->any && actor_is_of(&s->ledger.actors[actor - 1].actor, &s->copied->of))
        *times = &s->copied->times;
    return true;
}

bool again_may_be(struct store *s, uint32_t actor, bool *may, struct err *e)
{
    const struct keymap *times = NULL;

    *may = ledger_is_ours(&s->ledger, actor);
    if (!*may && !times_of(s, actor, &times, e))
        return false;
    *may |= times != NULL;
    return true;
}

/* ---- is it the same? ---- */

static bool note_rows(struct store *s, struct slice bytes, struct keymap *rows, struct err *e)
{
    struct reading r;
    bool ok = reading_open(&r, &s->ledger, bytes, e);

    while (ok && body_next_table(&r.body))
        while (body_next_row(&r.body)) {
            struct row_key gid = int_key(reading_gid(&r, r.body.row.gid));
            uint32_t stamp = (uint32_t)(r.body.row.stamp ^ r.body.row.stamp >> 32);

            keymap_put(rows, stamp, &gid, 1);
        }
    ok = ok && body_read_end(&r.body);
    reading_close(&r);
    return ok;
}

bool again_note_ours(struct store *s, uint64_t number, struct err *e)
{
    return s->ledger.cursor >= s->opened_mark ||
           run_of(&s->ledger, "INSERT OR IGNORE INTO inherited(actor, number) VALUES (?1, ?2)",
                  s->ledger.self, number, e);
}

/* Drained from the same marks, a row that was moved is moved as far. So it may be by chance: what
 * was written since the file was opened, and seen then, moves both. */
static bool has_row_of(struct store *s, const struct changeset *c, const struct buf *ours,
                       bool *has, struct err *e)
{
    struct keymap rows = {0};
    struct buf bytes;
    struct reading r = {0};
    bool ok;

    buf_open(&bytes, CHANGESET_BYTES_MAX);
    changeset_join(&bytes, c);
    ok = note_rows(s, buf_slice(ours), &rows, e) &&
         reading_open(&r, &s->ledger, buf_slice(&bytes), e);
    while (ok && body_next_table(&r.body))
        while (body_next_row(&r.body)) {
            struct row_key gid = int_key(reading_gid(&r, r.body.row.gid));
            uint32_t stamp = (uint32_t)(r.body.row.stamp ^ r.body.row.stamp >> 32);

            *has |= r.body.row.stamp != 0 && keymap_get(&rows, stamp, &gid) != 0;
        }
    ok = ok && body_read_end(&r.body);
    reading_close(&r);
    keymap_close(&rows);
    buf_close(&bytes);
    return ok;
}

bool again_look(struct store *s, uint32_t actor, uint64_t number, const struct changeset *c,
                const struct buf *ours, struct err *e)
{
    const struct keymap *times;
    enum evidence says = SAYS_NOTHING;
    struct buf bytes;
    struct reading r = {0};
    bool noted = false, inherited = false, ok;

    if (!s->ledger.matched) /* it is built again, and looks then */
        return true;
    if (!times_of(s, actor, &times, e) || times == NULL)
        return e->code == ERR_NONE;
    buf_open(&bytes, CHANGESET_BYTES_MAX);
    changeset_join(&bytes, c);
    ok =
        reading_open(&r, &s->ledger, buf_slice(&bytes), e) && evidence_weigh(times, &r.body, &says);
    reading_close(&r);
    buf_close(&bytes);
    noted = says == FOR;
    if (ok && says == SAYS_NOTHING)
        ok = again_is_noted(s, actor, number - 1, &noted, e) &&
             (noted || ours == NULL || ours->n == 0 ||
              is_one_of(&s->ledger, "SELECT 1 FROM inherited WHERE actor = ?1 AND number = ?2",
                        actor, number, &inherited, e)) &&
             (!inherited || has_row_of(s, c, ours, &noted, e));
    return ok && (!noted || again_note(s, actor, number, e));
}

bool again_has_row(struct store *s, uint32_t actor, uint64_t stamp, bool *has, struct err *e)
{
    const struct keymap *times;

    if (!times_of(s, actor, &times, e))
        return false;
    *has = times != NULL && (!evidence_tells_time(stamp) || evidence_is_marked(times, stamp));
    return true;
}

bool again_note(struct store *s, uint32_t actor, uint64_t number, struct err *e)
{
    return run_of(&s->ledger, "INSERT OR IGNORE INTO again(actor, number) VALUES (?1, ?2)", actor,
                  number, e);
}

bool again_is_noted(struct store *s, uint32_t actor, uint64_t number, bool *noted, struct err *e)
{
    if (!again_may_be(s, actor, noted, e) || !*noted)
        return e->code == ERR_NONE;
    return is_one_of(&s->ledger, "SELECT 1 FROM again WHERE actor = ?1 AND number = ?2", actor,
                     number, noted, e);
}

bool again_forget(struct ledger *l, uint32_t actor, uint64_t number, struct err *e)
{
    return run_of(l, "DELETE FROM again WHERE actor = ?1 AND number > ?2", actor, number, e);
}

void again_close(struct store *s)
{
    if (s->drained != NULL)
        keymap_close(&s->drained->times);
    free(s->drained);
    forget_copied(s);
}
