#include "unite.h"

#include "conflict.h"
#include "counter.h"
#include "ledger_conflict.h"
#include "ledger_kept.h"
#include "ledger_large.h"
#include "ledger_limits.h"
#include "ledger_names.h"
#include "ledger_statements.h"
#include "rename.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

/* ---- parts ---- */

static struct local_clock clock_of(sqlite3_stmt *q, int column)
{
    return (struct local_clock){.stamp = (uint64_t)sqlite3_column_int64(q, column),
                                .actor = (uint32_t)sqlite3_column_int64(q, column + 1),
                                .number = (uint64_t)sqlite3_column_int64(q, column + 2)};
}

static void bind_clock(sqlite3_stmt *q, int parameter, const struct local_clock *c)
{
    sqlite3_bind_int64(q, parameter, (int64_t)c->stamp);
    sqlite3_bind_int64(q, parameter + 1, (int64_t)c->actor);
    sqlite3_bind_int64(q, parameter + 2, (int64_t)c->number);
}

void parts_close(struct parts *m)
{
    free(m->rows);
    *m = (struct parts){0};
}

static void add(struct parts *m, const struct part *one)
{
    if (m->n == m->room) {
        m->room = m->room == 0 ? 4 : m->room * 2;
        m->rows = mem_grow(m->rows, m->room * sizeof *m->rows);
    }
    m->rows[m->n++] = *one;
}

bool parts_read(struct store *s, int64_t stands, struct parts *m, struct err *e)
{
    sqlite3_stmt *q;
    int code;

    *m = (struct parts){0};
    if (!s->ledger.aliases)
        return true;
    q = ledger_kept(&s->ledger,
                    "SELECT gid, life_stamp, life_actor, life_number, dead_stamp, dead_actor,"
                    " dead_number FROM part WHERE stands = ?1 ORDER BY gid",
                    e);
    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, stands);
    while ((code = sqlite3_step(q)) == SQLITE_ROW) {
        struct part one = {
            .gid = sqlite3_column_int64(q, 0), .life = clock_of(q, 1), .dead = clock_of(q, 4)};

        add(m, &one);
    }
    ledger_done(&s->ledger, q);
    return code == SQLITE_DONE || ledger_err(&s->ledger, "read united rows", e);
}

bool part_alive(const struct store *s, const struct part *m)
{
    return m->dead.number == 0 || ledger_clock_compare(&s->ledger, &m->life, &m->dead) > 0;
}

static bool part_put(struct store *s, const struct part *m, int64_t stands, struct err *e)
{
    sqlite3_stmt *q = ledger_kept(
        &s->ledger, "INSERT OR REPLACE INTO part VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, m->gid);
    sqlite3_bind_int64(q, 2, stands);
    sqlite3_bind_int(q, 3, part_alive(s, m));
    bind_clock(q, 4, &m->life);
    bind_clock(q, 7, &m->dead);
    code = sqlite3_step(q);
    ledger_done(&s->ledger, q);
    return code == SQLITE_DONE || ledger_err(&s->ledger, "note a united row", e);
}

/* All zeros where it is none of the row's yet. */
static bool part_get(struct store *s, int64_t gid, struct part *out, struct err *e)
{
    sqlite3_stmt *q = ledger_kept(&s->ledger,
                                  "SELECT life_stamp, life_actor, life_number, dead_stamp,"
                                  " dead_actor, dead_number FROM part WHERE gid = ?1",
                                  e);
    int code;

    *out = (struct part){.gid = gid};
    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, gid);
    code = sqlite3_step(q);
    if (code == SQLITE_ROW)
        *out = (struct part){.gid = gid, .life = clock_of(q, 0), .dead = clock_of(q, 3)};
    ledger_done(&s->ledger, q);
    return code == SQLITE_ROW || code == SQLITE_DONE ||
           ledger_err(&s->ledger, "read a united row", e);
}

