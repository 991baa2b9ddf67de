/* What a filter may take of a PC that did not ask for it. */
#include "filter.h"
#include "inside.h"
#include "ruled.h"

static const char market[] =
    "CREATE TABLE client(id INTEGER PRIMARY KEY, name TEXT);"
    "CREATE TABLE place(id INTEGER PRIMARY KEY, city TEXT, street TEXT);"
    "CREATE TABLE sale(id INTEGER PRIMARY KEY, place INTEGER, total INTEGER, seller INTEGER);"
    "CREATE TABLE setting(name TEXT PRIMARY KEY, value);"
    "CREATE TABLE stock(place INTEGER, name TEXT, n INTEGER, PRIMARY KEY(place, name))"
    " WITHOUT ROWID;";

#define RULE(target_, kind_, ...)                                                                  \
    (struct wish)                                                                                  \
    {                                                                                              \
        .target = target_, .kind = kind_, __VA_ARGS__                                              \
    }
#define NOTHING .argument = NULL

static struct value text_of(const char *t)
{
    return (struct value){.type = VALUE_TEXT, .bytes = slice_text(t)};
}

/* Letters a, in the columns of a row. */
static char *long_text(size_t n)
{
    char *t = mem_alloc(n + 1);

    memset(t, 'a', n);
    return t;
}

static void a_filter_takes_a_row_no_longer_than_it_may(void **state)
{
    static const struct {
        const char *where;
        size_t n;
        bool match, gives_up;
    } rows[] = {
        {"city LIKE '%b' OR city LIKE 'a%'", 10000, true, false},
        {"city NOT LIKE '%aaaaaaaaaab'", 10000, true, false},
        {"trim(city, 'a') = '' AND instr(city, 'b') = 0", 10000, true, false},
        {"length(city) = 60000", 60000, true, false},
        {"street = ''", 20000000, true, false}, /* it does not name what is long */
        {"city IS NOT NULL", 70000, false, true},
        {"(city || city || city) NOT LIKE '%aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab'", 40000, false,
         true},
        {"length(city || city || city || city) > 0", 40000, false, true},
        {"city NOT GLOB city", 20000, false, true},
        {"instr(city, city || 'b') = 0", 20000, false, true},
        {"trim(city, city) = ''", 20000, false, true},
        {"city LIKE 'b' ESCAPE 'xy'", 10, false, false}, /* it fails */
        {"(city LIKE '%aaab') + (city LIKE '%aaab') + (city LIKE '%aaab') + (city LIKE '%aaab') +"
         " (city LIKE '%aaab') + (city LIKE '%aaab') + (city LIKE '%aaab') + 1",
         40000, false, true},
    };
    struct site a = {0};

    (void)state;
    open_founder(&a, market);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char *city = long_text(rows[i].n);
        const struct value values[] = {{.type = VALUE_INT, .i = 7}, text_of(city), text_of("")};
        struct filter *f = NULL;
        struct err e = {0};
        bool match;

        check(
            filter_open(&f, &a.store->app, appdb_table(&a.store->app, "place"), rows[i].where, &e),
            &e);
        check(filter_match(f, values, &match, &e), &e);
        if (match != rows[i].match || filter_gave_up(f) != rows[i].gives_up)
            fail_msg("%s: %d, %d", rows[i].where, match, filter_gave_up(f));
        check(filter_match(f, (const struct value[]){values[0], text_of("a"), text_of("")}, &match,
                           &e),
              &e);
        assert_false(filter_gave_up(f)); /* the next row is another one */
        filter_close(f);
        free(city);
    }
    close_site(&a);
}

/* Whoever may set a rule may set one that takes long: it takes only so much of each row. */
static void a_row_that_takes_its_filter_too_long_stays_and_is_told_until_it_does_not(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, market, market);
    sql(&a, "INSERT INTO client VALUES (1, replace(hex(zeroblob(500000)), '0', 'a')), (2, 'b')");
    exchange(&a, &b);
    set_rule(&b, RULE("client", RULE_BOTH, .where = "name NOT LIKE '%aaaaaaaaaaaaaaaaab'"));
    share_rosters(&a, &b);
    exchange(&a, &b);
    assert_non_null(strstr(status_of(&a).unsent, "table client: a row is not sent from this PC"));
    sql(&a, "UPDATE client SET name = name || 'c'");
    exchange(&a, &b);
    expect(&b, "SELECT substr(name, -2), length(name) FROM client", "aa|1000000 bc|2");
    close_store(&a);
    open_store(&a);
    exchange(&a, &b);
    assert_non_null(strstr(status_of(&a).unsent, "table client: a row is not sent from this PC"));
    sql(&a, "UPDATE client SET name = 'short' WHERE id = 1");
    exchange(&a, &b);
    expect(&b, "SELECT name FROM client", "short bc");
    assert_string_equal(status_of(&a).unsent, "");
    sql(&a, "UPDATE client SET name = replace(hex(zeroblob(500000)), '0', 'a') WHERE id = 1");
    exchange(&a, &b);
    expect(&b, "SELECT name FROM client", "short bc");
    assert_non_null(strstr(status_of(&a).unsent, "table client: a row is not sent from this PC"));
    unset_rule(&a, RULE("client", RULE_BOTH, NOTHING));
    share_rosters(&a, &b);
    exchange(&a, &b);
    expect(&b, "SELECT length(name) FROM client", "1000000 2");
    assert_string_equal(status_of(&a).unsent, "");
    close_pair(&a, &b);
}

