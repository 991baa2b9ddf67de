/* Any datagram, and any 32 bytes sealed by one who has the key, give a checked beacon or an error.
 */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <navette/beacon.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(struct slice datagram, const uint8_t key[32])
{
    struct beacon b;
    struct err e = {0};
    bool ok = beacon_read(&b, datagram, key, &e);

    if (ok != (e.code == ERR_NONE) || (ok && (b.kind < BEACON_HERE || b.kind > BEACON_LEAVING)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    uint8_t key[32] = {1}, plain[32] = {0}, datagram[BEACON_BYTES] = "NVB1";

    check((struct slice){bytes, n}, key);
    memcpy(plain, bytes, n < sizeof plain ? n : sizeof plain);
    crypto_aead_chacha20poly1305_ietf_encrypt(datagram + 16, NULL, plain, sizeof plain, datagram, 4,
                                              NULL, datagram + 4, key);
    check(SLICE(datagram), key);
    return 0;
}
