/* The map from keys to numbers, and the arena. */
#include "keymap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"

static struct row_key packed_key(const char *text)
{
    return (struct row_key){.kind = KEY_PACKED, .bytes = slice_text(text)};
}

static void keys_are_found_by_table_and_kind_and_value(void **state)
{
    const struct row_key keys[] = {int_key(1), int_key(-1), packed_key("1"), packed_key(""),
                                   packed_key("11")};
    struct keymap m = {0};

    (void)state;
    assert_int_equal(keymap_get(&m, 1, &keys[0]), 0);
    for (uint32_t table = 1; table <= 2; table++)
        for (uint32_t i = 0; i < COUNT_OF(keys); i++)
            keymap_put(&m, table, &keys[i], 100 * table + i);
    for (uint32_t table = 1; table <= 2; table++)
        for (uint32_t i = 0; i < COUNT_OF(keys); i++)
            assert_int_equal(keymap_get(&m, table, &keys[i]), 100 * table + i);
    assert_int_equal(keymap_get(&m, 3, &keys[0]), 0);
    assert_int_equal(m.n, 2 * COUNT_OF(keys));
    keymap_put(&m, 1, &keys[0], 7);
    assert_int_equal(keymap_get(&m, 1, &keys[0]), 7);
    assert_int_equal(m.n, 2 * COUNT_OF(keys));
    keymap_close(&m);
    keymap_close(&m);
}

static void a_hundred_thousand_keys_that_follow_each_other_are_all_found(void **state)
{
    struct keymap m = {0};

    (void)state;
    for (int64_t i = 1; i <= 100000; i++) {
        struct row_key k = int_key(i << 20);

        keymap_put(&m, 1, &k, (uint32_t)i);
    }
    for (int64_t i = 1; i <= 100000; i++) {
        struct row_key k = int_key(i << 20), other = int_key((i << 20) + 1);

        assert_int_equal(keymap_get(&m, 1, &k), i);
        assert_int_equal(keymap_get(&m, 1, &other), 0);
    }
    keymap_close(&m);
}

static void what_an_arena_holds_stays_where_it_is(void **state)
{
    struct random_source random = {test_seed(1)};
    struct slice copies[200];
    struct arena a = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(copies); i++) {
        static uint8_t bytes[400000];
        size_t n = random_below(&random, i % 10 == 0 ? sizeof bytes : 300) + 1;

        memset(bytes, (int)i, n);
        copies[i] = arena_copy(&a, (struct slice){bytes, n});
        assert_int_equal((uintptr_t)arena_alloc(&a, 1) % 16, 0);
    }
    for (size_t i = 0; i < COUNT_OF(copies); i++)
        for (size_t k = 0; k < copies[i].n; k++)
            assert_int_equal(copies[i].p[k], i);
    arena_close(&a);
    arena_close(&a);
}

static void copies_of_values_and_keys_equal_what_they_were_made_of(void **state)
{
    struct value empty = {.type = VALUE_BLOB}, text = {.type = VALUE_TEXT};
    struct row_key key = packed_key("a key"), none = {0}, copy;
    struct value copied;
    struct arena a = {0};

    (void)state;
    text.bytes = slice_text("a text");
    copied = arena_value(&a, &empty);
    assert_true(value_equal(&copied, &empty));
    copied = arena_value(&a, &text);
    assert_true(value_equal(&copied, &text));
    assert_ptr_not_equal(copied.bytes.p, text.bytes.p);
    copy = arena_key(&a, &key);
    assert_true(row_key_equal(&copy, &key));
    assert_false(row_key_equal(&none, &key));
    arena_close(&a);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_found_by_table_and_kind_and_value),
        cmocka_unit_test(a_hundred_thousand_keys_that_follow_each_other_are_all_found),
        cmocka_unit_test(what_an_arena_holds_stays_where_it_is),
        cmocka_unit_test(copies_of_values_and_keys_equal_what_they_were_made_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
