/* How much is under way, and what goes first. */
#include "sync_net.h"

static void assert_trace(const struct net *n, const char *expected)
{
    if (strcmp(n->trace, expected) != 0)
        fail_msg("the conversation was\n%sand not\n%s", n->trace, expected);
}

static void assert_same(const struct net *n)
{
    if (!net_same(n))
        fail_msg("the sites differ after\n%s", n->trace);
}

static void the_window_bounds_what_is_under_way(void **state)
{
    struct net n;
    const struct sync *s;

    (void)state;
    net_open(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    s = &net_end_of(&n, 0, 1)->sync;
    for (uint32_t k = 0; k < 6; k++)
        net_make(&n, 0, 5u << 20);
    assert_int_equal(s->window.n, 3);
    net_settle(&n);
    assert_int_equal(s->window.n, 0);
    assert_int_equal(s->window.bytes, 0);
    assert_int_equal(n.sites[1].copies, 6);
    assert_same(&n);
    net_close(&n);
}

/* What the peer could not keep still fills the window; asking again empties it. */
static void what_was_refused_does_not_block_the_window(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    n.sites[1].refuses = ERR_FULL;
    for (uint32_t k = 0; k < 6; k++)
        net_make(&n, 0, 5u << 20);
    net_settle(&n);
    assert_int_equal(net_end_of(&n, 0, 1)->sync.window.n, 3);
    n.sites[1].refuses = ERR_NONE;
    net_pass(&n, SYNC_RETRY_MS);
    assert_same(&n);
    net_close(&n);
}

/* A peer that holds another history of a chain says nothing of what it gets of it. */
static void a_chain_that_is_never_acknowledged_stops_no_other(void **state)
{
    struct net n;
    uint8_t other[HASH_BYTES] = {1};

    (void)state;
    net_open(&n, 3);
    for (uint32_t k = 0; k < 6; k++)
        net_make(&n, 2, 5u << 20);
    vector_copy(&n.sites[0].have, &n.sites[2].have);
    assert_true(vector_set(&n.sites[1].have, &n.sites[2].actor, 1, other));
    net_link(&n, 0, 1);
    net_settle(&n);
    assert_int_equal(net_end_of(&n, 0, 1)->sync.window.n, 3);
    net_make(&n, 0, 5u << 20);
    net_settle(&n);
    assert_int_equal(vector_get(&n.sites[1].have, &n.sites[0].actor), 0);
    net_pass(&n, SYNC_LOST_MS);
    assert_int_equal(vector_get(&n.sites[1].have, &n.sites[0].actor), 1);
    net_make(&n, 0, 5u << 20);
    net_settle(&n);
    assert_int_equal(vector_get(&n.sites[1].have, &n.sites[0].actor), 2);
    assert_true(net_end_of(&n, 0, 1)->up);
    net_close(&n);
}

/* Should the peer want it after all, it asks, and gets it once. */
static void what_was_given_up_is_sent_to_a_peer_that_asks(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    n.sites[1].refuses = ERR_FULL;
    for (uint32_t k = 0; k < 6; k++)
        net_make(&n, 0, 5u << 20);
    net_settle(&n);
    net_pass(&n, 2 * SYNC_LOST_MS);
    n.sites[1].refuses = ERR_NONE;
    net_mute(&n);
    net_pass(&n, SYNC_RETRY_MS_MAX);
    assert_same(&n);
    assert_int_equal(n.sites[1].copies, 6);
    net_close(&n);
}

/* A shell that makes several durable with one fsync answers them together. */
static void one_acknowledgement_serves_what_was_staged_together(void **state)
{
    struct net n;
    struct net_end *end;
    struct sync_actions todo = {0};
    struct err e = {0};
    uint8_t digest[HASH_BYTES] = {3};
    struct sync_event ev = {.kind = SYNC_MESSAGE, .roster_digest = digest, .ok = true};
    struct slice left, one;
    struct message m;

    (void)state;
    net_open(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    for (uint32_t k = 0; k < 3; k++)
        net_make(&n, 0, 0);
    end = net_end_of(&n, 1, 0);
    ev.now_ms = n.now_ms;
    left = buf_slice(&end->in);
    while (message_next(&left, &ev.bytes)) {
        assert_true(sync_step(&end->sync, &ev, &todo, &e));
        assert_true(todo.stage.n > 0);
    }
    assert_int_equal(end->sync.staging, 3);
    assert_int_equal(todo.send.n, 0);
    assert_true(vector_set(&n.sites[1].have, &n.made[2].actor, 3, n.made[2].hash));
    ev.kind = SYNC_STAGED;
    for (uint32_t k = 0; k < 3; k++)
        assert_true(sync_step(&end->sync, &ev, &todo, &e));
    left = buf_slice(&todo.send);
    assert_true(message_next(&left, &one));
    assert_int_equal(left.n, 0);
    assert_true(message_read(&m, one, &e));
    assert_int_equal(m.kind, MESSAGE_KIND_HAVE);
    assert_int_equal(vector_get(&m.have.have, &n.made[2].actor), 3);
    message_close(&m);
    buf_close(&todo.send);
    net_close(&n);
}

/* A long history is on its way when somebody sells something. */
static void a_sale_overtakes_a_long_history(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 3);
    for (uint32_t k = 0; k < 7; k++)
        net_make(&n, 2, 3u << 20);
    net_link(&n, 0, 2);
    net_settle(&n);
    net_cut(&n, 0, 2);
    net_link(&n, 0, 1);
    net_deliver(&n, 1, 0);
    while (net_deliver(&n, 0, 1))
        ;
    net_mute(&n);
    net_make(&n, 0, 0);
    while (net_deliver(&n, 1, 0))
        ;
    assert_trace(&n, "A>B CHANGESET C1\n"
                     "A>B CHANGESET C2\n"
                     "A>B CHANGESET C3\n"
                     "A>B CHANGESET C4\n"
                     "A>B CHANGESET C5\n"
                     "A>B CHANGESET A1\n");
    net_settle(&n);
    assert_true(vector_covers(&n.sites[1].have, &n.sites[0].have));
    net_close(&n);
}

static void a_queue_that_does_not_drain_stops_fetching(void **state)
{
    struct net n;
    struct net_end *end;
    struct sync_actions todo = {0};
    struct err e = {0};
    uint8_t digest[HASH_BYTES] = {3};
    struct sync_event ev = {
        .kind = SYNC_LOCAL, .roster_digest = digest, .queued_bytes = SYNC_UNSENT_BYTES};

    (void)state;
    net_open(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    end = net_end_of(&n, 0, 1);
    net_seal(&n, 0, 0, &n.made[n.made_count++]);
    assert_true(vector_set(&n.sites[0].have, &n.sites[0].actor, 1, n.made[0].hash));
    ev.now_ms = n.now_ms;
    assert_true(sync_step(&end->sync, &ev, &todo, &e));
    assert_false(todo.fetch);
    assert_int_equal(todo.deadline_ms, n.now_ms + SYNC_WAIT_MS);
    ev.queued_bytes = 0;
    assert_true(sync_step(&end->sync, &ev, &todo, &e));
    assert_true(todo.fetch);
    buf_close(&todo.send);
    net_close(&n);
}

/* Else somebody who asks and never reads makes us keep all the answers. */
static void a_ping_is_answered_only_while_little_waits_to_be_sent(void **state)
{
    static const uint8_t ping[] = {0x93, 6, 1, 1};
    struct net n;
    struct sync *s;
    struct sync_actions todo = {0};
    struct err e = {0};
    uint8_t digest[HASH_BYTES] = {3};
    struct sync_event ev = {.kind = SYNC_MESSAGE, .roster_digest = digest, .bytes = SLICE(ping)};

    (void)state;
    net_open(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    s = &net_end_of(&n, 0, 1)->sync;
    ev.now_ms = n.now_ms;
    ev.queued_bytes = SYNC_PONG_BYTES;
    assert_true(sync_step(s, &ev, &todo, &e));
    assert_int_equal(todo.send.n, 0);
    ev.queued_bytes = SYNC_PONG_BYTES - 1;
    assert_true(sync_step(s, &ev, &todo, &e));
    assert_true(todo.send.n > 0);
    buf_close(&todo.send);
    net_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_bounds_what_is_under_way),
        cmocka_unit_test(what_was_refused_does_not_block_the_window),
        cmocka_unit_test(a_chain_that_is_never_acknowledged_stops_no_other),
        cmocka_unit_test(what_was_given_up_is_sent_to_a_peer_that_asks),
        cmocka_unit_test(one_acknowledgement_serves_what_was_staged_together),
        cmocka_unit_test(a_sale_overtakes_a_long_history),
        cmocka_unit_test(a_queue_that_does_not_drain_stops_fetching),
        cmocka_unit_test(a_ping_is_answered_only_while_little_waits_to_be_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
