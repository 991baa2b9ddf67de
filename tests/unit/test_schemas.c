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

static void a_renamed_table_carries_what_was_written_under_both_names(void **state)
{
    static const char rename_it[] = "ALTER TABLE article RENAME TO product";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    sql(&a, rename_it);
    work(&a);
    sql(&a, "UPDATE product SET price = 9 WHERE id = 1; INSERT INTO product VALUES (4, 'salt', 5)");
    later();
    work(&a);
    sql(&b, "UPDATE article SET price = 18 WHERE id = 2; INSERT INTO article VALUES (5, 'tea', 6);"
            "DELETE FROM article WHERE id = 3");
    exchange(&a, &b);
    sql(&b, rename_it);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT name, price FROM product ORDER BY name",
                "oil|18 rice|9 salt|5 tea|6");
    close_pair(&a, &b);
}

/* The agent was stopped meanwhile, and the table was made anew as well: its triggers are gone. */
static void a_table_renamed_while_the_agent_was_stopped_is_the_same(void **state)
{
    static const char rename_it[] = "ALTER TABLE article RENAME TO product";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    work(&a);
    close_store(&a);
    sql(&a, rename_it);
    sql(&a, "UPDATE product SET price = 9 WHERE id = 1; DELETE FROM product WHERE id = 2");
    open_store(&a);
    exchange(&a, &b);
    expect(&a, "SELECT * FROM product", "1|rice|9 3|soap|30");
    expect(&b, "SELECT * FROM article", "1|rice|9 3|soap|30");
    sql(&b, rename_it);
    exchange(&a, &b);
    sql(&b, "INSERT INTO product VALUES (4, 'salt', 5)");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT * FROM product", "1|rice|9 3|soap|30 4|salt|5");
    assert_int_equal(status_of(&a).parked + status_of(&b).parked, 0);
    close_pair(&a, &b);
}

/* One who comes later and has the new name only finds his rows among those of the old one. */
static void a_newcomer_knows_a_renamed_table(void **state)
{
    struct site a, b, c = {0};
    struct err e = {0};
    bool changed;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    sql(&a, "ALTER TABLE article RENAME TO product");
    work(&a);
    sql(&b, "INSERT INTO article VALUES (4, 'salt', 5)");
    exchange(&a, &b);
    expect(&a, "SELECT count(*) FROM product", "4");
    join_site(&a, &c, "C",
              "CREATE TABLE product(id INTEGER PRIMARY KEY, name TEXT, price INTEGER);"
              "INSERT INTO product VALUES (1, 'rice', 10), (9, 'tea', 6)");
    check(roster_merge(&b.roster, buf_slice(&a.roster.log), &changed, &e), &e);
    exchange(&a, &c);
    exchange(&a, &b);
    expect_both(&a, &c, "SELECT name FROM product ORDER BY name", "oil rice salt soap tea");
    expect(&b, "SELECT name FROM article ORDER BY name", "oil rice salt soap tea");
    close_site(&c);
    close_pair(&a, &b);
}

/* Under a natural key both PCs may have made the same row, each under another name of the table. */
static void rows_named_alike_in_a_renamed_table_are_one(void **state)
{
    static const char places[] = "CREATE TABLE place(code TEXT PRIMARY KEY, name TEXT, n INTEGER);";
    static const char rename_it[] = "ALTER TABLE place RENAME TO shelf";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, places, places);
    sql(&a, "INSERT INTO place VALUES ('A', 'front', 1)");
    exchange(&a, &b);
    sql(&a, rename_it);
    sql(&a, "INSERT INTO shelf VALUES ('B', 'back', 2)");
    work(&a);
    later();
    sql(&b, "INSERT INTO place VALUES ('B', 'rear', 2); UPDATE place SET n = 5 WHERE code = 'A'");
    exchange(&a, &b);
    sql(&b, rename_it);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT * FROM shelf ORDER BY code", "A|front|5 B|rear|2");
    close_pair(&a, &b);
}

/* The name that became free is taken by a table that is another one. */
static void a_former_name_may_be_given_to_a_new_table(void **state)
{
    static const char migrate[] =
        "ALTER TABLE article RENAME TO product;"
        "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price INTEGER)";
    static const char *const name = "article";
    struct err e = {0};
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    sql(&a, migrate);
    work(&a);
    check(store_track(a.store, &name, 1, &e), &e);
    sql(&b, migrate);
    work(&b);
    check(store_track(b.store, &name, 1, &e), &e);
    sql(&a, "INSERT INTO article VALUES (1, 'new', 1); UPDATE product SET price = 11 WHERE id = 1");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT * FROM article", "1|new|1");
    expect_both(&a, &b, "SELECT * FROM product", "1|rice|11 2|oil|20 3|soap|30");
    close_pair(&a, &b);
}

static void tidy(struct site *s)
{
    struct err e = {0};
    bool more;

    work(s);
    check(store_tidy(s->store, &more, &e), &e);
    work(s);
}

/* Who said `track --all` need not say it again after each migration. */
static void a_table_that_a_migration_brings_is_shared_by_itself(void **state)
{
    static const char create[] = "CREATE TABLE note(id INTEGER PRIMARY KEY, body TEXT)";
    static const char *const name = "note";
    struct err e = {0};
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    sql(&a, create);
    sql(&a, "INSERT INTO note VALUES (1, 'one')");
    tidy(&a);
    sql(&a, "INSERT INTO note VALUES (2, 'two')");
    exchange(&a, &b);
    sql(&b, create);
    sql(&b, "INSERT INTO note VALUES (1, 'mine')");
    tidy(&b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT body FROM note ORDER BY body", "mine one two");
    check(store_untrack(b.store, &name, 1, b.now_ms, &e), &e);
    sql(&b, "CREATE TABLE other(id INTEGER PRIMARY KEY)");
    tidy(&b);
    expect(&b, "SELECT name FROM _navette_table ORDER BY name", "article other");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_column_that_comes_later_holds_what_was_written_elsewhere),
        cmocka_unit_test(a_row_saved_after_the_migration_does_not_say_its_default),
        cmocka_unit_test(a_renamed_column_carries_what_was_written_under_both_names),
        cmocka_unit_test(a_renamed_table_carries_what_was_written_under_both_names),
        cmocka_unit_test(a_table_renamed_while_the_agent_was_stopped_is_the_same),
        cmocka_unit_test(a_newcomer_knows_a_renamed_table),
        cmocka_unit_test(rows_named_alike_in_a_renamed_table_are_one),
        cmocka_unit_test(a_former_name_may_be_given_to_a_new_table),
        cmocka_unit_test(a_table_that_a_migration_brings_is_shared_by_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
