#include <navette/decimal.h>

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"

static struct value real(double r)
{
    return (struct value){.type = VALUE_REAL, .r = r};
}

static struct value integer(int64_t i)
{
    return (struct value){.type = VALUE_INT, .i = i};
}

static struct value text(const char *t)
{
    return (struct value){.type = VALUE_TEXT, .bytes = slice_text(t)};
}

static struct decimal of(struct value v)
{
    struct decimal d;
    uint8_t form;

    assert_true(decimal_of_value(&v, &d, &form));
    return d;
}

static struct decimal parsed(const char *t)
{
    return of(text(t));
}

static void check_text(struct decimal d, const char *expected)
{
    char out[DECIMAL_TEXT_MAX];

    decimal_text(&d, 0, out);
    assert_string_equal(out, expected);
}

/* What is taken apart is put together again, class and form and all. */
static void check_back(struct value v)
{
    char room[DECIMAL_TEXT_MAX];
    struct value back;
    struct decimal d;
    uint8_t form;

    assert_true(decimal_of_value(&v, &d, &form));
    back = decimal_value(&d, form, room);
    assert_true(value_equal(&back, &v));
}

static void values_come_back_as_they_were(void **state)
{
    static const double reals[] = {0.0,           0.1,
                                   -0.1,          12.5,
                                   2.0,           0.1 + 0.2,
                                   1e15,          -1e-17,
                                   1.0 / 3,       4e18,
                                   -4e18,         5.551115123125783e-17,
                                   123456789.125, 9007199254740993.0};
    static const char *const texts[] = {"0",
                                        "0.00",
                                        "10.00",
                                        "-0.50",
                                        "-1",
                                        "4000000000000000000",
                                        "0.000000000000000000000000000000000001",
                                        "-12.345678901234567890123456789012345678"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(reals); i++)
        check_back(real(reals[i]));
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        check_back(text(texts[i]));
    check_back(integer(0));
    check_back(integer(-1));
    check_back(integer(DECIMAL_VALUE_MAX));
    check_back(integer(-DECIMAL_VALUE_MAX));
}

static void what_is_no_decimal_is_refused(void **state)
{
    static const double reals[] = {INFINITY, -INFINITY, NAN, -0.0, 1e300, 4.1e18, DBL_MIN, 1.1e-36};
    static const char *const texts[] = {"",
                                        "-",
                                        "+1",
                                        "1.",
                                        ".5",
                                        "01",
                                        "1e3",
                                        " 1",
                                        "1 ",
                                        "-0",
                                        "-0.0",
                                        "0x1",
                                        "1,5",
                                        "1.5.2",
                                        "4000000000000000001",
                                        "4000000000000000000.5",
                                        "99999999999999999999",
                                        "-4000000000000000000.1",
                                        "0.0000000000000000000000000000000000001"};
    struct value none[] = {{.type = VALUE_NULL},
                           {.type = VALUE_BLOB, .bytes = slice_text("1")},
                           {.type = VALUE_REF, .ref = {0, 1}},
                           integer(DECIMAL_VALUE_MAX + 1),
                           integer(INT64_MIN),
                           integer(INT64_MAX)};
    struct decimal d;
    uint8_t form;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(reals); i++) {
        struct value v = real(reals[i]);

        assert_false(decimal_of_value(&v, &d, &form));
    }
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct value v = text(texts[i]);

        assert_false(decimal_of_value(&v, &d, &form));
    }
    for (size_t i = 0; i < COUNT_OF(none); i++)
        assert_false(decimal_of_value(&none[i], &d, &form));
}

/* In floating point a million steps of 0.1 end somewhere else. */
static void steps_of_a_tenth_do_not_drift(void **state)
{
    struct decimal sum = {0}, step = of(real(0.1));

    (void)state;
    for (int i = 0; i < 1000003; i++)
        assert_true(decimal_add(&sum, &sum, &step));
    check_text(sum, "100000.3");
    for (int i = 0; i < 1000004; i++)
        assert_true(decimal_subtract(&sum, &sum, &step));
    check_text(sum, "-0.1");
    assert_true(decimal_add(&sum, &sum, &step));
    assert_true(decimal_is_zero(&sum));
}

