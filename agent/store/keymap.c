#include "keymap.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (256u << 10)

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
        size_t room = n > BLOCK_BYTES ? n : BLOCK_BYTES;

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

struct row_key arena_key(struct arena *a, const struct row_key *k)
{
    struct row_key copy = *k;

    if (k->kind == KEY_PACKED)
        copy.bytes = arena_copy(a, k->bytes);
    return copy;
}

void arena_close(struct arena *a)
{
    while (a->blocks != NULL) {
        struct arena_block *next = a->blocks->next;

        free(a->blocks);
        a->blocks = next;
    }
}

bool row_key_equal(const struct row_key *a, const struct row_key *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == KEY_INT)
        return a->i == b->i;
    return a->kind == KEY_NONE || slice_equal(a->bytes, b->bytes);
}

static uint64_t mix(uint64_t h)
{
    h ^= h >> 33;
    h *= UINT64_C(0xff51afd7ed558ccd);
    h ^= h >> 33;
    h *= UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

static uint64_t key_hash(uint32_t table, const struct row_key *key)
{
    uint64_t h = table;

    if (key->kind == KEY_INT)
        return mix(h << 32 ^ (uint64_t)key->i);
    for (size_t i = 0; i < key->bytes.n; i++)
        h = (h ^ key->bytes.p[i]) * UINT64_C(0x100000001b3);
    return mix(h);
}

static struct keymap_slot *find(const struct keymap *m, uint32_t table, const struct row_key *key)
{
    uint32_t i = (uint32_t)key_hash(table, key) & (m->room - 1);

    while (m->slots[i].value != 0 &&
           (m->slots[i].table != table || !row_key_equal(&m->slots[i].key, key)))
        i = (i + 1) & (m->room - 1);
    return &m->slots[i];
}

uint32_t keymap_get(const struct keymap *m, uint32_t table, const struct row_key *key)
{
    return m->n == 0 ? 0 : find(m, table, key)->value;
}

static void grow(struct keymap *m)
{
    struct keymap larger = {.room = m->room == 0 ? 64 : m->room * 2, .n = m->n};

    larger.slots = mem_alloc(larger.room * sizeof *larger.slots);
    for (uint32_t i = 0; i < m->room; i++)
        if (m->slots[i].value != 0)
            *find(&larger, m->slots[i].table, &m->slots[i].key) = m->slots[i];
    free(m->slots);
    *m = larger;
}

void keymap_put(struct keymap *m, uint32_t table, const struct row_key *key, uint32_t value)
{
    struct keymap_slot *slot;

    if (m->n * 2 >= m->room)
        grow(m);
    slot = find(m, table, key);
    if (slot->value == 0)
        m->n++;
    *slot = (struct keymap_slot){table, value, *key};
}

void keymap_close(struct keymap *m)
{
    free(m->slots);
    *m = (struct keymap){0};
}
