#include <navette/invite.h>

#include <string.h>

#include <sodium.h>

#define VERSION              2
#define SECRET_BYTES         16
#define ADDRESS_BYTES        6
#define CHECKSUM_BYTES       4
#define FIXED_BYTES          (1 + SECRET_BYTES + INVITE_MAKER_BYTES + 1 + CHECKSUM_BYTES)
#define COUNT_AT             (1 + SECRET_BYTES + INVITE_MAKER_BYTES)
#define TOKEN_BYTES_MAX      (FIXED_BYTES + INVITE_ADDRESSES_MAX * ADDRESS_BYTES)
#define TOKEN_CHARACTERS_MAX ((TOKEN_BYTES_MAX * 8 + 4) / 5)
#define GROUP                4

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* A token taken apart: 5 bits a character, high bits first, the last ones filled up with zeros. */
struct token {
    uint8_t digits[TOKEN_CHARACTERS_MAX];
    size_t digit_count;
    uint8_t bytes[TOKEN_BYTES_MAX];
    size_t n;
};

void invite_generate(struct invite *v, const struct site_id *maker)
{
    *v = (struct invite){0};
    memcpy(v->maker, maker->bytes, sizeof v->maker);
    random_fill(v->secret, sizeof v->secret);
}

static void checksum(uint8_t out[CHECKSUM_BYTES], struct slice bytes)
{
    uint8_t hash[HASH_BYTES];

    hash_bytes(hash, bytes);
    memcpy(out, hash, CHECKSUM_BYTES);
}

static void token_pack(struct token *t, const struct invite *v)
{
    uint8_t *at = t->bytes;

    *at++ = VERSION;
    memcpy(at, v->secret, SECRET_BYTES);
    at += SECRET_BYTES;
    memcpy(at, v->maker, INVITE_MAKER_BYTES);
    at += INVITE_MAKER_BYTES;
    *at++ = (uint8_t)v->address_count;
    for (uint32_t i = 0; i < v->address_count; i++, at += ADDRESS_BYTES) {
        memcpy(at, v->addresses[i].ip, 4);
        at[4] = (uint8_t)(v->addresses[i].port >> 8);
        at[5] = (uint8_t)v->addresses[i].port;
    }
    t->n = (size_t)(at - t->bytes);
    checksum(at, (struct slice){t->bytes, t->n});
    t->n += CHECKSUM_BYTES;
}

void invite_format(char text[INVITE_TEXT_BYTES_MAX], const struct invite *v)
{
    struct token t;
    size_t bits, n = 0;

    token_pack(&t, v);
    bits = t.n * 8;
    for (size_t bit = 0; bit < bits; bit += 5) {
        size_t byte = bit / 8;
        uint32_t two = (uint32_t)t.bytes[byte] << 8 | (byte + 1 < t.n ? t.bytes[byte + 1] : 0);

        if (bit > 0 && bit / 5 % GROUP == 0)
            text[n++] = '-';
        text[n++] = alphabet[two >> (11 - bit % 8) & 31];
    }
    text[n] = '\0';
    sodium_memzero(&t, sizeof t);
}

/* -1 when no token has it. */
static int digit_of(char c)
{
    const char *at;

    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    if (c == 'O')
        c = '0';
    if (c == 'I' || c == 'L')
        c = '1';
    at = c == '\0' ? NULL : strchr(alphabet, c);
    return at == NULL ? -1 : (int)(at - alphabet);
}

static bool read_digits(struct token *t, const char *text, struct err *e)
{
    for (const char *p = text; *p != '\0'; p++) {
        int digit = digit_of(*p);

        if (*p == '-' || *p == ' ' || (*p >= '\t' && *p <= '\r'))
            continue;
        if (digit < 0 && *p > ' ' && *p <= '~')
            return err_set(e, ERR_INPUT, "no token has the character '%c'; copy it again", *p);
        if (digit < 0)
            return err_set(e, ERR_INPUT,
                           "the token has a character that no token has (byte %02x);"
                           " copy it again",
                           (unsigned char)*p);
        if (t->digit_count == TOKEN_CHARACTERS_MAX)
            return err_set(e, ERR_INPUT, "the token is too long, it ends after %d characters",
                           TOKEN_CHARACTERS_MAX);
        t->digits[t->digit_count++] = (uint8_t)digit;
    }
    return true;
}

