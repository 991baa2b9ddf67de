/* Two files that must agree whatever happens between any two steps: crashes, power cuts, copies
 * put back, files of others. Also of follow.c. */
#include "doomed.h"
#include "library.h"

#define STEPS_MAX 400

static const char clients[] = "SELECT name FROM client ORDER BY name";
static const char sales[] =
    "SELECT number, quantity, ref, name FROM line JOIN invoice ON invoice.id = invoice_id"
    " JOIN article ON article.id = article_id LEFT JOIN client ON client.id = client_id"
    " ORDER BY number, ref, quantity";
static const char articles[] = "SELECT ref, price, stock FROM article ORDER BY ref";
static const char settings[] = "SELECT name, value FROM setting ORDER BY name";

static void expect_all_same(struct site *a, struct site *b)
{
    expect_same(a, b, clients);
    expect_same(a, b, articles);
    expect_same(a, b, settings);
    expect_same(a, b, sales);
}

static void sell(struct site *s, uint32_t n)
{
    char text[640];

    snprintf(text, sizeof text,
             "INSERT INTO client(name) VALUES ('%s%u');"
             "INSERT INTO invoice(number, client_id) VALUES ('F%u', last_insert_rowid());"
             "INSERT INTO line(invoice_id, article_id, quantity)"
             " VALUES (last_insert_rowid(), 1, %u);"
             "UPDATE article SET price = price + 1 WHERE id = 1;"
             "INSERT INTO setting VALUES ('last%u', %u); DELETE FROM setting WHERE value < %u",
             s->roster.fleet_name, n, n, n, n, n, n);
    sql(s, text);
}

/* Whatever can be done now is done; errors are for the next attempt. */
static void try_work(struct site *s)
{
    struct store_progress p = {.more = true};
    struct err e = {0};

    tick(s);
    while (p.more && store_drain(s->store, s->now_ms, &p, &e))
        ;
    err_clear(&e);
    p.more = true;
    while (p.more && store_apply(s->store, s->now_ms, &p, &e))
        ;
}

static void open_sellers(struct site *a, struct site *b, struct doomed *d, const char *pragmas)
{
    open_doomed_pair(a, b, d, pragmas, shop);
    sql(a, "INSERT INTO article VALUES (1, 'R1', 1, 1)");
    exchange(a, b);
}

/* Returns whether the agent of `b` died at the step. */
static bool sell_and_die(struct site *a, struct site *b, struct doomed *d, uint32_t at,
                         enum death how)
{
    bool died;

    sell(a, 2 * at);
    sell(b, 2 * at + 1);
    work(a);
    carry(a, b);
    disk_arm(d->disk, PROCESS_AGENT, at, how);
    try_work(b);
    died = disk_dead(d->disk, PROCESS_AGENT);
    return died;
}

static void an_agent_killed_at_any_step_loses_and_doubles_nothing(void **state)
{
    static const char *const modes[] = {"PRAGMA journal_mode = WAL",
                                        "PRAGMA journal_mode = DELETE"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        struct site a, b;
        struct doomed d;
        uint32_t at = 1;
        bool died = true;

        for (open_sellers(&a, &b, &d, modes[i]); died; at++) {
            died = sell_and_die(&a, &b, &d, at, DEATH_KILL);
            restart_agent(&b, &d);
            exchange(&a, &b);
            expect_all_same(&a, &b);
        }
        assert_in_range(at, 10, STEPS_MAX);
        close_doomed_pair(&a, &b, &d);
    }
}

/* A disk that is full, then no longer: the store was never closed. */
static void a_disk_that_refuses_writes_for_a_while_loses_and_doubles_nothing(void **state)
{
    struct site a, b;
    struct doomed d;
    uint32_t at = 1;
    bool died = true;

    (void)state;
    for (open_sellers(&a, &b, &d, NULL); died; at++) {
        died = sell_and_die(&a, &b, &d, at, DEATH_KILL);
        try_work(&b); /* and fails again */
        try_work(&b);
        disk_revive(d.disk, PROCESS_AGENT);
        exchange(&a, &b);
        expect_all_same(&a, &b);
    }
    assert_in_range(at, 10, STEPS_MAX);
    close_doomed_pair(&a, &b, &d);
}

