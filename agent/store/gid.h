/* Gids as the ledger has them: its own number of the actor and the counter, in one integer. */
#ifndef NAVETTE_GID_H
#define NAVETTE_GID_H

#include <navette/change.h>

struct ledger;

int64_t gid_pack(struct gid g);
struct gid gid_unpack(int64_t gid);
/* By actor and counter: the same on every site, whatever its numbers of actors are. */
int gid_order(const struct ledger *l, int64_t a, int64_t b);
/* The counter of a row that this mark made, unless it was taken; 0: none. */
uint64_t gid_counter(uint64_t wall_ms, int64_t mark);
/* A new one, for a row that this mark made (0: none) at this time: never again for another row. */
int64_t ledger_mint(struct ledger *l, uint64_t wall_ms, int64_t mark);
/* Is this gid met for the first time? Then there is neither a row nor an alias to look for. */
bool ledger_is_news(const struct ledger *l, int64_t gid);
/* The row that stands for `gid`: itself, or what its alias names. */
MUST_USE bool ledger_stands(struct ledger *l, int64_t gid, int64_t *stands, struct err *e);
MUST_USE bool ledger_alias(struct ledger *l, int64_t gid, int64_t stands, struct err *e);

#endif
