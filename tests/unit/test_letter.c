/* Requests to join and their answers, as files. */
#include <navette/letter.h>

#include "golden.h"
#include "library.h"

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
        cmocka_unit_test(other_files_are_no_letters),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
