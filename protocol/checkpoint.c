/* Checkpoints: the history of a fleet's members does not grow for ever.
 *
 *     an admin writes the state that all it knows comes to -> every member whom that names looks
 *     whether it is so, and whether it knows of nothing beside it, and acknowledges -> once all
 *     have, each drops what is not behind it
 *
 * From then on nobody who keeps his word can write anything beside it: he knows it. Whoever has
 * another one's keys, or an old copy of his disk, can; it counts nothing. A member that is away is
 * waited for; one that is gone for good must be shut out, and then a new checkpoint be made. */
#include "draft.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- a log by itself ---- */

/* A draft and the roster that it comes to, of entries that were checked before. */
struct view {
    struct draft d;
    struct roster r;
};

/* The roster has no log of its own. */
static bool view_open(struct view *v, struct slice log, struct err *e)
{
    *v = (struct view){0};
    if (!draft_open(&v->d, log, (struct slice){0}, e))
        return false;
    draft_judge(&v->d);
    draft_fold_state(&v->d, &v->r);
    return true;
}

static void view_close(struct view *v)
{
    draft_close(&v->d);
    roster_close(&v->r);
}

/* ---- what stands how to a checkpoint ---- */

/* A checkpoint that is not the first entry, and the row of what is behind it: it itself, and what
 * builds on nothing else. */
struct look {
    const struct entry *k;
    uint64_t behind[ROW_WORDS_MAX];
};

static void look_at(struct look *l, struct draft *d, const struct entry *k)
{
    *l = (struct look){.k = k};
    d->looks += d->placed_count;
    row_put(l->behind, k->at, true);
    for (uint32_t i = k->at + 1; i < d->placed_count; i++) {
        const struct entry *n = d->placed[i];
        bool behind = n->parent_count > 0 && n != d->base;

        for (uint32_t j = 0; j < n->parent_count && behind; j++)
            behind = row_has(l->behind, draft_parent(d, n, j)->at);
        row_put(l->behind, i, behind);
    }
}

/* Is there an entry that is neither before it nor behind it, and says something? */
static bool has_beside(const struct look *l, const struct draft *d)
{
    for (uint32_t i = 0; i < d->placed_count; i++)
        if (!draft_knows(d, l->k, d->placed[i]) && !row_has(l->behind, i) &&
            !entry_only_acknowledges(d->placed[i]))
            return true;
    return false;
}

static bool acknowledged(const struct look *l, const struct draft *d, const uint8_t *sign_public)
{
    for (uint32_t i = 0; i < d->placed_count; i++) {
        const struct entry *n = d->placed[i];

        if (n->kind == ENTRY_ACKNOWLEDGE && row_has(l->behind, i) &&
            memcmp(n->checkpoint, l->k->hash, HASH_BYTES) == 0 &&
            memcmp(n->author, sign_public, SIGN_PUBLIC_BYTES) == 0)
            return true;
    }
    return false;
}

/* The next of the members that a checkpoint names: `sites` begins with what its base has, and `i`
 * with 0. False: there is none. */
static bool next_member(struct reader *sites, const struct entry *k, uint32_t *i,
                        struct checkpoint_site *s, struct site_id *site)
{
    while (*i < k->base.site_count) {
        checkpoint_site_read(sites, s);
        ++*i;
        if (s->standing == ROSTER_MEMBER) {
            *site = keys_site_id(s->sign_public);
            return true;
        }
    }
    assert(!sites->failed); /* entry_read took them */
    return false;
}

/* The members that it names: which have not acknowledged it, and is one of them none any more by
 * `r`? Is `self` one of them? */
static void count_missing(const struct look *l, const struct draft *d, const struct roster *r,
                          const struct site_id *self, struct roster_checkpoint *c, bool *named)
{
    struct err e = {0};
    struct reader sites = reader_of(l->k->base.sites, &e);
    struct checkpoint_site s;
    struct site_id site;
    uint32_t i = 0;

    *named = false;
    while (next_member(&sites, l->k, &i, &s, &site)) {
        *named |= site_equal(&site, self);
        c->hopeless |= roster_find(r, &site) == NULL;
        if (!acknowledged(l, d, s.sign_public) && c->missing_count < SITES_MAX)
            c->missing[c->missing_count++] = site;
    }
}

