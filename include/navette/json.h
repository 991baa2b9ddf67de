/* Drop file: change-sets as readable JSON that encodes back to exactly the signed bytes, or is
 * refused. protocol/README.md has the layout; in short, keys always in this order:
 *
 *     {"navette": "change-sets", "format": 1, "fleet": "<hex>", "fleet_name": "...",
 *      "from": "CAISSE01", "made": "2026-11-21T10:00:00.000Z", "roster": "<base64>",
 *      "have": [["<actor hex>", number, "<hash hex>"]...], "signature": "<hex>",
 *      "changesets": [{"header": {...}, "signature": "<hex>",
 *                      "body": {"actors": ["<hex>"...], "tables": [{..., "rows": [...]}...]}}...]}
 */
#ifndef NAVETTE_JSON_H
#define NAVETTE_JSON_H

#include <navette/changeset.h>
#include <navette/date.h>

#define DROP_FORMAT 1

/* What stands in front of the change-sets, signed by the sender: a `have` that somebody changed
 * would keep back what the sender lacks. */
struct drop_head {
    uint8_t fleet[FLEET_ID_BYTES];
    char fleet_name[NAME_BYTES_MAX + 1];
    char from[NAME_BYTES_MAX + 1];
    uint64_t made_ms;    /* up to DATE_MS_MAX */
    struct slice roster; /* the sender's roster log. Write: borrowed. Read: owned by the reader */
    struct vector
        have; /* what the sender has. Read: the caller's, to be closed with vector_close */
    uint8_t signature[SIGNATURE_BYTES];
};

#define DROP_CONTEXT "navette drop 1"

/* What the signature is over: all else that is in `head`, as msgpack. Opens `out`. */
void drop_head_record(const struct drop_head *head, struct buf *out);
/* Sign that, as the site that it is from; and check it, with the key that the
 * roster has for `from` (ERR_CRYPTO). */
void drop_head_sign(struct drop_head *head, const struct keys *k);
MUST_USE bool drop_head_verify(const struct drop_head *head,
                               const uint8_t sign_public[SIGN_PUBLIC_BYTES], struct err *e);

/* Writing: begin, each change-set as its encoded bytes, end. `out` is cleared by begin and gets
 * DROP_BYTES_MAX as its maximum; a file that would exceed it is ERR_LIMIT. When
 * drop_write_changeset fails `out` is as it was before: the file can be ended without that
 * change-set. */
MUST_USE bool drop_write_begin(struct buf *out, const struct drop_head *head, struct err *e);
MUST_USE bool drop_write_changeset(struct buf *out, bool first, struct slice changeset,
                                   struct err *e);
MUST_USE bool drop_write_end(struct buf *out, struct err *e);

/* Reading. drop_open checks that the file is whole and reads its head; the reader borrows `file`
 * until it is closed. When it fails there is nothing to close. drop_next gives one encoded
 * change-set after the other in file order: the bytes that were signed, if the signature verifies
 * (its caller's work). Errors say which change-set, which part and which line. */
struct drop_reader;
MUST_USE bool drop_open(struct drop_reader **d, struct slice file, struct drop_head *head,
                        struct err *e);
/* False at the end or on failure (then e->code is set). `out` is cleared first and gets the maximum
 * it needs. */
bool drop_next(struct drop_reader *d, struct buf *out, struct err *e);
void drop_close(struct drop_reader *d);

#endif
