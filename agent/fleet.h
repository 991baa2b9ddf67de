/* Fleet: what follows from the roster: which key is the fleet's, who is shut out, what this PC has
 * to add, and what a person should know. protocol/README.md, "Roster", has the rules. */
#ifndef NAVETTE_FLEET_H
#define NAVETTE_FLEET_H

#include <navette/err.h>

struct agent;
struct site_id;
struct vector;

/* The home was loaded: the roster may tell a key that was not kept. */
void fleet_loaded(struct agent *a);
/* The ledger was opened: what it keeps of the roster is merged, lest the file alone went back. */
void fleet_opened(struct agent *a);
/* Is this PC in a fleet, and was it not shut out? */
bool fleet_is_member(const struct agent *a);
/* Is it this PC, of the admins that are connected, that does what one has to do? */
bool fleet_is_our_turn(const struct agent *a);
/* Has the roster been changed since agent_roster_changed was called? Entries may be fewer then. */
bool fleet_has_news(const struct agent *a);
/* Give the fleet a new key, sealed to each member; agent_roster_changed is the caller's to call. */
MUST_USE bool fleet_rotate(struct agent *a, struct err *e);
/* Of a site that is no member any more, all up to `more` counts from now on, besides what counted
 * before; nothing happens where that is the same. agent_roster_changed is the caller's to call. */
MUST_USE bool fleet_believe(struct agent *a, const struct site_id *site, const struct vector *more,
                            struct err *e);
/* The same, at a person's word: where nothing more counts this PC's word is added, if it is the
 * first that joined before that one (roster_confirm), as it is whenever the roster changes. */
MUST_USE bool fleet_shut_out(struct agent *a, const struct site_id *site, const struct vector *more,
                             struct err *e);
/* Who is connected changed, or a while passed: is there something that this PC has to add now, or
 * that it could not save (keep.h)? */
void fleet_tick(struct agent *a);
/* Members see to it that a PC that was shut out hears of it: one did, over a link. */
void fleet_told(struct agent *a, const struct site_id *by);
/* Somebody brought what one made after it was shut out; it was not taken. `how` it came: "from
 * CAISSE01", "in a drop file". */
void fleet_refused(struct agent *a, const struct site_id *author, const char *how);
/* A list of members came from a peer by which somebody would have back by his own word what was
 * taken from him (roster_take); it was not taken. Told until both have the same list, also when the
 * peer is away; and by the peer's agent there. Of one that is no member here: for a while. */
void fleet_apart(struct agent *a, const struct site_id *peer, const struct err *why);
/* A later one of the same peer was taken. */
void fleet_took(struct agent *a, const struct site_id *peer);
/* The same of one that came otherwise, told for a while. `from`, lent for good: "in a drop file".
 */
void fleet_left(struct agent *a, const char *from, const struct err *why);
/* One has begun anew so often that there is no place for more of it (store.h). */
void fleet_crowded(struct agent *a, const struct site_id *author);

#endif
