/* The store on real files: two and three sites, change-sets carried by hand. Also of
 * batch_keys.c, drain.c, merge.c, publish.c, sweep.c. */
#include "library.h"
#include "sites.h"

#include "capture.h"

static void an_invoice_travels_with_its_references(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a,
        "INSERT INTO client VALUES (7, 'Ana'); INSERT INTO article VALUES (3, 'R3', 12.50, 100);"
        "BEGIN; INSERT INTO invoice VALUES (101, 'F-101', 7); INSERT INTO line VALUES (1, 101, 3, "
        "2); COMMIT");
    exchange(&a, &b);
    expect(&b,
           "SELECT number || name || ref || quantity || typeof(price) FROM line JOIN invoice ON "
           "invoice.id = invoice_id"
           " JOIN client ON client.id = client_id JOIN article ON article.id = article_id",
           "F-101AnaR32real");
    close_pair(&a, &b);
}

static void two_invoices_with_one_number_offline_are_two_invoices(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana'); INSERT INTO article VALUES (1, 'R1', 1, 1), (2, "
            "'R2', 2, 2)");
    exchange(&a, &b);
    sql(&a, "INSERT INTO invoice VALUES (101, 'A', 1); INSERT INTO line VALUES (1, 101, 1, 5)");
    sql(&b, "INSERT INTO invoice VALUES (101, 'B', 1); INSERT INTO line VALUES (1, 101, 2, 6)");
    exchange(&a, &b);
    expect(&a,
           "SELECT group_concat(number || ref || quantity, ' ') FROM (SELECT * FROM line JOIN "
           "invoice ON invoice.id = invoice_id"
           " JOIN article ON article.id = article_id ORDER BY number)",
           "AR15 BR26");
    expect(&b,
           "SELECT group_concat(number || ref || quantity, ' ') FROM (SELECT * FROM line JOIN "
           "invoice ON invoice.id = invoice_id"
           " JOIN article ON article.id = article_id ORDER BY number)",
           "AR15 BR26");
    expect(&a, "SELECT number FROM invoice WHERE id = 101", "A");
    expect(&b, "SELECT number FROM invoice WHERE id = 101", "B");
    close_pair(&a, &b);
}

static void the_later_write_of_a_cell_wins_on_both(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana'); INSERT INTO article VALUES (1, 'R1', 1, 1)");
    exchange(&a, &b);
    sql(&a, "UPDATE article SET price = 2, stock = 9 WHERE id = 1");
    work(&a);
    usleep(5000);
    sql(&b, "UPDATE article SET price = 3 WHERE id = 1");
    exchange(&a, &b);
    expect(&a, "SELECT price || '/' || stock FROM article", "3/9");
    expect(&b, "SELECT price || '/' || stock FROM article", "3/9");
    close_pair(&a, &b);
}

static void deletes_travel_and_there_is_no_echo(void **state)
{
    struct site a, b;
    uint64_t number;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a,
        "INSERT INTO client VALUES (1, 'Ana'), (2, 'Bea'); INSERT INTO setting VALUES ('x', 1)");
    exchange(&a, &b);
    sql(&b, "DELETE FROM client WHERE id = 1; DELETE FROM setting");
    exchange(&a, &b);
    expect(&a, "SELECT group_concat(name) FROM client", "Bea");
    expect(&a, "SELECT count(*) FROM setting", "0");
    number = vector_get(store_have(a.store), store_actor(a.store)) +
             vector_get(store_have(b.store), store_actor(b.store));
    exchange(&a, &b);
    exchange(&a, &b);
    assert_int_equal(number, vector_get(store_have(a.store), store_actor(a.store)) +
                                 vector_get(store_have(b.store), store_actor(b.store)));
    close_pair(&a, &b);
}

