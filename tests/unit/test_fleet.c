/* What follows when the roster changed. */
#include "fleet.h"

#include <navette/belief.h>

#include "carried.h"
#include "renames.h"
#include "visitor.h"

static void shut_out(struct pc *by, struct pc *whom)
{
    struct vector logged = {0};
    struct err e = {0};

    store_logged(by->agent.store, &logged);
    must(fleet_believe(&by->agent, &whom->keys.site, &logged, &e) && fleet_rotate(&by->agent, &e) &&
             agent_roster_changed(&by->agent, &e),
         &e);
    vector_close(&logged);
}

static void who_is_shut_out_hears_it_at_once_and_gets_nothing_more(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    shut_out(&a, &b);
    AWAIT(&f, is_warned(&b, WARNING_REVOKED) && !is_talking(&a, &b));
    assert_non_null(strstr(warned(&b, WARNING_REVOKED), "A shut this PC out of the fleet Shop"));
    assert_false(fleet_is_member(&b.agent));
    assert_true(fleet_is_member(&a.agent));
    sql(&a, "UPDATE article SET price = 99");
    sql(&b, "INSERT INTO article VALUES (5, 'salt', 1, 1)");
    AWAIT(&f, is_settled(&a) && pump_is_idle(b.agent.pump));
    links_dial_all(b.agent.links);
    floor_turns(&f, 200);
    assert_true(holds(&a, "SELECT count(*) FROM article", "2"));
    assert_true(holds(&b, "SELECT min(price) FROM article", "1"));
    /* Nor after a restart of both. */
    pc_stop(&a);
    pc_stop(&b);
    pc_start(&b);
    pc_start(&a);
    AWAIT(&f, is_warned(&b, WARNING_REVOKED) && a.agent.store != NULL);
    floor_close(&f);
}

static void the_fleet_gets_a_new_key_that_the_others_open(void **state)
{
    uint8_t before[KEY_BYTES];
    struct floor f;
    struct pc a, b, c;

    (void)state;
    open_three_pcs(&f, &a, &b, &c, no_goods);
    pc_start(&a);
    pc_start(&b);
    AWAIT(&f, is_talking(&a, &b) && is_settled(&b));
    memcpy(before, a.agent.fleet_keys.keys[0], sizeof before);
    shut_out(&a, &c);
    assert_memory_not_equal(a.agent.fleet_keys.keys[0], before, sizeof before);
    assert_memory_equal(a.agent.fleet_keys.keys[1], before, sizeof before);
    AWAIT(&f, memcmp(b.agent.fleet_keys.keys[0], a.agent.fleet_keys.keys[0], KEY_BYTES) == 0);
    /* Kept: with it the next link opens. */
    pc_stop(&b);
    pc_start(&b);
    AWAIT(&f, is_talking(&a, &b));
    assert_memory_equal(b.agent.fleet_keys.keys[0], a.agent.fleet_keys.keys[0], KEY_BYTES);
    floor_close(&f);
}

static void what_comes_of_one_that_was_shut_out_is_told(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    fleet_refused(&a.agent, &b.keys.site, "in a drop file");
    assert_string_equal(warned(&a, WARNING_REFUSED),
                        "B was shut out of the fleet; changes that it made afterwards came in a "
                        "drop file and were not taken");
    pass_time(&a, 599000);
    fleet_tick(&a.agent);
    assert_true(is_warned(&a, WARNING_REFUSED));
    pass_time(&a, 2000); /* none came for ten minutes */
    fleet_tick(&a.agent);
    assert_false(is_warned(&a, WARNING_REFUSED));
    floor_close(&f);
}

static void that_one_begins_anew_all_the_time_is_told(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    fleet_crowded(&a.agent, &b.keys.site);
    assert_non_null(strstr(warned(&a, WARNING_CROWDED), "B has begun anew so often"));
    pass_time(&a, 601000);
    fleet_tick(&a.agent);
    assert_false(is_warned(&a, WARNING_CROWDED));
    floor_close(&f);
}

