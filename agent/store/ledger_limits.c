#include "ledger_limits.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "counter.h"
#include "ledger_kept.h"

/* Limits are a staircase: of an actor, they have rising numbers and rising stamps. Which is the
 * first of this number or a higher one? */
static uint32_t find_limit(const struct ledger_actor *a, uint64_t number)
{
    uint32_t from = 0, until = a->limit_n;

    while (from < until) {
        uint32_t middle = from + (until - from) / 2;

        if (a->limits[middle].number < number)
            from = middle + 1;
        else
            until = middle;
    }
    return from;
}

uint64_t ledger_stamp(const struct ledger *l, uint32_t actor, uint64_t number, uint64_t stamp)
{
    const struct ledger_actor *a;
    uint32_t i;

    if (actor == 0 || actor > l->actor_count)
        return stamp;
    a = &l->actors[actor - 1];
    i = find_limit(a, number);
    return i < a->limit_n && a->limits[i].stamp < stamp ? a->limits[i].stamp : stamp;
}

bool ledger_lower(const struct ledger *l, struct local_clock *c, uint64_t *lowest)
{
    uint64_t stamp = ledger_stamp(l, c->actor, c->number, c->stamp);
    bool late = stamp != c->stamp;

    if (late && lowest != NULL && stamp < *lowest)
        *lowest = stamp;
    c->stamp = stamp;
    return late;
}

bool ledger_stamp_clock(const struct ledger *l, struct local_clock *c)
{
    return ledger_lower(l, c, NULL);
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

bool ledger_stamps(const struct ledger *l, struct record *r, uint64_t *lowest)
{
    bool late = r->dead.number != 0 && ledger_lower(l, &r->dead, lowest);

    for (uint32_t i = 0; i < r->n; i++) {
        struct cell *c = &r->cells[i];

        if (c->set)
            late |= ledger_lower(l, &c->clock, lowest);
        if (c->counter != NULL) /* which total counts is not a matter of stamps */
            late |= limit_totals(l, r, c);
    }
    return late;
}

/* In place of those that say nothing beside it: of lower numbers, and no earlier. `above` is the
 * least of their numbers, or its own. False: it says nothing new itself. */
static bool insert(struct ledger_actor *a, const struct ledger_limit *one, uint64_t *above)
{
    uint32_t end = find_limit(a, one->number), begin;

    if (end < a->limit_n && a->limits[end].stamp <= one->stamp)
        return false;
    if (end < a->limit_n && a->limits[end].number == one->number)
        end++;
    for (begin = end; begin > 0 && a->limits[begin - 1].stamp >= one->stamp;)
        begin--;
    *above = begin < end ? a->limits[begin].number : one->number;
    if (a->limit_n == a->limit_room) {
        a->limit_room = a->limit_room * 2 + 4;
        a->limits = mem_grow(a->limits, a->limit_room * sizeof *a->limits);
    }
    if (end < a->limit_n)
        memmove(&a->limits[begin + 1], &a->limits[end], (a->limit_n - end) * sizeof *a->limits);
    a->limit_n = a->limit_n - (end - begin) + 1;
    a->limits[begin] = *one;
    return true;
}

/* One statement about a limit. */
static bool run(struct ledger *l, const char *sql, uint32_t actor, uint64_t number, uint64_t other,
                struct err *e)
{
    sqlite3_stmt *q = ledger_kept(l, sql, e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, actor);
    sqlite3_bind_int64(q, 2, (int64_t)number);
    sqlite3_bind_int64(q, 3, (int64_t)other);
    code = sqlite3_step(q);
    ledger_done(l, q);
    return code == SQLITE_DONE || ledger_err(l, "note a correction", e);
}

/* Has a part of its chain gone from the log, or been laid aside? Rows hold what that said. */
static bool is_held_by_rows(struct ledger *l, uint32_t actor, bool *held, struct err *e)
{
    sqlite3_stmt *q = ledger_kept(l, "SELECT 1 FROM repeated WHERE actor = ?1 LIMIT 1", e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, actor);
    code = sqlite3_step(q);
    *held = code == SQLITE_ROW || l->aside == actor;
    ledger_done(l, q);
    return code == SQLITE_ROW || code == SQLITE_DONE ||
           ledger_err(l, "read what was said again", e);
}

/* `news` false: all that it says goes already, also for what is said again. */
static bool limit_one(struct ledger *l, uint32_t actor, const struct ledger_limit *one, bool *news,
                      struct err *e)
{
    struct ledger_actor *a = &l->actors[actor - 1];
    uint64_t above;
    bool held;

    *news = insert(a, one, &above);
    if (!*news)
        return true;
    if (!is_held_by_rows(l, actor, &held, e))
        return false;
    l->outdated |= held || a->latest > one->stamp;
    return run(l, "DELETE FROM correction WHERE actor = ?1 AND number BETWEEN ?2 AND ?3", actor,
               above, one->number, e) &&
           run(l, "INSERT INTO correction VALUES (?1, ?2, ?3)", actor, one->number, one->stamp, e);
}

/* What an actor has said, up to a number. */
struct said_upto {
    uint32_t actor;
    uint64_t number;
};

/* Up to which number of `actor` does this say it again? 0: it does not. */
static bool said_again(struct ledger *l, const struct said_upto *by, uint32_t actor,
                       uint64_t *number, struct err *e)
{
    sqlite3_stmt *q = ledger_kept(l,
                                  "SELECT until FROM repeated WHERE by_actor = ?1 AND actor = ?2"
                                  " AND by_number <= ?3 ORDER BY by_number DESC LIMIT 1",
                                  e);
    int code;

    *number = 0;
    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, by->actor);
    sqlite3_bind_int64(q, 2, actor);
    sqlite3_bind_int64(q, 3, (int64_t)by->number);
    code = sqlite3_step(q);
    if (code == SQLITE_ROW)
        *number = (uint64_t)sqlite3_column_int64(q, 0);
    ledger_done(l, q);
    return code == SQLITE_ROW || code == SQLITE_DONE ||
           ledger_err(l, "read what was said again", e);
}

