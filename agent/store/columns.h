/* Columns that a migration brings, takes away or gives another name.
 *
 * A column that is new in the file is *fresh* until all rows have been compared with the ledger.
 * What stands there was filled in by the migration: it goes out under the zero clock, and only
 * where nobody has said anything of the cell, so that no default beats what a person wrote. If the
 * column is an old one under a new name, its values go out with the clocks they had there. */
#ifndef NAVETTE_COLUMNS_H
#define NAVETTE_COLUMNS_H

#include <navette/change.h>

struct store;
struct binding;
struct app_table;
struct record;

struct fresh {
    bool is;
    int from;           /* ledger position of the column that it was before; -1: none */
    struct value *fill; /* what was filled in, as far as we can tell; NULL: not known; owned */
    bool told;          /* ... for sure: what else stands there is somebody's */
};

/* Inside a ledger transaction, once all tables are bound: compare the table's columns with those
 * that it had when it was last bound. Reads the file. ERR_BUSY as usual. */
MUST_USE bool columns_follow(struct store *s, struct binding *b, struct err *e);
/* Inside a ledger transaction: all rows have been compared, none of its columns is fresh any more.
 */
MUST_USE bool columns_settle(struct store *s, struct binding *b, struct err *e);
/* By app column: none that is fresh, and that the table got after this point (schema.sql) was made?
 */
MUST_USE bool columns_later(struct store *s, const struct binding *b, int64_t point, bool *later,
                            struct err *e);
/* Which columns of `t` did this table of the ledger have in the file when it was last bound? */
MUST_USE bool columns_had(struct store *s, uint32_t table, const struct app_table *t, bool *had,
                          struct err *e);
void columns_close(struct binding *b);
/* NULL where the column is not fresh. */
const struct fresh *columns_fresh(const struct binding *b, uint32_t column);
/* Has this row something later under the name that the column had before than under its own? */
bool columns_left_behind(const struct binding *b, uint32_t column, const struct record *rec);

#endif
