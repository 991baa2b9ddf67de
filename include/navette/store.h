/* The store: one application database and the ledger that keeps its logical state. No clock, no
 * socket, no thread: the shell and the simulator drive it through these calls, each bounded, none
 * waiting for a lock.
 *
 *     commit in the application's file -> store_drain -> change-sets in the log (durable)
 *     change-set from a peer -> store_stage (durable) -> store_apply: merge in the ledger, project
 * into the file
 *
 * ERR_BUSY from any of them: somebody else holds the application's file; nothing was changed, call
 * again later. */
#ifndef NAVETTE_STORE_H
#define NAVETTE_STORE_H

#include <navette/changeset.h>
#include <navette/roster.h>

struct store;

struct store_options {
    const char *home;        /* directory that holds ledger.db */
    const char *database;    /* the application's file */
    const char *vfs;         /* SQLite VFS name, NULL for the default: the simulator's crash VFS */
    const struct keys *keys; /* lent for the life of the store */
    const struct roster *roster; /* likewise; always the current one */
    bool exclusive; /* hold the home against a second agent (ERR_REFUSED if it is held) */
};

/* Open or create the ledger, open the application's file, and recover: finish a batch cut off
 * between the two files, notice a file that went back (power loss, restored copy) or is another
 * PC's. Errors say what is wrong with which file. */
MUST_USE bool store_open(struct store **s, const struct store_options *o, uint64_t now_ms,
                         struct err *e);
void store_close(struct store *s);

enum store_state {
    STORE_READY,    /* captures, drains, applies */
    STORE_MATCHING, /* captures only: its rows must first be matched against a member's */
};
enum store_state store_state(const struct store *s);

/* ---- tables ---- */

struct store_table {
    char *name;
    bool tracked;
    bool local;    /* by rule it stays on each PC */
    char *refused; /* why it cannot be tracked, NULL if it can */
    int64_t rows;  /* in the file */
    bool gone;     /* tracked, and not in the file any more */
};

struct store_tables {
    struct store_table *tables;
    uint32_t n;
};

MUST_USE bool store_tables(struct store *s, struct store_tables *out, struct err *e);
void store_tables_close(struct store_tables *t);

/* Track the named tables (all that can be when n is 0): triggers in, rows that are there scheduled
 * for the next drains. One transaction in the application's file; no write of the application can
 * fail because of it. A table that cannot be tracked fails the call and nothing is changed, except
 * with n = 0, where such tables are skipped, and tables that come later (a
 * migration's) are tracked when the application is quiet, unless they were untracked by name. */
MUST_USE bool store_track(struct store *s, const char *const *names, uint32_t n, struct err *e);
/* Stop capturing. Undrained marks of the table are drained first. */
MUST_USE bool store_untrack(struct store *s, const char *const *names, uint32_t n, uint64_t now_ms,
                            struct err *e);
/* Remove everything of ours from the application's file: its schema is exactly as before track. */
MUST_USE bool store_uninstall(struct store *s, struct err *e);

/* The rows of `table` under these two keys, which this PC numbered, are one thing: make one row of
 * them on every PC. Cells that differ: the later one. What refers to either refers to it. One of
 * the keys goes. ERR_REFUSED: no such rows, or a table whose keys are names. */
MUST_USE bool store_unite(struct store *s, const char *table, const int64_t keys[2],
                          uint64_t now_ms, struct err *e);

/* ---- capture ---- */

/* Has somebody else committed to the application's file since the last call? Cheap. */
MUST_USE bool store_changed(struct store *s, bool *changed, struct err *e);

/* Has it something to do that no mark tells of: repairs of rows that wanted one UNIQUE value,
 * deletes that a sweep noticed, rows to merge anew? store_drain does it, some of it later. */
bool store_owes(const struct store *s);

struct store_progress {
    uint32_t changesets;                  /* made, or given away only now; or applied */
    uint32_t rows, drained, drained_rows; /* the latter two of store_apply: what it drained first */
    bool more;         /* there is more to do: call again after the loop had its turn */
    bool apply;        /* of store_drain: rows wait to be put into the file; call store_apply */
    bool tidy;         /* tables may have come; call store_tidy */
    uint64_t again_ms; /* of store_apply, where `more` is false: call again after so long, for rows
                          that the file refused; 0: no need */
};

/* Marks -> change-sets: at most one of CUT_ROWS_MAX rows. Also works off rows of newly tracked
 * tables. */
MUST_USE bool store_drain(struct store *s, uint64_t now_ms, struct store_progress *p,
                          struct err *e);

/* For the application's quiet moments: removes a few milliseconds' worth of drained marks, where no
 * apply does, counts rows (REPLACE deletes without an event), and tracks tables that came since.
 * `more`: call again, after a pause. */
MUST_USE bool store_tidy(struct store *s, bool *more, struct err *e);

/* After large work: give back the memory of pages that are kept for next time. */
void store_rest(struct store *s);

