/* What the oracle itself asks about migrations. */
#ifndef SIM_ORACLE_UPGRADE_H
#define SIM_ORACLE_UPGRADE_H

#include "oracle.h"

/* A drain has just taken what a site wrote. The first one after a migration may take many rows of a
 * table that were written since for what the migration made of them: then they are hardly younger
 * than what they replaced, and a sum is what was written. */
void oracle_derived(struct oracle *o, uint32_t site);

/* A migration brought the column with a table that was made anew, and no agent has looked since.
 * Without a mark, nobody can tell what the application writes into a row that it had from what the
 * migration filled in. `was`: NULL: the row is new. */
bool oracle_is_like_filled(const struct app *app, const struct shape_column *c,
                           const struct view_row *was);

#endif