/* Calls of store_drain until there is no more to do. */
static int drains(struct site *s)
{
    struct store_progress p = {.more = true};
    struct err e = {0};
    int n;

    for (n = 0; p.more; n++)
        check(store_drain(s->store, s->now_ms, &p, &e), &e);
    return n;
}

static void a_table_whose_rule_changed_is_looked_at_in_slices(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, market, market);
    sql(&a, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)"
            " INSERT INTO sale SELECT i, i % 2, i, NULL FROM n;"
            "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)"
            " INSERT INTO setting SELECT 'n' || i, i % 2 FROM n;"
            "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)"
            " INSERT INTO stock SELECT i % 7, 'n' || i, i % 2 FROM n;");
    exchange(&a, &b);
    set_rule(&a, RULE("sale", RULE_BOTH, .where = "place = 8"));
    set_rule(&a, RULE("setting", RULE_BOTH, .where = "value = 8"));
    set_rule(&a, RULE("stock", RULE_BOTH, .where = "n = 8"));
    share_rosters(&a, &b);
    exchange(&a, &b);
    sql(&a, "UPDATE sale SET total = -id; UPDATE setting SET value = 7; UPDATE stock SET n = 7");
    exchange(&a, &b);
    expect(&b, "SELECT count(*) FROM sale WHERE total < 0", "0");
    set_rule(&a, RULE("sale", RULE_BOTH, .where = "place = 1"));
    set_rule(&a, RULE("setting", RULE_BOTH, .where = "value = 7"));
    set_rule(&a, RULE("stock", RULE_BOTH, .where = "n = 7"));
    a.store->scan_steps = 20000; /* six rows or so */
    assert_in_range(drains(&a), 15, 60);
    share_rosters(&a, &b);
    exchange(&a, &b);
    expect(&b, "SELECT count(*) FROM sale WHERE total < 0", "20");
    expect(&b, "SELECT count(*) FROM setting WHERE value = 7", "40");
    expect(&b, "SELECT count(*) FROM stock WHERE n = 7", "40");
    close_pair(&a, &b);
}

static bool is_half_way(const struct site *s)
{
    bool begun = false;

    for (uint32_t i = 0; i < s->store->binding_count; i++)
        begun |= s->store->bindings[i].scanned.begun;
    return begun;
}

/* VACUUM gives the rows of such a table other rowids. */
static void rows_that_get_another_place_between_two_slices_are_looked_at(void **state)
{
    struct store_progress p;
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_pair(&a, &b, market, market);
    sql(&a, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)"
            " INSERT INTO setting SELECT 'n' || i, 1 FROM n");
    exchange(&a, &b);
    set_rule(&a, RULE("setting", RULE_BOTH, .where = "value = 8"));
    exchange(&a, &b);
    sql(&a, "UPDATE setting SET value = 7");
    exchange(&a, &b);
    set_rule(&a, RULE("setting", RULE_BOTH, .where = "value = 7"));
    a.store->scan_steps = 60000; /* some twenty rows */
    check(store_drain(a.store, a.now_ms, &p, &e), &e);
    assert_true(p.more && is_half_way(&a));
    sql(&a, "DELETE FROM setting WHERE rowid < 20; VACUUM");
    drains(&a);
    share_rosters(&a, &b);
    exchange(&a, &b);
    expect_same(&a, &b, "SELECT name, value FROM setting ORDER BY name");
    expect(&b, "SELECT count(*) FROM setting WHERE value = 7", "41");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filter_takes_a_row_no_longer_than_it_may),
        cmocka_unit_test(a_row_that_takes_its_filter_too_long_stays_and_is_told_until_it_does_not),
        cmocka_unit_test(a_table_whose_rule_changed_is_looked_at_in_slices),
        cmocka_unit_test(rows_that_get_another_place_between_two_slices_are_looked_at),
    };
    struct err e = {0};

    return keys_library_start(&e) ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
