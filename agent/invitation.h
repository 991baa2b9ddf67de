/* Invitations: tokens made here, and the guests who come with them. protocol/README.md, "Joining",
 * has the messages.
 *
 * An invitation is used up, durably, before its guest is enrolled and welcomed; the PC that used it
 * may ask again, should the answer have been lost. Open invitations outlive a restart of the agent.
 */
#ifndef NAVETTE_INVITATION_H
#define NAVETTE_INVITATION_H

#include <navette/frame.h>

struct agent;
struct invitations;
struct link;

struct invitations *invitations_start(struct agent *a);
void invitations_stop(struct invitations *v);

/* This PC went to another fleet: tokens that it made before open nothing any more. */
void invitations_void(struct invitations *v);

/* Add the invitations to `secrets`, at most `room`; returns how many. Also those that are used or
 * over: who holds such a token is told so. */
uint32_t invitations_secrets(struct invitations *v, struct channel_secret *secrets, uint32_t room);
/* Keys of the beacons to send (INVITING) and to listen for (JOINING): of open ones only. */
uint32_t invitations_beacon_keys(struct invitations *v, uint8_t (*keys)[32], uint32_t room);
/* A message on an incoming link of mode CHANNEL_INVITE. False: close it. */
MUST_USE bool invitations_serve(struct invitations *v, struct link *l, struct slice message,
                                struct err *e);

#endif
