#include <navette/sync_claims.h>

#include <stdlib.h>
#include <string.h>

/* Where `a` is or belongs. */
static uint32_t claim_place(const struct sync_claims *c, const struct actor *a)
{
    uint32_t low = 0, high = c->n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (actor_compare(&c->claims[middle].actor, a) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct sync_claim *sync_claims_find(struct sync_claims *c, const struct actor *a)
{
    uint32_t at = claim_place(c, a);

    if (at == c->n || !actor_equal(&c->claims[at].actor, a))
        return NULL;
    return &c->claims[at];
}

void sync_claims_take(struct sync_claims *c, const struct sync_claim *claim)
{
    uint32_t at = claim_place(c, &claim->actor);

    if (at == c->n || !actor_equal(&c->claims[at].actor, &claim->actor)) {
        if (c->n == c->room) {
            c->room = c->room == 0 ? 16 : c->room * 2;
            c->claims = mem_grow(c->claims, c->room * sizeof *c->claims);
        }
        memmove(c->claims + at + 1, c->claims + at, (c->n - at) * sizeof *c->claims);
        c->n++;
    }
    c->claims[at] = *claim;
}

void sync_claims_give(struct sync_claims *c, const struct actor *a)
{
    struct sync_claim *claim = sync_claims_find(c, a);

    if (claim == NULL)
        return;
    c->n--;
    memmove(claim, claim + 1, (size_t)(c->claims + c->n - claim) * sizeof *claim);
}

void sync_claims_author(struct sync_claims *c, const struct actor *a, uint64_t link)
{
    if (c->author_count == c->author_room) {
        c->author_room = c->author_room == 0 ? 16 : c->author_room * 2;
        c->authors = mem_grow(c->authors, c->author_room * sizeof *c->authors);
    }
    c->authors[c->author_count++] = (struct sync_author){.actor = *a, .link = link};
}

bool sync_claims_author_link(const struct sync_claims *c, const struct actor *a, uint64_t *link)
{
    for (uint32_t i = 0; i < c->author_count; i++) {
        if (actor_equal(&c->authors[i].actor, a)) {
            *link = c->authors[i].link;
            return true;
        }
    }
    return false;
}

void sync_claims_leave(struct sync_claims *c, uint64_t link)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < c->n; i++) {
        if (c->claims[i].link != link)
            c->claims[kept++] = c->claims[i];
    }
    c->n = kept;
    kept = 0;
    for (uint32_t i = 0; i < c->author_count; i++) {
        if (c->authors[i].link != link)
            c->authors[kept++] = c->authors[i];
    }
    c->author_count = kept;
}

void sync_claims_close(struct sync_claims *c)
{
    free(c->claims);
    free(c->authors);
    memset(c, 0, sizeof *c);
}
