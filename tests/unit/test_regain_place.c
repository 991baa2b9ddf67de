/* A ledger that went back or was lost, beside a file that remembers where its rows are, and which
 * of them it has let go. */
#include "library.h"
#include "ruled.h"
#include "wentback.h"

static const char notes[] = "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT);"
                            "CREATE TABLE tag(word TEXT PRIMARY KEY, note_id INTEGER REFERENCES"
                            " note(id));"
                            "CREATE TABLE line(id INTEGER PRIMARY KEY, what TEXT, n INTEGER);";

static const char all[] = "SELECT word, text FROM tag LEFT JOIN note ON id = note_id ORDER BY 1";

/* What was said of it nobody has heard, but the file was told which rows are there. */
static void a_key_given_again_is_the_new_row_s_when_only_the_file_remembers_it(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, notes, notes);
    sql(&b, "INSERT INTO note VALUES (1, 'old'); INSERT INTO tag VALUES ('red', NULL)");
    exchange(&a, &b);
    keep_ledger(&a);
    sql(&a, "DELETE FROM note; INSERT INTO note VALUES (1, 'new'); UPDATE tag SET note_id = 1");
    work(&a);
    sql(&b, "INSERT INTO tag VALUES ('blue', NULL)");
    work(&b);
    carry(&b, &a);
    work(&a);
    put_ledger_back(&a);
    rematch(&a, &b);
    expect_both(&a, &b, all, "blue|NULL red|new");
    expect_both(&a, &b, "SELECT text FROM note", "new");
    close_pair(&a, &b);
}

/* It was written and deleted between two looks at the file, and a power cut took the delete. */
static void a_row_that_went_unheard_goes_again_after_its_ledger_was_built_again(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, notes, notes);
    sql(&a, "INSERT INTO note VALUES (1, 'gone')");
    keep_database(&a);
    sql(&a, "DELETE FROM note");
    work(&a);
    put_database_back(&a, &a);
    open_store(&a);
    drain_all(&a);
    keep_ledger(&a);
    sql(&a, "INSERT INTO note VALUES (2, 'kept')");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT text FROM note", "kept");
    put_ledger_back(&a);
    rematch(&a, &b);
    put_database_back(&a, &a);
    open_store(&a);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT text FROM note", "kept");
    close_pair(&a, &b);
}

/* A had gone back, and while what it had made since was laid aside, it wrote to a row of that. Then
 * its database and its home go back again, one after the other: others have heard of the edit, and
 * of the row nothing else, and the database has got it back from the home. */
static void a_row_whose_beginning_only_the_file_remembers_is_said_whole(void **state)
{
    struct site a, b;
    struct actor first;
    uint64_t number;

    (void)state;
    open_pair(&a, &b, notes, notes);
    sql(&a, "INSERT INTO note VALUES (9, 'before')");
    exchange(&a, &b);
    keep_pc(&a);
    first = *store_actor(a.store);
    number = made_by(&a);
    sql(&a, "INSERT INTO note VALUES (1, 'one')");
    work(&a);
    sql(&a, "INSERT INTO note VALUES (2, 'two')");
    exchange(&a, &b);
    put_pc_back(&a);
    sql(&a, "INSERT INTO line VALUES (1, 'nails', 7)");
    work(&a);
    assert_int_equal(stage_one_of(&b, &a, &first, number + 1), ERR_NONE);
    sql(&a, "UPDATE line SET n = 8");
    work(&a);
    carry_own(&a, &b);
    work(&b);
    carry(&b, &a);
    work(&a);
    put_database_back(&a, &a);
    open_store(&a);
    work(&a);
    tidy(&a);
    put_ledger_back(&a);
    rematch(&a, &b);
    expect_both(&a, &b, "SELECT what, n FROM line", "nails|8");
    expect_both(&a, &b, "SELECT text FROM note ORDER BY 1", "before one two");
    close_pair(&a, &b);
}

/* B's disk went back to before it made the row, which is only in A's file now; and what A sold of
 * it B has in its log. */
