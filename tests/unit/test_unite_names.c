/* Rows under natural keys that are one because the rows that they name are. Of unite.c. */
#include "unit/codes.h"
#include "unit/ruled.h"

static const char schema[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, code TEXT UNIQUE);"
    "CREATE TABLE shelf(article_id INT NOT NULL REFERENCES article(id), place TEXT NOT NULL, n INT,"
    " PRIMARY KEY(article_id, place)) WITHOUT ROWID;";

/* Article codes mean one thing. */
static void open_shops(struct site *a, struct site *b)
{
    *a = *b = (struct site){0};
    open_founder(a, schema);
    merge_codes(a);
    join_site(a, b, "B", schema);
}

/* Each PC goes on with the row that was in its own file. One deletes it and puts it in again, under
 * the name that it has there, and the other has deleted both for good. */
static void a_row_put_in_again_brings_back_nothing_that_was_deleted_later(void **state)
{
    struct site a, b;

    (void)state;
    open_shops(&a, &b);
    sql(&a, "INSERT INTO article VALUES (1, 'R1'); INSERT INTO shelf VALUES (1, 'x', 1)");
    sql(&b, "INSERT INTO article VALUES (1, 'R1'); INSERT INTO shelf VALUES (1, 'x', 2)");
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT count(*) FROM shelf", "1");
    sql(&b, "DELETE FROM shelf");
    work(&b);
    sql(&b, "INSERT INTO shelf VALUES (1, 'x', 3)");
    work(&b);
    later();
    sql(&a, "DELETE FROM shelf");
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT count(*) FROM shelf", "0");
    close_pair(&a, &b);
}

/* Somebody deleted the row, with both that it is made of, and somebody else had written to one of
 * them: it lives. Who had seen the delete and puts the row in again, before his file shows that, is
 * later than the delete, however slow his clock. */
static void a_row_put_in_again_is_later_than_its_delete_where_a_part_lives(void **state)
{
    static const char shelves[] = "CREATE TABLE shelf(place TEXT PRIMARY KEY, n INT, m INT);";
    struct site s[3];
    struct store_progress done = {0};
    struct err e = {0};
    bool changed;

    (void)state;
    memset(s, 0, sizeof s);
    open_founder(&s[0], shelves);
    for (int i = 1; i < 3; i++)
        join_site(&s[0], &s[i], i == 1 ? "B" : "C", shelves);
    for (int i = 1; i < 3; i++)
        check(roster_merge(&s[i].roster, buf_slice(&s[0].roster.log), &changed, &e), &e);
    sql(&s[0], "INSERT INTO shelf VALUES ('x', 1, 0)");
    later();
    sql(&s[1], "INSERT INTO shelf VALUES ('x', 2, 0)");
    for (int round = 0; round < 2; round++) {
        exchange(&s[0], &s[1]);
        exchange(&s[0], &s[2]);
    }
    later();
    sql(&s[0], "UPDATE shelf SET n = 3; UPDATE _navette_dirty SET t = t + 0.0005 WHERE id ="
               " (SELECT max(id) FROM _navette_dirty)"); /* days: its clock is 43 s fast */
    exchange(&s[0], &s[1]);
    exchange(&s[0], &s[2]);
    sql(&s[2], "UPDATE shelf SET m = 1; UPDATE _navette_dirty SET t = t + 0.0006 WHERE id ="
               " (SELECT max(id) FROM _navette_dirty)");
    work(&s[2]);
    sql(&s[0], "DELETE FROM shelf");
    exchange(&s[0], &s[1]);
    expect(&s[1], "SELECT count(*) FROM shelf", "0");

    sql(&s[1], "BEGIN IMMEDIATE; INSERT INTO shelf VALUES ('x', 4, 0)");
    carry(&s[2], &s[1]);
    assert_false(store_apply(s[1].store, s[1].now_ms, &done, &e));
    sql(&s[1], "COMMIT");
    exchange(&s[1], &s[2]);

    expect_both(&s[1], &s[2], "SELECT n FROM shelf", "4");
    for (int i = 0; i < 3; i++)
        close_site(&s[i]);
}

/* The row whose name follows does not fit at first: it refers to one that somebody else's value
 * keeps out until that has yielded it. What names it goes along with it, or waits with it. */
static void what_names_a_row_whose_name_follows_later_follows_too(void **state)
{
    static const char cards[] =
        "CREATE TABLE client(id INTEGER PRIMARY KEY, name TEXT UNIQUE);"
        "CREATE TABLE card(client_id INTEGER PRIMARY KEY REFERENCES client(id),"
        " by INT REFERENCES client(id));"
        "CREATE TABLE note(id INTEGER PRIMARY KEY, card INT REFERENCES card(client_id));";
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_pair(&a, &b, cards, cards);
    sql(&a, "INSERT INTO client VALUES (1, 'x'), (2, 'y'); INSERT INTO card VALUES (2, NULL);"
            "INSERT INTO note VALUES (1, 2)");
    exchange(&a, &b);
    later();
    sql(&b, "INSERT INTO client VALUES (3, 'z'); UPDATE card SET by = 3");
    work(&b);
    later();
    sql(&a, "INSERT INTO client VALUES (3, 'z')");
    work(&a);
    check(store_unite(b.store, "client", (int64_t[]){1, 2}, b.now_ms, &e), &e);
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT count(*) FROM client", "3");
    expect_both(&a, &b, "SELECT count(*) FROM note JOIN card ON client_id = card", "1");
    expect_both(&a, &b, "SELECT count(*) FROM pragma_foreign_key_check", "0");
    close_pair(&a, &b);
}

