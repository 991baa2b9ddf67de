/* UNIQUE values that several PCs gave apart: nothing is lost, all files agree, and the numbering
 * of the tills goes on. Also of batch_unique.c, repair.c. */
#include "unit/three_pcs.h"

static const char tickets[] = "CREATE TABLE sale(id INTEGER PRIMARY KEY AUTOINCREMENT, number TEXT "
                              "NOT NULL UNIQUE, total INT);"
                              "CREATE TABLE line(id INTEGER PRIMARY KEY AUTOINCREMENT, sale_id INT "
                              "NOT NULL REFERENCES sale(id),"
                              " what TEXT);";

static const char sales[] = "SELECT s.number, s.total, l.what FROM sale s JOIN line l ON l.sale_id "
                            "= s.id ORDER BY s.number";

/* As a till does: the next number after the highest, with one line. */
static void sell(struct site *s, int total, const char *what)
{
    char text[512];

    snprintf(text, sizeof text,
             "INSERT INTO sale(number, total) SELECT 'TKT' || printf('%%03d', coalesce("
             "CAST(substr(max(number), 4) AS INT), 0) + 1), %d FROM sale;"
             "INSERT INTO line(sale_id, what) SELECT max(id), '%s' FROM sale",
             total, what);
    sql(s, text);
    later();
}

static void two_tills_that_gave_one_number_keep_both_sales(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, tickets, tickets);
    sell(&a, 10, "first of A");
    sell(&b, 20, "first of B");
    exchange(&a, &b);
    expect(&a, sales, "#B-TKT001|20|first of B TKT001|10|first of A");
    expect_same(&a, &b, sales);
    expect(&b, "SELECT id FROM sale WHERE total = 20", "1");
    assert_int_equal(status_of(&a).parked, 0);
    assert_int_equal(status_of(&b).parked, 0);
    assert_int_equal(status_of(&a).conflicts, 1);
    assert_int_equal(status_of(&b).conflicts, 1);
    sell(&b, 30, "second of B");
    exchange(&a, &b);
    sell(&a, 40, "second of A");
    exchange(&a, &b);
    expect(&b, sales,
           "#B-TKT001|20|first of B TKT001|10|first of A TKT002|30|second of B"
           " TKT003|40|second of A");
    expect_same(&a, &b, sales);
    close_pair(&a, &b);
}

/* Only the author of the value that yields says so, once; a row that changes otherwise keeps it. */
static void a_mark_is_said_once_and_stays(void **state)
{
    struct site a, b;
    uint64_t by_a, by_b;

    (void)state;
    open_pair(&a, &b, tickets, tickets);
    sell(&a, 10, "of A");
    sell(&b, 20, "of B");
    work(&a);
    work(&b);
    by_a = made_by(&a);
    by_b = made_by(&b);
    exchange(&a, &b);
    assert_int_equal(made_by(&a), by_a);
    assert_int_equal(made_by(&b), by_b + 1);
    sql(&a, "UPDATE sale SET total = 21 WHERE total = 20");
    exchange(&a, &b);
    sql(&a, "DELETE FROM line WHERE what = 'of A'; DELETE FROM sale WHERE number = 'TKT001'");
    exchange(&a, &b);
    expect(&b, sales, "#B-TKT001|21|of B");
    expect_same(&a, &b, sales);
    sql(&b, "UPDATE sale SET number = 'TKT050'");
    exchange(&a, &b);
    expect(&a, sales, "TKT050|21|of B");
    expect_same(&a, &b, sales);
    close_pair(&a, &b);
}

