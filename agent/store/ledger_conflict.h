/* The ledger's table of conflicts: entries in and out, counted and bounded. What is a conflict is
 * decided in conflict.c. */
#ifndef NAVETTE_LEDGER_CONFLICT_H
#define NAVETTE_LEDGER_CONFLICT_H

#include "ledger.h"

enum { CONFLICT_LOST, CONFLICT_WON };

/* A zeroed one is empty. */
struct conflict {
    int64_t id;
    uint64_t at_ms; /* when it was noticed here */
    int64_t gid;
    uint32_t table, position;
    char *why;           /* owned; a word of conflict.h, or a sentence */
    struct record cells; /* CONFLICT_LOST, CONFLICT_WON; unset: not known, NULL at a delete's clock:
                            the row was deleted */
    struct buf newer;    /* (actor, number: varint)... */
    struct buf past;     /* what its author had seen, likewise; empty: `newer` tells all */
    bool hidden;         /* not listed: the value is the cell's, or is listed already */
    uint64_t bytes;      /* as counted */
    bool was_hidden;     /* likewise */
};

void conflict_close(struct conflict *c);

struct conflict_list {
    struct conflict *list;
    uint32_t n;
};

void conflict_list_close(struct conflict_list *l);

/* ---- inside a transaction ---- */
/* Writes it with a number of its own; the oldest make room. */
MUST_USE bool conflict_add(struct ledger *l, struct conflict *c, struct err *e);
/* Its position, cells and `newer` as they are now. */
MUST_USE bool conflict_put(struct ledger *l, struct conflict *c, struct err *e);
/* Harmless if there is none. */
MUST_USE bool conflict_remove(struct ledger *l, int64_t id, struct err *e);
MUST_USE bool conflict_remove_all(struct ledger *l, struct err *e);
/* What is listed of row `from` is of `to`. */
MUST_USE bool conflict_move(struct ledger *l, int64_t from, int64_t to, struct err *e);

/* ---- reading ---- */
/* May this row have any? Mostly not, and then nothing need be read. */
bool conflict_may_be(const struct ledger *l, int64_t gid);
/* Of one row, oldest first; `list` is zeroed. */
MUST_USE bool conflict_of_row(struct ledger *l, int64_t gid, struct conflict_list *list,
                              struct err *e);
/* A row of "SELECT id, at_ms, gid, tbl, position, why, cells, newer, hidden, past". */
MUST_USE bool conflict_read(struct sqlite3_stmt *s, struct conflict *c, struct err *e);
/* Count them, after the ledger was opened or rolled back. */
MUST_USE bool conflict_load(struct ledger *l, struct err *e);

/* ---- who had seen what ---- */
/* `author` had applied `number` of `actor`. */
MUST_USE bool ledger_seen(struct ledger *l, uint32_t author, uint32_t actor, uint64_t number,
                          struct err *e);
/* So many change-sets of `actor`, another one. */
uint64_t ledger_seen_number(const struct ledger *l, uint32_t author, uint32_t actor);
/* Had `author` seen this write when it made its latest change-set? Of ourselves: have we now? */
bool ledger_saw(const struct ledger *l, uint32_t author, const struct local_clock *c);
/* Read it, after the ledger was opened or rolled back. */
MUST_USE bool ledger_seen_load(struct ledger *l, struct err *e);

#endif
