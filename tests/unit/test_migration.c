/* Migrations of the application: they pass, and capture is whole again afterwards. */
#include "unit/app.h"

/* What an application's migration does with triggers of ours in place. */
static void migrations_pass(void **state)
{
    struct app *app = *state;

    app_use(
        app,
        "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE t(id INTEGER PRIMARY KEY, v, w, p "
        "REFERENCES p); INSERT INTO t VALUES (1, 2, 3, NULL)",
        "t");
    app_sql(app->db,
            "ALTER TABLE t DROP COLUMN v; ALTER TABLE t RENAME COLUMN w TO x; ALTER TABLE t ADD "
            "COLUMN y DEFAULT 4;"
            "ALTER TABLE p RENAME TO q; CREATE INDEX i ON t(x); DROP INDEX i; UPDATE t SET y = 5");
    assert_string_equal(app_marks(app, 0), "1:2 1");
    must(app, capture_verify(&app->a, NULL, NULL, &app->e));
    assert_string_equal(app_rows(app->db, "SELECT repairs FROM _navette_table"), "0");
}

static void a_renamed_table_stays_tracked_under_its_number(void **state)
{
    struct app *app = *state;
    uint32_t *list = NULL;
    uint32_t n = 1;

    app_use(app,
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE other(id INTEGER PRIMARY KEY)",
            "t");
    app_sql(app->db, "ALTER TABLE t RENAME TO \"new name\"; ALTER TABLE \"new name\" RENAME COLUMN "
                     "id TO \"the id\";"
                     "INSERT INTO \"new name\" VALUES (7, 7)");
    must(app, capture_verify(&app->a, &list, &n, &app->e));
    assert_int_equal(n, 0);
    free(list);
    assert_int_equal(appdb_table(&app->a, "new name")->number, 1);
    assert_int_equal(appdb_table(&app->a, "new name")->repairs, 0);
    assert_string_equal(app_marks(app, 0), "1:1 7");
    must(app, capture_verify(&app->a, &list, &n, &app->e));
    assert_int_equal(n, 0);
    free(list);
}

/* Django's way: create new, copy, drop, rename. The triggers go with the old table, in silence. */
static void a_remade_table_gets_its_triggers_back(void **state)
{
    struct app *app = *state;
    uint32_t *list = NULL;
    uint32_t n = 0;

    app_use(
        app,
        "CREATE TABLE p(id INTEGER PRIMARY KEY);"
        "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v, p REFERENCES p); INSERT INTO t "
        "VALUES (1, 1, NULL)",
        "t");
    app_sql(app->db,
            "PRAGMA foreign_keys = OFF; BEGIN;"
            "CREATE TABLE new__t(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT NOT NULL, p "
            "REFERENCES p);"
            "INSERT INTO new__t SELECT * FROM t; DROP TABLE t; ALTER TABLE new__t RENAME TO t;"
            "PRAGMA foreign_key_check; COMMIT; INSERT INTO t(v) VALUES ('unseen')");
    assert_string_equal(app_marks(app, 0), "");
    must(app, capture_verify(&app->a, &list, &n, &app->e));
    assert_int_equal(n, 1);
    assert_string_equal(app->a.schema.tables[list[0]].name, "t");
    assert_int_equal(app->a.schema.tables[list[0]].repairs, 1);
    free(list);
    app_sql(app->db, "INSERT INTO t(v) VALUES ('seen')");
    assert_string_equal(app_marks(app, 0), "1:1 3");
    must(app, capture_verify(&app->a, &list, &n, &app->e));
    assert_int_equal(n, 0);
    free(list);
}

/* A key that grows in a remake: the marks widen with it. */
static void a_remade_table_may_have_another_key(void **state)
{
    struct app *app = *state;

    app_use(
        app,
        "CREATE TABLE t(a INT PRIMARY KEY NOT NULL, b INT NOT NULL); INSERT INTO t VALUES (1, 2)",
        "t");
    app_sql(app->db, "UPDATE t SET b = 3;"
                     "CREATE TABLE n(a INT NOT NULL, b INT NOT NULL, PRIMARY KEY(a, b)); INSERT "
                     "INTO n SELECT * FROM t;"
                     "DROP TABLE t; ALTER TABLE n RENAME TO t");
    assert_string_equal(app_marks(app, 0), "1:2 NULL NULL"); /* under the old key: names no row */
    must(app, capture_verify(&app->a, NULL, NULL, &app->e));
    app_sql(app->db, "UPDATE t SET b = 4");
    assert_string_equal(app_marks(app, 1), "1:2 1 4 < 1 3");
}

