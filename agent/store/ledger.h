/* The ledger: our own SQLite file. This module reads and writes its tables, and keeps the small
 * facts in memory; drain, merge, apply decide what they mean. Writes: in ledger_begin, _commit. */
#ifndef NAVETTE_LEDGER_H
#define NAVETTE_LEDGER_H

#include <navette/changeset.h>
#include <navette/hlc.h>

#include "gid.h"
#include "keymap.h"
#include "record.h"

struct sqlite3;
struct sqlite3_stmt;
struct held;
struct large;

enum { SCAN_NONE, SCAN_MATCH, SCAN_RECONCILE, SCAN_GONE /* the file had the table */ };

struct ledger_actor {
    struct actor actor;
    uint64_t staged, merged, applied, said;
    uint64_t waived;          /* up to here nobody waits for what is not in the log (waive.c) */
    uint8_t hash[HASH_BYTES]; /* of the staged one */
    uint64_t counter_max;     /* highest gid counter of this actor that the ledger has met */
    uint64_t latest;          /* no stamp of what is merged is later */
    uint64_t tagged;          /* history.h */
    uint8_t tags[32];
    uint64_t *seen;              /* of the others that it had applied at its latest; owned */
    struct ledger_limit *limits; /* ledger_limits.h; owned */
    uint32_t seen_room, limit_n, limit_room;
};

struct ledger_table {
    uint32_t id;
    char *name;
    char **columns; /* by position */
    uint32_t column_count;
    int scan;
    int64_t key_max;   /* highest integer key ever seen here */
    int64_t key_floor; /* up to here nobody remembers which have been used; INT64_MIN: all known */
    int64_t repairs;   /* app_table.repairs when a reconciliation was last scheduled */
    uint32_t stands;   /* the table that this name stands for (rename.h); 0: itself */
};

struct ledger {
    struct sqlite3 *db;
    char *path;
    struct sqlite3_stmt **statements;
    struct kept *kept;   /* ledger_kept.h */
    struct large *lent;  /* ledger_large.h */
    bool open, lazy;     /* in a transaction; commits are not synced */
    const void *lasting; /* whose transaction the next one ends (remerge.h, drain.h); or NULL */
    bool silent;         /* what we say in it is not among `have` and `applied` yet */
    bool swollen, log_synced, disturbed, copied, torn; /* ledger_lasting.h */
    bool unsynced; /* a lazy commit that must be durable before the file's next batch is not */
    int64_t syncs;
    struct ledger_actor *actors; /* [id - 1] */
    uint32_t actor_count, actor_room;
    uint32_t self, aside; /* our present actor; whose chain is in doubt (fork.h), 0: none's */
    uint64_t parted;      /* of that chain: the first change-set that is not ours; 0: none yet */
    struct ledger_table *tables;       /* [id - 1] */
    uint32_t table_count, large_files; /* the latter: of ledger_large.h, that are open */
    const struct roster *roster;       /* lent; NULL: everybody is believed (belief.h) */
    struct vector have, applied;       /* `have`: in the log, as far as its authors are believed */
    struct {
        int64_t first, last;
        double time;
    } run;                 /* marks drained one after the other with one time */
    struct buf runs;       /* those before, for the next point */
    int64_t point;         /* the last one's id */
    struct held *held;     /* ledger_points.h; NULL: the file holds all that is applied */
    bool told;             /* but for what stands in `untold`, and for rows that we made above */
    uint64_t told_counter; /* this counter, the file knows where its rows are (placed.h) */
    uint64_t tellings;     /* how often it was told; 0: never */
    struct hlc clock;
    bool matched, outdated;    /* the latter: stamps beyond their limits are left (remerge.h) */
    uint64_t gid_next, minted; /* the counter to mint next; the highest since `open` */
    struct keymap mints;       /* all since then */
    int64_t cursor;            /* last mark drained */
    int64_t looked;            /* ... and in the file when rows were read, drained or not */
    double cursor_time, looked_time;
    int64_t batch;
    uint8_t token[16];
    uint32_t foreign; /* the file is another PC's: what we and this actor of ours say waits; or 0 */
    int64_t live, live_before; /* rows present; when the transaction began */
    bool aliases;              /* some gid has an alias */
    struct {
        uint32_t n, hidden; /* listed and not listed */
        uint64_t bytes;
        int64_t dropped;   /* dismissed because there were too many, since a person dismissed all */
        uint16_t *of_rows; /* how many, by a hash of the gid: most rows have none */
    } conflicts;
};

/* Create or open `home`/ledger.db for `fleet`. That of another fleet is emptied and starts again
 * under a new incarnation, to be matched, unless `alone`: there is no other member. */
MUST_USE bool ledger_open(struct ledger *l, const char *home, const char *vfs, bool exclusive,
                          const uint8_t fleet[FLEET_ID_BYTES], const struct site_id *site,
                          bool alone, struct err *e);
void ledger_close(struct ledger *l);
/* A commit saves the small facts, too; it is durable at once, a `lazy` one with the next other. */
MUST_USE bool ledger_begin(struct ledger *l, bool lazy, struct err *e);
MUST_USE bool ledger_commit(struct ledger *l, struct err *e);
/* Make a lazy commit durable: the file is never more than one batch ahead of the ledger. */
MUST_USE bool ledger_sync(struct ledger *l, struct err *e);
/* End all reads, after reading outside a transaction; roll back, harmless when nothing is open. */
void ledger_rest(struct ledger *l);
void ledger_rollback(struct ledger *l);
/* A new incarnation of ourselves: another actor, an empty chain. */
MUST_USE bool ledger_reincarnate(struct ledger *l, const struct site_id *site, struct err *e);

