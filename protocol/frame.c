#include <navette/frame.h>

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include <sodium.h>

#define LENGTH_BYTES     2
#define PROLOGUE_VERSION "navette 1" /* with its NUL */
#define IDENTITY_CONTEXT "navette static 1"
#define IDENTITY_BYTES   (SIGN_PUBLIC_BYTES + SIGNATURE_BYTES)
#define START_BYTES      4096 /* of a message that is put aside, kept to be looked at */

/* Exact sizes of the three handshake messages. */
static const size_t handshake_bytes[] = {
    32 + NOISE_TAG_BYTES,
    32 + 32 + NOISE_TAG_BYTES + IDENTITY_BYTES + NOISE_TAG_BYTES,
    32 + NOISE_TAG_BYTES + IDENTITY_BYTES + NOISE_TAG_BYTES,
};

enum role { ROLE_INITIATOR = 1, ROLE_RESPONDER = 2 };

/* The last byte inside a transport frame. */
enum { FLAG_GOES_ON = 1, FLAG_REKEY = 2, FLAGS = FLAG_GOES_ON | FLAG_REKEY };

/* ---- identity: the payload of messages 2 and 3 ---- */

/* What an identity signs: context of the secret, mode, static key, role. */
struct claim {
    uint8_t bytes[FLEET_ID_BYTES + 1 + KEY_BYTES + 1];
};

static struct claim claim_of(const struct channel *c, const uint8_t static_public[32],
                             enum role role)
{
    struct claim claim;

    memcpy(claim.bytes, c->secrets[0].context, FLEET_ID_BYTES);
    claim.bytes[FLEET_ID_BYTES] = (uint8_t)c->mode;
    memcpy(claim.bytes + FLEET_ID_BYTES + 1, static_public, KEY_BYTES);
    claim.bytes[sizeof claim.bytes - 1] = (uint8_t)role;
    return claim;
}

static bool frame_handshake(struct channel *c, struct slice payload, struct buf *out, struct err *e)
{
    uint8_t length[LENGTH_BYTES];
    size_t n = handshake_bytes[c->noise.step];

    length[0] = (uint8_t)(n >> 8);
    length[1] = (uint8_t)n;
    buf_add(out, length, sizeof length);
    return noise_write(&c->noise, payload, out, e);
}

static bool send_identity(struct channel *c, struct buf *out, struct err *e)
{
    enum role role = c->initiator ? ROLE_INITIATOR : ROLE_RESPONDER;
    struct claim claim = claim_of(c, c->noise.static_public, role);
    uint8_t payload[IDENTITY_BYTES];

    memcpy(payload, c->keys->sign_public, SIGN_PUBLIC_BYTES);
    keys_sign(c->keys, IDENTITY_CONTEXT, SLICE(claim.bytes), payload + SIGN_PUBLIC_BYTES);
    return frame_handshake(c, SLICE(payload), out, e);
}

static bool read_identity(struct channel *c, struct slice message, struct err *e)
{
    enum role role = c->initiator ? ROLE_RESPONDER : ROLE_INITIATOR;
    struct claim claim;
    struct buf payload;
    bool ok = false;

    buf_open(&payload, IDENTITY_BYTES);
    if (!noise_read(&c->noise, message, &payload, e))
        goto out;
    claim = claim_of(c, c->noise.remote_static, role);
    if (!keys_verify(payload.p, IDENTITY_CONTEXT, SLICE(claim.bytes), payload.p + SIGN_PUBLIC_BYTES,
                     e))
        goto out;
    memcpy(c->peer_sign_public, payload.p, SIGN_PUBLIC_BYTES);
    memcpy(c->peer_exchange_public, c->noise.remote_static, KEY_BYTES);
    c->peer = keys_site_id(c->peer_sign_public);
    ok = true;
out:
    buf_close(&payload);
    return ok;
}

/* ---- handshake ---- */

struct prologue {
    uint8_t bytes[sizeof PROLOGUE_VERSION + 1 + FLEET_ID_BYTES];
};

static struct prologue prologue_of(const struct channel_secret *secret)
{
    struct prologue p;

    memcpy(p.bytes, PROLOGUE_VERSION, sizeof PROLOGUE_VERSION);
    p.bytes[sizeof PROLOGUE_VERSION] = (uint8_t)secret->mode;
    memcpy(p.bytes + sizeof PROLOGUE_VERSION + 1, secret->context, FLEET_ID_BYTES);
    return p;
}

static void noise_start(struct channel *c, const struct channel_secret *secret)
{
    struct prologue prologue = prologue_of(secret);
    uint8_t ephemeral[KEY_BYTES];

    random_fill(ephemeral, sizeof ephemeral);
    noise_open(&c->noise, c->initiator, SLICE(prologue.bytes), secret->psk,
               c->keys->exchange_secret, ephemeral);
    c->mode = secret->mode;
    c->tag = secret->tag;
    sodium_memzero(ephemeral, sizeof ephemeral);
}

