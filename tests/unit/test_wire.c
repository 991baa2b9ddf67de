#include <navette/wire.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <navette/bounds.h>

#include "random.h"

/* The bytes of a hexadecimal text, good until the next call. */
static struct slice hex(const char *text)
{
    static uint8_t bytes[256];
    size_t n = strlen(text) / 2;

    assert_true(n <= sizeof bytes && hex_read(bytes, n, text));
    return (struct slice){bytes, n};
}

static void expect_bytes(struct buf *b, const char *wanted)
{
    char text[512];

    assert_true(b->n < sizeof text / 2);
    hex_write(text, buf_slice(b));
    assert_string_equal(text, wanted);
    buf_clear(b);
}

static void integers_take_their_shortest_form(void **state)
{
    static const struct {
        int64_t i;
        const char *bytes;
    } cases[] = {
        {0, "00"},
        {127, "7f"},
        {128, "cc80"},
        {255, "ccff"},
        {256, "cd0100"},
        {65535, "cdffff"},
        {65536, "ce00010000"},
        {UINT32_MAX, "ceffffffff"},
        {INT64_C(1) << 32, "cf0000000100000000"},
        {INT64_MAX, "cf7fffffffffffffff"},
        {-1, "ff"},
        {-32, "e0"},
        {-33, "d0df"},
        {-128, "d080"},
        {-129, "d1ff7f"},
        {-32768, "d18000"},
        {-32769, "d2ffff7fff"},
        {INT32_MIN, "d280000000"},
        {(int64_t)INT32_MIN - 1, "d3ffffffff7fffffff"},
        {INT64_MIN, "d38000000000000000"},
    };
    struct buf b;
    struct writer w = {&b};

    (void)state;
    buf_open(&b, 100);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err e = {0};
        struct reader r = reader_of(hex(cases[i].bytes), &e);

        assert_int_equal(read_int(&r), cases[i].i);
        assert_true(read_end(&r));
        write_int(&w, cases[i].i);
        expect_bytes(&b, cases[i].bytes);
        if (cases[i].i < 0)
            continue;
        r = reader_of(hex(cases[i].bytes), &e);
        assert_int_equal(read_uint(&r, UINT64_MAX, "n"), cases[i].i);
        assert_true(read_end(&r));
        write_uint(&w, (uint64_t)cases[i].i);
        expect_bytes(&b, cases[i].bytes);
    }
    buf_close(&b);
}

static void other_types_take_their_shortest_form(void **state)
{
    struct buf b;
    struct writer w = {&b};
    const uint8_t bytes[] = {1, 2};

    (void)state;
    buf_open(&b, 100);
    write_nil(&w);
    write_bool(&w, true);
    write_bool(&w, false);
    expect_bytes(&b, "c0c3c2");
    write_real(&w, -0.0);
    write_real(&w, 1.5);
    write_real(&w, INFINITY);
    expect_bytes(&b, "cb8000000000000000cb3ff8000000000000cb7ff0000000000000");
    write_text(&w, slice_text(""));
    write_text(&w, slice_text("hey"));
    expect_bytes(&b, "a0a3686579");
    write_bin(&w, SLICE(bytes));
    expect_bytes(&b, "c4020102");
    write_array(&w, 15);
    write_array(&w, 16);
    write_array(&w, 65536);
    expect_bytes(&b, "9fdc0010dd00010000");
    write_value(&w, &(struct value){.type = VALUE_REF, .ref = {.actor = 2, .counter = 259}});
    expect_bytes(&b, "c70c01000000020000000000000103");
    write_uint(&w, UINT64_MAX);
    expect_bytes(&b, "cfffffffffffffffff");
    buf_close(&b);
}

/* SQLite knows no NaN: it stores NULL. */
static void a_nan_is_written_as_null(void **state)
{
    struct buf b;
    struct writer w = {&b};

    (void)state;
    buf_open(&b, 100);
    write_value(&w, &(struct value){.type = VALUE_REAL, .r = NAN});
    expect_bytes(&b, "c0");
    buf_close(&b);
}

