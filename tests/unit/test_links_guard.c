/* With whom nothing more is said. */
#include "links.h"

#include "floor.h"
#include "links_inside.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_out_by_the_roster_loses_its_link_and_nobody_else),
        cmocka_unit_test(who_is_out_itself_by_its_own_roster_ends_all_its_links),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
