/* What the application wrote in one go comes into the ledger in slices, and all of it counts at
 * once, or none. Also of settings.c. */
#include "doomed.h"
#include "library.h"

#include <navette/ahead.h>

#include "drain.h"

#define ROWS       200
#define SLICE_ROWS 20
#define SLICES     (ROWS / SLICE_ROWS)
#define DAY_MS     (UINT64_C(24) * 3600 * 1000)

static const char goods[] = "CREATE TABLE article(id INTEGER PRIMARY KEY, price TEXT);"
                            "CREATE TABLE code(name TEXT PRIMARY KEY, article INTEGER"
                            " REFERENCES article(id));";
static const char many[] =
    "BEGIN;"
    "INSERT INTO article(price) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
    " WHERE i < 150) SELECT 'of one go ' || hex(randomblob(500)) FROM n;"
    "INSERT INTO code SELECT 'c' || id, id FROM article LIMIT 50;"
    "COMMIT";
static const char all[] = "SELECT 'a', id, price FROM article UNION ALL SELECT 'c', name, article"
                          " FROM code ORDER BY 1, 2";
static const char rows_known[] = "SELECT count(*) FROM row WHERE present = 1";

/* B, which is doomed, has written 200 rows in one transaction. */
struct scene {
    struct site a, b;
    struct doomed db;
};

static void open_scene(struct scene *s)
{
    *s = (struct scene){0};
    open_doomed_pair(&s->a, &s->b, &s->db, NULL, goods);
    s->b.store->drain_slice = SLICE_ROWS * DRAIN_ROW_BYTES;
    /* As a large transaction it writes to the disk before it is committed. */
    sqlite3_exec(s->b.store->ledger.db, "PRAGMA cache_size = 10", NULL, NULL, NULL);
    sql(&s->b, "INSERT INTO code VALUES ('before', NULL)");
    work(&s->b);
    sql(&s->b, "DELETE FROM code");
    work(&s->b);
    sql(&s->b, many);
}

static void close_scene(struct scene *s)
{
    close_doomed_pair(&s->a, &s->b, &s->db);
}

static int64_t rows_in_ledger(struct site *s)
{
    struct err e = {0};
    int64_t n;

    check(ledger_number(&s->store->ledger, rows_known, &n, &e), &e);
    return n;
}

/* Its last change-set, also one that is not said yet. */
static uint64_t numbered(const struct site *s)
{
    return s->store->ledger.actors[s->store->ledger.self - 1].staged;
}

static void drain_once(struct site *s, struct store_progress *p)
{
    struct err e = {0};

    tick(s);
    check(store_drain(s->store, s->now_ms, p, &e), &e);
}

static void go_halfway(struct scene *s)
{
    struct store_progress p;

    while (rows_in_ledger(&s->b) < ROWS / 2) {
        drain_once(&s->b, &p);
        assert_true(p.more && drain_is_under_way(s->b.store));
        assert_int_equal(p.changesets, 0);
    }
}

static void expect_all_of_it_once(struct scene *s)
{
    work(&s->b);
    exchange(&s->a, &s->b);
    expect_both(&s->a, &s->b, "SELECT count(*) FROM article", "150");
    expect_both(&s->a, &s->b, "SELECT count(*) FROM code", "50");
    expect_same(&s->a, &s->b, all);
}

static void a_turn_takes_so_many_rows_and_all_are_said_together(void **state)
{
    struct store_progress p = {0};
    struct scene s;
    int n = 0;

    (void)state;
    open_scene(&s);
    for (int64_t before = 0, now; p.changesets == 0; before = now, n++) {
        drain_once(&s.b, &p);
        now = rows_in_ledger(&s.b);
        assert_in_range(now - before, 0, SLICE_ROWS);
    }
    assert_true(n > SLICES);
    assert_int_equal(p.changesets, 1);
    assert_int_equal(p.rows, ROWS);
    expect_all_of_it_once(&s);
    close_scene(&s);
}

