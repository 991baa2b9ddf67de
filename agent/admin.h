/* Requests about the fleet itself: who is in it, who rules, who goes. Each answers with
 *
 *     fleet, fleet_id, self (a name or null), admin (is this PC one?), changed,
 *     key (what of the fleet's key is known: its id, null for the first one),
 *     entries, entries_max, bytes, bytes_max,
 *     checkpoint: null, or of the one that the list begins with:
 *                  {entries: that it stands for, made, by (a name or null)}
 *     checkpoint_pending: null, or of one that is not in effect yet: {made, by, missing: [names of
 *                  PCs that have not acknowledged it], hopeless: another one must be made}
 *     members:     [{name, mark, site, self, admin, has_key}]
 *     gone:        [{name, mark, site, why: "revoked" or "void", by (a name or null), believed,
 *                  here: change-sets of it, those that count, and those that are here}]
 *     invitations: [{id, by, ends, state: "open", "used", "over" or "withdrawn"}]
 *
 * and those about one PC, as which the list itself may be asked for, with its `name` and `site`. */
#ifndef NAVETTE_ADMIN_H
#define NAVETTE_ADMIN_H

#include <navette/err.h>

struct agent;
struct json_object;
struct request;

/* `result` is an empty object to be filled. */
MUST_USE bool admin_run(struct agent *a, const struct request *r, struct json_object **result,
                        struct err *e);

#endif
