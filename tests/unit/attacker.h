/* Noise by hand, for those who break its rules: an end of a handshake that claims keys it has not
 * got, sends points that are none, or says another's words. With true keys it is an honest end, and
 * the tests try that first. */
#ifndef NAVETTE_TEST_ATTACKER_H
#define NAVETTE_TEST_ATTACKER_H

#include "pair.h"

#define IDENTITY_BYTES (SIGN_PUBLIC_BYTES + SIGNATURE_BYTES)

struct attacker {
    uint8_t h[32], ck[32];
    struct noise_cipher cipher;
    uint8_t remote_ephemeral[32];
    /* What it says of itself. */
    uint8_t ephemeral_public[32], static_public[32], identity[IDENTITY_BYTES];
    /* What it has. */
    uint8_t ephemeral_secret[32], static_secret[32];
    bool zero_ephemeral, zero_static; /* it knows that every agreement on that key gives zeros */
    bool skip_static;                 /* it hopes that nobody agrees on its static key */
};

static inline void attacker_mix_hash(struct attacker *a, struct slice bytes)
{
    crypto_hash_sha256_state state;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, a->h, 32);
    crypto_hash_sha256_update(&state, bytes.p, bytes.n);
    crypto_hash_sha256_final(&state, a->h);
}

static inline void attacker_mix_key(struct attacker *a, struct slice bytes, bool psk)
{
    uint8_t out[3][32];

    noise_hkdf(a->ck, bytes, out);
    memcpy(a->ck, out[0], 32);
    if (psk)
        attacker_mix_hash(a, SLICE(out[1]));
    a->cipher = (struct noise_cipher){0};
    memcpy(a->cipher.key, out[psk ? 2 : 1], 32);
}

static inline void attacker_agree(struct attacker *a, bool zero, const uint8_t secret[32],
                                  const uint8_t public[32])
{
    uint8_t shared[32] = {0};

    if (!zero)
        assert_int_equal(crypto_scalarmult_curve25519(shared, secret, public), 0);
    attacker_mix_key(a, SLICE(shared), false);
}

static inline void attacker_nonce(struct attacker *a, uint8_t nonce[12])
{
    memset(nonce, 0, 12);
    nonce[4] = (uint8_t)a->cipher.nonce++;
}

static inline void attacker_seal(struct attacker *a, struct slice plain, struct buf *out)
{
    uint8_t nonce[12], *at = buf_extend(out, plain.n + NOISE_TAG_BYTES);

    attacker_nonce(a, nonce);
    crypto_aead_chacha20poly1305_ietf_encrypt(at, NULL, plain.p, plain.n, a->h, 32, NULL, nonce,
                                              a->cipher.key);
    attacker_mix_hash(a, (struct slice){at, plain.n + NOISE_TAG_BYTES});
}

static inline bool attacker_unseal(struct attacker *a, struct slice sealed, uint8_t *plain)
{
    uint8_t nonce[12];

    attacker_nonce(a, nonce);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(plain, NULL, NULL, sealed.p, sealed.n, a->h, 32,
                                                  nonce, a->cipher.key) != 0)
        return false;
    attacker_mix_hash(a, sealed);
    return true;
}

static inline void attacker_say_key(struct attacker *a, struct buf *out)
{
    buf_add(out, a->ephemeral_public, 32);
    attacker_mix_hash(a, SLICE(a->ephemeral_public));
    attacker_mix_key(a, SLICE(a->ephemeral_public), false);
}

static inline void attacker_hear_key(struct attacker *a, struct slice message)
{
    memcpy(a->remote_ephemeral, message.p, 32);
    attacker_mix_hash(a, SLICE(a->remote_ephemeral));
    attacker_mix_key(a, SLICE(a->remote_ephemeral), false);
}

