/* Requests to join and their answers, as files. */
#include <navette/letter.h>

#include <sodium.h>

#include <navette/wire.h>

#include "golden.h"
#include "library.h"

#define SALT_BYTES         32 /* before a request that is sealed, of which the key comes */
#define TAG_BYTES          16 /* behind it */
#define ASK_BYTES_MAX      (JOIN_BYTES_MAX + 256)
#define ANSWER_EXTRA_BYTES crypto_box_SEALBYTES

struct story {
    struct keys maker, guest;
    struct invite invite;
    struct invite_lock lock;
    uint8_t machine[HASH_BYTES];
};

/* The sites of the worked examples and their token. */
static void story_open(struct story *s)
{
    uint8_t seed[32];

    *s = (struct story){0};
    for (int i = 0; i < 32; i++)
        seed[i] = (uint8_t)i;
    keys_from_seed(&s->maker, seed);
    for (int i = 0; i < 32; i++)
        seed[i] = (uint8_t)(32 + i);
    keys_from_seed(&s->guest, seed);
    golden_take("token.txt", "secret", s->invite.secret, sizeof s->invite.secret);
    memcpy(s->invite.maker, s->maker.site.bytes, sizeof s->invite.maker);
    invite_lock(&s->lock, &s->invite);
    golden_take("letter.txt", "machine", s->machine, sizeof s->machine);
}

static void make_ask(struct story *s, struct letter *l)
{
    *l = (struct letter){0};
    letter_ask_seal(l, "COMPTA01", s->machine, &s->invite, &s->guest);
}

static void make_answer(struct story *s, struct letter *l)
{
    static const uint8_t log[] = {0xde, 0xad, 0xbe, 0xef};
    struct letter_answer a = {.welcome = {.kind = JOIN_WELCOME, .roster = SLICE(log)}};
    struct actor actor;
    uint8_t hash[HASH_BYTES];
    struct err e = {0};

    *l = (struct letter){0};
    memcpy(l->invitation, s->lock.id, sizeof l->invitation);
    memcpy(a.joiner, s->guest.sign_public, sizeof a.joiner);
    for (int i = 0; i < 32; i++)
        a.welcome.fleet_key[i] = (uint8_t)(0x80 + i);
    memcpy(actor.bytes, s->maker.site.bytes, sizeof s->maker.site);
    memset(actor.bytes + sizeof s->maker.site, 4, ACTOR_BYTES - sizeof s->maker.site);
    memset(hash, 0x11, sizeof hash);
    assert_true(vector_set(&a.have, &actor, 7, hash));
    a.keys = slice_text("local keys");
    assert_true(letter_answer_seal(l, &a, s->guest.exchange_public, &s->maker, &e));
    vector_close(&a.have);
}

static bool opens(const struct letter *l, const struct keys *k, struct err *e)
{
    struct letter_answer a = {0};
    struct buf record = {0};
    bool ok = letter_answer_open(&a, &record, l, k, e);

    vector_close(&a.have);
    buf_wipe(&record);
    return ok;
}

static void letters_are_those_of_the_worked_example(void **state)
{
    struct letter ask, answer;
    struct buf file;
    struct story s;

    (void)state;
    story_open(&s);
    golden_random_from(0x70);
    make_ask(&s, &ask);
    golden_random_from(0x90);
    make_answer(&s, &answer);
    golden_random_end();
    letter_write(&file, &ask);
    golden_check("letter.txt", "ask_file", buf_slice(&file));
    buf_close(&file);
    letter_write(&file, &answer);
    golden_check("letter.txt", "answer_file", buf_slice(&file));
    buf_close(&file);
    letter_close(&ask);
    letter_close(&answer);
}

static void a_request_is_read_as_it_was_written(void **state)
{
    struct letter l, back = {0};
    struct letter_ask ask;
    struct buf file;
    struct err e = {0};
    struct story s;

    (void)state;
    story_open(&s);
    make_ask(&s, &l);
    letter_write(&file, &l);
    assert_true(letter_is((struct slice){file.p, LETTER_HEAD_BYTES}));
    assert_true(letter_read(&back, buf_slice(&file), &e));
    assert_int_equal(back.kind, LETTER_ASK);
    assert_true(letter_ask_open(&ask, &back, &s.lock, &e));
    assert_true(letter_ask_proven(&ask, &s.lock, &e));
    assert_string_equal(ask.join.name, "COMPTA01");
    assert_memory_equal(ask.join.sign_public, s.guest.sign_public, SIGN_PUBLIC_BYTES);
    assert_memory_equal(ask.machine, s.machine, sizeof s.machine);
    letter_close(&l);
    letter_close(&back);
    buf_close(&file);
}

