/* PCs whose whole disk was put back, database and home, and that worked on: what they had said
 * and forgot comes back, what they say in its place is said again, and nobody has anything twice.
 * Also of fork_repeat.c. */
#include "counted.h"
#include "doomed.h"
#include "library.h"
#include "meet.h"
#include "wentback.h"

static const char shop_stock[] =
    "CREATE TABLE client(id INTEGER PRIMARY KEY, name TEXT NOT NULL);"
    "CREATE TABLE ticket(id INTEGER PRIMARY KEY, number TEXT UNIQUE, client_id INTEGER REFERENCES"
    " client(id));"
    "CREATE TABLE tag(name TEXT PRIMARY KEY, value INTEGER);"
    "CREATE TABLE article(ref TEXT PRIMARY KEY, stock INTEGER);";
static const char clients[] = "SELECT name FROM client ORDER BY name";
static const char tickets[] =
    "SELECT name FROM ticket JOIN client ON client.id = client_id ORDER BY name";

/* A whole PC went back, and has written nothing since. */
static void a_pc_that_went_back_gets_its_own_change_sets_back(void **state)
{
    struct site a, b;
    struct actor before;

    (void)state;
    open_pair(&a, &b, shop_stock, shop_stock);
    sql(&b, "INSERT INTO client VALUES (1, 'Ana'), (2, 'Bea')");
    meet(&a, &b);
    before = *store_actor(b.store);
    keep_pc(&b);
    sql(&b, "INSERT INTO client VALUES (3, 'Cleo'); UPDATE client SET name = 'Anna' WHERE id = 1;"
            "DELETE FROM client WHERE id = 2");
    meet(&a, &b);
    put_pc_back(&b);
    expect(&b, clients, "Ana Bea");
    meet(&a, &b);
    assert_int_equal(store_state(b.store), STORE_READY);
    assert_false(actor_equal(&before, store_actor(b.store)));
    expect_both(&a, &b, clients, "Anna Cleo");
    sql(&b, "INSERT INTO client(name) VALUES ('Dora')");
    meet(&a, &b);
    expect_both(&a, &b, clients, "Anna Cleo Dora");
    close_pair(&a, &b);
}

/* It sold on under the same keys and the same ticket numbers: fewer, as many and more times than it
 * had before. */
static void a_pc_that_went_back_and_sold_on_keeps_every_sale(void **state)
{
    static const char *const answers[] = {"Ana L1 L2 L3 New1", "Ana L1 L2 L3 New1 New2 New3",
                                          "Ana L1 L2 L3 New1 New2 New3 New4 New5"};

    (void)state;
    for (int times = 1; times <= 5; times += 2) {
        struct site a, b;
        struct store_status status;
        struct err e = {0};

        open_pair(&a, &b, shop_stock, shop_stock);
        sql(&b, "INSERT INTO client VALUES (1, 'Ana'); INSERT INTO ticket VALUES (1, 'T0', 1)");
        meet(&a, &b);
        keep_pc(&b);
        for (int i = 1; i <= 3; i++) {
            char text[256];

            snprintf(text, sizeof text,
                     "INSERT INTO client VALUES (%d, 'L%d'); INSERT INTO ticket VALUES"
                     " (%d, 'T%d', %d); UPDATE client SET name = name WHERE id = 1;"
                     "INSERT OR REPLACE INTO tag VALUES ('last', %d)",
                     1 + i, i, 1 + i, i, 1 + i, i);
            sql(&b, text);
            meet(&a, &b);
        }
        put_pc_back(&b);
        for (int i = 1; i <= times; i++) {
            char text[256];

            snprintf(text, sizeof text,
                     "INSERT INTO client VALUES (%d, 'New%d'); INSERT INTO ticket VALUES"
                     " (%d, 'T%d', %d)",
                     1 + i, i, 1 + i, i, 1 + i);
            sql(&b, text);
            work(&b);
        }
        check(store_status(b.store, &status, &e), &e);
        assert_string_equal(status.trouble, "");
        meet(&a, &b);
        expect_both(&a, &b, clients, answers[times / 2]);
        expect_both(&a, &b, tickets, answers[times / 2]);
        expect_same(&a, &b,
                    "SELECT number, name FROM ticket JOIN client ON client.id = client_id"
                    " ORDER BY number");
        expect_same(&a, &b, "SELECT * FROM tag");
        check(store_status(b.store, &status, &e), &e);
        assert_string_equal(status.trouble, ""); /* it was said once, and is mended */
        sql(&b, "INSERT INTO client(name) VALUES ('Zoe')");
        sql(&a, "INSERT INTO client(name) VALUES ('Zita')");
        meet(&a, &b);
        expect_both(&a, &b, "SELECT name FROM client WHERE name LIKE 'Z%' ORDER BY name",
                    "Zita Zoe");
        close_pair(&a, &b);
    }
}

