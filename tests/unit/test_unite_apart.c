/* Two rows that a person has said to be one, and that some file still shows apart: what people
 * write there. Of unite.c, publish_cells.c and merge.c. */
#include "unit/codes.h"
#include "unit/ruled.h"

static const char schema[] =
    "CREATE TABLE groups(id INTEGER PRIMARY KEY, name TEXT UNIQUE, up INT REFERENCES groups(id));";

static void unite(struct site *s, int64_t a, int64_t b)
{
    struct err e = {0};

    tick(s);
    check(store_unite(s->store, "groups", (int64_t[]){a, b}, s->now_ms, &e), &e);
}

/* The one named itself, and the other nothing, which was written later and counts for both. Who
 * writes the other's key now sees two rows, and means a row. */
static void a_reference_to_the_other_row_of_the_two_is_an_edit(void **state)
{
    struct site s[2];

    (void)state;
    open_coded(s, 2, schema, false);
    sql(&s[0], "INSERT INTO groups VALUES (1, 'x', 1)");
    exchange(&s[0], &s[1]);
    later();
    sql(&s[0], "INSERT INTO groups VALUES (2, 'y', NULL)");
    exchange(&s[0], &s[1]);
    unite(&s[0], 1, 2);
    later();
    sql(&s[0], "UPDATE groups SET up = 2 WHERE id = 1");

    exchange(&s[0], &s[1]);
    exchange(&s[0], &s[1]);

    expect_both(&s[0], &s[1], "SELECT count(*), up = id FROM groups", "1|1");
    close_coded(s, 2);
}

/* And who saves it as it is has said nothing, also after the two have become one in the file. */
static void a_reference_that_only_follows_the_row_that_stands_is_no_edit(void **state)
{
    struct site s[2];

    (void)state;
    open_coded(s, 2, schema, false);
    sql(&s[0], "INSERT INTO groups VALUES (1, 'x', NULL), (2, 'y', NULL), (3, 'z', 2)");
    exchange(&s[0], &s[1]);
    unite(&s[0], 1, 2);
    later();
    sql(&s[1], "UPDATE groups SET up = NULL WHERE id = 3");
    later();
    sql(&s[0], "UPDATE groups SET name = 'zz', up = 2 WHERE id = 3");
    work(&s[0]);
    sql(&s[0], "UPDATE groups SET name = 'zzz', up = 1 WHERE id = 3");

    exchange(&s[0], &s[1]);
    exchange(&s[0], &s[1]);

    expect_both(&s[0], &s[1], "SELECT name, up FROM groups WHERE id = 3", "zzz|NULL");
    close_coded(s, 2);
}

/* C, which knows of two rows, deletes the one, gives the other a name that B has taken, and deletes
 * that one, too. In between A says, in the name of the first, that its row bears a mark: that is no
 * write of it, and does not bring it back. */
static void a_mark_that_is_said_of_a_row_of_two_brings_none_of_them_back(void **state)
{
    struct site s[3], *a = &s[0], *b = &s[1], *c = &s[2];

    (void)state;
    open_coded(s, 3, schema, false);
    sql(a, "INSERT INTO groups VALUES (1, 'x', NULL), (2, 'y', NULL)");
    exchange(a, b);
    exchange(a, c);
    later();
    sql(b, "INSERT INTO groups VALUES (4, 'z', NULL)");
    work(b);
    later();
    sql(c, "DELETE FROM groups WHERE id = 1");
    work(c);
    later();
    sql(c, "UPDATE groups SET name = 'z' WHERE id = 2");
    work(c);
    unite(a, 1, 2);
    carry(b, a);
    carry(c, a);
    work(a);
    expect(a, "SELECT name FROM groups ORDER BY name", "#C-z z");
    a->now_ms += 31000; /* C, whose name it is to say it, is silent */
    drain_all(a);
    carry(a, b);
    work(b);
    expect(b, "SELECT name FROM groups ORDER BY name", "#C-z z");
    sql(c, "DELETE FROM groups WHERE id = 2");
    work(c);

    carry(c, a);
    carry(c, b);
    work(a);
    work(b);

    expect_both(a, b, "SELECT name FROM groups", "z");
    close_coded(s, 3);
}

static void say_in_anothers_place(struct site *s)
{
    s->now_ms += 31000; /* whose it is to say it is silent */
    drain_all(s);
}

/* One says that the other's article and its own are one. The other has deleted that one, and made
 * another with the same code, so that what stands for the first waits until it is one with the
 * second. So does the line that goes on naming the first, under a key that no article has. */
static void let_one_go_that_is_named(struct site *says, struct site *lets_go, const char *code)
{
    char text[200];

    snprintf(text, sizeof text, "INSERT INTO article(code) VALUES ('%s')", code);
    sql(says, text);
    work(says);
    later();
    sql(lets_go, text);
    sql(lets_go, "INSERT INTO line(article) SELECT max(id) FROM article");
    work(lets_go);
    carry(lets_go, says);
    work(says);
    say_in_anothers_place(says);
    sql(lets_go, "DELETE FROM article WHERE id = (SELECT max(id) FROM article)");
    work(lets_go);
    sql(lets_go, text);
    work(lets_go);
    exchange(says, lets_go);
    say_in_anothers_place(says);
    exchange(says, lets_go);
}

/* Whose gids are smaller is chance: each lets one go. */
static void what_names_a_row_that_left_follows_when_the_one_that_stands_comes_in(void **state)
{
    static const char lines[] =
        "CREATE TABLE article(id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE);"
        "CREATE TABLE line(id INTEGER PRIMARY KEY, article INT);";
    struct site a = {0}, b = {0};

    (void)state;
    open_founder(&a, lines);
    merge_codes(&a);
    set_rule(&a, (struct wish){"line.article", RULE_REFERENCES, .argument = "article"});
    join_site(&a, &b, "B", lines);

    let_one_go_that_is_named(&a, &b, "R");
    let_one_go_that_is_named(&b, &a, "S");

    expect_both(&a, &b, "SELECT count(*) FROM line WHERE article IN (SELECT id FROM article)", "2");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reference_to_the_other_row_of_the_two_is_an_edit),
        cmocka_unit_test(a_reference_that_only_follows_the_row_that_stands_is_no_edit),
        cmocka_unit_test(a_mark_that_is_said_of_a_row_of_two_brings_none_of_them_back),
        cmocka_unit_test(what_names_a_row_that_left_follows_when_the_one_that_stands_comes_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
