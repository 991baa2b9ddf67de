/* Also of outline_write.c. */
#include <navette/outline.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sample.h"

/* The sample's body: 150 articles with gaps between their numbers, with a delete before and an
 * update behind them, and 70 places, whose key is a reference and a text. */
#define BODY_ROWS (1 + 150 + 1 + 70)
#define RUN_ROWS  (150 + 70)

/* What `wide` asks for of all rows. */
static struct buf ask_all(struct slice body, enum outline_ask what, uint32_t n)
{
    struct buf picks, answer;
    struct err e = {0};
    bool *all = mem_alloc(n);

    memset(all, true, n);
    buf_open(&picks, PICKS_BYTES_MAX);
    buf_open(&answer, BODY_BYTES_MAX);
    outline_picks_write(&picks, all, n);
    if (!outline_answer(&answer, body, what, buf_slice(&picks), &e))
        fail_msg("%s", e.text);
    buf_close(&picks);
    free(all);
    return answer;
}

/* The body again from its outline and the cells of its rows. */
static bool rebuild(struct buf *again, struct slice outline, struct slice cells, uint32_t rows)
{
    struct outline o;
    struct err e = {0};
    bool ok = outline_read(&o, outline, rows, &e);
    struct slice *list = mem_alloc((o.row_count + 1) * sizeof *list);

    for (uint32_t i = 0; ok && i < o.row_count; i++)
        ok = outline_next(&o, &o.rows[i], &cells, &list[i], &e);
    if (ok)
        outline_body(again, &o, list);
    assert_true(ok == (e.code == ERR_NONE));
    free(list);
    outline_close(&o);
    return ok;
}

static void the_golden_outline_is_made_of_the_golden_body(void **state)
{
    struct buf body, golden, made;
    struct err e = {0};

    (void)state;
    sample_golden(&body, "outline_body.bin");
    sample_golden(&golden, "outline_1.bin");
    assert_true(body_check(buf_slice(&body), INT64_MAX, BODY_ROWS, &e));
    buf_open(&made, BODY_BYTES_MAX);
    assert_true(outline_write(&made, buf_slice(&body), &e));
    assert_true(slice_equal(buf_slice(&made), buf_slice(&golden)));
    buf_close(&body);
    buf_close(&golden);
    buf_close(&made);
}

static void an_outline_and_the_cells_give_back_the_very_same_body(void **state)
{
    struct buf body, outline, again, cells;

    (void)state;
    sample_golden(&body, "outline_body.bin");
    sample_golden(&outline, "outline_1.bin");
    cells = ask_all(buf_slice(&body), OUTLINE_CELLS, RUN_ROWS);
    buf_open(&again, BODY_BYTES_MAX);
    assert_true(rebuild(&again, buf_slice(&outline), buf_slice(&cells), BODY_ROWS));
    assert_true(slice_equal(buf_slice(&again), buf_slice(&body)));
    buf_close(&body);
    buf_close(&outline);
    buf_close(&again);
    buf_close(&cells);
}

