/* What was overwritten by somebody who had not seen it: listed once, with both sides, the same on
 * every site, whatever the order in which things arrive. Also of ledger_conflict.c. */
#include "listed.h"

#include "random.h"

/* ---- cells ---- */

static void two_who_edit_one_cell_apart_find_both_values_listed_on_both(void **state)
{
    static const char text[] = "Riz price overwritten: 11 of A lost to 12 of B";
    struct store_conflicts c;
    struct site a, b;

    (void)state;
    open_two(&a, &b);
    edit(&a, "UPDATE article SET price = 11, place = 'shelf' WHERE id = 1");
    edit(&b, "UPDATE article SET price = 12, name = 'Riz' WHERE id = 1");
    exchange(&a, &b);
    expect_listed(&a, text);
    expect_listed(&b, text);
    expect(&a, "SELECT price || place FROM article WHERE id = 1", "12shelf");
    c = conflicts_of(&a);
    assert_string_equal(c.list[0].row.table, "article");
    assert_string_equal(c.list[0].row.key, "1");
    assert_true(c.list[0].row.in_file);
    assert_string_equal(c.list[0].now.value, "12");
    assert_true(c.list[0].lost.at_ms < c.list[0].won.at_ms);
    assert_true(c.list[0].won.at_ms + 60000 > a.now_ms && c.list[0].won.at_ms <= a.now_ms);
    assert_true(c.list[0].noticed_ms >= c.list[0].won.at_ms);
    store_conflicts_close(&c);
    exchange(&a, &b);
    close_store(&a);
    open_store(&a);
    exchange(&a, &b);
    expect_listed(&a, text);
    expect_listed(&b, text);
    assert_int_equal(status_of(&b).conflicts, 1);
    close_pair(&a, &b);
}

static void whoever_saw_a_value_overwrites_it_without_a_word(void **state)
{
    struct site a, b;

    (void)state;
    open_two(&a, &b);
    for (int i = 0; i < 3; i++) {
        edit(i % 2 == 0 ? &a : &b, i % 2 == 0 ? "UPDATE article SET price = price + 1"
                                              : "UPDATE article SET price = price * 2");
        exchange(&a, &b);
    }
    expect_listed(&a, "");
    expect_listed(&b, "");
    close_pair(&a, &b);
}

static void equal_values_written_apart_are_no_conflict(void **state)
{
    struct site a, b;

    (void)state;
    open_two(&a, &b);
    edit(&a, "UPDATE article SET price = 11");
    edit(&b, "UPDATE article SET price = 11");
    exchange(&a, &b);
    expect_listed(&a, "");
    expect_listed(&b, "");
    close_pair(&a, &b);
}

static void a_value_overwritten_by_its_own_author_is_not_the_one_that_is_listed(void **state)
{
    struct site a, b;

    (void)state;
    open_two(&a, &b);
    edit(&b, "UPDATE article SET price = 12 WHERE id = 1");
    edit(&a, "UPDATE article SET price = 11 WHERE id = 1");
    edit(&a, "UPDATE article SET price = 13 WHERE id = 1");
    edit(&b, "UPDATE article SET price = 14 WHERE id = 1");
    exchange(&a, &b);
    expect_listed(&a, "Riz price overwritten: 13 of A lost to 14 of B");
    expect_listed(&b, "Riz price overwritten: 13 of A lost to 14 of B");
    close_pair(&a, &b);
}

static void three_who_edit_apart_list_the_same_in_whatever_order_they_meet(void **state)
{
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct site s[3];

    (void)state;
    for (size_t o = 0; o < COUNT_OF(orders); o++) {
        open_three(s);
        exchange_all(s);
        edit(&s[0], "UPDATE article SET price = 11 WHERE id = 1");
        edit(&s[1], "UPDATE article SET price = 12 WHERE id = 1");
        edit(&s[2], "UPDATE article SET price = 13 WHERE id = 1");
        exchange(&s[orders[o][0]], &s[orders[o][1]]);
        exchange(&s[orders[o][1]], &s[orders[o][2]]);
        exchange_all(s);
        for (int i = 0; i < 3; i++)
            expect_listed(&s[i], "Riz price overwritten: 11 of A lost to 13 of C; "
                                 "Riz price overwritten: 12 of B lost to 13 of C");
        close_three(s);
    }
}

