/* Stage: change-sets of others, verified and written to the log; and the log read for peers. */
#include <navette/store.h>

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "fork.h"

/* Does it come from our fleet, from a member, and after the one we have? */
static bool check_place(struct store *s, const struct changeset_header *h,
                        const struct roster_site **site, struct ledger_actor **known, struct err *e)
{
    struct site_id id = actor_site(&h->actor);

    *known = NULL;
    if (memcmp(h->fleet, s->roster->fleet, FLEET_ID_BYTES) != 0)
        return err_set(e, ERR_STRANGER, "the change-set belongs to another fleet");
    *site = roster_find(s->roster, &id);
    if (*site == NULL)
        return err_set(e, ERR_STRANGER, "the author of the change-set is no member of the fleet %s",
                       s->roster->fleet_name);
    for (uint32_t i = 0; i < s->ledger.actor_count; i++)
        if (actor_equal(&s->ledger.actors[i].actor, &h->actor))
            *known = &s->ledger.actors[i];
    return true;
}

static bool check_chain(const struct changeset_header *h, const struct ledger_actor *known,
                        const char *name, struct err *e)
{
    static const uint8_t none[HASH_BYTES];
    uint64_t have = known == NULL ? 0 : known->staged;

    if (h->number > have + 1)
        return err_set(e, ERR_GAP, "change-set %llu of %s cannot be used before number %llu",
                       (unsigned long long)h->number, name, (unsigned long long)(have + 1));
    if (memcmp(h->previous, have == 0 ? none : known->hash, HASH_BYTES) != 0)
        return err_set(e, ERR_CRYPTO, "change-set %llu of %s does not follow the one before it",
                       (unsigned long long)h->number, name);
    return true;
}

/* Inside a ledger transaction. */
static bool write_staged(struct store *s, const struct changeset_header *h,
                         const struct changeset *c, struct slice bytes, struct err *e)
{
    struct ledger_actor *a;
    bool same = false;
    uint32_t id;

    if (!ledger_actor(&s->ledger, &h->actor, &id, e) ||
        (id == s->ledger.self && !fork_forgotten(s, e)) ||
        (h->repeats.n > 0 && !fork_repeated(s, id, h, e)) ||
        (id == s->ledger.aside && !fork_meet(s, h, bytes, &same, e)))
        return false;
    a = &s->ledger.actors[id - 1];
    a->staged = h->number;
    changeset_hash(c, a->hash);
    if (same) /* it was merged when we made it */
        a->merged = a->applied = h->number;
    return ledger_changeset_put(&s->ledger, id, h->number, bytes, e) &&
           ledger_actor_save(&s->ledger, id, e);
}

static bool begin(struct store *s, struct err *e)
{
    return s->ledger.open || ledger_begin(&s->ledger, false, e);
}

/* Is it one that shows that our own chain went on in two ways? */
static bool is_other_history(struct store *s, const struct changeset_header *h,
                             const struct changeset *c, const struct ledger_actor *known,
                             bool *other, struct err *e)
{
    struct site_id author = actor_site(&h->actor);
    uint8_t hash[HASH_BYTES];
    bool ok;

    *other = false;
    if (known == NULL || memcmp(&author, &s->keys->site, sizeof author) != 0)
        return true;
    changeset_hash(c, hash);
    ok = fork_differs(s, (uint32_t)(known - s->ledger.actors) + 1, h, hash, other, e);
    ledger_rest(&s->ledger);
    return ok;
}

/* Said again by its author as another actor: whoever has the chain as it is now will give it. */
static bool check_repeated(struct store *s, const struct changeset_header *h,
                           const struct changeset *c, const char *name, struct err *e)
{
    uint8_t hash[HASH_BYTES];
    bool repeated;

    changeset_hash(c, hash);
    if (!fork_is_repeated(s, hash, &repeated, e))
        return false;
    return !repeated || err_set(e, ERR_GAP, "change-set %llu of %s has been said again as another",
                                (unsigned long long)h->number, name);
}

