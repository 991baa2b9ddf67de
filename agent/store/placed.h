/* Placed: what the application's file says of itself, in tables of ours. A ledger that went back or
 * was lost is built again from that and from the log (regain.c); nothing else reads it.
 *
 *     _navette_state.point
 *         [PLACED_FORMAT, telling, actor, number, mark, [table, repairs, key]..., holds]
 *         Where the file stood, and how often it had been told so: our change-sets up to `number`
 *         say all that the application did up to this mark, in these tables (their numbers in
 *         _navette_table, how often triggers had been put back, the highest key ever); and which
 *         change-sets it held, with tags of them in the place of hashes (history.h).
 *     _navette_placed.rows
 *         [PLACED_FORMAT, [actor]..., [table, actor * 3 + what, counter, key]...]
 *         Which row a surrogate key came to name (0), or named last (1; 2: the application deleted
 *         it); counters and keys as differences to those before; key nil: none. Of several entries
 *         the last one counts. Of two entries (0) without a key, one behind the other, the second
 *         row stands for the first (unite.h).
 *
 * The point and the rows are written together, with whatever takes marks away: what the application
 * did since, its marks tell. */
#ifndef NAVETTE_PLACED_H
#define NAVETTE_PLACED_H

#include "inside.h"

#define PLACED_FORMAT 1

/* ---- telling ---- */

/* On its way into the file. Open it before the lock is taken, close it in any case. */
struct telling {
    struct store *s;
    struct buf *chunks; /* encoded, each for one entry of _navette_placed */
    uint32_t chunk_n;
    struct buf entries; /* of the chunk under way */
    uint32_t entry_n;
    uint32_t *actors; /* in it: the ledger's numbers, and by these numbers 1 + index */
    uint32_t *actor_index;
    uint32_t actor_n, actor_room;
    uint64_t counter; /* of the entry before, and its key */
    int64_t key;
    struct buf point;
    struct vector_entry aside; /* of our own that is laid aside; number 0: nothing is */
    bool batch;                /* with a batch: what is merged comes into the file */
    bool whole; /* the file has been told nothing yet, or nothing that is still true */
};

/* With all that the ledger has to tell: of every row if s->ledger.told is false. */
MUST_USE bool telling_open(struct telling *t, struct store *s, struct err *e);
/* One row more, which the batch under way brings; the last word on it. */
enum placed { PLACED_HERE, PLACED_GONE, PLACED_DELETED };
void telling_row(struct telling *t, const struct binding *b, int64_t gid, const struct row_key *key,
                 enum placed what);
/* ... and if another row stands for it, that one. */
MUST_USE bool telling_part(struct telling *t, const struct binding *b, int64_t gid, struct err *e);
/* Inside a write transaction of the file: all of it but the point, which goes into t->point. With
 * t->batch the change-sets of the batch under way (s->merged) are held as well. */
MUST_USE bool telling_write(struct telling *t, struct err *e);
/* Inside the ledger transaction that follows: the file has been told. */
MUST_USE bool telling_done(struct store *s, struct err *e);
void telling_close(struct telling *t);
/* Has the file been told nothing yet, or so often that it had better be told all anew? */
MUST_USE bool placed_is_due(struct store *s, bool *due, struct err *e);
/* Tell it now, and purge marks; a durable transaction of the file of its own, with nothing merged
 * that is still to be projected. ERR_BUSY as usual. */
MUST_USE bool placed_tell(struct store *s, struct err *e);

/* ---- being told ---- */

struct placed_point {
    uint64_t telling; /* ledger.tellings then */
    struct actor actor;
    uint64_t number;
    int64_t mark;
    struct {
        int64_t number, repairs, key_max;
    } * tables;
    uint32_t table_n;
    struct vector holds;
};

/* ERR_INPUT: it is no point. Close it in any case. */
MUST_USE bool placed_point_read(struct placed_point *p, struct slice bytes, struct err *e);
void placed_point_close(struct placed_point *p);

struct placed_row {
    int64_t table; /* in _navette_table */
    struct actor actor;
    uint64_t counter;
    int64_t key;
    bool keyed; /* false with PLACED_HERE: it is one of two that are one */
    enum placed what;
};

/* The rows of one entry of _navette_placed, in order: 1 a row, 0 the end, -1 no such thing. */
struct placed_reader {
    struct reader in;
    struct actor *actors;
    uint32_t actor_n, left;
    uint64_t counter;
    int64_t key;
};

MUST_USE bool placed_read(struct placed_reader *r, struct slice rows, struct err *e);
int placed_next(struct placed_reader *r, struct placed_row *row);
void placed_read_close(struct placed_reader *r);

#endif
