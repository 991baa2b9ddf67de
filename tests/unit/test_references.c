/* Foreign keys to UNIQUE keys that are not the primary one: on whole stores. Also of appref.c,
 * batch_follow.c, batch_refer.c. */
#include "ruled.h"

#include <navette/conflicts.h>

static const char tills[] =
    "CREATE TABLE sale(id INTEGER PRIMARY KEY, number TEXT UNIQUE, total INT);"
    "CREATE TABLE line(id INTEGER PRIMARY KEY,"
    " sale TEXT NOT NULL REFERENCES sale(number) ON UPDATE CASCADE, what TEXT)";

static const char lines[] =
    "SELECT s.number, s.total, l.what FROM line l JOIN sale s ON s.number = "
    "l.sale ORDER BY s.total, l.what";

static void lines_go_along_with_the_number_that_yields(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, tills, tills);
    sql(&a, "INSERT INTO sale VALUES (1, 'T1', 10); INSERT INTO line VALUES (1, 'T1', 'of A')");
    later();
    sql(&b, "INSERT INTO sale VALUES (1, 'T1', 20); INSERT INTO line VALUES (1, 'T1', 'of B')");
    exchange(&a, &b);
    expect(&a, lines, "T1|10|of A #B-T1|20|of B");
    expect(&b, lines, "T1|10|of A #B-T1|20|of B");
    assert_int_equal(status_of(&a).parked, 0);
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

/* What a projection wrote is no edit of the application, and a row saved whole says nothing new. */
static void what_a_line_shows_is_never_taken_for_an_edit(void **state)
{
    uint64_t made[2];
    struct site a, b;

    (void)state;
    open_pair(&a, &b, tills, tills);
    sql(&a, "INSERT INTO sale VALUES (1, 'T1', 10); INSERT INTO line VALUES (1, 'T1', 'of A')");
    later();
    sql(&b, "INSERT INTO sale VALUES (1, 'T1', 20); INSERT INTO line VALUES (1, 'T1', 'of B')");
    exchange(&a, &b);
    exchange(&a, &b);
    made[0] = made_by(&a);
    made[1] = made_by(&b);
    sql(&a, "UPDATE line SET sale = sale, what = what");
    sql(&b, "UPDATE line SET sale = sale, what = what; UPDATE sale SET number = number");
    exchange(&a, &b);
    assert_int_equal(made_by(&a), made[0]);
    assert_int_equal(made_by(&b), made[1]);
    expect(&b, lines, "T1|10|of A #B-T1|20|of B");
    close_pair(&a, &b);
}

static void a_line_made_elsewhere_follows_the_number_that_was_changed(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, tills, tills);
    sql(&a, "INSERT INTO sale VALUES (1, 'T1', 10); INSERT INTO line VALUES (1, 'T1', 'old')");
    exchange(&a, &b);
    sql(&a, "UPDATE sale SET number = 'T9'");
    sql(&b, "INSERT INTO line VALUES (7, 'T1', 'new')");
    exchange(&a, &b);
    expect(&a, lines, "T9|10|new T9|10|old");
    expect(&b, lines, "T9|10|new T9|10|old");
    sql(&b, "UPDATE sale SET number = 'T10'"); /* and its cascade is no other news */
    exchange(&a, &b);
    expect(&a, lines, "T10|10|new T10|10|old");
    assert_int_equal(status_of(&a).parked, 0);
    close_pair(&a, &b);
}

static void numbers_that_are_swapped_take_their_lines_along(void **state)
{
    static const char schema[] =
        "CREATE TABLE sale(id INTEGER PRIMARY KEY, number TEXT UNIQUE, total INT);"
        "CREATE TABLE bill(id INTEGER PRIMARY KEY, sale TEXT UNIQUE REFERENCES sale(number)"
        " ON UPDATE CASCADE, what TEXT)";
    static const char bills[] =
        "SELECT s.number, s.total, b.what FROM bill b JOIN sale s ON s.number = b.sale ORDER BY 2";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO sale VALUES (1, 'T1', 10), (2, 'T2', 20), (3, 'T3', 30);"
            "INSERT INTO bill VALUES (1, 'T1', 'one'), (2, 'T2', 'two'), (3, 'T3', 'three')");
    exchange(&a, &b);
    sql(&a, "BEGIN; UPDATE sale SET number = 'x' WHERE id = 1; UPDATE sale SET number = 'T1' WHERE "
            "id = 2; UPDATE sale SET number = 'T3x' WHERE id = 3;"
            "UPDATE sale SET number = 'T2' WHERE id = 1; COMMIT");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, bills, "T2|10|one T1|20|two T3x|30|three");
    expect(&b, bills, "T2|10|one T1|20|two T3x|30|three");
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

