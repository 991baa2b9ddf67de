/* Schemas that change under a running fleet, on one PC before the other. Also of column_notes.c,
 * columns.c, ledger_names.c, rename.c, rename_find.c, scan.c. */
#include "ruled.h"
#include "three_pcs.h"
#include "unit/sites.h"

static const char goods[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price INTEGER);"
    "INSERT INTO article VALUES (1, 'rice', 10), (2, 'oil', 20), (3, 'soap', 30);";
static const char no_goods[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price INTEGER);";

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

/* It was empty when it was renamed first: nothing could tell that. Then others know one row by one
 * name, and another row by the other. */
static void a_table_renamed_twice_is_the_same_by_all_its_names(void **state)
{
    static const char schema[] = "CREATE TABLE note(id INTEGER PRIMARY KEY, text)";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&a, "ALTER TABLE note RENAME TO memo");
    work(&a);
    sql(&a, "INSERT INTO memo VALUES (1, 'one')");
    sql(&b, "INSERT INTO note VALUES (2, 'two')");
    exchange(&a, &b);
    sql(&a, "ALTER TABLE memo RENAME TO text");
    exchange(&a, &b);
    expect(&a, "SELECT * FROM text ORDER BY id", "1|one 2|two");
    expect(&b, "SELECT * FROM note ORDER BY id", "1|one 2|two");
    close_pair(&a, &b);
}

/* He who was there first has said what it is called; the next one has rows of his own that the
 * third knows by the name between. */
static void a_table_is_known_by_a_name_between_where_another_had_the_last_one_first(void **state)
{
    static const char schema[] = "CREATE TABLE note(id INTEGER PRIMARY KEY, text)";
    struct site a, b, c = {0};

    (void)state;
    open_three(&a, &b, &c, schema);
    sql(&a, "ALTER TABLE note RENAME TO memo");
    sql(&b, "ALTER TABLE note RENAME TO text");
    exchange(&a, &b);
    sql(&c, "INSERT INTO note VALUES (1, 'one')");
    exchange(&b, &c);
    sql(&b, "UPDATE text SET text = 'first'");
    exchange(&a, &b);
    exchange(&a, &c);
    sql(&a, "INSERT INTO memo VALUES (2, 'two')");
    exchange(&a, &c);
    expect(&c, "SELECT * FROM note ORDER BY id", "1|first");
    sql(&a, "ALTER TABLE memo RENAME TO text");
    exchange(&a, &c);
    exchange(&a, &b);
    expect(&c, "SELECT * FROM note ORDER BY id", "1|first 2|two");
    expect_both(&a, &b, "SELECT * FROM text ORDER BY id", "1|first 2|two");
    close_site(&c);
    close_pair(&a, &b);
}

/* Renamed and made anew, with a column more and one renamed, while nobody looked; so was a join
 * table. */
