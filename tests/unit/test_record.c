/* Records as the ledger stores them: what goes in comes out, and nothing else comes out of noise.
 */
#include "record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <navette/bounds.h>

#include "random.h"

#define WIDEST (2 * COLUMNS_MAX) /* columns that a table can have had */

static struct value text_value(const char *text)
{
    return (struct value){.type = VALUE_TEXT, .bytes = slice_text(text)};
}

static void encode(const struct record *r, struct buf *out)
{
    buf_open(out, 1u << 24);
    record_encode(r, out);
    assert_false(out->overflow);
}

static void expect_same_clock(const struct local_clock *a, const struct local_clock *b)
{
    assert_true(a->stamp == b->stamp);
    assert_true(a->number == b->number);
    assert_int_equal(a->actor, b->actor);
    assert_true(a->row == b->row);
}

static void expect_same(const struct record *a, const struct record *b)
{
    assert_int_equal(a->n, b->n);
    expect_same_clock(&a->dead, &b->dead);
    for (uint32_t i = 0; i < a->n; i++) {
        assert_int_equal(a->cells[i].set, b->cells[i].set);
        if (!a->cells[i].set)
            continue;
        assert_true(value_equal(&a->cells[i].v, &b->cells[i].v));
        expect_same_clock(&a->cells[i].clock, &b->cells[i].clock);
    }
}

static void expect_round_trip(const struct record *r)
{
    struct record back = {0};
    struct buf bytes;
    struct err e = {0};

    encode(r, &bytes);
    if (!record_decode(&back, buf_slice(&bytes), &e))
        fail_msg("%s", e.text);
    expect_same(r, &back);
    record_close(&back);
    buf_close(&bytes);
}

static void every_kind_of_value_comes_back_bit_for_bit(void **state)
{
    static const uint8_t zeros[] = {0, 1, 0};
    const struct value values[] = {
        {.type = VALUE_NULL},
        {.type = VALUE_INT, .i = 0},
        {.type = VALUE_INT, .i = -1},
        {.type = VALUE_INT, .i = INT64_MIN},
        {.type = VALUE_INT, .i = INT64_MAX},
        {.type = VALUE_REAL, .r = 0.1},
        {.type = VALUE_REAL, .r = -0.0},
        {.type = VALUE_REAL, .r = 5e-324},
        {.type = VALUE_TEXT},
        {.type = VALUE_TEXT, .bytes = SLICE(zeros)},
        {.type = VALUE_BLOB},
        {.type = VALUE_BLOB, .bytes = SLICE(zeros)},
        {.type = VALUE_REF, .ref = {1, 1}},
        {.type = VALUE_REF, .ref = {ACTORS_MAX, GID_COUNTER_MAX - 1}},
    };
    struct record r = {0};

    (void)state;
    for (uint32_t i = 0; i < COUNT_OF(values); i++)
        *record_cell(&r, 2 * i) = (struct cell){
            .v = values[i],
            .clock = {.stamp = i % 3, .number = 1 + i, .actor = i, .row = (int64_t)(i % 2) << 50},
            .set = true};
    expect_round_trip(&r);
    r.dead = (struct local_clock){.stamp = UINT64_MAX, .number = UINT64_MAX, .actor = UINT32_MAX};
    expect_round_trip(&r);
    record_close(&r);
}

static void a_row_of_the_widest_table_comes_back_with_a_clock_for_each_cell(void **state)
{
    struct record r = {0};

    (void)state;
    for (uint32_t i = 0; i < WIDEST; i++)
        *record_cell(&r, i) = (struct cell){.v = {.type = VALUE_INT, .i = i},
                                            .clock = {.stamp = i, .number = 1, .actor = 1},
                                            .set = true};
    r.dead = (struct local_clock){.stamp = WIDEST, .number = 2, .actor = 1};
    expect_round_trip(&r);
    record_close(&r);
}

static void an_empty_record_and_unset_cells_come_back(void **state)
{
    struct record r = {0};

    (void)state;
    expect_round_trip(&r);
    record_cell(&r, 40);
    expect_round_trip(&r);
    assert_null(record_get(&r, 40));
    assert_null(record_get(&r, 4000));
    record_close(&r);
}

static void a_record_has_no_cells_until_one_is_said(void **state)
{
    struct record r = {0};

    (void)state;
    assert_false(record_has_cells(&r));
    record_cell(&r, 2);
    assert_false(record_has_cells(&r));
    record_cell(&r, 1)->set = true;
    assert_true(record_has_cells(&r));
    record_clear(&r);
    r.dead.number = 1;
    assert_false(record_has_cells(&r));
    record_close(&r);
}