static void a_parent_without_its_value_waits_for_it(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, tills, tills);
    sql(&a, "INSERT INTO sale VALUES (1, 'T1', 10)");
    exchange(&a, &b);
    sql(&a, "UPDATE sale SET number = NULL");
    sql(&b, "INSERT INTO line VALUES (7, 'T1', 'new')");
    exchange(&a, &b);
    expect(&b, "SELECT number FROM sale", "T1"); /* its line needs it */
    expect(&a, "SELECT count(*) FROM line", "0");
    assert_int_equal(status_of(&a).parked, 1);
    assert_int_equal(status_of(&b).parked, 1);
    sql(&a, "UPDATE sale SET number = 'T5'");
    exchange(&a, &b);
    expect(&a, lines, "T5|10|new");
    expect(&b, lines, "T5|10|new");
    assert_int_equal(status_of(&a).parked, 0);
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

static void a_parent_deleted_elsewhere_stays_for_its_new_line(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, tills, tills);
    sql(&a, "INSERT INTO sale VALUES (1, 'T1', 10), (2, 'T2', 20)");
    exchange(&a, &b);
    sql(&a, "DELETE FROM sale");
    sql(&b, "INSERT INTO line VALUES (7, 'T1', 'new')");
    exchange(&a, &b);
    expect(&a, lines, "T1|10|new");
    expect(&b, lines, "T1|10|new");
    expect(&b, "SELECT count(*) FROM sale", "1");
    sql(&a, "DELETE FROM line");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, "SELECT count(*) FROM sale", "0");
    expect(&b, "SELECT count(*) FROM sale", "0");
    close_pair(&a, &b);
}

/* REPLACE, or delete and insert, by an application that has its foreign keys off or deferred. */
static void lines_whose_number_is_another_rows_now_mean_that_one(void **state)
{
    static const char by_total[] =
        "SELECT s.total, l.what FROM line l JOIN sale s ON s.number = l.sale ORDER BY s.total";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, tills, tills);
    sql(&a, "INSERT INTO sale VALUES (1, 'T1', 10), (2, 'T2', 20);"
            "INSERT INTO line VALUES (1, 'T1', 'one'), (2, 'T2', 'two')");
    exchange(&a, &b);
    sql(&a, "PRAGMA foreign_keys = OFF; DELETE FROM sale WHERE id = 1;"
            "INSERT INTO sale VALUES (5, 'T1', 50); PRAGMA foreign_keys = ON");
    exchange(&a, &b);
    expect(&a, by_total, "20|two 50|one");
    expect(&b, by_total, "20|two 50|one");
    expect(&b, "SELECT count(*) FROM sale", "2");
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

static const char agencies[] =
    "CREATE TABLE agency(id INTEGER PRIMARY KEY, name TEXT);"
    "CREATE TABLE article(id INTEGER PRIMARY KEY, agency INT REFERENCES agency, code TEXT,"
    " UNIQUE(agency, code));"
    "CREATE TABLE move(id INTEGER PRIMARY KEY, agency INT REFERENCES agency, code TEXT, n INT,"
    " FOREIGN KEY(agency, code) REFERENCES article(agency, code) ON UPDATE CASCADE);"
    "CREATE TABLE note(id INTEGER PRIMARY KEY, a INT, c TEXT, n INT,"
    " FOREIGN KEY(a, c) REFERENCES article(agency, code) ON UPDATE CASCADE)";

static const char moves[] = "SELECT g.name, m.code, m.n FROM move m JOIN article a ON a.agency = "
                            "m.agency AND a.code = m.code JOIN agency g ON g.id = a.agency"
                            " UNION ALL SELECT g.name, c, n FROM note JOIN article ON agency = a"
                            " AND code = c JOIN agency g ON g.id = agency ORDER BY 3";

