/* Also of room.c. */
#include <navette/roster.h>

#include "library.h"
#include "renames.h"
#include "shop.h"

#define MEMBERS 6

static void merge(struct roster *into, const struct roster *from)
{
    struct err e = {0};
    bool changed;

    assert_true(roster_merge(into, buf_slice(&from->log), &changed, &e));
}

/* Equal as a peer would see it: everything but the order of arrival. */
static void check_same(const struct roster *a, const struct roster *b)
{
    uint8_t digest_a[HASH_BYTES], digest_b[HASH_BYTES];

    roster_digest(a, digest_a);
    roster_digest(b, digest_b);
    assert_memory_equal(digest_a, digest_b, HASH_BYTES);
    assert_int_equal(a->entries, b->entries);
    assert_int_equal(a->head_count, b->head_count);
    assert_memory_equal(a->heads, b->heads, a->head_count * sizeof *a->heads);
    assert_memory_equal(a->fleet, b->fleet, sizeof a->fleet);
    assert_string_equal(a->fleet_name, b->fleet_name);
    assert_int_equal(a->site_count, b->site_count);
    for (uint32_t i = 0; i < a->site_count; i++) {
        assert_memory_equal(&a->sites[i].site, &b->sites[i].site, sizeof a->sites[i].site);
        assert_string_equal(a->sites[i].name, b->sites[i].name);
    }
    assert_int_equal(a->invite_count, b->invite_count);
    for (uint32_t i = 0; i < a->invite_count; i++) {
        assert_memory_equal(a->invites[i].id, b->invites[i].id, sizeof a->invites[i].id);
        assert_true(a->invites[i].used == b->invites[i].used);
    }
}

static void a_roster_is_that_of_the_worked_example(void **state)
{
    struct keys a = keys_counting_from(0), b = keys_counting_from(32);
    uint8_t digest[HASH_BYTES], invite[ROSTER_INVITE_ID_BYTES];
    char name[NAME_BYTES_MAX + 1];
    struct roster r = {0};
    struct err e = {0};

    (void)state;
    golden_take("token.txt", "id", invite, sizeof invite);
    golden_random_from(0x10);
    assert_true(roster_create(&r, "Boutique", "CAISSE01", &a, &e));
    golden_random_end();
    assert_true(roster_invite(&r, invite, 1700000900000, &a, &e));
    assert_true(
        roster_enrol(&r, b.sign_public, b.exchange_public, "COMPTA01", invite, &a, name, &e));
    golden_check("roster.txt", "log", buf_slice(&r.log));
    golden_check("roster.txt", "fleet", SLICE(r.fleet));
    golden_check("roster.txt", "create_hash", SLICE(r.hashes[0]));
    golden_check("roster.txt", "invite_hash", SLICE(r.hashes[1]));
    golden_check("roster.txt", "enrol_hash", SLICE(r.hashes[2]));
    roster_digest(&r, digest);
    golden_check("roster.txt", "digest", SLICE(digest));
    roster_close(&r);
}

static void the_log_of_the_worked_example_gives_its_members(void **state)
{
    struct keys a = keys_counting_from(0), b = keys_counting_from(32);
    struct buf log = {0};
    struct roster r = {0};
    struct err e = {0};

    (void)state;
    golden_find("roster.txt", "log", 0, &log);
    assert_true(roster_load(&r, buf_slice(&log), &e));
    assert_string_equal(r.fleet_name, "Boutique");
    assert_int_equal(r.site_count, 2);
    assert_string_equal(roster_find(&r, &a.site)->name, "CAISSE01");
    assert_string_equal(roster_find(&r, &b.site)->name, "COMPTA01");
    assert_memory_equal(roster_find(&r, &b.site)->sign_public, b.sign_public, SIGN_PUBLIC_BYTES);
    assert_memory_equal(roster_find(&r, &b.site)->exchange_public, b.exchange_public, KEY_BYTES);
    assert_true(roster_find(&r, &b.site)->admin);
    assert_ptr_equal(roster_find_name(&r, "compta01"), roster_find(&r, &b.site));
    assert_null(roster_find_name(&r, "COMPTA0"));
    assert_int_equal(r.invite_count, 1);
    assert_true(r.invites[0].ends_ms == 1700000900000 && r.invites[0].used);
    assert_memory_equal(&r.invites[0].by, &a.site, sizeof a.site);
    buf_close(&log);
    roster_close(&r);
}

