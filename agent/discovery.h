/* Discovery: beacons out on every IPv4 interface and in. What it hears it tells links (where sites
 * are) and join. */
#ifndef NAVETTE_DISCOVERY_H
#define NAVETTE_DISCOVERY_H

#include <navette/change.h>

struct agent;
struct discovery;

/* A port that cannot be had is a warning, not a failure: static peers still work, and it is tried
 * again. */
struct discovery *discovery_start(struct agent *a);
/* Say LEAVING, close; `d` releases itself while the loop runs on. */
void discovery_stop(struct discovery *d);
/* Something worth telling changed (joined, invited, listening elsewhere): several beacons soon. */
void discovery_announce(struct discovery *d);
/* A link with `site` has shown what its clock says now: its beacons follow that. */
void discovery_met(struct discovery *d, const struct site_id *site, uint64_t wall_ms);

#endif
