/* A file that went back, its counters: what a sum was there. A total says all that its actor has
 * ever added, so those that have grown since are looked up in the log as they were. */
#include "behind.h"

#include <sqlite3.h>

#include "counter.h"
#include "ledger_limits.h"
#include "reading.h"

/* Does this change-set say what its author had added to the cell? Then `t` becomes that. */
static bool look_into(struct recovery *r, struct slice bytes, uint32_t table, uint32_t position,
                      struct total *t, bool *says, struct err *e)
{
    struct ledger *l = &r->s->ledger;
    struct reading in;
    bool ok = reading_open(&in, l, bytes, e);

    while (ok && body_next_table(&in.body)) {
        ok = reading_table(&in, l, e);
        while (ok && body_next_row(&in.body))
            for (uint32_t i = 0; i < in.body.row.counter_n; i++) {
                const struct body_counter *c = &in.body.row.counters[i];

                if (!c->delta || in.table->id != table ||
                    reading_gid(&in, in.body.row.gid) != t->gid ||
                    in.positions[in.body.row.columns[c->cell]] != position)
                    continue;
                t->number = in.h.number;
                t->stamp = ledger_stamp(l, t->actor, in.h.number, in.body.row.stamp);
                t->total = c->total;
                t->form = c->form;
                *says = true;
            }
    }
    ok = ok && body_read_end(&in.body);
    reading_close(&in);
    return ok;
}

/* The total as the file had it. `known` false: it is too far back to be looked for. */
static bool total_at_fork(struct recovery *r, int64_t gid, uint32_t table, uint32_t position,
                          struct total *t, bool *known, struct err *e)
{
    struct local_clock clock = {.number = t->number, .actor = t->actor};
    bool says = false;

    if (t->number == 0 || behind_saw(r, gid, &clock))
        return true;
    t->number = 0;
    while (!says && *known && --clock.number > 0) {
        struct slice bytes;
        bool found;

        if (!behind_saw(r, gid, &clock))
            continue;
        *known = r->s->look_ups_left > 0;
        if (!*known)
            break;
        r->s->look_ups_left--;
        if (!ledger_changeset_get(&r->s->ledger, t->actor, clock.number, &bytes, &found, e))
            return false;
        if (found && !look_into(r, bytes, table, position, t, &says, e))
            return false;
    }
    return true;
}

/* What waits outside was not in the file, whatever had been applied. */
static bool is_parked(struct recovery *r, int64_t gid, bool *parked, struct err *e)
{
    struct ledger *l = &r->s->ledger;
    sqlite3_stmt *q = ledger_prepare(l, "SELECT 1 FROM due WHERE gid = ?1 AND why IS NOT NULL", e);
    int code;

    if (q == NULL)
        return false;
    sqlite3_bind_int64(q, 1, gid);
    code = sqlite3_step(q);
    *parked = code == SQLITE_ROW;
    sqlite3_finalize(q);
    return code == SQLITE_ROW || code == SQLITE_DONE || ledger_err(l, "look at what waits", e);
}

bool behind_sum(struct recovery *r, int64_t gid, uint32_t table, uint32_t position, struct cell *at,
                bool *known, struct err *e)
{
    const struct cell *have = record_get(&r->rec, position);
    struct total *totals;
    bool parked;
    uint32_t n = 0;

    *known = have != NULL && have->counter != NULL && behind_saw(r, gid, &have->clock);
    if (!*known)
        return true;
    if (!is_parked(r, gid, &parked, e))
        return false;
    *known = !parked;
    totals = counter_totals(&r->shadow, have->counter->n);
    for (uint32_t i = 0; *known && i < have->counter->n; i++) {
        totals[n] = have->counter->totals[i];
        if (!total_at_fork(r, gid, table, position, &totals[n], known, e))
            return false;
        n += totals[n].number != 0 || totals[n].seen_number != 0;
    }
    if (!*known)
        return true;
    *at = cell_plain(have);
    if (n > 0)
        at->counter = counter_of(&r->shadow, &at->v, totals, n);
    counter_show(&r->shadow, at);
    return true;
}