static void lengths_take_their_shortest_form_and_read_back(void **state)
{
    static const size_t sizes[] = {0, 1, 31, 32, 255, 256, 65535, 65536};
    static uint8_t bytes[65536];
    struct buf b;
    struct writer w = {&b};

    (void)state;
    buf_open(&b, 1 << 20);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        size_t n = sizes[i];
        struct slice s = {bytes, n};
        struct err e = {0};
        struct reader r;

        buf_clear(&b);
        write_text(&w, s);
        assert_int_equal(b.n, n + (n < 32 ? 1 : n < 256 ? 2 : n < 65536 ? 3 : 5));
        write_bin(&w, s);
        r = reader_of(buf_slice(&b), &e);
        assert_true(slice_equal(read_text(&r, n, "text"), s));
        assert_true(slice_equal(read_bin(&r, n, "bin"), s));
        assert_true(read_end(&r));
    }
    buf_close(&b);
}

static void a_full_buffer_is_the_writers_failure(void **state)
{
    struct buf b;
    struct writer w = {&b};

    (void)state;
    buf_open(&b, 4);
    write_uint(&w, 1);
    write_text(&w, slice_text("long"));
    write_uint(&w, 2);
    assert_true(b.overflow);
    buf_close(&b);
}

/* Each of them holds what the shorter form in the comment holds. */
static void longer_forms_than_needed_are_refused(void **state)
{
    static const char *const cases[] = {
        "cc7f",               /* 7f */
        "cd00ff",             /* cc ff */
        "ce0000ffff",         /* cd ffff */
        "cf00000000ffffffff", /* ce ffffffff */
        "d0e0",               /* e0 */
        "d001",               /* 01 */
        "d1ff80",             /* d0 80 */
        "d10080",             /* cc 80 */
        "d2ffff8000",         /* d1 8000 */
        "d200008000",         /* cd 8000 */
        "d3ffffffff80000000", /* d2 80000000 */
        "d37fffffffffffffff", /* cf 7f... */
        "d90161",             /* a1 61 */
        "da000161",           /* a1 61 */
        "db0000000161",       /* a1 61 */
        "c5000161",           /* c4 01 61 */
        "c60000000161",       /* c4 01 61 */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err e = {0};
        struct reader r = reader_of(hex(cases[i]), &e);

        read_value(&r);
        assert_true(r.failed);
        assert_int_equal(e.code, ERR_INPUT);
        assert_non_null(strstr(e.text, "shortest"));
    }
}

static void longer_array_headers_than_needed_are_refused(void **state)
{
    static const char *const cases[] = {"dc000f00000000000000000000000000000000", "dd0000000100"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err e = {0};
        struct reader r = reader_of(hex(cases[i]), &e);

        assert_int_equal(read_array(&r, UINT32_MAX, "list"), 0);
        assert_non_null(strstr(e.text, "list is not in its shortest form"));
    }
}

static void a_count_beyond_the_bytes_that_are_left_is_refused(void **state)
{
    struct err e = {0};
    struct reader r = reader_of(hex("ddffffffff"), &e);

    (void)state;
    assert_int_equal(read_array(&r, UINT32_MAX, "list"), 0);
    assert_int_equal(e.code, ERR_INPUT);
    err_clear(&e);
    r = reader_of(hex("930000"), &e);
    assert_int_equal(read_array(&r, 3, "list"), 0);
    assert_string_equal(e.text, "list is cut off: 3 elements in 2 bytes");
}

static void what_exceeds_its_maximum_is_refused_with_the_limit(void **state)
{
    struct err e = {0};
    struct reader r = reader_of(hex("93000000"), &e);

    (void)state;
    assert_int_equal(read_array(&r, 2, "list"), 0);
    assert_int_equal(e.code, ERR_LIMIT);
    assert_string_equal(e.text, "list has 3 elements, allowed up to 2");
    err_clear(&e);
    r = reader_of(hex("cd0100"), &e);
    assert_int_equal(read_uint(&r, 255, "size"), 0);
    assert_int_equal(e.code, ERR_LIMIT);
    err_clear(&e);
    r = reader_of(hex("a3616263"), &e);
    assert_int_equal(read_text(&r, 2, "name").n, 0);
    assert_int_equal(e.code, ERR_LIMIT);
    err_clear(&e);
    r = reader_of(hex("cfffffffffffffffff"), &e);
    assert_int_equal(read_int(&r), 0);
    assert_int_equal(e.code, ERR_LIMIT);
}

