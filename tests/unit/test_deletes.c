/* Deletes against edits, rows that come back, numbers that are used again, keys that move: on two
 * and three sites, in both orders and apart. Also of batch_dead.c, publish_revive.c. */
#include "listed.h"

static const char till[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, price, place);"
    "CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT, colour TEXT, size INTEGER);"
    "CREATE TABLE line(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " article_id INTEGER REFERENCES article(id), n INTEGER);"
    "CREATE TABLE setting(name TEXT PRIMARY KEY, value, unit);"
    "CREATE TABLE shelf(article_id INTEGER NOT NULL REFERENCES article(id), place TEXT NOT NULL,"
    " n INTEGER, PRIMARY KEY(article_id, place)) WITHOUT ROWID";

static void open_tills(struct site *a, struct site *b)
{
    open_pair(a, b, till, till);
    edit(a, "INSERT INTO article VALUES (1, 'Riz', 10, 'A'), (2, 'The', 20, 'B');"
            "INSERT INTO note VALUES (1, 'first', 'red', 1), (2, 'second', 'blue', 2);"
            "INSERT INTO setting VALUES ('vat', 19, '%'), ('till', 1, '')");
    exchange(a, b);
}

/* ---- edits and deletes ---- */

static void an_edit_after_a_delete_it_did_not_see_brings_the_row_back_whole(void **state)
{
    struct site a, b;

    (void)state;
    for (int way = 0; way < 2; way++) {
        open_tills(&a, &b);
        edit(&a, "DELETE FROM article WHERE id = 1; DELETE FROM setting WHERE name = 'vat'");
        edit(&b, "UPDATE article SET price = 11 WHERE id = 1;"
                 "UPDATE setting SET value = 20 WHERE name = 'vat'");
        exchange(way == 0 ? &a : &b, way == 0 ? &b : &a);
        expect_both(&a, &b, "SELECT id || name || price || place FROM article WHERE id = 1",
                    "1Riz11A");
        expect_both(&a, &b, "SELECT value || unit FROM setting WHERE name = 'vat'", "20%");
        close_pair(&a, &b);
    }
}

static void a_delete_after_an_edit_it_did_not_see_stands(void **state)
{
    struct site a, b;

    (void)state;
    for (int way = 0; way < 2; way++) {
        open_tills(&a, &b);
        edit(&b, "UPDATE article SET price = 11 WHERE id = 1");
        edit(&a, "DELETE FROM article WHERE id = 1");
        exchange(way == 0 ? &a : &b, way == 0 ? &b : &a);
        expect_both(&a, &b, "SELECT group_concat(id) FROM article", "2");
        expect_listed(&a, "Riz price deleted: 11 of B lost to deleted of A");
        close_pair(&a, &b);
    }
}

static void a_clock_put_back_between_two_edits_makes_the_first_no_older(void **state)
{
    struct site a, b;

    (void)state;
    open_tills(&a, &b);
    edit(&b, "UPDATE article SET price = 11 WHERE id = 1");
    edit(&a, "UPDATE article SET price = 12 WHERE id = 1; UPDATE article SET place = 'C' WHERE id ="
             " 1; UPDATE _navette_dirty SET t = t - 1 WHERE id = (SELECT max(id) FROM"
             " _navette_dirty)");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT price, place FROM article WHERE id = 1", "12|C");
    close_pair(&a, &b);
}

static void a_row_deleted_on_both_is_gone_without_a_word(void **state)
{
    struct site a, b;

    (void)state;
    open_tills(&a, &b);
    edit(&a, "DELETE FROM article WHERE id = 1");
    edit(&b, "DELETE FROM article WHERE id = 1");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT group_concat(id) FROM article", "2");
    expect_listed(&a, "");
    expect_listed(&b, "");
    close_pair(&a, &b);
}