/* Was `self` enrolled by nobody who did not know of it? */
static bool is_newcomer(const struct look *l, const struct draft *d, const struct keys *k)
{
    uint32_t i = draft_site_of(d, k->sign_public);

    for (uint32_t j = 0; i != SITE_NONE && j < d->words; j++)
        if ((d->sites[i].about[ABOUT_ENROL][j] & ~l->behind[j]) != 0)
            return false;
    return i != SITE_NONE && !d->sites[i].of_base;
}

static bool is_checkpoint(const struct draft *d, const struct entry *n)
{
    return n->kind == ENTRY_CHECKPOINT && n != d->base;
}

/* The last one in the order of the fold that stands. */
static const struct entry *last_checkpoint(const struct draft *d)
{
    for (uint32_t i = d->placed_count; i > 0; i--)
        if (is_checkpoint(d, d->folded[i - 1]) && d->folded[i - 1]->verdict == VERDICT_STANDS)
            return d->folded[i - 1];
    return NULL;
}

static void look_pending(struct draft *d, const struct roster *r, struct roster_checkpoint *c)
{
    const struct entry *k = last_checkpoint(d);
    const struct site_id nobody = {{0}};
    struct look l;
    bool named;

    *c = (struct roster_checkpoint){0};
    if (k == NULL)
        return;
    look_at(&l, d, k);
    count_missing(&l, d, r, &nobody, c, &named);
    c->pending = c->missing_count > 0;
    c->hopeless |= has_beside(&l, d);
    c->made_ms = k->ends_ms;
    c->by = keys_site_id(k->author);
}

void roster_checkpoint_look(const struct roster *r, struct roster_checkpoint *c)
{
    struct err e = {0};
    struct view v;
    bool ok;

    *c = (struct roster_checkpoint){0};
    if (r->checkpoints == 0)
        return;
    ok = view_open(&v, buf_slice(&r->log), &e);
    assert(ok); /* it is our own log */
    if (ok)
        look_pending(&v.d, r, c);
    view_close(&v);
}

/* ---- one is made ---- */

static bool check_agreed(const struct roster *r, struct err *e)
{
    for (uint32_t i = 0; i < r->site_count; i++)
        if (r->sites[i].contested)
            return err_set(e, ERR_REFUSED,
                           "admins contradict each other about %s: first say which of them stays "
                           "(`agent-cli roster`, `agent-cli help admin`)",
                           r->sites[i].name);
    return true;
}

static bool check_not_pending(struct draft *d, const struct roster *r, struct err *e)
{
    struct roster_checkpoint c;

    look_pending(d, r, &c);
    if (!c.pending || c.hopeless)
        return true;
    return err_set(e, ERR_REFUSED,
                   "one is made already: %s and %u more have not acknowledged it yet; a PC that is "
                   "gone for good must be revoked first",
                   roster_find(r, &c.missing[0])->name, c.missing_count - 1);
}

static bool append_checkpoint(struct roster *r, const struct draft *d, uint64_t made_ms,
                              const struct keys *k, struct err *e)
{
    struct buf entry;
    struct writer w = {&entry};

    buf_open(&entry, ROSTER_CHECKPOINT_BYTES_MAX);
    entry_begin(&w, r, ENTRY_CHECKPOINT, SUMMARY_FIELDS, k);
    summary_write(&w, d, r, made_ms);
    if (entry.overflow) {
        buf_close(&entry);
        return err_set(e, ERR_LIMIT, "a checkpoint of more than %u bytes",
                       ROSTER_CHECKPOINT_BYTES_MAX);
    }
    return entry_append(r, &entry, k, e);
}

/* Behind all that `known` has for ends. */
static bool append_acknowledgement(struct roster *r, const struct roster *known,
                                   const uint8_t hash[HASH_BYTES], const struct keys *k,
                                   struct err *e)
{
    struct buf entry;
    struct writer w = entry_open(&entry, known, ENTRY_ACKNOWLEDGE, 1, k);

