/* A file that went back to where it stood between two writes that one drain took, or to where its
 * keys named other rows than they do now. Also of behind_laps.c, behind_rows.c, ledger_points.c,
 * replay.c, and publish_cells.c. */
#include "library.h"
#include "wentback.h"

static const char clients[] = "SELECT name FROM client ORDER BY name";
static const char invoices[] =
    "SELECT number, name FROM invoice LEFT JOIN client ON client.id = client_id ORDER BY number";

static void go_back(struct site *s)
{
    put_database_back(s, s);
}

/* ---- which row a key names ---- */

static void a_key_names_the_row_that_had_it_when_the_copy_was_made(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (7, 'Ana')");
    exchange(&a, &b);
    keep_database(&a);
    sql(&a, "DELETE FROM client WHERE id = 7");
    exchange(&a, &b);
    sql(&a, "INSERT INTO client VALUES (7, 'Bea')");
    exchange(&a, &b);
    go_back(&a);
    expect_both_settled(&a, &b, clients, "Bea");
    go_back(&a);
    sql(&a, "UPDATE client SET name = 'Anna' WHERE id = 7");
    expect_both_settled(&a, &b, clients, "Anna Bea");
    expect(&a, "SELECT name FROM client WHERE id = 7", "Anna");
    close_pair(&a, &b);
}

/* It comes back from the fleet after another one got its key, and moves; the copy is older than all
 * of that. */
static void keys_that_went_round_are_told_apart(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana'), (2, 'Bea'), (3, 'Cleo')");
    exchange(&a, &b);
    keep_database(&a);
    sql(&a, "UPDATE client SET id = 4 WHERE id = 1; UPDATE client SET id = 1 WHERE id = 2;"
            "UPDATE client SET id = 2 WHERE id = 3; UPDATE client SET id = 3 WHERE id = 4");
    exchange(&a, &b);
    sql(&a, "DELETE FROM client WHERE id = 1; INSERT INTO client VALUES (1, 'Dora')");
    exchange(&a, &b);
    go_back(&a);
    sql(&a, "UPDATE client SET name = 'Anna' WHERE id = 1; DELETE FROM client WHERE id = 3");
    expect_both_settled(&a, &b, clients, "Anna Dora");
    expect(&a, "SELECT name FROM client WHERE id = 1", "Anna");
    close_pair(&a, &b);
}

static void a_row_that_moved_before_anybody_had_heard_of_it_is_one_row(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana'); UPDATE client SET id = 12");
    keep_database(&a);
    sql(&a, "UPDATE client SET id = 11");
    exchange(&a, &b);
    go_back(&a);
    sql(&a, "INSERT INTO invoice VALUES (1, 'F1', 12); UPDATE client SET name = name");
    expect_both_settled(&a, &b, invoices, "F1|Ana");
    expect(&a, "SELECT id, name FROM client", "12|Ana");
    expect(&b, clients, "Ana");
    close_pair(&a, &b);
}

/* The copy remembers only those that were handed out before it was made; what shows others without
 * a foreign key shows them again. */
static void no_number_of_autoincrement_is_handed_out_again(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client(name) VALUES ('Ana')");
    keep_database(&a);
    sql(&a, "INSERT INTO client(name) VALUES ('Bea'); INSERT INTO invoice(number) VALUES ('F1')");
    exchange(&a, &b);
    sql(&b, "DELETE FROM client WHERE name = 'Bea'; DELETE FROM invoice");
    exchange(&a, &b);
    go_back(&a);
    open_store(&a);
    work(&a);
    tidy(&a);
    sql(&a, "INSERT INTO client(name) VALUES ('Cleo'); INSERT INTO invoice(number) VALUES ('F2')");
    expect(&a, "SELECT id, name FROM client ORDER BY id", "1|Ana 3|Cleo");
    expect(&a, "SELECT id, number FROM invoice", "2|F2");
    close_pair(&a, &b);
}

/* One drain saw but the second row under that key; the copy has the first. */
static void a_row_that_went_before_anybody_had_heard_of_it_goes_again(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (3, 'Ana')");
    keep_database(&a);
    sql(&a, "DELETE FROM client; INSERT INTO client VALUES (3, 'Bea')");
    exchange(&a, &b);
    go_back(&a);
    expect_both_settled(&a, &b, clients, "Bea");
    close_pair(&a, &b);
}

