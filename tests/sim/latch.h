/* What connections agree by over one database file in memory: its lock, and the shared memory of
 * its WAL with the locks in there. As SQLite's own VFS has it for connections of one process. */
#ifndef SIM_LATCH_H
#define SIM_LATCH_H

#include <navette/bytes.h>

#define LATCH_SLOTS 8 /* SQLITE_SHM_NLOCK */

/* Of a file; zeroed: nobody has it open. */
struct latch {
    int level; /* SQLITE_LOCK_...: the highest that anybody holds */
    uint32_t readers;
    void **regions;
    int region_n;
    uint32_t mapped;        /* connections that see the shared memory: without any, it is gone */
    int slots[LATCH_SLOTS]; /* readers of each; -1: one that writes */
};

/* Of a connection. */
struct latch_hold {
    int level;
    bool mapped;
    uint32_t shared, alone; /* bits of slots */
};

/* All of these answer as the xLock, xShm... of SQLite that they are for. */
int latch_lock(struct latch *l, struct latch_hold *h, int level);
int latch_unlock(struct latch *l, struct latch_hold *h, int level);
int latch_map(struct latch *l, struct latch_hold *h, int region, int bytes, bool extend,
              void volatile **out);
int latch_slots(struct latch *l, struct latch_hold *h, int first, int n, int flags);
void latch_unmap(struct latch *l, struct latch_hold *h);

#endif
