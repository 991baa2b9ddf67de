/* What counts when admins rule: revocations, admins, names, the fleet's key. Also of
 * roster_admin.c, roster_key.c. */
#include "flood.h"
#include "library.h"

static void revoke_up_to(struct roster *r, const struct keys *who, uint64_t number,
                         const struct keys *by)
{
    struct actor a = actor_of(who, 1);
    struct vector cut = {0};
    struct err e = {0};

    if (number > 0)
        vector_set(&cut, &a, number, NULL);
    assert_true(roster_revoke(r, &who->site, &cut, by, &e));
    vector_close(&cut);
}

static bool is_member(const struct roster *r, const struct keys *k)
{
    return roster_find(r, &k->site) != NULL;
}

static enum err_code code_of_admin(struct roster *r, const struct keys *who, bool admin,
                                   const struct keys *by)
{
    struct err e = {0};

    bool ok = roster_admin(r, &who->site, admin, by, &e);

    assert_int_equal(ok, e.code == ERR_NONE);
    return e.code;
}

static void one_that_is_revoked_is_no_member_but_an_author(void **state)
{
    struct shop s;
    struct actor a;
    struct err e = {0};

    (void)state;
    shop_open(&s);
    a = actor_of(&s.k[2], 1);
    assert_true(roster_believed(&s.r, &a) > 1000000);
    revoke_up_to(&s.r, &s.k[2], 7, &s.k[1]);
    assert_false(is_member(&s.r, &s.k[2]));
    assert_null(roster_find_name(&s.r, "C"));
    assert_int_equal(s.r.site_count, 2);
    assert_int_equal(s.r.known_count, 3);
    assert_string_equal(roster_author(&s.r, &s.k[2].site)->mark, "C");
    assert_int_equal(roster_author(&s.r, &s.k[2].site)->standing, ROSTER_REVOKED);
    assert_memory_equal(&roster_author(&s.r, &s.k[2].site)->by, &s.k[1].site, SITE_ID_BYTES);
    assert_int_equal(roster_believed(&s.r, &a), 7);
    a = actor_of(&s.k[2], 2);
    assert_int_equal(roster_believed(&s.r, &a), 0);
    a = actor_of(&s.k[5], 1); /* never heard of: whoever asks must know whether it is a member */
    assert_true(roster_believed(&s.r, &a) > 1000000);
    assert_false(roster_invite(&s.r, no_invite, 1, &s.k[2], &e));
    assert_int_equal(e.code, ERR_REFUSED);
    roster_close(&s.r);
}

static void what_it_did_before_stays_and_what_it_does_unknowing_counts_nothing(void **state)
{
    struct shop s;
    struct roster thief, guest;

    (void)state;
    shop_open(&s);
    enrol(&s.r, &s.k[3], "D", &s.k[2]);
    thief = copy_of(&s.r);
    revoke_up_to(&s.r, &s.k[2], 0, &s.k[0]);
    assert_true(is_member(&s.r, &s.k[3]));
    enrol(&thief, &s.k[4], "E", &s.k[2]);
    guest = copy_of(&thief);
    enrol(&guest, &s.k[5], "F", &s.k[4]);
    revoke_up_to(&guest, &s.k[1], 0, &s.k[4]);
    merge(&s.r, &guest);
    assert_true(is_member(&s.r, &s.k[0]) && is_member(&s.r, &s.k[1]) && is_member(&s.r, &s.k[3]));
    assert_int_equal(s.r.site_count, 3);
    assert_int_equal(s.r.void_entries, 3);
    assert_int_equal(roster_author(&s.r, &s.k[4].site)->standing, ROSTER_VOID);
    assert_int_equal(roster_author(&s.r, &s.k[5].site)->standing, ROSTER_VOID);
    /* Whom nobody could enrol may be enrolled by somebody who can. */
    enrol(&s.r, &s.k[5], "F", &s.k[3]);
    assert_true(is_member(&s.r, &s.k[5]));
    assert_string_equal(roster_find(&s.r, &s.k[5].site)->mark, "F");
    roster_close(&s.r);
    roster_close(&thief);
    roster_close(&guest);
}

