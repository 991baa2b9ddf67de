/* What is owed: a change-set that was drained a second time (again.h) adds to counters what is in
 * them already. When it is merged that is noted, and our present actor takes it off again.
 *
 * So it does not matter in which order and from how many PCs the first history comes, nor how often
 * the home goes back: what takes off has the times of the same marks, and is taken off in turn by
 * who drains them once more. */
#ifndef NAVETTE_OWE_H
#define NAVETTE_OWE_H

#include "counter.h"
#include "inside.h"

/* While one that was noted is merged, before the cell takes it in: what it adds is owed, unless all
 * that was said the second time of the row is its end... */
MUST_USE bool owe_added(struct store *s, const struct record *r, uint32_t position,
                        const struct total *t, struct err *e);
/* ...and so is what we have said of the same time, if it is a value, in which all of that is. */
MUST_USE bool owe_value(struct store *s, int64_t gid, const struct record *r, uint32_t position,
                        const struct cell *set, struct err *e);
/* Whenever the schema is read: what waits for a table or a column may have it now. */
MUST_USE bool owe_load(struct store *s, struct err *e);
/* Take off what is owed; a ledger transaction of its own. */
MUST_USE bool owe_pay(struct store *s, uint64_t now_ms, struct store_progress *p, struct err *e);

#endif
