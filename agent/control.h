/* The control socket: agent-cli talks to the agent in JSON lines.
 *
 *     -> {"id": 1, "command": "status", "args": {}}
 *     <- {"id": 1, "ok": true, "result": {...}}
 *     <- {"id": 1, "ok": false, "error": {"code": "refused", "text": "..."}}
 *
 * A line is at most CONTROL_LINE_BYTES_MAX bytes. What is not such a request is answered with an
 * error (id 0 when it had none) and the connection is closed. Requests of one client are answered
 * in the order they finish: "wait" and "join" take their time. */
#ifndef NAVETTE_CONTROL_H
#define NAVETTE_CONTROL_H

#include <uv.h>

#include <navette/bounds.h>
#include <navette/bytes.h>

#include "file.h"

struct agent;
struct control;
struct home;
struct json_object;

#define CONTROL_CLIENTS_MAX      16
#define CONTROL_WAIT_MS_MAX      86400000
#define CONTROL_TTL_MS_MAX       86400000
#define CONTROL_TTL_MS_DEFAULT   900000
#define CONTROL_ANSWER_BYTES_MAX (16u << 20) /* a client reads no longer line */

/* Bind the socket of the agent's home (0600) and serve. ERR_REFUSED (home_taken) when another agent
 * answers on it; a dead socket is replaced. */
MUST_USE bool control_start(struct control **c, struct agent *a, struct err *e);
/* Close all connections and remove the socket; unanswered requests get an error. `c` releases
 * itself while the loop runs on. */
void control_stop(struct control *c);
/* Call when something changed that a waiting request may want (acknowledged, applied); cheap. */
void control_poke(struct control *c);

/* Does an agent answer on the socket of this home? Takes a short moment. */
bool control_is_alive(const struct home *h);

/* ---- the pure part, for tests and fuzzing ---- */

enum control_kind {
    CONTROL_STATUS,
    CONTROL_PEERS,
    CONTROL_TABLES,
    CONTROL_TRACK,
    CONTROL_UNTRACK,
    CONTROL_INVITE,
    CONTROL_JOIN,
    CONTROL_SYNC,
    CONTROL_WAIT,
    CONTROL_STOP,
    CONTROL_DROP_EXPORT,
    CONTROL_DROP_IMPORT,
    CONTROL_UNINSTALL
};

/* A request, checked: every text is UTF-8 without NUL and within its maximum. */
struct control_request {
    int64_t id;
    enum control_kind kind;
    char **tables; /* track, untrack; owned */
    uint32_t table_count;
    bool all;                  /* track */
    char token[160];           /* join */
    bool copy;                 /* join */
    uint64_t milliseconds;     /* wait: timeout; invite: ttl */
    char path[PATH_BYTES_MAX]; /* drop-export: directory ("": the configured); drop-import: file */
    char peer[NAME_BYTES_MAX + 1]; /* drop-export, "": anybody */
};

/* Parse and check one line. On failure r->id is the request's if it could be read. */
MUST_USE bool control_request_parse(struct control_request *r, struct slice line, struct err *e);
void control_request_close(struct control_request *r);
/* Answers as lines with their newline. `result` is consumed; NULL gives {}. */
void control_answer_ok(struct buf *out, int64_t id, struct json_object *result);
void control_answer_error(struct buf *out, int64_t id, const struct err *e);
/* The word of a kind ("drop-export"). */
const char *control_kind_name(enum control_kind kind);

#endif
