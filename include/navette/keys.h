/* Identity of a site and what is derived from it. One 32-byte device seed gives a signing key
 * (Ed25519) and an exchange key (X25519); protocol/README.md has the derivations. */
#ifndef NAVETTE_KEYS_H
#define NAVETTE_KEYS_H

#include <navette/change.h>

#define KEY_BYTES         32
#define SIGN_PUBLIC_BYTES 32
#define SIGNATURE_BYTES   64
#define HASH_BYTES        32
#define FLEET_ID_BYTES    16

struct keys {
    uint8_t seed[32];
    uint8_t sign_public[32];
    uint8_t sign_secret[64];
    uint8_t exchange_public[32];
    uint8_t exchange_secret[32];
    struct site_id site;
};

/* Call once before anything else of libsodium's. ERR_CRYPTO when what it computes is wrong
 * (selftest.h). */
MUST_USE bool keys_library_start(struct err *e);

/* New identity from system randomness. */
void keys_generate(struct keys *k);
/* The same identity again from its seed. */
void keys_from_seed(struct keys *k, const uint8_t seed[32]);
void keys_wipe(struct keys *k);

struct site_id keys_site_id(const uint8_t sign_public[32]);

/* Sign `context` and then `bytes`. A context is a fixed ASCII word with its terminating NUL, one
 * per purpose: a signature made for one purpose verifies for no other. */
void keys_sign(const struct keys *k, const char *context, struct slice bytes,
               uint8_t signature[SIGNATURE_BYTES]);
/* ERR_CRYPTO when it does not verify. */
MUST_USE bool keys_verify(const uint8_t sign_public[32], const char *context, struct slice bytes,
                          const uint8_t signature[SIGNATURE_BYTES], struct err *e);

/* BLAKE2b-256. */
void hash_bytes(uint8_t out[HASH_BYTES], struct slice bytes);
/* BLAKE2b-256 keyed with `key`, over a context word and bytes: derives purpose keys from a secret.
 */
void hash_derive(uint8_t out[HASH_BYTES], const uint8_t key[32], const char *context,
                 struct slice bytes);
/* System randomness. */
void random_fill(void *out, size_t n);

/* Names people see: at most NAME_BYTES_MAX bytes of valid UTF-8 without control characters, not
 * empty. */
MUST_USE bool name_check(struct slice name, struct err *e);
/* Also what a name must not have that somebody gives today, so that no two look alike: spaces at
 * its ends, other spaces than the usual one, characters that nobody sees. Names that are in a
 * roster already may have them. */
MUST_USE bool name_check_new(struct slice name, struct err *e);

#endif
