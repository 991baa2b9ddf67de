/* Whatever SQLite lets an application declare or store is the same on both PCs, written on either.
 */
#include "unit/sites.h"

static const struct kind {
    const char *name, *schema;
    const char *on_a, *on_b; /* written on one PC, while the other knows nothing of it */
    const char *then_b;      /* on what came from A */
    const char *query, *answer;
} kinds[] = {
    {"a STRICT table",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, a ANY, b TEXT, c INT, d REAL, e BLOB) STRICT",
     "INSERT INTO t VALUES (1, '5', 'x', 7, 1, x'00'), (2, 5, NULL, NULL, 0.1, NULL)",
     "INSERT INTO t VALUES (1, x'05', 'y', -7, 2, x'01')", "UPDATE t SET a = 5.5 WHERE b = 'x'",
     "SELECT typeof(a), a IS 5.5, b, c, typeof(d) FROM t ORDER BY c",
     "integer|0|NULL|NULL|real blob|0|y|-7|real real|1|x|7|real"},
    {"generated columns",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, net INT, gross INT AS (net * 2) STORED, half AS (net "
     "/ 2),"
     " key TEXT AS (upper(name)) VIRTUAL UNIQUE, name TEXT)",
     "INSERT INTO t(net, name) VALUES (10, 'a')", "INSERT INTO t(net, name) VALUES (20, 'b')",
     "UPDATE t SET net = 30 WHERE name = 'a'", "SELECT net, gross, half, key FROM t ORDER BY name",
     "30|60|15|A 20|40|10|B"},
    {"names that must be quoted",
     "CREATE TABLE \"se\"\"lect\"(\"group\" INTEGER PRIMARY KEY, \"caf\xc3\xa9 \xe2\x82\xac\" "
     "TEXT, \"a b\" INT,"
     " \"x\"\"y\" BLOB, \"Order\" INT, [br] INT, `tick` INT, \"\xd0\x96\" TEXT)",
     "INSERT INTO \"se\"\"lect\" VALUES (1, 'a', 1, x'01', 2, 3, 4, 'z')",
     "INSERT INTO \"SE\"\"LECT\" VALUES (1, 'b', 5, x'02', 6, 7, 8, 'y')",
     "UPDATE \"se\"\"lect\" SET \"ORDER\" = 9, \"caf\xc3\xa9 \xe2\x82\xac\" = 'c' WHERE \"a b\" = "
     "1",
     "SELECT \"caf\xc3\xa9 \xe2\x82\xac\", \"a b\", hex(\"x\"\"y\"), \"order\", br, tick, "
     "\"\xd0\x96\" FROM "
     "\"se\"\"lect\" ORDER BY 2",
     "c|1|01|9|3|4|z b|5|02|6|7|8|y"},
    {"columns named as the rowid is",
     "CREATE TABLE t(rowid TEXT, oid INT, _rowid_ BLOB, id INTEGER PRIMARY KEY);"
     "CREATE TABLE u(k INTEGER PRIMARY KEY, t INT REFERENCES t(id), rowid INT)",
     "INSERT INTO t VALUES ('r', 1, x'00', 5); INSERT INTO u VALUES (1, 5, 9)",
     "INSERT INTO t VALUES ('s', 2, x'01', 5); INSERT INTO u VALUES (1, 5, 8)",
     "UPDATE t SET rowid = 'q', oid = 3 WHERE rowid = 'r'",
     "SELECT t.rowid, t.oid, hex(t._rowid_), u.rowid FROM u JOIN t ON t.id = u.t ORDER BY 1",
     "q|3|00|9 s|2|01|8"},
    {"the application's own triggers and views",
     "CREATE TABLE sale(id INTEGER PRIMARY KEY, n INT); CREATE TABLE total(day TEXT PRIMARY KEY, n "
     "INT);"
     "CREATE TABLE log(id INTEGER PRIMARY KEY, what TEXT);"
     "CREATE TRIGGER s AFTER INSERT ON sale BEGIN INSERT INTO log(what) VALUES ('sold ' || new.n); "
     "END;"
     "CREATE VIEW v AS SELECT n FROM sale; CREATE TRIGGER w INSTEAD OF INSERT ON v BEGIN"
     " INSERT INTO sale(n) VALUES (new.n); END",
     "INSERT INTO v VALUES (1)", "INSERT INTO v VALUES (2)", "UPDATE sale SET n = 3 WHERE n = 1",
     "SELECT (SELECT group_concat(n) FROM (SELECT n FROM v ORDER BY n)),"
     " (SELECT group_concat(what) FROM (SELECT what FROM log ORDER BY what))",
     "2,3|sold 1,sold 2"},
    {"WITHOUT ROWID",
     "CREATE TABLE t(a TEXT, b REAL, c BLOB, v, PRIMARY KEY(c, a, b)) WITHOUT ROWID",
     "INSERT INTO t VALUES ('x', 1.5, x'00ff', 1), ('x', 1e300, x'', 2)",
     "INSERT INTO t VALUES ('x', 1.5, x'00ff', 3), ('y', -0.5, x'01', 4)",
     "UPDATE t SET v = 5 WHERE b = 1e300; DELETE FROM t WHERE a = 'y'",
     "SELECT a, b > 1e299, hex(c), v IN (1, 3) FROM t ORDER BY b", "x|0|00FF|1 x|1||0"},
    {"values at the edges", "CREATE TABLE t(id INTEGER PRIMARY KEY, n, v)",
     "INSERT INTO t(n, v) VALUES (1, CAST(x'610062' AS TEXT)), (2, CAST(x'ff61c3' AS TEXT)), (3, "
     "9e999),"
     " (4, -9e999), (5, 9223372036854775807), (6, -9223372036854775808), (7, ''), (8, x''), (9, "
     "1e-320),"
     " (10, zeroblob(3000000)), (11, 0.1), (12, NULL), (13, '1'), (14, 1.0)",
     "INSERT INTO t(n, v) VALUES (21, CAST(x'00' AS TEXT)), (22, CAST(x'eda080' AS TEXT))",
     "UPDATE t SET v = CAST(x'6200ff' AS TEXT) WHERE n = 1",
     "SELECT group_concat(typeof(v) || ':' || CASE WHEN typeof(v) IN ('text', 'blob') AND "
     "length(v) < 99"
     " THEN hex(v) WHEN typeof(v) = 'blob' THEN length(v) ELSE printf('%!.17g', v) END, ' ') FROM"
     " (SELECT * FROM t ORDER BY n)",
     "text:6200FF text:FF61C3 real:Inf real:-Inf integer:9.2233720368547758e+18"
     " integer:-9.2233720368547758e+18 text: blob: real:9.9998886718268301e-321 blob:3000000"
     " real:0.10000000000000001 null:0.0 text:31 real:1.0 text:00 text:EDA080"},
    {"keys that ignore case or blanks",
     "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, v); CREATE TABLE u(id INTEGER PRIMARY KEY,"
     " code TEXT COLLATE RTRIM UNIQUE, v)",
     "INSERT INTO t VALUES ('Abc', 1); INSERT INTO u VALUES (1, 'x', 1)",
     "INSERT INTO t VALUES ('def', 2); INSERT INTO u VALUES (2, 'y  ', 2)",
     "UPDATE t SET v = 3 WHERE k = 'ABC'; UPDATE u SET v = 3 WHERE code = 'x '",
     "SELECT (SELECT group_concat(k || v) FROM (SELECT * FROM t ORDER BY k)),"
     " (SELECT group_concat(code || v) FROM (SELECT * FROM u ORDER BY code))",
     "Abc3,def2|x3,y  2"},
    {"indexes on expressions, and partial ones",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, mail TEXT, gone INT DEFAULT 0);"
     "CREATE UNIQUE INDEX i ON t(lower(mail)) WHERE gone = 0; CREATE INDEX j ON t(length(mail), "
     "id)",
     "INSERT INTO t(mail, gone) VALUES ('A@x', 0), ('A@x', 1)",
     "INSERT INTO t(mail) VALUES ('b@x')", "UPDATE t SET gone = 1 WHERE mail = 'A@x'",
     "SELECT mail, gone FROM t ORDER BY 1, 2", "A@x|1 A@x|1 b@x|0"},
    {"names that are nearly ours",
     "CREATE TABLE navette_dirty(id INTEGER PRIMARY KEY, v); CREATE TABLE _navettes(id INTEGER "
     "PRIMARY KEY, v)",
     "INSERT INTO navette_dirty VALUES (1, 1); INSERT INTO _navettes VALUES (1, 2)",
     "INSERT INTO navette_dirty VALUES (1, 3)", "UPDATE _navettes SET v = 4",
     "SELECT (SELECT group_concat(v) FROM (SELECT v FROM navette_dirty ORDER BY v)), (SELECT v "
     "FROM _navettes)",
     "1,3|4"},
    {"a CHECK, defaults and a deferred reference to itself",
     "CREATE TABLE t(id INTEGER PRIMARY KEY, n INT NOT NULL DEFAULT 7 CHECK (n > 0),"
     " boss INT REFERENCES t(id) DEFERRABLE INITIALLY DEFERRED, at TEXT DEFAULT CURRENT_DATE)",
     "BEGIN; INSERT INTO t(id, boss, at) VALUES (1, 2, 'x'); INSERT INTO t(id, n, at) VALUES (2, "
     "8, 'y'); COMMIT",
     "INSERT INTO t(id, n, at) VALUES (1, 9, 'z')", "UPDATE t SET boss = NULL WHERE n = 7",
     "SELECT n, boss IS NULL, at FROM t ORDER BY n", "7|1|x 8|1|y 9|1|z"},
};

