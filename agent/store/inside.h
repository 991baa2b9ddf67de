/* The inside of the store: what its modules share. The public face is <navette/store.h>. */
#ifndef NAVETTE_INSIDE_H
#define NAVETTE_INSIDE_H

#include <navette/store.h>

#include "bind.h"
#include "capture.h"
#include "correct.h"
#include "ledger.h"
#include "ledger_order.h"
#include "ledger_points.h"
#include "replaced.h"
#include "settings.h"
#include "steps.h"
#include "touch.h"
#include "trouble.h"
#include "unsent.h"

struct due_row {
    int64_t gid;
    bool waiting;     /* it stands in the ledger's table `due` */
    bool needed;      /* only because a row refers to it: it goes into the file even if dead */
    uint32_t table;   /* of a row met for the first time: what a look-up in the ledger would give */
    struct slice rec; /* likewise; p NULL: look it up */
};

struct due_list {
    struct due_row *rows;
    uint32_t n, room;
};

struct merged_changeset {
    uint32_t actor; /* of one merged and not yet projected: the batch under way */
    uint64_t number;
};

struct store {
    struct appdb app;
    struct ledger ledger;
    const struct keys *keys;
    const struct roster *roster;
    struct binding *bindings; /* one for each tracked table that the file has */
    uint32_t binding_count;
    uint64_t bound;     /* app.reads when they were made: they point into that schema */
    bool ahead;         /* the file was a batch ahead then: its columns are still to be compared
                           with those that it had when that was written */
    bool local_settled; /* tables that rules make local, or no longer, have been seen to */
    uint64_t looked;    /* likewise, when tables that came new were last looked for */
    uint32_t ruled;     /* rule_entries of the roster at that time */
    struct merged_changeset *merged;
    uint32_t merged_count, merged_room;
    size_t merged_bytes;    /* of these change-sets */
    struct due_list due;    /* rows of the merged change-sets */
    struct arena due_arena; /* what they point into */
    bool due_stale;         /* such a row was written again: look all of them up */
    int64_t opened_mark;    /* marks up to here lay in the file when recover began */
    bool astray;            /* the two files do not stand together: recover before anything else */
    bool half;              /* ... only because the ledger is to follow a large batch */
    int64_t *held; /* rows that the batch must leave: what it did to them cannot be undone */
    uint32_t held_count;
    bool retry_parked;     /* something changed that a parked row may have waited for */
    bool retry_again;      /* likewise, since the present round of attempts began */
    uint32_t vain_rounds;  /* in which only dead rows that stay were written */
    int64_t parked_after;  /* where that round stands */
    uint32_t parked_tried; /* rows in it so far */
    uint64_t parked_ms, parked_pause_ms; /* a round ended; how much later the next may begin */
    bool renamed;                        /* a table renamed here may not have been announced yet */
    bool vanished;          /* rows went without an event: their tables are to be compared */
    int64_t swept;          /* the cursor up to which rows have been counted */
    bool repairs, due_open; /* table `repair` may hold rows; `due` such as are not parked */
    bool owes;              /* table `owed` may have rows */
    struct uncorrected uncorrected;
    struct drained *drained; /* again.c; NULL: not needed yet */
    struct copied *copied;   /* likewise */
    uint32_t history;        /* store_history */
    struct vector early;     /* our actors of which another history came too early (fork.h) */
    int64_t *united;         /* rows that others stand for since names were looked at */
    uint32_t united_count;
    uint32_t look_ups_left;                 /* in the log, of the call under way (conflict.c) */
    uint64_t remerged_ms, remerge_pause_ms; /* remerge_if_due did so last; not again before that */
    uint64_t remerge_read;                  /* change-sets that were read for it since `open` */
    uint64_t remerge_slice, drain_slice;    /* rows read in one call; DRAIN_SLICE, less in tests */
    struct remerge *remerge;                /* under way; NULL: no */
    struct draining *draining;              /* likewise */
    uint32_t drain_interruptions;           /* of the one that is to be done */
    uint64_t noticed_ms;                    /* when what is listed for a person was noticed: now */
    struct replaced *replaced;              /* what applies replaced lately */
    struct said *said;                      /* a newcomer's: said.h; NULL: not needed yet */
    struct migration *migration;            /* NULL: nothing is known of it yet */
    struct unsent unsent;                   /* values too long to be sent */
    size_t body_soft, body_full;            /* BODY_BYTES_SOFT, BODY_BYTES_FULL; less in tests */
    uint64_t scan_steps;                    /* SCAN_STEPS; likewise */
    uint32_t batch_rows;                    /* BATCH_ROWS; likewise */
    size_t batch_bytes, row_bytes, record_bytes; /* likewise */
    struct steps steps;
    struct settings settings;
    struct trouble trouble;
};

/* ---- references ---- */
/* Look up the row that a local key value refers to. `gid` 0: none. */
MUST_USE bool refer(struct store *s, const struct binding *parent, const struct value *v,
                    int64_t *gid, struct err *e);
/* A natural key as bytes that mean the same on every site: references as actor and counter. Appends
 * to `out`. */
void identity_write(const struct ledger *l, const struct value *values, uint32_t n,
                    struct buf *out);

/* ---- drain ---- */
/* When the application wrote a mark: not more than HLC_SKEW_MS_MAX after now (0: not known),
 * whatever its clock said; then, and without a time, it was now. */
uint64_t mark_wall_ms(double julian_day, uint64_t now_ms);

