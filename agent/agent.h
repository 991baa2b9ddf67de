/* What the modules of the shell share: one agent, one home, one loop, one thread. */
#ifndef NAVETTE_AGENT_H
#define NAVETTE_AGENT_H

#include <uv.h>

#include <navette/roster.h>
#include <navette/store.h>

#include "config.h"
#include "home.h"
#include "keep.h"
#include "notice.h"
#include "origin.h"
#include "settle.h"
#include "warning.h"

struct json_object;
struct discovery;
struct links;
struct watch;
struct drop;
struct control;
struct pump;
struct join;
struct invitations;
struct transfer;

struct agent {
    uv_loop_t *loop;
    struct home home;     /* paths and the home's lock */
    struct config config; /* agent.conf */
    struct keys keys;
    uint8_t run[32]; /* random, of this process: tells it from a twin (twins.h) */
    bool in_fleet;   /* roster, digest and fleet keys are a fleet's; else empty, to be joined */
    struct roster roster;
    uint8_t roster_digest[HASH_BYTES];
    struct fleet_keys fleet_keys;
    struct unkept unkept; /* of roster and keys: what the disk has not got yet */
    struct settle settle; /* what was done for checkpoints of the roster */
    struct store *store;  /* NULL while the database or the ledger cannot be opened: store_trouble
                             says why, and it is tried again; check before every use */
    struct err store_trouble;           /* why `store` is NULL; ERR_NONE when it is not */
    struct discovery *discovery;        /* beacons out and in */
    struct links *links;                /* connections, dialling, sync */
    struct watch *watch;                /* the database's files */
    struct pump *pump;                  /* drain and apply, when and how often; opens the store */
    struct drop *drop;                  /* the folder */
    struct transfer *transfers;         /* drop files that are being written or taken in */
    struct invitations *invitations;    /* tokens made here, and guests */
    struct join *join;                  /* becoming a member */
    struct control *control;            /* the local socket */
    struct warnings warnings;           /* what a person should know... */
    struct notices notices;             /* ...and what put itself right */
    char doubt[ORIGIN_DOUBT_BYTES_MAX]; /* why another PC may have our identity as well (origin.h):
                                           nothing is sent; "" when all is well */
    struct site_id twice;               /* whom WARNING_TWICE speaks of */
    uint64_t stranger_ms;               /* uv_now: WARNING_NO_MEMBER was last so */
    uint64_t started_ms;                /* wall clock */
    uint64_t wall_ms, wall_at;          /* see agent_wall_ms */
    struct site_id told_by;             /* who said that this PC was shut out; zeros: nobody */
    uint64_t refused_ms;   /* uv_now: when changes of one that was shut out came last; 0: never */
    uint64_t crowded_ms;   /* uv_now: when a change-set was refused whose site has too many names */
    uint64_t contested_ms; /* uv_now: when a list of no member's was left last; 0: never... */
    const char *contested_from;
    struct err contested_why; /* ...and why */
    uint64_t flooded_ms;      /* uv_now: more came from the network than is looked at; 0: never */
    uint64_t alone_ms;        /* uv_now: since when no peer is connected */
    bool met;                 /* some peer was connected since the start */
    uint32_t ticks;
    bool stopping;
};

/* Open everything in `home` and start; agent_run returns after agent_stop. A database that cannot
 * be opened is no error: the agent runs, says so and tries again. After a failure call agent_stop,
 * agent_run and agent_close as usual: they undo what was done. */
MUST_USE bool agent_open(struct agent *a, uv_loop_t *loop, const char *home, struct err *e);
void agent_run(struct agent *a);
void agent_stop(struct agent *a);
void agent_close(struct agent *a);

/* The wall clock, in ms since 1970: read once per loop turn. For time that only moves forward use
 * uv_now. */
uint64_t agent_wall_ms(struct agent *a);

/* The roster changed (joined, merged, enrolled): tell the others, do what follows from it
 * (fleet.h), and save it. It counts also where it fails: it is not saved yet then (keep.h). */
