/* All connections of a PC: one for each pair of sites, tried again when it ends. Also of
 * links_dial.c. */
#include "links.h"

#include <navette/join.h>

#include "flood.h"
#include "floor.h"
#include "invitation.h"
#include "links_inside.h"
#include "visitor.h"

/* By then it is held: it has its second, and so much of the time goes on what it says. */
#define COSTLY_MS_MAX 20000

static uint32_t talks(const struct pc *pc)
{
    uint32_t at = 0, n = 0;

    while (links_next_talk(pc->agent.links, &at) != NULL)
        n++;
    return n;
}

static bool is_alone(const struct pc *pc)
{
    return pc->agent.links->n == 0;
}

/* Both dial, at once, again and again. */
static void two_that_dial_each_other_keep_one_link(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    links_add_fixed(a.agent.links, &b.config.listen);
    for (int i = 0; i < 10; i++) {
        links_pause(a.agent.links, "a test asks for it");
        AWAIT(&f, talks(&a) == 0 && talks(&b) == 0);
        links_resume(a.agent.links);
        links_dial_all(a.agent.links);
        links_dial_all(b.agent.links);
        AWAIT(&f, is_talking(&a, &b) && is_talking(&b, &a));
    }
    AWAIT(&f, a.agent.links->n == 1 && b.agent.links->n == 1);
    assert_int_equal(talks(&a), 1);
    assert_int_equal(agent_connected(&a.agent), 1);
    floor_close(&f);
}

static void a_pc_that_went_away_is_dialled_until_it_is_back(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    for (int i = 0; i < 3; i++) {
        pc_stop(&a);
        AWAIT(&f, !is_talking(&b, &a));
        sql(&b, i == 0 ? "UPDATE article SET stock = 1" : "UPDATE article SET stock = stock + 1");
        pc_start(&a);
        AWAIT(&f, is_talking(&b, &a) && is_settled(&b));
    }
    AWAIT(&f, holds(&a, "SELECT sum(stock) FROM article", "6"));
    floor_close(&f);
}

/* It pushed what it was told of: nobody waits for the tick. */
static void what_one_learns_it_passes_on(void **state)
{
    struct floor f;
    struct pc a, b, c;

    (void)state;
    open_star_of_pcs(&f, &a, &b, &c);
    sql(&b, "UPDATE article SET stock = 42");
    AWAIT(&f, holds(&c, "SELECT sum(stock) FROM article", "84"));
    floor_close(&f);
}

static void who_does_not_finish_his_handshake_is_cut_off(void **state)
{
    struct floor f = {0};
    struct sockaddr_in at;
    struct pc a;
    char byte;
    int s;

    (void)state;
    open_founding_pc(&f, &a, goods);
    pc_start(&a);
    AWAIT(&f, a.agent.store != NULL);
    s = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(uv_ip4_addr("127.0.0.1", a.config.listen.port, &at), 0);
    assert_int_equal(connect(s, (struct sockaddr *)&at, sizeof at), 0);
    AWAIT(&f, a.agent.links->n == 1);
    AWAIT(&f, recv(s, &byte, 1, MSG_DONTWAIT) == 0); /* without a byte */
    AWAIT(&f, is_alone(&a));
    close(s);
    floor_close(&f);
}

static void a_member_may_come_and_a_stranger_with_the_key_may_not_stay(void **state)
{
    struct keys stranger;
    struct visitor v;
    struct floor f = {0};
    struct pc a, b;

    (void)state;
    open_visited_pc(&f, &a, &b, &v);
    AWAIT(&f, v.heard[MESSAGE_KIND_HELLO] == 1 && is_talking(&a, &b));
    visitor_leaves(&v);
    AWAIT(&f, is_alone(&a));
    keys_generate(&stranger);
    visit(&v, &a, &stranger);
    AWAIT(&f, v.opened);
    visitor_greets(&v, &a);
    AWAIT(&f, v.closed);
    assert_string_equal(v.bye_code, "stranger");
    assert_int_equal(v.heard[MESSAGE_KIND_CHANGESET], 0);
    assert_true(is_warned(&a, WARNING_NO_MEMBER));
    /* It is told as long as he comes again. */
    AWAIT(&f, is_alone(&a));
    a.agent.stranger_ms = uv_now(&a.loop) - 59000;
    AWAIT(&f, !is_warned(&a, WARNING_NO_MEMBER));
    floor_close(&f);
}