static void a_value_that_comes_back_is_lost_no_longer(void **state)
{
    struct site a, b;

    (void)state;
    open_two(&a, &b);
    edit(&a, "UPDATE article SET price = 11 WHERE id = 1");
    edit(&b, "UPDATE article SET price = 12 WHERE id = 1");
    exchange(&a, &b);
    edit(&b, "UPDATE article SET price = 11 WHERE id = 1");
    exchange(&a, &b);
    expect_listed(&a, "");
    expect_listed(&b, "");
    close_pair(&a, &b);
}

static void an_edit_that_saw_the_winner_leaves_the_loser_on_the_list(void **state)
{
    struct site s[3];

    (void)state;
    open_three(s);
    edit(&s[0], "UPDATE article SET price = 11 WHERE id = 1");
    edit(&s[1], "UPDATE article SET price = 12 WHERE id = 1");
    exchange(&s[0], &s[1]);
    edit(&s[0], "UPDATE article SET price = 15 WHERE id = 1");
    exchange_all(s);
    for (int i = 0; i < 3; i++)
        expect_listed(&s[i], "Riz price overwritten: 11 of A lost to 12 of B");
    close_three(s);
}

static void natural_keys_born_apart_list_what_differs(void **state)
{
    struct site a, b;

    (void)state;
    open_two(&a, &b);
    edit(&a, "INSERT INTO setting VALUES ('vat', 19), ('till', 'x')");
    edit(&b, "INSERT INTO setting VALUES ('vat', 20), ('till', 'x')");
    exchange(&a, &b);
    expect_listed(&a, "vat value overwritten: 19 of A lost to 20 of B");
    expect_listed(&b, "vat value overwritten: 19 of A lost to 20 of B");
    close_pair(&a, &b);
}

static void a_copy_that_was_edited_since_lists_what_differs_on_both(void **state)
{
    static const char rows[] =
        "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT, price, place);"
        "INSERT INTO article VALUES (1, 'Riz', 10, 'A'), (2, 'The', 20, 'B')";
    struct site a = {0}, b = {0};
    struct err e = {0};

    (void)state;
    open_founder(&a, rows);
    open_site(&b, rows);
    sql(&b, "UPDATE article SET price = 12 WHERE id = 1");
    enrol_site(&a, &b, "B");
    open_store(&b);
    check(store_track(b.store, NULL, 0, &e), &e);
    match_site(&a, &b, true);
    exchange(&a, &b);
    expect(&a, "SELECT price FROM article", "12 20");
    expect_same(&a, &b, "SELECT * FROM article");
    expect_listed(&a, "Riz price matched: 10 of A lost to 12 of B");
    expect_listed(&b, "Riz price matched: 10 of A lost to 12 of B");
    close_pair(&a, &b);
}

/* ---- rows ---- */

static void a_delete_that_beats_an_edit_nobody_told_it_of_is_listed(void **state)
{
    static const char text[] = "Riz price deleted: 11 of A lost to deleted of B";
    struct site a, b;

    (void)state;
    open_two(&a, &b);
    edit(&a, "UPDATE article SET price = 11 WHERE id = 1");
    edit(&b, "DELETE FROM article WHERE id = 1");
    exchange(&a, &b);
    expect(&a, "SELECT count(*) FROM article", "1");
    expect_listed(&a, text);
    expect_listed(&b, text);
    exchange(&a, &b);
    expect_listed(&a, text);
    close_pair(&a, &b);
}

static void an_edit_that_brings_a_deleted_row_back_is_listed(void **state)
{
    static const char text[] = "Riz price returned: deleted of B lost to 11 of A";
    struct site a, b;

    (void)state;
    open_two(&a, &b);
    edit(&b, "UPDATE article SET place = 'gone' WHERE id = 1; DELETE FROM article WHERE id = 1");
    edit(&a, "UPDATE article SET price = 11 WHERE id = 1");
    exchange(&a, &b);
    expect(&a, "SELECT name || price || place FROM article WHERE id = 1", "Riz11A");
    expect_same(&a, &b, "SELECT * FROM article ORDER BY id");
    expect_listed(&a, text);
    expect_listed(&b, text);
    edit(&a, "DELETE FROM article WHERE id = 1");
    exchange(&a, &b);
    expect_listed(&a, "");
    expect_listed(&b, "");
    close_pair(&a, &b);
}