static void a_value_of_sixteen_megabytes_is_the_largest(void **state)
{
    struct buf b;
    struct writer w = {&b};
    struct err e = {0};
    struct reader r;

    (void)state;
    buf_open(&b, VALUE_BYTES_MAX + 100);
    for (size_t n = VALUE_BYTES_MAX; n <= VALUE_BYTES_MAX + 1; n++) {
        uint8_t *bytes = mem_alloc(n);

        buf_clear(&b);
        write_bin(&w, (struct slice){bytes, n});
        r = reader_of(buf_slice(&b), &e);
        assert_int_equal(read_value(&r).bytes.n, n > VALUE_BYTES_MAX ? 0 : n);
        free(bytes);
    }
    assert_int_equal(e.code, ERR_LIMIT);
    buf_close(&b);
}

static void a_wrong_type_is_refused(void **state)
{
    struct err e = {0};
    struct reader r;

    (void)state;
    r = reader_of(hex("a0"), &e);
    assert_int_equal(read_uint(&r, 9, "n"), 0);
    assert_string_equal(e.text, "n has the wrong type (msgpack byte 0xa0)");
    err_clear(&e);
    r = reader_of(hex("ff"), &e);
    read_uint(&r, 9, "n");
    assert_true(r.failed);
    err_clear(&e);
    r = reader_of(hex("01"), &e);
    assert_int_equal(read_text(&r, 9, "t").n, 0);
    assert_true(r.failed);
    err_clear(&e);
    r = reader_of(hex("a0"), &e);
    read_bin(&r, 9, "b");
    assert_true(r.failed);
    err_clear(&e);
    r = reader_of(hex("c0"), &e);
    assert_false(read_bool(&r));
    assert_true(r.failed);
    err_clear(&e);
    r = reader_of(hex("c2"), &e);
    read_nil(&r);
    assert_true(r.failed);
    err_clear(&e);
    r = reader_of(hex("80"), &e);
    read_array(&r, 9, "list");
    assert_true(r.failed);
}

static void what_is_no_sqlite_value_is_refused(void **state)
{
    static const char *const cases[] = {
        "c1", /* never used */
        "c2",
        "c3",         /* booleans */
        "ca3f800000", /* float 32 */
        "cb7ff8000000000000",
        "cbfff0000000000001", /* NaN */
        "90",
        "80",
        "de0000",                         /* array, map */
        "c70c02000000020000000000000103", /* another extension */
        "c70b010000000200000000000103",   /* a short one */
        "c70c01000000020000000000000000", /* counter 0 */
        "c70c01000000020004000000000000", /* counter 2^50 */
        "d60100000000",                   /* fixed extension */
        "cfffffffffffffffff",             /* beyond 64 bits with sign */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err e = {0};
        struct reader r = reader_of(hex(cases[i]), &e);

        assert_int_equal(read_value(&r).type, VALUE_NULL);
        assert_true(r.failed);
        assert_int_not_equal(e.code, ERR_NONE);
    }
}

static void the_first_failure_stands_and_nothing_moves_after_it(void **state)
{
    struct err e = {0};
    struct reader r = reader_of(hex("a161c0ff"), &e);
    uint8_t out[2] = {9, 9};

    (void)state;
    read_uint(&r, 9, "first");
    read_nil(&r);
    assert_int_equal(read_int(&r), 0);
    assert_int_equal(read_text(&r, 9, "second").n, 0);
    assert_int_equal(read_array(&r, 9, "third"), 0);
    assert_int_equal(read_value(&r).type, VALUE_NULL);
    read_bin_exact(&r, out, 2, "fourth");
    assert_int_equal(out[0] + out[1], 0);
    assert_non_null(strstr(e.text, "first"));
    assert_false(read_end(&r));
}

static void bytes_left_over_are_a_failure(void **state)
{
    struct err e = {0};
    struct reader r = reader_of(hex("0102"), &e);

    (void)state;
    assert_int_equal(read_uint(&r, 9, "n"), 1);
    assert_false(read_end(&r));
    assert_string_equal(e.text, "1 bytes too many at the end");
}

static void exact_reads_want_the_exact_size(void **state)
{
    struct err e = {0};
    struct reader r = reader_of(hex("c4020102"), &e);
    uint8_t out[3];

    (void)state;
    read_bin_exact(&r, out, 3, "key");
    assert_string_equal(e.text, "key has 2 bytes instead of 3");
    err_clear(&e);
    r = reader_of(hex("c4020102"), &e);
    read_bin_exact(&r, out, 2, "key");
    assert_true(read_end(&r));
    assert_int_equal(out[1], 2);
    r = reader_of(hex("920102"), &e);
    read_array_exact(&r, 3, "pair");
    assert_string_equal(e.text, "pair has 2 elements instead of 3");
}

