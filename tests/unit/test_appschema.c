/* The application's schema as it is read: keys, affinities, references, and what is refused by
 * name. */
#include "unit/app.h"

static const struct app_column *column(const struct app_table *t, const char *name)
{
    int i = app_column_index(t, slice_text(name));

    if (i < 0)
        fail_msg("no column %s", name);
    return &t->columns[i];
}

static const char *reference(struct app *app, const char *table, const char *name)
{
    int ref = column(appdb_table(&app->a, table), name)->ref_table;

    return ref < 0 ? "" : app->a.schema.tables[ref].name;
}

static void track_all(struct app *app)
{
    const char *names[64];
    uint32_t n = 0;

    for (uint32_t i = 0; i < app->a.schema.n; i++)
        if (app->a.schema.tables[i].refused == NULL && n < COUNT_OF(names))
            names[n++] = app->a.schema.tables[i].name;
    must(app, capture_install(&app->a, names, n, &app->e));
}

static void assert_refused(struct app *app, const char *name, const char *words)
{
    const struct app_table *t = app_table(app, name);

    if (t->refused == NULL || strstr(t->refused, words) == NULL)
        fail_msg("%s: \"%s\", not \"%s\"", name, t->refused == NULL ? "" : t->refused, words);
    assert_false(capture_install(&app->a, &name, 1, &app->e));
    app_says(app, ERR_REFUSED, words);
    assert_string_equal(
        app_rows(app->db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%navette%'"), "0");
}

static void affinities_follow_the_rules_of_sqlite(void **state)
{
    struct app *app = *state;
    const struct app_table *t;

    app_sql(
        app->db,
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a varchar(5), b DECIMAL(10,2), c FLOATING POINT,"
        " d, e BLOB, f REAL, g bool, h datetime, i DOUBLE, j CLOB, k CHARINT, l ANY);"
        "CREATE TABLE s(id INTEGER PRIMARY KEY, a ANY, b TEXT, c INT) STRICT");
    app_attach(app);
    t = app_table(app, "t");
    assert_int_equal(column(t, "id")->affinity, AFFINITY_INTEGER);
    assert_int_equal(column(t, "a")->affinity, AFFINITY_TEXT);
    assert_int_equal(column(t, "b")->affinity, AFFINITY_NUMERIC);
    assert_int_equal(column(t, "c")->affinity, AFFINITY_INTEGER); /* "POINT" */
    assert_int_equal(column(t, "d")->affinity, AFFINITY_BLOB);
    assert_int_equal(column(t, "e")->affinity, AFFINITY_BLOB);
    assert_int_equal(column(t, "f")->affinity, AFFINITY_REAL);
    assert_int_equal(column(t, "g")->affinity, AFFINITY_NUMERIC);
    assert_int_equal(column(t, "h")->affinity, AFFINITY_NUMERIC);
    assert_int_equal(column(t, "i")->affinity, AFFINITY_REAL);
    assert_int_equal(column(t, "j")->affinity, AFFINITY_TEXT);
    assert_int_equal(column(t, "k")->affinity, AFFINITY_INTEGER);
    assert_int_equal(column(t, "l")->affinity, AFFINITY_NUMERIC);
    t = app_table(app, "s");
    assert_int_equal(column(t, "a")->affinity, AFFINITY_BLOB);
    assert_int_equal(column(t, "c")->affinity, AFFINITY_INTEGER);
    assert_true(t->strict);
}

static void only_a_rowid_alias_is_a_surrogate_key(void **state)
{
    struct app *app = *state;
    static const struct {
        const char *sql;
        bool alias, autoincrement, without_rowid;
    } cases[] = {
        {"(id INTEGER PRIMARY KEY, v)", true, false, false},
        {"(id integer PRIMARY KEY AUTOINCREMENT, v)", true, true, false},
        {"(v, id INTEGER, PRIMARY KEY(id AUTOINCREMENT))", true, true, false},
        {"(v DEFAULT 'AUTOINCREMENT', id INTEGER, PRIMARY KEY(id DESC))", true, false, false},
        {"(id INTEGER PRIMARY KEY DESC, v)", false, false, false},
        {"(id INT PRIMARY KEY, v)", false, false, false},
        {"(id BIGINT PRIMARY KEY, v)", false, false, false},
        {"(id INTEGER PRIMARY KEY, v) WITHOUT ROWID", false, false, true},
        {"(id TEXT PRIMARY KEY NOT NULL, v)", false, false, false},
        {"(id INTEGER, v, PRIMARY KEY(id, v))", false, false, false},
    };

    app_attach(app);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char sql[200];
        const struct app_table *t;

        snprintf(sql, sizeof sql, "CREATE TABLE t%s", cases[i].sql);
        app_sql(app->db, sql);
        app_table(app, "t");
        app_track(app, "t");
        t = app_table(app, "t");
        if (t->surrogate != cases[i].alias || t->autoincrement != cases[i].autoincrement ||
            t->without_rowid != cases[i].without_rowid)
            fail_msg("%s", sql);
        must(app, capture_uninstall(&app->a, &app->e));
        app_sql(app->db, "DROP TABLE t");
    }
}

static void keys_stand_in_the_order_of_the_key(void **state)
{
    struct app *app = *state;
    const struct app_table *t;

    app_sql(app->db, "CREATE TABLE t(a, b TEXT, c, d, PRIMARY KEY(d, a, b)) WITHOUT ROWID");
    app_attach(app);
    t = app_table(app, "t");
    assert_int_equal(t->key_count, 3);
    assert_string_equal(t->columns[t->keys[0]].name, "d");
    assert_string_equal(t->columns[t->keys[1]].name, "a");
    assert_string_equal(t->columns[t->keys[2]].name, "b");
    assert_true(column(t, "a")->in_key);
    assert_false(column(t, "c")->in_key);
    assert_null(t->refused);
}

static void generated_columns_are_not_ours_to_carry(void **state)
{
    struct app *app = *state;
    const struct app_table *t;
    struct value v[] = {{.type = VALUE_INT, .i = 1}, {.type = VALUE_INT, .i = 5}};

    app_sql(app->db,
            "CREATE TABLE t(id INTEGER PRIMARY KEY, d AS (v * 2), s AS (v * 3) STORED, v)");
    app_attach(app);
    app_track(app, "t");
    t = app_table(app, "t");
    assert_int_equal(t->column_count, 2);
    must(app, appdb_lock(&app->a, &app->e));
    assert_true(value_bind(t->insert, 1, &v[0]) && value_bind(t->insert, 2, &v[1]));
    must(app, appdb_run(&app->a, t->insert, "insert", &app->e));
    must(app, appdb_commit(&app->a, &app->e));
    assert_string_equal(app_rows(app->db, "SELECT * FROM t"), "1|10|15|5");
}

static void views_and_virtual_tables_are_refused_and_shadows_not_shown(void **state)
{
    struct app *app = *state;

    app_sql(app->db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v);"
                     "CREATE VIEW w AS SELECT id FROM t;"
                     "CREATE VIRTUAL TABLE f USING fts5(body)");
    app_attach(app);
    assert_refused(app, "w", "it is a view");
    assert_refused(app, "f", "it is a virtual table");
    assert_int_equal(app->a.schema.n, 3);
    assert_null(appdb_table(&app->a, "f_data"));
    assert_null(appdb_table(&app->a, "sqlite_schema"));
}

