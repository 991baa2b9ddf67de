/* What applies took out of the application's file lately. An application that had read a row before
 * an apply and saves it after puts back, unknowingly, what the apply replaced: that is seen here,
 * and so is a counter that was written while its sum had just changed.
 *
 * A bounded memory, and in memory only: whoever is not in it any more, or after a restart, has
 * written what he wrote. */
#ifndef NAVETTE_REPLACED_H
#define NAVETTE_REPLACED_H

#include <navette/change.h>

#define REPLACED_STALE_MS 10000 /* so long after an apply a save may be a stale one */
#define REPLACED_DOUBT_MS 2000  /* and so long may what was added be wrong */

struct replaced; /* NULL: empty */

/* An apply put another value in the place of `was`. */
void replaced_note(struct replaced **r, int64_t gid, uint32_t position, const struct value *was,
                   uint64_t now_ms);
/* The application has written there since: what it puts back from now on, it means. */
void replaced_written(struct replaced *r, int64_t gid, uint32_t position);
/* Could anything have been replaced shortly before? */
bool replaced_any(const struct replaced *r, uint64_t wall_ms);
/* The application wrote `v` there at `wall_ms`: is it what an apply replaced a moment before, and
 * the first that was written there since? */
bool replaced_is_back(const struct replaced *r, int64_t gid, uint32_t position,
                      const struct value *v, uint64_t wall_ms);
/* Which row did the reference name that an apply replaced there a moment before? It may be one with
 * another by now: whoever asks knows. 0: there was none. */
int64_t replaced_named(const struct replaced *r, int64_t gid, uint32_t position, uint64_t wall_ms);
/* Did an apply change the cell so shortly before that the application may not have seen it? */
bool replaced_lately(const struct replaced *r, int64_t gid, uint32_t position, uint64_t wall_ms);
void replaced_close(struct replaced **r);

#endif
