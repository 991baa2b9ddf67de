/* Talk: the sync conversation on one open link; carries out what sync_step asks for. */
#ifndef NAVETTE_TALK_H
#define NAVETTE_TALK_H

#include <navette/sync.h>

#include "brief.h"
#include "link.h"

#define STAGE_TOGETHER   SYNC_HAVE_EVERY
#define STAGE_WAIT_BYTES (1u << 20) /* more does not wait */

/* What the peer sent within one turn of the loop is staged at its end, together: one fsync. */
struct talk_stages {
    struct buf copies;
    size_t ends[STAGE_TOGETHER]; /* of each in `copies` */
    uint32_t n;
    struct slice big; /* one more, not copied: staged before its message goes */
};

struct talk {
    struct agent *agent;
    struct link *link;
    struct sync sync;
    struct sync_actions todo; /* its buffer is used again and again */
    bool stepping;            /* within sync_step's loop: nothing else may start one */
    bool crowded;             /* the link's queue was full at the last step */
    uint32_t history;         /* store_history when it opened */
    bool roster_full;         /* the peer's roster and ours do not fit into one */
    bool left_owed;           /* it is to be told that its roster is not taken */
    bool forked;              /* the peer has another history of some third PC's changes */
    struct talk_stages stages;
    struct brief brief;
    struct brief_debt debt;
    bool keys_asked;            /* we asked the peer for its keys, and have no answer yet */
    bool keys_told;             /* it has answered */
    size_t keys_owed;           /* so many bytes of our keys the peer asked for, and waits; 0: no */
    uint64_t keys_ms;           /* uv_now: no sooner is it told them again */
    uint64_t useful;            /* messages that brought change-sets or acknowledged some */
    uint64_t staged;            /* change-sets taken in on this link */
    uint64_t stranger_until_ms; /* uv_now: a peer not in our roster has so long to show one that has
                                   it; 0: a member */
    uint64_t deadline_ms;       /* uv_now: talk_tick no later */
};

/* The link is open and its peer known: begin. The store must be there as long as the talk is. */
void talk_open(struct talk *t, struct agent *a, struct link *l, uint64_t id,
               struct sync_claims *claims);
/* A message of the peer's. When no more come for now, talk_pause. */
MUST_USE bool talk_message(struct talk *t, struct slice message, struct err *e);
/* Stage what came, and acknowledge it. */
void talk_pause(struct talk *t);
/* What we have, what we have applied, or the roster changed. */
void talk_local(struct talk *t);
/* Bytes came that do not end a message yet; `unfinished` are waiting. */
void talk_heard(struct talk *t, size_t unfinished);
/* `start` are the first bytes of a message that is large or has come: has it been asked for, if it
 * is of a kind that only comes then? */
MUST_USE bool talk_awaits(const struct talk *t, struct slice start, struct err *e);
/* The link's queue is empty again. */
void talk_drained(struct talk *t);
/* The deadline may have passed. */
void talk_tick(struct talk *t);
/* Ask the peer for its local keys; pump_take_keys gets the answer. */
void talk_ask_keys(struct talk *t);
/* The peer has said what it has. */
bool talk_is_open(const struct talk *t);
/* It has, even if the talk is over now. */
bool talk_was_open(const struct talk *t);
/* Nothing is under way, asked for or owed, either way, as far as this side knows. */
bool talk_is_idle(const struct talk *t);
/* Instead of a conversation: say why there is none, and close the link. */
void talk_turn_away(struct link *l, const struct err *why);
/* Say why we close the link, then close it. */
void talk_leave(struct talk *t, const struct err *why);
void talk_close(struct talk *t);

#endif
