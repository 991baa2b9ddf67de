/* The places for actors are bounded: whoever makes up names leaves some for others. */
#include "sites.h"

#include <navette/body.h>
#include <navette/waits.h>

struct forged {
    struct changeset_header h;
    struct buf bytes;
    uint8_t hash[HASH_BYTES];
};

static struct actor made_up(const struct site_id *site, uint32_t n)
{
    struct actor a = {{0}};

    memcpy(a.bytes, site, sizeof *site);
    be32_write(a.bytes + sizeof *site, 0xabcd0000);
    be32_write(a.bytes + sizeof *site + 4, n);
    return a;
}

/* The first change-set of actor `n` of `by`, whose body names `names` more of `whose`. */
static void forge(struct site *by, uint32_t n, uint32_t names, const struct site_id *whose,
                  struct forged *out)
{
    struct body_writer body;
    struct buf bytes;
    struct err e = {0};

    out->h.actor = made_up(&by->keys.site, n);
    out->h.number = 1;
    out->h.stamp = 1;
    memcpy(out->h.fleet, by->roster.fleet, sizeof out->h.fleet);
    body_open(&body);
    for (uint32_t i = 0; i < names; i++) {
        struct actor a = made_up(whose, 100000 + i);

        body_actor(&body, &a);
    }
    buf_open(&bytes, BODY_BYTES_MAX);
    check(body_finish(&body, &bytes, &e) &&
              changeset_seal(&out->h, 0, buf_slice(&bytes), &by->keys, &out->bytes, out->hash, &e),
          &e);
    body_close(&body);
    buf_close(&bytes);
}

static void forged_close(struct forged *f)
{
    changeset_header_close(&f->h);
    buf_close(&f->bytes);
}

/* One more name of `by`, signed. */
static struct stage_item stage_name(struct site *to, struct site *by, uint32_t n)
{
    struct forged f = {.h.number = 0};
    struct stage_item item = {.ok = false};

    buf_open(&f.bytes, CHANGESET_BYTES_MAX);
    forge(by, n, 0, NULL, &f);
    item.changeset = buf_slice(&f.bytes);
    store_stage_all(to->store, &item, 1);
    forged_close(&f);
    return item;
}

static void open_fleet(struct site s[3])
{
    static const char *const names[] = {"A", "B", "C"};
    struct err e = {0};
    bool changed;

    memset(s, 0, 3 * sizeof *s);
    open_founder(&s[0], shop);
    for (int i = 1; i < 3; i++)
        join_site(&s[0], &s[i], names[i], shop);
    check(roster_merge(&s[1].roster, buf_slice(&s[0].roster.log), &changed, &e), &e);
    exchange(&s[0], &s[2]);
}

static void close_fleet(struct site s[3])
{
    for (int i = 0; i < 3; i++)
        close_site(&s[i]);
}

/* C goes on, and may begin anew as often as anybody may. */
static void expect_room_for_others(struct site s[3])
{
    for (uint32_t n = 0; n < ACTORS_OWN - 2; n++) {
        struct stage_item item = stage_name(&s[0], &s[2], n);

        check(item.ok, &item.e);
    }
    sql(&s[2], "INSERT INTO client(name) VALUES ('Ana')");
    work(&s[2]);
    carry_own(&s[2], &s[0]);
    work(&s[0]);
    expect(&s[0], "SELECT count(*) FROM client WHERE name = 'Ana'", "1");
}

static void who_begins_anew_all_the_time_leaves_places_for_others(void **state)
{
    struct stage_item item = {.ok = true};
    struct site s[3];
    uint32_t n;

    (void)state;
    open_fleet(s);
    for (n = 0; item.ok && n < ACTORS_MAX; n++)
        item = stage_name(&s[0], &s[1], n);
    assert_in_range(n, ACTORS_SHARED - 8, ACTORS_SHARED);
    assert_int_equal(item.e.code, ERR_STRANGER);
    assert_true(site_equal(&item.crowds, &s[1].keys.site));
    item = stage_name(&s[0], &s[1], 0); /* what is here already is no new name */
    assert_true(item.ok && item.result == STAGE_KNOWN);
    expect_room_for_others(s);
    close_fleet(s);
}

