/* Tokens made here, and the guests who come with them; and what they see (join.c). */
#include "invitation.h"

#include <sys/stat.h>

#include <navette/invite.h>
#include <navette/join.h>

#include "floor.h"
#include "join.h"
#include "visitor.h"

#define INVITES_FILE_BYTES 4096

struct answer {
    bool is_there;
    struct err e;
};

static void on_joined(void *context, const struct err *e)
{
    struct answer *a = context;

    assert_false(a->is_there);
    a->is_there = true;
    a->e = *e;
}

/* a runs and has invited; b runs, in no fleet. */
static void open_host_and_guest(struct floor *f, struct pc *a, struct pc *b, char *token)
{
    struct err e = {0};

    *f = (struct floor){0};
    open_founding_pc(f, a, goods);
    pc_open(f, b, "B", no_goods);
    pc_track(b);
    pc_start(a);
    pc_start(b);
    AWAIT(f, a->agent.store != NULL && is_settled(a) && b->agent.store != NULL);
    must(agent_invite(&a->agent, 60000, false, token, &e), &e);
}

static struct answer joins(struct pc *pc, const char *token)
{
    struct answer answer = {0};
    struct err e = {0};

    must(agent_join(&pc->agent, token, false, on_joined, &answer, &e), &e);
    assert_true(join_is_looking(pc->agent.join));
    AWAIT(pc->floor, answer.is_there);
    assert_false(join_is_looking(pc->agent.join));
    return answer;
}

static void expect_joined(struct answer a)
{
    if (a.e.code != ERR_NONE)
        fail_msg("%s", a.e.text);
}

static void expect_sorry(struct answer a, const char *says)
{
    assert_int_equal(a.e.code, ERR_REFUSED);
    if (strstr(a.e.text, says) == NULL)
        fail_msg("%s", a.e.text);
}

static void one_token_is_all_it_takes(void **state)
{
    char token[INVITE_TEXT_BYTES_MAX];
    struct floor f;
    struct pc a, b;

    (void)state;
    open_host_and_guest(&f, &a, &b, token);
    expect_joined(joins(&b, token));
    assert_string_equal(b.agent.roster.fleet_name, "Shop");
    AWAIT(&f, holds(&b, "SELECT count(*) FROM article", "2"));
    assert_true(is_talking(&a, &b));
    pc_stop(&b);
    pc_start(&b);
    assert_true(b.agent.in_fleet); /* also after a restart */
    floor_close(&f);
}

static void a_token_serves_one_pc_and_that_one_again(void **state)
{
    char token[INVITE_TEXT_BYTES_MAX];
    struct floor f;
    struct pc a, b, c;

    (void)state;
    open_host_and_guest(&f, &a, &b, token);
    expect_joined(joins(&b, token));
    pc_open(&f, &c, "C", no_goods);
    pc_track(&c);
    pc_start(&c);
    expect_sorry(joins(&c, token), "used already");
    floor_close(&f);
}

static void a_token_that_is_over_or_withdrawn_says_so(void **state)
{
    char token[INVITE_TEXT_BYTES_MAX], second[INVITE_TEXT_BYTES_MAX];
    struct invite_lock lock;
    struct invite v;
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_host_and_guest(&f, &a, &b, token);
    must(invite_parse(&v, token, &e), &e);
    invite_lock(&lock, &v);
    must(roster_withdraw(&a.agent.roster, lock.id, &a.keys, &e) &&
             agent_roster_changed(&a.agent, &e),
         &e);
    expect_sorry(joins(&b, token), "withdrawn");
    must(agent_invite(&a.agent, 1, false, second, &e), &e);
    {
        uint64_t made_ms = agent_wall_ms(&a.agent);

        AWAIT(&f, agent_wall_ms(&a.agent) > made_ms + 1);
    }
    expect_sorry(joins(&b, second), "expired");
    assert_false(b.agent.in_fleet);
    floor_close(&f);
}

