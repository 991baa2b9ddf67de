/* What put itself right, and of which a person should hear all the same: shown by `agent-cli
 * status` for a day, over restarts, and in the log once. It is no trouble: the state stays "ok". */
#ifndef NAVETTE_NOTICE_H
#define NAVETTE_NOTICE_H

#include <navette/notices.h>

#define NOTICE_MS 86400000u

struct agent;
struct json_object;

/* A zeroed struct has none. */
struct notices {
    uint64_t at_ms[STORE_NOTICES]; /* wall clock, when it was noticed last; 0: never */
};

/* A store was opened: what it keeps of earlier runs. */
void notices_load(struct agent *a);
/* After calls of the store: what it has noticed. */
void notices_take(struct agent *a);
/* The list of the status: [{"code", "since", "text", "remedy"}]; a new reference. */
struct json_object *notices_list(struct agent *a);

#endif
