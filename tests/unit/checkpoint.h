/* Checkpoints of a busy shop: made, settled and compared, for the tests of what they come to. */
#ifndef NAVETTE_TEST_CHECKPOINT_H
#define NAVETTE_TEST_CHECKPOINT_H

#include "quarrel.h"

#define DAY_MS (UINT64_C(24) * 60 * 60 * 1000)
#define NOW_MS UINT64_C(1700000000000)

static inline void make(struct roster *r, const struct keys *by)
{
    struct err e = {0};

    if (!roster_checkpoint(r, NOW_MS, by, &e))
        fail_msg("%s", e.text);
}

static inline bool settle(struct roster *r, const struct keys *k)
{
    struct err e = {0};
    bool changed, had_to = roster_has_to_settle(r, k);

    if (!roster_settle(r, k, &changed, &e))
        fail_msg("%s", e.text);
    assert_int_equal(changed, had_to);
    return changed;
}

static inline void check_digest(const struct roster *a, const struct roster *b)
{
    uint8_t x[HASH_BYTES], y[HASH_BYTES];

    roster_digest(a, x);
    roster_digest(b, y);
    assert_memory_equal(x, y, HASH_BYTES);
}

/* Everybody hears of everything, and does what he has to, until nobody has anything to do. */
static inline void talk(struct roster *of, const struct keys *k, uint32_t n)
{
    bool again = true;

    for (int round = 0; again; round++) {
        again = false;
        assert_true(round < 10);
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t j = 0; j < n; j++)
                merge(&of[i], &of[j]);
        for (uint32_t i = 0; i < n; i++)
            again |= settle(&of[i], &k[i]);
    }
}

/* The site of `b` that `a` knows, whatever its place. */
static inline void check_same_state(const struct roster *a, const struct roster *b)
{
    assert_int_equal(a->site_count, b->site_count);
    assert_int_equal(a->known_count, b->known_count);
    for (uint32_t i = 0; i < a->known_count; i++) {
        const struct roster_site *x = &a->sites[i], *y = roster_author(b, &x->site);

        assert_non_null(y);
        assert_string_equal(x->name, y->name);
        assert_string_equal(x->mark, y->mark);
        assert_memory_equal(x->exchange_public, y->exchange_public, KEY_BYTES);
        assert_int_equal(x->standing, y->standing);
        assert_true(x->admin == y->admin && x->has_key == y->has_key);
        assert_true(x->contested == y->contested);
        assert_int_equal(x->cut.n, y->cut.n);
        for (uint32_t c = 0; c < x->cut.n; c++) {
            assert_int_equal(x->cut.entries[c].number, y->cut.entries[c].number);
            assert_memory_equal(x->cut.entries[c].hash, y->cut.entries[c].hash, HASH_BYTES);
        }
        for (uint32_t j = 0; j < a->known_count; j++) {
            const struct roster_site *z = roster_author(b, &a->sites[j].site);

            assert_int_equal(x->rank < a->sites[j].rank, y->rank < z->rank);
        }
    }
    assert_memory_equal(a->fleet, b->fleet, sizeof a->fleet);
    assert_string_equal(a->fleet_name, b->fleet_name);
    assert_true(a->rotated == b->rotated && a->key_exposed == b->key_exposed);
    assert_memory_equal(a->key_id, b->key_id, sizeof a->key_id);
    assert_int_equal(a->rules.n, b->rules.n);
    for (uint32_t i = 0; i < a->rules.n; i++)
        assert_true(rule_equal(&a->rules.rules[i], &b->rules.rules[i]));
    assert_int_equal(a->rule_entries, b->rule_entries);
}

