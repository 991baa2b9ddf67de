/* Counters: cells whose changes add up. Beside the value that was last written (the set) such a
 * cell has running totals: what each actor says that it has added to the cell of the row it named,
 * and how much of that is in the set already, because its author had seen it.
 *
 *     shown = set + sum of (total - seen), over the totals that are newer than what was seen
 *
 * Of each total the one from the newest change-set counts; it may be smaller than the one before.
 * Nothing of this depends on the order in which sets and totals come, nor on any rule. */
#ifndef NAVETTE_COUNTER_H
#define NAVETTE_COUNTER_H

#include <navette/decimal.h>

#include "record.h"

struct total {
    int64_t gid;     /* as the actor named the row; several where rows were united */
    uint32_t actor;  /* the ledger's number */
    uint64_t number; /* of the change-set that said so; 0: nothing said yet */
    uint64_t stamp;  /* of its row: with actor and number, a clock */
    struct decimal total;
    uint8_t form;         /* how whoever said so wants the sum shown (decimal.h) */
    uint64_t seen_number; /* the set's author had seen this one; 0: none */
    struct decimal seen;
};

struct counter {
    struct value base; /* the set; its clock is the cell's */
    uint32_t n;
    const struct total *totals; /* by gid, then actor */
};

/* What was written, without what was added since. */
const struct value *cell_base(const struct cell *c);
/* That write as if nothing had been added. */
struct cell cell_plain(const struct cell *c);
/* The total of an actor for the row named so; NULL if there is none. */
const struct total *counter_find(const struct cell *c, int64_t gid, uint32_t actor);
/* The latest stamp of the cell: the set's or a total's. */
uint64_t counter_stamp(const struct cell *c);

/* These change the cell at a position of `r`, in the record's own memory. ERR_LIMIT: it would have
 * more than CELL_TOTALS_MAX totals; the cell is as it was. */
/* Take in a total; an older one changes nothing. */
MUST_USE bool counter_add(struct record *r, uint32_t position, const struct total *t,
                          struct err *e);
/* What its author said of the cell last is taken back: this is what he had said before, number 0:
 * nothing. */
void counter_put_back(struct record *r, uint32_t position, const struct total *before);
/* `set` is the write that wins; what of its totals is `seen` is in it. The totals said so far stay.
 */
MUST_USE bool counter_set(struct record *r, uint32_t position, const struct cell *set,
                          struct err *e);
/* The cell of another row, which is this row now: `other_wins` says whose set stays; totals of both
 * count. */
MUST_USE bool counter_unite(struct record *r, uint32_t position, const struct cell *other,
                            bool other_wins, struct err *e);
/* The file shows this value now: it becomes the set, and all totals are in it. */
void counter_settle(struct record *r, uint32_t position, const struct value *shown);

/* A counter of `n` totals to be filled in, in the memory of `r`, then sorted. */
struct total *counter_totals(struct record *r, uint32_t n);
const struct counter *counter_of(struct record *r, const struct value *base, struct total *totals,
                                 uint32_t n);
/* The same totals beside another set; NULL of NULL. */
const struct counter *counter_rebase(struct record *r, const struct counter *k,
                                     const struct value *base);
/* Work out what is shown. */
void counter_show(struct record *r, struct cell *c);

#endif
