/* A fleet in which article codes mean one thing. */
#ifndef NAVETTE_TESTS_CODES_H
#define NAVETTE_TESTS_CODES_H

#include "unit/rules_of.h"

/* Its rule, in the roster of `s`, which has not had it. */
static inline void merge_codes(struct site *s)
{
    char *columns[] = {(char[]){"code"}};
    struct rule_change rule = {.set = true,
                               .rule = {.kind = RULE_MERGE,
                                        .table = (char[]){"article"},
                                        .columns = columns,
                                        .column_count = 1}};
    struct err e = {0};
    bool changed;

    check(roster_rules(&s->roster, &rule, 1, &s->keys, &changed, &e), &e);
    assert_true(changed);
}

#endif
