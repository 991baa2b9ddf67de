#include "rng.h"

#include <string.h>

#include <sodium.h>
#include <sqlite3.h>

/* SplitMix64 (Steele, Lea, Flood, 2014). */
uint64_t rng_next(struct rng *r)
{
    uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
    return n == 0 ? 0 : (uint32_t)(rng_next(r) % n);
}

bool rng_chance(struct rng *r, uint32_t percent)
{
    return rng_below(r, 100) < percent;
}

struct rng rng_fork(struct rng *r)
{
    return (struct rng){rng_next(r)};
}

/* Global because libsodium's interface has no context: incarnations and tokens come from here. */
static struct rng system_rng;

static const char *system_name(void)
{
    return "simulator";
}

static uint32_t system_random(void)
{
    return (uint32_t)rng_next(&system_rng);
}

static void system_fill(void *const out, const size_t n)
{
    uint8_t *to = out;

    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)rng_next(&system_rng);
}

void rng_rule_system(void)
{
    static struct randombytes_implementation ours = {
        .implementation_name = system_name,
        .random = system_random,
        .buf = system_fill,
    };

    randombytes_set_implementation(&ours);
}

void rng_seed_system(uint64_t seed)
{
    system_rng = (struct rng){seed};
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)(seed & 0x7fffffff) | 1, NULL);
}
