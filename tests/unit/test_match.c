/* Files whose keys nobody remembers: an agent's home that went back or was lost, on tills that
 * both sell. Nothing is doubled, nothing is mixed up, nothing is lost. Also of match_content.c. */
#include "library.h"
#include "sites.h"

static const char till[] =
    "CREATE TABLE article(ref TEXT PRIMARY KEY, price INTEGER);"
    "CREATE TABLE client(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE invoice(id INTEGER PRIMARY KEY AUTOINCREMENT, number TEXT NOT NULL UNIQUE,"
    " client_id INTEGER NOT NULL REFERENCES client(id), total INTEGER, note TEXT);"
    "CREATE TABLE line(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " invoice_id INTEGER NOT NULL REFERENCES invoice(id),"
    " article_ref TEXT NOT NULL REFERENCES article(ref), quantity INTEGER);"
    "CREATE TABLE remark(id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES remark(id),"
    " text TEXT);";

static const char counts[] = "SELECT (SELECT count(*) FROM client), (SELECT count(*) FROM invoice),"
                             " (SELECT count(*) FROM line)";
static const char invoices[] = "SELECT number, name, total, note,"
                               " (SELECT group_concat(article_ref || quantity) FROM"
                               " (SELECT * FROM line WHERE invoice_id = invoice.id"
                               " ORDER BY article_ref, quantity))"
                               " FROM invoice JOIN client ON client.id = client_id ORDER BY number";

/* Sale n of a PC; its number is `number`. */
static void sell(struct site *s, const char *number, const char *name, unsigned total)
{
    char text[700];

    snprintf(text, sizeof text,
             "BEGIN; INSERT INTO client(name) VALUES ('%s');"
             "INSERT INTO invoice(number, client_id, total)"
             " SELECT '%s', id, %u FROM client WHERE name = '%s';"
             "INSERT INTO line(invoice_id, article_ref, quantity)"
             " SELECT id, 'R1', %u FROM invoice WHERE number = '%s';"
             "INSERT INTO line(invoice_id, article_ref, quantity)"
             " SELECT id, 'R2', 1 FROM invoice WHERE number = '%s'; COMMIT",
             name, number, total, name, total % 7, number, number);
    sql(s, text);
}

/* Both have sold `n` more, each with numbers and clients of its own, neither knowing the other's:
 * so the keys of the same sale differ between the two. */
static void sell_apart(struct site *a, struct site *b, unsigned from, unsigned n)
{
    char number[16], name[32];

    for (unsigned i = from; i < from + n; i++) {
        snprintf(number, sizeof number, "A%u", i);
        snprintf(name, sizeof name, "Ana %u", i);
        sell(a, number, name, i * 10);
        snprintf(number, sizeof number, "B%u", i);
        snprintf(name, sizeof name, "Bea %u", i);
        sell(b, number, name, i * 10 + 1);
    }
}

static void open_tills(struct site *a, struct site *b)
{
    open_pair(a, b, till, till);
    sql(a, "INSERT INTO article VALUES ('R1', 100), ('R2', 200)");
    exchange(a, b);
    sell_apart(a, b, 1, 1);
    exchange(a, b);
}

static void expect_all_same(struct site *a, struct site *b)
{
    expect_same(a, b, counts);
    expect_same(a, b, invoices);
    expect_same(a, b, "SELECT * FROM article ORDER BY ref");
}

static void sales_of_two_tills_stand_once_when_a_home_went_back(void **state)
{
    struct site a, b;

    (void)state;
    open_tills(&a, &b);
    keep_ledger(&a);
    sell_apart(&a, &b, 2, 4);
    exchange(&a, &b);
    expect(&a, counts, "10|10|20");
    put_ledger_back(&a);
    rematch(&a, &b);
    expect(&a, counts, "10|10|20");
    expect_all_same(&a, &b);
    expect(&a, "SELECT count(*) FROM invoice WHERE number LIKE '#%'", "0");
    close_pair(&a, &b);
}

static void sales_of_two_tills_stand_once_when_a_ledger_was_lost(void **state)
{
    struct site a, b;

    (void)state;
    open_tills(&a, &b);
    sell_apart(&a, &b, 2, 4);
    exchange(&a, &b);
    lose_ledger(&a);
    rematch(&a, &b);
    expect(&a, counts, "10|10|20");
    expect_all_same(&a, &b);
    sell_apart(&a, &b, 6, 1);
    exchange(&a, &b);
    expect(&b, counts, "12|12|24");
    expect_all_same(&a, &b);
    close_pair(&a, &b);
}

