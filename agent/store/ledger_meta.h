/* The ledger's settings: small facts under names. Every write happens between ledger_begin and
 * ledger_commit. */
#ifndef NAVETTE_LEDGER_META_H
#define NAVETTE_LEDGER_META_H

#include <navette/bytes.h>
#include <navette/change.h>

struct ledger;

/* NULL when there is none. Texts and blobs borrow from `room`. */
MUST_USE bool ledger_meta_get(struct ledger *l, const char *name, struct value *v, struct buf *room,
                              struct err *e);
/* NULL: as if it were not there. */
MUST_USE bool ledger_meta_set(struct ledger *l, const char *name, const struct value *v,
                              struct err *e);

/* What is so or not of something (a table's name or number): the setting "what.of". */
MUST_USE bool ledger_flag_get(struct ledger *l, const char *what, const char *of, bool *on,
                              struct err *e);
MUST_USE bool ledger_flag_set(struct ledger *l, const char *what, const char *of, bool on,
                              struct err *e);

#endif
