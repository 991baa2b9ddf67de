/* Settle: what this PC does for checkpoints of the roster (roster.h): it acknowledges those of
 * others, begins its own list with one once all have done so, and, as the most senior admin that is
 * there, makes one in time.
 *
 * Whatever it says of one is on its disk before anybody can hear it: a PC that forgot what it
 * acknowledged could sign something beside it. Where the disk does not take it, it is as if it had
 * not been said, and is tried again after a while. */
#ifndef NAVETTE_SETTLE_H
#define NAVETTE_SETTLE_H

#include <navette/roster.h>

struct agent;

/* A zeroed struct: nothing was looked at yet. */
struct settle {
    uint8_t done[HASH_BYTES];   /* digest of a roster for which nothing is left to be done */
    uint8_t looked[HASH_BYTES]; /* digest of the one in which this was found: */
    struct roster_checkpoint checkpoint;
    uint64_t next_ms;   /* uv_now: none is made by itself before then; 0: that begins now */
    uint64_t failed_ms; /* uv_now: since when something cannot be written; 0: all was */
    uint64_t again_ms;  /* uv_now: then it is tried again */
};

/* With a->roster_digest up to date: acknowledge what is to be acknowledged, and begin the list with
 * what all have acknowledged. True: the roster is another one; who calls does what follows from
 * that (agent_roster_changed), or is about to. */
bool settle_roster(struct agent *a);
/* Make a checkpoint, if this PC is the most senior admin that is there and the list has grown to
 * half of its room, or the last checkpoint cannot take effect any more; at most once an hour. True
 * as of settle_roster. */
bool settle_by_itself(struct agent *a);
/* Make one at a person's word. agent_roster_changed is the caller's to call. ERR_REFUSED: no admin,
 * one is waited for, or members contradict each other. */
MUST_USE bool settle_make(struct agent *a, struct err *e);

/* What the roster that a->roster_digest tells of waits for. */
const struct roster_checkpoint *settle_pending(struct agent *a);
/* "A, B and 3 more", of those who have not acknowledged `c`. */
void settle_write_missing(const struct agent *a, const struct roster_checkpoint *c, char *out,
                          size_t room);

/* roster_take of what comes `from_others`, else roster_merge; where `r` went back, roster_adopt. */
MUST_USE bool settle_merge(struct agent *a, struct roster *r, struct slice log, bool from_others,
                           bool *changed, struct err *e);

#endif
