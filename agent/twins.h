/* Twins: two agents that speak under one identity, since a home was copied or a disk imaged. That
 * is an alarm, not a fight.
 *
 * Who meets it himself, by dialling what a beacon says is he or by being dialled so: the session of
 * a channel tells whether its other end is this very agent. The one who is dialled says so in a
 * BYE, and both are in doubt (origin.h).
 *
 * Who sees it from a third place: a second link of a site opens although the first one stands.
 * Mostly the first is dead and does not know it: it is asked with a PING. Silence for TWINS_WAIT_MS
 * means that the new link takes its place. After a PONG each of the two is asked to sign the
 * session of the other's link, and is shown what the other one signed.
 *
 * Only that proves it. A session is as fresh as the link it is of, for both ends of it; and each
 * process signs with a number of its own, its run. So who is shown a signature that its own key
 * made over the session of this very link, in another run, knows that somebody else has its key,
 * now. A BYE that says so proves nothing: or one member could silence another. */
#ifndef NAVETTE_TWINS_H
#define NAVETTE_TWINS_H

#include <navette/bytes.h>

struct agent;
struct conn;
struct links;

#define TWINS_WAIT_MS  3000
#define SELF_DIALS_MAX 8

/* Of a connection. Zeroed: it has no rival. */
struct rival {
    bool waits;        /* it opened while another link of its site stands */
    uint64_t until_ms; /* so long */
    struct buf early;  /* the HELLO that came meanwhile */
    uint64_t token;    /* it is the one that stands: the PING that asks whether it does */
    bool answers;      /* it waits, and the one that stands has answered */
    bool present;      /* it has signed the other's session: */
    uint8_t run[32], signature[64];
};

/* Sessions in which we dialled an agent of our own identity. */
struct self_dials {
    uint8_t sessions[SELF_DIALS_MAX][32];
    uint32_t n;
};

/* The channel's peer has our own identity. */
void twins_met(struct links *l, struct conn *c);
/* A message on a connection that is not talked on: BYE of a twin, HELLO of one that waits. */
MUST_USE bool twins_message(struct conn *c, struct slice message, struct err *e);
/* `fresh` opened while `present` stands: let it wait. */
void twins_compare(struct links *l, struct conn *present, struct conn *fresh);
/* A message on a connection that is talked on. True: it concerned twins alone. */
bool twins_heard(struct conn *c, struct slice message);
/* Of one that waits; when to look again is in *wake_ms, which it only lowers. */
void twins_tick(struct links *l, struct conn *c, uint64_t *wake_ms);

#endif
