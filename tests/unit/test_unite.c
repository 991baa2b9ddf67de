/* Rows that different PCs made and that are one thing: by rule, or because a person says so. Also
 * of batch_unite.c, publish_name.c. */
#include "unit/codes.h"

static const char schema[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE, name TEXT,"
    " price INT);"
    "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT);"
    "CREATE TABLE article_tag(id INTEGER PRIMARY KEY, article_id INT NOT NULL REFERENCES "
    "article(id),"
    " tag_id INT NOT NULL REFERENCES tag(id), UNIQUE(article_id, tag_id));"
    "CREATE TABLE line(id INTEGER PRIMARY KEY AUTOINCREMENT, article_id INT NOT NULL REFERENCES"
    " article(id), what TEXT);"
    "CREATE TABLE shelf(article_id INT NOT NULL REFERENCES article(id), place TEXT NOT NULL, n INT,"
    " PRIMARY KEY(article_id, place)) WITHOUT ROWID;"
    "CREATE TABLE card(article_id INTEGER PRIMARY KEY REFERENCES article(id), what TEXT,"
    " above INT REFERENCES card(article_id));"
    "CREATE TABLE groups(id INTEGER PRIMARY KEY, name TEXT, up INT REFERENCES groups(id));"
    "CREATE TABLE offer(id INTEGER PRIMARY KEY, code TEXT REFERENCES article(code));"
    "CREATE TABLE note(id INTEGER PRIMARY KEY, card INT REFERENCES card(article_id));";

static const char articles[] = "SELECT code, name, price FROM article ORDER BY code, name";
static const char lines[] =
    "SELECT l.what, a.code FROM line l JOIN article a ON a.id = l.article_id ORDER BY l.what";
static const char shelves[] =
    "SELECT a.code, s.place, s.n FROM shelf s JOIN article a ON a.id = s.article_id ORDER BY 1, 2";
static const char tags[] = "SELECT a.code, t.name FROM article_tag x JOIN article a ON a.id ="
                           " x.article_id JOIN tag t ON t.id = x.tag_id ORDER BY 1, 2";

static void an_article_that_two_shops_made_under_one_code_is_one_by_rule(void **state)
{
    struct site s[2];

    (void)state;
    open_coded(s, 2, schema, true);
    sql(&s[0], "INSERT INTO article VALUES (1, 'x', 'tea', 5);"
               "INSERT INTO line(article_id, what) VALUES (1, 'of A')");
    later();
    sql(&s[1], "INSERT INTO article VALUES (7, 'x', 'green tea', 6), (8, 'y', 'rice', 1);"
               "INSERT INTO line(article_id, what) VALUES (7, 'of B')");
    exchange(&s[0], &s[1]);
    exchange(&s[0], &s[1]);
    expect_all(s, 2, articles, "x|green tea|6 y|rice|1");
    expect_all(s, 2, lines, "of A|x of B|x");
    expect(&s[0], "SELECT id FROM article WHERE code = 'x'", "1");
    expect(&s[1], "SELECT id FROM article WHERE code = 'x'", "7");
    sql(&s[0], "UPDATE article SET price = 9 WHERE code = 'x'");
    exchange(&s[0], &s[1]);
    expect_all(s, 2, articles, "x|green tea|9 y|rice|1");
    sql(&s[1], "DELETE FROM line; DELETE FROM article WHERE code = 'x'");
    exchange(&s[0], &s[1]);
    expect_all(s, 2, articles, "y|rice|1");
    close_coded(s, 2);
}

/* The home went back, so that it was told anew which of the two stands for both; then the database
 * does, to when it had but one of them. */
static void such_a_row_keeps_its_key_in_an_older_database(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct site s[2], *us = &s[i], *them = &s[1 - i];

        open_coded(s, 2, schema, true);
        sql(us, "INSERT INTO article VALUES (7, 'x', 'tea', 5)");
        work(us);
        keep_database(us);
        keep_ledger(us);
        later();
        sql(them, "INSERT INTO article VALUES (1, 'x', 'green tea', 6), (2, 'y', 'rice', 1)");
        exchange(us, them);
        exchange(us, them);
        put_ledger_back(us);
        rematch(us, them);
        put_database_back(us, us);
        open_store(us);
        exchange(us, them);
        expect_all(s, 2, articles, "x|green tea|6 y|rice|1");
        expect(us, "SELECT id FROM article WHERE code = 'x'", "7");
        expect(them, "SELECT id FROM article WHERE code = 'x'", "1");
        close_coded(s, 2);
    }
}

