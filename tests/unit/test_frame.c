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

static bool on_message(void *context, struct slice message, struct err *e)
{
    struct heard *h = context;

    if (h->refuse)
        return err_set(e, ERR_REFUSED, "not this one");
    h->messages++;
    buf_add(&h->bytes, message.p, message.n);
    return true;
}

static struct keys keys_counting_from(uint8_t first)
{
    struct keys k;
    uint8_t seed[KEY_BYTES];

    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)(first + i);
    keys_from_seed(&k, seed);
    return k;
}

static struct channel_secret secret_counting(void)
{
    struct channel_secret s = {.mode = CHANNEL_FLEET, .tag = 7};

    for (size_t i = 0; i < sizeof s.psk; i++)
        s.psk[i] = (uint8_t)(0x40 + i);
    for (size_t i = 0; i < sizeof s.context; i++)
        s.context[i] = (uint8_t)(0x60 + i);
    return s;
}

/* Both sides opened; message 1 is on its way. */
static void pair_open(struct pair *p)
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

static void pair_close(struct pair *p)
{
    channel_close(&p->a);
    channel_close(&p->b);
    buf_close(&p->to_a);
    buf_close(&p->to_b);
    buf_close(&p->heard_a.bytes);
    buf_close(&p->heard_b.bytes);
}

static bool feed_a(struct pair *p, struct slice bytes, struct err *e)
{
    return channel_feed(&p->a, bytes, &p->to_b, on_message, &p->heard_a, e);
}

static bool feed_b(struct pair *p, struct slice bytes, struct err *e)
{
    return channel_feed(&p->b, bytes, &p->to_a, on_message, &p->heard_b, e);
}

/* Deliver what is under way, whole, until nothing is. */
static void deliver(struct pair *p)
{
    struct err e = {0};

    while (p->to_a.n > 0 || p->to_b.n > 0) {
        assert_true(feed_b(p, buf_slice(&p->to_b), &e));
        buf_clear(&p->to_b);
        assert_true(feed_a(p, buf_slice(&p->to_a), &e));
        buf_clear(&p->to_a);
    }
}

static void pair_shake_hands(struct pair *p)
{
    pair_open(p);
    deliver(p);
    assert_int_equal(p->a.state, CHANNEL_OPEN);
    assert_int_equal(p->b.state, CHANNEL_OPEN);
}

static void both_sides_learn_who_the_other_is(void **state)
{
    struct pair p;

    (void)state;
    pair_shake_hands(&p);
    assert_memory_equal(&p.a.peer, &p.keys[1].site, sizeof p.a.peer);
    assert_memory_equal(&p.b.peer, &p.keys[0].site, sizeof p.b.peer);
    assert_memory_equal(p.a.peer_sign_public, p.keys[1].sign_public, SIGN_PUBLIC_BYTES);
    assert_memory_equal(p.b.peer_exchange_public, p.keys[0].exchange_public, KEY_BYTES);
    assert_int_equal(p.b.mode, CHANNEL_FLEET);
    assert_int_equal(p.b.tag, 7);
    assert_null(p.b.secrets);
    pair_close(&p);
}

/* The same seeds, psk and ephemeral keys give the bytes that a second implementation wrote
 * (reference.py). */
static void the_handshake_is_that_of_the_worked_example(void **state)
{
    struct pair p;
    struct err e = {0};

    (void)state;
    golden_random_from(0x80);
    pair_open(&p);
    golden_check("handshake.txt", "frame_1", buf_slice(&p.to_b));
    golden_random_from(0xA0);
    assert_true(feed_b(&p, buf_slice(&p.to_b), &e));
    golden_random_end();
    buf_clear(&p.to_b);
    golden_check("handshake.txt", "frame_2", buf_slice(&p.to_a));
    assert_true(feed_a(&p, buf_slice(&p.to_a), &e));
    golden_check("handshake.txt", "frame_3", buf_slice(&p.to_b));
    assert_true(feed_b(&p, buf_slice(&p.to_b), &e));
    golden_check("handshake.txt", "initiator_key", SLICE(p.a.send.key));
    golden_check("handshake.txt", "initiator_key", SLICE(p.b.receive.key));
    golden_check("handshake.txt", "responder_key", SLICE(p.b.send.key));
    golden_check("handshake.txt", "responder_key", SLICE(p.a.receive.key));
    pair_close(&p);
}

