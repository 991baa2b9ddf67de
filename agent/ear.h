/* Ear: how many datagrams are looked at, and which beacons are news. Pure: no socket, no clock.
 *
 * Anybody on the LAN can send datagrams, in anybody's name: so no address gets a bad one, what is
 * limited is the work. And whoever has heard a beacon can send it again, from anywhere: it is news
 * only if its clock is later than that of every beacon heard of its site, and no more behind than a
 * moment. A site whose clock was put back is no news until it is met. */
#ifndef NAVETTE_EAR_H
#define NAVETTE_EAR_H

#include <navette/bounds.h>
#include <navette/change.h>

#include "bucket.h"

#define EAR_RATE      10000 /* datagrams a second, on each socket; before any cryptography */
#define EAR_BURST     2000  /* of them at once */
#define EAR_PAUSE_MS  20    /* then nothing is read from that socket for so long */
#define EAR_LATE_MS   10000 /* a beacon that comes so late was kept by somebody */
#define EAR_ANSWER_MS 2000  /* one answer to a site in so long */
#define EAR_SITES_MAX (SITES_MAX + 64) /* remembered: the members, and some others */

struct ear_site {
    struct site_id site;
    bool member;
    uint64_t wall_ms;     /* clock of its latest beacon */
    uint64_t at_ms;       /* when that came */
    uint64_t answered_ms; /* 0: never */
};

/* A zeroed struct is empty. All times but `wall_ms` are monotonic. */
struct ear {
    struct ear_site sites[EAR_SITES_MAX];
    uint32_t n;
};

/* May one more datagram be looked at? */
bool ear_take(struct bucket *b, uint64_t now_ms);
/* A beacon of `site` came; is it news? One that is no member is forgotten before any member. */
bool ear_is_news(struct ear *ear, const struct site_id *site, bool member, uint64_t wall_ms,
                 uint64_t now_ms);
/* May this site be answered? Two who answer each other must not go on for ever. */
bool ear_may_answer(struct ear *ear, const struct site_id *site, uint64_t now_ms);
/* A link with the site has shown what its clock says. */
void ear_met(struct ear *ear, const struct site_id *site, uint64_t wall_ms, uint64_t now_ms);

#endif
