/* Rules: what people say of their tables. They belong to the fleet, travel in its roster and are
 * folded there; they only shape what a site says and what it puts into its file, never what a
 * merge makes of it. protocol/README.md has their layout.
 *
 * A rule stands in a place: table, columns, site and what it speaks of. Two rules in one place
 * replace one another (keep and merge, for one; publish, subscribe and both). Table and column
 * names are the same whatever the case of their ASCII letters. */
#ifndef NAVETTE_RULES_H
#define NAVETTE_RULES_H

#include <navette/bounds.h>
#include <navette/keys.h>
#include <navette/wire.h>

enum rule_kind {
    RULE_COUNTER = 1, /* TABLE.COLUMN: concurrent changes add up */
    RULE_LOCAL,       /* TABLE or TABLE.COLUMN: stays on each PC; argument: what a row that arrives
                         gets in this column */
    RULE_KEEP,        /* TABLE.COLUMN,...: two rows with an equal key both stay */
    RULE_MERGE,       /* TABLE.COLUMN,...: they become one */
    RULE_REFERENCES,  /* TABLE.COLUMN: names a row of the table in the argument by its key */
    RULE_PUBLISH,     /* TABLE: says its changes, takes none; where: only of such rows */
    RULE_SUBSCRIBE,   /* TABLE: takes changes, says none */
    RULE_BOTH,        /* TABLE: says and takes; where: says only those of such rows */
    RULE_REFERENCES_BY, /* TABLE.COLUMN: names a row by its key, of the table that the column in the
                           argument names */
    RULE_REFERENCES_TEXT, /* TABLE.COLUMN: 'sale.line,21' names row 21 of sale_line; argument: the
                             pattern, `model,id` or `table,id` */
};
#define RULE_KINDS RULE_REFERENCES_TEXT

struct rule {
    enum rule_kind kind;
    char *table;
    char **columns;
    uint32_t column_count;
    char *argument; /* NULL: none; "" is one */
    char *where;    /* an SQL expression; of RULE_REFERENCES_BY and _TEXT: which names stand for
                       other tables, NAME=TABLE,NAME=TABLE; NULL: none */
    bool of_site;   /* of this one site instead of all */
    struct site_id site;
};

/* What is said of one place: `rule`, or (set false) nothing any more. */
struct rule_change {
    struct rule rule;
    bool set;
};

struct rules {
    struct rule *rules; /* by table, columns, what they speak of, site */
    uint32_t n, room;
    uint32_t bytes; /* of all, as they are encoded */
};

void rule_close(struct rule *r);
/* Put the columns of a key (RULE_KEEP, RULE_MERGE) in rising order: only so do they name a place.
 */
void rule_sort(struct rule *r);
/* Whatever `to` holds is not looked at. */
void rule_copy(struct rule *to, const struct rule *from);
/* Has it the parts that its kind has, each within its bounds? Says nothing of any database. */
MUST_USE bool rule_check(const struct rule *r, struct err *e);
bool rule_same_place(const struct rule *a, const struct rule *b);
bool rule_equal(const struct rule *a, const struct rule *b);

/* "counter"... */
const char *rule_kind_name(enum rule_kind kind);
MUST_USE bool rule_kind_parse(enum rule_kind *kind, const char *word, struct err *e);
/* TABLE or TABLE.COLUMN[,COLUMN...] into an empty rule; a name that has one of . , " or a space in
 * it stands in double quotes, doubled inside. */
MUST_USE bool rule_target_parse(struct rule *r, const char *text, struct err *e);
/* The same as text, appended. */
void rule_target_print(const struct rule *r, struct buf *out);
/* Likewise, with its NUL, cut where it is too long: for messages. */
#define RULE_TARGET_BYTES_MAX 160
void rule_target_text(const struct rule *r, char out[RULE_TARGET_BYTES_MAX]);

/* One change: [kind, table, [column...], site, argument, where, set]. */
void rule_change_write(struct writer *w, const struct rule_change *c);
/* Checked as rule_check does; `c` (overwritten) is to be closed when the reader has not failed. A
 * kind beyond RULE_KINDS is ERR_REFUSED: written by a newer version. */
void rule_change_read(struct reader *r, struct rule_change *c);
void rule_change_close(struct rule_change *c);

/* ---- a set of rules ---- */

/* Apply a change; copies what it keeps. False: everything is as it was, also because they
 * would be more than RULES_MAX, or than RULES_BYTES_MAX together. */
bool rules_apply(struct rules *all, const struct rule_change *c);
/* Would rules_apply change anything? */
bool rules_would_change(const struct rules *all, const struct rule_change *c);
void rules_close(struct rules *all);

/* The rule in the place of `like`, NULL if there is none. */
const struct rule *rules_at(const struct rules *all, const struct rule *like);
/* A rule of this kind for exactly this table (column NULL) or column. */
const struct rule *rules_find(const struct rules *all, enum rule_kind kind, const char *table,
                              const char *column);
/* What says which way a table's changes go at `site`: its own rule, else that of all sites, else
 * NULL (both ways, all rows). */
const struct rule *rules_way(const struct rules *all, const char *table,
                             const struct site_id *site);
/* RULE_KEEP or RULE_MERGE for the key with these columns, in whatever order; 0: no rule. */
enum rule_kind rules_key(const struct rules *all, const char *table, const char *const *columns,
                         uint32_t n);

/* Names as SQLite compares them. */
bool rule_name_same(const char *a, const char *b);

#endif