static void digests_and_marks_are_those_of_the_rows(void **state)
{
    struct buf body, outline, marks, cells;
    struct slice left, one;
    struct outline o;
    struct err e = {0};

    (void)state;
    sample_golden(&body, "outline_body.bin");
    sample_golden(&outline, "outline_1.bin");
    assert_true(outline_read(&o, buf_slice(&outline), BODY_ROWS, &e));
    assert_int_equal(o.row_count, RUN_ROWS);
    assert_int_equal(o.range_count, 3 + 2);
    marks = ask_all(buf_slice(&body), OUTLINE_MARKS, o.range_count);
    cells = ask_all(buf_slice(&body), OUTLINE_CELLS, RUN_ROWS);
    assert_int_equal(marks.n, RUN_ROWS * OUTLINE_MARK_BYTES);
    left = buf_slice(&cells);
    for (uint32_t i = 0; i < o.row_count; i++) {
        uint8_t mark[OUTLINE_MARK_BYTES];

        assert_true(outline_next(&o, &o.rows[i], &left, &one, &e));
        outline_mark(mark, one);
        assert_memory_equal(mark, marks.p + i * OUTLINE_MARK_BYTES, sizeof mark);
    }
    for (uint32_t i = 0; i < o.range_count; i++) {
        uint8_t *at = marks.p + o.ranges[i].first * OUTLINE_MARK_BYTES;

        assert_true(outline_same(&o.ranges[i], at));
        at[0] ^= 1;
        assert_false(outline_same(&o.ranges[i], at));
    }
    assert_int_equal(o.rows[0].key, -3);
    assert_int_equal(o.rows[11].key, 10);
    assert_int_equal(o.rows[149].key, 149 - 3 + 2 + 1000);
    assert_int_equal(o.rows[150].gid.counter, 5000);
    outline_close(&o);
    buf_close(&body);
    buf_close(&outline);
    buf_close(&marks);
    buf_close(&cells);
}

static void only_what_is_picked_is_answered(void **state)
{
    static const uint8_t second_and_fourth[] = {0x94, 1, 1, 1, 1};
    struct buf body, cells, all;
    struct err e = {0};

    (void)state;
    sample_golden(&body, "outline_body.bin");
    all = ask_all(buf_slice(&body), OUTLINE_CELLS, RUN_ROWS);
    buf_open(&cells, BODY_BYTES_MAX);
    assert_true(
        outline_answer(&cells, buf_slice(&body), OUTLINE_CELLS, SLICE(second_and_fourth), &e));
    assert_true(cells.n > 0 && cells.n < all.n / 50);
    buf_clear(&cells);
    assert_true(
        outline_answer(&cells, buf_slice(&body), OUTLINE_MARKS, SLICE(second_and_fourth), &e));
    assert_int_equal(cells.n, (64 + 64) * OUTLINE_MARK_BYTES);
    buf_close(&body);
    buf_close(&cells);
    buf_close(&all);
}

static void a_small_body_and_one_of_updates_get_no_outline(void **state)
{
    struct buf body = {0}, out;
    struct err e = {0};

    (void)state;
    buf_open(&out, BODY_BYTES_MAX);
    sample_body(&body);
    assert_true(outline_write(&out, buf_slice(&body), &e));
    assert_int_equal(out.n, 0);
    buf_close(&body);
    buf_close(&out);
}

static void picks_read_as_they_were_written(void **state)
{
    bool picked[300], again[300];
    struct err e = {0};
    struct buf out;

    (void)state;
    for (uint32_t kind = 0; kind < 6; kind++) {
        uint32_t n = kind == 5 ? 1 : 300;

        memset(again, 0, sizeof again);
        for (uint32_t i = 0; i < n; i++)
            picked[i] = kind == 0 ? false : kind == 1 ? true : i * 7919 % kind == 0;
        buf_open(&out, PICKS_BYTES_MAX);
        outline_picks_write(&out, picked, n);
        assert_true(outline_picks_read(again, n, buf_slice(&out), &e));
        assert_memory_equal(picked, again, n);
        buf_close(&out);
    }
}

static void picks_that_are_none_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } bad[] = {{"", 0},
               {"\x91\x01", 2},         /* no pair */
               {"\x92\x01", 2},         /* cut off */
               {"\x92\x01\x00", 3},     /* takes nothing */
               {"\x92\x09\x02", 3},     /* beyond ten */
               {"\x92\x0b\x01", 3},     /* likewise */
               {"\x92\x01\x01\x00", 4}, /* bytes left over */
               {"\x92\xcc\x01\x01", 4}, /* not the shortest form */
               {"\xdd\xff\xff\xff\xff\x01", 6}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct err e = {0};
        bool picked[10] = {0};

        assert_false(outline_picks_read(
            picked, 10, (struct slice){(const uint8_t *)bad[i].bytes, bad[i].n}, &e));
        assert_int_not_equal(e.code, ERR_NONE);
    }
}

