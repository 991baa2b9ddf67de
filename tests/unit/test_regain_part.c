/* A newcomer with a copy of a PC's database that holds what this one had not drained. */
#include "sites.h"

#include "rules_of.h"
#include "unit/ruled.h"

static const char articles[] =
    "CREATE TABLE article(id INTEGER PRIMARY KEY, ref TEXT, stock INTEGER, place TEXT)";

static const char all[] = "SELECT ref, stock, place FROM article ORDER BY 1, 2, 3";

/* A and B know three articles, whose stock counts. */
static void open_articles(struct site *a, struct site *b)
{
    open_pair(a, b, articles, articles);
    make_counters(a, "article.stock", true);
    share_rules(a, b);
    sql(a,
        "INSERT INTO article VALUES (1, 'one', 1, 'x'), (2, 'two', 2, 'x'), (3, 'three', 3, 'x')");
    exchange(a, b);
    exchange(a, b);
    tidy(a); /* the file is told where it stands */
}

/* C gets the copy that was kept of A's database; its agent does not run yet. */
static void copy_of(struct site *a, struct site *c)
{
    *c = (struct site){0};
    open_site(c, "CREATE TABLE unused(id INTEGER PRIMARY KEY)");
    put_database_back(c, a);
    later();
}

static void begin_with_copy(struct site *b, struct site *c, const char *name)
{
    struct err e = {0};

    enrol_site(b, c, name);
    open_store(c);
    check(store_track(c->store, NULL, 0, &e), &e);
    match_site(b, c, false);
}

static void join_copy(struct site *b, struct site *c, const char *name)
{
    begin_with_copy(b, c, name);
    exchange(b, c);
    exchange(b, c);
}

static void what_was_drained_with_later_work_counts_once(void **state)
{
    struct site a, b, c;

    (void)state;
    open_articles(&a, &b);
    sql(&a, "UPDATE article SET stock = stock + 10 WHERE id = 1");
    keep_database(&a);
    later();
    sql(&a, "UPDATE article SET stock = stock + 100 WHERE id = 2");
    copy_of(&a, &c);
    sql(&c, "UPDATE article SET stock = stock + 1000 WHERE id < 3");
    exchange(&a, &b); /* one change-set with both */
    join_copy(&b, &c, "C");
    expect(&c, "SELECT group_concat(stock) FROM article", "1011,1102,3");
    expect_same(&b, &c, all);
    close_site(&c);
    close_pair(&a, &b);
}

/* The last mark of the row is not in the copy; what it counts is all the same. */
static void what_was_drained_with_a_later_write_of_its_row_counts_once(void **state)
{
    struct site a, b, c;

    (void)state;
    open_articles(&a, &b);
    sql(&a, "UPDATE article SET stock = stock + 10 WHERE id < 3");
    keep_database(&a);
    later();
    sql(&a, "UPDATE article SET place = 'y' WHERE id = 1");
    copy_of(&a, &c);
    sql(&c, "UPDATE article SET ref = 'uno' WHERE id = 1");
    exchange(&a, &b);
    join_copy(&b, &c, "C");
    expect(&c, "SELECT stock, place FROM article WHERE id = 1", "11|y");
    expect_same(&b, &c, all);
    close_site(&c);
    close_pair(&a, &b);
}

/* The key of the one is the other's, and both moved: only when the one is settled has the other a
 * name. */
static void what_is_named_by_a_row_that_moved_counts_once(void **state)
{
    static const char schema[] =
        "CREATE TABLE client(id INTEGER PRIMARY KEY, name TEXT);"
        "CREATE TABLE card(client_id INTEGER PRIMARY KEY REFERENCES client(id), points INTEGER)";
    static const char cards[] = "SELECT name, points FROM card JOIN client ON id = client_id";
    struct site a, b, c;

    (void)state;
    open_pair(&a, &b, schema, schema);
    make_counters(&a, "card.points", true);
    share_rules(&a, &b);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana')");
    exchange(&a, &b);
    tidy(&a);
    sql(&a, "INSERT INTO card VALUES (1, 100); BEGIN; PRAGMA defer_foreign_keys = ON;"
            "UPDATE client SET id = 8; UPDATE card SET client_id = 8; COMMIT");
    drain_all(&a);
    later();
    sql(&a, "UPDATE card SET points = points - 10");
    keep_database(&a);
    copy_of(&a, &c);
    exchange(&a, &b);
    join_copy(&b, &c, "C");
    expect(&c, cards, "Ana|90");
    expect_same(&b, &c, cards);
    close_site(&c);
    close_pair(&a, &b);
}

