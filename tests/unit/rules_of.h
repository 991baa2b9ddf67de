/* Rules for the tests of whole stores (sites.h). */
#ifndef NAVETTE_TEST_RULES_OF_H
#define NAVETTE_TEST_RULES_OF_H

#include "sites.h"

/* `columns`: TABLE.COLUMN, several with a space between them. The site's roster says that they are
 * counters, or that they are not any more. */
static inline void make_counters(struct site *s, const char *columns, bool counters)
{
    struct err e = {0};

    while (*columns != '\0') {
        struct rule_change change = {.rule = {.kind = RULE_COUNTER}, .set = counters};
        size_t n = strcspn(columns, " ");
        char one[128];
        bool changed;

        snprintf(one, sizeof one, "%.*s", (int)n, columns);
        check(rule_target_parse(&change.rule, one, &e), &e);
        check(roster_rules(&s->roster, &change, 1, &s->keys, &changed, &e), &e);
        assert_true(changed);
        rule_close(&change.rule);
        columns += n + (columns[n] == ' ');
    }
}

/* `b` hears of the rules that `a` knows. */
static inline void share_rules(struct site *a, struct site *b)
{
    struct err e = {0};
    bool changed;

    check(roster_merge(&b->roster, buf_slice(&a->roster.log), &changed, &e), &e);
}

#endif
