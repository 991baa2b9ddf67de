/* Rows and values as a person knows them. */
#ifndef NAVETTE_DESCRIBE_H
#define NAVETTE_DESCRIBE_H

#include <navette/conflicts.h>

#include "inside.h"

/* The row that stands for `gid`, whatever became of it. `rec` is its record (cleared if it has
 * none). */
MUST_USE bool describe_row(struct store *s, int64_t gid, struct store_row *out, struct record *rec,
                           struct err *e);
void describe_row_close(struct store_row *r);
/* A cell as it stands in the ledger: no more than `bytes` of its value. NULL: unknown. */
MUST_USE bool describe_cell(struct store *s, const struct cell *c, size_t bytes,
                            struct store_write *out, struct err *e);
void describe_write_close(struct store_write *w);
/* Name of the PC that an actor is, "" if it is no member. */
void describe_actor(const struct store *s, uint32_t actor, char name[NAME_BYTES_MAX + 1]);

#endif
