/* Drop files: their names, and what export and import of one have in common: they go on for many
 * turns of the loop, and the one who asked for them may go away. The folder that is watched is
 * drop.c. */
#ifndef NAVETTE_DROPFILE_H
#define NAVETTE_DROPFILE_H

#include "agent.h"

/* Is this a file that is none of ours, but whole: a legacy export, JSON without the key "navette"?
 */
bool dropfile_is_foreign(struct slice file);

#define DROPFILE_HEAD_BYTES 4096 /* enough of a file for what follows */

/* Does a file of which these are the first bytes begin as all of ours do, with the key "navette"?
 */
bool dropfile_begins(struct slice head);
/* The whole file if it begins so, or has no more than 1 MiB; of another one as little as tells that
 * it is none of ours: ERR_INPUT, and `foreign` if it begins as JSON does, whole or not. */
MUST_USE bool dropfile_read(const char *path, struct buf *out, bool *foreign, struct err *e);

/* ---- names ---- */

#define DROP_NAME_BYTES 160

/* "export_CAISSE01_20261121_100000.json" for a PC's name and a time; `count` above 0 appends
 * "_001"... What is not a letter, a digit, '-' or '_' in the name becomes '_'. */
void dropfile_name(char out[DROP_NAME_BYTES], const char *pc, uint64_t wall_ms, uint32_t count);
/* A path in `directory` that nothing has yet: `name` as it is, else with "_001"... before its
 * suffix. */
MUST_USE bool dropfile_free_path(char *path, const char *directory, const char *name,
                                 struct err *e);

/* ---- what is under way ---- */

/* The beginning of an export or an import; it owns itself. When it is not wanted any more it ends
 * without touching the agent. */
struct transfer {
    struct transfer *next;
    struct agent *agent;
    agent_on_drop *on_done; /* NULL: not wanted any more */
    void *context;
};

MUST_USE bool transfer_begin(struct transfer *t, struct agent *a, agent_on_drop *on_done,
                             void *context, struct err *e);
bool transfer_is_wanted(const struct transfer *t);
/* There are still a fleet and a store: ask before each use of them. */
MUST_USE bool transfer_may_go_on(const struct agent *a, struct err *e);
/* Tell the one who asked. */
void transfer_end(struct transfer *t, const struct drop_done *done);

#endif