static void rows_that_cannot_be_told_apart_are_refused(void **state)
{
    struct app *app = *state;

    app_sql(app->db,
            "CREATE TABLE bare(a, b);"
            "CREATE TABLE n(k TEXT PRIMARY KEY, v); INSERT INTO n VALUES ('a', 1), (NULL, 2);"
            "CREATE TABLE m(k TEXT, l, v, PRIMARY KEY(k, l)); INSERT INTO m VALUES ('a', NULL, 1)");
    app_attach(app);
    assert_refused(app, "bare", "it has no primary key");
    assert_refused(app, "n", "its primary key is NULL in some rows");
    assert_refused(app, "m", "its primary key is NULL in some rows");
    app_sql(app->db, "DELETE FROM n WHERE k IS NULL");
    assert_null(app_table(app, "n")->refused);
}

static int compare(void *context, int an, const void *a, int bn, const void *b)
{
    (void)context;
    return memcmp(a, b, (size_t)(an < bn ? an : bn));
}

static void shout(sqlite3_context *context, int n, sqlite3_value **values)
{
    (void)n;
    sqlite3_result_value(context, values[0]);
}

/* What needs the application's own functions and collations cannot be written without it. */
static void tables_that_need_the_application_are_refused(void **state)
{
    struct app *app = *state;

    sqlite3_create_collation(app->db, "french", SQLITE_UTF8, NULL, compare);
    sqlite3_create_function(app->db, "shout", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, shout,
                            NULL, NULL);
    app_sql(app->db, "CREATE TABLE k(k TEXT COLLATE french PRIMARY KEY NOT NULL, v);"
                     "CREATE TABLE u(id INTEGER PRIMARY KEY, v TEXT COLLATE french UNIQUE);"
                     "CREATE TABLE i(id INTEGER PRIMARY KEY, v); CREATE INDEX ii ON i(shout(v));"
                     "CREATE TABLE c(id INTEGER PRIMARY KEY, v CHECK (shout(v) > 0));"
                     "CREATE TABLE g(id INTEGER PRIMARY KEY, v, s AS (shout(v)) STORED);"
                     "CREATE TABLE p(id INTEGER PRIMARY KEY, v);"
                     "CREATE INDEX pp ON p(v) WHERE v > 'a' COLLATE french;"
                     "CREATE TABLE fine(id INTEGER PRIMARY KEY, v TEXT COLLATE french)");
    app_attach(app);
    assert_refused(app, "k", "the collation french, which only the application has");
    assert_refused(app, "u", "no such collation sequence: french");
    assert_refused(app, "i", "shout()");
    assert_refused(app, "c", "shout()");
    assert_refused(app, "g", "shout()");
    assert_refused(app, "p", "french");
    assert_null(app_table(app, "fine")->refused);
}

