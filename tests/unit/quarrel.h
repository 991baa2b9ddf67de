/* A shop whose admins quarrel: who is in it, for the tests of what counts. */
#ifndef NAVETTE_TEST_QUARREL_H
#define NAVETTE_TEST_QUARREL_H

#include "../../protocol/entry.h"

#include "random.h"
#include "shop.h"

#define PCS 6

/* A founder and two members, everybody an admin. */
struct shop {
    struct keys k[PCS];
    struct roster r;
};

static inline void shop_open(struct shop *s)
{
    struct err e = {0};

    for (int i = 0; i < PCS; i++)
        s->k[i] = keys_counting_from((uint8_t)(32 * i));
    s->r = (struct roster){0};
    assert_true(roster_create(&s->r, "Boutique", "A", &s->k[0], &e));
    enrol(&s->r, &s->k[1], "B", &s->k[0]);
    enrol(&s->r, &s->k[2], "C", &s->k[1]);
}

static inline void merge(struct roster *into, const struct roster *from)
{
    struct err e = {0};
    bool changed;

    assert_true(roster_merge(into, buf_slice(&from->log), &changed, &e));
}

static inline struct actor actor_of(const struct keys *k, uint8_t incarnation)
{
    struct actor a = {{0}};

    memcpy(&a, &k->site, sizeof k->site);
    ((uint8_t *)&a)[sizeof a - 1] = incarnation;
    return a;
}

static const char *const pc_names[PCS] = {"A", "B", "C", "D", "E", "F"};

static inline void check_same_sites(const struct roster *a, const struct roster *b)
{
    assert_int_equal(a->site_count, b->site_count);
    assert_int_equal(a->known_count, b->known_count);
    for (uint32_t i = 0; i < a->known_count; i++) {
        const struct roster_site *x = &a->sites[i], *y = &b->sites[i];

        assert_memory_equal(&x->site, &y->site, sizeof x->site);
        assert_string_equal(x->name, y->name);
        assert_string_equal(x->mark, y->mark);
        assert_int_equal(x->standing, y->standing);
        assert_true(x->admin == y->admin && x->has_key == y->has_key);
        assert_memory_equal(&x->by, &y->by, sizeof x->by);
        assert_int_equal(x->cut.n, y->cut.n);
        for (uint32_t k = 0; k < x->cut.n; k++)
            assert_int_equal(x->cut.entries[k].number, y->cut.entries[k].number);
    }
}

/* What must hold of any roster. */
static inline void check_sound(const struct roster *r)
{
    uint32_t admins = 0;

    for (uint32_t i = 0; i < r->known_count; i++) {
        const struct roster_site *s = &r->sites[i];

        assert_true((s->standing == ROSTER_MEMBER) == (i < r->site_count));
        assert_true(i < r->site_count || (!s->admin && roster_find(r, &s->site) == NULL));
        assert_true(s->standing != ROSTER_MEMBER || s->cut.n == 0);
        admins += s->admin;
        if (i < r->site_count)
            assert_ptr_equal(roster_find_name(r, s->name), s);
    }
    assert_true(admins > 0);
}

static inline void write_anything(struct writer *w, struct random_source *random,
                                  enum entry_kind kind, struct keys k[PCS])
{
    uint32_t who = random_below(random, PCS);
    struct actor a = actor_of(&k[who], 1);
    struct vector cut = {0};
    uint8_t bytes[FLEET_KEY_BOX_BYTES] = {(uint8_t)random_below(random, 3)};

    if (kind == ENTRY_ENROL) {
        write_bin(w, SLICE(k[who].sign_public));
        write_bin(w, SLICE(k[who].exchange_public));
        write_text(w, slice_text(pc_names[random_below(random, PCS)]));
        write_bin(w, (struct slice){bytes, ROSTER_INVITE_ID_BYTES});
    } else if (kind == ENTRY_INVITE || kind == ENTRY_WITHDRAW) {
        write_bin(w, (struct slice){bytes, ROSTER_INVITE_ID_BYTES});
        if (kind == ENTRY_INVITE)
            write_uint(w, random_below(random, 1000));
    } else if (kind == ENTRY_ROTATE) {
        write_bin(w, (struct slice){bytes, FLEET_KEY_ID_BYTES});
        write_array(w, 1);
        write_array(w, 2);
        write_bin(w, SLICE(k[who].site.bytes));
        write_bin(w, SLICE(bytes));
    } else {
        write_bin(w, SLICE(k[who].site.bytes));
        if (kind == ENTRY_REVOKE && random_below(random, 3) > 0)
            vector_set(&cut, &a, 1 + random_below(random, 9), NULL);
        if (kind == ENTRY_REVOKE)
            vector_write(w, &cut);
        else if (kind == ENTRY_ADMIN)
            write_bool(w, random_below(random, 3) == 0);
        else
            write_text(w, slice_text(pc_names[random_below(random, PCS)]));
    }
    vector_close(&cut);
}

/* Anybody whom somebody once enrolled says anything, as if he knew no more than `r`. */
static inline void say_anything(struct roster *r, struct random_source *random, struct keys k[PCS])
{
    static const struct {
        enum entry_kind kind;
        uint32_t fields;
    } kinds[] = {{ENTRY_REVOKE, 2}, {ENTRY_REVOKE, 2},  {ENTRY_ADMIN, 2},  {ENTRY_ADMIN, 2},
                 {ENTRY_ENROL, 4},  {ENTRY_ENROL, 4},   {ENTRY_RENAME, 2}, {ENTRY_ROTATE, 2},
                 {ENTRY_INVITE, 2}, {ENTRY_WITHDRAW, 1}};
    uint32_t at = random_below(random, COUNT_OF(kinds)), who = random_below(random, PCS);
    struct buf entry;
    struct writer w = {&entry};
    struct err e = {0};

    buf_open(&entry, ROSTER_ENTRY_BYTES_MAX);
    entry_begin(&w, r, kinds[at].kind, kinds[at].fields, &k[who]);
    write_anything(&w, random, kinds[at].kind, k);
    if (!entry_append(r, &entry, &k[who], &e))
        assert_int_equal(e.code, ERR_STRANGER);
    buf_close(&entry);
}

#define SIDES 3

/* A split in which everybody says anything, healed. */
static inline struct roster quarrel(struct random_source *random, struct keys k[PCS])
{
    struct roster sides[SIDES];
    struct shop s;

    shop_open(&s);
    memcpy(k, s.k, sizeof s.k);
    for (int i = 0; i < SIDES; i++)
        sides[i] = copy_of(&s.r);
    for (uint32_t n = 12 + random_below(random, 16); n > 0; n--) {
        uint32_t i = random_below(random, SIDES);

        if (random_below(random, 6) == 0)
            merge(&sides[i], &sides[random_below(random, SIDES)]);
        else
            say_anything(&sides[i], random, k);
        check_sound(&sides[i]);
    }
    for (int i = 0; i < SIDES; i++) {
        merge(&s.r, &sides[i]);
        roster_close(&sides[i]);
    }
    check_sound(&s.r);
    return s.r;
}

#endif
