/* The store of a home on which no agent runs, for the commands that work without one. */
#ifndef NAVETTE_DIRECT_H
#define NAVETTE_DIRECT_H

#include <navette/err.h>

struct home;
struct json_object;

/* Run a request about tables or rules as the agent would. `args` is consumed. While the application
 * holds its file it is tried again for some seconds; ERR_REFUSED when an agent holds the home after
 * all.
 */
MUST_USE bool direct_run(const struct home *h, const char *command, struct json_object *args,
                         struct json_object **result, struct err *e);

#endif
