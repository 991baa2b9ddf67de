/* The requests about rules, the same for the agent and for agent-cli while no agent runs: checked
 * against the database and each other, then appended to the roster. */
#ifndef NAVETTE_RULEBOOK_H
#define NAVETTE_RULEBOOK_H

#include <navette/store.h>

struct json_object;
struct request;

/* Is it one of rules, rules-set, rules-unset, rules-preset? */
bool rulebook_is_request(const struct request *r);
/* Do it: all of a request's rules or none. `result` is a new reference: {"rules": [...], "changed":
 * n, "replaced": [...]} as it is afterwards; "replaced" are the rules that others took the place
 * of. `grown`: the roster has more entries, maybe even after a failure, which the caller keeps and
 * tells others. */
MUST_USE bool rulebook_run(struct store *s, struct roster *roster, const struct keys *k,
                           const struct request *r, bool *grown, struct json_object **result,
                           struct err *e);

#endif