static void golden_shake_hands(struct pair *p)
{
    struct err e = {0};

    golden_random_from(0x80);
    pair_open(p);
    golden_random_from(0xA0);
    assert_true(feed_b(p, buf_slice(&p->to_b), &e));
    golden_random_end();
    buf_clear(&p->to_b);
    deliver(p);
}

static void check_said(struct channel *c, struct slice message, const char *key)
{
    struct buf out;
    struct err e = {0};

    buf_open(&out, OUT_BYTES_MAX);
    assert_true(channel_send(c, message, &out, &e));
    golden_check("handshake.txt", key, buf_slice(&out));
    buf_close(&out);
}

static void frames_and_replaced_keys_are_those_of_the_worked_example(void **state)
{
    struct pair p;
    struct buf out;
    struct err e = {0};
    uint8_t hash[HASH_BYTES], *bytes = mem_alloc(200000);

    (void)state;
    for (size_t i = 0; i < 200000; i++)
        bytes[i] = (uint8_t)i;
    golden_shake_hands(&p);
    p.a.rekey_bytes = p.b.rekey_bytes = 8; /* "bonjour" and the byte that ends it */
    check_said(&p.a, slice_text("bonjour"), "initiator_says");
    check_said(&p.b, slice_text("salut"), "responder_says");
    golden_check("handshake.txt", "initiator_key_2", SLICE(p.a.send.key));
    check_said(&p.a, slice_text("bonjour"), "initiator_says_again");
    p.a.rekey_bytes = 70000;
    buf_open(&out, OUT_BYTES_MAX);
    assert_true(channel_send(&p.a, (struct slice){bytes, 200000}, &out, &e));
    hash_bytes(hash, buf_slice(&out));
    golden_check("handshake.txt", "long_hash", SLICE(hash));
    buf_close(&out);
    free(bytes);
    pair_close(&p);
}

/* A message arrived as something else, with whatever state the channel is in: it must fail for
 * good, answer nothing and hand nothing on. */
static void check_fails(struct channel *c, struct slice bytes)
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

/* Run the handshake anew up to its i-th frame (0 to 2), or to the first transport frame (3), and
 * give who reads it and its bytes. */
static struct channel *pair_before(struct pair *p, int i, struct slice *frame)
{
    struct err e = {0};

    pair_open(p);
    for (int done = 0; done < i && done < 3; done++) {
        bool to_b = done % 2 == 0;

        assert_true(to_b ? feed_b(p, buf_slice(&p->to_b), &e) : feed_a(p, buf_slice(&p->to_a), &e));
        buf_clear(to_b ? &p->to_b : &p->to_a);
    }
    if (i == 3)
        assert_true(channel_send(&p->a, slice_text("bonjour"), &p->to_b, &e));
    *frame = buf_slice(i == 1 ? &p->to_a : &p->to_b);
    return i == 1 ? &p->a : &p->b;
}

/* A length made greater by the flip makes a transport frame wait for more, which never
 * authenticates: the sender's next frames are taken for its rest. Feed plenty of zeros to see that.
 */
static void check_flip(int i, size_t bit)
{
    struct pair p;
    struct slice frame;
    struct channel *c = pair_before(&p, i, &frame);
    size_t padded_n = frame.n + 2 * FRAME_BYTES_MAX;
    uint8_t *padded = mem_alloc(padded_n);

    memcpy(padded, frame.p, frame.n);
    padded[bit / 8] ^= (uint8_t)(1u << bit % 8);
    check_fails(c, (struct slice){padded, bit < 16 ? padded_n : frame.n});
    free(padded);
    pair_close(&p);
}

static void any_flipped_bit_of_a_frame_fails_the_channel_without_an_answer(void **state)
{
    (void)state;
    for (int i = 0; i <= 3; i++) {
        struct pair p;
        struct slice frame;
        size_t n;

        pair_before(&p, i, &frame);
        n = frame.n;
        pair_close(&p);
        for (size_t bit = 0; bit < 8 * n; bit++)
            check_flip(i, bit);
    }
}

/* The i-th frame cut off after n bytes, then other bytes. False when the frame has no more than n.
 */
