/* Sync: the conversation of two members on one open channel, a pure state machine: one event in,
 * actions out. protocol/README.md has the rules and message.h the messages. In short:
 *
 *     HELLO      once each way: protocol, clock, roster digest, have-vector, applied-vector
 *     ROSTER     the whole log, when the digests differ
 *     CHANGESET  an author's own new ones are pushed at once to a peer that has all it was told of
 *                before; everything else is sent only when asked for
 *     WANT       "send me this actor's, after number n": asked of one peer at a time (sync_claims)
 *     HAVE       what is staged durably (an acknowledgement), what is applied; when it changed
 *     PING/PONG  when nothing was sent for SYNC_PING_MS; silence of SYNC_DEAD_MS ends the link
 *     BYE        why the link is being closed
 *     BRIEF      a joiner's: from now on in outline, please (outline.h). Then OUTLINE comes for a
 *                big CHANGESET; ASK and TELL fill it in; and WANT asks for the next one
 *
 * States: NEW -> GREETING (our HELLO is out, the peer's must come within SYNC_HELLO_MS) -> OPEN
 * -> CLOSED (at the first failure or a BYE; final).
 *
 * A peer hears that a change-set is safe only after SYNC_STAGED said so. Change-sets of one actor
 * travel in order; SYNC_WINDOW_BYTES not yet acknowledged bound what is under way. */
#ifndef NAVETTE_SYNC_H
#define NAVETTE_SYNC_H

#include <navette/message.h>
#include <navette/sync_chain.h>
#include <navette/sync_claims.h>

#define SYNC_PROTOCOL     MESSAGE_PROTOCOL
#define SYNC_HELLO_MS     5000
#define SYNC_PING_MS      3000
#define SYNC_DEAD_MS      9000
#define SYNC_WINDOW_BYTES (16u << 20) /* at least one change-set is always allowed */
#define SYNC_UNSENT_BYTES (1u << 20)  /* while so much waits to be sent, nothing more is fetched */
#define SYNC_PONG_BYTES   65536       /* nor PING nor ASKPRESENCE answered while so much does */
#define SYNC_FLIGHT_MAX   1024        /* change-sets under way and not acknowledged */
#define SYNC_CLAIM_MS     10000       /* a WANT unanswered so long may be asked elsewhere */
#define SYNC_LOST_MS      60000 /* what is not acknowledged so long is not under way any more */
#define SYNC_FETCH_BYTES  (2u << 20) /* most asked of the store at a time; one always comes */
#define SYNC_WAIT_MS      500        /* how soon a claim that another link let go is noticed */
#define SYNC_LATE_MS      1000       /* a loop held up for so long does not blame its peer */
#define SYNC_RETRY_MS     250        /* first wait after the store refused; doubles */
#define SYNC_RETRY_MS_MAX 30000
#define SYNC_STAGING_MAX  64    /* stage actions not yet answered */
#define SYNC_HAVE_EVERY   32    /* acknowledge at least so often while stages are unanswered */
#define SYNC_OUTLINES_MAX 8     /* of one chain, while none of them is acknowledged */
#define SYNC_BIG_BYTES    65536 /* unfinished messages above it keep claims alive */
/* What one step can append to `send`. A link whose unsent queue exceeds SYNC_QUEUE_BYTES_MAX has a
 * peer that does not read: the shell closes it. */
#define SYNC_SEND_BYTES_MAX  (MESSAGE_BYTES_MAX + ROSTER_BYTES_MAX + SYNC_FETCH_BYTES + (1u << 20))
#define SYNC_QUEUE_BYTES_MAX (SYNC_UNSENT_BYTES + SYNC_SEND_BYTES_MAX)

struct sync_stage; /* a change-set being made durable */

