/* The merge rule on stored state: staged change-sets become the logical state of rows, and the rows
 * that they changed are due for the application's file. */
#ifndef NAVETTE_MERGE_H
#define NAVETTE_MERGE_H

#include "inside.h"

/* A batch takes in whole change-sets until it is full: it has so many rows or bytes. What a full
 * one needs is done in several calls, each no longer than its largest change-set needs. */
#define BATCH_ROWS  20000
#define BATCH_BYTES (8u << 20)

/* SQLite holds no row of more than 10^9 bytes, and the ledger has a row's record and what the file
 * shows of it in one. Who says more is not taken any further. */
#define RECORD_BYTES_MAX (448u << 20)

/* Inside a ledger transaction: merge one staged change-set; its rows are appended to s->due. */
MUST_USE bool merge_changeset(struct store *s, uint32_t actor, uint64_t number, struct slice bytes,
                              struct err *e);
/* What of a change-set that is merged concerns some rows, once more: nothing is listed or due for
 * it. All others come before all `repairs`. */
struct merge_anew {
    const struct keymap *rows; /* that stand in the ledger, by gid */
    bool repairs;              /* take these and nothing else */
    bool has_repairs;          /* set: there are some in it */
    uint64_t seen, merged;     /* counted: rows in all that was read, and of them merged */
};
MUST_USE bool merge_rows_again(struct store *s, uint32_t actor, uint64_t number, struct slice bytes,
                               struct merge_anew *anew, struct err *e);
/* Rebuild s->merged and s->due after a start. */
MUST_USE bool merge_reload(struct store *s, struct err *e);
/* Merge what is ready, until the batch is full. `leave_open`: the ledger's transaction may stay
 * open, so that `project` ends it together with what the batch came to, or merge_keep does; that of
 * a full batch is committed. */
MUST_USE bool merge_ready(struct store *s, uint64_t now_ms, bool leave_open, struct err *e);
/* Is all merged that a header says its author had applied? */
MUST_USE bool merge_has_needs(struct store *s, const struct vector *needs, bool *has,
                              struct err *e);
/* Commit what merge_ready left open, if anything. */
MUST_USE bool merge_keep(struct store *s, struct err *e);
bool merge_is_full(const struct store *s);
/* Is anything staged that is not merged? */
bool merge_pending(const struct store *s);
void due_add(struct due_list *l, int64_t gid, bool waiting, bool needed);
/* The batch is done, or begins anew. */
void due_clear(struct store *s);

#endif