static void check_kind(const struct kind *k, const char *pragmas)
{
    struct site a, b;

    open_pair_with(&a, &b, pragmas, k->schema, k->schema);
    sql(&a, k->on_a);
    sql(&b, k->on_b);
    exchange(&a, &b);
    sql(&b, k->then_b);
    exchange(&a, &b);
    if (status_of(&a).parked + status_of(&b).parked != 0)
        fail_msg("%s: rows are parked", k->name);
    expect(&a, k->query, k->answer);
    expect(&b, k->query, k->answer);
    close_pair(&a, &b);
}

static void every_kind_of_table_is_the_same_on_both_sides(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        print_message("  %s\n", kinds[i].name);
        check_kind(&kinds[i], NULL);
    }
}

static void so_it_is_in_files_with_a_rollback_journal(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i += 3)
        check_kind(&kinds[i], "PRAGMA journal_mode = DELETE");
}

/* Text that UTF-16 has no room for is another matter: test_project.c. */
static void utf16_files_hold_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(kinds[i].name, "values at the edges") != 0)
            check_kind(&kinds[i], "PRAGMA encoding = 'UTF-16be'; PRAGMA journal_mode = WAL");
}

static void three_hundred_columns_are_none_too_many(void **state)
{
    char schema[8000] = "CREATE TABLE t(id INTEGER PRIMARY KEY", update[200];
    struct site a, b;

    (void)state;
    for (int i = 0; i < 300; i++)
        snprintf(schema + strlen(schema), sizeof schema - strlen(schema), ", c%d INT DEFAULT %d", i,
                 i);
    snprintf(schema + strlen(schema), sizeof schema - strlen(schema), ")");
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO t(id) VALUES (1)");
    exchange(&a, &b);
    snprintf(update, sizeof update, "UPDATE t SET c0 = -1, c150 = -2, c299 = -3");
    sql(&b, update);
    exchange(&a, &b);
    expect(&a, "SELECT c0, c1, c150, c298, c299 FROM t", "-1|1|-2|298|-3");
    expect_same(&a, &b, "SELECT * FROM t");
    close_pair(&a, &b);
}

