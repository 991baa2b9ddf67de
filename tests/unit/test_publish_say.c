/* Rows that take more than one change-set, and rows whose keys are too long to be sent: the other
 * rows go on, and so do these as far as they can. */
#include "inside.h"
#include "ruled.h"

static const char wide[] = "CREATE TABLE w(id INTEGER PRIMARY KEY, a, b, c, d, e);"
                           "CREATE TABLE note(id INTEGER PRIMARY KEY, body);";
static const char sums[] = "SELECT id, length(a), length(b), length(c), length(d), length(e),"
                           " hex(substr(a, 1, 2)), hex(substr(e, 1, 2)) FROM w ORDER BY id";

#define FIVE "zeroblob(15728640), zeroblob(15728641), zeroblob(15728642), zeroblob(15728643), "
#define LAST "CAST(x'beef' || zeroblob(15728642) AS BLOB)"

/* A thousandth of that, for change-sets that are closed a thousand times as soon. */
#define FIVE_SMALL "zeroblob(15360), zeroblob(15361), zeroblob(15362), zeroblob(15363), "
#define LAST_SMALL "CAST(x'beef' || zeroblob(15362) AS BLOB)"

static void close_change_sets_soon(struct site *s)
{
    s->store->body_soft = BODY_BYTES_SOFT / 1024;
    s->store->body_full = BODY_BYTES_FULL / 1024;
}

static void open_pair_of_small(struct site *a, struct site *b, const char *schema)
{
    open_pair(a, b, schema, schema);
    close_change_sets_soon(a);
    close_change_sets_soon(b);
}

static void open_pair_of_large(struct site *a, struct site *b, const char *schema)
{
    *a = *b = (struct site){.is_large = true};
    open_founder(a, schema);
    join_site(a, b, "B", schema);
    exchange(a, b);
}

static void expect_no_trouble(struct site *s)
{
    struct store_status status = status_of(s);

    assert_string_equal(status.trouble, "");
    assert_string_equal(status.unsent, "");
}

static void expect_arrived(struct site *a, struct site *b)
{
    expect_same(a, b, sums);
    expect_no_trouble(a);
    expect_no_trouble(b);
    expect_ledger(b, "SELECT count(*) FROM due", "0");
    if (!b->is_large)
        close_change_sets_soon(b);
}

static void expect_whole(struct site *a, struct site *b)
{
    exchange(a, b);
    expect_arrived(a, b);
}

static void a_row_that_exceeds_a_change_set_arrives_whole_and_stops_nothing(void **state)
{
    struct site a, b;

    (void)state;
    open_pair_of_large(&a, &b, wide);
    sql(&a, "INSERT INTO w VALUES (1, " FIVE LAST ")");
    sql(&a, "INSERT INTO note VALUES (1, 'behind it')");
    work(&a);
    carry(&a, &b);
    work(&b);
    expect_arrived(&a, &b);
    expect(&b, "SELECT length(a), length(e) FROM w", "15728640|15728644");
    expect(&b, "SELECT body FROM note", "behind it");
    close_pair(&a, &b);
}

static void a_row_that_comes_to_exceed_a_change_set_arrives_whole(void **state)
{
    struct site a, b;

    (void)state;
    open_pair_of_small(&a, &b, wide);
    sql(&a, "INSERT INTO w VALUES (1, " FIVE_SMALL LAST_SMALL "), (2, 'p', 'q', 'r', 's', 't')");
    sql(&a, "INSERT INTO note VALUES (1, 'behind it')");
    expect_whole(&a, &b);
    expect(&b, "SELECT length(a), length(e) FROM w WHERE id = 1", "15360|15364");
    expect(&b, "SELECT body FROM note", "behind it");
    sql(&b,
        "UPDATE w SET (a, b, c, d, e) = (SELECT e, d, c, b, a FROM w WHERE id = 1) WHERE id = 2");
    expect_whole(&a, &b);
    expect(&a, "SELECT hex(substr(a, 1, 2)), length(e) FROM w WHERE id = 2", "BEEF|15360");
    close_pair(&a, &b);
}

/* The next change-set of `from` alone. */
static void carry_one(struct site *from, struct site *to)
{
    const struct actor *self = store_actor(from->store);
    struct slice left, one;
    enum stage_result result;
    struct err e = {0};
    struct buf bytes;

    buf_open(&bytes, 512u << 20);
    check(store_fetch(from->store, self, vector_get(store_have(to->store), self), 1, &bytes, &e),
          &e);
    left = buf_slice(&bytes);
    assert_true(store_fetch_next(&left, &one, &e));
    check(store_stage(to->store, one, &result, &e), &e);
    assert_false(store_fetch_next(&left, &one, &e));
    buf_close(&bytes);
}

