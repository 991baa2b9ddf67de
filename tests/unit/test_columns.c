/* Columns that a migration brings, or gives another name. Also of publish_fresh.c, batch_write.c.
 */
#include "unit/ruled.h"

static const char goods[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price INTEGER, stock INTEGER);"
    "INSERT INTO article VALUES (1, 'rice', 10, 100), (2, 'oil', 20, 50), (3, 'soap', 30, 10);";
static const char no_goods[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price INTEGER, stock INTEGER);";
static const char one_good[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price INTEGER, stock INTEGER);"
    "INSERT INTO article VALUES (1, 'rice', 10, 100);";
static const char add[] = "ALTER TABLE article ADD COLUMN shelf INTEGER NOT NULL DEFAULT 9";

/* Each PC says what it sold itself, whatever it had seen of the others' sales when it was migrated.
 */
static void all_sales_count_under_the_new_name_of_a_counter(void **state)
{
    static const char rename_it[] = "ALTER TABLE article RENAME COLUMN stock TO pieces";
    struct site a, b, c = {0};

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    set_rule(&a, (struct wish){"article.stock", RULE_COUNTER, NULL, NULL, NULL});
    set_rule(&a, (struct wish){"article.pieces", RULE_COUNTER, NULL, NULL, NULL});
    share_rosters(&a, &b);
    join_site(&a, &c, "C", no_goods);
    share_rosters(&a, &b);
    exchange(&a, &c);
    exchange(&a, &b);
    later();
    sql(&b, "UPDATE article SET stock = stock - 3 WHERE id = 1");
    work(&b);
    sql(&c, "UPDATE article SET stock = stock - 4 WHERE id = 1");
    work(&c);
    later();
    sql(&a, rename_it);
    sql(&a, "UPDATE article SET pieces = pieces - 2 WHERE id = 1");
    work(&a);
    sql(&b, rename_it);
    work(&b);
    sql(&c, rename_it);
    sql(&c, "UPDATE article SET pieces = pieces - 5 WHERE id = 1");
    work(&c);
    exchange(&a, &b);
    exchange(&b, &c);
    exchange(&a, &c);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT pieces FROM article ORDER BY id", "86 50 10");
    expect(&c, "SELECT pieces FROM article ORDER BY id", "86 50 10");
    close_site(&c);
    close_pair(&a, &b);
}

/* A power cut took the last write from the file, and the migration came before the agent: nobody
 * else has a file with that write. */
static void what_a_file_lost_before_its_migration_counts_under_the_new_name(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    set_rule(&a, (struct wish){"article.stock", RULE_COUNTER, NULL, NULL, NULL});
    set_rule(&a, (struct wish){"article.pieces", RULE_COUNTER, NULL, NULL, NULL});
    share_rosters(&a, &b);
    exchange(&a, &b);
    keep_database(&a);
    later();
    sql(&a, "UPDATE article SET price = 11, stock = stock - 2 WHERE id = 1");
    work(&a);
    put_database_back(&a, &a);
    sql(&a, "ALTER TABLE article RENAME COLUMN price TO cost;"
            "ALTER TABLE article RENAME COLUMN stock TO pieces");
    open_store(&a);
    work(&a);
    expect(&a, "SELECT cost, pieces FROM article WHERE id = 1", "11|98");
    sql(&b, "ALTER TABLE article RENAME COLUMN price TO cost;"
            "ALTER TABLE article RENAME COLUMN stock TO pieces");
    work(&b);
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT cost, pieces FROM article WHERE id = 1", "11|98");
    sql(&a, "UPDATE article SET pieces = pieces - 5 WHERE id = 1");
    sql(&b, "UPDATE article SET pieces = pieces - 10 WHERE id = 1");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT cost, pieces FROM article WHERE id = 1", "11|83");
    close_pair(&a, &b);
}

/* Likewise a whole row: no file at all holds it, and none would take it without the column. */
static void a_row_that_a_file_lost_before_its_migration_comes_back_under_the_new_name(void **state)
{
    static const char schema[] = "CREATE TABLE club(id INTEGER PRIMARY KEY, name TEXT NOT NULL, n)";
    static const char rename_it[] = "ALTER TABLE club RENAME COLUMN name TO title";
    static const char titles[] = "SELECT title FROM club ORDER BY title";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO club VALUES (1, 'Chess', 1)");
    exchange(&a, &b);
    sql(&b, rename_it);
    work(&b);
    keep_database(&a);
    sql(&a, "INSERT INTO club VALUES (2, 'Rowing', 2)");
    work(&a);
    put_database_back(&a, &a);
    sql(&a, rename_it);
    open_store(&a);
    exchange(&a, &b);
    expect_both(&a, &b, titles, "Chess Rowing");
    close_pair(&a, &b);
}

