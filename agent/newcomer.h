/* Newcomer: when this PC's rows may be matched with a member's, once, before it publishes any
 * (STORE_MATCHING). */
#ifndef NAVETTE_NEWCOMER_H
#define NAVETTE_NEWCOMER_H

#include <navette/bytes.h>

struct agent;

/* A zeroed struct is valid: nothing asked, nothing seen. Times are uv_now. */
struct newcomer {
    uint64_t have_sum;      /* of our have-vector when it last grew, */
    uint64_t grew_ms;       /* and when that was */
    struct buf keys;        /* a member's local keys */
    uint64_t keys_asked_ms; /* when they were last asked for; 0: not yet */
    bool author_asked;      /* of a member that has published something */
};

/* All is here that connected members have, and that they will publish of what they had: match now.
 * Asks members for their keys on the way: call it again about once a second, and when one
 * was heard. */
bool newcomer_is_ready(struct newcomer *n, struct agent *a);
/* A member told its local keys; false when nobody asked. Borrowed. */
bool newcomer_take_keys(struct newcomer *n, struct slice keys);
/* The rows are matched, or the store is another one: forget all. */
void newcomer_close(struct newcomer *n);

#endif