/* Long chains part in their middle: the last common one is looked for. */
static void histories_that_part_far_below_their_ends_are_followed_back(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop_stock, shop_stock);
    for (int i = 0; i < 20; i++) {
        sql(&b, "INSERT INTO client(name) VALUES ('old')");
        work(&b);
    }
    meet(&a, &b);
    keep_pc(&b);
    for (int i = 0; i < 700; i++) {
        sql(&b, "INSERT INTO client(name) VALUES ('lost')");
        work(&b);
    }
    meet(&a, &b);
    put_pc_back(&b);
    for (int i = 0; i < 650; i++) {
        sql(&b, "INSERT INTO client(name) VALUES ('new')");
        work(&b);
    }
    meet(&a, &b);
    expect_both(&a, &b, "SELECT name, count(*) FROM client GROUP BY name",
                "lost|700 new|650 old|20");
    close_pair(&a, &b);
}

/* A peer that was away since before the copy takes what is made in the place of what it never saw;
 * it must give it up for the other history, and have both. */
static void an_older_peer_that_took_the_new_history_ends_with_both(void **state)
{
    struct site a, b, c;

    (void)state;
    open_pair(&a, &b, shop_stock, shop_stock);
    join_third(&a, &b, &c, shop_stock);
    sql(&b, "INSERT INTO client VALUES (1, 'Ana'); INSERT INTO article VALUES ('R', 100)");
    meet(&a, &b);
    meet(&a, &c);
    keep_pc(&b);
    sql(&b, "INSERT INTO client VALUES (2, 'Bea')");
    meet(&a, &b);
    sql(&b, "INSERT INTO client VALUES (3, 'Bert'); UPDATE client SET name = 'Anna' WHERE id = 1");
    meet(&a, &b);
    put_pc_back(&b);
    sql(&b, "INSERT INTO client VALUES (2, 'Cleo')");
    meet(&b, &c);
    sql(&c, "INSERT INTO ticket VALUES (1, 'T1', 2); UPDATE client SET name = 'Cleopatra'"
            " WHERE id = 2");
    meet(&b, &c);
    meet(&c, &a); /* neither of them is the author: each keeps what it has */
    meet(&a, &b);
    meet(&b, &c);
    meet(&c, &a);
    meet(&a, &b);
    for (int i = 0; i < 3; i++) {
        struct site *s = i == 0 ? &a : i == 1 ? &b : &c;

        expect(s, clients, "Anna Bea Bert Cleopatra");
        expect(s, tickets, "Cleopatra");
    }
    assert_int_equal(store_have(a.store)->n, store_have(c.store)->n);
    for (uint32_t i = 0; i < store_have(a.store)->n; i++)
        assert_memory_equal(&store_have(a.store)->entries[i], &store_have(c.store)->entries[i],
                            sizeof(struct vector_entry));
    close_site(&c);
    close_pair(&a, &b);
}

