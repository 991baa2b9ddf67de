/* New versions of the application: migrations of its schema in the midst of a week, made on one PC
 * before the other. */
#ifndef SIM_UPGRADE_H
#define SIM_UPGRADE_H

#include "shape.h"

#define UPGRADES_MAX 3

struct sim;

enum upgrade_kind {
    UPGRADE_ADD,    /* a column */
    UPGRADE_RENAME, /* a column */
    UPGRADE_DROP,   /* a column */
    UPGRADE_CALL,   /* the table gets another name */
    UPGRADE_REBUILD /* the table is made anew, with the same columns */
};

struct upgrade {
    enum upgrade_kind kind;
    uint32_t table, column;
    bool rebuilds; /* by making the table anew, copying its rows, dropping the old one */
};

/* Move it no more once it is drawn: its versions hang together. */
struct upgrades {
    struct upgrade list[UPGRADES_MAX]; /* each makes the version after the one before */
    struct shape versions[UPGRADES_MAX];
    uint32_t n;
    struct rng rng;
};

/* What will be: `first` and its columns know of it. */
void upgrade_draw(struct upgrades *u, struct shape *first, uint64_t seed);
/* By chance a PC gets the next version now. */
void upgrade_happen(struct upgrades *u, struct sim *s);
/* All PCs have the last version, or nearly: one may go on without what only it lacks. */
void upgrade_all(struct upgrades *u, struct sim *s);

#endif