static void equal_natural_keys_are_one_row(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 1, 1)");
    exchange(&a, &b);
    sql(&a,
        "INSERT INTO setting VALUES ('vat', 19); INSERT INTO stock_place VALUES (1, 'shelf', 4)");
    work(&a);
    usleep(5000);
    sql(&b,
        "INSERT INTO setting VALUES ('vat', 20); INSERT INTO stock_place VALUES (1, 'shelf', 5)");
    exchange(&a, &b);
    expect(&a, "SELECT group_concat(value) FROM setting", "20");
    expect(&b, "SELECT group_concat(value) FROM setting", "20");
    expect(&a, "SELECT group_concat(n) FROM stock_place", "5");
    sql(&a, "UPDATE setting SET value = 21");
    exchange(&a, &b);
    expect(&b, "SELECT group_concat(value) FROM setting", "21");
    close_pair(&a, &b);
}

static void a_parent_deleted_while_a_child_is_born_stays(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana')");
    exchange(&a, &b);
    sql(&a, "DELETE FROM client");
    sql(&b, "INSERT INTO invoice VALUES (5, 'F5', 1)");
    exchange(&a, &b);
    expect(&a, "SELECT number || name FROM invoice JOIN client ON client.id = client_id", "F5Ana");
    expect(&b, "SELECT number || name FROM invoice JOIN client ON client.id = client_id", "F5Ana");
    sql(&b, "DELETE FROM invoice");
    exchange(&a, &b);
    expect(&a, "SELECT count(*) FROM client", "0");
    expect(&b, "SELECT count(*) FROM client", "0");
    close_pair(&a, &b);
}

static void a_copy_is_recognised_and_an_empty_schema_fills(void **state)
{
    static const char rows[] =
        "INSERT INTO client VALUES (1, 'Ana'), (2, 'Bea'); INSERT INTO article VALUES (4, 'R4', "
        "1.5, 3);"
        "INSERT INTO invoice VALUES (9, 'F9', 2); INSERT INTO line VALUES (1, 9, 4, 1);"
        "INSERT INTO setting VALUES ('a', 'b'); INSERT INTO stock_place VALUES (4, 'x', 1)";
    struct site a, b;
    char schema[4096];

    (void)state;
    snprintf(schema, sizeof schema, "%s%s", shop, rows);
    open_pair(&a, &b, schema, schema);
    expect(&a,
           "SELECT (SELECT count(*) FROM client) || (SELECT count(*) FROM line) || (SELECT "
           "count(*) FROM stock_place)",
           "211");
    expect(&b,
           "SELECT (SELECT count(*) FROM client) || (SELECT count(*) FROM line) || (SELECT "
           "count(*) FROM stock_place)",
           "211");
    close_pair(&a, &b);
    open_pair(&a, &b, schema, shop);
    expect(&b,
           "SELECT number || name || ref FROM line JOIN invoice ON invoice.id = invoice_id"
           " JOIN client ON client.id = client_id JOIN article ON article.id = article_id",
           "F9BeaR4");
    expect(&b, "SELECT id FROM invoice", "9");
    close_pair(&a, &b);
}

static void an_independent_database_is_kept_apart(void **state)
{
    struct site a, b;
    char one[4096], two[4096];

    (void)state;
    snprintf(one, sizeof one,
             "%sINSERT INTO client VALUES (1, 'Ana'); INSERT INTO invoice VALUES (101, 'A', 1)",
             shop);
    snprintf(two, sizeof two,
             "%sINSERT INTO client VALUES (1, 'Zoe'); INSERT INTO invoice VALUES (101, 'A', 1)",
             shop);
    open_pair(&a, &b, one, two);
    expect(&a, "SELECT count(*) || '/' || count(DISTINCT client_id) FROM invoice", "2/2");
    expect(&b, "SELECT count(*) || '/' || count(DISTINCT client_id) FROM invoice", "2/2");
    expect(&b, "SELECT name FROM client WHERE id = 1", "Zoe");
    close_pair(&a, &b);
}