/* Two clients are said to be one, and so are their cards, which the file of `moves` shows apart:
 * there one of them goes, and the other gets another key with its client's. That says no more than
 * that the card is wanted, at that time. */
static void delete_what_was_only_wanted(struct site *makes, struct site *moves, int one)
{
    const int64_t clients[] = {one, one + 1};
    struct err e = {0};
    char text[400];

    snprintf(text, sizeof text,
             "INSERT INTO client VALUES (%d, 'x%d'), (%d, 'y%d');"
             "INSERT INTO card VALUES (%d)",
             one, one, one + 1, one, one);
    sql(makes, text);
    exchange(makes, moves);
    later();
    snprintf(text, sizeof text, "INSERT INTO card VALUES (%d)", one + 1);
    sql(moves, text);
    work(moves);
    check(store_unite(moves->store, "client", clients, moves->now_ms, &e), &e);
    later();
    snprintf(text, sizeof text,
             "BEGIN; PRAGMA defer_foreign_keys = ON;"
             "DELETE FROM card WHERE client_id = %d; UPDATE client SET id = %d WHERE id = %d;"
             "UPDATE card SET client_id = %d; UPDATE _navette_dirty SET t = t + 0.0005 WHERE id >"
             " (SELECT max(id) - 3 FROM _navette_dirty); COMMIT",
             one + 1, one + 2, one, one + 2); /* days: its clock is 43 s fast */
    sql(moves, text);
    exchange(makes, moves);
    exchange(makes, moves);
    expect_both(makes, moves, "SELECT count(*) FROM card", "1");
    sql(makes, "DELETE FROM card");
    exchange(makes, moves);
    exchange(makes, moves);
    expect_both(makes, moves, "SELECT count(*) FROM card", "0");
}

/* Who deletes the card after that deletes it for good, however slow his clock. (Whose gids are
 * smaller is chance: each of the two makes it once.) */
static void a_delete_is_later_than_a_write_that_only_said_that_the_row_is_wanted(void **state)
{
    static const char cards[] =
        "CREATE TABLE client(id INTEGER PRIMARY KEY, name TEXT UNIQUE);"
        "CREATE TABLE card(client_id INT PRIMARY KEY REFERENCES client(id)) WITHOUT ROWID;";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, cards, cards);
    delete_what_was_only_wanted(&a, &b, 10);
    delete_what_was_only_wanted(&b, &a, 20);
    close_pair(&a, &b);
}

/* A card bears the number of its client, and names besides an id of the same number. It takes the
 * other client's number, and nothing goes on naming the one it had. */
static void a_row_that_names_its_old_number_in_another_table_takes_a_new_one(void **state)
{
    static const char cards[] = "CREATE TABLE client(id INTEGER PRIMARY KEY, name TEXT UNIQUE);"
                                "CREATE TABLE house(id INTEGER PRIMARY KEY);"
                                "CREATE TABLE card(client_id INTEGER PRIMARY KEY REFERENCES "
                                "client(id), type TEXT, ref INT);";
    struct site a = {0}, b = {0};
    struct err e = {0};

    (void)state;
    open_founder(&a, cards);
    set_rule(&a, (struct wish){"card.ref", RULE_REFERENCES_BY, .argument = "type"});
    join_site(&a, &b, "B", cards);
    sql(&a, "INSERT INTO client VALUES (1, 'x'), (2, 'y'); INSERT INTO house VALUES (2);"
            "INSERT INTO card VALUES (2, 'house', 2)");
    exchange(&a, &b);
    check(store_unite(a.store, "client", (int64_t[]){1, 2}, a.now_ms, &e), &e);
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, "SELECT count(*) FROM client", "1");
    expect(&a, "SELECT client_id, ref FROM card", "1|2");
    assert_int_equal(status_of(&a).parked + status_of(&b).parked, 0);
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_put_in_again_brings_back_nothing_that_was_deleted_later),
        cmocka_unit_test(a_row_put_in_again_is_later_than_its_delete_where_a_part_lives),
        cmocka_unit_test(what_names_a_row_whose_name_follows_later_follows_too),
        cmocka_unit_test(a_row_that_names_its_old_number_in_another_table_takes_a_new_one),
        cmocka_unit_test(a_delete_is_later_than_a_write_that_only_said_that_the_row_is_wanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