static void a_table_renamed_and_made_anew_is_the_same(void **state)
{
    static const char shop_tables[] =
        "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price INTEGER);"
        "CREATE TABLE tag(id INTEGER PRIMARY KEY, word TEXT);"
        "CREATE TABLE article_tag(id INTEGER PRIMARY KEY, article_id INTEGER REFERENCES "
        "article(id),"
        " tag_id INTEGER REFERENCES tag(id), UNIQUE(article_id, tag_id));";
    static const char migrate[] =
        "PRAGMA foreign_keys = OFF; BEGIN; ALTER TABLE article RENAME TO product;"
        "CREATE TABLE n(id INTEGER PRIMARY KEY, name TEXT, cost INTEGER, size INTEGER NOT NULL);"
        "INSERT INTO n SELECT id, name, price, 1 FROM product; DROP TABLE product;"
        "ALTER TABLE n RENAME TO product; CREATE TABLE product_tag(id INTEGER PRIMARY KEY,"
        " product_id INTEGER REFERENCES product(id), tag_id INTEGER REFERENCES tag(id),"
        " UNIQUE(product_id, tag_id)); INSERT INTO product_tag SELECT * FROM article_tag;"
        "DROP TABLE article_tag; COMMIT; PRAGMA foreign_keys = ON";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop_tables, shop_tables);
    sql(&a, "INSERT INTO article VALUES (1, 'rice', 10), (2, 'oil', 20), (3, 'soap', 30);"
            "INSERT INTO tag VALUES (1, 'food'), (2, 'new');"
            "INSERT INTO article_tag VALUES (1, 1, 1), (2, 2, 1), (3, 3, 2)");
    exchange(&a, &b);
    close_store(&a);
    sql(&a, migrate);
    open_store(&a);
    work(&a);
    later();
    sql(&a, "UPDATE product SET cost = 11, size = 2 WHERE id = 1; INSERT INTO product VALUES (4, "
            "'tea', 6, 3)");
    sql(&b, "UPDATE article SET price = 21 WHERE id = 2; DELETE FROM article_tag WHERE id = 3;"
            "INSERT INTO article_tag VALUES (5, 2, 2); INSERT INTO article VALUES (9, 'salt', 5)");
    exchange(&a, &b);
    sql(&b, migrate);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT name, cost, size FROM product ORDER BY name",
                "oil|21|1 rice|11|2 salt|5|1 soap|30|1 tea|6|3");
    expect_both(&a, &b,
                "SELECT p.name, t.word FROM product_tag x JOIN product p ON p.id = product_id"
                " JOIN tag t ON t.id = tag_id ORDER BY 1, 2",
                "oil|food oil|new rice|food");
    assert_int_equal(status_of(&a).parked + status_of(&b).parked, 0);
    close_pair(&a, &b);
}

/* Its rows name others by a UNIQUE value, which is not their key. */
static void a_table_of_named_rows_that_was_renamed_and_made_anew_is_the_same(void **state)
{
    static const char shop_tables[] =
        "CREATE TABLE article(id INTEGER PRIMARY KEY, code TEXT UNIQUE);"
        "CREATE TABLE shelf(no INTEGER PRIMARY KEY, holds TEXT REFERENCES article(code),"
        " below TEXT REFERENCES article(code));";
    static const char migrate[] =
        "BEGIN; CREATE TABLE place(no INTEGER PRIMARY KEY, holds TEXT REFERENCES article(code),"
        " below TEXT REFERENCES article(code)); INSERT INTO place SELECT * FROM shelf;"
        "DROP TABLE shelf; COMMIT";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop_tables, shop_tables);
    sql(&a, "INSERT INTO article VALUES (1, 'rice'), (2, 'oil');"
            "INSERT INTO shelf VALUES (1, 'rice', 'oil'), (2, 'oil', 'rice')");
    exchange(&a, &b);
    sql(&a, migrate);
    work(&a);
    sql(&b, "DELETE FROM shelf WHERE no = 1");
    exchange(&a, &b);
    expect(&a, "SELECT * FROM place", "2|oil|rice");
    expect(&b, "SELECT * FROM shelf", "2|oil|rice");
    close_pair(&a, &b);
}

/* Likewise, when every row that is in it was written while nobody looked: only marks tell, from
 * before the triggers went. One of them is a row that was deleted on all PCs before. */
