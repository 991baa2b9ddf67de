/* Waiving. A change-set waits for what its author had applied of others. When that is on no disk
 * any more, because all PCs that had it were put back from copies, it would wait for ever, and its
 * author's chain behind it. What is merged does not depend on the order in which it comes: that the
 * one waits for the other only keeps half a story out of sight. So nothing waits for what nobody
 * has; and if somebody has it after all, it is merged when it comes. What we have to correct
 * (correct.h) waits likewise for what its author had applied, also where it is merged: a ledger
 * that is built again merges what the file held without what nobody has (regain.c). */
#include "belief.h"
#include "describe.h"
#include "fork.h"
#include "merge.h"

#include <navette/waits.h>

#include <stdio.h>
#include <string.h>

/* A change-set that is next of its author, and what it waits for that the log does not have. */
struct lack {
    struct vector_entry next; /* its author and number */
    struct vector needs;
};

/* Is it neither in the log, nor said again, nor waived? */
static bool is_lacking(struct store *s, const struct actor *actor, uint64_t number, bool *lacking,
                       struct err *e)
{
    uint32_t id = ledger_actor_find(&s->ledger, actor);
    const struct ledger_actor *a = id == 0 ? NULL : &s->ledger.actors[id - 1];

    *lacking = false;
    if (a != NULL && (number <= a->staged || number <= a->waived))
        return true;
    if (!fork_has_merged(s, actor, number, lacking, e))
        return false;
    *lacking = !*lacking;
    return true;
}

static bool read_needs(struct store *s, uint32_t actor, uint64_t number, struct vector *needs,
                       struct err *e)
{
    struct changeset_header h = {0};
    struct changeset c;
    struct slice bytes;
    bool found, ok;

    if (!ledger_changeset_get(&s->ledger, actor, number, &bytes, &found, e) || !found)
        return e->code == ERR_NONE;
    ok = changeset_open(&c, &h, bytes, e);
    if (ok)
        vector_copy(needs, &h.needs);
    changeset_header_close(&h);
    return ok;
}

static bool has_one(const struct store_peer *peers, uint32_t n, const struct vector_entry *need)
{
    for (uint32_t i = 0; i < n; i++)
        if (vector_get(peers[i].have, &need->actor) >= need->number)
            return true;
    return false;
}

/* Those of `needs` that are lacking and that no peer has, into `lacking`. */
static bool find_lacking(struct store *s, const struct vector *needs,
                         const struct store_peer *peers, uint32_t n, struct vector *lacking,
                         struct err *e)
{
    bool ok = true;

    lacking->n = 0;
    for (uint32_t i = 0; ok && i < needs->n; i++) {
        struct vector_entry need = needs->entries[i];
        uint64_t believed = ledger_believed(&s->ledger, &need.actor);
        bool lacks;

        need.number = need.number < believed ? need.number : believed;
        ok = is_lacking(s, &need.actor, need.number, &lacks, e);
        if (ok && lacks && !has_one(peers, n, &need))
            vector_set(lacking, &need.actor, need.number, NULL);
    }
    return ok;
}

/* What the next change-set of `actor` waits for and no peer has; l->needs is empty when there is
 * none. */
static bool lack_read(struct store *s, uint32_t actor, const struct store_peer *peers, uint32_t n,
                      struct lack *l, struct err *e)
{
    const struct ledger_actor *a = &s->ledger.actors[actor - 1];
    struct vector needs = {0};
    bool ok;

    l->next = (struct vector_entry){.actor = a->actor, .number = a->merged + 1};
    l->needs.n = 0;
    if (a->merged >= a->staged || trouble_is_stuck(&s->trouble, actor))
        return true;
    ok = read_needs(s, actor, l->next.number, &needs, e) &&
         find_lacking(s, &needs, peers, n, &l->needs, e);
    vector_close(&needs);
    return ok;
}

static void tell(struct store *s, uint32_t actor, uint64_t changesets, const struct lack *l,
                 struct store_lack *out)
{
    struct site_id site = actor_site(&l->needs.entries[0].actor);
    const struct roster_site *of = roster_author(s->roster, &site);

    out->changesets += changesets;
    if (out->changesets > changesets)
        return;
    describe_actor(s, actor, out->waiting);
    if (of != NULL)
        snprintf(out->lacking, sizeof out->lacking, "%s", of->name);
}

/* ---- our own history, which others had and have lost ---- */

/* Is something laid aside until what others had in its place comes (fork.h), and nobody has that
 * any more? */
