/* What is known of other members, also when they are away. */
#include "member.h"

#include "floor.h"

static struct site_id site_of(uint32_t n)
{
    struct site_id site = {{0}};

    memcpy(site.bytes, &n, sizeof n);
    return site;
}

static void a_site_has_one_entry_and_there_are_so_many_and_no_more(void **state)
{
    struct members m = {0};

    (void)state;
    for (uint32_t i = 0; i < SITES_MAX; i++) {
        struct site_id site = site_of(i);

        assert_non_null(members_get(&m, &site));
        members_get(&m, &site)->applied = i;
    }
    for (uint32_t i = 0; i < SITES_MAX; i++) {
        struct site_id site = site_of(i);

        assert_int_equal(members_get(&m, &site)->applied, i);
    }
    assert_null(members_get(&m, &(struct site_id){{0xff, 0xff}}));
    assert_int_equal(m.n, SITES_MAX);
    members_close(&m);
    members_close(&m);
}

static void the_lead_counts_what_the_other_lacks_and_nothing_else(void **state)
{
    struct actor one = {{1}}, two = {{2}};
    struct vector more = {0}, less = {0};

    (void)state;
    assert_int_equal(vector_lead(&more, &less), 0);
    vector_set(&more, &one, 10, NULL);
    vector_set(&more, &two, 3, NULL);
    vector_set(&less, &one, 4, NULL);
    vector_set(&less, &two, 9, NULL);
    assert_int_equal(vector_lead(&more, &less), 6);
    assert_int_equal(vector_lead(&less, &more), 6);
    vector_close(&more);
    vector_close(&less);
}

static struct member *of(struct pc *pc, const struct pc *other)
{
    return members_get(links_members(pc->agent.links), &other->keys.site);
}

static void what_a_member_had_is_known_after_a_restart(void **state)
{
    struct floor f;
    struct pc a, b;
    uint64_t number;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    number = vector_get(store_have(a.agent.store), store_actor(a.agent.store));
    pc_stop(&b);
    AWAIT(&f, !is_talking(&a, &b));
    pc_stop(&a);
    pc_start(&a);
    AWAIT(&f, a.agent.store != NULL && of(&a, &b)->have_known);
    assert_int_equal(vector_get(&of(&a, &b)->have, store_actor(a.agent.store)), number);
    assert_true(of(&a, &b)->seen_ms > 0);
    assert_int_equal(of(&a, &b)->applied_ms, 0); /* it wrote nothing */
    floor_close(&f);
}

/* What a drop file told is kept apart from what a link showed, and likewise. */
static void what_a_drop_file_told_is_known_after_a_restart(void **state)
{
    struct floor f;
    struct vector told = {0};
    struct actor somebody = {{7}};
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    vector_set(&told, &somebody, 12, NULL);
    members_note_told(&a.agent, links_members(a.agent.links), &b.keys.site, &told);
    vector_close(&told);
    pc_stop(&a);
    pc_start(&a);
    AWAIT(&f, a.agent.store != NULL && of(&a, &b)->told.n == 1);
    assert_int_equal(vector_get(&of(&a, &b)->told, &somebody), 12);
    assert_int_equal(vector_get(&of(&a, &b)->have, &somebody), 0);
    floor_close(&f);
}

static void set(struct pc *pc, const char *prefix, const struct pc *of_pc, struct slice bytes)
{
    char name[8 + 2 * SITE_ID_BYTES];
    struct err e = {0};

    memcpy(name, prefix, 5);
    hex_write(name + 5, SLICE(of_pc->keys.site.bytes));
    must(store_meta_set(pc->agent.store, name, bytes, &e), &e);
}

/* A ledger that somebody wrote into costs what was known, and nothing else. */
static void what_cannot_be_read_is_not_known(void **state)
{
    struct floor f;
    struct members m = {0};
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    pc_stop(&b);
    AWAIT(&f, !is_talking(&a, &b));
    set(&a, "have.", &b, slice_text("\x93\xc4\x18 cut off"));
    set(&a, "told.", &b, slice_text("\xdd\xff\xff\xff\xff"));
    set(&a, "seen.", &b, slice_text("\xc0"));
    members_load(&a.agent, &m);
    assert_false(members_get(&m, &b.keys.site)->have_known);
    assert_int_equal(members_get(&m, &b.keys.site)->have.n, 0);
    assert_int_equal(members_get(&m, &b.keys.site)->told.n, 0);
    assert_int_equal(members_get(&m, &b.keys.site)->seen_ms, 0);
    members_close(&m);
    floor_close(&f);
}

static void that_its_writing_is_applied_here_is_noted_when_it_grows(void **state)
{
    struct floor f;
    struct pc a, b;
    uint64_t applied, since;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    assert_true(of(&b, &a)->applied_ms > 0);
    since = of(&b, &a)->applied_ms;
    pc_stop(&b);
    pc_start(&b);
    AWAIT(&f, b.agent.store != NULL && is_talking(&a, &b));
    assert_int_equal(of(&b, &a)->applied_ms, since); /* also when this agent starts again */
    applied = of(&b, &a)->applied;
    sql(&a, "UPDATE article SET stock = 5");
    AWAIT(&f, of(&b, &a)->applied == applied + 1);
    floor_close(&f);
}

static void without_a_store_nothing_is_kept_and_nothing_fails(void **state)
{
    struct floor f;
    struct vector told = {0};
    struct actor somebody = {{7}};
    struct pc a, b;

    (void)state;
    open_pair_of_pcs(&f, &a, &b);
    pump_close_store(a.agent.pump, "a test asks for it");
    vector_set(&told, &somebody, 12, NULL);
    members_note_told(&a.agent, links_members(a.agent.links), &b.keys.site, &told);
    members_save(&a.agent, links_members(a.agent.links), &b.keys.site);
    vector_close(&told);
    assert_int_equal(vector_get(&of(&a, &b)->told, &somebody), 12);
    floor_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_site_has_one_entry_and_there_are_so_many_and_no_more),
        cmocka_unit_test(the_lead_counts_what_the_other_lacks_and_nothing_else),
        cmocka_unit_test(what_a_member_had_is_known_after_a_restart),
        cmocka_unit_test(what_a_drop_file_told_is_known_after_a_restart),
        cmocka_unit_test(what_cannot_be_read_is_not_known),
        cmocka_unit_test(that_its_writing_is_applied_here_is_noted_when_it_grows),
        cmocka_unit_test(without_a_store_nothing_is_kept_and_nothing_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
