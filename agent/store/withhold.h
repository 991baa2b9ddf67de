/* What a site does not say: by rule, or since a row is too large. The ledger is left as if the
 * application had not written it, so that all of it is found again when the rule goes, or when the
 * row comes to match its filter.
 */
#ifndef NAVETTE_WITHHOLD_H
#define NAVETTE_WITHHOLD_H

#include "inside.h"

/* Is this row said? One that is there as the file holds it now; one that is gone as the file held
 * it before, which is `base`. */
MUST_USE bool withhold_says(struct store *s, const struct touched *t, const struct record *base,
                            bool *says, struct err *e);
/* Is a row said that is as this record says? */
MUST_USE bool withhold_says_record(struct store *s, const struct binding *b, const struct record *r,
                                   bool *says, struct err *e);
/* Did the filter give up on the row that was last asked for? It is not said then. */
bool withhold_gave_up(const struct binding *b);
/* Inside a ledger transaction: a row that is there is not said. Note it where that is because it is
 * too large, or too long for its filter: a person is told as long as it is. */
MUST_USE bool withhold_note(struct store *s, const struct touched *t, struct err *e);
/* A cell whose value only looks changed, since a rule that makes its column a reference came or
 * went: `v` is what the file's value `local` means now. Who wrote a plain value tells which row it
 * names; others wait for that. */
MUST_USE bool withhold_cell(struct store *s, const struct app_column *c, const struct cell *was,
                            const struct value *local, const struct value *v, bool *same,
                            struct err *e);
/* A plain value of this site's own that is to be said again as a reference. */
bool withhold_untranslated(const struct store *s, const struct app_column *c,
                           const struct cell *was);

#endif
