/* Again: what this PC said before its home went back, and has drained once more from the same
 * marks. Rows and cells are the same then, but what was added to a counter is in two chains of
 * ours: in what was said the first time, which other PCs bring by and by, and in what is said now,
 * which is all that the marks tell. So each change-set of our own site that this ledger does not
 * know is looked at when it comes: if marks made it that this ledger has drained, it is noted, and
 * what it adds when it is merged is owed (owe.h).
 *
 * So it is with the PC of whose database this one began with a copy, if it had written there what
 * it had not drained, and was away when this one joined. */
#ifndef NAVETTE_AGAIN_H
#define NAVETTE_AGAIN_H

#include "inside.h"

/* Once the marks of a copy of another PC's database have been drained, and a point is made of that;
 * inside a ledger transaction. */
MUST_USE bool again_note_copied(struct store *s, const struct site_id *of, struct err *e);
/* A change-set of ours is made. If marks that lay in the file when it was opened, or when recover
 * looked at it again, may be in it, another ledger may have drained these before. */
MUST_USE bool again_note_ours(struct store *s, uint64_t number, struct err *e);
/* May this actor have said what we have drained? It is of our own site, or of that PC's. */
MUST_USE bool again_may_be(struct store *s, uint32_t actor, bool *may, struct err *e);
/* A change-set of one that may, which is about to be taken into the log as number `number` of
 * `actor`: inside the ledger transaction that does so. `ours` is NULL or what we had made under
 * that number.
 */
MUST_USE bool again_look(struct store *s, uint32_t actor, uint64_t number,
                         const struct changeset *c, const struct buf *ours, struct err *e);
/* Was it noted? */
MUST_USE bool again_is_noted(struct store *s, uint32_t actor, uint64_t number, bool *noted,
                             struct err *e);
MUST_USE bool again_note(struct store *s, uint32_t actor, uint64_t number, struct err *e);
/* Of one that was noted: is this row, by its stamp, among what was drained once more? One drain may
 * have taken marks from before the copy that was put back, and from after it. */
MUST_USE bool again_has_row(struct store *s, uint32_t actor, uint64_t stamp, bool *has,
                            struct err *e);
/* The chain ends at `number` again. */
MUST_USE bool again_forget(struct ledger *l, uint32_t actor, uint64_t number, struct err *e);

void again_close(struct store *s);

#endif