static bool check_cut(int i, size_t n)
{
    struct pair p;
    struct slice frame;
    struct channel *c = pair_before(&p, i, &frame);
    bool cut = n < frame.n;

    if (cut) {
        size_t rest_n = 2 * FRAME_BYTES_MAX; /* enough for whatever length the wrong bytes give */
        uint8_t *rest = mem_alloc(rest_n);
        struct heard heard = {0};
        struct buf out;
        struct err e = {0};

        buf_open(&out, OUT_BYTES_MAX);
        assert_true(channel_feed(c, (struct slice){frame.p, n}, &out, on_message, &heard, &e));
        assert_int_equal(out.n, 0);
        assert_int_equal(heard.messages, 0);
        for (size_t j = 0; j < rest_n; j++)
            rest[j] = (uint8_t)(n + j < frame.n ? frame.p[n + j] ^ 0x55 : 0x55);
        check_fails(c, (struct slice){rest, rest_n});
        buf_close(&out);
        free(rest);
    }
    pair_close(&p);
    return cut;
}

static void a_frame_that_is_cut_off_waits_and_then_fails(void **state)
{
    (void)state;
    for (int i = 0; i <= 3; i++) {
        size_t n = 0;

        while (check_cut(i, n))
            n++;
        assert_true(n >= 2 + 18);
    }
}

static void a_stranger_gets_no_byte(void **state)
{
    struct channel_secret secrets[3];
    struct pair p;
    struct err e = {0};

    (void)state;
    for (int i = 0; i < 3; i++)
        secrets[i] = secret_counting();
    secrets[0].psk[0] ^= 1;
    secrets[1].context[15] ^= 1;
    secrets[2].mode = CHANNEL_INVITE;
    for (int i = 0; i < 3; i++) {
        pair_open(&p);
        channel_close(&p.b);
        assert_true(channel_open(&p.b, false, &p.keys[1], &secrets[i], 1, NULL, &p.to_a, &e));
        assert_false(feed_b(&p, buf_slice(&p.to_b), &e));
        assert_int_equal(e.code, ERR_STRANGER);
        assert_int_equal(p.to_a.n, 0);
        assert_int_equal(p.b.state, CHANNEL_FAILED);
        err_clear(&e);
        pair_close(&p);
    }
}

/* The fleet's key and every open invitation are tried. */
static void the_responder_finds_which_secret_the_initiator_has(void **state)
{
    struct channel_secret secrets[1 + INVITES_MAX];
    struct pair p;
    struct err e = {0};

    (void)state;
    for (uint32_t i = 0; i < COUNT_OF(secrets); i++) {
        secrets[i] = secret_counting();
        secrets[i].mode = i == 0 ? CHANNEL_FLEET : CHANNEL_INVITE;
        secrets[i].psk[0] = (uint8_t)i;
        secrets[i].context[0] = (uint8_t)i;
        secrets[i].tag = 100 + i;
    }
    for (uint32_t i = 0; i < COUNT_OF(secrets); i++) {
        pair_open(&p);
        channel_close(&p.a);
        channel_close(&p.b);
        buf_clear(&p.to_b);
        assert_true(channel_open(&p.a, true, &p.keys[0], &secrets[i], 1, NULL, &p.to_b, &e));
        assert_true(
            channel_open(&p.b, false, &p.keys[1], secrets, COUNT_OF(secrets), NULL, &p.to_a, &e));
        deliver(&p);
        assert_int_equal(p.b.state, CHANNEL_OPEN);
        assert_int_equal(p.b.mode, secrets[i].mode);
        assert_int_equal(p.b.tag, 100 + i);
        pair_close(&p);
    }
}

static void a_first_message_that_is_played_again_is_not_answered(void **state)
{
    struct pair p;
    struct channel again;
    struct buf out;
    struct err e = {0};

    (void)state;
    pair_open(&p);
    buf_open(&out, 1024);
    assert_true(channel_open(&again, false, &p.keys[1], &p.secret, 1, &p.replays, &out, &e));
    assert_true(feed_b(&p, buf_slice(&p.to_b), &e));
    assert_true(p.to_a.n > 0);
    assert_false(channel_feed(&again, buf_slice(&p.to_b), &out, on_message, &p.heard_b, &e));
    assert_int_equal(e.code, ERR_STRANGER);
    assert_int_equal(out.n, 0);
    channel_close(&again);
    buf_close(&out);
    pair_close(&p);
}

