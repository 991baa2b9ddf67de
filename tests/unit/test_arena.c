/* Memory for what goes together. */
#include "arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void what_was_given_stays_until_all_is_forgotten(void **state)
{
    struct arena a = {.block_bytes = 256};
    uint64_t *numbers[1000];

    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        char *odd = arena_alloc(&a, i % 13 + 1);

        memset(odd, 0x55, i % 13 + 1);
        numbers[i] = arena_alloc(&a, sizeof *numbers[i]);
        assert_int_equal((uintptr_t)numbers[i] % _Alignof(max_align_t), 0);
        *numbers[i] = i;
    }
    for (uint64_t i = 0; i < 1000; i++)
        assert_int_equal(*numbers[i], i);
    arena_close(&a);
}

static void one_that_is_larger_than_a_block_is_given_too(void **state)
{
    struct arena a = {.block_bytes = 64};
    uint8_t *large = arena_alloc(&a, 100000), *small = arena_alloc(&a, 8);

    (void)state;
    memset(large, 1, 100000);
    memset(small, 2, 8);
    assert_int_equal(large[99999], 1);
    arena_close(&a);
}

static void copies_are_of_their_own(void **state)
{
    char text[] = "article";
    struct value v = {.type = VALUE_TEXT, .bytes = slice_text(text)},
                 number = {.type = VALUE_INT, .i = 7};
    struct arena a = {0};
    struct slice bytes = arena_copy(&a, slice_text(text));
    struct value copy = arena_value(&a, &v), same = arena_value(&a, &number);

    (void)state;
    memset(text, 'x', sizeof text - 1);
    assert_memory_equal(bytes.p, "article", 7);
    assert_memory_equal(copy.bytes.p, "article", 7);
    assert_int_equal(same.i, 7);
    arena_close(&a);
}

static void after_a_reset_it_serves_again(void **state)
{
    struct arena a = {.block_bytes = 128};

    (void)state;
    arena_reset(&a);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 100; i++)
            memset(arena_alloc(&a, 50), round, 50);
        arena_reset(&a);
    }
    arena_close(&a);
    arena_close(&a);
    memset(arena_alloc(&a, 5), 1, 5); /* a closed one is a zeroed one */
    arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_given_stays_until_all_is_forgotten),
        cmocka_unit_test(one_that_is_larger_than_a_block_is_given_too),
        cmocka_unit_test(copies_are_of_their_own),
        cmocka_unit_test(after_a_reset_it_serves_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
