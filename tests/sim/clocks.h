/* Clocks that are set wrong by far, and set right again. What a PC says while its clock is ahead
 * others do not take, until it has corrected that. */
#ifndef SIM_CLOCKS_H
#define SIM_CLOCKS_H

#include "sim.h"

struct clocks {
    struct rng rng; /* its own: weeks without wrong clocks are what they were */
    bool wrong;
};

void clocks_draw(struct clocks *c, uint64_t seed, bool draws);
/* One of them may be set wrong, or right. */
void clocks_happen(struct clocks *c, struct sim *s);
void clocks_set(struct node *n, int64_t far_ms);
/* All are right. */
void clocks_mend(struct sim *s);

/* The earliest time that can come of what is written now: a write that was too late counts as made
 * when it was corrected. */
uint64_t clocks_fair_ms(const struct node *n);
/* The agent sees whether its clock was ahead: as agent/ahead.c has it. */
void clocks_look(struct node *n);

#endif