/* In whatever order they meet. */
static void five_tills_that_gave_one_number_keep_all_sales(void **state)
{
    static const int orders[][4][2] = {{{0, 1}, {1, 2}, {2, 3}, {3, 4}},
                                       {{3, 4}, {0, 4}, {1, 2}, {2, 4}},
                                       {{4, 2}, {1, 3}, {3, 2}, {0, 1}}};
    static const char *const names[] = {"A", "B", "C", "D", "E"};

    (void)state;
    for (size_t o = 0; o < COUNT_OF(orders); o++) {
        struct site s[5] = {0};

        open_founder(&s[0], tickets);
        for (int i = 1; i < 5; i++)
            join_site(&s[0], &s[i], names[i], tickets);
        for (int i = 1; i < 4; i++) {
            struct err e = {0};
            bool changed;

            check(roster_merge(&s[i].roster, buf_slice(&s[0].roster.log), &changed, &e), &e);
        }
        for (int i = 0; i < 5; i++)
            sell(&s[i], 10 + i, names[i]);
        for (size_t m = 0; m < COUNT_OF(orders[o]); m++)
            exchange(&s[orders[o][m][0]], &s[orders[o][m][1]]);
        for (int round = 0; round < 2; round++)
            for (int i = 1; i < 5; i++)
                exchange(&s[0], &s[i]);
        for (int i = 0; i < 5; i++) {
            expect(&s[i], sales,
                   "#B-TKT001|11|B #C-TKT001|12|C #D-TKT001|13|D #E-TKT001|14|E TKT001|10|A");
            assert_int_equal(status_of(&s[i]).parked, 0);
        }
        for (int i = 0; i < 5; i++)
            close_site(&s[i]);
    }
}

static void when_the_author_is_away_another_says_it_and_both_say_the_same(void **state)
{
    struct site a = {0}, b = {0}, c = {0};
    uint64_t by_a;
    struct err e = {0};
    bool changed;

    (void)state;
    open_founder(&a, tickets);
    join_site(&a, &b, "B", tickets);
    join_site(&a, &c, "C", tickets);
    check(roster_merge(&b.roster, buf_slice(&a.roster.log), &changed, &e), &e);
    sell(&a, 10, "of A");
    sell(&b, 20, "of B");
    work(&a);
    work(&b);
    carry(&b, &c);
    carry(&a, &c); /* B has not heard of A's sale */
    work(&c);
    expect(&c, sales, "#B-TKT001|20|of B TKT001|10|of A");
    by_a = made_by(&c);
    drain_all(&c);
    assert_int_equal(made_by(&c), by_a);
    c.now_ms += 31000;
    drain_all(&c);
    assert_int_equal(made_by(&c), by_a + 1);
    exchange(&a, &b);
    exchange(&a, &c);
    exchange(&b, &c);
    expect(&c, sales, "#B-TKT001|20|of B TKT001|10|of A");
    expect_same(&c, &a, sales);
    expect_same(&c, &b, sales);
    close_pair(&a, &b);
    close_site(&c);
}

static void a_mark_that_is_taken_is_put_twice(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, tickets, tickets);
    sql(&a, "INSERT INTO sale VALUES (50, '#B-TKT001', 1);"
            "INSERT INTO line(sale_id, what) VALUES (50, 'odd')");
    later();
    sql(&a, "INSERT INTO sale VALUES (1, 'TKT001', 10);"
            "INSERT INTO line(sale_id, what) VALUES (1, 'of A')");
    later();
    sql(&b, "INSERT INTO sale VALUES (1, 'TKT001', 20);"
            "INSERT INTO line(sale_id, what) VALUES (1, 'of B')");
    exchange(&a, &b);
    expect(&a, sales, "#B-#B-TKT001|20|of B #B-TKT001|1|odd TKT001|10|of A");
    expect_same(&a, &b, sales);
    close_pair(&a, &b);
}

