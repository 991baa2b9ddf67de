/* The control socket: agent-cli talks to the agent in JSON lines.
 *
 *     -> {"id": 1, "command": "status", "args": {}}
 *     <- {"id": 1, "ok": true, "result": {...}}
 *     <- {"id": 1, "ok": false, "error": {"code": "refused", "text": "..."}}
 *
 * A line is at most CONTROL_LINE_BYTES_MAX bytes. What is not such a request is answered with an
 * error (id 0 when it had none) and the connection is closed. Requests of one client are answered
 * in the order they finish: "wait" and "join" take their time. Who comes while there are too many
 * is told so (id 0) and closed. */
#ifndef NAVETTE_CONTROL_H
#define NAVETTE_CONTROL_H

#include <uv.h>

#include <navette/err.h>

struct agent;
struct control;

#define CONTROL_CLIENTS_MAX 16    /* some of them only for the owner and root */
#define CONTROL_QUIET_MS    10000 /* a client that asks nothing for so long is closed */
#define CONTROL_PENDING_MAX 16    /* unfinished requests of one client */
#define CONTROL_BUSY_MS                                                                            \
    10000 /* so long a request waits for the application to let go of its file */

/* Bind the socket of the agent's home (0600) and serve. ERR_REFUSED (home_taken) when another agent
 * answers on it; a dead socket is replaced. */
MUST_USE bool control_start(struct control **c, struct agent *a, struct err *e);
/* Close all connections and remove the socket; unanswered requests get an error. `c` releases
 * itself while the loop runs on. */
void control_stop(struct control *c);
/* Call when something changed that a waiting request may want (acknowledged, applied); cheap. */
void control_poke(struct control *c);

#endif
