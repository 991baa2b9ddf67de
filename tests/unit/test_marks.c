/* Marks: what they say, how they are read and purged; and the record of what was applied. */
#include "unit/app.h"

static void a_mark_bears_the_time_of_its_statement(void **state)
{
    struct app *app = *state;
    double before, after;
    struct marks m = {0};

    app_use(app, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)", "t");
    before = strtod(app_rows(app->db, "SELECT julianday('now')"), NULL);
    app_sql(app->db, "INSERT INTO t VALUES (1, 1), (2, 2)");
    after = strtod(app_rows(app->db, "SELECT julianday('now')"), NULL);
    must(app, appdb_read(&app->a, &app->e));
    must(app, marks_read(&app->a, 0, 10, &m, &app->e));
    appdb_end(&app->a);
    assert_int_equal(m.n, 2);
    assert_true(m.marks[0].julian_day >= before - 1e-6 && m.marks[0].julian_day <= after + 1e-6);
    assert_true(m.marks[0].julian_day == m.marks[1].julian_day);
    marks_close(&m);
}

static void a_key_that_moves_leaves_the_old_one(void **state)
{
    struct app *app = *state;

    app_use(app, "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 1), (2, 2)",
            "t");
    app_sql(app->db, "UPDATE t SET id = 7 WHERE id = 1; UPDATE t SET rowid = 8 WHERE id = 2;"
                     "UPDATE t SET id = id, v = 3; UPDATE t SET id = id + 10");
    assert_string_equal(app_marks(app, 0),
                        "1:2 7 < 1\n1:2 8 < 2\n1:2 7\n1:2 8\n1:2 17 < 7\n1:2 18 < 8");
}

/* 'abc' to 'ABC' is no new key to NOCASE, but another text on the wire; 1 and 1.0 in a column
 * without affinity likewise. */
static void a_key_that_changes_its_bytes_only_has_moved(void **state)
{
    struct app *app = *state;
    static const char *const names[] = {"a", "b", "c", "d"};

    app_sql(app->db,
            "CREATE TABLE a(k TEXT COLLATE NOCASE PRIMARY KEY, v); INSERT INTO a VALUES ('abc', 1);"
            "CREATE TABLE b(k PRIMARY KEY, v); INSERT INTO b VALUES (1, 1);"
            "CREATE TABLE c(k TEXT COLLATE RTRIM PRIMARY KEY, v); INSERT INTO c VALUES ('x', 1);"
            "CREATE TABLE d(k BLOB, l INT, v, PRIMARY KEY(k, l)) WITHOUT ROWID; INSERT INTO d "
            "VALUES (x'41', 1, 1)");
    app_attach(app);
    must(app, capture_install(&app->a, names, 4, &app->e));
    app_sql(app->db,
            "UPDATE a SET k = 'ABC'; UPDATE a SET v = 2; UPDATE b SET k = 1.0; UPDATE b SET v = 2; "
            "UPDATE c SET k = 'x ';"
            "UPDATE d SET v = 2; UPDATE d SET k = x'42'; UPDATE d SET l = 3; UPDATE d SET k = 'B'");
    assert_string_equal(app_marks(app, 0),
                        "1:2 ABC < abc\n1:2 ABC\n2:2 1.0 < 1\n2:2 1.0\n3:2 x  < x\n"
                        "4:2 xA 1\n4:2 xB 1 < xA 1\n4:2 xB 3 < xB 1\n4:2 B 3 < xB 3");
}

static void composite_keys_are_marked_whole(void **state)
{
    struct app *app = *state;
    static const char *const second = "w";

    app_use(
        app,
        "CREATE TABLE t(a INT NOT NULL, b TEXT NOT NULL, v, PRIMARY KEY(b, a)); CREATE TABLE w(a, "
        "b, c, v, PRIMARY KEY(a, b, c)) WITHOUT ROWID",
        "t");
    app_sql(app->db, "INSERT INTO t VALUES (1, 'x', 0); UPDATE t SET v = 1; UPDATE t SET a = 2");
    assert_string_equal(app_marks(app, 0), "1:1 x 1\n1:2 x 1\n1:2 x 2 < x 1");
    must(app, capture_install(&app->a, &second, 1, &app->e)); /* widens the table of marks */
    app_sql(app->db,
            "INSERT INTO w VALUES (1, 2, 3, 0); UPDATE w SET c = 4; DELETE FROM t; DELETE FROM w");
    assert_string_equal(app_marks(app, 0), "1:1 x 1\n1:2 x 1\n1:2 x 2 < x 1\n"
                                           "2:1 1 2 3\n2:2 1 2 4 < 1 2 3\n1:3 x 2\n2:3 1 2 4");
}

