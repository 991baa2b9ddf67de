/* Whole conversations, asserted message by message. Also of sync_chain.c, sync_claims.c,
 * sync_plan.c. */
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

static void two_empty_sites_only_greet(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    assert_trace(&n, "B>A HELLO\n"
                     "A>B HELLO\n");
    assert_int_equal(net_end_of(&n, 0, 1)->sync.state, SYNC_OPEN);
    assert_int_equal(net_end_of(&n, 1, 0)->sync.state, SYNC_OPEN);
    net_close(&n);
}

static void a_newcomer_asks_for_what_it_lacks(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 2);
    net_make(&n, 0, 0);
    net_make(&n, 0, 0);
    net_link(&n, 0, 1);
    net_settle(&n);
    assert_trace(&n, "B>A HELLO\n"
                     "A>B HELLO A2\n"
                     "B>A WANT A0\n"
                     "A>B CHANGESET A1\n"
                     "B>A HAVE A1\n"
                     "A>B CHANGESET A2\n"
                     "B>A HAVE A2\n");
    assert_same(&n);
    net_close(&n);
}

static void histories_of_both_sides_cross(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 2);
    net_make(&n, 0, 0);
    net_make(&n, 1, 0);
    net_link(&n, 0, 1);
    net_settle(&n);
    assert_trace(&n, "B>A HELLO B1\n"
                     "A>B HELLO A1\n"
                     "B>A WANT A0\n"
                     "A>B WANT B0\n"
                     "B>A CHANGESET B1\n"
                     "A>B CHANGESET A1\n"
                     "B>A HAVE A1\n"
                     "A>B HAVE B1\n");
    assert_same(&n);
    net_close(&n);
}

/* The way of a sale: one message, and nobody is asked first. */
static void a_new_changeset_is_pushed_at_once(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 2);
    net_make(&n, 0, 0);
    net_link(&n, 0, 1);
    net_settle(&n);
    net_mute(&n);
    net_make(&n, 0, 0);
    assert_true(net_end_of(&n, 1, 0)->in.n > 0);
    net_settle(&n);
    assert_trace(&n, "A>B CHANGESET A2\n"
                     "B>A HAVE A2\n");
    net_close(&n);
}

static void pushes_do_not_wait_for_acknowledgements(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    net_mute(&n);
    net_make(&n, 0, 0);
    net_make(&n, 0, 0);
    net_make(&n, 0, 0);
    while (net_deliver(&n, 1, 0))
        ;
    assert_trace(&n, "A>B CHANGESET A1\n"
                     "A>B CHANGESET A2\n"
                     "A>B CHANGESET A3\n");
    net_settle(&n);
    assert_same(&n);
    net_close(&n);
}

/* What is committed between the two HELLOs was told to nobody, and is pushed. */
static void what_is_made_during_the_greeting_is_pushed(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 2);
    net_link(&n, 0, 1);
    net_make(&n, 0, 0);
    net_settle(&n);
    assert_trace(&n, "B>A HELLO\n"
                     "A>B HELLO\n"
                     "A>B CHANGESET A1\n"
                     "B>A HAVE A1\n");
    assert_same(&n);
    net_close(&n);
}

static void a_third_site_gets_it_through_the_second(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 3);
    net_link(&n, 0, 1);
    net_link(&n, 1, 2);
    net_settle(&n);
    net_mute(&n);
    net_make(&n, 0, 0);
    net_settle(&n);
    assert_trace(&n, "A>B CHANGESET A1\n"
                     "B>C HAVE A1\n"
                     "B>A HAVE A1\n"
                     "C>B WANT A0\n"
                     "B>C CHANGESET A1\n"
                     "C>B HAVE A1\n");
    assert_same(&n);
    net_close(&n);
}

/* Three sites that all know each other: each of the others gets it once, from its author. */
static void nobody_gets_a_changeset_twice(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 3);
    net_link(&n, 0, 1);
    net_link(&n, 1, 2);
    net_link(&n, 0, 2);
    net_settle(&n);
    net_mute(&n);
    net_make(&n, 0, 0);
    /* B has it, tells C, and C hears that before A's own copy arrives. */
    while (net_deliver(&n, 1, 0) || net_deliver(&n, 2, 1) || net_deliver(&n, 1, 2))
        ;
    assert_int_equal(n.sites[2].copies, 0);
    net_settle(&n);
    assert_int_equal(n.sites[0].copies + n.sites[1].copies + n.sites[2].copies, 2);
    net_pass(&n, 60000);
    assert_int_equal(n.sites[0].copies + n.sites[1].copies + n.sites[2].copies, 2);
    assert_same(&n);
    net_close(&n);
}

