/* With whom nothing more is said. */
#include "links.h"

#include "floor.h"
#include "links_inside.h"
#include "visitor.h"

static uint32_t talks(const struct pc *pc)
{
    uint32_t at = 0, n = 0;

    while (links_next_talk(pc->agent.links, &at) != NULL)
        n++;
    return n;
}

static void shut_out(struct pc *on, struct pc *whom, struct pc *by)
{
    struct vector cut = {0};
    struct err e = {0};

    must(roster_revoke(&on->agent.roster, &whom->keys.site, &cut, &by->keys, &e) &&
             agent_roster_changed(&on->agent, &e),
         &e);
}

/* Before the loop waits again: neither of the others' agents has had a turn. */
static void turn_of(struct pc *pc)
{
    uv_run(&pc->loop, UV_RUN_NOWAIT);
}

static void open_trio(struct floor *f, struct pc *a, struct pc *b, struct pc *c)
{
    open_three_pcs(f, a, b, c, no_goods);
    pc_start(a);
    pc_start(b);
    pc_start(c);
    links_add_fixed(c->agent.links, &b->config.listen);
    AWAIT(f, talks(a) == 2 && talks(b) == 2 && talks(c) == 2);
    AWAIT(f, is_talking(a, b) && is_talking(a, c) && is_talking(c, b) && is_talking(b, c));
}

static void who_is_out_by_the_roster_loses_its_link_and_nobody_else(void **state)
{
    struct floor f;
    struct pc a, b, c;

    (void)state;
    open_trio(&f, &a, &b, &c);
    shut_out(&a, &c, &a);
    turn_of(&a);
    assert_null(talk_of(&a, &c));
    assert_non_null(talk_of(&a, &b));
    floor_close(&f);
}

/* A peer that does not take the list by which we are out would go on talking, and we would go on
 * giving and taking. */
static void who_is_out_itself_by_its_own_roster_ends_all_its_links(void **state)
{
    struct floor f;
    struct pc a, b, c;

    (void)state;
    open_trio(&f, &a, &b, &c);
    shut_out(&c, &c, &b);
    turn_of(&c);
    assert_int_equal(talks(&c), 0);
    /* The others have heard why. */
    AWAIT(&f, roster_find(&a.agent.roster, &c.keys.site) == NULL);
    AWAIT(&f, roster_find(&b.agent.roster, &c.keys.site) == NULL);
    floor_turns(&f, 100);
    assert_int_equal(talks(&c), 0);
    floor_close(&f);
}

/* One site's first connection is talked on, and its second one waits for the first to fall silent.
 */
static void come_twice(struct floor *f, struct pc *a, struct pc *b, struct visitor *first,
                       struct visitor *second)
{
    open_visited_pc(f, a, b, first);
    AWAIT(f, is_talking(a, b));
    visit(second, a, &b->keys);
    AWAIT(f, second->opened && a->agent.links->n == 2 && a->agent.links->conns[1]->rival.waits);
    visitor_greets(second, a);
}

static void assert_turned_away(const struct visitor *v)
{
    assert_string_equal(v->bye_code, "revoked");
    assert_int_equal(v->heard[MESSAGE_KIND_BYE], 1);
    assert_int_equal(v->heard[MESSAGE_KIND_HELLO], 0);
    assert_int_equal(v->heard[MESSAGE_KIND_ROSTER], 0);
}

/* Else it would be talked with as soon as its first connection is gone. */
static void who_is_out_loses_the_connection_that_waits_too(void **state)
{
    struct visitor first, second;
    struct floor f;
    struct pc a, b;

    (void)state;
    come_twice(&f, &a, &b, &first, &second);
    shut_out(&a, &b, &a);
    turn_of(&a);
    assert_int_equal(a.agent.links->n, 0);
    AWAIT(&f, first.closed && second.closed);
    assert_string_equal(first.bye_code, "revoked");
    assert_turned_away(&second);
    floor_close(&f);
}

/* Its first connection ends by itself before the links have heard of the roster. */
static void who_waited_is_a_member_when_the_talk_begins_or_there_is_none(void **state)
{
    struct visitor first, second;
    struct vector cut = {0};
    struct floor f;
    struct pc a, b;
    struct err e = {0};

    (void)state;
    come_twice(&f, &a, &b, &first, &second);
    must(roster_revoke(&a.agent.roster, &b.keys.site, &cut, &a.keys, &e), &e);
    visitor_leaves(&first);
    AWAIT(&f, second.closed);
    assert_turned_away(&second);
    floor_close(&f);
}

/* The member's second connection is talked on when the first one ends, and what it said is heard.
 */
static void who_waited_and_is_a_member_is_talked_with(void **state)
{
    struct visitor first, second;
    struct floor f;
    struct pc a, b;

    (void)state;
    come_twice(&f, &a, &b, &first, &second);
    visitor_leaves(&first);
    AWAIT(&f, is_talking(&a, &b) && second.heard[MESSAGE_KIND_HELLO] == 1);
    visitor_leaves(&second);
    AWAIT(&f, a.agent.links->n == 0);
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_out_by_the_roster_loses_its_link_and_nobody_else),
        cmocka_unit_test(who_is_out_itself_by_its_own_roster_ends_all_its_links),
        cmocka_unit_test(who_is_out_loses_the_connection_that_waits_too),
        cmocka_unit_test(who_waited_is_a_member_when_the_talk_begins_or_there_is_none),
        cmocka_unit_test(who_waited_and_is_a_member_is_talked_with),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
