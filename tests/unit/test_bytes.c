#include <navette/bytes.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"

static void slices_are_compared_by_bytes_then_by_length(void **state)
{
    (void)state;
    assert_true(slice_equal(slice_text("ab"), slice_text("ab")));
    assert_false(slice_equal(slice_text("ab"), slice_text("abc")));
    assert_true(slice_equal((struct slice){0}, slice_text("")));
    assert_true(slice_compare(slice_text("ab"), slice_text("abc")) < 0);
    assert_true(slice_compare(slice_text("b"), slice_text("abc")) > 0);
    assert_true(slice_compare(slice_text("\xff"), slice_text("a")) > 0);
    assert_int_equal(slice_compare((struct slice){0}, slice_text("")), 0);
}

static void a_zeroed_buffer_takes_nothing(void **state)
{
    struct buf b = {0};

    (void)state;
    buf_add(&b, "", 0);
    assert_false(b.overflow);
    buf_add_byte(&b, 1);
    assert_true(b.overflow);
    assert_int_equal(b.n, 0);
    buf_close(&b);
    buf_close(&b);
}

static void a_buffer_grows_up_to_its_maximum_and_no_further(void **state)
{
    struct buf b;

    (void)state;
    buf_open(&b, 1000);
    for (int i = 0; i < 1000; i++)
        buf_add_byte(&b, (uint8_t)i);
    assert_false(b.overflow);
    assert_int_equal(b.n, 1000);
    assert_true(b.room <= 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(b.p[i], (uint8_t)i);
    buf_add_byte(&b, 0);
    assert_true(b.overflow);
    assert_int_equal(b.n, 1000);
    buf_close(&b);
}

/* Half of a record must never follow a record that did not fit. */
static void after_an_overflow_nothing_is_written_until_clear(void **state)
{
    struct buf b;

    (void)state;
    buf_open(&b, 4);
    buf_add(&b, "ab", 2);
    buf_add(&b, "cde", 3);
    buf_add(&b, "f", 1);
    assert_null(buf_extend(&b, 1));
    assert_int_equal(b.n, 2);
    buf_clear(&b);
    buf_add(&b, "wxyz", 4);
    assert_false(b.overflow);
    assert_memory_equal(b.p, "wxyz", 4);
    buf_close(&b);
}

static void a_size_near_the_largest_does_not_wrap_around(void **state)
{
    struct buf b;

    (void)state;
    buf_open(&b, 100);
    buf_add(&b, "ab", 2);
    assert_null(buf_extend(&b, SIZE_MAX));
    assert_null(buf_extend(&b, SIZE_MAX - 1));
    assert_int_equal(b.n, 2);
    buf_close(&b);
}

static void taking_from_the_front_keeps_the_rest(void **state)
{
    struct buf b;

    (void)state;
    buf_open(&b, 100);
    buf_add(&b, "abcdef", 6);
    buf_take(&b, 2);
    assert_true(slice_equal(buf_slice(&b), slice_text("cdef")));
    buf_take(&b, 0);
    buf_take(&b, 99);
    assert_int_equal(b.n, 0);
    buf_take(&b, 1);
    buf_close(&b);
}

static void wiping_releases_too(void **state)
{
    struct buf b;

    (void)state;
    buf_open(&b, 100);
    buf_add(&b, "secret", 6);
    buf_wipe(&b);
    assert_null(b.p);
    assert_int_equal(b.max, 0);
    buf_wipe(&b);
}

static void big_endian_numbers_read_back(void **state)
{
    const uint8_t bytes[] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
    uint8_t out[8];

    (void)state;
    assert_int_equal(be32_read(bytes), 0x01234567);
    assert_true(be64_read(bytes) == UINT64_C(0x0123456789abcdef));
    be32_write(out, 0x89abcdef);
    assert_memory_equal(out, bytes + 4, 4);
    be64_write(out, UINT64_C(0x0123456789abcdef));
    assert_memory_equal(out, bytes, 8);
}

static void hexadecimal_reads_back(void **state)
{
    const uint8_t bytes[] = {0x00, 0x9a, 0xff};
    char text[7];
    uint8_t out[3];

    (void)state;
    hex_write(text, SLICE(bytes));
    assert_string_equal(text, "009aff");
    assert_true(hex_read(out, 3, "009AfF"));
    assert_memory_equal(out, bytes, 3);
    assert_false(hex_read(out, 3, "009af"));
    assert_false(hex_read(out, 3, "009aff0"));
    assert_false(hex_read(out, 3, "009afg"));
    assert_false(hex_read(out, 3, " 09aff"));
    assert_false(hex_read(out, 3, ""));
    assert_true(hex_read(out, 0, ""));
}

static void a_text_is_copied_whole(void **state)
{
    char *copy = mem_text("navette");

    (void)state;
    assert_string_equal(copy, "navette");
    free(copy);
}

static void code_points_are_read_with_their_length(void **state)
{
    static const struct {
        const char *text;
        size_t n;
        uint32_t point;
    } cases[] = {
        {"a", 1, 'a'},
        {"\x7f", 1, 0x7f},
        {"\xc2\x80", 2, 0x80},
        {"\xdf\xbf", 2, 0x7ff},
        {"\xe0\xa0\x80", 3, 0x800},
        {"\xed\x9f\xbf", 3, 0xd7ff},
        {"\xee\x80\x80", 3, 0xe000},
        {"\xef\xbf\xbf", 3, 0xffff},
        {"\xf0\x90\x80\x80", 4, 0x10000},
        {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint32_t point = 0;

        assert_int_equal(slice_code_point(slice_text(cases[i].text), &point), cases[i].n);
        assert_int_equal(point, cases[i].point);
        assert_true(slice_is_utf8(slice_text(cases[i].text)));
    }
    assert_true(slice_is_utf8((struct slice){0}));
    assert_true(slice_is_utf8((struct slice){(const uint8_t *)"a\0b", 3}));
}

static void what_is_no_utf8_is_refused(void **state)
{
    static const char *const cases[] = {
        "\x80",     /* a continuation alone */
        "\xc0\x80", /* too long forms of NUL, '/', U+07FF, U+FFFF */
        "\xc1\xaf",
        "\xe0\x9f\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80", /* surrogates */
        "\xed\xbf\xbf",
        "\xf4\x90\x80\x80", /* beyond U+10FFFF */
        "\xf8\x88\x80\x80\x80",
        "\xff",
        "\xc3", /* cut off */
        "\xe2\x82",
        "\xf0\x9f\x8d",
        "\xc3(", /* no continuation */
        "\xe2\x82(",
        "caf\xe9",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_false(slice_is_utf8(slice_text(cases[i])));
}

/* Every byte string is either refused or exactly the encoding of the points that were read. */
static void random_bytes_are_refused_or_encode_back(void **state)
{
    struct random_source s = {test_seed(9)};
    int accepted = 0;

    (void)state;
    for (int i = 0; i < 300000; i++) {
        uint8_t in[4], out[4];
        uint32_t point = 0;
        size_t n;

        in[0] = (uint8_t)(0xc0 | random_below(&s, 64));
        for (int k = 1; k < 4; k++)
            in[k] = (uint8_t)(random_below(&s, 8) ? 0x80 | random_below(&s, 64) : random_next(&s));
        n = slice_code_point(SLICE(in), &point);
        if (n == 0)
            continue;
        assert_true(point <= 0x10ffff && (point < 0xd800 || point > 0xdfff));
        assert_int_equal(n, point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4);
        for (size_t k = n; k-- > 1; point >>= 6)
            out[k] = (uint8_t)(0x80 | (point & 0x3f));
        out[0] = (uint8_t)(n == 2 ? 0xc0 | point : n == 3 ? 0xe0 | point : 0xf0 | point);
        assert_memory_equal(in, out, n);
        accepted++;
    }
    assert_true(accepted > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_are_compared_by_bytes_then_by_length),
        cmocka_unit_test(a_zeroed_buffer_takes_nothing),
        cmocka_unit_test(a_buffer_grows_up_to_its_maximum_and_no_further),
        cmocka_unit_test(after_an_overflow_nothing_is_written_until_clear),
        cmocka_unit_test(a_size_near_the_largest_does_not_wrap_around),
        cmocka_unit_test(taking_from_the_front_keeps_the_rest),
        cmocka_unit_test(wiping_releases_too),
        cmocka_unit_test(big_endian_numbers_read_back),
        cmocka_unit_test(hexadecimal_reads_back),
        cmocka_unit_test(a_text_is_copied_whole),
        cmocka_unit_test(code_points_are_read_with_their_length),
        cmocka_unit_test(what_is_no_utf8_is_refused),
        cmocka_unit_test(random_bytes_are_refused_or_encode_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
