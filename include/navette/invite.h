/* Invitation: a token that a person carries from a member to a new PC.
 *
 *     token = base32 (Crockford, groups of 4 with dashes) of
 *             version 1: u8, secret: 16, address count: u8, (ipv4: 4, port: u16)..., checksum: 4
 * (BLAKE2b over what precedes)
 */
#ifndef NAVETTE_INVITE_H
#define NAVETTE_INVITE_H

#include <navette/keys.h>

#define INVITE_ADDRESSES_MAX  4
#define INVITE_TEXT_BYTES_MAX 128
#define INVITE_ID_BYTES       8

struct invite_address {
    uint8_t ip[4];
    uint16_t port;
};

struct invite {
    uint8_t secret[16];
    struct invite_address addresses[INVITE_ADDRESSES_MAX];
    uint32_t address_count;
};

void invite_generate(struct invite *v);
void invite_format(char text[INVITE_TEXT_BYTES_MAX], const struct invite *v);
/* Case, dashes and white space do not matter; O is 0, I and L are 1. A typing slip fails with
 * ERR_INPUT and says so. */
MUST_USE bool invite_parse(struct invite *v, const char *text, struct err *e);
/* Public id (for roster and prologue) and psk, both derived from the secret. */
void invite_id(uint8_t id[INVITE_ID_BYTES], const struct invite *v);
void invite_psk(uint8_t psk[32], const struct invite *v);

#endif
