/* Ahead: this PC's clock was ahead, and what was written here then, and since, other PCs do not
 * take. When it is certain that the clock is right now, that is corrected (navette/ahead.h). */
#ifndef NAVETTE_AGENT_AHEAD_H
#define NAVETTE_AGENT_AHEAD_H

#include <navette/err.h>

struct agent;

/* A zeroed struct is valid. */
struct ahead {
    bool is_right;     /* a person said that the clock is right */
    uint64_t tried_ms; /* in vain: uv_now */
};

/* Once a second, with a store. Until it is certain, a warning says what is waited for. True: there
 * is something new to send. */
MUST_USE bool ahead_tick(struct ahead *h, struct agent *a);
/* What of others waits here for such a correction: a warning. */
void ahead_note_others(struct agent *a);
/* ERR_BUSY if other PCs do not take what was written here, because of a clock. */
MUST_USE bool ahead_is_settled(struct agent *a, struct err *e);

#endif