static void invitations_outlive_a_restart(void **state)
{
    char token[INVITE_TEXT_BYTES_MAX];
    struct floor f;
    struct pc a, b;

    (void)state;
    open_host_and_guest(&f, &a, &b, token);
    pc_stop(&a);
    pc_start(&a);
    AWAIT(&f, a.agent.store != NULL);
    expect_joined(joins(&b, token));
    floor_close(&f);
}

/* Its own file is as old as that home, but the roster comes back from the others. */
static void a_token_that_was_used_serves_no_other_when_its_makers_home_went_back(void **state)
{
    char token[INVITE_TEXT_BYTES_MAX], path[PATH_BYTES_MAX];
    struct buf invites = {0};
    struct floor f;
    struct err e = {0};
    struct pc a, b, c;

    (void)state;
    open_host_and_guest(&f, &a, &b, token);
    buf_open(&invites, INVITES_FILE_BYTES);
    must(path_join(path, a.home_path, "invites", &e) &&
             file_read(path, INVITES_FILE_BYTES, &invites, &e),
         &e);
    expect_joined(joins(&b, token));
    pc_stop(&a);
    must(file_write_atomic(path, buf_slice(&invites), 0600, &e), &e);
    pc_start(&a);
    AWAIT(&f, a.agent.store != NULL);
    pc_open(&f, &c, "C", no_goods);
    pc_track(&c);
    pc_start(&c);
    expect_sorry(joins(&c, token), "used already");
    assert_int_equal(a.agent.roster.site_count, 2);
    buf_close(&invites);
    floor_close(&f);
}

/* In this turn of the loop, the clock of the PC stands elsewhere. */
static void set_clock(struct pc *pc, uint64_t wall_ms)
{
    pc->agent.wall_at = uv_now(pc->agent.loop) + 1;
    pc->agent.wall_ms = wall_ms;
    assert_int_equal(agent_wall_ms(&pc->agent), wall_ms);
}

static void a_token_that_was_made_while_the_clock_stood_ahead_is_over_when_it_is_right(void **state)
{
    const uint64_t day_ms = 86400000;
    char token[INVITE_TEXT_BYTES_MAX];
    uint8_t keys[INVITES_MAX][32];
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_host_and_guest(&f, &a, &b, token);
    invitations_void(a.agent.invitations);
    set_clock(&a, agent_wall_ms(&a.agent) + 2 * day_ms);
    must(agent_invite(&a.agent, 60000, false, token, &e), &e);
    pc_stop(&a);
    pc_start(&a);
    AWAIT(&f, a.agent.store != NULL);
    assert_int_equal(invitations_beacon_keys(a.agent.invitations, keys, INVITES_MAX), 0);
    expect_sorry(joins(&b, token), "clock");
    /* Some minutes are no matter; a life that no token has is, whenever it was made. */
    set_clock(&a, agent_wall_ms(&a.agent) + 300000);
    must(agent_invite(&a.agent, 60000, false, token, &e), &e);
    set_clock(&a, agent_wall_ms(&a.agent) - 300000);
    assert_int_equal(invitations_beacon_keys(a.agent.invitations, keys, INVITES_MAX), 1);
    must(agent_invite(&a.agent, 1461 * day_ms, false, token, &e), &e);
    assert_int_equal(invitations_beacon_keys(a.agent.invitations, keys, INVITES_MAX), 1);
    floor_close(&f);
}

/* A file of them that somebody wrote into costs the open ones, and nothing else. */
static void a_damaged_file_of_invitations_voids_them(void **state)
{
    struct channel_secret secrets[INVITES_MAX];
    char token[INVITE_TEXT_BYTES_MAX], path[PATH_BYTES_MAX];
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_host_and_guest(&f, &a, &b, token);
    assert_int_equal(invitations_secrets(a.agent.invitations, secrets, INVITES_MAX), 1);
    pc_stop(&a);
    must(path_join(path, a.home_path, "invites", &e) &&
             file_write_atomic(path, slice_text("\xdd\xff\xff\xff\xff nonsense"), 0600, &e),
         &e);
    pc_start(&a);
    assert_int_equal(invitations_secrets(a.agent.invitations, secrets, INVITES_MAX), 0);
    must(agent_invite(&a.agent, 60000, false, token, &e), &e);
    expect_joined(joins(&b, token));
    floor_close(&f);
}

