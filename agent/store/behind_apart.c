/* A file that went back, rows that are one by now and were two there: what the one of them held
 * that the application wrote to. The ledger has only what the two are together, so that is looked
 * up in the log. */
#include "behind.h"

#include <stdlib.h>

#include <sqlite3.h>

#include "counter.h"
#include "ledger_limits.h"
#include "reading.h"

/* Rows, by gid. */
struct gids {
    int64_t *all;
    uint32_t n;
};

/* The latest write of one cell, by any of the names that its row had there, that the file held. */
struct search {
    struct recovery *r;
    int64_t gid;
    struct gids names; /* the first is `gid` */
    uint32_t table, position;
    bool found;
    struct cell cell;
    struct total *seen; /* that its author had seen, of rows that it is one with */
    uint32_t seen_n;
};

/* ---- what was said to be one ---- */

static void add(struct gids *g, int64_t gid)
{
    g->all = mem_grow(g->all, (g->n + 1) * sizeof *g->all);
    g->all[g->n++] = gid;
}

static bool has(const struct gids *g, int64_t gid)
{
    for (uint32_t i = 0; i < g->n; i++)
        if (g->all[i] == gid)
            return true;
    return false;
}

/* The pairs of rows that a change-set makes one, of those that `stands` stands for by now. */
static bool read_pairs(struct ledger *l, struct slice bytes, int64_t stands, struct gids *pairs,
                       struct err *e)
{
    struct reading in;
    bool ok = reading_open(&in, l, bytes, e);

    while (ok && body_next_table(&in.body))
        while (ok && body_next_row(&in.body)) {
            const struct body_row *row = &in.body.row;
            int64_t to = 0;

            if (row->op != CHANGE_UNITE)
                continue;
            ok = ledger_stands(l, reading_gid(&in, row->gid), &to, e);
            if (!ok || to != stands)
                continue;
            add(pairs, reading_gid(&in, row->gid));
            add(pairs, reading_gid(&in, row->with));
        }
    ok = ok && body_read_end(&in.body);
    reading_close(&in);
    return ok;
}

/* ---- was it apart? ---- */

/* Is there another row in the file that it is one with? `of_several` false: it is one with none. */
static bool stands_beside(struct ledger *l, int64_t gid, int64_t stands, bool *beside,
                          bool *of_several, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(
        l,
        "SELECT count(*), ifnull(sum(gid IN (SELECT gid FROM row WHERE present = 1)), 0) FROM"
        " (SELECT gid FROM alias WHERE stands = ?2 UNION SELECT ?2) WHERE gid <> ?1",
        e);
    bool ok = q != NULL;

    if (!ok)
        return false;
    sqlite3_bind_int64(q, 1, gid);
    sqlite3_bind_int64(q, 2, stands);
    ok = sqlite3_step(q) == SQLITE_ROW || ledger_err(l, "look for parts of a row", e);
    *of_several = ok && sqlite3_column_int64(q, 0) > 0;
    *beside = ok && sqlite3_column_int64(q, 1) > 0;
    sqlite3_finalize(q);
    return ok;
}

/* Has a change-set that the file had, or (`saw` false) had not, said that it is one with another?
 */
static bool find_unite(struct recovery *r, int64_t gid, int64_t stands, bool saw, bool *found,
                       struct err *e)
{
    struct ledger *l = &r->s->ledger;
    sqlite3_stmt *q =
        ledger_prepare(l, "SELECT actor, number, bytes FROM changeset ORDER BY stamp DESC", e);
    struct gids pairs = {0};
    int code = SQLITE_DONE;
    bool ok = q != NULL;

    *found = false;
    while (ok && !*found && r->s->look_ups_left > 0 && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct local_clock clock = {.actor = (uint32_t)sqlite3_column_int64(q, 0),
                                    .number = (uint64_t)sqlite3_column_int64(q, 1)};

        if (clock.number > l->actors[clock.actor - 1].merged || behind_saw(r, gid, &clock) != saw)
            continue;
        r->s->look_ups_left--;
        ok = read_pairs(l, value_of_column(q, 2).bytes, stands, &pairs, e);
        *found = has(&pairs, gid);
    }
    free(pairs.all);
    sqlite3_finalize(q);
    return ok && (code == SQLITE_ROW || code == SQLITE_DONE || ledger_err(l, "read the log", e));
}