static void sums_carry_and_borrow_over_both_limbs(void **state)
{
    static const struct {
        const char *a, *b, *sum, *difference;
    } cases[] = {
        {"0.5", "0.5", "1", "0"},
        {"-0.5", "0.25", "-0.25", "-0.75"},
        {"1", "0.000000000000000001", "1.000000000000000001", "0.999999999999999999"},
        {"0", "0.000000000000000000000000000000000001", "0.000000000000000000000000000000000001",
         "-0.000000000000000000000000000000000001"},
        {"-1", "0.000000000000000000000000000000000001", "-0.999999999999999999999999999999999999",
         "-1.000000000000000000000000000000000001"},
        {"0.999999999999999999999999999999999999", "0.000000000000000000000000000000000001", "1",
         "0.999999999999999999999999999999999998"},
        {"-3.25", "-4.75", "-8", "1.5"},
        {"0.000000000000000001", "0.000000000000000000000000000000000001",
         "0.000000000000000001000000000000000001", "0.000000000000000000999999999999999999"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct decimal a = parsed(cases[i].a), b = parsed(cases[i].b), d;

        assert_true(decimal_add(&d, &a, &b));
        check_text(d, cases[i].sum);
        assert_true(decimal_subtract(&d, &a, &b));
        check_text(d, cases[i].difference);
        assert_true(decimal_add(&d, &d, &b));
        assert_true(decimal_equal(&d, &a));
    }
}

static void a_sum_that_does_not_fit_is_told(void **state)
{
    struct decimal most = {.whole = INT64_MAX, .part = 999999999999999999},
                   least = {.whole = INT64_MIN}, one = {.whole = 1}, tiny = {.part = 1}, d;

    (void)state;
    assert_false(decimal_add(&d, &most, &one));
    assert_false(decimal_add(&d, &most, &tiny));
    assert_false(decimal_subtract(&d, &least, &one));
    assert_false(decimal_subtract(&d, &least, &tiny));
    assert_false(decimal_subtract(&d, &most, &least));
    assert_true(decimal_add(&d, &most, &least));
}

static void limits_count_the_fraction(void **state)
{
    struct decimal d = parsed("1000000000000000");

    (void)state;
    assert_true(decimal_within(&d, DECIMAL_TOTAL_MAX));
    d = parsed("1000000000000000.1");
    assert_false(decimal_within(&d, DECIMAL_TOTAL_MAX));
    d = parsed("999999999999999.9");
    assert_true(decimal_within(&d, DECIMAL_TOTAL_MAX));
    d = parsed("-1000000000000000");
    assert_true(decimal_within(&d, DECIMAL_TOTAL_MAX));
    d = parsed("-1000000000000000.1");
    assert_false(decimal_within(&d, DECIMAL_TOTAL_MAX));
}

static void the_form_bends_no_more_than_it_must(void **state)
{
    char room[DECIMAL_TEXT_MAX];
    struct decimal half = parsed("9.5"), ten = parsed("10"), fine = parsed("0.125");
    struct value v;

    (void)state;
    v = decimal_value(&half, DECIMAL_INTEGER, room);
    assert_true(v.type == VALUE_REAL && v.r == 9.5);
    v = decimal_value(&ten, DECIMAL_REAL, room);
    assert_true(v.type == VALUE_REAL && v.r == 10.0);
    v = decimal_value(&ten, DECIMAL_TEXT + 2, room);
    assert_true(slice_equal(v.bytes, slice_text("10.00")));
    v = decimal_value(&fine, DECIMAL_TEXT + 2, room);
    assert_true(slice_equal(v.bytes, slice_text("0.125")));
    v = decimal_value(&ten, DECIMAL_TEXT, room);
    assert_true(slice_equal(v.bytes, slice_text("10")));
}

static void random_reals_come_back(void **state)
{
    struct random_source s = {test_seed(1)};
    int decimals = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        double v = ((double)(int64_t)random_bits(&s)) / (double)(1 + random_bits(&s) % 1000000007);
        struct value value = real(random_below(&s, 2) ? v / 4e9 : v / 1e17);
        struct decimal d;
        uint8_t form;

        if (!decimal_of_value(&value, &d, &form))
            continue;
        decimals++;
        check_back(value);
    }
    assert_true(decimals > 90000);
}

static void totals_have_one_encoding(void **state)
{
    static const char *const good[] = {"0.5", "-0.1", "999999999999999.999"};
    static const char *const bad[] = {"0.50", "1", "1.0", "", "-0.0", "1e3", "1000000000000000.5"};
    struct buf b;
    struct writer w = {&b};
    struct err e = {0};
    struct reader r;

    (void)state;
    buf_open(&b, 100);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct decimal d = parsed(good[i]), back;
        struct buf again;

        buf_open(&again, 100);
        buf_clear(&b);
        write_text(&w, slice_text(good[i]));
        r = reader_of(buf_slice(&b), &e);
        back = read_decimal(&r, "a total");
        assert_true(read_end(&r));
        assert_true(decimal_equal(&back, &d));
        write_decimal(&(struct writer){&again}, &back);
        assert_true(slice_equal(buf_slice(&again), buf_slice(&b)));
        buf_close(&again);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        buf_clear(&b);
        write_text(&w, slice_text(bad[i]));
        r = reader_of(buf_slice(&b), &e);
        read_decimal(&r, "a total");
        assert_true(r.failed);
        err_clear(&e);
    }
    buf_clear(&b);
    write_int(&w, DECIMAL_TOTAL_MAX + 1);
    r = reader_of(buf_slice(&b), &e);
    read_decimal(&r, "a total");
    assert_true(r.failed);
    err_clear(&e);
    buf_clear(&b);
    write_real(&w, 1.5);
    r = reader_of(buf_slice(&b), &e);
    read_decimal(&r, "a total");
    assert_true(r.failed);
    buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_back_as_they_were),
        cmocka_unit_test(what_is_no_decimal_is_refused),
        cmocka_unit_test(steps_of_a_tenth_do_not_drift),
        cmocka_unit_test(sums_carry_and_borrow_over_both_limbs),
        cmocka_unit_test(a_sum_that_does_not_fit_is_told),
        cmocka_unit_test(limits_count_the_fraction),
        cmocka_unit_test(the_form_bends_no_more_than_it_must),
        cmocka_unit_test(random_reals_come_back),
        cmocka_unit_test(totals_have_one_encoding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
