/* UNIQUE values without a text that could bear a mark: one row waits outside of the file until a
 * person acts, or the other one goes. Also of batch_unique.c. */
#include <navette/conflicts.h>

#include "unit/three_pcs.h"

static const char desks[] =
    "CREATE TABLE desk(id INTEGER PRIMARY KEY, n INTEGER UNIQUE, name TEXT);"
    "CREATE TABLE seat(id INTEGER PRIMARY KEY, desk_id INTEGER NOT NULL REFERENCES desk(id), who);";
static const char seats[] =
    "SELECT n, name, who FROM desk JOIN seat ON desk.id = desk_id ORDER BY name";

static void open_desks(struct site *a, struct site *b, struct site *c)
{
    open_three(a, b, c, desks);
    share_rules(a, c);
    sql(a, "INSERT INTO desk VALUES (1, 5, 'Ana'); INSERT INTO seat VALUES (1, 1, 'x')");
    work(a);
    later();
    sql(b, "INSERT INTO desk VALUES (1, 5, 'Bea'); INSERT INTO seat VALUES (1, 1, 'y')");
    work(b);
    exchange(a, c);
    meet_three(a, b, c);
}

static void expect_parked(struct site *s, uint32_t n)
{
    struct store_parked p;
    struct err e = {0};

    check(store_parked(s->store, &p, &e), &e);
    for (uint32_t i = 0; i < p.n; i++)
        if (strcmp(p.list[i].row.table, "desk") == 0) {
            assert_non_null(strstr(p.list[i].why, "UNIQUE constraint failed: desk.n"));
            assert_non_null(strstr(p.list[i].help, "change one of the two"));
        }
    assert_int_equal(p.parked, n);
    store_parked_close(&p);
}

static void of_two_equal_integers_one_waits_and_lands_when_it_can(void **state)
{
    struct site a, b, c;

    (void)state;
    open_desks(&a, &b, &c);
    expect(&a, seats, "5|Ana|x");
    expect(&b, seats, "5|Bea|y");
    expect(&c, seats, "5|Ana|x");
    expect_parked(&a, 2);
    expect_parked(&b, 2);
    expect_parked(&c, 2);
    sql(&a, "UPDATE desk SET name = 'Anna'");
    sql(&b, "UPDATE desk SET name = 'Bee'");
    meet_three(&a, &b, &c);
    expect(&c, seats, "5|Anna|x");
    sql(&b, "UPDATE desk SET n = 6");
    meet_three(&a, &b, &c);
    expect(&a, seats, "5|Anna|x 6|Bee|y");
    expect(&b, seats, "5|Anna|x 6|Bee|y");
    expect(&c, seats, "5|Anna|x 6|Bee|y");
    expect_parked(&a, 0);
    expect_parked(&b, 0);
    expect_parked(&c, 0);
    close_site(&c);
    close_pair(&a, &b);
}

/* On B one waits for a number that the other one has there, until that one is to have its own. */
static void a_row_that_waits_swaps_its_number_with_the_one_in_its_way(void **state)
{
    static const char places[] = "CREATE TABLE place(id INTEGER PRIMARY KEY, slot INT UNIQUE)";
    static const char slots[] = "SELECT id, slot FROM place ORDER BY id";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, places, places);
    sql(&a, "INSERT INTO place VALUES (1, 1), (2, 2)");
    exchange(&a, &b);
    sql(&a, "UPDATE place SET slot = 9 WHERE id = 2; UPDATE place SET slot = 2 WHERE id = 1");
    work(&a);
    later();
    sql(&b, "UPDATE place SET slot = 7 WHERE id = 2");
    work(&b);
    sql(&b, "UPDATE place SET slot = 2 WHERE id = 2");
    exchange(&a, &b);
    expect(&a, slots, "1|2 2|9");
    expect(&b, slots, "1|1 2|2");
    later();
    sql(&a, "UPDATE place SET slot = 1 WHERE id = 2");
    exchange(&a, &b);
    expect(&b, slots, "1|2 2|1");
    expect(&a, slots, "1|2 2|1");
    expect_parked(&a, 0);
    expect_parked(&b, 0);
    close_pair(&a, &b);
}

static void it_lands_as_well_when_the_other_one_goes_or_changes(void **state)
{
    static const char *const texts[] = {"DELETE FROM seat; DELETE FROM desk",
                                        "UPDATE desk SET n = 7", "UPDATE desk SET n = NULL"};
    static const char *const answers[] = {"5|Bea|y", "7|Ana|x 5|Bea|y", "NULL|Ana|x 5|Bea|y"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct site a, b, c;

        open_desks(&a, &b, &c);
        sql(&a, texts[i]);
        meet_three(&a, &b, &c);
        expect(&a, seats, answers[i]);
        expect(&b, seats, answers[i]);
        expect(&c, seats, answers[i]);
        expect_parked(&a, 0);
        expect_parked(&b, 0);
        expect_parked(&c, 0);
        close_site(&c);
        close_pair(&a, &b);
    }
}

