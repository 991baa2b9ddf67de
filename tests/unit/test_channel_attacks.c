/* One test for each way in which a channel is attacked, by one who reads and changes what is on the
 * wire, and by members who lie. Each fails when what stands against it is taken out. */
#include <navette/frame.h>

#include "attacker.h"
#include "library.h"

#define VERSION "navette 1"

/* ---- changed and cut ---- */

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

static void every_flipped_bit_of_a_frame_fails_the_channel_without_an_answer(void **state)
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

static void a_frame_that_is_cut_off_anywhere_waits_and_then_fails(void **state)
{
    (void)state;
    for (int i = 0; i <= 3; i++) {
        size_t n = 0;

        while (check_cut(i, n))
            n++;
        assert_true(n >= 2 + 18);
    }
}

/* ---- played again, sent back, put together ---- */

/* All that one side of a conversation said, frame by frame. */
struct record {
    struct buf first, second, third, said;
};

static void record_open(struct record *r)
{
    buf_open(&r->first, 1024);
    buf_open(&r->second, 1024);
    buf_open(&r->third, 1024);
    buf_open(&r->said, 1024);
}

static void record_close(struct record *r)
{
    buf_close(&r->first);
    buf_close(&r->second);
    buf_close(&r->third);
    buf_close(&r->said);
}

static void keep(struct buf *to, struct buf *from)
{
    buf_clear(to);
    buf_add(to, from->p, from->n);
    buf_clear(from);
}

/* A whole conversation, and what was on the wire: the initiator says one thing in it. */
static void record_conversation(struct pair *p, struct record *r)
{
    struct err e = {0};

    record_open(r);
    pair_open(p);
    keep(&r->first, &p->to_b);
    assert_true(feed_b(p, buf_slice(&r->first), &e));
    keep(&r->second, &p->to_a);
    assert_true(feed_a(p, buf_slice(&r->second), &e));
    keep(&r->third, &p->to_b);
    assert_true(feed_b(p, buf_slice(&r->third), &e));
    assert_true(channel_send(&p->a, slice_text("sell 3"), &p->to_b, &e));
    keep(&r->said, &p->to_b);
    assert_true(feed_b(p, buf_slice(&r->said), &e));
    assert_int_equal(p->heard_b.messages, 1);
}

/* Even where the first message is answered, since nobody remembers it any more. */
static void a_whole_handshake_played_again_opens_nothing(void **state)
{
    struct record r;
    struct pair old, fresh;
    struct err e = {0};

    (void)state;
    record_conversation(&old, &r);
    pair_open(&fresh); /* the responder has forgotten all */
    assert_true(feed_b(&fresh, buf_slice(&r.first), &e));
    assert_int_equal(fresh.to_a.n, 2 + 192);
    assert_memory_not_equal(fresh.to_a.p, r.second.p, r.second.n); /* new keys, a new answer */
    check_fails(&fresh.b, buf_slice(&r.third));
    pair_close(&fresh);
    pair_open(&fresh); /* and the initiator hears an old answer */
    check_fails(&fresh.a, buf_slice(&r.second));
    pair_close(&fresh);
    pair_open(&fresh); /* one that remembers does not answer at all */
    fresh.b.replays = &old.replays;
    check_fails(&fresh.b, buf_slice(&r.first));
    pair_close(&fresh);
    pair_close(&old);
    record_close(&r);
}

static void what_one_said_is_refused_when_it_comes_back_to_him(void **state)
{
    struct record r;
    struct pair p;
    struct err e = {0};

    (void)state;
    record_conversation(&p, &r);
    check_fails(&p.a, buf_slice(&r.said));
    pair_close(&p);
    pair_open(&p);
    check_fails(&p.a, buf_slice(&p.to_b)); /* his own first message, for an answer */
    pair_close(&p);
    pair_open(&p);
    assert_true(feed_b(&p, buf_slice(&p.to_b), &e)); /* the responder's answer, for the third */
    check_fails(&p.b, buf_slice(&p.to_a));
    pair_close(&p);
    pair_open(&p);
    assert_true(feed_b(&p, buf_slice(&p.to_b), &e)); /* with the size that a third one has */
    buf_clear(&p.to_b);
    frame_begin(&p.to_b, 160);
    buf_add(&p.to_b, p.to_a.p + 2 + 32, 160);
    check_fails(&p.b, buf_slice(&p.to_b));
    pair_close(&p);
    record_close(&r);
}