/* More than a change-set takes: of the first ones, too, a crash may leave nothing. */
static void nobody_hears_of_it_before_the_last_turn(void **state)
{
    struct store_progress p = {0};
    struct store_status status;
    struct err e = {0};
    struct scene s;
    uint64_t had;
    struct buf bytes;

    (void)state;
    open_scene(&s);
    s.b.store->body_soft = 16384;
    had = made_by(&s.b);
    buf_open(&bytes, 1u << 20);
    for (drain_once(&s.b, &p); p.changesets == 0; drain_once(&s.b, &p)) {
        struct vector logged = {0};

        store_roster_changed(s.b.store);
        store_logged(s.b.store, &logged);
        check(store_status(s.b.store, &status, &e), &e);
        assert_int_equal(vector_get(&logged, store_actor(s.b.store)), had);
        assert_int_equal(vector_get(store_have(s.b.store), store_actor(s.b.store)), had);
        assert_int_equal(vector_get(store_applied(s.b.store), store_actor(s.b.store)), had);
        check(store_fetch(s.b.store, store_actor(s.b.store), had, 1u << 20, &bytes, &e), &e);
        assert_int_equal(bytes.n, 0);
        vector_close(&logged);
    }
    assert_in_range(p.changesets, 5, 20);
    assert_int_equal(vector_get(store_have(s.b.store), store_actor(s.b.store)), had + p.changesets);
    assert_int_equal(vector_get(store_applied(s.b.store), store_actor(s.b.store)),
                     had + p.changesets);
    buf_close(&bytes);
    expect_all_of_it_once(&s);
    close_scene(&s);
}

static void a_crash_in_the_middle_begins_it_again(void **state)
{
    struct scene s;

    (void)state;
    for (int power = 0; power < 2; power++) {
        open_scene(&s);
        go_halfway(&s);
        if (power)
            lose_power(&s.b, &s.db, SURVIVES_ANY);
        else
            restart_agent(&s.b, &s.db);
        assert_int_equal(rows_in_ledger(&s.b), 0);
        expect_all_of_it_once(&s);
        close_scene(&s);
    }
}

/* At whatever step of the disk. */
static void whenever_the_agent_dies_all_of_it_is_said_once(void **state)
{
    bool died = true;
    uint32_t at;

    (void)state;
    for (at = 1; died; at += 1 + at / 8) {
        struct store_progress p = {.more = true};
        struct err e = {0};
        struct scene s;

        open_scene(&s);
        disk_arm(s.db.disk, PROCESS_AGENT, at, DEATH_KILL);
        tick(&s.b);
        while (p.more && store_drain(s.b.store, s.b.now_ms, &p, &e))
            continue;
        died = disk_dead(s.db.disk, PROCESS_AGENT);
        restart_agent(&s.b, &s.db);
        expect_all_of_it_once(&s);
        close_scene(&s);
    }
    assert_true(at > 60); /* most of them before the commit */
}

static void meanwhile_nothing_is_staged_and_what_others_said_comes_in_afterwards(void **state)
{
    struct store_progress p;
    enum stage_result result;
    struct slice left, one;
    struct err e = {0};
    struct scene s;
    struct buf bytes;
    uint64_t have;

    (void)state;
    open_scene(&s);
    sql(&s.a, "INSERT INTO article(id, price) VALUES (1000, 'of another')");
    work(&s.a);
    go_halfway(&s);
    have = vector_get(store_have(s.b.store), store_actor(s.a.store));
    buf_open(&bytes, 1u << 20);
    check(store_fetch(s.a.store, store_actor(s.a.store), have, 1u << 20, &bytes, &e), &e);
    left = buf_slice(&bytes);
    assert_true(store_fetch_next(&left, &one, &e));
    assert_false(store_stage(s.b.store, one, &result, &e));
    assert_int_equal(e.code, ERR_BUSY);
    err_clear(&e);
    check(store_apply(s.b.store, s.b.now_ms, &p, &e), &e);
    assert_true(p.more && drain_is_under_way(s.b.store));
    drain_all(&s.b);
    check(store_stage(s.b.store, one, &result, &e), &e);
    assert_int_equal(result, STAGE_NEW);
    buf_close(&bytes);
    work(&s.b);
    exchange(&s.a, &s.b);
    expect_both(&s.a, &s.b, "SELECT count(*) FROM article", "151");
    expect_same(&s.a, &s.b, all);
    close_scene(&s);
}