/* ---- project ---- */
/* One batch into the file and its outcome into the ledger. */
MUST_USE bool project(struct store *s, uint64_t now_ms, struct store_progress *p, struct err *e);
/* Parked rows may get in now: try them again. */
void project_retry(struct store *s);
/* How long until a round of such attempts may begin or go on. A clock that was put back does not
 * make it longer. False: there is no reason for one. */
bool project_retry_due(const struct store *s, uint64_t now_ms, uint64_t *ms);
/* The ledger's half of a batch that the file holds, from its payload; a ledger transaction of its
 * own. */
MUST_USE bool follow(struct store *s, const struct app_state *state, uint64_t now_ms,
                     struct err *e);
/* Is the ledger the one that made the batch, as it was then? Not if it went back. */
bool follow_possible(const struct store *s, const struct app_state *state);

/* ---- repair ---- */
/* Inside a ledger transaction: a row stands in the file under another UNIQUE value than its own
 * (batch_unique.c). What it shows becomes its value by a REPAIR, said by the author of the value
 * that yields, or, when he is silent for REPAIR_PAUSE_MS, by anybody. With `other`: by rule these
 * two rows are one, which the author of one of them says, or anybody. */
MUST_USE bool repair_note(struct store *s, int64_t gid, int64_t other, uint64_t now_ms,
                          struct err *e);
/* Say what is to be said now; a ledger transaction of its own. */
MUST_USE bool repair_publish(struct store *s, uint64_t now_ms, struct store_progress *p,
                             struct err *e);
/* A person says that the rows under these two keys are one; a ledger transaction of its own. */
MUST_USE bool repair_unite(struct store *s, const struct binding *b, const int64_t keys[2],
                           uint64_t now_ms, struct store_progress *p, struct err *e);
/* '#', a name, '-', then `value`: what a row that yields `value` shows. */
bool repair_is_mark(const struct value *shown, const struct value *value);

/* ---- scan, match, recover ---- */
/* Compare one table whose triggers were lost, or that was untracked for a while, with what the
 * ledger believes the file to hold: a slice of it; `did` false when there is none. */
MUST_USE bool scan_reconcile(struct store *s, uint64_t now_ms, bool *did, struct store_progress *p,
                             struct err *e);
/* Count the rows of all tables: those with another number than is believed are to be reconciled,
 * and s->vanished says so. */
MUST_USE bool sweep(struct store *s, struct err *e);
/* Publish rows that are only minted; `did` false when there is none. */
MUST_USE bool scan_publish(struct store *s, uint64_t now_ms, bool *did, struct store_progress *p,
                           struct err *e);
/* Of what several members told of their local keys (store_keys), take what explains most rows of
 * the file, noted at rows that are not in it: a wish, and where match looks. Also this PC's own, if
 * it had any. Ledger transactions of its own. */
MUST_USE bool keys_settle(struct store *s, const struct slice *keys, uint32_t n, bool copy,
                          uint64_t now_ms, struct err *e);
/* How many rows of the file match would pair; those under natural keys do not count. */
struct match_score {
    uint32_t rows, paired;
};
MUST_USE bool match_score(struct store *s, bool copy, uint64_t now_ms, struct match_score *score,
                          struct err *e);
/* Match the tables that are to be matched: rows of the file with rows of the fleet. `did` false
 * when there is none. A joiner's whole file is matched at once (`joining`): what was marked before
 * is part of it. */
MUST_USE bool match(struct store *s, bool joining, bool copy, uint64_t now_ms, bool *did,
                    struct err *e);
/* At start, and when they are found apart: compare the two files and bring them together. */
MUST_USE bool recover(struct store *s, uint64_t now_ms, struct err *e);
/* Does the file hold one batch that the ledger is to follow? It was written under the schema that
 * was bound before. */
MUST_USE bool recover_is_ahead(struct store *s, bool *ahead, struct err *e);
/* The file went back to where a point remembers: what it lost is due again, what the application
 * did to it since is published. `known` false: no point remembers it. */
MUST_USE bool behind(struct store *s, const struct app_state *state, uint64_t now_ms, bool *known,
                     struct err *e);
/* The file says itself where it stood: make the ledger what it was then, from the log (regain.c).
 * `did` false: it says nothing. */
MUST_USE bool regain(struct store *s, uint64_t now_ms, bool *did, struct err *e);
MUST_USE bool regain_lacks(struct store *s, bool *lacks, struct err *e);
/* Has this PC, beyond `above`, said anything that was written at one of these times (ms)? */
MUST_USE bool regain_has_said(struct store *s, const struct keymap *times,
                              const struct vector *above, bool *said, struct err *e);
/* Inside a ledger transaction: as fork_forgotten, of a newcomer: it is matched as another actor. */
MUST_USE bool recover_forgotten(struct store *s, struct err *e);
/* Inside a transaction of the file: is it the one that the ledger and the bindings know? ERR_BUSY
 * if not (somebody put a copy back, or changes the schema); the next call then recovers. */
MUST_USE bool recover_in_step(struct store *s, struct err *e);
/* A read of the file as it is known: appdb_read, then recover_in_step. */
MUST_USE bool recover_read(struct store *s, struct err *e);
/* The same, to read rows of which the ledger is to know, whether their marks are drained or not: a
 * file that lacks these marks later has gone back. */
MUST_USE bool recover_look(struct store *s, struct err *e);

#endif