/* Both sessions are of the same two sites, under the same secret. */
static void parts_of_two_sessions_do_not_fit_together(void **state)
{
    struct record r;
    struct pair one, two;
    struct err e = {0};

    (void)state;
    record_conversation(&one, &r);
    pair_open(&two);
    assert_true(feed_b(&two, buf_slice(&two.to_b), &e));
    check_fails(&two.a, buf_slice(&r.second));
    check_fails(&two.b, buf_slice(&r.third));
    pair_close(&two);
    pair_shake_hands(&two);
    assert_memory_not_equal(two.a.session, one.a.session, 32);
    check_fails(&two.b, buf_slice(&r.said));
    pair_close(&two);
    pair_close(&one);
    record_close(&r);
}

/* ---- members who lie ---- */

/* Mallory has the fleet's key and an identity of his own. */
static struct keys mallory(void)
{
    return keys_counting_from(0xA0);
}

/* He answers A's dial; false when A refuses, silently. */
static bool answer(struct attacker *m)
{
    struct pair p;
    struct buf second;
    struct err e = {0};
    bool ok;

    pair_open(&p);
    buf_open(&second, 256);
    attacker_answer(m, buf_slice(&p.to_b), &second);
    buf_clear(&p.to_b);
    ok = feed_a(&p, buf_slice(&second), &e);
    assert_true(ok ? p.a.state == CHANNEL_OPEN : p.to_b.n == 0 && e.code == ERR_CRYPTO);
    if (ok)
        assert_memory_equal(p.a.peer_sign_public, m->identity, 32);
    buf_close(&second);
    pair_close(&p);
    return ok;
}

/* He dials B, who takes that secret; false when B refuses. */
static bool dial_with(struct attacker *m, const struct channel_secret *secret)
{
    struct pair p;
    struct buf frame;
    struct err e = {0};
    bool ok;

    pair_open(&p);
    channel_close(&p.b);
    assert_true(channel_open(&p.b, false, &p.keys[1], secret, 1, &p.replays, &p.to_a, &e));
    buf_open(&frame, 256);
    attacker_begin(m, &frame);
    ok = feed_b(&p, buf_slice(&frame), &e);
    if (ok) {
        attacker_finish(m, buf_slice(&p.to_a), &frame);
        buf_clear(&p.to_a);
        ok = feed_b(&p, buf_slice(&frame), &e);
    }
    assert_true(ok ? p.b.state == CHANNEL_OPEN : p.to_a.n == 0 && e.code != ERR_NONE);
    buf_close(&frame);
    pair_close(&p);
    return ok;
}

static bool dial(struct attacker *m)
{
    struct channel_secret secret = secret_counting();

    return dial_with(m, &secret);
}

enum { INITIATOR = 1, RESPONDER = 2 };

static struct attacker attacker_of(const struct keys *k, uint8_t role)
{
    struct channel_secret secret = secret_counting();
    struct attacker a;

    attacker_open(&a, &secret, VERSION, k, role);
    return a;
}

/* So that what is refused below is refused for its lie. */
static void one_who_has_his_keys_and_does_not_lie_is_let_in(void **state)
{
    struct keys m = mallory();
    struct attacker a = attacker_of(&m, RESPONDER), b = attacker_of(&m, INITIATOR);

    (void)state;
    assert_true(answer(&a));
    assert_true(dial(&b));
}

/* Mallory has stolen A's seed; he wants A to take him for B, and has seen B's identities, which say
 * nothing that is secret. Without B's exchange key he cannot follow. */
static void who_stole_our_keys_cannot_pass_for_another_to_us(void **state)
{
    struct keys a = keys_counting_from(0), b = keys_counting_from(32), m = mallory();
    struct attacker as_b, as_a;

    (void)state;
    for (int with = 0; with < 3; with++) {
        as_b = attacker_of(&b, RESPONDER); /* A dials him */
        as_a = attacker_of(&a, INITIATOR); /* he stole B's, and dials B */
        memcpy(as_b.static_secret, with == 0 ? a.exchange_secret : m.exchange_secret, 32);
        memcpy(as_a.static_secret, with == 0 ? b.exchange_secret : m.exchange_secret, 32);
        as_b.skip_static = as_a.skip_static = with == 2;
        assert_false(answer(&as_b));
        assert_false(dial(&as_a));
    }
}

/* Two who talk must agree on who they are: an identity counts only for the exchange key that it was
 * made for, in its role, in its fleet, and for its kind of channel. */