static void pure_join_rows_are_one_without_a_rule(void **state)
{
    struct site s[2];

    (void)state;
    open_coded(s, 2, schema, false);
    sql(&s[0], "INSERT INTO article VALUES (1, 'x', 'tea', 5); INSERT INTO tag VALUES (1, 'hot'),"
               " (2, 'green')");
    exchange(&s[0], &s[1]);
    sql(&s[0], "INSERT INTO article_tag VALUES (1, 1, 1), (2, 1, 2)");
    sql(&s[1], "INSERT INTO article_tag VALUES (1, 1, 2), (2, 1, 1)");
    exchange(&s[0], &s[1]);
    exchange(&s[0], &s[1]);
    expect_all(s, 2, tags, "x|green x|hot");
    sql(&s[1], "DELETE FROM article_tag WHERE tag_id = 2");
    exchange(&s[0], &s[1]);
    expect_all(s, 2, tags, "x|hot");
    close_coded(s, 2);
}

/* What one statement writes to two rows has one clock. Of rows that are one, it is what it wrote to
 * one of them: a type stays with its id. */
static void what_one_statement_wrote_to_two_rows_is_not_mixed(void **state)
{
    struct site s[2];
    struct err e = {0};

    (void)state;
    open_coded(s, 2, schema, false);
    sql(&s[0], "INSERT INTO article VALUES (1, NULL, 'a long name', 3), (2, NULL, 'tea', 9)");
    exchange(&s[0], &s[1]);
    sql(&s[0], "UPDATE article SET name = name || '!', price = price * 2");
    work(&s[0]);
    tick(&s[1]);
    check(store_unite(s[1].store, "article", (int64_t[]){1, 2}, s[1].now_ms, &e), &e);
    exchange(&s[0], &s[1]);
    exchange(&s[0], &s[1]);
    expect_all(s, 2, "SELECT name, price FROM article", "tea!|18");
    close_coded(s, 2);
}

/* Nor where it wrote to both before their file showed that they are one. */
static void what_one_statement_wrote_to_two_rows_that_are_one_already_is_not_mixed(void **state)
{
    struct site s[2];
    struct err e = {0};

    (void)state;
    open_coded(s, 2, schema, false);
    sql(&s[0], "INSERT INTO article VALUES (1, NULL, 'a long name', 3), (2, NULL, 'tea', 9)");
    exchange(&s[0], &s[1]);
    tick(&s[1]);
    check(store_unite(s[1].store, "article", (int64_t[]){1, 2}, s[1].now_ms, &e), &e);
    later();
    sql(&s[1], "UPDATE article SET name = name || '!', price = price * 2");
    exchange(&s[0], &s[1]);
    exchange(&s[0], &s[1]);
    expect_all(s, 2, "SELECT name, price FROM article", "tea!|18");
    close_coded(s, 2);
}

/* A took its article away before anybody said that B's is the same one: B's was never deleted. */
static void a_delete_takes_only_the_part_that_it_meant(void **state)
{
    struct site s[3];

    (void)state;
    open_coded(s, 3, schema, true);
    sql(&s[0], "INSERT INTO article VALUES (1, 'x', 'tea', 5)");
    later();
    sql(&s[1], "INSERT INTO article VALUES (7, 'x', 'tea', 6)");
    work(&s[0]);
    work(&s[1]);
    carry(&s[0], &s[2]);
    carry(&s[1], &s[2]);
    s[2].now_ms += 60000;
    drain_all(&s[2]);
    apply_all(&s[2]);
    s[2].now_ms += 60000; /* neither of them has said it */
    drain_all(&s[2]);
    apply_all(&s[2]);
    expect(&s[2], articles, "x|tea|6");
    later();
    sql(&s[0], "DELETE FROM article");
    for (int round = 0; round < 2; round++) {
        exchange(&s[0], &s[2]);
        exchange(&s[1], &s[2]);
        exchange(&s[0], &s[1]);
    }
    expect_all(s, 3, articles, "x|tea|6");
    sql(&s[2], "DELETE FROM article");
    for (int round = 0; round < 2; round++) {
        exchange(&s[0], &s[2]);
        exchange(&s[1], &s[2]);
    }
    expect_all(s, 3, articles, "(none)");
    close_coded(s, 3);
}

