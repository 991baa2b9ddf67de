/* A row's cells with their clocks, as the ledger stores them. Local to one ledger: actors are its
 * small numbers.
 *
 *     record  = version 2: u8, cells: varint, clocks: varint, dead: varint (0: never deleted, else
 *               clock index + 1), clocks * clock, cells * cell
 *     clock   = stamp: u64 BE, actor << 1 | 1 if a row follows: varint, number: varint, row: varint
 *     cell    = type and clock: u8 = type | clock index << 3 (31: index follows as varint), value
 *     value   = nothing | zigzag varint | f64 BE | varint length, bytes | varint gid
 *
 * Cell i belongs to the column at position i; one that was never written has type 7. A counter's
 * cell has type 6, then
 *
 *     counter = type: u8 (7: no value), value, totals: varint, totals * (gid: varint, actor:
 *               varint, flags: u8, said and seen as flags say)
 *     said    = change-set: varint, stamp: u64 BE, form: u8, decimal
 *     seen    = change-set: varint, decimal
 *     decimal = limbs behind the point: u8, whole: zigzag varint, limbs * u64 BE
 */
#ifndef NAVETTE_RECORD_H
#define NAVETTE_RECORD_H

#include "arena.h"

struct local_clock {
    uint64_t stamp;
    uint64_t number; /* 0: no clock at all */
    int64_t row; /* of rows that are one, the one that was written, a gid. 0: the one that stands */
    uint32_t actor;
};

struct counter; /* counter.h */

struct cell {
    struct value v; /* what is shown. A VALUE_REF's actor is the ledger's number */
    struct local_clock clock;
    const struct counter *counter; /* NULL: v is all there is to it */
    bool set; /* false with a counter: only totals are known, and nothing is shown */
};

struct record {
    struct cell *cells;
    uint32_t n, room;
    struct local_clock dead;
    uint8_t *bytes; /* what text and blobs of a decoded record point into */
    size_t bytes_room;
    struct arena arena; /* where counters live */
};

/* Reuses the record's memory. The values live until the next decode or close. ERR_STORE: the ledger
 * is damaged. */
MUST_USE bool record_decode(struct record *r, struct slice bytes, struct err *e);
/* The same of bytes that outlive the values: they borrow from these. */
MUST_USE bool record_borrow(struct record *r, struct slice bytes, struct err *e);
void record_encode(const struct record *r, struct buf *out);

/* A value that is not in an encoded record itself but belongs there, behind `at` of its bytes. */
struct record_gap {
    size_t at;
    struct slice bytes; /* borrowed from the record's cell */
};

#define LARGE_BYTES (1u << 20) /* values so long are not copied (ledger_large.h) */

struct record_gaps {
    struct record_gap *gaps;
    uint32_t n, room;
    size_t bytes; /* of all together */
};

/* The same, without the texts and blobs that are large: `gaps`, a zeroed one for record_gaps_close,
 * tells where they belong. */
void record_encode_apart(const struct record *r, struct buf *out, struct record_gaps *gaps);
void record_gaps_close(struct record_gaps *gaps);
/* Memory for what belongs to the record's cells, until the next decode, clear or close. */
void *record_alloc(struct record *r, size_t n);
/* Forget all cells. */
void record_clear(struct record *r);
void record_close(struct record *r);
/* The cell at a position, made (unset) if it is beyond the end. Pointers to other cells become
 * invalid. */
struct cell *record_cell(struct record *r, uint32_t position);
/* Has any cell or total been said? */
bool record_has_cells(const struct record *r);
/* NULL when it is not set: nothing is shown there. */
const struct cell *record_get(const struct record *r, uint32_t position);

void varint_write(struct buf *out, uint64_t v);
/* False when it runs over the end. */
MUST_USE bool varint_read(struct slice *in, uint64_t *v);
void packed_value_write(struct buf *out, const struct value *v);
MUST_USE bool packed_value_read(struct slice *in, struct value *v);

#endif
