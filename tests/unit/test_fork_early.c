/* Proofs that a PC went back, of which links bring one that it cannot take yet: fork_begin. */
#include "counted.h"
#include "library.h"
#include "meet.h"
#include "wentback.h"

static const char clients[] = "SELECT name FROM client ORDER BY name";

/* Such a change-set comes unasked, once on a link: whoever could not take it asks for new links
 * when nothing is in its way any more. */
static void another_history_that_comes_too_early_comes_again(void **state)
{
    struct site a, b, c;
    struct actor first;
    uint64_t number;
    uint32_t history;

    (void)state;
    open_pair(&a, &b, shop, shop);
    join_third(&a, &b, &c, shop);
    meet(&a, &b);
    meet(&b, &c);
    meet(&a, &c);
    keep_pc(&b);
    first = *store_actor(b.store);
    number = vector_get(store_have(b.store), &first);
    sql(&b, "INSERT INTO client VALUES (1, 'Old')");
    meet(&a, &b);
    put_pc_back(&b);
    sql(&b, "INSERT INTO client VALUES (1, 'New')");
    meet(&b, &c);
    put_pc_back(&b);
    assert_int_equal(stage_one_of(&a, &b, &first, number), ERR_NONE);
    history = store_history(b.store);
    assert_int_equal(stage_one_of(&c, &b, &first, number), ERR_BUSY);
    assert_int_equal(store_history(b.store), history);
    work(&b);
    assert_int_not_equal(store_history(b.store), history);
    assert_int_equal(stage_one_of(&c, &b, &first, number), ERR_NONE);
    meet(&b, &c);
    meet(&a, &b);
    expect_both(&a, &b, clients, "New Old");
    close_pair(&a, &b);
    close_site(&c);
}

/* Which actor of `of` has said something again, as `from` knows it? */
static struct actor who_repeats(struct site *from, const struct site *of)
{
    const struct vector *have = store_have(from->store);
    struct actor found = {{0}};

    for (uint32_t i = 0; i < have->n; i++) {
        struct changeset_header h = {0};
        struct changeset c;
        struct buf bytes;
        struct err e = {0};

        if (!actor_is_of(&have->entries[i].actor, &of->keys.site))
            continue;
        buf_open(&bytes, 1u << 26);
        check(store_fetch(from->store, &have->entries[i].actor, 0, 1, &bytes, &e), &e);
        check(changeset_open(&c, &h, buf_slice(&bytes), &e), &e);
        if (h.repeats.n > 0)
            found = have->entries[i].actor;
        changeset_header_close(&h);
        buf_close(&bytes);
    }
    return found;
}

/* It went back to before it had said again all that it then said again. Of two of its actors other
 * histories come at once: what is said again is not applied before the rest of the first one is
 * here, which only the link brings on which the second one comes too early. */
static void a_link_goes_on_that_brings_another_history_too_early(void **state)
{
    struct actor first, again;
    struct site a, b;
    uint64_t number;
    uint32_t history;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&b, "INSERT INTO client(name) VALUES ('Ana')");
    work(&b);
    keep_pc(&b);
    first = *store_actor(b.store);
    number = vector_get(store_have(b.store), &first);
    sql(&b, "INSERT INTO client(name) VALUES ('Bea')");
    work(&b);
    sql(&b, "INSERT INTO client(name) VALUES ('Cleo')");
    meet(&a, &b);
    put_pc_back(&b);
    sql(&b, "INSERT INTO client(name) VALUES ('Dora')");
    keep_pc(&b);
    sql(&b, "INSERT INTO client(name) VALUES ('Emma')");
    meet(&a, &b);
    again = who_repeats(&a, &b);
    assert_int_equal(vector_get(store_have(a.store), &again), 2);
    put_pc_back(&b);
    sql(&b, "INSERT INTO client(name) VALUES ('Flora')");
    work(&b);
    assert_int_equal(stage_one_of(&a, &b, &first, number + 1), ERR_NONE);
    assert_int_equal(stage_one_of(&a, &b, &again, 0), ERR_NONE);
    history = store_history(b.store);
    assert_int_equal(stage_one_of(&a, &b, &again, 1), ERR_BUSY);
    work(&b);
    assert_int_equal(stage_one_of(&a, &b, &again, 1), ERR_BUSY);
    assert_int_equal(store_history(b.store), history);
    for (uint64_t after = 0; after < number + 2; after++)
        assert_int_equal(stage_one_of(&a, &b, &first, after), ERR_NONE);
    work(&b);
    assert_int_not_equal(store_history(b.store), history);
    assert_int_equal(stage_one_of(&a, &b, &again, 1), ERR_NONE);
    meet(&a, &b);
    expect_both(&a, &b, clients, "Ana Bea Cleo Dora Emma Flora");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_history_that_comes_too_early_comes_again),
        cmocka_unit_test(a_link_goes_on_that_brings_another_history_too_early),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
