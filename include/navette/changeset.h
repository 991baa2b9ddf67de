/* Change-set: a signed, numbered, hash-chained batch of row changes of one actor.
 * protocol/README.md has the layout; body.h has the rows.
 *
 *     change-set = [header: bin, signature: bin 64, body: bin]
 */
#ifndef NAVETTE_CHANGESET_H
#define NAVETTE_CHANGESET_H

#include <navette/body.h>
#include <navette/bounds.h>
#include <navette/keys.h>
#include <navette/vector.h>
#include <navette/wire.h>

#define CHANGESET_FORMAT     1
#define CHANGESET_CONTEXT    "navette change-set 1"
#define CHANGESET_NUMBER_MAX VECTOR_NUMBER_MAX
#define CHANGESET_STAMP_MAX  ((UINT64_C(1) << 63) - 1)

/* The header is a msgpack array: CHANGESET_FORMAT, then these in this order.
 *
 *     fleet       which one it belongs to
 *     actor       its author
 *     number      1, 2, 3... without gaps
 *     previous    chain hash of number - 1; zeros for number 1
 *     stamp       HLC when it was made; no row has a later one
 *     needs       what the author had applied of others and had not said in an earlier header:
 *                 it must be applied before this one
 *     repeats     at most one: the change-set of another incarnation of the author, whose chain
 *                 went on otherwise (its home had gone back), that is said again here
 *     corrects    at most one actor of the author's site, or of one that is out, with a number: its
 *                 clock had run ahead, and all that this actor has said up to that number counts as
 *                 said at this one's stamp at the latest
 *     schema      which version of the application its author's database is of
 *     roster      number of roster entries the author knew
 *     rows        in the body
 *     body_bytes  length of the body
 *     body_hash   BLAKE2b-256 of the body
 */
#define CHANGESET_HEADER(X)                                                                        \
    X(bytes, fleet, FLEET_ID_BYTES)                                                                \
    X(actor, actor, ACTOR_BYTES)                                                                   \
    X(u64, number, CHANGESET_NUMBER_MAX)                                                           \
    X(bytes, previous, HASH_BYTES)                                                                 \
    X(u64, stamp, CHANGESET_STAMP_MAX)                                                             \
    X(vector, needs, ACTORS_MAX)                                                                   \
    X(vector, repeats, 1)                                                                          \
    X(vector, corrects, 1)                                                                         \
    X(u64, schema, UINT64_MAX)                                                                     \
    X(u32, roster, UINT32_MAX)                                                                     \
    X(u32, rows, CUT_ROWS_MAX)                                                                     \
    X(u32, body_bytes, BODY_BYTES_MAX)                                                             \
    X(bytes, body_hash, HASH_BYTES)

#define CHANGESET_FIELD_bytes(name, max)  uint8_t name[max];
#define CHANGESET_FIELD_actor(name, max)  struct actor name;
#define CHANGESET_FIELD_u64(name, max)    uint64_t name;
#define CHANGESET_FIELD_u32(name, max)    uint32_t name;
#define CHANGESET_FIELD_vector(name, max) struct vector name;
#define CHANGESET_FIELD(type, name, max)  CHANGESET_FIELD_##type(name, max)

struct changeset_header {
    CHANGESET_HEADER(CHANGESET_FIELD)
};

/* The three parts of an encoded change-set, borrowed, not yet verified. */
struct changeset {
    struct slice header;
    const uint8_t *signature;
    struct slice body;
};

/* ---- writing: body.h makes the body, then changeset_seal ---- */

/* Fill rows, body_bytes and body_hash, encode and sign the header. `out` is cleared, gets the
 * maximum it needs and the encoded change-set; `hash` its chain hash. Fails, before anything is
 * signed, on what changeset_verify would refuse. */
MUST_USE bool changeset_seal(struct changeset_header *h, uint32_t rows, struct slice body,
                             const struct keys *k, struct buf *out, uint8_t hash[HASH_BYTES],
                             struct err *e);
/* The header as it is signed, appended. */
void changeset_header_write(struct buf *out, const struct changeset_header *h);
/* The same three parts put together again, appended. */
void changeset_join(struct buf *out, const struct changeset *c);

/* ---- reading ---- */

/* Take it apart. Checks layout and sizes, no signature. */
MUST_USE bool changeset_split(struct changeset *c, struct slice bytes, struct err *e);
/* Of change-sets one after the other, take the first: `one` borrows its bytes, `left` moves on.
 * False at the end, and on failure (then e->code is set). */
bool changeset_front(struct slice *left, struct slice *one, struct err *e);
/* Decode a header; close it with changeset_header_close, also after a failure. */
MUST_USE bool changeset_header_read(struct changeset_header *h, struct slice header, struct err *e);
/* The same of a change-set of which only the front is there, with its header. */
MUST_USE bool changeset_header_front(struct changeset_header *h, struct slice front, struct err *e);
void changeset_header_close(struct changeset_header *h);
/* Both at once: a change-set and its header. */
MUST_USE bool changeset_open(struct changeset *c, struct changeset_header *h, struct slice bytes,
                             struct err *e);
/* Signature, body length and hash, and that the whole body is well-formed. */
MUST_USE bool changeset_verify(const struct changeset *c, const struct changeset_header *h,
                               const uint8_t sign_public[32], struct err *e);
/* The chain hash: BLAKE2b-256 of the header bytes. */
void changeset_hash(const struct changeset *c, uint8_t hash[HASH_BYTES]);

#endif
