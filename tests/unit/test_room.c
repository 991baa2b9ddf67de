/* How long an honest shop's roster lasts. (That nobody is kept in by filling it: test_quarrels.c.)
 */
#include <navette/roster.h>

#include <stdio.h>

#include "library.h"

#define PCS 50

static void make_keys(struct keys *k, uint8_t of)
{
    uint8_t seed[KEY_BYTES] = {of, 77};

    keys_from_seed(k, seed);
}

/* As a person does it: an invitation, and who comes with it. */
static void enrol(struct roster *r, uint8_t of, const struct keys *by)
{
    uint8_t id[ROSTER_INVITE_ID_BYTES] = {of, 1};
    char name[16], got[NAME_BYTES_MAX + 1];
    struct keys k;
    struct err e = {0};

    make_keys(&k, of);
    snprintf(name, sizeof name, "CAISSE%02u", of);
    assert_true(roster_invite(r, id, UINT64_C(1800000000000), by, &e));
    assert_true(roster_enrol(r, k.sign_public, k.exchange_public, name, id, by, got, &e));
}

static void rotate(struct roster *r, const struct keys *by)
{
    uint8_t key[KEY_BYTES];
    struct err e = {0};

    random_fill(key, sizeof key);
    assert_true(roster_seal(r, key, by, &e));
}

/* Of what is left, when so much goes every month. */
static size_t years_left(const struct roster *r, size_t bytes)
{
    return (ROSTER_ORDINARY_BYTES_MAX - r->log.n) / bytes / 12;
}

static void
a_shop_of_fifty_that_changes_its_key_or_a_pc_every_month_has_room_for_years(void **state)
{
    struct vector cut = {0};
    struct roster r = {0};
    struct keys founder, old;
    struct err e = {0};
    size_t before;

    (void)state;
    make_keys(&founder, 0);
    make_keys(&old, 1);
    assert_true(roster_create(&r, "Shop", "CAISSE00", &founder, &e));
    for (uint8_t i = 1; i < PCS; i++)
        enrol(&r, i, &founder);
    before = r.log.n;
    rotate(&r, &founder);
    assert_in_range(years_left(&r, r.log.n - before), 16, 17);

    before = r.log.n;
    assert_true(roster_revoke(&r, &old.site, &cut, &founder, &e));
    rotate(&r, &founder);
    enrol(&r, PCS, &founder);
    assert_in_range(years_left(&r, r.log.n - before), 14, 15);
    assert_int_equal(r.site_count, PCS);
    roster_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_shop_of_fifty_that_changes_its_key_or_a_pc_every_month_has_room_for_years),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