static void a_table_of_new_rows_that_was_made_anew_and_renamed_is_the_same(void **state)
{
    static const char places[] = "CREATE TABLE place(series TEXT, no INTEGER, name TEXT, n INTEGER,"
                                 " PRIMARY KEY(series, no));";
    static const char migrate[] =
        "BEGIN; CREATE TABLE shelf(series TEXT, no INTEGER, name TEXT, n INTEGER,"
        " PRIMARY KEY(series, no)); INSERT INTO shelf SELECT * FROM place; DROP TABLE place; "
        "COMMIT";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, places, places);
    sql(&b, "INSERT INTO place VALUES ('A', 1, 'front', 1), ('A', 2, 'rear', 2)");
    exchange(&a, &b);
    sql(&a, "DELETE FROM place WHERE no = 2");
    exchange(&a, &b);
    close_store(&a);
    later();
    sql(&a, "UPDATE place SET series = 'B'; INSERT INTO place VALUES ('C', 1, 'left', 3)");
    sql(&a, migrate);
    sql(&a, "INSERT INTO shelf VALUES ('A', 1, 'new', 4), ('A', 2, 'old', 5)");
    open_store(&a);
    exchange(&a, &b);
    sql(&b, migrate);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT * FROM shelf ORDER BY series, no",
                "A|1|new|4 A|2|old|5 B|1|front|1 C|1|left|3");
    close_pair(&a, &b);
}

