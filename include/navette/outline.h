/* Outline of a change-set: its body without what the receiver may have in its own database already.
 * A joiner whose file is a copy builds the body again from its own rows; what differs it asks for.
 * protocol/README.md, section Outlines, has the layout; in short:
 *
 *     outline = [actors: [bin 24...], tables: [[name, columns, keys, surrogate, [piece...]]...]]
 *     piece   = [count, rows: bin]                                    as they stand in the body
 *             | [count, actor, counter, difference, keys: bin, digests: bin]            a run
 *
 * A run: INSERTs of one actor, whose counters rise by one and whose stamps are equal. Of a
 * surrogate table the key of each row is told, of another the key of the first row of each range;
 * and of each range, OUTLINE_RANGE_ROWS rows, a digest. The *mark* of a row is the beginning of the
 * hash of its cells, the digest of a range that of the hash of its marks. Both are short, because
 * nothing is taken on trust: the body must have the hash that its author signed. */
#ifndef NAVETTE_OUTLINE_H
#define NAVETTE_OUTLINE_H

#include <navette/changeset.h>

#define OUTLINE_RANGE_ROWS   64
#define OUTLINE_BODY_MIN     1024 /* of a shorter body no outline is made */
#define OUTLINE_PART_MAX     4    /* an outline is no more than 1/4 of its body */
#define OUTLINE_MARK_BYTES   4
#define OUTLINE_DIGEST_BYTES 8
#define OUTLINE_KEY_BYTES_MAX                                                                      \
    256                    /* key cells of a row of a run, encoded, not of a surrogate table */
#define OUTLINE_ASKS_MAX 8 /* questions about one outline */

/* What may be asked of a change-set that was told in outline. Ranges and rows are counted through
 * all runs from 0. */
enum outline_ask {
    OUTLINE_MARKS = 1, /* of ranges: the marks of their rows, one behind the other */
    OUTLINE_CELLS = 2, /* of rows: their cells as they stand in the body, one behind the other */
    /* Of all rows that the body refers to and does not insert: their keys in the sender's file, so
     * that values that name them can be told:
     *     [[table: str, actor: bin 24, counter: uint, count: uint, keys: bin]...]
     * Whoever answers looks them up; the rest of such an answer is as in a run. No picks. */
    OUTLINE_NAMES = 3
};

/* ---- who has the change-set ---- */

/* Append the outline of a body, if it is worth while: else nothing. */
MUST_USE bool outline_write(struct buf *out, struct slice body, struct err *e);
/* Append the answer to a question about ranges or rows. `picks` as outline_picks_write makes them.
 */
MUST_USE bool outline_answer(struct buf *out, struct slice body, enum outline_ask what,
                             struct slice picks, struct err *e);

/* ---- who wants it ---- */

struct outline_table {
    struct slice name;
    struct slice *names; /* of the columns; the first `keys` are the key */
    uint32_t columns, keys;
    bool surrogate;
    uint32_t first_piece, pieces;
};

/* A row of a run. */
struct outline_row {
    uint32_t table;
    struct gid gid; /* the actor is an index into the outline's */
    int64_t key;    /* of a surrogate table */
};

struct outline_range {
    uint32_t first, rows; /* in outline.rows */
    const uint8_t *digest;
    uint32_t key_at,
        key_bytes; /* in `keys`: key cells of its first row, not of a surrogate table */
};

struct outline_piece {
    uint32_t first, rows; /* in outline.rows, of a run */
    struct slice bytes;   /* p NULL: a run. Else its rows as they stand in the body */
    int64_t difference;   /* of the first row of a run */
};

struct outline {
    struct actor *actors;
    struct outline_table *tables;
    struct outline_piece *pieces;
    struct outline_row *rows;
    struct outline_range *ranges;
    uint32_t actor_count, table_count, piece_count, row_count, range_count;
    uint32_t piece_room, row_room, range_room;
    struct buf keys;
};

/* `rows` as the change-set's header says. Borrows `bytes`. Close it also after a failure. */
MUST_USE bool outline_read(struct outline *o, struct slice bytes, uint32_t rows, struct err *e);
void outline_close(struct outline *o);
/* The key cells of its first row. */
struct slice outline_key(const struct outline *o, const struct outline_range *range);

void outline_mark(uint8_t mark[OUTLINE_MARK_BYTES], struct slice cells);
/* Have these rows, whose marks lie one behind the other, the digest of this range? */
bool outline_same(const struct outline_range *range, const uint8_t *marks);
/* The cells of the next row at the front of an answer. */
MUST_USE bool outline_next(const struct outline *o, const struct outline_row *row,
                           struct slice *left, struct slice *cells, struct err *e);
/* Append the body; `cells` has those of each row. */
void outline_body(struct buf *body, const struct outline *o, const struct slice *cells);

/* Rising keys: [first: int, (rows: uint, keys left out before the next: uint)...], without the
 * array around them; the rows behind the last gap follow each other. */
void outline_keys_write(struct buf *out, const int64_t *keys, uint32_t n);
MUST_USE bool outline_keys_read(int64_t *keys, uint32_t n, struct slice bytes, struct err *e);

/* A set of numbers below n: [skipped: uint, taken: uint, skipped...]. */
void outline_picks_write(struct buf *out, const bool *picked, uint32_t n);
MUST_USE bool outline_picks_read(bool *picked, uint32_t n, struct slice picks, struct err *e);

#endif