/* Why nobody talks with it is then known: not a word of its key, nor of being alone. */
static void a_pc_that_hears_it_was_shut_out_is_told_of_no_old_key_beside(void **state)
{
    struct member *member;
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    pc_stop(&b);
    sql(&a, "INSERT INTO article VALUES (9, 'salt', 1, 1)");
    AWAIT(&f, is_warned(&a, WARNING_NO_PEER));
    member = members_get(links_members(a.agent.links), &b.keys.site);
    member->hung_up = (struct hung_up){.at_ms = uv_now(&a.loop), .times = 3, .keys = 1};
    AWAIT(&f, is_warned(&a, WARNING_KEY));
    fleet_told(&a.agent, &b.keys.site);
    AWAIT(&f, !is_warned(&a, WARNING_KEY) && !is_warned(&a, WARNING_NO_PEER));
    assert_true(is_warned(&a, WARNING_REVOKED));
    assert_true(uv_now(&a.loop) - member->hung_up.at_ms < 60000); /* not for having passed */
    floor_close(&f);
}

/* Only a member's word counts, and only as long as none talks with this PC. */
static void a_stranger_cannot_say_that_this_pc_was_shut_out(void **state)
{
    struct site_id stranger = {{42}};
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    fleet_told(&a.agent, &b.keys.site);
    assert_false(is_warned(&a, WARNING_REVOKED));
    pc_stop(&b);
    AWAIT(&f, !is_talking(&a, &b));
    fleet_told(&a.agent, &stranger);
    assert_false(is_warned(&a, WARNING_REVOKED));
    fleet_told(&a.agent, &b.keys.site);
    assert_non_null(strstr(warned(&a, WARNING_REVOKED), "B says that somebody shut this PC out"));
    pc_start(&b);
    AWAIT(&f, is_talking(&a, &b));
    fleet_tick(&a.agent);
    assert_false(is_warned(&a, WARNING_REVOKED));
    floor_close(&f);
}

/* The keys of a stolen PC let its thief say that he shut others out before they shut him out: a PC
 * that hears the thief first cannot tell. */
static void who_strikes_back_is_told_until_somebody_says_that_it_may_stay(void **state)
{
    struct roster honest = {0};
    struct vector cut = {0};
    struct err e = {0};
    struct floor f;
    struct pc a, b, c;

    (void)state;
    open_three_pcs(&f, &a, &b, &c, no_goods);
    pc_start(&a);
    must(roster_load(&honest, buf_slice(&a.agent.roster.log), &e), &e);
    must(roster_admin(&honest, &b.keys.site, false, &c.keys, &e), &e);
    must(roster_revoke(&a.agent.roster, &c.keys.site, &cut, &b.keys, &e), &e);
    must(agent_roster_changed(&a.agent, &e), &e);
    assert_false(is_warned(&a, WARNING_CONTESTED));
    must(agent_roster_merge(&a.agent, buf_slice(&honest.log), &e), &e);
    assert_string_equal(warned(&a, WARNING_CONTESTED),
                        "B was shut out, or lost its rights, on C, and is in the fleet all the "
                        "same: it shut C out without knowing of that, and joined before it");
    pc_stop(&a);
    pc_start(&a);
    assert_true(is_warned(&a, WARNING_CONTESTED));
    must(roster_admin(&a.agent.roster, &b.keys.site, true, &a.keys, &e), &e);
    must(agent_roster_changed(&a.agent, &e), &e);
    assert_false(is_warned(&a, WARNING_CONTESTED));
    roster_close(&honest);
    floor_close(&f);
}

static struct keys enrolled(struct pc *by, const char *name, uint8_t first)
{
    char got[NAME_BYTES_MAX + 1];
    uint8_t seed[KEY_BYTES] = {first}, no_invite[ROSTER_INVITE_ID_BYTES] = {0};
    struct keys k;
    struct err e = {0};

    keys_from_seed(&k, seed);
    must(roster_enrol(&by->agent.roster, k.sign_public, k.exchange_public, name, no_invite,
                      &by->agent.keys, got, &e) &&
             agent_roster_changed(&by->agent, &e),
         &e);
    return k;
}