/* With triggers off while we apply, the index would not see what arrives. */
static void a_table_behind_a_full_text_index_is_refused(void **state)
{
    struct app *app = *state;

    app_sql(
        app->db,
        "CREATE TABLE article(id INTEGER PRIMARY KEY, name TEXT);"
        "CREATE TABLE note(id INTEGER PRIMARY KEY, body TEXT);"
        "CREATE TABLE other(id INTEGER PRIMARY KEY, body TEXT);"
        "CREATE VIRTUAL TABLE article_fts USING fts5(name, content='article', content_rowid='id');"
        "CREATE TABLE page(id INTEGER PRIMARY KEY, body TEXT);"
        "CREATE TABLE title(id INTEGER PRIMARY KEY, body TEXT);"
        "CREATE VIRTUAL TABLE page_fts USING fts5(body,\n\tcontent = [page]\n);"
        "CREATE TRIGGER title_in AFTER INSERT ON title BEGIN\n INSERT\r\n INTO\n\t`page_fts`"
        " VALUES (new.body); END;"
        "CREATE TABLE place(id INTEGER PRIMARY KEY, x, y);"
        "CREATE VIRTUAL TABLE at USING rtree(id, x0, x1, y0, y1);"
        "CREATE TRIGGER place_in AFTER INSERT ON place BEGIN"
        " INSERT OR REPLACE INTO at VALUES (new.id, new.x, new.x, new.y, new.y); END;"
        "CREATE VIRTUAL TABLE search USING fts4(body);"
        "CREATE TRIGGER n AFTER INSERT ON note BEGIN INSERT INTO Search(docid, body)"
        " VALUES (NEW.id, NEW.body); END;");
    app_attach(app);
    assert_refused(app, "article", "the full-text index article_fts");
    assert_refused(app, "note", "the full-text index search");
    assert_refused(app, "page", "the full-text index page_fts");
    assert_refused(app, "title", "the full-text index page_fts");
    assert_refused(app, "place", "the virtual table at is kept up to date from it");
    assert_null(app_table(app, "other")->refused);
}

