/* What the oracle itself asks about migrations. */
#ifndef SIM_ORACLE_UPGRADE_H
#define SIM_ORACLE_UPGRADE_H

#include "oracle.h"

/* A drain has just taken what a site wrote. The first one after a migration may take many rows of a
 * table that were written since for what the migration made of them: then they are hardly younger
 * than what they replaced, and a sum is what was written. */
void oracle_derived(struct oracle *o, uint32_t site);

#endif
