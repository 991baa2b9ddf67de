/* Spool: bytes that are too many to be kept in memory, in a nameless file until they are whole and
 * have been read. The system writes and drops them as it needs room; they are gone with the
 * process.
 */
#ifndef NAVETTE_SPOOL_H
#define NAVETTE_SPOOL_H

#include <navette/bytes.h>

/* Zeroed: empty. */
struct spool {
    bool open;
    int file;
    size_t n;          /* bytes in it */
    const uint8_t *at; /* where they are looked at; NULL: they are not yet */
};

/* Append; the first time a file is made in `directory`. ERR_FULL: the disk is; ERR_STORE: it cannot
 * be written. Not while it is looked at. */
MUST_USE bool spool_add(struct spool *s, const char *directory, struct slice bytes, struct err *e);
/* All that is in it (1 byte at least), good until spool_close. */
MUST_USE bool spool_view(struct spool *s, struct slice *all, struct err *e);
/* Empty it; closing twice is harmless. */
void spool_close(struct spool *s);

#endif
