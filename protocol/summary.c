/* Summary: the state that a roster comes to, as a checkpoint says it. Of what members can say
 * without end there is so much in it that it always fits into one: of rules the fold takes no more;
 * of invitations, and of the cuts of sites that are out, what would not fit is left away here. */
#include "draft.h"

#include <stdlib.h>
#include <string.h>

#define INVITE_KEPT_MS (UINT64_C(24) * 60 * 60 * 1000) /* after it ends: clocks differ */

static int by_rank(const void *a, const void *b)
{
    const struct roster_site *const *x = a, *const *y = b;

    return (*x)->rank < (*y)->rank ? -1 : (*x)->rank > (*y)->rank;
}

/* How many actors of each site there is room for, if all get the same. */
static uint32_t share_of_cuts(const struct roster *r)
{
    uint32_t share = 0, all = 0, before;

    do {
        before = all;
        all = 0;
        share++;
        for (uint32_t i = 0; i < r->known_count; i++)
            all += r->sites[i].cut.n < share ? r->sites[i].cut.n : share;
    } while (all > before && all <= ROSTER_CUTS_MAX);
    return share - 1;
}

/* Of more actors those count under which it said most; of equal numbers, the first. */
static void write_cut(struct writer *w, const struct vector *cut, uint32_t share)
{
    struct vector kept = {0};

    vector_copy(&kept, cut);
    while (kept.n > share)
        vector_drop_least(&kept);
    vector_write(w, &kept);
    vector_close(&kept);
}

static void write_sites(struct writer *w, const struct roster *r)
{
    const struct roster_site **sites = mem_alloc((r->known_count + 1) * sizeof *sites);
    const struct site_id nobody = {{0}};
    uint32_t share = share_of_cuts(r);

    for (uint32_t i = 0; i < r->known_count; i++)
        sites[i] = &r->sites[i];
    qsort(sites, r->known_count, sizeof *sites, by_rank);
    write_array(w, r->known_count);
    for (uint32_t i = 0; i < r->known_count; i++) {
        const struct roster_site *s = sites[i];

        write_array(w, 9);
        write_bin(w, SLICE(s->sign_public));
        write_bin(w, SLICE(s->exchange_public));
        write_text(w, slice_text(s->name));
        write_text(w, slice_text(s->mark));
        write_uint(w, s->standing);
        write_bool(w, s->admin);
        write_bool(w, s->has_key);
        write_bin(w, SLICE((s->standing == ROSTER_REVOKED ? &s->by : &nobody)->bytes));
        write_cut(w, &s->cut, share);
    }
    free(sites);
}

struct box {
    struct site_id site;
    uint8_t bytes[FLEET_KEY_BOX_BYTES];
};

static int by_box_site(const void *a, const void *b)
{
    return memcmp(&((const struct box *)a)->site, &((const struct box *)b)->site,
                  sizeof(struct site_id));
}

/* The first box of the present key for each member, of those in an entry. */
static uint32_t take_boxes(const struct roster *r, const struct entry *n, struct box *boxes,
                           uint32_t count)
{
    struct err e = {0};
    struct reader in = reader_of(n->boxes, &e);

    for (uint32_t i = 0; i < n->box_count; i++) {
        struct box *next = &boxes[count];
        bool known = false;

        entry_box(&in, &next->site, next->bytes);
        for (uint32_t j = 0; j < count && !known; j++)
            known = site_equal(&boxes[j].site, &next->site);
        count += !known && roster_find(r, &next->site) != NULL;
    }
    return count;
}

static void write_key(struct writer *w, const struct draft *d, const struct roster *r)
{
    struct box *boxes = mem_alloc((r->site_count + 1) * sizeof *boxes);
    uint32_t count = 0;

    write_bin(w, (struct slice){r->key_id, r->rotated ? sizeof r->key_id : 0});
    for (uint32_t i = 0; r->rotated && i < d->placed_count; i++) {
        const struct entry *n = d->folded[i];

        if (draft_tells_key(d, n) && memcmp(n->key_id, r->key_id, sizeof r->key_id) == 0)
            count = take_boxes(r, n, boxes, count);
    }
    qsort(boxes, count, sizeof *boxes, by_box_site);
    write_array(w, count);
    for (uint32_t i = 0; i < count; i++) {
        write_array(w, 2);
        write_bin(w, SLICE(boxes[i].site.bytes));
        write_bin(w, SLICE(boxes[i].bytes));
    }
    free(boxes);
}

/* Only who made it lets somebody in with it. */
static bool is_of_use(const struct roster *r, const struct roster_invite *v, uint64_t now_ms)
{
    return !v->used && !v->withdrawn && roster_find(r, &v->by) != NULL &&
           (v->ends_ms >= now_ms || now_ms - v->ends_ms < INVITE_KEPT_MS);
}

/* Of more than there is room for, the last. */
static void write_invites(struct writer *w, const struct roster *r, uint64_t now_ms)
{
    uint32_t n = 0, passed;

    for (uint32_t i = 0; i < r->invite_count; i++)
        n += is_of_use(r, &r->invites[i], now_ms);
    passed = n > ROSTER_INVITES_MAX ? n - ROSTER_INVITES_MAX : 0;
    write_array(w, n - passed);
    for (uint32_t i = 0; i < r->invite_count; i++) {
        const struct roster_invite *v = &r->invites[i];

        if (!is_of_use(r, v, now_ms))
            continue;
        if (passed > 0) {
            passed--;
            continue;
        }
        write_array(w, 3);
        write_bin(w, SLICE(v->id));
        write_uint(w, v->ends_ms);
        write_bin(w, SLICE(v->by.bytes));
    }
}

static void write_rules(struct writer *w, const struct roster *r)
{
    write_array(w, r->rules.n);
    for (uint32_t i = 0; i < r->rules.n; i++) {
        struct rule_change c = {r->rules.rules[i], true};

        rule_change_write(w, &c);
    }
}

void summary_write(struct writer *w, const struct draft *d, const struct roster *r,
                   uint64_t made_ms)
{
    uint32_t depth = 0, entries = 0;

    for (uint32_t i = 0; i < d->placed_count; i++) {
        const struct entry *n = d->placed[i];

        if (entry_only_acknowledges(n) && !n->has_child)
            continue; /* is not in its past */
        entries++;
        depth = n->depth >= depth ? n->depth + 1 : depth;
    }
    write_uint(w, made_ms);
    write_bin(w, SLICE(r->fleet));
    write_text(w, slice_text(r->fleet_name));
    write_uint(w, depth);
    write_uint(w, r->before + entries);
    write_uint(w, r->rule_entries);
    write_sites(w, r);
    write_key(w, d, r);
    write_invites(w, r, made_ms);
    write_rules(w, r);
}
