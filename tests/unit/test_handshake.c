#include <navette/frame.h>

#include "library.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_learn_who_the_other_is),
        cmocka_unit_test(the_handshake_is_that_of_the_worked_example),
        cmocka_unit_test(a_stranger_gets_no_byte),
        cmocka_unit_test(the_responder_finds_which_secret_the_initiator_has),
        cmocka_unit_test(a_first_message_that_is_played_again_is_not_answered),
        cmocka_unit_test(the_replay_cache_keeps_the_last_that_authenticated),
        cmocka_unit_test(an_identity_that_did_not_sign_the_static_key_is_refused),
        cmocka_unit_test(a_handshake_length_is_refused_at_its_second_byte),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