/* The copy lacks the end of it, and says nothing of the beginning. */
static void what_the_copied_pc_went_on_to_write_stands(void **state)
{
    struct site a, b, c;

    (void)state;
    open_articles(&a, &b);
    sql(&a, "UPDATE article SET stock = stock + 10, place = 'y' WHERE id = 1;"
            "DELETE FROM article WHERE id = 2; INSERT INTO article VALUES (4, 'four', 4, 'x')");
    keep_database(&a);
    later();
    sql(&a,
        "UPDATE article SET stock = stock + 100, place = 'z' WHERE id = 1;"
        "UPDATE article SET place = 'w' WHERE id = 4; UPDATE article SET place = 'v' WHERE id = 3");
    copy_of(&a, &c);
    sql(&c, "INSERT INTO article VALUES (9, 'nine', 9, 'x')");
    exchange(&a, &b);
    join_copy(&b, &c, "C");
    expect(&c, "SELECT ref, stock, place FROM article WHERE ref = 'one'", "one|111|z");
    expect(&c, "SELECT count(*), group_concat(place, '') FROM (SELECT * FROM article ORDER BY ref)",
           "4|wxzv");
    expect_same(&b, &c, all);
    close_site(&c);
    close_pair(&a, &b);
}

/* A is away when C and D join, and drains later what both have: it is one row. */
static void a_row_that_nobody_has_heard_of_is_one_in_all_copies(void **state)
{
    struct site a, b, c, d;

    (void)state;
    open_articles(&a, &b);
    sql(&a, "INSERT INTO article VALUES (4, 'four', 4, 'x')");
    keep_database(&a);
    copy_of(&a, &c);
    copy_of(&a, &d);
    sql(&c, "UPDATE article SET place = 'c' WHERE id = 4");
    join_copy(&b, &c, "C");
    join_copy(&b, &d, "D");
    share_rules(&b, &a); /* and who is in the fleet */
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, "SELECT count(*) FROM article WHERE ref = 'four'", "1");
    expect(&a, "SELECT place FROM article WHERE ref = 'four'", "c");
    exchange(&b, &d);
    expect_same(&a, &b, all);
    expect_same(&b, &d, all);
    close_site(&c);
    close_site(&d);
    close_pair(&a, &b);
}

/* The copied PC deleted it before anybody heard of it; whoever has it keeps it, once. */
static void a_row_that_came_and_went_at_the_copied_pc_is_one_in_all_copies(void **state)
{
    struct site a, b, c, d;

    (void)state;
    open_articles(&a, &b);
    sql(&a, "INSERT INTO article VALUES (4, 'four', 4, 'x')");
    keep_database(&a);
    sql(&a, "DELETE FROM article WHERE id = 4");
    exchange(&a, &b);
    copy_of(&a, &c);
    copy_of(&a, &d);
    join_copy(&b, &c, "C");
    sql(&d, "UPDATE article SET place = 'd' WHERE id = 4");
    join_copy(&b, &d, "D");
    expect(&b, "SELECT count(*), max(place) FROM article WHERE ref = 'four'", "1|d");
    expect_same(&b, &d, all);
    close_site(&c);
    close_site(&d);
    close_pair(&a, &b);
}

/* A was away when C began with the copy, and nobody waited for it. */
static void what_the_copied_pc_says_only_later_counts_once(void **state)
{
    static const char stock[] = "SELECT group_concat(stock) FROM article";
    struct site a, b, c;

    (void)state;
    open_articles(&a, &b);
    sql(&a, "UPDATE article SET stock = stock + 10 WHERE id < 3");
    keep_database(&a);
    later();
    sql(&a, "UPDATE article SET stock = stock + 100 WHERE id = 3");
    copy_of(&a, &c);
    sql(&c, "UPDATE article SET stock = stock + 1000 WHERE id > 1");
    join_copy(&b, &c, "C");
    expect(&b, stock, "11,1012,1003");
    work(&a); /* one change-set with all that it wrote */
    carry(&a, &b);
    work(&b);
    exchange(&b, &c);
    exchange(&b, &c);
    expect(&b, stock, "11,1012,1103");
    expect_same(&b, &c, all);
    sql(&c, "UPDATE article SET stock = stock + 5 WHERE id = 1");
    exchange(&b, &c);
    expect(&b, stock, "16,1012,1103");
    close_site(&c);
    close_pair(&a, &b);
}

