/* Every change of a roster is a rebuild: the entries we hold and those that arrived are put in
 * order, parents first, each is checked against its causal past only, and the state is folded from
 * the whole set. So nothing depends on the order of arrival, and a failure anywhere leaves the old
 * roster untouched.
 *
 *     read -> skip what is there twice -> place (parents first; signature) -> judge -> fold
 *
 * A log may begin with a checkpoint instead of the entry that created the fleet: then that is the
 * root of all, and what is not behind it is passed over (checkpoint.c). */
#include <navette/roster.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "draft.h"
#include "names.h"

/* ---- read ---- */

/* Read every item of a log into the draft. */
static bool draft_read(struct draft *d, struct slice log, bool trusted, struct err *e)
{
    struct reader r = reader_of(log, e);

    while (r.left.n > 0) {
        struct entry n = {.trusted = trusted};

        if (!entry_read(&r, &n))
            return err_wrap(e, "roster item %u", d->n + 1);
        if (d->n == 2 * ROSTER_ENTRIES_MAX)
            return err_set(e, ERR_LIMIT, "a roster of more than %u entries", ROSTER_ENTRIES_MAX);
        if (d->n == d->room) {
            d->room = d->room == 0 ? 16 : 2 * d->room;
            d->entries = mem_grow(d->entries, d->room * sizeof *d->entries);
        }
        d->entries[d->n++] = n;
    }
    return true;
}

/* ---- order ---- */

static int by_hash(const void *a, const void *b)
{
    const struct entry *const *x = a, *const *y = b;

    return memcmp((*x)->hash, (*y)->hash, HASH_BYTES);
}

/* The same entry twice: ours comes first, so that its signature is not checked again. */
static int by_hash_ours_first(const void *a, const void *b)
{
    const struct entry *const *x = a, *const *y = b;
    int order = by_hash(a, b);

    return order != 0 ? order : *x < *y ? -1 : *x > *y;
}

static int by_depth(const void *a, const void *b)
{
    const struct entry *const *x = a, *const *y = b;

    if ((*x)->depth != (*y)->depth)
        return (*x)->depth < (*y)->depth ? -1 : 1;
    return by_hash(a, b);
}

/* How many sites these entries can enrol. */
static uint32_t count_sites(const struct draft *d)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < d->n; i++) {
        const struct entry *one = &d->entries[i];

        n += entry_enrols(one)                         ? 1
             : i == 0 && one->kind == ENTRY_CHECKPOINT ? one->base.site_count
                                                       : 0;
    }
    return n < SITES_EVER_MAX ? n : SITES_EVER_MAX;
}

/* The index of distinct entries by hash, and room for all that follows. */
static void draft_index(struct draft *d)
{
    uint32_t rows;

    d->by_hash = mem_alloc(d->n * sizeof(struct entry *));
    for (uint32_t i = 0; i < d->n; i++)
        d->by_hash[i] = &d->entries[i];
    qsort(d->by_hash, d->n, sizeof(struct entry *), by_hash_ours_first);
    for (uint32_t i = 0; i < d->n; i++) {
        if (d->distinct > 0 && by_hash(&d->by_hash[d->distinct - 1], &d->by_hash[i]) == 0)
            d->by_hash[i]->twice = true;
        else
            d->by_hash[d->distinct++] = d->by_hash[i];
    }
    rows = d->distinct < ROSTER_ENTRIES_MAX ? d->distinct : ROSTER_ENTRIES_MAX;
    d->placed = mem_alloc(d->distinct * sizeof(struct entry *));
    d->stack = mem_alloc(d->distinct * sizeof(struct entry *));
    d->folded = mem_alloc(d->distinct * sizeof(struct entry *));
    d->sites = mem_alloc((count_sites(d) + 1) * sizeof *d->sites);
    d->words = rows / 64 + 1;
    d->past = mem_alloc(draft_past_words(rows) * sizeof *d->past);
}

struct entry *draft_find(const struct draft *d, const uint8_t hash[HASH_BYTES])
{
    uint32_t low = 0, high = d->distinct;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = memcmp(hash, d->by_hash[middle]->hash, HASH_BYTES);

