#include <navette/invite.h>

#include "golden.h"
#include "library.h"

static struct invite example(uint32_t addresses)
{
    struct invite v = {.address_count = addresses};

    golden_take("token.txt", "secret", v.secret, sizeof v.secret);
    golden_take("token.txt", "maker", v.maker, sizeof v.maker);
    for (uint32_t i = 0; i < addresses; i++)
        v.addresses[i] =
            (struct invite_address){{192, 168, 1, (uint8_t)(10 + i)}, (uint16_t)(7400 + i)};
    return v;
}

static void tokens_are_those_of_the_worked_example(void **state)
{
    (void)state;
    for (uint32_t n = 0; n <= INVITE_ADDRESSES_MAX; n++) {
        struct invite v = example(n), got;
        char text[INVITE_TEXT_BYTES_MAX], key[16];
        struct err e = {0};

        invite_format(text, &v);
        snprintf(key, sizeof key, "text_%u", n);
        golden_check("token.txt", key, slice_text(text));
        assert_true(invite_parse(&got, text, &e));
        assert_memory_equal(&got, &v, sizeof v);
    }
}

static void what_the_maker_keeps_is_that_of_the_worked_example(void **state)
{
    struct invite v = example(2);
    struct invite_lock lock;

    (void)state;
    invite_lock(&lock, &v);
    golden_check("token.txt", "id", SLICE(lock.id));
    golden_check("token.txt", "psk", SLICE(lock.psk));
    golden_check("token.txt", "key", SLICE(lock.key));
}

static void only_who_has_the_token_can_make_its_proof(void **state)
{
    struct slice statement = slice_text("this channel, these keys, this name");
    struct invite v = example(0), other = example(0);
    uint8_t proof[SIGNATURE_BYTES];
    struct invite_lock lock;
    struct err e = {0};

    (void)state;
    invite_lock(&lock, &v);
    invite_prove(&v, statement, proof);
    assert_true(invite_check(&lock, statement, proof, &e));
    assert_false(invite_check(&lock, slice_text("another channel"), proof, &e));
    assert_int_equal(e.code, ERR_CRYPTO);
    proof[0] ^= 1;
    assert_false(invite_check(&lock, statement, proof, &e));
    other.secret[15] ^= 1;
    invite_prove(&other, statement, proof);
    assert_false(invite_check(&lock, statement, proof, &e));
}

/* What is kept is no secret of the token's own: neither the secret nor the proof's key is in it. */
static void what_the_maker_keeps_lets_nobody_in(void **state)
{
    struct slice statement = slice_text("this channel, these keys, this name");
    struct invite v = example(0);
    struct invite_lock lock;
    struct err e = {0};

    (void)state;
    invite_lock(&lock, &v);
    for (size_t at = 0; at + sizeof v.secret <= sizeof lock; at++) {
        const uint8_t *bytes = (const uint8_t *)&lock;
        struct invite guess = {0};
        uint8_t proof[SIGNATURE_BYTES];

        memcpy(guess.secret, bytes + at, sizeof guess.secret);
        assert_memory_not_equal(guess.secret, v.secret, sizeof v.secret);
        invite_prove(&guess, statement, proof);
        assert_false(invite_check(&lock, statement, proof, &e));
    }
}

static void a_token_names_its_maker(void **state)
{
    struct site_id maker = {{1, 2, 3, 4, 5, 6, 7, 8, 9}}, other = maker;
    struct invite v;

    (void)state;
    invite_generate(&v, &maker);
    assert_true(invite_is_of(&v, &maker));
    other.bytes[0] ^= 1;
    assert_false(invite_is_of(&v, &other));
}

static void a_token_may_be_typed_in_any_case_and_spacing(void **state)
{
    struct invite v = example(1), got;
    char text[INVITE_TEXT_BYTES_MAX], typed[4 * INVITE_TEXT_BYTES_MAX];
    struct err e = {0};
    size_t n = 0;

    (void)state;
    invite_format(text, &v);
    for (size_t i = 0; text[i] != '\0'; i++) {
        char c = text[i];

        if (c == '-')
            continue;
        c = c == '0' ? 'o' : c == '1' ? (i % 2 == 0 ? 'l' : 'I') : c;
        typed[n++] = c >= 'A' && c <= 'Z' && c != 'I' ? (char)(c + 32) : c;
        if (i % 3 == 0)
            typed[n++] = " \t\r\n-"[i % 5];
    }
    typed[n] = '\0';
    assert_true(invite_parse(&got, typed, &e));
    assert_memory_equal(&got, &v, sizeof v);
}