/* Is the row made of any, or (`lives`) of any that lives? */
static bool parts_any(struct store *s, int64_t stands, bool lives, bool *any, struct err *e)
{
    sqlite3_stmt *q;
    int code;

    q = ledger_kept(&s->ledger, "SELECT 1 FROM part WHERE stands = ?1 AND lives >= ?2 LIMIT 1", e);
    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, stands);
    sqlite3_bind_int(q, 2, lives);
    code = sqlite3_step(q);
    *any = code == SQLITE_ROW;
    ledger_done(&s->ledger, q);
    return *any || code == SQLITE_DONE || ledger_err(&s->ledger, "read united rows", e);
}

/* The greatest clock of those that have this stamp or (0) the latest: of each actor the greatest
 * number, so that it does not take longer the more rows there are. */
static bool latest_death(struct store *s, int64_t stands, struct local_clock *latest, struct err *e)
{
    static const char first[] = "SELECT dead_stamp, dead_actor, dead_number FROM part"
                                " WHERE stands = ?1 AND lives = 0"
                                " ORDER BY dead_stamp DESC, dead_actor DESC, dead_number DESC";
    static const char next[] = "SELECT dead_stamp, dead_actor, dead_number FROM part"
                               " WHERE stands = ?1 AND lives = 0 AND dead_stamp = ?2"
                               " AND dead_actor < ?3 ORDER BY dead_actor DESC, dead_number DESC";
    struct local_clock one = {0};
    int code = SQLITE_ROW;

    *latest = one;
    while (code == SQLITE_ROW) {
        sqlite3_stmt *q = ledger_kept(&s->ledger, one.actor == 0 ? first : next, e);

        if (q == NULL)
            return false;
        sqlite3_bind_int64(q, 1, stands);
        if (one.actor != 0) {
            sqlite3_bind_int64(q, 2, (int64_t)one.stamp);
            sqlite3_bind_int64(q, 3, (int64_t)one.actor);
        }
        code = sqlite3_step(q);
        if (code == SQLITE_ROW)
            one = clock_of(q, 0);
        ledger_done(&s->ledger, q);
        if (code == SQLITE_ROW && ledger_clock_compare(&s->ledger, &one, latest) > 0)
            *latest = one;
    }
    return code == SQLITE_DONE || ledger_err(&s->ledger, "read united rows", e);
}

/* What the record of all of them has for a delete: none while one lives. */
static bool common_death(struct store *s, int64_t stands, struct local_clock *death, struct err *e)
{
    bool lives;

    *death = (struct local_clock){0};
    return parts_any(s, stands, true, &lives, e) && (lives || latest_death(s, stands, death, e));
}

bool parts_limit(struct store *s, int64_t stands, struct record *rec, uint64_t *lowest,
                 struct err *e)
{
    struct parts all;
    bool ok = parts_read(s, stands, &all, e);

    for (uint32_t i = 0; ok && i < all.n; i++) {
        struct part *one = &all.rows[i];
        bool late = ledger_lower(&s->ledger, &one->life, lowest);

        late |= ledger_lower(&s->ledger, &one->dead, lowest);
        ok = !late || part_put(s, one, stands, e);
    }
    if (ok && all.n > 0)
        ok = common_death(s, stands, &rec->dead, e);
    parts_close(&all);
    return ok;
}

/* Of any cell, what was added to counters included. */
static struct local_clock latest_write(const struct store *s, const struct record *rec)
{
    struct local_clock latest = {0};

    for (uint32_t i = 0; i < rec->n; i++) {
        const struct cell *c = &rec->cells[i];

        if (c->set && ledger_clock_compare(&s->ledger, &c->clock, &latest) > 0)
            latest = c->clock;
        for (uint32_t t = 0; c->counter != NULL && t < c->counter->n; t++) {
            struct local_clock said = {.stamp = c->counter->totals[t].stamp,
                                       .actor = c->counter->totals[t].actor,
                                       .number = c->counter->totals[t].number};

            if (said.number != 0 && ledger_clock_compare(&s->ledger, &said, &latest) > 0)
                latest = said;
        }
    }
    return latest;
}

/* A row that no other one is part of, as its record says; none that nobody has heard of. */
static bool part_alone(struct store *s, int64_t gid, const struct record *rec, struct err *e)
{
    const struct part self = {.gid = gid, .life = latest_write(s, rec), .dead = rec->dead};

    return (self.life.number == 0 && self.dead.number == 0) || part_put(s, &self, gid, e);
}

