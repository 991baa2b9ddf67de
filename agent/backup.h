/* Backup: before the first change of another PC comes into the application's file, a copy of it is
 * put into the home's folder backup/, and kept. */
#ifndef NAVETTE_BACKUP_H
#define NAVETTE_BACKUP_H

#include "agent.h"

struct backup {
    struct store_backup *copy; /* under way */
    bool done;                 /* this home has its copy */
};

/* May changes be applied? Does a piece of the copy where one is needed; `ready` false: call again.
 * On failure nothing is to be applied yet. */
MUST_USE bool backup_make(struct backup *b, struct agent *a, bool *ready, struct err *e);
/* The store closes: what is under way begins anew. */
void backup_close(struct backup *b);

#endif
