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
/* `values` by column, none a reference. What is neither true nor false does not match. */
MUST_USE bool filter_match(struct filter *f, const struct value *values, bool *match,
                           struct err *e);

#endif
