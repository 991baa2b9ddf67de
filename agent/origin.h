/* Origin: one home belongs to one PC. A home that was copied, or a disk that was imaged, makes two
 * PCs that speak under one identity. The home remembers where it was made (file `machine`: a hash
 * of what the system calls itself, those of its network cards, and the path); a doubt that arose
 * later is kept in file `doubt`. While there is a doubt, the application's writes are captured and
 * nothing is sent; a person ends it with `agent-cli identity confirm-move` or `identity reset`. */
#ifndef NAVETTE_ORIGIN_H
#define NAVETTE_ORIGIN_H

#include <navette/keys.h>

struct home;

#define ORIGIN_DOUBT_BYTES_MAX 300

/* Why this home may be a copy, for a person; "" when it stands where it was made. The first look at
 * a home takes down where it is. */
MUST_USE bool origin_check(const struct home *h, char doubt[ORIGIN_DOUBT_BYTES_MAX], struct err *e);
/* Remember a doubt that arose while the agent ran. */
MUST_USE bool origin_doubt(const struct home *h, const char *why, struct err *e);
/* Where the home stands, as one number: of a copy elsewhere it is another one. */
MUST_USE bool origin_machine(const struct home *h, uint8_t out[HASH_BYTES], struct err *e);
/* The home belongs here from now on, and there is no doubt. */
MUST_USE bool origin_confirm(const struct home *h, struct err *e);

#endif
