/* What a checkpoint says of a roster: whatever members made of that, it fits, and what is left away
 * is theirs. */
#include "checkpoint.h"
#include "flood.h"
#include "library.h"

#define LONGEST "%04u-name-of-a-PC-that-is-as-long-as-a-name-may-be-in-a-fleet-here"

static struct keys keys_numbered(uint32_t i)
{
    struct keys k;
    uint8_t seed[KEY_BYTES] = {(uint8_t)i, (uint8_t)(i >> 8), 99};

    keys_from_seed(&k, seed);
    return k;
}

static void take(struct roster *r, struct flood *f)
{
    struct err e = {0};
    bool changed;

    if (!roster_merge(r, buf_slice(&f->log), &changed, &e))
        fail_msg("%s", e.text);
    buf_close(&f->log);
}

static void revoke(struct flood *f, const struct keys *who, uint32_t actors, const struct keys *by)
{
    struct writer w = flood_begin(f, ENTRY_REVOKE, 2, by);
    struct vector cut = {0};

    for (uint32_t i = 0; i < actors; i++) {
        struct actor a = actor_of(who, (uint8_t)(i + 1));

        assert_true(vector_set(&cut, &a, VECTOR_NUMBER_MAX - i % 3, who->sign_public));
    }
    write_bin(&w, SLICE(who->site.bytes));
    vector_write(&w, &cut);
    flood_end(f, by);
    vector_close(&cut);
}

static void invite(struct flood *f, uint32_t i, const struct keys *by)
{
    struct writer w = flood_begin(f, ENTRY_INVITE, 2, by);
    uint8_t id[ROSTER_INVITE_ID_BYTES] = {(uint8_t)i, (uint8_t)(i >> 8), 1};

    write_bin(&w, SLICE(id));
    write_uint(&w, UINT64_MAX);
    flood_end(f, by);
}

static void give_key(struct flood *f, const struct site_id *members, uint32_t n,
                     const struct keys *by)
{
    struct writer w = flood_begin(f, ENTRY_ROTATE, 2, by);
    uint8_t key[FLEET_KEY_ID_BYTES] = {5}, box[FLEET_KEY_BOX_BYTES] = {0};

    write_bin(&w, SLICE(key));
    write_array(&w, n);
    for (uint32_t i = 0; i < n; i++) {
        write_array(&w, 2);
        write_bin(&w, SLICE(members[i].bytes));
        write_bin(&w, SLICE(box));
    }
    flood_end(f, by);
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct site_id));
}

/* Rules of some 1,400 bytes each. */
static void rule(struct flood *f, uint32_t i, const struct keys *by)
{
    struct writer w = flood_begin(f, ENTRY_RULES, 1, by);
    char table[8], where[RULE_WHERE_BYTES_MAX + 1];
    struct rule_change c = {{.kind = RULE_BOTH, .table = table, .where = where}, true};

    snprintf(table, sizeof table, "t%u", i);
    memset(where, 'x', sizeof where - 1);
    where[sizeof where - 1] = '\0';
    write_array(&w, 1);
    rule_change_write(&w, &c);
    flood_end(f, by);
}

/* As many sites as can ever be, with the longest names, of which as many stay as can be members;
 * cuts, invitations, rules, boxes of a key, and ends that a checkpoint has to name: more than a
 * checkpoint has room for. */
static void the_largest_state_that_members_can_make_fits_into_one(void **state)
{
    struct roster r = {0};
    struct site_id members[SITES_MAX];
    struct keys k = keys_numbered(0), other;
    struct flood f;
    struct err e = {0};
    uint8_t last[1][HASH_BYTES];

    (void)state;
    assert_true(roster_create(&r, "Boutique", "A", &k, &e));
    flood_open(&f, &r);
    members[0] = k.site;
    for (uint32_t i = 1; i < SITES_EVER_MAX; i++) {
        char name[NAME_BYTES_MAX + 8];

        other = keys_numbered(i);
        snprintf(name, sizeof name, LONGEST, i);
        name[NAME_BYTES_MAX] = '\0';
        flood_enrol(&f, &other, name, &k);
        if (i < SITES_MAX)
            members[i] = other.site;
        else
            revoke(&f, &other, i % 70 == 0 ? 128 : 0, &k);
    }
    qsort(members, SITES_MAX, sizeof members[0], by_id);
    for (uint32_t i = 0; i < SITES_MAX; i += ROSTER_BOXES_MAX)
        give_key(&f, members + i, ROSTER_BOXES_MAX, &k);
    for (uint32_t i = 0; i < 150; i++)
        rule(&f, i, &k);
    memcpy(last, f.head, sizeof last);
    for (uint32_t i = 0; i < ROSTER_ORDINARY_ENDS_MAX; i++) {
        memcpy(f.head, last, sizeof last);
        invite(&f, i, &k);
    }
    take(&r, &f);
    assert_int_equal(r.head_count, ROSTER_ORDINARY_ENDS_MAX);
    assert_in_range(r.rules.bytes, RULES_BYTES_MAX - 2000, RULES_BYTES_MAX);
    make(&r, &k);
    assert_int_equal(r.head_count, 1);
    assert_in_range(checkpoint_in(&r).bytes.n, ROSTER_CHECKPOINT_BYTES_MAX - (64u << 10),
                    ROSTER_CHECKPOINT_BYTES_MAX);
    assert_int_equal(checkpoint_in(&r).base.invite_count, ROSTER_INVITES_MAX);
    roster_close(&r);
}

/* Somebody makes up PCs, and shuts them out with all the names that an entry has room for; what is
 * believed of an honest PC that is gone stays all the same. */
static void cuts_that_do_not_fit_leave_each_its_share(void **state)
{
    struct roster r = {0};
    struct keys k = keys_numbered(0), honest = keys_numbered(1), made_up = keys_numbered(50);
    struct actor a;
    struct flood f;
    struct err e = {0};

    (void)state;
    assert_true(roster_create(&r, "Boutique", "A", &k, &e));
    flood_open(&f, &r);
    flood_enrol(&f, &honest, "B", &k);
    revoke(&f, &honest, 3, &k);
    for (uint32_t i = 2; i < 102; i++) {
        struct keys other = keys_numbered(i);

        flood_enrol(&f, &other, "X", &k);
        revoke(&f, &other, 128, &k);
    }
    take(&r, &f);
    make(&r, &k);
    assert_true(r.before > 0);
    for (uint8_t i = 1; i <= 3; i++) {
        a = actor_of(&honest, i);
        assert_true(roster_believed(&r, &a) > 0);
    }
    assert_int_equal(roster_author(&r, &made_up.site)->cut.n, 10);
    roster_close(&r);
}

/* Nobody is let in with it any more. */
static void an_invitation_of_one_who_is_out_is_left_away(void **state)
{
    struct roster r = {0};
    struct keys k = keys_numbered(0), gone = keys_numbered(1);
    struct flood f;
    struct err e = {0};

    (void)state;
    assert_true(roster_create(&r, "Boutique", "A", &k, &e));
    flood_open(&f, &r);
    flood_enrol(&f, &gone, "B", &k);
    invite(&f, 1, &gone);
    invite(&f, 2, &k);
    revoke(&f, &gone, 1, &k);
    take(&r, &f);
    make(&r, &k);
    assert_true(r.before > 0);
    assert_int_equal(r.invite_count, 1);
    assert_true(site_equal(&r.invites[0].by, &k.site));
    roster_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_state_that_members_can_make_fits_into_one),
        cmocka_unit_test(cuts_that_do_not_fit_leave_each_its_share),
        cmocka_unit_test(an_invitation_of_one_who_is_out_is_left_away),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