/* The other one may have been deleted there, or have come later: then only who said that they are
 * one tells. */
bool behind_apart(struct recovery *r, int64_t gid, bool *apart, struct err *e)
{
    struct ledger *l = &r->s->ledger;
    bool of_several, before = false;
    int64_t stands;

    *apart = false;
    if (!l->aliases)
        return true;
    if (!ledger_stands(l, gid, &stands, e) || !stands_beside(l, gid, stands, apart, &of_several, e))
        return false;
    if (*apart || !of_several)
        return true;
    if (!find_unite(r, gid, stands, false, apart, e) ||
        (*apart && !find_unite(r, gid, stands, true, &before, e)))
        return false;
    *apart &= !before;
    return true;
}

bool behind_alone(struct recovery *r, int64_t gid, bool *alone, struct err *e)
{
    struct ledger *l = &r->s->ledger;
    bool beside, of_several = false;
    int64_t stands;

    if (l->aliases && (!ledger_stands(l, gid, &stands, e) ||
                       !stands_beside(l, gid, stands, &beside, &of_several, e)))
        return false;
    *alone = !of_several;
    return true;
}

/* ---- which rows it was ---- */

/* All rows that hang together with the first of `names` by these pairs. */
static void follow_pairs(const struct gids *pairs, struct gids *names)
{
    for (uint32_t at = 0; at < names->n; at++)
        for (uint32_t i = 0; i < pairs->n; i++)
            if (pairs->all[i] == names->all[at] && !has(names, pairs->all[i ^ 1]))
                add(names, pairs->all[i ^ 1]);
}

/* What the row was one with when the file held it, as far as anybody had said so. `known` false:
 * that is too far back. */
static bool find_names(struct search *f, bool *known, struct err *e)
{
    struct store *s = f->r->s;
    sqlite3_stmt *q = ledger_prepare(
        &s->ledger, "SELECT actor, number, bytes FROM changeset ORDER BY stamp DESC", e);
    struct gids pairs = {0};
    int code = SQLITE_DONE;
    int64_t stands;
    bool ok = q != NULL && ledger_stands(&s->ledger, f->gid, &stands, e);

    *known = true;
    add(&f->names, f->gid);
    while (ok && *known && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct local_clock clock = {.actor = (uint32_t)sqlite3_column_int64(q, 0),
                                    .number = (uint64_t)sqlite3_column_int64(q, 1)};

        if (!behind_saw(f->r, f->gid, &clock))
            continue;
        *known = s->look_ups_left > 0;
        s->look_ups_left -= *known;
        ok = !*known || read_pairs(&s->ledger, value_of_column(q, 2).bytes, stands, &pairs, e);
    }
    sqlite3_finalize(q);
    follow_pairs(&pairs, &f->names);
    free(pairs.all);
    return ok &&
           (code == SQLITE_ROW || code == SQLITE_DONE || ledger_err(&s->ledger, "read the log", e));
}

/* ---- what was written ---- */

/* By the name `gid` of the row. */
static void take_seen(struct search *f, const struct reading *in, int64_t gid,
                      const struct body_counter *c)
{
    f->seen_n = 0;
    f->seen = record_alloc(&f->r->shadow, (c->seen_n + 1) * sizeof *f->seen);
    for (uint32_t i = 0; i < c->seen_n; i++) {
        const int64_t of = c->seen[i].row.counter == 0 ? gid : reading_gid(in, c->seen[i].row);

        if (has(&f->names, of))
            f->seen[f->seen_n++] = (struct total){.gid = of,
                                                  .actor = in->actors[c->seen[i].actor],
                                                  .seen_number = c->seen[i].number,
                                                  .seen = c->seen[i].total};
    }
}

/* Cell i of the row that is read. */
static void take_cell(struct search *f, const struct reading *in, uint32_t actor, uint32_t i)
{
    const struct body_row *row = &in->body.row;
    const struct body_counter *c = NULL;
    struct cell cell = {.v = row->values[i],
                        .clock = {.actor = actor,
                                  .number = in->h.number,
                                  .stamp = row->stamp,
                                  .row = reading_gid(in, row->gid)},
                        .set = true};

    for (uint32_t k = 0; k < row->counter_n; k++)
        c = row->counters[k].cell == i ? &row->counters[k] : c;
    if (c != NULL && c->delta)
        return;
    if (row->op == CHANGE_REPAIR) {
        cell.clock.actor = in->actors[row->with.actor];
        cell.clock.number = row->with.counter;
    }
    if (cell.v.type == VALUE_REF)
        cell.v.ref.actor = in->actors[cell.v.ref.actor];
    ledger_stamp_clock(&f->r->s->ledger, &cell.clock);
    if (f->found && ledger_cell_compare(&f->r->s->ledger, 0, &cell, &f->cell) <= 0)
        return;
    f->found = true;
    cell.v = arena_value(&f->r->arena, &cell.v);
    f->cell = cell;
    f->seen_n = 0;
    if (c != NULL)
        take_seen(f, in, reading_gid(in, row->gid), c);
}

