#include "ledger_limits.h"

#include <sqlite3.h>

#include "appdb.h"
#include "counter.h"

uint64_t ledger_stamp(const struct ledger *l, uint32_t actor, uint64_t number, uint64_t stamp)
{
    const struct ledger_actor *a;

    if (actor == 0 || actor > l->actor_count)
        return stamp;
    a = &l->actors[actor - 1];
    for (uint32_t i = 0; i < a->limit_n; i++) /* of rising numbers, and rising stamps */
        if (number <= a->limits[i].number)
            return stamp < a->limits[i].stamp ? stamp : a->limits[i].stamp;
    return stamp;
}

bool ledger_stamp_clock(const struct ledger *l, struct local_clock *c)
{
    uint64_t stamp = ledger_stamp(l, c->actor, c->number, c->stamp);
    bool late = stamp != c->stamp;

    c->stamp = stamp;
    return late;
}

static bool limit_totals(const struct ledger *l, struct record *r, struct cell *c)
{
    const struct counter *k = c->counter;
    struct total *totals;
    bool late = false;

    for (uint32_t i = 0; i < k->n && !late; i++)
        late = ledger_stamp(l, k->totals[i].actor, k->totals[i].number, k->totals[i].stamp) !=
               k->totals[i].stamp;
    if (!late)
        return false;
    totals = counter_totals(r, k->n);
    for (uint32_t i = 0; i < k->n; i++) {
        totals[i] = k->totals[i];
        totals[i].stamp = ledger_stamp(l, totals[i].actor, totals[i].number, totals[i].stamp);
    }
    c->counter = counter_of(r, &k->base, totals, k->n);
    counter_show(r, c);
    return true;
}

bool ledger_stamps(const struct ledger *l, struct record *r)
{
    bool late = r->dead.number != 0 && ledger_stamp_clock(l, &r->dead);

    for (uint32_t i = 0; i < r->n; i++) {
        struct cell *c = &r->cells[i];

        if (c->set)
            late |= ledger_stamp_clock(l, &c->clock);
        if (c->counter != NULL)
            late |= limit_totals(l, r, c);
    }
    return late;
}

/* What this one says already goes: numbers and stamps rise together. False: it says nothing new. */
static bool insert(struct ledger_actor *a, const struct ledger_limit *one)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < a->limit_n; i++)
        if (a->limits[i].number >= one->number && a->limits[i].stamp <= one->stamp)
            return false;
    for (uint32_t i = 0; i < a->limit_n; i++)
        if (a->limits[i].number > one->number || a->limits[i].stamp < one->stamp)
            a->limits[n++] = a->limits[i];
    a->limits = mem_grow(a->limits, (n + 1) * sizeof *a->limits);
    a->limit_n = n + 1;
    while (n > 0 && a->limits[n - 1].number > one->number) {
        a->limits[n] = a->limits[n - 1];
        n--;
    }
    a->limits[n] = *one;
    return true;
}

/* One statement about a limit. */
static bool run(struct ledger *l, const char *sql, uint32_t actor, const struct ledger_limit *one,
                struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(l, sql, e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, actor);
    sqlite3_bind_int64(q, 2, (int64_t)one->number);
    sqlite3_bind_int64(q, 3, (int64_t)one->stamp);
    code = sqlite3_step(q);
    sqlite3_finalize(q);
    return code == SQLITE_DONE || ledger_err(l, "note a correction", e);
}

static bool limit_one(struct ledger *l, uint32_t actor, const struct ledger_limit *one,
                      struct err *e)
{
    struct ledger_actor *a = &l->actors[actor - 1];

    if (!insert(a, one))
        return true;
    l->outdated |= a->latest > one->stamp;
    return run(l, "DELETE FROM correction WHERE actor = ?1 AND number <= ?2 AND stamp >= ?3", actor,
               one, e) &&
           run(l, "INSERT INTO correction VALUES (?1, ?2, ?3)", actor, one, e);
}

/* Itself, what it says again (fork.h), and so on: rows still know that by its old name. */
#define SAID_AGAIN                                                                                 \
    "WITH RECURSIVE said(actor, number) AS (VALUES (?1, ?2) UNION"                                 \
    " SELECT r.actor, r.number FROM repeated r JOIN said s"                                        \
    " ON r.by_actor = s.actor AND r.by_number <= s.number)"                                        \
    " SELECT actor, max(number) FROM said GROUP BY actor"

bool ledger_limit(struct ledger *l, uint32_t actor, uint64_t number, uint64_t stamp, struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(l, SAID_AGAIN, e);
    int code = SQLITE_DONE;
    bool ok = q != NULL;

    if (ok) {
        sqlite3_bind_int64(q, 1, actor);
        sqlite3_bind_int64(q, 2, (int64_t)number);
    }
    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct ledger_limit one = {(uint64_t)sqlite3_column_int64(q, 1), stamp};

        ok = limit_one(l, (uint32_t)sqlite3_column_int64(q, 0), &one, e);
    }
    sqlite3_finalize(q);
    return ok && (code == SQLITE_DONE || ledger_err(l, "read what was said again", e));
}

bool ledger_limit_repeated(struct ledger *l, uint32_t actor, uint64_t number, uint32_t by,
                           uint64_t by_number, struct err *e)
{
    uint64_t stamp = ledger_stamp(l, by, by_number, UINT64_MAX);

    return stamp == UINT64_MAX || ledger_limit(l, actor, number, stamp, e);
}

bool ledger_latest(struct ledger *l, uint32_t actor, uint64_t below, uint64_t *latest,
                   struct err *e)
{
    sqlite3_stmt *q = ledger_prepare(
        l, "SELECT number, bytes FROM changeset WHERE actor = ?1 AND number <= ?2", e);
    int code = SQLITE_DONE;
    bool ok = q != NULL;

    *latest = 0;
    if (ok) {
        sqlite3_bind_int64(q, 1, actor);
        sqlite3_bind_int64(q, 2, (int64_t)l->actors[actor - 1].merged);
    }
    while (ok && (code = sqlite3_step(q)) == SQLITE_ROW) {
        struct changeset_header h;
        struct changeset c;
        uint64_t stamp;

        ok = changeset_open(&c, &h, value_of_column(q, 1).bytes, e);
        stamp = ledger_stamp(l, actor, (uint64_t)sqlite3_column_int64(q, 0), h.stamp);
        if (stamp <= below && stamp > *latest)
            *latest = stamp;
        changeset_header_close(&h);
    }
    sqlite3_finalize(q);
    return ok && (code == SQLITE_DONE || ledger_err(l, "read the log", e));
}

bool ledger_limits_load(struct ledger *l, struct err *e)
{
    sqlite3_stmt *q =
        ledger_prepare(l, "SELECT actor, number, stamp FROM correction ORDER BY actor, number", e);
    int code = SQLITE_DONE;

    while (q != NULL && (code = sqlite3_step(q)) == SQLITE_ROW) {
        int64_t actor = sqlite3_column_int64(q, 0);
        struct ledger_limit one = {(uint64_t)sqlite3_column_int64(q, 1),
                                   (uint64_t)sqlite3_column_int64(q, 2)};

        if (actor >= 1 && actor <= l->actor_count)
            insert(&l->actors[actor - 1], &one);
    }
    sqlite3_finalize(q);
    return q != NULL && (code == SQLITE_DONE || ledger_err(l, "read the corrections", e));
}
