#include <navette/belief.h>

#include <string.h>

#include "belief.h"
#include "inside.h"

uint64_t ledger_believed(const struct ledger *l, const struct actor *a)
{
    struct site_id site = actor_site(a), self = {{0}};

    if (l->self != 0)
        self = actor_site(&l->actors[l->self - 1].actor);
    if (l->roster == NULL || memcmp(&site, &self, sizeof site) == 0)
        return VECTOR_NUMBER_MAX;
    return roster_believed(l->roster, a);
}

/* At a cut the roster knows the hash. */
void ledger_note_have(struct ledger *l, const struct ledger_actor *a)
{
    uint64_t believed = ledger_believed(l, &a->actor);
    struct site_id site = actor_site(&a->actor);
    const struct roster_site *author;
    const struct vector_entry *cut = NULL;

    if (a->staged <= believed) {
        vector_set(&l->have, &a->actor, a->staged, a->hash);
        return;
    }
    author = roster_author(l->roster, &site);
    if (author != NULL)
        cut = vector_find(&author->cut, &a->actor);
    vector_set(&l->have, &a->actor, believed, cut == NULL ? NULL : cut->hash);
}

bool ledger_believe(struct ledger *l)
{
    bool fell = false;

    for (uint32_t i = 0; i < l->actor_count; i++) {
        const struct ledger_actor *a = &l->actors[i];
        uint64_t before = vector_get(&l->have, &a->actor);

        if (a->staged > 0)
            ledger_note_have(l, a);
        fell |= vector_get(&l->have, &a->actor) < before;
    }
    return fell;
}

void store_roster_changed(struct store *s)
{
    s->history += ledger_believe(&s->ledger);
}

uint64_t store_distrusted(const struct store *s, const struct site_id *site)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < s->ledger.actor_count; i++) {
        const struct ledger_actor *a = &s->ledger.actors[i];
        struct site_id author = actor_site(&a->actor);
        uint64_t believed = ledger_believed(&s->ledger, &a->actor);

        if (memcmp(&author, site, sizeof author) == 0 && a->staged > believed)
            n += a->staged - believed;
    }
    return n;
}

void store_logged(const struct store *s, struct vector *out)
{
    for (uint32_t i = 0; i < s->ledger.actor_count; i++)
        if (s->ledger.actors[i].staged > 0)
            vector_set(out, &s->ledger.actors[i].actor, s->ledger.actors[i].staged,
                       s->ledger.actors[i].hash);
}