static bool lacks_history(const struct store *s, const struct store_peer *peers, uint32_t n)
{
    const struct ledger *l = &s->ledger;
    struct vector_entry next;

    if (!fork_is_open(s) || fork_has_parted(s))
        return false;
    next = (struct vector_entry){.actor = l->actors[l->aside - 1].actor,
                                 .number = l->actors[l->aside - 1].staged + 1};
    return !has_one(peers, n, &next);
}

static bool tell_history(struct store *s, struct store_lack *out, struct err *e)
{
    int64_t n;

    if (!ledger_number(&s->ledger, "SELECT count(*) FROM aside", &n, e))
        return false;
    if (out->changesets == 0) {
        describe_actor(s, s->ledger.aside, out->waiting);
        memcpy(out->lacking, out->waiting, sizeof out->lacking);
    }
    out->changesets += (uint64_t)n;
    return true;
}

bool store_lacks_nothing(const struct store *s)
{
    return vector_covers(&s->ledger.applied, &s->ledger.have) && s->uncorrected.actor == 0 &&
           (!fork_is_open(s) || fork_has_parted(s));
}

bool store_lacks(struct store *s, const struct store_peer *peers, uint32_t n,
                 struct store_lack *out, struct err *e)
{
    struct lack l = {0};
    bool ok = true;

    *out = (struct store_lack){0};
    for (uint32_t a = 1; ok && a <= s->ledger.actor_count; a++) {
        ok = lack_read(s, a, peers, n, &l, e);
        if (ok && l.needs.n > 0)
            tell(s, a, s->ledger.actors[a - 1].staged - s->ledger.actors[a - 1].merged, &l, out);
    }
    ok = ok && find_lacking(s, &s->uncorrected.needs, peers, n, &l.needs, e);
    if (ok && l.needs.n > 0)
        tell(s, s->uncorrected.actor, s->uncorrected.changesets, &l, out);
    ok = ok && (!lacks_history(s, peers, n) || tell_history(s, out, e));
    vector_close(&l.needs);
    ledger_rest(&s->ledger);
    return ok;
}

static bool went_on(const struct store_peer *peers, uint32_t n, const struct vector_entry *next)
{
    for (uint32_t i = 0; i < n; i++)
        if (vector_get(peers[i].applied, &next->actor) >= next->number)
            return true;
    return false;
}

static bool waive(struct store *s, const struct vector_entry *need, struct err *e)
{
    uint32_t actor;

    if (!ledger_actor_named(&s->ledger, &need->actor, &actor, e))
        return false;
    s->ledger.actors[actor - 1].waived = need->number;
    return ledger_actor_save(&s->ledger, actor, e);
}

/* What one needs that makes up others waits, and holds up nobody else. */
static bool waive_needs(struct store *s, uint32_t actor, const struct vector *needs, struct err *e)
{
    for (uint32_t i = 0; i < needs->n; i++) {
        if (waive(s, &needs->entries[i], e))
            continue;
        if (e->code != ERR_LIMIT)
            return false;
        trouble_stuck(s, actor, e);
        err_clear(e);
        return true;
    }
    return true;
}

static bool waive_all(struct store *s, const struct store_peer *peers, uint32_t n, bool all,
                      bool *did, struct err *e)
{
    uint32_t actors = s->ledger.actor_count; /* who is added has nothing that waits */
    struct lack l = {0};
    bool ok = true;

    for (uint32_t a = 1; ok && a <= actors; a++) {
        ok = lack_read(s, a, peers, n, &l, e);
        if (!all && !went_on(peers, n, &l.next))
            continue;
        if (ok && l.needs.n > 0) {
            ok = (*did || ledger_begin(&s->ledger, false, e)) && waive_needs(s, a, &l.needs, e);
            *did = true;
        }
    }
    if (ok && all) {
        ok = find_lacking(s, &s->uncorrected.needs, peers, n, &l.needs, e);
        if (ok && l.needs.n > 0) {
            ok = (*did || ledger_begin(&s->ledger, false, e)) &&
                 waive_needs(s, s->uncorrected.actor, &l.needs, e);
            *did = true;
        }
    }
    if (ok && all && lacks_history(s, peers, n)) {
        ok = (*did || ledger_begin(&s->ledger, false, e)) && fork_give_up(s, e);
        *did = true;
    }
    vector_close(&l.needs);
    return ok;
}

bool store_waive(struct store *s, const struct store_peer *peers, uint32_t n, bool all, bool *did,
                 struct err *e)
{
    bool ok;

    *did = false;
    ok = waive_all(s, peers, n, all, did, e) && (!*did || ledger_commit(&s->ledger, e));
    if (!ok)
        ledger_rollback(&s->ledger);
    ledger_rest(&s->ledger);
    *did &= ok;
    return ok;
}