static void unite_of(struct site *s, const char *table, int64_t a, int64_t b)
{
    struct err e = {0};

    tick(s);
    check(store_unite(s->store, table, (int64_t[]){a, b}, s->now_ms, &e), &e);
}

static void unite(struct site *s, int64_t a, int64_t b)
{
    unite_of(s, "article", a, b);
}

static void a_person_makes_one_row_of_two_and_what_refers_to_them_follows(void **state)
{
    struct site s[2];
    struct err e = {0};

    (void)state;
    open_coded(s, 2, schema, false);
    sql(&s[0],
        "INSERT INTO article VALUES (1, 'x', 'tea', 5), (2, 'x ', 'tea', 6);"
        "INSERT INTO tag VALUES (1, 'hot'); INSERT INTO article_tag VALUES (1, 1, 1), (2, 2, 1);"
        "INSERT INTO line(article_id, what) VALUES (1, 'one'), (2, 'two'), (2, 'three')");
    exchange(&s[0], &s[1]);
    unite(&s[0], 1, 2);
    exchange(&s[0], &s[1]);
    exchange(&s[0], &s[1]);
    expect_all(s, 2, "SELECT count(*) FROM article", "1");
    expect_all(s, 2, "SELECT count(DISTINCT article_id), count(*) FROM line", "1|3");
    expect_all(s, 2, "SELECT count(*) FROM article_tag", "1");
    expect_same(&s[0], &s[1], articles);
    assert_false(store_unite(s[0].store, "article", (int64_t[]){1, 99}, s[0].now_ms, &e));
    assert_int_equal(e.code, ERR_REFUSED);
    close_coded(s, 2);
}

/* Each of two articles has a card, one of which names the other: there is one card now, which names
 * itself. */
static void a_row_that_names_the_one_it_becomes_one_with_names_itself(void **state)
{
    struct site s[2];

    (void)state;
    for (int first = 1; first <= 2; first++) {
        char text[200];

        open_coded(s, 2, schema, false);
        snprintf(text, sizeof text,
                 "INSERT INTO article VALUES (%d, 'x', 'tea', 5), (%d, 'y', 'tea', 6);"
                 "INSERT INTO card VALUES (1, 'one', NULL), (2, 'two', 1);"
                 "INSERT INTO note VALUES (1, 1), (2, 2)",
                 first, 3 - first);
        sql(&s[0], text);
        exchange(&s[0], &s[1]);
        unite(&s[0], 1, 2);
        exchange(&s[0], &s[1]);
        exchange(&s[0], &s[1]);
        expect_all(s, 2,
                   "SELECT count(*), article_id = above, article_id = (SELECT id FROM article)"
                   " FROM card",
                   "1|1|1");
        expect_all(s, 2, "SELECT count(*) FROM note JOIN card ON card = article_id", "2");
        close_coded(s, 2);
    }
}

/* The application writes to a row after somebody said what its key names, and before the file shows
 * it. */
static void a_row_that_is_saved_under_the_key_it_is_about_to_lose_is_that_row(void **state)
{
    struct site s[2];

    (void)state;
    open_coded(s, 2, schema, false);
    sql(&s[0], "INSERT INTO article VALUES (1, 'x', 'tea', 5), (2, 'y', 'tea', 6);"
               "INSERT INTO card VALUES (2, 'two', NULL)");
    exchange(&s[0], &s[1]);
    unite(&s[0], 1, 2);
    later();
    sql(&s[0], "UPDATE card SET what = 'new'");
    exchange(&s[0], &s[1]);
    later();
    sql(&s[1], "UPDATE card SET what = 'newer'");
    exchange(&s[0], &s[1]);
    expect_all(s, 2, "SELECT article_id, above, what FROM card", "1|NULL|newer");
    close_coded(s, 2);
}