static void what_was_sold_of_a_row_whose_beginning_only_the_file_remembers_counts_once(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, notes, notes);
    set_rule(&a, (struct wish){.target = "line.n", .kind = RULE_COUNTER});
    share_rosters(&a, &b);
    keep_pc(&b);
    sql(&b, "INSERT INTO line VALUES (1, 'nails', 100)");
    exchange(&a, &b);
    sql(&a, "UPDATE line SET n = n - 3");
    work(&a);
    sql(&b, "INSERT INTO tag VALUES ('red', NULL)");
    work(&b);
    carry(&b, &a);
    work(&a); /* the file is told of the sale, too */
    put_pc_back(&b);
    sql(&b, "INSERT INTO note VALUES (1, 'another history')");
    work(&b);
    carry_own(&a, &b);
    work(&b);
    lose_ledger(&a);
    sql(&a, "UPDATE line SET n = n - 20");
    rematch(&a, &b);
    expect_both(&a, &b, "SELECT what, n FROM line", "nails|77");
    close_pair(&a, &b);
}

/* B's disk went back as well, and sold under a number that A's last sale names: of what it had said
 * under that before. */
static void what_another_history_sold_meanwhile_is_not_taken_for_what_the_file_held(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, notes, notes);
    set_rule(&a, (struct wish){.target = "line.n", .kind = RULE_COUNTER});
    share_rosters(&a, &b);
    sql(&b, "INSERT INTO line VALUES (1, 'nails', 100)");
    exchange(&a, &b);
    keep_pc(&b);
    sql(&b, "INSERT INTO note VALUES (1, 'one history')");
    exchange(&a, &b);
    sql(&a, "UPDATE line SET n = n - 3");
    work(&a);
    put_pc_back(&b);
    sql(&b, "UPDATE line SET n = n - 500");
    work(&b);
    carry_own(&a, &b);
    work(&b);
    lose_ledger(&a);
    sql(&a, "UPDATE line SET n = n - 20");
    rematch(&a, &b);
    expect_both(&a, &b, "SELECT what, n FROM line", "nails|-423");
    expect_both(&a, &b, "SELECT text FROM note", "one history");
    close_pair(&a, &b);
}

/* B edits it meanwhile, and it comes back. */
static void
what_refers_by_rule_to_a_row_that_went_while_its_ledger_was_lost_still_names_it(void **state)
{
    static const char schema[] = "CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT);"
                                 "CREATE TABLE mail(id INTEGER PRIMARY KEY, origin TEXT, text "
                                 "TEXT);";
    static const char mails[] =
        "SELECT text, name FROM mail LEFT JOIN people ON origin = 'people,' || people.id";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    set_rule(&a, (struct wish){.target = "mail.origin",
                               .kind = RULE_REFERENCES_TEXT,
                               .argument = "model,id"});
    share_rosters(&a, &b);
    sql(&b, "INSERT INTO people VALUES (1, 'Bea')");
    work(&b);
    keep_ledger(&a);
    exchange(&a, &b);
    sql(&a, "INSERT INTO people VALUES (7, 'Ana'); INSERT INTO mail VALUES (1, 'people,7', 'one')");
    work(&a);
    carry(&a, &b);
    work(&b);
    put_ledger_back(&a);
    sql(&a, "DELETE FROM people WHERE id = 7; UPDATE mail SET text = 'two'");
    later();
    sql(&b, "UPDATE people SET name = 'Anna' WHERE name = 'Ana'");
    rematch(&a, &b);
    expect_both(&a, &b, mails, "two|Anna");
    close_pair(&a, &b);
}

/* Under a natural key: it was deleted, and another PC put it in again, which has forgotten that. */
static void a_row_that_only_the_file_knows_to_be_in_again_stays(void **state)
{
    static const char settings[] = "SELECT name, value FROM setting";
    static const char table[] = "CREATE TABLE setting(name TEXT PRIMARY KEY, value);";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, table, table);
    sql(&a, "INSERT INTO setting VALUES ('vat', 19), ('name', 'shop')");
    exchange(&a, &b);
    sql(&a, "DELETE FROM setting");
    exchange(&a, &b);
    keep_ledger(&a);
    keep_ledger(&b);
    keep_database(&b);
    later();
    sql(&b, "INSERT INTO setting VALUES ('vat', 19)");
    exchange(&a, &b);
    expect_both(&a, &b, settings, "vat|19");
    put_ledger_back(&a);
    put_ledger_back(&b);
    put_database_back(&b, &b);
    open_store(&b);
    work(&b);
    rematch(&a, &b);
    expect_both(&a, &b, settings, "vat|19");
    close_pair(&a, &b);
}

