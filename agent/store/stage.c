/* Stage: change-sets of others, verified and written to the log; and the log read for peers. */
#include <navette/store.h>

#include <string.h>

#include <sodium.h>
#include <sqlite3.h>

#include "again.h"
#include "belief.h"
#include "drain.h"
#include "fork.h"
#include "ledger_limits.h"
#include "remerge.h"

/* Does it come from our fleet, from a member, and after the one we have? */
static bool check_place(struct store *s, const struct changeset_header *h,
                        const struct roster_site **site, struct ledger_actor **known, struct err *e)
{
    struct site_id id = actor_site(&h->actor);
    uint32_t number;

    *known = NULL;
    if (memcmp(h->fleet, s->roster->fleet, FLEET_ID_BYTES) != 0)
        return err_set(e, ERR_STRANGER, "the change-set belongs to another fleet");
    *site = roster_author(s->roster, &id);
    if (*site == NULL)
        return err_set(e, ERR_STRANGER, "the author of the change-set is no member of the fleet %s",
                       s->roster->fleet_name);
    number = ledger_actor_find(&s->ledger, &h->actor);
    if (number != 0)
        *known = &s->ledger.actors[number - 1];
    return true;
}

/* Of one that is no member any more only that counts which whoever shut it out had of it. */
static bool check_cut(struct store *s, const struct changeset_header *h, const struct changeset *c,
                      const struct roster_site *site, bool *beyond, struct err *e)
{
    const struct vector_entry *cut = vector_find(&site->cut, &h->actor);
    uint8_t hash[HASH_BYTES];

    changeset_hash(c, hash);
    *beyond =
        h->number > ledger_believed(&s->ledger, &h->actor) ||
        (cut != NULL && h->number == cut->number && !sodium_is_zero(cut->hash, sizeof cut->hash) &&
         memcmp(cut->hash, hash, sizeof hash) != 0);
    if (!*beyond)
        return true;
    return err_set(e, ERR_STRANGER,
                   "%s is no member of the fleet any more: its change-set %llu is not taken",
                   site->name, (unsigned long long)h->number);
}

/* Another author of a site that has many: are there places that are not for others? How far one is
 * believed that was shut out is for admins to say. */
