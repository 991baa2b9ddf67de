/* One batch of rows on their way into the application's file. project.c runs it; batch_keys.c gives
 * keys to newcomers, batch_write.c writes. */
#ifndef NAVETTE_BATCH_H
#define NAVETTE_BATCH_H

#include "appunique.h"
#include "inside.h"
#include "outcome.h"

enum work_state { WORK_OPEN, WORK_DONE, WORK_FAILED };

struct work {
    int64_t gid;
    struct binding *b;
    bool waiting;            /* from the table `due` */
    bool needed;             /* a row that is or gets into the file refers to it */
    bool followed;           /* its own parents have been brought in */
    bool alive, present;     /* logically; in the file before the batch */
    struct local_clock dead; /* its delete */
    bool deleted;            /* its delete has been written */
    bool wrote;              /* something of it has been written */
    bool moved;              /* what it refers to left the file: it cannot go back */
    bool renamed;            /* its natural key names another row than before */
    bool renames; /* its natural key names what left the file, and so changes with this batch */
    bool spread;  /* what refers to it by the key it loses has been brought in */
    int64_t heir; /* 0, or the row that leaves the file, for which it stands: its key is free */
    struct row_key next; /* of one that renames: its key then; KEY_NONE: not yet known */
    struct row_key was;  /* of one that is renamed: its key before */
    int64_t same_as;     /* by rule it is one with this row; 0: with none */
    bool collided;       /* the last refusal was of a UNIQUE value */
    bool waits;          /* the last refusal was of a reference */
    bool stays, left;   /* dead, it is to stay in the file; to be left there as it is: batch_hold */
    struct row_key key; /* in the file; given to newcomers */
    struct slice rec, shadow; /* encoded; shadow.p NULL: the file holds what rec says */
    struct slice want; /* encoded: written instead of rec, where it yields a value; p NULL: rec */
    struct slice shadow_after; /* read back: the file holds something else than rec; or p NULL */
    struct value *unsaid; /* of a row that was taken out of the file, by its columns, then its local
                           ones: what only the file knew; NULL: nothing */
    enum work_state state;
    const char *reason; /* why it failed */
};

/* What a table needs during one batch. */
struct batch_table {
    bool ready;
    int64_t used_max;            /* highest integer key known, given out or in the file */
    int64_t used;                /* likewise, without those given to rows that did not get in */
    struct sqlite3_stmt *update; /* the last one made, for the columns in `mask` */
    uint8_t *mask;
    struct sqlite3_stmt *unsaid; /* SELECT all columns, then the local ones, by key */
    bool uniques_known;
    struct app_uniques uniques;
    struct sqlite3_stmt **children;  /* SELECT key FROM child WHERE column = ?1, by child */
    struct sqlite3_stmt **referring; /* likewise by foreign key (app_table.fks) */
};

/* A row of the file that shows a value of another one, which changes. */
struct shown {
    int64_t gid;
    struct binding *b;
    struct row_key key;
};

/* What a row had in the columns of a foreign key before it was changed. */
struct left {
    int64_t gid;
    uint32_t table, fk;
    struct value *values;
};

struct batch {
    struct store *s;
    struct arena arena;
    struct work *works;
    struct large *large; /* records and shadows that are */
    uint32_t n, room, large_count;
    struct keymap by_gid;       /* 1 + index into works */
    struct keymap came;         /* likewise: by the keys under which rows came into the file */
    struct keymap given;        /* keys given to newcomers in this batch */
    struct keymap parents;      /* rows known to be in the file: 1 */
    struct batch_table *tables; /* by app index */
    struct record rec, shadow, named;
    struct shown *shown;
    struct left *left;
    uint32_t shown_count, shown_room, left_count, left_room;
    bool followed; /* rows were written that only show other values of others */
    struct buf room_a, room_b, key_room;
    uint32_t failures;
    size_t bytes; /* of records */
    /* with rows refused before: the store's round of attempts */
    enum { ROUND_NONE, ROUND_GOES_ON, ROUND_ENDS } round;
    int64_t parked_after;
    uint32_t parked_tried;
    uint64_t now_ms;
};

struct work *batch_find(struct batch *b, int64_t gid);
/* Load a row of the ledger into the batch; NULL with e empty: there is no such row. Pointers to
 * works become invalid. */
struct work *batch_add(struct batch *b, int64_t gid, bool waiting, bool needed, struct err *e);
void work_fail(struct batch *b, struct work *w, const char *format, ...) PRINTF_LIKE(3, 4);

/* batch_keys.c: bring in the parents that rows in the file need, then give newcomers their keys. */
MUST_USE bool batch_parents(struct batch *b, struct err *e);
MUST_USE bool batch_keys(struct batch *b, struct err *e);
/* The key of a natural row is in its cells. False with e empty: it refers to a row without one. */
MUST_USE bool batch_natural_key(struct batch *b, struct work *w, struct row_key *key,
                                const char **why, struct err *e);
/* Is the row that the ledger believes in the file really there? REPLACE deletes without an event.
 */
MUST_USE bool batch_is_in_file(struct batch *b, const struct ledger_row *row, bool *in,
                               struct err *e);
