/* Change-set: a signed, numbered, hash-chained batch of row changes of one actor.
 * protocol/README.md has the layout; here is how to build one and how to read one.
 *
 *     change-set = [header: bin, signature: bin 64, body: bin]
 */
#ifndef NAVETTE_CHANGESET_H
#define NAVETTE_CHANGESET_H

#include <navette/bounds.h>
#include <navette/keys.h>
#include <navette/wire.h>

#define CHANGESET_FORMAT 1
#define CHANGESET_CONTEXT "navette change-set 1"

/* For each actor the highest change-set number without a gap. Sorted by actor, no number 0. */
struct vector_entry {
    struct actor actor;
    uint64_t number;
    uint8_t hash[HASH_BYTES]; /* chain hash of that change-set */
};

struct vector {
    struct vector_entry *entries;
    uint32_t n;
    uint32_t room;
};

uint64_t vector_get(const struct vector *v, const struct actor *a); /* 0 if absent */
const struct vector_entry *vector_find(const struct vector *v, const struct actor *a);
/* Insert or overwrite; `hash` may be NULL (zeros). At most ACTORS_MAX entries: false beyond. */
bool vector_set(struct vector *v, const struct actor *a, uint64_t number, const uint8_t *hash);
/* True when `v` has at least every number of `needed`. */
bool vector_covers(const struct vector *v, const struct vector *needed);
void vector_copy(struct vector *to, const struct vector *from);
void vector_close(struct vector *v);
/* As [[actor: bin 24, number: uint, hash: bin 32]...]. Read refuses unsorted or repeated actors. */
void vector_write(struct writer *w, const struct vector *v);
void vector_read(struct reader *r, struct vector *v);

struct changeset_header {
    uint8_t fleet[FLEET_ID_BYTES];
    struct actor actor;
    uint64_t number;               /* 1, 2, 3... without gaps */
    uint8_t previous[HASH_BYTES];  /* chain hash of number - 1; zeros for number 1 */
    uint64_t stamp;                /* HLC when it was made; no row has a later one */
    struct vector needs;           /* what the author had applied of others and had not said in an earlier header (numbers only, hashes included) */
    uint64_t schema;               /* fingerprint of the author's tracked schema */
    uint32_t roster;               /* number of roster entries the author knew */
    uint32_t rows;                 /* rows in the body, at most CUT_ROWS_MAX */
    uint32_t body_bytes;
    uint8_t body_hash[HASH_BYTES]; /* BLAKE2b-256 of the body */
};

/* The three parts of an encoded change-set, borrowed, not yet verified. */
struct changeset {
    struct slice header;
    const uint8_t *signature;
    struct slice body;
};

/* ---- writing: body_open, then per table body_table and its rows, then changeset_seal ---- */

struct body_column {
    struct slice name;
};

struct body_writer {
    struct buf out; /* the body */
    struct actor *actors;
    uint32_t actor_count, actor_room;
    uint32_t table_count;
    uint32_t rows;
    uint64_t last_stamp;
    size_t row_count_at; /* internal: where counts are patched */
    struct buf tables;
    uint32_t table_rows;
    struct buf table_rows_bytes;
    struct buf table_head;
};

void body_open(struct body_writer *b);
/* Index of an actor in this body's list; added when new. */
uint32_t body_actor(struct body_writer *b, const struct actor *a);
/* Begin a table. The first `keys` columns are its primary key. `surrogate`: the key is one INTEGER that each
 * site assigns for itself, and its value in an INSERT is only the author's local one (a hint). */
void body_table(struct body_writer *b, struct slice name, const struct slice *columns, uint32_t count,
                uint32_t keys, bool surrogate);
/* A row of the current table. `stamp` is the row's HLC, 0 for the zero clock. INSERT: `values` has one per column and
 * `columns` is NULL. UPDATE: `n` pairs. DELETE: n = 0. */
void body_row(struct body_writer *b, enum change_op op, struct gid gid, uint64_t stamp,
              const uint32_t *columns, const struct value *values, uint32_t n);
/* Bytes so far: a drain closes its change-set at BODY_BYTES_SOFT. */
size_t body_size(const struct body_writer *b);
/* Finish the body into `body`; ERR_LIMIT when it exceeds BODY_BYTES_MAX. */
MUST_USE bool body_finish(struct body_writer *b, struct buf *body, struct err *e);
void body_close(struct body_writer *b);

/* Fill rows, body_bytes and body_hash, encode and sign the header. `out` gets the encoded change-set, `hash` its chain hash. */
MUST_USE bool changeset_seal(struct changeset_header *h, uint32_t rows, struct slice body,
                             const struct keys *k, struct buf *out, uint8_t hash[HASH_BYTES],
                             struct err *e);
/* The same three parts put together again. */
void changeset_join(struct buf *out, const struct changeset *c);

/* ---- reading ---- */

/* Take it apart. Checks layout and sizes, no signature. */
MUST_USE bool changeset_split(struct changeset *c, struct slice bytes, struct err *e);
/* Decode a header; close it with changeset_header_close. */
MUST_USE bool changeset_header_read(struct changeset_header *h, struct slice header, struct err *e);
void changeset_header_close(struct changeset_header *h);
/* Signature, body length and hash, and that the whole body is well-formed. */
MUST_USE bool changeset_verify(const struct changeset *c, const struct changeset_header *h,
                               const uint8_t sign_public[32], struct err *e);
/* BLAKE2b-256 of the header bytes. */
void changeset_hash(const struct changeset *c, uint8_t hash[HASH_BYTES]);

struct body_table {
    struct slice name;
    uint32_t columns;      /* count */
    struct slice *names;   /* owned by the reader, good until the next table */
    uint32_t keys;
    bool surrogate;
    uint32_t rows;
};

struct body_row {
    enum change_op op;
    struct gid gid;
    uint64_t stamp;
    uint32_t n;          /* cells */
    uint32_t *columns;   /* owned by the reader, good until the next row; for INSERT 0, 1, 2... */
    struct value *values;
};

struct body_reader {
    struct reader r;
    struct err *e;
    uint64_t header_stamp;
    uint64_t last_stamp;
    struct actor *actors; /* owned */
    uint32_t actor_count;
    uint32_t tables_left, rows_left, rows_total;
    struct body_table table;
    struct body_row row;
    uint32_t names_room, cells_room;
};

/* Iterate:  while (body_next_table(&b)) while (body_next_row(&b)) ...;  ok = body_read_end(&b); */
void body_read(struct body_reader *b, struct slice body, uint64_t header_stamp, struct err *e);
bool body_next_table(struct body_reader *b);
bool body_next_row(struct body_reader *b);
/* True when all of it was well-formed and consumed. Also usable half-way, then false. */
MUST_USE bool body_read_end(struct body_reader *b);
void body_read_close(struct body_reader *b);

#endif