static void such_a_row_stays_everywhere_when_the_application_goes_on_with_it(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (3, 'Ana'), (4, 'Eva')");
    keep_database(&a);
    sql(&a, "DELETE FROM client; INSERT INTO client VALUES (3, 'Bea')");
    exchange(&a, &b);
    go_back(&a);
    sql(&a, "INSERT INTO invoice VALUES (1, 'F1', 3); UPDATE client SET name = 'Eve' WHERE id = 4");
    expect_both_settled(&a, &b, invoices, "F1|Ana");
    expect(&a, clients, "Ana Bea Eve");
    expect(&b, clients, "Ana Bea Eve");
    close_pair(&a, &b);
}

/* It came and went while the agent was stopped, which says so in case its ledger has forgotten what
 * it had said; the copy has it. */
static void a_row_whose_end_alone_was_said_is_said_whole_when_the_application_goes_on(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    close_store(&a);
    sql(&a, "INSERT INTO client VALUES (3, 'Ana'), (4, 'Eva')");
    keep_database(&a);
    sql(&a, "DELETE FROM client");
    open_store(&a);
    exchange(&a, &b);
    go_back(&a);
    sql(&a, "INSERT INTO invoice VALUES (1, 'F1', 3); UPDATE client SET name = 'Eve' WHERE id = 4");
    expect_both_settled(&a, &b, invoices, "F1|Ana");
    expect(&b, clients, "Ana Eve");
    close_pair(&a, &b);
}

/* The file goes back, and the application goes on before the row, or after it, has gone again: in
 * that case it goes back once more. */
static void go_on_with_what_was_to_go(bool gone)
{
    struct site a, b;

    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana')");
    keep_database(&a);
    sql(&a, "DELETE FROM client");
    exchange(&a, &b);
    go_back(&a);
    open_store(&a);
    drain_all(&a);
    expect(&a, clients, "Ana");
    if (gone) {
        apply_all(&a);
        expect(&a, clients, "(none)");
        go_back(&a);
    }
    close_store(&a);
    sql(&a, "INSERT INTO invoice(number, client_id) VALUES ('F1', 1)");
    expect_both_settled(&a, &b, invoices, "F1|Ana");
    close_pair(&a, &b);
}

static void such_a_row_stays_also_when_it_was_to_go_already(void **state)
{
    (void)state;
    go_on_with_what_was_to_go(false);
    go_on_with_what_was_to_go(true);
}

/* It was deleted in that file, so its end is all that others have heard; the file goes back again,
 * and the application writes to one cell of it, or names it. */
static void such_a_row_is_said_whole_also_when_its_end_was_said(void **state)
{
    static const char *const writes[] = {"UPDATE article SET price = 7 WHERE id = 1",
                                         "INSERT INTO stock_place VALUES (1, 'shelf', 2)"};
    static const char *const prices[] = {"R1|7|3", "R1|5|3"};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct site a, b;

        open_pair(&a, &b, shop, shop);
        sql(&a, "INSERT INTO article VALUES (1, 'R1', 5, 3)");
        keep_database(&a);
        sql(&a, "DELETE FROM article");
        exchange(&a, &b);
        go_back(&a);
        open_store(&a);
        sql(&a, "DELETE FROM article");
        drain_all(&a);
        go_back(&a);
        open_store(&a);
        drain_all(&a);
        sql(&a, writes[i]);
        exchange(&a, &b);
        expect_both(&a, &b, "SELECT ref, price, stock FROM article", prices[i]);
        close_pair(&a, &b);
    }
}

static void a_natural_row_that_went_before_anybody_had_heard_of_it_goes_again(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 1, 1)");
    exchange(&a, &b);
    sql(&a, "INSERT INTO setting VALUES ('vat', 19); INSERT INTO stock_place VALUES (1, 'x', 3)");
    keep_database(&a);
    sql(&a, "DELETE FROM setting; DELETE FROM stock_place");
    exchange(&a, &b);
    go_back(&a);
    expect_both_settled(&a, &b, "SELECT (SELECT count(*) FROM setting) + count(*) FROM stock_place",
                        "0");
    sql(&b, "INSERT INTO setting VALUES ('vat', 20); INSERT INTO stock_place VALUES (1, 'x', 4)");
    exchange(&a, &b);
    expect(&a, "SELECT name, value FROM setting", "vat|20");
    expect(&a, "SELECT place, n FROM stock_place", "x|4");
    close_pair(&a, &b);
}

