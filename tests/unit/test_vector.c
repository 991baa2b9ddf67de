#include <navette/vector.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"

static struct actor actor_of(uint16_t n)
{
    struct actor a = {{0}};

    a.bytes[3] = (uint8_t)(n >> 8);
    a.bytes[20] = (uint8_t)n;
    return a;
}

static void set(struct vector *v, uint16_t actor, uint64_t number)
{
    struct actor a = actor_of(actor);
    uint8_t hash[HASH_BYTES];

    memset(hash, (int)number, sizeof hash);
    assert_true(vector_set(v, &a, number, hash));
}

static uint64_t get(const struct vector *v, uint16_t actor)
{
    struct actor a = actor_of(actor);

    return vector_get(v, &a);
}

static void an_empty_vector_has_nothing(void **state)
{
    struct vector v = {0};
    struct actor a = actor_of(1);

    (void)state;
    assert_int_equal(vector_get(&v, &a), 0);
    assert_null(vector_find(&v, &a));
    assert_true(vector_covers(&v, &v));
    vector_close(&v);
    vector_close(&v);
}

static void numbers_are_found_again_and_overwritten(void **state)
{
    struct vector v = {0};
    struct actor a = actor_of(7);

    (void)state;
    set(&v, 7, 1);
    set(&v, 300, 5);
    set(&v, 2, 9);
    set(&v, 7, 2);
    assert_int_equal(v.n, 3);
    assert_int_equal(get(&v, 7), 2);
    assert_int_equal(get(&v, 300), 5);
    assert_int_equal(get(&v, 2), 9);
    assert_int_equal(get(&v, 8), 0);
    assert_int_equal(vector_find(&v, &a)->hash[31], 2);
    vector_close(&v);
}

static void entries_stay_sorted_by_actor(void **state)
{
    struct random_source s = {test_seed(2)};
    struct vector v = {0};

    (void)state;
    for (int i = 0; i < 2000; i++)
        set(&v, (uint16_t)random_below(&s, 800), 1 + random_below(&s, 99));
    for (uint32_t i = 1; i < v.n; i++)
        assert_true(actor_compare(&v.entries[i - 1].actor, &v.entries[i].actor) < 0);
    vector_close(&v);
}

static void an_entry_can_be_set_from_itself(void **state)
{
    struct vector v = {0};

    (void)state;
    set(&v, 1, 4);
    assert_true(vector_set(&v, &v.entries[0].actor, 5, v.entries[0].hash));
    assert_int_equal(v.entries[0].hash[0], 4);
    assert_int_equal(get(&v, 1), 5);
    vector_close(&v);
}

static void no_more_than_the_allowed_actors_fit(void **state)
{
    struct vector v = {0};
    struct actor one_more = actor_of(ACTORS_MAX), first = actor_of(0);

    (void)state;
    for (uint16_t i = 0; i < ACTORS_MAX; i++)
        set(&v, i, 1);
    assert_false(vector_set(&v, &one_more, 1, NULL));
    assert_int_equal(v.n, ACTORS_MAX);
    assert_true(vector_set(&v, &first, 2, NULL));
    vector_close(&v);
}

static void covering_means_at_least_every_number(void **state)
{
    struct vector have = {0}, needs = {0};

    (void)state;
    set(&have, 1, 5);
    set(&have, 2, 1);
    set(&needs, 1, 5);
    assert_true(vector_covers(&have, &needs));
    assert_false(vector_covers(&needs, &have));
    set(&needs, 2, 2);
    assert_false(vector_covers(&have, &needs));
    vector_close(&have);
    vector_close(&needs);
}

static void a_copy_is_equal_and_independent(void **state)
{
    struct vector a = {0}, b = {0};

    (void)state;
    set(&a, 1, 5);
    set(&b, 8, 8);
    set(&b, 9, 8);
    vector_copy(&b, &a);
    set(&a, 1, 6);
    assert_int_equal(b.n, 1);
    assert_int_equal(get(&b, 1), 5);
    vector_copy(&b, &b);
    assert_int_equal(get(&b, 1), 5);
    vector_close(&a);
    vector_close(&b);
}

static struct slice encode(struct buf *out, const struct vector *v)
{
    struct writer w = {out};

    buf_open(out, 1 << 20);
    vector_write(&w, v);
    return buf_slice(out);
}

static void what_is_written_reads_back(void **state)
{
    struct vector v = {0}, back = {0};
    struct err e = {0};
    struct buf bytes;
    struct reader r;

    (void)state;
    for (uint16_t i = 0; i < 100; i++)
        set(&v, (uint16_t)(i * 37 % 101), 1 + (uint64_t)i * i * i * i * i * i * i);
    r = reader_of(encode(&bytes, &v), &e);
    vector_read(&r, &back);
    assert_true(read_end(&r));
    assert_int_equal(back.n, v.n);
    assert_memory_equal(back.entries, v.entries, v.n * sizeof *v.entries);
    vector_close(&v);
    vector_close(&back);
    buf_close(&bytes);
}

static void an_entry_with_number_zero_is_not_written(void **state)
{
    struct vector v = {0}, back = {0};
    struct err e = {0};
    struct buf bytes;
    struct reader r;

    (void)state;
    set(&v, 1, 0);
    set(&v, 2, 3);
    r = reader_of(encode(&bytes, &v), &e);
    vector_read(&r, &back);
    assert_true(read_end(&r));
    assert_int_equal(back.n, 1);
    assert_int_equal(get(&back, 2), 3);
    vector_close(&v);
    vector_close(&back);
    buf_close(&bytes);
}

static void refuse(struct slice bytes, const char *why)
{
    struct vector v = {0};
    struct err e = {0};
    struct reader r = reader_of(bytes, &e);

    vector_read(&r, &v);
    assert_false(read_end(&r));
    assert_int_equal(v.n, 0);
    assert_non_null(strstr(e.text, why));
    vector_close(&v);
}

static void unsorted_repeated_and_zero_entries_are_refused(void **state)
{
    struct vector v = {0};
    struct buf bytes;

    (void)state;
    set(&v, 1, 1);
    set(&v, 2, 1);
    v.entries[1].actor = v.entries[0].actor;
    refuse(encode(&bytes, &v), "rising order");
    buf_close(&bytes);
    v.entries[0].actor = actor_of(9);
    refuse(encode(&bytes, &v), "rising order");
    bytes.p[1 + 1 + 26] = 0;
    refuse(buf_slice(&bytes), "number 0");
    buf_close(&bytes);
    vector_close(&v);
}

static void a_vector_cut_off_anywhere_is_refused(void **state)
{
    struct vector v = {0};
    struct buf bytes;
    struct slice all;

    (void)state;
    set(&v, 1, 1);
    set(&v, 2, 70000);
    all = encode(&bytes, &v);
    for (size_t n = 0; n < all.n; n++)
        refuse((struct slice){all.p, n}, "cut off");
    buf_close(&bytes);
    vector_close(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_vector_has_nothing),
        cmocka_unit_test(numbers_are_found_again_and_overwritten),
        cmocka_unit_test(entries_stay_sorted_by_actor),
        cmocka_unit_test(an_entry_can_be_set_from_itself),
        cmocka_unit_test(no_more_than_the_allowed_actors_fit),
        cmocka_unit_test(covering_means_at_least_every_number),
        cmocka_unit_test(a_copy_is_equal_and_independent),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(an_entry_with_number_zero_is_not_written),
        cmocka_unit_test(unsorted_repeated_and_zero_entries_are_refused),
        cmocka_unit_test(a_vector_cut_off_anywhere_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
