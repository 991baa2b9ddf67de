/* The record of what a batch came to: the ledger reads it after a crash, so it must say all. */
#include "outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"

static void expect_same(const struct outcome *a, const struct outcome *b)
{
    assert_true(a->gid == b->gid);
    assert_int_equal(a->kind, b->kind);
    assert_true(row_key_equal(&a->key, &b->key));
    assert_int_equal(a->shadow.p == NULL, b->shadow.p == NULL);
    assert_true(slice_equal(a->shadow, b->shadow));
    assert_true(slice_equal(a->reason, b->reason));
}

static const struct outcome samples[] = {
    {.gid = 1, .kind = OUTCOME_IN},
    {.gid = INT64_MAX, .kind = OUTCOME_IN, .shadow = {(const uint8_t *)"shadow", 6}},
    {.gid = 2, .kind = OUTCOME_NEW, .key = {.kind = KEY_INT, .i = INT64_MIN}},
    {.gid = 3, .kind = OUTCOME_NEW, .key = {.kind = KEY_INT, .i = INT64_MAX}},
    {.gid = 4,
     .kind = OUTCOME_NEW,
     .key = {.kind = KEY_PACKED, .bytes = {(const uint8_t *)"\3\1a", 3}},
     .shadow = {(const uint8_t *)"s", 1}},
    {.gid = 5, .kind = OUTCOME_GONE},
    {.gid = 6, .kind = OUTCOME_SAME},
    {.gid = 7, .kind = OUTCOME_PARKED, .reason = {(const uint8_t *)"why", 3}},
    {.gid = 8, .kind = OUTCOME_KEPT, .reason = {(const uint8_t *)"because", 7}},
    {.gid = 9, .kind = OUTCOME_MARKED},
    {.gid = 10, .kind = OUTCOME_UNITE, .other = INT64_MAX},
};

static void outcomes_come_back_one_after_the_other(void **state)
{
    struct outcome back;
    struct slice in;
    struct buf out;

    (void)state;
    buf_open(&out, 4096);
    for (size_t i = 0; i < COUNT_OF(samples); i++)
        outcome_write(&out, &samples[i]);
    in = buf_slice(&out);
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        assert_true(outcome_read(&in, &back));
        expect_same(&samples[i], &back);
    }
    assert_int_equal(in.n, 0);
    assert_false(outcome_read(&in, &back));
    buf_close(&out);
}

static void one_that_was_cut_is_refused_and_noise_reads_nothing_beyond_its_end(void **state)
{
    struct random_source random = {test_seed(3)};
    struct outcome back;
    struct buf out;

    (void)state;
    buf_open(&out, 4096);
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        buf_clear(&out);
        outcome_write(&out, &samples[i]);
        for (size_t n = 0; n < out.n; n++) {
            uint8_t *exactly = malloc(n + 1);
            struct slice in = {exactly, n};

            memcpy(exactly, out.p, n);
            assert_false(outcome_read(&in, &back));
            free(exactly);
        }
    }
    for (uint32_t i = 0; i < 50000; i++) {
        size_t n = random_below(&random, 24) + 1;
        uint8_t *noise = malloc(n);
        struct slice in = {noise, n};

        for (size_t k = 0; k < n; k++)
            noise[k] = (uint8_t)random_bits(&random);
        while (in.n > 0 && outcome_read(&in, &back))
            assert_in_range(back.kind, OUTCOME_IN, OUTCOME_UNITE);
        free(noise);
    }
    buf_close(&out);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes_come_back_one_after_the_other),
        cmocka_unit_test(one_that_was_cut_is_refused_and_noise_reads_nothing_beyond_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