/* The signature below an identity, made for that static key. */
static inline void identity_of(uint8_t out[IDENTITY_BYTES], const struct keys *k,
                               const struct channel_secret *secret, const uint8_t static_public[32],
                               uint8_t role)
{
    uint8_t claim[FLEET_ID_BYTES + 1 + 32 + 1];

    memcpy(claim, secret->context, FLEET_ID_BYTES);
    claim[FLEET_ID_BYTES] = (uint8_t)secret->mode;
    memcpy(claim + FLEET_ID_BYTES + 1, static_public, 32);
    claim[sizeof claim - 1] = role;
    memcpy(out, k->sign_public, 32);
    keys_sign(k, "navette static 1", SLICE(claim), out + 32);
}

/* One who has the psk and, at first, all keys of `k`, for that role. */
static inline void attacker_open(struct attacker *a, const struct channel_secret *secret,
                                 const char version[10], const struct keys *k, uint8_t role)
{
    uint8_t prologue[10 + 1 + FLEET_ID_BYTES];

    *a = (struct attacker){0};
    crypto_hash_sha256(a->h, (const uint8_t *)"Noise_XXpsk0_25519_ChaChaPoly_SHA256", 36);
    memcpy(a->ck, a->h, 32);
    memcpy(prologue, version, 10);
    prologue[10] = (uint8_t)secret->mode;
    memcpy(prologue + 11, secret->context, FLEET_ID_BYTES);
    attacker_mix_hash(a, SLICE(prologue));
    attacker_mix_key(a, SLICE(secret->psk), true);
    random_fill(a->ephemeral_secret, 32);
    crypto_scalarmult_curve25519_base(a->ephemeral_public, a->ephemeral_secret);
    memcpy(a->static_public, k->exchange_public, 32);
    memcpy(a->static_secret, k->exchange_secret, 32);
    identity_of(a->identity, k, secret, k->exchange_public, role);
}

static inline void frame_begin(struct buf *out, uint8_t n)
{
    buf_clear(out);
    buf_add_byte(out, 0);
    buf_add_byte(out, n);
}

static inline void attacker_say_identity(struct attacker *a, struct buf *out)
{
    attacker_seal(a, SLICE(a->static_public), out);
    if (!a->skip_static)
        attacker_agree(a, a->zero_static, a->static_secret, a->remote_ephemeral);
    attacker_seal(a, SLICE(a->identity), out);
}

/* As the responder: frame 1 in, frame 2 out. */
static inline void attacker_answer(struct attacker *a, struct slice first, struct buf *out)
{
    assert_int_equal(first.n, 2 + 48);
    attacker_hear_key(a, (struct slice){first.p + 2, 32});
    assert_true(attacker_unseal(a, (struct slice){first.p + 34, 16}, NULL));
    frame_begin(out, 192);
    attacker_say_key(a, out);
    attacker_agree(a, a->zero_ephemeral, a->ephemeral_secret, a->remote_ephemeral);
    attacker_say_identity(a, out);
}

/* As the initiator: frame 1. */
static inline void attacker_begin(struct attacker *a, struct buf *out)
{
    frame_begin(out, 48);
    attacker_say_key(a, out);
    attacker_seal(a, (struct slice){0}, out);
}

/* As the initiator: frame 2 in, frame 3 out. */
static inline void attacker_finish(struct attacker *a, struct slice second, struct buf *out)
{
    uint8_t remote_static[32], identity[IDENTITY_BYTES];

    assert_int_equal(second.n, 2 + 192);
    attacker_hear_key(a, (struct slice){second.p + 2, 32});
    attacker_agree(a, a->zero_ephemeral, a->ephemeral_secret, a->remote_ephemeral);
    assert_true(attacker_unseal(a, (struct slice){second.p + 34, 48}, remote_static));
    attacker_agree(a, a->zero_ephemeral, a->ephemeral_secret, remote_static);
    assert_true(attacker_unseal(a, (struct slice){second.p + 82, 112}, identity));
    frame_begin(out, 160);
    attacker_say_identity(a, out);
}

#endif
