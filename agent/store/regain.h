/* The inside of regaining a ledger: see regain.c. */
#ifndef NAVETTE_REGAIN_H
#define NAVETTE_REGAIN_H

#include "behind.h"
#include "placed.h"

/* Where the file says that a row is; one that others have been told of is nowhere. */
struct place {
    int64_t gid;
    struct binding *b;
    int64_t key;
    bool keyed, here, deleted;
};

struct regain {
    struct recovery r;
    struct store *s;
    struct app_state state;
    struct placed_point point;
    struct site_id site; /* whose file it is */
    uint64_t *limit;     /* by actor: the last change-set that the file held */
    uint32_t limit_n;
    bool forgotten; /* it held some that are not in the log */
    struct place *places;
    uint32_t place_n, place_room;
    struct keymap by_gid, by_key; /* 1 + index into places */
    struct keymap born;  /* likewise, of rows made since the point, by their authors' key */
    struct keymap times; /* of marks above the point, in ms */
    struct record rec;
    struct buf room;
};

static inline struct row_key int_key(int64_t i)
{
    return (struct row_key){.kind = KEY_INT, .i = i};
}

/* Adds to an error about what the file was told what helps. Returns false. */
bool regain_damaged(const struct regain *b, struct err *e);
/* Is the file this PC's, and not a copy of another one's? */
bool regain_is_ours(const struct regain *b);
/* Does the actor belong to the PC whose file it is? */
bool regain_is_own(const struct regain *b, uint32_t actor);

/* regain_place.c: inside a read of the file and a ledger transaction, with everything merged that
 * the file held: the ledger's rows get the keys that the file says. */
MUST_USE bool regain_place(struct regain *b, struct err *e);
/* Once marks above the point have been replayed (b->r.list): rows whose birth or end has been said
 * are known by it. */
MUST_USE bool regain_settle_marks(struct regain *b, struct err *e);
/* If what this PC said is nowhere any more: rows that it had deleted. */
MUST_USE bool regain_delete_gone(struct regain *b, struct err *e);

#endif
