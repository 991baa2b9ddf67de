/* Tables that get another name.
 *
 * The rows of a table keep their identities under its new name: a row that others know is named by
 * its gid, whatever the table is called where they wrote it. So whoever hears of a row of one table
 * under another name learns that both are one table: the ledger keeps its rows once, and the other
 * name only stands for it. A PC that renamed a table says so by naming one of its rows, with
 * nothing new about it. */
#ifndef NAVETTE_RENAME_H
#define NAVETTE_RENAME_H

#include "inside.h"

/* Before all tables are bound, and not inside a transaction: is a table that has no triggers one
 * that has gone, under another name? One at a time; it then has its number and its triggers.
 * ERR_BUSY as usual. */
MUST_USE bool rename_find(struct store *s, bool *found, struct err *e);
/* Inside a ledger transaction, before the table is bound: which table of the ledger it is. Its
 * triggers have followed it to a new name; `number` is theirs. */
MUST_USE bool rename_follow(struct store *s, const struct app_table *t, struct ledger_table **lt,
                            struct err *e);
/* Likewise: somebody says that a row of the one and a row of the other are one. ERR_INPUT: they do
 * not share their columns. */
MUST_USE bool rename_united(struct store *s, uint32_t a, uint32_t b, struct err *e);
/* Inside a ledger transaction, when all tables are bound: those that the file had and has no more.
 * A dropped table is no delete: its rows are just not there, what others say of them stays in the
 * ledger, and if the table comes back so do they. */
MUST_USE bool rename_dropped(struct store *s, struct err *e);
/* Inside a ledger transaction: rows of table `has` are named as rows of table `said`, by a body
 * that says `as` of it. If `has` has these columns, one of the names is an older one of the other,
 * and the gid says which row it is: they become one, unless both are in the file, or rows of the
 * one that is not are believed to be. If not, ERR_INPUT. */
MUST_USE bool rename_heard(struct store *s, uint32_t said, const struct body_table *as,
                           uint32_t has, struct err *e);
/* Tell others of the tables renamed here; a ledger transaction for each. */
MUST_USE bool rename_announce(struct store *s, uint64_t now_ms, struct store_progress *p,
                              struct err *e);
/* These tables are about to be tracked no more, and their numbers may be given to others; a ledger
 * transaction of its own. */
MUST_USE bool rename_forget(struct store *s, const char *const *names, uint32_t n, struct err *e);

#endif
