/* Checkpoints of the roster, as whole agents make, acknowledge and begin with them. */
#include "settle.h"

#include "admin.h"
#include "barred.h"
#include "carried.h"
#include "fleet.h"
#include "renames.h"
#include "request.h"

#define MINUTES(n) ((uint64_t)(n)*60000)

static bool ask_admin(struct pc *pc, enum request_kind kind, struct json_object **o, struct err *e)
{
    struct request r = {.kind = kind};

    err_clear(e);
    *o = json_object_new_object();
    return admin_run(&pc->agent, &r, o, e);
}

static struct json_object *done(struct pc *pc, enum request_kind kind)
{
    struct json_object *o;
    struct err e = {0};

    must(ask_admin(pc, kind, &o, &e), &e);
    return o;
}

static void sum_up(struct pc *pc)
{
    struct json_object *o = done(pc, REQUEST_CHECKPOINT);

    assert_true(json_object_get_boolean(json_object_object_get(o, "changed")));
    json_object_put(o);
}

static void expect_refused(struct pc *pc, const char *says)
{
    struct json_object *o;
    struct err e = {0};

    assert_false(ask_admin(pc, REQUEST_CHECKPOINT, &o, &e));
    json_object_put(o);
    if (strstr(e.text, says) == NULL)
        fail_msg("%s", e.text);
}

static bool has_begun(const struct pc *pc)
{
    return pc->agent.roster.before > 0;
}

static bool same_list(const struct pc *a, const struct pc *b)
{
    return memcmp(a->agent.roster_digest, b->agent.roster_digest, HASH_BYTES) == 0;
}

static const struct roster_checkpoint *pending(struct pc *pc)
{
    return settle_pending(&pc->agent);
}

static void fill(struct pc *pc, uint32_t n)
{
    struct err e = {0};
    struct buf log;

    renames_write(&log, &pc->agent.roster, &pc->agent.keys, n);
    must(agent_roster_merge(&pc->agent, buf_slice(&log), &e), &e);
    buf_close(&log);
}

/* It is later, and one tick of the agent comes. */
static void later(struct pc *pc, uint64_t ms)
{
    pass_time(pc, ms);
    fleet_tick(&pc->agent);
}

static struct roster stored(const struct pc *pc)
{
    struct fleet_keys keys = {0};
    struct roster r = {0};
    struct err e = {0};

    must(home_fleet_load(&pc->home, &r, &keys, &e), &e);
    return r;
}

/* ---- by command ---- */

static void
a_checkpoint_waits_for_the_pc_that_is_off_and_is_then_where_all_lists_begin(void **state)
{
    struct json_object *o, *one;
    struct floor f;
    struct pc a, b, c;
    uint32_t entries;

    (void)state;
    open_two_of_three_pcs(&f, &a, &b, &c);
    fill(&a, 40);
    entries = a.agent.roster.entries;
    sum_up(&a);
    AWAIT(&f, pending(&a)->missing_count == 1 && pending(&b)->missing_count == 1);
    assert_false(has_begun(&a) || has_begun(&b));
    o = done(&b, REQUEST_ROSTER);
    one = json_object_object_get(o, "checkpoint_pending");
    assert_string_equal(text_of(one, "by"), roster_find(&b.agent.roster, &a.keys.site)->name);
    assert_int_equal(json_object_array_length(json_object_object_get(one, "missing")), 1);
    assert_string_equal(json_object_get_string(
                            json_object_array_get_idx(json_object_object_get(one, "missing"), 0)),
                        "C");
    assert_false(json_object_get_boolean(json_object_object_get(one, "hopeless")));
    assert_null(json_object_object_get(o, "checkpoint"));
    json_object_put(o);
    expect_refused(&b, "waits for C");

    pc_start(&c);
    AWAIT(&f, has_begun(&a) && has_begun(&b) && has_begun(&c) && same_list(&a, &b) &&
                  same_list(&b, &c));
    assert_true(a.agent.roster.entries < 10);
    assert_int_equal(a.agent.roster.before, entries);
    assert_int_equal(a.agent.roster.site_count, 3);
    o = done(&c, REQUEST_ROSTER);
    one = json_object_object_get(o, "checkpoint");
    assert_int_equal(number_of(one, "entries"), entries);
    assert_non_null(text_of(one, "made"));
    assert_null(json_object_object_get(o, "checkpoint_pending"));
    json_object_put(o);
    /* And over a restart. */
    pc_stop(&c);
    pc_start(&c);
    AWAIT(&f, is_talking(&a, &c) && is_settled(&c));
    assert_true(has_begun(&c) && same_list(&a, &c));
    floor_close(&f);
}