/* Leaves a transaction open behind it, or the one that it found, if the change-set is new or shows
 * another history. `failed`: what went wrong is not the change-set's fault alone, and the
 * transaction is worth nothing. */
static bool stage_one(struct store *s, struct slice bytes, enum stage_result *result, bool *failed,
                      struct err *e)
{
    struct changeset_header h = {0};
    const struct roster_site *site = NULL;
    struct ledger_actor *known = NULL;
    struct changeset c;
    bool ok, other = false;

    *result = STAGE_KNOWN;
    ok = changeset_split(&c, bytes, e) && changeset_header_read(&h, c.header, e) &&
         check_place(s, &h, &site, &known, e) && is_other_history(s, &h, &c, known, &other, e);
    if (ok && (other || known == NULL || h.number == known->staged + 1))
        ok = check_repeated(s, &h, &c, site->name, e);
    if (ok && other) {
        uint32_t id = (uint32_t)(known - s->ledger.actors) + 1;

        *result = STAGE_REWOUND;
        ok = changeset_verify(&c, &h, site->sign_public, e);
        *failed = ok && !(begin(s, e) && fork_begin(s, id, &h, e));
        ok = ok && !*failed;
        known = &s->ledger.actors[id - 1];
        other = h.number != known->staged + 1 ||
                memcmp(h.previous, known->hash, sizeof known->hash) != 0;
    }
    if (ok && !other && (known == NULL || h.number > known->staged)) {
        *result = STAGE_NEW;
        ok = check_chain(&h, known, site->name, e) &&
             (changeset_verify(&c, &h, site->sign_public, e) ||
              err_wrap(e, "change-set %llu of %s", (unsigned long long)h.number, site->name));
        *failed = ok && !(begin(s, e) && write_staged(s, &h, &c, bytes, e));
        ok = ok && !*failed;
    }
    changeset_header_close(&h);
    return ok;
}

bool store_stage(struct store *s, struct slice bytes, enum stage_result *result, struct err *e)
{
    bool failed = false;
    bool ok = stage_one(s, bytes, result, &failed, e);

    if (ok && s->ledger.open)
        ok = ledger_commit(&s->ledger, e);
    if (!ok)
        ledger_rollback(&s->ledger);
    return ok;
}

/* False: nothing was staged. */
static bool stage_together(struct store *s, struct stage_item *items, uint32_t n)
{
    struct err e = {0};
    bool failed = false;

    for (uint32_t i = 0; i < n && !failed; i++) {
        err_clear(&items[i].e);
        items[i].ok = stage_one(s, items[i].changeset, &items[i].result, &failed, &items[i].e);
    }
    if (!failed && (!s->ledger.open || ledger_commit(&s->ledger, &e)))
        return true;
    ledger_rollback(&s->ledger);
    return false;
}

void store_stage_all(struct store *s, struct stage_item *items, uint32_t n)
{
    if (n > 1 && stage_together(s, items, n))
        return;
    for (uint32_t i = 0; i < n; i++) {
        err_clear(&items[i].e);
        items[i].ok = store_stage(s, items[i].changeset, &items[i].result, &items[i].e);
    }
}

/* ---- reading the log ---- */

bool store_fetch(struct store *s, const struct actor *actor, uint64_t after, size_t bytes,
                 struct buf *out, struct err *e)
{
    uint32_t id = 0;
    bool found = true;

    for (uint32_t i = 0; i < s->ledger.actor_count; i++)
        if (actor_equal(&s->ledger.actors[i].actor, actor))
            id = i + 1;
    while (id != 0 && found && (out->n == 0 || out->n < bytes)) {
        struct slice one;

        if (!ledger_changeset_get(&s->ledger, id, ++after, &one, &found, e))
            return false;
        if (found && out->n > 0 && out->n + one.n > bytes)
            break;
        if (found)
            buf_add(out, one.p, one.n);
    }
    ledger_rest(&s->ledger);
    return !out->overflow ||
           err_set(e, ERR_LIMIT, "a change-set exceeds what may be fetched at a time");
}

bool store_fetch_next(struct slice *left, struct slice *changeset, struct err *e)
{
    return changeset_front(left, changeset, e);
}
