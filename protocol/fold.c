/* The state that a judged draft comes to, in the order of the fold: depth, then hash. */
#include "draft.h"
#include "names.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- sites ---- */

/* How far is one believed that was revoked? As its revoker said; of those who did not know of each
 * other, the least of what they said. */
struct cut {
    struct vector least;
    const struct entry *last; /* in the order of the fold; NULL: none yet */
};

static void take_cut(struct cut *c, const struct entry *n, struct slice says)
{
    struct err e = {0};
    struct reader r = reader_of(says, &e);
    struct vector said = {0}, least = {0};

    vector_read(&r, &said);
    assert(!r.failed); /* entry_read took it */
    for (uint32_t i = 0; i < said.n && c->last != NULL; i++) {
        const struct vector_entry *a = &said.entries[i];
        const struct vector_entry *b = vector_find(&c->least, &a->actor);

        if (b == NULL)
            continue;
        if (b->number < a->number ||
            (b->number == a->number && memcmp(b->hash, a->hash, HASH_BYTES) < 0))
            a = b;
        vector_set(&least, &a->actor, a->number, a->hash);
    }
    vector_close(&c->least);
    c->least = c->last == NULL ? said : least;
    if (c->last != NULL)
        vector_close(&said);
    if (c->last == NULL || n->depth > c->last->depth ||
        (n->depth == c->last->depth && memcmp(n->hash, c->last->hash, HASH_BYTES) > 0))
        c->last = n;
}

static bool is_known_to_any(const struct draft *d, const struct entry *n, const uint64_t *row)
{
    uint64_t both = 0;

    for (uint32_t i = n->at / 64; i < d->words; i++)
        both |= row[i] & draft_future(d, n, i);
    return both != 0;
}

static void fold_cut(const struct draft *d, const struct draft_site *from, struct roster_site *s)
{
    const uint64_t *revoked = from->about[ABOUT_REVOKE];
    uint64_t standing[ROW_WORDS_MAX];
    struct cut cut = {0};

    for (uint32_t i = 0; i < d->words; i++)
        standing[i] = revoked[i] & d->stands[i];
    for (uint32_t i = 0; i < d->placed_count; i++) {
        if (!row_has(standing, i))
            continue;
        if (!is_known_to_any(d, d->placed[i], standing))
            take_cut(&cut, d->placed[i],
                     d->placed[i] == d->base ? from->base_cut : d->placed[i]->cut);
    }
    s->by = cut.last == d->base ? from->base_by : keys_site_id(cut.last->author);
    s->cut = cut.least;
}

/* All of a site but its names. False: it is there already. */
static bool fold_standing(struct draft *d, struct roster *r, const struct draft_site *from,
                          const uint8_t exchange_public[KEY_BYTES])
{
    struct roster_site *s = &r->sites[r->known_count];
    const struct entry *contest;

    if (roster_author(r, &from->site) != NULL)
        return false; /* enrolled twice: the first in the order of the fold counts */
    *s = (struct roster_site){.site = from->site, .rank = from->rank};
    memcpy(s->sign_public, from->sign_public, sizeof s->sign_public);
    memcpy(s->exchange_public, exchange_public, sizeof s->exchange_public);
    if (draft_is_revoked(d, from))
        s->standing = ROSTER_REVOKED;
    else if (!draft_is_enrolled(d, from))
        s->standing = ROSTER_VOID;
    if (s->standing == ROSTER_REVOKED)
        fold_cut(d, from, s);
    s->admin = s->standing == ROSTER_MEMBER && draft_is_admin(d, from);
    s->by_senior = draft_is_out_for_good(d, from);
    contest = s->standing == ROSTER_MEMBER ? draft_contest(d, from) : NULL;
    s->contested = contest != NULL;
    if (s->contested)
        s->by = keys_site_id(contest->author);
    r->known_count++;
    return true;
}

static void fold_site(struct draft *d, struct roster *r, struct names *names, const struct entry *n)
{
    struct roster_site *s = &r->sites[r->known_count];

    if (!fold_standing(d, r, &d->sites[n->subject], n->exchange_public))
        return;
    names_make_unique(names, n->name, NULL, s->mark);
    memcpy(s->name, s->mark, sizeof s->name);
    names_put(names, s);
}

/* Has a site before the last one this enrolment name? */
static bool has_mark(const struct roster *r, const char *mark)
{
    for (uint32_t i = 0; i + 1 < r->known_count; i++)
        if (name_same(r->sites[i].mark, mark))
            return true;
    return false;
}

/* Those of the base that somebody enrolled who could: with the names that they have; or the others,
 * whose enrolment names yield to those of all who were enrolled. */
