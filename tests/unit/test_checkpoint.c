/* Checkpoints: one that all acknowledge takes the place of what was before it, whatever was said,
 * and nobody brings anything in beside it. Also of base.c. */
#include "library.h"
#include "quarrel.h"

#define DAY_MS (UINT64_C(24) * 60 * 60 * 1000)
#define NOW_MS UINT64_C(1700000000000)

static void make(struct roster *r, const struct keys *by)
{
    struct err e = {0};

    if (!roster_checkpoint(r, NOW_MS, by, &e))
        fail_msg("%s", e.text);
}

static bool settle(struct roster *r, const struct keys *k)
{
    struct err e = {0};
    bool changed;

    if (!roster_settle(r, k, &changed, &e))
        fail_msg("%s", e.text);
    return changed;
}

static void check_digest(const struct roster *a, const struct roster *b)
{
    uint8_t x[HASH_BYTES], y[HASH_BYTES];

    roster_digest(a, x);
    roster_digest(b, y);
    assert_memory_equal(x, y, HASH_BYTES);
}

/* Everybody hears of everything, and does what he has to, until nobody has anything to do. */
static void talk(struct roster *of, const struct keys *k, uint32_t n)
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
static void check_same_state(const struct roster *a, const struct roster *b)
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
static void open_busy(struct shop *s)
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

static void open_three(struct shop *s, struct roster of[3])
{
    open_busy(s);
    for (int i = 0; i < 3; i++)
        of[i] = copy_of(&s->r);
}

static void close_three(struct shop *s, struct roster of[3])
{
    for (int i = 0; i < 3; i++)
        roster_close(&of[i]);
    roster_close(&s->r);
}

static void what_all_acknowledge_is_what_the_list_begins_with(void **state)
{
    static const uint8_t invite[ROSTER_INVITE_ID_BYTES] = {1};
    struct roster of[3], again;
    struct shop s;
    uint8_t key[KEY_BYTES], expected[KEY_BYTES] = {7};

    (void)state;
    open_three(&s, of);
    make(&of[0], &s.k[0]);
    assert_int_equal(of[0].before, 0);
    talk(of, s.k, 3);
    for (int i = 0; i < 3; i++) {
        check_digest(&of[i], &of[0]);
        check_same_state(&of[i], &s.r);
        assert_int_equal(of[i].before, s.r.entries);
        assert_int_equal(of[i].entries, 4); /* and three acknowledgements */
        assert_int_equal(of[i].invite_count, 1);
        assert_non_null(roster_find_invite(&of[i], invite));
        assert_true(roster_open_key(&of[i], &s.k[i], key));
        assert_memory_equal(key, expected, KEY_BYTES);
    }
    again = copy_of(&of[1]);
    check_same_state(&again, &s.r);
    check_digest(&again, &of[0]);
    roster_close(&again);
    close_three(&s, of);
}

static void life_goes_on_behind_it_and_another_one_follows(void **state)
{
    struct roster of[4];
    struct shop s;
    uint8_t key[KEY_BYTES] = {9};
    struct vector cut = {0};
    struct err e = {0};

    (void)state;
    open_three(&s, of);
    make(&of[0], &s.k[0]);
    talk(of, s.k, 3);
    enrol(&of[1], &s.k[4], "D", &s.k[1]);
    assert_string_equal(roster_find(&of[1], &s.k[4].site)->name, "D-2"); /* D was one's for good */
    of[3] = copy_of(&of[1]);
    assert_true(roster_revoke(&of[1], &s.k[2].site, &cut, &s.k[1], &e) &&
                roster_seal(&of[1], key, &s.k[1], &e));
    merge(&of[0], &of[1]);
    merge(&of[3], &of[1]);
    make(&of[0], &s.k[0]);
    for (int i = 0; i < 3; i++) {
        struct roster *r = &of[i == 2 ? 3 : i];
        const struct keys *k = &s.k[i == 2 ? 4 : i];

        merge(r, &of[0]);
        settle(r, k);
        merge(&of[0], r);
    }
    settle(&of[0], &s.k[0]);
    assert_int_equal(of[0].entries, 4);
    assert_true(of[0].before > s.r.entries + 4);
    assert_int_equal(of[0].site_count, 3);
    assert_int_equal(roster_author(&of[0], &s.k[2].site)->standing, ROSTER_REVOKED);
    assert_int_equal(roster_author(&of[0], &s.k[3].site)->cut.entries[0].number, 17);
    roster_close(&of[3]);
    close_three(&s, of);
}