static void an_answer_is_read_as_it_was_written_and_by_its_newcomer_only(void **state)
{
    struct letter_answer a = {0};
    struct buf record = {0};
    struct err e = {0};
    struct letter l;
    struct story s;

    (void)state;
    story_open(&s);
    make_answer(&s, &l);
    assert_true(letter_answer_open(&a, &record, &l, &s.guest, &e));
    assert_int_equal(a.welcome.fleet_key[31], 0x9f);
    assert_int_equal(a.have.n, 1);
    assert_true(slice_equal(a.keys, slice_text("local keys")));
    assert_memory_equal(a.maker, s.maker.sign_public, SIGN_PUBLIC_BYTES);
    assert_false(opens(&l, &s.maker, &e));
    assert_int_equal(e.code, ERR_CRYPTO);
    vector_close(&a.have);
    buf_wipe(&record);
    letter_close(&l);
}

/* With another token, or under the name of another invitation, it is nothing. */
static void a_request_is_bound_to_its_invitation(void **state)
{
    struct invite_lock other;
    struct letter_ask ask;
    struct err e = {0};
    struct letter l;
    struct story s;

    (void)state;
    story_open(&s);
    make_ask(&s, &l);
    s.invite.secret[0] ^= 1;
    invite_lock(&other, &s.invite);
    assert_false(letter_ask_open(&ask, &l, &other, &e));
    assert_int_equal(e.code, ERR_CRYPTO);
    err_clear(&e);
    assert_true(letter_ask_open(&ask, &l, &s.lock, &e));
    assert_false(letter_ask_proven(&ask, &other, &e));
    err_clear(&e);
    l.invitation[0] ^= 1;
    assert_false(letter_ask_open(&ask, &l, &s.lock, &e));
    assert_int_equal(e.code, ERR_CRYPTO);
    letter_close(&l);
}

static void any_flipped_bit_of_what_is_sealed_is_noticed(void **state)
{
    struct letter ask, answer;
    struct letter_ask got;
    struct story s;

    (void)state;
    story_open(&s);
    make_ask(&s, &ask);
    make_answer(&s, &answer);
    for (size_t bit = 0; bit < 8 * ask.sealed.n; bit++) {
        struct err e = {0};

        ask.sealed.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(letter_ask_open(&got, &ask, &s.lock, &e));
        assert_int_equal(e.code, ERR_CRYPTO);
        ask.sealed.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * answer.sealed.n; bit++) {
        struct err e = {0};

        answer.sealed.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(opens(&answer, &s.guest, &e));
        assert_int_equal(e.code, ERR_CRYPTO);
        answer.sealed.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    letter_close(&ask);
    letter_close(&answer);
}

/* Everything of a file but its white space counts. */
static void a_file_that_was_cut_off_or_goes_on_is_refused(void **state)
{
    struct letter l, back;
    struct buf file;
    struct story s;

    (void)state;
    story_open(&s);
    make_ask(&s, &l);
    letter_write(&file, &l);
    for (size_t n = 0; n + 1 < file.n; n++) {
        struct err e = {0};

        back = (struct letter){0};
        assert_false(letter_read(&back, (struct slice){file.p, n}, &e));
        assert_int_not_equal(e.code, ERR_NONE);
        letter_close(&back);
    }
    buf_add(&file, "x", 1);
    {
        struct err e = {0};

        back = (struct letter){0};
        assert_false(letter_read(&back, buf_slice(&file), &e));
        letter_close(&back);
    }
    letter_close(&l);
    buf_close(&file);
}

static void what_was_sealed_is_refused_wherever_it_is_cut_off(void **state)
{
    struct buf ask = {0}, answer = {0};
    struct letter_answer a = {0};
    struct letter_ask got;
    struct err e = {0};
    struct story s;

    (void)state;
    story_open(&s);
    golden_find("letter.txt", "ask", 0, &ask);
    golden_find("letter.txt", "answer", 0, &answer);
    assert_true(letter_ask_read(&got, s.lock.id, buf_slice(&ask), &e));
    assert_true(letter_answer_read(&a, s.lock.id, buf_slice(&answer), &e));
    vector_close(&a.have);
    for (size_t n = 0; n < ask.n; n++) {
        err_clear(&e);
        assert_false(letter_ask_read(&got, s.lock.id, (struct slice){ask.p, n}, &e));
    }
    for (size_t n = 0; n < answer.n; n++) {
        err_clear(&e);
        assert_false(letter_answer_read(&a, s.lock.id, (struct slice){answer.p, n}, &e));
        vector_close(&a.have);
    }
    buf_close(&ask);
    buf_close(&answer);
}

/* ---- those who know the format and have the token ---- */

/* As an honest PC seals a request, whatever bytes it is. */
static void seal_ask(struct letter *l, const struct story *s, struct slice record)
{
    static const uint8_t no_nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];
    uint8_t key[HASH_BYTES], *salt;

    *l = (struct letter){.kind = LETTER_ASK};
    memcpy(l->invitation, s->lock.id, sizeof l->invitation);
    buf_open(&l->sealed, SALT_BYTES + record.n + TAG_BYTES);
    salt = buf_extend(&l->sealed, SALT_BYTES + record.n + TAG_BYTES);
    memset(salt, 5, SALT_BYTES);
    hash_derive(key, s->lock.psk, "navette ask key 1", (struct slice){salt, SALT_BYTES});
    crypto_aead_chacha20poly1305_ietf_encrypt(salt + SALT_BYTES, NULL, record.p, record.n, NULL, 0,
                                              NULL, no_nonce, key);
}

