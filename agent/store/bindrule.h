/* What the fleet's rules say of a table that is bound, and what follows when they change. */
#ifndef NAVETTE_BINDRULE_H
#define NAVETTE_BINDRULE_H

#include "inside.h"

/* Inside a ledger transaction, once the binding has its columns. Where the rules of the table are
 * others than when it was last bound, it is compared with the ledger again, rows that were held
 * back are looked at anew, and rows that were not let in are due. A filter that cannot be used here
 * lets nothing out, and is in s->trouble. */
MUST_USE bool bind_rules(struct store *s, struct binding *b, struct err *e);
/* A table that came to be local loses its triggers; one that is no longer gets them back if it had
 * them then. `did`: there was something to do. ERR_BUSY as usual. Not inside a transaction. */
MUST_USE bool bind_local(struct store *s, bool *did, struct err *e);
/* Do rows of this table of the ledger stay out of the file, by rule? */
bool bind_is_deaf(struct store *s, uint32_t table);

#endif
