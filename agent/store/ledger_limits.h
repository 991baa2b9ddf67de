/* Limits of stamps. An author whose clock had run ahead says so when it is right again
 * (changeset.h, `corrects`): what it had said up to some change-set counts as said at some stamp at
 * the latest. So every stamp that comes from the log into the logical state, and every stamp that
 * is compared with one of those, goes through ledger_stamp. What was merged before the correction
 * came is merged anew (remerge.h). */
#ifndef NAVETTE_LEDGER_LIMITS_H
#define NAVETTE_LEDGER_LIMITS_H

#include "ledger.h"

struct ledger_limit {
    uint64_t number; /* change-sets up to this one... */
    uint64_t stamp;  /* ...are no later than this */
};

/* An actor's limits are kept as a staircase: one that another one of a number as high and of no
 * later stamp makes useless goes. So they are what they are in whatever order corrections come, and
 * looked up by bisection; there are never more of them than change-sets that correct. */

/* The stamp of a write, in this change-set of `actor`, as it counts. */
uint64_t ledger_stamp(const struct ledger *l, uint32_t actor, uint64_t number, uint64_t stamp);
/* A clock as it counts. True: it did not. */
bool ledger_stamp_clock(const struct ledger *l, struct local_clock *c);
/* The same; if it did not and is earlier than `lowest` now, that becomes its stamp. */
bool ledger_lower(const struct ledger *l, struct local_clock *c, uint64_t *lowest);
/* All of a record likewise. `lowest` may be NULL. */
bool ledger_stamps(const struct ledger *l, struct record *r, uint64_t *lowest);

/* Inside a transaction: a limit for the change-sets of `actor` up to `number`. If something that is
 * merged was later, l->outdated says so. */
MUST_USE bool ledger_limit(struct ledger *l, uint32_t actor, uint64_t number, uint64_t stamp,
                           struct err *e);
/* The same for what `by` says again (fork.h), if that has a limit. */
MUST_USE bool ledger_limit_repeated(struct ledger *l, uint32_t actor, uint64_t number, uint32_t by,
                                    uint64_t by_number, struct err *e);
/* The latest stamp, no later than `below`, of what is merged of an actor, from the log. */
MUST_USE bool ledger_latest(struct ledger *l, uint32_t actor, uint64_t below, uint64_t *latest,
                            struct err *e);
/* Read them, after the ledger was opened or rolled back. */
MUST_USE bool ledger_limits_load(struct ledger *l, struct err *e);

#endif
