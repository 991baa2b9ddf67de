/* Projecting: logical rows into a file that has constraints, rows and habits of its own. Also of
 * batch_fit.c, batch_write.c. */
#include "library.h"
#include "ruled.h"
#include "sites.h"

#include "inside.h"
#include "rules_of.h"

/* Statements that the store runs in the application's file. */
static int count_statement(unsigned kind, void *count, void *statement, void *text)
{
    (void)kind;
    (void)statement;
    (void)text;
    ++*(uint64_t *)count;
    return 0;
}

static void count_statements(struct site *s, uint64_t *count)
{
    *count = 0;
    sqlite3_trace_v2(s->store->app.db, SQLITE_TRACE_STMT, count_statement, count);
}

/* ---- what the file refuses ---- */

static void a_conflict_clause_of_the_application_takes_no_row_away(void **state)
{
    static const char *const clauses[] = {"REPLACE", "ROLLBACK", "IGNORE", "FAIL"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(clauses); i++) {
        struct site a, b;
        char schema[256];

        snprintf(schema, sizeof schema,
                 "CREATE TABLE t(id INTEGER PRIMARY KEY, code INT UNIQUE ON CONFLICT %s, note)",
                 clauses[i]);
        open_pair(&a, &b, schema, schema);
        sql(&a, "INSERT INTO t VALUES (1, 10, 'of a'), (2, 20, 'of a')");
        sql(&b, "INSERT INTO t VALUES (7, 10, 'of b')");
        exchange(&a, &b);
        expect(&a, "SELECT code, note FROM t ORDER BY code", "10|of a 20|of a");
        expect(&b, "SELECT code, note FROM t ORDER BY code", "10|of b 20|of a");
        assert_int_equal(status_of(&a).parked, 1);
        assert_int_equal(status_of(&b).parked, 1);
        sql(&b, "UPDATE t SET code = 30 WHERE code = 10");
        exchange(&a, &b);
        expect_same(&a, &b, "SELECT code, note FROM t ORDER BY code");
        expect(&a, "SELECT code, note FROM t ORDER BY code", "10|of a 20|of a 30|of b");
        assert_int_equal(status_of(&b).parked, 0);
        close_pair(&a, &b);
    }
}

static void a_row_comes_in_as_soon_as_the_application_makes_room_for_it(void **state)
{
    static const char schema[] = "CREATE TABLE t(id INTEGER PRIMARY KEY, code INT UNIQUE, note)";
    struct store_progress p = {0};
    struct err e = {0};
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO t VALUES (1, 10, 'of a')");
    sql(&b, "INSERT INTO t VALUES (7, 10, 'of b')");
    exchange(&a, &b);
    assert_int_equal(status_of(&b).parked, 1);
    sql(&b, "DELETE FROM t WHERE note = 'of b'");
    tick(&b);
    check(store_drain(b.store, b.now_ms, &p, &e), &e);
    assert_true(p.apply);
    apply_all(&b);
    expect(&b, "SELECT code, note FROM t", "10|of a");
    drain_all(&b);
    sql(&b, "UPDATE t SET note = 'seen'");
    p = (struct store_progress){0};
    tick(&b);
    check(store_drain(b.store, b.now_ms, &p, &e), &e);
    assert_false(p.apply); /* nothing waits any more */
    close_pair(&a, &b);
}

static void rows_that_all_move_by_one_place_arrive_in_a_few_passes(void **state)
{
    static const char *const moves[] = {"1", "-1"};
    struct site a, b;
    uint64_t statements;

    (void)state;
    open_pair(&a, &b, "CREATE TABLE t(id INTEGER PRIMARY KEY, place INTEGER UNIQUE, name)",
              "CREATE TABLE t(id INTEGER PRIMARY KEY, place INTEGER UNIQUE, name)");
    sql(&a, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)"
            " INSERT INTO t SELECT i, i, 'n' || i FROM n");
    exchange(&a, &b);
    for (size_t i = 0; i < COUNT_OF(moves); i++) {
        char text[128];

        snprintf(text, sizeof text,
                 "UPDATE t SET place = -place - 5000; UPDATE t SET place = "
                 "-place - 5000 + %s",
                 moves[i]);
        sql(&a, text);
        work(&a);
        carry(&a, &b);
        count_statements(&b, &statements);
        work(&b);
        expect_same(&a, &b, "SELECT id, place, name FROM t ORDER BY id");
        assert_in_range(statements, 600, 10 * 600);
    }
    sql(&a, "UPDATE t SET place = -place; UPDATE t SET place = 601 + place");
    work(&a);
    carry(&a, &b);
    count_statements(&b, &statements);
    work(&b);
    expect_same(&a, &b, "SELECT id, place, name FROM t ORDER BY id");
    assert_in_range(statements, 600, 10 * 600);
    close_pair(&a, &b);
}