/* The row came without the column, and was changed again by others: what stands there is still the
 * default, and not the choice of whoever saves the row for another reason. */
static void a_default_stays_one_while_others_change_the_row(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    sql(&a, add);
    work(&a);
    sql(&b, "INSERT INTO article VALUES (4, 'salt', 5, 1)");
    exchange(&a, &b);
    sql(&b, "UPDATE article SET price = 6 WHERE id = 4");
    exchange(&a, &b);
    sql(&b, add);
    sql(&b, "UPDATE article SET shelf = 2 WHERE id = 4");
    work(&b);
    later();
    sql(&a, "UPDATE article SET name = 'sea salt', shelf = shelf WHERE id = 4");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT name, price, shelf FROM article WHERE id = 4", "sea salt|6|2");
    close_pair(&a, &b);
}

/* Of the only row nobody can tell by counting what the migration filled in. */
static void what_a_person_writes_into_the_only_row_is_no_default(void **state)
{
    static const char add_three[] = "ALTER TABLE article ADD COLUMN row INTEGER DEFAULT 9;"
                                    "ALTER TABLE article ADD COLUMN shelf INTEGER DEFAULT 9;"
                                    "ALTER TABLE article ADD COLUMN box INTEGER DEFAULT 9";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, one_good, no_goods);
    sql(&b, add_three);
    work(&b);
    sql(&a, add_three);
    sql(&a, "UPDATE article SET row = 1, shelf = 2, box = 3");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT row, shelf, box FROM article", "1|2|3");
    close_pair(&a, &b);
}

/* Without triggers there was no mark either: it beats the default all the same. */
static void what_was_written_before_triggers_were_back_is_no_default(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    sql(&b, add);
    work(&b);
    sql(&a, "CREATE TABLE made(id INTEGER PRIMARY KEY, name TEXT, price INTEGER, stock INTEGER,"
            " shelf INTEGER NOT NULL DEFAULT 9);"
            "INSERT INTO made SELECT *, 9 FROM article; DROP TABLE article;"
            "ALTER TABLE made RENAME TO article; UPDATE article SET shelf = id");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT shelf FROM article ORDER BY id", "1 2 3");
    close_pair(&a, &b);
}

/* Nor is one that raises an error whenever it is worked out: no row was filled by it. */
static void a_default_that_nobody_can_work_out_stops_nothing(void **state)
{
    static const char make_anew[] =
        "CREATE TABLE made(id INTEGER PRIMARY KEY, name TEXT, price INTEGER, stock INTEGER,"
        " shelf INTEGER DEFAULT (abs(-9223372036854775807 - 1)));"
        "INSERT INTO made SELECT *, id FROM article; DROP TABLE article;"
        "ALTER TABLE made RENAME TO article";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    sql(&a, make_anew);
    work(&a);
    sql(&b, make_anew);
    exchange(&a, &b);
    sql(&b, "UPDATE article SET shelf = 7 WHERE id = 1");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT shelf FROM article ORDER BY id", "7 2 3");
    close_pair(&a, &b);
}

/* Nothing else can stand in its place, so values say nothing against it. */
static void a_renamed_column_is_known_though_most_rows_were_written_since(void **state)
{
    static const char rename_it[] = "ALTER TABLE article RENAME COLUMN price TO cost";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    sql(&b, "UPDATE article SET price = 31 WHERE id = 3");
    exchange(&a, &b);
    sql(&b, rename_it);
    work(&b);
    later();
    sql(&a, "UPDATE article SET price = 33 WHERE id = 3");
    work(&a);
    sql(&a, rename_it);
    sql(&a, "UPDATE article SET cost = cost + id WHERE id < 3");
    sql(&a, "ALTER TABLE article ADD COLUMN shelf INTEGER");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT id, cost FROM article ORDER BY id", "1|11 2|22 3|33");
    close_pair(&a, &b);
}

