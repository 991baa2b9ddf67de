/* Settings of the agent in the ledger (store_meta_set): when it met whom, what was told already. A
 * transaction of the ledger that lasts over several calls (drain.h, remerge.h) does not give way to
 * them: they wait in memory, and go out with it, or after it. So whoever comes and goes all the
 * time does not make the PC do its work over and over again. A crash takes them along. */
#ifndef NAVETTE_SETTINGS_H
#define NAVETTE_SETTINGS_H

#include <navette/err.h>

struct store;
struct setting;

#define SETTINGS_BYTES_MAX (4u << 20) /* of all that wait; with more, nothing waits any longer */

/* A zeroed one is valid, and empty. */
struct settings {
    struct setting *list;
    uint32_t n, room;
    size_t bytes;
};

/* Write those that wait: into the transaction of the ledger that is open... */
MUST_USE bool settings_write(struct store *s, struct err *e);
/* ...or, if any do, into one of their own, which takes the place of one that lasts. */
MUST_USE bool settings_flush(struct store *s, struct err *e);
void settings_close(struct settings *all);

#endif
