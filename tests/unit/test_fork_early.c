/* Proofs that a PC went back, of which links bring one that it cannot take yet: fork_begin. */
#include "counted.h"
#include "library.h"
#include "meet.h"
#include "wentback.h"

#include <navette/waits.h>

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
    number = keep_one_of_three(&a, &b, &c, shop, &first);
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

/* A PC that went back twice, before it drains or hears anything: A knows more of the history of
 * `first` than it does, behind `number`, and two that it said again. */
struct twice {
    struct site a, b;
    struct actor first, again;
    uint64_t number;
};

static void open_twice(struct twice *t)
{
    open_pair(&t->a, &t->b, shop, shop);
    sql(&t->b, "INSERT INTO client(name) VALUES ('Ana')");
    work(&t->b);
    keep_pc(&t->b);
    t->first = *store_actor(t->b.store);
    t->number = vector_get(store_have(t->b.store), &t->first);
    sql(&t->b, "INSERT INTO client(name) VALUES ('Bea')");
    work(&t->b);
    sql(&t->b, "INSERT INTO client(name) VALUES ('Cleo')");
    meet(&t->a, &t->b);
    put_pc_back(&t->b);
    sql(&t->b, "INSERT INTO client(name) VALUES ('Dora')");
    keep_pc(&t->b);
    sql(&t->b, "INSERT INTO client(name) VALUES ('Emma')");
    meet(&t->a, &t->b);
    t->again = who_repeats(&t->a, &t->b);
    assert_int_equal(vector_get(store_have(t->a.store), &t->again), 2);
    put_pc_back(&t->b);
    sql(&t->b, "INSERT INTO client(name) VALUES ('Flora')");
    work(&t->b);
}

static void close_twice(struct twice *t)
{
    meet(&t->a, &t->b);
    expect_both(&t->a, &t->b, clients, "Ana Bea Cleo Dora Emma Flora");
    close_pair(&t->a, &t->b);
}

/* It went back to before it had said again all that it then said again. Of two of its actors other
 * histories come at once: what is said again is not applied before the rest of the first one is
 * here, which only the link brings on which the second one comes too early. */
static void a_link_goes_on_that_brings_another_history_too_early(void **state)
{
    struct twice t;
    uint32_t history;

    (void)state;
    open_twice(&t);
    assert_int_equal(stage_one_of(&t.a, &t.b, &t.first, t.number + 1), ERR_NONE);
    assert_int_equal(stage_one_of(&t.a, &t.b, &t.again, 0), ERR_NONE);
    history = store_history(t.b.store);
    assert_int_equal(stage_one_of(&t.a, &t.b, &t.again, 1), ERR_BUSY);
    work(&t.b);
    assert_int_equal(stage_one_of(&t.a, &t.b, &t.again, 1), ERR_BUSY);
    assert_int_equal(store_history(t.b.store), history);
    for (uint64_t after = 0; after < t.number + 2; after++)
        assert_int_equal(stage_one_of(&t.a, &t.b, &t.first, after), ERR_NONE);
    work(&t.b);
    assert_int_not_equal(store_history(t.b.store), history);
    assert_int_equal(stage_one_of(&t.a, &t.b, &t.again, 1), ERR_NONE);
    close_twice(&t);
}

/* The rest of the first history is there already when what was said again comes: what follows that
 * one is laid aside, under a number that the log has another one of. */
static void what_is_laid_aside_is_said_again_behind_what_it_follows(void **state)
{
    struct twice t;

    (void)state;
    open_twice(&t);
    assert_int_equal(stage_one_of(&t.a, &t.b, &t.first, t.number + 1), ERR_NONE);
    for (uint64_t after = 0; after < t.number + 2; after++)
        assert_int_equal(stage_one_of(&t.a, &t.b, &t.first, after), ERR_NONE);
    assert_int_equal(stage_one_of(&t.a, &t.b, &t.again, 0), ERR_NONE);
    assert_int_equal(stage_one_of(&t.a, &t.b, &t.again, 1), ERR_BUSY);
    work(&t.b);
    assert_int_equal(stage_one_of(&t.a, &t.b, &t.again, 1), ERR_NONE);
    close_twice(&t);
}

/* The link that brought the proof ends before it brings the rest, and the disk of the only PC that
 * had that is put back as well. */
static void what_was_laid_aside_is_said_again_when_nobody_has_what_parted_from_it(void **state)
{
    struct actor first;
    struct site a, b;
    struct store_peer peer;
    struct store_lack lack;
    struct err e = {0};
    uint64_t number;
    bool did;

    (void)state;
    open_pair(&a, &b, shop, shop);
    meet(&a, &b);
    keep_pc(&a);
    keep_pc(&b);
    first = *store_actor(b.store);
    number = vector_get(store_have(b.store), &first);
    sql(&b, "INSERT INTO client(name) VALUES ('Old')");
    work(&b);
    sql(&b, "INSERT INTO client(name) VALUES ('Older')");
    meet(&a, &b);
    put_pc_back(&b);
    sql(&b, "INSERT INTO client(name) VALUES ('New')");
    work(&b);
    assert_int_equal(stage_one_of(&a, &b, &first, number + 1), ERR_NONE);
    put_pc_back(&a);
    meet(&a, &b);
    assert_false(store_lacks_nothing(b.store));
    peer = (struct store_peer){store_have(a.store), store_applied(a.store)};
    check(store_lacks(b.store, &peer, 1, &lack, &e), &e);
    assert_true(lack.changesets > 0);
    check(store_waive(b.store, &peer, 1, true, &did, &e), &e);
    assert_true(did);
    assert_true(store_lacks_nothing(b.store));
    meet(&a, &b);
    expect_both(&a, &b, clients, "New");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_history_that_comes_too_early_comes_again),
        cmocka_unit_test(a_link_goes_on_that_brings_another_history_too_early),
        cmocka_unit_test(what_is_laid_aside_is_said_again_behind_what_it_follows),
        cmocka_unit_test(what_was_laid_aside_is_said_again_when_nobody_has_what_parted_from_it),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