/* Deleted at A, and in B's file because a line there refers to it: it makes room. */
static void a_dead_row_that_is_kept_yields_to_a_living_one(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, tickets, tickets);
    sell(&a, 10, "first");
    exchange(&a, &b);
    sql(&b, "INSERT INTO line(sale_id, what) VALUES (1, 'late')");
    later();
    sql(&a, "DELETE FROM line; DELETE FROM sale");
    later();
    sql(&a, "INSERT INTO sale VALUES (7, 'TKT001', 70);"
            "INSERT INTO line(sale_id, what) VALUES (7, 'new')");
    exchange(&a, &b);
    expect(&a, "SELECT number, total FROM sale WHERE total = 70", "TKT001|70");
    expect(&b, "SELECT number, total FROM sale WHERE total = 70", "TKT001|70");
    expect(&b, "SELECT count(*) FROM line WHERE what = 'late'", "1");
    expect_same(&a, &b, sales);
    assert_int_equal(status_of(&b).staged, 0);
    close_pair(&a, &b);
}

static void keys_of_every_kind_are_settled(void **state)
{
    static const char schema[] =
        "CREATE TABLE shop(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE);"
        "CREATE TABLE bill(id INTEGER PRIMARY KEY, shop_id INT REFERENCES shop(id), number TEXT,"
        " open INT, code TEXT, UNIQUE(shop_id, number));"
        "CREATE UNIQUE INDEX bill_code ON bill(code) WHERE open = 1;";
    static const char bills[] =
        "SELECT s.name, b.number, b.open, b.code FROM bill b JOIN shop s ON s.id = b.shop_id"
        " ORDER BY s.name, b.number, b.code";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO shop VALUES (1, 'Essos'), (2, 'Mokolo')");
    exchange(&a, &b);
    sql(&a, "INSERT INTO bill VALUES (1, 1, 'F1', 0, 'x'), (2, 2, 'F1', 1, 'y');"
            "INSERT INTO shop VALUES (3, 'nsam')");
    later();
    sql(&b, "INSERT INTO bill VALUES (1, 1, 'F1', 0, 'x'), (2, 2, 'F2', 1, 'y');"
            "INSERT INTO shop VALUES (3, 'NSAM')");
    exchange(&a, &b);
    expect(&a, bills, "Essos|#B-F1|0|x Essos|F1|0|x Mokolo|F1|1|y Mokolo|F2|1|#B-y");
    expect_same(&a, &b, bills);
    expect(&a, "SELECT name FROM shop ORDER BY name", "#B-NSAM Essos Mokolo nsam");
    expect_same(&a, &b, "SELECT name FROM shop ORDER BY name");
    assert_int_equal(status_of(&a).parked, 0);
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

static void an_edit_that_takes_a_number_elsewhere_given_yields_too(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, tickets, tickets);
    sell(&a, 10, "one");
    sell(&a, 20, "two");
    exchange(&a, &b);
    sell(&a, 30, "three");
    sql(&b, "UPDATE sale SET number = 'TKT003' WHERE total = 20");
    exchange(&a, &b);
    expect(&a, sales, "#B-TKT003|20|two TKT001|10|one TKT003|30|three");
    expect_same(&a, &b, sales);
    close_pair(&a, &b);
}

/* What is another one's to say holds up nothing, and what was said is known here, too. */
static void of_two_values_that_yield_in_one_row_the_own_one_is_said(void **state)
{
    static const char goods[] =
        "CREATE TABLE article(id INTEGER PRIMARY KEY, bar TEXT UNIQUE, code TEXT UNIQUE, n INT)";
    static const char first[] = "SELECT bar, code FROM article WHERE n = 1";
    struct site a, b, c;

    (void)state;
    open_three(&a, &b, &c, goods);
    sql(&a, "INSERT INTO article VALUES (1, NULL, NULL, 1)");
    exchange(&a, &b);
    exchange(&a, &c);
    sql(&c, "INSERT INTO article VALUES (2, 'Y', NULL, 2), (3, NULL, 'X', 3)");
    later();
    sql(&a, "UPDATE article SET code = 'X'");
    sql(&b, "UPDATE article SET bar = 'Y'");
    exchange(&a, &b);
    exchange(&b, &c);
    expect(&b, first, "#B-Y|#A-X");
    sql(&c, "DELETE FROM article WHERE n = 2");
    exchange(&b, &c);
    exchange(&a, &b);
    exchange(&a, &c);
    exchange(&b, &c);
    expect(&a, first, "#B-Y|#A-X");
    expect(&b, first, "#B-Y|#A-X");
    expect(&c, first, "#B-Y|#A-X");
    close_pair(&a, &b);
    close_site(&c);
}

