/* What sync does as time passes: heartbeats, clocks, silence. */
#include "sync_net.h"

static void a_quiet_link_stays_alive_and_measures_clocks(void **state)
{
    struct net n;
    uint32_t before;

    (void)state;
    net_open(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    assert_int_equal(net_end_of(&n, 0, 1)->sync.skew_ms, 1000);
    assert_int_equal(net_end_of(&n, 1, 0)->sync.skew_ms, -1000);
    before = n.steps;
    net_pass(&n, 60000);
    assert_true(net_end_of(&n, 0, 1)->up);
    assert_in_range(n.steps - before, 40, 200);
    net_close(&n);
}

static void a_silent_peer_is_given_up(void **state)
{
    struct net n;
    uint64_t began_ms;

    (void)state;
    net_open(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    began_ms = n.now_ms;
    net_end_of(&n, 1, 0)->up = false;
    net_pass(&n, SYNC_DEAD_MS - 1);
    assert_true(net_end_of(&n, 0, 1)->up);
    net_pass(&n, 1);
    assert_false(net_end_of(&n, 0, 1)->up);
    assert_int_equal(n.now_ms - began_ms, SYNC_DEAD_MS);
    assert_int_equal(net_end_of(&n, 0, 1)->closed.code, ERR_NET);
    net_end_of(&n, 1, 0)->up = true;
    net_close(&n);
}

static void bytes_of_a_long_message_are_a_sign_of_life(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    net_end_of(&n, 1, 0)->up = false;
    net_pass(&n, SYNC_DEAD_MS - 1);
    sync_heard(&net_end_of(&n, 0, 1)->sync, n.now_ms, 1);
    net_pass(&n, SYNC_DEAD_MS - 1);
    assert_true(net_end_of(&n, 0, 1)->up);
    net_pass(&n, 1);
    assert_false(net_end_of(&n, 0, 1)->up);
    net_end_of(&n, 1, 0)->up = true;
    net_close(&n);
}

/* A change-set so big that it takes longer than a claim lasts is not asked for twice. */
static void a_long_message_keeps_its_claim(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 4);
    net_make(&n, 0, 0);
    net_link(&n, 0, 1);
    net_link(&n, 0, 2);
    net_settle(&n);
    n.sites[1].unreadable = true;
    net_cut(&n, 0, 1);
    net_cut(&n, 0, 2);
    net_link(&n, 3, 1);
    net_settle(&n);
    net_link(&n, 3, 2);
    net_settle(&n);
    net_pass(&n, SYNC_CLAIM_MS - 1);
    sync_heard(&net_end_of(&n, 3, 1)->sync, n.now_ms, SYNC_BIG_BYTES);
    net_pass(&n, SYNC_CLAIM_MS - 1);
    assert_int_equal(n.sites[3].copies, 0);
    net_pass(&n, SYNC_WAIT_MS + 1);
    assert_int_equal(n.sites[3].copies, 1);
    net_close(&n);
}

/* We slept: what the peer said meanwhile is still in the socket. */
static void a_loop_that_was_held_up_does_not_blame_its_peer(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    n.now_ms += 10 * SYNC_DEAD_MS;
    net_step(&n, 0, 1, (struct sync_event){.kind = SYNC_TIMEOUT});
    net_step(&n, 1, 0, (struct sync_event){.kind = SYNC_TIMEOUT});
    assert_true(net_end_of(&n, 0, 1)->up);
    net_settle(&n);
    net_pass(&n, SYNC_DEAD_MS);
    assert_true(net_end_of(&n, 0, 1)->up);
    assert_true(net_end_of(&n, 1, 0)->up);
    net_close(&n);
}

static void a_peer_that_never_greets_is_given_up(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 2);
    net_join_end(&n, 0, 1);
    net_step(&n, 0, 1, (struct sync_event){.kind = SYNC_OPENED});
    net_pass(&n, SYNC_HELLO_MS - 1);
    assert_true(net_end_of(&n, 0, 1)->up);
    net_pass(&n, 1);
    assert_false(net_end_of(&n, 0, 1)->up);
    net_close(&n);
}

static void leaving_says_why(void **state)
{
    struct net n;
    struct buf send = {0};

    (void)state;
    net_open(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    sync_leave(&net_end_of(&n, 0, 1)->sync, "stop", "the agent stops", &send);
    buf_add(&net_end_of(&n, 1, 0)->in, send.p, send.n);
    buf_close(&send);
    net_settle(&n);
    assert_int_equal(net_end_of(&n, 1, 0)->closed.code, ERR_NET);
    assert_string_equal(net_end_of(&n, 1, 0)->closed.text,
                        "peer closed the link (stop): the agent stops");
    net_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_link_stays_alive_and_measures_clocks),
        cmocka_unit_test(a_silent_peer_is_given_up),
        cmocka_unit_test(bytes_of_a_long_message_are_a_sign_of_life),
        cmocka_unit_test(a_long_message_keeps_its_claim),
        cmocka_unit_test(a_loop_that_was_held_up_does_not_blame_its_peer),
        cmocka_unit_test(a_peer_that_never_greets_is_given_up),
        cmocka_unit_test(leaving_says_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
