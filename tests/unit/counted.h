/* PCs that count what they sell. */
#ifndef NAVETTE_TEST_COUNTED_H
#define NAVETTE_TEST_COUNTED_H

#include "rules_of.h"
#include "sites.h"

/* `columns`: TABLE.COLUMN, as make_counters takes them. */
static inline void open_counting_pair(struct site *a, struct site *b, const char *schema,
                                      const char *columns)
{
    open_pair(a, b, schema, schema);
    make_counters(a, columns, true);
    share_rules(a, b);
}

static inline void join_third(struct site *a, struct site *b, struct site *c, const char *schema)
{
    *c = (struct site){0};
    join_site(a, c, "C", schema);
    share_rules(a, b); /* the roster, that is: b hears of c */
}

#endif
