/* The simulator: a fleet of PCs with the real store and the real conversation, under a fake clock,
 * on fake disks and a fake network. One thread, nothing waits, and a seed replays to the last byte.
 *
 *     struct sim s;
 *     sim_open(&s, (struct sim_options){.nodes = 3, .seed = 7});
 *     sim_cut(&s, 0, 1);
 *     sim_sql(&s, 0, "UPDATE ...");
 *     sim_heal_all(&s);
 *     sim_run_until_quiet(&s, 60000);
 *     sim_check_same(&s);
 *     assert_true(sim_close(&s));
 *
 * The first failure stands, and everything after it does nothing: no checks in between are needed.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "node.h"
#include "oracle.h"
#include "upgrade.h"

#define SIM_EPOCH_MS UINT64_C(1750000000000)
#define SIM_SKEW_MS                                                                                \
    240000 /* clocks are at most this wrong: two PCs stay within HLC_SKEW_MS_MAX                   \
            */

/* What happens only in weeks that are asked for, each from a stream of its own. */
enum draw {
    DRAW_SCHEMA = 1, /* the application gets new versions */
    DRAW_ADOPT = 2,  /* the last PC has worked by itself when it joins in mid-week */
    DRAW_COPY = 4,   /* all PCs but the first begin with a copy of its database */
    DRAW_RULES = 16, /* rules change, other ones than what counts */
    DRAW_EMPTY = 8   /* nobody has worked on the last PC when it joins in mid-week */
};

struct sim_options {
    uint32_t nodes;
    uint64_t seed;
    uint32_t loss_percent;
    uint32_t draws;                /* what else is drawn: enum draw */
    bool drawn;                    /* a schema by chance instead of the till's */
    bool calm;                     /* the power never fails */
    bool forks;                    /* a chain may go on in two ways: disks are put back */
    uint32_t late;                 /* so many of the PCs, the last ones, do not run an agent yet */
    const char *journal_mode;      /* of the applications' files; NULL: by chance */
    const enum survival *survival; /* of what was not synced in a power cut; NULL: by chance */
};

struct sim {
    struct err e; /* the first failure */
    bool verbose; /* NAVETTE_SIM_TRACE is set: tell everything, and leave the files of a failure */
    struct sim_options options;
    struct rng rng;
    uint64_t now_ms;
    struct shape shape; /* of the first version of the application */
    struct upgrades upgrades;
    struct words words;
    struct oracle oracle;
    struct net net;
    struct roster roster;
    uint8_t roster_digest[HASH_BYTES];
    struct node nodes[NET_NODES_MAX];
    struct view scratch;
    uint64_t serial; /* of written values */
    int64_t tick;    /* of committed transactions */
    bool founded;    /* all PCs run that were not late */
    uint32_t deaths, applied, outlines, outline_asks;
};

/* ---- sim.c: the world ---- */

/* All PCs run, connected, with empty tables, all tracked. */
void sim_open(struct sim *s, struct sim_options o);
/* True when nothing failed; else the failure has been printed, and for a person who watches the
 * files are left on the system's disk. */
MUST_USE bool sim_close(struct sim *s);
bool sim_ok(const struct sim *s);
void sim_fail(struct sim *s, const char *format, ...) PRINTF_LIKE(2, 3);
void sim_fail_err(struct sim *s, const struct node *n, const char *doing, const struct err *e);
void sim_trace(const struct sim *s, const struct node *n, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Let time pass: messages arrive, agents look at their files, what is down starts again. */
void sim_advance(struct sim *s, uint64_t ms);
/* Until every PC has and has applied what every other has, which must be within `ms`; then see that
 * nobody has anything more to say. */
void sim_run_until_quiet(struct sim *s, uint64_t ms);
/* All files equal, sound, and what the oracle says. */
void sim_check_same(struct sim *s);
/* One file now: sound, and told to the oracle. */
void sim_check_node(struct sim *s, uint32_t node);

void sim_cut(struct sim *s, uint32_t a, uint32_t b);
void sim_cut_all(struct sim *s, uint32_t node);
void sim_heal(struct sim *s, uint32_t a, uint32_t b);
void sim_heal_all(struct sim *s);

/* One transaction of the application. */
void sim_sql(struct sim *s, uint32_t node, const char *format, ...);
/* The first column of the first row of a query, as text, "" when there is none. Free with free. */
char *sim_text(struct sim *s, uint32_t node, const char *sql);

/* Like drop files: whatever `from` has and `to` lacks, without a link. */
void sim_carry(struct sim *s, uint32_t from, uint32_t to);
/* Change-sets of one actor that `from` has, in any order and some twice, whether or not `to` has
 * them or what comes before them. */
void sim_carry_any(struct sim *s, uint32_t from, uint32_t to, struct rng *r);

#endif