bool unite_note(struct store *s, int64_t gid, int64_t stands, const struct local_clock *clock,
                bool is_delete, struct record *rec, bool *united, struct err *e)
{
    struct local_clock *has;
    struct part named;
    bool any = false;

    if (s->ledger.aliases && !parts_any(s, stands, false, &any, e))
        return false;
    *united = any || gid != stands;
    if (!*united)
        return true;
    if ((!any && !part_alone(s, stands, rec, e)) || !part_get(s, gid, &named, e))
        return false;
    has = is_delete ? &named.dead : &named.life;
    if (has->number == 0 || ledger_clock_compare(&s->ledger, clock, has) > 0) {
        *has = *clock;
        if (!part_put(s, &named, stands, e))
            return false;
    }
    return common_death(s, stands, &rec->dead, e);
}

/* ---- uniting ---- */

bool value_stands(struct store *s, struct value *v, struct err *e)
{
    int64_t gid;

    if (v->type != VALUE_REF)
        return true;
    if (!ledger_stands(&s->ledger, gid_pack(v->ref), &gid, e))
        return false;
    v->ref = gid_unpack(gid);
    return true;
}

bool value_same(struct store *s, const struct value *a, const struct value *b, bool *same,
                struct err *e)
{
    int64_t x, y;

    *same = value_equal(a, b);
    if (*same || !s->ledger.aliases || a->type != VALUE_REF || b->type != VALUE_REF)
        return true;
    if (!ledger_stands(&s->ledger, gid_pack(a->ref), &x, e) ||
        !ledger_stands(&s->ledger, gid_pack(b->ref), &y, e))
        return false;
    *same = x == y;
    return true;
}

struct party {
    struct ledger_row row;
    bool known;   /* its row is in the ledger */
    bool several; /* others are part of it already */
    struct record rec;
    struct buf rec_bytes, shadow_bytes, key_bytes;
};

static void party_close(struct party *p)
{
    record_close(&p->rec);
    buf_close(&p->rec_bytes);
    buf_close(&p->shadow_bytes);
    buf_close(&p->key_bytes);
}

/* The row as it stands, copied: it is about to be looked up for another one. One of which nobody
 * has heard, since its insert was waived (waive.c), has nothing to bring along but its gid. */
static bool party_read(struct store *s, uint32_t table, int64_t gid, struct party *p, struct err *e)
{
    buf_open(&p->rec_bytes, SIZE_MAX / 2);
    buf_open(&p->shadow_bytes, SIZE_MAX / 2);
    if (!ledger_row_get(&s->ledger, gid, &p->row, &p->known, e))
        return false;
    if (!p->known) {
        p->row = (struct ledger_row){.gid = gid, .table = table};
        return true;
    }
    if (p->row.minted)
        return err_set(e, ERR_INPUT, "a row that was not published is to be united with another");
    if (p->row.key.kind == KEY_PACKED) {
        buf_open(&p->key_bytes, p->row.key.bytes.n);
        buf_add(&p->key_bytes, p->row.key.bytes.p, p->row.key.bytes.n);
        p->row.key.bytes = buf_slice(&p->key_bytes);
    }
    if (!record_decode(&p->rec, p->row.rec, e) || !parts_any(s, gid, false, &p->several, e))
        return false;
    buf_add(&p->shadow_bytes, p->row.differs ? p->row.shadow.p : p->row.rec.p,
            p->row.differs ? p->row.shadow.n : p->row.rec.n);
    p->row.shadow = buf_slice(&p->shadow_bytes);
    p->row.differs = p->row.present; /* what the file holds stays on record */
    return true;
}

static bool party_write(struct store *s, struct party *p, struct err *e)
{
    buf_clear(&p->rec_bytes);
    record_encode(&p->rec, &p->rec_bytes);
    p->row.rec = buf_slice(&p->rec_bytes);
    s->due_open = s->due_stale = true;
    return ledger_row_put(&s->ledger, &p->row, p->known, p->row.present, e) &&
           ledger_due_put(&s->ledger, p->row.gid, 0, NULL, e);
}