/* A third PC starts with a copy of B's file, in which rows of A's have other keys than at A. */
static void a_copy_of_a_member_with_keys_of_its_own_is_recognised(void **state)
{
    struct site a, b, c = {0};
    struct slice told;
    struct buf keys;
    struct err e = {0};
    bool changed;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana'); INSERT INTO invoice VALUES (1, 'A', 1)");
    sql(&b, "INSERT INTO client VALUES (1, 'Bea'); INSERT INTO invoice VALUES (1, 'B', 1)");
    exchange(&a, &b);
    expect(&b, "SELECT name FROM client WHERE id = 2", "Ana");
    keep_database(&b);
    open_site(&c, "");
    put_database_back(&c, &b);
    enrol_site(&a, &c, "C");
    check(roster_merge(&b.roster, buf_slice(&a.roster.log), &changed, &e), &e);
    open_store(&c);
    carry(&b, &c);
    work(&c);
    buf_open(&keys, KEYS_BYTES_MAX);
    check(store_keys(b.store, &keys, &e), &e);
    told = buf_slice(&keys);
    check(store_match(c.store, false, &told, 1, c.now_ms, &e), &e);
    buf_close(&keys);
    exchange(&b, &c);
    expect(&c, "SELECT group_concat(id || name) FROM (SELECT * FROM client ORDER BY id)",
           "1Bea,2Ana");
    expect(&b, "SELECT count(*) FROM invoice", "2");
    expect(&c,
           "SELECT group_concat(number || name) FROM (SELECT number, name FROM invoice JOIN client"
           " ON client.id = client_id ORDER BY number)",
           "AAna,BBea");
    close_site(&c);
    close_pair(&a, &b);
}

static void tell_keys(struct site *s, struct buf *keys, struct slice *told)
{
    struct err e = {0};

    buf_open(keys, KEYS_BYTES_MAX);
    check(store_keys(s->store, keys, &e), &e);
    *told = buf_slice(keys);
}

/* A and B gave one number to two sales, so each has the other's under another one. Whose copy it is
 * that C's file was replaced with, nobody says: it shows in the rows. Both orders, and the second
 * time C had keys of its own. */
static void a_file_is_taken_for_the_copy_of_that_member_whose_keys_explain_it(void **state)
{
    static const char sales[] = "SELECT group_concat(number || name) FROM (SELECT number, name FROM"
                                " invoice JOIN client ON client.id = client_id ORDER BY number)";
    struct site a, b, c = {0};
    struct slice told[2];
    struct buf keys[2];
    struct err e = {0};
    bool changed;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana'); INSERT INTO invoice VALUES (1, 'A', 1)");
    sql(&b, "INSERT INTO client VALUES (1, 'Bea'); INSERT INTO invoice VALUES (1, 'B', 1)");
    exchange(&a, &b);
    open_site(&c, "");
    keep_database(&b);
    put_database_back(&c, &b);
    enrol_site(&a, &c, "C");
    check(roster_merge(&b.roster, buf_slice(&a.roster.log), &changed, &e), &e);
    for (int i = 0; i < 2; i++) {
        open_store(&c);
        carry(&b, &c);
        work(&c);
        assert_int_equal(store_state(c.store), STORE_MATCHING);
        tell_keys(&a, &keys[0], &told[0]);
        tell_keys(&b, &keys[1], &told[1]);
        check(store_match(c.store, false, told, 2, c.now_ms, &e), &e);
        buf_close(&keys[0]);
        buf_close(&keys[1]);
        work(&c);
        carry(&c, &b);
        carry(&c, &a);
        work(&b);
        work(&a);
        expect(&c, sales, "AAna,BBea");
        expect(&a, sales, "AAna,BBea");
        expect(&c, "SELECT name FROM client WHERE id = 1", i == 0 ? "Bea" : "Ana");
        close_store(&c);
        keep_database(&a);
        put_database_back(&c, &a);
    }
    close_site(&c);
    close_pair(&a, &b);
}

/* Both PCs began with the same file and sold before they met: edited rows are one row, and the
 * invoices that both made under number 101 are two. */