static void keys_of_several_columns_are_followed_as_one(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, agencies, agencies);
    sql(&a, "INSERT INTO agency VALUES (1, 'north'); INSERT INTO article VALUES (1, 1, 'A');"
            "INSERT INTO move VALUES (1, 1, 'A', 1); INSERT INTO note VALUES (1, 1, 'A', 2)");
    sql(&b, "INSERT INTO agency VALUES (1, 'south'); INSERT INTO article VALUES (1, 1, 'A');"
            "INSERT INTO move VALUES (1, 1, 'A', 3); INSERT INTO note VALUES (1, 1, 'A', 4)");
    exchange(&a, &b);
    expect(&a, moves, "north|A|1 north|A|2 south|A|3 south|A|4");
    expect_same(&a, &b, moves);
    sql(&a, "UPDATE article SET code = 'B' WHERE agency = (SELECT id FROM agency WHERE name = "
            "'south')");
    sql(&b, "INSERT INTO move VALUES (50, 1, 'A', 5); INSERT INTO note VALUES (50, 1, 'A', 6)");
    exchange(&a, &b);
    expect(&a, moves, "north|A|1 north|A|2 south|B|3 south|B|4 south|B|5 south|B|6");
    expect_same(&a, &b, moves);
    assert_int_equal(status_of(&a).parked, 0);
    close_pair(&a, &b);
}

/* The move's agency says something by itself as well: it does not follow, so its article cannot
 * leave it dangling. */
static void a_parent_whose_rows_cannot_follow_waits(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, agencies, agencies);
    sql(&a, "INSERT INTO agency VALUES (1, 'north'), (2, 'south');"
            "INSERT INTO article VALUES (1, 1, 'A')");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET agency = 2");
    sql(&b, "INSERT INTO move VALUES (50, 1, 'A', 5)");
    sql(&b, "INSERT INTO note VALUES (50, 1, 'A', 6)");
    exchange(&a, &b);
    expect(&a, moves, "south|A|6"); /* the move waits outside here */
    expect(&b, moves, "north|A|5 north|A|6");
    assert_int_equal(status_of(&a).parked, 1);
    assert_int_equal(status_of(&b).parked, 1);
    sql(&b, "DELETE FROM move");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&b, moves, "south|A|6");
    assert_int_equal(status_of(&a).parked, 0);
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

static void rows_of_a_table_that_stays_here_are_not_left_dangling(void **state)
{
    static const char *const tracked[] = {"sale"}, *const others[] = {"line"};
    struct site a = {0}, b = {0};
    struct err e = {0};

    (void)state;
    open_founder(&a, tills);
    check(store_untrack(a.store, others, 1, a.now_ms, &e), &e);
    open_site(&b, tills);
    enrol_site(&a, &b, "B");
    open_store(&b);
    check(store_track(b.store, tracked, 1, &e), &e);
    match_site(&a, &b, false);
    sql(&a, "INSERT INTO sale VALUES (1, 'T1', 10), (2, 'T2', 20)");
    exchange(&a, &b);
    sql(&b, "INSERT INTO line VALUES (1, 'T1', 'here'), (2, 'T2', 'here')");
    sql(&a, "UPDATE sale SET number = 'T9' WHERE id = 1; DELETE FROM sale WHERE id = 2");
    exchange(&a, &b);
    expect(&b, "SELECT number FROM sale ORDER BY 1", "T1 T2");
    sql(&b, "DELETE FROM line");
    sql(&a, "INSERT INTO sale VALUES (3, 'T3', 30)"); /* nobody is told of the delete: later */
    exchange(&a, &b);
    expect(&b, "SELECT number FROM sale ORDER BY 1", "T3 T9");
    close_pair(&a, &b);
}