/* Rows name articles by their codes, and the row that stays takes over the code of the one that
 * goes. */
static void what_names_the_code_of_a_row_that_goes_names_the_one_that_takes_it(void **state)
{
    struct site s[2];

    (void)state;
    open_coded(s, 2, schema, false);
    sql(&s[0], "INSERT INTO article VALUES (1, 'x', 'tea', 5); INSERT INTO offer VALUES (1, 'x')");
    exchange(&s[0], &s[1]);
    later();
    sql(&s[1], "INSERT INTO article VALUES (2, 'y', 'tea', 6); INSERT INTO offer VALUES (2, 'y')");
    exchange(&s[0], &s[1]);
    unite(&s[0], 1, 2);
    exchange(&s[0], &s[1]);
    exchange(&s[0], &s[1]);
    expect_all(s, 2, "SELECT count(*), code FROM article", "1|y");
    expect_all(s, 2, "SELECT count(*) FROM offer WHERE code = 'y'", "2");
    close_coded(s, 2);
}

/* A group is in another one, is said to be one with it, and is taken out of it before the file
 * shows that. */
static void a_row_that_lets_go_of_the_row_it_becomes_one_with_names_nothing(void **state)
{
    struct site s[2];

    (void)state;
    for (int inner = 1; inner <= 2; inner++) {
        char text[200];

        open_coded(s, 2, schema, false);
        snprintf(text, sizeof text, "INSERT INTO groups VALUES (1, 'x', %s), (2, 'y', %s)",
                 inner == 1 ? "2" : "NULL", inner == 2 ? "1" : "NULL");
        sql(&s[0], text);
        exchange(&s[0], &s[1]);
        unite_of(&s[0], "groups", 1, 2);
        later();
        snprintf(text, sizeof text, "UPDATE groups SET up = NULL WHERE id = %d", inner);
        sql(&s[0], text);
        exchange(&s[0], &s[1]);
        exchange(&s[0], &s[1]);
        expect_all(s, 2, "SELECT count(*), up FROM groups", "1|NULL");
        close_coded(s, 2);
    }
}

static void a_row_that_named_itself_lets_go_of_itself(void **state)
{
    struct site s[2];

    (void)state;
    open_coded(s, 2, schema, false);
    sql(&s[0], "INSERT INTO groups VALUES (1, 'x', NULL), (2, 'y', 1)");
    exchange(&s[0], &s[1]);
    later();
    sql(&s[0], "UPDATE groups SET up = 2 WHERE id = 2");
    exchange(&s[0], &s[1]);
    unite_of(&s[1], "groups", 1, 2);
    work(&s[1]);
    expect(&s[1], "SELECT id, up FROM groups", "1|1");
    later();
    sql(&s[1], "UPDATE groups SET up = NULL");
    work(&s[1]);
    expect(&s[1], "SELECT id, up FROM groups", "1|NULL");
    exchange(&s[0], &s[1]);
    expect_all(s, 2, "SELECT count(*), up FROM groups", "1|NULL");
    sql(&s[0], "UPDATE groups SET name = 'z'");
    exchange(&s[0], &s[1]);
    expect_all(s, 2, "SELECT count(*), up FROM groups", "1|NULL");
    close_coded(s, 2);
}

