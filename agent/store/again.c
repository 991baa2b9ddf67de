/* What is drained once more: see again.h. */
#include "again.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "author.h"
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

/* ---- owing ---- */

struct owed {
    int64_t gid; /* as the row was named */
    uint32_t position;
    uint64_t stamp;
    uint8_t form;
    struct decimal amount;
};

static bool read_owed(struct store *s, struct owed *o, bool *found, struct err *e)
{
    sqlite3_stmt *q = ledger_kept(
        &s->ledger, "SELECT stamp, form, amount FROM owed WHERE gid = ?1 AND position = ?2", e);
    unsigned digits;
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, o->gid);
    sqlite3_bind_int64(q, 2, o->position);
    code = sqlite3_step(q);
    *found = code == SQLITE_ROW;
    if (*found) {
        o->stamp = (uint64_t)sqlite3_column_int64(q, 0);
        o->form = (uint8_t)sqlite3_column_int(q, 1);
        *found = decimal_parse(value_of_column(q, 2).bytes, &o->amount, &digits);
    }
    ledger_done(&s->ledger, q);
    return code == SQLITE_ROW || code == SQLITE_DONE ||
           ledger_err(&s->ledger, "read what is owed", e);
}

static bool owe(struct store *s, const struct total *t, uint32_t position,
                const struct decimal *amount, struct err *e)
{
    struct owed o = {.gid = t->gid, .position = position};
    char text[DECIMAL_TEXT_MAX];
    sqlite3_stmt *q;
    bool found;

    if (decimal_is_zero(amount))
        return true;
    if (!read_owed(s, &o, &found, e))
        return false;
    if (!decimal_add(&o.amount, &o.amount, amount))
        return err_set(e, ERR_LIMIT, "what was added to a counter exceeds what can be said");
    if (t->stamp >= o.stamp)
        o.form = t->form;
    o.stamp = t->stamp > o.stamp ? t->stamp : o.stamp;
    decimal_text(&o.amount, 0, text);
    q = ledger_kept(&s->ledger,
                    "INSERT OR REPLACE INTO owed(gid, position, stamp, form, amount)"
                    " VALUES (?1, ?2, ?3, ?4, ?5)",
                    e);
    if (q == NULL)
        return false;
    s->owes = true;
    sqlite3_bind_int64(q, 1, o.gid);
    sqlite3_bind_int64(q, 2, o.position);
    sqlite3_bind_int64(q, 3, (int64_t)o.stamp);
    sqlite3_bind_int64(q, 4, o.form);
    sqlite3_bind_text(q, 5, text, -1, SQLITE_STATIC);
    return step(&s->ledger, q, e);
}

/* Have we added to this cell of the row ourselves? */
static bool has_ours(const struct store *s, const struct cell *c, int64_t gid)
{
    bool any = false;

    for (uint32_t i = 0; c != NULL && c->counter != NULL && i < c->counter->n; i++) {
        const struct total *t = &c->counter->totals[i];

        any |= t->gid == gid && t->number > 0 && ledger_is_ours(&s->ledger, t->actor);
    }
    return any;
}

/* Did we write the cell whole, not having seen this? What our file held then is in it. */
static bool holds(const struct store *s, const struct cell *c, const struct total *t)
{
    const struct total *have = c == NULL ? NULL : counter_find(c, t->gid, t->actor);

    return c != NULL && c->set && c->clock.stamp >= t->stamp &&
           ledger_is_ours(&s->ledger, c->clock.actor) &&
           (have == NULL || have->seen_number < t->number);
}

/* What our other chains say of a row since a write of it. */
struct mention {
    bool deleted, written;
    bool earlier; /* what comes before says nothing of that time any more */
};

static bool look_for_mention(struct store *s, struct slice bytes, const struct total *t,
                             struct mention *m, struct err *e)
{
    uint64_t ms = hlc_stamp_wall_ms(t->stamp);
    bool timed = evidence_tells_time(t->stamp);
    struct reading r;
    bool ok = reading_open(&r, &s->ledger, bytes, e);

    m->earlier = ok && hlc_stamp_wall_ms(r.h.stamp) < ms && (timed || !m->deleted);
    while (ok && body_next_table(&r.body))
        while (body_next_row(&r.body)) {
            const struct body_row *row = &r.body.row;
            bool since = hlc_stamp_wall_ms(row->stamp) >= ms;

            if (reading_gid(&r, row->gid) != t->gid)
                continue;
            m->deleted |= row->op == CHANGE_DELETE && since;
            m->written |= row->op != CHANGE_DELETE && (since || !timed);
        }
    ok = ok && body_read_end(&r.body);
    reading_close(&r);
    return ok;
}