static bool check_room(struct store *s, const struct changeset_header *h,
                       const struct roster_site *site, bool *crowds, struct err *e)
{
    *crowds = !site_equal(&site->site, &s->keys->site) &&
              vector_find(&site->cut, &h->actor) == NULL &&
              !ledger_actor_fits(&s->ledger, &site->site);
    return !*crowds || err_set(e, ERR_STRANGER,
                               "%s has begun anew %d times or more, and the places that are left "
                               "are for others",
                               site->name, ACTORS_OWN);
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

/* It holds from here on, also for what comes before it and is not merged yet. */
static bool note_correction(struct store *s, const struct changeset_header *h, struct err *e)
{
    const struct vector_entry *last = h->corrects.entries;
    uint32_t id;

    return h->corrects.n == 0 || (ledger_actor_named(&s->ledger, &last->actor, &id, e) &&
                                  ledger_limit(&s->ledger, id, last->number, h->stamp, e));
}

/* Is it what we have laid aside under that number? */
static bool is_aside(struct store *s, uint32_t actor, const struct vector_entry *at, bool *is,
                     struct err *e)
{
    uint8_t hash[HASH_BYTES];
    struct changeset c;
    struct buf ours;
    bool ok = fork_laid_aside(s, actor, at->number, &ours, e);

    *is = false;
    if (ok && ours.n > 0) {
        ok = changeset_split(&c, buf_slice(&ours), e);
        if (ok)
            changeset_hash(&c, hash);
        *is = ok && memcmp(hash, at->hash, HASH_BYTES) == 0;
    }
    buf_close(&ours);
    return ok;
}

/* What it says again we have ourselves: then it says nothing beside that, and owes what that one
 * would have. */
static bool takes_place(struct store *s, uint32_t id, const struct changeset_header *h, bool *does,
                        struct err *e)
{
    const struct vector_entry *at = h->repeats.entries;
    bool noted = false;
    uint32_t of;

    *does = false;
    if (h->repeats.n == 0)
        return true;
    if (!fork_holds(s, at, &of, does, e) || (!*does && !is_aside(s, of, at, does, e)))
        return false;
    if (*does && s->ledger.aside != of && s->ledger.actors[of - 1].merged < at->number &&
        !again_is_noted(s, of, at->number, &noted, e))
        return false;
    return !noted || again_note(s, id, h->number, e);
}

/* Before one is taken in: have we drained once more what it says? */
static bool look_again(struct store *s, uint32_t id, const struct changeset_header *h,
                       const struct changeset *c, struct slice bytes, struct err *e)
{
    struct buf ours = {0};
    bool instead, may, ok;

    if (!again_may_be(s, id, &may, e) || !may)
        return e->code == ERR_NONE;
    if (!takes_place(s, id, h, &instead, e) || instead)
        return e->code == ERR_NONE;
    ok = fork_laid_aside(s, id, h->number, &ours, e) &&
         (slice_equal(buf_slice(&ours), bytes) || again_look(s, id, h->number, c, &ours, e));
    buf_close(&ours);
    return ok;
}

/* Inside a ledger transaction. */
static bool write_staged(struct store *s, const struct changeset_header *h,
                         const struct changeset *c, struct slice bytes, struct err *e)
{
    struct ledger_actor *a;
    bool same = false;
    uint32_t id;

    if (!ledger_actor(&s->ledger, &h->actor, &id, e) || !look_again(s, id, h, c, bytes, e) ||
        (id == s->ledger.self && !fork_forgotten(s, e)) ||
        (h->repeats.n > 0 && !fork_repeated(s, id, h, e)) ||
        (id == s->ledger.aside && !fork_meet(s, h, bytes, &same, e)))
        return false;
    a = &s->ledger.actors[id - 1];
    a->staged = h->number;
    changeset_hash(c, a->hash);
    if (same) { /* it was merged when we made it */
        uint64_t stamp = ledger_stamp(&s->ledger, id, h->number, h->stamp);

        a->merged = a->applied = h->number;
        a->latest = stamp > a->latest ? stamp : a->latest;
    }
    return ledger_changeset_put(&s->ledger, id, h->number, h->stamp, bytes, e) &&
           ledger_actor_save(&s->ledger, id, e) && note_correction(s, h, e) &&
           (h->repeats.n == 0 || fork_go_on(s, id, h, e));
}

/* What a member has said only its own site corrects. */
static bool check_correction(struct store *s, const struct changeset_header *h, const char *name,
                             struct err *e)
{
    struct site_id author = actor_site(&h->actor), of;

    if (h->corrects.n == 0)
        return true;
    of = actor_site(&h->corrects.entries[0].actor);
    if (site_equal(&author, &of) ||
        (roster_author(s->roster, &of) != NULL && roster_find(s->roster, &of) == NULL))
        return true;
    return err_set(e, ERR_GAP,
                   "change-set %llu of %s corrects the stamps of one that is not known to be out",
                   (unsigned long long)h->number, name);
}

static bool begin(struct store *s, struct err *e)
{
    return s->ledger.open || ledger_begin(&s->ledger, false, e);
}

static bool is_ours(const struct store *s, const struct changeset_header *h)
{
    return actor_is_of(&h->actor, &s->keys->site);
}

/* Is it one that shows that our own chain went on in two ways? */
static bool is_other_history(struct store *s, const struct changeset_header *h,
                             const struct changeset *c, const struct ledger_actor *known,
                             bool *other, struct err *e)
{
    uint8_t hash[HASH_BYTES];
    bool ok;

    *other = false;
    if (known == NULL || !is_ours(s, h))
        return true;
    changeset_hash(c, hash);
    ok = fork_differs(s, (uint32_t)(known - s->ledger.actors) + 1, h, hash, other, e);
    ledger_rest(&s->ledger);
    return ok;
}

/* Said again by its author as another actor: whoever has the chain as it is now will give it. We
 * ourselves want what follows it. */
static bool check_repeated(struct store *s, const struct changeset_header *h,
                           const struct changeset *c, const char *name, bool *repeated,
                           struct err *e)
{
    uint8_t hash[HASH_BYTES];

    changeset_hash(c, hash);
    if (!fork_is_repeated(s, hash, repeated, e))
        return false;
    return !*repeated || is_ours(s, h) ||
           err_set(e, ERR_GAP, "change-set %llu of %s has been said again as another",
                   (unsigned long long)h->number, name);
}

/* A change-set on its way into the log. */
struct staging {
    struct changeset_header h;
    struct changeset c;
    struct slice bytes;
    const struct roster_site *site;
    struct ledger_actor *known; /* its author; NULL: never heard of */
    bool other;                 /* it shows another history of ours */
    bool repeated;              /* it is ours, and we have said it again */
    bool beyond;                /* its author was shut out before it made it */
    bool crowds;                /* its author's site has too many others */
    bool follows;               /* it is ours, and what comes before it we have said again */
    struct fork_next next;
};

static bool look_at(struct store *s, struct staging *g, struct err *e)
{
    if (!changeset_open(&g->c, &g->h, g->bytes, e) ||
        !check_place(s, &g->h, &g->site, &g->known, e) ||
        !check_cut(s, &g->h, &g->c, g->site, &g->beyond, e) ||
        (g->known == NULL && !check_room(s, &g->h, g->site, &g->crowds, e)) ||
        !is_other_history(s, &g->h, &g->c, g->known, &g->other, e))
        return false;
    if (!g->other && g->known != NULL && g->h.number <= g->known->staged)
        return true;
    return check_repeated(s, &g->h, &g->c, g->site->name, &g->repeated, e) &&
           (!is_ours(s, &g->h) || g->repeated || g->h.number == 1 ||
            fork_follows(s, &g->h, &g->next, &g->follows, e));
}

static bool verify(const struct staging *g, struct err *e)
{
    return changeset_verify(&g->c, &g->h, g->site->sign_public, e) ||
           err_wrap(e, "change-set %llu of %s", (unsigned long long)g->h.number, g->site->name);
}

/* Our own went on otherwise: go back to where both may have been one. */
static bool stage_other(struct store *s, struct staging *g, bool *failed, struct err *e)
{
    uint32_t id = (uint32_t)(g->known - s->ledger.actors) + 1;

    if (!verify(g, e))
        return false;
    *failed = !(begin(s, e) && fork_begin(s, id, &g->h, e));
    if (*failed)
        return false;
    g->known = &s->ledger.actors[id - 1];
    g->other = g->h.number != g->known->staged + 1 ||
               memcmp(g->h.previous, g->known->hash, sizeof g->known->hash) != 0;
    return true;
}

/* When a change-set in the log was made; 0: it is not there. */
static bool stamp_of(struct store *s, uint32_t actor, uint64_t number, uint64_t *stamp,
                     struct err *e)
{
    struct changeset_header h = {0};
    struct changeset c;
    struct slice bytes;
    bool found, ok;

    *stamp = 0;
    ok = ledger_changeset_get(&s->ledger, actor, number, &bytes, &found, e) &&
         (!found || changeset_open(&c, &h, bytes, e));
    if (ok && found)
        *stamp = h.stamp;
    changeset_header_close(&h);
    ledger_rest(&s->ledger);
    return ok;
}

/* What we said last before `stamp`, under our present name. */
static bool said_before(struct store *s, uint64_t stamp, uint64_t *said, struct err *e)
{
    uint64_t low = 0, high = s->ledger.actors[s->ledger.self - 1].staged;

    *said = 0;
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2, at;

        if (!stamp_of(s, s->ledger.self, middle, &at, e))
            return false;
        if (at < stamp) {
            low = middle;
            *said = at;
        } else {
            high = middle - 1;
        }
    }
    return true;
}