static const char coded[] = "CREATE TABLE t(id INTEGER PRIMARY KEY, code INT UNIQUE, note);"
                            "CREATE TABLE other(id INTEGER PRIMARY KEY, v)";

static void many_rows_that_wait_cost_no_more_than_their_number(void **state)
{
    struct site a, b;
    uint64_t statements;

    (void)state;
    open_pair(&a, &b, coded, coded);
    sql(&a, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
            " INSERT INTO t SELECT i, i, 'a' FROM n");
    exchange(&a, &b);
    sql(&a, "UPDATE t SET code = 5000 + id");
    sql(&b, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
            " INSERT INTO t SELECT 1000 + i, 5000 + i, 'b' FROM n");
    work(&a);
    work(&b);
    carry(&a, &b);
    count_statements(&b, &statements);
    work(&b);
    assert_int_equal(status_of(&b).parked, 300);
    assert_in_range(statements, 300, 20 * 300);
    for (int i = 0; i < 3; i++) {
        sql(&b, "INSERT INTO other(v) VALUES (1)");
        work(&b);
    }
    assert_in_range(statements, 300, 60 * 300);
    close_pair(&a, &b);
}

/* A key is given when a row gets in, not when it is tried. */
static void rows_that_wait_use_up_no_keys(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, coded, coded);
    sql(&b, "INSERT INTO t VALUES (1, 10, 'b'), (2, 20, 'b'), (3, 30, 'b')");
    sql(&a, "INSERT INTO t VALUES (1, 10, 'a'), (2, 20, 'a'), (3, 40, 'a')");
    exchange(&a, &b);
    expect(&b, "SELECT id FROM t WHERE code = 40", "6");
    for (int i = 0; i < 5; i++) {
        sql(&b, "INSERT INTO other(v) VALUES (1)");
        sql(&a, "INSERT INTO other(v) VALUES (2)");
        exchange(&a, &b);
    }
    sql(&b, "UPDATE t SET code = 11 WHERE code = 10");
    exchange(&a, &b);
    expect(&b, "SELECT id FROM t WHERE note = 'a' AND code = 10", "7");
    close_pair(&a, &b);
}

/* C cannot stay as it was written, because its parent is refused, nor go back, because D has taken
 * the code it had: the batch is done again without C, and D waits. */
static void a_row_that_can_neither_stay_nor_go_back_holds_up_nobody_else(void **state)
{
    static const char schema[] =
        "CREATE TABLE p(id INTEGER PRIMARY KEY, code INT UNIQUE);"
        "CREATE TABLE c(id INTEGER PRIMARY KEY, code INT UNIQUE, p REFERENCES p(id))";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (1, 10, 1), (2, 30, 1)");
    exchange(&a, &b);
    sql(&b, "INSERT INTO p VALUES (9, 2)");
    sql(&a, "INSERT INTO p VALUES (2, 2); UPDATE c SET code = 20, p = 2 WHERE id = 1;"
            "UPDATE c SET code = 10 WHERE id = 2; INSERT INTO c VALUES (3, 40, 1)");
    exchange(&a, &b);
    expect(&b, "SELECT code FROM c ORDER BY code", "10 30 40");
    sql(&b, "UPDATE p SET code = 3 WHERE id = 9");
    exchange(&a, &b);
    expect(&b, "SELECT c.id, c.code, p.code FROM c JOIN p ON p.id = c.p ORDER BY c.id",
           "1|20|2 2|10|1 3|40|1");
    expect_same(&a, &b, "SELECT c.id, c.code, p.code FROM c JOIN p ON p.id = c.p ORDER BY c.id");
    close_pair(&a, &b);
}