static void a_third_hears_of_delete_and_edit_in_whatever_order(void **state)
{
    static const int orders[][2] = {{0, 1}, {1, 0}};
    struct err e = {0};
    struct site s[3];
    bool changed;

    (void)state;
    for (size_t o = 0; o < COUNT_OF(orders); o++)
        for (int first = 0; first < 2; first++) {
            s[2] = (struct site){0};
            open_tills(&s[0], &s[1]);
            join_site(&s[0], &s[2], "C", till);
            work(&s[2]);
            check(roster_merge(&s[1].roster, buf_slice(&s[0].roster.log), &changed, &e), &e);
            exchange(&s[1], &s[2]);
            for (int i = 0; i < 2; i++)
                edit(&s[i ^ first], (i ^ first) == 0
                                        ? "DELETE FROM article WHERE id = 1"
                                        : "UPDATE article SET price = 11 WHERE id = 1");
            for (int i = 0; i < 2; i++) {
                carry(&s[orders[o][i]], &s[2]);
                work(&s[2]);
            }
            exchange(&s[0], &s[1]);
            exchange(&s[1], &s[2]);
            exchange(&s[0], &s[2]);
            expect_same(&s[0], &s[1], "SELECT * FROM article");
            expect_same(&s[0], &s[2], "SELECT * FROM article");
            expect(&s[2], "SELECT count(*) FROM article", first == 0 ? "2" : "1");
            expect_same_list(&s[0], &s[1]);
            expect_same_list(&s[0], &s[2]);
            for (int i = 0; i < 3; i++)
                close_site(&s[i]);
        }
}

static void a_row_deleted_and_written_anew_under_its_name_beats_an_edit_of_the_old_one(void **state)
{
    struct site a, b;

    (void)state;
    open_tills(&a, &b);
    edit(&b, "UPDATE setting SET unit = 'p' WHERE name = 'vat'");
    edit(&a, "DELETE FROM setting WHERE name = 'vat'; INSERT INTO setting VALUES ('vat', 7, 'x')");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT value || unit FROM setting WHERE name = 'vat'", "7x");
    expect_same_list(&a, &b);
    edit(&b, "DELETE FROM setting WHERE name = 'vat'");
    exchange(&a, &b);
    edit(&a, "INSERT INTO setting VALUES ('vat', 8, 'y')");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT value || unit FROM setting WHERE name = 'vat'", "8y");
    close_pair(&a, &b);
}

/* ---- rows inserted again under an old number ---- */

static void a_stale_save_brings_a_deleted_row_back_under_its_number_everywhere(void **state)
{
    struct site a, b;

    (void)state;
    open_tills(&a, &b);
    edit(&a, "INSERT INTO article VALUES (50, 'Sel', 3, 'C')");
    edit(&b, "INSERT INTO article VALUES (60, 'Eau', 1, 'D')");
    exchange(&a, &b);
    edit(&a, "DELETE FROM article WHERE id = 50");
    exchange(&a, &b);
    expect(&b, "SELECT count(*) FROM article WHERE name = 'Sel'", "0");
    edit(&b, "UPDATE article SET name = 'Sel', price = 4, place = 'C' WHERE id = 50;"
             "INSERT INTO article VALUES (50, 'Sel', 4, 'C')");
    edit(&b, "INSERT INTO line VALUES (1, 50, 9)");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT id || name || price || place FROM article WHERE name = 'Sel'",
                "50Sel4C");
    expect_both(&a, &b, "SELECT article_id || '/' || n FROM line", "50/9");
    expect_same_list(&a, &b);
    assert_int_equal(status_of(&a).conflicts, 1);
    close_pair(&a, &b);
}

static void a_number_that_is_used_again_is_another_row(void **state)
{
    struct site a, b;

    (void)state;
    open_tills(&a, &b);
    edit(&a, "DELETE FROM note WHERE id = 2");
    exchange(&a, &b);
    edit(&b, "INSERT INTO note(text, colour, size) VALUES ('third', 'green', 3)");
    expect(&b, "SELECT id FROM note WHERE text = 'third'", "2");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT group_concat(text) FROM (SELECT text FROM note ORDER BY text)",
                "first,third");
    edit(&a, "UPDATE note SET size = 33 WHERE text = 'third'");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT size FROM note WHERE text = 'third'", "33");
    expect_listed(&a, "");
    expect_listed(&b, "");
    close_pair(&a, &b);
}

/* A flush or an import hands out a number of AUTOINCREMENT again: if a place, or flags, made two
 * such rows the one that is gone, they would be one, and one of them lost. */