static void wipe_secrets(struct channel *c)
{
    secret_free(c->secrets);
    c->secrets = NULL;
    c->secret_count = 0;
}

static bool replay_is_new(struct replay_cache *cache, const uint8_t ephemeral[32])
{
    for (uint32_t i = 0; i < cache->n; i++)
        if (memcmp(cache->seen[i], ephemeral, sizeof cache->seen[i]) == 0)
            return false;
    memcpy(cache->seen[cache->next], ephemeral, sizeof cache->seen[cache->next]);
    cache->next = (cache->next + 1) % REPLAYS_MAX;
    if (cache->n < REPLAYS_MAX)
        cache->n++;
    return true;
}

/* The same keys under another secret: what strangers send is tried with all of them, and a key
 * costs more than all the rest. */
static void noise_start_again(struct channel *c, const struct channel_secret *secret)
{
    struct prologue prologue = prologue_of(secret);

    noise_restart(&c->noise, SLICE(prologue.bytes), secret->psk);
    c->mode = secret->mode;
    c->tag = secret->tag;
}

/* Which of our secrets opens the first message? That one moves to the front. */
static bool find_secret(struct channel *c, struct slice message, struct err *e)
{
    for (uint32_t i = 0; i < c->secret_count; i++) {
        struct buf nothing = {0};
        struct err mismatch = {0}; /* expected: the next secret may fit */

        if (i == 0)
            noise_start(c, &c->secrets[i]);
        else
            noise_start_again(c, &c->secrets[i]);
        if (noise_read(&c->noise, message, &nothing, &mismatch)) {
            c->secrets[0] = c->secrets[i];
            return true;
        }
    }
    return err_set(e, ERR_STRANGER, "a first message that no secret of ours opens");
}

static void become_open(struct channel *c)
{
    noise_split(&c->noise, &c->send, &c->receive);
    memcpy(c->session, c->noise.hash, sizeof c->session);
    noise_wipe(&c->noise);
    wipe_secrets(c);
    c->state = CHANNEL_OPEN;
    c->key_ms = c->now_ms;
    c->message.secret = c->mode == CHANNEL_INVITE; /* the fleet's key comes in it */
}

static bool answer_first(struct channel *c, struct slice message, struct buf *out, struct err *e)
{
    if (!find_secret(c, message, e))
        return false;
    if (c->replays != NULL && !replay_is_new(c->replays, c->noise.remote_ephemeral))
        return err_set(e, ERR_STRANGER, "a first message that was answered before");
    return send_identity(c, out, e);
}

static bool feed_second_or_third(struct channel *c, struct slice message, struct buf *out,
                                 struct err *e)
{
    bool ok = read_identity(c, message, e) && (!c->initiator || send_identity(c, out, e));

    if (ok)
        become_open(c);
    return ok;
}

/* An answer that could not be finished is none. */
static bool feed_handshake(struct channel *c, struct slice message, struct buf *out, struct err *e)
{
    size_t before = out->n;
    bool ok = c->noise.step == 0 ? answer_first(c, message, out, e)
                                 : feed_second_or_third(c, message, out, e);

    if (!ok)
        out->n = before;
    return ok;
}

/* ---- transport ---- */

/* The sender says in a frame that its next one is under another key; the receiver counts, too, so
 * that no key serves longer than it may. */
static bool follow_rekey(struct channel *c, size_t n, bool rekey, struct err *e)
{
    c->received_bytes += n;
    if (!rekey && c->received_bytes >= c->rekey_bytes)
        return err_set(e, ERR_LIMIT, "%" PRIu64 " bytes under one key, allowed %" PRIu64,
                       c->received_bytes, c->rekey_bytes);
    if (rekey) {
        noise_rekey(&c->receive);
        c->received_bytes = 0;
    }
    return true;
}

static void drop_aside(struct channel *c)
{
    if (c->aside)
        c->spool.drop(c->spool.context);
    c->aside = false;
}

/* Room for a large message goes back once it was handed on. */
static void message_done(struct channel *c)
{
    drop_aside(c);
    c->message_bytes = 0;
    buf_clear(&c->message);
    if (c->message.room > CHANNEL_KEEP_BYTES) {
        bool secret = c->message.secret;

        buf_close(&c->message);
        buf_open(&c->message, MESSAGE_BYTES_MAX + 1);
        c->message.secret = secret;
    }
}