static void who_is_away_is_waited_for_until_he_is_shut_out(void **state)
{
    struct roster_checkpoint c;
    struct vector cut = {0};
    struct roster of[3];
    struct err e = {0};
    struct shop s;

    (void)state;
    open_three(&s, of);
    make(&of[0], &s.k[0]);
    talk(of, s.k, 2);
    roster_checkpoint_look(&of[1], &c);
    assert_true(c.pending && !c.hopeless && c.missing_count == 1 && c.made_ms == NOW_MS);
    assert_memory_equal(&c.missing[0], &s.k[2].site, sizeof c.missing[0]);
    assert_memory_equal(&c.by, &s.k[0].site, sizeof c.by);
    assert_int_equal(of[1].before, 0);
    assert_false(roster_checkpoint(&of[1], NOW_MS, &s.k[1], &e));
    assert_int_equal(e.code, ERR_REFUSED);

    err_clear(&e);
    assert_true(roster_revoke(&of[1], &s.k[2].site, &cut, &s.k[1], &e));
    roster_checkpoint_look(&of[1], &c);
    assert_true(c.pending && c.hopeless);
    make(&of[1], &s.k[1]);
    talk(of, s.k, 2);
    assert_int_equal(of[0].entries, 3);
    roster_checkpoint_look(&of[0], &c);
    assert_false(c.pending);
    close_three(&s, of);
}

static void what_one_said_without_knowing_of_it_is_not_lost(void **state)
{
    struct roster_checkpoint c;
    struct roster of[3];
    char name[NAME_BYTES_MAX + 1];
    struct err e = {0};
    struct shop s;

    (void)state;
    open_three(&s, of);
    make(&of[0], &s.k[0]);
    assert_true(roster_rename(&of[2], &s.k[2].site, "Reserve", &s.k[2], name, &e));
    talk(of, s.k, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(of[i].before, 0);
        assert_string_equal(roster_find(&of[i], &s.k[2].site)->name, "Reserve");
    }
    roster_checkpoint_look(&of[0], &c);
    assert_true(c.pending && c.hopeless);
    make(&of[1], &s.k[1]);
    talk(of, s.k, 3);
    assert_true(of[0].before > 0);
    assert_string_equal(roster_find(&of[0], &s.k[2].site)->name, "Reserve");
    close_three(&s, of);
}

static void what_stolen_keys_say_beside_it_counts_nothing(void **state)
{
    struct roster of[3], stale;
    struct vector cut = {0};
    struct err e = {0};
    struct shop s;
    bool changed;

    (void)state;
    open_three(&s, of);
    stale = copy_of(&s.r);
    make(&of[0], &s.k[0]);
    talk(of, s.k, 3);
    assert_true(roster_revoke(&stale, &s.k[0].site, &cut, &s.k[1], &e));
    for (int i = 0; i < 3; i++) {
        assert_true(roster_merge(&of[i], buf_slice(&stale.log), &changed, &e));
        assert_false(changed);
        assert_true(roster_take(&of[i], buf_slice(&stale.log), &changed, &e));
        assert_false(changed);
        assert_int_equal(of[i].site_count, 3);
        check_digest(&of[i], &of[0]);
    }
    roster_close(&stale);
    close_three(&s, of);
}

/* It came to one before the last acknowledgement did; what he built on it he says anew. */
static void what_was_said_on_top_of_it_is_said_anew(void **state)
{
    struct roster of[3], stale;
    char name[NAME_BYTES_MAX + 1];
    struct err e = {0};
    struct shop s;

    (void)state;
    open_three(&s, of);
    stale = copy_of(&s.r);
    make(&of[0], &s.k[0]);
    merge(&of[1], &of[0]);
    settle(&of[1], &s.k[1]);
    merge(&of[2], &of[1]);
    settle(&of[2], &s.k[2]); /* all have: it begins with it */
    assert_true(of[2].before > 0);
    assert_true(roster_rename(&stale, &s.k[1].site, "Faux", &s.k[1], name, &e));
    merge(&of[0], &stale);
    assert_true(roster_rename(&of[0], &s.k[0].site, "Caisse", &s.k[0], name, &e));
    talk(of, s.k, 3);
    for (int i = 0; i < 3; i++) {
        check_digest(&of[i], &of[0]);
        assert_true(of[i].before > 0);
        assert_string_equal(roster_find(&of[i], &s.k[0].site)->name, "Caisse");
        assert_string_equal(roster_find(&of[i], &s.k[1].site)->name, "B");
    }
    roster_close(&stale);
    close_three(&s, of);
}