static void keys_of_any_distance_read_as_they_were_written(void **state)
{
    static const int64_t lists[][4] = {{1, 2, 3, 4},
                                       {INT64_MIN, INT64_MIN + 1, -1, INT64_MAX},
                                       {INT64_MIN, 0, INT64_MAX - 1, INT64_MAX},
                                       {-7, -6, 40, 100}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        int64_t again[4];
        struct err e = {0};
        struct buf out;

        buf_open(&out, 256);
        outline_keys_write(&out, lists[i], 4);
        if (!outline_keys_read(again, 4, buf_slice(&out), &e))
            fail_msg("%s", e.text);
        assert_memory_equal(again, lists[i], sizeof again);
        buf_close(&out);
    }
}

static void keys_beyond_64_bits_and_empty_gaps_are_refused(void **state)
{
    static const uint8_t beyond[] = {0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t far[] = {0x01, 0x01, 0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe};
    static const uint8_t none[] = {0x01, 0x01, 0x00}, at_once[] = {0x01, 0x00, 0x05};
    const struct slice bad[] = {SLICE(beyond), SLICE(far), SLICE(none), SLICE(at_once)};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t keys[2];
        struct err e = {0};

        assert_false(outline_keys_read(keys, 2, bad[i], &e));
        assert_int_equal(e.code, ERR_INPUT);
    }
}

/* Cut off, or with a byte changed: it is refused, or leads to a body that the hash will tell from
 * the right one. Nothing is read beyond its end. */
static void an_outline_cut_off_or_changed_anywhere_does_no_harm(void **state)
{
    struct buf body, outline, cells, again;

    (void)state;
    sample_golden(&body, "outline_body.bin");
    sample_golden(&outline, "outline_1.bin");
    cells = ask_all(buf_slice(&body), OUTLINE_CELLS, RUN_ROWS);
    for (size_t n = 0; n < outline.n; n++) {
        uint8_t *part = mem_alloc(n + 1);
        struct outline o;
        struct err e = {0};

        memcpy(part, outline.p, n);
        assert_false(outline_read(&o, (struct slice){part, n}, BODY_ROWS, &e));
        outline_close(&o);
        free(part);
        outline.p[n] ^= 0x11;
        buf_open(&again, BODY_BYTES_MAX);
        (void)rebuild(&again, buf_slice(&outline), buf_slice(&cells), BODY_ROWS);
        outline.p[n] ^= 0x11;
        buf_close(&again);
    }
    buf_close(&body);
    buf_close(&outline);
    buf_close(&cells);
}

static void an_outline_of_other_rows_than_its_header_says_is_refused(void **state)
{
    struct buf outline;

    (void)state;
    sample_golden(&outline, "outline_1.bin");
    for (uint32_t rows = BODY_ROWS - 1; rows <= BODY_ROWS + 1; rows++) {
        struct outline o;
        struct err e = {0};

        assert_true(outline_read(&o, buf_slice(&outline), rows, &e) == (rows == BODY_ROWS));
        outline_close(&o);
    }
    buf_close(&outline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_golden_outline_is_made_of_the_golden_body),
        cmocka_unit_test(an_outline_and_the_cells_give_back_the_very_same_body),
        cmocka_unit_test(digests_and_marks_are_those_of_the_rows),
        cmocka_unit_test(only_what_is_picked_is_answered),
        cmocka_unit_test(a_small_body_and_one_of_updates_get_no_outline),
        cmocka_unit_test(picks_read_as_they_were_written),
        cmocka_unit_test(picks_that_are_none_are_refused),
        cmocka_unit_test(keys_of_any_distance_read_as_they_were_written),
        cmocka_unit_test(keys_beyond_64_bits_and_empty_gaps_are_refused),
        cmocka_unit_test(an_outline_cut_off_or_changed_anywhere_does_no_harm),
        cmocka_unit_test(an_outline_of_other_rows_than_its_header_says_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
