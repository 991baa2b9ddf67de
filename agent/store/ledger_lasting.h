/* What takes the ledger long, in parts: a transaction that lasts over several calls, and putting
 * away a large WAL. */
#ifndef NAVETTE_LEDGER_LASTING_H
#define NAVETTE_LEDGER_LASTING_H

#include "ledger.h"

/* In a transaction that lasts: has it written anything since this was asked last? Bring to the disk
 * what it has, so that its commit has little left to wait for. */
bool ledger_has_spilled(struct ledger *l);
MUST_USE bool ledger_spill(struct ledger *l, struct err *e);
/* From here on what we say is not heard of... */
void ledger_be_silent(struct ledger *l);
/* ...until now, when it is about to be committed. */
void ledger_speak(struct ledger *l);

/* Do the next part of putting a swollen WAL away; outside a transaction. False: there is none. */
bool ledger_shrink(struct ledger *l);
/* Somebody writes between its parts: what he writes is to be synced, too. The next time there are
 * no parts, so that who always writes cannot hold it up for ever. */
void ledger_disturb(struct ledger *l);
/* Likewise: whoever writes to the ledger, or closes it, makes durable what was copied before.
 * Harmless when nothing was. ERR_STORE: it cannot be (l->torn). Then only the WAL is whole: nothing
 * may be written any more, and it must be left as it is, so that whoever opens the ledger next
 * copies it again. */
MUST_USE bool ledger_shrunk(struct ledger *l, struct err *e);

#endif
