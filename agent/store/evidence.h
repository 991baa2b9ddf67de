/* Whose work is a change-set? The times of its rows are those of the marks that it was drained
 * from. */
#ifndef NAVETTE_EVIDENCE_H
#define NAVETTE_EVIDENCE_H

#include <navette/body.h>

#include "keymap.h"

/* Was it drained from these marks? PARTLY: from these and from others. */
enum evidence { SAYS_NOTHING, FOR, AGAINST, PARTLY };

/* A row that was moved behind what it replaced tells no time. */
bool evidence_tells_time(uint64_t stamp);
/* `times`: of marks, in ms, as table 0 of the map. */
bool evidence_is_marked(const struct keymap *times, uint64_t stamp);
/* One row that is marked is enough to be FOR. */
MUST_USE bool evidence_weigh(const struct keymap *times, struct body_reader *in,
                             enum evidence *says);

#endif
