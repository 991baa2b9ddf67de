/* Keep: what this PC knows of its fleet, on its own disk: the list of members in its file and in
 * the ledger, the fleet's keys in theirs. What cannot be written now is written later. */
#ifndef NAVETTE_KEEP_H
#define NAVETTE_KEEP_H

#include <navette/err.h>

struct agent;

/* What is not on the disk yet; a zeroed struct: all is. Whoever changes something says so here. */
struct unkept {
    bool roster;
    bool ledger; /* its copy of the roster; without a store it waits until there is one */
    bool keys;
};

/* Write what is not on the disk yet. False, with the first reason, where some of it still is not:
 * that is told by WARNING_UNSAVED until a later call succeeds. */
MUST_USE bool keep_fleet(struct agent *a, struct err *e);
/* The same, where nobody waits for an answer. */
void keep_again(struct agent *a);

#endif
