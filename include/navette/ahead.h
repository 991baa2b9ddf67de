/* Clocks that ran ahead. Who sells while the clock is years ahead says so with stamps that no other
 * PC takes yet, and what it says later comes after that, whatever the clock says then: stamps never
 * run backwards. So when its clock is right again it corrects its stamps (`corrects` in
 * changeset.h): what it said counts as said at the time of the correction. */
#ifndef NAVETTE_AHEAD_H
#define NAVETTE_AHEAD_H

#include <navette/bounds.h>
#include <navette/err.h>

struct store;

/* ---- our own ---- */

struct store_ahead {
    uint64_t ahead_ms; /* our latest stamp is so far after now, more than others bear; 0: none is */
    bool others;       /* stamps of another PC that are merged here are too late as well: either
                          both clocks were ahead, or ours is behind */
    bool left;         /* what is here of a PC that was shut out is too late */
    bool witness;      /* what some PC said last it said within the last day, by our clock */
};

MUST_USE bool store_ahead(struct store *s, uint64_t now_ms, struct store_ahead *out, struct err *e);

/* Is that so because our clock was wrong, and is it right now? Of the members that are connected
 * the clocks of `agree` are as ours and those of `differ` are not. Who cannot be certain waits: a
 * PC without a battery that begins in 1970 must not take all that it ever said for too late. (If it
 * does, no write that knew of another one comes to be the earlier.) */
bool store_ahead_was_wrong(const struct store_ahead *a, uint32_t agree, uint32_t differ);

/* Our clock is right: correct our stamps, and those of PCs that were shut out, as far as they are
 * believed. Not those of what we said after we had seen something of another PC that was too late,
 * too: it corrects its own first, so that what was said later stays later. `did` false: nothing can
 * be corrected now. */
MUST_USE bool store_correct(struct store *s, uint64_t now_ms, bool *did, struct err *e);

/* ---- of others ---- */

/* Change-sets that are here and not taken yet, since their stamps are too late. */
struct store_early {
    uint64_t changesets;            /* 0: there are none */
    char whose[NAME_BYTES_MAX + 1]; /* of the first */
    bool others;                    /* some of them are of other PCs than that one */
    uint64_t wall_ms;               /* its stamp */
};

MUST_USE bool store_early(struct store *s, uint64_t now_ms, struct store_early *out, struct err *e);

#endif
