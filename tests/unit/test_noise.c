#include <navette/noise.h>

#include "golden.h"
#include "library.h"

struct pair {
    struct noise initiator, responder;
};

static void take(const char *key, int block, uint8_t out[32])
{
    struct buf value = {0};

    golden_find("noise.txt", key, block, &value);
    assert_int_equal(value.n, 32);
    memcpy(out, value.p, 32);
    buf_close(&value);
}

/* Both sides of a published vector. The first block has no prologue, so its key is one block
 * behind. */
static struct pair pair_of_vector(int block)
{
    struct pair p;
    struct buf prologue = {0};
    uint8_t psk[32], secrets[4][32];

    if (block > 0)
        golden_find("noise.txt", "prologue", block - 1, &prologue);
    take("preshared_key", block, psk);
    take("init_static", block, secrets[0]);
    take("gen_init_ephemeral", block, secrets[1]);
    take("resp_static", block, secrets[2]);
    take("gen_resp_ephemeral", block, secrets[3]);
    noise_open(&p.initiator, true, buf_slice(&prologue), psk, secrets[0], secrets[1]);
    noise_open(&p.responder, false, buf_slice(&prologue), psk, secrets[2], secrets[3]);
    buf_close(&prologue);
    return p;
}

static void message_key(char out[32], int message, const char *what)
{
    snprintf(out, 32, "msg_%d_%s", message, what);
}

/* The sender must produce the published bytes, and the receiver must get the payload back out of
 * them. */
static void check_handshake_message(struct pair *p, int block, int i)
{
    struct noise *from = i == 1 ? &p->responder : &p->initiator;
    struct noise *to = i == 1 ? &p->initiator : &p->responder;
    struct buf payload = {0}, expected = {0}, out, got;
    struct err e = {0};
    char key[32];

    buf_open(&out, 1024);
    buf_open(&got, 1024);
    message_key(key, i, "payload");
    golden_find("noise.txt", key, block, &payload);
    message_key(key, i, "ciphertext");
    golden_find("noise.txt", key, block, &expected);
    assert_true(noise_write(from, buf_slice(&payload), &out, &e));
    assert_true(slice_equal(buf_slice(&out), buf_slice(&expected)));
    assert_true(noise_read(to, buf_slice(&out), &got, &e));
    assert_true(slice_equal(buf_slice(&got), buf_slice(&payload)));
    buf_close(&payload);
    buf_close(&expected);
    buf_close(&out);
    buf_close(&got);
}

static void check_transport_message(struct noise_cipher *send, struct noise_cipher *receive,
                                    int block, int i)
{
    struct buf payload = {0}, expected = {0}, out, got;
    struct err e = {0};
    char key[32];

    buf_open(&out, 1024);
    buf_open(&got, 1024);
    message_key(key, i, "payload");
    golden_find("noise.txt", key, block, &payload);
    message_key(key, i, "ciphertext");
    golden_find("noise.txt", key, block, &expected);
    assert_true(noise_seal(send, buf_slice(&payload), &out, &e));
    assert_true(slice_equal(buf_slice(&out), buf_slice(&expected)));
    assert_true(noise_unseal(receive, buf_slice(&out), &got, &e));
    assert_true(slice_equal(buf_slice(&got), buf_slice(&payload)));
    buf_close(&payload);
    buf_close(&expected);
    buf_close(&out);
    buf_close(&got);
}

/* Source: vectors.txt of https://github.com/flynn/noise. */
static void published_vectors_come_out_byte_for_byte(void **state)
{
    (void)state;
    for (int block = 0; block < 3; block++) {
        struct pair p = pair_of_vector(block);
        struct noise_cipher i_send, i_receive, r_send, r_receive;

        for (int i = 0; i < 3; i++)
            check_handshake_message(&p, block, i);
        assert_true(noise_done(&p.initiator) && noise_done(&p.responder));
        assert_memory_equal(p.initiator.hash, p.responder.hash, 32);
        assert_memory_equal(p.initiator.remote_static, p.responder.static_public, 32);
        assert_memory_equal(p.responder.remote_static, p.initiator.static_public, 32);
        noise_split(&p.initiator, &i_send, &i_receive);
        noise_split(&p.responder, &r_send, &r_receive);
        check_transport_message(&i_send, &r_receive, block, 3);
        check_transport_message(&r_send, &i_receive, block, 4);
    }
}

/* Bring a pair to the point where message `i` is to be read, and give that message. */
static struct pair pair_before(int i, struct buf *message)
{
    struct pair p = pair_of_vector(2);
    struct err e = {0};

    for (int done = 0; done <= i; done++) {
        struct noise *from = done == 1 ? &p.responder : &p.initiator;
        struct noise *to = done == 1 ? &p.initiator : &p.responder;
        struct buf payload;

        buf_clear(message);
        assert_true(noise_write(from, slice_text("payload"), message, &e));
        buf_open(&payload, 64);
        if (done < i)
            assert_true(noise_read(to, buf_slice(message), &payload, &e));
        buf_close(&payload);
    }
    return p;
}

static void check_refused(const struct pair *p, int i, struct slice message)
{
    struct noise to = i == 1 ? p->initiator : p->responder; /* a fresh copy each time */
    struct buf payload;
    struct err e = {0};

    buf_open(&payload, 1024);
    assert_false(noise_read(&to, message, &payload, &e));
    assert_int_equal(e.code, ERR_CRYPTO);
    assert_int_equal(payload.n, 0);
    assert_false(noise_done(&to));
    buf_close(&payload);
}