static void whoever_deletes_what_he_saw_is_not_listed(void **state)
{
    struct site a, b;

    (void)state;
    open_two(&a, &b);
    edit(&a, "UPDATE article SET price = 11 WHERE id = 1; INSERT INTO setting VALUES ('vat', 1)");
    exchange(&a, &b);
    edit(&b, "DELETE FROM article WHERE id = 1; DELETE FROM setting");
    exchange(&a, &b);
    edit(&a, "INSERT INTO setting VALUES ('vat', 2)");
    exchange(&a, &b);
    expect(&b, "SELECT value FROM setting", "2");
    expect_listed(&a, "");
    expect_listed(&b, "");
    close_pair(&a, &b);
}

/* ---- whatever the order ---- */

static void random_edit(struct site *s, struct random_source *r, uint32_t value)
{
    char text[200];
    uint32_t id = random_below(r, 3) + 1;

    switch (random_below(r, 8)) {
    case 0:
        snprintf(text, sizeof text, "DELETE FROM setting WHERE name = 's%u'", id);
        break;
    case 1:
    case 2:
        snprintf(text, sizeof text, "INSERT OR REPLACE INTO setting VALUES ('s%u', %u)", id, value);
        break;
    case 3:
        snprintf(text, sizeof text, "UPDATE article SET place = %u WHERE id = 1", value);
        break;
    default:
        snprintf(text, sizeof text, "UPDATE article SET price = %u WHERE id = 1", value);
        break;
    }
    edit(s, text);
}

static void every_site_lists_the_same_after_any_week(void **state)
{
    struct site s[3];
    size_t lines = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct random_source r = {seed};
        char *text;

        open_three(s);
        exchange_all(s);
        for (int step = 0; step < 30; step++) {
            uint32_t i = random_below(&r, 3);

            random_edit(&s[i], &r, (uint32_t)step);
            if (random_below(&r, 3) == 0) {
                carry(&s[i], &s[(i + 1) % 3]);
                work(&s[(i + 1) % 3]);
            }
        }
        exchange_all(s);
        expect_same(&s[0], &s[1], "SELECT * FROM setting ORDER BY name");
        text = listed(&s[0]);
        lines += strlen(text) > 0;
        free(text);
        expect_same_list(&s[0], &s[1]);
        expect_same_list(&s[0], &s[2]);
        close_three(s);
    }
    assert_true(lines > 6);
}

static void a_merge_done_again_after_a_crash_lists_nothing_twice(void **state)
{
    struct site a, b;

    (void)state;
    open_two(&a, &b);
    edit(&a, "UPDATE article SET price = 11 WHERE id = 1");
    edit(&b, "UPDATE article SET price = 12 WHERE id = 1");
    carry(&b, &a);
    keep_ledger(&a);
    work(&a); /* the file has the batch, and the ledger forgets it */
    put_ledger_back(&a);
    open_store(&a);
    exchange(&a, &b);
    expect_listed(&a, "Riz price overwritten: 11 of A lost to 12 of B");
    expect_listed(&b, "Riz price overwritten: 11 of A lost to 12 of B");
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_who_edit_one_cell_apart_find_both_values_listed_on_both),
        cmocka_unit_test(whoever_saw_a_value_overwrites_it_without_a_word),
        cmocka_unit_test(equal_values_written_apart_are_no_conflict),
        cmocka_unit_test(a_value_overwritten_by_its_own_author_is_not_the_one_that_is_listed),
        cmocka_unit_test(three_who_edit_apart_list_the_same_in_whatever_order_they_meet),
        cmocka_unit_test(a_value_that_comes_back_is_lost_no_longer),
        cmocka_unit_test(an_edit_that_saw_the_winner_leaves_the_loser_on_the_list),
        cmocka_unit_test(natural_keys_born_apart_list_what_differs),
        cmocka_unit_test(a_copy_that_was_edited_since_lists_what_differs_on_both),
        cmocka_unit_test(a_delete_that_beats_an_edit_nobody_told_it_of_is_listed),
        cmocka_unit_test(an_edit_that_brings_a_deleted_row_back_is_listed),
        cmocka_unit_test(whoever_deletes_what_he_saw_is_not_listed),
        cmocka_unit_test(every_site_lists_the_same_after_any_week),
        cmocka_unit_test(a_merge_done_again_after_a_crash_lists_nothing_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
