/* The other end of the control socket: one question, one answer. */
#ifndef NAVETTE_CLIENT_H
#define NAVETTE_CLIENT_H

#include <navette/err.h>

struct home;
struct json_object;

/* Ask the agent of `h` and wait for its answer at most `limit_ms` (0: for ever). `args` is consumed
 * (NULL: none). `result` is a new reference. `reached` false: no agent answers there (ERR_NET, the
 * text says how to start one). */
MUST_USE bool client_ask(const struct home *h, const char *command, struct json_object *args,
                         uint64_t limit_ms, bool *reached, struct json_object **result,
                         struct err *e);

#endif
