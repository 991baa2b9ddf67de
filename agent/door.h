/* Door: how many connections are taken in, before anybody has said who he is. Pure: no socket, no
 * clock.
 *
 * Whoever connects has an address that answers, but it may have many; so each address gets its
 * share, and all together no more than a PC can bear. Who is over his share is closed at once; when
 * all are, connections wait in the system's queue. */
#ifndef NAVETTE_DOOR_H
#define NAVETTE_DOOR_H

#include "bucket.h"

#define DOOR_RATE          20   /* connections a second from one address */
#define DOOR_BURST         100  /* of them at once */
#define DOOR_ALL_RATE      2000 /* from all addresses */
#define DOOR_ALL_BURST     200
#define DOOR_PAUSE_MS      20  /* then nothing is taken from the queue for so long */
#define DOOR_ADDRESSES_MAX 256 /* remembered */

struct door_address {
    uint32_t ip;
    struct bucket taken;
};

/* A zeroed struct is an open door. All times are monotonic. */
struct door {
    struct bucket taken;
    struct door_address list[DOOR_ADDRESSES_MAX];
    uint32_t n;
};

/* May one more connection be taken from the queue, whoever it is? */
bool door_take(struct door *d, uint64_t now_ms);
/* It came from `ip`: may it stay? */
bool door_admit(struct door *d, uint32_t ip, uint64_t now_ms);

#endif
