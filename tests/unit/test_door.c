#include "door.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void one_address_gets_its_share_and_another_one_its_own(void **state)
{
    struct door d = {0};
    int admitted = 0;

    (void)state;
    for (int i = 0; i < 1000; i++)
        admitted += door_admit(&d, 1, 5000);
    assert_int_equal(admitted, DOOR_BURST);
    assert_true(door_admit(&d, 2, 5000));
    assert_true(door_admit(&d, 1, 5000 + 1000 / DOOR_RATE));
}

static void a_flood_from_one_address_is_taken_at_its_rate(void **state)
{
    struct door d = {0};
    int admitted = 0;

    (void)state;
    for (uint64_t now = 1000; now < 11000; now++)
        admitted += door_admit(&d, 1, now);
    assert_in_range(admitted, DOOR_BURST + 10 * DOOR_RATE - 2, DOOR_BURST + 10 * DOOR_RATE + 2);
}

static void all_together_are_taken_at_their_rate(void **state)
{
    struct door d = {0};
    int taken = 0;

    (void)state;
    for (int i = 0; i < 100000; i++)
        taken += door_take(&d, 1000 + (uint64_t)i / 10);
    assert_in_range(taken, DOOR_ALL_BURST + 10 * DOOR_ALL_RATE - 5,
                    DOOR_ALL_BURST + 10 * DOOR_ALL_RATE + 5);
}

/* Who has more addresses than are remembered pushes out those that came least lately. */
static void who_comes_now_and_then_is_admitted_among_many_addresses(void **state)
{
    struct door d = {0};

    (void)state;
    for (uint32_t ip = 1; ip <= 10 * DOOR_ADDRESSES_MAX; ip++) {
        assert_true(door_admit(&d, ip, 1000 + ip));
        if (ip % 500 == 0)
            assert_true(door_admit(&d, 0, 1000 + ip));
    }
    assert_int_equal(d.n, DOOR_ADDRESSES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_address_gets_its_share_and_another_one_its_own),
        cmocka_unit_test(a_flood_from_one_address_is_taken_at_its_rate),
        cmocka_unit_test(all_together_are_taken_at_their_rate),
        cmocka_unit_test(who_comes_now_and_then_is_admitted_among_many_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
