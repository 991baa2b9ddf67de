/* The simulator: a fleet of PCs with the real store and the real conversation, under a fake clock,
 * on fake disks and a fake network. One thread, nothing waits, and a seed replays to the last byte.
 *
 *     struct sim s;
 *     sim_open(&s, (struct sim_options){.nodes = 3, .seed = 7});
 *     sim_cut(&s, 0, 1);
 *     sim_sql(&s, 0, "UPDATE ...");
 *     sim_heal_all(&s);
 *     sim_run_until_quiet(&s, 60000);
 *     sim_check_same(&s);
 *     assert_true(sim_close(&s));
 *
 * The first failure stands, and everything after it does nothing: no checks in between are needed.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <navette/rebuild.h>
#include <navette/store.h>
#include <navette/sync.h>

#include "app.h"
#include "disk.h"
#include "habit.h"
#include "net.h"
#include "oracle.h"

#define SIM_EPOCH_MS UINT64_C(1750000000000)
#define SIM_SKEW_MS                                                                                \
    240000 /* clocks are at most this wrong: two PCs stay within HLC_SKEW_MS_MAX                   \
            */
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
    int64_t skew_ms;
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
    uint64_t lack_ms;          /* since when it waits for what nobody has; 0: it does not */
    uint64_t pump_ms;          /* when the agent looks at its files next */
    uint64_t agent_ms, app_ms; /* when they start again; UINT64_MAX: not by themselves */
    int64_t tick;              /* of the commit under way, 0 if none */
    int64_t open_tick; /* of the commit that it died in, while nobody can say what came of it */
    uint64_t open_ms;  /* when that was, by its clock */
    struct app open_commit; /* only what that transaction did */
    bool news;              /* its vectors changed: its links must hear of it */
    bool again;             /* it is to apply once more before it is quiet */
    bool stirred;           /* something else than the application's commits may make it publish */
};

struct sim_options {
    uint32_t nodes;
    uint64_t seed;
    uint32_t loss_percent;
    bool drawn;                    /* a schema by chance instead of the till's */
    bool calm;                     /* the power never fails */
    bool forks;                    /* a chain may go on in two ways: disks are put back */
    uint32_t late;                 /* so many of the PCs, the last ones, do not run an agent yet */
    const char *journal_mode;      /* of the applications' files; NULL: by chance */
    const enum survival *survival; /* of what was not synced in a power cut; NULL: by chance */
};

struct sim {
    struct err e; /* the first failure */
    bool verbose; /* NAVETTE_SIM_TRACE is set: tell everything, and leave the files of a failure */
    struct sim_options options;
    struct rng rng;
    uint64_t now_ms;
    struct shape shape;
    struct words words;
    struct oracle oracle;
    struct net net;
    struct roster roster;
    uint8_t roster_digest[HASH_BYTES];
    struct node nodes[NET_NODES_MAX];
    struct view scratch;
    uint64_t serial; /* of written values */
    int64_t tick;    /* of committed transactions */
    bool founded;    /* all PCs run that were not late */
    uint32_t deaths, applied, outlines, outline_asks;
};

/* ---- sim.c: the world ---- */

/* All PCs run, connected, with empty tables, all tracked. */
void sim_open(struct sim *s, struct sim_options o);
/* True when nothing failed; else the failure has been printed, and for a person who watches the
 * files are left on the system's disk. */
MUST_USE bool sim_close(struct sim *s);
bool sim_ok(const struct sim *s);
void sim_fail(struct sim *s, const char *format, ...) PRINTF_LIKE(2, 3);
void sim_fail_err(struct sim *s, const struct node *n, const char *doing, const struct err *e);
void sim_trace(const struct sim *s, const struct node *n, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Let time pass: messages arrive, agents look at their files, what is down starts again. */
void sim_advance(struct sim *s, uint64_t ms);
/* Until every PC has and has applied what every other has, which must be within `ms`; then see that
 * nobody has anything more to say. */
void sim_run_until_quiet(struct sim *s, uint64_t ms);
/* All files equal, sound, and what the oracle says. */
void sim_check_same(struct sim *s);
/* One file now: sound, and told to the oracle. */
void sim_check_node(struct sim *s, uint32_t node);

void sim_cut(struct sim *s, uint32_t a, uint32_t b);
void sim_cut_all(struct sim *s, uint32_t node);
void sim_heal(struct sim *s, uint32_t a, uint32_t b);
void sim_heal_all(struct sim *s);

/* One transaction of the application. */
void sim_sql(struct sim *s, uint32_t node, const char *format, ...);
/* The first column of the first row of a query, as text, "" when there is none. Free with free. */
char *sim_text(struct sim *s, uint32_t node, const char *sql);

/* Like drop files: whatever `from` has and `to` lacks, without a link. */
void sim_carry(struct sim *s, uint32_t from, uint32_t to);
/* Change-sets of one actor that `from` has, in any order and some twice, whether or not `to` has
 * them or what comes before them. */
void sim_carry_any(struct sim *s, uint32_t from, uint32_t to, struct rng *r);

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
/* A transaction of chance. */
void node_transaction(struct node *n);
/* All that stands between it and quiet is told by the vectors: nothing captured, staged or parked
 * waits. */
bool node_settled(struct node *n);

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