/* It could have the one value and not the other: nobody gives up anything for it in vain. */
static void nobody_yields_to_a_row_that_stays_outside(void **state)
{
    static const char badges[] =
        "CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT);"
        "CREATE TABLE badge(id INTEGER PRIMARY KEY AUTOINCREMENT, number TEXT NOT NULL UNIQUE,"
        " person_id INT NOT NULL UNIQUE REFERENCES person(id), of TEXT);";
    static const char ask[] = "SELECT number, of FROM badge";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, badges, badges);
    sql(&a, "INSERT INTO person VALUES (1, 'Ada')");
    exchange(&a, &b);
    sql(&a, "INSERT INTO badge(number, person_id, of) VALUES ('T1', 1, 'A')");
    later();
    sql(&b, "INSERT INTO badge(number, person_id, of) VALUES ('T1', 1, 'B')");
    exchange(&a, &b);
    expect(&a, ask, "T1|A");
    expect(&b, ask, "T1|B");
    assert_int_equal(status_of(&a).parked, 1);
    assert_int_equal(status_of(&b).parked, 1);
    sql(&b, "DELETE FROM badge");
    exchange(&a, &b);
    expect(&b, ask, "T1|A");
    expect(&a, ask, "T1|A");
    assert_int_equal(status_of(&a).parked, 0);
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

/* What a row waits for may come with a change of another one that wants what this one has. */
static void a_row_that_waits_changes_places_with_one_that_changes(void **state)
{
    static const char all[] = "SELECT id, n FROM desk ORDER BY id";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, desks, desks);
    sql(&a, "INSERT INTO desk VALUES (1, 1, 'Ana'), (2, 2, 'Bea'), (3, 3, 'Cam')");
    exchange(&a, &b);
    sql(&a, "UPDATE desk SET n = 30 WHERE id = 3");
    work(&a);
    later();
    sql(&b, "BEGIN; UPDATE desk SET n = 30 WHERE id = 2; UPDATE desk SET n = 2 WHERE id = 1;"
            "COMMIT");
    work(&b);
    carry(&b, &a);
    work(&a);
    expect_parked(&a, 2);
    sql(&b, "UPDATE desk SET n = 1 WHERE id = 2");
    work(&b);
    carry(&b, &a);
    work(&a);
    expect(&a, all, "1|2 2|1 3|30");
    exchange(&a, &b);
    expect_same(&a, &b, all);
    close_pair(&a, &b);
}

/* Nor to one whose parent stays outside, although it would have the earlier claim: for that it need
 * not be tried again and again. */
static void nobody_yields_to_a_row_whose_parent_stays_outside(void **state)
{
    static const char labels[] =
        "CREATE TABLE desk(id INTEGER PRIMARY KEY, n INTEGER UNIQUE, name TEXT);"
        "CREATE TABLE seat(id INTEGER PRIMARY KEY, desk_id INTEGER NOT NULL REFERENCES desk(id),"
        " who TEXT UNIQUE)";
    struct store_progress p = {.more = true};
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_pair(&a, &b, labels, labels);
    sql(&b, "INSERT INTO desk VALUES (1, 9, 'Bea'); INSERT INTO seat VALUES (1, 1, 'x')");
    later();
    sql(&a, "INSERT INTO desk VALUES (1, 5, 'Ana'); INSERT INTO seat VALUES (1, 1, 'x')");
    later();
    sql(&b, "UPDATE desk SET n = 5");
    work(&a);
    work(&b);
    carry(&b, &a);
    tick(&a);
    for (int turns = 0; p.more && turns < 50; turns++)
        check(store_apply(a.store, a.now_ms, &p, &e), &e);
    assert_false(p.more);
    expect(&a, "SELECT who FROM seat", "x");
    expect_parked(&a, 2);
    sql(&a, "UPDATE desk SET n = 6");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, seats, "6|Ana|#A-x 5|Bea|x");
    expect_same(&a, &b, seats);
    close_pair(&a, &b);
}

static void a_row_that_waits_is_passed_on(void **state)
{
    struct site a, b, c, d;

    (void)state;
    open_desks(&a, &b, &c);
    d = (struct site){0};
    join_site(&c, &d, "D", desks);
    exchange(&c, &d);
    expect(&d, "SELECT count(*) FROM desk", "1"); /* whichever came first */
    expect_parked(&d, 2);
    sql(&c, "UPDATE desk SET n = 1");
    exchange(&c, &d);
    expect(&c, seats, "1|Ana|x 5|Bea|y");
    expect(&d, seats, "1|Ana|x 5|Bea|y");
    close_site(&d);
    close_site(&c);
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_two_equal_integers_one_waits_and_lands_when_it_can),
        cmocka_unit_test(a_row_that_waits_swaps_its_number_with_the_one_in_its_way),
        cmocka_unit_test(it_lands_as_well_when_the_other_one_goes_or_changes),
        cmocka_unit_test(nobody_yields_to_a_row_that_stays_outside),
        cmocka_unit_test(a_row_that_waits_changes_places_with_one_that_changes),
        cmocka_unit_test(nobody_yields_to_a_row_whose_parent_stays_outside),
        cmocka_unit_test(a_row_that_waits_is_passed_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
