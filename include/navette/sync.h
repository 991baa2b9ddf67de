/* Sync: the conversation of two members on one open channel, as a pure state machine: one event in, actions out.
 * protocol/README.md has the messages. In short:
 *
 *     HELLO    once each way: protocol, clock, roster digest, have-vector, applied-vector
 *     ROSTER   the whole log, when the digests differ
 *     CHANGESET an author's own new ones are pushed at once to peers who have all before them;
 *              everything else is sent only when asked for
 *     WANT     "send me this actor's, after number n": asked of one peer at a time (struct sync_claims), and of
 *              nobody while the author's own link is pushing them
 *     HAVE     what is staged durably (an acknowledgement), and what is applied; sent when it changed
 *     PING/PONG every SYNC_PING_MS; silence of SYNC_DEAD_MS ends the link
 *     BYE      why the link is being closed
 *
 * A peer hears that a change-set is safe only after SYNC_STAGED said so. Change-sets of one actor travel in order; a
 * window of SYNC_WINDOW_BYTES not yet acknowledged bounds what is under way. */
#ifndef NAVETTE_SYNC_H
#define NAVETTE_SYNC_H

#include <navette/bounds.h>
#include <navette/changeset.h>

#define SYNC_PROTOCOL 1
#define SYNC_PING_MS 3000
#define SYNC_DEAD_MS 9000
#define SYNC_WINDOW_BYTES (16u << 20) /* at least one change-set is always allowed */
#define SYNC_CLAIM_MS 10000           /* a WANT unanswered so long may be asked elsewhere */
#define SYNC_FETCH_BYTES (4u << 20)   /* asked of the store at a time; at least one change-set comes */

/* Which link has been asked for which actor; shared by all links of one site, owned by the shell. */
struct sync_claim {
    struct actor actor;
    uint64_t link;        /* sync.link of the holder */
    uint64_t deadline_ms;
};

struct sync_claims {
    struct sync_claim *claims;
    uint32_t n, room;
};

void sync_claims_close(struct sync_claims *c);

struct sync {
    uint64_t link;              /* unique among the links of this site, for claims */
    struct actor self;          /* our present actor */
    struct site_id peer;        /* authenticated by the channel */
    struct sync_claims *claims; /* shared */
    enum { SYNC_NEW, SYNC_GREETING, SYNC_OPEN, SYNC_CLOSED } state;
    struct vector peer_have;    /* what the peer acknowledged as staged */
    struct vector peer_applied;
    struct vector sent;         /* highest number sent on this link per actor */
    struct vector wanted;       /* what the peer asked for and has not got: number = after */
    struct vector pending;      /* per actor, what has been asked of us to fetch next */
    const struct vector *have;  /* ours, staged; lent by the caller, always current */
    const struct vector *applied; /* ours, applied; likewise */
    uint8_t roster_digest[HASH_BYTES];
    uint64_t peer_wall_ms;      /* from HELLO and PONG, for the skew */
    int64_t skew_ms;            /* peer's clock minus ours, half the round trip taken off */
    uint32_t rtt_ms;
    uint64_t heard_ms, ping_ms, ping_sent_ms;
    uint64_t window_bytes;      /* sent and not yet acknowledged */
    bool have_changed;
    bool fetching;
    bool staging;
    void *private_;             /* whatever else the implementation keeps */
};

enum sync_event_kind {
    SYNC_OPENED,  /* the channel is authenticated */
    SYNC_MESSAGE, /* bytes: one message of the peer's */
    SYNC_FETCHED, /* bytes: concatenated change-sets asked for by a fetch action, in order, maybe none */
    SYNC_STAGED,  /* the answer to a stage action: `ok`, and `e` when not (duplicates are ok) */
    SYNC_LOCAL,   /* our have-vector, applied-vector or roster changed */
    SYNC_TIMEOUT  /* the deadline passed */
};

struct sync_event {
    uint64_t now_ms;    /* monotonic */
    uint64_t wall_ms;   /* wall clock */
    enum sync_event_kind kind;
    struct slice bytes;
    bool ok;
    const struct err *e;
    struct slice roster;               /* our roster log, lent at every event */
    const uint8_t *roster_digest;      /* and its digest: hash of the sorted entry hashes */
};

struct sync_actions {
    struct buf send;        /* messages for the channel, each preceded by its length (u32 BE); owned by the caller */
    struct slice stage;     /* make durable, then answer SYNC_STAGED; borrows the event's bytes */
    struct slice roster;    /* merge into our roster; no answer (SYNC_LOCAL follows if it changed) */
    bool fetch;             /* read change-sets of `fetch_actor` after `fetch_after`, about SYNC_FETCH_BYTES, answer SYNC_FETCHED */
    struct actor fetch_actor;
    uint64_t fetch_after;
    uint64_t deadline_ms;   /* monotonic; answer SYNC_TIMEOUT no later */
};

void sync_open(struct sync *s, uint64_t link, const struct actor *self, const struct site_id *peer,
               struct sync_claims *claims, const struct vector *have, const struct vector *applied);
/* False: the link must be closed, after sending what is in `out->send` (a BYE). */
MUST_USE bool sync_step(struct sync *s, const struct sync_event *ev, struct sync_actions *out,
                        struct err *e);
void sync_close(struct sync *s); /* gives claims back */

#endif
