/* Values that are too long to be sent: a person is told as long as they are there, and no longer.
 */
#include "ruled.h"

static const char notes[] = "CREATE TABLE note(id INTEGER PRIMARY KEY, body, title TEXT);"
                            "CREATE TABLE page(name TEXT, n INTEGER, body, PRIMARY KEY(name, n));";

static void expect_told(struct site *s, const char *table)
{
    struct store_status status = status_of(s);

    assert_non_null(strstr(status.unsent, "a value of 17000000 bytes is not sent"));
    assert_non_null(strstr(status.unsent, table));
    assert_string_equal(status.trouble, "");
}

static void expect_silence(struct site *s)
{
    assert_string_equal(status_of(s).unsent, "");
    expect_ledger(s, "SELECT count(*) FROM unsent", "0");
}

static void open_with_long_note(struct site *a, struct site *b)
{
    open_pair(a, b, notes, notes);
    sql(a, "INSERT INTO note VALUES (1, zeroblob(17000000), 'scan')");
    exchange(a, b);
    expect(b, "SELECT body, title FROM note", "NULL|scan");
    expect_told(a, "note");
}

static void it_is_told_until_the_value_is_shorter(void **state)
{
    struct site a, b;

    (void)state;
    open_with_long_note(&a, &b);
    sql(&a, "UPDATE note SET title = 'scan of page 1'");
    exchange(&a, &b);
    expect(&b, "SELECT title FROM note", "scan of page 1");
    expect_told(&a, "note");
    sql(&a, "UPDATE note SET body = 'short'");
    exchange(&a, &b);
    expect(&b, "SELECT body FROM note", "short");
    expect_silence(&a);
    close_pair(&a, &b);
}

static void it_is_told_again_after_a_restart(void **state)
{
    struct site a, b;

    (void)state;
    open_with_long_note(&a, &b);
    close_store(&a);
    open_store(&a);
    expect_told(&a, "note");
    close_pair(&a, &b);
}

static void it_goes_with_the_row(void **state)
{
    struct site a, b;

    (void)state;
    open_with_long_note(&a, &b);
    sql(&b, "DELETE FROM note");
    exchange(&a, &b);
    expect(&a, "SELECT count(*) FROM note", "0");
    expect_silence(&a);
    close_pair(&a, &b);
}

static void it_goes_when_another_pc_writes_the_cell(void **state)
{
    struct site a, b;

    (void)state;
    open_with_long_note(&a, &b);
    sql(&b, "UPDATE note SET body = 'from B'");
    exchange(&a, &b);
    expect(&a, "SELECT body FROM note", "from B");
    expect_silence(&a);
    close_pair(&a, &b);
}

static void it_goes_when_the_column_or_the_table_stays_here(void **state)
{
    struct site a, b;

    (void)state;
    open_with_long_note(&a, &b);
    set_rule(&a, (struct wish){.target = "note.body", .kind = RULE_LOCAL});
    exchange(&a, &b);
    assert_string_equal(status_of(&a).unsent, "");
    unset_rule(&a, (struct wish){.target = "note.body", .kind = RULE_LOCAL});
    exchange(&a, &b);
    expect_told(&a, "note");
    set_rule(&a, (struct wish){.target = "note", .kind = RULE_LOCAL});
    exchange(&a, &b);
    assert_string_equal(status_of(&a).unsent, "");
    close_pair(&a, &b);
}

static void the_next_one_is_told_when_the_first_is_gone(void **state)
{
    struct site a, b;

    (void)state;
    open_with_long_note(&a, &b);
    sql(&a, "INSERT INTO page VALUES ('a', 1, CAST(zeroblob(17000000) AS TEXT))");
    exchange(&a, &b);
    sql(&a, "DELETE FROM note");
    exchange(&a, &b);
    expect_told(&a, "page");
    sql(&a, "UPDATE page SET body = NULL");
    exchange(&a, &b);
    expect_silence(&a);
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told_until_the_value_is_shorter),
        cmocka_unit_test(it_is_told_again_after_a_restart),
        cmocka_unit_test(it_goes_with_the_row),
        cmocka_unit_test(it_goes_when_another_pc_writes_the_cell),
        cmocka_unit_test(it_goes_when_the_column_or_the_table_stays_here),
        cmocka_unit_test(the_next_one_is_told_when_the_first_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
