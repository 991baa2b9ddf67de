#include <navette/keys.h>

#include "golden.h"
#include "library.h"

#include <navette/bounds.h>

static struct keys keys_counting_from(uint8_t first)
{
    struct keys k;
    uint8_t seed[KEY_BYTES];

    for (size_t i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)(first + i);
    keys_from_seed(&k, seed);
    return k;
}

static void a_seed_gives_the_identity_of_the_worked_example(void **state)
{
    struct keys k = keys_counting_from(0);

    (void)state;
    golden_check("keys.txt", "seed", SLICE(k.seed));
    golden_check("keys.txt", "sign_public", SLICE(k.sign_public));
    golden_check("keys.txt", "exchange_public", SLICE(k.exchange_public));
    golden_check("keys.txt", "site", SLICE(k.site.bytes));
}

static void hashes_signatures_and_derived_keys_are_those_of_the_worked_example(void **state)
{
    struct keys k = keys_counting_from(0);
    uint8_t signature[SIGNATURE_BYTES], hash[HASH_BYTES];

    (void)state;
    keys_sign(&k, "navette example 1", slice_text("bonjour"), signature);
    golden_check("keys.txt", "signature", SLICE(signature));
    hash_derive(hash, k.seed, "navette example 1", slice_text("bonjour"));
    golden_check("keys.txt", "derived", SLICE(hash));
    hash_bytes(hash, slice_text("bonjour"));
    golden_check("keys.txt", "hash", SLICE(hash));
}

static void a_signature_verifies_for_its_bytes_and_context_only(void **state)
{
    struct keys k = keys_counting_from(0), other = keys_counting_from(1);
    uint8_t signature[SIGNATURE_BYTES];
    struct err e = {0};

    (void)state;
    keys_sign(&k, "navette a", slice_text("bytes"), signature);
    assert_true(keys_verify(k.sign_public, "navette a", slice_text("bytes"), signature, &e));
    assert_false(keys_verify(k.sign_public, "navette b", slice_text("bytes"), signature, &e));
    assert_int_equal(e.code, ERR_CRYPTO);
    err_clear(&e);
    assert_false(keys_verify(k.sign_public, "navette a", slice_text("byteS"), signature, &e));
    assert_int_equal(e.code, ERR_CRYPTO);
    err_clear(&e);
    assert_false(keys_verify(other.sign_public, "navette a", slice_text("bytes"), signature, &e));
    assert_int_equal(e.code, ERR_CRYPTO);
}

/* The NUL after the context keeps the two apart. */
static void a_context_does_not_run_into_the_bytes(void **state)
{
    struct keys k = keys_counting_from(0);
    uint8_t signature[SIGNATURE_BYTES], a[HASH_BYTES], b[HASH_BYTES];
    struct err e = {0};

    (void)state;
    keys_sign(&k, "navette a", slice_text("bc"), signature);
    assert_false(keys_verify(k.sign_public, "navette ab", slice_text("c"), signature, &e));
    hash_derive(a, k.seed, "navette a", slice_text("bc"));
    hash_derive(b, k.seed, "navette ab", slice_text("c"));
    assert_memory_not_equal(a, b, sizeof a);
}