    write_bin(&w, (struct slice){hash, HASH_BYTES});
    return entry_append(r, &entry, k, e);
}

bool roster_checkpoint(struct roster *r, uint64_t made_ms, const struct keys *k, struct err *e)
{
    struct view v;
    bool changed, ok;

    if (!roster_may(r, k, true, e) || !check_agreed(r, e))
        return false;
    if (r->site_count > SITES_MAX)
        return err_set(
            e, ERR_LIMIT,
            "the fleet has %u members, and a checkpoint can have %d: first shut out those "
            "that are none of yours",
            r->site_count, SITES_MAX);
    ok = view_open(&v, buf_slice(&r->log), e) && check_not_pending(&v.d, r, e) &&
         append_checkpoint(r, &v.d, made_ms, k, e);
    view_close(&v);
    return ok && roster_settle(r, k, &changed, e);
}

/* ---- it is acknowledged ---- */

static void collect(const struct draft *d, const uint64_t *row, struct buf *log)
{
    for (uint32_t i = 0; i < d->placed_count; i++)
        if (row_has(row, i))
            item_write(log, d->placed[i]->bytes, d->placed[i]->signature);
}

/* Does it say what all before it comes to? */
static bool is_true(struct draft *d, const struct entry *k)
{
    struct err e = {0};
    struct buf log, fields;
    struct writer w = {&fields};
    uint64_t known[ROW_WORDS_MAX];
    struct view past;
    bool ok;

    buf_open(&log, ROSTER_BYTES_MAX);
    buf_open(&fields, ROSTER_CHECKPOINT_BYTES_MAX);
    for (uint32_t i = 0; i < d->words; i++)
        known[i] = draft_past(d, k, i);
    collect(d, known, &log);
    ok = view_open(&past, buf_slice(&log), &e) && check_agreed(&past.r, &e);
    if (ok)
        summary_write(&w, &past.d, &past.r, k->ends_ms);
    ok = ok && !fields.overflow && slice_equal(buf_slice(&fields), k->fields);
    d->looks += past.d.looks;
    view_close(&past);
    buf_close(&fields);
    buf_close(&log);
    return ok;
}

/* Whoever means harm makes some that are not true, and that he has rights in: as soon as he is out
 * they are none to be acknowledged by anybody. */
#define LOOKS_MAX 16
#define TRIES_MAX 4

/* Does it name `k` as a member, and is everybody whom it names one still? */
static bool may_settle(const struct roster *r, const struct entry *n, const struct keys *k)
{
    struct err e = {0};
    struct reader sites = reader_of(n->base.sites, &e);
    struct checkpoint_site s;
    struct site_id site;
    bool named = false;
    uint32_t i = 0;

    while (next_member(&sites, n, &i, &s, &site)) {
        named |= site_equal(&site, &k->site);
        if (roster_find(r, &site) == NULL)
            return false;
    }
    return named;
}

/* The hash of the one that `k` has to acknowledge now: the last in the order of the fold that can
 * be settled and is true. False: there is none, or it has. */
static bool find_to_acknowledge(struct view *v, const struct keys *k, uint8_t hash[HASH_BYTES])
{
    int looks = 0, tries = 0;

    for (uint32_t i = v->d.placed_count; i > 0 && looks < LOOKS_MAX && tries < TRIES_MAX; i--) {
        const struct entry *n = v->d.folded[i - 1];
        struct look l;

        if (!is_checkpoint(&v->d, n) || n->verdict != VERDICT_STANDS || !may_settle(&v->r, n, k))
            continue;
        looks++;
        look_at(&l, &v->d, n);
        if (has_beside(&l, &v->d))
            continue;
        if (acknowledged(&l, &v->d, k->sign_public))
            return false;
        tries++;
        memcpy(hash, n->hash, HASH_BYTES);
        if (is_true(&v->d, n))
            return true;
    }
    return false;
}

/* ---- all have acknowledged it ---- */