/* The bytes may be those of a statement, or of the record itself: they are copied first. */
static void what_was_decoded_outlives_the_bytes_it_came_from(void **state)
{
    struct record r = {0}, back = {0};
    struct buf bytes;
    struct err e = {0};
    struct value expected = text_value("Ana");

    (void)state;
    *record_cell(&r, 0) = (struct cell){.v = expected, .clock.number = 1, .set = true};
    encode(&r, &bytes);
    assert_true(record_decode(&back, buf_slice(&bytes), &e));
    memset(bytes.p, 0xee, bytes.n);
    assert_true(value_equal(&back.cells[0].v, &expected));
    buf_close(&bytes);
    record_close(&back);
    record_close(&r);
}

static void
a_record_that_was_cut_or_changed_is_refused_or_read_but_never_beyond_its_end(void **state)
{
    struct random_source random = {test_seed(5)};
    struct record r = {0}, back = {0};
    struct buf bytes;
    struct err e = {0};

    (void)state;
    for (uint32_t i = 0; i < 9; i++)
        *record_cell(&r, i) = (struct cell){.v = i % 2 == 0 ? text_value("some text")
                                                            : (struct value){.type = VALUE_INT},
                                            .clock = {.stamp = i, .number = 1, .actor = 1},
                                            .set = i != 4};
    encode(&r, &bytes);
    for (size_t n = 0; n < bytes.n; n++) {
        uint8_t *exactly = malloc(n + 1);

        memcpy(exactly, bytes.p, n);
        assert_false(record_decode(&back, (struct slice){exactly, n}, &e));
        assert_int_equal(e.code, ERR_STORE);
        err_clear(&e);
        free(exactly);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t *mutant = malloc(bytes.n);

        memcpy(mutant, bytes.p, bytes.n);
        for (uint32_t k = random_below(&random, 3) + 1; k > 0; k--)
            mutant[random_below(&random, (uint32_t)bytes.n)] = (uint8_t)random_next(&random);
        if (!record_decode(&back, (struct slice){mutant, bytes.n}, &e))
            err_clear(&e);
        free(mutant);
    }
    buf_close(&bytes);
    record_close(&back);
    record_close(&r);
}

static void numbers_of_any_size_come_back_and_overlong_ones_are_refused(void **state)
{
    static const uint8_t endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                      0x80, 0x80, 0x80, 0x80, 0x80, 0x01};
    struct slice in = SLICE(endless);
    struct buf out;
    uint64_t u;

    (void)state;
    buf_open(&out, 64);
    for (unsigned shift = 0; shift < 64; shift++) {
        uint64_t v = (UINT64_C(1) << shift) - (shift % 2);

        buf_clear(&out);
        varint_write(&out, v);
        in = buf_slice(&out);
        assert_true(varint_read(&in, &u));
        assert_true(u == v);
        assert_int_equal(in.n, 0);
    }
    in = SLICE(endless);
    assert_false(varint_read(&in, &u));
    in = (struct slice){endless, 3};
    assert_false(varint_read(&in, &u));
    buf_close(&out);
}

static void packed_keys_differ_where_values_do(void **state)
{
    const struct value values[] = {
        {.type = VALUE_INT, .i = 1},
        {.type = VALUE_REAL, .r = 1},
        text_value("1"),
        {.type = VALUE_BLOB, .bytes = {(const uint8_t *)"1", 1}},
        {.type = VALUE_NULL},
        {.type = VALUE_REF, .ref = {0, 1}},
        {.type = VALUE_REAL, .r = 0.0},
        {.type = VALUE_REAL, .r = -0.0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(values); i++)
        for (size_t k = 0; k < COUNT_OF(values); k++) {
            struct buf a, b;
            struct slice in;
            struct value back;

            buf_open(&a, 64);
            buf_open(&b, 64);
            packed_value_write(&a, &values[i]);
            packed_value_write(&b, &values[k]);
            assert_int_equal(slice_equal(buf_slice(&a), buf_slice(&b)), i == k);
            in = buf_slice(&a);
            assert_true(packed_value_read(&in, &back));
            assert_true(value_equal(&back, &values[i]));
            assert_int_equal(in.n, 0);
            buf_close(&a);
            buf_close(&b);
        }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value_comes_back_bit_for_bit),
        cmocka_unit_test(a_row_of_the_widest_table_comes_back_with_a_clock_for_each_cell),
        cmocka_unit_test(an_empty_record_and_unset_cells_come_back),
        cmocka_unit_test(a_record_has_no_cells_until_one_is_said),
        cmocka_unit_test(what_was_decoded_outlives_the_bytes_it_came_from),
        cmocka_unit_test(
            a_record_that_was_cut_or_changed_is_refused_or_read_but_never_beyond_its_end),
        cmocka_unit_test(numbers_of_any_size_come_back_and_overlong_ones_are_refused),
        cmocka_unit_test(packed_keys_differ_where_values_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
