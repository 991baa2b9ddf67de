/* References: which columns of tracked tables name rows of tracked tables. */
#ifndef NAVETTE_APPREF_H
#define NAVETTE_APPREF_H

#include "appdb.h"

/* Fill ref_form, and what belongs to it, of every column, `surrogate`, `children` and `fks` of
 * every table; names, keys and numbers must be there. Depends on nothing but the declared foreign
 * keys, the rules (NULL: none) that say what else refers, and which tables are tracked, so that
 * sites with the same schema agree. */
MUST_USE bool app_references_resolve(struct sqlite3 *db, const struct rules *rules,
                                     struct app_schema *schema, struct err *e);

/* Can rows of it be named by one value? */
static inline bool app_is_nameable(const struct app_table *t)
{
    return t->number != 0 && t->key_count == 1;
}

#endif
