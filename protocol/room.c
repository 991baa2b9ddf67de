/* Room in the roster. Every member adds entries, so one who means harm can fill it; but not so that
 * nobody can shut him out any more: removals by the most senior sites have room of their own.
 * Nobody gets before a site that was enrolled before him. It all depends on the set of entries
 * alone. */
#include "draft.h"

#include <stdlib.h>

/* A site that is senior, or not. */
struct allowance {
    bool senior;
    uint32_t entries, bytes; /* used */
};

static bool is_removal(const struct entry *n)
{
    return n->kind == ENTRY_REVOKE || (n->kind == ENTRY_ADMIN && !n->admin);
}

static bool allowance_covers(struct allowance *a, const struct entry *n, size_t bytes)
{
    if (!is_removal(n) || !a->senior || a->entries == ROSTER_REMOVALS ||
        bytes > ROSTER_REMOVAL_BYTES - a->bytes)
        return false;
    a->entries++;
    a->bytes += (uint32_t)bytes;
    return true;
}

static size_t item_bytes(const struct entry *n)
{
    struct buf item;
    size_t bytes;

    buf_open(&item, ROSTER_CHECKPOINT_BYTES_MAX + 256);
    item_write(&item, n->bytes, n->signature);
    bytes = item.n;
    buf_close(&item);
    return bytes;
}

bool draft_check_room(const struct draft *d, struct err *e)
{
    struct allowance *sites = mem_alloc((d->site_count + 1) * sizeof *sites);
    uint32_t entries = 0, seniors = 0;
    uint32_t first = d->base == NULL ? 0 : d->base->base.site_count;
    size_t bytes = 0;

    for (; seniors < first && seniors < ROSTER_SENIORS; seniors++)
        sites[seniors].senior = true;
    for (uint32_t i = 0; i < d->placed_count; i++) {
        const struct entry *n = d->folded[i];
        size_t item = item_bytes(n);

        if (entry_enrols(n) && d->sites[n->subject].rank == first + i && seniors < ROSTER_SENIORS) {
            sites[n->subject].senior = true;
            seniors++;
        }
        if (allowance_covers(&sites[n->author_site], n, item))
            continue;
        entries++;
        bytes += item;
    }
    free(sites);
    if (entries > ROSTER_ORDINARY_MAX)
        return err_set(e, ERR_LIMIT, "a roster of %u entries, allowed %d", entries,
                       ROSTER_ORDINARY_MAX);
    if (bytes > ROSTER_ORDINARY_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "a roster of %zu bytes, allowed %u", bytes,
                       ROSTER_ORDINARY_BYTES_MAX);
    return true;
}
