/* Change-sets that are staged and passed on, and wait before they come in. */
#ifndef NAVETTE_WAITS_H
#define NAVETTE_WAITS_H

#include <navette/bounds.h>
#include <navette/err.h>

struct store;
struct vector;

/* ---- for a migration ----
 * Their author's database, or this one, has been through a change of many rows that the other one
 * has not (a new version of the application, installed on one PC before the other). They come in
 * once both have. */

/* What waits and why, in words; NULL: nothing does. Good until the next call of the store. */
const char *store_waits(struct store *s);
/* A person says that they are to come in as they are, although values may be of different kinds. */
MUST_USE bool store_accept(struct store *s, struct err *e);

/* ---- for one that is not here ----
 * What its author had comes first (changeset.h). It may be on its way, or on a PC that is away; or
 * on no disk any more, when all PCs that had it went back to copies of their disks. */
/* What another member said that it has, and has applied. */
struct store_peer {
    const struct vector *have, *applied;
};

/* Change-sets that wait for such as neither are here nor any of the `n` peers has. So do those of
 * this PC's own that were laid aside (its disk went back), for those that others had in their
 * place; and those whose stamps it has to correct (ahead.h), for what their author had. */
struct store_lack {
    uint64_t changesets;              /* that wait; 0: none */
    char waiting[NAME_BYTES_MAX + 1]; /* whose, for whose: the first ones; "": of no member */
    char lacking[NAME_BYTES_MAX + 1];
};

/* Nothing does for certain: all that is here is applied, and nothing is laid aside, or was left
 * when stamps were corrected last. */
bool store_lacks_nothing(const struct store *s);
MUST_USE bool store_lacks(struct store *s, const struct store_peer *peers, uint32_t n,
                          struct store_lack *out, struct err *e);

/* These wait no longer: if the peers are `all` that could have what is lacking, or if one of them
 * has applied without it what waits here. Nothing is given up: should it turn up, it is merged; and
 * what was laid aside is said again.
 * `did`: store_apply has something to do. */
MUST_USE bool store_waive(struct store *s, const struct store_peer *peers, uint32_t n, bool all,
                          bool *did, struct err *e);

#endif
