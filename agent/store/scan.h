/* Reading whole tables of the application's file beside the ledger: what matching, reconciling and
 * recovering share. */
#ifndef NAVETTE_SCAN_H
#define NAVETTE_SCAN_H

#include "inside.h"

struct sqlite3_stmt;

#define SCAN_STEPS (32u << 20) /* of filter_steps: a table is compared for so long in one turn */

/* All rows of a table, columns in the file's order. NULL on failure; the caller finalizes. Inside a
 * read of the file. */
struct sqlite3_stmt *scan_open(struct store *s, const struct binding *b, struct err *e);
/* The next row: its values borrow from the statement. 1 a row, 0 the end, -1 failed. */
int scan_step(struct store *s, struct sqlite3_stmt *q, const struct binding *b,
              struct value *values, struct err *e);
/* A touched entry with a copy of the row. */
struct touched *scan_touch(struct touch_list *l, struct binding *b, const struct value *values,
                           struct buf *room);

/* All rows of the ledger of one table, in order of their gids. `row` as from ledger_row_get. */
struct sqlite3_stmt *scan_ledger(struct store *s, uint32_t table, bool present, struct err *e);
int scan_ledger_step(struct store *s, struct sqlite3_stmt *q, struct ledger_row *row,
                     struct err *e);

/* The value of a cell in the file's terms. `known` false: what it refers to is not in the file. */
MUST_USE bool scan_local(struct store *s, const struct value *v, struct value *local, bool *known,
                         struct buf *room, struct err *e);
/* Does the record say what the file's row holds? References are followed to local keys. */
MUST_USE bool scan_same(struct store *s, const struct binding *b, const struct record *r,
                        const struct value *values, bool *same, struct err *e);

/* How recover.c and match.c note the result: the row is in the file under this key, holding what
 * rec says or else `shadow`. */
MUST_USE bool scan_place(struct store *s, int64_t gid, const struct row_key *key,
                         struct slice shadow, struct err *e);
/* A row of which nobody knows any more what was said: minted, and so to be said under its gid; or
 * else in the file with nothing in it, so that publishing it as gone says its delete. */
MUST_USE bool scan_unheard(struct store *s, const struct binding *b, int64_t gid,
                           const struct row_key *key, bool minted, struct err *e);
/* It is not in the file: due again if it is alive. `forget_key`: another row has its key now. */
MUST_USE bool scan_displace(struct store *s, const struct ledger_row *row, bool forget_key,
                            uint64_t now_ms, struct err *e);
/* Rows that live and are not in the file are due; `elsewhere`: only those of tables that the file
 * does not have, which the projection parks, says so, and puts in when the table comes. */
MUST_USE bool scan_put_due(struct store *s, bool elsewhere, uint64_t now_ms, struct err *e);
/* Rows that nobody has heard of and that are not in the file are no rows any more. */
MUST_USE bool scan_forget_unheard(struct store *s, struct err *e);
/* A row of the file that nobody knows: it gets a gid and is published later. */
MUST_USE bool scan_mint(struct store *s, const struct binding *b, const struct row_key *key,
                        uint64_t now_ms, struct err *e);

#endif
