/* Two channels and the bytes between them, for the tests of the handshake and of frames. */
#ifndef NAVETTE_TEST_PAIR_H
#define NAVETTE_TEST_PAIR_H

#include <navette/frame.h>

#include "golden.h"

#define OUT_BYTES_MAX (2u * MESSAGE_BYTES_MAX)

/* What arrived on one side. */
struct heard {
    struct buf bytes; /* all messages, one behind the other */
    uint32_t messages;
    bool refuse; /* the application says no */
};

/* Two channels and the bytes on their way. */
struct pair {
    struct keys keys[2];
    struct channel_secret secret;
    struct replay_cache replays;
    struct channel a, b; /* initiator, responder */
    struct buf to_a, to_b;
    struct heard heard_a, heard_b;
};

static inline bool on_message(void *context, struct slice message, struct err *e)
{
    struct heard *h = context;

    if (h->refuse)
        return err_set(e, ERR_REFUSED, "not this one");
    h->messages++;
    buf_add(&h->bytes, message.p, message.n);
    return true;
}

static inline struct keys keys_counting_from(uint8_t first)
{
    struct keys k;
    uint8_t seed[KEY_BYTES];

    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)(first + i);
    keys_from_seed(&k, seed);
    return k;
}

static inline struct channel_secret secret_counting(void)
{
    struct channel_secret s = {.mode = CHANNEL_FLEET, .tag = 7};

    for (size_t i = 0; i < sizeof s.psk; i++)
        s.psk[i] = (uint8_t)(0x40 + i);
    for (size_t i = 0; i < sizeof s.context; i++)
        s.context[i] = (uint8_t)(0x60 + i);
    return s;
}

/* Both sides opened; message 1 is on its way. */
static inline void pair_open(struct pair *p)
{
    struct err e = {0};

    *p = (struct pair){.secret = secret_counting()};
    p->keys[0] = keys_counting_from(0);
    p->keys[1] = keys_counting_from(32);
    buf_open(&p->to_a, OUT_BYTES_MAX);
    buf_open(&p->to_b, OUT_BYTES_MAX);
    buf_open(&p->heard_a.bytes, OUT_BYTES_MAX);
    buf_open(&p->heard_b.bytes, OUT_BYTES_MAX);
    assert_true(channel_open(&p->a, true, &p->keys[0], &p->secret, 1, NULL, &p->to_b, &e));
    assert_true(channel_open(&p->b, false, &p->keys[1], &p->secret, 1, &p->replays, &p->to_a, &e));
    assert_int_equal(p->to_a.n, 0);
}

static inline void pair_close(struct pair *p)
{
    channel_close(&p->a);
    channel_close(&p->b);
    buf_close(&p->to_a);
    buf_close(&p->to_b);
    buf_close(&p->heard_a.bytes);
    buf_close(&p->heard_b.bytes);
}

static inline bool feed_a(struct pair *p, struct slice bytes, struct err *e)
{
    return channel_feed(&p->a, bytes, &p->to_b, on_message, &p->heard_a, e);
}

static inline bool feed_b(struct pair *p, struct slice bytes, struct err *e)
{
    return channel_feed(&p->b, bytes, &p->to_a, on_message, &p->heard_b, e);
}

/* Deliver what is under way, whole, until nothing is. */
static inline void deliver(struct pair *p)
{
    struct err e = {0};

    while (p->to_a.n > 0 || p->to_b.n > 0) {
        assert_true(feed_b(p, buf_slice(&p->to_b), &e));
        buf_clear(&p->to_b);
        assert_true(feed_a(p, buf_slice(&p->to_a), &e));
        buf_clear(&p->to_a);
    }
}

static inline void pair_shake_hands(struct pair *p)
{
    pair_open(p);
    deliver(p);
    assert_int_equal(p->a.state, CHANNEL_OPEN);
    assert_int_equal(p->b.state, CHANNEL_OPEN);
}

/* A message arrived as something else, with whatever state the channel is in: it must fail for
 * good, answer nothing and hand nothing on. */
static inline void check_fails(struct channel *c, struct slice bytes)
{
    struct heard heard = {0};
    struct buf out;
    struct err e = {0};

    buf_open(&out, OUT_BYTES_MAX);
    buf_open(&heard.bytes, OUT_BYTES_MAX);
    assert_false(channel_feed(c, bytes, &out, on_message, &heard, &e));
    assert_int_not_equal(e.code, ERR_NONE);
    assert_int_equal(c->state, CHANNEL_FAILED);
    assert_int_equal(out.n, 0);
    assert_int_equal(heard.messages, 0);
    assert_true(sodium_is_zero(c->receive.key, sizeof c->receive.key));
    err_clear(&e);
    assert_false(channel_feed(c, bytes, &out, on_message, &heard, &e)); /* final */
    buf_close(&out);
    buf_close(&heard.bytes);
}

#endif