/* `k` says once more what it had said on top of what was dropped. */
static bool say_again(struct roster *r, const struct entry *n, const struct keys *k, struct err *e)
{
    struct buf entry;
    struct writer w = entry_open(&entry, r, (enum entry_kind)n->kind, n->field_count, k);

    (void)w;
    buf_add(&entry, n->fields.p, n->fields.n);
    return entry_append(r, &entry, k, e);
}

/* Has somebody who knew of `n` said something else of the same site since? To say `n` anew would
 * contradict him. A removal from the fleet is never taken back. */
static bool is_outdated(const struct draft *d, const struct entry *n)
{
    if (n->kind != ENTRY_RENAME && n->kind != ENTRY_ADMIN)
        return false;
    for (uint32_t i = n->at + 1; i < d->placed_count; i++) {
        const struct entry *later = d->placed[i];

        if (later->kind == n->kind && later->verdict == VERDICT_STANDS &&
            site_equal(&later->target, &n->target) && draft_knows(d, later, n))
            return true;
    }
    return false;
}

static bool is_to_say_again(const struct look *l, const struct draft *d, const struct entry *n,
                            const struct keys *k)
{
    return draft_knows(d, n, l->k) && !row_has(l->behind, n->at) && n->verdict == VERDICT_STANDS &&
           n->kind != ENTRY_CHECKPOINT && n->kind != ENTRY_ACKNOWLEDGE &&
           memcmp(n->author, k->sign_public, SIGN_PUBLIC_BYTES) == 0 && !is_outdated(d, n);
}

/* Of many ends one is made first: an entry that names them all could get too long. */
static bool say_all_again(struct roster *next, const struct look *l, const struct draft *d,
                          const struct keys *k, struct err *e)
{
    bool ok = true;

    for (uint32_t i = 0; i < d->placed_count && ok; i++) {
        if (!is_to_say_again(l, d, d->placed[i], k))
            continue;
        if (next->head_count > 1)
            ok = append_acknowledgement(next, next, l->k->hash, k, e);
        ok = ok && say_again(next, d->placed[i], k, e);
    }
    return ok;
}

static bool begin_with(struct roster *r, const struct look *l, const struct draft *d,
                       const struct keys *k, struct err *e)
{
    struct roster next = {0}, copy = {0};
    bool ok;

    buf_open(&copy.log, ROSTER_BYTES_MAX);
    collect(d, l->behind, &copy.log);
    ok = roster_copy(&next, &copy, e) && say_all_again(&next, l, d, k, e);
    if (ok) {
        struct roster old = *r;

        *r = next;
        next = old;
    }
    roster_close(&next);
    roster_close(&copy);
    return ok;
}

/* `k` has looked at what it has acknowledged itself. Who was enrolled later looks now. */
static bool is_settled(struct view *v, const struct keys *k, const struct entry *n, struct look *l)
{
    struct roster_checkpoint c = {0};
    bool named;

    look_at(l, &v->d, n);
    count_missing(l, &v->d, &v->r, &k->site, &c, &named);
    return c.missing_count == 0 && (named || is_newcomer(l, &v->d, k));
}

/* The checkpoints that `k` has said to know. */
static void find_own(const struct draft *d, const struct keys *k, uint64_t own[ROW_WORDS_MAX])
{
    memset(own, 0, ROW_WORDS_MAX * sizeof *own);
    for (uint32_t i = 0; i < d->placed_count; i++) {
        const struct entry *n = d->placed[i], *of;

        if (n->kind != ENTRY_ACKNOWLEDGE ||
            memcmp(n->author, k->sign_public, SIGN_PUBLIC_BYTES) != 0)
            continue;
        of = draft_find(d, n->checkpoint);
        if (of != NULL && draft_knows(d, n, of))
            row_put(own, of->at, true);
    }
}

/* The last one in the order of the fold with which the log of `k` may begin. */
static bool find_settled(struct view *v, const struct keys *k, struct look *l)
{
    uint64_t own[ROW_WORDS_MAX];
    int looks = 0, tries = 0;

    find_own(&v->d, k, own);
    for (uint32_t i = v->d.placed_count; i > 0; i--) {
        const struct entry *n = v->d.folded[i - 1];

        if (!is_checkpoint(&v->d, n))
            continue;
        if (row_has(own, n->at)) {
            if (is_settled(v, k, n, l))
                return true;
        } else if (looks++ < LOOKS_MAX && is_settled(v, k, n, l) && tries++ < TRIES_MAX &&
                   is_true(&v->d, n)) {
            return true;
        }
    }
    return false;
}

