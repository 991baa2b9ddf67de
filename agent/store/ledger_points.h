/* Points: where the ledger and the application's file stood together, and what was drained between
 * them, so that a file that goes back is known again. Written in the ledger's transactions. */
#ifndef NAVETTE_LEDGER_POINTS_H
#define NAVETTE_LEDGER_POINTS_H

#include "ledger.h"

/* A mark is drained with this transaction: goes into the next point, so that a file that went back
 * does not pass for one in which the application wrote it again. */
void ledger_mark_drained(struct ledger *l, int64_t id, double julian_day);
/* A row that more than one of those marks touched: `born` by that one (0: it is older), `last` by
 * that one. */
MUST_USE bool ledger_fate(struct ledger *l, int64_t gid, int64_t born, int64_t last, struct err *e);
/* The file went back, and holds all that our change-sets, as this actor, above `above` up to `upto`
 * say of this row. */
MUST_USE bool ledger_lived(struct ledger *l, int64_t gid, uint32_t actor, uint64_t above,
                           uint64_t upto, struct err *e);
/* Remember where the two files stand now: in every transaction that changes which rows are in the
 * file or under which key. Some POINTS_KEPT are kept. */
#define POINTS_KEPT    10000
#define POINTS_TRIMMED 256
MUST_USE bool ledger_point(struct ledger *l, struct err *e);
/* The same of a time when this PC was `actor`, and had said no more than `said`. `actor` 0: no row
 * is matched. */
MUST_USE bool ledger_point_of(struct ledger *l, uint32_t actor, uint64_t said, struct err *e);

/* What this actor of ours had said above `above` up to `upto`, and was said again as others of ours
 * since, goes into `again`; `first`: from which number on (0: nothing). Its numbers from there on
 * are another history's. */
MUST_USE bool ledger_said_again(struct ledger *l, uint32_t actor, uint64_t above, uint64_t upto,
                                struct vector *again, uint64_t *first, struct err *e);

/* What a file holds that went back, while what it lost is not all in it again. */
#define HELD_LOST_MAX 32
struct held {
    struct vector holds; /* these change-sets... */
    uint32_t self;       /* ...and, if not 0, those of this actor of ours that were drained since */
    struct {
        uint64_t above, upto; /* but for these: each time that it went back it lost some */
    } lost[HELD_LOST_MAX];
    uint32_t lost_n;
};

void held_free(struct held *h);
/* As it stands in a point. False: `r` has failed. */
MUST_USE bool held_read(struct reader *r, struct held *h);
/* Is it one of them, at a point up to which h->self had said `said`? `id`: the ledger's number of
 * the actor. */
bool held_has(const struct ledger *l, const struct held *h, uint64_t said, uint32_t id,
              uint64_t number);
/* It went back once more, to such a point: what our actor has said since is lost. If we were
 * another one then, no more of what that one said is certain than `holds` tells. */
void held_lose(const struct ledger *l, struct held *h, uint64_t said);
/* Whoever we speak as next has not said what we had applied. */
MUST_USE bool ledger_say_all(struct ledger *l, struct err *e);
/* From now on we drain as another actor. */
MUST_USE bool ledger_holds_as(struct ledger *l, struct err *e);

/* Points to come say that the file holds no more than this (taken over, and emptied); NULL: all
 * that is applied. */
MUST_USE bool ledger_holds(struct ledger *l, struct held *h, struct err *e);
/* What we have said above this number came from no application here: it is in the file when it has
 * been projected, and points to come say so until then. */
MUST_USE bool ledger_holds_not(struct ledger *l, uint64_t above, struct err *e);
/* They say so again, if nothing that the file lost is due any more but rows of tables that `is_out`
 * tells: by rule these stay out of the file. Then the file is to be told so, too (placed.h). */
MUST_USE bool ledger_holds_all(struct ledger *l, bool (*is_out)(void *context, uint32_t table),
                               void *context, struct err *e);
MUST_USE bool ledger_holds_load(struct ledger *l, struct err *e);

#endif