/* The checkpoint of `true_one`, with one letter of a name changed, of all of `r`. */
static void write_lie(struct buf *item, const struct roster *true_one, const struct roster *r,
                      const struct keys *by)
{
    uint8_t signature[SIGNATURE_BYTES];
    struct err e = {0};
    struct reader log = reader_of(buf_slice(&true_one->log), &e);
    struct entry n = {0};
    struct buf entry;
    struct writer w = {&entry};

    while (n.kind != ENTRY_CHECKPOINT) {
        n = (struct entry){0};
        assert_true(entry_read(&log, &n));
    }
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

/* Whoever made it alone would shut the others out: so nobody believes what he did not look at. */
static void a_lie_is_not_acknowledged(void **state)
{
    struct roster of[3], lies;
    struct buf item;
    struct vector cut = {0};
    struct err e = {0};
    struct shop s;
    bool changed;

    (void)state;
    open_three(&s, of);
    lies = copy_of(&s.r);
    make(&lies, &s.k[1]);
    write_lie(&item, &lies, &s.r, &s.k[1]);
    for (int i = 0; i < 3; i++)
        assert_true(roster_merge(&of[i], buf_slice(&item), &changed, &e) && changed);
    buf_close(&item);
    talk(of, s.k, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(of[i].before, 0);
        assert_int_equal(of[i].entries, s.r.entries + 1);
        assert_string_equal(roster_find(&of[i], &s.k[2].site)->name, "Comptoir");
    }
    /* A thief who shuts all others out and makes one of that is alone with it. */
    roster_close(&lies);
    lies = copy_of(&s.r);
    assert_true(roster_revoke(&lies, &s.k[0].site, &cut, &s.k[1], &e) &&
                roster_revoke(&lies, &s.k[2].site, &cut, &s.k[1], &e));
    make(&lies, &s.k[1]);
    assert_int_equal(lies.entries, 2);
    assert_false(roster_merge(&of[0], buf_slice(&lies.log), &changed, &e));
    assert_int_equal(e.code, ERR_GAP);
    err_clear(&e);
    assert_false(roster_adopt(&of[0], buf_slice(&lies.log), &s.k[0], &e));
    assert_int_equal(e.code, ERR_STRANGER);
    assert_int_equal(of[0].site_count, 3);
    roster_close(&lies);
    close_three(&s, of);
}

static void a_list_that_went_back_becomes_the_others_and_never_an_older_one(void **state)
{
    struct roster of[3], first, back;
    char name[NAME_BYTES_MAX + 1];
    struct err e = {0};
    struct shop s;
    bool changed;

    (void)state;
    open_three(&s, of);
    back = copy_of(&s.r);
    assert_true(roster_rename(&of[0], &s.k[0].site, "Caisse", &s.k[0], name, &e));
    make(&of[0], &s.k[0]);
    talk(of, s.k, 3);
    first = copy_of(&of[0]);
    assert_false(roster_take(&back, buf_slice(&first.log), &changed, &e));
    assert_int_equal(e.code, ERR_GAP);
    err_clear(&e);
    assert_true(roster_adopt(&back, buf_slice(&first.log), &s.k[2], &e));
    check_digest(&back, &first);

    assert_true(roster_rename(&of[1], &s.k[1].site, "Bureau", &s.k[1], name, &e));
    make(&of[1], &s.k[1]);
    talk(of, s.k, 3);
    assert_false(roster_take(&back, buf_slice(&of[0].log), &changed, &e));
    assert_int_equal(e.code, ERR_GAP);
    err_clear(&e);
    assert_true(roster_adopt(&back, buf_slice(&of[0].log), &s.k[2], &e));
    check_digest(&back, &of[0]);
    assert_true(roster_take(&back, buf_slice(&first.log), &changed, &e) && !changed);
    assert_false(roster_adopt(&back, buf_slice(&first.log), &s.k[2], &e));
    assert_int_equal(e.code, ERR_STRANGER);
    check_digest(&back, &of[0]);
    /* Who was shut out before it has acknowledged nothing. */
    err_clear(&e);
    roster_close(&back);
    back = copy_of(&s.r);
    assert_false(roster_adopt(&back, buf_slice(&first.log), &s.k[3], &e));
    assert_int_equal(e.code, ERR_STRANGER);
    roster_close(&back);
    roster_close(&first);
    close_three(&s, of);
}

static void another_fleets_list_is_refused_behind_one_too(void **state)
{
    struct roster of[3], other;
    struct keys k = keys_counting_from(200);
    struct err e = {0};
    struct shop s;
    bool changed;

    (void)state;
    open_three(&s, of);
    make(&of[0], &s.k[0]);
    talk(of, s.k, 3);
    other = shop_of(&k);
    assert_false(roster_merge(&of[0], buf_slice(&other.log), &changed, &e));
    assert_int_equal(e.code, ERR_STRANGER);
    make(&other, &k);
    assert_true(other.before == 1 && other.entries == 2);
    err_clear(&e);
    assert_false(roster_merge(&of[0], buf_slice(&other.log), &changed, &e));
    assert_int_equal(e.code, ERR_STRANGER);
    err_clear(&e);
    assert_false(roster_adopt(&of[0], buf_slice(&other.log), &s.k[0], &e));
    assert_int_equal(e.code, ERR_STRANGER);
    roster_close(&other);
    close_three(&s, of);
}

static bool is_contested(const struct roster *r)
{
    bool found = false;

    for (uint32_t i = 0; i < r->site_count; i++)
        found |= r->sites[i].contested;
    return found;
}

/* A member whose list has all that was ever said, and begins with the checkpoint only now. False:
 * none of those is a member any more. */
static bool begins_late(struct roster *whole, const struct roster *others,
                        const struct keys *members, uint32_t n)
{
    merge(whole, others);
    assert_int_equal(whole->before, 0);
    for (uint32_t i = 0; i < n; i++)
        if (roster_find(whole, &members[i].site) != NULL) {
            assert_true(settle(whole, &members[i]));
            check_digest(whole, others);
            check_same_state(whole, others);
            return true;
        }
    return false;
}

/* All of a quarrel is summed up; and who hears of that last comes to the same, whatever was said
 * meanwhile. */
static void whatever_was_said_it_comes_to_the_same(void **state)
{
    struct random_source random = {test_seed(20261122)};
    uint32_t done = 0, gone = 0, voids = 0, late = 0;

    (void)state;
    for (int fleet = 0; fleet < 1000; fleet++) {
        struct keys k[PCS];
        struct roster whole = quarrel(&random, k), of[PCS], before;
        struct keys member[PCS];
        uint32_t n = whole.site_count;
        const struct keys *by = NULL;

        for (uint32_t i = 0; i < n; i++)
            for (uint32_t j = 0; j < PCS; j++)
                if (site_equal(&k[j].site, &whole.sites[i].site)) {
                    member[i] = k[j];
                    by = whole.sites[i].admin ? &k[j] : by;
                }
        if (is_contested(&whole)) {
            struct err e = {0};

            assert_false(roster_checkpoint(&whole, NOW_MS, by, &e));
            assert_int_equal(e.code, ERR_REFUSED);
            roster_close(&whole);
            continue;
        }
        before = copy_of(&whole);
        for (uint32_t i = 0; i < n; i++)
            of[i] = copy_of(&whole);
        for (uint32_t i = 0; i < n; i++)
            if (site_equal(&member[i].site, &by->site))
                make(&of[i], by);
        for (uint32_t i = 0; i < n; i++)
            merge(&whole, &of[i]);
        talk(of, member, n);
        for (uint32_t i = 0; i < n; i++) {
            check_digest(&of[i], &of[0]);
            check_same_state(&of[i], &before);
            check_sound(&of[i]);
            assert_true(of[i].before > 0);
        }
        for (int j = 0; j < 12; j++)
            say_anything(&of[0], &random, k);
        late += begins_late(&whole, &of[0], member, n);
        gone += before.known_count > before.site_count;
        voids += before.void_entries > 0;
        done++;
        for (uint32_t i = 0; i < n; i++)
            roster_close(&of[i]);
        roster_close(&before);
        roster_close(&whole);
    }
    assert_true(done > 500 && gone > 200 && voids > 200 && late > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_all_acknowledge_is_what_the_list_begins_with),
        cmocka_unit_test(life_goes_on_behind_it_and_another_one_follows),
        cmocka_unit_test(who_is_away_is_waited_for_until_he_is_shut_out),
        cmocka_unit_test(what_one_said_without_knowing_of_it_is_not_lost),
        cmocka_unit_test(what_stolen_keys_say_beside_it_counts_nothing),
        cmocka_unit_test(what_was_said_on_top_of_it_is_said_anew),
        cmocka_unit_test(a_lie_is_not_acknowledged),
        cmocka_unit_test(a_list_that_went_back_becomes_the_others_and_never_an_older_one),
        cmocka_unit_test(another_fleets_list_is_refused_behind_one_too),
        cmocka_unit_test(whatever_was_said_it_comes_to_the_same),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