/* `sql` lets `to` stand where `from` did. */
static bool move_to(struct store *s, const char *sql, int64_t from, int64_t to, struct err *e)
{
    sqlite3_stmt *q = ledger_kept(&s->ledger, sql, e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, from);
    sqlite3_bind_int64(q, 2, to);
    code = sqlite3_step(q);
    ledger_done(&s->ledger, q);
    return code == SQLITE_DONE || ledger_err(&s->ledger, "unite two rows", e);
}

static bool point_to(struct store *s, int64_t from, int64_t to, struct err *e)
{
    return move_to(s, "UPDATE alias SET stands = ?2 WHERE stands = ?1", from, to, e) &&
           ledger_alias(&s->ledger, from, to, e);
}

/* Its cells are about to meet those of another row: they tell whose they are. */
static void tell_apart(struct party *p)
{
    for (uint32_t i = 0; i < p->rec.n; i++)
        if (p->rec.cells[i].set && p->rec.cells[i].clock.row == 0)
            p->rec.cells[i].clock.row = p->row.gid;
}

/* Of each cell the later write, and all totals. */
static bool absorb_cells(struct store *s, struct party *keep, const struct party *gone,
                         struct err *e)
{
    for (uint32_t i = 0; i < gone->rec.n; i++) {
        struct cell *theirs = &gone->rec.cells[i], *have = record_cell(&keep->rec, i);
        bool wins = theirs->set && (!have->set || ledger_cell_compare(&s->ledger, keep->row.gid,
                                                                      theirs, have) > 0);

        if (theirs->counter != NULL || have->counter != NULL) {
            if (!counter_unite(&keep->rec, i, theirs, wins, e))
                return false;
        } else if (wins) {
            *have = *theirs;
        }
    }
    return true;
}

/* What is listed of either is the united row's. Of each cell in which they differ, and both live, a
 * person should know what is no longer there; not where one PC wrote both, where people had both
 * before them, and not of a mark: it stood there because of the other row. */
static bool list_lost(struct store *s, const struct party *keep, const struct party *gone,
                      struct err *e)
{
    const struct binding *b = bind_by_table(s, keep->row.table);
    struct conflict_row about = {.s = s, .gid = keep->row.gid, .table = keep->row.table};

    if (!conflict_move(&s->ledger, gone->row.gid, keep->row.gid, e))
        return false;
    if (b == NULL || !ledger_alive(&s->ledger, &keep->rec) || !ledger_alive(&s->ledger, &gone->rec))
        return true;
    about.own_key = b->position[b->app->keys[0]];
    for (uint32_t i = 0; i < gone->rec.n; i++) {
        const struct cell *theirs = record_get(&gone->rec, i), *have = record_get(&keep->rec, i);
        bool same = true;
        int order;

        if (i == about.own_key || theirs == NULL || have == NULL || !theirs->set || !have->set ||
            theirs->counter != NULL || have->counter != NULL ||
            theirs->clock.actor == have->clock.actor || repair_is_mark(&theirs->v, &have->v) ||
            repair_is_mark(&have->v, &theirs->v))
            continue;
        order = ledger_cell_compare(&s->ledger, keep->row.gid, theirs, have);
        if (!value_same(s, &theirs->v, &have->v, &same, e) ||
            (!same && !conflict_note(&about, i, CONFLICT_UNITED, order > 0 ? have : theirs,
                                     order > 0 ? theirs : have, e)))
            return false;
    }
    return true;
}

/* One that is made of no other row is a part of `stands`. */
static bool part_self(struct store *s, const struct party *p, int64_t stands, struct err *e)
{
    const struct part self = {
        .gid = p->row.gid, .life = latest_write(s, &p->rec), .dead = p->rec.dead};

    return part_put(s, &self, stands, e);
}

