/* What each request on the control socket does to the agent. */
#ifndef NAVETTE_COMMAND_H
#define NAVETTE_COMMAND_H

#include <navette/err.h>

struct agent;
struct json_object;
struct request;

/* While another PC may have our identity (agent.doubt), only what looks or stops the agent. */
MUST_USE bool command_allowed(const struct agent *a, const struct request *r, struct err *e);
/* Run every kind but "join", which is answered later. `result` may be set on failure too; the
 * caller puts it. ERR_BUSY: not yet, run it again in a moment. */
MUST_USE bool command_run(struct agent *a, const struct request *r, struct json_object **result,
                          struct err *e);

#endif