/* `by` says so, whatever it should know. */
static void enrol_raw(struct roster *r, const struct keys *who, const struct keys *by)
{
    struct buf entry;
    struct writer w = {&entry};
    struct err e = {0};

    buf_open(&entry, ROSTER_ENTRY_BYTES_MAX);
    entry_begin(&w, r, ENTRY_ENROL, 4, by);
    write_bin(&w, SLICE(who->sign_public));
    write_bin(&w, SLICE(who->exchange_public));
    write_text(&w, slice_text("again"));
    write_bin(&w, SLICE(no_invite));
    assert_true(entry_append(r, &entry, by, &e));
    buf_close(&entry);
}

static void one_that_was_revoked_is_never_enrolled_again(void **state)
{
    struct shop s;
    struct roster other;
    char name[NAME_BYTES_MAX + 1];
    struct err e = {0};

    (void)state;
    shop_open(&s);
    other = copy_of(&s.r);
    revoke_up_to(&s.r, &s.k[2], 0, &s.k[0]);
    assert_false(roster_enrol(&s.r, s.k[2].sign_public, s.k[2].exchange_public, "C", no_invite,
                              &s.k[0], name, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    enrol_raw(&s.r, &s.k[2], &s.k[0]);
    assert_false(is_member(&s.r, &s.k[2]));
    enrol_raw(&other, &s.k[2], &s.k[1]); /* on the other side of a split */
    merge(&s.r, &other);
    assert_false(is_member(&s.r, &s.k[2]));
    roster_close(&s.r);
    roster_close(&other);
}

static void of_two_who_revoke_each_other_the_senior_stays(void **state)
{
    struct shop s;
    struct roster other;

    (void)state;
    shop_open(&s);
    other = copy_of(&s.r);
    revoke_up_to(&s.r, &s.k[2], 0, &s.k[1]);
    revoke_up_to(&other, &s.k[1], 0, &s.k[2]);
    merge(&s.r, &other);
    merge(&other, &s.r);
    assert_true(is_member(&s.r, &s.k[1]) && is_member(&other, &s.k[1]));
    assert_false(is_member(&s.r, &s.k[2]) || is_member(&other, &s.k[2]));
    roster_close(&s.r);
    roster_close(&other);
}

/* Nobody is so senior that a junior could not shut him out whom he did not shut out. */
static void a_junior_may_revoke_the_founder(void **state)
{
    struct shop s;
    struct roster founder;

    (void)state;
    shop_open(&s);
    founder = copy_of(&s.r);
    revoke_up_to(&s.r, &s.k[0], 0, &s.k[2]);
    enrol(&founder, &s.k[3], "D", &s.k[0]);
    merge(&s.r, &founder);
    assert_false(is_member(&s.r, &s.k[0]) || is_member(&s.r, &s.k[3]));
    assert_true(is_member(&s.r, &s.k[1]) && is_member(&s.r, &s.k[2]));
    roster_close(&s.r);
    roster_close(&founder);
}

static void the_lower_cut_wins_until_somebody_who_knows_both_says_otherwise(void **state)
{
    struct shop s;
    struct roster other;
    struct actor a;

    (void)state;
    shop_open(&s);
    a = actor_of(&s.k[2], 1);
    other = copy_of(&s.r);
    revoke_up_to(&s.r, &s.k[2], 9, &s.k[0]);
    revoke_up_to(&other, &s.k[2], 5, &s.k[1]);
    merge(&s.r, &other);
    assert_int_equal(roster_believed(&s.r, &a), 5);
    revoke_up_to(&s.r, &s.k[2], 12, &s.k[0]);
    assert_int_equal(roster_believed(&s.r, &a), 12);
    roster_close(&other);
    other = copy_of(&s.r);
    revoke_up_to(&s.r, &s.k[2], 0, &s.k[0]); /* an actor that is not named: nothing of it */
    revoke_up_to(&other, &s.k[2], 20, &s.k[1]);
    merge(&s.r, &other);
    assert_int_equal(roster_believed(&s.r, &a), 0);
    roster_close(&s.r);
    roster_close(&other);
}

static void who_is_no_admin_rules_nothing_but_his_own_name(void **state)
{
    struct shop s;
    struct roster before;
    char name[NAME_BYTES_MAX + 1];
    struct err e = {0};

    (void)state;
    shop_open(&s);
    before = copy_of(&s.r);
    assert_int_equal(code_of_admin(&s.r, &s.k[2], false, &s.k[0]), ERR_NONE);
    assert_true(is_member(&s.r, &s.k[2]) && !roster_find(&s.r, &s.k[2].site)->admin);
    assert_int_equal(code_of_admin(&s.r, &s.k[2], true, &s.k[2]), ERR_REFUSED);
    assert_false(roster_invite(&s.r, no_invite, 1, &s.k[2], &e));
    assert_true(roster_rename(&s.r, &s.k[2].site, "DEPOT", &s.k[2], name, &(struct err){0}));
    assert_string_equal(roster_find(&s.r, &s.k[2].site)->name, "DEPOT");
    err_clear(&e);
    assert_false(roster_rename(&s.r, &s.k[1].site, "DEPOT", &s.k[2], name, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    enrol(&before, &s.k[3], "D", &s.k[2]); /* it has not heard of it */
    merge(&s.r, &before);
    assert_false(is_member(&s.r, &s.k[3]));
    assert_int_equal(code_of_admin(&s.r, &s.k[2], true, &s.k[1]), ERR_NONE);
    enrol(&s.r, &s.k[4], "E", &s.k[2]);
    assert_true(is_member(&s.r, &s.k[4]));
    roster_close(&s.r);
    roster_close(&before);
}

static void taking_wins_over_giving_that_did_not_know_of_it(void **state)
{
    struct shop s;
    struct roster other;

    (void)state;
    shop_open(&s);
    assert_int_equal(code_of_admin(&s.r, &s.k[2], false, &s.k[0]), ERR_NONE);
    other = copy_of(&s.r);
    assert_int_equal(code_of_admin(&other, &s.k[2], true, &s.k[1]), ERR_NONE);
    assert_int_equal(code_of_admin(&s.r, &s.k[2], true, &s.k[0]), ERR_NONE);
    assert_int_equal(code_of_admin(&s.r, &s.k[2], false, &s.k[0]), ERR_NONE);
    merge(&s.r, &other);
    assert_false(roster_find(&s.r, &s.k[2].site)->admin);
    roster_close(&s.r);
    roster_close(&other);
}

static void a_fleet_always_has_an_admin(void **state)
{
    struct shop s;
    struct roster other;
    struct vector none = {0};
    struct err e = {0};

    (void)state;
    shop_open(&s);
    assert_int_equal(code_of_admin(&s.r, &s.k[2], false, &s.k[0]), ERR_NONE);
    other = copy_of(&s.r);
    /* Each believes that the other one is left. */
    assert_int_equal(code_of_admin(&s.r, &s.k[0], false, &s.k[0]), ERR_NONE);
    assert_int_equal(code_of_admin(&other, &s.k[1], false, &s.k[1]), ERR_NONE);
    assert_int_equal(code_of_admin(&other, &s.k[0], false, &s.k[0]), ERR_REFUSED);
    assert_false(roster_revoke(&other, &s.k[0].site, &none, &s.k[0], &e));
    assert_int_equal(e.code, ERR_REFUSED);
    merge(&s.r, &other);
    assert_true(roster_find(&s.r, &s.k[0].site)->admin);
    assert_false(roster_find(&s.r, &s.k[1].site)->admin);
    /* And what he rules counts. */
    assert_int_equal(code_of_admin(&s.r, &s.k[1], true, &s.k[0]), ERR_NONE);
    assert_true(roster_find(&s.r, &s.k[1].site)->admin);
    roster_close(&s.r);
    roster_close(&other);
}

static void a_name_can_be_given_to_one_that_comes_after_the_lost_one(void **state)
{
    struct shop s;
    char name[NAME_BYTES_MAX + 1];
    struct err e = {0};

    (void)state;
    shop_open(&s);
    assert_true(roster_rename(&s.r, &s.k[1].site, "a", &s.k[0], name, &e));
    assert_string_equal(name, "a-2");
    assert_true(roster_enrol(&s.r, s.k[3].sign_public, s.k[3].exchange_public, "C", no_invite,
                             &s.k[0], name, &e));
    assert_string_equal(name, "C-2");
    revoke_up_to(&s.r, &s.k[2], 3, &s.k[0]);
    assert_true(roster_rename(&s.r, &s.k[3].site, "C", &s.k[0], name, &e));
    assert_string_equal(name, "C");
    assert_string_equal(roster_find_name(&s.r, "C")->mark, "C-2");
    assert_ptr_equal(roster_site_of(&s.r, "c", &e), roster_find_name(&s.r, "C"));
    roster_close(&s.r);
}

static void a_site_is_found_by_its_first_digits(void **state)
{
    struct shop s;
    char digits[2 * SITE_ID_BYTES + 1];
    struct err e = {0};

    (void)state;
    shop_open(&s);
    revoke_up_to(&s.r, &s.k[2], 0, &s.k[0]);
    assert_ptr_equal(roster_site_of(&s.r, "C", &e), roster_author(&s.r, &s.k[2].site));
    hex_write(digits, SLICE(s.k[2].site.bytes));
    digits[SITE_DIGITS_MIN] = '\0';
    assert_ptr_equal(roster_site_of(&s.r, digits, &e), roster_author(&s.r, &s.k[2].site));
    digits[SITE_DIGITS_MIN - 1] = '\0';
    assert_null(roster_site_of(&s.r, digits, &e));
    assert_int_equal(e.code, ERR_USAGE);
    roster_close(&s.r);
}

/* ---- the fleet's key ---- */

static bool opens(const struct roster *r, const struct keys *k, const uint8_t key[KEY_BYTES])
{
    uint8_t got[KEY_BYTES];

    return roster_open_key(r, k, got) && memcmp(got, key, sizeof got) == 0;
}

static void a_new_key_opens_for_members_only(void **state)
{
    uint8_t key[KEY_BYTES] = {1}, next[KEY_BYTES] = {2};
    struct shop s;
    struct err e = {0};

    (void)state;
    shop_open(&s);
    assert_false(s.r.rotated || s.r.key_exposed);
    assert_true(roster_seal(&s.r, key, &s.k[1], &e));
    for (int i = 0; i < 3; i++)
        assert_true(opens(&s.r, &s.k[i], key));
    assert_false(opens(&s.r, &s.k[3], key));
    assert_false(s.r.key_exposed);
    revoke_up_to(&s.r, &s.k[2], 0, &s.k[1]);
    assert_true(s.r.key_exposed);
    assert_true(roster_seal(&s.r, next, &s.k[1], &e));
    assert_false(s.r.key_exposed);
    assert_true(opens(&s.r, &s.k[0], next) && opens(&s.r, &s.k[1], next));
    assert_false(opens(&s.r, &s.k[2], next) || opens(&s.r, &s.k[2], key));
    /* Who is enrolled now gets it with his welcome, and who could know it is not forgotten. */
    enrol(&s.r, &s.k[3], "D", &s.k[0]);
    assert_true(roster_find(&s.r, &s.k[3].site)->has_key);
    revoke_up_to(&s.r, &s.k[3], 0, &s.k[1]);
    assert_true(s.r.key_exposed);
    roster_close(&s.r);
}

static void of_two_new_keys_one_is_the_fleets_and_everybody_gets_it(void **state)
{
    uint8_t key[2][KEY_BYTES] = {{1}, {2}};
    struct shop s;
    struct roster other;
    struct err e = {0};
    bool first;

    (void)state;
    shop_open(&s);
    other = copy_of(&s.r);
    assert_true(roster_seal(&s.r, key[0], &s.k[0], &e));
    enrol(&other, &s.k[3], "D", &s.k[1]);
    assert_true(roster_seal(&other, key[1], &s.k[1], &e));
    merge(&s.r, &other);
    merge(&other, &s.r);
    assert_memory_equal(s.r.key_id, other.key_id, sizeof s.r.key_id);
    first = opens(&s.r, &s.k[2], key[0]);
    assert_true(first || opens(&s.r, &s.k[2], key[1]));
    assert_true(roster_find(&s.r, &s.k[3].site)->has_key == !first);
    assert_true(roster_seal(&s.r, key[!first], &s.k[2], &e));
    for (int i = 0; i < 4; i++)
        assert_true(opens(&s.r, &s.k[i], key[!first]));
    /* Sealed to all: nothing more to say. */
    merge(&other, &s.r);
    assert_true(roster_seal(&s.r, key[!first], &s.k[0], &e));
    assert_int_equal(s.r.entries, other.entries);
    roster_close(&s.r);
    roster_close(&other);
}

static void a_key_that_its_id_does_not_tell_is_no_key(void **state)
{
    uint8_t key[KEY_BYTES] = {1}, box[FLEET_KEY_BOX_BYTES];
    struct shop s;
    struct buf entry;
    struct writer w = {&entry};
    struct err e = {0};

    (void)state;
    shop_open(&s);
    assert_int_equal(crypto_box_seal(box, key, sizeof key, s.k[0].exchange_public), 0);
    buf_open(&entry, ROSTER_ENTRY_BYTES_MAX);
    entry_begin(&w, &s.r, ENTRY_ROTATE, 2, &s.k[1]);
    write_bin(&w, SLICE(((uint8_t[FLEET_KEY_ID_BYTES]){9})));
    write_array(&w, 1);
    write_array(&w, 2);
    write_bin(&w, SLICE(s.k[0].site.bytes));
    write_bin(&w, SLICE(box));
    assert_true(entry_append(&s.r, &entry, &s.k[1], &e));
    buf_close(&entry);
    assert_true(s.r.rotated);
    assert_false(opens(&s.r, &s.k[0], key));
    roster_close(&s.r);
}

static void a_large_fleet_gets_its_key_in_several_entries(void **state)
{
    uint8_t key[KEY_BYTES] = {1};
    struct keys k = keys_counting_from(0), other;
    struct roster r = shop_of(&k);
    struct err e = {0};

    (void)state;
    for (uint32_t i = 1; i < 2 * ROSTER_BOXES_MAX + 3; i++) {
        other = keys_counting_from((uint8_t)i);
        enrol(&r, &other, "CAISSE", &k);
    }
    assert_true(roster_seal(&r, key, &k, &e));
    for (uint32_t i = 0; i < r.site_count; i++)
        assert_true(r.sites[i].has_key);
    assert_true(opens(&r, &k, key) && opens(&r, &other, key));
    roster_close(&r);
}

/* ---- invitations ---- */

static void an_invitation_can_be_withdrawn(void **state)
{
    struct shop s;
    struct err e = {0};

    (void)state;
    shop_open(&s);
    assert_true(roster_invite(&s.r, no_invite, 1000, &s.k[1], &e));
    assert_false(roster_find_invite(&s.r, no_invite)->withdrawn);
    assert_true(roster_withdraw(&s.r, no_invite, &s.k[0], &e));
    assert_true(roster_find_invite(&s.r, no_invite)->withdrawn);
    roster_close(&s.r);
}

/* ---- the worked example ---- */

/* The entry that was appended last. */
static void check_last(const struct roster *r, const char *key)
{
    struct err e = {0};
    struct reader log = reader_of(buf_slice(&r->log), &e);
    struct entry n = {0};

    while (log.left.n > 0)
        assert_true(entry_read(&log, &n));
    golden_check("admin.txt", key, n.bytes);
}

static void an_admins_entries_are_those_of_the_worked_example(void **state)
{
    struct keys a = keys_counting_from(0), b = keys_counting_from(32);
    uint8_t invite[ROSTER_INVITE_ID_BYTES], hash[HASH_BYTES], id[FLEET_KEY_ID_BYTES],
        key[KEY_BYTES];
    struct actor actor = {{0}};
    struct vector cut = {0};
    char name[NAME_BYTES_MAX + 1];
    struct buf log = {0};
    struct roster r = {0};
    struct err e = {0};

    (void)state;
    golden_find("roster.txt", "log", 0, &log);
    golden_take("token.txt", "id", invite, sizeof invite);
    assert_true(roster_load(&r, buf_slice(&log), &e));
    assert_true(roster_rename(&r, &b.site, "DEPOT", &a, name, &e));
    check_last(&r, "rename");
    assert_true(roster_admin(&r, &b.site, false, &a, &e));
    check_last(&r, "admin");
    assert_true(roster_withdraw(&r, invite, &a, &e));
    check_last(&r, "withdraw");
    memset(actor.bytes, 4, sizeof actor.bytes);
    memcpy(actor.bytes, &b.site, sizeof b.site);
    memset(hash, 0x11, sizeof hash);
    vector_set(&cut, &actor, 7, hash);
    assert_true(roster_revoke(&r, &b.site, &cut, &a, &e));
    check_last(&r, "revoke");
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(0x80 + i);
    fleet_key_id(id, key);
    golden_check("admin.txt", "key_id", SLICE(id));
    vector_close(&cut);
    buf_close(&log);
    roster_close(&r);
}

/* An older version, or one who means harm, gave a name that nobody gives any more. */
static void a_name_that_looks_like_another_is_read_and_renamed_but_never_given(void **state)
{
    struct flood f;
    struct shop s;
    struct err e = {0};
    char name[NAME_BYTES_MAX + 1];

    (void)state;
    shop_open(&s);
    flood_open(&f, &s.r);
    flood_enrol(&f, &s.k[3], "CAISSE01 ", &s.k[2]);
    flood_rename(&f, &s.k[1], "A\xE2\x80\x8B", &s.k[1]);
    flood_looks(&f, &s.r);
    assert_string_equal(roster_find(&s.r, &s.k[3].site)->name, "CAISSE01 ");
    assert_string_equal(roster_find(&s.r, &s.k[1].site)->name, "A\xE2\x80\x8B");
    assert_false(roster_rename(&s.r, &s.k[2].site, "CAISSE01 ", &s.k[0], name, &e));
    assert_int_equal(e.code, ERR_INPUT);
    assert_false(roster_enrol(&s.r, s.k[4].sign_public, s.k[4].exchange_public, "A\xC2\xA0",
                              no_invite, &s.k[0], name, &e));
    assert_int_equal(e.code, ERR_INPUT);
    err_clear(&e);
    assert_true(roster_rename(&s.r, &s.k[3].site, "CAISSE01", &s.k[0], name, &e));
    enrol(&s.r, &s.k[4], "E", &s.k[3]);
    roster_close(&s.r);
}

/* Two of whom each takes the other's word, over and over, without knowing of the other. */
static void a_quarrel_that_fills_the_roster_costs_little_for_each_entry(void **state)
{
    struct flood f;
    struct shop s;
    uint8_t head[HASH_BYTES];

    (void)state;
    shop_open(&s);
    flood_open(&f, &s.r);
    memcpy(head, f.head, sizeof head);
    for (int i = 1; i < 3; i++) {
        memcpy(f.head, head, sizeof head);
        for (int j = 0; j < 1200; j++)
            flood_admin(&f, &s.k[3 - i], false, &s.k[i]);
    }
    assert_true(flood_looks(&f, &s.r) < 20);
    assert_true(roster_find(&s.r, &s.k[1].site)->admin);
    assert_false(roster_find(&s.r, &s.k[2].site)->admin);
    roster_close(&s.r);
}

/* Taken and given back, over and over, and what that one says counts each time. */
static void what_was_given_back_a_thousand_times_is_looked_at_once(void **state)
{
    struct flood f;
    struct shop s;

    (void)state;
    shop_open(&s);
    flood_open(&f, &s.r);
    for (int i = 0; i < 700; i++) {
        flood_admin(&f, &s.k[2], false, &s.k[1]);
        flood_admin(&f, &s.k[2], true, &s.k[1]);
        flood_rename(&f, &s.k[1], i % 2 == 0 ? "X" : "Y", &s.k[2]);
    }
    assert_true(flood_looks(&f, &s.r) < 20);
    assert_int_equal(s.r.void_entries, 0);
    assert_true(roster_find(&s.r, &s.k[2].site)->admin);
    assert_string_equal(roster_find(&s.r, &s.k[1].site)->name, "Y");
    roster_close(&s.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_revoked_is_no_member_but_an_author),
        cmocka_unit_test(what_it_did_before_stays_and_what_it_does_unknowing_counts_nothing),
        cmocka_unit_test(one_that_was_revoked_is_never_enrolled_again),
        cmocka_unit_test(of_two_who_revoke_each_other_the_senior_stays),
        cmocka_unit_test(a_junior_may_revoke_the_founder),
        cmocka_unit_test(the_lower_cut_wins_until_somebody_who_knows_both_says_otherwise),
        cmocka_unit_test(who_is_no_admin_rules_nothing_but_his_own_name),
        cmocka_unit_test(taking_wins_over_giving_that_did_not_know_of_it),
        cmocka_unit_test(a_fleet_always_has_an_admin),
        cmocka_unit_test(a_name_can_be_given_to_one_that_comes_after_the_lost_one),
        cmocka_unit_test(a_site_is_found_by_its_first_digits),
        cmocka_unit_test(a_new_key_opens_for_members_only),
        cmocka_unit_test(of_two_new_keys_one_is_the_fleets_and_everybody_gets_it),
        cmocka_unit_test(a_key_that_its_id_does_not_tell_is_no_key),
        cmocka_unit_test(a_large_fleet_gets_its_key_in_several_entries),
        cmocka_unit_test(an_invitation_can_be_withdrawn),
        cmocka_unit_test(an_admins_entries_are_those_of_the_worked_example),
        cmocka_unit_test(a_name_that_looks_like_another_is_read_and_renamed_but_never_given),
        cmocka_unit_test(a_quarrel_that_fills_the_roster_costs_little_for_each_entry),
        cmocka_unit_test(what_was_given_back_a_thousand_times_is_looked_at_once),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