static void a_missing_or_altered_trigger_is_put_back(void **state)
{
    struct app *app = *state;
    static const char *const damages[] = {
        "DROP TRIGGER _navette_1_insert",
        "DROP TRIGGER _navette_1_update",
        "DROP TRIGGER _navette_1_delete; CREATE TRIGGER _navette_1_delete AFTER DELETE ON t BEGIN "
        "SELECT 1; END",
        "DROP TRIGGER _navette_1_insert; CREATE TRIGGER _navette_1_insert AFTER INSERT ON other "
        "BEGIN SELECT 1; END",
    };
    char before[1 << 12];

    app_use(app,
            "CREATE TABLE t(id INTEGER PRIMARY KEY); CREATE TABLE other(id INTEGER PRIMARY KEY)",
            "t");
    snprintf(before, sizeof before, "%s",
             app_rows(app->db, "SELECT sql FROM sqlite_schema ORDER BY name"));
    for (size_t i = 0; i < COUNT_OF(damages); i++) {
        uint32_t *list = NULL;
        uint32_t n = 0;

        app_sql(app->db, damages[i]);
        app_sql(app->db, "BEGIN IMMEDIATE");
        assert_false(capture_verify(&app->a, &list, &n, &app->e)); /* not now: somebody writes */
        app_says(app, ERR_BUSY, "");
        app_sql(app->db, "COMMIT");
        must(app, capture_verify(&app->a, &list, &n, &app->e));
        assert_int_equal(n, 1);
        assert_int_equal(app->a.schema.tables[list[0]].repairs, i + 1);
        free(list);
        assert_string_equal(app_rows(app->db, "SELECT sql FROM sqlite_schema ORDER BY name"),
                            before);
    }
}

static void a_vanished_table_is_neither_repaired_nor_forgotten(void **state)
{
    struct app *app = *state;
    static const char *const name = "t";
    uint32_t n = 1;
    uint32_t *list = NULL;

    app_use(app, "CREATE TABLE t(id INTEGER PRIMARY KEY)", "t");
    app_sql(app->db, "DROP TABLE t");
    must(app, capture_verify(&app->a, &list, &n, &app->e));
    assert_int_equal(n, 0);
    free(list);
    assert_null(appdb_table(&app->a, "t"));
    assert_string_equal(app_rows(app->db, "SELECT name FROM _navette_table"), "t");
    app_sql(app->db,
            "CREATE TABLE t(id INTEGER PRIMARY KEY)"); /* it comes back, as in a restore by hand */
    must(app, capture_verify(&app->a, &list, &n, &app->e));
    assert_int_equal(n, 1);
    free(list);
    app_sql(app->db, "DROP TABLE t");
    must(app, capture_remove(&app->a, &name, 1, &app->e));
    assert_string_equal(app_rows(app->db, "SELECT name FROM _navette_table"), "");
}

/* A migration that takes the primary key away: capture ends, with the reason, and nothing fails. */
static void a_tracked_table_that_loses_its_key_is_refused_from_then_on(void **state)
{
    struct app *app = *state;
    static const char *const name = "t";

    app_use(app, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "t");
    app_sql(app->db, "CREATE TABLE n(id, v); DROP TABLE t; ALTER TABLE n RENAME TO t");
    must(app, capture_verify(&app->a, NULL, NULL, &app->e));
    assert_int_equal(appdb_table(&app->a, "t")->number, 0);
    assert_null(appdb_table(&app->a, "t")->select);
    assert_non_null(strstr(appdb_table(&app->a, "t")->refused, "no primary key"));
    must(app, capture_remove(&app->a, &name, 1, &app->e));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, app_setup, app_teardown)
    const struct CMUnitTest tests[] = {
        TEST(migrations_pass),
        TEST(a_renamed_table_stays_tracked_under_its_number),
        TEST(a_remade_table_gets_its_triggers_back),
        TEST(a_remade_table_may_have_another_key),
        TEST(a_missing_or_altered_trigger_is_put_back),
        TEST(a_vanished_table_is_neither_repaired_nor_forgotten),
        TEST(a_tracked_table_that_loses_its_key_is_refused_from_then_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
