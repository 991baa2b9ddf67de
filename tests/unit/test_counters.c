/* Counters between whole stores: what the applications add up, although they write absolute values.
 */
#include "sites.h"

#include "rules_of.h"

static const char stock[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, stock INTEGER, weight REAL, price "
    "DECIMAL, label TEXT);";

static void open_counting_pair(struct site *a, struct site *b, const char *schema,
                               const char *columns)
{
    open_pair(a, b, schema, schema);
    make_counters(a, columns, true);
    share_rules(a, b);
}

static void two_tills_take_both_their_sales_off_the_stock(void **state)
{
    struct site a, b;

    (void)state;
    open_counting_pair(&a, &b, stock, "article.stock");
    sql(&a, "INSERT INTO article(id, name, stock) VALUES (1, 'tea', 100)");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET name = name, stock = 97, price = price WHERE id = 1");
    sql(&b, "UPDATE article SET stock = 98 WHERE id = 1");
    exchange(&a, &b);
    expect(&a, "SELECT stock, typeof(stock) FROM article", "95|integer");
    expect_same(&a, &b, "SELECT * FROM article");
    for (int i = 0; i < 5; i++) {
        sql(&a, "UPDATE article SET stock = stock - 2");
        sql(&b, "UPDATE article SET stock = stock + 1");
        work(&a);
        sql(&a, "UPDATE article SET stock = stock - 2");
        if (i % 2 == 0)
            exchange(&a, &b);
    }
    exchange(&a, &b);
    expect(&a, "SELECT stock FROM article", "80");
    expect_same(&a, &b, "SELECT * FROM article");
    assert_int_equal(status_of(&a).conflicts, 0);
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_tills_take_both_their_sales_off_the_stock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