/* What was added to a stock, before the copy, after it, and once more in its place, counts once. */
static void what_was_sold_in_either_history_is_off_the_stock_once(void **state)
{
    static const char stock[] = "SELECT stock FROM article";
    struct site a, b, c;

    (void)state;
    open_counting_pair(&a, &b, shop_stock, "article.stock");
    join_third(&a, &b, &c, shop_stock);
    sql(&a, "INSERT INTO article VALUES ('R', 1000)");
    meet(&a, &b);
    sql(&b, "UPDATE article SET stock = stock - 1");
    meet(&a, &b);
    meet(&a, &c);
    keep_pc(&b);
    sql(&b, "UPDATE article SET stock = stock - 20");
    meet(&a, &b);
    sql(&b, "UPDATE article SET stock = stock - 20");
    meet(&a, &b);
    put_pc_back(&b);
    sql(&b, "UPDATE article SET stock = stock - 300");
    work(&b);
    sql(&b, "UPDATE article SET stock = stock - 300");
    meet(&b, &c);
    expect(&c, stock, "399");
    meet(&a, &b);
    meet(&b, &c);
    meet(&c, &a);
    expect(&a, stock, "359");
    expect(&b, stock, "359");
    expect(&c, stock, "359");
    sql(&b, "UPDATE article SET stock = stock - 9");
    sql(&c, "UPDATE article SET stock = stock - 50");
    meet(&a, &b);
    meet(&b, &c);
    meet(&c, &a);
    expect(&a, stock, "300");
    expect(&c, stock, "300");
    close_site(&c);
    close_pair(&a, &b);
}

static void a_pc_that_went_back_twice_keeps_every_sale(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop_stock, shop_stock);
    sql(&b, "INSERT INTO client VALUES (1, 'Ana')");
    meet(&a, &b);
    keep_pc(&b);
    sql(&b, "INSERT INTO client VALUES (2, 'Bea')");
    meet(&a, &b);
    put_pc_back(&b);
    sql(&b, "INSERT INTO client VALUES (2, 'Cleo')");
    meet(&a, &b);
    put_pc_back(&b);
    sql(&b, "INSERT INTO client VALUES (2, 'Dora')");
    work(&b);
    sql(&b, "INSERT INTO client VALUES (3, 'Emma')");
    meet(&a, &b);
    expect_both(&a, &b, clients, "Ana Bea Cleo Dora Emma");
    close_pair(&a, &b);
}

/* It went back twice, and says again what it has been told of a history, while another PC has more
 * of that one. */
static void what_follows_a_change_set_that_was_said_again_is_said_again_too(void **state)
{
    struct site a, b, c;
    struct actor first;
    uint64_t number;

    (void)state;
    number = keep_one_of_three(&a, &b, &c, shop_stock, &first);
    sql(&b, "INSERT INTO client VALUES (1, 'Old1')");
    work(&b);
    sql(&b, "INSERT INTO client VALUES (2, 'Old2')");
    work(&b);
    sql(&b, "INSERT INTO client VALUES (3, 'Old3'); UPDATE client SET name = 'Older' WHERE id = 1");
    meet(&a, &b);
    put_pc_back(&b);
    sql(&b, "INSERT INTO client VALUES (1, 'New1')");
    meet(&b, &c);
    put_pc_back(&b);
    assert_int_equal(stage_one_of(&a, &b, &first, number), ERR_NONE);
    meet(&b, &c);
    expect_both(&b, &c, clients, "New1 Old1");
    meet(&b, &a); /* a hears of it first, and must not give up what b has yet to say */
    meet(&b, &c);
    meet(&a, &c);
    expect_both(&a, &b, clients, "New1 Old2 Old3 Older");
    expect(&c, clients, "New1 Old2 Old3 Older");
    close_pair(&a, &b);
    close_site(&c);
}

