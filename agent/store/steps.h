/* What an application commits in one go, and is more than one change-set holds, comes in several:
 * whole steps, which become visible one after the other. People are told that it is so, on the PC
 * where it was written and on those where it arrives, and when the last one is there.
 *
 * That a change-set is full tells that another one follows: so of a transaction of exactly that
 * size the author's next one is taken for its last step. A restart forgets which steps there were.
 */
#ifndef NAVETTE_STEPS_H
#define NAVETTE_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

#define STEPS_OPEN_MAX 16 /* authors whose steps are under way; of more nothing is told */

struct steps_open {
    uint32_t actor, steps;
    uint64_t number; /* of the latest one */
    uint64_t rows;   /* in all of them */
    bool ends, told; /* it is the last one; told */
};

/* A zeroed struct has none. */
struct steps {
    struct steps_open open[STEPS_OPEN_MAX];
    uint32_t n;
    char text[240];
};

/* The next change-set of the actor was made, or merged. */
void steps_note(struct store *s, uint32_t actor, uint64_t number, uint32_t rows, size_t bytes);

#endif