static void an_identity_counts_only_where_it_was_made_for(void **state)
{
    struct keys a = keys_counting_from(0), m = mallory();
    struct channel_secret here = secret_counting(), elsewhere = here, invited = here;

    (void)state;
    elsewhere.context[0] ^= 1;
    invited.mode = CHANNEL_INVITE;
    for (uint8_t role = INITIATOR; role <= RESPONDER; role++) {
        struct attacker lies[6];

        for (size_t i = 0; i < COUNT_OF(lies); i++)
            lies[i] = attacker_of(&m, role);
        /* A's identity over Mallory's key; so B would take Mallory's words for A's. */
        identity_of(lies[0].identity, &a, &here, a.exchange_public, role);
        /* Mallory's identity over A's key, which he has not got: B would take A's for his. */
        identity_of(lies[1].identity, &m, &here, a.exchange_public, role);
        memcpy(lies[1].static_public, a.exchange_public, 32);
        identity_of(lies[2].identity, &m, &here, m.exchange_public, 3 - role);
        identity_of(lies[3].identity, &m, &elsewhere, m.exchange_public, role);
        identity_of(lies[4].identity, &m, &invited, m.exchange_public, role);
        memcpy(lies[5].identity, a.sign_public, 32); /* A's name, Mallory's signature */
        for (size_t i = 0; i < COUNT_OF(lies); i++)
            assert_false(role == INITIATOR ? dial(&lies[i]) : answer(&lies[i]));
    }
}

/* What both ends must have in common is mixed in before the first byte. */
static void another_version_mode_or_fleet_is_a_stranger(void **state)
{
    static const char versions[][10] = {"navette 0", "navette 2", "navette  ", "Navette 1", ""};
    struct keys m = mallory();
    struct channel_secret secret = secret_counting(), invited = secret;
    struct attacker a;

    (void)state;
    invited.mode = CHANNEL_INVITE;
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        attacker_open(&a, &secret, versions[i], &m, INITIATOR);
        assert_false(dial(&a));
    }
    for (int mode = 0; mode < 256; mode++) {
        secret.mode = (enum channel_mode)mode;
        attacker_open(&a, &secret, VERSION, &m, INITIATOR);
        assert_int_equal(dial(&a), mode == CHANNEL_FLEET);
        attacker_open(&a, &secret, VERSION, &m, INITIATOR);
        assert_int_equal(dial_with(&a, &invited), mode == CHANNEL_INVITE);
    }
    secret.mode = CHANNEL_FLEET;
    secret.context[15] ^= 0x80;
    attacker_open(&a, &secret, VERSION, &m, INITIATOR);
    assert_false(dial(&a));
    secret = secret_counting();
    secret.psk[31] ^= 1;
    attacker_open(&a, &secret, VERSION, &m, INITIATOR);
    assert_false(dial(&a));
}

/* Points of order 1, 2, 4 and 8, and what else stands for them. Whoever sends one knows what every
 * agreement on it gives: zeros. */
static const char *const worthless[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

static void check_worthless(const uint8_t point[32])
{
    struct keys m = mallory();
    struct channel_secret secret = secret_counting();
    struct attacker a;

    for (uint8_t role = INITIATOR; role <= RESPONDER; role++) {
        a = attacker_of(&m, role);
        memcpy(a.ephemeral_public, point, 32);
        a.zero_ephemeral = true;
        assert_false(role == INITIATOR ? dial(&a) : answer(&a));
        a = attacker_of(&m, role);
        memcpy(a.static_public, point, 32);
        identity_of(a.identity, &m, &secret, point, role);
        a.zero_static = true;
        assert_false(role == INITIATOR ? dial(&a) : answer(&a));
    }
}

/* The top bit of a key is not looked at, so each has a twin. */
static void a_key_of_small_order_is_refused_wherever_it_stands(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(worthless); i++) {
        uint8_t point[32];

        assert_true(hex_read(point, sizeof point, worthless[i]));
        check_worthless(point);
        point[31] ^= 0x80;
        check_worthless(point);
    }
}

/* ---- frames ---- */

/* Whatever is sent, replaced keys included, no counter serves twice under one key, nor at all. */
static void no_nonce_is_used_twice(void **state)
{
    struct pair p;
    struct err e = {0};
    struct buf frames[2];

    (void)state;
    pair_shake_hands(&p);
    p.a.rekey_bytes = p.b.rekey_bytes = 50;
    buf_open(&frames[0], 64);
    buf_open(&frames[1], 64);
    for (uint64_t i = 0; i < 300; i++) {
        struct buf *now = &frames[i % 2], *before = &frames[1 - i % 2];

        assert_true(p.a.send.nonce == i && p.b.receive.nonce == i);
        buf_clear(now);
        assert_true(channel_send(&p.a, slice_text("the same"), now, &e));
        assert_true(i == 0 || memcmp(now->p, before->p, now->n) != 0);
        assert_true(feed_b(&p, buf_slice(now), &e));
    }
    assert_int_equal(p.heard_b.messages, 300);
    assert_false(feed_b(&p, buf_slice(&frames[1]), &e));
    buf_close(&frames[0]);
    buf_close(&frames[1]);
    pair_close(&p);
}

