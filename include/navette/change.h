/* A change: who wrote which value into which cell of which row when, and which of two writes wins.
 */
#ifndef NAVETTE_CHANGE_H
#define NAVETTE_CHANGE_H

#include <navette/bytes.h>

#define SITE_ID_BYTES 16
#define ACTOR_BYTES   24

/* BLAKE2b-128 of the site's Ed25519 public key, see keys.h. */
struct site_id {
    uint8_t bytes[SITE_ID_BYTES];
};

/* The author of one change-set chain: site_id, then its incarnation (8 random bytes). */
struct actor {
    uint8_t bytes[ACTOR_BYTES];
};

struct site_id actor_site(const struct actor *a);
bool actor_equal(const struct actor *a, const struct actor *b);
bool site_equal(const struct site_id *a, const struct site_id *b);
/* Is it one of the site's incarnations? */
bool actor_is_of(const struct actor *a, const struct site_id *site);
int actor_compare(const struct actor *a, const struct actor *b); /* memcmp order */

/* A row reference inside one change-set: an index into its list of actors, and the counter that
 * this actor minted. Counters start at 1 and stay below GID_COUNTER_MAX. */
struct gid {
    uint32_t actor;
    uint64_t counter;
};
#define GID_COUNTER_BITS 50
#define GID_COUNTER_MAX  (UINT64_C(1) << GID_COUNTER_BITS)

enum value_type { VALUE_NULL, VALUE_INT, VALUE_REAL, VALUE_TEXT, VALUE_BLOB, VALUE_REF };

/* An SQLite value with its storage class, or a reference to a row. Text need not be UTF-8 and may
 * hold NULs. */
struct value {
    enum value_type type;
    union {
        int64_t i;
        double r;
        struct slice bytes; /* VALUE_TEXT, VALUE_BLOB: borrowed */
        struct gid ref;
    };
};

/* Same type and same bits (-0.0 differs from 0.0). */
bool value_equal(const struct value *a, const struct value *b);

/* What orders the writes of a cell: stamp, then actor, then change-set number. */
struct clock {
    uint64_t stamp;
    struct actor actor;
    uint64_t number;
};

/* -1, 0 or 1. */
int clock_compare(const struct clock *a, const struct clock *b);

enum change_op {
    CHANGE_INSERT = 1, /* the whole row: one value per column of its table record */
    CHANGE_UPDATE = 2, /* some cells: (column index, value) pairs, indices rising */
    CHANGE_DELETE = 3, /* the row is gone */
    CHANGE_REPAIR = 4, /* some cells, as an update: they replace what one write put there and are as
                          old as it: any other write of the cell wins over them. `with`: the
                          author of that write and the number of its change-set */
    CHANGE_UNITE = 5   /* the row and another are one. `with`: the other's gid */
};

/* Its cells are (column index, value) pairs. */
static inline bool change_has_some(enum change_op op)
{
    return op == CHANGE_UPDATE || op == CHANGE_REPAIR;
}

#endif