/* Y shuts X out. A joined before both, and sees to it that X can strike back nowhere. */
static void what_a_junior_takes_a_senior_takes_in_the_call_that_brought_it(void **state)
{
    struct roster honest = {0}, thief = {0}, kept = {0};
    struct fleet_keys keys = {0};
    struct vector cut = {0};
    struct keys x, y;
    struct err e = {0};
    struct floor f;
    struct pc a, b;
    uint32_t entries;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    x = enrolled(&a, "X", 1);
    y = enrolled(&a, "Y", 2);
    AWAIT(&f, b.agent.roster.site_count == 4);
    must(roster_load(&honest, buf_slice(&a.agent.roster.log), &e), &e);
    must(roster_load(&thief, buf_slice(&a.agent.roster.log), &e), &e);
    must(roster_revoke(&honest, &x.site, &cut, &y, &e), &e);
    must(roster_revoke(&thief, &y.site, &cut, &x, &e), &e);
    must(agent_roster_merge(&a.agent, buf_slice(&honest.log), &e), &e);
    assert_true(roster_author(&a.agent.roster, &x.site)->by_senior);
    must(home_fleet_load(&a.home, &kept, &keys, &e), &e);
    assert_true(roster_author(&kept, &x.site)->by_senior);
    AWAIT(&f, b.agent.roster.entries == a.agent.roster.entries);
    entries = a.agent.roster.entries;
    fleet_tick(&b.agent);
    fleet_tick(&a.agent);
    assert_int_equal(b.agent.roster.entries, entries); /* one is enough */
    assert_int_equal(a.agent.roster.entries, entries);
    must(agent_roster_merge(&a.agent, buf_slice(&thief.log), &e), &e);
    assert_non_null(roster_find(&a.agent.roster, &y.site));
    assert_null(roster_find(&a.agent.roster, &x.site));
    assert_false(is_warned(&a, WARNING_CONTESTED));
    roster_close(&honest);
    roster_close(&thief);
    roster_close(&kept);
    floor_close(&f);
}

/* Who says on B that X may stay does not end it, nor does time, nor that they do not talk. */
static void stays_told(struct floor *f, struct pc *a, struct pc *b, const struct keys *x)
{
    struct err e = {0};

    must(roster_admin(&b->agent.roster, &x->site, true, &b->keys, &e) &&
             agent_roster_changed(&b->agent, &e),
         &e);
    AWAIT(f, is_talking(b, a) &&
                 strcmp(warned(b, WARNING_CONTESTED),
                        "the list of members that is here is not taken by A: `agent-cli status` "
                        "there says why") == 0);
    pass_time(a, 601000);
    fleet_tick(&a->agent);
    assert_true(is_warned(a, WARNING_CONTESTED));
    pc_stop(b);
    AWAIT(f, !is_talking(a, b));
    fleet_tick(&a->agent);
    assert_true(is_warned(a, WARNING_CONTESTED));
    pc_start(b);
    AWAIT(f, is_warned(b, WARNING_CONTESTED));
}

/* X was stolen, and Y shuts it out while B is off and A is no admin. The thief meets B first, and
 * what he dated back shuts out Y. Each side gives the fleet a new key, and they meet all the same.
 */
static void who_knows_of_an_end_is_not_talked_out_of_it_by_one_who_was_deceived(void **state)
{
    struct roster thief = {0};
    struct vector cut = {0};
    const uint8_t key[KEY_BYTES] = {7};
    struct keys x, y, z;
    struct err e = {0};
    struct floor f;
    struct pc a, b;
    uint32_t entries;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    z = enrolled(&a, "Z", 3);
    x = enrolled(&a, "X", 1);
    y = enrolled(&a, "Y", 2);
    must(roster_admin(&a.agent.roster, &a.keys.site, false, &a.keys, &e) &&
             agent_roster_changed(&a.agent, &e),
         &e);
    AWAIT(&f, a.agent.roster.entries == b.agent.roster.entries);
    pc_stop(&b);
    must(roster_load(&thief, buf_slice(&a.agent.roster.log), &e), &e);
    must(roster_revoke(&a.agent.roster, &x.site, &cut, &y, &e) &&
             roster_seal(&a.agent.roster, key, &y, &e),
         &e);
    must(agent_roster_changed(&a.agent, &e), &e);
    must(roster_revoke(&thief, &y.site, &cut, &x, &e), &e);
    pc_stop(&a);
    pc_start(&b);
    must(agent_roster_merge(&b.agent, buf_slice(&thief.log), &e), &e);
    assert_non_null(roster_find(&b.agent.roster, &x.site));
    assert_memory_not_equal(&b.agent.fleet_keys, &a.agent.fleet_keys, sizeof b.agent.fleet_keys);
    pc_start(&a);
    AWAIT(&f, is_talking(&a, &b) && is_warned(&a, WARNING_CONTESTED));
    assert_string_equal(warned(&a, WARNING_CONTESTED),
                        "the list of members that B has is not taken here: X, which was shut out "
                        "of the fleet, would have that back by its own word");
    assert_null(roster_find(&a.agent.roster, &x.site));
    assert_non_null(roster_find(&a.agent.roster, &y.site));
    AWAIT(&f, is_warned(&b, WARNING_CONTESTED));
    stays_told(&f, &a, &b, &x);
    /* Z joined before X: when it says so, too, X cannot strike back. Once is enough. */
    must(roster_revoke(&a.agent.roster, &x.site, &cut, &z, &e) &&
             agent_roster_changed(&a.agent, &e),
         &e);
    AWAIT(&f, !is_warned(&a, WARNING_CONTESTED) && !is_warned(&b, WARNING_CONTESTED));
    assert_null(roster_find(&b.agent.roster, &x.site));
    assert_non_null(roster_find(&b.agent.roster, &y.site));
    AWAIT(&f, a.agent.roster.entries == b.agent.roster.entries);
    entries = a.agent.roster.entries;
    must(fleet_shut_out(&b.agent, &x.site, &cut, &e), &e);
    assert_int_equal(b.agent.roster.entries, entries);
    roster_close(&thief);
    floor_close(&f);
}