/* What is honest and builds on a name that there was no place for is not held up by that. */
static void who_has_taken_other_names_of_such_a_one_is_understood(void **state)
{
    struct forged f = {.h.number = 0};
    struct stage_item item = {.ok = true};
    struct actor taken;
    struct site s[3];

    (void)state;
    open_fleet(s);
    for (uint32_t n = 0; item.ok; n++)
        item = stage_name(&s[0], &s[1], n);
    taken = made_up(&s[1].keys.site, ACTORS_MAX);
    assert_true(vector_set(&f.h.needs, &taken, 1, NULL));
    buf_open(&f.bytes, CHANGESET_BYTES_MAX);
    forge(&s[2], 1, 1, &s[1].keys.site, &f);
    item = (struct stage_item){.changeset = buf_slice(&f.bytes)};
    store_stage_all(s[0].store, &item, 1);
    check(item.ok, &item.e);
    work(&s[0]);
    assert_string_equal(status_of(&s[0]).trouble, "");
    assert_true(vector_covers(store_applied(s[0].store), store_have(s[0].store)));
    forged_close(&f);
    close_fleet(s);
}

/* How far one is believed that is out is for admins to say, who may have other names of it. */
static void of_one_that_is_out_what_the_cut_names_is_taken(void **state)
{
    struct stage_item item = {.ok = true};
    struct vector cut = {0};
    struct actor wanted;
    struct site s[3];
    struct err e = {0};
    uint32_t n;

    (void)state;
    open_fleet(s);
    for (n = 0; item.ok; n++)
        item = stage_name(&s[0], &s[1], n);
    wanted = made_up(&s[1].keys.site, n + 1);
    assert_true(vector_set(&cut, &wanted, 1, NULL));
    check(roster_revoke(&s[0].roster, &s[1].keys.site, &cut, &s[0].keys, &e), &e);
    store_roster_changed(s[0].store);
    item = stage_name(&s[0], &s[1], n + 1);
    check(item.ok, &item.e);
    item = stage_name(&s[0], &s[1], n + 2);
    assert_false(item.ok);
    vector_close(&cut);
    close_fleet(s);
}

/* Named in the place of another one they are not that one's. */
static void who_makes_up_the_names_of_others_holds_up_himself(void **state)
{
    struct forged f = {.h.number = 0};
    struct stage_item item = {.ok = false};
    struct site s[3];

    (void)state;
    open_fleet(s);
    buf_open(&f.bytes, CHANGESET_BYTES_MAX);
    forge(&s[1], 1, ACTORS_NAMED, &s[2].keys.site, &f);
    item.changeset = buf_slice(&f.bytes);
    store_stage_all(s[0].store, &item, 1);
    check(item.ok, &item.e);
    work(&s[0]);
    assert_non_null(strstr(status_of(&s[0]).trouble, "what B sent cannot be read"));
    expect_room_for_others(s);
    forged_close(&f);
    close_fleet(s);
}

static void who_waits_for_names_that_he_made_up_holds_up_himself(void **state)
{
    struct forged f = {.h.number = 0};
    struct stage_item item = {.ok = false};
    struct site s[3];
    struct err e = {0};
    bool did;

    (void)state;
    open_fleet(s);
    buf_open(&f.bytes, CHANGESET_BYTES_MAX);
    for (uint32_t i = 0; i < ACTORS_MAX; i++) {
        struct actor a = made_up(&s[2].keys.site, i);

        assert_true(vector_set(&f.h.needs, &a, 1, NULL));
    }
    forge(&s[1], 1, 0, NULL, &f);
    item.changeset = buf_slice(&f.bytes);
    store_stage_all(s[0].store, &item, 1);
    check(item.ok, &item.e);
    work(&s[0]);
    check(store_waive(s[0].store, NULL, 0, true, &did, &e), &e);
    assert_non_null(strstr(status_of(&s[0]).trouble, "what B sent cannot be read"));
    expect_room_for_others(s);
    forged_close(&f);
    close_fleet(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_begins_anew_all_the_time_leaves_places_for_others),
        cmocka_unit_test(who_has_taken_other_names_of_such_a_one_is_understood),
        cmocka_unit_test(of_one_that_is_out_what_the_cut_names_is_taken),
        cmocka_unit_test(who_makes_up_the_names_of_others_holds_up_himself),
        cmocka_unit_test(who_waits_for_names_that_he_made_up_holds_up_himself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