static void power_lost_at_any_step_loses_and_doubles_nothing_that_was_durable(void **state)
{
    (void)state;
    for (int survival = 0; survival < SURVIVES_COUNT; survival++) {
        struct site a, b;
        struct doomed d;
        uint32_t at = 1;
        bool died = true;

        for (open_sellers(&a, &b, &d, NULL); died; at++) {
            died = sell_and_die(&a, &b, &d, at, DEATH_POWER);
            lose_power(&b, &d, (enum survival)survival);
            exchange(&a, &b);
            expect_all_same(&a, &b);
        }
        assert_in_range(at, 10, STEPS_MAX);
        close_doomed_pair(&a, &b, &d);
    }
}

/* Which rows its marks had made nobody could tell any more. */
static void what_was_matched_a_power_cut_does_not_take_back(void **state)
{
    struct site a = {0}, b = {.pragmas = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL"};
    struct doomed d;
    struct err e = {0};

    (void)state;
    doom_site(&b, &d, "b");
    open_founder(&a, shop);
    open_site(&b, shop);
    enrol_site(&a, &b, "B");
    open_store(&b);
    check(store_track(b.store, NULL, 0, &e), &e);
    sql(&b, "INSERT INTO client VALUES (1, 'Ana')");
    match_site(&a, &b, false);
    disk_arm(d.disk, PROCESS_APP, 1, DEATH_POWER); /* it does not close its file in order */
    lose_power(&b, &d, SURVIVES_NOTHING);
    expect(&b, clients, "Ana");
    sql(&b, "INSERT INTO client(name) VALUES ('Bea')");
    exchange(&a, &b);
    expect(&a, clients, "Ana Bea");
    expect(&b, clients, "Ana Bea");
    close_doomed_pair(&a, &b, &d);
}

/* ---- the file goes back ---- */

/* Of what was matched it knows nothing: it is matched anew. */
static void a_copy_from_before_its_rows_were_matched_is_not_taken_for_the_matched_file(void **state)
{
    static const char refs[] = "SELECT ref FROM article ORDER BY ref";
    struct site a = {0}, b = {0};
    struct err e = {0};

    (void)state;
    open_founder(&a, shop);
    open_site(&b, shop);
    enrol_site(&a, &b, "B");
    open_store(&b);
    check(store_track(b.store, NULL, 0, &e), &e);
    keep_database(&b);
    sql(&b, "INSERT INTO article VALUES (1, 'R1', 1, 1)");
    match_site(&a, &b, false);
    exchange(&a, &b);
    put_database_back(&b, &b);
    sql(&b, "INSERT INTO article VALUES (1, 'R2', 2, 2)");
    rematch(&b, &a);
    expect_both(&a, &b, refs, "R1 R2");
    close_pair(&a, &b);
}

/* What is over needs nobody's attention. */
static void a_database_that_went_back_is_told_of_until_it_is_mended(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana')");
    exchange(&a, &b);
    keep_database(&b);
    sql(&a, "INSERT INTO client VALUES (2, 'Bea')");
    exchange(&a, &b);
    put_database_back(&b, &b);
    open_store(&b);
    assert_non_null(strstr(status_of(&b).trouble, "gone back"));
    work(&b);
    assert_string_equal(status_of(&b).trouble, "");
    expect(&b, "SELECT name FROM client WHERE id = 2", "Bea");
    close_pair(&a, &b);
}

static void a_copy_put_back_under_a_running_agent_is_noticed(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana'), (2, 'Bea')");
    exchange(&a, &b);
    keep_database(&b);
    sql(&b, "UPDATE client SET name = 'Anna' WHERE id = 1; INSERT INTO client VALUES (3, 'Cleo')");
    exchange(&a, &b);
    restore_online(&b);
    sql(&b, "UPDATE client SET name = 'Bella' WHERE id = 2; INSERT INTO client VALUES (3, 'Dora')");
    exchange(&a, &b);
    expect(&a, clients, "Anna Bella Cleo Dora");
    expect(&b, clients, "Anna Bella Cleo Dora");
    expect(&b, "SELECT name FROM client WHERE id = 3", "Dora");
    close_pair(&a, &b);
}

/* In between the application had rebuilt a table, and the file counts the repair of its triggers.
 */
static void a_copy_from_before_a_migration_is_no_reason_to_publish_the_past(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana'), (2, 'Bea')");
    exchange(&a, &b);
    keep_database(&a);
    sql(&a, "PRAGMA foreign_keys = OFF; BEGIN;"
            "CREATE TABLE n(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL);"
            "INSERT INTO n SELECT id, name FROM client;"
            "DROP TABLE client; ALTER TABLE n RENAME TO client; COMMIT; PRAGMA foreign_keys = ON");
    exchange(&a, &b);
    sql(&a, "INSERT INTO client VALUES (3, 'Cleo'); UPDATE client SET name = 'Anna' WHERE id = 1");
    exchange(&a, &b);
    put_database_back(&a, &a);
    open_store(&a);
    exchange(&a, &b);
    expect(&a, clients, "Anna Bea Cleo");
    expect(&b, clients, "Anna Bea Cleo");
    close_pair(&a, &b);
}

/* The second time, too, the file does not hold what the fleet did between the copy and the first.
 */
static void the_same_copy_put_back_twice_undoes_nothing(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana'), (2, 'Bea')");
    exchange(&a, &b);
    keep_database(&a);
    sql(&b, "UPDATE client SET name = 'Anna' WHERE id = 1");
    exchange(&a, &b);
    for (int i = 0; i < 2; i++) {
        put_database_back(&a, &a);
        open_store(&a);
        exchange(&a, &b);
        expect(&a, clients, "Anna Bea");
    }
    put_database_back(&a, &a);
    sql(&a, "UPDATE client SET name = name || '!'");
    open_store(&a);
    exchange(&a, &b);
    expect(&a, clients, "Anna Bea!");
    expect(&b, clients, "Anna Bea!");
    close_pair(&a, &b);
}

static void edits_made_in_an_old_file_keep_their_time(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana')");
    exchange(&a, &b);
    keep_database(&a);
    sql(&a, "INSERT INTO client VALUES (2, 'Bea')");
    exchange(&a, &b);
    put_database_back(&a, &a);
    sql(&a, "UPDATE client SET name = 'older' WHERE id = 1");
    usleep(5000);
    sql(&b, "UPDATE client SET name = 'newer' WHERE id = 1");
    work(&b);
    usleep(5000);
    open_store(&a);
    exchange(&a, &b);
    expect(&a, clients, "Bea newer");
    expect(&b, clients, "Bea newer");
    close_pair(&a, &b);
}

/* Deleted and entered again under the same number: another client, also after the file went back.
 */
static void a_row_deleted_and_born_again_in_an_old_file_is_another_row(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana'), (2, 'Bea'); INSERT INTO invoice VALUES (1, 'F', "
            "2)");
    exchange(&a, &b);
    keep_database(&a);
    sql(&a, "INSERT INTO client VALUES (3, 'Cleo')");
    exchange(&a, &b);
    put_database_back(&a, &a);
    sql(&a, "DELETE FROM client WHERE id = 1; INSERT INTO client VALUES (1, 'Zoe');"
            "INSERT INTO client VALUES (3, 'Dora'); DELETE FROM client WHERE id = 3");
    later();
    sql(&b, "UPDATE client SET name = 'Anna' WHERE id = 1"); /* of the deleted one */
    open_store(&a);
    exchange(&a, &b);
    expect_same(&a, &b, clients);
    expect(&a, clients, "Anna Bea Cleo Zoe");
    close_pair(&a, &b);
}

