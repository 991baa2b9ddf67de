/* Values that are too long to be sent: they stay in this PC's file alone, and a person is told as
 * long as they are there. The ledger notes which cells were found so (table unsent); whether they
 * still are is asked of the file. */
#ifndef NAVETTE_UNSENT_H
#define NAVETTE_UNSENT_H

#include <navette/change.h>

struct store;

struct unsent {
    bool any;    /* something may be noted */
    bool looked; /* as the file was then: */
    int64_t cursor, batch;
    uint64_t reads;
    char text[400]; /* what a person is told; "" for nothing */
};

/* Is the value too long to be sent? */
bool unsent_is(const struct value *v);
/* Inside a ledger transaction: the cell was found so. */
MUST_USE bool unsent_note(struct store *s, int64_t gid, uint32_t position, struct err *e);
/* Look at the noted cells again if anything may have changed since, forget those that can be sent
 * or are gone, and put the others into s->unsent.text. Nothing where the file is busy: the words
 * stand then. Outside transactions. */
MUST_USE bool unsent_look(struct store *s, struct err *e);
MUST_USE bool unsent_open(struct store *s, struct err *e);

#endif