static void fold_base_sites(struct draft *d, struct roster *r, struct names *names, bool enrolled)
{
    struct err e = {0};
    struct reader sites = reader_of(d->base->base.sites, &e);

    for (uint32_t i = 0; i < d->base->base.site_count; i++) {
        struct roster_site *s = &r->sites[r->known_count];
        struct checkpoint_site from;

        checkpoint_site_read(&sites, &from);
        if ((from.standing != ROSTER_VOID) != enrolled ||
            !fold_standing(d, r, &d->sites[i], from.exchange_public))
            continue;
        memcpy(s->name, from.name.p, from.name.n);
        memcpy(s->mark, from.mark.p, from.mark.n);
        if (!enrolled && has_mark(r, s->mark))
            names_make_unique(names, from.mark, NULL, s->mark);
        names_put(names, s);
    }
    assert(!sites.failed); /* entry_read took them */
}

static void fold_rename(const struct draft *d, struct roster *r, struct names *names,
                        const struct entry *n)
{
    struct roster_site *s;
    char name[NAME_BYTES_MAX + 1];

    if (n->subject == SITE_NONE)
        return;
    for (s = r->sites; !site_equal(&s->site, &d->sites[n->subject].site); s++)
        assert(s < r->sites + r->known_count);
    if (s->standing == ROSTER_MEMBER) {
        names_make_unique(names, n->name, s, name);
        names_rename(names, s, name);
    } else {
        memset(s->name, 0, sizeof s->name);
        memcpy(s->name, n->name.p, n->name.n);
    }
}

/* Those who were enrolled by nobody who could come last: they change no other's name. */
static void fold_sites(struct draft *d, struct roster *r)
{
    struct names names = {0};
    struct roster_site *sorted;
    uint32_t gone;

    r->sites = mem_alloc(d->site_count * sizeof *r->sites);
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < d->placed_count; i++) {
            const struct entry *n = d->folded[i];

            if (n == d->base)
                fold_base_sites(d, r, &names, pass == 0);
            else if (entry_enrols(n) && (n->verdict == VERDICT_STANDS) == (pass == 0))
                fold_site(d, r, &names, n);
        }
    for (uint32_t i = 0; i < d->placed_count; i++)
        if (d->folded[i]->kind == ENTRY_RENAME && d->folded[i]->verdict == VERDICT_STANDS)
            fold_rename(d, r, &names, d->folded[i]);
    d->looks += names.looks;
    names_close(&names);
    sorted = mem_alloc(r->known_count * sizeof *sorted);
    for (uint32_t i = 0; i < r->known_count; i++)
        if (r->sites[i].standing == ROSTER_MEMBER)
            sorted[r->site_count++] = r->sites[i];
    gone = r->site_count;
    for (uint32_t i = 0; i < r->known_count; i++)
        if (r->sites[i].standing != ROSTER_MEMBER)
            sorted[gone++] = r->sites[i];
    free(r->sites);
    r->sites = sorted;
}

/* ---- the fleet's key ---- */

static bool is_sealed_to(const struct entry *n, const struct site_id *site)
{
    struct err e = {0};
    struct reader r = reader_of(n->boxes, &e);
    uint8_t box[FLEET_KEY_BOX_BYTES];
    struct site_id whose;

    for (uint32_t i = 0; i < n->box_count; i++) {
        entry_box(&r, &whose, box);
        if (site_equal(&whose, site))
            return true;
    }
    return false;
}

bool draft_tells_key(const struct draft *d, const struct entry *n)
{
    return n == d->base ? n->base.rotated : n->kind == ENTRY_ROTATE && n->verdict == VERDICT_STANDS;
}

/* Who was enrolled by somebody who knew of the key was given it with his welcome. */
static bool has_key(const struct draft *d, const struct roster_site *s, const struct entry *first)
{
    if (first == d->base) {
        uint32_t i = draft_site_of(d, s->sign_public);

        if (d->sites[i].base_has_key)
            return true;
    }
    for (uint32_t i = 0; i < d->placed_count; i++) {
        const struct entry *n = d->placed[i];

        if (draft_tells_key(d, n) && memcmp(n->key_id, first->key_id, sizeof n->key_id) == 0 &&
            is_sealed_to(n, &s->site))
            return true;
        if (n->kind == ENTRY_ENROL && draft_knows(d, n, first) &&
            memcmp(n->sign_public, s->sign_public, SIGN_PUBLIC_BYTES) == 0)
            return true;
    }
    return false;
}