/* A stranger's bytes must not push out what the cache remembers. */
static void the_replay_cache_keeps_the_last_that_authenticated(void **state)
{
    struct replay_cache cache = {0};
    struct pair p;
    struct err e = {0};
    uint8_t first[64];

    (void)state;
    for (uint32_t i = 0; i <= REPLAYS_MAX; i++) {
        pair_open(&p);
        p.b.replays = &cache;
        if (i == 0)
            memcpy(first, p.to_b.p, p.to_b.n);
        assert_true(feed_b(&p, buf_slice(&p.to_b), &e));
        assert_int_equal(cache.n, i < REPLAYS_MAX ? i + 1 : REPLAYS_MAX);
        pair_close(&p);
    }
    pair_open(&p); /* the oldest of 257 has been forgotten */
    p.b.replays = &cache;
    assert_true(feed_b(&p, (struct slice){first, p.to_b.n}, &e));
    pair_close(&p);
    pair_open(&p);
    p.b.replays = &cache;
    p.to_b.p[40] ^= 1;
    assert_false(feed_b(&p, buf_slice(&p.to_b), &e));
    assert_int_equal(cache.next, 2);
    pair_close(&p);
}

/* One who has the fleet's key, but claims an identity that did not sign his static key. */
static void check_identity_refused(int breaks)
{
    struct pair p;
    struct err e = {0};

    pair_open(&p);
    if (breaks == 0)
        memcpy(p.keys[1].sign_public, p.keys[0].sign_public, SIGN_PUBLIC_BYTES);
    else if (breaks == 1)
        memcpy(p.keys[0].sign_public, p.keys[1].sign_public, SIGN_PUBLIC_BYTES);
    assert_true(feed_b(&p, buf_slice(&p.to_b), &e));
    if (breaks == 0) {
        check_fails(&p.a, buf_slice(&p.to_a));
    } else {
        buf_clear(&p.to_b);
        assert_true(feed_a(&p, buf_slice(&p.to_a), &e));
        check_fails(&p.b, buf_slice(&p.to_b));
    }
    pair_close(&p);
}

static void an_identity_that_did_not_sign_the_static_key_is_refused(void **state)
{
    (void)state;
    check_identity_refused(0);
    check_identity_refused(1);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Feed `bytes` in pieces of random size, often tiny. */
static void feed_in_pieces(struct channel *c, struct slice bytes, struct heard *heard,
                           uint32_t *seed)
{
    struct buf out;
    struct err e = {0};

    buf_open(&out, OUT_BYTES_MAX);
    while (bytes.n > 0) {
        size_t most = next_random(seed) % 4 == 0 ? 5 : 150000;
        size_t n = 1 + next_random(seed) % most;

        n = n < bytes.n ? n : bytes.n;
        assert_true(channel_feed(c, (struct slice){bytes.p, n}, &out, on_message, heard, &e));
        bytes = (struct slice){bytes.p + n, bytes.n - n};
    }
    assert_int_equal(out.n, 0);
    buf_close(&out);
}

static void messages_of_all_sizes_arrive_whatever_the_pieces(void **state)
{
    static const size_t sizes[] = {1,
                                   2,
                                   100,
                                   FRAME_CHUNK_BYTES_MAX - 1,
                                   FRAME_CHUNK_BYTES_MAX,
                                   FRAME_CHUNK_BYTES_MAX + 1,
                                   2 * FRAME_CHUNK_BYTES_MAX,
                                   3000000};
    uint32_t seed = 1;
    uint8_t *bytes = mem_alloc(3000000);
    struct pair p;
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < 3000000; i++)
        bytes[i] = (uint8_t)next_random(&seed);
    pair_shake_hands(&p);
    p.a.rekey_bytes = p.b.rekey_bytes = 100000; /* also between the frames of one message */
    for (uint32_t round = 0; round < 24; round++) {
        struct slice message = {bytes, sizes[round % COUNT_OF(sizes)]};

        assert_true(channel_send(&p.a, message, &p.to_b, &e));
        assert_true(channel_send(&p.b, slice_text("ack"), &p.to_a, &e));
        buf_clear(&p.heard_b.bytes);
        feed_in_pieces(&p.b, buf_slice(&p.to_b), &p.heard_b, &seed);
        feed_in_pieces(&p.a, buf_slice(&p.to_a), &p.heard_a, &seed);
        buf_clear(&p.to_a);
        buf_clear(&p.to_b);
        assert_int_equal(p.heard_b.messages, round + 1);
        assert_int_equal(p.heard_a.messages, round + 1);
        assert_true(slice_equal(buf_slice(&p.heard_b.bytes), message));
    }
    assert_true(p.a.sent_bytes == p.b.received_bytes && p.a.sent_bytes < 100000);
    assert_memory_equal(p.a.send.key, p.b.receive.key, 32);
    free(bytes);
    pair_close(&p);
}

