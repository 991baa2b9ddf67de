/* Rebuild: change-sets that come in outline (outline.h), made whole from the rows of this PC's own
 * file, for the rest with what the peer tells. Part of the store.
 *
 *     store_rebuild_open(s, header, signature, outline, &r, &e)
 *     while (store_rebuild_next(r, &ask, &changeset, &e) && ask.what != 0)
 *         ... ask the peer; store_rebuild_tell(r, its answer, &e)
 *     store_stage(s, changeset...)
 *
 * Nothing that comes out of it is believed: it is staged as if it had come whole. The file is read
 * when it is opened, in short transactions, and not after that. */
#ifndef NAVETTE_REBUILD_H
#define NAVETTE_REBUILD_H

#include <navette/outline.h>
#include <navette/store.h>

struct store_rebuild;

struct rebuild_ask {
    uint32_t what; /* enum outline_ask; 0: nothing is missing */
    struct slice picks;
};

/* Is this a newcomer, whose rows may be those of a copy? */
bool store_is_brief(const struct store *s);

/* The header's signature is verified before anything is done. ERR_BUSY: the file is locked, ask for
 * the change-set once more. */
MUST_USE bool store_rebuild_open(struct store *s, struct slice header, const uint8_t *signature,
                                 struct slice outline, struct store_rebuild **r, struct err *e);
/* What to ask next, good until the next call; or, with `what` 0, the change-set, good until it is
 * closed. Fails when the peer's words do not lead to what the author signed. */
MUST_USE bool store_rebuild_next(struct store_rebuild *r, struct rebuild_ask *ask,
                                 struct slice *changeset, struct err *e);
/* The answer to what was asked last. */
MUST_USE bool store_rebuild_tell(struct store_rebuild *r, struct slice bytes, struct err *e);
/* Closing NULL is harmless. */
void store_rebuild_close(struct store_rebuild *r);

/* The other side: append the answer to a question about a change-set in the log. */
MUST_USE bool store_answer(struct store *s, const struct actor *actor, uint64_t number,
                           enum outline_ask what, struct slice picks, struct buf *out,
                           struct err *e);

#endif
