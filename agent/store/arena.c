#include "arena.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
    struct arena_block *next;
    size_t used, room;
    _Alignas(max_align_t) uint8_t bytes[];
};

void *arena_alloc(struct arena *a, size_t n)
{
    struct arena_block *b = a->blocks;
    void *at;

    n = (n + 15) & ~(size_t)15;
    if (b == NULL || b->room - b->used < n) {
        size_t room = a->block_bytes != 0 ? a->block_bytes : ARENA_BLOCK_BYTES;

        room = n > room ? n : room;
        b = mem_grow(NULL, sizeof *b + room);
        b->next = a->blocks;
        b->used = 0;
        b->room = room;
        a->blocks = b;
    }
    at = b->bytes + b->used;
    b->used += n;
    return at;
}

struct slice arena_copy(struct arena *a, struct slice bytes)
{
    uint8_t *p;

    if (bytes.n == 0)
        return (struct slice){NULL, 0};
    p = arena_alloc(a, bytes.n);
    memcpy(p, bytes.p, bytes.n);
    return (struct slice){p, bytes.n};
}

struct value arena_value(struct arena *a, const struct value *v)
{
    struct value copy = *v;

    if (v->type == VALUE_TEXT || v->type == VALUE_BLOB)
        copy.bytes = arena_copy(a, v->bytes);
    return copy;
}

void arena_reset(struct arena *a)
{
    while (a->blocks != NULL && a->blocks->next != NULL) {
        struct arena_block *next = a->blocks->next;

        free(a->blocks);
        a->blocks = next;
    }
    if (a->blocks != NULL)
        a->blocks->used = 0;
}

void arena_close(struct arena *a)
{
    arena_reset(a);
    free(a->blocks);
    a->blocks = NULL;
}
