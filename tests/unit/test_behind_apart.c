/* A file that goes back to when rows that are one by now were apart, and what the application then
 * writes there. */
#include "counted.h"
#include "library.h"

static const char articles[] = "SELECT ref, price, stock FROM article ORDER BY ref";

/* The file goes back to when two rows that are one by now were apart, and the application writes to
 * one of them: what it did not write is not said again, and of a counter only what it added. */
static void an_edit_in_a_file_where_two_rows_were_apart_is_no_more_than_that(void **state)
{
    static const char *const writes[] = {"UPDATE article SET price = 7 WHERE id = 1",
                                         "UPDATE article SET price = 7, stock = stock - 1"
                                         " WHERE id = 1"};

    (void)state;
    for (int counts = 0; counts < 2; counts++) {
        struct site a, b;
        struct err e = {0};

        open_pair(&a, &b, shop, shop);
        if (counts != 0) {
            make_counters(&a, "article.stock", true);
            share_rules(&a, &b);
        }
        sql(&a, "INSERT INTO article VALUES (1, 'R1', 5, 10)");
        exchange(&a, &b);
        later();
        sql(&a, "INSERT INTO article VALUES (2, 'R2', 6, 60)");
        exchange(&a, &b);
        keep_database(&a);
        check(store_unite(a.store, "article", (int64_t[]){1, 2}, a.now_ms, &e), &e);
        exchange(&a, &b);
        put_database_back(&a, &a);
        later();
        sql(&a, writes[counts]);
        open_store(&a);
        exchange(&a, &b);
        exchange(&a, &b);
        expect(&a, articles, counts != 0 ? "R2|7|59" : "R2|7|60");
        expect_same(&a, &b, articles);
        close_pair(&a, &b);
    }
}

/* So it is when the other one of them had been deleted in that file. */
static void an_edit_in_a_file_where_one_of_two_rows_had_gone_is_no_more_than_that(void **state)
{
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 5, 10)");
    exchange(&a, &b);
    later();
    sql(&a, "INSERT INTO article VALUES (2, 'R2', 6, 60)");
    exchange(&a, &b);
    sql(&a, "DELETE FROM article WHERE id = 2");
    work(&a);
    keep_database(&a);
    check(store_unite(b.store, "article", (int64_t[]){1, 2}, b.now_ms, &e), &e);
    exchange(&a, &b);
    put_database_back(&a, &a);
    later();
    sql(&a, "UPDATE article SET price = 7 WHERE id = 1");
    open_store(&a);
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, articles, "R2|7|60");
    expect_same(&a, &b, articles);
    close_pair(&a, &b);
}

/* Two had become one already, which shows what the other one had brought: that is what is sold
 * from, also where the row bears the name of the first. */
static void what_is_sold_from_a_row_that_was_two_before_counts_once(void **state)
{
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_counting_pair(&a, &b, shop, "article.stock");
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 5, 900)");
    work(&a);
    later();
    sql(&a, "INSERT INTO article VALUES (2, 'R2', 6, 100)");
    work(&a);
    later();
    sql(&a, "INSERT INTO article VALUES (3, 'R3', 7, 200)");
    exchange(&a, &b);
    check(store_unite(a.store, "article", (int64_t[]){1, 2}, a.now_ms, &e), &e);
    exchange(&a, &b);
    expect_both(&a, &b, articles, "R2|6|100 R3|7|200");
    keep_database(&a);
    check(store_unite(b.store, "article", (int64_t[]){1, 3}, b.now_ms, &e), &e);
    exchange(&a, &b);
    expect_both(&a, &b, articles, "R3|7|200");
    put_database_back(&a, &a);
    sql(&a, "UPDATE article SET stock = stock - 1 WHERE ref = 'R2'");
    open_store(&a);
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, articles, "R3|7|199");
    close_pair(&a, &b);
}

/* So it is when the other one had been one with a third before, as that file knew, and both had
 * gone: the row is apart, although others of those that it is one with were not. */
static void an_edit_in_a_file_where_two_others_of_three_had_gone_is_no_more_than_that(void **state)
{
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 5, 10)");
    exchange(&a, &b);
    later();
    sql(&a, "INSERT INTO article VALUES (2, 'R2', 6, 60), (3, 'R3', 6, 60)");
    exchange(&a, &b);
    check(store_unite(b.store, "article", (int64_t[]){2, 3}, b.now_ms, &e), &e);
    exchange(&a, &b);
    sql(&a, "DELETE FROM article WHERE id <> 1");
    work(&a);
    keep_database(&a);
    check(store_unite(b.store, "article", (int64_t[]){1, 2}, b.now_ms, &e), &e);
    exchange(&a, &b);
    expect(&a, "SELECT id, price, stock FROM article", "1|6|60");

    put_database_back(&a, &a);
    later();
    sql(&a, "UPDATE article SET price = 7 WHERE id = 1");
    open_store(&a);
    exchange(&a, &b);
    exchange(&a, &b);

    expect(&a, "SELECT id, price, stock FROM article", "1|7|60");
    expect_same(&a, &b, articles);
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edit_in_a_file_where_two_rows_were_apart_is_no_more_than_that),
        cmocka_unit_test(an_edit_in_a_file_where_one_of_two_rows_had_gone_is_no_more_than_that),
        cmocka_unit_test(what_is_sold_from_a_row_that_was_two_before_counts_once),
        cmocka_unit_test(an_edit_in_a_file_where_two_others_of_three_had_gone_is_no_more_than_that),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
