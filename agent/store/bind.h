/* Binding: the tracked tables of the application's file beside those of the ledger, and what the
 * fleet's rules say of them. */
#ifndef NAVETTE_BIND_H
#define NAVETTE_BIND_H

#include "appdb.h"
#include "keymap.h"

struct store;
struct filter;
struct fresh;

/* Where the comparison with the ledger stands that scan_reconcile makes in slices: behind this row.
 */
struct scan_place {
    bool begun;
    int64_t rowid;
    struct row_key key; /* of a table without rowid: it borrows from `room` */
    struct buf room;
};

/* How a tracked table's columns correspond to the ledger's positions. */
struct binding {
    struct app_table *app;
    uint32_t app_index;
    uint32_t table;     /* the ledger's number */
    uint32_t *position; /* by column of the file */
    int *column;        /* by position; -1: the file has no such column */
    uint32_t positions;
    uint32_t *order;       /* columns as a change-set names them: the key first */
    bool *is_key;          /* by column */
    bool *counter;         /* by column: by rule its changes are added up */
    bool refers;           /* some column is a reference */
    bool indirect;         /* some column names rows otherwise than by their key */
    bool mute;             /* by rule what is written here is not said */
    bool deaf;             /* by rule what others say stays out of the file */
    struct filter *filter; /* by rule only rows that match are said; NULL: all */
    struct fresh *fresh;   /* by column: new in the file (columns.h); NULL: none is */
    uint32_t fresh_count;
    struct scan_place scanned;
    int64_t odd; /* rows more in the file than in the ledger, when a sweep last compared */
};

/* Read the application's schema again where it changed, put lost triggers back, and bind it. Not
 * inside a ledger transaction. */
MUST_USE bool bind_schema(struct store *s, bool force, struct err *e);
void bind_close(struct store *s);
struct binding *bind_by_app(struct store *s, const struct app_table *t);
struct binding *bind_by_table(struct store *s, uint32_t table); /* NULL: not tracked here */
int bind_column(const struct binding *b, uint32_t position);    /* -1 if the file has none */
/* Do rows that are equal in these columns, the whole of a UNIQUE key or of the primary key, become
 * one? By rule, else yes for natural primary keys and for pure join tables, else no. */
bool bind_merges(const struct store *s, const struct app_table *t, const uint32_t *columns,
                 uint32_t n);

/* The local key of a row of values (all columns of the file), borrowed from `room`. Not of one that
 * is too long to be sent (unsent.h), unless `room` has no end. */
struct row_key key_of_row(const struct app_table *t, const struct value *values, struct buf *room);
/* The values of a key, as many as the table has key columns; they borrow from the key. */
MUST_USE bool key_values(const struct app_table *t, const struct row_key *key, struct value *values,
                         struct err *e);
MUST_USE bool key_bind(struct sqlite3_stmt *s, int first, const struct app_table *t,
                       const struct row_key *key, struct err *e);

/* ---- rules: bindrule.c ---- */
/* Inside a ledger transaction, once the binding has its columns. Where the rules of the table are
 * others than when it was last bound, it is compared with the ledger again, rows that were held
 * back are looked at anew, and after that the rows that the file lacks or holds otherwise are due.
 * A filter that cannot be used here lets nothing out, and is told (trouble.h). */
MUST_USE bool bind_rules(struct store *s, struct binding *b, struct err *e);
/* Inside a ledger transaction: the table has been compared with the ledger. */
MUST_USE bool bind_reconciled(struct store *s, struct binding *b, struct err *e);
/* A table that came to be local loses its triggers; one that is no longer gets them back if it had
 * them then. `did`: there was something to do. ERR_BUSY as usual. Not inside a transaction. */
MUST_USE bool bind_local(struct store *s, bool *did, struct err *e);
/* Do rows of this table of the ledger stay out of the file, by rule? */
bool bind_is_deaf(struct store *s, uint32_t table);
/* The same, of a struct store, for ledger_holds_all. */
bool bind_is_out(void *store, uint32_t table);

#endif
