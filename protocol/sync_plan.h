/* The second half of a step of sync: what follows from all that is known. Internal to sync. */
#ifndef SYNC_PLAN_H
#define SYNC_PLAN_H

#include <navette/sync.h>

/* One step under way. */
struct sync_turn {
    struct sync *s;
    const struct sync_event *ev;
    struct sync_actions *out;
    struct err *e;
    bool unmoved; /* nothing follows from the event but that the peer lives: the plan stands */
};

/* The chain of an actor, added when new. Good until the next call. */
struct sync_chain *sync_chain_of(struct sync *s, const struct actor *a);
/* Ask nothing of this chain for a while, longer each time until something succeeds. */
void sync_back_off(struct sync_chain *c, uint64_t now_ms);
void sync_send_ping(struct sync_turn *t);
/* The peer has this change-set and all before it. */
MUST_USE bool sync_peer_has(struct sync_turn *t, const struct vector_entry *theirs);
/* The highest number we have or have handed to the store; `hash` gets its chain hash. */
uint64_t sync_cursor(const struct sync *s, const struct sync_chain *c, const uint8_t **hash);

/* ---- sync_outline.c: change-sets in outline ---- */
MUST_USE bool sync_on_outline(struct sync_turn *t, const struct message_outline *m);
MUST_USE bool sync_on_ask(struct sync_turn *t, const struct message_ask *m);
MUST_USE bool sync_on_tell(struct sync_turn *t, const struct message_tell *m);
/* Send a change-set in outline, if the peer wants that and it is worth while: then nothing more of
 * this chain until it asks for what follows. */
MUST_USE bool sync_send_outline(struct sync_turn *t, struct sync_chain *c, uint64_t number,
                                struct slice changeset, bool *sent);

/* Fill the actions and the deadline; fails when the peer is silent for too long. */
MUST_USE bool sync_plan(struct sync_turn *t);

#endif