/* Its clock may be slow: what a person writes beats what he saw, by whatever name that was said. */
static void an_edit_under_the_new_name_beats_what_it_replaced(void **state)
{
    static const char rename_it[] = "ALTER TABLE article RENAME COLUMN price TO cost";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    sql(&b, "UPDATE article SET price = 12 WHERE id = 1;"
            "UPDATE _navette_dirty SET t = t + 0.0005"); /* days: its clock is 43 s fast */
    exchange(&a, &b);
    sql(&b, rename_it);
    exchange(&a, &b);
    sql(&a, rename_it);
    sql(&a, "UPDATE article SET cost = 13 WHERE id = 1");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT cost FROM article ORDER BY id", "13 20 30");
    close_pair(&a, &b);
}

/* Two sales have one number, so that one is shown with a mark that is still to be said; then its PC
 * is migrated. */
static void a_mark_that_is_said_after_a_migration_leaves_the_new_column_alone(void **state)
{
    static const char sales[] = "CREATE TABLE sale(id INTEGER PRIMARY KEY, number TEXT UNIQUE)";
    static const char add_it[] = "ALTER TABLE sale ADD COLUMN shelf INTEGER NOT NULL DEFAULT 9";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, sales, sales);
    sql(&a, add_it);
    sql(&a, "INSERT INTO sale(number) VALUES ('T1')");
    work(&a);
    later();
    sql(&b, "INSERT INTO sale(number) VALUES ('T1')");
    work(&b);
    carry(&b, &a);
    work(&a);
    sql(&a, "UPDATE sale SET shelf = 5 WHERE number = '#B-T1'");
    work(&a);
    carry(&a, &b);
    apply_all(&b);
    expect(&b, "SELECT number FROM sale ORDER BY number", "#B-T1 T1");
    sql(&b, add_it);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT number, shelf FROM sale ORDER BY number", "#B-T1|5 T1|9");
    close_pair(&a, &b);
}

/* A power cut takes the ledger's half of what was just written into the file, which has the new
 * column when the ledger writes it again. */
static void a_row_that_came_right_before_the_migration_has_no_default(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    sql(&a, add);
    sql(&a, "INSERT INTO article VALUES (4, 'tea', 6, 1, 5)");
    work(&a);
    carry(&a, &b);
    keep_ledger(&b);
    apply_all(&b);
    expect(&b, "SELECT name FROM article WHERE id = 4", "tea");
    put_ledger_back(&b);
    sql(&b, add);
    open_store(&b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT name, shelf FROM article ORDER BY id", "rice|9 oil|9 soap|9 tea|5");
    close_pair(&a, &b);
}

/* The last column of a table of one row, which was written at once: only B knows that it is the
 * old one, and what it says of that was written while A's clock was 43 s fast. */
static void an_edit_under_a_name_that_is_not_known_beats_what_it_replaced(void **state)
{
    static const char rename_it[] = "ALTER TABLE article RENAME COLUMN stock TO pieces";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, one_good, no_goods);
    sql(&a, "UPDATE article SET stock = 5; UPDATE _navette_dirty SET t = t + 0.0005");
    exchange(&a, &b);
    later();
    sql(&a, "UPDATE article SET stock = 7");
    sql(&a, rename_it);
    exchange(&a, &b);
    sql(&b, rename_it);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT pieces FROM article", "7");
    close_pair(&a, &b);
}

/* Nor is such a column known by what it holds. But no other one than that can have come to a table
 * with rows: it has no default, and cannot be empty. */
static void a_column_that_cannot_be_empty_is_known_by_its_place(void **state)
{
    static const char club[] = "CREATE TABLE club(id INTEGER PRIMARY KEY, name TEXT, fee INTEGER"
                               " NOT NULL); INSERT INTO club VALUES (1, 'Chess', 5)";
    static const char no_club[] =
        "CREATE TABLE club(id INTEGER PRIMARY KEY, name TEXT, fee INTEGER NOT NULL)";
    static const char rename_it[] = "ALTER TABLE club RENAME COLUMN fee TO price";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, club, no_club);
    sql(&a, "UPDATE club SET fee = 6");
    exchange(&a, &b);
    later();
    sql(&a, "UPDATE club SET fee = 7");
    sql(&a, rename_it);
    exchange(&a, &b);
    sql(&b, rename_it);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT price FROM club", "7");
    close_pair(&a, &b);
}