static void a_tree_by_codes_is_followed_through_its_marks(void **state)
{
    static const char schema[] =
        "CREATE TABLE family(id INTEGER PRIMARY KEY, code TEXT UNIQUE,"
        " parent TEXT REFERENCES family(code) DEFERRABLE INITIALLY DEFERRED, who TEXT)";
    static const char tree[] = "SELECT f.code, f.who, p.who FROM family f LEFT JOIN family p"
                               " ON p.code = f.parent ORDER BY f.who";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO family VALUES (3, 'C', 'B', 'a3'), (2, 'B', 'A', 'a2'), (1, 'A', NULL, "
            "'a1'), (4, 'D', 'D', 'a4')");
    later();
    sql(&b, "INSERT INTO family VALUES (3, 'C', 'B', 'b3'), (2, 'B', 'A', 'b2'), (1, 'A', NULL, "
            "'b1'), (4, 'D', 'D', 'b4')");
    exchange(&a, &b);
    expect(&a, tree,
           "A|a1|NULL B|a2|a1 C|a3|a2 D|a4|a4 #B-A|b1|NULL #B-B|b2|b1 #B-C|b3|b2 #B-D|b4|b4");
    expect_same(&a, &b, tree);
    assert_int_equal(status_of(&a).parked, 0);
    close_pair(&a, &b);
}

/* A value that is itself a reference: badge 1 : 1 person, visits by badge's person. */
static void a_key_that_is_a_reference_is_shown_in_the_numbers_of_each_pc(void **state)
{
    static const char schema[] =
        "CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT);"
        "CREATE TABLE badge(id INTEGER PRIMARY KEY, person INT UNIQUE REFERENCES person, no TEXT);"
        "CREATE TABLE visit(id INTEGER PRIMARY KEY, badge INT REFERENCES badge(person)"
        " ON UPDATE CASCADE, day TEXT)";
    static const char visits[] = "SELECT day, no, name FROM visit v JOIN badge b ON b.person = "
                                 "v.badge JOIN person p ON p.id = b.person ORDER BY 1";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO person VALUES (1, 'Ana'); INSERT INTO badge VALUES (1, 1, 'x');"
            "INSERT INTO visit VALUES (1, 1, 'mon')");
    sql(&b, "INSERT INTO person VALUES (1, 'Bea'), (2, 'Bob'); INSERT INTO badge VALUES (1, 1, "
            "'y'); INSERT INTO visit VALUES (1, 1, 'tue')");
    exchange(&a, &b);
    expect(&a, visits, "mon|x|Ana tue|y|Bea");
    expect_same(&a, &b, visits);
    sql(&b, "UPDATE badge SET person = 2 WHERE no = 'y'");
    exchange(&a, &b);
    expect(&a, visits, "mon|x|Ana tue|y|Bob");
    expect_same(&a, &b, visits);
    close_pair(&a, &b);
}

static void a_file_put_back_names_the_rows_that_had_the_numbers_then(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, tills, tills);
    sql(&a, "INSERT INTO sale VALUES (1, 'T1', 10); INSERT INTO line VALUES (1, 'T1', 'one')");
    exchange(&a, &b);
    keep_database(&b);
    sql(&a, "UPDATE sale SET number = 'T9'");
    exchange(&a, &b);
    put_database_back(&b, &b);
    open_store(&b);
    sql(&b, "INSERT INTO line VALUES (7, 'T1', 'new')");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, lines, "T9|10|new T9|10|one");
    expect(&b, lines, "T9|10|new T9|10|one");
    close_pair(&a, &b);
}

static void a_copy_is_recognised_with_its_lines(void **state)
{
    struct site a = {0}, b = {0};
    struct err e = {0};

    (void)state;
    open_founder(&a, tills);
    sql(&a, "INSERT INTO sale VALUES (1, 'T1', 10), (2, 'T2', 20);"
            "INSERT INTO line VALUES (1, 'T1', 'one'), (2, 'T2', 'two')");
    work(&a);
    open_site(&b, tills);
    sql(&b, "INSERT INTO sale VALUES (1, 'T1', 10), (2, 'T2', 20);"
            "INSERT INTO line VALUES (1, 'T1', 'one'), (2, 'T2', 'two')");
    enrol_site(&a, &b, "B");
    open_store(&b);
    check(store_track(b.store, NULL, 0, &e), &e);
    match_site(&a, &b, false);
    exchange(&a, &b);
    expect(&a, lines, "T1|10|one T2|20|two");
    expect(&b, lines, "T1|10|one T2|20|two");
    close_pair(&a, &b);
}

