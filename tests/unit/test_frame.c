#include <navette/frame.h>

#include "library.h"
#include "pair.h"

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
    } forged[] = {{"", 0}, {"\0", 1}, {"\1", 1}, {"x\4", 2}, {"x\377", 2}};

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
    p.b.message_bytes = MESSAGE_BYTES_MAX - FRAME_CHUNK_BYTES_MAX + 1; /* as if much had arrived */
    while (feed_forged(&p, plain, FRAME_CHUNK_BYTES_MAX + 1, &e))
        fed++;
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(fed, 0);
    assert_non_null(strstr(e.text, "a message of more than"));
    free(plain);
    pair_close(&p);
}

/* What a channel puts aside. */
struct shelf {
    struct buf bytes;
    uint32_t views, drops;
    bool full;
};

static bool shelf_add(void *context, struct slice bytes, struct err *e)
{
    struct shelf *s = context;

    if (s->full)
        return err_set(e, ERR_FULL, "no room on the shelf");
    buf_add(&s->bytes, bytes.p, bytes.n);
    return true;
}

static bool shelf_view(void *context, struct slice *whole, struct err *e)
{
    struct shelf *s = context;

    (void)e;
    s->views++;
    *whole = buf_slice(&s->bytes);
    return true;
}

static void shelf_drop(void *context)
{
    struct shelf *s = context;

    s->drops++;
    buf_clear(&s->bytes);
}

static void shelf_open(struct shelf *s, struct channel *c)
{
    *s = (struct shelf){0};
    buf_open(&s->bytes, MESSAGE_BYTES_MAX);
    c->spool = (struct channel_spool){s, shelf_add, shelf_view, shelf_drop};
}

/* Feed so much of a message that goes on behind it. */
static void feed_unfinished(struct pair *p, size_t bytes)
{
    uint8_t *plain = mem_alloc(FRAME_CHUNK_BYTES_MAX + 1);
    struct err e = {0};

    for (; bytes > 0; bytes -= bytes < FRAME_CHUNK_BYTES_MAX ? bytes : FRAME_CHUNK_BYTES_MAX) {
        size_t n = bytes < FRAME_CHUNK_BYTES_MAX ? bytes : FRAME_CHUNK_BYTES_MAX;

        plain[n] = 1;
        assert_true(feed_forged(p, plain, n + 1, &e));
        plain[n] = 0;
    }
    free(plain);
}

static void a_large_message_is_put_aside_and_comes_as_it_was_sent(void **state)
{
    uint8_t *bytes = mem_alloc(3 * CHANNEL_KEEP_BYTES);
    struct shelf shelf;
    struct pair p;
    struct err e = {0};

    (void)state;
    for (size_t i = 0; i < 3 * CHANNEL_KEEP_BYTES; i++)
        bytes[i] = (uint8_t)(i * 31 >> 5);
    pair_shake_hands(&p);
    shelf_open(&shelf, &p.b);
    for (uint32_t n = 3; n > 0; n--) { /* one of just so many is kept in memory */
        struct slice sent = {bytes, (size_t)n * CHANNEL_KEEP_BYTES};

        buf_clear(&p.heard_b.bytes);
        assert_true(channel_send(&p.a, sent, &p.to_b, &e));
        deliver(&p);
        assert_true(slice_equal(buf_slice(&p.heard_b.bytes), sent));
        assert_int_equal(p.b.message_bytes, 0);
    }
    assert_int_equal(shelf.views, 2);
    assert_int_equal(shelf.drops, 2);
    free(bytes);
    pair_close(&p);
    buf_close(&shelf.bytes);
}

static void of_a_message_that_never_ends_little_is_in_memory(void **state)
{
    struct shelf shelf;
    struct pair p;

    (void)state;
    pair_shake_hands(&p);
    shelf_open(&shelf, &p.b);
    feed_unfinished(&p, 40u << 20);
    assert_int_equal(p.b.message_bytes, 40u << 20);
    assert_int_equal(shelf.bytes.n, 40u << 20);
    assert_true(p.b.message.room <= 2 * FRAME_BYTES_MAX);
    pair_close(&p);
    assert_int_equal(shelf.drops, 1);
    buf_close(&shelf.bytes);
}

