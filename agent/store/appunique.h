/* The UNIQUE keys of a table of the application: constraints and indexes, partial ones too; the
 * primary key is none of them. Read when they are needed, which is when rows collide. */
#ifndef NAVETTE_APPUNIQUE_H
#define NAVETTE_APPUNIQUE_H

#include "appdb.h"

struct app_unique {
    uint32_t *columns; /* indices into the table's columns, in the order of the index */
    char **collations; /* by the same order */
    uint32_t n;
    char *where; /* of a partial index, an expression of the table's columns; NULL: none */
};

struct app_uniques {
    struct app_unique *keys; /* in the order of their columns' indices: the same on every site whose
                                table is the same */
    uint32_t n;
    bool expressions; /* some index is on an expression or a generated column: it is not in `keys`
                       */
};

MUST_USE bool app_uniques_read(struct appdb *a, const struct app_table *t, struct app_uniques *out,
                               struct err *e);
void app_uniques_close(struct app_uniques *u);

/* SELECT of the primary keys of all rows that hold a value of this key: the columns of the index as
 * ?1, ?2...; finalize it. NULL on failure. */
struct sqlite3_stmt *app_unique_holders(struct appdb *a, const struct app_table *t,
                                        const struct app_unique *u, struct err *e);

#endif