/* Who fills it on purpose does it in a moment; an honest shop takes years from here on. */
static void that_the_roster_fills_is_told_long_before_it_is_full(void **state)
{
    struct err e = {0};
    struct buf log;
    struct floor f;
    struct pc a, b;
    uint32_t n;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    n = ROSTER_ORDINARY_MAX / 10 * 9 - a.agent.roster.entries;
    renames_write(&log, &a.agent.roster, &a.keys, n);
    must(agent_roster_merge(&a.agent, buf_slice(&log), &e), &e);
    assert_false(is_warned(&a, WARNING_ROOM));
    buf_close(&log);
    renames_write(&log, &a.agent.roster, &a.keys, 1);
    must(agent_roster_merge(&a.agent, buf_slice(&log), &e), &e);
    assert_non_null(strstr(warned(&a, WARNING_ROOM), "has 2305 of 2560 entries"));
    buf_close(&log);
    floor_close(&f);
}

static void rotate(struct pc *pc, uint32_t times)
{
    struct err e = {0};

    while (times-- > 0)
        must(fleet_rotate(&pc->agent, &e) && agent_roster_changed(&pc->agent, &e), &e);
}

static void who_was_away_while_the_key_changed_often_comes_back(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    pc_stop(&b);
    rotate(&a, FLEET_KEYS_MAX - 1);
    pc_start(&b);
    AWAIT(&f, is_talking(&a, &b) &&
                  memcmp(b.agent.fleet_keys.keys[0], a.agent.fleet_keys.keys[0], KEY_BYTES) == 0);
    assert_false(is_warned(&b, WARNING_KEY));
    floor_close(&f);
}

/* It knows where the other one is, and that it hangs up. */
static void who_has_too_old_a_key_is_told_by_whom_and_a_file_brings_the_new_one(void **state)
{
    struct carried file, taken;
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    pc_stop(&b);
    rotate(&a, FLEET_KEYS_MAX);
    sql(&a, "UPDATE article SET stock = 7");
    pc_start(&b);
    sql(&b, "INSERT INTO article VALUES (9, 'salt', 1, 1)");
    AWAIT(&f, is_warned(&b, WARNING_KEY));
    assert_non_null(strstr(warned(&b, WARNING_KEY), "A, where it was met last (127.0.0.1:"));
    file = export_to(&a, a.directory, "");
    must(file.e.code == ERR_NONE, &file.e);
    taken = import_from(&b, file.path);
    must(taken.e.code == ERR_NONE, &taken.e);
    assert_true(taken.roster && taken.key);
    AWAIT(&f, is_talking(&b, &a) && is_settled(&b) && !is_warned(&b, WARNING_KEY));
    AWAIT(&f, holds(&a, "SELECT count(*) FROM article", "3"));
    taken = import_from(&b, file.path);
    assert_false(taken.roster || taken.key);
    /* Alone again, a moment later, it has the right key. */
    pc_stop(&a);
    sql(&b, "UPDATE article SET stock = 8");
    AWAIT(&f, is_warned(&b, WARNING_NO_PEER));
    assert_false(is_warned(&b, WARNING_KEY));
    floor_close(&f);
}

