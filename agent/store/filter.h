/* A filter of rows: an SQL expression over the columns of one table. It is evaluated on one row at
 * a time, in a database of its own in memory: it sees nothing else and can change nothing. */
#ifndef NAVETTE_FILTER_H
#define NAVETTE_FILTER_H

#include "appdb.h"

struct filter;

/* ERR_INPUT with the reason: it is no expression, names what the table does not have, or uses more
 * than operators and the functions that give the same result whenever and wherever they run. `t` is
 * only looked at now. */
MUST_USE bool filter_open(struct filter **f, struct appdb *a, const struct app_table *t,
                          const char *where, struct err *e);
void filter_close(struct filter *f);
/* `values` by column, none a reference. What is neither true nor false does not match, nor does a
 * row that takes more than a row may: more than 64 KiB in the columns that the expression names, or
 * too long a search in them. That is counted, not timed, so it is the same whenever it is asked. */
MUST_USE bool filter_match(struct filter *f, const struct value *values, bool *match,
                           struct err *e);
/* Of the last row: was it such a one? */
bool filter_gave_up(const struct filter *f);
/* Of the last row: what it took, of which some 200 are a microsecond. */
uint64_t filter_steps(const struct filter *f);

#endif
