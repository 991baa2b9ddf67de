/* Belief, inside: what include/navette/belief.h is about, in the ledger's terms. */
#ifndef NAVETTE_STORE_BELIEF_H
#define NAVETTE_STORE_BELIEF_H

#include <navette/roster.h>

#include "ledger.h"

/* The last change-set of an actor that counts, if it is here. Our own always do. */
uint64_t ledger_believed(const struct ledger *l, const struct actor *a);
/* `have` of an actor after its number moved: no further than it is believed. */
void ledger_note_have(struct ledger *l, const struct ledger_actor *a);
/* The roster changed: make `have` right. True when a number of it fell. */
bool ledger_believe(struct ledger *l);

#endif
