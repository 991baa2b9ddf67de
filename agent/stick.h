/* Stick: joining where there is no network. letter.h has the files, protocol/README.md, "Joining by
 * stick", what they promise.
 *
 *     newcomer: stick_ask writes a request to join, with a token that a person brought
 *     maker:    stick_take of that: enrols, and writes the answer beside it
 *     newcomer: stick_take of that: is a member, and needs what the others have, in drop files
 *
 * Each step may be done again: it then gives the same. */
#ifndef NAVETTE_STICK_H
#define NAVETTE_STICK_H

#include <navette/letter.h>

#include "file.h"

struct agent;

/* Write a request to join into `directory`, with `token` or, where that is "", with the one that
 * `init --join` left; `path` (PATH_BYTES_MAX) has its name. `copy`: as with
 * agent_join. */
MUST_USE bool stick_ask(struct agent *a, const char *token, bool copy, const char *directory,
                        char *path, struct err *e);

struct stick_done {
    enum letter_kind kind;         /* of the letter that was taken */
    char name[NAME_BYTES_MAX + 1]; /* of the newcomer, as the fleet calls it */
    char fleet[NAME_BYTES_MAX + 1];
    char path[PATH_BYTES_MAX]; /* of a request: where the answer is */
};

/* Take a letter. ERR_BUSY: this PC has rows that are not published yet, try again. */
MUST_USE bool stick_take(struct agent *a, const char *path, struct stick_done *done, struct err *e);

/* What an answer brought for the matching of this PC's rows. */
struct stick_welcome {
    struct site_id maker;
    struct vector have; /* what the maker had */
    struct buf keys;    /* its local keys; empty: they are not known */
};

/* False when this PC has not joined by a stick, or its rows are matched. */
bool stick_welcome_read(const struct agent *a, struct stick_welcome *w);
void stick_welcome_close(struct stick_welcome *w);
/* The rows are matched. */
void stick_welcome_forget(const struct agent *a);

#endif
