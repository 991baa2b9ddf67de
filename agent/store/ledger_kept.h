/* Queries of the ledger that are run again and again stay prepared until it is closed. */
#ifndef NAVETTE_LEDGER_KEPT_H
#define NAVETTE_LEDGER_KEPT_H

#include "ledger.h"

/* As ledger_prepare, but hand it back with ledger_done instead of finalizing it; whatever is bound
 * is gone then. While it is out, who asks for the same gets another one. NULL: failed. */
struct sqlite3_stmt *ledger_kept(struct ledger *l, const char *sql, struct err *e);
/* Of ledger_prepare's, too; NULL is harmless. */
void ledger_done(struct ledger *l, struct sqlite3_stmt *s);
/* For ledger_close: all of them are back. */
void ledger_kept_close(struct ledger *l);

#endif