static void sales_that_nobody_had_yet_survive_a_home_that_went_back(void **state)
{
    struct site a, b;

    (void)state;
    open_tills(&a, &b);
    keep_ledger(&a);
    sell_apart(&a, &b, 2, 1);
    exchange(&a, &b);
    sell_apart(&a, &b, 3, 1);
    work(&a);
    work(&b);
    sell(&a, "A9", "Zoe", 99);
    put_ledger_back(&a);
    rematch(&a, &b);
    expect(&a, counts, "7|7|14");
    expect_all_same(&a, &b);
    expect(&b, "SELECT total FROM invoice WHERE number = 'A9'", "99");
    close_pair(&a, &b);
}

static void lines_that_are_alike_stay_as_many_as_they_were(void **state)
{
    struct site a, b;

    (void)state;
    open_tills(&a, &b);
    keep_ledger(&a);
    sql(&a, "INSERT INTO line(invoice_id, article_ref, quantity) SELECT id, 'R2', 1 FROM invoice");
    sell_apart(&a, &b, 2, 1);
    exchange(&a, &b);
    sql(&a, "INSERT INTO line(invoice_id, article_ref, quantity)"
            " SELECT id, 'R2', 1 FROM invoice WHERE number = 'A1'");
    put_ledger_back(&a);
    rematch(&a, &b);
    expect(&a, counts, "4|4|11");
    expect(&b,
           "SELECT count(*) FROM line JOIN invoice ON invoice.id = invoice_id"
           " WHERE number = 'A1' AND article_ref = 'R2'",
           "3");
    expect_all_same(&a, &b);
    close_pair(&a, &b);
}

static void rows_edited_on_both_sides_are_still_the_same_rows(void **state)
{
    struct site a, b;

    (void)state;
    open_tills(&a, &b);
    keep_ledger(&a);
    sell_apart(&a, &b, 2, 3);
    exchange(&a, &b);
    sell_apart(&a, &b, 5, 1); /* A says what it has seen */
    exchange(&a, &b);
    close_store(&a);
    sql(&a, "UPDATE invoice SET note = 'here' WHERE number IN ('A2', 'B2');"
            "UPDATE client SET name = 'Anna' WHERE name = 'Ana 1'");
    sql(&b, "UPDATE invoice SET note = 'there' WHERE number IN ('A3', 'B3');"
            "UPDATE line SET quantity = 50 WHERE invoice_id ="
            " (SELECT id FROM invoice WHERE number = 'B4') AND article_ref = 'R1'");
    work(&b);
    put_ledger_back(&a);
    rematch(&a, &b);
    expect(&a, counts, "10|10|20");
    expect_all_same(&a, &b);
    expect(&a, "SELECT number FROM invoice WHERE note = 'there' ORDER BY number", "A3 B3");
    expect(&a, "SELECT number FROM invoice WHERE note = 'here' ORDER BY number", "A2 B2");
    expect(&a, "SELECT count(*) FROM client WHERE name = 'Anna'", "1");
    expect(&a, "SELECT quantity FROM line WHERE quantity = 50", "50");
    close_pair(&a, &b);
}

/* Each till numbers by itself: the same numbers stand for other sales. */
static void numbers_that_both_used_stay_two_sales(void **state)
{
    struct site a, b;

    (void)state;
    open_tills(&a, &b);
    keep_ledger(&a);
    sell(&a, "T2", "Ana 2", 20);
    later();
    sell(&b, "T2", "Bea 2", 21);
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, counts, "4|4|8");
    sell(&a, "T3", "Ana 3", 30); /* both sold: nobody has heard of it */
    later();
    sell(&b, "T3", "Bea 3", 31);
    work(&b);
    put_ledger_back(&a);
    rematch(&a, &b);
    exchange(&a, &b);
    expect(&a, counts, "6|6|12");
    expect_all_same(&a, &b);
    expect(&a, "SELECT total FROM invoice WHERE number LIKE '%T%' ORDER BY total", "20 21 30 31");
    expect(&a, "SELECT count(*) FROM invoice WHERE number LIKE '%#%#%'", "0");
    close_pair(&a, &b);
}

/* The mark in front came from a collision that the fleet has settled otherwise since. */
static void a_mark_that_only_this_file_shows_makes_no_other_row(void **state)
{
    struct site a, b;

    (void)state;
    open_tills(&a, &b);
    keep_ledger(&a);
    sell_apart(&a, &b, 2, 1);
    exchange(&a, &b);
    close_store(&a);
    sql(&a, "UPDATE invoice SET number = '#B-B2' WHERE number = 'B2'");
    put_ledger_back(&a);
    rematch(&a, &b);
    expect(&a, counts, "4|4|8");
    expect_all_same(&a, &b);
    close_pair(&a, &b);
}

