/* The inside of recovering a file that went back, see behind.c. */
#ifndef NAVETTE_BEHIND_H
#define NAVETTE_BEHIND_H

#include "replay.h"

/* Marks drained for one point, of which the file has some: the first. `point` 0: what an earlier
 * recovery found of one. */
struct lap {
    int64_t point;
    uint32_t actor;          /* who we were */
    uint64_t before, number; /* what they became: our own change-sets above `before` up to this */
    uint64_t parted;         /* from this one on they are another history's by now; 0: none is */
    struct vector earlier;   /* and those of our earlier actors that the file held after it: where a
                                ledger was made anew (regain.c), they became these */
    int64_t last;            /* the last mark that the file has */
};

/* Marks that were drained one after the other, with their time. */
struct run {
    uint64_t first, last;
    uint64_t last_max; /* of this run and all before it */
    double time;
    uint32_t lap;
};

struct recovery {
    struct store *s;
    uint64_t now_ms;
    bool attached; /* until now no row was matched */
    bool anew;     /* the ledger was made anew since the fork (regain.c) */
    bool copied;   /* the file is a copy of another PC: what came into that by rule nobody knows */
    struct {
        struct held held; /* change-sets that the file held */
        uint64_t said;    /* our last one then */
        int64_t mark;     /* marks above it are not part of what the point stands for */
        int64_t point;
    } fork;
    struct run *runs;
    uint32_t run_count, run_room;
    struct lap *laps;
    uint32_t lap_count, lap_room;
    struct keymap lived;  /* by lap and gid: the file has all that the lap did to this row */
    struct keymap begun;  /* likewise: the file has the beginning of it */
    int64_t whole;        /* a row of which `begun` shall be taken for `lived`; 0: none */
    struct keymap let_go; /* gids of rows of which nobody has heard but, perhaps, that they went */
    struct touch_list list; /* what the application did that nobody has seen */
    struct keymap here;     /* keys of its rows: 1 + index into it */
    struct keymap seen;     /* gids that need no more attention */
    /* regain.c: */
    bool *unwatched; /* by app index: what differs was written by the application, mark or not */
    bool **later;    /* of those, by app index and column: nothing of what others said is in it */
    struct arena arena;
    struct record rec, shadow;
    struct buf key_room, bytes;
    int64_t cursor;
    double cursor_time;
};

/* A statement whose ?1 is the record of a row that went before anybody had heard of it. NULL on
 * failure; the caller finalizes. */
struct sqlite3_stmt *behind_unheard(struct ledger *l, const char *sql, struct err *e);
/* Which rows of which nobody has heard but, perhaps, that they went are in the file once more. */
MUST_USE bool behind_find_let_go(struct recovery *r, struct err *e);

/* behind_laps.c: find the laps above the fork. `times`, if not NULL: when marks of the file that
 * are in none of them were made, in ms. */
MUST_USE bool behind_find_laps(struct recovery *r, struct keymap *times, struct err *e);
/* Then: let the ledger believe of each key what the file says: as it was at the fork, then
 * as the marks in the file made it, as far as the ledger had seen them. The others fill r->list. */
MUST_USE bool behind_relive(struct recovery *r, struct err *e);
/* Of what this change-set says of the row the file has all; or the beginning, nobody knows how much
 * of it. */
MUST_USE bool behind_lived(struct recovery *r, uint32_t actor, uint64_t number, int64_t gid,
                           struct err *e);
void behind_begun(struct recovery *r, uint32_t actor, uint64_t number, int64_t gid);
/* Did the application see what this clock wrote in this row? */
bool behind_saw(const struct recovery *r, int64_t gid, const struct local_clock *c);

/* What both have to say and to let go of at the end. */
void behind_open(struct recovery *r, struct store *s, uint64_t now_ms);
void behind_close(struct recovery *r);

/* behind_rows.c: what the file holds in each row becomes what the ledger believes it to hold. */
MUST_USE bool behind_rows(struct recovery *r, struct err *e);

/* behind_apart.c: of rows that are one by now, was this one still one by itself in the file? Then:
 * what it held in a column, which is not what rec says of them all. Lives in r->shadow and
 * r->arena. `known` false: nobody can say. */
MUST_USE bool behind_apart(struct recovery *r, int64_t gid, bool *apart, struct err *e);
MUST_USE bool behind_part(struct recovery *r, int64_t gid, uint32_t table, uint32_t position,
                          struct cell *at, bool *known, struct err *e);
/* Is the row one with no other? */
MUST_USE bool behind_alone(struct recovery *r, int64_t gid, bool *alone, struct err *e);

/* behind_sums.c: a total as the file had it. `known` false: it is too far back. */
struct total;
MUST_USE bool behind_total(struct recovery *r, int64_t gid, uint32_t table, uint32_t position,
                           struct total *t, bool *known, struct err *e);
/* What a cell to which others, or we, have added since was in the file. Lives in
 * r->shadow. `known` false: it has no totals, or nobody can say. */
MUST_USE bool behind_sum(struct recovery *r, int64_t gid, uint32_t table, uint32_t position,
                         struct cell *at, bool *known, struct err *e);
/* Of a cell that counts and of which nobody remembers what was written there first: what has been
 * added to it that the file held, to no value. `known` false: nothing was. Lives in r->shadow. */
void behind_added(struct recovery *r, int64_t gid, uint32_t position, struct cell *at, bool *known);
/* Likewise of a cell that counts and was written whole since: `at` is what the file shows. Lives in
 * r->shadow and r->arena. `known` false: one of the two is no number, or nobody can say. */
MUST_USE bool behind_set(struct recovery *r, int64_t gid, uint32_t table, uint32_t position,
                         struct cell *at, bool *known, struct err *e);

#endif