static void two_rows_under_a_number_that_is_used_again_stay_two(void **state)
{
    struct site s[3] = {0};
    struct err e = {0};
    bool changed;

    (void)state;
    open_tills(&s[0], &s[1]);
    join_site(&s[0], &s[2], "C", till);
    work(&s[2]);
    check(roster_merge(&s[1].roster, buf_slice(&s[0].roster.log), &changed, &e), &e);
    edit(&s[0], "INSERT INTO article VALUES (70, 'Sel', NULL, 'B'), (71, 'Eau', 1, 0)");
    exchange_all(s);
    edit(&s[0], "DELETE FROM article WHERE id >= 70");
    exchange_all(s);
    edit(&s[1], "INSERT INTO article VALUES (70, 'Ail', NULL, 'B'), (71, 'Lait', 1, 0)");
    edit(&s[2], "INSERT INTO article VALUES (70, 'Ble', NULL, 'B'), (71, 'Miel', 1, 0)");
    exchange_all(s);
    for (int i = 0; i < 3; i++)
        expect(&s[i],
               "SELECT group_concat(name) FROM (SELECT name FROM article WHERE name NOT IN"
               " ('Riz', 'The') ORDER BY name)",
               "Ail,Ble,Lait,Miel");
    close_three(s);
}

static void a_number_used_again_where_the_row_was_deleted_is_another_row(void **state)
{
    struct site a, b;

    (void)state;
    open_tills(&a, &b);
    edit(&b, "UPDATE note SET size = 5 WHERE id = 2");
    edit(&a, "DELETE FROM note WHERE id = 2;"
             "INSERT INTO note(text, colour, size) VALUES ('second', 'blue', 2)");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT group_concat(size) FROM note WHERE text = 'second'", "2");
    expect_same_list(&a, &b);
    edit(&b, "UPDATE note SET size = 6 WHERE text = 'second'");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT size FROM note WHERE text = 'second'", "6");
    close_pair(&a, &b);
}

/* Only a stock of nothing and no place are as they were: of how many articles that is true. */
static void another_row_under_a_deleted_number_is_not_the_old_one_for_what_many_have(void **state)
{
    struct site a, b, c = {0};
    struct err e = {0};
    bool changed;

    (void)state;
    open_tills(&a, &b);
    edit(&a, "INSERT INTO article VALUES (50, 'Sel', 0, '')");
    exchange(&a, &b);
    join_site(&a, &c, "C", till);
    work(&c);
    check(roster_merge(&b.roster, buf_slice(&a.roster.log), &changed, &e), &e);
    exchange(&a, &c);
    edit(&a, "DELETE FROM article WHERE id = 50");
    exchange(&a, &b);
    edit(&b, "INSERT INTO article VALUES (50, 'Poivre', 0, '')");
    edit(&c, "UPDATE article SET name = 'Sel fin' WHERE id = 50");
    exchange(&b, &c);
    exchange(&a, &b);
    exchange(&a, &c);
    expect_both(&a, &b, "SELECT group_concat(name) FROM (SELECT name FROM article ORDER BY name)",
                "Poivre,Riz,Sel fin,The");
    expect_same(&a, &c, "SELECT name FROM article ORDER BY name");
    close_site(&c);
    close_pair(&a, &b);
}

static void a_table_that_was_emptied_and_counts_from_one_again_keeps_rows_apart(void **state)
{
    struct site a, b;

    (void)state;
    open_tills(&a, &b);
    edit(&a, "DELETE FROM article; DELETE FROM sqlite_sequence WHERE name = 'article'");
    edit(&a, "INSERT INTO article(name, price, place) VALUES ('Lait', 5, 'X'), ('Miel', 6, 'Y')");
    expect(&a, "SELECT group_concat(id) FROM article", "1,2");
    edit(&b, "INSERT INTO article(name, price, place) VALUES ('Noix', 7, 'Z')");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT group_concat(name) FROM (SELECT name FROM article ORDER BY name)",
                "Lait,Miel,Noix");
    expect(&a, "SELECT name FROM article WHERE id = 1", "Lait");
    close_pair(&a, &b);
}

/* ---- rows inserted again under an old number that have UNIQUE numbers besides ---- */

static const char bills[] =
    "CREATE TABLE bill(id INTEGER PRIMARY KEY, number TEXT UNIQUE, total, client, remark)";

/* The first deletes the only bill, which the third edits meanwhile; the second, which knows of the
 * delete only, says what `sql` says. What all have in the end is `expected`. */