static void a_newcomer_asks_only_one_of_many(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 4);
    for (uint32_t k = 0; k < 20; k++)
        net_make(&n, 0, 0);
    net_link(&n, 0, 1);
    net_link(&n, 0, 2);
    net_settle(&n);
    net_mute(&n);
    net_link(&n, 3, 1);
    net_link(&n, 3, 2);
    net_link(&n, 3, 0);
    net_settle(&n);
    assert_int_equal(n.sites[3].copies, 20);
    assert_same(&n);
    net_close(&n);
}

/* Cut after some of it arrived: the rest comes from whoever else has it, without a pause. */
static void a_transfer_goes_on_over_another_link(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 3);
    for (uint32_t k = 0; k < 10; k++)
        net_make(&n, 0, 0);
    net_link(&n, 0, 1);
    net_settle(&n);
    net_link(&n, 2, 1);
    net_deliver(&n, 1, 2);
    net_deliver(&n, 2, 1);
    while (net_deliver(&n, 1, 2))
        ;
    net_link(&n, 2, 0);
    net_deliver(&n, 0, 2);
    net_deliver(&n, 2, 0);
    while (vector_get(&n.sites[2].have, &n.sites[0].actor) < 4)
        assert_true(net_deliver(&n, 2, 1));
    net_cut(&n, 1, 2);
    net_settle(&n);
    assert_same(&n);
    assert_int_equal(n.sites[2].copies, 10);
    net_close(&n);
}

static void a_link_that_returns_resumes_where_it_was(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 2);
    for (uint32_t k = 0; k < 10; k++)
        net_make(&n, 0, 0);
    net_link(&n, 0, 1);
    net_deliver(&n, 1, 0);
    while (net_deliver(&n, 0, 1))
        ;
    while (vector_get(&n.sites[1].have, &n.sites[0].actor) < 4)
        assert_true(net_deliver(&n, 1, 0));
    net_cut(&n, 0, 1);
    net_link(&n, 0, 1);
    net_settle(&n);
    assert_same(&n);
    assert_int_equal(n.sites[1].copies, 10);
    net_close(&n);
}

/* A peer that was asked and is silent loses its turn to the next. */
static void a_silent_source_is_given_up_for_another(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 4);
    net_make(&n, 0, 0);
    net_link(&n, 0, 1);
    net_link(&n, 0, 2);
    net_settle(&n);
    net_cut(&n, 0, 1);
    net_cut(&n, 0, 2);
    n.sites[1].unreadable = true;
    net_link(&n, 3, 1);
    net_settle(&n);
    net_link(&n, 3, 2);
    net_settle(&n);
    assert_int_equal(n.sites[3].copies, 0);
    net_pass(&n, SYNC_CLAIM_MS - 1);
    assert_int_equal(n.sites[3].copies, 0);
    net_pass(&n, 2);
    assert_int_equal(n.sites[3].copies, 1);
    net_close(&n);
}

/* The author is connected but does not deliver: a relay is asked in the end. */
static void an_author_that_does_not_push_is_given_up(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 3);
    net_link(&n, 0, 1);
    net_link(&n, 0, 2);
    net_link(&n, 1, 2);
    net_settle(&n);
    net_make(&n, 0, 0);
    while (net_deliver(&n, 1, 0) || net_deliver(&n, 2, 1))
        ;
    /* A's copy for C is lost in a network that still lets heartbeats through. */
    buf_clear(&net_end_of(&n, 2, 0)->in);
    net_pass(&n, SYNC_CLAIM_MS - 1);
    assert_int_equal(n.sites[2].copies, 0);
    net_pass(&n, SYNC_WAIT_MS + 1);
    assert_int_equal(n.sites[2].copies, 1);
    assert_same(&n);
    net_close(&n);
}

