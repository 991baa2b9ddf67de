/* Rows that are one: a change-set said so of two rows that different PCs had made, or they have one
 * natural key. From then on one of them stands for both on this PC (ledger_alias); its record has
 * the cells of both, the later ones, and it is dead only when each of the rows it is made of is. So
 * a delete by somebody who had seen one of them never takes what the other one was.
 *
 * All of it inside a ledger transaction. */
#ifndef NAVETTE_UNITE_H
#define NAVETTE_UNITE_H

#include "inside.h"

struct part {
    int64_t gid;
    struct local_clock life, dead; /* its latest write; its delete, number 0: none */
};

struct parts {
    struct part *rows; /* none: no other row was ever one with it */
    uint32_t n, room;
};

/* a and b, of this table, are one. Both become due, and what differs is listed (conflict.h).
 * ERR_INPUT when that cannot be. Doing it again is harmless. */
MUST_USE bool unite_rows(struct store *s, uint32_t table, int64_t a, int64_t b, struct err *e);

/* A row of this gid was inserted under this natural key, whose `n` columns are at these positions:
 * `gid` becomes the row that stands there from now on. `key` is changed. Nothing is done where the
 * row has another name: no honest PC inserts it under two. */
MUST_USE bool unite_inserted(struct store *s, uint32_t table, const uint32_t *positions,
                             struct value *key, uint32_t n, int64_t *gid, struct err *e);

/* A row under a natural key was written by a name of which nobody had said yet which row it is; now
 * it is known that `stands` does. What was written is that row's. */
MUST_USE bool unite_named(struct store *s, int64_t early, int64_t stands, struct err *e);

/* From here on `to` stands for `from` and what that stood for; names that name these are old. */
MUST_USE bool unite_stand_for(struct store *s, int64_t from, int64_t to, struct err *e);
/* After any of these: rows whose natural keys name a row that is one with another now have another
 * name, which a row may have already: that is the same row then. In whatever order somebody hears
 * of the rows and of the two that are one, this is what comes of it. */
MUST_USE bool unite_names(struct store *s, struct err *e);

/* A reference names the row that stands for what it named: so names are made. */
MUST_USE bool value_stands(struct store *s, struct value *v, struct err *e);
/* Equal, references by the row that stands for what they name. */
MUST_USE bool value_same(struct store *s, const struct value *a, const struct value *b, bool *same,
                         struct err *e);

/* The rows that `stands` is made of. */
MUST_USE bool parts_read(struct store *s, int64_t stands, struct parts *m, struct err *e);
/* When all of them were written and deleted, and the row that they are, as it counts since stamps
 * were corrected (ledger_limits.h). `lowest` becomes the least stamp that this makes, if less. */
MUST_USE bool parts_limit(struct store *s, int64_t stands, struct record *rec, uint64_t *lowest,
                          struct err *e);
void parts_close(struct parts *m);
bool part_alive(const struct store *s, const struct part *m);

/* `gid`, which `stands` stands for, was written or deleted with this clock: note it, and let
 * rec->dead, of the record of `stands` without this write, say what follows. `united` false: the
 * row is an ordinary one, nothing was done. */
MUST_USE bool unite_note(struct store *s, int64_t gid, int64_t stands,
                         const struct local_clock *clock, bool is_delete, struct record *rec,
                         bool *united, struct err *e);

#endif
