/* What applies replaced lately: remembered for a while, and no more of it than fits. */
#include "replaced.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NOW UINT64_C(1795000000000)

static const struct value ten = {.type = VALUE_INT, .i = 10}, nine = {.type = VALUE_INT, .i = 9},
                          ten_real = {.type = VALUE_REAL, .r = 10};

static void a_value_is_back_only_where_and_as_it_was(void **state)
{
    struct replaced *r = NULL;

    (void)state;
    assert_false(replaced_is_back(r, 1, 2, &ten, NOW));
    replaced_note(&r, 1, 2, &ten, NOW);
    assert_true(replaced_is_back(r, 1, 2, &ten, NOW + 5));
    assert_false(replaced_is_back(r, 1, 2, &nine, NOW + 5));
    assert_false(replaced_is_back(r, 1, 2, &ten_real, NOW + 5));
    assert_false(replaced_is_back(r, 1, 3, &ten, NOW + 5));
    assert_false(replaced_is_back(r, 2, 2, &ten, NOW + 5));
    assert_false(replaced_is_back(r, 1, 2, &ten, 0)); /* no time is known */
    replaced_note(&r, 1, 2, &nine, NOW + 6);
    assert_false(replaced_is_back(r, 1, 2, &ten, NOW + 7));
    assert_true(replaced_is_back(r, 1, 2, &nine, NOW + 7));
    replaced_close(&r);
    assert_null(r);
    replaced_close(&r);
}

static void it_is_forgotten_after_a_while(void **state)
{
    struct replaced *r = NULL;

    (void)state;
    replaced_note(&r, 1, 2, &ten, NOW);
    assert_true(replaced_lately(r, 1, 2, NOW + REPLACED_DOUBT_MS));
    assert_false(replaced_lately(r, 1, 2, NOW + REPLACED_DOUBT_MS + 1));
    assert_true(replaced_is_back(r, 1, 2, &ten, NOW + REPLACED_STALE_MS));
    assert_false(replaced_is_back(r, 1, 2, &ten, NOW + REPLACED_STALE_MS + 1));
    assert_true(replaced_any(r, NOW + REPLACED_STALE_MS));
    assert_false(replaced_any(r, NOW + REPLACED_STALE_MS + 1));
    assert_true(replaced_is_back(r, 1, 2, &ten, NOW - 100));    /* its mark may look older */
    assert_false(replaced_is_back(r, 1, 2, &ten, NOW - 10000)); /* it was read before, no doubt */
    replaced_close(&r);
}

/* A million rows later the last ones are known, and the memory is the same. */
static void many_rows_push_out_the_ones_before(void **state)
{
    struct replaced *r = NULL;
    int kept = 0;

    (void)state;
    for (int64_t gid = 1; gid <= 1000000; gid++)
        replaced_note(&r, gid, 1, &ten, NOW);
    assert_true(replaced_is_back(r, 1000000, 1, &ten, NOW));
    for (int64_t gid = 1; gid <= 1000000; gid++)
        kept += replaced_is_back(r, gid, 1, &ten, NOW);
    assert_in_range(kept, 1000, 10000);
    replaced_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_back_only_where_and_as_it_was),
        cmocka_unit_test(it_is_forgotten_after_a_while),
        cmocka_unit_test(many_rows_push_out_the_ones_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
