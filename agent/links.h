/* Links: all connections of this site: listening, dialling, one link for each pair of sites, and
 * back-off.
 *
 * Whom to dial is learnt from beacons (links_heard), from agent.conf and from a welcome. Two dials
 * that cross are settled the same way on both sides: the one that the site with the smaller id
 * dialled stays. */
#ifndef NAVETTE_LINKS_H
#define NAVETTE_LINKS_H

#include "member.h"
#include "talk.h"

struct agent;
struct links;

/* Listen and dial. A port that is taken is a warning, not a failure: it is tried again. */
struct links *links_start(struct agent *a);
/* Close all; `l` releases itself while the loop runs on. */
void links_stop(struct links *l);

/* The store or the fleet is going: end all conversations now (nothing of the old store is used
 * after this call). */
void links_pause(struct links *l, const char *why);
/* Both are there (again): dial. */
void links_resume(struct links *l);

/* The TCP port we listen on, 0 when we do not. */
uint16_t links_port(const struct links *l);
/* A beacon said that `site` is at `address`. */
void links_heard(struct links *l, const struct site_id *site, const struct address *address);
/* The same, by one that may be an old beacon, kept by somebody. */
void links_heard_rumour(struct links *l, const struct site_id *site, const struct address *address);
/* A beacon said that it leaves. */
void links_left(struct links *l, const struct site_id *site);
/* A place to dial from now on (who invited us). */
void links_add_fixed(struct links *l, const struct address *address);
/* Dial everybody whom we have no link with, now. */
void links_dial_all(struct links *l);
/* What we have, what we have applied, or the roster changed: tell all peers before the loop waits
 * again. */
void links_local_changed(struct links *l);
/* The roster changed: tell all peers, and end the conversations with those who are no members any
 * more. */
void links_roster_changed(struct links *l);
/* Say how many lines were left out of the log; every second or so. */
void links_log_more(struct links *l);
/* Wake up no later than at `deadline_ms` (uv_now). */
void links_tick_by(struct links *l, uint64_t deadline_ms);

/* The conversation with `site`; NULL when there is none. */
const struct talk *links_talk(const struct links *l, const struct site_id *site);
/* Ask every connected member that was not asked yet for its local keys (pump_take_keys gets them);
 * false when there is none. */
bool links_ask_keys(struct links *l);
/* One that was asked, and has published rows, has not answered yet. */
bool links_await_keys(const struct links *l);
/* Whoever has answered may be asked again. */
void links_forget_keys(struct links *l);
/* Open conversations, one after the other: start with *at = 0; NULL at the end. */
const struct talk *links_next_talk(const struct links *l, uint32_t *at);
struct members *links_members(struct links *l);

#endif