/* The present key is the one that appeared last. */
static void fold_key(const struct draft *d, struct roster *r)
{
    const struct entry *first = NULL;

    for (uint32_t i = d->placed_count; i > 0 && first == NULL; i--) {
        const struct entry *n = d->folded[i - 1];
        bool is_first = draft_tells_key(d, n);

        for (uint32_t j = 0; j + 1 < i && is_first; j++)
            is_first = !draft_tells_key(d, d->folded[j]) ||
                       memcmp(d->folded[j]->key_id, n->key_id, sizeof n->key_id) != 0;
        if (is_first)
            first = n;
    }
    if (first != NULL) {
        r->rotated = true;
        memcpy(r->key_id, first->key_id, sizeof r->key_id);
    }
    for (uint32_t i = 0; i < r->known_count; i++) {
        r->sites[i].has_key = first == NULL || has_key(d, &r->sites[i], first);
        r->key_exposed |= i >= r->site_count && r->sites[i].has_key;
    }
}

/* ---- invitations and rules ---- */

/* The first with an id counts. */
static void fold_invite(struct roster *r, const struct roster_invite *v)
{
    if (roster_find_invite(r, v->id) == NULL)
        r->invites[r->invite_count++] = *v;
}

static void fold_new_invite(struct roster *r, const struct entry *n)
{
    struct roster_invite v = {.ends_ms = n->ends_ms, .by = keys_site_id(n->author)};

    memcpy(v.id, n->invite_id, sizeof v.id);
    fold_invite(r, &v);
}

static void fold_invite_end(struct roster *r, const struct entry *n)
{
    for (uint32_t i = 0; i < r->invite_count; i++)
        if (memcmp(r->invites[i].id, n->invite_id, sizeof r->invites[i].id) == 0) {
            if (n->kind == ENTRY_ENROL && !r->invites[i].used)
                r->invites[i].used_by = keys_site_id(n->sign_public);
            r->invites[i].used |= n->kind == ENTRY_ENROL;
            r->invites[i].withdrawn |= n->kind == ENTRY_WITHDRAW;
        }
}

/* The later in the order of the fold counts. */
static void fold_rules(struct roster *r, const struct entry *n)
{
    struct err e = {0};
    struct reader reader = reader_of(n->changes, &e);

    for (uint32_t i = 0; i < n->change_count; i++) {
        struct rule_change c;

        rule_change_read(&reader, &c);
        assert(!reader.failed); /* entry_read took them */
        rules_apply(&r->rules, &c);
        rule_change_close(&c);
    }
    r->rule_entries++;
}

static void fold_base(const struct draft *d, struct roster *r)
{
    struct err e = {0};
    struct reader invites = reader_of(d->base->base.invites, &e);

    for (uint32_t i = 0; i < d->base->base.invite_count; i++) {
        struct roster_invite v;

        checkpoint_invite_read(&invites, &v);
        fold_invite(r, &v);
    }
    assert(!invites.failed); /* entry_read took them */
    fold_rules(r, d->base);
    r->rule_entries = d->base->base.ruled;
    r->before = d->base->base.entries;
    r->before_bytes = (uint32_t)d->base->bytes.n;
    r->before_ms = d->base->ends_ms;
    r->before_by = keys_site_id(d->base->author);
}

static void fold_invites_and_rules(const struct draft *d, struct roster *r)
{
    uint32_t invites = d->base == NULL ? 0 : d->base->base.invite_count;

    r->invites = mem_alloc((d->placed_count + invites) * sizeof *r->invites);
    if (d->base != NULL)
        fold_base(d, r);
    for (uint32_t i = 0; i < d->placed_count; i++) {
        const struct entry *n = d->folded[i];

        if (n->verdict != VERDICT_STANDS)
            r->void_entries++;
        else if (n->kind == ENTRY_INVITE)
            fold_new_invite(r, n);
        else if (n->kind == ENTRY_RULES)
            fold_rules(r, n);
    }
    for (uint32_t i = 0; i < d->placed_count; i++)
        if (d->folded[i]->verdict == VERDICT_STANDS &&
            (d->folded[i]->kind == ENTRY_ENROL || d->folded[i]->kind == ENTRY_WITHDRAW))
            fold_invite_end(r, d->folded[i]);
}

void draft_fold_state(struct draft *d, struct roster *r)
{
    const struct entry *first = d->folded[0];

    memcpy(r->fleet, d->base == NULL ? first->hash : first->base.fleet, sizeof r->fleet);
    memcpy(r->fleet_name, first->fleet_name.p, first->fleet_name.n);
    for (uint32_t i = 0; i < d->placed_count; i++)
        r->checkpoints += d->placed[i]->kind == ENTRY_CHECKPOINT && d->placed[i] != d->base;
    fold_sites(d, r);
    fold_key(d, r);
    fold_invites_and_rules(d, r);
    r->looks = d->looks;
}
