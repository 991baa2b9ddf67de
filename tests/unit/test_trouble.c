/* What stands in the way is told as long as it does. */
#include "trouble.h"

#include "author.h"
#include "ruled.h"

static int64_t gid_of(struct site *s, const char *question)
{
    char *answer = ask_ledger(s, question);
    int64_t gid = strtoll(answer, NULL, 10);

    free(answer);
    return gid;
}

/* A change-set that everybody can read and nobody can do: two rows of different tables are one. */
static void say_nonsense(struct site *s)
{
    struct store_progress p = {0};
    struct author a = {0};
    struct err e = {0};
    int64_t first, second;

    close_store(s);
    first = gid_of(s, "SELECT min(gid) FROM row WHERE tbl = (SELECT min(tbl) FROM row)");
    second = gid_of(s, "SELECT min(gid) FROM row WHERE tbl = (SELECT max(tbl) FROM row)");
    open_store(s);
    work(s);
    check(ledger_begin(&s->store->ledger, false, &e), &e);
    author_begin(&a, s->store, s->now_ms, &p);
    author_open(&a);
    author_unite(&a, &s->store->bindings[0], first, second);
    check(author_seal(&a, &e), &e);
    author_close(&a);
    check(ledger_commit(&s->store->ledger, &e), &e);
    assert_int_equal(p.changesets, 1);
}

/* a, b and c; `b` has said nonsense, which `a` has. */
static void open_with_nonsense(struct site *a, struct site *b)
{
    open_pair(a, b, shop, shop);
    sql(b, "INSERT INTO client(name) VALUES ('Awa')");
    sql(b, "INSERT INTO invoice(number) VALUES ('F1')");
    exchange(a, b);
    say_nonsense(b);
    carry(b, a);
    work(a);
}

static void expect_stuck(struct site *s)
{
    const char *text = store_trouble(s->store);

    if (strstr(text, "what B sent cannot be read here") == NULL ||
        strstr(text, "are to be united") == NULL)
        fail_msg("\"%s\"", text);
    assert_string_equal(status_of(s).trouble, text);
}

static void nonsense_holds_up_its_author_and_nobody_else(void **state)
{
    struct site a, b, c = {0};

    (void)state;
    open_with_nonsense(&a, &b);
    expect_stuck(&a);
    sql(&b, "INSERT INTO client(name) VALUES ('never seen')");
    work(&b);
    carry(&b, &a);
    join_site(&a, &c, "C", shop);
    sql(&c, "INSERT INTO client(name) VALUES ('Ben')");
    work(&c);
    carry(&c, &a);
    work(&a);
    expect(&a, "SELECT name FROM client ORDER BY name", "Awa Ben");
    expect_stuck(&a);
    close_site(&c);
    close_pair(&a, &b);
}

static void it_is_told_again_after_a_restart(void **state)
{
    struct site a, b;

    (void)state;
    open_with_nonsense(&a, &b);
    close_store(&a);
    open_store(&a);
    work(&a);
    expect_stuck(&a);
    close_pair(&a, &b);
}

/* What does not count any more stands in nobody's way. */
static void it_goes_when_its_author_was_shut_out_before(void **state)
{
    struct vector before = {0};
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&b, "INSERT INTO client(name) VALUES ('Awa')");
    sql(&b, "INSERT INTO invoice(number) VALUES ('F1')");
    exchange(&a, &b);
    vector_copy(&before, store_have(a.store));
    say_nonsense(&b);
    carry(&b, &a);
    work(&a);
    expect_stuck(&a);
    check(roster_revoke(&a.roster, &b.keys.site, &before, &a.keys, &e), &e);
    store_roster_changed(a.store);
    assert_string_equal(store_trouble(a.store), "");
    vector_close(&before);
    close_pair(&a, &b);
}

static void a_rule_that_cannot_be_used_is_told_until_it_can(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    set_rule(&a, (struct wish){.target = "client", .kind = RULE_BOTH, .where = "place = 1"});
    work(&a);
    assert_non_null(strstr(store_trouble(a.store), "rule of table client"));
    assert_non_null(strstr(store_trouble(a.store), "place"));
    sql(&a, "ALTER TABLE client ADD COLUMN place INTEGER");
    work(&a);
    assert_string_equal(store_trouble(a.store), "");
    close_pair(&a, &b);
}

/* One does not hide the other for ever, and none is lost by the other's end. */
static void the_gravest_is_told_first_and_the_other_when_it_is_over(void **state)
{
    struct trouble *t;
    struct err why = {ERR_INPUT, "no such column"};
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    t = &a.store->trouble;
    trouble_rule(t, "client", &why);
    trouble_heals(t, "it heals");
    assert_string_equal(store_trouble(a.store), "it heals");
    assert_true(trouble_is_healing(t));
    trouble_healed(t);
    assert_non_null(strstr(store_trouble(a.store), "no such column"));
    trouble_no_rule(t);
    assert_string_equal(store_trouble(a.store), "");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nonsense_holds_up_its_author_and_nobody_else),
        cmocka_unit_test(it_is_told_again_after_a_restart),
        cmocka_unit_test(it_goes_when_its_author_was_shut_out_before),
        cmocka_unit_test(a_rule_that_cannot_be_used_is_told_until_it_can),
        cmocka_unit_test(the_gravest_is_told_first_and_the_other_when_it_is_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
