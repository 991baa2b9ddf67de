/* Invitation: a token that a person carries from a member to a new PC.
 *
 *     token = base32 (Crockford, groups of 4 with dashes) of
 *             version 2: u8, secret: 16, maker: 8 (of its site id), address count: u8,
 *             (ipv4: 4, port: u16)..., checksum: 4 (BLAKE2b over what precedes)
 *
 * The maker keeps a lock, not the token: with what it keeps, the channel that the token opens can
 * be opened, too, but nobody can join. For that the token's key is needed: an Ed25519 key from the
 * secret, of which the lock has the public half, signs the JOIN of this very channel. And the token
 * names its maker: a guest shows the key to nobody else. */
#ifndef NAVETTE_INVITE_H
#define NAVETTE_INVITE_H

#include <navette/keys.h>

#define INVITE_ADDRESSES_MAX  4
#define INVITE_TEXT_BYTES_MAX 128
#define INVITE_ID_BYTES       8
#define INVITE_MAKER_BYTES    8

struct invite_address {
    uint8_t ip[4];
    uint16_t port;
};

struct invite {
    uint8_t secret[16];
    uint8_t maker[INVITE_MAKER_BYTES];
    struct invite_address addresses[INVITE_ADDRESSES_MAX];
    uint32_t address_count;
};

/* What the maker keeps of a token. */
struct invite_lock {
    uint8_t id[INVITE_ID_BYTES]; /* public: in roster and prologue */
    uint8_t psk[32];             /* of the channel, and of beacons */
    uint8_t key[SIGN_PUBLIC_BYTES];
};

void invite_generate(struct invite *v, const struct site_id *maker);
void invite_format(char text[INVITE_TEXT_BYTES_MAX], const struct invite *v);
/* Case, dashes and white space do not matter; O is 0, I and L are 1. A typing slip fails with
 * ERR_INPUT and says so. */
MUST_USE bool invite_parse(struct invite *v, const char *text, struct err *e);
void invite_lock(struct invite_lock *lock, const struct invite *v);
bool invite_is_of(const struct invite *v, const struct site_id *maker);
/* Sign `statement` (join.h) with the token's key. */
void invite_prove(const struct invite *v, struct slice statement, uint8_t proof[SIGNATURE_BYTES]);
/* ERR_CRYPTO: whoever signed has not the token. */
MUST_USE bool invite_check(const struct invite_lock *lock, struct slice statement,
                           const uint8_t proof[SIGNATURE_BYTES], struct err *e);

#endif