static void without_the_key_nobody_gets_a_byte(void **state)
{
    struct visitor v;
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    a.agent.fleet_keys.keys[0][0] ^= 1; /* what the visitor takes for it */
    visit(&v, &a, &b.keys);
    a.agent.fleet_keys.keys[0][0] ^= 1;
    AWAIT(&f, v.closed);
    assert_false(v.opened);
    assert_true(is_talking(&a, &b));
    floor_close(&f);
}

/* Without a store there is nothing to talk about. */
static void a_pause_ends_all_and_lets_nobody_in(void **state)
{
    struct visitor v;
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    links_pause(a.agent.links, "a test asks for it");
    assert_int_equal(talks(&a), 0);
    AWAIT(&f, !is_talking(&b, &a));
    visit(&v, &a, &b.keys);
    AWAIT(&f, v.closed);
    assert_int_equal(v.heard[MESSAGE_KIND_HELLO], 0);
    links_resume(a.agent.links);
    AWAIT(&f, is_talking(&a, &b));
    floor_close(&f);
}

/* Entries that are all to be verified, of which the last one is forged. */
static void open_costly_log(struct flood *log, struct pc *host, const struct keys *by)
{
    char name[16];

    flood_open(log, &host->agent.roster);
    for (int i = 0; i < 600; i++) {
        snprintf(name, sizeof name, "B%d", i);
        flood_rename(log, by, name, by);
    }
    log->log.p[log->log.n - 1] ^= 1;
}

/* Is he not read from as soon as he is there? Else he says it; the link ends with the first such
 * message. */
static bool is_held_at_once(struct floor *f, struct pc *a, const struct keys *who,
                            const struct message *m)
{
    struct visitor v;
    bool held;

    AWAIT(f, is_alone(a));
    visit(&v, a, who);
    AWAIT(f, v.opened && a->agent.links->n == 1 && a->agent.links->conns[0]->talking);
    held = a->agent.links->conns[0]->link->held;
    visitor_greets(&v, a);
    if (held)
        visitor_leaves(&v);
    else
        visitor_says(&v, m);
    AWAIT(f, v.closed);
    return held;
}

/* `who` comes until it is held; NULL: somebody else each time, whom nobody knows. */
static void come_until_held(struct floor *f, struct pc *a, struct pc *b, const struct keys *who)
{
    struct message m = {.kind = MESSAGE_KIND_ROSTER};
    uint64_t until_ms = floor_now() + COSTLY_MS_MAX;
    struct keys stranger;
    struct flood log;
    int visits = 0;
    bool held = false;

    open_costly_log(&log, a, &b->keys);
    m.roster.log = buf_slice(&log.log);
    while (!held && floor_now() < until_ms) {
        keys_generate(&stranger);
        held = is_held_at_once(f, a, who != NULL ? who : &stranger, &m);
        visits++;
    }
    buf_close(&log.log);
    assert_true(held);
    assert_true(visits > 2); /* some of it may be a mistake */
}

static void who_comes_again_with_what_costs_much_and_brings_nothing_is_made_to_wait(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    pc_stop(&b);
    come_until_held(&f, &a, &b, &b.keys);
    /* It is heard all the same, in a while. */
    AWAIT(&f, is_alone(&a));
    pc_start(&b);
    AWAIT(&f, is_talking(&a, &b) && is_settled(&b));
    floor_close(&f);
}

/* An identity costs nothing to make: a new one each time has no time of its own. */
static void strangers_are_made_to_wait_all_together_and_no_member_for_them(void **state)
{
    struct floor f;
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    pc_stop(&b);
    come_until_held(&f, &a, &b, NULL);
    AWAIT(&f, is_alone(&a));
    pc_start(&b);
    AWAIT(&f, talk_of(&a, &b) != NULL);
    assert_false(talk_of(&a, &b)->link->held);
    AWAIT(&f, is_talking(&a, &b) && is_settled(&b));
    floor_close(&f);
}