static void a_fleet_of_one_sums_up_at_once(void **state)
{
    struct json_object *o;
    struct floor f = {0};
    struct roster kept;
    struct pc a;

    (void)state;
    open_founding_pc(&f, &a, goods);
    pc_start(&a);
    AWAIT(&f, a.agent.store != NULL);
    fill(&a, 5);
    o = done(&a, REQUEST_CHECKPOINT);
    assert_int_equal(number_of(json_object_object_get(o, "checkpoint"), "entries"), 6);
    assert_null(json_object_object_get(o, "checkpoint_pending"));
    assert_int_equal(number_of(o, "entries"), a.agent.roster.entries);
    json_object_put(o);
    kept = stored(&a);
    assert_int_equal(kept.before, 6);
    roster_close(&kept);
    floor_close(&f);
}

static void only_an_admin_sums_up(void **state)
{
    struct err e = {0};
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    must(roster_admin(&a.agent.roster, &b.keys.site, false, &a.keys, &e) &&
             agent_roster_changed(&a.agent, &e),
         &e);
    AWAIT(&f, same_list(&a, &b));
    expect_refused(&b, "no admin");
    sum_up(&a);
    AWAIT(&f, has_begun(&a) && has_begun(&b) && same_list(&a, &b)); /* any member is heard */
    floor_close(&f);
}

/* ---- the disk ---- */

static void what_is_not_on_the_disk_is_acknowledged_to_nobody(void **state)
{
    struct roster kept;
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    bar(b.home.roster);
    sum_up(&a);
    AWAIT(&f, b.agent.roster.checkpoints == 1 && b.agent.settle.failed_ms != 0);
    floor_turns(&f, 200);
    assert_int_equal(pending(&a)->missing_count, 1);
    assert_int_equal(pending(&b)->missing_count, 1); /* nor does it go by it itself */
    unbar(b.home.roster);
    later(&b, MINUTES(1));
    assert_true(has_begun(&b));
    kept = stored(&b);
    assert_true(kept.before > 0);
    roster_close(&kept);
    AWAIT(&f, has_begun(&a) && same_list(&a, &b));
    floor_close(&f);
}

static void a_checkpoint_that_cannot_be_saved_is_not_made(void **state)
{
    struct json_object *o;
    struct err e = {0};
    struct floor f;
    struct pc a, b;
    uint32_t entries;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    entries = a.agent.roster.entries;
    bar(a.home.roster);
    assert_false(ask_admin(&a, REQUEST_CHECKPOINT, &o, &e));
    json_object_put(o);
    assert_non_null(strstr(e.text, "cannot be summed up now"));
    assert_int_equal(a.agent.roster.entries, entries);
    unbar(a.home.roster);
    sum_up(&a);
    AWAIT(&f, has_begun(&a) && has_begun(&b));
    floor_close(&f);
}