/* It was deleted, a line of it came that nobody had seen, and its number was given again. */
static void a_dead_row_that_yielded_and_is_kept_is_still_kept_up_to_date(void **state)
{
    struct site a, b, c;

    (void)state;
    open_three(&a, &b, &c, tickets);
    sell(&a, 10, "of A");
    exchange(&a, &b);
    exchange(&a, &c);
    sql(&c, "UPDATE sale SET total = 99");
    sql(&a, "INSERT INTO line(sale_id, what) VALUES (1, 'unseen')");
    later();
    sql(&b, "DELETE FROM line; DELETE FROM sale");
    sell(&b, 20, "of B");
    exchange(&a, &b);
    expect(&b, "SELECT number, total FROM sale ORDER BY total", "#A-TKT001|10 TKT001|20");
    exchange(&b, &c);
    expect(&b, "SELECT number, total FROM sale ORDER BY total", "TKT001|20 #A-TKT001|99");
    exchange(&a, &b);
    exchange(&a, &c);
    expect_same(&a, &b, sales);
    expect_same(&a, &c, sales);
    close_pair(&a, &b);
    close_site(&c);
}

/* Whichever of them is written first. */
static void rows_that_refer_to_each_other_yield_too(void **state)
{
    static const char people[] = "CREATE TABLE person(id INTEGER PRIMARY KEY, code TEXT UNIQUE,"
                                 " deputy INT REFERENCES person(id) DEFERRABLE INITIALLY DEFERRED)";
    static const char pairs[] = "SELECT p.code, d.code FROM person p LEFT JOIN person d"
                                " ON d.id = p.deputy ORDER BY p.code";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, people, people);
    sql(&b, "INSERT INTO person VALUES (1, 'S', NULL), (2, 'X', NULL)");
    later();
    sql(&a, "BEGIN; INSERT INTO person VALUES (1, 'S', 2), (2, 'T', 3), (3, 'U', 1);"
            "INSERT INTO person VALUES (4, 'X', 6), (5, 'Y', 4), (6, 'Z', 5); COMMIT");
    work(&a);
    carry(&a, &b);
    work(&b);
    expect(&b, pairs, "#A-S|T #A-X|Z S|NULL T|U U|#A-S X|NULL Y|#A-X Z|Y");
    assert_int_equal(status_of(&b).parked, 0);
    exchange(&a, &b);
    expect_same(&a, &b, pairs);
    close_pair(&a, &b);
}

/* A parent that comes back wants the code that its child has taken over meanwhile, and the child
 * gives it up, but waits for the parent. */
static void a_row_hands_its_code_back_to_the_parent_it_waits_for(void **state)
{
    static const char people[] = "CREATE TABLE person(id INTEGER PRIMARY KEY, code TEXT UNIQUE,"
                                 " chief INT REFERENCES person(id), note)";
    static const char chiefs[] = "SELECT p.code, c.code, p.note FROM person p LEFT JOIN person c"
                                 " ON c.id = p.chief ORDER BY p.code";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, people, people);
    sql(&a, "INSERT INTO person VALUES (1, 'S', NULL, 'x'), (2, 'T', NULL, 'y')");
    exchange(&a, &b);
    sql(&b, "DELETE FROM person WHERE id = 1; UPDATE person SET code = 'S' WHERE id = 2");
    work(&b);
    later();
    sql(&a, "UPDATE person SET note = 'z' WHERE id = 1;"
            "UPDATE person SET code = 'U', chief = 1 WHERE id = 2");
    exchange(&a, &b);
    expect(&b, chiefs, "S|NULL|z U|S|y");
    expect_same(&a, &b, chiefs);
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

