/* The UNIQUE keys of a table, and who holds one of their values. */
#include "unit/app.h"

#include <sqlite3.h>

#include "appunique.h"

/* "a,b" for a key on columns a and b, "a NOCASE", "a WHERE..."; keys separated by '|'. */
static const char *describe(struct app *app, const char *table)
{
    static char text[1000];
    const struct app_table *t = app_table(app, table);
    struct app_uniques u;
    size_t n = 0;

    must(app, app_uniques_read(&app->a, t, &u, &app->e));
    text[0] = '\0';
    for (uint32_t i = 0; i < u.n; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%s", i == 0 ? "" : "|");
        for (uint32_t c = 0; c < u.keys[i].n; c++) {
            const char *collation = u.keys[i].collations[c];

            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s%s%s", c == 0 ? "" : ",",
                                  t->columns[u.keys[i].columns[c]].name,
                                  strcmp(collation, "BINARY") == 0 ? "" : " ",
                                  strcmp(collation, "BINARY") == 0 ? "" : collation);
        }
        if (u.keys[i].where != NULL)
            n += (size_t)snprintf(text + n, sizeof text - n, " WHERE%s", u.keys[i].where);
    }
    if (u.expressions)
        snprintf(text + n, sizeof text - n, "+");
    app_uniques_close(&u);
    return text;
}

static void unique_keys_are_constraints_and_indexes_but_not_the_primary_key(void **state)
{
    struct app *app = *state;

    app_sql(app->db,
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b, c TEXT COLLATE NOCASE UNIQUE,"
            " d AS (a || 'x'), UNIQUE(b, a));"
            "CREATE UNIQUE INDEX t_a ON t(a); CREATE INDEX plain ON t(b);"
            "CREATE UNIQUE INDEX odd ON t(lower(a)); CREATE UNIQUE INDEX made ON t(d);"
            "CREATE TABLE n(a TEXT PRIMARY KEY, b UNIQUE) WITHOUT ROWID;"
            "CREATE TABLE p(a TEXT, b, PRIMARY KEY(a, b))");
    app_attach(app);
    assert_string_equal(describe(app, "t"), "a|b,a|c NOCASE+");
    assert_string_equal(describe(app, "n"), "b");
    assert_string_equal(describe(app, "p"), "");
}

static void the_condition_of_a_partial_index_is_found_in_its_sql(void **state)
{
    struct app *app = *state;

    app_sql(app->db,
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a, \"wh(ere\" , [where], w);"
            "CREATE UNIQUE INDEX \"on t(a) where\" ON t(a) WHERE w = 'it''s ) here' -- and \n;"
            "CREATE UNIQUE INDEX i ON t(\"wh(ere\") where([where]>0);"
            "CREATE UNIQUE INDEX j ON t([where])");
    app_attach(app);
    assert_string_equal(describe(app, "t"),
                        "a WHERE w = 'it''s ) here' -- and \n|wh(ere WHERE([where]>0)|where");
}

static int64_t holder(struct app *app, uint32_t key, const char *value)
{
    const struct app_table *t = app_table(app, "t");
    struct app_uniques u;
    sqlite3_stmt *q;
    int64_t id = 0;

    must(app, app_uniques_read(&app->a, t, &u, &app->e));
    q = app_unique_holders(&app->a, t, &u.keys[key], &app->e);
    must(app, q != NULL);
    sqlite3_bind_text(q, 1, value, -1, SQLITE_STATIC);
    if (sqlite3_step(q) == SQLITE_ROW)
        id = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    app_uniques_close(&u);
    return id;
}

static void the_holder_of_a_value_is_found_as_the_index_compares(void **state)
{
    struct app *app = *state;

    app_sql(app->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE UNIQUE, b TEXT,"
                     " open INT);"
                     "CREATE UNIQUE INDEX i ON t(b) WHERE open;"
                     "INSERT INTO t VALUES (1, 'Abc', 'x', 0), (2, 'b', 'x', 1), (3, 'c', 'X', 1)");
    app_attach(app);
    assert_int_equal(holder(app, 0, "aBC"), 1);
    assert_int_equal(holder(app, 0, "abcd"), 0);
    assert_int_equal(holder(app, 1, "x"), 2);
    assert_int_equal(holder(app, 1, "X"), 3);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, app_setup, app_teardown)
    const struct CMUnitTest tests[] = {
        TEST(unique_keys_are_constraints_and_indexes_but_not_the_primary_key),
        TEST(the_condition_of_a_partial_index_is_found_in_its_sql),
        TEST(the_holder_of_a_value_is_found_as_the_index_compares),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
