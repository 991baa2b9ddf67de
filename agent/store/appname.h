/* References in which a name says of which table the row is: rules, and how names stand for tables.
 */
#ifndef NAVETTE_APPNAME_H
#define NAVETTE_APPNAME_H

#include "appdb.h"

/* REF_TYPED and REF_TEXT of the columns that rules say are so, once the others are known. What a
 * rule names and is not here is passed over. */
void app_reference_rules(struct app_schema *s, const struct rules *rules);
/* What belongs to ref_form. */
void app_reference_close(struct app_column *c);

/* What `text`, which app_reference_names takes, calls tables; those that are not here name nothing.
 */
void app_reference_take(struct app_schema *s, struct app_column *c, const char *text);
/* The table with a key of one column that a name stands for in this column (REF_TYPED, REF_TEXT),
 * tracked or not: as the rule says, else a table of this name, else of this name with its dots as
 * underscores. -1: none. */
int app_reference_table(struct app_schema *s, const struct app_column *c, const char *name);
/* NAME=TABLE,NAME=TABLE... as rules write it. NULL: the end, or (e has it) it is none. `*text`
 * moves on; the caller frees both names. */
bool app_reference_names(const char **text, char **name, char **table, struct err *e);
/* The columns of a table of types that say what a row of it stands for: `model`, and with `label`
 * (-1: none) in front of it, app_label. False: it has none. */
bool app_reference_types(const struct app_table *t, int *label, int *model);
/* `model,id` or `table,id`: what a rule says of ids inside text. */
MUST_USE bool app_reference_pattern(const char *pattern, bool *dots, const char **between,
                                    size_t *n, struct err *e);

#endif
