/* Beacon: the discovery datagram, exactly BEACON_BYTES, encrypted and authenticated with a key
 * derived from the fleet key (or an invitation's secret). A hint, never an authority: only the
 * datagram's source address is dialled. */
#ifndef NAVETTE_BEACON_H
#define NAVETTE_BEACON_H

#include <navette/bounds.h>
#include <navette/keys.h>

enum beacon_kind { BEACON_HERE = 1, BEACON_INVITING = 2, BEACON_JOINING = 3, BEACON_LEAVING = 4 };

struct beacon {
    enum beacon_kind kind;
    struct site_id site;
    uint16_t port;    /* where the site listens on TCP */
    uint64_t wall_ms; /* the sender's clock */
};

/* Key for beacons: hash_derive(secret, "navette beacon 1", ""). */
void beacon_key(uint8_t key[32], const uint8_t secret[32]);
void beacon_write(uint8_t out[BEACON_BYTES], const struct beacon *b, const uint8_t key[32]);
/* ERR_INPUT for a wrong size or magic, ERR_CRYPTO for another fleet's. */
MUST_USE bool beacon_read(struct beacon *b, struct slice datagram, const uint8_t key[32],
                          struct err *e);

#endif