static void two_fleets_of_one_name_differ(void **state)
{
    struct keys k = keys_counting_from(0);
    struct roster a = shop_of(&k), b = shop_of(&k);
    struct err e = {0};
    bool changed = true;
    size_t n = a.log.n;

    (void)state;
    assert_memory_not_equal(a.fleet, b.fleet, sizeof a.fleet);
    assert_false(roster_merge(&a, buf_slice(&b.log), &changed, &e));
    assert_int_equal(e.code, ERR_STRANGER);
    assert_false(changed);
    assert_int_equal(a.log.n, n);
    assert_int_equal(a.entries, 1);
    roster_close(&a);
    roster_close(&b);
}

static void a_name_that_is_taken_gets_a_number(void **state)
{
    struct keys k = keys_counting_from(0), others[3];
    struct roster r = shop_of(&k);
    char name[NAME_BYTES_MAX + 1], long_name[NAME_BYTES_MAX + 1];
    struct err e = {0};

    (void)state;
    for (int i = 0; i < 3; i++)
        others[i] = keys_counting_from((uint8_t)(40 * i + 40));
    assert_true(roster_enrol(&r, others[0].sign_public, others[0].exchange_public, "caisse01",
                             no_invite, &k, name, &e));
    assert_string_equal(name, "caisse01-2");
    /* The number needs two bytes, and byte 62 is in the middle of a character: that one goes whole.
     */
    memset(long_name, 'x', sizeof long_name);
    memcpy(long_name + 61, "\xC3\xA9x", 4);
    assert_true(roster_enrol(&r, others[1].sign_public, others[1].exchange_public, long_name,
                             no_invite, &k, name, &e));
    assert_string_equal(name, long_name);
    assert_true(roster_enrol(&r, others[2].sign_public, others[2].exchange_public, long_name,
                             no_invite, &k, name, &e));
    assert_memory_equal(name, long_name, 61);
    assert_string_equal(name + 61, "-2");
    assert_string_equal(roster_find(&r, &others[2].site)->name, name);
    roster_close(&r);
}

static void a_bad_name_is_refused(void **state)
{
    struct keys k = keys_counting_from(0), other = keys_counting_from(32);
    struct roster none = {0}, r = shop_of(&k);
    char name[NAME_BYTES_MAX + 1];
    struct err e = {0};

    (void)state;
    assert_false(roster_create(&none, "", "CAISSE01", &k, &e));
    assert_int_equal(e.code, ERR_INPUT);
    assert_int_equal(none.entries, 0);
    err_clear(&e);
    assert_false(roster_enrol(&r, other.sign_public, other.exchange_public, "a\nb", no_invite, &k,
                              name, &e));
    assert_int_equal(e.code, ERR_INPUT);
    assert_int_equal(r.entries, 1);
    roster_close(&r);
}

