/* What an agent put in the place of something else, as the oracle saw it: an application that
 * writes that again may only be saving a row that it had read before. */
#ifndef SIM_ORACLE_REPLACED_H
#define SIM_ORACLE_REPLACED_H

#include "oracle.h"

/* Look at what the file of this site shows now instead of what it showed last. */
void oracle_observe_replaced(struct oracle *o, uint32_t site, const struct view *now);
/* Did the row of this name, or one that is one with it, ever show this value there before the agent
 * replaced it? */
bool oracle_is_put_back(const struct oracle *o, uint32_t site, uint32_t name, int column,
                        uint32_t value);

#endif