/* ---- change-sets of others ---- */
/* STAGE_REWOUND: it proves another history of our own chain: wanted from where store_have is now */
enum stage_result { STAGE_NEW, STAGE_KNOWN, STAGE_REWOUND };
/* Verify (roster, signature, chain, fleet) and write to the log, durably when the call returns.
 * ERR_GAP: its predecessor is not here. ERR_STRANGER: its author is no member. */
MUST_USE bool store_stage(struct store *s, struct slice changeset, enum stage_result *result,
                          struct err *e);

struct stage_item {
    struct slice changeset;
    bool by_hand; /* no link did: if it proves another history of ours, all of them begin anew */
    enum stage_result result;
    bool ok;
    struct err e;            /* why it is not */
    struct site_id shut_out; /* zeros, or ERR_STRANGER: whose it is, beyond what is believed */
    struct site_id crowds;   /* likewise: it began anew too often (ACTORS_OWN) */
};

/* The same for several, in this order, with one fsync; each succeeds or fails as it would alone. */
void store_stage_all(struct store *s, struct stage_item *items, uint32_t n);
/* Merge what is staged and whose needs are met, and project it into the file: one bounded batch of
 * whole change-sets. Also retries rows that wait. ERR_BUSY: try again later (or drain first:
 * store_drain is called inside when marks are in the way). */
MUST_USE bool store_apply(struct store *s, uint64_t now_ms, struct store_progress *p,
                          struct err *e);

/* In STORE_MATCHING, once the ledger holds all that a member has: match the file's rows against it,
 * then READY. `copy`: the person said that the file is a copy of the fleet's database: equal keys
 * are the same row. `keys`: what members told with store_keys; the file may be a copy of any
 * member's, and is taken for that one's whose keys explain most of it. */
MUST_USE bool store_match(struct store *s, bool copy, const struct slice *keys, uint32_t n,
                          uint64_t now_ms, struct err *e);
/* Does the file say that it held change-sets that the ledger lacks? It went back or was lost, and a
 * member who is away may have them: without them, what they added to counters may count twice. */
MUST_USE bool store_match_lacks(struct store *s, bool *lacks, struct err *e);
/* For a newcomer that matches its rows with ours, `keys` of store_match: the rows that have another
 * key in this file than in their author's. [actors: [bin 24...], [[actor index, counter, key]...]];
 * when they do not fit into `out` (KEYS_BYTES_MIN or more), as many as do. */
MUST_USE bool store_keys(struct store *s, struct buf *out, struct err *e);

/* ---- a copy of the application's file ----
 * Into a new file at `path`, which nobody else writes meanwhile; close it before the store. Each
 * step copies a few megabytes; when the application commits in between, it begins anew by itself,
 * and after some times of that copies all at once. ERR_BUSY: step again later. Durable when
 * closed after `done`. */
struct store_backup;
MUST_USE bool store_backup_open(struct store *s, const char *path, struct store_backup **out,
                                struct err *e);
MUST_USE bool store_backup_step(struct store_backup *b, bool *done, struct err *e);
void store_backup_close(struct store_backup *b);

/* ---- what we have ---- */

const struct actor *store_actor(const struct store *s); /* our present actor */
/* Staged without gap, as far as their authors are believed; and merged and projected or parked.
 * Lent, always current. */
const struct vector *store_have(const struct store *s);
const struct vector *store_applied(const struct store *s);
/* Another number than before: what was told of them does not hold, all links begin anew. */
uint32_t store_history(const struct store *s);
/* Encoded change-sets of `actor` after `after`, concatenated, about `bytes` of them, at least one
 * if there is one. */
MUST_USE bool store_fetch(struct store *s, const struct actor *actor, uint64_t after, size_t bytes,
                          struct buf *out, struct err *e);
/* Read one encoded change-set from the front of concatenated ones; false at the end. */
bool store_fetch_next(struct slice *left, struct slice *changeset, struct err *e);

struct store_status {
    char journal_mode[16];
    uint32_t tracked_tables, gone_tables, refused_tables; /* gone from the file; of a bad kind */
    char gone[200], refused[400]; /* as many names as fit; of the refused, and why */
    int64_t rows;                 /* live rows tracked */
    int64_t marks;                /* not yet drained */
    int64_t staged;               /* change-sets not yet applied */
    int64_t parked;               /* rows the file cannot hold yet */
    int64_t kept; /* deleted elsewhere, and here as long as rows here refer to them */
    int64_t conflicts, conflicts_dropped; /* listed; and dismissed for want of room */
    int64_t unscanned;                    /* rows of newly tracked tables not yet published */
    char trouble[480];                    /* what stands in the way, "" if nothing */
    char unsent[400]; /* a value that is too long to be sent, "" if there is none */
};
MUST_USE bool store_status(struct store *s, struct store_status *out, struct err *e);
/* The same words as in its `trouble`; they may change with every call of the store. */
const char *store_trouble(const struct store *s);

/* Settings of the agent kept in the ledger (small values). get: `out` empty when absent. set: while
 * a drain in slices lasts it may wait in memory until that is done; a crash takes it along then. */
MUST_USE bool store_meta_get(struct store *s, const char *name, struct buf *out, struct err *e);
MUST_USE bool store_meta_set(struct store *s, const char *name, struct slice value, struct err *e);

#endif