/* Nobody's chains lead through more of his own than there are actors, unless he made them so. */
static bool add_said_again(struct ledger *l, struct said_upto *list, uint32_t *n, uint32_t at,
                           struct err *e)
{
    struct site_id site = actor_site(&l->actors[list[at].actor - 1].actor);

    for (uint32_t a = 1; a <= l->actor_count && *n < ACTORS_MAX; a++) {
        uint64_t number;

        if (!actor_is_of(&l->actors[a - 1].actor, &site))
            continue;
        if (!said_again(l, &list[at], a, &number, e))
            return false;
        if (number > 0)
            list[(*n)++] = (struct said_upto){a, number};
    }
    return true;
}

/* Itself, what it says again (fork.h), and so on: rows still know that by its old name. */
bool ledger_limit(struct ledger *l, uint32_t actor, uint64_t number, uint64_t stamp, struct err *e)
{
    struct said_upto *list = mem_alloc(ACTORS_MAX * sizeof *list);
    uint32_t n = 1;
    bool ok = true, news;

    list[0] = (struct said_upto){actor, number};
    for (uint32_t i = 0; ok && i < n; i++) {
        ok = limit_one(l, list[i].actor, &(struct ledger_limit){list[i].number, stamp}, &news, e) &&
             (!news || add_said_again(l, list, &n, i, e));
    }
    free(list);
    return ok;
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
        l, "SELECT number, stamp FROM changeset WHERE actor = ?1 AND number <= ?2", e);
    int code = SQLITE_DONE;

    *latest = 0;
    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, actor);
    sqlite3_bind_int64(q, 2, (int64_t)l->actors[actor - 1].merged);
    while ((code = sqlite3_step(q)) == SQLITE_ROW) {
        uint64_t stamp = ledger_stamp(l, actor, (uint64_t)sqlite3_column_int64(q, 0),
                                      (uint64_t)sqlite3_column_int64(q, 1));

        if (stamp <= below && stamp > *latest)
            *latest = stamp;
    }
    sqlite3_finalize(q);
    return code == SQLITE_DONE || ledger_err(l, "read the log", e);
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
        uint64_t above;

        if (actor >= 1 && actor <= l->actor_count)
            insert(&l->actors[actor - 1], &one, &above);
    }
    sqlite3_finalize(q);
    return q != NULL && (code == SQLITE_DONE || ledger_err(l, "read the corrections", e));
}
