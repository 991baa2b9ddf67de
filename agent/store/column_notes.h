/* What is remembered of a table's columns, as they were when it was last bound: meta columns.ID. */
#ifndef NAVETTE_COLUMN_NOTES_H
#define NAVETTE_COLUMN_NOTES_H

#include "inside.h"

enum {
    NOTED_SETTLED,
    NOTED_FRESH, /* columns.h */
    NOTED_LOCAL, /* by rule, so that it is not shared now */
};

#define NOTED_ALWAYS (-1) /* the table had it when it was first bound */

struct noted {
    uint8_t state;
    bool refers;  /* its cells are references */
    int64_t came; /* the last point (schema.sql) before it came */
    const char *name;
    const char *before; /* the name that it had before; or "" */
};

struct notes {
    struct noted *list;
    uint32_t n;
    struct buf room;
};

/* Close them whatever comes back. ERR_STORE: the ledger is damaged. */
MUST_USE bool notes_read(struct store *s, uint32_t table, struct notes *n, struct err *e);
/* One more, to be filled in, with texts that live as long as the notes. Start from zero. */
struct noted *notes_add(struct notes *n);
/* Inside a ledger transaction: in the place of those that were there. */
MUST_USE bool notes_save(struct store *s, uint32_t table, const struct notes *n, struct err *e);
void notes_close(struct notes *n);
/* NULL: there was no such column. */
const struct noted *notes_find(const struct notes *n, const char *name);

#endif
