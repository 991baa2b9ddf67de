/* A connection that is cut off between two frames looks like one that was closed. It need not be
 * told apart: wherever it happens, nobody takes for safe what is not, and the next conversation
 * brings the rest, once. */
#include "sync_net.h"

#define EACH 4 /* change-sets of each site */

/* Some of it before they meet, the rest while they talk. Deliver at most `most` messages, in turns;
 * false when there were fewer. */
static bool converse(struct net *n, uint32_t most)
{
    uint32_t made = 0;
    bool any = true;

    net_open(n, 2);
    while (made < EACH / 2) {
        net_make(n, 0, 100);
        net_make(n, 1, 100);
        made++;
    }
    net_link(n, 0, 1);
    while (any && most > 0) {
        any = false;
        for (uint32_t i = 0; i < 2 && most > 0; i++) {
            if (!net_deliver(n, i, 1 - i))
                continue;
            any = true;
            most--;
        }
        if (made < EACH) {
            net_make(n, 0, 100);
            net_make(n, 1, 100);
            made++;
        }
    }
    while (made < EACH) {
        net_make(n, 0, 100);
        net_make(n, 1, 100);
        made++;
    }
    return most == 0;
}

/* What is under way is lost with the link; what each believes of the other is true all the same. */
static void cut(struct net *n)
{
    for (uint32_t i = 0; i < 2; i++)
        assert_true(vector_covers(&n->sites[1 - i].have, &net_end_of(n, i, 1 - i)->sync.peer_have));
    net_cut(n, 0, 1);
}

static void check_all_is_there_once(struct net *n)
{
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t before = (uint32_t)vector_get(&n->sites[i].have, &n->sites[1 - i].actor);

        n->sites[i].copies = before; /* came over the first link */
    }
    net_link(n, 0, 1);
    net_settle(n);
    assert_true(net_same(n));
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(vector_get(&n->sites[i].have, &n->sites[0].actor), EACH);
        assert_int_equal(vector_get(&n->sites[i].have, &n->sites[1].actor), EACH);
        assert_int_equal(n->sites[i].copies, EACH); /* and none came again */
    }
}

static void
a_conversation_that_is_cut_off_behind_any_message_loses_and_doubles_nothing(void **state)
{
    struct net *n = mem_alloc(sizeof *n);
    uint32_t most = 0;
    bool was_cut = true;

    (void)state;
    while (was_cut) {
        was_cut = converse(n, most);
        cut(n);
        check_all_is_there_once(n);
        net_close(n);
        most++;
    }
    assert_true(most > 2 * EACH);
    free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_conversation_that_is_cut_off_behind_any_message_loses_and_doubles_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
