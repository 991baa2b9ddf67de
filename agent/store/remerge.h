/* Merging anew. An author whose clock had run ahead has corrected its stamps (ledger_limits.h), and
 * we had merged what it said: we are that author, or our own clock was as wrong, or its time had
 * come. What its writes beat then may win now. So rows that hold a stamp which does not count any
 * more are emptied, and all that the log says of them is merged once more. What the file shows of
 * them stays on record, and they are due. */
#ifndef NAVETTE_REMERGE_H
#define NAVETTE_REMERGE_H

#include "inside.h"

/* Is it possible now? Not while a batch is under way, nor while something is being said again as
 * another actor: then rows hold what the log has not. */
MUST_USE bool remerge_may(struct store *s, bool *may, struct err *e);
/* Do it, inside a ledger transaction. Our clock, too, becomes what the log makes of it. */
MUST_USE bool remerge(struct store *s, uint64_t now_ms, struct err *e);
/* The same, a transaction of its own, if there is reason (ledger.outdated), it is possible, and the
 * last one was not just now: it reads the
 * whole log, and others may give reason for it as often as they like. */
MUST_USE bool remerge_if_due(struct store *s, uint64_t now_ms, struct err *e);

#endif
