/* Rows under natural keys that are one because the rows that they name are. Of unite.c. */
#include "unit/codes.h"

static const char schema[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, code TEXT UNIQUE);"
    "CREATE TABLE shelf(article_id INT NOT NULL REFERENCES article(id), place TEXT NOT NULL, n INT,"
    " PRIMARY KEY(article_id, place)) WITHOUT ROWID;";

/* Article codes mean one thing. */
static void open_shops(struct site *a, struct site *b)
{
    *a = *b = (struct site){0};
    open_founder(a, schema);
    merge_codes(a);
    join_site(a, b, "B", schema);
}

/* Each PC goes on with the row that was in its own file. One deletes it and puts it in again, under
 * the name that it has there, and the other has deleted both for good. */
static void a_row_put_in_again_brings_back_nothing_that_was_deleted_later(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a, "INSERT INTO article VALUES (1, 'R1'); INSERT INTO shelf VALUES (1, 'x', 1)");
    sql(&b, "INSERT INTO article VALUES (1, 'R1'); INSERT INTO shelf VALUES (1, 'x', 2)");
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT count(*) FROM shelf", "1");
    sql(&b, "DELETE FROM shelf");
    work(&b);
    sql(&b, "INSERT INTO shelf VALUES (1, 'x', 3)");
    work(&b);
    later();
    sql(&a, "DELETE FROM shelf");
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT count(*) FROM shelf", "0");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_put_in_again_brings_back_nothing_that_was_deleted_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
