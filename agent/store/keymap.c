#include "keymap.h"

#include <stdlib.h>

struct row_key arena_key(struct arena *a, const struct row_key *k)
{
    struct row_key copy = *k;

    if (k->kind == KEY_PACKED)
        copy.bytes = arena_copy(a, k->bytes);
    return copy;
}

struct row_key int_key(int64_t i)
{
    return (struct row_key){.kind = KEY_INT, .i = i};
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

static uint32_t key_hash(uint32_t table, const struct row_key *key)
{
    uint64_t h = table;

    if (key->kind == KEY_INT)
        return (uint32_t)mix(h << 32 ^ (uint64_t)key->i);
    for (size_t i = 0; i < key->bytes.n; i++)
        h = (h ^ key->bytes.p[i]) * UINT64_C(0x100000001b3);
    return (uint32_t)mix(h);
}

static bool is_key_of(const struct keymap_entry *entry, uint32_t table, const struct row_key *key)
{
    return entry->table == table && row_key_equal(&entry->key, key);
}

/* Where the key is, or the empty slot where it belongs. */
static struct keymap_slot *find(const struct keymap *m, uint32_t hash, uint32_t table,
                                const struct row_key *key)
{
    uint32_t i = hash & (m->room - 1);

    while (m->slots[i].entry != 0 &&
           (m->slots[i].hash != hash || !is_key_of(&m->entries[m->slots[i].entry - 1], table, key)))
        i = (i + 1) & (m->room - 1);
    return &m->slots[i];
}

uint32_t keymap_get(const struct keymap *m, uint32_t table, const struct row_key *key)
{
    const struct keymap_slot *slot;

    if (m->n == 0)
        return 0;
    slot = find(m, key_hash(table, key), table, key);
    return slot->entry == 0 ? 0 : m->entries[slot->entry - 1].value;
}

static void grow(struct keymap *m)
{
    uint32_t room = m->room == 0 ? 64 : m->room * 2;
    struct keymap_slot *slots = mem_alloc(room * sizeof *slots);

    for (uint32_t i = 0; i < m->room; i++) {
        uint32_t at = m->slots[i].hash & (room - 1);

        if (m->slots[i].entry == 0)
            continue;
        while (slots[at].entry != 0)
            at = (at + 1) & (room - 1);
        slots[at] = m->slots[i];
    }
    free(m->slots);
    m->slots = slots;
    m->room = room;
    m->entries = mem_grow(m->entries, room / 2 * sizeof *m->entries);
}

void keymap_put(struct keymap *m, uint32_t table, const struct row_key *key, uint32_t value)
{
    uint32_t hash = key_hash(table, key);
    struct keymap_slot *slot;

    if (m->n * 2 >= m->room)
        grow(m);
    slot = find(m, hash, table, key);
    if (slot->entry == 0)
        *slot = (struct keymap_slot){.hash = hash, .entry = ++m->n};
    m->entries[slot->entry - 1] = (struct keymap_entry){table, value, *key};
}

void keymap_close(struct keymap *m)
{
    free(m->slots);
    free(m->entries);
    *m = (struct keymap){0};
}
