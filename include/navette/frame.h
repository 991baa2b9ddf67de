/* The channel: handshake and record layer of one TCP connection, as a machine that takes the bytes
 * that arrived and gives bytes to send and whole messages. It knows no socket.
 *
 *     frame   = length: u16 big endian, then that many bytes of one Noise message
 *     message = one or more transport frames; the last byte inside each says whether more follow,
 *               and whether the frames after it are under another key
 *
 * States: HANDSHAKE (3 Noise messages of exact sizes; the payloads of 2 and 3 carry the identity)
 * -> OPEN -> FAILED. Until the first message has authenticated with a psk we know, channel_feed
 * gives nothing to send: a stranger gets no byte. */
#ifndef NAVETTE_FRAME_H
#define NAVETTE_FRAME_H

#include <navette/bounds.h>
#include <navette/noise.h>

#define FRAME_CHUNK_BYTES_MAX                                                                      \
    (FRAME_BYTES_MAX - NOISE_TAG_BYTES - 1)    /* of a message, in one frame */
#define FRAME_REKEY_BYTES  (UINT64_C(1) << 30) /* encrypted under one key before it is replaced */
#define FRAME_REKEY_MS     3600000u            /* so long a key serves, at most */
#define REPLAYS_MAX        256
#define CHANNEL_KEEP_BYTES (1u << 20) /* of an unfinished message; the rest is put aside */

enum channel_mode { CHANNEL_FLEET = 1, CHANNEL_INVITE = 2 }; /* which secret is the psk */

/* A secret the responder would accept. `tag` comes back as channel.tag: the caller's own number (an
 * invitation's index). */
struct channel_secret {
    enum channel_mode mode;
    uint8_t psk[32];
    uint8_t context[FLEET_ID_BYTES]; /* fleet id, or invite id and zeros: bound by the prologue */
    uint32_t tag;
};

/* Ephemeral keys of the last first messages that a site answered. Who recorded one and plays it
 * again is not answered a second time. Zeroed is empty; one for all channels of a site. */
struct replay_cache {
    uint8_t seen[REPLAYS_MAX][32];
    uint32_t n;    /* how many are filled */
    uint32_t next; /* which is replaced next */
};

/* Where a message is put together that outgrows CHANNEL_KEEP_BYTES, if `add` is not NULL; else it
 * is kept in memory whole, and so is what is told with an invitation: a key is in it. */
struct channel_spool {
    void *context;
    bool (*add)(void *context, struct slice bytes, struct err *e); /* behind what is there */
    /* All that was added, good until `drop`. */
    bool (*view)(void *context, struct slice *whole, struct err *e);
    void (*drop)(void *context); /* harmless when nothing is there */
};

struct channel {
    bool initiator;
    enum { CHANNEL_HANDSHAKE, CHANNEL_OPEN, CHANNEL_FAILED } state;
    const struct keys *keys;
    struct replay_cache *replays;
    struct noise noise;
    struct channel_secret *secrets; /* copied, wiped */
    uint32_t secret_count;
    enum channel_mode mode; /* once OPEN (responder: once message 1 verified) */
    uint32_t tag;
    struct noise_cipher send, receive;
    uint64_t sent_bytes, received_bytes; /* under the present keys */
    uint64_t now_ms, key_ms;             /* channel_clock; when the sending key began to serve */
    uint64_t rekey_bytes;         /* FRAME_REKEY_BYTES; tests make it small, alike on both sides */
    uint64_t rekey_ms;            /* FRAME_REKEY_MS, or less */
    uint8_t peer_sign_public[32]; /* once OPEN: bound to the peer's static key by its signature */
    uint8_t peer_exchange_public[32];
    struct site_id peer;
    uint8_t session[32];        /* once OPEN: the same at both ends, and of no other channel */
    struct buf in;              /* bytes of an unfinished frame */
    struct buf message;         /* payload of an unfinished message, or the beginning of it... */
    size_t message_bytes;       /* ...which has so many by now */
    bool aside;                 /* all of it is in the spool */
    struct channel_spool spool; /* the caller's, set behind channel_open */
};

/* The initiator passes exactly one secret, the responder 1 to FLEET_KEYS_MAX + INVITES_MAX. `keys`
 * must outlive the channel, and so must `replays`, which a responder that listens to strangers
 * passes; it may be NULL. The initiator's first bytes are put into `out`. */
MUST_USE bool channel_open(struct channel *c, bool initiator, const struct keys *keys,
                           const struct channel_secret *secrets, uint32_t count,
                           struct replay_cache *replays, struct buf *out, struct err *e);

/* What time it is, on a clock that only goes forward: call it before feeding and sending. Without
 * it no key grows old. */
void channel_clock(struct channel *c, uint64_t now_ms);

/* Bytes arrived. Handshake answers are appended to `out`. Each whole message calls on_message with
 * a borrowed slice (good until it returns), possibly in the very call that makes the channel OPEN:
 * check there that `peer` is one to talk to. on_message may call channel_send, not channel_feed or
 * channel_close; when it returns false feeding stops and its error stands. A failure is final.
 * ERR_STRANGER: nothing of ours opens the first message, or it was played again. ERR_CRYPTO: bytes
 * that do not authenticate. ERR_INPUT, ERR_LIMIT: sizes out of bounds. And whatever the spool says.
 */
typedef bool channel_on_message(void *context, struct slice message, struct err *e);
MUST_USE bool channel_feed(struct channel *c, struct slice bytes, struct buf *out,
                           channel_on_message *on_message, void *context, struct err *e);

/* Encrypt one message (1 to MESSAGE_BYTES_MAX bytes) into frames appended to `out`. Only when OPEN.
 * ERR_LIMIT when it has no room: nothing was sent and the channel stays good. */
MUST_USE bool channel_send(struct channel *c, struct slice message, struct buf *out, struct err *e);
/* Wipes. A zeroed channel may be closed, and closing twice is harmless. */
void channel_close(struct channel *c);

#endif