static void a_store_that_is_busy_is_tried_again(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    n.sites[1].refuses = ERR_BUSY;
    net_mute(&n);
    net_make(&n, 0, 0);
    net_make(&n, 0, 0);
    net_settle(&n);
    net_pass(&n, SYNC_RETRY_MS);
    n.sites[1].refuses = ERR_NONE;
    net_pass(&n, 2 * SYNC_RETRY_MS);
    assert_trace(&n, "A>B CHANGESET A1\n"
                     "A>B CHANGESET A2\n"
                     "B>A WANT A0\n"
                     "A>B CHANGESET A1\n"
                     "A>B CHANGESET A2\n"
                     "B>A WANT A0\n"
                     "A>B CHANGESET A1\n"
                     "B>A HAVE A1\n"
                     "A>B CHANGESET A2\n"
                     "B>A HAVE A2\n");
    assert_same(&n);
    net_close(&n);
}

static void a_changeset_that_does_not_verify_ends_the_link(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    net_mute(&n);
    n.sites[1].refuses = ERR_CRYPTO;
    net_make(&n, 0, 0);
    net_settle(&n);
    assert_trace(&n, "A>B CHANGESET A1\n"
                     "B>A BYE crypto\n");
    assert_int_equal(net_end_of(&n, 1, 0)->closed.code, ERR_CRYPTO);
    assert_int_equal(net_end_of(&n, 0, 1)->closed.code, ERR_NET);
    net_close(&n);
}

/* C knows nobody but A and B; D was enrolled by A. */
static void a_stranger_becomes_known_with_the_roster(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 4);
    n.sites[1].members = 7;
    n.sites[2].members = 7;
    net_make(&n, 3, 0);
    net_link(&n, 1, 2);
    net_link(&n, 3, 0);
    net_settle(&n);
    net_mute(&n);
    net_link(&n, 0, 1);
    net_settle(&n);
    assert_trace(&n, "B>A HELLO\n"
                     "A>B HELLO D1\n"
                     "B>A ROSTER 7\n"
                     "A>B ROSTER f\n"
                     "B>C ROSTER f\n"
                     "B>A WANT D0\n"
                     "C>B DIGEST f\n"
                     "A>B CHANGESET D1\n"
                     "B>C HAVE D1\n"
                     "B>A DIGEST f\n"
                     "C>B WANT D0\n"
                     "B>C CHANGESET D1\n"
                     "B>A HAVE D1\n"
                     "C>B HAVE D1\n");
    assert_same(&n);
    net_close(&n);
}

static void rosters_that_both_grew_become_one(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 4);
    n.sites[0].members = 7;
    n.sites[1].members = 11;
    net_link(&n, 0, 1);
    net_settle(&n);
    assert_int_equal(n.sites[0].members, 15);
    assert_int_equal(n.sites[1].members, 15);
    net_mute(&n);
    net_local(&n, 0);
    net_local(&n, 1);
    net_settle(&n);
    assert_trace(&n, "");
    net_close(&n);
}

static bool is_apart(struct net *n, uint32_t i, uint32_t j)
{
    return net_end_of(n, i, j)->sync.apart;
}

/* B took more than A takes: each of them knows that it is so, until both have the same, however
 * that comes about. */
static void whose_roster_is_not_taken_hears_of_it_and_when_it_is_one_again(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 3);
    n.sites[0].members = 3;
    n.sites[0].leaves_rosters = true;
    net_link(&n, 0, 1);
    net_settle(&n);
    assert_true(is_apart(&n, 0, 1) && is_apart(&n, 1, 0));
    n.sites[1].members = 15;
    net_mute(&n);
    net_local(&n, 1);
    net_settle(&n);
    assert_trace(&n, "B>A ROSTER f\n"
                     "A>B DIGEST 3\n");
    assert_true(is_apart(&n, 0, 1) && is_apart(&n, 1, 0));
    /* It came to have the same by way of another. */
    n.sites[0].members = 15;
    net_mute(&n);
    net_local(&n, 0);
    net_settle(&n);
    assert_trace(&n, "A>B DIGEST f\n");
    assert_false(is_apart(&n, 0, 1) || is_apart(&n, 1, 0));
    /* And what it takes brings both together. */
    n.sites[1].members = 31;
    net_local(&n, 1);
    net_settle(&n);
    assert_true(is_apart(&n, 0, 1) && is_apart(&n, 1, 0));
    n.sites[0].leaves_rosters = false;
    n.sites[1].members = 63;
    net_local(&n, 1);
    net_settle(&n);
    assert_int_equal(n.sites[0].members, 63);
    assert_false(is_apart(&n, 0, 1) || is_apart(&n, 1, 0));
    net_close(&n);
}

