/* Giving memory back changes nothing but how much of it we hold. */
#include "memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#define BLOCKS      40000
#define BLOCK_BYTES 1000

static size_t resident(void)
{
    size_t bytes = 0;

    assert_int_equal(uv_resident_set_memory(&bytes), 0);
    return bytes;
}

static void what_is_in_use_stays_and_what_is_not_goes(void **state)
{
    static uint8_t *blocks[BLOCKS];
    size_t before;

    (void)state;
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(BLOCK_BYTES);
        assert_non_null(blocks[i]);
        memset(blocks[i], i & 0xff, BLOCK_BYTES);
    }
    for (int i = 0; i < BLOCKS; i++)
        if (i % 4000 != 3999)
            free(blocks[i]); /* some that stay are at the end: nothing goes by itself */
    before = resident();
    memory_give_back();
    for (int i = 3999; i < BLOCKS; i += 4000) {
        for (int k = 0; k < BLOCK_BYTES; k++)
            assert_int_equal(blocks[i][k], i & 0xff);
        free(blocks[i]);
    }
    assert_true(resident() <= before + (1u << 20));
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
    assert_true(resident() + (BLOCKS / 2) * BLOCK_BYTES < before);
#endif
}

static void it_may_be_done_again_and_with_nothing_to_give(void **state)
{
    (void)state;
    memory_give_back();
    memory_give_back();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_use_stays_and_what_is_not_goes),
        cmocka_unit_test(it_may_be_done_again_and_with_nothing_to_give),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
