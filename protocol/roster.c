/* Every change of a roster is a rebuild: the entries we hold and those that arrived are put in
 * order, parents first, each is checked against its causal past only, and the state is folded from
 * the whole set. So nothing depends on the order of arrival, and a failure anywhere leaves the old
 * roster untouched.
 *
 *     read -> skip what is there twice -> place (parents first; membership, signature) -> fold */
#include <navette/roster.h>

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "entry.h"

struct draft {
    struct entry *entries; /* ours, then what arrived */
    uint32_t n, room;
    struct entry **by_hash; /* the distinct ones */
    uint32_t distinct;
    struct entry **placed; /* parents before children */
    uint32_t placed_count;
    struct entry **stack;
    struct entry **folded; /* by depth, then hash */
    uint8_t (*members)[SIGN_PUBLIC_BYTES];
    uint32_t member_count;
};

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
            return err_set(e, ERR_LIMIT, "a roster of more than %d entries", ROSTER_ENTRIES_MAX);
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

/* The index of distinct entries by hash, and room for all that follows. */
static bool draft_index(struct draft *d, struct err *e)
{
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
    if (d->distinct > ROSTER_ENTRIES_MAX)
        return err_set(e, ERR_LIMIT, "a roster of %u entries, allowed %d", d->distinct,
                       ROSTER_ENTRIES_MAX);
    d->placed = mem_alloc(d->distinct * sizeof(struct entry *));
    d->stack = mem_alloc(d->distinct * sizeof(struct entry *));
    d->folded = mem_alloc(d->distinct * sizeof(struct entry *));
    d->members = mem_alloc(SITES_MAX * sizeof *d->members);
    return true;
}

/* NULL when the draft does not have it. */
static struct entry *draft_parent(const struct draft *d, const struct entry *n, uint32_t i)
{
    const uint8_t *hash = entry_parent(n, i);
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

/* The index of a member, member_count when it is none. */
static uint32_t draft_member(const struct draft *d, const uint8_t *sign_public)
{
    uint32_t i = 0;

    while (i < d->member_count && memcmp(d->members[i], sign_public, SIGN_PUBLIC_BYTES) != 0)
        i++;
    return i;
}

static bool member_set_has(const struct member_set *s, uint32_t member)
{
    return (s->bits[member / 64] >> (member % 64) & 1) != 0;
}

/* The author must be a member in the causal past of what it writes, and have signed it. */
static bool entry_check_author(const struct draft *d, const struct entry *n, struct err *e)
{
    uint32_t author = draft_member(d, n->author);

    if (n->kind == ENTRY_CREATE && d->placed_count > 0)
        return err_set(e, ERR_STRANGER, "the roster is another fleet's");
    if (n->kind != ENTRY_CREATE && (author == d->member_count || !member_set_has(&n->past, author)))
        return err_set(e, ERR_STRANGER, "a roster entry is signed by one who was no member");
    if (n->trusted)
        return true;
    return keys_verify(n->author, ROSTER_CONTEXT, n->bytes, n->signature, e);
}

/* All parents of `n` are placed: check it and put it behind them. */
static bool entry_place(struct draft *d, struct entry *n, struct err *e)
{
    uint32_t member;

    for (uint32_t i = 0; i < n->parent_count; i++) {
        struct entry *parent = draft_parent(d, n, i);

        for (size_t j = 0; j < COUNT_OF(n->past.bits); j++)
            n->past.bits[j] |= parent->past.bits[j];
        if (n->depth <= parent->depth)
            n->depth = parent->depth + 1;
        parent->has_child = true;
    }
    if (!entry_check_author(d, n, e))
        return false;
    if (n->kind == ENTRY_CREATE || n->kind == ENTRY_ENROL) {
        member = draft_member(d, n->sign_public);
        if (member == SITES_MAX)
            return err_set(e, ERR_LIMIT, "a fleet of more than %d sites", SITES_MAX);
        if (member == d->member_count)
            memcpy(d->members[d->member_count++], n->sign_public, SIGN_PUBLIC_BYTES);
        n->past.bits[member / 64] |= UINT64_C(1) << (member % 64);
    }
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

        if (top->next_parent == top->parent_count) {
            if (!entry_place(d, top, e))
                return false;
            n--;
            continue;
        }
        parent = draft_parent(d, top, top->next_parent++);
        if (parent == NULL)
            return err_set(e, ERR_GAP, "a roster entry builds on one that is not here");
        if (!parent->placed) {
            assert(n < d->distinct); /* hashes make no circles */
            d->stack[n++] = parent;
        }
    }
    return true;
}