static bool look_into(struct search *f, uint32_t actor, struct slice bytes, struct err *e)
{
    struct ledger *l = &f->r->s->ledger;
    struct reading in;
    bool ok = reading_open(&in, l, bytes, e);

    while (ok && body_next_table(&in.body)) {
        ok = reading_table(&in, l, e);
        while (ok && body_next_row(&in.body)) {
            const struct body_row *row = &in.body.row;

            if (in.table->id != f->table || !has(&f->names, reading_gid(&in, row->gid)))
                continue;
            for (uint32_t i = 0; i < row->n; i++)
                if (in.positions[row->columns[i]] == f->position)
                    take_cell(f, &in, actor, i);
        }
    }
    ok = ok && body_read_end(&in.body);
    reading_close(&in);
    return ok;
}

/* No row in a change-set is later than its header. `known` false: it is too far back. */
static bool search(struct search *f, bool *known, struct err *e)
{
    struct store *s = f->r->s;
    sqlite3_stmt *q = ledger_prepare(
        &s->ledger, "SELECT actor, number, stamp, bytes FROM changeset ORDER BY stamp DESC", e);
    int code = SQLITE_DONE;
    bool ok = q != NULL;

    *known = true;
    while (ok && *known && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct local_clock clock = {.actor = (uint32_t)sqlite3_column_int64(q, 0),
                                    .number = (uint64_t)sqlite3_column_int64(q, 1)};

        if (f->found && (uint64_t)sqlite3_column_int64(q, 2) < f->cell.clock.stamp)
            break;
        if (!behind_saw(f->r, f->gid, &clock))
            continue;
        *known = s->look_ups_left > 0;
        s->look_ups_left -= *known;
        ok = !*known || look_into(f, clock.actor, value_of_column(q, 3).bytes, e);
    }
    sqlite3_finalize(q);
    *known &= f->found;
    return ok &&
           (code == SQLITE_ROW || code == SQLITE_DONE || ledger_err(&s->ledger, "read the log", e));
}

/* ---- a counter ---- */

/* What had been added, by the names of this row. */
static bool add_totals(struct search *f, const struct cell *have, bool *known, struct err *e)
{
    struct record *shadow = &f->r->shadow;
    struct total *totals = counter_totals(shadow, have->counter->n + f->seen_n);
    uint32_t n = 0;

    for (uint32_t i = 0; *known && i < have->counter->n; i++) {
        struct total *t = &totals[n];

        if (!has(&f->names, have->counter->totals[i].gid))
            continue;
        *t = have->counter->totals[i];
        t->seen_number = 0;
        if (!behind_total(f->r, f->gid, f->table, f->position, t, known, e))
            return false;
        for (uint32_t k = 0; k < f->seen_n; k++)
            if (f->seen[k].actor == t->actor && f->seen[k].gid == t->gid) {
                t->seen_number = f->seen[k].seen_number;
                t->seen = f->seen[k].seen;
            }
        n += t->number != 0;
    }
    if (n > 0)
        f->cell.counter = counter_of(shadow, &f->cell.v, totals, n);
    counter_show(shadow, &f->cell);
    return true;
}

bool behind_part(struct recovery *r, int64_t gid, uint32_t table, uint32_t position,
                 struct cell *at, bool *known, struct err *e)
{
    const struct cell *have = record_get(&r->rec, position);
    struct search f = {.r = r, .gid = gid, .table = table, .position = position};
    bool ok = find_names(&f, known, e) && (!*known || search(&f, known, e)) &&
              (!*known || have == NULL || have->counter == NULL || add_totals(&f, have, known, e));

    if (ok && *known)
        *at = f.cell;
    free(f.names.all);
    return ok;
}
