/* Self-test: what this PC computes, compared with published vectors. A library that was built
 * wrongly, a damaged file of it or a processor that is broken would otherwise show as signatures
 * nobody takes, or as keys that protect nothing. Takes less than a millisecond. */
#ifndef NAVETTE_SELFTEST_H
#define NAVETTE_SELFTEST_H

#include <navette/err.h>

/* X25519, Ed25519, ChaCha20-Poly1305, SHA-256, HMAC and HKDF, BLAKE2b, and the box that fleet keys
 * are sealed in. ERR_CRYPTO names the first that is wrong. libsodium must have been started. */
MUST_USE bool selftest_run(struct err *e);

#endif
