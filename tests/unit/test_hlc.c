#include <navette/hlc.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <navette/bounds.h>

#include "random.h"

static void a_stamp_holds_wall_time_and_count(void **state)
{
    (void)state;
    assert_int_equal(hlc_stamp(5, 7), 5 << 16 | 7);
    assert_int_equal(hlc_stamp_wall_ms(hlc_stamp(123456789, 65535)), 123456789);
    assert_true(hlc_stamp(2, 0) > hlc_stamp(1, 65535));
    assert_true(hlc_stamp(UINT64_MAX, UINT16_MAX) <= INT64_MAX);
}

static void ticks_follow_the_wall_clock_and_count_within_a_millisecond(void **state)
{
    struct hlc h = {0};

    (void)state;
    assert_int_equal(hlc_tick(&h, 1000), hlc_stamp(1000, 0));
    assert_int_equal(hlc_tick(&h, 1000), hlc_stamp(1000, 1));
    assert_int_equal(hlc_tick(&h, 1001), hlc_stamp(1001, 0));
}

static void a_clock_set_back_does_not_take_stamps_back(void **state)
{
    struct hlc h = {0};

    (void)state;
    hlc_tick(&h, 1000);
    assert_int_equal(hlc_tick(&h, 10), hlc_stamp(1000, 1));
    assert_int_equal(hlc_tick(&h, 0), hlc_stamp(1000, 2));
}

static void a_full_counter_borrows_the_next_millisecond(void **state)
{
    struct hlc h = {.wall_ms = 1000, .count = UINT16_MAX};

    (void)state;
    assert_int_equal(hlc_tick(&h, 1000), hlc_stamp(1001, 0));
    assert_int_equal(hlc_tick(&h, 1001), hlc_stamp(1001, 1));
}

static void a_later_stamp_of_a_peer_is_taken_in(void **state)
{
    struct hlc h = {.wall_ms = 1000, .count = 3};
    struct err e = {0};

    (void)state;
    assert_true(hlc_merge(&h, hlc_stamp(2000, 5), 1500, &e));
    assert_int_equal(hlc_save(&h), hlc_stamp(2000, 5));
    assert_int_equal(hlc_tick(&h, 1500), hlc_stamp(2000, 6));
}

static void an_earlier_stamp_of_a_peer_changes_nothing(void **state)
{
    struct hlc h = {.wall_ms = 1000, .count = 3};
    struct err e = {0};

    (void)state;
    assert_true(hlc_merge(&h, hlc_stamp(1000, 2), 1000, &e));
    assert_true(hlc_merge(&h, 0, 1000, &e));
    assert_int_equal(hlc_save(&h), hlc_stamp(1000, 3));
}

/* A stamp from the future must not drag our clock along. */
static void a_stamp_too_far_ahead_is_refused(void **state)
{
    struct hlc h = {0};
    struct err e = {0};

    (void)state;
    assert_true(hlc_merge(&h, hlc_stamp(HLC_SKEW_MS_MAX + 1, 0), 1, &e));
    assert_false(hlc_merge(&h, hlc_stamp(HLC_SKEW_MS_MAX + 2, 0), 1, &e));
    assert_int_equal(e.code, ERR_SKEW);
    assert_int_equal(h.wall_ms, HLC_SKEW_MS_MAX + 1);
    err_clear(&e);
    assert_false(hlc_merge(&h, UINT64_MAX, HLC_WALL_MS_MAX, &e));
    assert_int_equal(e.code, ERR_SKEW);
}

static void what_was_saved_goes_on_where_it_stood(void **state)
{
    struct hlc h = {0}, again = {0};
    uint64_t last = hlc_tick(&h, 777);

    (void)state;
    hlc_load(&again, hlc_save(&h));
    assert_true(hlc_tick(&again, 700) > last);
}

static void stamps_rise_whatever_the_wall_clock_does(void **state)
{
    struct random_source s = {test_seed(1)};
    struct hlc h = {0};
    uint64_t last = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint64_t now_ms = 1000000 + random_below(&s, 50);
        struct err e = {0};
        uint64_t stamp;

        if (random_below(&s, 4) == 0)
            assert_true(hlc_merge(&h, hlc_stamp(now_ms + random_below(&s, 99), 65534), now_ms, &e));
        stamp = hlc_tick(&h, now_ms);
        assert_true(stamp > last);
        assert_true(hlc_stamp_wall_ms(stamp) >= now_ms);
        last = stamp;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stamp_holds_wall_time_and_count),
        cmocka_unit_test(ticks_follow_the_wall_clock_and_count_within_a_millisecond),
        cmocka_unit_test(a_clock_set_back_does_not_take_stamps_back),
        cmocka_unit_test(a_full_counter_borrows_the_next_millisecond),
        cmocka_unit_test(a_later_stamp_of_a_peer_is_taken_in),
        cmocka_unit_test(an_earlier_stamp_of_a_peer_changes_nothing),
        cmocka_unit_test(a_stamp_too_far_ahead_is_refused),
        cmocka_unit_test(what_was_saved_goes_on_where_it_stood),
        cmocka_unit_test(stamps_rise_whatever_the_wall_clock_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