static void rows_that_name_each_other_in_a_chain_are_found_from_the_first_on(void **state)
{
    struct site a, b;

    (void)state;
    open_tills(&a, &b);
    sql(&a, "INSERT INTO remark VALUES (1, NULL, 'x'), (2, 1, 'x'), (3, 2, 'x'), (4, 3, 'x')");
    sql(&b, "INSERT INTO remark VALUES (1, NULL, 'y'), (2, 1, 'x'), (3, 2, 'x'), (4, NULL, 'x')");
    exchange(&a, &b);
    expect(&a, "SELECT count(*) FROM remark", "8");
    lose_ledger(&a);
    rematch(&a, &b);
    expect(&a, "SELECT count(*) FROM remark", "8");
    expect_same(&a, &b,
                "SELECT r.text, p.text FROM remark r LEFT JOIN remark p"
                " ON p.id = r.parent_id ORDER BY 1, 2");
    close_pair(&a, &b);
}

static void a_lost_home_joins_again_with_its_file_and_nothing_is_doubled(void **state)
{
    struct site a, b, c = {0};
    struct err e = {0};

    (void)state;
    open_tills(&a, &b);
    sql(&a, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)"
            " INSERT INTO remark SELECT i, NULL, 'remark ' || i FROM n");
    exchange(&a, &b);
    sell_apart(&a, &b, 2, 4);
    exchange(&a, &b);
    keep_database(&a);
    /* as it is; cleared, and said to be a copy; cleared, and seen to be one */
    for (int cleared = 0; cleared < 3; cleared++) {
        memset(&c, 0, sizeof c);
        open_site(&c, "CREATE TABLE unused(id INTEGER PRIMARY KEY)");
        put_database_back(&c, &a);
        if (cleared)
            sql(&c, "DROP TABLE _navette_state; DROP TABLE _navette_table;"
                    "DROP TABLE _navette_dirty; DROP TABLE _navette_placed");
        if (cleared) { /* its triggers as well */
            char *drops = ask_file(c.app, "SELECT group_concat('DROP TRIGGER \"' || name || '\"',"
                                          " ';') FROM sqlite_schema WHERE type = 'trigger'");

            sql(&c, drops);
            free(drops);
        }
        enrol_site(&b, &c, cleared == 0 ? "C" : cleared == 1 ? "D" : "E");
        open_store(&c);
        check(store_track(c.store, NULL, 0, &e), &e);
        match_site(&b, &c, cleared == 1);
        exchange(&b, &c);
        expect(&c, counts, "10|10|20");
        expect(&c, "SELECT count(*) FROM remark", "60");
        expect_all_same(&b, &c);
        close_site(&c);
    }
    close_pair(&a, &b);
}

static void many_rows_are_matched_in_a_moment(void **state)
{
    struct site a, b;
    clock_t start;

    (void)state;
    open_tills(&a, &b);
    sql(&a, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
            " INSERT INTO remark SELECT i, NULL, 'alike' FROM n;"
            "INSERT INTO remark SELECT id + 20000, id, 'of ' || id % 5 FROM remark");
    exchange(&a, &b);
    lose_ledger(&b);
    open_store(&b);
    work(&b);
    start = clock();
    match_site(&a, &b, false);
    assert_true((clock() - start) / CLOCKS_PER_SEC < 60); /* squared it would be hours */
    exchange(&a, &b);
    expect(&b, "SELECT count(*) FROM remark", "40000");
    expect_same(&a, &b, "SELECT text, count(*) FROM remark GROUP BY text ORDER BY text");
    close_pair(&a, &b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(sales_of_two_tills_stand_once_when_a_home_went_back),
        cmocka_unit_test(sales_of_two_tills_stand_once_when_a_ledger_was_lost),
        cmocka_unit_test(sales_that_nobody_had_yet_survive_a_home_that_went_back),
        cmocka_unit_test(lines_that_are_alike_stay_as_many_as_they_were),
        cmocka_unit_test(rows_edited_on_both_sides_are_still_the_same_rows),
        cmocka_unit_test(numbers_that_both_used_stay_two_sales),
        cmocka_unit_test(a_mark_that_only_this_file_shows_makes_no_other_row),
        cmocka_unit_test(rows_that_name_each_other_in_a_chain_are_found_from_the_first_on),
        cmocka_unit_test(a_lost_home_joins_again_with_its_file_and_nothing_is_doubled),
        cmocka_unit_test(many_rows_are_matched_in_a_moment),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