/* A row that waits for a change of its own is in the file all the same: others may refer to it. */
static void a_row_that_waits_may_be_referred_to(void **state)
{
    static const char schema[] =
        "CREATE TABLE p(id INTEGER PRIMARY KEY, code INT UNIQUE);"
        "CREATE TABLE c(id INTEGER PRIMARY KEY, p NOT NULL REFERENCES p(id))";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO p VALUES (1, 1)");
    exchange(&a, &b);
    sql(&b, "INSERT INTO p VALUES (2, 2)");
    sql(&a, "UPDATE p SET code = 2; INSERT INTO c VALUES (1, 1)");
    exchange(&a, &b);
    expect(&b, "SELECT code FROM c JOIN p ON p.id = c.p", "1");
    assert_int_equal(status_of(&b).parked, 1);
    close_pair(&a, &b);
}

/* A row that names a deleted one needs it in the file. What was lacking of that one comes later,
 * and leaves it deleted. */
static void a_deleted_row_that_is_needed_comes_in_once_it_is_whole(void **state)
{
    static const char loose[] =
        "CREATE TABLE p(id INTEGER PRIMARY KEY, code INT);"
        "CREATE TABLE c(id INTEGER PRIMARY KEY, p NOT NULL REFERENCES p(id))";
    static const char strict[] =
        "CREATE TABLE p(id INTEGER PRIMARY KEY, code INT NOT NULL);"
        "CREATE TABLE c(id INTEGER PRIMARY KEY, p NOT NULL REFERENCES p(id))";
    struct site a, b, x = {0}, y = {0};

    (void)state;
    open_pair(&a, &b, loose, strict);
    join_site(&a, &x, "X", loose);
    join_site(&a, &y, "Y", loose);
    share_rules(&a, &b);
    share_rules(&a, &x);
    sql(&a, "INSERT INTO p VALUES (1, NULL)");
    exchange(&a, &x);
    exchange(&a, &y);
    sql(&y, "UPDATE p SET code = 5");
    work(&y);
    later();
    sql(&x, "DELETE FROM p");
    work(&x);
    sql(&a, "INSERT INTO c VALUES (1, 1)");
    exchange(&a, &b);
    exchange(&x, &b);
    expect(&b, "SELECT count(*) FROM c", "0");
    exchange(&y, &b);
    expect(&b, "SELECT code FROM c JOIN p ON p.id = c.p", "5");
    assert_int_equal(status_of(&b).parked, 0);
    close_site(&y);
    close_site(&x);
    close_pair(&a, &b);
}

/* Of two rows that want one code each PC keeps its own, so that the other one's child waits. When
 * it is tried, the row that has its number makes way for it, and has it again afterwards. */
static void a_row_that_makes_way_in_vain_is_no_reason_to_try_again(void **state)
{
    static const char schema[] =
        "CREATE TABLE p(id INTEGER PRIMARY KEY, code INT UNIQUE);"
        "CREATE TABLE c(id INTEGER PRIMARY KEY, p NOT NULL REFERENCES p(id), number TEXT UNIQUE)";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (1, 1, 'T1')");
    work(&a);
    later();
    sql(&b, "INSERT INTO p VALUES (7, 1); INSERT INTO c VALUES (7, 7, 'T1')");
    exchange(&a, &b);
    assert_int_equal(status_of(&b).parked, 2);
    sql(&b, "INSERT INTO p VALUES (8, 8)"); /* they are tried again */
    work(&b);
    assert_int_equal(status_of(&b).parked, 2);
    expect(&b, "SELECT id FROM c", "7");
    close_pair(&a, &b);
}

/* A row goes in with the one that it names, and out again with it, which is refused. What names it
 * by its number showed the new one only meanwhile. */
static void a_number_that_changes_in_vain_is_no_reason_to_try_again(void **state)
{
    static const char schema[] =
        "CREATE TABLE node(id INTEGER PRIMARY KEY, number TEXT UNIQUE, code INT UNIQUE,"
        " parent INTEGER REFERENCES node(id));"
        "CREATE TABLE note(id INTEGER PRIMARY KEY, number TEXT REFERENCES node(number));";
    struct store_progress p = {.more = true};
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO node VALUES (1, 'T1', 1, NULL); INSERT INTO note VALUES (1, 'T1')");
    exchange(&a, &b);
    sql(&b, "INSERT INTO node VALUES (7, 'T7', 5, NULL)");
    work(&b);
    sql(&a, "BEGIN; PRAGMA defer_foreign_keys = ON; INSERT INTO node VALUES (2, 'T2', 5, NULL);"
            "UPDATE node SET number = 'T6', parent = 2 WHERE id = 1;"
            "UPDATE note SET number = 'T6'; COMMIT");
    work(&a);
    carry(&a, &b);
    for (int turns = 0; p.more && turns < 30; turns++)
        check(store_apply(b.store, b.now_ms, &p, &e), &e);
    assert_false(p.more);
    expect(&b, "SELECT number FROM note", "T1");
    close_pair(&a, &b);
}