static void natural_rows_born_in_an_old_file_are_those_of_the_fleet(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 1, 1)");
    exchange(&a, &b);
    keep_database(&a);
    sql(&a, "INSERT INTO setting VALUES ('vat', 19); INSERT INTO stock_place VALUES (1, 'x', 3)");
    exchange(&a, &b);
    put_database_back(&a, &a);
    sql(&a, "INSERT INTO setting VALUES ('vat', 20), ('tax', 5);"
            "INSERT INTO stock_place VALUES (1, 'x', 4), (1, 'y', 5)");
    open_store(&a);
    exchange(&a, &b);
    expect_same(&a, &b, settings);
    expect(&b, "SELECT group_concat(name) FROM setting", "tax,vat");
    expect_same(&a, &b, "SELECT place, n FROM stock_place ORDER BY place");
    expect(&b, "SELECT group_concat(place) FROM stock_place", "x,y");
    assert_int_equal(status_of(&a).parked, 0);
    assert_int_equal(status_of(&b).parked, 0);
    close_pair(&a, &b);
}

static void many_edits_in_an_old_file_all_count(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana'); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
            " SELECT i + 1 FROM n WHERE i < 60000) INSERT INTO setting SELECT 'n' || i, i FROM n");
    exchange(&a, &b);
    keep_database(&a);
    sql(&a, "INSERT INTO client VALUES (2, 'Bea')");
    exchange(&a, &b);
    put_database_back(&a, &a);
    sql(&a, "UPDATE setting SET value = -value; UPDATE setting SET value = value - 1; DELETE FROM "
            "setting WHERE value % 2 = 0");
    open_store(&a);
    exchange(&a, &b);
    expect(&a, "SELECT count(*) || '/' || sum(value) FROM setting", "30000/-900060000");
    expect(&b, "SELECT count(*) || '/' || sum(value) FROM setting", "30000/-900060000");
    expect(&a, clients, "Ana Bea");
    close_pair(&a, &b);
}

