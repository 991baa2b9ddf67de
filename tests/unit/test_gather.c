/* Who may bring a large message (gather.c). */
#include "gather.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define LARGE (GATHER_FREE + 1)

static void small_messages_come_beside_each_other(void **state)
{
    struct gather g = {0};
    struct gatherer of[3] = {{0}};

    (void)state;
    assert_true(gather_may(&g, &of[0], LARGE, 1));
    for (int i = 1; i < 3; i++)
        assert_true(gather_may(&g, &of[i], GATHER_FREE, 1));
    assert_int_equal(g.waiting, 0);
}

static void one_at_a_time_brings_more_in_the_order_in_which_they_came(void **state)
{
    struct gather g = {0};
    struct gatherer a = {0}, b = {0}, c = {0}, d = {0};

    (void)state;
    assert_true(gather_may(&g, &a, LARGE, 1));
    assert_false(gather_may(&g, &b, LARGE, 2));
    assert_false(gather_may(&g, &c, LARGE, 3));
    assert_true(gather_may(&g, &a, 2 * LARGE, 4));
    assert_false(gather_may(&g, &b, LARGE, 5)); /* asking again is no second place */
    assert_int_equal(g.waiting, 2);
    assert_true(b.place < c.place);
    assert_true(gather_end(&g, &a));
    assert_false(gather_may(&g, &d, LARGE, 6)); /* nobody overtakes those that wait */
    gather_give(&g, &b, LARGE, 7);
    assert_int_equal(b.place, 0);
    assert_true(gather_may(&g, &b, 3 * LARGE, 8));
    assert_false(gather_end(&g, &c)); /* it left while it waited */
    assert_int_equal(g.waiting, 1);
    assert_true(gather_end(&g, &b));
    assert_false(gather_end(&g, &b));
}

static void whoever_dawdles_while_others_wait_is_told_apart(void **state)
{
    struct gather g = {0};
    struct gatherer a = {0}, b = {0};
    uint64_t begun = 1000, end = begun + GATHER_GRACE_MS;

    (void)state;
    assert_true(gather_may(&g, &a, LARGE, begun));
    assert_false(gather_is_slow(&g, end)); /* nobody minds */
    assert_false(gather_may(&g, &b, LARGE, begun));
    assert_false(gather_is_slow(&g, end - 1));
    assert_true(gather_is_slow(&g, end));
    assert_true(gather_may(&g, &a, LARGE + GATHER_RATE * (GATHER_GRACE_MS / 1000), end));
    assert_false(gather_is_slow(&g, end));
    assert_true(gather_is_slow(&g, end + 1000));
    assert_true(gather_end(&g, &a));
    assert_false(gather_is_slow(&g, end + 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_messages_come_beside_each_other),
        cmocka_unit_test(one_at_a_time_brings_more_in_the_order_in_which_they_came),
        cmocka_unit_test(whoever_dawdles_while_others_wait_is_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
