/* Tables of the ledger that have several names: one of them is the table, the others stand for it
 * (rename.h). */
#ifndef NAVETTE_LEDGER_NAMES_H
#define NAVETTE_LEDGER_NAMES_H

#include "ledger.h"

/* The table that this number stands for, which may be itself. */
struct ledger_table *ledger_table_standing(struct ledger *l, uint32_t id);
/* The one that has this very name; NULL if there is none. */
struct ledger_table *ledger_table_named(struct ledger *l, struct slice name);
bool ledger_name_same(const char *known, struct slice name);

/* Inside a transaction. From here on `t` is but a name of table `stands`; 0: it is a table. */
MUST_USE bool ledger_table_stand(struct ledger *l, struct ledger_table *t, uint32_t stands,
                                 struct err *e);
/* Each takes the other's name. */
MUST_USE bool ledger_table_swap(struct ledger *l, struct ledger_table *a, struct ledger_table *b,
                                struct err *e);
/* Read them, once the tables are. */
MUST_USE bool ledger_names_load(struct ledger *l, struct err *e);

#endif