/* What the first recovery drained is no news for the second. */
static void a_file_that_goes_back_twice_doubles_nothing(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana')");
    exchange(&a, &b);
    keep_database(&a);
    sql(&a, "INSERT INTO client VALUES (2, 'Bea')");
    exchange(&a, &b);
    go_back(&a);
    sql(&a, "INSERT INTO client VALUES (5, 'Cleo')");
    keep_database(&a);
    sql(&a, "INSERT INTO client VALUES (6, 'Dora')");
    expect_both_settled(&a, &b, clients, "Ana Bea Cleo Dora");
    sql(&b, "UPDATE client SET name = 'Clea' WHERE name = 'Cleo'");
    exchange(&a, &b);
    go_back(&a);
    expect_both_settled(&a, &b, clients, "Ana Bea Clea Dora");
    expect(&a, "SELECT id FROM client WHERE name = 'Clea'", "5");
    close_pair(&a, &b);
}

/* ---- what the application had seen ---- */

static void an_edit_of_what_the_file_kept_counts(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 1, 1)");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET price = 2");
    keep_database(&a);
    sql(&a, "INSERT INTO client VALUES (9, 'Ana')");
    exchange(&a, &b);
    go_back(&a);
    sql(&a, "UPDATE article SET price = 3");
    expect_both_settled(&a, &b, "SELECT price, stock FROM article", "3|1");
    expect(&a, clients, "Ana");
    close_pair(&a, &b);
}

static void an_edit_does_not_take_back_what_the_file_lost_of_its_row(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 1, 1)");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET price = 2");
    keep_database(&a);
    sql(&a, "UPDATE article SET stock = 5");
    exchange(&a, &b);
    go_back(&a);
    sql(&a, "UPDATE article SET ref = 'R2'");
    expect_both_settled(&a, &b, "SELECT ref, price, stock FROM article", "R2|2|5");
    close_pair(&a, &b);
}

/* A migration made the table anew in the old file, and its triggers were gone until the agent came:
 * what differs from what the file held then was written there. */
static void what_was_written_in_an_old_file_without_its_triggers_counts(void **state)
{
    static const char make_anew[] =
        "CREATE TABLE made(id INTEGER PRIMARY KEY, ref TEXT NOT NULL UNIQUE, price DECIMAL,"
        " stock INTEGER);"
        "INSERT INTO made SELECT * FROM article; DROP TABLE article;"
        "ALTER TABLE made RENAME TO article";
    static const char articles[] = "SELECT ref, price, stock FROM article ORDER BY ref";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 1, 1), (2, 'R2', 2, 2), (3, 'R3', 3, 3)");
    exchange(&a, &b);
    tidy(&a); /* the file is told where it stands */
    keep_database(&a);
    sql(&a, "UPDATE article SET price = 5 WHERE id = 2");
    exchange(&a, &b);
    go_back(&a);
    sql(&a, make_anew);
    sql(&a, "UPDATE article SET stock = 9 WHERE id = 1; DELETE FROM article WHERE id = 3");
    expect_both_settled(&a, &b, articles, "R1|1|9 R2|5|2");
    close_pair(&a, &b);
}

