/* Rows touched by the application, on their way into a change-set: marks become a list of them
 * (replay.h), which is read from the file (drain.c) and published (publish.c). */
#ifndef NAVETTE_TOUCH_H
#define NAVETTE_TOUCH_H

#include <navette/store.h>

#include "arena.h"
#include "keymap.h"

struct binding;
struct named;
struct recovery;
struct store;

/* A mark that inserted a row under a natural key. */
struct made {
    int64_t mark;
    uint64_t ms; /* when, by whatever clock */
    const struct made *before;
};

struct touched {
    struct binding *b;
    struct row_key key;        /* KEY_NONE: it is gone */
    int64_t gid;               /* 0: a new row */
    uint32_t maker;            /* natural: whose marks they are, by which others may name it if it
                                  is new; 0: ours */
    uint64_t wall_ms;          /* when the application wrote it last; 0: the zero clock */
    uint64_t first_ms;         /* when its first mark was made, by whatever clock; 0: not known */
    int64_t born, first, last; /* marks: that made a new row; the first and last that touched it */
    int64_t latest;            /* the one of `wall_ms`: clocks are put back */
    int64_t since;             /* surrogate: the one that brought it to its key; 0: none */
    uint32_t marks;            /* how many have */
    bool mixed;   /* its marks alone do not tell its fate: others did something at its key */
    bool derived; /* by a data migration (migration.h) */
    bool left;    /* natural: its last mark says that it is not there any more */
    const struct made *made; /* natural: the last mark that inserted it; NULL: none */
    struct value *values;    /* what the file holds, by column; NULL: not read yet, or it is gone */
    struct named *names;     /* the rows that they name (refer.h); NULL: only keys do */
};

/* Which rows of a list are published: those that no mark speaks of, or the others. */
enum touch_part { TOUCH_ALL, TOUCH_UNMARKED, TOUCH_MARKED };

struct touch_list {
    struct touched *rows;
    uint32_t n, room;
    struct arena arena;
    enum touch_part part; /* all of them are there to be named by these */
    struct keymap *times; /* not NULL: when marks touched them, in ms, by 1 + index into `rows` */
    const struct recovery *recovery; /* not NULL: of a file that went back (behind.h) */
};

static inline bool touch_is_unmarked(const struct touched *t)
{
    return t->marks == 0 && t->last == 0;
}

struct touched *touch_add(struct touch_list *l);
void touch_close(struct touch_list *l);
/* Inside a read of the file: copy the rows; those that are not there become gone. */
MUST_USE bool touch_read(struct store *s, struct touch_list *l, struct err *e);
/* Likewise: add rows that these refer to and that nobody knows. */
MUST_USE bool touch_parents(struct store *s, struct touch_list *l, uint64_t now_ms, struct err *e);
/* Inside a ledger transaction: what differs from what the file held before goes into the ledger and
 * into signed change-sets. */
MUST_USE bool publish(struct store *s, struct touch_list *l, uint64_t now_ms,
                      struct store_progress *p, struct err *e);
/* The same in slices, all in that transaction, in which nothing else may happen to the ledger.
 * Each step spends what it does from `left`, in bytes of rows (drain.h), and goes on while there is
 * any. The list and the progress are borrowed. */
struct publishing;
struct publishing *publishing_new(struct store *s, struct touch_list *l, uint64_t now_ms,
                                  struct store_progress *p);
MUST_USE bool publishing_step(struct publishing *g, uint64_t *left, bool *done, struct err *e);
void publishing_free(struct publishing *g);
/* Likewise, before that: only give each of them its gid. */
MUST_USE bool publish_name(struct store *s, struct touch_list *l, uint64_t now_ms, struct err *e);

#endif