/* Both shelves have a card, and one is emptied: what it named is not the one that left. */
static void a_row_that_names_nothing_any_more_lets_go_of_the_row_that_leaves(void **state)
{
    struct site s[2];

    (void)state;
    open_coded(s, 2, schema, false);
    sql(&s[0], "INSERT INTO article VALUES (1, 'x', 'tea', 5), (2, 'y', 'tea', 6);"
               "INSERT INTO card VALUES (1, 'one', 2), (2, 'two', NULL)");
    exchange(&s[0], &s[1]);
    later();
    sql(&s[0], "UPDATE card SET above = 1 WHERE article_id = 2");
    exchange(&s[0], &s[1]);
    later();
    sql(&s[0], "UPDATE card SET above = NULL WHERE article_id = 2");
    exchange(&s[0], &s[1]);
    unite(&s[0], 1, 2);
    exchange(&s[0], &s[1]);
    exchange(&s[0], &s[1]);
    expect_all(s, 2, "SELECT article_id = (SELECT id FROM article), above, what FROM card",
               "1|NULL|two");
    close_coded(s, 2);
}

/* Rows whose keys name either of two rows that are one have one name from then on, whoever hears of
 * what first. */
static void rows_named_after_two_that_are_one_are_one_too(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct site s[3];

        open_coded(s, 3, schema, true);
        sql(&s[0], "INSERT INTO article VALUES (1, 'x', 'tea', 5);"
                   "INSERT INTO shelf VALUES (1, 'a', 1), (1, 'b', 2)");
        later();
        sql(&s[1], "INSERT INTO article VALUES (7, 'x', 'tea', 5);"
                   "INSERT INTO shelf VALUES (7, 'b', 3), (7, 'c', 4)");
        work(&s[0]);
        work(&s[1]);
        if (late == 0) { /* it hears of both before anybody says that they are one */
            carry(&s[0], &s[2]);
            carry(&s[1], &s[2]);
            apply_all(&s[2]);
        }
        for (int round = 0; round < 3; round++) {
            exchange(&s[0], &s[1]);
            if (late == 0 || round > 0)
                exchange(&s[1], &s[2]);
        }
        expect_all(s, 3, shelves, "x|a|1 x|b|3 x|c|4");
        sql(&s[2], "DELETE FROM shelf WHERE place = 'b'; UPDATE shelf SET n = 9 WHERE place = 'a'");
        for (int round = 0; round < 2; round++) {
            exchange(&s[2], &s[0]);
            exchange(&s[0], &s[1]);
        }
        expect_all(s, 3, shelves, "x|a|9 x|c|4");
        close_coded(s, 3);
    }
}

/* ... also where both stood in the file, and rows with them as part of their keys. */
static void keys_follow_the_row_that_stands_for_what_they_name(void **state)
{
    struct site s[2];

    (void)state;
    open_coded(s, 2, schema, false);
    sql(&s[0], "INSERT INTO article VALUES (1, 'x', 'tea', 5), (2, 'x ', 'tea', 6);"
               "INSERT INTO shelf VALUES (1, 'a', 1), (2, 'b', 2), (1, 'c', 3), (2, 'c', 4)");
    exchange(&s[0], &s[1]);
    unite(&s[0], 1, 2);
    exchange(&s[0], &s[1]);
    exchange(&s[0], &s[1]);
    expect_all(s, 2, "SELECT count(*) FROM article", "1");
    expect_all(s, 2, "SELECT group_concat(place) FROM shelf ORDER BY place", "a,b,c");
    expect_all(s, 2, "SELECT count(*) FROM pragma_foreign_key_check", "0");
    expect_same(&s[0], &s[1], shelves);
    close_coded(s, 2);
}

/* Two shops that never met: the same articles under other numbers, and a line 1 each. */
static void independent_databases_share_their_articles_and_keep_apart_the_rest(void **state)
{
    struct site s[2];
    struct err e = {0};

    (void)state;
    memset(s, 0, sizeof s);
    open_founder(&s[0], schema);
    merge_codes(&s[0]);
    sql(&s[0], "INSERT INTO article VALUES (1, 'x', 'tea', 5), (2, 'y', 'rice', 6),"
               " (3, 'only A', 'oil', 7); INSERT INTO line VALUES (1, 1, 'A sold x'),"
               " (2, 2, 'A sold y')");
    work(&s[0]);
    open_site(&s[1], schema);
    sql(&s[1], "INSERT INTO article VALUES (1, 'y', 'rice', 6), (2, 'x', 'Tea', 8),"
               " (3, 'only B', 'salt', 9); INSERT INTO line VALUES (1, 1, 'B sold y'),"
               " (2, 2, 'B sold x')");
    enrol_site(&s[0], &s[1], "B");
    open_store(&s[1]);
    check(store_track(s[1].store, NULL, 0, &e), &e);
    match_site(&s[0], &s[1], false);
    for (int round = 0; round < 3; round++)
        exchange(&s[0], &s[1]);
    expect_all(s, 2, "SELECT code FROM article ORDER BY code", "only A only B x y");
    expect_all(s, 2, lines, "A sold x|x A sold y|y B sold x|x B sold y|y");
    expect_same(&s[0], &s[1], articles);
    expect(&s[1], "SELECT id, code FROM article WHERE id < 4 ORDER BY id", "1|y 2|x 3|only B");
    close_coded(s, 2);
}