static struct value random_value(struct random_source *s)
{
    static const uint8_t bytes[70000];
    struct value v = {.type = (enum value_type)random_below(s, VALUE_REF + 1)};
    uint64_t bits = random_bits(s);

    if (v.type == VALUE_INT) {
        v.i = random_below(s, 2) ? (int64_t)(bits >> 1) : -(int64_t)(bits >> 1) - 1;
    } else if (v.type == VALUE_REAL) {
        memcpy(&v.r, &bits, sizeof v.r);
        if (isnan(v.r))
            v.r = 0.1;
    } else if (v.type == VALUE_TEXT || v.type == VALUE_BLOB) {
        v.bytes = (struct slice){bytes, bits % sizeof bytes};
    } else if (v.type == VALUE_REF) {
        v.ref.actor = (uint32_t)random_bits(s);
        v.ref.counter = 1 + bits % (GID_COUNTER_MAX - 1);
    }
    return v;
}

static void random_values_read_back_and_write_the_same_bytes(void **state)
{
    struct random_source s = {test_seed(3)};
    struct buf b, again;
    struct writer w = {&b}, w2 = {&again};

    (void)state;
    buf_open(&b, 1 << 20);
    buf_open(&again, 1 << 20);
    for (int i = 0; i < 20000; i++) {
        struct value v = random_value(&s), back;
        struct err e = {0};
        struct reader r;

        buf_clear(&b);
        buf_clear(&again);
        write_value(&w, &v);
        r = reader_of(buf_slice(&b), &e);
        back = read_value(&r);
        assert_true(read_end(&r));
        assert_true(value_equal(&v, &back));
        write_value(&w2, &back);
        assert_true(slice_equal(buf_slice(&b), buf_slice(&again)));
    }
    buf_close(&b);
    buf_close(&again);
}

/* Whatever the reader takes as a value, it takes in one form only. */
static void random_bytes_are_refused_or_written_back_the_same(void **state)
{
    struct random_source s = {test_seed(4)};
    struct buf again;
    struct writer w = {&again};
    int taken = 0;

    (void)state;
    buf_open(&again, 1 << 20);
    for (int i = 0; i < 200000; i++) {
        uint8_t bytes[16];
        struct err e = {0};
        struct reader r;
        struct value v;

        for (size_t k = 0; k < sizeof bytes; k++)
            bytes[k] = (uint8_t)(random_below(&s, 3) ? random_next(&s) : 0);
        bytes[0] = (uint8_t)(0xc0 + random_below(&s, 0x20));
        r = reader_of(SLICE(bytes), &e);
        v = read_value(&r);
        assert_int_equal(r.failed, e.code != ERR_NONE);
        if (r.failed)
            continue;
        buf_clear(&again);
        write_value(&w, &v);
        assert_int_equal(again.n, sizeof bytes - r.left.n);
        assert_memory_equal(again.p, bytes, again.n);
        taken++;
    }
    assert_true(taken > 1000);
    buf_close(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_take_their_shortest_form),
        cmocka_unit_test(other_types_take_their_shortest_form),
        cmocka_unit_test(a_nan_is_written_as_null),
        cmocka_unit_test(lengths_take_their_shortest_form_and_read_back),
        cmocka_unit_test(a_full_buffer_is_the_writers_failure),
        cmocka_unit_test(longer_forms_than_needed_are_refused),
        cmocka_unit_test(longer_array_headers_than_needed_are_refused),
        cmocka_unit_test(a_count_beyond_the_bytes_that_are_left_is_refused),
        cmocka_unit_test(what_exceeds_its_maximum_is_refused_with_the_limit),
        cmocka_unit_test(a_value_of_sixteen_megabytes_is_the_largest),
        cmocka_unit_test(a_wrong_type_is_refused),
        cmocka_unit_test(what_is_no_sqlite_value_is_refused),
        cmocka_unit_test(the_first_failure_stands_and_nothing_moves_after_it),
        cmocka_unit_test(bytes_left_over_are_a_failure),
        cmocka_unit_test(exact_reads_want_the_exact_size),
        cmocka_unit_test(random_values_read_back_and_write_the_same_bytes),
        cmocka_unit_test(random_bytes_are_refused_or_written_back_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
