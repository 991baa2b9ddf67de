#include "replaced.h"

#include <stdlib.h>

#include "gid.h"
#include "record.h"

#define SLOTS    8192 /* a power of two; one that is needed twice keeps what came last */
#define EARLY_MS 500  /* a mark may look so much older than the apply before it */

struct slot {
    int64_t gid; /* 0: empty */
    uint64_t hash;
    int64_t named; /* by a reference */
    uint64_t at_ms;
    uint32_t position;
    bool written; /* by the application, since */
};

struct replaced {
    struct slot slots[SLOTS];
    uint64_t last_ms;
};

/* FNV-1a. Two values with one hash cost a person a look at a list, no more. */
static uint64_t hash_of(const struct value *v)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    struct buf packed;

    buf_open(&packed, SIZE_MAX / 2);
    packed_value_write(&packed, v);
    for (size_t i = 0; i < packed.n; i++)
        hash = (hash ^ packed.p[i]) * UINT64_C(0x100000001b3);
    buf_close(&packed);
    return hash;
}

static uint32_t slot_of(int64_t gid, uint32_t position)
{
    uint64_t mixed = ((uint64_t)gid * 64 + position) * UINT64_C(0x9e3779b97f4a7c15);

    return (uint32_t)(mixed >> 32) % SLOTS;
}

void replaced_note(struct replaced **r, int64_t gid, uint32_t position, const struct value *was,
                   uint64_t now_ms)
{
    if (*r == NULL)
        *r = mem_alloc(sizeof **r);
    (*r)->last_ms = now_ms;
    (*r)->slots[slot_of(gid, position)] =
        (struct slot){.gid = gid, .hash = hash_of(was), .at_ms = now_ms, .position = position};
    if (was->type == VALUE_REF)
        (*r)->slots[slot_of(gid, position)].named = gid_pack(was->ref);
}

void replaced_written(struct replaced *r, int64_t gid, uint32_t position)
{
    struct slot *s = r == NULL ? NULL : &r->slots[slot_of(gid, position)];

    if (s != NULL && s->gid == gid && s->position == position)
        s->written = true;
}

bool replaced_any(const struct replaced *r, uint64_t wall_ms)
{
    return r != NULL && wall_ms != 0 && wall_ms <= r->last_ms + REPLACED_STALE_MS;
}

/* The cell's slot, if it was replaced no longer than `max_ms` before. */
static const struct slot *find(const struct replaced *r, int64_t gid, uint32_t position,
                               uint64_t wall_ms, uint64_t max_ms)
{
    const struct slot *s;

    if (!replaced_any(r, wall_ms))
        return NULL;
    s = &r->slots[slot_of(gid, position)];
    if (s->gid != gid || s->position != position)
        return NULL;
    return wall_ms + EARLY_MS >= s->at_ms && wall_ms <= s->at_ms + max_ms ? s : NULL;
}

bool replaced_is_back(const struct replaced *r, int64_t gid, uint32_t position,
                      const struct value *v, uint64_t wall_ms)
{
    const struct slot *s = find(r, gid, position, wall_ms, REPLACED_STALE_MS);

    return s != NULL && !s->written && s->hash == hash_of(v);
}

int64_t replaced_named(const struct replaced *r, int64_t gid, uint32_t position, uint64_t wall_ms)
{
    const struct slot *s = find(r, gid, position, wall_ms, REPLACED_STALE_MS);

    return s == NULL || s->written ? 0 : s->named;
}

bool replaced_lately(const struct replaced *r, int64_t gid, uint32_t position, uint64_t wall_ms)
{
    return find(r, gid, position, wall_ms, REPLACED_DOUBT_MS) != NULL;
}

void replaced_close(struct replaced **r)
{
    free(*r);
    *r = NULL;
}