static void copies_that_were_worked_on_keep_every_sale(void **state)
{
    struct site a, b;
    char one[8192], two[8192];
    struct buf rows;

    (void)state;
    buf_open(&rows, 4096);
    for (int i = 1; i <= 40; i++) {
        char row[96];

        snprintf(row, sizeof row, "INSERT INTO article VALUES (%d, 'R%d', 5, 100);", i, i);
        buf_add(&rows, row, strlen(row));
    }
    snprintf(
        one, sizeof one,
        "%s%.*sINSERT INTO client VALUES (1, 'Ana');"
        "UPDATE article SET stock = 98 WHERE id = 7; INSERT INTO invoice VALUES (101, 'T1', 1);"
        "INSERT INTO line VALUES (1, 101, 7, 2);",
        shop, (int)rows.n, (const char *)rows.p);
    snprintf(
        two, sizeof two,
        "%s%.*sINSERT INTO client VALUES (1, 'Ana');"
        "UPDATE article SET stock = 97 WHERE id = 7; INSERT INTO invoice VALUES (101, 'T2', NULL);"
        "INSERT INTO line VALUES (1, 101, 7, 3);",
        shop, (int)rows.n, (const char *)rows.p);
    buf_close(&rows);
    open_pair(&a, &b, one, two);
    expect(&a, "SELECT count(*) FROM article", "40");
    expect(&b, "SELECT count(*) FROM article", "40");
    expect(&a,
           "SELECT group_concat(number || quantity || ref) FROM (SELECT * FROM line JOIN invoice "
           "ON invoice.id = invoice_id"
           " JOIN article ON article.id = article_id ORDER BY number)",
           "T12R7,T23R7");
    expect(&b,
           "SELECT group_concat(number || quantity || ref) FROM (SELECT * FROM line JOIN invoice "
           "ON invoice.id = invoice_id"
           " JOIN article ON article.id = article_id ORDER BY number)",
           "T12R7,T23R7");
    close_pair(&a, &b);
}

static void a_file_that_went_back_gets_its_rows_again(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana')");
    exchange(&a, &b);
    keep_database(&a);
    sql(&a, "INSERT INTO client VALUES (2, 'Bea'); UPDATE client SET name = 'Anna' WHERE id = 1");
    exchange(&a, &b);
    sql(&b, "INSERT INTO client VALUES (3, 'Cleo')");
    exchange(&a, &b);
    put_database_back(&a, &a);
    sql(&a, "INSERT INTO client VALUES (2, 'Dora')"); /* born in the old file */
    open_store(&a);
    exchange(&a, &b);
    expect(&a, "SELECT group_concat(name) FROM (SELECT name FROM client ORDER BY name)",
           "Anna,Bea,Cleo,Dora");
    expect(&b, "SELECT group_concat(name) FROM (SELECT name FROM client ORDER BY name)",
           "Anna,Bea,Cleo,Dora");
    expect(&a, "SELECT name FROM client WHERE id = 2", "Dora");
    close_pair(&a, &b);
}

static void a_bulk_of_rows_arrives(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
            " INSERT INTO article SELECT i, 'R' || i, i * 1.5, i FROM n");
    exchange(&a, &b);
    expect(&b, "SELECT count(*) || '/' || sum(stock) FROM article", "20000/200010000");
    close_pair(&a, &b);
}

static void values_that_swap_and_keys_that_move_arrive(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 1, 1), (2, 'R2', 2, 2); INSERT INTO setting "
            "VALUES ('k', 1);"
            "INSERT INTO client VALUES (1, 'Ana'); INSERT INTO invoice VALUES (1, 'F', 1)");
    exchange(&a, &b);
    sql(&a, "BEGIN; UPDATE article SET ref = 'tmp' WHERE id = 1; UPDATE article SET ref = 'R1' "
            "WHERE id = 2;"
            "UPDATE article SET ref = 'R2' WHERE id = 1; COMMIT; UPDATE setting SET name = 'k2';"
            "BEGIN; UPDATE client SET id = 50; UPDATE invoice SET client_id = 50; COMMIT");
    exchange(&a, &b);
    expect(&b, "SELECT group_concat(id || ref) FROM (SELECT * FROM article ORDER BY id)",
           "1R2,2R1");
    expect(&b, "SELECT group_concat(name) FROM setting", "k2");
    expect(&b, "SELECT id || name FROM client", "1Ana");
    expect(&a, "SELECT id || name FROM client", "50Ana");
    close_pair(&a, &b);
}