static void any_flipped_bit_breaks_a_signature(void **state)
{
    struct keys k = keys_counting_from(0);
    uint8_t signature[SIGNATURE_BYTES];

    (void)state;
    keys_sign(&k, "navette a", slice_text("bytes"), signature);
    for (size_t bit = 0; bit < 8 * sizeof signature; bit++) {
        struct err e = {0};

        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(keys_verify(k.sign_public, "navette a", slice_text("bytes"), signature, &e));
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* A public key of small order would verify signatures that nobody made. */
static void a_signature_under_a_worthless_public_key_is_refused(void **state)
{
    uint8_t identity[SIGN_PUBLIC_BYTES] = {1}, signature[SIGNATURE_BYTES] = {1};
    struct err e = {0};

    (void)state;
    assert_false(keys_verify(identity, "navette a", slice_text("bytes"), signature, &e));
    assert_int_equal(e.code, ERR_CRYPTO);
}

static void two_new_identities_differ(void **state)
{
    struct keys a, b;

    (void)state;
    keys_generate(&a);
    keys_generate(&b);
    assert_memory_not_equal(a.seed, b.seed, sizeof a.seed);
    assert_memory_not_equal(&a.site, &b.site, sizeof a.site);
    keys_wipe(&a);
    assert_true(sodium_is_zero((const uint8_t *)&a, sizeof a));
}

static void check_name(const char *name, size_t n, enum err_code code)
{
    struct err e = {0};

    assert_int_equal(name_check((struct slice){(const uint8_t *)name, n}, &e), code == ERR_NONE);
    assert_int_equal(e.code, code);
}

static void a_name_is_short_utf8_without_control_characters(void **state)
{
    char long_name[NAME_BYTES_MAX + 1];

    (void)state;
    memset(long_name, 'x', sizeof long_name);
    check_name("CAISSE01", 8, ERR_NONE);
    check_name("Comptabilit\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x8D\x8E", 22, ERR_NONE);
    check_name(long_name, NAME_BYTES_MAX, ERR_NONE);
    check_name(long_name, NAME_BYTES_MAX + 1, ERR_LIMIT);
    check_name("", 0, ERR_INPUT);
    check_name("a\nb", 3, ERR_INPUT);
    check_name("a\0b", 3, ERR_INPUT);
    check_name("a\x7F", 2, ERR_INPUT);
    check_name("\xC2\x85", 2, ERR_INPUT); /* a C1 control */
    check_name("\xE2\x80\xAE"
               "abc",
               6, ERR_INPUT); /* turns the text around */
    check_name("\xE2\x81\xA6"
               "abc",
               6, ERR_INPUT);
    check_name("\xC3", 1, ERR_INPUT);         /* cut off */
    check_name("\xC0\xAF", 2, ERR_INPUT);     /* too long a form */
    check_name("\xED\xA0\x80", 3, ERR_INPUT); /* a surrogate */
    check_name("\xF4\x90\x80\x80", 4, ERR_INPUT);
    check_name("\xFF", 1, ERR_INPUT);
}

static void is_no_new_name(const char *name, const char *says)
{
    struct err e = {0};

    assert_true(name_check(slice_text(name), &e)); /* as it may stand in a roster */
    assert_false(name_check_new(slice_text(name), &e));
    assert_int_equal(e.code, ERR_INPUT);
    if (strstr(e.text, says) == NULL)
        fail_msg("%s", e.text);
}

static void a_new_name_looks_like_no_other(void **state)
{
    struct err e = {0};

    (void)state;
    assert_true(name_check_new(slice_text("Till 1"), &e));
    assert_true(name_check_new(slice_text("Comptabilit\xC3\xA9 \xE2\x82\xAC"), &e));
    is_no_new_name("CAISSE01 ", "ends with a space");
    is_no_new_name(" CAISSE01", "ends with a space");
    is_no_new_name("CAISSE\xC2\xA0"
                   "01",
                   "U+00A0");
    is_no_new_name("CAISSE\xD8\x9C"
                   "01",
                   "U+061C");
    is_no_new_name("CAISSE\xE2\x80\x8B"
                   "01",
                   "U+200B");
    is_no_new_name("CAISSE01\xE2\x80\x8F", "U+200F");
    is_no_new_name("CAISSE\xE2\x81\xA0"
                   "01",
                   "U+2060");
    is_no_new_name("\xEF\xBB\xBF"
                   "CAISSE01",
                   "U+FEFF");
    is_no_new_name("CAISSE01\xF3\xA0\x80\xA1", "U+E0021");
    assert_false(name_check_new(slice_text("a\xE2\x80\xAE"
                                           "b"),
                                &e)); /* turns the text around */
    assert_false(name_check_new(slice_text(""), &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_gives_the_identity_of_the_worked_example),
        cmocka_unit_test(hashes_signatures_and_derived_keys_are_those_of_the_worked_example),
        cmocka_unit_test(a_signature_verifies_for_its_bytes_and_context_only),
        cmocka_unit_test(a_context_does_not_run_into_the_bytes),
        cmocka_unit_test(any_flipped_bit_breaks_a_signature),
        cmocka_unit_test(a_signature_under_a_worthless_public_key_is_refused),
        cmocka_unit_test(two_new_identities_differ),
        cmocka_unit_test(a_name_is_short_utf8_without_control_characters),
        cmocka_unit_test(a_new_name_looks_like_no_other),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
