/* Body of a change-set: the rows, by table. protocol/README.md has the layout; here is how to
 * write one and how to read one.
 *
 *     body  = [actors: [bin 24...], tables: [table...]]
 *     table = [name, columns: [name...], keys: uint, surrogate: bool, rows: [row...]]
 *     row   = [op, actor index, counter, stamp minus the previous row's, cells...]
 *             REPAIR, UNITE: [..., actor index, number, cells...]
 *     cell  = value | [total, form] | [value, (actor index, number, total, row or nil)...]
 */
#ifndef NAVETTE_BODY_H
#define NAVETTE_BODY_H

#include <navette/bounds.h>
#include <navette/decimal.h>

/* ---- rows ---- */

/* A total that was seen: what an actor said in its change-set `number` to have added to the cell,
 * of the row itself, or of another one that this row has been united with. */
struct body_seen {
    struct gid row; /* counter 0: the row itself */
    uint32_t actor; /* index in the body's list */
    uint64_t number;
    struct decimal total;
};

/* A cell that is more than a value. A delta: all that its author ever added to the cell of the row
 * of this gid, and the form in which the sum is to be shown; its value is NULL. Or a value with
 * the totals that its author had seen, which are in it. */
struct body_counter {
    uint32_t cell; /* index into the row's cells */
    bool delta;
    uint8_t form; /* decimal.h */
    struct decimal total;
    uint32_t seen_n;
    const struct body_seen *seen; /* 1 to CELL_TOTALS_MAX; rising: by row, none first, then actor */
};

struct body_row {
    enum change_op op;
    struct gid gid;
    uint64_t stamp;
    struct gid with;                     /* of REPAIR and UNITE */
    uint32_t n;                          /* cells */
    const uint32_t *columns;             /* rising; of an INSERT 0, 1, 2... */
    const struct value *values;          /* their bytes borrow the body */
    uint32_t counter_n;                  /* cells that are more than a value */
    const struct body_counter *counters; /* cells rising; none in key columns */
};

/* ---- writing: body_open, then per table body_table and its rows, then body_finish ---- */

struct body_writer {
    struct buf out; /* tables without the counts of their rows */
    struct actor *actors;
    uint32_t actor_count, actor_room;
    struct body_part *tables; /* where in `out` */
    uint32_t table_count, table_room;
    uint32_t rows;
    uint32_t recent[64]; /* indices of actors found lately */
    uint64_t last_stamp;
};

void body_open(struct body_writer *b);
/* Index of an actor in this body's list; added when new. */
uint32_t body_actor(struct body_writer *b, const struct actor *a);
/* Begin a table; each name once in a body. The first `keys` columns are its primary key.
 * `surrogate`: the key is one INTEGER that each site assigns for itself, and its value in an
 * INSERT is only the author's local one (a hint). */
void body_table(struct body_writer *b, struct slice name, const struct slice *columns,
                uint32_t count, uint32_t keys, bool surrogate);
/* What a table begins with, the array of five around it as well; an outline's do, too. */
void body_head(struct writer *w, struct slice name, const struct slice *columns, uint32_t count,
               uint32_t keys, bool surrogate);
/* A row of the current table. `stamp` is the row's HLC, 0 for the zero clock. INSERT: `values` has
 * one per column and `columns` is NULL. UPDATE: `n` >= 1 pairs, column indices rising. DELETE:
 * n = 0. Values are copied; a NaN becomes NULL, as in SQLite. */
void body_row(struct body_writer *b, enum change_op op, struct gid gid, uint64_t stamp,
              const uint32_t *columns, const struct value *values, uint32_t n);
/* A REPAIR, whose `with` is an actor and the number of a change-set, or a UNITE (n = 0). */
void body_row_with(struct body_writer *b, enum change_op op, struct gid gid, uint64_t stamp,
                   struct gid with, const uint32_t *columns, const struct value *values,
                   uint32_t n);
/* The same for a row that may have counters: `columns` is not looked at in an INSERT. A delta
 * stands in an UPDATE only, no counter in a REPAIR. */
void body_row_write(struct body_writer *b, const struct body_row *row);
/* Bytes so far: a drain closes its change-set at BODY_BYTES_SOFT. */
size_t body_size(const struct body_writer *b);
/* Finish the body into `body`, which is cleared first and gets the maximum it needs. ERR_LIMIT when
 * it exceeds BODY_BYTES_MAX. */
MUST_USE bool body_finish(struct body_writer *b, struct buf *body, struct err *e);
void body_close(struct body_writer *b);

/* ---- reading ----
 *     body_read(&b, bytes, header.stamp, &e);
 *     while (body_next_table(&b))
 *         while (body_next_row(&b))
 *             ... b.table, b.row ...
 *     ok = body_read_end(&b);
 *     body_read_close(&b);
 * Everything is checked on the way: what body_next_row gives is well-formed. */

struct body_table {
    struct slice name;   /* like all names here 1 to IDENTIFIER_BYTES_MAX bytes of UTF-8, no NUL */
    uint32_t columns;    /* count */
    struct slice *names; /* of the columns; owned by the reader, good until the next table */
    uint32_t keys;
    bool surrogate;
    uint32_t rows;
};

struct body_reader {
    struct reader r;
    uint64_t max_stamp;
    uint64_t last_stamp;
    struct actor *actors; /* owned; what gid.actor counts in */
    uint32_t actor_count;
    uint32_t tables_left;
    uint32_t rows_left;  /* in the current table */
    uint32_t rows_total; /* in all tables so far */
    struct body_table table;
    struct body_row row; /* its arrays are the reader's, good until the next row */
    struct value *values;
    struct body_counter *counters;
    struct body_seen *seen;
    uint32_t counter_room, seen_n, seen_room;
    uint32_t room; /* of the arrays below and of table.names, in columns */
    uint32_t *every;
    uint32_t *some;
    struct slice *table_names; /* of all tables so far */
    uint32_t table_count;
};

/* Rows later than `header_stamp` are refused. `body` and `e` are borrowed. */
void body_read(struct body_reader *b, struct slice body, uint64_t header_stamp, struct err *e);
/* False at the end or after a failure. Rows of the present table that were not read are skipped. */
bool body_next_table(struct body_reader *b);
bool body_next_row(struct body_reader *b);
/* True when all of it was well-formed and read. False with the reason otherwise. */
MUST_USE bool body_read_end(struct body_reader *b);
void body_read_close(struct body_reader *b);

/* Read all of it: well-formed, no row later than `header_stamp`, and exactly `rows` rows. */
MUST_USE bool body_check(struct slice body, uint64_t header_stamp, uint32_t rows, struct err *e);

#endif
