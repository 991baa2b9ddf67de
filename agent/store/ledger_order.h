/* Which of two clocks, or of two cells, is the later one, and what that makes of a row
 * (protocol/README.md, What the rows mean): all sites order them alike, in whatever order they
 * hear of them. */
#ifndef NAVETTE_LEDGER_ORDER_H
#define NAVETTE_LEDGER_ORDER_H

#include "record.h"

struct ledger;

/* < 0, 0 or > 0: later stamp, then actor, then number. */
int ledger_clock_compare(const struct ledger *l, const struct local_clock *a,
                         const struct local_clock *b);
/* Two cells of one row, whose gid is `own`, or of a row that is to be one with it and says so in
 * its clocks. If both stamps are zero by their values first, then by their clocks; of equal ones
 * that of the row with the greater gid; of one row the longer text (a repair), then the greater
 * value. 0: one is the other. */
int ledger_cell_compare(const struct ledger *l, int64_t own, const struct cell *a,
                        const struct cell *b);
/* Is it one write, or a write and its repair? */
bool ledger_clock_same(int64_t own, const struct local_clock *a, const struct local_clock *b);
/* A record is alive when some cell is later than its delete. */
bool ledger_alive(const struct ledger *l, const struct record *r);

#endif
