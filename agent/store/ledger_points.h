/* Points: where the ledger and the application's file stood together, and what was drained between
 * them, so that a file that goes back is known again. Written in the ledger's transactions. */
#ifndef NAVETTE_LEDGER_POINTS_H
#define NAVETTE_LEDGER_POINTS_H

#include "ledger.h"

/* A mark is drained with this transaction: goes into the next point, so that a file that went back
 * does not pass for one in which the application wrote it again. */
void ledger_mark_drained(struct ledger *l, int64_t id, double julian_day);
/* A row that more than one of those marks touched: `born` by that one (0: it is older), `last` by
 * that one. */
MUST_USE bool ledger_fate(struct ledger *l, int64_t gid, int64_t born, int64_t last, struct err *e);
/* Remember where the two files stand now: in every transaction that changes which rows are in the
 * file or under which key. Some POINTS_KEPT are kept. */
#define POINTS_KEPT    10000
#define POINTS_TRIMMED 256
MUST_USE bool ledger_point(struct ledger *l, struct err *e);
/* Points to come say that the file holds no more than these change-sets; NULL: all that is applied.
 */
MUST_USE bool ledger_holds(struct ledger *l, const struct vector *holds, struct err *e);
/* They say so again, if nothing that the file lost is due any more. */
MUST_USE bool ledger_holds_all(struct ledger *l, struct err *e);
MUST_USE bool ledger_holds_load(struct ledger *l, struct err *e);

#endif