static void limits_are_kept_by_refusing(void **state)
{
    struct app *app = *state;
    char sql[2000] = "CREATE TABLE wide(";
    char name[IDENTIFIER_BYTES_MAX + 2];

    for (int i = 0; i <= KEY_COLUMNS_MAX; i++)
        snprintf(sql + strlen(sql), sizeof sql - strlen(sql), "c%d, ", i);
    snprintf(sql + strlen(sql), sizeof sql - strlen(sql), "PRIMARY KEY(");
    for (int i = 0; i <= KEY_COLUMNS_MAX; i++)
        snprintf(sql + strlen(sql), sizeof sql - strlen(sql), "%sc%d", i == 0 ? "" : ", ", i);
    snprintf(sql + strlen(sql), sizeof sql - strlen(sql), ")) WITHOUT ROWID");
    app_sql(app->db, sql);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(
        sql, sizeof sql,
        "CREATE TABLE long(id INTEGER PRIMARY KEY, %s); CREATE TABLE %s(id INTEGER PRIMARY KEY)",
        name, name);
    app_sql(app->db, sql);
    app_attach(app);
    assert_refused(app, "wide", "more than 16 columns");
    assert_refused(app, "long", "a column's name is longer than 256 bytes");
    assert_refused(app, name, "its name is longer than 256 bytes");
}

static void odd_names_are_names_like_any_other(void **state)
{
    struct app *app = *state;
    static const char *const names[] = {"we\"ird", "select", "caf\xc3\xa9 \xe2\x82\xac",
                                        "a'b",     "[x]",    "-- c"};
    const struct app_table *t;

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char *sql = sqlite3_mprintf(
            "CREATE TABLE \"%w\"(\"%w\" TEXT, \"rowid\" INT, \"group\" INT, \"x\"\"y\" BLOB,"
            " PRIMARY KEY(\"rowid\", \"%w\"))",
            names[i], names[i], names[i]);
        app_sql(app->db, sql);
        sqlite3_free(sql);
    }
    app_attach(app);
    track_all(app);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct value key[] = {{.type = VALUE_INT, .i = 7},
                              {.type = VALUE_TEXT, .bytes = slice_text("k")}};
        char *sql = sqlite3_mprintf("INSERT INTO \"%w\" VALUES ('k', 7, 1, x'00')", names[i]);

        app_sql(app->db, sql);
        sqlite3_free(sql);
        t = appdb_table(&app->a, names[i]);
        assert_non_null(t);
        assert_true(value_bind(t->select, 1, &key[0]) && value_bind(t->select, 2, &key[1]));
        assert_int_equal(sqlite3_step(t->select), SQLITE_ROW);
        assert_int_equal(sqlite3_column_int(t->select, 2), 1);
        sqlite3_reset(t->select);
    }
    assert_string_equal(app_rows(app->db, "SELECT count(*), min(k1), max(k2) FROM _navette_dirty"),
                        "6|7|k");
}

static void names_are_found_whatever_their_case(void **state)
{
    struct app *app = *state;

    app_sql(app->db,
            "CREATE TABLE Zebra(Id INTEGER PRIMARY KEY, Name); CREATE TABLE alpha(id INTEGER "
            "PRIMARY KEY);"
            "CREATE TABLE _b(id INTEGER PRIMARY KEY); CREATE TABLE Mid(id INTEGER PRIMARY KEY)");
    app_attach(app);
    assert_string_equal(app_table(app, "zEBRA")->name, "Zebra");
    assert_string_equal(app_table(app, "ALPHA")->name, "alpha");
    assert_string_equal(app_table(app, "_B")->name, "_b");
    assert_string_equal(app_table(app, "mid")->name, "Mid");
    assert_int_equal(app_column_index(app_table(app, "zebra"), slice_text("NAME")), 1);
    assert_int_equal(app_column_index(app_table(app, "zebra"), slice_text("NAM")), -1);
    app_track(app, "zebra");
    assert_int_equal(appdb_table(&app->a, "Zebra")->number, 1);
    assert_ptr_equal(appdb_table_numbered(&app->a, 1), appdb_table(&app->a, "Zebra"));
    assert_null(appdb_table_numbered(&app->a, 0));
    assert_null(appdb_table_numbered(&app->a, 2));
}

