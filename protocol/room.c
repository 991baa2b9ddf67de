/* Room in the roster. Every member adds entries, so one who means harm can fill it; but not so that
 * nobody can shut him out any more, nor so that what he filled it with stays: removals and
 * checkpoints by the most senior sites, and the acknowledgements of these checkpoints by whom they
 * name, have room of their own. Nobody gets before a site that was enrolled before him. It all
 * depends on the set of entries alone. */
#include "draft.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What a site has used of the room that is kept for it. */
struct allowance {
    bool senior;
    uint32_t removals, checkpoints;
    size_t removal_bytes, checkpoint_bytes;
};

/* A checkpoint whose acknowledgements have room of their own, and by whom one is counted yet. */
struct kept {
    const struct entry *k;
    enum { NOT_NAMED, NAMED, ACKNOWLEDGED } * sites;
};

#define KEPT_MAX (ROSTER_SENIORS * ROSTER_CHECKPOINTS + 1)

struct count {
    const struct draft *d;
    bool ours; /* of our own entries alone */
    struct allowance *sites;
    uint32_t seniors;
    struct kept kept[KEPT_MAX];
    uint32_t kept_count;
    uint64_t named[ROW_WORDS_MAX]; /* entries that another one builds on */
    uint64_t ordinary[ROW_WORDS_MAX];
    uint32_t entries, ends;
    size_t bytes;
};

static bool is_removal(const struct entry *n)
{
    return n->kind == ENTRY_REVOKE || (n->kind == ENTRY_ADMIN && !n->admin);
}

static size_t item_bytes(const struct entry *n)
{
    return n->bytes.n +
           (n->bytes.n < 256     ? 2
            : n->bytes.n < 65536 ? 3
                                 : 5) +
           1 + 2 + SIGNATURE_BYTES;
}

static void keep_acknowledgements(struct count *c, const struct entry *k)
{
    struct err e = {0};
    struct reader sites = reader_of(k->base.sites, &e);
    struct kept *kept = &c->kept[c->kept_count++];

    *kept = (struct kept){k, mem_alloc((c->d->site_count + 1) * sizeof *kept->sites)};
    for (uint32_t i = 0; i < k->base.site_count; i++) {
        struct checkpoint_site s;
        uint32_t at;

        checkpoint_site_read(&sites, &s);
        at = s.standing == ROSTER_MEMBER ? draft_site_of(c->d, s.sign_public) : SITE_NONE;
        if (at != SITE_NONE)
            kept->sites[at] = NAMED;
    }
    assert(!sites.failed); /* entry_read took them */
}

static bool covers_removal(struct allowance *a, size_t bytes)
{
    if (!a->senior || a->removals == ROSTER_REMOVALS ||
        bytes > ROSTER_REMOVAL_BYTES - a->removal_bytes)
        return false;
    a->removals++;
    a->removal_bytes += bytes;
    return true;
}

static bool covers_checkpoint(struct allowance *a, size_t bytes)
{
    size_t room = ROSTER_CHECKPOINT_BYTES_MAX + ROSTER_CHECKPOINTS * ROSTER_ITEM_BYTES;

    if (!a->senior || a->checkpoints == ROSTER_CHECKPOINTS || bytes > room - a->checkpoint_bytes)
        return false;
    a->checkpoints++;
    a->checkpoint_bytes += bytes;
    return true;
}

/* The first by each whom such a checkpoint names. */
static bool covers_acknowledgement(struct count *c, const struct entry *n)
{
    for (uint32_t i = 0; i < c->kept_count; i++) {
        struct kept *kept = &c->kept[i];

        if (memcmp(kept->k->hash, n->checkpoint, HASH_BYTES) != 0 ||
            kept->sites[n->author_site] != NAMED)
            continue;
        kept->sites[n->author_site] = ACKNOWLEDGED;
        return true;
    }
    return false;
}

/* Has it room of its own? */
static bool is_covered(struct count *c, const struct entry *n)
{
    struct allowance *a = &c->sites[n->author_site];
    bool covered = false;

    if (n == c->d->base || (n->kind == ENTRY_CHECKPOINT && covers_checkpoint(a, item_bytes(n)))) {
        keep_acknowledgements(c, n);
        return true;
    }
    if (is_removal(n))
        covered = covers_removal(a, item_bytes(n));
    else if (entry_only_acknowledges(n))
        covered = covers_acknowledgement(c, n);
    return covered;
}

/* Those that the base revokes can say nothing any more. */
static void find_first_seniors(struct count *c)
{
    const struct draft *d = c->d;

    for (uint32_t i = 0; d->base != NULL && i < d->base->base.site_count; i++)
        if (d->sites[i].base_standing != ROSTER_REVOKED && c->seniors < ROSTER_SENIORS) {
            c->sites[i].senior = true;
            c->seniors++;
        }
}

static void count_one(struct count *c, uint32_t i, uint32_t first)
{
    const struct draft *d = c->d;
    const struct entry *n = d->folded[i];

    if (entry_enrols(n) && d->sites[n->subject].rank == first + i && c->seniors < ROSTER_SENIORS) {
        c->sites[n->subject].senior = true;
        c->seniors++;
    }
    for (uint32_t j = 0; n != d->base && j < n->parent_count && !entry_only_acknowledges(n); j++)
        row_put(c->named, draft_parent(d, n, j)->at, true);
    if (is_covered(c, n))
        return;
    row_put(c->ordinary, n->at, true);
    c->entries++;
    c->bytes += item_bytes(n);
}

static void count(struct count *c, const struct draft *d, bool ours)
{
    uint32_t first = d->base == NULL ? 0 : d->base->base.site_count;

    *c = (struct count){.d = d, .ours = ours};
    c->sites = mem_alloc((d->site_count + 1) * sizeof *c->sites);
    find_first_seniors(c);
    for (uint32_t i = 0; i < d->placed_count; i++)
        if (!ours || d->folded[i]->trusted)
            count_one(c, i, first);
    for (uint32_t i = 0; i < d->words; i++)
        c->ends += (uint32_t)__builtin_popcountll(c->ordinary[i] & ~c->named[i]);
    for (uint32_t i = 0; i < c->kept_count; i++)
        free(c->kept[i].sites);
    free(c->sites);
}

/* What has no room of its own is refused only if it is new: what had some may lose it when the log
 * begins with a checkpoint, and must not be in the way of what has. */
static bool check(const struct count *all, const struct count *ours, struct err *e)
{
    if (all->entries > ROSTER_ORDINARY_MAX && all->entries > ours->entries)
        return err_set(e, ERR_LIMIT, "a roster of %u entries, allowed %d", all->entries,
                       ROSTER_ORDINARY_MAX);
    if (all->bytes > ROSTER_ORDINARY_BYTES_MAX && all->bytes > ours->bytes)
        return err_set(e, ERR_LIMIT, "a roster of %zu bytes, allowed %u", all->bytes,
                       ROSTER_ORDINARY_BYTES_MAX);
    if (all->ends > ROSTER_ORDINARY_ENDS_MAX && all->ends > ours->ends)
        return err_set(e, ERR_LIMIT, "a roster with %u ends, allowed %d", all->ends,
                       ROSTER_ORDINARY_ENDS_MAX);
    return true;
}

bool draft_check_room(const struct draft *d, struct err *e)
{
    struct count all, ours;
    struct err why = {0};

    count(&all, d, false);
    ours = (struct count){0};
    if (check(&all, &ours, &why))
        return true;
    count(&ours, d, true);
    return check(&all, &ours, e);
}