/* A row waits for the one that it names, which wants its number: neither of them has to be in the
 * file for one of them to yield. */
static void a_number_is_settled_with_a_row_that_waits_for_the_one_it_keeps_out(void **state)
{
    static const char nodes[] = "CREATE TABLE node(id INTEGER PRIMARY KEY, number TEXT UNIQUE,"
                                " parent INTEGER REFERENCES node(id));";
    static const char *const numbers[] = {"1|T2 2|#A-T2", "1|#B-T2 2|T2"};

    (void)state;
    for (int first = 0; first < 2; first++) {
        struct site a, b;

        open_pair(&a, &b, nodes, nodes);
        sql(&a, "INSERT INTO node VALUES (1, 'T1', NULL)");
        exchange(&a, &b);
        for (int turn = 0; turn < 2; turn++) {
            if (turn == first)
                sql(&b, "UPDATE node SET number = 'T2' WHERE id = 1");
            else
                sql(&a, "INSERT INTO node VALUES (2, 'T2', 1);"
                        "UPDATE node SET parent = 2 WHERE id = 1");
            later();
        }
        work(&a);
        work(&b);
        carry(&a, &b);
        work(&b);
        expect(&b, "SELECT id, number FROM node ORDER BY id", numbers[first]);
        exchange(&a, &b);
        expect_both(&a, &b, "SELECT id, number FROM node ORDER BY id", numbers[first]);
        assert_int_equal(status_of(&b).parked, 0);
        close_pair(&a, &b);
    }
}

/* ---- values ---- */

/* A value that nobody can give up keeps it outside; what is in its way waits for a ring. */
static void nobody_yields_in_turns_to_a_row_that_stays_outside(void **state)
{
    static const char t[] = "CREATE TABLE t(id INTEGER PRIMARY KEY, a UNIQUE, n UNIQUE, b UNIQUE)";
    struct site a, b, c = {0};

    (void)state;
    open_pair(&a, &b, t, t);
    join_site(&a, &c, "C", t);
    sql(&a, "INSERT INTO t VALUES (1, 'T2', 3, 'X3')");
    work(&a);
    later();
    sql(&b, "INSERT INTO t VALUES (1, 'T1', 1, 'X1'), (2, 'T0', 2, 'X2')");
    work(&b);
    later();
    sql(&a, "UPDATE t SET b = 'X2'");
    sql(&b, "UPDATE t SET a = 'T2' WHERE n = 2");
    work(&a);
    work(&b);
    later();
    sql(&c, "INSERT INTO t VALUES (1, 'T1', 1, 'X2')");
    carry(&a, &c);
    carry(&b, &c);
    drain_all(&c);
    apply_all(&c); /* before anybody has said who yields */
    expect(&c, "SELECT a, b FROM t ORDER BY n", "T1|#C-X2 #B-T2|X2 T2|#A-X2");
    close_site(&c);
    close_pair(&a, &b);
}