static void a_channel_whose_nonces_are_used_up_fails_and_says_nothing_more(void **state)
{
    struct pair p;
    struct err e = {0};

    (void)state;
    pair_shake_hands(&p);
    p.a.send.nonce = p.b.receive.nonce = UINT64_MAX - 1;
    assert_true(channel_send(&p.a, slice_text("the last"), &p.to_b, &e));
    deliver(&p);
    assert_int_equal(p.heard_b.messages, 1);
    assert_false(channel_send(&p.a, slice_text("one more"), &p.to_b, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_int_equal(p.a.state, CHANNEL_FAILED);
    check_fails(&p.b, (struct slice){(const uint8_t *)"\0\x13nothing of this opens", 21});
    pair_close(&p);
}

#define FRAMES 4

/* Four messages, each in a frame of its own. */
static void make_frames(struct pair *p, struct buf frames[FRAMES])
{
    static const char *const texts[FRAMES] = {"one", "two", "three", "four"};
    struct err e = {0};

    pair_shake_hands(p);
    for (int i = 0; i < FRAMES; i++) {
        buf_open(&frames[i], 64);
        assert_true(channel_send(&p->a, slice_text(texts[i]), &frames[i], &e));
    }
}

/* Feed frames in some order, `n` of them, and see that what is right in front is heard, and nothing
 * behind the first that is not in its place. */
static void check_order(const int *order, int n)
{
    struct buf frames[FRAMES];
    struct pair p;
    struct err e = {0};
    int i, right = 0;

    make_frames(&p, frames);
    while (right < n && order[right] == right)
        right++;
    for (i = 0; i < right; i++)
        assert_true(feed_b(&p, buf_slice(&frames[order[i]]), &e));
    assert_int_equal(p.heard_b.messages, right);
    if (right < n)
        check_fails(&p.b, buf_slice(&frames[order[right]]));
    for (i = right + 1; i < n; i++)
        check_fails(&p.b, buf_slice(&frames[order[i]]));
    for (i = 0; i < FRAMES; i++)
        buf_close(&frames[i]);
    pair_close(&p);
}

/* Every sequence of up to four of the four frames: moved, dropped, doubled. */
static void frames_out_of_order_dropped_or_doubled_end_the_channel(void **state)
{
    int count = 1;

    (void)state;
    for (int n = 1; n <= FRAMES; n++) {
        count *= FRAMES;
        for (int choice = 0; choice < count; choice++) {
            int order[FRAMES];

            for (int i = 0, left = choice; i < n; i++, left /= FRAMES)
                order[i] = left % FRAMES;
            check_order(order, n);
        }
    }
}

/* A message of several frames is handed on whole, or not at all. Where a conversation is cut off
 * between two messages, nobody has lost anything: see test_sync_cut.c. */
static void of_a_message_whose_frames_are_cut_off_nothing_is_heard(void **state)
{
    size_t n = 3 * FRAME_CHUNK_BYTES_MAX;
    uint8_t *bytes = mem_alloc(n);

    (void)state;
    for (size_t frames = 0; frames <= 3; frames++) {
        for (int off = -1; off <= 1; off++) {
            size_t cut = frames * (2 + (size_t)FRAME_BYTES_MAX);
            struct pair p;
            struct err e = {0};

            if ((frames == 0 && off < 0) || (frames == 3 && off > 0))
                continue;
            cut = off < 0 ? cut - 1 : cut + (size_t)off;
            pair_shake_hands(&p);
            assert_true(channel_send(&p.a, (struct slice){bytes, n}, &p.to_b, &e));
            assert_true(feed_b(&p, (struct slice){p.to_b.p, cut}, &e));
            assert_int_equal(p.heard_b.messages, cut == p.to_b.n);
            assert_int_equal(p.to_a.n, 0);
            pair_close(&p);
        }
    }
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flipped_bit_of_a_frame_fails_the_channel_without_an_answer),
        cmocka_unit_test(a_frame_that_is_cut_off_anywhere_waits_and_then_fails),
        cmocka_unit_test(a_whole_handshake_played_again_opens_nothing),
        cmocka_unit_test(what_one_said_is_refused_when_it_comes_back_to_him),
        cmocka_unit_test(parts_of_two_sessions_do_not_fit_together),
        cmocka_unit_test(one_who_has_his_keys_and_does_not_lie_is_let_in),
        cmocka_unit_test(who_stole_our_keys_cannot_pass_for_another_to_us),
        cmocka_unit_test(an_identity_counts_only_where_it_was_made_for),
        cmocka_unit_test(another_version_mode_or_fleet_is_a_stranger),
        cmocka_unit_test(a_key_of_small_order_is_refused_wherever_it_stands),
        cmocka_unit_test(no_nonce_is_used_twice),
        cmocka_unit_test(a_channel_whose_nonces_are_used_up_fails_and_says_nothing_more),
        cmocka_unit_test(frames_out_of_order_dropped_or_doubled_end_the_channel),
        cmocka_unit_test(of_a_message_whose_frames_are_cut_off_nothing_is_heard),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
