/* Change-sets that wait for such as are on no disk any more. */
#include "listed.h"

#include <navette/waits.h>

static const char client[] =
    "CREATE TABLE client(id INTEGER PRIMARY KEY, name TEXT NOT NULL, phone TEXT)";

/* The first writes `first`, the second sees it and writes `then`; the third has heard of the second
 * alone, and waits. */
static void open_waiting_with(struct site s[3], const char *tables, const char *first,
                              const char *then)
{
    static const char *const names[] = {"A", "B", "C"};

    memset(s, 0, 3 * sizeof *s);
    open_founder(&s[0], tables);
    for (int i = 1; i < 3; i++)
        join_site(&s[0], &s[i], names[i], tables);
    for (int i = 1; i < 3; i++) {
        bool changed;
        struct err e = {0};

        check(roster_merge(&s[i].roster, buf_slice(&s[0].roster.log), &changed, &e), &e);
    }
    sql(&s[0], first);
    work(&s[0]);
    carry(&s[0], &s[1]);
    work(&s[1]);
    sql(&s[1], then);
    work(&s[1]);
    carry_own(&s[1], &s[2]);
    work(&s[2]);
    assert_int_equal(status_of(&s[2]).staged, 1);
}

static void open_waiting(struct site s[3])
{
    open_waiting_with(s, schema, "INSERT INTO article(id, name, price) VALUES (7, 'bread', 1)",
                      "INSERT INTO line(id, article_id, n) VALUES (70, 7, 5)");
    expect(&s[2], "SELECT * FROM line", "(none)");
}

static void close_waiting(struct site s[3])
{
    for (int i = 0; i < 3; i++)
        close_site(&s[i]);
}

static struct store_peer peer_of(const struct site *s)
{
    return (struct store_peer){store_have(s->store), store_applied(s->store)};
}

static struct store_lack lack_of(struct site *s, const struct store_peer *peers, uint32_t n)
{
    struct store_lack lack;
    struct err e = {0};

    check(store_lacks(s->store, peers, n, &lack, &e), &e);
    return lack;
}

static bool waived(struct site *s, const struct store_peer *peers, uint32_t n, bool all)
{
    struct err e = {0};
    bool did;

    check(store_waive(s->store, peers, n, all, &did, &e), &e);
    return did;
}

/* As a PC whose disk went back knows nothing of it any more. */
static const struct vector nothing;

static void it_is_said_who_waits_for_whom(void **state)
{
    struct site s[3];
    struct store_lack lack;
    struct store_peer b;

    (void)state;
    open_waiting(s);
    lack = lack_of(&s[2], NULL, 0);
    assert_int_equal(lack.changesets, 1);
    assert_string_equal(lack.waiting, "B");
    assert_string_equal(lack.lacking, "A");
    b = peer_of(&s[1]);
    assert_int_equal(lack_of(&s[2], &b, 1).changesets, 0); /* it can be had */
    assert_int_equal(lack_of(&s[1], NULL, 0).changesets, 0);
    close_waiting(s);
}

static void what_somebody_has_or_may_have_is_waited_for(void **state)
{
    struct site s[3];
    struct store_peer peers[2] = {{&nothing, &nothing}};

    (void)state;
    open_waiting(s);
    peers[1] = peer_of(&s[1]);
    assert_false(waived(&s[2], peers, 2, true));
    assert_false(waived(&s[2], peers, 1, false));
    work(&s[2]);
    expect(&s[2], "SELECT count(*) FROM line WHERE n = 5", "0");
    carry(&s[1], &s[2]);
    work(&s[2]);
    expect(&s[2], "SELECT a.name, l.n FROM line l JOIN article a ON a.id = l.article_id",
           "bread|5");
    close_waiting(s);
}

static void what_nobody_has_is_not_waited_for_and_comes_in_when_it_turns_up(void **state)
{
    struct site s[3];
    struct store_peer peers[2] = {{&nothing, &nothing}, {&nothing, &nothing}};

    (void)state;
    open_waiting(s);
    assert_true(waived(&s[2], peers, 2, true));
    assert_false(waived(&s[2], peers, 2, true));
    close_store(&s[2]); /* it is so after a restart, too */
    open_store(&s[2]);
    work(&s[2]);
    assert_true(vector_covers(store_applied(s[2].store), store_have(s[2].store)));
    assert_int_equal(lack_of(&s[2], peers, 2).changesets, 0);
    sql(&s[2], "INSERT INTO setting VALUES ('printer', 'back')");
    work(&s[2]);
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 3; i++)
            exchange(&s[i], &s[(i + 1) % 3]);
    for (int i = 0; i < 3; i++) {
        expect(&s[i], "SELECT a.name, l.n FROM line l JOIN article a ON a.id = l.article_id",
               "bread|5");
        expect(&s[i], "SELECT value FROM setting WHERE name = 'printer'", "back");
    }
    close_waiting(s);
}

/* Who cannot ask everybody follows one that could. */
static void what_a_peer_has_applied_without_it_need_not_wait_here(void **state)
{
    struct site s[3];
    struct vector applied = {0};
    struct store_peer peer = {&nothing, &applied};

    (void)state;
    open_waiting(s);
    vector_copy(&applied, store_applied(s[1].store));
    assert_true(waived(&s[2], &peer, 1, false));
    work(&s[2]);
    assert_true(vector_covers(store_applied(s[2].store), store_have(s[2].store)));
    vector_close(&applied);
    close_waiting(s);
}

/* An edit of a row whose insert is gone: there is not enough of it for the file, and what there is
 * stays, passed on and listed, until somebody brings the rest. */
static void half_a_row_is_parked_and_lands_when_the_other_half_turns_up(void **state)
{
    struct site s[3];
    struct store_peer peers[2] = {{&nothing, &nothing}, {&nothing, &nothing}};

    (void)state;
    open_waiting_with(s, client, "INSERT INTO client(id, name, phone) VALUES (7, 'Ana', '1')",
                      "UPDATE client SET phone = '2' WHERE id = 7");
    assert_true(waived(&s[2], peers, 2, true));
    work(&s[2]);
    expect(&s[2], "SELECT * FROM client", "(none)");
    assert_int_equal(status_of(&s[2]).parked, 1);
    carry(&s[1], &s[2]);
    work(&s[2]);
    expect(&s[2], "SELECT * FROM client", "7|Ana|2");
    assert_int_equal(status_of(&s[2]).parked, 0);
    close_waiting(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_said_who_waits_for_whom),
        cmocka_unit_test(what_somebody_has_or_may_have_is_waited_for),
        cmocka_unit_test(what_nobody_has_is_not_waited_for_and_comes_in_when_it_turns_up),
        cmocka_unit_test(what_a_peer_has_applied_without_it_need_not_wait_here),
        cmocka_unit_test(half_a_row_is_parked_and_lands_when_the_other_half_turns_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
