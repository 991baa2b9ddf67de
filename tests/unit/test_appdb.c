/* The connection: what it opens, what it refuses, how its locks behave beside an application. */
#include "unit/app.h"

#include "ledger.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void refuses_to_open(struct app *app, const char *path, enum err_code code,
                            const char *words)
{
    assert_false(appdb_open(&app->a, path, NULL, &app->e));
    app_says(app, code, words);
}

static void a_missing_file_is_named_and_not_created(void **state)
{
    struct app *app = *state;
    char path[160];

    snprintf(path, sizeof path, "%s/none.db", app->directory);
    refuses_to_open(app, path, ERR_STORE, "there is no file");
    assert_int_equal(access(path, F_OK), -1);
    snprintf(path, sizeof path, "%s/none/none.db", app->directory);
    refuses_to_open(app, path, ERR_STORE, "there is no file");
    refuses_to_open(app, "", ERR_USAGE, "empty");
    refuses_to_open(app, ":memory:", ERR_STORE, "there is no file");
}

static void a_directory_is_no_database(void **state)
{
    struct app *app = *state;

    refuses_to_open(app, app->directory, ERR_REFUSED, "is a directory");
}

static void a_file_of_something_else_is_no_database(void **state)
{
    struct app *app = *state;
    uint8_t noise[8192];
    char path[160];

    snprintf(path, sizeof path, "%s/letter.txt", app->directory);
    write_file(path, "Dear shop,\n", 11);
    refuses_to_open(app, path, ERR_REFUSED, "is not an SQLite database");
    memset(noise, 0x5a, sizeof noise);
    write_file(path, noise, sizeof noise);
    refuses_to_open(app, path, ERR_REFUSED, "is not an SQLite database, or it is encrypted");
}

static void the_ledger_of_an_agent_is_no_database_of_an_application(void **state)
{
    struct app *app = *state;
    const uint8_t fleet[FLEET_ID_BYTES] = {1};
    const struct site_id site = {{1}};
    struct ledger l;
    char path[160];

    snprintf(path, sizeof path, "%s/ledger.db", app->directory);
    must(app, ledger_open(&l, app->directory, NULL, false, fleet, &site, true, &app->e));
    ledger_close(&l);
    refuses_to_open(app, path, ERR_REFUSED, "is the ledger of a Navette home");
}

static void patch(const char *path, long at, uint8_t byte)
{
    FILE *f = fopen(path, "r+b");

    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fwrite(&byte, 1, 1, f), 1);
    assert_int_equal(fclose(f), 0);
}

static void a_file_of_a_newer_sqlite_is_told_from_a_broken_one(void **state)
{
    struct app *app = *state;

    app_sql(app->db, "PRAGMA journal_mode = delete; CREATE TABLE t(id INTEGER PRIMARY KEY)");
    sqlite3_close(app->db);
    app->db = NULL;
    patch(app->path, 19, 3);
    refuses_to_open(app, app->path, ERR_REFUSED, "newer SQLite");
    patch(app->path, 19, 1);
    patch(app->path, 18, 3);
    refuses_to_open(app, app->path, ERR_REFUSED, "newer SQLite");
    patch(app->path, 18, 1);
    app_attach(app);
}

static void a_damaged_schema_is_an_error_and_no_crash(void **state)
{
    struct app *app = *state;

    app_sql(app->db, "PRAGMA journal_mode = delete; CREATE TABLE t(id INTEGER PRIMARY KEY)");
    sqlite3_close(app->db);
    app->db = NULL;
    for (long at = 100; at < 108; at++)
        patch(app->path, at, 0xff);
    refuses_to_open(app, app->path, ERR_STORE, "is damaged");
}

