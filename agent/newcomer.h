/* Newcomer: when this PC's rows may be matched with a member's, once, before it publishes any
 * (STORE_MATCHING). */
#ifndef NAVETTE_NEWCOMER_H
#define NAVETTE_NEWCOMER_H

#include <navette/vector.h>

#define NEWCOMER_KEYS_MAX 8 /* members whose keys are compared with the file */

struct agent;

/* A zeroed struct is valid: nothing asked, nothing seen. Times are uv_now. */
struct newcomer {
    uint64_t have_sum;                  /* of our have-vector when it last grew, */
    uint64_t grew_ms;                   /* and when that was */
    struct buf keys[NEWCOMER_KEYS_MAX]; /* what members told of their local keys */
    uint32_t n;
    uint64_t keys_asked_ms; /* when somebody was last asked for them; 0: not yet */
    uint64_t keys_ms;       /* when the first ones came */
    bool awaits_absent;     /* all else is done, but a member is away */
    bool without_absent;    /* a person said not to wait for such */
    bool welcome_read;      /* is there one, from a stick? */
    struct vector welcomed; /* what must be here then, */
    struct site_id welcome; /* from this member; zeros: there is none */
};

/* All is here that connected members have, and that they will publish of what they had, and either
 * one of them has told its keys or no member is away: match now.
 * Asks members for their keys on the way: call it again about once a second, and when one
 * was heard. */
bool newcomer_is_ready(struct newcomer *n, struct agent *a);
/* Say in a warning for whom it waits. */
void newcomer_warn(const struct newcomer *n, struct agent *a);
/* A member told its local keys; false when there are enough. Borrowed. */
bool newcomer_take_keys(struct newcomer *n, const struct agent *a, struct slice keys);
/* The rows are matched, or the store is another one: forget all. */
void newcomer_close(struct newcomer *n);

#endif