/* To the application two names are one that are two texts to the fleet. A name gets no mark, so
 * each keeps its own in its file, the other one waits there, and both PCs say so; nothing is lost.
 */
static void names_that_differ_in_case_alone_wait_until_somebody_renames_one(void **state)
{
    static const char schema[] =
        "CREATE TABLE shop(name TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, city);";
    static const char *const ways[] = {
        "UPDATE shop SET name = 'nsam market'", /* they are two */
        "UPDATE shop SET name = 'nsam'",        /* they are one: the same text */
        "DELETE FROM shop WHERE name = 'Nsam'", /* only the other one is meant */
    };
    static const char *const ends[] = {"nsam|of a nsam market|of b", "nsam|of b", "nsam|of a"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        struct site a, b;

        open_pair(&a, &b, schema, schema);
        sql(&a, "INSERT INTO shop VALUES ('nsam', 'of a')");
        work(&a);
        later();
        sql(&b, "INSERT INTO shop VALUES ('NSAM', 'of b')");
        exchange(&a, &b);
        expect(&a, "SELECT name, city FROM shop", "nsam|of a");
        expect(&b, "SELECT name, city FROM shop", "NSAM|of b");
        assert_int_equal(status_of(&a).parked, 1);
        assert_int_equal(status_of(&b).parked, 1);
        later();
        sql(&b, ways[i]);
        exchange(&a, &b);
        expect_both(&a, &b, "SELECT name, city FROM shop ORDER BY name", ends[i]);
        assert_int_equal(status_of(&a).parked, 0);
        assert_int_equal(status_of(&b).parked, 0);
        close_pair(&a, &b);
    }
}

