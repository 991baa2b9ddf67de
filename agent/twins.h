/* Twins: two agents that speak under one identity, since a home was copied or a disk imaged. That
 * is an alarm, not a fight.
 *
 * Who meets it himself, by dialling what a beacon says is he or by being dialled so: the session of
 * a channel tells whether its other end is this very agent. The one who is dialled says so in a
 * BYE, and both are in doubt (origin.h).
 *
 * Who sees it from a third place: a second link of a site opens although the first one stands.
 * Mostly the first is dead and does not know it: it is asked with a PING. Silence for TWINS_WAIT_MS
 * means that the new link takes its place; a PONG, that there are two. Then both get a BYE. */
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
    bool blamed;       /* it was told that there are two */
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
/* A message on a connection that is talked on: false when it shows that there are two; then both
 * links end. */
MUST_USE bool twins_heard(struct conn *c, struct slice message, struct err *e);
/* Of one that waits; when to look again is in *wake_ms, which it only lowers. */
void twins_tick(struct links *l, struct conn *c, uint64_t *wake_ms);
/* A connection that was talked on was closed because of `why`. */
void twins_closed(struct conn *c, const struct err *why);

#endif
