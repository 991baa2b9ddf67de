/* Join: how this PC becomes a member, with a token that a member made. protocol/README.md,
 * "Joining", has the messages.
 *
 * LOOKING (dials all of the token's addresses, and whoever answers its beacon) -> asked (JOIN is
 * sent) -> a member; or failed after JOIN_MS with what could be wrong. */
#ifndef NAVETTE_AGENT_JOIN_H
#define NAVETTE_AGENT_JOIN_H

#include <navette/frame.h>

#include "config.h"

/* Without an answer for so long, joining has failed; with the token of `init --join` it goes on. */
#define JOIN_MS 30000

struct agent;
struct join;
struct join_message;
struct link;
struct roster;

struct join *join_start(struct agent *a);
void join_stop(struct join *j);

/* An INVITING beacon of our token's: a member is there. */
void join_heard(struct join *j, const struct address *address);
bool join_is_looking(const struct join *j);
/* The key of the beacons to send (JOINING) and to listen for (INVITING); false when we are not
 * looking. */
bool join_beacon_key(const struct join *j, uint8_t key[32]);

/* May this PC join a fleet, or is it a member of one? */
MUST_USE bool join_allowed(struct agent *a, struct err *e);
/* Load the roster of a WELCOME into `r` (zeroed) and check that it names this PC and `member`, who
 * sent it. */
MUST_USE bool join_check_welcome(const struct agent *a, const struct join_message *m,
                                 const struct site_id *member, struct roster *r, struct err *e);
/* This PC has become a member by another way: look no more. */
void join_done(struct join *j);

/* Say one message on an open link. */
void join_send(struct link *l, const struct join_message *m);

#endif
