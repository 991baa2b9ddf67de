/* Correcting our stamps, inside: what include/navette/ahead.h is about, and what that waits for. */
#ifndef NAVETTE_STORE_CORRECT_H
#define NAVETTE_STORE_CORRECT_H

#include <navette/vector.h>

/* What store_correct could not correct when it was last called, since its author had applied what
 * is not here: the correction is to come after that. waive.c gives up what nobody has. */
struct uncorrected {
    uint32_t actor;      /* of the first, by the ledger's number; 0: there is none */
    uint64_t changesets; /* that wait for their correction */
    struct vector needs; /* what they wait for; some of it may be here */
};

void uncorrected_close(struct uncorrected *u);

#endif
