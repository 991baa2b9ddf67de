/* The columns of the application's tables, and how their cells name rows. */
#ifndef NAVETTE_APPCOLUMN_H
#define NAVETTE_APPCOLUMN_H

#include <navette/bounds.h>
#include <navette/bytes.h>

struct sqlite3_stmt;

enum affinity { AFFINITY_BLOB, AFFINITY_TEXT, AFFINITY_NUMERIC, AFFINITY_INTEGER, AFFINITY_REAL };

/* How the cells of a column name rows of other tables: what the file holds for such a row. */
enum ref_form {
    REF_NONE,   /* they do not */
    REF_KEY,    /* its primary key */
    REF_UNIQUE, /* its value in another column, which is unique, alone or with others */
    REF_TYPED,  /* its primary key; another column of the row says of which table */
    REF_TEXT,   /* 'sale.line,21': a name for its table, and its primary key */
};

/* By rule, what names a table that is called otherwise. */
struct app_name {
    char *name;
    int table;
};

struct app_column {
    char *name;
    enum affinity affinity; /* by the declared type, SQLite's rules (datatype3.html section 3.1);
                               STRICT ANY is BLOB */
    bool not_null;
    bool in_key;
    bool unique;      /* in a UNIQUE key, alone or with others; the primary key apart */
    char *collation;  /* what compares it in the key's index: BINARY, NOCASE or RTRIM; NULL outside
                         keys and for a rowid alias */
    bool ref_by_rule; /* that it refers no foreign key says: it may name nothing */
    enum ref_form ref_form; /* see agent/README.md, References */
    int ref_table; /* REF_KEY, REF_UNIQUE: index of the tracked parent, whose primary key is one
                      column; else -1 */
    uint32_t ref_column; /* REF_UNIQUE: the parent's column; REF_TYPED: the column beside that says
                            of which table */
    uint32_t ref_fk;     /* REF_UNIQUE: index into the parent's `fks` */
    char *ref_between;   /* REF_TEXT: what stands between name and key */
    bool ref_dots;       /* REF_TEXT: in the name a dot stands for an underscore */
    struct app_name *ref_names;
    uint32_t ref_name_count;
};

static inline bool app_refers(const struct app_column *c)
{
    return c->ref_form != REF_NONE;
}

/* Does it hold plain values as well, which name no row? */
static inline bool app_refers_loosely(const struct app_column *c)
{
    return c->ref_by_rule || c->ref_form == REF_UNIQUE;
}

/* May what a cell names be gone? A rule says that it names rows, or does so no more. */
static inline bool app_may_dangle(const struct app_column *c)
{
    return c->ref_by_rule || !app_refers(c);
}

/* A column whose cells are references to this table's rows, or may be (REF_TYPED, REF_TEXT). Where
 * its table is not tracked: a foreign key to this table's primary key. */
struct app_child {
    uint32_t table; /* index into app_schema.tables */
    uint32_t column;
};

/* A declared foreign key to columns of this table: to a UNIQUE key, or to a primary key of several
 * columns; where this table is not tracked, to any. */
struct app_fk {
    uint32_t table; /* whose rows refer */
    uint32_t parent;
    uint32_t n;
    uint32_t columns[KEY_COLUMNS_MAX]; /* of that table */
    uint32_t to[KEY_COLUMNS_MAX];      /* of this one */
    bool primary;                      /* to the primary key */
    bool followed;                     /* some of its columns are REF_UNIQUE by it */
    struct sqlite3_stmt *find;         /* refer.c's: the row that values name */
};

/* One of a table's own foreign keys that no cell stands for (not `followed`): the values alone say
 * which row is meant. */
struct app_parent {
    uint32_t table; /* index into app_schema.tables */
    uint32_t fk;    /* index into its `fks` */
};

#endif
