#include "founding.h"

#include <sodium.h>

bool found_fleet(const struct home *h, const char *fleet, const char *pc, const struct keys *k,
                 struct err *e)
{
    struct roster r = {0};
    uint8_t key[KEY_BYTES];
    bool ok;

    random_fill(key, sizeof key);
    ok = roster_create(&r, fleet, pc, k, e) && home_fleet_save(h, &r, key, e);
    sodium_memzero(key, sizeof key);
    roster_close(&r);
    return ok;
}
