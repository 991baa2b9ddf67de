/* Seeded randomness: the only source of chance in the simulator, so that a seed replays exactly. */
#ifndef SIM_RNG_H
#define SIM_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

uint64_t rng_next(struct rng *r);
/* 0 to n - 1; 0 when n is 0. */
uint32_t rng_below(struct rng *r, uint32_t n);
/* True `percent` times out of a hundred. */
bool rng_chance(struct rng *r, uint32_t percent);
/* An independent stream for one part of a simulation, so that more draws in one part do not shift
 * all others. */
struct rng rng_fork(struct rng *r);

/* Make libsodium's and SQLite's randomness ours (call first of all), and start it again from a
 * seed. */
void rng_rule_system(void);
void rng_seed_system(uint64_t seed);

#endif
