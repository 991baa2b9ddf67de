/* Again: what this PC said before its home went back, and has drained once more from the same
 * marks. Rows and cells are the same then, but what was added to a counter is in two chains of
 * ours: in what was said the first time, which other PCs bring by and by, and in what is said now,
 * which is all that the marks tell. So each change-set of our own site that this ledger does not
 * know is looked at when it comes: if marks made it that this ledger has drained, it is noted, and
 * what it adds when it is merged is owed. That is taken off again by our present actor.
 *
 * So it does not matter in which order and from how many PCs the first history comes, nor how often
 * the home goes back: what takes off has the times of the same marks, and is taken off in turn by
 * who drains them once more.
 *
 * So it is with the PC of whose database this one began with a copy, if it had written there what
 * it had not drained, and was away when this one joined. */
#ifndef NAVETTE_AGAIN_H
#define NAVETTE_AGAIN_H

#include "counter.h"
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

/* While one that was noted is merged, before the cell takes it in: what it adds is owed, unless all
 * that was said the second time of the row is its end... */
MUST_USE bool again_owe_added(struct store *s, const struct record *r, uint32_t position,
                              const struct total *t, struct err *e);
/* ...and so is what we have said of the same time, if it is a value, in which all of that is. */
MUST_USE bool again_owe_value(struct store *s, int64_t gid, const struct record *r,
                              uint32_t position, const struct cell *set, struct err *e);
/* Whenever the schema is read: what waits for a table or a column may have it now. */
MUST_USE bool again_load(struct store *s, struct err *e);
/* Take off what is owed; a ledger transaction of its own. */
MUST_USE bool again_publish(struct store *s, uint64_t now_ms, struct store_progress *p,
                            struct err *e);
void again_close(struct store *s);

#endif