static void a_wide_row_that_must_not_have_nulls_waits_for_its_last_part(void **state)
{
    static const char strict[] =
        "CREATE TABLE w(id INTEGER PRIMARY KEY, a NOT NULL, b NOT NULL, c NOT NULL, d NOT NULL,"
        " e NOT NULL);";
    struct site a, b;

    (void)state;
    open_pair_of_small(&a, &b, strict);
    sql(&a, "INSERT INTO w VALUES (1, " FIVE_SMALL LAST_SMALL ")");
    work(&a);
    carry_one(&a, &b);
    work(&b);
    expect(&b, "SELECT count(*) FROM w", "0");
    expect_ledger(&b, "SELECT count(*) FROM due WHERE why NOTNULL", "1");
    expect_whole(&a, &b);
    expect(&b, "SELECT count(*) FROM w", "1");
    close_pair(&a, &b);
}

static void a_wide_row_that_was_deleted_meanwhile_comes_back_whole(void **state)
{
    struct site a, b;

    (void)state;
    open_pair_of_small(&a, &b, wide);
    sql(&a, "INSERT INTO w VALUES (1, " FIVE_SMALL LAST_SMALL ")");
    exchange(&a, &b);
    sql(&b, "DELETE FROM w");
    exchange(&b, &a);
    expect(&a, "SELECT count(*) FROM w", "0");
    sql(&a, "INSERT INTO w VALUES (1, " FIVE_SMALL LAST_SMALL ")");
    expect_whole(&a, &b);
    expect(&b, "SELECT count(*) FROM w", "1");
    close_pair(&a, &b);
}

static void a_wide_row_under_a_natural_key_is_one_row_on_both_pcs(void **state)
{
    static const char natural[] = "CREATE TABLE w(id TEXT PRIMARY KEY, a, b, c, d, e);";
    struct site a, b;

    (void)state;
    open_pair_of_small(&a, &b, natural);
    sql(&b, "INSERT INTO w VALUES ('x', " FIVE_SMALL "'early')");
    later();
    sql(&a, "INSERT INTO w VALUES ('x', " FIVE_SMALL LAST_SMALL ")");
    drain_all(&a);
    drain_all(&b);
    expect_whole(&a, &b);
    expect(&b, "SELECT count(*), max(length(e)) FROM w", "1|15364");
    sql(&b, "UPDATE w SET (a, b, c, d, e) = (SELECT " FIVE_SMALL "'late')");
    sql(&b, "UPDATE w SET a = zeroblob(15360)");
    expect_whole(&b, &a);
    sql(&b, "DELETE FROM w");
    expect_whole(&b, &a);
    expect(&a, "SELECT count(*) FROM w", "0");
    close_pair(&a, &b);
}

static void a_wide_row_that_two_pcs_had_before_they_met_is_one_row(void **state)
{
    static const char empty[] = "CREATE TABLE w(id TEXT PRIMARY KEY, a, b, c, d, e);";
    static const char filled[] = "CREATE TABLE w(id TEXT PRIMARY KEY, a, b, c, d, e);"
                                 "INSERT INTO w VALUES ('x', " FIVE_SMALL LAST_SMALL ");";
    struct site a = {0}, b = {0};

    (void)state;
    open_founder(&a, empty);
    close_change_sets_soon(&a);
    sql(&a, "INSERT INTO w VALUES ('x', " FIVE_SMALL LAST_SMALL ")");
    work(&a);
    join_site(&a, &b, "B", filled);
    close_change_sets_soon(&b);
    expect_whole(&a, &b);
    expect(&b, "SELECT id, length(e) FROM w", "x|15364");
    close_pair(&a, &b);
}

static void a_value_too_long_leaves_its_row_under_a_natural_key_to_the_others(void **state)
{
    static const char page[] = "CREATE TABLE page(name TEXT, n INTEGER, body, title,"
                               " PRIMARY KEY(name, n));";
    struct site a, b;

    (void)state;
    open_pair_of_large(&a, &b, page);
    sql(&a, "INSERT INTO page VALUES ('a', 1, zeroblob(17000000), 'first')");
    exchange(&a, &b);
    exchange(&b, &a);
    expect(&b, "SELECT name, n, body, title FROM page", "a|1|NULL|first");
    expect(&a, "SELECT length(body) FROM page", "17000000");
    sql(&b, "UPDATE page SET title = 'second'");
    exchange(&b, &a);
    expect(&a, "SELECT length(body), title FROM page", "17000000|second");
    sql(&a, "UPDATE page SET body = 'short'");
    exchange(&a, &b);
    expect(&b, "SELECT body, title FROM page", "short|second");
    expect_no_trouble(&a);
    close_pair(&a, &b);
}

