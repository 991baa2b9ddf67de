/* Nobody gets back by his own word what was taken from him, nor by that of PCs that he took in:
 * what arrived is judged a second time, without what those say who have no say here, and must come
 * to the same members, admins, ends and key. What they said and others allow is no word of their
 * own. */
#include "draft.h"

#include <string.h>

/* Does it say who is in the fleet and who rules, by one who has no say in that in `r`? */
static bool is_own_word(const struct roster *r, const struct entry *n)
{
    struct site_id author = keys_site_id(n->author);
    const struct roster_site *s = roster_author(r, &author);

    return (n->kind == ENTRY_ENROL || n->kind == ENTRY_REVOKE || n->kind == ENTRY_ADMIN) &&
           s != NULL && !s->admin;
}

/* What is new in the draft by those who have no say in `r` is left out. The first of it, in the
 * order of the fold; NULL: none. */
static const struct entry *leave_own_word(struct draft *d, const struct roster *r)
{
    const struct entry *first = NULL;

    for (uint32_t i = d->placed_count; i > 0; i--) {
        struct entry *n = d->folded[i - 1];

        n->left_out = !n->trusted && is_own_word(r, n);
        if (n->left_out)
            first = n;
    }
    return first;
}

/* Of what is left out, what stands by the word of others is not. False: none of it does. */
static bool take_what_others_allow(struct draft *d)
{
    bool some = false;

    for (uint32_t i = 0; i < d->placed_count; i++) {
        struct entry *n = d->placed[i];

        if (n->left_out && draft_would_stand(d, n)) {
            n->left_out = false;
            some = true;
        }
    }
    return some;
}

/* Each time it is a whole judgement, and who fills a roster would choose how many; what honest PCs
 * say in a split takes two or three. */
#define ALLOW_MAX 8

/* The state that the draft comes to without the word of those who have none. */
static void fold_without(struct draft *d, struct roster *without)
{
    int times = 0;

    do
        draft_judge_again(d);
    while (times++ < ALLOW_MAX && take_what_others_allow(d));
    draft_fold_state(d, without);
}

static bool same_cut(const struct roster_site *a, const struct roster_site *b)
{
    for (uint32_t i = 0; i < a->cut.n && a->cut.n == b->cut.n; i++) {
        const struct vector_entry *x = &a->cut.entries[i], *y = vector_find(&b->cut, &x->actor);

        if (y == NULL || x->number != y->number || memcmp(x->hash, y->hash, HASH_BYTES) != 0)
            return false;
    }
    return a->cut.n == b->cut.n;
}

/* The site to be named that does not stand alike in both, which are of the same entries: one that
 * would be back, else one that is known here. NULL: all do. */
static const struct roster_site *find_other(const struct roster *r, const struct roster *next,
                                            const struct roster *without)
{
    const struct roster_site *other = NULL;

    for (uint32_t i = 0; i < next->known_count; i++) {
        const struct roster_site *s = &next->sites[i], *b = roster_author(without, &s->site);
        const struct roster_site *here = roster_author(r, &s->site);

        if (s->standing == b->standing && s->admin == b->admin && same_cut(s, b))
            continue;
        if (here != NULL && !here->admin && s->admin)
            return s;
        if (other == NULL || (here != NULL && roster_author(r, &other->site) == NULL))
            other = s;
    }
    return other;
}

static bool same_key(const struct roster *a, const struct roster *b)
{
    return a->rotated == b->rotated && memcmp(a->key_id, b->key_id, sizeof a->key_id) == 0;
}

static const char *what_of(const struct roster_site *s)
{
    return s->standing == ROSTER_MEMBER ? "is no admin any more" : "was shut out of the fleet";
}

static bool refuse(const struct roster *r, const struct roster_site *other,
                   const struct site_id *author, struct err *e)
{
    const struct roster_site *by = roster_author(r, author);
    const struct roster_site *here = other == NULL ? NULL : roster_author(r, &other->site);

    if (here != NULL && !here->admin && other->admin)
        return err_set(e, ERR_CONTESTED, "%s, which %s, would have that back by its own word",
                       here->name, what_of(here));
    if (other == NULL)
        return err_set(e, ERR_CONTESTED,
                       "the fleet's key would be another by the word of %s, "
                       "which %s",
                       by->name, what_of(by));
    return err_set(e, ERR_CONTESTED, "%s would be %s by the word of %s, which %s", other->name,
                   other->admin                       ? "an admin"
                   : other->standing == ROSTER_MEMBER ? "a member without rights"
                                                      : "out",
                   by->name, what_of(by));
}

bool draft_check_own_word(struct draft *d, const struct roster *r, const struct roster *next,
                          struct err *e)
{
    const struct entry *first = leave_own_word(d, r);
    struct roster without = {0};
    bool ok = true;

    if (first != NULL) {
        struct site_id author = keys_site_id(first->author);

        const struct roster_site *other;

        fold_without(d, &without);
        other = find_other(r, next, &without);
        ok = (other == NULL && same_key(next, &without)) || refuse(r, other, &author, e);
    }
    roster_close(&without);
    return ok;
}
