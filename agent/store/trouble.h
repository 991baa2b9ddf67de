/* Trouble: what stands in the way, in words for a person; each is told as long as its cause is
 * there. */
#ifndef NAVETTE_TROUBLE_H
#define NAVETTE_TROUBLE_H

#include <navette/bounds.h>
#include <navette/err.h>
#include <navette/notices.h>

struct store_status;
struct store;

/* A zeroed struct has none. */
struct trouble {
    char heals[480];             /* by itself, once everything is applied again; "" if nothing */
    char rule[480];              /* a rule that cannot be used in this database; "" if none */
    char *stuck[ACTORS_MAX + 1]; /* by actor: why its next change-set is not applied, NULL: it is */
    uint32_t notices;            /* store_notices */
};

void trouble_close(struct trouble *t);

/* It goes by itself, until trouble_healed. */
void trouble_heals(struct trouble *t, const char *text);
bool trouble_is_healing(const struct trouble *t);
void trouble_healed(struct trouble *t);

/* A person should hear of it, also when it is over. */
void trouble_notice(struct trouble *t, enum store_notice notice);

/* The rules are looked at anew; what is wrong with one of them. */
void trouble_no_rule(struct trouble *t);
void trouble_rule(struct trouble *t, const char *table, const struct err *why);

/* The next change-set of the actor, signed, is nonsense: it holds up its author, and nobody else.
 */
void trouble_stuck(struct store *s, uint32_t actor, const struct err *why);
bool trouble_is_stuck(const struct trouble *t, uint32_t actor);
/* The actor's chain is another one: its next change-set may be applied. */
void trouble_unstick(struct trouble *t, uint32_t actor);

/* The words of the gravest, "" for none. An actor that is stuck is no trouble any more when nothing
 * of it waits, or nobody believes what does: its author was shut out before. Good until the next
 * call of the store. */
const char *trouble_text(const struct store *s);

/* Fill in which tables that were tracked are gone from the file, or refused by now. */
void trouble_tables(const struct store *s, struct store_status *out);

#endif
