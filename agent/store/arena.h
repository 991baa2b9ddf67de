/* An arena: memory for what goes together, at the end of a drain or a batch, or with a record. */
#ifndef NAVETTE_ARENA_H
#define NAVETTE_ARENA_H

#include <navette/change.h>

/* A zeroed one is valid. */
struct arena {
    struct arena_block *blocks;
    size_t block_bytes; /* of a block, unless what is asked for is larger; 0: ARENA_BLOCK_BYTES */
};

#define ARENA_BLOCK_BYTES (256u << 10)

/* Good until arena_reset or arena_close; aligned for any type. */
void *arena_alloc(struct arena *a, size_t n);
struct slice arena_copy(struct arena *a, struct slice bytes);
struct value arena_value(struct arena *a, const struct value *v);
/* Forget all; one block is kept for the next time. */
void arena_reset(struct arena *a);
void arena_close(struct arena *a);

#endif