/* Read it freely, write it through the calls below. It must not move between open and close. */
struct sync {
    enum { SYNC_NEW, SYNC_GREETING, SYNC_OPEN, SYNC_CLOSED } state;
    uint64_t link;                /* unique among the links of this site, for claims */
    struct actor self;            /* our present actor; when it changes, reopen the links */
    struct site_id peer;          /* authenticated by the channel */
    struct actor peer_actor;      /* from its HELLO */
    struct sync_claims *claims;   /* shared */
    const struct vector *have;    /* ours, staged durably; lent by the caller, always current */
    const struct vector *applied; /* ours, applied; likewise */
    struct vector peer_have;      /* what the peer has staged, as far as it told */
    struct vector peer_applied;
    int64_t skew_ms; /* peer's clock minus ours, half the round trip taken off */
    bool stranger; /* the caller's word: not in our roster yet. Then it is told and sent nothing but
                      HELLO (with empty vectors), ROSTER, PING, PONG and BYE; what it asks for
                      waits. */
    bool apart; /* one of us two does not take the other's roster; over when both have one digest */
    bool brief; /* the caller's word: our file may be a copy of the peer's, so outlines will do.
                   Then one chain is asked for at a time */
    uint32_t rtt_ms;
    uint64_t heard_ms;         /* when bytes of the peer's last came */
    struct sync_window window; /* `bytes`: sent and not yet acknowledged */
    uint32_t staging;          /* stage actions not yet answered */
    bool fetching;             /* a fetch action not yet answered */

    /* The rest is internal. */
    struct sync_chains chains;
    struct sync_stage *stages; /* unanswered, oldest first */
    uint32_t staged_since_have;
    struct actor fetch_actor; /* the last fetch; the round goes on behind it */
    uint64_t fetch_after;
    bool fetched_own;
    uint8_t roster[HASH_BYTES];      /* our digest at the last event */
    uint8_t peer_roster[HASH_BYTES]; /* as it told last */
    uint8_t told_roster[HASH_BYTES]; /* our digest as the peer heard it last */
    uint8_t sent_roster[HASH_BYTES]; /* our digest when we last sent our log */
    size_t known_log; /* so many first bytes of our roster log the peer has, or was sent... */
    uint8_t known_hash[HASH_BYTES];   /* ...with this hash: else our log begins otherwise by now; */
    uint8_t known_roster[HASH_BYTES]; /* our digest then */
    bool told_brief, peer_brief;      /* what we last said, and what the peer says */
    bool asking;                      /* the last ASK is not answered: */
    uint64_t ask_token, ask_number;   /* about this change-set */
    struct actor ask_actor;
    uint64_t opened_ms, sent_ms, deadline_ms, ping_ms, ping_token;
    uint64_t window_ms; /* when the window last moved on */
    uint64_t plan_ms;   /* the deadline without what the life of the link needs */
};

enum sync_event_kind {
    SYNC_OPENED,  /* the channel is authenticated */
    SYNC_MESSAGE, /* bytes: one message of the peer's */
    SYNC_FETCHED, /* bytes: the change-sets a fetch action asked for, concatenated, maybe none */
    SYNC_STAGED,  /* the answer to the oldest unanswered stage action: `ok` (also for a duplicate),
                     else `e` says why not */
    SYNC_REBUILT, /* the answer to an outline, of `actor`: `ok` and bytes: the change-set; else `e`
                     says why it cannot be had now */
    SYNC_LOCAL,   /* our have-vector, applied-vector or roster changed, or another link closed */
    SYNC_TIMEOUT  /* the deadline passed */
};

struct sync_event {
    uint64_t now_ms;  /* monotonic */
    uint64_t wall_ms; /* wall clock */
    enum sync_event_kind kind;
    struct slice bytes;
    bool ok;
    bool rewound; /* with ok: what we have of that chain of our own is less now, and what follows is
                     wanted of this peer */
    const struct err *e;
    const struct actor *actor;
    struct slice roster; /* our roster log, lent at every event; grows at its end, as a rule */
    const uint8_t *roster_digest; /* and its digest: hash of the sorted entry hashes */
    uint64_t queued_bytes;        /* what was sent earlier and still waits in the socket's queue */
};

