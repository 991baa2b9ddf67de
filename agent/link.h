/* Link: one TCP connection with its channel: whole messages in and out, and nothing before the
 * handshake is done.
 *
 * States: CONNECTING (dialled) -> SHAKING -> OPEN -> CLOSING -> released. Every failure leads to
 * CLOSING. */
#ifndef NAVETTE_LINK_H
#define NAVETTE_LINK_H

#include <uv.h>

#include <navette/frame.h>
#include <navette/sync.h>

#include "config.h"
#include "spool.h"

#define LINK_QUEUE_MAX                                                                             \
    (SYNC_QUEUE_BYTES_MAX + (1u << 20)) /* a peer that does not read is cut off here */

#define LINK_STUCK_MS 30000 /* nor one that takes nothing for so long */

struct agent;
struct link;

/* What a link tells its owner. `user` of the link is the owner's. */
struct link_events {
    void (*on_open)(struct link *l); /* the peer is authenticated: l->channel says who and how */
    /* A whole message, borrowed. False closes the link with `e`. */
    bool (*on_message)(struct link *l, struct slice message, struct err *e);
    /* Bytes came that do not end a message yet: `bytes` of it are there, of which `start` are the
     * first, borrowed, and `more` of a frame. False closes the link with `e`. */
    bool (*on_heard)(struct link *l, struct slice start, size_t bytes, size_t more, struct err *e);
    void (*on_drained)(struct link *l); /* all that was sent has left */
    /* The link is closing, because of `e`; it is silent from now on and releases itself later. */
    void (*on_closed)(struct link *l, const struct err *e);
};

struct link {
    struct agent *agent;
    void *user;
    const struct link_events *events;
    enum { LINK_CONNECTING, LINK_SHAKING, LINK_OPEN, LINK_CLOSING } state;
    bool incoming;
    bool hung_up;           /* by the other end */
    struct address address; /* the other end */
    uint64_t started_ms;    /* uv_now */
    uint64_t opened_ms;
    struct channel channel;
    struct err failure; /* why it was closed */
    uv_tcp_t tcp;
    uv_connect_t connect;
    struct buf input;
    struct slice rest;     /* of it, while the link is held */
    struct spool arriving; /* a large message */
    struct buf output;     /* sealed, not yet given to the system */
    uint32_t writing;      /* requests of the system's that are not done */
    uint64_t given;        /* bytes given to the system */
    uint64_t taken;        /* of these, what the system had taken when that last changed: */
    uint64_t taken_ms;
    bool corked;
    bool held;
};

/* Who is told, and of whom. */
struct link_owner {
    const struct link_events *events;
    void *user;
};

/* Whom a listener lets in. */
struct link_door {
    const struct channel_secret *secrets;
    uint32_t count;
    struct replay_cache *replays;
    /* May who comes from there stay? NULL: anybody. */
    bool (*admit)(void *context, const struct sockaddr_in *from, struct err *e);
    void *context;
};

/* Connect to `address` and shake hands with `secret`. A failure right now is a failure of the call,
 * a later one comes as on_closed. */
MUST_USE bool link_dial(struct link **l, struct agent *a, const struct address *address,
                        const struct channel_secret *secret, struct link_owner owner,
                        struct err *e);
/* Take a connection that waits on `server`; the peer must open it with one of the door's secrets.
 */
MUST_USE bool link_accept(struct link **l, struct agent *a, uv_stream_t *server,
                          const struct link_door *door, struct link_owner owner, struct err *e);

/* Send one message; on failure the link is closed. Nothing happens on a link that is not OPEN. */
void link_send(struct link *l, struct slice message);
/* The same for several, each preceded by its length (u32 BE), as sync_actions.send holds them. */
void link_send_all(struct link *l, struct slice messages);
size_t link_queued(const struct link *l);
/* Something waits to be sent, and nothing of it was taken for LINK_STUCK_MS. Ask now and then. */
bool link_is_stuck(struct link *l, uint64_t now_ms);
/* In between, what is sent is gathered, so that it leaves in one piece. */
void link_cork(struct link *l);
void link_uncork(struct link *l);

/* Take nothing for a while: others have their turn. Messages may be waiting that were read already
 * (link_has_rest): link_resume hands them on, and may find the link held again. */
void link_hold(struct link *l);
void link_resume(struct link *l);
bool link_has_rest(const struct link *l);

/* Close it; `why` may be NULL for no failure. What was sent before is given to the system if it
 * takes it. */
void link_close(struct link *l, const struct err *why);

/* "192.168.1.20:7400" into `out`. */
#define ADDRESS_TEXT_BYTES 24
const char *address_text(char out[ADDRESS_TEXT_BYTES], const struct address *a);
void address_of(struct address *a, const struct sockaddr *from);
MUST_USE bool address_socket(struct sockaddr_in *to, const struct address *a, struct err *e);
bool address_equal(const struct address *a, const struct address *b);
/* An error of libuv's as ERR_NET: "listen on 0.0.0.0:7400: address already in use". Returns false.
 */
bool net_err(struct err *e, int status, const char *doing);

#endif