/* Nobody had heard of the row either: C says it whole, with all that A had added to it. */
static void what_the_copied_pc_added_to_a_row_that_another_one_said_counts_once(void **state)
{
    static const char stock[] = "SELECT stock FROM article WHERE ref = 'four'";
    struct site a, b, c;

    (void)state;
    open_articles(&a, &b);
    sql(&a, "INSERT INTO article VALUES (4, 'four', 4, 'x')");
    drain_all(&a);
    later();
    sql(&a, "UPDATE article SET stock = stock + 10 WHERE id = 4");
    drain_all(&a);
    keep_database(&a);
    copy_of(&a, &c);
    sql(&c, "UPDATE article SET stock = stock + 1000 WHERE id = 4");
    join_copy(&b, &c, "C");
    expect(&b, stock, "1014");
    carry(&a, &b);
    work(&b);
    exchange(&b, &c);
    exchange(&b, &c);
    expect(&b, stock, "1014");
    expect_same(&b, &c, all);
    close_site(&c);
    close_pair(&a, &b);
}

/* C has not written the row: what it says whole is what its copy held. */
static void what_the_copied_pc_added_to_a_row_that_a_copy_said_whole_counts_once(void **state)
{
    static const char stock[] = "SELECT stock FROM article WHERE ref = 'four'";
    struct site a, b, c;

    (void)state;
    open_articles(&a, &b);
    sql(&a, "INSERT INTO article VALUES (4, 'four', 4, 'x')");
    drain_all(&a);
    later();
    sql(&a, "UPDATE article SET stock = stock + 10 WHERE id = 4");
    drain_all(&a);
    keep_database(&a);
    copy_of(&a, &c);
    join_copy(&b, &c, "C");
    expect(&b, stock, "14");
    carry(&a, &b);
    work(&b);
    exchange(&b, &c);
    exchange(&b, &c);
    expect(&b, stock, "14");
    expect_same(&b, &c, all);
    close_site(&c);
    close_pair(&a, &b);
}

/* Two copies say it whole, and each hears of A before it hears of the other one. D went on to sell
 * of it: what it sold counts beside. */
static void what_the_copied_pc_added_to_a_row_that_two_copies_said_counts_once(void **state)
{
    static const char stock[] = "SELECT stock FROM article WHERE ref = 'four'";
    struct site a, b, c, d;

    (void)state;
    open_articles(&a, &b);
    sql(&a, "INSERT INTO article VALUES (4, 'four', 4, 'x')");
    drain_all(&a);
    later();
    sql(&a, "UPDATE article SET stock = stock + 10 WHERE id = 4");
    drain_all(&a);
    keep_database(&a);
    copy_of(&a, &c);
    copy_of(&a, &d);
    begin_with_copy(&b, &c, "C");
    begin_with_copy(&b, &d, "D");
    share_rosters(&b, &a);
    share_rosters(&b, &c);
    work(&c);
    work(&d);
    sql(&d, "UPDATE article SET stock = stock - 1 WHERE id = 4");
    work(&d);
    carry(&a, &c);
    carry(&a, &d);
    work(&c);
    work(&d);
    exchange(&b, &c);
    exchange(&b, &d);
    exchange(&b, &c);
    expect(&b, stock, "13");
    expect_same(&b, &c, all);
    expect_same(&b, &d, all);
    close_site(&d);
    close_site(&c);
    close_pair(&a, &b);
}

/* C had it in its copy, and says it before anybody has heard of A's: it is A's row all the same,
 * and goes when A says that it has gone. */
static void a_row_with_a_name_that_the_copied_pc_deleted_goes_from_all_copies(void **state)
{
    static const char tags[] = "CREATE TABLE tag(name TEXT PRIMARY KEY, place TEXT) WITHOUT ROWID";
    static const char names[] = "SELECT group_concat(name) FROM tag";
    struct site a, b, c;

    (void)state;
    open_pair(&a, &b, tags, tags);
    sql(&a, "INSERT INTO tag VALUES ('blue', 'x')");
    exchange(&a, &b);
    tidy(&a);
    sql(&a, "INSERT INTO tag VALUES ('red', 'x')");
    keep_database(&a);
    drain_all(&a);
    later();
    sql(&a, "DELETE FROM tag WHERE name = 'red'");
    drain_all(&a);
    copy_of(&a, &c);
    join_copy(&b, &c, "C");
    expect(&b, names, "blue,red");
    carry(&a, &b);
    work(&b);
    exchange(&b, &c);
    expect(&b, names, "blue");
    expect_same(&b, &c, names);
    close_site(&c);
    close_pair(&a, &b);
}

