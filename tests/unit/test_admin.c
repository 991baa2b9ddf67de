/* Requests about the fleet itself. */
#include "admin.h"

#include "floor.h"
#include "request.h"

static bool ask_admin(struct pc *pc, enum request_kind kind, const char *peer, const char *name,
                      struct json_object **o, struct err *e)
{
    struct request r = {.kind = kind};

    snprintf(r.peer, sizeof r.peer, "%s", peer);
    snprintf(r.name, sizeof r.name, "%s", name);
    err_clear(e);
    *o = json_object_new_object();
    return admin_run(&pc->agent, &r, o, e);
}

static struct json_object *done(struct pc *pc, enum request_kind kind, const char *peer,
                                const char *name)
{
    struct json_object *o;
    struct err e = {0};

    must(ask_admin(pc, kind, peer, name, &o, &e), &e);
    return o;
}

static void expect_changed(struct pc *pc, enum request_kind kind, const char *peer,
                           const char *name, bool changed)
{
    struct json_object *o = done(pc, kind, peer, name);

    assert_int_equal(json_object_get_boolean(json_object_object_get(o, "changed")), changed);
    json_object_put(o);
}

static void expect_refused(struct pc *pc, enum request_kind kind, const char *peer,
                           const char *name, const char *says)
{
    uint32_t before = pc->agent.roster.entries;
    struct json_object *o;
    struct err e = {0};

    assert_false(ask_admin(pc, kind, peer, name, &o, &e));
    json_object_put(o);
    if (strstr(e.text, says) == NULL)
        fail_msg("%s", e.text);
    assert_int_equal(pc->agent.roster.entries, before);
}

static void the_roster_is_told_with_everybody_in_it(void **state)
{
    struct json_object *o, *members, *one;
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    o = done(&b, REQUEST_ROSTER, "", "");
    assert_string_equal(text_of(o, "fleet"), "Shop");
    assert_string_equal(text_of(o, "self"), "B");
    assert_true(json_object_get_boolean(json_object_object_get(o, "admin")));
    members = json_object_object_get(o, "members");
    assert_int_equal(json_object_array_length(members), 2);
    one = json_object_array_get_idx(members, 0);
    assert_string_equal(text_of(one, "name"), "A");
    assert_false(json_object_get_boolean(json_object_object_get(one, "self")));
    assert_int_equal(json_object_array_length(json_object_object_get(o, "gone")), 0);
    assert_true(number_of(o, "entries") > 0 &&
                number_of(o, "entries") < number_of(o, "entries_max"));
    json_object_put(o);
    floor_close(&f);
}

static void who_is_shut_out_stands_among_those_who_are_gone(void **state)
{
    struct json_object *o, *one;
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    expect_changed(&a, REQUEST_REVOKE, "B", "", true);
    expect_changed(&a, REQUEST_REVOKE, "B", "", false); /* nothing more of it is here */
    o = done(&a, REQUEST_ROSTER, "", "");
    assert_int_equal(json_object_array_length(json_object_object_get(o, "members")), 1);
    one = json_object_array_get_idx(json_object_object_get(o, "gone"), 0);
    assert_string_equal(text_of(one, "name"), "B");
    assert_string_equal(text_of(one, "why"), "revoked");
    assert_string_equal(text_of(one, "by"), "A");
    assert_non_null(text_of(o, "key")); /* the fleet has another one now */
    json_object_put(o);
    AWAIT(&f, !is_talking(&a, &b));
    floor_close(&f);
}