static void a_natural_key_is_found_exactly(void **state)
{
    struct app *app = *state;
    struct value key = {.type = VALUE_TEXT, .bytes = slice_text("ABC")};
    const struct app_table *t;

    app_sql(app->db, "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, v);"
                     "INSERT INTO t VALUES ('abc', 1)");
    app_attach(app);
    app_track(app, "t");
    t = appdb_table(&app->a, "t");
    assert_string_equal(column(t, "k")->collation, "NOCASE");
    assert_true(value_bind(t->select, 1, &key));
    assert_int_equal(sqlite3_step(t->select), SQLITE_DONE);
    sqlite3_reset(t->select);
    assert_true(value_bind(t->remove, 1, &key));
    must(app, appdb_run(&app->a, t->remove, "delete", &app->e));
    assert_int_equal(sqlite3_changes(app->a.db), 0);
    key.bytes = slice_text("abc");
    assert_true(value_bind(t->select, 1, &key));
    assert_int_equal(sqlite3_step(t->select), SQLITE_ROW);
    assert_int_equal(sqlite3_stmt_status(t->select, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0), 0);
    sqlite3_reset(t->select);
}

/* "v" is the text 'v' to SQLite where there is no column v: never to us. */
static void a_column_that_vanished_is_not_read_as_its_name(void **state)
{
    struct app *app = *state;
    struct value key = {.type = VALUE_INT, .i = 1};
    bool changed = false;
    const struct app_table *t;

    app_sql(app->db,
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v, w); INSERT INTO t VALUES (1, 2, 3)");
    app_attach(app);
    app_track(app, "t");
    t = appdb_table(&app->a, "t");
    app_sql(app->db, "ALTER TABLE t DROP COLUMN v");
    assert_true(value_bind(t->select, 1, &key));
    assert_int_equal(sqlite3_step(t->select), SQLITE_ERROR);
    sqlite3_reset(t->select);
    must(app, appdb_load_schema(&app->a, false, &changed, &app->e));
    assert_true(changed);
    assert_int_equal(appdb_table(&app->a, "t")->column_count, 2);
    must(app, appdb_load_schema(&app->a, false, &changed, &app->e));
    assert_false(changed);
}

static void references_are_followed_to_what_they_name(void **state)
{
    struct app *app = *state;

    app_sql(
        app->db,
        "CREATE TABLE site(id INTEGER PRIMARY KEY);"
        "CREATE TABLE person(id INTEGER PRIMARY KEY, mail TEXT UNIQUE, boss INT REFERENCES Person);"
        "CREATE TABLE login(person_id INTEGER PRIMARY KEY REFERENCES person(ID), name);"
        "CREATE TABLE visit(id INTEGER PRIMARY KEY, who REFERENCES login, mail REFERENCES "
        "person(mail));"
        "CREATE TABLE stock(site_id INT REFERENCES site, item TEXT, n, PRIMARY KEY(site_id, item));"
        "CREATE TABLE move(id INTEGER PRIMARY KEY, s INT, i TEXT, FOREIGN KEY(s, i) REFERENCES "
        "stock);"
        "CREATE TABLE lost(id INTEGER PRIMARY KEY, a REFERENCES nowhere, b REFERENCES "
        "site(nil));");
    app_attach(app);
    track_all(app);
    assert_string_equal(reference(app, "person", "boss"), "person");
    assert_string_equal(reference(app, "login", "person_id"), "person");
    assert_string_equal(reference(app, "visit", "who"), "login");
    assert_string_equal(reference(app, "visit", "mail"), "person");
    assert_int_equal(column(appdb_table(&app->a, "visit"), "mail")->ref_form, REF_UNIQUE);
    assert_string_equal(reference(app, "stock", "site_id"), "site");
    assert_string_equal(reference(app, "move", "s"), "site"); /* through a part of stock's key */
    assert_string_equal(reference(app, "move", "i"), "");
    assert_string_equal(reference(app, "lost", "a"), "");
    assert_string_equal(reference(app, "lost", "b"), "");
    assert_true(appdb_table(&app->a, "person")->surrogate);
    assert_false(appdb_table(&app->a, "login")->surrogate); /* its key is a person's */
    assert_true(appdb_table(&app->a, "login")->rowid_alias);
    assert_int_equal(appdb_table(&app->a, "site")->child_count, 2);
    assert_int_equal(appdb_table(&app->a, "person")->child_count, 3);
    assert_int_equal(appdb_table(&app->a, "login")->child_count, 1);
    assert_int_equal(appdb_table(&app->a, "move")->child_count, 0);
}

