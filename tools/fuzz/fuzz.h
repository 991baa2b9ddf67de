/* What the fuzz targets of whole state machines share: events that are read off the input, and
 * random bytes that are the same every time. */
#ifndef NAVETTE_FUZZ_H
#define NAVETTE_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <navette/bytes.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define expect(holds) expect_at((holds), __FILE__, __LINE__, #holds)

static inline void expect_at(bool holds, const char *file, int line, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}

struct input {
    const uint8_t *p;
    size_t n;
};

/* 0 when there is no more. */
static inline uint8_t take(struct input *in)
{
    if (in->n == 0)
        return 0;
    in->n--;
    return *in->p++;
}

static uint8_t fuzz_counter[32];

static void fuzz_random_fill(void *out, const size_t n)
{
    crypto_stream_chacha20(out, n, fuzz_counter, fuzz_counter + 8);
    sodium_increment(fuzz_counter, sizeof fuzz_counter);
}

static uint32_t fuzz_random_word(void)
{
    uint32_t word;

    fuzz_random_fill(&word, sizeof word);
    return word;
}

static const char *fuzz_random_name(void)
{
    return "the same every time";
}

static inline void fuzz_random_begin(void)
{
    static struct randombytes_implementation same = {.implementation_name = fuzz_random_name,
                                                     .random = fuzz_random_word,
                                                     .buf = fuzz_random_fill};

    memset(fuzz_counter, 0, sizeof fuzz_counter);
    randombytes_set_implementation(&same);
    expect(sodium_init() >= 0);
}

#endif
