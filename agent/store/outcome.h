/* What the projection of a batch came to: written into the file's _navette_state in the same
 * transaction, so that the ledger can always follow. All integers varints unless said.
 *
 *     payload   = version 2: u8, digest of all that is merged: 16 bytes (not in version 1),
 *                 change-sets: n, n * (actor, number),
 *                 tables: n, n * (the ledger's number, highest key), rows: n, n * row
 *     row       = gid, outcome: u8, then
 *                 IN (updated), NEW (inserted): key (packed: 0 as before | 1 integer zigzag | 2
 * length, bytes), shadow: length + 1, bytes (0: none, the file holds what rec says) GONE, SAME,
 * MARKED: nothing PARKED, KEPT: reason: length, bytes */
#ifndef NAVETTE_OUTCOME_H
#define NAVETTE_OUTCOME_H

#include "keymap.h"

enum outcome_kind {
    OUTCOME_IN = 1,     /* the row is in the file, as rec says or as the shadow says */
    OUTCOME_GONE = 2,   /* it is not in the file, and should not be */
    OUTCOME_SAME = 3,   /* nothing was written: it was so already */
    OUTCOME_PARKED = 4, /* the file refused it; it stays due */
    OUTCOME_KEPT = 5,   /* dead, but in the file, because live rows refer to it; it stays due */
    OUTCOME_NEW = 6,    /* as IN, and it was not there before */
    OUTCOME_MARKED = 7, /* besides IN or NEW: it yielded a UNIQUE value to another row */
    OUTCOME_UNITE = 8   /* besides PARKED: by rule it is one with the row whose gid is `other` */
};

struct outcome {
    int64_t gid;
    enum outcome_kind kind;
    struct row_key key;  /* KEY_NONE: as it was */
    struct slice shadow; /* p NULL: none */
    struct slice reason;
    int64_t other; /* of UNITE */
};

void outcome_write(struct buf *out, const struct outcome *o);
/* Borrows from `in`, which moves on. */
MUST_USE bool outcome_read(struct slice *in, struct outcome *o);

#endif
