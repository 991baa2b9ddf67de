/* Fork: a chain of change-sets went on in two ways, because its author's PC went back to an older
 * state (a copy of its disk was put back) and worked on from there.
 *
 * The author learns of it by its own signature below a change-set that it does not know. It goes on
 * as another actor, lays aside what it made beyond the last change-set that both histories may
 * have, and takes in the other history as it would anybody's. Where the first change-set differs,
 * what was laid aside is said again (fork_settle), as yet another actor: row by row the same, with
 * its gids and stamps, and each change-set names the one it repeats. So nobody needs to have the
 * repeated one, and whoever has it takes it back out of its log: the same rows are known by the
 * other name now, and what was added to counters is taken back, since it is said again. Then the
 * chain is one again.
 *
 * All of it inside the ledger transaction that stages a change-set. */
#ifndef NAVETTE_FORK_H
#define NAVETTE_FORK_H

#include "inside.h"

/* `actor` is one of our own site. Is this change-set another one than ours, under its number or
 * before it? */
MUST_USE bool fork_differs(struct store *s, uint32_t actor, const struct changeset_header *h,
                           const uint8_t hash[HASH_BYTES], bool *differs, struct err *e);
/* It is, and the signature is ours: lay aside. ERR_BUSY: not now; the link that brought it goes on,
 * for what stands in the way may be what it brings next. */
MUST_USE bool fork_begin(struct store *s, uint32_t actor, const struct changeset_header *h,
                         struct err *e);
/* Does nothing stand in the way any more of one that came too early? */
bool fork_may_come(const struct store *s);
/* Then all links begin anew, and bring it once more: store_history. */
void fork_come_again(struct store *s);
/* Before the next change-set of the chain that was laid aside is written: `same`: we had made it.
 * Otherwise this is where the histories part. What we had made is said again by fork_settle. */
MUST_USE bool fork_meet(struct store *s, const struct changeset_header *h, struct slice bytes,
                        bool *same, struct err *e);
/* What would come next is nowhere any more: here the histories part. Inside a ledger transaction.
 */
MUST_USE bool fork_give_up(struct store *s, struct err *e);
/* Where histories have parted: say again what we had made, by what is here of the other one. Before
 * anything is drained or merged, when no more of it comes for the moment; inside a ledger
 * transaction. */
MUST_USE bool fork_settle(struct store *s, struct err *e);
/* The same, in a ledger transaction of its own. */
MUST_USE bool fork_settle_now(struct store *s, struct err *e);
/* A change-set of our present actor follows ours, and we have forgotten it. ERR_BUSY: drain first.
 */
MUST_USE bool fork_forgotten(struct store *s, struct err *e);
/* Before a change-set by `actor` that repeats another one is written. ERR_BUSY: not now. */
MUST_USE bool fork_repeated(struct store *s, uint32_t actor, const struct changeset_header *h,
                            struct err *e);
/* After it was written: what of ours follows the one that it repeats is said again, too. */
MUST_USE bool fork_go_on(struct store *s, uint32_t by, const struct changeset_header *h,
                         struct err *e);
/* Do we have this very change-set? `actor`: the ledger's number of its author. */
MUST_USE bool fork_holds(struct store *s, const struct vector_entry *at, uint32_t *actor,
                         bool *holds, struct err *e);
/* What is laid aside under this number; nothing if there is none. `bytes` is opened. */
MUST_USE bool fork_laid_aside(struct store *s, uint32_t actor, uint64_t number, struct buf *bytes,
                              struct err *e);

/* Where a chain that says another one again goes on. */
struct fork_next {
    uint32_t actor;     /* the author of the one that is said again... */
    uint32_t by;        /* ...and the actor that says it; */
    uint64_t by_number; /* its last */
};
/* One of ours that we have forgotten: does it follow one that we have said again? */
MUST_USE bool fork_follows(struct store *s, const struct changeset_header *h,
                           struct fork_next *next, bool *follows, struct err *e);
/* Then it is said again as well, and the history that we have given up is none to lay our own aside
 * for. */
MUST_USE bool fork_take_up(struct store *s, const struct fork_next *next,
                           const struct changeset_header *h, struct slice bytes, struct err *e);
/* Has its author said this one again, so that it is not to be taken any more? */
MUST_USE bool fork_is_repeated(struct store *s, const uint8_t hash[HASH_BYTES], bool *repeated,
                               struct err *e);
/* Is what change-set `number` of `actor` said merged, if by its repetition? */
MUST_USE bool fork_has_merged(struct store *s, const struct actor *actor, uint64_t number,
                              bool *merged, struct err *e);
/* Is something laid aside, and not yet said again? And is it known from where on? */
bool fork_is_open(const struct store *s);
bool fork_has_parted(const struct store *s);

/* ---- fork_repeat.c ---- */

/* The change-sets of `actor` beyond `common`, which `sql` selects (number, bytes; rising): what
 * they added to counters is taken back. */
MUST_USE bool fork_take_back(struct store *s, uint32_t actor, uint64_t common, const char *sql,
                             struct err *e);
/* Say again what was laid aside of `actor`, beyond `common`, as a new actor of ours. */
MUST_USE bool fork_say_again(struct store *s, uint32_t actor, uint64_t common, struct err *e);
/* Say change-set `number` of next->actor again, as the next of next->by. */
MUST_USE bool fork_say_next(struct store *s, const struct fork_next *next, uint64_t number,
                            struct slice bytes, struct err *e);

#endif
