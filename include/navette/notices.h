/* What a store noticed and put right by itself, of which a person should hear once. */
#ifndef NAVETTE_NOTICES_H
#define NAVETTE_NOTICES_H

#include <stdint.h>

struct store;

enum store_notice {
    STORE_DATABASE_WENT_BACK, /* the application's file: a copy was put back, or a power cut */
    STORE_HOME_WENT_BACK,     /* the ledger; or the file is another copy than it knew */
    STORE_DISK_WENT_BACK,     /* both, to one time; or the ledger, and the file did not know */
    STORE_TAKES_TURNS,        /* another copy of this disk speaks when this one does not */
    STORE_NOTICES
};

/* Those since the last call, each as a bit (1u << notice). */
uint32_t store_notices(struct store *s);

/* Of what was committed in one go and comes in several steps: the next thing to tell, in words for
 * the log; NULL: nothing. Good until the next call of the store. */
const char *store_steps(struct store *s);

#endif
