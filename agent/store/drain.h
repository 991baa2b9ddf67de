/* Drain: dirty marks -> rows touched -> change-sets. What the application wrote is read from its
 * file at once, and the file let go. What it comes to goes into the ledger in slices, one in each
 * call, in one transaction that lasts over them: all of it counts at once, or none. */
#ifndef NAVETTE_DRAIN_H
#define NAVETTE_DRAIN_H

#include "inside.h"

#define DRAIN_SLICE         (4u << 20) /* bytes of rows in one call, some 50 ms... */
#define DRAIN_ROW_BYTES     1024       /* ...each with so many beside its own */
#define DRAIN_INTERRUPTIONS 4          /* then it is done in one go */

/* Go on with what is under way, or begin; `p->more`: there is more to do. While one is under way
 * nothing is to be staged, and nobody hears of what is being said (ledger.silent). Another
 * transaction of the ledger takes its place, as if it had not begun (so does a crash); lest
 * somebody keep it from ever being done, it is then done in one go after some times. */
MUST_USE bool drain(struct store *s, uint64_t now_ms, struct store_progress *p, struct err *e);
bool drain_is_under_way(const struct store *s);
/* ERR_BUSY. Returns false. */
bool drain_busy(struct err *e);
/* Forget what is under way, and what it wrote into the ledger. Harmless when nothing is. */
void drain_drop(struct store *s);

#endif