/* A's second change is under way when B's word comes that it took the first one. */
static void who_took_an_earlier_roster_of_ours_has_not_left_it(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    n.sites[0].members = 7;
    net_local(&n, 0);
    while (net_deliver(&n, 1, 0))
        ;
    n.sites[0].members = 15;
    net_local(&n, 0);
    net_mute(&n);
    while (net_deliver(&n, 0, 1))
        ;
    assert_trace(&n, "B>A DIGEST 7\n");
    assert_false(is_apart(&n, 0, 1));
    net_settle(&n);
    assert_int_equal(n.sites[1].members, 15);
    assert_false(is_apart(&n, 0, 1) || is_apart(&n, 1, 0));
    net_close(&n);
}

static void what_we_made_before_is_fetched_back(void **state)
{
    struct net n;
    struct actor before;

    (void)state;
    net_open(&n, 2);
    net_make(&n, 0, 0);
    net_link(&n, 0, 1);
    net_settle(&n);
    net_cut(&n, 0, 1);
    before = n.sites[0].actor;
    vector_close(&n.sites[0].have);
    n.sites[0].actor.bytes[ACTOR_BYTES - 1] = 2;
    net_mute(&n);
    net_link(&n, 0, 1);
    net_make(&n, 0, 0);
    net_settle(&n);
    assert_trace(&n, "B>A HELLO A1\n"
                     "A>B HELLO\n"
                     "A>B WANT A0\n"
                     "B>A CHANGESET A1\n"
                     "A>B CHANGESET a1\n"
                     "B>A HAVE a1\n"
                     "A>B HAVE A1\n");
    assert_int_equal(vector_get(&n.sites[0].have, &before), 1);
    assert_same(&n);
    net_close(&n);
}

/* Two histories under one name: said once, that chain is left alone, the others go on. */
static void a_fork_is_told_and_stops_nothing_else(void **state)
{
    struct net n;
    struct net_end *end;
    uint8_t other[HASH_BYTES] = {1};

    (void)state;
    net_open(&n, 3);
    assert_true(vector_set(&n.sites[0].have, &n.sites[2].actor, 5, other));
    other[0] = 2;
    assert_true(vector_set(&n.sites[1].have, &n.sites[2].actor, 5, other));
    net_link(&n, 0, 1);
    net_make(&n, 0, 0);
    net_settle(&n);
    end = net_end_of(&n, 1, 0);
    assert_true(end->up);
    assert_int_equal(end->forks, 1);
    assert_true(actor_equal(&end->fork_actor, &n.sites[2].actor));
    assert_int_equal(net_end_of(&n, 0, 1)->forks, 1);
    assert_int_equal(vector_get(&n.sites[1].have, &n.sites[0].actor), 1);
    net_close(&n);
}

/* The whole PC went back: what we signed and do not know is proof of it, and is asked for. */
static void more_of_us_than_we_know_is_asked_for(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 2);
    net_make(&n, 0, 0);
    assert_true(vector_set(&n.sites[1].have, &n.sites[0].actor, 1, n.made[0].hash));
    vector_close(&n.sites[0].have);
    net_link(&n, 0, 1);
    net_settle(&n);
    assert_int_equal(net_end_of(&n, 0, 1)->forks, 0);
    assert_int_equal(n.sites[0].copies, 1);
    assert_int_equal(vector_get(&n.sites[0].have, &n.sites[0].actor), 1);
    net_close(&n);
}

/* It went back and went on: it made others under numbers that the peer has. Nobody is warned: the
 * author finds out by itself, from the last one that the peer has. */
static void a_peer_that_made_its_own_anew_is_given_what_it_forgot(void **state)
{
    uint8_t other[HASH_BYTES] = {1};

    (void)state;
    for (uint64_t ours = 1; ours <= 3; ours++) {
        struct net n;

        net_open(&n, 2);
        net_make(&n, 0, 0);
        net_make(&n, 0, 0);
        net_make(&n, 0, 0);
        assert_true(vector_set(&n.sites[1].have, &n.sites[0].actor, 2, n.made[1].hash));
        assert_true(vector_set(&n.sites[0].have, &n.sites[0].actor, ours,
                               ours == 3 ? n.made[2].hash : other));
        if (ours == 3) /* of another history than the two that the peer has */
            assert_true(vector_set(&n.sites[1].have, &n.sites[0].actor, 2, other));
        net_link(&n, 0, 1);
        net_settle(&n);
        assert_int_equal(n.sites[0].copies, 1);
        assert_int_equal(net_end_of(&n, 0, 1)->forks, 0);
        assert_int_equal(net_end_of(&n, 1, 0)->forks, 0);
        assert_int_equal(vector_get(&n.sites[1].have, &n.sites[0].actor), 2);
        assert_true(net_end_of(&n, 0, 1)->up);
        net_close(&n);
    }
}