/* It may have an older one: both sides of a split have a new one. And once may be anything. */
static void one_that_hangs_up_is_said_to_lack_our_keys_when_it_was_asked_under_each(void **state)
{
    const struct hung_up *seen;
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    for (uint32_t n = 2; n <= 3; n++) {
        rotate(&a, 1);
        AWAIT(&f, b.agent.fleet_keys.n == n);
    }
    pc_stop(&b);
    rotate(&a, FLEET_KEYS_MAX);
    pc_start(&b);
    AWAIT(&f, b.agent.store != NULL);
    seen = &members_get(links_members(b.agent.links), &a.keys.site)->hung_up;
    AWAIT(&f, seen->times > 1);
    sql(&b, "UPDATE article SET stock = 8");
    AWAIT(&f, is_warned(&b, WARNING_KEY));
    assert_int_equal(seen->keys, 7);
    assert_non_null(strstr(warned(&b, WARNING_KEY), "or that PC was reset"));
    floor_close(&f);
}

static void joined(void *context, const struct err *e)
{
    struct pc *guest = context;

    must(e->code == ERR_NONE && fleet_is_member(&guest->agent), e);
}

static void come_back_with_a_token(struct floor *f, struct pc *guest, struct pc *host)
{
    char token[INVITE_TEXT_BYTES_MAX];
    struct err e = {0};

    must(agent_invite(&host->agent, 60000, false, token, &e) &&
             agent_join(&guest->agent, token, false, joined, guest, &e),
         &e);
    AWAIT(f, fleet_is_member(&guest->agent));
}

/* B is no admin any more, and has not heard of that when it takes in C. */
static void open_one_that_is_void(struct floor *f, struct pc *a, struct pc *b, struct pc *c)
{
    struct fleet_keys keys = {0};
    struct roster r = {0};
    struct err e = {0};

    open_pair_of_pcs(f, a, b);
    pc_stop(a);
    pc_stop(b);
    pc_open(f, c, "C", no_goods);
    must(home_fleet_load(&a->home, &r, &keys, &e) &&
             roster_admin(&r, &b->keys.site, false, &a->keys, &e) &&
             home_roster_save(&a->home, &r, &e),
         &e);
    roster_close(&r);
    pc_enrol(b, c);
    pc_track(c);
}

/* It is with B while B hears of it, or comes later. */
static void who_was_taken_in_by_one_without_rights_hears_why_and_comes_back(void **state)
{
    struct floor f;
    struct pc a, b, c;

    (void)state;
    for (int later = 0; later < 2; later++) {
        open_one_that_is_void(&f, &a, &b, &c);
        pc_start(&b);
        pc_start(&c);
        AWAIT(&f, is_talking(&b, &c) && is_talking(&c, &b));
        agent_sync_now(&c.agent, true, false);
        AWAIT(&f, is_settled(&c) && holds(&c, "SELECT count(*) FROM article", "2"));
        if (later)
            pc_stop(&c);
        pc_start(&a);
        AWAIT(&f, is_talking(&a, &b) && is_settled(&b) && b.agent.roster.rotated);
        assert_null(roster_find(&b.agent.roster, &c.keys.site));
        sql(&c, "INSERT INTO article VALUES (7, 'salt', 1, 1)");
        if (later)
            pc_start(&c);
        AWAIT(&f, is_warned(&c, WARNING_VOID) && !is_talking(&b, &c));
        assert_non_null(strstr(warned(&c, WARNING_VOID), "was no admin any more"));
        assert_false(is_warned(&c, WARNING_REVOKED));
        AWAIT(&f, c.agent.store != NULL && pump_is_idle(c.agent.pump));
        assert_true(holds(&a, "SELECT count(*) FROM article WHERE name = 'salt'", "0"));

        come_back_with_a_token(&f, &c, &a);
        AWAIT(&f, holds(&b, "SELECT count(*) FROM article WHERE name = 'salt'", "1") &&
                      is_talking(&a, &c) && is_settled(&c));
        assert_string_equal(roster_find(&b.agent.roster, &c.keys.site)->name, "C");
        assert_false(is_warned(&c, WARNING_VOID) || is_warned(&c, WARNING_REVOKED));
        assert_true(holds(&c, "SELECT count(*) FROM article", "3"));
        floor_close(&f);
    }
}