/* One waits for the other to let go of a number, and that one for the first to say which of them
 * has what both want. */
static void rows_that_wait_for_each_other_yield_too(void **state)
{
    static const char bills[] = "CREATE TABLE bill(id INTEGER PRIMARY KEY, number TEXT UNIQUE,"
                                " ticket TEXT UNIQUE)";
    static const char all[] = "SELECT * FROM bill ORDER BY id";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, bills, bills);
    sql(&a, "INSERT INTO bill VALUES (1, 'N1', 'T1'), (2, 'N2', 'T2')");
    exchange(&a, &b);
    sql(&a, "UPDATE bill SET ticket = 'T3' WHERE id = 1");
    later();
    sql(&b, "BEGIN; UPDATE bill SET number = 'N3', ticket = 'T3' WHERE id = 2;"
            "UPDATE bill SET number = 'N2' WHERE id = 1; COMMIT");
    work(&a);
    work(&b);
    carry(&b, &a);
    work(&a);
    expect(&a, all, "1|N2|T3 2|N3|#B-T3");
    assert_int_equal(status_of(&a).parked, 0);
    exchange(&a, &b);
    expect(&b, all, "1|N2|T3 2|N3|#B-T3");
    expect_same(&a, &b, all);
    close_pair(&a, &b);
}

/* The parent wants what its child shows, a mark, and the child waits for the parent: it is about to
 * show the same again, since what it wants itself is another's. */
static void a_row_that_shows_a_mark_yields_it_to_the_parent_it_waits_for(void **state)
{
    static const char people[] = "CREATE TABLE person(id INTEGER PRIMARY KEY, code TEXT UNIQUE,"
                                 " chief INT REFERENCES person(id))";
    static const char chiefs[] = "SELECT p.code, c.code FROM person p LEFT JOIN person c"
                                 " ON c.id = p.chief ORDER BY p.code";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, people, people);
    sql(&a, "INSERT INTO person VALUES (1, 'S', NULL)");
    work(&a);
    later();
    sql(&b, "INSERT INTO person VALUES (1, 'S', NULL)");
    work(&b);
    carry(&b, &a);
    work(&a);
    sql(&b,
        "INSERT INTO person VALUES (2, '#B-S', NULL); UPDATE person SET chief = 2 WHERE id = 1");
    work(&b);
    carry(&b, &a);
    work(&a);
    expect(&a, chiefs, "#B-#B-S|#B-S #B-S|NULL S|NULL");
    assert_int_equal(status_of(&a).parked, 0);
    exchange(&a, &b);
    expect_same(&a, &b, chiefs);
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_tills_that_gave_one_number_keep_both_sales),
        cmocka_unit_test(a_mark_is_said_once_and_stays),
        cmocka_unit_test(five_tills_that_gave_one_number_keep_all_sales),
        cmocka_unit_test(when_the_author_is_away_another_says_it_and_both_say_the_same),
        cmocka_unit_test(a_mark_that_is_taken_is_put_twice),
        cmocka_unit_test(a_dead_row_that_is_kept_yields_to_a_living_one),
        cmocka_unit_test(keys_of_every_kind_are_settled),
        cmocka_unit_test(an_edit_that_takes_a_number_elsewhere_given_yields_too),
        cmocka_unit_test(of_two_values_that_yield_in_one_row_the_own_one_is_said),
        cmocka_unit_test(a_dead_row_that_yielded_and_is_kept_is_still_kept_up_to_date),
        cmocka_unit_test(rows_that_refer_to_each_other_yield_too),
        cmocka_unit_test(a_row_hands_its_code_back_to_the_parent_it_waits_for),
        cmocka_unit_test(rows_that_wait_for_each_other_yield_too),
        cmocka_unit_test(a_row_that_shows_a_mark_yields_it_to_the_parent_it_waits_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
