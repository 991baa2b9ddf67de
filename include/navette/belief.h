/* Belief: how far the change-sets count of those who are no members any more. The roster says it;
 * the store neither tells nor gives nor takes what is beyond. */
#ifndef NAVETTE_BELIEF_H
#define NAVETTE_BELIEF_H

#include <navette/store.h>

/* The roster that the store was given changed. Where store_have falls, store_history is another. */
void store_roster_changed(struct store *s);
/* Keep the roster in the ledger as well, durably: its file may go back alone. */
MUST_USE bool store_roster_keep(struct store *s, struct err *e);
/* The log that was kept last, into a buffer of ROSTER_BYTES_MAX; nothing when there is none. */
MUST_USE bool store_roster_kept(struct store *s, struct buf *log, struct err *e);
/* How many change-sets of a site are here that were taken in before its end was heard of, and that
 * nobody believes. */
uint64_t store_distrusted(const struct store *s, const struct site_id *site);
/* All that is in the log, into an empty vector: also what nobody believes. */
void store_logged(const struct store *s, struct vector *out);

#endif
