/* Two rows that a person has said to be one, and that the file still shows apart: what the
 * application writes meanwhile. Of unite.c and publish_cells.c. */
#include "unit/sites.h"

static const char schema[] =
    "CREATE TABLE groups(id INTEGER PRIMARY KEY, name TEXT, up INT REFERENCES groups(id));";

static void open_shops(struct site s[2])
{
    struct err e = {0};
    bool changed;

    memset(s, 0, 2 * sizeof *s);
    open_founder(&s[0], schema);
    join_site(&s[0], &s[1], "B", schema);
    check(roster_merge(&s[1].roster, buf_slice(&s[0].roster.log), &changed, &e), &e);
}

static void close_shops(struct site s[2])
{
    close_site(&s[0]);
    close_site(&s[1]);
}

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
    open_shops(s);
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
    close_shops(s);
}

/* And who saves it as it is has said nothing, also after the two have become one in the file. */
static void a_reference_that_only_follows_the_row_that_stands_is_no_edit(void **state)
{
    struct site s[2];

    (void)state;
    open_shops(s);
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
    close_shops(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reference_to_the_other_row_of_the_two_is_an_edit),
        cmocka_unit_test(a_reference_that_only_follows_the_row_that_stands_is_no_edit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