static void keys_of_every_kind_come_back_as_they_were(void **state)
{
    struct app *app = *state;
    struct marks m = {0};

    app_use(app, "CREATE TABLE t(k PRIMARY KEY, v)", "t");
    app_sql(app->db, "INSERT INTO t(k) VALUES (''), (x''), ('a' || char(0) || 'b'), (x'00ff'),"
                     " (9223372036854775807), (1.5)");
    must(app, appdb_read(&app->a, &app->e));
    must(app, marks_read(&app->a, 0, 10, &m, &app->e));
    appdb_end(&app->a);
    assert_int_equal(m.n, 6);
    assert_int_equal(m.marks[0].key[0].type, VALUE_TEXT);
    assert_int_equal(m.marks[0].key[0].bytes.n, 0);
    assert_int_equal(m.marks[1].key[0].type, VALUE_BLOB);
    assert_int_equal(m.marks[1].key[0].bytes.n, 0);
    assert_int_equal(m.marks[2].key[0].bytes.n, 3);
    assert_memory_equal(m.marks[2].key[0].bytes.p, "a\0b", 3);
    assert_memory_equal(m.marks[3].key[0].bytes.p, "\0\xff", 2);
    assert_true(m.marks[4].key[0].i == INT64_MAX);
    assert_true(m.marks[5].key[0].r == 1.5);
    assert_false(m.marks[5].moved);
    assert_int_equal(m.marks[5].old[0].type, VALUE_NULL);
    marks_close(&m);
}

/* An application may have its own julianday after all. */
static void a_time_that_is_none_reads_as_zero(void **state)
{
    struct app *app = *state;
    double t = 1;
    int64_t id;

    app_use(app, "CREATE TABLE t(id INTEGER PRIMARY KEY)", "t");
    app_sql(app->db, "INSERT INTO t VALUES (1); UPDATE _navette_dirty SET t = 'noon'");
    must(app, marks_last(&app->a, &id, &t, &app->e));
    assert_true(id == 1 && t == 0);
    app_sql(app->db, "UPDATE _navette_dirty SET t = 9e999");
    must(app, marks_last(&app->a, &id, &t, &app->e));
    assert_true(id == 1 && t == 0);
}

static void ids_of_marks_never_go_back(void **state)
{
    struct app *app = *state;
    static const char *const names[] = {"t", "u"};
    int64_t id;
    double t;

    app_sql(app->db,
            "CREATE TABLE t(id INTEGER PRIMARY KEY); CREATE TABLE u(id INTEGER PRIMARY KEY)");
    app_attach(app);
    must(app, capture_install(&app->a, names, 2, &app->e));
    app_sql(app->db, "INSERT INTO u VALUES (1); INSERT INTO t VALUES (1), (2), (3)");
    must(app, capture_remove(&app->a, names, 1, &app->e));
    assert_string_equal(app_rows(app->db, "SELECT id, tbl FROM _navette_dirty"), "1|2\n4|0");
    assert_string_equal(app_marks(app, 0), "2:1 1");
    must(app, marks_last(&app->a, &id, &t, &app->e));
    assert_int_equal(id, 4);
    app_sql(app->db, "INSERT INTO u VALUES (2)");
    assert_string_equal(app_marks(app, 4), "2:1 2");
    must(app, appdb_lock(&app->a, &app->e));
    must(app, marks_purge(&app->a, 1000, &app->e));
    must(app, appdb_commit(&app->a, &app->e));
    assert_string_equal(app_rows(app->db, "SELECT id FROM _navette_dirty"), "5");
    app_sql(app->db, "VACUUM; INSERT INTO u VALUES (3)");
    assert_string_equal(app_marks(app, 5), "2:1 3");
}

/* A purge under the write lock may take milliseconds, not more. */
static void a_purge_takes_a_portion_of_the_oldest(void **state)
{
    struct app *app = *state;
    int64_t first = 1;

    app_use(app, "CREATE TABLE t(id INTEGER PRIMARY KEY)", "t");
    must(app, marks_first(&app->a, &first, &app->e));
    assert_int_equal(first, 0);
    app_sql(app->db,
            "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 25000)"
            " INSERT INTO t SELECT i FROM n");
    for (int64_t expected = 1; expected <= 20001; expected += MARKS_PURGED_MAX) {
        must(app, marks_first(&app->a, &first, &app->e));
        assert_int_equal(first, expected);
        must(app, appdb_lock(&app->a, &app->e));
        must(app, marks_purge(&app->a, 24000, &app->e));
        must(app, appdb_commit(&app->a, &app->e));
    }
    must(app, marks_first(&app->a, &first, &app->e));
    assert_int_equal(first, 24000);
}

