/* Who had seen what, at any time: asked of the log. */
#ifndef NAVETTE_SEEN_H
#define NAVETTE_SEEN_H

#include "inside.h"

/* Had the author of the write `by` applied the write `what` when he made it? Unknown is no. */
MUST_USE bool seen_before(struct store *s, const struct local_clock *by,
                          const struct local_clock *what, bool *seen, struct err *e);

#endif