static void a_value_that_the_file_changes_is_no_edit_of_its_application(void **state)
{
    static const char loose[] = "CREATE TABLE t(id INTEGER PRIMARY KEY, v, note)";
    static const char *const strict[] = {
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v REAL, note)",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, note)",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER, note)",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v DECIMAL(9, 2), note)",
    };
    static const char values[] =
        "INSERT INTO t(v, note) VALUES (-0.0, 1), (0.0, 1), (5, 1), ('5', 1), (5.0, 1), ('5.0', 1),"
        " (' 7 ', 1), ('1e3', 1), (9223372036854775807, 1), (9.3e18, 1), (-9.3e18, 1),"
        " ('9223372036854775808', 1), (x'35', 1), (NULL, 1), ('', 1), (1e300, 1), ('0x10', 1),"
        " (9223372036854775808.0, 1), (CAST(x'3500' AS TEXT), 1), ('١', 1)";
    static const char all[] = "SELECT typeof(v), hex(v), quote(v), CASE typeof(v) WHEN 'real' THEN "
                              "atan2(v, -1) END FROM t ORDER BY id";

    (void)state;
    for (size_t i = 0; i < COUNT_OF(strict); i++) {
        struct site a, b;
        char *before;

        open_pair(&a, &b, loose, strict[i]);
        sql(&a, values);
        exchange(&a, &b);
        before = ask_file(a.app, all);
        later(); /* else it looks like what a migration derived from what was there */
        sql(&b, "UPDATE t SET note = 2");
        exchange(&a, &b);
        expect(&a, all, before);
        expect(&a, "SELECT DISTINCT note FROM t", "2");
        free(before);
        close_pair(&a, &b);
    }
}

static void text_that_utf16_cannot_hold_is_no_edit_either(void **state)
{
    struct site a = {0}, b = {.pragmas = "PRAGMA encoding = 'UTF-16le'; PRAGMA journal_mode = WAL"};

    (void)state;
    open_founder(&a, shop);
    join_site(&a, &b, "B", shop);
    sql(&a, "INSERT INTO client VALUES (1, CAST(x'61ff62' AS TEXT)), (2, 'Zoé 𝄞'),"
            " (3, CAST(x'6100c3a9' AS TEXT));"
            "INSERT INTO setting VALUES ('clé', 'été'); INSERT INTO article(ref) VALUES ('Œuf')");
    exchange(&a, &b);
    sql(&b, "UPDATE client SET id = id + 10");
    sql(&b, "UPDATE setting SET value = value || '!'");
    exchange(&a, &b);
    expect(&a, "SELECT hex(name) FROM client ORDER BY id", "61FF62 5A6FC3A920F09D849E 6100C3A9");
    expect(&a, "SELECT name, value FROM setting", "clé|été!");
    expect(&b, "SELECT ref FROM article", "Œuf");
    close_pair(&a, &b);
}

/* What the stack held before must not matter. */
static void soil_the_stack(void)
{
    volatile uint8_t bytes[16384];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = 0x5a;
}

static void apply_once(struct site *s, struct store_progress *p)
{
    struct err e = {0};

    tick(s);
    check(store_apply(s->store, s->now_ms, p, &e), &e);
}

