/* What a person should know of a merge: writes that were beaten by somebody who had not seen them.
 *
 * The writes of a cell form a tree: each hangs from the one that its author saw when he wrote, the
 * latest of those he had applied. The leaf with the latest clock is the cell's value; every other
 * leaf was lost without anybody deciding so, and is listed, unless its value is the cell's or that
 * of a later leaf. So the list follows from the set of writes, not from the order of their arrival,
 * and a write that comes twice changes nothing. The merge itself never asks what is listed.
 *
 * All of it inside the ledger transaction that merges. Times are s->noticed_ms. */
#ifndef NAVETTE_CONFLICT_H
#define NAVETTE_CONFLICT_H

#include "inside.h"

/* Why something is listed: words that conflicts.c has sentences for. */
#define CONFLICT_OVERWRITTEN "overwritten" /* a cell: beaten by a later write, unseen */
#define CONFLICT_MATCHED     "matched"     /* a cell that differed when rows were matched */
#define CONFLICT_DELETED     "deleted"     /* a write beaten by a delete of its row, unseen */
#define CONFLICT_RETURNED    "returned"    /* a delete beaten by a write of the row, unseen */
#define CONFLICT_PUT_BACK    "put-back"    /* written into a file that had been put back */
#define CONFLICT_YIELDED     "yielded"     /* another row has this UNIQUE value */
#define CONFLICT_UNITED      "united"      /* a cell in which two rows differed that are one now */

#define CONFLICT_STALE    "stale"    /* put back by a save of what had been read before an apply */
#define CONFLICT_DOUBTFUL "doubtful" /* a counter written right after an apply changed it */

/* Change-sets looked up in the log by one merge or drain. */
#define LOOK_UPS_MAX 5000

/* One row as it is merged. */
struct conflict_row {
    struct store *s;
    int64_t gid;
    uint32_t table;
    int64_t own_key; /* position of a key that each site numbers for itself; -1: none */
    bool inserted;   /* what is merged is an insert */
};

/* `write` meets a cell that is set: what the cell held before, and holds still if `write` is the
 * earlier one. */
MUST_USE bool conflict_cell(const struct conflict_row *row, uint32_t position,
                            const struct cell *write, const struct cell *had, struct err *e);
/* A delete became the row's; `rec` is the record with it. */
MUST_USE bool conflict_delete(const struct conflict_row *row, const struct record *rec,
                              struct err *e);
/* The latest of some cells; of those written together the one whose column has the first name, so
 * that every site names the same. A zeroed one is empty; texts are borrowed. */
struct conflict_choice {
    const struct cell *cell; /* NULL or &copy */
    struct cell copy;
    uint32_t position;
};
void conflict_consider(const struct conflict_row *row, struct conflict_choice *best,
                       const struct cell *cell, uint32_t position);
/* Cells of a row that was once deleted have been written with this clock: `written` is the choice
 * among all of them, whether or not they won; `rec` is the record with them. */
MUST_USE bool conflict_write(const struct conflict_row *row, const struct record *rec,
                             const struct local_clock *write, const struct conflict_choice *written,
                             struct err *e);
/* List what some other rule has decided; `won` NULL: what the row holds when it is shown. An equal
 * value that is kept there for the same reason is enough. */
MUST_USE bool conflict_note(const struct conflict_row *row, uint32_t position, const char *why,
                            const struct cell *lost, const struct cell *won, struct err *e);
/* The cell holds this now: of equal values only the latest is listed, and none that it has. */
MUST_USE bool conflict_settle(const struct conflict_row *row, uint32_t position,
                              const struct value *now, struct err *e);
/* The same as conflict_note, where one entry of this word about a cell is enough: it replaces an
 * earlier one. */
MUST_USE bool conflict_renew(const struct conflict_row *row, uint32_t position, const char *why,
                             const struct cell *lost, struct err *e);

#endif
