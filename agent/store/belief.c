#include <navette/belief.h>

#include "belief.h"
#include "inside.h"
#include "ledger_meta.h"

uint64_t ledger_believed(const struct ledger *l, const struct actor *a)
{
    struct site_id self = {{0}};

    if (l->self != 0)
        self = actor_site(&l->actors[l->self - 1].actor);
    if (l->roster == NULL || actor_is_of(a, &self))
        return VECTOR_NUMBER_MAX;
    return roster_believed(l->roster, a);
}

/* Is it we, saying what may still come to nothing? */
static bool is_silent(const struct ledger *l, const struct ledger_actor *a)
{
    return l->silent && l->self != 0 && a == &l->actors[l->self - 1];
}

/* Who has a copy of the file would not know whose words these are: see regain.c. */
static bool is_withheld(const struct ledger *l, const struct ledger_actor *a)
{
    return l->foreign != 0 &&
           (a == &l->actors[l->foreign - 1] || (l->self != 0 && a == &l->actors[l->self - 1]));
}

/* At a cut the roster knows the hash. */
void ledger_note_have(struct ledger *l, const struct ledger_actor *a)
{
    uint64_t believed = ledger_believed(l, &a->actor);
    struct site_id site = actor_site(&a->actor);
    const struct roster_site *author;
    const struct vector_entry *cut = NULL;

    if (is_withheld(l, a) || is_silent(l, a))
        return;
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

bool store_roster_kept(struct store *s, struct buf *log, struct err *e)
{
    struct value v = {0};

    buf_clear(log);
    return ledger_meta_get(&s->ledger, "roster", &v, log, e) || err_wrap(e, "the roster kept");
}

bool store_roster_keep(struct store *s, struct err *e)
{
    struct slice log = buf_slice(&s->ledger.roster->log);
    struct buf kept;
    bool ok;

    buf_open(&kept, ROSTER_BYTES_MAX);
    ok = store_roster_kept(s, &kept, e);
    if (ok && !slice_equal(buf_slice(&kept), log)) {
        ok = ledger_begin(&s->ledger, false, e) &&
             ledger_meta_set(&s->ledger, "roster",
                             &(struct value){.type = VALUE_BLOB, .bytes = log}, e) &&
             ledger_commit(&s->ledger, e);
        if (!ok)
            ledger_rollback(&s->ledger);
    }
    buf_close(&kept);
    return ok;
}

uint64_t store_distrusted(const struct store *s, const struct site_id *site)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < s->ledger.actor_count; i++) {
        const struct ledger_actor *a = &s->ledger.actors[i];
        uint64_t believed = ledger_believed(&s->ledger, &a->actor);

        if (actor_is_of(&a->actor, site) && a->staged > believed)
            n += a->staged - believed;
    }
    return n;
}

void store_logged(const struct store *s, struct vector *out)
{
    for (uint32_t i = 0; i < s->ledger.actor_count; i++) {
        const struct ledger_actor *a = &s->ledger.actors[i];
        const struct vector_entry *heard = vector_find(&s->ledger.have, &a->actor);

        if (!is_silent(&s->ledger, a) && a->staged > 0)
            vector_set(out, &a->actor, a->staged, a->hash);
        else if (heard != NULL)
            vector_set(out, &a->actor, heard->number, heard->hash);
    }
}
