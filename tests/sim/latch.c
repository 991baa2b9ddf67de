#include "latch.h"

#include <stdlib.h>

#include <sqlite3.h>

/* Who cannot have the file alone waits for its readers, and lets no new ones in. */
int latch_lock(struct latch *l, struct latch_hold *h, int level)
{
    if (h->level >= level)
        return SQLITE_OK;
    if (h->level != l->level && (l->level >= SQLITE_LOCK_PENDING || level > SQLITE_LOCK_SHARED))
        return SQLITE_BUSY;
    if (level == SQLITE_LOCK_EXCLUSIVE && l->readers > 1) {
        h->level = l->level = SQLITE_LOCK_PENDING;
        return SQLITE_BUSY;
    }
    if (level == SQLITE_LOCK_SHARED)
        l->readers++;
    h->level = level;
    if (l->level < level)
        l->level = level;
    return SQLITE_OK;
}

int latch_unlock(struct latch *l, struct latch_hold *h, int level)
{
    if (h->level <= level)
        return SQLITE_OK;
    if (h->level > SQLITE_LOCK_SHARED)
        l->level = SQLITE_LOCK_SHARED;
    if (level == SQLITE_LOCK_NONE && --l->readers == 0)
        l->level = SQLITE_LOCK_NONE;
    h->level = level;
    return SQLITE_OK;
}

int latch_map(struct latch *l, struct latch_hold *h, int region, int bytes, bool extend,
              void volatile **out)
{
    if (!h->mapped) {
        h->mapped = true;
        l->mapped++;
    }
    *out = NULL;
    if (region >= l->region_n && !extend)
        return SQLITE_OK;
    if (region >= l->region_n)
        l->regions = mem_grow(l->regions, ((size_t)region + 1) * sizeof *l->regions);
    while (l->region_n <= region)
        l->regions[l->region_n++] = mem_alloc((size_t)bytes);
    *out = l->regions[region];
    return SQLITE_OK;
}

static int take_shared(struct latch *l, struct latch_hold *h, int slot)
{
    uint32_t bit = UINT32_C(1) << slot;

    if ((h->shared & bit) != 0)
        return SQLITE_OK;
    if (l->slots[slot] < 0)
        return SQLITE_BUSY;
    l->slots[slot]++;
    h->shared |= bit;
    return SQLITE_OK;
}

static int take_alone(struct latch *l, struct latch_hold *h, int first, int n)
{
    for (int slot = first; slot < first + n; slot++)
        if (l->slots[slot] != 0)
            return SQLITE_BUSY;
    for (int slot = first; slot < first + n; slot++) {
        l->slots[slot] = -1;
        h->alone |= UINT32_C(1) << slot;
    }
    return SQLITE_OK;
}

static void give_back(struct latch *l, struct latch_hold *h, int slot)
{
    uint32_t bit = UINT32_C(1) << slot;

    if ((h->alone & bit) != 0)
        l->slots[slot] = 0;
    else if ((h->shared & bit) != 0)
        l->slots[slot]--;
    h->shared &= ~bit;
    h->alone &= ~bit;
}

int latch_slots(struct latch *l, struct latch_hold *h, int first, int n, int flags)
{
    if ((flags & SQLITE_SHM_LOCK) != 0)
        return (flags & SQLITE_SHM_SHARED) != 0 ? take_shared(l, h, first)
                                                : take_alone(l, h, first, n);
    for (int slot = first; slot < first + n; slot++)
        give_back(l, h, slot);
    return SQLITE_OK;
}

void latch_unmap(struct latch *l, struct latch_hold *h)
{
    if (!h->mapped)
        return;
    h->mapped = false;
    for (int slot = 0; slot < LATCH_SLOTS; slot++)
        give_back(l, h, slot);
    if (--l->mapped > 0)
        return;
    for (int i = 0; i < l->region_n; i++)
        free(l->regions[i]);
    free(l->regions);
    l->regions = NULL;
    l->region_n = 0;
}
