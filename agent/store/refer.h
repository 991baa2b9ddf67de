/* What cells of the file name, and how the file names rows: between a value of the application and
 * the row of the fleet that it means. A value means a row only if the row, named in this column,
 * gives back exactly that value; else it is plain data. */
#ifndef NAVETTE_REFER_H
#define NAVETTE_REFER_H

#include "inside.h"

struct sqlite3_stmt;
struct sqlite3_str;

/* The row that a cell of the file names: its table and its primary key there. */
struct named {
    struct binding *b; /* NULL: it names none */
    struct value key;
};

/* Inside a read of the file: what column `column` of a row of the file names. `values` is the whole
 * row; `out` borrows from it and from `arena`. */
MUST_USE bool refer_named(struct store *s, const struct binding *b, uint32_t column,
                          const struct value *values, struct arena *arena, struct named *out,
                          struct err *e);
/* The same for all columns, when the row was read; from then on touched_named tells. */
MUST_USE bool refer_touched(struct store *s, struct touch_list *l, struct touched *t,
                            struct err *e);
struct named touched_named(struct store *s, const struct touched *t, uint32_t column);

/* What column `column` holds when it names the row of `parent` with this key: not for REF_UNIQUE.
 */
struct value refer_render(const struct store *s, const struct app_column *column,
                          const struct app_table *parent, const struct value *key,
                          struct arena *arena);
/* The same for any column, as the ledger believes the row to be in the file. `known` false: it is
 * not there, or has no value in the column that would name it. */
MUST_USE bool refer_value(struct store *s, const struct binding *b, uint32_t column, int64_t gid,
                          struct arena *arena, struct value *out, bool *known, struct err *e);

/* The condition under which a row of a table refers by this column to a row of `parent`: ?1 is what
 * it holds then. Some more rows may fulfil it. */
void refer_condition(struct sqlite3_str *sql, const struct app_schema *s, const struct app_child *c,
                     const struct app_table *parent);

/* SELECT of the keys of the rows that fulfil it; finalize it. NULL on failure. */
struct sqlite3_stmt *refer_children(struct store *s, const struct app_table *parent,
                                    const struct app_child *c, struct err *e);

/* SELECT of the keys of the rows that show these values in a foreign key, not one of them NULL;
 * finalize it. NULL on failure. */
struct sqlite3_stmt *refer_referring(struct store *s, const struct app_fk *fk,
                                     const struct value *values, struct err *e);
/* SELECT of the key of the row that has these values in the columns that a foreign key names: at
 * most two rows. Borrowed; reset it. NULL on failure. */
struct sqlite3_stmt *refer_holder(struct store *s, const struct app_table *parent,
                                  struct app_fk *fk, const struct value *values, struct err *e);

#endif