static void two_pcs_that_went_back_at_once_find_together(void **state)
{
    struct site a, b, c;

    (void)state;
    open_pair(&a, &b, shop_stock, shop_stock);
    join_third(&a, &b, &c, shop_stock);
    meet(&b, &a);
    keep_pc(&a);
    keep_pc(&b);
    sql(&a, "INSERT INTO client VALUES (1, 'A1')");
    sql(&b, "INSERT INTO client VALUES (1, 'B1')");
    meet(&a, &b);
    meet(&a, &c);
    put_pc_back(&a);
    put_pc_back(&b);
    sql(&a, "INSERT INTO client VALUES (1, 'A2')");
    sql(&b, "INSERT INTO client VALUES (1, 'B2')");
    meet(&a, &b);
    expect_both(&a, &b, clients, "A2 B2");
    meet(&c, &b);
    meet(&c, &a);
    meet(&a, &b);
    meet(&c, &b);
    expect_both(&a, &b, clients, "A1 A2 B1 B2");
    expect(&c, clients, "A1 A2 B1 B2");
    close_site(&c);
    close_pair(&a, &b);
}

/* Only the agent's home was put back: the marks that it had drained are drained again. They say the
 * same of the same rows. */
static void rows_that_are_drained_again_are_not_doubled(void **state)
{
    struct site a, b;

    (void)state;
    open_counting_pair(&a, &b, shop_stock, "article.stock");
    sql(&b, "INSERT INTO client VALUES (1, 'Ana'); INSERT INTO article VALUES ('R', 100)");
    meet(&a, &b);
    keep_pc(&b);
    sql(&b, "INSERT INTO client VALUES (2, 'Bea'); INSERT INTO ticket VALUES (1, 'T1', 2);"
            "UPDATE article SET stock = stock - 1");
    work(&b);
    sql(&b, "INSERT INTO client VALUES (3, 'Cleo'); UPDATE client SET name = 'Anna' WHERE id = 1;"
            "UPDATE article SET stock = stock - 20");
    meet(&a, &b);
    put_ledger_back(&b);
    tick(&b);
    open_store(&b);
    work(&b);
    sql(&b, "INSERT INTO client VALUES (4, 'Dora'); UPDATE client SET name = 'Annie' WHERE id = 1;"
            "UPDATE article SET stock = stock - 300");
    meet(&a, &b);
    expect_both(&a, &b, clients, "Annie Bea Cleo Dora");
    expect_both(&a, &b, tickets, "Bea");
    expect_both(&a, &b, "SELECT stock FROM article", "-221");
    close_pair(&a, &b);
}

/* What the application wrote meanwhile is drained before what was forgotten is taken in: only then
 * it shows whether it is the same. */
static void what_was_forgotten_waits_for_what_is_not_drained(void **state)
{
    struct actor before;
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop_stock, shop_stock);
    sql(&b, "INSERT INTO client VALUES (1, 'Ana')");
    meet(&a, &b);
    before = *store_actor(b.store);
    work(&b);
    keep_ledger(&b);
    sql(&b, "INSERT INTO client VALUES (2, 'Bea')");
    meet(&a, &b);
    put_ledger_back(&b);
    open_store(&b);
    sql(&b, "INSERT INTO client VALUES (3, 'Cleo')");
    assert_int_equal(stage_one_of(&a, &b, &before, vector_get(store_have(b.store), &before)),
                     ERR_BUSY);
    assert_true(actor_equal(&before, store_actor(b.store)));
    meet(&a, &b);
    assert_false(actor_equal(&before, store_actor(b.store)));
    expect_both(&a, &b, clients, "Ana Bea Cleo");
    close_pair(&a, &b);
}

/* A hundred of an article, a counter; of b there is a copy. */
static void open_pair_with_stock(struct site *a, struct site *b)
{
    open_pair(a, b, shop_stock, shop_stock);
    make_counters(a, "article.stock", true);
    share_rules(a, b);
    sql(b, "INSERT INTO article VALUES ('R', 100)");
    meet(a, b);
    keep_pc(b);
}

/* All that tells that these marks were drained before is a row that has come and gone since. */
static void a_row_that_came_and_went_tells_that_its_marks_are_drained_again(void **state)
{
    struct site a, b;

    (void)state;
    open_pair_with_stock(&a, &b);
    sql(&b, "INSERT INTO client VALUES (2, 'Bea')");
    work(&b);
    sql(&b, "DELETE FROM client; UPDATE article SET stock = stock - 1");
    meet(&a, &b);
    put_ledger_back(&b);
    tick(&b);
    open_store(&b);
    meet(&a, &b);
    expect_both(&a, &b, "SELECT stock, (SELECT count(*) FROM client) FROM article", "99|0");
    close_pair(&a, &b);
}

