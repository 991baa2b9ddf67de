#include <navette/change.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct actor actor_of(uint8_t site, uint8_t incarnation)
{
    struct actor a = {{0}};

    a.bytes[0] = site;
    a.bytes[SITE_ID_BYTES] = incarnation;
    return a;
}

static struct value text_of(const char *text)
{
    return (struct value){.type = VALUE_TEXT, .bytes = slice_text(text)};
}

static void an_actor_is_its_site_and_its_incarnation(void **state)
{
    struct actor a = actor_of(1, 1), again = actor_of(1, 2), other = actor_of(2, 0);

    (void)state;
    assert_int_equal(actor_site(&a).bytes[0], 1);
    assert_memory_equal(actor_site(&a).bytes, actor_site(&again).bytes, SITE_ID_BYTES);
    assert_false(actor_equal(&a, &again));
    assert_true(actor_compare(&a, &again) < 0);
    assert_true(actor_compare(&other, &again) > 0);
    assert_int_equal(actor_compare(&a, &a), 0);
}

static void the_stamp_orders_clocks_before_all_else(void **state)
{
    struct clock a = {.stamp = 1, .actor = actor_of(9, 9), .number = 9};
    struct clock b = {.stamp = 2, .actor = actor_of(1, 1), .number = 1};

    (void)state;
    assert_int_equal(clock_compare(&a, &b), -1);
    assert_int_equal(clock_compare(&b, &a), 1);
}

static void equal_stamps_are_ordered_by_actor_then_number(void **state)
{
    struct clock a = {.stamp = 5, .actor = actor_of(1, 0), .number = 9};
    struct clock b = {.stamp = 5, .actor = actor_of(2, 0), .number = 1};
    struct clock later = a;

    (void)state;
    later.number = 10;
    assert_int_equal(clock_compare(&a, &b), -1);
    assert_int_equal(clock_compare(&b, &a), 1);
    assert_int_equal(clock_compare(&a, &later), -1);
    assert_int_equal(clock_compare(&later, &a), 1);
    assert_int_equal(clock_compare(&a, &a), 0);
}

static void the_zero_clock_is_older_than_every_write(void **state)
{
    struct clock zero = {0};
    struct clock write = {.stamp = 1};

    (void)state;
    assert_int_equal(clock_compare(&zero, &write), -1);
}

static void values_are_equal_only_with_their_storage_class(void **state)
{
    struct value one = {.type = VALUE_INT, .i = 1};
    struct value real = {.type = VALUE_REAL, .r = 1.0};
    struct value text = text_of("1"), blob = text;
    struct value null = {.type = VALUE_NULL};

    (void)state;
    blob.type = VALUE_BLOB;
    assert_true(value_equal(&one, &one));
    assert_true(value_equal(&text, &text));
    assert_true(value_equal(&null, &null));
    assert_false(value_equal(&one, &real));
    assert_false(value_equal(&one, &text));
    assert_false(value_equal(&text, &blob));
    assert_false(value_equal(&null, &one));
}

static void reals_are_compared_by_their_bits(void **state)
{
    struct value zero = {.type = VALUE_REAL, .r = 0.0};
    struct value minus = {.type = VALUE_REAL, .r = -0.0};

    (void)state;
    assert_false(value_equal(&zero, &minus));
    assert_true(value_equal(&minus, &minus));
}

static void texts_and_references_are_compared_whole(void **state)
{
    struct value a = text_of("abc"), b = text_of("abd"), prefix = text_of("ab");
    struct value x = {.type = VALUE_REF, .ref = {1, 2}}, y = {.type = VALUE_REF, .ref = {2, 2}};
    struct value z = {.type = VALUE_REF, .ref = {1, 3}};

    (void)state;
    assert_false(value_equal(&a, &b));
    assert_false(value_equal(&a, &prefix));
    assert_true(value_equal(&x, &x));
    assert_false(value_equal(&x, &y));
    assert_false(value_equal(&x, &z));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_actor_is_its_site_and_its_incarnation),
        cmocka_unit_test(the_stamp_orders_clocks_before_all_else),
        cmocka_unit_test(equal_stamps_are_ordered_by_actor_then_number),
        cmocka_unit_test(the_zero_clock_is_older_than_every_write),
        cmocka_unit_test(values_are_equal_only_with_their_storage_class),
        cmocka_unit_test(reals_are_compared_by_their_bits),
        cmocka_unit_test(texts_and_references_are_compared_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