/* What it acknowledged is in its ledger, too, and the other's list has nothing else any more. */
static void a_roster_file_from_before_the_checkpoint_is_whole_again(void **state)
{
    struct err e = {0};
    struct buf old;
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    buf_open(&old, ROSTER_BYTES_MAX);
    buf_add(&old, b.agent.roster.log.p, b.agent.roster.log.n);
    fill(&a, 3);
    sum_up(&a);
    AWAIT(&f, has_begun(&a) && has_begun(&b) && same_list(&a, &b));
    pc_stop(&b);
    pc_stop(&a);
    must(file_write_atomic(b.home.roster, buf_slice(&old), 0600, &e), &e);
    pc_start(&b);
    assert_false(has_begun(&b));
    AWAIT(&f, has_begun(&b)); /* nobody else is there */
    pc_start(&a);
    AWAIT(&f, is_talking(&a, &b) && same_list(&a, &b));
    buf_close(&old);
    floor_close(&f);
}

/* ---- a list that went back ---- */

static void a_list_that_went_back_takes_over_the_one_that_others_began(void **state)
{
    struct roster old = {0};
    struct err e = {0};
    struct floor f;
    struct pc a, b;
    bool changed;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    must(roster_load(&old, buf_slice(&b.agent.roster.log), &e), &e);
    fill(&a, 3);
    sum_up(&a);
    AWAIT(&f, has_begun(&a) && has_begun(&b) && same_list(&a, &b));
    must(settle_merge(&b.agent, &old, buf_slice(&a.agent.roster.log), true, &changed, &e), &e);
    assert_true(changed && old.before > 0);
    roster_close(&old);
    floor_close(&f);
}

static void one_that_was_shut_out_before_the_checkpoint_hears_it_whatever_it_brings(void **state)
{
    struct roster old = {0};
    struct carried file, taken;
    struct err e = {0};
    struct floor f;
    struct pc a, b, c;
    bool changed;

    (void)state;
    open_star_of_pcs(&f, &a, &b, &c);
    pc_stop(&c);
    must(roster_revoke(&a.agent.roster, &c.keys.site, &(struct vector){0}, &a.keys, &e) &&
             fleet_rotate(&a.agent, &e) && agent_roster_changed(&a.agent, &e),
         &e);
    AWAIT(&f, same_list(&a, &b));
    sum_up(&a);
    AWAIT(&f, has_begun(&a) && has_begun(&b) && same_list(&a, &b));
    /* By its list, were that all it heard of, it would not know how it stands. */
    old = stored(&c);
    assert_false(settle_merge(&c.agent, &old, buf_slice(&a.agent.roster.log), true, &changed, &e));
    assert_int_equal(e.code, ERR_STRANGER);
    assert_non_null(strstr(e.text, "probably shut out"));
    roster_close(&old);

    pc_start(&c);
    sql(&c, "INSERT INTO article VALUES (77, 'salt', 1, 1)");
    AWAIT(&f, is_warned(&c, WARNING_REVOKED));
    assert_non_null(strstr(warned(&c, WARNING_REVOKED), "says that somebody shut this PC out"));
    assert_false(is_talking(&c, &a) || is_talking(&c, &b));
    assert_null(roster_find(&a.agent.roster, &c.keys.site));
    assert_true(has_begun(&a) && same_list(&a, &b));
    /* Nor does its file. */
    file = export_to(&c, c.directory, "");
    must(file.e.code == ERR_NONE, &file.e);
    taken = import_from(&a, file.path);
    assert_int_equal(taken.e.code, ERR_REVOKED);
    /* It takes in none of theirs: it knows nothing of what that begins with. */
    file = export_to(&a, a.directory, "");
    taken = import_from(&c, file.path);
    assert_int_equal(taken.e.code, ERR_STRANGER);
    assert_non_null(strstr(taken.e.text, "probably shut out"));
    floor_close(&f);
}

/* ---- by itself ---- */