static void names_and_rights_change_on_every_pc(void **state)
{
    struct json_object *o;
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    o = done(&a, REQUEST_RENAME, "B", "BUREAU");
    assert_string_equal(text_of(o, "name"), "BUREAU");
    json_object_put(o);
    expect_changed(&a, REQUEST_ADMIN_REMOVE, "BUREAU", "", true);
    AWAIT(&f, roster_find(&b.agent.roster, &b.keys.site) != NULL &&
                  !roster_find(&b.agent.roster, &b.keys.site)->admin);
    assert_string_equal(roster_find(&b.agent.roster, &b.keys.site)->name, "BUREAU");
    expect_refused(&b, REQUEST_REVOKE, "A", "", "admin");
    expect_refused(&b, REQUEST_ROTATE, "", "", "admin");
    expect_changed(&a, REQUEST_ADMIN_ADD, "BUREAU", "", true);
    AWAIT(&f, roster_find(&b.agent.roster, &b.keys.site)->admin);
    expect_changed(&b, REQUEST_ROTATE, "", "", true);
    AWAIT(&f, memcmp(a.agent.fleet_keys.keys[0], b.agent.fleet_keys.keys[0], KEY_BYTES) == 0);
    floor_close(&f);
}

static void a_word_that_names_nobody_changes_nothing(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    expect_refused(&a, REQUEST_REVOKE, "NOBODY", "", "NOBODY");
    expect_refused(&a, REQUEST_RENAME, "NOBODY", "X", "NOBODY");
    expect_refused(&a, REQUEST_ADMIN_ADD, "", "", "");
    expect_refused(&a, REQUEST_RENAME, "B", "two\nlines", "");
    floor_close(&f);
}

static void without_a_fleet_nothing_can_be_said_of_one(void **state)
{
    struct floor f = {0};
    struct pc a;

    (void)state;
    pc_open(&f, &a, "A", goods);
    pc_start(&a);
    expect_refused(&a, REQUEST_ROSTER, "", "", "in no fleet");
    floor_close(&f);
}

static struct json_object *cancel(struct pc *pc, const char *id, struct err *e)
{
    struct request r = {.kind = REQUEST_INVITE_CANCEL};
    struct json_object *o = json_object_new_object();

    err_clear(e);
    snprintf(r.invitation, sizeof r.invitation, "%s", id);
    if (admin_run(&pc->agent, &r, &o, e))
        return o;
    json_object_put(o);
    return NULL;
}

static void an_invitation_is_withdrawn_by_its_number_or_all_are(void **state)
{
    char token[INVITE_TEXT_BYTES_MAX], id[2 * ROSTER_INVITE_ID_BYTES + 1];
    struct json_object *o, *one;
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    must(agent_invite(&a.agent, 60000, false, token, &e) &&
             agent_invite(&a.agent, 60000, false, token, &e),
         &e);
    o = done(&a, REQUEST_ROSTER, "", "");
    one = json_object_array_get_idx(json_object_object_get(o, "invitations"), 0);
    assert_string_equal(text_of(one, "state"), "open");
    snprintf(id, sizeof id, "%s", text_of(one, "id"));
    json_object_put(o);
    assert_null(cancel(&a, "xyz", &e));
    assert_int_equal(e.code, ERR_USAGE);
    assert_null(cancel(&a, "0000000000000000", &e));
    assert_int_equal(e.code, ERR_USAGE);
    o = cancel(&a, id, &e);
    assert_non_null(o);
    one = json_object_array_get_idx(json_object_object_get(o, "invitations"), 0);
    assert_string_equal(text_of(one, "state"), "withdrawn");
    one = json_object_array_get_idx(json_object_object_get(o, "invitations"), 1);
    assert_string_equal(text_of(one, "state"), "open");
    json_object_put(o);
    o = cancel(&a, "", &e);
    one = json_object_array_get_idx(json_object_object_get(o, "invitations"), 1);
    assert_string_equal(text_of(one, "state"), "withdrawn");
    json_object_put(o);
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_roster_is_told_with_everybody_in_it),
        cmocka_unit_test(who_is_shut_out_stands_among_those_who_are_gone),
        cmocka_unit_test(names_and_rights_change_on_every_pc),
        cmocka_unit_test(a_word_that_names_nobody_changes_nothing),
        cmocka_unit_test(without_a_fleet_nothing_can_be_said_of_one),
        cmocka_unit_test(an_invitation_is_withdrawn_by_its_number_or_all_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