/* Root may touch everything: a child process that is somebody else tries. */
static void refuses_nobody(struct app *app, const char *words)
{
    pid_t child = fork();
    int status = 0;

    assert_true(child >= 0);
    if (child == 0) {
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(2);
        if (appdb_open(&app->a, app->path, NULL, &app->e))
            _exit(3);
        _exit(app->e.code == ERR_STORE && strstr(app->e.text, words) != NULL ? 0 : 4);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_file_that_may_not_be_read_or_written_is_named(void **state)
{
    struct app *app = *state;

    app_sql(app->db, "PRAGMA journal_mode = delete");
    assert_int_equal(chmod(app->directory, 0755), 0);
    assert_int_equal(chmod(app->path, 0), 0);
    refuses_nobody(app, "may not be opened by this user");
    assert_int_equal(chmod(app->path, 0444), 0);
    refuses_nobody(app, "may not be written by this user");
    assert_int_equal(chmod(app->path, 0666), 0);
    assert_int_equal(chmod(app->directory, 0555), 0);
    refuses_nobody(app, "the directory");
    assert_int_equal(chmod(app->directory, 0755), 0);
}

static void an_empty_file_is_a_database_without_tables(void **state)
{
    struct app *app = *state;
    char path[160];

    snprintf(path, sizeof path, "%s/empty.db", app->directory);
    write_file(path, "", 0);
    must(app, appdb_open(&app->a, path, NULL, &app->e));
    assert_int_equal(app->a.schema.n, 0);
    assert_null(appdb_table(&app->a, "anything"));
}

static void opening_leaves_file_and_settings_as_they_are(void **state)
{
    struct app *app = *state;
    char before[64];

    app_sql(app->db, "PRAGMA journal_mode = persist; CREATE TABLE t(id INTEGER PRIMARY KEY)");
    snprintf(before, sizeof before, "%s", app_rows(app->db, "PRAGMA data_version"));
    app_attach(app);
    assert_string_equal(app->a.journal_mode, "delete"); /* persist is the application's own way */
    assert_false(app->a.wal);
    assert_string_equal(app_rows(app->db, "PRAGMA data_version"), before);
    assert_string_equal(app_rows(app->db, "PRAGMA journal_mode"), "persist");
}

static void wal_is_seen_also_when_it_comes_later(void **state)
{
    struct app *app = *state;

    app_sql(app->db, "PRAGMA journal_mode = delete; CREATE TABLE t(id INTEGER PRIMARY KEY)");
    app_attach(app);
    assert_string_equal(app->a.journal_mode, "delete");
    app_sql(app->db, "PRAGMA journal_mode = wal; INSERT INTO t VALUES (1)");
    must(app, appdb_read(&app->a, &app->e));
    appdb_end(&app->a);
    must(app, appdb_lock(&app->a, &app->e));
    appdb_end(&app->a);
    assert_string_equal(app->a.journal_mode, "wal");
    assert_true(app->a.wal);
}

/* Neither triggers nor cascades: their effects arrive as rows of their own. */
static void triggers_and_cascades_do_not_run_for_us(void **state)
{
    struct app *app = *state;
    struct app_table *t;
    struct value one = {.type = VALUE_INT, .i = 1};

    app_sql(app->db,
            "CREATE TABLE parent(id INTEGER PRIMARY KEY);"
            "CREATE TABLE child(id INTEGER PRIMARY KEY, p REFERENCES parent ON DELETE CASCADE);"
            "CREATE TABLE seen(id INTEGER PRIMARY KEY, what);"
            "CREATE TRIGGER a AFTER DELETE ON parent BEGIN INSERT INTO seen(what) VALUES (1); END;"
            "CREATE TRIGGER b BEFORE INSERT ON parent BEGIN SELECT RAISE(ABORT, 'no'); END;");
    app_attach(app);
    app_track(app, "parent");
    app_sql(app->db,
            "DROP TRIGGER b; INSERT INTO parent VALUES (1); INSERT INTO child VALUES (5, 1);"
            "CREATE TRIGGER b BEFORE INSERT ON parent BEGIN SELECT RAISE(ABORT, 'no'); END;");
    t = app_table(app, "parent");
    must(app, appdb_lock(&app->a, &app->e));
    assert_true(value_bind(t->remove, 1, &one));
    must(app, appdb_run(&app->a, t->remove, "delete", &app->e));
    one.i = 2;
    assert_true(value_bind(t->insert, 1, &one));
    must(app, appdb_run(&app->a, t->insert, "insert", &app->e));
    must(app, appdb_commit(&app->a, &app->e));
    assert_string_equal(app_rows(app->db, "SELECT id FROM parent"), "2");
    assert_string_equal(app_rows(app->db, "SELECT id, p FROM child"), "5|1");
    assert_string_equal(app_rows(app->db, "SELECT count(*) FROM seen"), "0");
    assert_string_equal(app_rows(app->db, "SELECT op, k1 FROM _navette_dirty"), "1|1");
}

static void the_lock_is_refused_at_once_while_somebody_writes(void **state)
{
    struct app *app = *state;

    for (int wal = 0; wal <= 1; wal++) {
        app_sql(app->db, wal ? "PRAGMA journal_mode = wal" : "PRAGMA journal_mode = delete");
        app_sql(app->db, "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY)");
        app_attach(app);
        app_sql(app->db, "BEGIN IMMEDIATE");
        assert_false(appdb_lock(&app->a, &app->e));
        app_says(app, ERR_BUSY, "lock the database");
        must(app, appdb_read(&app->a, &app->e)); /* reading is possible beside a writer */
        appdb_end(&app->a);
        app_sql(app->db, "COMMIT");
        must(app, appdb_lock(&app->a, &app->e));
        appdb_end(&app->a);
        appdb_close(&app->a);
    }
}

/* A commit must not have to wait for readers: in rollback mode the lock keeps them out from the
 * start, or is not given. */
static void in_rollback_mode_the_lock_waits_for_no_reader(void **state)
{
    struct app *app = *state;

    app_sql(app->db, "PRAGMA journal_mode = delete; CREATE TABLE t(id INTEGER PRIMARY KEY)");
    app_attach(app);
    app_sql(app->db, "BEGIN; SELECT * FROM t");
    assert_false(appdb_lock(&app->a, &app->e));
    app_says(app, ERR_BUSY, "lock the database");
    app_sql(app->db, "INSERT INTO t VALUES (1); COMMIT"); /* our attempt left nothing behind */
    must(app, appdb_lock(&app->a, &app->e));
    assert_int_equal(sqlite3_exec(app->a.db, "INSERT INTO t VALUES (2)", NULL, NULL, NULL),
                     SQLITE_OK);
    must(app, appdb_commit(&app->a, &app->e));
    assert_string_equal(app_rows(app->db, "SELECT count(*) FROM t"), "2");
}

/* Its write would fail after a commit of ours; but nobody may keep us out for good by reading. */
static void in_wal_mode_a_transaction_that_has_read_is_waited_for(void **state)
{
    struct app *app = *state;
    sqlite3 *other = app_connect(app->path);

    app_sql(app->db, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    app_attach(app);
    must(app, appdb_lock_quietly(&app->a, &app->e));
    appdb_end(&app->a);
    app_sql(app->db, "BEGIN; SELECT * FROM t");
    app_sql(other, "SELECT * FROM t");
    assert_false(appdb_lock_quietly(&app->a, &app->e));
    app_says(app, ERR_BUSY, "in the middle of a transaction");
    app_sql(other,
            "SELECT * FROM t; INSERT INTO t VALUES (1)"); /* our looking is in nobody's way */
    app_sql(app->db, "COMMIT");
    must(app, appdb_lock_quietly(&app->a, &app->e));
    appdb_end(&app->a);
    app_sql(app->db, "BEGIN; SELECT * FROM t");
    for (int i = 0; i < READERS_AWAITED; i++) {
        assert_false(appdb_lock_quietly(&app->a, &app->e));
        app_says(app, ERR_BUSY, "");
    }
    must(app, appdb_lock_quietly(&app->a, &app->e));
    appdb_end(&app->a);
    assert_false(appdb_lock_quietly(&app->a, &app->e));
    app_says(app, ERR_BUSY, "");
    app_sql(app->db, "COMMIT");
    sqlite3_close(other);
}

static void a_read_is_one_snapshot_until_it_ends(void **state)
{
    struct app *app = *state;

    app_sql(app->db, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    app_attach(app);
    must(app, appdb_read(&app->a, &app->e));
    app_sql(app->db, "INSERT INTO t VALUES (1)");
    assert_string_equal(app_rows(app->a.db, "SELECT count(*) FROM t"), "0");
    appdb_end(&app->a);
    appdb_end(&app->a);
    assert_string_equal(app_rows(app->a.db, "SELECT count(*) FROM t"), "1");
}

static void what_is_not_committed_is_rolled_back(void **state)
{
    struct app *app = *state;

    app_sql(app->db, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    app_attach(app);
    must(app, appdb_lock(&app->a, &app->e));
    app_sql(app->a.db, "INSERT INTO t VALUES (1)");
    appdb_end(&app->a);
    assert_string_equal(app_rows(app->db, "SELECT count(*) FROM t"), "0");
}

static void commits_of_others_are_noticed_and_ours_are_not(void **state)
{
    struct app *app = *state;
    bool changed = true;

    app_sql(app->db, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    app_attach(app);
    must(app, appdb_changed(&app->a, &changed, &app->e));
    assert_false(changed);
    app_sql(app->db, "INSERT INTO t VALUES (1)");
    must(app, appdb_changed(&app->a, &changed, &app->e));
    assert_true(changed);
    must(app, appdb_lock(&app->a, &app->e));
    app_sql(app->a.db, "INSERT INTO t VALUES (2)");
    must(app, appdb_commit(&app->a, &app->e));
    must(app, appdb_changed(&app->a, &changed, &app->e));
    assert_false(changed);
}

static void values_come_and_go_with_type_and_bits(void **state)
{
    struct app *app = *state;
    static const uint8_t nul[] = {'a', 0, 'b'};
    static const uint8_t bad[] = {0xff, 0xfe, 'x'};
    const struct value values[] = {
        {.type = VALUE_NULL},
        {.type = VALUE_INT, .i = INT64_MIN},
        {.type = VALUE_REAL, .r = 0.1},
        {.type = VALUE_REAL, .r = 5e-324},
        {.type = VALUE_TEXT, .bytes = {0}},
        {.type = VALUE_TEXT, .bytes = {nul, sizeof nul}},
        {.type = VALUE_TEXT, .bytes = {bad, sizeof bad}},
        {.type = VALUE_BLOB, .bytes = {0}},
        {.type = VALUE_BLOB, .bytes = {nul, sizeof nul}},
    };
    sqlite3_stmt *s = NULL;

    app_attach(app);
    must(app, sqlite_prepare(app->a.db, &s, "SELECT ?1", &app->e));
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        const struct value *in = &values[i];
        struct value out;

        assert_true(value_bind(s, 1, in));
        assert_int_equal(sqlite3_step(s), SQLITE_ROW);
        out = value_of_column(s, 0);
        assert_int_equal(out.type, in->type);
        if (in->type == VALUE_INT)
            assert_true(out.i == in->i);
        if (in->type == VALUE_REAL)
            assert_memory_equal(&out.r, &in->r, sizeof out.r);
        if (in->type == VALUE_TEXT || in->type == VALUE_BLOB)
            assert_true(slice_equal(out.bytes, in->bytes));
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
}

static void a_full_disk_is_told_as_such(void **state)
{
    struct app *app = *state;

    app_sql(app->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, b)");
    app_attach(app);
    app_sql(app->a.db, "PRAGMA max_page_count = 1"); /* as many as there are */
    must(app, appdb_lock(&app->a, &app->e));
    assert_int_not_equal(
        sqlite3_exec(app->a.db, "INSERT INTO t(b) VALUES (zeroblob(1000000))", NULL, NULL, NULL),
        SQLITE_OK);
    assert_false(sqlite_err(app->a.db, "write", &app->e));
    app_says(app, ERR_FULL, "write: ");
    appdb_end(&app->a);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, app_setup, app_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_missing_file_is_named_and_not_created),
        TEST(a_directory_is_no_database),
        TEST(a_file_of_something_else_is_no_database),
        TEST(a_file_of_a_newer_sqlite_is_told_from_a_broken_one),
        TEST(a_damaged_schema_is_an_error_and_no_crash),
        TEST(a_file_that_may_not_be_read_or_written_is_named),
        TEST(the_ledger_of_an_agent_is_no_database_of_an_application),
        TEST(an_empty_file_is_a_database_without_tables),
        TEST(opening_leaves_file_and_settings_as_they_are),
        TEST(wal_is_seen_also_when_it_comes_later),
        TEST(triggers_and_cascades_do_not_run_for_us),
        TEST(the_lock_is_refused_at_once_while_somebody_writes),
        TEST(in_rollback_mode_the_lock_waits_for_no_reader),
        TEST(in_wal_mode_a_transaction_that_has_read_is_waited_for),
        TEST(a_read_is_one_snapshot_until_it_ends),
        TEST(what_is_not_committed_is_rolled_back),
        TEST(commits_of_others_are_noticed_and_ours_are_not),
        TEST(values_come_and_go_with_type_and_bits),
        TEST(a_full_disk_is_told_as_such),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