static bool look_through(struct store *s, uint32_t actor, const struct total *t, struct mention *m,
                         struct err *e)
{
    m->earlier = false;
    for (uint64_t n = s->ledger.actors[actor - 1].staged; n > 0; n--) {
        struct slice bytes;
        bool found;

        if (m->written || m->earlier)
            return true;
        if (s->look_ups_left == 0) { /* nobody can say: as if it were there */
            m->written = true;
            return true;
        }
        s->look_ups_left--;
        if (!ledger_changeset_get(&s->ledger, actor, n, &bytes, &found, e) ||
            (found && !look_for_mention(s, bytes, t, m, e)))
            return false;
    }
    return true;
}

/* Who drains an edit together with the end of its row says the end only: then what was said the
 * first time is all that was ever said of it. */
static bool went_unsaid(struct store *s, const struct total *t, bool *unsaid, struct err *e)
{
    struct mention m = {0};

    for (uint32_t a = 1; a <= s->ledger.actor_count; a++)
        if (a != t->actor && ledger_is_ours(&s->ledger, a) && !look_through(s, a, t, &m, e))
            return false;
    *unsaid = m.deleted && !m.written;
    return true;
}

bool again_owe_added(struct store *s, const struct record *r, uint32_t position,
                     const struct total *t, struct err *e)
{
    bool unsaid = false;
    const struct cell *c = position < r->n ? &r->cells[position] : NULL;
    const struct total *have = c == NULL ? NULL : counter_find(c, t->gid, t->actor);
    struct decimal added = t->total;

    if (!ledger_is_ours(&s->ledger, t->actor) && !has_ours(s, c, t->gid) && !holds(s, c, t))
        return true;
    if (ledger_is_ours(&s->ledger, t->actor) && !went_unsaid(s, t, &unsaid, e))
        return false;
    if (unsaid)
        return true;
    if (have != NULL && have->number > 0 && !decimal_subtract(&added, &t->total, &have->total))
        return err_set(e, ERR_LIMIT, "what was added to a counter exceeds what can be said");
    return owe(s, t, position, &added, e);
}

static bool has_seen(const struct cell *set, const struct total *t)
{
    const struct total *seen = counter_find(set, t->gid, t->actor);

    return seen != NULL && seen->seen_number > 0;
}

bool again_owe_value(struct store *s, int64_t gid, const struct record *r, uint32_t position,
                     const struct cell *set, struct err *e)
{
    const struct cell *c = position < r->n ? &r->cells[position] : NULL;
    const struct counter *k = c == NULL ? NULL : c->counter;
    bool wins = k == NULL || !c->set || ledger_cell_compare(&s->ledger, gid, set, c) > 0;

    for (uint32_t i = 0; k != NULL && i < k->n; i++) {
        const struct total *t = &k->totals[i];
        struct decimal amount = t->total;
        bool noted;

        if (t->number <= t->seen_number || t->stamp > set->clock.stamp ||
            t->actor == set->clock.actor || !ledger_is_ours(&s->ledger, t->actor) ||
            has_seen(set, t))
            continue;
        if (!again_is_noted(s, t->actor, t->number, &noted, e) ||
            (!noted && !wins && !decimal_subtract(&amount, &t->total, &t->seen)) ||
            (!noted && !owe(s, t, position, &amount, e)))
            return false;
    }
    return true;
}

bool again_load(struct store *s, struct err *e)
{
    int64_t any;

    if (!ledger_number(&s->ledger, "SELECT EXISTS(SELECT 1 FROM owed)", &any, e))
        return false;
    s->owes = any != 0;
    return true;
}

/* ---- taking it off ---- */

struct payer {
    struct store *s;
    struct author author;
    struct record rec;
    struct buf rec_bytes, shadow, key;
};

static bool say(struct payer *p, struct binding *b, const struct owed *o, bool *said, struct err *e)
{
    const struct total *mine =
        counter_find(record_cell(&p->rec, o->position), o->gid, p->s->ledger.self);
    struct body_counter counter = {.delta = true, .form = o->form};
    struct value none = {.type = VALUE_NULL};
    struct total total = {.gid = o->gid,
                          .actor = p->s->ledger.self,
                          .stamp = o->stamp,
                          .total = mine == NULL ? (struct decimal){0} : mine->total,
                          .form = o->form};
    uint32_t column = 0;

    while (column < b->app->column_count && b->position[b->order[column]] != o->position)
        column++;
    *said = column < b->app->column_count;
    if (!*said)
        return true;
    if (!decimal_subtract(&total.total, &total.total, &o->amount))
        return err_set(e, ERR_LIMIT, "what was added to a counter exceeds what can be said");
    if (!author_room(&p->author, author_bytes(&none, &counter), e))
        return false;
    total.number = p->author.number;
    counter.total = total.total;
    author_write(&p->author, b,
                 &(struct body_row){.op = CHANGE_UPDATE,
                                    .gid = gid_unpack(o->gid),
                                    .stamp = o->stamp,
                                    .n = 1,
                                    .columns = &column,
                                    .counters = &counter,
                                    .counter_n = 1},
                 &none);
    return counter_add(&p->rec, o->position, &total, e);
}