/* ---- keys ---- */

static const char codes[] = "CREATE TABLE k(code TEXT PRIMARY KEY, v);"
                            "CREATE TABLE note(id INTEGER PRIMARY KEY, body);";

#define LONG  "CAST(zeroblob(41943040) AS TEXT)"
#define EDGE  "CAST(zeroblob(16777216) AS TEXT)"
#define ABOVE "CAST(zeroblob(16777217) AS TEXT)"

static void expect_told(struct site *s, const char *bytes)
{
    struct store_status status = status_of(s);

    assert_string_equal(status.trouble, "");
    assert_non_null(strstr(status.unsent, "table k: a row whose key has "));
    assert_non_null(strstr(status.unsent, bytes));
}

static void a_row_with_a_key_too_long_stays_here_and_stops_nothing(void **state)
{
    struct site a, b;

    (void)state;
    open_pair_of_large(&a, &b, codes);
    sql(&a, "INSERT INTO k VALUES (" LONG ", 'long'), ('short', 'one')");
    sql(&a, "INSERT INTO note VALUES (1, 'behind it')");
    exchange(&a, &b);
    expect(&b, "SELECT code, v FROM k", "short|one");
    expect(&b, "SELECT body FROM note", "behind it");
    expect_told(&a, "41943040");
    sql(&a, "UPDATE k SET v = v || '!'");
    exchange(&a, &b);
    expect(&b, "SELECT code, v FROM k", "short|one!");
    close_store(&a);
    open_store(&a);
    expect_told(&a, "41943040");
    sql(&a, "DELETE FROM k WHERE v = 'long!'");
    exchange(&a, &b);
    expect_no_trouble(&a);
    expect_ledger(&a, "SELECT count(*) FROM meta WHERE name GLOB 'long-key*' AND value NOTNULL",
                  "0");
    close_pair(&a, &b);
}

static void the_longest_key_is_sent_and_one_byte_more_is_not(void **state)
{
    struct site a, b;

    (void)state;
    open_pair_of_large(&a, &b, codes);
    sql(&a, "INSERT INTO k VALUES (" EDGE ", 'edge')");
    exchange(&a, &b);
    expect(&b, "SELECT length(CAST(code AS BLOB)), v FROM k", "16777216|edge");
    expect_no_trouble(&a);
    sql(&a, "INSERT INTO k VALUES (" ABOVE ", 'above')");
    exchange(&a, &b);
    expect(&b, "SELECT v FROM k", "edge");
    expect_told(&a, "16777217");
    close_pair(&a, &b);
}

static void
a_key_that_grows_takes_the_row_from_the_others_and_one_that_shrinks_gives_it(void **state)
{
    struct site a, b;

    (void)state;
    open_pair_of_large(&a, &b, codes);
    sql(&a, "INSERT INTO k VALUES ('short', 'one')");
    exchange(&a, &b);
    sql(&a, "UPDATE k SET code = " LONG);
    exchange(&a, &b);
    expect(&b, "SELECT count(*) FROM k", "0");
    expect_told(&a, "41943040");
    sql(&a, "UPDATE k SET code = 'short again'");
    exchange(&a, &b);
    expect(&b, "SELECT code, v FROM k", "short again|one");
    expect_no_trouble(&a);
    sql(&a, "UPDATE k SET code = " LONG);
    sql(&a, "UPDATE k SET code = " ABOVE);
    sql(&a, "DELETE FROM k");
    exchange(&a, &b);
    expect(&b, "SELECT count(*) FROM k", "0");
    expect_no_trouble(&a);
    close_pair(&a, &b);
}

static void the_columns_of_a_key_count_together(void **state)
{
    static const char two[] = "CREATE TABLE k(x, y, v, PRIMARY KEY(x, y)) WITHOUT ROWID;";
    struct site a, b;

    (void)state;
    open_pair_of_large(&a, &b, two);
    sql(&a, "INSERT INTO k VALUES (zeroblob(9000000), zeroblob(9000000), 'long'),"
            " (1, zeroblob(9000000), 'short')");
    exchange(&a, &b);
    expect(&b, "SELECT v FROM k", "short");
    expect_told(&a, "18000000");
    close_pair(&a, &b);
}

