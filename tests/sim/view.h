/* A view: what an application's file holds, told so that two files can be compared although their
 * keys differ. A row is named by its mark where its key is each site's own, else by its key; a
 * reference by the row it names. */
#ifndef SIM_VIEW_H
#define SIM_VIEW_H

#include "shape.h"
#include "words.h"

#define VIEW_TICKS_MAX 1024

struct sqlite3;

struct view_row {
    uint32_t table;
    uint32_t name;                     /* word: "invoice/m12" */
    uint32_t where;                    /* word: how SQL finds it in this file */
    uint32_t raw[SHAPE_COLUMNS_MAX];   /* words: literals as they stand in this file */
    uint32_t cells[SHAPE_COLUMNS_MAX]; /* words: the same, references by the name of their row, and
                                          nothing of what stays on each PC */
};

#define VIEW_GONE "gone" /* the cell of a reference by rule to a row that is not there */

/* Rows by table, then in order of their names' words. */
struct view {
    struct view_row *rows;
    uint32_t n, room;
    int64_t tick;      /* the application's own count of its commits, in a table nobody tracks */
    uint32_t version;  /* of the application: so many migrations were made in the file */
    uint32_t dangling; /* references to rows that are not there */
    uint32_t doubled;  /* word: a name that two rows have, WORD_NULL if none */
    uint64_t journal[VIEW_TICKS_MAX / 64]; /* shape.h: one bit for each transaction in it */
};

/* Is the transaction in the file's journal? */
bool view_has(const struct view *v, int64_t tick);

/* `v` is empty or was read before. */
MUST_USE bool view_read(struct view *v, const struct shape *s, struct words *w, struct sqlite3 *db,
                        struct err *e);
/* A database that was read keeps the statements for it: instead of sqlite3_close. */
void view_close_database(struct sqlite3 *db);
void view_copy(struct view *to, const struct view *from);
void view_close(struct view *v);

/* NULL when it is not there. */
const struct view_row *view_find(const struct view *v, uint32_t table, uint32_t name);
/* The next row after `after` (NULL: the first) that refers to the row named `name` of table
 * `table`. */
const struct view_row *view_child(const struct view *v, const struct shape *s, uint32_t table,
                                  uint32_t name, const struct view_row *after);
/* Does it stay on its PC, because no filter lets it out? */
bool view_stays(const struct shape *s, const struct words *w, const struct view_row *row);
/* A row of `v` that keeps this one, of whatever file, out of it; NULL if there is none. */
const struct view_row *view_rival(const struct view *v, const struct shape *s,
                                  const struct view_row *row);
/* The first row that differs, as text; NULL when all is the same that must be: `last` says that b
 * is of the last PC (enum shape_way). Free with free. */
char *view_differ(const struct view *a, const struct view *b, const struct shape *s,
                  const struct words *w, bool last);

#endif
