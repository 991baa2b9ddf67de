#include <navette/noise.h>

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include <navette/bounds.h>

#define PROTOCOL_NAME "Noise_XXpsk0_25519_ChaChaPoly_SHA256"

/* ---- symmetric state: sections 4.3 and 5.2 of the specification ---- */

static void hmac(uint8_t out[32], const uint8_t key[32], struct slice bytes, uint8_t last)
{
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, key, 32);
    crypto_auth_hmacsha256_update(&state, bytes.p, bytes.n);
    if (last != 0)
        crypto_auth_hmacsha256_update(&state, &last, 1);
    crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

void noise_hkdf(const uint8_t chaining[32], struct slice input, uint8_t out[3][32])
{
    uint8_t key[32];

    hmac(key, chaining, input, 0);
    hmac(out[0], key, (struct slice){0}, 1);
    hmac(out[1], key, (struct slice){out[0], 32}, 2);
    hmac(out[2], key, (struct slice){out[1], 32}, 3);
    sodium_memzero(key, sizeof key);
}

static void mix_hash(struct noise *n, struct slice bytes)
{
    crypto_hash_sha256_state state;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, n->hash, sizeof n->hash);
    crypto_hash_sha256_update(&state, bytes.p, bytes.n);
    crypto_hash_sha256_final(&state, n->hash);
}

static void set_key(struct noise *n, const uint8_t key[32])
{
    memcpy(n->cipher.key, key, sizeof n->cipher.key);
    n->cipher.nonce = 0;
}

static void mix_key(struct noise *n, struct slice input)
{
    uint8_t out[3][32];

    noise_hkdf(n->chaining, input, out);
    memcpy(n->chaining, out[0], sizeof n->chaining);
    set_key(n, out[1]);
    sodium_memzero(out, sizeof out);
}

static void mix_key_and_hash(struct noise *n, struct slice input)
{
    uint8_t out[3][32];

    noise_hkdf(n->chaining, input, out);
    memcpy(n->chaining, out[0], sizeof n->chaining);
    mix_hash(n, SLICE(out[1]));
    set_key(n, out[2]);
    sodium_memzero(out, sizeof out);
}

/* An all-zero result says that the peer sent a point of small order: refused. */
static bool mix_dh(struct noise *n, const uint8_t secret[32], const uint8_t public[32],
                   struct err *e)
{
    uint8_t shared[32];

    if (crypto_scalarmult_curve25519(shared, secret, public) != 0)
        return err_set(e, ERR_CRYPTO, "the handshake has a worthless public key");
    mix_key(n, SLICE(shared));
    sodium_memzero(shared, sizeof shared);
    return true;
}

/* ---- cipher ---- */

static void nonce_write(uint8_t out[12], uint64_t nonce)
{
    memset(out, 0, 4);
    for (int i = 0; i < 8; i++)
        out[4 + i] = (uint8_t)(nonce >> (8 * i));
}

/* 2^64 - 1 is kept for noise_rekey. */
static bool nonce_left(const struct noise_cipher *c, struct err *e)
{
    if (c->nonce == UINT64_MAX)
        return err_set(e, ERR_LIMIT, "the nonces of a key are used up");
    return true;
}

/* `out` may be where `plain` is. */
static bool seal(struct noise_cipher *c, struct slice with, struct slice plain, uint8_t *out,
                 struct err *e)
{
    uint8_t nonce[12];

    if (!nonce_left(c, e))
        return false;
    nonce_write(nonce, c->nonce++);
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain.p, plain.n, with.p, with.n, NULL,
                                              nonce, c->key);
    return true;
}

/* Only bytes that authenticate use up a nonce. */
static bool unseal(struct noise_cipher *c, struct slice with, struct slice sealed, uint8_t *out,
                   struct err *e)
{
    uint8_t nonce[12];

    if (sealed.n < NOISE_TAG_BYTES)
        return err_set(e, ERR_CRYPTO, "%zu bytes are too few for an authentication tag", sealed.n);
    if (!nonce_left(c, e))
        return false;
    nonce_write(nonce, c->nonce);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.p, sealed.n, with.p,
                                                  with.n, nonce, c->key) != 0)
        return err_set(e, ERR_CRYPTO, "the authentication tag is wrong");
    c->nonce++;
    return true;
}