/* As an honest PC seals an answer to the guest. */
static void seal_answer(struct letter *l, const struct story *s, struct slice record)
{
    *l = (struct letter){.kind = LETTER_ANSWER};
    memcpy(l->invitation, s->lock.id, sizeof l->invitation);
    buf_open(&l->sealed, record.n + ANSWER_EXTRA_BYTES);
    assert_int_equal(crypto_box_seal(buf_extend(&l->sealed, record.n + ANSWER_EXTRA_BYTES),
                                     record.p, record.n, s->guest.exchange_public),
                     0);
}

/* The worked example's request or answer, signed anew; an answer names `maker` as who made it. */
static void sign_again(struct buf *record, const char *which, const struct keys *maker,
                       const struct keys *signer, const char *context)
{
    struct buf golden = {0};
    uint8_t signature[SIGNATURE_BYTES];
    struct err e = {0};
    struct reader r = reader_of(golden_find("letter.txt", which, 0, &golden), &e);
    struct writer w = {.out = record};
    struct slice inner;

    read_array_exact(&r, maker == NULL ? 2 : 3, which);
    inner = read_bin(&r, golden.n, which);
    assert_false(r.failed);
    keys_sign(signer, context, inner, signature);
    buf_open(record, golden.n);
    write_array(&w, maker == NULL ? 2 : 3);
    write_bin(&w, inner);
    if (maker != NULL)
        write_bin(&w, SLICE(maker->sign_public));
    write_bin(&w, SLICE(signature));
    assert_false(record->overflow);
    buf_close(&golden);
}

static enum err_code ask_signed_by(const struct story *s, const struct keys *k, const char *context)
{
    struct letter_ask ask;
    struct buf record = {0};
    struct err e = {0};
    struct letter l;
    bool ok;

    sign_again(&record, "ask", NULL, k, context);
    seal_ask(&l, s, buf_slice(&record));
    ok = letter_ask_open(&ask, &l, &s->lock, &e);
    assert_int_equal(ok, e.code == ERR_NONE);
    letter_close(&l);
    buf_close(&record);
    return e.code;
}

/* Who has the token and another's public keys cannot ask in that one's name. */
static void a_request_that_the_one_who_asks_did_not_sign_is_refused(void **state)
{
    struct story s;

    (void)state;
    story_open(&s);
    assert_int_equal(ask_signed_by(&s, &s.guest, "navette ask 1"), ERR_NONE);
    assert_int_equal(ask_signed_by(&s, &s.maker, "navette ask 1"), ERR_CRYPTO);
    assert_int_equal(ask_signed_by(&s, &s.guest, "navette answer 1"), ERR_CRYPTO);
}

static enum err_code answer_signed_by(const struct story *s, const struct keys *k,
                                      const char *context)
{
    struct buf record = {0};
    struct err e = {0};
    struct letter l;
    bool ok;

    sign_again(&record, "answer", &s->maker, k, context);
    seal_answer(&l, s, buf_slice(&record));
    ok = opens(&l, &s->guest, &e);
    assert_int_equal(ok, e.code == ERR_NONE);
    letter_close(&l);
    buf_close(&record);
    return e.code;
}

