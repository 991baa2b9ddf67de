/* A ledger that went back or was lost, beside a file that remembers where its rows are, and which
 * of them it has let go. */
#include "library.h"
#include "sites.h"

static const char notes[] = "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT);"
                            "CREATE TABLE tag(word TEXT PRIMARY KEY, note_id INTEGER REFERENCES"
                            " note(id));";

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_given_again_is_the_new_row_s_when_only_the_file_remembers_it),
        cmocka_unit_test(a_row_that_went_unheard_goes_again_after_its_ledger_was_built_again),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
