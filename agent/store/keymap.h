/* A hash map from (table, key) to a number, and an arena for what lives as long as one drain or one
 * batch. */
#ifndef NAVETTE_KEYMAP_H
#define NAVETTE_KEYMAP_H

#include <navette/change.h>

/* A local key as the ledger stores it: an integer, or a packed natural key; `none` is no key at
 * all. */
struct row_key {
    enum { KEY_NONE, KEY_INT, KEY_PACKED } kind;
    int64_t i;
    struct slice bytes; /* KEY_PACKED: packed values, borrowed */
};

bool row_key_equal(const struct row_key *a, const struct row_key *b);

struct arena {
    struct arena_block *blocks;
};

/* Good until arena_close; aligned for any type. */
void *arena_alloc(struct arena *a, size_t n);
struct slice arena_copy(struct arena *a, struct slice bytes);
struct value arena_value(struct arena *a, const struct value *v);
struct row_key arena_key(struct arena *a, const struct row_key *k);
void arena_close(struct arena *a);

struct keymap_slot {
    uint32_t table;
    uint32_t value; /* 0: empty; the map's values are numbers from 1 */
    struct row_key key;
};

struct keymap {
    struct keymap_slot *slots;
    uint32_t n, room; /* room: a power of two */
};

/* The value of a key, 0 if it is not there. */
uint32_t keymap_get(const struct keymap *m, uint32_t table, const struct row_key *key);
/* Set it; the key's bytes must live as long as the map. */
void keymap_put(struct keymap *m, uint32_t table, const struct row_key *key, uint32_t value);
void keymap_close(struct keymap *m);

#endif