/* The migration may have brought a column, too, that the others had already. */
static void what_was_written_beside_a_column_that_came_to_an_old_file_counts(void **state)
{
    static const char make_anew[] =
        "CREATE TABLE made(id INTEGER PRIMARY KEY, ref TEXT NOT NULL UNIQUE, price DECIMAL,"
        " stock INTEGER, shelf INTEGER NOT NULL DEFAULT 9);"
        "INSERT INTO made SELECT *, 9 FROM article; DROP TABLE article;"
        "ALTER TABLE made RENAME TO article";
    static const char articles[] = "SELECT ref, price, stock, shelf FROM article ORDER BY ref";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 1, 1), (2, 'R2', 2, 2), (3, 'R3', 3, 3)");
    exchange(&a, &b);
    sql(&b, make_anew);
    work(&b);
    sql(&b, "UPDATE article SET shelf = 5 WHERE id = 1");
    exchange(&a, &b);
    tidy(&a);
    keep_database(&a);
    sql(&a, "UPDATE article SET price = 5 WHERE id = 2");
    exchange(&a, &b);
    go_back(&a);
    sql(&a, make_anew);
    sql(&a, "UPDATE article SET stock = 9 WHERE id = 1; UPDATE article SET shelf = 7 WHERE id = 2;"
            "DELETE FROM article WHERE id = 3");
    expect_both_settled(&a, &b, articles, "R1|1|9|5 R2|5|2|7");
    close_pair(&a, &b);
}

/* But not what the migration filled into a column that the others had already: what they say of it
 * is only about to be written. */
static void what_a_migration_filled_in_is_not_taken_for_written_in_an_old_file(void **state)
{
    static const char make_anew[] =
        "CREATE TABLE made(id INTEGER PRIMARY KEY, ref TEXT NOT NULL UNIQUE, price DECIMAL,"
        " stock INTEGER, shelf INTEGER NOT NULL DEFAULT 9);"
        "INSERT INTO made SELECT *, 9 FROM article; DROP TABLE article;"
        "ALTER TABLE made RENAME TO article";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 1, 1), (2, 'R2', 2, 2)");
    exchange(&a, &b);
    sql(&b, make_anew);
    work(&b);
    sql(&b, "UPDATE article SET shelf = 5 WHERE id = 1");
    exchange(&a, &b);
    tidy(&a);
    later();
    sql(&a, make_anew);
    drain_all(&a);
    keep_database(&a);
    exchange(&a, &b);
    expect(&a, "SELECT ref, shelf FROM article ORDER BY ref", "R1|5 R2|9");
    go_back(&a);
    expect_both_settled(&a, &b, "SELECT ref, shelf FROM article ORDER BY ref", "R1|5 R2|9");
    close_pair(&a, &b);
}

/* Its natural key refers to a row that gets another key: the row has not gone, and what it holds in
 * the old file is not the application's answer to what it had written later. */
static void a_row_whose_key_follows_its_parents_keeps_what_the_file_lost(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a,
        "INSERT INTO article VALUES (1, 'R1', 1, 1); INSERT INTO stock_place VALUES (1, 'A', 1)");
    exchange(&a, &b);
    keep_database(&a);
    sql(&a, "UPDATE stock_place SET n = 2");
    exchange(&a, &b);
    go_back(&a);
    sql(&a, "PRAGMA foreign_keys = OFF; BEGIN; UPDATE article SET id = 5;"
            "UPDATE stock_place SET article_id = 5; COMMIT; PRAGMA foreign_keys = ON");
    expect_both_settled(&a, &b, "SELECT place, n FROM stock_place", "A|2");
    expect(&a, "SELECT article_id FROM stock_place", "5");
    close_pair(&a, &b);
}

/* The drain touched the invoice only because its client's key got another client; then the
 * application gave it a third one. */
static void a_reference_that_changed_with_its_key_can_be_changed_again(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a,
        "INSERT INTO client VALUES (1, 'Ana'), (2, 'Bea'); INSERT INTO invoice VALUES (1, 'F1', "
        "1)");
    exchange(&a, &b);
    sql(&a, "BEGIN; DELETE FROM client WHERE id = 1; INSERT INTO client VALUES (1, 'Zoe'); COMMIT");
    keep_database(&a);
    sql(&a, "INSERT INTO client VALUES (3, 'Cleo')");
    exchange(&a, &b);
    expect(&b, invoices, "F1|Zoe");
    go_back(&a);
    sql(&a, "UPDATE invoice SET client_id = 2");
    expect_both_settled(&a, &b, invoices, "F1|Bea");
    expect(&a, clients, "Bea Cleo Zoe");
    close_pair(&a, &b);
}

