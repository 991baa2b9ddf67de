/* A change-set of the log, read row by row in the ledger's own numbers. */
#ifndef NAVETTE_READING_H
#define NAVETTE_READING_H

#include "ledger.h"

struct total;

struct reading {
    struct changeset parts;
    struct changeset_header h;
    struct body_reader body;
    uint32_t *actors;    /* the ledger's, by the body's index */
    uint32_t *positions; /* of the columns of the table under way */
    struct ledger_table *table;
};

/* `bytes` must stay as long as it is read. Close it also after a failure. */
MUST_USE bool reading_open(struct reading *r, struct ledger *l, struct slice bytes, struct err *e);
void reading_close(struct reading *r);
/* After body_next_table: which table and columns these are. */
MUST_USE bool reading_table(struct reading *r, struct ledger *l, struct err *e);
int64_t reading_gid(const struct reading *r, struct gid g);

/* Does this change-set say what its author had added to a cell of the row that it names `t->gid`?
 * Then `t` becomes that, and `says` true. */
MUST_USE bool reading_total(struct ledger *l, struct slice bytes, uint32_t table, uint32_t position,
                            struct total *t, bool *says, struct err *e);

#endif
