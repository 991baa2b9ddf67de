/* Renew: no link lives longer than a day, nor much longer than the membership or the key of the
 * fleet that it was made under. Who dialled a link dials again, beside it; when the new one is open
 * it takes over, and the old one is closed. Nothing is lost by that: what was under way and not
 * acknowledged is sent again (protocol/README.md, Renewal).
 *
 * It waits for a quiet moment of the conversation, though not for ever; and each link draws its
 * time, so that fifty PCs do not do it all at once. */
#ifndef NAVETTE_RENEW_H
#define NAVETTE_RENEW_H

#include <stdbool.h>
#include <stdint.h>

#include <navette/keys.h>

struct conn;
struct links;

#define RENEW_SPREAD_MS   400   /* for each member: so fast do a new roster's handshakes follow */
#define RENEW_PATIENCE_MS 30000 /* then it waits for a quiet moment no longer than that */
#define RENEW_RETRY_MS    10000 /* after one that failed */

/* When: pure. Times are uv_now. Zeroed: never. */
struct renewal {
    uint64_t due_ms;   /* in a quiet moment from here on */
    uint64_t limit_ms; /* at any moment from here on */
    bool hurried;      /* the roster changed */
    bool under_way;    /* the new one is being dialled */
};

/* A link opened. It is renewed when it is 3/4 to 7/8 of the period old, or all of it if it is never
 * quiet. */
void renewal_begin(struct renewal *r, uint64_t now_ms, uint64_t period_ms, uint32_t random);
/* The roster changed in a way that counts: soon. A second change before that changes nothing. */
void renewal_hurry(struct renewal *r, uint64_t now_ms, uint32_t members, uint32_t random);
bool renewal_is_due(const struct renewal *r, uint64_t now_ms, bool quiet);
/* It could not be dialled. */
void renewal_failed(struct renewal *r, uint64_t now_ms, uint32_t random);

/* A conversation begins. */
void renew_opened(struct conn *c);
/* The roster changed. */
void renew_roster_changed(struct links *l);
/* Renew it if it is time; when to look again is in *wake_ms, which it only lowers. */
void renew_tick(struct links *l, struct conn *c, uint64_t *wake_ms);
/* Does `fresh`, which opened, take the place of `present`? Then that one is closed. */
bool renew_takes_over(struct conn *present, struct conn *fresh);
/* A connection was closed. False: its place is not free for dialling, another one stands there. */
bool renew_closed(struct conn *c);

#endif
