/* Through the very functions that the rest of protocol/ uses. What must be refused is tried, too: a
 * comparison that always says yes would pass any other test. */
#include <navette/selftest.h>

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include <navette/bytes.h>
#include <navette/noise.h>

#define BYTES_MAX 160 /* of any one value here */

struct known {
    uint8_t bytes[BYTES_MAX];
    size_t n;
};

static struct known known(const char *hex)
{
    struct known k = {.n = strlen(hex) / 2};
    bool ok = k.n <= sizeof k.bytes && hex_read(k.bytes, k.n, hex);

    assert(ok);
    return k;
}

static bool is(const uint8_t *bytes, const char *hex)
{
    struct known k = known(hex);

    return memcmp(bytes, k.bytes, k.n) == 0;
}

/* RFC 7748, sections 5.2 and 6.1. */
static bool x25519_holds(void)
{
    struct known scalar = known("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
    struct known point = known("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
    struct known alice = known("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    static const uint8_t worthless[32] = {1};
    uint8_t out[32];

    return crypto_scalarmult_curve25519(out, scalar.bytes, point.bytes) == 0 &&
           is(out, "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552") &&
           crypto_scalarmult_curve25519_base(out, alice.bytes) == 0 &&
           is(out, "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a") &&
           crypto_scalarmult_curve25519(out, scalar.bytes, worthless) != 0;
}

/* RFC 8032, section 7.1, test 2. */
static bool ed25519_holds(void)
{
    struct known seed = known("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    uint8_t public[32], secret[64], signature[64], message = 0x72;

    crypto_sign_seed_keypair(public, secret, seed.bytes);
    crypto_sign_detached(signature, NULL, &message, 1, secret);
    if (!is(public, "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c") ||
        !is(signature, "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                       "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00") ||
        crypto_sign_verify_detached(signature, &message, 1, public) != 0)
        return false;
    message ^= 1;
    return crypto_sign_verify_detached(signature, &message, 1, public) != 0;
}

/* RFC 8439, section 2.8.2. */
static bool chacha20_poly1305_holds(void)
{
    static const char text[] = "Ladies and Gentlemen of the class of '99: If I could offer you "
                               "only one tip for the future, sunscreen would be it.";
    const unsigned long long n = sizeof text - 1;
    struct known key = known("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
    struct known nonce = known("070000004041424344454647");
    struct known with = known("50515253c0c1c2c3c4c5c6c7");
    uint8_t sealed[sizeof text - 1 + NOISE_TAG_BYTES], back[sizeof text];

    crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, (const uint8_t *)text, n, with.bytes,
                                              with.n, NULL, nonce.bytes, key.bytes);
    if (!is(sealed, "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
                    "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
                    "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
                    "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691") ||
        crypto_aead_chacha20poly1305_ietf_decrypt(back, NULL, NULL, sealed, sizeof sealed,
                                                  with.bytes, with.n, nonce.bytes,
                                                  key.bytes) != 0 ||
        memcmp(back, text, n) != 0)
        return false;
    sealed[0] ^= 1;
    return crypto_aead_chacha20poly1305_ietf_decrypt(back, NULL, NULL, sealed, sizeof sealed,
                                                     with.bytes, with.n, nonce.bytes,
                                                     key.bytes) != 0;
}

/* FIPS 180-4's example. */
static bool sha256_holds(void)
{
    uint8_t out[32];

    crypto_hash_sha256(out, (const uint8_t *)"abc", 3);
    return is(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* RFC 5869, appendix A.3: HMAC-SHA256 of RFC 2104, three times. */
static bool hkdf_holds(void)
{
    static const uint8_t no_salt[32];
    uint8_t input[22], out[3][32];

    memset(input, 0x0b, sizeof input);
    noise_hkdf(no_salt, SLICE(input), out);
    return is(out[0], "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d") &&
           is(out[1], "9d201395faa4b61a96c8");
}

/* RFC 7693, appendix A, and the same text with the 32 bytes that we use. */
static bool blake2b_holds(void)
{
    uint8_t out[64];

    crypto_generichash(out, 64, (const uint8_t *)"abc", 3, NULL, 0);
    if (!is(out, "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
                 "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"))
        return false;
    crypto_generichash(out, 32, (const uint8_t *)"abc", 3, NULL, 0);
    return is(out, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

/* NaCl's example of XSalsa20-Poly1305 ("Cryptography in NaCl", section 10): its first bytes. */
static bool box_holds(void)
{
    struct known key = known("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389");
    struct known nonce = known("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37");
    struct known plain = known("be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffc"
                               "e5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb31"
                               "0e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde"
                               "048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f93776384864"
                               "5e0705");
    uint8_t sealed[131 + crypto_secretbox_MACBYTES], back[131];

    assert(plain.n == sizeof back);
    crypto_secretbox_easy(sealed, plain.bytes, plain.n, nonce.bytes, key.bytes);
    if (!is(sealed, "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce"
                    "48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c972"
                    "71d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae"
                    "90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b3"
                    "7973f622a43d14a6599b1f654cb45a74e355a5") ||
        crypto_secretbox_open_easy(back, sealed, sizeof sealed, nonce.bytes, key.bytes) != 0 ||
        memcmp(back, plain.bytes, plain.n) != 0)
        return false;
    sealed[0] ^= 1;
    return crypto_secretbox_open_easy(back, sealed, sizeof sealed, nonce.bytes, key.bytes) != 0;
}

static const struct {
    const char *name;
    bool (*holds)(void);
} primitives[] = {
    {"X25519", x25519_holds},
    {"Ed25519", ed25519_holds},
    {"ChaCha20-Poly1305", chacha20_poly1305_holds},
    {"SHA-256", sha256_holds},
    {"HKDF with HMAC-SHA-256", hkdf_holds},
    {"BLAKE2b", blake2b_holds},
    {"XSalsa20-Poly1305", box_holds},
};

bool selftest_run(struct err *e)
{
    for (size_t i = 0; i < COUNT_OF(primitives); i++)
        if (!primitives[i].holds())
            return err_set(e, ERR_CRYPTO,
                           "this PC computes %s wrongly: its libsodium, its memory or its "
                           "processor is damaged; nothing was started",
                           primitives[i].name);
    return true;
}