static void enrolling_a_member_again_changes_nothing(void **state)
{
    struct keys k = keys_counting_from(0), other = keys_counting_from(32);
    struct roster r = shop_of(&k);
    char name[NAME_BYTES_MAX + 1];
    struct err e = {0};

    (void)state;
    enrol(&r, &other, "COMPTA01", &k);
    assert_true(roster_enrol(&r, other.sign_public, other.exchange_public, "ANOTHER", no_invite, &k,
                             name, &e));
    assert_string_equal(name, "COMPTA01");
    assert_int_equal(r.entries, 2);
    assert_false(roster_enrol(&r, other.sign_public, k.exchange_public, "COMPTA01", no_invite, &k,
                              name, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    roster_close(&r);
}

static void every_member_may_invite_and_enrol_and_nobody_else(void **state)
{
    struct keys k = keys_counting_from(0), second = keys_counting_from(32),
                third = keys_counting_from(64);
    struct roster r = shop_of(&k);
    char name[NAME_BYTES_MAX + 1];
    struct err e = {0};

    (void)state;
    assert_false(roster_enrol(&r, third.sign_public, third.exchange_public, "X", no_invite, &second,
                              name, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    assert_int_equal(r.entries, 1);
    err_clear(&e);
    assert_false(roster_invite(&r, (const uint8_t *)"12345678", 1, &second, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    enrol(&r, &second, "COMPTA01", &k);
    enrol(&r, &third, "DEPOT", &second);
    assert_non_null(roster_find(&r, &third.site));
    roster_close(&r);
}

/* Entries that `k` makes without end, as far as the roster takes them. */
static uint32_t renames_until_full(struct roster *r, const struct keys *k, uint32_t n)
{
    struct buf log;
    bool changed = false;
    struct err e = {0};

    assert_int_equal(r->head_count, 1);
    renames_write(&log, r, k, n);
    if (!roster_merge(r, buf_slice(&log), &changed, &e))
        assert_int_equal(e.code, ERR_LIMIT);
    buf_close(&log);
    return r->entries;
}

static void a_member_who_fills_the_roster_is_shut_out_all_the_same(void **state)
{
    struct keys k = keys_counting_from(0), bad = keys_counting_from(32),
                late = keys_counting_from(64);
    struct roster r = shop_of(&k), other = {0};
    struct vector cut = {0};
    char name[NAME_BYTES_MAX + 1];
    struct err e = {0};

    (void)state;
    enrol(&r, &bad, "COMPTA01", &k);
    assert_int_equal(renames_until_full(&r, &bad, ROSTER_ORDINARY_MAX - 2), ROSTER_ORDINARY_MAX);
    assert_int_equal(renames_until_full(&r, &bad, 1), ROSTER_ORDINARY_MAX);
    assert_false(
        roster_enrol(&r, late.sign_public, late.exchange_public, "DEPOT", no_invite, &k, name, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    err_clear(&e);
    other = copy_of(&r);
    if (!roster_revoke(&r, &bad.site, &cut, &k, &e))
        fail_msg("%s", e.text);
    assert_null(roster_find(&r, &bad.site));
    assert_int_equal(r.entries, ROSTER_ORDINARY_MAX + 1);
    merge(&other, &r); /* another PC takes it */
    assert_null(roster_find(&other, &bad.site));
    roster_close(&other);
    roster_close(&r);
}

/* Whoever comes after the attacker has no room kept: nobody may make himself sites that have. */
static void room_is_kept_for_the_most_senior_sites_only(void **state)
{
    struct keys keys[ROSTER_SENIORS + 2];
    struct roster r;
    struct vector cut = {0};
    struct err e = {0};

    (void)state;
    for (uint32_t i = 0; i < COUNT_OF(keys); i++)
        keys[i] = keys_counting_from((uint8_t)(7 * i));
    r = shop_of(&keys[0]);
    for (uint32_t i = 1; i < COUNT_OF(keys); i++) {
        char name[16];

        snprintf(name, sizeof name, "PC%u", i);
        enrol(&r, &keys[i], name, &keys[0]);
    }
    renames_until_full(&r, &keys[1], ROSTER_ORDINARY_MAX - r.entries);
    assert_false(roster_revoke(&r, &keys[1].site, &cut, &keys[ROSTER_SENIORS], &e));
    assert_int_equal(e.code, ERR_LIMIT);
    err_clear(&e);
    if (!roster_revoke(&r, &keys[1].site, &cut, &keys[ROSTER_SENIORS - 1], &e))
        fail_msg("%s", e.text);
    assert_null(roster_find(&r, &keys[1].site));
    roster_close(&r);
}

/* With more of them than fit into an entry, a site was irrevocable. */
static void a_member_with_a_thousand_names_of_its_own_is_revoked(void **state)
{
    struct keys k = keys_counting_from(0), bad = keys_counting_from(32);
    struct roster r = shop_of(&k);
    const struct roster_site *gone;
    struct vector cut = {0};
    struct err e = {0};

    (void)state;
    enrol(&r, &bad, "COMPTA01", &k);
    for (uint32_t i = 0; i < ACTORS_MAX; i++) {
        struct actor a = {{0}};

        memcpy(a.bytes, bad.site.bytes, sizeof bad.site.bytes);
        be32_write(a.bytes + sizeof bad.site.bytes, i);
        assert_true(vector_set(&cut, &a, i == 500 ? 9000 : 1 + i % 3, NULL));
    }
    if (!roster_revoke(&r, &bad.site, &cut, &k, &e))
        fail_msg("%s", e.text);
    gone = roster_author(&r, &bad.site);
    assert_int_equal(gone->standing, ROSTER_REVOKED);
    assert_true(gone->cut.n > 100);
    assert_int_equal(roster_believed(&r, &cut.entries[500].actor), 9000);
    vector_close(&cut);
    roster_close(&r);
}

/* A shop that was split: three members enrolled sites, some under one name, and invited, without
 * each other. */
static struct roster shop_after_a_split(struct keys keys[MEMBERS])
{
    struct roster r, parts[3];

    for (int i = 0; i < MEMBERS; i++)
        keys[i] = keys_counting_from((uint8_t)(32 * i));
    r = shop_of(&keys[0]);
    enrol(&r, &keys[1], "COMPTA01", &keys[0]);
    enrol(&r, &keys[2], "DEPOT", &keys[1]);
    for (int i = 0; i < 3; i++) {
        uint8_t id[ROSTER_INVITE_ID_BYTES] = {(uint8_t)i};
        struct err e = {0};

        parts[i] = copy_of(&r);
        assert_true(roster_invite(&parts[i], id, 1000 + (uint64_t)i, &keys[i], &e));
        enrol(&parts[i], &keys[3 + i], i == 1 ? "bureau" : "BUREAU", &keys[i]);
    }
    enrol(&parts[0], &keys[4], "bureau", &keys[0]); /* the second enrols it too, without knowing */
    for (int i = 0; i < 3; i++) {
        merge(&r, &parts[i]);
        roster_close(&parts[i]);
    }
    return r;
}

static void names_given_twice_in_a_split_are_told_apart_everywhere(void **state)
{
    struct keys keys[MEMBERS];
    struct roster r = shop_after_a_split(keys);

    (void)state;
    assert_int_equal(r.site_count, MEMBERS);
    assert_int_equal(r.head_count, 3);
    for (uint32_t i = 0; i < r.site_count; i++)
        assert_ptr_equal(roster_find_name(&r, r.sites[i].name), &r.sites[i]);
    assert_non_null(roster_find_name(&r, "BUREAU"));
    assert_non_null(roster_find_name(&r, "BUREAU-2"));
    assert_non_null(roster_find_name(&r, "BUREAU-3"));
    /* Whoever writes next ties the loose ends together. */
    enrol(&r, &(struct keys){.sign_public = {1}}, "NOUVEAU", &keys[0]);
    assert_int_equal(r.head_count, 1);
    roster_close(&r);
}

/* The items of a log, one slice each. */
static uint32_t items_of(struct slice log, struct slice *items, uint32_t max)
{
    struct err e = {0};
    struct reader r = reader_of(log, &e);
    uint32_t n = 0;

    while (r.left.n > 0) {
        const uint8_t *start = r.left.p;
        struct entry entry = {0};

        assert_true(n < max);
        assert_true(entry_read(&r, &entry));
        items[n++] = (struct slice){start, (size_t)(r.left.p - start)};
    }
    return n;
}

static void shuffle(struct slice *items, uint32_t n)
{
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = randombytes_uniform(i);
        struct slice item = items[i - 1];

        items[i - 1] = items[j];
        items[j] = item;
    }
}

/* Merge the items one by one, trying again those that came too early. */
static void merge_one_by_one(struct roster *r, const struct slice *items, uint32_t n)
{
    bool changed = true;

    while (r->entries < n && changed) {
        changed = false;
        for (uint32_t i = 0; i < n; i++) {
            struct err e = {0};
            bool new_entry;

            if (roster_merge(r, items[i], &new_entry, &e))
                changed = changed || new_entry;
            else
                assert_int_equal(e.code, ERR_GAP);
        }
    }
}

static void a_thousand_orders_of_arrival_give_one_roster(void **state)
{
    struct keys keys[MEMBERS];
    struct roster whole = shop_after_a_split(keys);
    struct slice items[16];
    uint32_t n = items_of(buf_slice(&whole.log), items, COUNT_OF(items));

    (void)state;
    assert_int_equal(n, whole.entries);
    for (int round = 0; round < 1000; round++) {
        struct roster r = {0};
        struct buf log;
        struct err e = {0};

        shuffle(items, n);
        buf_open(&log, ROSTER_BYTES_MAX);
        for (uint32_t i = 0; i < n; i++)
            buf_add(&log, items[i].p, items[i].n);
        if (round % 2 == 0)
            assert_true(roster_load(&r, buf_slice(&log), &e));
        else
            merge_one_by_one(&r, items, n);
        check_same(&r, &whole);
        buf_close(&log);
        roster_close(&r);
    }
    roster_close(&whole);
}

static void merging_what_is_known_changes_nothing(void **state)
{
    struct keys keys[MEMBERS];
    struct roster r = shop_after_a_split(keys), copy = copy_of(&r);
    struct buf twice;
    struct err e = {0};
    bool changed = true;

    (void)state;
    buf_open(&twice, ROSTER_BYTES_MAX);
    buf_add(&twice, r.log.p, r.log.n);
    buf_add(&twice, r.log.p, r.log.n);
    assert_true(roster_merge(&r, buf_slice(&twice), &changed, &e));
    assert_false(changed);
    assert_true(roster_merge(&r, (struct slice){0}, &changed, &e));
    assert_false(changed);
    check_same(&r, &copy);
    assert_true(slice_equal(buf_slice(&r.log), buf_slice(&copy.log)));
    buf_close(&twice);
    roster_close(&r);
    roster_close(&copy);
}

/* What is stored only ever gets longer: the old log stays its beginning. */
static void a_merge_appends(void **state)
{
    struct keys keys[MEMBERS];
    struct roster whole = shop_after_a_split(keys);
    struct slice items[16];
    uint32_t n = items_of(buf_slice(&whole.log), items, COUNT_OF(items));

    (void)state;
    for (uint32_t k = 1; k < n; k++) {
        struct slice part = {whole.log.p, (size_t)(items[k].p - whole.log.p)};
        struct roster r = {0};
        struct err e = {0};
        bool changed;

        assert_true(roster_load(&r, part, &e));
        assert_true(roster_merge(&r, buf_slice(&whole.log), &changed, &e));
        assert_true(changed);
        assert_true(r.log.n > part.n && memcmp(r.log.p, part.p, part.n) == 0);
        check_same(&r, &whole);
        roster_close(&r);
    }
    roster_close(&whole);
}

static void an_entry_whose_past_is_missing_waits(void **state)
{
    struct keys keys[MEMBERS];
    struct roster whole = shop_after_a_split(keys), r = {0};
    struct slice items[16];
    uint32_t n = items_of(buf_slice(&whole.log), items, COUNT_OF(items));
    struct err e = {0};
    bool changed;

    (void)state;
    assert_true(roster_load(&r, items[0], &e));
    assert_false(roster_merge(&r, items[n - 1], &changed, &e));
    assert_int_equal(e.code, ERR_GAP);
    assert_int_equal(r.entries, 1);
    roster_close(&r);
    err_clear(&e);
    assert_false(roster_load(&r, items[1], &e));
    assert_int_equal(e.code, ERR_GAP);
    roster_close(&r);
    roster_close(&whole);
}

static void a_copy_is_the_same_and_goes_its_own_way(void **state)
{
    struct roster r = {0}, copy = {0};
    struct keys k = keys_counting_from(0), other = keys_counting_from(32);
    uint8_t before[HASH_BYTES], after[HASH_BYTES];
    struct err e = {0};

    (void)state;
    assert_true(roster_create(&r, "Boutique", "A", &k, &e));
    enrol(&r, &other, "B", &k);
    assert_true(roster_copy(&copy, &r, &e));
    roster_digest(&r, before);
    roster_digest(&copy, after);
    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(copy.site_count, 2);
    assert_true(roster_admin(&copy, &other.site, false, &k, &e));
    roster_digest(&r, after);
    assert_memory_equal(before, after, sizeof before);
    assert_true(roster_find(&r, &other.site)->admin && !roster_find(&copy, &other.site)->admin);
    roster_close(&copy);
    roster_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_the_same_and_goes_its_own_way),
        cmocka_unit_test(a_roster_is_that_of_the_worked_example),
        cmocka_unit_test(the_log_of_the_worked_example_gives_its_members),
        cmocka_unit_test(two_fleets_of_one_name_differ),
        cmocka_unit_test(a_name_that_is_taken_gets_a_number),
        cmocka_unit_test(a_bad_name_is_refused),
        cmocka_unit_test(enrolling_a_member_again_changes_nothing),
        cmocka_unit_test(every_member_may_invite_and_enrol_and_nobody_else),
        cmocka_unit_test(a_member_who_fills_the_roster_is_shut_out_all_the_same),
        cmocka_unit_test(room_is_kept_for_the_most_senior_sites_only),
        cmocka_unit_test(a_member_with_a_thousand_names_of_its_own_is_revoked),
        cmocka_unit_test(names_given_twice_in_a_split_are_told_apart_everywhere),
        cmocka_unit_test(a_thousand_orders_of_arrival_give_one_roster),
        cmocka_unit_test(merging_what_is_known_changes_nothing),
        cmocka_unit_test(a_merge_appends),
        cmocka_unit_test(an_entry_whose_past_is_missing_waits),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