/* SQLite takes NULL in such a key, and as many rows as one likes under it. */
static void a_row_with_no_whole_key_stays_here_and_is_told(void **state)
{
    static const char two[] = "CREATE TABLE k(x, y, v, PRIMARY KEY(x, y));";
    struct site a, b;

    (void)state;
    open_pair_of_large(&a, &b, two);
    sql(&a, "INSERT INTO k VALUES ('a', NULL, 'half'), ('a', NULL, 'other'), ('a', 1, 'one')");
    exchange(&a, &b);
    expect(&b, "SELECT x, y, v FROM k", "a|1|one");
    assert_non_null(strstr(status_of(&a).unsent, "table k: a row whose key is NULL is not sent"));
    sql(&a, "UPDATE k SET v = v || '!'");
    exchange(&a, &b);
    expect(&b, "SELECT x, y, v FROM k", "a|1|one!");
    sql(&a, "UPDATE k SET y = 2 WHERE v = 'half!'; UPDATE k SET y = NULL WHERE v = 'one!'");
    exchange(&a, &b);
    expect(&b, "SELECT x, y, v FROM k", "a|2|half!");
    expect(&a, "SELECT count(*) FROM k", "3");
    assert_int_equal(status_of(&b).parked, 0);
    sql(&a, "DELETE FROM k WHERE y IS NULL");
    exchange(&a, &b);
    expect_no_trouble(&a);
    expect_same(&a, &b, "SELECT * FROM k");
    close_pair(&a, &b);
}

static void rows_with_long_keys_that_were_there_before_are_passed_over(void **state)
{
    static const char filled[] = "CREATE TABLE k(code TEXT PRIMARY KEY, v);"
                                 "CREATE TABLE note(id INTEGER PRIMARY KEY, body);"
                                 "INSERT INTO k VALUES (" LONG ", 'long'), ('short', 'one');";
    struct site a, b;

    (void)state;
    open_pair_of_large(&a, &b, filled);
    exchange(&a, &b);
    expect_told(&a, "41943040");
    expect_told(&b, "41943040");
    expect_ledger(&b, "SELECT count(*) FROM row", "1");
    sql(&b, "DROP TRIGGER _navette_1_insert");
    sql(&b, "INSERT INTO k VALUES (" ABOVE ", 'second')");
    exchange(&b, &a);
    expect(&a, "SELECT count(*) FROM k", "2");
    sql(&b, "DELETE FROM k WHERE v <> 'one'");
    exchange(&b, &a);
    expect_no_trouble(&b);
    expect_told(&a, "41943040");
    close_pair(&a, &b);
}

static void a_reference_to_a_row_with_a_long_key_stops_nothing(void **state)
{
    static const char family[] = "CREATE TABLE k(code TEXT PRIMARY KEY, v);"
                                 "CREATE TABLE c(id INTEGER PRIMARY KEY,"
                                 " code REFERENCES k(code), n);";
    struct site a, b;

    (void)state;
    open_pair_of_large(&a, &b, family);
    sql(&a, "INSERT INTO k VALUES (" LONG ", 'long')");
    sql(&a, "INSERT INTO c SELECT 1, code, 7 FROM k");
    exchange(&a, &b);
    expect(&b, "SELECT id, code, n FROM c", "1|NULL|7");
    assert_string_equal(status_of(&a).trouble, "");
    sql(&a, "UPDATE c SET code = NULL");
    sql(&a, "UPDATE k SET code = 'short'");
    sql(&a, "UPDATE c SET code = 'short'");
    exchange(&a, &b);
    expect(&b, "SELECT code, n FROM c", "short|7");
    expect(&b, "SELECT code, v FROM k", "short|long");
    expect_no_trouble(&a);
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_that_exceeds_a_change_set_arrives_whole_and_stops_nothing),
        cmocka_unit_test(a_row_that_comes_to_exceed_a_change_set_arrives_whole),
        cmocka_unit_test(a_wide_row_that_must_not_have_nulls_waits_for_its_last_part),
        cmocka_unit_test(a_wide_row_that_was_deleted_meanwhile_comes_back_whole),
        cmocka_unit_test(a_wide_row_under_a_natural_key_is_one_row_on_both_pcs),
        cmocka_unit_test(a_wide_row_that_two_pcs_had_before_they_met_is_one_row),
        cmocka_unit_test(a_value_too_long_leaves_its_row_under_a_natural_key_to_the_others),
        cmocka_unit_test(a_row_with_a_key_too_long_stays_here_and_stops_nothing),
        cmocka_unit_test(the_longest_key_is_sent_and_one_byte_more_is_not),
        cmocka_unit_test(
            a_key_that_grows_takes_the_row_from_the_others_and_one_that_shrinks_gives_it),
        cmocka_unit_test(the_columns_of_a_key_count_together),
        cmocka_unit_test(a_row_with_no_whole_key_stays_here_and_is_told),
        cmocka_unit_test(rows_with_long_keys_that_were_there_before_are_passed_over),
        cmocka_unit_test(a_reference_to_a_row_with_a_long_key_stops_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