/* The other PC's application goes on with the row that is to leave its file. */
static void edits_of_a_row_that_is_about_to_leave_are_kept(void **state)
{
    struct site s[2];

    (void)state;
    for (int deletes = 0; deletes < 2; deletes++) {
        open_coded(s, 2, schema, false);
        sql(&s[0], "INSERT INTO article VALUES (1, 'x', 'tea', 5), (2, 'y', 'Tea', 6)");
        exchange(&s[0], &s[1]);
        unite(&s[0], 1, 2);
        work(&s[0]);
        carry(&s[0], &s[1]);
        later();
        sql(&s[1], deletes != 0 ? "DELETE FROM article WHERE id = 2"
                                : "UPDATE article SET price = 60 WHERE id = 2;"
                                  "INSERT INTO line(article_id, what) VALUES (2, 'late')");
        exchange(&s[0], &s[1]);
        exchange(&s[0], &s[1]);
        expect_all(s, 2, "SELECT count(*), max(price) FROM article", deletes != 0 ? "1|6" : "1|60");
        if (deletes == 0)
            expect_all(s, 2, "SELECT count(*) FROM line l JOIN article a ON a.id = l.article_id",
                       "1");
        expect_same(&s[0], &s[1], articles);
        close_coded(s, 2);
    }
}

/* Both were put into a group by one statement, and each PC has another one of the two. */
static void of_two_references_written_at_once_one_stays_everywhere(void **state)
{
    struct site s[2];

    (void)state;
    open_coded(s, 2, schema, false);
    sql(&s[0], "INSERT INTO groups(id, name) VALUES (1, 'x'), (2, 'y'), (3, 'in'), (4, 'out')");
    exchange(&s[0], &s[1]);
    later();
    sql(&s[0], "UPDATE groups SET up = id + 2 WHERE id < 3");
    exchange(&s[0], &s[1]);
    sql(&s[1], "DELETE FROM groups WHERE id = 1");
    work(&s[1]);
    unite_of(&s[0], "groups", 1, 2);
    exchange(&s[0], &s[1]);
    exchange(&s[0], &s[1]);
    expect_all(s, 2, "SELECT u.name FROM groups g JOIN groups u ON u.id = g.up", "out");
    close_coded(s, 2);
}

/* Somebody says that two articles are one. Before the file shows it, its application deletes the
 * one that was to stand for both, and may give its key to another one. */
static void the_one_of_two_that_is_left_in_the_file_keeps_its_key(void **state)
{
    (void)state;
    for (int reused = 0; reused < 2; reused++) {
        struct site s[2];

        open_coded(s, 2, schema, false);
        sql(&s[0], "INSERT INTO article VALUES (1, 'x', 'tea', 5), (2, 'y', 'tea', 6);"
                   "INSERT INTO line(article_id, what) VALUES (2, 'sold');"
                   "INSERT INTO offer VALUES (1, 'y')");
        exchange(&s[0], &s[1]);
        unite(&s[0], 1, 2);
        later();
        sql(&s[0], reused == 0 ? "DELETE FROM article WHERE id = 1"
                               : "DELETE FROM article WHERE id = 1;"
                                 "INSERT INTO article VALUES (1, 'z', 'rice', 7)");
        exchange(&s[0], &s[1]);
        exchange(&s[0], &s[1]);
        expect(&s[0], "SELECT id, code FROM article ORDER BY id", reused == 0 ? "2|y" : "1|z 2|y");
        expect_all(s, 2, lines, "sold|y");
        expect_all(s, 2, "SELECT code FROM offer", "y");
        expect_same(&s[0], &s[1], articles);
        close_coded(s, 2);
    }
}