static void expect_bills(const char *sql, const char *expected)
{
    struct site s[3] = {0};
    struct err e = {0};
    bool changed;

    open_pair(&s[0], &s[1], bills, bills);
    join_site(&s[0], &s[2], "C", bills);
    work(&s[2]);
    check(roster_merge(&s[1].roster, buf_slice(&s[0].roster.log), &changed, &e), &e);
    edit(&s[0], "INSERT INTO bill VALUES (1, 'T1', 500, 'Ann', '')");
    exchange_all(s);
    edit(&s[0], "DELETE FROM bill");
    exchange(&s[0], &s[1]);
    edit(&s[2], "UPDATE bill SET remark = 'paid'");
    edit(&s[1], sql);
    exchange_all(s);
    for (int i = 0; i < 3; i++)
        expect(&s[i],
               "SELECT group_concat(total || client || remark) FROM (SELECT * FROM bill"
               " ORDER BY total, remark)",
               expected);
    close_three(s);
}

static void a_stale_save_with_the_same_unique_number_brings_the_row_back(void **state)
{
    (void)state;
    expect_bills("INSERT INTO bill VALUES (1, 'T1', 500, 'Ann', 'late')", "500Annlate");
}

/* The last bill is gone, and the next one gets both of its numbers. */
static void a_new_row_with_the_key_and_the_unique_number_of_a_deleted_one_is_another(void **state)
{
    (void)state;
    expect_bills("INSERT INTO bill(number, total, client, remark) VALUES ('T1', 700, 'Ann', '')",
                 "500Annpaid,700Ann");
}

static void a_new_row_that_has_another_unique_number_than_the_deleted_one_is_another(void **state)
{
    (void)state;
    expect_bills("INSERT INTO bill VALUES (1, 'X9', 500, 'Ann', '')", "500Ann,500Annpaid");
}

/* ---- keys that move ---- */

static void a_number_that_moves_is_the_same_row_elsewhere(void **state)
{
    struct site a, b;

    (void)state;
    open_tills(&a, &b);
    edit(&b, "INSERT INTO line VALUES (1, 1, 4)");
    exchange(&a, &b);
    edit(&b, "UPDATE article SET price = 11 WHERE id = 1");
    edit(&a, "PRAGMA foreign_keys = OFF; UPDATE article SET id = 100, place = 'M' WHERE id = 1;"
             "UPDATE line SET article_id = 100; PRAGMA foreign_keys = ON");
    exchange(&a, &b);
    expect(&a, "SELECT id || name || price || place FROM article WHERE name = 'Riz'", "100Riz11M");
    expect(&b, "SELECT id || name || price || place FROM article WHERE name = 'Riz'", "1Riz11M");
    expect(&a, "SELECT article_id FROM line", "100");
    expect(&b, "SELECT article_id FROM line", "1");
    edit(&b, "DELETE FROM line; DELETE FROM article WHERE id = 1");
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT group_concat(name) FROM article", "The");
    close_pair(&a, &b);
}

static void a_number_that_moves_while_the_row_is_deleted_elsewhere(void **state)
{
    struct site a, b;

    (void)state;
    for (int first = 0; first < 2; first++) {
        open_tills(&a, &b);
        for (int i = 0; i < 2; i++) {
            if ((i ^ first) == 0)
                edit(&a, "UPDATE article SET id = 100, price = 12 WHERE id = 1");
            else
                edit(&b, "DELETE FROM article WHERE id = 1");
        }
        exchange(&a, &b);
        expect_both(&a, &b, "SELECT count(*) FROM article", first == 0 ? "1" : "2");
        expect_both(&a, &b, "SELECT count(*) FROM article WHERE price = 12",
                    first == 0 ? "0" : "1");
        expect_same_list(&a, &b);
        close_pair(&a, &b);
    }
}

static void a_name_that_moves_leaves_the_old_row_to_whoever_edited_it(void **state)
{
    struct site a, b;

    (void)state;
    for (int first = 0; first < 2; first++) {
        open_tills(&a, &b);
        for (int i = 0; i < 2; i++) {
            if ((i ^ first) == 0)
                edit(&a, "UPDATE setting SET name = 'tva' WHERE name = 'vat'");
            else
                edit(&b, "UPDATE setting SET value = 20 WHERE name = 'vat'");
        }
        exchange(&a, &b);
        expect_both(&a, &b, "SELECT value FROM setting WHERE name = 'tva'", "19");
        expect_both(&a, &b,
                    "SELECT coalesce(group_concat(value), '') FROM setting WHERE name = 'vat'",
                    first == 0 ? "20" : "(none)");
        expect_same_list(&a, &b);
        assert_int_equal(status_of(&a).conflicts, 1);
        close_pair(&a, &b);
    }
}