/* About a change-set that is told in outline. What is not said is empty; borrows the event's bytes.
 */
struct sync_outline {
    struct actor actor;
    uint64_t number;              /* 0: there is none */
    struct slice header, outline; /* of OUTLINE */
    const uint8_t *signature;
    uint64_t token, what; /* of ASK; what: enum outline_ask */
    struct slice picks;
    struct slice bytes; /* of TELL */
};

struct sync_actions {
    /* Messages for the channel, each preceded by its length (u32 BE). Owned by the caller, appended
     * to; empty it between steps. Opened with SYNC_SEND_BYTES_MAX when its maximum is 0. */
    struct buf send;
    /* Make durable, then answer SYNC_STAGED. Borrows the event's bytes. Several may be unanswered
     * (so that one fsync serves them), but before another SYNC_MESSAGE there must be fewer than
     * SYNC_STAGING_MAX of them. */
    struct slice stage;
    /* Merge into our roster; SYNC_LOCAL follows if it changed, sync_leave_roster if it is not taken
     * for what it says. */
    struct slice roster;
    /* Read change-sets of `fetch_actor` after `fetch_after`, about `fetch_bytes` of them and at
     * least one, then answer SYNC_FETCHED (with none when they cannot be read). */
    bool fetch;
    struct actor fetch_actor;
    uint64_t fetch_after;
    size_t fetch_bytes;
    /* To match its rows the peer wants sync_tell_keys, of so many bytes at most; 0: it does not. */
    size_t keys_wanted;
    /* The peer's local keys, asked for with sync_ask_keys. Borrows the event's bytes. */
    struct slice keys;
    /* Make a change-set of it, with the help of sync_ask, then answer SYNC_REBUILT. A later one
     * takes its place. */
    struct sync_outline outline;
    /* The peer asks about an outline of ours: answer with sync_tell. */
    struct sync_outline ask;
    /* The peer's answer to the last sync_ask, about the outline that came last. */
    struct sync_outline tell;
    /* The peer holds another history of this actor, neither ours nor its own: a different chain
     * hash for the same number. Warn somebody; that actor is left out on this link, everything else
     * goes on. (Of our own, what the peer has is staged like the rest, and the store finds out that
     * we went back.) */
    bool fork;
    struct actor fork_actor;
    uint64_t deadline_ms; /* monotonic; answer SYNC_TIMEOUT no later */
};

void sync_open(struct sync *s, uint64_t link, const struct actor *self, const struct site_id *peer,
               struct sync_claims *claims, const struct vector *have, const struct vector *applied);
/* False: the link must be closed, after sending what is in `out->send` (a BYE). */
MUST_USE bool sync_step(struct sync *s, const struct sync_event *ev, struct sync_actions *out,
                        struct err *e);
/* Bytes came that do not end a message yet, of which `unfinished` are waiting: the peer lives, and
 * a big change-set that is on its way is not asked of somebody else. */
void sync_heard(struct sync *s, uint64_t now_ms, size_t unfinished);
/* Append a BYE: we close for a reason of our own. `code` is one word. */
void sync_leave(struct sync *s, const char *code, const char *text, struct buf *send);
/* Append that we do not take the peer's roster, and stay with ours. Only when OPEN. */
void sync_leave_roster(struct sync *s, struct buf *send);
/* Append the question for the peer's local keys, and the answer to such a question. Only when OPEN.
 */
void sync_ask_keys(struct buf *send);
void sync_tell_keys(struct slice keys, struct buf *send);
/* Append a question about a change-set that came in outline, and the answer to such a question. */
void sync_ask(struct sync *s, const struct sync_outline *ask, struct buf *send);
void sync_tell(uint64_t token, struct slice bytes, struct buf *send);
/* Give claims back and release. Then give every other link a SYNC_LOCAL, so that one of them asks
 * at once for what this one was asked for. Closing twice is harmless. */
void sync_close(struct sync *s);

#endif