/* C's clock is a day slow: the latest of the row's marks is A's, but the last one is not. */
/* A drained it at once with what C has in its copy. C saved the row as it was, and had not heard of
 * the delete. */
static void a_delete_that_a_copy_does_not_hold_stands_although_it_saved_the_row(void **state)
{
    static const char tags[] = "CREATE TABLE tag(name TEXT PRIMARY KEY, place TEXT) WITHOUT ROWID";
    static const char names[] = "SELECT group_concat(name) FROM tag";
    struct site a, b, c;

    (void)state;
    open_pair(&a, &b, tags, tags);
    sql(&a, "INSERT INTO tag VALUES ('blue', 'x')");
    exchange(&a, &b);
    tidy(&a);
    sql(&a, "INSERT INTO tag VALUES ('red', 'x')");
    drain_all(&a);
    sql(&a, "INSERT INTO tag VALUES ('green', 'x')");
    keep_database(&a);
    later();
    sql(&a, "DELETE FROM tag WHERE name = 'red'");
    exchange(&a, &b);
    copy_of(&a, &c);
    sql(&c, "UPDATE tag SET place = place WHERE name = 'red'");
    join_copy(&b, &c, "C");
    expect(&b, names, "blue,green");
    expect_same(&b, &c, names);
    close_site(&c);
    close_pair(&a, &b);
}

/* Both copies gave the number of an article that they deleted to one of their own, which stands in
 * the same seat: what A wrote of the old one's seat names neither of theirs. */
static void rows_that_are_named_by_reused_numbers_are_two_in_two_copies(void **state)
{
    static const char seats[] =
        "CREATE TABLE seat(article INTEGER REFERENCES article(id), shelf TEXT, place TEXT,"
        " PRIMARY KEY(article, shelf)) WITHOUT ROWID";
    static const char seen[] = "SELECT ref, seat.place FROM seat JOIN article ON id = seat.article"
                               " ORDER BY ref";
    struct site a, b, c, d;
    char schema[512];

    (void)state;
    snprintf(schema, sizeof schema, "%s; %s", articles, seats);
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO article VALUES (1, 'one', 1, 'x')");
    exchange(&a, &b);
    tidy(&a);
    sql(&a, "INSERT INTO article VALUES (2, 'two', 2, 'x'); INSERT INTO seat VALUES (2, 's', 'x')");
    keep_database(&a);
    copy_of(&a, &c);
    copy_of(&a, &d);
    sql(&c, "DELETE FROM seat; DELETE FROM article WHERE id = 2;"
            "INSERT INTO article VALUES (2, 'C two', 2, 'x');"
            "INSERT INTO seat VALUES (2, 's', 'of C')");
    sql(&d, "BEGIN; PRAGMA defer_foreign_keys = ON; DELETE FROM article WHERE id = 2;"
            "INSERT INTO article VALUES (2, 'D two', 2, 'x'); UPDATE seat SET place = 'of D';"
            "COMMIT");
    join_copy(&b, &c, "C");
    join_copy(&b, &d, "D");
    share_rosters(&b, &a);
    share_rosters(&b, &c);
    exchange(&b, &c);
    expect(&b, seen, "C two|of C D two|of D");
    expect_same(&b, &c, seen);
    expect_same(&b, &d, seen);
    exchange(&a, &b);
    exchange(&a, &b);
    expect_same(&a, &b, seen);
    close_site(&c);
    close_site(&d);
    close_pair(&a, &b);
}

static void what_a_copy_whose_clock_is_slow_wrote_itself_counts(void **state)
{
    struct site a, b, c;

    (void)state;
    open_articles(&a, &b);
    sql(&a, "UPDATE article SET place = 'y' WHERE id = 1");
    keep_database(&a);
    copy_of(&a, &c);
    exchange(&a, &b);
    sql(&c, "UPDATE article SET ref = 'uno' WHERE id = 1;"
            "UPDATE _navette_dirty SET t = t - 1 WHERE id = (SELECT max(id) FROM _navette_dirty)");
    join_copy(&b, &c, "C");
    expect(&b, "SELECT ref, place FROM article WHERE id = 1", "uno|y");
    expect_same(&b, &c, all);
    close_site(&c);
    close_pair(&a, &b);
}

