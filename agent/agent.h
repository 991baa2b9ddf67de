/* What the modules of the shell share: one agent, one home, one loop, one thread. */
#ifndef NAVETTE_AGENT_H
#define NAVETTE_AGENT_H

#include <uv.h>

#include <navette/roster.h>
#include <navette/store.h>

#include "config.h"
#include "home.h"

struct json_object;
struct discovery;
struct links;
struct watch;
struct drop;
struct control;
struct pump;

struct agent {
    uv_loop_t *loop;
    struct home home;          /* paths and the home's lock */
    struct config config;      /* agent.conf */
    struct keys keys;
    struct roster roster;
    uint8_t roster_digest[HASH_BYTES];
    uint8_t fleet_key[KEY_BYTES];
    struct store *store;
    struct discovery *discovery; /* beacons out and in */
    struct links *links;         /* connections, dialling, sync */
    struct watch *watch;         /* the database's files */
    struct pump *pump;           /* drain and apply, when and how often */
    struct drop *drop;           /* the folder */
    struct control *control;     /* the local socket */
    uint64_t wall_ms;            /* one wall clock reading per loop turn */
    bool stopping;
};

/* Open everything in `home` and start; agent_run returns after agent_stop (or a fatal error at start). */
MUST_USE bool agent_open(struct agent *a, uv_loop_t *loop, const char *home, struct err *e);
void agent_run(struct agent *a);
void agent_stop(struct agent *a);
void agent_close(struct agent *a);

/* The roster grew (joined, merged, enrolled): store it and tell links. */
MUST_USE bool agent_roster_changed(struct agent *a, struct err *e);

/* ---- what control requests call; results are new references ---- */

/* The one snapshot that text, JSON and metrics are made from: the fields of `status --json`. */
struct json_object *agent_status(struct agent *a);
struct json_object *agent_peers(struct agent *a);
/* Make and store an invitation, announce it, return its token. */
MUST_USE bool agent_invite(struct agent *a, uint64_t ttl_ms, char *token, struct err *e);
/* Start joining with a token; on_done is called once, with e->code ERR_NONE on success. */
typedef void agent_on_joined(void *context, const struct err *e);
MUST_USE bool agent_join(struct agent *a, const char *token, bool copy, agent_on_joined *on_done, void *context,
                         struct err *e);
/* Dial everybody and exchange now. */
void agent_sync_now(struct agent *a);
/* Nothing captured is unsent, and every connected peer has acknowledged all of it (and nothing waits to be applied here). */
bool agent_is_settled(struct agent *a);
/* Tables changed by a control request: drain at once. */
void agent_poke(struct agent *a);
/* Write what `peer` (a name, NULL: anybody, everything) lacks as a drop file into `directory` (NULL: the configured one's sortant); `path` gets
 * its name (1024 bytes), `changesets` how many are in it. */
MUST_USE bool agent_drop_export(struct agent *a, const char *directory, const char *peer, char *path,
                                uint32_t *changesets, struct err *e);
MUST_USE bool agent_drop_import(struct agent *a, const char *path, uint32_t *added, struct err *e);

#endif