/* With rows of the fleet under natural keys, some of which name others. */
static void open_words(struct site *a, struct site *b)
{
    static const char words[] = "CREATE TABLE word(word TEXT PRIMARY KEY, n INTEGER);"
                                "CREATE TABLE use(id INTEGER PRIMARY KEY, word TEXT"
                                " REFERENCES word(word));";

    open_pair(a, b, words, words);
    sql(a, "INSERT INTO word VALUES ('red', 1)");
    exchange(a, b);
}

/* What `news` on B came to is in its file alone: neither a change-set nor a mark tells of it. */
static void forget(struct site *a, struct site *b, const char *news)
{
    keep_ledger(b);
    later();
    sql(b, news);
    work(b);
    sql(a, "INSERT INTO use VALUES (9, NULL)");
    work(a);
    carry(a, b);
    work(b);
    tidy(b);
    put_ledger_back(b);
    rematch(b, a);
    exchange(a, b);
    exchange(a, b);
}

/* It was deleted, everybody knew, and it is as it was. */
static void a_row_put_in_again_by_what_nobody_has_any_more_is_there(void **state)
{
    struct site a, b;

    (void)state;
    open_words(&a, &b);
    sql(&a, "DELETE FROM word");
    exchange(&a, &b);
    forget(&a, &b, "INSERT INTO word VALUES ('red', 1)");
    expect_both(&a, &b, "SELECT word, n FROM word", "red|1");
    close_pair(&a, &b);
}

/* One that was deleted elsewhere, and stays because a row names it, was not put in again. */
static void a_deleted_row_that_is_named_is_not_back_because_something_is_forgotten(void **state)
{
    struct site a, b;

    (void)state;
    open_words(&a, &b);
    sql(&a, "INSERT INTO use VALUES (1, 'red')");
    work(&a);
    sql(&b, "DELETE FROM word");
    exchange(&a, &b);
    exchange(&a, &b);
    forget(&a, &b, "INSERT INTO word VALUES ('blue', 2)");
    expect_both(&a, &b, "SELECT word FROM word ORDER BY word", "blue red");
    sql(&a, "DELETE FROM use");
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT word FROM word", "blue");
    close_pair(&a, &b);
}

/* Nor was one whose delete does not come in here. */
static void a_deleted_row_that_a_rule_leaves_in_the_file_is_not_said_again(void **state)
{
    struct site a, b;

    (void)state;
    open_words(&a, &b);
    set_rule(&b, (struct wish){.target = "word", .kind = RULE_PUBLISH, .of = &b});
    share_rosters(&a, &b);
    exchange(&a, &b);
    sql(&a, "DELETE FROM word");
    exchange(&a, &b);
    expect(&b, "SELECT word FROM word", "red");
    forget(&a, &b, "INSERT INTO word VALUES ('blue', 2)");
    expect(&a, "SELECT word FROM word", "blue");
    expect(&b, "SELECT word FROM word ORDER BY word", "blue red");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_given_again_is_the_new_row_s_when_only_the_file_remembers_it),
        cmocka_unit_test(a_row_that_went_unheard_goes_again_after_its_ledger_was_built_again),
        cmocka_unit_test(a_row_whose_beginning_only_the_file_remembers_is_said_whole),
        cmocka_unit_test(
            what_was_sold_of_a_row_whose_beginning_only_the_file_remembers_counts_once),
        cmocka_unit_test(what_another_history_sold_meanwhile_is_not_taken_for_what_the_file_held),
        cmocka_unit_test(
            what_refers_by_rule_to_a_row_that_went_while_its_ledger_was_lost_still_names_it),
        cmocka_unit_test(a_row_that_only_the_file_knows_to_be_in_again_stays),
        cmocka_unit_test(a_row_put_in_again_by_what_nobody_has_any_more_is_there),
        cmocka_unit_test(a_deleted_row_that_is_named_is_not_back_because_something_is_forgotten),
        cmocka_unit_test(a_deleted_row_that_a_rule_leaves_in_the_file_is_not_said_again),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
