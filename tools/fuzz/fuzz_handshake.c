/* Whatever a stranger sends he gets no byte; and one who has the psk gets no further with an
 * identity that did not sign his static key. */
#include <stdlib.h>
#include <string.h>

#include <navette/frame.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const struct channel_secret secret = {.mode = CHANNEL_FLEET, .psk = {1}};

static bool on_message(void *context, struct slice message, struct err *e)
{
    (void)context;
    (void)message;
    (void)e;
    abort(); /* nobody here can have sealed one */
}

/* Feed `bytes` in two pieces; the channel fails exactly when it says so. */
static void feed(struct channel *c, struct slice bytes, size_t cut, struct buf *out)
{
    struct err e = {0};
    struct slice rest = {bytes.p + cut, bytes.n - cut};
    bool ok = channel_feed(c, (struct slice){bytes.p, cut}, out, on_message, NULL, &e) &&
              channel_feed(c, rest, out, on_message, NULL, &e);

    if (ok == (c->state == CHANNEL_FAILED) || ok != (e.code == ERR_NONE))
        abort();
}

static void open_side(struct channel *c, bool initiator, const struct keys *k, struct buf *out)
{
    struct err e = {0};

    if (!channel_open(c, initiator, k, &secret, 1, NULL, out, &e))
        abort();
}

/* A right handshake up to message 3, which carries the input for an identity. */
static void check_identity(struct slice identity, const struct keys *k)
{
    uint8_t frame[2 + 160] = {0, 160}, payload[96] = {0};
    struct channel a, b;
    struct buf to_a, to_b, last, nothing;
    struct err e = {0};

    memcpy(payload, identity.p, identity.n < sizeof payload ? identity.n : sizeof payload);
    buf_open(&to_a, 256);
    buf_open(&to_b, 256);
    buf_open(&last, 256);
    buf_open(&nothing, 256);
    open_side(&a, true, k, &to_b);
    open_side(&b, false, k, &to_a);
    feed(&b, buf_slice(&to_b), 0, &to_a);
    if (to_a.n != 2 + 192 || !noise_read(&a.noise, (struct slice){to_a.p + 2, 192}, &nothing, &e) ||
        !noise_write(&a.noise, SLICE(payload), &last, &e))
        abort();
    memcpy(frame + 2, last.p, last.n);
    buf_clear(&nothing);
    feed(&b, SLICE(frame), 0, &nothing);
    if (b.state != CHANNEL_FAILED || nothing.n > 0)
        abort();
    channel_close(&a);
    channel_close(&b);
    buf_close(&to_a);
    buf_close(&to_b);
    buf_close(&last);
    buf_close(&nothing);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct channel c;
    struct keys k;
    struct buf out;

    keys_from_seed(&k, (const uint8_t[32]){1});
    buf_open(&out, 4096);
    for (int initiator = 0; initiator < 2; initiator++) {
        open_side(&c, initiator == 1, &k, &out);
        buf_clear(&out);
        feed(&c, (struct slice){bytes, n}, n == 0 ? 0 : bytes[0] % n, &out);
        if (out.n > 0)
            abort();
        channel_close(&c);
    }
    check_identity((struct slice){bytes, n}, &k);
    buf_close(&out);
    return 0;
}