/* `gone` is part of `keep` from here on, and leaves the file. */
static bool absorb(struct store *s, struct party *keep, struct party *gone, struct err *e)
{
    if ((!keep->several && !part_self(s, keep, keep->row.gid, e)) ||
        !(gone->several ? move_to(s, "UPDATE part SET stands = ?2 WHERE stands = ?1", gone->row.gid,
                                  keep->row.gid, e)
                        : part_self(s, gone, keep->row.gid, e)) ||
        !absorb_cells(s, keep, gone, e) || !common_death(s, keep->row.gid, &keep->rec.dead, e) ||
        !party_write(s, keep, e))
        return false;
    record_clear(&gone->rec); /* its bytes have been copied with keep's */
    gone->rec.dead = (struct local_clock){.actor = s->ledger.self, .number = 1};
    return party_write(s, gone, e);
}

bool unite_stand_for(struct store *s, int64_t from, int64_t to, struct err *e)
{
    s->united = mem_grow(s->united, (s->united_count + 1) * sizeof *s->united);
    s->united[s->united_count++] = from;
    return point_to(s, from, to, e);
}

/* Whoever says that two rows are one has them in one table. If they are in two here, these are two
 * names of it. */
static bool in_one_table(struct store *s, uint32_t table, int64_t a, int64_t b, struct err *e)
{
    const int64_t gids[2] = {a, b};
    uint32_t tables[2] = {table, table};

    for (int i = 0; i < 2; i++) {
        struct ledger_row row;
        bool known;

        if (!ledger_row_get(&s->ledger, gids[i], &row, &known, e))
            return false;
        if (known)
            tables[i] = row.table;
    }
    return tables[0] == tables[1] || rename_united(s, tables[0], tables[1], e);
}

/* Of how many rows it is made, `most` at most. */
static bool parts_count(struct store *s, int64_t stands, uint32_t most, uint32_t *n, struct err *e)
{
    sqlite3_stmt *q = ledger_kept(
        &s->ledger, "SELECT count(*) FROM (SELECT 1 FROM part WHERE stands = ?1 LIMIT ?2)", e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, stands);
    sqlite3_bind_int64(q, 2, most);
    code = sqlite3_step(q);
    *n = code == SQLITE_ROW ? (uint32_t)sqlite3_column_int64(q, 0) : 0;
    ledger_done(&s->ledger, q);
    return code == SQLITE_ROW || ledger_err(&s->ledger, "count united rows", e);
}

#define PARTS_FEW 256 /* no shop has so many rows that are one */

/* The one in the file stays there; of two that are, the smaller gid, as every site orders them. But
 * what is made of very many rows stays whatever it is called: each of them would be written. It
 * takes no longer to find out than the smaller one is large. */
static bool find_stays(struct store *s, const struct party *a, const struct party *b, bool *first,
                       struct err *e)
{
    uint32_t most = PARTS_FEW, left, right;

    *first = a->row.present;
    if (a->row.present != b->row.present)
        return true;
    do {
        if (!parts_count(s, a->row.gid, most, &left, e) ||
            !parts_count(s, b->row.gid, most, &right, e))
            return false;
    } while (left == most && right == most && (most *= 4) > 0);
    *first = left < PARTS_FEW && right < PARTS_FEW
                 ? gid_order(&s->ledger, a->row.gid, b->row.gid) < 0
                 : left > right;
    return true;
}

bool unite_rows(struct store *s, uint32_t table, int64_t a, int64_t b, struct err *e)
{
    struct party first = {0}, second = {0};
    bool ok = ledger_stands(&s->ledger, a, &a, e) && ledger_stands(&s->ledger, b, &b, e);
    bool stays = true;

    if (!ok || a == b)
        return ok;
    project_retry(s); /* rows wait for the one that another stands for now */
    ok = in_one_table(s, table, a, b, e);
    table = ledger_table_standing(&s->ledger, table)->id;
    ok = ok && party_read(s, table, a, &first, e) && party_read(s, table, b, &second, e);
    if (ok && (first.row.key.kind == KEY_PACKED || second.row.key.kind == KEY_PACKED))
        ok = err_set(e, ERR_INPUT, "a row that has a name of its own is to be united with another");
    if (ok && first.row.table != second.row.table)
        ok = err_set(e, ERR_INPUT, "rows of tables %s and %s are to be united",
                     s->ledger.tables[first.row.table - 1].name,
                     s->ledger.tables[second.row.table - 1].name);
    ok = ok && find_stays(s, &first, &second, &stays, e);
    tell_apart(stays ? &second : &first);
    ok = ok && list_lost(s, stays ? &first : &second, stays ? &second : &first, e);
    if (ok && stays)
        ok = absorb(s, &first, &second, e) && unite_stand_for(s, b, a, e);
    else if (ok)
        ok = absorb(s, &second, &first, e) && unite_stand_for(s, a, b, e);
    party_close(&first);
    party_close(&second);
    return ok;
}

