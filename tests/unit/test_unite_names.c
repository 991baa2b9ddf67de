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

/* The row whose name follows does not fit at first: it refers to one that somebody else's value
 * keeps out until that has yielded it. What names it goes along with it, or waits with it. */
static void what_names_a_row_whose_name_follows_later_follows_too(void **state)
{
    static const char cards[] =
        "CREATE TABLE client(id INTEGER PRIMARY KEY, name TEXT UNIQUE);"
        "CREATE TABLE card(client_id INTEGER PRIMARY KEY REFERENCES client(id),"
        " by INT REFERENCES client(id));"
        "CREATE TABLE note(id INTEGER PRIMARY KEY, card INT REFERENCES card(client_id));";
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_pair(&a, &b, cards, cards);
    sql(&a, "INSERT INTO client VALUES (1, 'x'), (2, 'y'); INSERT INTO card VALUES (2, NULL);"
            "INSERT INTO note VALUES (1, 2)");
    exchange(&a, &b);
    later();
    sql(&b, "INSERT INTO client VALUES (3, 'z'); UPDATE card SET by = 3");
    work(&b);
    later();
    sql(&a, "INSERT INTO client VALUES (3, 'z')");
    work(&a);
    check(store_unite(b.store, "client", (int64_t[]){1, 2}, b.now_ms, &e), &e);
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT count(*) FROM client", "3");
    expect_both(&a, &b, "SELECT count(*) FROM note JOIN card ON client_id = card", "1");
    expect_both(&a, &b, "SELECT count(*) FROM pragma_foreign_key_check", "0");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_put_in_again_brings_back_nothing_that_was_deleted_later),
        cmocka_unit_test(what_names_a_row_whose_name_follows_later_follows_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
