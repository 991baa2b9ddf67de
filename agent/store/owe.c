/* What is owed: see owe.h. */
#include "owe.h"

#include <sqlite3.h>

#include "again.h"
#include "author.h"
#include "evidence.h"
#include "ledger_kept.h"
#include "publish.h"
#include "reading.h"
#include "unite.h"

static bool step(struct ledger *l, sqlite3_stmt *q, struct err *e)
{
    bool ok = sqlite3_step(q) == SQLITE_DONE || ledger_err(l, "note what is owed", e);

    ledger_done(l, q);
    return ok;
}

static bool too_much(struct err *e)
{
    return err_set(e, ERR_LIMIT, "what was added to a counter exceeds what can be said");
}

/* ---- owing ---- */

struct owed {
    int64_t gid; /* as the row was named */
    uint32_t position;
    bool held; /* it is in what we wrote whole, not in what we added */
    uint64_t stamp;
    uint8_t form;
    struct decimal amount;
};

static bool read_owed(struct store *s, struct owed *o, bool *found, struct err *e)
{
    sqlite3_stmt *q = ledger_kept(
        &s->ledger,
        "SELECT stamp, form, amount FROM owed WHERE gid = ?1 AND position = ?2 AND held = ?3", e);
    unsigned digits;
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, o->gid);
    sqlite3_bind_int64(q, 2, o->position);
    sqlite3_bind_int64(q, 3, o->held);
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

static bool owe(struct store *s, const struct total *t, uint32_t position, bool held,
                const struct decimal *amount, struct err *e)
{
    struct owed o = {.gid = t->gid, .position = position, .held = held};
    char text[DECIMAL_TEXT_MAX];
    sqlite3_stmt *q;
    bool found;

    if (decimal_is_zero(amount))
        return true;
    if (!read_owed(s, &o, &found, e))
        return false;
    if (!decimal_add(&o.amount, &o.amount, amount))
        return too_much(e);
    if (t->stamp >= o.stamp)
        o.form = t->form;
    o.stamp = t->stamp > o.stamp ? t->stamp : o.stamp;
    decimal_text(&o.amount, 0, text);
    q = ledger_kept(&s->ledger,
                    "INSERT OR REPLACE INTO owed(gid, position, stamp, form, amount, held)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    e);
    if (q == NULL)
        return false;
    s->owes = true;
    sqlite3_bind_int64(q, 1, o.gid);
    sqlite3_bind_int64(q, 2, o.position);
    sqlite3_bind_int64(q, 3, (int64_t)o.stamp);
    sqlite3_bind_int64(q, 4, o.form);
    sqlite3_bind_text(q, 5, text, -1, SQLITE_STATIC);
    sqlite3_bind_int64(q, 6, o.held);
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

bool owe_added(struct store *s, const struct record *r, uint32_t position, const struct total *t,
               struct err *e)
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
        return too_much(e);
    return owe(s, t, position, holds(s, c, t), &added, e);
}

static bool has_seen(const struct cell *set, const struct total *t)
{
    const struct total *seen = counter_find(set, t->gid, t->actor);

    return seen != NULL && seen->seen_number > 0;
}

bool owe_value(struct store *s, int64_t gid, const struct record *r, uint32_t position,
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
            (!noted && !owe(s, t, position, false, &amount, e)))
            return false;
    }
    return true;
}

bool owe_load(struct store *s, struct err *e)
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

static bool find_column(const struct binding *b, uint32_t position, uint32_t *column)
{
    for (*column = 0; *column < b->app->column_count; ++*column)
        if (b->position[b->order[*column]] == position)
            return true;
    return false;
}

static bool say(struct payer *p, struct binding *b, int64_t gid, uint64_t stamp, uint32_t column,
                struct body_counter *counter, struct value value, struct err *e)
{
    if (!author_room(&p->author, author_bytes(&value, counter), e))
        return false;
    author_write(&p->author, b,
                 &(struct body_row){.op = CHANGE_UPDATE,
                                    .gid = gid_unpack(gid),
                                    .stamp = stamp,
                                    .n = 1,
                                    .columns = &column,
                                    .counters = counter,
                                    .counter_n = 1},
                 &value);
    return true;
}

/* We add as much less. */
static bool add_less(struct payer *p, struct binding *b, const struct owed *o, uint32_t column,
                     struct err *e)
{
    const struct total *mine =
        counter_find(record_cell(&p->rec, o->position), o->gid, p->s->ledger.self);
    struct total total = {.gid = o->gid,
                          .actor = p->s->ledger.self,
                          .stamp = o->stamp,
                          .total = mine == NULL ? (struct decimal){0} : mine->total,
                          .form = o->form};
    struct body_counter counter = {.delta = true, .form = o->form};

