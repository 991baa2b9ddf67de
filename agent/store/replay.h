/* Marks in their order on the ledger's map from keys to rows: which row stands at which key after
 * them. What drain does with news, and behind with marks that the ledger has seen before. */
#ifndef NAVETTE_REPLAY_H
#define NAVETTE_REPLAY_H

#include "inside.h"

struct slot;

struct replay {
    struct store *s;
    struct touch_list *list; /* the rows touched */
    struct keymap map;       /* 1 + index into `slots`, by key */
    struct slot *slots;
    uint32_t n, room;
    struct buf key_room;
};

/* The ledger must not learn of other keys between open and close. */
void replay_open(struct replay *r, struct store *s, struct touch_list *list);
void replay_close(struct replay *r);
/* One mark; marks of tables that are not tracked, or are to be matched whole, are passed over, and
 * so is a key that is too long to be sent. */
MUST_USE bool replay_mark(struct replay *r, const struct mark *m, uint64_t now_ms, struct err *e);
/* After the last one, inside a read of the file: rows that refer to a key which now is another
 * row's are touched, too. */
MUST_USE bool replay_children(struct replay *r, struct err *e);
/* When the rows are published and all have their gids, in the ledger's transaction: note what one
 * mark alone does not tell (ledger_fate). */
MUST_USE bool replay_fates(struct store *s, const struct touch_list *l, struct err *e);

#endif
