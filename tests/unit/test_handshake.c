#include <navette/frame.h>

#include "pair.h"

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
        cmocka_unit_test(any_flipped_bit_of_a_frame_fails_the_channel_without_an_answer),
        cmocka_unit_test(a_frame_that_is_cut_off_waits_and_then_fails),
        cmocka_unit_test(a_stranger_gets_no_byte),
        cmocka_unit_test(the_responder_finds_which_secret_the_initiator_has),
        cmocka_unit_test(a_first_message_that_is_played_again_is_not_answered),
        cmocka_unit_test(the_replay_cache_keeps_the_last_that_authenticated),
        cmocka_unit_test(an_identity_that_did_not_sign_the_static_key_is_refused),
        cmocka_unit_test(a_handshake_length_is_refused_at_its_second_byte),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
