/* Seeded randomness for tests: the same everywhere, from NAVETTE_SEED when that is set. */
#ifndef TEST_RANDOM_H
#define TEST_RANDOM_H

#include <stdint.h>
#include <stdlib.h>

struct random_source {
    uint64_t state;
};

static inline uint64_t test_seed(uint64_t usual)
{
    const char *text = getenv("NAVETTE_SEED");

    return text == NULL ? usual : strtoull(text, NULL, 10);
}

/* splitmix64 */
static inline uint64_t random_next(struct random_source *s)
{
    uint64_t z = s->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline uint32_t random_below(struct random_source *s, uint32_t n)
{
    return (uint32_t)(random_next(s) % n);
}

/* Any number of bits is as likely as any other: small numbers are frequent. */
static inline uint64_t random_bits(struct random_source *s)
{
    uint64_t v = random_next(s);

    return v >> random_below(s, 64);
}

#endif
