/* A shop's roster and its members, for the tests of rosters and of their entries. */
#ifndef NAVETTE_TEST_SHOP_H
#define NAVETTE_TEST_SHOP_H

#include <navette/roster.h>

#include "golden.h"

static const uint8_t no_invite[ROSTER_INVITE_ID_BYTES];

static inline struct keys keys_counting_from(uint8_t first)
{
    struct keys k;
    uint8_t seed[KEY_BYTES];

    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)(first + i);
    keys_from_seed(&k, seed);
    return k;
}

static inline struct roster shop_of(const struct keys *k)
{
    struct roster r = {0};
    struct err e = {0};

    assert_true(roster_create(&r, "Boutique", "CAISSE01", k, &e));
    return r;
}

static inline void enrol(struct roster *r, const struct keys *who, const char *name,
                         const struct keys *by)
{
    char got[NAME_BYTES_MAX + 1];
    struct err e = {0};

    assert_true(
        roster_enrol(r, who->sign_public, who->exchange_public, name, no_invite, by, got, &e));
}

static inline struct roster copy_of(const struct roster *r)
{
    struct roster copy = {0};
    struct err e = {0};

    assert_true(roster_load(&copy, buf_slice(&r->log), &e));
    return copy;
}

#endif