static void what_is_drained_before_an_apply_is_counted(void **state)
{
    struct store_progress p = {0};
    struct err e = {0};
    struct scene s;

    (void)state;
    open_scene(&s);
    go_halfway(&s);
    while (drain_is_under_way(s.b.store))
        check(store_apply(s.b.store, s.b.now_ms, &p, &e), &e);
    assert_int_equal(p.drained, 1);
    assert_int_equal(p.drained_rows, ROWS);
    expect_all_of_it_once(&s);
    close_scene(&s);
}

/* Whoever drains need not hear of it once more. */
static void what_is_written_meanwhile_is_said_next(void **state)
{
    struct store_progress p = {.more = true};
    struct scene s;

    (void)state;
    open_scene(&s);
    go_halfway(&s);
    sql(&s.b, "UPDATE article SET price = 'meanwhile' WHERE id IN (1, 150);"
              "DELETE FROM code WHERE article = 7; INSERT INTO code VALUES ('new', 7)");
    while (p.more)
        drain_once(&s.b, &p);
    drain_once(&s.b, &p);
    assert_int_equal(p.changesets, 0);
    exchange(&s.a, &s.b);
    expect_both(&s.a, &s.b, "SELECT count(*) FROM article WHERE price = 'meanwhile'", "2");
    expect_both(&s.a, &s.b, "SELECT group_concat(name) FROM code WHERE article = 7", "new");
    expect_same(&s.a, &s.b, all);
    close_scene(&s);
}

/* A migration comes in between: what was read may have other columns by now. */
static void a_schema_that_moves_meanwhile_begins_it_again(void **state)
{
    struct scene s;

    (void)state;
    open_scene(&s);
    go_halfway(&s);
    sql(&s.b, "ALTER TABLE article ADD COLUMN colour TEXT DEFAULT 'red'");
    work(&s.b);
    exchange(&s.a, &s.b);
    expect_all_of_it_once(&s);
    close_scene(&s);
}

/* What does not wait, takes its place; so often that it is never done nobody can do that. */
static void another_transaction_takes_its_place_until_it_is_done_in_one_go(void **state)
{
    struct store_progress p;
    struct err e = {0};
    struct scene s;

    (void)state;
    open_scene(&s);
    for (int i = 0; i < DRAIN_INTERRUPTIONS; i++) {
        go_halfway(&s);
        check(ledger_begin(&s.b.store->ledger, false, &e), &e);
        check(ledger_commit(&s.b.store->ledger, &e), &e);
        assert_false(drain_is_under_way(s.b.store));
        assert_int_equal(rows_in_ledger(&s.b), 0);
    }
    drain_once(&s.b, &p);
    assert_false(drain_is_under_way(s.b.store));
    assert_int_equal(rows_in_ledger(&s.b), ROWS);
    expect_all_of_it_once(&s);
    close_scene(&s);
}

static void expect_note(struct site *s, const char *name, const char *value)
{
    struct err e = {0};
    struct buf out;

    buf_open(&out, 100);
    check(store_meta_get(s->store, name, &out, &e), &e);
    buf_add_byte(&out, 0);
    assert_string_equal((const char *)out.p, value);
    buf_close(&out);
}