MUST_USE bool agent_roster_changed(struct agent *a, struct err *e);
/* Take in a peer's roster log, as roster_take does, or roster_adopt, where ours went back. */
MUST_USE bool agent_roster_merge(struct agent *a, struct slice log, struct err *e);
/* Become a member of the fleet of `r` (consumed), durably; what was published for another fleet is
 * put aside. */
MUST_USE bool agent_fleet_adopt(struct agent *a, struct roster *r,
                                const uint8_t fleet_key[KEY_BYTES], struct err *e);
/* Another agent may have our identity: remember that, and fall silent as soon as this callback has
 * returned. The application's writes are captured all the same. */
void agent_doubt(struct agent *a, const char *format, ...) PRINTF_LIKE(2, 3);
/* More `what` come, the last of them from `host`, than are looked at. */
void agent_flooded(struct agent *a, const char *what, const char *host);
/* Members besides ourselves. */
uint32_t agent_others(const struct agent *a);

/* ---- what control requests call; results are new references ---- */

/* The one snapshot that text, JSON and metrics are made from: the fields of `status --json`. */
struct json_object *agent_status(struct agent *a);
struct json_object *agent_peers(struct agent *a);
/* Make and store an invitation, announce it; `token` (INVITE_TEXT_BYTES_MAX) gets its text, without
 * addresses, hence shorter, where the guest comes with a `stick`. */
MUST_USE bool agent_invite(struct agent *a, uint64_t ttl_ms, bool stick, char *token,
                           struct err *e);
/* Start joining with a token; on_done is called once, later, with e->code ERR_NONE on success. */
typedef void agent_on_joined(void *context, const struct err *e);
MUST_USE bool agent_join(struct agent *a, const char *token, bool copy, agent_on_joined *on_done,
                         void *context, struct err *e);
/* The one who asked has gone: on_done of `context` is not called any more. Joining goes on. */
void agent_join_forget(struct agent *a, void *context);
/* Dial everybody and exchange now; `without_absent`: pump_without_absent; `clock_is_right`:
 * pump_clock_is_right. */
void agent_sync_now(struct agent *a, bool without_absent, bool clock_is_right);
/* Nothing captured is unsent, and every connected peer has acknowledged all of it (and nothing
 * waits to be applied here). ERR_BUSY says what is not so yet. */
MUST_USE bool agent_is_settled(struct agent *a, struct err *e);
/* Members, besides us, that are connected. */
uint32_t agent_connected(const struct agent *a);
/* Tables changed by a control request: drain at once. */
void agent_poke(struct agent *a);

/* Drop files are written and taken in a slice at a time, between other work. `on_done` is called
 * once, later; `paths` and `e` are lent. */
struct drop_done {
    const struct file_names *paths; /* export: of the files that were written */
    uint32_t changesets;            /* export: in the files; import: new here */
    uint32_t refused; /* import: left out, because their author was shut out before it made them */
    char refused_of[NAME_BYTES_MAX + 1]; /* the last such author */
    bool roster;                         /* import: it had news of who is in the fleet... */
    bool key;                            /* ...and, with these, the fleet's new key */
    bool foreign;                        /* import: a whole JSON file, but none of ours */
    struct err e;                        /* ERR_NONE: it went well */
};
typedef void agent_on_drop(void *context, const struct drop_done *done);
/* Write what `peer` (a name; "" for anybody: everything) lacks into `directory` ("" for the
 * configured one's sortant); nothing is written when nothing is lacking. */
MUST_USE bool agent_drop_export(struct agent *a, const char *directory, const char *peer,
                                agent_on_drop *on_done, void *context, struct err *e);
/* `adopt`: what it has of PCs that were shut out counts from now on, on every PC. */
MUST_USE bool agent_drop_import(struct agent *a, const char *path, bool adopt,
                                agent_on_drop *on_done, void *context, struct err *e);
/* The one who asked has gone: on_done of `context` is not called any more, and the work ends. */
void agent_drop_forget(struct agent *a, void *context);

#endif
