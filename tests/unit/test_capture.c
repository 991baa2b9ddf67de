/* Triggers and our tables in the application's file: what the application must never notice. */
#include "unit/app.h"

static const char everything[] =
    "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema ORDER BY rowid";

static void triggers_name_the_key_and_nothing_else(void **state)
{
    struct app *app = *state;

    app_use(app, "CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE, w NOT NULL)", "t");
    assert_string_equal(
        app_rows(app->db, "SELECT sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY rowid"),
        "CREATE TRIGGER \"_navette_1_insert\" AFTER INSERT ON \"t\" BEGIN INSERT INTO "
        "_navette_dirty(tbl, op, t, k1)"
        " VALUES (1, 1, julianday('now'), NEW.\"id\"); END\n"
        "CREATE TRIGGER \"_navette_1_update\" AFTER UPDATE ON \"t\" BEGIN INSERT INTO "
        "_navette_dirty(tbl, op, t, k1, o1)"
        " VALUES (1, 2, julianday('now'), NEW.\"id\", CASE WHEN OLD.\"id\" IS NEW.\"id\" THEN NULL "
        "ELSE OLD.\"id\" END); END\n"
        "CREATE TRIGGER \"_navette_1_delete\" AFTER DELETE ON \"t\" BEGIN INSERT INTO "
        "_navette_dirty(tbl, op, t, k1)"
        " VALUES (1, 3, julianday('now'), OLD.\"id\"); END");
}

static void writes_leave_marks_in_their_order(void **state)
{
    struct app *app = *state;

    app_use(app, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "t");
    app_sql(app->db, "INSERT INTO t VALUES (5, 'a'), (6, 'b'); UPDATE t SET v = 'c' WHERE id = 5; "
                     "DELETE FROM t");
    assert_string_equal(app_marks(app, 0), "1:1 5\n1:1 6\n1:2 5\n1:3 5\n1:3 6");
    app_sql(app->db, "BEGIN; INSERT INTO t VALUES (7, 'x'); ROLLBACK");
    assert_string_equal(app_marks(app, 5), "");
}

/* The conflict clause of the application's statement overrides whatever a trigger says: ours cannot
 * conflict. */