/* What the agent notes of members that come and go waits for it, and is there afterwards. */
static void what_is_noted_meanwhile_does_not_take_its_place(void **state)
{
    struct store_progress p = {.more = true};
    struct err e = {0};
    struct scene s;

    (void)state;
    open_scene(&s);
    go_halfway(&s);
    for (int i = 0; i < 2 * DRAIN_INTERRUPTIONS; i++) {
        check(store_meta_set(s.b.store, "seen", slice_text(i % 2 == 0 ? "away" : "here"), &e), &e);
        check(store_meta_set(s.b.store, "told", slice_text("once"), &e), &e);
        expect_note(&s.b, "seen", i % 2 == 0 ? "away" : "here");
    }
    assert_true(drain_is_under_way(s.b.store));
    while (p.more)
        drain_once(&s.b, &p);
    restart_agent(&s.b, &s.db);
    expect_note(&s.b, "seen", "here");
    expect_note(&s.b, "told", "once");
    go_halfway(&s);
    check(store_meta_set(s.b.store, "told", slice_text("twice"), &e), &e);
    check(ledger_begin(&s.b.store->ledger, false, &e), &e);
    check(ledger_commit(&s.b.store->ledger, &e), &e);
    drain_once(&s.b, &p);
    restart_agent(&s.b, &s.db);
    expect_note(&s.b, "told", "twice");
    go_halfway(&s);
    check(store_meta_set(s.b.store, "seen", slice_text("stopped"), &e), &e);
    close_store(&s.b);
    open_store(&s.b);
    expect_note(&s.b, "seen", "stopped");
    close_scene(&s);
}

/* Very much does not wait in memory, and nothing is lost of it. */
static void too_much_that_is_noted_meanwhile_does_not_wait(void **state)
{
    static uint8_t much[SETTINGS_BYTES_MAX / 4];
    struct err e = {0};
    struct scene s;
    char name[16];

    (void)state;
    memset(much, 'x', sizeof much);
    open_scene(&s);
    go_halfway(&s);
    for (int i = 0; drain_is_under_way(s.b.store); i++) {
        assert_in_range(i, 0, 4);
        snprintf(name, sizeof name, "seen.%d", i);
        check(store_meta_set(s.b.store, name, SLICE(much), &e), &e);
    }
    assert_int_equal(s.b.store->settings.n, 0);
    expect_all_of_it_once(&s);
    close_scene(&s);
}

/* What it had numbered by then is not said yet, and is numbered anew behind the correction. */
static void a_clock_that_is_put_right_meanwhile_leaves_no_number_out(void **state)
{
    struct err e = {0};
    struct store_progress p;
    struct scene s;
    bool did;

    (void)state;
    open_scene(&s);
    s.b.store->body_soft = 16384;
    drain_all(&s.b);
    s.db.ms += DAY_MS;
    sql(&s.b, "INSERT INTO code VALUES ('early', NULL)");
    work(&s.b);
    s.db.ms -= DAY_MS;
    sql(&s.b, "UPDATE article SET price = 'anew ' || hex(randomblob(500))");
    for (uint64_t had = numbered(&s.b); numbered(&s.b) < had + 2;)
        drain_once(&s.b, &p);
    assert_true(drain_is_under_way(s.b.store));
    check(store_correct(s.b.store, s.b.now_ms, &did, &e), &e);
    assert_true(did);
    assert_false(drain_is_under_way(s.b.store));
    work(&s.b);
    sql(&s.b, "DELETE FROM code WHERE name = 'early'");
    expect_all_of_it_once(&s);
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_takes_so_many_rows_and_all_are_said_together),
        cmocka_unit_test(nobody_hears_of_it_before_the_last_turn),
        cmocka_unit_test(a_crash_in_the_middle_begins_it_again),
        cmocka_unit_test(whenever_the_agent_dies_all_of_it_is_said_once),
        cmocka_unit_test(meanwhile_nothing_is_staged_and_what_others_said_comes_in_afterwards),
        cmocka_unit_test(what_is_drained_before_an_apply_is_counted),
        cmocka_unit_test(what_is_written_meanwhile_is_said_next),
        cmocka_unit_test(a_schema_that_moves_meanwhile_begins_it_again),
        cmocka_unit_test(another_transaction_takes_its_place_until_it_is_done_in_one_go),
        cmocka_unit_test(what_is_noted_meanwhile_does_not_take_its_place),
        cmocka_unit_test(too_much_that_is_noted_meanwhile_does_not_wait),
        cmocka_unit_test(a_clock_that_is_put_right_meanwhile_leaves_no_number_out),
    };

    return cmocka_run_group_tests(tests, library_start, NULL);
}
