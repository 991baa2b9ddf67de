/* The author: rows of the ledger -> our own signed change-sets, numbered and chained, put into the
 * log. Everything we say to others goes through here. Inside a ledger transaction:
 *
 *     author_begin(&a, s, now_ms, progress);
 *     per row: if (author_is_full(&a, 1)) author_seal(&a, e)
 *              author_open(&a), then its clock is {stamp, our actor, a.number}; author_row(...)
 *     author_seal(&a, e);
 *     author_close(&a);
 */
#ifndef NAVETTE_AUTHOR_H
#define NAVETTE_AUTHOR_H

#include "inside.h"

struct author {
    struct store *s;
    struct store_progress *progress;
    uint64_t now_ms;
    struct body_writer body;
    bool is_open;
    uint64_t number; /* of the change-set being written */
    uint64_t stamp_max;
    uint32_t corrected;            /* whose stamps are corrected... */
    uint64_t corrected_to;         /* ...up to which number; 0: nobody's */
    struct binding *table;         /* whose record is open in the body */
    uint32_t *actor_index;         /* body's index + 1 by ledger actor */
    struct body_counter *counters; /* of one row, with the body's indices */
    struct body_seen *seen;
    uint32_t counter_room, seen_room;
};

void author_begin(struct author *a, struct store *s, uint64_t now_ms,
                  struct store_progress *progress);
/* Open the next change-set if none is open. */
void author_open(struct author *a);
/* A row as body_row takes it; references and gid with the ledger's numbers of actors, which become
 * the body's, in `values` as well. `columns` index b->order. */
void author_row(struct author *a, struct binding *b, enum change_op op, int64_t gid, uint64_t stamp,
                const uint32_t *columns, struct value *values, uint32_t n);
/* What `of` wrote into a column of the file is now `value`. */
void author_repair(struct author *a, struct binding *b, int64_t gid, const struct local_clock *of,
                   uint32_t column, const struct value *value);
/* These two rows are one. */
void author_unite(struct author *a, struct binding *b, int64_t gid, int64_t other);
/* Do its totals fit into one row of a body? */
bool author_takes(const struct body_row *row);
/* The same as author_row for a row that may have counters: everything in `row` with the ledger's
 * numbers of actors, what was seen in any order. Its values are `values`, which are overwritten. An
 * update with more totals than a row of a body takes becomes several rows of it. */
void author_write(struct author *a, struct binding *b, const struct body_row *row,
                  struct value *values);
/* What a value, and what was seen beside it (NULL: nothing), takes at most in a row. */
size_t author_bytes(const struct value *v, const struct body_counter *c);
/* Open a change-set that has room for a row of so many bytes: where the one that is open has not,
 * that one is sealed. `number` is then that of the row. A row alone must not have more than
 * BODY_BYTES_SOFT, or one value. */
MUST_USE bool author_room(struct author *a, size_t bytes, struct err *e);
/* Is there no room for so many rows more? Then seal it first. */
bool author_is_full(const struct author *a, uint32_t rows);
/* Sign what is open and put it into the log; nothing if it has no rows. */
MUST_USE bool author_seal(struct author *a, struct err *e);
/* Say that what `actor`, one of our own site or of one that was shut out, has said up to `number`
 * counts as said now at the latest: a change-set of its own, without rows. */
MUST_USE bool author_correct(struct author *a, uint32_t actor, uint64_t number, struct err *e);
void author_close(struct author *a);

#endif
