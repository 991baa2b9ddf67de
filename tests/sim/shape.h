/* The shape of an application's database: tables of every kind that we promise to carry, put
 * together by chance. */
#ifndef SIM_SHAPE_H
#define SIM_SHAPE_H

#include <navette/err.h>

#include "rng.h"

#define SHAPE_TABLES_MAX  6
#define SHAPE_COLUMNS_MAX 12
#define SHAPE_FILL_IN     "7"

enum shape_kind {
    SHAPE_ROWID, /* id INTEGER PRIMARY KEY */
    SHAPE_AUTO,  /* id INTEGER PRIMARY KEY AUTOINCREMENT */
    SHAPE_CODE,  /* a natural text key */
    SHAPE_PAIR,  /* a natural key of two columns */
    SHAPE_JOIN,  /* a key of two references */
    SHAPE_ONE,   /* a key that is a reference: one-to-one */
    SHAPE_KINDS
};

enum shape_role {
    SHAPE_KEY,  /* part of the primary key, and no reference */
    SHAPE_MARK, /* names its row for good: unique, never changed; only where the key is each site's
                   own */
    SHAPE_DATA,
    SHAPE_REF, /* a foreign key of one column, maybe part of the primary key, to a key or a number
                */
    SHAPE_TYPE /* the name of the table that the next column names a row of */
};

/* How a SHAPE_REF says which row it means. All but the first are by rule, and may dangle. */
enum shape_form {
    SHAPE_DECLARED,
    SHAPE_BARE,   /* its key */
    SHAPE_TYPED,  /* its key, and in the column before it the name of its table */
    SHAPE_WRITTEN /* 'client,5' */
};

enum shape_values {
    SHAPE_COUNTER, /* a stock: what applications write adds up */
    SHAPE_INT,
    SHAPE_REAL,
    SHAPE_TEXT,
    SHAPE_BLOB,
    SHAPE_DECIMAL,
    SHAPE_FLAG,   /* few values, so that writes repeat */
    SHAPE_TICKET, /* a number as tills give it, T and max + 1: UNIQUE */
    SHAPE_VALUES
};

struct shape_column {
    char name[16];
    const char *type; /* as declared */
    enum shape_role role;
    enum shape_values values;
    enum shape_form form;
    int parent;            /* SHAPE_REF: index of the table it names; -1: it says which */
    uint32_t names;        /* ... by this column: its key's, or one of numbers that may change */
    const char *on_delete; /* SHAPE_REF: "" or a clause */
    bool not_null;
    bool pooled; /* UNIQUE, a mark that is one of few or what the row belongs to; by rule rows that
                    have the same one are one, and they are named by it */
    bool owner;  /* SHAPE_REF: UNIQUE and never changed: one-to-one. Of rows that have the same one,
                    and are not one by rule, each file has one. */
    bool local;  /* by rule it stays on each PC; rows that arrive have SHAPE_FILL_IN there */
    bool absent; /* this version of the application has no such column */
    bool vague;  /* not in all versions under one name: what a file shows of it no journal tells */
    const char *fill; /* DEFAULT; NULL: none */
};

/* Which way its rows go, by rule: the last PC is the one that is not like the others. */
enum shape_way {
    SHAPE_BOTH,
    SHAPE_LOCAL, /* they stay on each PC */
    SHAPE_TAKES, /* the last PC says nothing of them */
    SHAPE_SAYS,  /* the last PC takes nothing in */
    SHAPE_SOME   /* each PC says only some rows, by a filter */
};
#define SHAPE_FILTER "sieve" /* its column: rows with 0 there stay on their PC */

struct shape_table {
    char name[24]; /* in this version of the application */
    char told[24]; /* in the names of its rows, whatever the version */
    enum shape_kind kind;
    enum shape_way way; /* not SHAPE_BOTH: it names no other one, and none names it */
    bool vague;         /* it has another name in some version */
    bool lasting; /* its keys are never given twice, nor changed: no foreign key tells who names
                     them */
    bool without_rowid;
    struct shape_column columns[SHAPE_COLUMNS_MAX]; /* the key's first */
    uint32_t columns_n;
    uint32_t keys;
};

/* Tables in an order in which parents come first; a table may also refer to itself. */
struct shape {
    const struct shape *next; /* of the next version of the application; NULL: there is none. Each
                                 has the same tables and columns under the same numbers. */
    struct shape_table tables[SHAPE_TABLES_MAX];
    uint32_t n;
    bool lists_versions; /* as Django does: a list of the migrations that were made in the file */
    bool journal; /* the application keeps a list of its transactions, which is shared as well: what
                     a PC has of it tells exactly which ones its file shows */
};

#define SHAPE_JOURNAL                                                                              \
    "CREATE TABLE journal(site INTEGER, n INTEGER, PRIMARY KEY(site, n)) WITHOUT ROWID"

/* The first one at first; a file says which version it is of. */
const struct shape *shape_at(const struct shape *s, uint32_t version);
void shape_draw(struct shape *s, struct rng *r);
/* A till: customers, articles, invoices, their lines. For scenarios that are told, not drawn. */
void shape_till(struct shape *s);
/* The key is an INTEGER that each site numbers for itself. */
bool shape_surrogate(const struct shape_table *t);
/* Does a column name its row by rule only? */
bool shape_loose(const struct shape_column *c);
/* ... and rows that bear one mark are one. */
bool shape_unites(const struct shape_table *t);
/* ... or its rows are named after such. */
bool shape_is_several(const struct shape *s, const struct shape_table *t);
/* Of a key that is each site's own: the column that names rows for good. */
uint32_t shape_naming(const struct shape_table *t);
/* The column by which rows of it keep each other out of a file; 0: they do not. */
uint32_t shape_rival(const struct shape_table *t);
bool shape_counts(const struct shape_table *t, uint32_t column);
/* Do rows of this table come into this PC's file, and do its own reach others? */
bool shape_takes(const struct shape_table *t, uint32_t site, uint32_t sites);
bool shape_says(const struct shape_table *t, uint32_t site, uint32_t sites);
/* What stands of a column in CREATE TABLE and ALTER TABLE. Free with sqlite3_free. */
char *shape_column_sql(const struct shape *s, const struct shape_table *t, uint32_t column);
/* CREATE TABLE, columns in that order. Free with sqlite3_free. */
char *shape_sql(const struct shape *s, const struct shape_table *t,
                const uint32_t order[SHAPE_COLUMNS_MAX]);

#endif