/* It went back a second time before what it lost the first time was in it again. */
static void what_is_not_in_the_file_again_is_not_taken_for_seen(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 1, 1)");
    exchange(&a, &b);
    keep_database(&a);
    sql(&b, "UPDATE article SET price = 5");
    exchange(&a, &b);
    go_back(&a);
    open_store(&a);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana')");
    drain_all(&a);
    keep_database(&a);
    exchange(&a, &b);
    go_back(&a);
    sql(&a, "UPDATE article SET stock = 7");
    expect_both_settled(&a, &b, "SELECT price, stock FROM article", "5|7");
    expect(&b, clients, "Ana");
    close_pair(&a, &b);
}

/* What the application writes in the meantime is in the file, and in a copy that is made of it. */
static void what_was_drained_before_all_is_in_the_file_again_is_taken_for_seen(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 1, 1)");
    exchange(&a, &b);
    keep_database(&a);
    sql(&b, "UPDATE article SET price = 5");
    exchange(&a, &b);
    go_back(&a);
    open_store(&a);
    sql(&a, "UPDATE article SET stock = 7");
    drain_all(&a);
    keep_database(&a);
    exchange(&a, &b);
    go_back(&a);
    sql(&a, "UPDATE article SET stock = 8");
    expect_both_settled(&a, &b, "SELECT price, stock FROM article", "5|8");
    close_pair(&a, &b);
}

/* The file went back to the middle of a drain, and a copy of it was made before it had the rest. */
static void an_edit_of_what_half_a_drain_left_counts_also_when_a_copy_is_put_back(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 1, 1)");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET stock = 2");
    keep_database(&a);
    sql(&a, "INSERT INTO client VALUES (9, 'Ana')");
    exchange(&a, &b);
    go_back(&a);
    open_store(&a);
    keep_database(&a);
    exchange(&a, &b);
    go_back(&a);
    sql(&a, "UPDATE article SET stock = 3");
    expect_both_settled(&a, &b, "SELECT stock FROM article", "3");
    expect(&a, clients, "Ana");
    close_pair(&a, &b);
}

/* Nobody wrote that number again: the old file only did not have the mark yet. */
static void a_number_that_was_marked_since_the_copy_was_made_is_not_given_anew(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 1, 1)");
    later();
    sql(&b, "INSERT INTO article VALUES (2, 'R1', 2, 2)");
    work(&b);
    keep_database(&b);
    exchange(&a, &b);
    expect(&a, "SELECT ref, price FROM article ORDER BY price", "R1|1 #B-R1|2");
    sql(&a, "UPDATE article SET ref = 'R9' WHERE price = 2");
    work(&a);
    later();
    go_back(&b);
    sql(&b, "UPDATE article SET ref = 'R1', price = 2, stock = 7");
    tick(&b);
    expect_both_settled(&b, &a, "SELECT ref, stock FROM article ORDER BY price", "R1|1 R9|7");
    close_pair(&a, &b);
}

/* The first drain matches a table first, with rows in it whose marks come after. */
static void a_file_from_before_the_first_drain_is_known_to_lack_its_rows(void **state)
{
    static const char notes[] = "SELECT text FROM note ORDER BY text";
    struct site a = {0};
    struct err e = {0};

    (void)state;
    open_founder(&a, shop);
    sql(&a, "CREATE TABLE note(id INTEGER PRIMARY KEY, text)");
    check(store_track(a.store, NULL, 0, &e), &e);
    keep_database(&a);
    sql(&a, "INSERT INTO note VALUES (1, 'first')");
    work(&a);
    go_back(&a);
    sql(&a, "INSERT INTO note VALUES (1, 'second')");
    open_store(&a);
    work(&a);
    expect(&a, notes, "first second");
    close_site(&a);
}

/* The home is put back first, and the ledger lets go of the file; then the database, to before it
 * was told anything from which a ledger can be built. */