static void two_names_that_are_exchanged_arrive_so(void **state)
{
    struct site a, b;

    (void)state;
    open_tills(&a, &b);
    edit(&a, "BEGIN; UPDATE setting SET name = '?' WHERE name = 'vat';"
             "UPDATE setting SET name = 'vat' WHERE name = 'till';"
             "UPDATE setting SET name = 'till' WHERE name = '?'; COMMIT;"
             "BEGIN; UPDATE note SET id = 9 WHERE id = 1; UPDATE note SET id = 1 WHERE id = 2;"
             "UPDATE note SET id = 2 WHERE id = 9; COMMIT");
    exchange(&a, &b);
    expect_both(&a, &b,
                "SELECT group_concat(name || value) FROM (SELECT * FROM setting ORDER BY name)",
                "till19,vat1");
    expect(&a, "SELECT group_concat(id || text) FROM (SELECT * FROM note ORDER BY text)",
           "2first,1second");
    expect(&b, "SELECT group_concat(text || size) FROM (SELECT * FROM note ORDER BY text)",
           "first1,second2");
    expect_listed(&a, "");
    close_pair(&a, &b);
}

/* The key was another row's once, long before this one got it from its application. */
static void a_row_that_comes_back_has_the_key_that_it_had_last(void **state)
{
    struct site a = {0}, b = {0}, c = {0};
    struct err e = {0};
    bool changed;

    (void)state;
    open_founder(&a, shop);
    join_site(&a, &b, "B", shop);
    join_site(&a, &c, "C", shop);
    check(roster_merge(&b.roster, buf_slice(&a.roster.log), &changed, &e), &e);
    sql(&b, "INSERT INTO client VALUES (7, 'Ana'), (9, 'Eva')");
    exchange(&a, &b);
    sql(&a, "DELETE FROM client WHERE id = 7");
    work(&a);
    sql(&a, "INSERT INTO client VALUES (7, 'Bea')");
    exchange(&a, &b);
    exchange(&a, &c);
    sql(&b, "DELETE FROM client WHERE name = 'Bea'");
    later();
    sql(&c, "UPDATE client SET name = 'Beate' WHERE name = 'Bea'");
    exchange(&a, &b);
    expect(&a, "SELECT id, name FROM client", "9|Eva");
    exchange(&a, &c);
    expect(&a, "SELECT id, name FROM client", "7|Beate 9|Eva");
    close_pair(&a, &b);
    close_site(&c);
}

/* ---- rows that several PCs made under one name ---- */

static void a_delete_of_a_row_leaves_what_another_made_under_its_name(void **state)
{
    struct site a, b;

    (void)state;
    for (int way = 0; way < 2; way++) {
        open_tills(&a, &b);
        edit(&a, "INSERT INTO setting VALUES ('discount', 5, '%')");
        edit(&b, "INSERT INTO setting VALUES ('discount', 7, '%')");
        edit(&b, "DELETE FROM setting WHERE name = 'discount'");
        exchange(way == 0 ? &a : &b, way == 0 ? &b : &a);
        exchange(&a, &b);
        expect_both(&a, &b, "SELECT count(*) FROM setting WHERE name = 'discount'", "1");
        edit(&b, "DELETE FROM setting WHERE name = 'discount'");
        exchange(&a, &b);
        expect_both(&a, &b, "SELECT count(*) FROM setting WHERE name = 'discount'", "0");
        edit(&b, "INSERT INTO setting VALUES ('discount', 8, '%')");
        exchange(&a, &b);
        expect_both(&a, &b, "SELECT value FROM setting WHERE name = 'discount'", "8");
        close_pair(&a, &b);
    }
}

