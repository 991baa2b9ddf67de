/* Signatures that this process made are known to be right: only others are looked into, which costs
 * a tenth of a week. The linker puts these functions before libsodium's (--wrap). */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <sodium.h>

#define SEALS 16384

struct seal {
    uint8_t signature[crypto_sign_BYTES];
    uint8_t signer[crypto_sign_PUBLICKEYBYTES];
    uint8_t digest[crypto_generichash_BYTES]; /* of what is signed */
};

/* Global as libsodium's interface has no context. A newer one takes the place of an older one. */
static struct seal seals[SEALS];

int __real_crypto_sign_detached(unsigned char *signature, unsigned long long *n,
                                const unsigned char *bytes, unsigned long long bytes_n,
                                const unsigned char *secret);
int __real_crypto_sign_verify_detached(const unsigned char *signature, const unsigned char *bytes,
                                       unsigned long long n, const unsigned char *signer);
int __wrap_crypto_sign_detached(unsigned char *signature, unsigned long long *n,
                                const unsigned char *bytes, unsigned long long bytes_n,
                                const unsigned char *secret);
int __wrap_crypto_sign_verify_detached(const unsigned char *signature, const unsigned char *bytes,
                                       unsigned long long n, const unsigned char *signer);

static struct seal seal_of(const unsigned char *signature, const unsigned char *bytes,
                           unsigned long long n, const unsigned char *signer)
{
    struct seal s;

    memcpy(s.signature, signature, sizeof s.signature);
    memcpy(s.signer, signer, sizeof s.signer);
    crypto_generichash(s.digest, sizeof s.digest, bytes, n, NULL, 0);
    return s;
}

static struct seal *place_of(const unsigned char *signature)
{
    return &seals[(signature[0] | signature[1] << 8) % SEALS];
}

int __wrap_crypto_sign_detached(unsigned char *signature, unsigned long long *n,
                                const unsigned char *bytes, unsigned long long bytes_n,
                                const unsigned char *secret)
{
    int result = __real_crypto_sign_detached(signature, n, bytes, bytes_n, secret);

    /* A secret key ends with the public one. */
    *place_of(signature) =
        seal_of(signature, bytes, bytes_n,
                secret + crypto_sign_SECRETKEYBYTES - crypto_sign_PUBLICKEYBYTES);
    return result;
}

int __wrap_crypto_sign_verify_detached(const unsigned char *signature, const unsigned char *bytes,
                                       unsigned long long n, const unsigned char *signer)
{
    struct seal asked = seal_of(signature, bytes, n, signer);

    if (memcmp(place_of(signature), &asked, sizeof asked) == 0)
        return 0;
    return __real_crypto_sign_verify_detached(signature, bytes, n, signer);
}