static bool draft_place_all(struct draft *d, struct err *e)
{
    for (uint32_t i = 0; i < d->n; i++) {
        struct entry *n = &d->entries[i];

        if (!n->twice && !n->placed && !draft_place(d, n, e))
            return false;
    }
    memcpy(d->folded, d->placed, d->placed_count * sizeof(struct entry *));
    qsort(d->folded, d->placed_count, sizeof(struct entry *), by_depth);
    return true;
}

static void draft_close(struct draft *d)
{
    free(d->entries);
    free(d->by_hash);
    free(d->placed);
    free(d->stack);
    free(d->folded);
    free(d->members);
}

/* ---- fold ---- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool name_same(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

/* `name` itself, or cut where a character ends and with "-2", "-3"... until nobody has it. */
static void name_make_unique(const struct roster *r, struct slice name,
                             char out[NAME_BYTES_MAX + 1])
{
    char suffix[16] = "";

    for (uint32_t i = 2;; i++) {
        size_t n = name.n, suffix_n = strlen(suffix);

        if (n > NAME_BYTES_MAX - suffix_n)
            for (n = NAME_BYTES_MAX - suffix_n; n > 0 && (name.p[n] & 0xC0) == 0x80; n--)
                continue;
        memcpy(out, name.p, n);
        memcpy(out + n, suffix, suffix_n + 1);
        if (roster_find_name(r, out) == NULL)
            return;
        snprintf(suffix, sizeof suffix, "-%" PRIu32, i);
    }
}

static void fold_site(struct roster *r, const struct entry *n)
{
    struct roster_site *s = &r->sites[r->site_count];
    struct site_id site = keys_site_id(n->sign_public);

    if (roster_find(r, &site) != NULL)
        return; /* enrolled twice: the first in the order of the fold counts */
    s->site = site;
    memcpy(s->sign_public, n->sign_public, sizeof s->sign_public);
    memcpy(s->exchange_public, n->exchange_public, sizeof s->exchange_public);
    name_make_unique(r, n->name, s->name);
    s->admin = true;
    r->site_count++;
}

