/* A file that went back, and what is sold in it. */
#include "library.h"
#include "wentback.h"

/* One drain took two writes of the row, of which only the first sold, and the power cut left that
 * one: it is in the sum, and the edit that follows sells nothing. */
static void what_the_file_kept_of_a_drain_is_not_sold_again(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    make_counters(&a, "article.stock", true);
    share_rules(&a, &b);
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 1, 100)");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET stock = stock - 3");
    keep_database(&a);
    sql(&a, "UPDATE article SET price = 2");
    exchange(&a, &b);
    put_database_back(&a, &a);
    sql(&a, "UPDATE article SET ref = 'R2'");
    expect_both_settled(&a, &b, "SELECT ref, price, stock FROM article", "R2|2|97");
    close_pair(&a, &b);
}

/* What the stock is, nobody knew any more when the file went back to before that; then B counts
 * anew, having seen nothing of what is sold in the old file. */
static void what_is_sold_in_a_file_from_before_the_number_was_written_anew_counts(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    make_counters(&a, "article.stock", true);
    share_rules(&a, &b);
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 1, 100)");
    exchange(&a, &b);
    sql(&b, "UPDATE article SET stock = stock - 1");
    exchange(&a, &b);
    keep_database(&a);
    sql(&a, "UPDATE article SET stock = NULL");
    exchange(&a, &b);
    put_database_back(&a, &a);
    sql(&a, "UPDATE article SET stock = stock - 5");
    later();
    sql(&b, "UPDATE article SET stock = 40");
    expect_both_settled(&a, &b, "SELECT stock FROM article", "35");
    close_pair(&a, &b);
}

/* A deleted the article from which B had sold by then, so that it stays for B's line alone; and A's
 * database is put back to before that, where people sell it. */
static void what_is_sold_in_an_old_file_of_a_row_that_stays_for_others_counts(void **state)
{
    static const char schema[] =
        "CREATE TABLE article(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, stock INTEGER);"
        "CREATE TABLE line(id INTEGER PRIMARY KEY, article_id INTEGER REFERENCES article(id))";
    static const char stock[] = "SELECT name, stock FROM article";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    make_counters(&a, "article.stock", true);
    share_rules(&a, &b);
    sql(&a, "INSERT INTO article VALUES (1, 'tea', 100)");
    exchange(&a, &b);
    sql(&b, "UPDATE article SET stock = stock - 1");
    exchange(&a, &b);
    keep_database(&a);
    sql(&b, "UPDATE article SET stock = stock - 2; INSERT INTO line VALUES (1, 1)");
    later();
    sql(&a, "DELETE FROM article");
    exchange(&a, &b);
    put_database_back(&a, &a);
    sql(&a, "UPDATE article SET stock = stock - 5");
    expect_both_settled(&a, &b, stock, "tea|92");
    close_pair(&a, &b);
}

/* The setting came, changed and went, and A's file goes back to before that. Who makes it anew
 * there has seen nothing of it: the change counts, as if A had been away all the time. */
static void what_was_added_to_a_name_counts_where_an_old_file_begins_it_anew(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    make_counters(&a, "setting.value", true);
    share_rules(&a, &b);
    exchange(&a, &b);
    keep_database(&a);
    sql(&b, "INSERT INTO setting VALUES ('count', 100)");
    exchange(&a, &b);
    sql(&b, "UPDATE setting SET value = value - 3");
    exchange(&a, &b);
    sql(&b, "DELETE FROM setting");
    exchange(&a, &b);
    put_database_back(&a, &a);
    later();
    sql(&a, "INSERT INTO setting VALUES ('count', 50)");
    expect_both_settled(&a, &b, "SELECT value FROM setting", "47");
    close_pair(&a, &b);
}

/* Here all of that was in the old file, by what A had and by what it drained later. */
static void what_was_added_to_a_name_before_it_went_in_the_old_file_does_not_count(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    make_counters(&a, "setting.value", true);
    share_rules(&a, &b);
    sql(&b, "INSERT INTO setting VALUES ('count', 100)");
    exchange(&a, &b);
    sql(&b, "UPDATE setting SET value = value - 3");
    exchange(&a, &b);
    sql(&a, "UPDATE setting SET value = value - 5");
    work(&a);
    sql(&a, "DELETE FROM setting");
    keep_database(&a);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana')");
    exchange(&a, &b);
    put_database_back(&a, &a);
    later();
    sql(&a, "INSERT INTO setting VALUES ('count', 50)");
    expect_both_settled(&a, &b, "SELECT value FROM setting", "50");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_file_kept_of_a_drain_is_not_sold_again),
        cmocka_unit_test(what_is_sold_in_a_file_from_before_the_number_was_written_anew_counts),
        cmocka_unit_test(what_is_sold_in_an_old_file_of_a_row_that_stays_for_others_counts),
        cmocka_unit_test(what_was_added_to_a_name_counts_where_an_old_file_begins_it_anew),
        cmocka_unit_test(what_was_added_to_a_name_before_it_went_in_the_old_file_does_not_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
