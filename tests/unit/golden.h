/* What unit tests share: golden files (lines "key=hex", "#" for comments) and random bytes that
 * count up from a given one, as in the worked examples of protocol/README.md. */
#ifndef NAVETTE_TEST_GOLDEN_H
#define NAVETTE_TEST_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include <navette/bytes.h>

#define GOLDEN_BYTES_MAX (1u << 20)

static uint8_t golden_next_random;

static void golden_random_fill(void *out, const size_t n)
{
    uint8_t *p = out;

    for (size_t i = 0; i < n; i++)
        p[i] = golden_next_random++;
}

static uint32_t golden_random_word(void)
{
    uint32_t word;

    golden_random_fill(&word, sizeof word);
    return word;
}

static const char *golden_random_name(void)
{
    return "counting up";
}

/* From here on random_fill gives first, first + 1... */
static inline void golden_random_from(uint8_t first)
{
    static struct randombytes_implementation counting = {.implementation_name = golden_random_name,
                                                         .random = golden_random_word,
                                                         .buf = golden_random_fill};

    golden_next_random = first;
    randombytes_set_implementation(&counting);
}

/* True randomness again. */
static inline void golden_random_end(void)
{
    randombytes_set_implementation(&randombytes_sysrandom_implementation);
}

/* Read the bytes of "key=" in tests/golden/<file>, in the block-th block that has it (0 is the
 * first). */
static inline struct slice golden_find(const char *file, const char *key, int block,
                                       struct buf *out)
{
    char path[512], prefix[64];
    char *line = mem_alloc(2 * GOLDEN_BYTES_MAX);
    bool found = false;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", GOLDEN_DIR, file);
    snprintf(prefix, sizeof prefix, "%s=", key);
    f = fopen(path, "rb");
    assert_non_null(f);
    buf_close(out);
    buf_open(out, GOLDEN_BYTES_MAX);
    while (!found && fgets(line, 2 * GOLDEN_BYTES_MAX, f) != NULL) {
        const char *hex = line + strlen(prefix);
        size_t n;

        line[strcspn(line, "\r\n")] = '\0';
        if (strncmp(line, prefix, strlen(prefix)) != 0 || block-- > 0)
            continue;
        n = strlen(hex) / 2;
        found = n == 0 || hex_read(buf_extend(out, n), n, hex);
    }
    fclose(f);
    free(line);
    if (!found)
        fail_msg("%s has no good line %s", file, key);
    return buf_slice(out);
}

/* Fail unless `got` is what the golden file says. */
static inline void golden_check(const char *file, const char *key, struct slice got)
{
    struct buf expected = {0};
    char *hex = mem_alloc(2 * got.n + 1);
    bool same = slice_equal(golden_find(file, key, 0, &expected), got);

    hex_write(hex, got);
    buf_close(&expected);
    if (!same)
        fail_msg("%s: %s is now %s", file, key, hex);
    free(hex);
}

/* Copy exactly n bytes of a golden value to `out`. */
static inline void golden_take(const char *file, const char *key, void *out, size_t n)
{
    struct buf value = {0};

    golden_find(file, key, 0, &value);
    assert_int_equal(value.n, n);
    memcpy(out, value.p, n);
    buf_close(&value);
}

#endif