/* B has three change-sets of A's to write, of two rows each, and two of them make a full batch. */
static void open_backlog(struct site *a, struct site *b)
{
    open_pair(a, b, "CREATE TABLE t(id INTEGER PRIMARY KEY)",
              "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    b->store->batch_rows = 3;
    for (int i = 1; i < 6; i += 2) {
        char text[80];

        snprintf(text, sizeof text, "INSERT INTO t VALUES (%d), (%d)", i, i + 1);
        sql(a, text);
        work(a);
    }
    carry(a, b);
}

/* And its commit is synced, and copied from the WAL into the file. */
static void a_full_batch_is_merged_written_and_noted_in_calls_of_their_own(void **state)
{
    static const struct {
        const char *rows;
        int64_t staged;
    } after[] = {{"0", 3}, {"4", 3}, {"4", 3}, {"4", 3}, {"4", 1}, {"6", 0}};
    struct site a, b;

    (void)state;
    open_backlog(&a, &b);
    for (size_t i = 0; i < COUNT_OF(after); i++) {
        struct store_progress p;

        apply_once(&b, &p);
        expect(&b, "SELECT count(*) FROM t", after[i].rows);
        assert_int_equal(status_of(&b).staged, after[i].staged);
        assert_true(p.more || i + 1 == COUNT_OF(after));
    }
    expect_same(&a, &b, "SELECT id FROM t");
    close_pair(&a, &b);
}

/* The application writes, a peer brings more, and the agent is started anew, after each of them. */
static void between_these_calls_anything_may_come(void **state)
{
    (void)state;
    for (int calls = 1; calls < 6; calls++)
        for (int restarts = 0; restarts < 2; restarts++) {
            struct store_progress p;
            struct site a, b;

            open_backlog(&a, &b);
            for (int i = 0; i < calls; i++)
                apply_once(&b, &p);
            sql(&b, "INSERT INTO t VALUES (100)");
            sql(&a, "DELETE FROM t WHERE id = 1");
            work(&a);
            carry(&a, &b);
            if (restarts) {
                close_store(&b);
                open_store(&b);
            }
            exchange(&a, &b);
            expect_both(&a, &b, "SELECT count(*), sum(id) FROM t", "6|120");
            assert_string_equal(status_of(&b).trouble, "");
            close_pair(&a, &b);
        }
}

/* What the application wrote comes first; there may be so much that the loop needs its turn. */
static void a_batch_waits_in_its_turn_for_all_that_was_written_before(void **state)
{
    struct store_progress p;
    struct site a, b;
    char text[256];

    (void)state;
    open_pair(&a, &b, "CREATE TABLE t(id INTEGER PRIMARY KEY, n)",
              "CREATE TABLE t(id INTEGER PRIMARY KEY, n)");
    sql(&a, "INSERT INTO t VALUES (1, 'of a')");
    exchange(&a, &b);
    sql(&a, "UPDATE t SET n = 'of a again'");
    work(&a);
    carry(&a, &b);
    snprintf(text, sizeof text,
             "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
             " INSERT INTO t(id) SELECT i FROM n",
             CUT_ROWS_MAX + 3);
    sql(&b, text);
    do {
        apply_once(&b, &p);
        assert_true(p.more);
    } while (status_of(&b).marks > 2);
    expect(&b, "SELECT n FROM t WHERE id = 1", "of a");
    work(&b);
    expect(&b, "SELECT n FROM t WHERE id = 1", "of a again");
    close_pair(&a, &b);
}

/* What a newcomer was matched with comes into its file in parts: nobody waits for all of it. */
static void what_is_only_due_is_written_so_many_rows_a_call(void **state)
{
    static const char schema[] = "CREATE TABLE t(id INTEGER PRIMARY KEY,"
                                 " up INTEGER REFERENCES t(id))";
    struct site a = {0}, b = {0};
    struct store_progress p = {.more = true};
    int64_t before = 0, now = 0;

    (void)state;
    open_founder(&a, schema);
    sql(&a, "INSERT INTO t(id) VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)");
    sql(&a, "UPDATE t SET up = 11 - id");
    work(&a);
    join_site(&a, &b, "B", schema);
    b.store->batch_rows = 2;
    for (int calls = 0; p.more; calls++, before = now) {
        char *n;

        assert_in_range(calls, 0, 40);
        apply_once(&b, &p);
        n = ask_file(b.app, "SELECT count(*) FROM t");
        now = atoll(n);
        free(n);
        assert_in_range(now - before, 0, 4); /* two, and whom they name */
    }
    expect_same(&a, &b, "SELECT id, up FROM t");
    close_pair(&a, &b);
}

static void after_a_full_batch_the_next_one_is_due_at_once(void **state)
{
    struct store_progress p = {0};
    struct site a, b;
    struct err e = {0};
    char text[256];

    (void)state;
    open_pair(&a, &b, "CREATE TABLE t(id INTEGER PRIMARY KEY)",
              "CREATE TABLE t(id INTEGER PRIMARY KEY)");
    snprintf(text, sizeof text,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= %d)"
             " INSERT INTO t SELECT i FROM n",
             CUT_ROWS_MAX);
    sql(&a, text);
    work(&a);
    carry(&a, &b);
    tick(&b);
    while (status_of(&b).staged > 1) {
        soil_the_stack();
        check(store_apply(b.store, b.now_ms, &p, &e), &e);
        assert_true(p.more);
        assert_int_equal(p.again_ms, 0);
    }
    work(&b);
    expect_same(&a, &b, "SELECT count(*) FROM t");
    close_pair(&a, &b);
}

