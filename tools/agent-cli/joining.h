/* Becoming a member, and the files with which a PC joins by a stick (letter.h). */
#ifndef NAVETTE_JOINING_H
#define NAVETTE_JOINING_H

#include "cli.h"

struct json_object;

/* What a letter came to. */
struct joined {
    bool request; /* of a newcomer, answered at `path`; else the answer to this PC's own */
    char name[NAME_BYTES_MAX + 1];
    char fleet[NAME_BYTES_MAX + 1];
    char path[PATH_BYTES_MAX];
};

/* Is this file such a letter? False also where it cannot be read: the agent says why. */
bool joining_is_letter(const char *path);
/* Let the agent take it; `code` is the exit code of a failure. */
MUST_USE bool joining_take(const struct cli *c, const char *path, struct joined *done, int *code,
                           struct err *e);
/* Say what it came to: into the answer about this file, or for a person. */
void joining_add(struct json_object *entry, const struct joined *done);
void joining_print(const struct cli *c, const char *file, const struct joined *done);

#endif