/* SQLite takes 'nsam' for a reference to 'Nsam' where that key ignores case. It names the row, so
 * others show its key; where it was written it stays as it is. */
static void a_reference_in_another_case_names_the_row(void **state)
{
    static const char schema[] =
        "CREATE TABLE shop(name TEXT COLLATE NOCASE PRIMARY KEY NOT NULL, city);"
        "CREATE TABLE sale(id INTEGER PRIMARY KEY, shop TEXT REFERENCES shop(name), total);";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO shop VALUES ('Nsam', 'Yde'); INSERT INTO sale VALUES (1, 'nsam', 5)");
    exchange(&a, &b);
    expect(&b, "SELECT shop, total FROM sale", "Nsam|5");
    assert_int_equal(status_of(&b).parked, 0);
    later();
    sql(&b, "UPDATE sale SET total = 6");
    exchange(&a, &b);
    expect(&a, "SELECT shop, total FROM sale", "nsam|6");
    later();
    sql(&a, "UPDATE sale SET shop = 'NSAM', total = 7");
    exchange(&a, &b);
    expect(&b, "SELECT shop, total FROM sale", "Nsam|7");

    sql(&b, "DELETE FROM sale");
    sql(&b, "DELETE FROM shop");
    sql(&a, "INSERT INTO sale VALUES (2, 'nSAM', 8)");
    exchange(&a, &b);
    exchange(&a, &b);
    expect(&a, "SELECT city, shop.name, sale.shop FROM shop JOIN sale ON shop.name = sale.shop",
           "Yde|Nsam|nSAM");
    expect(&b, "SELECT city, shop.name, sale.shop FROM shop JOIN sale ON shop.name = sale.shop",
           "Yde|Nsam|Nsam");
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_table_is_the_same_on_both_sides),
        cmocka_unit_test(so_it_is_in_files_with_a_rollback_journal),
        cmocka_unit_test(a_reference_in_another_case_names_the_row),
        cmocka_unit_test(utf16_files_hold_the_same),
        cmocka_unit_test(names_that_differ_in_case_alone_wait_until_somebody_renames_one),
        cmocka_unit_test(three_hundred_columns_are_none_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