/* A (founder), B, C; D was shut out; a rule, a new key, invitations, names. */
static inline void open_busy(struct shop *s)
{
    static const uint8_t open_invite[ROSTER_INVITE_ID_BYTES] = {1},
                         old[ROSTER_INVITE_ID_BYTES] = {2};
    struct actor actor;
    struct rule_change rule = {{.kind = RULE_LOCAL}, true};
    uint8_t key[KEY_BYTES] = {7};
    char name[NAME_BYTES_MAX + 1];
    struct vector cut = {0};
    struct err e = {0};
    bool changed;

    shop_open(s);
    actor = actor_of(&s->k[3], 1);
    enrol(&s->r, &s->k[3], "D", &s->k[1]);
    vector_set(&cut, &actor, 17, key);
    assert_true(rule_target_parse(&rule.rule, "sale", &e));
    assert_true(roster_rules(&s->r, &rule, 1, &s->k[1], &changed, &e) &&
                roster_rename(&s->r, &s->k[2].site, "Comptoir", &s->k[2], name, &e) &&
                roster_admin(&s->r, &s->k[2].site, false, &s->k[0], &e) &&
                roster_revoke(&s->r, &s->k[3].site, &cut, &s->k[0], &e) &&
                roster_seal(&s->r, key, &s->k[1], &e) &&
                roster_invite(&s->r, open_invite, NOW_MS + DAY_MS, &s->k[0], &e) &&
                roster_invite(&s->r, old, NOW_MS - 2 * DAY_MS, &s->k[0], &e));
    rule_close(&rule.rule);
    vector_close(&cut);
}

static inline void open_three(struct shop *s, struct roster of[3])
{
    open_busy(s);
    for (int i = 0; i < 3; i++)
        of[i] = copy_of(&s->r);
}

static inline void close_three(struct shop *s, struct roster of[3])
{
    for (int i = 0; i < 3; i++)
        roster_close(&of[i]);
    roster_close(&s->r);
}

/* C's list begins with a checkpoint of A, as C knows that all three acknowledged it; A, which does
 * not know that yet, takes from `stale`, an older list, a new name that B gave itself there. */
static inline void begin_beside_what_is_old(struct shop *s, struct roster of[3],
                                            struct roster *stale)
{
    char name[NAME_BYTES_MAX + 1];
    struct err e = {0};

    make(&of[0], &s->k[0]);
    for (int i = 1; i < 3; i++) {
        merge(&of[i], &of[i - 1]);
        settle(&of[i], &s->k[i]);
    }
    assert_true(of[2].before > 0);
    assert_true(roster_rename(stale, &s->k[1].site, "Faux", &s->k[1], name, &e));
    merge(&of[0], stale);
}

/* The checkpoint in a log, which it borrows. */
static inline struct entry checkpoint_in(const struct roster *r)
{
    struct err e = {0};
    struct reader log = reader_of(buf_slice(&r->log), &e);
    struct entry n = {0};

    while (n.kind != ENTRY_CHECKPOINT) {
        n = (struct entry){0};
        assert_true(entry_read(&log, &n));
    }
    return n;
}

/* The checkpoint of `true_one`, with one letter of a name changed, of all of `r`. */
static inline void write_lie(struct buf *item, const struct roster *true_one,
                             const struct roster *r, const struct keys *by)
{
    uint8_t signature[SIGNATURE_BYTES];
    struct entry n = checkpoint_in(true_one);
    struct buf entry;
    struct writer w = {&entry};

    buf_open(&entry, ROSTER_CHECKPOINT_BYTES_MAX);
    buf_open(item, ROSTER_BYTES_MAX);
    entry_begin(&w, r, ENTRY_CHECKPOINT, n.field_count, by);
    buf_add(&entry, n.fields.p, n.fields.n);
    for (size_t at = 0; at + 8 < entry.n; at++)
        if (memcmp(entry.p + at, "Comptoir", 8) == 0)
            entry.p[at] = 'D';
    keys_sign(by, ROSTER_CONTEXT, buf_slice(&entry), signature);
    item_write(item, buf_slice(&entry), signature);
    buf_close(&entry);
}

#endif
