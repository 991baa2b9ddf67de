/* A ledger that was lost with all that said that rows are one, beside a file that remembers it. */
#include "codes.h"
#include "library.h"
#include "wentback.h"

static const char schema[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE, price INT);"
    "CREATE TABLE place(article_id INT REFERENCES article(id), shelf TEXT, n INT,"
    " PRIMARY KEY(article_id, shelf)) WITHOUT ROWID;"
    "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT);";

static const char articles[] = "SELECT code, price FROM article";
static const char places[] = "SELECT code, shelf, n FROM place JOIN article ON id = article_id";

/* Both made it apart, and B's copy is of before that was known. */
static void open_one_of_two(struct site *a, struct site *b)
{
    open_pair(a, b, schema, schema);
    merge_codes(a);
    share_rules(a, b);
    sql(b, "INSERT INTO article VALUES (1, 'X', 10); INSERT INTO place VALUES (1, 'top', 1)");
    keep_pc(b);
    keep_ledger(a);
    sql(a, "INSERT INTO note VALUES (1, 'other'); INSERT INTO article VALUES (7, 'X', 20)");
    exchange(a, b);
    exchange(a, b);
    expect_both(a, b, "SELECT count(*) FROM article", "1");
    sql(b, "INSERT INTO note VALUES (3, 'more')");
    exchange(a, b);
}

/* Nobody is left who knows that the two are one, or what A has said of them. */
static void forget_both(struct site *a, struct site *b)
{
    put_pc_back(b);
    put_ledger_back(a);
    rematch(a, b);
    exchange(a, b);
}

/* A batch takes its marks away. */
static void an_edit_of_two_rows_that_are_one_stands_when_only_the_file_remembers_that(void **state)
{
    struct site a, b;

    (void)state;
    open_one_of_two(&a, &b);
    sql(&a, "UPDATE article SET price = 30; UPDATE place SET n = 3");
    work(&a);
    sql(&b, "INSERT INTO note VALUES (2, 'last')");
    exchange(&a, &b);
    forget_both(&a, &b);
    expect_both(&a, &b, articles, "X|30");
    expect_both(&a, &b, places, "X|top|3");
    close_pair(&a, &b);
}

static void two_rows_that_are_one_stay_deleted_when_only_the_file_remembers_that(void **state)
{
    struct site a, b;

    (void)state;
    open_one_of_two(&a, &b);
    sql(&a, "DELETE FROM place; DELETE FROM article");
    work(&a);
    forget_both(&a, &b);
    expect_both(&a, &b, articles, "(none)");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edit_of_two_rows_that_are_one_stands_when_only_the_file_remembers_that),
        cmocka_unit_test(two_rows_that_are_one_stay_deleted_when_only_the_file_remembers_that),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
