/* Invitations: tokens made here, and the guests who come with them. protocol/README.md, "Joining",
 * has the messages.
 *
 * An invitation is used up, durably, before its guest is enrolled and welcomed; the PC that used it
 * may ask again, should the answer have been lost. Open invitations outlive a restart of the agent.
 *
 * What is kept of a token does not let anybody join (invite.h). Who opens its channel and cannot
 * prove that he has the token gets no answer, whatever became of the invitation, and
 * INVITE_TRIES_MAX such attempts burn it. Only who knows what is kept here can make one: strangers
 * cannot. Who has the token is told what is the matter with it. */
#ifndef NAVETTE_INVITATION_H
#define NAVETTE_INVITATION_H

#include <navette/frame.h>
#include <navette/letter.h>

#define INVITE_TRIES_MAX 5 /* without a proof, then it is burned */

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
/* A burned one is a warning until its time is over. */
void invitations_tick(struct invitations *v);
/* A message on an incoming link of mode CHANNEL_INVITE. False: close it. */
MUST_USE bool invitations_serve(struct invitations *v, struct link *l, struct slice message,
                                struct err *e);
/* A request to join that came in a file (letter.h): check it as above, and enrol who wrote it, whom
 * `ask` then tells of. Doing it again is harmless. The same identity from another place than before
 * is refused: it is a copy's. */
MUST_USE bool invitations_admit(struct invitations *v, const struct letter *l,
                                struct letter_ask *ask, struct err *e);

#endif