/* Where n bytes go in `out`; nowhere when they are none. */
static bool extend(struct buf *out, size_t n, uint8_t **at, struct err *e)
{
    *at = n == 0 ? NULL : buf_extend(out, n);
    if (*at == NULL && n > 0)
        return err_set(e, ERR_LIMIT, "no room for %zu bytes in a buffer of %zu", n, out->max);
    return true;
}

/* ---- handshake ---- */

void noise_open(struct noise *n, bool initiator, struct slice prologue, const uint8_t psk[32],
                const uint8_t static_secret[32], const uint8_t ephemeral_secret[32])
{
    *n = (struct noise){.initiator = initiator};
    memcpy(n->static_secret, static_secret, sizeof n->static_secret);
    memcpy(n->ephemeral_secret, ephemeral_secret, sizeof n->ephemeral_secret);
    crypto_scalarmult_curve25519_base(n->static_public, static_secret);
    crypto_scalarmult_curve25519_base(n->ephemeral_public, ephemeral_secret);
    noise_restart(n, prologue, psk);
}

void noise_restart(struct noise *n, struct slice prologue, const uint8_t psk[32])
{
    n->step = 0;
    crypto_hash_sha256(n->hash, (const uint8_t *)PROTOCOL_NAME, strlen(PROTOCOL_NAME));
    memcpy(n->chaining, n->hash, sizeof n->chaining);
    mix_hash(n, prologue);
    mix_key_and_hash(n, (struct slice){psk, 32}); /* the token psk stands first in message 1 */
}

static bool encrypt_and_hash(struct noise *n, struct slice plain, struct buf *out, struct err *e)
{
    uint8_t *at;

    if (!extend(out, plain.n + NOISE_TAG_BYTES, &at, e) ||
        !seal(&n->cipher, SLICE(n->hash), plain, at, e))
        return false;
    mix_hash(n, (struct slice){at, plain.n + NOISE_TAG_BYTES});
    return true;
}

static bool decrypt_and_hash(struct noise *n, struct slice sealed, uint8_t *out, struct err *e)
{
    if (!unseal(&n->cipher, SLICE(n->hash), sealed, out, e))
        return false;
    mix_hash(n, sealed);
    return true;
}

/* With a psk, an ephemeral key goes into the key as well as into the hash. */
static void mix_ephemeral(struct noise *n, const uint8_t public[32])
{
    mix_hash(n, (struct slice){public, 32});
    mix_key(n, (struct slice){public, 32});
}

static bool mix_es(struct noise *n, struct err *e)
{
    return n->initiator ? mix_dh(n, n->ephemeral_secret, n->remote_static, e)
                        : mix_dh(n, n->static_secret, n->remote_ephemeral, e);
}

static bool mix_se(struct noise *n, struct err *e)
{
    return n->initiator ? mix_dh(n, n->static_secret, n->remote_ephemeral, e)
                        : mix_dh(n, n->ephemeral_secret, n->remote_static, e);
}

static bool our_turn(const struct noise *n)
{
    return n->step < 3 && n->initiator == (n->step % 2 == 0);
}

bool noise_write(struct noise *n, struct slice payload, struct buf *out, struct err *e)
{
    assert(our_turn(n));
    if (n->step < 2) {
        buf_add(out, n->ephemeral_public, sizeof n->ephemeral_public); /* overflow shows below */
        mix_ephemeral(n, n->ephemeral_public);
    }
    if (n->step == 1 && (!mix_dh(n, n->ephemeral_secret, n->remote_ephemeral, e) ||
                         !encrypt_and_hash(n, SLICE(n->static_public), out, e) || !mix_es(n, e)))
        return false;
    if (n->step == 2 && (!encrypt_and_hash(n, SLICE(n->static_public), out, e) || !mix_se(n, e)))
        return false;
    if (!encrypt_and_hash(n, payload, out, e))
        return false;
    n->step++;
    return true;
}

/* Cut the first n bytes off `left`; false when it has fewer. */
static bool take(struct slice *left, size_t n, struct slice *front)
{
    if (left->n < n)
        return false;
    *front = (struct slice){left->p, n};
    *left = (struct slice){left->p + n, left->n - n};
    return true;
}

