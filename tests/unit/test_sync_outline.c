/* Change-sets in outline: who gets them, and what follows. */
#include <navette/outline.h>

#include "sync_net.h"

#define BIG 20000 /* bytes: worth an outline */

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

/* A has two big change-sets and a small one between them; B is new. */
static void open_newcomer(struct net *n, uint32_t sites)
{
    net_open(n, sites);
    net_make(n, 0, BIG);
    net_make(n, 0, 1);
    net_make(n, 0, BIG);
    n->sites[1].brief = true;
}

static void a_newcomer_gets_big_changesets_in_outline_and_asks_for_what_follows(void **state)
{
    struct net n;

    (void)state;
    open_newcomer(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    assert_trace(&n, "B>A HELLO\n"
                     "A>B HELLO A3\n"
                     "B>A BRIEF yes\n"
                     "B>A WANT A0\n"
                     "A>B OUTLINE A1\n"
                     "B>A WANT A1\n"
                     "A>B CHANGESET A2\n"
                     "B>A HAVE A1\n"
                     "A>B OUTLINE A3\n"
                     "B>A HAVE A2\n"
                     "B>A HAVE A3\n");
    assert_same(&n);
    net_close(&n);
}

static void what_an_author_makes_next_is_pushed_again(void **state)
{
    struct net n;

    (void)state;
    open_newcomer(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    net_mute(&n);
    net_make(&n, 0, 1);
    net_settle(&n);
    assert_trace(&n, "A>B CHANGESET A4\n"
                     "B>A HAVE A4\n");
    net_mute(&n);
    net_make(&n, 0, BIG);
    net_settle(&n);
    assert_trace(&n, "A>B OUTLINE A5\n"
                     "B>A HAVE A5\n");
    assert_same(&n);
    net_close(&n);
}

static void who_has_matched_its_rows_gets_them_whole_again(void **state)
{
    struct net n;

    (void)state;
    open_newcomer(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    n.sites[1].brief = false;
    net_local(&n, 1);
    net_settle(&n);
    net_mute(&n);
    net_make(&n, 0, BIG);
    net_settle(&n);
    assert_trace(&n, "A>B CHANGESET A4\n"
                     "B>A HAVE A4\n");
    net_close(&n);
}

static void who_is_no_newcomer_gets_no_outline(void **state)
{
    struct net n;

    (void)state;
    open_newcomer(&n, 2);
    n.sites[1].brief = false;
    net_link(&n, 0, 1);
    net_settle(&n);
    assert_int_equal(n.sites[1].outlines, 0);
    assert_int_equal(n.sites[1].copies, 3);
    assert_same(&n);
    net_close(&n);
}

/* The file was locked: the same one is asked for after a while. */
static void an_outline_that_could_not_be_used_now_is_asked_for_again(void **state)
{
    struct net n;

    (void)state;
    open_newcomer(&n, 2);
    n.sites[1].dim = ERR_BUSY;
    net_link(&n, 0, 1);
    net_settle(&n);
    assert_int_equal(n.sites[1].outlines, 1);
    n.sites[1].dim = ERR_NONE;
    net_pass(&n, SYNC_RETRY_MS);
    assert_int_equal(n.sites[1].outlines, 3);
    assert_same(&n);
    net_close(&n);
}

/* Whoever asks again and again gets it whole: to make an outline takes more than to ask for it. */
static void who_makes_nothing_of_outlines_gets_change_sets_whole(void **state)
{
    struct net n;

    (void)state;
    open_newcomer(&n, 2);
    n.sites[1].dim = ERR_BUSY;
    net_link(&n, 0, 1);
    net_settle(&n);
    net_pass(&n, 20 * SYNC_RETRY_MS_MAX);
    assert_int_equal(n.sites[1].outlines, SYNC_OUTLINES_MAX);
    assert_same(&n);
    net_close(&n);
}

static void an_outline_that_leads_to_nothing_signed_ends_the_link(void **state)
{
    struct net n;

    (void)state;
    open_newcomer(&n, 2);
    n.sites[1].dim = ERR_CRYPTO;
    net_link(&n, 0, 1);
    net_settle(&n);
    assert_false(net_end_of(&n, 1, 0)->up);
    assert_int_equal(net_end_of(&n, 1, 0)->closed.code, ERR_CRYPTO);
    net_close(&n);
}

/* A peer that answers no question any more does not keep the chain to itself. */
static void a_chain_that_does_not_get_on_is_asked_of_another_peer(void **state)
{
    struct net n;

    (void)state;
    open_newcomer(&n, 3);
    net_link(&n, 0, 2);
    net_settle(&n);
    n.sites[1].dim = ERR_NET;
    net_link(&n, 1, 2);
    net_settle(&n);
    assert_int_equal(n.sites[1].outlines, 1);
    net_link(&n, 1, 0);
    net_settle(&n);
    assert_int_equal(n.sites[1].outlines, 1);
    n.sites[1].dim = ERR_NONE;
    net_pass(&n, SYNC_CLAIM_MS + SYNC_WAIT_MS);
    assert_int_equal(n.sites[1].outlines, 3);
    assert_same(&n);
    net_close(&n);
}

static void one_chain_is_asked_for_at_a_time(void **state)
{
    struct net n;

    (void)state;
    net_open(&n, 3);
    net_link(&n, 0, 2);
    net_make(&n, 0, BIG);
    net_make(&n, 2, BIG);
    net_settle(&n);
    n.sites[1].brief = true;
    n.sites[1].dim = ERR_NET;
    net_link(&n, 1, 2);
    net_settle(&n);
    assert_int_equal(n.sites[1].outlines, 1);
    n.sites[1].dim = ERR_NONE;
    net_pass(&n, 2 * SYNC_CLAIM_MS);
    assert_same(&n);
    net_close(&n);
}

static void ask(struct net *n, uint32_t i, uint32_t j, uint64_t number, uint64_t what)
{
    struct sync_outline question = {
        .actor = n->sites[j].actor, .number = number, .what = what, .picks = slice_text("\x90")};
    struct buf send = {0};

    sync_ask(&net_end_of(n, i, j)->sync, &question, &send);
    buf_add(&net_end_of(n, j, i)->in, send.p, send.n);
    buf_close(&send);
    net_settle(n);
}

/* Each is dear to answer, and so is each outline. */
static void questions_about_an_outline_are_bounded(void **state)
{
    struct net n;

    (void)state;
    open_newcomer(&n, 2);
    net_link(&n, 0, 1);
    net_settle(&n);
    for (uint32_t i = 0; i < OUTLINE_ASKS_MAX; i++)
        ask(&n, 1, 0, 3, 1 + i % 3);
    assert_true(net_end_of(&n, 0, 1)->up);
    ask(&n, 1, 0, 3, OUTLINE_MARKS);
    assert_false(net_end_of(&n, 0, 1)->up);
    assert_int_equal(net_end_of(&n, 0, 1)->closed.code, ERR_INPUT);
    net_close(&n);
}

static void questions_about_what_was_not_told_in_outline_are_refused(void **state)
{
    static const struct {
        uint64_t number, what;
    } bad[] = {{2, 1}, {4, 1}, {0, 1}, {3, 0}, {3, 4}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct net n;

        open_newcomer(&n, 2);
        net_link(&n, 0, 1);
        net_settle(&n);
        ask(&n, 1, 0, bad[i].number, bad[i].what);
        assert_false(net_end_of(&n, 0, 1)->up);
        net_close(&n);
    }
}

static void tell(struct net *n, uint32_t i, uint32_t j, uint64_t token)
{
    struct buf send = {0};

    sync_tell(token, slice_text("cells"), &send);
    buf_add(&net_end_of(n, j, i)->in, send.p, send.n);
    buf_close(&send);
    net_settle(n);
}

/* What was asked about an outline that another one has taken the place of says nothing of this one.
 */
static void only_the_answer_to_the_last_question_is_taken(void **state)
{
    struct net n;

    (void)state;
    open_newcomer(&n, 2);
    n.sites[1].dim = ERR_NET;
    net_link(&n, 0, 1);
    net_settle(&n);
    tell(&n, 0, 1, 0);
    ask(&n, 1, 0, 1, OUTLINE_MARKS);
    ask(&n, 1, 0, 1, OUTLINE_CELLS);
    tell(&n, 0, 1, 1);
    assert_int_equal(n.sites[1].tells, 0);
    tell(&n, 0, 1, 2);
    assert_int_equal(n.sites[1].tells, 1);
    tell(&n, 0, 1, 2);
    assert_int_equal(n.sites[1].tells, 1);
    ask(&n, 1, 0, 1, OUTLINE_CELLS);
    net_pass(&n, 2 * SYNC_CLAIM_MS);
    assert_true(n.sites[1].outlines > 1);
    tell(&n, 0, 1, 3);
    assert_int_equal(n.sites[1].tells, 1);
    assert_true(net_end_of(&n, 1, 0)->up);
    net_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_newcomer_gets_big_changesets_in_outline_and_asks_for_what_follows),
        cmocka_unit_test(what_an_author_makes_next_is_pushed_again),
        cmocka_unit_test(who_has_matched_its_rows_gets_them_whole_again),
        cmocka_unit_test(who_is_no_newcomer_gets_no_outline),
        cmocka_unit_test(an_outline_that_could_not_be_used_now_is_asked_for_again),
        cmocka_unit_test(who_makes_nothing_of_outlines_gets_change_sets_whole),
        cmocka_unit_test(an_outline_that_leads_to_nothing_signed_ends_the_link),
        cmocka_unit_test(a_chain_that_does_not_get_on_is_asked_of_another_peer),
        cmocka_unit_test(one_chain_is_asked_for_at_a_time),
        cmocka_unit_test(questions_about_an_outline_are_bounded),
        cmocka_unit_test(only_the_answer_to_the_last_question_is_taken),
        cmocka_unit_test(questions_about_what_was_not_told_in_outline_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
