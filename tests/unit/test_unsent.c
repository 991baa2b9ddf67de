/* Values that are too long to be sent: a person is told as long as they are there, and no longer.
 */
#include "inside.h"
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

/* ---- rows ---- */

/* A thousandth of what a row may have. */
static void open_with_large_note(struct site *a, struct site *b)
{
    open_pair(a, b, notes, notes);
    sql(a, "INSERT INTO note VALUES (1, 'short', 'one')");
    exchange(a, b);
    a->store->row_bytes = ROW_BYTES_MAX / 1000;
    sql(a, "UPDATE note SET body = zeroblob(200000), title = CAST(zeroblob(200000) AS TEXT);"
           "INSERT INTO note VALUES (2, zeroblob(300000), 'two'), (3, 'short', 'three')");
    sql(a, "INSERT INTO page VALUES ('x', 1, zeroblob(300000))");
}

static void a_row_that_is_too_large_stays_as_it_was_and_others_go_on(void **state)
{
    struct store_status status;
    struct site a, b;

    (void)state;
    open_with_large_note(&a, &b);
    exchange(&a, &b);
    expect(&b, "SELECT id, body, title FROM note ORDER BY id", "1|short|one 3|short|three");
    expect(&b, "SELECT count(*) FROM page", "0");
    status = status_of(&a);
    assert_non_null(strstr(status.unsent, "table note: a row of 400000 bytes is not sent"));
    assert_string_equal(status.trouble, "");
    assert_int_equal(status.marks, 0);
    close_pair(&a, &b);
}

static void it_is_sent_as_soon_as_it_is_smaller(void **state)
{
    struct site a, b;

    (void)state;
    open_with_large_note(&a, &b);
    exchange(&a, &b);
    sql(&b, "UPDATE note SET title = 'of b' WHERE id = 1");
    exchange(&a, &b);
    sql(&a, "UPDATE note SET body = 'shorter'; UPDATE page SET body = NULL");
    exchange(&a, &b);
    expect_same(&a, &b, "SELECT * FROM note ORDER BY id");
    expect_same(&a, &b, "SELECT * FROM page");
    expect(&b, "SELECT id, body FROM note ORDER BY id", "1|shorter 2|shorter 3|shorter");
    assert_string_equal(status_of(&a).unsent, "");
    close_pair(&a, &b);
}

/* Such a row can come from two PCs that each wrote half of it, or from one that means harm. */
static void a_row_that_the_ledger_could_not_hold_holds_up_its_author_alone(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, notes, notes);
    b.store->record_bytes = 200000;
    sql(&a, "INSERT INTO note VALUES (1, zeroblob(300000), 'one')");
    work(&a);
    carry(&a, &b);
    sql(&b, "INSERT INTO note VALUES (7, 'of b', 'seven')");
    work(&b);
    carry(&b, &a);
    work(&a);
    expect(&a, "SELECT title FROM note ORDER BY title", "one seven");
    expect(&b, "SELECT title FROM note", "seven");
    assert_non_null(strstr(status_of(&b).trouble, "a row of 3000"));
    close_store(&b);
    open_store(&b); /* of a version that holds more */
    exchange(&a, &b);
    expect(&b, "SELECT title FROM note ORDER BY title", "one seven");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_that_is_too_large_stays_as_it_was_and_others_go_on),
        cmocka_unit_test(it_is_sent_as_soon_as_it_is_smaller),
        cmocka_unit_test(a_row_that_the_ledger_could_not_hold_holds_up_its_author_alone),
        cmocka_unit_test(it_is_told_until_the_value_is_shorter),
        cmocka_unit_test(it_is_told_again_after_a_restart),
        cmocka_unit_test(it_goes_with_the_row),
        cmocka_unit_test(it_goes_when_another_pc_writes_the_cell),
        cmocka_unit_test(it_goes_when_the_column_or_the_table_stays_here),
        cmocka_unit_test(the_next_one_is_told_when_the_first_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
