/* Rules and the database at hand: what somebody who sets one is told. */
#ifndef NAVETTE_RULECHECK_H
#define NAVETTE_RULECHECK_H

#include <navette/rules.h>

struct store;

/* Does a rule that is about to be set beside `rules` fit this database? Gives its names the
 * schema's spelling. ERR_USAGE: it names nothing here; ERR_REFUSED: it contradicts another rule or
 * the data; ERR_INPUT: its filter is none. The text has the reason. */
MUST_USE bool store_rule_check(struct store *s, const struct rules *rules, struct rule *r,
                               struct err *e);
/* Has this database what the rule names? Set elsewhere, or before a migration, it may name nothing
 * here; then it says nothing here. */
MUST_USE bool store_rule_names(struct store *s, const struct rule *r, bool *names, struct err *e);
/* The columns of this database that look like Django's generic foreign keys, an id beside a
 * reference to django_content_type, as rules: to be closed each, and freed together. */
MUST_USE bool store_generic_pairs(struct store *s, struct rule **rules, uint32_t *n, struct err *e);

#endif