static void what_stands_in_the_place_of_that_file_is_told_until_it_is_gone(void **state)
{
    char token[INVITE_TEXT_BYTES_MAX];
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_host_and_guest(&f, &a, &b, token);
    pc_stop(&a);
    must(file_remove(a.home.invites, &e), &e);
    assert_int_equal(mkdir(a.home.invites, 0700), 0);
    pc_start(&a);
    assert_non_null(strstr(warned(&a, WARNING_TOKENS), "invites is not a regular file"));
    assert_false(agent_invite(&a.agent, 60000, false, token, &e));
    assert_true(is_warned(&a, WARNING_TOKENS));
    assert_int_equal(rmdir(a.home.invites), 0);
    err_clear(&e);
    must(agent_invite(&a.agent, 60000, false, token, &e), &e);
    assert_false(is_warned(&a, WARNING_TOKENS));
    expect_joined(joins(&b, token));
    floor_close(&f);
}

static void there_are_so_many_open_ones_and_no_more(void **state)
{
    char token[INVITE_TEXT_BYTES_MAX];
    uint8_t keys[INVITES_MAX][32];
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_host_and_guest(&f, &a, &b, token);
    for (int i = 1; i < INVITES_MAX; i++)
        must(agent_invite(&a.agent, 60000, false, token, &e), &e);
    assert_int_equal(invitations_beacon_keys(a.agent.invitations, keys, INVITES_MAX), INVITES_MAX);
    assert_int_equal(invitations_beacon_keys(a.agent.invitations, keys, 3), 3);
    assert_false(agent_invite(&a.agent, 60000, false, token, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    expect_joined(joins(&b, token)); /* the last one that was made */
    err_clear(&e);
    must(agent_invite(&a.agent, 60000, false, token, &e), &e); /* the used one makes room */
    invitations_void(a.agent.invitations);
    assert_int_equal(invitations_beacon_keys(a.agent.invitations, keys, INVITES_MAX), 0);
    floor_close(&f);
}

static void who_is_in_no_fleet_cannot_invite(void **state)
{
    char token[INVITE_TEXT_BYTES_MAX];
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_host_and_guest(&f, &a, &b, token);
    assert_false(agent_invite(&b.agent, 60000, false, token, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    assert_non_null(strstr(e.text, "in no fleet"));
    floor_close(&f);
}

/* Whoever asked has gone, or the agent stops: joining is no one's business then. */
static void joining_goes_on_or_ends_without_the_one_who_asked(void **state)
{
    char token[INVITE_TEXT_BYTES_MAX];
    struct answer answer = {0};
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_host_and_guest(&f, &a, &b, token);
    must(agent_join(&b.agent, token, false, on_joined, &answer, &e), &e);
    assert_false(agent_join(&b.agent, token, false, on_joined, &answer, &e));
    assert_int_equal(e.code, ERR_REFUSED); /* it is under way */
    agent_join_forget(&b.agent, &answer);
    AWAIT(&f, b.agent.in_fleet);
    assert_false(answer.is_there);
    floor_close(&f);
}

static void who_stops_while_it_joins_is_told_that_it_did_not(void **state)
{
    char token[INVITE_TEXT_BYTES_MAX];
    struct answer answer = {0};
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_host_and_guest(&f, &a, &b, token);
    pc_stop(&a);
    must(agent_join(&b.agent, token, false, on_joined, &answer, &e), &e);
    floor_turns(&f, 20);
    pc_stop(&b);
    assert_true(answer.is_there);
    assert_non_null(strstr(answer.e.text, "stopped before"));
    floor_close(&f);
}

/* The token's channel, opened by whoever has the token and these keys. */
static void visit_with_token(struct visitor *v, struct pc *host, const struct keys *keys,
                             const struct invite *token)
{
    struct invite_lock lock;
    struct err e = {0};

    invite_lock(&lock, token);
    *v = (struct visitor){.agent = {.loop = &host->loop, .keys = *keys},
                          .secret = {.mode = CHANNEL_INVITE}};
    memcpy(v->secret.psk, lock.psk, sizeof v->secret.psk);
    memcpy(v->secret.context, lock.id, sizeof lock.id);
    must(link_dial(&v->link, &v->agent, &host->config.listen, &v->secret,
                   (struct link_owner){&visitor_events, v}, &e),
         &e);
    AWAIT(host->floor, v->opened);
}

/* A JOIN for these public keys, with a proof that is right for them. */
static void asks_for(struct visitor *v, const struct invite *token, const uint8_t *sign_public,
                     const uint8_t *exchange_public)
{
    struct join_message m = {.kind = JOIN_JOIN, .name = "GUEST"};
    struct buf statement;

    memcpy(m.sign_public, sign_public, sizeof m.sign_public);
    memcpy(m.exchange_public, exchange_public, sizeof m.exchange_public);
    join_statement(&statement, &m, v->link->channel.session);
    invite_prove(token, buf_slice(&statement), m.proof);
    buf_close(&statement);
    join_send(v->link, &m);
}

/* Who has the token lets himself in, and nobody else: neither another identity, nor his own with a
 * key to which another one reads what is sealed. */
static void a_guest_joins_with_the_keys_of_his_channel_only(void **state)
{
    char text[INVITE_TEXT_BYTES_MAX];
    struct keys guest, other;
    struct invite token;
    struct visitor v;
    struct floor f;
    struct err e = {0};
    struct pc a, b;

    (void)state;
    open_host_and_guest(&f, &a, &b, text);
    must(invite_parse(&token, text, &e), &e);
    keys_generate(&guest);
    keys_generate(&other);
    for (int which = 0; which < 2; which++) {
        visit_with_token(&v, &a, &guest, &token);
        asks_for(&v, &token, (which == 0 ? &other : &guest)->sign_public,
                 (which == 1 ? &other : &guest)->exchange_public);
        AWAIT(&f, v.closed);
        assert_int_equal(v.heard[JOIN_WELCOME] + v.heard[JOIN_SORRY], 0);
        assert_int_equal(a.agent.roster.site_count, 1);
    }
    visit_with_token(&v, &a, &guest, &token);
    asks_for(&v, &token, guest.sign_public, guest.exchange_public);
    AWAIT(&f, v.heard[JOIN_WELCOME] == 1);
    assert_int_equal(a.agent.roster.site_count, 2);
    visitor_leaves(&v);
    floor_turns(&f, 20);
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_token_is_all_it_takes),
        cmocka_unit_test(a_token_serves_one_pc_and_that_one_again),
        cmocka_unit_test(a_token_that_is_over_or_withdrawn_says_so),
        cmocka_unit_test(invitations_outlive_a_restart),
        cmocka_unit_test(a_token_that_was_used_serves_no_other_when_its_makers_home_went_back),
        cmocka_unit_test(
            a_token_that_was_made_while_the_clock_stood_ahead_is_over_when_it_is_right),
        cmocka_unit_test(a_damaged_file_of_invitations_voids_them),
        cmocka_unit_test(what_stands_in_the_place_of_that_file_is_told_until_it_is_gone),
        cmocka_unit_test(there_are_so_many_open_ones_and_no_more),
        cmocka_unit_test(who_is_in_no_fleet_cannot_invite),
        cmocka_unit_test(joining_goes_on_or_ends_without_the_one_who_asked),
        cmocka_unit_test(a_guest_joins_with_the_keys_of_his_channel_only),
        cmocka_unit_test(who_stops_while_it_joins_is_told_that_it_did_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