/* What is aside needs no room here but that of a frame. */
static void keep_start(struct channel *c)
{
    struct buf start;

    buf_open(&start, MESSAGE_BYTES_MAX + 1);
    buf_add(&start, c->message.p, START_BYTES);
    buf_close(&c->message);
    c->message = start;
}

/* The last n bytes came to the message: is it one to be put aside? Then they go there, and all that
 * came before when it is the first time. */
static bool put_aside(struct channel *c, size_t n, struct err *e)
{
    size_t before = c->message.n - n;
    bool ok;

    if (c->spool.add == NULL || c->message.secret || c->message_bytes <= CHANNEL_KEEP_BYTES)
        return true;
    if (c->aside) {
        ok = c->spool.add(c->spool.context, (struct slice){c->message.p + before, n}, e);
    } else {
        c->aside = true;
        ok = c->spool.add(c->spool.context, buf_slice(&c->message), e);
        keep_start(c);
    }
    c->message.n = START_BYTES;
    return ok;
}

/* Decrypt straight behind what is there of the message; then its last byte says how it goes on. */
static bool feed_transport(struct channel *c, struct slice sealed, channel_on_message *on_message,
                           void *context, struct err *e)
{
    size_t n = sealed.n - NOISE_TAG_BYTES;
    struct slice whole;
    uint8_t flags;
    bool ok;

    if (c->message_bytes + n - 1 > MESSAGE_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "a message of more than %u bytes", MESSAGE_BYTES_MAX);
    if (!noise_unseal(&c->receive, sealed, &c->message, e))
        return false;
    flags = c->message.p[--c->message.n];
    if (flags > FLAGS)
        return err_set(e, ERR_INPUT, "a frame that ends with %u, allowed 0 to %d", flags, FLAGS);
    if (!follow_rekey(c, n, (flags & FLAG_REKEY) != 0, e))
        return false;
    c->message_bytes += n - 1;
    if (!put_aside(c, n - 1, e))
        return false;
    if ((flags & FLAG_GOES_ON) != 0)
        return true;
    whole = buf_slice(&c->message);
    ok = (!c->aside || c->spool.view(c->spool.context, &whole, e)) && on_message(context, whole, e);
    message_done(c);
    return ok;
}

/* ---- frames ---- */

static bool length_check(const struct channel *c, size_t n, struct err *e)
{
    if (c->state == CHANNEL_OPEN) {
        if (n < NOISE_TAG_BYTES + 2)
            return err_set(e, ERR_INPUT, "a frame of %zu bytes, allowed %d to %d", n,
                           NOISE_TAG_BYTES + 2, FRAME_BYTES_MAX);
        return true;
    }
    if (n != handshake_bytes[c->noise.step])
        return err_set(e, ERR_INPUT, "handshake message %d has %zu bytes instead of %zu",
                       c->noise.step + 1, n, handshake_bytes[c->noise.step]);
    return true;
}

/* Bytes a whole frame has, as far as `have` tells: its length field first. */
static bool frame_bytes(const struct channel *c, struct slice have, size_t *n, struct err *e)
{
    *n = LENGTH_BYTES;
    if (have.n < LENGTH_BYTES)
        return true;
    *n += (size_t)have.p[0] << 8 | have.p[1];
    return length_check(c, *n - LENGTH_BYTES, e);
}

/* The next whole frame, length field included, or an empty slice when `bytes` ended before it did.
 * A frame that lies whole in `bytes` is not copied; others are collected in c->in. */
static bool next_frame(struct channel *c, struct slice *bytes, struct slice *frame, struct err *e)
{
    size_t need, n;

    *frame = (struct slice){0};
    if (c->in.n == 0) {
        if (!frame_bytes(c, *bytes, &need, e))
            return false;
        if (need > LENGTH_BYTES && need <= bytes->n) {
            *frame = (struct slice){bytes->p, need};
            *bytes = (struct slice){bytes->p + need, bytes->n - need};
            return true;
        }
    }
    do {
        if (!frame_bytes(c, buf_slice(&c->in), &need, e))
            return false;
        if (c->in.n == need) {
            *frame = buf_slice(&c->in);
            return true;
        }
        n = need - c->in.n < bytes->n ? need - c->in.n : bytes->n;
        buf_add(&c->in, bytes->p, n);
        *bytes = (struct slice){bytes->p + n, bytes->n - n};
    } while (n > 0);
    return true;
}

/* Nothing of a failed or closed channel can be used again. */
static void wipe(struct channel *c)
{
    drop_aside(c);
    wipe_secrets(c);
    noise_wipe(&c->noise);
    sodium_memzero(&c->send, sizeof c->send);
    sodium_memzero(&c->receive, sizeof c->receive);
    buf_wipe(&c->in);
    buf_wipe(&c->message);
    c->message_bytes = 0;
}

