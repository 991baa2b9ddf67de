/* Absent: what this PC waits for that only a member who is away can have. */
#ifndef NAVETTE_ABSENT_H
#define NAVETTE_ABSENT_H

#include <navette/roster.h>

struct agent;

/* A zeroed struct is valid: nothing waits. */
struct absent {
    uint64_t moved;    /* change-sets here and applied, when they last became more, */
    uint64_t moved_ms; /* and when that was: uv_now */
    bool lacks;        /* change-sets wait for such as are not here */
    bool gone;         /* a person said that whoever is away is gone for good */
};

/* A member who is not connected; NULL: all are. */
const struct roster_site *absent_member(const struct agent *a);
/* Once a second, with a store: what nobody has is waited for no longer (waits.h), once all members
 * have said so, or it is clear who else may have it, and a person said that those are gone. Until
 * then a warning names one. True: store_apply has something to do. */
MUST_USE bool absent_tick(struct absent *w, struct agent *a);
/* A person says so. */
void absent_are_gone(struct absent *w);

#endif
