/* References: which columns of tracked tables name rows of tracked tables. */
#ifndef NAVETTE_APPREF_H
#define NAVETTE_APPREF_H

#include "appdb.h"

struct sqlite3_str;

/* Fill ref_form, and what belongs to it, of every column, `surrogate`, `children` and `fks` of
 * every table; names, keys and numbers must be there. Depends on nothing but the declared foreign
 * keys, the rules (NULL: none) that say what else refers, and which tables are tracked, so that
 * sites with the same schema agree. */
MUST_USE bool app_references_resolve(struct sqlite3 *db, const struct rules *rules,
                                     struct app_schema *schema, struct err *e);

/* What a table's columns hold, as the list of a SELECT from it. SQLite takes 'nsam' for a reference
 * to 'Nsam' where that key ignores case, or blanks at the end: then the parent's key is read. */
void app_reference_read(struct sqlite3_str *sql, const struct app_schema *s,
                        const struct app_table *t);
/* `name` of a table compared as it is when it refers to `parent` by its key. */
void app_reference_compared(struct sqlite3_str *sql, const struct app_column *column,
                            const struct app_table *parent);
/* Does app_reference_read read anything else than the columns? */
bool app_reference_is_read(const struct app_schema *s, const struct app_table *t);

/* Can rows of it be named by one value? */
static inline bool app_is_nameable(const struct app_table *t)
{
    return t->number != 0 && t->key_count == 1;
}

#endif
