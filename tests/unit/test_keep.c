/* What the disk does not take at once. */
#include "keep.h"

#include <navette/belief.h>

#include "admin.h"
#include "barred.h"
#include "fleet.h"
#include "floor.h"
#include "inside.h"
#include "request.h"

/* Is `whom` a member by the file? */
static bool file_has(const struct pc *pc, const struct pc *whom)
{
    struct fleet_keys keys = {0};
    struct roster r = {0};
    struct err e = {0};
    bool has;

    must(home_fleet_load(&pc->home, &r, &keys, &e), &e);
    has = roster_find(&r, &whom->keys.site) != NULL;
    roster_close(&r);
    return has;
}

static bool say_revoke(struct pc *by, const char *whom, struct err *e)
{
    struct request r = {.kind = REQUEST_REVOKE};
    struct json_object *o = json_object_new_object();
    bool ok;

    err_clear(e);
    snprintf(r.peer, sizeof r.peer, "%s", whom);
    ok = admin_run(&by->agent, &r, &o, e);
    json_object_put(o);
    return ok;
}

static void a_revocation_that_is_heard_on_a_full_disk_is_saved_once_there_is_room(void **state)
{
    struct floor f;
    struct err e = {0};
    struct pc a, b, c;

    (void)state;
    open_two_of_three_pcs(&f, &a, &b, &c);
    bar(b.home.roster);
    must(say_revoke(&a, "C", &e), &e);
    AWAIT(&f, roster_find(&b.agent.roster, &c.keys.site) == NULL);
    assert_true(is_warned(&b, WARNING_UNSAVED));
    assert_non_null(strstr(warned(&b, WARNING_UNSAVED), "would be a member here again"));
    assert_false(is_warned(&a, WARNING_UNSAVED));
    assert_true(file_has(&b, &c));
    unbar(b.home.roster);
    AWAIT(&f, !is_warned(&b, WARNING_UNSAVED));
    assert_false(file_has(&b, &c));
    floor_close(&f);
}

static void a_command_is_done_once_it_is_saved_and_not_when_it_is_said_again(void **state)
{
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    bar(a.home.roster);
    for (int times = 0; times < 2; times++) {
        assert_false(say_revoke(&a, "B", &e));
        assert_non_null(strstr(e.text, "it is not saved on this PC"));
        assert_true(roster_find(&a.agent.roster, &b.keys.site) == NULL && file_has(&a, &b));
    }
    unbar(a.home.roster);
    must(say_revoke(&a, "B", &e), &e);
    assert_false(file_has(&a, &b));
    assert_false(is_warned(&a, WARNING_UNSAVED));
    floor_close(&f);
}

static void what_stops_says_it_to_the_disk_once_more(void **state)
{
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    bar(a.home.roster);
    assert_false(say_revoke(&a, "B", &e));
    unbar(a.home.roster);
    pc_stop(&a);
    assert_false(file_has(&a, &b));
    floor_close(&f);
}

static void a_key_that_could_not_be_saved_is_saved_later(void **state)
{
    struct fleet_keys keys = {0};
    struct roster r = {0};
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    bar(a.home.fleet_key);
    assert_false(fleet_rotate(&a.agent, &e) && agent_roster_changed(&a.agent, &e));
    assert_non_null(strstr(warned(&a, WARNING_UNSAVED), "not the fleet's key"));
    unbar(a.home.fleet_key);
    fleet_tick(&a.agent);
    assert_false(is_warned(&a, WARNING_UNSAVED));
    err_clear(&e);
    must(home_fleet_load(&a.home, &r, &keys, &e), &e);
    assert_memory_equal(keys.keys[0], a.agent.fleet_keys.keys[0], KEY_BYTES);
    roster_close(&r);
    floor_close(&f);
}

static void allow_writing(struct pc *pc, bool yes)
{
    assert_int_equal(sqlite3_exec(pc->agent.store->ledger.db,
                                  yes ? "PRAGMA query_only = 0" : "PRAGMA query_only = 1", NULL,
                                  NULL, NULL),
                     SQLITE_OK);
}

/* The file could go back alone to before it was told. */
static void a_list_that_the_ledger_did_not_take_is_written_there_later(void **state)
{
    struct floor f;
    struct err e = {0};
    struct buf kept;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    allow_writing(&a, false);
    assert_false(say_revoke(&a, "B", &e));
    assert_false(file_has(&a, &b));
    assert_non_null(strstr(warned(&a, WARNING_UNSAVED), "its copy in the ledger"));
    allow_writing(&a, true);
    fleet_tick(&a.agent);
    assert_false(is_warned(&a, WARNING_UNSAVED));
    buf_open(&kept, ROSTER_BYTES_MAX);
    err_clear(&e);
    must(store_roster_kept(a.agent.store, &kept, &e), &e);
    assert_true(slice_equal(buf_slice(&kept), buf_slice(&a.agent.roster.log)));
    buf_close(&kept);
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_revocation_that_is_heard_on_a_full_disk_is_saved_once_there_is_room),
        cmocka_unit_test(a_command_is_done_once_it_is_saved_and_not_when_it_is_said_again),
        cmocka_unit_test(what_stops_says_it_to_the_disk_once_more),
        cmocka_unit_test(a_key_that_could_not_be_saved_is_saved_later),
        cmocka_unit_test(a_list_that_the_ledger_did_not_take_is_written_there_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
