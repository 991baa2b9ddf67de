/* Which entries count. An entry stands when, in its causal past, somebody whose entry stands
 * enrolled its author, and no removal that stands and that it did not precede takes its author's
 * word away: neither one that its author knew, nor one that was written without knowing of it.
 * Removals can contradict each other; so verdicts are found step by step:
 *
 *     all that follows from verdicts already given -> nothing more follows: of the removals left
 *     open, the one by the most senior author stands -> all that follows...
 *
 * and where nobody would be left who may administer, everything is judged again, and nothing said
 * against the most senior member counts. Nothing here depends on the order of arrival. */
#include "draft.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void draft_note_about(struct draft_site *s, struct entry *n)
{
    if (s->about_n == s->about_room) {
        s->about_room = s->about_room == 0 ? 4 : 2 * s->about_room;
        s->about = mem_grow(s->about, s->about_room * sizeof(struct entry *));
    }
    s->about[s->about_n++] = n;
}

static bool is_removal(const struct entry *n)
{
    return n->subject != SITE_NONE &&
           (n->kind == ENTRY_REVOKE || (n->kind == ENTRY_ADMIN && !n->admin));
}

/* Everybody may choose his own name. */
static bool takes_admin(const struct entry *n)
{
    return n->kind != ENTRY_CREATE && !(n->kind == ENTRY_RENAME && n->subject == n->author_site);
}

/* Was the author of `n`, when he wrote it, enrolled by an entry that stands? */
static enum entry_verdict judge_enrolment(const struct draft *d, const struct entry *n)
{
    const struct draft_site *s = &d->sites[n->author_site];
    enum entry_verdict best = VERDICT_VOID;

    for (uint32_t i = 0; i < s->about_n; i++) {
        const struct entry *by = s->about[i];

        if (!entry_enrols(by) || !draft_knows(d, n, by) || by->verdict == VERDICT_VOID)
            continue;
        if (by->verdict == VERDICT_STANDS)
            return VERDICT_STANDS;
        best = VERDICT_OPEN;
    }
    return best;
}

/* Was what `removal` took given back before `n`, by somebody who knew of the removal? */
static enum entry_verdict judge_regrant(const struct draft *d, const struct draft_site *s,
                                        const struct entry *removal, const struct entry *n)
{
    enum entry_verdict best = VERDICT_VOID;

    for (uint32_t i = 0; i < s->about_n; i++) {
        const struct entry *grant = s->about[i];

        if (grant->kind != ENTRY_ADMIN || !grant->admin || grant->verdict == VERDICT_VOID ||
            !draft_knows(d, grant, removal) || (n != NULL && !draft_knows(d, n, grant)))
            continue;
        if (grant->verdict == VERDICT_STANDS)
            return VERDICT_STANDS;
        best = VERDICT_OPEN;
    }
    return best;
}

/* Does `removal`, of the author of `n`, make `n` void (STANDS), not (VOID), or who knows? */
static enum entry_verdict judge_attack(const struct draft *d, const struct entry *removal,
                                       const struct entry *n)
{
    enum entry_verdict back;

    if (removal == n || removal->verdict == VERDICT_VOID || draft_knows(d, removal, n))
        return VERDICT_VOID;
    if (removal->kind == ENTRY_REVOKE)
        return removal->verdict;
    if (!takes_admin(n))
        return VERDICT_VOID;
    back = judge_regrant(d, &d->sites[n->author_site], removal, n);
    if (back == VERDICT_STANDS)
        return VERDICT_VOID;
    return back == VERDICT_OPEN ? VERDICT_OPEN : removal->verdict;
}

static enum entry_verdict judge(const struct draft *d, const struct entry *n)
{
    const struct draft_site *s = &d->sites[n->author_site];
    enum entry_verdict verdict;

    if (n->kind == ENTRY_CREATE)
        return VERDICT_STANDS;
    verdict = judge_enrolment(d, n);
    for (uint32_t i = 0; i < s->about_n && verdict != VERDICT_VOID; i++) {
        enum entry_verdict attack =
            is_removal(s->about[i]) ? judge_attack(d, s->about[i], n) : VERDICT_VOID;

        if (attack == VERDICT_STANDS)
            verdict = VERDICT_VOID;
        else if (attack == VERDICT_OPEN)
            verdict = VERDICT_OPEN;
    }
    return verdict;
}

/* Of two open removals, does `a` come first? Those whose author is a member for certain do. */
static bool comes_first(const struct draft *d, const struct entry *a, const struct entry *b)
{
    bool certain_a = judge_enrolment(d, a) == VERDICT_STANDS;
    bool certain_b = judge_enrolment(d, b) == VERDICT_STANDS;
    uint32_t rank_a = d->sites[a->author_site].rank, rank_b = d->sites[b->author_site].rank;

    if (certain_a != certain_b)
        return certain_a;
    if (rank_a != rank_b)
        return rank_a < rank_b;
    if (a->depth != b->depth)
        return a->depth < b->depth;
    return memcmp(a->hash, b->hash, HASH_BYTES) < 0;
}

