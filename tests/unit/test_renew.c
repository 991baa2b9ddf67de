/* When links are made anew, under a clock of our own. */
#include "renew.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HOUR_MS UINT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)
#define START   UINT64_C(1000)

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 4;
}

static void a_link_is_renewed_before_it_is_a_day_old(void **state)
{
    uint32_t seed = 1;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct renewal r;

        renewal_begin(&r, START, DAY_MS, next_random(&seed));
        assert_false(renewal_is_due(&r, START + 18 * HOUR_MS - 1, true));
        assert_true(renewal_is_due(&r, START + 21 * HOUR_MS, true));
        assert_false(renewal_is_due(&r, START + DAY_MS - 1, false)); /* it is never quiet */
        assert_true(renewal_is_due(&r, START + DAY_MS, false));
    }
}

/* Fifty PCs were switched on at once. */
static void links_that_were_made_together_are_not_renewed_together(void **state)
{
    uint32_t seed = 2, in_minute[3 * 60 + 1] = {0};

    (void)state;
    for (int i = 0; i < 50 * 49 / 2; i++) {
        struct renewal r;

        renewal_begin(&r, START, DAY_MS, next_random(&seed));
        in_minute[(r.due_ms - START - 18 * HOUR_MS) / 60000]++;
    }
    for (int i = 0; i <= 3 * 60; i++)
        assert_true(in_minute[i] <= 25); /* of 1,225, some 7 a minute */
}

static void a_new_roster_has_new_handshakes_soon_and_one_after_the_other(void **state)
{
    uint32_t seed = 3, in_second[21] = {0};

    (void)state;
    for (int i = 0; i < 49; i++) {
        struct renewal r;

        renewal_begin(&r, START, DAY_MS, next_random(&seed));
        renewal_hurry(&r, START + HOUR_MS, 50, next_random(&seed));
        assert_true(r.due_ms >= START + HOUR_MS);
        assert_true(r.due_ms <= START + HOUR_MS + 20000);
        assert_true(renewal_is_due(&r, r.due_ms + RENEW_PATIENCE_MS, false));
        assert_false(renewal_is_due(&r, r.due_ms + RENEW_PATIENCE_MS - 1, false));
        in_second[(r.due_ms - START - HOUR_MS) / 1000]++;
    }
    for (int i = 0; i <= 20; i++)
        assert_true(in_second[i] <= 10);
}

/* Or a fleet into which one comes after the other would never get there. */
static void a_second_change_does_not_put_it_off(void **state)
{
    struct renewal r;
    uint64_t due_ms;

    (void)state;
    renewal_begin(&r, START, DAY_MS, 0);
    renewal_hurry(&r, START, 50, 15000);
    due_ms = r.due_ms;
    assert_int_equal(due_ms, START + 15000);
    renewal_hurry(&r, START + 10000, 50, 19000);
    assert_int_equal(r.due_ms, due_ms);
}

static void one_that_is_due_anyway_is_not_put_off(void **state)
{
    struct renewal r;

    (void)state;
    renewal_begin(&r, START, DAY_MS, 0);
    renewal_hurry(&r, START + 18 * HOUR_MS - 5, 50, 15000);
    assert_int_equal(r.due_ms, START + 18 * HOUR_MS);
}

static void one_that_could_not_be_dialled_is_tried_again_later(void **state)
{
    struct renewal r;

    (void)state;
    renewal_begin(&r, START, DAY_MS, 0);
    r.under_way = true;
    assert_false(renewal_is_due(&r, START + 2 * DAY_MS, true)); /* not twice at once */
    renewal_failed(&r, START + DAY_MS, 1234);
    assert_false(renewal_is_due(&r, START + DAY_MS + RENEW_RETRY_MS - 1, true));
    assert_true(renewal_is_due(&r, START + DAY_MS + 2 * RENEW_RETRY_MS, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_is_renewed_before_it_is_a_day_old),
        cmocka_unit_test(links_that_were_made_together_are_not_renewed_together),
        cmocka_unit_test(a_new_roster_has_new_handshakes_soon_and_one_after_the_other),
        cmocka_unit_test(a_second_change_does_not_put_it_off),
        cmocka_unit_test(one_that_is_due_anyway_is_not_put_off),
        cmocka_unit_test(one_that_could_not_be_dialled_is_tried_again_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
