/* Making a fleet, whose first and only PC is this one. */
#ifndef NAVETTE_FOUNDING_H
#define NAVETTE_FOUNDING_H

#include <navette/keys.h>

#include "home.h"

/* Its roster and its key, both new, in the files of the home. `pc` is what the fleet calls this PC;
 * the keys are this PC's. */
MUST_USE bool found_fleet(const struct home *h, const char *fleet, const char *pc,
                          const struct keys *k, struct err *e);

#endif
