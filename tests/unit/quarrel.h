/* A shop whose admins quarrel: who is in it, for the tests of what counts. */
#ifndef NAVETTE_TEST_QUARREL_H
#define NAVETTE_TEST_QUARREL_H

#include "../../protocol/entry.h"

#include "shop.h"

#define PCS 6

/* A founder and two members, everybody an admin. */
struct shop {
    struct keys k[PCS];
    struct roster r;
};

static inline void shop_open(struct shop *s)
{
    struct err e = {0};

    for (int i = 0; i < PCS; i++)
        s->k[i] = keys_counting_from((uint8_t)(32 * i));
    s->r = (struct roster){0};
    assert_true(roster_create(&s->r, "Boutique", "A", &s->k[0], &e));
    enrol(&s->r, &s->k[1], "B", &s->k[0]);
    enrol(&s->r, &s->k[2], "C", &s->k[1]);
}

static inline void merge(struct roster *into, const struct roster *from)
{
    struct err e = {0};
    bool changed;

    assert_true(roster_merge(into, buf_slice(&from->log), &changed, &e));
}

static inline struct actor actor_of(const struct keys *k, uint8_t incarnation)
{
    struct actor a = {{0}};

    memcpy(&a, &k->site, sizeof k->site);
    ((uint8_t *)&a)[sizeof a - 1] = incarnation;
    return a;
}

#endif