static const char orders[] =
    "CREATE TABLE ordr(shop TEXT, no INT, total INT, box TEXT, big TEXT AS (upper(box)) VIRTUAL,"
    " PRIMARY KEY(shop, no)); CREATE UNIQUE INDEX one ON ordr(big);"
    "CREATE TABLE item(shop TEXT, no INT, at INT, what TEXT, PRIMARY KEY(shop, no, at),"
    " FOREIGN KEY(shop, no) REFERENCES ordr(shop, no) ON DELETE CASCADE);"
    "CREATE TABLE note(id INTEGER PRIMARY KEY, shop TEXT, no INT, body TEXT,"
    " FOREIGN KEY(shop, no) REFERENCES ordr DEFERRABLE INITIALLY DEFERRED)";

static const char unnamed[] = "SELECT count(*) FROM pragma_foreign_key_check";

/* A foreign key to a primary key of several columns, plain data all of them: it names the row that
 * has this name. */
static void a_parent_under_several_columns_stays_for_its_new_child(void **state)
{
    static const char *const children[] = {
        "INSERT INTO item VALUES ('N', 1, 1, 'new')",
        "INSERT INTO note VALUES (7, 'N', 1, 'new')",
        "UPDATE note SET no = 1, body = 'new' WHERE id = 1",
    };

    (void)state;
    for (size_t i = 0; i < 2 * COUNT_OF(children); i++) {
        bool deleted_first = i % 2 == 0;
        struct site a, b, c = {0};

        open_pair(&a, &b, orders, orders);
        sql(&a, "INSERT INTO ordr(shop, no, total) VALUES ('N', 1, 10), ('N', 2, 20);"
                "INSERT INTO note VALUES (1, 'N', 2, 'old')");
        exchange(&a, &b);
        if (deleted_first)
            sql(&a, "DELETE FROM ordr WHERE no = 1");
        work(&a);
        later();
        sql(&b, children[i / 2]);
        work(&b);
        later();
        if (!deleted_first)
            sql(&a, "DELETE FROM ordr WHERE no = 1");
        exchange(&a, &b);
        expect_both(&a, &b, unnamed, "0");
        expect_both(&a, &b, "SELECT total FROM ordr ORDER BY no", "10 20");
        expect_both(&a, &b, "SELECT count(*) FROM item JOIN ordr USING(shop, no)",
                    i / 2 == 0 ? "1" : "0");
        assert_int_equal(status_of(&a).parked + status_of(&b).parked, 0);
        join_site(&a, &c, "C", orders);
        exchange(&a, &c);
        expect_both(&a, &c, unnamed, "0");
        expect_both(&a, &c, "SELECT total FROM ordr ORDER BY no", "10 20");
        assert_int_equal(status_of(&c).parked, 0);
        close_site(&c);

        sql(&a, "DELETE FROM item; DELETE FROM note");
        exchange(&a, &b);
        exchange(&a, &b);
        expect_both(&a, &b, "SELECT total FROM ordr ORDER BY no", "20");
        close_pair(&a, &b);
    }
}

/* Its parent is refused: the virtual column is UNIQUE, and carries no mark. */
static void a_child_waits_for_its_parent_under_several_columns(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, orders, orders);
    sql(&a, "INSERT INTO ordr(shop, no, total, box) VALUES ('A', 1, 10, 'x');"
            "INSERT INTO item VALUES ('A', 1, 1, 'of A'); INSERT INTO note VALUES (1, 'A', 1, '')");
    later();
    sql(&b, "INSERT INTO ordr(shop, no, total, box) VALUES ('B', 1, 20, 'X');"
            "INSERT INTO item VALUES ('B', 1, 1, 'of B'); INSERT INTO note VALUES (1, 'B', 1, '')");
    exchange(&a, &b);
    expect_both(&a, &b, unnamed, "0");
    assert_int_equal(status_of(&a).parked, 3);
    assert_int_equal(status_of(&b).parked, 3);
    sql(&b, "UPDATE ordr SET box = 'y'");
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT what, total FROM item JOIN ordr USING(shop, no) ORDER BY 2",
                "of A|10 of B|20");
    expect_both(&a, &b, "SELECT total FROM note JOIN ordr USING(shop, no) ORDER BY 1", "10 20");
    assert_int_equal(status_of(&a).parked + status_of(&b).parked, 0);
    close_pair(&a, &b);
}