static bool write_row(struct payer *p, struct ledger_row *row, struct err *e)
{
    struct ledger *l = &p->s->ledger;

    buf_clear(&p->shadow);
    if (row->present) { /* the file shows what it did */
        struct slice shows = row->differs ? row->shadow : row->rec;

        buf_add(&p->shadow, shows.p, shows.n);
        row->shadow = buf_slice(&p->shadow);
        row->differs = true;
    }
    buf_clear(&p->key);
    buf_add(&p->key, row->key.bytes.p, row->key.bytes.n);
    row->key.bytes = buf_slice(&p->key);
    buf_clear(&p->rec_bytes);
    record_encode(&p->rec, &p->rec_bytes);
    row->rec = buf_slice(&p->rec_bytes);
    p->s->due_open = true;
    return ledger_row_put(l, row, true, row->present, e) &&
           ledger_due_put(l, row->gid, p->s->noticed_ms, NULL, e);
}

/* `said` false: this PC has no such table or column; it waits until it has. */
static bool pay(struct payer *p, const struct owed *o, bool *said, struct err *e)
{
    struct ledger_row row;
    struct binding *b;
    int64_t gid;
    bool found;

    *said = false;
    if (!ledger_stands(&p->s->ledger, o->gid, &gid, e) ||
        !ledger_row_get(&p->s->ledger, gid, &row, &found, e))
        return false;
    b = found && !row.minted ? bind_by_table(p->s, row.table) : NULL;
    if (b == NULL)
        return true;
    return record_decode(&p->rec, row.rec, e) && say(p, b, o, said, e) &&
           (!*said || write_row(p, &row, e));
}

static bool forget_owed(struct payer *p, const struct owed *o, struct err *e)
{
    struct ledger *l = &p->s->ledger;
    sqlite3_stmt *q = ledger_kept(l, "DELETE FROM owed WHERE gid = ?1 AND position = ?2", e);

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, o->gid);
    sqlite3_bind_int64(q, 2, o->position);
    return step(l, q, e);
}

static bool pay_all(struct payer *p, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&p->s->ledger,
                                     "SELECT o.gid, o.position FROM owed o LEFT JOIN row r"
                                     " ON r.gid = o.gid ORDER BY r.tbl, o.gid, o.position",
                                     e);
    int code = SQLITE_DONE;
    bool ok = q != NULL, found, said;

    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct owed o = {.gid = sqlite3_column_int64(q, 0),
                         .position = (uint32_t)sqlite3_column_int64(q, 1)};

        ok = read_owed(p->s, &o, &found, e) && (!found || pay(p, &o, &said, e)) &&
             ((found && !said) || forget_owed(p, &o, e)) &&
             (!author_is_full(&p->author, 1) || author_seal(&p->author, e));
    }
    sqlite3_finalize(q);
    return ok && (code == SQLITE_DONE || ledger_err(&p->s->ledger, "read what is owed", e));
}

bool again_publish(struct store *s, uint64_t now_ms, struct store_progress *progress, struct err *e)
{
    struct payer p = {.s = s};
    bool ok;

    if (!s->owes)
        return true;
    buf_open(&p.rec_bytes, SIZE_MAX / 2);
    buf_open(&p.shadow, SIZE_MAX / 2);
    buf_open(&p.key, SIZE_MAX / 2);
    s->noticed_ms = now_ms;
    ok = ledger_begin(&s->ledger, false, e);
    author_begin(&p.author, s, now_ms, progress);
    ok = ok && pay_all(&p, e) && author_seal(&p.author, e) && ledger_commit(&s->ledger, e);
    if (ok)
        s->owes = false;
    else
        ledger_rollback(&s->ledger);
    author_close(&p.author);
    record_close(&p.rec);
    buf_close(&p.rec_bytes);
    buf_close(&p.shadow);
    buf_close(&p.key);
    return ok;
}

void again_close(struct store *s)
{
    if (s->drained != NULL)
        keymap_close(&s->drained->times);
    free(s->drained);
    forget_copied(s);
}