static void the_most_senior_admin_sums_up_at_half_of_the_room(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    later(&a, 0); /* it has begun to count */
    later(&b, 0);
    fill(&a, ROSTER_ORDINARY_MAX / 2 - 1 - a.agent.roster.entries);
    AWAIT(&f, same_list(&a, &b));
    later(&a, MINUTES(11));
    assert_int_equal(a.agent.roster.checkpoints, 0); /* not yet half */
    fill(&a, 1);
    AWAIT(&f, same_list(&a, &b));
    later(&b, MINUTES(11));
    assert_int_equal(b.agent.roster.checkpoints, 0); /* A is there */
    later(&a, MINUTES(11));
    assert_int_equal(a.agent.roster.checkpoints, 1);
    AWAIT(&f, has_begun(&a) && has_begun(&b) && same_list(&a, &b));
    assert_int_equal(a.agent.roster.before, ROSTER_ORDINARY_MAX / 2);
    assert_true(a.agent.roster.entries < 10);
    later(&a, MINUTES(61));
    assert_int_equal(a.agent.roster.checkpoints, 0); /* it is not half full any more */
    floor_close(&f);
}

static void one_that_is_hopeless_is_made_anew_an_hour_later(void **state)
{
    struct err e = {0};
    struct floor f;
    struct pc a, b, c;

    (void)state;
    open_two_of_three_pcs(&f, &a, &b, &c);
    sum_up(&a);
    AWAIT(&f, same_list(&a, &b) && pending(&b)->missing_count == 1);
    must(roster_revoke(&b.agent.roster, &c.keys.site, &(struct vector){0}, &b.keys, &e) &&
             agent_roster_changed(&b.agent, &e),
         &e);
    AWAIT(&f, same_list(&a, &b) && pending(&a)->hopeless);
    later(&a, MINUTES(59));
    assert_true(pending(&a)->hopeless);
    later(&a, MINUTES(1));
    AWAIT(&f, has_begun(&a) && has_begun(&b) && same_list(&a, &b));
    assert_null(roster_find(&b.agent.roster, &c.keys.site));
    assert_non_null(roster_author(&b.agent.roster, &c.keys.site));
    floor_close(&f);
}

static void an_admin_that_is_alone_sums_up_nothing_by_itself(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    fill(&a, ROSTER_ORDINARY_MAX / 2);
    pc_stop(&b);
    AWAIT(&f, !is_talking(&a, &b));
    later(&a, 0);
    later(&a, MINUTES(30));
    assert_int_equal(a.agent.roster.checkpoints, 0);
    floor_close(&f);
}

static void a_list_that_fills_all_the_same_says_for_whom_it_waits(void **state)
{
    struct floor f;
    struct pc a, b, c;

    (void)state;
    open_two_of_three_pcs(&f, &a, &b, &c);
    sum_up(&a);
    AWAIT(&f, same_list(&a, &b) && pending(&b)->missing_count == 1);
    fill(&b, ROSTER_ORDINARY_MAX / 10 * 9);
    assert_non_null(strstr(warned(&b, WARNING_ROOM), "as soon as that was seen by C"));
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_checkpoint_waits_for_the_pc_that_is_off_and_is_then_where_all_lists_begin),
        cmocka_unit_test(a_fleet_of_one_sums_up_at_once),
        cmocka_unit_test(only_an_admin_sums_up),
        cmocka_unit_test(what_is_not_on_the_disk_is_acknowledged_to_nobody),
        cmocka_unit_test(a_checkpoint_that_cannot_be_saved_is_not_made),
        cmocka_unit_test(a_roster_file_from_before_the_checkpoint_is_whole_again),
        cmocka_unit_test(a_list_that_went_back_takes_over_the_one_that_others_began),
        cmocka_unit_test(one_that_was_shut_out_before_the_checkpoint_hears_it_whatever_it_brings),
        cmocka_unit_test(the_most_senior_admin_sums_up_at_half_of_the_room),
        cmocka_unit_test(one_that_is_hopeless_is_made_anew_an_hour_later),
        cmocka_unit_test(an_admin_that_is_alone_sums_up_nothing_by_itself),
        cmocka_unit_test(a_list_that_fills_all_the_same_says_for_whom_it_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
