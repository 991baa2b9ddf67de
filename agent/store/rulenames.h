/* Does a rule whose references have names of tables (RULE_REFERENCES_BY, RULE_REFERENCES_TEXT) fit
 * this database? */
#ifndef NAVETTE_RULENAMES_H
#define NAVETTE_RULENAMES_H

#include <navette/rules.h>

struct app_table;
struct store;

/* Inside a read of the file; `rules` are those beside it. Its columns are there. Tables get the
 * schema's spelling. Errors as store_rule_check's. */
MUST_USE bool rule_names_check(struct store *s, const struct app_table *t,
                               const struct rules *rules, struct rule *r, struct err *e);

#endif