/* ---- the ledger goes back, or belongs elsewhere ---- */

/* Its copy was made just before the last batch: the file is one batch ahead, but of change-sets
 * that this ledger has never seen. */
static void a_ledger_from_before_the_last_batch_is_matched_anew(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana')");
    exchange(&a, &b);
    keep_ledger(&b);
    sql(&a, "INSERT INTO client VALUES (2, 'Bea')");
    work(&a);
    carry(&a, &b);
    work(&b);
    put_ledger_back(&b);
    open_store(&b);
    match_site(&a, &b, false);
    exchange(&a, &b);
    expect(&a, clients, "Ana Bea");
    expect(&b, clients, "Ana Bea");
    close_pair(&a, &b);
}

/* What the fleet deleted meanwhile this file once had: it is no newcomer's row. What the
 * application went on with is. */
static void rows_deleted_while_a_file_was_not_known_do_not_come_back(void **state)
{
    struct site a, b;

    (void)state;
    open_pair(&a, &b, shop, shop);
    sql(&a, "INSERT INTO article VALUES (1, 'R1', 1, 1);"
            "INSERT INTO client VALUES (1, 'Ana'), (2, 'Bea'), (3, 'Cleo');"
            "INSERT INTO setting VALUES ('vat', 19), ('tax', 1), ('fee', 2);"
            "INSERT INTO stock_place VALUES (1, 'x', 3)");
    exchange(&a, &b);
    close_store(&a);
    sql(&a, "UPDATE _navette_state SET token = randomblob(16);"
            "UPDATE client SET name = 'Bella' WHERE id = 2;"
            "UPDATE setting SET value = 5 WHERE name = 'fee'");
    sql(&b, "DELETE FROM client WHERE id < 3; DELETE FROM setting WHERE name <> 'vat';"
            "DELETE FROM stock_place");
    work(&b);
    open_store(&a);
    match_site(&b, &a, false);
    exchange(&a, &b);
    expect(&a, clients, "Bella Cleo");
    expect(&a, settings, "fee|5 vat|19");
    expect(&a, "SELECT count(*) FROM stock_place", "0");
    expect_all_same(&a, &b);
    close_pair(&a, &b);
}

/* A PC on its own, whose ledger came from a backup: there is nobody to compare with, and what the
 * file says is what is so. */
