/* Inside publish*.c: rows on their way into our change-sets. */
#ifndef NAVETTE_PUBLISH_H
#define NAVETTE_PUBLISH_H

#include "author.h"
#include "conflict.h"
#include "counter.h"

struct publisher {
    struct store *s;
    struct touch_list *list;
    struct keymap here; /* keys of the rows touched, as they are now: 1 + index into the list */
    struct author author;
    struct record rec, shadow, next;
    struct value *values; /* of one row, references translated */
    bool *changed;        /* which of them differ from what the file held */
    bool *back;           /* which of those are only what was read before an apply */
    /* its cells that go out, as author_write takes them: */
    struct value *wire;
    uint32_t *columns; /* indices into the body's order */
    struct body_counter *counters;
    uint32_t n, counter_n;
    struct buf rec_bytes, shadow_bytes, key_room;
    /* The row that stands for the one under way (rec is its record): another one if they were
     * united and the one under way has not left the file yet. */
    int64_t stands;
    struct ledger_row standing;
    struct buf standing_shadow;
    uint64_t now_ms;
};

/* A value of the row as the ledger holds it: a reference becomes the gid of the row it names. One
 * that names nothing stays as it is. */
MUST_USE bool publish_translate(struct publisher *p, const struct touched *t, uint32_t column,
                                struct value *v, struct err *e);
/* The key of a table whose key is one column, from that column's value; good until the next one. */
struct row_key publish_key(struct publisher *p, const struct value *v);
/* publish_name.c: every row that is touched gets its gid. */
MUST_USE bool publish_gids(struct publisher *p, struct err *e);
/* publish_revive.c: a new row that is one which another PC deleted gets its gid. */
MUST_USE bool publish_revive(struct publisher *p, struct touched *t, struct err *e);
/* A stamp later than everything that the cell shows. Just above that is said what a data migration
 * derived from it, and nothing else, whatever the clock shows. */
uint64_t stamp_after(uint64_t stamp, const struct cell *c, bool derived);

/* What is listed of a row. */
struct conflict_row cells_listed(const struct publisher *p, const struct touched *t);

/* Which cells of the row differ from what the file held (`base`, NULL: it was not there), and how
 * each goes out: as a value, or as what was added to a counter. `stamp` becomes later than
 * everything that the application saw in them. */
MUST_USE bool cells_find(struct publisher *p, const struct touched *t, const struct record *base,
                         uint64_t *stamp, struct err *e);
/* Put those from `from` on up to before `to` into rec (where they are the later ones) and into
 * next, what the file holds, under the number of the change-set that is open. */
MUST_USE bool cells_merge(struct publisher *p, const struct touched *t, uint32_t from, uint32_t to,
                          uint64_t stamp, struct err *e);

/* Of what is said of the row under the number of the change-set that is open. */
struct local_clock cells_clock(const struct publisher *p, const struct touched *t, uint64_t stamp);
/* All totals that are in a cell are in what its author wrote there: what a row of a body that is
 * said of `gid` says of that, in the memory of `room`. */
void cells_seen(struct record *room, int64_t gid, const struct cell *saw, struct body_counter *c);
/* The same as in a merge: what was seen is in the value. */
const struct counter *cells_totals(struct publisher *p, const struct value *base,
                                   const struct touched *t, const struct body_counter *c);

/* ---- publish_fresh.c: columns that a migration brought. All say what is to be said of them. ----
 */

/* A column that is an old one under a new name has the cells of that one from here on, in rec,
 * next and `base`: what the application has written since is an edit of them. */
MUST_USE bool fresh_inherit(struct publisher *p, const struct touched *t, const struct record *base,
                            struct err *e);
/* Likewise of a row that is not in the file: what rec has under the old name only (no PC whose file
 * holds the row may be left to say it). */
MUST_USE bool fresh_carry(struct publisher *p, const struct touched *t, struct err *e);
/* What the migration filled in is no change. */
MUST_USE bool fresh_fill(struct publisher *p, const struct touched *t, const struct record *base,
                         struct err *e);

/* ---- publish_say.c: in change-sets. Any of these may seal the one that is open. ---- */

/* A row under a natural key that we named, and that another site then said under a name of its own
 * before we had said it: nobody else knows our name. Say first, with the zero clock, which row it
 * is. Nothing for other rows. */
MUST_USE bool publish_introduce(struct publisher *p, const struct touched *t, struct err *e);
/* Merge and say the cells that cells_find found. `is_new`: the file did not hold the row. */
MUST_USE bool publish_say(struct publisher *p, const struct touched *t, bool is_new, uint64_t stamp,
                          struct err *e);

#endif
