#include "bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct bucket_size size = {10, 3};

static void a_burst_is_allowed_and_then_the_rate(void **state)
{
    struct bucket b = {0};

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_true(bucket_take(&b, &size, 1, 5000));
    assert_false(bucket_take(&b, &size, 1, 5000));
    assert_false(bucket_take(&b, &size, 1, 5099));
    assert_true(bucket_take(&b, &size, 1, 5100));
    assert_false(bucket_take(&b, &size, 1, 5100));
}

static void a_long_pause_saves_up_no_more_than_the_burst(void **state)
{
    struct bucket b = {0};
    int taken = 0;

    (void)state;
    assert_true(bucket_take(&b, &size, 3, 1000));
    while (bucket_take(&b, &size, 1, 1000000))
        taken++;
    assert_int_equal(taken, 3);
}

static void over_a_minute_no_more_than_the_rate_passes(void **state)
{
    struct bucket b = {0};
    int taken = 0;

    (void)state;
    for (uint64_t now = 1; now <= 60000; now++)
        taken += bucket_take(&b, &size, 1, now);
    assert_in_range(taken, 598, 603);
}

static void a_debt_is_paid_off_at_the_rate(void **state)
{
    struct bucket b = {0};

    (void)state;
    bucket_charge(&b, &size, 3, 1000);
    assert_int_equal(bucket_debt_ms(&b, &size), 0);
    bucket_charge(&b, &size, 10, 1000);
    assert_in_range(bucket_debt_ms(&b, &size), 1000, 1001);
    assert_false(bucket_take(&b, &size, 1, 2000));
    assert_true(bucket_take(&b, &size, 1, 2100));
}

static void a_clock_that_stands_still_gives_nothing(void **state)
{
    struct bucket b = {0};

    (void)state;
    assert_true(bucket_take(&b, &size, 3, 1000));
    assert_false(bucket_take(&b, &size, 1, 1000));
    assert_false(bucket_take(&b, &size, 1, 900));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_allowed_and_then_the_rate),
        cmocka_unit_test(a_long_pause_saves_up_no_more_than_the_burst),
        cmocka_unit_test(over_a_minute_no_more_than_the_rate_passes),
        cmocka_unit_test(a_debt_is_paid_off_at_the_rate),
        cmocka_unit_test(a_clock_that_stands_still_gives_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