/* The parent's key is made of references, and so is what names it. */
static void a_join_row_stays_for_what_names_it(void **state)
{
    static const char schema[] =
        "CREATE TABLE p(id INTEGER PRIMARY KEY, v); CREATE TABLE q(id INTEGER PRIMARY KEY, v);"
        "CREATE TABLE pq(p INT REFERENCES p, q INT REFERENCES q, PRIMARY KEY(p, q));"
        "CREATE TABLE c(id INTEGER PRIMARY KEY, p INT, q INT, FOREIGN KEY(q, p) REFERENCES pq(q, "
        "p))";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO p VALUES (3, 'p')");
    sql(&b, "INSERT INTO p VALUES (1, 'r'), (2, 's'), (3, 't'); INSERT INTO q VALUES (5, 'q')");
    exchange(&a, &b);
    sql(&a, "INSERT INTO pq SELECT p.id, q.id FROM p, q WHERE p.v = 'p'");
    exchange(&a, &b);
    sql(&a, "DELETE FROM pq");
    sql(&b, "INSERT INTO c SELECT 9, p, q FROM pq");
    exchange(&a, &b);
    expect_both(&a, &b, unnamed, "0");
    expect_both(&a, &b, "SELECT p.v FROM c JOIN pq USING(p, q) JOIN p ON p.id = pq.p", "p");
    close_pair(&a, &b);
}

/* Columns that are in the child's key, or in another foreign key as well, say what they say: which
 * deleted row they mean nobody knows where it has left the file. */
static void what_names_a_unique_key_by_its_own_key_waits_where_that_is_gone(void **state)
{
    static const char schema[] =
        "CREATE TABLE sale(id INTEGER PRIMARY KEY, number TEXT UNIQUE, total INT);"
        "CREATE TABLE line(sale TEXT REFERENCES sale(number), at INT, what TEXT,"
        " PRIMARY KEY(sale, at))";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO sale VALUES (1, 'T1', 10)");
    exchange(&a, &b);
    sql(&a, "DELETE FROM sale");
    sql(&b, "INSERT INTO line VALUES ('T1', 1, 'new')");
    exchange(&a, &b);
    expect_both(&a, &b, unnamed, "0");
    expect(&b, lines, "T1|10|new");
    assert_int_equal(status_of(&a).parked, 1);
    later();
    sql(&b, "UPDATE sale SET total = 11");
    exchange(&a, &b);
    expect(&a, lines, "T1|11|new");
    expect(&b, lines, "T1|11|new");
    assert_int_equal(status_of(&a).parked, 0);
    close_pair(&a, &b);
}

/* The parent's table stays on each PC: what names a row of it that is not here waits for it. */
static void what_names_a_row_of_a_table_that_stays_elsewhere_waits(void **state)
{
    static const char schema[] = "CREATE TABLE till(id INTEGER PRIMARY KEY, place TEXT);"
                                 "CREATE TABLE sale(id INTEGER PRIMARY KEY, total INT,"
                                 " till INT REFERENCES till(id));";
    static const char *const others[] = {"till"}, *const tracked[] = {"sale"};
    struct site a = {0}, b = {0};
    struct store_parked p;
    struct err e = {0};

    (void)state;
    open_founder(&a, schema);
    check(store_untrack(a.store, others, 1, a.now_ms, &e), &e);
    open_site(&b, schema);
    enrol_site(&a, &b, "B");
    open_store(&b);
    check(store_track(b.store, tracked, 1, &e), &e);
    match_site(&a, &b, false);
    sql(&a,
        "INSERT INTO till VALUES (7, 'door'); INSERT INTO sale VALUES (1, 10, 7), (2, 20, NULL)");
    exchange(&a, &b);
    expect(&b, "SELECT id, total FROM sale", "2|20");
    check(store_parked(b.store, &p, &e), &e);
    assert_int_equal(p.n, 1);
    assert_string_equal(p.list[0].why, "refers to a row of table till (column till), which is not "
                                       "shared on this PC and has no such row here");
    assert_non_null(strstr(p.list[0].help, "agent-cli track"));
    store_parked_close(&p);
    sql(&b, "INSERT INTO till VALUES (7, 'office'); INSERT INTO sale VALUES (3, 30, 7)");
    exchange(&a, &b);
    expect(&b, "SELECT id, total FROM sale", "1|10 2|20 3|30");
    assert_int_equal(status_of(&b).parked, 0);
    /* What the application itself left dangling holds up no edit. */
    sql(&b, "PRAGMA foreign_keys = OFF; DELETE FROM till");
    sql(&a, "UPDATE sale SET total = 11 WHERE id = 1");
    a.is_large = b.is_large = true;
    exchange(&a, &b);
    expect(&b, "SELECT id, total FROM sale", "1|11 2|20 3|30");
    sql(&b, "INSERT INTO till VALUES (7, 'office')");
    a.is_large = b.is_large = false;
    close_pair(&a, &b);
}

