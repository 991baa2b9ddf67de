#include "ear.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <navette/hlc.h>

#define WALL 1700000000000

static struct site_id site(uint32_t number)
{
    struct site_id s = {{0}};

    memcpy(s.bytes, &number, sizeof number);
    return s;
}

static bool hears(struct ear *ear, uint32_t number, uint64_t wall, uint64_t now)
{
    struct site_id s = site(number);

    return ear_is_news(ear, &s, true, wall, now);
}

static bool answers(struct ear *ear, uint32_t number, uint64_t now)
{
    struct site_id s = site(number);

    return ear_may_answer(ear, &s, now);
}

static void no_more_datagrams_are_looked_at_than_the_rate(void **state)
{
    struct bucket b = {0};
    int taken = 0;

    (void)state;
    for (int i = 0; i < 400000; i++)
        taken += ear_take(&b, 1000 + (uint64_t)i / 40);
    assert_in_range(taken, 10 * EAR_RATE + EAR_BURST - 50, 10 * EAR_RATE + EAR_BURST + 50);
}

static void each_beacon_is_news_once(void **state)
{
    struct ear ear = {0};

    (void)state;
    assert_true(hears(&ear, 1, WALL, 1000));
    assert_false(hears(&ear, 1, WALL, 1001));
    assert_true(hears(&ear, 1, WALL + 200, 1200));
    assert_false(hears(&ear, 1, WALL, 1300));
    assert_false(hears(&ear, 1, WALL + 200, 1300));
    assert_true(hears(&ear, 2, WALL, 1300));
}

/* It was never heard here, and comes when its site is long past it. */
static void a_beacon_that_was_kept_is_no_news_even_if_it_was_not_heard_before(void **state)
{
    struct ear ear = {0};

    (void)state;
    assert_true(hears(&ear, 1, WALL, 1000));
    assert_true(hears(&ear, 1, WALL + 5000, 1000 + EAR_LATE_MS));
    assert_false(hears(&ear, 1, WALL + 6000, 12001 + EAR_LATE_MS));
    assert_true(hears(&ear, 1, WALL + 22000, 1000 + 22000));
}

static void a_clock_that_jumps_ahead_is_news(void **state)
{
    struct ear ear = {0};

    (void)state;
    assert_true(hears(&ear, 1, WALL, 1000));
    assert_true(hears(&ear, 1, WALL + 86400000, 2000));
    assert_true(hears(&ear, 1, WALL + 86415000, 17000));
}

static void a_clock_that_was_put_back_is_news_again_when_its_site_was_met(void **state)
{
    struct site_id s = site(1);
    struct ear ear = {0};

    (void)state;
    assert_true(hears(&ear, 1, WALL, 1000));
    assert_false(hears(&ear, 1, WALL - 3600000, 2000));
    ear_met(&ear, &s, WALL - 3599000, 3000);
    assert_true(hears(&ear, 1, WALL - 3598000, 4000));
    assert_false(hears(&ear, 1, WALL - 3598000, 4000));
}

/* What a link measures is not exact: it must not make old what is news, nor news what is old. */
static void to_meet_a_site_whose_clock_is_right_changes_nothing(void **state)
{
    struct site_id s = site(1);
    struct ear ear = {0};

    (void)state;
    assert_true(hears(&ear, 1, WALL, 1000));
    ear_met(&ear, &s, WALL + 100 - 300, 1100);
    ear_met(&ear, &s, WALL + 100 + 300, 1100);
    assert_false(hears(&ear, 1, WALL, 1200));
    assert_true(hears(&ear, 1, WALL + 1, 1200));
}

static void a_site_is_answered_once_in_a_while(void **state)
{
    struct ear ear = {0};

    (void)state;
    assert_false(answers(&ear, 1, 1000));
    assert_true(hears(&ear, 1, WALL, 1000));
    assert_true(answers(&ear, 1, 1000));
    assert_false(answers(&ear, 1, 1000 + EAR_ANSWER_MS - 1));
    assert_true(answers(&ear, 1, 1000 + EAR_ANSWER_MS));
}

/* A member can speak in as many names as it likes. */
static void members_are_not_forgotten_for_sites_that_nobody_knows(void **state)
{
    struct ear ear = {0};

    (void)state;
    for (uint32_t i = 0; i < SITES_MAX; i++)
        assert_true(hears(&ear, i, WALL, 1000));
    for (uint32_t i = 0; i < 10000; i++) {
        struct site_id s = site(100000 + i);

        assert_true(ear_is_news(&ear, &s, false, WALL, 2000));
    }
    for (uint32_t i = 0; i < SITES_MAX; i++)
        assert_false(hears(&ear, i, WALL, 3000));
}

static void an_impossible_clock_is_no_news(void **state)
{
    struct ear ear = {0};

    (void)state;
    assert_false(hears(&ear, 1, UINT64_MAX, 1000));
    assert_false(hears(&ear, 1, HLC_WALL_MS_MAX + UINT64_C(1), 1000));
    assert_true(hears(&ear, 1, WALL, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_datagrams_are_looked_at_than_the_rate),
        cmocka_unit_test(each_beacon_is_news_once),
        cmocka_unit_test(a_beacon_that_was_kept_is_no_news_even_if_it_was_not_heard_before),
        cmocka_unit_test(a_clock_that_jumps_ahead_is_news),
        cmocka_unit_test(a_clock_that_was_put_back_is_news_again_when_its_site_was_met),
        cmocka_unit_test(to_meet_a_site_whose_clock_is_right_changes_nothing),
        cmocka_unit_test(a_site_is_answered_once_in_a_while),
        cmocka_unit_test(members_are_not_forgotten_for_sites_that_nobody_knows),
        cmocka_unit_test(an_impossible_clock_is_no_news),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