static bool read_ephemeral(struct noise *n, struct slice *left, struct err *e)
{
    struct slice public;

    if (!take(left, sizeof n->remote_ephemeral, &public))
        return err_set(e, ERR_CRYPTO, "a handshake message is too short");
    memcpy(n->remote_ephemeral, public.p, public.n);
    mix_ephemeral(n, n->remote_ephemeral);
    return true;
}

static bool read_static(struct noise *n, struct slice *left, struct err *e)
{
    struct slice sealed;

    if (!take(left, sizeof n->remote_static + NOISE_TAG_BYTES, &sealed))
        return err_set(e, ERR_CRYPTO, "a handshake message is too short");
    return decrypt_and_hash(n, sealed, n->remote_static, e);
}

bool noise_read(struct noise *n, struct slice message, struct buf *payload, struct err *e)
{
    struct slice left = message;
    uint8_t *at;

    assert(n->step < 3 && !our_turn(n));
    if (n->step < 2 && !read_ephemeral(n, &left, e))
        return false;
    if (n->step == 1 && (!mix_dh(n, n->ephemeral_secret, n->remote_ephemeral, e) ||
                         !read_static(n, &left, e) || !mix_es(n, e)))
        return false;
    if (n->step == 2 && (!read_static(n, &left, e) || !mix_se(n, e)))
        return false;
    if (left.n < NOISE_TAG_BYTES)
        return err_set(e, ERR_CRYPTO, "a handshake message is too short");
    if (!extend(payload, left.n - NOISE_TAG_BYTES, &at, e))
        return false;
    if (!decrypt_and_hash(n, left, at, e)) {
        payload->n -= left.n - NOISE_TAG_BYTES;
        return false;
    }
    n->step++;
    return true;
}

bool noise_done(const struct noise *n)
{
    return n->step == 3;
}

void noise_split(const struct noise *n, struct noise_cipher *send, struct noise_cipher *receive)
{
    uint8_t out[3][32];
    struct noise_cipher *from_initiator = n->initiator ? send : receive;
    struct noise_cipher *from_responder = n->initiator ? receive : send;

    assert(noise_done(n));
    noise_hkdf(n->chaining, (struct slice){0}, out);
    *from_initiator = (struct noise_cipher){0};
    *from_responder = (struct noise_cipher){0};
    memcpy(from_initiator->key, out[0], sizeof from_initiator->key);
    memcpy(from_responder->key, out[1], sizeof from_responder->key);
    sodium_memzero(out, sizeof out);
}

void noise_wipe(struct noise *n)
{
    sodium_memzero(n, sizeof *n);
}

/* ---- transport ---- */

bool noise_seal_at(struct noise_cipher *c, uint8_t *at, size_t n, struct err *e)
{
    return seal(c, (struct slice){0}, (struct slice){at, n}, at, e);
}

bool noise_seal(struct noise_cipher *c, struct slice plain, struct buf *out, struct err *e)
{
    uint8_t *at;

    if (!extend(out, plain.n + NOISE_TAG_BYTES, &at, e))
        return false;
    if (!seal(c, (struct slice){0}, plain, at, e)) {
        out->n -= plain.n + NOISE_TAG_BYTES;
        return false;
    }
    return true;
}

bool noise_unseal(struct noise_cipher *c, struct slice sealed, struct buf *plain, struct err *e)
{
    size_t n = sealed.n < NOISE_TAG_BYTES ? 0 : sealed.n - NOISE_TAG_BYTES;
    uint8_t *at;

    if (!extend(plain, n, &at, e))
        return false;
    if (!unseal(c, (struct slice){0}, sealed, at, e)) {
        plain->n -= n;
        return false;
    }
    return true;
}

void noise_rekey(struct noise_cipher *c)
{
    static const uint8_t zeros[32];
    uint8_t nonce[12], sealed[32 + NOISE_TAG_BYTES];

    nonce_write(nonce, UINT64_MAX);
    crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, zeros, sizeof zeros, NULL, 0, NULL,
                                              nonce, c->key);
    memcpy(c->key, sealed, sizeof c->key);
    sodium_memzero(sealed, sizeof sealed);
}
