/* The home: one directory per agent, with its settings, keys, roster and ledger. Made by `agent-cli
 * init`. */
#ifndef NAVETTE_HOME_H
#define NAVETTE_HOME_H

#include <navette/invite.h>
#include <navette/keys.h>
#include <navette/roster.h>

#include "file.h"

/* Paths in the home; plain text, a zeroed one is valid. */
struct home {
    char path[PATH_BYTES_MAX];
    char conf[PATH_BYTES_MAX];       /* agent.conf */
    char identity[PATH_BYTES_MAX];   /* the device seed, 0600 */
    char roster[PATH_BYTES_MAX];     /* the roster's log; absent until this PC is in a fleet */
    char fleet_key[PATH_BYTES_MAX];  /* the fleet's shared key by fleet id, 0600; likewise */
    char join_token[PATH_BYTES_MAX]; /* a token still to be redeemed, 0600; absent otherwise */
    char invites[PATH_BYTES_MAX];    /* what is kept of the tokens made here, 0600; or absent */
    char asked[PATH_BYTES_MAX];      /* the invitation of a request on a stick, 0600; likewise */
    char welcome[PATH_BYTES_MAX];    /* of the answer on a stick: what matching needs; likewise */
    char ledger[PATH_BYTES_MAX];     /* ledger.db, the store's */
    char pid[PATH_BYTES_MAX];        /* agent.pid, for messages only: the lock is the ledger's */
    char backup[PATH_BYTES_MAX];
    char logs[PATH_BYTES_MAX];
    char log[PATH_BYTES_MAX];    /* logs/agent.log */
    char socket[PATH_BYTES_MAX]; /* what the control socket is called here (see home_socket_name) */
    const char *cards;           /* where the system lists its network cards: CARDS_DIRECTORY */
};

/* Fill in the paths: of `given`, else of the environment's NAVETTE_HOME, else of the system's
 * default place. Touches no disk. */
MUST_USE bool home_locate(struct home *h, const char *given, struct err *e);
/* Has `agent-cli init` been here? Its last step writes agent.conf. */
bool home_exists(const struct home *h);
/* Make the directories, 0700. */
MUST_USE bool home_create(const struct home *h, struct err *e);
/* For the users of `group` ("": for nobody else) the socket, and the way to it through the home, of
 * which they see nothing. */
MUST_USE bool home_share_socket(const struct home *h, const char *group, struct err *e);
/* SQLite makes its files readable to all who come that far. */
MUST_USE bool home_close_ledger(const struct home *h, struct err *e);
/* The home is a directory, ours, and closed to others; errors say what to do. Called before
 * anything in it is read. */
MUST_USE bool home_check(const struct home *h, struct err *e);
/* The same, and it exists; one whose settings alone are lost is told how to write them anew. */
MUST_USE bool home_check_set_up(const struct home *h, struct err *e);

/* Make and store a new identity; an identity that is there is never replaced (ERR_REFUSED). */
MUST_USE bool home_identity_create(const struct home *h, struct keys *k, struct err *e);
/* Read a file of the home that only its owner may read, and refuse it otherwise. The caller wipes
 * `text`, after a failure, too. */
MUST_USE bool home_secret_read(const char *path, struct buf *text, struct err *e);
/* Refuses files that others can read, and content that is not whole; never repairs. */
MUST_USE bool home_identity_load(const struct home *h, struct keys *k, struct err *e);

/* Is this the identity of a PC that the home's roster knows? ERR_REFUSED: the file was put here
 * from another home. */
MUST_USE bool home_identity_fits(const struct home *h, const struct keys *k, const struct roster *r,
                                 struct err *e);

/* Take away the identity, the fleet and the ledger: all by which others know this PC. The settings
 * stay. Cut off, it is done again. */
MUST_USE bool home_forget(const struct home *h, struct err *e);

/* The fleet's key as far as this PC knows, then those that it had before. */
struct fleet_keys {
    uint8_t keys[FLEET_KEYS_MAX][KEY_BYTES];
    uint32_t n;
};

/* This one is the present one from now on. False: it was. */
bool fleet_keys_put(struct fleet_keys *k, const uint8_t key[KEY_BYTES]);

/* Is this PC in a fleet: is there a roster? */
bool home_has_fleet(const struct home *h);
/* The roster and the keys of its fleet; `k` is empty (zeroed). */
MUST_USE bool home_fleet_load(const struct home *h, struct roster *r, struct fleet_keys *k,
                              struct err *e);
/* Become a member of the fleet of `r`. A fleet that was there is given up; until the last step, the
 * roster's rename, it stands whole. */
MUST_USE bool home_fleet_save(const struct home *h, const struct roster *r,
                              const uint8_t key[KEY_BYTES], struct err *e);
/* The fleet has another key. */
MUST_USE bool home_fleet_keys_save(const struct home *h, const struct roster *r,
                                   const struct fleet_keys *k, struct err *e);
/* The roster of the same fleet grew. */
MUST_USE bool home_roster_save(const struct home *h, const struct roster *r, struct err *e);

/* The token that `init --join` left. read: `text` (INVITE_TEXT_BYTES_MAX) is "" when there is none.
 */
MUST_USE bool home_join_token_write(const struct home *h, const char *text, struct err *e);
MUST_USE bool home_join_token_read(const struct home *h, char *text, struct err *e);
MUST_USE bool home_join_token_remove(const struct home *h, struct err *e);

/* For messages: who runs on this home. pid_read gives 0 when nobody says. */
MUST_USE bool home_pid_write(const struct home *h, struct err *e);
void home_pid_remove(const struct home *h);
int64_t home_pid_read(const struct home *h);
/* Does an agent answer on the socket of this home? Takes a short moment. */
bool home_is_served(const struct home *h);
/* Fill `e` with ERR_REFUSED, "an agent already runs on this home..." and what to do. Returns false.
 */
bool home_taken(const struct home *h, struct err *e);

/* The control socket's name for the home at `path`: agent.sock in it, or, where that is too long
 * for the system, a short one in the user's runtime directory; a named pipe on Windows. */
MUST_USE bool home_socket_name(char *out, const char *path, struct err *e);

#endif
