/*     datagram = magic "NVB1": 4, nonce: 12, sealed: 32, tag: 16
 *     sealed   = kind: u8, site: 16, port: u16, wall_ms: u64, zeros: 5   (big endian)
 *
 * The nonce is random for every datagram, so two of one site have nothing in common but the magic.
 * A fleet sends some millions of them a year under a key; 96 random bits do not meet again. */
#include <navette/beacon.h>

#include <string.h>

#include <sodium.h>

#define MAGIC        "NVB1"
#define MAGIC_BYTES  4
#define NONCE_BYTES  12
#define SEALED_BYTES 32
#define TAG_BYTES    16
#define USED_BYTES   (1 + SITE_ID_BYTES + 2 + 8)

_Static_assert(MAGIC_BYTES + NONCE_BYTES + SEALED_BYTES + TAG_BYTES == BEACON_BYTES,
               "the layout fills the datagram");

void beacon_key(uint8_t key[32], const uint8_t secret[32])
{
    hash_derive(key, secret, "navette beacon 1", (struct slice){0});
}

void beacon_write(uint8_t out[BEACON_BYTES], const struct beacon *b, const uint8_t key[32])
{
    uint8_t plain[SEALED_BYTES] = {0};
    uint8_t *nonce = out + MAGIC_BYTES;

    plain[0] = (uint8_t)b->kind;
    memcpy(plain + 1, b->site.bytes, SITE_ID_BYTES);
    plain[1 + SITE_ID_BYTES] = (uint8_t)(b->port >> 8);
    plain[2 + SITE_ID_BYTES] = (uint8_t)b->port;
    be64_write(plain + 3 + SITE_ID_BYTES, b->wall_ms);
    memcpy(out, MAGIC, MAGIC_BYTES);
    random_fill(nonce, NONCE_BYTES);
    crypto_aead_chacha20poly1305_ietf_encrypt(nonce + NONCE_BYTES, NULL, plain, sizeof plain, out,
                                              MAGIC_BYTES, NULL, nonce, key);
}

static bool beacon_parse(struct beacon *b, const uint8_t plain[SEALED_BYTES], struct err *e)
{
    static const uint8_t zeros[SEALED_BYTES - USED_BYTES];

    if (plain[0] < BEACON_HERE || plain[0] > BEACON_LEAVING)
        return err_set(e, ERR_INPUT, "a beacon of kind %u", plain[0]);
    if (memcmp(plain + USED_BYTES, zeros, sizeof zeros) != 0)
        return err_set(e, ERR_INPUT, "a beacon with bytes that mean nothing");
    b->kind = (enum beacon_kind)plain[0];
    memcpy(b->site.bytes, plain + 1, SITE_ID_BYTES);
    b->port = (uint16_t)(plain[1 + SITE_ID_BYTES] << 8 | plain[2 + SITE_ID_BYTES]);
    b->wall_ms = be64_read(plain + 3 + SITE_ID_BYTES);
    if (b->port == 0 && (b->kind == BEACON_HERE || b->kind == BEACON_INVITING))
        return err_set(e, ERR_INPUT, "a beacon of a site that listens nowhere");
    return true;
}

bool beacon_read(struct beacon *b, struct slice datagram, const uint8_t key[32], struct err *e)
{
    uint8_t plain[SEALED_BYTES];
    const uint8_t *nonce;

    *b = (struct beacon){0};
    if (datagram.n != BEACON_BYTES)
        return err_set(e, ERR_INPUT, "a datagram of %zu bytes, a beacon has %d", datagram.n,
                       BEACON_BYTES);
    if (memcmp(datagram.p, MAGIC, MAGIC_BYTES) != 0)
        return err_set(e, ERR_INPUT, "a datagram that is no beacon of this version");
    nonce = datagram.p + MAGIC_BYTES;
    if (crypto_aead_chacha20poly1305_ietf_decrypt(plain, NULL, NULL, nonce + NONCE_BYTES,
                                                  SEALED_BYTES + TAG_BYTES, datagram.p, MAGIC_BYTES,
                                                  nonce, key) != 0)
        return err_set(e, ERR_CRYPTO, "a beacon of another fleet");
    return beacon_parse(b, plain, e);
}