        if (order == 0)
            return d->by_hash[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

struct entry *draft_parent(const struct draft *d, const struct entry *n, uint32_t i)
{
    return draft_find(d, entry_parent(n, i));
}

uint32_t draft_site_of(const struct draft *d, const uint8_t *sign_public)
{
    for (uint32_t i = 0; i < d->site_count; i++)
        if (memcmp(d->sites[i].sign_public, sign_public, SIGN_PUBLIC_BYTES) == 0)
            return i;
    return SITE_NONE;
}

/* Is one of these in its past? */
static bool knows_any(const struct draft *d, const struct entry *n, const uint64_t *row)
{
    uint64_t both = 0;

    for (uint32_t i = 0; i <= n->at / 64; i++)
        both |= row[i] & draft_past(d, n, i);
    return both != 0;
}

/* Whether it was for him to say so is not asked here: judge.c knows what else was said. But he must
 * have been enrolled by somebody in the causal past of what he writes, and have signed it. */
static bool entry_check_author(const struct draft *d, const struct entry *n, struct err *e)
{
    const struct draft_site *s = n->author_site == SITE_NONE ? NULL : &d->sites[n->author_site];
    bool enrolled = n->kind == ENTRY_CREATE || n == d->base;

    if (n->kind == ENTRY_CREATE && d->placed_count > 0)
        return err_set(e, ERR_STRANGER, "the roster is another fleet's");
    if (s != NULL && !enrolled)
        enrolled = s->of_base || knows_any(d, n, s->about[ABOUT_ENROL]);
    if (!enrolled)
        return err_set(e, ERR_STRANGER, "a roster entry is signed by one who was no member");
    if (n->trusted)
        return true;
    return keys_verify(n->author, ROSTER_CONTEXT, n->bytes, n->signature, e);
}

static bool draft_enrol(struct draft *d, struct entry *n, struct err *e)
{
    n->subject = draft_site_of(d, n->sign_public);
    if (n->subject == SITE_NONE) {
        if (d->site_count == SITES_EVER_MAX)
            return err_set(e, ERR_LIMIT, "a roster of more than %d sites", SITES_EVER_MAX);
        n->subject = d->site_count++;
        memcpy(d->sites[n->subject].sign_public, n->sign_public, SIGN_PUBLIC_BYTES);
        d->sites[n->subject].site = keys_site_id(n->sign_public);
    }
    draft_note_about(d, n);
    return true;
}

/* Is it neither the base nor behind it? Of a parent that is not there that is so when the entry
 * begins a log of its own. */
static bool is_beside(const struct draft *d, const struct entry *n)
{
    for (uint32_t i = 0; i < n->parent_count; i++) {
        const struct entry *parent = draft_parent(d, n, i);

        if (parent == NULL || parent->beside)
            return true;
    }
    return n->parent_count == 0;
}

/* What was checked when the base was made, or counts nothing. */
static bool pass_over(const struct draft *d, struct entry *n, struct err *e)
{
    const uint8_t *fleet = n->kind == ENTRY_CREATE       ? n->hash
                           : n->kind == ENTRY_CHECKPOINT ? n->base.fleet
                                                         : d->base->base.fleet;

    n->beside = n->placed = true;
    return memcmp(fleet, d->base->base.fleet, FLEET_ID_BYTES) == 0 ||
           err_set(e, ERR_STRANGER, "the roster is another fleet's");
}

/* All parents of `n` are placed: check it and put it behind them. */
static bool entry_place(struct draft *d, struct entry *n, struct err *e)
{
    uint64_t *row = d->past + draft_past_words(d->placed_count);
    uint32_t parents = n == d->base ? 0 : n->parent_count;

    if (d->base != NULL && n != d->base && is_beside(d, n))
        return pass_over(d, n, e);
    if (d->placed_count == ROSTER_ENTRIES_MAX)
        return err_set(e, ERR_LIMIT, "a roster of more than %u entries", ROSTER_ENTRIES_MAX);
    if (n == d->base && !draft_base_enrol(d, e))
        return false;
    n->at = d->placed_count;
    n->author_site = draft_site_of(d, n->author);
    n->subject = SITE_NONE;
    if (n == d->base)
        n->depth = n->base.depth;
    for (uint32_t i = 0; i < parents; i++) {
        struct entry *parent = draft_parent(d, n, i);

        for (uint32_t j = 0; j <= parent->at / 64; j++)
            row[j] |= draft_past(d, parent, j);
        row[parent->at / 64] |= UINT64_C(1) << (parent->at % 64);
        if (n->depth <= parent->depth)
            n->depth = parent->depth + 1;
        parent->has_child |= !entry_only_acknowledges(n);
    }
    if (!entry_check_author(d, n, e) || (entry_enrols(n) && !draft_enrol(d, n, e)))
        return false;
    if (n->kind == ENTRY_CREATE)
        n->author_site = n->subject;
    n->placed = true;
    d->placed[d->placed_count++] = n;
    return true;
}

/* Place `start` after everything it builds on: a walk over the parents with a stack of our own. */
static bool draft_place(struct draft *d, struct entry *start, struct err *e)
{
    uint32_t n = 0;

    d->stack[n++] = start;
    while (n > 0) {
        struct entry *top = d->stack[n - 1], *parent;

        if (top == d->base || top->next_parent == top->parent_count) {
            if (!entry_place(d, top, e))
                return false;
            n--;
            continue;
        }
        parent = draft_parent(d, top, top->next_parent++);
        if (parent == NULL && (d->base == NULL || top->kind != ENTRY_CHECKPOINT))
            return err_set(e, ERR_GAP, "a roster entry builds on one that is not here");
        if (parent != NULL && !parent->placed) {
            assert(n < d->distinct); /* hashes make no circles */
            d->stack[n++] = parent;
        }
    }
    return true;
}

static bool draft_place_all(struct draft *d, struct err *e)
{
    if (d->n > 0 && d->entries[0].kind == ENTRY_CHECKPOINT)
        d->base = &d->entries[0];
    for (uint32_t i = 0; i < d->n; i++) {
        struct entry *n = &d->entries[i];

        if (!n->twice && !n->placed && !draft_place(d, n, e))
            return false;
    }
    memcpy(d->folded, d->placed, d->placed_count * sizeof(struct entry *));
    qsort(d->folded, d->placed_count, sizeof(struct entry *), by_depth);
    return true;
}

void draft_close(struct draft *d)
{
    free(d->entries);
    free(d->by_hash);
    free(d->placed);
    free(d->stack);
    free(d->folded);
    free(d->past);
    free(d->future);
    free(d->stands);
    free(d->open);
    free(d->removals);
    free(d->deciders);
    for (uint32_t i = 0; i < d->site_count; i++)
        for (int j = 0; j < ABOUT_KINDS; j++)
            free(d->sites[i].about[j]);
    free(d->sites);
}

/* ---- the result ---- */

bool draft_fold(struct draft *d, struct roster *r, struct err *e)
{
    buf_open(&r->log, ROSTER_BYTES_MAX);
    r->hashes = mem_alloc(d->placed_count * sizeof *r->hashes);
    r->heads = mem_alloc(d->placed_count * sizeof *r->heads);
    for (uint32_t i = 0; i < d->placed_count; i++) {
        item_write(&r->log, d->placed[i]->bytes, d->placed[i]->signature);
        memcpy(r->hashes[r->entries++], d->placed[i]->hash, HASH_BYTES);
    }
    for (uint32_t i = 0; i < d->distinct; i++)
        if (!d->by_hash[i]->has_child && !d->by_hash[i]->beside &&
            !entry_only_acknowledges(d->by_hash[i]))
            memcpy(r->heads[r->head_count++], d->by_hash[i]->hash, HASH_BYTES);
    if (r->log.overflow)
        return err_set(e, ERR_LIMIT, "a roster of more than %u bytes", ROSTER_BYTES_MAX);
    draft_fold_state(d, r);
    return true;
}

/* ---- what others call ---- */

/* Ours begins with a checkpoint, and theirs, of which `first` is the first, with a later one that
 * is not here: then all that is new in theirs is behind that, and was passed over. */
static bool check_not_behind(const struct draft *d, uint32_t first, struct err *e)
{
    const struct entry *n = first < d->n ? &d->entries[first] : NULL;

    if (d->base == NULL || n == NULL || n->kind != ENTRY_CHECKPOINT || !n->beside ||
        n->base.depth <= d->base->base.depth)
        return true;
    return err_set(e, ERR_GAP, "the roster begins with a checkpoint that is not here");
}

bool draft_open(struct draft *d, struct slice ours, struct slice theirs, struct err *e)
{
    uint32_t mine;

    if (theirs.n > ROSTER_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "a roster of %zu bytes, allowed %u", theirs.n,
                       ROSTER_BYTES_MAX);
    if (!draft_read(d, ours, true, e))
        return false;
    mine = d->n;
    if (!draft_read(d, theirs, false, e))
        return false;
    draft_index(d);
    return draft_place_all(d, e) && check_not_behind(d, mine, e);
}

/* `next` (empty) becomes what `ours`, whose signatures were checked, and `theirs` come to. The
 * draft is left to look into; `next` stays empty when `theirs` has nothing new. What was taken in
 * somewhere is never too much to be loaded. */
static bool draft_build(struct draft *d, const struct roster *ours, struct slice theirs,
                        struct roster *next, struct err *e)
{
    if (!draft_open(d, buf_slice(&ours->log), theirs, e))
        return false;
    if (d->placed_count == ours->entries)
        return true;
    draft_judge(d);
    return (ours->entries == 0 || draft_check_room(d, e)) && draft_fold(d, next, e);
}

/* Takes over `next`, if it is one. */
static bool replace(struct roster *r, struct roster *next)
{
    if (next->entries == 0)
        return false;
    roster_close(r);
    *r = *next;
    *next = (struct roster){0};
    return true;
}

bool roster_merge(struct roster *r, struct slice log, bool *changed, struct err *e)
{
    struct draft d = {0};
    struct roster next = {0};
    bool ok = draft_build(&d, r, log, &next, e);

    *changed = ok && replace(r, &next);
    draft_close(&d);
    roster_close(&next);
    return ok;
}

bool roster_take(struct roster *r, struct slice log, bool *changed, struct err *e)
{
    struct draft d = {0};
    struct roster next = {0};
    bool ok = draft_build(&d, r, log, &next, e) &&
              (next.entries == 0 || draft_check_own_word(&d, r, &next, e));

    *changed = ok && replace(r, &next);
    draft_close(&d);
    roster_close(&next);
    return ok;
}

bool roster_load(struct roster *r, struct slice log, struct err *e)
{
    bool changed = false;

    assert(r->entries == 0);
    if (log.n == 0)
        return err_set(e, ERR_INPUT, "the roster is empty");
    return roster_merge(r, log, &changed, e);
}

bool roster_copy(struct roster *r, const struct roster *from, struct err *e)
{
    struct draft d = {0};
    bool ok;

    assert(r->entries == 0);
    ok = draft_open(&d, buf_slice(&from->log), (struct slice){0}, e);
    if (ok)
        draft_judge(&d);
    ok = ok && draft_fold(&d, r, e);
    draft_close(&d);
    return ok;
}

void roster_close(struct roster *r)
{
    buf_close(&r->log);
    free(r->hashes);
    free(r->heads);
    for (uint32_t i = 0; i < r->known_count; i++)
        vector_close(&r->sites[i].cut);
    free(r->sites);
    free(r->invites);
    rules_close(&r->rules);
    *r = (struct roster){0};
}

/* ---- new entries ---- */

bool entry_append(struct roster *r, struct buf *entry, const struct keys *k, struct err *e)
{
    uint8_t signature[SIGNATURE_BYTES];
    struct buf item;
    bool changed = false, ok;

    buf_open(&item, ROSTER_BYTES_MAX);
    if (entry->overflow) {
        ok = err_set(e, ERR_LIMIT, "a roster entry of more than %d bytes", ROSTER_ENTRY_BYTES_MAX);
    } else {
        keys_sign(k, ROSTER_CONTEXT, buf_slice(entry), signature);
        item_write(&item, buf_slice(entry), signature);
        ok = roster_merge(r, buf_slice(&item), &changed, e);
    }
    buf_close(&item);
    buf_close(entry);
    return ok;
}

bool roster_may(const struct roster *r, const struct keys *k, bool as_admin, struct err *e)
{
    const struct roster_site *self = roster_find(r, &k->site);

    if (self == NULL)
        return err_set(e, ERR_REFUSED, "this PC is no member of the fleet");
    if (as_admin && !self->admin)
        return err_set(
            e, ERR_REFUSED,
            "this PC is no admin of the fleet: `agent-cli roster` lists those that are; if "
            "their PCs are gone for good, make a new fleet (`agent-cli help admin remove`)");
    return true;
}

bool roster_create(struct roster *r, const char *fleet_name, const char *site_name,
                   const struct keys *k, struct err *e)
{
    uint8_t random[ROSTER_RANDOM_BYTES];
    struct buf entry;
    struct writer w;

    assert(r->entries == 0);
    random_fill(random, sizeof random);
    w = entry_open(&entry, r, ENTRY_CREATE, 4, k);
    write_text(&w, slice_text(fleet_name));
    write_text(&w, slice_text(site_name));
    write_bin(&w, SLICE(k->exchange_public));
    write_bin(&w, SLICE(random));
    return entry_append(r, &entry, k, e);
}

bool roster_invite(struct roster *r, const uint8_t invite_id[ROSTER_INVITE_ID_BYTES],
                   uint64_t ends_ms, const struct keys *k, struct err *e)
{
    struct buf entry;
    struct writer w;

    if (!roster_may(r, k, true, e))
        return false;
    w = entry_open(&entry, r, ENTRY_INVITE, 2, k);
    write_bin(&w, (struct slice){invite_id, ROSTER_INVITE_ID_BYTES});
    write_uint(&w, ends_ms);
    return entry_append(r, &entry, k, e);
}

static bool enrol_new(struct roster *r, const struct roster_site *s, const uint8_t *invite_id,
                      const struct keys *k, struct err *e)
{
    struct buf entry;
    struct writer w = entry_open(&entry, r, ENTRY_ENROL, 4, k);

    write_bin(&w, SLICE(s->sign_public));
    write_bin(&w, SLICE(s->exchange_public));
    write_text(&w, slice_text(s->name));
    write_bin(&w, (struct slice){invite_id, ROSTER_INVITE_ID_BYTES});
    return entry_append(r, &entry, k, e);
}

bool roster_enrol(struct roster *r, const uint8_t sign_public[SIGN_PUBLIC_BYTES],
                  const uint8_t exchange_public[KEY_BYTES], const char *name,
                  const uint8_t invite_id[ROSTER_INVITE_ID_BYTES], const struct keys *k,
                  char *name_out, struct err *e)
{
    struct roster_site s = {.site = keys_site_id(sign_public)};
    const struct roster_site *known = roster_author(r, &s.site);

    if (known != NULL && known->standing == ROSTER_REVOKED)
        return err_set(e, ERR_REFUSED,
                       "%s was revoked, and its identity is never taken again: on that PC stop the "
                       "agent, `agent-cli identity reset`, start it, and join with a new token",
                       known->name);
    if (known != NULL && known->standing == ROSTER_MEMBER) {
        if (memcmp(known->exchange_public, exchange_public, KEY_BYTES) != 0)
            return err_set(e, ERR_REFUSED, "%s is a member already, with another exchange key",
                           known->name);
        memcpy(name_out, known->name, sizeof known->name);
        return true;
    }
    if (!roster_may(r, k, true, e) || !name_check_new(slice_text(name), e))
        return false;
    if (r->site_count >= SITES_MAX)
        return err_set(e, ERR_LIMIT, "a fleet of more than %d sites", SITES_MAX);
    memcpy(s.sign_public, sign_public, sizeof s.sign_public);
    memcpy(s.exchange_public, exchange_public, sizeof s.exchange_public);
    roster_make_unique(r, slice_text(name), known, s.name);
    memcpy(name_out, s.name, sizeof s.name);
    return enrol_new(r, &s, invite_id, k, e);
}

/* ---- look-ups ---- */

static int hash_order(const void *a, const void *b)
{
    return memcmp(a, b, HASH_BYTES);
}

void roster_digest(const struct roster *r, uint8_t out[HASH_BYTES])
{
    size_t n = r->entries * sizeof *r->hashes;
    uint8_t *sorted = mem_alloc(n);

    if (n > 0)
        memcpy(sorted, r->hashes, n);
    qsort(sorted, r->entries, HASH_BYTES, hash_order);
    hash_bytes(out, (struct slice){sorted, n});
    free(sorted);
}

const struct roster_site *roster_find(const struct roster *r, const struct site_id *site)
{
    for (uint32_t i = 0; i < r->site_count; i++)
        if (site_equal(&r->sites[i].site, site))
            return &r->sites[i];
    return NULL;
}

const struct roster_site *roster_author(const struct roster *r, const struct site_id *site)
{
    for (uint32_t i = 0; i < r->known_count; i++)
        if (site_equal(&r->sites[i].site, site))
            return &r->sites[i];
    return NULL;
}

uint64_t roster_believed(const struct roster *r, const struct actor *a)
{
    struct site_id site = actor_site(a);
    const struct roster_site *s = roster_author(r, &site);

    return s == NULL || s->standing == ROSTER_MEMBER ? VECTOR_NUMBER_MAX : vector_get(&s->cut, a);
}

const struct roster_site *roster_find_name(const struct roster *r, const char *name)
{
    for (uint32_t i = 0; i < r->site_count; i++)
        if (name_same(r->sites[i].name, name))
            return &r->sites[i];
    return NULL;
}

const struct roster_invite *roster_find_invite(const struct roster *r,
                                               const uint8_t id[ROSTER_INVITE_ID_BYTES])
{
    for (uint32_t i = 0; i < r->invite_count; i++)
        if (memcmp(r->invites[i].id, id, sizeof r->invites[i].id) == 0)
            return &r->invites[i];
    return NULL;
}

/* Does the id begin with these digits? */
static bool has_digits(const struct roster_site *s, const char *word)
{
    char digits[2 * SITE_ID_BYTES + 1];
    size_t n = strlen(word);

    hex_write(digits, SLICE(s->site.bytes));
    for (size_t i = 0; i < n; i++)
        if (i == 2 * SITE_ID_BYTES || lower(word[i]) != digits[i])
            return false;
    return n >= SITE_DIGITS_MIN;
}

/* The only one of some sites that `is` called so; NULL and `n`, how many are. */
static const struct roster_site *only_one(const struct roster *r, uint32_t from, const char *word,
                                          bool (*is)(const struct roster_site *, const char *),
                                          uint32_t *n)
{
    const struct roster_site *found = NULL;

    *n = 0;
    for (uint32_t i = from; i < r->known_count; i++)
        if (is(&r->sites[i], word)) {
            found = &r->sites[i];
            ++*n;
        }
    return *n == 1 ? found : NULL;
}

static bool is_called(const struct roster_site *s, const char *word)
{
    return name_same(s->name, word);
}

const struct roster_site *roster_site_of(const struct roster *r, const char *word, struct err *e)
{
    const struct roster_site *found = roster_find_name(r, word);
    uint32_t n = 0;

    if (found == NULL)
        found = only_one(r, r->site_count, word, is_called, &n);
    if (found == NULL && n == 0)
        found = only_one(r, 0, word, has_digits, &n);
    if (found == NULL && n == 0)
        err_set(e, ERR_USAGE, "no PC of the fleet is called %s: see `agent-cli roster`", word);
    else if (found == NULL)
        err_set(e, ERR_USAGE,
                "more than one PC is called %s: name it by the first digits of its id, which "
                "`agent-cli roster` shows",
                word);
    return found;
}