/* The triggers went with the old table; the agent put them back and died before it could compare.
 */
static void what_a_migration_changed_unseen_is_found_also_after_a_crash(void **state)
{
    struct appdb file;
    struct site a, b;
    struct err e = {0};

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana'), (2, 'Bea'), (3, 'Cleo')");
    exchange(&a, &b);
    store_close(a.store);
    sql(&a, "PRAGMA foreign_keys = OFF; BEGIN;"
            "CREATE TABLE n(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL);"
            "INSERT INTO n SELECT id, upper(name) FROM client WHERE id > 1;"
            "INSERT INTO n VALUES (9, 'Dora');"
            "DROP TABLE client; ALTER TABLE n RENAME TO client; COMMIT; PRAGMA foreign_keys = ON");
    check(appdb_open(&file, a.database, NULL, &e), &e);
    check(capture_verify(&file, NULL, NULL, &e), &e);
    appdb_close(&file);
    open_store(&a);
    exchange(&a, &b);
    expect(&b, "SELECT group_concat(name) FROM (SELECT name FROM client ORDER BY name)",
           "BEA,CLEO,Dora");
    close_pair(&a, &b);
}

/* Another connection is about to write: whoever wanted the lock would fail now. */
static void a_drain_only_reads(void **state)
{
    static const char *const modes[] = {"PRAGMA journal_mode = wal",
                                        "PRAGMA journal_mode = delete"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        struct site a, b;
        struct store_progress p;
        struct err e = {0};

        open_pair_with(&a, &b, modes[i], shop, shop);
        sql(&a, "INSERT INTO client VALUES (1, 'Ada')");
        sql(&a, "BEGIN IMMEDIATE");
        sql(&a, "UPDATE client SET name = 'not yet'");
        tick(&a);
        check(store_drain(a.store, a.now_ms, &p, &e), &e);
        assert_int_equal(p.changesets, 1);
        sql(&a, "ROLLBACK");
        exchange(&a, &b);
        expect(&b, "SELECT name FROM client", "Ada");
        close_pair(&a, &b);
    }
}

static void drained_marks_do_not_pile_up_where_nothing_is_applied(void **state)
{
    struct site a, b;
    struct err e = {0};
    bool more = true;
    uint32_t turns = 0;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 35000)"
            " INSERT INTO client SELECT i, i FROM n");
    check(store_tidy(a.store, &more, &e), &e); /* none is drained yet */
    expect(&a, "SELECT count(*) >= 35000 FROM _navette_dirty", "1");
    work(&a);
    for (more = true; more; turns++)
        check(store_tidy(a.store, &more, &e), &e);
    assert_int_equal(turns, 3);
    expect(&a, "SELECT count(*) BETWEEN 1 AND 10000 FROM _navette_dirty", "1");
    store_close(a.store);
    open_store(&a);
    exchange(&a, &b);
    expect(&b, "SELECT count(*) FROM client", "35000");
    close_pair(&a, &b);
}

/* The triggers cannot be put back while somebody writes: what was bound to the old schema must not
 * be used meanwhile. */
static void a_migration_seen_while_somebody_writes_is_taken_up_when_he_is_done(void **state)
{
    struct site a, b;
    struct store_progress p;
    sqlite3 *writer;
    struct err e = {0};

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "ALTER TABLE client ADD COLUMN mail TEXT; DROP TRIGGER _navette_1_insert");
    assert_int_equal(sqlite3_open(a.database, &writer), SQLITE_OK);
    assert_int_equal(sqlite3_exec(writer, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 3; i++) {
        err_clear(&e);
        assert_false(store_drain(a.store, wall_ms(), &p, &e));
        assert_int_equal(e.code, ERR_BUSY);
    }
    assert_int_equal(sqlite3_close(writer), SQLITE_OK);
    sql(&a, "INSERT INTO client(id, name) VALUES (77, 'after the migration')");
    exchange(&a, &b);
    expect(&b, "SELECT name FROM client WHERE id = 77", "after the migration");
    close_pair(&a, &b);
}

