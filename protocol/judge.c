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

static enum about about_of(const struct entry *n)
{
    if (entry_enrols(n))
        return ABOUT_ENROL;
    if (n->kind == ENTRY_REVOKE)
        return ABOUT_REVOKE;
    return n->admin ? ABOUT_GRANT : ABOUT_DEMOTE;
}

void draft_note_about(struct draft *d, const struct entry *n)
{
    uint64_t **row = &d->sites[n->subject].about[about_of(n)];

    if (*row == NULL)
        *row = mem_alloc(d->words * sizeof **row);
    row_put(*row, n->at, true);
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
static enum entry_verdict judge_enrolment(struct draft *d, const struct entry *n)
{
    const uint64_t *by = d->sites[n->author_site].about[ABOUT_ENROL];
    bool open = false;

    d->looks++;
    for (uint32_t i = 0; i <= n->at / 64; i++) {
        uint64_t known = by[i] & draft_past(d, n, i);

        if ((known & d->stands[i]) != 0)
            return VERDICT_STANDS;
        open |= (known & d->open[i]) != 0;
    }
    return open ? VERDICT_OPEN : VERDICT_VOID;
}

/* The removals of one kind about the author of `n` that `n` does not precede, and that are not
 * void. False: there are none. */
static bool find_attacks(struct draft *d, const struct entry *n, enum about kind,
                         uint64_t attacks[ROW_WORDS_MAX])
{
    const uint64_t *about = d->sites[n->author_site].about[kind];
    uint64_t any = 0;

    if (about == NULL)
        return false;
    d->looks++;
    for (uint32_t i = 0; i < d->words; i++)
        attacks[i] = about[i] & ~draft_future(d, n, i) & (d->stands[i] | d->open[i]);
    row_put(attacks, n->at, false);
    for (uint32_t i = 0; i < d->words; i++)
        any |= attacks[i];
    return any != 0;
}

/* Does a revocation make `n` void (STANDS), not (VOID), or who knows? */
static enum entry_verdict judge_revocations(struct draft *d, const struct entry *n)
{
    uint64_t attacks[ROW_WORDS_MAX];

    if (!find_attacks(d, n, ABOUT_REVOKE, attacks))
        return VERDICT_VOID;
    return row_meets(attacks, d->stands, d->words) ? VERDICT_STANDS : VERDICT_OPEN;
}

/* What was taken by `removals` was given back by whoever knew of them: those that one of the
 * grants, of those that `knower` knows (NULL: of all) with this verdict, has in its past are left
 * out. False: none is left. The latest knows most, as a rule. */
static bool leave_given_back(struct draft *d, const uint64_t *grants, const struct entry *knower,
                             const uint64_t *verdict, uint64_t removals[ROW_WORDS_MAX])
{
    for (uint32_t i = grants == NULL ? 0 : d->words; i > 0; i--) {
        uint64_t known = knower == NULL ? UINT64_MAX : draft_past(d, knower, i - 1);
        uint64_t some = grants[i - 1] & verdict[i - 1] & known;

        while (some != 0) {
            uint32_t bit = 63 - (uint32_t)__builtin_clzll(some);
            const struct entry *grant = d->placed[64 * (i - 1) + bit];
            uint64_t left = 0;

            some &= ~(UINT64_C(1) << bit);
            d->looks++;
            for (uint32_t j = 0; j < d->words; j++)
                left |= removals[j] &= ~draft_past(d, grant, j);
            if (left == 0)
                return false;
        }
    }
    return true;
}

/* The same of those that take the right to administer. */
static enum entry_verdict judge_demotions(struct draft *d, const struct entry *n)
{
    const uint64_t *grants = d->sites[n->author_site].about[ABOUT_GRANT];
    uint64_t attacks[ROW_WORDS_MAX];

    if (!takes_admin(n) || !find_attacks(d, n, ABOUT_DEMOTE, attacks) ||
        !leave_given_back(d, grants, n, d->stands, attacks))
        return VERDICT_VOID;
    if (!row_meets(attacks, d->stands, d->words))
        return VERDICT_OPEN;
    for (uint32_t i = 0; i < d->words; i++)
        attacks[i] &= d->stands[i];
    return leave_given_back(d, grants, n, d->open, attacks) ? VERDICT_STANDS : VERDICT_OPEN;
}

static enum entry_verdict judge(struct draft *d, struct entry *n)
{
    enum entry_verdict enrolled, revoked, demoted;

    if (n->kind == ENTRY_CREATE || n == d->base)
        return VERDICT_STANDS;
    enrolled = judge_enrolment(d, n);
    n->certain = enrolled == VERDICT_STANDS;
    if (enrolled == VERDICT_VOID)
        return VERDICT_VOID;
    revoked = judge_revocations(d, n);
    if (revoked == VERDICT_STANDS)
        return VERDICT_VOID;
    demoted = judge_demotions(d, n);
    if (demoted == VERDICT_STANDS)
        return VERDICT_VOID;
    return revoked == VERDICT_OPEN || demoted == VERDICT_OPEN ? VERDICT_OPEN : enrolled;
}

/* ---- verdicts, one after the other ---- */

static void put_verdict(struct draft *d, struct entry *n, enum entry_verdict verdict)
{
    n->verdict = verdict;
    row_put(d->stands, n->at, verdict == VERDICT_STANDS);
    row_put(d->open, n->at, verdict == VERDICT_OPEN);
    d->clock++;
    if (n->subject != SITE_NONE)
        d->sites[n->subject].changed_at = d->clock;
}

/* Nothing more follows from what is decided: decide one removal. Those whose author is a member for
 * certain come first. False: none is open. */
static bool decide_one(struct draft *d)
{
    struct entry *chosen = NULL;

    for (uint32_t i = 0; i < d->removal_count && (chosen == NULL || !chosen->certain); i++)
        if (d->removals[i]->verdict == VERDICT_OPEN && (chosen == NULL || d->removals[i]->certain))
            chosen = d->removals[i];
    if (chosen != NULL)
        put_verdict(d, chosen, VERDICT_STANDS);
    return chosen != NULL;
}

/* One pass, parents first, over those of whose authors something was decided since they were judged
 * last. Does something follow that did not before? */
static bool judge_all(struct draft *d, struct entry *const *list, uint32_t n)
{
    bool found = false;

    for (uint32_t i = 0; i < n; i++) {
        struct entry *one = list[i];
        enum entry_verdict verdict;

        if (one->verdict != VERDICT_OPEN || one->judged_at >= d->sites[one->author_site].changed_at)
            continue;
        one->judged_at = d->clock;
        verdict = judge(d, one);
        if (verdict != VERDICT_OPEN) {
            put_verdict(d, one, verdict);
            found = true;
        }
    }
    return found;
}

/* Verdicts of all entries that decide about others, and then of the rest. What is said against
 * `kept` (SITE_NONE: nobody) does not count. */
static void judge_keeping(struct draft *d, uint32_t kept)
{
    for (uint32_t i = 0; i < d->placed_count; i++) {
        struct entry *one = d->placed[i];

        bool out = one->left_out || (is_removal(one) && one->subject == kept);

        one->judged_at = 0;
        put_verdict(d, one, out ? VERDICT_VOID : VERDICT_OPEN);
    }
    if (d->base != NULL) {
        draft_base_say(d, kept);
        put_verdict(d, d->base, VERDICT_STANDS);
    }
    for (uint32_t i = 0; i < d->site_count; i++)
        d->sites[i].changed_at = d->clock;
    while (judge_all(d, d->deciders, d->decider_count) || decide_one(d))
        continue;
    judge_all(d, d->placed, d->placed_count);
}

/* ---- what the verdicts come to ---- */

bool draft_is_enrolled(const struct draft *d, const struct draft_site *s)
{
    return row_meets(s->about[ABOUT_ENROL], d->stands, d->words);
}

bool draft_is_revoked(const struct draft *d, const struct draft_site *s)
{
    return s->about[ABOUT_REVOKE] != NULL && row_meets(s->about[ABOUT_REVOKE], d->stands, d->words);
}

/* What took its rights, and was not given back. False: nothing did. */
static bool find_demotions(struct draft *d, const struct draft_site *s,
                           uint64_t removals[ROW_WORDS_MAX])
{
    uint64_t any = 0;

    for (uint32_t i = 0; s->about[ABOUT_DEMOTE] != NULL && i < d->words; i++)
        any |= removals[i] = s->about[ABOUT_DEMOTE][i] & d->stands[i];
    return any != 0 && leave_given_back(d, s->about[ABOUT_GRANT], NULL, d->stands, removals);
}

bool draft_is_admin(struct draft *d, const struct draft_site *s)
{
    uint64_t removals[ROW_WORDS_MAX];

    return !find_demotions(d, s, removals);
}

/* Is one of some entries by an author who is not less senior? */
static bool has_senior(const struct draft *d, const struct draft_site *s, const uint64_t *row)
{
    for (uint32_t i = 0; i < d->placed_count; i++)
        if (row_has(row, i) && d->placed[i]->author_rank <= s->rank)
            return true;
    return false;
}

bool draft_is_out_for_good(struct draft *d, const struct draft_site *s)
{
    uint64_t removals[ROW_WORDS_MAX];

    if (find_demotions(d, s, removals) && has_senior(d, s, removals))
        return true;
    if (s->about[ABOUT_REVOKE] == NULL)
        return false;
    for (uint32_t i = 0; i < d->words; i++)
        removals[i] = s->about[ABOUT_REVOKE][i] & d->stands[i];
    return has_senior(d, s, removals);
}

/* Takes one out of a word of a row that has some. */
static uint32_t row_take(uint64_t *some)
{
    uint32_t bit = (uint32_t)__builtin_ctzll(*some);

    *some &= *some - 1;
    return bit;
}

/* Did the site of `s` take the word of the author of this removal of it, neither knowing of the
 * other? */
static bool struck_back(const struct draft *d, const struct draft_site *s,
                        const struct entry *removal, enum about kind)
{
    const uint64_t *about = d->sites[removal->author_site].about[kind];

    for (uint32_t i = 0; about != NULL && i < d->words; i++) {
        uint64_t some =
            about[i] & d->stands[i] & ~draft_past(d, removal, i) & ~draft_future(d, removal, i);

        while (some != 0)
            if (&d->sites[d->placed[64 * i + row_take(&some)]->author_site] == s)
                return true;
    }
    return false;
}

static bool is_forgiven(const struct draft *d, const struct draft_site *s,
                        const struct entry *removal)
{
    const uint64_t *grants = s->about[ABOUT_GRANT];
    uint64_t known = 0;

    for (uint32_t i = 0; grants != NULL && i < d->words; i++)
        known |= grants[i] & d->stands[i] & draft_future(d, removal, i);
    return known != 0;
}

const struct entry *draft_contest(const struct draft *d, const struct draft_site *s)
{
    for (uint32_t i = 0; i < 2 * d->words; i++) {
        const uint64_t *about = s->about[i < d->words ? ABOUT_REVOKE : ABOUT_DEMOTE];
        uint32_t at = i % d->words;
        uint64_t some = about == NULL ? 0 : about[at] & ~d->stands[at];

        while (some != 0) {
            const struct entry *n = d->placed[64 * at + row_take(&some)];

            if (s->rank < n->author_rank &&
                (struck_back(d, s, n, ABOUT_REVOKE) || struck_back(d, s, n, ABOUT_DEMOTE)) &&
                !is_forgiven(d, s, n))
                return n;
        }
    }
    return NULL;
}

/* The most senior one whom the first entry enrols. */
static uint32_t founder_of(const struct draft *d)
{
    uint32_t founder = SITE_NONE;

    for (uint32_t i = 0; i < d->site_count; i++)
        if (row_has(d->sites[i].about[ABOUT_ENROL], 0) &&
            (founder == SITE_NONE || d->sites[i].rank < d->sites[founder].rank))
            founder = i;
    return founder;
}

/* The most senior member, or where there is none the founder; SITE_NONE: there is an admin. */
static uint32_t nobody_left(struct draft *d)
{
    uint32_t senior = SITE_NONE;

    for (uint32_t i = 0; i < d->site_count; i++) {
        const struct draft_site *s = &d->sites[i];
        bool member = draft_is_enrolled(d, s) && !draft_is_revoked(d, s);

        if (member && draft_is_admin(d, s))
            return SITE_NONE;
        if (member && (senior == SITE_NONE || s->rank < d->sites[senior].rank))
            senior = i;
    }
    return senior != SITE_NONE ? senior : founder_of(d);
}

/* Of whom do entries speak? A site that nobody enrolled is nobody. */
static void find_subjects(struct draft *d)
{
    d->deciders = mem_alloc(d->placed_count * sizeof(struct entry *));
    for (uint32_t i = 0; i < d->placed_count; i++) {
        struct entry *one = d->placed[i];
        bool named = one->kind == ENTRY_REVOKE || one->kind == ENTRY_ADMIN;

        for (uint32_t j = 0; (named || one->kind == ENTRY_RENAME) && j < d->site_count; j++)
            if (site_equal(&d->sites[j].site, &one->target))
                one->subject = j;
        if (named && one->subject != SITE_NONE)
            draft_note_about(d, one);
        if (entry_enrols(one) || named)
            d->deciders[d->decider_count++] = one;
    }
}

/* Those of the base come first, and have their ranks. */
static void rank_sites(struct draft *d)
{
    uint32_t first = d->base == NULL ? 0 : d->base->base.site_count;

    for (uint32_t i = d->placed_count; i > 0; i--) {
        const struct entry *n = d->folded[i - 1];

        if (entry_enrols(n) && !d->sites[n->subject].of_base)
            d->sites[n->subject].rank = first + i - 1;
    }
}

static int by_seniority(const void *a, const void *b)
{
    const struct entry *const *x = a, *const *y = b;

    if ((*x)->author_rank != (*y)->author_rank)
        return (*x)->author_rank < (*y)->author_rank ? -1 : 1;
    if ((*x)->depth != (*y)->depth)
        return (*x)->depth < (*y)->depth ? -1 : 1;
    return memcmp((*x)->hash, (*y)->hash, HASH_BYTES);
}

static void sort_removals(struct draft *d)
{
    d->removals = mem_alloc(d->placed_count * sizeof(struct entry *));
    for (uint32_t i = 0; i < d->placed_count; i++) {
        /* What a checkpoint says all members said. */
        d->placed[i]->author_rank =
            d->placed[i] == d->base ? 0 : d->sites[d->placed[i]->author_site].rank;
        if (is_removal(d->placed[i]))
            d->removals[d->removal_count++] = d->placed[i];
    }
    qsort(d->removals, d->removal_count, sizeof(struct entry *), by_seniority);
}

/* Who knows of an entry: its children, and who knows of them. */
static void find_futures(struct draft *d)
{
    d->future = mem_alloc(draft_future_words(d, d->placed_count) * sizeof *d->future);
    for (uint32_t i = d->placed_count; i > 0; i--) {
        const struct entry *n = d->placed[i - 1];
        uint32_t own = n->at / 64;

        for (uint32_t j = 0; j < n->parent_count && n != d->base; j++) {
            uint32_t at = draft_parent(d, n, j)->at;
            uint64_t *row = d->future + draft_future_words(d, at), *from = row + own - at / 64;

            for (uint32_t k = own; k < d->words; k++)
                from[k - own] |= draft_future(d, n, k);
            row_put(row, n->at - at / 64 * 64, true);
        }
    }
}

void draft_judge_again(struct draft *d)
{
    uint32_t kept;

    judge_keeping(d, SITE_NONE);
    kept = nobody_left(d);
    if (kept != SITE_NONE)
        judge_keeping(d, kept);
    if (kept != SITE_NONE && nobody_left(d) != SITE_NONE)
        judge_keeping(d, founder_of(d));
    assert(nobody_left(d) == SITE_NONE);
}

bool draft_would_stand(struct draft *d, struct entry *n)
{
    return judge(d, n) == VERDICT_STANDS;
}

void draft_judge(struct draft *d)
{
    find_subjects(d);
    rank_sites(d);
    sort_removals(d);
    find_futures(d);
    d->stands = mem_alloc(d->words * sizeof *d->stands);
    d->open = mem_alloc(d->words * sizeof *d->open);
    draft_judge_again(d);
}
