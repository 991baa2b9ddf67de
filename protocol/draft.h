/* A draft: all entries of a roster while it is put together, parents before children; which of them
 * count; and the state that they come to. */
#ifndef NAVETTE_DRAFT_H
#define NAVETTE_DRAFT_H

#include "entry.h"

/* A signing key that somebody enrolled. */
struct draft_site {
    uint8_t sign_public[SIGN_PUBLIC_BYTES];
    struct site_id site;
    uint32_t rank;        /* seniority: where its first enrolment stands in the order of the fold */
    struct entry **about; /* that enrol or remove it, or make it an admin, in the order placed */
    uint32_t about_n, about_room;
};

struct draft {
    struct entry *entries; /* ours, then what arrived */
    uint32_t n, room;
    struct entry **by_hash; /* the distinct ones */
    uint32_t distinct;
    struct entry **placed; /* parents before children */
    uint32_t placed_count;
    struct entry **stack;
    struct entry **folded; /* by depth, then hash */
    uint64_t *past;        /* a row of bits for each placed entry: its ancestors */
    uint32_t words;        /* in a row */
    struct draft_site *sites;
    uint32_t site_count;
};

/* Is `earlier` in the causal past of `later`? */
static inline bool draft_knows(const struct draft *d, const struct entry *later,
                               const struct entry *earlier)
{
    return (d->past[(size_t)later->at * d->words + earlier->at / 64] >> (earlier->at % 64) & 1) !=
           0;
}

static inline bool entry_enrols(const struct entry *n)
{
    return n->kind == ENTRY_CREATE || n->kind == ENTRY_ENROL;
}

/* judge.c: give every placed entry its verdict. */
void draft_judge(struct draft *d);
/* Who may administer, when all verdicts are given. */
bool draft_is_admin(const struct draft *d, const struct draft_site *s);
bool draft_is_revoked(const struct draft_site *s);
/* Did somebody enrol it who could? */
bool draft_is_enrolled(const struct draft_site *s);
void draft_note_about(struct draft_site *s, struct entry *n);

/* room.c: is there room for all of it? When somebody has filled the roster, the most senior sites
 * can still shut him out. */
MUST_USE bool draft_check_room(const struct draft *d, struct err *e);

/* fold.c. ASCII letters are the same in either case. */
char lower(char c);
bool name_same(const char *a, const char *b);
/* `name` itself, or cut where a character ends and with "-2", "-3"... until nobody but `but` has
 * it: as a mark, or as a name only. */
void name_make_unique(const struct roster *r, struct slice name, const struct roster_site *but,
                      bool mark, char out[NAME_BYTES_MAX + 1]);
/* The state of a judged draft, into `r`, which has its entries. */
void draft_fold_state(const struct draft *d, struct roster *r);

#endif
