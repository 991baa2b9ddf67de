/* What one link knows of each actor's chain: what was sent and told, what was asked for and came.
 * Internal to sync. And the window: what is under way to the peer and not acknowledged. */
#ifndef NAVETTE_SYNC_CHAIN_H
#define NAVETTE_SYNC_CHAIN_H

#include <navette/keys.h>

struct sync_chain {
    struct actor actor;
    bool own;    /* of our own site, in whatever incarnation: new ones are pushed */
    bool forked; /* the peer holds another history of it: left out */

    bool rewound; /* ours, and what we have of it went back: the peer has what follows */

    /* To the peer. */
    bool give_back; /* it is the peer's own, which went back: our last one shows it */
    bool sending;   /* all after `sent` is to be sent: it asked, or it follows what we make */
    bool held;      /* the store could not give them: told but not pushed */
    uint64_t sent;  /* highest number sent on this link, or after which it asked */
    uint64_t blocked_bytes;  /* the next one did not fit beside so many bytes under way */
    uint64_t told;           /* highest number the peer was told that we have */
    uint64_t outlined;       /* the number that was told in outline last */
    uint32_t asks;           /* questions about it so far */
    uint32_t outlines;       /* so many were sent since the peer had */
    uint64_t outlines_after; /* that many */
    uint64_t told_applied;   /* the number it was last told that we have applied */

    /* From the peer. */
    bool asked;        /* a WANT is out */
    uint64_t received; /* highest number handed to the store in order; 0 after a failure */
    uint8_t received_hash[HASH_BYTES]; /* its chain hash */
    uint64_t retry_ms;                 /* nothing of it is asked for before */
    uint64_t retry_wait_ms;            /* and so long after the next failure */
};

/* A zeroed one is empty. Sorted by actor. */
struct sync_chains {
    struct sync_chain *chains;
    uint32_t n, room;
};

/* Index of the first chain whose actor is not smaller. */
uint32_t sync_chains_place(const struct sync_chains *c, const struct actor *a);
/* NULL when there is none. Good until the next add. */
struct sync_chain *sync_chains_find(struct sync_chains *c, const struct actor *a);
/* Find, or add an empty one; its caller has bounded how many actors there can be. */
struct sync_chain *sync_chains_add(struct sync_chains *c, const struct actor *a);
void sync_chains_close(struct sync_chains *c);

struct sync_flight {
    struct actor actor;
    uint64_t number;
    size_t bytes;
};

/* A zeroed one is empty. */
struct sync_window {
    struct sync_flight *flights; /* in the order sent */
    uint32_t n, room;
    uint64_t bytes;
};

void sync_window_add(struct sync_window *w, const struct actor *a, uint64_t number, size_t bytes);
/* What is under way of this actor up to `number` arrived, or will never be acknowledged. */
void sync_window_take(struct sync_window *w, const struct actor *a, uint64_t number);
void sync_window_close(struct sync_window *w);

#endif
