/* Merging anew. An author whose clock had run ahead has corrected its stamps (ledger_limits.h), and
 * we had merged what it said: we are that author, or our own clock was as wrong, or its time had
 * come. What its writes beat then may win now. So where a row holds a stamp that does not count any
 * more, it gets the one that does, and what the log has that is no earlier is merged once more.
 * What the file shows of such rows stays on record, and they are due. */
#ifndef NAVETTE_REMERGE_H
#define NAVETTE_REMERGE_H

#include "inside.h"

#define REMERGE_SLICE 5000 /* rows read in one call, some 10 ms; to merge one counts as 16 */

/* Is it possible now? Not while a batch is under way, nor while we say something again as another
 * actor: then rows hold what the log has not. */
bool remerge_may(const struct store *s);
/* Do it, inside a ledger transaction. Our clock, too, becomes what the log makes of it. */
MUST_USE bool remerge(struct store *s, uint64_t now_ms, struct err *e);
/* Begin to do it, in a transaction of its own, if there is reason (ledger.outdated) and it is
 * possible. Others may give reason for it as often as they like, and for reading the whole log: the
 * more there was to do, the longer the next one waits. It is done in slices; while it is under way
 * rows are not to be looked at, nor is anything to be staged. Another transaction takes its place,
 * as if it had not begun (so does a crash); then it is done in one go the next time. */
MUST_USE bool remerge_if_due(struct store *s, uint64_t now_ms, struct err *e);
bool remerge_is_under_way(const struct store *s);
/* ERR_BUSY. Returns false. */
bool remerge_busy(struct err *e);
/* When it is: the next slice. */
MUST_USE bool remerge_step(struct store *s, uint64_t now_ms, struct err *e);
/* Forget what is under way; the store closes. */
void remerge_drop(struct store *s);

#endif