/* Into C's table nothing comes by rule; but what its copy holds of A came with that. */
static void what_is_written_in_a_copy_of_a_table_into_which_nothing_comes_is_said(void **state)
{
    struct site a, b, c;
    struct err e = {0};

    (void)state;
    open_articles(&a, &b);
    sql(&a, "UPDATE article SET place = 'y' WHERE id = 1");
    keep_database(&a);
    copy_of(&a, &c);
    exchange(&a, &b);
    sql(&c, "UPDATE article SET ref = 'uno' WHERE id = 1");
    enrol_site(&b, &c, "C");
    set_rule(&b, (struct wish){.target = "article", .kind = RULE_PUBLISH, .of = &c});
    share_rosters(&b, &c);
    open_store(&c);
    check(store_track(c.store, NULL, 0, &e), &e);
    match_site(&b, &c, false);
    exchange(&b, &c);
    expect(&b, "SELECT ref, place FROM article WHERE id = 1", "uno|y");
    close_site(&c);
    close_pair(&a, &b);
}

/* How many actors of this PC others may know of. */
static uint32_t names_given(const struct site *s)
{
    const struct vector *have = store_have(s->store);
    uint32_t n = 0;

    for (uint32_t i = 0; i < have->n; i++)
        n += actor_is_of(&have->entries[i].actor, &s->keys.site);
    return n;
}

/* A's disk is gone, with what it had told nobody; two new PCs begin with the last copy of its
 * database, which holds that without a mark. */
static void what_a_copied_database_alone_remembers_counts_once_whoever_has_the_copy(void **state)
{
    static const char stock[] = "SELECT ref, stock FROM article WHERE id <> 2 ORDER BY ref";
    struct site a, b, c, d;

    (void)state;
    open_articles(&a, &b);
    sql(&a, "UPDATE article SET stock = stock + 10 WHERE id = 1;"
            "INSERT INTO article VALUES (4, 'four', 5, 'x')");
    work(&a);
    sql(&b, "UPDATE article SET place = 'y' WHERE id = 2");
    work(&b);
    carry(&b, &a);
    work(&a);
    tidy(&a);
    keep_database(&a);
    copy_of(&a, &c);
    begin_with_copy(&b, &c, "C");
    assert_int_equal(names_given(&c), 0); /* the file still says that it is A's */
    close_store(&c);
    open_store(&c);
    assert_int_equal(names_given(&c), 0);
    exchange(&b, &c);
    assert_int_not_equal(names_given(&c), 0);
    expect(&b, stock, "four|5 one|11 three|3");
    expect_same(&b, &c, all);
    copy_of(&a, &d);
    join_copy(&b, &d, "D");
    expect(&b, stock, "four|5 one|11 three|3");
    expect_same(&b, &d, all);
    close_site(&d);
    close_site(&c);
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_drained_with_later_work_counts_once),
        cmocka_unit_test(what_was_drained_with_a_later_write_of_its_row_counts_once),
        cmocka_unit_test(what_is_named_by_a_row_that_moved_counts_once),
        cmocka_unit_test(what_the_copied_pc_went_on_to_write_stands),
        cmocka_unit_test(a_row_that_nobody_has_heard_of_is_one_in_all_copies),
        cmocka_unit_test(a_row_that_came_and_went_at_the_copied_pc_is_one_in_all_copies),
        cmocka_unit_test(what_the_copied_pc_says_only_later_counts_once),
        cmocka_unit_test(what_the_copied_pc_added_to_a_row_that_another_one_said_counts_once),
        cmocka_unit_test(what_the_copied_pc_added_to_a_row_that_a_copy_said_whole_counts_once),
        cmocka_unit_test(what_the_copied_pc_added_to_a_row_that_two_copies_said_counts_once),
        cmocka_unit_test(a_row_with_a_name_that_the_copied_pc_deleted_goes_from_all_copies),
        cmocka_unit_test(a_delete_that_a_copy_does_not_hold_stands_although_it_saved_the_row),
        cmocka_unit_test(rows_that_are_named_by_reused_numbers_are_two_in_two_copies),
        cmocka_unit_test(what_a_copy_whose_clock_is_slow_wrote_itself_counts),
        cmocka_unit_test(what_is_written_in_a_copy_of_a_table_into_which_nothing_comes_is_said),
        cmocka_unit_test(what_a_copied_database_alone_remembers_counts_once_whoever_has_the_copy),
    };
    struct err e = {0};

    if (!keys_library_start(&e))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