/* The store laid aside what was made in their place: the rest is asked for of that peer alone,
 * although both sides had told that they have it. */
static void what_was_laid_aside_is_asked_of_whoever_has_the_other_history(void **state)
{
    uint8_t other[HASH_BYTES] = {1};
    struct net n;

    (void)state;
    net_open(&n, 3);
    for (int i = 0; i < 4; i++)
        net_make(&n, 0, 0);
    for (uint32_t site = 0; site < 3; site++)
        assert_true(vector_set(&n.sites[site].have, &n.sites[0].actor, 4,
                               site == 1 ? n.made[3].hash : other));
    n.sites[0].rewinds_to = 1;
    net_link(&n, 0, 1);
    net_link(&n, 0, 2);
    net_settle(&n);
    assert_int_equal(vector_get(&n.sites[0].have, &n.sites[0].actor), 4);
    assert_memory_equal(vector_find(&n.sites[0].have, &n.sites[0].actor)->hash, n.made[3].hash,
                        HASH_BYTES);
    assert_int_equal(n.sites[0].copies, 1 + 3);
    assert_int_equal(n.sites[2].copies, 0);
    assert_true(net_end_of(&n, 0, 1)->up);
    assert_true(net_end_of(&n, 0, 2)->up);
    net_close(&n);
}

static void what_is_applied_is_told(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 2);
    net_link(&n, 0, 1);
    net_make(&n, 0, 0);
    net_settle(&n);
    assert_true(vector_set(&n.sites[1].applied, &n.sites[0].actor, 1, n.made[0].hash));
    net_local(&n, 1);
    net_settle(&n);
    assert_int_equal(vector_get(&net_end_of(&n, 0, 1)->sync.peer_applied, &n.sites[0].actor), 1);
    net_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_empty_sites_only_greet),
        cmocka_unit_test(a_newcomer_asks_for_what_it_lacks),
        cmocka_unit_test(histories_of_both_sides_cross),
        cmocka_unit_test(a_new_changeset_is_pushed_at_once),
        cmocka_unit_test(pushes_do_not_wait_for_acknowledgements),
        cmocka_unit_test(what_is_made_during_the_greeting_is_pushed),
        cmocka_unit_test(a_third_site_gets_it_through_the_second),
        cmocka_unit_test(nobody_gets_a_changeset_twice),
        cmocka_unit_test(a_newcomer_asks_only_one_of_many),
        cmocka_unit_test(a_transfer_goes_on_over_another_link),
        cmocka_unit_test(a_link_that_returns_resumes_where_it_was),
        cmocka_unit_test(a_silent_source_is_given_up_for_another),
        cmocka_unit_test(an_author_that_does_not_push_is_given_up),
        cmocka_unit_test(a_store_that_is_busy_is_tried_again),
        cmocka_unit_test(a_changeset_that_does_not_verify_ends_the_link),
        cmocka_unit_test(a_stranger_becomes_known_with_the_roster),
        cmocka_unit_test(rosters_that_both_grew_become_one),
        cmocka_unit_test(whose_roster_is_not_taken_hears_of_it_and_when_it_is_one_again),
        cmocka_unit_test(who_took_an_earlier_roster_of_ours_has_not_left_it),
        cmocka_unit_test(what_we_made_before_is_fetched_back),
        cmocka_unit_test(a_fork_is_told_and_stops_nothing_else),
        cmocka_unit_test(more_of_us_than_we_know_is_asked_for),
        cmocka_unit_test(a_peer_that_made_its_own_anew_is_given_what_it_forgot),
        cmocka_unit_test(what_was_laid_aside_is_asked_of_whoever_has_the_other_history),
        cmocka_unit_test(what_is_applied_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
