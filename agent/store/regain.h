/* The inside of regaining a ledger: see regain.c. */
#ifndef NAVETTE_REGAIN_H
#define NAVETTE_REGAIN_H

#include "behind.h"
#include "evidence.h"
#include "placed.h"

/* Where the file says that a row is; one that others have been told of is nowhere. */
struct place {
    int64_t gid;
    struct binding *b;
    int64_t key;
    bool keyed, here, deleted;
};

/* The file says that `stands` stands for `gid`. */
struct part_told {
    struct binding *b;
    int64_t gid, stands;
};

/* Corrections of an actor's stamps that the ledger had when it was to be built again; owned. */
struct later {
    struct ledger_limit *limits;
    uint32_t n;
};

struct regain {
    struct recovery r;
    struct store *s;
    struct app_state state;
    struct placed_point point;
    struct site_id site; /* whose file it is */
    struct actor name;   /* as whom we say what it held and nobody has any more */
    uint64_t *limit;     /* by actor: the last change-set that the file held */
    uint64_t *told;      /* by actor of the file's PC: the last one of which the point speaks */
    uint64_t *part; /* the limit, if it is not sure that the file held all rows of it; else 0 */
    uint32_t limit_n;
    struct vector known; /* what the ledger had when it was last in step with a file */
    bool remembers;      /* there is such a one */
    bool forgotten;      /* it held some that are not in the log */
    struct later *later; /* by actor, while only those count that the file had heard of */
    uint32_t later_n;    /* 0: all count */
    struct place *places;
    uint32_t place_n, place_room;
    struct part_told *parts;
    uint32_t part_n, part_room;
    int64_t part_of;              /* the first of two that are one, when the second is awaited */
    struct keymap by_gid, by_key; /* 1 + index into places */
    struct keymap born;     /* likewise, of rows made since the point, by their authors' key */
    struct touch_list left; /* rows of which another PC has said all that came of their marks here;
                               what they point to is in r.list.arena */
    struct keymap times;    /* of marks above the point: enum known_by */
    struct keymap touches;  /* likewise, in ms, by the row that they touched: touch_list.times */
    struct keymap taken;    /* keys that rows have by these marks */
    struct record rec;
    struct buf room;
};

/* What is known of the marks above the point: when they were made, in ms; and the counters of the
 * gids of rows that they made. */
enum known_by { TIMES_OF_MARKS, ROWS_BY_MARKS };

/* Adds to an error about what the file was told what helps. Returns false. */
bool regain_damaged(const struct regain *b, struct err *e);
/* Is the file this PC's, and not a copy of another one's? */
bool regain_is_ours(const struct regain *b);
/* Does the actor belong to the PC whose file it is? */
bool regain_is_own(const struct regain *b, uint32_t actor);

/* regain_part.c: does a copy of another PC's file hold what that one said in this change-set? */
MUST_USE bool regain_weigh_copied(struct regain *b, const struct changeset *c, uint64_t stamp_max,
                                  enum evidence *says, struct err *e);
/* Of such a file, once marks have been replayed and settled: what that PC had written itself is not
 * to be said again. */
MUST_USE bool regain_settle_copied(struct regain *b, struct err *e);

/* regain_limits.c: before what the file held is merged, inside a ledger transaction: only those
 * corrections count that it held. */
MUST_USE bool regain_limits(struct regain *b, struct err *e);
/* Once the ledger says what the file shows, and nothing is published yet: all count again, and what
 * they change is merged anew. */
MUST_USE bool regain_limits_later(struct regain *b, struct err *e);
void regain_limits_close(struct regain *b);

/* regain_place.c: inside a read of the file and a ledger transaction, with everything merged that
 * the file held: the ledger's rows get the keys that the file says. */
MUST_USE bool regain_place(struct regain *b, struct err *e);
/* Then: of which tables the point speaks, and in which of them something may have been written that
 * no mark tells of. */
MUST_USE bool regain_tables(struct regain *b, struct err *e);
/* regain_unite.c: the file was told of a row, by its entry, that it is one with another. */
void regain_put_part(struct regain *b, struct binding *binding, int64_t gid);
/* Once all of that is read: rows of which nobody else remembers that they are one are one. Others
 * hear of it, in change-sets of our present actor, by the second. */
MUST_USE bool regain_unite(struct regain *b, struct err *e);
MUST_USE bool regain_say_parts(struct regain *b, struct store_progress *p, struct err *e);

/* Once marks above the point have been replayed (b->r.list): rows whose birth or end has been said
 * are known by it. */
MUST_USE bool regain_settle_marks(struct regain *b, struct err *e);
/* Likewise of one row. */
MUST_USE bool regain_settle_touched(struct regain *b, struct touched *t, struct err *e);
/* If what this PC said is nowhere any more: rows that it had deleted. */
MUST_USE bool regain_delete_gone(struct regain *b, struct err *e);

#endif
