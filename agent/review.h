/* The requests about what a person should look at, the same for the agent and for agent-cli while
 * no agent runs. */
#ifndef NAVETTE_REVIEW_H
#define NAVETTE_REVIEW_H

#include <navette/store.h>

struct json_object;
struct request;

/* Is it one of conflicts, conflict-restore, conflict-dismiss, parked? */
bool review_is_request(const struct request *r);
/* Does it change what the file should hold? */
bool review_writes(const struct request *r);
/* Do it. `result` is a new reference:
 *
 *     conflicts         {"conflicts": [conflict], "dropped": n}
 *     conflict-restore  {"conflict": conflict as it was, "applied": is it in the file already}
 *     conflict-dismiss  {"dismissed": n}
 *     parked            {"parked": [row], "kept": [row], "parked_total": n, "kept_total": n}
 *
 *     conflict = {"number", "noticed", "table", "key", "label", "in_file", "column", "why", "text",
 *                 "lost": write, "won": write, "now": write}
 *     write    = {"type", "value", "cut", "by", "at"}
 *     row      = {"table", "key", "label", "in_file", "since", "why", "help"}
 *
 * ERR_BUSY: the application holds its file, nothing was changed, try again. */
MUST_USE bool review_run(struct store *s, const struct request *r, uint64_t now_ms,
                         struct json_object **result, struct err *e);

#endif
