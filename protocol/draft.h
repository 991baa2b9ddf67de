/* A draft: all entries of a roster while it is put together, parents before children; which of them
 * count; and the state that they come to. */
#ifndef NAVETTE_DRAFT_H
#define NAVETTE_DRAFT_H

#include "entry.h"

/* What an entry says of a site. */
enum about { ABOUT_ENROL, ABOUT_REVOKE, ABOUT_DEMOTE, ABOUT_GRANT, ABOUT_KINDS };

/* Sets of placed entries are rows of bits, one for each: who fills a roster chooses how many of its
 * entries have to do with each other, and 64 are looked at at once. */
#define ROW_WORDS_MAX (ROSTER_ENTRIES_MAX / 64 + 1)

/* A signing key that somebody enrolled. */
struct draft_site {
    uint8_t sign_public[SIGN_PUBLIC_BYTES];
    struct site_id site;
    uint32_t rank; /* seniority: where its first enrolment stands in the order of the fold */
    uint64_t *about[ABOUT_KINDS]; /* rows of the entries that speak of it; NULL: none does */
    bool of_base;                 /* the checkpoint that the log begins with names it: */
    uint8_t base_standing;
    bool base_admin, base_has_key;
    struct site_id base_by;
    struct slice base_cut;
    uint32_t changed_at; /* draft.clock when the last of their verdicts fell */
};

struct draft {
    struct entry *entries; /* ours, then what arrived */
    uint32_t n, room;
    struct entry **by_hash; /* the distinct ones */
    uint32_t distinct;
    struct entry *base;    /* the checkpoint that stands in the place of all before it; or NULL */
    struct entry **placed; /* parents before children; the base first */
    uint32_t placed_count;
    struct entry **stack;
    struct entry **folded;   /* by depth, then hash */
    uint64_t *past;          /* a row for each placed entry, up to its own word: its ancestors */
    uint64_t *future;        /* likewise from its own word on: those that have it in their past; for
                                judge.c        and fold.c */
    uint64_t *stands, *open; /* two rows: the verdicts */
    uint32_t words;          /* in a row */
    uint32_t clock;          /* counts verdicts */
    uint64_t looks;          /* rows looked at, and names tried */
    struct entry **removals; /* in the order in which open ones are decided */
    uint32_t removal_count;
    struct entry **deciders; /* likewise: those that decide about others */
    uint32_t decider_count;
    struct draft_site *sites;
    uint32_t site_count;
};

/* Words of `past` before the row of the entry that has place `at`. */
static inline size_t draft_past_words(uint32_t at)
{
    size_t word = at / 64;

    return 32 * word * (word + 1) + at % 64 * (word + 1);
}

/* Likewise of `future`. */
static inline size_t draft_future_words(const struct draft *d, uint32_t at)
{
    return (size_t)at * (d->words + 1) - draft_past_words(at);
}

/* One word of the row of its ancestors. */
static inline uint64_t draft_past(const struct draft *d, const struct entry *n, uint32_t word)
{
    return word > n->at / 64 ? 0 : d->past[draft_past_words(n->at) + word];
}

/* One of the row of those that have it in their past. */
static inline uint64_t draft_future(const struct draft *d, const struct entry *n, uint32_t word)
{
    return word < n->at / 64 ? 0 : d->future[draft_future_words(d, n->at) + word - n->at / 64];
}

static inline bool row_has(const uint64_t *row, uint32_t at)
{
    return (row[at / 64] >> (at % 64) & 1) != 0;
}

static inline void row_put(uint64_t *row, uint32_t at, bool in)
{
    uint64_t bit = UINT64_C(1) << (at % 64);

    row[at / 64] = in ? row[at / 64] | bit : row[at / 64] & ~bit;
}

/* Have two rows something in common? */
static inline bool row_meets(const uint64_t *a, const uint64_t *b, uint32_t words)
{
    uint64_t both = 0;

    for (uint32_t i = 0; i < words; i++)
        both |= a[i] & b[i];
    return both != 0;
}