/* Under a key that the fleet had before nobody is believed but members. */
static void who_is_void_brings_nothing(void **state)
{
    struct message m = {.kind = MESSAGE_KIND_ROSTER};
    struct fleet_keys keys = {0};
    struct roster brought = {0};
    struct visitor v;
    struct err e = {0};
    struct floor f;
    struct pc a, b, c;
    uint32_t entries;

    (void)state;
    open_one_that_is_void(&f, &a, &b, &c);
    must(home_fleet_load(&b.home, &brought, &keys, &e), &e);
    must(roster_admin(&brought, &a.keys.site, false, &b.keys, &e), &e);
    pc_start(&b);
    pc_start(&a);
    AWAIT(&f, is_talking(&a, &b) && is_settled(&b) && a.agent.roster.rotated &&
                  a.agent.roster.entries == b.agent.roster.entries);
    entries = a.agent.roster.entries;
    visit_with(&v, &a, &c.keys, a.agent.fleet_keys.keys[1]);
    AWAIT(&f, v.opened);
    visitor_greets(&v, &a);
    m.roster.log = buf_slice(&brought.log);
    visitor_says(&v, &m);
    AWAIT(&f, v.heard[MESSAGE_KIND_HELLO] == 1);
    AWAIT(&f, v.closed);
    assert_string_equal(v.bye_code, "revoked");
    assert_int_equal(v.heard[MESSAGE_KIND_CHANGESET], 0);
    assert_int_equal(a.agent.roster.entries, entries);
    roster_close(&brought);
    floor_close(&f);
}

static void believing_no_more_than_before_changes_nothing(void **state)
{
    struct vector logged = {0};
    struct floor f;
    struct err e = {0};
    struct pc a, b;
    uint32_t entries;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    shut_out(&a, &b);
    entries = a.agent.roster.entries;
    store_logged(a.agent.store, &logged);
    must(fleet_believe(&a.agent, &b.keys.site, &logged, &e), &e);
    assert_int_equal(a.agent.roster.entries, entries);
    vector_close(&logged);
    floor_close(&f);
}

static void a_roster_of_another_fleet_and_one_that_is_none_are_refused(void **state)
{
    struct roster other = {0};
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    must(roster_create(&other, "Elsewhere", "X", &b.keys, &e), &e);
    assert_false(agent_roster_merge(&a.agent, buf_slice(&other.log), &e));
    err_clear(&e);
    assert_false(agent_roster_merge(&a.agent, slice_text("no roster"), &e));
    err_clear(&e);
    must(agent_roster_merge(&a.agent, buf_slice(&b.agent.roster.log), &e), &e);
    assert_int_equal(agent_others(&a.agent), 1);
    roster_close(&other);
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_shut_out_hears_it_at_once_and_gets_nothing_more),
        cmocka_unit_test(the_fleet_gets_a_new_key_that_the_others_open),
        cmocka_unit_test(what_comes_of_one_that_was_shut_out_is_told),
        cmocka_unit_test(that_one_begins_anew_all_the_time_is_told),
        cmocka_unit_test(a_stranger_cannot_say_that_this_pc_was_shut_out),
        cmocka_unit_test(a_pc_that_hears_it_was_shut_out_is_told_of_no_old_key_beside),
        cmocka_unit_test(who_strikes_back_is_told_until_somebody_says_that_it_may_stay),
        cmocka_unit_test(that_the_roster_fills_is_told_long_before_it_is_full),
        cmocka_unit_test(who_was_away_while_the_key_changed_often_comes_back),
        cmocka_unit_test(who_has_too_old_a_key_is_told_by_whom_and_a_file_brings_the_new_one),
        cmocka_unit_test(one_that_hangs_up_is_said_to_lack_our_keys_when_it_was_asked_under_each),
        cmocka_unit_test(who_was_taken_in_by_one_without_rights_hears_why_and_comes_back),
        cmocka_unit_test(who_is_void_brings_nothing),
        cmocka_unit_test(what_a_junior_takes_a_senior_takes_in_the_call_that_brought_it),
        cmocka_unit_test(who_knows_of_an_end_is_not_talked_out_of_it_by_one_who_was_deceived),
        cmocka_unit_test(believing_no_more_than_before_changes_nothing),
        cmocka_unit_test(a_roster_of_another_fleet_and_one_that_is_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
