/* Drop files: change-sets out into a file and in from one. agent_drop_export and agent_drop_import
 * (agent.h) are here. The folder that is watched is drop.c. */
#ifndef NAVETTE_DROPFILE_H
#define NAVETTE_DROPFILE_H

#include <navette/bytes.h>

struct agent;

/* Take in the change-sets of a file. All of them are verified before the first is kept; one that is
 * known already is fine. ERR_REFUSED for a file of another fleet, ERR_GAP when some that come
 * before are missing (the text says which; the rest is kept), else what is wrong with the file. */
MUST_USE bool dropfile_import(struct agent *a, struct slice file, uint32_t *added, struct err *e);

/* Is this a file that is none of ours, but whole: a legacy export, JSON without the key "navette"?
 */
bool dropfile_is_foreign(struct slice file);

/* ---- names ---- */

#define DROP_NAME_BYTES 160

/* "export_CAISSE01_20261121_100000.json" for a PC's name and a time; `count` above 0 appends
 * "_001"... What is not a letter, a digit, '-' or '_' in the name becomes '_'. */
void dropfile_name(char out[DROP_NAME_BYTES], const char *pc, uint64_t wall_ms, uint32_t count);
/* A path in `directory` that nothing has yet: `name` as it is, else with "_001"... before its
 * suffix. */
MUST_USE bool dropfile_free_path(char *path, const char *directory, const char *name,
                                 struct err *e);

#endif
