/* Schemas that change under a running fleet, on one PC before the other. */
#include "unit/sites.h"

static const char goods[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price INTEGER);"
    "INSERT INTO article VALUES (1, 'rice', 10), (2, 'oil', 20), (3, 'soap', 30);";
static const char no_goods[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price INTEGER);";

static void expect_both(struct site *a, struct site *b, const char *text, const char *answer)
{
    expect(a, text, answer);
    expect(b, text, answer);
}

/* What a person wrote into a column that this PC did not have yet is there once it has it, and the
 * default that the migration filled in does not beat it. */
static void a_column_that_comes_later_holds_what_was_written_elsewhere(void **state)
{
    static const char add[] = "ALTER TABLE article ADD COLUMN stock INTEGER NOT NULL DEFAULT 0";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    sql(&a, add);
    sql(&a, "UPDATE article SET stock = 7 WHERE id = 1");
    later();
    exchange(&a, &b);
    sql(&b, "UPDATE article SET price = 11 WHERE id = 1");
    sql(&b, "INSERT INTO article VALUES (4, 'salt', 5)");
    exchange(&a, &b);
    expect(&a, "SELECT * FROM article", "1|rice|11|7 2|oil|20|0 3|soap|30|0 4|salt|5|0");
    sql(&b, add);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT * FROM article", "1|rice|11|7 2|oil|20|0 3|soap|30|0 4|salt|5|0");
    close_pair(&a, &b);
}

/* A row that is saved right after the migration, before anything else, does not say the default
 * as if a person had just chosen it. */
static void a_row_saved_after_the_migration_does_not_say_its_default(void **state)
{
    static const char add[] = "ALTER TABLE article ADD COLUMN stock INTEGER NOT NULL DEFAULT 0";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    sql(&a, add);
    sql(&a, "UPDATE article SET stock = 7 WHERE id = 1");
    work(&a);
    later();
    sql(&b, add);
    sql(&b, "UPDATE article SET price = 12, stock = 0 WHERE id = 1");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT * FROM article", "1|rice|12|7 2|oil|20|0 3|soap|30|0");
    close_pair(&a, &b);
}

static void a_renamed_column_carries_what_was_written_under_both_names(void **state)
{
    static const char rename_it[] = "ALTER TABLE article RENAME COLUMN price TO cost";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    sql(&a, rename_it);
    work(&a);
    sql(&a, "UPDATE article SET cost = 9 WHERE id = 1");
    later();
    work(&a);
    sql(&b, "UPDATE article SET price = 18 WHERE id = 2");
    exchange(&a, &b);
    sql(&b, rename_it);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT * FROM article", "1|rice|9 2|oil|18 3|soap|30");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_column_that_comes_later_holds_what_was_written_elsewhere),
        cmocka_unit_test(a_row_saved_after_the_migration_does_not_say_its_default),
        cmocka_unit_test(a_renamed_column_carries_what_was_written_under_both_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
