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

/* Fill the actions and the deadline; fails when the peer is silent for too long. */
MUST_USE bool sync_plan(struct sync_turn *t);

#endif
