#include "door.h"

static const struct bucket_size all = {DOOR_ALL_RATE, DOOR_ALL_BURST};
static const struct bucket_size each = {DOOR_RATE, DOOR_BURST};

bool door_take(struct door *d, uint64_t now_ms)
{
    return bucket_take(&d->taken, &all, 1, now_ms);
}

/* The one of `ip`, or for a new one the place of who was here the longest time ago. */
static struct door_address *address_of_ip(struct door *d, uint32_t ip)
{
    struct door_address *oldest = d->list;
    uint32_t i;

    for (i = 0; i < d->n; i++) {
        if (d->list[i].ip == ip)
            return &d->list[i];
        if (d->list[i].taken.at_ms < oldest->taken.at_ms)
            oldest = &d->list[i];
    }
    if (d->n < DOOR_ADDRESSES_MAX)
        oldest = &d->list[d->n++];
    *oldest = (struct door_address){.ip = ip};
    return oldest;
}

bool door_admit(struct door *d, uint32_t ip, uint64_t now_ms)
{
    return bucket_take(&address_of_ip(d, ip)->taken, &each, 1, now_ms);
}