/* Nothing more follows from what is decided: decide one removal. False: none is open. */
static bool decide_one(const struct draft *d, struct entry *const *list, uint32_t n)
{
    struct entry *chosen = NULL;

    for (uint32_t i = 0; i < n; i++)
        if (list[i]->verdict == VERDICT_OPEN && is_removal(list[i]) &&
            (chosen == NULL || comes_first(d, list[i], chosen)))
            chosen = list[i];
    if (chosen != NULL)
        chosen->verdict = VERDICT_STANDS;
    return chosen != NULL;
}

/* One pass, parents first. Does something follow that did not before? */
static bool judge_all(const struct draft *d, struct entry *const *list, uint32_t n)
{
    bool found = false;

    for (uint32_t i = 0; i < n; i++)
        if (list[i]->verdict == VERDICT_OPEN) {
            list[i]->verdict = judge(d, list[i]);
            found |= list[i]->verdict != VERDICT_OPEN;
        }
    return found;
}

/* Verdicts of all entries that decide about others, `list`, and then of the rest. What is said
 * against `kept` (SITE_NONE: nobody) does not count. */
static void judge_keeping(struct draft *d, struct entry *const *list, uint32_t n, uint32_t kept)
{
    for (uint32_t i = 0; i < d->placed_count; i++) {
        struct entry *one = d->placed[i];

        one->verdict = is_removal(one) && one->subject == kept ? VERDICT_VOID : VERDICT_OPEN;
    }
    while (judge_all(d, list, n) || decide_one(d, list, n))
        continue;
    judge_all(d, d->placed, d->placed_count);
}

/* ---- what the verdicts come to ---- */

bool draft_is_enrolled(const struct draft_site *s)
{
    for (uint32_t i = 0; i < s->about_n; i++)
        if (entry_enrols(s->about[i]) && s->about[i]->verdict == VERDICT_STANDS)
            return true;
    return false;
}

bool draft_is_revoked(const struct draft_site *s)
{
    for (uint32_t i = 0; i < s->about_n; i++)
        if (s->about[i]->kind == ENTRY_REVOKE && s->about[i]->verdict == VERDICT_STANDS)
            return true;
    return false;
}

bool draft_is_admin(const struct draft *d, const struct draft_site *s)
{
    for (uint32_t i = 0; i < s->about_n; i++) {
        const struct entry *n = s->about[i];

        if (n->kind == ENTRY_ADMIN && !n->admin && n->verdict == VERDICT_STANDS &&
            judge_regrant(d, s, n, NULL) != VERDICT_STANDS)
            return false;
    }
    return true;
}

/* The most senior member, or where there is none the founder; SITE_NONE: there is an admin. */
static uint32_t nobody_left(const struct draft *d)
{
    uint32_t senior = SITE_NONE, founder = 0;

    for (uint32_t i = 0; i < d->site_count; i++) {
        const struct draft_site *s = &d->sites[i];
        bool member = draft_is_enrolled(s) && !draft_is_revoked(s);

        if (member && draft_is_admin(d, s))
            return SITE_NONE;
        if (member && (senior == SITE_NONE || s->rank < d->sites[senior].rank))
            senior = i;
        if (s->rank < d->sites[founder].rank)
            founder = i;
    }
    return senior != SITE_NONE ? senior : founder;
}

/* Of whom do entries speak? A site that nobody enrolled is nobody. Returns how many entries decide
 * about others, and lists them. */
static uint32_t find_subjects(struct draft *d, struct entry **list)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < d->placed_count; i++) {
        struct entry *one = d->placed[i];
        bool named = one->kind == ENTRY_REVOKE || one->kind == ENTRY_ADMIN;

        for (uint32_t j = 0; (named || one->kind == ENTRY_RENAME) && j < d->site_count; j++)
            if (site_equal(&d->sites[j].site, &one->target))
                one->subject = j;
        if (named && one->subject != SITE_NONE)
            draft_note_about(&d->sites[one->subject], one);
        if (entry_enrols(one) || named)
            list[n++] = one;
    }
    return n;
}

static void rank_sites(struct draft *d)
{
    for (uint32_t i = d->placed_count; i > 0; i--)
        if (entry_enrols(d->folded[i - 1]))
            d->sites[d->folded[i - 1]->subject].rank = i - 1;
}

void draft_judge(struct draft *d)
{
    struct entry **list = mem_alloc(d->placed_count * sizeof(struct entry *));
    uint32_t n = find_subjects(d, list), kept;

    rank_sites(d);
    judge_keeping(d, list, n, SITE_NONE);
    kept = nobody_left(d);
    if (kept != SITE_NONE)
        judge_keeping(d, list, n, kept);
    if (kept != SITE_NONE && nobody_left(d) != SITE_NONE)
        judge_keeping(d, list, n, d->folded[0]->subject);
    assert(nobody_left(d) == SITE_NONE);
    free(list);
}
