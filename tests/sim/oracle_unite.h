/* Rows that somebody said are one. */
#ifndef SIM_ORACLE_UNITE_H
#define SIM_ORACLE_UNITE_H

#include "oracle.h"

/* What a file shows of it: the first row, or the next one after `after`. */
const struct view_row *oracle_shown(const struct oracle *o, const struct oracle_row *row,
                                    const struct view *v, const struct view_row *after);
/* The one name under which all is told of rows that are one. */
uint32_t oracle_same(const struct oracle *o, uint32_t name);
/* The name that a row, or what it is named by, had before it yielded its mark to a newer row of the
 * same: `name` itself if it has not. */
uint32_t oracle_bare(const struct oracle *o, uint32_t name);
/* A person at the site, which has drained all, says that two rows are one. */
void oracle_unite(struct oracle *o, uint32_t site, uint32_t a, uint32_t b);
/* Which unions a row of this name, as oracle_same gives it, came of. */
uint32_t oracle_unions_of(const struct oracle *o, uint32_t name);
/* Is it one in the file of this site for sure? */
bool oracle_is_one(const struct oracle *o, uint32_t site, const struct oracle_row *row);
/* Does the file show a row that is one of two as two? */
bool oracle_is_apart(const struct oracle *o, const struct oracle_row *row, const struct view *v);
/* Look which unions the file shows. */
void oracle_learn_unions(struct oracle *o, uint32_t site, const struct view *now);

#endif
