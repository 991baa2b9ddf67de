/* Drop file: change-sets as readable JSON that encodes back to exactly the signed bytes, or is refused.
 *
 *     {"navette": "change-sets", "format": 1, "fleet": "<hex>", "fleet_name": ..., "from": "CAISSE01", "made": "2026-11-21T10:00:00Z",
 *      "roster": "<base64 of the sender's roster log>",
 *      "have": {"<actor hex>": number...}, what the sender has, so that the way back carries only what is missing
 *      "changesets": [{"header": {...}, "signature": "<hex>", "body": {"actors": [...], "tables": [...]}}...]}
 *
 * Values: integers as numbers, reals as {"real": "<%.17g or inf>"}, text that is UTF-8 as strings, other text as
 * {"text": "<base64>"}, blobs as {"blob": "<base64>"}, references as {"ref": [actor, counter]}. */
#ifndef NAVETTE_JSON_H
#define NAVETTE_JSON_H

#include <navette/changeset.h>

struct drop_head {
    uint8_t fleet[FLEET_ID_BYTES];
    char fleet_name[NAME_BYTES_MAX + 1];
    char from[NAME_BYTES_MAX + 1];
    uint64_t made_ms;
    struct slice roster; /* write: borrowed. read: owned by the drop_reader */
    struct vector have;
};

/* Writing: begin, each change-set as its encoded bytes, end. `out` grows to DROP_BYTES_MAX. */
MUST_USE bool drop_write_begin(struct buf *out, const struct drop_head *head, struct err *e);
MUST_USE bool drop_write_changeset(struct buf *out, bool first, struct slice changeset, struct err *e);
MUST_USE bool drop_write_end(struct buf *out, struct err *e);

/* Reading parses the whole file; drop_next gives one encoded change-set after the other in file order, with exactly
 * the bytes that were signed (the caller verifies signatures when staging). Errors say which change-set and which field. */
struct drop_reader;
MUST_USE bool drop_open(struct drop_reader **d, struct slice file, struct drop_head *head, struct err *e);
/* False at the end or on failure (then e->code is set). `out` is cleared first. */
bool drop_next(struct drop_reader *d, struct buf *out, struct err *e);
void drop_close(struct drop_reader *d);

#endif
