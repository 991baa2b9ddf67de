/* What the oracle itself asks about what a site has seen. */
#ifndef SIM_ORACLE_SEE_H
#define SIM_ORACLE_SEE_H

#include "oracle.h"

/* The row of which all of this name is told, by its place; -1: there is none. */
int oracle_find(const struct oracle *o, uint32_t name);
bool oracle_is_over(const struct oracle_event *event, uint32_t other);
/* The site has seen an event, and so what that one stands over. */
void oracle_see(struct oracle *o, uint32_t number, uint32_t site);
/* Look what the rows of a file tell of that. */
void oracle_see_rows(struct oracle *o, uint32_t site, const struct view *now);
/* The site begins with a copy of another one's file. */
void oracle_copied(struct oracle *o, uint32_t site, const struct view *now);
/* The first PC, of whose file there are copies, has drained. */
void oracle_copied_drained(struct oracle *o);

#endif
