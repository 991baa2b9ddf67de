/* Vector: for each actor a change-set number and its chain hash. As a have-vector: the highest
 * number a site has without a gap. */
#ifndef NAVETTE_VECTOR_H
#define NAVETTE_VECTOR_H

#include <navette/bounds.h>
#include <navette/keys.h>
#include <navette/wire.h>

struct vector_entry {
    struct actor actor;
    uint64_t number;          /* 1 to VECTOR_NUMBER_MAX in encoded vectors */
    uint8_t hash[HASH_BYTES]; /* chain hash of that change-set */
};

#define VECTOR_NUMBER_MAX ((UINT64_C(1) << 63) - 1) /* fits SQLite's integers */

/* Sorted by actor. A zeroed one is empty. Owns its entries. */
struct vector {
    struct vector_entry *entries;
    uint32_t n;
    uint32_t room;
};

uint64_t vector_get(const struct vector *v, const struct actor *a); /* 0 if absent */
/* NULL if absent; good until the next vector_set. */
const struct vector_entry *vector_find(const struct vector *v, const struct actor *a);
/* Insert or overwrite; `hash` may be NULL (zeros). At most ACTORS_MAX entries: false beyond. */
bool vector_set(struct vector *v, const struct actor *a, uint64_t number, const uint8_t *hash);
/* Without the one with the least number; of several, the first. Not of an empty one. */
void vector_drop_least(struct vector *v);
/* True when `v` has at least every number of `needed`. Hashes are not looked at. */
bool vector_covers(const struct vector *v, const struct vector *needed);
/* How many change-sets these are; and how many of them a site made. */
uint64_t vector_sum(const struct vector *v);
uint64_t vector_sum_of(const struct vector *v, const struct site_id *site);
/* Make `to` (a zeroed or used vector) equal to `from`. */
void vector_copy(struct vector *to, const struct vector *from);
void vector_close(struct vector *v);

/* As [[actor: bin 24, number: uint, hash: bin 32]...]; entries with number 0 are left out. Read
 * overwrites `v`, which the caller closes also after a failure, and refuses unsorted or repeated
 * actors and number 0. */
void vector_write(struct writer *w, const struct vector *v);
void vector_read(struct reader *r, struct vector *v);

#endif