static void a_ledger_put_back_on_a_lonely_pc_brings_nothing_back_and_doubles_nothing(void **state)
{
    struct site a = {0}, b = {0};

    (void)state;
    open_founder(&a, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana'), (2, 'Bea'), (3, 'Cleo');"
            "INSERT INTO setting VALUES ('vat', 19), ('tax', 1)");
    work(&a);
    keep_ledger(&a);
    sql(&a, "UPDATE client SET name = 'Anna' WHERE id = 1; DELETE FROM client WHERE id = 2;"
            "INSERT INTO client VALUES (4, 'Dora'); UPDATE setting SET value = 20 WHERE name = "
            "'vat'; DELETE FROM setting WHERE name = 'tax'");
    work(&a);
    put_ledger_back(&a);
    sqlite3_exec(a.app, "UPDATE _navette_state SET token = randomblob(16)", NULL, NULL, NULL);
    open_store(&a);
    work(&a);
    expect(&a, clients, "Anna Cleo Dora");
    expect(&a, settings, "vat|20");
    join_site(&a, &b, "B", shop);
    exchange(&a, &b);
    expect(&b, clients, "Anna Cleo Dora");
    expect(&b, settings, "vat|20");
    expect(&a, clients, "Anna Cleo Dora");
    close_pair(&a, &b);
}

/* A PC that worked on its own joins a fleet while its file is one batch ahead of its ledger. */
static void a_file_that_is_ahead_does_not_keep_its_pc_from_joining(void **state)
{
    struct site a = {0}, b = {0};

    (void)state;
    open_founder(&a, shop);
    open_founder(&b, shop);
    sql(&a, "INSERT INTO client VALUES (1, 'Ana')");
    sql(&b, "INSERT INTO client VALUES (1, 'Bea')");
    work(&a);
    work(&b);
    sql(&b, "UPDATE _navette_state SET previous = token, batch = batch + 1, token = randomblob(16),"
            " payload = x'0101010100000000'");
    close_store(&b);
    roster_close(&b.roster);
    enrol_site(&a, &b, "B");
    open_store(&b);
    match_site(&a, &b, false);
    exchange(&a, &b);
    expect(&a, clients, "Ana Bea");
    expect(&b, clients, "Ana Bea");
    close_pair(&a, &b);
}

/* Nobody else has heard of the row, which came and went; what others say under its name is another,
 * and who refers to it says so in words that they know. */
static void a_name_that_a_lost_delete_freed_is_that_of_whoever_says_it(void **state)
{
    static const char codes[] = "CREATE TABLE code(id TEXT PRIMARY KEY, n INT);"
                                "CREATE TABLE use(id INTEGER PRIMARY KEY,"
                                " code TEXT REFERENCES code(id));";

    (void)state;
    for (int merges_first = 0; merges_first < 2; merges_first++) {
        struct site a, b;

        open_pair(&a, &b, codes, codes);
        sql(&a, "INSERT INTO code VALUES ('K', 1)");
        keep_database(&a);
        sql(&a, "DELETE FROM code");
        work(&a);
        put_database_back(&a, &a);
        open_store(&a);
        if (merges_first == 0)
            work(&a);
        sql(&b, "INSERT INTO code VALUES ('K', 2)");
        exchange(&a, &b);
        sql(&a, "INSERT INTO use VALUES (1, 'K')");
        exchange(&a, &b);
        expect_both(&a, &b, "SELECT n, code FROM code, use", "2|K");
        close_pair(&a, &b);
    }
}

/* What stands there when the fleet begins is said before its marks are drained; the power goes,
 * which takes from the file what nobody made durable. */