/* Its last row was deleted just before, and nothing is left in it by which it could be known. */
static void a_delete_is_not_forgotten_when_its_table_is_made_anew_and_renamed(void **state)
{
    static const char migrate[] =
        "BEGIN; CREATE TABLE product(id INTEGER PRIMARY KEY, name TEXT, price INTEGER);"
        "INSERT INTO product SELECT * FROM article; DROP TABLE article; COMMIT";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    close_store(&a);
    later();
    sql(&a, "DELETE FROM article");
    sql(&a, migrate);
    open_store(&a);
    exchange(&a, &b);
    expect(&b, "SELECT count(*) FROM article", "0");
    expect(&a, "SELECT count(*) FROM product", "0");
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

/* A said all of its rows under the new name, so that nobody could know what table it is, and then
 * that one of them is a row of B's. */
static void rows_that_are_one_are_in_one_table_whatever_it_is_called(void **state)
{
    static const char codes[] = "CREATE TABLE article(id INTEGER PRIMARY KEY, code TEXT UNIQUE,"
                                " name TEXT);";
    struct site a = {0}, b = {0};

    (void)state;
    open_founder(&a, codes);
    set_rule(&a, (struct wish){.target = "article.code", .kind = RULE_MERGE});
    set_rule(&a, (struct wish){.target = "product.code", .kind = RULE_MERGE});
    join_site(&a, &b, "B", codes);
    share_rosters(&a, &b);
    sql(&a, "ALTER TABLE article RENAME TO product; INSERT INTO product VALUES (1, 'x', 'tea')");
    work(&a);
    later();
    sql(&b, "INSERT INTO article VALUES (7, 'x', 'green tea'), (8, 'y', 'rice')");
    work(&b);
    carry(&b, &a);
    work(&a);
    a.now_ms += 60000; /* who should say so first does not */
    drain_all(&a);
    exchange(&a, &b);
    sql(&a, "UPDATE product SET name = 'black tea' WHERE code = 'x'");
    exchange(&a, &b);
    expect(&a, "SELECT code, name FROM product ORDER BY 1", "x|black tea y|rice");
    expect(&b, "SELECT code, name FROM article ORDER BY 1", "x|black tea y|rice");
    assert_int_equal(status_of(&a).parked + status_of(&b).parked, 0);
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

/* What the application writes in the moment before the triggers are back has no mark; what refers
 * to it has. */
static void a_row_that_nobody_saw_is_known_when_another_names_it(void **state)
{
    static const char shelves[] =
        "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT);"
        "CREATE TABLE maker(id INTEGER PRIMARY KEY, name TEXT);"
        "CREATE TABLE made(id INTEGER PRIMARY KEY, article_id INTEGER REFERENCES article(id),"
        " maker_id INTEGER REFERENCES maker(id), UNIQUE(article_id, maker_id));";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shelves, shelves);
    sql(&a, "BEGIN; CREATE TABLE n(id INTEGER PRIMARY KEY, name TEXT, size INTEGER);"
            "INSERT INTO n SELECT id, name, 0 FROM article; DROP TABLE article;"
            "ALTER TABLE n RENAME TO article; COMMIT;"
            "INSERT INTO article VALUES (1, 'rice', 2); INSERT INTO maker VALUES (1, 'Ama');"
            "INSERT INTO made VALUES (1, 1, 1)");
    exchange(&a, &b);
    expect(&b,
           "SELECT a.name, m.name FROM made JOIN article a ON a.id = article_id"
           " JOIN maker m ON m.id = maker_id",
           "rice|Ama");
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

/* Likewise where it has the number of one whose end has a mark. */
static void a_row_that_nobody_saw_is_not_the_one_that_was_deleted_before(void **state)
{
    static const char shelves[] =
        "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT);"
        "CREATE TABLE shelf(id INTEGER PRIMARY KEY, article_id INTEGER REFERENCES article(id));";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shelves, shelves);
    sql(&a, "INSERT INTO article VALUES (1, 'rice')");
    exchange(&a, &b);
    sql(&a, "DELETE FROM article; BEGIN; CREATE TABLE n(id INTEGER PRIMARY KEY, name TEXT);"
            "DROP TABLE article; ALTER TABLE n RENAME TO article; COMMIT;"
            "INSERT INTO article VALUES (1, 'tea'); INSERT INTO shelf VALUES (1, 1)");
    exchange(&a, &b);
    expect(&b, "SELECT name FROM shelf JOIN article a ON a.id = article_id", "tea");
    expect(&b, "SELECT count(*) FROM article", "1");
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

/* Likewise by a number, which is another row's elsewhere. */
static void such_a_row_is_known_also_when_it_is_named_by_its_number(void **state)
{
    static const char schema[] =
        "CREATE TABLE client(id INTEGER PRIMARY KEY, number TEXT NOT NULL UNIQUE);"
        "CREATE TABLE invoice(id INTEGER PRIMARY KEY, of_number TEXT REFERENCES client(number)"
        " ON UPDATE CASCADE)";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&b, "INSERT INTO client VALUES (5, 'T1')");
    work(&b);
    later();
    sql(&a, "BEGIN; CREATE TABLE n(id INTEGER PRIMARY KEY, number TEXT NOT NULL UNIQUE);"
            "DROP TABLE client; ALTER TABLE n RENAME TO client; COMMIT;"
            "INSERT INTO client VALUES (1, 'T1'); INSERT INTO invoice VALUES (1, 'T1')");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT number FROM client ORDER BY number", "#A-T1 T1");
    expect_both(&a, &b, "SELECT of_number FROM invoice", "#A-T1");
    close_pair(&a, &b);
}

/* Dropping a table, on one PC or on all, deletes nothing elsewhere, and nobody waits for it. */
static void a_dropped_table_is_no_delete_and_comes_back_whole(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, goods, no_goods);
    sql(&a, "DROP TABLE article");
    sql(&b, "UPDATE article SET price = 12 WHERE id = 1; INSERT INTO article VALUES (4, 'tea', 6)");
    exchange(&a, &b);
    expect(&b, "SELECT count(*) FROM article", "4");
    assert_int_equal(status_of(&a).parked, 0);
    sql(&a, no_goods);
    sql(&a, "INSERT INTO article VALUES (2, 'oil', 20), (9, 'new', 1)");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT name, price FROM article ORDER BY name",
                "new|1 oil|20 rice|12 soap|30 tea|6");
    close_pair(&a, &b);
}