/* Somebody says that two articles are one: what was deleted of the one is there of the other. */
static void a_delete_of_a_row_leaves_the_one_that_gets_its_name(void **state)
{
    static const char shelves[] = "SELECT n FROM shelf WHERE place = 'left'";
    struct err e = {0};
    struct site a, b;

    (void)state;
    for (int way = 0; way < 2; way++) {
        open_tills(&a, &b);
        edit(&a, "INSERT INTO shelf VALUES (1, 'left', 10)");
        exchange(&a, &b);
        edit(&b, "INSERT INTO shelf VALUES (2, 'left', 20)");
        edit(&a, "DELETE FROM shelf WHERE article_id = 1");
        if (way == 1)
            exchange(&a, &b);
        tick(&a);
        check(store_unite(a.store, "article", (int64_t[]){1, 2}, a.now_ms, &e), &e);
        exchange(&a, &b);
        exchange(&a, &b);
        expect_both(&a, &b, shelves, "20");
        edit(&a, "DELETE FROM shelf");
        exchange(&a, &b);
        expect_both(&a, &b, "SELECT count(*) FROM shelf", "0");
        close_pair(&a, &b);
    }
}

/* It had yielded its name to a living row: that is dead now too, and the earlier claim counts. */
static void of_two_dead_rows_that_are_kept_the_earlier_one_gets_its_name_back(void **state)
{
    static const char things[] =
        "CREATE TABLE thing(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE);"
        "CREATE TABLE use(id INTEGER PRIMARY KEY, thing_id INT NOT NULL REFERENCES thing(id),"
        " n)";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, things, things);
    sql(&a, "INSERT INTO thing VALUES (1, 'tea')");
    exchange(&a, &b);
    later();
    sql(&b, "INSERT INTO use VALUES (1, 1, 0)");
    work(&b);
    later();
    sql(&a, "DELETE FROM thing; INSERT INTO thing VALUES (2, 'tea');"
            "INSERT INTO use VALUES (5, 2, 0)");
    work(&a);
    carry(&a, &b);
    work(&b);
    expect(&b, "SELECT id, name FROM thing ORDER BY id", "1|#A-tea 2|tea");
    later();
    sql(&a, "DELETE FROM use; DELETE FROM thing");
    work(&a);
    later();
    sql(&b, "UPDATE use SET n = 1 WHERE id = 5");
    work(&b);
    carry(&a, &b);
    work(&b);
    expect(&b, "SELECT id, name FROM thing ORDER BY id", "1|tea 2|#A-tea");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edit_after_a_delete_it_did_not_see_brings_the_row_back_whole),
        cmocka_unit_test(a_delete_after_an_edit_it_did_not_see_stands),
        cmocka_unit_test(a_clock_put_back_between_two_edits_makes_the_first_no_older),
        cmocka_unit_test(a_row_deleted_on_both_is_gone_without_a_word),
        cmocka_unit_test(a_third_hears_of_delete_and_edit_in_whatever_order),
        cmocka_unit_test(
            a_row_deleted_and_written_anew_under_its_name_beats_an_edit_of_the_old_one),
        cmocka_unit_test(a_stale_save_brings_a_deleted_row_back_under_its_number_everywhere),
        cmocka_unit_test(a_number_that_is_used_again_is_another_row),
        cmocka_unit_test(two_rows_under_a_number_that_is_used_again_stay_two),
        cmocka_unit_test(a_number_used_again_where_the_row_was_deleted_is_another_row),
        cmocka_unit_test(another_row_under_a_deleted_number_is_not_the_old_one_for_what_many_have),
        cmocka_unit_test(a_stale_save_with_the_same_unique_number_brings_the_row_back),
        cmocka_unit_test(a_new_row_with_the_key_and_the_unique_number_of_a_deleted_one_is_another),
        cmocka_unit_test(a_new_row_that_has_another_unique_number_than_the_deleted_one_is_another),
        cmocka_unit_test(a_table_that_was_emptied_and_counts_from_one_again_keeps_rows_apart),
        cmocka_unit_test(a_number_that_moves_is_the_same_row_elsewhere),
        cmocka_unit_test(a_number_that_moves_while_the_row_is_deleted_elsewhere),
        cmocka_unit_test(a_name_that_moves_leaves_the_old_row_to_whoever_edited_it),
        cmocka_unit_test(two_names_that_are_exchanged_arrive_so),
        cmocka_unit_test(a_row_that_comes_back_has_the_key_that_it_had_last),
        cmocka_unit_test(a_delete_of_a_row_leaves_what_another_made_under_its_name),
        cmocka_unit_test(a_delete_of_a_row_leaves_the_one_that_gets_its_name),
        cmocka_unit_test(of_two_dead_rows_that_are_kept_the_earlier_one_gets_its_name_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
