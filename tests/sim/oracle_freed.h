/* A rule goes that kept something on each PC: from then on it is said. */
#ifndef SIM_ORACLE_FREED_H
#define SIM_ORACLE_FREED_H

#include "oracle.h"

/* Of a file as it is now, which the oracle has just observed under the rules as they were: what
 * stayed there of this table, or (column not negative) of this column of it, counts as written now
 * by whoever has it, and says nothing of when that was. The shape has the new rules. */
void oracle_free(struct oracle *o, uint32_t site, const struct view *now, uint32_t table,
                 int column, uint64_t wall_ms);
/* From now on nobody can say which row this column names by rule. */
void oracle_unname(struct oracle *o, uint32_t table, uint32_t column);

#endif
