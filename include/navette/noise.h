/* Noise_XXpsk0_25519_ChaChaPoly_SHA256 (noiseprotocol.org, revision 34): bytes in, bytes out.
 *
 *     -> psk, e      -> message 1: 32 + payload + 16
 *     <- e, ee, s, es   message 2: 32 + 48 + payload + 16
 *     -> s, se          message 3: 48 + payload + 16
 */
#ifndef NAVETTE_NOISE_H
#define NAVETTE_NOISE_H

#include <navette/keys.h>

#define NOISE_TAG_BYTES 16

struct noise_cipher {
    uint8_t key[32];
    uint64_t nonce;
};

struct noise {
    bool initiator;
    int step; /* messages done: 0 to 3 */
    uint8_t chaining[32], hash[32];
    struct noise_cipher cipher;
    uint8_t static_public[32], static_secret[32];
    uint8_t ephemeral_public[32], ephemeral_secret[32];
    uint8_t remote_static[32], remote_ephemeral[32];
};

/* `ephemeral_secret` is random in life and fixed in test vectors. */
void noise_open(struct noise *n, bool initiator, struct slice prologue, const uint8_t psk[32],
                const uint8_t static_secret[32], const uint8_t ephemeral_secret[32]);
/* Begin again with the same keys, when no message could be read and none was written. */
void noise_restart(struct noise *n, struct slice prologue, const uint8_t psk[32]);
/* Our turn: append the next handshake message to `out`. */
MUST_USE bool noise_write(struct noise *n, struct slice payload, struct buf *out, struct err *e);
/* Their turn: read it, append its payload. After a failure nothing is usable: wipe. */
MUST_USE bool noise_read(struct noise *n, struct slice message, struct buf *payload, struct err *e);
bool noise_done(const struct noise *n);
/* After the third message: one cipher each way. */
void noise_split(const struct noise *n, struct noise_cipher *send, struct noise_cipher *receive);
void noise_wipe(struct noise *n);

/* Transport: append ciphertext + tag. ERR_LIMIT when the nonces are used up. */
MUST_USE bool noise_seal(struct noise_cipher *c, struct slice plain, struct buf *out,
                         struct err *e);
MUST_USE bool noise_unseal(struct noise_cipher *c, struct slice sealed, struct buf *plain,
                           struct err *e);
/* Encrypt the n bytes at `at` in place; the tag follows them: n + NOISE_TAG_BYTES are written. */
MUST_USE bool noise_seal_at(struct noise_cipher *c, uint8_t *at, size_t n, struct err *e);
/* HKDF of RFC 5869 with HMAC-SHA256, no info and three outputs. */
void noise_hkdf(const uint8_t chaining[32], struct slice input, uint8_t out[3][32]);
/* Noise REKEY: k = ENCRYPT(k, 2^64 - 1, "", zeros), first 32 bytes. The nonce goes on. */
void noise_rekey(struct noise_cipher *c);

#endif
