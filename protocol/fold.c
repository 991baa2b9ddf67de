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

static void take_cut(struct cut *c, const struct entry *n)
{
    struct err e = {0};
    struct reader r = reader_of(n->cut, &e);
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
        if (!row_meets(standing, draft_future(d, d->placed[i]), d->words))
            take_cut(&cut, d->placed[i]);
    }
    s->by = keys_site_id(cut.last->author);
    s->cut = cut.least;
}

static void fold_site(struct draft *d, struct roster *r, struct names *names, const struct entry *n)
{
    struct roster_site *s = &r->sites[r->known_count];
    const struct draft_site *from = &d->sites[n->subject];
    const struct entry *contest;

    if (roster_author(r, &from->site) != NULL)
        return; /* enrolled twice: the first in the order of the fold counts */
    *s = (struct roster_site){.site = from->site, .rank = from->rank};
    memcpy(s->sign_public, n->sign_public, sizeof s->sign_public);
    memcpy(s->exchange_public, n->exchange_public, sizeof s->exchange_public);
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
    names_make_unique(names, n->name, NULL, s->mark);
    memcpy(s->name, s->mark, sizeof s->name);
    names_put(names, s);
    r->known_count++;
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

            if (entry_enrols(n) && (n->verdict == VERDICT_STANDS) == (pass == 0))
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

/* Who was enrolled by somebody who knew of the key was given it with his welcome. */
static bool has_key(const struct draft *d, const struct roster_site *s, const struct entry *first)
{
    for (uint32_t i = 0; i < d->placed_count; i++) {
        const struct entry *n = d->placed[i];

        if (n->kind == ENTRY_ROTATE && n->verdict == VERDICT_STANDS &&
            memcmp(n->key_id, first->key_id, sizeof n->key_id) == 0 && is_sealed_to(n, &s->site))
            return true;
        if (n->kind == ENTRY_ENROL && draft_knows(d, n, first) &&
            memcmp(n->sign_public, s->sign_public, sizeof n->sign_public) == 0)
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
        bool is_first = n->kind == ENTRY_ROTATE && n->verdict == VERDICT_STANDS;

        for (uint32_t j = 0; j + 1 < i && is_first; j++)
            is_first = d->folded[j]->kind != ENTRY_ROTATE ||
                       d->folded[j]->verdict != VERDICT_STANDS ||
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

static void fold_invite(struct roster *r, const struct entry *n)
{
    struct roster_invite *v = &r->invites[r->invite_count];

    if (roster_find_invite(r, n->invite_id) != NULL)
        return;
    *v = (struct roster_invite){.ends_ms = n->ends_ms, .by = keys_site_id(n->author)};
    memcpy(v->id, n->invite_id, sizeof v->id);
    r->invite_count++;
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

static void fold_invites_and_rules(const struct draft *d, struct roster *r)
{
    r->invites = mem_alloc(d->placed_count * sizeof *r->invites);
    for (uint32_t i = 0; i < d->placed_count; i++) {
        const struct entry *n = d->folded[i];

        if (n->verdict != VERDICT_STANDS)
            r->void_entries++;
        else if (n->kind == ENTRY_INVITE)
            fold_invite(r, n);
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

    memcpy(r->fleet, first->hash, sizeof r->fleet);
    memcpy(r->fleet_name, first->fleet_name.p, first->fleet_name.n);
    fold_sites(d, r);
    fold_key(d, r);
    fold_invites_and_rules(d, r);
    r->looks = d->looks;
}
