/* Inside rebuild.c and outlined.c: a change-set that came in outline. */
#ifndef NAVETTE_OUTLINED_H
#define NAVETTE_OUTLINED_H

#include <navette/rebuild.h>

#include "inside.h"

struct store_rebuild {
    struct store *s;
    struct changeset_header h;
    struct buf header, bytes; /* as they came: the outline borrows them */
    uint8_t signature[SIGNATURE_BYTES];
    struct outline o;
    struct arena arena; /* of the cells */
    /* By row of the outline: */
    struct slice *cells; /* as our file has them, or as the peer told; p NULL: neither */
    uint8_t *marks;      /* of our cells */
    bool *known;         /* the cells are its author's */
    bool *picked;        /* what was asked for last, rows or ranges */
    uint32_t unnamed;    /* values of our file that name rows of which nobody has said the gid */
    enum {
        REBUILD_FRESH,
        REBUILD_NAMES,
        REBUILD_PROBE,
        REBUILD_MARKS,
        REBUILD_CELLS,
        REBUILD_ALL
    } phase;
    bool copy; /* what differs is worth comparing row by row */
    bool owed; /* what was asked last has not been told */
    struct buf picks;
    struct buf whole; /* the change-set */
};

/* Read the rows of the file that the outline names by their keys, and encode them as their author
 * would have: `cells` and `marks`; and count `unnamed`. */
MUST_USE bool outlined_read(struct store_rebuild *r, struct err *e);

#endif