/* Another name of ours speaks, we speak, and then it speaks again, where it left off: two copies of
 * this disk take turns. A disk that was put back, and put back once more, goes on under a third. */
static bool note_turns(struct store *s, const struct staging *g, struct err *e)
{
    uint32_t id = g->known != NULL ? (uint32_t)(g->known - s->ledger.actors) + 1 : 0;
    uint64_t before, ours;

    if (id == 0 || id == s->ledger.self || !is_ours(s, &g->h) || g->h.repeats.n > 0)
        return true;
    if (!stamp_of(s, id, g->known->staged, &before, e) || !said_before(s, g->h.stamp, &ours, e))
        return false;
    if (before != 0 && before < ours)
        trouble_notice(&s->trouble, STORE_TAKES_TURNS);
    return true;
}

/* Leaves a transaction open behind it, or the one that it found, if the change-set is new or shows
 * another history. `failed`: what went wrong is not the change-set's fault alone, and the
 * transaction is worth nothing. */
static bool stage_one(struct store *s, struct stage_item *item, bool *failed)
{
    enum stage_result *result = &item->result;
    struct slice bytes = item->changeset;
    struct err *e = &item->e;
    struct staging g = {.bytes = bytes};
    bool ok;

    err_clear(e);
    ok = look_at(s, &g, e);
    if (ok && g.follows && fork_has_parted(s)) { /* it may follow what is about to be said again */
        *failed = !(begin(s, e) && fork_settle(s, e));
        changeset_header_close(&g.h);
        g = (struct staging){.bytes = bytes};
        ok = !*failed && look_at(s, &g, e);
    }
    item->shut_out = g.beyond ? g.site->site : (struct site_id){{0}};
    item->crowds = g.crowds ? g.site->site : (struct site_id){{0}};
    *result = STAGE_KNOWN;
    if (ok && g.follows) {
        *result = STAGE_NEW;
        ok = verify(&g, e);
        *failed = ok && !(begin(s, e) && fork_take_up(s, &g.next, &g.h, bytes, e) &&
                          again_look(s, g.next.by, g.next.by_number + 1, &g.c, NULL, e));
    } else if (ok && !g.repeated) {
        if (g.other) {
            *result = STAGE_REWOUND;
            ok = stage_other(s, &g, failed, e);
            s->history += ok && item->by_hand;
        }
        if (ok && !g.other && (g.known == NULL || g.h.number > g.known->staged)) {
            *result = STAGE_NEW;
            ok = check_chain(&g.h, g.known, g.site->name, e) &&
                 check_correction(s, &g.h, g.site->name, e) && verify(&g, e) &&
                 note_turns(s, &g, e);
            *failed = ok && !(begin(s, e) && write_staged(s, &g.h, &g.c, bytes, e));
        }
    }
    changeset_header_close(&g.h);
    return ok && !*failed;
}