/* The application sold on before the agent drained again. */
static void what_is_sold_before_marks_are_drained_again_counts_once(void **state)
{
    struct site a, b;

    (void)state;
    open_pair_with_stock(&a, &b);
    sql(&b, "INSERT INTO client VALUES (2, 'Bea'); UPDATE article SET stock = stock - 1");
    meet(&a, &b);
    put_ledger_back(&b);
    later();
    sql(&b, "UPDATE article SET stock = stock - 20");
    tick(&b);
    open_store(&b);
    meet(&a, &b);
    expect_both(&a, &b, "SELECT stock FROM article", "79");
    close_pair(&a, &b);
}

/* The database goes back to when it held what was said again since, and is sold from. */
static void a_database_holds_what_was_said_again_since(void **state)
{
    struct site a, b;

    (void)state;
    open_counting_pair(&a, &b, shop_stock, "article.stock");
    meet(&a, &b);
    keep_pc(&b);
    sql(&b, "INSERT INTO client VALUES (2, 'Bea')");
    meet(&a, &b);
    put_pc_back(&b);
    later();
    sql(&b, "INSERT INTO article VALUES ('R', 100); INSERT INTO client VALUES (3, 'Cleo')");
    work(&b);
    keep_database(&b);
    meet(&a, &b);
    expect_both(&a, &b, clients, "Bea Cleo");
    put_database_back(&b, &b);
    later();
    sql(&b, "UPDATE article SET stock = stock - 20; UPDATE client SET name = 'Clea' WHERE id = 3");
    tick(&b);
    open_store(&b);
    meet(&a, &b);
    expect_both(&a, &b, "SELECT stock FROM article", "80");
    expect_both(&a, &b, clients, "Bea Clea");
    close_pair(&a, &b);
}

/* It sold after the agent had drained again; the stamps of change-sets run ahead of its clock,
 * because another PC's does. */
static void
what_is_sold_after_marks_are_drained_again_counts_although_stamps_run_ahead(void **state)
{
    struct site a, b;

    (void)state;
    open_counting_pair(&a, &b, shop_stock, "article.stock");
    sql(&a, "INSERT INTO client VALUES (2, 'Bea'); UPDATE _navette_dirty SET t = t + 0.001");
    meet(&a, &b);
    keep_pc(&b);
    sql(&b, "INSERT INTO article VALUES ('R', 100)");
    work(&b);
    sql(&b, "INSERT INTO client VALUES (3, 'Cleo')");
    meet(&a, &b);
    put_ledger_back(&b);
    open_store(&b);
    work(&b);
    later();
    sql(&b, "UPDATE article SET stock = stock - 20");
    work(&b);
    meet(&a, &b);
    expect_both(&a, &b, "SELECT stock FROM article", "80");
    close_pair(&a, &b);
}

/* The copy of the second time is of after the marks were drained again, and of before that was said
 * again. So it comes back beside the other history. */
static void what_was_drained_again_is_said_again_once(void **state)
{
    struct site a, b;

    (void)state;
    open_pair_with_stock(&a, &b);
    sql(&b, "INSERT INTO client VALUES (2, 'Bea'); UPDATE article SET stock = stock - 1");
    meet(&a, &b);
    put_ledger_back(&b);
    later();
    sql(&b, "INSERT INTO client VALUES (3, 'Cleo'); UPDATE article SET stock = stock - 20");
    tick(&b);
    open_store(&b);
    keep_pc(&b);
    meet(&a, &b);
    expect_both(&a, &b, "SELECT stock FROM article", "79");
    put_pc_back(&b);
    meet(&a, &b);
    expect_both(&a, &b, "SELECT stock FROM article", "79");
    expect_both(&a, &b, clients, "Bea Cleo");
    close_pair(&a, &b);
}

/* A row that was said and whose key has moved since, along with that of a row that it names, has
 * not gone. */
