/* Every function of libsodium's that protects something comes by here (--wrap), and one of them
 * lies. */
#include <navette/selftest.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <sodium.h>

#include "agent.h"

#define RUNS 100

static const char *liar = "";

static bool lies(const char *name)
{
    return strcmp(name, liar) == 0;
}

/* name, its parameters, their names; what it writes comes first, and its first bit is flipped. */
#define WRITERS(X)                                                                                 \
    X(scalarmult_curve25519, (unsigned char *out, const unsigned char *n, const unsigned char *p), \
      (out, n, p))                                                                                 \
    X(scalarmult_curve25519_base, (unsigned char *out, const unsigned char *n), (out, n))          \
    X(sign_detached,                                                                               \
      (unsigned char *out, unsigned long long *n, const unsigned char *m, unsigned long long m_n,  \
       const unsigned char *key),                                                                  \
      (out, n, m, m_n, key))                                                                       \
    X(aead_chacha20poly1305_ietf_encrypt,                                                          \
      (unsigned char *out, unsigned long long *n, const unsigned char *m, unsigned long long m_n,  \
       const unsigned char *ad, unsigned long long ad_n, const unsigned char *secret,              \
       const unsigned char *nonce, const unsigned char *key),                                      \
      (out, n, m, m_n, ad, ad_n, secret, nonce, key))                                              \
    X(hash_sha256, (unsigned char *out, const unsigned char *m, unsigned long long m_n),           \
      (out, m, m_n))                                                                               \
    X(auth_hmacsha256_final, (crypto_auth_hmacsha256_state * state, unsigned char *out),           \
      (state, out))                                                                                \
    X(generichash,                                                                                 \
      (unsigned char *out, size_t n, const unsigned char *m, unsigned long long m_n,               \
       const unsigned char *key, size_t key_n),                                                    \
      (out, n, m, m_n, key, key_n))                                                                \
    X(secretbox_easy,                                                                              \
      (unsigned char *out, const unsigned char *m, unsigned long long m_n,                         \
       const unsigned char *nonce, const unsigned char *key),                                      \
      (out, m, m_n, nonce, key))

/* Those that check something say yes to everything. */
#define CHECKERS(X)                                                                                \
    X(sign_verify_detached,                                                                        \
      (const unsigned char *signature, const unsigned char *m, unsigned long long m_n,             \
       const unsigned char *key),                                                                  \
      (signature, m, m_n, key))                                                                    \
    X(aead_chacha20poly1305_ietf_decrypt,                                                          \
      (unsigned char *out, unsigned long long *n, unsigned char *secret, const unsigned char *c,   \
       unsigned long long c_n, const unsigned char *ad, unsigned long long ad_n,                   \
       const unsigned char *nonce, const unsigned char *key),                                      \
      (out, n, secret, c, c_n, ad, ad_n, nonce, key))                                              \
    X(secretbox_open_easy,                                                                         \
      (unsigned char *out, const unsigned char *c, unsigned long long c_n,                         \
       const unsigned char *nonce, const unsigned char *key),                                      \
      (out, c, c_n, nonce, key))

#define DECLARE(name, parameters, arguments)                                                       \
    int __real_crypto_##name parameters;                                                           \
    int __wrap_crypto_##name parameters;
#define WRITER(name, parameters, arguments)                                                        \
    int __wrap_crypto_##name parameters                                                            \
    {                                                                                              \
        int status = __real_crypto_##name arguments;                                               \
                                                                                                   \
        out[0] ^= lies(#name);                                                                     \
        return status;                                                                             \
    }
#define CHECKER(name, parameters, arguments)                                                       \
    int __wrap_crypto_##name parameters                                                            \
    {                                                                                              \
        int status = __real_crypto_##name arguments;                                               \
                                                                                                   \
        return lies(#name) ? 0 : status;                                                           \
    }

WRITERS(DECLARE)
CHECKERS(DECLARE)
WRITERS(WRITER)
CHECKERS(CHECKER)

static const struct {
    const char *function, *told; /* which primitive the message must name */
} functions[] = {
    {"scalarmult_curve25519", "X25519"},
    {"scalarmult_curve25519_base", "X25519"},
    {"sign_detached", "Ed25519"},
    {"sign_verify_detached", "Ed25519"},
    {"aead_chacha20poly1305_ietf_encrypt", "ChaCha20-Poly1305"},
    {"aead_chacha20poly1305_ietf_decrypt", "ChaCha20-Poly1305"},
    {"hash_sha256", "SHA-256"},
    {"auth_hmacsha256_final", "HKDF"},
    {"generichash", "BLAKE2b"},
    {"secretbox_easy", "XSalsa20-Poly1305"},
    {"secretbox_open_easy", "XSalsa20-Poly1305"},
};

static void published_vectors_come_out_right_here(void **state)
{
    struct err e = {0};

    (void)state;
    liar = "";
    assert_true(keys_library_start(&e));
    assert_true(selftest_run(&e));
}

static void each_primitive_that_computes_wrongly_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        struct err e = {0};

        liar = functions[i].function;
        assert_false(selftest_run(&e));
        liar = "";
        assert_int_equal(e.code, ERR_CRYPTO);
        if (strstr(e.text, functions[i].told) == NULL)
            fail_msg("%s lies, and the message is: %s", functions[i].function, e.text);
    }
}

/* Before it looks at anything else: this home does not even exist. */
static void an_agent_whose_primitives_are_wrong_does_not_start(void **state)
{
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        struct agent a;
        uv_loop_t loop;
        struct err e = {0};

        (void)state;
        assert_int_equal(uv_loop_init(&loop), 0);
        liar = functions[i].function;
        assert_false(agent_open(&a, &loop, "/nowhere/at/all", &e));
        liar = "";
        assert_int_equal(e.code, ERR_CRYPTO);
        assert_non_null(strstr(e.text, "nothing was started"));
        agent_stop(&a);
        agent_run(&a);
        agent_close(&a);
        assert_int_equal(uv_loop_close(&loop), 0);
    }
}

static uint64_t cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void it_takes_less_than_five_milliseconds(void **state)
{
    uint64_t start = cpu_us();
    struct err e = {0};

    (void)state;
    liar = "";
    for (int i = 0; i < RUNS; i++)
        assert_true(selftest_run(&e));
    print_message("%u us\n", (unsigned)((cpu_us() - start) / RUNS));
    assert_true((cpu_us() - start) / RUNS < 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors_come_out_right_here),
        cmocka_unit_test(each_primitive_that_computes_wrongly_is_named),
        cmocka_unit_test(an_agent_whose_primitives_are_wrong_does_not_start),
        cmocka_unit_test(it_takes_less_than_five_milliseconds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