/* What came right behind the last handshake message belongs to the conversation. */
static void messages_glued_to_the_handshake_are_heard(void **state)
{
    struct pair p;
    struct err e = {0};

    (void)state;
    pair_open(&p);
    assert_true(feed_b(&p, buf_slice(&p.to_b), &e));
    buf_clear(&p.to_b);
    assert_true(feed_a(&p, buf_slice(&p.to_a), &e));
    assert_true(channel_send(&p.a, slice_text("one"), &p.to_b, &e));
    assert_true(channel_send(&p.a, slice_text("two"), &p.to_b, &e));
    assert_true(feed_b(&p, buf_slice(&p.to_b), &e));
    assert_int_equal(p.heard_b.messages, 2);
    assert_true(slice_equal(buf_slice(&p.heard_b.bytes), slice_text("onetwo")));
    pair_close(&p);
}

/* A first length field that is not that of message 1 is refused before its bytes are waited for. */
static void a_handshake_length_is_refused_at_its_second_byte(void **state)
{
    (void)state;
    for (uint32_t n = 0; n <= 0xFFFF; n++) {
        uint8_t length[2] = {(uint8_t)(n >> 8), (uint8_t)n};
        struct pair p;
        struct err e = {0};

        if (n == 48 || (n > 300 && n % 97 != 0))
            continue;
        pair_open(&p);
        assert_true(feed_b(&p, (struct slice){length, 1}, &e));
        assert_false(feed_b(&p, (struct slice){length + 1, 1}, &e));
        assert_int_equal(e.code, ERR_INPUT);
        assert_int_equal(p.to_a.n, 0);
        pair_close(&p);
    }
}

/* Build frames by hand, as a peer that breaks the rules would. */
static bool feed_forged(struct pair *p, const void *plain, size_t n, struct err *e)
{
    struct buf frame;
    uint8_t length[2] = {(uint8_t)((n + NOISE_TAG_BYTES) >> 8), (uint8_t)(n + NOISE_TAG_BYTES)};
    bool ok;

    buf_open(&frame, 2 + FRAME_BYTES_MAX);
    buf_add(&frame, length, 2);
    assert_true(noise_seal(&p->a.send, (struct slice){plain, n}, &frame, e));
    ok = feed_b(p, buf_slice(&frame), e);
    buf_close(&frame);
    return ok;
}

static void a_member_that_breaks_the_rules_of_frames_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } forged[] = {{"", 0}, {"\0", 1}, {"\1", 1}, {"x\2", 2}, {"x\377", 2}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(forged); i++) {
        struct pair p;
        struct err e = {0};

        pair_shake_hands(&p);
        assert_false(feed_forged(&p, forged[i].bytes, forged[i].n, &e));
        assert_int_equal(e.code, ERR_INPUT);
        assert_int_equal(p.heard_b.messages, 0);
        pair_close(&p);
    }
}

static void a_message_that_never_ends_is_refused_at_its_limit(void **state)
{
    uint8_t *plain = mem_alloc(FRAME_CHUNK_BYTES_MAX + 1);
    struct pair p;
    struct err e = {0};
    size_t fed = 0;

    (void)state;
    plain[FRAME_CHUNK_BYTES_MAX] = 1; /* more follow */
    pair_shake_hands(&p);
    assert_true(feed_forged(&p, plain, FRAME_CHUNK_BYTES_MAX + 1, &e));
    assert_true(p.b.message.room < 4 * FRAME_BYTES_MAX); /* memory grows with what arrived */
    p.b.message.n = MESSAGE_BYTES_MAX - FRAME_CHUNK_BYTES_MAX + 1; /* as if much had arrived */
    p.b.message.p = mem_grow(p.b.message.p, p.b.message.n);
    p.b.message.room = p.b.message.n;
    while (feed_forged(&p, plain, FRAME_CHUNK_BYTES_MAX + 1, &e))
        fed++;
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(fed, 0);
    free(plain);
    pair_close(&p);
}

