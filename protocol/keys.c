#include <navette/keys.h>

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <navette/bounds.h>
#include <navette/selftest.h>

bool keys_library_start(struct err *e)
{
    if (sodium_init() < 0)
        return err_set(e, ERR_CRYPTO, "libsodium does not start: no source of randomness");
    return selftest_run(e);
}

void keys_generate(struct keys *k)
{
    uint8_t seed[KEY_BYTES];

    random_fill(seed, sizeof seed);
    keys_from_seed(k, seed);
    sodium_memzero(seed, sizeof seed);
}

void keys_from_seed(struct keys *k, const uint8_t seed[32])
{
    uint8_t sign_seed[KEY_BYTES];

    memcpy(k->seed, seed, sizeof k->seed);
    hash_derive(sign_seed, seed, "navette sign 1", (struct slice){0});
    crypto_sign_seed_keypair(k->sign_public, k->sign_secret, sign_seed);
    sodium_memzero(sign_seed, sizeof sign_seed);
    hash_derive(k->exchange_secret, seed, "navette exchange 1", (struct slice){0});
    crypto_scalarmult_curve25519_base(k->exchange_public, k->exchange_secret);
    k->site = keys_site_id(k->sign_public);
}

void keys_wipe(struct keys *k)
{
    sodium_memzero(k, sizeof *k);
}

struct site_id keys_site_id(const uint8_t sign_public[32])
{
    struct site_id site;

    crypto_generichash(site.bytes, sizeof site.bytes, sign_public, SIGN_PUBLIC_BYTES, NULL, 0);
    return site;
}

/* What is really signed: the context, its NUL, the bytes. Ed25519 needs them in one piece. */
static uint8_t *signed_bytes(const char *context, struct slice bytes, size_t *n)
{
    size_t context_n = strlen(context) + 1;
    uint8_t *all = mem_alloc(context_n + bytes.n);

    memcpy(all, context, context_n);
    if (bytes.n > 0)
        memcpy(all + context_n, bytes.p, bytes.n);
    *n = context_n + bytes.n;
    return all;
}

void keys_sign(const struct keys *k, const char *context, struct slice bytes,
               uint8_t signature[SIGNATURE_BYTES])
{
    size_t n = 0;
    uint8_t *all = signed_bytes(context, bytes, &n);

    crypto_sign_detached(signature, NULL, all, n, k->sign_secret);
    free(all);
}

bool keys_verify(const uint8_t sign_public[32], const char *context, struct slice bytes,
                 const uint8_t signature[SIGNATURE_BYTES], struct err *e)
{
    size_t n = 0;
    uint8_t *all = signed_bytes(context, bytes, &n);
    bool ok = crypto_sign_verify_detached(signature, all, n, sign_public) == 0;

    free(all);
    if (!ok)
        return err_set(e, ERR_CRYPTO, "the signature does not verify (%s)", context);
    return true;
}

void hash_bytes(uint8_t out[HASH_BYTES], struct slice bytes)
{
    crypto_generichash(out, HASH_BYTES, bytes.p, bytes.n, NULL, 0);
}

void hash_derive(uint8_t out[HASH_BYTES], const uint8_t key[32], const char *context,
                 struct slice bytes)
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, key, KEY_BYTES, HASH_BYTES);
    crypto_generichash_update(&state, (const uint8_t *)context, strlen(context) + 1);
    crypto_generichash_update(&state, bytes.p, bytes.n);
    crypto_generichash_final(&state, out, HASH_BYTES);
    sodium_memzero(&state, sizeof state);
}

void random_fill(void *out, size_t n)
{
    randombytes_buf(out, n);
}

/* Control characters, and the marks that break lines or turn the direction of text on a screen. */
static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7F && point <= 0x9F) ||
           (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
}

bool name_check(struct slice name, struct err *e)
{
    struct slice left = name;

    if (name.n == 0)
        return err_set(e, ERR_INPUT, "a name is empty");
    if (name.n > NAME_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "a name of %zu bytes, allowed 1 to %d", name.n,
                       NAME_BYTES_MAX);
    while (left.n > 0) {
        uint32_t point = 0;
        size_t n = slice_code_point(left, &point);

        if (n == 0)
            return err_set(e, ERR_INPUT, "a name is not UTF-8 at byte %zu", name.n - left.n);
        if (is_control(point))
            return err_set(e, ERR_INPUT, "a name has the control character U+%04X", point);
        left = (struct slice){left.p + n, left.n - n};
    }
    return true;
}

/* Spaces of other widths, and what takes no room at all on a screen. */
static bool is_unseen(uint32_t point)
{
    static const struct {
        uint32_t first, last;
    } unseen[] = {
        {0x00A0, 0x00A0}, {0x00AD, 0x00AD}, {0x034F, 0x034F}, {0x061C, 0x061C},   {0x115F, 0x1160},
        {0x1680, 0x1680}, {0x17B4, 0x17B5}, {0x180B, 0x180F}, {0x2000, 0x200F},   {0x2028, 0x202F},
        {0x205F, 0x206F}, {0x2800, 0x2800}, {0x3000, 0x3000}, {0x3164, 0x3164},   {0xFE00, 0xFE0F},
        {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB}, {0xE0000, 0xE0FFF},
    };

    for (size_t i = 0; i < sizeof unseen / sizeof unseen[0]; i++)
        if (point >= unseen[i].first && point <= unseen[i].last)
            return true;
    return false;
}

bool name_check_new(struct slice name, struct err *e)
{
    struct slice left = name;

    if (!name_check(name, e))
        return false;
    if (name.p[0] == ' ' || name.p[name.n - 1] == ' ')
        return err_set(e, ERR_INPUT, "a name begins or ends with a space: leave it out");
    while (left.n > 0) {
        uint32_t point = 0;
        size_t n = slice_code_point(left, &point);

        if (is_unseen(point))
            return err_set(e, ERR_INPUT,
                           "a name has the character U+%04X, which nobody sees or tells from a "
                           "space, so that two PCs could look alike: leave it out",
                           point);
        left = (struct slice){left.p + n, left.n - n};
    }
    return true;
}