static void check_refused(const char *text, const char *says)
{
    struct invite got;
    struct err e = {0};

    assert_false(invite_parse(&got, text, &e));
    assert_int_equal(e.code, ERR_INPUT);
    if (strstr(e.text, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", e.text, says);
    assert_int_equal(got.address_count, 0);
    assert_true(sodium_is_zero(got.secret, sizeof got.secret));
}

static void every_slip_of_one_character_is_noticed(void **state)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    struct invite v = example(2);
    char text[INVITE_TEXT_BYTES_MAX];

    (void)state;
    invite_format(text, &v);
    for (size_t i = 0; text[i] != '\0'; i++)
        for (const char *c = alphabet; *c != '\0'; c++) {
            char right = text[i];

            if (right == '-' || right == *c)
                continue;
            text[i] = *c;
            check_refused(text, "typing mistake; copy it again");
            text[i] = right;
        }
}

static void two_characters_in_the_wrong_order_are_noticed(void **state)
{
    struct invite v = example(2);
    char text[INVITE_TEXT_BYTES_MAX];

    (void)state;
    invite_format(text, &v);
    for (size_t i = 0; text[i + 1] != '\0'; i++) {
        char a = text[i], b = text[i + 1];

        if (a == '-' || b == '-' || a == b)
            continue;
        text[i] = b;
        text[i + 1] = a;
        check_refused(text, "typing mistake");
        text[i] = a;
        text[i + 1] = b;
    }
}

static void a_part_of_a_token_is_refused_in_plain_words(void **state)
{
    struct invite v = example(4);
    char text[INVITE_TEXT_BYTES_MAX], twice[2 * INVITE_TEXT_BYTES_MAX];

    (void)state;
    invite_format(text, &v);
    snprintf(twice, sizeof twice, "%s%s", text, text);
    check_refused(twice, "too long");
    for (size_t n = strlen(text); n-- > 0;) {
        text[n] = '\0';
        check_refused(text, "copy it again");
    }
    check_refused("", "0 letters and digits");
}

static void characters_that_no_token_has_are_named(void **state)
{
    (void)state;
    check_refused("068U", "'U'");
    check_refused("068*", "'*'");
    check_refused("068\xC3\xA9", "byte c3");
    check_refused("068\x01", "byte 01");
}

static void check_bytes(const uint8_t *bytes, size_t n, enum err_code code)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint8_t sealed[64], hash[HASH_BYTES];
    char text[128];
    struct invite got;
    struct err e = {0};
    size_t digits = 0;

    memcpy(sealed, bytes, n);
    hash_bytes(hash, (struct slice){bytes, n});
    memcpy(sealed + n, hash, 4);
    for (size_t bit = 0; bit < 8 * (n + 4); bit += 5) {
        unsigned digit = 0;

        for (size_t i = bit; i < bit + 5; i++)
            digit = digit << 1 | (i < 8 * (n + 4) ? sealed[i / 8] >> (7 - i % 8) & 1u : 0);
        text[digits++] = alphabet[digit];
    }
    text[digits] = '\0';
    assert_false(invite_parse(&got, text, &e));
    assert_int_equal(e.code, code);
}

static void another_version_and_a_wrong_count_are_refused(void **state)
{
    uint8_t bytes[26] = {3};

    (void)state;
    check_bytes(bytes, sizeof bytes, ERR_REFUSED);
    bytes[0] = 1;
    check_bytes(bytes, sizeof bytes, ERR_REFUSED);
    bytes[0] = 2;
    bytes[25] = 1;
    check_bytes(bytes, sizeof bytes, ERR_INPUT);
    bytes[25] = 255;
    check_bytes(bytes, sizeof bytes, ERR_INPUT);
}

/* 36 bytes are 58 characters with 2 bits to spare: those must be zero, or one token had many
 * spellings. */
static void spare_bits_must_be_zero(void **state)
{
    struct invite v = example(1);
    char text[INVITE_TEXT_BYTES_MAX];
    char *last;

    (void)state;
    invite_format(text, &v);
    last = text + strlen(text) - 1;
    assert_non_null(strchr("048CGMRW", *last));
    *last = *last == 'M' ? 'N' : *last == 'R' ? 'S' : *last == 'W' ? 'X' : (char)(*last + 1);
    check_refused(text, "typing mistake");
}

static void two_invitations_differ(void **state)
{
    struct invite a, b;

    (void)state;
    invite_generate(&a, &(struct site_id){{0}});
    invite_generate(&b, &(struct site_id){{0}});
    assert_memory_not_equal(a.secret, b.secret, sizeof a.secret);
    assert_int_equal(a.address_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_those_of_the_worked_example),
        cmocka_unit_test(what_the_maker_keeps_is_that_of_the_worked_example),
        cmocka_unit_test(only_who_has_the_token_can_make_its_proof),
        cmocka_unit_test(what_the_maker_keeps_lets_nobody_in),
        cmocka_unit_test(a_token_names_its_maker),
        cmocka_unit_test(a_token_may_be_typed_in_any_case_and_spacing),
        cmocka_unit_test(every_slip_of_one_character_is_noticed),
        cmocka_unit_test(two_characters_in_the_wrong_order_are_noticed),
        cmocka_unit_test(a_part_of_a_token_is_refused_in_plain_words),
        cmocka_unit_test(characters_that_no_token_has_are_named),
        cmocka_unit_test(another_version_and_a_wrong_count_are_refused),
        cmocka_unit_test(spare_bits_must_be_zero),
        cmocka_unit_test(two_invitations_differ),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