static void a_reference_to_a_table_not_tracked_is_plain_data(void **state)
{
    struct app *app = *state;

    app_sql(app->db, "CREATE TABLE a(id INTEGER PRIMARY KEY);"
                     "CREATE TABLE b(id INTEGER PRIMARY KEY REFERENCES a, x REFERENCES a)");
    app_attach(app);
    app_track(app, "b");
    assert_string_equal(reference(app, "b", "x"), "");
    assert_true(appdb_table(&app->a, "b")->surrogate);
    app_track(app, "a");
    assert_string_equal(reference(app, "b", "x"), "a");
    assert_false(appdb_table(&app->a, "b")->surrogate);
}

/* Keys that name each other in a circle would name nothing: one of them is plain. */
static void keys_never_refer_in_circles(void **state)
{
    struct app *app = *state;

    app_sql(app->db, "CREATE TABLE self(id INTEGER PRIMARY KEY REFERENCES self(id));"
                     "CREATE TABLE b(id INTEGER PRIMARY KEY REFERENCES c); CREATE TABLE c(id "
                     "INTEGER PRIMARY KEY REFERENCES d);"
                     "CREATE TABLE d(id INTEGER PRIMARY KEY REFERENCES b);"
                     "CREATE TABLE p(x REFERENCES q(x), y, PRIMARY KEY(x, y)); CREATE TABLE q(x "
                     "REFERENCES p(x), y, PRIMARY KEY(x, y));"
                     "CREATE TABLE r(id INTEGER PRIMARY KEY REFERENCES s(v)); CREATE TABLE s(id "
                     "INTEGER PRIMARY KEY, v REFERENCES r(id));");
    app_attach(app);
    track_all(app);
    assert_true(appdb_table(&app->a, "self")->surrogate);
    assert_string_equal(reference(app, "b", "id"), "c");
    assert_string_equal(reference(app, "c", "id"), "d");
    assert_string_equal(reference(app, "d", "id"), "");
    assert_true(appdb_table(&app->a, "d")->surrogate);
    assert_string_equal(reference(app, "p", "x"), "");
    assert_string_equal(reference(app, "q", "x"), "");
    assert_string_equal(reference(app, "r", "id"), "");
    assert_string_equal(reference(app, "s", "v"), "r");
}

/* Column order and the order of declarations differ between PCs; the fleet compares fingerprints.
 */