static void rows_said_before_their_marks_are_in_the_file_after_a_power_cut(void **state)
{
    uint32_t at = 1;
    bool died = true;

    (void)state;
    for (; died; at++) {
        struct site a = {0};
        struct doomed d;
        struct err e = {0};

        doom_site(&a, &d, "a");
        open_site(&a, shop);
        check(roster_create(&a.roster, "shop", "A", &a.keys, &e), &e);
        open_store(&a);
        check(store_track(a.store, NULL, 0, &e), &e);
        sql(&a, "PRAGMA synchronous = NORMAL; INSERT INTO client(name) VALUES ('Ana');"
                "INSERT INTO setting VALUES ('k', 1)");
        disk_arm(d.disk, PROCESS_AGENT, at, DEATH_POWER);
        try_work(&a);
        died = disk_dead(d.disk, PROCESS_AGENT);
        lose_power(&a, &d, SURVIVES_NOTHING);
        work(&a);
        expect(&a, clients, made_by(&a) > 1 ? "Ana" : "(none)");
        expect(&a, settings, made_by(&a) > 0 ? "k|1" : "(none)");
        close_site(&a);
        disk_free(d.disk);
    }
    assert_in_range(at, 10, STEPS_MAX);
}

/* Its clock is slow, and what the edit replaced shows a mark that nobody has said yet. */
static void an_edit_of_a_number_that_an_old_file_shows_with_a_mark_counts(void **state)
{
    struct site a, b;
    struct doomed d;

    (void)state;
    open_doomed_pair(&a, &b, &d, NULL, shop);
    d.ms -= 60000;
    sql(&b, "INSERT INTO article VALUES (1, 'R1', 1, 1)");
    sql(&a, "INSERT INTO article VALUES (2, 'R1', 2, 1)");
    work(&b);
    work(&a);
    carry(&a, &b);
    work(&b);
    expect(&b, "SELECT ref FROM article WHERE price = 2", "#A-R1");
    keep_doomed(&b, &d);
    sql(&a, "UPDATE article SET stock = 5");
    work(&a);
    carry(&a, &b);
    work(&b);
    put_doomed_back(&b, &d);
    tick(&b);
    open_store(&b);
    sql(&b, "UPDATE article SET ref = 'R7' WHERE price = 2");
    exchange(&a, &b);
    expect(&a, "SELECT ref, stock FROM article ORDER BY price", "R1|1 R7|5");
    expect(&b, "SELECT ref, stock FROM article ORDER BY price", "R1|1 R7|5");
    close_doomed_pair(&a, &b, &d);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_database_that_went_back_is_told_of_until_it_is_mended),
        cmocka_unit_test(a_copy_put_back_under_a_running_agent_is_noticed),
        cmocka_unit_test(a_copy_from_before_a_migration_is_no_reason_to_publish_the_past),
        cmocka_unit_test(the_same_copy_put_back_twice_undoes_nothing),
        cmocka_unit_test(edits_made_in_an_old_file_keep_their_time),
        cmocka_unit_test(a_row_deleted_and_born_again_in_an_old_file_is_another_row),
        cmocka_unit_test(natural_rows_born_in_an_old_file_are_those_of_the_fleet),
        cmocka_unit_test(many_edits_in_an_old_file_all_count),
        cmocka_unit_test(a_ledger_from_before_the_last_batch_is_matched_anew),
        cmocka_unit_test(rows_deleted_while_a_file_was_not_known_do_not_come_back),
        cmocka_unit_test(a_ledger_put_back_on_a_lonely_pc_brings_nothing_back_and_doubles_nothing),
        cmocka_unit_test(a_file_that_is_ahead_does_not_keep_its_pc_from_joining),
        cmocka_unit_test(a_name_that_a_lost_delete_freed_is_that_of_whoever_says_it),
        cmocka_unit_test(rows_said_before_their_marks_are_in_the_file_after_a_power_cut),
        cmocka_unit_test(an_edit_of_a_number_that_an_old_file_shows_with_a_mark_counts),
        cmocka_unit_test(an_agent_killed_at_any_step_loses_and_doubles_nothing),
        cmocka_unit_test(a_disk_that_refuses_writes_for_a_while_loses_and_doubles_nothing),
        cmocka_unit_test(power_lost_at_any_step_loses_and_doubles_nothing_that_was_durable),
        cmocka_unit_test(what_was_matched_a_power_cut_does_not_take_back),
        cmocka_unit_test(
            a_copy_from_before_its_rows_were_matched_is_not_taken_for_the_matched_file),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
