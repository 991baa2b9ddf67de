/* Histories: which of its change-sets a chain had under which numbers. A PC whose disk was put back
 * uses its numbers anew (fork.h); if all others who had the old ones went back as well, nobody can
 * say it but a file that held them. So a file is told with each number a byte of the hashes of it
 * and of those before it (placed.h), in the place of a hash. Behind one change-set that differs all
 * hashes do, so few bytes that agree tell enough. */
#ifndef NAVETTE_HISTORY_H
#define NAVETTE_HISTORY_H

#include "ledger.h"

/* So many bytes are told: as ledger_actor.tags, those of the change-set whose number is `tagged`
 * (0: not known), and of those before it. */
#define HISTORY_TAGS ((uint32_t)sizeof((struct ledger_actor *)NULL)->tags)

/* Look them up for all that is in the log, as far as they are not known yet: nothing that is to be
 * done while the file is locked. */
MUST_USE bool history_learn(struct ledger *l, struct err *e);
/* The bytes of the change-set of this number and of those before it; 0: not known. */
void history_tell(const struct ledger *l, struct vector_entry *entry);
/* Likewise the last of what we have laid aside (fork.h), with whose it is, from the ledger; number
 * 0: nothing is. */
MUST_USE bool history_aside(struct ledger *l, struct vector_entry *entry, struct err *e);
/* Up to which number is the chain in the log the one that was told of? It is up to `floor`. What
 * nobody can say any more is taken for the same. */
MUST_USE bool history_common(struct ledger *l, const struct vector_entry *told, uint64_t floor,
                             uint64_t *common, struct err *e);

#endif