static void the_fingerprint_depends_on_what_matters_only(void **state)
{
    struct app *app = *state;
    static const char *const schemas[] = {
        "CREATE TABLE a(id INTEGER PRIMARY KEY, n TEXT, m INT); CREATE TABLE b(id INTEGER PRIMARY "
        "KEY, r REFERENCES a);",
        "CREATE TABLE B(r REFERENCES a, ID integer primary key); CREATE TABLE z(x);"
        "CREATE TABLE a(id INTEGER, m BIGINT DEFAULT 1, N VARCHAR(9) NOT NULL, PRIMARY KEY(id));",
        "CREATE TABLE a(id INTEGER PRIMARY KEY, n TEXT, m TEXT); CREATE TABLE b(id INTEGER PRIMARY "
        "KEY, r REFERENCES a);",
        "CREATE TABLE a(id INTEGER PRIMARY KEY, n TEXT, m INT); CREATE TABLE b(id INTEGER PRIMARY "
        "KEY, r);",
        "CREATE TABLE a(id INTEGER PRIMARY KEY, n TEXT, o INT); CREATE TABLE b(id INTEGER PRIMARY "
        "KEY, r REFERENCES a);",
    };
    static const char *const both[] = {"a", "b"};
    uint64_t fingerprints[COUNT_OF(schemas)];

    app_attach(app);
    for (size_t i = 0; i < COUNT_OF(schemas); i++) {
        app_sql(app->db, schemas[i]);
        must(app, capture_install(&app->a, both, 2, &app->e));
        fingerprints[i] = app->a.schema.fingerprint;
        must(app, capture_uninstall(&app->a, &app->e));
        app_sql(app->db, "DROP TABLE a; DROP TABLE b; DROP TABLE IF EXISTS z");
    }
    assert_true(fingerprints[0] == fingerprints[1]);
    for (size_t i = 2; i < COUNT_OF(schemas); i++)
        assert_true(fingerprints[0] != fingerprints[i]);
}

static void every_table_of_a_real_erp_can_be_tracked(void **state)
{
    static const char real[] = SOURCE_DIR "/../shared/data/erp/erp.sqlite3";
    struct app *app = *state;
    char command[600];
    struct app_table *line;

    if (access(real, R_OK) != 0) {
        print_message("skipped: %s is not here\n", real);
        skip();
    }
    sqlite3_close(app->db);
    snprintf(command, sizeof command, "cp '%s' '%s' && chmod u+w '%s' && rm -f '%s'-*", real,
             app->path, app->path, app->path);
    assert_int_equal(system(command), 0);
    app->db = app_connect(app->path);
    app_attach(app);
    for (uint32_t i = 0; i < app->a.schema.n; i++)
        if (strcmp(app->a.schema.tables[i].name, "django_migrations") != 0)
            assert_null(app->a.schema.tables[i].refused);
    assert_refused(app, "django_migrations", "keep other PCs from being migrated");
    track_all(app);
    line = appdb_table(&app->a, "supermarket_lignefacturevente");
    assert_non_null(line);
    assert_true(line->surrogate && line->autoincrement);
    assert_string_equal(reference(app, "supermarket_lignefacturevente", "article_id"),
                        "supermarket_article");
    assert_false(appdb_table(&app->a, "django_session")->surrogate);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, app_setup, app_teardown)
    const struct CMUnitTest tests[] = {
        TEST(affinities_follow_the_rules_of_sqlite),
        TEST(only_a_rowid_alias_is_a_surrogate_key),
        TEST(keys_stand_in_the_order_of_the_key),
        TEST(generated_columns_are_not_ours_to_carry),
        TEST(views_and_virtual_tables_are_refused_and_shadows_not_shown),
        TEST(rows_that_cannot_be_told_apart_are_refused),
        TEST(tables_that_need_the_application_are_refused),
        TEST(a_table_behind_a_full_text_index_is_refused),
        TEST(limits_are_kept_by_refusing),
        TEST(odd_names_are_names_like_any_other),
        TEST(names_are_found_whatever_their_case),
        TEST(a_natural_key_is_found_exactly),
        TEST(a_column_that_vanished_is_not_read_as_its_name),
        TEST(references_are_followed_to_what_they_name),
        TEST(a_reference_to_a_table_not_tracked_is_plain_data),
        TEST(keys_never_refer_in_circles),
        TEST(the_fingerprint_depends_on_what_matters_only),
        TEST(every_table_of_a_real_erp_can_be_tracked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