static void any_flipped_bit_of_a_handshake_message_is_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct buf message;
        struct pair p;

        buf_open(&message, 1024);
        p = pair_before(i, &message);
        for (size_t bit = 0; bit < 8 * message.n; bit++) {
            /* The top bit of an X25519 key is ignored by the curve, but it is hashed. */
            message.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
            check_refused(&p, i, buf_slice(&message));
            message.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        buf_close(&message);
    }
}

static void a_handshake_message_that_is_cut_off_is_refused(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct buf message;
        struct pair p;

        buf_open(&message, 1024);
        p = pair_before(i, &message);
        for (size_t n = 0; n < message.n; n++)
            check_refused(&p, i, (struct slice){message.p, n});
        buf_close(&message);
    }
}

static void another_psk_or_prologue_is_refused(void **state)
{
    struct err e = {0};
    uint8_t psk[32] = {1}, secret[32] = {2}, ephemeral[32] = {3};
    struct noise from, to;
    struct buf message, payload = {0};

    (void)state;
    buf_open(&message, 1024);
    noise_open(&from, true, slice_text("prologue"), psk, secret, ephemeral);
    assert_true(noise_write(&from, (struct slice){0}, &message, &e));
    noise_open(&to, false, slice_text("prologuE"), psk, secret, ephemeral);
    assert_false(noise_read(&to, buf_slice(&message), &payload, &e));
    assert_int_equal(e.code, ERR_CRYPTO);
    psk[31] ^= 1;
    noise_open(&to, false, slice_text("prologue"), psk, secret, ephemeral);
    assert_false(noise_read(&to, buf_slice(&message), &payload, &e));
    psk[31] ^= 1;
    err_clear(&e);
    noise_open(&to, false, slice_text("prologue"), psk, secret, ephemeral);
    assert_true(noise_read(&to, buf_slice(&message), &payload, &e));
    buf_close(&message);
}

/* The points of order 1, 2, 4 and 8 (RFC 7748 section 6.1) make every shared secret zero: a
 * stranger with the psk could choose the keys. */
static void an_ephemeral_key_of_small_order_is_refused(void **state)
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(points); i++) {
        struct pair p = pair_of_vector(0);
        struct buf first, answer, payload = {0};
        struct err e = {0};

        buf_open(&first, 1024);
        buf_open(&answer, 1024);
        /* An initiator that sends this point: it knows the psk, so message 1 authenticates. */
        assert_true(hex_read(p.initiator.ephemeral_public, 32, points[i]));
        assert_true(noise_write(&p.initiator, (struct slice){0}, &first, &e));
        assert_true(noise_read(&p.responder, buf_slice(&first), &payload, &e));
        assert_false(noise_write(&p.responder, (struct slice){0}, &answer, &e));
        assert_int_equal(e.code, ERR_CRYPTO);
        buf_close(&first);
        buf_close(&answer);
    }
}

static void a_transport_message_opens_once_in_order_and_unchanged(void **state)
{
    struct noise_cipher send = {.key = {7}}, receive = send;
    struct buf first, second, plain;
    struct err e = {0};

    (void)state;
    buf_open(&first, 64);
    buf_open(&second, 64);
    buf_open(&plain, 64);
    assert_true(noise_seal(&send, slice_text("one"), &first, &e));
    assert_true(noise_seal(&send, slice_text("two"), &second, &e));
    assert_false(noise_unseal(&receive, buf_slice(&second), &plain, &e));
    assert_int_equal(e.code, ERR_CRYPTO);
    assert_int_equal(plain.n, 0);
    for (size_t bit = 0; bit < 8 * first.n; bit++) {
        first.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(noise_unseal(&receive, buf_slice(&first), &plain, &e));
        first.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t n = 0; n < first.n; n++)
        assert_false(noise_unseal(&receive, (struct slice){first.p, n}, &plain, &e));
    err_clear(&e);
    assert_true(noise_unseal(&receive, buf_slice(&first), &plain, &e));
    assert_false(noise_unseal(&receive, buf_slice(&first), &plain, &e));
    err_clear(&e);
    assert_true(noise_unseal(&receive, buf_slice(&second), &plain, &e));
    assert_true(slice_equal(buf_slice(&plain), slice_text("onetwo")));
    buf_close(&first);
    buf_close(&second);
    buf_close(&plain);
}

static void sealing_in_place_gives_the_same_bytes(void **state)
{
    struct noise_cipher a = {.key = {7}, .nonce = 5}, b = a;
    uint8_t at[3 + NOISE_TAG_BYTES] = "one";
    struct buf out;
    struct err e = {0};

    (void)state;
    buf_open(&out, 64);
    assert_true(noise_seal(&a, slice_text("one"), &out, &e));
    assert_true(noise_seal_at(&b, at, 3, &e));
    assert_true(slice_equal(buf_slice(&out), SLICE(at)));
    assert_int_equal(a.nonce, b.nonce);
    buf_close(&out);
}

static void the_last_nonce_is_never_used(void **state)
{
    struct noise_cipher c = {.nonce = UINT64_MAX};
    struct buf out;
    struct err e = {0};

    (void)state;
    buf_open(&out, 64);
    assert_false(noise_seal(&c, slice_text("x"), &out, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(out.n, 0);
    buf_close(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors_come_out_byte_for_byte),
        cmocka_unit_test(any_flipped_bit_of_a_handshake_message_is_refused),
        cmocka_unit_test(a_handshake_message_that_is_cut_off_is_refused),
        cmocka_unit_test(another_psk_or_prologue_is_refused),
        cmocka_unit_test(an_ephemeral_key_of_small_order_is_refused),
        cmocka_unit_test(a_transport_message_opens_once_in_order_and_unchanged),
        cmocka_unit_test(sealing_in_place_gives_the_same_bytes),
        cmocka_unit_test(the_last_nonce_is_never_used),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
