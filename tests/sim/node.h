/* One PC of the simulator: an agent and an application on one disk, and its conversations. */
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include <navette/rebuild.h>
#include <navette/store.h>
#include <navette/sync.h>

#include "app.h"
#include "disk.h"
#include "habit.h"
#include "net.h"

#define SIM_PATH_BYTES 256

struct sim;

/* One PC's conversation with a peer. */
struct talk {
    bool open;
    struct sync sync;
    uint64_t deadline_ms;
    bool keys_owed;                /* the peer asked for our keys before we had published all */
    uint32_t history;              /* store_history when it opened */
    struct store_rebuild *rebuild; /* of a change-set that came in outline; NULL: none */
    struct actor rebuild_actor;
    uint64_t rebuild_number;
};

struct node {
    struct sim *sim;
    uint32_t index;
    char folder[SIM_PATH_BYTES]; /* the agent's home and the application's file */
    char database[SIM_PATH_BYTES];
    struct keys keys;
    uint64_t wall_ms;
    int64_t skew_ms, far_ms; /* far: more than others bear (clocks.h) */
    struct disk *disk;
    struct store *store;  /* NULL: the agent is not running */
    bool copy;            /* a person said that its file is a copy of the fleet's */
    struct buf peer_keys; /* what a member answered when it had to match */
    bool peer_keys_came;
    uint64_t keys_asked_ms;     /* 0: not yet */
    uint64_t have_sum, grew_ms; /* change-sets when it last looked, and since when */
    struct app app;
    struct sync_claims claims;
    struct talk talks[NET_NODES_MAX];
    uint64_t links;            /* ever made, for sync's numbers */
    uint64_t wait_ms;          /* since when changes of others wait for a migration; 0: none do */
    uint64_t ahead_ms;         /* its clock is right since then, or was never wrong */
    uint64_t lack_ms;          /* since when it waits for what nobody has; 0: it does not */
    uint64_t pump_ms;          /* when the agent looks at its files next */
    uint64_t agent_ms, app_ms; /* when they start again; UINT64_MAX: not by themselves */
    int64_t tick;              /* of the commit under way, 0 if none */
    int64_t open_tick; /* of the commit that it died in, while nobody can say what came of it */
    uint64_t open_ms;  /* when that was, by its clock */
    struct app open_commit; /* only what that transaction did */
    bool tracked;           /* its tables are */
    bool upgraded;          /* the application was, and the agent has not looked since */
    bool news;              /* its vectors changed: its links must hear of it */
    bool again;             /* it is to apply once more before it is quiet */
    bool stirred;           /* something else than the application's commits may make it publish */
    bool behind;            /* its database went back, and what that lost is not in it again */
};

/* ---- node.c: a PC ---- */

void node_open(struct sim *s, uint32_t index, struct rng rng);
void node_close(struct node *n);
void node_agent_start(struct node *n);
void node_agent_stop(struct node *n);
void node_app_start(struct node *n);
void node_app_stop(struct node *n);
/* A process of it died, or both: clear away, take back what a power cut takes, set when they start
 * again. False: nobody died. */
bool node_reap(struct node *n);
/* The plug is pulled. Both processes start again after `ms`. */
void node_lose_power(struct node *n, enum survival survival, uint64_t ms);
/* What the file holds; a hot journal is left to whoever opens the file first. */
void node_peek(struct node *n, struct view *v);
/* Something happened that the agent notices: it looks at its files soon. */
void node_poke(struct node *n);
/* The agent looks at its files: drains and applies. */
void node_pump(struct node *n);
void node_drain(struct node *n);
void node_apply(struct node *n);
/* A transaction of the application, which does `work`. */
void node_commit(struct node *n, bool (*work)(void *context, struct app *a, struct err *e),
                 void *context);
/* One of chance. */
void node_transaction(struct node *n);
/* All that stands between it and quiet is told by the vectors: nothing captured, staged or parked
 * waits. */
bool node_settled(struct node *n);
/* What the store answered: true when the caller shall leave off. */
bool node_failed(struct node *n, const char *doing, bool ok, struct err *e);

/* ---- join.c: a PC whose rows must first be matched with a member's ---- */

/* In STORE_MATCHING: once all of the fleet's change-sets are here, ask a member for its keys, then
 * match. */
void node_join(struct node *n);
/* A member's keys arrived. */
void node_take_keys(struct node *n, struct slice keys);
/* A newcomer asks for ours. False: not yet. */
bool node_tell_keys(struct node *n, uint32_t peer);

/* ---- talk.c: its conversations ---- */

void talk_open(struct node *n, uint32_t peer);
void talk_close(struct node *n, uint32_t peer);
void talk_message(struct node *n, uint32_t peer, struct slice bytes);
void talk_timeout(struct node *n, uint32_t peer);
/* Tell all links what is new here. */
void talk_news(struct node *n);
/* Messages of our own making. */
void talk_send(struct node *n, uint32_t peer, const struct buf *messages);
/* Hang up on everybody: we have another incarnation. */
void talk_close_all(struct node *n);

#endif
