/* A random week in a shop: sales on all PCs, cables, crashes, power cuts, clocks. */
#ifndef SIM_WEEK_H
#define SIM_WEEK_H

#include <stdbool.h>
#include <stdint.h>

struct week_options {
    uint64_t seed;
    uint32_t nodes;
    bool calm;         /* no power cuts */
    uint32_t draws;    /* what is drawn besides, of enum draw in sim.h */
    uint32_t restores; /* what is put back by chance: restore.h */
};

/* True when everybody had the same, and the right thing, at the end; else why not has been printed.
 */
bool week_run(const struct week_options *o);

#endif