static void every_kind_of_insert_works_and_is_seen(void **state)
{
    struct app *app = *state;

    app_use(
        app,
        "CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, v); INSERT INTO t VALUES (1, 'a', 0), "
        "(2, 'b', 0)",
        "t");
    app_sql(app->db, "INSERT OR REPLACE INTO t VALUES (1, 'c', 1)"); /* its own key */
    assert_string_equal(app_marks(app, 0), "1:1 1");
    app_sql(app->db, "REPLACE INTO t VALUES (3, 'b', 2)"); /* takes row 2 away without a mark: the
                                                              drain's to find */
    assert_string_equal(app_marks(app, 1), "1:1 3");
    app_sql(
        app->db,
        "INSERT OR IGNORE INTO t VALUES (1, 'z', 3); INSERT OR IGNORE INTO t VALUES (4, 'd', 3)");
    assert_string_equal(app_marks(app, 2), "1:1 4");
    app_sql(app->db,
            "INSERT INTO t VALUES (4, 'e', 4) ON CONFLICT(id) DO UPDATE SET v = excluded.v;"
            "INSERT INTO t VALUES (4, 'e', 4) ON CONFLICT DO NOTHING");
    assert_string_equal(app_marks(app, 3), "1:2 4");
    app_sql(app->db, "UPDATE OR REPLACE t SET u = 'd' WHERE id = 1; UPDATE OR IGNORE t SET u = 'd' "
                     "WHERE id = 3");
    assert_string_equal(app_marks(app, 4), "1:2 1");
    assert_int_not_equal(
        sqlite3_exec(app->db, "INSERT OR ROLLBACK INTO t VALUES (1, 'q', 1)", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_not_equal(sqlite3_exec(app->db,
                                      "INSERT OR FAIL INTO t VALUES (9, 'q', 1), (1, 'r', 1)", NULL,
                                      NULL, NULL),
                         SQLITE_OK);
    assert_string_equal(app_marks(app, 5), "1:1 9");
    app_sql(app->db, "PRAGMA recursive_triggers = ON; REPLACE INTO t VALUES (10, 'q', 1)");
    assert_string_equal(app_marks(app, 6), "1:3 9\n1:1 10");
}

static void the_application_sees_its_own_counters(void **state)
{
    struct app *app = *state;

    app_use(app, "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v)", "t");
    assert_string_equal(
        app_rows(app->db, "INSERT INTO t(v) VALUES (x'00ff'), (NULL), (1.5) RETURNING id"),
        "1\n2\n3");
    assert_int_equal(sqlite3_last_insert_rowid(app->db), 3);
    assert_int_equal(sqlite3_changes(app->db), 3);
    assert_string_equal(app_rows(app->db, "UPDATE t SET v = 0 WHERE id < 3 RETURNING id, v"),
                        "1|0\n2|0");
    assert_int_equal(sqlite3_changes(app->db), 2);
    assert_int_equal(sqlite3_last_insert_rowid(app->db), 3);
    assert_string_equal(app_rows(app->db, "SELECT name, seq FROM sqlite_sequence"), "t|3");
}

static void effects_of_the_applications_triggers_and_cascades_are_seen(void **state)
{
    struct app *app = *state;
    static const char *const names[] = {"p", "c", "sum"};

    app_sql(app->db, "PRAGMA foreign_keys = ON; CREATE TABLE p(id INTEGER PRIMARY KEY);"
                     "CREATE TABLE c(id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE ON "
                     "UPDATE CASCADE);"
                     "CREATE TABLE sum(id INTEGER PRIMARY KEY, n); INSERT INTO sum VALUES (1, 0);"
                     "CREATE TRIGGER s AFTER INSERT ON c BEGIN UPDATE sum SET n = n + 1; END;");
    app_attach(app);
    must(app, capture_install(&app->a, names, 3, &app->e));
    app_sql(app->db, "INSERT INTO p VALUES (1); INSERT INTO c VALUES (5, 1)");
    assert_non_null(strstr(app_marks(app, 1), "3:2 1"));
    app_sql(app->db, "UPDATE p SET id = 2");
    assert_string_equal(app_marks(app, 3), "2:2 5\n1:2 2 < 1");
    app_sql(app->db, "DELETE FROM p");
    assert_string_equal(app_marks(app, 5), "2:3 5\n1:3 2");
}

static void raise_error(sqlite3_context *context, int n, sqlite3_value **values)
{
    (void)n;
    (void)values;
    sqlite3_result_error(context, "the application's own", -1);
}

/* ERPs override now, random, log and whatnot: we call none of them. */
static void overridden_functions_do_not_disturb(void **state)
{
    struct app *app = *state;
    char names[1 << 15];
    char *save = NULL;

    app_use(
        app,
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE n(k TEXT COLLATE NOCASE PRIMARY "
        "KEY)",
        "t");
    app_track(app, "n");
    snprintf(names, sizeof names, "%s",
             app_rows(app->db, "SELECT DISTINCT name FROM pragma_function_list"));
    assert_non_null(strstr(names, "random"));
    for (char *name = strtok_r(names, "\n", &save); name != NULL;
         name = strtok_r(NULL, "\n", &save))
        for (int arguments = -1; arguments <= 3; arguments++)
            if (strcmp(name, "julianday") != 0)
                sqlite3_create_function(app->db, name, arguments, SQLITE_UTF8, NULL, raise_error,
                                        NULL, NULL);
    assert_int_not_equal(sqlite3_exec(app->db, "SELECT random()", NULL, NULL, NULL), SQLITE_OK);
    app_sql(
        app->db,
        "INSERT INTO t VALUES (1, x'ff'); UPDATE t SET id = 2; UPDATE t SET v = 3; DELETE FROM t;"
        "INSERT INTO n VALUES ('a'); UPDATE n SET k = 'A'; DELETE FROM n");
    assert_string_equal(app_marks(app, 0),
                        "1:1 1\n1:2 2 < 1\n1:2 2\n1:3 2\n2:1 a\n2:2 A < a\n2:3 A");
}

static void uninstall_leaves_no_trace(void **state)
{
    struct app *app = *state;
    static const char *const names[] = {"a", "b", "c"};
    char schema[1 << 12], sequence[64];

    app_sql(app->db,
            "CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT, v UNIQUE);"
            "CREATE TABLE b(k TEXT, l, v, PRIMARY KEY(k, l)) WITHOUT ROWID;"
            "CREATE TABLE c(id INTEGER PRIMARY KEY, a REFERENCES a);"
            "CREATE VIEW v AS SELECT * FROM a JOIN b; CREATE INDEX i ON c(a);"
            "CREATE TRIGGER own AFTER INSERT ON a BEGIN INSERT INTO c(a) VALUES (NEW.id); END;"
            "INSERT INTO a(v) VALUES (1), (2)");
    snprintf(schema, sizeof schema, "%s", app_rows(app->db, everything));
    snprintf(sequence, sizeof sequence, "%s", app_rows(app->db, "SELECT * FROM sqlite_sequence"));
    app_attach(app);
    must(app, capture_install(&app->a, names, 3, &app->e));
    assert_true(app->a.installed);
    assert_string_not_equal(app_rows(app->db, everything), schema);
    app_sql(app->db, "UPDATE a SET v = v + 10; ANALYZE");
    must(app, capture_uninstall(&app->a, &app->e));
    assert_false(app->a.installed);
    assert_string_equal(app_rows(app->db, "SELECT * FROM sqlite_stat1 WHERE tbl LIKE '%navette%'"),
                        "");
    assert_string_equal(app_rows(app->db,
                                 "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema"
                                 " WHERE name NOT LIKE 'sqlite_stat%' ORDER BY rowid"),
                        schema);
    assert_string_equal(app_rows(app->db, "SELECT * FROM sqlite_sequence"), sequence);
    assert_string_equal(app_rows(app->db, "PRAGMA integrity_check"), "ok");
    must(app, capture_uninstall(&app->a, &app->e)); /* twice is harmless */
}

/* A file without AUTOINCREMENT has no sqlite_sequence, and we must not make one: it could never be
 * dropped again. */
static void no_sequence_table_comes_with_us(void **state)
{
    struct app *app = *state;

    app_use(app, "CREATE TABLE t(id INTEGER PRIMARY KEY)", "t");
    assert_string_equal(
        app_rows(app->db, "SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_sequence'"),
        "0");
}

static void installing_twice_changes_nothing(void **state)
{
    struct app *app = *state;
    static const char *const names[] = {"t", "T", "t"};
    char schema[1 << 12];

    app_use(app, "CREATE TABLE t(id INTEGER PRIMARY KEY)", "t");
    snprintf(schema, sizeof schema, "%s", app_rows(app->db, everything));
    must(app, capture_install(&app->a, names, 3, &app->e));
    must(app, capture_install(&app->a, names, 0, &app->e));
    assert_string_equal(app_rows(app->db, everything), schema);
}

static void what_cannot_be_tracked_leaves_the_file_as_it_was(void **state)
{
    struct app *app = *state;
    static const char *const names[] = {"t", "bare"};
    static const char *const unknown[] = {"t", "nobody"};
    char schema[1 << 12];

    app_sql(app->db, "CREATE TABLE t(id INTEGER PRIMARY KEY); CREATE TABLE bare(v)");
    snprintf(schema, sizeof schema, "%s", app_rows(app->db, everything));
    app_attach(app);
    assert_false(capture_install(&app->a, names, 2, &app->e));
    app_says(app, ERR_REFUSED, "table bare cannot be tracked: it has no primary key");
    assert_false(capture_install(&app->a, unknown, 2, &app->e));
    app_says(app, ERR_REFUSED, "no table nobody");
    assert_string_equal(app_rows(app->db, everything), schema);
    assert_false(app->a.installed);
    assert_int_equal(appdb_table(&app->a, "t")->number, 0);
    assert_false(capture_remove(&app->a, names, 1, &app->e));
    app_says(app, ERR_REFUSED, "table t is not tracked");
}

static void names_like_ours_that_are_not_ours_are_in_the_way(void **state)
{
    struct app *app = *state;
    static const char *const name = "t";

    app_sql(app->db,
            "CREATE TABLE t(id INTEGER PRIMARY KEY); CREATE VIEW _Navette_dirty AS SELECT 1");
    app_attach(app);
    assert_false(capture_install(&app->a, &name, 1, &app->e));
    app_says(app, ERR_REFUSED, "a view named _Navette_dirty");
    app_sql(app->db, "DROP VIEW _navette_dirty; CREATE TRIGGER _navette_1_x AFTER INSERT ON t"
                     " BEGIN SELECT 1; END");
    assert_false(capture_install(&app->a, &name, 1, &app->e));
    app_says(app, ERR_REFUSED, "a trigger named _navette_1_x");
    app_sql(app->db, "DROP TRIGGER _navette_1_x");
    app_track(app, "t");
}

/* Before there is anything of ours, and after that: such a table is refused by name, not passed
 * over without a word, and goes with nothing of ours. */
static void a_table_named_much_like_ours_stays_on_this_pc(void **state)
{
    struct app *app = *state;
    static const char *const mine = "_navette_mine", *const more = "_Navette_more";

    app_sql(app->db, "CREATE TABLE t(id INTEGER PRIMARY KEY);"
                     "CREATE TABLE _navette_mine(id INTEGER PRIMARY KEY)");
    app_attach(app);
    assert_false(capture_install(&app->a, &mine, 1, &app->e));
    app_says(app, ERR_REFUSED, "table _navette_mine cannot be tracked: names that begin with");
    app_track(app, "t");
    app_sql(app->db, "CREATE TABLE _Navette_more(id INTEGER PRIMARY KEY)");
    assert_false(capture_install(&app->a, &more, 1, &app->e));
    app_says(app, ERR_REFUSED, "table _Navette_more cannot be tracked: names that begin with");
    must(app, capture_uninstall(&app->a, &app->e));
    assert_string_equal(app_rows(app->db, "SELECT name FROM sqlite_schema ORDER BY name"),
                        "_Navette_more\n_navette_mine\nt");
}

static void a_busy_file_is_left_for_later(void **state)
{
    struct app *app = *state;
    static const char *const name = "t";

    for (int wal = 0; wal <= 1; wal++) {
        app_sql(app->db, wal ? "PRAGMA journal_mode = wal" : "PRAGMA journal_mode = delete");
        app_sql(app->db,
                "DROP TABLE IF EXISTS t; CREATE TABLE t(id INTEGER PRIMARY KEY); BEGIN IMMEDIATE");
        app_attach(app);
        assert_false(capture_install(&app->a, &name, 1, &app->e));
        app_says(app, ERR_BUSY, "");
        app_sql(app->db, "INSERT INTO t VALUES (1); COMMIT");
        app_track(app, "t");
        app_sql(app->db, "BEGIN IMMEDIATE; INSERT INTO t VALUES (2)");
        assert_false(capture_remove(&app->a, &name, 1, &app->e));
        app_says(app, ERR_BUSY, "");
        assert_false(capture_uninstall(&app->a, &app->e));
        app_says(app, ERR_BUSY, "");
        app_sql(app->db, "COMMIT");
        assert_string_equal(app_marks(app, 0), "1:1 2");
        must(app, capture_uninstall(&app->a, &app->e));
        appdb_close(&app->a);
    }
}

/* Prepared before, run after: the application never notices that triggers came or went. */
static void statements_of_the_application_live_through_it_all(void **state)
{
    struct app *app = *state;
    static const char *const name = "t";
    sqlite3_stmt *insert = NULL, *read = NULL;

    app_sql(app->db,
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 1), (2, 2)");
    assert_int_equal(sqlite3_prepare_v2(app->db, "INSERT INTO t(v) VALUES (0)", -1, &insert, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(app->db, "SELECT * FROM t", -1, &read, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(read), SQLITE_ROW); /* in the middle of reading */
    app_attach(app);
    app_track(app, "t");
    assert_int_equal(sqlite3_step(read), SQLITE_ROW);
    assert_int_equal(sqlite3_step(read), SQLITE_DONE);
    sqlite3_reset(read);
    assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
    sqlite3_reset(insert);
    assert_string_equal(app_marks(app, 0), "1:1 3");
    must(app, capture_remove(&app->a, &name, 1, &app->e));
    assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
    sqlite3_reset(insert);
    assert_string_equal(app_marks(app, 0), "");
    must(app, capture_uninstall(&app->a, &app->e));
    assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
    sqlite3_finalize(insert);
    sqlite3_finalize(read);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, app_setup, app_teardown)
    const struct CMUnitTest tests[] = {
        TEST(triggers_name_the_key_and_nothing_else),
        TEST(writes_leave_marks_in_their_order),
        TEST(every_kind_of_insert_works_and_is_seen),
        TEST(the_application_sees_its_own_counters),
        TEST(effects_of_the_applications_triggers_and_cascades_are_seen),
        TEST(overridden_functions_do_not_disturb),
        TEST(uninstall_leaves_no_trace),
        TEST(no_sequence_table_comes_with_us),
        TEST(installing_twice_changes_nothing),
        TEST(what_cannot_be_tracked_leaves_the_file_as_it_was),
        TEST(names_like_ours_that_are_not_ours_are_in_the_way),
        TEST(a_table_named_much_like_ours_stays_on_this_pc),
        TEST(a_busy_file_is_left_for_later),
        TEST(statements_of_the_application_live_through_it_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