static void news_in_a_file_that_was_told_nothing_are_news_to_a_ledger_that_let_go(void **state)
{
    static const char notes[] = "CREATE TABLE note(id INTEGER PRIMARY KEY, text, price)";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, notes, notes);
    sql(&a, "INSERT INTO note VALUES (1, 'first', 1), (2, 'other', 2)");
    work(&a);
    keep_database(&a);
    keep_ledger(&a);
    exchange(&a, &b);
    sql(&b, "UPDATE note SET price = 9 WHERE text = 'first'");
    exchange(&a, &b);
    put_ledger_back(&a);
    open_store(&a);
    assert_int_equal(store_state(a.store), STORE_MATCHING);
    go_back(&a);
    sql(&a, "UPDATE note SET text = 'second' WHERE id = 1");
    expect_both_settled(&a, &b, "SELECT text, price FROM note ORDER BY text", "other|2 second|9");
    close_pair(&a, &b);
}

/* The other PC's row of that name stands for it since a ledger was built that never saw it alone.
 */
static void a_row_that_went_as_a_part_of_another_one_goes_again(void **state)
{
    static const char codes[] =
        "CREATE TABLE kind(id INTEGER PRIMARY KEY);"
        "CREATE TABLE code(id TEXT PRIMARY KEY, n INT, kind INT REFERENCES kind(id))";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, codes, codes);
    sql(&b, "INSERT INTO kind VALUES (1)");
    exchange(&a, &b);
    sql(&b, "INSERT INTO code VALUES ('x', 1, NULL), ('y', 1, NULL)");
    work(&b);
    later();
    sql(&a, "INSERT INTO code VALUES ('x', 2, NULL)");
    work(&a);
    keep_database(&a);
    keep_ledger(&a);
    exchange(&a, &b);
    tidy(&a);
    put_ledger_back(&a);
    rematch(&a, &b);
    sql(&b, "UPDATE code SET n = 3 WHERE id = 'x'");
    work(&b);
    sql(&b, "DELETE FROM code WHERE id = 'x'");
    exchange(&a, &b);
    go_back(&a);
    expect_both_settled(&a, &b, "SELECT id FROM code", "y");
    close_pair(&a, &b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_names_the_row_that_had_it_when_the_copy_was_made),
        cmocka_unit_test(keys_that_went_round_are_told_apart),
        cmocka_unit_test(a_row_that_moved_before_anybody_had_heard_of_it_is_one_row),
        cmocka_unit_test(no_number_of_autoincrement_is_handed_out_again),
        cmocka_unit_test(a_row_that_went_before_anybody_had_heard_of_it_goes_again),
        cmocka_unit_test(such_a_row_stays_everywhere_when_the_application_goes_on_with_it),
        cmocka_unit_test(a_row_whose_end_alone_was_said_is_said_whole_when_the_application_goes_on),
        cmocka_unit_test(such_a_row_stays_also_when_it_was_to_go_already),
        cmocka_unit_test(such_a_row_is_said_whole_also_when_its_end_was_said),
        cmocka_unit_test(a_natural_row_that_went_before_anybody_had_heard_of_it_goes_again),
        cmocka_unit_test(a_file_that_goes_back_twice_doubles_nothing),
        cmocka_unit_test(an_edit_of_what_the_file_kept_counts),
        cmocka_unit_test(an_edit_does_not_take_back_what_the_file_lost_of_its_row),
        cmocka_unit_test(what_was_written_in_an_old_file_without_its_triggers_counts),
        cmocka_unit_test(what_was_written_beside_a_column_that_came_to_an_old_file_counts),
        cmocka_unit_test(what_a_migration_filled_in_is_not_taken_for_written_in_an_old_file),
        cmocka_unit_test(a_row_whose_key_follows_its_parents_keeps_what_the_file_lost),
        cmocka_unit_test(a_reference_that_changed_with_its_key_can_be_changed_again),
        cmocka_unit_test(what_is_not_in_the_file_again_is_not_taken_for_seen),
        cmocka_unit_test(what_was_drained_before_all_is_in_the_file_again_is_taken_for_seen),
        cmocka_unit_test(an_edit_of_what_half_a_drain_left_counts_also_when_a_copy_is_put_back),
        cmocka_unit_test(a_number_that_was_marked_since_the_copy_was_made_is_not_given_anew),
        cmocka_unit_test(a_file_from_before_the_first_drain_is_known_to_lack_its_rows),
        cmocka_unit_test(a_row_that_went_as_a_part_of_another_one_goes_again),
        cmocka_unit_test(news_in_a_file_that_was_told_nothing_are_news_to_a_ledger_that_let_go),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