static void stage_alone(struct store *s, struct stage_item *item)
{
    bool failed = false;

    item->ok = false;
    err_clear(&item->e);
    if (remerge_is_under_way(s)) {
        remerge_busy(&item->e);
        return;
    }
    if (drain_is_under_way(s)) {
        drain_busy(&item->e);
        return;
    }
    item->ok = stage_one(s, item, &failed);
    if (item->ok && s->ledger.open)
        item->ok = ledger_commit(&s->ledger, &item->e);
    if (!item->ok)
        ledger_rollback(&s->ledger);
}

bool store_stage(struct store *s, struct slice bytes, enum stage_result *result, struct err *e)
{
    struct stage_item item = {.changeset = bytes};

    stage_alone(s, &item);
    *result = item.result;
    return item.ok || err_set(e, item.e.code, "%s", item.e.text);
}

/* False: nothing was staged. */
static bool stage_together(struct store *s, struct stage_item *items, uint32_t n)
{
    struct err e = {0};
    bool failed = false;

    for (uint32_t i = 0; i < n && !failed; i++)
        items[i].ok = stage_one(s, &items[i], &failed);
    if (!failed && (!s->ledger.open || ledger_commit(&s->ledger, &e)))
        return true;
    ledger_rollback(&s->ledger);
    return false;
}

void store_stage_all(struct store *s, struct stage_item *items, uint32_t n)
{
    if (n > 1 && s->ledger.lasting == NULL && stage_together(s, items, n))
        return;
    for (uint32_t i = 0; i < n; i++)
        stage_alone(s, &items[i]);
}

/* ---- what we have ---- */

const struct actor *store_actor(const struct store *s)
{
    return &s->ledger.actors[s->ledger.self - 1].actor;
}

uint32_t store_history(const struct store *s)
{
    return s->history;
}

const struct vector *store_have(const struct store *s)
{
    return &s->ledger.have;
}

const struct vector *store_applied(const struct store *s)
{
    return &s->ledger.applied;
}

/* ---- reading the log ---- */

bool store_fetch(struct store *s, const struct actor *actor, uint64_t after, size_t bytes,
                 struct buf *out, struct err *e)
{
    uint64_t last = vector_get(&s->ledger.have, actor); /* what is beyond it, nobody believes */
    uint32_t id = ledger_actor_find(&s->ledger, actor);
    bool found = true;

    while (id != 0 && found && after < last && (out->n == 0 || out->n < bytes)) {
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