/* Who finds a request's sender can seal to him; but not answer in the maker's name. */
static void an_answer_that_its_maker_did_not_sign_is_refused(void **state)
{
    struct story s;

    (void)state;
    story_open(&s);
    assert_int_equal(answer_signed_by(&s, &s.maker, "navette answer 1"), ERR_NONE);
    assert_int_equal(answer_signed_by(&s, &s.guest, "navette answer 1"), ERR_CRYPTO);
    assert_int_equal(answer_signed_by(&s, &s.maker, "navette ask 1"), ERR_CRYPTO);
}

static void check_size_is_named(const struct err *e, const char *what, size_t n)
{
    char text[64];

    snprintf(text, sizeof text, "%s of %zu bytes", what, n);
    assert_int_equal(e->code, ERR_INPUT);
    assert_string_equal(e->text, text);
}

/* Too little to hold anything, or more than one may be: it is refused by its length. */
static void a_sealed_request_has_a_length_that_one_can_have(void **state)
{
    struct letter_ask ask;
    struct letter l;
    struct story s;
    uint8_t *bytes = mem_alloc(ASK_BYTES_MAX + 1);

    (void)state;
    story_open(&s);
    seal_ask(&l, &s, (struct slice){bytes, 0});
    for (size_t n = l.sealed.n; n <= SALT_BYTES + TAG_BYTES; n--) {
        struct err e = {0};

        l.sealed.n = n;
        assert_false(letter_ask_open(&ask, &l, &s.lock, &e));
        check_size_is_named(&e, "a request to join", n);
    }
    letter_close(&l);
    for (size_t n = ASK_BYTES_MAX; n <= ASK_BYTES_MAX + 1; n++) {
        struct err e = {0};

        seal_ask(&l, &s, (struct slice){bytes, n});
        assert_false(letter_ask_open(&ask, &l, &s.lock, &e));
        if (n > ASK_BYTES_MAX)
            check_size_is_named(&e, "a request to join", l.sealed.n);
        else
            assert_null(strstr(e.text, "bytes")); /* it was opened, and is none */
        letter_close(&l);
    }
    free(bytes);
}

static void a_sealed_answer_has_a_length_that_one_can_have(void **state)
{
    struct letter l;
    struct story s;
    uint8_t *bytes = mem_alloc(LETTER_RECORD_BYTES_MAX + 1);

    (void)state;
    story_open(&s);
    seal_answer(&l, &s, (struct slice){bytes, 0});
    for (size_t n = l.sealed.n; n <= ANSWER_EXTRA_BYTES; n--) {
        struct err e = {0};

        l.sealed.n = n;
        assert_false(opens(&l, &s.guest, &e));
        check_size_is_named(&e, "an answer", n);
    }
    letter_close(&l);
    for (size_t n = LETTER_RECORD_BYTES_MAX; n <= LETTER_RECORD_BYTES_MAX + 1; n++) {
        struct err e = {0};

        seal_answer(&l, &s, (struct slice){bytes, n});
        assert_false(opens(&l, &s.guest, &e));
        if (n > LETTER_RECORD_BYTES_MAX)
            check_size_is_named(&e, "an answer", l.sealed.n);
        else
            assert_null(strstr(e.text, "bytes"));
        letter_close(&l);
    }
    free(bytes);
}

static void other_files_are_no_letters(void **state)
{
    static const char *const files[] = {
        "", "{", "{\"navette\": \"change-sets\"", "[]", "{\"x\": \"join-ask\"", "\"join-ask\""};

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        assert_false(letter_is(slice_text(files[i])));
    assert_true(letter_is(slice_text(" {\r\n\t\"navette\" : \"join-")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_are_those_of_the_worked_example),
        cmocka_unit_test(a_request_is_read_as_it_was_written),
        cmocka_unit_test(an_answer_is_read_as_it_was_written_and_by_its_newcomer_only),
        cmocka_unit_test(a_request_is_bound_to_its_invitation),
        cmocka_unit_test(any_flipped_bit_of_what_is_sealed_is_noticed),
        cmocka_unit_test(a_file_that_was_cut_off_or_goes_on_is_refused),
        cmocka_unit_test(what_was_sealed_is_refused_wherever_it_is_cut_off),
        cmocka_unit_test(a_request_that_the_one_who_asks_did_not_sign_is_refused),
        cmocka_unit_test(an_answer_that_its_maker_did_not_sign_is_refused),
        cmocka_unit_test(a_sealed_request_has_a_length_that_one_can_have),
        cmocka_unit_test(a_sealed_answer_has_a_length_that_one_can_have),
        cmocka_unit_test(other_files_are_no_letters),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
