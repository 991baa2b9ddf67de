/* What is large in the ledger. It is written in pieces, and what was read of it lies in a file
 * without a name, mapped into memory: to take in a large value, a PC needs little memory of its
 * own. Where no such file can be had, or LARGE_FILES_MAX are open, it is read into memory. */
#ifndef NAVETTE_LEDGER_LARGE_H
#define NAVETTE_LEDGER_LARGE_H

#include "ledger.h"

#define LARGE_SQL "1048576" /* LARGE_BYTES, for statements */

#define LARGE_FILES_MAX 32 /* a process has some 1,024, and links and SQLite need theirs */

struct sqlite3_file;

/* Bytes that somebody keeps. A zeroed one is valid, and empty. */
struct large {
    struct sqlite3_file *file; /* NULL: they are in memory */
    uint8_t *bytes;
    size_t n;
    uint32_t *files; /* of the ledger: it is one of them */
};

/* Whose bytes the ledger lends until the statement that showed them is used again. */
enum large_lent {
    LENT_ROW,
    LENT_ROW_IN_FILE = LENT_ROW + 2, /* each the record, then the shadow */
    LENT_ROW_LAST_HERE = LENT_ROW_IN_FILE + 2,
    LENT_CHANGESET = LENT_ROW_LAST_HERE + 2,
    LENT_COUNT
};

/* A value of the ledger, in place of what `g` had. */
MUST_USE bool large_load(struct large *g, struct ledger *l, const char *table, const char *column,
                         int64_t id, struct err *e);
struct slice large_slice(const struct large *g);
void large_close(struct large *g);

/* Write parts, one behind the other, into a value that is as long as they are together and was
 * bound as a zeroblob. Inside a transaction. */
MUST_USE bool large_store(struct ledger *l, const char *table, const char *column, int64_t id,
                          const struct slice *parts, uint32_t n, struct err *e);
/* Between the two the connection, the ledger's or the application's file's, keeps few pages in
 * memory. */
void large_begin(struct sqlite3 *db);
void large_end(struct sqlite3 *db);

/* What ledger_row_get, ledger_row_by_key or ledger_changeset_get have just lent, for as long as
 * `kept`, an empty one, is not closed. Large bytes change hands, others are copied. */
struct slice ledger_keep(struct ledger *l, struct slice bytes, struct large *kept);

/* As ledger_row_get and ledger_row_by_key, for who asks only which row it is and where it stands:
 * its record and its shadow, which may be large, are not read, and empty here. */
MUST_USE bool ledger_head_get(struct ledger *l, int64_t gid, struct ledger_row *r, bool *found,
                              struct err *e);
MUST_USE bool ledger_head_by_key(struct ledger *l, uint32_t table, const struct row_key *key,
                                 bool any, struct ledger_row *r, bool *found, struct err *e);

/* For ledger_rows.c: the record and the shadow of a row, one of which may be large. */
bool large_is_row(const struct ledger_row *r);
/* Bind them as values of their length, no more; then, when the row is there, write them. */
bool large_bind_row(struct sqlite3_stmt *s, int rec, int shadow, const struct ledger_row *r);
MUST_USE bool large_store_row(struct ledger *l, const struct ledger_row *r, struct err *e);
/* Fetch those of which the statement showed no more than the length. */
MUST_USE bool large_load_row(struct ledger *l, enum large_lent at, struct ledger_row *r,
                             struct err *e);

#endif
