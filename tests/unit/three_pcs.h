/* Three PCs that know each other. */
#ifndef NAVETTE_TEST_THREE_PCS_H
#define NAVETTE_TEST_THREE_PCS_H

#include "counted.h"

static inline void open_three(struct site *a, struct site *b, struct site *c, const char *schema)
{
    open_pair(a, b, schema, schema);
    join_third(a, b, c, schema);
}

static inline void meet_three(struct site *a, struct site *b, struct site *c)
{
    for (int i = 0; i < 2; i++) {
        exchange(a, b);
        exchange(b, c);
        exchange(a, c);
    }
}

#endif