/* The other column that went stood in its place, and most rows held the same in both. */
static void a_renamed_column_is_known_beside_one_that_was_dropped(void **state)
{
    static const char schema[] =
        "CREATE TABLE part(id INTEGER PRIMARY KEY, weight INTEGER, stock INTEGER);";
    static const char drop[] = "ALTER TABLE part DROP COLUMN weight";
    static const char rename_it[] = "ALTER TABLE part RENAME COLUMN stock TO pieces";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    set_rule(&a, (struct wish){"part.stock", RULE_COUNTER, NULL, NULL, NULL});
    set_rule(&a, (struct wish){"part.pieces", RULE_COUNTER, NULL, NULL, NULL});
    share_rosters(&a, &b);
    sql(&a, "INSERT INTO part VALUES (1, 5, 10), (2, 0, 0), (3, 0, 0)");
    exchange(&a, &b);
    sql(&b, drop);
    work(&b);
    sql(&b, rename_it);
    exchange(&a, &b);
    sql(&a, drop);
    sql(&a, rename_it);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT pieces FROM part", "10 0 0");
    close_pair(&a, &b);
}

/* The agent was stopped before it had compared the table: what it had under the first name is still
 * there only. */
static void
a_column_renamed_again_at_once_carries_what_was_written_under_its_first_name(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    sql(&b, "ALTER TABLE article RENAME COLUMN price TO cost;"
            "UPDATE article SET cost = 5 WHERE id = 1");
    work(&b);
    later();
    sql(&a, "UPDATE article SET price = 9 WHERE id = 1");
    work(&a);
    close_store(&a);
    sql(&a, "ALTER TABLE article RENAME COLUMN price TO amount");
    open_store(&a);
    close_store(&a);
    sql(&a, "ALTER TABLE article RENAME COLUMN amount TO cost");
    open_store(&a);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT cost FROM article WHERE id = 1", "9");
    close_pair(&a, &b);
}

/* The file went back to before the migration, which runs once more: what was written there in
 * between had seen what the agent has carried over since. */
static void an_edit_in_a_file_from_before_its_migration_counts_under_the_new_name(void **state)
{
    static const char rename_it[] = "ALTER TABLE article RENAME COLUMN price TO cost";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    sql(&a, "UPDATE article SET price = price + 1");
    exchange(&a, &b);
    keep_database(&a);
    sql(&a, rename_it);
    sql(&b, "UPDATE article SET stock = 11 WHERE id = 3");
    exchange(&a, &b);
    put_database_back(&a, &a);
    later();
    sql(&a, "UPDATE article SET price = 12 WHERE id = 1");
    open_store(&a);
    work(&a);
    expect(&a, "SELECT price, stock FROM article ORDER BY id", "12|100 21|50 31|11");
    sql(&a, rename_it);
    sql(&b, rename_it);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT cost, stock FROM article ORDER BY id", "12|100 21|50 31|11");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sales_count_under_the_new_name_of_a_counter),
        cmocka_unit_test(what_a_file_lost_before_its_migration_counts_under_the_new_name),
        cmocka_unit_test(a_row_that_a_file_lost_before_its_migration_comes_back_under_the_new_name),
        cmocka_unit_test(a_default_stays_one_while_others_change_the_row),
        cmocka_unit_test(what_a_person_writes_into_the_only_row_is_no_default),
        cmocka_unit_test(what_was_written_before_triggers_were_back_is_no_default),
        cmocka_unit_test(a_default_that_nobody_can_work_out_stops_nothing),
        cmocka_unit_test(a_renamed_column_is_known_though_most_rows_were_written_since),
        cmocka_unit_test(an_edit_under_the_new_name_beats_what_it_replaced),
        cmocka_unit_test(a_mark_that_is_said_after_a_migration_leaves_the_new_column_alone),
        cmocka_unit_test(a_row_that_came_right_before_the_migration_has_no_default),
        cmocka_unit_test(an_edit_under_a_name_that_is_not_known_beats_what_it_replaced),
        cmocka_unit_test(a_column_that_cannot_be_empty_is_known_by_its_place),
        cmocka_unit_test(a_renamed_column_is_known_beside_one_that_was_dropped),
        cmocka_unit_test(
            a_column_renamed_again_at_once_carries_what_was_written_under_its_first_name),
        cmocka_unit_test(an_edit_in_a_file_from_before_its_migration_counts_under_the_new_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