/* ---- actors, by number (0: the ledger does not know it), and gids ---- */
uint32_t ledger_actor_find(const struct ledger *l, const struct actor *a);
/* The same, added when new. ERR_LIMIT: there are ACTORS_MAX already. */
MUST_USE bool ledger_actor(struct ledger *l, const struct actor *a, uint32_t *id, struct err *e);
/* One that others name: ERR_LIMIT from ACTORS_NAMED on. */
MUST_USE bool ledger_actor_named(struct ledger *l, const struct actor *a, uint32_t *n,
                                 struct err *e);
/* Is there a place for a new author of this site? From ACTORS_SHARED on: if it has few. */
bool ledger_actor_fits(const struct ledger *l, const struct site_id *site);
/* Is it an incarnation of this PC? */
bool ledger_is_ours(const struct ledger *l, uint32_t actor);
MUST_USE bool ledger_actor_save(struct ledger *l, uint32_t id, struct err *e);
/* The row that has this name, or that stands for it; 0: none. */
MUST_USE bool ledger_natural_get(struct ledger *l, uint32_t table, struct slice identity,
                                 int64_t *gid, struct err *e);
MUST_USE bool ledger_natural_put(struct ledger *l, uint32_t table, struct slice identity,
                                 int64_t gid, struct err *e);

/* ---- tables ---- */
/* By name, added when new; a name that stands for another table gives that one. */
MUST_USE bool ledger_table(struct ledger *l, struct slice name, struct ledger_table **t,
                           struct err *e);
struct ledger_table *ledger_table_find(struct ledger *l, const char *name); /* NULL if unknown */
/* The position of a column, added when new. */
MUST_USE bool ledger_column(struct ledger *l, struct ledger_table *t, struct slice name,
                            uint32_t *position, struct err *e);
MUST_USE bool ledger_table_save(struct ledger *l, const struct ledger_table *t, struct err *e);

/* ---- rows ---- */
struct ledger_row {
    int64_t gid;
    uint32_t table;
    struct row_key key;
    bool present, minted, differs; /* it is in the file; rec is NULL; there is a shadow */
    struct slice rec, shadow;
    const struct record_gaps *gaps; /* of rec; NULL: none */
};
/* `found` false when there is none. Slices are good until the next call of the same function. */
MUST_USE bool ledger_row_get(struct ledger *l, int64_t gid, struct ledger_row *r, bool *found,
                             struct err *e);
/* The row with this key: the present one, else (`any`) the latest that ever had it. */
MUST_USE bool ledger_row_by_key(struct ledger *l, uint32_t table, const struct row_key *key,
                                bool any, struct ledger_row *r, bool *found, struct err *e);
/* Insert or replace the whole row; `was_present` keeps the count of live rows right. */
MUST_USE bool ledger_row_put(struct ledger *l, const struct ledger_row *r, bool known,
                             bool was_present, struct err *e);
/* What the projection of a row came to: key, present, shadow (p NULL: as rec). */
MUST_USE bool ledger_row_settle(struct ledger *l, int64_t gid, const struct row_key *key,
                                bool present, bool was_present, struct slice shadow, struct err *e);
/* It is not in the file (any more): likewise, but the key is written as given, even none. */
MUST_USE bool ledger_row_unplace(struct ledger *l, const struct ledger_row *r, bool was_present,
                                 struct err *e);
/* Note the key that a row not in the file should have, if it has none yet. */
MUST_USE bool ledger_row_wish(struct ledger *l, int64_t gid, int64_t key, struct err *e);
/* A row from a statement of one's own that selects gid, tbl, key, present, rec, shadow. */
void ledger_row_of(struct sqlite3_stmt *s, struct ledger_row *r);

/* ---- due ---- */
MUST_USE bool ledger_due_put(struct ledger *l, int64_t gid, uint64_t now_ms, const char *why,
                             struct err *e);
/* It is dead, and stays in the file because rows there refer to it: that is no trouble. */
MUST_USE bool ledger_due_keep(struct ledger *l, int64_t gid, uint64_t now_ms, const char *why,
                              struct err *e);
MUST_USE bool ledger_due_remove(struct ledger *l, int64_t gid, struct err *e);

/* ---- the log ---- */
MUST_USE bool ledger_changeset_put(struct ledger *l, uint32_t actor, uint64_t number,
                                   uint64_t stamp, struct slice bytes, struct err *e);
/* Its bytes, good until the next call; `found` false when it is not there. */
MUST_USE bool ledger_changeset_get(struct ledger *l, uint32_t actor, uint64_t number,
                                   struct slice *bytes, bool *found, struct err *e);

/* ---- queries of one's own ---- */
/* A number from a query; a statement for the caller to step and finalize (NULL: failed). */
MUST_USE bool ledger_number(struct ledger *l, const char *sql, int64_t *n, struct err *e);
struct sqlite3_stmt *ledger_prepare(struct ledger *l, const char *sql, struct err *e);
bool ledger_err(struct ledger *l, const char *doing, struct err *e);

#endif