static const char *refusal_of(struct site *s, const char *name, struct store_tables *tables)
{
    struct err e = {0};

    check(store_tables(s->store, tables, &e), &e);
    for (uint32_t i = 0; i < tables->n; i++)
        if (strcmp(tables->tables[i].name, name) == 0)
            return tables->tables[i].refused;
    return NULL;
}

/* What a computed column names cannot be followed: such a table stays on each PC, and does not
 * dangle there. */
/* One PC has the version of the application in which the column refers to another table: the number
 * of a client is no customer there, nor another one. */
static void what_names_a_row_of_another_table_than_here_waits_for_the_version(void **state)
{
    static const char owners[] = "CREATE TABLE client(id INTEGER PRIMARY KEY, name TEXT);"
                                 "CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT);"
                                 "CREATE TABLE bill(id INTEGER PRIMARY KEY, total INT,"
                                 " owner INT REFERENCES client(id));"
                                 "INSERT INTO client VALUES (1, 'Ana'), (2, 'Eva');"
                                 "INSERT INTO customer VALUES (1, 'Max')";
    static const char migration[] =
        "PRAGMA foreign_keys = OFF; BEGIN;"
        "CREATE TABLE anew(id INTEGER PRIMARY KEY, total INT, owner INT REFERENCES customer(id));"
        "INSERT INTO anew SELECT id, total, NULL FROM bill; DROP TABLE bill;"
        "ALTER TABLE anew RENAME TO bill; COMMIT; PRAGMA foreign_keys = ON";
    static const char bills[] = "SELECT total, owner FROM bill ORDER BY total";
    struct store_parked p;
    struct err e = {0};
    struct site a, b;

    (void)state;
    open_pair(&a, &b, owners, owners);
    exchange(&a, &b);
    sql(&b, migration);
    exchange(&a, &b);
    sql(&a, "INSERT INTO bill VALUES (1, 10, 1), (2, 20, 2), (3, 30, NULL)");
    exchange(&a, &b);
    expect(&b, bills, "30|NULL");
    check(store_parked(b.store, &p, &e), &e);
    assert_int_equal(p.n, 2);
    assert_string_equal(p.list[0].why, "its column owner refers to a row of table client, and to "
                                       "rows of table customer here");
    assert_non_null(strstr(p.list[0].help, "to one version"));
    store_parked_close(&p);
    sql(&a, migration);
    sql(&a, "UPDATE bill SET owner = 1 WHERE total = 20");
    exchange(&a, &b);
    expect_both(&a, &b, bills, "10|NULL 20|1 30|NULL");
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

static void a_foreign_key_by_a_computed_column_is_refused_by_name(void **state)
{
    static const char schema[] =
        "CREATE TABLE sale(id INTEGER PRIMARY KEY, number TEXT,"
        " short TEXT AS (substr(number, 2)) STORED UNIQUE);"
        "CREATE TABLE client(id INTEGER PRIMARY KEY, name TEXT, folded TEXT AS (lower(name)));"
        "CREATE TABLE note(id INTEGER PRIMARY KEY, said INT,"
        " client INT AS (said) STORED REFERENCES client(id));"
        "CREATE TABLE line(id INTEGER PRIMARY KEY, short TEXT REFERENCES sale(short));";
    struct store_tables tables;
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    assert_string_equal(
        refusal_of(&a, "note", &tables),
        "its column client is computed (GENERATED), and a foreign key refers by it");
    store_tables_close(&tables);
    assert_string_equal(refusal_of(&a, "sale", &tables),
                        "its column short is computed (GENERATED), and a foreign key refers by it");
    store_tables_close(&tables);
    assert_null(refusal_of(&a, "client", &tables));
    store_tables_close(&tables);
    sql(&a, "INSERT INTO client(id, name) VALUES (1, 'Ada'), (2, 'Bea')");
    exchange(&a, &b);
    sql(&a, "INSERT INTO sale(number) VALUES ('T1'); INSERT INTO line VALUES (1, '1');"
            "DELETE FROM client WHERE id = 1");
    sql(&b, "INSERT INTO note(said) VALUES (1)");
    exchange(&a, &b);
    expect(&b, "SELECT name FROM client", "Ada Bea");
    expect(&b, "SELECT count(*) FROM line", "0");
    close_pair(&a, &b);
}

/* A child whose own key names its parent, in whatever case: its key is what it is called, so it is
 * not written as the parent is, and still waits for it and keeps it. */
static void a_key_names_its_parent_in_another_case(void **state)
{
    static const char schema[] =
        "CREATE TABLE place(code TEXT COLLATE NOCASE PRIMARY KEY, name TEXT) WITHOUT ROWID;"
        "CREATE TABLE shelf(place TEXT COLLATE NOCASE REFERENCES place(code), at INT, what TEXT,"
        " PRIMARY KEY(place, at)) WITHOUT ROWID;";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO place VALUES ('Nsam', 'market'), ('Mvan', 'hill')");
    exchange(&a, &b);
    sql(&b, "INSERT INTO shelf VALUES ('nsam', 1, 'rice'), ('Mvan', 1, 'oil')");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT place, what FROM shelf ORDER BY what", "Mvan|oil nsam|rice");
    assert_int_equal(status_of(&a).parked, 0);
    sql(&a, "DELETE FROM shelf; DELETE FROM place");
    later();
    sql(&b, "INSERT INTO shelf VALUES ('nsam', 2, 'tea'), ('Mvan', 2, 'salt')");
    exchange(&a, &b);
    expect(&b, "SELECT code FROM place ORDER BY 1", "Mvan Nsam");
    expect(&a, "SELECT place, what FROM shelf ORDER BY what", "Mvan|salt");
    assert_int_equal(status_of(&a).parked, 1);
    sql(&b, "UPDATE place SET name = 'square' WHERE code = 'nsam'");
    exchange(&a, &b);
    expect_same(&a, &b, "SELECT place, what FROM shelf ORDER BY what");
    assert_int_equal(status_of(&a).parked, 0);
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_go_along_with_the_number_that_yields),
        cmocka_unit_test(what_a_line_shows_is_never_taken_for_an_edit),
        cmocka_unit_test(a_line_made_elsewhere_follows_the_number_that_was_changed),
        cmocka_unit_test(numbers_that_are_swapped_take_their_lines_along),
        cmocka_unit_test(a_parent_without_its_value_waits_for_it),
        cmocka_unit_test(a_parent_deleted_elsewhere_stays_for_its_new_line),
        cmocka_unit_test(lines_whose_number_is_another_rows_now_mean_that_one),
        cmocka_unit_test(keys_of_several_columns_are_followed_as_one),
        cmocka_unit_test(a_parent_whose_rows_cannot_follow_waits),
        cmocka_unit_test(rows_of_a_table_that_stays_here_are_not_left_dangling),
        cmocka_unit_test(a_tree_by_codes_is_followed_through_its_marks),
        cmocka_unit_test(a_key_that_is_a_reference_is_shown_in_the_numbers_of_each_pc),
        cmocka_unit_test(a_file_put_back_names_the_rows_that_had_the_numbers_then),
        cmocka_unit_test(a_copy_is_recognised_with_its_lines),
        cmocka_unit_test(a_parent_under_several_columns_stays_for_its_new_child),
        cmocka_unit_test(a_child_waits_for_its_parent_under_several_columns),
        cmocka_unit_test(a_join_row_stays_for_what_names_it),
        cmocka_unit_test(what_names_a_unique_key_by_its_own_key_waits_where_that_is_gone),
        cmocka_unit_test(what_names_a_row_of_a_table_that_stays_elsewhere_waits),
        cmocka_unit_test(what_names_a_row_of_another_table_than_here_waits_for_the_version),
        cmocka_unit_test(a_foreign_key_by_a_computed_column_is_refused_by_name),
        cmocka_unit_test(a_key_names_its_parent_in_another_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