/* Somebody says that two articles are one, and before the file shows it the application puts the
 * other one on the shelf where the first one is: both keys name one row. */
static void a_row_that_gets_the_name_of_another_before_the_file_shows_that_is_that_row(void **state)
{
    static const char *const there[] = {"INSERT INTO shelf VALUES (1, 'a', 1)",
                                        "INSERT INTO shelf VALUES (2, 'a', 1)",
                                        "INSERT INTO shelf VALUES (1, 'b', 1)"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct site s[2];

        open_coded(s, 2, schema, false);
        sql(&s[0], "INSERT INTO article VALUES (1, 'x', 'tea', 5), (2, 'y', 'tea', 6)");
        sql(&s[0], there[i]);
        exchange(&s[0], &s[1]);
        unite(&s[0], 1, 2);
        later();
        sql(&s[0], i == 0   ? "INSERT INTO shelf VALUES (2, 'a', 7)"
                   : i == 1 ? "INSERT INTO shelf VALUES (1, 'a', 7)"
                            : "INSERT INTO shelf VALUES (1, 'a', 7), (2, 'a', 7)");
        work(&s[0]);
        expect(&s[0], "SELECT n FROM shelf WHERE place = 'a'", "7");
        later();
        sql(&s[0], "UPDATE shelf SET n = 8 WHERE place = 'a'");
        exchange(&s[0], &s[1]);
        exchange(&s[0], &s[1]);
        expect_all(
            s, 2, "SELECT s.n FROM shelf s JOIN article ON id = article_id WHERE place = 'a'", "8");
        expect_all(s, 2, "SELECT count(*) FROM article", "1");
        expect_same(&s[0], &s[1], shelves);
        close_coded(s, 2);
    }
}

/* ... or goes on with both rows, which it still sees. */
static void rows_that_are_one_by_name_are_written_to_until_one_leaves(void **state)
{
    static const char *const writes[] = {"UPDATE shelf SET n = 9 WHERE article_id = 1",
                                         "UPDATE shelf SET n = 9 WHERE article_id = 2",
                                         "UPDATE shelf SET n = n + 6"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct site s[2];

        open_coded(s, 2, schema, false);
        sql(&s[0], "INSERT INTO article VALUES (1, 'x', 'tea', 5), (2, 'y', 'tea', 6);"
                   "INSERT INTO shelf VALUES (1, 'a', 3), (2, 'a', 3)");
        exchange(&s[0], &s[1]);
        unite(&s[0], 1, 2);
        later();
        sql(&s[0], writes[i]);
        exchange(&s[0], &s[1]);
        exchange(&s[0], &s[1]);
        expect_all(s, 2, "SELECT n FROM shelf JOIN article ON id = article_id", "9");
        expect_ledger(&s[0], "SELECT count(*) FROM row WHERE present AND key IS NULL", "0");
        close_coded(s, 2);
    }
}

/* Whoever deletes one of two rows before the file shows that they are one has not seen the other
 * one go: it stays where it is. */
static void a_delete_takes_no_part_that_the_file_still_shows_beside_it(void **state)
{
    (void)state;
    for (int deleted = 1; deleted <= 2; deleted++) {
        struct site s[2];
        char text[64];

        open_coded(s, 2, schema, false);
        sql(&s[0], "INSERT INTO article VALUES (1, 'x', 'tea', 5), (2, 'y', 'rice', 6)");
        exchange(&s[0], &s[1]);
        unite(&s[0], 1, 2);
        later();
        snprintf(text, sizeof text, "DELETE FROM article WHERE id = %d", deleted);
        sql(&s[0], text);
        exchange(&s[0], &s[1]);
        exchange(&s[0], &s[1]);
        expect_all(s, 2, "SELECT count(*) FROM article", "1");
        expect(&s[0], "SELECT id FROM article", deleted == 1 ? "2" : "1");
        sql(&s[1], "DELETE FROM article");
        exchange(&s[0], &s[1]);
        expect_all(s, 2, "SELECT count(*) FROM article", "0");
        close_coded(s, 2);
    }
}