/* Is `earlier` in the causal past of `later`? */
static inline bool draft_knows(const struct draft *d, const struct entry *later,
                               const struct entry *earlier)
{
    return (draft_past(d, later, earlier->at / 64) >> (earlier->at % 64) & 1) != 0;
}

static inline bool entry_enrols(const struct entry *n)
{
    return n->kind == ENTRY_CREATE || n->kind == ENTRY_ENROL;
}

/* roster.c: read and place the entries of two logs, the first of which is ours. Judged by
 * draft_judge. */
MUST_USE bool draft_open(struct draft *d, struct slice ours, struct slice theirs, struct err *e);
void draft_close(struct draft *d);
/* The index of a signing key that was enrolled; SITE_NONE. */
uint32_t draft_site_of(const struct draft *d, const uint8_t *sign_public);
/* NULL when the draft does not have it, which may be passed over. */
struct entry *draft_find(const struct draft *d, const uint8_t hash[HASH_BYTES]);
struct entry *draft_parent(const struct draft *d, const struct entry *n, uint32_t i);

/* judge.c: give every placed entry its verdict. An entry is judged again only when the verdict on
 * another one about its author fell; that looks at three rows, and at one for each time that its
 * author was made an admin anew. */
void draft_judge(struct draft *d);
/* Again, as if the entries that are left_out were void, whatever speaks for them. */
void draft_judge_again(struct draft *d);
/* When all verdicts are given: would `n`, which is left_out, stand by these? */
bool draft_would_stand(struct draft *d, struct entry *n);
/* Who may administer, when all verdicts are given. */
bool draft_is_admin(struct draft *d, const struct draft_site *s);
bool draft_is_revoked(const struct draft *d, const struct draft_site *s);
/* Was what it lacks of membership and rights taken from it, also, by one who is more senior, or by
 * itself? */
bool draft_is_out_for_good(struct draft *d, const struct draft_site *s);
/* The removal of it that does not count because it removed, more senior and without knowing of
 * that, whoever said so; NULL: none, or somebody who knew made it an admin since. */
const struct entry *draft_contest(const struct draft *d, const struct draft_site *s);
/* Did somebody enrol it who could? */
bool draft_is_enrolled(const struct draft *d, const struct draft_site *s);
/* `n`, which has its place, enrols, removes or makes an admin its subject. */
void draft_note_about(struct draft *d, const struct entry *n);

/* base.c: the sites that the base names become those of the draft, the most senior first. */
MUST_USE bool draft_base_enrol(struct draft *d, struct err *e);
/* What the base says of them, as if it enrolled and removed them itself; but nothing against `kept`
 * (SITE_NONE: nobody) counts. */
void draft_base_say(struct draft *d, uint32_t kept);

/* room.c: is there room for all of it? When somebody has filled the roster, the most senior sites
 * can still shut him out. */
MUST_USE bool draft_check_room(const struct draft *d, struct err *e);

/* roster.c: the roster that a finished draft stands for, into an empty one. */
MUST_USE bool draft_fold(struct draft *d, struct roster *r, struct err *e);

/* own_word.c: does `next`, which the draft came to, rest on nothing that is new and said by
 * somebody who is out, or no admin, by `r`? Judges the draft anew. */
MUST_USE bool draft_check_own_word(struct draft *d, const struct roster *r,
                                   const struct roster *next, struct err *e);

/* summary.c: the fields of a checkpoint of all of `r`, which has no more than SITES_MAX members and
 * is what the judged draft came to. Never more than an entry of that kind has room for. */
#define SUMMARY_FIELDS 11
void summary_write(struct writer *w, const struct draft *d, const struct roster *r,
                   uint64_t made_ms);

/* fold.c: the state of a judged draft, into `r`, which has its entries. */
void draft_fold_state(struct draft *d, struct roster *r);
/* Does `n`, which stands if it counts, say that the fleet has the key of its key id? */
bool draft_tells_key(const struct draft *d, const struct entry *n);

#endif