static bool acknowledge(struct roster *r, const struct keys *k, bool *changed, struct err *e)
{
    uint8_t hash[1][HASH_BYTES];
    struct roster known = {.heads = hash, .head_count = 1}; /* and nothing else */
    struct view v;
    bool ok = view_open(&v, buf_slice(&r->log), e);

    if (ok && find_to_acknowledge(&v, k, hash[0])) {
        ok = append_acknowledgement(r, &known, hash[0], k, e);
        *changed |= ok;
    }
    r->looks += v.d.looks;
    view_close(&v);
    return ok;
}

bool roster_settle(struct roster *r, const struct keys *k, bool *changed, struct err *e)
{
    struct view v;
    struct look l;
    bool ok;

    *changed = false;
    if (r->checkpoints == 0 || roster_find(r, &k->site) == NULL)
        return true;
    if (!acknowledge(r, k, changed, e))
        return false;
    ok = view_open(&v, buf_slice(&r->log), e);
    if (ok && find_settled(&v, k, &l)) {
        ok = begin_with(r, &l, &v.d, k, e);
        *changed |= ok;
    }
    r->looks += v.d.looks;
    view_close(&v);
    return ok;
}

/* Looks only, as most often there is nothing. */
bool roster_has_to_settle(const struct roster *r, const struct keys *k)
{
    uint8_t hash[HASH_BYTES];
    struct err e = {0};
    struct view v;
    struct look l;
    bool has;

    if (r->checkpoints == 0 || roster_find(r, &k->site) == NULL)
        return false;
    has = !view_open(&v, buf_slice(&r->log), &e) || find_to_acknowledge(&v, k, hash) ||
          find_settled(&v, k, &l);
    view_close(&v);
    return has;
}

/* ---- a roster that went back ---- */

static bool has_acknowledged(struct draft *d, const struct keys *k)
{
    struct look l;

    look_at(&l, d, d->base);
    return acknowledged(&l, d, k->sign_public);
}

static bool has_entry(const struct roster *r, const uint8_t hash[HASH_BYTES])
{
    for (uint32_t i = 0; i < r->entries; i++)
        if (memcmp(r->hashes[i], hash, HASH_BYTES) == 0)
            return true;
    return false;
}

/* May `r` become the log of `d`? Whoever has the checkpoint knows what was said behind it, too,
 * and what is said without that takes it back. */
static bool check_went_back(const struct roster *r, const struct roster *next, struct draft *d,
                            const struct keys *k, struct err *e)
{
    struct err ours = {0};
    struct reader log = reader_of(buf_slice(&r->log), &ours);
    struct entry first = {0};

    if (memcmp(next->fleet, r->fleet, FLEET_ID_BYTES) != 0)
        return err_set(e, ERR_STRANGER, "the roster is another fleet's");
    if (d->base == NULL || !has_acknowledged(d, k))
        return err_set(
            e, ERR_STRANGER,
            "the list of members begins with a checkpoint of which this PC knows nothing: "
            "it was probably shut out of the fleet before");
    if (has_entry(r, d->base->hash))
        return err_set(e, ERR_STRANGER, "the checkpoint that the list begins with is here already");
    if (entry_read(&log, &first) && first.kind == ENTRY_CHECKPOINT &&
        first.base.depth >= d->base->base.depth)
        return err_set(e, ERR_STRANGER, "the list of members is older than the one that is here");
    return true;
}

bool roster_adopt(struct roster *r, struct slice log, const struct keys *k, struct err *e)
{
    struct roster next = {0};
    struct view v = {0};
    bool ok = roster_load(&next, log, e) && view_open(&v, buf_slice(&next.log), e) &&
              check_went_back(r, &next, &v.d, k, e);

    if (ok) {
        struct roster old = *r;

        *r = next;
        next = old;
    }
    view_close(&v);
    roster_close(&next);
    return ok;
}