/* What a column refers to is shared only later: until then its numbers went out as they are. */
static void numbers_become_references_when_their_table_is_shared(void **state)
{
    static const char plain[] = "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT);";
    static const char more[] =
        "CREATE TABLE maker(id INTEGER PRIMARY KEY, name TEXT);"
        "ALTER TABLE article ADD COLUMN maker_id INTEGER REFERENCES maker(id)";
    static const char *const name = "maker";
    struct err e = {0};
    struct site a, b;

    (void)state;
    open_pair(&a, &b, plain, plain);
    sql(&a, more);
    sql(&b, more);
    sql(&a, "INSERT INTO maker VALUES (1, 'Ama'); INSERT INTO article VALUES (1, 'rice', 1)");
    sql(&b, "INSERT INTO maker VALUES (1, 'Ben'); INSERT INTO article VALUES (2, 'oil', 1)");
    exchange(&a, &b);
    check(store_track(a.store, &name, 1, &e), &e);
    check(store_track(b.store, &name, 1, &e), &e);
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b,
                "SELECT a.name, m.name FROM article a JOIN maker m ON m.id = maker_id ORDER BY 1",
                "oil|Ben rice|Ama");
    close_pair(&a, &b);
}

static void work_around_tidy(struct site *s)
{
    work(s);
    tidy(s);
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
    work_around_tidy(&a);
    sql(&a, "INSERT INTO note VALUES (2, 'two')");
    exchange(&a, &b);
    sql(&b, create);
    sql(&b, "INSERT INTO note VALUES (1, 'mine')");
    work_around_tidy(&b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT body FROM note ORDER BY body", "mine one two");
    check(store_untrack(b.store, &name, 1, b.now_ms, &e), &e);
    sql(&b, "CREATE TABLE other(id INTEGER PRIMARY KEY)");
    work_around_tidy(&b);
    expect(&b, "SELECT name FROM _navette_table ORDER BY name", "article other");
    close_pair(&a, &b);
}

/* A newcomer without one of the fleet's tables is told so, and gets its rows when the table comes.
 */
static void rows_of_a_table_that_a_newcomer_lacks_wait_for_it(void **state)
{
    static const char note[] = "CREATE TABLE note(id INTEGER PRIMARY KEY, body TEXT)";
    struct site a, b = {0}, c = {0};

    (void)state;
    open_pair(&a, &b, note, note);
    sql(&a, no_goods);
    sql(&a, "INSERT INTO note VALUES (1, 'one'), (2, 'two'), (3, 'three')");
    sql(&a, "DELETE FROM note WHERE id = 2");
    work_around_tidy(&a);
    exchange(&a, &b);
    join_site(&a, &c, "C", no_goods);
    exchange(&a, &c);
    assert_int_equal(status_of(&c).parked, 2);
    sql(&c, note);
    work_around_tidy(&c);
    exchange(&a, &c);
    expect(&c, "SELECT body FROM note ORDER BY id", "one three");
    assert_int_equal(status_of(&c).parked, 0);
    close_site(&c);
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
        cmocka_unit_test(rows_that_are_one_are_in_one_table_whatever_it_is_called),
        cmocka_unit_test(a_former_name_may_be_given_to_a_new_table),
        cmocka_unit_test(a_table_that_a_migration_brings_is_shared_by_itself),
        cmocka_unit_test(a_row_that_nobody_saw_is_known_when_another_names_it),
        cmocka_unit_test(a_row_that_nobody_saw_is_not_the_one_that_was_deleted_before),
        cmocka_unit_test(such_a_row_is_known_also_when_it_is_named_by_its_number),
        cmocka_unit_test(a_dropped_table_is_no_delete_and_comes_back_whole),
        cmocka_unit_test(a_table_renamed_twice_is_the_same_by_all_its_names),
        cmocka_unit_test(a_table_is_known_by_a_name_between_where_another_had_the_last_one_first),
        cmocka_unit_test(a_table_renamed_and_made_anew_is_the_same),
        cmocka_unit_test(a_table_of_named_rows_that_was_renamed_and_made_anew_is_the_same),
        cmocka_unit_test(a_table_of_new_rows_that_was_made_anew_and_renamed_is_the_same),
        cmocka_unit_test(a_delete_is_not_forgotten_when_its_table_is_made_anew_and_renamed),
        cmocka_unit_test(numbers_become_references_when_their_table_is_shared),
        cmocka_unit_test(rows_of_a_table_that_a_newcomer_lacks_wait_for_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
