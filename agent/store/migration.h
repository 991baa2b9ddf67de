/* Data migrations: a change of many rows that comes with a new version of the application, and that
 * each PC makes for itself (every price times 100).
 *
 * Where a version stands is told by the *state* of its database: of django_migrations, or where
 * there is none of the tracked schema; each change-set names its author's. A PC that finds at once
 * a new state and a change of half a table, or more, takes that for a data migration, and says each
 * cell with the clock just above the one it had: what was derived from a value is hardly younger
 * than that, so no PC's migration beats what a person wrote, and all PCs' migrations say the same.
 * Until both are migrated, what the one writes and what the other does not mix: the change-sets of
 * an author who is not where we are wait, staged and passed on, unmerged. */
#ifndef NAVETTE_MIGRATION_H
#define NAVETTE_MIGRATION_H

#include "inside.h"

struct changeset_header;
struct migration;

void migration_close(struct migration **m);
/* What our change-sets name. */
uint64_t migration_state(const struct store *s);
/* Inside a read of the file: where its version stands. */
MUST_USE bool migration_look(struct store *s, struct err *e);
/* Inside a ledger transaction, before these rows are published: if they are a data migration, mark
 * them so (touched.derived) and remember it. */
MUST_USE bool migration_find(struct store *s, struct touch_list *l, struct err *e);

/* All that the file held when it was read last is published, of whatever version it is: the ledger
 * remembers that, in a transaction of its own. What is written from there on is no migration's
 * work, also when the store is opened anew. */
MUST_USE bool migration_rest(struct store *s, struct err *e);

/* Does this change-set, the next one of its author, wait for a migration? */
MUST_USE bool migration_holds(struct store *s, uint32_t actor, const struct changeset_header *h,
                              struct slice bytes, bool *holds, struct err *e);

/* Has the state changed since something was found waiting? Then it is to be looked at again. */
bool migration_moved(const struct store *s);

#endif
