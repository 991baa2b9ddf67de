/* Cards: the network cards of this machine, which an image of its disk does not take along. The
 * system's name and the home's path are on the disk, and so in the image, too. */
#ifndef NAVETTE_CARDS_H
#define NAVETTE_CARDS_H

#include <navette/bytes.h>

#define CARDS_DIRECTORY "/sys/class/net" /* where the system lists them */
#define CARDS_MAX       8
#define CARD_BYTES      8

/* Hashes of the addresses that they were made with. Addresses that the system made up, as of
 * bridges and tunnels, and those that somebody gave them are left out. */
struct cards {
    uint8_t all[CARDS_MAX][CARD_BYTES];
    uint32_t n; /* 0: none is known, as early in a start, or where the system lists none */
};

/* The first CARDS_MAX by name of those listed in `directory`; what cannot be read is none. */
void cards_read(const char *directory, struct cards *c);
/* Does each machine have cards, and the two none in common? One that was plugged in, or replaced
 * beside another one, makes no other machine. */
bool cards_differ(const struct cards *a, const struct cards *b);

#endif