static void what_cannot_be_put_aside_ends_the_channel_and_says_why(void **state)
{
    uint8_t *plain = mem_alloc(FRAME_CHUNK_BYTES_MAX + 1);
    struct shelf shelf;
    struct pair p;
    struct err e = {0};

    (void)state;
    plain[FRAME_CHUNK_BYTES_MAX] = 1;
    pair_shake_hands(&p);
    shelf_open(&shelf, &p.b);
    feed_unfinished(&p, CHANNEL_KEEP_BYTES);
    shelf.full = true;
    assert_false(feed_forged(&p, plain, FRAME_CHUNK_BYTES_MAX + 1, &e));
    assert_int_equal(e.code, ERR_FULL);
    assert_int_equal(p.b.state, CHANNEL_FAILED);
    free(plain);
    pair_close(&p);
    buf_close(&shelf.bytes);
}

/* A key is in it. */
static void what_comes_with_an_invitation_is_not_put_aside(void **state)
{
    struct shelf shelf;
    struct pair p;

    (void)state;
    pair_shake_hands(&p);
    shelf_open(&shelf, &p.b);
    p.b.message.secret = true; /* as of a channel that an invitation opened */
    feed_unfinished(&p, 2 * CHANNEL_KEEP_BYTES);
    assert_int_equal(shelf.bytes.n, 0);
    assert_int_equal(p.b.message.n, 2 * CHANNEL_KEEP_BYTES);
    pair_close(&p);
    buf_close(&shelf.bytes);
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

static void say(struct pair *p, bool from_a, const char *text)
{
    struct err e = {0};

    assert_true(
        channel_send(from_a ? &p->a : &p->b, slice_text(text), from_a ? &p->to_b : &p->to_a, &e));
    deliver(p);
}

static void a_key_that_has_served_an_hour_is_replaced_behind_the_next_frame(void **state)
{
    uint8_t first[32], reverse[32];
    struct pair p;

    (void)state;
    pair_shake_hands(&p);
    memcpy(first, p.a.send.key, sizeof first);
    memcpy(reverse, p.b.send.key, sizeof reverse);
    channel_clock(&p.a, FRAME_REKEY_MS - 1);
    say(&p, true, "young");
    assert_memory_equal(p.a.send.key, first, sizeof first);
    channel_clock(&p.a, FRAME_REKEY_MS);
    say(&p, true, "old");
    assert_memory_not_equal(p.a.send.key, first, sizeof first);
    assert_memory_equal(p.a.send.key, p.b.receive.key, sizeof first);
    assert_memory_equal(p.b.send.key, reverse,
                        sizeof reverse); /* the other way is its own affair */
    memcpy(first, p.a.send.key, sizeof first);
    channel_clock(&p.a, 2 * FRAME_REKEY_MS - 1);
    say(&p, true, "young again");
    assert_memory_equal(p.a.send.key, first, sizeof first);
    channel_clock(&p.b, FRAME_REKEY_MS + 5);
    say(&p, false, "answer");
    assert_memory_not_equal(p.b.send.key, reverse, sizeof reverse);
    assert_int_equal(p.heard_b.messages, 3);
    assert_int_equal(p.heard_a.messages, 1);
    pair_close(&p);
}

/* What a channel does of itself: the frame that fills 1 GiB is the last one under its key. */
static void a_key_serves_up_to_a_gibibyte_and_is_replaced_then(void **state)
{
    const uint64_t gibibyte = UINT64_C(1) << 30;
    uint8_t first[32];
    struct pair p;

    (void)state;
    pair_shake_hands(&p);
    memcpy(first, p.a.send.key, sizeof first);
    p.a.sent_bytes = p.b.received_bytes = gibibyte - 1 - sizeof "young";
    say(&p, true, "young"); /* and the byte that ends it */
    assert_int_equal(p.a.sent_bytes, gibibyte - 1);
    assert_memory_equal(p.a.send.key, first, sizeof first);
    p.a.sent_bytes = p.b.received_bytes = gibibyte - sizeof "old";
    say(&p, true, "old");
    assert_memory_not_equal(p.a.send.key, first, sizeof first);
    assert_memory_equal(p.a.send.key, p.b.receive.key, sizeof first);
    assert_int_equal(p.a.sent_bytes + p.b.received_bytes, 0);
    say(&p, true, "under the next one");
    assert_int_equal(p.heard_b.messages, 3);
    pair_close(&p);
}

static void a_sender_that_keeps_its_key_beyond_a_gibibyte_is_refused(void **state)
{
    const uint64_t gibibyte = UINT64_C(1) << 30;
    struct pair p;
    struct err e = {0};

    (void)state;
    pair_shake_hands(&p);
    p.b.received_bytes = gibibyte - 1 - sizeof "young"; /* p.a has not counted these */
    say(&p, true, "young");
    p.b.received_bytes = gibibyte - sizeof "old";
    assert_true(channel_send(&p.a, slice_text("old"), &p.to_b, &e));
    assert_false(feed_b(&p, buf_slice(&p.to_b), &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(p.heard_b.messages, 1);
    pair_close(&p);
}

/* Nothing that was said under the old key is taken under the new one, and the other way round. */
static void what_is_sealed_under_a_key_that_was_replaced_is_refused(void **state)
{
    struct noise_cipher old;
    struct pair p;
    struct buf frame;
    struct err e = {0};
    uint8_t length[2] = {0, 4 + NOISE_TAG_BYTES};

    (void)state;
    pair_shake_hands(&p);
    old = p.a.send;
    channel_clock(&p.a, FRAME_REKEY_MS);
    say(&p, true, "old");
    old.nonce = p.a.send.nonce;
    buf_open(&frame, 64);
    buf_add(&frame, length, sizeof length);
    assert_true(noise_seal(&old, (struct slice){(const uint8_t *)"abc", 4}, &frame, &e));
    check_fails(&p.b, buf_slice(&frame));
    buf_close(&frame);
    pair_close(&p);
}

static void a_sender_that_keeps_its_key_too_long_is_refused(void **state)
{
    struct pair p;
    struct err e = {0};

    (void)state;
    pair_shake_hands(&p);
    p.b.rekey_bytes = 100; /* and p.a does not know of that */
    say(&p, true, "within the limit");
    assert_true(channel_send(&p.a, (struct slice){p.a.session, 32}, &p.to_b, &e));
    assert_true(channel_send(&p.a, (struct slice){p.a.session, 32}, &p.to_b, &e));
    assert_true(channel_send(&p.a, (struct slice){p.a.session, 32}, &p.to_b, &e));
    assert_false(feed_b(&p, buf_slice(&p.to_b), &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(p.heard_b.messages, 3);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_and_replaced_keys_are_those_of_the_worked_example),
        cmocka_unit_test(messages_of_all_sizes_arrive_whatever_the_pieces),
        cmocka_unit_test(messages_glued_to_the_handshake_are_heard),
        cmocka_unit_test(a_member_that_breaks_the_rules_of_frames_is_refused),
        cmocka_unit_test(a_message_that_never_ends_is_refused_at_its_limit),
        cmocka_unit_test(a_large_message_is_put_aside_and_comes_as_it_was_sent),
        cmocka_unit_test(of_a_message_that_never_ends_little_is_in_memory),
        cmocka_unit_test(what_cannot_be_put_aside_ends_the_channel_and_says_why),
        cmocka_unit_test(what_comes_with_an_invitation_is_not_put_aside),
        cmocka_unit_test(a_message_of_the_wrong_size_or_without_room_is_not_sent),
        cmocka_unit_test(an_application_that_refuses_a_message_ends_the_channel),
        cmocka_unit_test(a_key_that_has_served_an_hour_is_replaced_behind_the_next_frame),
        cmocka_unit_test(a_key_serves_up_to_a_gibibyte_and_is_replaced_then),
        cmocka_unit_test(a_sender_that_keeps_its_key_beyond_a_gibibyte_is_refused),
        cmocka_unit_test(what_is_sealed_under_a_key_that_was_replaced_is_refused),
        cmocka_unit_test(a_sender_that_keeps_its_key_too_long_is_refused),
        cmocka_unit_test(a_large_message_leaves_no_large_memory_behind),
        cmocka_unit_test(closing_twice_or_never_opened_is_harmless),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