static void marks_are_read_in_portions(void **state)
{
    struct app *app = *state;
    struct marks m = {0};
    bool found = false;
    double t = 0, last = 0;
    int64_t id;

    app_use(app, "CREATE TABLE t(k TEXT PRIMARY KEY)", "t");
    must(app, marks_last(&app->a, &id, &t, &app->e));
    assert_int_equal(id, 0);
    app_sql(app->db,
            "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
            " INSERT INTO t SELECT printf('key number %d', i) FROM n;"
            "INSERT INTO _navette_dirty(tbl, op, t, k1) VALUES (99, 1, 0, 1)");
    must(app, appdb_read(&app->a, &app->e));
    must(app, marks_read(&app->a, 0, 700, &m, &app->e));
    assert_int_equal(m.n, 700);
    assert_int_equal(m.last, 700);
    assert_int_equal(m.marks[699].id, 700);
    assert_true(slice_equal(m.marks[699].key[0].bytes, slice_text("key number 700")));
    assert_true(slice_equal(m.marks[0].key[0].bytes, slice_text("key number 1")));
    must(app, marks_read(&app->a, m.last, 700, &m, &app->e));
    assert_int_equal(m.n, 300);
    assert_int_equal(m.last, 1001); /* one of no table of ours was passed over */
    assert_true(slice_equal(m.marks[299].key[0].bytes, slice_text("key number 1000")));
    must(app, marks_read(&app->a, m.last, 700, &m, &app->e));
    assert_int_equal(m.n, 0);
    must(app, marks_last(&app->a, &id, &last, &app->e));
    assert_int_equal(id, 1001);
    must(app, marks_time(&app->a, 1000, &t, &found, &app->e));
    assert_true(found && t > 2400000);
    must(app, marks_time(&app->a, 2000, &t, &found, &app->e));
    assert_false(found);
    appdb_end(&app->a);
    marks_close(&m);
    marks_close(&m);
}

static void the_record_of_what_was_applied_is_kept(void **state)
{
    struct app *app = *state;
    struct app_state in = {.batch = 7}, out = {0}, again = {0};
    static const uint8_t payload[] = {1, 0, 2};

    app_sql(app->db, "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    app_attach(app);
    must(app, app_state_read(&app->a, &out, &app->e));
    assert_false(out.found);
    app_track(app, "t");
    must(app, app_state_read(&app->a, &out, &app->e));
    assert_true(out.found);
    assert_int_equal(out.batch, 0);
    assert_false(sodium_is_zero(out.token, sizeof out.token));
    assert_true(sodium_is_zero(out.previous, sizeof out.previous));
    memset(in.token, 0x11, sizeof in.token);
    memcpy(in.previous, out.token, sizeof in.previous);
    buf_open(&in.payload, 100);
    buf_add(&in.payload, payload, sizeof payload);
    must(app, appdb_lock(&app->a, &app->e));
    must(app, app_state_write(&app->a, &in, &app->e));
    must(app, appdb_commit(&app->a, &app->e));
    must(app, app_state_read(&app->a, &again, &app->e));
    assert_memory_equal(again.token, in.token, sizeof in.token);
    assert_memory_equal(again.previous, out.token, sizeof out.token);
    assert_int_equal(again.batch, 7);
    assert_true(slice_equal(buf_slice(&again.payload), SLICE(payload)));
    app_sql(app->db, "UPDATE _navette_state SET token = x'00'");
    assert_false(app_state_read(&app->a, &again, &app->e));
    app_says(app, ERR_INPUT, "a token of 1 bytes");
    app_state_close(&in);
    app_state_close(&out);
    app_state_close(&again);
}

/* So that whoever finds the file finds the agent, too. */
static void the_file_says_whose_ledger_keeps_it(void **state)
{
    struct app *app = *state;
    struct app_state s = {0};
    char *path = NULL;

    app_use(app, "CREATE TABLE t(id INTEGER PRIMARY KEY)", "t");
    must(app, app_ledger_read(&app->a, &path, &app->e));
    assert_null(path);
    must(app, app_state_read(&app->a, &s, &app->e));
    app->a.ledger = "/home/moved/ledger.db";
    must(app, appdb_lock(&app->a, &app->e));
    must(app, app_state_write(&app->a, &s, &app->e));
    must(app, appdb_commit(&app->a, &app->e));
    must(app, app_ledger_read(&app->a, &path, &app->e));
    assert_string_equal(path, "/home/moved/ledger.db");
    free(path);
    app_sql(app->db, "UPDATE _navette_state SET ledger = x'00'");
    must(app, app_ledger_read(&app->a, &path, &app->e));
    assert_null(path);
    app_state_close(&s);
}

static void each_install_has_a_token_of_its_own(void **state)
{
    struct app *app = *state;
    struct app_state a = {0}, b = {0};

    app_use(app, "CREATE TABLE t(id INTEGER PRIMARY KEY)", "t");
    must(app, app_state_read(&app->a, &a, &app->e));
    must(app, capture_uninstall(&app->a, &app->e));
    app_track(app, "t");
    must(app, app_state_read(&app->a, &b, &app->e));
    assert_memory_not_equal(a.token, b.token, sizeof a.token);
    app_state_close(&a);
    app_state_close(&b);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, app_setup, app_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_mark_bears_the_time_of_its_statement),
        TEST(a_key_that_moves_leaves_the_old_one),
        TEST(a_key_that_changes_its_bytes_only_has_moved),
        TEST(composite_keys_are_marked_whole),
        TEST(keys_of_every_kind_come_back_as_they_were),
        TEST(a_time_that_is_none_reads_as_zero),
        TEST(ids_of_marks_never_go_back),
        TEST(a_purge_takes_a_portion_of_the_oldest),
        TEST(marks_are_read_in_portions),
        TEST(the_record_of_what_was_applied_is_kept),
        TEST(the_file_says_whose_ledger_keeps_it),
        TEST(each_install_has_a_token_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