static void fold_invite(struct roster *r, const struct entry *n)
{
    struct roster_invite *v = &r->invites[r->invite_count];

    if (roster_find_invite(r, n->invite_id) != NULL)
        return;
    memcpy(v->id, n->invite_id, sizeof v->id);
    v->ends_ms = n->ends_ms;
    v->by = keys_site_id(n->author);
    r->invite_count++;
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

static void fold_entry(struct roster *r, const struct entry *n)
{
    if (n->kind == ENTRY_INVITE)
        fold_invite(r, n);
    else if (n->kind == ENTRY_RULES)
        fold_rules(r, n);
    else
        fold_site(r, n);
}

static void fold_entries(struct roster *r, const struct draft *d)
{
    const struct entry *first = d->folded[0];

    memcpy(r->fleet, first->hash, sizeof r->fleet);
    memcpy(r->fleet_name, first->fleet_name.p, first->fleet_name.n);
    r->sites = mem_alloc(d->member_count * sizeof *r->sites);
    r->invites = mem_alloc(d->distinct * sizeof *r->invites);
    for (uint32_t i = 0; i < d->placed_count; i++)
        fold_entry(r, d->folded[i]);
    for (uint32_t i = 0; i < d->placed_count; i++)
        for (uint32_t j = 0; d->folded[i]->kind == ENTRY_ENROL && j < r->invite_count; j++)
            if (memcmp(r->invites[j].id, d->folded[i]->invite_id, sizeof r->invites[j].id) == 0)
                r->invites[j].used = true;
}

/* The roster that a finished draft stands for. */
static bool draft_fold(const struct draft *d, struct roster *r, struct err *e)
{
    buf_open(&r->log, ROSTER_BYTES_MAX);
    r->hashes = mem_alloc(d->placed_count * sizeof *r->hashes);
    r->heads = mem_alloc(d->placed_count * sizeof *r->heads);
    for (uint32_t i = 0; i < d->placed_count; i++) {
        item_write(&r->log, d->placed[i]->bytes, d->placed[i]->signature);
        memcpy(r->hashes[r->entries++], d->placed[i]->hash, HASH_BYTES);
    }
    for (uint32_t i = 0; i < d->distinct; i++)
        if (!d->by_hash[i]->has_child)
            memcpy(r->heads[r->head_count++], d->by_hash[i]->hash, HASH_BYTES);
    if (r->log.overflow)
        return err_set(e, ERR_LIMIT, "a roster of more than %u bytes", ROSTER_BYTES_MAX);
    fold_entries(r, d);
    return true;
}

/* ---- what others call ---- */

bool roster_merge(struct roster *r, struct slice log, bool *changed, struct err *e)
{
    struct draft d = {0};
    struct roster next = {0};
    bool ok = false;

    *changed = false;
    if (log.n > ROSTER_BYTES_MAX)
        return err_set(e, ERR_LIMIT, "a roster of %zu bytes, allowed %u", log.n, ROSTER_BYTES_MAX);
    if (!draft_read(&d, buf_slice(&r->log), true, e) || !draft_read(&d, log, false, e) ||
        !draft_index(&d, e))
        goto out;
    ok = d.distinct == r->entries;
    if (ok || !draft_place_all(&d, e) || !draft_fold(&d, &next, e))
        goto out;
    roster_close(r);
    *r = next;
    next = (struct roster){0};
    *changed = ok = true;
out:
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

void roster_close(struct roster *r)
{
    buf_close(&r->log);
    free(r->hashes);
    free(r->heads);
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

    if (entry->overflow)
        return err_set(e, ERR_LIMIT, "a roster entry of more than %d bytes",
                       ROSTER_ENTRY_BYTES_MAX);
    buf_open(&item, ROSTER_BYTES_MAX);
    keys_sign(k, ROSTER_CONTEXT, buf_slice(entry), signature);
    item_write(&item, buf_slice(entry), signature);
    ok = roster_merge(r, buf_slice(&item), &changed, e);
    buf_close(&item);
    return ok;
}

bool roster_create(struct roster *r, const char *fleet_name, const char *site_name,
                   const struct keys *k, struct err *e)
{
    uint8_t random[ROSTER_RANDOM_BYTES];
    struct buf entry;
    struct writer w = {&entry};
    bool ok;

    assert(r->entries == 0);
    random_fill(random, sizeof random);
    buf_open(&entry, ROSTER_ENTRY_BYTES_MAX);
    entry_begin(&w, r, ENTRY_CREATE, 4, k);
    write_text(&w, slice_text(fleet_name));
    write_text(&w, slice_text(site_name));
    write_bin(&w, SLICE(k->exchange_public));
    write_bin(&w, SLICE(random));
    ok = entry_append(r, &entry, k, e);
    buf_close(&entry);
    return ok;
}

bool roster_invite(struct roster *r, const uint8_t invite_id[ROSTER_INVITE_ID_BYTES],
                   uint64_t ends_ms, const struct keys *k, struct err *e)
{
    struct buf entry;
    struct writer w = {&entry};
    bool ok;

    buf_open(&entry, ROSTER_ENTRY_BYTES_MAX);
    entry_begin(&w, r, ENTRY_INVITE, 2, k);
    write_bin(&w, (struct slice){invite_id, ROSTER_INVITE_ID_BYTES});
    write_uint(&w, ends_ms);
    ok = entry_append(r, &entry, k, e);
    buf_close(&entry);
    return ok;
}

static bool enrol_new(struct roster *r, const struct roster_site *s, const uint8_t *invite_id,
                      const struct keys *k, struct err *e)
{
    struct buf entry;
    struct writer w = {&entry};
    bool ok;

    buf_open(&entry, ROSTER_ENTRY_BYTES_MAX);
    entry_begin(&w, r, ENTRY_ENROL, 4, k);
    write_bin(&w, SLICE(s->sign_public));
    write_bin(&w, SLICE(s->exchange_public));
    write_text(&w, slice_text(s->name));
    write_bin(&w, (struct slice){invite_id, ROSTER_INVITE_ID_BYTES});
    ok = entry_append(r, &entry, k, e);
    buf_close(&entry);
    return ok;
}

bool roster_enrol(struct roster *r, const uint8_t sign_public[SIGN_PUBLIC_BYTES],
                  const uint8_t exchange_public[KEY_BYTES], const char *name,
                  const uint8_t invite_id[ROSTER_INVITE_ID_BYTES], const struct keys *k,
                  char *name_out, struct err *e)
{
    struct roster_site s = {.site = keys_site_id(sign_public)};
    const struct roster_site *known = roster_find(r, &s.site);

    if (known != NULL) {
        if (memcmp(known->exchange_public, exchange_public, KEY_BYTES) != 0)
            return err_set(e, ERR_REFUSED, "%s is a member already, with another exchange key",
                           known->name);
        memcpy(name_out, known->name, sizeof known->name);
        return true;
    }
    if (!name_check(slice_text(name), e))
        return false;
    memcpy(s.sign_public, sign_public, sizeof s.sign_public);
    memcpy(s.exchange_public, exchange_public, sizeof s.exchange_public);
    name_make_unique(r, slice_text(name), s.name);
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
        if (memcmp(&r->sites[i].site, site, sizeof *site) == 0)
            return &r->sites[i];
    return NULL;
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
