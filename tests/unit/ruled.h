/* Rules for sites.h: set on one site, carried by hand to another. */
#ifndef NAVETTE_TESTS_RULED_H
#define NAVETTE_TESTS_RULED_H

#include "sites.h"

struct wish {
    const char *target;
    enum rule_kind kind;
    const char *argument, *where;
    const struct site *of; /* NULL: of all */
};

static inline struct rule_change change_of(const struct wish *w, bool set)
{
    struct rule_change c = {.set = set};
    struct err e = {0};

    check(rule_target_parse(&c.rule, w->target, &e), &e);
    c.rule.kind = w->kind;
    c.rule.argument = set && w->argument != NULL ? mem_text(w->argument) : NULL;
    c.rule.where = set && w->where != NULL ? mem_text(w->where) : NULL;
    c.rule.of_site = w->of != NULL;
    if (w->of != NULL)
        c.rule.site = w->of->keys.site;
    rule_sort(&c.rule);
    return c;
}

/* In the roster of `s`, whatever its database says of it. */
static inline void change_rule(struct site *s, struct wish w, bool set)
{
    struct rule_change c = change_of(&w, set);
    struct err e = {0};
    bool changed;

    check(roster_rules(&s->roster, &c, 1, &s->keys, &changed, &e), &e);
    rule_change_close(&c);
}

static inline void set_rule(struct site *s, struct wish w)
{
    change_rule(s, w, true);
}

static inline void unset_rule(struct site *s, struct wish w)
{
    change_rule(s, w, false);
}

/* Both get the other's entries. */
static inline void share_rosters(struct site *a, struct site *b)
{
    struct err e = {0};
    bool changed;

    check(roster_merge(&b->roster, buf_slice(&a->roster.log), &changed, &e), &e);
    check(roster_merge(&a->roster, buf_slice(&b->roster.log), &changed, &e), &e);
}

#endif