static void tables_that_came_since_are_tracked_with_all_others(void **state)
{
    struct site a = {0};
    struct err e = {0};
    char text[96];

    (void)state;
    open_founder(&a, shop);
    for (int i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "CREATE TABLE more%d(id INTEGER PRIMARY KEY)", i);
        sql(&a, text);
    }
    check(store_track(a.store, NULL, 0, &e), &e);
    assert_int_equal(status_of(&a).tracked_tables, 46);
    close_site(&a);
}

static void a_new_table_is_tracked_when_the_application_lets_us(void **state)
{
    struct site a = {0};
    struct err e = {0};
    sqlite3 *till;
    bool more;

    (void)state;
    open_founder(&a, shop);
    check(store_track(a.store, NULL, 0, &e), &e);
    sql(&a, "CREATE TABLE note(id INTEGER PRIMARY KEY, text); INSERT INTO note VALUES (1, 'old')");
    work(&a); /* which sees the table before the file is held */
    assert_int_equal(sqlite3_open(a.database, &till), SQLITE_OK);
    assert_int_equal(sqlite3_exec(till, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_false(store_tidy(a.store, &more, &e));
    assert_int_equal(e.code, ERR_BUSY);
    err_clear(&e);
    assert_int_equal(status_of(&a).tracked_tables, 6); /* the others are as they were */
    assert_int_equal(sqlite3_close(till), SQLITE_OK);
    check(store_tidy(a.store, &more, &e), &e);
    assert_int_equal(status_of(&a).tracked_tables, 7);
    close_site(&a);
}

/* REPLACE takes away the row that has the UNIQUE value, and no trigger tells. */
static void a_row_that_replace_took_away_is_deleted_everywhere(void **state)
{
    struct site a, b;
    struct err e = {0};
    uint64_t made;
    bool more;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO article VALUES (1, 'tea', 1, 1), (2, 'rice', 2, 2), (3, 'oil', 3, 3)");
    exchange(&a, &b);
    check(store_tidy(a.store, &more, &e), &e);
    made = made_by(&a);
    work(&a);
    assert_int_equal(made_by(&a), made); /* nothing had gone */
    sql(&a, "REPLACE INTO article VALUES (9, 'tea', 9, 9)");
    exchange(&a, &b);
    check(store_tidy(a.store, &more, &e), &e);
    assert_true(store_owes(a.store));
    exchange(&a, &b);
    assert_false(store_owes(a.store));
    expect(&a, "SELECT ref, price FROM article ORDER BY ref", "oil|3 rice|2 tea|9");
    expect_same(&a, &b, "SELECT ref, price FROM article ORDER BY ref");
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

/* Nobody can tell when that was, so an edit made elsewhere meanwhile brings the row back. */
static void an_edit_of_a_row_that_replace_took_away_is_kept(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO article VALUES (1, 'tea', 1, 1), (2, 'rice', 2, 2)");
    exchange(&a, &b);
    sql(&a, "REPLACE INTO article VALUES (9, 'tea', 9, 9)");
    work(&a);
    later();
    sql(&b, "UPDATE article SET price = 7 WHERE ref = 'tea'");
    exchange(&a, &b);
    assert_false(store_owes(a.store));
    expect(&a, "SELECT ref, price FROM article ORDER BY price", "rice|2 tea|7 #A-tea|9");
    expect_same(&a, &b, "SELECT ref, price FROM article ORDER BY ref");
    assert_int_equal(status_of(&a).parked + status_of(&b).parked, 0);
    close_pair(&a, &b);
}

/* An application may number from 0, or downwards. */
static void a_row_under_zero_or_less_has_its_key_everywhere(void **state)
{
    static const char sales[] = "SELECT id, n FROM sale ORDER BY id";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, "CREATE TABLE sale(id INTEGER PRIMARY KEY, n INTEGER)",
              "CREATE TABLE sale(id INTEGER PRIMARY KEY, n INTEGER)");
    sql(&a, "INSERT INTO sale VALUES (-2, 1), (0, 2), (1, 3)");
    exchange(&a, &b);
    expect_both(&a, &b, sales, "-2|1 0|2 1|3");
    sql(&b, "BEGIN; INSERT INTO sale VALUES (-1, 4); DELETE FROM sale WHERE id = -1; COMMIT");
    work(&b);
    sql(&a, "INSERT INTO sale VALUES (-1, 5)");
    exchange(&a, &b);
    expect(&b, "SELECT id FROM sale WHERE n = 5", "2"); /* B has used it */
    close_pair(&a, &b);
}

/* A key that is absurdly far off would leave none for the rows after it. */
static void the_last_key_of_all_is_taken_over_by_nobody(void **state)
{
    static const char schema[] = "CREATE TABLE sale(id INTEGER PRIMARY KEY AUTOINCREMENT, n INT)";
    struct site a, b;

    (void)state;
    open_pair(&a, &b, schema, schema);
    sql(&a, "INSERT INTO sale(n) VALUES (1); INSERT INTO sale VALUES (9223372036854775807, 2)");
    exchange(&a, &b);
    expect(&b, "SELECT id, n FROM sale ORDER BY n", "1|1 2|2");
    sql(&b, "INSERT INTO sale(n) VALUES (3)");
    exchange(&a, &b);
    expect(&b, "SELECT id, n FROM sale ORDER BY n", "1|1 2|2 3|3");
    expect(&a, "SELECT id, n FROM sale ORDER BY n", "1|1 9223372036854775807|2 3|3");
    assert_int_equal(status_of(&a).parked + status_of(&b).parked, 0);
    close_pair(&a, &b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_that_came_since_are_tracked_with_all_others),
        cmocka_unit_test(a_new_table_is_tracked_when_the_application_lets_us),
        cmocka_unit_test(an_invoice_travels_with_its_references),
        cmocka_unit_test(two_invoices_with_one_number_offline_are_two_invoices),
        cmocka_unit_test(the_later_write_of_a_cell_wins_on_both),
        cmocka_unit_test(deletes_travel_and_there_is_no_echo),
        cmocka_unit_test(equal_natural_keys_are_one_row),
        cmocka_unit_test(a_parent_deleted_while_a_child_is_born_stays),
        cmocka_unit_test(a_copy_is_recognised_and_an_empty_schema_fills),
        cmocka_unit_test(an_independent_database_is_kept_apart),
        cmocka_unit_test(a_copy_of_a_member_with_keys_of_its_own_is_recognised),
        cmocka_unit_test(a_file_is_taken_for_the_copy_of_that_member_whose_keys_explain_it),
        cmocka_unit_test(copies_that_were_worked_on_keep_every_sale),
        cmocka_unit_test(a_file_that_went_back_gets_its_rows_again),
        cmocka_unit_test(a_bulk_of_rows_arrives),
        cmocka_unit_test(values_that_swap_and_keys_that_move_arrive),
        cmocka_unit_test(what_a_migration_changed_unseen_is_found_also_after_a_crash),
        cmocka_unit_test(a_migration_seen_while_somebody_writes_is_taken_up_when_he_is_done),
        cmocka_unit_test(a_drain_only_reads),
        cmocka_unit_test(drained_marks_do_not_pile_up_where_nothing_is_applied),
        cmocka_unit_test(a_row_that_replace_took_away_is_deleted_everywhere),
        cmocka_unit_test(an_edit_of_a_row_that_replace_took_away_is_kept),
        cmocka_unit_test(a_row_under_zero_or_less_has_its_key_everywhere),
        cmocka_unit_test(the_last_key_of_all_is_taken_over_by_nobody),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
