/* Copies of a PC's disk that are put back: its database, its agent's home, or both, as they were at
 * some earlier time. What was on no other disk is gone with that; the oracle is told. */
#ifndef SIM_RESTORE_H
#define SIM_RESTORE_H

#include "sim.h"

/* HOMES: homes of several PCs, before they have told each other everything. */
enum { RESTORE_FILE = 1, RESTORE_HOME = 2, RESTORE_BOTH = 4, RESTORE_HOMES = 8 };

/* A zeroed one has no copies. */
struct restore {
    uint32_t kinds; /* which of them happen */
    struct rng rng;
    struct rng twice;   /* of what happens in two steps, a stream of its own */
    uint32_t half;      /* 1 + whose database went back alone, and its home will; 0: nobody's */
    uint32_t full;      /* the last drain that all PCs had in their ledgers, at one moment */
    uint32_t back;      /* bit per PC whose home went back since */
    uint32_t both;      /* likewise, and its database with it, or before it */
    uint32_t back_full; /* the last drain that is in all of their copies */
    struct {
        bool there;
        uint32_t full;    /* when it was made */
        uint32_t drained; /* likewise, the last drain of any PC */
        uint32_t safe;    /* the last drain of this PC that some other one had, too */
    } pcs[NET_NODES_MAX];
};

/* Something may happen, by chance, to some PC: a copy is made, or put back. */
void restore_happen(struct restore *r, struct sim *s);
/* Look who has what: before every restore_happen. */
void restore_look(struct restore *r, struct sim *s);
/* A copy of the whole disk, as it is when both processes have ended; they start again at once. */
void restore_keep(struct restore *r, struct sim *s, uint32_t node);
/* Put a part of it back. Application and agent start after these times. */
void restore_put_back(struct restore *r, struct sim *s, uint32_t node, uint32_t kind,
                      uint64_t app_ms, uint64_t agent_ms);

#endif