static bool fail(struct channel *c)
{
    wipe(c);
    c->state = CHANNEL_FAILED;
    return false;
}

/* ---- what others call ---- */

bool channel_open(struct channel *c, bool initiator, const struct keys *keys,
                  const struct channel_secret *secrets, uint32_t count,
                  struct replay_cache *replays, struct buf *out, struct err *e)
{
    assert(count >= 1 && count <= FLEET_KEYS_MAX + INVITES_MAX);
    assert(!initiator || count == 1);
    *c = (struct channel){.initiator = initiator,
                          .keys = keys,
                          .replays = replays,
                          .secret_count = count,
                          .rekey_bytes = FRAME_REKEY_BYTES,
                          .rekey_ms = FRAME_REKEY_MS};
    c->secrets = secret_alloc(count * sizeof *secrets);
    memcpy(c->secrets, secrets, count * sizeof *secrets);
    buf_open(&c->in, LENGTH_BYTES + FRAME_BYTES_MAX);
    buf_open(&c->message, MESSAGE_BYTES_MAX + 1);
    if (!initiator)
        return true;
    noise_start(c, &c->secrets[0]);
    return frame_handshake(c, (struct slice){0}, out, e) || fail(c);
}

void channel_clock(struct channel *c, uint64_t now_ms)
{
    c->now_ms = now_ms;
}

bool channel_feed(struct channel *c, struct slice bytes, struct buf *out,
                  channel_on_message *on_message, void *context, struct err *e)
{
    struct slice left = bytes, frame;

    if (c->state == CHANNEL_FAILED)
        return err_set(e, ERR_CRYPTO, "the channel has failed before");
    for (;;) {
        struct slice body;
        bool ok;

        if (!next_frame(c, &left, &frame, e))
            return fail(c);
        if (frame.n == 0)
            return true;
        body = (struct slice){frame.p + LENGTH_BYTES, frame.n - LENGTH_BYTES};
        ok = c->state == CHANNEL_OPEN ? feed_transport(c, body, on_message, context, e)
                                      : feed_handshake(c, body, out, e);
        if (!ok)
            return fail(c);
        buf_clear(&c->in);
    }
}

/* With this frame of n bytes, has the sending key served long enough? */
static bool rekey_is_due(const struct channel *c, size_t n)
{
    return c->sent_bytes + n >= c->rekey_bytes || c->now_ms - c->key_ms >= c->rekey_ms;
}

/* One frame at `at`: length, chunk, flags, tag. Encrypted where it stands. */
static bool seal_frame(struct channel *c, uint8_t *at, struct slice chunk, bool goes_on,
                       struct err *e)
{
    size_t n = chunk.n + 1;
    bool rekey = rekey_is_due(c, n);

    at[0] = (uint8_t)((n + NOISE_TAG_BYTES) >> 8);
    at[1] = (uint8_t)(n + NOISE_TAG_BYTES);
    memcpy(at + LENGTH_BYTES, chunk.p, chunk.n);
    at[LENGTH_BYTES + chunk.n] = (uint8_t)((goes_on ? FLAG_GOES_ON : 0) | (rekey ? FLAG_REKEY : 0));
    if (!noise_seal_at(&c->send, at + LENGTH_BYTES, n, e))
        return false;
    c->sent_bytes += n;
    if (rekey) {
        noise_rekey(&c->send);
        c->sent_bytes = 0;
        c->key_ms = c->now_ms;
    }
    return true;
}

bool channel_send(struct channel *c, struct slice message, struct buf *out, struct err *e)
{
    const size_t around = LENGTH_BYTES + 1 + NOISE_TAG_BYTES;
    size_t frames = (message.n + FRAME_CHUNK_BYTES_MAX - 1) / FRAME_CHUNK_BYTES_MAX;
    struct slice left = message;
    uint8_t *at;

    assert(c->state == CHANNEL_OPEN);
    if (message.n == 0 || message.n > MESSAGE_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "a message of %zu bytes, allowed 1 to %u", message.n,
                       MESSAGE_BYTES_MAX);
    if (out->overflow || message.n + frames * around > out->max - out->n)
        return err_set(e, ERR_LIMIT, "no room to send a message of %zu bytes", message.n);
    at = buf_extend(out, message.n + frames * around);
    while (left.n > 0) {
        bool whole = left.n <= FRAME_CHUNK_BYTES_MAX;
        struct slice chunk = {left.p, whole ? left.n : FRAME_CHUNK_BYTES_MAX};

        if (!seal_frame(c, at, chunk, !whole, e))
            return fail(c);
        at += chunk.n + around;
        left = (struct slice){left.p + chunk.n, left.n - chunk.n};
    }
    return true;
}

void channel_close(struct channel *c)
{
    wipe(c);
    *c = (struct channel){0};
}