/* Digits to bytes; false when their number is that of no token. */
static bool read_bytes(struct token *t, struct err *e)
{
    size_t bits = t->digit_count * 5;

    t->n = bits / 8;
    if (t->n < FIXED_BYTES || (t->n - FIXED_BYTES) % ADDRESS_BYTES != 0 || bits % 8 >= 5)
        return err_set(e, ERR_INPUT,
                       "the token has %zu letters and digits, which no token has: a part is missing"
                       " or there twice; copy it again",
                       t->digit_count);
    memset(t->bytes, 0, sizeof t->bytes);
    for (size_t i = 0; i < bits; i++)
        if (t->digits[i / 5] >> (4 - i % 5) & 1) {
            if (i / 8 == t->n)
                return err_set(e, ERR_INPUT, "this token has a typing mistake; copy it again");
            t->bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
        }
    return true;
}

static bool token_unpack(const struct token *t, struct invite *v, struct err *e)
{
    const uint8_t *at = t->bytes + COUNT_AT + 1;
    uint8_t sum[CHECKSUM_BYTES];

    checksum(sum, (struct slice){t->bytes, t->n - CHECKSUM_BYTES});
    if (memcmp(sum, t->bytes + t->n - CHECKSUM_BYTES, sizeof sum) != 0)
        return err_set(e, ERR_INPUT, "this token has a typing mistake; copy it again");
    if (t->bytes[0] != VERSION)
        return err_set(e, ERR_REFUSED, "this token was made by %s version of Navette: update %s PC",
                       t->bytes[0] < VERSION ? "an older" : "a newer",
                       t->bytes[0] < VERSION ? "that" : "this");
    v->address_count = t->bytes[COUNT_AT];
    if (v->address_count != (t->n - FIXED_BYTES) / ADDRESS_BYTES)
        return err_set(e, ERR_INPUT, "a token with %u addresses that is too short or too long",
                       v->address_count);
    memcpy(v->secret, t->bytes + 1, SECRET_BYTES);
    memcpy(v->maker, t->bytes + 1 + SECRET_BYTES, INVITE_MAKER_BYTES);
    for (uint32_t i = 0; i < v->address_count; i++, at += ADDRESS_BYTES) {
        memcpy(v->addresses[i].ip, at, 4);
        v->addresses[i].port = (uint16_t)(at[4] << 8 | at[5]);
    }
    return true;
}

bool invite_parse(struct invite *v, const char *text, struct err *e)
{
    struct token t = {0};
    struct invite read = {0};
    bool ok = read_digits(&t, text, e) && read_bytes(&t, e) && token_unpack(&t, &read, e);

    *v = ok ? read : (struct invite){0};
    sodium_memzero(&t, sizeof t);
    sodium_memzero(&read, sizeof read);
    return ok;
}

/* The derivations want 32 bytes: the secret, then zeros. */
static void derive(uint8_t out[HASH_BYTES], const struct invite *v, const char *context)
{
    uint8_t key[KEY_BYTES] = {0};

    memcpy(key, v->secret, sizeof v->secret);
    hash_derive(out, key, context, (struct slice){0});
    sodium_memzero(key, sizeof key);
}

/* The token's own signing key; its seed is a secret. */
static void key_of(struct keys *k, const struct invite *v)
{
    uint8_t seed[32];

    *k = (struct keys){0};
    derive(seed, v, "navette invite key 1");
    crypto_sign_seed_keypair(k->sign_public, k->sign_secret, seed);
    sodium_memzero(seed, sizeof seed);
}

void invite_lock(struct invite_lock *lock, const struct invite *v)
{
    uint8_t hash[HASH_BYTES];
    struct keys k;

    derive(hash, v, "navette invite id 1");
    memcpy(lock->id, hash, sizeof lock->id);
    derive(lock->psk, v, "navette invite psk 1");
    key_of(&k, v);
    memcpy(lock->key, k.sign_public, sizeof lock->key);
    keys_wipe(&k);
}

bool invite_is_of(const struct invite *v, const struct site_id *maker)
{
    return memcmp(v->maker, maker->bytes, sizeof v->maker) == 0;
}

#define PROOF_CONTEXT "navette join 1"

void invite_prove(const struct invite *v, struct slice statement, uint8_t proof[SIGNATURE_BYTES])
{
    struct keys k;

    key_of(&k, v);
    keys_sign(&k, PROOF_CONTEXT, statement, proof);
    keys_wipe(&k);
}

bool invite_check(const struct invite_lock *lock, struct slice statement,
                  const uint8_t proof[SIGNATURE_BYTES], struct err *e)
{
    return keys_verify(lock->key, PROOF_CONTEXT, statement, proof, e);
}
