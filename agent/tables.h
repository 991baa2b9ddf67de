/* The requests about tables, the same for the agent and for agent-cli while no agent runs. */
#ifndef NAVETTE_TABLES_H
#define NAVETTE_TABLES_H

#include <navette/store.h>

struct json_object;
struct request;

/* Is it one of tables, track, untrack, uninstall? */
bool tables_is_request(const struct request *r);
/* Do it. `result` is a new reference: {"tables": [{"name", "tracked", "local", "refused", "rows"}]}
 * as it is afterwards, without "tables" after uninstall. ERR_BUSY: the application holds its file,
 * nothing was changed, try again. */
MUST_USE bool tables_run(struct store *s, const struct request *r, uint64_t now_ms,
                         struct json_object **result, struct err *e);

#endif
