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

/* So many shops with the same schema; codes `merges` or not. */
static inline void open_coded(struct site *s, int n, const char *schema, bool merges)
{
    static const char *const names[] = {"A", "B", "C"};

    memset(s, 0, (size_t)n * sizeof *s);
    open_founder(&s[0], schema);
    if (merges)
        merge_codes(&s[0]);
    for (int i = 1; i < n; i++)
        join_site(&s[0], &s[i], names[i], schema);
    for (int i = 1; i < n; i++)
        share_rules(&s[0], &s[i]);
}

static inline void close_coded(struct site *s, int n)
{
    for (int i = 0; i < n; i++)
        close_site(&s[i]);
}

/* Everywhere, and nothing waits. */
static inline void expect_all(struct site *s, int n, const char *text, const char *answer)
{
    for (int i = 0; i < n; i++) {
        expect(&s[i], text, answer);
        assert_int_equal(status_of(&s[i]).parked, 0);
    }
}

#endif