static void a_message_of_the_wrong_size_or_without_room_is_not_sent(void **state)
{
    struct pair p;
    struct buf small;
    struct err e = {0};

    (void)state;
    pair_shake_hands(&p);
    assert_false(channel_send(&p.a, (struct slice){0}, &p.to_b, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    err_clear(&e);
    assert_false(
        channel_send(&p.a, (struct slice){p.to_b.p, (size_t)MESSAGE_BYTES_MAX + 1}, &p.to_b, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    err_clear(&e);
    buf_open(&small, 7 + 18);
    assert_false(channel_send(&p.a, slice_text("bonjour"), &small, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(small.n, 0);
    assert_int_equal(p.a.state, CHANNEL_OPEN);
    err_clear(&e);
    assert_true(channel_send(&p.a, slice_text("bonjour"), &p.to_b, &e));
    deliver(&p);
    assert_int_equal(p.heard_b.messages, 1);
    buf_close(&small);
    pair_close(&p);
}

static void an_application_that_refuses_a_message_ends_the_channel(void **state)
{
    struct pair p;
    struct err e = {0};

    (void)state;
    pair_shake_hands(&p);
    p.heard_b.refuse = true;
    assert_true(channel_send(&p.a, slice_text("bonjour"), &p.to_b, &e));
    assert_false(feed_b(&p, buf_slice(&p.to_b), &e));
    assert_int_equal(e.code, ERR_REFUSED);
    assert_int_equal(p.b.state, CHANNEL_FAILED);
    pair_close(&p);
}

static void a_large_message_leaves_no_large_memory_behind(void **state)
{
    uint8_t *bytes = mem_alloc(4u << 20);
    struct pair p;
    struct err e = {0};

    (void)state;
    pair_shake_hands(&p);
    assert_true(channel_send(&p.a, (struct slice){bytes, 4u << 20}, &p.to_b, &e));
    deliver(&p);
    assert_int_equal(p.heard_b.messages, 1);
    assert_true(p.b.message.room <= 1u << 20);
    free(bytes);
    pair_close(&p);
}

static void closing_twice_or_never_opened_is_harmless(void **state)
{
    struct channel c = {0};
    struct pair p;

    (void)state;
    channel_close(&c);
    pair_shake_hands(&p);
    channel_close(&p.a);
    pair_close(&p);
}

static int start(void **state)
{
    struct err e = {0};

    (void)state;
    return keys_library_start(&e) ? 0 : 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_learn_who_the_other_is),
        cmocka_unit_test(the_handshake_is_that_of_the_worked_example),
        cmocka_unit_test(frames_and_replaced_keys_are_those_of_the_worked_example),
        cmocka_unit_test(any_flipped_bit_of_a_frame_fails_the_channel_without_an_answer),
        cmocka_unit_test(a_frame_that_is_cut_off_waits_and_then_fails),
        cmocka_unit_test(a_stranger_gets_no_byte),
        cmocka_unit_test(the_responder_finds_which_secret_the_initiator_has),
        cmocka_unit_test(a_first_message_that_is_played_again_is_not_answered),
        cmocka_unit_test(the_replay_cache_keeps_the_last_that_authenticated),
        cmocka_unit_test(an_identity_that_did_not_sign_the_static_key_is_refused),
        cmocka_unit_test(messages_of_all_sizes_arrive_whatever_the_pieces),
        cmocka_unit_test(messages_glued_to_the_handshake_are_heard),
        cmocka_unit_test(a_handshake_length_is_refused_at_its_second_byte),
        cmocka_unit_test(a_member_that_breaks_the_rules_of_frames_is_refused),
        cmocka_unit_test(a_message_that_never_ends_is_refused_at_its_limit),
        cmocka_unit_test(a_message_of_the_wrong_size_or_without_room_is_not_sent),
        cmocka_unit_test(an_application_that_refuses_a_message_ends_the_channel),
        cmocka_unit_test(a_large_message_leaves_no_large_memory_behind),
        cmocka_unit_test(closing_twice_or_never_opened_is_harmless),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
