/* What people at their PCs do through the agent, by chance, while their applications go on. */
#ifndef SIM_PEOPLE_H
#define SIM_PEOPLE_H

#include "sim.h"

struct people {
    struct rng rng, aside; /* their own: weeks without people are what they were */
    bool unite;            /* they make one row of two */
    bool restore;          /* they take back what the merge decided */
};

void people_draw(struct people *p, uint64_t seed, bool restores);
/* Something may happen. */
void people_happen(struct people *p, struct sim *s);

#endif