bool unite_named(struct store *s, int64_t early, int64_t stands, struct err *e)
{
    struct party keep = {0}, gone = {0};
    struct ledger_row row;
    bool found, ok = ledger_row_get(&s->ledger, early, &row, &found, e);

    if (!ok || !found || row.minted)
        return ok;
    if (!ledger_row_get(&s->ledger, stands, &row, &found, e) || !found || row.minted)
        return e->code == ERR_NONE;
    ok = party_read(s, row.table, stands, &keep, e) && party_read(s, row.table, early, &gone, e);
    tell_apart(&gone);
    ok = ok && absorb(s, &keep, &gone, e);
    party_close(&keep);
    party_close(&gone);
    return ok;
}

/* Has nobody ever said anything of this row? So it is with one that is taken out of a file that
 * went back, as it had come and gone before anybody heard of it. */
static bool is_unsaid(struct store *s, int64_t gid, bool *unsaid, struct err *e)
{
    struct record rec = {0};
    struct ledger_row row;
    bool found, ok = ledger_row_get(&s->ledger, gid, &row, &found, e);

    *unsaid = ok && found && !row.minted;
    ok = ok && (!*unsaid || record_decode(&rec, row.rec, e));
    *unsaid &= ok && rec.n == 0 && rec.dead.number == 0;
    record_close(&rec);
    return ok;
}

/* Has the row a name already, which is another one? */
static bool has_other_name(struct store *s, int64_t gid, const uint32_t *positions,
                           const struct value *key, uint32_t n, bool *other, struct err *e)
{
    struct record rec = {0};
    struct ledger_row row;
    bool found, same = true;
    bool ok = ledger_row_get(&s->ledger, gid, &row, &found, e) &&
              (!found || row.minted || record_decode(&rec, row.rec, e));

    for (uint32_t i = 0; ok && same && i < n; i++) {
        const struct cell *c = record_get(&rec, positions[i]);

        ok = c == NULL || !c->set || value_same(s, &c->v, &key[i], &same, e);
    }
    record_close(&rec);
    *other = !same;
    return ok;
}

/* The one that was there first, unless only this PC has ever heard of it. */
static bool unite_at(struct store *s, uint32_t table, struct slice identity, int64_t stands,
                     int64_t *gid, struct err *e)
{
    struct ledger *l = &s->ledger;
    bool unsaid = false;
    int64_t known;

    if (!ledger_natural_get(l, table, identity, &known, e))
        return false;
    if (known == stands) { /* maybe as a part of it: that is known of it already */
        *gid = known;
        return true;
    }
    if (known == 0)
        return ledger_natural_put(l, table, identity, *gid, e);
    if (!is_unsaid(s, known, &unsaid, e))
        return false;
    if (unsaid)
        return point_to(s, known, *gid, e);
    if (!unite_named(s, *gid, known, e) || !ledger_alias(l, *gid, known, e))
        return false;
    *gid = known;
    return true;
}

bool unite_inserted(struct store *s, uint32_t table, const uint32_t *positions, struct value *key,
                    uint32_t n, int64_t *gid, struct err *e)
{
    struct buf identity;
    int64_t stands;
    bool other, ok;

    for (uint32_t i = 0; i < n; i++)
        if (!value_stands(s, &key[i], e))
            return false;
    if (!ledger_stands(&s->ledger, *gid, &stands, e) ||
        !has_other_name(s, stands, positions, key, n, &other, e))
        return false;
    if (other)
        return true;
    buf_open(&identity, SIZE_MAX / 2);
    identity_write(&s->ledger, key, n, &identity);
    ok = unite_at(s, table, buf_slice(&identity), stands, gid, e);
    buf_close(&identity);
    return ok;
}