/* Two groups name each other or themselves, and the reference of one of them is let go last: before
 * anybody says that they are one, before the file shows it, or on the other PC, which has not heard
 * of it. */
static void a_reference_that_was_let_go_last_is_gone_from_the_row_of_two(void **state)
{
    static const char *const ups[] = {"NULL", "1", "2"};

    (void)state;
    for (int i = 0; i < 54; i++) {
        int row = 1 + i % 2, when = i / 2 % 3;
        const char *up[] = {ups[i / 6 % 3], ups[i / 18]};
        struct site s[2], *writer = &s[when == 2];
        char text[200];

        if (strcmp(up[row - 1], "NULL") == 0)
            continue;
        open_coded(s, 2, schema, false);
        snprintf(text, sizeof text, "INSERT INTO groups VALUES (1, 'x', %s), (2, 'y', %s)", up[0],
                 up[1]);
        sql(&s[0], text);
        exchange(&s[0], &s[1]);
        snprintf(text, sizeof text, "UPDATE groups SET up = NULL WHERE id = %d", row);
        later();
        if (when > 0)
            unite_of(&s[0], "groups", 1, 2);
        sql(writer, text);
        if (when == 0) {
            work(&s[0]);
            unite_of(&s[0], "groups", 1, 2);
        }
        exchange(&s[0], &s[1]);
        exchange(&s[0], &s[1]);
        expect_all(s, 2, "SELECT count(*), up FROM groups", "1|NULL");
        close_coded(s, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_article_that_two_shops_made_under_one_code_is_one_by_rule),
        cmocka_unit_test(such_a_row_keeps_its_key_in_an_older_database),
        cmocka_unit_test(pure_join_rows_are_one_without_a_rule),
        cmocka_unit_test(what_one_statement_wrote_to_two_rows_is_not_mixed),
        cmocka_unit_test(what_one_statement_wrote_to_two_rows_that_are_one_already_is_not_mixed),
        cmocka_unit_test(a_delete_takes_only_the_part_that_it_meant),
        cmocka_unit_test(a_person_makes_one_row_of_two_and_what_refers_to_them_follows),
        cmocka_unit_test(a_row_that_names_the_one_it_becomes_one_with_names_itself),
        cmocka_unit_test(a_row_that_names_nothing_any_more_lets_go_of_the_row_that_leaves),
        cmocka_unit_test(a_row_that_is_saved_under_the_key_it_is_about_to_lose_is_that_row),
        cmocka_unit_test(what_names_the_code_of_a_row_that_goes_names_the_one_that_takes_it),
        cmocka_unit_test(a_row_that_lets_go_of_the_row_it_becomes_one_with_names_nothing),
        cmocka_unit_test(a_row_that_named_itself_lets_go_of_itself),
        cmocka_unit_test(rows_named_after_two_that_are_one_are_one_too),
        cmocka_unit_test(keys_follow_the_row_that_stands_for_what_they_name),
        cmocka_unit_test(independent_databases_share_their_articles_and_keep_apart_the_rest),
        cmocka_unit_test(edits_of_a_row_that_is_about_to_leave_are_kept),
        cmocka_unit_test(the_one_of_two_that_is_left_in_the_file_keeps_its_key),
        cmocka_unit_test(of_two_references_written_at_once_one_stays_everywhere),
        cmocka_unit_test(
            a_row_that_gets_the_name_of_another_before_the_file_shows_that_is_that_row),
        cmocka_unit_test(rows_that_are_one_by_name_are_written_to_until_one_leaves),
        cmocka_unit_test(a_reference_that_was_let_go_last_is_gone_from_the_row_of_two),
        cmocka_unit_test(a_delete_takes_no_part_that_the_file_still_shows_beside_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