/* Rows of this table have gone without an event. */
void batch_missed(struct batch *b, const struct binding *t);
/* Has another row the key that this one had here? */
MUST_USE bool batch_key_is_others(struct batch *b, const struct binding *t, int64_t gid,
                                  const struct row_key *key, bool *is, struct err *e);

/* batch_write.c: deletes, inserts and updates, and what undoes them. A refusal of the file fails
 * the work, not the call. A row that was deleted is put back with all that the file held of it. */
MUST_USE bool batch_delete(struct batch *b, struct work *w, struct err *e);
MUST_USE bool batch_write(struct batch *b, struct work *w, struct err *e);
/* Write one column of a row that is in the file, as w->want says. */
MUST_USE bool batch_write_column(struct batch *b, struct work *w, uint32_t column, struct err *e);
/* Back to what the file held before the batch; where that is not possible the row is held. */
MUST_USE bool batch_undo(struct batch *b, struct work *w, struct err *e);

/* batch_refer.c: references. The local key value of the row that one names. False with e empty: it
 * is not in the file; `table` becomes its table's name, where anything is known of it. */
bool batch_refer(struct batch *b, int64_t gid, struct value *v, const char **table, struct err *e);
/* The value of a column as the file has it: references become what names the row here. 1 fine, 0
 * not possible now (the work has failed), -1 error. */
int batch_value(struct batch *b, struct work *w, uint32_t column, const struct value *in,
                struct value *out, struct err *e);
/* What the file holds in this column of the row, or held; borrowed from b->arena. */
MUST_USE bool batch_held(struct batch *b, const struct work *w, uint32_t column, struct value *v,
                         struct err *e);
/* The rows of the file that refer to this one by its child-th reference, ready to step; a row of it
 * is their key. */
struct sqlite3_stmt *batch_children(struct batch *b, const struct work *w, uint32_t child,
                                    struct err *e);
/* Likewise by the k-th foreign key to a table. batch_follow.c. */
struct sqlite3_stmt *batch_referring(struct batch *b, uint32_t table, uint32_t k,
                                     const struct value *values, struct err *e);
/* The row that such a statement shows, as the ledger knows it, or as the batch has just put it
 * there; `found` false: not at all. */
MUST_USE bool batch_child_row(struct batch *b, const struct app_child *c, struct sqlite3_stmt *q,
                              struct ledger_row *row, bool *found, struct err *e);
/* Does a reference keep the row that it names, which is dead? A declared one does. One by rule does
 * unless who wrote the one had seen the other: then it dangles on purpose, as it does there. */
MUST_USE bool batch_ref_keeps(struct batch *b, const struct app_column *column,
                              const struct cell *cell, const struct local_clock *dead, bool *keeps,
                              struct err *e);
/* Does this row really mean w, and keep it? What the statement shows may only look like it. */
MUST_USE bool batch_child_means(struct batch *b, const struct app_child *c,
                                const struct ledger_row *row, const struct work *w, bool *means,
                                struct err *e);

/* batch_follow.c: references by what their parents hold in UNIQUE columns. */
/* A row of the file is about to be changed in these columns, or (mask NULL) to go: note which rows
 * show what it holds there. */
MUST_USE bool batch_note_named(struct batch *b, const struct work *w, const uint8_t *mask,
                               struct err *e);
/* Let all such rows show what their parents hold now. Rows that cannot are taken back; a parent
 * whose change cannot be followed is held. */
MUST_USE bool batch_follow(struct batch *b, struct err *e);
/* Last: a row whose change leaves others dangling is held. */
MUST_USE bool batch_nothing_dangles(struct batch *b, struct err *e);

/* batch_unique.c: of rows that want one UNIQUE value, all but the one with the earliest claim yield
 * it. `moved`: how many got in or out of the way, or into the batch, so that others may be tried
 * again. */
MUST_USE bool batch_collide(struct batch *b, uint32_t *moved, struct err *e);

/* batch_fit.c: write all that are to be; then take back those whose parents the file refuses. */
MUST_USE bool batch_fit(struct batch *b, struct err *e);
MUST_USE bool batch_undo_orphans(struct batch *b, struct err *e);

/* follow.c: what the batch came to, for the file's record. */
void batch_payload(struct batch *b, struct buf *out);

/* The batch must be done again, leaving this row as it is in the file: ERR_BUSY, and one more in
 * the store's `held`. One that is dead is only to stay there at first, and left as it is if it is
 * held again. Returns false. */
bool batch_hold(struct batch *b, const struct work *w, struct err *e);

/* batch_unite.c: rows that are part of others now leave the file: bring in what refers to them. */
MUST_USE bool batch_unite(struct batch *b, struct err *e);

/* batch_dead.c: first, mark as needed the dead rows that stay; delete the others; last, put back
 * those that something still refers to. One that cannot be put back is held. */
MUST_USE bool batch_keep(struct batch *b, struct err *e);
MUST_USE bool batch_delete_dead(struct batch *b, struct err *e);
MUST_USE bool batch_restore(struct batch *b, struct err *e);
/* Rows whose values name a row that is not in the file are taken back, with all that follows. */
MUST_USE bool batch_undo_danglers(struct batch *b, struct err *e);
/* Last: a row whose key changes, where some that refer to it show the other one, is held. */
MUST_USE bool batch_keys_agree(struct batch *b, struct err *e);

#endif
