/* Dial: where other sites can be reached, and when to try next. Pure: no socket, no clock. */
#ifndef NAVETTE_DIAL_H
#define NAVETTE_DIAL_H

#include <navette/bounds.h>
#include <navette/change.h>

#include "config.h"

#define PLACES_MAX      512
#define PLACES_SITE_MAX 8 /* of one site: beacons can be played back from anywhere */
#define PROVEN_SITE_MAX 4 /* of these, where it was met */
#define BACKOFF_MS_MIN  200
#define BACKOFF_MS_MAX  10000
#define PLACE_GOOD_MS   5000   /* a link that lasted so long ends a back-off */
#define PLACE_FORGET_MS 600000 /* one that fails and was not named for so long is forgotten */
#define PLACE_ALIVE_MS  5000   /* one with a beacon in the last so long goes before others */
#define RUMOUR_WAIT_MS  1000
/* Dialled at the same time: anybody can send a beacon again from a place where nobody answers. */
#define RUMOURS_AT_ONCE 2
#define HEARD_AT_ONCE   4

/* Where a site listens, or is said to. */
struct place {
    struct address address; /* what tells places apart */
    bool fixed;             /* from agent.conf or a welcome: never forgotten */
    bool proven;            /* the site was met there */
    bool rumour;            /* nothing but a beacon that is no news names it */
    bool known;             /* whose it is */
    bool ours;              /* our own address: not dialled */
    bool busy;              /* being dialled, or linked */
    struct site_id site;
    uint64_t heard_ms; /* a beacon that was news; 0: none */
    uint64_t named_ms; /* that, or when it was added */
    uint64_t next_ms;
    uint32_t delay_ms;
    uint32_t failed; /* attempts since it opened last */
};

/* A zeroed struct is empty. All times are monotonic. */
struct places {
    struct place *list;
    uint32_t n;
};

void places_close(struct places *p);
void places_add_fixed(struct places *p, const struct address *address);
/* A beacon named it: dial it in `wait_ms`, or when it is due if that is sooner; its back-off starts
 * anew. */
void places_heard(struct places *p, const struct site_id *site, const struct address *address,
                  uint64_t now_ms, uint32_t wait_ms);
/* A beacon that may be an old one named it. It comes after all others, and goes when it fails.
 * False when that changes nothing. */
bool places_heard_rumour(struct places *p, const struct site_id *site,
                         const struct address *address, uint64_t now_ms);
/* The site was met there, maybe in an earlier run: dial it in `wait_ms`. */
void places_add_proven(struct places *p, const struct site_id *site, const struct address *address,
                       uint64_t now_ms, uint32_t wait_ms);
/* A link came from this host: where the site is heard to listen there, it is. NULL: nowhere. */
const struct address *places_prove(struct places *p, const struct site_id *site, const char *host);
/* The site said that it goes: its places are not dialled until they are heard of again. */
void places_left(struct places *p, const struct site_id *site);
/* NULL when there is none. */
struct place *places_find(struct places *p, const struct address *address);

/* Everything is due now. */
void places_hurry(struct places *p, uint64_t now_ms);
/* A place to dial now, or NULL and in `next_ms` (which it only lowers) when to ask again. Those
 * that were proven or named by a person go first, then those heard of, then rumours; one place of a
 * site is tried at a time (besides, a better one, or one just heard of), and none of a site that
 * `is_linked`. */
typedef bool places_is_linked(const void *context, const struct site_id *site);
struct place *places_pick(struct places *p, uint64_t now_ms, places_is_linked *is_linked,
                          const void *context, uint64_t *next_ms);

/* The link opened, and this is who it was. */
void places_opened(struct places *p, const struct address *address, const struct site_id *site,
                   bool ours);
/* The attempt failed, or the link ended that had been open for `open_ms`. `random` spreads the
 * attempts of many PCs; the back-off starts anew after a link that was open for PLACE_GOOD_MS. */
void places_ended(struct places *p, const struct address *address, uint64_t open_ms,
                  uint64_t now_ms, uint32_t random);

/* With which of so many keys of the fleet, the present one first, is a place dialled at which so
 * many attempts failed? Every second time with an older one: each side of a split may have given
 * the fleet a new key. */
uint32_t dial_key(uint32_t failed, uint32_t keys);

/* ---- one link for each pair of sites ---- */

#define DIAL_CROSS_MS 500 /* so long after a link was open here its other end may not know yet */

struct dial_claim {
    bool incoming;
    uint64_t began_ms, opened_ms;
};
/* Of two open links with one peer: are they two dials that crossed, the fresh one begun before the
 * other was open at both ends? Else nobody dials a peer he has a link with: the present one is dead
 * at the other end, or there are two others. Where that is wrong, as the wire or a PC is slow,
 * these find out that they are one. */
bool dial_crossed(const struct dial_claim *present, const struct dial_claim *fresh);
/* Of two that crossed, does the fresh one stay? */
bool dial_fresh_wins(const struct dial_claim *fresh, bool we_are_smaller);

#endif
