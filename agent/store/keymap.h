/* A hash map from (table, key) to a number. */
#ifndef NAVETTE_KEYMAP_H
#define NAVETTE_KEYMAP_H

#include "arena.h"

/* A local key as the ledger stores it: an integer, or a packed natural key; `none` is no key at
 * all. */
struct row_key {
    enum { KEY_NONE, KEY_INT, KEY_PACKED } kind;
    int64_t i;
    struct slice bytes; /* KEY_PACKED: packed values, borrowed */
};

/* An integer: a local key, a gid, a time. */
struct row_key int_key(int64_t i);
bool row_key_equal(const struct row_key *a, const struct row_key *b);

struct row_key arena_key(struct arena *a, const struct row_key *k);

struct keymap_entry {
    uint32_t table;
    uint32_t value;
    struct row_key key;
};

struct keymap_slot {
    uint32_t hash;
    uint32_t entry; /* its number from 1; 0: empty */
};

/* Slots are small and entries lie one behind the other: a map of very many keys touches little
 * memory. */
struct keymap {
    struct keymap_slot *slots;
    struct keymap_entry *entries;
    uint32_t n, room; /* room: of the slots, a power of two, and twice that of the entries */
};

/* The value of a key, 0 if it is not there. */
uint32_t keymap_get(const struct keymap *m, uint32_t table, const struct row_key *key);
/* Set it, to a number from 1; the key's bytes must live as long as the map. */
void keymap_put(struct keymap *m, uint32_t table, const struct row_key *key, uint32_t value);
void keymap_close(struct keymap *m);

#endif
