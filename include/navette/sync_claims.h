/* Claims: which link of this site has been asked for which actor's change-sets, so that no two
 * peers send the same ones. One table, owned by the shell, shared by the syncs of all its links.
 *
 * A claim lasts as long as change-sets arrive; SYNC_CLAIM_MS without one and another link may take
 * it. While the author itself is connected it is expected to push what it makes, and the claim is
 * held on behalf of its link without a WANT. */
#ifndef NAVETTE_SYNC_CLAIMS_H
#define NAVETTE_SYNC_CLAIMS_H

#include <navette/change.h>

struct sync_claim {
    struct actor actor;
    uint64_t link;        /* sync.link of the holder */
    uint64_t seen;        /* our have-number when it was made or last moved on */
    uint64_t deadline_ms; /* when others may take it, unless it moves on */
    bool pushed;          /* nothing was asked: the author's own link is expected to push */
};

/* A link whose peer is the author: it is open and `actor` is its present actor. */
struct sync_author {
    struct actor actor;
    uint64_t link;
};

/* A zeroed one is empty. Claims are sorted by actor. */
struct sync_claims {
    struct sync_claim *claims;
    uint32_t n, room;
    struct sync_author *authors;
    uint32_t author_count, author_room;
};

/* NULL when nobody holds it. Good until the next take or give. */
struct sync_claim *sync_claims_find(struct sync_claims *c, const struct actor *a);
/* Make it the claim of `link`, whoever held it. */
void sync_claims_take(struct sync_claims *c, const struct sync_claim *claim);
/* Nobody's any more; nothing happens when it is not held. */
void sync_claims_give(struct sync_claims *c, const struct actor *a);

/* The peer of `link` is `a` itself. */
void sync_claims_author(struct sync_claims *c, const struct actor *a, uint64_t link);
/* The link on which the author itself is connected; false when there is none. */
bool sync_claims_author_link(const struct sync_claims *c, const struct actor *a, uint64_t *link);

/* Give back everything of one link. */
void sync_claims_leave(struct sync_claims *c, uint64_t link);
void sync_claims_close(struct sync_claims *c);

#endif