/* On B a deleted row, which a line there keeps, has yielded its name; a new one has its code. */
static void a_deleted_row_that_another_one_meets_is_known_as_the_file_shows_it(void **state)
{
    static const char things[] =
        "CREATE TABLE thing(id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE,"
        " name TEXT UNIQUE);"
        "CREATE TABLE use(id INTEGER PRIMARY KEY, thing_id INT NOT NULL REFERENCES thing(id))";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, things, things);
    set_rule(&a, (struct wish){.target = "thing.code", .kind = RULE_MERGE});
    share_rosters(&a, &b);
    sql(&a, "INSERT INTO thing VALUES (1, 'c', 'tea')");
    exchange(&a, &b);
    sql(&b, "INSERT INTO use VALUES (1, 1)");
    work(&b);
    sql(&a, "DELETE FROM thing; INSERT INTO thing VALUES (2, 'd', 'tea')");
    work(&a);
    carry(&a, &b);
    work(&b);
    expect(&b, "SELECT code, name FROM thing ORDER BY code", "c|#A-tea d|tea");
    sql(&a, "INSERT INTO thing VALUES (3, 'c', 'rice')");
    work(&a);
    carry(&a, &b);
    apply_all(&b);
    expect_ledger(&b, "SELECT key FROM row WHERE present AND shadow IS NOT NULL", "1");
    close_pair(&a, &b);
}

/* It cannot be brought up to date, for what it refers to does not fit there. So it does not yield,
 * as it could not have its value back, and the living one waits for it. */
static void a_dead_row_that_is_kept_and_cannot_follow_yields_nothing(void **state)
{
    static const char loose[] = "CREATE TABLE person(id INTEGER PRIMARY KEY, code TEXT UNIQUE,"
                                " chief INT REFERENCES person(id))";
    static const char strict[] = "CREATE TABLE person(id INTEGER PRIMARY KEY, code TEXT UNIQUE"
                                 " CHECK(code <> 'bad'), chief INT REFERENCES person(id))";
    static const char codes[] = "SELECT id, code FROM person ORDER BY id";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, strict, loose);
    sql(&a, "INSERT INTO person VALUES (1, 'a', NULL)");
    exchange(&a, &b);
    sql(&a, "INSERT INTO person VALUES (5, 'x', 1)");
    sql(&b, "INSERT INTO person VALUES (2, 'bad', NULL)");
    work(&b);
    sql(&b, "UPDATE person SET chief = 2 WHERE id = 1");
    work(&b);
    sql(&b, "DELETE FROM person; INSERT INTO person VALUES (3, 'a', NULL)");
    exchange(&a, &b);
    expect(&a, codes, "1|a 5|x");
    expect(&b, codes, "1|#A-a 2|bad 3|a 5|x");
    sql(&a, "DELETE FROM person WHERE id = 5");
    exchange(&a, &b);
    exchange(&a, &b);
    expect_both(&a, &b, codes, "3|a");
    close_pair(&a, &b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_conflict_clause_of_the_application_takes_no_row_away),
        cmocka_unit_test(a_row_comes_in_as_soon_as_the_application_makes_room_for_it),
        cmocka_unit_test(rows_that_all_move_by_one_place_arrive_in_a_few_passes),
        cmocka_unit_test(many_rows_that_wait_cost_no_more_than_their_number),
        cmocka_unit_test(rows_that_wait_use_up_no_keys),
        cmocka_unit_test(a_row_that_can_neither_stay_nor_go_back_holds_up_nobody_else),
        cmocka_unit_test(what_is_only_due_is_written_so_many_rows_a_call),
        cmocka_unit_test(after_a_full_batch_the_next_one_is_due_at_once),
        cmocka_unit_test(a_row_that_waits_may_be_referred_to),
        cmocka_unit_test(a_deleted_row_that_is_needed_comes_in_once_it_is_whole),
        cmocka_unit_test(a_row_that_makes_way_in_vain_is_no_reason_to_try_again),
        cmocka_unit_test(a_number_that_changes_in_vain_is_no_reason_to_try_again),
        cmocka_unit_test(a_number_is_settled_with_a_row_that_waits_for_the_one_it_keeps_out),
        cmocka_unit_test(nobody_yields_in_turns_to_a_row_that_stays_outside),
        cmocka_unit_test(a_value_that_the_file_changes_is_no_edit_of_its_application),
        cmocka_unit_test(text_that_utf16_cannot_hold_is_no_edit_either),
        cmocka_unit_test(a_full_batch_is_merged_written_and_noted_in_calls_of_their_own),
        cmocka_unit_test(between_these_calls_anything_may_come),
        cmocka_unit_test(a_batch_waits_in_its_turn_for_all_that_was_written_before),
        cmocka_unit_test(a_deleted_row_that_another_one_meets_is_known_as_the_file_shows_it),
        cmocka_unit_test(a_dead_row_that_is_kept_and_cannot_follow_yields_nothing),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
