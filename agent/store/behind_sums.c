/* A file that went back, its counters: what a sum was there. A total says all that its actor has
 * ever added, so those that have grown since are looked up in the log as they were. */
#include "behind.h"

#include <sqlite3.h>

#include "bind.h"
#include "counter.h"
#include "reading.h"

bool behind_total(struct recovery *r, int64_t gid, uint32_t table, uint32_t position,
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
        if (found && !reading_total(&r->s->ledger, bytes, table, position, t, &says, e))
            return false;
    }
    return true;
}

/* What waits outside now may have waited at the fork already, whatever had been applied then. (What
 * is kept for others stands in the file.) */
static bool is_parked(struct recovery *r, int64_t gid, bool *parked, struct err *e)
{
    struct ledger *l = &r->s->ledger;
    sqlite3_stmt *q =
        ledger_prepare(l, "SELECT 1 FROM due WHERE gid = ?1 AND why IS NOT NULL AND kept = 0", e);
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
    bool parked, others = false;
    uint32_t n = 0;

    *known = have != NULL && have->counter != NULL && behind_saw(r, gid, &have->clock);
    if (!*known)
        return true;
    totals = counter_totals(&r->shadow, have->counter->n);
    for (uint32_t i = 0; *known && i < have->counter->n; i++) {
        totals[n] = have->counter->totals[i];
        if (!behind_total(r, gid, table, position, &totals[n], known, e))
            return false;
        others |= totals[n].number != 0 && !ledger_is_ours(&r->s->ledger, totals[n].actor);
        n += totals[n].number != 0 || totals[n].seen_number != 0;
    }
    if (!is_parked(r, gid, &parked, e))
        return false;
    *known &= !parked || !others;
    if (!*known)
        return true;
    *at = cell_plain(have);
    if (n > 0)
        at->counter = counter_of(&r->shadow, &at->v, totals, n);
    counter_show(&r->shadow, at);
    return true;
}

void behind_added(struct recovery *r, int64_t gid, uint32_t position, struct cell *at, bool *known)
{
    const struct counter *k = position < r->rec.n ? r->rec.cells[position].counter : NULL;
    struct total *totals = k == NULL ? NULL : counter_totals(&r->shadow, k->n);
    uint32_t n = 0;

    for (uint32_t i = 0; k != NULL && i < k->n; i++) {
        struct local_clock said = {.number = k->totals[i].number, .actor = k->totals[i].actor};

        if (said.number != 0 && behind_saw(r, gid, &said))
            totals[n++] = k->totals[i];
    }
    *known = n > 0;
    if (!*known)
        return;
    *at = (struct cell){.v = {.type = VALUE_NULL}, .set = true};
    at->counter = counter_of(&r->shadow, &at->v, totals, n);
    counter_show(&r->shadow, at);
}

bool behind_set(struct recovery *r, int64_t gid, uint32_t table, uint32_t position, struct cell *at,
                bool *known, struct err *e)
{
    struct decimal number;
    struct cell set;
    uint8_t form;
    bool parked, alone;

    *known = decimal_of_value(&at->v, &number, &form) && !bind_is_out(r->s, table);
    if (!*known)
        return true;
    if (!is_parked(r, gid, &parked, e) || !behind_alone(r, gid, &alone, e))
        return false;
    *known = alone && !parked;
    if (*known && !behind_part(r, gid, table, position, &set, known, e))
        return false;
    *known = *known && decimal_of_value(&set.v, &number, &form);
    if (*known)
        *at = set;
    return true;
}
