/* An open channel takes any bytes, and any plaintext that a member seals, without harm. */
#include <stdlib.h>

#include <navette/frame.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static bool on_message(void *context, struct slice message, struct err *e)
{
    (void)context;
    (void)e;
    if (message.n == 0 || message.n > MESSAGE_BYTES_MAX)
        abort();
    return true;
}

/* Feed an open channel whose keys are zero (as if after a handshake), some bytes at a time. */
static void feed(struct slice bytes, size_t step)
{
    struct channel c = {.state = CHANNEL_OPEN, .rekey_bytes = UINT64_MAX};
    struct buf out = {0};
    struct err e = {0};
    bool ok = true;

    buf_open(&c.in, 2 + FRAME_BYTES_MAX);
    buf_open(&c.message, MESSAGE_BYTES_MAX + 1);
    for (size_t at = 0; ok && at < bytes.n; at += step) {
        size_t n = bytes.n - at < step ? bytes.n - at : step;

        ok = channel_feed(&c, (struct slice){bytes.p + at, n}, &out, on_message, NULL, &e);
    }
    if (ok != (e.code == ERR_NONE) || ok == (c.state == CHANNEL_FAILED))
        abort();
    channel_close(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct noise_cipher sender = {0};
    struct slice left = {bytes, n};
    struct err e = {0};
    struct buf frames;

    feed(left, 7);
    buf_open(&frames, 32 * n + 64);
    while (left.n > 0) { /* plaintexts: a length byte before each */
        size_t part = left.p[0] < left.n - 1 ? left.p[0] : left.n - 1;

        buf_add_byte(&frames, (uint8_t)((part + NOISE_TAG_BYTES) >> 8));
        buf_add_byte(&frames, (uint8_t)(part + NOISE_TAG_BYTES));
        if (!noise_seal(&sender, (struct slice){left.p + 1, part}, &frames, &e))
            abort();
        left = (struct slice){left.p + 1 + part, left.n - 1 - part};
    }
    feed(buf_slice(&frames), 1 + n % 100);
    buf_close(&frames);
    return 0;
}