/* What waits for it keeps its room, and it says enough not to be silent. */
static void a_member_that_takes_nothing_for_long_loses_its_link(void **state)
{
    struct link *to_b;
    struct visitor v;
    struct floor f = {0};
    struct pc a, b;

    (void)state;
    open_visited_pc(&f, &a, &b, &v);
    AWAIT(&f, is_talking(&a, &b));
    to_b = a.agent.links->conns[0]->link;
    visitor_stops_reading(&v, &f, to_b);
    assert_false(link_is_stuck(to_b, uv_now(&a.loop)));
    links_arm(a.agent.links);
    floor_turns(&f, 20);
    assert_non_null(talk_of(&a, &b));
    to_b->taken_ms -= LINK_STUCK_MS;
    links_arm(a.agent.links);
    floor_turns(&f, 20);
    assert_null(talk_of(&a, &b));
    visitor_leaves(&v);
    AWAIT(&f, is_alone(&a));
    floor_close(&f);
}

/* Where it cannot be put aside the link ends, and a person reads why. */
static void a_large_message_that_the_disk_does_not_take_is_told(void **state)
{
    static uint8_t large[MESSAGE_SKIPPED_BYTES_MAX] = {0x92, 0xCC, 0xFF};
    struct visitor v;
    struct floor f = {0};
    struct pc a, b;

    (void)state;
    open_visited_pc(&f, &a, &b, &v);
    AWAIT(&f, is_talking(&a, &b));
    snprintf(a.agent.home.path, sizeof a.agent.home.path, "/sys"); /* there nobody makes files */
    link_send(v.link, SLICE(large));
    AWAIT(&f, v.closed);
    AWAIT(&f, is_warned(&a, WARNING_STORE));
    assert_non_null(strstr(warned(&a, WARNING_STORE), "receive: put a large message aside"));
    floor_close(&f);
}

static bool holds_more_than_a_join(const struct links *l)
{
    return l->n == 1 && !l->conns[0]->dead &&
           l->conns[0]->link->channel.message_bytes > JOIN_BYTES_MAX;
}

/* With a token one may ask to join; that takes no more than a JOIN does. */
static void a_guest_who_says_more_than_a_join_is_cut_off(void **state)
{
    static uint8_t endless[8u << 20] = {0x92, MESSAGE_KIND_CHANGESET, 0xC6, 0x02};
    struct channel_secret secrets[INVITES_MAX];
    char token[INVITE_TEXT_BYTES_MAX];
    struct keys guest;
    struct visitor v;
    struct floor f = {0};
    struct pc a;
    struct err e = {0};

    (void)state;
    open_founding_pc(&f, &a, goods);
    pc_start(&a);
    AWAIT(&f, is_at_rest(&a));
    must(agent_invite(&a.agent, 60000, false, token, &e), &e);
    assert_int_equal(invitations_secrets(a.agent.invitations, secrets, INVITES_MAX), 1);
    keys_generate(&guest);
    visit_by(&v, &a, &guest, &secrets[0]);
    AWAIT(&f, v.opened);
    link_send(v.link, SLICE(endless));
    AWAIT(&f, v.closed || holds_more_than_a_join(a.agent.links));
    assert_true(v.closed);
    AWAIT(&f, is_alone(&a));
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_dial_each_other_keep_one_link),
        cmocka_unit_test(a_pc_that_went_away_is_dialled_until_it_is_back),
        cmocka_unit_test(what_one_learns_it_passes_on),
        cmocka_unit_test(who_does_not_finish_his_handshake_is_cut_off),
        cmocka_unit_test(a_member_may_come_and_a_stranger_with_the_key_may_not_stay),
        cmocka_unit_test(without_the_key_nobody_gets_a_byte),
        cmocka_unit_test(who_comes_again_with_what_costs_much_and_brings_nothing_is_made_to_wait),
        cmocka_unit_test(strangers_are_made_to_wait_all_together_and_no_member_for_them),
        cmocka_unit_test(a_pause_ends_all_and_lets_nobody_in),
        cmocka_unit_test(a_member_that_takes_nothing_for_long_loses_its_link),
        cmocka_unit_test(a_large_message_that_the_disk_does_not_take_is_told),
        cmocka_unit_test(a_guest_who_says_more_than_a_join_is_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
