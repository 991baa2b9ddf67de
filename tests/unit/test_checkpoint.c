/* Checkpoints: one that all acknowledge takes the place of what was before it, whatever was said,
 * and nobody brings anything in beside it. */
#include "checkpoint.h"
#include "library.h"

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
    assert_int_equal(of[0].before, s.r.entries + 4); /* acknowledgements are none of it */
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
    begin_beside_what_is_old(&s, of, &stale);
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