static void a_row_whose_key_moved_along_stays_when_its_marks_are_drained_again(void **state)
{
    static const char schema[] =
        "CREATE TABLE client(id INTEGER PRIMARY KEY, name TEXT);"
        "CREATE TABLE link(a INTEGER REFERENCES client(id), b INTEGER REFERENCES client(id),"
        " word TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&b, "INSERT INTO client VALUES (1, 'Ama'), (2, 'Ben')");
    meet(&a, &b);
    keep_pc(&b);
    sql(&b, "INSERT INTO link VALUES (1, 2, 'x')");
    meet(&a, &b);
    put_ledger_back(&b);
    later();
    sql(&b, "BEGIN; PRAGMA defer_foreign_keys = ON; UPDATE client SET id = 30 WHERE id = 1;"
            "UPDATE link SET a = 30 WHERE a = 1; COMMIT");
    tick(&b);
    open_store(&b);
    assert_int_equal(store_state(b.store), STORE_READY);
    meet(&a, &b);
    expect(&b, "SELECT a, b, word FROM link", "30|2|x");
    expect(&a, "SELECT word FROM link", "x");
    close_pair(&a, &b);
}

/* Another PC has marked a number that this one gave and forgot. What this one says now has the
 * number of the change-set that the mark waits for, so that the mark comes before what it marks. */
static void a_mark_stays_that_comes_before_the_number_it_marks(void **state)
{
    struct site a, b;
    struct doomed d;

    (void)state;
    open_doomed_pair(&a, &b, &d, NULL, shop_stock);
    keep_pc(&a);
    sql(&b, "INSERT INTO ticket VALUES (1, 'T1', NULL)");
    work(&b);
    while (wall_ms() <=
           d.ms) /* the clock of the PC that is not doomed, whose ticket is the later */
        ;
    sql(&a, "INSERT INTO ticket VALUES (1, 'T1', NULL)");
    work(&a);
    d.ms += 60000; /* whose number it is has had the time to say it */
    carry(&a, &b);
    work(&b);
    d.ms += 60000;
    work(&b);
    sql(&b, "DELETE FROM ticket WHERE number = 'T1'");
    work(&b);
    put_pc_back(&a);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana')");
    work(&a);
    carry_own(&b, &a);
    work(&a);
    meet(&a, &b);
    expect_both(&a, &b, clients, "Ana");
    expect_both(&a, &b, "SELECT number FROM ticket", "#A-T1");
    close_doomed_pair(&a, &b, &d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pc_that_went_back_gets_its_own_change_sets_back),
        cmocka_unit_test(a_pc_that_went_back_and_sold_on_keeps_every_sale),
        cmocka_unit_test(histories_that_part_far_below_their_ends_are_followed_back),
        cmocka_unit_test(an_older_peer_that_took_the_new_history_ends_with_both),
        cmocka_unit_test(what_was_sold_in_either_history_is_off_the_stock_once),
        cmocka_unit_test(a_pc_that_went_back_twice_keeps_every_sale),
        cmocka_unit_test(what_follows_a_change_set_that_was_said_again_is_said_again_too),
        cmocka_unit_test(two_pcs_that_went_back_at_once_find_together),
        cmocka_unit_test(rows_that_are_drained_again_are_not_doubled),
        cmocka_unit_test(what_was_forgotten_waits_for_what_is_not_drained),
        cmocka_unit_test(a_row_that_came_and_went_tells_that_its_marks_are_drained_again),
        cmocka_unit_test(what_is_sold_before_marks_are_drained_again_counts_once),
        cmocka_unit_test(
            what_is_sold_after_marks_are_drained_again_counts_although_stamps_run_ahead),
        cmocka_unit_test(a_database_holds_what_was_said_again_since),
        cmocka_unit_test(what_was_drained_again_is_said_again_once),
        cmocka_unit_test(a_row_whose_key_moved_along_stays_when_its_marks_are_drained_again),
        cmocka_unit_test(a_mark_stays_that_comes_before_the_number_it_marks),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