    if (!decimal_subtract(&total.total, &total.total, &o->amount))
        return too_much(e);
    counter.total = total.total;
    if (!say(p, b, o->gid, o->stamp, column, &counter, (struct value){.type = VALUE_NULL}, e))
        return false;
    total.number = p->author.number;
    return counter_add(&p->rec, o->position, &total, e);
}

/* What we wrote is written anew, less what is owed, and has all in it that was ever added. Others
 * may have had the same in what they wrote of the row, and owe it as well: one of these values
 * stays, from which what each of them took off would be missing. It is later than the one it
 * replaces by no more than a write must be: what anybody wrote over that wins still. */
static bool write_less(struct payer *p, struct binding *b, const struct owed *o, int64_t stands,
                       uint32_t column, struct err *e)
{
    struct cell *c = record_cell(&p->rec, o->position);
    struct cell plain = cell_plain(c);
    int64_t gid = plain.clock.row == 0 ? stands : plain.clock.row;
    struct body_counter seen = {0};
    char room[DECIMAL_TEXT_MAX];
    struct value less = c->v;
    struct decimal sum;
    uint8_t form;
    bool united;

    if (decimal_of_value(&c->v, &sum, &form)) {
        if (!decimal_subtract(&sum, &sum, &o->amount))
            return too_much(e);
        less = decimal_value(&sum, form, room);
    }
    counter_settle(&p->rec, o->position, &less);
    cells_seen(&p->rec, gid, c, &seen);
    plain.clock.stamp = stamp_after(0, &plain, false);
    if (!say(p, b, gid, plain.clock.stamp, column, &seen, c->v, e))
        return false;
    plain.clock.actor = p->s->ledger.self;
    plain.clock.number = p->author.number;
    c->clock = plain.clock;
    return unite_note(p->s, gid, stands, &c->clock, false, &p->rec, &united, e);
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

/* Where what we wrote was written over meanwhile, it is in nothing any more. */
static bool take_off(struct payer *p, struct binding *b, const struct owed *o, int64_t stands,
                     uint32_t column, struct err *e)
{
    const struct cell *c = record_get(&p->rec, o->position);

    if (!o->held || !ledger_alive(&p->s->ledger, &p->rec))
        return add_less(p, b, o, column, e);
    return c == NULL || !c->set || !ledger_is_ours(&p->s->ledger, c->clock.actor) ||
           write_less(p, b, o, stands, column, e);
}

/* `said` false: this PC has no such table or column; it waits until it has. */
static bool pay(struct payer *p, const struct owed *o, bool *said, struct err *e)
{
    struct ledger_row row;
    struct binding *b;
    uint32_t column;
    int64_t gid;
    bool found;

    *said = false;
    if (!ledger_stands(&p->s->ledger, o->gid, &gid, e) ||
        !ledger_row_get(&p->s->ledger, gid, &row, &found, e))
        return false;
    b = found && !row.minted ? bind_by_table(p->s, row.table) : NULL;
    if (b == NULL)
        return true;
    *said = find_column(b, o->position, &column);
    return !*said || (record_decode(&p->rec, row.rec, e) && take_off(p, b, o, gid, column, e) &&
                      write_row(p, &row, e));
}

static bool forget_owed(struct payer *p, const struct owed *o, struct err *e)
{
    struct ledger *l = &p->s->ledger;
    sqlite3_stmt *q =
        ledger_kept(l, "DELETE FROM owed WHERE gid = ?1 AND position = ?2 AND held = ?3", e);

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, o->gid);
    sqlite3_bind_int64(q, 2, o->position);
    sqlite3_bind_int64(q, 3, o->held);
    return step(l, q, e);
}

static bool pay_all(struct payer *p, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(&p->s->ledger,
                                     "SELECT o.gid, o.position, o.held FROM owed o"
                                     " LEFT JOIN row r ON r.gid = o.gid"
                                     " ORDER BY r.tbl, o.gid, o.position, o.held",
                                     e);
    int code = SQLITE_DONE;
    bool ok = q != NULL, found, said;

    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct owed o = {.gid = sqlite3_column_int64(q, 0),
                         .position = (uint32_t)sqlite3_column_int64(q, 1),
                         .held = sqlite3_column_int(q, 2) != 0};

        ok = read_owed(p->s, &o, &found, e) && (!found || pay(p, &o, &said, e)) &&
             ((found && !said) || forget_owed(p, &o, e)) &&
             (!author_is_full(&p->author, 1) || author_seal(&p->author, e));
    }
    sqlite3_finalize(q);
    return ok && (code == SQLITE_DONE || ledger_err(&p->s->ledger, "read what is owed", e));
}

bool owe_pay(struct store *s, uint64_t now_ms, struct store_progress *progress, struct err *e)
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
